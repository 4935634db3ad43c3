// SequenceShapes: an unrolled recurrent layer, and where each of its states is returned.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-sequence-shapes";
  if (F.specs[NAME]) return;
  const { h, rich, text, attr, plural, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  // A node is [layer, direction, step]; the input of a step is [-1, 0, step].
  const dirs = (S) => (S.bidirectional ? 2 : 1);
  const rows = (S) => S.num_layers * dirs(S);
  const outSize = (S) => S.proj_size || S.hidden_size;
  const last = (S, d) => (d ? 0 : S.L - 1);
  function shapes(S) {
    const N = S.N ? [S.N] : [],
      seq = (size) => [...(S.batch_first ? [...N, S.L] : [S.L, ...N]), size];
    return {
      input: seq(S.input_size),
      output: seq(dirs(S) * outSize(S)),
      h_n: [rows(S), ...N, outSize(S)],
      c_n: S.kind === "LSTM" ? [rows(S), ...N, S.hidden_size] : null,
    };
  }
  // The shape of the h_0 that is passed (size: of its last axis); null: none is.
  function given(S, size = outSize(S)) {
    if (S.h_0 === "none") return null;
    if (S.h_0 === "batch first") return [S.N || 1, rows(S), size];
    return [S.h_0 === "right" ? rows(S) : 1, ...(S.N ? [S.N] : []), size];
  }
  const list = (shape) => shape.join(", ");
  const tuple = (shape) => `(${list(shape)}${shape.length === 1 ? "," : ""})`;
  function error(S) {
    const fail = (type, words, what) => ({ type, text: words, what }),
      lstm = S.kind === "LSTM",
      got = given(S);
    if (S.proj_size && !lstm)
      return fail(
        "ValueError",
        "proj_size argument is only supported for LSTM, not RNN or GRU",
        "layer",
      );
    if (S.proj_size >= S.hidden_size)
      return fail(
        "ValueError",
        "proj_size has to be smaller than hidden_size",
        "layer",
      );
    if (!got) return null;
    if (!S.N && got.length === 3)
      return fail(
        "RuntimeError",
        "For unbatched 2-D input, hx " +
          (lstm
            ? "and cx should also be 2-D but got (3-D, 3-D) tensors"
            : "should also be 2-D but got 3-D tensor"),
        "h_0",
      );
    // torch gives an unbatched state the batch of 1
    const full = (shape) => (S.N ? shape : [shape[0], 1, shape[1]]),
      want = full(shapes(S).h_n);
    return list(want) === list(full(got))
      ? null
      : fail(
          "RuntimeError",
          `Expected hidden${lstm ? "[0]" : ""} size ${tuple(want)}, got [${list(full(got))}]`,
          "h_0",
        );
  }
  // Each after what it reads: the backward direction begins at the last step.
  const states = (S) =>
    range(S.num_layers).flatMap((l) =>
      range(dirs(S)).flatMap((d) => range(S.L).map((i) => [l, d, d ? S.L - 1 - i : i])),
    );
  const inputs = (S) => range(S.L).map((t) => [-1, 0, t]);
  // What one cell reads: the layer below at its own step, and its direction's step before.
  function reads(S, [l, d, t]) {
    if (l < 0) return [];
    const below = l ? range(dirs(S)).map((e) => [l - 1, e, t]) : [[-1, 0, t]],
      before = d ? t + 1 : t - 1;
    return before >= 0 && before < S.L ? [...below, [l, d, before]] : below;
  }
  // The names of all nodes that this one depends on.
  function feeds(S, node) {
    const found = new Set(),
      todo = reads(S, node);
    for (let next; (next = todo.pop()); )
      if (!found.has(String(next))) {
        found.add(String(next));
        todo.push(...reads(S, next));
      }
    return found;
  }
  // The names of all states that depend on this node.
  function reached(S, node) {
    const found = new Set(),
      start = String(node);
    for (const b of states(S))
      if (reads(S, b).some((a) => String(a) === start || found.has(String(a))))
        found.add(String(b));
    return found;
  }
  const half = (S, d) =>
    S.bidirectional ? [d ? outSize(S) + ":" : ":" + outSize(S)] : [];
  const place = (S, t) => (S.N ? (S.batch_first ? [S.n, t] : [t, S.n]) : [t]);
  // The index of a node in each tensor that holds it, else null.
  function where(S, [l, d, t]) {
    const ends = l >= 0 && t === last(S, d),
      k = l * dirs(S) + d,
      state = (name) => (ends ? `${name}[${list([k, ...(S.N ? [S.n] : [])])}]` : null);
    return {
      input: l < 0 ? `input[${list(place(S, t))}]` : null,
      output:
        l === S.num_layers - 1
          ? `output[${list([...place(S, t), ...half(S, d)])}]`
          : null,
      h_n: state("h_n"),
      c_n: S.kind === "LSTM" ? state("c_n") : null,
    };
  }
  // Slices of output to choose from when the reader guesses; null: not in output.
  function guesses(S) {
    const steps = [...new Set([0, S.L - 1, S.at[2]])],
      top = S.num_layers - 1;
    return [
      ...steps.flatMap((t) => range(dirs(S)).map((d) => where(S, [top, d, t]).output)),
      null,
    ];
  }

  // ------------------------------------------------------------------ code to copy
  function layerCode(S) {
    const more = {
      num_layers: [S.num_layers, 1],
      bidirectional: [S.bidirectional, false],
      batch_first: [S.batch_first, false],
      proj_size: [S.proj_size, 0],
    };
    const words = Object.entries(more)
      .filter(([, [v, usual]]) => v !== usual)
      .map(([k, [v]]) => [k, v]);
    const own = Object.entries(S.keywords).filter(
      ([k]) => k !== "nonlinearity" || S.kind === "RNN",
    );
    const python = (v) =>
      typeof v === "boolean" ? (v ? "True" : "False") : JSON.stringify(v);
    return `nn.${S.kind}(${[S.input_size, S.hidden_size, ...[...words, ...own].map(([k, v]) => `${k}=${python(v)}`)].join(", ")})`;
  }
  const results = (S) => (S.kind === "LSTM" ? "output, (h_n, c_n)" : "output, h_n");
  const call = (S) =>
    `${results(S)} = layer(input${S.h_0 === "none" ? "" : S.kind === "LSTM" ? ", (h_0, c_0)" : ", h_0"})`;
  const codeShort = (S) =>
    `layer = ${layerCode(S)}\n${call(S)}  # input: ${tuple(shapes(S).input)}`;
  function codeFull(S) {
    const zeros = (name, size) => `${name} = torch.zeros${tuple(given(S, size))}`,
      lstm = S.kind === "LSTM",
      found = Object.values(where(S, S.at)).filter(Boolean);
    return [
      "import torch",
      "from torch import nn",
      `layer = ${layerCode(S)}`,
      `input = torch.randn${tuple(shapes(S).input)}`,
      ...(S.h_0 === "none"
        ? []
        : [zeros("h_0", outSize(S)), ...(lstm ? [zeros("c_0", S.hidden_size)] : [])]),
      call(S),
      ...Object.entries(shapes(S))
        .slice(1)
        .filter(([, v]) => v)
        .map(([k]) => `print("${k}", tuple(${k}.shape))`),
      ...found.map((at) => `print("${at}", ${at})`),
    ].join("\n");
  }

  const defaults = {
    kind: "GRU",
    L: 5,
    N: 2,
    num_layers: 2,
    bidirectional: true,
    batch_first: false,
    input_size: 4,
    hidden_size: 3,
    proj_size: 0,
    h_0: "none",
    at: [1, 1, 0],
    n: 0,
    predict: false,
    keywords: {},
  };

  const css = `
.block{--nn:30px}.side .block{--nn:27px;gap:.2rem .9rem}
.block .slice,.block .row{gap:2px}
.hd:first-child{width:1.7rem}.cap{padding-left:1.7rem;font-weight:400;font-size:.8rem}
.graph .cap{display:none}
.ends .hd:first-child{width:3rem}
.cell.f{background:var(--input-fill);border-color:var(--input);border-radius:1px}
.cell.r{background:var(--output-fill);border-color:var(--output);border-radius:calc(var(--nn)*.35)}
.cell.on{background:var(--ink);color:var(--bg);font-weight:700}
.cell.x{border-style:dotted;border-color:var(--input)}
.cell.x.f{border-style:solid}
.field{width:6.4rem}.more .field{width:9rem}.field:has(select){width:12rem}
.controls{gap:.7rem 1rem}
.part{overflow-wrap:anywhere}
.ask{margin:.6rem 0}.ask .buttons{margin-top:.3rem}.ask button{font:13px ui-monospace,Consolas,monospace}
@media(forced-colors:active){.cell.on{outline:3px solid Highlight}.cell.f{border-width:3px}.cell.r{border:3px dashed}}
`;

  function view(ui) {
    const [title, sub, line, note, key] = ["claim", "sub", "line", "line", "sub"].map(
      (name) => h("p", { class: name }),
    );
    const problem = ui.errorLine(),
      code = ui.code(),
      question = h("span"),
      options = h("div", { class: "buttons" });
    const ask = h("div", { class: "ask" }, question, options),
      verdict = h("p", { class: "line" });
    let state = null,
      open = "";
    // A guess holds for the setting and the state that were asked.
    const hides = (S) => S.predict && !error(S) && open !== JSON.stringify(S);
    const atRow = (S, r) =>
      r < rows(S) ? [S.num_layers - 1 - Math.floor(r / dirs(S)), r % dirs(S)] : [-1, 0];
    const rowOf = (S, [l, d]) =>
      l < 0 ? rows(S) : (S.num_layers - 1 - l) * dirs(S) + d;
    const arrow = (l, d) => l + (d ? "\u2190" : "\u2192");
    const graph = ui.grid("Unrolled: layers by steps", ([, r, t]) =>
      ui.update({ at: [...atRow(state, r), t] }, true),
    );
    graph.node.classList.add("graph");
    const spot = (S, a, b) => (S.N ? (S.batch_first ? [b, a] : [a, b]) : [a, 0]);
    // A returned tensor: a click picks the state that stands there. find(S, slice, row, column) -> [node, sample]
    const tensor = (name, find, put) => {
      const head = h("p", {
        class: "part r-" + (name === "input" ? "input" : "output"),
      });
      const grid = ui.grid(name, ([i, r, c]) => {
        const [at, n] = find(state, i, r, c);
        ui.update({ at, n }, true);
      });
      grid.node.classList.toggle("ends", name.endsWith("_n"));
      return { name, head, grid, find, put, node: h("div", {}, head, grid.node) };
    };
    const across = (S, r, c) => (S.N ? (S.batch_first ? [c, r] : [r, c]) : [r, 0]);
    const seq = (name, layer) =>
      tensor(
        name,
        (S, i, r, c) => {
          const [t, n] = across(S, r, c);
          return [[layer(S), i, t], n];
        },
        (S, [, d, t]) => [d, ...spot(S, t, S.n)],
      );
    const ends = (name) =>
      tensor(
        name,
        (S, _, r, c) => {
          const d = r % dirs(S);
          return [[Math.floor(r / dirs(S)), d, last(S, d)], c];
        },
        (S, [l, d]) => [0, Math.max(0, l * dirs(S) + d), S.n],
      );
    const tensors = [
      seq("input", () => -1),
      seq("output", (S) => S.num_layers - 1),
      ends("h_n"),
      ends("c_n"),
    ];
    const side = h("div", { class: "side" }, ...tensors.map((t) => t.node));
    const controls = h(
      "div",
      { class: "controls" },
      ui.choice(
        "kind",
        "Layer",
        ["RNN", "GRU", "LSTM"].map((k) => [k, k]),
      ),
      ui.range("num_layers", "num_layers", { min: 1, max: () => 3 }),
      ui.range("L", "Steps L", { min: 1, max: () => 8 }),
      ui.check("bidirectional", "bidirectional"),
      ui.check("batch_first", "batch_first"),
      ui.more(
        ui.range("N", "Batch N (0: none)", { min: 0, max: () => 3 }),
        ui.range("n", "Sample n", {
          min: 0,
          max: (S) => Math.max(1, S.N) - 1,
          visible: (S) => S.N > 1,
        }),
        ui.range("hidden_size", "hidden_size", { min: 1, max: () => 6 }),
        ui.range("proj_size", "proj_size", { min: 0, max: () => 6 }),
        ui.select("h_0", "h_0 passed", (S) => [
          ["none", "none"],
          ["right", "shape of h_n"],
          ["batch first", S.N ? "batch first" : "with a batch of 1"],
          ["one row", "one row in all"],
        ]),
        ui.check("predict", "Guess first"),
      ),
    );

    const way = (S, d) => (S.bidirectional ? (d ? ", backward" : ", forward") : "");
    const name = (S, [l, d, t]) =>
      l < 0 ? `input of step ${t}` : `layer ${l}${way(S, d)}, step ${t}`;
    const upper = (words) => words[0].toUpperCase() + words.slice(1);
    const steps = (all, L) =>
      all.length === L && L > 1
        ? L === 2
          ? "both steps"
          : `all ${L} steps`
        : all.length === 1
          ? `step ${all[0]}`
          : `steps ${all[0]} ${all.length > 2 ? "to" : "and"} ${all.at(-1)}`;
    const isIn = (w) =>
      w.output
        ? w.h_n
          ? "in output and in h_n"
          : "in output, not in h_n"
        : w.h_n
          ? "in h_n, not in output"
          : "in neither output nor h_n";
    const letters = (S) => {
      const out = (S.bidirectional ? "2\u00b7" : "") + "H_out",
        K = S.bidirectional ? "num_layers\u00b72" : "num_layers",
        N = S.N ? ["N"] : [],
        both = S.batch_first ? [...N, "L"] : ["L", ...N];
      return {
        input: [...both, "H_in"],
        output: [...both, out],
        h_n: [K, ...N, "H_out"],
        c_n: [K, ...N, "H_cell"],
      };
    };

    function paint(S, secret) {
      const before = feeds(S, S.at),
        after = reached(S, S.at),
        me = String(S.at);
      const cls = (node) =>
        secret
          ? ""
          : String(node) === me
            ? " on"
            : before.has(String(node))
              ? " f"
              : after.has(String(node))
                ? " r"
                : "";
      const say = {
        " on": ", chosen",
        " f": ", feeds the chosen one",
        " r": ", depends on the chosen one",
        "": "",
      };
      graph.size(1, rows(S) + !S.predict, S.L);
      graph.patch(
        {
          slice: () => "Unrolled",
          row: (r) => {
            const [l, d] = atRow(S, r);
            return l < 0 ? "x" : arrow(l, d);
          },
          column: (_, t) => String(t),
        },
        (_, r, t) => {
          const node = [...atRow(S, r), t],
            w = where(S, node),
            c = cls(node);
          return {
            text: secret ? "" : (w.output ? "o" : "") + (w.h_n ? "h" : ""),
            cls: (node[0] < 0 ? "x" : "") + c,
            label:
              name(S, node) + (secret || node[0] < 0 ? "" : ": " + isIn(w)) + say[c],
          };
        },
        [0, rowOf(S, S.at), S.at[2]],
      );
      side.hidden = secret;
      const shape = shapes(S),
        letter = letters(S);
      for (const { name: id, head, grid, find, put, node: box } of tensors) {
        box.hidden = !shape[id];
        if (!shape[id]) continue;
        const [R, C] = [shape[id][0], S.N ? shape[id][1] : 1],
          long = id === "input" || id === "output",
          many = id === "output" ? dirs(S) : 1;
        text(head, `${id} (${list(letter[id])}) = ${tuple(shape[id])}`);
        const held = where(S, S.at)[id];
        grid.size(many, R, C);
        grid.patch(
          {
            slice: (i) =>
              id === "output" && S.bidirectional ? `[..., ${half(S, i)}]` : "",
            row: (r) =>
              long
                ? String(r)
                : `${r} (${arrow(Math.floor(r / dirs(S)), r % dirs(S))})`,
            column: (_, c) => (S.N ? String(c) : ""),
          },
          (i, r, c) => {
            const [node, n] = find(S, i, r, c),
              mark = n === S.n ? cls(node) : "";
            return {
              text: long ? "" : String(node[2]),
              cls: (id === "input" ? "x" : "") + mark,
              label: `${where({ ...S, n }, node)[id]}: ${name(S, node)}${mark && say[mark]}`,
            };
          },
          held
            ? put(S, S.at)
            : long
              ? put(S, [0, id === "output" ? Math.max(0, S.at[1]) : 0, S.at[2]])
              : put(S, S.at),
        );
        if (!held)
          attr(
            grid.node.querySelector("[aria-selected=true]"),
            "aria-selected",
            "false",
          );
      }
    }

    // Which entries of output depend on the chosen node, one phrase a direction.
    function reach(S) {
      const after = reached(S, S.at),
        top = S.num_layers - 1;
      return range(dirs(S))
        .map((d) => [d, range(S.L).filter((t) => after.has(String([top, d, t])))])
        .filter(([, all]) => all.length)
        .map(
          ([d, all]) =>
            `${S.bidirectional ? `output[..., ${half(S, d)}]` : "output"} at ${steps(all, S.L)}`,
        )
        .join(" and ");
    }
    function words(S) {
      const [l, d, t] = S.at,
        w = where(S, S.at),
        end = last(S, d),
        who = upper(name(S, S.at));
      if (l < 0)
        rich(line, [
          ["input", w.input],
          ` is the ${name(S, S.at)}${S.N ? `, sample ${S.n}` : ""}. It reaches `,
          ["output", reach(S)],
          ".",
        ]);
      else
        rich(line, [
          `${who}${S.N ? `, sample ${S.n}` : ""}, is `,
          ...(w.output && w.h_n
            ? [
                ["output", w.output],
                " and also ",
                ["output", w.h_n],
                ": the same numbers.",
              ]
            : w.output
              ? [
                  ["output", w.output],
                  `. h_n holds ${S.bidirectional ? `the ${d ? "backward" : "forward"} direction` : "this layer"} at step ${end}, its last.`,
                ]
              : w.h_n
                ? [["output", w.h_n], `. output holds layer ${S.num_layers - 1} only.`]
                : [
                    `not returned: output holds layer ${S.num_layers - 1} only, h_n holds ${S.bidirectional ? `the ${d ? "backward" : "forward"} direction` : "each layer"} at step ${end} only.`,
                  ]),
          S.kind === "LSTM"
            ? w.c_n
              ? ` Its cell state is ${w.c_n}.`
              : " Its cell state is not returned."
            : "",
        ]);
      const before = feeds(S, S.at),
        read = range(S.L).filter((s) => before.has(String([-1, 0, s]))),
        on = reach(S);
      text(
        note,
        l < 0
          ? ""
          : `It depends on the input of ${steps(read, S.L)}` +
              `; it reaches ${on || "nothing else in output"}.`,
      );
    }
    // A batch-first h_0 that torch takes without a word.
    const silent = (S) => S.h_0 === "batch first" && S.N && S.N === rows(S) && S.N > 1;

    const focus = () =>
      graph.node.querySelector("[aria-selected]").focus({ preventScroll: true });
    function choose(guess) {
      open = JSON.stringify(state);
      const right = where(state, state.at).output;
      rich(
        verdict,
        guess === right
          ? [["output", "Right: "], right ? right + "." : "it is not in output."]
          : [
              ["statistic", "Not quite: "],
              `you said ${guess || "not in output"}; it is ${right || "not in output"}.`,
            ],
      );
      ui.update({});
      focus();
    }
    function draw(S) {
      state = { ...S };
      const bad = error(S),
        secret = hides(S),
        shape = shapes(S),
        w = where(S, S.at);
      const top = range(dirs(S)).flatMap((d) =>
          range(S.L).map((t) => String([S.num_layers - 1, d, t])),
        ),
        after = reached(S, S.at);
      text(
        title,
        bad
          ? `torch refuses this ${bad.what}`
          : secret
            ? `${upper(name(S, S.at))}: which slice of output is it?`
            : silent(S)
              ? "A batch-first h_0 fits by chance: no error, mixed-up samples"
              : S.at[0] < 0
                ? `Input of step ${S.at[2]} reaches ${top.filter((b) => after.has(b)).length} of ${plural(top.length, "vector")} in output`
                : `${upper(name(S, S.at))}: ${isIn(w)}`,
      );
      text(
        sub,
        bad && bad.what === "layer"
          ? ""
          : `${S.kind}: input ${tuple(shape.input)}, output ${tuple(shape.output)}, h_n ${tuple(shape.h_n)}${shape.c_n ? `, c_n ${tuple(shape.c_n)}` : ""}` +
              (bad ? `; h_0 passed: ${tuple(given(S))}` : "") +
              ". " +
              (S.N
                ? `${S.batch_first ? "Batch" : "Time"} is axis 0 of input and output; h_n has the layers there in any case.`
                : "Without a batch axis, batch_first moves nothing."),
      );
      problem.set(bad);
      for (const e of [graph.node, side, line, note, key]) e.hidden = Boolean(bad);
      ask.hidden = !secret;
      verdict.hidden = Boolean(bad) || secret || !S.predict;
      code.node.hidden = secret;
      code.set(codeShort(S), codeFull(S));
      if (bad) return `torch raises ${bad.type}: ${bad.text}`;
      // a click in a tensor may hide it
      const lost = secret && side.matches(":focus-within");
      paint(S, secret);
      if (lost) focus();
      line.hidden = note.hidden = key.hidden = secret;
      if (secret) {
        text(question, "Your guess:");
        options.replaceChildren(
          ...guesses(S).map((g) => ui.button(g || "not in output", () => choose(g))),
        );
        return title.textContent;
      }
      words(S);
      text(
        key,
        `o: in output; h: in h_n. ${S.at[0] < 0 ? "" : "Blue, square: feeds the chosen state. "}Green, round: depends on the chosen ${S.at[0] < 0 ? "input" : "state"}. Each cell of a tensor stands for the numbers of its last axis` +
          `${S.bidirectional ? ", in output for one half of them" : ""}; in h_n${shape.c_n ? " and c_n" : ""} it shows the step.`,
      );
      return `${title.textContent}. ${line.textContent} ${note.textContent}`;
    }
    return {
      nodes: [
        title,
        sub,
        controls,
        problem.node,
        ask,
        verdict,
        graph.node,
        line,
        note,
        side,
        key,
        code.node,
      ],
      draw,
    };
  }

  // A chosen state and a sample that exist; a guess is about a state, not about the input.
  function mend(S) {
    const clamp = (v, low, high) => Math.max(low, Math.min(high, v)),
      [l, d, t] = S.at;
    const layer = clamp(l, S.predict ? 0 : -1, S.num_layers - 1);
    return {
      at: [layer, layer < 0 ? 0 : clamp(d, 0, dirs(S) - 1), clamp(t, 0, S.L - 1)],
      n: clamp(S.n, 0, Math.max(1, S.N) - 1),
    };
  }

  F.define(NAME, {
    label: "sequence shapes",
    defaults,
    css,
    mend,
    build: view,
    traits: Object.keys(defaults).slice(0, 13),
    engine: {
      shapes,
      error,
      states,
      inputs,
      feeds,
      reached,
      where,
      guesses,
      layerCode,
      codeShort,
      codeFull,
      mend,
    },
  });
})(globalThis);
