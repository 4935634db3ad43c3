// SlidingWindow: which input cells one output cell of a convolution or pooling reads.
import { define, fmt, h, plural, range, rich, short, text, windows } from "./core.js";
import css from "./sliding_window.css";

// ------------------------------------------- engine: no DOM, checked against torch
const pair = (v) => (Array.isArray(v) ? v : [v, v]);
const conv = (state) => state.kind === "Conv2d";
const mode = (state) => (conv(state) ? state.padding_mode : "zeros");
/** @typedef {ReturnType<typeof axes>[number]} Axis */
// Each axis by itself, rows first. left: padded cells behind the last window.
function axes(state) {
  const size = state.x ? [state.x.length, state.x[0].length] : pair(state.size);
  const kernel = state.weight
    ? [state.weight.length, state.weight[0].length]
    : pair(state.kernel_size);
  return [0, 1].map((a) => {
    const n = size[a];
    const k = kernel[a];
    const s = pair(state.stride)[a];
    const d = pair(state.dilation)[a];
    const span = d * (k - 1) + 1;
    const before = state.padding === "same" ? (span - 1) >> 1 : pair(state.padding)[a];
    const after = state.padding === "same" ? span - 1 - before : before;
    const padded = n + before + after;
    return {
      n,
      k,
      s,
      d,
      span,
      before,
      after,
      padded,
      out: windows(padded, k, s, 0, d),
      left: (padded - span) % s,
    };
  });
}
// torch's words, and our claim.
function error(state) {
  const [R, C] = axes(state);
  const both = [R, C];
  const fail = (text, claim = "torch refuses this padding", type = "RuntimeError") => ({
    type,
    text,
    claim,
  });
  const small = both
    .filter((a) => a.out < 1)
    .map((a) => `The kernel spans ${a.span}, the padded input has ${a.padded}`)[0];
  if (conv(state)) {
    if (state.padding === "same" && R.s * C.s > 1)
      return fail(
        "padding='same' is not supported for strided convolutions",
        "padding='same' needs stride 1",
        "ValueError",
      );
    for (const { a, argument, axis } of [
      { a: C, argument: 4, axis: 3 },
      { a: R, argument: 6, axis: 2 },
    ])
      if (mode(state) === "reflect" && a.after >= a.n)
        return fail(
          `Argument #${argument}: Padding size should be less than the corresponding input dimension, but got: padding (${a.before}, ${a.after}) at dimension ${axis} of input [1, 1, ${R.n}, ${C.n}]`,
        );
    if (mode(state) === "circular" && both.some((a) => a.after > a.n))
      return fail("Padding value causes wrapping around more than once.");
    return small
      ? fail(
          `Calculated padded input size per channel: (${R.padded} x ${C.padded}). Kernel size: (${R.span} x ${C.span}). Kernel size can't be greater than actual input size`,
          small,
        )
      : null;
  }
  for (const a of both)
    if (a.before > a.span >> 1)
      return fail(
        `pad should be at most half of effective kernel size, but got pad=${a.before}, kernel_size=${a.k} and dilation=${a.d}`,
      );
  if (both.some((a) => a.before > a.k >> 1))
    return fail(
      `pad should be smaller than or equal to half of kernel size, but got padW = ${C.before}, padH = ${R.before}, kW = ${C.k}, kH = ${R.k}`,
    );
  return small
    ? fail(
        `Given input size: (1x${R.n}x${C.n}). Calculated output size: (1x${R.out}x${C.out}). Output size is too small`,
        small,
      )
    : null;
}
// Where torch refuses there may be nothing to copy, and a guess is not helped: no padding.
const framed = (state, bad) =>
  axes(state).map((a) => (bad ? { ...a, before: 0, after: 0, padded: a.n } : a));
const table = (rows, cols, f) =>
  range(rows).map((r) => range(cols).map((c) => f(r, c)));
const input = (state, /** @type {Axis[]} */ [R, C]) =>
  state.x || table(R.n, C.n, (r, c) => (2 * r + 3 * c + r * c) % 5);
const kernel = (state, /** @type {Axis[]} */ [R, C]) =>
  conv(state)
    ? state.weight || table(R.k, C.k, (u, v) => ((u + 2 * v + u * v) % 4) - 1)
    : table(R.k, C.k, () => 1 / (R.k * C.k));
// The cell of the input that stands at place i of an axis; -1: none, a constant.
function source(i, n, mode) {
  if (i >= 0 && i < n) return i;
  if (mode === "reflect") return n - 1 - Math.abs(n - 1 - Math.abs(i));
  if (mode === "replicate") return i < 0 ? 0 : n - 1;
  return mode === "circular" ? (i + n) % n : -1;
}
// Value at a padded place, and where it comes from.
function look(state, A, x, r, c) {
  const [a, b] = [r, c].map((v, i) => source(v - A[i].before, A[i].n, mode(state)));
  const pad = A.some((t, i) => [r, c][i] < t.before || [r, c][i] >= t.before + t.n);
  const valueAt = (a, b) => {
    if (a >= 0 && b >= 0) return x[a][b];
    if (state.kind === "MaxPool2d") return -Infinity;
    return 0;
  };
  return {
    pad,
    a,
    b,
    v: valueAt(a, b),
  };
}
const taps = (A, i, j) =>
  table(A[0].k, A[1].k, (u, v) => ({
    u,
    v,
    r: i * A[0].s + u * A[0].d,
    c: j * A[1].s + v * A[1].d,
  })).flat();
// The pairs (output, kernel entry) of an axis that meet at padded place p.
const meet = (a, p) =>
  range(a.out)
    .map((i) => [i, (p - i * a.s) / a.d])
    .filter(([, u]) => Number.isInteger(u) && u >= 0 && u < a.k);
const readers = (/** @type {Axis[]} */ [R, C], r, c) =>
  meet(R, r).flatMap(([i, u]) => meet(C, c).map(([j, v]) => ({ i, j, u, v })));
// How often each cell of an axis is read, through copies in the padding as well.
function counts(state, a) {
  const found = Array(a.n).fill(0);
  for (const i of range(a.out))
    for (const u of range(a.k)) {
      const at = source(i * a.s + u * a.d - a.before, a.n, mode(state));
      if (at >= 0) found[at]++;
    }
  return found;
}
function run(state) {
  const A = axes(state);
  const x = input(state, A);
  const w = kernel(state, A);
  const [rows, columns] = A.map((a) => counts(state, a));
  const output = table(A[0].out, A[1].out, (i, j) => {
    const list = taps(A, i, j).map((t) => [look(state, A, x, t.r, t.c).v, w[t.u][t.v]]);
    return state.kind === "MaxPool2d"
      ? Math.max(...list.map(([v]) => v))
      : list.reduce((sum, [v, k]) => sum + v * k, conv(state) ? state.bias : 0);
  });
  return {
    A,
    x,
    w,
    rows,
    columns,
    output,
    reads: rows.map((a) => columns.map((b) => a * b)),
  };
}

// ------------------------------------------------------------------ code to copy
function layerCode(state) {
  const [R, C] = axes(state);
  const two = (a, b) => (a === b ? a : `(${a}, ${b})`);
  const k = two(R.k, C.k);
  const more = [
    ["stride", two(R.s, C.s), conv(state) ? 1 : k],
    ["padding", state.padding === "same" ? '"same"' : two(R.before, C.before), 0],
    ["dilation", two(R.d, C.d), 1],
    ["padding_mode", `"${mode(state)}"`, '"zeros"'],
    ["bias", conv(state) && !state.bias ? "False" : "", ""],
  ];
  return `nn.${state.kind}(${[...(conv(state) ? [1, 1] : []), k, ...more.filter(([, v, usual]) => v !== usual).map(([key, v]) => `${key}=${v}`)].join(", ")})`;
}
const rows = (list) => `[${list.map((r) => `[${r.join(", ")}]`).join(", ")}]`;
const codeShort = (state) =>
  `layer = ${layerCode(state)}\ny = layer(x)` +
  (error(state)
    ? ""
    : `  # (N, C, H, W) = (1, 1, ${axes(state)
        .map((a) => a.out)
        .join(", ")})`);
const codeFull = (state) =>
  [
    `layer = ${layerCode(state)}.double()`,
    ...(conv(state)
      ? [`layer.weight.data[0, 0] = torch.tensor(${rows(kernel(state, axes(state)))})`]
      : []),
    ...(conv(state) && state.bias ? [`layer.bias.data[:] = ${state.bias}`] : []),
    `x = torch.tensor([[${rows(input(state, axes(state)))}]]).double()`,
    "y = layer(x)",
    "print(y)",
  ].join("\n");

// the first ten are traits

const KINDS = ["Conv2d", "MaxPool2d", "AvgPool2d"];
const MODES = ["zeros", "reflect", "replicate", "circular"];
// slider -> what it moves
const SLIDERS = {
  n: "size",
  k: "kernel_size",
  s: "stride",
  p: "padding",
  d: "dilation",
};

function view(ui) {
  const [title, sub, line, ...sizes] = ["claim", "sub", "line", "line", "line"].map(
    (name) => h("p", { class: name }),
  );
  const problem = ui.errorLine();
  const code = ui.code();
  const choose =
    (view, key) =>
    (...to) =>
      ui.update({ view, [key]: to.slice(-2) }, true);
  const hover = choose("output", "at");
  const cells = ui.grid("Input", (at) => choose("input", "cell")(...at));
  const head = h("p", { class: "part r-input" });
  const inputs = h("div", {}, head, cells.node);
  const weights = ui.matrix("Kernel", choose("kernel", "entry"));
  const outputs = ui.matrix("Output", hover);
  weights.head.classList.add("r-kernel");
  outputs.head.classList.add("r-output");
  outputs.node.onpointerover = (e) => {
    const place = outputs.placeOf(e.target);
    if (e.pointerType === "mouse" && place) hover(...place);
  };
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.range("n", "Input size", {
      min: 1,
      max: (state) => (state.same ? 7 : Math.min(9, 11 - 2 * state.p)),
      visible: (state) => !state.x,
    }),
    ui.range("k", "Kernel size", {
      min: 1,
      max: () => 5,
      visible: (state) => !state.weight,
    }),
    ui.range("s", "Stride", { min: 1, max: () => 4 }),
    ui.range("p", "Padding", {
      min: 0,
      max: (state) => Math.max(0, Math.min(4, (11 - state.n) >> 1)),
      visible: (state) => !state.same,
    }),
    ui.range("d", "Dilation", {
      min: 1,
      max: () => 3,
      visible: (state) => state.kind !== "AvgPool2d",
    }),
    ui.more(
      ui.select("kind", "Layer", () => KINDS.map((k) => [k, k])),
      ui.select(
        "padding_mode",
        "padding_mode",
        () => MODES.map((m) => [m, m]),
        (state) => conv(state) && axes(state).some((a) => a.padded > a.n),
      ),
      ui.choice(
        "same",
        "Pad by",
        [
          [false, "slider"],
          [true, '"same"'],
        ],
        conv,
      ),
      ui.choice(
        "axis",
        "Sliders move",
        ["both", "rows", "columns"].map((m) => [m, m]),
      ),
      ui.check("predict", "Guess first"),
    ),
  );
  const ask = h(
    "div",
    { class: "controls" },
    ui.range("guess", "Output rows (0: refused)", {
      min: 0,
      max: (state) => axes(state)[0].padded,
    }),
    ui.button("Show the answer", () => ui.update({ shown: true })),
  );

  const x2 = (a, b) => `${a} \u00d7 ${b}`;
  const unread = (list, word) => {
    const at = [...list.keys()].filter((i) => !list[i]);
    return at.length ? [`${word}${at.length > 1 ? "s" : ""} ${at.join(", ")}`] : [];
  };

  function claim(r, never) {
    const [R, C] = r.A;
    const from = x2(R.n, C.n);
    const to = x2(R.out, C.out);
    if (never)
      return `Never read: ${[...unread(r.rows, "row"), ...unread(r.columns, "column")].join(" and ")}`;
    if (R.out === R.n && C.out === C.n)
      return (
        `The size stays ${to}` +
        (R.before < R.after || C.before < C.after
          ? ", with more padding at the end"
          : "")
      );
    if (R.s > 1 && R.s === C.s)
      return `Stride ${R.s} ${R.out * R.s === R.n && C.out * C.s === C.n ? "divides" : "does not divide"} the size by ${R.s}: ${from} becomes ${to}`;
    return `${from} becomes ${to}`;
  }
  function rule(e, a, word, hide) {
    const p = a.before === a.after ? `2\u00b7${a.before}` : `${a.before} + ${a.after}`;
    rich(e, [
      `${word}: \u230a(`,
      ["input", String(a.n)],
      ` + ${p} \u2212 ${a.d}\u00b7(`,
      ["kernel", String(a.k)],
      ` \u2212 1) \u2212 1) / ${a.s}\u230b + 1 = `,
      ["output", hide ? "?" : fmt(a.out)],
      [
        "muted",
        !hide && a.out > 0 && a.left
          ? ` floor drops ${a.left} / ${a.s}: no window reaches the last ${a.left > 1 ? `${a.left} cells` : "cell"}${a.after ? " of the padded input" : ""}`
          : "",
      ],
    ]);
  }
  const value = (v, form = fmt) => (v === -Infinity ? "\u2212\u221e" : form(v));
  const times = (v) => (v < 0 ? `(${fmt(v)})` : fmt(v));
  // What the chosen cell is made of, or who reads it.
  function sentence(state, r, list) {
    const { A, x, w } = r;
    const [R, C] = A;
    if (state.view === "input") {
      const q = look(state, A, x, ...state.cell);
      const at = `[${fmt(state.cell[0] - R.before)}, ${fmt(state.cell[1] - C.before)}]`;
      const n = readers(A, state.cell[0], state.cell[1]).length;
      return [
        ["input", q.pad ? `padding ${at}` : `x${at}`],
        ` = ${value(q.v)}${q.pad && q.a >= 0 && q.b >= 0 ? `, a copy of x[${q.a}, ${q.b}],` : ""} is read ${mode(state) === "zeros" ? "" : "here "}by `,
        ["output", plural(n, "output cell")],
      ];
    }
    if (state.view === "kernel") {
      const met = list.filter((t) => look(state, A, x, t.r, t.c).pad).length;
      return [
        ["kernel", `weight[${state.entry.join(", ")}]`],
        ` = ${fmt(w[state.entry[0]][state.entry[1]], 3)} meets `,
        ["input", plural(list.length, "cell")],
        ", one for each output cell",
        met ? `; ${met} of them padding` : "",
      ];
    }
    const parts = [];
    const more = list.length - 25;
    const max = state.kind === "MaxPool2d";
    const sign = max ? ", " : " + ";
    list.slice(0, 25).forEach((t, at) => {
      if (at) parts.push(sign);
      parts.push([
        "input",
        (conv(state) ? times : value)(look(state, A, x, t.r, t.c).v),
      ]);
      if (conv(state)) parts.push("\u00b7", ["kernel", times(w[t.u][t.v])]);
    });
    if (more > 0) parts.push(`${sign}${more} more`);
    if (conv(state) && state.bias) parts.push(sign, ["kernel", times(state.bias)]);
    const opening = () => {
      if (max) return " = max(";
      if (conv(state)) return " = ";
      return " = (";
    };
    const closing = () => {
      if (max) return ")";
      if (conv(state)) return "";
      return `) / ${list.length}`;
    };
    return [
      ["output", `output[${state.at.join(", ")}]`],
      opening(),
      ...parts,
      closing(),
      " = ",
      ["output", value(r.output[state.at[0]][state.at[1]])],
    ];
  }

  function draw(state) {
    const bad = error(state);
    const hide = state.predict && !state.shown;
    const blank = bad || hide;
    const A = framed(state, blank);
    const [R, C] = A;
    const r = blank ? { A, x: input(state, A), w: kernel(state, A) } : run(state);
    const all = R.n * C.n;
    const never = blank ? 0 : all - r.reads.flat().filter(Boolean).length;
    const [i, j] = state.at;
    const [u, v] = state.entry;
    const max = state.kind === "MaxPool2d";
    // what the chosen cell meets, in padded places
    const pickList = () => {
      if (blank) return [];
      if (state.view === "output") return taps(A, i, j);
      if (state.view === "kernel")
        return table(R.out, C.out, (a, b) => ({
          r: a * R.s + u * R.d,
          c: b * C.s + v * C.d,
        })).flat();
      return [];
    };
    const list = pickList();
    const met =
      blank || state.view !== "input" ? [] : readers(A, state.cell[0], state.cell[1]);
    const lit = new Set(list.map((t) => t.r * C.padded + t.c));
    const right = state.guess === (bad ? 0 : R.out);
    const verdictOn = () => {
      if (state.predict) return right ? "Right. " : `Not ${state.guess || "refused"}. `;
      return "";
    };
    text(
      title,
      hide
        ? "How many output rows, or does torch refuse?"
        : verdictOn() + (bad ? bad.claim : claim(r, never)),
    );
    text(
      sub,
      state.kind +
        ": " +
        (conv(state) ? plural(R.k * C.k, "weight") : "no weights") +
        (blank
          ? ""
          : `, ${plural(R.out * C.out, "window")}; ${all - never} of ${plural(all, "input cell")} read`) +
        ".",
    );
    problem.set(hide ? null : bad);

    text(
      head,
      `Input ${x2(R.n, C.n)}` +
        (R.padded > R.n || C.padded > C.n ? `, padded ${x2(R.padded, C.padded)}` : ""),
    );
    cells.size(1, R.padded, C.padded);
    cells.patch(
      {
        slice: () => "",
        row: (a) => fmt(a - R.before),
        column: (_, b) => fmt(b - C.before),
      },
      (_, a, b) => {
        const q = look(state, A, r.x, a, b);
        const n = blank || q.pad || r.reads[q.a][q.b];
        const cellClass = (q, n) => {
          if (q.pad) return "pad";
          if (n) return "x";
          return "x never";
        };
        return {
          text: value(q.v, short),
          cls: cellClass(q, n) + (lit.has(a * C.padded + b) ? " tap" : ""),
          label: `${q.pad ? "padding" : "input"} row ${a - R.before}, column ${b - C.before}: ${value(q.v)}${n ? "" : ", never read"}`,
        };
      },
      [0, ...state.cell],
    );
    weights.node.hidden = max;
    text(
      weights.head,
      conv(state) ? `Kernel ${x2(R.k, C.k)}` : `Each cell counts 1/${R.k * C.k}`,
    );
    weights.fill(
      R.k,
      C.k,
      (a, b) => ({
        text: conv(state) ? short(r.w[a][b]) : `1/${R.k * C.k}`,
        cls:
          "w" +
          (met.some((t) => t.u === a && t.v === b) ||
          (state.view === "kernel" && a === u && b === v)
            ? " on"
            : ""),
        label: `kernel row ${a}, column ${b}: ${fmt(r.w[a][b], 3)}`,
      }),
      state.entry,
    );
    outputs.node.hidden = line.hidden = !!blank;
    if (!blank) {
      text(outputs.head, `Output ${x2(R.out, C.out)}`);
      const to = ({ before, s, span }, at) =>
        `${fmt(at * s - before)} to ${fmt(at * s - before + span - 1)}`;
      outputs.fill(
        R.out,
        C.out,
        (a, b) => ({
          text: value(r.output[a][b], short),
          cls:
            "y" +
            ((state.view === "output" && a === i && b === j) ||
            met.some((t) => t.i === a && t.j === b)
              ? " on"
              : ""),
          label: `output row ${a}, column ${b}: ${value(r.output[a][b])}, reads input rows ${to(R, a)}, columns ${to(C, b)}`,
        }),
        state.at,
      );
      rich(line, sentence(state, r, list));
    }
    [
      [inputs, "input"],
      [weights.node, "kernel"],
      [outputs.node, "output"],
    ].forEach(([e, name]) => {
      e.className = state.view === name ? "" : "quiet";
    });
    const whole = axes(state);
    const alike = JSON.stringify(whole[0]) === JSON.stringify(whole[1]);
    whole.forEach((a, at) =>
      rule(sizes[at], a, alike ? "Size" : ["Rows", "Columns"][at], hide),
    );
    // no size where torch refuses for another reason
    sizes[0].hidden = bad && !hide && !/spans/.test(bad.claim);
    sizes[1].hidden = alike || sizes[0].hidden;
    ask.hidden = !state.predict;
    code.set(hide ? `layer = ${layerCode(state)}` : codeShort(state), codeFull(state));
    if (hide) return title.textContent;
    if (bad) return `torch raises ${bad.type}: ${bad.text}`;
    return `${title.textContent}. Output ${R.out} by ${C.out}. ${line.textContent}.`;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      ask,
      problem.node,
      h("div", { class: "side" }, inputs, weights.node, outputs.node),
      line,
      ...sizes,
      code.node,
    ],
    draw,
  };
}

// Sliders write pairs; what a kind lacks is put back; chosen cells stay inside.
function mend(state, patch) {
  const made = {};
  const at = state.axis === "columns" ? 1 : 0;
  if ("same" in patch) made.padding = state.same ? "same" : [0, 0];
  for (const [key, name] of Object.entries(SLIDERS)) {
    const now = name in made ? made[name] : state[name];
    if (now === "same" && conv(state)) continue;
    const both = pair(now === "same" ? 0 : now).map((v, a) =>
      key in patch && (state.axis === "both" || a === at) ? state[key] : v,
    );
    Object.assign(made, { [name]: both, [key]: both[at] });
  }
  if (state.kind === "AvgPool2d") Object.assign(made, { d: 1, dilation: [1, 1] });
  // a guess is asked for anew after any change but of the cells looked at
  const shown =
    state.shown &&
    !Object.keys(patch).some(
      (key) => !["view", "at", "cell", "entry", "shown", "axis"].includes(key),
    );
  const T = { ...state, ...made };
  const same = T.padding === "same";
  const A = framed(T, error(T) || (state.predict && !shown));
  const clamp = (v, most) => v.map((w, a) => Math.max(0, Math.min(most(A[a]) - 1, w)));
  if (state.x) Object.assign(made, { size: A.map((a) => a.n), n: A[at].n });
  if (state.weight) Object.assign(made, { kernel_size: A.map((a) => a.k), k: A[at].k });
  const view =
    state.kind === "MaxPool2d" && state.view === "kernel" ? "output" : state.view;
  return {
    ...made,
    same,
    view,
    shown,
    at: clamp(state.at, (a) => a.out),
    entry: clamp(state.entry, (a) => a.k),
    cell: clamp(state.cell, (a) => a.padded),
  };
}

define("nn-sliding-window", {
  label: "sliding window",
  css,
  mend,
  build: view,
  engine: { axes, error, run, readers, look, framed, codeFull, mend },
});
