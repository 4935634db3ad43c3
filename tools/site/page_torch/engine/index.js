// Indexing, gathering and scattering, joining, repeating, creation.
//
// index(x, spec, ...tensors)
// index_put_(x, value, accumulate, spec, ...tensors)
//   spec: items joined by ";": i3, s0:5:2, n (None), e (ellipsis), t (tensor), b1, b0
// gather(x, dim, index) scatter(x, dim, index, src) scatter_add(x, dim, index, src)
// scatter_reduce(x, dim, index, src, reduce, include_self)
// index_select(x, dim, index) index_add(x, dim, index, source, alpha)
// index_copy(x, dim, index, source) index_fill(x, dim, index, value)
// index_reduce(x, dim, index, source, reduce, include_self)
// masked_fill(x, mask, value) masked_select(x, mask) masked_scatter(x, mask, source)
// take(x, index) put(x, index, source, accumulate) take_along_dim(x, index, dim)
// nonzero(x) argwhere(x) -> [n, dims]; nonzero_tuple(x) -> one tensor for each dim
// cat(dim, ...tensors) concat concatenate stack(dim, ...tensors)
// hstack vstack row_stack dstack column_stack (...tensors) block_diag(...tensors)
// flip(x, dims) fliplr(x) flipud(x) roll(x, shifts, dims) rot90(x, k, dims)
// repeat(x, sizes) tile(x, sizes) repeat_interleave(x, repeats, dim): int or tensor
// one_hot(x, classes)
// In place by ops.inplace: scatter_(x, ...) is inplace("scatter", x, ...)

import { copy, div, eq, mul, where } from "./elementwise.js";
import { notHere, raise } from "./errors.js";
import { cName } from "./linear.js";
import { sum } from "./reduce.js";
import {
  broadcastShapes,
  cast,
  checkHolds,
  contiguous,
  contiguousStride,
  detach,
  empty_like_values,
  expand,
  inplace,
  ints,
  is_contiguous,
  narrow,
  needs,
  numel,
  read,
  record,
  reshape,
  resultType,
  scalar,
  select,
  shapeText,
  slice,
  Tensor,
  tensor_from,
  transpose,
  typeNames,
  unsqueeze,
  values,
  gather as valuesOf,
  wrapDim,
  zeros,
} from "./tensor.js";

const typeName = (x) => typeNames[x.dtype.name];
const range = (n) => Array.from({ length: n }, (_, i) => i);
const number = (value) => scalar(value, "float");
const outOf = (kind, index, dim, size) =>
  raise(kind, `index ${index} is out of bounds for dimension ${dim} with size ${size}`);

// ------------------------------------------- numbers at places, and back to them

// out[i] = x[at[i]], where `at` counts the elements of x in logical order. `saved` are
// the index tensors, which torch keeps until the backward pass.
function picked(x, at, shape, name, saved = []) {
  const start = is_contiguous(x) ? x.offset : 0;
  const data = is_contiguous(x) ? x.storage.data : valuesOf(x);
  const out = new data.constructor(at.length);
  for (let i = 0; i < at.length; i++) out[i] = data[start + at[i]];
  const backward = (g) => [
    placed(zeros(x.shape, g.dtype), at, g, true, "IndexPutBackward0"),
  ];
  return record(tensor_from(out, shape, x.dtype), name, [x], backward, saved);
}

// x with source[i] written at (or added to) place at[i].
function placed(x, at, source, accumulate, name, saved = []) {
  const out = values(x);
  const from = read(source);
  for (let i = 0; i < at.length; i++) {
    if (accumulate) out[at[i]] += from[i];
    else out[at[i]] = from[i];
  }
  const backward = (g) => [
    accumulate ? g : placed(g, at, zeros(source.shape, g.dtype), false, name),
    picked(g, at, source.shape, "IndexBackward0"),
  ];
  return record(tensor_from(out, x.shape, x.dtype), name, [x, source], backward, saved);
}

// All sums of one number of each table, the last table running fastest.
function grid(tables) {
  let out = new Float64Array(1);
  for (const table of tables) {
    const next = new Float64Array(out.length * table.length);
    let place = 0;
    for (let i = 0; i < out.length; i++) {
      for (let j = 0; j < table.length; j++) next[place++] = out[i] + table[j];
    }
    out = next;
  }
  return out;
}

const steps = (size, stride) =>
  Float64Array.from({ length: size }, (_, i) => i * stride);

// A table for each dim of x; those of `own`, {dim: place for place}, are given.
function tables(x, own = {}) {
  const stride = contiguousStride(x.shape);
  return x.shape.map((size, d) =>
    d in own
      ? Float64Array.from(own[d], (place) => place * stride[d])
      : steps(size, stride[d]),
  );
}

function along(x, own, name, saved = []) {
  const parts = tables(x, own);
  return picked(
    x,
    grid(parts),
    parts.map((table) => table.length),
    name,
    saved,
  );
}

// ---------------------------------------------------------------- indexing

const isMask = (t) => t.dtype.name === "bool" || t.dtype.name === "uint8";

function parsed(spec, tensors) {
  let next = 0;
  return (spec === "" ? [] : spec.split(";")).map((text) => {
    const rest = text.slice(1);
    switch (text[0]) {
      case "i":
        return { kind: "int", value: Number(rest) };
      case "s": {
        const [start, end, step] = rest
          .split(":")
          .map((n) => (n === "" ? null : Number(n)));
        return { kind: "slice", start, end, step };
      }
      case "n":
        return { kind: "none" };
      case "e":
        return { kind: "ellipsis" };
      case "b":
        return { kind: "bool", value: rest === "1" };
      default:
        return { kind: "tensor", tensor: tensors[next++] };
    }
  });
}

// `place` is the index's place in the brackets, which torch tells.
function atIndex(view, dim, index, place) {
  const size = view.shape[dim];
  if (index < -size || index >= size) outOf("IndexError", index, place, size);
  return select(view, dim, index);
}

const one = (flag) => tensor_from(flag ? [0] : [], [flag ? 1 : 0], "int64");

// The basic part as a view, and the index tensors by the view's dims.
function basic(x, items) {
  const n = x.shape.length;
  if (n === 0 && items.length === 1 && items[0].kind === "int") {
    raise(
      "IndexError",
      "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or " +
        "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number",
    );
  }
  let specified = 0;
  for (const { kind, tensor } of items) {
    if (kind === "int" || kind === "slice") specified++;
    if (kind === "tensor") specified += isMask(tensor) ? tensor.shape.length : 1;
  }
  if (specified > n && !(n === 0 && items[0].kind === "slice")) {
    raise("IndexError", `too many indices for tensor of dimension ${n}`);
  }
  let view = x;
  let dim = 0;
  const indexed = {};
  const flag = (value) => {
    view = unsqueeze(view, dim);
    indexed[dim++] = one(value);
  };
  items.forEach(({ kind, value, tensor, start, end, step }, place) => {
    if (kind === "int") view = atIndex(view, dim, value, place);
    else if (kind === "none") view = unsqueeze(view, dim++);
    else if (kind === "ellipsis") dim += n - specified;
    else if (kind === "bool") flag(value);
    else if (kind === "slice") {
      if (n === 0) raise("IndexError", "slice() cannot be applied to a 0-dim tensor.");
      const whole = (start ?? 0) === 0 && end === null && (step ?? 1) === 1;
      if (!whole) view = slice(view, dim, start, end, step);
      dim++;
    } else if (tensor.dtype.floating) {
      raise(
        "IndexError",
        "tensors used as indices must be long, int, byte or bool tensors",
      );
    } else if (tensor.shape.length === 0) {
      const [index] = read(tensor);
      if (isMask(tensor)) flag(index !== 0);
      else view = atIndex(view, dim, index, place);
    } else if (isMask(tensor)) {
      indexed[dim] = tensor;
      dim += tensor.shape.length;
    } else if (["int64", "int32"].includes(tensor.dtype.name)) {
      indexed[dim++] = tensor;
    } else {
      raise(
        "IndexError",
        "tensors used as indices must be long, int, byte or bool tensors",
      );
    }
  });
  return { view, indexed: unmasked(view, indexed) };
}

// Masks as the places where they are true.
function unmasked(view, indexed) {
  const out = {};
  for (const [key, tensor] of Object.entries(indexed)) {
    const dim = Number(key);
    if (!isMask(tensor)) {
      out[dim] = tensor;
      continue;
    }
    tensor.shape.forEach((size, i) => {
      if (size !== view.shape[dim + i]) {
        raise(
          "IndexError",
          `The shape of the mask ${shapeText(tensor.shape)} at index ${i} does not match ` +
            `the shape of the indexed tensor ${shapeText(view.shape)} at index ${dim + i}`,
        );
      }
    });
    nonzero_tuple(tensor).forEach((places, i) => {
      out[dim + i] = places;
    });
  }
  return out;
}

function together(tensors) {
  try {
    return broadcastShapes(...tensors.map((t) => t.shape));
  } catch {
    const shapes = tensors.map((t) => shapeText(t.shape)).join(", ");
    raise(
      "IndexError",
      `shape mismatch: indexing tensors could not be broadcast together with shapes ${shapes}`,
    );
  }
}

// Where in the view the indexed elements are, and the shape of the result. Index
// dimensions stand where the indices stood if those are neighbors, else first.
function places(view, indexed, value = null) {
  const dims = Object.keys(indexed).map(Number);
  const tensors = dims.map((d) => indexed[d]);
  const common = together(tensors);
  const [first, last] = [dims[0], dims[dims.length - 1]];
  const adjacent = last - first + 1 === dims.length;
  const rest = range(view.shape.length).filter((d) => !dims.includes(d));
  const before = adjacent ? rest.filter((d) => d < first) : [];
  const after = rest.filter((d) => !before.includes(d));
  const size = (d) => view.shape[d];
  const shape = [...before.map(size), ...common, ...after.map(size)];
  const count = numel(common);
  if (count > 0 && dims.some((d) => size(d) === 0)) {
    raise("IndexError", "index is out of bounds for dimension with size 0");
  }
  if (value !== null) checkFits(value, shape);
  if (numel(shape) === 0) return { at: [], shape };
  const stride = contiguousStride(view.shape);
  const at = new Float64Array(count);
  const given = tensors.map((t) => read(expand(t, common)));
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < dims.length; k++) {
      const index = given[k][i];
      const most = view.shape[dims[k]];
      if (index < -most || index >= most) outOf("IndexError", index, k, most);
      at[i] += (index < 0 ? index + most : index) * stride[dims[k]];
    }
  }
  const table = (d) => steps(size(d), stride[d]);
  return { at: grid([...before.map(table), at, ...after.map(table)]), shape };
}

export function index(x, spec, ...tensors) {
  const { view, indexed } = basic(x, parsed(spec, tensors));
  if (Object.keys(indexed).length > 0) {
    const { at, shape } = places(view, indexed);
    return picked(view, at, shape, "IndexBackward0", Object.values(indexed));
  }
  return view === x ? slice0(x) : view;
}

// x[...] is another tensor on the same memory.
const slice0 = (x) =>
  x.shape.length === 0 ? expand(x, []) : slice(x, 0, null, null, 1);

// torch takes no notice of the value's leading dims of size 1.
function withoutOnes(value) {
  let first = 0;
  while (first < value.shape.length && value.shape[first] === 1) first++;
  return first === 0 ? value : reshape(value, value.shape.slice(first));
}

// The source as `shape`, of x's dtype.
function fitting(source, shape, x) {
  const typed = source.dtype === x.dtype ? source : cast(source, x.dtype);
  return expand(typed, shape);
}

export function index_put_(x, value, accumulate, spec, ...tensors) {
  // a bool alone is no index tensor: x[False] = ... does nothing
  if (spec === "b0") return x;
  const { view, indexed } = basic(x, parsed(spec === "b1" ? "n" : spec, tensors));
  const source = withoutOnes(value);
  if (Object.keys(indexed).length === 0) {
    if (accumulate) notHere("index_put_ with accumulate and no index tensor");
    inplace(view, copy, expand(source, view.shape));
    return x;
  }
  const { at, shape } = places(view, indexed, source);
  const [mask] = tensors;
  // torch fills by a mask alone, which takes a 0-dim value of any dtype
  const fills =
    tensors.length === 1 && spec === "t" && isMask(mask) && numel(value.shape) === 1;
  if (source.dtype !== view.dtype && !source.wrapped && !fills) {
    raise(
      "RuntimeError",
      "Index put requires the source and destination dtypes match, got " +
        `${typeName(view)} for the destination and ${typeName(source)} for the source.`,
    );
  }
  inplace(
    view,
    (self, from) => {
      const spread = fitting(from, shape, self);
      const saved = Object.values(indexed);
      return placed(self, at, spread, accumulate, "IndexPutBackward0", saved);
    },
    source,
  );
  return x;
}

function checkFits(source, shape) {
  const missing = shape.length - source.shape.length;
  const fits = source.shape.every(
    (size, d) => size === 1 || size === shape[d + missing],
  );
  if (missing < 0 || !fits) {
    raise(
      "RuntimeError",
      `shape mismatch: value tensor of shape ${shapeText(source.shape)} cannot be ` +
        `broadcast to indexing result of shape ${shapeText(shape)}`,
    );
  }
}

export const nonzero = (x) => {
  const found = trueAt(x);
  const stride = contiguousStride(x.shape);
  const n = x.shape.length;
  const out = new Float64Array(found.length * n);
  found.forEach((place, i) => {
    for (let d = 0; d < n; d++) {
      out[d * found.length + i] = Math.floor(place / stride[d]) % x.shape[d];
    }
  });
  // column by column, as torch lays it out
  return transpose(tensor_from(out, [n, found.length], "int64"), 0, 1);
};

export const argwhere = nonzero;

export function nonzero_tuple(x) {
  const from = x.shape.length === 0 ? reshape(x, [1]) : x;
  const table = nonzero(from);
  return range(from.shape.length).map((d) => {
    const column = select(table, 1, d);
    return tensor_from(values(column), column.shape, "int64");
  });
}

function trueAt(x) {
  const found = [];
  read(x).forEach((value, i) => {
    if (value !== 0) found.push(i);
  });
  return found;
}

// -------------------------------------------------------- gather and scatter

function needIndex(index, name) {
  if (!["int64", "int32"].includes(index.dtype.name)) {
    raise("RuntimeError", `${name}(): Expected dtype int32/int64 for index`);
  }
}

// The elements of x that have the places of `index`, but along d the index itself.
function placesAlong(x, d, index) {
  const stride = contiguousStride(x.shape);
  const at = grid(index.shape.map((size, i) => steps(size, i === d ? 0 : stride[i])));
  const size = x.shape[d] ?? 1;
  read(index).forEach((place, i) => {
    if (place < 0 || place >= size) outOf("RuntimeError", place, d, size);
    at[i] += place * (stride[d] ?? 1);
  });
  return at;
}

const sized = (x) => (x.shape.length === 0 ? [1] : x.shape);

export function gather(x, dim, index) {
  const d = wrapDim(dim, x.shape.length);
  needIndex(index, "gather");
  if (numel(index.shape) === 0) return picked(x, [], index.shape, "GatherBackward0");
  const [own, other] = [sized(x), sized(index)];
  if (own.length !== other.length) {
    raise(
      "RuntimeError",
      "Index tensor must have the same number of dimensions as input tensor",
    );
  }
  own.forEach((size, i) => {
    if (i !== d && other[i] > size) {
      raise(
        "RuntimeError",
        `Size does not match at dimension ${i} expected index ${shapeText(index.shape)} ` +
          `to be no larger than self ${shapeText(x.shape)} apart from dimension ${d}`,
      );
    }
  });
  return picked(x, placesAlong(x, d, index), index.shape, "GatherBackward0", [index]);
}

// The part of the source that scatter reads, and where each number goes.
function scattered(x, dim, index, given, name) {
  // a Python number counts as a source of the index's shape
  const src = given.wrapped ? fitting(given, index.shape, x) : given;
  const d = wrapDim(dim, x.shape.length);
  needIndex(index, "scatter");
  if (src.dtype !== x.dtype) {
    raise("RuntimeError", "scatter(): Expected self.dtype to be equal to src.dtype");
  }
  if (numel(index.shape) === 0) {
    return { at: [], part: reshape(narrow(reshape(src, [-1]), 0, 0, 0), [0]) };
  }
  const [own, other, from] = [x, index, src].map(sized);
  if (own.length !== other.length) {
    raise(
      "RuntimeError",
      "Index tensor must have the same number of dimensions as self tensor",
    );
  }
  if (from.length !== other.length) {
    raise(
      "RuntimeError",
      "Index tensor must have the same number of dimensions as src tensor",
    );
  }
  if (other.some((size, i) => size > from[i] || (i !== d && size > own[i]))) {
    raise(
      "RuntimeError",
      `Expected index ${shapeText(index.shape)} to be no larger than self ` +
        `${shapeText(x.shape)} apart from dimension ${d}` +
        (given.wrapped
          ? ""
          : ` and to be no larger size than src ${shapeText(src.shape)}`),
    );
  }
  let part = src;
  if (`${from}` !== `${other}`) {
    part = detach(src);
    index.shape.forEach((size, i) => {
      part = narrow(part, i, 0, size);
    });
    const shapes = `got ${shapeText(index.shape)} but expected shape compatible with`;
    part = record(contiguous(part), name, [src], () =>
      raise(
        "RuntimeError",
        `Function ${name} returned an invalid gradient at index 1 - ${shapes} ` +
          shapeText(src.shape),
      ),
    );
  }
  return { at: placesAlong(x, d, index), part };
}

export function scatter(x, dim, index, src) {
  const { at, part } = scattered(x, dim, index, src, "ScatterBackward0");
  return placed(x, at, part, false, "ScatterBackward0", [index]);
}

export function scatter_add(x, dim, index, src) {
  const { at, part } = scattered(x, dim, index, src, "ScatterAddBackward0");
  return placed(x, at, part, true, "ScatterAddBackward0", [index]);
}

const joins = {
  sum: [0, (a, b) => a + b],
  mean: [0, (a, b) => a + b],
  prod: [1, (a, b) => a * b],
  amax: [-Infinity, Math.max],
  amin: [Infinity, Math.min],
};

// x with all source[i] joined into place at[i] by `way`.
function joined(x, at, source, way, own, name) {
  const [neutral, join] = joins[way];
  const out = values(x);
  const counts = new Float64Array(out.length).fill(own ? 1 : 0);
  const from = read(source);
  for (let i = 0; i < at.length; i++) {
    if (counts[at[i]] === 0) out[at[i]] = neutral;
    out[at[i]] = join(out[at[i]], from[i]);
    counts[at[i]]++;
  }
  if (way === "mean") {
    counts.forEach((count, i) => {
      if (count > 1) out[i] /= count;
      if (!x.dtype.floating) out[i] = Math.floor(out[i]);
    });
  }
  const result = tensor_from(out, x.shape, x.dtype);
  const pick = (t) => picked(t, at, source.shape, "GatherBackward0");
  const clear = (t) =>
    own ? t : placed(t, at, zeros(source.shape, t.dtype), false, name);
  return record(
    result,
    name,
    [x, source],
    (g) => {
      if (way === "sum") return [clear(g), pick(g)];
      if (way === "mean") {
        const divisors = counts.map((count) => Math.max(count, 1));
        const each = div(g, tensor_from(divisors, x.shape, g.dtype));
        return [clear(each), pick(each)];
      }
      if (way === "prod") {
        if (read(x).includes(0) || from.includes(0)) {
          notHere("the gradient of a product of numbers with a zero");
        }
        const whole = mul(g, result);
        return [clear(div(whole, x)), div(pick(whole), source)];
      }
      const [mine, theirs] = [eq(x, result), eq(source, pick(result))];
      // what x holds counts as a tie even if it was left out
      const ties = placed(cast(mine, g.dtype), at, cast(theirs, g.dtype), true, name);
      const each = div(g, ties);
      return [clear(mul(each, mine)), mul(pick(each), theirs)];
    },
    [x, source, result],
  );
}

export function scatter_reduce(x, dim, index, src, reduce, include_self = true) {
  if (!Object.hasOwn(joins, reduce)) {
    const text = `sum, prod, mean, amax or amin, got ${reduce}`;
    raise("RuntimeError", `reduce argument must be either ${text}`);
  }
  const { at, part } = scattered(x, dim, index, src, "ScatterReduceBackward0");
  return joined(x, at, part, reduce, include_self, "ScatterReduceBackward0");
}

export function index_reduce(x, dim, index, source, reduce, include_self = true) {
  if (!Object.hasOwn(joins, reduce) || reduce === "sum") {
    const text = `prod, mean, amax or amin but got ${reduce}.`;
    raise("RuntimeError", `index_reduce(): Expected reduce to be one of ${text}`);
  }
  const at = placesOf(x, dim, index, source, "index_reduce_", (place, _, size) => {
    if (place < 0 || place >= size) raise("IndexError", "index out of range in self");
    return place;
  });
  return joined(x, at, source, reduce, include_self, "IndexReduceBackward0");
}

// Where rows of the source go along a dim, as index_add and its relatives have it.
function placesOf(x, dim, index, source, name, place) {
  const n = x.shape.length;
  const d = wrapDim(dim, n);
  const type = typeName(index);
  if (!["int64", "int32"].includes(index.dtype.name)) {
    raise(
      "RuntimeError",
      `${name}(): Expected dtype int32/int64 for index but got: ${type}`,
    );
  }
  if (index.shape.length > 1) {
    raise(
      "IndexError",
      `${name}(): Index is supposed to be a vector, but got dim: ${index.shape.length} ` +
        `with type: ${type} and size: ${shapeText(index.shape)}`,
    );
  }
  if (source.dtype !== x.dtype) {
    raise(
      "RuntimeError",
      `${name}(): self (${typeName(x)}) and source (${typeName(source)}) must have the ` +
        "same scalar type",
    );
  }
  const count = numel(index.shape);
  const rows = source.shape[d] ?? 1;
  if (count !== rows) {
    raise(
      "RuntimeError",
      `${name}(): Number of indices (${count}) should be equal to source.size(dim): ` +
        `(${rows}), for dim: ${d}`,
    );
  }
  const others = (t) => t.shape.filter((_, i) => i !== d);
  if (n > 0 && `${others(x)}` !== `${others(source)}`) {
    raise(
      "RuntimeError",
      "source tensor shape must match self tensor shape, excluding the specified " +
        `dimension. Got self.shape = ${shapeText(x.shape)} source.shape = ` +
        shapeText(source.shape),
    );
  }
  const size = x.shape[d] ?? 1;
  const rowsAt = Array.from(read(index), (value) => place(value, d, size));
  return n === 0 ? rowsAt : grid(tables(x, { [d]: rowsAt }));
}

export function index_add(x, dim, index, source, alpha = 1) {
  const at = placesOf(x, dim, index, source, "index_add_", (place, d, size) => {
    if (place >= 0 && place < size) return place;
    const n = x.shape.length;
    const within = d > 0 && d < n - 1;
    if (n < 2 || within) raise("IndexError", "index out of range in self");
    return outOf("RuntimeError", place, d, size);
  });
  const scaled = alpha === 1 ? source : mul(source, tensor_from([alpha], [], x.dtype));
  return placed(x, at, scaled, true, "IndexAddBackward0", [index]);
}

export function index_copy(x, dim, index, source) {
  const d = wrapDim(dim, x.shape.length);
  const name = "index_copy_()";
  if (index.shape.length > 1) {
    const text = `Index should have dimension 1 or 0 (got ${index.shape.length})`;
    raise("IndexError", `${name}: ${text}`);
  }
  if (index.dtype.name !== "int64") {
    raise(
      "RuntimeError",
      `${name}: Expected a long tensor for index, but got ${typeName(index)}`,
    );
  }
  if (source.dtype !== x.dtype) {
    raise(
      "RuntimeError",
      `${name}: self and source expected to have the same dtype, but got (self) ` +
        `${typeName(x)} and (source) ${typeName(source)}`,
    );
  }
  const others = (t) => t.shape.filter((_, i) => i !== d);
  const [own, other] = [others(x), others(source)];
  if (`${own}` !== `${other}`) {
    raise(
      "RuntimeError",
      `${name}: Source/destination tensor must have same slice shapes. Destination slice ` +
        `shape: ${own.join(" ")} at dimension ${d} and source slice shape: ` +
        `${other.join(" ")} at dimension ${d}.`,
    );
  }
  const [count, rows] = [numel(index.shape), source.shape[d] ?? 1];
  if (count !== rows) {
    const text = `Number of indices (${count}) should be equal to source.size(dim) (${rows})`;
    raise("IndexError", `${name}: ${text}`);
  }
  const at = placesOf(x, dim, index, source, "index_copy_", (place, _, size) => {
    if (place < 0 || place >= size) {
      const text = `index ${place} is out of bounds for dimension ${d} with size ${size}`;
      raise("IndexError", `${name}: ${text}`);
    }
    return place;
  });
  return placed(x, at, source, false, "IndexCopyBackward0", [index]);
}

export function index_fill(x, dim, index, value) {
  if (value.shape.length > 0) {
    raise(
      "RuntimeError",
      "index_fill_ only supports a 0-dimensional value tensor, but got tensor with " +
        `${value.shape.length} dimension(s).`,
    );
  }
  if (index.dtype.name !== "int64") {
    raise("IndexError", "index_fill_(): Expected dtype int64 for index.");
  }
  if (index.shape.length > 1) raise("RuntimeError", "Index has to be a vector/scalar");
  const d = wrapDim(dim, x.shape.length);
  const size = x.shape[d] ?? 1;
  const given = Array.from(read(index), (place) => {
    if (place < -size || place >= size) outOf("IndexError", place, d, size);
    return place < 0 ? place + size : place;
  });
  const rows = [...new Set(given)];
  const shape = x.shape.map((other, i) => (i === d ? rows.length : other));
  const at = x.shape.length === 0 ? rows : grid(tables(x, { [d]: rows }));
  const filled = fitting(value, x.shape.length === 0 ? [rows.length] : shape, x);
  return placed(x, at, filled, false, "IndexFillBackward0", [index]);
}

export function index_select(x, dim, index) {
  const d = wrapDim(dim, x.shape.length);
  if (index.shape.length > 1) {
    raise("IndexError", "index_select(): Index is supposed to be a vector");
  }
  if (!["int64", "int32"].includes(index.dtype.name)) {
    raise("RuntimeError", "index_select(): Expected dtype int32 or int64 for index");
  }
  const size = x.shape[d] ?? 1;
  const rows = read(index);
  if (x.shape.length === 0 && rows.length !== 1) {
    const text = `Index to scalar can have only 1 value, got ${rows.length} value(s)`;
    raise("RuntimeError", `index_select(): ${text}`);
  }
  const wrong = rows.find((place) => place < 0 || place >= size);
  if (wrong !== undefined) {
    if (d === 0 || wrong < 0) raise("IndexError", "index out of range in self");
    const text = `id=${wrong} axis_dim=${size}`;
    raise("RuntimeError", `INDICES element is out of DATA bounds, ${text}`);
  }
  if (x.shape.length === 0) return picked(x, rows, [], "IndexSelectBackward0", [index]);
  return along(x, { [d]: rows }, "IndexSelectBackward0", [index]);
}

export function take(x, index) {
  if (index.dtype.name !== "int64") {
    const text = `Expected a long tensor for index, but got ${typeName(index)}`;
    raise("RuntimeError", `take(): ${text}`);
  }
  return picked(x, flatPlaces(x, index, "take"), index.shape, "TakeBackward0", [index]);
}

function flatPlaces(x, index, name) {
  const count = numel(x.shape);
  if (count === 0 && numel(index.shape) > 0) {
    raise("IndexError", `${name}(): tried to ${name} from an empty tensor`);
  }
  return read(index).map((place) => {
    if (place < -count || place >= count) {
      const text = `tried to access index ${place} on a tensor of ${count} elements.`;
      raise("IndexError", `out of range: ${text}`);
    }
    return place < 0 ? place + count : place;
  });
}

export const put = (x, index, source, accumulate = false) =>
  placed(
    x,
    flatPlaces(x, index, "put"),
    reshape(source, index.shape),
    accumulate,
    "PutBackward0",
  );

export function take_along_dim(x, index, dim = null) {
  const name = "torch.take_along_dim()";
  if (index.dtype.name !== "int64") {
    raise(
      "RuntimeError",
      `${name}: dtype of indices should be Long but got ${typeName(index)}`,
    );
  }
  if (dim === null) return gather(reshape(x, [-1]), 0, reshape(index, [-1]));
  const [n, m] = [x.shape.length, index.shape.length];
  if (n !== m) {
    raise(
      "RuntimeError",
      `${name}: input and indices should have the same number of dimensions, but got ` +
        `${n} dimensions for input, and ${m} dimensions for indices`,
    );
  }
  const d = wrapDim(dim, n);
  const common = (a, b) =>
    broadcastShapes(
      a.shape.map((size, i) => (i === d ? 1 : size)),
      b.shape.map((size, i) => (i === d ? 1 : size)),
    );
  const shape = common(x, index);
  return gather(
    expand(x, shape.with(d, x.shape[d])),
    d,
    expand(index, shape.with(d, index.shape[d])),
  );
}

// -------------------------------------------------------------------- masks

export function masked_fill(x, mask, value) {
  if (mask.dtype.name !== "bool") {
    const text = `only supports boolean masks, but got mask with dtype ${cName(mask)}`;
    raise("RuntimeError", `masked_fill_ ${text}`);
  }
  if (value.shape.length > 0) {
    raise(
      "RuntimeError",
      "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with " +
        `${value.shape.length} dimension(s).`,
    );
  }
  const shape = broadcastShapes(mask.shape, x.shape);
  const [fill] = read(value);
  if (value.wrapped) checkHolds(fill, x.dtype);
  const hidden = read(expand(mask, shape));
  const data = values(expand(x, shape));
  for (let i = 0; i < data.length; i++) if (hidden[i] !== 0) data[i] = fill;
  const like = expand(x, shape);
  const wanted = needs(value);
  const backward = (g) => [
    masked_fill(g, mask, number(0)),
    wanted ? sum(where(mask, g, zeros([], g.dtype)), null, false) : null,
  ];
  const out = empty_like_values(like, data);
  return record(out, "MaskedFillBackward0", [like, value], backward, [mask]);
}

export function masked_select(x, mask) {
  if (mask.dtype.name !== "bool") {
    raise("RuntimeError", "masked_select: expected BoolTensor for mask");
  }
  const shape = broadcastShapes(mask.shape, x.shape);
  const at = trueAt(expand(mask, shape));
  return picked(expand(x, shape), at, [at.length], "MaskedSelectBackward0", [mask]);
}

export function masked_scatter(x, mask, source) {
  if (mask.dtype.name !== "bool") {
    const text = `only supports boolean masks, but got mask with dtype ${typeName(mask)}`;
    raise("RuntimeError", `masked_scatter_ ${text}`);
  }
  if (source.dtype !== x.dtype) {
    const text = `but got${typeName(x)} and ${typeName(source)}`;
    raise(
      "RuntimeError",
      `masked_scatter: expected self and source to have same dtypes ${text}`,
    );
  }
  const shape = broadcastShapes(mask.shape, x.shape);
  const at = trueAt(expand(mask, shape));
  if (numel(source.shape) < at.length) {
    raise("RuntimeError", "Number of elements of source < number of ones in mask");
  }
  const part = narrow(reshape(source, [-1]), 0, 0, at.length);
  return placed(expand(x, shape), at, part, false, "MaskedScatterBackward0", [mask]);
}

// ------------------------------------------------------------------ joining

export function cat(dim, ...tensors) {
  if (tensors.length === 0) {
    raise("ValueError", "torch.cat(): expected a non-empty list of Tensors");
  }
  tensors.forEach((x, i) => {
    if (x.shape.length === 0) {
      const text = `zero-dimensional tensor (at position ${i}) cannot be concatenated`;
      raise("RuntimeError", text);
    }
  });
  const dtype = resultType(...tensors);
  // torch has always left out empty vectors
  const full = tensors.filter((x) => x.shape.length !== 1 || x.shape[0] !== 0);
  const first = full[0] ?? tensors[0];
  const n = first.shape.length;
  const d = wrapDim(dim, n);
  tensors.forEach((x, i) => {
    if (!full.includes(x)) return;
    if (x.shape.length !== n) {
      const text = `got ${n} and ${x.shape.length}`;
      raise("RuntimeError", `Tensors must have same number of dimensions: ${text}`);
    }
    x.shape.forEach((size, other) => {
      if (other !== d && size !== first.shape[other]) {
        raise(
          "RuntimeError",
          `Sizes of tensors must match except in dimension ${d}. Expected size ` +
            `${first.shape[other]} but got size ${size} for tensor number ${i} in the list.`,
        );
      }
    });
  });
  const size = full.reduce((all, x) => all + x.shape[d], 0);
  const inner = numel(first.shape.slice(d + 1));
  const outer = numel(first.shape.slice(0, d));
  const out = new Float64Array(outer * size * inner);
  let start = 0;
  for (const x of full) {
    const data = read(x);
    const row = x.shape[d] * inner;
    for (let i = 0; i < outer; i++) {
      out.set(data.subarray(i * row, (i + 1) * row), i * size * inner + start * inner);
    }
    start += x.shape[d];
  }
  const result = tensor_from(out, first.shape.with(d, size), dtype);
  return record(result, "CatBackward0", tensors, (g) => {
    let next = 0;
    return tensors.map((x) => {
      if (x.shape.length === 1 && x.shape[0] === 0) return zeros([0], g.dtype);
      next += x.shape[d];
      return narrow(g, d, next - x.shape[d], x.shape[d]);
    });
  });
}

export const concat = cat;
export const concatenate = cat;

export function stack(dim, ...tensors) {
  if (tensors.length === 0)
    raise("RuntimeError", "stack expects a non-empty TensorList");
  const [first] = tensors;
  const d = wrapDim(dim, first.shape.length + 1);
  tensors.forEach((x, i) => {
    if (`${x.shape}` !== `${first.shape}`) {
      raise(
        "RuntimeError",
        `stack expects each tensor to be equal size, but got ${shapeText(first.shape)} ` +
          `at entry 0 and ${shapeText(x.shape)} at entry ${i}`,
      );
    }
  });
  return cat(d, ...tensors.map((x) => unsqueeze(x, d)));
}

// At least n dims: a vector becomes a row, a matrix gets a last dim.
function atLeast(x, n) {
  let out = x.shape.length === 0 ? reshape(x, [1]) : x;
  if (n > 1 && out.shape.length === 1) out = unsqueeze(out, 0);
  if (n > 2 && out.shape.length === 2) out = unsqueeze(out, 2);
  return out;
}

const needSome = (tensors, name) => {
  if (tensors.length === 0) {
    raise("RuntimeError", `${name} expects a non-empty TensorList`);
  }
};

export function hstack(...tensors) {
  needSome(tensors, "hstack");
  const parts = tensors.map((x) => atLeast(x, 1));
  return cat(parts[0].shape.length === 1 ? 0 : 1, ...parts);
}

export function vstack(...tensors) {
  needSome(tensors, "vstack");
  return cat(0, ...tensors.map((x) => atLeast(x, 2)));
}

export const row_stack = vstack;

export function dstack(...tensors) {
  needSome(tensors, "dstack");
  return cat(2, ...tensors.map((x) => atLeast(x, 3)));
}

export function column_stack(...tensors) {
  needSome(tensors, "column_stack");
  const columns = tensors.map((x) =>
    x.shape.length <= 1 ? reshape(x, [numel(x.shape), 1]) : x,
  );
  return cat(1, ...columns);
}

export function block_diag(...tensors) {
  const blocks = tensors.map((x, i) => {
    if (x.shape.length > 2) {
      raise(
        "RuntimeError",
        "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input " +
          `${i} has ${x.shape.length} dimensions`,
      );
    }
    return x.shape.length === 2 ? x : reshape(x, [1, numel(x.shape)]);
  });
  if (blocks.length === 0) return zeros([1, 0]);
  const size = (d) => blocks.reduce((all, x) => all + x.shape[d], 0);
  const dtype = resultType(...tensors);
  let out = zeros([size(0), size(1)], dtype);
  let [row, column] = [0, 0];
  for (const block of blocks) {
    const [n, m] = block.shape;
    const at = grid([
      range(n).map((i) => (row + i) * size(1)),
      range(m).map((j) => column + j),
    ]);
    out = placed(out, at, cast(block, dtype), false, "BlockDiagBackward0");
    row += n;
    column += m;
  }
  return out;
}

// ---------------------------------------------------------------- reordering

export function flip(x, dims) {
  const own = {};
  for (const dim of ints(dims)) {
    const d = wrapDim(dim, x.shape.length);
    if (d in own)
      raise("RuntimeError", `dim ${d} appears multiple times in the list of dims`);
    own[d] = range(x.shape[d] ?? 1).reverse();
  }
  return along(x, own, "FlipBackward0");
}

export function fliplr(x) {
  if (x.shape.length < 2) raise("RuntimeError", "Input must be >= 2-d.");
  return flip(x, [1]);
}

export function flipud(x) {
  if (x.shape.length < 1) raise("RuntimeError", "Input must be >= 1-d.");
  return flip(x, [0]);
}

const noDims = (dim) =>
  raise("IndexError", `Dimension specified as ${dim} but tensor has no dimensions`);

export function roll(x, shifts, dims = null) {
  const [by, over] = [ints(shifts), ints(dims) ?? []];
  if (by.length === 0) raise("RuntimeError", "`shifts` required");
  if (over.length === 0 && by.length === 1) {
    return reshape(roll(reshape(x, [-1]), by, [0]), x.shape);
  }
  if (x.shape.length === 0) noDims(over[0]);
  if (by.length !== over.length) {
    const text = `shifts: ${by.length}, dims:${over.length}`;
    raise("RuntimeError", `shifts and dimensions must align. ${text}`);
  }
  const own = {};
  over.forEach((dim, i) => {
    const d = wrapDim(dim, x.shape.length);
    const size = x.shape[d] ?? 1;
    const before = own[d] ?? range(size);
    own[d] = before.map((_, j) => before[(((j - by[i]) % size) + size) % size]);
  });
  return along(x, own, "RollBackward0");
}

export function rot90(x, k = 1, dims = null) {
  const given = ints(dims) ?? [0, 1];
  const n = x.shape.length;
  if (given.length !== 2) {
    const text = `expected total rotation dims == 2, but got dims = ${given.length}`;
    raise("RuntimeError", text);
  }
  if (n < 2) {
    raise("RuntimeError", `expected total dims >= 2, but got total dims = ${n}`);
  }
  const [a, b] = given.map((dim) => wrapDim(dim, n));
  if (a === b) {
    const text = `but got dim0 = ${given[0]} and dim1 = ${given[1]}`;
    raise("RuntimeError", `expected rotation dims to be different, ${text}`);
  }
  const turns = ((k % 4) + 4) % 4;
  if (turns === 1) return transpose(flip(x, [b]), a, b);
  if (turns === 2) return flip(x, [a, b]);
  return turns === 3 ? transpose(flip(x, [a]), a, b) : along(x, {}, "CloneBackward0");
}

export function repeat(x, sizes) {
  const times = ints(sizes);
  const missing = times.length - x.shape.length;
  if (missing < 0) {
    raise(
      "RuntimeError",
      "Number of dimensions of repeat dims can not be smaller than number of dimensions " +
        "of tensor",
    );
  }
  const wide = reshape(x, [...new Array(missing).fill(1), ...x.shape]);
  const shape = wide.shape.map((size, d) => size * times[d]);
  for (const size of shape) {
    if (size < 0) {
      raise(
        "RuntimeError",
        `Trying to create tensor with negative dimension ${size}: ${shapeText(shape)}`,
      );
    }
  }
  const own = {};
  shape.forEach((size, d) => {
    own[d] = range(size).map((i) => i % wide.shape[d]);
  });
  return along(wide, own, "RepeatBackward0");
}

export function tile(x, sizes) {
  const times = ints(sizes);
  const missing = Math.max(x.shape.length - times.length, 0);
  return repeat(x, [...new Array(missing).fill(1), ...times]);
}

export function repeat_interleave(x, repeats, dim = null) {
  if (repeats instanceof Tensor) {
    if (!["int64", "int32"].includes(repeats.dtype.name)) {
      const text = `not implemented for '${typeName(repeats)}'`;
      raise("NotImplementedError", `"repeat_interleave_cpu" ${text}`);
    }
    if (repeats.shape.length > 1) {
      raise("RuntimeError", "repeats must be 0-dim or 1-dim tensor");
    }
  } else if (repeats < 0) raise("RuntimeError", "Repeats must be non-negative");
  if (dim !== null && x.shape.length === 0) noDims(dim);
  const from = dim === null ? reshape(x, [-1]) : x;
  const d = dim === null ? 0 : wrapDim(dim, from.shape.length);
  const size = from.shape[d];
  const given = repeats instanceof Tensor ? Array.from(read(repeats)) : [repeats];
  if (given.some((count) => count < 0))
    raise("RuntimeError", "repeats can not be negative");
  if (given.length !== 1 && given.length !== size) {
    raise(
      "RuntimeError",
      "repeats must have the same size as input along dim, but got repeats.size(0) = " +
        `${given.length} and input.size(${dim ?? 0}) = ${size}`,
    );
  }
  const times = given.length === 1 ? new Array(size).fill(given[0]) : given;
  const rows = times.flatMap((count, i) => new Array(count).fill(i));
  return along(from, { [d]: rows }, "IndexSelectBackward0");
}

export function one_hot(x, classes = -1) {
  if (x.dtype.name !== "int64") {
    const text = "one_hot is only applicable to index tensor of type LongTensor.";
    raise("RuntimeError", text);
  }
  const data = read(x);
  if (data.length === 0 && classes <= 0) {
    const text = "Can not infer total number of classes from empty tensor.";
    raise("RuntimeError", text);
  }
  if (data.some((value) => value < 0)) {
    raise("RuntimeError", "Class values must be non-negative.");
  }
  const most = data.reduce((a, b) => Math.max(a, b), -1) + 1;
  const count = classes === -1 ? most : classes;
  if (most > count)
    raise("RuntimeError", "Class values must be smaller than num_classes.");
  const out = zeros([...x.shape, count], "int64");
  data.forEach((value, i) => {
    out.storage.data[i * count + value] = 1;
  });
  return out;
}
