// ChannelMixing: which input channel feeds which output channel, and what that costs.

import css from "./channel_mixing.css";
import { define, fmt, h, plural, range, rich, text } from "./core.js";

// ------------------------------------------- engine: no DOM, checked against torch
// The first convolution's sizes: depthwise has a group for each input channel.
const sizes = (state) =>
  state.depthwise
    ? {
        c: state.in_channels,
        out: state.in_channels * state.multiplier,
        g: state.in_channels,
      }
    : { c: state.in_channels, out: state.out_channels, g: state.groups };
const last = (state) => state.pointwise || sizes(state).out;
function error(state) {
  const { c, out, g } = sizes(state);
  const pickWords = () => {
    if (g < 1) return "groups must be a positive integer";
    if (c % g) return "in_channels must be divisible by groups";
    if (out % g) return "out_channels must be divisible by groups";
    return "";
  };
  const words = pickWords();
  return words ? { type: "ValueError", text: words } : null;
}
// The inputs that an output channel of the first convolution reads: a run of neighbors.
function reads(state, o) {
  const { c, out, g } = sizes(state);
  const each = c / g;
  const group = Math.floor(o / (out / g));
  return range(each).map((j) => group * each + j);
}
const wiring = (state) =>
  range(sizes(state).out).map((o) =>
    range(sizes(state).c).map((i) => reads(state, o).includes(i)),
  );
// Through both layers: a 1 x 1 convolution reads every channel between.
const reach = (state) =>
  state.pointwise
    ? range(state.pointwise).map(() => Array(state.in_channels).fill(true))
    : wiring(state);
function shapes(state) {
  const { c, out, g } = sizes(state);
  const k = state.kernel_size;
  return [
    [out, c / g, k, k],
    ...(state.bias ? [[out]] : []),
    ...(state.pointwise
      ? [
          [state.pointwise, out, 1, 1],
          ...(state.pointwise_bias ? [[state.pointwise]] : []),
        ]
      : []),
  ];
}
const product = (list) => list.reduce((a, b) => a * b, 1);
const sum = (list) => list.reduce((a, b) => a + b, 0);
// For size x size outputs at stride 1: learned, multiplied, and read or written numbers;
// beside each the full convolution's, with a bias where the last layer has one.
function cost(state) {
  const { c, out } = sizes(state);
  const area = state.size ** 2;
  const input = c * (state.size + state.kernel_size - 1) ** 2;
  const n = last(state);
  const side = (list, middle) => {
    const parameters = sum(list.map(product));
    return {
      parameters,
      macs: sum(list.filter((s) => s.length > 1).map(product)) * area,
      moved: input + parameters + (middle + n) * area,
    };
  };
  const full = {
    ...state,
    depthwise: false,
    out_channels: n,
    groups: 1,
    pointwise: 0,
    bias: state.pointwise ? state.pointwise_bias : state.bias,
  };
  return {
    here: side(shapes(state), state.pointwise ? 2 * out : 0),
    full: side(shapes(full), 0),
  };
}
// Answers offered for the number of kernels, the right one among them.
function guesses(state) {
  const { c, out, g } = sizes(state);
  return [...new Set([1, g, out, (c * out) / g, c * out])].sort((a, b) => a - b);
}

// ------------------------------------------------------------------ code to copy
function layerCode(state) {
  const { c, out, g } = sizes(state);
  const no = (on) => (on ? "" : ", bias=False");
  const first = `nn.Conv2d(${c}, ${out}, ${state.kernel_size}${g === 1 ? "" : `, groups=${g}`}${no(state.bias)})`;
  return state.pointwise
    ? `nn.Sequential(${first}, nn.Conv2d(${out}, ${state.pointwise}, 1${no(state.pointwise_bias)}))`
    : first;
}
const codeShort = (state) =>
  `layer = ${layerCode(state)}\ny = layer(x)  # (N, C_out, H_out, W_out) = (1, ${last(state)}, ${state.size}, ${state.size})`;
const codeFull = (state) =>
  [
    `layer = ${layerCode(state)}`,
    `x = torch.randn(1, ${state.in_channels}, ${state.size + state.kernel_size - 1}, ${state.size + state.kernel_size - 1}, requires_grad=True)`,
    "y = layer(x)",
    `y[0, ${state.at}].sum().backward()`,
    "reached = x.grad[0].abs().sum((1, 2)) > 0",
    "print([tuple(p.shape) for p in layer.parameters()])",
    `print("output ${state.at} reads", reached.nonzero().flatten().tolist())`,
  ].join("\n");

const MOST = 16;
const WIDE = 10;

// Neighbors in words: "input 2", "inputs 2, 3", "inputs 2 to 5".
const list = (word, at) =>
  at.length === 1
    ? `${word} ${at[0]}`
    : `${word}s ${at.length === 2 ? at.join(", ") : `${at[0]} to ${at[at.length - 1]}`}`;
const number = (n) => n.toLocaleString("en-US");

function claim(state) {
  const { c, out, g } = sizes(state);
  const bad = error(state);
  if (bad)
    return g < 1
      ? `${g} groups are none`
      : `${c % g ? plural(c, "input channel") : plural(out, "output channel")} cannot be split into ${g} equal groups`;
  if (c === 1) return "There is one input, and every output reads it";
  if (state.pointwise && g > 1)
    return `The 1 \u00d7 1 opens all ${c} inputs to every output again`;
  if (g === 1) return `One group: every output reads all ${c} inputs`;
  return g === c
    ? `Depthwise: each output reads one input, by a kernel of its own`
    : `${g} groups: each output reads ${c / g} of ${c} inputs`;
}

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const line = h("p", { class: "line" });
  const problem = ui.errorLine();
  const code = ui.code();
  const verdict = h("p", { class: "line" });
  const strip = ui.matrix("Input channels", (_, input) => ui.update({ input }));
  const first = ui.matrix("First convolution", (r, input) =>
    ui.update(ui.state.pointwise ? { between: r, input } : { at: r, input }),
  );
  const second = ui.matrix("Then 1 \u00d7 1", (at, between) =>
    ui.update({ at, between }),
  );

  let open = "";
  const grouped = (state) => !state.depthwise;
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.choice("depthwise", "Kind", [
      [false, "groups"],
      [true, "depthwise"],
    ]),
    ui.range("in_channels", "in_channels", { min: 1, max: () => WIDE }),
    ui.range("out_channels", "out_channels", {
      min: 1,
      max: () => WIDE,
      visible: grouped,
    }),
    ui.range("groups", "groups", { min: 1, max: () => WIDE, visible: grouped }),
    ui.range("multiplier", "multiplier", {
      min: 1,
      max: (state) => Math.max(1, Math.floor(WIDE / state.in_channels)),
      visible: (state) => state.depthwise,
    }),
    ui.range("pointwise", "1 \u00d7 1 outputs", { min: 0, max: () => WIDE }),
    ui.more(
      ui.range("kernel_size", "kernel_size", { min: 1, max: () => 7 }),
      ui.range("size", "output pixels a side", { min: 1, max: () => 64 }),
      ui.check("bias", "bias"),
      ui.check("pointwise_bias", "bias of the 1 \u00d7 1", (state) => state.pointwise),
      ui.check("predict", "Guess first"),
    ),
  );
  const options = h("div", { class: "buttons" });
  const row = (words) => {
    const here = h("span");
    const full = h("span");
    const ratio = h("td");
    const bar = h("i");
    const whole = h("i", { class: "full" });
    const node = h(
      "tr",
      {},
      h("th", { scope: "row" }, words),
      h("td", {}, here, bar),
      h("td", {}, full, whole),
      ratio,
    );
    return {
      node,
      set(a, b) {
        text(here, number(a));
        text(full, number(b));
        text(ratio, fmt(b / a));
        bar.style.width = `${(100 * a) / Math.max(a, b)}%`;
        whole.style.width = `${(100 * b) / Math.max(a, b)}%`;
      },
    };
  };
  const parts = {
    parameters: row("parameters"),
    macs: row("multiply-adds"),
    moved: row("numbers moved"),
  };
  const col = (words) => h("th", { scope: "col" }, words);
  const price = h("p", { class: "part" });
  const bars = h(
    "div",
    { class: "cost" },
    price,
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h("tr", {}, col("count"), col("this"), col("full"), col("full / this")),
      ),
      h("tbody", {}, ...Object.values(parts).map((p) => p.node)),
    ),
  );
  const asked = (state) => JSON.stringify([sizes(state), state.kernel_size]);
  const choose = (guess, count) => () => {
    open = asked(ui.state);
    rich(
      verdict,
      guess === count
        ? [["output", "Right: "], `${plural(count, "kernel")}.`]
        : [["error", "Not quite: "], `you said ${guess}, it is ${count}.`],
    );
    ui.update({}, true);
    ui.say(`${verdict.textContent} ${title.textContent}.`);
    // the button is gone: the chosen kernel takes the focus
    first.node.querySelector("[aria-selected=true]").focus({ preventScroll: true });
  };

  function draw(state) {
    const bad = error(state);
    const { c, out, g } = sizes(state);
    const k = `${state.kernel_size} \u00d7 ${state.kernel_size}`;
    const kernels = (c * out) / g;
    const seen = open === asked(state);
    const ask = state.predict && !bad && !seen;
    const plain = Boolean(bad || ask);
    const mine = state.pointwise ? state.between : state.at;
    const own = bad ? [] : reads(state, mine);
    const reached = bad
      ? []
      : reach(state)[state.at].flatMap((on, i) => (on ? [i] : []));
    const word = state.pointwise ? "channel" : "output";
    text(title, ask ? `How many ${k} kernels are there in all?` : claim(state));
    text(
      sub,
      plain
        ? ""
        : `${plural(kernels, "kernel")} of ${k}${state.pointwise ? `, then ${number(out * state.pointwise)} of 1 \u00d7 1` : ""}.` +
            (state.pointwise
              ? ` ${plural(out, "channel")} between: rows of the first matrix, columns of the second.`
              : " A row an output channel, a column an input channel.") +
            (g > 1 && c > 1
              ? " Empty cells are kernels that only a full convolution has."
              : ""),
    );
    problem.set(bad);
    options.hidden = !ask;
    if (ask)
      options.replaceChildren(
        ...guesses(state).map((n) => ui.button(number(n), choose(n, kernels))),
      );
    verdict.hidden = !state.predict || !seen || Boolean(bad);
    strip.node.hidden = plain;
    if (!plain)
      strip.fill(
        1,
        c,
        (_, i) => {
          const on = reached.includes(i);
          return {
            text: on ? "\u2193" : "",
            cls: on ? "i" : "never",
            label: `input ${i}, ${on ? "reaches" : "never reaches"} output ${state.at}`,
          };
        },
        [0, state.input],
      );
    first.node.hidden = Boolean(bad);
    second.node.hidden = plain || !state.pointwise;
    text(
      first.head,
      ask
        ? "Wiring"
        : `weight (${out}, ${c / g}, ${state.kernel_size}, ${state.kernel_size})`,
    );
    if (!bad)
      first.fill(
        out,
        c,
        (o, i) => {
          const j = reads(state, o).indexOf(i);
          const where = `${word} ${o}, input ${i}`;
          if (ask) return { text: "?", cls: "ask", label: where };
          if (j < 0) return { text: "", cls: "", label: `${where}: not read` };
          return {
            text: String(j),
            cls: `k${o === mine ? " on" : ""}`,
            label: `${where}: kernel weight[${o}, ${j}]`,
          };
        },
        [mine, state.input],
      );
    if (!plain && state.pointwise) {
      text(second.head, `1 \u00d7 1 weight (${state.pointwise}, ${out}, 1, 1)`);
      second.fill(
        state.pointwise,
        out,
        (n, o) => ({
          text: String(o),
          cls: `k${n === state.at ? " on" : ""}`,
          label: `output ${n}, channel ${o}: one number, weight[${n}, ${o}]`,
        }),
        [state.at, state.between],
      );
    }
    line.hidden = bars.hidden = plain;
    code.set(codeShort(state), codeFull(state));
    if (bad) return `torch raises ${bad.type}: ${bad.text}`;
    if (ask) return title.textContent;
    const all = list("channel", range(out));
    const j = own.indexOf(state.input);
    rich(
      line,
      state.pointwise
        ? [
            ["output", `output ${state.at}`],
            ` reads ${all} between, and through ${out === 1 ? "it" : "them"} `,
            ["input", list("input", reached)],
            `. Channel ${state.between} alone reads `,
            ["input", list("input", own)],
          ]
        : [
            ["output", `output ${state.at}`],
            " reads ",
            ["input", list("input", own)],
            [
              "muted",
              j < 0
                ? `; input ${state.input} is in another group`
                : `; input ${state.input} through `,
            ],
            ["kernel", j < 0 ? "" : `weight[${state.at}, ${j}]`],
          ],
    );
    const { here, full } = cost(state);
    text(
      price,
      `For ${state.size} \u00d7 ${state.size} outputs, beside one full convolution`,
    );
    for (const key of Object.keys(parts)) parts[key].set(here[key], full[key]);
    return `${title.textContent}. ${line.textContent}. ${number(here.parameters)} parameters, the full convolution ${number(full.parameters)}.`;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      problem.node,
      options,
      verdict,
      line,
      h(
        "div",
        { class: "side" },
        h("div", {}, strip.node, first.node),
        second.node,
        bars,
      ),
      code.node,
    ],
    draw,
  };
}

// The chosen channels exist, and what depthwise decides stands in the other controls.
function mend(state) {
  const multiplier = state.depthwise
    ? Math.max(1, Math.min(state.multiplier, Math.floor(MOST / state.in_channels)))
    : state.multiplier;
  const { out, g } = sizes({ ...state, multiplier });
  const inside = (v, n) => Math.max(0, Math.min(v, n - 1));
  return {
    multiplier,
    out_channels: out,
    groups: g,
    at: inside(state.at, state.pointwise || out),
    between: inside(state.between, out),
    input: inside(state.input, state.in_channels),
  };
}

define("nn-channel-mixing", {
  label: "mixing of channels",
  css,
  mend,
  build: view,
  engine: {
    error,
    reads,
    wiring,
    reach,
    shapes,
    cost,
    guesses,
    claim,
    layerCode,
    codeFull,
    mend,
  },
});
