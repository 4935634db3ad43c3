/* The search: loaded by book.js when a reader turns to it, and by search.html at once. */
const bookSearch = {}; // search-index.js adds the index

// what a section is called counts more than what it says, and that more than its code
const BOOSTS = { page: 2.5, heading: 2, text: 1, code: 0.5 };
// these explain less than a lesson that has the same words
const EXERCISE = /^Exercise \d/;
const APPENDIX = /^book\/(?:index|references|errata)/;
const CASE_STUDY = /case_study/;
const typingErrors = (term) => (term.length < 5 ? 0 : term.length < 8 ? 1 : 2);
const weight = ([page, , heading]) => {
  const [url] = bookSearch.index.pages[page];
  return EXERCISE.test(heading) || APPENDIX.test(url) ? 0.25 : CASE_STUDY.test(url) ? 0.7 : 1;
};
const PIECES = 0.5;
const PER_PAGE = 3;
const SHOWN = 20;
const LONGEST = 200; // letters of a query

const WORD = /(?:(?!\p{Script=Han})[\p{L}\p{N}_])+/gu;
const SEAM = /_+|(?<=[a-z])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z]{2})/;
const HYPHENED = /(?:\p{L}+-)+\p{L}+/gu;
const EMPTY = new Set(
  `1d 2d 3d a about all also am an and any are as at be because been between but by can
  code could definition did difference do does doing during each equation equations every example explained f for formula from get gets
  give gives go has have how i if in into is it its just make makes me mean means much my need nn not of on or
  other our out over pytorch scratch should so some tell than that the their them then there these
  they this to torch use used using vs versus want was we well were what when where which
  while who why will with work works would you your`.split(/\s+/),
);

const american = (word) => word.replace(/is(?=(?:e[ds]?|ing|ations?)$)/, "iz");
/** One form for padded, padding and pads; for normalize, normalise and normalization. */
const stem = (word) =>
  american(word.toLowerCase())
    .replace(/ies$/, "y")
    .replace(/bility$/, "ble")
    .replace(/(?<=ic)al(?:ly)?$/, "")
    .replace(/(?<=iz)ations?$|(?<=at)ions?$|(?<=\w{3})(?:ings?|ed|es|s|e)$/, "")
    .replace(/(?<=\w\w)([a-z])\1$/, "$1");

/** A name without its dimension, and the words that make it. */
const forms = (name) => {
  const whole = name.replace(/(?<=[a-z])[123]d$/i, "");
  return { whole, parts: whole.split(SEAM).filter(Boolean) };
};
const known = new Map(); // most words come many times
const stems = (word) => {
  if (!known.has(word)) {
    const { whole, parts } = forms(word);
    known.set(word, [...new Set([whole, ...parts].map(stem))]);
  }
  return known.get(word);
};
const words = (text) => text.match(WORD) ?? [];
/** Pre-norm as prenorm, and U-Net as UNet. */
const joined = (text) => (text.match(HYPHENED) ?? []).map((name) => name.replaceAll("-", ""));

let library; // of the book's sections
let speller; // of the book's words, and the aliases'
let aliases;
let aliasOrWord;
const plain = (name) => name.toLowerCase().replace(/[\s_-]+/g, " ");
const long = (term) => term.length > 2; // enough to find what begins so
const isChinese = (name) => /\p{Script=Han}/u.test(name);

const prepare = () => {
  const { pages, sections } = bookSearch.index;
  library = new MiniSearch({
    fields: Object.keys(BOOSTS),
    tokenize: (text) => [...words(text), ...joined(text)].flatMap(stems),
    processTerm: (term) => term,
    searchOptions: {
      boost: BOOSTS,
      combineWith: "AND",
      tokenize: (text) => text.split(" "),
      processTerm: stem,
    },
  });
  library.addAll(
    sections.map(([page, , heading, prose, code, answers = ""], id) => {
      const text = `${prose} ${answers}`;
      const name = EXERCISE.test(heading) ? { text: `${heading} ${text}` } : { heading, text };
      return { id, page: pages[page][1], code, ...name };
    }),
  );
  aliases = new Map(
    Object.entries(bookSearch.index.aliases).map(([name, meant]) => [plain(name), meant]),
  );
  const names = [...aliases.keys()].sort((a, b) => b.length - a.length); // the longest first
  speller = new MiniSearch({ fields: ["id"], tokenize: (word) => [word] });
  const all = [...pages, ...sections.map((section) => section.slice(2))].flat().join(" ");
  const spellings = [...names.flatMap(words), ...[...words(all), ...joined(all)].map(simple)];
  speller.addAll([...new Set(spellings)].map((id) => ({ id })));
  const chinese = names.filter(isChinese); // has no blanks between words
  const others = names.filter((name) => !isChinese(name)).map((n) => n.replaceAll(" ", "[\\s_-]+"));
  const letter = "[\\p{L}\\p{N}_]";
  aliasOrWord = new RegExp(
    `${chinese.join("|")}|(?<!${letter})(?:${others.join("|")})s?(?!${letter})|${WORD.source}`,
    "giu",
  );
};

const simple = (word) => forms(word).whole.toLowerCase();

/** A word that the book lacks, as one that begins so and has a letter or two others. */
const spelled = (word, at, query) => {
  const unfinished = at + word.length === query.length && long;
  if (library.search(forms(word).whole, { prefix: unfinished }).length) return american(word);
  const near = speller.search(simple(word), { fuzzy: typingErrors });
  return near.find(({ id }) => id[0] === word[0].toLowerCase())?.id ?? word;
};

/** What a query asks for: for each part the texts that say it, and its pieces. */
const asked = (query) => {
  const all = (query.replace(WORD, spelled).match(aliasOrWord) ?? []).map((found) => {
    const name = plain(found);
    const meant = aliases.get(name) ?? aliases.get(name.slice(0, -1)) ?? [];
    const typed = words(found);
    const { whole, parts } =
      typed.length === 1 ? forms(found) : { whole: typed.join(" "), parts: [] };
    const texts = [whole, ...meant.map((text) => words(text).join(" "))].filter(Boolean);
    return { texts, pieces: parts.length > 1 ? parts.join(" ") : "" };
  });
  const tells = (text) => !EMPTY.has(text.toLowerCase()) && /\D/.test(text);
  const telling = all.filter(({ texts }) => tells(texts[0]));
  return telling.length ? telling : all;
};

/** The hits of one part of a query: the whole, and its pieces by half. */
const hitsOf = ({ texts, pieces }, unfinished) => {
  const search = (text, weight, options) => {
    const share = weight / text.split(" ").length;
    return library.search(text, options).map((hit) => ({ ...hit, score: hit.score * share }));
  };
  const exact = texts.flatMap((text) => search(text, 1));
  const begun = exact.length ? [] : texts.flatMap((text) => search(text, 1, { prefix: unfinished }));
  const best = new Map();
  for (const { id, score, terms } of [...exact, ...begun]) {
    const so = best.get(id) ?? { score: 0, terms: [] };
    best.set(id, { score: Math.max(so.score, score), terms: [...so.terms, ...terms] });
  }
  for (const { id, score, terms } of pieces ? search(pieces, PIECES, { combineWith: "OR" }) : []) {
    const so = best.get(id) ?? { score: 0, terms: [] };
    best.set(id, { score: so.score + score, terms: [...so.terms, ...terms] });
  }
  return best;
};

/**
 * Sections that answer a query, the best first: `{url, page, heading, text, code, terms}`.
 * What lacks a part of the query counts less, the more so the fewer pages have that part.
 * A page is as good as its best section and half of the next and a quarter of the third.
 */
bookSearch.find = (query) => {
  const { pages, sections } = bookSearch.index;
  const found = new Map();
  const ofPages = pages.map(() => ({ score: 0, share: 0 }));
  let whole = 0;
  asked(query).forEach((part, i, { length }) => {
    const hits = hitsOf(part, i === length - 1 && !/\s$/.test(query) && long);
    const scores = pages.map(() => []);
    for (const [id, { score }] of hits) scores[sections[id][0]].push(score * weight(sections[id]));
    const share = hits.size && Math.log(1 + pages.length / scores.filter((s) => s.length).length);
    whole += share;
    ofPages.forEach((page, at) => {
      const best = scores[at].sort((a, b) => b - a);
      page.score += best.reduce((sum, score, rank) => sum + score / 2 ** rank, 0);
      if (best.length) page.share += share;
    });
    for (const [id, { score, terms }] of hits) {
      const so = found.get(id) ?? { score: 0, share: 0, terms: [] };
      found.set(id, {
        score: so.score + score,
        share: so.share + share,
        terms: [...so.terms, ...terms],
      });
    }
  });
  const shown = {};
  return [...found]
    .map(([id, { score, share, terms }]) => {
      const [at, anchor, heading, text, code] = sections[id];
      const [url, title] = pages[at];
      const own = weight(sections[id]) * score * (share / whole) ** 2;
      return {
        score: own + (weight(sections[id]) * ofPages[at].score * ofPages[at].share) / whole,
        url: url + (anchor && `#${anchor}`),
        page: title,
        heading,
        text,
        code,
        terms: new Set(terms),
      };
    })
    .sort((a, b) => b.score - a.score)
    .filter(({ page }) => {
      shown[page] = (shown[page] ?? 0) + 1;
      return shown[page] <= PER_PAGE;
    });
};

/* the page */

const base = new URL("..", document.currentScript.src);
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
  arrived(element("script", { src: new URL("minisearch/minisearch.js", base) })),
  arrived(element("script", { src: new URL("_static/search-index.js", base) })),
  arrived(element("link", { rel: "stylesheet", href: new URL("_static/search.css", base) })),
]).then(prepare);

const isFound = (word, terms) => stems(word).some((form) => terms.has(form));

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
    element("a", { href: new URL(url, base) }, element("div", {}, ...names), snippet(hit)),
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
  };
  const keep = () => {
    const query = new URLSearchParams({ q: input.value });
    history.replaceState(null, "", `?${query}`);
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
  input.maxLength = LONGEST;
  input.addEventListener("focus", () => input.select());
  if (!dialog) input.focus();
  ready.then(
    () => {
      input.addEventListener("input", show);
      form.addEventListener("submit", follow);
      form.parentElement.addEventListener("keydown", move);
      list.addEventListener("click", close);
      if (!dialog) {
        input.addEventListener("change", keep);
        input.value ||= new URLSearchParams(location.search).get("q")?.slice(0, LONGEST) ?? "";
      }
      show();
    },
    () => {
      status.textContent = "The index could not be loaded.";
    },
  );
};
for (const form of document.querySelectorAll("form.bd-search")) serve(form);
