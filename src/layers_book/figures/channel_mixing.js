// ChannelMixing: which input channel feeds which output channel, and what that costs.
(function (root) {
  "use strict";
  const F = root.nnFigures,
    NAME = "nn-channel-mixing";
  if (F.specs[NAME]) return;
  const { h, rich, text, fmt, plural, range } = F;

  // ------------------------------------------- engine: no DOM, checked against torch
  // The first convolution's sizes: depthwise has a group for each input channel.
  const sizes = (S) =>
    S.depthwise
      ? { c: S.in_channels, out: S.in_channels * S.multiplier, g: S.in_channels }
      : { c: S.in_channels, out: S.out_channels, g: S.groups };
  const last = (S) => S.pointwise || sizes(S).out;
  function error(S) {
    const { c, out, g } = sizes(S);
    const words =
      g < 1
        ? "groups must be a positive integer"
        : c % g
          ? "in_channels must be divisible by groups"
          : out % g
            ? "out_channels must be divisible by groups"
            : "";
    return words ? { type: "ValueError", text: words } : null;
  }
  // The inputs that an output channel of the first convolution reads: a run of neighbors.
  function reads(S, o) {
    const { c, out, g } = sizes(S),
      each = c / g,
      group = Math.floor(o / (out / g));
    return range(each).map((j) => group * each + j);
  }
  const wiring = (S) =>
    range(sizes(S).out).map((o) =>
      range(sizes(S).c).map((i) => reads(S, o).includes(i)),
    );
  // Through both layers: a 1 x 1 convolution reads every channel between.
  const reach = (S) =>
    S.pointwise
      ? range(S.pointwise).map(() => Array(S.in_channels).fill(true))
      : wiring(S);
  function shapes(S) {
    const { c, out, g } = sizes(S),
      k = S.kernel_size;
    return [
      [out, c / g, k, k],
      ...(S.bias ? [[out]] : []),
      ...(S.pointwise
        ? [[S.pointwise, out, 1, 1], ...(S.pointwise_bias ? [[S.pointwise]] : [])]
        : []),
    ];
  }
  const product = (list) => list.reduce((a, b) => a * b, 1);
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  // For size x size outputs at stride 1: learned, multiplied, and read or written numbers;
  // beside each the full convolution's, with a bias where the last layer has one.
  function cost(S) {
    const { c, out } = sizes(S),
      area = S.size ** 2,
      input = c * (S.size + S.kernel_size - 1) ** 2,
      n = last(S);
    const side = (list, middle) => {
      const parameters = sum(list.map(product));
      return {
        parameters,
        macs: sum(list.filter((s) => s.length > 1).map(product)) * area,
        moved: input + parameters + (middle + n) * area,
      };
    };
    const full = {
      ...S,
      depthwise: false,
      out_channels: n,
      groups: 1,
      pointwise: 0,
      bias: S.pointwise ? S.pointwise_bias : S.bias,
    };
    return {
      here: side(shapes(S), S.pointwise ? 2 * out : 0),
      full: side(shapes(full), 0),
    };
  }
  // Answers offered for the number of kernels, the right one among them.
  function guesses(S) {
    const { c, out, g } = sizes(S);
    return [...new Set([1, g, out, (c * out) / g, c * out])].sort((a, b) => a - b);
  }

  // ------------------------------------------------------------------ code to copy
  function layerCode(S) {
    const { c, out, g } = sizes(S),
      no = (on) => (on ? "" : ", bias=False");
    const first = `nn.Conv2d(${c}, ${out}, ${S.kernel_size}${g === 1 ? "" : `, groups=${g}`}${no(S.bias)})`;
    return S.pointwise
      ? `nn.Sequential(${first}, nn.Conv2d(${out}, ${S.pointwise}, 1${no(S.pointwise_bias)}))`
      : first;
  }
  const codeShort = (S) =>
    `layer = ${layerCode(S)}\ny = layer(x)  # (N, C_out, H_out, W_out) = (1, ${last(S)}, ${S.size}, ${S.size})`;
  const codeFull = (S) =>
    [
      "import torch",
      "from torch import nn",
      `layer = ${layerCode(S)}`,
      `x = torch.randn(1, ${S.in_channels}, ${S.size + S.kernel_size - 1}, ${S.size + S.kernel_size - 1}, requires_grad=True)`,
      "y = layer(x)",
      `y[0, ${S.at}].sum().backward()`,
      "reached = x.grad[0].abs().sum((1, 2)) > 0",
      "print([tuple(p.shape) for p in layer.parameters()])",
      `print("output ${S.at} reads", reached.nonzero().flatten().tolist())`,
    ].join("\n");

  const defaults = {
    in_channels: 6,
    out_channels: 6,
    groups: 3,
    kernel_size: 3,
    bias: true,
    depthwise: false,
    multiplier: 1,
    pointwise: 0,
    pointwise_bias: true,
    size: 32,
    at: 3,
    between: 0,
    input: 2,
    predict: false,
  };
  const MOST = 16,
    WIDE = 10;

  const css = `
.cell.k{background:var(--kernel-fill);border-color:var(--kernel)}
.cell.on{border-width:3px;font-weight:700;line-height:calc(var(--nn) - 6px)}
.cell.i{background:var(--input-fill);border-color:var(--input);border-radius:0}
.cell.never{color:var(--muted);border-radius:0;background-image:repeating-linear-gradient(45deg,transparent 0 5px,var(--padding) 5px 6px)}
.cell.ask{color:var(--muted)}
.side>.cost{flex:1 1 17rem;max-width:32rem}
.cost table{width:100%}
.cost td:not(:last-child){width:32%}
.cost thead th{white-space:nowrap}
.cost i{display:block;height:8px;min-width:1px;background:var(--kernel);border-radius:2px;margin-left:auto}
.cost .full{background:var(--padding)}
@container(max-width:420px){.field{width:8.4rem}.cost td,.cost th{padding:.22rem .3rem}}
`;

  // Neighbors in words: "input 2", "inputs 2, 3", "inputs 2 to 5".
  const list = (word, at) =>
    at.length === 1
      ? `${word} ${at[0]}`
      : `${word}s ${at.length === 2 ? at.join(", ") : `${at[0]} to ${at[at.length - 1]}`}`;
  const number = (n) => n.toLocaleString("en-US");

  function claim(S) {
    const { c, out, g } = sizes(S),
      bad = error(S);
    if (bad)
      return g < 1
        ? `${g} groups are none`
        : `${c % g ? plural(c, "input channel") : plural(out, "output channel")} cannot be split into ${g} equal groups`;
    if (c === 1) return "There is one input, and every output reads it";
    if (S.pointwise && g > 1)
      return `The 1 \u00d7 1 opens all ${c} inputs to every output again`;
    if (g === 1) return `One group: every output reads all ${c} inputs`;
    return g === c
      ? `Depthwise: each output reads one input, by a kernel of its own`
      : `${g} groups: each output reads ${c / g} of ${c} inputs`;
  }

  function view(ui) {
    const title = h("p", { class: "claim" }),
      sub = h("p", { class: "sub" }),
      line = h("p", { class: "line" });
    const problem = ui.errorLine(),
      code = ui.code(),
      verdict = h("p", { class: "line" });
    const strip = ui.matrix("Input channels", (_, input) => ui.update({ input }));
    const first = ui.matrix("First convolution", (r, input) =>
      ui.update(state.pointwise ? { between: r, input } : { at: r, input }),
    );
    const second = ui.matrix("Then 1 \u00d7 1", (at, between) =>
      ui.update({ at, between }),
    );
    let state = null,
      open = "";
    const grouped = (S) => !S.depthwise;
    const controls = h(
      "div",
      { class: "controls" },
      ui.choice("depthwise", "Kind", [
        [false, "groups"],
        [true, "depthwise"],
      ]),
      ui.range("in_channels", "in_channels", { min: 1, max: () => WIDE }),
      ui.range("out_channels", "out_channels", {
        min: 1,
        max: () => WIDE,
        visible: grouped,
      }),
      ui.range("groups", "groups", { min: 1, max: () => WIDE, visible: grouped }),
      ui.range("multiplier", "multiplier", {
        min: 1,
        max: (S) => Math.max(1, Math.floor(WIDE / S.in_channels)),
        visible: (S) => S.depthwise,
      }),
      ui.range("pointwise", "1 \u00d7 1 outputs", { min: 0, max: () => WIDE }),
      ui.more(
        ui.range("kernel_size", "kernel_size", { min: 1, max: () => 7 }),
        ui.range("size", "output pixels a side", { min: 1, max: () => 64 }),
        ui.check("bias", "bias"),
        ui.check("pointwise_bias", "bias of the 1 \u00d7 1"),
        ui.check("predict", "Guess first"),
      ),
    );
    const options = h("div", { class: "buttons" });
    const row = (words) => {
      const here = h("span"),
        full = h("span"),
        ratio = h("td"),
        bar = h("i"),
        whole = h("i", { class: "full" });
      const node = h(
        "tr",
        {},
        h("th", { scope: "row" }, words),
        h("td", {}, here, bar),
        h("td", {}, full, whole),
        ratio,
      );
      return {
        node,
        set(a, b) {
          text(here, number(a));
          text(full, number(b));
          text(ratio, fmt(b / a));
          bar.style.width = (100 * a) / Math.max(a, b) + "%";
          whole.style.width = (100 * b) / Math.max(a, b) + "%";
        },
      };
    };
    const parts = {
      parameters: row("parameters"),
      macs: row("multiply-adds"),
      moved: row("numbers moved"),
    };
    const col = (words) => h("th", { scope: "col" }, words);
    const price = h("p", { class: "part" });
    const bars = h(
      "div",
      { class: "cost" },
      price,
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h("tr", {}, col("count"), col("this"), col("full"), col("full / this")),
        ),
        h("tbody", {}, ...Object.values(parts).map((p) => p.node)),
      ),
    );
    const asked = (S) => JSON.stringify([sizes(S), S.kernel_size]);
    const choose = (guess, count) => () => {
      open = asked(state);
      rich(
        verdict,
        guess === count
          ? [["output", "Right: "], plural(count, "kernel") + "."]
          : [["error", "Not quite: "], `you said ${guess}, it is ${count}.`],
      );
      ui.update({}, true);
      ui.say(`${verdict.textContent} ${title.textContent}.`);
      // the button is gone: the chosen kernel takes the focus
      first.node.querySelector("[aria-selected=true]").focus({ preventScroll: true });
    };

    function draw(S) {
      state = S;
      const bad = error(S),
        { c, out, g } = sizes(S),
        k = `${S.kernel_size} \u00d7 ${S.kernel_size}`,
        kernels = (c * out) / g;
      const seen = open === asked(S),
        ask = S.predict && !bad && !seen,
        plain = Boolean(bad || ask);
      const mine = S.pointwise ? S.between : S.at,
        own = bad ? [] : reads(S, mine),
        reached = bad ? [] : reach(S)[S.at].flatMap((on, i) => (on ? [i] : []));
      const word = S.pointwise ? "channel" : "output";
      text(title, ask ? `How many ${k} kernels are there in all?` : claim(S));
      text(
        sub,
        plain
          ? ""
          : `${plural(kernels, "kernel")} of ${k}${S.pointwise ? `, then ${number(out * S.pointwise)} of 1 \u00d7 1` : ""}.` +
              (S.pointwise
                ? ` ${plural(out, "channel")} between: rows of the first matrix, columns of the second.`
                : " A row an output channel, a column an input channel.") +
              (g > 1 && c > 1
                ? " Empty cells are kernels that only a full convolution has."
                : ""),
      );
      problem.set(bad);
      options.hidden = !ask;
      if (ask)
        options.replaceChildren(
          ...guesses(S).map((n) => ui.button(number(n), choose(n, kernels))),
        );
      verdict.hidden = !S.predict || !seen || Boolean(bad);
      strip.node.hidden = plain;
      if (!plain)
        strip.fill(
          1,
          c,
          (_, i) => {
            const on = reached.includes(i);
            return {
              text: on ? "\u2193" : "",
              cls: on ? "i" : "never",
              label: `input ${i}, ${on ? "reaches" : "never reaches"} output ${S.at}`,
            };
          },
          [0, S.input],
        );
      first.node.hidden = Boolean(bad);
      second.node.hidden = plain || !S.pointwise;
      text(
        first.head,
        ask
          ? "Wiring"
          : `weight (${out}, ${c / g}, ${S.kernel_size}, ${S.kernel_size})`,
      );
      if (!bad)
        first.fill(
          out,
          c,
          (o, i) => {
            const j = reads(S, o).indexOf(i),
              where = `${word} ${o}, input ${i}`;
            return ask
              ? { text: "?", cls: "ask", label: where }
              : j < 0
                ? { text: "", cls: "", label: `${where}: not read` }
                : {
                    text: String(j),
                    cls: "k" + (o === mine ? " on" : ""),
                    label: `${where}: kernel weight[${o}, ${j}]`,
                  };
          },
          [mine, S.input],
        );
      if (!plain && S.pointwise) {
        text(second.head, `1 \u00d7 1 weight (${S.pointwise}, ${out}, 1, 1)`);
        second.fill(
          S.pointwise,
          out,
          (n, o) => ({
            text: String(o),
            cls: "k" + (n === S.at ? " on" : ""),
            label: `output ${n}, channel ${o}: one number, weight[${n}, ${o}]`,
          }),
          [S.at, S.between],
        );
      }
      line.hidden = bars.hidden = plain;
      code.set(codeShort(S), codeFull(S));
      if (bad) return `torch raises ${bad.type}: ${bad.text}`;
      if (ask) return title.textContent;
      const all = list("channel", range(out)),
        j = own.indexOf(S.input);
      rich(
        line,
        S.pointwise
          ? [
              ["output", `output ${S.at}`],
              ` reads ${all} between, and through ${out === 1 ? "it" : "them"} `,
              ["input", list("input", reached)],
              `. Channel ${S.between} alone reads `,
              ["input", list("input", own)],
            ]
          : [
              ["output", `output ${S.at}`],
              " reads ",
              ["input", list("input", own)],
              [
                "muted",
                j < 0
                  ? `; input ${S.input} is in another group`
                  : `; input ${S.input} through `,
              ],
              ["kernel", j < 0 ? "" : `weight[${S.at}, ${j}]`],
            ],
      );
      const { here, full } = cost(S);
      text(
        price,
        `For ${S.size} \u00d7 ${S.size} outputs, beside one full convolution`,
      );
      for (const key of Object.keys(parts)) parts[key].set(here[key], full[key]);
      return `${title.textContent}. ${line.textContent}. ${number(here.parameters)} parameters, the full convolution ${number(full.parameters)}.`;
    }
    return {
      nodes: [
        title,
        sub,
        controls,
        problem.node,
        options,
        verdict,
        line,
        h(
          "div",
          { class: "side" },
          h("div", {}, strip.node, first.node),
          second.node,
          bars,
        ),
        code.node,
      ],
      draw,
    };
  }

  // The chosen channels exist, and what depthwise decides stands in the other controls.
  function mend(S) {
    const multiplier = S.depthwise
      ? Math.max(1, Math.min(S.multiplier, Math.floor(MOST / S.in_channels)))
      : S.multiplier;
    const { out, g } = sizes({ ...S, multiplier }),
      inside = (v, n) => Math.max(0, Math.min(v, n - 1));
    return {
      multiplier,
      out_channels: out,
      groups: g,
      at: inside(S.at, S.pointwise || out),
      between: inside(S.between, out),
      input: inside(S.input, S.in_channels),
    };
  }

  F.define(NAME, {
    label: "mixing of channels",
    defaults,
    css,
    mend,
    build: view,
    traits: [
      "in_channels",
      "out_channels",
      "groups",
      "kernel_size",
      "bias",
      "depthwise",
      "multiplier",
      "pointwise",
      "pointwise_bias",
      "size",
      "at",
      "between",
      "input",
      "predict",
    ],
    engine: {
      error,
      reads,
      wiring,
      reach,
      shapes,
      cost,
      guesses,
      claim,
      layerCode,
      codeFull,
      mend,
    },
  });
})(globalThis);
