// TransformerBlock: the steps of an encoder or decoder layer, with shapes and parameters.

import { define, fmt, h, rich, text } from "./core.js";
import css from "./transformer_block.css";

// ------------------------------------------- engine: no DOM, checked against torch
const count = (n) => n.toLocaleString("en-US");
const product = (shape) => shape.reduce((a, b) => a * b, 1);
const shaped = (shape) => `(${shape.join(", ")})`;

// The calls in the order of torch's forward; `group` is the sum that a step leads to.
function steps(state) {
  const { N, L, S, d_model: E, dim_feedforward: F, norm_first: first } = state;
  const bias = state.bias ? 1 : 0;
  const x = [N, L, E];
  const wide = [N, L, F];
  const z = first ? "z" : "x";
  const attention = 4 * E * (E + bias);
  const heads = (length) => [N, state.nhead, L, length];
  const parts = [
    ["self_attn", `self_attn(${z}, ${z}, ${z})[0]`, heads(L)],
    ["multihead_attn", `multihead_attn(${z}, memory, memory)[0]`, heads(S)],
  ].slice(0, state.kind === "decoder" ? 2 : 1);
  const found = [];
  const add = (group, name, code, shape, parameters, about, weights) =>
    found.push({ group, name, code, shape, parameters, about, weights });
  const last = parts.length + 1;
  for (let n = 1; n <= last; n++) {
    const norm = (to) =>
      add(
        first ? n : 0,
        `norm${n}`,
        `${to} = norm${n}(x)`,
        x,
        E * (1 + bias),
        `each of the ${count(N * L)} vectors gets mean 0 and variance 1, then ` +
          `a weight${bias ? " and a bias" : ""} for each feature`,
      );
    if (first) norm("z");
    if (n < last) {
      const [name, code, weights] = parts[n - 1];
      add(
        n,
        name,
        `a = ${code}`,
        x,
        attention,
        n === 1
          ? `positions look at each other: a matrix of ${L} \u00d7 ${L} weights for each head`
          : `positions look at the encoder\u2019s output, memory ${shaped([N, S, E])}: ` +
              `${L} \u00d7 ${S} weights for each head`,
        weights,
      );
    } else {
      add(
        n,
        "linear1",
        `h = linear1(${z})`,
        wide,
        F * (E + bias),
        "each position on its own, into a wider space",
      );
      add(
        n,
        state.activation,
        `h = ${state.activation}(h)`,
        wide,
        0,
        "the only function between the two matrices that is not linear",
      );
      add(
        n,
        "dropout",
        "h = dropout(h)",
        wide,
        0,
        "in training; the identity in eval mode",
      );
      add(n, "linear2", "a = linear2(h)", x, E * (F + bias), "back to the width of x");
    }
    add(
      n,
      `dropout${n}`,
      `a = dropout${n}(a)`,
      x,
      0,
      "in training; the identity in eval mode",
    );
    add(
      n,
      "+",
      "x = x + a",
      x,
      0,
      "what came in goes past the branch and is added to it",
    );
    if (!first) norm("x");
  }
  return found;
}
// torch's own words, as nn.MultiheadAttention has them
const error = (state) =>
  state.d_model % state.nhead
    ? { type: "AssertionError", text: "embed_dim must be divisible by num_heads" }
    : null;

function layerCode(state) {
  const kind = state.kind === "decoder" ? "Decoder" : "Encoder";
  const more = [
    ["activation", `"${state.activation}"`, state.activation !== "relu"],
    ["norm_first", "True", state.norm_first],
    ["bias", "False", !state.bias],
    ["batch_first", "True", true],
  ].filter(([, , on]) => on);
  const sizes = `${state.d_model}, ${state.nhead}, dim_feedforward=${state.dim_feedforward}`;
  return `nn.Transformer${kind}Layer(${[sizes, ...more.map(([k, v]) => `${k}=${v}`)].join(", ")})`;
}
const inputs = (state) => (state.kind === "decoder" ? "x, memory" : "x");
const codeShort = (state) =>
  `layer = ${layerCode(state)}\n` +
  `y = layer(${inputs(state)})  # (N, L, E) = ${shaped([state.N, state.L, state.d_model])}`;
const codeFull = (state) =>
  [
    `layer = ${layerCode(state)}`,
    `x = torch.randn(${state.N}, ${state.L}, ${state.d_model})`,
    ...(state.kind === "decoder"
      ? [`memory = torch.randn(${state.N}, ${state.S}, ${state.d_model})`]
      : []),
    `y = layer(${inputs(state)})`,
    "print(tuple(y.shape), sum(p.numel() for p in layer.parameters()))",
  ].join("\n");

function view(ui) {
  const [title, sub, line] = ["claim", "sub", "line"].map((name) =>
    h("p", { class: name }),
  );
  const problem = ui.errorLine();
  const code = ui.code();
  const flow = h("div", { class: "flow", role: "listbox", "aria-label": "Steps" });
  let shown = "";
  let buttons = [];
  flow.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[
      event.key
    ];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    if (!buttons[to]) return;
    ui.update({ at: to });
    buttons[to].focus();
  });
  // steps are made anew only when there are others
  function build(list) {
    const names = JSON.stringify(list.map((step) => [step.group, step.code]));
    if (names === shown) return;
    shown = names;
    let group = null;
    const kids = [];
    buttons = list.map((step, at) => {
      const sum = step.name === "+";
      const node = h(
        "div",
        {
          role: "option",
          class: `step${sum ? " sum" : ""}${step.parameters ? " has" : ""}`,
          onclick: () => {
            ui.update({ at });
            node.focus({ preventScroll: true });
          },
        },
        h("span", { class: "code-of" }, step.code),
        h("span", { class: "shape" }),
      );
      if (!step.group) kids.push(node);
      else {
        if (!group || group.number !== step.group) {
          group = {
            number: step.group,
            node: h("div", { class: "branch", role: "group" }),
          };
          kids.push(group.node);
        }
        group.node.append(node);
      }
      return node;
    });
    flow.replaceChildren(
      h("div", { class: "end", role: "presentation" }),
      ...kids,
      h("div", { class: "end", role: "presentation" }, "y = x"),
    );
  }

  const many = (low, high) => (state) =>
    [...new Set([...low, state[high]])]
      .sort((a, b) => a - b)
      .map((n) => [n, String(n)]);
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.choice("kind", "Layer", [
      ["encoder", "encoder"],
      ["decoder", "decoder"],
    ]),
    ui.choice("norm_first", "Norm", [
      [false, "after the sum"],
      [true, "first"],
    ]),
    ui.select("L", "L, length", many([1, 6, 64, 512, 4096], "L")),
    ui.select("d_model", "d_model", many([8, 16, 64, 512], "d_model")),
    ui.select("nhead", "nhead", many([1, 3, 4, 8], "nhead")),
    ui.more(
      ui.select(
        "dim_feedforward",
        "dim_feedforward",
        many([16, 64, 256, 2048], "dim_feedforward"),
      ),
      ui.range("N", "N, batch", { min: 1, max: () => 64 }),
      ui.select(
        "S",
        "S of memory",
        many([1, 8, 64, 512], "S"),
        (s) => s.kind === "decoder",
      ),
      ui.choice("activation", "activation", [
        ["relu", "relu"],
        ["gelu", "gelu"],
      ]),
      ui.check("bias", "bias"),
    ),
  );

  function draw(state) {
    const bad = error(state);
    const list = steps(state);
    const step = list[state.at];
    const total = list.reduce((sum, s) => sum + s.parameters, 0);
    const x = shaped([state.N, state.L, state.d_model]);
    build(list);
    const first = flow.firstElementChild;
    text(first, `x ${x}`);
    buttons.forEach((node, i) => {
      node.tabIndex = i === state.at ? 0 : -1;
      node.setAttribute("aria-selected", String(i === state.at));
      text(node.lastElementChild, shaped(list[i].shape));
    });
    problem.set(bad);
    flow.hidden = line.hidden = Boolean(bad);
    const name = step.name === "+" ? "The sum" : step.name;
    const held = `${count(step.parameters)} parameter${step.parameters === 1 ? "" : "s"}`;
    text(
      title,
      bad
        ? `${state.nhead} heads cannot share ${state.d_model} features`
        : `${name}: ${shaped(step.shape)}, ${held}`,
    );
    const where = state.norm_first ? "Pre-norm" : "Post-norm";
    const share = total ? (100 * step.parameters) / total : 0;
    text(
      sub,
      bad
        ? ""
        : `${where} ${state.kind} layer with ${count(total)} parameters; ${x} comes in ` +
            `and goes out. This step has ${fmt(share, 0)} % of them.`,
    );
    rich(line, [
      [step.parameters ? "kernel" : "input", step.code],
      `: ${step.about}.`,
      step.weights
        ? [
            "muted",
            `weights ${shaped(step.weights)}: ${count(product(step.weights))} numbers, ` +
              `x has ${count(product(step.shape))}`,
          ]
        : "",
    ]);
    code.set(codeShort(state), codeFull(state));
    return bad
      ? `torch raises ${bad.type}: ${bad.text}`
      : `${title.textContent}. ${line.textContent}`;
  }
  return {
    nodes: [title, sub, problem.node, flow, line, controls, code.node],
    draw,
  };
}

// Fewer steps: the last one stays.
const mend = (state) => ({
  at: Math.max(0, Math.min(state.at, steps(state).length - 1)),
});

define("nn-transformer-block", {
  label: "Transformer layer",
  css,
  mend,
  build: view,
  engine: { steps, error, codeShort, codeFull },
});
