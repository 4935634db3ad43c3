// Resampling: where each output sample of interpolate lies on the input, and its weights.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-resampling";
  if (F.specs[NAME]) return;
  const { h, svg, rich, text, attr, fmt, short, plural, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  const MODES = ["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "area"];
  const SIGNALS = {
    mixed: [1, 4, 2, 5, 5, 0, 0, 3, 3, 1, 4, 2],
    stripes: [0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4],
    edge: null,
    ramp: range(12),
  };
  const smooth = (S) => /linear|cubic/.test(S.mode);
  const rank = (S) => (S.mode === "linear" ? 3 : 4);
  const half = (S) => (S.mode === "bicubic" ? 2 : 1);
  const input = (S) =>
    S.values ||
    (SIGNALS[S.signal] || range(12).map((i) => (i < S.n / 2 ? 0 : 4))).slice(0, S.n);
  const length = (S) =>
    S.scale_factor === null ? S.size : Math.floor(S.n * S.scale_factor);
  // Modes in which torch leaves a row of the right size as it is, whatever the scale factor.
  const copied = (S) =>
    length(S) === S.n && (S.antialias || !/exact|cubic/.test(S.mode));
  // Its backward pass decides otherwise: bicubic passes the gradient on, antialias does not.
  const passedOn = (S) =>
    length(S) === S.n && !S.antialias && S.mode !== "nearest-exact";
  const byFactor = (S) =>
    S.scale_factor !== null &&
    !S.recompute_scale_factor &&
    !S.align_corners &&
    S.mode !== "area";
  // Input pixels from one output sample to the next.
  function step(S, same = copied(S)) {
    const out = length(S);
    if (S.align_corners) return out > 1 ? (S.n - 1) / (out - 1) : 0;
    return byFactor(S) && !same ? 1 / S.scale_factor : S.n / out;
  }
  const onCorners = (S) => S.align_corners && !S.antialias;
  const onStep = (S) => S.align_corners && S.antialias;
  // Place of sample i on the input axis, on which pixel k reaches from k - 1/2 to k + 1/2.
  function place(S, i) {
    if (S.mode === "nearest") return i * step(S) - 0.5;
    return onCorners(S) ? i * step(S) : (i + 0.5) * step(S) - 0.5;
  }
  // Left end and width of output pixel i on that axis.
  function pixel(S, i) {
    const w = step(S) || 1;
    return onCorners(S) ? [place(S, i) - w / 2, w] : [i * w - 0.5, w];
  }
  function cubic(t, a) {
    t = Math.abs(t);
    return t < 1
      ? ((a + 2) * t - (a + 3)) * t * t + 1
      : t < 2
        ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
        : 0;
  }
  // The weights of output sample i, one an input pixel.
  function row(S, i, same = copied(S)) {
    const n = S.n,
      out = length(S),
      r = step(S, same),
      w = range(n).map(() => 0);
    const at = (k) => Math.max(0, Math.min(n - 1, k));
    if (same) w[i] = 1;
    else if (S.mode === "area") {
      const from = Math.floor((i * n) / out),
        to = Math.ceil(((i + 1) * n) / out);
      for (let k = from; k < to; k++) w[k] = 1 / (to - from);
    } else if (!smooth(S))
      w[at(Math.floor((i + (S.mode === "nearest" ? 0 : 0.5)) * r))] = 1;
    else if (S.antialias) {
      const wide = Math.max(r, 1),
        reach = half(S) * wide,
        c = (i + 0.5) * r;
      const from = Math.max(Math.trunc(c - reach + 0.5), 0),
        to = Math.min(Math.trunc(c + reach + 0.5), n);
      for (let k = from; k < to; k++) {
        const t = (k - c + 0.5) / wide;
        w[k] = half(S) === 2 ? cubic(t, -0.5) : Math.max(0, 1 - Math.abs(t));
      }
      const sum = w.reduce((a, b) => a + b, 0);
      return w.map((v) => v / sum);
    } else {
      const p = half(S) === 2 ? place(S, i) : Math.max(place(S, i), 0),
        k = Math.floor(p),
        t = p - k;
      if (half(S) === 2)
        for (const d of [-1, 0, 1, 2]) w[at(k + d)] += cubic(t - d, -0.75);
      else {
        w[at(k)] += 1 - t;
        w[at(k + 1)] += t;
      }
    }
    return w;
  }
  // Weights, output, and torch's gradient of output.sum().
  function resample(S) {
    const weights = range(length(S)).map((i) => row(S, i)),
      x = input(S),
      back = weights.map((_, i) => row(S, i, passedOn(S)));
    return {
      weights,
      x,
      y: weights.map((w) => w.reduce((sum, v, k) => sum + v * x[k], 0)),
      gradient: x.map((_, k) => back.reduce((sum, w) => sum + w[k], 0)),
      unread: range(S.n).filter((k) => weights.every((w) => w[k] === 0)),
    };
  }
  function error(S) {
    const no = (type, words) => ({ type, text: words }),
      out = length(S);
    if (S.align_corners && !smooth(S))
      return no(
        "ValueError",
        "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear",
      );
    if (S.recompute_scale_factor && S.scale_factor === null)
      return no(
        "ValueError",
        "recompute_scale_factor is not meaningful with an explicit size.",
      );
    if (S.antialias && !/bi/.test(S.mode))
      return no(
        "ValueError",
        "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input",
      );
    if (out > 0 || S.mode === "area") return null;
    const h1 = rank(S) === 4 ? "H: 1, " : "";
    return no(
      "RuntimeError",
      `Input and output sizes should be greater than 0, but got input (${h1}W: ${S.n})${h1 ? "" : " and"} output (${h1}W: ${out})`,
    );
  }

  // ------------------------------------------------------------------ code to copy
  function codeShort(S) {
    const four = rank(S) === 4,
      s = S.scale_factor;
    const target =
      s === null
        ? `size=${four ? `(1, ${S.size})` : S.size}`
        : `scale_factor=${four ? `(1.0, ${s})` : s}`;
    const flags = ["align_corners", "antialias", "recompute_scale_factor"]
      .filter((k) => S[k])
      .map((k) => `, ${k}=True`)
      .join("");
    return (
      `y = F.interpolate(x, ${target}, mode="${S.mode}"${flags})` +
      (error(S)
        ? ""
        : `  # (N, C, ${four ? "H, W" : "L"}) = (1, 1, ${four ? "1, " : ""}${length(S)})`)
    );
  }
  const codeFull = (S) =>
    `import torch\nimport torch.nn.functional as F\n\nx = torch.tensor([${input(S).join(", ")}]).double()` +
    `.view(1, 1, ${rank(S) === 4 ? "1, " : ""}-1)\n${codeShort(S)}\nprint(y)`;

  const defaults = {
    n: 4,
    size: 8,
    mode: "bilinear",
    align_corners: false,
    antialias: false,
    scale_factor: null,
    recompute_scale_factor: false,
    signal: "mixed",
    show: "values",
    at: 3,
    values: null,
  };

  // ---------------------------------------------------------------------- drawing
  // Heights in px: the curve, the input row, the wires, the output row.
  const TOP = 96,
    ROW = 30,
    WIRES = 74,
    MARGIN = 0.3;
  const css = `
.stage{position:relative;height:${TOP + ROW + WIRES + 24}px;overflow:hidden;margin-top:.3rem}
.stage svg{position:absolute;inset:0;width:100%;height:100%}
.stage path{fill:none;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.stage i,.stage u{position:absolute;font-style:normal;text-decoration:none;text-align:center;font-size:12px;line-height:${ROW - 3}px;
transition:left .18s,width .18s;border:1px solid var(--line);background:var(--bg);overflow:hidden}
.in-px{top:${TOP}px;height:${ROW}px}
.in-px.src{background:var(--input-fill);border:2px solid var(--input)}
.in-px.grad{color:var(--gradient);border-style:dashed;border-color:var(--gradient)}
.in-px.dead{color:var(--muted);background-image:repeating-linear-gradient(45deg,transparent 0 5px,var(--padding) 5px 6px)}
.out-px{top:${TOP + ROW + WIRES}px;height:22px;border-radius:7px;border-color:var(--output)!important}
.out-px.on{background:var(--output-fill)!important;border-width:2.5px!important}
.stage u{top:${TOP - 7}px;height:13px;width:0;border:0;border-left:2px solid var(--output);background:none}
.stage u.on{height:${ROW + 7}px;border-left-width:4px}
.stage b{position:absolute;top:${TOP + ROW + 3}px;width:4em;margin-left:-2em;text-align:center;font-size:11.5px;line-height:15px;color:var(--kernel)}
.d-x{stroke:var(--input);stroke-width:9;stroke-linecap:square}.d-y{stroke:var(--output);stroke-width:7;stroke-linecap:round}
.d-line{stroke:var(--output);stroke-width:1.5}.d-now{stroke:var(--output);stroke-width:12;stroke-linecap:round}
.wire{stroke:var(--kernel)}.wire.neg{stroke-dasharray:5 4}
.lim{position:absolute;left:0;font-size:11px;color:var(--muted);background:var(--bg)}
.keys span{margin-right:1em}
.y .hd:first-child{display:none}.y .slice{gap:6px}
.y .cell{border-radius:calc(var(--nn)*.28);border-color:var(--output)}.y .on{background:var(--output-fill)}
`;

  function view(ui) {
    const title = h("p", { class: "claim" }),
      sub = h("p", { class: "sub" }),
      line = h("p", { class: "line" });
    const problem = ui.errorLine(),
      code = ui.code(),
      keys = h("p", { class: "part keys" });
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
    const part = (kind, k, make) => pools[kind][k] || (pools[kind][k] = make());
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
      { class: "controls" },
      ui.range("n", "Input size", {
        min: 1,
        max: (S) => (S.scale_factor > 1 ? Math.ceil(13 / S.scale_factor) - 1 : 12),
        visible: (S) => !S.values,
      }),
      ui.range("size", "Output size", {
        min: 0,
        max: () => 12,
        visible: (S) => S.scale_factor === null,
      }),
      ui.select("mode", "mode", () => MODES.map((m) => [m, m])),
      ui.check("align_corners", "align_corners"),
      ui.check("antialias", "antialias"),
      ui.more(
        ui.select("scale_factor", "scale_factor", (S) =>
          [...new Set([null, 0.1, 0.25, 0.5, 0.7, 1.3, 1.5, 1.7, 2, S.scale_factor])]
            .filter((v) => S.n * v < 13)
            .map((v) => [v, v === null ? "None" : String(v)]),
        ),
        ui.check("recompute_scale_factor", "recompute_scale_factor"),
        ui.select("signal", "Input values", (S) =>
          S.values ? [[S.signal, "your own"]] : Object.keys(SIGNALS).map((k) => [k, k]),
        ),
        ui.choice("show", "Numbers in the input", [
          ["values", "values"],
          ["gradient", "gradient of the output\u2019s sum"],
        ]),
      ),
    );

    function claim(S, r) {
      const dead = r.unread.length,
        all = r.y.length;
      if (!all) return "An area output of size 0 is empty, and torch accepts it";
      if (copied(S)) return "As many samples as pixels: torch returns the input";
      if (dead)
        return `${dead} of ${S.n} input pixels ${dead === 1 ? "is" : "are"} never read`;
      if (onStep(S))
        return "With antialias, align_corners changes the step alone: the end samples miss the end pixels\u2019 centers";
      if (S.antialias)
        return all < S.n
          ? `Antialiasing makes the kernel ${fmt(step(S))} times as wide: every pixel is read`
          : "Antialiasing widens the kernel only where the picture shrinks";
      if (S.mode === "area") return "Area takes the mean of a bin of whole pixels";
      if (S.mode === "nearest")
        return "Nearest reads the pixel under the left edge of each output pixel";
      if (S.mode === "nearest-exact")
        return "Nearest-exact reads the pixel under each output pixel\u2019s center";
      if (S.align_corners)
        return all > 1
          ? "align_corners puts the end samples on the centers of the end pixels"
          : "align_corners puts a single sample on the first pixel";
      return byFactor(S) && Math.abs(all * step(S) - S.n) > 1e-9
        ? `The step is 1/scale_factor: the ${all > 1 ? all + " output pixels cover" : "output pixel covers"} ${fmt(all * step(S))} of ${S.n} input pixels`
        : "Both rows cover the same stretch: the outer edges are aligned";
    }
    // The rule of the coordinate with this sample's numbers.
    function rule(S, i) {
      if (S.mode === "area") {
        const first = Math.floor((i * S.n) / length(S)),
          end = Math.ceil(((i + 1) * S.n) / length(S)) - 1;
        return first < end
          ? `bin of pixels ${first} to ${end}`
          : `bin of pixel ${first} alone`;
      }
      if (copied(S)) return `sample ${i} is pixel ${i}`;
      const ends = +S.align_corners,
        out = length(S) - ends,
        p = fmt(place(S, i), 3);
      const r = byFactor(S)
        ? " / " + S.scale_factor
        : out
          ? ` \u00B7 ${S.n - ends}/${out}`
          : " \u00B7 0";
      if (S.mode === "nearest") return `sample ${i} is pixel floor(${i}${r})`;
      return (
        `sample ${i} lies at ` +
        (onCorners(S) ? `${i}${r} = ${p}` : `(${i} + 0.5)${r} \u2212 0.5 = ${p}`)
      );
    }

    function draw(S) {
      const bad = error(S),
        r = bad
          ? { weights: [], x: input(S), y: [], gradient: [], unread: [] }
          : resample(S);
      const at = S.at,
        gradient = S.show === "gradient",
        w = r.weights[at] || [],
        used = range(S.n).filter((k) => Math.abs(w[k] || 0) > 1e-12),
        empty = !r.y.length;
      text(
        title,
        bad
          ? bad.type === "RuntimeError"
            ? "An output needs at least one pixel"
            : /^align/.test(bad.text)
              ? `Mode ${S.mode} has no align_corners`
              : /^rec/.test(bad.text)
                ? "recompute_scale_factor needs a scale_factor"
                : `Mode ${S.mode} has no antialias`
          : claim(S, r),
      );
      const [low, high] = [Math.min(...r.x), Math.max(...r.x)],
        beyond = r.y.some((v) => v < low - 1e-9 || v > high + 1e-9);
      text(
        sub,
        bad || empty
          ? ""
          : [
              r.unread.length ? `Never read: ${r.unread.join(", ")}.` : "",
              `${plural(S.n, "pixel")} in, ${r.y.length} out, ${fmt(step(S), 3)} input pixel${fmt(step(S), 3) === "1" ? "" : "s"} from sample to sample.`,
              beyond
                ? `The output reaches from ${fmt(Math.min(...r.y))} to ${fmt(Math.max(...r.y))}, the input from ${fmt(low)} to ${fmt(high)}.`
                : "",
              gradient && copied(S) !== passedOn(S) && byFactor(S) && S.n > 1
                ? "At equal sizes torch\u2019s backward pass is not this mode\u2019s transpose."
                : "",
            ]
              .filter(Boolean)
              .join(" "),
      );
      problem.set(bad);
      for (const e of [keys, stage, out.head, out.node, line])
        e.hidden = Boolean(bad) || empty;
      code.set(codeShort(S), codeFull(S));
      if (bad) return `torch raises ${bad.type}: ${bad.text}`;
      if (empty) return title.textContent;
      // Where antialias meets align_corners, samples lie beyond the last pixel.
      const end = onStep(S) ? pixel(S, r.y.length - 1)[0] + (step(S) || 1) + 0.5 : 0;
      const full = Math.max(S.n, end) + 2 * MARGIN,
        u = (p) => (p + 0.5 + MARGIN) / full,
        pc = (v) => (100 * v).toFixed(2) + "%";
      const values = [...r.x, ...r.y],
        floor = Math.min(...values),
        span = Math.max(...values) - floor || 1;
      const v = (y) => (TOP - 16 - ((TOP - 28) * (y - floor)) / span).toFixed(1),
        X = (p) => (1000 * u(p)).toFixed(1);
      const seen = (i) =>
        S.mode === "nearest" ? pixel(S, i)[0] + pixel(S, i)[1] / 2 : place(S, i);
      attr(dots[0], "d", "M" + r.y.map((y, i) => `${X(seen(i))} ${v(y)}`).join("L"));
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
      fit("i", S.n);
      r.y.forEach((_, i) => {
        const e = part("o", i, () => stage.appendChild(h("i"))),
          [left, wide] = pixel(S, i);
        e.style.left = pc(u(left));
        e.style.width = pc(wide / full);
        attr(e, "class", "out-px" + (i === at ? " on" : ""));
        const tick = part("u", i, () => stage.appendChild(h("u")));
        tick.style.left = `calc(${pc(u(place(S, i)))} - ${i === at ? 2 : 1}px)`;
        attr(tick, "class", i === at ? "on" : "");
      });
      fit("o", r.y.length);
      fit("u", r.y.length);
      used.forEach((k, j) => {
        const b = part("b", j, () => stage.appendChild(h("b"))),
          wire = part("w", j, () => path("wire"));
        b.style.left = pc(u(k));
        b.style.marginTop = end && j % 2 ? "13px" : "";
        text(b, fmt(w[k]).replace(/0\./, "."));
        attr(wire, "class", "wire" + (w[k] < 0 ? " neg" : ""));
        attr(
          wire,
          "d",
          `M${X(k)} ${TOP + ROW + 20}L${X(seen(at))} ${TOP + ROW + WIRES}`,
        );
        wire.style.strokeWidth = (1 + 6 * Math.abs(w[k])).toFixed(1);
      });
      fit("b", used.length);
      fit("w", used.length);
      rich(keys, [
        ["input", "\u25A0 input"],
        ["output", "\u25CF output"],
        ["output", "| where the samples lie"],
        ["kernel", "weights of the chosen sample"],
      ]);
      out.fill(
        1,
        r.y.length,
        (_, i) => ({
          text: short(r.y[i]),
          cls: i === at ? "on" : "",
          label: `output ${i}: ${fmt(r.y[i], 3)}, ${rule(S, i)}`,
        }),
        [0, at],
      );
      rich(line, [
        ["output", `y[${at}]`],
        " = ",
        ...used.flatMap((k, j) => [
          j ? (w[k] < 0 ? " \u2212 " : " + ") : "",
          ["kernel", fmt(j ? Math.abs(w[k]) : w[k], 3)],
          "\u00B7",
          ["input", `x[${k}]`],
        ]),
        " = ",
        ["output", fmt(r.y[at], 3)],
        ["muted", rule(S, at)],
      ]);
      const words = `${title.textContent}. ${line.textContent.replace(" = " + fmt(r.y[at], 3), (m) => m + ": ")}.`;
      attr(
        stage,
        "aria-label",
        `${plural(S.n, "input pixel")} above ${plural(r.y.length, "output pixel")}. ${words}`,
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
  const mend = (S) => ({
    n: S.values ? S.values.length : S.n,
    at: Math.max(0, Math.min(S.at, length(S) - 1)),
  });

  F.define(NAME, {
    label: "resampling",
    defaults,
    css,
    mend,
    build: view,
    traits: [
      "n",
      "size",
      "mode",
      "align_corners",
      "antialias",
      "scale_factor",
      "recompute_scale_factor",
      "signal",
      "show",
      "at",
    ],
    engine: { error, resample, place, step, length, codeShort, codeFull },
  });
})(globalThis);
