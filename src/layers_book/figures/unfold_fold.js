// UnfoldFold: patches as columns, convolution as their product with a row, and the way back.
import { define, fmt, h, plural, range, rich, short, text, windows } from "./core.js";
import css from "./unfold_fold.css";

// ------------------------------------------- engine: no DOM, checked against torch
const shape = (state) =>
  state.x ? [state.x.length, state.x[0].length] : [state.input_size, state.input_size];
const target = (state) => state.output_size || shape(state);
const inside = (/** @type {number[]} */ [i, j], /** @type {number[]} */ [H, W]) =>
  i >= 0 && j >= 0 && i < H && j < W;
function value(state, /** @type {number[]} */ [i, j]) {
  const size = shape(state);
  if (!inside([i, j], size)) return 0;
  if (state.x) return state.x[i][j];
  return i * size[1] + j + 1;
}
const kernel = (state) =>
  range(state.kernel_size ** 2).map((t) => {
    const r = Math.floor(t / state.kernel_size);
    const c = t % state.kernel_size;
    return state.weight ? state.weight[r][c] : ((3 * r + 2 * c + r * c) % 4) - 1;
  });
// Windows down and across a plane of this size.
const blocks = (state, size) =>
  size.map((n) =>
    windows(n, state.kernel_size, state.stride, state.padding, state.dilation),
  );
const same = (a, b) => a[0] === b[0] && a[1] === b[1];
// The cell that row t of column l holds; padding lies outside of the plane.
function place(state, t, l, size = shape(state)) {
  const { kernel_size: k, stride: s, padding: p, dilation: d } = state;
  const across = windows(size[1], k, s, p, d);
  return [
    Math.floor(l / across) * s - p + Math.floor(t / k) * d,
    (l % across) * s - p + (t % k) * d,
  ];
}
// [t, l] of every entry of the column matrix that is this cell.
function entries(state, cell, size = shape(state)) {
  const [down, across] = blocks(state, size);
  const found = [];
  for (const l of range(down * across))
    for (const t of range(state.kernel_size ** 2))
      if (same(place(state, t, l, size), cell)) found.push([t, l]);
  return found;
}
const two = (v) => `(${v}, ${v})`;
function error(state) {
  const { kernel_size: k, stride: s, padding: p, dilation: d } = state;
  const size = shape(state);
  const [a, b] = blocks(state, size);
  const refuse = (words) => ({ type: "RuntimeError", text: words });
  if (a < 1 || b < 1)
    return refuse(
      `Given input with spatial size (${size.join(", ")}), kernel_size=${two(k)}, dilation=${two(d)}, padding=${two(p)}, calculated shape of the array of sliding blocks as (${a}, ${b}), but its components must be at least one.`,
    );
  const out = target(state);
  const [c, e] = blocks(state, out);
  const given = `Given output_size=(${out.join(", ")}), kernel_size=${two(k)}, dilation=${two(d)}, padding=${two(p)}, stride=${two(s)}, `;
  return state.view === "fold back" && c * e !== a * b
    ? refuse(
        `${given}expected size of input's dimension 2 to match the calculated number of sliding blocks ${c} * ${e} = ${c * e}, but got input.size(2)=${a * b}.`,
      )
    : null;
}
const columns = (state) => {
  const [down, across] = blocks(state, shape(state));
  return range(state.kernel_size ** 2).map((t) =>
    range(down * across).map((l) => value(state, place(state, t, l))),
  );
};
const product = (row, matrix) =>
  matrix[0].map((_, l) => row.reduce((sum, w, t) => sum + w * matrix[t][l], 0));
const grid = (list, across) =>
  range(list.length / across).map((i) => list.slice(i * across, (i + 1) * across));
// Sums and counts at each cell of Fold's output; how often each cell of x is read.
function fold(state, matrix = columns(state), size = target(state)) {
  const sum = range(size[0]).map(() => Array(size[1]).fill(0));
  const count = sum.map((row) => row.slice());
  matrix.forEach((row, t) =>
    row.forEach((v, l) => {
      const [i, j] = place(state, t, l, size);
      if (inside([i, j], size)) {
        sum[i][j] += v;
        count[i][j]++;
      }
    }),
  );
  return { sum, count };
}
// Answers to "in how many columns": the right one among plausible ones.
function guesses(state) {
  const k = state.kernel_size;
  const [down, across] = blocks(state, shape(state));
  return [
    ...new Set([
      entries(state, state.cell).length,
      1,
      k * k,
      k,
      down * across,
      k * (k - 1),
    ]),
  ]
    .slice(0, 5)
    .sort((a, b) => a - b);
}

// ------------------------------------------------------------------ code to copy
const options = (state) =>
  [
    ["dilation", 1],
    ["padding", 0],
    ["stride", 1],
  ]
    .filter(([key, usual]) => state[key] !== usual)
    .map(([key]) => `, ${key}=${state[key]}`)
    .join("");
const table = (list) => `[${list.map((row) => `[${row.join(", ")}]`).join(", ")}]`;
function codeShort(state) {
  const [down, across] = blocks(state, shape(state));
  const k = state.kernel_size;
  const code = `columns = nn.Unfold(${k}${options(state)})(x)`;
  const nextLines = () => {
    if (state.view === "unfold" || down < 1 || across < 1)
      return `  # (N, C*k*k, L) = (1, ${k * k}, ${down * across})`;
    if (state.view === "times kernel")
      return `\ny = (weight.view(1, -1) @ columns).view(1, 1, ${down}, ${across})`;
    return `\nback = nn.Fold((${target(state).join(", ")}), ${k}${options(state)})(columns)`;
  };
  return code + nextLines();
}
const codeFull = (state) => {
  const size = shape(state);
  const plane = range(size[0]).map((i) =>
    range(size[1]).map((j) => value(state, [i, j])),
  );
  const shown = () => {
    if (state.view === "unfold") return "columns";
    if (state.view === "times kernel") return "y";
    return "back";
  };
  return [
    `x = torch.tensor([[${table(plane)}]]).float()`,
    `weight = torch.tensor([[${table(grid(kernel(state), state.kernel_size))}]]).float()`,
    codeShort(state),
    `print(${shown()})`,
  ].join("\n");
};

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const line = h("p", { class: "line" });
  const problem = ui.errorLine();
  const code = ui.code();
  const atCell = (i, j) => ui.update({ cell: [i, j] }, true);
  const atColumn = (column) => ui.update({ column }, true);
  const source = ui.grid("Input x", ([, r, c]) =>
    atCell(r - ui.state.padding, c - ui.state.padding),
  );
  const row = ui.matrix("weight.flatten(): one row", (_, t) =>
    atCell(...place(ui.state, t, ui.state.column)),
  );
  const matrix = ui.matrix("Columns: one a window", (t, column) =>
    ui.update({ column, cell: place(ui.state, t, column) }, true),
  );
  const flat = ui.matrix("Row times columns: one output row", (_, l) => atColumn(l));
  const out = ui.matrix("Reshaped: the convolution\u2019s output", (r, c) =>
    atColumn(r * blocks(ui.state, shape(ui.state))[1] + c),
  );
  const sums = ui.matrix("Fold: the sums", atCell);
  const counts = ui.matrix("How often each cell came back", atCell);
  const question = h(
    "span",
    {},
    "Guess: in how many columns does the outlined cell of x stand?",
  );
  const answers = h("div", { class: "buttons" });
  const ask = h("div", { class: "ask" }, question, answers);
  const verdict = h("p", { class: "line" });

  let open = "";
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.choice("view", "View", [
      ["unfold", "unfold"],
      ["times kernel", "times kernel"],
      ["fold back", "fold back"],
    ]),
    ui.range("kernel_size", "kernel_size", { min: 1, max: () => 4 }),
    ui.range("stride", "stride", { min: 1, max: () => 4 }),
    ui.range("padding", "padding", { min: 0, max: () => 2 }),
    ui.more(
      ui.range("input_size", "Input size", {
        min: 2,
        max: () => 6,
        visible: (state) => !state.x,
      }),
      ui.range("dilation", "dilation", { min: 1, max: () => 3 }),
      ui.select(
        "output_size",
        "Fold\u2019s output_size",
        (state) => {
          const [H, W] = shape(state);
          const own = state.output_size;
          const list = [-2, -1, 1, 2, 3]
            .map((e) => [H + e, W + e])
            .filter(([a, b]) => a > 0 && b > 0);
          if (own && !list.some((size) => same(size, own))) list.push(own);
          return [
            [null, `${H} \u00D7 ${W}, as x`],
            ...list.map((size) => [size, size.join(" \u00D7 ")]),
          ];
        },
        (state) => state.view === "fold back",
      ),
      ui.check("predict", "Guess first"),
    ),
  );

  const key = (state) =>
    JSON.stringify([
      shape(state),
      state.kernel_size,
      state.stride,
      state.padding,
      state.dilation,
    ]);
  const pair = (/** @type {number[]} */ [i, j]) => `(${fmt(i)}, ${fmt(j)})`;
  function choose(guess) {
    const right = entries(ui.state, ui.state.cell).length;
    open = key(ui.state);
    rich(
      verdict,
      guess === right
        ? [
            ["output", "Right: "],
            `cell ${pair(ui.state.cell)} stands in ${plural(right, "column")}.`,
          ]
        : [
            ["statistic", "Not quite: "],
            `you said ${guess}; cell ${pair(ui.state.cell)} stands in ${plural(right, "column")}.`,
          ],
    );
    ui.update({}, true);
    ui.say(`${verdict.textContent} ${title.textContent}.`);
    // the button is gone: the outlined cell takes the focus
    source.node.querySelector("[aria-selected]").focus({ preventScroll: true });
  }
  // The chosen column stays in sight where the matrix is wider than the figure.
  function reveal(parts) {
    const block = matrix.node.lastChild;
    const cell = block.querySelector("[aria-selected]");
    if (!cell || block.scrollWidth <= block.clientWidth) return;
    const left = cell.getBoundingClientRect().left - block.getBoundingClientRect().left;
    if (left < 24 || left > block.clientWidth - 48)
      block.scrollLeft += left - block.clientWidth / 2;
    for (const part of parts) part.node.lastChild.scrollLeft = block.scrollLeft;
  }

  const times = (n) => {
    if (n === 0) return "never";
    if (n === 1) return "once";
    return `${n} times`;
  };
  // What the counts of Fold say about getting x back.
  function undone(state, all, lost) {
    const top = Math.max(...all);
    const n = entries(state, state.cell, target(state)).length;
    const [H, W] = shape(state);
    if (!same(target(state), [H, W]))
      return `The columns fit ${target(state).join(" \u00D7 ")} as well as ${H} \u00D7 ${W}: Fold cannot tell`;
    if (top > 1)
      return `Fold adds up: cell ${pair(state.cell)} ${n ? `comes back ${times(n)}` : "never comes back"}`;
    if (lost) return `No cell comes back twice, and ${lost} never: those are lost`;
    return "Every cell comes back once: here Fold undoes Unfold";
  }

  function draw(state) {
    const bad = error(state);
    const size = shape(state);
    const [H, W] = size;
    const k = state.kernel_size;
    const { cell, column, padding: p, view: show } = state;
    const [down, across] = blocks(state, size);
    const none = down < 1 || across < 1;
    const L = none ? 0 : down * across;
    const secret = state.predict && open !== key(state);
    const hidden = secret && !bad;
    const back = show === "fold back";
    const multiply = show === "times kernel";
    const list = none ? [] : columns(state);
    const read = none ? null : fold(state, list, size).count;
    const window = none ? [] : range(k * k).map((t) => place(state, t, column));
    const tap = window.findIndex((at) => same(at, cell));
    const found = none ? [] : entries(state, cell);
    const hits = new Set(secret ? [] : found.map(String));
    const lost = none ? 0 : read.flat().filter((n) => !n).length;
    source.size(1, H + 2 * p, W + 2 * p);
    source.patch(
      { slice: () => "", row: (r) => fmt(r - p), column: (_, c) => fmt(c - p) },
      (_, r, c) => {
        const at = [r - p, c - p];
        const plane = inside(at, size);
        const lit = window.some((one) => same(one, at));
        const never = plane && !none && !secret && !read[at[0]][at[1]];
        return {
          text: short(value(state, at)),
          cls: (plane ? "" : "pad ") + (lit ? "on " : "") + (never ? "un" : ""),
          label: `${plane ? "cell" : "padding"} ${pair(at)}: ${fmt(value(state, at))}${lit ? ", in the chosen column" : ""}${never ? ", in no column" : ""}`,
        };
      },
      [0, cell[0] + p, cell[1] + p],
    );
    problem.set(bad);
    matrix.node.hidden = none;
    row.node.hidden = flat.node.hidden = out.node.hidden = none || !multiply;
    sums.node.hidden = counts.node.hidden = Boolean(bad) || !back || hidden;
    line.hidden = Boolean(bad);
    ask.hidden = !hidden;
    verdict.hidden = !(state.predict && !bad && !hidden);
    code.set(codeShort(state), codeFull(state));
    if (!none)
      matrix.fill(
        k * k,
        L,
        (t, l) => {
          const hit = hits.has(`${t},${l}`);
          return {
            text: short(list[t][l]),
            cls: (l === column ? "on " : "") + (hit ? "hit" : ""),
            label: `row ${t}, column ${l}: ${fmt(list[t][l])}${hit ? `, the cell ${pair(cell)}` : ""}`,
          };
        },
        [Math.max(tap, 0), column],
      );
    const where = (i) => {
      const at = [...new Set(window.map((one) => one[i]))];
      const word = i ? "column" : "row";
      return `${word}${at.length > 1 ? "s" : ""} ${at.map((v) => fmt(v)).join(", ")}`;
    };
    if (none) {
      text(title, "No window fits");
      text(
        sub,
        `The window spans ${state.dilation * (k - 1) + 1}; the input with its padding has ${H + 2 * p} \u00D7 ${W + 2 * p} cells.`,
      );
      return `torch raises ${bad.type}: ${bad.text}`;
    }
    const unread =
      lost && !secret
        ? ` ${plural(lost, "cell")} of x ${lost === 1 ? "is" : "are"} in no column.`
        : "";
    text(
      sub,
      `${plural(H * W, "number")} become${H * W === 1 ? "s" : ""} ${plural(L, "column")} of ${k * k}: ${plural(L * k * k, "number")}, ${L * k * k === H * W ? "as many as before" : `${fmt((L * k * k) / H / W)} times as many`}.${unread}`,
    );
    if (bad) {
      text(
        title,
        `${plural(L, "column")}: no Fold to ${target(state).join(" \u00D7 ")}`,
      );
      return `${title.textContent}. torch raises ${bad.type}: ${bad.text}`;
    }
    const at = `[${Math.floor(column / across)}, ${column % across}]`;
    if (multiply) {
      const w = kernel(state);
      const y = product(w, list);
      const term = (v) => (v < 0 ? `(${fmt(v)})` : fmt(v));
      row.fill(
        1,
        k * k,
        (_, t) => ({
          text: short(w[t]),
          cls: `w${t === tap ? " on" : ""}`,
          label: `weight ${t}: ${fmt(w[t])}`,
        }),
        [0, Math.max(tap, 0)],
      );
      flat.fill(
        1,
        L,
        (_, l) => ({
          text: short(y[l]),
          cls: `y${l === column ? " on" : ""}`,
          label: `output ${l}: ${fmt(y[l])}`,
        }),
        [0, column],
      );
      out.fill(
        down,
        across,
        (r, c) => ({
          text: short(y[r * across + c]),
          cls: `y${r * across + c === column ? " on" : ""}`,
          label: `output row ${r}, column ${c}: ${fmt(y[r * across + c])}`,
        }),
        [Math.floor(column / across), column % across],
      );
      text(
        title,
        `The kernel as a row, times column ${column}, is output ${at}: ${fmt(y[column])}`,
      );
      rich(line, [
        ["output", `y${at}`],
        " = ",
        ...w.flatMap((v, t) => [
          t ? " + " : "",
          ["kernel", term(v)],
          "\u00B7",
          ["input", term(list[t][column])],
        ]),
        " = ",
        ["output", fmt(y[column])],
      ]);
    } else if (back) {
      const r = fold(state, list);
      const goal = target(state);
      const here = inside(cell, goal);
      const mine = entries(state, cell, goal).map(([t, l]) => list[t][l]);
      const all = r.count.flat();
      const gone = all.filter((n) => !n).length;
      const kept = [0, 1].map((i) => Math.max(0, Math.min(goal[i] - 1, cell[i])));
      sums.fill(
        ...goal,
        (i, j) => ({
          text: short(r.sum[i][j]),
          cls: `y${same([i, j], cell) ? " on" : ""}${r.count[i][j] ? "" : " un"}`,
          label: `sum at row ${i}, column ${j}: ${fmt(r.sum[i][j])}`,
        }),
        kept,
      );
      counts.fill(
        ...goal,
        (i, j) => ({
          text: String(r.count[i][j]),
          cls: `n${same([i, j], cell) ? " on" : ""}${r.count[i][j] ? "" : " un"}`,
          label: `row ${i}, column ${j} came back ${times(r.count[i][j])}`,
        }),
        kept,
      );
      const titleWords = () => {
        if (hidden)
          return here && same(goal, size)
            ? "How often does the outlined cell come back?"
            : "In how many columns does the outlined cell stand?";
        if (here) return undone(state, all, gone);
        return `Cell ${pair(cell)} lies outside of Fold\u2019s output`;
      };
      text(title, titleWords());
      const total = mine.reduce((a, b) => a + b, 0);
      const equal = mine.length > 1 && mine.every((v) => v === mine[0]);
      const sumParts = () => {
        if (hidden) return [""];
        if (!here) return ["Fold cuts it off."];
        return [
          ["output", `back[${cell.join(", ")}]`],
          " = ",
          [
            "input",
            mine.map((v) => (v < 0 ? `(${fmt(v)})` : fmt(v))).join(" + ") || "0",
          ],
          ...(equal
            ? [
                " = ",
                ["statistic", String(mine.length)],
                "\u00B7",
                ["input", fmt(mine[0])],
              ]
            : []),
          mine.length > 1 ? " = " : "",
          ["output", mine.length > 1 ? fmt(total) : ""],
          " ",
          ["muted", mine.length ? "" : "in no column: nothing comes back"],
        ];
      };
      rich(line, sumParts());
    } else {
      text(
        title,
        `Column ${column} holds ${where(0)} and ${where(1)} of x${window.every((one) => inside(one, size)) ? "" : " and its padding"}`,
      );
      const names = [...new Set(found.map(([, l]) => l))];
      rich(line, [
        ["input", `columns[:, ${column}]`],
        ` = [${list.map((one) => fmt(one[column])).join(", ")}]${hidden ? "" : " "}`,
        [
          "muted",
          hidden
            ? ""
            : `cell ${pair(cell)} stands in ${names.length ? `${plural(names.length, "column")}: ${names.join(", ")}` : "no column"}`,
        ],
      ]);
    }
    requestAnimationFrame(() => reveal(multiply ? [flat] : []));
    if (hidden) {
      answers.replaceChildren(
        ...guesses(state).map((g) => ui.button(String(g), () => choose(g))),
      );
      return `${title.textContent}. ${question.textContent}`;
    }
    return `${title.textContent}. ${line.textContent}.`;
  }
  const middle = h("div", { class: "fine" }, row.node, matrix.node, flat.node);
  return {
    nodes: [
      title,
      sub,
      controls,
      problem.node,
      ask,
      verdict,
      h(
        "div",
        { class: "side" },
        h("div", {}, h("p", { class: "part" }, "Input x"), source.node),
        middle,
        out.node,
        sums.node,
        counts.node,
      ),
      line,
      code.node,
    ],
    draw,
  };
}

// Cell and column agree: the one last chosen leads.
function mend(state, patch) {
  const size = shape(state);
  const { padding: p, kernel_size: k } = state;
  const [down, across] = blocks(state, size);
  const clamp = (v, low, high) => Math.max(low, Math.min(high, v));
  let cell = state.cell.map((v, i) => clamp(v, 0 - p, size[i] + p - 1));
  let column = clamp(state.column, 0, Math.max(0, down * across - 1));
  const weight = state.weight && state.weight.length === k ? state.weight : null;
  if (down > 0 && across > 0) {
    const found = entries(state, cell);
    if (!found.some(([, l]) => l === column)) {
      if ("column" in patch && !("cell" in patch)) cell = place(state, 0, column);
      else if (found.length) column = found[0][1];
    }
  }
  const output_size =
    state.output_size && same(state.output_size, size) ? null : state.output_size;
  return { cell, column, weight, output_size };
}

define("nn-unfold-fold", {
  label: "unfold and fold",
  css,
  mend,
  build: view,
  engine: {
    error,
    blocks,
    columns,
    kernel,
    product,
    fold,
    entries,
    guesses,
    place,
    shape,
    mend,
    codeShort,
    codeFull,
  },
});
