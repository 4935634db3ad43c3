// PositionScores: what the distance of two positions does to an attention score.

import { attr, define, fmt, h, range, rich, svg, text } from "./core.js";
import css from "./position_scores.css";

const LENGTH = 64;

// ------------------------------------------- engine: no DOM, checked against torch
const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const angle = (state, pair) => state.base ** ((-2 * pair) / state.d);
// Query and key before their positions.
function vectors(state) {
  const all = (f) => range(state.d).map(f);
  if (!state.content) {
    const word = all((i) => (state.method === "rotary" && i % 2 === 0 ? 1 : 0));
    return [word, word];
  }
  if (state.q) return [state.q, state.k];
  const unit = (turn) =>
    [Math.cos(turn), Math.sin(turn)].map((v) => Math.round(10 * v) / 10);
  const pairs = range(state.d / 2);
  return [pairs.flatMap(unit), pairs.flatMap((i) => unit(i + 0.9 / (i + 1)))];
}
// A vector with its position: pairs turned, or sines and cosines added.
function placed(state, x, position) {
  return range(state.d / 2).flatMap((pair) => {
    const [a, b] = [x[2 * pair], x[2 * pair + 1]];
    const turn = position * angle(state, pair);
    const [sin, cos] = [Math.sin(turn), Math.cos(turn)];
    if (state.method === "rotary") return [a * cos - b * sin, a * sin + b * cos];
    return [a + sin, b + cos];
  });
}
function score(state, m, n) {
  const [q, k] = vectors(state);
  return dot(placed(state, q, m), placed(state, k, n)) / Math.sqrt(state.d);
}
// The scores of a query with all keys, and of all pairs at this distance.
const row = (state) => range(LENGTH).map((n) => score(state, state.m, n));
function spread(state) {
  const distance = state.m - state.n;
  const pairs = range(LENGTH).filter((m) => m - distance >= 0 && m - distance < LENGTH);
  const all = pairs.map((m) => score(state, m, m - distance));
  return [Math.min(...all), Math.max(...all)];
}

const numbers = (x) => `torch.tensor([${x.join(", ")}], dtype=torch.float64)`;
const HAND = {
  rotary: [
    "def placed(x, position):  # turn each pair of features",
    "    pairs = torch.view_as_complex(x.view(-1, 2))",
    "    turn = torch.polar(torch.ones_like(angles), position * angles)",
    "    return torch.view_as_real(pairs * turn).flatten()",
  ],
  sinusoidal: [
    "def placed(x, position):  # add a sine and a cosine to each pair",
    "    turn = position * angles",
    "    return x + torch.stack([turn.sin(), turn.cos()], -1).flatten()",
  ],
};
const codeShort = (state) =>
  `${HAND[state.method].join("\n")}
placed(q, ${state.m}) @ placed(k, ${state.n}) / ${state.d}**0.5  # ${fmt(score(state, state.m, state.n), 3)}`;
function codeFull(state) {
  const [q, k] = vectors(state);
  return [
    `q, k = ${numbers(q)}, ${numbers(k)}`,
    `angles = ${state.base} ** (-torch.arange(0, ${state.d}, 2, dtype=torch.float64) / ${state.d})`,
    ...HAND[state.method],
    `print(placed(q, ${state.m}) @ placed(k, ${state.n}) / ${state.d}**0.5)`,
  ].join("\n");
}

const SIDE = 60;
const HEIGHT = 22;

function view(ui) {
  const [title, sub, line] = ["claim", "sub", "line"].map((name) =>
    h("p", { class: name }),
  );
  const code = ui.code();
  // one dial a pair: the hands of query and key
  const dials = range(8).map(() => {
    const hands = ["q", "k"].map((name) => svg("line", { class: name }));
    const label = h("span");
    const dial = svg(
      "svg",
      { viewBox: "-1.1 -1.1 2.2 2.2", "aria-hidden": "true" },
      svg("circle", { r: 1 }),
      ...hands,
    );
    return { node: h("div", { class: "dial" }, dial, label), hands, label };
  });
  const curve = svg("polyline", {});
  const zero = svg("line", { class: "zero", x1: 0, x2: SIDE + 3 });
  const query = svg("line", { class: "at", y1: 0, y2: HEIGHT });
  const key = svg("circle", { r: 0.9 });
  const plot = svg(
    "svg",
    { class: "plot", viewBox: `-1 -1 ${SIDE + 5} ${HEIGHT + 2}`, role: "img" },
    zero,
    query,
    curve,
    key,
  );
  const shift = (by) => () => ui.update({ m: ui.state.m + by, n: ui.state.n + by });
  const fits = (by) => (state) =>
    Math.min(state.m, state.n) + by >= 0 && Math.max(state.m, state.n) + by < LENGTH;
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.choice("method", "Positions", [
      ["rotary", "rotary"],
      ["sinusoidal", "sinusoidal"],
    ]),
    ui.range("m", "m, the query\u2019s", { min: 0, max: () => LENGTH - 1 }),
    ui.range("n", "n, the key\u2019s", { min: 0, max: () => LENGTH - 1 }),
    h(
      "div",
      { class: "buttons" },
      ui.button("Both back 5", shift(-5), fits(-5)),
      ui.button("Both on 5", shift(5), fits(5)),
    ),
    ui.more(
      ui.check("content", "With words"),
      ui.select(
        "d",
        "d, features",
        () => range(8).map((i) => [2 * i + 2, String(2 * i + 2)]),
        (state) => !state.q,
      ),
      ui.select("base", "base", (state) =>
        [...new Set([10, 100, 10000, state.base])]
          .sort((a, b) => a - b)
          .map((n) => [n, String(n)]),
      ),
    ),
  );

  function draw(state) {
    const all = row(state);
    const now = all[state.n];
    const [low, high] = spread(state);
    const same = high - low < 1e-9;
    const distance = state.m - state.n;
    text(
      title,
      same
        ? `${distance} apart: score ${fmt(now)}, wherever the two stand`
        : `${distance} apart: score ${fmt(now)} here, ${fmt(low)} to ${fmt(high)} elsewhere`,
    );
    const why = () => {
      if (same && state.method === "rotary")
        return "Both hands of a dial turn on alike, so the angle between them stays.";
      if (same) return "Without words the score is that of two position vectors alone.";
      return "Sums of a word and a position also multiply words with positions: these terms change with the place.";
    };
    text(sub, why());
    const [q, k] = vectors(state);
    const hands = [placed(state, q, state.m), placed(state, k, state.n)];
    const longest = Math.max(
      ...hands.flatMap((x) =>
        range(state.d / 2).map((i) => Math.hypot(x[2 * i], x[2 * i + 1])),
      ),
    );
    dials.forEach(({ node, hands: lines, label }, i) => {
      node.hidden = i >= state.d / 2;
      if (node.hidden) return;
      lines.forEach((hand, j) => {
        attr(hand, "x2", (hands[j][2 * i] / longest).toFixed(3));
        attr(hand, "y2", (-hands[j][2 * i + 1] / longest).toFixed(3));
      });
      const period = (2 * Math.PI) / angle(state, i);
      text(label, `${fmt(period, period < 100 ? 1 : 0)} steps a turn`);
    });
    const top = Math.max(...all, 0);
    const bottom = Math.min(...all, 0);
    const y = (v) => ((top - v) / (top - bottom || 1)) * HEIGHT;
    attr(curve, "points", all.map((v, n) => `${n},${y(v).toFixed(2)}`).join(" "));
    attr(zero, "y1", y(0));
    attr(zero, "y2", y(0));
    attr(query, "x1", state.m);
    attr(query, "x2", state.m);
    attr(key, "cx", state.n);
    attr(key, "cy", y(now).toFixed(2));
    attr(
      plot,
      "aria-label",
      `Score of the query at ${state.m} over the key's position, from ${fmt(bottom)} to ${fmt(top)}`,
    );
    rich(line, [
      ["input", `query at ${state.m}`],
      ", ",
      ["kernel", `key at ${state.n}`],
      ": ",
      ["output", `score ${fmt(now, 3)}`],
      ["muted", `q\u00b7k / \u221a${state.d}`],
    ]);
    code.set(codeShort(state), codeFull(state));
    return `${title.textContent}. ${sub.textContent}`;
  }
  return {
    nodes: [
      title,
      sub,
      h("p", { class: "part" }, "Each pair of features: query and key"),
      h("div", { class: "dials" }, ...dials.map(({ node }) => node)),
      h("p", { class: "part" }, "Score over the key\u2019s position, 0 to 63"),
      plot,
      line,
      controls,
      code.node,
    ],
    draw,
  };
}

const mend = (state) => ({ d: state.q ? state.q.length : 2 * Math.ceil(state.d / 2) });

define("nn-position-scores", {
  label: "scores of two positions",
  css,
  mend,
  build: view,
  engine: { vectors, placed, score, row, spread, codeShort, codeFull },
});
