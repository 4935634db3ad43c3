// Python's text, as far as a page needs it.
// tokens(code)     its tokens: {kind, text, line, start, end}; ends with one of kind "end"
// plainer(code)    the same code, line by line, in words that MicroPython knows
// lacking(code)    {line, what}: what MicroPython cannot run and Python can, or null
// operations(code, line)  what is done in a line, in order: "Add", "softmax" ...
// placed(code, line, operation)   the line in which its statement does that
// reduced(code, line)     whether an operand there was averaged or summed without keepdim

const KEYWORDS = new Set(
  (
    "False None True and as assert async await break class continue def del elif else " +
    "except finally for from global if import in is lambda nonlocal not or pass raise " +
    "return try while with yield"
  ).split(" "),
);
// keywords that are values, after which a bracket is a subscript or call
const VALUES = new Set(["False", "None", "True"]);
const TOKEN =
  /(?<comment>#[^\n]*)|(?<string>(?:\b(?:[rR][bBfF]?|[bBfF][rR]?|[uU]))?(?:"""(?:\\[\s\S]|[^\\])*?"""|'''(?:\\[\s\S]|[^\\])*?'''|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'))|(?<number>(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?[jJ]?))|(?<name>[\p{L}_][\p{L}\p{N}_]*)|(?<joined>\\\n)|(?<newline>\n)|(?<space>[ \t\f\r]+)|(?<op>\*\*=|\/\/=|>>=|<<=|\.\.\.|!=|->|:=|\*\*|\/\/|<<|>>|<=|>=|==|[+\-*/%@&|^]=|[\s\S])/gu;
const OPENS = { "(": ")", "[": "]", "{": "}" };
const CLOSES = new Set([")", "]", "}"]);

/** The tokens of a text; what stands in brackets has no newlines among them. */
export function tokens(code) {
  const found = [];
  let line = 1;
  let depth = 0;
  for (const match of code.matchAll(TOKEN)) {
    const [text] = match;
    const kind = Object.keys(match.groups).find(
      (name) => match.groups[name] !== undefined,
    );
    const start = match.index;
    const token = { kind, text, line, start, end: start + text.length };
    if (kind === "op" && text in OPENS) depth += 1;
    if (CLOSES.has(text)) depth = Math.max(0, depth - 1);
    if (kind === "newline" ? !depth : !["space", "comment", "joined"].includes(kind)) {
      found.push(token);
    }
    line += text.split("\n").length - 1;
  }
  const end = code.length;
  found.push({ kind: "newline", text: "", line, start: end, end });
  found.push({ kind: "end", text: "", line, start: end, end });
  return found;
}

/** For each bracket's place among tokens, that of its partner. */
function partners(all) {
  const found = new Map();
  const open = [];
  all.forEach((token, at) => {
    if (token.kind !== "op") return;
    if (token.text in OPENS) open.push(at);
    else if (CLOSES.has(token.text) && open.length) {
      const from = open.pop();
      found.set(from, at);
      found.set(at, from);
    }
  });
  return found;
}

const isOp = (token, text) => token?.kind === "op" && token.text === text;
const isWord = (token, text) => token?.kind === "name" && token.text === text;

/** Whether a bracket after this token belongs to it, as a call or subscript. */
function isPrimary(token) {
  if (!token) return false;
  if (token.kind === "name") return !KEYWORDS.has(token.text) || VALUES.has(token.text);
  return token.kind === "string" || CLOSES.has(token.text);
}

/** The parts between commas of tokens from..to, each as [first, past the last]. */
function parts(all, pairs, from, to, mark = ",") {
  const found = [];
  let first = from;
  for (let at = from; at < to; at += 1) {
    if (all[at].text in OPENS && pairs.has(at)) at = pairs.get(at);
    else if (isWord(all[at], "lambda")) at = lambdaEnd(all, pairs, at, to);
    else if (isOp(all[at], mark)) {
      found.push([first, at]);
      first = at + 1;
    }
  }
  if (first < to || mark !== ",") found.push([first, to]);
  return found;
}

/** The first token of what ends at a place: a name, its attributes, calls and parts. */
function primary(all, pairs, from) {
  let at = from;
  for (;;) {
    if (CLOSES.has(all[at].text) && pairs.has(at)) at = pairs.get(at);
    const before = all[at - 1];
    if (all[at].text in OPENS && isPrimary(before)) at -= 1;
    else if (isOp(before, ".") && all[at].kind === "name") at -= 2;
    else return at;
  }
}

/** The place of a lambda's colon. */
function lambdaEnd(all, pairs, from, to) {
  for (let at = from + 1; at < to; at += 1) {
    if (all[at].text in OPENS && pairs.has(at)) at = pairs.get(at);
    else if (isOp(all[at], ":")) return at;
  }
  return to - 1;
}

// methods of Python's own classes that MicroPython's have not; page.py has them
const METHODS = new Set(
  (
    "removeprefix removesuffix ljust rjust zfill title capitalize casefold swapcase " +
    "expandtabs isidentifier isalnum isdecimal isnumeric isprintable isascii istitle " +
    "translate format_map bit_length bit_count is_integer as_integer_ratio hex keys format " +
    "sort"
  ).split(" "),
);
// classes that stand in square brackets at the begin of a file only for type checkers
const GENERIC = new Set(
  (
    "tuple list dict set frozenset type Callable Iterable Iterator Sequence Mapping " +
    "Optional Union Literal"
  ).split(" "),
);
// the words that begin what may be a tuple without brackets
const BEFORE_TUPLE = new Set(["return", "yield", "in"]);
const ASSIGNS = new Set(["=", "+="]);
const ASSIGNMENT = /^([+\-*/%@&|^]|\*\*|\/\/|<<|>>)?=$/;
const IN_PLACE = {
  "*=": "mul",
  "/=": "truediv",
  "//=": "floordiv",
  "%=": "mod",
  "@=": "matmul",
  "**=": "pow",
  "&=": "and",
  "|=": "or",
  "^=": "xor",
  "<<=": "lshift",
  ">>=": "rshift",
};
const ORDER = new Set(["<", "<=", ">", ">="]);
// what an operand of a comparison ends at, on its left
const EDGE = /^([,;:([{<>]|:=|->|[<>=!]=|([+\-*/%@&|^]|\*\*|\/\/|<<|>>)?=)$/;

/** An f-string as arguments of _joined_: its texts, and what is formatted between. */
function formatted(text) {
  const [, marks, quote] = text.match(/^(\w*)("""|'''|"|')/);
  const begin = marks.replace(/f/i, "") + quote;
  const inside = text.slice(marks.length + quote.length, -quote.length);
  const found = [];
  let literal = "";
  const keep = () => {
    if (literal) found.push(begin + literal + quote);
    literal = "";
  };
  let at = 0;
  while (at < inside.length) {
    const mark = inside[at];
    if ((mark === "{" || mark === "}") && inside[at + 1] === mark) {
      literal += mark;
      at += 2;
    } else if (mark === "{") {
      const end = fieldEnd(inside, at);
      const [said, value] = field(inside.slice(at + 1, end), begin, quote);
      literal += said;
      keep();
      found.push(value);
      at = end + 1;
    } else {
      literal += mark;
      at += 1;
    }
  }
  keep();
  return found.join(", ");
}

/** The place of the bracket that closes a place for a value. */
function fieldEnd(text, from) {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "{") depth += 1;
    if (text[at] === "}") depth -= 1;
    if (depth === 0) return at;
  }
  return text.length;
}

/** What a place says itself, as {x=} does, and its value as a call of _format_. */
function field(inside, begin, quote) {
  const all = tokens(inside);
  const pairs = partners(all);
  let end = inside.length;
  for (let at = 0; at < all.length; at += 1) {
    if (all[at].text in OPENS && pairs.has(at)) at = pairs.get(at);
    else if (isOp(all[at], ":") || isOp(all[at], "!")) {
      end = all[at].start;
      break;
    }
  }
  let code = inside.slice(0, end);
  let [, conversion = "", spec = ""] = inside
    .slice(end)
    .match(/^(?:!(\w))?(?::([\s\S]*))?/);
  const [, said] = code.match(/^([\s\S]*[^=!<>])=\s*$/) ?? [];
  const shown = said ? code : "";
  if (said) code = said;
  if (said && !spec) conversion ||= "r";
  const how = spec ? `, _joined_(${formatted(`f${begin}${spec}${quote}`)})` : "";
  return [shown, `_format_("${conversion}", (${plainer(code)})${how})`];
}

/** Code in words that MicroPython knows: its lines stay where they are. */
export function plainer(code) {
  const all = tokens(code);
  const pairs = partners(all);
  const edits = []; // [start, end, text, how far what they embrace reaches]
  const replace = (token, text) => edits.push([token.start, token.end, text, 0]);
  /** Puts words around the tokens from..to. */
  const wrap = (from, to, before, after = "", wider = 0) => {
    const [{ start }, { end }] = [all[from], all[to]];
    edits.push([start, start, before, -end - wider]);
    if (after) edits.push([end, end, after, -Number.MAX_SAFE_INTEGER - start]);
  };
  const starred = ([from]) => isOp(all[from], "*");
  const close = (at) => (all[at].text in OPENS && pairs.has(at) ? pairs.get(at) : at);

  const forOf = ([from, to]) => {
    for (let at = from; at < to; at = close(at) + 1) {
      if (isWord(all[at], "for") || isWord(all[at], "async")) return at;
    }
    return -1;
  };
  const isFor = (part) => forOf(part) >= 0;
  const isDict = ([from, to]) =>
    isOp(all[from], "**") || parts(all, pairs, from, to, ":").length > 1;

  const dict = (at, items) => {
    wrap(at, pairs.get(at), "_dict_");
    replace(all[at], "(");
    replace(all[pairs.get(at)], ")");
    for (const [from, to] of items) {
      if (isOp(all[from], "**")) {
        replace(all[from], "");
        continue;
      }
      const [[, colon]] = parts(all, pairs, from, to, ":");
      const clause = forOf([from, to]);
      replace(all[colon], ",");
      if (clause < 0) wrap(from, to - 1, "((", "),)");
      else {
        wrap(from, to - 1, "[", "]");
        wrap(from, clause - 1, "(", ")");
      }
    }
  };

  /** A subscript's part as a value, also a slice. */
  const sliced = ([from, to]) => {
    if (parts(all, pairs, from, to, ":").length > 1) wrap(from, to - 1, "_part_[", "]");
  };

  const display = (at, items) => {
    const end = pairs.get(at);
    const isTarget =
      isOp(all[end + 1], "=") ||
      (isWord(all[end + 1], "in") && isWord(all[at - 1], "for"));
    const { text } = all[at];
    if (text === "{" && (!items.length || isDict(items[0]))) dict(at, items);
    else if (text === "{" && isFor(items[0])) {
      replace(all[at], "_set_of_([");
      replace(all[end], "])");
    } else if (isTarget || !items.some(starred)) return;
    else if (text === "(") wrap(at, end, "_tuple_");
    else {
      replace(all[at], text === "[" ? "_list_(" : "_set_(");
      replace(all[end], ")");
    }
  };

  const call = (at, items) => {
    const [name, before] = [all[at - 1], all[at - 2]];
    if (isWord(before, "def")) {
      positional(at + 1, pairs.get(at));
    } else if (["isinstance", "issubclass"].includes(name.text) && items.length === 2) {
      const kinds = parts(all, pairs, ...items[1], "|");
      if (kinds.length < 2) return;
      wrap(items[1][0], items[1][1] - 1, "(", ")");
      for (const [first, past] of kinds) {
        if (isWord(all[first], "None")) replace(all[first], "type(None)");
        if (past < items[1][1]) replace(all[past], ",");
      }
    } else if (name.text === "set" && !isOp(before, ".") && !isWord(before, "class")) {
      replace(name, "_set_of_");
    } else if (name.text === "range" && isWord(before, "in")) {
      replace(name, "_range_"); // else the loop compares with what may be a tensor
    } else if (name.text === "dict" && !isOp(before, ".") && !isWord(before, "class")) {
      replace(name, "_dict_");
      for (const [from, to] of items) {
        if (isOp(all[from], "**")) replace(all[from], "");
        else if (isOp(all[from + 1], "=")) {
          replace(all[from], `(("${all[from].text}"`);
          replace(all[from + 1], ",");
          wrap(from + 2, to - 1, "", "),)");
        }
      }
    }
  };

  /** Leaves out the mark of positional parameters: a call by name then works too. */
  const positional = (from, to) => {
    for (const [first, past] of parts(all, pairs, from, to)) {
      if (past !== first + 1 || !isOp(all[first], "/")) continue;
      replace(all[first], "");
      replace(all[isOp(all[past], ",") ? past : first - 1], "");
    }
  };

  /** Whether this begins the brackets of a name for a type, such as Pair = tuple[...]. */
  const isAlias = (at) =>
    GENERIC.has(all[at - 1].text) &&
    isOp(all[at - 2], "=") &&
    (at < 5 || all[at - 4].kind === "newline");
  const breaks = (at) => all[pairs.get(at)].line - all[at].line;

  /** What stands after `return` or `=` up to the end of a statement. */
  const bare = (from) => {
    let to = from;
    while (!/^(newline|end)$/.test(all[to].kind) && !/^[;:=]$/.test(all[to].text)) {
      to = close(to) + 1;
    }
    if (to === from || isOp(all[to], "=")) return;
    const items = parts(all, pairs, from, to);
    if (items.some(starred)) wrap(from, to - 1, "_tuple_(", ")");
  };

  /** Whether a subscript is a slice with a step that is read, not set. */
  const steps = (at, items) => {
    if (items.length !== 1) return false;
    if (parts(all, pairs, ...items[0], ":").length < 3) return false;
    let first = at;
    while (first && !/^(newline|end)$/.test(all[first - 1].kind)) first -= 1;
    if (isWord(all[first], "del") || isWord(all[first], "for")) return false;
    for (let next = pairs.get(at); next < all.length; next = close(next) + 1) {
      const { kind, text } = all[next];
      if (kind === "newline" || text === ";") return true;
      if (kind === "op" && ASSIGNMENT.test(text)) return false;
    }
    return true;
  };

  /** MicroPython asks only the left side of < how to compare: a number knows no tensor. */
  const compared = (at) => {
    const [next, after] = [all[at + 1], all[at + 2]];
    const ends = after?.kind !== "op" || !/^([-+*/%@&|^.]|\*\*|\/\/)$/.test(after.text);
    if (["number", "string"].includes(next.kind) && ends) return;
    let from = at;
    while (from > 0) {
      const { kind, text } = all[from - 1];
      if (CLOSES.has(text) && pairs.has(from - 1)) from = pairs.get(from - 1);
      else if (kind === "newline" || (kind === "op" && EDGE.test(text))) break;
      else if (kind === "name" && KEYWORDS.has(text) && !VALUES.has(text)) break;
      else from -= 1;
    }
    const chained = COMPARES.has(all[from - 1]?.text);
    if (from < at && !chained) wrap(from, at - 1, "_left_(", ")", 0.5);
  };

  /** MicroPython changes in place by += and -= only: the others become calls. */
  const inPlace = (at) => {
    let from = at;
    while (from && !/^(newline|end)$/.test(all[from - 1].kind)) {
      if (isOp(all[from - 1], ";") || isOp(all[from - 1], ":")) break;
      if (CLOSES.has(all[from - 1].text) && pairs.has(from - 1))
        from = pairs.get(from - 1);
      else from -= 1;
    }
    let to = at + 1;
    while (!/^(newline|end)$/.test(all[to].kind) && !isOp(all[to], ";"))
      to = close(to) + 1;
    if (from === at || to === at + 1) return;
    const target = plainer(code.slice(all[from].start, all[at - 1].end));
    replace(all[at], `= _inplace_("${IN_PLACE[all[at].text]}", ${target}, (`);
    wrap(at + 1, to - 1, "", "))");
  };

  /** Texts side by side that are one, where one of them is an f-string. */
  const joined = (at) => {
    if (all[at - 1]?.kind === "string") return;
    let last = at;
    while (all[last + 1].kind === "string") last += 1;
    const isFormatted = ({ text }) => /^r?f/i.test(text);
    if (all.slice(at, last + 1).some(isFormatted)) {
      for (let part = at; part <= last; part += 1) {
        const { text } = all[part];
        const more = part < last ? ", " : "";
        replace(all[part], (isFormatted(all[part]) ? formatted(text) : text) + more);
      }
      wrap(at, last, "_joined_(", ")");
    }
    if (isOp(all[last + 1], "%")) wrap(at, last, "_text_(", ")", 0.5);
  };

  let depth = 0;
  let lambda = 0; // the place of the last one's colon
  all.forEach((token, at) => {
    if (token.kind === "string") {
      joined(at);
    }
    if (token.kind === "name") {
      const called = isOp(all[at - 1], ".") && isOp(all[at + 1], "(");
      if (called && METHODS.has(token.text)) {
        wrap(primary(all, pairs, at - 2), at, "_method_(");
        replace(all[at - 1], ", ");
        replace(token, `"${token.text}")`);
      }
      if (token.text === "lambda") {
        lambda = lambdaEnd(all, pairs, at, all.length);
        positional(at + 1, lambda);
      }
      if (!depth && BEFORE_TUPLE.has(token.text)) bare(at + 1);
    }
    if (token.kind !== "op") return;
    if (CLOSES.has(token.text)) depth -= 1;
    if (ORDER.has(token.text)) compared(at);
    if (token.text in IN_PLACE && !depth) inPlace(at);
    if (!depth && at > lambda && ASSIGNS.has(token.text)) bare(at + 1);
    if (!(token.text in OPENS)) return;
    depth += 1;
    if (!pairs.has(at)) return;
    const end = pairs.get(at);
    const inside = [at + 1, end];
    const items = isFor(inside) ? [inside] : parts(all, pairs, ...inside);
    if (!isPrimary(all[at - 1]) || token.text === "{") display(at, items);
    else if (token.text === "(") call(at, items);
    else if (depth === 1 && isAlias(at)) {
      edits.push([token.start, all[end].end, "".padEnd(breaks(at), "\n"), 0]);
    } else if (steps(at, items)) {
      wrap(primary(all, pairs, at - 1), end, "_step_(");
      replace(token, ", ");
      sliced(items[0]);
      replace(all[end], ")");
    } else if (items.some(starred)) {
      wrap(at + 1, end - 1, "_tuple_(", ")");
      items.forEach(sliced);
    }
  });
  return edited(code, edits);
}

/** Applies edits: at one place first what ends there, then what begins, the widest first. */
function edited(code, edits) {
  edits.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[3] - b[3]);
  let [text, place] = ["", 0];
  for (const [start, end, words] of edits) {
    if (start < place) continue;
    text += code.slice(place, start) + words;
    place = end;
  }
  return text + code.slice(place);
}

const LACKS = [
  [/^match\b[^\n]*:\s*$/, /^\s*case\b/, "match"],
  [/^except\s*\*/, null, "except*"],
  [/^type\s+[\p{L}_]\w*(\[.*\])?\s*=/u, null, "the statement type"],
  [/^(def|class)\s+[\p{L}_]\w*\s*\[/u, null, "a type parameter in square brackets"],
  [/^with\s*\(.*\bas\b/, null, "brackets around several parts of a with"],
  [/^class\b.*\bmetaclass\s*=/, null, "metaclass"],
];

/** What MicroPython cannot run, and where. */
export function lacking(code) {
  const all = tokens(code);
  const lines = code.split("\n");
  let first = true;
  for (const token of all) {
    if (first && token.kind === "name") {
      const text = lines[token.line - 1].trim();
      const next = lines.slice(token.line).find((line) => line.trim()) ?? "";
      for (const [pattern, after, what] of LACKS) {
        if (pattern.test(text) && (!after || after.test(next))) {
          return { line: token.line, what };
        }
      }
    }
    first = token.kind === "newline";
  }
  return null;
}

const BINARY = {
  "+": "Add",
  "-": "Sub",
  "*": "Mult",
  "/": "Div",
  "//": "FloorDiv",
  "%": "Mod",
  "@": "MatMult",
  "**": "Pow",
  "&": "BitAnd",
  "|": "BitOr",
  "^": "BitXor",
  "<<": "LShift",
  ">>": "RShift",
};
const UNARY = { "-": "USub", "+": "UAdd", "~": "Invert" };
const COMPARES = new Set(["<", ">", "<=", ">=", "==", "!="]);

/** The tokens of the statement that a line belongs to. */
function statement(all, line) {
  let found = [];
  let current = [];
  for (const token of all) {
    if (token.kind === "newline" || token.kind === "end") {
      if (current.length && current[0].line <= line) found = current;
      current = [];
    } else current.push(token);
  }
  return found;
}

/** What is done in the statement of a line, as Python's syntax tree names it, and where. */
function done(code, line) {
  const all = statement(tokens(code), line);
  const pairs = partners(all);
  const found = [];
  const add = (name, from) => found.push({ name, line: from.line });
  all.forEach((token, at) => {
    const before = all[at - 1];
    const isValue = before && (isPrimary(before) || before.kind === "number");
    const { kind, text } = token;
    if (isOp(token, "(") && isPrimary(before)) {
      const from = all[primary(all, pairs, at - 1)];
      const defines = /^(def|class)$/.test(all[at - 2]?.text);
      if (!defines) add(code.slice(from.start, before.end).split(".").at(-1), from);
    } else if (kind === "name" && (text === "not" || text === "in")) {
      add(text === "not" ? "Not" : "Compare", token);
    }
    if (kind === "name" && isOp(before, ".")) add("Attribute", token);
    else if (kind === "name" && !KEYWORDS.has(text)) add("Name", token);
    if (kind !== "op") return;
    if (text === "[") add(isValue ? "Subscript" : "List", token);
    else if (COMPARES.has(text)) add("Compare", token);
    else if (text in BINARY && isValue) add(BINARY[text], token);
    else if (text in UNARY && !isValue) add(UNARY[text], token);
    else if (text.length > 1 && text.endsWith("=") && text.slice(0, -1) in BINARY) {
      add(BINARY[text.slice(0, -1)], token);
    } else if (text === "," && !found.some(({ name }) => name === "Tuple"))
      add("Tuple", token);
  });
  return found;
}

/** What is done in the statement of a line, in order. */
export function operations(code, line) {
  return done(code, line).map(({ name }) => name);
}

/** Where in the statement of a line something is done. */
export function placed(code, line, operation) {
  return done(code, line).find(({ name }) => name === operation)?.line ?? line;
}

const REDUCING = new Set(
  "mean sum var std amax amin max min norm vector_norm prod logsumexp median".split(
    " ",
  ),
);

/** Whether a reduction in tokens loses its axis. */
function reduces(all) {
  const pairs = partners(all);
  return all.some((token, at) => {
    if (token.kind !== "name" || !REDUCING.has(token.text)) return false;
    if (!isOp(all[at + 1], "(") || !pairs.has(at + 1)) return false;
    const given = parts(all, pairs, at + 2, pairs.get(at + 1));
    const keeps = ([from, to]) =>
      ["keepdim", "keepdims"].includes(all[from].text) ||
      (to === from + 1 && all[from].text === "True");
    return given.length > 0 && !given.some(keeps);
  });
}

/** Whether an operand of a line, or what it was made of, has lost an axis. */
export function reduced(code, line) {
  const all = tokens(code);
  const used = statement(all, line);
  if (reduces(used)) return true;
  const names = new Set(used.filter(({ kind }) => kind === "name").map((t) => t.text));
  let current = [];
  for (const token of all) {
    if (token.kind !== "newline" && token.kind !== "end") {
      current.push(token);
      continue;
    }
    const assigns = current.findIndex((t) => isOp(t, "="));
    const targets = current.slice(0, Math.max(assigns, 0));
    const isSimple = targets.every(({ text }) => text !== "def" && text !== "(");
    if (isSimple && targets.some(({ text }) => names.has(text)) && reduces(current)) {
      return true;
    }
    current = [];
  }
  return false;
}

/** The names in a text, once each. */
export function words(code) {
  const names = tokens(code).filter(({ kind }) => kind === "name");
  return [...new Set(names.map(({ text }) => text))].filter((n) => !KEYWORDS.has(n));
}

const BLOCKS =
  /^\s*(def|class|if|elif|else|for|while|try|except|finally|with)\b(?!\s*=)/;
const QUOTES = /[“”„‘’‚]/;

/** The first character that no Python has outside a text: {message, line}, or null. */
export function strange(code) {
  const found = tokens(code).find(
    ({ kind, text }) => kind === "op" && text > "\x7f" && !/\p{M}/u.test(text),
  );
  if (!found) return null;
  const { text, line } = found;
  const number = `U+${text.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  const isSeen = !/[\p{Z}\p{C}]/u.test(text);
  const what = isSeen
    ? `character '${text}' (${number})`
    : `non-printable character ${number}`;
  let help = isSeen ? "" : " Write a space in its place, or nothing.";
  if (QUOTES.test(text)) help = " Write a straight \" or ' in its place.";
  const shown = code.split("\n")[line - 1].trim();
  return {
    message: `SyntaxError: invalid ${what}\nin line ${line} of your code: \`${shown}\`.${help}`,
    line,
  };
}

/** Whether a statement's line has the colon that begins its block. */
function hasColon(text) {
  const all = tokens(text);
  return parts(all, partners(all), 0, all.length, ":").length > 1;
}

/** What helps where Python cannot read a line. */
export function mended(code, line) {
  const found = lacking(code);
  if (found) {
    return `The page's Python does not have ${found.what}: write it another way, or open the notebook in Colab.`;
  }
  const all = tokens(code);
  const open = [];
  for (const token of all) {
    if (token.kind !== "op") continue;
    if (token.text in OPENS) open.push(token);
    else if (CLOSES.has(token.text)) {
      const last = open.pop();
      if (!last) return `The ${token.text} in line ${token.line} closes nothing.`;
      if (OPENS[last.text] !== token.text) {
        return `The ${last.text} in line ${last.line} is closed by ${token.text}.`;
      }
    } else if (/^["']$/.test(token.text)) {
      return `The text that begins in line ${token.line} has no closing ${token.text}.`;
    }
  }
  if (open.length) {
    const { text, line: at } = open.at(-1);
    return `The ${text} in line ${at} is never closed.`;
  }
  const lines = code.split("\n");
  for (const at of [line - 1, line - 2]) {
    const text = lines[at] ?? "";
    if (BLOCKS.test(text) && !hasColon(text))
      return `Line ${at + 1} needs a colon at its end.`;
  }
  if (/^\s*(if|elif|while)\b[^=!<>]*[^=!<>:]=[^=]/.test(lines[line - 1] ?? "")) {
    return "Write == to compare; a single = gives a name its value.";
  }
  return "";
}
