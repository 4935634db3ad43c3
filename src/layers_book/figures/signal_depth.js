// SignalDepth: how activations and gradients grow or shrink through a stack of layers.
import { attr, define, fmt, h, mix, plural, rich, svg, text } from "./core.js";
import css from "./signal_depth.css";

// ------------------------------------------- engine: no DOM, checked against torch
const N = 32;
const BINS = 21;
const FLAT = 0.01;
const ROOT = Math.sqrt(N);
const SCALE = 1.0507009873554805;
const ALPHA = SCALE * 1.6732632423543772;
// All terms of this series have one sign: nothing cancels.
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 3; Math.abs(term) > 1e-17 * Math.abs(sum); n += 2)
    sum += term *= (2 * x * x) / n;
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
const logistic = (z) => 1 / (1 + Math.exp(-z));
// Each gives [value, slope].
const ACT = {
  Identity: (z) => [z, 1],
  ReLU: (z) => (z > 0 ? [z, 1] : [0, 0]),
  LeakyReLU: (z) => (z > 0 ? [z, 1] : [0.01 * z, 0.01]),
  Tanh: (z) => {
    const t = Math.tanh(z);
    return [t, 1 - t * t];
  },
  Sigmoid: (z) => {
    const s = logistic(z);
    return [s, s * (1 - s)];
  },
  GELU: (z) => {
    const p = (1 + erf(z * Math.SQRT1_2)) / 2;
    return [z * p, p + (z * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI)];
  },
  SiLU: (z) => {
    const s = logistic(z);
    return [z * s, s * (1 + z * (1 - s))];
  },
  SELU: (z) =>
    z > 0 ? [SCALE * z, SCALE] : [ALPHA * Math.expm1(z), ALPHA * Math.exp(z)],
};
const GAIN = {
  Identity: 1,
  ReLU: Math.SQRT2,
  LeakyReLU: Math.sqrt(2 / 1.0001),
  Tanh: 5 / 3,
  Sigmoid: 1,
  SELU: 0.75,
};
const word = (state) =>
  ({ Identity: "linear", LeakyReLU: "leaky_relu" })[state.activation] ||
  state.activation.toLowerCase();
// What the reader sees, the weights' deviation, and torch's line (w is a weight).
const INIT = {
  default: [
    "nn.Linear\u2019s own",
    () => 1 / Math.sqrt(3 * N),
    () => "nn.init.kaiming_uniform_(w, a=5 ** 0.5)  # nn.Linear's own",
  ],
  xavier_normal: ["Xavier normal", () => 1 / ROOT, () => "nn.init.xavier_normal_(w)"],
  kaiming_normal: [
    "Kaiming for relu",
    () => Math.SQRT2 / ROOT,
    () => 'nn.init.kaiming_normal_(w, nonlinearity="relu")',
  ],
  gain: [
    "Xavier with gain",
    (state) => GAIN[state.activation] / ROOT,
    (state) => `nn.init.xavier_normal_(w, nn.init.calculate_gain("${word(state)}"))`,
  ],
  small: ["normal, std = 0.05", () => 0.05, () => "nn.init.normal_(w, std=0.05)"],
  large: ["normal, std = 0.5", () => 0.5, () => "nn.init.normal_(w, std=0.5)"],
};
const std = (state) => INIT[state.init][1](state);
const error = (state) =>
  state.init === "gain" && !GAIN[state.activation]
    ? { type: "ValueError", text: `Unsupported nonlinearity ${word(state)}` }
    : null;

// N * N numbers of mean 0 and deviation 1: murmur3's mix of seed and step, then a linear
// congruence; four draws a number are nearly normal, one is uniform. As in Python.
function numbers(seed, step, terms) {
  let s = mix((seed + Math.imul(step + 1, 0x9e3779b9)) | 0);
  return Float64Array.from({ length: N * N }, () => {
    let sum = -32767.5 * terms;
    for (let i = 0; i < terms; i++) {
      s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
      sum += s >>> 16;
    }
    return sum / 18918.5 / Math.sqrt(terms);
  });
}
const rms = (list) => Math.sqrt(list.reduce((a, v) => a + v * v, 0) / list.length);
function spread(a) {
  let sum = 0;
  for (let j = 0; j < N; j++) {
    let mean = 0;
    for (let i = j; i < N * N; i += N) mean += a[i] / N;
    for (let i = j; i < N * N; i += N) sum += (a[i] - mean) ** 2;
  }
  return Math.sqrt(sum / N / N);
}
// What changes with the activation, the initialization or the seed is kept until one
// of them moves; a new depth adds layers and runs backward again.
let cache = {};
function run(state) {
  const key = [state.activation, state.init, state.seed].join();
  const f = ACT[state.activation];
  if (cache.key !== key) {
    const a = numbers(state.seed, 0, 4);
    cache = {
      key,
      g: numbers(state.seed, 1, 4),
      layers: [{ a, rms: rms(a), spread: spread(a) }],
    };
  }
  const { layers } = cache;
  for (let k = layers.length; k <= state.depth; k++) {
    const x = layers[k - 1].a;
    const deviation = std(state);
    const w = numbers(state.seed, k + 1, state.init === "default" ? 1 : 4).map(
      (v) => deviation * v,
    );
    const a = new Float64Array(N * N);
    const slope = new Float64Array(N * N);
    const off = new Uint8Array(N);
    for (let n = 0; n < N; n++)
      for (let j = 0; j < N; j++) {
        let z = 0;
        for (let i = 0; i < N; i++) z += x[n * N + i] * w[j * N + i];
        const [value, d] = f(z);
        a[n * N + j] = value;
        slope[n * N + j] = d;
        if (Math.abs(d) < FLAT) off[j]++;
      }
    layers.push({
      a,
      w,
      slope,
      rms: rms(a),
      spread: spread(a),
      flat: off.reduce((p, q) => p + q) / N / N,
      dead: off.filter((v) => v === N).length,
    });
  }
  if (cache.depth !== state.depth) {
    let g = cache.g;
    cache.depth = state.depth;
    cache.back = [rms(g)];
    for (let k = state.depth; k; k--) {
      const { w, slope } = layers[k];
      const next = new Float64Array(N * N);
      for (let n = 0; n < N; n++)
        for (let j = 0; j < N; j++) {
          const d = g[n * N + j] * slope[n * N + j];
          if (d) for (let i = 0; i < N; i++) next[n * N + i] += d * w[j * N + i];
        }
      g = next;
      cache.back.unshift(rms(g));
    }
  }
  return layers
    .slice(0, state.depth + 1)
    .map((l, k) => ({ ...l, back: cache.back[k] }));
}
// Counts in BINS equal bins from -most to most.
function histogram(a) {
  const most = a.reduce((p, v) => Math.max(p, Math.abs(v)), 0);
  const counts = Array(BINS).fill(0);
  for (const v of a)
    counts[
      most ? Math.min(BINS - 1, Math.floor(((v / most + 1) / 2) * BINS)) : BINS >> 1
    ]++;
  return { most, counts };
}
// Indents as escapes: the lines of the script lose theirs on the way.
const codeShort = (
  state,
) => `net = nn.Sequential(*(layer for _ in range(${state.depth})\n    for layer in (nn.Linear(${N}, ${N}, bias=False), nn.${state.activation}())))
for w in net.parameters():\n    ${INIT[state.init][2](state)}`;
const codeFull = (state) => `torch.manual_seed(${state.seed})\n${codeShort(state)}
net.double()
a = torch.randn(${N}, ${N}, dtype=torch.float64, requires_grad=True)
outputs = [a]
for linear, activation in zip(net[::2], net[1::2]):\n    a = activation(linear(a))\n    a.retain_grad()\n    outputs.append(a)
a.backward(torch.randn_like(a))
for k, a in enumerate(outputs):\n    print(k, *(v.square().mean().sqrt().item() for v in (a, a.grad)))`;

// ---------------------------------------------------------------------- drawing
const sci = (v) =>
  v && (Math.abs(v) < 0.001 || Math.abs(v) >= 1e4)
    ? v
        .toExponential(1)
        .replace(".0e", "e")
        .replace("+", "")
        .replace("-", "\u2212")
        .replace(/e-/, "e\u2212")
    : fmt(v, v && Math.abs(v) < 1 ? 1 - Math.floor(Math.log10(Math.abs(v))) : 2);
const W = 320;
const H = 170;
const L = 44;
const R = 306;
const T = 10;
const B = 148;
// Paths and words made once; draw patches them: d's, then [text, x, y, anchor]s.
function plot(paths, words) {
  const node = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img" });
  const caption = h("figcaption");
  const make = (tag) => (cls) => {
    const e = svg(tag, { class: cls });
    node.append(e);
    return e;
  };
  const ps = paths.map(make("path"));
  const ws = words.map(make("text"));
  return {
    node: h("figure", { class: "chart" }, caption, node),
    caption,
    draw(ds, list, label) {
      ds.forEach((d, i) => attr(ps[i], "d", d));
      ws.forEach((e, i) => {
        const [t, x, y, anchor] = list[i] || ["", 0, 0, "end"];
        text(e, t);
        attr(e, "x", x.toFixed(1));
        attr(e, "y", y.toFixed(1));
        attr(e, "text-anchor", anchor);
      });
      attr(node, "aria-label", label);
    },
  };
}
const join = (points) =>
  points
    .map(([x, y], i) => `${(i ? "L" : "M") + x.toFixed(1)} ${y.toFixed(1)}`)
    .join("");

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const problem = ui.errorLine();
  const code = ui.code();
  const shape = plot(["axis", "out", "grad"], ["w-out", "w-grad", "", "", ""]);
  const depth = plot(
    ["axis", "one", "axis", "out", "grad", "out dot", "grad dot"],
    ["", "", "", "", ""],
  );
  const bars = plot(["axis", "bars"], ["", "", "", ""]);

  const controls = h(
    "div",
    { class: "controls bar" },
    ui.select("activation", "Activation", () =>
      Object.keys(ACT).map((k) => [k, k === "Identity" ? "none (Identity)" : k]),
    ),
    ui.select("init", "Initialization", () =>
      Object.entries(INIT).map(([k, [words]]) => [k, words]),
    ),
    ui.range("depth", "Layers", { min: 1, max: () => 30 }),
    ui.range("at", "Look at layer", {
      min: 0,
      max: (state) => state.depth,
      visible: (state) => !error(state),
    }),
    ui.button(
      "Draw again",
      () => ui.update({ seed: ui.state.seed + 1 }),
      (state) => !error(state),
    ),
  );
  const heads = [0, 1, 2].map(() => h("th", { scope: "col" }));
  const names = [
    "RMS of activations",
    "spread between samples",
    "RMS of gradient",
    `flat: slope under ${FLAT}`,
    "dead: flat in all samples",
  ];
  const cells = names.map(() => [0, 1, 2].map(() => h("td")));
  const table = h(
    "table",
    {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "layer"), ...heads)),
    h(
      "tbody",
      {},
      ...names.map((w, i) => h("tr", {}, h("th", { scope: "row" }, w), ...cells[i])),
    ),
  );
  text(shape.caption, "One unit: value and slope");
  rich(depth.caption, [
    "RMS: ",
    ["output", "activations \u2192"],
    ", ",
    ["gradient", "gradients \u2190"],
  ]);

  function draw(state) {
    const bad = error(state);
    const f = ACT[state.activation];
    problem.set(bad);
    for (const e of [depth.node, bars.node, table, code.node]) e.hidden = Boolean(bad);
    const px = (z) => L + ((R - 40 - L) * (z + 4)) / 8;
    const py = (v) => T + ((B - T) * (4.4 - v)) / 6.4;
    const zs = Array.from({ length: 161 }, (_, i) => i / 20 - 4);
    const line = (i) =>
      join(zs.map((z) => [px(z), py(f(z)[i])]).filter((p) => p[1] <= B));
    const [end, slope] = f(4);
    shape.draw(
      [`M${L} ${py(0)}H${R - 40}M${px(0)} ${T}V${B}`, line(0), line(1)],
      [
        ["value", R - 34, py(end) + 4, "start"],
        ["slope", R - 34, py(slope) + 4, "start"],
        ["\u22124", L, B + 18, "middle"],
        ["z = 0", px(0), B + 18, "middle"],
        ["4", px(4), B + 18, "middle"],
      ],
      `${state.activation}: at z = \u22124 value ${sci(f(-4)[0])}, slope ${sci(f(-4)[1])}; at 0 ${sci(f(0)[0])}, ${sci(f(0)[1])}; at 4 ${sci(end)}, ${sci(slope)}`,
    );
    if (bad) {
      text(title, `torch knows no gain for ${state.activation}`);
      text(sub, "Choose another initialization, usually Kaiming for relu.");
      return `torch raises ${bad.type}: ${bad.text}`;
    }
    const r = run(state);
    const D = state.depth;
    const now = r[state.at];
    const ahead = r.map((l) => l.rms / r[0].rms);
    const back = r.map((l) => l.back / r[D].back);
    const fate = (v) => {
      if (v < 0.01) return "vanish";
      if (v < 0.1) return "shrink";
      if (v > 100) return "explode";
      if (v > 10) return "grow";
      return "hold";
    };
    const each = (v) => fmt(v ** (1 / D));
    text(
      title,
      `${state.activation === "Identity" ? "No activation" : state.activation}, ${plural(D, "layer")}: activations ${fate(ahead[D])}, gradients ${fate(back[0])}`,
    );
    text(
      sub,
      `Weights of deviation ${fmt(std(state), 3)}. A layer multiplies activations by about ${each(ahead[D])}, going back gradients by ${each(back[0])}.` +
        (r[D].spread < 0.1 * r[D].rms
          ? " In the end all samples look nearly the same."
          : ""),
    );
    // The log plot.
    const logs = [ahead, back].map((list) => list.map(Math.log10));
    const all = logs.flat().filter(Number.isFinite);
    const low = Math.floor(Math.min(-1, ...all));
    const high = Math.ceil(Math.max(1, ...all));
    const x = (k) => L + ((R - L) * k) / D;
    const y = (v) => T + ((B - T) * (high - v)) / (high - low);
    const track = (list) =>
      join(list.map((v, k) => [x(k), y(v)]).filter((p) => Number.isFinite(p[1])));
    const dot = (list) =>
      Number.isFinite(list[state.at])
        ? `M${x(state.at).toFixed(1)} ${y(list[state.at]).toFixed(1)}h.01`
        : "";
    const power = (v) => (v ? `1e${fmt(v)}` : "1");
    const far = (v) => (Math.abs(y(v) - y(0)) > 13 ? power(v) : "");
    depth.draw(
      [
        `M${L} ${T}V${B}H${R}`,
        `M${L} ${y(0).toFixed(1)}H${R}`,
        `M${x(state.at).toFixed(1)} ${T}V${B}`,
        track(logs[0]),
        track(logs[1]),
        dot(logs[0]),
        dot(logs[1]),
      ],
      [
        [far(high), L - 5, y(high) + 4, "end"],
        [power(0), L - 5, y(0) + 4, "end"],
        [far(low), L - 5, y(low) + 4, "end"],
        ["layer 0", L, B + 18, "middle"],
        [String(D), R, B + 18, "middle"],
      ],
      `RMS on a log scale: activations reach ${sci(ahead[D])} times the input\u2019s at layer ${D}; gradients ${sci(back[0])} times the output\u2019s at layer 0`,
    );
    // The histogram.
    const { most, counts } = histogram(now.a);
    const top = Math.max(...counts);
    const step = (R - L) / BINS;
    text(
      bars.caption,
      `Activations at layer ${state.at}${state.at ? "" : ", the input"}`,
    );
    bars.draw(
      [
        `M${L} ${B}H${R}`,
        counts
          .map((c, i) =>
            c
              ? `M${(L + i * step).toFixed(1)} ${B}v${(((T - B) * c) / top).toFixed(1)}h${(step - 1).toFixed(1)}V${B}`
              : "",
          )
          .join(""),
      ],
      [
        [sci(-most), L, B + 18, "middle"],
        ["0", (L + R) / 2, B + 18, "middle"],
        [sci(most), W, B + 18, "end"],
        [String(top), L - 5, T + 8, "end"],
      ],
      `Histogram of ${N * N} activations between ${sci(-most)} and ${sci(most)}; the fullest bin holds ${top}`,
    );
    [0, state.at, D].forEach((k, i) => {
      const l = r[k];
      text(heads[i], String(k));
      [
        sci(l.rms),
        sci(l.spread),
        sci(l.back),
        k ? `${fmt(100 * l.flat, 0)} %` : "\u2013",
        k ? `${l.dead} of ${N}` : "\u2013",
      ].forEach((words, j) => text(cells[j][i], words));
    });
    code.set(codeShort(state), codeFull(state));
    return (
      `After ${plural(D, "layer")} the RMS is ${sci(ahead[D])} times the input\u2019s; the gradient at the input ${sci(back[0])} times the output\u2019s.` +
      (state.at
        ? ` At layer ${state.at}, ${fmt(100 * now.flat, 0)} % of slopes are flat, ${plural(now.dead, "unit")} dead.`
        : "")
    );
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      problem.node,
      h("div", { class: "charts" }, depth.node, bars.node, shape.node, table),
      code.node,
    ],
    draw,
  };
}

define("nn-signal-depth", {
  label: "signal through depth",
  css,
  build: view,
  mend: (state) => ({ at: Math.min(state.at, state.depth) }),
  engine: { ACT, error, numbers, std, run, histogram, codeFull },
});
