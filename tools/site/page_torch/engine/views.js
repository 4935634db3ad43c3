// Views: new tensors on the memory of others. Names and arguments as torch's.
//
// view(x, shape), reshape(x, shape), view_as, reshape_as, flatten(x, start, end),
// unflatten(x, dim, sizes), permute(x, dims), transpose(x, a, b), swapaxes, t, mT, T,
// movedim(x, source, destination), expand(x, shape), expand_as, broadcast_to,
// squeeze(x, dims | null), unsqueeze(x, dim), select(x, dim, index),
// narrow(x, dim, start, length), slice(x, dim, start, end, step),
// diagonal(x, offset, dim1, dim2), unfold_dim(x, dim, size, step) (Tensor.unfold),
// as_strided(x, size, stride, offset), split(x, size | sizes, dim), chunk(x, n, dim),
// tensor_split(x, n | indices, dim), unbind(x, dim), detach(x), alias(x), data(x),
// contiguous(x), clone(x), to(x, dtype), cast(x, DType), broadcast_tensors(...tensors),
// become(x, view) (x itself turned in place: t_, squeeze_ ...), set_data(x, other)
// makeView(x, shape, stride, offset, name, backward)  for other files' views;
//     backward(grad, the shape of x)
// sumTo(x, shape)  undoes broadcasting

import { is_grad_enabled, record, scattered } from "./autograd.js";
import {
  broadcastShapes,
  contiguousStride,
  dtypeOf,
  eachRow,
  empty_like_values,
  gather,
  ints,
  is_contiguous,
  numel,
  raise,
  read,
  sameShape,
  shapeText,
  Tensor,
  tensor_from,
  typeNames,
  wrapDim,
} from "./tensor.js";

// A view of one of several views counts as one of them.
function inherited(creation, name) {
  return creation?.name ? { name: name.replace(/Backward0?/, ""), index: 0 } : creation;
}

export function makeView(x, shape, stride, offset, name, backward) {
  const out = new Tensor(x.storage, offset, shape, stride, x.dtype);
  // x itself may be turned in place later.
  const from = x.shape;
  record(out, name, [x], (grad) => backward(grad, from));
  out.base = x.base ?? x;
  out.creation = is_grad_enabled() ? inherited(x.creation, name) : "no_grad";
  out.seenVersion = x.storage.version;
  return out;
}

export function sumTo(x, shape) {
  if (sameShape(x.shape, shape)) {
    return x;
  }
  const extra = x.shape.length - shape.length;
  const target = contiguousStride(shape);
  const stride = x.shape.map((_, dim) =>
    dim < extra || shape[dim - extra] === 1 ? 0 : target[dim - extra],
  );
  const source = read(x);
  const sums = new Float64Array(numel(shape));
  eachRow(x.shape, stride, 0, (start, step, size, position) => {
    if (step === 0) {
      let sum = sums[start];
      for (let i = 0; i < size; i++) {
        sum += source[position + i];
      }
      sums[start] = sum;
      return;
    }
    for (let i = 0; i < size; i++) {
      sums[start + i * step] += source[position + i];
    }
  });
  const out = tensor_from(sums, shape, x.dtype);
  return record(out, "SumBackward1", [x], (grad) => [expand(grad, x.shape)]);
}

// The sizes with -1 filled in.
function inferred(shape, count) {
  let free = -1;
  let product = 1;
  shape.forEach((size, dim) => {
    if (size === -1) {
      if (free >= 0) {
        raise("RuntimeError", "only one dimension can be inferred");
      }
      free = dim;
    } else if (size < 0) {
      const place = `at index ${dim} of shape ${shapeText(shape)}`;
      raise("RuntimeError", `invalid shape dimension ${size} ${place}`);
    } else {
      product *= size;
    }
  });
  if (free >= 0 && product === 0 && count === 0) {
    raise(
      "RuntimeError",
      `cannot reshape tensor of 0 elements into shape ${shapeText(shape)} because the ` +
        "unspecified dimension size -1 can be any value and is ambiguous",
    );
  }
  const fits = free >= 0 ? product > 0 && count % product === 0 : product === count;
  if (!fits) {
    raise(
      "RuntimeError",
      `shape '${shapeText(shape)}' is invalid for input of size ${count}`,
    );
  }
  return shape.map((size, dim) => (dim === free ? count / product : size));
}

// Strides under which the same memory has the new shape, or null (torch's rule).
function restrided(old, stride, shape) {
  if (numel(old) === 0) {
    return sameShape(old, shape) ? stride : contiguousStride(shape);
  }
  const result = new Array(shape.length);
  let at = shape.length - 1;
  let step = stride[old.length - 1] ?? 1;
  let oldCount = 1;
  let newCount = 1;
  for (let dim = old.length - 1; dim >= 0; dim--) {
    oldCount *= old[dim];
    if (dim === 0 || (old[dim - 1] !== 1 && stride[dim - 1] !== oldCount * step)) {
      while (at >= 0 && (newCount < oldCount || shape[at] === 1)) {
        result[at] = newCount * step;
        newCount *= shape[at];
        at--;
      }
      if (newCount !== oldCount) {
        return null;
      }
      if (dim > 0) {
        step = stride[dim - 1];
        oldCount = 1;
        newCount = 1;
      }
    }
  }
  if (old.length === 0) {
    return shape.map(() => 1);
  }
  return at === -1 ? result : null;
}

function viewOf(x, shape, name) {
  const stride = restrided(x.shape, x.stride, shape);
  if (stride === null) {
    return null;
  }
  return makeView(x, shape, stride, x.offset, name, (grad, from) => [
    reshape(grad, from),
  ]);
}

export function view(x, size) {
  const shape = inferred(ints(size), numel(x.shape));
  const result = viewOf(x, shape, "ViewBackward0");
  if (result === null) {
    raise(
      "RuntimeError",
      "view size is not compatible with input tensor's size and stride (at least one " +
        "dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
    );
  }
  return result;
}

export function reshape(x, size) {
  const shape = inferred(ints(size), numel(x.shape));
  const result = viewOf(x, shape, "ViewBackward0");
  return result ?? viewOf(contiguous(x), shape, "UnsafeViewBackward0");
}

export const view_as = (x, other) => view(x, other.shape);
export const reshape_as = (x, other) => reshape(x, other.shape);

export function flatten(x, start = 0, end = -1) {
  const first = wrapDim(start, x.shape.length);
  const last = wrapDim(end, x.shape.length);
  if (first > last) {
    raise(
      "RuntimeError",
      "flatten() has invalid args: start_dim cannot come after end_dim",
    );
  }
  if (x.shape.length === 0) {
    return reshape(x, [1]);
  }
  if (first === last) {
    return x;
  }
  const merged = numel(x.shape.slice(first, last + 1));
  return reshape(x, [...x.shape.slice(0, first), merged, ...x.shape.slice(last + 1)]);
}

export function unflatten(x, dim, sizes) {
  const at = wrapDim(dim, x.shape.length);
  const parts = ints(sizes);
  if (parts.length === 0) {
    raise("RuntimeError", "unflatten: sizes must be non-empty");
  }
  const known = numel(parts.filter((size) => size !== -1));
  const free = parts.filter((size) => size === -1).length;
  if (free > 1) {
    raise(
      "RuntimeError",
      "unflatten got an unexpected error:\nonly one dimension can be inferred",
    );
  }
  const size = x.shape[at];
  if (free === 1 ? known === 0 || size % known !== 0 : known !== size) {
    raise(
      "RuntimeError",
      `unflatten: Provided sizes ${shapeText(parts)} don't multiply up to the size of ` +
        `dim ${at} (${size}) in the input tensor`,
    );
  }
  const filled = parts.map((part) => (part === -1 ? size / known : part));
  return view(x, [...x.shape.slice(0, at), ...filled, ...x.shape.slice(at + 1)]);
}

export function permute(x, dims) {
  const given = ints(dims);
  const n = x.shape.length;
  if (given.length !== n) {
    raise(
      "RuntimeError",
      "permute(sparse_coo): number of dimensions in the tensor input does not match the " +
        `length of the desired ordering of dimensions i.e. input.dim() = ${n} is not ` +
        `equal to len(dims) = ${given.length}`,
    );
  }
  const order = given.map((dim) => wrapDim(dim, n));
  if (new Set(order).size !== n) {
    raise("RuntimeError", "permute(): duplicate dims are not allowed.");
  }
  const back = new Array(n);
  order.forEach((dim, i) => {
    back[dim] = i;
  });
  return makeView(
    x,
    order.map((dim) => x.shape[dim]),
    order.map((dim) => x.stride[dim]),
    x.offset,
    "PermuteBackward0",
    (grad) => [permute(grad, back)],
  );
}

export function transpose(x, dim0, dim1) {
  const n = x.shape.length;
  const a = wrapDim(dim0, n);
  const b = wrapDim(dim1, n);
  const swap = (list) => {
    const result = [...list];
    if (n > 0) {
      [result[a], result[b]] = [list[b], list[a]];
    }
    return result;
  };
  return makeView(
    x,
    swap(x.shape),
    swap(x.stride),
    x.offset,
    "TransposeBackward0",
    (grad) => [transpose(grad, a, b)],
  );
}

export const swapaxes = transpose;
export const swapdims = transpose;

export function t(x) {
  if (x.shape.length > 2) {
    raise(
      "RuntimeError",
      `t() expects a tensor with <= 2 dimensions, but self is ${x.shape.length}D`,
    );
  }
  return x.shape.length < 2 ? alias(x) : transpose(x, 0, 1);
}

export function mT(x) {
  if (x.shape.length < 2) {
    raise(
      "RuntimeError",
      "tensor.mT is only supported on matrices or batches of matrices. Got " +
        `${x.shape.length}-D tensor.`,
    );
  }
  return transpose(x, -2, -1);
}

export const T = (x) =>
  permute(
    x,
    x.shape.map((_, i) => x.shape.length - 1 - i),
  );

export function movedim(x, source, destination) {
  const n = x.shape.length;
  const from = ints(source).map((dim) => wrapDim(dim, n));
  const to = ints(destination).map((dim) => wrapDim(dim, n));
  if (from.length !== to.length) {
    raise(
      "RuntimeError",
      "movedim: Invalid source or destination dims: source " +
        `(${shapeText(ints(source))} dims) should contain the same number of dims as ` +
        `destination (${shapeText(ints(destination))} dims)`,
    );
  }
  for (const [name, dims, given] of [
    ["source", from, source],
    ["destination", to, destination],
  ]) {
    if (new Set(dims).size !== dims.length) {
      raise(
        "RuntimeError",
        `movedim: repeated dim in \`${name}\` (${shapeText(ints(given))})`,
      );
    }
  }
  const order = new Array(n).fill(null);
  to.forEach((dim, i) => {
    order[dim] = from[i];
  });
  const rest = x.shape.map((_, dim) => dim).filter((dim) => !from.includes(dim));
  return permute(
    x,
    order.map((dim) => dim ?? rest.shift()),
  );
}

export const moveaxis = movedim;

export function expand(x, size) {
  const wanted = ints(size);
  const extra = wanted.length - x.shape.length;
  if (extra < 0) {
    raise(
      "RuntimeError",
      `expand(torch.${typeNames[x.dtype.name]}Tensor{${shapeText(x.shape)}}, ` +
        `size=${shapeText(wanted)}): ` +
        `the number of sizes provided (${wanted.length}) must be greater or equal to ` +
        `the number of dimensions in the tensor (${x.shape.length})`,
    );
  }
  const shape = [];
  const stride = [];
  // torch tells of the last dim that does not fit
  for (let dim = wanted.length - 1; dim >= 0; dim--) {
    const target = wanted[dim];
    const own = dim < extra ? 1 : x.shape[dim - extra];
    if (target === -1 && dim < extra) {
      raise(
        "RuntimeError",
        "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing " +
          `dimension ${dim}`,
      );
    }
    const full = target === -1 ? own : target;
    if (own !== full && own !== 1) {
      raise(
        "RuntimeError",
        `The expanded size of the tensor (${full}) must match the existing size (${own}) ` +
          `at non-singleton dimension ${dim}.  Target sizes: ${shapeText(wanted)}.  ` +
          `Tensor sizes: ${shapeText(x.shape)}`,
      );
    }
    shape.unshift(full);
    stride.unshift(dim < extra || own !== full ? 0 : x.stride[dim - extra]);
  }
  return makeView(x, shape, stride, x.offset, "ExpandBackward0", (grad, from) => [
    sumTo(grad, from),
  ]);
}

export const expand_as = (x, other) => expand(x, other.shape);
export const broadcast_to = expand;

export function broadcast_tensors(...tensors) {
  const shape = broadcastShapes(...tensors.map((x) => x.shape));
  return tensors.map((x) => expand(x, shape));
}

export function squeeze(x, dims = null) {
  const n = x.shape.length;
  const chosen = ints(dims)?.map((dim) => wrapDim(dim, n));
  const keep = x.shape
    .map((_, dim) => dim)
    .filter((dim) => x.shape[dim] !== 1 || (chosen && !chosen.includes(dim)));
  return makeView(
    x,
    keep.map((dim) => x.shape[dim]),
    keep.map((dim) => x.stride[dim]),
    x.offset,
    "SqueezeBackward1",
    (grad, from) => [reshape(grad, from)],
  );
}

export function unsqueeze(x, dim) {
  const at = wrapDim(dim, x.shape.length + 1);
  const step = at < x.shape.length ? x.shape[at] * x.stride[at] : 1;
  return makeView(
    x,
    x.shape.toSpliced(at, 0, 1),
    x.stride.toSpliced(at, 0, step),
    x.offset,
    "UnsqueezeBackward0",
    (grad) => [squeeze(grad, at)],
  );
}

// Zeros in the shape `from` with grad where the view `place` of it lies.
function spread(grad, from, place) {
  const stride = contiguousStride(from);
  const whole = { shape: from, stride, offset: 0 };
  return scattered(grad, whole, place(stride));
}

export function select(x, dim, index) {
  if (x.shape.length === 0) {
    raise("IndexError", "select() cannot be applied to a 0-dim tensor.");
  }
  const at = wrapDim(dim, x.shape.length);
  const size = x.shape[at];
  if (index < -size || index >= size) {
    raise(
      "IndexError",
      `select(): index ${index} out of range for tensor of size ${shapeText(x.shape)} ` +
        `at dimension ${at}`,
    );
  }
  const position = index < 0 ? index + size : index;
  const shape = x.shape.toSpliced(at, 1);
  const offset = x.offset + position * x.stride[at];
  return makeView(
    x,
    shape,
    x.stride.toSpliced(at, 1),
    offset,
    "SelectBackward0",
    (grad, old) => [
      spread(grad, old, (stride) => ({
        shape,
        stride: stride.toSpliced(at, 1),
        offset: position * stride[at],
      })),
    ],
  );
}

export function slice(x, dim, start, end, step) {
  if (x.shape.length === 0) {
    raise("RuntimeError", "slice() cannot be applied to a 0-dim tensor.");
  }
  const at = wrapDim(dim, x.shape.length);
  const size = x.shape[at];
  const by = step ?? 1;
  if (by <= 0) {
    raise("ValueError", "step must be greater than zero");
  }
  const clip = (value) => Math.min(Math.max(value < 0 ? value + size : value, 0), size);
  const from = clip(start ?? 0);
  const to = Math.max(clip(end ?? size), from);
  const shape = x.shape.with(at, Math.ceil((to - from) / by));
  const bySteps = (stride) => stride.with(at, stride[at] * by);
  const offset = x.offset + from * x.stride[at];
  return makeView(
    x,
    shape,
    bySteps(x.stride),
    offset,
    "SliceBackward0",
    (grad, old) => [
      spread(grad, old, (stride) => ({
        shape,
        stride: bySteps(stride),
        offset: from * stride[at],
      })),
    ],
  );
}

export function narrow(x, dim, start, length) {
  if (x.shape.length === 0) {
    raise("RuntimeError", "narrow() cannot be applied to a 0-dim tensor.");
  }
  const at = wrapDim(dim, x.shape.length);
  const size = x.shape[at];
  if (length < 0) {
    raise("RuntimeError", "narrow(): length must be non-negative.");
  }
  if (start < -size || start > size) {
    raise(
      "IndexError",
      `start out of range (expected to be in range of [${-size}, ${size}], but got ${start})`,
    );
  }
  const from = start < 0 ? start + size : start;
  if (from + length > size) {
    raise(
      "RuntimeError",
      `start (${from}) + length (${length}) exceeds dimension size (${size}).`,
    );
  }
  return slice(x, at, from, from + length, 1);
}

export function diagonal(x, offset = 0, dim1 = 0, dim2 = 1) {
  const sizes = x.shape;
  const n = sizes.length;
  const a = wrapDim(dim1, n);
  const b = wrapDim(dim2, n);
  if (a === b) {
    raise("RuntimeError", `diagonal dimensions cannot be identical ${dim1}, ${dim2}`);
  }
  const room =
    offset >= 0
      ? Math.min(sizes[a], sizes[b] - offset)
      : Math.min(sizes[a] + offset, sizes[b]);
  const size = Math.max(room, 0);
  const without = (list) => list.filter((_, dim) => dim !== a && dim !== b);
  const place = (stride) => {
    const jump = offset >= 0 ? offset * stride[b] : -offset * stride[a];
    return {
      shape: [...without(sizes), size],
      stride: [...without(stride), stride[a] + stride[b]],
      offset: size === 0 ? 0 : jump,
    };
  };
  const at = place(x.stride);
  return makeView(
    x,
    at.shape,
    at.stride,
    x.offset + at.offset,
    "DiagonalBackward0",
    (grad, old) => [spread(grad, old, place)],
  );
}

// Tensor.unfold: windows of `size` along dim, in a new last dim.
export function unfold_dim(x, dim, size, step) {
  const sizes = x.shape;
  const n = sizes.length;
  const at = wrapDim(dim, n);
  const most = n === 0 ? 1 : sizes[at];
  if (size > most) {
    raise(
      "RuntimeError",
      `maximum size for tensor at dimension ${at} is ${most} but size is ${size}`,
    );
  }
  if (step <= 0) {
    raise("RuntimeError", `step is ${step} but must be > 0`);
  }
  const place = (stride) => ({
    shape:
      n === 0
        ? [size]
        : [...sizes.with(at, Math.floor((most - size) / step) + 1), size],
    stride: n === 0 ? [1] : [...stride.with(at, stride[at] * step), stride[at]],
    offset: 0,
  });
  const own = place(x.stride);
  return makeView(
    x,
    own.shape,
    own.stride,
    x.offset,
    "UnfoldBackward0",
    (grad, old) => [spread(grad, old, place)],
  );
}

export function as_strided(x, size, stride, offset = null) {
  const place = { shape: ints(size), stride: ints(stride), offset: offset ?? x.offset };
  const last = place.shape.reduce(
    (sum, length, dim) => sum + (length - 1) * place.stride[dim],
    place.offset,
  );
  if (numel(place.shape) > 0 && last >= x.storage.data.length) {
    raise(
      "RuntimeError",
      `setStorage: sizes ${shapeText(place.shape)}, strides ${shapeText(place.stride)}, ` +
        `storage offset ${place.offset}, and itemsize ${x.dtype.bytes} requiring a ` +
        "storage size of " +
        `${(last + 1) * x.dtype.bytes} are out of bounds for storage of size ` +
        `${x.storage.data.length * x.dtype.bytes}`,
    );
  }
  const whole = { shape: x.shape, stride: x.stride, offset: x.offset };
  return makeView(
    x,
    place.shape,
    place.stride,
    place.offset,
    "AsStridedBackward0",
    (grad) => [scattered(grad, whole, place)],
  );
}

// Views of one call that torch forbids to change in place.
function several(views, name) {
  views.forEach((part, index) => {
    if (is_grad_enabled()) {
      part.creation = { name, index };
    }
  });
  return views;
}

function cut(x, dim, lengths) {
  let start = 0;
  return lengths.map((length) => {
    const part = slice(x, dim, start, start + length, 1);
    start += length;
    return part;
  });
}

export function split(x, sizes, dim = 0) {
  if (x.shape.length === 0) {
    raise("RuntimeError", "split expects at least a 1-dimensional tensor");
  }
  const at = wrapDim(dim, x.shape.length);
  const total = x.shape[at];
  const given = typeof sizes === "number" ? null : ints(sizes);
  if (given !== null) {
    const sum = given.reduce((a, b) => a + b, 0);
    if (sum !== total || given.some((size) => size < 0)) {
      raise(
        "RuntimeError",
        "split_with_sizes expects split_sizes to sum exactly to " +
          `${total} (input tensor's size at dimension ${dim}), but got split_sizes=` +
          shapeText(given),
      );
    }
    return several(cut(x, at, given), "SplitWithSizes");
  }
  if (sizes < 0) {
    raise(
      "RuntimeError",
      `split expects split_size be non-negative, but got split_size=${sizes}`,
    );
  }
  if (sizes === 0 && total !== 0) {
    raise(
      "RuntimeError",
      "split_size can only be 0 if dimension size is 0, but got dimension size of " +
        `${total}`,
    );
  }
  const count = sizes === 0 ? 1 : Math.max(Math.ceil(total / sizes), 1);
  const lengths = Array.from({ length: count }, (_, i) =>
    Math.min(sizes, total - i * sizes),
  );
  return several(cut(x, at, lengths), "Split");
}

export function chunk(x, chunks, dim = 0) {
  if (x.shape.length === 0) {
    raise("RuntimeError", "chunk expects at least a 1-dimensional tensor");
  }
  if (chunks <= 0) {
    raise(
      "RuntimeError",
      `chunk expects \`chunks\` to be greater than 0, got: ${chunks}`,
    );
  }
  const total = x.shape[wrapDim(dim, x.shape.length)];
  const size = Math.ceil(total / chunks);
  return size === 0 ? split(x, new Array(chunks).fill(0), dim) : split(x, size, dim);
}

export function tensor_split(x, where, dim = 0) {
  if (x.shape.length === 0) {
    raise(
      "RuntimeError",
      "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims",
    );
  }
  const at = wrapDim(dim, x.shape.length);
  const total = x.shape[at];
  if (typeof where === "number") {
    if (where <= 0) {
      raise("RuntimeError", `number of sections must be larger than 0, got ${where}`);
    }
    const small = Math.floor(total / where);
    const larger = total % where;
    const lengths = Array.from(
      { length: where },
      (_, i) => small + (i < larger ? 1 : 0),
    );
    return cut(x, at, lengths);
  }
  const bounds = [...ints(where), total];
  let start = 0;
  return bounds.map((end) => {
    const part = slice(x, at, start, end, 1);
    start = end;
    return part;
  });
}

export function unbind(x, dim = 0) {
  if (x.shape.length === 0) {
    raise("IndexError", "Dimension specified as 0 but tensor has no dimensions");
  }
  const at = wrapDim(dim, x.shape.length);
  const parts = Array.from({ length: x.shape[at] }, (_, i) => select(x, at, i));
  return several(parts, "Unbind");
}

export function alias(x) {
  return makeView(x, x.shape, x.stride, x.offset, "AliasBackward0", (grad) => [grad]);
}

// Shares memory and version, not the history.
export function detach(x) {
  return new Tensor(x.storage, x.offset, x.shape, x.stride, x.dtype);
}

// x.data: shares memory only, so its changes are not noticed by autograd.
export function data(x) {
  const storage = { data: x.storage.data, version: 0 };
  return new Tensor(storage, x.offset, x.shape, x.stride, x.dtype);
}

// x.data = other
export function set_data(x, other) {
  if (x.requires_grad && !other.dtype.floating) {
    raise(
      "RuntimeError",
      "data set to a tensor that requires gradients must be floating point or complex " +
        "dtype",
    );
  }
  x.storage = { data: other.storage.data, version: x.storage.version };
  x.offset = other.offset;
  x.shape = other.shape;
  x.stride = other.stride;
  x.dtype = other.dtype;
  return x;
}

export function clone(x) {
  const out = empty_like_values(x, gather(x));
  return record(out, "CloneBackward0", [x], (grad) => [grad]);
}

export function contiguous(x) {
  if (is_contiguous(x)) {
    return x;
  }
  const out = tensor_from(gather(x), x.shape, x.dtype);
  return record(out, "CloneBackward0", [x], (grad) => [grad]);
}

export function cast(x, type) {
  const out = empty_like_values(x, gather(x), type);
  return record(out, "ToCopyBackward0", [x], (grad) => [grad]);
}

export function to(x, type) {
  const wanted = dtypeOf(type);
  return wanted === null || wanted === x.dtype ? x : cast(x, wanted);
}

// x itself takes the shape of a view of it (t_, unsqueeze_ ...).
export function become(x, make) {
  if (is_grad_enabled() && x.is_leaf && x.requires_grad) {
    raise(
      "RuntimeError",
      "a leaf Variable that requires grad is being used in an in-place operation.",
    );
  }
  const before = new Tensor(x.storage, x.offset, x.shape, x.stride, x.dtype);
  before.node = x.node;
  const turned = make(before);
  const { node } = turned;
  x.shape = turned.shape;
  x.stride = turned.stride;
  x.storage.version++;
  x.node = node;
  return x;
}
