// AttentionWeights: scores, mask, softmax and the mix of values, one row a query.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-attention-weights";
  if (F.specs[NAME]) return;
  const { h, rich, text, fmt, short, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  const table = (rows, columns, f) =>
    range(rows).map((i) => range(columns).map((j) => f(i, j)));
  // Nearly normal numbers of one decimal: an integer generator until the division, so
  // that Python has the same. A longer row begins with the shorter one.
  function normal(seed, row, count) {
    let s = F.mix((seed + Math.imul(row + 1, 0x9e3779b9)) | 0);
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
  function tensors(S) {
    if (S.q) return { q: S.q[S.head], k: S.k[S.head], v: S.v[S.head] };
    const rows = (first, width) =>
      range(S.length).map((i) => normal(S.seed, first + i, width));
    return { q: rows(0, S.d), k: rows(100, S.d), v: rows(200, 2) };
  }
  const sizes = (S) =>
    S.q ? [S.q[0].length, S.k[0].length, S.q[0][0].length] : [S.length, S.length, S.d];
  const keeps = (S) => S.api === "SDPA";
  // The boolean as it is passed; null for no mask.
  function mask(S) {
    const [L, K] = sizes(S);
    if (S.mask === "none") return null;
    const value = (i, j) =>
      S.mask === "causal"
        ? j <= i
        : S.mask === "padding"
          ? j < K - S.padded
          : S.own[i][j];
    return table(L, K, (i, j) => value(i, j) !== S.inverted);
  }
  function run(S) {
    const [L, K, d] = sizes(S),
      { q, k, v } = tensors(S),
      m = mask(S),
      scale = S.scaled ? Math.sqrt(d) : 1;
    const dots = table(L, K, (i, j) =>
      q[i].reduce((sum, a, c) => sum + a * k[j][c], 0),
    );
    const scores = dots.map((row) => row.map((a) => a / scale));
    const attends = table(L, K, (i, j) => !m || m[i][j] === keeps(S));
    const weights = scores.map((row, i) => {
      const seen = row.filter((_, j) => attends[i][j]);
      // nothing to attend to: 0 from the function, NaN from the module
      if (!seen.length) return row.map(() => (keeps(S) ? 0 : NaN));
      const top = Math.max(...seen),
        e = row.map((a, j) => (attends[i][j] ? Math.exp(a - top) : 0)),
        sum = e.reduce((a, b) => a + b, 0);
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
  function maskCode(S) {
    const [L, K] = sizes(S),
      not = S.inverted ? "~" : "";
    return S.mask === "causal"
      ? `${not}torch.ones(${L}, ${K}, dtype=torch.bool).tril()`
      : S.mask === "padding"
        ? `(${not}(torch.arange(${K}) < ${K - S.padded})).expand(${L}, ${K})`
        : `torch.tensor([${mask(S)
            .map((row) => `[${row.map((on) => (on ? "True" : "False")).join(", ")}]`)
            .join(", ")}])`;
  }
  const masked = (S) => (S.mask === "none" ? "" : ", attn_mask=mask");
  const call = (S) =>
    keeps(S)
      ? `y = F.scaled_dot_product_attention(q, k, v${masked(S)}${S.scaled ? "" : ", scale=1.0"})`
      : `y, weights = mha(q, k, v${masked(S)})`;
  // The comment would help a reader who has to guess.
  const codeShort = (S, hide) =>
    (S.mask === "none"
      ? ""
      : `mask = ${S.mask === "own" ? "..." : maskCode(S)}${hide ? "" : `  # True: ${keeps(S) ? "attend" : "block"}`}\n`) +
    call(S);
  function codeFull(S) {
    const t = tensors(S),
      [, , d] = sizes(S),
      n = t.v[0].length;
    const rows = (list) =>
      `torch.tensor([${list.map((r) => `[${r.join(", ")}]`).join(", ")}], dtype=torch.float64)`;
    return [
      "import torch",
      "import torch.nn.functional as F",
      "from torch import nn",
      ...["q", "k", "v"].map((key) => `${key} = ${rows(t[key])}`),
      ...(S.mask === "none" ? [] : [`mask = ${maskCode(S)}`]),
      ...(keeps(S)
        ? [
            "q, k, v = q[None, None], k[None, None], v[None, None]  # (N, heads, L, d)",
            call(S),
          ]
        : [
            `mha = nn.MultiheadAttention(${d}, 1, bias=False, kdim=${d}, vdim=${n}).double()`,
            "for p in mha.parameters():  # nothing is projected",
            "    nn.init.eye_(p)",
            ...(n === d
              ? [`mha.in_proj_weight.data[:] = torch.eye(${d}).repeat(3, 1)`]
              : []),
            call(S),
            "print(weights)",
          ]),
      "print(y)",
    ].join("\n");
  }

  const defaults = {
    length: 6,
    d: 8,
    scaled: true,
    mask: "none",
    padded: 2,
    inverted: false,
    own: null,
    api: "SDPA",
    at: [3, 1],
    head: 0,
    predict: false,
    stage: "weights",
    seed: 1,
    q: null,
    k: null,
    v: null,
  };

  const css = `
.side{gap:.4rem 1rem}
.side .block{--nn:28px}
.side .slice,.side .row{gap:1px}
.hd{width:28px}
.cell{border-radius:0}
.on{border-color:var(--ink);box-shadow:inset 0 0 0 1px var(--ink)}
${range(10)
  .map(
    (i) =>
      `.w${i}{background:color-mix(in srgb,var(--kernel-fill) ${Math.min(100, i * 14)}%,var(--bg))}`,
  )
  .join("")}
.w8,.w9{font-weight:700}
.never{background-image:repeating-linear-gradient(45deg,transparent 0 5px,var(--padding) 5px 6px)}
.v{background:var(--input-fill);border-color:var(--input)}
.y{border-color:var(--output);border-radius:8px}
.y.on{background:var(--output-fill)}
.side>.say{flex:1 1 17rem;align-self:center}
.tabs{display:none}
.field{width:5.6rem}
.more .field{width:8rem}
.controls{gap:.7rem .9rem}
@container(max-width:420px){.tabs{display:block}.stage:not(.now){display:none}}
@media(forced-colors:active){.on{outline:2px solid Highlight}}
`;
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
    const code = ui.code(),
      pick = (...at) => ui.update({ at });
    let state,
      open = "";
    const scores = ui.matrix("Scores", pick),
      masks = ui.matrix("Mask", pick),
      weights = ui.matrix("Weights", pick);
    const values = ui.matrix("Values", (j) => ui.update({ at: [state.at[0], j] })),
      outputs = ui.matrix("Output", (i) => ui.update({ at: [i, state.at[1]] }));
    // A click or Space turns a cell of the mask; the first one begins from what is shown.
    const turn = ([, i, j]) => {
      const m = mask(state) || table(...sizes(state).slice(0, 2), () => keeps(state));
      m[i][j] = !m[i][j];
      ui.update({ mask: "own", own: m, inverted: false, at: [i, j] });
    };
    masks.node.addEventListener("click", (e) => {
      if (e.target.at) turn(e.target.at);
    });
    masks.node.addEventListener("keydown", (e) => {
      if (!e.target.at || (e.key !== " " && e.key !== "Enter")) return;
      e.preventDefault();
      turn(e.target.at);
    });
    const own = (S) => Boolean(S.q);
    const controls = h(
      "div",
      { class: "controls" },
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
        (S) =>
          [...new Set([2, 4, 8, 16, 32, 64, S.d])]
            .sort((a, b) => a - b)
            .map((d) => [d, String(d)]),
        (S) => !own(S),
      ),
      ui.select(
        "head",
        "Head",
        (S) => range(own(S) ? S.q.length : 1).map((i) => [i, String(i)]),
        (S) => own(S) && S.q.length > 1,
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
        () => ui.update({ inverted: !state.inverted }),
        (S) => S.mask !== "none",
      ),
      ui.more(
        ui.range("length", "Tokens", { min: 2, max: () => 8, visible: (S) => !own(S) }),
        ui.range("padded", "Padded tokens", {
          min: 0,
          max: (S) => sizes(S)[1],
          visible: (S) => S.mask === "padding",
        }),
        ui.check("predict", "Guess first"),
      ),
    );
    const tabs = h(
      "div",
      { class: "controls tabs" },
      ui.choice(
        "stage",
        "Show",
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
    const asked = (S) =>
      JSON.stringify([mask(S), S.api, S.scaled, S.head, S.at[0], sizes(S)]);
    const choose = (guess, right) => () => {
      open = asked(state);
      const words = (list) => (list.length ? list.join(" or ") : "none");
      rich(
        verdict,
        right.includes(guess) || (guess < 0 && !right.length)
          ? [["output", "Right: "], words(right) + "."]
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

    function draw(S) {
      state = S;
      const r = run(S),
        [i, j] = S.at,
        top = best(r, i),
        none = !top.length,
        hide = S.predict && open !== asked(S);
      const [Q, K] = S.q ? ["query", "key"] : ["token", "token"],
        api = keeps(S) ? "SDPA" : "MultiheadAttention";
      const blocked = r.attends.flat().filter((on) => !on).length,
        w = r.weights[i],
        all = r.scores.flat(),
        mean = all.reduce((a, b) => a + b, 0) / all.length;
      const spread = Math.sqrt(
          all.reduce((sum, a) => sum + (a - mean) ** 2, 0) / all.length,
        ),
        first = Q[0].toUpperCase() + Q.slice(1);
      text(
        title,
        hide
          ? `Which ${K} will ${Q} ${i} attend to most, or none?`
          : none
            ? `${first} ${i} may attend to nothing: ${keeps(S) ? "SDPA gives zeros" : "MultiheadAttention gives NaN"}`
            : `${first} ${i} attends ${percent(w[top[0]])} % to ${K} ${top[0]}`,
      );
      text(
        sub,
        (!r.m
          ? "No mask. "
          : hide
            ? `The mask goes to ${api}. `
            : `For ${api}, True means ${keeps(S) ? "attend" : "block"}: ${blocked} of ${r.L * r.K} pair${r.L * r.K > 1 ? "s" : ""} ${blocked === 1 ? "is" : "are"} blocked. `) +
          `A row is a query, a column a key. The scores have standard deviation ${fmt(spread)}${S.scaled ? `, after dividing by \u221a${r.d}` : ", undivided"}.` +
          (S.q && S.q.length > 1
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
      verdict.hidden = !S.predict || hide;
      parts.forEach(([name, e]) => {
        e.className = "stage" + (name === S.stage ? " now" : "");
      });
      const on = (a) => (a === i ? " on" : ""),
        pair = (a, b) => `${Q} ${a}, ${K} ${b}`;
      text(
        scores.head,
        S.scaled ? `Scores q\u00b7k / \u221a${r.d}` : "Scores q\u00b7k",
      );
      scores.fill(
        r.L,
        r.K,
        (a, b) => ({
          text: short(r.scores[a][b]),
          cls: on(a) + (hide || r.attends[a][b] ? "" : " never"),
          label: `${pair(a, b)}: score ${fmt(r.scores[a][b])}${hide || r.attends[a][b] ? "" : ", becomes \u2212\u221e"}`,
        }),
        S.at,
      );
      text(masks.head, r.m ? "Mask: click a cell" : "No mask: click to block");
      masks.fill(
        r.L,
        r.K,
        (a, b) => ({
          text: r.m ? (r.m[a][b] ? "T" : "F") : "",
          cls: on(a) + (hide || r.attends[a][b] ? "" : " never"),
          label: `${pair(a, b)}: ${r.m ? (r.m[a][b] ? "True" : "False") : "no mask"}${hide ? "" : r.attends[a][b] ? ", attends" : ", blocked"}`,
        }),
        S.at,
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
        S.at,
      );
      const columns = Math.min(3, r.v[0].length),
        part =
          columns < r.v[0].length ? `, ${columns} of ${r.v[0].length} columns` : "";
      text(values.head, "Values" + part);
      values.fill(
        r.K,
        columns,
        (b, c) => ({
          text: short(r.v[b][c]),
          cls: "v" + (b === j ? " on" : ""),
          label: `value of ${K} ${b}, column ${c}: ${fmt(r.v[b][c])}`,
        }),
        [j, 0],
      );
      text(outputs.head, "Output" + part);
      outputs.fill(
        r.L,
        columns,
        (a, c) => ({
          text: hide ? "?" : short(r.output[a][c]),
          cls: "y" + on(a),
          label: `output of ${Q} ${a}, column ${c}${hide ? "" : `: ${fmt(r.output[a][c])}`}`,
        }),
        [i, 0],
      );
      rich(cell, [
        ["input", `score[${i}, ${j}]`],
        ` = q[${i}]\u00b7k[${j}]`,
        S.scaled ? ` / \u221a${r.d} = ${fmt(r.dots[i][j])} / ${fmt(r.scale)}` : "",
        ` = ${fmt(r.scores[i][j])}`,
        hide
          ? ""
          : r.attends[i][j]
            ? none
              ? ""
              : `, and its weight is ${fmt(w[j], 3)}`
            : ", masked: \u2212\u221e",
      ]);
      row.hidden = mix.hidden = hide;
      const seen = r.attends[i].filter(Boolean).length,
        terms = range(r.K)
          .filter((b) => w[b] > 0)
          .sort((a, b) => w[b] - w[a]);
      const large = terms.slice(0, 3).filter((b) => w[b] >= 0.005),
        rest = terms.length - large.length;
      rich(
        row,
        none
          ? [
              "softmax of nothing but \u2212\u221e is 0 / 0. ",
              keeps(S)
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
      code.set(codeShort(S, hide), codeFull(S));
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
  function mend(S) {
    const [L, K] = sizes(S),
      free = keeps(S) !== S.inverted,
      inside = (v, n) => Math.max(0, Math.min(v, n - 1));
    const own =
      S.own || S.mask === "own"
        ? table(L, K, (i, j) =>
            S.own && S.own[i] && S.own[i][j] !== undefined ? S.own[i][j] : free,
          )
        : null;
    return {
      own,
      scaled: S.scaled || !keeps(S),
      padded: Math.max(0, Math.min(S.padded, K)),
      at: [inside(S.at[0], L), inside(S.at[1], K)],
      head: S.q ? inside(S.head, S.q.length) : 0,
      inverted: S.inverted && S.mask !== "none",
    };
  }

  F.define(NAME, {
    label: "attention weights",
    defaults,
    css,
    mend,
    build: view,
    traits: [
      "length",
      "d",
      "scaled",
      "mask",
      "padded",
      "inverted",
      "own",
      "api",
      "at",
      "head",
      "predict",
    ],
    engine: { normal, tensors, sizes, mask, run, best, codeShort, codeFull, mend },
  });
})(globalThis);
