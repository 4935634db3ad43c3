// UnfoldFold: patches as columns, convolution as their product with a row, and the way back.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-unfold-fold";
  if (F.specs[NAME]) return;
  const { h, rich, text, fmt, short, plural, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  const shape = (S) =>
    S.x ? [S.x.length, S.x[0].length] : [S.input_size, S.input_size];
  const target = (S) => S.output_size || shape(S);
  const inside = ([i, j], [H, W]) => i >= 0 && j >= 0 && i < H && j < W;
  function value(S, [i, j]) {
    const size = shape(S);
    return !inside([i, j], size) ? 0 : S.x ? S.x[i][j] : i * size[1] + j + 1;
  }
  const kernel = (S) =>
    range(S.kernel_size ** 2).map((t) => {
      const r = Math.floor(t / S.kernel_size),
        c = t % S.kernel_size;
      return S.weight ? S.weight[r][c] : ((3 * r + 2 * c + r * c) % 4) - 1;
    });
  // Windows down and across a plane of this size.
  const blocks = (S, size) =>
    size.map((n) => F.windows(n, S.kernel_size, S.stride, S.padding, S.dilation));
  const same = (a, b) => a[0] === b[0] && a[1] === b[1];
  // The cell that row t of column l holds; padding lies outside of the plane.
  function place(S, t, l, size = shape(S)) {
    const { kernel_size: k, stride: s, padding: p, dilation: d } = S,
      across = F.windows(size[1], k, s, p, d);
    return [
      Math.floor(l / across) * s - p + Math.floor(t / k) * d,
      (l % across) * s - p + (t % k) * d,
    ];
  }
  // [t, l] of every entry of the column matrix that is this cell.
  function entries(S, cell, size = shape(S)) {
    const [down, across] = blocks(S, size),
      found = [];
    for (const l of range(down * across))
      for (const t of range(S.kernel_size ** 2))
        if (same(place(S, t, l, size), cell)) found.push([t, l]);
    return found;
  }
  const two = (v) => `(${v}, ${v})`;
  function error(S) {
    const { kernel_size: k, stride: s, padding: p, dilation: d } = S,
      size = shape(S),
      [a, b] = blocks(S, size);
    const refuse = (words) => ({ type: "RuntimeError", text: words });
    if (a < 1 || b < 1)
      return refuse(
        `Given input with spatial size (${size.join(", ")}), kernel_size=${two(k)}, dilation=${two(d)}, padding=${two(p)}, calculated shape of the array of sliding blocks as (${a}, ${b}), but its components must be at least one.`,
      );
    const out = target(S),
      [c, e] = blocks(S, out);
    const given = `Given output_size=(${out.join(", ")}), kernel_size=${two(k)}, dilation=${two(d)}, padding=${two(p)}, stride=${two(s)}, `;
    return S.view === "fold back" && c * e !== a * b
      ? refuse(
          `${given}expected size of input's dimension 2 to match the calculated number of sliding blocks ${c} * ${e} = ${c * e}, but got input.size(2)=${a * b}.`,
        )
      : null;
  }
  const columns = (S) => {
    const [down, across] = blocks(S, shape(S));
    return range(S.kernel_size ** 2).map((t) =>
      range(down * across).map((l) => value(S, place(S, t, l))),
    );
  };
  const product = (row, matrix) =>
    matrix[0].map((_, l) => row.reduce((sum, w, t) => sum + w * matrix[t][l], 0));
  const grid = (list, across) =>
    range(list.length / across).map((i) => list.slice(i * across, (i + 1) * across));
  // Sums and counts at each cell of Fold's output; how often each cell of x is read.
  function fold(S, matrix = columns(S), size = target(S)) {
    const sum = range(size[0]).map(() => Array(size[1]).fill(0)),
      count = sum.map((row) => row.slice());
    matrix.forEach((row, t) =>
      row.forEach((v, l) => {
        const [i, j] = place(S, t, l, size);
        if (inside([i, j], size)) {
          sum[i][j] += v;
          count[i][j]++;
        }
      }),
    );
    return { sum, count };
  }
  // Answers to "in how many columns": the right one among plausible ones.
  function guesses(S) {
    const k = S.kernel_size,
      [down, across] = blocks(S, shape(S));
    return [
      ...new Set([entries(S, S.cell).length, 1, k * k, k, down * across, k * (k - 1)]),
    ]
      .slice(0, 5)
      .sort((a, b) => a - b);
  }

  // ------------------------------------------------------------------ code to copy
  const options = (S) =>
    [
      ["dilation", 1],
      ["padding", 0],
      ["stride", 1],
    ]
      .filter(([key, usual]) => S[key] !== usual)
      .map(([key]) => `, ${key}=${S[key]}`)
      .join("");
  const table = (list) => `[${list.map((row) => `[${row.join(", ")}]`).join(", ")}]`;
  function codeShort(S) {
    const [down, across] = blocks(S, shape(S)),
      k = S.kernel_size,
      code = `columns = nn.Unfold(${k}${options(S)})(x)`;
    return (
      code +
      (S.view === "unfold" || down < 1 || across < 1
        ? `  # (N, C*k*k, L) = (1, ${k * k}, ${down * across})`
        : S.view === "times kernel"
          ? `\ny = (weight.view(1, -1) @ columns).view(1, 1, ${down}, ${across})`
          : `\nback = nn.Fold((${target(S).join(", ")}), ${k}${options(S)})(columns)`)
    );
  }
  const codeFull = (S) => {
    const size = shape(S),
      plane = range(size[0]).map((i) => range(size[1]).map((j) => value(S, [i, j])));
    return [
      `x = torch.tensor([[${table(plane)}]]).float()`,
      `weight = torch.tensor([[${table(grid(kernel(S), S.kernel_size))}]]).float()`,
      codeShort(S),
      `print(${S.view === "unfold" ? "columns" : S.view === "times kernel" ? "y" : "back"})`,
    ].join("\n");
  };

  const defaults = {
    input_size: 5,
    kernel_size: 3,
    stride: 1,
    padding: 0,
    dilation: 1,
    output_size: null,
    view: "unfold",
    column: 4,
    cell: [2, 2],
    predict: false,
    x: null,
    weight: null,
  };

  const css = `
.cell.on{background:var(--input-fill);border-color:var(--input)}
.cell.pad{border:1px dashed var(--padding);color:var(--muted)}
.cell.un{background-image:repeating-linear-gradient(45deg,transparent 0 5px,var(--padding) 5px 6px)}
.cell.hit{border:3px solid var(--input);font-weight:650;line-height:calc(var(--nn) - 6px)}
.cell.w{border:3px solid var(--kernel);line-height:calc(var(--nn) - 6px)}
.cell.w.on{background:var(--kernel-fill)}
.cell.y{border-color:var(--output);border-radius:calc(var(--nn)*.28)}
.cell.y.on{background:var(--output-fill)}
.cell.n{border:3px double var(--statistic);line-height:calc(var(--nn) - 6px)}
.cell.n.on{background-color:var(--statistic-fill)}
.fine .many{--nn:clamp(24px,calc((100cqi - 1.2rem)/var(--cols,1) - 1px),34px)}
.ask{display:flex;flex-wrap:wrap;gap:.5rem .8rem;align-items:center;margin:.8rem 0 0}
`;

  function view(ui) {
    const title = h("p", { class: "claim" }),
      sub = h("p", { class: "sub" }),
      line = h("p", { class: "line" });
    const problem = ui.errorLine(),
      code = ui.code();
    const atCell = (i, j) => ui.update({ cell: [i, j] }, true),
      atColumn = (column) => ui.update({ column }, true);
    const source = ui.grid("Input x", ([, r, c]) =>
      atCell(r - state.padding, c - state.padding),
    );
    const row = ui.matrix("weight.flatten(): one row", (_, t) =>
      atCell(...place(state, t, state.column)),
    );
    const matrix = ui.matrix("Columns: one a window", (t, column) =>
      ui.update({ column, cell: place(state, t, column) }, true),
    );
    const flat = ui.matrix("Row times columns: one output row", (_, l) => atColumn(l));
    const out = ui.matrix("Reshaped: the convolution\u2019s output", (r, c) =>
      atColumn(r * blocks(state, shape(state))[1] + c),
    );
    const sums = ui.matrix("Fold: the sums", atCell),
      counts = ui.matrix("How often each cell came back", atCell);
    const question = h(
      "span",
      {},
      "Predict: in how many columns does the outlined cell of x stand?",
    );
    const answers = h("div", { class: "buttons" }),
      ask = h("div", { class: "ask" }, question, answers),
      verdict = h("p", { class: "line" });
    let state = null,
      open = "";
    const controls = h(
      "div",
      { class: "controls" },
      ui.choice("view", "Show", [
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
          visible: (S) => !S.x,
        }),
        ui.range("dilation", "dilation", { min: 1, max: () => 3 }),
        ui.select(
          "output_size",
          "Fold\u2019s output_size",
          (S) => {
            const [H, W] = shape(S),
              own = S.output_size;
            const list = [-2, -1, 1, 2, 3]
              .map((e) => [H + e, W + e])
              .filter(([a, b]) => a > 0 && b > 0);
            if (own && !list.some((size) => same(size, own))) list.push(own);
            return [
              [null, `${H} \u00D7 ${W}, as x`],
              ...list.map((size) => [size, size.join(" \u00D7 ")]),
            ];
          },
          (S) => S.view === "fold back",
        ),
        ui.check("predict", "Predict first"),
      ),
    );

    const key = (S) =>
      JSON.stringify([shape(S), S.kernel_size, S.stride, S.padding, S.dilation]);
    const pair = ([i, j]) => `(${fmt(i)}, ${fmt(j)})`;
    function choose(guess) {
      const right = entries(state, state.cell).length;
      open = key(state);
      rich(
        verdict,
        guess === right
          ? [
              ["output", "Right: "],
              `cell ${pair(state.cell)} stands in ${plural(right, "column")}.`,
            ]
          : [
              ["statistic", "Not quite: "],
              `you said ${guess}; cell ${pair(state.cell)} stands in ${plural(right, "column")}.`,
            ],
      );
      ui.update({}, true);
      ui.say(`${verdict.textContent} ${title.textContent}.`);
      // the button is gone: the outlined cell takes the focus
      source.node.querySelector("[aria-selected]").focus({ preventScroll: true });
    }
    // The chosen column stays in sight where the matrix is wider than the figure.
    function reveal(parts) {
      const block = matrix.node.lastChild,
        cell = block.querySelector("[aria-selected]");
      if (!cell || block.scrollWidth <= block.clientWidth) return;
      const left =
        cell.getBoundingClientRect().left - block.getBoundingClientRect().left;
      if (left < 24 || left > block.clientWidth - 48)
        block.scrollLeft += left - block.clientWidth / 2;
      for (const part of parts) part.node.lastChild.scrollLeft = block.scrollLeft;
    }

    const times = (n) => (n === 0 ? "never" : n === 1 ? "once" : `${n} times`);
    // What the counts of Fold say about getting x back.
    function undone(S, all, lost) {
      const top = Math.max(...all),
        n = entries(S, S.cell, target(S)).length,
        [H, W] = shape(S);
      if (!same(target(S), [H, W]))
        return `The columns fit ${target(S).join(" \u00D7 ")} as well as ${H} \u00D7 ${W}: Fold cannot tell`;
      return top > 1
        ? `Fold adds up: cell ${pair(S.cell)} ${n ? `comes back ${times(n)}` : "never comes back"}`
        : lost
          ? `No cell comes back twice, and ${lost} never: those are lost`
          : "Every cell comes back once: here Fold undoes Unfold";
    }

    function draw(S) {
      state = S;
      const bad = error(S),
        size = shape(S),
        [H, W] = size,
        k = S.kernel_size,
        { cell, column, padding: p, view: show } = S;
      const [down, across] = blocks(S, size),
        none = down < 1 || across < 1,
        L = none ? 0 : down * across;
      const secret = S.predict && open !== key(S),
        hidden = secret && !bad,
        back = show === "fold back",
        multiply = show === "times kernel";
      const list = none ? [] : columns(S),
        read = none ? null : fold(S, list, size).count;
      const window = none ? [] : range(k * k).map((t) => place(S, t, column)),
        tap = window.findIndex((at) => same(at, cell));
      const found = none ? [] : entries(S, cell),
        hits = new Set(secret ? [] : found.map(String));
      const lost = none ? 0 : read.flat().filter((n) => !n).length;
      source.size(1, H + 2 * p, W + 2 * p);
      source.patch(
        { slice: () => "", row: (r) => fmt(r - p), column: (_, c) => fmt(c - p) },
        (_, r, c) => {
          const at = [r - p, c - p],
            plane = inside(at, size),
            lit = window.some((one) => same(one, at));
          const never = plane && !none && !secret && !read[at[0]][at[1]];
          return {
            text: short(value(S, at)),
            cls: (plane ? "" : "pad ") + (lit ? "on " : "") + (never ? "un" : ""),
            label: `${plane ? "cell" : "padding"} ${pair(at)}: ${fmt(value(S, at))}${lit ? ", in the chosen column" : ""}${never ? ", in no column" : ""}`,
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
      verdict.hidden = !(S.predict && !bad && !hidden);
      code.set(codeShort(S), codeFull(S));
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
        const at = [...new Set(window.map((one) => one[i]))],
          word = i ? "column" : "row";
        return `${word}${at.length > 1 ? "s" : ""} ${at.map((v) => fmt(v)).join(", ")}`;
      };
      if (none) {
        text(title, "No window fits");
        text(
          sub,
          `The window spans ${S.dilation * (k - 1) + 1}; the input with its padding has ${H + 2 * p} \u00D7 ${W + 2 * p} cells.`,
        );
        return `torch raises ${bad.type}: ${bad.text}`;
      }
      const unread =
        lost && !secret
          ? ` ${plural(lost, "cell")} of x ${lost === 1 ? "is" : "are"} in no column.`
          : "";
      text(
        sub,
        `${plural(H * W, "number")} become${H * W === 1 ? "s" : ""} ${plural(L, "column")} of ${k * k}: ${plural(L * k * k, "number")}, ${L * k * k === H * W ? "as many as before" : fmt((L * k * k) / H / W) + " times as many"}.${unread}`,
      );
      if (bad) {
        text(title, `${plural(L, "column")}: no Fold to ${target(S).join(" \u00D7 ")}`);
        return `${title.textContent}. torch raises ${bad.type}: ${bad.text}`;
      }
      const at = `[${Math.floor(column / across)}, ${column % across}]`;
      if (multiply) {
        const w = kernel(S),
          y = product(w, list),
          term = (v) => (v < 0 ? `(${fmt(v)})` : fmt(v));
        row.fill(
          1,
          k * k,
          (_, t) => ({
            text: short(w[t]),
            cls: "w" + (t === tap ? " on" : ""),
            label: `weight ${t}: ${fmt(w[t])}`,
          }),
          [0, Math.max(tap, 0)],
        );
        flat.fill(
          1,
          L,
          (_, l) => ({
            text: short(y[l]),
            cls: "y" + (l === column ? " on" : ""),
            label: `output ${l}: ${fmt(y[l])}`,
          }),
          [0, column],
        );
        out.fill(
          down,
          across,
          (r, c) => ({
            text: short(y[r * across + c]),
            cls: "y" + (r * across + c === column ? " on" : ""),
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
        const r = fold(S, list),
          goal = target(S),
          here = inside(cell, goal),
          mine = entries(S, cell, goal).map(([t, l]) => list[t][l]);
        const all = r.count.flat(),
          gone = all.filter((n) => !n).length;
        const kept = [0, 1].map((i) => Math.max(0, Math.min(goal[i] - 1, cell[i])));
        sums.fill(
          ...goal,
          (i, j) => ({
            text: short(r.sum[i][j]),
            cls: "y" + (same([i, j], cell) ? " on" : "") + (r.count[i][j] ? "" : " un"),
            label: `sum at row ${i}, column ${j}: ${fmt(r.sum[i][j])}`,
          }),
          kept,
        );
        counts.fill(
          ...goal,
          (i, j) => ({
            text: String(r.count[i][j]),
            cls: "n" + (same([i, j], cell) ? " on" : "") + (r.count[i][j] ? "" : " un"),
            label: `row ${i}, column ${j} came back ${times(r.count[i][j])}`,
          }),
          kept,
        );
        text(
          title,
          hidden
            ? here && same(goal, size)
              ? "How often does the outlined cell come back?"
              : "In how many columns does the outlined cell stand?"
            : here
              ? undone(S, all, gone)
              : `Cell ${pair(cell)} lies outside of Fold\u2019s output`,
        );
        const total = mine.reduce((a, b) => a + b, 0),
          equal = mine.length > 1 && mine.every((v) => v === mine[0]);
        rich(
          line,
          hidden
            ? [""]
            : !here
              ? ["Fold cuts it off."]
              : [
                  ["output", `back[${cell.join(", ")}]`],
                  " = ",
                  [
                    "input",
                    mine.map((v) => (v < 0 ? `(${fmt(v)})` : fmt(v))).join(" + ") ||
                      "0",
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
                ],
        );
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
          ...guesses(S).map((g) => ui.button(String(g), () => choose(g))),
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
  function mend(S, patch) {
    const size = shape(S),
      { padding: p, kernel_size: k } = S,
      [down, across] = blocks(S, size);
    const clamp = (v, low, high) => Math.max(low, Math.min(high, v));
    let cell = S.cell.map((v, i) => clamp(v, 0 - p, size[i] + p - 1)),
      column = clamp(S.column, 0, Math.max(0, down * across - 1));
    const weight = S.weight && S.weight.length === k ? S.weight : null;
    if (down > 0 && across > 0) {
      const found = entries(S, cell);
      if (!found.some(([, l]) => l === column)) {
        if ("column" in patch && !("cell" in patch)) cell = place(S, 0, column);
        else if (found.length) column = found[0][1];
      }
    }
    const output_size =
      S.output_size && same(S.output_size, size) ? null : S.output_size;
    return { cell, column, weight, output_size };
  }

  F.define(NAME, {
    label: "unfold and fold",
    defaults,
    css,
    mend,
    build: view,
    traits: [
      "input_size",
      "kernel_size",
      "stride",
      "padding",
      "dilation",
      "output_size",
      "view",
      "column",
      "cell",
      "predict",
    ],
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
})(globalThis);
