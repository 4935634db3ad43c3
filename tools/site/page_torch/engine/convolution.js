// Convolution, sliding blocks and pooling. Sizes are lists ("2,2") or one number.
//
// conv1d, conv2d, conv3d(x, weight, bias, stride, padding, dilation, groups); padding
//   may be "same" or "valid"
// conv_transpose1d, ..2d, ..3d(x, weight, bias, stride, padding, output_padding, groups,
//   dilation)
// unfold(x, kernel, dilation, padding, stride) of torch.nn.functional; Tensor.unfold is
//   in index.js
// fold(x, output, kernel, dilation, padding, stride)
// max_pool1d, ..2d, ..3d(x, kernel, stride, padding, dilation, ceil_mode, return_indices)
//   give one tensor, or [values, indices] if return_indices
// max_unpool1d, ..2d, ..3d(x, indices, kernel, stride, padding, output_size)
// avg_pool1d, ..2d, ..3d(x, kernel, stride, padding, ceil_mode, count_include_pad,
//   divisor_override)
// adaptive_avg_pool1d, ..2d, ..3d(x, output), where "None" keeps a size
// adaptive_max_pool1d, ..2d, ..3d(x, output, return_indices)
// resample(x, taps, {divisors, fill}): weighted sums along the last dims, for functional.js
//
// A window along one dim is described by "taps": {kernel, out, index, weight}, where
// index[k * out + o] is the place that tap k of output o reads, or -1 for padding.

import {
  ints,
  notHere,
  numel,
  raise,
  read,
  record,
  reshape,
  sameShape,
  shapeText,
  squeeze,
  sumTo,
  tensor_from,
  typeNames,
  unsqueeze,
  wrapDim,
} from "./tensor.js";

// A linear map of the numbers and its transpose, each the gradient of the other.
export function linearMap(name, x, shape, apply, transpose) {
  const out = tensor_from(apply(read(x)), shape, x.dtype);
  return record(out, name, [x], (grad) => [
    linearMap(name, grad, x.shape, transpose, apply),
  ]);
}

// out[i, :] += sum over p of a[i, p] * b[p, :], with a's steps given.
function addProduct(out, at, rows, width, a, from, stepRow, stepDepth, b, depth) {
  for (let i = 0; i < rows; i++) {
    const o = at + i * width;
    const row = from + i * stepRow;
    let p = 0;
    for (; p + 3 < depth; p += 4) {
      const a0 = a[row + p * stepDepth];
      const a1 = a[row + (p + 1) * stepDepth];
      const a2 = a[row + (p + 2) * stepDepth];
      const a3 = a[row + (p + 3) * stepDepth];
      const b0 = p * width;
      const b1 = b0 + width;
      const b2 = b1 + width;
      const b3 = b2 + width;
      for (let j = 0; j < width; j++) {
        out[o + j] += a0 * b[b0 + j] + a1 * b[b1 + j] + a2 * b[b2 + j] + a3 * b[b3 + j];
      }
    }
    for (; p < depth; p++) {
      const value = a[row + p * stepDepth];
      const b0 = p * width;
      for (let j = 0; j < width; j++) {
        out[o + j] += value * b[b0 + j];
      }
    }
  }
}

// out[i, p] += sum over j of a[i, j] * b[p, j].
function addDots(out, at, rows, depth, a, from, b, width) {
  for (let i = 0; i < rows; i++) {
    const row = from + i * width;
    const o = at + i * depth;
    let p = 0;
    for (; p + 3 < depth; p += 4) {
      const b0 = p * width;
      const b1 = b0 + width;
      const b2 = b1 + width;
      const b3 = b2 + width;
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      let sum3 = 0;
      for (let j = 0; j < width; j++) {
        const value = a[row + j];
        sum0 += value * b[b0 + j];
        sum1 += value * b[b1 + j];
        sum2 += value * b[b2 + j];
        sum3 += value * b[b3 + j];
      }
      out[o + p] += sum0;
      out[o + p + 1] += sum1;
      out[o + p + 2] += sum2;
      out[o + p + 3] += sum3;
    }
    for (; p < depth; p++) {
      let total = 0;
      for (let j = 0; j < width; j++) {
        total += a[row + j] * b[p * width + j];
      }
      out[o + p] += total;
    }
  }
}

function windowTaps(size, kernel, stride, padding, dilation, out) {
  const index = new Int32Array(kernel * out);
  for (let k = 0; k < kernel; k++) {
    for (let o = 0; o < out; o++) {
      const at = o * stride - padding + k * dilation;
      index[k * out + o] = at >= 0 && at < size ? at : -1;
    }
  }
  return { kernel, out, index };
}

// Output o of n reads from floor(o * size / n) up to ceil((o + 1) * size / n).
function adaptiveTaps(size, out) {
  const start = (o) => Math.floor((o * size) / out);
  const length = (o) => Math.ceil(((o + 1) * size) / out) - start(o);
  let kernel = 0;
  for (let o = 0; o < out; o++) {
    kernel = Math.max(kernel, length(o));
  }
  const index = new Int32Array(kernel * out);
  for (let k = 0; k < kernel; k++) {
    for (let o = 0; o < out; o++) {
      index[k * out + o] = k < length(o) ? start(o) + k : -1;
    }
  }
  return { kernel, out, index };
}

// The taps of several dims as those of one flat image: what reads what.
function plan(taps, sizes) {
  let whole = { kernel: 1, out: 1, index: new Int32Array(1) };
  taps.forEach((tap, dim) => {
    const kernel = whole.kernel * tap.kernel;
    const out = whole.out * tap.out;
    const index = new Int32Array(kernel * out);
    let i = 0;
    for (let k = 0; k < whole.kernel; k++) {
      for (let kd = 0; kd < tap.kernel; kd++) {
        for (let o = 0; o < whole.out; o++) {
          const outer = whole.index[k * whole.out + o];
          for (let od = 0; od < tap.out; od++) {
            const inner = tap.index[kd * tap.out + od];
            index[i++] = outer < 0 || inner < 0 ? -1 : outer * sizes[dim] + inner;
          }
        }
      }
    }
    whole = { kernel, out, index };
  });
  whole.plane = numel(sizes);
  return whole;
}

const windows = (sizes, kernel, stride, padding, dilation, outs) =>
  plan(
    sizes.map((size, d) =>
      windowTaps(size, kernel[d], stride[d], padding[d], dilation[d], outs[d]),
    ),
    sizes,
  );

// columns[plane, k, o] = image[plane, index[k, o]]
function gatherColumns(image, from, planes, { index, plane }, columns) {
  const count = index.length;
  for (let p = 0; p < planes; p++) {
    const source = from + p * plane;
    const target = p * count;
    for (let i = 0; i < count; i++) {
      const at = index[i];
      columns[target + i] = at < 0 ? 0 : image[source + at];
    }
  }
  return columns;
}

// The transpose: image[plane, index[k, o]] += columns[plane, k, o]
function scatterColumns(columns, image, from, planes, { index, plane }) {
  const count = index.length;
  for (let p = 0; p < planes; p++) {
    const source = p * count;
    const target = from + p * plane;
    for (let i = 0; i < count; i++) {
      const at = index[i];
      if (at >= 0) {
        image[target + at] += columns[source + i];
      }
    }
  }
  return image;
}

// Calls visit(sample, group) for each.
function eachGroup(batch, groups, visit) {
  for (let n = 0; n < batch; n++) {
    for (let group = 0; group < groups; group++) {
      visit(n, group);
    }
  }
}

// Starts rows of `width` numbers at the bias of their channel.
function biased(batch, channels, width, bias) {
  const out = new Float64Array(batch * channels * width);
  if (bias !== null) {
    const start = read(bias);
    for (let row = 0; row < batch * channels; row++) {
      out.fill(start[row % channels], row * width, (row + 1) * width);
    }
  }
  return out;
}

const wanted = (t, make) => (t.requires_grad ? make() : null);
const channelSum = (grad) => {
  const channels = grad.shape[1];
  const shape = grad.shape.map((_, dim) => (dim === 1 ? channels : 1));
  return reshape(sumTo(grad, shape), [channels]);
};

// The three maps of a convolution: image with kernel gives outputs, outputs with kernel
// give an image, image with outputs gives a kernel. Each is the others' gradient.
// g: {sizes, kernel, outs, groups, plan}; `images` have sizes, `outputs` have outs.
function toOutputs(images, weight, bias, g) {
  const [batch, channels] = images.shape;
  const { groups, plan: map } = g;
  const rows = weight.shape[0] / groups;
  const each = channels / groups;
  const depth = each * map.kernel;
  const image = read(images);
  const kernel = read(weight);
  const out = biased(batch, rows * groups, map.out, bias);
  const columns = new Float64Array(depth * map.out);
  eachGroup(batch, groups, (n, group) => {
    const block = n * groups + group;
    gatherColumns(image, block * each * map.plane, each, map, columns);
    const at = block * rows * map.out;
    const from = group * rows * depth;
    addProduct(out, at, rows, map.out, kernel, from, depth, 1, columns, depth);
  });
  const result = tensor_from(out, [batch, rows * groups, ...g.outs], images.dtype);
  return recordMap(result, images, weight, bias, (grad) => [
    wanted(images, () => toImages(grad, weight, null, g)),
    wanted(weight, () => toKernel(images, grad, g)),
  ]);
}

function toImages(outputs, weight, bias, g) {
  const [batch, channels] = outputs.shape;
  const { groups, plan: map } = g;
  const rows = channels / groups;
  const each = weight.shape[1];
  const depth = each * map.kernel;
  const values = read(outputs);
  const kernel = read(weight);
  const image = biased(batch, each * groups, map.plane, bias);
  const columns = new Float64Array(depth * map.out);
  const part = new Float64Array(rows * map.out);
  eachGroup(batch, groups, (n, group) => {
    const block = n * groups + group;
    const from = block * rows * map.out;
    part.set(values.subarray(from, from + part.length));
    columns.fill(0);
    const at = group * rows * depth;
    addProduct(columns, 0, depth, map.out, kernel, at, 1, depth, part, rows);
    scatterColumns(columns, image, block * each * map.plane, each, map);
  });
  const result = tensor_from(image, [batch, each * groups, ...g.sizes], outputs.dtype);
  return recordMap(result, outputs, weight, bias, (grad) => [
    wanted(outputs, () => toOutputs(grad, weight, null, g)),
    wanted(weight, () => toKernel(grad, outputs, g)),
  ]);
}

function toKernel(images, outputs, g) {
  const [batch, channels] = images.shape;
  const { groups, plan: map } = g;
  const rows = outputs.shape[1] / groups;
  const each = channels / groups;
  const depth = each * map.kernel;
  const image = read(images);
  const values = read(outputs);
  const kernel = new Float64Array(rows * groups * depth);
  const columns = new Float64Array(depth * map.out);
  eachGroup(batch, groups, (n, group) => {
    const block = n * groups + group;
    gatherColumns(image, block * each * map.plane, each, map, columns);
    const at = group * rows * depth;
    addDots(kernel, at, rows, depth, values, block * rows * map.out, columns, map.out);
  });
  const shape = [rows * groups, each, ...g.kernel];
  const result = tensor_from(kernel, shape, images.dtype);
  return recordMap(result, images, outputs, null, (grad) => [
    wanted(images, () => toImages(outputs, grad, null, g)),
    wanted(outputs, () => toOutputs(images, grad, null, g)),
  ]);
}

function recordMap(result, first, second, bias, backward) {
  const name = "ConvolutionBackward0";
  const saved = [first, second];
  if (bias === null) {
    return record(result, name, saved, backward, saved);
  }
  const withBias = (grad) => [...backward(grad), wanted(bias, () => channelSum(grad))];
  return record(result, name, [...saved, bias], withBias, saved);
}

const WORDS = ["", "one", "two", "three"];

// One number stands for all dims.
function spread(value, n, complain) {
  const list = ints(value);
  if (list.length === 1) {
    return new Array(n).fill(list[0]);
  }
  return list.length === n ? list : complain(list);
}

function convolutionList(value, n, name) {
  return spread(value, n, (list) =>
    raise(
      "RuntimeError",
      `expected ${name} to be a single integer value or a list of ${n} values to match ` +
        `the convolution dimensions, but got ${name}=${shapeText(list)}`,
    ),
  );
}

// Input with its batch, and how to take the batch off again.
function batched(x, n, name) {
  const dims = x.shape.length;
  if (dims !== n + 1 && dims !== n + 2) {
    raise(
      "RuntimeError",
      `Expected ${n + 1}D (unbatched) or ${n + 2}D (batched) input to ${name}, but got ` +
        `input of size: ${shapeText(x.shape)}`,
    );
  }
  return dims === n + 2
    ? [x, (result) => result]
    : [unsqueeze(x, 0), (result) => squeeze(result, 0)];
}

function checkPositive(list, text) {
  if (list.some((value) => value <= 0)) {
    raise("RuntimeError", text);
  }
}

function checkTypes(x, weight, bias) {
  const name = (t) => typeNames[t.dtype.name];
  if (bias !== null && bias.dtype !== x.dtype) {
    const words = {
      Double: "double",
      Float: "float",
      Long: "long int",
      Half: "c10::Half",
    };
    const word = (t) => words[name(t)] ?? name(t);
    raise(
      "RuntimeError",
      `Input type (${word(x)}) and bias type (${word(bias)}) should be the same`,
    );
  }
  if (weight.dtype !== x.dtype) {
    raise("RuntimeError", `expected scalar type ${name(x)} but found ${name(weight)}`);
  }
  if (x.dtype.name === "bool") {
    raise("NotImplementedError", `"slow_conv2d_cpu" not implemented for 'Bool'`);
  }
}

// What torch asks of weight, groups, bias, stride, padding and dilation alike.
function checkConvolution(x, weight, bias, n, options, transposed) {
  const { stride, padding, dilation, groups } = options;
  checkTypes(x, weight, bias);
  if (groups <= 0) {
    raise("RuntimeError", "non-positive groups is not supported");
  }
  if (weight.shape.length !== n + 2) {
    convolutionList(stride, weight.shape.length - 2, "stride");
    raise("RuntimeError", `weight should have ${n + 2} dimensions`);
  }
  if (padding.some((value) => value < 0)) {
    raise("RuntimeError", "negative padding is not supported");
  }
  checkPositive(stride, "non-positive stride is not supported");
  checkPositive(
    dilation,
    `dilation should be greater than zero, but got ${shapeText(dilation)}`,
  );
  const text = shapeText(weight.shape);
  if (weight.shape[0] < groups) {
    raise(
      "RuntimeError",
      `Given groups=${groups}, expected weight to be at least ${groups} at dimension 0, ` +
        `but got weight of size ${text} instead`,
    );
  }
  if (weight.shape[0] % groups !== 0) {
    raise(
      "RuntimeError",
      `Given groups=${groups}, expected weight to be divisible by ${groups} at ` +
        `dimension 0, but got weight of size [${text}] instead`,
    );
  }
  const given = transposed ? "transposed=1" : `groups=${groups}`;
  const channels = transposed ? weight.shape[0] : weight.shape[1] * groups;
  if (x.shape[1] !== channels) {
    raise(
      "RuntimeError",
      `Given ${given}, weight of size ${text}, expected input${shapeText(x.shape)} to ` +
        `have ${channels} channels, but got ${x.shape[1]} channels instead`,
    );
  }
  const outs = transposed ? weight.shape[1] * groups : weight.shape[0];
  if (bias !== null && !sameShape(bias.shape, [outs])) {
    raise(
      "RuntimeError",
      `Given ${transposed ? "transposed=1, " : ""}weight of size ${text}, expected bias ` +
        `to be 1-dimensional with ${outs} elements, but got bias of size ` +
        `${shapeText(bias.shape)} instead`,
    );
  }
}

const cross = (list) => `(${list.join(" x ")})`;

function convolution(n, input, weight, bias, stride_, padding_, dilation_, groups = 1) {
  const [x, unbatch] = batched(input, n, `conv${n}d`);
  const stride = convolutionList(stride_ ?? 1, n, "stride");
  const dilation = convolutionList(dilation_ ?? 1, n, "dilation");
  const sizes = x.shape.slice(2);
  const kernel = weight.shape.slice(2);
  const reach = kernel.map((k, d) => dilation[d] * (k - 1));
  const same = padding_ === "same";
  if (same && stride.some((s) => s !== 1)) {
    raise("RuntimeError", "padding='same' is not supported for strided convolutions");
  }
  if (typeof padding_ === "string" && /^[a-z]/i.test(padding_)) {
    if (!same && padding_ !== "valid") {
      raise("RuntimeError", `Invalid padding string: '${padding_}'`);
    }
  }
  const before = same
    ? reach.map((r) => Math.floor(r / 2))
    : convolutionList(padding_ === "valid" ? 0 : (padding_ ?? 0), n, "padding");
  const options = { stride, padding: before, dilation, groups };
  checkConvolution(x, weight, bias ?? null, n, options, false);
  const padded = sizes.map((size, d) => size + (same ? reach[d] : 2 * before[d]));
  if (padded.some((size, d) => size < reach[d] + 1)) {
    const whole = reach.map((r) => r + 1);
    raise(
      "RuntimeError",
      `Calculated padded input size per channel: ${cross(padded)}. Kernel size: ` +
        `${cross(whole)}. Kernel size can't be greater than actual input size`,
    );
  }
  const outs = padded.map(
    (size, d) => Math.floor((size - reach[d] - 1) / stride[d]) + 1,
  );
  const map = windows(sizes, kernel, stride, before, dilation, outs);
  return unbatch(
    toOutputs(x, weight, bias ?? null, { sizes, kernel, outs, groups, plan: map }),
  );
}

function transposed(
  n,
  input,
  weight,
  bias,
  stride_,
  padding_,
  extra_,
  groups,
  dilation_,
) {
  const [x, unbatch] = batched(input, n, `conv_transpose${n}d`);
  const stride = convolutionList(stride_ ?? 1, n, "stride");
  const padding = convolutionList(padding_ ?? 0, n, "padding");
  const extra = convolutionList(extra_ ?? 0, n, "output_padding");
  const dilation = convolutionList(dilation_ ?? 1, n, "dilation");
  checkConvolution(
    x,
    weight,
    bias ?? null,
    n,
    { stride, padding, dilation, groups: groups ?? 1 },
    true,
  );
  if (extra.some((value) => value < 0)) {
    raise("RuntimeError", "negative output_padding is not supported");
  }
  if (extra.some((value, d) => value >= stride[d] && value >= dilation[d])) {
    const names = ["depth", "height", "width"].slice(3 - Math.max(n, 2));
    const part = (word, list) =>
      names
        .map((name, d) => `${word}_${name}: ${list.at(d - names.length) ?? 1}`)
        .join(" ");
    raise(
      "RuntimeError",
      "output padding must be smaller than either stride or dilation, but got " +
        [
          part("output_padding", n === 1 ? [0, ...extra] : extra),
          part("stride", n === 1 ? [1, ...stride] : stride),
          part("dilation", n === 1 ? [1, ...dilation] : dilation),
        ].join(" "),
    );
  }
  const outs = x.shape.slice(2);
  const kernel = weight.shape.slice(2);
  const sizes = outs.map(
    (size, d) =>
      (size - 1) * stride[d] -
      2 * padding[d] +
      dilation[d] * (kernel[d] - 1) +
      extra[d] +
      1,
  );
  if (sizes.some((size) => size <= 0)) {
    const plane = (list) => cross(n === 1 ? [1, ...list] : list);
    raise(
      "RuntimeError",
      `Given input size per channel: ${plane(outs)}. Calculated output size per channel: ` +
        `${plane(sizes)}. Output size is too small`,
    );
  }
  const map = windows(sizes, kernel, stride, padding, dilation, outs);
  return unbatch(
    toImages(x, weight, bias ?? null, {
      sizes,
      kernel,
      outs,
      groups: groups ?? 1,
      plan: map,
    }),
  );
}

export const conv1d = (x, w, b, ...rest) => convolution(1, x, w, b, ...rest);
export const conv2d = (x, w, b, ...rest) => convolution(2, x, w, b, ...rest);
export const conv3d = (x, w, b, ...rest) => convolution(3, x, w, b, ...rest);
export const conv_transpose1d = (x, w, b, ...rest) => transposed(1, x, w, b, ...rest);
export const conv_transpose2d = (x, w, b, ...rest) => transposed(2, x, w, b, ...rest);
export const conv_transpose3d = (x, w, b, ...rest) => transposed(3, x, w, b, ...rest);

// Sliding blocks ------------------------------------------------------------------------

function blockList(value, name, least, words) {
  const list = spread(value, 2, (given) =>
    raise(
      "RuntimeError",
      `It is expected ${name} equals to 2, but got size ${given.length}`,
    ),
  );
  if (list.some((size) => size < least)) {
    const [adjective, prefix] = words;
    raise(
      "RuntimeError",
      `${adjective}, but got ${prefix}_height: ${list[0]} ${prefix}_width: ${list[1]}`,
    );
  }
  return list;
}

function blockLists(kernel, dilation, padding, stride) {
  const more = (word) => `${word} should be greater than zero`;
  return {
    kernel: blockList(kernel, "kernel_size", 1, [more("kernel size"), "kernel"]),
    dilation: blockList(dilation ?? 1, "dilation", 1, [more("dilation"), "dilation"]),
    padding: blockList(padding ?? 0, "padding", 0, [
      "padding should be non-negative",
      "pad",
    ]),
    stride: blockList(stride ?? 1, "stride", 1, [more("stride"), "stride"]),
  };
}

const slots = (sizes, { kernel, dilation, padding, stride }) =>
  sizes.map(
    (size, d) =>
      Math.floor(
        (size + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d],
      ) + 1,
  );

const pair = (list) => `(${list.join(", ")})`;

function notForWhole(x, name) {
  if (x.dtype.integral) {
    raise(
      "NotImplementedError",
      `"${name}" not implemented for '${typeNames[x.dtype.name]}'`,
    );
  }
}

export function unfold(x, kernel, dilation, padding, stride) {
  const n = x.shape.length;
  if (n < 3) {
    wrapDim(n, n);
  }
  if (![3, 4].includes(n) || x.shape.slice(n - 3).includes(0)) {
    raise(
      "RuntimeError",
      "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other " +
        `non-zero dimensions for input, but got: ${shapeText(x.shape)}`,
    );
  }
  const lists = blockLists(kernel, dilation, padding, stride);
  const sizes = x.shape.slice(n - 2);
  const outs = slots(sizes, lists);
  if (outs.some((out) => out < 1)) {
    raise(
      "RuntimeError",
      `Given input with spatial size ${pair(sizes)}, kernel_size=${pair(lists.kernel)}, ` +
        `dilation=${pair(lists.dilation)}, padding=${pair(lists.padding)}, calculated ` +
        `shape of the array of sliding blocks as ${pair(outs)}, but its components must ` +
        "be at least one.",
    );
  }
  notForWhole(x, "im2col_out_cpu");
  const map = windows(
    sizes,
    lists.kernel,
    lists.stride,
    lists.padding,
    lists.dilation,
    outs,
  );
  const lead = x.shape.slice(0, n - 3);
  const channels = x.shape[n - 3];
  const planes = numel(lead) * channels;
  return linearMap(
    "Im2ColBackward0",
    x,
    [...lead, channels * map.kernel, map.out],
    (image) =>
      gatherColumns(image, 0, planes, map, new Float64Array(planes * map.index.length)),
    (columns) =>
      scatterColumns(columns, new Float64Array(planes * map.plane), 0, planes, map),
  );
}

export function fold(x, output, kernel, dilation, padding, stride) {
  const n = x.shape.length;
  if (![2, 3].includes(n) || x.shape.slice(n - 2).includes(0)) {
    raise(
      "RuntimeError",
      "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and " +
        `non-zero dimensions for input, but got: ${shapeText(x.shape)}`,
    );
  }
  const sizes = spread(output, 2, (list) =>
    raise(
      "RuntimeError",
      `It is expected output_size equals to 2, but got size ${list.length}`,
    ),
  );
  const lists = blockLists(kernel, dilation, padding, stride);
  const taps = numel(lists.kernel);
  const [rows, blocks] = x.shape.slice(n - 2);
  if (rows % taps !== 0) {
    raise(
      "RuntimeError",
      "Expected size of input's dimension 1 to be divisible by the product of " +
        `kernel_size, but got input.size(1)=${rows} and kernel_size=${pair(lists.kernel)}.`,
    );
  }
  const outs = slots(sizes, lists);
  if (outs.some((out) => out < 1) || numel(outs) !== blocks) {
    raise(
      "RuntimeError",
      `Given output_size=${pair(sizes)}, kernel_size=${pair(lists.kernel)}, ` +
        `dilation=${pair(lists.dilation)}, padding=${pair(lists.padding)}, ` +
        `stride=${pair(lists.stride)}, expected size of input's dimension 2 to match the ` +
        `calculated number of sliding blocks ${outs.join(" * ")} = ${numel(outs)}, but ` +
        `got input.size(2)=${blocks}.`,
    );
  }
  notForWhole(x, "col2im_out_cpu");
  const map = windows(
    sizes,
    lists.kernel,
    lists.stride,
    lists.padding,
    lists.dilation,
    outs,
  );
  const lead = x.shape.slice(0, n - 2);
  const planes = (numel(lead) * rows) / taps;
  return linearMap(
    "Col2ImBackward0",
    x,
    [...lead, rows / taps, ...sizes],
    (columns) =>
      scatterColumns(columns, new Float64Array(planes * map.plane), 0, planes, map),
    (image) =>
      gatherColumns(image, 0, planes, map, new Float64Array(planes * map.index.length)),
  );
}

// Pooling -------------------------------------------------------------------------------

function poolDims(x, n, name) {
  const dims = x.shape.length;
  const text = `${n + 1}D or ${n + 2}D`;
  if (dims !== n + 1 && dims !== n + 2) {
    raise(
      "RuntimeError",
      name.startsWith("adaptive")
        ? `${name}(): Expected ${text} tensor, but got ${name.includes("max") ? ": " : ""}` +
            shapeText(x.shape)
        : `non-empty ${text} (batch mode) tensor expected for input`,
    );
  }
  const sizes = x.shape.slice(dims - n);
  const empty = x.shape.indexOf(0, dims - n - 1);
  if (empty >= 0) {
    raise(
      "RuntimeError",
      name.startsWith("adaptive")
        ? `${name}(): Expected input to have non-zero size for non-batch dimensions, but ` +
            `input has sizes ${shapeText(x.shape)} with dimension ${empty} being empty`
        : `Expected ${text} (batch mode) tensor with optional 0 dim batch size for input, ` +
            `but got:${shapeText(x.shape)}`,
    );
  }
  return { lead: x.shape.slice(0, dims - n), sizes };
}

function poolList(value, n, name, what) {
  return spread(value, n, () =>
    raise(
      "RuntimeError",
      `${name}: ${what} must ${what === "stride" ? "either be omitted," : "either be"} a ` +
        `single int, or a tuple of ${WORDS[n]} ints`,
    ),
  );
}

// Window lists of a pooling and the sizes of its output.
function pooling(x, n, name, kernel_, stride_, padding_, dilation_, ceilMode) {
  const kernel = poolList(kernel_, n, name, "kernel_size");
  const given = ints(stride_);
  const stride = given?.length ? poolList(given, n, name, "stride") : kernel;
  const padding = poolList(padding_ ?? 0, n, name, "padding");
  const dilation = poolList(dilation_ ?? 1, n, name, "dilation");
  const { lead, sizes } = poolDims(x, n, name);
  checkPositive(stride, "stride should not be zero");
  checkPositive(
    kernel,
    `kernel size should be greater than zero, but got ${kernel.join(" ")}`,
  );
  checkPositive(
    dilation,
    `dilation should be greater than zero, but got ${dilation.join(" ")}`,
  );
  const outs = sizes.map((size, d) => {
    const pad = padding[d];
    if (pad < 0) {
      raise("RuntimeError", `pad must be non-negative, but got pad: ${pad}`);
    }
    const whole = dilation[d] * (kernel[d] - 1) + 1;
    if (pad > whole / 2) {
      raise(
        "RuntimeError",
        "pad should be at most half of effective kernel size, but got " +
          `pad=${pad}, kernel_size=${kernel[d]} and dilation=${dilation[d]}`,
      );
    }
    const room = size + 2 * pad - whole + (ceilMode ? stride[d] - 1 : 0);
    const out = Math.floor(room / stride[d]) + 1;
    // The last window starts within the input or its left padding.
    return ceilMode && (out - 1) * stride[d] >= size + pad ? out - 1 : out;
  });
  if (outs.some((out) => out < 1)) {
    const channels = x.shape.at(-n - 1);
    if (name === "max_pool1d" && !x.requires_grad) {
      raise("RuntimeError", `max_pool1d() Invalid computed output size: ${outs[0]}`);
    }
    const one = n === 1 ? [1] : [];
    const text = (list) => `(${[channels, ...one, ...list].join("x")})`;
    raise(
      "RuntimeError",
      `Given input size: ${text(sizes)}. Calculated output size: ${text(outs)}. Output ` +
        "size is too small",
    );
  }
  return { lead, sizes, kernel, stride, padding, dilation, outs };
}

// Places of the largest values, the last nan before all; -1 in a window of padding alone.
function largest(x, { index, kernel, out, plane }) {
  const image = read(x);
  const planes = image.length / plane;
  const places = new Float64Array(planes * out);
  for (let p = 0; p < planes; p++) {
    for (let o = 0; o < out; o++) {
      let best = -Infinity;
      let place = -1;
      for (let k = 0; k < kernel; k++) {
        const at = index[k * out + o];
        if (at >= 0) {
          const value = image[p * plane + at];
          if (value > best || place < 0 || Number.isNaN(value)) {
            best = value;
            place = at;
          }
        }
      }
      places[p * out + o] = place;
    }
  }
  return places;
}

// Reads at places of each plane, and the transpose, which adds there.
function pickers(places, out, plane) {
  const pick = (image) => {
    const parts = new Float64Array(places.length).fill(-Infinity);
    for (let i = 0; i < parts.length; i++) {
      if (places[i] >= 0) {
        parts[i] = image[Math.floor(i / out) * plane + places[i]];
      }
    }
    return parts;
  };
  const put = (parts) => {
    const image = new Float64Array((places.length / out) * plane);
    for (let i = 0; i < places.length; i++) {
      if (places[i] >= 0) {
        image[Math.floor(i / out) * plane + places[i]] += parts[i];
      }
    }
    return image;
  };
  return [pick, put];
}

function maxPooled(x, map, shape, name, withIndices) {
  if (x.dtype.name === "bool") {
    raise("NotImplementedError", `"${name}" not implemented for 'Bool'`);
  }
  const places = largest(x, map);
  const [pick, put] = pickers(places, map.out, map.plane);
  const result = linearMap("MaxPoolBackward0", x, shape, pick, put);
  return withIndices ? [result, tensor_from(places.slice(), shape, "int64")] : result;
}

function maxPool(n, x, kernel, stride, padding, dilation, ceilMode, withIndices) {
  const name = `max_pool${n}d`;
  const p = pooling(x, n, name, kernel, stride, padding, dilation, ceilMode);
  const map = windows(p.sizes, p.kernel, p.stride, p.padding, p.dilation, p.outs);
  return maxPooled(x, map, [...p.lead, ...p.outs], name, withIndices);
}

// Sizes asked for; null, NaN ("None" in a text) keep the input's.
function adaptiveSizes(n, output, sizes, name) {
  const given =
    typeof output === "string" ? output.split(",").map(Number) : [output].flat();
  const list = given.length === 1 ? new Array(n).fill(given[0]) : given;
  if (list.length !== n) {
    raise("RuntimeError", `${name}: output_size must be ${n}`);
  }
  return list.map((size, d) => {
    const out = size === null || Number.isNaN(size) ? sizes[d] : size;
    if (out < 0) {
      raise(
        "RuntimeError",
        `${name}: elements of output_size must be greater than or equal to 0 but ` +
          `received {${list.join(", ")}}`,
      );
    }
    return out;
  });
}

function adaptiveMax(n, x, output, withIndices) {
  const name = `adaptive_max_pool${n}d`;
  const { lead, sizes } = poolDims(x, n, name);
  const outs = adaptiveSizes(n, output, sizes, name);
  const map = plan(
    sizes.map((size, d) => adaptiveTaps(size, outs[d])),
    sizes,
  );
  notForWhole(x, name);
  return maxPooled(x, map, [...lead, ...outs], name, withIndices);
}

function maxUnpool(n, x, indices, kernel_, stride_, padding_, output) {
  const name = `max_unpool${n}d`;
  const { lead, sizes } = poolDims(x, n, name);
  const kernel = poolList(kernel_, n, name, "kernel_size");
  const given = ints(stride_);
  const stride = given?.length ? poolList(given, n, name, "stride") : kernel;
  const padding = poolList(padding_ ?? 0, n, name, "padding");
  const natural = sizes.map((s, d) => (s - 1) * stride[d] - 2 * padding[d] + kernel[d]);
  const outs = ints(output)?.slice(-n) ?? natural;
  if (!sameShape(indices.shape, x.shape)) {
    raise(
      "RuntimeError",
      "Expected shape of indices to be same as that of the input tensor " +
        `(${shapeText(x.shape)}) but got indices tensor with shape: ` +
        shapeText(indices.shape),
    );
  }
  const places = read(indices);
  const plane = numel(outs);
  const wrong = places.findLast((at) => at < 0 || at >= plane);
  if (wrong !== undefined) {
    raise(
      "RuntimeError",
      `Found an invalid max index: ${wrong} (output volumes are of size ${outs.join("x")})`,
    );
  }
  // Of several with one place the last counts, and it alone gets the gradient of torch.
  const [pick] = pickers(places, numel(sizes), plane);
  const set = (parts) => {
    const image = new Float64Array(numel(lead) * plane);
    for (let i = 0; i < places.length; i++) {
      image[Math.floor(i / numel(sizes)) * plane + places[i]] = parts[i];
    }
    return image;
  };
  return linearMap("MaxUnpoolBackward0", x, [...lead, ...outs], set, pick);
}

// Weighted sums along one dim of [before, size, after]; without weights each counts once.
function alongDim(source, before, size, after, { kernel, out, index, weight }, fill) {
  const result = new Float64Array(before * out * after);
  for (let b = 0; b < before; b++) {
    for (let o = 0; o < out; o++) {
      const target = (b * out + o) * after;
      for (let k = 0; k < kernel; k++) {
        const at = index[k * out + o];
        if (at < 0) {
          if (fill !== 0) {
            result.fill(fill, target, target + after);
          }
          continue;
        }
        const factor = weight ? weight[k * out + o] : 1;
        const from = (b * size + at) * after;
        for (let a = 0; a < after; a++) {
          result[target + a] += factor * source[from + a];
        }
      }
    }
  }
  return result;
}

function alongDimTransposed(
  source,
  before,
  size,
  after,
  { kernel, out, index, weight },
) {
  const result = new Float64Array(before * size * after);
  for (let b = 0; b < before; b++) {
    for (let o = 0; o < out; o++) {
      const from = (b * out + o) * after;
      for (let k = 0; k < kernel; k++) {
        const at = index[k * out + o];
        if (at >= 0) {
          const factor = weight ? weight[k * out + o] : 1;
          const target = (b * size + at) * after;
          for (let a = 0; a < after; a++) {
            result[target + a] += factor * source[from + a];
          }
        }
      }
    }
  }
  return result;
}

const divided = (source, divisors) =>
  divisors ? source.map((value, i) => value / divisors[i % divisors.length]) : source;

// Weighted sums along each of the last dims, taps[d] for each; then each divided by the
// divisor of its place. `fill` is what padding alone gives.
export function resample(
  x,
  taps,
  { divisors = null, fill = 0, name = "Resample" } = {},
) {
  const n = taps.length;
  const lead = x.shape.slice(0, x.shape.length - n);
  const sizes = x.shape.slice(x.shape.length - n);
  const outs = taps.map((tap) => tap.out);
  const planes = numel(lead);
  const apply = (source) => {
    let result = source;
    for (let d = n - 1; d >= 0; d--) {
      const before = planes * numel(sizes.slice(0, d));
      const after = numel(outs.slice(d + 1));
      result = alongDim(result, before, sizes[d], after, taps[d], fill);
    }
    return divided(result, divisors);
  };
  const transpose = (grad) => {
    let result = divided(grad, divisors);
    for (let d = 0; d < n; d++) {
      const before = planes * numel(sizes.slice(0, d));
      const after = numel(outs.slice(d + 1));
      result = alongDimTransposed(result, before, sizes[d], after, taps[d]);
    }
    return result;
  };
  return linearMap(`${name}Backward0`, x, [...lead, ...outs], apply, transpose);
}

// The product of one number of each dim, for each place of the output.
function products(lists) {
  return lists.reduce(
    (whole, list) =>
      Float64Array.from(
        { length: whole.length * list.length },
        (_, i) => whole[Math.floor(i / list.length)] * list[i % list.length],
      ),
    new Float64Array([1]),
  );
}

function counts({ kernel, out, index }) {
  return Float64Array.from({ length: out }, (_, o) => {
    let count = 0;
    for (let k = 0; k < kernel; k++) {
      count += index[k * out + o] >= 0 ? 1 : 0;
    }
    return count;
  });
}

export function avgPool(
  n,
  x,
  kernel_,
  stride_,
  padding_,
  ceilMode,
  countPad = true,
  divisor = null,
) {
  const name = `avg_pool${n}d`;
  const p = pooling(x, n, name, kernel_, stride_, padding_, null, ceilMode);
  if (divisor === 0) {
    raise("RuntimeError", "divisor must be not zero");
  }
  if (n === 3 && p.sizes.some((size, d) => size < p.kernel[d])) {
    const [t, h, w] = p.sizes;
    const [kt, kh, kw] = p.kernel;
    raise(
      "RuntimeError",
      `input image (T: ${t} H: ${h} W: ${w}) smaller than kernel size (kT: ${kt} ` +
        `kH: ${kh} kW: ${kw})`,
    );
  }
  if (x.dtype.name === "int64") {
    notHere(`${name} of int64`);
  }
  if (!x.dtype.floating) {
    raise(
      "NotImplementedError",
      `"avg_pool2d" not implemented for '${typeNames[x.dtype.name]}'`,
    );
  }
  const taps = p.sizes.map((size, d) =>
    windowTaps(size, p.kernel[d], p.stride[d], p.padding[d], 1, p.outs[d]),
  );
  // A window counts its padding, but not what a ceiled size lets it stick out beyond.
  const full = (size, d) =>
    Float64Array.from({ length: p.outs[d] }, (_, o) => {
      const start = o * p.stride[d] - p.padding[d];
      return Math.min(start + p.kernel[d], size + p.padding[d]) - start;
    });
  const divisors =
    divisor === null
      ? products(countPad ? p.sizes.map(full) : taps.map(counts))
      : new Float64Array([divisor]);
  return resample(x, taps, { divisors, name: `AvgPool${n}D` });
}

export function adaptiveAvg(n, x, output) {
  const name = `adaptive_avg_pool${n}d`;
  const { sizes } = poolDims(x, n, name);
  const outs = adaptiveSizes(n, output, sizes, name);
  if (!x.dtype.floating) {
    raise(
      "NotImplementedError",
      `"adaptive_avg_pool${n === 3 ? 3 : 2}d" not implemented for ` +
        `'${typeNames[x.dtype.name]}'`,
    );
  }
  const taps = sizes.map((size, d) => adaptiveTaps(size, outs[d]));
  const divisors = products(taps.map(counts));
  return resample(x, taps, { divisors, name: `AdaptiveAvgPool${n}D` });
}

export const max_pool1d = (x, ...rest) => maxPool(1, x, ...rest);
export const max_pool2d = (x, ...rest) => maxPool(2, x, ...rest);
export const max_pool3d = (x, ...rest) => maxPool(3, x, ...rest);
export const max_unpool1d = (x, ...rest) => maxUnpool(1, x, ...rest);
export const max_unpool2d = (x, ...rest) => maxUnpool(2, x, ...rest);
export const max_unpool3d = (x, ...rest) => maxUnpool(3, x, ...rest);
export const avg_pool1d = (x, ...rest) => avgPool(1, x, ...rest);
export const avg_pool2d = (x, ...rest) => avgPool(2, x, ...rest);
export const avg_pool3d = (x, ...rest) => avgPool(3, x, ...rest);
export const adaptive_avg_pool1d = (x, output) => adaptiveAvg(1, x, output);
export const adaptive_avg_pool2d = (x, output) => adaptiveAvg(2, x, output);
export const adaptive_avg_pool3d = (x, output) => adaptiveAvg(3, x, output);
export const adaptive_max_pool1d = (x, ...rest) => adaptiveMax(1, x, ...rest);
export const adaptive_max_pool2d = (x, ...rest) => adaptiveMax(2, x, ...rest);
export const adaptive_max_pool3d = (x, ...rest) => adaptiveMax(3, x, ...rest);
