/* The search: loaded by book.js when a reader turns to it, and by search.html at once. */
const bookSearch = {}; // search-index.js adds the index

// what a section is called counts more than what it says, and that more than its code
const BOOSTS = { page: 3, heading: 3, text: 1, code: 0.5 };
// these explain less than a lesson that has the same words
const EXERCISE = /^Exercise \d/;
const APPENDIX = /^book\/(?:references|errata)/;
const LESS = 0.5;
const typingErrors = (term) => (term.length < 4 ? 0 : term.length < 6 ? 1 : 2);
const PER_PAGE = 3;
const SHOWN = 20;

const WORD = /(?:(?!\p{Script=Han})[\p{L}\p{N}_])+/gu;
const EMPTY = new Set(
  `a about after all also am an and any are as at be because been before between but by can
  could did difference do does doing during each every f for from get gets give gives go has
  have how i if in into is it its just make makes me mean means much my need nn not of on or
  other our out over pytorch should so some tell than that the their them then there these
  they this to torch use used using vs versus want was we well were what when where which
  while who why will with work works would you your`.split(/\s+/),
);

/** One form for padded, padding and pads; for normalize and normalization. */
const stem = (word) =>
  word
    .replace(/(?<=iz)ations?$|(?<=at)ions?$|(?<=\w{3})(?:ings?|ed|es|s|e)$/, "")
    .replace(/(?<=\w\w)([a-z])\1$/, "$1");

/** A name as written and without its dimension, then its parts. */
const forms = (name) => {
  const bare = name.replace(/(?<=[a-z])[123]d$/i, "");
  const parts = bare.split(/_+|(?<=[a-z])(?=[A-Z][a-z])/).filter(Boolean);
  return { whole: [...new Set([name, bare])], parts };
};
const words = (text) => text.match(WORD) ?? [];

let library; // of the book's sections
let speller; // of the aliases' words
let aliasOrWord;

const prepare = () => {
  const { pages, sections, aliases } = bookSearch.index;
  library = new MiniSearch({
    fields: Object.keys(BOOSTS),
    tokenize: (text) =>
      words(text).flatMap((word) => {
        const { whole, parts } = forms(word);
        return [...new Set([...whole, ...parts])];
      }),
    processTerm: (term) => stem(term.toLowerCase()),
    searchOptions: { boost: BOOSTS, combineWith: "AND", tokenize: (text) => text.split(" ") },
  });
  library.addAll(
    sections.map(([page, , heading, text, code], id) => {
      const name = EXERCISE.test(heading) ? { text: `${heading} ${text}` } : { heading, text };
      return { id, page: pages[page][1], code, ...name };
    }),
  );
  const names = Object.keys(aliases);
  speller = new MiniSearch({ fields: ["id"] });
  speller.addAll([...new Set(names.flatMap(words))].map((id) => ({ id })));
  // the longest first; Chinese has no blanks between words
  names.sort((a, b) => b.length - a.length);
  const isHan = (name) => /\p{Script=Han}/u.test(name);
  const han = names.filter(isHan).join("|");
  const other = names.filter((name) => !isHan(name)).join("|");
  const end = "(?![\\p{L}\\p{N}_])";
  aliasOrWord = new RegExp(
    `${han}|(?<![\\p{L}\\p{N}_])(?:${other})(?=s?${end})|${WORD.source}`,
    "giu",
  );
};

/** A word that the book lacks, as the alias it comes close to. */
const spelled = (word) =>
  library.search(word, { fuzzy: false }).length
    ? word
    : (speller.search(word, { fuzzy: typingErrors })[0]?.id ?? word);

/**
 * What a query asks for, part by part: each is a list of ways to find it, the best first,
 * and a way a list of texts, each word of one of which must be there.
 */
const parts = (query) => {
  const all = (query.replace(WORD, spelled).match(aliasOrWord) ?? []).map((found) => {
    const meant = bookSearch.index.aliases[found.toLowerCase()] ?? [];
    const typed = words(found);
    const { whole, parts } = typed.length === 1 ? forms(found) : { whole: [], parts: typed };
    const text = (list) => list.join(" ");
    const exact = typed.length === 1 ? whole : [text(typed)];
    return [[...exact, ...meant.map((way) => text(words(way)))], [text(parts)]];
  });
  const telling = all.filter(([[way]]) => !EMPTY.has(way.toLowerCase()));
  return telling.length ? telling : all;
};

/**
 * Sections that answer a query, the best first: `{url, page, heading, text, code, terms}`.
 * A section that lacks a part of the query counts less by the square of what it has.
 */
bookSearch.find = (query) => {
  const { pages, sections } = bookSearch.index;
  const asked = parts(query);
  const found = new Map();
  asked.forEach(([exact, split], i) => {
    const unfinished = i === asked.length - 1 && !/\s$/.test(query);
    const search = (texts, options) =>
      texts.filter(Boolean).flatMap((text) => {
        const size = text.split(" ").length;
        return library.search(text, options).map((hit) => ({ ...hit, score: hit.score / size }));
      });
    let hits = search(exact, { prefix: unfinished && ((term) => term.length > 2) });
    if (!hits.length) hits = search(split);
    if (!hits.length) hits = search(exact, { fuzzy: typingErrors });
    hits.sort((a, b) => b.score - a.score);
    for (const hit of hits) {
      const entry = found.get(hit.id) ?? { score: 0, parts: new Set(), terms: [] };
      if (!entry.parts.has(i)) entry.score += hit.score;
      entry.parts.add(i);
      entry.terms.push(...hit.terms);
      found.set(hit.id, entry);
    }
  });
  const counts = {};
  return [...found]
    .map(([id, { score, parts, terms }]) => {
      const [page, anchor, heading, text, code] = sections[id];
      const weight = EXERCISE.test(heading) || APPENDIX.test(pages[page][0]) ? LESS : 1;
      return {
        score: score * weight * (parts.size / asked.length) ** 2,
        url: pages[page][0] + (anchor && `#${anchor}`),
        page: pages[page][1],
        heading,
        text,
        code,
        terms: new Set(terms),
      };
    })
    .sort((a, b) => b.score - a.score)
    .filter(({ page }) => {
      counts[page] = (counts[page] ?? 0) + 1;
      return counts[page] <= PER_PAGE;
    });
};

/* the page */

const root = new URL("..", document.currentScript.src);
const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const arrived = (made) =>
  new Promise((resolve, reject) => {
    Object.assign(made, { onload: resolve, onerror: reject });
    document.head.append(made);
  });
const ready = Promise.all([
  arrived(element("script", { src: new URL("minisearch/minisearch.js", root) })),
  arrived(element("script", { src: new URL("_static/search-index.js", root) })),
  arrived(element("link", { rel: "stylesheet", href: new URL("_static/search.css", root) })),
]).then(prepare);

const isFound = (word, terms) => {
  const { whole, parts } = forms(word);
  return [...whole, ...parts].some((form) => terms.has(stem(form.toLowerCase())));
};

/** A text with the words that were found marked. */
const marked = (text, terms) =>
  text
    .split(/([\p{L}\p{N}_]+)/u)
    .map((piece, i) => (i % 2 && isFound(piece, terms) ? element("mark", {}, piece) : piece));

/** The stretch of a section that has most of what was found. */
const snippet = ({ text, code, terms }) => {
  const places = [...text.matchAll(WORD)].filter(([word]) => isFound(word, terms));
  const names = code.split(" ").filter((name) => words(name).some((w) => isFound(w, terms)));
  if (!places.length && names.length) return element("code", {}, ...marked(names.join(" "), terms));
  const near = ({ index }) =>
    new Set(places.filter((p) => p.index >= index && p.index < index + 140).map(([w]) => w)).size;
  const best = places.reduce((a, b) => (near(b) > near(a) ? b : a), places[0]);
  const begin = best?.index > 60 ? text.indexOf(" ", best.index - 40) + 1 : 0;
  const end = text.length > begin + 180 ? text.lastIndexOf(" ", begin + 180) : text.length;
  const part = marked(text.slice(begin, end), terms);
  return element("span", {}, begin ? "… " : "", ...part, end < text.length ? " …" : "");
};

const item = (hit) => {
  const { page, heading, terms, url } = hit;
  const path = page === heading ? [page] : [page, heading];
  const names = path.map((name, i) =>
    element(i ? "span" : "b", {}, i ? " › " : "", ...marked(name, terms)),
  );
  return element(
    "li",
    {},
    element("a", { href: new URL(url, root) }, element("div", {}, ...names), snippet(hit)),
  );
};

/** Show hits below a search form while its reader types. */
const serve = (form) => {
  const dialog = form.closest("dialog");
  const input = form.querySelector("input");
  const status = element("p", { role: "status" });
  const list = element("ol");
  const results = element("div", { className: "search-hits" }, status, list);
  form.after(results);
  const links = () => [...list.querySelectorAll("a")];

  const show = () => {
    const query = input.value.trim() && input.value;
    const hits = query ? bookSearch.find(query) : [];
    list.replaceChildren(...hits.slice(0, SHOWN).map(item));
    const count = hits.length > SHOWN ? `The best ${SHOWN} of ${hits.length}` : hits.length;
    const told = hits.length ? `${count} ${hits.length === 1 ? "section" : "sections"}` : "Nothing found";
    status.textContent = query ? told : "";
    if (!dialog) history.replaceState(null, "", query ? `?q=${encodeURIComponent(query)}` : "?");
  };
  const move = (event) => {
    const stops = [input, ...links()];
    const at = stops.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || at < 0) return;
    event.preventDefault();
    stops.at((at + step) % stops.length).focus();
  };
  const follow = (event) => {
    if (dialog && !links().length) return; // the page search.html answers
    event.preventDefault();
    if (dialog) links()[0].click();
  };
  // a hit may lie on this page, below the dialog
  const close = (event) => {
    if (!event.target.closest("a")) return;
    for (const open of document.querySelectorAll("dialog[open]")) open.close();
  };
  status.textContent = "Loading…";
  if (!dialog) input.focus();
  ready.then(
    () => {
      input.addEventListener("input", show);
      form.addEventListener("submit", follow);
      form.parentElement.addEventListener("keydown", move);
      list.addEventListener("click", close);
      input.value ||= (!dialog && new URLSearchParams(location.search).get("q")) || "";
      show();
    },
    () => {
      status.textContent = "The index could not be loaded.";
    },
  );
};
for (const form of document.querySelectorAll("form.bd-search")) serve(form);
