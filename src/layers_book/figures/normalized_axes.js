// NormalizedAxes: which cells of an N x C x L block share one mean and variance.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-normalized-axes";
  if (F.specs[NAME]) return;
  const { h, rich, text, attr, fmt, short, plural, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  const NORMS = ["BatchNorm", "LayerNorm", "InstanceNorm", "GroupNorm", "RMSNorm"];
  const LAYERWISE = ["LayerNorm", "RMSNorm"];
  const product = (list) => list.reduce((a, b) => a * b, 1);
  const height = (S) => {
    if (S.H && S.L % S.H === 0) return S.H;
    let best = 1;
    for (let i = 1; i * i <= S.L; i++) if (S.L % i === 0) best = i;
    return best;
  };
  const sizes = (S) => [S.N, S.C, S.data === "table" ? 1 : S.L];

  // All cells (n, c, l), as the block is unfolded.
  const block = (S) => {
    const [N, C, L] = sizes(S);
    return range(N * C * L).map((i) => [
      Math.floor(i / L / C),
      Math.floor(i / L) % C,
      i % L,
    ]);
  };

  // The tensor's shape as torch sees it, the letters of its axes, and where a cell
  // of the block lies in it.
  function axes(S) {
    const [N, C, L] = sizes(S),
      H = height(S),
      W = L / H;
    if (S.data === "table")
      return { shape: [N, C], names: ["N", "C"], at: (n, c) => [n, c] };
    if (S.data === "signal")
      return { shape: [N, C, L], names: ["N", "C", "L"], at: (n, c, l) => [n, c, l] };
    if (S.data === "text")
      return { shape: [N, L, C], names: ["N", "L", "C"], at: (n, c, l) => [n, l, c] };
    return {
      shape: [N, C, H, W],
      names: ["N", "C", "H", "W"],
      at: (n, c, l) => [n, c, Math.floor(l / W), l % W],
    };
  }
  // How many trailing axes LayerNorm and RMSNorm normalize; 0 means the usual choice.
  const usual = (S) => ({ table: 1, signal: 2, image: 3, text: 1 })[S.data];
  const trailing = (S) => S.dims || usual(S);
  const tracked = (S) =>
    S.track === null
      ? S.norm === "BatchNorm"
      : S.track && /Batch|Instance/.test(S.norm);
  // Does the layer use stored statistics instead of the input's?
  const stored = (S) => !S.training && tracked(S);
  const affine = (S) => (S.affine === null ? S.norm !== "InstanceNorm" : S.affine);
  const epsilon = (S) =>
    S.eps === null ? (S.norm === "RMSNorm" ? 2 ** -23 : 1e-5) : S.eps;

  function error(S) {
    const [N, C, L] = sizes(S),
      { shape } = axes(S),
      value = (t) => ({ type: "ValueError", text: t });
    const asChannels = S.data === "text" ? [N, C, L] : shape;
    if (S.norm === "GroupNorm") {
      if (C % S.num_groups)
        return value(
          `num_channels (${C}) must be divisible by num_groups (${S.num_groups})`,
        );
      if (((N * C) / S.num_groups) * L === 1)
        return value(
          `Expected more than 1 value per channel when training, got input size [${asChannels.join(", ")}]`,
        );
    }
    if (S.norm === "BatchNorm" && !stored(S) && N * L === 1)
      return value(
        `Expected more than 1 value per channel when training, got input size torch.Size([${asChannels.join(", ")}])`,
      );
    if (S.norm === "InstanceNorm") {
      const table = S.data === "table",
        size = table ? [1, N, C] : asChannels;
      if (table && affine(S) && N !== C)
        return value(
          `expected input's size at dim=0 to match num_features (${C}), but got: ${N}.`,
        );
      if (!stored(S) && (table ? C : L) === 1)
        return value(
          `Expected more than 1 spatial element when training, got input size torch.Size([${size.join(", ")}])`,
        );
      if (table && tracked(S) && N !== C)
        return {
          type: "RuntimeError",
          text: `running_mean should contain ${N} elements not ${C}`,
        };
    }
    return null;
  }

  // (n, c, l) -> does that cell enter the statistics of `cell`?
  function members(S, cell) {
    const [cn, cc, cl] = cell,
      { at } = axes(S);
    if (stored(S)) return (n, c, l) => n === cn && c === cc && l === cl;
    if (S.norm === "BatchNorm") return (n, c) => c === cc;
    if (S.norm === "InstanceNorm")
      return S.data === "table" ? (n) => n === cn : (n, c) => n === cn && c === cc;
    if (S.norm === "GroupNorm") {
      const size = S.C / S.num_groups,
        group = Math.floor(cc / size);
      return (n, c) => n === cn && Math.floor(c / size) === group;
    }
    const chosen = at(...cell),
      lead = chosen.length - trailing(S);
    return (n, c, l) => {
      const a = at(n, c, l);
      return range(lead).every((i) => a[i] === chosen[i]);
    };
  }

  // How many sets the block falls into: as many means and variances.
  function statistics(S) {
    const [N, C] = sizes(S),
      { shape } = axes(S);
    if (S.norm === "BatchNorm" || stored(S)) return C;
    if (S.norm === "InstanceNorm") return S.data === "table" ? N : N * C;
    if (S.norm === "GroupNorm") return N * S.num_groups;
    return product(shape.slice(0, shape.length - trailing(S)));
  }
  const parameterShape = (S) =>
    !affine(S)
      ? null
      : LAYERWISE.includes(S.norm)
        ? axes(S).shape.slice(-trailing(S))
        : [S.C];
  function parameters(S) {
    const shape = parameterShape(S);
    if (!shape) return [];
    const only = S.norm === "RMSNorm" || S.has_bias === false;
    return only
      ? [["weight", shape]]
      : [
          ["weight", shape],
          ["bias", shape],
        ];
  }

  // The block's numbers: the reader's, or small integers; padding is 0.
  function real(S, n) {
    const [, , L] = sizes(S);
    return S.data !== "text" ? L : S.lengths ? S.lengths[n] : Math.max(1, L - n);
  }
  const pad = (S, n, l) => l >= real(S, n);
  function value(S, n, c, l) {
    const [, C, L] = sizes(S);
    if (S.x) return S.x[(n * C + c) * L + l];
    return pad(S, n, l)
      ? 0
      : (n + 7 * c + 4 * l * l + 5 * c * l + 5 * n * c * (l + 1)) % 10;
  }

  // Mean, variance (divided by n), what a fresh layer (weight 1, bias 0) makes of the
  // chosen cell, and how far the set reaches along samples, channels and positions.
  function normalize(S, cell) {
    const inside = members(S, cell),
      v = value(S, ...cell),
      list = [];
    const low = [...cell],
      high = [...cell];
    let padding = 0;
    for (const at of block(S))
      if (inside(...at)) {
        list.push(value(S, ...at));
        padding += pad(S, at[0], at[2]);
        at.forEach((p, i) => {
          low[i] = Math.min(low[i], p);
          high[i] = Math.max(high[i], p);
        });
      }
    let mean = list.reduce((a, b) => a + b, 0) / list.length;
    if (S.norm === "RMSNorm") mean = 0;
    let variance = list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length;
    if (stored(S)) {
      const row = S.norm === "InstanceNorm" && S.data === "table" ? 0 : 1;
      mean = S.running_mean ? S.running_mean[cell[row]] : 0;
      variance = S.running_var ? S.running_var[cell[row]] : 1;
    }
    const scale = Math.sqrt(variance + epsilon(S));
    return {
      count: list.length,
      padding,
      value: v,
      mean,
      variance,
      scale,
      output: (v - mean) / scale,
      low,
      high,
    };
  }

  // The whole block's outputs, a set at a time.
  function outputs(S) {
    const cells = block(S),
      out = new Map();
    for (const cell of cells)
      if (!out.has(cell)) {
        const { mean, scale } = normalize(S, cell),
          inside = members(S, cell);
        for (const other of cells)
          if (inside(...other)) out.set(other, (value(S, ...other) - mean) / scale);
      }
    return cells.map((cell) => out.get(cell));
  }

  // ------------------------------------------------------------------ code to copy
  const tuple = (list) => `(${list.join(", ")}${list.length === 1 ? "," : ""})`;
  const truth = (v) => (v ? "True" : "False");
  function layerCode(S) {
    const wise = LAYERWISE.includes(S.norm),
      both = /Batch|Instance/.test(S.norm),
      usually = S.norm !== "InstanceNorm";
    const args = wise
      ? [tuple(axes(S).shape.slice(-trailing(S)))]
      : S.norm === "GroupNorm"
        ? [S.num_groups, S.C]
        : [S.C];
    if (S.eps !== null) args.push("eps=" + S.eps);
    if (affine(S) !== usually)
      args.push((wise ? "elementwise_affine=" : "affine=") + truth(!usually));
    if (S.has_bias === false && S.norm === "LayerNorm") args.push("bias=False");
    if (both && tracked(S) !== (S.norm === "BatchNorm"))
      args.push("track_running_stats=" + truth(S.track));
    return `nn.${S.norm}${both ? (S.data === "image" ? "2d" : "1d") : ""}(${args.join(", ")})${S.training ? "" : ".eval()"}`;
  }
  const callCode = (S) =>
    S.data === "text" && !LAYERWISE.includes(S.norm)
      ? "layer(x.transpose(1, 2)).transpose(1, 2)"
      : "layer(x)";
  const input = (S) => `${tuple(axes(S).names)} = ${tuple(axes(S).shape)}`;
  const codeShort = (S) => `layer = ${layerCode(S)}\ny = ${callCode(S)}  # ${input(S)}`;
  function codeFull(S, cell) {
    const { shape, at } = axes(S),
      text = S.data === "text",
      numbers = block(S).map((a) => value(S, ...a));
    const lines = [
      `x = torch.tensor([${numbers.join(", ")}]).float()`,
      `x = x.reshape${tuple(text ? sizes(S) : shape)}${text ? ".transpose(1, 2)" : ""}`,
      `layer = ${layerCode(S)}`,
    ];
    for (const k of ["running_mean", "running_var"])
      if (S[k] && tracked(S))
        lines.push(`layer.${k} = torch.tensor([${S[k].join(", ")}])`);
    return [...lines, `y = ${callCode(S)}`, `print(y[${at(...cell).join(", ")}])`].join(
      "\n",
    );
  }

  // -------------------------------------------------------------------------- words
  const POSITION = { table: "", signal: "position", image: "pixel", text: "token" };
  const where = (S, r) =>
    ["sample", "channel", POSITION[S.data]]
      .map((word, i) =>
        !word
          ? ""
          : (i ? ", " : "") +
            word +
            (r.low[i] === r.high[i]
              ? " " + r.low[i]
              : `s ${r.low[i]}\u2013${r.high[i]}`),
      )
      .join("");
  function claim(S, r) {
    const { norm, data, num_groups: groups } = S;
    if (stored(S))
      return `In eval mode ${norm} uses stored statistics, whatever the other cells hold`;
    if (r.padding && r.padding < r.count)
      return `${norm} counts the padding: ${r.padding} of the ${r.count} cells that share are empty`;
    const stays =
      norm === "BatchNorm"
        ? "mixes the samples"
        : norm === "InstanceNorm"
          ? data === "table"
            ? "reads (N, C) as one sample"
            : "stays in one channel of one sample"
          : norm === "GroupNorm"
            ? groups === 1 && data !== "text"
              ? "with one group takes LayerNorm\u2019s set"
              : groups === S.C && data !== "table"
                ? "with one channel each takes InstanceNorm\u2019s set"
                : "stays in one group of one sample"
            : data === "text" && trailing(S) === 1
              ? "stays in one token"
              : "stays in one sample";
    return (
      `${norm} ${stays}: ` +
      (r.count === 1
        ? "1 cell is alone"
        : `${r.count} cells share one ${norm === "RMSNorm" ? "mean square" : "mean and variance"}`)
    );
  }
  // Answers to "how many cells share?": the layers' own counts.
  function guesses(S) {
    const [N, C, L] = sizes(S),
      all = [normalize(S, S.cell).count, N * L, L, C, C * L, N * C * L];
    return [...new Set(all)].slice(0, 5).sort((a, b) => a - b);
  }

  const defaults = {
    norm: "BatchNorm",
    data: "image",
    N: 3,
    C: 4,
    L: 4,
    H: 0,
    num_groups: 2,
    dims: 0,
    training: true,
    cell: [0, 1, 2],
    show: "x",
    predict: false,
    x: null,
    lengths: null,
    eps: null,
    affine: null,
    has_bias: null,
    track: null,
    running_mean: null,
    running_var: null,
  };

  const css = `
.cell.pad{color:var(--muted);border:1px dashed var(--padding);
background-image:repeating-linear-gradient(45deg,transparent 0 5px,var(--padding) 5px 6px)}
.cell.share{background-color:var(--statistic-fill);color:var(--ink);border:3px double var(--statistic);
font-weight:650;letter-spacing:-.03em;line-height:calc(var(--nn) - 6px)}
.cell.y{border-radius:calc(var(--nn)*.28)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,11rem),1fr));gap:.5rem 1.4rem;margin:.9rem 0 .2rem;padding:0}
.facts div{border-top:2px solid var(--line);padding-top:.35rem}
.facts dt{font-size:.8rem;color:var(--muted)}
.facts dd{margin:0}.facts b{font-size:1.05rem;font-weight:650}
.facts small{display:block;font-size:.8rem;color:var(--muted)}
.ask{display:flex;flex-wrap:wrap;gap:.5rem .8rem;align-items:center;margin:.8rem 0 0}
`;

  function view(ui) {
    const title = h("p", { class: "claim" }),
      sub = h("p", { class: "sub" });
    const cells = ui.grid("Values, one slice a sample", (cell) =>
      ui.update({ cell }, true),
    );
    const problem = ui.errorLine(),
      formula = h("p", { class: "line" }),
      code = ui.code();
    const facts = h("dl", { class: "facts" });
    const fact = (label) => {
      const big = h("b"),
        small = h("small");
      facts.append(h("div", {}, h("dt", {}, label), h("dd", {}, big, small)));
      return (a, b) => {
        text(big, a);
        text(small, b);
      };
    };
    const tell = {
      share: fact("Share with the outlined cell"),
      statistics: fact("Statistics of the whole input"),
      parameters: fact("Parameters"),
    };
    const question = h(
      "span",
      {},
      "Predict: how many cells share, the outlined one included?",
    );
    const options = h("div", { class: "buttons" }),
      ask = h("div", { class: "ask" }, question, options),
      verdict = h("p", { class: "line" });
    let open = "";

    const free = (S) => !S.x;
    const controls = h(
      "div",
      { class: "controls" },
      ui.choice(
        "norm",
        "Layer",
        NORMS.map((n) => [n, n]),
      ),
      ui.choice(
        "data",
        "Data",
        Object.keys(POSITION).map((d) => [d, d]),
        free,
      ),
      ui.range("num_groups", "num_groups", {
        min: 1,
        max: (S) => S.C,
        visible: (S) => S.norm === "GroupNorm",
      }),
      ui.select(
        "dims",
        "normalized_shape",
        (S) => {
          const { names } = axes(S);
          return range(Math.max(names.length - 1, S.dims))
            .reverse()
            .map((i) => [i + 1 === usual(S) ? 0 : i + 1, tuple(names.slice(-i - 1))]);
        },
        (S) => LAYERWISE.includes(S.norm) && S.data !== "table",
      ),
      ui.choice(
        "training",
        "Mode",
        [
          [true, "train"],
          [false, "eval"],
        ],
        tracked,
      ),
      ui.more(
        ...[
          ["N", "Samples (N)", 4],
          ["C", "Channels (C)", 8],
          ["L", "Positions (L)", 8],
        ].map(([k, label, most]) =>
          ui.range(k, label, {
            min: 1,
            max: () => most,
            visible: (S) => free(S) && !(k === "L" && S.data === "table"),
          }),
        ),
        ui.choice("show", "Numbers", [
          ["x", "input x"],
          ["y", "output y"],
        ]),
        ui.check("predict", "Predict first"),
      ),
    );

    const key = (S) =>
      JSON.stringify([S.norm, S.data, sizes(S), S.num_groups, S.dims, S.training]);
    let state = null;
    function choose(guess) {
      const { count } = normalize(state, state.cell);
      open = key(state);
      rich(
        verdict,
        guess === count
          ? [["output", "Right: "], plural(count, "cell") + "."]
          : [["statistic", "Not quite: "], `you said ${guess}, it is ${count}.`],
      );
      ui.update({});
    }

    function draw(S) {
      state = S;
      const bad = error(S),
        [N, C, L] = sizes(S),
        { cell, norm } = S,
        seen = open === key(S);
      const hidden = S.predict && !bad && !seen,
        plain = bad || hidden;
      const inside = plain ? () => false : members(S, cell),
        r = bad ? null : normalize(S, cell),
        output = S.show === "y" && !plain && outputs(S);
      text(
        title,
        bad
          ? `${norm} refuses this input`
          : hidden
            ? `${norm}: which cells share the outlined cell\u2019s statistics?`
            : claim(S, r),
      );
      text(
        sub,
        `Input ${input(S)}. ` +
          (plain
            ? ""
            : stored(S)
              ? "Nothing is measured on it."
              : `Shared: ${where(S, r)}.`),
      );
      cells.size(N, C, L);
      cells.patch(
        {
          slice: (n) => `sample ${n}`,
          row: (c) => `c${c}`,
          column: (n, l) =>
            S.data === "table"
              ? ""
              : pad(S, n, l)
                ? "pad"
                : S.data === "image"
                  ? axes(S).at(n, 0, l).slice(2).join()
                  : POSITION[S.data][0] + l,
        },
        (n, c, l) => {
          const share = inside(n, c, l),
            empty = pad(S, n, l);
          const v = output ? output[(n * C + c) * L + l] : value(S, n, c, l);
          return {
            text: short(v),
            cls: (share ? "share " : "") + (empty ? "pad " : "") + (output ? "y" : ""),
            label:
              where(S, { low: [n, c, l], high: [n, c, l] }) +
              `: ${fmt(v)}${empty ? ", padding" : ""}${share ? ", shares the statistics" : ""}`,
          };
        },
        cell,
      );
      problem.set(bad);
      facts.hidden = formula.hidden = Boolean(plain);
      ask.hidden = !hidden;
      verdict.hidden = !seen;
      code.set(codeShort(S), codeFull(S, cell));
      if (bad) return `torch raises ${bad.type}: ${bad.text}`;
      if (hidden) {
        options.replaceChildren(
          ...guesses(S).map((g) => ui.button(String(g), () => choose(g))),
        );
        return question.textContent;
      }
      const square = norm === "RMSNorm",
        eps = epsilon(S),
        mean = fmt(r.mean, 3),
        variance = fmt(r.variance, 3);
      const v = ["input", fmt(r.value)];
      rich(formula, [
        [
          "output",
          `y[${axes(S)
            .at(...cell)
            .join(", ")}]`,
        ],
        " = ",
        ...(square
          ? [v]
          : ["(", v, " \u2212 ", ["statistic", r.mean < 0 ? `(${mean})` : mean], ")"]),
        " / \u221A(",
        ["statistic", variance],
        ` + ${eps < 1e-4 ? eps.toExponential(0).replace("-", "\u2212") : eps}) = `,
        ["output", fmt(r.output, 3)],
        [
          "muted",
          stored(S)
            ? "stored mean and variance"
            : square
              ? "no mean is subtracted"
              : `mean ${mean}, variance ${variance} (\u00F7 ${r.count})`,
        ],
      ]);
      const count = statistics(S),
        list = parameters(S);
      tell.share(
        stored(S) ? "no cell" : `${r.count} of ${plural(N * C * L, "cell")}`,
        r.padding
          ? `${r.padding} of them padding`
          : stored(S)
            ? "running statistics serve"
            : "itself included",
      );
      tell.statistics(
        square
          ? plural(count, "mean square")
          : `${plural(count, "mean")}, ${plural(count, "variance")}`,
        stored(S)
          ? "stored, one pair a channel"
          : `each measured over ${plural(r.count, "cell")}`,
      );
      tell.parameters(
        String(list.reduce((a, [, s]) => a + product(s), 0)),
        list.map(([k, s]) => `${k} ${tuple(s)}`).join(" + ") || "affine=False",
      );
      return `${claim(S, r)}. ${square ? "" : `Mean ${mean}, `}${square ? "mean square" : "variance"} ${variance}. ${plural(count, "set")} of statistics.`;
    }
    return {
      nodes: [
        title,
        sub,
        controls,
        problem.node,
        ask,
        cells.node,
        verdict,
        formula,
        facts,
        code.node,
      ],
      draw,
    };
  }

  // Keep a state drawable after a change: cells inside, axes that exist.
  function mend(S, patch) {
    const fixed = {},
      z = sizes(S);
    fixed.cell = S.cell.map((v, i) => Math.max(0, Math.min(z[i] - 1, v)));
    if (("norm" in patch || "data" in patch) && !("dims" in patch)) fixed.dims = 0;
    if (S.x && S.x.length !== product(z)) fixed.x = null;
    return fixed;
  }

  F.define(NAME, {
    label: "normalized axes",
    defaults,
    css,
    mend,
    build: view,
    traits: [
      "norm",
      "data",
      "N",
      "C",
      "L",
      "num_groups",
      "dims",
      "training",
      "cell",
      "show",
      "predict",
    ],
    engine: {
      error,
      members,
      normalize,
      outputs,
      statistics,
      parameters,
      value,
      sizes,
      axes,
      codeShort,
      codeFull,
      guesses,
    },
  });
})(globalThis);
