// Products of matrices, einsum, and linear algebra of small matrices.
//
// matmul(a, b) mm(a, b) bmm(a, b) mv(a, b) dot(a, b) inner(a, b) outer(a, b)
// addmm(input, a, b, beta, alpha) addmv baddbmm addbmm addr: the same order
// linear(x, weight, bias) bilinear(x1, x2, weight, bias)
// einsum(equation, ...tensors) tensordot(a, b, dims_a, dims_b or a number alone)
// chain_matmul(...tensors) kron(a, b) trace(x) tril(x, diagonal) triu(x, diagonal)
// diag(x, diagonal) diag_embed(x, offset, dim1, dim2) diagflat(x, offset)
// cross(a, b, dim) linalg_cross(a, b, dim) vecdot(a, b, dim)
// cdist(a, b, p) pairwise_distance(a, b, p, eps, keepdim)
// linalg_inv(x) inverse(x) linalg_solve(a, b) linalg_det(x) det(x) logdet(x)
// linalg_slogdet(x) -> [sign, logabsdet]
// linalg_lstsq(a, b) -> [solution, residuals, rank, singular_values]
// linalg_qr(x, mode) -> [Q, R]  linalg_cholesky(x, upper)
// linalg_svd(x, full_matrices) -> [U, S, Vh]  linalg_svdvals(x)
// linalg_eigh(x) -> [L, V]  linalg_eigvalsh(x)  linalg_pinv(x)
// linalg_matrix_rank(x)  linalg_matrix_power(x, n) matrix_power(x, n)

import { eye } from "./create.js";
import { abs, add, log, mul, neg, sign, sub } from "./elementwise.js";
import { notHere, raise } from "./errors.js";
import { roll } from "./index.js";
import { linalg_vector_norm, sum } from "./reduce.js";
import {
  broadcastShapes,
  detach,
  diagonal,
  expand,
  ints,
  movedim,
  narrow,
  needs,
  permute,
  record,
  reshape,
  shapeText,
  squeeze,
  sumTo,
  tensor_from,
  transpose,
  typeNames,
  unsqueeze,
  values,
  wrapDim,
  zeros,
} from "./tensor.js";

const product = (sizes) => sizes.reduce((a, b) => a * b, 1);
const swap = (x) => transpose(x, -2, -1);
// torch's messages on products have C++'s names of types.
const C_NAMES = {
  bool: "bool",
  uint8: "unsigned char",
  int8: "signed char",
  int16: "short int",
  int32: "int",
  int64: "long int",
  float16: "c10::Half",
  bfloat16: "c10::BFloat16",
  float32: "float",
  float64: "double",
};
export const cName = (x) => C_NAMES[x.dtype.name];
const typeName = (x) => typeNames[x.dtype.name];

// ---------------------------------------------------------------- products

// Rows times columns, four terms at once, since that reads `out` a fourth as often.
export function multiply(a, aStart, b, bStart, out, start, rows, inner, columns) {
  for (let i = 0; i < rows; i++) {
    const left = aStart + i * inner;
    const row = start + i * columns;
    if (columns === 1) {
      let total = 0;
      for (let k = 0; k < inner; k++) total += a[left + k] * b[bStart + k];
      out[row] += total;
      continue;
    }
    let k = 0;
    for (; k + 3 < inner; k += 4) {
      const a0 = a[left + k];
      const a1 = a[left + k + 1];
      const a2 = a[left + k + 2];
      const a3 = a[left + k + 3];
      const b0 = bStart + k * columns;
      const b1 = b0 + columns;
      const b2 = b1 + columns;
      const b3 = b2 + columns;
      for (let j = 0; j < columns; j++) {
        out[row + j] +=
          a0 * b[b0 + j] + a1 * b[b1 + j] + a2 * b[b2 + j] + a3 * b[b3 + j];
      }
    }
    for (; k < inner; k++) {
      const a0 = a[left + k];
      const b0 = bStart + k * columns;
      for (let j = 0; j < columns; j++) out[row + j] += a0 * b[b0 + j];
    }
  }
}

// For each matrix of the broadcast batch, which one of `sizes` it comes from.
function sources(sizes, batch) {
  const from = new Int32Array(product(batch));
  const missing = batch.length - sizes.length;
  for (let i = 0; i < from.length; i++) {
    let rest = i;
    let step = 1;
    for (let d = batch.length - 1; d >= missing; d--) {
      const size = sizes[d - missing];
      if (size > 1) from[i] += (rest % batch[d]) * step;
      rest = Math.floor(rest / batch[d]);
      step *= size;
    }
  }
  return from;
}

// The product of stacks of matrices [..., n, k] and [..., k, m] of one dtype.
function stacks(a, b, name) {
  if (a.dtype.name === "bool") {
    const kernel =
      { MmBackward0: "addmm_impl_cpu_", BmmBackward0: "bmm" }[name] ?? name;
    raise("NotImplementedError", `"${kernel}" not implemented for 'Bool'`);
  }
  const [n, inner] = a.shape.slice(-2);
  const m = b.shape.at(-1);
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const fromA = sources(a.shape.slice(0, -2), batch);
  const fromB = sources(b.shape.slice(0, -2), batch);
  const dataA = values(a);
  const dataB = values(b);
  const out = new Float64Array(product(batch) * n * m);
  for (let i = 0; i < fromA.length; i++) {
    const left = fromA[i] * n * inner;
    const right = fromB[i] * inner * m;
    multiply(dataA, left, dataB, right, out, i * n * m, n, inner, m);
  }
  const result = tensor_from(out, [...batch, n, m], a.dtype);
  const [first, second] = [needs(a), needs(b)];
  const backward = (g) => [
    first ? sumTo(stacks(g, swap(b), name), a.shape) : null,
    second ? sumTo(stacks(swap(a), g, name), b.shape) : null,
  ];
  const saved = [...(first ? [b] : []), ...(second ? [a] : [])];
  return record(result, name, [a, b], backward, saved);
}

const typesOf = (a, b) => `${typeName(a)} and ${typeName(b)}`;

export function mm(a, b, whole = false) {
  if (a.shape.length !== 2) raise("RuntimeError", "self must be a matrix");
  if (b.shape.length !== 2) raise("RuntimeError", "mat2 must be a matrix");
  if (a.shape[1] !== b.shape[0]) {
    const text = `(${a.shape.join("x")} and ${b.shape.join("x")})`;
    raise("RuntimeError", `mat1 and mat2 shapes cannot be multiplied ${text}`);
  }
  if (a.dtype !== b.dtype) {
    if (whole) {
      const text = `mat1 and mat2 must have the same dtype, but got ${typesOf(a, b)}`;
      raise("RuntimeError", text);
    }
    const text = `${cName(a)} != ${cName(b)}`;
    raise(
      "RuntimeError",
      `expected m1 and m2 to have the same dtype, but got: ${text}`,
    );
  }
  return stacks(a, b, "MmBackward0");
}

function sameForBatches(a, b) {
  if (a.dtype !== b.dtype) {
    const text = `expected scalar type ${typeName(a)} but found ${typeName(b)}`;
    raise("RuntimeError", text);
  }
}

export function bmm(a, b) {
  if (a.shape.length !== 3) raise("RuntimeError", "batch1 must be a 3D tensor");
  if (b.shape.length !== 3) raise("RuntimeError", "batch2 must be a 3D tensor");
  const wanted = [a.shape[0], a.shape[2]];
  const got = b.shape.slice(0, 2);
  if (`${wanted}` !== `${got}`) {
    const text = "Expected size for first two dimensions of batch2 tensor to be: ";
    raise("RuntimeError", `${text}${shapeText(wanted)} but got: ${shapeText(got)}.`);
  }
  sameForBatches(a, b);
  return stacks(a, b, "BmmBackward0");
}

export function mv(a, b) {
  if (a.shape.length !== 2 || b.shape.length !== 1) {
    const dims = `1, ${a.shape.length}, ${b.shape.length}`;
    raise("RuntimeError", `vector + matrix @ vector expected, got ${dims}`);
  }
  if (a.shape[1] !== b.shape[0]) {
    const text = `input (${a.shape[0]}), mat (${a.shape.join("x")}), vec (${b.shape[0]})`;
    raise("RuntimeError", `size mismatch, got ${text}`);
  }
  if (a.dtype !== b.dtype) {
    const [m, v] = [typeName(a), typeName(b)];
    const text = "addmv input tensors must have the same dtype, but got";
    raise("RuntimeError", `${text} ${v}, ${m}, and ${v}`);
  }
  return squeeze(stacks(a, unsqueeze(b, 1), "addmv_impl_cpu"), 1);
}

export function dot(a, b) {
  if (a.shape.length !== 1 || b.shape.length !== 1) {
    const text = `but got ${a.shape.length}D and ${b.shape.length}D tensors`;
    raise("RuntimeError", `1D tensors expected, ${text}`);
  }
  if (a.dtype !== b.dtype) {
    const text = `but found ${typesOf(a, b)}`;
    raise("RuntimeError", `dot : expected both vectors to have same dtype, ${text}`);
  }
  const [n, m] = [a.shape[0], b.shape[0]];
  if (n !== m) {
    raise(
      "RuntimeError",
      `inconsistent tensor size, expected tensor [${n}] and src [${m}] to have the ` +
        `same number of elements, but got ${n} and ${m} elements respectively`,
    );
  }
  return reshape(stacks(unsqueeze(a, 0), unsqueeze(b, 1), "dot"), []);
}

export function matmul(a, b) {
  const [p, q] = [a.shape.length, b.shape.length];
  if (p === 0 || q === 0) {
    const text = `both arguments to matmul need to be at least 1D, but they are ${p}D and ${q}D`;
    raise("RuntimeError", text);
  }
  if (p === 1 && q === 1) return dot(a, b);
  if (p === 2 && q === 1) return mv(a, b);
  if (p === 1 && q === 2) return squeeze(mm(unsqueeze(a, 0), b), 0);
  if (p === 2 && q === 2) return mm(a, b);
  if (q <= 2) {
    // One matrix for the whole batch: a single large product.
    const rows = product(a.shape.slice(0, -1));
    const flat = reshape(a, [rows, a.shape.at(-1)]);
    const out = q === 1 ? mv(flat, b) : mm(flat, b);
    return reshape(out, [...a.shape.slice(0, -1), ...b.shape.slice(1)]);
  }
  const left = p === 1 ? unsqueeze(a, 0) : a;
  const batch = broadcastShapes(left.shape.slice(0, -2), b.shape.slice(0, -2));
  const wanted = [product(batch), left.shape.at(-1)];
  if (wanted[1] !== b.shape.at(-2)) {
    const text = "Expected size for first two dimensions of batch2 tensor to be: ";
    const got = shapeText([wanted[0], b.shape.at(-2)]);
    raise("RuntimeError", `${text}${shapeText(wanted)} but got: ${got}.`);
  }
  sameForBatches(left, b);
  const out = stacks(left, b, "BmmBackward0");
  return p === 1 ? squeeze(out, -2) : out;
}

export const chain_matmul = (...tensors) => tensors.reduce((a, b) => mm(a, b));

export function outer(a, b) {
  for (const [x, name] of [
    [a, "self"],
    [b, "vec2"],
  ]) {
    const n = x.shape.length;
    if (n !== 1) {
      raise("RuntimeError", `outer: Expected 1-D argument ${name}, but got ${n}-D`);
    }
  }
  return mul(unsqueeze(a, 1), unsqueeze(b, 0));
}

export function inner(a, b) {
  if (a.shape.length === 0 || b.shape.length === 0) return mul(a, b);
  if (a.shape.at(-1) !== b.shape.at(-1)) {
    const text = `but got shapes ${shapeText(a.shape)} and ${shapeText(b.shape)}`;
    raise(
      "RuntimeError",
      `inner() the last dimension must match on both input tensors ${text}`,
    );
  }
  return tensordot(a, b, [-1], [-1]);
}

// beta * input + alpha * out, where beta = 0 does not look at the input.
function plus(input, out, beta, alpha, other) {
  const scaled = alpha === 1 ? out : mul(out, scalarLike(out, alpha));
  if (input.dtype !== other.dtype) {
    const text = `self and mat2 must have the same dtype, but got ${typesOf(input, other)}`;
    raise("RuntimeError", text);
  }
  const spread = expand(input, out.shape);
  if (beta === 0) {
    // what the input holds does not matter, and its gradient is 0
    const zero = (t) => zeros(t.shape, t.dtype);
    return add(
      record(zero(spread), "MulBackward0", [spread], (g) => [zero(g)]),
      scaled,
    );
  }
  return add(beta === 1 ? spread : mul(spread, scalarLike(out, beta)), scaled);
}

const scalarLike = (x, number) => tensor_from([number], [], x.dtype);

export function addmm(input, a, b, beta = 1, alpha = 1) {
  for (const [x, name] of [
    [a, "mat1"],
    [b, "mat2"],
  ]) {
    const n = x.shape.length;
    if (n !== 2) raise("RuntimeError", `${name} must be a matrix, got ${n}-D tensor`);
  }
  return plus(input, mm(a, b, true), beta, alpha, b);
}

export const addmv = (input, a, b, beta = 1, alpha = 1) =>
  plus(input, mv(a, b), beta, alpha, b);

export function baddbmm(input, a, b, beta = 1, alpha = 1) {
  if (a.shape.length === 3 && b.shape.length === 3) {
    expand(input, [a.shape[0], a.shape[1], b.shape[2]]);
  }
  return plus(input, bmm(a, b), beta, alpha, b);
}

export const addbmm = (input, a, b, beta = 1, alpha = 1) =>
  plus(input, sum(bmm(a, b), [0]), beta, alpha, b);

export const addr = (input, a, b, beta = 1, alpha = 1) =>
  plus(input, outer(a, b), beta, alpha, b);

export function linear(x, weight, bias = null) {
  const [p, q] = [x.shape.length, weight.shape.length];
  if (p === 0 || q === 0) {
    const text = `both arguments to linear need to be at least 1D, but they are ${p}D and ${q}D`;
    raise("RuntimeError", text);
  }
  if (q > 2) {
    raise(
      "RuntimeError",
      `t() expects a tensor with <= 2 dimensions, but self is ${q}D`,
    );
  }
  const turned = q === 2 ? transpose(weight, 0, 1) : weight;
  if (bias === null) return matmul(x, turned);
  if (q === 1 || bias.shape.length > 2)
    return plus(bias, matmul(x, turned), 1, 1, weight);
  // torch folds the batch, so that a bias that does not fit is told of two dimensions
  const rows = product(x.shape.slice(0, -1));
  const flat = reshape(x, [rows, x.shape.at(-1)]);
  const made = p === 1 ? matmul(x, turned) : mm(flat, turned, true);
  const out = plus(bias, made, 1, 1, weight);
  return reshape(out, [...x.shape.slice(0, -1), weight.shape[0]]);
}

export function bilinear(x1, x2, weight, bias = null) {
  if (x1.shape.length !== x2.shape.length) {
    const text = `got ${x1.shape.length} and ${x2.shape.length}`;
    raise("RuntimeError", `bilinear(): input dimensions do not match: ${text}`);
  }
  for (let d = 0; d < x1.shape.length - 1; d++) {
    if (x1.shape[d] !== x2.shape[d]) {
      const text = `at dim ${d}: got ${x1.shape[d]} and ${x2.shape[d]}`;
      raise("RuntimeError", `bilinear(): input batch dimensions do not match ${text}`);
    }
  }
  [x1, x2].forEach((x, i) => {
    if (x.shape.at(-1) !== weight.shape[i + 1]) {
      const text = `got ${x.shape.at(-1)} but expected ${weight.shape[i + 1]}`;
      raise(
        "RuntimeError",
        `bilinear(): input${i + 1} size does not match weight size: ${text}`,
      );
    }
  });
  const out = einsum("...i,oij,...j->...o", x1, weight, x2);
  return bias === null ? out : add(out, bias);
}

// ------------------------------------------------------------------ einsum

const einsumError = (text) => raise("RuntimeError", `einsum(): ${text}`);

// The letters of one operand or of the output, where "..." becomes one entry.
function subscripts(text, start, place) {
  const labels = [];
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (letter === " ") continue;
    if (letter === ".") {
      if (labels.includes("...")) {
        einsumError(
          place === "output"
            ? "found '.' for output but an ellipsis (...) was already found"
            : `found '.' for ${place} for which an ellipsis was already found`,
        );
      }
      if (text.slice(i, i + 3) !== "...") {
        einsumError(`found '.' for ${place} that is not part of any ellipsis`);
      }
      labels.push("...");
      i += 2;
    } else if (/[a-zA-Z]/.test(letter)) {
      labels.push(letter);
    } else {
      einsumError(
        `invalid subscript given at index ${start + i} in the equation string, ` +
          "subscripts must be in [a-zA-Z]",
      );
    }
  }
  return labels;
}

// torch orders letters as A to Z, then a to z.
const alphabetical = (a, b) => (a < b ? -1 : 1);

// Dimensions of "..." are named 0, 1, ... from the last one.
const dots = (count) => Array.from({ length: count }, (_, i) => `.${count - 1 - i}`);

function checkSizes(terms, tensors) {
  const sizes = {};
  let longest = 0;
  const named = terms.map((labels, i) => {
    const { shape } = tensors[i];
    const letters = labels.filter((label) => label !== "...").length;
    const open = labels.includes("...");
    if (open ? letters > shape.length : letters !== shape.length) {
      einsumError(
        open
          ? `the number of subscripts in the equation (${letters}) is more than the ` +
              `number of dimensions (${shape.length}) for operand ${i}`
          : `the number of subscripts in the equation (${letters}) does not match the ` +
              `number of dimensions (${shape.length}) for operand ${i} and no ellipsis was given`,
      );
    }
    const covered = shape.length - letters;
    if (open) longest = Math.max(longest, covered);
    return labels.flatMap((label) => (label === "..." ? dots(covered) : [label]));
  });
  named.forEach((labels, i) => {
    const own = {};
    labels.forEach((label, d) => {
      const size = tensors[i].shape[d];
      if (label in own && own[label] !== size) {
        const text = `sizes don't match, ${size} != ${own[label]}`;
        einsumError(`subscript ${label} is repeated for operand ${i} but the ${text}`);
      }
      own[label] = size;
      const seen = sizes[label] ?? 1;
      if (seen !== 1 && size !== 1 && seen !== size) {
        if (label[0] === ".") {
          const place = longest - 1 - Number(label.slice(1));
          einsumError(
            `dimension ${place} covered by ellipsis in operand ${i}has size ${size} which ` +
              `does not broadcast with previously seen ellipsis with size ${seen} for the ` +
              "respective dimension",
          );
        }
        einsumError(
          `subscript ${label} has size ${size} for operand ${i} which does not broadcast ` +
            `with previously seen size ${seen}`,
        );
      }
      if (seen === 1) sizes[label] = size;
    });
  });
  return [named, longest];
}

// An operand with one dimension for each label of `order`, size 1 where it has none.
function aligned(tensor, labels, order) {
  let x = tensor;
  const own = [...labels];
  for (let d = 0; d < own.length; d++) {
    for (let e = own.length - 1; e > d; e--) {
      if (own[e] !== own[d]) continue;
      x = movedim(diagonal(x, 0, d, e), -1, d);
      own.splice(e, 1);
    }
  }
  const kept = order.filter((label) => own.includes(label));
  x = permute(
    x,
    kept.map((label) => own.indexOf(label)),
  );
  order.forEach((label, d) => {
    if (!own.includes(label)) x = unsqueeze(x, d);
  });
  return x;
}

// The product of two aligned operands, summed over the dimensions `summed`.
function contract(a, b, summed) {
  if (summed.length === 0) return mul(a, b);
  let [left, right] = [a, b];
  const [both, first, second, gone] = [[], [], [], []];
  for (let d = 0; d < a.shape.length; d++) {
    const l = a.shape[d] !== 1;
    const r = b.shape[d] !== 1;
    if (summed.includes(d)) {
      (l && r ? gone : both).push(d);
      if (l && !r) left = sum(left, [d], true);
      if (r && !l) right = sum(right, [d], true);
    } else if (l === r) both.push(d);
    else (l ? first : second).push(d);
  }
  const size = (dims, x) => dims.map((d) => x.shape[d]);
  const [n, rows, terms, columns] = [
    product(size(both, left)),
    product(size(first, left)),
    product(size(gone, left)),
    product(size(second, right)),
  ];
  const order = [...both, ...first, ...gone, ...second];
  const l = reshape(permute(left, order), [n, rows, terms]);
  const backwards = [...both, ...gone, ...second, ...first];
  const r = reshape(permute(right, backwards), [n, terms, columns]);
  const sizes = [
    ...size(both, left),
    ...size(first, left),
    ...gone.map(() => 1),
    ...size(second, right),
  ];
  const out = reshape(bmm(l, r), sizes);
  return permute(
    out,
    order.map((_, d) => order.indexOf(d)),
  );
}

export function einsum(equation, ...tensors) {
  const arrow = equation.indexOf("->");
  const inputs = (arrow < 0 ? equation : equation.slice(0, arrow)).split(",");
  let start = 0;
  const terms = inputs.map((text, i) => {
    const labels = subscripts(text, start, `operand ${i}`);
    start += text.length + 1;
    return labels;
  });
  if (tensors.length === 0) einsumError("must provide at least one operand");
  if (tensors.length < terms.length) {
    einsumError("fewer operands were provided than specified in the equation");
  }
  if (tensors.length > terms.length) {
    einsumError("more operands were provided than specified in the equation");
  }
  const [named, longest] = checkSizes(terms, tensors);
  const all = [...new Set(named.flat())];
  const count = (label) => named.flat().filter((other) => other === label).length;
  let output;
  if (arrow < 0) {
    const once = all.filter((label) => label[0] !== "." && count(label) === 1);
    output = [...dots(longest), ...once.sort(alphabetical)];
  } else {
    const labels = subscripts(equation.slice(arrow + 2), arrow + 2, "output");
    labels.forEach((label, i) => {
      if (label === "...") return;
      if (labels.indexOf(label) !== i) {
        einsumError(`output subscript ${label} appears more than once in the output`);
      }
      if (!all.includes(label)) {
        const text = "does not appear in the equation for any input operand";
        einsumError(`output subscript ${label} ${text}`);
      }
    });
    output = labels.flatMap((label) => (label === "..." ? dots(longest) : [label]));
  }
  const order = [...output, ...all.filter((label) => !output.includes(label))];
  const operands = tensors.map((x, i) => aligned(x, named[i], order));
  const gone = order.map((_, d) => d).slice(output.length);
  let result = operands[0];
  if (operands.length === 1 && gone.length > 0) result = sum(result, gone, true);
  for (let i = 1; i < operands.length; i++) {
    // a label is summed at the last operand that has it
    const last = gone.filter((d) =>
      operands.slice(i + 1).every((other) => other.shape[d] === 1),
    );
    result = contract(result, operands[i], last);
  }
  return reshape(result, result.shape.slice(0, output.length));
}

export function tensordot(a, b, first = 2, second = null) {
  let [left, right] = [ints(first), second === null ? null : ints(second)];
  if (right === null) {
    const n = left[0];
    if (n < 0) raise("RuntimeError", `tensordot expects dims >= 0, but got dims=${n}`);
    if (n > Math.min(a.shape.length, b.shape.length)) {
      raise(
        "RuntimeError",
        `tensordot expects dims < ndim_a or ndim_b, but got dims=${n}`,
      );
    }
    left = Array.from({ length: n }, (_, i) => i - n);
    right = left.map((_, i) => i);
  }
  if (left.length !== right.length) {
    raise("RuntimeError", "both dimension lists should have same length");
  }
  if (a.dtype !== b.dtype) raise("RuntimeError", "both inputs should have same dtype");
  const [dimsA, dimsB] = [
    left.map((d) => wrapDim(d, a.shape.length)),
    right.map((d) => wrapDim(d, b.shape.length)),
  ];
  let [x, y] = [a, b];
  dimsA.forEach((d, i) => {
    const [n, m] = [x.shape[d], y.shape[dimsB[i]]];
    if (n === m) return;
    if (m === 1) x = sum(x, [d], true);
    else if (n === 1) y = sum(y, [dimsB[i]], true);
    else {
      raise(
        "RuntimeError",
        `contracted dimensions need to match, but first has size ${n} in dim ${left[i]} ` +
          `and second has size ${m} in dim ${right[i]}`,
      );
    }
  });
  const rest = (t, dims) => t.shape.map((_, d) => d).filter((d) => !dims.includes(d));
  const [keptA, keptB] = [rest(x, dimsA), rest(y, dimsB)];
  const size = (t, dims) => dims.map((d) => t.shape[d]);
  const terms = product(size(x, dimsA));
  const [n, m] = [size(x, keptA), size(y, keptB)];
  const l = reshape(permute(x, [...keptA, ...dimsA]), [product(n), terms]);
  const r = reshape(permute(y, [...dimsB, ...keptB]), [terms, product(m)]);
  return reshape(mm(l, r), [...n, ...m]);
}

export function kron(a, b) {
  const n = Math.max(a.shape.length, b.shape.length);
  let [x, y] = [a, b];
  while (x.shape.length < n) x = unsqueeze(x, 0);
  while (y.shape.length < n) y = unsqueeze(y, 0);
  const pairs = (t, one) => t.shape.flatMap((size) => (one ? [1, size] : [size, 1]));
  const sizes = x.shape.map((size, d) => size * y.shape[d]);
  return reshape(mul(reshape(x, pairs(x, false)), reshape(y, pairs(y, true))), sizes);
}

// --------------------------------------------------------------- diagonals

export function trace(x) {
  const n = x.shape.length;
  if (n !== 2)
    raise("RuntimeError", `trace: expected a matrix, but got tensor with dim ${n}`);
  return sum(diagonal(x, 0, 0, 1), null, false);
}

function triangle(x, offset, lower) {
  const name = lower ? "tril" : "triu";
  if (x.shape.length < 2) {
    raise("RuntimeError", `${name}: input tensor must have at least 2 dimensions`);
  }
  const [n, m] = x.shape.slice(-2);
  const data = values(x);
  for (let start = 0; start < data.length; start += n * m) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        const gone = lower ? j - i > offset : j - i < offset;
        if (gone) data[start + i * m + j] = 0;
      }
    }
  }
  const out = tensor_from(data, x.shape, x.dtype);
  return record(out, `${lower ? "Tril" : "Triu"}Backward0`, [x], (g) => [
    triangle(g, offset, lower),
  ]);
}

export const tril = (x, offset = 0) => triangle(x, offset, true);
export const triu = (x, offset = 0) => triangle(x, offset, false);

export function diag_embed(x, offset = 0, dim1 = -2, dim2 = -1) {
  const n = x.shape.length + 1;
  const [d1, d2] = [wrapDim(dim1, n), wrapDim(dim2, n)];
  if (d1 === d2) {
    const text = `diagonal dimensions cannot be identical ${dim1}, ${dim2}`;
    raise("RuntimeError", text);
  }
  const count = x.shape.at(-1);
  const size = count + Math.abs(offset);
  const data = values(x);
  const rows = count === 0 ? 0 : data.length / count;
  const out = new Float64Array(product(x.shape.slice(0, -1)) * size * size);
  const [down, right] = [Math.max(-offset, 0), Math.max(offset, 0)];
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < count; i++) {
      out[r * size * size + (i + down) * size + i + right] = data[r * count + i];
    }
  }
  const result = tensor_from(out, [...x.shape.slice(0, -1), size, size], x.dtype);
  const wide = record(result, "DiagEmbedBackward0", [x], (g) => [
    diagonal(g, offset, -2, -1),
  ]);
  // an offset counts from dim1 to dim2, whichever comes first
  return movedim(wide, [-2, -1], [d1, d2]);
}

export function diag(x, offset = 0) {
  const n = x.shape.length;
  if (n === 1) return diag_embed(x, offset);
  if (n !== 2) raise("RuntimeError", `diag(): Supports 1D or 2D tensors. Got ${n}D`);
  const view = diagonal(x, offset, 0, 1);
  const out = tensor_from(values(view), view.shape, x.dtype);
  return record(out, "DiagonalBackward0", [view], (g) => [g]);
}

export const diagflat = (x, offset = 0) => diag_embed(reshape(x, [-1]), offset);

// --------------------------------------------------------------- distances

export function linalg_cross(a, b, dim = -1) {
  const [n, m] = [a.shape.at(dim), b.shape.at(dim)];
  if (a.shape.length !== b.shape.length) {
    const text = "linalg.cross: inputs must have the same number of dimensions.";
    raise("RuntimeError", text);
  }
  if (n !== 3 || m !== 3) {
    const text = `inputs dimension ${dim} must have length 3. Got ${n} and ${m}`;
    raise("RuntimeError", `linalg.cross: ${text}`);
  }
  sameForBatches(a, b);
  const shape = broadcastShapes(a.shape, b.shape);
  const [x, y] = [expand(a, shape), expand(b, shape)];
  return sub(
    mul(roll(x, [-1], [dim]), roll(y, [-2], [dim])),
    mul(roll(x, [-2], [dim]), roll(y, [-1], [dim])),
  );
}

export function cross(a, b, dim = null) {
  if (dim !== null) return linalg_cross(a, b, dim);
  const shape = broadcastShapes(a.shape, b.shape);
  const found = shape.indexOf(3);
  if (found < 0) raise("RuntimeError", "no dimension of size 3 in input");
  return linalg_cross(a, b, found);
}

export const vecdot = (a, b, dim = -1) => sum(mul(a, b), [dim], false);

export function cdist(a, b, p = 2) {
  [a, b].forEach((x, i) => {
    const n = x.shape.length;
    if (n < 2) {
      raise(
        "RuntimeError",
        `cdist only supports at least 2D tensors, X${i + 1} got: ${n}D`,
      );
    }
  });
  const [n, m] = [a.shape.at(-1), b.shape.at(-1)];
  if (n !== m) {
    const text = `X1: ${n} X2: ${m}`;
    raise("RuntimeError", `X1 and X2 must have the same number of columns. ${text}`);
  }
  [a, b].forEach((x, i) => {
    if (!x.dtype.floating) {
      const text = `X${i + 1} got: ${typeName(x)}`;
      raise("RuntimeError", `cdist only supports floating-point dtypes, ${text}`);
    }
  });
  if (p < 0) raise("RuntimeError", "cdist only supports non-negative p values");
  const apart = sub(unsqueeze(a, -2), unsqueeze(b, -3));
  if (n === 0) return sum(apart, [-1]);
  return linalg_vector_norm(apart, p, [-1], false);
}

export function pairwise_distance(a, b, p = 2, eps = 1e-6, keepdim = false) {
  const apart = sub(a, b);
  return linalg_vector_norm(add(apart, scalarLike(apart, eps)), p, [-1], keepdim);
}

// ---------------------------------------------------------- linear algebra

function needMatrix(x, name) {
  const n = x.shape.length;
  if (n < 2) {
    raise(
      "RuntimeError",
      `${name}: The input tensor A must have at least 2 dimensions.`,
    );
  }
  if (!x.dtype.floating) {
    const text = `Expected a floating point or complex tensor as input. Got ${typeName(x)}`;
    raise("RuntimeError", `${name}: ${text}`);
  }
  if (["float16", "bfloat16"].includes(x.dtype.name)) {
    raise(
      "RuntimeError",
      `${name}: Low precision dtypes not supported. Got ${typeName(x)}`,
    );
  }
}

function needSquare(x, name) {
  needMatrix(x, name);
  const [n, m] = x.shape.slice(-2);
  if (n !== m) {
    const text = `A must be batches of square matrices, but they are ${n} by ${m} matrices`;
    raise("RuntimeError", `${name}: ${text}`);
  }
}

// A result that has a gradient in torch, but not here: told when it is asked for.
const withoutGradient = (out, x, name) =>
  record(out, name, [x], () => notHere(`the gradient of ${name}`));

// Each matrix of the stack as rows of numbers, in a list.
function matrices(x) {
  const [n, m] = x.shape.slice(-2);
  const data = values(x);
  return Array.from({ length: product(x.shape.slice(0, -2)) }, (_, b) =>
    Array.from({ length: n }, (_, i) =>
      data.slice(b * n * m + i * m, b * n * m + (i + 1) * m),
    ),
  );
}

// The stack of one result of each matrix: a number, a vector or rows.
function restack(x, results, sizes) {
  const flat = results.flatMap((r) =>
    typeof r === "number"
      ? [r]
      : r.flatMap((row) => (typeof row === "number" ? [row] : [...row])),
  );
  return tensor_from(flat, [...x.shape.slice(0, -2), ...sizes], x.dtype);
}

const identity = (n) =>
  Array.from({ length: n }, (_, i) =>
    Float64Array.from({ length: n }, (_, j) => +(i === j)),
  );

const turned = (rows, m) =>
  Array.from({ length: m }, (_, j) => Float64Array.from(rows, (row) => row[j]));

// Gauss: solves rows * X = right in place; -> {sign, pivots, zero: a zero pivot's place}.
function eliminate(rows, right) {
  const n = rows.length;
  let [sign, zero] = [1, -1];
  for (let c = 0; c < n; c++) {
    let best = c;
    for (let i = c + 1; i < n; i++) {
      if (Math.abs(rows[i][c]) > Math.abs(rows[best][c])) best = i;
    }
    if (best !== c) {
      [rows[c], rows[best]] = [rows[best], rows[c]];
      [right[c], right[best]] = [right[best], right[c]];
      sign = -sign;
    }
    if (rows[c][c] === 0) {
      if (zero < 0) zero = c;
      continue;
    }
    for (let i = c + 1; i < n; i++) {
      const factor = rows[i][c] / rows[c][c];
      if (factor === 0) continue;
      for (let j = c; j < n; j++) rows[i][j] -= factor * rows[c][j];
      for (let j = 0; j < right[i].length; j++) right[i][j] -= factor * right[c][j];
    }
  }
  const pivots = rows.map((row, i) => row[i]);
  if (zero >= 0) return { sign, pivots, zero };
  for (let i = n - 1; i >= 0; i--) {
    for (let j = 0; j < right[i].length; j++) {
      let total = right[i][j];
      for (let k = i + 1; k < n; k++) total -= rows[i][k] * right[k][j];
      right[i][j] = total / rows[i][i];
    }
  }
  return { sign, pivots, zero };
}

export function linalg_inv(x) {
  needSquare(x, "linalg.inv");
  const n = x.shape.at(-1);
  const results = matrices(x).map((rows, b) => {
    const right = identity(n);
    const { zero } = eliminate(rows, right);
    if (zero >= 0) {
      const place = x.shape.length > 2 ? `(Batch element ${b}): ` : "";
      raise(
        "LinAlgError",
        `linalg.inv: ${place}The diagonal element ${zero + 1} is zero, the inversion ` +
          "could not be completed because the input matrix is singular.",
      );
    }
    return right;
  });
  const out = restack(x, results, [n, n]);
  const backward = (g) => [neg(matmul(matmul(swap(out), g), swap(out)))];
  return record(out, "LinalgInvExBackward0", [x], backward, [out]);
}

export const inverse = linalg_inv;

export function linalg_solve(a, b) {
  needSquare(a, "linalg.solve");
  const vector =
    b.shape.length === 1 ||
    (a.shape.length - 1 === b.shape.length &&
      `${b.shape}` === `${a.shape.slice(0, -1)}`);
  let right = vector ? unsqueeze(b, -1) : b;
  const n = a.shape.at(-1);
  if (right.shape.at(-2) !== n) {
    const text = `(${n}x${n} and ${right.shape.slice(-2).join("x")})`;
    raise(
      "RuntimeError",
      `linalg.solve: Incompatible shapes of A and B for the equation AX = B ${text}`,
    );
  }
  if (a.dtype !== b.dtype) {
    const text = `but got A: ${typeName(a)} and B: ${typeName(b)} instead`;
    raise(
      "RuntimeError",
      `linalg.solve: Expected A and B to have the same dtype, ${text}`,
    );
  }
  const batch = broadcastShapes(a.shape.slice(0, -2), right.shape.slice(0, -2));
  const left = expand(a, [...batch, n, n]);
  right = expand(right, [...batch, ...right.shape.slice(-2)]);
  const rights = matrices(right);
  const results = matrices(left).map((rows, i) => {
    const { zero } = eliminate(rows, rights[i]);
    if (zero >= 0) {
      const place = batch.length > 0 ? `(Batch element ${i}): ` : "";
      raise(
        "LinAlgError",
        `torch.linalg.solve: ${place}The solver failed because the input matrix is singular.`,
      );
    }
    return rights[i];
  });
  const out = restack(right, results, right.shape.slice(-2));
  const backward = (g) => {
    const gradient = linalg_solve(swap(left), g);
    return [neg(matmul(gradient, swap(out))), gradient];
  };
  const saved = [left, out];
  const done = record(out, "LinalgSolveExBackward0", [left, right], backward, saved);
  return vector ? squeeze(done, -1) : done;
}

export function linalg_det(x, name = "linalg.det") {
  needSquare(x, name);
  const pairs = matrices(x).map((rows) =>
    eliminate(
      rows,
      rows.map(() => []),
    ),
  );
  const result = pairs.map(({ sign, pivots }) => pivots.reduce((a, b) => a * b, sign));
  const out = restack(x, result, []);
  const backward = (g) => {
    if (result.some((value) => value === 0)) {
      notHere("the gradient of torch.linalg.det at a singular matrix");
    }
    const factor = unsqueeze(unsqueeze(mul(g, linalg_det(x)), -1), -1);
    return [mul(factor, swap(linalg_inv(x)))];
  };
  return record(out, "LinalgDetBackward0", [x], backward, [x]);
}

export const det = (x) => linalg_det(x);
export const logdet = (x) => log(linalg_det(x));

export function linalg_slogdet(x) {
  const value = linalg_det(x, "linalg.slogdet");
  return [sign(value), log(abs(value))];
}

// Householder reflections as LAPACK chooses their signs; -> [Q (m x m), R (m x n)].
function reflect(rows, n) {
  const m = rows.length;
  const r = rows.map((row) => Float64Array.from(row));
  const q = identity(m);
  for (let c = 0; c < Math.min(m - 1, n); c++) {
    let below = 0;
    for (let i = c + 1; i < m; i++) below += r[i][c] ** 2;
    if (below === 0) continue;
    const norm = Math.sqrt(below + r[c][c] ** 2);
    const beta = r[c][c] >= 0 ? -norm : norm;
    const v = r.map((row, i) => (i < c ? 0 : row[c]));
    v[c] -= beta;
    const scale = 2 / v.reduce((total, value) => total + value * value, 0);
    for (let j = 0; j < n; j++) {
      let total = 0;
      for (let i = c; i < m; i++) total += v[i] * r[i][j];
      for (let i = c; i < m; i++) r[i][j] -= scale * total * v[i];
    }
    for (let i = 0; i < m; i++) {
      let total = 0;
      for (let k = c; k < m; k++) total += q[i][k] * v[k];
      for (let k = c; k < m; k++) q[i][k] -= scale * total * v[k];
    }
    for (let i = c + 1; i < m; i++) r[i][c] = 0;
  }
  return [q, r];
}

export function linalg_qr(x, mode = "reduced") {
  needMatrix(x, "linalg.qr");
  const [m, n] = x.shape.slice(-2);
  const rows = mode === "complete" ? m : Math.min(m, n);
  const pairs = matrices(x).map((matrix) => reflect(matrix, n));
  const known = (results, sizes) =>
    withoutGradient(restack(x, results, sizes), x, "torch.linalg.qr");
  const r = known(
    pairs.map((pair) => pair[1].slice(0, rows)),
    [rows, n],
  );
  if (mode === "r") return [tensor_from([], [0], x.dtype), r];
  const q = pairs.map((pair) => pair[0].map((row) => row.slice(0, rows)));
  return [known(q, [m, rows]), r];
}

export function linalg_cholesky(x, upper = false) {
  needSquare(x, "linalg.cholesky");
  const n = x.shape.at(-1);
  const results = matrices(upper ? swap(x) : x).map((a, b) => {
    const l = a.map((row) => row.map(() => 0));
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let total = a[i][j];
        for (let k = 0; k < j; k++) total -= l[i][k] * l[j][k];
        if (i === j && !(total > 0)) {
          const place = x.shape.length > 2 ? `(Batch element ${b}): ` : "";
          raise(
            "LinAlgError",
            `linalg.cholesky: ${place}The factorization could not be completed because ` +
              "the input is not positive-definite (the leading minor of order " +
              `${i + 1} is not positive-definite).`,
          );
        }
        l[i][j] = i === j ? Math.sqrt(total) : total / l[j][j];
      }
    }
    return l;
  });
  const out = restack(x, results, [n, n]);
  const backward = (g) => {
    const inner = tril(matmul(swap(out), g));
    const half = sub(
      inner,
      mul(scalarLike(x, 0.5), diag_embed(diagonal(inner, 0, -2, -1))),
    );
    const inverted = linalg_inv(out);
    const full = matmul(matmul(swap(inverted), half), inverted);
    return [mul(scalarLike(x, 0.5), add(full, swap(full)))];
  };
  const lower = record(out, "LinalgCholeskyExBackward0", [x], backward, [out]);
  return upper ? swap(lower) : lower;
}

// Jacobi's rotations of a symmetric matrix; -> [values, vectors as columns], ascending.
function symmetric(a) {
  const n = a.length;
  const v = identity(n);
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    let all = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        all += a[i][j] ** 2;
        if (i !== j) off += a[i][j] ** 2;
      }
    }
    if (off <= 1e-34 * all) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p][q] === 0) continue;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t =
          (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
        }
        for (let k = 0; k < n; k++) {
          [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
          [v[k][p], v[k][q]] = [c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]];
        }
      }
    }
  }
  const order = a.map((_, i) => i).sort((i, j) => a[i][i] - a[j][j]);
  return [order.map((i) => a[i][i]), v.map((row) => order.map((i) => row[i]))];
}

export function linalg_eigh(x) {
  needSquare(x, "linalg.eigh");
  const n = x.shape.at(-1);
  const pairs = matrices(x).map((a) => {
    // only the lower triangle counts
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) a[i][j] = a[j][i];
    return symmetric(a);
  });
  const numbers = restack(
    x,
    pairs.map((pair) => pair[0]),
    [n],
  );
  const vectors = restack(
    x,
    pairs.map((pair) => pair[1]),
    [n, n],
  );
  const backward = (g) => [matmul(mul(vectors, unsqueeze(g, -2)), swap(vectors))];
  return [
    record(numbers, "LinalgEighBackward0", [x], backward, [x], true),
    withoutGradient(detach(vectors), x, "torch.linalg.eigh's vectors"),
  ];
}

export const linalg_eigvalsh = (x) => linalg_eigh(x)[0];

// One-sided Jacobi of columns (m >= n); -> [U (m x n), S, V (n x n)], descending.
function singular(rows, n) {
  const columns = turned(rows, n);
  const v = identity(n);
  const dotted = (a, b) => a.reduce((total, value, i) => total + value * b[i], 0);
  for (let sweep = 0, moved = true; moved && sweep < 60; sweep++) {
    moved = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const alpha = dotted(columns[p], columns[p]);
        const beta = dotted(columns[q], columns[q]);
        const gamma = dotted(columns[p], columns[q]);
        if (Math.abs(gamma) <= 1e-16 * Math.sqrt(alpha * beta)) continue;
        moved = true;
        const zeta = (beta - alpha) / (2 * gamma);
        const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const c = 1 / Math.sqrt(1 + t * t);
        const s = c * t;
        for (const pair of [columns, v]) {
          const [a, b] = [pair[p], pair[q]];
          for (let k = 0; k < a.length; k++) {
            [a[k], b[k]] = [c * a[k] - s * b[k], s * a[k] + c * b[k]];
          }
        }
      }
    }
  }
  const sizes = columns.map((column) => Math.sqrt(dotted(column, column)));
  const order = sizes.map((_, i) => i).sort((i, j) => sizes[j] - sizes[i]);
  return {
    u: order.map((i) => columns[i].map((value) => value / (sizes[i] || 1))),
    s: order.map((i) => sizes[i]),
    v: order.map((i) => v[i]),
  };
}

// Unit rows orthogonal to the given ones in place of zero rows, up to `count` rows.
function completed(given, count, length) {
  const rows = given.map((row) => (row.some((value) => value !== 0) ? row : null));
  while (rows.length < count) rows.push(null);
  for (let place = 0; place < rows.length; place++) {
    for (let axis = 0; rows[place] === null; axis++) {
      const row = Float64Array.from({ length }, (_, i) => +(i === axis));
      for (let twice = 0; twice < 2; twice++) {
        for (const other of rows) {
          if (other === null) continue;
          const along = other.reduce((total, value, i) => total + value * row[i], 0);
          for (let i = 0; i < length; i++) row[i] -= along * other[i];
        }
      }
      const size = Math.sqrt(row.reduce((total, value) => total + value * value, 0));
      if (size > 0.5 / Math.sqrt(length))
        rows[place] = row.map((value) => value / size);
    }
  }
  return rows;
}

export function linalg_svd(x, full = true) {
  needMatrix(x, "linalg.svd");
  const [m, n] = x.shape.slice(-2);
  const wide = n > m;
  const least = Math.min(m, n);
  const results = matrices(wide ? swap(x) : x).map((rows) => {
    const { u, s, v } = singular(rows, least);
    const [tall, small] = [Math.max(m, n), full ? Math.max(m, n) : least];
    const long = completed(u, small, tall);
    // rows of `long` and `v` are the singular vectors
    return wide ? [turned(v, m), s, long] : [turned(long, m), s, v];
  });
  const [rows, columns] = full ? [m, n] : [least, least];
  const part = (place, sizes) =>
    restack(
      x,
      results.map((r) => r[place]),
      sizes,
    );
  const [u, s, v] = [part(0, [m, rows]), part(1, [least]), part(2, [columns, n])];
  const backward = (g) => {
    const left = narrow(u, -1, 0, least);
    return [matmul(mul(left, unsqueeze(g, -2)), narrow(v, -2, 0, least))];
  };
  return [
    withoutGradient(detach(u), x, "torch.linalg.svd's vectors"),
    record(s, "LinalgSvdBackward0", [x], backward, [x], true),
    withoutGradient(detach(v), x, "torch.linalg.svd's vectors"),
  ];
}

export const linalg_svdvals = (x) => linalg_svd(x, false)[1];

const epsilon = (x) => (x.dtype.name === "float64" ? 2 ** -52 : 2 ** -23);

// The pseudo-inverse of one matrix and its rank, singular values below `cut` left out.
function pseudo(rows, m, n, cut) {
  const wide = n > m;
  const { u, s, v } = singular(wide ? turned(rows, n) : rows, Math.min(m, n));
  const rank = s.filter((value) => value > cut * s[0]).length;
  const out = Array.from({ length: n }, () => new Float64Array(m));
  const [left, right] = wide ? [u, v] : [v, u];
  for (let k = 0; k < rank; k++) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) out[i][j] += (left[k][i] * right[k][j]) / s[k];
    }
  }
  return { out, rank };
}

function pseudoInverse(x, found) {
  const [m, n] = x.shape.slice(-2);
  const out = restack(
    x,
    found.map((one) => one.out),
    [n, m],
  );
  return record(
    out,
    "LinalgPinvBackward0",
    [x],
    (g) => {
      const [p, flat] = [linalg_pinv(x), swap(out)];
      const h = swap(g);
      const k = matmul(h, p);
      const inner = matmul(k, flat);
      const outer = matmul(flat, p);
      const first = sub(inner, swap(matmul(p, k)));
      const second = sub(
        matmul(outer, sub(h, matmul(k, x))),
        matmul(matmul(x, p), inner),
      );
      return [add(first, second)];
    },
    [x, out],
  );
}

const found = (x) => {
  const [m, n] = x.shape.slice(-2);
  const cut = Math.max(m, n) * epsilon(x);
  return matrices(x).map((rows) => pseudo(rows, m, n, cut));
};

export function linalg_pinv(x) {
  needMatrix(x, "linalg.pinv");
  return pseudoInverse(x, found(x));
}

export function linalg_matrix_rank(x) {
  needMatrix(x, "linalg.matrix_rank");
  const ranks = found(x).map((one) => one.rank);
  return tensor_from(ranks, x.shape.slice(0, -2), "int64");
}

export function linalg_lstsq(a, b) {
  needMatrix(a, "torch.linalg.lstsq");
  if (b.shape.length < 1) {
    raise("RuntimeError", "torch.linalg.lstsq: other must have at least 1 dimension.");
  }
  const vector = a.shape.length - b.shape.length === 1;
  const right = vector ? unsqueeze(b, -1) : b;
  const m = a.shape.at(-2);
  if (right.shape.at(-2) !== m) {
    const ends = vector ? "(-1)" : "(-2)";
    const text = `input.size(-2) should match other.size${ends}`;
    raise("RuntimeError", `torch.linalg.lstsq: ${text}`);
  }
  if (a.dtype !== b.dtype) {
    raise(
      "RuntimeError",
      "torch.linalg.lstsq: input and other must have the same dtype",
    );
  }
  const all = found(a);
  const solution = matmul(pseudoInverse(a, all), right);
  const rank = tensor_from(
    all.map((one) => one.rank),
    a.shape.slice(0, -2),
    "int64",
  );
  const none = tensor_from([], [0], a.dtype);
  return [vector ? squeeze(solution, -1) : solution, none, rank, none];
}

export function linalg_matrix_power(x, power) {
  const n = x.shape.length;
  if (n < 2) {
    const text = "The input tensor A must have at least 2 dimensions.";
    raise("RuntimeError", `linalg.matrix_power: ${text}`);
  }
  const [rows, columns] = x.shape.slice(-2);
  if (rows !== columns) {
    const text = `they are ${rows} by ${columns} matrices`;
    raise(
      "RuntimeError",
      `linalg.matrix_power: A must be batches of square matrices, but ${text}`,
    );
  }
  if (power === 0) return expand(eye(rows, null, x.dtype.name), x.shape);
  let base = power < 0 ? linalg_inv(x) : x;
  let out = null;
  for (let rest = Math.abs(power); rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) out = out === null ? base : matmul(out, base);
    if (rest > 1) base = matmul(base, base);
  }
  return out;
}

export const matrix_power = linalg_matrix_power;
