// GateStepper: one step of an LSTM or GRU cell, its gates and its state with real numbers.
import { attr, define, fmt, h, plural, range, rich, short, svg, text } from "./core.js";
import css from "./gate_stepper.css";

// ------------------------------------------- engine: no DOM, checked against torch
// The figure's own cells, as in Python: unit 0 stores a value when a mark comes, unit 1 leaks.
const CELLS = {
  LSTM: {
    weight_ih: [
      [0.3, 5],
      [0.5, 0],
      [0, -1.5],
      [0.4, 0],
      [1.2, 0],
      [-0.8, 0.5],
      [0, 0.5],
      [0.6, 0],
    ],
    weight_hh: [
      [0, 0],
      [0.5, -0.5],
      [0.2, 0],
      [0, 0.6],
      [0, 0.3],
      [1.5, 0],
      [0.5, 0],
      [0, 0.8],
    ],
    bias_ih: [-3, 0.5, 2.5, 0, 0, 0, 1, 0.5],
    bias_hh: Array(8).fill(0),
  },
  GRU: {
    weight_ih: [
      [0.5, 1],
      [0.4, 0],
      [0, -4],
      [0.5, 0],
      [1.2, 0],
      [-0.8, 0.5],
    ],
    weight_hh: [
      [0.5, 0],
      [0, -0.6],
      [0.2, 0],
      [0, 0.5],
      [0.8, -0.9],
      [1.5, 0.7],
    ],
    bias_ih: [0.5, 0, 2.5, 0, 0, 0],
    bias_hh: [0, 0, 0, 0, 0.3, -0.4],
  },
};
const INPUT = [
  [0.5, 0],
  [-0.9, 1],
  [0.8, 0],
  [-0.6, 0],
  [1, 0],
  [0.4, 1],
  [-1, 0],
  [0.9, 0],
];
// Letters in torch's order of the rows.
const GATES = { LSTM: ["i", "f", "g", "o"], GRU: ["r", "z", "n"] };
const WORDS = {
  i: "input",
  f: "forget",
  g: "candidate",
  o: "output",
  r: "reset",
  z: "update",
  n: "new",
};
const inputs = (state) => state.x || INPUT;
// Weights with the added bias; a gate that is held has no weights and a bias beyond rounding.
function weights(state) {
  const own = state.weights || CELLS[state.cell];
  const H = own.weight_hh[0].length;
  const made = {};
  const row = (k) => GATES[state.cell][Math.floor(k / H)];
  for (const [key, list] of Object.entries(own))
    made[key] = list.map((v, k) => {
      const held = state.override[row(k)];
      const first = key === "bias_ih";
      if (held !== undefined) {
        if (first) return held * 2000 - 1000;
        if (v.map) return v.map(() => 0);
        return 0;
      }
      return first ? v + (state.bias[row(k)] || 0) : v;
    });
  return made;
}
const sigmoid = (a) => 1 / (1 + Math.exp(-a));
const dot = (row, v) => row.reduce((sum, w, k) => sum + w * v[k], 0);
// One entry a step; each holds lists over the units.
function run(state) {
  const W = weights(state);
  const H = W.weight_hh[0].length;
  const lstm = state.cell === "LSTM";
  const steps = [];
  let c = Array(H).fill(0);
  let s = Array(H).fill(0);
  for (const x of inputs(state)) {
    const from = W.weight_ih.map((w, k) => dot(w, x) + W.bias_ih[k]);
    const back = W.weight_hh.map((w, k) => dot(w, s) + W.bias_hh[k]);
    const part = (n, f) => range(H).map((u) => f(from[n * H + u] + back[n * H + u]));
    const before = lstm ? c : s;
    const last = s;
    let r;
    if (lstm) {
      const [i, f, g, o] = [
        part(0, sigmoid),
        part(1, sigmoid),
        part(2, Math.tanh),
        part(3, sigmoid),
      ];
      c = range(H).map((u) => f[u] * before[u] + i[u] * g[u]);
      s = range(H).map((u) => o[u] * Math.tanh(c[u]));
      r = { i, f, g, o, c };
    } else {
      const gate = part(0, sigmoid);
      const z = part(1, sigmoid);
      const damped = s.map((v, u) => gate[u] * v);
      const after = range(H).map((u) =>
        Math.tanh(from[2 * H + u] + gate[u] * back[2 * H + u]),
      );
      const first = range(H).map((u) =>
        Math.tanh(
          from[2 * H + u] + dot(W.weight_hh[2 * H + u], damped) + W.bias_hh[2 * H + u],
        ),
      );
      const n = state.reset === "after" ? after : first;
      s = range(H).map((u) => (1 - z[u]) * n[u] + z[u] * last[u]);
      r = { r: gate, z, n, after, first };
    }
    steps.push({ ...r, before, h: s });
  }
  return steps;
}
// The numbers of one unit at one step.
const look = (state) =>
  Object.fromEntries(
    Object.entries(run(state)[state.t]).map(([k, list]) => [k, list[state.unit]]),
  );
const carried = (state, q) => (state.cell === "LSTM" ? q.c : q.h);
const KEPT = 0.1;
function fate(state) {
  const q = look(state);
  const change = carried(state, q) - q.before;
  if (change > KEPT) return "rises";
  if (change < -KEPT) return "falls";
  return "stays";
}
// Steps until half is left, with the gate as it is.
const halfLife = (f) => {
  if (f <= 0) return 0;
  if (f >= 1) return Infinity;
  return Math.LN2 / -Math.log(f);
};

// ------------------------------------------------------------------ code to copy
const sizes = (state) => {
  const W = weights(state);
  return [W.weight_ih[0].length, W.weight_hh[0].length];
};
const codeShort = (state) => {
  if (state.cell === "LSTM")
    return `cell = nn.LSTMCell(${sizes(state).join(", ")})\nh, c = cell(x_t, (h, c))  # (N, H_out) each`;
  if (state.reset === "after")
    return `cell = nn.GRUCell(${sizes(state).join(", ")})\nh = cell(x_t, h)  # (N, H_out)`;
  return "n = torch.tanh(W_in @ x_t + b_in + W_hn @ (r * h) + b_hn)  # the textbook's";
};
function codeFull(state) {
  const [inp, H] = sizes(state);
  const W = weights(state);
  const lstm = state.cell === "LSTM";
  const list = JSON.stringify;
  const stepLines = () => {
    if (lstm) return ["    h, c = cell(x_t, (h, c))"];
    if (state.reset === "after") return ["    h = cell(x_t, h)"];
    return [
      "    a, b = cell.weight_ih @ x_t + cell.bias_ih, cell.weight_hh @ h + cell.bias_hh",
      `    r, z = torch.sigmoid(a + b)[:${2 * H}].chunk(2)`,
      `    n = torch.tanh(a[${2 * H}:] + cell.weight_hh[${2 * H}:] @ (r * h) + cell.bias_hh[${2 * H}:])`,
      "    h = (1 - z) * n + z * h",
    ];
  };
  return [
    `cell = nn.${state.cell}Cell(${inp}, ${H}, dtype=torch.float64)`,
    ...Object.entries(W).map(
      ([k, v]) => `cell.${k}.data = torch.tensor(${list(v)}, dtype=torch.float64)`,
    ),
    `x = torch.tensor(${list(inputs(state))}, dtype=torch.float64)`,
    `h = ${lstm ? "c = " : ""}torch.zeros(${H}, dtype=torch.float64)`,
    `for x_t in x[:${state.t + 1}]:`,
    ...stepLines(),
    `print(h${lstm ? ", c" : ""})`,
  ].join("\n");
}

// ---------------------------------------------------------------------- drawing
const name = (letter, t) =>
  t < 0 ? "start" : letter + String.fromCharCode(0x2080 + t);
// A negative number in a product stands in brackets.
const term = (v) => (fmt(v).startsWith("\u2212") ? `(${fmt(v)})` : fmt(v));
const TOP = 70;
const TALL = 60;
// Each gate's tank with its left edge.
/** @type {[letter: string, x: number, cell: string][]} */
const TANKS = [
  ["f", 80, "LSTM"],
  ["i", 134, "LSTM"],
  ["g", 188, "LSTM"],
  ["o", 322, "LSTM"],
  ["z", 80, "GRU"],
  ["1 \u2212 z", 134, "GRU"],
  ["n", 188, "GRU"],
  ["r", 322, "GRU"],
];

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const code = ui.code();
  const verdict = h("p", { class: "line" });

  let open = "";
  let place = 0;
  let marks = [];
  const table = ui.grid("Steps: input, gates and states", ([, r, c]) => {
    place = r;
    const letter = rows(ui.state)[r].key;
    ui.update({ t: c, ...(WORDS[letter] ? { gate: letter } : {}) });
  });
  const next = () =>
    ui.state.lit === (ui.state.cell === "LSTM" ? 3 : 2)
      ? { t: Math.min(ui.state.t + 1, inputs(ui.state).length - 1), lit: 1 }
      : { lit: ui.state.lit + 1 };
  const key = (state) =>
    JSON.stringify([
      state.cell,
      state.t,
      state.unit,
      state.bias,
      state.override,
      state.reset,
      state.x,
    ]);
  const hides = (state) => state.predict && open !== key(state);
  const settle = () =>
    table.node.querySelector("[aria-selected]").focus({ preventScroll: true });
  const walk = (label, patch, enabled) => {
    const button = ui.button(
      label,
      () => {
        ui.update(patch());
        if (button.disabled) settle(); // which would drop the focus
      },
      enabled,
    );
    return button;
  };
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.choice(
      "cell",
      "Cell",
      Object.keys(CELLS).map((k) => [k, k]),
      (state) => !state.weights && inputs(state)[0].length === 2,
    ),
    h(
      "div",
      { class: "buttons" },
      walk(
        "Back",
        () => ({ t: ui.state.t - 1, lit: 0 }),
        (state) => state.t > 0,
      ),
      walk(
        "Next step",
        () => ({ t: ui.state.t + 1, lit: 0 }),
        (state) => state.t < inputs(state).length - 1,
      ),
      walk("Next term", next, (state) => !hides(state)),
    ),
    ui.select("gate", "Gate", (state) =>
      GATES[state.cell].map((k) => [k, `${k}, ${WORDS[k]}`]),
    ),
    ui.range("move", "Its bias, plus", {
      min: -8,
      max: () => 8,
      step: 0.5,
      visible: (state) => state.fix === null,
    }),
    ui.choice(
      "fix",
      "Hold it at",
      [
        [null, "free"],
        [0, "0"],
        [1, "1"],
      ],
      (state) => !"gn".includes(state.gate),
    ),
    ui.more(
      ui.range("unit", "Unit", { min: 0, max: (state) => sizes(state)[1] - 1 }),
      ui.range("value", "First input at this step", {
        min: -2,
        max: () => 2,
        step: 0.1,
      }),
      ui.choice(
        "reset",
        "GRU: reset acts",
        [
          ["after", "after the matmul (torch)"],
          ["before", "before it (textbook)"],
        ],
        (state) => state.cell === "GRU",
      ),
      ui.check("predict", "Guess first"),
    ),
  );

  // The scene: made once, with a group of its own parts for each cell.
  const groups = { LSTM: svg("g", {}), GRU: svg("g", {}) };
  const scene = svg(
    "svg",
    { viewBox: "0 0 364 198", "aria-hidden": "true" },
    groups.LSTM,
    groups.GRU,
  );
  const put = (tag, attrs, at = /** @type {SVGElement} */ (scene)) => {
    const e = svg(tag, attrs);
    at.append(e);
    return e;
  };
  const word = (x, y, cls = "", at = /** @type {SVGElement} */ (scene)) =>
    put("text", { x, y, class: cls }, at);
  const wire = (d, cls, at) => put("path", { class: cls, d }, at);
  const belts = ["M62 34H84", "M100 34H168", "M184 34H236"].map((d) => wire(d, "belt"));
  const wires = [
    wire("M92 70V42", ""),
    wire("M146 70L170 63M200 70L182 63M176 55V42", ""),
    wire("M266 50V92M322 100H274M266 108V150", "", groups.LSTM),
  ];
  wire("M322 100H212", "", groups.GRU);
  const op = (x, y, sign, at) => {
    put("circle", { class: "op", cx: x, cy: y, r: 8 }, at);
    text(word(x, y + 4.5, "", at), sign);
  };
  [
    [92, 34, "\u00D7"],
    [176, 34, "+"],
    [176, 62, "\u00D7"],
    [266, 100, "\u00D7", groups.LSTM],
  ].forEach((list) => op(...list));
  const box = (x, y, cls, rx, at) =>
    put("rect", { x, y, width: 60, height: 32, rx, class: cls }, at);
  box(2, 18, "state", 3);
  box(236, 18, "state", 3);
  box(236, 150, "shown", 10, groups.LSTM);
  const words = [
    [32, 12, "word"],
    [32, 39],
    [266, 12, "word"],
    [266, 39],
    [134, 25],
    [206, 58],
  ].map(([x, y]) => word(x, y));
  const out = [
    [266, 171],
    [266, 196, "word"],
    [314, 66, "word"],
  ].map(([x, y, cls]) => word(+x, +y, cls && String(cls), groups.LSTM));
  const tanks = TANKS.map(([letter, x, cell]) => {
    const node = put("g", {}, groups[cell]);
    put("rect", { class: "glass", x, y: TOP, width: 24, height: TALL }, node);
    const fluid = put("rect", { class: "fluid", x, width: 24 }, node);
    const signed = "gn".includes(letter);
    if (signed) wire(`M${x} ${TOP + TALL / 2}h24`, "", node);
    return {
      letter,
      signed,
      cell,
      node,
      fluid,
      value: word(x + 12, 146, "", node),
      word: word(x + 12, 161, "word", node),
    };
  });
  const list = h("ul", { class: "terms" });
  const items = range(3).map(() => {
    const e = h("li");
    list.append(e);
    return e;
  });
  const note = h("p", { class: "sub" });
  const question = h("span");
  const ask = h(
    "div",
    { class: "ask line" },
    question,
    h(
      "div",
      { class: "buttons" },
      ...["rises", "stays", "falls"].map((guess) =>
        ui.button(
          `${guess} ${guess === "stays" ? "within" : "by more than"} 0.1`,
          () => {
            const right = fate(ui.state);
            const what = ui.state.cell === "LSTM" ? "cell state" : "state";
            open = key(ui.state);
            text(
              verdict,
              `${guess === right ? "Right" : "Not quite"}: the ${what} ${right}.`,
            );
            ui.update({ lit: 0 });
            settle();
          },
        ),
      ),
    ),
  );

  const roleOf = (k) => {
    if ("gn".includes(k)) return "n";
    if ("coh".includes(k) && k !== "o") return k;
    return "k";
  };
  const rows = (state) => [
    ...range(sizes(state)[0]).map((k) => ({
      key: `x${k}`,
      cls: "x",
      at: (t) => inputs(state)[t][k],
      words: `input ${k}`,
    })),
    ...(state.cell === "LSTM" ? "figcoh" : "rznh").split("").map((k) => ({
      key: k,
      at: (t) => marks[t][k][state.unit],
      words: WORDS[k] || (k === "c" ? "cell state" : "state"),
      cls: roleOf(k),
    })),
  ];

  function steps(state, hidden) {
    const lines = rows(state);
    table.size(1, lines.length, marks.length);
    table.patch(
      {
        slice: () => `unit ${state.unit} over the steps`,
        row: (r) => lines[r].key,
        column: (_, t) => String(t),
      },
      (_, r, t) => {
        const { words, cls, at } = lines[r];
        const v = at(t);
        const gate = cls === "k" ? ` q${Math.round(10 * v)}` : "";
        const now = t === state.t ? " now" : "";
        // what a guess would read off
        if (
          hidden &&
          cls !== "x" &&
          (t > state.t || (t === state.t && "ch".includes(cls)))
        )
          return {
            text: "?",
            cls: cls + now,
            label: `${words} at step ${t}: hidden`,
          };
        return {
          text: short(v),
          cls: cls + gate + now,
          label: `${words} at step ${t}: ${fmt(v)}`,
        };
      },
      [0, Math.min(place, lines.length - 1), state.t],
    );
  }
  function draw(state) {
    marks = run(state);
    const q = look(state);
    const lstm = state.cell === "LSTM";
    const hidden = hides(state);
    const c = carried(state, q);
    const gate = lstm ? q.f : q.z;
    const kept = gate * q.before;
    const write = lstm ? q.i * q.g : (1 - q.z) * q.n;
    const letter = lstm ? "c" : "h";
    const was = name(letter, state.t - 1);
    const is = name(letter, state.t);
    const what = lstm ? "cell state" : "state";
    const percent = Math.round(100 * gate);
    const show = (v) => (hidden ? "?" : fmt(v));
    const titleWords = () => {
      if (hidden)
        return `Step ${state.t}: where does the ${what} go from ${fmt(q.before)}?`;
      if (!state.t)
        return `The ${what} starts at 0: step 0 has nothing to keep and writes ${fmt(write)}`;
      return `${lstm ? "Forget" : "Update"} ${fmt(gate)} keeps ${percent} % of ${fmt(q.before)}; the ${what} is now ${fmt(c)}`;
    };
    text(title, titleWords());
    const changed = GATES[state.cell].flatMap((k) => {
      if (k in state.override) return `${k} held at ${state.override[k]}`;
      if (state.bias[k]) return `bias of ${k} plus ${fmt(state.bias[k])}`;
      return [];
    });
    text(
      sub,
      `Step ${state.t}, unit ${state.unit} of ${plural(sizes(state)[1], "unit")}.` +
        (changed.length ? ` In every step: ${changed.join(", ")}.` : ""),
    );
    // The scene.
    [
      was,
      fmt(q.before),
      is,
      show(c),
      show(kept),
      hidden ? "?" : (write < 0 ? "" : "+") + fmt(write),
    ].forEach((w, k) => text(words[k], w));
    for (const k of Object.keys(groups))
      attr(groups[k], "visibility", k === state.cell ? "visible" : "hidden");
    if (lstm)
      [show(q.h), name("h", state.t), `tanh ${show(Math.tanh(c))}`].forEach((w, k) =>
        text(out[k], w),
      );
    for (const { letter: k, signed, cell, node, fluid, ...e } of tanks) {
      if (cell !== state.cell) continue;
      const v = k[0] === "1" ? 1 - q.z : q[k];
      const tall = (Math.abs(v) * TALL) / (signed ? 2 : 1);
      const part = { f: 1, z: 1, o: 3 }[k] || 2;
      attr(
        fluid,
        "y",
        ((signed ? TOP + TALL / 2 : TOP + TALL) - (v > 0 ? tall : 0)).toFixed(2),
      );
      attr(fluid, "height", tall.toFixed(2));
      attr(
        node,
        "class",
        (signed ? "new" : "") +
          (k === state.gate ? " chosen" : "") +
          (state.lit === part && k !== "r" ? " lit" : ""),
      );
      text(e.value, fmt(v));
      text(e.word, k in WORDS ? `${k === "g" ? "cand." : WORDS[k]} ${k}` : k);
    }
    belts.forEach((e, k) =>
      attr(e, "class", `belt${state.lit === 1 && k < 2 ? " lit" : ""}`),
    );
    wires.forEach((e, k) => attr(e, "class", state.lit === k + 1 ? "lit" : ""));
    // The equation, a term a line; a guess sees the factors alone.
    const product = (e, first, [k, a], [role, m, v], ...rest) =>
      rich(e, [
        `${first}: `,
        ["kernel", k],
        " \u00B7 ",
        [role, m],
        " = ",
        ["kernel", fmt(a)],
        " \u00B7 ",
        [role, term(v)],
        ...(hidden ? [] : rest),
      ]);
    product(
      items[0],
      "keep",
      [lstm ? "f" : "z", gate],
      ["statistic", was, q.before],
      " = ",
      ["statistic", fmt(kept)],
    );
    product(
      items[1],
      "write",
      lstm ? ["i", q.i] : ["(1 \u2212 z)", 1 - q.z],
      ["input", lstm ? "g" : "n", lstm ? q.g : q.n],
      " = ",
      ["input", fmt(write)],
      "; ",
      ["statistic", is],
      ` = ${fmt(kept)} + ${term(write)} = `,
      ["statistic", fmt(c)],
    );
    if (lstm && !hidden)
      product(
        items[2],
        "show",
        ["o", q.o],
        ["statistic", `tanh(${is})`, Math.tanh(c)],
        " = ",
        ["output", fmt(q.h)],
      );
    items[2].hidden = !lstm || hidden;
    items.forEach((e, k) => attr(e, "class", state.lit === k + 1 ? "lit" : ""));
    const half = halfLife(gate);
    const noteWords = () => {
      if (lstm)
        return `Half-life of the cell state where f stays at ${fmt(gate)}: ${half < Infinity ? plural(+fmt(half, 1), "step") : "\u221E"}.`;
      if (hidden) return "";
      return `With the reset after the matmul n = ${fmt(q.after, 3)}, before it n = ${fmt(q.first, 3)}.`;
    };
    text(note, noteWords());
    steps(state, hidden);
    ask.hidden = !hidden;
    verdict.hidden = hidden || !state.predict;
    if (hidden)
      text(
        question,
        `Guess from the gates: ${is} against ${was} = ${fmt(q.before)}. The ${what}`,
      );
    code.set(codeShort(state), codeFull(state));
    const afterwards = () => {
      if (hidden) return ` ${question.textContent}`;
      if (lstm) return ` Output ${fmt(q.h)}.`;
      return "";
    };
    return state.lit && !hidden
      ? items[state.lit - 1].textContent
      : `${title.textContent}.${afterwards()}`;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      ask,
      verdict,
      h(
        "div",
        { class: "side" },
        h("div", { class: "scene" }, scene, list, note),
        table.node,
      ),
      code.node,
    ],
    draw,
  };
}

// The sliders write into the lists; a choice that the cell lacks becomes its first one.
function mend(state, patch) {
  const pickGate = () => {
    if (GATES[state.cell].includes(state.gate)) return state.gate;
    if (state.cell === "LSTM") return "f";
    return "z";
  };
  const gate = pickGate();
  const fixed = "gn".includes(gate);
  const width = sizes(state)[0];
  if (state.x?.some((row) => row.length !== width)) state = { ...state, x: null };
  const list = inputs(state);
  const t = Math.max(0, Math.min(state.t, list.length - 1));
  const unit = Math.max(0, Math.min(state.unit, sizes(state)[1] - 1));
  const written = (key, value, empty) => {
    const left = Object.fromEntries(
      Object.entries(state[key]).filter(([k]) => k !== gate),
    );
    return value === empty ? left : { ...left, [gate]: value };
  };
  const bias =
    "move" in patch && !("bias" in patch) ? written("bias", state.move, 0) : state.bias;
  const override =
    "fix" in patch && !("override" in patch) && !fixed
      ? written("override", state.fix, null)
      : state.override;
  const x =
    "value" in patch && !("x" in patch)
      ? list.map((row, k) => (k === t ? [state.value, ...row.slice(1)] : row))
      : state.x;
  return {
    gate,
    t,
    unit,
    bias,
    override,
    x,
    move: bias[gate] || 0,
    fix: override[gate] ?? null,
    value: (x || list)[t][0],
    lit: state.cell === "GRU" ? Math.min(state.lit, 2) : state.lit,
  };
}

define("nn-gate-stepper", {
  label: "gate stepper",
  css,
  mend,
  build: view,
  engine: { run, fate, halfLife, codeFull },
});
