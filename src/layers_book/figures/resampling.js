// Resampling: where each output sample of interpolate lies on the input, and its weights.
import { attr, define, fmt, h, plural, range, rich, short, svg, text } from "./core.js";
import css from "./resampling.css";

// ------------------------------------------- engine: no DOM, checked against torch
const MODES = ["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "area"];
const SIGNALS = {
  mixed: [1, 4, 2, 5, 5, 0, 0, 3, 3, 1, 4, 2],
  stripes: [0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4],
  edge: null,
  ramp: range(12),
};
const smooth = (state) => /linear|cubic/.test(state.mode);
const rank = (state) => (state.mode === "linear" ? 3 : 4);
const half = (state) => (state.mode === "bicubic" ? 2 : 1);
const input = (state) =>
  state.values ||
  (SIGNALS[state.signal] || range(12).map((i) => (i < state.n / 2 ? 0 : 4))).slice(
    0,
    state.n,
  );
const length = (state) =>
  state.scale_factor === null ? state.size : Math.floor(state.n * state.scale_factor);
// Modes in which torch leaves a row of the right size as it is, whatever the scale factor.
const copied = (state) =>
  length(state) === state.n && (state.antialias || !/exact|cubic/.test(state.mode));
// Its backward pass decides otherwise: bicubic passes the gradient on, antialias does not.
const passedOn = (state) =>
  length(state) === state.n && !state.antialias && state.mode !== "nearest-exact";
const byFactor = (state) =>
  state.scale_factor !== null &&
  !state.recompute_scale_factor &&
  !state.align_corners &&
  state.mode !== "area";
// Input pixels from one output sample to the next.
function step(state, same = copied(state)) {
  const out = length(state);
  if (state.align_corners) return out > 1 ? (state.n - 1) / (out - 1) : 0;
  return byFactor(state) && !same ? 1 / state.scale_factor : state.n / out;
}
const onCorners = (state) => state.align_corners && !state.antialias;
const onStep = (state) => state.align_corners && state.antialias;
// Place of sample i on the input axis, on which pixel k reaches from k - 1/2 to k + 1/2.
function place(state, i) {
  if (state.mode === "nearest") return i * step(state) - 0.5;
  return onCorners(state) ? i * step(state) : (i + 0.5) * step(state) - 0.5;
}
// Left end and width of output pixel i on that axis.
function pixel(state, i) {
  const w = step(state) || 1;
  return onCorners(state) ? [place(state, i) - w / 2, w] : [i * w - 0.5, w];
}
function cubic(t, a) {
  t = Math.abs(t);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return 0;
}
// The weights of output sample i, one an input pixel.
function row(state, i, same = copied(state)) {
  const n = state.n;
  const out = length(state);
  const r = step(state, same);
  const w = range(n).map(() => 0);
  const at = (k) => Math.max(0, Math.min(n - 1, k));
  if (same) w[i] = 1;
  else if (state.mode === "area") {
    const from = Math.floor((i * n) / out);
    const to = Math.ceil(((i + 1) * n) / out);
    for (let k = from; k < to; k++) w[k] = 1 / (to - from);
  } else if (!smooth(state))
    w[at(Math.floor((i + (state.mode === "nearest" ? 0 : 0.5)) * r))] = 1;
  else if (state.antialias) {
    const wide = Math.max(r, 1);
    const reach = half(state) * wide;
    const c = (i + 0.5) * r;
    const from = Math.max(Math.trunc(c - reach + 0.5), 0);
    const to = Math.min(Math.trunc(c + reach + 0.5), n);
    for (let k = from; k < to; k++) {
      const t = (k - c + 0.5) / wide;
      w[k] = half(state) === 2 ? cubic(t, -0.5) : Math.max(0, 1 - Math.abs(t));
    }
    const sum = w.reduce((a, b) => a + b, 0);
    return w.map((v) => v / sum);
  } else {
    const p = half(state) === 2 ? place(state, i) : Math.max(place(state, i), 0);
    const k = Math.floor(p);
    const t = p - k;
    if (half(state) === 2)
      for (const d of [-1, 0, 1, 2]) w[at(k + d)] += cubic(t - d, -0.75);
    else {
      w[at(k)] += 1 - t;
      w[at(k + 1)] += t;
    }
  }
  return w;
}
// Weights, output, and torch's gradient of output.sum().
function resample(state) {
  const weights = range(length(state)).map((i) => row(state, i));
  const x = input(state);
  const back = weights.map((_, i) => row(state, i, passedOn(state)));
  return {
    weights,
    x,
    y: weights.map((w) => w.reduce((sum, v, k) => sum + v * x[k], 0)),
    gradient: x.map((_, k) => back.reduce((sum, w) => sum + w[k], 0)),
    unread: range(state.n).filter((k) => weights.every((w) => w[k] === 0)),
  };
}
function error(state) {
  const no = (type, words) => ({ type, text: words });
  const out = length(state);
  if (state.align_corners && !smooth(state))
    return no(
      "ValueError",
      "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear",
    );
  if (state.recompute_scale_factor && state.scale_factor === null)
    return no(
      "ValueError",
      "recompute_scale_factor is not meaningful with an explicit size.",
    );
  if (state.antialias && !/bi/.test(state.mode))
    return no(
      "ValueError",
      "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input",
    );
  if (out > 0 || state.mode === "area") return null;
  const h1 = rank(state) === 4 ? "H: 1, " : "";
  return no(
    "RuntimeError",
    `Input and output sizes should be greater than 0, but got input (${h1}W: ${state.n})${h1 ? "" : " and"} output (${h1}W: ${out})`,
  );
}

// ------------------------------------------------------------------ code to copy
function codeShort(state) {
  const four = rank(state) === 4;
  const s = state.scale_factor;
  const target =
    s === null
      ? `size=${four ? `(1, ${state.size})` : state.size}`
      : `scale_factor=${four ? `(1.0, ${s})` : s}`;
  const flags = ["align_corners", "antialias", "recompute_scale_factor"]
    .filter((k) => state[k])
    .map((k) => `, ${k}=True`)
    .join("");
  return (
    `y = F.interpolate(x, ${target}, mode="${state.mode}"${flags})` +
    (error(state)
      ? ""
      : `  # (N, C, ${four ? "H, W" : "L"}) = (1, 1, ${four ? "1, " : ""}${length(state)})`)
  );
}
const codeFull = (state) =>
  `x = torch.tensor([${input(state).join(", ")}]).double()` +
  `.view(1, 1, ${rank(state) === 4 ? "1, " : ""}-1)\n${codeShort(state)}\nprint(y)`;

// ---------------------------------------------------------------------- drawing
// Heights in px: the curve, the input row, the wires, the output row.
const TOP = 96;
const ROW = 30;
const WIRES = 74;
const MARGIN = 0.3;

function view(ui) {
  const title = h("p", { class: "claim" });
  const sub = h("p", { class: "sub" });
  const line = h("p", { class: "line" });
  const problem = ui.errorLine();
  const code = ui.code();
  const keys = h("p", { class: "part keys" });
  const out = ui.matrix("Output", (_, at) => ui.update({ at }, true));
  out.node.classList.add("y");
  const picture = svg("svg", {
    viewBox: `0 0 1000 ${TOP + ROW + WIRES + 24}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  const path = (cls) => picture.appendChild(svg("path", { class: cls }));
  const stage = h("div", { class: "stage", role: "img" }, picture);
  const dots = ["d-line", "d-x", "d-y", "d-now"].map(path);
  const limits = [2, TOP - 26].map((top) =>
    stage.appendChild(h("span", { class: "lim", style: `top:${top}px` })),
  );
  const pools = { i: [], o: [], u: [], b: [], w: [] };
  // The k-th part of a kind, made when first needed; fit() hides those beyond.
  const part = (kind, k, make) => {
    pools[kind][k] ||= make();
    return pools[kind][k];
  };
  const fit = (kind, count) =>
    pools[kind].forEach((e, k) => {
      e.style.display = k < count ? "" : "none";
    });
  stage.addEventListener("click", (e) => {
    const at = pools.o.indexOf(e.target);
    if (at >= 0) ui.update({ at });
  });
  const controls = h(
    "div",
    { class: "controls bar" },
    ui.range("n", "Input size", {
      min: 1,
      max: (state) =>
        state.scale_factor > 1 ? Math.ceil(13 / state.scale_factor) - 1 : 12,
      visible: (state) => !state.values,
    }),
    ui.range("size", "Output size", {
      min: 0,
      max: () => 12,
      visible: (state) => state.scale_factor === null,
    }),
    ui.select("mode", "mode", () => MODES.map((m) => [m, m])),
    ui.check("align_corners", "align_corners"),
    ui.check("antialias", "antialias"),
    ui.more(
      ui.select("scale_factor", "scale_factor", (state) =>
        [...new Set([null, 0.1, 0.25, 0.5, 0.7, 1.3, 1.5, 1.7, 2, state.scale_factor])]
          .filter((v) => state.n * v < 13)
          .map((v) => [v, v === null ? "None" : String(v)]),
      ),
      ui.check("recompute_scale_factor", "recompute_scale_factor"),
      ui.select("signal", "Input values", (state) =>
        state.values
          ? [[state.signal, "your own"]]
          : Object.keys(SIGNALS).map((k) => [k, k]),
      ),
      ui.choice("show", "Numbers in the input", [
        ["values", "values"],
        ["gradient", "gradient of the output\u2019s sum"],
      ]),
    ),
  );

  function claim(state, r) {
    const dead = r.unread.length;
    const all = r.y.length;
    if (!all) return "An area output of size 0 is empty, and torch accepts it";
    if (copied(state)) return "As many samples as pixels: torch returns the input";
    if (dead)
      return `${dead} of ${state.n} input pixels ${dead === 1 ? "is" : "are"} never read`;
    if (onStep(state))
      return "With antialias, align_corners changes the step alone: the end samples miss the end pixels\u2019 centers";
    if (state.antialias)
      return all < state.n
        ? `Antialiasing makes the kernel ${fmt(step(state))} times as wide: every pixel is read`
        : "Antialiasing widens the kernel only where the picture shrinks";
    if (state.mode === "area") return "Area takes the mean of a bin of whole pixels";
    if (state.mode === "nearest")
      return "Nearest reads the pixel under the left edge of each output pixel";
    if (state.mode === "nearest-exact")
      return "Nearest-exact reads the pixel under each output pixel\u2019s center";
    if (state.align_corners)
      return all > 1
        ? "align_corners puts the end samples on the centers of the end pixels"
        : "align_corners puts a single sample on the first pixel";
    return byFactor(state) && Math.abs(all * step(state) - state.n) > 1e-9
      ? `The step is 1/scale_factor: the ${all > 1 ? `${all} output pixels cover` : "output pixel covers"} ${fmt(all * step(state))} of ${state.n} input pixels`
      : "Both rows cover the same stretch: the outer edges are aligned";
  }
  // The rule of the coordinate with this sample's numbers.
  function rule(state, i) {
    if (state.mode === "area") {
      const first = Math.floor((i * state.n) / length(state));
      const end = Math.ceil(((i + 1) * state.n) / length(state)) - 1;
      return first < end
        ? `bin of pixels ${first} to ${end}`
        : `bin of pixel ${first} alone`;
    }
    if (copied(state)) return `sample ${i} is pixel ${i}`;
    const ends = +state.align_corners;
    const out = length(state) - ends;
    const p = fmt(place(state, i), 3);
    const pickR = () => {
      if (byFactor(state)) return ` / ${state.scale_factor}`;
      if (out) return ` \u00B7 ${state.n - ends}/${out}`;
      return " \u00B7 0";
    };
    const r = pickR();
    if (state.mode === "nearest") return `sample ${i} is pixel floor(${i}${r})`;
    return (
      `sample ${i} lies at ` +
      (onCorners(state) ? `${i}${r} = ${p}` : `(${i} + 0.5)${r} \u2212 0.5 = ${p}`)
    );
  }

  function draw(state) {
    const bad = error(state);
    const r = bad
      ? { weights: [], x: input(state), y: [], gradient: [], unread: [] }
      : resample(state);
    const at = state.at;
    const gradient = state.show === "gradient";
    const w = r.weights[at] || [];
    const used = range(state.n).filter((k) => Math.abs(w[k] || 0) > 1e-12);
    const empty = !r.y.length;
    const titleWords = () => {
      if (bad) {
        if (bad.type === "RuntimeError") return "An output needs at least one pixel";
        if (/^align/.test(bad.text)) return `Mode ${state.mode} has no align_corners`;
        if (/^rec/.test(bad.text)) return "recompute_scale_factor needs a scale_factor";
        return `Mode ${state.mode} has no antialias`;
      }
      return claim(state, r);
    };
    text(title, titleWords());
    const [low, high] = [Math.min(...r.x), Math.max(...r.x)];
    const beyond = r.y.some((v) => v < low - 1e-9 || v > high + 1e-9);
    text(
      sub,
      bad || empty
        ? ""
        : [
            r.unread.length ? `Never read: ${r.unread.join(", ")}.` : "",
            `${plural(state.n, "pixel")} in, ${r.y.length} out, ${fmt(step(state), 3)} input pixel${fmt(step(state), 3) === "1" ? "" : "s"} from sample to sample.`,
            beyond
              ? `The output reaches from ${fmt(Math.min(...r.y))} to ${fmt(Math.max(...r.y))}, the input from ${fmt(low)} to ${fmt(high)}.`
              : "",
            gradient &&
            copied(state) !== passedOn(state) &&
            byFactor(state) &&
            state.n > 1
              ? "At equal sizes torch\u2019s backward pass is not this mode\u2019s transpose."
              : "",
          ]
            .filter(Boolean)
            .join(" "),
    );
    problem.set(bad);
    for (const e of [keys, stage, out.head, out.node, line])
      e.hidden = Boolean(bad) || empty;
    code.set(codeShort(state), codeFull(state));
    if (bad) return `torch raises ${bad.type}: ${bad.text}`;
    if (empty) return title.textContent;
    // Where antialias meets align_corners, samples lie beyond the last pixel.
    const end = onStep(state)
      ? pixel(state, r.y.length - 1)[0] + (step(state) || 1) + 0.5
      : 0;
    const full = Math.max(state.n, end) + 2 * MARGIN;
    const u = (p) => (p + 0.5 + MARGIN) / full;
    const pc = (v) => `${(100 * v).toFixed(2)}%`;
    const values = [...r.x, ...r.y];
    const floor = Math.min(...values);
    const span = Math.max(...values) - floor || 1;
    const v = (y) => (TOP - 16 - ((TOP - 28) * (y - floor)) / span).toFixed(1);
    const X = (p) => (1000 * u(p)).toFixed(1);
    const seen = (i) =>
      state.mode === "nearest"
        ? pixel(state, i)[0] + pixel(state, i)[1] / 2
        : place(state, i);
    attr(dots[0], "d", `M${r.y.map((y, i) => `${X(seen(i))} ${v(y)}`).join("L")}`);
    attr(dots[1], "d", r.x.map((y, k) => `M${X(k)} ${v(y)}h.01`).join(""));
    attr(dots[2], "d", r.y.map((y, i) => `M${X(seen(i))} ${v(y)}h.01`).join(""));
    attr(dots[3], "d", `M${X(seen(at))} ${v(r.y[at])}h.01`);
    [floor + span, floor].forEach((y, i) => text(limits[i], fmt(y)));
    r.x.forEach((y, k) => {
      const e = part("i", k, () => stage.appendChild(h("i")));
      e.style.left = pc(u(k - 0.5));
      e.style.width = pc(1 / full);
      attr(
        e,
        "class",
        `in-px ${used.includes(k) ? "src" : ""} ${r.unread.includes(k) ? "dead" : ""} ${gradient ? "grad" : ""}`,
      );
      text(e, short(gradient ? r.gradient[k] : y));
    });
    fit("i", state.n);
    r.y.forEach((_, i) => {
      const e = part("o", i, () => stage.appendChild(h("i")));
      const [left, wide] = pixel(state, i);
      e.style.left = pc(u(left));
      e.style.width = pc(wide / full);
      attr(e, "class", `out-px${i === at ? " on" : ""}`);
      const tick = part("u", i, () => stage.appendChild(h("u")));
      tick.style.left = `calc(${pc(u(place(state, i)))} - ${i === at ? 2 : 1}px)`;
      attr(tick, "class", i === at ? "on" : "");
    });
    fit("o", r.y.length);
    fit("u", r.y.length);
    used.forEach((k, j) => {
      const b = part("b", j, () => stage.appendChild(h("b")));
      const wire = part("w", j, () => path("wire"));
      b.style.left = pc(u(k));
      b.style.marginTop = end && j % 2 ? "13px" : "";
      text(b, fmt(w[k]).replace(/0\./, "."));
      attr(wire, "class", `wire${w[k] < 0 ? " neg" : ""}`);
      attr(wire, "d", `M${X(k)} ${TOP + ROW + 20}L${X(seen(at))} ${TOP + ROW + WIRES}`);
      wire.style.strokeWidth = (1 + 6 * Math.abs(w[k])).toFixed(1);
    });
    fit("b", used.length);
    fit("w", used.length);
    rich(keys, [
      ["input", "\u25A0 input"],
      ["output", "\u25CF output"],
      ["output", "ticks: where the samples lie"],
      ["kernel", "weights of the chosen sample"],
    ]);
    out.fill(
      1,
      r.y.length,
      (_, i) => ({
        text: short(r.y[i]),
        cls: i === at ? "on" : "",
        label: `output ${i}: ${fmt(r.y[i], 3)}, ${rule(state, i)}`,
      }),
      [0, at],
    );
    const sign = (j, k) => {
      if (j) return w[k] < 0 ? " \u2212 " : " + ";
      return "";
    };
    rich(line, [
      ["output", `y[${at}]`],
      " = ",
      ...used.flatMap((k, j) => [
        sign(j, k),
        ["kernel", fmt(j ? Math.abs(w[k]) : w[k], 3)],
        "\u00B7",
        ["input", `x[${k}]`],
      ]),
      " = ",
      ["output", fmt(r.y[at], 3)],
      ["muted", rule(state, at)],
    ]);
    const words = `${title.textContent}. ${line.textContent.replace(` = ${fmt(r.y[at], 3)}`, (m) => `${m}: `)}.`;
    attr(
      stage,
      "aria-label",
      `${plural(state.n, "input pixel")} above ${plural(r.y.length, "output pixel")}. ${words}`,
    );
    return words;
  }
  return {
    nodes: [
      title,
      sub,
      controls,
      problem.node,
      keys,
      stage,
      line,
      out.head,
      out.node,
      code.node,
    ],
    draw,
  };
}

// A chosen sample that is gone gives way to the last one; your own values have their size.
const mend = (state) => ({
  n: state.values ? state.values.length : state.n,
  at: Math.max(0, Math.min(state.at, length(state) - 1)),
});

define("nn-resampling", {
  label: "resampling",
  css,
  mend,
  build: view,
  engine: { error, resample, place, step, length, codeShort, codeFull },
});
