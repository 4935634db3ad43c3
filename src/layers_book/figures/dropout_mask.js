// DropoutMask: what each kind of dropout drops of an N x C x L block, and the rescaling.
import { define, fmt, h, mix, plural, rich, short, text } from "./core.js";
import css from "./dropout_mask.css";

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
const alpha = (state) => state.kind.includes("Alpha");
const channels = (state) => /\dd|Feature/.test(state.kind);
const value = (n, c, l) => ((3 * n + 5 * c + 2 * l + c * l) % 5) + 1;
// A number in [0, 1) from draw and place, as in Python.
const uniform = (draw, i) =>
  mix((Math.imul(draw + 1, 0x9e3779b9) + Math.imul(i + 1, 0x85ebca6b)) | 0) / 2 ** 32;
// The number of the coin that decides on a cell: one a cell, or one a channel of a sample.
const coin = (state, n, c, l) =>
  channels(state) ? n * state.C + c : (n * state.C + c) * state.L + l;
const coins = (state) => state.N * state.C * (channels(state) ? 1 : state.L);
const kept = (state, n, c, l) =>
  !state.training || uniform(state.draw, coin(state, n, c, l)) >= state.p;
// What a kept (or dropped) value v becomes.
function becomes(state, v, keep) {
  if (!state.training || state.p === 0) return v;
  if (state.p === 1) return 0;
  if (!alpha(state)) return keep ? v / (1 - state.p) : 0;
  const a = 1 / Math.sqrt((ALPHA ** 2 * state.p + 1) * (1 - state.p));
  return a * (keep ? v : -ALPHA) + a * ALPHA * state.p;
}
const cells = (state) =>
  Array.from({ length: state.N * state.C * state.L }, (_, i) => [
    Math.floor(i / state.L / state.C),
    Math.floor(i / state.L) % state.C,
    i % state.L,
  ]);
// Means of x and y, and the mean square of y that many draws give.
function moments(state) {
  const x = cells(state).map((at) => value(...at));
  const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
  const expect = (f) =>
    mean(
      x.map((v) =>
        state.training
          ? state.p * f(becomes(state, v, false)) +
            (1 - state.p) * f(becomes(state, v, true))
          : f(v),
      ),
    );
  return {
    before: mean(x),
    square: mean(x.map((v) => v * v)),
    now: mean(
      cells(state).map((at) => becomes(state, value(...at), kept(state, ...at))),
    ),
    mean: expect((v) => v),
    meanSquare: expect((v) => v * v),
  };
}
const error = (state) =>
  state.p >= 0 && state.p <= 1
    ? null
    : {
        type: "ValueError",
        text: `dropout probability has to be between 0 and 1, but got ${state.p}`,
      };

const axes = (state) => {
  const rank = +(state.kind.match(/\d/) || [1])[0];
  return [
    ["N", "C", "L"],
    ["N", "C", "H", "W"],
    ["N", "C", "D", "H", "W"],
  ][rank - 1];
};
const shape = (state) => [
  state.N,
  state.C,
  ...Array(axes(state).length - 3).fill(1),
  state.L,
];
const codeShort = (state) =>
  `layer = nn.${state.kind}(${state.p})${state.training ? "" : ".eval()"}\ny = layer(x)  # (${axes(state).join(", ")}) = (${shape(state).join(", ")})`;
const codeFull = (state) =>
  `x = torch.tensor([${cells(state)
    .map((at) => value(...at))
    .join(
      ", ",
    )}]).float()\nx = x.reshape(${shape(state).join(", ")})\n${codeShort(state)}\nprint(y)`;

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const line = h("p", { class: "line" });
  const grid = ui.grid("Values, one slice a sample", (cell) =>
    ui.update({ cell }, true),
  );
  const problem = ui.errorLine();
  const code = ui.code();

  const controls = h(
    "div",
    { class: "controls bar" },
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
      () => ui.update({ draw: ui.state.draw + 1 }),
      (state) => state.training && !error(state),
    ),
  );
  const now = [h("td"), h("td")];
  const many = [h("td"), h("td")];
  const before = [h("td"), h("td")];
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

  function draw(state) {
    const bad = error(state);
    const [n, c, l] = state.cell;
    const m = bad ? null : moments(state);
    const dropped = bad ? 0 : cells(state).filter((at) => !kept(state, ...at)).length;
    const all = state.N * state.C * state.L;
    const per = channels(state) ? "channel of each sample" : "value";
    const titleWords = () => {
      if (bad) return `${state.kind} refuses this p`;
      if (!state.training) return `In eval mode ${state.kind} returns its input`;
      return `${state.kind} tosses one coin a ${per}: ${dropped} of ${all} values dropped`;
    };
    text(title, titleWords());
    const subWords = () => {
      if (bad) return "";
      if (state.training)
        return (
          `${plural(coins(state), "coin")}, each drops with probability ${fmt(state.p)}. ` +
          (alpha(state)
            ? "Meant for inputs of mean 0 and mean square 1: it keeps those."
            : "What is kept is divided by 1 \u2212 p, so the expected mean stays.")
        );
      return "No coin is tossed, and nothing is rescaled.";
    };
    text(sub, subWords());
    grid.size(state.N, state.C, state.L);
    const y = state.show === "y" && !bad;
    grid.patch(
      {
        slice: (i) => `sample ${i}`,
        row: (i) => `c${i}`,
        column: (_, i) => String(i),
      },
      (i, j, k) => {
        const keep = bad || kept(state, i, j, k);
        const x = value(i, j, k);
        const v = y ? becomes(state, x, keep) : x;
        const look = (keep) => {
          if (keep) return y ? "keep" : "x";
          return "drop";
        };
        return {
          text: short(v),
          cls: look(keep),
          label: `sample ${i}, channel ${j}, position ${k}: ${fmt(v)}${keep ? "" : ", dropped"}`,
        };
      },
      state.cell,
    );
    problem.set(bad);
    stats.hidden = line.hidden = Boolean(bad);
    code.set(codeShort(state), codeFull(state));
    if (bad) return `torch raises ${bad.type}: ${bad.text}`;
    const keep = kept(state, n, c, l);
    const x = value(n, c, l);
    const v = becomes(state, x, keep);
    const pickHow = () => {
      if (!state.training || state.p === 0) return " unchanged";
      if (state.p === 1) return " all dropped";
      if (alpha(state))
        return keep
          ? " kept, then scaled and shifted"
          : " replaced by \u22121.758, then scaled and shifted";
      if (keep) return ` kept, divided by 1 \u2212 p = ${fmt(1 - state.p)}`;
      return " dropped";
    };
    const how = pickHow();
    rich(line, [
      ["output", `y[${n}, ${c}, ${l}]`],
      " = ",
      ["output", fmt(v, 3)],
      ": ",
      ["input", `x = ${x}`],
      how,
    ]);
    const ys = cells(state).map((at) =>
      becomes(state, value(...at), kept(state, ...at)),
    );
    const tell = (tds, mean, square) => {
      text(tds[0], fmt(mean));
      text(tds[1], fmt(square));
    };
    tell(before, m.before, m.square);
    tell(now, m.now, ys.reduce((sum, y) => sum + y * y, 0) / all);
    tell(many, m.mean, m.meanSquare);
    return `${title.textContent}. Mean ${fmt(m.before)} before, ${fmt(m.now)} now, ${fmt(m.mean)} expected.`;
  }
  return {
    nodes: [title, sub, controls, problem.node, grid.node, line, stats, code.node],
    draw,
  };
}

const mend = (state) => ({
  cell: state.cell.map((v, i) => Math.min(v, [state.N, state.C, state.L][i] - 1)),
});
define("nn-dropout-mask", {
  label: "dropout mask",
  css,
  mend,
  build: view,
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
