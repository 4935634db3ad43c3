// text(x, indent, precision, threshold, edgeitems, linewidth, sci_mode)  the numbers of a
//   tensor as torch prints them, from "[" to "]"; sci_mode null leaves the choice
import { read } from "./tensor.js";

// Where a number lies in the middle of two, Python takes the even digit, JavaScript the
// larger one.
function even(text, exact, digits) {
  const [, rest] = exact.split(/e/)[0].split(".");
  const last = text.split("e")[0].at(-1);
  if (!/^50*$/.test(rest.slice(digits)) || last % 2 === 0) {
    return text;
  }
  return text.replace(/\d(?=e|$)/, last - 1);
}

function fixed(value, digits) {
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  return (
    sign + even(size.toFixed(digits), size.toFixed(Math.min(100, digits + 50)), digits)
  );
}

function scientific(value, digits) {
  const sign = Object.is(value, -0) ? "-" : "";
  const text = even(
    value.toExponential(digits),
    value.toExponential(digits + 50),
    digits,
  );
  return sign + text.replace(/e([+-])(\d)$/, "e$10$2");
}

const special = (value) => String(value).toLowerCase().replace("infinity", "inf");

// How each number is written, so that all have one width.
function writer(values, type, precision, sciMode) {
  let write = String;
  if (type.category === 0) {
    write = (v) => (v ? "True" : "False");
  } else if (type.floating) {
    const normal = values.filter((v) => Number.isFinite(v) && v !== 0).map(Math.abs);
    const whole = normal.every((v) => v === Math.ceil(v));
    const [least, most] = normal.reduce(
      ([low, high], v) => [Math.min(low, v), Math.max(high, v)],
      [Infinity, 0],
    );
    const wide = most / least > 1000 || most > 1e8 || least < 1e-4;
    const finite =
      normal.length > 0 && (sciMode ?? wide)
        ? (v) => scientific(v, precision)
        : (v) => (whole ? `${fixed(v, 0)}.` : fixed(v, precision));
    write = (v) => (Number.isFinite(v) ? finite(v) : special(v));
  }
  const counted = type.floating
    ? values.filter((v) => Number.isFinite(v) && v !== 0)
    : values;
  const width = counted.reduce((most, v) => Math.max(most, write(v).length), 1);
  return [(v) => write(v).padStart(width), width];
}

export function text(x, indent, precision, threshold, edge, linewidth, sciMode) {
  const values = read(x);
  const { shape } = x;
  if (values.length === 0) {
    return "[]";
  }
  const short = values.length > threshold;
  const cut = (size) => short && size > 2 * edge;
  // The places of a dim that are shown; null stands for those left out.
  const shown = shape.map((size) => {
    const all = Array.from({ length: size }, (_, i) => i);
    return cut(size) ? [...all.slice(0, edge), null, ...all.slice(size - edge)] : all;
  });
  const steps = shape.map((_, dim) => shape.slice(dim + 1).reduce((a, b) => a * b, 1));
  const picked = [];
  const pick = (dim, at) => {
    if (dim === shape.length) {
      picked.push(values[at]);
      return;
    }
    for (const i of shown[dim]) {
      if (i !== null) {
        pick(dim + 1, at + i * steps[dim]);
      }
    }
  };
  pick(0, 0);
  const [write, width] = writer(picked, x.dtype, precision, sciMode);

  function vector(at, inset) {
    const words = shown[shape.length - 1].map((i) =>
      i === null ? " ..." : write(values[at + i]),
    );
    const each = Math.max(1, Math.floor((linewidth - inset) / (width + 2)));
    const lines = [];
    for (let i = 0; i < words.length; i += each) {
      lines.push(words.slice(i, i + each).join(", "));
    }
    return `[${lines.join(`,\n${" ".repeat(inset + 1)}`)}]`;
  }

  function block(dim, at, inset) {
    const left = shape.length - dim;
    if (left <= 1) {
      return left === 0 ? write(values[at]) : vector(at, inset);
    }
    const parts = shown[dim].map((i) =>
      i === null ? "..." : block(dim + 1, at + i * steps[dim], inset + 1),
    );
    return `[${parts.join(`,${"\n".repeat(left - 1)}${" ".repeat(inset + 1)}`)}]`;
  }

  return block(0, 0, indent);
}
