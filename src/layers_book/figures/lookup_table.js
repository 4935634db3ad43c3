// LookupTable: Embedding picks rows; the same as one-hot times weight, and in gradient.
import { define, fmt, h, plural, range, rich, short, text } from "./core.js";
import css from "./lookup_table.css";

// ------------------------------------------- engine: no DOM, checked against torch
// The table as it was made: the reader's, or small numbers; a fresh padding row is 0.
function table(state) {
  return range(state.num_embeddings).map((i) =>
    range(state.embedding_dim).map((j) => {
      if (state.weight) return state.weight[i][j];
      if (i === state.padding_idx) return 0;
      return (((7 * i + 5 * j + 3 * i * j) % 9) - 4) / 2;
    }),
  );
}
function error(state) {
  const { num_embeddings: V, embedding_dim: D, max_norm } = state;
  const beyond = state.indices.filter((i) => i >= V);
  if (!beyond.length) return null;
  return {
    type: "IndexError",
    text:
      max_norm === null
        ? "index out of range in self"
        : `select(): index ${Math.min(...beyond)} out of range for tensor of size [${V}, ${D}] at dimension 0`,
  };
}
const norm = (row) => Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
// Weight after the call, output, and the gradient of output.sum().
function lookup(state) {
  const weight = table(state);
  const shrunk = [];
  if (state.max_norm !== null)
    for (const i of new Set(state.indices)) {
      const size = norm(weight[i]);
      if (size <= state.max_norm) continue;
      weight[i] = weight[i].map((v) => (v * state.max_norm) / (size + 1e-7));
      shrunk.push(i);
    }
  const counts = range(state.num_embeddings).map(
    (i) => state.indices.filter((k) => k === i).length,
  );
  return {
    weight,
    shrunk,
    counts,
    output: state.indices.map((i) => weight[i]),
    gradient: counts.map((n, i) => (i === state.padding_idx ? 0 : n)),
  };
}
const oneHot = (state) =>
  state.indices.map((i) => range(state.num_embeddings).map((k) => +(k === i)));

// ------------------------------------------------------------------ code to copy
function layerCode(state) {
  const more = [
    ["padding_idx", state.padding_idx],
    ["max_norm", state.max_norm],
  ].filter(([, v]) => v !== null);
  return `nn.Embedding(${[state.num_embeddings, state.embedding_dim, ...more.map(([k, v]) => `${k}=${v}`)].join(", ")})`;
}
const codeShort = (state) =>
  `layer = ${layerCode(state)}\ny = layer(torch.tensor([${state.indices.join(", ")}]))  # (L, D) = (${state.indices.length}, ${state.embedding_dim})`;
const codeFull = (state) =>
  [
    `layer = ${layerCode(state)}`,
    `layer.weight.data[:] = torch.tensor([${table(state)
      .map((r) => `[${r.join(", ")}]`)
      .join(", ")}])`,
    `y = layer(torch.tensor([${state.indices.join(", ")}]))`,
    "y.sum().backward()",
    "print(y)",
    "print(layer.weight.grad)",
  ].join("\n");

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const line = h("p", { class: "line" });
  const problem = ui.errorLine();
  const code = ui.code();
  const pick = (at) => ui.update({ at }, true);
  const hot = ui.matrix("Indices", pick);
  const out = ui.matrix("Output: one row an index", pick);
  const rows = ui.matrix("Weight: one row an entry", (index) => ui.update({ index }));
  const grads = ui.matrix("Gradient of the weight", (index) => ui.update({ index }));
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.choice("view", "View", [
      ["lookup", "lookup"],
      ["one-hot", "one-hot times weight"],
      ["gradient", "gradient"],
    ]),
    ui.range("at", "Position", { min: 0, max: (state) => state.indices.length - 1 }),
    ui.range("index", "Index at this position", {
      min: 0,
      max: (state) => state.num_embeddings,
    }),
    ui.select("padding_idx", "padding_idx", (state) => [
      [null, "None"],
      ...range(state.num_embeddings).map((i) => [i, String(i)]),
    ]),
    ui.select("max_norm", "max_norm", (state) =>
      [...new Set([null, 1, 2, 3, state.max_norm])].map((v) => [
        v,
        v === null ? "None" : String(v),
      ]),
    ),
  );

  function fill(matrix, list, cls, say, chosen) {
    matrix.fill(
      list.length,
      list[0].length,
      (r, c) => ({
        text: short(list[r][c]),
        cls: cls(r, c),
        label: `${say(r)}, column ${c}: ${fmt(list[r][c])}`,
      }),
      [chosen, 0],
    );
  }

  function draw(state) {
    const bad = error(state);
    const index = state.indices[state.at];
    const hidden = Boolean(bad);
    const r = bad
      ? {
          weight: table(state),
          shrunk: [],
          counts: range(state.num_embeddings).map(() => 0),
          gradient: [],
        }
      : lookup(state);
    const padded = index === state.padding_idx;
    const reached = r.gradient.filter(Boolean).length;
    const chosen = Math.min(index, state.num_embeddings - 1);
    const titleWords = () => {
      if (bad) return `The table has no row ${Math.max(...state.indices)}`;
      if (state.view === "gradient")
        return `${plural(reached, "row")} of ${state.num_embeddings} ${reached === 1 ? "receives" : "receive"} gradient`;
      return (
        `Index ${index} picks row ${index}` +
        (state.view === "one-hot" ? ": its one-hot row times the weight" : "")
      );
    };
    text(title, titleWords());
    text(
      sub,
      `${state.indices.length} ${state.indices.length === 1 ? "index" : "indices"} in, ${plural(state.indices.length, "row")} of ${state.embedding_dim} numbers out, from ${state.num_embeddings * state.embedding_dim} parameters.`,
    );
    problem.set(bad);
    const many = state.view === "one-hot" && !bad;
    text(hot.head, many ? "One-hot: one row an index" : "Indices");
    fill(
      hot,
      many ? oneHot(state) : state.indices.map((i) => [i]),
      (p, c) => (!many || state.indices[p] === c ? "i" : ""),
      (p) => `position ${p}, index ${state.indices[p]}`,
      state.at,
    );
    fill(
      rows,
      r.weight,
      (i) =>
        (i === index && !bad ? "on " : "") + (i === state.padding_idx ? "pad" : ""),
      (i) =>
        `row ${i}${i === state.padding_idx ? ", padding_idx" : ""}${i === index ? ", picked" : ""}`,
      chosen,
    );
    const back = state.view === "gradient";
    out.node.hidden = hidden || back;
    grads.node.hidden = hidden || !back;
    if (!bad) {
      fill(
        out,
        r.output,
        (p) => (p === state.at ? "y" : ""),
        (p) => `position ${p}`,
        state.at,
      );
      fill(
        grads,
        r.gradient.map((n) => range(state.embedding_dim).map(() => n)),
        (i) => {
          if (r.gradient[i]) return "g";
          if (i === state.padding_idx) return "pad";
          return "";
        },
        (i) => `row ${i}`,
        chosen,
      );
    }
    line.hidden = hidden;
    const times = plural(r.counts[index], "time");
    const remark = () => {
      if (r.shrunk.includes(index))
        return `the call itself shrank row ${index} to norm ${fmt(state.max_norm)}`;
      if (padded) return "padding_idx: no gradient";
      return "";
    };
    if (!bad)
      rich(
        line,
        back
          ? [
              ["gradient", `row ${index}`],
              padded
                ? ` is padding_idx: no gradient, though it was picked ${times}`
                : ` was picked ${times}, so the gradient of output.sum() is ${r.gradient[index]} in each column`,
            ]
          : [
              ["output", `output[${state.at}]`],
              " = ",
              ["input", state.view === "one-hot" ? `one_hot(${index}) @ ` : ""],
              ["kernel", `weight${state.view === "one-hot" ? "" : `[${index}]`}`],
              ` = [${r.output[state.at].map((v) => fmt(v)).join(", ")}]`,
              ["muted", remark()],
            ],
      );
    code.set(codeShort(state), codeFull(state));
    return bad
      ? `torch raises ${bad.type}: ${bad.text}`
      : `${title.textContent}. ${line.textContent}.`;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      problem.node,
      h("div", { class: "side" }, hot.node, rows.node, out.node, grads.node),
      line,
      code.node,
    ],
    draw,
  };
}

// One position is chosen; the slider and a click in the table write its index.
function mend(state, patch) {
  const at = Math.max(0, Math.min(state.indices.length - 1, state.at));
  if (!("index" in patch) || "indices" in patch)
    return { at, index: state.indices[at] };
  return { at, indices: state.indices.map((i, p) => (p === at ? state.index : i)) };
}

define("nn-lookup-table", {
  label: "lookup table",
  css,
  mend,
  build: view,
  engine: { table, error, lookup, oneHot, codeShort, codeFull },
});
