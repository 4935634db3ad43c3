// TrainedAttention: whom the heads of a trained decoder attend to, letter by letter.

import { define, fmt, h, range, rich, svg, text } from "./core.js";
import css from "./trained_attention.css";

const NAME = "nn-trained-attention";
// where the site has the model; a notebook's output has it inside
const SOURCE = globalThis.document?.currentScript?.getAttribute("src");

// ------------------------------------------- engine: no DOM, checked against torch
const bytes = (packed) => Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));

// Parameters by name: a character for each number, times the scale of its row.
function unpack({ shapes, scales, numbers, ...rest }) {
  const p = {};
  let from = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const size = shape.reduce((a, b) => a * b, 1);
    const row = size / scales[name].length;
    p[name] = Float64Array.from(
      { length: size },
      (_, i) => (numbers.charCodeAt(from + i) - 80) * scales[name][Math.floor(i / row)],
    );
    from += size;
  }
  return { ...rest, E: shapes["embed.weight"][1], p };
}

// Abramowitz and Stegun 7.1.26: within 1.5e-7
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum =
    t *
    (0.254829592 +
      t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}
const gelu = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
const linear = (x, weight, bias) =>
  Float64Array.from(bias, (b, i) => {
    let sum = b;
    for (let j = 0, k = i * x.length; j < x.length; j++, k++) sum += weight[k] * x[j];
    return sum;
  });
function norm(x, weight, bias) {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
  const scale = 1 / Math.sqrt(variance + 1e-5);
  return x.map((v, i) => (v - mean) * scale * weight[i] + bias[i]);
}
function softmax(row) {
  const top = Math.max(...row);
  const e = row.map((v) => Math.exp(v - top));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
}
const add = (a, b) => a.map((v, i) => v + b[i]);

// Attention of all heads, [layer * heads + head][i][j], and the shares of next letters.
function run({ letters, heads, E, p }, words) {
  const d = E / heads;
  const weights = [];
  let rows = [...words].map((letter, i) => {
    const at = letters.indexOf(letter) * E;
    const place = p["place.weight"].subarray(i * E, (i + 1) * E);
    return add(p["embed.weight"].subarray(at, at + E), place);
  });
  for (let n = 0; p[`blocks.layers.${n}.norm1.weight`]; n++) {
    const of = (name) => [
      p[`blocks.layers.${n}.${name}weight`],
      p[`blocks.layers.${n}.${name}bias`],
    ];
    const projected = rows.map((x) =>
      linear(norm(x, ...of("norm1.")), ...of("self_attn.in_proj_")),
    );
    const mixed = rows.map(() => new Float64Array(E));
    for (let head = 0; head < heads; head++) {
      const first = head * d;
      const found = projected.map((q, i) => {
        const scores = range(i + 1).map((j) => {
          let dot = 0;
          for (let c = first; c < first + d; c++) dot += q[c] * projected[j][E + c];
          return dot / Math.sqrt(d);
        });
        const shares = softmax(scores);
        for (let j = 0; j <= i; j++)
          for (let c = first; c < first + d; c++)
            mixed[i][c] += shares[j] * projected[j][2 * E + c];
        return shares;
      });
      weights.push(found);
    }
    rows = rows.map((x, i) => {
      const y = add(x, linear(mixed[i], ...of("self_attn.out_proj.")));
      const wide = linear(norm(y, ...of("norm2.")), ...of("linear1.")).map(gelu);
      return add(y, linear(wide, ...of("linear2.")));
    });
  }
  const zeros = new Float64Array(letters.length);
  const next = rows.map((x) => {
    const y = norm(x, p["blocks.norm.weight"], p["blocks.norm.bias"]);
    return softmax([...linear(y, p["embed.weight"], zeros)]);
  });
  const guesses = next.map((shares) =>
    shares
      .map((share, i) => [letters[i], share])
      .sort((a, b) => b[1] - a[1])
      .slice(0, 3),
  );
  return { weights, guesses };
}

// What Python computed of the page's own text, so that the model is not needed for it.
function thaw(frozen, words, letters, heads) {
  const [of, packed] = frozen.split("|");
  if (of !== words) return null;
  const all = bytes(packed);
  let from = 0;
  const weights = range(heads).map(() =>
    range(words.length).map((i) =>
      range(i + 1).map(() => {
        from += 1;
        return all[from - 1] / 255;
      }),
    ),
  );
  const guesses = range(words.length).map(() =>
    range(3).map(() => {
      from += 2;
      return [letters[all[from - 2]], all[from - 1] / 255];
    }),
  );
  return { weights, guesses };
}

// A head's habit, in mean shares over the letters that can have it: the letter itself,
// the one before, and letters that came right after an earlier copy of the letter.
function habit(rows, words) {
  const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
  const before = rows.slice(1).map((row, i) => row[i]);
  const after = [];
  const even = []; // what a head gives them that attends to all letters alike
  rows.forEach((row, i) => {
    const list = row.filter((_, j) => j > 0 && words[j - 1] === words[i]);
    if (!list.length) return;
    after.push(list.reduce((a, b) => a + b, 0));
    even.push(list.length / row.length);
  });
  return {
    itself: mean(rows.map((row, i) => row[i])),
    before: mean(before),
    after: after.length ? mean(after) : 0,
    even: after.length ? mean(even) : 0,
  };
}

// What of a typed text the model and a link can take.
const tidy = (words, longest) =>
  words
    .toLowerCase()
    .replace(/[^a-z.-]+/g, " ")
    .trim()
    .slice(0, longest)
    .trim();

const codeShort = (s) =>
  `layer = model.blocks.layers[${s.block - 1}]
_, weights = layer.self_attn(z, z, z, attn_mask=mask, average_attn_weights=False)
weights[0, ${s.head - 1}, ${s.at}]  # (S,)`;
const codeFull = (s) =>
  `from helpers import figures

weights, following = figures.TrainedAttention("${s.text}").attended()  # (blocks, heads, L, S)
print(weights[${s.block - 1}, ${s.head - 1}, ${s.at}])`;

const LETTERS = "\n !',-.:;?abcdefghijklmnopqrstuvwxyz";
const HEADS = 4;
const LAYERS = 2;
const LONGEST = 48;
const seen = (letter) => ({ " ": "\u2423", "\n": "\u21b5" })[letter] ?? letter;
const percent = (share) => `${fmt(100 * share, 0)} %`;

let loading;
let model;
// The model, from the page or from beside this script.
function load() {
  loading ??= new Promise((done, failed) => {
    const ready = () => {
      model = unpack(nnFigures.data[NAME]);
      done(model);
    };
    if (nnFigures.data?.[NAME]) return ready();
    if (!SOURCE) return failed();
    const script = h("script", {
      src: SOURCE.replace(".js", ".data.js"),
      onload: ready,
      onerror: failed,
    });
    document.head.append(script);
  });
  return loading;
}

function view(ui) {
  const [title, sub, line, next] = ["claim", "sub", "line", "line"].map((name) =>
    h("p", { class: name }),
  );
  const code = ui.code();
  const strip = ui.grid("Letters", ([, , at]) => ui.update({ at }));
  strip.node.classList.add("strip");
  const typed = h("input", {
    type: "text",
    maxlength: LONGEST,
    id: "words",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    oninput: () => {
      const words = tidy(typed.value, LONGEST);
      if (words.length > 1) ui.update({ text: words, at: words.length - 1 });
    },
  });
  const thumbs = range(LAYERS * HEADS).map((i) => {
    const shades = range(10).map((w) => svg("path", { opacity: 0.1 + w / 10 }));
    const row = svg("rect", { class: "row", x: 0, height: 1 });
    const picture = svg("svg", { "aria-hidden": "true" }, ...shades, row);
    const name = `block ${Math.floor(i / HEADS) + 1}, head ${(i % HEADS) + 1}`;
    const node = h(
      "button",
      {
        type: "button",
        "aria-label": name,
        onclick: () =>
          ui.update({ block: Math.floor(i / HEADS) + 1, head: (i % HEADS) + 1 }),
      },
      picture,
      h("span", { "aria-hidden": "true" }, name),
    );
    return { node, picture, shades, row };
  });
  const controls = h(
    "div",
    { class: "controls bar" },
    h(
      "div",
      { class: "field words" },
      h("label", { for: "words" }, "Your words"),
      typed,
    ),
    ui.range("at", "Letter that asks", { min: 0, max: (s) => s.text.length - 1 }),
  );

  let drawn = "";
  let last; // { text, weights, guesses }
  let failed = false;
  function found(state) {
    if (last?.text === state.text) return last;
    const result = model
      ? run(model, state.text)
      : thaw(state.frozen, state.text, LETTERS, LAYERS * HEADS);
    last = result && { text: state.text, ...result };
    if (!last && !failed)
      load().then(
        () => ui.update({}, true),
        () => {
          failed = true;
          ui.update({}, true);
        },
      );
    return last;
  }
  function pictures({ weights, text: words }) {
    if (drawn === words) return;
    drawn = words;
    weights.forEach((rows, n) => {
      const paths = range(10).map(() => "");
      rows.forEach((row, i) =>
        row.forEach((share, j) => {
          const shade = Math.min(9, Math.round(10 * share));
          if (shade) paths[shade] += `M${j} ${i}h1v1h-1z`;
        }),
      );
      thumbs[n].picture.setAttribute("viewBox", `0 0 ${words.length} ${words.length}`);
      for (const [shade, path] of paths.entries())
        thumbs[n].shades[shade].setAttribute("d", path);
    });
  }

  function draw(state) {
    const words = state.text;
    const now = found(state);
    if (!typed.matches(":focus") && tidy(typed.value, LONGEST) !== words)
      typed.value = words;
    code.set(codeShort(state), codeFull(state));
    const number = (state.block - 1) * HEADS + state.head - 1;
    thumbs.forEach(({ node, row }, n) => {
      node.setAttribute("aria-pressed", String(n === number));
      row.setAttribute("y", state.at);
      row.setAttribute("width", words.length);
    });
    const rows = now?.weights[number];
    const shares = rows?.[state.at];
    strip.size(1, 1, words.length);
    strip.patch(
      { slice: () => "", row: () => "", column: () => "" },
      (_, __, j) => {
        const share = shares && j <= state.at ? shares[j] : NaN;
        const told = Number.isNaN(share) ? "" : `, ${percent(share)}`;
        const shade = Number.isNaN(share)
          ? "later"
          : `w${Math.min(9, Math.round(10 * share))}`;
        return {
          text: seen(words[j]),
          cls: shade,
          label: `letter ${j}, ${words[j] === " " ? "space" : words[j]}${told}`,
        };
      },
      [0, 0, state.at],
    );
    const letter = `\u201c${seen(words[state.at])}\u201d`;
    line.hidden = next.hidden = !now;
    if (!now) {
      text(title, failed ? "The model could not be loaded" : "Loading the model\u2026");
      text(sub, failed ? "Your words need it; the page\u2019s own text does not." : "");
      return title.textContent;
    }
    pictures(now);
    const order = range(state.at + 1).sort((a, b) => shares[b] - shares[a]);
    const [best] = order;
    const back = state.at - best;
    const where = () => {
      if (back === 0) return "itself";
      return `\u201c${seen(words[best])}\u201d, ${back} back`;
    };
    text(
      title,
      `Letter ${state.at}, ${letter}, attends ${percent(shares[best])} to ${where()}`,
    );
    const mean = habit(rows, words);
    text(
      sub,
      `Block ${state.block}, head ${state.head}. On the whole text it gives ` +
        `${percent(mean.itself)} to the letter itself, ${percent(mean.before)} to the ` +
        `one before, and ${percent(mean.after)} to letters that followed an earlier ` +
        `copy of the letter (${percent(mean.even)} if it attended to all alike).`,
    );
    rich(line, [
      ["kernel", "weights"],
      ": ",
      order
        .slice(0, 3)
        .map((j) => `\u201c${seen(words[j])}\u201d (${j}) ${percent(shares[j])}`)
        .join(", "),
    ]);
    const came = words[state.at + 1];
    rich(next, [
      ["output", "guess of the next letter"],
      ": ",
      now.guesses[state.at]
        .map(([c, share]) => `\u201c${seen(c)}\u201d ${percent(share)}`)
        .join(", "),
      ["muted", came ? `it is \u201c${seen(came)}\u201d` : "your text ends here"],
    ]);
    return `${title.textContent}. ${next.textContent}.`;
  }
  return {
    nodes: [
      title,
      sub,
      h("p", { class: "part" }, "All heads: a row asks, a column is attended to"),
      h("div", { class: "heads" }, ...thumbs.map(({ node }) => node)),
      strip.node,
      line,
      next,
      controls,
      code.node,
    ],
    draw,
  };
}

function mend(state) {
  const words = tidy(state.text, LONGEST);
  const fits = words[1] ? words : nnFigures.specs[NAME].defaults.text;
  return { text: fits, at: Math.max(0, Math.min(state.at, fits.length - 1)) };
}

define(NAME, {
  label: "attention of a trained decoder",
  css,
  mend,
  build: view,
  engine: { unpack, run, thaw, habit, tidy, codeShort, codeFull },
});
