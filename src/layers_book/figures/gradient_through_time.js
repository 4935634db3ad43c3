// GradientThroughTime: what a recurrent layer's gradient becomes on its way back in time.
import { attr, define, fmt, h, mix, plural, range, rich, svg, text } from "./core.js";
import css from "./gradient_through_time.css";

// ------------------------------------------- engine: no DOM, checked against torch
const H = 8;
const SMALL = 0.01;
const LARGE = 100;
// value -> [value, slope]; torch's slope of relu at 0 is 0
const ACT = {
  none: (z) => [z, 1],
  tanh: (z) => {
    const t = Math.tanh(z);
    return [t, 1 - t * t];
  },
  relu: (z) => (z > 0 ? [z, 1] : [0, 0]),
};
const KINDS = {
  default: "default",
  orthogonal: "orthogonal",
  identity: "identity",
  "non-normal": "non-normal",
  own: "your own",
};
const square = (n, f) => range(n).map((i) => range(n).map((j) => f(i, j)));
const zeros = (n) => range(n).map(() => 0);
const eye = (n) => square(n, (i, j) => +(i === j));
const add = (list) => list.reduce((a, v) => a + v, 0);
const dot = (a, b) => add(a.map((v, i) => v * b[i]));
const rms = (list) => Math.sqrt(dot(list, list) / list.length);
const times = (A, B) =>
  A.map((row) => B[0].map((_, j) => add(row.map((v, k) => v * B[k][j]))));
const scale = (A, factor) => A.map((row) => row.map((v) => factor * v));
// Evenly spread between -1 and 1: murmur3's mix of seed and block, then a linear congruence.
function uniform(seed, block, count) {
  let s = mix((seed + Math.imul(block + 1, 0x9e3779b9)) | 0);
  return range(count).map(() => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return (s >>> 16) / 32767.5 - 1;
  });
}
const draw8 = (seed, block) => {
  const u = uniform(seed, block, H * H);
  return square(H, (i, j) => u[i * H + j] / Math.sqrt(H));
};
// Gram and Schmidt on the columns: the Q of a QR decomposition, with R's diagonal positive.
function orthogonal(A) {
  const columns = [];
  for (const j of range(H)) {
    let v = A.map((row) => row[j]);
    for (const q of columns) {
      const c = dot(v, q);
      v = v.map((a, i) => a - c * q[i]);
    }
    columns.push(...scale([v], 1 / Math.sqrt(dot(v, v))));
  }
  return square(H, (i, j) => columns[j][i]);
}
// Faddeev and LeVerrier's characteristic polynomial, its roots by Durand and Kerner.
function eigenvalues(A) {
  const n = A.length;
  const c = [1];
  let M = square(n, () => 0);
  for (let k = 1; k <= n; k++) {
    M = times(A, M).map((row, i) => row.map((v, j) => v + (i === j ? c[k - 1] : 0)));
    c.push(-add(times(A, M).map((row, i) => row[i])) / k);
  }
  const mul = (/** @type {number[]} */ [a, b], /** @type {number[]} */ [p, q]) => [
    a * p - b * q,
    a * q + b * p,
  ];
  const roots = range(n).map((k) => [Math.cos(2.4 * k + 0.4), Math.sin(2.4 * k + 0.4)]);
  for (let step = 0, moved = 1; step < 300 && moved > 1e-15; step++) {
    moved = 0;
    roots.forEach((z, i) => {
      const up = c.reduce(
        (sum, v) => {
          const m = mul(sum, z);
          return [m[0] + v, m[1]];
        },
        [0, 0],
      );
      const down = roots.reduce(
        (sum, w, j) => (j === i ? sum : mul(sum, [z[0] - w[0], z[1] - w[1]])),
        [1, 0],
      );
      const size = down[0] ** 2 + down[1] ** 2;
      const d = mul(up, [down[0] / size, -down[1] / size]);
      moved = Math.max(moved, Math.hypot(...d));
      roots[i] = [z[0] - d[0], z[1] - d[1]];
    });
  }
  return roots;
}
const largest = (list) => Math.max(...list.map(([a, b]) => Math.hypot(a, b)));
// W_hh before scaling, with its eigenvalues and their radius; kept until kind or seed move.
let kept = {};
function base(state) {
  if (state.kind === "own")
    return {
      W: state.weight_hh,
      eig: state.eigenvalues,
      radius: largest(state.eigenvalues),
    };
  const key = state.kind + state.seed;
  if (kept.key !== key) {
    const A = draw8(state.seed, 0);
    const ones = range(H).map(() => [1, 0]);
    const W =
      {
        default: A,
        identity: eye(H),
        "non-normal": square(H, (i, j) => +(i === j || j === i + 1)),
      }[state.kind] || orthogonal(A);
    const eig = W[0][0] === 1 ? ones : eigenvalues(W);
    kept = { key, W, eig, radius: largest(eig) };
  }
  return kept;
}
// The reader's inputs, where they fit the matrix of the inputs.
function given(state) {
  const size =
    state.kind === "own" ? (state.weight_ih || state.weight_hh)[0].length : H;
  return state.x && state.x[0].length === size ? state.x : null;
}
// W_hh as used, the input's part of each sum, (T, H), and the scaled eigenvalues.
function setup(state) {
  const { W, eig, radius } = base(state);
  const factor = radius ? state.radius / radius : 1;
  const n = W.length;
  const own = state.kind === "own";
  const W_ih = (own && state.weight_ih) || (n === H ? draw8(state.seed, 1) : eye(n));
  const size = W_ih[0].length;
  const b = (own && state.bias) || zeros(n);
  const mine = given(state);
  const u = mine ? [] : uniform(state.seed, 2, state.length * size);
  const x = scale(
    mine
      ? mine.slice(0, state.length)
      : range(state.length).map((t) => u.slice(t * size, t * size + size)),
    mine ? state.input_scale : state.input_scale * Math.sqrt(3),
  );
  return {
    W: scale(W, factor),
    W_ih,
    b,
    x,
    drawn: radius,
    eig: scale(eig, factor),
    input: x.map((v) => W_ih.map((row, i) => dot(row, v) + b[i])),
  };
}
// h and slopes a step; size[k]: the Frobenius norm of dh_T / dh_(T-k) over sqrt(H).
function run(state) {
  const parts = setup(state);
  const { W, input } = parts;
  const f = ACT[state.nonlinearity];
  const n = W.length;
  const hs = [zeros(n)];
  const slopes = [null];
  const sizes = [1];
  for (const u of input) {
    const pairs = W.map((row, i) => f(u[i] + dot(row, hs.at(-1))));
    hs.push(pairs.map((p) => p[0]));
    slopes.push(pairs.map((p) => p[1]));
  }
  let P = eye(n);
  for (let t = state.length; t; t--) {
    P = times(
      P.map((row) => row.map((v, j) => v * slopes[t][j])),
      W,
    );
    sizes.push(Math.sqrt(n) * rms(P.flat()));
  }
  return { ...parts, hs, slopes, sizes };
}
const fate = (v) => {
  if (v < SMALL) return "vanishes";
  if (v > LARGE) return "explodes";
  return "neither";
};

// ------------------------------------------------------------------ code to copy
const table = (list) =>
  JSON.stringify(list.map((row) => row.map((v) => +v.toPrecision(7))));
// W filled and scaled; what has ones on its diagonal has radius 1 before.
function make(state) {
  const { W, radius } = base(state);
  const r = +state.radius.toPrecision(7);
  const scaling = () => {
    if (!radius) return "";
    if (W[0][0] === 1 && state.kind !== "own") return `W *= ${r}`;
    return `W *= ${r} / torch.linalg.eigvals(W).abs().max()  # spectral radius`;
  };
  return (
    {
      default: "",
      orthogonal: "nn.init.orthogonal_(W)\n",
      identity: "nn.init.eye_(W)\n",
      "non-normal": `W.copy_(torch.eye(${H}) + torch.ones(${H - 1}).diag(1))\n`,
      own: `W.copy_(torch.tensor(${table(W)}))\n`,
    }[state.kind] + scaling()
  );
}
const layer = (state, more = "") =>
  `rnn = nn.RNN(${setup(state).W_ih[0].length}, ${base(state).W.length}${state.nonlinearity === "relu" ? ', nonlinearity="relu"' : ""}${more})`;
const codeShort = (state) =>
  `${layer(state)}${state.nonlinearity === "none" ? "  # used without its tanh" : ""}\nW = rnn.weight_hh_l0.data\n${state.kind === "own" ? make(state).split("\n").at(-1) : make(state)}`;
function codeFull(state) {
  const { W_ih, b, x } = setup(state);
  const f = state.nonlinearity === "none" ? "" : `torch.${state.nonlinearity}`;
  return (
    `torch.manual_seed(${state.seed})\n${layer(state, ", bias=False")}.double()\nW, W_ih = rnn.weight_hh_l0.data, rnn.weight_ih_l0.data\n${make(state)}\n` +
    (state.kind === "own"
      ? `W_ih.copy_(torch.tensor(${table(W_ih)}))\nb = torch.tensor(${table([b])}[0]).double()`
      : "b = 0") +
    `\nx = ${given(state) ? `torch.tensor(${table(x)})` : `${state.input_scale} * torch.randn(${x.length}, ${x[0].length})`}.double()
hs = [torch.zeros(${b.length}, dtype=torch.float64, requires_grad=True)]
for x_t in x:\n    hs.append(${f}(W_ih @ x_t + b + W @ hs[-1]))
for k, h in enumerate(hs[::-1]):\n    J = torch.stack([torch.autograd.grad(v, h, retain_graph=True)[0] for v in hs[-1]])\n    print(k, J.norm().item() / ${b.length} ** 0.5)`
  );
}

// ---------------------------------------------------------------------- drawing
const digits2 = (v) => {
  if (v >= 1e5 || (v && v < 0.001))
    return v.toExponential(1).replace("+", "").replace("-", "\u2212");
  if (v >= 10) return String(+v.toPrecision(2));
  return fmt(v, v >= 0.1 || !v ? 2 : 4);
};
const part = (v) => (v > 1e-5 && v < 0.1 ? `1/${digits2(1 / v)}` : digits2(v));
function claim(state, v) {
  const at = `${state.back === 1 ? "One step" : `${state.back} steps`} back the gradient`;
  if (!state.back) return `At h${state.length} the gradient starts with size 1`;
  if (v === 0) return `${at} is exactly zero`;
  if (v > 0.95 && v < 1.05) return `${at} has kept its size`;
  if (v < 1) return `${at} has shrunk to ${part(v)}`;
  return `${at} has grown to ${digits2(v)} times its size`;
}
const W = 340;
const T = 12;
const B = 150;
const L = 46;
const R = 328;
const HIGH = 202;

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const verdict = h("p", { class: "line" });
  const code = ui.code();
  const make = (node, tag, cls) => {
    const e = svg(tag, { class: cls });
    node.append(e);
    return e;
  };
  const chart = (cls, box, caption) => {
    const node = svg("svg", { viewBox: box, role: "img" });
    const head = h("figcaption");
    rich(head, caption);
    return { node, all: h("figure", { class: `chart ${cls}` }, head, node) };
  };
  const time = chart("time", `0 0 ${W} ${HIGH}`, [
    ["gradient", "\u2190 Gradient size"],
    ", log scale, step by step",
  ]);
  const paths = ["one", "bars", "now", "states", "states way", "arrow"].map((c) =>
    make(time.node, "path", c),
  );
  const words = ["", "", "", "", "", "w-now"].map((c) => make(time.node, "text", c));
  const plane = chart("round", "-110 -110 220 220", [
    ["kernel", "Eigenvalues of W_hh"],
    ", unit circle",
  ]);
  attr(make(plane.node, "path", "axis"), "d", "M-105 0H105M0 -105V105");
  const [unit, pace, ...dots] = [
    ["circle", "unit"],
    ["circle", "pace"],
    ["path", "eig"],
    ["path", "eig in"],
  ].map((c) => make(plane.node, ...c));
  const paceText = make(plane.node, "text", "w-pace");

  let open = "";
  const key = (state) =>
    JSON.stringify([
      state.kind,
      state.radius,
      state.length,
      state.nonlinearity,
      state.input_scale,
      state.seed,
    ]);
  time.node.addEventListener("click", (e) => {
    const box = time.node.getBoundingClientRect();
    const t =
      ((((e.clientX - box.left) / box.width) * W - L) / (R - L)) *
        (ui.state.length + 1) -
      0.5;
    ui.update({ back: ui.state.length - Math.round(t) });
  });
  const hides = (state) => state.predict && open !== key(state);
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.select("kind", "W_hh", (state) =>
      Object.entries(KINDS).filter(([k]) => k !== "own" || state.weight_hh),
    ),
    ui.range("radius", "Spectral radius", {
      min: 0,
      max: () => 2,
      step: 0.05,
      visible: (state) => base(state).radius > 0,
    }),
    ui.choice("nonlinearity", "Nonlinearity", [
      ["none", "none"],
      ["tanh", "tanh"],
      ["relu", "relu"],
    ]),
    ui.range("length", "Steps T", {
      min: 1,
      max: (state) => (given(state) || { length: 40 }).length,
    }),
    ui.range("back", "Steps back", { min: 0, max: (state) => state.length }),
    ui.more(
      ui.range("input_scale", "Input scale", { min: 0, max: () => 4, step: 0.25 }),
      ui.button("Draw again", () => ui.update({ seed: (ui.state.seed + 1) % 2 ** 32 })),
      ui.check("predict", "Guess first"),
    ),
  );
  const question = h("span");
  const buttons = h(
    "div",
    { class: "buttons" },
    ...[
      ["vanishes", `vanishes: below 1/${LARGE}`],
      ["explodes", `explodes: above ${LARGE}`],
      ["neither", "neither"],
    ].map(([word, words]) => ui.button(words, () => choose(word))),
  );
  const ask = h("div", { class: "ask" }, question, buttons);
  const names = ["gradient size", "slopes on the way", "RMS of h there"];
  const heads = range(3).map(() => h("th", { scope: "col" }));
  const cells = names.map(() => range(3).map(() => h("td")));
  const rows = h(
    "table",
    {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "steps back"), ...heads)),
    h(
      "tbody",
      {},
      ...names.map((w, i) => h("tr", {}, h("th", { scope: "row" }, w), ...cells[i])),
    ),
  );

  function choose(guess) {
    const v = run(ui.state).sizes.at(-1);
    const right = fate(v);
    open = key(ui.state);
    rich(verdict, [
      guess === right ? ["output", "Right: "] : ["error", "Not quite: "],
      `${plural(ui.state.length, "step")} back its size is ${part(v)}.`,
    ]);
    ui.update({ back: ui.state.length }, true);
    ui.say(`${verdict.textContent} ${title.textContent}.`);
    // the buttons are gone: the first control takes the focus
    controls.querySelector("select").focus({ preventScroll: true });
  }
  // Mean slope over the k steps before T.
  const slope = (r, k) => fmt(add(r.slopes.slice(-k).flat()) / k / r.W.length);

  function draw(state) {
    const r = run(state);
    const N = state.length;
    const k = state.back;
    const v = r.sizes[k];
    const hidden = hides(state);
    const radius = largest(r.eig);
    const step = k && v ? v ** (1 / k) : 0;
    const x = (t) => L + ((R - L) * (t + 0.5)) / (N + 1);
    const w = (R - L) / (N + 1);
    const logs = r.sizes.map(Math.log10);
    const all = logs.filter(Number.isFinite);
    text(
      title,
      hidden
        ? `What becomes of the gradient on its way from h${N} to h0?`
        : claim(state, v),
    );
    const own =
      state.kind === "default" ? ` (drawn as torch does: ${fmt(r.drawn)})` : "";
    const why = () => {
      if (hidden || !k) return ".";
      if (v === 0) return `; the slopes and weights on the way multiply to zero.`;
      return `; the slopes average ${slope(r, k)}; together a step back multiplies by about ${digits2(step)}.`;
    };
    text(sub, `W_hh has spectral radius ${fmt(radius)}${own}${why()}`);
    ask.hidden = !hidden;
    text(question, `Guess: from h${N} back to h0 it`);
    verdict.hidden = !state.predict || hidden;
    rows.hidden = hidden;
    time.all.hidden = hidden;
    // Bars from size 1, early steps left, on a log scale; below them the states.
    const high = Math.ceil(Math.max(0.5, ...all));
    const low = Math.floor(Math.min(-1, -high / 6, ...all));
    const y = (e) => T + ((B - T) * (high - e)) / (high - low);
    const f = (n) => n.toFixed(1);
    const zero = y(0);
    const bar = (lag) =>
      `M${f(x(N - lag) - w * 0.36)} ${f(zero)}V${f(Math.min(y(logs[lag]), B))}h${f(w * 0.72)}V${f(zero)}z`;
    const side = Math.min(w * 0.7, 16);
    const box = (lag) =>
      `M${f(x(N - lag) - side / 2)} ${f(B + 22 - side / 2)}h${f(side)}v${f(side)}h${f(-side)}z`;
    const lags = range(N + 1);
    const each = (test, shape) => lags.filter(test).map(shape).join("");
    [
      `M${L} ${f(zero)}H${R}`,
      each((lag) => lag !== k, bar),
      bar(k),
      each((lag) => lag > k, box),
      each((lag) => lag <= k, box),
      k ? `M${f(x(N))} ${B + 6}H${f(x(N - k))}m5 -4l-5 4l5 4` : "",
    ].forEach((d, i) => attr(paths[i], "d", d));
    const put = (e, words, px, py, anchor) => {
      text(e, words);
      attr(e, "x", f(px));
      attr(e, "y", f(py));
      attr(e, "text-anchor", anchor);
    };
    const tick = (e) => [
      Math.abs(y(e) - zero) > 13 ? `1e${fmt(e)}` : "",
      L - 5,
      y(e) + 4,
      "end",
    ];
    const left = 2 * k > N;
    [
      tick(high),
      ["1", L - 5, zero + 4, "end"],
      tick(low),
      ["h0", x(0), HIGH - 3, "middle"],
      [`h${N}`, x(N), HIGH - 3, "middle"],
      [
        part(v),
        x(N - k) + (left ? -w : w) / 2,
        v > 1 ? zero + 14 : zero - 4,
        left ? "start" : "end",
      ],
    ].forEach((list, i) => put(words[i], ...list));
    attr(
      time.node,
      "aria-label",
      `Gradient size by step: 1 at h${N}; ${[k, N].map((i) => `${part(r.sizes[i])} at h${N - i}`).join("; ")}`,
    );
    // The complex plane; the dashed circle is what a step really multiplies by.
    const around = hidden || step > 3 ? 0 : step;
    const zoom = 100 / Math.max(1.15, radius * 1.1, around * 1.05);
    attr(unit, "r", f(zoom));
    attr(pace, "r", f(around * zoom));
    for (const e of dots)
      attr(
        e,
        "d",
        r.eig.map(([a, b]) => `M${f(a * zoom)} ${f(-b * zoom)}h.01`).join(""),
      );
    put(paceText, around ? `a step: ${digits2(step)}` : "", 0, 108, "middle");
    attr(
      plane.node,
      "aria-label",
      `${plural(r.eig.length, "eigenvalue")} of W_hh, the largest of absolute value ${fmt(radius)}` +
        (around
          ? `; a step back multiplies the gradient by about ${digits2(step)}`
          : ""),
    );
    const columns = [...new Set([1, k, N])].sort((a, b) => a - b);
    heads.forEach((head, i) => {
      const lag = columns[i];
      const said =
        lag === undefined
          ? null
          : [
              part(r.sizes[lag]),
              lag ? slope(r, lag) : "\u2013",
              digits2(rms(r.hs[N - lag])),
            ];
      [head, ...cells.map((row) => row[i])].forEach((e, j) => {
        e.hidden = !said;
        const eWords = () => {
          if (!said) return "";
          if (j) return said[j - 1];
          return String(lag);
        };
        text(e, eWords());
      });
    });
    code.set(codeShort(state), codeFull(state));
    return hidden
      ? `${title.textContent} ${question.textContent}?`
      : `${title.textContent}. ${sub.textContent}`;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      ask,
      verdict,
      h("div", { class: "charts" }, time.all, plane.all),
      rows,
      code.node,
    ],
    draw,
  };
}

// The lag lies within the steps; a matrix of one's own only where one came along.
function mend(state) {
  const kind = state.kind === "own" && !state.weight_hh ? "default" : state.kind;
  const length = Math.min(
    state.length,
    (given({ ...state, kind }) || { length: 40 }).length,
  );
  return { length, back: Math.max(0, Math.min(state.back, length)), kind };
}

define("nn-gradient-through-time", {
  label: "gradient through time",
  css,
  mend,
  build: view,
  engine: {
    uniform,
    eigenvalues,
    setup,
    run,
    fate,
    claim,
    part,
    codeShort,
    codeFull,
    mend,
  },
});
