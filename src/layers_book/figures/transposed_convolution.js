// TransposedConvolution: stamps that add up, the same gathered, and the matrix transposed.
import { define, fmt, h, plural, range, rich, short, text } from "./core.js";
import css from "./transposed_convolution.css";

// ------------------------------------------- engine: no DOM, checked against torch
const reach = (state) => state.dilation * (state.kernel_size - 1);
// The reader's numbers, or small ones; the kernel is not symmetric, so that a flip shows.
const input = (state) =>
  state.x ||
  range(state.n).map((i) =>
    range(state.n).map((j) => ((3 * i + 5 * j + i * j) % 4) + 1),
  );
const kernel = (state) =>
  state.weight ||
  range(state.kernel_size).map((u) =>
    range(state.kernel_size).map((v) => ((2 * u + 3 * v + u * v) % 5) - 1),
  );
const flipped = (state) =>
  kernel(state)
    .map((row) => [...row].reverse())
    .reverse();
const cells = (state) => [input(state).length, input(state)[0].length];
// Without padding and output_padding: from the first stamp's start to the last one's end.
const stamped = (state, n) => (n - 1) * state.stride + reach(state) + 1;
const size = (state) =>
  cells(state).map((n) => stamped(state, n) - 2 * state.padding + state.output_padding);
function error(state) {
  const { stride: s, dilation: d, output_padding: op } = state;
  const fail = (words) => ({ type: "RuntimeError", text: words });
  const both = (name, v) => `${name}_height: ${v} ${name}_width: ${v}`;
  if (op >= Math.max(s, d))
    return fail(
      "output padding must be smaller than either stride or dilation, but got " +
        `${both("output_padding", op)} ${both("stride", s)} ${both("dilation", d)}`,
    );
  if (Math.min(...size(state)) < 1)
    return fail(
      `Given input size per channel: (${cells(state).join(" x ")}). Calculated output size per channel: (${size(state).join(" x ")}). Output size is too small`,
    );
  return null;
}
// Along one axis: the kernel entry by which input cell i reaches output cell o, or -1.
function tap(state, i, o) {
  const t = (o + state.padding - i * state.stride) / state.dilation;
  return Number.isInteger(t) && t >= 0 && t < state.kernel_size ? t : -1;
}
// All products that add up in an output cell, as [r, c, u, v].
function terms(state, /** @type {number[]} */ [R, C]) {
  const [H, W] = cells(state);
  const one = (n, o) =>
    range(n)
      .map((i) => [i, tap(state, i, o)])
      .filter(([, t]) => t >= 0);
  const across = one(W, C);
  return one(H, R).flatMap(([r, u]) => across.map(([c, v]) => [r, c, u, v]));
}
const counts = (state) => {
  const [H, W] = size(state);
  return range(H).map((R) => range(W).map((C) => terms(state, [R, C]).length));
};
function scatter(state) {
  const x = input(state);
  const w = kernel(state);
  const [H, W] = size(state);
  const y = range(H).map(() => Array(W).fill(state.bias));
  const { stride: s, dilation: d, padding: p } = state;
  x.forEach((row, r) =>
    row.forEach((v, c) =>
      w.forEach((line, u) =>
        line.forEach((k, t) => {
          const R = r * s + u * d - p;
          const C = c * s + t * d - p;
          if (R >= 0 && R < H && C >= 0 && C < W) y[R][C] += v * k;
        }),
      ),
    ),
  );
  return y;
}
// Which input cell stands at a place of the stuffed, padded axis; NaN: a zero between
// two cells; -1: padding.
function place(state, a, n) {
  const q = a - reach(state) + state.padding;
  if (q < 0 || q > (n - 1) * state.stride) return -1;
  if (q % state.stride) return NaN;
  return q / state.stride;
}
function stuffed(state) {
  const x = input(state);
  const [H, W] = cells(state);
  const [oh, ow] = size(state);
  return range(oh + reach(state)).map((a) =>
    range(ow + reach(state)).map((b) => {
      const r = place(state, a, H);
      const c = place(state, b, W);
      return r >= 0 && c >= 0 ? x[r][c] : 0;
    }),
  );
}
function gathered(state) {
  const z = stuffed(state);
  const w = flipped(state);
  const [H, W] = size(state);
  const d = state.dilation;
  return range(H).map((R) =>
    range(W).map((C) =>
      w.reduce(
        (sum, row, u) => row.reduce((a, k, v) => a + k * z[R + u * d][C + v * d], sum),
        state.bias,
      ),
    ),
  );
}
// The part of the transposed matrix from one input row to one output row.
function block(state, r, R) {
  const u = tap(state, r, R);
  const w = kernel(state);
  return range(size(state)[1]).map((C) =>
    range(cells(state)[1]).map((c) => {
      const v = tap(state, c, C);
      return u < 0 || v < 0 ? 0 : w[u][v];
    }),
  );
}
// How many stamps a cell far from the border gets: all values that occur, in order.
function pattern(state) {
  const { stride: s, dilation: d } = state;
  const axis = range(s).map(
    (j) => range(state.kernel_size).filter((u) => (u * d) % s === j).length,
  );
  return [...new Set(axis.flatMap((a) => axis.map((b) => a * b)))].sort(
    (a, b) => a - b,
  );
}
// The sizes along an axis that the convolution with these settings takes to n.
const origins = (state, n) =>
  range(state.stride)
    .map((i) => stamped(state, n) - 2 * state.padding + i)
    .filter((m) => m > 0);

// ------------------------------------------------------------------ code to copy
function layerCode(state) {
  const more = [
    ["stride", 1],
    ["padding", 0],
    ["output_padding", 0],
    ["dilation", 1],
  ].filter(([k, usual]) => state[k] !== usual);
  return `nn.ConvTranspose2d(${["1, 1", state.kernel_size, ...more.map(([k]) => `${k}=${state[k]}`)].join(", ")})`;
}
const by = (pair) => pair.join(" \u00d7 ");
const codeShort = (state) =>
  `layer = ${layerCode(state)}\ny = layer(x)` +
  (state.hide || error(state)
    ? ""
    : `  # (1, 1, ${cells(state).join(", ")}) -> (1, 1, ${size(state).join(", ")})`);
const tensor = (rows) =>
  `torch.tensor([[[${rows.map((r) => `[${r.join(", ")}]`).join(", ")}]]]).float()`;
const codeFull = (state) =>
  [
    `layer = ${layerCode(state)}`,
    `layer.weight.data = ${tensor(kernel(state))}`,
    `layer.bias.data[:] = ${state.bias}`,
    `x = ${tensor(input(state))}`,
    "y = layer(x)",
    "print(y[0, 0])",
  ].join("\n");

// -------------------------------------------------------------------------- words
const list = (values) =>
  values.length < 2
    ? String(values[0])
    : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
const spot = (at) => `(${at.join(", ")})`;
function claim(state) {
  const k = `${state.kernel_size} \u00d7 ${state.kernel_size}`;
  const many = pattern(state);
  const products = terms(state, state.to).length;
  if (state.view === "gather") {
    const all = state.kernel_size ** 2;
    const zero = "a stuffed or padded zero";
    return (
      `Output ${spot(state.to)}: ` +
      (all === 1
        ? `one product, with ${products ? "an input cell" : zero}`
        : `${plural(all, "product")}, ${all - products || "none"} of them with ${zero}`)
    );
  }
  if (state.view === "matrix") {
    const u = tap(state, state.at[0], state.to[0]);
    const rows = `Input row ${state.at[0]} ${u < 0 ? "does not reach" : "reaches"} output row ${state.to[0]}`;
    return (
      rows + (u < 0 ? ": this block of the matrix is zero" : ` through kernel row ${u}`)
    );
  }
  if (state.view === "overlap")
    return many.length > 1
      ? `Uneven: inside a large output, cells get ${list(many)} stamps`
      : `Even: inside a large output, every cell gets ${plural(many[0], "stamp")}`;
  const whole = counts({ ...state, padding: 0, output_padding: 0 }).flat();
  if (cells(state).every((n) => n === 1))
    return (
      `The only input cell stamps the ${k} kernel once` +
      (whole.includes(0) ? ", with gaps" : "")
    );
  const meeting = () => {
    if (Math.max(...whole) > 1) return "stamps overlap and add up";
    if (whole.includes(0)) return "stamps leave gaps";
    return "stamps meet without overlap";
  };
  return (
    `Each input cell stamps the ${k} kernel, ${plural(state.stride, "cell")} from the next: ` +
    meeting()
  );
}
function remarks(state) {
  const { padding: p, output_padding: op } = state;
  const from = cells(state).map((n) => origins(state, n));
  const ends = [from.map((m) => m[0])];
  if (Math.max(...from.map((m) => m.length)) > 1) ends.push(from.map((m) => m.at(-1)));
  return (
    (ends[0].every(Boolean)
      ? `A convolution with these settings makes ${by(cells(state))} of ${ends.map(by).join(state.stride === 2 ? " and of " : " up to ")}. `
      : "") +
    (p ? `padding cuts ${plural(p, "cell")} off each side. ` : "") +
    (op
      ? `output_padding keeps ${plural(op, "more row")} and ${plural(op, "column")} at the end` +
        (op > p
          ? `; the last ${op - p === 1 ? "of each lies" : `${op - p} of each lie`} beyond every stamp, with nothing but the bias.`
          : ", which padding had cut.")
      : "")
  );
}
// Answers to "how many rows?": the rule, and what one gets by forgetting a part of it.
const guesses = (state) => {
  const n = cells(state)[0];
  const right = size(state)[0];
  return [
    ...new Set([
      right,
      n * state.stride,
      stamped(state, n),
      right - 1,
      n * state.stride + state.kernel_size,
    ]),
  ]
    .filter((v) => v > 0)
    .sort((a, b) => a - b);
};

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const sum = h("p", { class: "line" });
  const rule = h("p", { class: "line" });
  const problem = ui.errorLine();
  const code = ui.code();
  const verdict = h("p", { class: "line", tabindex: -1 });
  const options = h("div", { class: "buttons" });
  const ask = h(
    "div",
    { class: "ask" },
    h("span", {}, "Guess: how many rows has the output?"),
    options,
  );
  const { state } = ui;
  let open = "";
  // A titled grid whose rows and columns are numbered from `first`.
  const table = (label, pick) => {
    const head = h("p", { class: "part" }, label);
    const g = ui.grid(label, ([, r, c]) => pick([r, c]));
    return {
      head,
      node: h("div", {}, head, g.node),
      fill(words, rows, cols, cell, chosen, first = 0, last = [rows, cols]) {
        const index = (i, end) => (i < first || i >= end ? "" : String(i - first));
        text(head, words);
        g.size(1, rows, cols);
        g.patch(
          {
            slice: () => "",
            row: (r) => index(r, last[0]),
            column: (_, c) => index(c, last[1]),
          },
          (_, r, c) => cell(r, c),
          [0, ...chosen],
        );
      },
    };
  };
  const go = (patch) => ui.update(patch, true);
  const ins = table("Input", (at) =>
    go(state.view === "gather" && !error(state) ? { to: at } : { at }),
  );
  const mid = table("Kernel", (at) => {
    if (state.view === "matrix" && !error(state))
      go({ to: [state.to[0], at[0]], at: [state.at[0], at[1]] });
  });
  const out = table("Output", (at) =>
    go({
      to: at.map((v) =>
        ["scatter", "overlap"].includes(state.view) ? v - state.padding : v,
      ),
    }),
  );
  const wide = (s) =>
    Math.max(
      ...cells(s).map((n) => Math.max(stamped(s, n), stamped(s, n) + reach(s) - 2)),
    );
  const most = (key, cap) => (s) =>
    Math.max(
      1,
      ...range(cap + 1).filter(
        (v) => v && wide({ ...s, [key]: v, x: key === "n" ? null : s.x }) < 12,
      ),
    );
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.choice("view", "View", [
      ["scatter", "scatter"],
      ["overlap", "overlap"],
      ["gather", "gather"],
      ["matrix", "matrix"],
    ]),
    ui.range("kernel_size", "kernel_size", { min: 1, max: most("kernel_size", 5) }),
    ui.range("stride", "stride", { min: 1, max: most("stride", 4) }),
    ui.range("padding", "padding", {
      min: 0,
      max: (s) => Math.ceil((stamped(s, Math.min(...cells(s))) + s.output_padding) / 2),
    }),
    ui.range("output_padding", "output_padding", {
      min: 0,
      max: (s) => Math.max(s.stride, s.dilation),
    }),
    ui.more(
      ui.range("n", "Input rows and columns", { min: 1, max: most("n", 6) }),
      ui.range("dilation", "dilation", { min: 1, max: most("dilation", 3) }),
      ui.check("predict", "Guess first"),
    ),
  );

  const key = (s) =>
    JSON.stringify([
      cells(s),
      s.kernel_size,
      s.stride,
      s.padding,
      s.output_padding,
      s.dilation,
    ]);
  function choose(guess) {
    const right = size(state)[0];
    open = key(state);
    rich(
      verdict,
      guess === right
        ? [["output", "Right: "], `${plural(right, "row")}.`]
        : [["statistic", "Not quite: "], `you said ${guess}, it is ${right}.`],
    );
    ui.update({});
    // the button that had the focus is gone
    verdict.focus({ preventScroll: true });
  }

  // Input, kernel and output in the views' own ways; r, c are rows and columns.
  function drawInput(v, bad) {
    const x = input(state);
    const [H, W] = cells(state);
    if (v !== "gather" || bad) {
      ins.fill(
        `Input ${by([H, W])}`,
        H,
        W,
        (r, c) => ({
          text: short(x[r][c]),
          label: `input row ${r}, column ${c}: ${fmt(x[r][c])}`,
          cls: v !== "matrix" || r === state.at[0] ? "x" : "",
        }),
        state.at,
      );
      return;
    }
    const z = stuffed(state);
    const [R, C] = state.to;
    const d = state.dilation;
    const under = (a, o) => a >= o && a <= o + reach(state) && (a - o) % d === 0;
    ins.fill(
      `Stuffed, padded input ${by([z.length, z[0].length])}`,
      z.length,
      z[0].length,
      (a, b) => {
        const r = place(state, a, H);
        const c = place(state, b, W);
        const real = r >= 0 && c >= 0;
        const pad = r === -1 || c === -1;
        const on = under(a, R) && under(b, C);
        const cellClass = (real, pad) => {
          if (real) return "x";
          if (pad) return "crop";
          return "zero";
        };
        const cellWords = (real, pad, r, c) => {
          if (real) return `input ${spot([r, c])}`;
          if (pad) return "padding";
          return "zero between";
        };
        return {
          text: short(z[a][b]),
          cls: cellClass(real, pad) + (on ? " ring" : ""),
          label: `row ${a}, column ${b}: ${fmt(z[a][b])}, ${cellWords(real, pad, r, c)}${on ? ", under the kernel" : ""}`,
        };
      },
      state.to,
    );
  }
  function drawMiddle(v) {
    const [r, c] = state.at;
    const [R, C] = state.to;
    const k = state.kernel_size;
    const u = tap(state, r, R);
    const t = tap(state, c, C);
    const w = v === "gather" ? flipped(state) : kernel(state);
    if (v !== "matrix") {
      const back = v === "gather";
      const pickOn = () => {
        if (u < 0 || t < 0) return null;
        if (back) return [k - 1 - u, k - 1 - t];
        return [u, t];
      };
      const on = pickOn();
      mid.fill(
        back ? "Flipped kernel" : "Kernel",
        k,
        k,
        (a, b) => {
          const at = back ? [k - 1 - a, k - 1 - b] : [a, b];
          const hit = on && a === on[0] && b === on[1];
          return {
            text: short(w[a][b]),
            cls: `w${hit ? " ring" : ""}${on ? "" : " free"}`,
            label: `weight ${spot(at)}: ${fmt(w[a][b])}`,
          };
        },
        on || [0, 0],
      );
      return;
    }
    const m = block(state, r, R);
    mid.fill(
      `Transposed matrix, row ${r} \u2192 ${R}`,
      m.length,
      m[0].length,
      (a, b) => {
        const q = tap(state, b, a);
        const hit = u >= 0 && q >= 0;
        const matrixClass = (hit, a, b) => {
          if (hit) return "w";
          if (a === C || b === c) return "zero mark";
          return "zero";
        };
        return {
          text: hit ? short(m[a][b]) : "0",
          cls: matrixClass(hit, a, b),
          label: `output column ${a}, input column ${b}: ${hit ? `weight ${spot([u, q])} ${fmt(m[a][b])}` : "0"}`,
        };
      },
      [C, c],
    );
  }
  function drawOutput(v) {
    const canvas = v === "scatter" || v === "overlap";
    const [H, W] = size(state);
    const y = scatter(state);
    const n = counts(state);
    const p = canvas ? state.padding : 0;
    const more = (len) =>
      canvas ? Math.max(len + 2 * p - state.output_padding, len + p) : len;
    out.fill(
      v === "overlap"
        ? `Stamps on each output cell, ${by([H, W])}`
        : `Output ${by([H, W])}`,
      more(H),
      more(W),
      (a, b) => {
        const R = a - p;
        const C = b - p;
        const inside = R >= 0 && R < H && C >= 0 && C < W;
        const hit =
          canvas && tap(state, state.at[0], R) >= 0 && tap(state, state.at[1], C) >= 0
            ? " ring"
            : "";
        if (!inside)
          return {
            text: "",
            cls: `crop${hit}`,
            label: `row ${R}, column ${C}: cut off by padding`,
          };
        const count = n[R][C];
        const value = v === "overlap" ? count : y[R][C];
        return {
          text: short(value),
          cls:
            (v === "matrix" && R !== state.to[0] ? "" : "y") +
            (count ? "" : " none") +
            hit,
          label: `output row ${R}, column ${C}: ${v === "overlap" ? "" : `${fmt(value)}, `}${plural(count, "stamp")}`,
        };
      },
      state.to.map((o) => o + p),
      p,
      [H + p, W + p],
    );
  }

  function draw() {
    const bad = error(state);
    const hidden = state.predict && !bad && open !== key(state);
    const v = bad || hidden ? "scatter" : state.view;
    const plain = Boolean(bad || hidden);
    const [n] = cells(state);
    const {
      stride: s,
      padding: p,
      output_padding: op,
      dilation: d,
      kernel_size: k,
    } = state;
    const titleWords = () => {
      if (bad)
        return op >= Math.max(s, d)
          ? `output_padding ${op} reaches stride ${s}${d > 1 ? ` and dilation ${d}` : ""}: torch refuses it`
          : `padding ${p} on each side cuts the whole output away`;
      if (hidden)
        return `What does ${layerCode(state).slice(3)} make of ${by(cells(state))}?`;
      return claim(state);
    };
    text(title, titleWords());
    text(
      sub,
      plain
        ? `Input ${by(cells(state))}, kernel ${by([k, k])}, stride ${s}.` +
            (bad && op < Math.max(s, d)
              ? " torch\u2019s words below are those in float64; in float32 on a CPU the fast path may return an empty output or fail in other words."
              : "")
        : remarks(state),
    );
    problem.set(bad);
    drawInput(v, plain);
    drawMiddle(v);
    out.node.hidden = sum.hidden = rule.hidden = plain;
    ask.hidden = !hidden;
    verdict.hidden = plain || open !== key(state) || !state.predict;
    code.set(codeShort({ ...state, hide: hidden }), codeFull(state));
    if (bad) return `torch raises ${bad.type}: ${bad.text}`;
    if (hidden) {
      options.replaceChildren(
        ...guesses(state).map((g) => ui.button(String(g), () => choose(g))),
      );
      return "Guess: how many rows has the output?";
    }
    drawOutput(v);
    const x = input(state);
    const w = kernel(state);
    const all = terms(state, state.to);
    const value = fmt(scatter(state)[state.to[0]][state.to[1]], 3);
    const signed = (z) => (z < 0 ? `(${fmt(z)})` : fmt(z));
    const products = all
      .slice(0, 4)
      .flatMap(([r, c, a, b], i) => [
        i ? " + " : "",
        ["input", signed(x[r][c])],
        "\u00b7",
        ["kernel", signed(w[a][b])],
      ]);
    rich(sum, [
      ["output", `y${`[${state.to.join(", ")}]`}`],
      " = ",
      ...products,
      all.length > 4 ? ` + ${all.length - 4} more` : "",
      state.bias || !all.length
        ? `${all.length ? " + " : ""}bias ${fmt(state.bias)}`
        : "",
      " = ",
      ["output", value],
      [
        "muted",
        `${plural(all.length, "stamp")} of ${plural(cells(state)[0] * cells(state)[1], "input cell")}`,
      ],
    ]);
    rich(rule, [
      "rows: (",
      ["input", String(n)],
      ` \u2212 1)\u00b7${s} \u2212 2\u00b7${p} + ${d}\u00b7(`,
      ["kernel", String(k)],
      ` \u2212 1) + ${op} + 1 = `,
      ["output", String(size(state)[0])],
      [
        "muted",
        "(i \u2212 1)\u00b7stride \u2212 2\u00b7padding + dilation\u00b7(k \u2212 1) + output_padding + 1",
      ],
    ]);
    return `${title.textContent}. Output ${by(size(state))}. Output ${spot(state.to)} is ${value}, from ${plural(all.length, "stamp")}.`;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      problem.node,
      ask,
      verdict,
      h("div", { class: "side" }, ins.node, mid.node, out.node),
      sum,
      rule,
      code.node,
    ],
    draw,
  };
}

// Keep a state drawable: own numbers go when their size is moved, chosen cells stay inside.
function mend(state, patch) {
  const fixed = {};
  if (state.weight && state.weight.length !== state.kernel_size) fixed.weight = null;
  if ("n" in patch && !("x" in patch)) fixed.x = null;
  const now = { ...state, ...fixed };
  const inside = (cell, sizes) =>
    cell.map((v, i) => Math.max(0, Math.min(sizes[i] - 1, v)));
  return {
    ...fixed,
    at: inside(state.at, cells(now)),
    to: inside(state.to, size(now)),
  };
}

define("nn-transposed-convolution", {
  label: "transposed convolution",
  css,
  mend,
  build: view,
  engine: {
    error,
    size,
    scatter,
    gathered,
    stuffed,
    counts,
    block,
    pattern,
    origins,
    terms,
    input,
    kernel,
    codeShort,
    codeFull,
    guesses,
  },
});
