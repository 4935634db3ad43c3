// Gradients: nodes, the backward pass, in-place changes.
//
// record(out, name, inputs, backward, saved = [], raw = false) -> out
//     gives out a history if some input requires grad and grad mode is on.
//     name: torch's ("MulBackward0"). inputs: Tensors or null.
//     backward(grad) -> array of Tensor | null, one for each input. The engine itself
//     sums a gradient to its input's (broadcast) shape and casts it to its dtype.
//     saved: the tensors (inputs or out) that backward reads; a later in-place change of
//     them is found, and a second backward refuses. raw: no create_graph through it.
// needs(t)                    does recording now track t?
// is_grad_enabled(), set_grad_enabled(flag) -> the flag before
// noGrad(fn)                  runs fn without recording
// backward(t, grad | null, retain_graph, create_graph, ...inputs)
// grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused)
//     arrays of Tensors; -> array of Tensor | null
// inplace(x, fn, ...args)     x becomes fn(x, ...args) in place, as torch's x.fn_(...)
// evenly(x, fn, ...args)      the same for a change that an expanded tensor allows (fill)
// requires_grad_(t, flag), retain_grad(t), register_hook(t, fn) -> handle, detach_(t),
// set_grad(t, grad | null)    t.grad = grad, with torch's checks

import { add } from "./elementwise.js";
import { notHere, raise } from "./errors.js";
import {
  canCast,
  eachRow,
  full,
  numel,
  read,
  sameShape,
  shapeText,
  Tensor,
  tensor_from,
  typeNames,
  values,
  write,
} from "./tensor.js";
import { alias, cast, sumTo } from "./views.js";

let gradMode = true;
let counter = 0;

export const is_grad_enabled = () => gradMode;

export function set_grad_enabled(flag) {
  const before = gradMode;
  gradMode = Boolean(flag);
  return before;
}

export function noGrad(fn) {
  const before = set_grad_enabled(false);
  try {
    return fn();
  } finally {
    gradMode = before;
  }
}

export const needs = (t) => gradMode && Boolean(t?.requires_grad);

const tracked = (t) => t instanceof Tensor && t.dtype.floating && t.requires_grad;

// A view that was made without gradients leads nowhere.
function edgeOf(t) {
  const { node } = t;
  return node === null && t.creation === "no_grad" ? null : (node ?? t);
}

// One step of the history. An edge leads to a node or to a leaf tensor.
class Node {
  constructor(name, inputs, backward, saved, raw, out) {
    this.id = counter++;
    this.name = name;
    this.backward = backward;
    this.raw = raw;
    this.saved = saved.map((t) => ({
      tensor: t,
      isOut: t === out,
      storage: t.storage,
      version: t.version,
    }));
    this.edges = inputs.map((t) => (tracked(t) ? edgeOf(t) : null));
    this.shapes = inputs.map((t) => t?.shape);
    this.types = inputs.map((t) => t?.dtype);
    this.shape = out.shape;
    this.type = out.dtype;
    this.retained = null;
    this.hooks = null;
  }
}

export function record(out, name, inputs, backward, saved = [], raw = false) {
  if (gradMode && out.dtype.floating && inputs.some(tracked)) {
    out.node = new Node(name, inputs, backward, saved, raw, out);
  }
  return out;
}

export function requires_grad_(t, flag, kinds = "floating point") {
  if (!t.is_leaf) {
    if (!flag) {
      raise(
        "RuntimeError",
        "you can only change requires_grad flags of leaf variables. If you want to use " +
          "a computed variable in a subgraph that doesn't require differentiation use " +
          "var_no_grad = var.detach().",
      );
    }
    return t;
  }
  if (flag && !t.dtype.floating) {
    raise("RuntimeError", `only Tensors of ${kinds} dtype can require gradients`);
  }
  t.leafRequires = Boolean(flag);
  return t;
}

export function retain_grad(t) {
  if (!t.requires_grad) {
    raise("RuntimeError", "can't retain_grad on Tensor that has requires_grad=False");
  }
  if (t.node !== null && !t.retains) {
    t.retains = true;
    t.node.retained = t;
  }
  return t;
}

// fn(grad) -> a new gradient or null; of a leaf, or of what t is now.
export function register_hook(t, fn) {
  if (!t.requires_grad) {
    raise(
      "RuntimeError",
      "cannot register a hook on a tensor that doesn't require gradient",
    );
  }
  const owner = t.node ?? t;
  owner.hooks = [...(owner.hooks ?? []), fn];
  return {
    remove() {
      owner.hooks = owner.hooks.filter((hook) => hook !== fn);
    },
  };
}

export function detach_(t) {
  if (t.base !== null) {
    raise(
      "RuntimeError",
      "Can't detach views in-place. Use detach() instead. If you are using " +
        "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is " +
        "set as True, gradients are views of DDP buckets, and hence detach_() cannot " +
        "be called on these gradients. To fix this error, please refer to the " +
        "Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution.",
    );
  }
  t.node = null;
  t.leafRequires = false;
  return t;
}

export function set_grad(t, grad) {
  if (grad !== null && !sameShape(grad.shape, t.shape)) {
    raise(
      "RuntimeError",
      `attempting to assign a gradient of size '${shapeText(grad.shape)}' to a tensor of ` +
        `size '${shapeText(t.shape)}'. Please ensure that the gradient and the tensor ` +
        "are the same size",
    );
  }
  if (grad !== null && grad.dtype !== t.dtype) {
    raise(
      "RuntimeError",
      `attempting to assign a gradient with dtype '${typeNames[grad.dtype.name].toLowerCase()}' ` +
        `to a tensor with grad_dtype '${typeNames[t.dtype.name]}'. The gradient must match ` +
        "the tensor's grad_dtype (defaults to the tensor's dtype). You can set the " +
        "tensor's grad_dtype attribute with a specific dtype, or None to allow any " +
        "dtype. Set grad_dtype with caution. Diverging the dtypes of a tensor and its " +
        "gradient may break downstream systems that assume they match.",
    );
  }
  t.grad = grad;
  return t;
}

// As torch's messages name a node.
const shortName = ({ name }) =>
  name
    .replace(/Backward(\d*)$/, (_, number) => (number === "0" ? "" : number))
    .replace(/^Copy/, "torch::autograd::Copy");

function checkSaved(node) {
  for (const { tensor, isOut, storage, version } of node.saved) {
    if (storage.version !== version) {
      const source = isOut ? node : tensor.node;
      const origin = source ? `, which is output 0 of ${shortName(source)},` : "";
      raise(
        "RuntimeError",
        "one of the variables needed for gradient computation has been modified by an " +
          `inplace operation: [torch.${typeNames[tensor.dtype.name]}Tensor ` +
          `${shapeText(tensor.shape)}]${origin} is at version ${storage.version}; ` +
          `expected version ${version} instead. Hint: enable anomaly detection to find ` +
          "the operation that failed to compute its gradient, with " +
          "torch.autograd.set_detect_anomaly(True, check_nan=False).",
      );
    }
  }
}

function checkFreed(node) {
  if (node.freed) {
    raise(
      "RuntimeError",
      "Trying to backward through the graph a second time (or directly access saved " +
        "tensors after they have already been freed). Saved intermediate values of the " +
        "graph are freed when you call .backward() or autograd.grad(). Specify " +
        "retain_graph=True if you need to backward through the graph a second time or " +
        "if you need to access saved tensors after calling backward.",
    );
  }
}

function accumulate(leaf, grad) {
  if (!leaf.requires_grad) {
    return;
  }
  if (leaf.grad === null) {
    leaf.grad = gradMode
      ? alias(grad)
      : tensor_from(values(grad), leaf.shape, leaf.dtype);
  } else if (gradMode) {
    leaf.grad = add(leaf.grad, grad);
  } else {
    write(leaf.grad, read(add(leaf.grad, grad)));
    leaf.grad.storage.version++;
  }
}

function hooked(owner, grad) {
  let current = grad;
  for (const hook of owner.hooks ?? []) {
    current = hook(current) ?? current;
  }
  return current;
}

function fitted(grad, node, i) {
  const summed = sameShape(grad.shape, node.shapes[i])
    ? grad
    : sumTo(grad, node.shapes[i]);
  return summed.dtype === node.types[i] ? summed : cast(summed, node.types[i]);
}

// All nodes that lead into the roots, newest first: an order in which each node comes
// after all that use it.
function reached(roots) {
  const found = new Set();
  const todo = roots.filter((edge) => edge instanceof Node);
  while (todo.length > 0) {
    const node = todo.pop();
    if (!found.has(node)) {
      found.add(node);
      for (const edge of node.edges) {
        if (edge instanceof Node && !found.has(edge)) {
          todo.push(edge);
        }
      }
    }
  }
  return [...found].sort((a, b) => b.id - a.id);
}

// Those nodes through which a gradient must go to come to a target.
function leading(order, targets) {
  const needed = new Set();
  for (let i = order.length - 1; i >= 0; i--) {
    if (order[i].edges.some((edge) => targets.has(edge) || needed.has(edge))) {
      needed.add(order[i]);
    }
  }
  return needed;
}

// targets null: accumulates into all leaves; else a Map from edge to its gradient.
function run(roots, grads, keep, targets) {
  const edges = roots.map((t) => t.node ?? t);
  const order = reached(edges);
  const needed = targets === null ? null : leading(order, targets);
  const pending = new Map();
  const leaves = new Map();
  const give = (edge, grad) => {
    const into = edge instanceof Node ? pending : leaves;
    const before = into.get(edge);
    into.set(edge, before === undefined ? grad : add(before, grad));
  };
  edges.forEach((edge, i) => give(edge, grads[i]));
  for (const node of order) {
    let grad = pending.get(node);
    if (grad === undefined) {
      continue;
    }
    pending.delete(node);
    grad = hooked(node, grad);
    if (node.retained !== null) {
      const owner = node.retained;
      owner.grad = owner.grad === null ? grad : add(owner.grad, grad);
    }
    if (targets?.has(node)) {
      targets.set(node, grad);
    }
    if (needed !== null && !needed.has(node)) {
      continue;
    }
    checkFreed(node);
    checkSaved(node);
    if (node.raw && gradMode) {
      notHere(`a gradient of the gradient of ${node.name}`);
    }
    const results = node.backward(grad);
    node.edges.forEach((edge, i) => {
      if (edge !== null && results[i]) {
        give(edge, fitted(results[i], node, i));
      }
    });
    if (!keep && node.saved.length > 0) {
      node.freed = true;
      node.saved = [];
      node.backward = null;
    }
  }
  for (const [leaf, grad] of leaves) {
    const final = hooked(leaf, grad);
    if (targets === null) {
      accumulate(leaf, final);
    } else if (targets.has(leaf)) {
      targets.set(leaf, final);
    }
  }
}

function startGrad(t, given) {
  if (given === null || given === undefined) {
    if (t.requires_grad && numel(t.shape) !== 1) {
      raise("RuntimeError", "grad can be implicitly created only for scalar outputs");
    }
    return full(t.shape, 1, t.dtype);
  }
  if (!sameShape(given.shape, t.shape)) {
    raise(
      "RuntimeError",
      `Mismatch in shape: grad_output[0] has a shape of torch.Size(${shapeText(given.shape)}) ` +
        `and output[0] has a shape of torch.Size(${shapeText(t.shape)}).`,
    );
  }
  return given.dtype === t.dtype ? given : cast(given, t.dtype);
}

function checkRoots(roots) {
  roots.forEach((t, i) => {
    if (!t.requires_grad) {
      raise(
        "RuntimeError",
        `element ${i} of tensors does not require grad and does not have a grad_fn`,
      );
    }
  });
}

function withMode(createGraph, fn) {
  const before = set_grad_enabled(createGraph);
  try {
    return fn();
  } finally {
    gradMode = before;
  }
}

export function backward(t, given, retain_graph, create_graph, ...inputs) {
  const create = Boolean(create_graph);
  const start = startGrad(t, given);
  checkRoots([t]);
  const targets = inputs.length > 0 ? targetsOf(inputs) : null;
  withMode(create, () => run([t], [start], retain_graph ?? create, targets));
  for (const input of inputs) {
    const found = targets.get(input.node ?? input);
    if (found !== null) {
      withMode(create, () => accumulate(input, found));
    }
  }
}

const targetsOf = (inputs) => new Map(inputs.map((t) => [t.node ?? t, null]));

export function grad(outputs, inputs, given, retain_graph, create_graph, allow_unused) {
  const create = Boolean(create_graph);
  const starts = outputs.map((t, i) => startGrad(t, given?.[i]));
  checkRoots(outputs);
  if (inputs.some((t) => !t.requires_grad)) {
    raise("RuntimeError", "One of the differentiated Tensors does not require grad");
  }
  const targets = targetsOf(inputs);
  withMode(create, () => run(outputs, starts, retain_graph ?? create, targets));
  return inputs.map((t, i) => {
    const found = targets.get(t.node ?? t);
    if (found === null && !allow_unused) {
      raise(
        "RuntimeError",
        `The differentiated Tensor at index ${i} appears to not have been used in the ` +
          "graph. Set allow_unused=True if this is the desired behavior.",
      );
    }
    // The caller's tensor must not share memory with another result.
    return found === null || create ? found : alias(found);
  });
}

// --- In-place changes ---

function checkWritable(x) {
  if (x.shape.some((size, dim) => size > 1 && x.stride[dim] === 0)) {
    raise(
      "RuntimeError",
      "unsupported operation: more than one element of the written-to tensor refers to " +
        "a single memory location. Please clone() the tensor before performing the " +
        "operation.",
    );
  }
}

function extent(t) {
  return t.shape.reduce((sum, size, dim) => sum + (size - 1) * t.stride[dim], 1);
}

function isDense(t) {
  return extent(t) === numel(t.shape);
}

// The stride of a dim of size 1 does not matter.
const sameSteps = (x, other) =>
  sameShape(x.stride, other.stride) ||
  (sameShape(x.shape, other.shape) &&
    x.shape.every((size, dim) => size === 1 || x.stride[dim] === other.stride[dim]));

function checkOverlap(x, other) {
  if (
    x === other ||
    x.storage.data !== other.storage.data ||
    !isDense(x) ||
    !isDense(other)
  ) {
    return;
  }
  const endX = x.offset + extent(x);
  const endOther = other.offset + extent(other);
  const same = x.offset === other.offset && endX === endOther;
  const partial = same
    ? !sameSteps(x, other)
    : x.offset < endOther && other.offset < endX;
  if (partial && numel(x.shape) > 0 && numel(other.shape) > 0) {
    raise(
      "RuntimeError",
      "unsupported operation: some elements of the input tensor and the written-to " +
        "tensor refer to a single memory location. Please clone() the tensor before " +
        "performing the operation.",
    );
  }
}

// A view that may not be changed in place, or whose base has been.
function refuseView(x, what) {
  const { creation } = x;
  if (creation !== "no_grad") {
    raise(
      "RuntimeError",
      `Output ${creation.index} of ${creation.name} is a view and ${what} modified ` +
        "inplace. This view is the output of a function that returns multiple views. " +
        "Such functions do not allow the output views to be modified inplace. You " +
        "should replace the inplace operation by an out-of-place one.",
    );
  }
  const which = x.ownNode
    ? `Output 0 of ${shortName(x.ownNode)} is a view of a view which`
    : "A view";
  raise(
    "RuntimeError",
    `${which} was created in no_grad mode and ${what} modified inplace with grad mode ` +
      "enabled. Given that this use case is ambiguous and error-prone, it is " +
      "forbidden. You can clarify your code by moving both the view and the inplace " +
      "either both inside the no_grad block (if you don't want the inplace to be " +
      "tracked) or both outside (if you want the inplace to be tracked).",
  );
}

function checkLeaf(x, others) {
  const matters = gradMode && (x.requires_grad || others.some(tracked));
  if (!matters) {
    return;
  }
  if (x.creation !== null) {
    refuseView(x, "is being");
  }
  if (x.requires_grad && (x.is_leaf || x.base?.is_leaf)) {
    const what = x.base?.is_leaf ? "a view of a leaf Variable" : "a leaf Variable";
    raise(
      "RuntimeError",
      `${what} that requires grad is being used in an in-place operation.`,
    );
  }
}

export function inplace(x, fn, ...args) {
  const others = args.filter((arg) => arg instanceof Tensor);
  checkLeaf(x, others);
  checkWritable(x);
  for (const other of others) {
    checkOverlap(x, other);
  }
  return changeTo(x, fn, args, others);
}

// x becomes the same everywhere (fill_), which an expanded tensor can too.
export function evenly(x, fn, ...args) {
  const others = args.filter((arg) => arg instanceof Tensor);
  checkLeaf(x, others);
  return changeTo(x, fn, args, others);
}

function changeTo(x, fn, args, others) {
  const tracks = gradMode && (x.requires_grad || others.some(tracked));
  // The history needs the numbers from before the change.
  const result = fn(tracks ? snapshot(x) : x, ...args);
  if (!sameShape(result.shape, x.shape)) {
    raise(
      "RuntimeError",
      `output with shape ${shapeText(x.shape)} doesn't match the broadcast shape ` +
        shapeText(result.shape),
    );
  }
  if (!canCast(result.dtype, x.dtype)) {
    raise(
      "RuntimeError",
      `result type ${typeNames[result.dtype.name]} can't be cast to the desired output ` +
        `type ${typeNames[x.dtype.name]}`,
    );
  }
  const final = result.dtype === x.dtype ? result : cast(result, x.dtype);
  write(x, read(final));
  changed(x, final);
  return x;
}

// A copy with the same history: what x was.
function snapshot(x) {
  const copy = tensor_from(values(x), x.shape, x.dtype);
  copy.leafRequires = x.leafRequires;
  copy.ownNode = x.node;
  return copy;
}

// x has got new numbers, those of result: moves versions and histories on.
function changed(x, result) {
  const before = x.base === null ? null : viewBaseBefore(x);
  x.storage.version++;
  const made = result.node;
  if (made !== null) {
    for (const entry of made.saved) {
      if (entry.storage === result.storage) {
        entry.storage = x.storage;
        entry.version = x.storage.version;
        entry.tensor = x;
      }
    }
  }
  if (!gradMode || (made === null && !x.requires_grad)) {
    return;
  }
  const { retains } = x;
  if (x.base === null) {
    x.node = made;
  } else {
    rebase(x, before, result);
  }
  if (retains && x.node !== null) {
    x.node.retained = x;
  }
}

function viewBaseBefore(x) {
  const { base } = x;
  const before = new Tensor(
    base.storage,
    base.offset,
    base.shape,
    base.stride,
    base.dtype,
  );
  before.leafRequires = base.leafRequires;
  before.ownNode = base.node;
  return before;
}

// The base's history gets the change of its view x.
function rebase(x, before, result) {
  const { base } = x;
  const holder = new Tensor(
    base.storage,
    base.offset,
    base.shape,
    base.stride,
    base.dtype,
  );
  const place = placeOf(x);
  record(holder, "CopySlices", [before, result], (grad) => [
    erased(grad, before, place),
    picked(grad, before, place),
  ]);
  base.node = holder.ownNode;
}

// A view after its base has changed: its history is that of the base, and its place.
export function renewView(x) {
  const { base } = x;
  if (x.creation !== null && base.requires_grad) {
    refuseView(x, "its base or another view of its base has been");
  }
  x.seenVersion = x.storage.version;
  if (x.ownNode === null && !base.requires_grad) {
    return;
  }
  const holder = new Tensor(x.storage, x.offset, x.shape, x.stride, x.dtype);
  const [whole, place] = [placeOf(base), placeOf(x)];
  const back = (grad) => [scattered(grad, whole, place)];
  x.ownNode = new Node("AsStridedBackward0", [base], back, [], false, holder);
  if (x.retains) {
    x.ownNode.retained = x;
  }
}

// Where a tensor lies in memory; it stays when the tensor itself is turned in place.
const placeOf = ({ shape, stride, offset }) => ({ shape, stride, offset });

// The numbers of t, shaped as base, laid out as the memory of base.
function inMemory(base, t) {
  const data = new Float64Array(Math.max(extent(base), 0));
  const memory = new Tensor({ data, version: 0 }, 0, base.shape, base.stride, t.dtype);
  write(memory, read(t));
  return memory;
}

function eachOf(base, x, row) {
  eachRow(x.shape, x.stride, x.offset - base.offset, row);
}

// The part of grad (shaped as base) that lies where the view x lies.
function picked(grad, base, x) {
  const { data } = inMemory(base, grad).storage;
  const out = new Float64Array(numel(x.shape));
  eachOf(base, x, (start, step, size, position) => {
    for (let i = 0; i < size; i++) {
      out[position + i] = data[start + i * step];
    }
  });
  const part = tensor_from(out, x.shape, grad.dtype);
  return record(part, "AsStridedBackward0", [grad], (g) => [scattered(g, base, x)]);
}

// Zeros shaped as base with grad added where the view x lies.
export function scattered(grad, base, x) {
  const memory = inMemory(base, full(base.shape, 0, grad.dtype));
  const { data } = memory.storage;
  const from = read(grad);
  eachOf(base, x, (start, step, size, position) => {
    for (let i = 0; i < size; i++) {
      data[start + i * step] += from[position + i];
    }
  });
  const whole = tensor_from(values(memory), base.shape, grad.dtype);
  return record(whole, "AsStridedScatter", [grad], (g) => [picked(g, base, x)]);
}

// grad with zeros where the view x lies.
function erased(grad, base, x) {
  const memory = inMemory(base, grad);
  const { data } = memory.storage;
  eachOf(base, x, (start, step, size) => {
    for (let i = 0; i < size; i++) {
      data[start + i * step] = 0;
    }
  });
  const rest = tensor_from(values(memory), base.shape, grad.dtype);
  return record(rest, "CopySlices", [grad], (g) => [erased(g, base, x)]);
}
