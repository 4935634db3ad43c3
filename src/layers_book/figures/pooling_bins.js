// PoolingBins: which cells each output of a pooling reads, its value, and the gradient.
import { define, fmt, h, plural, range, rich, short, text } from "./core.js";
import css from "./pooling_bins.css";

// ------------------------------------------- engine: no DOM, checked against torch
const KINDS = [
  "MaxPool1d",
  "AvgPool1d",
  "AdaptiveMaxPool1d",
  "AdaptiveAvgPool1d",
  "FractionalMaxPool2d",
];
const VALUES = [-2, -1, 4, 1, -3, 2, 2, 5, -4, 0, 3, 1];
const values = (state) => state.x || range(state.n).map((i) => VALUES[i % 12]);
const maximum = (state) => state.kind.includes("Max");
const adaptive = (state) => state.kind.startsWith("Adaptive");
const fractional = (state) => state.kind.startsWith("Fr");
const sliding = (state) => !adaptive(state) && !fractional(state);
const stride = (state) => state.stride ?? state.kernel_size;
const dilation = (state) => (state.kind === "MaxPool1d" ? state.dilation : 1);
const span = (state) => dilation(state) * (state.kernel_size - 1) + 1;
// Outputs before and after the rule that the last window starts in the input or left of it.
function counts(state) {
  if (!sliding(state)) return [state.output_size, state.output_size];
  const s = stride(state);
  const all =
    Math.floor(
      (state.n + 2 * state.padding - span(state) + (state.ceil_mode ? s - 1 : 0)) / s,
    ) + 1;
  return [
    all,
    state.ceil_mode && (all - 1) * s >= state.n + state.padding ? all - 1 : all,
  ];
}
const count = (state) => counts(state)[1];
function error(state) {
  const { n, kernel_size: k, padding: p } = state;
  const say = (words) => ({ type: "RuntimeError", text: words });
  if (adaptive(state)) return null;
  if (fractional(state))
    return state.output_size + k - 1 <= n
      ? null
      : say(
          `fractional_max_pool2d(): pool height ${k} too large relative to input height ${n}`,
        );
  if (p > k >> 1)
    return say(
      maximum(state)
        ? `max_pool1d() padding should be at most half of kernel size, but got padding=${p} and kernel_size=${k}`
        : `pad should be at most half of effective kernel size, but got pad=${p}, kernel_size=${k} and dilation=1`,
    );
  if (count(state) > 0) return null;
  return say(
    maximum(state)
      ? `max_pool1d() Invalid computed output size: ${count(state)}`
      : `Given input size: (1x1x${n}). Calculated output size: (1x1x${count(state)}). Output size is too small`,
  );
}
// Step of a fractional pooling before rounding; torch's, not the paper's n / output_size.
const alpha = (state) => (state.n - state.kernel_size) / (state.output_size - 1);
// The positions output i looks at; below 0 and from n on they are padding.
function taps(state, i) {
  const { n, output_size: O, kernel_size: k } = state;
  if (adaptive(state)) {
    const start = Math.floor((i * n) / O);
    return range(Math.ceil(((i + 1) * n) / O) - start).map((j) => start + j);
  }
  if (fractional(state)) {
    const start =
      i === O - 1
        ? n - k
        : Math.trunc((i + state.sample) * alpha(state)) -
          Math.trunc(state.sample * alpha(state));
    return range(k).map((j) => start + j);
  }
  return range(k).map((j) => i * stride(state) - state.padding + j * dilation(state));
}
// Outputs with what they read, and the gradient of output.sum() at each cell.
function pool(state) {
  const x = values(state);
  const gradient = x.map(() => 0);
  const outputs = range(count(state)).map((i) => {
    const all = taps(state, i);
    const inside = all.filter((t) => t >= 0 && t < state.n);
    if (maximum(state)) {
      const best = inside.length
        ? inside.reduce((a, b) => (x[b] > x[a] ? b : a))
        : null;
      if (best !== null) gradient[best] += 1;
      return { taps: all, inside, best, value: best === null ? -Infinity : x[best] };
    }
    const divisor = state.count_include_pad
      ? all.filter((t) => t < state.n + state.padding).length
      : inside.length;
    for (const t of inside) gradient[t] += 1 / divisor;
    return {
      taps: all,
      inside,
      divisor,
      value: inside.reduce((sum, t) => sum + x[t], 0) / divisor,
    };
  });
  return { outputs, gradient };
}
// [kernel_size, stride, padding] of an ordinary pooling with the bins of an adaptive one, if any.
function plain(state) {
  const key = (T) =>
    JSON.stringify(
      range(count(T)).map((i) => taps(T, i).filter((t) => t >= 0 && t < state.n)),
    );
  const bins = key(state);
  const O = state.output_size;
  for (let k = 1; k <= state.n; k++)
    for (let p = 0; p <= k >> 1; p++)
      for (let s = 1; s <= state.n; s++) {
        const T = {
          ...state,
          kind: "MaxPool1d",
          kernel_size: k,
          stride: s,
          padding: p,
          dilation: 1,
          ceil_mode: false,
        };
        if (count(T) === O && key(T) === bins) return [k, s, p];
      }
  return null;
}

// ------------------------------------------------------------------ code to copy
function layerCode(state, samples) {
  const { kernel_size: k, output_size: O } = state;
  const more = [];
  if (adaptive(state)) return `nn.${state.kind}(${O})`;
  if (fractional(state))
    return `nn.${state.kind}((${k}, 1), (${O}, 1)${samples ? `, _random_samples=torch.tensor([[[0, ${state.sample}]]]).double()` : ""})`;
  if (state.stride !== null) more.push(`stride=${state.stride}`);
  if (state.padding) more.push(`padding=${state.padding}`);
  if (dilation(state) > 1) more.push(`dilation=${state.dilation}`);
  if (state.ceil_mode) more.push("ceil_mode=True");
  if (!maximum(state) && !state.count_include_pad) more.push("count_include_pad=False");
  return `nn.${state.kind}(${[k, ...more].join(", ")})`;
}
const shapeComment = (state) => {
  if (error(state)) return "";
  if (fractional(state)) return `  # (N, C, H_out, W_out) = (1, 1, ${count(state)}, 1)`;
  return `  # (N, C, L_out) = (1, 1, ${count(state)})`;
};
const codeShort = (state) => `y = ${layerCode(state)}(x)${shapeComment(state)}`;
const codeFull = (state) =>
  [
    `x = torch.tensor([${values(state).join(", ")}], dtype=torch.float64)`,
    `x = x.view(1, 1, ${fractional(state) ? "-1, 1" : "-1"}).requires_grad_()`,
    `layer = ${layerCode(state, true)}`,
    "y = layer(x)",
    "y.sum().backward()",
    "print(y.flatten(), x.grad.flatten())",
  ].join("\n");

// ----------------------------------------------------------------------- words
const num = (v) => (v === -Infinity ? "\u2212\u221E" : fmt(v));
const list = (cells) =>
  cells.length < 3
    ? cells.join(" and ")
    : `${cells.slice(0, -1).join(", ")} and ${cells.at(-1)}`;
function where(cells) {
  if (!cells.length) return "no cell";
  if (cells.length === 1) return `cell ${cells[0]}`;
  const gap = cells.some((t, j) => j && t !== cells[j - 1] + 1);
  return `cells ${gap || cells.length === 2 ? list(cells) : `${cells[0]} to ${cells.at(-1)}`}`;
}
const unread = (state, r) =>
  range(state.n).filter((t) => !r.outputs.some((o) => o.inside.includes(t)));
function claim(state, r) {
  const O = r.outputs.length;
  const missed = unread(state, r);
  const times = range(state.n).map(
    (t) => r.outputs.filter((o) => o.inside.includes(t)).length,
  );
  if (adaptive(state)) {
    const same = plain(state);
    const name = maximum(state) ? "MaxPool1d" : "AvgPool1d";
    const finding = () => {
      if (O > state.n) return "more outputs than cells, so bins repeat cells";
      if (same)
        return `the bins of ${name}(${same[0]}, ${same[1]}${same[2] ? `, padding=${same[2]}` : ""})${same[2] && !maximum(state) ? ", padding not counted" : ""}`;
      return "no kernel, stride and padding gives these bins";
    };
    return `${state.n} to ${O}: ${finding()}`;
  }
  const pickHow = () => {
    if (missed.length)
      return `${where(missed)} ${missed.length === 1 ? "is" : "are"} never read`;
    if (r.outputs.at(-1).taps.at(-1) >= state.n + state.padding && !fractional(state))
      return "the last runs over the end";
    if (Math.max(...times) > 1) return "windows share cells";
    return "each cell is read once";
  };
  const how = pickHow();
  if (fractional(state))
    return `${O === 1 ? "The window starts" : "Windows start"} at ${list(r.outputs.map((o) => o.taps[0]))}; ${how}`;
  return `${plural(O, "window")} of ${plural(state.kernel_size, "cell")}: ${how}`;
}
function size(state) {
  const { n, kernel_size: k, output_size: O, padding: p } = state;
  const [all, O2] = counts(state);
  if (adaptive(state))
    return `Bin i = [floor(i\u00B7${n}/${O}), ceil((i + 1)\u00B7${n}/${O})).`;
  if (fractional(state))
    return O === 1
      ? "A single output reads the last window."
      : `Mean step (${n} \u2212 ${k}) / (${O} \u2212 1) = ${fmt(alpha(state))}; u places the rounding. u is drawn anew at each call, in eval mode too.`;
  const e = `${state.ceil_mode ? "ceil" : "floor"}((${n} + 2\u00B7${p} \u2212 ${span(state)}) / ${stride(state)}) + 1 = ${all} ${all === 1 ? "output" : "outputs"}`;
  return e + (all > O2 ? `, but the last would start right of the input: ${O2}.` : ".");
}
function how(state, i) {
  const { n, output_size: O } = state;
  const start = taps(state, i)[0];
  if (adaptive(state))
    return `bin ${i} = [floor(${i}\u00B7${n}/${O}), ceil(${i + 1}\u00B7${n}/${O})) = `;
  if (fractional(state))
    return (
      `window ${i} starts at ` +
      (i === O - 1
        ? `${n} \u2212 ${state.kernel_size}`
        : `floor((${i} + ${state.sample})\u00B7${n - state.kernel_size}/${O - 1}) \u2212 floor(${state.sample}\u00B7${n - state.kernel_size}/${O - 1})`) +
      ` = ${start}: `
    );
  return `window ${i} starts at ${i}\u00B7${stride(state)} \u2212 ${state.padding} = ${fmt(start)}: `;
}
// What stands at a position outside of the input: nothing where it does not count.
const outside = (state, t) => {
  if (maximum(state)) return t < state.n + state.padding ? "\u2212\u221E" : "";
  if (state.count_include_pad && t < state.n + state.padding) return "0";
  return "";
};

// Cells a reader might name for output i: the right ones, shifted, cut or grown.
function guesses(state, i) {
  const { inside } = pool(state).outputs[i];
  const step = inside[1] - inside[0] || 1;
  const last = inside.at(-1);
  return [
    inside,
    inside.map((t) => t + step),
    inside.map((t) => t - step),
    inside.slice(0, -1),
    inside.slice(1),
    [...inside, last + step],
  ]
    .filter(
      (c, k, all) =>
        c.length &&
        c[0] >= 0 &&
        c.at(-1) < state.n &&
        all.findIndex((o) => String(o) === String(c)) === k,
    )
    .slice(0, 4)
    .sort((a, b) => a[0] - b[0] || a.length - b.length);
}

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const line = h("p", { class: "line" });
  const note = h("p", { class: "sub" });
  const problem = ui.errorLine();
  const code = ui.code();
  // The cell looked at in the picture: row 0 is the input, the last one the gradient.
  let place = [2, 99];
  let last = null;
  let open = "";
  let asked = 0;
  const bins = ui.grid("Cells that each output reads", ([, r, c]) => {
    place = [r, c];
    ui.update(r && r <= count(ui.state) && !hides(ui.state) ? { at: r - 1 } : {}, true);
  });
  const question = h("span");
  const options = h("div", { class: "buttons" });
  const ask = h("div", { class: "ask" }, question, options);
  const verdict = h("p", { class: "line" });
  // a reveal shows the bins of all outputs, so it holds for each of them
  const key = (state) =>
    JSON.stringify(
      Object.keys(state)
        .filter((k) => k !== "predict" && k !== "at")
        .map((k) => state[k]),
    );
  const hides = (state) =>
    state.predict &&
    !error(state) &&
    open !== key(state) &&
    pool(state).outputs[state.at].inside.length > 0;
  const yes = [
    [false, "False"],
    [true, "True"],
  ];
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.select("kind", "Layer", () => KINDS.map((k) => [k, k])),
    ui.range("n", "Input cells", {
      min: 1,
      max: () => 10,
      visible: (state) => !state.x,
    }),
    ui.range("output_size", "output_size", {
      min: 1,
      max: () => 10,
      visible: (state) => !sliding(state),
    }),
    ui.range("kernel_size", "kernel_size", {
      min: 1,
      max: () => 6,
      visible: (state) => !adaptive(state),
    }),
    ui.select(
      "stride",
      "stride",
      (state) => [
        [null, "None: kernel_size"],
        ...range(Math.max(4, state.stride)).map((i) => [i + 1, String(i + 1)]),
      ],
      sliding,
    ),
    ui.range("padding", "padding", { min: 0, max: () => 3, visible: sliding }),
    ui.range("sample", "Random number u", {
      min: 0,
      max: () => 0.95,
      step: 0.05,
      visible: fractional,
    }),
    ui.more(
      ui.choice("ceil_mode", "ceil_mode", yes, sliding),
      ui.choice(
        "count_include_pad",
        "count_include_pad",
        yes,
        (state) => state.kind === "AvgPool1d",
      ),
      ui.range("dilation", "dilation", {
        min: 1,
        max: () => 3,
        visible: (state) => state.kind === "MaxPool1d",
      }),
      ui.check("predict", "Guess first"),
    ),
  );

  function picture(state, r, hidden) {
    const O = r && !hidden ? r.outputs.length : 0;
    const x = values(state);
    const now = r && !hidden ? r.outputs[state.at] : { taps: [], inside: [] };
    const edge = sliding(state) && r ? state.padding : 0;
    const last = r
      ? Math.max(state.n + edge, ...r.outputs.map((o) => o.taps.at(-1) + 1))
      : state.n;
    const missed = O ? unread(state, r) : [];
    const rows = O ? O + 2 : 1;
    const all = last + edge;
    const cols = all + (O ? 1 : 0);
    if (O && ((place[0] && place[0] < rows - 1) || place[0] >= rows))
      place[0] = state.at + 1;
    bins.node.classList.toggle("full", O > 0);
    bins.size(1, rows, cols);
    bins.patch(
      {
        slice: () => "",
        row: (i) => {
          if (!i) return "x";
          if (i > O) return "g";
          return String(i - 1);
        },
        column: (_, c) => {
          if (c === all) return "y";
          if (c - edge < 0 || c - edge >= state.n)
            return c < state.n + 2 * edge ? "pad" : "";
          return String(c - edge);
        },
      },
      (_, i, c) => {
        const t = c - edge;
        const real = t >= 0 && t < state.n;
        const o = i && i <= O && r.outputs[i - 1];
        if (c === all)
          return o
            ? {
                text: o.value === -Infinity ? num(o.value) : short(o.value),
                cls: `y${i - 1 === state.at ? " on" : ""}`,
                label: `output ${i - 1}: ${num(o.value)}`,
              }
            : { text: "", cls: "off", label: "no output in this row" };
        const cellText = (t, real) => {
          if (real) return short(x[t]);
          if (r) return outside(state, t);
          return "";
        };
        const reading = (t) => {
          if (missed.includes(t)) return ", never read";
          if (now.inside.includes(t)) return `, read by output ${state.at}`;
          return "";
        };
        if (!i)
          return {
            text: cellText(t, real),
            cls: real
              ? "x" +
                (now.inside.includes(t) ? " on" : "") +
                (missed.includes(t) ? " un" : "")
              : "pad",
            label: real ? `input cell ${t}: ${fmt(x[t])}${reading(t)}` : "padding",
          };
        if (i > O)
          return {
            text: real ? short(r.gradient[t]) : "",
            cls: real ? `g${r.gradient[t] ? " on" : ""}` : "off",
            label: real
              ? `gradient at cell ${t}: ${fmt(r.gradient[t])}`
              : "no gradient: padding",
          };
        const k = o.taps.indexOf(t);
        const joined = dilation(state) === 1;
        if (k < 0)
          return {
            text: "",
            cls: "off",
            label: `output ${i - 1} does not read ${real ? `cell ${t}` : "this padding"}`,
          };
        return {
          text: real ? short(x[t]) : outside(state, t),
          label: `output ${i - 1} reads ${real ? `cell ${t}: ${fmt(x[t])}` : "padding"}${o.best === t ? ", the maximum" : ""}`,
          cls:
            "b" +
            (!k || !joined ? " a" : "") +
            (k === o.taps.length - 1 || !joined ? " z" : "") +
            (i - 1 === state.at ? " cur" : "") +
            (o.best === t ? " m" : ""),
        };
      },
      [0, O ? place[0] : 0, Math.min(place[1], cols - 1)],
    );
  }
  function formula(state, r) {
    const [row, c] = place;
    const O = r.outputs.length;
    const t = c - (sliding(state) ? state.padding : 0);
    const x = values(state);
    if ((!row || row > O) && t >= 0 && t < state.n) {
      const readers = range(O).filter((i) => r.outputs[i].inside.includes(t));
      const paid = readers.filter((i) => !maximum(state) || r.outputs[i].best === t);
      rich(line, [
        ["input", `x[${t}] = ${fmt(x[t])}`],
        readers.length
          ? ` is read by output${readers.length > 1 ? "s" : ""} ${list(readers)}; `
          : " is read by no output; ",
        ["gradient", "gradient"],
        " of y.sum(): ",
        ...(paid.length > 1
          ? [
              `${paid
                .map((i) => (maximum(state) ? "1" : `1/${r.outputs[i].divisor}`))
                .join(" + ")} = `,
            ]
          : []),
        ["gradient", fmt(r.gradient[t])],
      ]);
      return;
    }
    const o = r.outputs[state.at];
    const pads = o.taps.length - o.inside.length;
    const terms = o.taps
      .map((q) => (q >= 0 && q < state.n ? fmt(x[q]) : outside(state, q)))
      .filter(Boolean);
    rich(line, [
      ["kernel", how(state, state.at)],
      ["input", where(o.inside)],
      pads ? ` and ${pads} outside` : "",
      "; ",
      ["output", `y[${state.at}]`],
      " = ",
      maximum(state)
        ? `max(${terms.join(", ")})`
        : `(${terms.join(" + ").replaceAll("+ \u2212", "\u2212 ")}) / ${o.divisor}`,
      " = ",
      ["output", num(o.value)],
    ]);
  }

  function choose(guess, right) {
    open = key(ui.state);
    asked = ui.state.at;
    place = [asked + 1, 99];
    rich(
      verdict,
      guess === right
        ? [["output", "Right: "], `${right}.`]
        : [["statistic", "Not quite: "], `you said ${guess}; it is ${right}.`],
    );
    ui.update({});
    bins.node.querySelector("[aria-selected]").focus({ preventScroll: true });
  }
  function draw(state) {
    if (
      last &&
      (last.at !== state.at || last.kind !== state.kind) &&
      place[0] !== state.at + 1
    )
      place = [state.at + 1, 99];
    last = { ...state };
    const bad = error(state);
    const r = bad ? null : pool(state);
    const hidden = hides(state);
    const O = r ? r.outputs.length : 0;
    const titleWords = () => {
      if (bad) return `${state.kind} refuses this setting`;
      if (hidden) return `${state.kind}: which cells does output ${state.at} read?`;
      return claim(state, r);
    };
    text(title, titleWords());
    const subWords = () => {
      if (bad) return "";
      if (hidden) return `${plural(state.n, "cell")} in, ${plural(O, "output")}.`;
      return size(state);
    };
    text(sub, subWords());
    problem.set(bad);
    picture(state, r, hidden);
    line.hidden = note.hidden = !r || hidden;
    ask.hidden = !hidden;
    verdict.hidden = open !== key(state) || !state.predict || asked !== state.at;
    code.set(codeShort(state), codeFull(state));
    if (bad) return `torch raises ${bad.type}: ${bad.text}`;
    if (hidden) {
      text(question, `Guess the cells of output ${state.at}:`);
      const right = where(r.outputs[state.at].inside);
      options.replaceChildren(
        ...guesses(state, state.at).map((g) =>
          ui.button(where(g), () => choose(where(g), right)),
        ),
      );
      return `${title.textContent} ${question.textContent}`;
    }
    formula(state, r);
    text(
      note,
      "Row x: the input. Numbered rows: what output y reads" +
        (maximum(state) ? ", its maximum filled. " : ". ") +
        "Row g: the gradient of y.sum(), " +
        (maximum(state)
          ? "one for each maximum."
          : "each output\u2019s 1 spread over its divisor."),
    );
    return `${title.textContent}. ${line.textContent}.`;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      problem.node,
      ask,
      verdict,
      bins.node,
      line,
      note,
      code.node,
    ],
    draw,
  };
}

// Keep a state drawable: as many cells as the reader's tensor, a chosen output that exists.
function mend(state) {
  const n = state.x ? state.x.length : state.n;
  return {
    n,
    at: Math.max(0, Math.min(Math.max(1, count({ ...state, n })) - 1, state.at)),
  };
}

define("nn-pooling-bins", {
  label: "pooling bins",
  css,
  mend,
  build: view,
  engine: { error, count, pool, plain, guesses, claim, codeShort, codeFull, values },
});
