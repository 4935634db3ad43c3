// Element-wise functions. Names and arguments as torch's; results keep torch's layout.
//
// One tensor (x): neg abs sign sgn positive exp exp2 expm1 log log2 log10 log1p sqrt rsqrt
//   square reciprocal sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh sigmoid
//   logsigmoid erf erfc erfinv logit(x, eps) floor ceil trunc frac round(x, decimals)
//   isnan isinf isfinite isposinf isneginf signbit logical_not bitwise_not
//   nan_to_num(x, nan, posinf, neginf) clamp(x, min, max) clamp_min clamp_max clip
// Two (a, b): add(a, b, alpha) sub(a, b, alpha) rsub mul rdiv div(a, b, rounding_mode)
//   floor_divide remainder fmod pow float_power maximum minimum fmax fmin eq ne lt le gt ge
//   atan2 hypot xlogy copysign logaddexp heaviside gcd lcm logical_and logical_or
//   logical_xor bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift
// More: where(condition, a, b) lerp(start, end, weight) addcmul(x, a, b, value)
//   addcdiv(x, a, b, value) isclose(a, b, rtol, atol, equal_nan) allclose(the same) -> bool
//   equal(a, b) -> bool
// Activations: relu relu6 leaky_relu(x, slope) elu(x, alpha) selu celu(x, alpha) gelu(x,
//   approximate) silu softplus(x, beta, threshold) hardtanh(x, min, max) hardsigmoid
//   hardswish mish softsign tanhshrink hardshrink(x, lambda) softshrink(x, lambda)
//   threshold(x, threshold, value) prelu(x, weight)
// In place: copy_(x, source) fill_(x, value) zero_(x) refill(x, values, name); as results:
//   fill(x, value), copy(x, source). Others by ops.inplace(name, x, ...).
// Numbers may be given as such or as ops.scalar(...).
// For other files: unary, binary, operand, mapped, unsupported.

import { evenly, inplace, noGrad, record } from "./autograd.js";
import { notHere, raise } from "./errors.js";
import {
  broadcastShapes,
  broadcastStride,
  contiguousStride,
  DTYPES,
  defaultDtype,
  dimOrder,
  eachRow,
  full,
  is_contiguous,
  layout,
  numel,
  read,
  resultType,
  sameShape,
  scalar,
  shapeText,
  Tensor,
  tensor_from,
  typeNames,
} from "./tensor.js";
import { cast, expand, reshape } from "./views.js";

// --- Reading, mapping, writing ---

export const operand = (value) =>
  value instanceof Tensor ? value : scalar(value, "float");

const numberOf = (value) => (value instanceof Tensor ? read(value)[0] : value);

export function unsupported(kernel, type) {
  raise(
    "NotImplementedError",
    `"${kernel}" not implemented for '${typeNames[type.name]}'`,
  );
}

const exactIn = (from, to) =>
  to === null ||
  from === to ||
  to === DTYPES.float64 ||
  (from.category === 0 && to.category > 0);

// The order of dims, slowest first, in which a result is computed; null: as they are.
// torch casts operands to the type first, which gives an expanded one its own memory.
function plan(tensors, type) {
  const shape = broadcastShapes(...tensors.map((t) => t.shape));
  if (tensors.every(is_contiguous)) {
    return { shape, order: null };
  }
  const strides = tensors.map((t) => {
    const stride = type === null || t.dtype === type ? t.stride : layout(t.shape, t);
    return broadcastStride({ shape: t.shape, stride }, shape);
  });
  return { shape, order: dimOrder(shape, strides).reverse() };
}

// The numbers of t in the plan's order; a single one where t has only one.
function source(t, { shape, order }, type) {
  let numbers;
  if (numel(t.shape) === 1) {
    numbers = Float64Array.of(t.storage.data[t.offset]);
  } else if (order === null && sameShape(t.shape, shape)) {
    numbers = read(t);
  } else {
    const stride = broadcastStride(t, shape);
    numbers = laid(
      t,
      order === null ? shape : order.map((dim) => shape[dim]),
      order === null ? stride : order.map((dim) => stride[dim]),
    );
  }
  if (exactIn(t.dtype, type)) {
    return numbers;
  }
  // torch computes with Python numbers in float32 even for half precision.
  const { round } =
    t.wrapped && type.bytes === 2 && type.floating ? DTYPES.float32 : type;
  return numbers.map(round);
}

function laid(t, shape, stride) {
  const out = new Float64Array(numel(shape));
  const { data } = t.storage;
  eachRow(shape, stride, t.offset, (start, step, size, position) => {
    if (step === 0) {
      out.fill(data[start], position, position + size);
      return;
    }
    for (let i = 0; i < size; i++) {
      out[position + i] = data[start + i * step];
    }
  });
  return out;
}

function finished(numbers, { shape, order }, type) {
  if (order === null) {
    return tensor_from(numbers, shape, type);
  }
  const inner = contiguousStride(order.map((dim) => shape[dim]));
  const stride = new Array(shape.length);
  order.forEach((dim, i) => {
    stride[dim] = inner[i];
  });
  return tensor_from(numbers, shape, type, stride);
}

function loop1(a, f) {
  const out = new Float64Array(a.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = f(a[i]);
  }
  return out;
}

// A source of one number stays where it is: step 0.
function loop2(a, b, n, f) {
  const out = new Float64Array(n);
  const [p, q] = [Number(a.length === n), Number(b.length === n)];
  if (f.loop) {
    f.loop(a, b, n, p, q, out);
    return out;
  }
  for (let i = 0; i < n; i++) {
    out[i] = f(a[i * p], b[i * q]);
  }
  return out;
}

function loop3(a, b, c, n, f) {
  const out = new Float64Array(n);
  const [p, q, r] = [a, b, c].map((list) => Number(list.length === n));
  for (let i = 0; i < n; i++) {
    out[i] = f(a[i * p], b[i * q], c[i * r]);
  }
  return out;
}

// The most frequent functions have loops of their own: to call a function once for each
// number costs several times its own work.
const withLoop = (f, loop) => Object.assign(f, { loop });

const plus = withLoop(
  (a, b) => a + b,
  (a, b, n, p, q, out) => {
    for (let i = 0; i < n; i++) {
      out[i] = a[i * p] + b[i * q];
    }
  },
);
const minus = withLoop(
  (a, b) => a - b,
  (a, b, n, p, q, out) => {
    for (let i = 0; i < n; i++) {
      out[i] = a[i * p] - b[i * q];
    }
  },
);
const times = withLoop(
  (a, b) => a * b,
  (a, b, n, p, q, out) => {
    for (let i = 0; i < n; i++) {
      out[i] = a[i * p] * b[i * q];
    }
  },
);
const over = withLoop(
  (a, b) => a / b,
  (a, b, n, p, q, out) => {
    for (let i = 0; i < n; i++) {
      out[i] = a[i * p] / b[i * q];
    }
  },
);
// The second where the first is positive (or nan).
const gate = withLoop(
  (a, b) => (a <= 0 ? 0 : b),
  (a, b, n, p, q, out) => {
    for (let i = 0; i < n; i++) {
      out[i] = a[i * p] <= 0 ? 0 : b[i * q];
    }
  },
);

// f over the numbers of one to three tensors, taken as `type` (null: as they are), into
// a new tensor.
export function mapped(tensors, f, type, outType = type) {
  const how = plan(tensors, type);
  const n = numel(how.shape);
  const sources = tensors.map((t) => source(t, how, type));
  if (sources.length === 1) {
    return finished(loop1(sources[0], f), how, outType);
  }
  const [a, b, c] = sources;
  const numbers = c === undefined ? loop2(a, b, n, f) : loop3(a, b, c, n, f);
  return finished(numbers, how, outType);
}

// A differentiable function of one tensor. slope(grad, kept) -> the gradient of x;
// keeps: what slope reads, "x", "out" or "" (nothing).
export function unary(x, f, type, name, slope, keeps) {
  const out = mapped([x], f, type);
  const kept = keeps === "x" ? x : out;
  const saved = keeps === "" ? [] : [kept];
  return record(out, name, [x], (grad) => [slope(grad, kept)], saved);
}

const floatType = (x) => (x.dtype.floating ? x.dtype : defaultDtype());

const toFloat = (name, f, slope, keeps) => (x) =>
  unary(x, f, floatType(x), `${name}Backward0`, slope, keeps);

const noSlope = (grad) => zerosLike(grad);

const zerosLike = (x) => full(x.shape, 0, x.dtype);

// A function with its derivatives as plain functions: [f, f', f'', ...].
function derived(x, functions, name, level = 0) {
  const f = functions[level] ?? notHere(`so high a derivative of ${name}`);
  const out = mapped([x], f, x.dtype);
  return record(
    out,
    `${name}Backward0`,
    [x],
    (grad) => [mul(grad, derived(x, functions, name, level + 1))],
    [x],
  );
}

function needFloat(x, kernel) {
  if (!x.dtype.floating) {
    unsupported(kernel, x.dtype);
  }
}

// --- One tensor ---

export function neg(x) {
  if (x.dtype.category === 0) {
    raise(
      "RuntimeError",
      "Negation, the `-` operator, on a bool tensor is not supported. If you are trying " +
        "to invert a mask, use the `~` or `logical_not()` operator instead.",
    );
  }
  return unary(
    x,
    (v) => -v,
    x.dtype,
    "NegBackward0",
    (grad) => neg(grad),
    "",
  );
}

export function positive(x) {
  if (x.dtype.category === 0) {
    raise("RuntimeError", "The `+` operator, on a bool tensor is not supported.");
  }
  return x;
}

export function abs(x) {
  if (x.dtype.category === 0) {
    unsupported("abs_cpu", x.dtype);
  }
  return unary(x, Math.abs, x.dtype, "AbsBackward0", (g, v) => mul(g, sgn(v)), "x");
}

const signOf = (v) => (v > 0 ? 1 : 0) - (v < 0 ? 1 : 0);

export const sign = (x) => unary(x, signOf, x.dtype, "SignBackward0", noSlope, "");
export const sgn = (x) => unary(x, signOf, x.dtype, "SgnBackward0", noSlope, "");

export const exp = toFloat("Exp", Math.exp, (g, out) => mul(g, out), "out");
export const exp2 = toFloat(
  "Exp2",
  (v) => 2 ** v,
  (g, out) => mul(mul(g, out), Math.LN2),
  "out",
);
export const expm1 = toFloat(
  "Expm1",
  Math.expm1,
  (g, out) => mul(g, add(out, 1)),
  "out",
);
export const log = toFloat("Log", Math.log, (g, x) => div(g, x), "x");
export const log2 = toFloat("Log2", Math.log2, (g, x) => div(g, mul(x, Math.LN2)), "x");
export const log10 = toFloat(
  "Log10",
  Math.log10,
  (g, x) => div(g, mul(x, Math.LN10)),
  "x",
);
export const log1p = toFloat("Log1p", Math.log1p, (g, x) => div(g, add(x, 1)), "x");
export const sqrt = toFloat("Sqrt", Math.sqrt, (g, out) => div(g, mul(out, 2)), "out");
export const rsqrt = toFloat(
  "Rsqrt",
  (v) => 1 / Math.sqrt(v),
  (g, out) => mul(mul(g, -0.5), pow(out, 3)),
  "out",
);
export const reciprocal = toFloat(
  "Reciprocal",
  (v) => 1 / v,
  (g, out) => neg(mul(g, mul(out, out))),
  "out",
);
export const sin = toFloat("Sin", Math.sin, (g, x) => mul(g, cos(x)), "x");
export const cos = toFloat("Cos", Math.cos, (g, x) => neg(mul(g, sin(x))), "x");
export const tan = toFloat(
  "Tan",
  Math.tan,
  (g, out) => mul(g, add(mul(out, out), 1)),
  "out",
);
export const asin = toFloat(
  "Asin",
  Math.asin,
  (g, x) => mul(g, rsqrt(rsub(mul(x, x), 1))),
  "x",
);
export const acos = toFloat(
  "Acos",
  Math.acos,
  (g, x) => neg(mul(g, rsqrt(rsub(mul(x, x), 1)))),
  "x",
);
export const atan = toFloat(
  "Atan",
  Math.atan,
  (g, x) => div(g, add(mul(x, x), 1)),
  "x",
);
export const sinh = toFloat("Sinh", Math.sinh, (g, x) => mul(g, cosh(x)), "x");
export const cosh = toFloat("Cosh", Math.cosh, (g, x) => mul(g, sinh(x)), "x");
export const asinh = toFloat(
  "Asinh",
  Math.asinh,
  (g, x) => mul(g, rsqrt(add(mul(x, x), 1))),
  "x",
);
export const acosh = toFloat(
  "Acosh",
  Math.acosh,
  (g, x) => mul(g, rsqrt(sub(mul(x, x), 1))),
  "x",
);
export const atanh = toFloat(
  "Atanh",
  Math.atanh,
  (g, x) => div(g, rsub(mul(x, x), 1)),
  "x",
);
export const tanh = toFloat(
  "Tanh",
  Math.tanh,
  (g, out) => mul(g, rsub(mul(out, out), 1)),
  "out",
);

const logistic = (v) => 1 / (1 + Math.exp(-v));

export const sigmoid = toFloat(
  "Sigmoid",
  logistic,
  (g, out) => mul(mul(g, rsub(out, 1)), out),
  "out",
);

export function logsigmoid(x) {
  needFloat(x, "log_sigmoid_cpu");
  return unary(
    x,
    (v) => Math.min(0, v) - Math.log1p(Math.exp(-Math.abs(v))),
    x.dtype,
    "LogSigmoidBackward0",
    (g, v) => mul(g, sigmoid(neg(v))),
    "x",
  );
}

// erf and erfc after fdlibm (Sun Microsystems), to the last bit of a float64 or so.
const poly = (x, list) => list.reduceRight((sum, factor) => sum * x + factor, 0);
const ERF_SMALL = [
  [
    0.12837916709551256, -0.3250421072470015, -0.02848174957559851,
    -0.005770270296489442, -2.3763016656650163e-5,
  ],
  [
    1, 0.39791722395915535, 0.0650222499887673, 0.005081306281875766,
    0.00013249473800432164, -3.960228278775368e-6,
  ],
];
const ERF_ONE = [
  [
    -0.0023621185607526594, 0.41485611868374833, -0.3722078760357013,
    0.31834661990116175, -0.11089469428239668, 0.035478304325618236,
    -0.002166375594868791,
  ],
  [
    1, 0.10642088040084423, 0.540397917702171, 0.07182865441419627, 0.12617121980876164,
    0.01363708391202905, 0.011984499846799107,
  ],
];
const ERF_THREE = [
  [
    -0.009864944034847148, -0.6938585727071818, -10.558626225323291,
    -62.375332450326006, -162.39666946257347, -184.60509290671104, -81.2874355063066,
    -9.814329344169145,
  ],
  [
    1, 19.651271667439257, 137.65775414351904, 434.56587747522923, 645.3872717332679,
    429.00814002756783, 108.63500554177944, 6.570249770319282, -0.0604244152148581,
  ],
];
const ERF_LARGE = [
  [
    -0.0098649429247001, -0.799283237680523, -17.757954917754752, -160.63638485582192,
    -637.5664433683896, -1025.0951316110772, -483.5191916086514,
  ],
  [
    1, 30.33806074348246, 325.7925129965739, 1536.729586084437, 3199.8582195085955,
    2553.0504064331644, 474.52854120695537, -22.44095244658582,
  ],
];
const ERX = 0.8450629115104675;

// erfc of a positive number from 0.84375 on.
function tail(x) {
  if (x < 1.25) {
    const s = x - 1;
    return 1 - ERX - poly(s, ERF_ONE[0]) / poly(s, ERF_ONE[1]);
  }
  if (x > 28) {
    return 0;
  }
  const s = 1 / (x * x);
  const [above, below] = x < 1 / 0.35 ? ERF_THREE : ERF_LARGE;
  // A part of x with few digits, so that its square is exact.
  const z = Math.fround(x);
  const ratio = poly(s, above) / poly(s, below);
  return (Math.exp(-z * z - 0.5625) * Math.exp((z - x) * (z + x) + ratio)) / x;
}

export function erfNumber(x) {
  const size = Math.abs(x);
  if (!(size >= 0.84375)) {
    const z = x * x;
    return x + (x * poly(z, ERF_SMALL[0])) / poly(z, ERF_SMALL[1]);
  }
  const rest = size < 1.25 ? 0 : 1 - tail(size);
  const value = size < 1.25 ? erfNear(size) : rest;
  return x < 0 ? -value : value;
}

function erfNear(size) {
  const s = size - 1;
  return ERX + poly(s, ERF_ONE[0]) / poly(s, ERF_ONE[1]);
}

function erfcNumber(x) {
  if (x < 0.84375 || Number.isNaN(x)) {
    return x < -0.84375 ? 2 - tail(-x) : 1 - erfNumber(x);
  }
  return tail(x);
}

const ERFINV = [
  [0.886226899, -1.645349621, 0.914624893, -0.140543331],
  [1, -2.118377725, 1.442710462, -0.329097515, 0.012229801],
  [-1.970840454, -1.624906493, 3.429567803, 1.641345311],
  [1, 3.5438892, 1.6370678],
];

function erfinvNumber(y) {
  const size = Math.abs(y);
  if (!(size < 1)) {
    return size === 1 ? y * Infinity : NaN;
  }
  let x;
  if (size <= 0.7) {
    const z = y * y;
    x = (y * poly(z, ERFINV[0])) / poly(z, ERFINV[1]);
  } else {
    const z = Math.sqrt(-Math.log((1 - size) / 2));
    x = (Math.sign(y) * poly(z, ERFINV[2])) / poly(z, ERFINV[3]);
  }
  // Two steps of Newton, as torch takes them.
  for (let i = 0; i < 2; i++) {
    x -= (erfNumber(x) - y) / ((2 / Math.sqrt(Math.PI)) * Math.exp(-x * x));
  }
  return x;
}

const bell = (g, x, factor) => mul(mul(g, factor), exp(neg(mul(x, x))));

export const erf = toFloat(
  "Erf",
  erfNumber,
  (g, x) => bell(g, x, 2 / Math.sqrt(Math.PI)),
  "x",
);
export const erfc = toFloat(
  "Erfc",
  erfcNumber,
  (g, x) => bell(g, x, -2 / Math.sqrt(Math.PI)),
  "x",
);
export const erfinv = toFloat(
  "Erfinv",
  erfinvNumber,
  (g, out) => mul(mul(g, Math.sqrt(Math.PI) / 2), exp(mul(out, out))),
  "out",
);

export function logit(x, eps = null) {
  const clipped = eps === null ? x : clamp(x, eps, 1 - eps);
  const f = (v) => Math.log(v / (1 - v));
  const inside = (v) => logical_and(ge(v, 0), le(v, 1));
  const slope = (g, v) => where(inside(v), div(g, mul(v, rsub(v, 1))), NaN);
  return unary(clipped, f, floatType(x), "LogitBackward0", slope, "x");
}

export function square(x) {
  return pow(x, scalar(2, "int64"));
}

function evenRound(v) {
  const floor = Math.floor(v);
  const rest = v - floor;
  if (rest === 0.5) {
    return (floor % 2 === 0 ? floor : floor + 1) || v * 0;
  }
  return rest < 0.5 ? floor || v * 0 : floor + 1 || v * 0;
}

const toWhole = (name, f) => (x) => {
  if (x.dtype.category === 0) {
    unsupported(`${name}_vml_cpu`, x.dtype);
  }
  const title = name[0].toUpperCase() + name.slice(1);
  return unary(x, f, x.dtype, `${title}Backward0`, noSlope, "");
};

export const floor = toWhole("floor", Math.floor);
export const ceil = toWhole("ceil", Math.ceil);
export const trunc = toWhole("trunc", Math.trunc);
export const fix = trunc;
const roundWhole = toWhole("round", evenRound);

export function round(x, decimals = 0) {
  if (decimals === 0) {
    return roundWhole(x);
  }
  needFloat(x, "round_cpu");
  const power = 10 ** Math.abs(decimals);
  const f =
    decimals > 0
      ? (v) => evenRound(v * power) / power
      : (v) => evenRound(v / power) * power;
  return unary(x, f, x.dtype, "RoundBackward1", noSlope, "");
}

export function frac(x) {
  needFloat(x, "frac_cpu");
  return unary(
    x,
    (v) => v - Math.trunc(v),
    x.dtype,
    "FracBackward0",
    (g) => g,
    "",
  );
}

const asked = (f) => (x) => mapped([x], f, x.dtype, DTYPES.bool);

export const isnan = asked(Number.isNaN);
export const isinf = asked((v) => Math.abs(v) === Infinity);
export const isfinite = asked(Number.isFinite);
export const isposinf = asked((v) => v === Infinity);
export const isneginf = asked((v) => v === -Infinity);
export const signbit = asked((v) => v < 0 || Object.is(v, -0));
export const logical_not = asked((v) => v === 0);

export function bitwise_not(x) {
  if (x.dtype.floating) {
    unsupported("bitwise_not_cpu", x.dtype);
  }
  return mapped([x], x.dtype.category === 0 ? (v) => 1 - v : (v) => -1 - v, x.dtype);
}

const LARGEST = {
  float16: 65504,
  bfloat16: 3.3895313892515355e38,
  float32: 3.4028234663852886e38,
  float64: Number.MAX_VALUE,
};

export function nan_to_num(x, nan = null, posinf = null, neginf = null) {
  const most = LARGEST[x.dtype.name];
  const [forNan, above, below] = [nan ?? 0, posinf ?? most, neginf ?? -most];
  const f = (v) => {
    if (Number.isNaN(v)) {
      return forNan;
    }
    return Number.isFinite(v) ? v : (v > 0 && above) || below;
  };
  const replace = (v) => (v === Infinity ? above : f(v));
  return unary(
    x,
    replace,
    x.dtype,
    "NanToNumBackward0",
    (g, v) => mul(g, cast(isfinite(v), g.dtype)),
    "x",
  );
}

// --- Two tensors ---

function bothSaved(out, name, a, b, backward) {
  return record(out, name, [a, b], backward, [a, b]);
}

// The sides' gradients, each only where it is asked for.
const sides = (a, b, first, second) => (grad) => [
  a.requires_grad ? first(grad) : null,
  b.requires_grad ? second(grad) : null,
];

function checkAlpha(alpha, type) {
  if (!type.floating && !Number.isInteger(alpha)) {
    raise(
      "RuntimeError",
      "For integral input tensors, argument alpha must not be a floating point number.",
    );
  }
}

function scaled(x, factor) {
  if (factor === 1) {
    return x;
  }
  return mul(x, scalar(factor, Number.isInteger(factor) ? "int64" : "float"));
}

function noDerivative(out, inputs, name) {
  return record(out, "NotImplemented", inputs, () =>
    raise("RuntimeError", `derivative for aten::${name} is not implemented`),
  );
}

export function add(first, second, alpha = 1) {
  const [a, b] = [operand(first), operand(second)];
  const type = resultType(a, b);
  const factor = numberOf(alpha);
  checkAlpha(factor, type);
  const f = factor === 1 ? plus : (v, w) => v + factor * w;
  const out = mapped([a, b], f, type);
  return record(out, "AddBackward0", [a, b], (grad) => [grad, scaled(grad, factor)]);
}

export function sub(first, second, alpha = 1) {
  const [a, b] = [operand(first), operand(second)];
  const bools = (a.dtype.category === 0) + (b.dtype.category === 0);
  if (bools > 0) {
    raise(
      "RuntimeError",
      bools === 2
        ? "Subtraction, the `-` operator, with two bool tensors is not supported. Use " +
            "the `^` or `logical_xor()` operator instead."
        : "Subtraction, the `-` operator, with a bool tensor is not supported. If you " +
            "are trying to invert a mask, use the `~` or `logical_not()` operator instead.",
    );
  }
  const type = resultType(a, b);
  const factor = numberOf(alpha);
  checkAlpha(factor, type);
  const f = factor === 1 ? minus : (v, w) => v - factor * w;
  const out = mapped([a, b], f, type);
  return record(out, "SubBackward0", [a, b], (grad) => [
    grad,
    neg(scaled(grad, factor)),
  ]);
}

export const rsub = (x, other, alpha = 1) => sub(other, x, alpha);

export function mul(first, second) {
  const [a, b] = [operand(first), operand(second)];
  const out = mapped([a, b], times, resultType(a, b));
  const saved = [];
  if (a.requires_grad) {
    saved.push(b);
  }
  if (b.requires_grad) {
    saved.push(a);
  }
  return record(
    out,
    "MulBackward0",
    [a, b],
    sides(
      a,
      b,
      (grad) => mul(grad, b),
      (grad) => mul(grad, a),
    ),
    saved,
  );
}

function floorQuotient(a, b) {
  if (b === 0) {
    return a / b;
  }
  const rest = a % b;
  let quotient = (a - rest) / b;
  if (rest !== 0 && b < 0 !== rest < 0) {
    quotient -= 1;
  }
  if (quotient === 0) {
    return a / b < 0 || Object.is(a / b, -0) ? -0 : 0;
  }
  const whole = Math.floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

const noZero = (f) => (a, b) => {
  if (b === 0) {
    raise("RuntimeError", "ZeroDivisionError");
  }
  return f(a, b);
};

export function div(first, second, rounding_mode = null) {
  const [a, b] = [operand(first), operand(second)];
  const type = resultType(a, b);
  if (rounding_mode === null) {
    const out = mapped([a, b], over, floatType({ dtype: type }));
    return record(
      out,
      "DivBackward0",
      [a, b],
      sides(
        a,
        b,
        (grad) => div(grad, b),
        (grad) => neg(mul(grad, div(div(a, b), b))),
      ),
      b.requires_grad ? [a, b] : [b],
    );
  }
  if (rounding_mode !== "floor" && rounding_mode !== "trunc") {
    raise(
      "RuntimeError",
      "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found " +
        `'${rounding_mode}'`,
    );
  }
  if (type.category === 0) {
    unsupported(`div_${rounding_mode}_cpu`, type);
  }
  const truncated = (v, w) => Math.trunc(type.floating ? type.round(v / w) : v / w);
  const f = rounding_mode === "floor" ? floorQuotient : truncated;
  const out = mapped([a, b], type.floating ? f : noZero(f), type);
  return record(out, "DivBackward1", [a, b], () => [zerosLike(out), zerosLike(out)]);
}

// A number divided by a tensor: what the gradient needs is 1 / x, not x.
export const rdiv = (number, x) => mul(reciprocal(x), number);

export function floor_divide(first, second) {
  const [a, b] = [operand(first), operand(second)];
  const out = noGrad(() => div(a, b, "floor"));
  return noDerivative(out, [a, b], "floor_divide");
}

function restLike(a, b) {
  const rest = a % b;
  return rest !== 0 && b < 0 !== rest < 0 ? rest + b : rest;
}

function remainderBy(first, second, f, name) {
  const [a, b] = [operand(first), operand(second)];
  const type = resultType(a, b);
  if (type.category === 0) {
    unsupported(`${name}_cpu`, type);
  }
  const out = mapped([a, b], type.floating ? f : noZero(f), type);
  if (a.wrapped) {
    return noDerivative(out, [b], name);
  }
  const mode = name === "fmod" ? "trunc" : "floor";
  const title = name === "fmod" ? "FmodBackward" : "RemainderBackward";
  return record(
    out,
    title + (b.wrapped ? 0 : 1),
    [a, b],
    sides(
      a,
      b,
      (grad) => grad,
      (grad) => neg(mul(grad, div(a, b, mode))),
    ),
    b.requires_grad ? [a, b] : [],
  );
}

export const remainder = (a, b) => remainderBy(a, b, restLike, "remainder");
export const fmod = (a, b) => remainderBy(a, b, (v, w) => v % w, "fmod");

// JavaScript has nan where C has 1.
function power(base, exponent) {
  if (base === 1 || (base === -1 && Math.abs(exponent) === Infinity)) {
    return 1;
  }
  return base ** exponent;
}

function wholePower(base, exponent) {
  if (exponent < 0) {
    if (Math.abs(base) !== 1) {
      return 0;
    }
    return exponent % 2 === 0 ? 1 : base;
  }
  let result = 1;
  for (let i = 0; i < exponent; i++) {
    result *= base;
    if (Math.abs(result) > 2 ** 53 || Math.abs(result) < 2) {
      return Math.abs(base) < 2 ? base ** exponent : result;
    }
  }
  return result;
}

function powerFunction(type, exponent) {
  if (!type.floating) {
    return wholePower;
  }
  const known = { 0.5: Math.sqrt, 2: (v) => v * v, 3: (v) => v * v * v };
  const special = exponent.wrapped ? known[numberOf(exponent)] : undefined;
  return special === undefined ? power : (v) => special(v);
}

export function pow(first, second) {
  const [a, b] = [operand(first), operand(second)];
  const type = resultType(a, b);
  if (type.category === 0) {
    unsupported("pow", type);
  }
  if (!type.floating && b.wrapped && numberOf(b) < 0) {
    raise("RuntimeError", "Integers to negative integer powers are not allowed.");
  }
  const out = mapped([a, b], powerFunction(type, b), type);
  if (b.wrapped) {
    const exponent = numberOf(b);
    const slope = (grad) => [
      exponent === 0
        ? zerosLike(grad)
        : mul(grad, mul(pow(a, scalar(exponent - 1, "float")), exponent)),
    ];
    return record(out, "PowBackward0", [a], slope, [a]);
  }
  return record(
    out,
    "PowBackward1",
    [a, b],
    sides(
      a,
      b,
      (grad) => where(eq(b, 0), 0, mul(grad, mul(b, pow(a, add(b, -1))))),
      (grad) =>
        where(
          logical_and(eq(a, 0), ge(b, 0)),
          0,
          mul(grad, mul(out, log(cast(a, type)))),
        ),
    ),
    b.requires_grad ? [a, b, out] : [a, b],
  );
}

export function float_power(a, b) {
  const double = (t) => (t.wrapped ? t : cast(t, DTYPES.float64));
  const [x, y] = [double(operand(a)), double(operand(b))];
  return x.wrapped ? pow(cast(x, DTYPES.float64), y) : pow(x, y);
}

// Gradients of a choice between a and b; equal ones share it if shared.
function choice(first, second, f, name, gradA, gradB) {
  const [a, b] = [operand(first), operand(second)];
  const out = mapped([a, b], f, resultType(a, b));
  return bothSaved(
    out,
    `${name}Backward0`,
    a,
    b,
    sides(
      a,
      b,
      (grad) => gradA(grad, a, b),
      (grad) => gradB(grad, a, b),
    ),
  );
}

const shared = (grad, lost, a, b) =>
  where(lost, 0, where(eq(a, b), mul(grad, 0.5), grad));

export const maximum = (x, y) =>
  choice(
    x,
    y,
    Math.max,
    "Maximum",
    (g, a, b) => shared(g, lt(a, b), a, b),
    (g, a, b) => shared(g, gt(a, b), a, b),
  );
export const minimum = (x, y) =>
  choice(
    x,
    y,
    Math.min,
    "Minimum",
    (g, a, b) => shared(g, gt(a, b), a, b),
    (g, a, b) => shared(g, lt(a, b), a, b),
  );

const orOther = (f) => (v, w) => {
  if (Number.isNaN(v)) {
    return w;
  }
  return Number.isNaN(w) ? v : f(v, w);
};
const firstWins = (compare) => (a, b) => logical_or(compare(a, b), isnan(b));

function choiceOfNumbers(x, y, f, name, compare) {
  const wins = firstWins(compare);
  return choice(
    x,
    y,
    orOther(f),
    name,
    (g, a, b) => where(wins(a, b), g, 0),
    (g, a, b) => where(wins(a, b), 0, g),
  );
}

export const fmax = (x, y) => choiceOfNumbers(x, y, Math.max, "Fmax", ge);
export const fmin = (x, y) => choiceOfNumbers(x, y, Math.min, "Fmin", le);

const compared = (f) => (first, second) => {
  const [a, b] = [operand(first), operand(second)];
  return mapped([a, b], f, resultType(a, b), DTYPES.bool);
};

export const eq = compared((v, w) => (v === w ? 1 : 0));
export const ne = compared((v, w) => (v !== w ? 1 : 0));
export const lt = compared((v, w) => (v < w ? 1 : 0));
export const le = compared((v, w) => (v <= w ? 1 : 0));
export const gt = compared((v, w) => (v > w ? 1 : 0));
export const ge = compared((v, w) => (v >= w ? 1 : 0));
export const logical_and = compared((v, w) => (v !== 0 && w !== 0 ? 1 : 0));
export const logical_or = compared((v, w) => (v !== 0 || w !== 0 ? 1 : 0));
export const logical_xor = compared((v, w) => ((v !== 0) !== (w !== 0) ? 1 : 0));

function floatPair(first, second, f, name, gradA, gradB) {
  const [a, b] = [operand(first), operand(second)];
  const type = floatType({ dtype: resultType(a, b) });
  const out = mapped([a, b], f, type);
  return bothSaved(
    out,
    `${name}Backward0`,
    a,
    b,
    sides(
      a,
      b,
      (grad) => gradA(grad, a, b, out),
      (grad) => gradB(grad, a, b, out),
    ),
  );
}

function inverseSquare(a, b) {
  const sum = add(mul(a, a), mul(b, b));
  return where(eq(sum, 0), 0, reciprocal(sum));
}

export const atan2 = (x, y) =>
  floatPair(
    x,
    y,
    Math.atan2,
    "Atan2",
    (g, a, b) => mul(mul(g, b), inverseSquare(a, b)),
    (g, a, b) => mul(mul(g, neg(a)), inverseSquare(a, b)),
  );

function onlyFloat(x, y, kernel) {
  const type = resultType(operand(x), operand(y));
  if (!type.floating) {
    unsupported(kernel, type);
  }
}

export function hypot(x, y) {
  onlyFloat(x, y, "hypot_cpu");
  return floatPair(
    x,
    y,
    Math.hypot,
    "Hypot",
    (g, a, _b, out) => mul(g, div(a, out)),
    (g, _a, b, out) => mul(g, div(b, out)),
  );
}

export const xlogy = (x, y) =>
  floatPair(
    x,
    y,
    (v, w) => (v === 0 && !Number.isNaN(w) ? 0 : v * Math.log(w)),
    "Xlogy",
    (g, a, b, out) =>
      where(logical_and(eq(a, 0), le(b, 0)), 0, mul(g, log(cast(b, out.dtype)))),
    (g, a, b) => div(mul(g, a), b),
  );

export const copysign = (x, y) =>
  floatPair(
    x,
    y,
    (v, w) => (w < 0 || Object.is(w, -0) ? -Math.abs(v) : Math.abs(v)),
    "Copysign",
    (g, a, _b, out) => where(eq(a, 0), 0, mul(g, div(out, a))),
    (g) => zerosLike(g),
  );

const softer = (g, a, b) => div(g, add(exp(sub(cast(b, a.dtype), a)), 1));

export function logaddexp(x, y) {
  onlyFloat(x, y, "logaddexp_cpu");
  return floatPair(
    x,
    y,
    (v, w) =>
      v === w ? v + Math.LN2 : Math.max(v, w) + Math.log1p(Math.exp(-Math.abs(v - w))),
    "Logaddexp",
    (g, a, b, out) => softer(g, cast(a, out.dtype), b),
    (g, a, b, out) => softer(g, cast(b, out.dtype), a),
  );
}

export function heaviside(x, values) {
  if (x.dtype !== values.dtype) {
    raise(
      "RuntimeError",
      "heaviside is not yet implemented for tensors with different dtypes.",
    );
  }
  const out = mapped([x, values], (v, w) => (v === 0 ? w : Number(v > 0)), x.dtype);
  return noDerivative(out, [x, values], "heaviside");
}

function divisor(a, b) {
  let [v, w] = [Math.abs(a), Math.abs(b)];
  while (w !== 0) {
    [v, w] = [w, v % w];
  }
  return v;
}

const wholePair = (f, kernel, allowBool) => (first, second) => {
  const [a, b] = [operand(first), operand(second)];
  const type = resultType(a, b);
  if (type.floating || (type.category === 0 && !allowBool)) {
    unsupported(kernel, type);
  }
  return mapped([a, b], f, type);
};

export const gcd = wholePair(divisor, "gcd_cpu", false);
export const lcm = wholePair(
  (v, w) => (v === 0 || w === 0 ? 0 : Math.abs((v / divisor(v, w)) * w)),
  "lcm_cpu",
  false,
);

// Numbers beyond 32 bits go the slow way.
const bits = (small, large) => (v, w) =>
  (v | 0) === v && (w | 0) === w ? small(v, w) : Number(large(BigInt(v), BigInt(w)));

export const bitwise_and = wholePair(
  bits(
    (v, w) => v & w,
    (v, w) => v & w,
  ),
  "bitwise_and_cpu",
  true,
);
export const bitwise_or = wholePair(
  bits(
    (v, w) => v | w,
    (v, w) => v | w,
  ),
  "bitwise_or_cpu",
  true,
);
export const bitwise_xor = wholePair(
  bits(
    (v, w) => v ^ w,
    (v, w) => v ^ w,
  ),
  "bitwise_xor_cpu",
  true,
);

function shifted(first, second, kernel, f) {
  const [a, b] = [operand(first), operand(second)];
  const type = resultType(a, b);
  if (type.category !== 1) {
    unsupported(kernel, type);
  }
  return mapped([a, b], (v, w) => f(v, w < 0 || w >= type.bytes * 8 ? null : w), type);
}

export const bitwise_left_shift = (a, b) =>
  shifted(a, b, "lshift_cpu", (v, by) => (by === null ? 0 : v * 2 ** by));
export const bitwise_right_shift = (a, b) =>
  shifted(a, b, "rshift_cpu", (v, by) =>
    by === null ? -Number(v < 0) : Math.floor(v / 2 ** by),
  );

// --- Choosing and mixing ---

export function where(condition, first, second) {
  if (condition.dtype !== DTYPES.bool && condition.dtype !== DTYPES.uint8) {
    raise(
      "RuntimeError",
      "where expected condition to be a boolean tensor, but got a tensor with dtype " +
        typeNames[condition.dtype.name],
    );
  }
  const [a, b] = [operand(first), operand(second)];
  const type = resultType(a, b);
  const out = mapped(
    [condition, toType(a, type), toType(b, type)],
    (chosen, v, w) => (chosen === 0 ? w : v),
    null,
    type,
  );
  return record(
    out,
    "WhereBackward0",
    [a, b],
    (grad) => [where(condition, grad, 0), where(condition, 0, grad)],
    [condition],
  );
}

const toType = (t, type) => (t.dtype === type ? t : cast(t, type));

const cNames = {
  float16: "c10::Half",
  bfloat16: "c10::BFloat16",
  uint8: "unsigned char",
  int8: "signed char",
  int16: "short int",
  int64: "long int",
};

function sameType(a, b, name) {
  if (a.dtype !== b.dtype) {
    const low = (t) => cNames[t.dtype.name] ?? typeNames[t.dtype.name].toLowerCase();
    raise(
      "RuntimeError",
      `expected dtype ${low(a)} for \`${name}\` but got dtype ${low(b)}`,
    );
  }
}

export function lerp(start, end, by) {
  sameType(start, end, "end");
  const weight = operand(by);
  if (!weight.wrapped) {
    sameType(start, weight, "weight");
  }
  needFloat(start, `lerp_kernel_${weight.wrapped ? "scalar" : "tensor"}`);
  const f = (v, w, p) => (Math.abs(p) < 0.5 ? v + p * (w - v) : w - (w - v) * (1 - p));
  const out = mapped([start, end, weight], f, start.dtype);
  return record(
    out,
    weight.wrapped ? "LerpBackward0" : "LerpBackward1",
    [start, end, weight],
    (grad) => [
      mul(grad, weight.wrapped ? 1 - numberOf(weight) : rsub(weight, 1)),
      mul(grad, weight),
      weight.requires_grad ? mul(grad, sub(end, start)) : null,
    ],
    weight.requires_grad ? [start, end, weight] : [weight],
  );
}

export const addcmul = (x, a, b, value = 1) =>
  add(x, scaled(mul(cast(a, resultType(x, a)), b), numberOf(value)));

export function addcdiv(x, a, b, value = 1) {
  if (!a.dtype.floating && !b.dtype.floating) {
    raise(
      "RuntimeError",
      "Integer division with addcdiv is no longer supported, and in a future  release " +
        "addcdiv will perform a true division of tensor1 and tensor2. The historic " +
        "addcdiv behavior can be implemented as (input + value * torch.trunc(tensor1 / " +
        "tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / " +
        "tensor2) for float inputs. The future addcdiv behavior is just the latter " +
        "implementation: (input + value * tensor1 / tensor2), for all dtypes.",
    );
  }
  return add(x, div(scaled(a, numberOf(value)), b));
}

// A bound of clamp as a wrapped number, an int where it is whole and x is integer.
function bound(value, x) {
  if (value === null || value === undefined || value instanceof Tensor) {
    return value ?? null;
  }
  return scalar(
    value,
    Number.isInteger(value) && !x.dtype.floating ? "int64" : "float",
  );
}

export function clamp(x, min = null, max = null) {
  const [low, high] = [bound(min, x), bound(max, x)];
  if (low === null && high === null) {
    raise(
      "RuntimeError",
      "torch.clamp: At least one of 'min' or 'max' must not be None",
    );
  }
  const bounds = [low, high].filter((limit) => limit !== null);
  const type = resultType(x, ...bounds);
  if (type.category === 0) {
    unsupported("clamp_scalar_cpu", type);
  }
  const f = clampFunction(low !== null, high !== null);
  const out = mapped([x, ...bounds], f, type);
  const anything = full([], 1, DTYPES.bool);
  const above = () => (low === null ? anything : ge(x, low));
  const below = () => (high === null ? anything : le(x, high));
  // Where the bounds cross, the upper one counts.
  const crossed = () =>
    bounds.length === 2 ? lt(high, low) : full([], 0, DTYPES.bool);
  const ordered = () => (bounds.length === 2 ? lt(low, high) : anything);
  const slopeOf = (limit, grad) =>
    limit === low
      ? where(logical_and(lt(x, low), ordered()), grad, 0)
      : where(logical_or(gt(x, high), crossed()), grad, 0);
  return record(
    out,
    "ClampBackward1",
    [x, ...bounds],
    (grad) => [
      where(logical_and(above(), below()), grad, 0),
      ...bounds.map((limit) => (limit.requires_grad ? slopeOf(limit, grad) : null)),
    ],
    [x, ...bounds],
  );
}

function clampFunction(hasLow, hasHigh) {
  if (hasLow && hasHigh) {
    return (v, low, high) => Math.min(Math.max(v, low), high);
  }
  return hasLow ? Math.max : Math.min;
}

export const clip = clamp;
export const clamp_min = (x, min) => clamp(x, min, null);
export const clamp_max = (x, max) => clamp(x, null, max);

// --- Comparing whole tensors ---

export function isclose(a, b, rtol = 1e-5, atol = 1e-8, equal_nan = false) {
  if (a.dtype !== b.dtype) {
    raise(
      "RuntimeError",
      `${typeNames[a.dtype.name]} did not match ${typeNames[b.dtype.name]}`,
    );
  }
  // The allowed error is rounded as torch rounds it.
  const { round } = a.dtype.floating ? a.dtype : DTYPES.float64;
  const f = (v, w) => {
    if (v === w || (equal_nan && Number.isNaN(v) && Number.isNaN(w))) {
      return 1;
    }
    const allowed = round(atol + Math.abs(round(rtol * w)));
    const error = round(Math.abs(v - w));
    return Number(Number.isFinite(error) && error <= allowed);
  };
  return mapped([a, b], f, a.dtype, DTYPES.bool);
}

export const allclose = (a, b, rtol, atol, equal_nan) =>
  read(isclose(a, b, rtol, atol, equal_nan)).every((close) => close === 1);

export const equal = (a, b) =>
  sameShape(a.shape, b.shape) && read(eq(a, b)).every((same) => same === 1);

// --- Activations ---

function gated(limit, x, name) {
  const out = mapped([limit, x], gate, x.dtype);
  const back = (grad) => [gated(limit, grad, name), zerosLike(grad)];
  return record(out, name, [x, limit], back, [limit]);
}

export function relu(x) {
  if (x.dtype.category === 0) {
    raise("RuntimeError", "Boolean inputs not supported for relu");
  }
  const out = mapped([x, x], gate, x.dtype);
  return record(
    out,
    "ReluBackward0",
    [x],
    (grad) => [gated(out, grad, "ThresholdBackwardBackward0")],
    [out],
  );
}

export function leaky_relu(x, slope = 0.01) {
  needFloat(x, "leaky_relu_cpu");
  const by = numberOf(slope);
  const functions = [(v) => (v > 0 ? v : v * by), (v) => (v > 0 ? 1 : by), () => 0];
  return derived(x, functions, "LeakyRelu");
}

function eluLike(x, name, negative, inside, outside) {
  needFloat(x, "elu_cpu");
  const { exp: e, expm1: m } = Math;
  // On the way back torch takes 1 / alpha in float32.
  const back = inside === 1 ? 1 : 1 / Math.fround(1 / inside);
  const left = negative * back;
  const functions = [
    (v) => (v <= 0 ? m(v * inside) * negative : v * outside),
    (v) => (v <= 0 ? e(v * back) * left : outside),
    (v) => (v < 0 ? e(v * back) * left * back : 0),
    (v) => (v < 0 ? e(v * back) * left * back * back : 0),
  ];
  return derived(x, functions, name);
}

const SELU = [1.6732632423543772, 1.0507009873554805];

export const elu = (x, alpha = 1) => eluLike(x, "Elu", numberOf(alpha), 1, 1);
export const selu = (x) => eluLike(x, "Elu", SELU[0] * SELU[1], 1, SELU[1]);
export const celu = (x, alpha = 1) =>
  eluLike(x, "Celu", numberOf(alpha), 1 / numberOf(alpha), 1);

const density = (v) => Math.exp(-0.5 * v * v) / Math.sqrt(2 * Math.PI);
const normal = (v) => 0.5 * (1 + erfNumber(v * Math.SQRT1_2));
const GELU = [
  (v) => v * normal(v),
  (v) => normal(v) + v * density(v),
  (v) => (2 - v * v) * density(v),
  (v) => (v * v * v - 4 * v) * density(v),
];

// gelu with tanh: x (1 + tanh u) / 2, u a polynomial of x.
const K = Math.sqrt(2 / Math.PI);
const inner = (v) => K * (v + 0.044715 * v ** 3);
const innerSlope = (v) => K * (1 + 3 * 0.044715 * v * v);
const GELU_TANH = [
  (v) => 0.5 * v * (1 + Math.tanh(inner(v))),
  (v) => {
    const t = Math.tanh(inner(v));
    return 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * innerSlope(v);
  },
  (v) => {
    const t = Math.tanh(inner(v));
    const bend = K * 6 * 0.044715 * v;
    const slope = innerSlope(v);
    return (1 - t * t) * (slope + 0.5 * v * (bend - 2 * t * slope * slope));
  },
];

export function gelu(x, approximate = "none") {
  if (approximate !== "none" && approximate !== "tanh") {
    raise("RuntimeError", "approximate argument must be either none or tanh.");
  }
  needFloat(x, "GeluKernelImpl");
  return derived(x, approximate === "none" ? GELU : GELU_TANH, "Gelu");
}

const SILU = [
  (v) => v * logistic(v),
  (v) => {
    const s = logistic(v);
    return s * (1 + v * (1 - s));
  },
  (v) => {
    const s = logistic(v);
    return s * (1 - s) * (2 + v * (1 - 2 * s));
  },
];

export function silu(x) {
  needFloat(x, "silu_cpu");
  return derived(x, SILU, "Silu");
}

export function softplus(x, beta = 1, threshold = 20) {
  needFloat(x, "softplus_cpu");
  const [b, most] = [numberOf(beta), numberOf(threshold)];
  const linear = (v) => v * b > most;
  const functions = [
    (v) => (linear(v) ? v : Math.log1p(Math.exp(v * b)) / b),
    (v) => (linear(v) ? 1 : logistic(v * b)),
    (v) => (linear(v) ? 0 : b * logistic(v * b) * (1 - logistic(v * b))),
  ];
  return derived(x, functions, "Softplus");
}

const MISH = [
  (v) => v * Math.tanh(Math.log1p(Math.exp(v))),
  (v) => {
    const t = Math.tanh(Math.log1p(Math.exp(v)));
    return t + v * logistic(v) * (1 - t * t);
  },
  (v) => {
    const t = Math.tanh(Math.log1p(Math.exp(v)));
    const s = logistic(v);
    return (1 - t * t) * s * (2 + v * (1 - s) - 2 * v * s * t);
  },
];

export function mish(x) {
  needFloat(x, "mish_cpu");
  // Far to the right exp overflows, and mish is x.
  return derived(
    x,
    MISH.map((f, level) => (v) => (v > 40 ? [v, 1, 0][level] : f(v))),
    "Mish",
  );
}

export function hardtanh(x, min = -1, max = 1) {
  if (x.dtype.category === 0) {
    raise("RuntimeError", "Bool inputs not supported for hardtanh");
  }
  const [low, high] = [numberOf(min), numberOf(max)];
  if (x.dtype === DTYPES.uint8 && low < 0) {
    raise(
      "RuntimeError",
      "cannot do hardtanh on an unsigned type with negative limits",
    );
  }
  return derived(
    x,
    [
      (v) => Math.min(Math.max(v, low), high),
      (v) => Number(v > low && v < high),
      () => 0,
    ],
    "Hardtanh",
  );
}

export const relu6 = (x) => hardtanh(x, 0, 6);

const sixth = (v) => Math.min(Math.max(v + 3, 0), 6) / 6;

export function hardsigmoid(x) {
  needFloat(x, "hardsigmoid_cpu");
  const functions = [sixth, (v) => (v > -3 && v < 3 ? Math.fround(1 / 6) : 0), () => 0];
  return derived(x, functions, "Hardsigmoid");
}

const HARDSWISH = [
  (v) => v * sixth(v),
  (v) => {
    if (v <= -3) {
      return 0;
    }
    return v < 3 ? v / 3 + 0.5 : 1;
  },
  (v) => (v > -3 && v < 3 ? 1 / 3 : 0),
];

export function hardswish(x) {
  needFloat(x, "hardswish_cpu");
  return derived(x, HARDSWISH, "Hardswish");
}

export const softsign = (x) => div(x, add(abs(x), scalar(1, "int64")));
export const tanhshrink = (x) => sub(x, tanh(x));

const outside = (x, limit, f, kernel, name) => {
  needFloat(x, kernel);
  const within = (v) => v >= -limit && v <= limit;
  const functions = [(v) => (within(v) ? 0 : f(v)), (v) => Number(!within(v)), () => 0];
  return derived(x, functions, name);
};

export const hardshrink = (x, limit = 0.5) =>
  outside(x, numberOf(limit), (v) => v, "hardshrink_cpu", "Hardshrink");

export function softshrink(x, limit = 0.5) {
  const by = numberOf(limit);
  const f = (v) => (v > 0 ? v - by : v + by);
  return outside(x, by, f, "softshrink_check", "Softshrink");
}

export function threshold(x, limit, value) {
  const [least, other] = [numberOf(limit), numberOf(value)];
  return unary(
    x,
    (v) => (v <= least ? other : v),
    x.dtype,
    "ThresholdBackward0",
    (g, v) => where(le(v, least), 0, g),
    "x",
  );
}

export function prelu(x, weight) {
  if (weight.dtype !== x.dtype) {
    raise(
      "RuntimeError",
      "prelu: Type promoting not supported. Got " +
        `${typeNames[x.dtype.name]} and ${typeNames[weight.dtype.name]}`,
    );
  }
  const count = numel(weight.shape);
  const n = x.shape.length;
  const channels = n > 1 ? x.shape[1] : 1;
  if (count !== 1 && count !== channels) {
    raise(
      "RuntimeError",
      "Mismatch of parameter numbers and input channel size. Found parameter numbers = " +
        `${count} and channel size = ${channels}.`,
    );
  }
  const along = x.shape.map((_, dim) => (dim === 1 && count > 1 ? count : 1));
  const slope = reshape(weight, along);
  const out = mapped([x, slope], (v, w) => (v > 0 ? v : v * w), x.dtype);
  return bothSaved(
    out,
    "PreluKernelBackward0",
    x,
    slope,
    sides(
      x,
      slope,
      (grad) => where(gt(x, 0), grad, mul(grad, slope)),
      (grad) => where(gt(x, 0), 0, mul(grad, x)),
    ),
  );
}

// --- Writing ---

export function fill(x, value) {
  const from = operand(value);
  if (from.shape.length > 0) {
    raise(
      "RuntimeError",
      "fill_ only supports 0-dimension value tensor but got tensor with " +
        `${from.shape.length} dimensions.`,
    );
  }
  const out = full(x.shape, read(from)[0], x.dtype);
  return record(out, "FillBackward0", [x, from], (grad) => [zerosLike(grad), grad]);
}

export function copy(x, from) {
  const seen = sameShape(x.shape, from.shape) ? from : expandTo(from, x.shape);
  const out = cast(seen, x.dtype);
  return record(out, "CopyBackwards", [x, out.node ? out : seen], (grad) => [
    zerosLike(grad),
    grad,
  ]);
}

function expandTo(from, shape) {
  const joint = broadcastShapes(shape, from.shape);
  if (!sameShape(joint, shape)) {
    raise(
      "RuntimeError",
      `output with shape ${shapeText(shape)} doesn't match the broadcast shape ` +
        shapeText(joint),
    );
  }
  return expand(from, shape);
}

export const fill_ = (x, value) => evenly(x, fill, operand(value));
export const zero_ = (x) =>
  evenly(x, (self) =>
    record(zerosLike(self), "ZeroBackward0", [self], (grad) => [zerosLike(grad)]),
  );
export const copy_ = (x, from) => inplace(x, copy, from);

// x gets these numbers, which do not depend on it (normal_, uniform_ ...).
export const refill = (x, numbers, name) =>
  inplace(x, (self) =>
    record(tensor_from(numbers, self.shape, self.dtype), name, [self], (grad) => [
      zerosLike(grad),
    ]),
  );
