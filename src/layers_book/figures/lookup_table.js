// LookupTable: Embedding picks rows; the same as one-hot times weight, and in gradient.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-lookup-table";
  if (F.specs[NAME]) return;
  const { h, rich, text, fmt, short, plural, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  // The table as it was made: the reader's, or small numbers; a fresh padding row is 0.
  function table(S) {
    return range(S.num_embeddings).map((i) =>
      range(S.embedding_dim).map((j) =>
        S.weight
          ? S.weight[i][j]
          : i === S.padding_idx
            ? 0
            : (((7 * i + 5 * j + 3 * i * j) % 9) - 4) / 2,
      ),
    );
  }
  function error(S) {
    const { num_embeddings: V, embedding_dim: D, max_norm } = S,
      beyond = S.indices.filter((i) => i >= V);
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
  function lookup(S) {
    const weight = table(S),
      shrunk = [];
    if (S.max_norm !== null)
      for (const i of new Set(S.indices)) {
        const size = norm(weight[i]);
        if (size <= S.max_norm) continue;
        weight[i] = weight[i].map((v) => (v * S.max_norm) / (size + 1e-7));
        shrunk.push(i);
      }
    const counts = range(S.num_embeddings).map(
      (i) => S.indices.filter((k) => k === i).length,
    );
    return {
      weight,
      shrunk,
      counts,
      output: S.indices.map((i) => weight[i]),
      gradient: counts.map((n, i) => (i === S.padding_idx ? 0 : n)),
    };
  }
  const oneHot = (S) =>
    S.indices.map((i) => range(S.num_embeddings).map((k) => +(k === i)));

  // ------------------------------------------------------------------ code to copy
  function layerCode(S) {
    const more = [
      ["padding_idx", S.padding_idx],
      ["max_norm", S.max_norm],
    ].filter(([, v]) => v !== null);
    return `nn.Embedding(${[S.num_embeddings, S.embedding_dim, ...more.map(([k, v]) => `${k}=${v}`)].join(", ")})`;
  }
  const codeShort = (S) =>
    `layer = ${layerCode(S)}\ny = layer(torch.tensor([${S.indices.join(", ")}]))  # (L, D) = (${S.indices.length}, ${S.embedding_dim})`;
  const codeFull = (S) =>
    [
      `layer = ${layerCode(S)}`,
      `layer.weight.data[:] = torch.tensor([${table(S)
        .map((r) => `[${r.join(", ")}]`)
        .join(", ")}])`,
      `y = layer(torch.tensor([${S.indices.join(", ")}]))`,
      "y.sum().backward()",
      "print(y)",
      "print(layer.weight.grad)",
    ].join("\n");

  const defaults = {
    num_embeddings: 6,
    embedding_dim: 3,
    indices: [3, 1, 3, 0],
    padding_idx: null,
    max_norm: null,
    view: "lookup",
    at: 0,
    index: 3,
    weight: null,
  };

  const css = `
.cell.on{background:var(--kernel-fill);border:2px solid var(--kernel)}
.cell.y{background:var(--output-fill);border-color:var(--output);border-radius:calc(var(--nn)*.28)}
.cell.i{background:var(--input-fill);border-color:var(--input)}
.cell.g{background:var(--gradient-fill);border-color:var(--gradient)}
.cell.pad{border:1px dashed var(--padding);color:var(--muted)}
`;

  function view(ui) {
    const title = h("p", { class: "claim" }),
      sub = h("p", { class: "sub" }),
      line = h("p", { class: "line" });
    const problem = ui.errorLine(),
      code = ui.code();
    const pick = (at) => ui.update({ at }, true);
    const hot = ui.matrix("Indices", pick),
      out = ui.matrix("Output: one row an index", pick);
    const rows = ui.matrix("Weight: one row an entry", (index) => ui.update({ index }));
    const grads = ui.matrix("Gradient of the weight", (index) => ui.update({ index }));
    const controls = h(
      "div",
      { class: "controls" },
      ui.choice("view", "Show", [
        ["lookup", "lookup"],
        ["one-hot", "one-hot times weight"],
        ["gradient", "gradient"],
      ]),
      ui.range("at", "Position", { min: 0, max: (S) => S.indices.length - 1 }),
      ui.range("index", "Index at this position", {
        min: 0,
        max: (S) => S.num_embeddings,
      }),
      ui.select("padding_idx", "padding_idx", (S) => [
        [null, "None"],
        ...range(S.num_embeddings).map((i) => [i, String(i)]),
      ]),
      ui.select("max_norm", "max_norm", (S) =>
        [...new Set([null, 1, 2, 3, S.max_norm])].map((v) => [
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

    function draw(S) {
      const bad = error(S),
        index = S.indices[S.at],
        hidden = Boolean(bad);
      const r = bad
        ? {
            weight: table(S),
            shrunk: [],
            counts: range(S.num_embeddings).map(() => 0),
            gradient: [],
          }
        : lookup(S);
      const padded = index === S.padding_idx,
        reached = r.gradient.filter(Boolean).length,
        chosen = Math.min(index, S.num_embeddings - 1);
      text(
        title,
        bad
          ? `The table has no row ${Math.max(...S.indices)}`
          : S.view === "gradient"
            ? `${plural(reached, "row")} of ${S.num_embeddings} ${reached === 1 ? "receives" : "receive"} gradient`
            : `Index ${index} picks row ${index}` +
              (S.view === "one-hot" ? ": its one-hot row times the weight" : ""),
      );
      text(
        sub,
        `${S.indices.length} ${S.indices.length === 1 ? "index" : "indices"} in, ${plural(S.indices.length, "row")} of ${S.embedding_dim} numbers out, from ${S.num_embeddings * S.embedding_dim} parameters.`,
      );
      problem.set(bad);
      const many = S.view === "one-hot" && !bad;
      text(hot.head, many ? "One-hot: one row an index" : "Indices");
      fill(
        hot,
        many ? oneHot(S) : S.indices.map((i) => [i]),
        (p, c) => (!many || S.indices[p] === c ? "i" : ""),
        (p) => `position ${p}, index ${S.indices[p]}`,
        S.at,
      );
      fill(
        rows,
        r.weight,
        (i) => (i === index && !bad ? "on " : "") + (i === S.padding_idx ? "pad" : ""),
        (i) =>
          `row ${i}${i === S.padding_idx ? ", padding_idx" : ""}${i === index ? ", picked" : ""}`,
        chosen,
      );
      const back = S.view === "gradient";
      out.node.hidden = hidden || back;
      grads.node.hidden = hidden || !back;
      if (!bad) {
        fill(
          out,
          r.output,
          (p) => (p === S.at ? "y" : ""),
          (p) => `position ${p}`,
          S.at,
        );
        fill(
          grads,
          r.gradient.map((n) => range(S.embedding_dim).map(() => n)),
          (i) => (r.gradient[i] ? "g" : i === S.padding_idx ? "pad" : ""),
          (i) => `row ${i}`,
          chosen,
        );
      }
      line.hidden = hidden;
      const times = plural(r.counts[index], "time");
      if (!bad)
        rich(
          line,
          back
            ? [
                ["gradient", `row ${index}`],
                padded
                  ? " is padding_idx: no gradient, though it was picked " + times
                  : ` was picked ${times}, so the gradient of output.sum() is ${r.gradient[index]} in each column`,
              ]
            : [
                ["output", `output[${S.at}]`],
                " = ",
                ["input", S.view === "one-hot" ? `one_hot(${index}) @ ` : ""],
                ["kernel", `weight${S.view === "one-hot" ? "" : `[${index}]`}`],
                ` = [${r.output[S.at].map((v) => fmt(v)).join(", ")}]`,
                [
                  "muted",
                  r.shrunk.includes(index)
                    ? `the call itself shrank row ${index} to norm ${fmt(S.max_norm)}`
                    : padded
                      ? "padding_idx: no gradient"
                      : "",
                ],
              ],
        );
      code.set(codeShort(S), codeFull(S));
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
  function mend(S, patch) {
    const at = Math.max(0, Math.min(S.indices.length - 1, S.at));
    if (!("index" in patch) || "indices" in patch) return { at, index: S.indices[at] };
    return { at, indices: S.indices.map((i, p) => (p === at ? S.index : i)) };
  }

  F.define(NAME, {
    label: "lookup table",
    defaults,
    css,
    mend,
    build: view,
    traits: ["indices", "padding_idx", "max_norm", "view", "at"],
    engine: { table, error, lookup, oneHot, codeShort, codeFull },
  });
})(globalThis);
