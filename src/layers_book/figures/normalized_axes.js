// NormalizedAxes: which cells of an N x C x L block share one mean and variance.
import { define, fmt, h, plural, range, rich, short, text } from "./core.js";
import css from "./normalized_axes.css";

// ------------------------------------------- engine: no DOM, checked against torch
const NORMS = ["BatchNorm", "LayerNorm", "InstanceNorm", "GroupNorm", "RMSNorm"];
const LAYERWISE = ["LayerNorm", "RMSNorm"];
const product = (list) => list.reduce((a, b) => a * b, 1);
const height = (state) => {
  if (state.H && state.L % state.H === 0) return state.H;
  let best = 1;
  for (let i = 1; i * i <= state.L; i++) if (state.L % i === 0) best = i;
  return best;
};
const sizes = (state) => [state.N, state.C, state.data === "table" ? 1 : state.L];

// All cells (n, c, l), as the block is unfolded.
const block = (state) => {
  const [N, C, L] = sizes(state);
  return range(N * C * L).map((i) => [
    Math.floor(i / L / C),
    Math.floor(i / L) % C,
    i % L,
  ]);
};

// The tensor's shape as torch sees it, the letters of its axes, and where a cell
// of the block lies in it.
function axes(state) {
  const [N, C, L] = sizes(state);
  const H = height(state);
  const W = L / H;
  if (state.data === "table")
    return { shape: [N, C], names: ["N", "C"], at: (n, c) => [n, c] };
  if (state.data === "signal")
    return { shape: [N, C, L], names: ["N", "C", "L"], at: (n, c, l) => [n, c, l] };
  if (state.data === "text")
    return { shape: [N, L, C], names: ["N", "L", "C"], at: (n, c, l) => [n, l, c] };
  return {
    shape: [N, C, H, W],
    names: ["N", "C", "H", "W"],
    at: (n, c, l) => [n, c, Math.floor(l / W), l % W],
  };
}
// How many trailing axes LayerNorm and RMSNorm normalize; 0 means the usual choice.
const usual = (state) => ({ table: 1, signal: 2, image: 3, text: 1 })[state.data];
const trailing = (state) => state.dims || usual(state);
const tracked = (state) =>
  state.track === null
    ? state.norm === "BatchNorm"
    : state.track && /Batch|Instance/.test(state.norm);
// Does the layer use stored statistics instead of the input's?
const stored = (state) => !state.training && tracked(state);
const affine = (state) =>
  state.affine === null ? state.norm !== "InstanceNorm" : state.affine;
const epsilon = (state) => {
  if (state.eps === null) return state.norm === "RMSNorm" ? 2 ** -23 : 1e-5;
  return state.eps;
};

function error(state) {
  const [N, C, L] = sizes(state);
  const { shape } = axes(state);
  const value = (t) => ({ type: "ValueError", text: t });
  const asChannels = state.data === "text" ? [N, C, L] : shape;
  if (state.norm === "GroupNorm") {
    if (C % state.num_groups)
      return value(
        `num_channels (${C}) must be divisible by num_groups (${state.num_groups})`,
      );
    if (((N * C) / state.num_groups) * L === 1)
      return value(
        `Expected more than 1 value per channel when training, got input size [${asChannels.join(", ")}]`,
      );
  }
  if (state.norm === "BatchNorm" && !stored(state) && N * L === 1)
    return value(
      `Expected more than 1 value per channel when training, got input size torch.Size([${asChannels.join(", ")}])`,
    );
  if (state.norm === "InstanceNorm") {
    const table = state.data === "table";
    const size = table ? [1, N, C] : asChannels;
    if (table && affine(state) && N !== C)
      return value(
        `expected input's size at dim=0 to match num_features (${C}), but got: ${N}.`,
      );
    if (!stored(state) && (table ? C : L) === 1)
      return value(
        `Expected more than 1 spatial element when training, got input size torch.Size([${size.join(", ")}])`,
      );
    if (table && tracked(state) && N !== C)
      return {
        type: "RuntimeError",
        text: `running_mean should contain ${N} elements not ${C}`,
      };
  }
  return null;
}

// (n, c, l) -> does that cell enter the statistics of `cell`?
function members(state, cell) {
  const [cn, cc, cl] = cell;
  const { at } = axes(state);
  if (stored(state)) return (n, c, l) => n === cn && c === cc && l === cl;
  if (state.norm === "BatchNorm") return (_, c) => c === cc;
  if (state.norm === "InstanceNorm")
    return state.data === "table" ? (n) => n === cn : (n, c) => n === cn && c === cc;
  if (state.norm === "GroupNorm") {
    const size = state.C / state.num_groups;
    const group = Math.floor(cc / size);
    return (n, c) => n === cn && Math.floor(c / size) === group;
  }
  const chosen = at(...cell);
  const lead = chosen.length - trailing(state);
  return (n, c, l) => {
    const a = at(n, c, l);
    return range(lead).every((i) => a[i] === chosen[i]);
  };
}

// How many sets the block falls into: as many means and variances.
function statistics(state) {
  const [N, C] = sizes(state);
  const { shape } = axes(state);
  if (state.norm === "BatchNorm" || stored(state)) return C;
  if (state.norm === "InstanceNorm") return state.data === "table" ? N : N * C;
  if (state.norm === "GroupNorm") return N * state.num_groups;
  return product(shape.slice(0, shape.length - trailing(state)));
}
const parameterShape = (state) => {
  if (!affine(state)) return null;
  if (LAYERWISE.includes(state.norm)) return axes(state).shape.slice(-trailing(state));
  return [state.C];
};
function parameters(state) {
  const shape = parameterShape(state);
  if (!shape) return [];
  const only = state.norm === "RMSNorm" || state.has_bias === false;
  return only
    ? [["weight", shape]]
    : [
        ["weight", shape],
        ["bias", shape],
      ];
}

// The block's numbers: the reader's, or small integers; padding is 0.
function real(state, n) {
  const [, , L] = sizes(state);
  if (state.data !== "text") return L;
  if (state.lengths) return state.lengths[n];
  return Math.max(1, L - n);
}
const pad = (state, n, l) => l >= real(state, n);
function value(state, n, c, l) {
  const [, C, L] = sizes(state);
  if (state.x) return state.x[(n * C + c) * L + l];
  return pad(state, n, l)
    ? 0
    : (n + 7 * c + 4 * l * l + 5 * c * l + 5 * n * c * (l + 1)) % 10;
}

// Mean, variance (divided by n), what a fresh layer (weight 1, bias 0) makes of the
// chosen cell, and how far the set reaches along samples, channels and positions.
function normalize(state, cell) {
  const inside = members(state, cell);
  const v = value(state, ...cell);
  const list = [];
  const low = [...cell];
  const high = [...cell];
  let padding = 0;
  for (const at of block(state))
    if (inside(...at)) {
      list.push(value(state, ...at));
      if (pad(state, at[0], at[2])) padding++;
      at.forEach((p, i) => {
        low[i] = Math.min(low[i], p);
        high[i] = Math.max(high[i], p);
      });
    }
  let mean = list.reduce((a, b) => a + b, 0) / list.length;
  if (state.norm === "RMSNorm") mean = 0;
  let variance = list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length;
  if (stored(state)) {
    const row = state.norm === "InstanceNorm" && state.data === "table" ? 0 : 1;
    mean = state.running_mean ? state.running_mean[cell[row]] : 0;
    variance = state.running_var ? state.running_var[cell[row]] : 1;
  }
  const scale = Math.sqrt(variance + epsilon(state));
  return {
    count: list.length,
    padding,
    value: v,
    mean,
    variance,
    scale,
    output: (v - mean) / scale,
    low,
    high,
  };
}

// The whole block's outputs, a set at a time.
function outputs(state) {
  const cells = block(state);
  const out = new Map();
  for (const cell of cells)
    if (!out.has(cell)) {
      const { mean, scale } = normalize(state, cell);
      const inside = members(state, cell);
      for (const other of cells)
        if (inside(...other)) out.set(other, (value(state, ...other) - mean) / scale);
    }
  return cells.map((cell) => out.get(cell));
}

// ------------------------------------------------------------------ code to copy
const tuple = (list) => `(${list.join(", ")}${list.length === 1 ? "," : ""})`;
const truth = (v) => (v ? "True" : "False");
function layerCode(state) {
  const wise = LAYERWISE.includes(state.norm);
  const both = /Batch|Instance/.test(state.norm);
  const usually = state.norm !== "InstanceNorm";
  const pickArgs = () => {
    if (wise) return [tuple(axes(state).shape.slice(-trailing(state)))];
    if (state.norm === "GroupNorm") return [state.num_groups, state.C];
    return [state.C];
  };
  const args = pickArgs();
  if (state.eps !== null) args.push(`eps=${state.eps}`);
  if (affine(state) !== usually)
    args.push((wise ? "elementwise_affine=" : "affine=") + truth(!usually));
  if (state.has_bias === false && state.norm === "LayerNorm") args.push("bias=False");
  if (both && tracked(state) !== (state.norm === "BatchNorm"))
    args.push(`track_running_stats=${truth(state.track)}`);
  const dimensions = () => {
    if (both) return state.data === "image" ? "2d" : "1d";
    return "";
  };
  return `nn.${state.norm}${dimensions()}(${args.join(", ")})${state.training ? "" : ".eval()"}`;
}
const callCode = (state) =>
  state.data === "text" && !LAYERWISE.includes(state.norm)
    ? "layer(x.transpose(1, 2)).transpose(1, 2)"
    : "layer(x)";
const input = (state) => `${tuple(axes(state).names)} = ${tuple(axes(state).shape)}`;
const codeShort = (state) =>
  `layer = ${layerCode(state)}\ny = ${callCode(state)}  # ${input(state)}`;
function codeFull(state, cell) {
  const { shape, at } = axes(state);
  const text = state.data === "text";
  const numbers = block(state).map((a) => value(state, ...a));
  const lines = [
    `x = torch.tensor([${numbers.join(", ")}]).float()`,
    `x = x.reshape${tuple(text ? sizes(state) : shape)}${text ? ".transpose(1, 2)" : ""}`,
    `layer = ${layerCode(state)}`,
  ];
  for (const k of ["running_mean", "running_var"])
    if (state[k] && tracked(state))
      lines.push(`layer.${k} = torch.tensor([${state[k].join(", ")}])`);
  return [
    ...lines,
    `y = ${callCode(state)}`,
    `print(y[${at(...cell).join(", ")}])`,
  ].join("\n");
}

// -------------------------------------------------------------------------- words
const POSITION = { table: "", signal: "position", image: "pixel", text: "token" };
const where = (state, r) =>
  ["sample", "channel", POSITION[state.data]]
    .map((word, i) =>
      !word
        ? ""
        : (i ? ", " : "") +
          word +
          (r.low[i] === r.high[i] ? ` ${r.low[i]}` : `s ${r.low[i]}\u2013${r.high[i]}`),
    )
    .join("");
function claim(state, r) {
  const { norm, data, num_groups: groups } = state;
  if (stored(state))
    return `In eval mode ${norm} uses stored statistics, whatever the other cells hold`;
  if (r.padding && r.padding < r.count)
    return `${norm} counts the padding: ${r.padding} of the ${r.count} cells that share are empty`;
  const pickStays = () => {
    if (norm === "BatchNorm") return "mixes the samples";
    if (norm === "InstanceNorm")
      return data === "table"
        ? "reads (N, C) as one sample"
        : "stays in one channel of one sample";
    if (norm === "GroupNorm") {
      if (groups === 1 && data !== "text")
        return "with one group takes LayerNorm\u2019s set";
      if (groups === state.C && data !== "table")
        return "with one channel each takes InstanceNorm\u2019s set";
      return "stays in one group of one sample";
    }
    if (data === "text" && trailing(state) === 1) return "stays in one token";
    return "stays in one sample";
  };
  const stays = pickStays();
  return (
    `${norm} ${stays}: ` +
    (r.count === 1
      ? "1 cell is alone"
      : `${r.count} cells share one ${norm === "RMSNorm" ? "mean square" : "mean and variance"}`)
  );
}
// Answers to "how many cells share?": the layers' own counts.
function guesses(state) {
  const [N, C, L] = sizes(state);
  const all = [normalize(state, state.cell).count, N * L, L, C, C * L, N * C * L];
  return [...new Set(all)].slice(0, 5).sort((a, b) => a - b);
}

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const cells = ui.grid("Values, one slice a sample", (cell) =>
    ui.update({ cell }, true),
  );
  const problem = ui.errorLine();
  const formula = h("p", { class: "line" });
  const code = ui.code();
  const facts = h("dl", { class: "facts" });
  const fact = (label) => {
    const big = h("b");
    const small = h("small");
    facts.append(h("div", {}, h("dt", {}, label), h("dd", {}, big, small)));
    return (a, b) => {
      text(big, a);
      text(small, b);
    };
  };
  const tell = {
    share: fact("Share with the outlined cell"),
    statistics: fact("Statistics of the whole input"),
    parameters: fact("Parameters"),
  };
  const question = h(
    "span",
    {},
    "Guess: how many cells share, the outlined one included?",
  );
  const options = h("div", { class: "buttons" });
  const ask = h("div", { class: "ask" }, question, options);
  const verdict = h("p", { class: "line" });
  let open = "";

  const free = (state) => !state.x;
  const asked = (state) => state.predict && open !== key(state);
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.choice(
      "norm",
      "Layer",
      NORMS.map((n) => [n, n]),
    ),
    ui.choice(
      "data",
      "Data",
      Object.keys(POSITION).map((d) => [d, d]),
      free,
    ),
    ui.range("num_groups", "num_groups", {
      min: 1,
      max: (state) => state.C,
      visible: (state) => state.norm === "GroupNorm",
    }),
    ui.select(
      "dims",
      "normalized_shape",
      (state) => {
        const { names } = axes(state);
        return range(Math.max(names.length - 1, state.dims))
          .reverse()
          .map((i) => [i + 1 === usual(state) ? 0 : i + 1, tuple(names.slice(-i - 1))]);
      },
      (state) => LAYERWISE.includes(state.norm) && state.data !== "table",
    ),
    ui.choice(
      "training",
      "Mode",
      [
        [true, "train"],
        [false, "eval"],
      ],
      tracked,
    ),
    ui.more(
      ...[
        ["N", "Samples (N)", 4],
        ["C", "Channels (C)", 8],
        ["L", "Positions (L)", 8],
      ].map(([k, label, most]) =>
        ui.range(k, label, {
          min: 1,
          max: () => most,
          visible: (state) => free(state) && !(k === "L" && state.data === "table"),
        }),
      ),
      ui.choice(
        "show",
        "Numbers",
        [
          ["x", "input x"],
          ["y", "output y"],
        ],
        (state) => !error(state) && !asked(state),
      ),
      ui.check("predict", "Guess first"),
    ),
  );

  const key = (state) =>
    JSON.stringify([
      state.norm,
      state.data,
      sizes(state),
      state.num_groups,
      state.dims,
      state.training,
    ]);

  function choose(guess) {
    const { count } = normalize(ui.state, ui.state.cell);
    open = key(ui.state);
    rich(
      verdict,
      guess === count
        ? [["output", "Right: "], `${plural(count, "cell")}.`]
        : [["statistic", "Not quite: "], `you said ${guess}, it is ${count}.`],
    );
    ui.update({});
  }

  function draw(state) {
    const bad = error(state);
    const [N, C, L] = sizes(state);
    const { cell, norm } = state;
    const hidden = !bad && asked(state);
    const plain = bad || hidden;
    const inside = plain ? () => false : members(state, cell);
    const r = bad ? null : normalize(state, cell);
    const output = state.show === "y" && !plain && outputs(state);
    const titleWords = () => {
      if (bad) return `${norm} refuses this input`;
      if (hidden)
        return `${norm}: which cells share the outlined cell\u2019s statistics?`;
      return claim(state, r);
    };
    text(title, titleWords());
    const measured = () => {
      if (plain) return "";
      if (stored(state)) return "Nothing is measured on it.";
      return `Shared: ${where(state, r)}.`;
    };
    text(sub, `Input ${input(state)}. ${measured()}`);
    cells.size(N, C, L);
    cells.patch(
      {
        slice: (n) => `sample ${n}`,
        row: (c) => `c${c}`,
        column: (n, l) => {
          if (state.data === "table") return "";
          if (pad(state, n, l)) return "pad";
          if (state.data === "image") return axes(state).at(n, 0, l).slice(2).join();
          return POSITION[state.data][0] + l;
        },
      },
      (n, c, l) => {
        const share = inside(n, c, l);
        const empty = pad(state, n, l);
        const v = output ? output[(n * C + c) * L + l] : value(state, n, c, l);
        return {
          text: short(v),
          cls: (share ? "share " : "") + (empty ? "pad " : "") + (output ? "y" : ""),
          label:
            where(state, { low: [n, c, l], high: [n, c, l] }) +
            `: ${fmt(v)}${empty ? ", padding" : ""}${share ? ", shares the statistics" : ""}`,
        };
      },
      cell,
    );
    problem.set(bad);
    facts.hidden = formula.hidden = Boolean(plain);
    ask.hidden = !hidden;
    verdict.hidden = open !== key(state);
    code.set(codeShort(state), codeFull(state, cell));
    if (bad) return `torch raises ${bad.type}: ${bad.text}`;
    if (hidden) {
      options.replaceChildren(
        ...guesses(state).map((g) => ui.button(String(g), () => choose(g))),
      );
      return question.textContent;
    }
    const square = norm === "RMSNorm";
    const eps = epsilon(state);
    const mean = fmt(r.mean, 3);
    const variance = fmt(r.variance, 3);
    const v = ["input", fmt(r.value)];
    const usedStatistics = () => {
      if (stored(state)) return "stored mean and variance";
      if (square) return "no mean is subtracted";
      return `mean ${mean}, variance ${variance} (\u00F7 ${r.count})`;
    };
    rich(formula, [
      [
        "output",
        `y[${axes(state)
          .at(...cell)
          .join(", ")}]`,
      ],
      " = ",
      ...(square
        ? [v]
        : ["(", v, " \u2212 ", ["statistic", r.mean < 0 ? `(${mean})` : mean], ")"]),
      " / \u221A(",
      ["statistic", variance],
      ` + ${eps < 1e-4 ? eps.toExponential(0).replace("-", "\u2212") : eps}) = `,
      ["output", fmt(r.output, 3)],
      ["muted", usedStatistics()],
    ]);
    const count = statistics(state);
    const list = parameters(state);
    const aside = () => {
      if (r.padding) return `${r.padding} of them padding`;
      if (stored(state)) return "running statistics serve";
      return "itself included";
    };
    tell.share(
      stored(state) ? "no cell" : `${r.count} of ${plural(N * C * L, "cell")}`,
      aside(),
    );
    tell.statistics(
      square
        ? plural(count, "mean square")
        : `${plural(count, "mean")}, ${plural(count, "variance")}`,
      stored(state)
        ? "stored, one pair a channel"
        : `each measured over ${plural(r.count, "cell")}`,
    );
    tell.parameters(
      String(list.reduce((a, [, s]) => a + product(s), 0)),
      list.map(([k, s]) => `${k} ${tuple(s)}`).join(" + ") || "affine=False",
    );
    return `${claim(state, r)}. ${square ? "" : `Mean ${mean}, `}${square ? "mean square" : "variance"} ${variance}. ${plural(count, "set")} of statistics.`;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      problem.node,
      ask,
      cells.node,
      verdict,
      formula,
      facts,
      code.node,
    ],
    draw,
  };
}

// Keep a state drawable after a change: cells inside, axes that exist.
function mend(state, patch) {
  const fixed = {};
  const z = sizes(state);
  fixed.cell = state.cell.map((v, i) => Math.max(0, Math.min(z[i] - 1, v)));
  if (("norm" in patch || "data" in patch) && !("dims" in patch)) fixed.dims = 0;
  if (state.x && state.x.length !== product(z)) fixed.x = null;
  return fixed;
}

define("nn-normalized-axes", {
  label: "normalized axes",
  css,
  mend,
  build: view,
  engine: {
    error,
    members,
    normalize,
    outputs,
    statistics,
    parameters,
    value,
    sizes,
    axes,
    codeShort,
    codeFull,
    guesses,
  },
});
