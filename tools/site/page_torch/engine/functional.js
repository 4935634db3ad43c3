// Functions of torch.nn.functional, in torch's order of arguments.
//
// pad(x, pad, mode, value)
// interpolate(x, size, scale_factor, mode, align_corners, recompute_scale_factor,
//   antialias), upsample(x, size, scale_factor, mode, align_corners)
// lp_pool1d(x, norm_type, kernel, stride, ceil_mode), ..2d, ..3d
// pixel_shuffle(x, factor)  pixel_unshuffle(x, factor)  channel_shuffle(x, groups)
// affine_grid(theta, size, align_corners)
// grid_sample(x, grid, mode, padding_mode, align_corners)
// embedding(indices, weight, padding_idx)
// embedding_bag(indices, weight, offsets, mode, per_sample_weights, padding_idx)
// cross_entropy(x, target, weight, ignore_index, reduction, label_smoothing)
// nll_loss(x, target, weight, ignore_index, reduction)
// mse_loss l1_loss (x, target, reduction)  smooth_l1_loss(x, target, reduction, beta)
// huber_loss(x, target, reduction, delta)
// binary_cross_entropy(x, target, weight, reduction)
// binary_cross_entropy_with_logits(x, target, weight, reduction, pos_weight)
// kl_div(x, target, reduction, log_target)
// cosine_similarity(a, b, dim, eps)  normalize(x, p, dim, eps)
// layer_norm(x, shape, weight, bias, eps)  rms_norm(x, shape, weight, eps)
// group_norm(x, groups, weight, bias, eps)
// batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
// instance_norm(x, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)
// local_response_norm(x, size, alpha, beta, k)
// scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal, scale, enable_gqa)
// glu(x, dim)  dropout1d(x, p, train), dropout2d, dropout3d

import {
  adaptiveAvg,
  avg_pool2d,
  avgPool,
  linearMap,
  resample,
} from "./convolution.js";
import {
  abs,
  add,
  clamp,
  div,
  eq,
  exp,
  le,
  log,
  logsigmoid,
  lt,
  mul,
  ne,
  neg,
  pow,
  relu,
  rsqrt,
  sigmoid,
  sign,
  square,
  sub,
  where,
} from "./elementwise.js";
import { cat, repeat_interleave } from "./index.js";
import { bmm, matmul } from "./linear.js";
import { dropout, feature_dropout } from "./random.js";
import {
  all,
  linalg_vector_norm,
  log_softmax,
  max,
  mean,
  softmax,
  sum,
} from "./reduce.js";
import {
  broadcastShapes,
  clone,
  expand,
  ints,
  is_grad_enabled,
  narrow,
  numel,
  permute,
  raise,
  read,
  record,
  reshape,
  sameShape,
  select,
  shapeText,
  squeeze,
  tensor_from,
  to,
  transpose,
  typeNames,
  unsqueeze,
  wrapDim,
  write,
} from "./tensor.js";

const typeName = (x) => typeNames[x.dtype.name];
const missing = (x, name) =>
  raise("NotImplementedError", `"${name}" not implemented for '${typeName(x)}'`);

// Half types are computed as float32 and rounded once.
function precisely(x, fn) {
  return x.dtype.bytes === 2 ? to(fn(to(x, "float32")), x.dtype) : fn(x);
}

// Padding -------------------------------------------------------------------------------

// Where each place of a padded dim comes from; -1 is the constant.
const sourceOf = {
  constant: (at, size) => (at >= 0 && at < size ? at : -1),
  replicate: (at, size) => Math.min(Math.max(at, 0), size - 1),
  // What negative sides cut off is not there to wrap around to.
  circular: (at, size, left, right) => {
    const from = Math.max(-left, 0);
    const room = size - from - Math.max(-right, 0);
    return from + ((at - from + room) % room);
  },
  reflect: (at, size) => {
    const back = Math.abs(at);
    return back < size ? back : 2 * (size - 1) - back;
  },
};

function checkPadding(x, sides, mode, value) {
  const dims = x.shape.length;
  if (sides.length % 2 !== 0) {
    raise("RuntimeError", "Padding length must be divisible by 2");
  }
  if (sides.length > 2 * dims) {
    raise(
      "RuntimeError",
      "Padding length should be less than or equal to two times the input dimension but " +
        `got padding length ${sides.length} and input of dimension ${dims}`,
    );
  }
  if (!(mode in sourceOf)) {
    raise("NotImplementedError", `Unrecognised padding mode ${mode}`);
  }
  if (mode !== "constant" && value !== null) {
    raise("RuntimeError", `Padding mode "${mode}" doesn't take in value argument`);
  }
  const spatial = sides.length / 2;
  if (mode !== "constant" && (spatial < 1 || ![1, 2].includes(dims - spatial))) {
    raise(
      "NotImplementedError",
      `Padding size ${sides.length} is not supported for ${dims}D input tensor.`,
    );
  }
}

function checkSide(x, dim, left, right, mode) {
  const size = x.shape[dim];
  if (mode === "reflect" && (left >= size || right >= size)) {
    raise(
      "RuntimeError",
      `Argument #${2 * (x.shape.length - dim) + 2}: Padding size should be less than the corresponding input dimension, ` +
        `but got: padding (${left}, ${right}) at dimension ${dim} of input ` +
        shapeText(x.shape),
    );
  }
  if (mode === "circular" && (left > size || right > size)) {
    raise("RuntimeError", "Padding value causes wrapping around more than once.");
  }
  if (size + left + right < 0) {
    raise("RuntimeError", "narrow(): length must be non-negative.");
  }
}

export function pad(x, sides_, mode = "constant", value = null) {
  const sides = ints(sides_);
  checkPadding(x, sides, mode, value);
  if (sides.length === 0) {
    return clone(x);
  }
  if ((mode === "reflect" || mode === "replicate") && x.dtype.name === "bool") {
    missing(x, `${mode === "reflect" ? "reflection" : "replication"}_pad`);
  }
  const dims = x.shape.length;
  const count = sides.length / 2;
  const taps = [];
  for (let i = 0; i < count; i++) {
    const dim = dims - 1 - i;
    const [left, right] = sides.slice(2 * i, 2 * i + 2);
    checkSide(x, dim, left, right, mode);
    const size = x.shape[dim];
    const out = size + left + right;
    const source = (_, o) => sourceOf[mode](o - left, size, left, right);
    taps.unshift({ kernel: 1, out, index: Int32Array.from({ length: out }, source) });
  }
  return resample(x, taps, { fill: x.dtype.round(value ?? 0), name: "Pad" });
}

// Resizing ------------------------------------------------------------------------------

const cubic = (a) => (distance) => {
  const d = Math.abs(distance);
  if (d < 1) {
    return ((a + 2) * d - (a + 3)) * d * d + 1;
  }
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
};

const tent = (distance) => Math.max(0, 1 - Math.abs(distance));

// Taps from a list of [place, weight] for each output.
function tapsFrom(lists) {
  const out = lists.length;
  const kernel = Math.max(...lists.map((list) => list.length));
  const index = new Int32Array(kernel * out).fill(-1);
  const weight = new Float64Array(kernel * out);
  lists.forEach((list, o) => {
    list.forEach(([at, share], k) => {
      index[k * out + o] = at;
      weight[k * out + o] = share;
    });
  });
  return { kernel, out, index, weight };
}

// How far apart in the input two neighbors of the output are.
function spacing(size, out, factor, corners) {
  if (corners) {
    return out > 1 ? (size - 1) / (out - 1) : 0;
  }
  return factor > 0 ? 1 / factor : size / out;
}

const placeOf = (o, step, corners) => (corners ? o * step : (o + 0.5) * step - 0.5);

// One dim of a resize: taps of output o, from torch's formulas.
const resizes = {
  nearest: (size, step) => (o) => [
    [Math.min(Math.floor(Math.fround(o * Math.fround(step))), size - 1), 1],
  ],
  "nearest-exact": (size, step) => (o) => [
    [Math.min(Math.floor(Math.fround((o + 0.5) * Math.fround(step))), size - 1), 1],
  ],
  linear: (size, step, corners) => (o) => {
    const at = Math.max(placeOf(o, step, corners), 0);
    const low = Math.min(Math.floor(at), size - 1);
    const share = Math.min(at - low, 1);
    return [
      [low, 1 - share],
      [Math.min(low + 1, size - 1), share],
    ];
  },
  cubic: (size, step, corners) => (o) => {
    const at = placeOf(o, step, corners);
    const low = Math.floor(at);
    const weigh = cubic(-0.75);
    return [-1, 0, 1, 2].map((k) => [
      Math.min(Math.max(low + k, 0), size - 1),
      weigh(at - low - k),
    ]);
  },
};

// A kernel widened by the factor of shrinking, its weights brought to sum 1.
function smooth(size, step, kind) {
  const [filter, reach] = kind === "linear" ? [tent, 1] : [cubic(-0.5), 2];
  const wide = Math.max(step, 1);
  const support = reach * wide;
  return (o) => {
    const center = step * (o + 0.5);
    const from = Math.max(Math.trunc(center - support + 0.5), 0);
    const to = Math.min(Math.trunc(center + support + 0.5), size);
    const list = [];
    for (let at = from; at < to; at++) {
      list.push([at, filter((at - center + 0.5) / wide)]);
    }
    const total = list.reduce((whole, [, share]) => whole + share, 0);
    return list.map(([at, share]) => [at, share / total]);
  };
}

const MODES = {
  nearest: [null, "nearest"],
  "nearest-exact": [null, "nearest-exact"],
  area: [null, "area"],
  linear: [1, "linear"],
  bilinear: [2, "linear"],
  trilinear: [3, "linear"],
  bicubic: [2, "cubic"],
};

function checkResize(x, mode, corners, antialias) {
  const dims = x.shape.length;
  if (
    corners !== null &&
    corners !== undefined &&
    (mode === "area" || mode.startsWith("nearest"))
  ) {
    raise(
      "ValueError",
      "align_corners option can only be set with the interpolating modes: linear | " +
        "bilinear | bicubic | trilinear",
    );
  }
  if (antialias && !(["bilinear", "bicubic"].includes(mode) && dims === 4)) {
    raise(
      "ValueError",
      "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and " +
        "requires a 4-D tensor as input",
    );
  }
  const [wanted] = MODES[mode] ?? [];
  if (
    wanted === undefined ||
    dims < 3 ||
    dims > 5 ||
    (wanted !== null && wanted !== dims - 2)
  ) {
    raise(
      "NotImplementedError",
      wanted && mode !== "bicubic" && dims >= 3 && dims <= 5
        ? `Got ${dims}D input, but ${mode} mode needs ${wanted + 2}D input`
        : "Input Error: Only 3D, 4D and 5D input Tensors supported (got " +
            `${dims}D) for the modes: nearest | linear | bilinear | bicubic | trilinear ` +
            `| lanczos | area | nearest-exact (got ${mode})`,
    );
  }
}

// A list with one entry for each spatial dim; `words` are how torch's message names it.
function resizeList(value, sizes, words) {
  const list = ints(value);
  if (list?.length === 1) {
    return sizes.map(() => list[0]);
  }
  if (list !== null && list.length !== sizes.length) {
    const [what, shape, name] = words;
    raise(
      "ValueError",
      `Input and ${what} must have the same number of spatial dimensions, but got input ` +
        `with spatial dimensions of ${shapeText(sizes)} and ${shape} of ` +
        `${what === "output" ? "" : "shape "}(${value.replaceAll(",", ", ")}). Please provide input tensor ` +
        `in (N, C, d1, d2, ...,dK) format and ${shape} in ` +
        `(${name}1, ${name}2, ...,${name}K) format.`,
    );
  }
  return list;
}

export function interpolate(
  x,
  size_ = null,
  factor_ = null,
  mode = "nearest",
  align_corners = null,
  recompute = null,
  antialias = false,
) {
  if (size_ !== null && factor_ !== null) {
    raise("ValueError", "only one of size or scale_factor should be defined");
  }
  checkResize(x, mode, align_corners, antialias);
  const sizes = x.shape.slice(2);
  const given = resizeList(size_, sizes, ["output", "output size", "o"]);
  const factors = resizeList(factor_, sizes, ["scale_factor", "scale_factor", "s"]);
  if (given === null && factors === null) {
    raise("ValueError", "either size or scale_factor should be defined");
  }
  if (recompute && given !== null) {
    raise(
      "ValueError",
      "recompute_scale_factor is not meaningful with an explicit size.",
    );
  }
  const outs = given ?? sizes.map((size, d) => Math.floor(size * factors[d]));
  if (mode === "area") {
    return adaptiveAvg(sizes.length, x, outs);
  }
  checkOutputs(sizes, outs);
  const [, kind] = MODES[mode];
  if (!x.dtype.floating && !(x.dtype.name === "uint8" && mode.startsWith("nearest"))) {
    const short =
      mode === "bilinear" || (sizes.length === 2 && kind.startsWith("nearest"));
    missing(
      x,
      short
        ? `upsample_${kind.startsWith("nearest") ? "nearest" : mode}2d_channels_last`
        : `compute_indices_weights_${kind.replace("-exact", "")}`,
    );
  }
  const corners = Boolean(align_corners);
  const taps = sizes.map((size, d) => {
    const factor = recompute ? null : (factors?.[d] ?? null);
    const step = spacing(size, outs[d], factor, corners);
    const list = antialias
      ? smooth(size, step, kind)
      : resizes[kind](size, step, corners);
    return tapsFrom(Array.from({ length: outs[d] }, (_, o) => list(o)));
  });
  return resample(x, taps, { name: "Upsample" });
}

function checkOutputs(sizes, outs) {
  if ([...sizes, ...outs].some((size) => size <= 0)) {
    const names = ["D", "H", "W"].slice(3 - sizes.length);
    const text = (list) => names.map((name, d) => `${name}: ${list[d]}`).join(", ");
    raise(
      "RuntimeError",
      `Input and output sizes should be greater than 0, but got input (${text(sizes)}) ` +
        `${sizes.length === 1 ? "and " : ""}output (${text(outs)})`,
    );
  }
}

function lpPool(n, x, p, kernel_, stride, ceilMode) {
  const kernel = ints(kernel_);
  const sizes = kernel.length === 1 ? new Array(n).fill(kernel[0]) : kernel;
  const averages = avgPool(n, pow(x, p), sizes, stride, 0, ceilMode);
  const positive = mul(sign(averages), relu(abs(averages)));
  return pow(mul(positive, numel(sizes)), 1 / p);
}

export const lp_pool1d = (x, p, ...rest) => lpPool(1, x, p, ...rest);
export const lp_pool2d = (x, p, ...rest) => lpPool(2, x, p, ...rest);
export const lp_pool3d = (x, p, ...rest) => lpPool(3, x, p, ...rest);

export const upsample = (x, size, factor, mode, align_corners) =>
  interpolate(x, size, factor, mode, align_corners);

function checkFactor(x, factor, name, word) {
  if (x.shape.length < 3) {
    raise(
      "RuntimeError",
      `${name} expects input to have at least 3 dimensions, but got input with ` +
        `${x.shape.length} dimension(s)`,
    );
  }
  if (factor <= 0) {
    raise("RuntimeError", `${name} expects a positive ${word}, but got ${factor}`);
  }
}

export function pixel_shuffle(x, r) {
  checkFactor(x, r, "pixel_shuffle", "upscale_factor");
  const lead = x.shape.slice(0, -3);
  const [c, h, w] = x.shape.slice(-3);
  if (c % (r * r) !== 0) {
    raise(
      "RuntimeError",
      "pixel_shuffle expects its input's 'channel' dimension to be divisible by the " +
        `square of upscale_factor, but input.size(-3)=${c} is not divisible by ${r * r}`,
    );
  }
  const n = lead.length;
  const blocks = reshape(x, [...lead, c / (r * r), r, r, h, w]);
  const order = [...lead.keys(), n, n + 3, n + 1, n + 4, n + 2];
  return reshape(permute(blocks, order), [...lead, c / (r * r), h * r, w * r]);
}

export function pixel_unshuffle(x, r) {
  checkFactor(x, r, "pixel_unshuffle", "downscale_factor");
  const lead = x.shape.slice(0, -3);
  const [c, h, w] = x.shape.slice(-3);
  for (const [name, size, dim] of [
    ["height", h, -2],
    ["width", w, -1],
  ]) {
    if (size % r !== 0) {
      raise(
        "RuntimeError",
        `pixel_unshuffle expects ${name} to be divisible by downscale_factor, but ` +
          `input.size(${dim})=${size} is not divisible by ${r}`,
      );
    }
  }
  const n = lead.length;
  const blocks = reshape(x, [...lead, c, h / r, r, w / r, r]);
  const order = [...lead.keys(), n, n + 2, n + 4, n + 1, n + 3];
  return reshape(permute(blocks, order), [...lead, c * r * r, h / r, w / r]);
}

export function channel_shuffle(x, groups) {
  if (x.shape.length <= 2) {
    raise(
      "RuntimeError",
      "channel_shuffle expects input with > 2 dims, but got input with sizes " +
        shapeText(x.shape),
    );
  }
  if (groups <= 0) {
    raise(
      "RuntimeError",
      `Number of groups to divide channels in must be positive. Value of groups:${groups}`,
    );
  }
  const [n, c, ...rest] = x.shape;
  if (c % groups !== 0) {
    raise(
      "RuntimeError",
      `Number of channels must be divisible by groups. Got ${c} channels and ${groups} ` +
        "groups.",
    );
  }
  const split = reshape(x, [n, groups, c / groups, numel(rest)]);
  return reshape(transpose(split, 1, 2), x.shape);
}

// Sampling at a grid --------------------------------------------------------------------

const tuple = (list) => `(${list.join(", ")})`;

export function affine_grid(theta, size, align_corners = false) {
  const sizes = ints(size);
  if (!theta.dtype.floating) {
    raise(
      "ValueError",
      `Expected theta to have floating point type, but got torch.${theta.dtype.name}`,
    );
  }
  const n = sizes.length - 2;
  if (n !== 2 && n !== 3) {
    raise(
      "NotImplementedError",
      "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, " +
        `respectively. Got size ${tuple(sizes)}.`,
    );
  }
  if (theta.shape.length !== 3 || !sameShape(theta.shape.slice(1), [n, n + 1])) {
    raise(
      "ValueError",
      `Expected a batch of ${n}D affine matrices of shape Nx${n}x${n + 1} for size ` +
        `${tuple(sizes)}. Got torch.Size(${shapeText(theta.shape)}).`,
    );
  }
  if (sizes.some((s) => s <= 0)) {
    raise("ValueError", `Expected non-zero, positive output size. Got ${tuple(sizes)}`);
  }
  const spatial = sizes.slice(2);
  const count = numel(spatial);
  const points = new Float64Array(count * (n + 1));
  for (let i = 0; i < count; i++) {
    let rest = i;
    for (let d = n - 1; d >= 0; d--) {
      const steps = spatial[d];
      const o = rest % steps;
      rest = Math.floor(rest / steps);
      const edge = align_corners ? 1 : (steps - 1) / steps;
      points[i * (n + 1) + n - 1 - d] =
        steps > 1 ? ((2 * o) / (steps - 1) - 1) * edge : 0;
    }
    points[i * (n + 1) + n] = 1;
  }
  const base = tensor_from(points, [1, count, n + 1], theta.dtype);
  const places = bmm(expand(base, [sizes[0], count, n + 1]), transpose(theta, 1, 2));
  return reshape(places, [sizes[0], ...spatial, n]);
}

// Folds back at the borders: [place, its slope].
function reflected(at, low, high) {
  if (low === high) {
    return [0, 0];
  }
  const span = (high - low) / 2;
  const from = at - low / 2;
  const distance = Math.abs(from);
  const slope = from < 0 ? -1 : 1;
  const extra = distance % span;
  const even = Math.floor(distance / span) % 2 === 0;
  return even ? [extra + low / 2, slope] : [span - extra + low / 2, -slope];
}

function clipped(at, slope, size) {
  if (at <= 0) {
    return [0, 0];
  }
  return at >= size - 1 ? [size - 1, 0] : [at, slope];
}

// A place by the rule of padding: [place, its slope].
function inside(at, size, padding, corners) {
  if (padding === "zeros") {
    return [at, 1];
  }
  if (padding === "border") {
    return clipped(at, 1, size);
  }
  const [place, slope] = corners
    ? reflected(at, 0, 2 * (size - 1))
    : reflected(at, -1, 2 * size - 1);
  return clipped(place, slope, size);
}

// A function of each number with its slope, as one step of the history.
function pointwise(x, fn) {
  const source = read(x);
  const place = new Float64Array(source.length);
  const slope = new Float64Array(source.length);
  for (let i = 0; i < source.length; i++) {
    [place[i], slope[i]] = fn(source[i]);
  }
  const slopes = tensor_from(slope, x.shape, x.dtype);
  const out = tensor_from(place, x.shape, x.dtype);
  return record(out, "GridSamplerBackward0", [x], (grad) => [mul(grad, slopes)]);
}

// What one dim of a grid reads: for each tap its places (-1 outside) and its weight.
function gridTaps(coordinate, size, mode, padding, corners) {
  const { round } = coordinate.dtype;
  const scale = corners ? (size - 1) / 2 : size / 2;
  const shift = corners ? 0 : 0.5;
  const unscale = (value) => round(round(round(value + 1) * scale) - shift);
  const bounded = (at) => (at >= 0 && at < size ? at : -1);
  const late = mode === "bicubic";
  const located = pointwise(coordinate, (value) => {
    const [place, slope] = late
      ? [unscale(value), 1]
      : inside(unscale(value), size, padding, corners);
    return [place, slope * scale];
  });
  const places = read(located);
  if (mode === "nearest") {
    const half = (at) => {
      const low = Math.floor(at);
      return at - low === 0.5 ? low + (low % 2 === 0 ? 0 : 1) : Math.round(at);
    };
    const one = pointwise(coordinate, () => [1, 0]);
    return [{ at: places.map((at) => bounded(half(at))), weight: one }];
  }
  const low = places.map(Math.floor);
  const share = sub(located, tensor_from(low.slice(), located.shape, located.dtype));
  const rest = sub(1, share);
  if (!late) {
    return [
      { at: low.map(bounded), weight: rest },
      { at: low.map((at) => bounded(at + 1)), weight: share },
    ];
  }
  const a = -0.75;
  const near = (d) => add(mul(mul(add(mul(d, a + 2), -(a + 3)), d), d), 1);
  const far = (d) => add(mul(add(mul(add(mul(d, a), -5 * a), d), 8 * a), d), -4 * a);
  const weights = [far(add(share, 1)), near(share), near(rest), far(add(rest, 1))];
  return weights.map((weight, k) => ({
    at: low.map((at) => bounded(inside(at + k - 1, size, padding, corners)[0])),
    weight,
  }));
}

// x [n, c, plane] read at places [n, count]; -1 gives 0.
function readAt(x, places, shape) {
  const [batch, channels] = x.shape;
  const plane = numel(x.shape.slice(2));
  const count = places.length / Math.max(batch, 1);
  const each = (visit) => {
    for (let row = 0; row < batch * channels; row++) {
      const from = Math.floor(row / channels) * count;
      for (let i = 0; i < count; i++) {
        if (places[from + i] >= 0) {
          visit(row * count + i, row * plane + places[from + i]);
        }
      }
    }
  };
  const apply = (image) => {
    const out = new Float64Array(batch * channels * count);
    each((o, i) => {
      out[o] = image[i];
    });
    return out;
  };
  const transposed = (out) => {
    const image = new Float64Array(batch * channels * plane);
    each((o, i) => {
      image[i] += out[o];
    });
    return image;
  };
  return linearMap("GridSamplerBackward0", x, shape, apply, transposed);
}

function checkGrid(x, grid, mode, padding) {
  if (!["bilinear", "nearest", "bicubic"].includes(mode)) {
    raise(
      "ValueError",
      "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or " +
        `'bicubic', but got: '${mode}'`,
    );
  }
  if (!["zeros", "border", "reflection"].includes(padding)) {
    raise(
      "ValueError",
      "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or " +
        `'reflection', but got: '${padding}'`,
    );
  }
  const fail = (text) => raise("RuntimeError", `grid_sampler(): ${text}`);
  const sizes = `input with sizes ${shapeText(x.shape)} and grid with sizes ${shapeText(grid.shape)}`;
  if (x.shape[0] !== grid.shape[0]) {
    fail(`expected grid and input to have same batch size, but got ${sizes}`);
  }
  const dims = x.shape.length;
  if (grid.shape.at(-1) !== dims - 2) {
    fail(
      `expected grid to have size ${dims - 2} in last dimension, but got grid with sizes ` +
        shapeText(grid.shape),
    );
  }
  if ((dims !== 4 && dims !== 5) || grid.shape.length !== dims) {
    const wanted = dims === 5 ? "5D" : "4D";
    fail(
      `expected ${wanted} input and grid with same number of dimensions, but got ${sizes}`,
    );
  }
  if (mode === "bicubic" && dims === 5) {
    fail("bicubic interpolation only supports 4D input");
  }
  const empty = x.shape.indexOf(0, 2);
  if (empty >= 0) {
    fail(
      "expected input to have non-empty spatial dimensions, but input has sizes " +
        `${shapeText(x.shape)} with dimension ${empty} being empty`,
    );
  }
  if (x.dtype !== grid.dtype) {
    raise(
      "RuntimeError",
      `expected scalar type ${typeName(x)} but found ${typeName(grid)}`,
    );
  }
  if (!x.dtype.floating) {
    missing(x, "grid_sampler_2d_cpu_kernel_impl");
  }
}

export function grid_sample(
  x,
  grid,
  mode = "bilinear",
  padding = "zeros",
  align_corners = false,
) {
  checkGrid(x, grid, mode, padding);
  const sizes = x.shape.slice(2);
  const [batch, ...outs] = grid.shape.slice(0, -1);
  const shape = [batch, x.shape[1], ...outs];
  // Each combination of one tap per dim: places in the flat image and weights.
  let corners = [{ at: new Float64Array(batch * numel(outs)), weight: null }];
  sizes.forEach((size, d) => {
    const coordinate = select(grid, -1, sizes.length - 1 - d);
    const taps = gridTaps(coordinate, size, mode, padding, Boolean(align_corners));
    corners = corners.flatMap((corner) =>
      taps.map((tap) => ({
        at: corner.at.map((at, i) =>
          at < 0 || tap.at[i] < 0 ? -1 : at * size + tap.at[i],
        ),
        weight: corner.weight === null ? tap.weight : mul(corner.weight, tap.weight),
      })),
    );
  });
  const parts = corners.map(({ at, weight }) => {
    const values = readAt(x, at, shape);
    return weight === null ? values : mul(values, unsqueeze(weight, 1));
  });
  return parts.reduce((whole, part) => add(whole, part));
}

// Tables -------------------------------------------------------------------------------

function checkIndices(indices, rows) {
  if (indices.dtype.name !== "int64" && indices.dtype.name !== "int32") {
    raise(
      "RuntimeError",
      "Expected tensor for argument #1 'indices' to have one of the following scalar " +
        `types: Long, Int; but got torch.${typeName(indices)}Tensor instead (while ` +
        "checking arguments for embedding)",
    );
  }
  if (read(indices).some((row) => row < 0 || row >= rows)) {
    raise("IndexError", "index out of range in self");
  }
}

// Rows of a table; the row of padding_idx gets no gradient.
export function embedding(indices, weight, padding_idx = null) {
  if (weight.shape.length !== 2) {
    raise("RuntimeError", "'weight' must be 2-D");
  }
  const [rows, width] = weight.shape;
  if (padding_idx !== null && (padding_idx < -rows || padding_idx >= rows)) {
    raise("AssertionError", "Padding_idx must be within num_embeddings");
  }
  checkIndices(indices, rows);
  const silent =
    padding_idx !== null && padding_idx < 0 ? padding_idx + rows : padding_idx;
  const places = read(indices).slice();
  const take = (table) => {
    const out = new Float64Array(places.length * width);
    places.forEach((row, i) => {
      out.set(table.subarray(row * width, (row + 1) * width), i * width);
    });
    return out;
  };
  const give = (grad) => {
    const table = new Float64Array(rows * width);
    places.forEach((row, i) => {
      if (row !== silent) {
        for (let k = 0; k < width; k++) {
          table[row * width + k] += grad[i * width + k];
        }
      }
    });
    return table;
  };
  const shape = [...indices.shape, width];
  return linearMap("EmbeddingBackward0", weight, shape, take, give);
}

function bags(indices, offsets) {
  if (indices.shape.length === 2) {
    if (offsets !== null) {
      raise(
        "ValueError",
        "if input is 2D, then offsets has to be None, as input is treated as a mini-batch of fixed length sequences. However, found offsets of type <class 'torch.Tensor'>",
      );
    }
    const [count, length] = indices.shape;
    return Array.from({ length: count }, (_, i) => [i * length, (i + 1) * length]);
  }
  if (indices.shape.length !== 1) {
    raise(
      "ValueError",
      `input has to be 1D or 2D Tensor, but got Tensor of dimension ${indices.shape.length}`,
    );
  }
  if (offsets === null) {
    raise("ValueError", "offsets has to be a 1D Tensor but got None");
  }
  const starts = [...read(offsets)];
  return starts.map((start, i) => [start, starts[i + 1] ?? numel(indices.shape)]);
}

// Sums, means or largest of the rows of each bag; rows of padding_idx do not count.
export function embedding_bag(
  indices,
  weight,
  offsets = null,
  mode = "mean",
  shares = null,
  padding_idx = null,
) {
  if (!["sum", "mean", "max"].includes(mode)) {
    raise("ValueError", "mode has to be one of sum, mean or max");
  }
  if (shares !== null && mode !== "sum") {
    raise(
      "NotImplementedError",
      "embedding_bag: per_sample_weights was not None. per_sample_weights is only " +
        `supported for mode='sum' (got mode='${mode}'). Please open a feature request on ` +
        "GitHub.",
    );
  }
  const width = weight.shape[1];
  const flat = reshape(indices, [-1]);
  const rows = embedding(flat, weight, padding_idx);
  const scaled = shares === null ? rows : mul(rows, reshape(shares, [-1, 1]));
  const labels = read(flat);
  const silent =
    padding_idx !== null && padding_idx < 0
      ? padding_idx + weight.shape[0]
      : padding_idx;
  const parts = bags(indices, offsets).map(([from, to]) => {
    const kept = [];
    for (let i = from; i < to; i++) {
      if (labels[i] !== silent) {
        kept.push(i);
      }
    }
    if (kept.length === 0) {
      return sum(narrow(scaled, 0, 0, 0), 0, true);
    }
    const chosen = cat(0, ...kept.map((i) => narrow(scaled, 0, i, 1)));
    if (mode === "max") {
      return max(chosen, 0, true)[0];
    }
    return (mode === "mean" ? mean : sum)(chosen, 0, true);
  });
  return parts.length === 0
    ? reshape(narrow(scaled, 0, 0, 0), [0, width])
    : cat(0, ...parts);
}

// Losses --------------------------------------------------------------------------------

function reduced(loss, reduction) {
  if (reduction === "mean") {
    return mean(loss);
  }
  if (reduction === "sum") {
    return sum(loss);
  }
  return reduction === "none"
    ? loss
    : raise("ValueError", `${reduction} is not a valid value for reduction`);
}

function forFloats(x, target, name) {
  if (!x.dtype.floating && !target.dtype.floating) {
    missing(x, name);
  }
}

export function mse_loss(x, target, reduction = "mean") {
  forFloats(x, target, "mse_cpu");
  return reduced(square(sub(x, target)), reduction);
}

export const l1_loss = (x, target, reduction = "mean") =>
  reduced(abs(sub(x, target)), reduction);

export function smooth_l1_loss(x, target, reduction = "mean", beta = 1) {
  if (beta < 0) {
    raise("RuntimeError", "smooth_l1_loss does not support negative values for beta.");
  }
  if (beta === 0) {
    return l1_loss(x, target, reduction);
  }
  forFloats(x, target, "smooth_l1_cpu");
  const distance = abs(sub(x, target));
  const near = mul(square(distance), 0.5 / beta);
  const loss = where(lt(distance, beta), near, add(distance, -beta / 2));
  return reduced(loss, reduction);
}

export function huber_loss(x, target, reduction = "mean", delta = 1) {
  if (delta <= 0) {
    raise("RuntimeError", "huber_loss does not support non-positive values for delta.");
  }
  forFloats(x, target, "huber_cpu");
  const distance = abs(sub(x, target));
  const near = mul(square(distance), 0.5);
  const far = mul(add(distance, -delta / 2), delta);
  return reduced(where(le(distance, delta), near, far), reduction);
}

function weighted(loss, weight) {
  return weight === null ? loss : mul(loss, weight);
}

const sizeText = (x) => `torch.Size(${shapeText(x.shape)})`;

export function binary_cross_entropy(x, target, weight = null, reduction = "mean") {
  if (!sameShape(x.shape, target.shape)) {
    raise(
      "ValueError",
      `Using a target size (${sizeText(target)}) that is different to the input size ` +
        `(${sizeText(x)}) is deprecated. Please ensure they have the same size.`,
    );
  }
  if (target.dtype !== x.dtype) {
    raise(
      "RuntimeError",
      `Found dtype ${typeName(target)} but expected ${typeName(x)}`,
    );
  }
  for (const [name, t] of [
    ["input", x],
    ["target", target],
  ]) {
    if (!read(t).every((value) => value >= 0 && value <= 1)) {
      raise("RuntimeError", `all elements of ${name} should be between 0 and 1`);
    }
  }
  const inputs = read(x);
  const wanted = read(target);
  const floor = (value) => Math.max(value, -100);
  const losses = inputs.map(
    (p, i) => -wanted[i] * floor(Math.log(p)) - (1 - wanted[i]) * floor(Math.log1p(-p)),
  );
  const out = tensor_from(losses, x.shape, x.dtype);
  const loss = record(
    out,
    "BinaryCrossEntropyBackward0",
    [x, target],
    (grad) => {
      const rest = sub(1, x);
      const spread = clamp(mul(rest, x), Math.fround(1e-12), null);
      return [
        x.requires_grad ? mul(grad, div(sub(x, target), spread)) : null,
        target.requires_grad ? mul(grad, sub(log(rest), log(x))) : null,
      ];
    },
    [x, target],
  );
  return reduced(weighted(loss, weight), reduction);
}

export function binary_cross_entropy_with_logits(
  x,
  target,
  weight = null,
  reduction = "mean",
  pos_weight = null,
) {
  if (!sameShape(x.shape, target.shape)) {
    raise(
      "ValueError",
      `Target size (${sizeText(target)}) must be the same as input size (${sizeText(x)})`,
    );
  }
  if (!target.dtype.floating) {
    raise(
      "RuntimeError",
      `result type ${typeName(x)} can't be cast to the desired output type ` +
        typeName(target),
    );
  }
  const negative = sub(1, target);
  const share = pos_weight === null ? 1 : add(mul(add(pos_weight, -1), target), 1);
  const loss = sub(mul(negative, x), mul(share, logsigmoid(x)));
  return reduced(weighted(loss, weight), reduction);
}

export function kl_div(x, target, reduction = "mean", log_target = false) {
  if (!x.dtype.floating || !target.dtype.floating) {
    raise("RuntimeError", "kl_div: Integral inputs not supported.");
  }
  const zero = 0;
  const empty = eq(target, zero);
  const safe = where(empty, 1, target);
  const loss = log_target
    ? mul(exp(target), sub(target, x))
    : sub(where(empty, zero, mul(target, log(safe))), mul(target, x));
  return reduction === "batchmean"
    ? div(sum(loss), x.shape[0] ?? 1)
    : reduced(loss, reduction);
}

function spatialText(x, target, wanted) {
  const text = shapeText(target.shape);
  if (x.shape.length !== 4) {
    return `Expected target size ${shapeText(wanted)}, got ${text}`;
  }
  return target.shape.length === 3
    ? `size mismatch (got input: ${shapeText(x.shape)} , target: ${text}`
    : "only batches of spatial targets supported (3D tensors) but got targets of " +
        `dimension: ${target.shape.length}`;
}

function checkTarget(x, target, weight) {
  const dims = x.shape.length;
  const classes = x.shape[dims === 1 ? 0 : 1];
  if (dims >= 2 && target.shape.length > 0 && x.shape[0] !== target.shape[0]) {
    raise(
      "ValueError",
      `Expected input batch_size (${x.shape[0]}) to match target batch_size ` +
        `(${target.shape[0]}).`,
    );
  }
  if (dims <= 2 && target.shape.length > 1) {
    raise(
      "RuntimeError",
      "0D or 1D target tensor expected, multi-target not supported",
    );
  }
  if (!["int64", "uint8"].includes(target.dtype.name)) {
    raise(
      "RuntimeError",
      `expected target dtype to be Long or Byte, but got ${typeName(target)}`,
    );
  }
  const wanted = [x.shape[0], ...x.shape.slice(2)];
  if (dims > 2 && !sameShape(target.shape, wanted)) {
    raise("RuntimeError", spatialText(x, target, wanted));
  }
  if (weight !== null) {
    if (!sameShape(weight.shape, [classes])) {
      raise(
        "RuntimeError",
        `weight tensor should be defined either for all ${classes} classes or no classes ` +
          `but got weight tensor of shape: ${shapeText(weight.shape)}`,
      );
    }
    if (weight.dtype !== x.dtype) {
      raise(
        "RuntimeError",
        `expected scalar type ${typeName(x)} but found ${typeName(weight)}`,
      );
    }
  }
}

// The weight of each target's class, 0 for the ignored one.
function targetWeights(target, classes, weight, ignored) {
  const shares = weight === null ? null : read(weight);
  return Float64Array.from(read(target), (label) => {
    if (label === ignored) {
      return 0;
    }
    if (label < 0 || label >= classes) {
      raise("IndexError", `Target ${label} is out of bounds.`);
    }
    return shares === null ? 1 : shares[label];
  });
}

export function nll_loss(x, target, weight = null, ignored = -100, reduction = "mean") {
  if (x.shape.length === 0) {
    raise("ValueError", "Expected 1 or more dimensions (got 0)");
  }
  checkTarget(x, target, weight);
  if (!x.dtype.floating) {
    missing(x, "nll_loss_out_frame");
  }
  const classes = x.shape[x.shape.length === 1 ? 0 : 1];
  const labels = read(target).slice();
  const shares = targetWeights(target, classes, weight, ignored);
  const inner = numel(x.shape.slice(2));
  const place = (i) =>
    (Math.floor(i / inner) * classes + labels[i]) * inner + (i % inner);
  const apply = (source) =>
    shares.map((share, i) => (share === 0 ? 0 : -share * source[place(i)]));
  const transposed = (grad) => {
    const out = new Float64Array(numel(x.shape));
    shares.forEach((share, i) => {
      if (share !== 0) {
        out[place(i)] -= share * grad[i];
      }
    });
    return out;
  };
  const shape = x.shape.length === 1 && labels.length === 1 ? [] : target.shape;
  const loss = linearMap("NllLossBackward0", x, shape, apply, transposed);
  if (reduction !== "mean") {
    return reduced(loss, reduction);
  }
  return div(
    sum(loss),
    shares.reduce((a, b) => a + b, 0),
  );
}

export function cross_entropy(
  x,
  target,
  weight = null,
  ignored = -100,
  reduction = "mean",
  smoothing = 0,
) {
  if (smoothing < 0 || smoothing > 1) {
    raise(
      "RuntimeError",
      `label_smoothing must be between 0.0 and 1.0. Got: ${smoothing}`,
    );
  }
  const dim = x.shape.length === 1 ? 0 : 1;
  if (sameShape(x.shape, target.shape)) {
    return likeProbabilities(x, target, weight, ignored, reduction, smoothing, dim);
  }
  checkTarget(x, target, weight);
  const logs = log_softmax(x, dim);
  const sharp = nll_loss(logs, target, weight, ignored, reduction);
  if (smoothing === 0) {
    return sharp;
  }
  const classes = x.shape[dim];
  const shape = x.shape.map((_, d) => (d === dim ? classes : 1));
  const all = weight === null ? logs : mul(logs, reshape(weight, shape));
  const shares = targetWeights(target, classes, weight, ignored);
  const kept = ne(reshape(target, dim === 0 ? [] : target.shape), ignored);
  const flat = where(kept, neg(sum(all, dim)), 0);
  const even =
    reduction === "mean"
      ? div(
          sum(flat),
          shares.reduce((a, b) => a + b, 0),
        )
      : reduced(flat, reduction);
  return add(mul(sharp, 1 - smoothing), mul(even, smoothing / classes));
}

function likeProbabilities(x, target, weight, ignored, reduction, smoothing, dim) {
  if (!target.dtype.floating || x.shape.length === 0) {
    raise(
      "RuntimeError",
      "Expected floating point type for target with class probabilities, got " +
        typeName(target),
    );
  }
  if (ignored >= 0) {
    raise("RuntimeError", "ignore_index is not supported for floating point target");
  }
  const classes = x.shape[dim];
  const logs = log_softmax(x, dim);
  const shares =
    smoothing > 0 ? add(mul(target, 1 - smoothing), smoothing / classes) : target;
  const shape = x.shape.map((_, d) => (d === dim ? classes : 1));
  const parts = weighted(mul(logs, shares), weight && reshape(weight, shape));
  const loss = neg(sum(parts, dim));
  return reduction === "mean"
    ? div(sum(loss), numel(x.shape) / classes)
    : reduced(loss, reduction);
}

// Distances -----------------------------------------------------------------------------

// At least eps, with the gradient of the norm itself.
function atLeast(size, eps) {
  const lift = read(size).map((value) => Math.max(value, eps) - value);
  return add(size, tensor_from(lift, size.shape, size.dtype));
}

export function cosine_similarity(a, b, dim = 1, eps = 1e-8) {
  const one = add(a, mul(b, 0));
  if (!one.dtype.floating) {
    raise(
      "RuntimeError",
      `expected common dtype to be floating point, yet common dtype is ${typeName(one)}`,
    );
  }
  const shape = broadcastShapes(a.shape, b.shape);
  const unit = (x) => {
    const whole = to(expand(x, shape), one.dtype);
    return div(whole, atLeast(linalg_vector_norm(whole, 2, dim, true), eps));
  };
  return sum(mul(unit(a), unit(b)), dim);
}

export function normalize(x, p = 2, dim = 1, eps = 1e-12) {
  return div(x, clamp(linalg_vector_norm(x, p, dim, true), eps, null));
}

// Normalization -------------------------------------------------------------------------

// The mean of u, or of u * v, over the numbers of each b, seen as [a, b, c].
function means([a, b, c], u, v = null) {
  const totals = new Float64Array(b);
  for (let row = 0; row < a * b; row++) {
    let total = 0;
    for (let k = row * c; k < (row + 1) * c; k++) {
      total += v === null ? u[k] : u[k] * v[k];
    }
    totals[row % b] += total;
  }
  return totals.map((total) => total / (a * c));
}

// (u - shift) * scale, with one shift and scale for each b.
function shifted([a, b, c], u, shift, scale) {
  const out = new Float64Array(u.length);
  for (let row = 0; row < a * b; row++) {
    const middle = shift[row % b];
    const factor = scale[row % b];
    for (let k = row * c; k < (row + 1) * c; k++) {
      out[k] = (u[k] - middle) * factor;
    }
  }
  return out;
}

const ones = (count) => new Float64Array(count).fill(1);

// Mean and variance of each b over a and c; without a center the mean square.
function moments(source, sizes, round, center = true) {
  const count = sizes[1];
  const average = center ? means(sizes, source).map(round) : new Float64Array(count);
  const apart = shifted(sizes, source, average, ones(count));
  return [average, means(sizes, apart, apart)];
}

// Brings each b of x, seen as [a, b, c], to mean 0 (if centered) and mean square 1.
function standardize(x, sizes, eps, center = true, stats = null) {
  const [average, spread] = stats ?? moments(read(x), sizes, x.dtype.round, center);
  const scale = spread.map((value) => 1 / Math.sqrt(value + eps));
  const out = tensor_from(shifted(sizes, read(x), average, scale), x.shape, x.dtype);
  const backward = (grad) => [
    is_grad_enabled()
      ? differentiable(grad, x, sizes, eps, center)
      : slopes(grad, x, sizes, average, scale, center),
  ];
  return record(out, "NativeNormBackward0", [x], backward, [x]);
}

// scale * (g - mean(g) - y * mean(g * y)), for each b.
function slopes(grad_, x, sizes, average, scale, center) {
  const grad = read(grad_);
  const y = shifted(sizes, read(x), average, scale);
  const shift = center ? means(sizes, grad) : new Float64Array(sizes[1]);
  const out = shifted(sizes, grad, shift, scale);
  const share = means(sizes, grad, y).map((value, j) => value * scale[j]);
  const [, b, c] = sizes;
  for (let k = 0; k < out.length; k++) {
    out[k] -= y[k] * share[Math.floor(k / c) % b];
  }
  return tensor_from(out, x.shape, x.dtype);
}

// The same of tensors, for a gradient of the gradient.
function differentiable(grad, x, sizes, eps, center) {
  const over = (t) => mean(t, [0, 2], true);
  const centered = (t) => (center ? sub(t, over(t)) : t);
  const blocks = centered(reshape(x, sizes));
  const g = reshape(grad, sizes);
  const scale = rsqrt(add(over(square(blocks)), eps));
  const y = mul(blocks, scale);
  const inner = sub(centered(g), mul(y, over(mul(g, y))));
  return reshape(mul(scale, inner), x.shape);
}

function affine(x, weight, bias, shape) {
  const scaled = weight === null ? x : mul(x, reshape(weight, shape));
  return bias === null ? scaled : add(scaled, reshape(bias, shape));
}

// Parameters have the input's dtype, or float32 for an input of a half type.
function checkParameters(x, ...parameters) {
  for (const t of parameters) {
    if (t !== null && t.dtype !== x.dtype) {
      if (t.dtype.name !== "float32") {
        raise(
          "RuntimeError",
          "mixed dtype (CPU): expect parameter to have scalar type of Float",
        );
      }
      if (x.dtype.bytes !== 2) {
        raise(
          "RuntimeError",
          "mixed dtype (CPU): all inputs must share same datatype.",
        );
      }
    }
  }
}

function checkNormalized(x, shape, parameters, star) {
  if (shape.length === 0) {
    raise(
      "RuntimeError",
      "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least " +
        "one element, but got normalized_shape = []",
    );
  }
  for (const [name, t] of parameters) {
    if (t !== null && !sameShape(t.shape, shape)) {
      raise(
        "RuntimeError",
        `Expected ${name} to be of same shape as normalized_shape, but got ${name} of ` +
          `shape ${shapeText(t.shape)} and normalized_shape = ${shapeText(shape)}`,
      );
    }
  }
  const tail = x.shape.slice(-shape.length);
  if (!sameShape(tail, shape)) {
    raise(
      "RuntimeError",
      `Given normalized_shape=${shapeText(shape)}, expected input with shape ` +
        `[*${star}${shape.join(", ")}], but got input of size${shapeText(x.shape)}`,
    );
  }
}

export function layer_norm(
  x,
  normalized_shape,
  weight = null,
  bias = null,
  eps = 1e-5,
) {
  const shape = ints(normalized_shape);
  checkNormalized(
    x,
    shape,
    [
      ["weight", weight],
      ["bias", bias],
    ],
    ", ",
  );
  if (!x.dtype.floating) {
    missing(x, "LayerNormKernelImpl");
  }
  checkParameters(x, weight, bias);
  const width = numel(shape);
  const sizes = [1, numel(x.shape.slice(0, -shape.length)), width];
  return precisely(x, (t) => affine(standardize(t, sizes, eps), weight, bias, shape));
}

const EPSILON = {
  float64: 2 ** -52,
  float32: 2 ** -23,
  float16: 2 ** -23,
  bfloat16: 2 ** -23,
};

export function rms_norm(x, normalized_shape, weight = null, eps = null) {
  const shape = ints(normalized_shape);
  checkNormalized(x, shape, [["weight", weight]], "");
  if (!x.dtype.floating) {
    missing(x, "rms_norm");
  }
  const sizes = [1, numel(x.shape.slice(0, -shape.length)), numel(shape)];
  const least = eps ?? EPSILON[x.dtype.name];
  const result = precisely(x, (t) =>
    affine(standardize(t, sizes, least, false), weight, null, shape),
  );
  return to(result, x.dtype);
}

const channelShape = (x) => x.shape.map((_, dim) => (dim === 1 ? x.shape[1] : 1));

export function group_norm(x, groups, weight = null, bias = null, eps = 1e-5) {
  const [batch, channels, ...rest] = x.shape;
  if (x.shape.length < 2) {
    raise(
      "RuntimeError",
      `Expected at least 2 dimensions for input tensor but received ${x.shape.length}`,
    );
  }
  if (groups === 0) {
    raise("ZeroDivisionError", "integer division or modulo by zero");
  }
  const viewed = [Math.floor((batch * channels) / groups), groups, ...rest];
  checkCount(viewed, shapeText(viewed));
  if (groups < 0 || channels % groups !== 0) {
    raise(
      "RuntimeError",
      "Expected number of channels in input to be divisible by num_groups, but got input " +
        `of shape ${shapeText(x.shape)} and num_groups=${groups}`,
    );
  }
  for (const [name, t] of [
    ["weight", weight],
    ["bias", bias],
  ]) {
    if (t !== null && !sameShape(t.shape, [channels])) {
      raise(
        "RuntimeError",
        `Expected ${name} to be a vector of size equal to the number of channels in ` +
          `input, but got ${name} of shape ${shapeText(t.shape)} and input of shape ` +
          shapeText(x.shape),
      );
    }
  }
  if (!x.dtype.floating) {
    missing(x, "GroupNormKernelImpl");
  }
  checkParameters(x, weight, bias);
  const sizes = [1, batch * groups, (channels / groups) * numel(rest)];
  return precisely(x, (t) =>
    affine(standardize(t, sizes, eps), weight, bias, channelShape(x)),
  );
}

// One number alone has no variance.
function checkCount(sizes, text) {
  if (sizes[0] * numel(sizes.slice(2)) === 1) {
    raise(
      "ValueError",
      `Expected more than 1 value per channel when training, got input size ${text}`,
    );
  }
}

// running = (1 - momentum) * running + momentum * fresh, in place.
function follow(running, fresh, momentum) {
  if (running !== null) {
    const old = read(running);
    write(
      running,
      fresh.map((value, i) => (1 - momentum) * old[i] + momentum * value),
    );
    running.storage.version++;
  }
}

function byRunning(x, running_mean, running_var, weight, bias, eps) {
  const shape = channelShape(x);
  const scale = rsqrt(add(to(running_var, x.dtype), eps));
  const centered = sub(x, reshape(to(running_mean, x.dtype), shape));
  return affine(mul(centered, reshape(scale, shape)), weight, bias, shape);
}

export function batch_norm(
  x,
  running_mean = null,
  running_var = null,
  weight = null,
  bias = null,
  training = false,
  momentum = 0.1,
  eps = 1e-5,
) {
  if (training) {
    checkCount(x.shape, `torch.Size(${shapeText(x.shape)})`);
  }
  const channels = x.shape[1] ?? 0;
  const named = { running_mean, running_var, weight, bias };
  for (const [name, t] of Object.entries(named)) {
    if (t === null) {
      if (!training && name.startsWith("running")) {
        raise("RuntimeError", `${name} must be defined in evaluation mode`);
      }
    } else if (numel(t.shape) !== channels) {
      raise(
        "RuntimeError",
        `${name} should contain ${channels} elements not ${numel(t.shape)}`,
      );
    }
  }
  if (!x.dtype.floating) {
    missing(x, "batch_norm");
  }
  checkParameters(x, ...Object.values(named));
  return precisely(x, (t) => {
    if (!training) {
      return byRunning(t, running_mean, running_var, weight, bias, eps);
    }
    const sizes = [x.shape[0], channels, numel(x.shape.slice(2))];
    const count = sizes[0] * sizes[2];
    const stats = moments(read(t), sizes, t.dtype.round);
    follow(running_mean, stats[0], momentum);
    follow(
      running_var,
      stats[1].map((value) => (value * count) / (count - 1)),
      momentum,
    );
    return affine(
      standardize(t, sizes, eps, true, stats),
      weight,
      bias,
      channelShape(x),
    );
  });
}

export function instance_norm(
  x,
  running_mean = null,
  running_var = null,
  weight = null,
  bias = null,
  use_input_stats = true,
  momentum = 0.1,
  eps = 1e-5,
) {
  const [batch, channels, ...rest] = x.shape;
  const width = numel(rest);
  if (!use_input_stats) {
    if (running_mean === null || running_var === null) {
      raise(
        "RuntimeError",
        "Expected running_mean and running_var to be defined when use_input_stats is false",
      );
    }
    return batch_norm(x, running_mean, running_var, weight, bias, false, momentum, eps);
  }
  if (width === 1) {
    raise(
      "ValueError",
      "Expected more than 1 spatial element when training, got input size " +
        `torch.Size(${shapeText(x.shape)})`,
    );
  }
  for (const [name, t] of Object.entries({ running_mean, running_var, weight, bias })) {
    if (t !== null && numel(t.shape) !== channels) {
      raise(
        "RuntimeError",
        `${name} should contain ${batch * channels} elements not ${batch * numel(t.shape)}`,
      );
    }
  }
  if (!x.dtype.floating) {
    missing(x, "batch_norm");
  }
  checkParameters(x, running_mean, running_var, weight, bias);
  return precisely(x, (t) => {
    const sizes = [1, batch * channels, width];
    const stats = moments(read(t), sizes, t.dtype.round);
    const overBatch = (list, factor) =>
      Float64Array.from({ length: channels }, (_, c) => {
        let total = 0;
        for (let n = 0; n < batch; n++) {
          total += list[n * channels + c] * factor;
        }
        return total / batch;
      });
    follow(running_mean, overBatch(stats[0], 1), momentum);
    follow(running_var, overBatch(stats[1], width / (width - 1)), momentum);
    return affine(
      standardize(t, sizes, eps, true, stats),
      weight,
      bias,
      channelShape(x),
    );
  });
}

export function local_response_norm(x, size, alpha = 1e-4, beta = 0.75, k = 1) {
  const dims = x.shape.length;
  if (dims < 3) {
    raise(
      "ValueError",
      `Expected 3D or higher dimensionality                          input (got ${dims} ` +
        "dimensions)",
    );
  }
  if (numel(x.shape) === 0) {
    return x;
  }
  const [n, c, ...rest] = x.shape;
  const before = Math.floor(size / 2);
  const squares = reshape(square(x), [n, 1, c, numel(rest)]);
  const padded = pad(squares, [0, 0, before, size - 1 - before]);
  const averages = reshape(avg_pool2d(padded, [size, 1], 1), x.shape);
  return div(x, pow(add(mul(averages, alpha), k), beta));
}

// Attention -----------------------------------------------------------------------------

const longName = {
  int64: "long int",
  float64: "double",
  float32: "float",
  bool: "bool",
};
const wordOf = (x) => longName[x.dtype.name] ?? x.dtype.name;

function checkAttention(query, key, value, mask, causal) {
  const all = [query, key, value];
  if (all.some((t) => t.dtype !== query.dtype)) {
    raise(
      "RuntimeError",
      "Expected query, key, and value to have the same dtype, but got query.dtype: " +
        `${wordOf(query)} key.dtype: ${wordOf(key)} and value.dtype: ${wordOf(value)} ` +
        "instead.",
    );
  }
  if (all.some((t) => t.shape.length < 2)) {
    const [q, k, v] = all.map((t) => t.shape.length);
    raise(
      "RuntimeError",
      "Expected query, key, and value to all be  at least 2 dimensional, but got " +
        `query.dim: ${q} key.dim: ${k} and value.dim: ${v} instead.`,
    );
  }
  if (mask !== null) {
    if (!["bool", "float32", query.dtype.name].includes(mask.dtype.name)) {
      raise(
        "RuntimeError",
        "Expected attn_mask dtype to be bool or float or to match query dtype, but got " +
          `attn_mask.dtype: ${wordOf(mask)} and  query.dtype: ${wordOf(query)} instead.`,
      );
    }
    // With four dims torch's own kernel takes both.
    if (causal && query.shape.length !== 4) {
      raise(
        "RuntimeError",
        "_scaled_dot_product_attention: Explicit attn_mask should not be set when " +
          "is_causal=True",
      );
    }
  }
}

function causalMask(rows, columns) {
  const keep = new Float64Array(rows * columns).map((_, i) =>
    i % columns <= Math.floor(i / columns) ? 1 : 0,
  );
  return tensor_from(keep, [rows, columns], "bool");
}

// Grouped queries: each head of key and value serves several of the queries.
function shared(query, t) {
  const heads = query.shape.at(-3);
  const own = t.shape.at(-3);
  if (own === undefined || heads === undefined || heads % own !== 0) {
    raise(
      "RuntimeError",
      "Number of heads in key and value must divide the number of heads in ",
    );
  }
  return heads === own ? t : repeat_interleave(t, heads / own, t.shape.length - 3);
}

export function scaled_dot_product_attention(
  query,
  key_,
  value_,
  attn_mask = null,
  dropout_p = 0,
  is_causal = false,
  scale = null,
  enable_gqa = false,
) {
  checkAttention(query, key_, value_, attn_mask, is_causal);
  if (!query.dtype.floating) {
    raise("RuntimeError", `expected scalar type Float but found ${typeName(query)}`);
  }
  const key = enable_gqa ? shared(query, key_) : key_;
  const value = enable_gqa ? shared(query, value_) : value_;
  const factor = scale ?? 1 / Math.sqrt(query.shape.at(-1));
  let scores = mul(matmul(query, transpose(key, -2, -1)), factor);
  const masks = attn_mask === null ? [] : [attn_mask];
  if (is_causal) {
    masks.push(causalMask(query.shape.at(-2), key.shape.at(-2)));
  }
  if (masks.length === 0) {
    return matmul(dropped(softmax(scores, -1), dropout_p), value);
  }
  for (const mask of masks) {
    scores =
      mask.dtype.name === "bool"
        ? where(mask, scores, -Infinity)
        : add(scores, to(mask, scores.dtype));
  }
  // A row that may look at nothing gives zeros.
  const blind = all(eq(scores, -Infinity), -1, true);
  const shares = softmax(where(blind, 0, scores), -1);
  return matmul(dropped(where(blind, 0, shares), dropout_p), value);
}

const dropped = (x, p) => (p > 0 ? dropout(x, p, true) : x);

export function glu(x, dim = -1) {
  if (x.shape.length === 0) {
    raise(
      "RuntimeError",
      "glu does not support scalars because halving size must be even",
    );
  }
  const at = wrapDim(dim, x.shape.length);
  const size = x.shape[at];
  if (size % 2 !== 0) {
    raise(
      "RuntimeError",
      `Halving dimension must be even, but dimension ${at} is size ${size}`,
    );
  }
  if (!x.dtype.floating) {
    missing(x, "glu_cpu");
  }
  const half = size / 2;
  return mul(narrow(x, at, 0, half), sigmoid(narrow(x, at, half, half)));
}

export function dropout1d(x, p = 0.5, training = true) {
  const dims = x.shape.length;
  if (dims !== 2 && dims !== 3) {
    raise(
      "RuntimeError",
      `dropout1d: Expected 2D or 3D input, but received a ${dims}D input. Note that ` +
        "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial " +
        "dimension, a channel dimension, and an optional batch dimension (i.e. 2D or 3D " +
        "inputs).",
    );
  }
  return dims === 2
    ? squeeze(feature_dropout(unsqueeze(x, 0), p, training), 0)
    : feature_dropout(x, p, training);
}

export const dropout2d = (x, p = 0.5, training = true) =>
  feature_dropout(x, p, training);

export function dropout3d(x, p = 0.5, training = true) {
  return x.shape.length === 4
    ? squeeze(feature_dropout(unsqueeze(x, 0), p, training), 0)
    : feature_dropout(x, p, training);
}
