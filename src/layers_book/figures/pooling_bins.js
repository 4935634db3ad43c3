// PoolingBins: which cells each output of a pooling reads, its value, and the gradient.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-pooling-bins";
  if (F.specs[NAME]) return;
  const { h, rich, text, fmt, short, plural, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  const KINDS = [
    "MaxPool1d",
    "AvgPool1d",
    "AdaptiveMaxPool1d",
    "AdaptiveAvgPool1d",
    "FractionalMaxPool2d",
  ];
  const VALUES = [-2, -1, 4, 1, -3, 2, 2, 5, -4, 0, 3, 1];
  const values = (S) => S.x || range(S.n).map((i) => VALUES[i % 12]);
  const maximum = (S) => S.kind.includes("Max");
  const adaptive = (S) => S.kind.startsWith("Adaptive"),
    fractional = (S) => S.kind.startsWith("Fr");
  const sliding = (S) => !adaptive(S) && !fractional(S);
  const stride = (S) => S.stride ?? S.kernel_size;
  const dilation = (S) => (S.kind === "MaxPool1d" ? S.dilation : 1);
  const span = (S) => dilation(S) * (S.kernel_size - 1) + 1;
  // Outputs before and after the rule that the last window starts in the input or left of it.
  function counts(S) {
    if (!sliding(S)) return [S.output_size, S.output_size];
    const s = stride(S),
      all =
        Math.floor((S.n + 2 * S.padding - span(S) + (S.ceil_mode ? s - 1 : 0)) / s) + 1;
    return [all, S.ceil_mode && (all - 1) * s >= S.n + S.padding ? all - 1 : all];
  }
  const count = (S) => counts(S)[1];
  function error(S) {
    const { n, kernel_size: k, padding: p } = S,
      say = (words) => ({ type: "RuntimeError", text: words });
    if (adaptive(S)) return null;
    if (fractional(S))
      return S.output_size + k - 1 <= n
        ? null
        : say(
            `fractional_max_pool2d(): pool height ${k} too large relative to input height ${n}`,
          );
    if (p > k >> 1)
      return say(
        maximum(S)
          ? `max_pool1d() padding should be at most half of kernel size, but got padding=${p} and kernel_size=${k}`
          : `pad should be at most half of effective kernel size, but got pad=${p}, kernel_size=${k} and dilation=1`,
      );
    if (count(S) > 0) return null;
    return say(
      maximum(S)
        ? `max_pool1d() Invalid computed output size: ${count(S)}`
        : `Given input size: (1x1x${n}). Calculated output size: (1x1x${count(S)}). Output size is too small`,
    );
  }
  // Step of a fractional pooling before rounding; torch's, not the paper's n / output_size.
  const alpha = (S) => (S.n - S.kernel_size) / (S.output_size - 1);
  // The positions output i looks at; below 0 and from n on they are padding.
  function taps(S, i) {
    const { n, output_size: O, kernel_size: k } = S;
    if (adaptive(S)) {
      const start = Math.floor((i * n) / O);
      return range(Math.ceil(((i + 1) * n) / O) - start).map((j) => start + j);
    }
    if (fractional(S)) {
      const start =
        i === O - 1
          ? n - k
          : Math.trunc((i + S.sample) * alpha(S)) - Math.trunc(S.sample * alpha(S));
      return range(k).map((j) => start + j);
    }
    return range(k).map((j) => i * stride(S) - S.padding + j * dilation(S));
  }
  // Outputs with what they read, and the gradient of output.sum() at each cell.
  function pool(S) {
    const x = values(S),
      gradient = x.map(() => 0);
    const outputs = range(count(S)).map((i) => {
      const all = taps(S, i),
        inside = all.filter((t) => t >= 0 && t < S.n);
      if (maximum(S)) {
        const best = inside.length
          ? inside.reduce((a, b) => (x[b] > x[a] ? b : a))
          : null;
        if (best !== null) gradient[best] += 1;
        return { taps: all, inside, best, value: best === null ? -Infinity : x[best] };
      }
      const divisor = S.count_include_pad
        ? all.filter((t) => t < S.n + S.padding).length
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
  function plain(S) {
    const key = (T) =>
      JSON.stringify(
        range(count(T)).map((i) => taps(T, i).filter((t) => t >= 0 && t < S.n)),
      );
    const bins = key(S),
      O = S.output_size;
    for (let k = 1; k <= S.n; k++)
      for (let p = 0; p <= k >> 1; p++)
        for (let s = 1; s <= S.n; s++) {
          const T = {
            ...S,
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
  const bool = (v) => (v ? "True" : "False");
  function layerCode(S, samples) {
    const { kernel_size: k, output_size: O } = S,
      more = [];
    if (adaptive(S)) return `nn.${S.kind}(${O})`;
    if (fractional(S))
      return `nn.${S.kind}((${k}, 1), (${O}, 1)${samples ? `, _random_samples=torch.tensor([[[0, ${S.sample}]]]).double()` : ""})`;
    if (S.stride !== null) more.push(`stride=${S.stride}`);
    if (S.padding) more.push(`padding=${S.padding}`);
    if (dilation(S) > 1) more.push(`dilation=${S.dilation}`);
    if (S.ceil_mode) more.push("ceil_mode=True");
    if (!maximum(S) && !S.count_include_pad) more.push("count_include_pad=False");
    return `nn.${S.kind}(${[k, ...more].join(", ")})`;
  }
  const codeShort = (S) =>
    `y = ${layerCode(S)}(x)` +
    (error(S)
      ? ""
      : fractional(S)
        ? `  # (N, C, H_out, W_out) = (1, 1, ${count(S)}, 1)`
        : `  # (N, C, L_out) = (1, 1, ${count(S)})`);
  const codeFull = (S) =>
    [
      `x = torch.tensor([${values(S).join(", ")}], dtype=torch.float64)`,
      `x = x.view(1, 1, ${fractional(S) ? "-1, 1" : "-1"}).requires_grad_()`,
      `layer = ${layerCode(S, true)}`,
      "y = layer(x)",
      "y.sum().backward()",
      "print(y.flatten(), x.grad.flatten())",
    ].join("\n");

  // ----------------------------------------------------------------------- words
  const num = (v) => (v === -Infinity ? "\u2212\u221E" : fmt(v));
  const list = (cells) =>
    cells.length < 3
      ? cells.join(" and ")
      : cells.slice(0, -1).join(", ") + " and " + cells.at(-1);
  function where(cells) {
    if (!cells.length) return "no cell";
    if (cells.length === 1) return `cell ${cells[0]}`;
    const gap = cells.some((t, j) => j && t !== cells[j - 1] + 1);
    return `cells ${gap || cells.length === 2 ? list(cells) : `${cells[0]} to ${cells.at(-1)}`}`;
  }
  const unread = (S, r) =>
    range(S.n).filter((t) => !r.outputs.some((o) => o.inside.includes(t)));
  function claim(S, r) {
    const O = r.outputs.length,
      missed = unread(S, r),
      times = range(S.n).map(
        (t) => r.outputs.filter((o) => o.inside.includes(t)).length,
      );
    if (adaptive(S)) {
      const same = plain(S),
        name = maximum(S) ? "MaxPool1d" : "AvgPool1d";
      return (
        `${S.n} to ${O}: ` +
        (O > S.n
          ? "more outputs than cells, so bins repeat cells"
          : same
            ? `the bins of ${name}(${same[0]}, ${same[1]}${same[2] ? `, padding=${same[2]}` : ""})${same[2] && !maximum(S) ? ", padding not counted" : ""}`
            : "no kernel, stride and padding gives these bins")
      );
    }
    const how = missed.length
      ? `${where(missed)} ${missed.length === 1 ? "is" : "are"} never read`
      : r.outputs.at(-1).taps.at(-1) >= S.n + S.padding && !fractional(S)
        ? "the last runs over the end"
        : Math.max(...times) > 1
          ? "windows share cells"
          : "each cell is read once";
    if (fractional(S))
      return `${O === 1 ? "The window starts" : "Windows start"} at ${list(r.outputs.map((o) => o.taps[0]))}; ${how}`;
    return `${plural(O, "window")} of ${plural(S.kernel_size, "cell")}: ${how}`;
  }
  function size(S) {
    const { n, kernel_size: k, output_size: O, padding: p } = S,
      [all, O2] = counts(S);
    if (adaptive(S))
      return `Bin i = [floor(i\u00B7${n}/${O}), ceil((i + 1)\u00B7${n}/${O})).`;
    if (fractional(S))
      return O === 1
        ? "A single output reads the last window."
        : `Mean step (${n} \u2212 ${k}) / (${O} \u2212 1) = ${fmt(alpha(S))}; u places the rounding. u is drawn anew at each call, in eval mode too.`;
    const e = `${S.ceil_mode ? "ceil" : "floor"}((${n} + 2\u00B7${p} \u2212 ${span(S)}) / ${stride(S)}) + 1 = ${all} ${all === 1 ? "output" : "outputs"}`;
    return (
      e + (all > O2 ? `, but the last would start right of the input: ${O2}.` : ".")
    );
  }
  function how(S, i) {
    const { n, output_size: O } = S,
      start = taps(S, i)[0];
    if (adaptive(S))
      return `bin ${i} = [floor(${i}\u00B7${n}/${O}), ceil(${i + 1}\u00B7${n}/${O})) = `;
    if (fractional(S))
      return (
        `window ${i} starts at ` +
        (i === O - 1
          ? `${n} \u2212 ${S.kernel_size}`
          : `floor((${i} + ${S.sample})\u00B7${n - S.kernel_size}/${O - 1}) \u2212 floor(${S.sample}\u00B7${n - S.kernel_size}/${O - 1})`) +
        ` = ${start}: `
      );
    return `window ${i} starts at ${i}\u00B7${stride(S)} \u2212 ${S.padding} = ${fmt(start)}: `;
  }
  // What stands at a position outside of the input: nothing where it does not count.
  const outside = (S, t) =>
    maximum(S)
      ? t < S.n + S.padding
        ? "\u2212\u221E"
        : ""
      : S.count_include_pad && t < S.n + S.padding
        ? "0"
        : "";

  // Cells a reader might name for output i: the right ones, shifted, cut or grown.
  function guesses(S, i) {
    const { inside } = pool(S).outputs[i],
      step = inside[1] - inside[0] || 1,
      last = inside.at(-1);
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
          c.at(-1) < S.n &&
          all.findIndex((o) => String(o) === String(c)) === k,
      )
      .slice(0, 4)
      .sort((a, b) => a[0] - b[0] || a.length - b.length);
  }

  const defaults = {
    kind: "AdaptiveAvgPool1d",
    n: 10,
    output_size: 4,
    kernel_size: 3,
    stride: null,
    padding: 0,
    dilation: 1,
    ceil_mode: false,
    count_include_pad: true,
    sample: 0.5,
    at: 1,
    predict: false,
    x: null,
  };

  const css = `
.block,.many,.few{--nn:clamp(24px,calc((100cqi - .8rem)/var(--cols,1) - 2px),34px)}
.block .slice,.block .row{gap:1px}.cap{display:none}.hd:first-child{width:.8rem}
.field:has(select){width:12rem}
.block .slice>.row{margin:0}.full .row>:last-child{margin-left:7px}
.full .slice>.row:last-child{margin-top:5px}.full .slice>.row:nth-child(3){margin-bottom:5px}
.cell.x{border-color:var(--input);border-radius:1px}.cell.x.on{background:var(--input-fill);border-width:2px}
.cell.un{background-image:repeating-linear-gradient(45deg,transparent 0 5px,var(--padding) 5px 6px)}
.cell.pad{border:1px dashed var(--padding);color:var(--muted)}
.cell.off{border-color:transparent}
.cell.b{border:solid var(--kernel);border-width:2px 0;border-radius:0;color:var(--muted)}
.cell.b.a{border-left-width:2px;border-radius:5px 0 0 5px}.cell.b.z{border-right-width:2px;border-radius:0 5px 5px 0}
.cell.b.a.z{border-radius:5px}.cell.b.cur{background:var(--kernel-fill);color:var(--ink)}
.cell.b.m{background:var(--output-fill);color:var(--ink);font-weight:700}
.cell.y{border-color:var(--output);border-radius:calc(var(--nn)*.28)}.cell.y.on{background:var(--output-fill);border-width:2px}
.cell.g{border:1px dashed var(--gradient)}.cell.g.on{background:var(--gradient-fill)}
.ask{margin-top:.6rem}.ask .buttons{margin-top:.3rem}
@container(max-width:420px){.block{padding:8px 0}.full .row>:last-child{margin-left:4px}}
`;

  function view(ui) {
    const title = h("p", { class: "claim" }),
      sub = h("p", { class: "sub" }),
      line = h("p", { class: "line" }),
      note = h("p", { class: "sub" });
    const problem = ui.errorLine(),
      code = ui.code();
    // The cell looked at in the picture: row 0 is the input, the last one the gradient.
    let place = [2, 99],
      state = null,
      open = "",
      asked = 0;
    const bins = ui.grid("Cells that each output reads", ([, r, c]) => {
      place = [r, c];
      ui.update(r && r <= count(state) && !hides(state) ? { at: r - 1 } : {}, true);
    });
    const question = h("span"),
      options = h("div", { class: "buttons" }),
      ask = h("div", { class: "ask" }, question, options),
      verdict = h("p", { class: "line" });
    // a reveal shows the bins of all outputs, so it holds for each of them
    const key = (S) =>
      JSON.stringify(
        Object.keys(defaults)
          .filter((k) => k !== "predict" && k !== "at")
          .map((k) => S[k]),
      );
    const hides = (S) =>
      S.predict &&
      !error(S) &&
      open !== key(S) &&
      pool(S).outputs[S.at].inside.length > 0;
    const yes = [
      [false, "False"],
      [true, "True"],
    ];
    const controls = h(
      "div",
      { class: "controls" },
      ui.select("kind", "Layer", () => KINDS.map((k) => [k, k])),
      ui.range("n", "Input cells", { min: 1, max: () => 10, visible: (S) => !S.x }),
      ui.range("output_size", "output_size", {
        min: 1,
        max: () => 10,
        visible: (S) => !sliding(S),
      }),
      ui.range("kernel_size", "kernel_size", {
        min: 1,
        max: () => 6,
        visible: (S) => !adaptive(S),
      }),
      ui.select(
        "stride",
        "stride",
        (S) => [
          [null, "None: kernel_size"],
          ...range(Math.max(4, S.stride)).map((i) => [i + 1, String(i + 1)]),
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
          (S) => S.kind === "AvgPool1d",
        ),
        ui.range("dilation", "dilation", {
          min: 1,
          max: () => 3,
          visible: (S) => S.kind === "MaxPool1d",
        }),
        ui.check("predict", "Predict first"),
      ),
    );

    function picture(S, r, hidden) {
      const O = r && !hidden ? r.outputs.length : 0,
        x = values(S),
        now = r && !hidden ? r.outputs[S.at] : { taps: [], inside: [] };
      const edge = sliding(S) && r ? S.padding : 0,
        last = r
          ? Math.max(S.n + edge, ...r.outputs.map((o) => o.taps.at(-1) + 1))
          : S.n;
      const missed = O ? unread(S, r) : [],
        rows = O ? O + 2 : 1,
        all = last + edge,
        cols = all + (O ? 1 : 0);
      if (O && ((place[0] && place[0] < rows - 1) || place[0] >= rows))
        place[0] = S.at + 1;
      bins.node.classList.toggle("full", O > 0);
      bins.size(1, rows, cols);
      bins.patch(
        {
          slice: () => "",
          row: (i) => (!i ? "x" : i > O ? "g" : String(i - 1)),
          column: (_, c) =>
            c === all
              ? "y"
              : c - edge < 0 || c - edge >= S.n
                ? c < S.n + 2 * edge
                  ? "pad"
                  : ""
                : String(c - edge),
        },
        (_, i, c) => {
          const t = c - edge,
            real = t >= 0 && t < S.n,
            o = i && i <= O && r.outputs[i - 1];
          if (c === all)
            return o
              ? {
                  text: o.value === -Infinity ? num(o.value) : short(o.value),
                  cls: "y" + (i - 1 === S.at ? " on" : ""),
                  label: `output ${i - 1}: ${num(o.value)}`,
                }
              : { text: "", cls: "off", label: "no output in this row" };
          if (!i)
            return {
              text: real ? short(x[t]) : r ? outside(S, t) : "",
              cls: real
                ? "x" +
                  (now.inside.includes(t) ? " on" : "") +
                  (missed.includes(t) ? " un" : "")
                : "pad",
              label: real
                ? `input cell ${t}: ${fmt(x[t])}${missed.includes(t) ? ", never read" : now.inside.includes(t) ? `, read by output ${S.at}` : ""}`
                : "padding",
            };
          if (i > O)
            return {
              text: real ? short(r.gradient[t]) : "",
              cls: real ? "g" + (r.gradient[t] ? " on" : "") : "off",
              label: real
                ? `gradient at cell ${t}: ${fmt(r.gradient[t])}`
                : "no gradient: padding",
            };
          const k = o.taps.indexOf(t),
            joined = dilation(S) === 1;
          if (k < 0)
            return {
              text: "",
              cls: "off",
              label: `output ${i - 1} does not read ${real ? `cell ${t}` : "this padding"}`,
            };
          return {
            text: real ? short(x[t]) : outside(S, t),
            label: `output ${i - 1} reads ${real ? `cell ${t}: ${fmt(x[t])}` : "padding"}${o.best === t ? ", the maximum" : ""}`,
            cls:
              "b" +
              (!k || !joined ? " a" : "") +
              (k === o.taps.length - 1 || !joined ? " z" : "") +
              (i - 1 === S.at ? " cur" : "") +
              (o.best === t ? " m" : ""),
          };
        },
        [0, O ? place[0] : 0, Math.min(place[1], cols - 1)],
      );
    }
    function formula(S, r) {
      const [row, c] = place,
        O = r.outputs.length,
        t = c - (sliding(S) ? S.padding : 0),
        x = values(S);
      if ((!row || row > O) && t >= 0 && t < S.n) {
        const readers = range(O).filter((i) => r.outputs[i].inside.includes(t)),
          paid = readers.filter((i) => !maximum(S) || r.outputs[i].best === t);
        rich(line, [
          ["input", `x[${t}] = ${fmt(x[t])}`],
          readers.length
            ? ` is read by output${readers.length > 1 ? "s" : ""} ${list(readers)}; `
            : " is read by no output; ",
          ["gradient", "gradient"],
          " of y.sum(): ",
          ...(paid.length > 1
            ? [
                paid
                  .map((i) => (maximum(S) ? "1" : `1/${r.outputs[i].divisor}`))
                  .join(" + ") + " = ",
              ]
            : []),
          ["gradient", fmt(r.gradient[t])],
        ]);
        return;
      }
      const o = r.outputs[S.at],
        pads = o.taps.length - o.inside.length,
        terms = o.taps
          .map((q) => (q >= 0 && q < S.n ? fmt(x[q]) : outside(S, q)))
          .filter(Boolean);
      rich(line, [
        ["kernel", how(S, S.at)],
        ["input", where(o.inside)],
        pads ? ` and ${pads} outside` : "",
        "; ",
        ["output", `y[${S.at}]`],
        " = ",
        maximum(S)
          ? `max(${terms.join(", ")})`
          : `(${terms.join(" + ").replaceAll("+ \u2212", "\u2212 ")}) / ${o.divisor}`,
        " = ",
        ["output", num(o.value)],
      ]);
    }

    function choose(guess, right) {
      open = key(state);
      asked = state.at;
      place = [asked + 1, 99];
      rich(
        verdict,
        guess === right
          ? [["output", "Right: "], right + "."]
          : [["statistic", "Not quite: "], `you said ${guess}; it is ${right}.`],
      );
      ui.update({});
      bins.node.querySelector("[aria-selected]").focus({ preventScroll: true });
    }
    function draw(S) {
      if (
        state &&
        (state.at !== S.at || state.kind !== S.kind) &&
        place[0] !== S.at + 1
      )
        place = [S.at + 1, 99];
      state = { ...S };
      const bad = error(S),
        r = bad ? null : pool(S),
        hidden = hides(S),
        O = r ? r.outputs.length : 0;
      text(
        title,
        bad
          ? `${S.kind} refuses this setting`
          : hidden
            ? `${S.kind}: which cells does output ${S.at} read?`
            : claim(S, r),
      );
      text(
        sub,
        bad
          ? ""
          : hidden
            ? `${plural(S.n, "cell")} in, ${plural(O, "output")}.`
            : size(S),
      );
      problem.set(bad);
      picture(S, r, hidden);
      line.hidden = note.hidden = !r || hidden;
      ask.hidden = !hidden;
      verdict.hidden = open !== key(S) || !S.predict || asked !== S.at;
      code.set(codeShort(S), codeFull(S));
      if (bad) return `torch raises ${bad.type}: ${bad.text}`;
      if (hidden) {
        text(question, `Predict the cells of output ${S.at}:`);
        const right = where(r.outputs[S.at].inside);
        options.replaceChildren(
          ...guesses(S, S.at).map((g) =>
            ui.button(where(g), () => choose(where(g), right)),
          ),
        );
        return `${title.textContent} ${question.textContent}`;
      }
      formula(S, r);
      text(
        note,
        "Row x: the input. Numbered rows: what output y reads" +
          (maximum(S) ? ", its maximum filled. " : ". ") +
          "Row g: the gradient of y.sum(), " +
          (maximum(S)
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
  function mend(S) {
    const n = S.x ? S.x.length : S.n;
    return { n, at: Math.max(0, Math.min(Math.max(1, count({ ...S, n })) - 1, S.at)) };
  }

  F.define(NAME, {
    label: "pooling bins",
    defaults,
    css,
    mend,
    build: view,
    traits: [
      "kind",
      "n",
      "output_size",
      "kernel_size",
      "stride",
      "padding",
      "dilation",
      "ceil_mode",
      "count_include_pad",
      "sample",
      "at",
      "predict",
    ],
    engine: { error, count, pool, plain, guesses, claim, codeShort, codeFull, values },
  });
})(globalThis);
