// Tensors that are made from a rule.
//
// arange(start, end, step, dtype) linspace(start, end, steps, dtype)
// logspace(start, end, steps, base, dtype) eye(rows, columns, dtype)
// full_like(x, value, dtype)  new values in x's layout
// tri_indices(rows, columns, offset, upper) -> [2, n] of int64

import { raise } from "./errors.js";
import {
  DTYPES,
  dtypeOf,
  empty_like_values,
  full,
  numel,
  tensor_from,
} from "./tensor.js";

export function arange(start, end, step, type) {
  if (step === 0) {
    raise("RuntimeError", "step must be nonzero");
  }
  if (dtypeOf(type).integral && Math.trunc(step) === 0) {
    raise("ValueError", "step must be nonzero");
  }
  if (![start, end, step].every(Number.isFinite)) {
    raise("RuntimeError", `unsupported range: ${start} -> ${end}`);
  }
  if ((end - start) * step < 0) {
    raise("RuntimeError", "upper bound and lower bound inconsistent with step sign");
  }
  const chosen = dtypeOf(type);
  const integral = !chosen.floating;
  const [first, last, stride] = integral
    ? [start, end, step].map(Math.trunc)
    : [start, end, step];
  const count = integral
    ? Math.ceil((last - first) / stride)
    : Math.ceil((end - start) / step);
  const out = full([count], 0, "float64").storage.data;
  for (let i = 0; i < count; i++) {
    out[i] = first + i * stride;
  }
  return tensor_from(out, [count], chosen);
}

// As torch does: from both ends, in the arithmetic of the dtype.
export function linspace(start, end, steps, type) {
  const chosen = dtypeOf(type);
  if (steps < 0) {
    raise("RuntimeError", "number of steps must be non-negative");
  }
  const round = chosen.floating ? chosen.round : (value) => value;
  const [first, last] = [start, end].map((x) => chosen.round(x));
  const step = round(round(last - first) / (steps - 1));
  const out = full([steps], 0, "float64").storage.data;
  const half = Math.floor(steps / 2);
  for (let i = 0; i < steps; i++) {
    out[i] =
      i < half
        ? round(first + round(step * i))
        : round(last - round(step * (steps - i - 1)));
  }
  if (steps === 1) {
    out[0] = first;
  }
  return tensor_from(out, [steps], chosen);
}

export function logspace(start, end, steps, base, type) {
  const at = linspace(start, end, steps, "float64").storage.data;
  return tensor_from(
    at.map((x) => base ** x),
    [steps],
    type,
  );
}

export function eye(rows, columns, type) {
  const width = columns ?? rows;
  for (const [name, size] of [
    ["n", rows],
    ["m", width],
  ]) {
    if (size < 0) {
      raise("RuntimeError", `${name} must be greater or equal to 0, got ${size}`);
    }
  }
  const out = full([rows, width], 0, type);
  for (let i = 0; i < Math.min(rows, width); i++) {
    out.storage.data[i * width + i] = 1;
  }
  return out;
}

export function full_like(x, value, type) {
  const chosen = dtypeOf(type ?? x.dtype);
  return empty_like_values(x, new Float64Array(numel(x.shape)).fill(value), chosen);
}

export function tri_indices(rows, columns, offset, upper) {
  const first = [];
  const second = [];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      if (upper ? j - i >= offset : j - i <= offset) {
        first.push(i);
        second.push(j);
      }
    }
  }
  return tensor_from([...first, ...second], [2, first.length], DTYPES.int64);
}
