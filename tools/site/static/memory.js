/* What this device remembers of its reader: one entry of the browser's storage. */
self.memory = (() => {
  const KEY = "pytorch-layers 1";
  const ASIDE = `${KEY}, unreadable`;
  const FIELDS = {
    pages: { heading: "string", section: "string", share: "number", read: "number", time: "number" },
    answers: { guess: "string", right: "boolean", time: "number" },
    solved: { done: "boolean", time: "number" },
    cards: { box: "number", day: "number", time: "number" },
    texts: { text: "string", time: "number" },
  };
  const nothing = () => {
    const parts = Object.keys(FIELDS).map((part) => [part, {}]);
    return { version: 1, ...Object.fromEntries(parts) };
  };
  const MOST = { share: 1, read: 1, box: 5 };
  const LAST = 8.64e15; // the last moment that a Date knows
  const LONGEST = 100_000; // characters of a text
  let kept = null;
  let data = nothing();
  let keeps = true;

  const fault = (found) => {
    if (found?.version !== 1) return `version 1 is known, this is ${found?.version}`;
    found.texts ??= {}; // none were kept at first
    for (const part in FIELDS) {
      if (found[part]?.constructor !== Object) return `${part} is no list of entries`;
      for (const name in found[part])
        for (const field in FIELDS[part]) {
          const value = found[part][name]?.[field];
          if (typeof value !== FIELDS[part][field])
            return `${part}, ${name}: ${field} is no ${FIELDS[part][field]}`;
          if (value.length > LONGEST)
            return `${part}, ${name}: ${field} is longer than ${LONGEST} characters`;
          const most = MOST[field] ?? LAST;
          if (typeof value === "number" && !(value >= 0 && value <= most))
            return `${part}, ${name}: ${field} is ${value}, not 0 to ${most}`;
        }
    }
    return "";
  };
  const parse = (text) => {
    try {
      const found = JSON.parse(text);
      return { found, wrong: fault(found) };
    } catch {
      return { wrong: "no JSON" };
    }
  };
  // a browser may refuse to keep anything, or be full: then it lasts while the page does
  const attempt = (work) => {
    try {
      work();
      return true;
    } catch {
      keeps = false;
      return false;
    }
  };
  const look = () => {
    const text = localStorage.getItem(KEY);
    if (text === kept) return;
    const { found, wrong } = text === null ? { found: nothing(), wrong: "" } : parse(text);
    if (wrong) localStorage.setItem(ASIDE, `${localStorage.getItem(ASIDE) ?? ""}${text}\n`);
    kept = text;
    data = wrong ? nothing() : found;
  };
  const read = () => {
    attempt(look);
    return data;
  };
  const draw = () => {
    for (const e of document.querySelectorAll("book-tick, book-solved, book-continue"))
      e.draw();
    dispatchEvent(new Event("memory"));
  };
  // another tab may have written since
  const change = (edit) => {
    const readable = attempt(look);
    edit(data);
    if (readable)
      keeps = attempt(() => {
        const text = JSON.stringify(data);
        localStorage.setItem(KEY, text);
        kept = text;
      });
    draw();
  };
  const note = (part, name, entry) =>
    change((all) => {
      all[part][name] = { ...entry, time: Date.now() };
    });
  const memory = {
    KEY,
    ASIDE,
    LONGEST,
    read,
    change,
    parse,
    note,
    keeps: () => keeps,
    answered: (key) => {
      const entry = read().answers[key];
      return entry && !entry.again ? entry : null;
    },
    solved: (name) => Boolean(read().solved[name]?.done),
    solve: (name) => note("solved", name, { done: true }),
    unsolve: (name) => note("solved", name, { done: false }),
    forget: () =>
      change((all) => {
        Object.assign(all, nothing());
      }),
  };

  // guesses were kept one an entry
  attempt(() => {
    const old = Object.keys(localStorage).filter((key) => key.startsWith("guess "));
    if (!old.length) return;
    change(({ answers }) => {
      for (const key of old)
        answers[key.slice(6)] ??= { guess: localStorage[key], right: false, time: Date.now() };
    });
    if (keeps) for (const key of old) localStorage.removeItem(key);
  });

  // each draws itself where its start tag is parsed: nothing flashes, nothing moves
  const element = (name, draw) =>
    customElements.define(
      name,
      class extends HTMLElement {
        connectedCallback() {
          this.draw();
        }
        draw() {
          draw(this, this.dataset);
        }
      },
    );
  const count = (entries, prefix, holds) =>
    Object.keys(entries).filter((key) => key.startsWith(prefix) && holds(entries[key]))
      .length;
  element("book-tick", (tick, { page, name, questions, exercises }) => {
    const { answers, solved } = read();
    const done =
      Math.min(questions, count(answers, `${page}#`, (e) => !e.again)) +
      Math.min(exercises, count(solved, `${name}/`, (e) => e.done));
    const all = Number(questions) + Number(exercises);
    const words = done === all ? "✓" : `${done}/${all}`;
    tick.innerHTML = done
      ? `<span role="img" aria-label="${done} of ${all} done">${words}</span>`
      : "";
  });
  element("book-solved", (solved, { name, title }) => {
    if (!solved.firstChild) {
      solved.innerHTML = `<label><input type="checkbox" autocomplete="off" /> Solved <span class="visually-hidden">${title}</span></label>`;
      const box = solved.querySelector("input");
      box.onchange = () => memory[box.checked ? "solve" : "unsolve"](name);
    }
    solved.querySelector("input").checked = memory.solved(name);
  });
  element("book-continue", (line) => {
    const { pages } = read();
    const ticks = [...document.querySelectorAll("book-tick")];
    const known = ticks.filter((e) => pages[e.dataset.page]);
    const time = (e) => pages[e.dataset.page].time;
    const [tick] = known.sort((a, b) => time(b) - time(a));
    if (!tick) return line.replaceChildren();
    const link = tick.previousElementSibling.cloneNode(true);
    line.innerHTML = "<p></p>";
    const { heading, section } = pages[tick.dataset.page];
    link.className = "";
    link.href += heading;
    if (section) link.append(`, ${section}`);
    line.firstChild.append("Continue where you were: ", link);
  });

  addEventListener("storage", ({ key }) => [KEY, null].includes(key) && draw());
  addEventListener("pageshow", ({ persisted }) => persisted && draw());
  return memory;
})();
