// SlidingWindow: which input cells one output cell of a convolution or pooling reads.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-sliding-window";
  if (F.specs[NAME]) return;
  const { h, rich, text, fmt, short, plural, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  const pair = (v) => (Array.isArray(v) ? v : [v, v]);
  const conv = (S) => S.kind === "Conv2d";
  const mode = (S) => (conv(S) ? S.padding_mode : "zeros");
  // Each axis by itself, rows first. left: padded cells behind the last window.
  function axes(S) {
    const size = S.x ? [S.x.length, S.x[0].length] : pair(S.size);
    const kernel = S.weight
      ? [S.weight.length, S.weight[0].length]
      : pair(S.kernel_size);
    return [0, 1].map((a) => {
      const n = size[a],
        k = kernel[a],
        s = pair(S.stride)[a],
        d = pair(S.dilation)[a],
        span = d * (k - 1) + 1;
      const before = S.padding === "same" ? (span - 1) >> 1 : pair(S.padding)[a];
      const after = S.padding === "same" ? span - 1 - before : before,
        padded = n + before + after;
      return {
        n,
        k,
        s,
        d,
        span,
        before,
        after,
        padded,
        out: F.windows(padded, k, s, 0, d),
        left: (padded - span) % s,
      };
    });
  }
  // torch's words, and our claim.
  function error(S) {
    const [R, C] = axes(S),
      both = [R, C],
      fail = (text, claim = "torch refuses this padding", type = "RuntimeError") => ({
        type,
        text,
        claim,
      });
    const small = both
      .filter((a) => a.out < 1)
      .map((a) => `The kernel spans ${a.span}, the padded input has ${a.padded}`)[0];
    if (conv(S)) {
      if (S.padding === "same" && R.s * C.s > 1)
        return fail(
          "padding='same' is not supported for strided convolutions",
          "padding='same' needs stride 1",
          "ValueError",
        );
      for (const [a, argument, axis] of [
        [C, 4, 3],
        [R, 6, 2],
      ])
        if (mode(S) === "reflect" && a.after >= a.n)
          return fail(
            `Argument #${argument}: Padding size should be less than the corresponding input dimension, but got: padding (${a.before}, ${a.after}) at dimension ${axis} of input [1, 1, ${R.n}, ${C.n}]`,
          );
      if (mode(S) === "circular" && both.some((a) => a.after > a.n))
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
  const framed = (S, bad) =>
    axes(S).map((a) => (bad ? { ...a, before: 0, after: 0, padded: a.n } : a));
  const table = (rows, cols, f) =>
    range(rows).map((r) => range(cols).map((c) => f(r, c)));
  const input = (S, [R, C]) =>
    S.x || table(R.n, C.n, (r, c) => (2 * r + 3 * c + r * c) % 5);
  const kernel = (S, [R, C]) =>
    conv(S)
      ? S.weight || table(R.k, C.k, (u, v) => ((u + 2 * v + u * v) % 4) - 1)
      : table(R.k, C.k, () => 1 / (R.k * C.k));
  // The cell of the input that stands at place i of an axis; -1: none, a constant.
  function source(i, n, mode) {
    if (i >= 0 && i < n) return i;
    if (mode === "reflect") return n - 1 - Math.abs(n - 1 - Math.abs(i));
    if (mode === "replicate") return i < 0 ? 0 : n - 1;
    return mode === "circular" ? (i + n) % n : -1;
  }
  // Value at a padded place, and where it comes from.
  function look(S, A, x, r, c) {
    const [a, b] = [r, c].map((v, i) => source(v - A[i].before, A[i].n, mode(S)));
    const pad = A.some((t, i) => [r, c][i] < t.before || [r, c][i] >= t.before + t.n);
    return {
      pad,
      a,
      b,
      v: a >= 0 && b >= 0 ? x[a][b] : S.kind === "MaxPool2d" ? -Infinity : 0,
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
  const readers = ([R, C], r, c) =>
    meet(R, r).flatMap(([i, u]) => meet(C, c).map(([j, v]) => ({ i, j, u, v })));
  // How often each cell of an axis is read, through copies in the padding as well.
  function counts(S, a) {
    const found = Array(a.n).fill(0);
    for (const i of range(a.out))
      for (const u of range(a.k)) {
        const at = source(i * a.s + u * a.d - a.before, a.n, mode(S));
        if (at >= 0) found[at]++;
      }
    return found;
  }
  function run(S) {
    const A = axes(S),
      x = input(S, A),
      w = kernel(S, A),
      [rows, columns] = A.map((a) => counts(S, a));
    const output = table(A[0].out, A[1].out, (i, j) => {
      const list = taps(A, i, j).map((t) => [look(S, A, x, t.r, t.c).v, w[t.u][t.v]]);
      return S.kind === "MaxPool2d"
        ? Math.max(...list.map(([v]) => v))
        : list.reduce((sum, [v, k]) => sum + v * k, conv(S) ? S.bias : 0);
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
  function layerCode(S) {
    const [R, C] = axes(S),
      two = (a, b) => (a === b ? a : `(${a}, ${b})`),
      k = two(R.k, C.k);
    const more = [
      ["stride", two(R.s, C.s), conv(S) ? 1 : k],
      ["padding", S.padding === "same" ? '"same"' : two(R.before, C.before), 0],
      ["dilation", two(R.d, C.d), 1],
      ["padding_mode", `"${mode(S)}"`, '"zeros"'],
      ["bias", conv(S) && !S.bias ? "False" : "", ""],
    ];
    return `nn.${S.kind}(${[...(conv(S) ? [1, 1] : []), k, ...more.filter(([, v, usual]) => v !== usual).map(([key, v]) => `${key}=${v}`)].join(", ")})`;
  }
  const rows = (list) => `[${list.map((r) => `[${r.join(", ")}]`).join(", ")}]`;
  const codeShort = (S) =>
    `layer = ${layerCode(S)}\ny = layer(x)` +
    (error(S)
      ? ""
      : `  # (N, C, H, W) = (1, 1, ${axes(S)
          .map((a) => a.out)
          .join(", ")})`);
  const codeFull = (S) =>
    [
      "import torch",
      "from torch import nn",
      `layer = ${layerCode(S)}.double()`,
      ...(conv(S)
        ? [`layer.weight.data[0, 0] = torch.tensor(${rows(kernel(S, axes(S)))})`]
        : []),
      ...(conv(S) && S.bias ? [`layer.bias.data[:] = ${S.bias}`] : []),
      `x = torch.tensor([[${rows(input(S, axes(S)))}]]).double()`,
      "y = layer(x)",
      "print(y)",
    ].join("\n");

  // the first ten are traits
  const defaults = {
    kind: "Conv2d",
    size: [6, 6],
    kernel_size: [3, 3],
    stride: [1, 1],
    padding: [0, 0],
    dilation: [1, 1],
    padding_mode: "zeros",
    view: "output",
    at: [0, 0],
    predict: false,
    cell: [0, 0],
    entry: [0, 0],
    bias: 0,
    guess: 0,
    p: 0,
    axis: "both",
  };

  const css = `
@container(min-width:421px){.side .block{--nn:34px}}
.x{background:var(--input-fill);border-color:var(--input);border-radius:1px}
.pad{border:1px dashed var(--padding);color:var(--muted);border-radius:1px}
.never{background:repeating-linear-gradient(45deg,transparent 0 5px,var(--padding) 5px 6px);color:var(--muted);border-color:var(--line)}
.w{background:var(--kernel-fill);border:2px solid var(--kernel)}
.y{background:var(--output-fill);border-color:var(--output);border-radius:calc(var(--nn)*.28)}
.tap{border:3px solid var(--kernel);line-height:calc(var(--nn) - 6px);color:var(--ink)}
.w.on{background:var(--kernel);color:var(--bg)}
.y.on{background:var(--output);color:var(--bg)}
.quiet .cell[aria-selected=true]{box-shadow:none}
.field{width:6.8rem}
.controls{gap:.7rem .9rem}
@media(forced-colors:active){.tap,.on{outline:3px solid Highlight}}
`;
  const KINDS = ["Conv2d", "MaxPool2d", "AvgPool2d"],
    MODES = ["zeros", "reflect", "replicate", "circular"];
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
    const problem = ui.errorLine(),
      code = ui.code();
    const choose =
        (view, key) =>
        (...to) =>
          ui.update({ view, [key]: to.slice(-2) }, true),
      hover = choose("output", "at");
    const cells = ui.grid("Input", (at) => choose("input", "cell")(...at));
    const head = h("p", { class: "part r-input" }),
      inputs = h("div", {}, head, cells.node);
    const weights = ui.matrix("Kernel", choose("kernel", "entry")),
      outputs = ui.matrix("Output", hover);
    weights.head.classList.add("r-kernel");
    outputs.head.classList.add("r-output");
    outputs.node.onpointerover = (e) => {
      if (e.pointerType === "mouse" && e.target.at) hover(...e.target.at);
    };
    const block = (...kids) => h("div", { class: "controls" }, ...kids),
      controls = block(
        ui.range("n", "Input size", {
          min: 1,
          max: (S) => (S.same ? 7 : Math.min(9, 11 - 2 * S.p)),
          visible: (S) => !S.x,
        }),
        ui.range("k", "Kernel size", {
          min: 1,
          max: () => 5,
          visible: (S) => !S.weight,
        }),
        ui.range("s", "Stride", { min: 1, max: () => 4 }),
        ui.range("p", "Padding", {
          min: 0,
          max: (S) => Math.max(0, Math.min(4, (11 - S.n) >> 1)),
          visible: (S) => !S.same,
        }),
        ui.range("d", "Dilation", {
          min: 1,
          max: () => 3,
          visible: (S) => S.kind !== "AvgPool2d",
        }),
        ui.more(
          ui.select("kind", "Layer", () => KINDS.map((k) => [k, k])),
          ui.select(
            "padding_mode",
            "padding_mode",
            () => MODES.map((m) => [m, m]),
            conv,
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
          ui.check("predict", "Guess first: hide output"),
        ),
      );
    const ask = block(
      ui.range("guess", "Output rows (0: refused)", {
        min: 0,
        max: (S) => axes(S)[0].padded,
      }),
      ui.button("Show", () => ui.update({ shown: true })),
    );

    const x2 = (a, b) => a + " \u00d7 " + b;
    const unread = (list, word) => {
      const at = [...list.keys()].filter((i) => !list[i]);
      return at.length ? [`${word}${at.length > 1 ? "s" : ""} ${at.join(", ")}`] : [];
    };

    function claim(S, { A: [R, C], rows, columns }, never) {
      const from = x2(R.n, C.n),
        to = x2(R.out, C.out);
      if (never)
        return `Never read: ${[...unread(rows, "row"), ...unread(columns, "column")].join(" and ")}`;
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
      const p =
        a.before === a.after ? `2\u00b7${a.before}` : `${a.before} + ${a.after}`;
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
            ? ` floor drops ${a.left} / ${a.s}: no window reaches the last ${a.left > 1 ? a.left + " cells" : "cell"}${a.after ? " of the padded input" : ""}`
            : "",
        ],
      ]);
    }
    const value = (v, form = fmt) => (v === -Infinity ? "\u2212\u221e" : form(v)),
      times = (v) => (v < 0 ? `(${fmt(v)})` : fmt(v));
    // What the chosen cell is made of, or who reads it.
    function sentence(S, r, list) {
      const { A, x, w } = r,
        [R, C] = A;
      if (S.view === "input") {
        const q = look(S, A, x, ...S.cell),
          at = `[${fmt(S.cell[0] - R.before)}, ${fmt(S.cell[1] - C.before)}]`,
          n = readers(A, ...S.cell).length;
        return [
          ["input", q.pad ? `padding ${at}` : `x${at}`],
          ` = ${value(q.v)}${q.pad && q.a >= 0 && q.b >= 0 ? `, a copy of x[${q.a}, ${q.b}],` : ""} is read ${mode(S) === "zeros" ? "" : "here "}by `,
          ["output", plural(n, "output cell")],
        ];
      }
      if (S.view === "kernel") {
        const met = list.filter((t) => look(S, A, x, t.r, t.c).pad).length;
        return [
          ["kernel", `weight[${S.entry.join(", ")}]`],
          ` = ${fmt(w[S.entry[0]][S.entry[1]], 3)} meets `,
          ["input", plural(list.length, "cell")],
          ", one for each output cell",
          met ? `; ${met} of them padding` : "",
        ];
      }
      const parts = [],
        more = list.length - 25,
        max = S.kind === "MaxPool2d",
        sign = max ? ", " : " + ";
      list.slice(0, 25).forEach((t, at) => {
        if (at) parts.push(sign);
        parts.push(["input", (conv(S) ? times : value)(look(S, A, x, t.r, t.c).v)]);
        if (conv(S)) parts.push("\u00b7", ["kernel", times(w[t.u][t.v])]);
      });
      if (more > 0) parts.push(`${sign}${more} more`);
      if (conv(S) && S.bias) parts.push(sign, ["kernel", times(S.bias)]);
      return [
        ["output", `output[${S.at.join(", ")}]`],
        max ? " = max(" : conv(S) ? " = " : " = (",
        ...parts,
        max ? ")" : conv(S) ? "" : `) / ${list.length}`,
        " = ",
        ["output", value(r.output[S.at[0]][S.at[1]])],
      ];
    }

    function draw(S) {
      const bad = error(S),
        hide = S.predict && !S.shown,
        blank = bad || hide,
        A = framed(S, blank),
        [R, C] = A;
      const r = blank ? { A, x: input(S, A), w: kernel(S, A) } : run(S),
        all = R.n * C.n;
      const never = blank ? 0 : all - r.reads.flat().filter(Boolean).length;
      const [i, j] = S.at,
        [u, v] = S.entry,
        max = S.kind === "MaxPool2d";
      // what the chosen cell meets, in padded places
      const list = blank
        ? []
        : S.view === "output"
          ? taps(A, i, j)
          : S.view === "kernel"
            ? table(R.out, C.out, (a, b) => ({
                r: a * R.s + u * R.d,
                c: b * C.s + v * C.d,
              })).flat()
            : [];
      const met = blank || S.view !== "input" ? [] : readers(A, ...S.cell),
        lit = new Set(list.map((t) => t.r * C.padded + t.c));
      const right = S.guess === (bad ? 0 : R.out);
      text(
        title,
        hide
          ? "How many output rows, or does torch refuse?"
          : (S.predict ? (right ? "Right. " : `Not ${S.guess || "refused"}. `) : "") +
              (bad ? bad.claim : claim(S, r, never)),
      );
      text(
        sub,
        S.kind +
          ": " +
          (conv(S) ? plural(R.k * C.k, "weight") : "no weights") +
          (blank
            ? ""
            : `, ${plural(R.out * C.out, "window")}; ${all - never} of ${plural(all, "input cell")} read`) +
          ".",
      );
      problem.set(hide ? null : bad);

      text(
        head,
        `Input ${x2(R.n, C.n)}` +
          (R.padded > R.n || C.padded > C.n
            ? `, padded ${x2(R.padded, C.padded)}`
            : ""),
      );
      cells.size(1, R.padded, C.padded);
      cells.patch(
        {
          slice: () => "",
          row: (a) => fmt(a - R.before),
          column: (_, b) => fmt(b - C.before),
        },
        (_, a, b) => {
          const q = look(S, A, r.x, a, b),
            n = blank || q.pad || r.reads[q.a][q.b];
          return {
            text: value(q.v, short),
            cls:
              (q.pad ? "pad" : n ? "x" : "x never") +
              (lit.has(a * C.padded + b) ? " tap" : ""),
            label: `${q.pad ? "padding" : "input"} row ${a - R.before}, column ${b - C.before}: ${value(q.v)}${n ? "" : ", never read"}`,
          };
        },
        [0, ...S.cell],
      );
      weights.node.hidden = max;
      text(
        weights.head,
        conv(S) ? `Kernel ${x2(R.k, C.k)}` : `Each cell counts 1/${R.k * C.k}`,
      );
      weights.fill(
        R.k,
        C.k,
        (a, b) => ({
          text: conv(S) ? short(r.w[a][b]) : `1/${R.k * C.k}`,
          cls:
            "w" +
            (met.some((t) => t.u === a && t.v === b) ||
            (S.view === "kernel" && a === u && b === v)
              ? " on"
              : ""),
          label: `kernel row ${a}, column ${b}: ${fmt(r.w[a][b], 3)}`,
        }),
        S.entry,
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
              ((S.view === "output" && a === i && b === j) ||
              met.some((t) => t.i === a && t.j === b)
                ? " on"
                : ""),
            label: `output row ${a}, column ${b}: ${value(r.output[a][b])}, reads input rows ${to(R, a)}, columns ${to(C, b)}`,
          }),
          S.at,
        );
        rich(line, sentence(S, r, list));
      }
      [
        [inputs, "input"],
        [weights.node, "kernel"],
        [outputs.node, "output"],
      ].forEach(([e, name]) => {
        e.className = S.view === name ? "" : "quiet";
      });
      const whole = axes(S),
        alike = JSON.stringify(whole[0]) === JSON.stringify(whole[1]);
      whole.forEach((a, at) =>
        rule(sizes[at], a, alike ? "Size" : ["Rows", "Columns"][at], hide),
      );
      // no size where torch refuses for another reason
      sizes[0].hidden = bad && !hide && !/spans/.test(bad.claim);
      sizes[1].hidden = alike || sizes[0].hidden;
      ask.hidden = !S.predict;
      code.set(hide ? `layer = ${layerCode(S)}` : codeShort(S), codeFull(S));
      return hide
        ? title.textContent
        : bad
          ? `torch raises ${bad.type}: ${bad.text}`
          : `${title.textContent}. Output ${R.out} by ${C.out}. ${line.textContent}.`;
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
  function mend(S, patch) {
    const made = {},
      at = S.axis === "columns" ? 1 : 0;
    if ("same" in patch) made.padding = S.same ? "same" : [0, 0];
    for (const [key, name] of Object.entries(SLIDERS)) {
      const now = name in made ? made[name] : S[name];
      if (now === "same" && conv(S)) continue;
      const both = pair(now === "same" ? 0 : now).map((v, a) =>
        key in patch && (S.axis === "both" || a === at) ? S[key] : v,
      );
      Object.assign(made, { [name]: both, [key]: both[at] });
    }
    if (S.kind === "AvgPool2d") made.dilation = [(made.d = 1), 1];
    // a guess is asked for anew after any change but of the cells looked at
    const shown =
      S.shown &&
      !Object.keys(patch).some(
        (key) => !["view", "at", "cell", "entry", "shown", "axis"].includes(key),
      );
    const T = { ...S, ...made },
      same = T.padding === "same",
      A = framed(T, error(T) || (S.predict && !shown));
    const clamp = (v, most) =>
      v.map((w, a) => Math.max(0, Math.min(most(A[a]) - 1, w)));
    if (S.x) Object.assign(made, { size: A.map((a) => a.n), n: A[at].n });
    if (S.weight) Object.assign(made, { kernel_size: A.map((a) => a.k), k: A[at].k });
    const view = S.kind === "MaxPool2d" && S.view === "kernel" ? "output" : S.view;
    return {
      ...made,
      same,
      view,
      shown,
      at: clamp(S.at, (a) => a.out),
      entry: clamp(S.entry, (a) => a.k),
      cell: clamp(S.cell, (a) => a.padded),
    };
  }

  F.define(NAME, {
    label: "sliding window",
    defaults,
    css,
    mend,
    build: view,
    traits: Object.keys(defaults).slice(0, 10),
    engine: { axes, error, run, readers, look, framed, codeFull, mend },
  });
})(globalThis);
