// What every figure shares: theme, controls, grids, speech, code line, hosts.
// Built into one classic script without dependencies (tools/figures.js): a page, a
// notebook output and an anywidget run the same text.

/**
 * @import { Cell, Declaration, Grid, GridNames, Kit, Matrix, Model, Mounted, Part,
 *   Place, Spec, TorchError, Update } from "./types.d.ts"
 */

import coreStyle from "./core.css";
import tokens from "./tokens.json" with { type: "json" };

// ---------------------------------------------------------------- numbers

/** A true minus. @param {string} words */
const minus = (words) => words.replace("-", "\u2212");

/** At most `digits` decimals, no trailing zeros. @param {number} value */
export const fmt = (value, digits = 2) => minus(String(+value.toFixed(digits)));

/** At most four glyphs, for cells. @param {number} value */
export function short(value) {
  const words = Math.abs(value) < 9.95 ? fmt(value, 1) : fmt(value, 0);
  return words.length > 3 ? words.replace(/^(\u2212?)0\./, "$1.") : words;
}

/** @param {number} count @param {string} word */
export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** The whole numbers below a count. @param {number} count */
export const range = (count) => Array.from({ length: count }, (_, i) => i);

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** murmur3's finalizer: 32 well mixed bits, as mix() in Python. @param {number} word */
export function mix(word) {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}

/**
 * How many windows fit along an axis, as window_count() in Python; below 1: none.
 * @param {number} n @param {number} kernel
 */
export function windows(n, kernel, stride = 1, padding = 0, dilation = 1) {
  return Math.floor((n + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

// -------------------------------------------------------------------- DOM

/** @typedef {Record<string, string | number | ((event: any) => void)>} Attributes */

/**
 * @template {Element} E
 * @param {E} element @param {Attributes} attributes @param {(Node | string)[]} kids
 */
function build(element, attributes, kids) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, String(value));
  }
  element.append(...kids);
  return element;
}

/**
 * An HTML element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Attributes} attributes @param {(Node | string)[]} kids
 */
export const h = (tag, attributes = {}, ...kids) =>
  build(document.createElement(tag), attributes, kids);

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag @param {Attributes} attributes @param {(Node | string)[]} kids
 */
export const svg = (tag, attributes, ...kids) =>
  build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, kids);

/** The element's own text, patched in place. @param {Element} element @param {string} words */
export function text(element, words) {
  const node = /** @type {Text} */ (
    element.firstChild || element.appendChild(new Text())
  );
  if (node.data !== words) node.data = words;
}

/** @param {Element} element @param {string} name @param {string | number} value */
export function attr(element, name, value) {
  if (element.getAttribute(name) !== String(value))
    element.setAttribute(name, String(value));
}

/** Text with colored parts. @param {Element} element @param {Part[]} parts */
export function rich(element, parts) {
  element.replaceChildren(
    ...parts.map((part) =>
      typeof part === "string" ? part : h("span", { class: `r-${part[0]}` }, part[1]),
    ),
  );
}

// ------------------------------------------------------------------ theme

/** Is the ground below an element dark? null: nothing is painted. @param {Element} from */
function groundIsDark(from) {
  for (
    /** @type {Element | null} */ let element = from;
    element;
    element =
      element.parentElement ||
      /** @type {Partial<ShadowRoot>} */ (element.getRootNode()).host ||
      null
  ) {
    const color = getComputedStyle(element).backgroundColor.match(/[\d.]+/g);
    if (!color) continue;
    const [red, green, blue, alpha = 1] = color.map(Number);
    if (alpha > 0.5) return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 110;
  }
  return null;
}

/**
 * The host's theme, whatever the host: book or Colab, JupyterLab, VS Code, then the
 * luminance of the ground below, then the system's wish.
 * @param {Element} element
 */
function hostIsDark(element) {
  const root = document.documentElement;
  const named = root.dataset.theme || root.getAttribute("theme");
  if (named === "dark" || named === "light") return named === "dark";
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false";
  if (vscodeThemeKind) return /dark|high-contrast$/.test(vscodeThemeKind);
  return groundIsDark(element) ?? matchMedia("(prefers-color-scheme: dark)").matches;
}

/** @type {Map<Element, Element>} each figure with its host */
const themed = new Map();
let watching = false;

function paint() {
  for (const [figure, host] of themed)
    attr(
      figure,
      "data-theme",
      hostIsDark(host.parentElement || host) ? "dark" : "light",
    );
}

/** @param {Element} host @param {Element} figure */
function follow(host, figure) {
  themed.set(figure, host);
  paint();
  if (watching) return;
  watching = true;
  const observer = new MutationObserver(paint);
  for (const element of [document.documentElement, document.body])
    observer.observe(element, { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
}

/** The roles' colors as CSS variables. @param {"light" | "dark"} theme */
const colors = (theme) =>
  Object.entries(tokens[theme])
    .map(([role, color]) => `--${role}:${color};`)
    .join("");
const STYLE =
  `.fig{${colors("light")}}.fig[data-theme=dark]{${colors("dark")}}` +
  `@media print{.fig,.fig[data-theme=dark]{${colors("light")}}}${coreStyle}`;

/** @type {Map<string, CSSStyleSheet>} */
const sheets = new Map();

/** One sheet for all figures of a kind. @param {string} css */
function sheet(css) {
  let made = sheets.get(css);
  if (!made) {
    made = new CSSStyleSheet();
    made.replaceSync(css);
    sheets.set(css, made);
  }
  return made;
}

// ------------------------------------------------------------------- grid

/**
 * @typedef {{ node: HTMLElement }} Held
 * @typedef {Held & { head: HTMLElement, cells: Held[], index: number }} Row
 * @typedef {Held & { cap: HTMLElement, top: HTMLElement, heads: Held[], rows: Row[],
 *   index: number }} Slice
 */

/**
 * Make a list as long as wanted: parts are made once, and taken from the end.
 * @template {Held} Item
 * @param {Item[]} list @param {number} count @param {HTMLElement} parent
 * @param {(index: number) => Item} make
 */
function fit(list, count, parent, make) {
  while (list.length > count) list.pop()?.node.remove();
  while (list.length < count) {
    const item = make(list.length);
    parent.append(item.node);
    list.push(item);
  }
}

/**
 * Where a key leads from a cell; null: it does not move.
 * @param {KeyboardEvent} event @param {Place} from @param {Place} shape
 * @returns {Place | null}
 */
function moved(event, from, shape) {
  let [slice, row, column] = from;
  const [slices, rows, columns] = shape;
  switch (event.key) {
    case "ArrowRight":
      if (column + 1 < columns) return [slice, row, column + 1];
      return slice + 1 < slices ? [slice + 1, row, 0] : from;
    case "ArrowLeft":
      if (column > 0) return [slice, row, column - 1];
      return slice > 0 ? [slice - 1, row, columns - 1] : from;
    case "ArrowDown":
      row++;
      break;
    case "ArrowUp":
      row--;
      break;
    case "PageDown":
      slice++;
      break;
    case "PageUp":
      slice--;
      break;
    case "Home":
      return event.ctrlKey ? [0, 0, 0] : [slice, row, 0];
    case "End":
      return event.ctrlKey
        ? [slices - 1, rows - 1, columns - 1]
        : [slice, row, columns - 1];
    default:
      return null;
  }
  return [clamp(slice, 0, slices - 1), clamp(row, 0, rows - 1), column];
}

/**
 * Slices of rows of cells: one tab stop, arrows within and across slices, Home/End in
 * the row, Ctrl+Home/End in the block, Page Up/Down by slice. Cells are made once and
 * patched; a change of size adds or removes the rest.
 * @param {string} label @param {(place: Place) => void} onSelect
 * @returns {Grid}
 */
function grid(label, onSelect) {
  const node = h("div", { class: "block", role: "grid", "aria-label": label });
  /** @type {Slice[]} */
  const slices = [];
  /** @type {WeakMap<Element, Place>} */
  const places = new WeakMap();
  /** @type {Place} */
  let shape = [0, 0, 0];
  /** @type {HTMLElement | null} the one tab stop */
  let stop = null;

  /** @param {Place} place */
  function makeCell(place) {
    const cell = h("div", { class: "cell", role: "gridcell", tabindex: -1 });
    places.set(cell, place);
    return { node: cell };
  }

  /** @param {number} index @returns {Row} */
  function makeRow(index) {
    const head = h("div", { class: "hd", "aria-hidden": "true" });
    const row = h("div", { class: "row", role: "row" }, head);
    return { node: row, head, cells: [], index };
  }

  /** @param {number} index @returns {Slice} */
  function makeSlice(index) {
    const cap = h("div", { class: "cap", "aria-hidden": "true" });
    const corner = h("div", { class: "hd" });
    const top = h("div", { class: "row", "aria-hidden": "true" }, corner);
    const slice = h("div", { class: "slice", role: "rowgroup" }, cap, top);
    return { node: slice, cap, top, heads: [], rows: [], index };
  }

  /** @param {number} count @param {number} rows @param {number} columns */
  function size(count, rows, columns) {
    shape = [count, rows, columns];
    node.style.setProperty("--cols", String(columns));
    node.classList.toggle("few", columns < 5);
    node.classList.toggle("many", columns > 8);
    fit(slices, count, node, makeSlice);
    for (const slice of slices) {
      fit(slice.heads, columns, slice.top, () => ({ node: h("div", { class: "hd" }) }));
      fit(slice.rows, rows, slice.node, makeRow);
      for (const row of slice.rows)
        fit(row.cells, columns, row.node, (column) =>
          makeCell([slice.index, row.index, column]),
        );
    }
  }

  /** @param {number[]} place */
  const at = ([slice, row, column]) => slices[slice].rows[row].cells[column].node;

  /** @param {HTMLElement} next */
  function choose(next) {
    if (stop && stop !== next) {
      stop.tabIndex = -1;
      stop.removeAttribute("aria-selected");
    }
    next.tabIndex = 0;
    attr(next, "aria-selected", "true");
    stop = next;
  }

  /**
   * @param {GridNames} names of the parts
   * @param {(slice: number, row: number, column: number) => Cell} cell
   * @param {number[]} chosen
   */
  function patch(names, cell, chosen) {
    for (const slice of slices) {
      text(slice.cap, names.slice(slice.index));
      attr(slice.node, "aria-label", names.slice(slice.index));
      slice.heads.forEach((head, column) => {
        text(head.node, names.column(slice.index, column));
      });
      for (const row of slice.rows) {
        text(row.head, names.row(row.index));
        row.cells.forEach(({ node: shown }, column) => {
          const wanted = cell(slice.index, row.index, column);
          text(shown, wanted.text);
          attr(shown, "aria-label", wanted.label);
          attr(shown, "class", `cell ${wanted.cls}`);
        });
      }
    }
    choose(at(chosen));
  }

  node.addEventListener("click", (event) => {
    const cell = /** @type {Element} */ (event.target).closest(".cell");
    const place = cell && places.get(cell);
    if (!place) return;
    onSelect(place);
    /** @type {HTMLElement} */ (cell).focus({ preventScroll: true });
  });
  node.addEventListener("keydown", (event) => {
    const from = places.get(/** @type {Element} */ (event.target));
    const to = from && moved(event, from, shape);
    if (!to) return;
    event.preventDefault();
    event.stopPropagation();
    onSelect(to);
    at(to).focus();
  });
  const placeOf = (/** @type {EventTarget | null} */ target) =>
    places.get(/** @type {Element} */ (target));
  return { node, size, patch, placeOf };
}

/**
 * A titled matrix: a grid of one slice.
 * @param {string} label @param {(row: number, column: number) => void} onSelect
 * @returns {Matrix}
 */
function matrix(label, onSelect) {
  const { node, size, patch, placeOf } = grid(label, ([, row, column]) =>
    onSelect(row, column),
  );
  const head = h("p", { class: "part" }, label);
  /** @type {GridNames} */
  const names = {
    slice: () => "",
    row: String,
    column: (_, column) => String(column),
  };
  return {
    head,
    node: h("div", {}, head, node),
    placeOf,
    fill(rows, columns, cell, chosen) {
      size(1, rows, columns);
      patch(names, (_, row, column) => cell(row, column), [0, ...chosen]);
    },
  };
}

// --------------------------------------------------------------- controls

let ids = 0;
const newId = () => `f${++ids}`;

/** @param {string} label @param {HTMLElement} input @param {Node | string} value */
function field(label, input, value) {
  input.id = newId();
  return h(
    "div",
    { class: "field" },
    h("label", { for: input.id }, label),
    value,
    input,
  );
}

/**
 * The controls of one figure; each takes the state anew after a change, and hides where
 * it is idle.
 * @param {Update<any>} update
 * @returns {Kit<any> & { sync(state: any): void }}
 */
function kit(update) {
  /** @type {((state: any) => void)[]} */
  const parts = [];
  /**
   * @template {HTMLElement} E
   * @param {E} node @param {(state: any) => void} take
   * @param {((state: any) => unknown)=} visible
   */
  function add(node, take, visible) {
    parts.push((state) => {
      node.hidden = visible ? !visible(state) : false;
      take(state);
    });
    return node;
  }
  return {
    sync(state) {
      for (const take of parts) take(state);
    },
    range(key, label, { min, max, step = 1, visible }) {
      const value = h("b", { "aria-hidden": "true" });
      const input = h("input", {
        type: "range",
        step,
        oninput: () => update({ [key]: +input.value }),
      });
      return add(
        field(label, input, value),
        (state) => {
          input.min = String(Math.min(min, state[key]));
          input.max = String(Math.max(max(state), state[key]));
          input.value = state[key];
          text(value, fmt(state[key]));
        },
        visible,
      );
    },
    choice(key, label, options, visible) {
      const name = newId();
      const inputs = options.map(([value]) =>
        h("input", { type: "radio", name, onchange: () => update({ [key]: value }) }),
      );
      const labels = options.map(([, words], i) => h("label", {}, inputs[i], words));
      return add(
        h(
          "fieldset",
          {},
          h("legend", {}, label),
          h("div", { class: "seg" }, ...labels),
        ),
        (state) =>
          options.forEach(([value], i) => {
            inputs[i].checked = value === state[key];
          }),
        visible,
      );
    },
    select(key, label, options, visible) {
      let shown = "";
      const input = h("select", {
        onchange: () => update({ [key]: JSON.parse(input.value) }),
      });
      return add(
        field(label, input, ""),
        (state) => {
          const list = options(state);
          const now = JSON.stringify(list);
          if (now !== shown)
            input.replaceChildren(
              ...list.map(([value, words]) =>
                h("option", { value: JSON.stringify(value) }, words),
              ),
            );
          shown = now;
          input.value = JSON.stringify(state[key]);
        },
        visible,
      );
    },
    check(key, label, visible) {
      const input = h("input", {
        type: "checkbox",
        onchange: () => update({ [key]: input.checked }),
      });
      return add(
        h("label", { class: "check" }, input, label),
        (state) => {
          input.checked = state[key];
        },
        visible,
      );
    },
    button(label, act, enabled) {
      const node = h("button", { type: "button", onclick: act }, label);
      if (!enabled) return node;
      return add(node, (state) => {
        node.disabled = !enabled(state);
      });
    },
    more(...kids) {
      const controls = h("div", { class: "controls" }, ...kids);
      return h("details", { class: "more" }, h("summary", {}, "More"), controls);
    },
  };
}

/** torch's own words, where torch would refuse. */
function errorLine() {
  const name = h("b");
  const words = h("span");
  const node = h("p", { class: "error" }, "torch raises ", name, ": ", words);
  return {
    node,
    /** @param {TorchError | null} error */
    set(error) {
      node.hidden = !error;
      if (!error) return;
      text(name, error.type);
      text(words, error.text);
    },
  };
}

/** A whole program: it imports what it uses. @param {string} code */
function program(code) {
  const imports = ["import torch"];
  if (/\bF\./.test(code)) imports.push("import torch.nn.functional as F");
  if (/\bnn\./.test(code)) imports.push("from torch import nn");
  return `${imports.join("\n")}\n\n${code}\n`;
}

/**
 * The short form is seen; the copy is a whole program with the figure's numbers.
 * @param {(words: string) => void} say
 */
function codeLine(say) {
  const code = h("code");
  let all = "";
  const copy = h("button", { type: "button", onclick: copyAll }, "Copy code");
  async function copyAll() {
    try {
      await navigator.clipboard.writeText(all);
      say("Copied");
      text(copy, "Copied");
    } catch {
      text(code, all);
      getSelection()?.selectAllChildren(code);
    }
  }
  const checked = `checked against torch ${TORCH}`;
  const info = h(
    "button",
    {
      type: "button",
      class: "info",
      title: checked,
      "aria-label": checked,
      onclick: () => text(info, checked),
    },
    "i",
  );
  return {
    node: h("div", { class: "code" }, code, copy, info),
    /** @param {string} seen */
    set(seen, whole = seen) {
      text(code, seen);
      text(copy, "Copy code");
      all = program(whole);
    },
  };
}

// ------------------------------------------------------------------ hosts

/** @type {Record<string, Declaration>} */
const declared = {};
/** @type {Record<string, Spec<any> & Declaration>} */
const specs = {};

/**
 * Show a figure in an element.
 * @param {HTMLElement} host @param {string} name @param {object} init
 * @param {(state: any) => void} onChange after a change by the reader
 * @returns {Mounted}
 */
function mount(host, name, init, onChange) {
  const spec = specs[name];
  /** @type {Record<string, any>} */
  const state = { ...spec.defaults, ...init };
  const live = h("div", { class: "sr", "aria-live": "polite" });
  let timer = 0;
  /** @param {string} words */
  function say(words) {
    clearTimeout(timer);
    timer = setTimeout(() => text(live, words), 350);
  }
  /** @param {object} patch @param {object} wish what of it the reader asked for */
  function apply(patch, wish = patch) {
    Object.assign(state, patch);
    if (spec.mend) Object.assign(state, spec.mend(state, wish));
    controls.sync(state);
    return view.draw(state);
  }
  /**
   * What stands above the control in use may grow: the page follows, so that it stays put.
   * @type {Update<any>}
   */
  function update(patch, quiet) {
    const root = /** @type {ShadowRoot} */ (figure.getRootNode());
    const focused = root.activeElement;
    const held = /** @type {HTMLElement | null} */ (
      focused || figure.querySelector(".controls")
    );
    const top = held ? held.getBoundingClientRect().top : 0;
    const words = apply(patch);
    // a button that goes with its question leaves the focus to the claim
    const now = root.activeElement;
    if (focused && (!now?.getClientRects().length || now.matches(":disabled")))
      claim?.focus({ preventScroll: true });
    const shift = held?.offsetParent ? held.getBoundingClientRect().top - top : 0;
    if (shift) scrollBy({ top: shift, behavior: "instant" });
    if (!quiet) say(words);
    onChange({ ...state });
  }
  const controls = kit(update);
  const view = spec.build({
    ...controls,
    state,
    update,
    say,
    grid,
    matrix,
    errorLine,
    code: () => codeLine(say),
  });
  apply({});
  const figure = h(
    "div",
    { class: "fig", role: "group", "aria-label": `Interactive figure: ${spec.label}` },
    h("div", { class: "in" }, ...view.nodes),
    live,
  );
  // no plain key may also move or edit the notebook around the figure
  figure.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey;
    if (plain && event.key !== "Escape" && event.key !== "Tab") event.stopPropagation();
  });
  const claim = /** @type {HTMLElement | null} */ (figure.querySelector(".claim"));
  claim?.setAttribute("tabindex", "-1");
  follow(host, figure);
  // last: if anything above fails, the light table stays visible
  const shadow = host.shadowRoot || host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [sheet(STYLE + spec.css)];
  shadow.replaceChildren(figure);
  return {
    get: () => ({ ...state }),
    set(patch, wish) {
      const differs = (/** @type {string} */ key) =>
        JSON.stringify(patch[key]) !== JSON.stringify(state[key]);
      if (Object.keys(patch).some(differs)) say(apply(patch, wish));
    },
    say,
    destroy() {
      clearTimeout(timer);
      themed.delete(figure);
    },
  };
}

/** What Python says of a figure, before its own script comes. @param {string} name @param {Declaration} declaration */
function declare(name, declaration) {
  declared[name] = declaration;
}

/**
 * Register a figure as a custom element; a second time changes nothing.
 * @template State
 * @param {string} name @param {Spec<State>} spec
 */
export function define(name, spec) {
  if (specs[name]) return;
  specs[name] = { ...declared[name], ...spec };
  if (typeof customElements === "undefined" || customElements.get(name)) return;
  customElements.define(
    name,
    class extends HTMLElement {
      /** @type {Mounted | null} */
      figure = null;
      /** @type {object | null} what the reader made of it, kept when it moves */
      figureState = null;
      connectedCallback() {
        if (this.figure) return;
        try {
          const state =
            this.figureState || JSON.parse(this.getAttribute("state") || "{}");
          this.figure = mount(this, name, state, (detail) => {
            this.figureState = detail;
            this.dispatchEvent(new CustomEvent("nn-change", { detail, bubbles: true }));
          });
          globalThis.nnFigures?.mounted?.(this, specs[name], this.figure);
        } catch (error) {
          console.error(name, error);
        }
      }
      disconnectedCallback() {
        this.figure?.destroy();
        this.figure = null;
      }
    },
  );
}

/**
 * anywidget: traits both ways; other state comes once.
 * @param {string} name
 */
const render =
  (name) =>
  /** @param {{ model: Model, el: HTMLElement }} host */
  ({ model, el }) => {
    const { defaults, traits } = specs[name];
    /** @param {string[]} keys */
    const read = (keys) =>
      Object.fromEntries(
        keys
          .map((key) => [key, model.get(key)])
          .filter(([, value]) => value !== undefined),
      );
    const host = h("div");
    el.append(host);
    const figure = mount(host, name, read(Object.keys(defaults)), (state) => {
      for (const key of traits) model.set(key, state[key]);
      model.save_changes();
    });
    for (const key of traits) model.on(`change:${key}`, () => figure.set(read(traits)));
    return () => figure.destroy();
  };

// Each notebook output brings its own copy: the first one on a page stays.
if (!globalThis.nnFigures) {
  // the side of a cell: a length resolved once a grid, not once a cell
  CSS.registerProperty?.({
    name: "--nn",
    syntax: "<length>",
    inherits: true,
    initialValue: "38px",
  });
  globalThis.nnFigures = {
    define,
    declare,
    render,
    specs,
    h,
    svg,
    rich,
    text,
    attr,
    fmt,
    short,
    plural,
    range,
    clamp,
    mix,
    windows,
    program,
  };
}
