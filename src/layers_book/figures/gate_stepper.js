// GateStepper: one step of an LSTM or GRU cell, its gates and the carry with real numbers.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-gate-stepper";
  if (F.specs[NAME]) return;
  const { h, svg, rich, text, attr, fmt, short, plural, range } = F;

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
  const inputs = (S) => S.x || INPUT;
  // Weights with the added bias; a gate that is held has no weights and a bias beyond rounding.
  function weights(S) {
    const own = S.weights || CELLS[S.cell],
      H = own.weight_hh[0].length,
      made = {};
    const row = (k) => GATES[S.cell][Math.floor(k / H)];
    for (const [key, list] of Object.entries(own))
      made[key] = list.map((v, k) => {
        const held = S.override[row(k)],
          first = key === "bias_ih";
        if (held !== undefined)
          return first ? held * 2000 - 1000 : v.map ? v.map(() => 0) : 0;
        return first ? v + (S.bias[row(k)] || 0) : v;
      });
    return made;
  }
  const sigmoid = (a) => 1 / (1 + Math.exp(-a));
  const dot = (row, v) => row.reduce((sum, w, k) => sum + w * v[k], 0);
  // One entry a step; each holds lists over the units.
  function run(S) {
    const W = weights(S),
      H = W.weight_hh[0].length,
      lstm = S.cell === "LSTM",
      steps = [];
    let c = Array(H).fill(0),
      s = Array(H).fill(0);
    for (const x of inputs(S)) {
      const from = W.weight_ih.map((w, k) => dot(w, x) + W.bias_ih[k]),
        back = W.weight_hh.map((w, k) => dot(w, s) + W.bias_hh[k]);
      const part = (n, f) => range(H).map((u) => f(from[n * H + u] + back[n * H + u])),
        before = lstm ? c : s,
        last = s;
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
        const gate = part(0, sigmoid),
          z = part(1, sigmoid),
          damped = s.map((v, u) => gate[u] * v);
        const after = range(H).map((u) =>
          Math.tanh(from[2 * H + u] + gate[u] * back[2 * H + u]),
        );
        const first = range(H).map((u) =>
          Math.tanh(
            from[2 * H + u] +
              dot(W.weight_hh[2 * H + u], damped) +
              W.bias_hh[2 * H + u],
          ),
        );
        const n = S.reset === "after" ? after : first;
        s = range(H).map((u) => (1 - z[u]) * n[u] + z[u] * last[u]);
        r = { r: gate, z, n, after, first };
      }
      steps.push({ ...r, before, h: s });
    }
    return steps;
  }
  // The numbers of one unit at one step.
  const look = (S) =>
    Object.fromEntries(
      Object.entries(run(S)[S.t]).map(([k, list]) => [k, list[S.unit]]),
    );
  const carried = (S, q) => (S.cell === "LSTM" ? q.c : q.h);
  const KEPT = 0.1;
  function fate(S) {
    const q = look(S),
      change = carried(S, q) - q.before;
    return change > KEPT ? "rises" : change < -KEPT ? "falls" : "stays";
  }
  // Steps until half is left, with the gate as it is.
  const halfLife = (f) => (f <= 0 ? 0 : f >= 1 ? Infinity : Math.LN2 / -Math.log(f));

  // ------------------------------------------------------------------ code to copy
  const sizes = (S) => {
    const W = weights(S);
    return [W.weight_ih[0].length, W.weight_hh[0].length];
  };
  const codeShort = (S) =>
    S.cell === "LSTM"
      ? `cell = nn.LSTMCell(${sizes(S).join(", ")})\nh, c = cell(x_t, (h, c))  # (N, H_out) each`
      : S.reset === "after"
        ? `cell = nn.GRUCell(${sizes(S).join(", ")})\nh = cell(x_t, h)  # (N, H_out)`
        : "n = torch.tanh(W_in @ x_t + b_in + W_hn @ (r * h) + b_hn)  # the textbook's";
  function codeFull(S) {
    const [inp, H] = sizes(S),
      W = weights(S),
      lstm = S.cell === "LSTM",
      list = JSON.stringify;
    return [
      `cell = nn.${S.cell}Cell(${inp}, ${H}, dtype=torch.float64)`,
      ...Object.entries(W).map(
        ([k, v]) => `cell.${k}.data = torch.tensor(${list(v)}, dtype=torch.float64)`,
      ),
      `x = torch.tensor(${list(inputs(S))}, dtype=torch.float64)`,
      `h = ${lstm ? "c = " : ""}torch.zeros(${H}, dtype=torch.float64)`,
      `for x_t in x[:${S.t + 1}]:`,
      ...(lstm
        ? ["    h, c = cell(x_t, (h, c))"]
        : S.reset === "after"
          ? ["    h = cell(x_t, h)"]
          : [
              "    a, b = cell.weight_ih @ x_t + cell.bias_ih, cell.weight_hh @ h + cell.bias_hh",
              `    r, z = torch.sigmoid(a + b)[:${2 * H}].chunk(2)`,
              `    n = torch.tanh(a[${2 * H}:] + cell.weight_hh[${2 * H}:] @ (r * h) + cell.bias_hh[${2 * H}:])`,
              "    h = (1 - z) * n + z * h",
            ]),
      `print(h${lstm ? ", c" : ""})`,
    ].join("\n");
  }

  const defaults = {
    cell: "LSTM",
    t: 3,
    unit: 0,
    gate: "f",
    move: 0,
    fix: null,
    bias: {},
    override: {},
    value: -0.6,
    lit: 0,
    reset: "after",
    predict: false,
    x: null,
    weights: null,
  };

  // ---------------------------------------------------------------------- drawing
  const name = (letter, t) =>
    t < 0 ? "start" : letter + String.fromCharCode(0x2080 + t);
  // A negative number in a product stands in brackets.
  const term = (v) => (fmt(v).startsWith("\u2212") ? `(${fmt(v)})` : fmt(v));
  const TOP = 70,
    TALL = 60;
  // Each gate's tank with its left edge.
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

  const css = `
.side{align-items:flex-start;margin-top:.4rem}
.side>.scene{flex:1 1 19rem;max-width:26rem}
@container(min-width:600px){.block{--nn:30px}}
svg{display:block;width:100%;height:auto;overflow:visible}
path{fill:none;stroke:var(--muted);stroke-width:1.5}
text{font-size:13px;fill:var(--ink);text-anchor:middle}
.belt{stroke:var(--statistic);stroke-width:5}
.state{fill:var(--statistic-fill);stroke:var(--statistic);stroke-width:4}
.shown{fill:var(--output-fill);stroke:var(--output);stroke-width:1.5}
.op{fill:var(--bg);stroke:var(--ink);stroke-width:1.5}
.glass{fill:var(--bg);stroke:var(--kernel);stroke-width:1.5}
.fluid{fill:var(--kernel);opacity:.45}
.new .glass{stroke:var(--input)}.new .fluid{fill:var(--input)}
.chosen .glass{stroke-width:4}
.word{fill:var(--muted)}
path.lit{stroke-width:5;stroke:var(--ink)}
.lit .glass{fill:var(--statistic-fill)}
.terms{margin:.5rem 0 0;padding:0;list-style:none}
.terms li{padding:.15rem .5rem;border-left:4px solid var(--line)}
.terms .lit{border-left-color:var(--ink);background:var(--surface)}
.cell.x{border-color:var(--input);background:var(--input-fill)}
.cell.k{border-color:var(--kernel)}
.cell.n{border-color:var(--input)}
.cell.c{border:3px double var(--statistic);background:var(--statistic-fill);line-height:calc(var(--nn) - 6px)}
.cell.h{border-color:var(--output);background:var(--output-fill);border-radius:calc(var(--nn)*.28)}
.cell.now{border-width:2px;line-height:calc(var(--nn) - 4px);font-weight:650}
${range(11)
  .map(
    (q) =>
      `.q${q}{background:linear-gradient(0deg,var(--kernel-fill) ${10 * q}%,var(--bg) 0)}`,
  )
  .join("")}
.ask .buttons{margin-top:.3rem}
`;

  function view(ui) {
    const title = h("p", { class: "claim" }),
      sub = h("p", { class: "sub" }),
      code = ui.code(),
      verdict = h("p", { class: "line" });
    let state = null,
      open = "",
      place = 0,
      marks = [];
    const table = ui.grid("Steps: input, gates and states", ([, r, c]) => {
      place = r;
      const letter = rows(state)[r].key;
      ui.update({ t: c, ...(WORDS[letter] ? { gate: letter } : {}) });
    });
    const next = () =>
      state.lit === (state.cell === "LSTM" ? 3 : 2)
        ? { t: Math.min(state.t + 1, inputs(state).length - 1), lit: 1 }
        : { lit: state.lit + 1 };
    const key = (S) =>
      JSON.stringify([S.cell, S.t, S.unit, S.bias, S.override, S.reset, S.x]);
    const hides = (S) => S.predict && open !== key(S);
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
      { class: "controls" },
      ui.choice(
        "cell",
        "Cell",
        Object.keys(CELLS).map((k) => [k, k]),
        (S) => !S.weights && inputs(S)[0].length === 2,
      ),
      h(
        "div",
        { class: "buttons" },
        walk(
          "Back",
          () => ({ t: state.t - 1, lit: 0 }),
          (S) => S.t > 0,
        ),
        walk(
          "Next step",
          () => ({ t: state.t + 1, lit: 0 }),
          (S) => S.t < inputs(S).length - 1,
        ),
        walk("Next term", next, (S) => !hides(S)),
      ),
      ui.select("gate", "Gate", (S) =>
        GATES[S.cell].map((k) => [k, `${k}, ${WORDS[k]}`]),
      ),
      ui.range("move", "Its bias, plus", {
        min: -8,
        max: () => 8,
        step: 0.5,
        visible: (S) => S.fix === null,
      }),
      ui.choice(
        "fix",
        "Hold it at",
        [
          [null, "free"],
          [0, "0"],
          [1, "1"],
        ],
        (S) => !"gn".includes(S.gate),
      ),
      ui.more(
        ui.range("unit", "Unit", { min: 0, max: (S) => sizes(S)[1] - 1 }),
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
          (S) => S.cell === "GRU",
        ),
        ui.check("predict", "Predict first"),
      ),
    );

    // The scene: made once, with a group of its own parts for each cell.
    const groups = { LSTM: svg("g", {}), GRU: svg("g", {}) },
      scene = svg(
        "svg",
        { viewBox: "0 0 364 198", "aria-hidden": "true" },
        groups.LSTM,
        groups.GRU,
      );
    const put = (tag, attrs, at = scene) => {
      const e = svg(tag, attrs);
      at.append(e);
      return e;
    };
    const word = (x, y, cls = "", at = scene) => put("text", { x, y, class: cls }, at);
    const wire = (d, cls, at) => put("path", { class: cls, d }, at),
      belts = ["M62 34H84", "M100 34H168", "M184 34H236"].map((d) => wire(d, "belt"));
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
    ].map((place) => word(...place));
    const out = [
      [266, 171],
      [266, 196, "word"],
      [314, 66, "word"],
    ].map(([x, y, cls]) => word(x, y, cls, groups.LSTM));
    const tanks = TANKS.map(([letter, x, cell]) => {
      const node = put("g", {}, groups[cell]);
      put("rect", { class: "glass", x, y: TOP, width: 24, height: TALL }, node);
      const fluid = put("rect", { class: "fluid", x, width: 24 }, node),
        signed = "gn".includes(letter);
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
    const list = h("ul", { class: "terms" }),
      items = range(3).map(() => {
        const e = h("li");
        list.append(e);
        return e;
      });
    const note = h("p", { class: "sub" });
    const question = h("span"),
      ask = h(
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
                const right = fate(state),
                  what = state.cell === "LSTM" ? "carry" : "state";
                open = key(state);
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

    const rows = (S) => [
      ...range(sizes(S)[0]).map((k) => ({
        key: "x" + k,
        cls: "x",
        at: (t) => inputs(S)[t][k],
        words: `input ${k}`,
      })),
      ...(S.cell === "LSTM" ? "figcoh" : "rznh")
        .split("")
        .map((k) => ({
          key: k,
          at: (t) => marks[t][k][S.unit],
          words: WORDS[k] || (k === "c" ? "carry" : "state"),
          cls: "gn".includes(k) ? "n" : "coh".includes(k) && k !== "o" ? k : "k",
        })),
    ];

    function steps(S, hidden) {
      const lines = rows(S);
      table.size(1, lines.length, marks.length);
      table.patch(
        {
          slice: () => `unit ${S.unit} over the steps`,
          row: (r) => lines[r].key,
          column: (_, t) => String(t),
        },
        (_, r, t) => {
          const { words, cls, at } = lines[r],
            v = at(t),
            gate = cls === "k" ? ` q${Math.round(10 * v)}` : "",
            now = t === S.t ? " now" : "";
          // what a guess would read off
          if (hidden && cls !== "x" && (t > S.t || (t === S.t && "ch".includes(cls))))
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
        [0, Math.min(place, lines.length - 1), S.t],
      );
    }
    function draw(S) {
      state = S;
      marks = run(S);
      const q = look(S),
        lstm = S.cell === "LSTM",
        hidden = hides(S),
        c = carried(S, q),
        gate = lstm ? q.f : q.z;
      const kept = gate * q.before,
        write = lstm ? q.i * q.g : (1 - q.z) * q.n,
        letter = lstm ? "c" : "h";
      const was = name(letter, S.t - 1),
        is = name(letter, S.t),
        what = lstm ? "carry" : "state",
        percent = Math.round(100 * gate);
      const show = (v) => (hidden ? "?" : fmt(v));
      text(
        title,
        hidden
          ? `Step ${S.t}: where does the ${what} go from ${fmt(q.before)}?`
          : !S.t
            ? `The ${what} starts at 0: step 0 has nothing to keep and writes ${fmt(write)}`
            : `${lstm ? "Forget" : "Update"} ${fmt(gate)} keeps ${percent} % of ${fmt(q.before)}; the ${what} is now ${fmt(c)}`,
      );
      const changed = GATES[S.cell].flatMap((k) =>
        k in S.override
          ? `${k} held at ${S.override[k]}`
          : S.bias[k]
            ? `bias of ${k} plus ${fmt(S.bias[k])}`
            : [],
      );
      text(
        sub,
        `Step ${S.t}, unit ${S.unit} of ${plural(sizes(S)[1], "unit")}.` +
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
        attr(groups[k], "visibility", k === S.cell ? "visible" : "hidden");
      if (lstm)
        [show(q.h), name("h", S.t), `tanh ${show(Math.tanh(c))}`].forEach((w, k) =>
          text(out[k], w),
        );
      for (const { letter: k, signed, cell, node, fluid, ...e } of tanks) {
        if (cell !== S.cell) continue;
        const v = k[0] === "1" ? 1 - q.z : q[k],
          tall = (Math.abs(v) * TALL) / (signed ? 2 : 1),
          part = { f: 1, z: 1, o: 3 }[k] || 2;
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
            (k === S.gate ? " chosen" : "") +
            (S.lit === part && k !== "r" ? " lit" : ""),
        );
        text(e.value, fmt(v));
        text(e.word, k in WORDS ? `${k === "g" ? "cand." : WORDS[k]} ${k}` : k);
      }
      belts.forEach((e, k) =>
        attr(e, "class", "belt" + (S.lit === 1 && k < 2 ? " lit" : "")),
      );
      wires.forEach((e, k) => attr(e, "class", S.lit === k + 1 ? "lit" : ""));
      // The equation, a term a line; a guess sees the factors alone.
      const product = (e, first, [k, a], [role, m, v], ...rest) =>
        rich(e, [
          first + ": ",
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
      items.forEach((e, k) => attr(e, "class", S.lit === k + 1 ? "lit" : ""));
      const half = halfLife(gate);
      text(
        note,
        lstm
          ? `Half-life of the carry where f stays at ${fmt(gate)}: ${half < Infinity ? plural(+fmt(half, 1), "step") : "\u221E"}.`
          : hidden
            ? ""
            : `With the reset after the matmul n = ${fmt(q.after, 3)}, before it n = ${fmt(q.first, 3)}.`,
      );
      steps(S, hidden);
      ask.hidden = !hidden;
      verdict.hidden = hidden || !S.predict;
      if (hidden)
        text(
          question,
          `Predict from the gates: ${is} against ${was} = ${fmt(q.before)}. The ${what}`,
        );
      code.set(codeShort(S), codeFull(S));
      return S.lit && !hidden
        ? items[S.lit - 1].textContent
        : `${title.textContent}.${hidden ? " " + question.textContent : lstm ? ` Output ${fmt(q.h)}.` : ""}`;
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
  function mend(S, patch) {
    const gate = GATES[S.cell].includes(S.gate)
        ? S.gate
        : S.cell === "LSTM"
          ? "f"
          : "z",
      fixed = "gn".includes(gate);
    const list = inputs(S),
      t = Math.max(0, Math.min(S.t, list.length - 1)),
      unit = Math.max(0, Math.min(S.unit, sizes(S)[1] - 1));
    const written = (key, value, empty) => {
      const left = Object.fromEntries(
        Object.entries(S[key]).filter(([k]) => k !== gate),
      );
      return value === empty ? left : { ...left, [gate]: value };
    };
    const bias =
      "move" in patch && !("bias" in patch) ? written("bias", S.move, 0) : S.bias;
    const override =
      "fix" in patch && !("override" in patch) && !fixed
        ? written("override", S.fix, null)
        : S.override;
    const x =
      "value" in patch && !("x" in patch)
        ? list.map((row, k) => (k === t ? [S.value, ...row.slice(1)] : row))
        : S.x;
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
      lit: S.cell === "GRU" ? Math.min(S.lit, 2) : S.lit,
    };
  }

  F.define(NAME, {
    label: "gate stepper",
    defaults,
    css,
    mend,
    build: view,
    traits: ["cell", "t", "unit", "gate", "bias", "override", "reset", "predict", "x"],
    engine: { run, fate, halfLife, codeFull },
  });
})(globalThis);
