// SequenceShapes: an unrolled recurrent layer, and where each of its states is returned.
import { attr, define, h, plural, range, rich, text } from "./core.js";
import css from "./sequence_shapes.css";

// ------------------------------------------- engine: no DOM, checked against torch
// A node is [layer, direction, step]; the input of a step is [-1, 0, step].
const dirs = (state) => (state.bidirectional ? 2 : 1);
const rows = (state) => state.num_layers * dirs(state);
const outSize = (state) => state.proj_size || state.hidden_size;
const last = (state, d) => (d ? 0 : state.L - 1);
function shapes(state) {
  const N = state.N ? [state.N] : [];
  const seq = (size) => [
    ...(state.batch_first ? [...N, state.L] : [state.L, ...N]),
    size,
  ];
  return {
    input: seq(state.input_size),
    output: seq(dirs(state) * outSize(state)),
    h_n: [rows(state), ...N, outSize(state)],
    c_n: state.kind === "LSTM" ? [rows(state), ...N, state.hidden_size] : null,
  };
}
// The shape of the h_0 that is passed (size: of its last axis); null: none is.
function given(state, size = outSize(state)) {
  if (state.h_0 === "none") return null;
  if (state.h_0 === "batch first") return [state.N || 1, rows(state), size];
  return [state.h_0 === "right" ? rows(state) : 1, ...(state.N ? [state.N] : []), size];
}
const list = (shape) => shape.join(", ");
const tuple = (shape) => `(${list(shape)}${shape.length === 1 ? "," : ""})`;
function error(state) {
  const fail = (type, words, what) => ({ type, text: words, what });
  const lstm = state.kind === "LSTM";
  const got = given(state);
  if (state.proj_size && !lstm)
    return fail(
      "ValueError",
      "proj_size argument is only supported for LSTM, not RNN or GRU",
      "layer",
    );
  if (state.proj_size >= state.hidden_size)
    return fail("ValueError", "proj_size has to be smaller than hidden_size", "layer");
  if (!got) return null;
  if (!state.N && got.length === 3)
    return fail(
      "RuntimeError",
      "For unbatched 2-D input, hx " +
        (lstm
          ? "and cx should also be 2-D but got (3-D, 3-D) tensors"
          : "should also be 2-D but got 3-D tensor"),
      "h_0",
    );
  // torch gives an unbatched state the batch of 1
  const full = (shape) => (state.N ? shape : [shape[0], 1, shape[1]]);
  const want = full(shapes(state).h_n);
  return list(want) === list(full(got))
    ? null
    : fail(
        "RuntimeError",
        `Expected hidden${lstm ? "[0]" : ""} size ${tuple(want)}, got [${list(full(got))}]`,
        "h_0",
      );
}
// Each after what it reads: the backward direction begins at the last step.
const states = (state) =>
  range(state.num_layers).flatMap((l) =>
    range(dirs(state)).flatMap((d) =>
      range(state.L).map((i) => [l, d, d ? state.L - 1 - i : i]),
    ),
  );
const inputs = (state) => range(state.L).map((t) => [-1, 0, t]);
// What one cell reads: the layer below at its own step, and its direction's step before.
function reads(state, /** @type {number[]} */ [l, d, t]) {
  if (l < 0) return [];
  const below = l ? range(dirs(state)).map((e) => [l - 1, e, t]) : [[-1, 0, t]];
  const before = d ? t + 1 : t - 1;
  return before >= 0 && before < state.L ? [...below, [l, d, before]] : below;
}
// The names of all nodes that this one depends on.
function feeds(state, node) {
  const found = new Set();
  const todo = reads(state, node);
  while (todo.length) {
    const next = todo.pop();
    if (found.has(String(next))) continue;
    found.add(String(next));
    todo.push(...reads(state, next));
  }
  return found;
}
// The names of all states that depend on this node.
function reached(state, node) {
  const found = new Set();
  const start = String(node);
  for (const b of states(state))
    if (reads(state, b).some((a) => String(a) === start || found.has(String(a))))
      found.add(String(b));
  return found;
}
const half = (state, d) =>
  state.bidirectional ? [d ? `${outSize(state)}:` : `:${outSize(state)}`] : [];
const place = (state, t) => {
  if (state.N) return state.batch_first ? [state.n, t] : [t, state.n];
  return [t];
};
// The index of a node in each tensor that holds it, else null.
function where(state, /** @type {number[]} */ [l, d, t]) {
  const ends = l >= 0 && t === last(state, d);
  const k = l * dirs(state) + d;
  const returned = (name) =>
    ends ? `${name}[${list([k, ...(state.N ? [state.n] : [])])}]` : null;
  return {
    input: l < 0 ? `input[${list(place(state, t))}]` : null,
    output:
      l === state.num_layers - 1
        ? `output[${list([...place(state, t), ...half(state, d)])}]`
        : null,
    h_n: returned("h_n"),
    c_n: state.kind === "LSTM" ? returned("c_n") : null,
  };
}
// Slices of output to choose from when the reader guesses; null: not in output.
function guesses(state) {
  const steps = [...new Set([0, state.L - 1, state.at[2]])];
  const top = state.num_layers - 1;
  return [
    ...steps.flatMap((t) =>
      range(dirs(state)).map((d) => where(state, [top, d, t]).output),
    ),
    null,
  ];
}

// ------------------------------------------------------------------ code to copy
function layerCode(state) {
  const more = {
    num_layers: [state.num_layers, 1],
    bidirectional: [state.bidirectional, false],
    batch_first: [state.batch_first, false],
    proj_size: [state.proj_size, 0],
  };
  const words = Object.entries(more)
    .filter(([, [v, usual]]) => v !== usual)
    .map(([k, [v]]) => [k, v]);
  const own = Object.entries(state.keywords).filter(
    ([k]) => k !== "nonlinearity" || state.kind === "RNN",
  );
  const python = (v) => {
    if (typeof v === "boolean") return v ? "True" : "False";
    return JSON.stringify(v);
  };
  return `nn.${state.kind}(${[state.input_size, state.hidden_size, ...[...words, ...own].map(([k, v]) => `${k}=${python(v)}`)].join(", ")})`;
}
const results = (state) =>
  state.kind === "LSTM" ? "output, (h_n, c_n)" : "output, h_n";
const passed = (state) => {
  if (state.h_0 === "none") return "";
  if (state.kind === "LSTM") return ", (h_0, c_0)";
  return ", h_0";
};
const call = (state) => `${results(state)} = layer(input${passed(state)})`;
const codeShort = (state) =>
  `layer = ${layerCode(state)}\n${call(state)}  # input: ${tuple(shapes(state).input)}`;
function codeFull(state) {
  const zeros = (name, size) => `${name} = torch.zeros${tuple(given(state, size))}`;
  const lstm = state.kind === "LSTM";
  const found = Object.values(where(state, state.at)).filter(Boolean);
  return [
    "torch.manual_seed(0)",
    `layer = ${layerCode(state)}`,
    `input = torch.randn${tuple(shapes(state).input)}`,
    ...(state.h_0 === "none"
      ? []
      : [
          zeros("h_0", outSize(state)),
          ...(lstm ? [zeros("c_0", state.hidden_size)] : []),
        ]),
    call(state),
    ...Object.entries(shapes(state))
      .slice(1)
      .filter(([, v]) => v)
      .map(([k]) => `print("${k}", tuple(${k}.shape))`),
    ...found.map((at) => `print("${at}", ${at})`),
  ].join("\n");
}

function view(ui) {
  const [title, sub, line, note, key] = ["claim", "sub", "line", "line", "sub"].map(
    (name) => h("p", { class: name }),
  );
  const problem = ui.errorLine();
  const code = ui.code();
  const question = h("span");
  const options = h("div", { class: "buttons" });
  const ask = h("div", { class: "ask" }, question, options);
  const verdict = h("p", { class: "line" });

  let open = "";
  // A guess holds for the setting and the state that were asked.
  const hides = (state) =>
    state.predict && !error(state) && open !== JSON.stringify(state);
  const atRow = (state, r) =>
    r < rows(state)
      ? [state.num_layers - 1 - Math.floor(r / dirs(state)), r % dirs(state)]
      : [-1, 0];
  const rowOf = (state, [l, d]) =>
    l < 0 ? rows(state) : (state.num_layers - 1 - l) * dirs(state) + d;
  const arrow = (l, d) => l + (d ? "\u2190" : "\u2192");
  const graph = ui.grid("Unrolled: layers by steps", ([, r, t]) =>
    ui.update({ at: [...atRow(ui.state, r), t] }, true),
  );
  graph.node.classList.add("graph");
  const spot = (state, a, b) => {
    if (state.N) return state.batch_first ? [b, a] : [a, b];
    return [a, 0];
  };
  // A returned tensor: a click picks the state that stands there. find(S, slice, row, column) -> [node, sample]
  const tensor = (name, find, put) => {
    const head = h("p", {
      class: `part r-${name === "input" ? "input" : "output"}`,
    });
    const grid = ui.grid(name, ([i, r, c]) => {
      const [at, n] = find(ui.state, i, r, c);
      ui.update({ at, n }, true);
    });
    grid.node.classList.toggle("ends", name.endsWith("_n"));
    return { name, head, grid, find, put, node: h("div", {}, head, grid.node) };
  };
  const across = (state, r, c) => {
    if (state.N) return state.batch_first ? [c, r] : [r, c];
    return [r, 0];
  };
  const seq = (name, layer) =>
    tensor(
      name,
      (state, i, r, c) => {
        const [t, n] = across(state, r, c);
        return [[layer(state), i, t], n];
      },
      (state, [, d, t]) => [d, ...spot(state, t, state.n)],
    );
  const ends = (name) =>
    tensor(
      name,
      (state, _, r, c) => {
        const d = r % dirs(state);
        return [[Math.floor(r / dirs(state)), d, last(state, d)], c];
      },
      (state, [l, d]) => [0, Math.max(0, l * dirs(state) + d), state.n],
    );
  const tensors = [
    seq("input", () => -1),
    seq("output", (state) => state.num_layers - 1),
    ends("h_n"),
    ends("c_n"),
  ];
  const side = h("div", { class: "side" }, ...tensors.map((t) => t.node));
  const controls = h(
    "div",
    { class: "controls bar" },
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
        max: (state) => Math.max(1, state.N) - 1,
        visible: (state) => state.N > 1,
      }),
      ui.range("hidden_size", "hidden_size", { min: 1, max: () => 6 }),
      ui.range("proj_size", "proj_size", { min: 0, max: () => 6 }),
      ui.select("h_0", "h_0 passed", (state) => [
        ["none", "none"],
        ["right", "shape of h_n"],
        ["batch first", state.N ? "batch first" : "with a batch of 1"],
        ["one row", "one row in all"],
      ]),
      ui.check("predict", "Guess first"),
    ),
  );

  const way = (state, d) => {
    if (state.bidirectional) return d ? ", backward" : ", forward";
    return "";
  };
  const name = (state, /** @type {number[]} */ [l, d, t]) =>
    l < 0 ? `input of step ${t}` : `layer ${l}${way(state, d)}, step ${t}`;
  const upper = (words) => words[0].toUpperCase() + words.slice(1);
  const steps = (all, L) => {
    if (all.length === L && L > 1) return L === 2 ? "both steps" : `all ${L} steps`;
    if (all.length === 1) return `step ${all[0]}`;
    return `steps ${all[0]} ${all.length > 2 ? "to" : "and"} ${all.at(-1)}`;
  };
  const isIn = (w) => {
    if (w.output) return w.h_n ? "in output and in h_n" : "in output, not in h_n";
    if (w.h_n) return "in h_n, not in output";
    return "in neither output nor h_n";
  };
  const letters = (state) => {
    const out = `${state.bidirectional ? "2\u00b7" : ""}H_out`;
    const K = state.bidirectional ? "num_layers\u00b72" : "num_layers";
    const N = state.N ? ["N"] : [];
    const both = state.batch_first ? [...N, "L"] : ["L", ...N];
    return {
      input: [...both, "H_in"],
      output: [...both, out],
      h_n: [K, ...N, "H_out"],
      c_n: [K, ...N, "H_cell"],
    };
  };

  function paint(state, secret) {
    const before = feeds(state, state.at);
    const after = reached(state, state.at);
    const me = String(state.at);
    const cls = (node) => {
      if (secret) return "";
      if (String(node) === me) return " on";
      if (before.has(String(node))) return " f";
      if (after.has(String(node))) return " r";
      return "";
    };
    const say = {
      " on": ", chosen",
      " f": ", feeds the chosen one",
      " r": ", depends on the chosen one",
      "": "",
    };
    graph.size(1, rows(state) + (state.predict ? 0 : 1), state.L);
    graph.patch(
      {
        slice: () => "Unrolled",
        row: (r) => {
          const [l, d] = atRow(state, r);
          return l < 0 ? "x" : arrow(l, d);
        },
        column: (_, t) => String(t),
      },
      (_, r, t) => {
        const node = [...atRow(state, r), t];
        const w = where(state, node);
        const c = cls(node);
        return {
          text: secret ? "" : (w.output ? "o" : "") + (w.h_n ? "h" : ""),
          cls: (node[0] < 0 ? "x" : "") + c,
          label:
            name(state, node) + (secret || node[0] < 0 ? "" : `: ${isIn(w)}`) + say[c],
        };
      },
      [0, rowOf(state, state.at), state.at[2]],
    );
    side.hidden = secret;
    const shape = shapes(state);
    const letter = letters(state);
    for (const { name: id, head, grid, find, put, node: box } of tensors) {
      box.hidden = !shape[id];
      if (!shape[id]) continue;
      const [R, C] = [shape[id][0], state.N ? shape[id][1] : 1];
      const long = id === "input" || id === "output";
      const many = id === "output" ? dirs(state) : 1;
      text(head, `${id} (${list(letter[id])}) = ${tuple(shape[id])}`);
      const held = where(state, state.at)[id];
      grid.size(many, R, C);
      const spotIn = () => {
        if (held) return put(state, state.at);
        if (long)
          return put(state, [
            0,
            id === "output" ? Math.max(0, state.at[1]) : 0,
            state.at[2],
          ]);
        return put(state, state.at);
      };
      grid.patch(
        {
          slice: (i) =>
            id === "output" && state.bidirectional ? `[..., ${half(state, i)}]` : "",
          row: (r) =>
            long
              ? String(r)
              : `${r} (${arrow(Math.floor(r / dirs(state)), r % dirs(state))})`,
          column: (_, c) => (state.N ? String(c) : ""),
        },
        (i, r, c) => {
          const [node, n] = find(state, i, r, c);
          const mark = n === state.n ? cls(node) : "";
          return {
            text: long ? "" : String(node[2]),
            cls: (id === "input" ? "x" : "") + mark,
            label: `${where({ ...state, n }, node)[id]}: ${name(state, node)}${mark && say[mark]}`,
          };
        },
        spotIn(),
      );
      if (!held)
        attr(grid.node.querySelector("[aria-selected=true]"), "aria-selected", "false");
    }
  }

  // Which entries of output depend on the chosen node, one phrase a direction.
  function reach(state) {
    const after = reached(state, state.at);
    const top = state.num_layers - 1;
    return range(dirs(state))
      .map((d) => ({
        d,
        all: range(state.L).filter((t) => after.has(String([top, d, t]))),
      }))
      .filter(({ all }) => all.length)
      .map(
        ({ d, all }) =>
          `${state.bidirectional ? `output[..., ${half(state, d)}]` : "output"} at ${steps(all, state.L)}`,
      )
      .join(" and ");
  }
  function words(state) {
    const [l, d] = state.at;
    const w = where(state, state.at);
    const end = last(state, d);
    const who = upper(name(state, state.at));
    const whereReturned = () => {
      if (w.output && w.h_n)
        return [
          ["output", w.output],
          " and also ",
          ["output", w.h_n],
          ": the same numbers.",
        ];
      if (w.output)
        return [
          ["output", w.output],
          `. h_n holds ${state.bidirectional ? `the ${d ? "backward" : "forward"} direction` : "this layer"} at step ${end}, its last.`,
        ];
      if (w.h_n)
        return [
          ["output", w.h_n],
          `. output holds layer ${state.num_layers - 1} only.`,
        ];
      return [
        `not returned: output holds layer ${state.num_layers - 1} only, h_n holds ${state.bidirectional ? `the ${d ? "backward" : "forward"} direction` : "each layer"} at step ${end} only.`,
      ];
    };
    const cellState = () => {
      if (state.kind === "LSTM")
        return w.c_n
          ? ` Its cell state is ${w.c_n}.`
          : " Its cell state is not returned.";
      return "";
    };
    if (l < 0)
      rich(line, [
        ["input", w.input],
        ` is the ${name(state, state.at)}${state.N ? `, sample ${state.n}` : ""}. It reaches `,
        ["output", reach(state)],
        ".",
      ]);
    else
      rich(line, [
        `${who}${state.N ? `, sample ${state.n}` : ""}, is `,
        ...whereReturned(),
        cellState(),
      ]);
    const before = feeds(state, state.at);
    const read = range(state.L).filter((s) => before.has(String([-1, 0, s])));
    const on = reach(state);
    text(
      note,
      l < 0
        ? ""
        : `It depends on the input of ${steps(read, state.L)}` +
            `; it reaches ${on || "nothing else in output"}.`,
    );
  }
  // A batch-first h_0 that torch takes without a word.
  const silent = (state) =>
    state.h_0 === "batch first" && state.N && state.N === rows(state) && state.N > 1;

  const focus = () =>
    graph.node.querySelector("[aria-selected]").focus({ preventScroll: true });
  function choose(guess) {
    open = JSON.stringify(ui.state);
    const right = where(ui.state, ui.state.at).output;
    rich(
      verdict,
      guess === right
        ? [["output", "Right: "], right ? `${right}.` : "it is not in output."]
        : [
            ["statistic", "Not quite: "],
            `you said ${guess || "not in output"}; it is ${right || "not in output"}.`,
          ],
    );
    ui.update({});
    focus();
  }
  function draw(state) {
    const bad = error(state);
    const secret = hides(state);
    const shape = shapes(state);
    const w = where(state, state.at);
    const top = range(dirs(state)).flatMap((d) =>
      range(state.L).map((t) => String([state.num_layers - 1, d, t])),
    );
    const after = reached(state, state.at);
    const titleWords = () => {
      if (bad) return `torch refuses this ${bad.what}`;
      if (secret)
        return `${upper(name(state, state.at))}: which slice of output is it?`;
      if (silent(state))
        return "A batch-first h_0 fits by chance: no error, mixed-up samples";
      if (state.at[0] < 0)
        return `Input of step ${state.at[2]} reaches ${top.filter((b) => after.has(b)).length} of ${plural(top.length, "vector")} in output`;
      return `${upper(name(state, state.at))}: ${isIn(w)}`;
    };
    text(title, titleWords());
    text(
      sub,
      bad && bad.what === "layer"
        ? ""
        : `${state.kind}: input ${tuple(shape.input)}, output ${tuple(shape.output)}, h_n ${tuple(shape.h_n)}${shape.c_n ? `, c_n ${tuple(shape.c_n)}` : ""}` +
            (bad ? `; h_0 passed: ${tuple(given(state))}` : "") +
            ". " +
            (state.N
              ? `${state.batch_first ? "Batch" : "Time"} is axis 0 of input and output; h_n has the layers there in any case.`
              : "Without a batch axis, batch_first moves nothing."),
    );
    problem.set(bad);
    for (const e of [graph.node, side, line, note, key]) e.hidden = Boolean(bad);
    ask.hidden = !secret;
    verdict.hidden = Boolean(bad) || secret || !state.predict;
    code.node.hidden = secret;
    code.set(codeShort(state), codeFull(state));
    if (bad) return `torch raises ${bad.type}: ${bad.text}`;
    // a click in a tensor may hide it
    const lost = secret && side.matches(":focus-within");
    paint(state, secret);
    if (lost) focus();
    line.hidden = note.hidden = key.hidden = secret;
    if (secret) {
      text(question, "Your guess:");
      options.replaceChildren(
        ...guesses(state).map((g) => ui.button(g || "not in output", () => choose(g))),
      );
      return title.textContent;
    }
    words(state);
    text(
      key,
      `o: in output; h: in h_n. ${state.at[0] < 0 ? "" : "Blue, square: feeds the chosen state. "}Green, round: depends on the chosen ${state.at[0] < 0 ? "input" : "state"}. Each cell of a tensor stands for the numbers of its last axis` +
        `${state.bidirectional ? ", in output for one half of them" : ""}; in h_n${shape.c_n ? " and c_n" : ""} it shows the step.`,
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
function mend(state) {
  const clamp = (v, low, high) => Math.max(low, Math.min(high, v));
  const [l, d, t] = state.at;
  const layer = clamp(l, state.predict ? 0 : -1, state.num_layers - 1);
  return {
    at: [layer, layer < 0 ? 0 : clamp(d, 0, dirs(state) - 1), clamp(t, 0, state.L - 1)],
    n: clamp(state.n, 0, Math.max(1, state.N) - 1),
  };
}

define("nn-sequence-shapes", {
  label: "sequence shapes",
  css,
  mend,
  build: view,
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
