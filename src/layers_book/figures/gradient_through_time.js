// GradientThroughTime: what a recurrent layer's gradient becomes on its way back in time.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-gradient-through-time";
  if (F.specs[NAME]) return;
  const { h, svg, rich, text, attr, fmt, plural, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  const H = 8,
    SMALL = 0.01,
    LARGE = 100;
  // value -> [value, slope]; torch's slope of relu at 0 is 0
  const ACT = {
    none: (z) => [z, 1],
    tanh: (z) => {
      const t = Math.tanh(z);
      return [t, 1 - t * t];
    },
    relu: (z) => (z > 0 ? [z, 1] : [0, 0]),
  };
  const KINDS = {
    default: "default",
    orthogonal: "orthogonal",
    identity: "identity",
    "non-normal": "non-normal",
    own: "your own",
  };
  const square = (n, f) => range(n).map((i) => range(n).map((j) => f(i, j))),
    zeros = (n) => range(n).map(() => 0),
    eye = (n) => square(n, (i, j) => +(i === j));
  const add = (list) => list.reduce((a, v) => a + v, 0),
    dot = (a, b) => add(a.map((v, i) => v * b[i])),
    rms = (list) => Math.sqrt(dot(list, list) / list.length);
  const times = (A, B) =>
    A.map((row) => B[0].map((_, j) => add(row.map((v, k) => v * B[k][j]))));
  const scale = (A, factor) => A.map((row) => row.map((v) => factor * v));
  // Evenly spread between -1 and 1: murmur3's mix of seed and block, then a linear congruence.
  function uniform(seed, block, count) {
    let s = F.mix((seed + Math.imul(block + 1, 0x9e3779b9)) | 0);
    return range(count).map(() => {
      s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
      return (s >>> 16) / 32767.5 - 1;
    });
  }
  const draw8 = (seed, block) => {
    const u = uniform(seed, block, H * H);
    return square(H, (i, j) => u[i * H + j] / Math.sqrt(H));
  };
  // Gram and Schmidt on the columns: the Q of a QR decomposition, with R's diagonal positive.
  function orthogonal(A) {
    const columns = [];
    for (const j of range(H)) {
      let v = A.map((row) => row[j]);
      for (const q of columns) {
        const c = dot(v, q);
        v = v.map((a, i) => a - c * q[i]);
      }
      columns.push(...scale([v], 1 / Math.sqrt(dot(v, v))));
    }
    return square(H, (i, j) => columns[j][i]);
  }
  // Faddeev and LeVerrier's characteristic polynomial, its roots by Durand and Kerner.
  function eigenvalues(A) {
    const n = A.length,
      c = [1];
    let M = square(n, () => 0);
    for (let k = 1; k <= n; k++) {
      M = times(A, M).map((row, i) => row.map((v, j) => v + (i === j ? c[k - 1] : 0)));
      c.push(-add(times(A, M).map((row, i) => row[i])) / k);
    }
    const mul = ([a, b], [p, q]) => [a * p - b * q, a * q + b * p];
    let roots = range(n).map((k) => [Math.cos(2.4 * k + 0.4), Math.sin(2.4 * k + 0.4)]);
    for (let step = 0, moved = 1; step < 300 && moved > 1e-15; step++) {
      moved = 0;
      roots.forEach((z, i) => {
        const up = c.reduce(
          (sum, v) => {
            const m = mul(sum, z);
            return [m[0] + v, m[1]];
          },
          [0, 0],
        );
        const down = roots.reduce(
          (sum, w, j) => (j === i ? sum : mul(sum, [z[0] - w[0], z[1] - w[1]])),
          [1, 0],
        );
        const size = down[0] ** 2 + down[1] ** 2,
          d = mul(up, [down[0] / size, -down[1] / size]);
        moved = Math.max(moved, Math.hypot(...d));
        roots[i] = [z[0] - d[0], z[1] - d[1]];
      });
    }
    return roots;
  }
  const largest = (list) => Math.max(...list.map(([a, b]) => Math.hypot(a, b)));
  // W_hh before scaling, with its eigenvalues and their radius; kept until kind or seed move.
  let kept = {};
  function base(S) {
    if (S.kind === "own")
      return { W: S.weight_hh, eig: S.eigenvalues, radius: largest(S.eigenvalues) };
    const key = S.kind + S.seed;
    if (kept.key !== key) {
      const A = draw8(S.seed, 0),
        ones = range(H).map(() => [1, 0]);
      const W =
        {
          default: A,
          identity: eye(H),
          "non-normal": square(H, (i, j) => +(i === j || j === i + 1)),
        }[S.kind] || orthogonal(A);
      const eig = W[0][0] === 1 ? ones : eigenvalues(W);
      kept = { key, W, eig, radius: largest(eig) };
    }
    return kept;
  }
  // The reader's inputs, where they fit the matrix of the inputs.
  function given(S) {
    const size = S.kind === "own" ? (S.weight_ih || S.weight_hh)[0].length : H;
    return S.x && S.x[0].length === size ? S.x : null;
  }
  // W_hh as used, the input's part of each sum, (T, H), and the scaled eigenvalues.
  function setup(S) {
    const { W, eig, radius } = base(S),
      factor = radius ? S.radius / radius : 1,
      n = W.length,
      own = S.kind === "own";
    const W_ih = (own && S.weight_ih) || (n === H ? draw8(S.seed, 1) : eye(n)),
      size = W_ih[0].length,
      b = (own && S.bias) || zeros(n);
    const mine = given(S),
      u = mine ? [] : uniform(S.seed, 2, S.length * size);
    const x = scale(
      mine
        ? mine.slice(0, S.length)
        : range(S.length).map((t) => u.slice(t * size, t * size + size)),
      mine ? S.input_scale : S.input_scale * Math.sqrt(3),
    );
    return {
      W: scale(W, factor),
      W_ih,
      b,
      x,
      drawn: radius,
      eig: scale(eig, factor),
      input: x.map((v) => W_ih.map((row, i) => dot(row, v) + b[i])),
    };
  }
  // h and slopes a step; size[k]: the Frobenius norm of dh_T / dh_(T-k) over sqrt(H).
  function run(S) {
    const parts = setup(S),
      { W, input } = parts,
      f = ACT[S.nonlinearity],
      n = W.length;
    const hs = [zeros(n)],
      slopes = [null],
      sizes = [1];
    for (const u of input) {
      const pairs = W.map((row, i) => f(u[i] + dot(row, hs.at(-1))));
      hs.push(pairs.map((p) => p[0]));
      slopes.push(pairs.map((p) => p[1]));
    }
    let P = eye(n);
    for (let t = S.length; t; t--) {
      P = times(
        P.map((row) => row.map((v, j) => v * slopes[t][j])),
        W,
      );
      sizes.push(Math.sqrt(n) * rms(P.flat()));
    }
    return { ...parts, hs, slopes, sizes };
  }
  const fate = (v) => (v < SMALL ? "vanishes" : v > LARGE ? "explodes" : "neither");

  // ------------------------------------------------------------------ code to copy
  const table = (list) =>
    JSON.stringify(list.map((row) => row.map((v) => +v.toPrecision(7))));
  // W filled and scaled; what has ones on its diagonal has radius 1 before.
  function make(S) {
    const { W, radius } = base(S),
      r = +S.radius.toPrecision(7);
    return (
      {
        default: "",
        orthogonal: "nn.init.orthogonal_(W)\n",
        identity: "nn.init.eye_(W)\n",
        "non-normal": `W.copy_(torch.eye(${H}) + torch.ones(${H - 1}).diag(1))\n`,
        own: `W.copy_(torch.tensor(${table(W)}))\n`,
      }[S.kind] +
      (!radius
        ? ""
        : W[0][0] === 1 && S.kind !== "own"
          ? `W *= ${r}`
          : `W *= ${r} / torch.linalg.eigvals(W).abs().max()  # spectral radius`)
    );
  }
  const layer = (S, more = "") =>
    `rnn = nn.RNN(${setup(S).W_ih[0].length}, ${base(S).W.length}${S.nonlinearity === "relu" ? ', nonlinearity="relu"' : ""}${more})`;
  const codeShort = (S) =>
    `${layer(S)}${S.nonlinearity === "none" ? "  # used without its tanh" : ""}\nW = rnn.weight_hh_l0.data\n${S.kind === "own" ? make(S).split("\n").at(-1) : make(S)}`;
  function codeFull(S) {
    const { W_ih, b, x } = setup(S),
      f = S.nonlinearity === "none" ? "" : "torch." + S.nonlinearity;
    return (
      `torch.manual_seed(${S.seed})\n${layer(S, ", bias=False")}.double()\nW, W_ih = rnn.weight_hh_l0.data, rnn.weight_ih_l0.data\n${make(S)}\n` +
      (S.kind === "own"
        ? `W_ih.copy_(torch.tensor(${table(W_ih)}))\nb = torch.tensor(${table([b])}[0]).double()`
        : "b = 0") +
      `\nx = ${given(S) ? `torch.tensor(${table(x)})` : `${S.input_scale} * torch.randn(${x.length}, ${x[0].length})`}.double()
hs = [torch.zeros(${b.length}, dtype=torch.float64, requires_grad=True)]
for x_t in x:\n    hs.append(${f}(W_ih @ x_t + b + W @ hs[-1]))
for k, h in enumerate(hs[::-1]):\n    J = torch.stack([torch.autograd.grad(v, h, retain_graph=True)[0] for v in hs[-1]])\n    print(k, J.norm().item() / ${b.length} ** 0.5)`
    );
  }

  // ---------------------------------------------------------------------- drawing
  const digits2 = (v) =>
    v >= 1e5 || (v && v < 0.001)
      ? v.toExponential(1).replace("+", "").replace("-", "\u2212")
      : v >= 10
        ? String(+v.toPrecision(2))
        : fmt(v, v >= 0.1 || !v ? 2 : 4);
  const part = (v) => (v > 1e-5 && v < 0.1 ? `1/${digits2(1 / v)}` : digits2(v));
  function claim(S, v) {
    const at = `${S.back === 1 ? "One step" : `${S.back} steps`} back the gradient`;
    return !S.back
      ? `At h${S.length} the gradient starts with size 1`
      : v === 0
        ? `${at} is exactly zero`
        : v > 0.95 && v < 1.05
          ? `${at} has kept its size`
          : v < 1
            ? `${at} has shrunk to ${part(v)}`
            : `${at} has grown to ${digits2(v)} times its size`;
  }
  const W = 340,
    T = 12,
    B = 150,
    L = 46,
    R = 328,
    HIGH = 202;
  const defaults = {
    kind: "default",
    radius: 0.6,
    length: 30,
    nonlinearity: "tanh",
    back: 10,
    input_scale: 1,
    seed: 0,
    predict: false,
    weight_hh: null,
    weight_ih: null,
    bias: null,
    eigenvalues: null,
    x: null,
  };
  const css = `
.charts{display:flex;flex-wrap:wrap;gap:.6rem 1.2rem;margin:.6rem 0}
.chart{margin:0;min-width:0;flex:1.7 1 17rem}.chart.round{flex:1 1 11rem;max-width:17rem}
figcaption{font-size:.87rem;font-weight:600;color:var(--muted)}
svg{display:block;width:100%;height:auto;overflow:visible}
.time{cursor:pointer}
path,circle{fill:none}
.axis{stroke:var(--line)}
.one{stroke:var(--muted);stroke-dasharray:2 4}
.bars{fill:var(--gradient-fill);stroke:var(--gradient)}
path.now{fill:var(--gradient);stroke:var(--gradient)}
.states{stroke:var(--output);stroke-linejoin:round;stroke-width:1.5;fill:var(--bg)}path.way{fill:var(--output-fill)}
.arrow{stroke:var(--gradient);stroke-width:2;stroke-dasharray:5 3}
.unit{stroke:var(--muted);stroke-width:1.5}
.eig{stroke:var(--kernel);stroke-width:11;stroke-linecap:round}path.in{stroke:var(--kernel-fill);stroke-width:6}
.pace{stroke:var(--gradient);stroke-width:2;stroke-dasharray:6 4}
text{font-size:12.5px;fill:var(--muted)}
.w-now{fill:var(--gradient);font-weight:650}.w-pace{fill:var(--gradient)}
.ask{display:flex;flex-wrap:wrap;gap:.5rem .8rem;align-items:center;margin:.8rem 0 0}
.field{width:8.6rem}
`;

  function view(ui) {
    const title = h("p", { class: "claim" }),
      sub = h("p", { class: "sub" }),
      verdict = h("p", { class: "line" }),
      code = ui.code();
    const make = (node, tag, cls) => {
      const e = svg(tag, { class: cls });
      node.append(e);
      return e;
    };
    const chart = (cls, box, caption) => {
      const node = svg("svg", { viewBox: box, role: "img" }),
        head = h("figcaption");
      rich(head, caption);
      return { node, all: h("figure", { class: "chart " + cls }, head, node) };
    };
    const time = chart("time", `0 0 ${W} ${HIGH}`, [
      ["gradient", "\u2190 Gradient size"],
      ", log scale, step by step",
    ]);
    const paths = ["one", "bars", "now", "states", "states way", "arrow"].map((c) =>
      make(time.node, "path", c),
    );
    const words = ["", "", "", "", "", "w-now"].map((c) => make(time.node, "text", c));
    const plane = chart("round", "-110 -110 220 220", [
      ["kernel", "Eigenvalues of W_hh"],
      ", unit circle",
    ]);
    attr(make(plane.node, "path", "axis"), "d", "M-105 0H105M0 -105V105");
    const [unit, pace, ...dots] = [
      ["circle", "unit"],
      ["circle", "pace"],
      ["path", "eig"],
      ["path", "eig in"],
    ].map((c) => make(plane.node, ...c));
    const paceText = make(plane.node, "text", "w-pace");
    let state = null,
      open = "";
    const key = (S) =>
      JSON.stringify([
        S.kind,
        S.radius,
        S.length,
        S.nonlinearity,
        S.input_scale,
        S.seed,
      ]);
    time.node.addEventListener("click", (e) => {
      const box = time.node.getBoundingClientRect(),
        t =
          ((((e.clientX - box.left) / box.width) * W - L) / (R - L)) *
            (state.length + 1) -
          0.5;
      ui.update({ back: state.length - Math.round(t) });
    });
    const hides = (S) => S.predict && open !== key(S);
    const controls = h(
      "div",
      { class: "controls" },
      ui.select("kind", "W_hh", (S) =>
        Object.entries(KINDS).filter(([k]) => k !== "own" || S.weight_hh),
      ),
      ui.range("radius", "Spectral radius", {
        min: 0,
        max: () => 2,
        step: 0.05,
        visible: (S) => base(S).radius > 0,
      }),
      ui.choice("nonlinearity", "Nonlinearity", [
        ["none", "none"],
        ["tanh", "tanh"],
        ["relu", "relu"],
      ]),
      ui.range("length", "Steps T", {
        min: 1,
        max: (S) => (given(S) || { length: 40 }).length,
      }),
      ui.range("back", "Steps back", { min: 0, max: (S) => S.length }),
      ui.more(
        ui.range("input_scale", "Input scale", { min: 0, max: () => 4, step: 0.25 }),
        ui.button("Draw again", () => ui.update({ seed: (state.seed + 1) % 2 ** 32 })),
        ui.check("predict", "Predict first"),
      ),
    );
    const question = h("span"),
      buttons = h(
        "div",
        { class: "buttons" },
        ...[
          ["vanishes", `vanishes: below 1/${LARGE}`],
          ["explodes", `explodes: above ${LARGE}`],
          ["neither", "neither"],
        ].map(([word, words]) => ui.button(words, () => choose(word))),
      );
    const ask = h("div", { class: "ask" }, question, buttons);
    const names = ["gradient size", "slopes on the way", "RMS of h there"];
    const heads = range(3).map(() => h("th", { scope: "col" })),
      cells = names.map(() => range(3).map(() => h("td")));
    const rows = h(
      "table",
      {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "steps back"), ...heads)),
      h(
        "tbody",
        {},
        ...names.map((w, i) => h("tr", {}, h("th", { scope: "row" }, w), ...cells[i])),
      ),
    );

    function choose(guess) {
      const v = run(state).sizes.at(-1),
        right = fate(v);
      open = key(state);
      rich(verdict, [
        guess === right ? ["output", "Right: "] : ["error", "Not quite: "],
        `${plural(state.length, "step")} back its size is ${part(v)}.`,
      ]);
      ui.update({ back: state.length }, true);
      ui.say(`${verdict.textContent} ${title.textContent}.`);
      // the buttons are gone: the first control takes the focus
      controls.querySelector("select").focus({ preventScroll: true });
    }
    // Mean slope over the k steps before T.
    const slope = (r, k) => fmt(add(r.slopes.slice(-k).flat()) / k / r.W.length);

    function draw(S) {
      state = S;
      const r = run(S),
        N = S.length,
        k = S.back,
        v = r.sizes[k],
        hidden = hides(S),
        radius = largest(r.eig),
        step = k && v ? v ** (1 / k) : 0;
      const x = (t) => L + ((R - L) * (t + 0.5)) / (N + 1),
        w = (R - L) / (N + 1),
        logs = r.sizes.map(Math.log10),
        all = logs.filter(Number.isFinite);
      text(
        title,
        hidden
          ? `What becomes of the gradient on its way from h${N} to h0?`
          : claim(S, v),
      );
      const own = S.kind === "default" ? ` (drawn as torch does: ${fmt(r.drawn)})` : "";
      text(
        sub,
        `W_hh has spectral radius ${fmt(radius)}${own}` +
          (hidden || !k
            ? "."
            : v === 0
              ? `; the slopes and weights on the way multiply to zero.`
              : `; the slopes average ${slope(r, k)}; together a step back multiplies by about ${digits2(step)}.`),
      );
      ask.hidden = !hidden;
      text(question, `Predict: from h${N} back to h0 it`);
      verdict.hidden = !S.predict || hidden;
      rows.hidden = hidden;
      time.all.hidden = hidden;
      // Bars from size 1, early steps left, on a log scale; below them the states.
      const high = Math.ceil(Math.max(0.5, ...all)),
        low = Math.floor(Math.min(-1, -high / 6, ...all)),
        y = (e) => T + ((B - T) * (high - e)) / (high - low),
        f = (n) => n.toFixed(1),
        zero = y(0);
      const bar = (lag) =>
        `M${f(x(N - lag) - w * 0.36)} ${f(zero)}V${f(Math.min(y(logs[lag]), B))}h${f(w * 0.72)}V${f(zero)}z`;
      const side = Math.min(w * 0.7, 16),
        box = (lag) =>
          `M${f(x(N - lag) - side / 2)} ${f(B + 22 - side / 2)}h${f(side)}v${f(side)}h${f(-side)}z`;
      const lags = range(N + 1),
        each = (test, shape) => lags.filter(test).map(shape).join("");
      [
        `M${L} ${f(zero)}H${R}`,
        each((lag) => lag !== k, bar),
        bar(k),
        each((lag) => lag > k, box),
        each((lag) => lag <= k, box),
        k ? `M${f(x(N))} ${B + 6}H${f(x(N - k))}m5 -4l-5 4l5 4` : "",
      ].forEach((d, i) => attr(paths[i], "d", d));
      const put = (e, words, px, py, anchor) => {
        text(e, words);
        attr(e, "x", f(px));
        attr(e, "y", f(py));
        attr(e, "text-anchor", anchor);
      };
      const tick = (e) => [
          Math.abs(y(e) - zero) > 13 ? "1e" + fmt(e) : "",
          L - 5,
          y(e) + 4,
          "end",
        ],
        left = 2 * k > N;
      [
        tick(high),
        ["1", L - 5, zero + 4, "end"],
        tick(low),
        ["h0", x(0), HIGH - 3, "middle"],
        [`h${N}`, x(N), HIGH - 3, "middle"],
        [
          part(v),
          x(N - k) + (left ? -w : w) / 2,
          v > 1 ? zero + 14 : zero - 4,
          left ? "start" : "end",
        ],
      ].forEach((list, i) => put(words[i], ...list));
      attr(
        time.node,
        "aria-label",
        `Gradient size by step: 1 at h${N}; ${[k, N].map((i) => `${part(r.sizes[i])} at h${N - i}`).join("; ")}`,
      );
      // The complex plane; the dashed circle is what a step really multiplies by.
      const around = hidden || step > 3 ? 0 : step,
        zoom = 100 / Math.max(1.15, radius * 1.1, around * 1.05);
      attr(unit, "r", f(zoom));
      attr(pace, "r", f(around * zoom));
      for (const e of dots)
        attr(
          e,
          "d",
          r.eig.map(([a, b]) => `M${f(a * zoom)} ${f(-b * zoom)}h.01`).join(""),
        );
      put(paceText, around ? `a step: ${digits2(step)}` : "", 0, 108, "middle");
      attr(
        plane.node,
        "aria-label",
        `${plural(r.eig.length, "eigenvalue")} of W_hh, the largest of absolute value ${fmt(radius)}` +
          (around
            ? `; a step back multiplies the gradient by about ${digits2(step)}`
            : ""),
      );
      const columns = [...new Set([1, k, N])].sort((a, b) => a - b);
      heads.forEach((head, i) => {
        const lag = columns[i],
          said =
            lag === undefined
              ? null
              : [
                  part(r.sizes[lag]),
                  lag ? slope(r, lag) : "\u2013",
                  digits2(rms(r.hs[N - lag])),
                ];
        [head, ...cells.map((row) => row[i])].forEach((e, j) => {
          e.hidden = !said;
          text(e, !said ? "" : j ? said[j - 1] : String(lag));
        });
      });
      code.set(codeShort(S), codeFull(S));
      return hidden
        ? `${title.textContent} ${question.textContent}?`
        : `${title.textContent}. ${sub.textContent}`;
    }
    return {
      nodes: [
        title,
        sub,
        controls,
        ask,
        verdict,
        h("div", { class: "charts" }, time.all, plane.all),
        rows,
        code.node,
      ],
      draw,
    };
  }

  // The lag lies within the steps; a matrix of one's own only where one came along.
  function mend(S) {
    const kind = S.kind === "own" && !S.weight_hh ? "default" : S.kind;
    const length = Math.min(S.length, (given({ ...S, kind }) || { length: 40 }).length);
    return { length, back: Math.max(0, Math.min(S.back, length)), kind };
  }

  F.define(NAME, {
    label: "gradient through time",
    defaults,
    css,
    mend,
    build: view,
    traits: [
      "kind",
      "radius",
      "length",
      "nonlinearity",
      "back",
      "input_scale",
      "seed",
      "predict",
    ],
    engine: {
      uniform,
      eigenvalues,
      setup,
      run,
      fate,
      claim,
      part,
      codeShort,
      codeFull,
      mend,
    },
  });
})(globalThis);
