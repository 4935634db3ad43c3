// DropoutMask: what each kind of dropout drops of an N x C x L block, and the rescaling.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-dropout-mask";
  if (F.specs[NAME]) return;
  const { h, rich, text, fmt, short, plural } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  const KINDS = [
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "AlphaDropout",
    "FeatureAlphaDropout",
  ];
  // Where SELU ends on the left: what the alpha kinds put in place of a dropped value.
  const ALPHA = 1.7580993408473766;
  const alpha = (S) => S.kind.includes("Alpha");
  const channels = (S) => /\dd|Feature/.test(S.kind);
  const value = (S, n, c, l) => ((3 * n + 5 * c + 2 * l + c * l) % 5) + 1;
  // A number in [0, 1) from draw and place, as in Python.
  const uniform = (draw, i) =>
    F.mix((Math.imul(draw + 1, 0x9e3779b9) + Math.imul(i + 1, 0x85ebca6b)) | 0) /
    2 ** 32;
  // The number of the coin that decides on a cell: one a cell, or one a channel of a sample.
  const coin = (S, n, c, l) => (channels(S) ? n * S.C + c : (n * S.C + c) * S.L + l);
  const coins = (S) => S.N * S.C * (channels(S) ? 1 : S.L);
  const kept = (S, n, c, l) => !S.training || uniform(S.draw, coin(S, n, c, l)) >= S.p;
  // What a kept (or dropped) value v becomes.
  function becomes(S, v, keep) {
    if (!S.training || S.p === 0) return v;
    if (S.p === 1) return 0;
    if (!alpha(S)) return keep ? v / (1 - S.p) : 0;
    const a = 1 / Math.sqrt((ALPHA ** 2 * S.p + 1) * (1 - S.p));
    return a * (keep ? v : -ALPHA) + a * ALPHA * S.p;
  }
  const cells = (S) =>
    Array.from({ length: S.N * S.C * S.L }, (_, i) => [
      Math.floor(i / S.L / S.C),
      Math.floor(i / S.L) % S.C,
      i % S.L,
    ]);
  // Means of x and y, and the mean square of y that many draws give.
  function moments(S) {
    const x = cells(S).map((at) => value(S, ...at)),
      mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
    const expect = (f) =>
      mean(
        x.map((v) =>
          S.training
            ? S.p * f(becomes(S, v, false)) + (1 - S.p) * f(becomes(S, v, true))
            : f(v),
        ),
      );
    return {
      before: mean(x),
      square: mean(x.map((v) => v * v)),
      now: mean(cells(S).map((at) => becomes(S, value(S, ...at), kept(S, ...at)))),
      mean: expect((v) => v),
      meanSquare: expect((v) => v * v),
    };
  }
  const error = (S) =>
    S.p >= 0 && S.p <= 1
      ? null
      : {
          type: "ValueError",
          text: `dropout probability has to be between 0 and 1, but got ${S.p}`,
        };

  const axes = (S) => {
    const rank = +(S.kind.match(/\d/) || [1])[0];
    return [
      ["N", "C", "L"],
      ["N", "C", "H", "W"],
      ["N", "C", "D", "H", "W"],
    ][rank - 1];
  };
  const shape = (S) => [S.N, S.C, ...Array(axes(S).length - 3).fill(1), S.L];
  const codeShort = (S) =>
    `layer = nn.${S.kind}(${S.p})${S.training ? "" : ".eval()"}\ny = layer(x)  # (${axes(S).join(", ")}) = (${shape(S).join(", ")})`;
  const codeFull = (S) =>
    `x = torch.tensor([${cells(S)
      .map((at) => value(S, ...at))
      .join(
        ", ",
      )}]).float()\nx = x.reshape(${shape(S).join(", ")})\n${codeShort(S)}\nprint(y)`;

  const defaults = {
    kind: "Dropout",
    p: 0.5,
    training: true,
    draw: 0,
    N: 2,
    C: 3,
    L: 4,
    show: "y",
    cell: [0, 0, 0],
  };
  const css = `
.cell.drop{color:var(--muted);border:1px dashed var(--padding);
background-image:repeating-linear-gradient(45deg,transparent 0 5px,var(--padding) 5px 6px)}
.cell.keep{background:var(--output-fill);border-color:var(--output);border-radius:calc(var(--nn)*.28)}
.cell.x{background:var(--input-fill);border-color:var(--input)}
`;

  function view(ui) {
    const title = h("p", { class: "claim" }),
      sub = h("p", { class: "sub" }),
      line = h("p", { class: "line" });
    const grid = ui.grid("Values, one slice a sample", (cell) =>
      ui.update({ cell }, true),
    );
    const problem = ui.errorLine(),
      code = ui.code();
    let state = null;
    const controls = h(
      "div",
      { class: "controls" },
      ui.select("kind", "Layer", () => KINDS.map((k) => [k, k])),
      ui.range("p", "Probability p", { min: 0, max: () => 1.1, step: 0.1 }),
      ui.choice("training", "Mode", [
        [true, "train"],
        [false, "eval"],
      ]),
      ui.choice("show", "Numbers", [
        ["x", "input x"],
        ["y", "output y"],
      ]),
      ui.button(
        "Draw again",
        () => ui.update({ draw: state.draw + 1 }),
        (S) => S.training && !error(S),
      ),
    );
    const now = [h("td"), h("td")],
      many = [h("td"), h("td")],
      before = [h("td"), h("td")];
    const row = (words, tds) => h("tr", {}, h("th", { scope: "row" }, words), ...tds);
    const stats = h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "over all cells"),
          h("th", { scope: "col" }, "mean"),
          h("th", { scope: "col" }, "mean square"),
        ),
      ),
      h(
        "tbody",
        {},
        row("input", before),
        row("output, this draw", now),
        row("output, expected", many),
      ),
    );

    function draw(S) {
      state = S;
      const bad = error(S),
        [n, c, l] = S.cell,
        m = bad ? null : moments(S);
      const dropped = bad ? 0 : cells(S).filter((at) => !kept(S, ...at)).length,
        all = S.N * S.C * S.L;
      const per = channels(S) ? "channel of each sample" : "value";
      text(
        title,
        bad
          ? `${S.kind} refuses this p`
          : !S.training
            ? `In eval mode ${S.kind} returns its input`
            : `${S.kind} tosses one coin a ${per}: ${dropped} of ${all} values dropped`,
      );
      text(
        sub,
        bad
          ? ""
          : S.training
            ? `${plural(coins(S), "coin")}, each drops with probability ${fmt(S.p)}. ` +
              (alpha(S)
                ? "Meant for inputs of mean 0 and mean square 1: it keeps those."
                : "What is kept is divided by 1 \u2212 p, so the expected mean stays.")
            : "No coin is tossed, and nothing is rescaled.",
      );
      grid.size(S.N, S.C, S.L);
      const y = S.show === "y" && !bad;
      grid.patch(
        {
          slice: (i) => `sample ${i}`,
          row: (i) => `c${i}`,
          column: (_, i) => String(i),
        },
        (i, j, k) => {
          const keep = bad || kept(S, i, j, k),
            x = value(S, i, j, k),
            v = y ? becomes(S, x, keep) : x;
          return {
            text: short(v),
            cls: keep ? (y ? "keep" : "x") : "drop",
            label: `sample ${i}, channel ${j}, position ${k}: ${fmt(v)}${keep ? "" : ", dropped"}`,
          };
        },
        S.cell,
      );
      problem.set(bad);
      stats.hidden = line.hidden = Boolean(bad);
      code.set(codeShort(S), codeFull(S));
      if (bad) return `torch raises ${bad.type}: ${bad.text}`;
      const keep = kept(S, n, c, l),
        x = value(S, n, c, l),
        v = becomes(S, x, keep);
      const how =
        !S.training || S.p === 0
          ? " unchanged"
          : S.p === 1
            ? " all dropped"
            : alpha(S)
              ? keep
                ? " kept, then scaled and shifted"
                : " replaced by \u22121.758, then scaled and shifted"
              : keep
                ? ` kept, divided by 1 \u2212 p = ${fmt(1 - S.p)}`
                : " dropped";
      rich(line, [
        ["output", `y[${n}, ${c}, ${l}]`],
        " = ",
        ["output", fmt(v, 3)],
        ": ",
        ["input", `x = ${x}`],
        how,
      ]);
      const ys = cells(S).map((at) => becomes(S, value(S, ...at), kept(S, ...at)));
      [
        [before, m.before, m.square],
        [now, m.now, ys.reduce((a, b) => a + b * b, 0) / all],
        [many, m.mean, m.meanSquare],
      ].forEach(([tds, a, b]) => {
        text(tds[0], fmt(a));
        text(tds[1], fmt(b));
      });
      return `${title.textContent}. Mean ${fmt(m.before)} before, ${fmt(m.now)} now, ${fmt(m.mean)} expected.`;
    }
    return {
      nodes: [title, sub, controls, problem.node, grid.node, line, stats, code.node],
      draw,
    };
  }

  const mend = (S) => ({
    cell: S.cell.map((v, i) => Math.min(v, [S.N, S.C, S.L][i] - 1)),
  });
  F.define(NAME, {
    label: "dropout mask",
    defaults,
    css,
    mend,
    build: view,
    traits: ["kind", "p", "training", "draw", "show", "cell"],
    engine: {
      error,
      uniform,
      coin,
      coins,
      kept,
      becomes,
      moments,
      value,
      cells,
      codeFull,
    },
  });
})(globalThis);
