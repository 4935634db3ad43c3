// torch's CPU generator (mt19937) and its drawing algorithms, number by number.
// (bernoulli_(p) and with it dropout are drawn as torch does on processors that are
// not Intel's: there MKL draws them in a way of its own.)
//
// `g` is a Generator or null, which is the default one.
// generator(): a new Generator     manual_seed(seed, g)     initial_seed(g): a string
// seed(g): seeds by chance         get_rng_state(g), set_rng_state(bytes, g)
// rand(size, dtype, g)             randn(size, dtype, g)
// randint(low, high, size, dtype, g)                  randperm(n, dtype, g)
// normal(mean, std, size, dtype, g): mean and std are numbers or tensors
// bernoulli(p, g): p a tensor      multinomial(p, count, replacement, g)
// in place: uniform_(x, from, to, g), normal_(x, mean, std, g),
//   random_(x, from, to, g), bernoulli_(x, p, g): p a number or a tensor,
//   exponential_(x, lambd, g), log_normal_(x, mean, std, g), geometric_(x, p, g),
//   cauchy_(x, median, sigma, g)
// dropout(x, p, train), feature_dropout(x, p, train), alpha_dropout(x, p, train),
//   feature_alpha_dropout(x, p, train)

import { add, div, mul, sub } from "./elementwise.js";
import {
  broadcastShapes,
  DTYPES,
  defaultDtype,
  empty_like_values,
  expand,
  full,
  inplace,
  is_contiguous,
  layout,
  notHere,
  numel,
  raise,
  scalar,
  Tensor,
  tensor_from,
  typeNames,
  values,
} from "./tensor.js";

const N = 624;
const M = 397;
const f = Math.fround;
const TWO_PI = 2 * Math.PI;

// A draw is rounded to float32 for these, and to double for the others.
const SINGLE = { float32: true, float16: true, bfloat16: true };

class Generator {
  constructor() {
    this.manualSeed(67280421310721n);
  }

  manualSeed(seed) {
    this.seed = BigInt.asUintN(64, BigInt(seed));
    this.state = new Uint32Array(N);
    let x = Number(BigInt.asUintN(32, this.seed));
    this.state[0] = x;
    for (let j = 1; j < N; j++) {
      x = (Math.imul(1812433253, x ^ (x >>> 30)) + j) >>> 0;
      this.state[j] = x;
    }
    this.next = N;
    this.cached = null;
  }

  twist() {
    const s = this.state;
    for (let j = 0; j < N; j++) {
      const v = s[(j + 1) % N];
      const mixed = (s[j] & 0x80000000) | (v & 0x7fffffff);
      s[j] = s[(j + M) % N] ^ (mixed >>> 1) ^ (v & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }

  random() {
    if (this.next === N) {
      this.twist();
    }
    let y = this.state[this.next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  random64() {
    const high = this.random();
    return (BigInt(high) << 32n) | BigInt(this.random());
  }

  // In [0, 1): 24 bits for single precision, 53 for double.
  uniform(single) {
    if (single) {
      return (this.random() & 0xffffff) / 0x1000000;
    }
    const high = this.random() & 0x1fffff;
    return (high * 0x100000000 + this.random()) / 2 ** 53;
  }

  // One normal number in double precision; Box and Muller's second one is kept.
  normal(mean, std) {
    let value = this.cached;
    this.cached = null;
    if (value === null) {
      const angle = TWO_PI * this.uniform(false);
      const radius = Math.sqrt(-2 * Math.log1p(-this.uniform(false)));
      this.cached = radius * Math.sin(angle);
      value = radius * Math.cos(angle);
    }
    return value * std + mean;
  }

  // In torch's layout of a state: seed, left, seeded, next, 624 words, normal.
  getState() {
    const bytes = new Uint8Array(5056);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, this.seed, true);
    // torch counts `left` down from N, and starts with 1.
    const used = this.next === N;
    view.setInt32(8, used ? 1 : N + 1 - this.next, true);
    view.setInt32(12, 1, true);
    view.setUint32(16, used ? 0 : this.next, true);
    this.state.forEach((word, j) => view.setUint32(24 + 8 * j, word, true));
    view.setFloat64(5024, this.cached ?? 0, true);
    view.setInt32(5040, this.cached === null ? 0 : 1, true);
    return bytes;
  }

  setState(bytes) {
    const view = new DataView(Uint8Array.from(bytes).buffer);
    this.seed = view.getBigUint64(0, true);
    this.state = this.state.map((_, j) => view.getUint32(24 + 8 * j, true));
    this.next = view.getInt32(8, true) === 1 ? N : view.getUint32(16, true);
    this.cached = view.getInt32(5040, true) ? view.getFloat64(5024, true) : null;
  }
}

const defaultGenerator = new Generator();

function fill(n, draw) {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    out[i] = draw();
  }
  return out;
}

function drawUniform(g, n, dtype, from, to) {
  const single = SINGLE[dtype.name] === true;
  const round = single ? f : Number;
  const low = round(from);
  const width = round(round(to) - low);
  const [first, last] = [dtype.round(from), dtype.round(to)];
  return fill(n, () => {
    const value = dtype.round(round(g.uniform(single) * width + low));
    return value === last ? first : value;
  });
}

// float32's logarithm, sine and cosine as torch's vector code computes them
// (Cephes' polynomials with fused multiply and add).
const LOG = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1,
  -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(f);
const [LOG_LOW, LOG_HIGH] = [f(-2.1219444e-4), f(0.693359375)];
const SIN = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(f);
const COS = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(f);
const QUARTER = [-0.78515625, -2.4187564849853516e-4, -3.774894977445941e-8].map(f);

const polynomial = (coefficients, x) => coefficients.reduce((y, c) => f(y * x + c));

function logSingle(value) {
  let e = Math.floor(Math.log2(value)) + 1;
  let x = value / 2 ** e;
  if (x < f(Math.SQRT1_2)) {
    e -= 1;
    x = f(2 * x - 1);
  } else {
    x = f(x - 1);
  }
  const z = f(x * x);
  let y = f(polynomial(LOG, x) * x);
  y = f(y * z + f(e * LOG_LOW));
  y = f(y - z / 2);
  return f(e * LOG_HIGH + f(x + y));
}

function sinCosSingle(angle) {
  const j = (Math.trunc(f(angle * f(4 / Math.PI))) + 1) & ~1;
  const x = QUARTER.reduce((sum, part) => f(j * part + sum), angle);
  const z = f(x * x);
  const c = f(f(f(polynomial(COS, z) * z) * z - z / 2) + 1);
  const s = f(f(polynomial(SIN, z) * z) * x + x);
  const sin = j & 2 ? c : s;
  const cos = j & 2 ? s : c;
  return [j & 4 ? -sin : sin, (j - 2) & 4 ? cos : -cos];
}

function blockSingle(data, at, mean, std) {
  for (let j = at; j < at + 8; j++) {
    const radius = f(Math.sqrt(f(-2 * logSingle(f(1 - data[j])))));
    const [sin, cos] = sinCosSingle(f(f(TWO_PI) * data[j + 8]));
    data[j] = f(f(radius * cos) * std + mean);
    data[j + 8] = f(f(radius * sin) * std + mean);
  }
}

function blockDouble(data, at, mean, std) {
  for (let j = at; j < at + 8; j++) {
    const radius = Math.sqrt(-2 * Math.log(1 - data[j]));
    const angle = TWO_PI * data[j + 8];
    data[j] = radius * Math.cos(angle) * std + mean;
    data[j + 8] = radius * Math.sin(angle) * std + mean;
  }
}

function drawNormal(g, n, dtype, mean, std, contiguous) {
  if (n < 16 || !contiguous) {
    return fill(n, () => g.normal(mean, std));
  }
  const single = SINGLE[dtype.name] === true;
  const block = single ? blockSingle : blockDouble;
  const [m, s] = single ? [f(mean), f(std)] : [mean, std];
  const out = new Float64Array(n);
  // Half precision draws whole blocks only; the others fill the rest, too.
  const drawn = dtype.name.endsWith("float16") ? n - (n % 16) : n;
  for (let i = 0; i < drawn; i++) {
    out[i] = g.uniform(single);
  }
  for (let i = 0; i < n - 15; i += 16) {
    block(out, i, m, s);
  }
  if (n % 16) {
    // The last 16 are drawn anew, over numbers that were already there.
    for (let i = n - 16; i < n; i++) {
      out[i] = g.uniform(single);
    }
    block(out, n - 16, m, s);
  }
  return out;
}

function drawIntegers(g, n, from, to) {
  const range = to - from;
  const small = range < 2 ** 28;
  return fill(
    n,
    () => (small ? g.random() % range : Number(g.random64() % BigInt(range))) + from,
  );
}

function drawPermutation(g, n) {
  const out = Float64Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n - 1; i++) {
    const j = i + (g.random() % (n - i));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

function floating(dtype, kernel) {
  if (!dtype.floating) {
    const name = typeNames[dtype.name];
    raise("NotImplementedError", `"${kernel}" not implemented for '${name}'`);
  }
}

const check = (holds, text) => holds || raise("RuntimeError", text);

// An empty tensor to draw into.
const blank = (size, dtype) => full(size, 0, dtype ?? defaultDtype());

export const generator = () => new Generator();

export function manual_seed(seed, g) {
  (g ?? defaultGenerator).manualSeed(seed);
  return true;
}

export const initial_seed = (g) => String((g ?? defaultGenerator).seed);

export function seed(g) {
  manual_seed(BigInt(Math.floor(Math.random() * 2 ** 53)), g);
  return initial_seed(g);
}

export function get_rng_state(g) {
  const bytes = (g ?? defaultGenerator).getState();
  return tensor_from(bytes, [bytes.length], "uint8");
}

export function set_rng_state(state, g) {
  const bytes = values(state);
  check(
    bytes.length === 5056,
    "Expected a CPUGeneratorImplState of size 5056 but found the input RNG state " +
      `size to be ${bytes.length}`,
  );
  (g ?? defaultGenerator).setState(bytes);
  return true;
}

// A draw goes into a tensor in the order of its memory, as torch's does.
const into = (x, drawn) =>
  inplace(x, () => tensor_from(drawn, x.shape, x.dtype, layout(x.shape, x)));

export const rand = (size, dtype, g) => uniform_(blank(size, dtype), 0, 1, g);

export const randn = (size, dtype, g) => normal_(blank(size, dtype), 0, 1, g);

export function randint(low, high, size, dtype, g) {
  return random_(blank(size, dtype ?? DTYPES.int64), low, high, g);
}

export function randperm(n, dtype, g) {
  return into(
    blank([n], dtype ?? DTYPES.int64),
    drawPermutation(g ?? defaultGenerator, n),
  );
}

export function uniform_(x, from, to, g) {
  floating(x.dtype, "check_uniform_bounds");
  check(
    from <= to,
    `uniform_ expects to return a [from, to) range, but found from=${from} > to=${to}`,
  );
  const n = numel(x.shape);
  return into(x, drawUniform(g ?? defaultGenerator, n, x.dtype, from, to));
}

export function normal_(x, mean, std, g) {
  check(std >= 0, `normal expects std >= 0.0, but found std ${std}`);
  floating(x.dtype, "normal_kernel_cpu");
  const blocks = is_contiguous(x);
  const n = numel(x.shape);
  return into(x, drawNormal(g ?? defaultGenerator, n, x.dtype, mean, std, blocks));
}

const LIMITS = {
  bool: [0, 1, "bool"],
  uint8: [0, 255, "unsigned char"],
  int8: [-128, 127, "signed char"],
  int16: [-(2 ** 15), 2 ** 15 - 1, "short"],
  int32: [-(2 ** 31), 2 ** 31 - 1, "int"],
};

export function random_(x, from, to, g) {
  if (to === null) {
    notHere("Tensor.random_ without bounds");
  }
  check(
    from < to,
    `random_ expects 'from' to be less than 'to', but got from=${from} >= to=${to}`,
  );
  const [low, high, name] = LIMITS[x.dtype.name] ?? [-Infinity, Infinity];
  check(from >= low && from <= high, `from is out of bounds for ${name}`);
  check(to - 1 >= low && to - 1 <= high, `to - 1 is out of bounds for ${name}`);
  return into(x, drawIntegers(g ?? defaultGenerator, numel(x.shape), from, to));
}

function each(x, g, draw) {
  const source = g ?? defaultGenerator;
  return into(
    x,
    fill(numel(x.shape), () => draw(source)),
  );
}

export function bernoulli_(x, p, g) {
  if (p instanceof Tensor) {
    floating(p.dtype, "bernoulli_tensor_cpu_p_");
    const { data: chances } = empty_like_values(
      x,
      values(expand(p, x.shape)),
      p.dtype,
    ).storage;
    const single = SINGLE[p.dtype.name] === true;
    check(
      chances.every((c) => c >= 0 && c <= 1),
      "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error " +
        "message be improved?  If so, please report an enhancement request to PyTorch.)",
    );
    let i = 0;
    return each(x, g, (source) => (source.uniform(single) < chances[i++] ? 1 : 0));
  }
  check(p >= 0 && p <= 1, `bernoulli_ expects p to be in [0, 1], but got p=${p}`);
  return each(x, g, (source) => (source.uniform(false) < p ? 1 : 0));
}

export function bernoulli(p, g) {
  return bernoulli_(blank(p.shape, p.dtype), p, g);
}

export function exponential_(x, lambd, g) {
  check(
    x.dtype.floating,
    "Exponential distribution is a continuous probability distribution. dtype must be " +
      `a floating point but you specified ${typeNames[x.dtype.name]}`,
  );
  check(lambd > 0, `exponential_ expects lambda > 0.0, but found lambda=${lambd}`);
  return each(x, g, (source) => (-1 / lambd) * Math.log1p(-source.uniform(false)));
}

export function log_normal_(x, mean, std, g) {
  check(std > 0, `log_normal_ expects std > 0.0, but found std=${std}`);
  floating(x.dtype, "log_normal_cpu");
  return each(x, g, (source) => Math.exp(source.normal(mean, std)));
}

export function geometric_(x, p, g) {
  check(p > 0 && p < 1, `geometric_ expects p to be in (0, 1), but got p=${p}`);
  const scale = Math.log1p(-p);
  return each(x, g, (source) => Math.ceil(Math.log(source.uniform(false)) / scale));
}

export function cauchy_(x, median, sigma, g) {
  check(sigma > 0, `cauchy_ expects sigma > 0.0, but found sigma=${sigma}`);
  floating(x.dtype, "cauchy_cpu");
  return each(
    x,
    g,
    (source) => median + sigma * Math.tan(Math.PI * (source.uniform(false) - 0.5)),
  );
}

// mean and std are numbers or tensors; with numbers alone, size and dtype say the rest.
export function normal(mean, std, size, dtype, g) {
  const [means, stds] = [mean instanceof Tensor, std instanceof Tensor];
  if (!means && !stds) {
    return normal_(blank(size, dtype), mean, std, g);
  }
  if (!stds) {
    return add(normal_(blank(mean.shape, mean.dtype), 0, std, g), mean);
  }
  check(
    values(std).every((s) => s >= 0),
    "normal expects all elements of std >= 0.0",
  );
  const shape = means ? broadcastShapes(mean.shape, std.shape) : std.shape;
  const type = means ? mean.dtype : std.dtype;
  const drawn = mul(normal_(blank(shape, type), 0, 1, g), std);
  return add(drawn, means ? mean : scalar(mean, "float"));
}

// The slot of a cumulative distribution in which u falls.
function slot(cumulative, u) {
  let [left, right] = [0, cumulative.length];
  while (left < right) {
    const middle = (left + right) >> 1;
    if (cumulative[middle] < u) {
      left = middle + 1;
    } else {
      right = middle;
    }
  }
  return left;
}

function withReplacement(row, count, g, round) {
  let sum = 0;
  const sums = row.map((chance) => {
    sum = round(sum + chance);
    return sum;
  });
  const cumulative = sums.map((s) => round(s / sum));
  cumulative[row.length - 1] = 1;
  return fill(count, () => slot(cumulative, g.uniform(false)));
}

// The largest of chance / exponential: as good as drawing one after the other.
function withoutReplacement(row, count, g, round) {
  const keys = row.map((chance) =>
    round(chance / round(-Math.log1p(-g.uniform(false)))),
  );
  return Float64Array.from(keys.keys())
    .sort((a, b) => keys[b] - keys[a])
    .slice(0, count);
}

export function multinomial(p, count, replacement, g) {
  const size = p.shape.at(-1);
  check(p.shape.length === 1 || p.shape.length === 2, "prob_dist must be 1 or 2 dim");
  check(
    p.dtype.floating,
    "multinomial only supports floating-point dtypes for input, got: " +
      typeNames[p.dtype.name],
  );
  check(count > 0, "cannot sample n_sample <= 0 samples");
  check(
    replacement || count <= size,
    "cannot sample n_sample > prob_dist.size(-1) samples without replacement",
  );
  const chances = values(p);
  check(
    chances.every((chance) => chance >= 0 && chance < Infinity),
    "probability tensor contains either `inf`, `nan` or element < 0",
  );
  const draw = replacement && count > 1 ? withReplacement : withoutReplacement;
  const out = blank([...p.shape.slice(0, -1), count], "int64");
  for (let i = 0; i * size < chances.length; i++) {
    const row = chances.slice(i * size, (i + 1) * size);
    check(
      row.some((chance) => chance > 0),
      "invalid multinomial distribution (sum of probabilities <= 0)",
    );
    const drawn = draw(row, count, g ?? defaultGenerator, p.dtype.round);
    out.storage.data.set(drawn, i * count);
  }
  return out;
}

// Noise of 0 and 1 like x, or with one number for each channel.
function noise(x, p, channels) {
  const shape = channels ? x.shape.map((size, dim) => (dim < 2 ? size : 1)) : x.shape;
  return bernoulli_(blank(shape, x.dtype), 1 - p, null);
}

function dropped(x, p, train, channels, alpha) {
  if (!(p >= 0 && p <= 1)) {
    raise("ValueError", `dropout probability has to be between 0 and 1, but got ${p}`);
  }
  check(
    !channels || x.shape.length > 1,
    "Feature dropout requires at least 2 dimensions in the input",
  );
  if (p === 0 || !train || numel(x.shape) === 0) {
    return x;
  }
  if (p === 1) {
    return mul(x, full([], 0, x.dtype));
  }
  const kept = noise(x, p, channels);
  if (!alpha) {
    return mul(x, div(kept, scalar(1 - p, "float")));
  }
  const least = 1.7580993408473766;
  const a = 1 / Math.sqrt((least * least * p + 1) * (1 - p));
  const shift = add(
    mul(sub(kept, scalar(1, "float")), scalar(least * a, "float")),
    scalar(least * a * p, "float"),
  );
  return add(mul(x, mul(kept, scalar(a, "float"))), shift);
}

export const dropout = (x, p, train) => dropped(x, p, train, false, false);
export const feature_dropout = (x, p, train) => dropped(x, p, train, true, false);
export const alpha_dropout = (x, p, train) => dropped(x, p, train, false, true);
export const feature_alpha_dropout = (x, p, train) => dropped(x, p, train, true, true);
