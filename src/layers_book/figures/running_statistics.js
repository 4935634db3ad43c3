// RunningStatistics: what BatchNorm keeps from batch to batch, and what eval mode uses.
import { attr, define, fmt, h, mix, plural, rich, svg, text } from "./core.js";
import css from "./running_statistics.css";

// ------------------------------------------- engine: no DOM, checked against torch
const LIMIT = 200;
// A batch's numbers depend on seed and step alone: an integer generator (murmur3's
// mix, then a linear congruence), four draws a value, so nearly normal with
// deviation 1. Integers until the one division: Python computes the same doubles.
function standard(seed, step, count) {
  let s = mix((seed + Math.imul(step + 1, 0x9e3779b9)) | 0);
  return Array.from({ length: count }, () => {
    let sum = 0;
    for (let i = 0; i < 4; i++) {
      s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
      sum += s >>> 16;
    }
    return (sum - 131070) / 37837;
  });
}
const moments = (list) => {
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  const squares = list.reduce((a, b) => a + (b - mean) ** 2, 0);
  return {
    mean,
    biased: squares / list.length,
    unbiased: squares / (list.length - 1),
  };
};
const error = (state) =>
  state.training && state.batch_size === 1
    ? {
        type: "ValueError",
        text: "Expected more than 1 value per channel when training, got input size torch.Size([1, 1])",
      }
    : null;

// All steps of the log, each entry [steps, batch_size, momentum, shift, scale, training].
// The running variance takes the unbiased one, the output the biased one.
function run(state) {
  let mean = state.running_mean;
  let variance = state.running_var;
  let seen = state.num_batches_tracked;
  let offset = 0;
  const out = (m, v) => (state.sample - m) / Math.sqrt(v + state.eps);
  const steps = [];
  const start = out(mean, variance);
  for (const [count, size, momentum, shift, scale, training] of state.log)
    for (let k = 0; k < count; k++) {
      const z = state.values
        ? Array.from(
            { length: size },
            (_, i) => state.values[(offset + i) % state.values.length],
          )
        : standard(state.seed, steps.length, size);
      offset += size;
      const x = z.map((v) => shift + scale * v);
      const now = moments(x);
      const swapped = moments([state.sample, ...x.slice(1)]);
      const before = mean;
      let factor = 0;
      if (training) {
        seen++;
        factor = momentum === null ? 1 / seen : momentum;
        mean = factor * now.mean + (1 - factor) * mean;
        variance = factor * now.unbiased + (1 - factor) * variance;
      }
      steps.push({
        ...now,
        size,
        before,
        factor,
        training: Boolean(training),
        target: shift,
        spread: scale * scale,
        running_mean: mean,
        running_var: variance,
        seen,
        train: size > 1 ? out(swapped.mean, swapped.biased) : NaN,
        eval: out(mean, variance),
      });
    }
  return {
    steps,
    start,
    running_mean: mean,
    running_var: variance,
    seen,
    eval: out(mean, variance),
  };
}
// One more entry for the log, joined to the last where the settings are the same.
function extend(state, count) {
  const room = LIMIT - state.log.reduce((a, [n]) => a + n, 0);
  const n = Math.min(count, room);
  if (n < 1 || error(state)) return state.log;
  const entry = [
    n,
    state.batch_size,
    state.momentum,
    state.shift,
    state.scale,
    state.training ? 1 : 0,
  ];
  const last = state.log.at(-1);
  return last && JSON.stringify(last.slice(1)) === JSON.stringify(entry.slice(1))
    ? [...state.log.slice(0, -1), [last[0] + n, ...entry.slice(1)]]
    : [...state.log, entry];
}

// The layer as it is now, and what it makes of the sample.
function code(state) {
  const r = run(state);
  const has = (k, v, usual) =>
    v === usual ? "" : `bn.${k}.data[:] = ${+v.toPrecision(7)}\n`;
  return (
    `bn = nn.BatchNorm1d(1, momentum=${state.momentum ?? "None"}${state.eps === 1e-5 ? "" : `, eps=${state.eps}`})\n` +
    has("running_mean", r.running_mean, 0) +
    has("running_var", r.running_var, 1) +
    `bn.eval()(torch.tensor([[${Number.isInteger(state.sample) ? `${state.sample}.` : state.sample}]]))  # ${+r.eval.toFixed(3)}`
  );
}
const codeFull = (state) => code(state).replace(/^bn\.eval.*(?= {2}#)/m, "print($&)");

// ---------------------------------------------------------------------- drawing
const W = 330;
const H = 170;
const LEFT = 30;
const RIGHT = 80;
const TOP = 10;
const BOTTOM = 24;
// A small chart: dots for what changes from batch to batch, a line for what is kept.
function chart(name) {
  const node = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img" });
  const put = (e) => {
    node.append(e);
    return e;
  };
  const make = (cls) => put(svg("path", { class: cls }));
  const zero = make("axis");
  const target = make("target");
  const dots = make("dots");
  const kept = make("kept");
  const now = make("now");
  const word = (cls) => put(svg("text", { class: cls, x: W - RIGHT + 8 }));
  const labels = ["w-dots", "w-kept", "w-target"].map(word);
  const ticks = [0, 1, 2].map(() => word("tick"));
  return {
    node: h("figure", { class: "chart" }, h("figcaption", {}, name), node),
    // Lists of one value a step (`kept` begins before step 1; NaN is not drawn) and the
    // words written beside their ends.
    draw(steps, fresh, held, goal, names, label) {
      const all = [...fresh, ...held, ...goal].filter(Number.isFinite);
      let low = Math.min(...all);
      let high = Math.max(...all);
      if (!(high > low)) {
        low -= 1;
        high += 1;
      }
      const span = Math.max(steps, 10);
      const pick = (v) => v.toFixed(1);
      const x = (i) => pick(LEFT + ((W - LEFT - RIGHT) * i) / span);
      const y = (v) => TOP + ((H - TOP - BOTTOM) * (high - v)) / (high - low);
      const p = (i, v) => `${x(i)} ${pick(y(v))}`;
      attr(zero, "d", `M${LEFT} ${TOP - 6}V${H - BOTTOM + 6}H${W - RIGHT}`);
      attr(
        dots,
        "d",
        fresh.map((v, i) => (Number.isFinite(v) ? `M${p(i + 1, v)}h.01` : "")).join(""),
      );
      attr(kept, "d", `M${held.map((v, i) => p(i, v)).join("L")}`);
      attr(
        target,
        "d",
        goal.map((v, i) => `${i ? "L" : "M"}${p(i, v)}H${x(i + 1)}`).join(""),
      );
      attr(now, "d", `M${p(steps, held.at(-1))}h.01`);
      // Words that would meet move down, then the lowest ones up again.
      const ends = [fresh, held, goal]
        .map((list, i) => ({ i, y: y(list.at(-1)) + 4 }))
        .filter((e) => Number.isFinite(e.y))
        .sort((a, b) => a.y - b.y);
      ends.forEach((e, k) => {
        if (k) e.y = Math.max(e.y, ends[k - 1].y + 15);
      });
      ends.forEach((e, k) => {
        e.y = Math.min(e.y, H - 6 - 15 * (ends.length - 1 - k));
      });
      labels.forEach((e, i) => {
        const place = ends.find((o) => o.i === i);
        text(e, place ? names[i] : "");
        if (place) attr(e, "y", pick(place.y));
      });
      [
        { a: LEFT - 5, b: y(high) + 4, words: fmt(high, 1) },
        { a: LEFT - 5, b: y(low) + 4, words: fmt(low, 1) },
        { a: W - RIGHT, b: H - 4, words: `step ${span}` },
      ].forEach(({ a, b, words }, i) => {
        attr(ticks[i], "x", String(a));
        attr(ticks[i], "y", pick(b));
        text(ticks[i], words);
      });
      attr(node, "aria-label", label);
    },
  };
}

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const problem = ui.errorLine();
  const rule = h("p", { class: "line" });
  const line = ui.code();
  const charts = ["Mean", "Variance", ""].map(chart);
  charts[2].node.classList.add("out");
  const caption = charts[2].node.querySelector("figcaption");
  const { state } = ui;
  const go = (count) => ui.update({ log: extend(state, count) });
  const may = (state) => extend(state, 1) !== state.log;
  const around = { min: -6, max: () => 12, step: 0.5 };
  const options = [0.01, 0.1, 0.3, 0.5, 0.9, 1];
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.choice("training", "Mode", [
      [true, "train"],
      [false, "eval"],
    ]),
    ui.range("batch_size", "Batch size", { min: 1, max: () => 32 }),
    ui.select("momentum", "Momentum", (s) =>
      [...new Set([...options, s.momentum ?? 1])]
        .sort((a, b) => a - b)
        .map((m) => [m, String(m)])
        .concat([[null, "None: average of all"]]),
    ),
    ui.range("shift", "Mean of the data", around),
    h(
      "div",
      { class: "buttons" },
      ui.button("Step", () => go(1), may),
      ui.button("Step 10", () => go(10), may),
      ui.button("Start again", () => ui.update({ log: [] })),
    ),
    ui.more(
      ui.range("scale", "Deviation of the data", {
        min: 0.5,
        max: () => 6,
        step: 0.5,
      }),
      ui.range("sample", "Sample x", around),
    ),
  );
  const outHead = h("span");
  const heads = [
    "mean",
    "variance \u00F7 n, used",
    "variance \u00F7 (n \u2212 1), stored",
    outHead,
  ];
  const cells = heads.map(() => [0, 1, 2].map(() => h("td")));
  const table = h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("td"),
        ...["batch, train", "running, eval", "data"].map((w) =>
          h("th", { scope: "col" }, w),
        ),
      ),
    ),
    h(
      "tbody",
      {},
      ...heads.map((w, i) => h("tr", {}, h("th", { scope: "row" }, w), ...cells[i])),
    ),
  );

  function draw() {
    const bad = error(state);
    const r = run(state);
    const last = r.steps.at(-1);
    const n = r.steps.length;
    const column = (k) => r.steps.map((s) => s[k]);
    const target = last ? last.target : state.shift;
    const spread = last ? last.spread : state.scale ** 2;
    const x = `x = ${fmt(state.sample)}`;
    const after = `After ${plural(n, "step")}`;
    const mean = fmt(r.running_mean);
    const output = fmt(r.eval);
    const titleWords = () => {
      if (bad) return "One value has no spread: BatchNorm refuses to train on it";
      if (state.training)
        return `${after} the running mean is ${mean}, the data\u2019s mean ${fmt(target)}`;
      return `In eval mode nothing moves: ${x} becomes ${output} in every batch`;
    };
    text(title, titleWords());
    text(
      sub,
      state.training
        ? "A training step normalizes with the batch and moves the running statistics a little toward it."
        : "Eval mode normalizes with the running statistics; a step draws a batch and stores nothing.",
    );
    problem.set(bad);
    text(caption, `Output for ${x}`);
    const words = ["batch", "running", "data"];
    [
      [
        column("mean"),
        [state.running_mean, ...column("running_mean")],
        column("target"),
        words,
        `running mean ${mean}`,
      ],
      [
        column("unbiased"),
        [state.running_var, ...column("running_var")],
        column("spread"),
        words,
        `running variance ${fmt(r.running_var)}`,
      ],
      [
        column("train"),
        [r.start, ...column("eval")],
        [],
        ["train mode", "eval mode"],
        `eval mode gives ${output}`,
      ],
    ].forEach((series, i) =>
      charts[i].draw(n, ...series.slice(0, 4), `${after}: ${series[4]}`),
    );
    const has = last && last.size > 1;
    [
      [last?.mean, r.running_mean, target],
      [last?.biased, null, spread],
      [has && last.unbiased, r.running_var, spread],
      [has && last.train, r.eval, null],
    ].forEach((row, i) =>
      row.forEach((v, k) =>
        text(cells[i][k], Number.isFinite(v) ? fmt(v, 3) : "\u2013"),
      ),
    );
    text(outHead, `output for ${x}`);
    attr(cells[3][0], "class", state.training && !bad ? "now" : "");
    attr(cells[3][1], "class", state.training ? "" : "now");
    rule.hidden = !last?.training;
    if (!rule.hidden)
      rich(rule, [
        ["statistic", "running_mean"],
        ` \u2190 (1 \u2212 ${fmt(last.factor, 3)})\u00B7`,
        ["statistic", fmt(last.before, 3)],
        ` + ${fmt(last.factor, 3)}\u00B7`,
        ["input", fmt(last.mean, 3)],
        " = ",
        ["statistic", fmt(last.running_mean, 3)],
        ["muted", "momentum is the share of the new batch"],
      ]);
    line.set(code(state), codeFull(state));
    if (bad) return `torch raises ${bad.type}: ${bad.text}`;
    return (
      `${after}: running mean ${mean}, running variance ${fmt(r.running_var)}. ` +
      `For ${x}, ${has ? `train mode gives ${fmt(last.train)}, ` : ""}eval mode gives ${output}.`
    );
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      problem.node,
      h("div", { class: "charts" }, ...charts.map((c) => c.node)),
      rule,
      table,
      line.node,
    ],
    draw,
  };
}

define("nn-running-statistics", {
  label: "running statistics",
  css,
  build: view,
  engine: { standard, run, error, extend, code },
});
