// ShapePipe: an nn.Sequential of chips, the shape after each layer, or torch's error.
import { attr, define, h, plural, rich, text } from "./core.js";
import css from "./shape_pipe.css";

// ------------------------------------------- engine: no DOM, checked against torch
// kind -> its arguments with what stands for one left out (null: must be given)
const KINDS = {
  Conv2d: {
    in_channels: null,
    out_channels: null,
    kernel_size: null,
    stride: 1,
    padding: 0,
    bias: true,
  },
  ReLU: {},
  MaxPool2d: { kernel_size: null, stride: null, padding: 0 },
  AdaptiveAvgPool2d: { output_size: null },
  Flatten: { start_dim: 1 },
  Linear: { in_features: null, out_features: null, bias: true },
  Dropout: { p: 0.5 },
};
const full = (/** @type {any[]} */ [kind, ...args]) => [
  kind,
  ...Object.values(KINDS[kind]).map((v, i) => args[i] ?? v ?? args[0]),
];
const named = (/** @type {any[]} */ [kind, ...args]) =>
  Object.fromEntries(Object.keys(KINDS[kind]).map((k, i) => [k, args[i]]));
const product = (list) => list.reduce((a, b) => a * b, 1);
const list = (shape) => shape.join(", ");
const tuple = (shape) => `(${list(shape)}${shape.length === 1 ? "," : ""})`;
const fail = (words, type = "RuntimeError") => ({ error: { type, text: words } });
// { shape } after a layer, or { error } with what would fit, where a size would.
function step(shape, layer) {
  const [kind] = layer;
  const a = named(layer);
  const rank = shape.length;
  const image = rank === 3 || rank === 4;
  const [C, H, W] = shape.slice(-3);
  const { kernel_size: k, stride: s, padding: p } = a;
  const out = (c, f) => ({ shape: [...shape.slice(0, -3), c, f(H), f(W)] });
  const size = (v) => Math.floor((v + 2 * p - k) / s) + 1;
  if (kind === "Conv2d") {
    if (!image)
      return fail(
        `Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [${list(shape)}]`,
      );
    if (C !== a.in_channels)
      return {
        fit: C,
        ...fail(
          `Given groups=1, weight of size [${a.out_channels}, ${a.in_channels}, ${k}, ${k}], expected input[${list([1, ...shape].slice(-4))}] to have ${a.in_channels} channels, but got ${C} channels instead`,
        ),
      };
    if (Math.min(H, W) + 2 * p < k)
      return fail(
        `Calculated padded input size per channel: (${H + 2 * p} x ${W + 2 * p}). Kernel size: (${k} x ${k}). Kernel size can't be greater than actual input size`,
      );
    return out(a.out_channels, size);
  }
  if (kind === "MaxPool2d") {
    if (!image)
      return fail("non-empty 3D or 4D (batch mode) tensor expected for input");
    if (p > k >> 1)
      return fail(
        `pad should be at most half of effective kernel size, but got pad=${p}, kernel_size=${k} and dilation=1`,
      );
    if (size(Math.min(H, W)) < 1)
      return fail(
        `Given input size: (${C}x${H}x${W}). Calculated output size: (${C}x${size(H)}x${size(W)}). Output size is too small`,
      );
    return out(C, size);
  }
  // to one cell, torch takes the mean over axes -1 and -2, and has no check of its own
  if (kind === "AdaptiveAvgPool2d" && a.output_size === 1)
    return rank > 1
      ? { shape: [...shape.slice(0, -2), 1, 1] }
      : fail(
          "Dimension out of range (expected to be in range of [-1, 0], but got -2)",
          "IndexError",
        );
  if (kind === "AdaptiveAvgPool2d")
    return image
      ? out(C, () => a.output_size)
      : fail(
          `adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got [${list(shape)}]`,
        );
  if (kind === "Flatten")
    return a.start_dim < rank
      ? { shape: [...shape.slice(0, a.start_dim), product(shape.slice(a.start_dim))] }
      : fail(
          `Dimension out of range (expected to be in range of [-${rank}, ${rank - 1}], but got ${a.start_dim})`,
          "IndexError",
        );
  if (kind === "Linear") {
    const rest = shape.slice(0, -1);
    const last = shape[rank - 1];
    return last === a.in_features
      ? { shape: [...rest, a.out_features] }
      : {
          fit: last,
          ...fail(
            `mat1 and mat2 shapes cannot be multiplied (${product(rest)}x${last} and ${a.in_features}x${a.out_features})`,
          ),
        };
  }
  return { shape };
}
function count(/** @type {any[]} */ [kind, ...a]) {
  if (kind === "Conv2d") return a[1] * (a[0] * a[2] ** 2 + a[5]);
  return kind === "Linear" ? a[1] * (a[0] + a[2]) : 0;
}
// Shapes up to the first layer that torch refuses (index: bad), and whether axis 0 is the batch.
function run(state) {
  const layers = state.layers.map(full);
  const shapes = [[state.N, state.C, state.H, state.W]];
  const batch = [true];
  const all = {
    shapes,
    batch,
    params: layers.map(count),
    error: null,
    bad: -1,
    fit: null,
  };
  for (const [i, layer] of layers.entries()) {
    const shape = shapes[i];
    const r = step(shape, layer);
    if (r.error) return { ...all, error: r.error, bad: i, fit: r.fit ?? null };
    shapes.push(r.shape);
    // without a batch axis, Conv2d and pooling take axis 0 for channels
    batch.push(
      batch[i] &&
        !(layer[0] === "Flatten" && !layer[1]) &&
        !(layer[0] === "Conv2d" && shape.length === 3) &&
        !(layer[0] === "AdaptiveAvgPool2d" && shape.length === 2),
    );
  }
  return all;
}

// ------------------------------------------------------------------ code to copy
function layerCode(/** @type {any[]} */ [kind, ...args]) {
  const words = Object.entries(KINDS[kind]).map(([key, usual], i) => {
    const v = args[i];
    const must =
      (usual === null && key !== "stride") || (key === "start_dim" && v !== 1);
    if (must || key === "p") return v;
    return v === (usual ?? args[0]) ? "" : `${key}=${v === false ? "False" : v}`;
  });
  return `${kind}(${words.filter((v) => v !== "").join(", ")})`;
}
const start = (state) => [state.N, state.C, state.H, state.W];
const codeShort = (state) =>
  `model = nn.Sequential(${state.layers.map((l) => `nn.${layerCode(full(l))}`).join(", ")})\ny = model(x)  # x: (N, C, H, W) = ${tuple(start(state))}`;
const codeFull = (state) =>
  [
    "model = nn.Sequential(",
    ...state.layers.map((l) => `    nn.${layerCode(full(l))},`),
    ")",
    `x = torch.zeros${tuple(start(state))}`,
    "for layer in model:",
    "    x = layer(x)",
    "    print(layer, tuple(x.shape))",
  ].join("\n");

const MOST = 16;

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const line = h("p", { class: "line" });
  const problem = ui.errorLine();
  const code = ui.code();
  const body = h("tbody");
  const rows = [];
  const name = `pipe${Math.random()}`;

  let now;
  const col = (words, cls = "") => h("th", { scope: "col", class: cls }, words);
  const table = h(
    "table",
    { class: "pipe" },
    h("thead", {}, h("tr", {}, col("layer", "wide"), col("shape"), col("params"))),
    body,
  );
  const kind = (state) => (state.at < 0 ? "input" : state.layers[state.at][0]);
  const on = (key) => (state) =>
    state.at < 0 ? "NCHW".includes(key) : key in KINDS[kind(state)];
  const slide = (key, min, max, step) =>
    ui.range(key, key, { min, max: () => max, step, visible: on(key) });
  const head = h("p", { class: "part" });
  const sizes = h(
    "div",
    { class: "controls" },
    slide("N", 1, 16),
    slide("C", 1, 16),
    slide("H", 1, 64),
    slide("W", 1, 64),
    slide("in_channels", 1, 32),
    slide("out_channels", 1, 32),
    slide("kernel_size", 1, 7),
    slide("stride", 1, 4),
    slide("padding", 0, 3),
    slide("output_size", 1, 8),
    slide("start_dim", 0, 3),
    slide("in_features", 1, 512),
    slide("out_features", 1, 256),
    slide("p", 0, 1, 0.1),
    ui.choice(
      "bias",
      "bias",
      [
        [true, "True"],
        [false, "False"],
      ],
      on("bias"),
    ),
  );
  const change = (at, cut, ...add) => {
    const layers = [...ui.state.layers];
    layers.splice(at, cut, ...add);
    return layers;
  };
  const move = (by) => () => {
    const { at, layers } = ui.state;
    const low = Math.min(at, at + by);
    ui.update({ layers: change(low, 2, layers[low + 1], layers[low]), at: at + by });
  };
  const fits = () =>
    ui.update({
      at: now.bad,
      layers: change(
        now.bad,
        1,
        ui.state.layers[now.bad].map((v, i) => (i === 1 ? now.fit : v)),
      ),
    });
  const buttons = h(
    "div",
    { class: "buttons" },
    ui.button("Move up", move(-1), (state) => state.at > 0),
    ui.button(
      "Move down",
      move(1),
      (state) => state.at >= 0 && state.at < state.layers.length - 1,
    ),
    ui.button(
      "Remove",
      () =>
        ui.update({
          layers: change(ui.state.at, 1),
          at: Math.min(ui.state.at, ui.state.layers.length - 2),
        }),
      (state) => state.at >= 0,
    ),
    ui.button("Make the failing layer fit", fits, (state) => run(state).fit !== null),
  );
  // A new layer takes what arrives at its place.
  const add = (word) => () => {
    const at = ui.state.at + 1;
    const shape = now.shapes[Math.min(at, now.shapes.length - 1)];
    const args =
      {
        Conv2d: [shape.at(-3) || 1, 16, 3],
        MaxPool2d: [2],
        AdaptiveAvgPool2d: [1],
        Linear: [shape.at(-1), 10],
      }[word] || [];
    ui.update({ at, layers: change(at, 0, [word, ...args]) });
  };
  const chips = h(
    "div",
    { class: "buttons" },
    ...Object.keys(KINDS).map((word) =>
      ui.button(`+ ${word}`, add(word), (state) => state.layers.length < MOST),
    ),
  );

  const spell = (shape, batch) =>
    batch ? ["(", ["b", shape[0]], `, ${list(shape.slice(1))})`] : [tuple(shape)];
  // One sentence on what the layer does to the shape that arrives.
  function why(layer, x, y, batch) {
    const [kind] = layer;
    const a = named(layer);
    const rank = x.length;
    const before = () => {
      if (!a.start_dim) return ": no axis is left for the batch";
      if (a.start_dim === 1 && batch) return `; axis 0, the batch of ${x[0]}, stays`;
      return `; ${tuple(x.slice(0, a.start_dim))} before them stays`;
    };
    if (kind === "Flatten")
      return [
        `Flatten(start_dim=${a.start_dim}) joins `,
        ["kernel", x.slice(a.start_dim).join(" \u00b7 ")],
        " = ",
        ["output", String(y.at(-1))],
        before(),
      ];
    if (kind === "Linear")
      return [
        "Linear replaces the last axis only, ",
        ["input", String(x.at(-1))],
        " by ",
        ["output", String(y.at(-1))],
        rank === 2 ? "" : `; the other axes stay, ${rank - 1} here`,
        `. Parameters: ${a.out_features} \u00b7 ${a.in_features}${a.bias ? ` + ${a.out_features}` : ""} = ${count(layer)}`,
      ];
    if (kind === "Conv2d" || kind === "MaxPool2d")
      return [
        "H: ",
        `\u230a(${x.at(-2)} + 2 \u00b7 ${a.padding} \u2212 ${a.kernel_size}) / ${a.stride}\u230b + 1 = `,
        ["output", String(y.at(-2))],
        kind === "Conv2d"
          ? `. Parameters: ${a.out_channels} \u00b7 ${a.in_channels} \u00b7 ${a.kernel_size} \u00b7 ${a.kernel_size}${a.bias ? ` + ${a.out_channels}` : ""} = ${count(layer)}`
          : "; the channels stay",
        rank === 3
          ? ". Three axes: axis 0 is taken for the channels, there is no batch"
          : "",
      ];
    if (kind === "AdaptiveAvgPool2d") return [`Any H and W become ${a.output_size}`];
    return [`${kind} changes no shape`];
  }

  function draw(state) {
    const r = run(state);
    now = r;
    const { bad, shapes } = r;
    const end = shapes.length - 1;
    const seen = (i) => !state.predict || i <= state.at + 1;
    while (rows.length > state.layers.length + 1) rows.pop().node.remove();
    while (rows.length < state.layers.length + 1) {
      const i = rows.length;
      const radio = h("input", {
        type: "radio",
        name,
        onchange: () => ui.update({ at: i - 1 }),
      });
      const words = h("span");
      const shape = h("td");
      const params = h("td");
      const node = h(
        "tr",
        {},
        h(
          "th",
          { scope: "row", class: "wide" },
          h("label", {}, radio, h("i", {}, i ? String(i - 1) : ""), words),
        ),
        shape,
        params,
      );
      body.append(node);
      rows.push({ node, radio, words, shape, params });
    }
    rows.forEach((row, i) => {
      const stop = bad >= 0 && i > bad;
      const shown = seen(i);
      text(row.words, i ? layerCode(state.layers[i - 1]) : "input");
      row.radio.checked = i === state.at + 1;
      const rowClass = (i) => {
        if (!stop) return "";
        if (i > bad + 1 || !shown) return "off";
        return "bad";
      };
      attr(row.node, "class", (i === state.at + 1 ? "on " : "") + rowClass(i));
      const shapeParts = (i) => {
        if (!shown) return ["?"];
        if (!stop) return spell(shapes[i], r.batch[i]);
        return [i > bad + 1 ? "not reached" : r.error.type];
      };
      rich(row.shape, shapeParts(i));
      text(row.params, i ? r.params[i - 1].toLocaleString("en-US") : "");
    });
    const met = bad >= 0 && seen(bad + 1);
    const total = r.params.reduce((a, b) => a + b, 0).toLocaleString("en-US");
    const flat = state.layers.findIndex((l) => l[0] === "Flatten");
    const into = shapes[flat];
    const titleWords = () => {
      if (met)
        return `Layer ${bad}, ${state.layers[bad][0]}, refuses ${tuple(shapes[bad])}`;
      if (state.predict && state.at < state.layers.length - 1)
        return `What shape does layer ${state.at + 1}, ${state.layers[state.at + 1][0]}, give?`;
      if (flat >= 0 && !state.layers[flat][1])
        return "Flatten from axis 0 eats the batch";
      if (flat >= 0 && state.layers[flat][1] < into.length - 1)
        return `Flatten makes ${into.slice(state.layers[flat][1]).join(" \u00b7 ")} = ${shapes[flat + 1].at(-1)} features${state.layers[flat][1] === 1 ? " a sample" : ""}`;
      return `${tuple(shapes[0])} becomes ${tuple(shapes[end])}`;
    };
    text(title, titleWords());
    text(
      sub,
      `${plural(state.layers.length, "layer")}, ${total} parameters. The batch is underlined.`,
    );
    problem.set(met ? r.error : null);
    const chosen = state.layers[state.at];
    const failed = met && state.layers[bad];
    text(
      head,
      chosen ? `Layer ${state.at}: ${layerCode(chosen)}` : "Input (N, C, H, W)",
    );
    const explanation = () => {
      if (failed && r.fit !== null)
        return [
          `${failed[0]} compares ${failed[0] === "Linear" ? "the last axis only" : "axis \u22123, the channels"}: it gets `,
          ["input", String(r.fit)],
          ", the layer was made for ",
          ["kernel", String(failed[1])],
        ];
      if (state.at >= end || !chosen) return [];
      return why(chosen, shapes[state.at], shapes[state.at + 1], r.batch[state.at]);
    };
    rich(line, explanation());
    code.set(codeShort(state), codeFull(state));
    return met
      ? `torch raises ${r.error.type} at layer ${bad}: ${r.error.text}`
      : `${title.textContent}. ${head.textContent}${state.at < end ? ` gives ${tuple(shapes[state.at + 1])}` : ""}. ${line.textContent}`;
  }
  return {
    nodes: [
      title,
      sub,
      h("div", { class: "controls" }, table),
      problem.node,
      line,
      h("div", { class: "bar" }, head, sizes),
      buttons,
      h("p", { class: "part" }, "Add after the chosen row"),
      chips,
      h("div", {}, ui.check("predict", "Guess first")),
      code.node,
    ],
    draw,
  };
}

const BLANK = Object.fromEntries(
  Object.values(KINDS)
    .flatMap(Object.keys)
    .map((k) => [k, 1]),
);
// The sliders hold the chosen layer's sizes; a move of one writes them back.
function mend(state, patch) {
  const layers = state.layers.map(full);
  const at = Math.max(-1, Math.min(layers.length - 1, state.at));
  if (at < 0) return { ...BLANK, layers, at };
  if (!("layers" in patch || "at" in patch)) {
    const layer = layers[at];
    const keys = Object.keys(KINDS[layer[0]]);
    const i = keys.findIndex((k) => k in patch);
    if (i >= 0)
      layers[at] = layer.map((v, j) =>
        j === i + 1 || (layer[0] === "MaxPool2d" && !i && j === 2 && v === layer[1])
          ? patch[keys[i]]
          : v,
      );
  }
  return { ...BLANK, ...named(layers[at]), layers, at };
}

define("nn-shape-pipe", {
  label: "shapes through a Sequential",
  css,
  mend,
  build: view,
  engine: { run, layerCode, full, codeFull, mend },
});
