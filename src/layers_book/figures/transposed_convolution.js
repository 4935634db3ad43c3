// TransposedConvolution: stamps that add up, the same gathered, and the matrix transposed.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-transposed-convolution";
  if (F.specs[NAME]) return;
  const { h, rich, text, fmt, short, plural, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  const reach = (S) => S.dilation * (S.kernel_size - 1);
  // The reader's numbers, or small ones; the kernel is not symmetric, so that a flip shows.
  const input = (S) =>
    S.x ||
    range(S.n).map((i) => range(S.n).map((j) => ((3 * i + 5 * j + i * j) % 4) + 1));
  const kernel = (S) =>
    S.weight ||
    range(S.kernel_size).map((u) =>
      range(S.kernel_size).map((v) => ((2 * u + 3 * v + u * v) % 5) - 1),
    );
  const flipped = (S) =>
    kernel(S)
      .map((row) => [...row].reverse())
      .reverse();
  const cells = (S) => [input(S).length, input(S)[0].length];
  // Without padding and output_padding: from the first stamp's start to the last one's end.
  const stamped = (S, n) => (n - 1) * S.stride + reach(S) + 1;
  const size = (S) =>
    cells(S).map((n) => stamped(S, n) - 2 * S.padding + S.output_padding);
  function error(S) {
    const { stride: s, dilation: d, output_padding: op } = S,
      fail = (words) => ({ type: "RuntimeError", text: words });
    const both = (name, v) => `${name}_height: ${v} ${name}_width: ${v}`;
    if (op >= Math.max(s, d))
      return fail(
        "output padding must be smaller than either stride or dilation, but got " +
          `${both("output_padding", op)} ${both("stride", s)} ${both("dilation", d)}`,
      );
    if (Math.min(...size(S)) < 1)
      return fail(
        `Given input size per channel: (${cells(S).join(" x ")}). Calculated output size per channel: (${size(S).join(" x ")}). Output size is too small`,
      );
    return null;
  }
  // Along one axis: the kernel entry by which input cell i reaches output cell o, or -1.
  function tap(S, i, o) {
    const t = (o + S.padding - i * S.stride) / S.dilation;
    return Number.isInteger(t) && t >= 0 && t < S.kernel_size ? t : -1;
  }
  // All products that add up in an output cell, as [r, c, u, v].
  function terms(S, [R, C]) {
    const [H, W] = cells(S),
      one = (n, o) =>
        range(n)
          .map((i) => [i, tap(S, i, o)])
          .filter(([, t]) => t >= 0);
    const across = one(W, C);
    return one(H, R).flatMap(([r, u]) => across.map(([c, v]) => [r, c, u, v]));
  }
  const counts = (S) => {
    const [H, W] = size(S);
    return range(H).map((R) => range(W).map((C) => terms(S, [R, C]).length));
  };
  function scatter(S) {
    const x = input(S),
      w = kernel(S),
      [H, W] = size(S),
      y = range(H).map(() => Array(W).fill(S.bias)),
      { stride: s, dilation: d, padding: p } = S;
    x.forEach((row, r) =>
      row.forEach((v, c) =>
        w.forEach((line, u) =>
          line.forEach((k, t) => {
            const R = r * s + u * d - p,
              C = c * s + t * d - p;
            if (R >= 0 && R < H && C >= 0 && C < W) y[R][C] += v * k;
          }),
        ),
      ),
    );
    return y;
  }
  // Which input cell stands at a place of the stuffed, padded axis; NaN: a zero between
  // two cells; -1: padding.
  function place(S, a, n) {
    const q = a - reach(S) + S.padding;
    return q < 0 || q > (n - 1) * S.stride ? -1 : q % S.stride ? NaN : q / S.stride;
  }
  function stuffed(S) {
    const x = input(S),
      [H, W] = cells(S),
      [oh, ow] = size(S);
    return range(oh + reach(S)).map((a) =>
      range(ow + reach(S)).map((b) => {
        const r = place(S, a, H),
          c = place(S, b, W);
        return r >= 0 && c >= 0 ? x[r][c] : 0;
      }),
    );
  }
  function gathered(S) {
    const z = stuffed(S),
      w = flipped(S),
      [H, W] = size(S),
      d = S.dilation;
    return range(H).map((R) =>
      range(W).map((C) =>
        w.reduce(
          (sum, row, u) =>
            row.reduce((a, k, v) => a + k * z[R + u * d][C + v * d], sum),
          S.bias,
        ),
      ),
    );
  }
  // The part of the transposed matrix from one input row to one output row.
  function block(S, r, R) {
    const u = tap(S, r, R),
      w = kernel(S);
    return range(size(S)[1]).map((C) =>
      range(cells(S)[1]).map((c) => {
        const v = tap(S, c, C);
        return u < 0 || v < 0 ? 0 : w[u][v];
      }),
    );
  }
  // How many stamps a cell far from the border gets: all values that occur, in order.
  function pattern(S) {
    const { stride: s, dilation: d } = S,
      axis = range(s).map(
        (j) => range(S.kernel_size).filter((u) => (u * d) % s === j).length,
      );
    return [...new Set(axis.flatMap((a) => axis.map((b) => a * b)))].sort(
      (a, b) => a - b,
    );
  }
  // The sizes along an axis that the convolution with these settings takes to n.
  const origins = (S, n) =>
    range(S.stride)
      .map((i) => stamped(S, n) - 2 * S.padding + i)
      .filter((m) => m > 0);

  // ------------------------------------------------------------------ code to copy
  function layerCode(S) {
    const more = [
      ["stride", 1],
      ["padding", 0],
      ["output_padding", 0],
      ["dilation", 1],
    ].filter(([k, usual]) => S[k] !== usual);
    return `nn.ConvTranspose2d(${["1, 1", S.kernel_size, ...more.map(([k]) => `${k}=${S[k]}`)].join(", ")})`;
  }
  const by = (pair) => pair.join(" \u00d7 ");
  const codeShort = (S) =>
    `layer = ${layerCode(S)}\ny = layer(x)` +
    (S.hide || error(S)
      ? ""
      : `  # (1, 1, ${cells(S).join(", ")}) -> (1, 1, ${size(S).join(", ")})`);
  const tensor = (rows) =>
    `torch.tensor([[[${rows.map((r) => `[${r.join(", ")}]`).join(", ")}]]]).float()`;
  const codeFull = (S) =>
    [
      `layer = ${layerCode(S)}`,
      `layer.weight.data = ${tensor(kernel(S))}`,
      `layer.bias.data[:] = ${S.bias}`,
      `x = ${tensor(input(S))}`,
      "y = layer(x)",
      "print(y[0, 0])",
    ].join("\n");

  // -------------------------------------------------------------------------- words
  const list = (values) =>
    values.length < 2
      ? String(values[0])
      : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
  const spot = (at) => `(${at.join(", ")})`;
  function claim(S) {
    const k = `${S.kernel_size} \u00d7 ${S.kernel_size}`,
      many = pattern(S),
      products = terms(S, S.to).length;
    if (S.view === "gather") {
      const all = S.kernel_size ** 2,
        zero = "a stuffed or padded zero";
      return (
        `Output ${spot(S.to)}: ` +
        (all === 1
          ? `one product, with ${products ? "an input cell" : zero}`
          : `${plural(all, "product")}, ${all - products || "none"} of them with ${zero}`)
      );
    }
    if (S.view === "matrix") {
      const u = tap(S, S.at[0], S.to[0]),
        rows = `Input row ${S.at[0]} ${u < 0 ? "does not reach" : "reaches"} output row ${S.to[0]}`;
      return (
        rows +
        (u < 0 ? ": this block of the matrix is zero" : ` through kernel row ${u}`)
      );
    }
    if (S.view === "overlap")
      return many.length > 1
        ? `Uneven: inside a large output, cells get ${list(many)} stamps`
        : `Even: inside a large output, every cell gets ${plural(many[0], "stamp")}`;
    const whole = counts({ ...S, padding: 0, output_padding: 0 }).flat();
    if (cells(S).every((n) => n === 1))
      return (
        `The only input cell stamps the ${k} kernel once` +
        (whole.includes(0) ? ", with gaps" : "")
      );
    return (
      `Each input cell stamps the ${k} kernel, ${plural(S.stride, "cell")} from the next: ` +
      (Math.max(...whole) > 1
        ? "stamps overlap and add up"
        : whole.includes(0)
          ? "stamps leave gaps"
          : "stamps meet without overlap")
    );
  }
  function remarks(S) {
    const { padding: p, output_padding: op } = S,
      from = cells(S).map((n) => origins(S, n)),
      ends = [from.map((m) => m[0])];
    if (Math.max(...from.map((m) => m.length)) > 1)
      ends.push(from.map((m) => m.at(-1)));
    return (
      (ends[0].every(Boolean)
        ? `A convolution with these settings makes ${by(cells(S))} of ${ends.map(by).join(S.stride === 2 ? " and of " : " up to ")}. `
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
  const guesses = (S) => {
    const n = cells(S)[0],
      right = size(S)[0];
    return [
      ...new Set([
        right,
        n * S.stride,
        stamped(S, n),
        right - 1,
        n * S.stride + S.kernel_size,
      ]),
    ]
      .filter((v) => v > 0)
      .sort((a, b) => a - b);
  };

  const defaults = {
    n: 3,
    kernel_size: 3,
    stride: 2,
    padding: 0,
    output_padding: 0,
    dilation: 1,
    view: "scatter",
    at: [1, 1],
    to: [2, 2],
    predict: false,
    x: null,
    weight: null,
    bias: 0,
  };

  const css = `
.cell.x{background:var(--input-fill);border-color:var(--input);border-radius:0}
.cell.w{background:var(--kernel-fill);border:2px solid var(--kernel)}
.cell.y{background:var(--output-fill);border-color:var(--output);border-radius:calc(var(--nn)*.28)}
.cell.ring{border:3px solid var(--kernel);line-height:calc(var(--nn) - 6px);font-weight:650}
.cell.zero{color:var(--muted)}
.cell.crop{color:var(--muted);background:none;border:1px dashed var(--padding)}
.cell.none{background-image:repeating-linear-gradient(45deg,transparent 0 5px,var(--padding) 5px 6px)}
.cell.mark{background:var(--surface);border-color:var(--muted)}
.cell.free[aria-selected]{box-shadow:none}
.block:not(.many,.few){--nn:clamp(26px,calc((100cqi - 1.5rem)/var(--cols,1) - 5px),32px)}
.block.many{--nn:clamp(24px,calc((100cqi - 1.2rem)/var(--cols,1) - 1px),30px)}
.block.few{--nn:clamp(27px,4cqi,32px)}
.ask{display:flex;flex-wrap:wrap;gap:.5rem .8rem;align-items:center;margin:.8rem 0 0}
`;

  function view(ui) {
    const title = h("p", { class: "claim" }),
      sub = h("p", { class: "sub" }),
      sum = h("p", { class: "line" }),
      rule = h("p", { class: "line" });
    const problem = ui.errorLine(),
      code = ui.code(),
      verdict = h("p", { class: "line", tabindex: -1 });
    const options = h("div", { class: "buttons" }),
      ask = h(
        "div",
        { class: "ask" },
        h("span", {}, "Predict: how many rows has the output?"),
        options,
      );
    let S = null,
      open = "";
    // A titled grid whose rows and columns are numbered from `first`.
    const table = (label, pick) => {
      const head = h("p", { class: "part" }, label),
        g = ui.grid(label, ([, r, c]) => pick([r, c]));
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
      go(S.view === "gather" && !error(S) ? { to: at } : { at }),
    );
    const mid = table("Kernel", (at) => {
      if (S.view === "matrix" && !error(S))
        go({ to: [S.to[0], at[0]], at: [S.at[0], at[1]] });
    });
    const out = table("Output", (at) =>
      go({
        to: at.map(
          (v) => v - S.padding * (S.view === "scatter" || S.view === "overlap"),
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
      { class: "controls" },
      ui.choice("view", "Show", [
        ["scatter", "scatter"],
        ["overlap", "overlap"],
        ["gather", "gather"],
        ["matrix", "matrix"],
      ]),
      ui.range("kernel_size", "kernel_size", { min: 1, max: most("kernel_size", 5) }),
      ui.range("stride", "stride", { min: 1, max: most("stride", 4) }),
      ui.range("padding", "padding", {
        min: 0,
        max: (s) =>
          Math.ceil((stamped(s, Math.min(...cells(s))) + s.output_padding) / 2),
      }),
      ui.range("output_padding", "output_padding", {
        min: 0,
        max: (s) => Math.max(s.stride, s.dilation),
      }),
      ui.more(
        ui.range("n", "Input rows and columns", { min: 1, max: most("n", 6) }),
        ui.range("dilation", "dilation", { min: 1, max: most("dilation", 3) }),
        ui.check("predict", "Predict the size first"),
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
      const right = size(S)[0];
      open = key(S);
      rich(
        verdict,
        guess === right
          ? [["output", "Right: "], plural(right, "row") + "."]
          : [["statistic", "Not quite: "], `you said ${guess}, it is ${right}.`],
      );
      ui.update({});
      // the button that had the focus is gone
      verdict.focus({ preventScroll: true });
    }

    // Input, kernel and output in the views' own ways; r, c are rows and columns.
    function drawInput(v, bad) {
      const x = input(S),
        [H, W] = cells(S);
      if (v !== "gather" || bad) {
        ins.fill(
          `Input ${by([H, W])}`,
          H,
          W,
          (r, c) => ({
            text: short(x[r][c]),
            label: `input row ${r}, column ${c}: ${fmt(x[r][c])}`,
            cls: v !== "matrix" || r === S.at[0] ? "x" : "",
          }),
          S.at,
        );
        return;
      }
      const z = stuffed(S),
        [R, C] = S.to,
        d = S.dilation,
        under = (a, o) => a >= o && a <= o + reach(S) && (a - o) % d === 0;
      ins.fill(
        `Stuffed, padded input ${by([z.length, z[0].length])}`,
        z.length,
        z[0].length,
        (a, b) => {
          const r = place(S, a, H),
            c = place(S, b, W),
            real = r >= 0 && c >= 0,
            pad = r === -1 || c === -1,
            on = under(a, R) && under(b, C);
          return {
            text: short(z[a][b]),
            cls: (real ? "x" : pad ? "crop" : "zero") + (on ? " ring" : ""),
            label: `row ${a}, column ${b}: ${fmt(z[a][b])}, ${real ? `input ${spot([r, c])}` : pad ? "padding" : "zero between"}${on ? ", under the kernel" : ""}`,
          };
        },
        S.to,
      );
    }
    function drawMiddle(v) {
      const [r, c] = S.at,
        [R, C] = S.to,
        k = S.kernel_size,
        u = tap(S, r, R),
        t = tap(S, c, C),
        w = v === "gather" ? flipped(S) : kernel(S);
      if (v !== "matrix") {
        const back = v === "gather",
          on = u < 0 || t < 0 ? null : back ? [k - 1 - u, k - 1 - t] : [u, t];
        mid.fill(
          back ? "Flipped kernel" : "Kernel",
          k,
          k,
          (a, b) => {
            const at = back ? [k - 1 - a, k - 1 - b] : [a, b],
              hit = on && a === on[0] && b === on[1];
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
      const m = block(S, r, R);
      mid.fill(
        `Transposed matrix, row ${r} \u2192 ${R}`,
        m.length,
        m[0].length,
        (a, b) => {
          const q = tap(S, b, a),
            hit = u >= 0 && q >= 0;
          return {
            text: hit ? short(m[a][b]) : "0",
            cls: hit ? "w" : a === C || b === c ? "zero mark" : "zero",
            label: `output column ${a}, input column ${b}: ${hit ? `weight ${spot([u, q])} ${fmt(m[a][b])}` : "0"}`,
          };
        },
        [C, c],
      );
    }
    function drawOutput(v) {
      const canvas = v === "scatter" || v === "overlap",
        [H, W] = size(S),
        y = scatter(S),
        n = counts(S),
        p = canvas ? S.padding : 0;
      const more = (len) =>
        canvas ? Math.max(len + 2 * p - S.output_padding, len + p) : len;
      out.fill(
        v === "overlap"
          ? `Stamps on each output cell, ${by([H, W])}`
          : `Output ${by([H, W])}`,
        more(H),
        more(W),
        (a, b) => {
          const R = a - p,
            C = b - p,
            inside = R >= 0 && R < H && C >= 0 && C < W;
          const hit =
            canvas && tap(S, S.at[0], R) >= 0 && tap(S, S.at[1], C) >= 0 ? " ring" : "";
          if (!inside)
            return {
              text: "",
              cls: "crop" + hit,
              label: `row ${R}, column ${C}: cut off by padding`,
            };
          const count = n[R][C],
            value = v === "overlap" ? count : y[R][C];
          return {
            text: short(value),
            cls:
              (v === "matrix" && R !== S.to[0] ? "" : "y") +
              (count ? "" : " none") +
              hit,
            label: `output row ${R}, column ${C}: ${v === "overlap" ? "" : fmt(value) + ", "}${plural(count, "stamp")}`,
          };
        },
        S.to.map((o) => o + p),
        p,
        [H + p, W + p],
      );
    }

    function draw(state) {
      S = state;
      const bad = error(S),
        hidden = S.predict && !bad && open !== key(S),
        v = bad || hidden ? "scatter" : S.view,
        plain = Boolean(bad || hidden);
      const [n] = cells(S),
        { stride: s, padding: p, output_padding: op, dilation: d, kernel_size: k } = S;
      text(
        title,
        bad
          ? op >= Math.max(s, d)
            ? `output_padding ${op} reaches stride ${s}${d > 1 ? ` and dilation ${d}` : ""}: torch refuses it`
            : `padding ${p} on each side cuts the whole output away`
          : hidden
            ? `What does ${layerCode(S).slice(3)} make of ${by(cells(S))}?`
            : claim(S),
      );
      text(
        sub,
        plain
          ? `Input ${by(cells(S))}, kernel ${by([k, k])}, stride ${s}.` +
              (bad && op < Math.max(s, d)
                ? " torch\u2019s words below are those in float64; in float32 on a CPU the fast path may return an empty output or fail in other words."
                : "")
          : remarks(S),
      );
      problem.set(bad);
      drawInput(v, plain);
      drawMiddle(v);
      out.node.hidden = sum.hidden = rule.hidden = plain;
      ask.hidden = !hidden;
      verdict.hidden = plain || open !== key(S) || !S.predict;
      code.set(codeShort({ ...S, hide: hidden }), codeFull(S));
      if (bad) return `torch raises ${bad.type}: ${bad.text}`;
      if (hidden) {
        options.replaceChildren(
          ...guesses(S).map((g) => ui.button(String(g), () => choose(g))),
        );
        return "Predict: how many rows has the output?";
      }
      drawOutput(v);
      const x = input(S),
        w = kernel(S),
        all = terms(S, S.to),
        value = fmt(scatter(S)[S.to[0]][S.to[1]], 3);
      const signed = (z) => (z < 0 ? `(${fmt(z)})` : fmt(z)),
        products = all
          .slice(0, 4)
          .flatMap(([r, c, a, b], i) => [
            i ? " + " : "",
            ["input", signed(x[r][c])],
            "\u00b7",
            ["kernel", signed(w[a][b])],
          ]);
      rich(sum, [
        ["output", `y${"[" + S.to.join(", ") + "]"}`],
        " = ",
        ...products,
        all.length > 4 ? ` + ${all.length - 4} more` : "",
        S.bias || !all.length ? `${all.length ? " + " : ""}bias ${fmt(S.bias)}` : "",
        " = ",
        ["output", value],
        [
          "muted",
          `${plural(all.length, "stamp")} of ${plural(cells(S)[0] * cells(S)[1], "input cell")}`,
        ],
      ]);
      rich(rule, [
        "rows: (",
        ["input", String(n)],
        ` \u2212 1)\u00b7${s} \u2212 2\u00b7${p} + ${d}\u00b7(`,
        ["kernel", String(k)],
        ` \u2212 1) + ${op} + 1 = `,
        ["output", String(size(S)[0])],
        [
          "muted",
          "(i \u2212 1)\u00b7stride \u2212 2\u00b7padding + dilation\u00b7(k \u2212 1) + output_padding + 1",
        ],
      ]);
      return `${title.textContent}. Output ${by(size(S))}. Output ${spot(S.to)} is ${value}, from ${plural(all.length, "stamp")}.`;
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
  function mend(S, patch) {
    const fixed = {};
    if (S.weight && S.weight.length !== S.kernel_size) fixed.weight = null;
    if ("n" in patch && !("x" in patch)) fixed.x = null;
    const now = { ...S, ...fixed },
      inside = (cell, sizes) =>
        cell.map((v, i) => Math.max(0, Math.min(sizes[i] - 1, v)));
    return { ...fixed, at: inside(S.at, cells(now)), to: inside(S.to, size(now)) };
  }

  F.define(NAME, {
    label: "transposed convolution",
    defaults,
    css,
    mend,
    build: view,
    traits: [
      "n",
      "kernel_size",
      "stride",
      "padding",
      "output_padding",
      "dilation",
      "view",
      "at",
      "to",
      "predict",
    ],
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
})(globalThis);
