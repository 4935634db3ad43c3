// CachedDecoder: a causal head that writes token after token, with its cache or without.

import css from "./cached_decoder.css";
import { clamp, define, fmt, h, plural, range, rich, short, text } from "./core.js";

// ------------------------------------------- engine: no DOM, checked against torch
const number = (part, count, row) =>
  range(count).map(
    (i) => (((7 * part + 5 * row + 3 * i + row * i) % 9) - 4) / (part ? 4 : 2),
  );
const tokens = (state) =>
  state.x || range(state.length).map((i) => number(0, state.d, i));
const weight = (state, part) => range(state.d).map((i) => number(part, state.d, i));
const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

// All that is there at this step; rows of earlier tokens are the same at each step.
function run(state) {
  const x = tokens(state).slice(0, state.step);
  const [q, k, v] = [1, 2, 3].map((part) => {
    const rows = weight(state, part);
    return x.map((token) => rows.map((row) => dot(row, token)));
  });
  const weights = q.map((query, i) => {
    const scores = k.slice(0, i + 1).map((key) => dot(query, key) / Math.sqrt(state.d));
    const top = Math.max(...scores);
    const e = scores.map((score) => Math.exp(score - top));
    const sum = e.reduce((a, b) => a + b, 0);
    return e.map((value) => value / sum);
  });
  const output = weights.map((row) =>
    range(state.d).map((c) => row.reduce((sum, share, j) => sum + share * v[j][c], 0)),
  );
  return { x, q, k, v, weights, output };
}
// Multiplications of a step, and the numbers kept for the next.
function work({ d, cache }, step) {
  const rows = cache ? 1 : step;
  return {
    project: 3 * rows * d * d,
    attend: 2 * rows * step * d,
    kept: cache ? 2 * step * d : 0,
  };
}
const all = (state, upto) =>
  range(upto).reduce((sum, t) => {
    const { project, attend } = work(state, t + 1);
    return sum + project + attend;
  }, 0);

const listed = (rows) => `[${rows.map((row) => `[${row.join(", ")}]`).join(", ")}]`;
const STEP = {
  true: [
    "k = torch.cat([k, W_k @ x_t[:, None]], 1)  # (d, t)",
    "v = torch.cat([v, W_v @ x_t[:, None]], 1)  # (d, t)",
    "y_t = v @ ((W_q @ x_t) @ k / d**0.5).softmax(-1)  # (d,)",
  ],
  false: [
    "q, k, v = x @ W_q.T, x @ W_k.T, x @ W_v.T  # (t, d) each",
    "y_t = F.scaled_dot_product_attention(q, k, v, is_causal=True)[-1]  # (d,)",
  ],
};
const codeShort = (state) => STEP[state.cache].join("\n");
const codeFull = (state) =>
  [
    `d, tokens = ${state.d}, torch.tensor(${listed(tokens(state).slice(0, state.step))}, dtype=torch.float64)`,
    ...["q", "k", "v"].map(
      (name, i) =>
        `W_${name} = torch.tensor(${listed(weight(state, i + 1))}, dtype=torch.float64)`,
    ),
    ...(state.cache
      ? [
          "k = v = torch.empty(d, 0, dtype=torch.float64)",
          "for x_t in tokens:",
          ...STEP.true.map((line) => `    ${line}`),
        ]
      : [
          "for t in range(1, len(tokens) + 1):",
          "    x = tokens[:t]",
          ...STEP.false.map((line) => `    ${line}`),
        ]),
    "print(y_t)",
  ].join("\n");

function view(ui) {
  const [title, sub, line, sum] = ["claim", "sub", "line", "line"].map((name) =>
    h("p", { class: name }),
  );
  const code = ui.code();
  const pick = (at) => ui.update({ at: clamp(at, 0, ui.state.step - 1) });
  const keys = ui.matrix("Keys", pick);
  const values = ui.matrix("Values", pick);
  const shares = ui.matrix("Weights", pick);
  const query = ui.matrix("Query", () => {});
  const output = ui.matrix("Output", () => {});
  for (const { node } of [query, output]) node.classList.add("one");
  const go = (by) => () => ui.update({ step: ui.state.step + by });
  const controls = h(
    "div",
    { class: "controls bar" },
    h(
      "div",
      { class: "buttons" },
      ui.button("Back", go(-1), (state) => state.step > 1),
      ui.button("Next token", go(1), (state) => state.step < state.length),
    ),
    ui.choice("cache", "Keys and values", [
      [true, "kept"],
      [false, "computed anew"],
    ]),
    ui.range("step", "Tokens", { min: 1, max: (state) => state.length }),
    ui.range("d", "d", { min: 1, max: () => 4, visible: (state) => !state.x }),
  );

  function draw(state) {
    const r = run(state);
    const { project, attend, kept } = work(state, state.step);
    const last = state.step - 1;
    const other = all({ ...state, cache: !state.cache }, state.step);
    text(
      title,
      state.cache
        ? `Token ${last}: one new key and value, ${project + attend} multiplications`
        : `Token ${last}: ${plural(state.step, "key")} and ${plural(state.step, "value")} ` +
            `anew, ${project + attend} multiplications`,
    );
    const done = `${all(state, state.step)} multiplications in all`;
    text(
      sub,
      `${plural(state.step, "token")} so far: ${done}, ${other} ` +
        (state.cache
          ? `without a cache. Kept: ${kept} numbers, 2 \u00b7 ${state.step} \u00b7 ${state.d}.`
          : "with a cache. Nothing is kept."),
    );
    const made = (i) => (!state.cache || i === last ? " new" : " kept");
    const fill = (matrix, rows, cls, says, chosen) =>
      matrix.fill(
        rows.length,
        rows[0].length,
        (i, c) => ({
          text: short(rows[i][c]),
          cls: cls(i),
          label: `${says(i)}, feature ${c}: ${fmt(rows[i][c])}`,
        }),
        [chosen, 0],
      );
    const told = (name) => (i) =>
      `${name} of token ${i}, ${!state.cache || i === last ? "computed now" : "kept"}`;
    fill(keys, r.k, (i) => `key${made(i)}`, told("key"), state.at);
    fill(values, r.v, (i) => `value${made(i)}`, told("value"), state.at);
    fill(
      query,
      [r.q[last]],
      () => "query new",
      () => `query of token ${last}`,
      0,
    );
    fill(
      output,
      [r.output[last]],
      () => "y new",
      () => `output of token ${last}`,
      0,
    );
    text(shares.head, "Weights in %");
    shares.fill(
      state.step,
      1,
      (i) => ({
        text: fmt(100 * r.weights[last][i], 0),
        cls: `w${Math.min(9, Math.floor(10 * r.weights[last][i]))}`,
        label: `token ${last} attends ${fmt(100 * r.weights[last][i], 0)} % to token ${i}`,
      }),
      [state.at, 0],
    );
    rich(line, [
      ["kernel", `key ${state.at}`],
      state.cache && state.at < last
        ? `: kept since step ${state.at + 1}, the same numbers ever since. `
        : ": computed at this step. ",
      `Token ${last} attends ${fmt(100 * r.weights[last][state.at], 0)} % to it.`,
    ]);
    rich(sum, [
      ["output", `output ${last}`],
      ` = [${r.output[last].map((value) => fmt(value)).join(", ")}], `,
      state.cache ? "as without a cache" : "as with a cache",
      ["muted", `${project} to project, ${attend} to attend`],
    ]);
    code.set(codeShort(state), codeFull(state));
    return `${title.textContent}. ${line.textContent}`;
  }
  return {
    nodes: [
      title,
      sub,
      h(
        "div",
        { class: "side" },
        query.node,
        keys.node,
        shares.node,
        values.node,
        output.node,
      ),
      line,
      sum,
      controls,
      code.node,
    ],
    draw,
  };
}

function mend(state) {
  const step = clamp(state.step, 1, state.length);
  return { step, at: clamp(state.at, 0, step - 1) };
}

define("nn-cached-decoder", {
  label: "decoder with a cache",
  css,
  mend,
  build: view,
  engine: { tokens, run, work, all, codeShort, codeFull },
});
