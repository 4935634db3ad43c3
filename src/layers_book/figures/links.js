// On the site only: a figure's state in the address, as figures/link.py reads it, with
// the buttons Link and Reset. A change by the reader rewrites the entry of the history,
// a link makes a new one; each entry keeps the states of all figures of the page.

/** @import { Declaration, Mounted, Spec } from "./types.d.ts" */

import { h, text } from "./core.js";

/**
 * @typedef {[kind: string, ...rest: any[]]} Form
 * @typedef {Record<string, any>} State
 * @typedef {{ host: HTMLElement, focus(): void, fragment(): string,
 *   open(fragment: string): void }} Entry
 */

const VERSION = "1";
const LONGEST = 4000;
const PLAIN = /^(-?\d+(\.\d+)?(e[+-]?\d+)?|true|false|null)$/;
const same = (/** @type {unknown} */ a, /** @type {unknown} */ b) =>
  JSON.stringify(a) === JSON.stringify(b);

/** @param {unknown} fits @returns {asserts fits} */
function want(fits) {
  if (!fits) throw 0;
}

/** What a text says in a form; throws where it does not fit. @param {Form} form @param {string} words */
function read(form, words) {
  want(/^[\w.+\-(),= ]*$/.test(words));
  const json = words
    .replace(/(\w+)=([\w.+-]+)/g, "($1,$2)")
    .replaceAll("(", "[")
    .replaceAll(")", "]")
    .replace(/[\w.+-]+( [\w.+-]+)*/g, (word) =>
      PLAIN.test(word) ? word : `"${word}"`,
    );
  return fit(form, JSON.parse(`[${json}]`));
}

/** @param {Form} form @param {any[]} items @returns {any} */
function fit([kind, ...rest], items) {
  const [value] = items;
  if (kind === "null")
    return items.length === 1 && value === null ? null : fit(rest[0], items);
  if (kind === "list") {
    want(items.length >= rest[1] && items.length <= rest[2]);
    return items.map((item) => fit(rest[0], [].concat(item)));
  }
  if (kind === "map") {
    const pairs = items.map(([key, ...of]) => {
      want(rest.indexOf(key) > 0);
      return [key, fit(rest[0], of)];
    });
    want(new Set(pairs.map(([key]) => key)).size === pairs.length);
    return Object.fromEntries(pairs);
  }
  if (kind === "row") {
    for (const row of rest)
      try {
        want(row.length === items.length);
        return row.map((/** @type {Form} */ part, /** @type {number} */ i) =>
          fit(part, [items[i]]),
        );
      } catch {}
    want(false);
  }
  if (kind === "pair" && items.length === 2)
    return items.map((item) => fit(["int", rest[0], rest[1]], [item]));
  want(items.length === 1);
  if (kind === "text") {
    const word = value === null || typeof value === "boolean" ? String(value) : value;
    want(typeof word === "string" && word.length <= rest[0]);
    return word;
  }
  if (kind === "bool") want(typeof value === "boolean");
  else if (kind === "word") want(rest.includes(value));
  else if (typeof value === "number") {
    want(value >= rest[0] && value <= rest[1]);
    want(kind === "float" || Number.isInteger(value));
    if (kind === "pair") return [value, value];
  } else want(kind === "pair" && rest.indexOf(value) > 1);
  return value;
}

/** @param {any} value @returns {string} */
function written(value) {
  if (Array.isArray(value))
    return value.map((v) => (Array.isArray(v) ? `(${written(v)})` : String(v))).join();
  if (value && typeof value === "object")
    return Object.entries(value)
      .map(([key, v]) => `${key}=${v}`)
      .join();
  return String(value);
}

/** @param {Form} form @param {any} value */
const encoded = (form, value) =>
  written(form[0] === "pair" && value[0] === value[1] ? value[0] : value).replaceAll(
    " ",
    "%20",
  );

// ---------------------------------------------------------------- history

/** @type {Map<string, Entry>} */
const entries = new Map();
let last = 0;
let waiting = 0;
/** @type {Entry | undefined} a change that is not recorded yet */
let pending;

/** @param {Entry=} changed its state becomes the address's fragment */
function record(changed) {
  clearTimeout(waiting);
  last = Date.now();
  pending = undefined;
  const figures = Object.fromEntries([...entries].map(([id, e]) => [id, e.fragment()]));
  const first = changed?.fragment() || Object.values(figures).find(Boolean) || "";
  const { pathname, search, hash } = location;
  try {
    history.replaceState(
      { ...history.state, figures },
      "",
      pathname + search + (changed ? first : hash),
    );
  } catch {
    // a document without an address of its own
  }
}

/** Browsers count: Safari takes 100 in 30 seconds. @param {Entry} changed */
function later(changed) {
  clearTimeout(waiting);
  pending = changed;
  const wait = last + 400 - Date.now();
  if (wait > 0) waiting = setTimeout(record, wait, changed);
  else record(changed);
}

function flush() {
  if (pending) record(pending);
}

/** @type {HTMLElement | null} the link in the text that was followed */
let followed = null;

/** Take the state that an address says. @param {string} hash */
function arrive(hash) {
  const [, id] = decoded(hash).match(/^#([\w-]+)~\d/) ?? [];
  const entry = id && (entries.get(id) ?? [...entries.values()][0]);
  if (!entry) return;
  const seen = shown(entry.host);
  entry.open(hash);
  if (!seen) {
    entry.host.scrollIntoView({ block: "start" });
    entry.focus();
  } else followed?.scrollIntoView({ block: "nearest", behavior: "instant" });
  followed = null;
}

/** Is most of it, or of the window, seen? @param {HTMLElement} host */
function shown(host) {
  const { top, bottom, height } = host.getBoundingClientRect();
  const seen = Math.min(bottom, innerHeight) - Math.max(top, 0);
  return seen > 0.6 * Math.min(height, innerHeight);
}

/** @param {string} hash */
function decoded(hash) {
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}

/** Another entry of the history, or a new one. */
function moved() {
  const kept = history.state?.figures;
  if (kept) for (const [id, entry] of entries) entry.open(kept[id] ?? "");
  else {
    arrive(location.hash);
    record();
  }
}

addEventListener("popstate", moved);
addEventListener("pagehide", flush);
document.addEventListener(
  "click",
  (event) => {
    flush();
    const target = /** @type {Element} */ (event.target);
    followed = target.closest?.("a.moves") ?? null;
    // the browser goes nowhere, and tells nobody
    if (followed?.getAttribute("href") === location.hash) arrive(location.hash);
  },
  true,
);
document.addEventListener("DOMContentLoaded", () => {
  if (!history.state?.figures) arrive(location.hash);
  record();
  last = 0; // the reader's first change waits for nothing
});

// ----------------------------------------------------------------- figure

/**
 * Give a figure its buttons, and the state that the address or the history says.
 * @param {HTMLElement} host @param {Spec<any> & Declaration} spec
 * @param {Mounted} figure
 */
function mounted(host, { forms, defaults, mend }, figure) {
  const { id } = host;
  const root = /** @type {ShadowRoot} */ (host.shadowRoot);
  const group = /** @type {HTMLElement} */ (root.querySelector(".fig"));
  const copy = root.querySelector(".code button");
  if (!id || !copy) return;
  const settled = (/** @type {State} */ state, /** @type {State} */ wish) => ({
    ...state,
    ...mend?.(state, wish),
  });
  const own = settled(
    { ...defaults, ...JSON.parse(host.getAttribute("state") || "{}") },
    {},
  );
  /** What a link makes of the page's own state. @param {State} link @returns {State} */
  const opened = (link) =>
    settled({ ...settled({ ...own, ...link }, link), ...link }, {});

  /** What a link says; throws what cannot be read. @param {string} fragment */
  function parsed(fragment) {
    const [name, version, ...parts] = decoded(fragment).slice(1).split("~");
    if (fragment.length > LONGEST || name !== id || version !== VERSION) throw fragment;
    /** @type {State} */
    const link = {};
    for (const part of parts) {
      const [key, ...words] = part.split(":");
      try {
        want(Object.hasOwn(forms, key) && !Object.hasOwn(link, key));
        link[key] = read(forms[key], words.join(":"));
      } catch {
        throw part;
      }
    }
    const state = opened(link);
    for (const key in link)
      if (!same(state[key], link[key]))
        throw `${key}:${encoded(forms[key], link[key])}`;
    return state;
  }

  /** The link to a state, and what of the state it cannot hold. */
  function link() {
    const state = figure.get();
    /** @type {State} */
    const said = {};
    const take = (/** @type {State} */ from) => {
      for (const key in forms) if (!same(state[key], from[key])) said[key] = state[key];
    };
    take(own);
    take(opened(said)); // what a change brings with it and the reader took back
    const got = opened(said);
    const missing = Object.keys(defaults).filter((key) => !same(got[key], state[key]));
    const parts = Object.entries(said).map(([k, v]) => `~${k}:${encoded(forms[k], v)}`);
    return { words: parts.length ? `#${id}~${VERSION}${parts.join("")}` : "", missing };
  }

  const note = h("p", { class: "note", role: "status" });
  /** @param {...(Node | string)} parts */
  function tell(...parts) {
    note.hidden = !parts.length;
    note.replaceChildren(...parts);
  }

  /** @param {State} state */
  function put(state) {
    const blank = Object.fromEntries(Object.keys(figure.get()).map((key) => [key]));
    figure.set({ ...blank, ...state }, {});
    text(shareButton, "Link");
    reset.disabled = !entry.fragment();
  }

  /** @type {Entry} */
  const entry = {
    host,
    focus: () => group.focus({ preventScroll: true }),
    fragment: () => link().words,
    open(fragment) {
      tell();
      try {
        put(fragment ? parsed(fragment) : own);
      } catch (part) {
        put(own);
        const what = String(part).slice(0, 40) || "an empty part";
        tell(`This link's state could not be read (${what}): here is the page's own.`);
      }
    },
  };

  async function share() {
    const { words, missing } = link();
    const address = `${location.href.split("#")[0]}${words || `#${id}`}`;
    try {
      await navigator.clipboard.writeText(address);
      text(shareButton, "Link copied");
      figure.say("Link copied");
      if (missing.length) tell(`The link cannot hold ${missing.join(", ")}.`);
    } catch {
      const shown = h("input", { readonly: "", value: address, "aria-label": "Link" });
      tell("Copy this link: ", shown);
      shown.select();
    }
  }
  const shareButton = h("button", { type: "button", onclick: share }, "Link");
  const reset = h(
    "button",
    {
      type: "button",
      onclick: () => {
        tell();
        put(own);
        record(entry);
        shareButton.focus();
      },
    },
    "Reset figure",
  );

  copy.after(shareButton, reset);
  root.querySelector(".in")?.prepend(note);
  group.tabIndex = -1;
  tell();
  reset.disabled = true;
  entries.set(id, entry);
  host.addEventListener("nn-change", () => {
    tell();
    text(shareButton, "Link");
    reset.disabled = false;
    later(entry);
  });
  const kept = history.state?.figures?.[id];
  const { hash } = location;
  if (kept) entry.open(kept);
  else if (decoded(hash).match(/^#([\w-]+)~\d/)?.[1] === id) entry.open(hash);
}

if (globalThis.nnFigures) globalThis.nnFigures.mounted ??= mounted;
