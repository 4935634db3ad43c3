// AttentionWeights: scores, mask, softmax and the mix of values, one row a query.

import css from "./attention_weights.css";
import { define, fmt, h, mix, range, rich, short, text } from "./core.js";

// ------------------------------------------- engine: no DOM, checked against torch
const table = (rows, columns, f) =>
  range(rows).map((i) => range(columns).map((j) => f(i, j)));
// Nearly normal numbers of one decimal: an integer generator until the division, so
// that Python has the same. A longer row begins with the shorter one.
function normal(seed, row, count) {
  let s = mix((seed + Math.imul(row + 1, 0x9e3779b9)) | 0);
  return range(count).map(() => {
    let sum = 0;
    for (let i = 0; i < 4; i++) {
      s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
      sum += s >>> 16;
    }
    return Math.floor((sum - 131070) / 3783.7 + 0.5) / 10;
  });
}
// The head's q (L, d), k (S, d) and v (S, d_v): the reader's, or small made-up numbers.
function tensors(state) {
  if (state.q)
    return { q: state.q[state.head], k: state.k[state.head], v: state.v[state.head] };
  const rows = (first, width) =>
    range(state.length).map((i) => normal(state.seed, first + i, width));
  return { q: rows(0, state.d), k: rows(100, state.d), v: rows(200, 2) };
}
const sizes = (state) =>
  state.q
    ? [state.q[0].length, state.k[0].length, state.q[0][0].length]
    : [state.length, state.length, state.d];
const keeps = (state) => state.api === "SDPA";
// The boolean as it is passed; null for no mask.
function mask(state) {
  const [L, K] = sizes(state);
  if (state.mask === "none") return null;
  const value = (i, j) => {
    if (state.mask === "causal") return j <= i;
    if (state.mask === "padding") return j < K - state.padded;
    return state.own[i][j];
  };
  return table(L, K, (i, j) => value(i, j) !== state.inverted);
}
function run(state) {
  const [L, K, d] = sizes(state);
  const { q, k, v } = tensors(state);
  const m = mask(state);
  const scale = state.scaled ? Math.sqrt(d) : 1;
  const dots = table(L, K, (i, j) => q[i].reduce((sum, a, c) => sum + a * k[j][c], 0));
  const scores = dots.map((row) => row.map((a) => a / scale));
  const attends = table(L, K, (i, j) => !m || m[i][j] === keeps(state));
  const weights = scores.map((row, i) => {
    const seen = row.filter((_, j) => attends[i][j]);
    // nothing to attend to: 0 from the function, NaN from the module
    if (!seen.length) return row.map(() => (keeps(state) ? 0 : NaN));
    const top = Math.max(...seen);
    const e = row.map((a, j) => (attends[i][j] ? Math.exp(a - top) : 0));
    const sum = e.reduce((a, b) => a + b, 0);
    return e.map((a) => a / sum);
  });
  const output = weights.map((w) =>
    v[0].map((_, c) => w.reduce((sum, a, j) => sum + a * v[j][c], 0)),
  );
  const entropy = weights.map((w) =>
    w.reduce((sum, a) => (a > 0 ? sum - a * Math.log2(a) : sum), 0),
  );
  return { L, K, d, m, v, scale, dots, scores, attends, weights, output, entropy };
}
// The keys with the largest weight of a query; none if it may attend to nothing.
const best = (r, i) =>
  range(r.K).filter(
    (j) =>
      r.attends[i][j] &&
      r.scores[i][j] === Math.max(...r.scores[i].filter((_, n) => r.attends[i][n])),
  );

// ------------------------------------------------------------------ code to copy
function maskCode(state) {
  const [L, K] = sizes(state);
  const not = state.inverted ? "~" : "";
  if (state.mask === "causal")
    return `${not}torch.ones(${L}, ${K}, dtype=torch.bool).tril()`;
  if (state.mask === "padding")
    return `(${not}(torch.arange(${K}) < ${K - state.padded})).expand(${L}, ${K})`;
  return `torch.tensor([${mask(state)
    .map((row) => `[${row.map((on) => (on ? "True" : "False")).join(", ")}]`)
    .join(", ")}])`;
}
const masked = (state) => (state.mask === "none" ? "" : ", attn_mask=mask");
const call = (state) =>
  keeps(state)
    ? `y = F.scaled_dot_product_attention(q, k, v${masked(state)}${state.scaled ? "" : ", scale=1.0"})`
    : `y, weights = mha(q, k, v${masked(state)})`;
// The comment would help a reader who has to guess.
const codeShort = (state, hide) =>
  (state.mask === "none"
    ? ""
    : `mask = ${state.mask === "own" ? "..." : maskCode(state)}${hide ? "" : `  # True: ${keeps(state) ? "attend" : "block"}`}\n`) +
  call(state);
function codeFull(state) {
  const t = tensors(state);
  const [, , d] = sizes(state);
  const n = t.v[0].length;
  const rows = (list) =>
    `torch.tensor([${list.map((r) => `[${r.join(", ")}]`).join(", ")}], dtype=torch.float64)`;
  return [
    ...["q", "k", "v"].map((key) => `${key} = ${rows(t[key])}`),
    ...(state.mask === "none" ? [] : [`mask = ${maskCode(state)}`]),
    ...(keeps(state)
      ? [
          "q, k, v = q[None, None], k[None, None], v[None, None]  # (N, heads, L, d)",
          call(state),
        ]
      : [
          `mha = nn.MultiheadAttention(${d}, 1, bias=False, kdim=${d}, vdim=${n}).double()`,
          "for p in mha.parameters():  # nothing is projected",
          "    nn.init.eye_(p)",
          ...(n === d
            ? [`mha.in_proj_weight.data[:] = torch.eye(${d}).repeat(3, 1)`]
            : []),
          call(state),
          "print(weights)",
        ]),
    "print(y)",
  ].join("\n");
}

const STAGES = ["scores", "mask", "weights", "output"];
const percent = (w) => (Number.isNaN(w) ? "NaN" : fmt(100 * w, 0));

function view(ui) {
  const [title, sub, verdict, cell, row, mix] = [
    "claim",
    "sub",
    "line",
    "line",
    "line",
    "line",
  ].map((name) => h("p", { class: name }));
  const code = ui.code();
  const pick = (...at) => ui.update({ at });

  let open = "";
  const scores = ui.matrix("Scores", pick);
  const masks = ui.matrix("Mask", pick);
  const weights = ui.matrix("Weights", pick);
  const values = ui.matrix("Values", (j) => ui.update({ at: [ui.state.at[0], j] }));
  const outputs = ui.matrix("Output", (i) => ui.update({ at: [i, ui.state.at[1]] }));
  // A click or Space turns a cell of the mask; the first one begins from what is shown.
  const turn = ([, i, j]) => {
    const m =
      mask(ui.state) || table(...sizes(ui.state).slice(0, 2), () => keeps(ui.state));
    m[i][j] = !m[i][j];
    ui.update({ mask: "own", own: m, inverted: false, at: [i, j] });
  };
  masks.node.addEventListener("click", (e) => {
    const place = masks.placeOf(e.target);
    if (place) turn(place);
  });
  masks.node.addEventListener("keydown", (e) => {
    const place = masks.placeOf(e.target);
    if (!place || (e.key !== " " && e.key !== "Enter")) return;
    e.preventDefault();
    turn(place);
  });
  const own = (state) => Boolean(state.q);
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.choice(
      "mask",
      "Mask",
      ["none", "causal", "padding", "own"].map((m) => [m, m]),
    ),
    ui.choice("api", "Passed to", [
      ["SDPA", "SDPA"],
      ["MHA", "MultiheadAttention"],
    ]),
    ui.select(
      "d",
      "d of q and k",
      (state) =>
        [...new Set([2, 4, 8, 16, 32, 64, state.d])]
          .sort((a, b) => a - b)
          .map((d) => [d, String(d)]),
      (state) => !own(state),
    ),
    ui.select(
      "head",
      "Head",
      (state) => range(own(state) ? state.q.length : 1).map((i) => [i, String(i)]),
      (state) => own(state) && state.q.length > 1,
    ),
    ui.choice(
      "scaled",
      "Divide by \u221ad",
      [
        [true, "yes"],
        [false, "no"],
      ],
      keeps,
    ),
    ui.button(
      "Invert mask",
      () => ui.update({ inverted: !ui.state.inverted }),
      (state) => state.mask !== "none",
    ),
    ui.more(
      ui.range("length", "Tokens", {
        min: 2,
        max: () => 8,
        visible: (state) => !own(state),
      }),
      ui.range("padded", "Padded tokens", {
        min: 0,
        max: (state) => sizes(state)[1],
        visible: (state) => state.mask === "padding",
      }),
      ui.check("predict", "Guess first"),
    ),
  );
  const tabs = h(
    "div",
    { class: "controls tabs" },
    ui.choice(
      "stage",
      "View",
      STAGES.map((s) => [s, s]),
    ),
  );
  const options = h("div", { class: "buttons" });
  const parts = [
    ["scores", scores.node],
    ["mask", masks.node],
    ["weights", weights.node],
    ["output", values.node],
    ["output", outputs.node],
  ];
  const asked = (state) =>
    JSON.stringify([
      mask(state),
      state.api,
      state.scaled,
      state.head,
      state.at[0],
      sizes(state),
    ]);
  const choose = (guess, right) => () => {
    open = asked(ui.state);
    const words = (list) => (list.length ? list.join(" or ") : "none");
    rich(
      verdict,
      right.includes(guess) || (guess < 0 && !right.length)
        ? [["output", "Right: "], `${words(right)}.`]
        : [
            ["error", "Not quite: "],
            `you said ${guess < 0 ? "none" : guess}, it is ${words(right)}.`,
          ],
    );
    ui.update({}, true);
    ui.say(`${verdict.textContent} ${title.textContent}.`);
    // the button is gone: the chosen weight takes the focus, where it is shown
    weights.node.querySelector("[aria-selected=true]").focus({ preventScroll: true });
  };

  function draw(state) {
    const r = run(state);
    const [i, j] = state.at;
    const top = best(r, i);
    const none = !top.length;
    const hide = state.predict && open !== asked(state);
    const [Q, K] = state.q ? ["query", "key"] : ["token", "token"];
    const api = keeps(state) ? "SDPA" : "MultiheadAttention";
    const blocked = r.attends.flat().filter((on) => !on).length;
    const w = r.weights[i];
    const all = r.scores.flat();
    const mean = all.reduce((a, b) => a + b, 0) / all.length;
    const spread = Math.sqrt(
      all.reduce((sum, a) => sum + (a - mean) ** 2, 0) / all.length,
    );
    const first = Q[0].toUpperCase() + Q.slice(1);
    const titleWords = () => {
      if (hide) return `Which ${K} will ${Q} ${i} attend to most, or none?`;
      if (none)
        return `${first} ${i} may attend to nothing: ${keeps(state) ? "SDPA gives zeros" : "MultiheadAttention gives NaN"}`;
      return `${first} ${i} attends ${percent(w[top[0]])} % to ${K} ${top[0]}`;
    };
    text(title, titleWords());
    const aboutMask = () => {
      if (!r.m) return "No mask. ";
      if (hide) return `The mask goes to ${api}. `;
      return `For ${api}, True means ${keeps(state) ? "attend" : "block"}: ${blocked} of ${r.L * r.K} pair${r.L * r.K > 1 ? "s" : ""} ${blocked === 1 ? "is" : "are"} blocked. `;
    };
    text(
      sub,
      aboutMask() +
        `A row is a query, a column a key. The scores have standard deviation ${fmt(spread)}${state.scaled ? `, after dividing by \u221a${r.d}` : ", undivided"}.` +
        (state.q && state.q.length > 1
          ? " The output is this head\u2019s, before out_proj."
          : ""),
    );
    options.hidden = !hide;
    if (hide)
      options.replaceChildren(
        ...[...range(r.K), -1].map((n) =>
          ui.button(n < 0 ? "none" : String(n), choose(n, top)),
        ),
      );
    verdict.hidden = !state.predict || hide;
    parts.forEach(([name, e]) => {
      e.className = `stage${name === state.stage ? " now" : ""}`;
    });
    const on = (a) => (a === i ? " on" : "");
    const pair = (a, b) => `${Q} ${a}, ${K} ${b}`;
    text(
      scores.head,
      state.scaled ? `Scores q\u00b7k / \u221a${r.d}` : "Scores q\u00b7k",
    );
    scores.fill(
      r.L,
      r.K,
      (a, b) => ({
        text: short(r.scores[a][b]),
        cls: on(a) + (hide || r.attends[a][b] ? "" : " never"),
        label: `${pair(a, b)}: score ${fmt(r.scores[a][b])}${hide || r.attends[a][b] ? "" : ", becomes \u2212\u221e"}`,
      }),
      state.at,
    );
    text(masks.head, r.m ? "Mask: click a cell" : "No mask: click to block");
    const letter = (a, b) => {
      if (r.m) return r.m[a][b] ? "T" : "F";
      return "";
    };
    const boolean = (a, b) => {
      if (r.m) return r.m[a][b] ? "True" : "False";
      return "no mask";
    };
    const fate = (a, b) => {
      if (hide) return "";
      if (r.attends[a][b]) return ", attends";
      return ", blocked";
    };
    masks.fill(
      r.L,
      r.K,
      (a, b) => ({
        text: letter(a, b),
        cls: on(a) + (hide || r.attends[a][b] ? "" : " never"),
        label: `${pair(a, b)}: ${boolean(a, b)}${fate(a, b)}`,
      }),
      state.at,
    );
    text(weights.head, "Weights in %");
    weights.fill(
      r.L,
      r.K,
      (a, b) =>
        hide
          ? { text: "?", cls: on(a), label: pair(a, b) }
          : {
              text: percent(r.weights[a][b]),
              cls:
                `w${Math.min(9, Math.floor(10 * r.weights[a][b] || 0))}` +
                on(a) +
                (r.attends[a][b] ? "" : " never"),
              label: `${first} ${a} attends ${percent(r.weights[a][b])} % to ${K} ${b}`,
            },
      state.at,
    );
    const columns = Math.min(3, r.v[0].length);
    const part =
      columns < r.v[0].length ? `, ${columns} of ${r.v[0].length} columns` : "";
    text(values.head, `Values${part}`);
    values.fill(
      r.K,
      columns,
      (b, c) => ({
        text: short(r.v[b][c]),
        cls: `v${b === j ? " on" : ""}`,
        label: `value of ${K} ${b}, column ${c}: ${fmt(r.v[b][c])}`,
      }),
      [j, 0],
    );
    text(outputs.head, `Output${part}`);
    outputs.fill(
      r.L,
      columns,
      (a, c) => ({
        text: hide ? "?" : short(r.output[a][c]),
        cls: `y${on(a)}`,
        label: `output of ${Q} ${a}, column ${c}${hide ? "" : `: ${fmt(r.output[a][c])}`}`,
      }),
      [i, 0],
    );
    const outcome = () => {
      if (hide) return "";
      if (r.attends[i][j]) return none ? "" : `, and its weight is ${fmt(w[j], 3)}`;
      return ", masked: \u2212\u221e";
    };
    rich(cell, [
      ["input", `score[${i}, ${j}]`],
      ` = q[${i}]\u00b7k[${j}]`,
      state.scaled ? ` / \u221a${r.d} = ${fmt(r.dots[i][j])} / ${fmt(r.scale)}` : "",
      ` = ${fmt(r.scores[i][j])}`,
      outcome(),
    ]);
    row.hidden = mix.hidden = hide;
    const seen = r.attends[i].filter(Boolean).length;
    const terms = range(r.K)
      .filter((b) => w[b] > 0)
      .sort((a, b) => w[b] - w[a]);
    const large = terms.slice(0, 3).filter((b) => w[b] >= 0.005);
    const rest = terms.length - large.length;
    rich(
      row,
      none
        ? [
            "softmax of nothing but \u2212\u221e is 0 / 0. ",
            keeps(state)
              ? "SDPA replaces it by zeros."
              : "MultiheadAttention passes the NaN on.",
          ]
        : [
            ["kernel", `weights[${i}]`],
            ` sum to 1; entropy ${fmt(r.entropy[i])} bits, `,
            [
              "muted",
              seen > 1
                ? `even over ${seen} would be ${fmt(Math.log2(seen))}`
                : "and one key left gets all",
            ],
          ],
    );
    rich(mix, [
      ["output", `output[${i}]`],
      " = ",
      ...large.flatMap((b, n) => [
        n ? " + " : "",
        ["kernel", fmt(w[b])],
        "\u00b7",
        ["input", `v[${b}]`],
      ]),
      rest ? ` + ${rest} more` : "",
      terms.length ? " = " : "",
      [
        "output",
        `[${r.output[i]
          .slice(0, columns)
          .map((a) => fmt(a))
          .join(", ")}${part && ", \u2026"}]`,
      ],
    ]);
    code.set(codeShort(state, hide), codeFull(state));
    return hide
      ? `${title.textContent} ${cell.textContent}.`
      : `${title.textContent}. ${cell.textContent}. ${row.textContent}.`;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      tabs,
      options,
      verdict,
      h(
        "div",
        { class: "side" },
        ...parts.map(([, e]) => e),
        h("div", { class: "say" }, cell, row, mix),
      ),
      code.node,
    ],
    draw,
  };
}

// MultiheadAttention always divides by the root; own masks follow the number of tokens.
function mend(state) {
  const [L, K] = sizes(state);
  const free = keeps(state) !== state.inverted;
  const inside = (v, n) => Math.max(0, Math.min(v, n - 1));
  const own =
    state.own || state.mask === "own"
      ? table(L, K, (i, j) =>
          state.own && state.own[i] && state.own[i][j] !== undefined
            ? state.own[i][j]
            : free,
        )
      : null;
  return {
    own,
    scaled: state.scaled || !keeps(state),
    padded: Math.max(0, Math.min(state.padded, K)),
    at: [inside(state.at[0], L), inside(state.at[1], K)],
    head: state.q ? inside(state.head, state.q.length) : 0,
    inverted: state.inverted && state.mask !== "none",
  };
}

define("nn-attention-weights", {
  label: "attention weights",
  css,
  mend,
  build: view,
  engine: { normal, tensors, sizes, mask, run, best, codeShort, codeFull, mend },
});
