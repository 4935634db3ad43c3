// Tensors: dtypes, storage, strides, promotion, reading and writing numbers.
// (autograd.js and views.js are exported from here too: import all from "./tensor.js".)
//
// DTYPES.float64 ...         {name, Array, floating, integral, category, bytes, round}
// dtypeOf(name or DType)     the DType; notHere for an unknown one
// defaultDtype(), set_default_dtype(name)
// Tensor                     {storage: {data, version}, offset, shape, stride, dtype,
//                            requires_grad, grad, node, base, wrapped}
// ints(value)                "1,-1" | number | Array | null -> Array of numbers or null
// numel(shape)               product
// tensor_from(values, shape, dtype, stride)  takes over a Float64Array (or copies an
//                            Array) of values, rounded to the dtype
// full(shape, value, dtype), zeros(shape, dtype), empty_like_values(t, values)
// scalar(number, kind)       0-dim wrapped number; kind "int64", "float" or "bool"
// read(t)                    Float64Array in logical order; may share: never write to it
// values(t)                  the same as a copy of your own
// gather(t), write(t, values)  strided read and write (no version, no history)
// is_contiguous(t), contiguousStride(shape), overlaps(t)
// resultType(...tensors), promote(dtypeA, dtypeB), canCast(from, to)
// broadcastShapes(...shapes) torch's error if they do not fit
// wrapDim(dim, n)            negative dims, IndexError
// shapeText(shape)           "[2, 3]"
// layout(shape, ...tensors)  strides that torch gives an element-wise result
// LIMIT                      most elements of one tensor

import { renewView, requires_grad_ } from "./autograd.js";
import { notHere, raise } from "./errors.js";

export * from "./autograd.js";
export * from "./errors.js";
export * from "./views.js";

export const LIMIT = 2 ** 25;
const WHOLE = 2 ** 53;

// Rounds to `bits` of mantissa, ties to even; `least` is the smallest exponent. A number
// so large that its last bit is the wanted one is added and taken away again.
const DOUBLE = new Float64Array(1);
const HALVES = new Uint32Array(DOUBLE.buffer);

function rounder(bits, least, largest) {
  const top = Math.floor(Math.log2(largest));
  const magic = Float64Array.from(
    { length: top - least + 1 },
    (_, i) => 1.5 * 2 ** (least + i - bits + 52),
  );
  return (value) => {
    DOUBLE[0] = value;
    const exponent = ((HALVES[1] >>> 20) & 0x7ff) - 1023;
    if (exponent > top) {
      return Number.isNaN(value) ? value : value * Infinity;
    }
    const large = magic[exponent < least ? 0 : exponent - least];
    const rounded = value + large - large;
    if (rounded > largest || rounded < -largest) {
      return rounded * Infinity;
    }
    return rounded === 0 ? value * 0 : rounded;
  };
}

function whole(value) {
  if (!(Math.abs(value) < WHOLE)) {
    notHere("an integer of 2**53 or more (or one made of inf or nan)");
  }
  return Math.trunc(value) + 0;
}

const identity = (value) => value;
const exact = (value) => {
  whole(value);
  return value;
};

// category: 0 bool, 1 integer, 2 floating.
function dtype(name, category, bytes, ArrayType, round) {
  return {
    name,
    category,
    bytes,
    Array: ArrayType,
    round,
    floating: category === 2,
    integral: category === 1,
  };
}

export const DTYPES = {
  bool: dtype("bool", 0, 1, Uint8Array, (value) => (value !== 0 ? 1 : 0)),
  uint8: dtype("uint8", 1, 1, Uint8Array, (value) => exact(value) & 255),
  int8: dtype("int8", 1, 1, Int8Array, (value) => (exact(value) << 24) >> 24),
  int16: dtype("int16", 1, 2, Int16Array, (value) => (exact(value) << 16) >> 16),
  int32: dtype("int32", 1, 4, Int32Array, (value) => exact(value) | 0),
  int64: dtype("int64", 1, 8, Float64Array, whole),
  bfloat16: dtype(
    "bfloat16",
    2,
    2,
    Float32Array,
    rounder(7, -126, 3.3895313892515355e38),
  ),
  float16: dtype("float16", 2, 2, Float32Array, rounder(10, -14, 65504)),
  float32: dtype("float32", 2, 4, Float32Array, Math.fround),
  float64: dtype("float64", 2, 8, Float64Array, identity),
};

export function dtypeOf(name) {
  if (typeof name !== "string") {
    return name;
  }
  return DTYPES[name] ?? notHere(`dtype=torch.${name}`);
}

let floatDefault = DTYPES.float32;
export const defaultDtype = () => floatDefault;

export function set_default_dtype(name) {
  const chosen = dtypeOf(name);
  if (!chosen.floating) {
    raise("TypeError", "only floating-point types are supported as the default type");
  }
  floatDefault = chosen;
}

// Lists of ints come from Python as "2,3"; "" is the empty list, null is None.
export function ints(value) {
  if (value === null || value === undefined) {
    return null;
  }
  if (typeof value === "number") {
    return [value];
  }
  if (typeof value === "string") {
    return value === "" ? [] : value.split(",").map(Number);
  }
  return Array.from(value, Number);
}

export const shapeText = (shape) => `[${shape.join(", ")}]`;

export function numel(shape) {
  let count = 1;
  for (const size of shape) {
    count *= size;
  }
  return count;
}

export function contiguousStride(shape) {
  const stride = new Array(shape.length);
  let step = 1;
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    stride[dim] = step;
    step *= Math.max(shape[dim], 1);
  }
  return stride;
}

const pythonNames = { string: "str", number: "float", boolean: "bool" };

export function wrapDim(dim, n) {
  if (!Number.isInteger(dim)) {
    const found = pythonNames[typeof dim] ?? typeof dim;
    raise("TypeError", `argument 'dim' must be int, not ${found}`);
  }
  const range = Math.max(n, 1);
  if (dim < -range || dim >= range) {
    raise(
      "IndexError",
      `Dimension out of range (expected to be in range of [${-range}, ${range - 1}], ` +
        `but got ${dim})`,
    );
  }
  return dim < 0 ? dim + range : dim;
}

export class Tensor {
  constructor(storage, offset, shape, stride, type) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.stride = stride;
    this.dtype = type;
    this.grad = null;
    this.wrapped = false;
    // A view keeps its base, so that in-place changes reach both histories, and how
    // it came about: null, "no_grad" or {name, index}, one of several views.
    this.base = null;
    this.creation = null;
    this.leafRequires = false;
    this.ownNode = null;
    this.seenVersion = 0;
    this.retains = false;
    this.hooks = null;
  }

  get node() {
    if (this.base !== null && this.seenVersion !== this.storage.version) {
      renewView(this);
    }
    return this.ownNode;
  }

  set node(node) {
    this.ownNode = node;
    this.seenVersion = this.storage.version;
  }

  get requires_grad() {
    if (this.creation !== null && this.base.requires_grad) {
      return true;
    }
    return this.leafRequires || this.node !== null;
  }

  set requires_grad(flag) {
    requires_grad_(this, flag, "floating point and complex");
  }

  get is_leaf() {
    return this.node === null;
  }

  get ndim() {
    return this.shape.length;
  }

  get version() {
    return this.storage.version;
  }
}

function checkLimit(count) {
  if (!(count <= LIMIT)) {
    raise(
      "RuntimeError",
      `A tensor of ${count} elements is too large for the page; at most ${LIMIT} fit.`,
    );
  }
}

function store(source, type) {
  if (type.floating && type.bytes !== 2) {
    return source instanceof type.Array ? source : new type.Array(source);
  }
  const data =
    type.Array === Float64Array && source instanceof Float64Array
      ? source
      : new type.Array(source.length);
  if (type === DTYPES.bool) {
    for (let i = 0; i < source.length; i++) {
      data[i] = source[i] === 0 ? 0 : 1;
    }
    return data;
  }
  const { round } = type;
  for (let i = 0; i < source.length; i++) {
    data[i] = round(source[i]);
  }
  return data;
}

export function tensor_from(source, shape, type = "float64", stride = null) {
  const chosen = dtypeOf(type);
  const sizes = ints(shape);
  const count = numel(sizes);
  checkLimit(count);
  if (count !== source.length) {
    raise(
      "RuntimeError",
      `${source.length} values do not fill shape ${shapeText(sizes)}`,
    );
  }
  const storage = { data: store(source, chosen), version: 0 };
  return new Tensor(storage, 0, sizes, stride ?? contiguousStride(sizes), chosen);
}

export function full(shape, value, type) {
  const sizes = ints(shape);
  const chosen = dtypeOf(type) ?? floatDefault;
  for (const size of sizes) {
    if (size < 0) {
      raise(
        "RuntimeError",
        `Trying to create tensor with negative dimension ${size}: ${shapeText(sizes)}`,
      );
    }
  }
  const count = numel(sizes);
  checkLimit(count);
  const data = new chosen.Array(count);
  const rounded = chosen.round(Number(value));
  if (rounded !== 0 || Object.is(rounded, -0)) {
    data.fill(rounded);
  }
  return new Tensor({ data, version: 0 }, 0, sizes, contiguousStride(sizes), chosen);
}

const C_NAMES = { uint8: "uint8_t", int8: "int8_t", int16: "int16_t", int32: "int" };

/** Refuses to fill a dtype with a number that it cannot hold, as torch does. */
export function checkHolds(value, type) {
  const signed = type.name !== "uint8";
  const most = 2 ** (8 * type.bytes - Number(signed)) - 1;
  const whole = signed || Number.isInteger(value);
  const least = whole ? -most - Number(signed) : 0;
  const fits = type.integral
    ? value >= least && value <= most
    : type.name !== "float32" ||
      Number.isFinite(value) === Number.isFinite(Math.fround(value));
  if (!fits) {
    const name = C_NAMES[type.name] ?? (type.integral ? "int64_t" : "float");
    raise("RuntimeError", `value cannot be converted to type ${name} without overflow`);
  }
}

export const zeros = (shape, type = null) => full(shape, 0, type);

export function scalar(number, kind) {
  const type = kind === "float" ? DTYPES.float64 : DTYPES[kind];
  const result = full([], Number(number), type);
  result.wrapped = true;
  return result;
}

export function is_contiguous(t) {
  let step = 1;
  for (let dim = t.shape.length - 1; dim >= 0; dim--) {
    const size = t.shape[dim];
    if (size === 0) {
      return true;
    }
    if (size !== 1) {
      if (t.stride[dim] !== step) {
        return false;
      }
      step *= size;
    }
  }
  return true;
}

// Sizes and strides with dims of size 1 dropped and mergeable neighbors merged.
function coalesced(shape, stride) {
  const sizes = [];
  const steps = [];
  for (let dim = 0; dim < shape.length; dim++) {
    const size = shape[dim];
    if (size === 1) {
      continue;
    }
    const last = sizes.length - 1;
    if (last >= 0 && steps[last] === stride[dim] * size) {
      sizes[last] *= size;
      steps[last] = stride[dim];
    } else {
      sizes.push(size);
      steps.push(stride[dim]);
    }
  }
  if (sizes.length === 0) {
    return [[1], [0]];
  }
  return [sizes, steps];
}

// Calls row(start, step, size, position) for each innermost row of a strided tensor.
export function eachRow(shape, stride, offset, row) {
  if (numel(shape) === 0) {
    return;
  }
  const [sizes, steps] = coalesced(shape, stride);
  const last = sizes.length - 1;
  const size = sizes[last];
  const step = steps[last];
  const count = new Array(last).fill(0);
  let start = offset;
  let position = 0;
  for (;;) {
    row(start, step, size, position);
    position += size;
    let dim = last - 1;
    while (dim >= 0) {
      start += steps[dim];
      if (++count[dim] < sizes[dim]) {
        break;
      }
      start -= steps[dim] * sizes[dim];
      count[dim] = 0;
      dim--;
    }
    if (dim < 0) {
      return;
    }
  }
}

// The numbers in logical order, in an array of the tensor's own type (a copy).
export function gather(t) {
  const { data } = t.storage;
  const count = numel(t.shape);
  if (is_contiguous(t)) {
    return data.slice(t.offset, t.offset + count);
  }
  const out = new data.constructor(count);
  eachRow(t.shape, t.stride, t.offset, (start, step, size, position) => {
    for (let i = 0; i < size; i++) {
      out[position + i] = data[start + i * step];
    }
  });
  return out;
}

export function read(t) {
  const { data } = t.storage;
  if (is_contiguous(t)) {
    const count = numel(t.shape);
    if (data.length === count && data instanceof Float64Array) {
      return data;
    }
    const part = data.subarray(t.offset, t.offset + count);
    return data instanceof Float64Array ? part : new Float64Array(part);
  }
  const out = gather(t);
  return out instanceof Float64Array ? out : new Float64Array(out);
}

export function values(t) {
  const out = gather(t);
  return out instanceof Float64Array ? out : new Float64Array(out);
}

// Writes numbers (in logical order) of any dtype into t, rounded to its dtype.
export function write(t, source) {
  const { data } = t.storage;
  const from = store(source instanceof Float64Array ? source.slice() : source, t.dtype);
  if (from.length === 0) {
    return;
  }
  if (is_contiguous(t)) {
    data.set(from, t.offset);
    return;
  }
  eachRow(t.shape, t.stride, t.offset, (start, step, size, position) => {
    for (let i = 0; i < size; i++) {
      data[start + i * step] = from[position + i];
    }
  });
}

export function promote(a, b) {
  if (a === b) {
    return a;
  }
  if (a.category !== b.category) {
    return a.category > b.category ? a : b;
  }
  const [low, high] = a.bytes <= b.bytes ? [a, b] : [b, a];
  if (low.bytes === high.bytes) {
    // float16 with bfloat16, or uint8 with int8
    return a.floating ? DTYPES.float32 : DTYPES.int16;
  }
  return high;
}

const joined = (a, b) => (a === null ? b : promote(a, b));

function combined(higher, lower) {
  if (higher === null || lower === null) {
    return higher ?? lower;
  }
  if (higher.floating) {
    return higher;
  }
  return higher.category === 0 || lower.floating ? promote(higher, lower) : higher;
}

export function resultType(...tensors) {
  let dims = null;
  let zero = null;
  let wrapped = null;
  for (const t of tensors) {
    if (t.wrapped) {
      wrapped = joined(wrapped, t.dtype.floating ? floatDefault : t.dtype);
    } else if (t.shape.length === 0) {
      zero = joined(zero, t.dtype);
    } else {
      dims = joined(dims, t.dtype);
    }
  }
  return combined(dims, combined(zero, wrapped));
}

export const canCast = (from, to) => from.category <= to.category;

// Names as in torch's messages: Float, Double, Long ...
export const typeNames = {
  bool: "Bool",
  uint8: "Byte",
  int8: "Char",
  int16: "Short",
  int32: "Int",
  int64: "Long",
  float16: "Half",
  bfloat16: "BFloat16",
  float32: "Float",
  float64: "Double",
};

function broadcastPair(a, b) {
  const n = Math.max(a.length, b.length);
  const shape = new Array(n);
  for (let dim = n - 1; dim >= 0; dim--) {
    const sizeA = a[dim - n + a.length] ?? 1;
    const sizeB = b[dim - n + b.length] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) {
      raise(
        "RuntimeError",
        `The size of tensor a (${sizeA}) must match the size of tensor b (${sizeB}) ` +
          `at non-singleton dimension ${dim}`,
      );
    }
    shape[dim] = sizeA === 1 ? sizeB : sizeA;
  }
  return shape;
}

export function sameShape(a, b) {
  if (a.length !== b.length) {
    return false;
  }
  for (let dim = 0; dim < a.length; dim++) {
    if (a[dim] !== b[dim]) {
      return false;
    }
  }
  return true;
}

export function broadcastShapes(first, ...rest) {
  let shape = first;
  for (const other of rest) {
    shape = sameShape(shape, other) ? shape : broadcastPair(shape, other);
  }
  return shape;
}

// Strides of t seen in a larger shape: 0 where it is broadcast.
export function broadcastStride(t, shape) {
  const extra = shape.length - t.shape.length;
  return shape.map((size, dim) =>
    dim < extra || (t.shape[dim - extra] === 1 && size !== 1)
      ? 0
      : t.stride[dim - extra],
  );
}

// The order of dims, fastest first, that torch's TensorIterator gives a result.
export function dimOrder(shape, strides) {
  const n = shape.length;
  const order = Array.from({ length: n }, (_, i) => n - 1 - i);
  const compare = (dim0, dim1) => {
    for (const stride of strides) {
      const a = stride[dim0];
      const b = stride[dim1];
      if (a === 0 || b === 0) {
        continue;
      }
      if (a !== b) {
        return a < b ? -1 : 1;
      }
      if (shape[dim0] > shape[dim1]) {
        return 1;
      }
    }
    return 0;
  };
  for (let i = 1; i < n; i++) {
    let at = i;
    for (let before = i - 1; before >= 0; before--) {
      const sign = compare(order[before], order[at]);
      if (sign < 0) {
        break;
      }
      if (sign > 0) {
        [order[before], order[at]] = [order[at], order[before]];
        at = before;
      }
    }
  }
  return order;
}

export function layout(shape, ...tensors) {
  const order = dimOrder(
    shape,
    tensors.map((t) => broadcastStride(t, shape)),
  );
  const stride = new Array(shape.length);
  let step = 1;
  for (const dim of order) {
    stride[dim] = step;
    step *= Math.max(shape[dim], 1);
  }
  return stride;
}

// Puts values of logical order into a new tensor that has t's memory layout.
export function empty_like_values(t, source, type = t.dtype) {
  if (is_contiguous(t)) {
    return tensor_from(source, t.shape, type);
  }
  const stride = layout(t.shape, t);
  const result = tensor_from(new Float64Array(source.length), t.shape, type, stride);
  write(result, source);
  return result;
}
