// Reductions, scans, sorting and counting.
//
// dim may be null (all), a number or a list where torch takes several.
// sum(x, dim, keepdim, dtype) nansum mean nanmean prod: the same order
// var(x, dim, correction, keepdim) std; var_mean std_mean -> [var or std, mean]
// amax(x, dim, keepdim) amin  aminmax(x, dim, keepdim) -> [min, max]
// max(x) min(x) median(x) nanmedian(x), or (x, dim, keepdim) -> [values, indices]
// mode(x, dim, keepdim) kthvalue(x, k, dim, keepdim) -> [values, indices]
// argmax(x, dim, keepdim) argmin(x, dim, keepdim)
// quantile(x, q, dim, keepdim, interpolation) nanquantile: q a number or a tensor
// logsumexp(x, dim, keepdim) softmax(x, dim, dtype) log_softmax softmin
// cumsum(x, dim, dtype) cumprod(x, dim, dtype) logcumsumexp(x, dim)
// cummax(x, dim) cummin(x, dim) -> [values, indices]
// norm(x, p, dim, keepdim, dtype): p a number, "fro", "nuc" or null
// linalg_norm(x, ord, dim, keepdim, dtype) linalg_matrix_norm: the same
// linalg_vector_norm(x, ord, dim, keepdim, dtype)
// any(x, dim, keepdim) all(x, dim, keepdim) count_nonzero(x, dim)
// sort(x, dim, descending) -> [values, indices]  argsort(x, dim, descending)
// topk(x, k, dim, largest, sorted) -> [values, indices]  msort(x)
// unique(x, dim) unique_consecutive(x, dim) -> [output, inverse, counts]
// bincount(x, weights, minlength) histc(x, bins, min, max)
// diff(x, n, dim, prepend, append) cov(x, correction) corrcoef(x)
// searchsorted(sorted, values, right, out_int32) bucketize(x, boundaries, right, out_int32)
// isin(elements, tests, invert)

import {
  abs,
  add,
  clamp,
  div,
  eq,
  exp,
  isnan,
  lerp,
  log,
  logical_not,
  mul,
  ne,
  neg,
  pow,
  sign,
  sqrt,
  sub,
  where,
} from "./elementwise.js";
import { notHere, raise } from "./errors.js";
import { cat, flip, gather, masked_fill } from "./index.js";
import { diag, linalg_svdvals, mm } from "./linear.js";
import { nthElement, quickSelect, sortFront } from "./selection.js";
import {
  cast,
  DTYPES,
  defaultDtype,
  dtypeOf,
  expand,
  ints,
  movedim,
  narrow,
  noGrad,
  numel,
  read,
  record,
  reshape,
  resultType,
  scalar,
  squeeze,
  Tensor,
  tensor_from,
  transpose,
  typeNames,
  unsqueeze,
  wrapDim,
  zeros,
} from "./tensor.js";

const number = (value) => scalar(value, "float");

// ------------------------------------------------------- rows to be reduced

// The dims meant by null or an empty list (all), a number or a list; in order.
export function dimsOf(dim, n) {
  const given = ints(dim ?? null);
  if (given === null || given.length === 0)
    return Array.from({ length: n }, (_, d) => d);
  const dims = given.map((d) => wrapDim(d, n));
  dims.forEach((d, i) => {
    if (dims.indexOf(d) !== i) {
      raise("RuntimeError", `dim ${d} appears multiple times in the list of dims`);
    }
  });
  return dims.filter((d) => d < n).sort((a, b) => a - b);
}

// A plain view with its dims in another order, without history.
const moved = (x, order) =>
  new Tensor(
    x.storage,
    x.offset,
    order.map((d) => x.shape[d]),
    order.map((d) => x.stride[d]),
    x.dtype,
  );

const others = (x, dims) => x.shape.map((_, d) => d).filter((d) => !dims.includes(d));

// The numbers with `dims` last, so that what is reduced lies in a row.
function rowsOf(x, dims) {
  const kept = others(x, dims);
  const data = read(dims.length === x.shape.length ? x : moved(x, [...kept, ...dims]));
  const count = numel(dims.map((d) => x.shape[d]));
  const rows = numel(kept.map((d) => x.shape[d]));
  return { data, count, rows };
}

const reducedShape = (x, dims, keepdim) =>
  keepdim
    ? x.shape.map((size, d) => (dims.includes(d) ? 1 : size))
    : others(x, dims).map((d) => x.shape[d]);

// The numbers kernel(data, start, end) of each row as a tensor, without history.
function reduced(x, dims, keepdim, dtype, kernel) {
  const { data, count, rows } = rowsOf(x, dims);
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) out[i] = kernel(data, i * count, (i + 1) * count);
  return tensor_from(out, reducedShape(x, dims, keepdim), dtype);
}

// A reduced tensor with its dims of size 1 back.
const restored = (t, x, dims, keepdim) =>
  keepdim || dims.length === 0 ? t : reshape(t, reducedShape(x, dims, true));

// Along one dim: kernel(data, start, end, out, place) fills `size` numbers of each row.
function along(x, dim, size, dtype, kernel) {
  if (x.shape.length === 0) {
    const out = new Float64Array(1);
    kernel(read(x), 0, 1, out, 0);
    return tensor_from(out, [], dtype);
  }
  const { data, count, rows } = rowsOf(x, [dim]);
  const out = new Float64Array(rows * size);
  for (let i = 0; i < rows; i++) {
    kernel(data, i * count, (i + 1) * count, out, i * size);
  }
  const kept = others(x, [dim]);
  const last = tensor_from(out, [...kept.map((d) => x.shape[d]), size], dtype);
  if (dim === x.shape.length - 1) return last;
  const back = x.shape.map((_, d) => (d === dim ? kept.length : kept.indexOf(d)));
  const result = moved(last, back);
  return tensor_from(read(result), result.shape, dtype);
}

function needSize(x, dims, name) {
  for (const d of dims) {
    if (x.shape.at(d) === 0) {
      const text = `Expected reduction dim ${d} to have non-zero size.`;
      raise("IndexError", `${name}(): ${text}`);
    }
  }
}

function needElements(x, name) {
  if (numel(x.shape) === 0) {
    raise(
      "RuntimeError",
      `${name}(): Expected reduction dim to be specified for input.numel() == 0. ` +
        "Specify the reduction dim with the 'dim' argument.",
    );
  }
}

const typeName = (x) => typeNames[x.dtype.name];

function notFor(x, kernel) {
  raise("NotImplementedError", `"${kernel}" not implemented for '${typeName(x)}'`);
}

// -------------------------------------------------------- sums and products

const total = (data, start, end) => {
  let result = 0;
  for (let i = start; i < end; i++) result += data[i];
  return result;
};

const whole = (x, dtype) => (dtype === null && !x.dtype.floating ? "int64" : dtype);

const asType = (x, dtype) =>
  dtype === null || dtypeOf(dtype) === x.dtype ? x : cast(x, dtypeOf(dtype));

export function sum(x, dim = null, keepdim = false, dtype = null) {
  const dims = dimsOf(dim, x.shape.length);
  const input = asType(x, whole(x, dtype));
  const out = reduced(input, dims, keepdim, input.dtype, total);
  return record(out, "SumBackward1", [input], (g) => [
    expand(restored(g, input, dims, keepdim), input.shape),
  ]);
}

export function nansum(x, dim = null, keepdim = false, dtype = null) {
  if (!x.dtype.floating) return sum(x, dim, keepdim, dtype);
  const lost = isnan(x);
  const out = noGrad(() => sum(masked_fill(x, lost, number(0)), dim, keepdim, dtype));
  const dims = dimsOf(dim, x.shape.length);
  return record(out, "NansumBackward0", [x], (g) => [
    mul(expand(restored(g, x, dims, keepdim), x.shape), logical_not(lost)),
  ]);
}

function needFloating(dtype, name, which) {
  if (!dtype.floating) {
    raise(
      "RuntimeError",
      `${name}(): could not infer output dtype. ${which} dtype must be either a floating ` +
        `point or complex dtype. Got: ${typeNames[dtype.name]}`,
    );
  }
}

export function mean(x, dim = null, keepdim = false, dtype = null) {
  const dims = dimsOf(dim, x.shape.length);
  const input = asType(x, dtype);
  needFloating(input.dtype, "mean", dtype === null ? "Input" : "Optional");
  const count = numel(dims.map((d) => x.shape[d]));
  const average = (data, start, end) => total(data, start, end) / count;
  const out = reduced(input, dims, keepdim, input.dtype, average);
  return record(out, "MeanBackward1", [input], (g) => {
    const spread = expand(restored(g, input, dims, keepdim), input.shape);
    return [div(spread, number(count))];
  });
}

export function nanmean(x, dim = null, keepdim = false, dtype = null) {
  if (!x.dtype.floating) {
    const text = "expected input to have floating point or complex dtype but got";
    raise("RuntimeError", `nanmean(): ${text} ${typeName(x)}`);
  }
  if (dtype !== null) needFloating(dtypeOf(dtype), "nanmean", "Optional");
  const count = sum(logical_not(isnan(x)), dim, keepdim);
  return div(nansum(x, dim, keepdim, dtype), count);
}

const multiplied = (data, start, end) => {
  let result = 1;
  for (let i = start; i < end; i++) result *= data[i];
  return result;
};

// Of each number the product of all others in its row.
function productOfOthers(data, start, end, out, place) {
  let before = 1;
  for (let i = start; i < end; i++) {
    out[place + i - start] = before;
    before *= data[i];
  }
  let after = 1;
  for (let i = end - 1; i >= start; i--) {
    out[place + i - start] *= after;
    after *= data[i];
  }
}

export function prod(x, dim = null, keepdim = false, dtype = null) {
  if (dim === null && x.shape.length !== 1) {
    const flat = prod(reshape(x, [-1]), 0, false, dtype);
    return keepdim
      ? reshape(flat, reducedShape(x, dimsOf(null, x.shape.length), true))
      : flat;
  }
  const dims = dimsOf(dim, x.shape.length);
  const input = asType(x, whole(x, dtype));
  const out = reduced(input, dims, keepdim, input.dtype, multiplied);
  const zero = read(input).includes(0);
  return record(
    out,
    "ProdBackward1",
    [input],
    (g) => {
      if (numel(input.shape) === 1) return [reshape(g, input.shape)];
      const spread = restored(g, input, dims, keepdim);
      if (!zero) return [div(mul(spread, restored(out, input, dims, keepdim)), input)];
      const rest = along(
        input,
        dims[0],
        input.shape[dims[0]],
        input.dtype,
        productOfOthers,
      );
      return [mul(spread, rest)];
    },
    [input, out],
    zero,
  );
}

// ---------------------------------------------------------------- variance

// Counted from the first number on, so that what is constant has no variance at all.
function squares(data, start, end) {
  const first = data[start];
  let apart = 0;
  for (let i = start; i < end; i++) apart += data[i] - first;
  const middle = first + apart / (end - start);
  let result = 0;
  for (let i = start; i < end; i++) result += (data[i] - middle) ** 2;
  return end === start ? Number.NaN : result;
}

function spreadOf(x, dim, correction, keepdim, root, names = "std and var") {
  if (!x.dtype.floating) {
    raise("RuntimeError", `${names} only support floating point and complex dtypes`);
  }
  const dims = dimsOf(dim, x.shape.length);
  const count = numel(dims.map((d) => x.shape[d]));
  const free = Math.max(count - (correction ?? 1), 0);
  const kernel = (data, start, end) => {
    const variance = squares(data, start, end) / free;
    return root ? Math.sqrt(variance) : variance;
  };
  const out = reduced(x, dims, keepdim, x.dtype, kernel);
  return record(
    out,
    root ? "StdBackward0" : "VarBackward0",
    [x],
    (grad) => {
      let g = restored(grad, x, dims, keepdim);
      if (root) {
        const result = restored(out, x, dims, keepdim);
        const half = div(g, mul(result, number(2)));
        g = masked_fill(half, eq(result, number(0)), number(0));
      }
      const apart = sub(x, mean(x, dims.length === 0 ? null : dims, true));
      const degrees = count - (correction ?? 1);
      if (dim === null && degrees <= 0) {
        const factor = where(
          eq(apart, number(0)),
          number(Number.NaN),
          number(Infinity),
        );
        return [mul(g, factor)];
      }
      return [mul(mul(g, number(2 / degrees)), apart)];
    },
    root ? [x, out] : [x],
  );
}

export { variance as var };

const variance = (x, dim = null, correction = 1, keepdim = false) =>
  spreadOf(x, dim, correction, keepdim, false);

export const std = (x, dim = null, correction = 1, keepdim = false) =>
  spreadOf(x, dim, correction, keepdim, true);

// torch's way to the mean, step by step, makes nan of several numbers with an infinite one.
function withMean(x, dim, correction, keepdim, root) {
  const name = root ? "std_mean" : "var_mean";
  const spread = spreadOf(x, dim, correction, keepdim, root, name);
  const average = mean(x, dim, keepdim);
  const infinite = eq(abs(average), number(Infinity));
  return [spread, masked_fill(average, infinite, number(Number.NaN))];
}

export const var_mean = (x, dim = null, correction = 1, keepdim = false) =>
  withMean(x, dim, correction, keepdim, false);

export const std_mean = (x, dim = null, correction = 1, keepdim = false) =>
  withMean(x, dim, correction, keepdim, true);

// ---------------------------------------------------- largest and smallest

// The place of the first largest (or smallest) number of a row; nan wins.
const extreme = (largest) => (data, start, end) => {
  let best = start;
  for (let i = start; i < end; i++) {
    const value = data[i];
    if (Number.isNaN(value)) return i;
    if (largest ? value > data[best] : value < data[best]) best = i;
  }
  return best;
};

const extremeValue = (largest) => {
  const place = extreme(largest);
  return (data, start, end) => data[place(data, start, end)];
};

// Shares a gradient evenly among all that equal the result, nan too if `nan`.
function shared(g, x, out, dims, nan = false) {
  const mask = nan && Number.isNaN(read(out)[0]) ? isnan(x) : eq(x, out);
  const count = sum(mask, dims, true);
  return mul(div(g, count), mask);
}

function extremeOver(x, dim, keepdim, largest, name) {
  const over = dimsOf(dim, x.shape.length);
  if (ints(dim)?.length > 0) needSize(x, ints(dim), name);
  else needElements(x, name);
  const out = reduced(x, over, keepdim, x.dtype, extremeValue(largest));
  return record(
    out,
    `${name[0].toUpperCase()}${name.slice(1)}Backward0`,
    [x],
    (g) => {
      const [spread, result] = [g, out].map((t) => restored(t, x, over, keepdim));
      return [shared(spread, x, result, over, dim === null)];
    },
    [x, out],
  );
}

export const amax = (x, dim = null, keepdim = false) =>
  extremeOver(x, dim, keepdim, true, "amax");

export const amin = (x, dim = null, keepdim = false) =>
  extremeOver(x, dim, keepdim, false, "amin");

export function aminmax(x, dim = null, keepdim = false) {
  if (dim === null && numel(x.shape) === 0) {
    raise(
      "RuntimeError",
      "aminmax(): cannot compute aminmax over an empty dimension as the operation has " +
        "no identity.",
    );
  }
  if (dim !== null) {
    const d = wrapDim(dim, x.shape.length);
    if (x.shape[d] === 0) {
      raise(
        "IndexError",
        `aminmax: Expected reduction dim ${d} to have non-zero size.`,
      );
    }
  }
  return [amin(x, dim, keepdim), amax(x, dim, keepdim)];
}

// [values, indices] where place(data, start, end) tells which number of a row it is.
function chosen(x, dim, keepdim, name, place) {
  const d = wrapDim(dim, x.shape.length);
  const dims = dimsOf(d, x.shape.length);
  needSize(x, dims, name);
  const which = (data, start, end) => place(data, start, end) - start;
  const indices = reduced(x, dims, true, "int64", which);
  const picked = gather(x, d, indices);
  if (keepdim || dims.length === 0) return [picked, indices];
  return [squeeze(picked, d), squeeze(indices, d)];
}

export function max(x, dim = null, keepdim = false) {
  if (dim === null) return extremeOver(x, null, false, true, "max");
  return chosen(x, dim, keepdim, "max", extreme(true));
}

export function min(x, dim = null, keepdim = false) {
  if (dim === null) return extremeOver(x, null, false, false, "min");
  return chosen(x, dim, keepdim, "min", extreme(false));
}

function extremePlace(x, dim, keepdim, largest) {
  const name = largest ? "argmax" : "argmin";
  if (x.dtype.name === "bool") {
    raise("RuntimeError", `${name}(): does not support bool input`);
  }
  const dims = dimsOf(dim, x.shape.length);
  if (dim !== null) needSize(x, dims, name);
  else if (numel(x.shape) === 0) {
    const text = "Expected reduction dim to be specified for input.numel() == 0.";
    raise("IndexError", `${name}(): ${text}`);
  }
  const place = extreme(largest);
  return reduced(
    x,
    dims,
    keepdim,
    "int64",
    (data, start, end) => place(data, start, end) - start,
  );
}

export const argmax = (x, dim = null, keepdim = false) =>
  extremePlace(x, dim, keepdim, true);
export const argmin = (x, dim = null, keepdim = false) =>
  extremePlace(x, dim, keepdim, false);

// ------------------------------------------------------------------- order

// The places of a row in order: stable, nan as the largest.
function ordered(data, start, end, descending = false) {
  const places = new Uint32Array(end - start);
  for (let i = 0; i < places.length; i++) places[i] = start + i;
  const rising = (a, b) => {
    const [x, y] = [data[a], data[b]];
    if (x < y) return -1;
    if (x > y) return 1;
    return Number.isNaN(x) - Number.isNaN(y);
  };
  return places.sort(descending ? (a, b) => rising(b, a) : rising);
}

export function argsort(x, dim = -1, descending = false) {
  const d = wrapDim(dim, x.shape.length);
  return along(x, d, x.shape[d], "int64", (data, start, end, out, place) => {
    ordered(data, start, end, descending).forEach((from, i) => {
      out[place + i] = from - start;
    });
  });
}

export function sort(x, dim = -1, descending = false) {
  const indices = argsort(x, dim, descending);
  return [gather(x, dim, indices), indices];
}

export const msort = (x) => sort(x, 0)[0];

// Is the number at one place before that at the other? nan is the largest.
const before = (data, largest) => (i, j) => {
  const [x, y] = largest ? [data[j], data[i]] : [data[i], data[j]];
  return x < y || (Number.isNaN(y) && !Number.isNaN(x));
};

const placesIn = (start, end) =>
  Array.from({ length: end - start }, (_, i) => start + i);

// The places of the k largest or smallest. Which of equal ones are taken, and in which
// order, is as torch has it where it does not sort a few out of very many.
function firstOf(data, start, end, k, largest) {
  if (k === 0 || k * 64 <= end - start) return ordered(data, start, end, largest);
  const places = placesIn(start, end);
  const less = before(data, largest);
  nthElement(places, k - 1, less);
  sortFront(places, k - 1, less);
  return places;
}

export function topk(x, k, dim = -1, largest = true) {
  const d = wrapDim(dim, x.shape.length);
  if (k < 0 || k > (x.shape[d] ?? 1))
    raise("RuntimeError", "selected index k out of range");
  if (x.dtype.name === "bool") {
    raise("RuntimeError", "topk does not support bool dtypes on CPU");
  }
  const indices = along(x, d, k, "int64", (data, start, end, out, place) => {
    const order = firstOf(data, start, end, k, largest);
    for (let i = 0; i < k; i++) out[place + i] = order[i] - start;
  });
  return [gather(x, d, indices), indices];
}

export function kthvalue(x, k, dim = -1, keepdim = false) {
  const d = wrapDim(dim, x.shape.length);
  needSize(x, dimsOf(d, x.shape.length), "kthvalue");
  if (k < 1 || k > (x.shape[d] ?? 1)) {
    const text = `selected number k out of range for dimension ${d}`;
    raise("RuntimeError", `kthvalue(): ${text}`);
  }
  if (x.dtype.name === "bool") notFor(x, "kthvalue_cpu");
  return chosen(x, dim, keepdim, "kthvalue", (data, start, end) => {
    const places = placesIn(start, end);
    const less = before(data, false);
    quickSelect(places, k - 1, (i, j) => less(j, i));
    return places[k - 1];
  });
}

// The place of a row's lower median; nan wins, or is left out.
const middle = (skip) => (data, start, end) => {
  const order = ordered(data, start, end);
  let count = order.length;
  while (count > 0 && Number.isNaN(data[order[count - 1]])) count--;
  if (count === order.length) return order[Math.floor((count - 1) / 2)];
  if (skip && count > 0) return order[Math.floor((count - 1) / 2)];
  return order[count];
};

function medianOf(x, dim, keepdim, name, skip) {
  if (dim !== null) needSize(x, [wrapDim(dim, x.shape.length)], "median");
  if (x.dtype.name === "bool") notFor(x, dim === null ? "median_cpu" : "median_out");
  if (dim !== null) return chosen(x, dim, keepdim, name, middle(skip));
  const dims = dimsOf(null, x.shape.length);
  const place = middle(skip);
  const out = reduced(x, dims, false, x.dtype, (data, start, end) =>
    start === end ? Number.NaN : data[place(data, start, end)],
  );
  return record(out, "MedianBackward0", [x], (g) => [shared(g, x, out, dims, true)], [
    x,
    out,
  ]);
}

export const median = (x, dim = null, keepdim = false) =>
  medianOf(x, dim, keepdim, "median", false);

export const nanmedian = (x, dim = null, keepdim = false) =>
  medianOf(x, dim, keepdim, "nanmedian", true);

export const mode = (x, dim = -1, keepdim = false) =>
  chosen(x, dim, keepdim, "mode", (data, start, end) => {
    const order = placesIn(start, end);
    sortFront(order, order.length, (a, b) => data[a] < data[b]);
    let [best, most, run] = [0, 0, 0];
    order.forEach((place, i) => {
      run++;
      if (i < order.length - 1 && data[place] === data[order[i + 1]]) return;
      if (run > most) [best, most] = [place, run];
      run = 0;
    });
    return best;
  });
function quantileOf(x, q, dim, keepdim, interpolation, skip) {
  if (numel(x.shape) === 0) {
    raise("RuntimeError", `quantile() input tensor must be non-empty`);
  }
  if (!["float32", "float64"].includes(x.dtype.name)) {
    raise(
      "RuntimeError",
      `quantile() input tensor must be either float or double dtype`,
    );
  }
  if (q instanceof Tensor) {
    if (q.shape.length > 1) {
      raise("RuntimeError", `quantile() q must be a scalar or 1D tensor`);
    }
    if (q.dtype !== x.dtype) {
      raise(
        "RuntimeError",
        `quantile() q tensor must be same dtype as the input tensor`,
      );
    }
    if (read(q).some((value) => !(value >= 0 && value <= 1))) {
      raise("RuntimeError", `quantile() q values must be in the range [0, 1]`);
    }
  } else if (!(q >= 0 && q <= 1)) {
    raise("RuntimeError", `quantile() q must be in the range [0, 1] but got ${q}`);
  }
  if (!["linear", "lower", "higher", "midpoint", "nearest"].includes(interpolation)) {
    const text = "linear, lower, higher, midpoint or nearest";
    raise(
      "RuntimeError",
      `quantile() interpolation must be one of ${text}, but got ${interpolation}`,
    );
  }
  const n = x.shape.length;
  const d = dim === null ? 0 : wrapDim(dim, n);
  const flat = dim === null || n === 0 ? reshape(x, [-1]) : movedim(x, d, -1);
  const rows = flat.shape.slice(0, -1);
  const [sorted] = sort(flat, -1);
  const list = q instanceof Tensor ? Array.from(read(q)) : [q];
  const size = sorted.shape.at(-1);
  const numbers = read(sorted);
  const places = { low: [], high: [], weight: [] };
  for (let start = 0; start < numbers.length; start += size) {
    let count = size;
    while (count > 0 && Number.isNaN(numbers[start + count - 1])) count--;
    for (const value of list) {
      const broken = count < size && !(skip && count > 0);
      // torch finds the rank in the input's dtype
      const rank = broken
        ? size - 1
        : x.dtype.round(x.dtype.round(value) * ((skip ? count : size) - 1));
      const low = Math.floor(rank);
      const high = Math.ceil(rank);
      const nearest = rank - low === 0.5 ? low + (low % 2) : Math.round(rank);
      const one = { lower: low, higher: high, nearest }[interpolation];
      places.low.push(one ?? low);
      places.high.push(one ?? high);
      places.weight.push(interpolation === "midpoint" ? 0.5 : rank - low);
    }
  }
  const shape = [...rows, list.length];
  const [below, above] = [places.low, places.high].map((place) =>
    gather(sorted, -1, tensor_from(place, shape, "int64")),
  );
  let out = below;
  if (["linear", "midpoint"].includes(interpolation)) {
    out = lerp(below, above, tensor_from(places.weight, shape, x.dtype));
  }
  // the dim of q comes first, or vanishes
  const single = !(q instanceof Tensor) || q.shape.length === 0;
  out = single ? squeeze(out, -1) : movedim(out, -1, 0);
  if (!keepdim) return out;
  const kept =
    dim === null ? x.shape.map(() => 1) : x.shape.map((s, i) => (i === d ? 1 : s));
  return reshape(out, single ? kept : [list.length, ...kept]);
}

export const quantile = (x, q, dim = null, keepdim = false, interpolation = "linear") =>
  quantileOf(x, q, dim, keepdim, interpolation, false);

export const nanquantile = (
  x,
  q,
  dim = null,
  keepdim = false,
  interpolation = "linear",
) => quantileOf(x, q, dim, keepdim, interpolation, true);

// ------------------------------------------------- softmax and its relatives

const asFloat = (x) => (x.dtype.floating ? x : cast(x, defaultDtype()));

const highest = (data, start, end) => {
  let result = -Infinity;
  for (let i = start; i < end; i++) if (!(data[i] <= result)) result = data[i];
  return result;
};

export function logsumexp(x, dim, keepdim = false) {
  const input = asFloat(x);
  const dims = dimsOf(dim, x.shape.length);
  const out = reduced(input, dims, keepdim, input.dtype, (data, start, end) => {
    const top = highest(data, start, end);
    const shift = Math.abs(top) === Infinity ? 0 : top;
    let result = 0;
    for (let i = start; i < end; i++) result += Math.exp(data[i] - shift);
    return Math.log(result) + shift;
  });
  return record(
    out,
    "LogsumexpBackward0",
    [input],
    (grad) => {
      const [g, result] = [grad, out].map((t) => restored(t, input, dims, keepdim));
      return [mul(g, exp(sub(input, result)))];
    },
    [input, out],
  );
}

function needSoft(x, d, name) {
  if (x.dtype.floating || numel(x.shape) === 0) return;
  const last = d === Math.max(x.shape.length - 1, 0) ? "_lastdim" : "";
  notFor(x, `${name}${last}_kernel_impl`);
}

export function softmax(x, dim, dtype = null) {
  const input = asType(x, dtype);
  const d = wrapDim(dim, x.shape.length);
  needSoft(input, d, "softmax");
  const size = x.shape[d];
  const out = along(input, d, size, input.dtype, (data, start, end, result, place) => {
    const top = highest(data, start, end);
    let divisor = 0;
    for (let i = start; i < end; i++) {
      const value = Math.exp(data[i] - top);
      result[place + i - start] = value;
      divisor += value;
    }
    for (let i = 0; i < end - start; i++) result[place + i] /= divisor;
  });
  return record(
    out,
    "SoftmaxBackward0",
    [input],
    (g) => {
      const weighted = mul(g, out);
      return [sub(weighted, mul(out, sum(weighted, [d], true)))];
    },
    [out],
  );
}

export function log_softmax(x, dim, dtype = null) {
  const input = asType(x, dtype);
  const d = wrapDim(dim, x.shape.length);
  needSoft(input, d, "log_softmax");
  const size = x.shape[d];
  const out = along(input, d, size, input.dtype, (data, start, end, result, place) => {
    const top = highest(data, start, end);
    let divisor = 0;
    for (let i = start; i < end; i++) divisor += Math.exp(data[i] - top);
    const shift = Math.log(divisor);
    for (let i = start; i < end; i++) result[place + i - start] = data[i] - top - shift;
  });
  return record(
    out,
    "LogSoftmaxBackward0",
    [input],
    (g) => [sub(g, mul(exp(out), sum(g, [d], true)))],
    [out],
  );
}

export const softmin = (x, dim, dtype = null) => softmax(neg(x), dim, dtype);

// ------------------------------------------------------------------- scans

const backwards = (x, d) => flip(cumsum(flip(x, [d]), d), [d]);

export function cumsum(x, dim, dtype = null) {
  const input = asType(x, whole(x, dtype));
  const d = wrapDim(dim, x.shape.length);
  const size = x.shape[d];
  const out = along(input, d, size, input.dtype, (data, start, end, result, place) => {
    let running = 0;
    for (let i = start; i < end; i++) {
      running += data[i];
      result[place + i - start] = running;
    }
  });
  return record(out, "CumsumBackward0", [input], (g) => [
    input.shape.length === 0 ? g : backwards(g, d),
  ]);
}

// The gradient where a zero forbids to divide: sums of products without one factor.
function cumprodGradient(x, d, g) {
  const [numbers, grads] = [rowsOf(x, [d]).data, rowsOf(g, [d]).data];
  return along(x, d, x.shape[d], x.dtype, (_, start, end, out, place) => {
    for (let i = start; i < end; i++) {
      let product = 1;
      for (let k = start; k < i; k++) product *= numbers[k];
      for (let j = i; j < end; j++) {
        if (j > i) product *= numbers[j];
        out[place + i - start] += grads[j] * product;
      }
    }
  });
}

export function cumprod(x, dim, dtype = null) {
  const input = asType(x, whole(x, dtype));
  const d = wrapDim(dim, x.shape.length);
  const size = x.shape[d];
  const out = along(input, d, size, input.dtype, (data, start, end, result, place) => {
    let running = 1;
    for (let i = start; i < end; i++) {
      running *= data[i];
      result[place + i - start] = running;
    }
  });
  const zero = input.shape.length > 0 && read(input).includes(0);
  return record(
    out,
    "CumprodBackward0",
    [input],
    (g) => {
      if (numel(input.shape) === 1) return [g];
      if (zero) return [cumprodGradient(input, d, g)];
      return [div(backwards(mul(g, out), d), input)];
    },
    [input, out],
    zero,
  );
}

function runningExtreme(x, dim, largest) {
  const d = wrapDim(dim, x.shape.length);
  const indices = along(x, d, x.shape[d], "int64", (data, start, end, out, place) => {
    let best = start;
    for (let i = start; i < end; i++) {
      const [value, before] = [data[i], data[best]];
      const better = largest ? value >= before : value <= before;
      if (Number.isNaN(value) || better) best = i;
      out[place + i - start] = best - start;
    }
  });
  return [gather(x, d, indices), indices];
}

export const cummax = (x, dim) => runningExtreme(x, dim, true);
export const cummin = (x, dim) => runningExtreme(x, dim, false);

export function logcumsumexp(x, dim) {
  const d = wrapDim(dim, x.shape.length);
  if (!x.dtype.floating) notFor(x, "logcumsumexp_out_cpu");
  const out = along(x, d, x.shape[d], x.dtype, (data, start, end, result, place) => {
    let running = -Infinity;
    for (let i = start; i < end; i++) {
      const [low, high] = [Math.min(running, data[i]), Math.max(running, data[i])];
      // equal infinities have no difference
      const apart = low === high && Math.abs(low) === Infinity ? 0 : low - high;
      running =
        apart === 0 && low === -Infinity ? low : high + Math.log1p(Math.exp(apart));
      result[place + i - start] = running;
    }
  });
  return record(
    out,
    "LogcumsumexpBackward0",
    [x],
    (g) => {
      if (x.shape.length === 0) return [g];
      const from = (t) => flip(logcumsumexp(flip(t, [d]), d), [d]);
      const half = (signed) => {
        const least = number(-Number.MAX_VALUE);
        const logs = where(eq(sign(g), number(signed)), log(abs(g)), least);
        return exp(add(from(sub(logs, out)), x));
      };
      return [sub(half(1), half(-1))];
    },
    [x, out],
  );
}

// ------------------------------------------------------------------- norms

function normKernel(p) {
  const each = (start, join) => (data, from, to) => {
    let result = start;
    for (let i = from; i < to; i++) result = join(result, Math.abs(data[i]));
    return result;
  };
  if (p === Infinity) return each(0, Math.max);
  if (p === -Infinity) return each(Infinity, Math.min);
  if (p === 0) return each(0, (all, value) => all + (value !== 0));
  if (p === 1) return each(0, (all, value) => all + value);
  if (p === 2) {
    const squared = each(0, (all, value) => all + value * value);
    return (data, from, to) => Math.sqrt(squared(data, from, to));
  }
  const powers = each(0, (all, value) => all + value ** p);
  return (data, from, to) => powers(data, from, to) ** (1 / p);
}

// torch's norm_backward: zero where the norm is zero.
function normGradient(g, x, out, p, dims) {
  const zero = eq(out, number(0));
  if (p === 0) return zeros(x.shape, x.dtype);
  if (p === 1) return mul(g, sign(x));
  if (p === 2) return mul(g, masked_fill(div(x, out), zero, number(0)));
  if (Math.abs(p) === Infinity) return mul(sign(x), shared(g, abs(x), out, dims));
  const power = (t, exponent) => pow(t, number(exponent));
  if (p < 1) {
    const scaled = mul(sign(x), power(abs(x), p - 1));
    const safe = masked_fill(scaled, eq(x, number(0)), number(0));
    return mul(mul(safe, g), power(out, 1 - p));
  }
  const scaled =
    p < 2 ? mul(sign(x), power(abs(x), p - 1)) : mul(x, power(abs(x), p - 2));
  const factor = div(g, power(out, p - 1));
  return mul(scaled, masked_fill(factor, zero, number(0)));
}

export function linalg_vector_norm(
  x,
  p = 2,
  dim = null,
  keepdim = false,
  dtype = null,
) {
  if (!x.dtype.floating) {
    const text = "Expected a floating point or complex tensor as input. Got";
    raise("RuntimeError", `linalg.vector_norm: ${text} ${typeName(x)}`);
  }
  const dims = dimsOf(dim, x.shape.length);
  const input = asType(x, dtype);
  if (p === Infinity || p < 0) {
    const shown = `${p}`.replace("Infinity", "inf");
    const start = `linalg.vector_norm cannot compute the ${shown} norm on`;
    if (numel(x.shape) === 0 && (dim === null || ints(dim).length === 0)) {
      const text = "an empty tensor because the operation does not have an identity";
      raise("RuntimeError", `${start} ${text}`);
    }
    for (const d of dims) {
      if (x.shape[d] === 0) {
        const text =
          "because this dimension is empty and the operation does not have an identity";
        raise("RuntimeError", `${start} the dimension ${d}${text}`);
      }
    }
  }
  const out = reduced(input, dims, keepdim, input.dtype, normKernel(p));
  return record(
    out,
    "LinalgVectorNormBackward0",
    [input],
    (grad) => {
      const [g, result] = [grad, out].map((t) => restored(t, input, dims, keepdim));
      return [normGradient(g, input, result, p, dims)];
    },
    [input, out],
  );
}

export function linalg_matrix_norm(
  x,
  ord = "fro",
  dim = "-2,-1",
  keepdim = false,
  dtype = null,
) {
  const name = "linalg.matrix_norm";
  if (x.shape.length < 2) {
    raise(
      "RuntimeError",
      `${name}: The input tensor A must have at least 2 dimensions.`,
    );
  }
  if (!x.dtype.floating) {
    const text = "Expected a floating point or complex tensor as input. Got";
    raise("RuntimeError", `${name}: ${text} ${typeName(x)}`);
  }
  const given = ints(dim);
  if (given.length !== 2) {
    raise("RuntimeError", `${name}: dim must be a 2-tuple. Got ${given.join(" ")}`);
  }
  const known = ["fro", "nuc", 1, -1, 2, -2, Infinity, -Infinity];
  if (!known.includes(ord))
    raise("RuntimeError", `${name}: Order ${ord} not supported.`);
  const [first, second] = given.map((d) => wrapDim(d, x.shape.length));
  if (first === second) {
    raise("RuntimeError", `${name}: dims must be different. Got (${given.join(", ")})`);
  }
  if (ord === "fro") return linalg_vector_norm(x, 2, given, keepdim, dtype);
  const input = asType(x, dtype);
  const size = Math.abs(ord);
  let out;
  if (size === 1 || size === Infinity) {
    const [inner, outer] = size === 1 ? [first, second] : [second, first];
    const sums = sum(abs(input), [inner], true);
    // torch has the largest of no sums be 0
    if (ord > 0 && x.shape[outer] === 0) out = sum(sums, [outer], true);
    else out = (ord > 0 ? amax : amin)(sums, [outer], true);
  } else {
    const values = linalg_svdvals(movedim(input, [first, second], [-2, -1]));
    if (ord === "nuc" || (ord > 0 && values.shape.at(-1) === 0))
      out = sum(values, [-1]);
    else out = (ord > 0 ? amax : amin)(values, [-1]);
    out = reshape(out, reducedShape(x, [first, second], true));
  }
  return keepdim ? out : reshape(out, reducedShape(x, [first, second], false));
}

export function linalg_norm(x, ord = null, dim = null, keepdim = false, dtype = null) {
  const given = ints(dim);
  const n = x.shape.length;
  if (given !== null && given.length !== 1 && given.length !== 2) {
    const text = `it must be of length 1 or 2. Got [${given.join(", ")}]`;
    raise("RuntimeError", `linalg.norm: If dim is specified, ${text}`);
  }
  if (given === null && ord !== null && n !== 1 && n !== 2) {
    const text = `the input must be 1D or 2D. Got ${n}D.`;
    raise("RuntimeError", `linalg.norm: If dim is not specified but ord is, ${text}`);
  }
  const pair = given === null ? n === 2 : given.length === 2;
  if (ord !== null && (pair || typeof ord === "string")) {
    return linalg_matrix_norm(x, ord, given ?? [0, 1], keepdim, dtype);
  }
  return linalg_vector_norm(x, ord ?? 2, given, keepdim, dtype);
}

export function norm(x, p = "fro", dim = null, keepdim = false, dtype = null) {
  const few = dim === null || ints(dim).length <= 2;
  if (p === null || (p === "fro" && few)) {
    return linalg_vector_norm(x, 2, dim, keepdim, dtype);
  }
  if (typeof p !== "string") return linalg_vector_norm(x, p, dim, keepdim, dtype);
  return linalg_matrix_norm(x, p, dim ?? [0, 1], keepdim, dtype);
}

// ------------------------------------------------------- truth and counting

const truth = (x) => (x.dtype.name === "uint8" ? "uint8" : "bool");

// An empty list of dims reduces nothing here.
function truthOver(x, dim, keepdim, kernel) {
  const none = dim !== null && ints(dim).length === 0;
  const dims = none ? [] : dimsOf(dim, x.shape.length);
  return reduced(x, dims, keepdim, truth(x), kernel);
}

export const any = (x, dim = null, keepdim = false) =>
  truthOver(x, dim, keepdim, (data, start, end) => {
    for (let i = start; i < end; i++) if (data[i] !== 0) return 1;
    return 0;
  });

export const all = (x, dim = null, keepdim = false) =>
  truthOver(x, dim, keepdim, (data, start, end) => {
    for (let i = start; i < end; i++) if (data[i] === 0) return 0;
    return 1;
  });

export const count_nonzero = (x, dim = null) =>
  reduced(x, dimsOf(dim, x.shape.length), false, "int64", (data, start, end) => {
    let count = 0;
    for (let i = start; i < end; i++) count += data[i] !== 0;
    return count;
  });

// Rows as one number each if there is no dim, so that both forms share the rest.
function slices(x, dim) {
  if (dim !== null && x.shape.length === 0) {
    raise("IndexError", "Dimension specified as 0 but tensor has no dimensions");
  }
  if (dim !== null && x.shape.some((size, d) => d !== dim && size === 0)) {
    raise(
      "RuntimeError",
      "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied",
    );
  }
  if (dim === null) return { data: read(x), count: 1, rows: numel(x.shape) };
  const d = wrapDim(dim, x.shape.length);
  const data = read(moved(x, [d, ...others(x, [d])]));
  return { data, count: data.length / x.shape[d] || 0, rows: x.shape[d] };
}

function groups(x, dim, order, { data, count }, name) {
  const same = (a, b) => {
    for (let i = 0; i < count; i++) {
      if (data[a * count + i] !== data[b * count + i]) return false;
    }
    return true;
  };
  const inverse = new Float64Array(order.length);
  const counts = [];
  const firsts = [];
  order.forEach((row, i) => {
    if (i === 0 || !same(row, order[i - 1])) {
      firsts.push(row);
      counts.push(0);
    }
    counts[counts.length - 1]++;
    inverse[row] = counts.length - 1;
  });
  const size = firsts.length;
  const kept = new Float64Array(size * count);
  firsts.forEach((row, i) => {
    kept.set(data.subarray(row * count, (row + 1) * count), i * count);
  });
  const shape =
    dim === null ? [size] : [size, ...others(x, [dim]).map((d) => x.shape[d])];
  const out = tensor_from(kept, shape, x.dtype);
  const tidy = dim === null ? out : movedim(out, 0, dim);
  return [
    record(tensor_from(read(tidy).slice(), tidy.shape, x.dtype), name, [x], () =>
      raise("NotImplementedError", `the derivative for '${name}' is not implemented.`),
    ),
    tensor_from(inverse, dim === null ? x.shape : [order.length], "int64"),
    tensor_from(counts, [size], "int64"),
  ];
}

export function unique(x, dim = null) {
  const d = dim === null ? null : wrapDim(dim, x.shape.length);
  const parts = slices(x, d);
  const { data, count, rows } = parts;
  const order = Array.from({ length: rows }, (_, i) => i).sort((a, b) => {
    for (let i = 0; i < count; i++) {
      const [left, right] = [data[a * count + i], data[b * count + i]];
      if (left < right) return -1;
      if (left > right) return 1;
      if (left !== right && Number.isNaN(left) !== Number.isNaN(right)) {
        return Number.isNaN(left) ? 1 : -1;
      }
    }
    return 0;
  });
  return groups(x, d, order, parts, d === null ? "_unique2" : "unique_dim");
}

export function unique_consecutive(x, dim = null) {
  const d = dim === null ? null : wrapDim(dim, x.shape.length);
  const parts = slices(x, d);
  return groups(
    x,
    d,
    Array.from({ length: parts.rows }, (_, i) => i),
    parts,
    "unique_consecutive",
  );
}

export function bincount(x, weights = null, minlength = 0) {
  if (!x.dtype.integral) notFor(x, "bincount_cpu");
  if (minlength < 0) raise("RuntimeError", "minlength should be >= 0");
  const data = read(x);
  const empty = x.shape.length === 1 && data.length === 0;
  if (!empty && (x.shape.length !== 1 || data.some((value) => value < 0))) {
    raise("RuntimeError", "bincount only supports 1-d non-negative integral inputs.");
  }
  if (weights !== null && `${weights.shape}` !== `${x.shape}`) {
    raise("RuntimeError", "weights should be 1-d and have the same length as input");
  }
  const size = Math.max(minlength, empty ? 0 : highest(data, 0, data.length) + 1);
  let dtype = "int64";
  if (weights !== null && data.length > 0)
    dtype = weights.dtype.name === "float32" ? "float32" : "float64";
  if (size > 2 ** 25) notHere("torch.bincount of numbers this large");
  const out = new Float64Array(size);
  const each = weights === null ? null : read(weights);
  data.forEach((value, i) => {
    out[value] += each === null ? 1 : each[i];
  });
  return record(tensor_from(out, [size], dtype), "bincount", [weights], () =>
    raise("RuntimeError", "derivative for aten::bincount is not implemented"),
  );
}

export function histc(x, bins = 100, min = 0, max = 0) {
  if (!x.dtype.floating) notFor(x, "histogram_cpu");
  if (bins <= 0) {
    const text = `bins must be > 0, but got ${bins} for dimension 0`;
    raise("RuntimeError", `torch.histogram(): ${text}`);
  }
  if (max < min) raise("RuntimeError", "torch.histc: max must be larger than min");
  const data = read(x);
  let [low, high] = [min, max];
  if (low === high && data.length > 0) {
    low = data[extreme(false)(data, 0, data.length)];
    high = data[extreme(true)(data, 0, data.length)];
  }
  if (!Number.isFinite(low) || !Number.isFinite(high)) {
    const text = `[${low}, ${high}]`
      .replaceAll("Infinity", "inf")
      .replaceAll("NaN", "nan");
    raise("RuntimeError", `torch.histc: range of ${text} is not finite`);
  }
  if (low === high) [low, high] = [low - 1, high + 1];
  const out = new Float64Array(bins);
  for (const value of data) {
    if (!(value >= low && value <= high)) continue;
    const place = Math.floor(((value - low) * bins) / (high - low));
    out[Math.min(place, bins - 1)]++;
  }
  return tensor_from(out, [bins], x.dtype);
}

export function diff(x, n = 1, dim = -1, prepend = null, append = null) {
  if (x.shape.length === 0) {
    raise("RuntimeError", "diff expects input to be at least one-dimensional");
  }
  if (n < 0) raise("RuntimeError", `order must be non-negative but got ${n}`);
  const d = wrapDim(dim, x.shape.length);
  const parts = [prepend, x, append].filter((part) => part !== null);
  let out = parts.length > 1 ? cat(d, ...parts) : x;
  for (let i = 0; i < Math.min(n, x.shape[d] + 1); i++) {
    const size = Math.max(out.shape[d] - 1, 0);
    const [later, earlier] = [
      narrow(out, d, Math.min(1, out.shape[d]), size),
      narrow(out, d, 0, size),
    ];
    out = x.dtype.name === "bool" ? ne(later, earlier) : sub(later, earlier);
  }
  return out;
}

function needTable(x, name) {
  if (x.shape.length > 2) {
    const text = "expected input to have two or fewer dimensions but got an input with";
    raise("RuntimeError", `${name}(): ${text} ${x.shape.length} dimensions`);
  }
}

export function cov(x, correction = 1) {
  needTable(x, "cov");
  if (x.dtype.name === "bool") {
    raise("RuntimeError", "cov(): bool dtype is not supported for input");
  }
  const table = asFloat(x.shape.length < 2 ? reshape(x, [1, -1]) : x);
  const apart = sub(table, mean(table, [1], true));
  const count = Math.max(table.shape[1] - correction, 0);
  return squeeze(div(mm(apart, transpose(apart, 0, 1)), number(count)));
}

export function corrcoef(x) {
  needTable(x, "corrcoef");
  const table = cov(x);
  if (table.shape.length === 0) return div(table, table);
  const size = sqrt(diag(table));
  const scaled = div(div(table, unsqueeze(size, 1)), unsqueeze(size, 0));
  return clamp(scaled, number(-1), number(1));
}

// --------------------------------------------------------------- searching

export function searchsorted(sorted, x, right = false, out_int32 = false) {
  const [rows, own] = [sorted.shape.slice(0, -1), x.shape.slice(0, -1)];
  const single = sorted.shape.length === 1;
  if (!single && x.shape.length === 0) {
    raise(
      "RuntimeError",
      "torch.searchsorted(): input value can be a scalar only when boundaries tensor " +
        "dimension is 1, but we got boundaries tensor " +
        `dim(${sorted.shape.length}) and input value's dim(0) numel(1)`,
    );
  }
  if (!single && (sorted.shape.length !== x.shape.length || `${rows}` !== `${own}`)) {
    raise(
      "RuntimeError",
      "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 " +
        "dimensions of boundaries tensor and input value tensor must match, but we got " +
        `boundaries tensor [${sorted.shape.join(", ")}] and input value tensor ` +
        `[${x.shape.join(", ")}]`,
    );
  }
  const edges = read(sorted);
  const size = sorted.shape.at(-1);
  const each = single ? 0 : x.shape.at(-1);
  const out = read(x).map((value, i) => {
    const start = single ? 0 : Math.floor(i / each) * size;
    let [low, high] = [0, size];
    while (low < high) {
      const half = Math.floor((low + high) / 2);
      const edge = edges[start + half];
      if (right ? !(edge > value) : !(edge >= value)) low = half + 1;
      else high = half;
    }
    return low;
  });
  return tensor_from(out, x.shape, out_int32 ? "int32" : "int64");
}

export function bucketize(x, boundaries, right = false, out_int32 = false) {
  const n = boundaries.shape.length;
  if (n !== 1)
    raise("RuntimeError", `boundaries tensor must be 1 dimension, but got dim(${n})`);
  return searchsorted(boundaries, x, right, out_int32);
}

export function isin(elements, tests, invert = false) {
  for (const t of [elements, tests]) {
    if (t.dtype.name === "bool") {
      raise("RuntimeError", "Unsupported input type encountered for isin(): Bool");
    }
  }
  const common = resultType(elements, tests);
  const [own, others] = noGrad(() =>
    [elements, tests].map((t) => read(cast(t, common))),
  );
  const known = new Set(others.filter((value) => !Number.isNaN(value)));
  const out = own.map((value) => +(known.has(value) !== invert));
  return tensor_from(out, elements.shape, DTYPES.bool);
}
