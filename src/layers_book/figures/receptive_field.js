// ReceptiveField: which input cells one output cell of a stack of layers reaches.
import {
  attr,
  define,
  fmt,
  h,
  plural,
  range,
  rich,
  svg,
  text,
  windows,
} from "./core.js";
import css from "./receptive_field.css";

// ------------------------------------------- engine: no DOM, checked against torch
// A layer is [kind, kernel_size, stride, padding, dilation].
const KEYS = ["kind", "kernel_size", "stride", "padding", "dilation"];
const fail = (words) => ({ type: "RuntimeError", text: words });
const tooMuch = ([kind, k, , p]) => kind !== "Conv" && p > k >> 1;
// torch's error for a layer on n cells an axis, or null.
function refusal(n, [kind, k, s, p, d], dims) {
  const span = d * (k - 1) + 1;
  const out = windows(n, k, s, p, d);
  const two = dims === 2;
  const both = (v) => (two ? `${v} x ${v}` : v);
  if (kind === "Conv")
    return out > 0
      ? null
      : fail(
          `Calculated padded input size per channel: (${both(n + 2 * p)}). Kernel size: (${both(span)}). Kernel size can't be greater than actual input size`,
        );
  if (kind === "MaxPool" && !two) {
    if (p > k >> 1)
      return fail(
        `max_pool1d() padding should be at most half of kernel size, but got padding=${p} and kernel_size=${k}`,
      );
    if (out < 1) return fail(`max_pool1d() Invalid computed output size: ${out}`);
    return null;
  }
  if (p > span >> 1)
    return fail(
      `pad should be at most half of effective kernel size, but got pad=${p}, kernel_size=${k} and dilation=${d}`,
    );
  if (p > k >> 1)
    return fail(
      `pad should be smaller than or equal to half of kernel size, but got padW = ${p}, padH = ${p}, kW = ${k}, kH = ${k}`,
    );
  const given = (v) => `(1x${two ? v : 1}x${v})`;
  return out < 1
    ? fail(
        `Given input size: ${given(n)}. Calculated output size: ${given(out)}. Output size is too small`,
      )
    : null;
}
// Level 0 is the input. Of each level: size, field, jump, and where the field of its cell 0 starts.
function run(state) {
  const levels = [{ size: state.n, field: 1, jump: 1, start: 0 }];
  for (const [i, layer] of state.layers.entries()) {
    const { size, field, jump, start } = levels[i];
    const [, k, s, p, d] = layer;
    const error = refusal(size, layer, state.dims);
    if (error) return { levels, error, bad: i };
    levels.push({
      size: windows(size, k, s, p, d),
      field: field + d * (k - 1) * jump,
      jump: jump * s,
      start: start - p * jump,
    });
  }
  return { levels, error: null, bad: -1 };
}
// From one output down: how many paths reach each cell of each level, and the paths' edges
// [level above, its cell, cell below], which may lie in the padding.
function trace(state, { levels }, at) {
  const top = levels.length - 1;
  const counts = levels.map((l) => Array(l.size).fill(0));
  const edges = [];
  counts[top][at] = 1;
  for (let l = top; l; l--) {
    const [, k, s, p, d] = state.layers[l - 1];
    counts[l].forEach((c, i) => {
      if (c)
        for (let t = 0; t < k; t++) {
          const j = i * s - p + t * d;
          edges.push([l, i, j]);
          if (j in counts[l - 1]) counts[l - 1][j] += c;
        }
    });
  }
  return { counts, edges };
}
// The field of output `at` on the input: its ends, how much lies inside, what is touched.
function reach(state, r, at) {
  const { size, field, jump, start } = r.levels.at(-1);
  const lo = start + at * jump;
  const hi = lo + field - 1;
  const t = trace(state, r, at);
  const paths = t.counts[0];
  const touched = paths.filter(Boolean).length;
  const inside = Math.max(0, Math.min(hi, state.n - 1) - Math.max(lo, 0) + 1);
  const next = at + 1 < size ? at + 1 : at - 1;
  const other = next < 0 ? null : trace(state, r, next).counts[0];
  return {
    ...t,
    lo,
    hi,
    paths,
    touched,
    inside,
    next,
    shared: other?.filter((v, i) => v && paths[i]).length,
    most: Math.max(...paths),
    least: Math.min(...paths.filter(Boolean)),
  };
}
// The padding that keeps the size at stride 1, as far as the layer allows it.
const follow = ([kind, k, s, , d]) => [
  kind,
  k,
  s,
  Math.min((d * (k - 1)) >> 1, kind === "Conv" ? 99 : k >> 1),
  d,
];
const conv = (d, k = 3, s = 1) =>
  k < 3 ? ["Conv", k, s, 0, d] : follow(["Conv", k, s, 0, d]);
const PRESETS = Object.fromEntries(
  [
    "1, 1, 1",
    "2, 2, 2",
    "1, 2, 3",
    "1, 2, 5",
    "1, 2, 9",
    "1, 3, 9",
    "4, 4, 4",
    "1, 2, 4, 8",
  ].map((words) => [words, words.split(", ").map((d) => conv(+d))]),
);
PRESETS["k = 2: 1, 2, 4, 8"] = [1, 2, 4, 8].map((d) => conv(d, 2));
PRESETS["stride 2, 2, 1"] = [2, 2, 1].map((s) => conv(1, 3, s));
PRESETS["conv, pool, twice"] = range(4).map((i) =>
  i % 2 ? ["MaxPool", 2, 2, 0, 1] : conv(1),
);

// ------------------------------------------------------------------ code to copy
function layerCode([kind, k, s, p, d], dims) {
  const pool = kind !== "Conv";
  const more = [
    ["stride", s, pool ? k : 1],
    ["padding", p, 0],
    ["dilation", d, 1],
  ].filter(([, v, usual]) => v !== usual);
  return `nn.${kind}${dims}d(${[...(pool ? [k] : [1, 1, k]), ...more.map(([key, v]) => `${key}=${v}`), ...(pool ? [] : ["bias=False"])].join(", ")})`;
}
const codeShort = (state) =>
  `model = nn.Sequential(${state.layers.map((l) => layerCode(l, state.dims)).join(", ")})`;
const codeFull = (state) =>
  [
    codeShort(state),
    "for w in model.parameters():",
    "    nn.init.ones_(w)",
    `x = torch.zeros(1, 1, ${Array(state.dims).fill(state.n).join(", ")}, requires_grad=True)`,
    "y = model(x)",
    `y[0, 0, ${Array(state.dims).fill(state.at).join(", ")}].backward()`,
    "print(tuple(y.shape), (x.grad != 0).sum().item())",
  ].join("\n");

// A path whose numbers are rounded.
const p = (parts, ...v) => String.raw(parts, ...v.map((x) => +x.toFixed(2)));
const box = (x, y, a) => p`M${x - a / 2} ${y - a / 2}h${a}v${a}h${-a}z`;
const dot = (x, y, a) =>
  p`M${x - a / 2} ${y}a${a / 2} ${a / 2} 0 1 0 ${a} 0a${a / 2} ${a / 2} 0 1 0 ${-a} 0z`;
// Paths of fixed classes, patched in place.
function picture(cls, classes) {
  const node = svg("svg", { class: cls, role: "img" });
  const paths = classes.map((c) => svg("path", { class: c }));
  node.append(...paths);
  const caption = h("figcaption");
  return {
    fig: h("figure", {}, caption, node),
    node,
    set: (ds) => ds.forEach((d, i) => attr(paths[i], "d", d || "M0 0")),
    frame(box, words, label) {
      attr(node, "viewBox", box);
      text(caption, words);
      attr(node, "aria-label", label);
    },
  };
}

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const line = h("p", { class: "line" });
  const note = h("p", { class: "line" });
  const problem = ui.errorLine();
  const code = ui.code();
  const body = h("tbody");
  const rows = [];
  const words = svg("g", {});
  const name = `field${Math.random()}`;
  const fan = picture("fan", ["lost", "tap", "all", "act", "src", "hole", "bar"]);
  const map = picture("map", ["all", "g g0", "g g1", "g g2", "g", "hole", "edge"]);
  fan.node.append(words);

  let key = "";
  let seen = false;
  const controls = h(
    "div",
    { class: "controls" },
    ui.select("preset", "Dilations, or a stack", (state) => [
      ...(PRESETS[state.preset] ? [] : [["", "your stack"]]),
      ...Object.keys(PRESETS).map((k) => [k, k]),
    ]),
    ui.range("at", "Output cell", {
      min: 0,
      max: (state) => state.count - 1,
      visible: (state) => state.count > 1,
    }),
  );
  const table = h(
    "table",
    {},
    h("caption", { class: "sr" }, "The layers, from the input up"),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ...[
          "layer",
          "kernel",
          "stride",
          "pad",
          "dilation",
          "size",
          "jump",
          "field",
        ].map((t) => h("th", { scope: "col" }, t)),
      ),
    ),
    body,
  );
  const head = h("p", { class: "part" });
  const slide = (k, min, max, visible) =>
    ui.range(k, k, { min, max: () => max, visible });
  const sizes = h(
    "div",
    { class: "controls" },
    slide("kernel_size", 1, 7),
    slide("stride", 1, 4),
    slide("dilation", 1, 9, (state) => state.kind !== "AvgPool"),
    ui.more(
      ui.select("kind", "Kind of layer", () =>
        ["Conv", "MaxPool", "AvgPool"].map((k) => [k, k]),
      ),
      slide("padding", 0, 9),
      ui.range("n", "Input size", { min: 1, max: () => 48 }),
      ui.choice("dims", "Axes", [
        [1, "1-D"],
        [2, "2-D"],
      ]),
      ui.check("predict", "Guess first"),
    ),
  );
  const change = (cut, ...add) => {
    const layers = [...ui.state.layers];
    layers.splice(ui.state.sel + 1 - cut, cut, ...add);
    ui.update({ layers, sel: ui.state.sel + add.length });
    // a button that has become disabled would drop the focus
    const all = [...buttons.querySelectorAll("button")];
    if (all.some((b) => b.disabled)) all.find((b) => !b.disabled).focus();
  };
  const guess = h(
    "div",
    { class: "controls" },
    ui.range("guess", "Cells touched", { min: 0, max: (state) => state.n }),
    ui.button("Show the answer", () => {
      seen = true;
      ui.update({});
    }),
  );
  const buttons = h(
    "div",
    { class: "buttons" },
    ui.button(
      "Add a layer",
      () => change(0, ui.state.layers[ui.state.sel]),
      (state) => state.layers.length < 6,
    ),
    ui.button(
      "Remove it",
      () => change(1),
      (state) => state.layers.length > 1,
    ),
  );

  function fillTable(state, r, hidden) {
    while (rows.length > state.layers.length + 1) rows.pop().node.remove();
    while (rows.length < state.layers.length + 1) {
      const i = rows.length;
      const radio = h("input", {
        type: "radio",
        name,
        onchange: () => ui.update({ sel: i - 1 }),
      });
      const label = h("span");
      const cells = range(7).map(() => h("td"));
      const node = h(
        "tr",
        {},
        h("th", { scope: "row" }, i ? h("label", {}, radio, label) : label),
        ...cells,
      );
      rows.push({ node, radio, label, cells });
      body.append(node);
    }
    rows.forEach((row, i) => {
      const l = r.levels[i];
      const [kind, ...rest] = i ? state.layers[i - 1] : ["input", "", "", "", ""];
      row.radio.checked = i === state.sel + 1;
      attr(row.node, "class", (i === state.sel + 1 ? "on " : "") + (l ? "" : "bad"));
      text(row.label, (i ? `${i - 1} ` : "") + kind);
      [
        ...rest,
        ...(!l
          ? ["", "", i - 1 === r.bad ? "error" : "\u2013"]
          : [l.size, ...(hidden && i ? "??" : [l.jump, l.field])]),
      ].forEach((v, c) => text(row.cells[c], String(v)));
    });
  }

  function drawFan(state, r, t, hidden) {
    const top = r.levels.length - 1;
    const u = 566 / (state.n + 2);
    const a = Math.min(u * 0.78, 26);
    const ds = Array(7).fill("");
    const y = (l) => 22 + (top - l) * 46;
    const base = y(0) + a / 2 + 48;
    const see = t && !hidden;
    const centre = (l, i) => {
      const v = r.levels[l];
      return 74 + u * (v.start + i * v.jump + (v.field - 1) / 2 + 1.5);
    };
    r.levels.forEach((v, l) =>
      range(v.size).forEach((i) => {
        const x = centre(l, i);
        const on = t?.counts[l][i] && (see || l === top);
        const widthOf = (on, l) => {
          if (!on) return 2;
          if (l) return 3;
          return 4;
        };
        ds[widthOf(on, l)] += (l ? dot : box)(x, y(l), a);
        if (l || !see) return;
        if (on)
          ds[6] += p`M${x - a * 0.4} ${base}v${(-38 * t.paths[i]) / t.most}h${a * 0.8}V${base}z`;
        else if (i >= t.lo && i <= t.hi)
          ds[5] += p`M${x - a / 2} ${y(0) + a / 2}l${a} ${-a}`;
      }),
    );
    if (see)
      for (const [l, i, j] of t.edges)
        ds[+(j in t.counts[l - 1])] +=
          p`M${centre(l, i)} ${y(l) + a / 2}L${centre(l - 1, j)} ${y(l - 1) - a / 2}`;
    fan.set(ds);
    const labels = [
      ...r.levels.map((_, l) => [
        !l ? "input" : (l === top ? "out " : "") + (l - 1),
        4,
        y(l),
      ]),
      ["paths", 4, base - 18],
      ...[0, state.n - 1].map((i) => [i, centre(0, i), base + 18, "middle"]),
    ];
    words.replaceChildren(
      ...labels.map(([w, x, y, anchor]) =>
        svg("text", { x, y, "text-anchor": anchor || "start" }, w),
      ),
    );
    fan.frame(
      p`0 0 640 ${base + 34}`,
      "From one output down to the input, on one axis",
      !see
        ? plural(top, "layer")
        : `Paths from output cell ${state.at} to each input cell: ${t.paths
            .map((v, i) => v && `cell ${i}: ${v}`)
            .filter(Boolean)
            .join(", ")}`,
    );
  }

  function drawMap(n, { lo, hi, paths, most, touched }) {
    const ds = Array(7).fill("");
    const [a, b] = [lo, hi + 1].map((v) => Math.max(-0.5, Math.min(n + 0.5, v)));
    const near = range(n).filter((i) => i >= lo && i <= hi);
    for (const i of range(n + 1)) ds[0] += `M0 ${i}H${n}M${i} 0V${n}`;
    if (most)
      for (const i of near)
        for (const j of near) {
          const share = (paths[i] * paths[j]) / most / most;
          const shade = (share) => {
            if (share > 1 / 2) return 4;
            if (share > 1 / 8) return 3;
            if (share > 1 / 32) return 2;
            return 1;
          };
          if (share) ds[shade(share)] += p`M${j + 0.06} ${i + 0.06}h.88v.88h-.88z`;
          else ds[5] += p`M${j + 0.1} ${i + 0.9}l.8-.8`;
        }
    ds[6] = `M${a} ${a}H${b}V${b}H${a}z`;
    map.set(ds);
    map.frame(
      `-.6 -.6 ${n + 1.2} ${n + 1.2}`,
      "Both axes: more color, more paths; struck: a hole",
      `${touched} by ${touched} of ${n} by ${n} input cells touched`,
    );
  }

  function draw(state) {
    const r = run(state);
    const bad = r.error;
    const two = state.dims === 2;
    const now = [state.layers, state.n, state.predict, state.at].join();
    if (now !== key) {
      key = now;
      seen = false;
    }
    const hidden = state.predict && !seen && !bad;
    const c = bad ? null : reach(state, r, state.at);
    guess.hidden = !hidden;
    problem.set(bad);
    fillTable(state, r, hidden);
    drawFan(state, r, c, hidden);
    map.fig.hidden = !two || Boolean(bad) || hidden;
    if (!map.fig.hidden) drawMap(state.n, c);
    text(head, `Layer ${state.sel}: ${layerCode(state.layers[state.sel], state.dims)}`);
    code.set(codeShort(state), codeFull(state));
    line.hidden = note.hidden = Boolean(bad) || hidden;
    const cell = two ? `(${state.at}, ${state.at})` : state.at;
    const sum = state.layers.reduce((a, l) => a + l[1], 0);
    if (bad) {
      const much = tooMuch(state.layers[r.bad]);
      text(
        title,
        `Layer ${r.bad} refuses ${much ? `a padding of ${state.layers[r.bad][3]}` : plural(r.levels[r.bad].size, "cell")}`,
      );
      text(
        sub,
        much
          ? "A pooling pads by half of its kernel at most."
          : "Its kernel is longer than its padded input: change the kernel, or give it more input.",
      );
      return `torch raises ${bad.type} at layer ${r.bad}: ${bad.text}`;
    }
    if (hidden) {
      text(title, `How many input cells does output ${cell} touch along an axis?`);
      text(sub, "");
      return title.textContent;
    }
    const { field, jump } = r.levels.at(-1);
    const cut = c.inside < field;
    const [touched, inside, few, many] = ["touched", "inside", "least", "most"].map(
      (k) => c[k] ** state.dims,
    );
    const share = (100 * touched) / inside;
    const where = `${plural(inside, "cell")} of its field${cut ? " inside the input" : ""}`;
    const titleWords = () => {
      if (!touched) return `Output ${cell} reads nothing but padding`;
      if (touched === inside)
        return `Output ${cell} touches ${inside === 1 ? "the" : "all"} ${where}`;
      return `Output ${cell} touches ${touched} of the ${where}: ${share < 1 ? "under 1" : Math.min(99, Math.round(share))} %`;
    };
    text(title, titleWords());
    text(
      sub,
      `A field of ${plural(field, "cell")}${two ? " an axis" : ""}, from ${fmt(c.lo)} to ${fmt(c.hi)}${cut ? ", partly over the border" : ""}${c.next < 0 ? "" : `; neighboring outputs look ${plural(jump, "cell")} apart`}. The kernel sizes add up to ${sum}.`,
    );
    rich(line, [
      "field = 1",
      ...state.layers.flatMap(([, k, , , d], i) => [
        " + ",
        ["kernel", fmt(d * (k - 1))],
        `\u00b7${r.levels[i].jump}`,
      ]),
      ` = ${field}`,
      ["muted", "each term: dilation \u00b7 (kernel \u2212 1) \u00b7 jump before it"],
    ]);
    const common = c.shared * (two ? c.touched : 1);
    text(
      note,
      (state.predict ? `You guessed ${state.guess}; it is ${c.touched}. ` : "") +
        (!touched
          ? ""
          : (few === many
              ? `Each touched cell is reached by ${plural(few, "path")}.`
              : `The touched cells are reached by ${few} to ${many} paths each.`) +
            (c.next < 0
              ? ""
              : ` Output ${two ? `(${state.at}, ${c.next})` : c.next}, next to it, shares ${common || "none"} of them.`)) +
        (state.layers.some((l) => l[0] === "MaxPool")
          ? " A maximum passes on one of its cells at a time."
          : ""),
    );
    return `${title.textContent}. ${sub.textContent} ${note.textContent}`;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      guess,
      problem.node,
      h("div", { class: "side" }, fan.fig, map.fig),
      line,
      note,
      h("div", { class: "controls" }, table),
      h("div", { class: "bar" }, head, sizes),
      buttons,
      code.node,
    ],
    draw,
  };
}

// The sliders hold the chosen layer's numbers; a move of one writes them back.
function mend(state, patch) {
  const layers = (patch.preset ? PRESETS[patch.preset] : state.layers).map((l) => [
    ...l,
  ]);
  const sel = Math.max(0, Math.min(layers.length - 1, state.sel));
  const i = KEYS.findIndex((k) => k in patch);
  const now = layers[sel];
  if (i >= 0 && !patch.layers) {
    const follows = i !== 3 && follow(now)[3] === now[3];
    now[i] = patch[KEYS[i]];
    if (now[0] === "AvgPool") now[4] = 1;
    if (follows) layers[sel] = follow(now);
  }
  const { field, jump } = run({ layers, n: 99 }).levels.at(-1);
  const n = patch.preset ? Math.min(41, field + 8 * jump) : state.n;
  const r = run({ ...state, layers, n });
  const count = r.error ? 1 : r.levels.at(-1).size;
  const at =
    !("at" in patch) && state.count && (state.count !== count || patch.preset)
      ? (count - 1) >> 1
      : Math.max(0, Math.min(count - 1, state.at));
  return {
    layers,
    n,
    sel,
    count,
    at,
    guess: Math.min(state.guess || 0, n),
    preset: Object.keys(PRESETS).find((k) => PRESETS[k].join() === layers.join()) || "",
    ...Object.fromEntries(KEYS.map((k, j) => [k, layers[sel][j]])),
  };
}

define("nn-receptive-field", {
  label: "receptive field",
  css,
  mend,
  build: view,
  engine: { run, reach, layerCode, codeFull, PRESETS },
});
