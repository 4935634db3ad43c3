/* An exercise in its page: the editor, what it keeps, the verdict. book.js loads it at the
   first click; Python runs in a worker, see page_torch/engine/worker.js. */
self.bookExercise = (() => {
  const STATIC = `${document.documentElement.dataset.content_root}_static/`;
  const LINK = "#write~";
  const LATE = 300; // milliseconds without a word
  const MANY = 200; // lines, each of which takes a browser longer to insert than the last
  const STRAIGHT = { "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "‚": "'" };
  const MARKS = { right: "✓", wrong: "✗", error: "✗" };
  const PAIRS = { "(": ")", "[": "]", "{": "}", '"': '"', "'": "'" };
  const touch = matchMedia("(pointer: coarse)");
  const button = (textContent, onclick) => {
    const made = document.createElement("button");
    return Object.assign(made, { type: "button", textContent, onclick });
  };

  /* Colors: the classes of the site's style of code. */
  const CLASSES = {};
  const WORDS = {
    k: "and as assert break class continue def del elif else except finally for from if import in is lambda match not or pass raise return try while with yield",
    kc: "False None True",
    nb: "abs all any bool dict enumerate float int isinstance len list map max min print range reversed set sorted str sum super tuple zip",
  };
  for (const name in WORDS) for (const word of WORDS[name].split(" ")) CLASSES[word] = name;
  const TOKENS =
    /#.*|(?:\b[rbfu]{1,2})?(?:("""|''')(?:\\[^]|[^\\])*?(?:\1|$(?![^]))|(["'])(?:\\[^]|(?!\2)[^\\\n])*\2?)|\b\d(?:e[+-]|[\w.])*|^[ \t]*@[\w.]+|\w+|[<&]/gim;
  const colored = (code) => {
    let before;
    return code.replace(TOKENS, (token) => {
      const text = token.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
      let name = { def: "nf", class: "nc" }[before] ?? CLASSES[token];
      before = token;
      if (token[0] === "#") name = "c1";
      else if (/^\w{0,2}["']/.test(token)) name = "s2";
      else if (/^\d/.test(token)) name = "mi";
      else if (token.includes("@")) name = "nd";
      return name ? `<span class="${name}">${text}</span>` : text;
    });
  };

  /* Scripts that come once: the engine, the frozen exercises, their data. */
  const coming = {};
  const load = (path) => {
    coming[path] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${STATIC}${path}.js`;
      script.onload = resolve;
      script.onerror = () => {
        delete coming[path];
        reject(new Error(`${path}.js is not there`));
      };
      document.head.append(script);
    });
    return coming[path];
  };
  const frozen = {};
  const data = {};
  self.bookExercises = {
    add(name, exercise) {
      frozen[name] = exercise;
    },
    data(name, text) {
      data[name] = text;
    },
  };
  const exercise = async (name) => {
    await load(`exercises/${name}`);
    await Promise.all(frozen[name].needs.map(load));
    return frozen[name];
  };

  /* One worker for all exercises of the page; one that was stopped is replaced. */
  const runs = ["WebAssembly", "Worker", "DecompressionStream"].every((name) => name in self);
  let booted = null;
  let isBooted = false;
  const boot = () => {
    booted ??= load("engine")
      .then(() => bookEngine.start())
      .then(
        (worker) =>
          new Promise((resolve, reject) => {
            worker.onmessage = () => {
              isBooted = true;
              resolve(worker);
            };
            worker.onerror = reject;
          }),
      );
    booted.catch(() => {
      booted = null;
    });
    return booted;
  };
  const quit = () => {
    booted?.then((worker) => worker.terminate());
    booted = null;
    boot();
  };

  /* A text in a link: deflated, in base64 for addresses. */
  const through = (stream, content) =>
    new Response(new Blob([content]).stream().pipeThrough(stream)).arrayBuffer();
  const packed = async (text) => {
    const bytes = await through(new CompressionStream("deflate-raw"), text);
    let binary = "";
    for (const byte of new Uint8Array(bytes)) binary += String.fromCharCode(byte);
    return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };
  const unpacked = async (words) => {
    const binary = atob(words.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const text = await through(new DecompressionStream("deflate-raw"), bytes);
    return new TextDecoder("utf-8", { fatal: true }).decode(text);
  };

  const lineStart = (text, at) => text.lastIndexOf("\n", at - 1) + 1;
  const count = (text, mark) => text.split(mark).length - 1;
  let running = null; // the editor whose code runs

  class Editor extends HTMLElement {
    begin(cell, name) {
      this.name = name;
      this.starter = cell.querySelector("pre").textContent.trimEnd();
      this.section = cell.closest("section");
      const { title } = this.section.querySelector("book-solved").dataset;
      const id = `help-${name}`;
      this.role = "group";
      this.ariaLabel = `${title}: write and check`;
      this.innerHTML = `<div class="code"><div class="numbers" aria-hidden="true"></div>
        <div class="highlight"><div class="colors" aria-hidden="true"></div><textarea wrap="off"
        rows="1" spellcheck="false" autocomplete="off" autocorrect="off" autocapitalize="off"
        inputmode="text" aria-label="${title}: your code" aria-describedby="${id}"></textarea
        ></div></div><div class="keys" role="toolbar" aria-label="Keys for code"></div>
        <p class="help" id="${id}">Tab indents; Esc, then Tab leaves the code. Ctrl or ⌘ + Enter checks.</p>
        <p class="buttons"></p><p class="note" role="status"></p>
        <p class="running" hidden><span></span> </p>
        <pre class="printed" tabindex="0" role="region" aria-label="Printed" hidden></pre>
        <div class="verdict" role="status"></div>`;
      const [code, keys, , buttons, noted, progress, printed, verdict] = this.children;
      const [numbers, { children }] = code.children;
      const [colors, area] = children;
      Object.assign(this, { area, colors, numbers, noted, progress, printed, verdict });
      this.checks = button("Check", () => this.check());
      this.checks.className = "check";
      this.colab = document.createElement("a");
      this.colab.textContent = "Open in Colab";
      this.colab.target = "_blank";
      this.colab.href = document.querySelector('a[href*="//colab."]').href;
      buttons.append(
        this.checks,
        button("Reset", () => this.reset()),
        button("Show solution", () => this.solve()),
        this.colab,
        button("Copy link", () => this.share()),
        button("Save file", () => this.save()),
      );
      progress.append(button("Stop", () => this.stop("Stopped.")));
      this.keys(keys);
      this.listen();
      const { text = this.starter, time = 0 } = memory.read().texts[name] ?? {};
      this.time = time;
      area.value = text;
      this.draw();
      cell.classList.add("written");
      cell.after(this);
      if (!runs) return this.refuse();
      boot().catch(() => {});
      load(`exercises/${name}`).catch(() => {}); // its data come with the first check
    }

    /** The caret where one writes first. */
    focus() {
      const { value } = this.area;
      const at = value === this.starter ? value.indexOf("...") : -1;
      this.area.focus({ preventScroll: true });
      if (at >= 0) this.area.setSelectionRange(at, at + 3);
    }

    /** What a phone's keyboard has far away. */
    keys(bar) {
      const add = (key, label, work = () => this.write(key)) => {
        const made = button(key, work);
        if (label) made.ariaLabel = label;
        made.onpointerdown = (event) => event.preventDefault(); // the code keeps the focus
        bar.append(made);
      };
      add("→|", "Indent", () => this.indent());
      add("|←", "Outdent", () => this.outdent());
      for (const key of '()[]:=.,"_') add(key);
      add("↶", "Take back", () => {
        this.area.focus();
        document.execCommand("undo");
      });
    }

    listen() {
      const { area } = this;
      area.oninput = () => {
        this.draw();
        this.change();
      };
      area.onbeforeinput = (event) => this.before(event);
      area.onkeydown = (event) => this.key(event);
      area.onblur = () => {
        this.leaves = false;
        this.keep();
      };
      addEventListener("memory", () => this.refresh());
      addEventListener("focus", () => this.refresh());
      document.addEventListener("visibilitychange", () => this.keep());
    }

    draw() {
      const { value } = this.area;
      this.colors.innerHTML = `${colored(value)}\n`; // an empty last line has its height
      const lines = value.split("\n").map((_, i) => i + 1);
      this.numbers.textContent = lines.join("\n");
    }

    /** Put a text in place of another, so that the browser can undo it. */
    write(text, from = this.area.selectionStart, to = this.area.selectionEnd) {
      const { area } = this;
      area.focus({ preventScroll: true });
      area.setSelectionRange(from, to);
      this.writes = true;
      const many = count(area.value.slice(from, to) + text, "\n") > MANY;
      const done =
        !many &&
        (text
          ? document.execCommand("insertText", false, text)
          : from === to || document.execCommand("delete"));
      this.writes = false;
      if (done) return;
      area.setRangeText(text, from, to, "end");
      area.oninput();
    }

    key(event) {
      const { key, shiftKey, ctrlKey, metaKey, altKey, isComposing } = event;
      const other = ctrlKey || metaKey;
      if (isComposing) return;
      if (key === "Enter" && other) {
        event.preventDefault();
        this.check();
      } else if (key === "Tab" && !this.leaves && !other && !altKey) {
        event.preventDefault();
        if (shiftKey) this.outdent();
        else this.indent();
      } else if (key !== "Shift") this.leaves = key === "Escape";
    }

    before(event) {
      const { inputType, data, isComposing, cancelable } = event;
      const { value, selectionStart: from, selectionEnd: to } = this.area;
      if (this.writes || isComposing || !cancelable) return;
      const line = value.slice(lineStart(value, from), from);
      let done = true;
      if (inputType === "insertLineBreak") {
        const deeper = /^[^#]*:\s*(#.*)?$/.test(line) ? "    " : "";
        this.write(`\n${line.match(/^[ \t]*/)[0]}${deeper}`);
      } else if (inputType === "deleteContentBackward" && from === to) {
        const pair = PAIRS[value[from - 1]];
        if (/^ {2,}$/.test(line)) this.write("", from - (((line.length - 1) % 4) + 1), to);
        else if (pair && pair === value[to] && !touch.matches) this.write("", from - 1, to + 1);
        else done = false;
      } else if (STRAIGHT[data]) this.write(STRAIGHT[data]); // a phone's own quotes
      else
        done =
          inputType === "insertText" && !touch.matches && this.pair(data, value, from, to);
      if (done) event.preventDefault();
    }

    /** Close what is opened, and step over what was closed so. */
    pair(mark, value, from, to) {
      const close = PAIRS[mark];
      const opener = Object.keys(PAIRS).find((key) => PAIRS[key] === mark);
      const line = value.slice(lineStart(value, from), from);
      const steps =
        close === mark
          ? count(line, mark) % 2
          : opener && count(value, opener) <= count(value, mark);
      const inside = value.slice(from, to);
      if (steps && !inside && value[from] === mark) to = from;
      else if (
        !close ||
        (!inside && /[^\s)\]},:]/.test(value[to] ?? "")) ||
        (!inside && close === mark && /[\w"'\\]/.test(value[from - 1] ?? ""))
      )
        return false;
      else this.write(mark + inside + close, from, to);
      this.area.setSelectionRange(from + 1, to + 1);
      return true;
    }

    indent() {
      const { value, selectionStart: from, selectionEnd: to } = this.area;
      if (value.slice(from, to).includes("\n")) this.shift((line) => line && `    ${line}`);
      else this.write(" ".repeat(4 - ((from - lineStart(value, from)) % 4)));
    }

    outdent() {
      this.shift((line) => line.replace(/^( {1,4}|\t)/, ""));
    }

    /** Change the lines that are selected. */
    shift(change) {
      const { value, selectionStart: from, selectionEnd: to } = this.area;
      const start = lineStart(value, from);
      const rest = value.indexOf("\n", to > from && value[to - 1] === "\n" ? to - 1 : to);
      const old = value.slice(start, rest < 0 ? undefined : rest);
      const lines = old.split("\n");
      const changed = lines.map(change);
      const text = changed.join("\n");
      if (text === old) return;
      this.write(text, start, start + old.length);
      const first = Math.max(start, from + changed[0].length - lines[0].length);
      this.area.setSelectionRange(first, Math.max(first, to + text.length - old.length));
    }

    /** What the reader types is kept after half a second, and on leaving. */
    change() {
      if (this.guest) return;
      this.dirty = true;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.keep(), 500);
    }

    keep() {
      if (!this.dirty) return;
      this.dirty = false;
      const { name, area } = this;
      const text = area.value;
      if (text.length > memory.LONGEST)
        return this.note("This text is too long to be kept: save it to a file.");
      this.time = Date.now();
      memory.change(({ texts }) => {
        if (text === this.starter) delete texts[name];
        else texts[name] = { text, time: this.time };
      });
      if (!memory.keeps())
        this.note("This browser keeps nothing: copy the link, or save the file.");
    }

    /** Another tab may have written since, or all is forgotten. */
    refresh() {
      const { text = this.starter, time = 0 } = memory.read().texts[this.name] ?? {};
      if (this.guest || this.dirty || time === this.time) return;
      this.time = time;
      const before = this.area.value;
      if (text === before) return;
      this.put(text);
      this.undoable("Your code came from another tab.", before);
    }

    /** Another text in the editor. */
    put(text, keeps) {
      const { guest } = this;
      const focused = document.activeElement;
      this.guest = !keeps;
      this.write(text, 0, this.area.value.length);
      this.area.setSelectionRange(0, 0);
      this.firstChild.scrollLeft = 0;
      this.guest = guest;
      if (keeps) this.keep();
      if (focused !== this.area) focused.focus({ preventScroll: true });
    }

    /** Say something, with what can be done about it. */
    note(words, actions = {}) {
      this.noted.textContent = words;
      for (const label in actions) {
        const work = () => {
          this.note("");
          actions[label]();
          this.area.focus({ preventScroll: true });
        };
        this.noted.append(" ", button(label, work));
      }
    }

    undoable(words, before) {
      this.note(words, { Undo: () => this.put(before, true) });
    }

    reset() {
      const before = this.area.value;
      this.leave();
      this.stop();
      this.printed.textContent = "";
      this.tell();
      this.put(this.starter, true);
      this.undoable("The code is as it was at first.", before);
    }

    solve() {
      const summaries = [...this.section.querySelectorAll("summary")];
      const summary = summaries.find((e) => e.textContent.trim() === "Solution");
      summary.parentElement.open = true;
      summary.scrollIntoView({ block: "nearest" });
      summary.focus({ preventScroll: true });
    }

    async share() {
      const isFile = location.protocol === "file:";
      const page = isFile ? document.querySelector("[rel=canonical]").href : location.href;
      const text = this.area.value;
      if (!text) return this.note("There is no code yet that a link could carry.");
      const words = await packed(text);
      if (Math.max(text.length, words.length) > memory.LONGEST)
        return this.note("This text is too long for a link: save it to a file.");
      const link = `${page.replace(/#.*/, "")}${LINK}${this.name}~${words}`;
      try {
        await navigator.clipboard.writeText(link);
        this.note("The link is copied: it opens this page with your code.");
      } catch {
        this.note(`Copy this link: ${link}`); // the browser does not let us
      }
    }

    save() {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([`${this.area.value}\n`]));
      link.download = `${this.name.replaceAll("/", "_")}.py`;
      link.click();
      URL.revokeObjectURL(link.href);
    }

    /** Show the code of a link; the reader's own, if there is some, stays kept. */
    async visit(words) {
      let text = "";
      try {
        if (words.length <= memory.LONGEST) text = await unpacked(words);
      } catch {
        // cut, as by a message
      }
      if (!text || text.length > memory.LONGEST)
        return this.note("The link is damaged: its code cannot be read.");
      this.keep();
      if (text === this.area.value) return;
      const own = memory.read().texts[this.name]?.text;
      this.put(text, !own);
      if (!own) {
        this.note("This code came with the link.");
        return this.leave();
      }
      this.guest = true;
      this.note("This code came with the link; yours is kept.", {
        "Back to your own code": () => {
          this.put(own);
          this.leave();
        },
        "Keep this code instead": () => {
          this.leave();
          this.put(this.area.value, true);
          this.undoable("This code is yours now.", own);
        },
      });
    }

    /** From here on the code is the reader's: a reload no longer shows the link's. */
    leave() {
      this.guest = false;
      if (location.hash.startsWith(`${LINK}${this.name}~`))
        history.replaceState(history.state, "", `#${this.section.id}`);
    }

    refuse() {
      this.tell("missing", "This browser lacks what Python in a page needs.");
    }

    async check() {
      if (!runs) return this.refuse();
      running?.stop("Stopped, since another check began.");
      running = this;
      this.keep();
      this.printed.textContent = "";
      // what stands below stays there
      const room = this.verdict.offsetHeight;
      this.tell();
      this.verdict.style.minHeight = `${room}px`;
      const run = { words: "Loading Python (about 300 kB, once) …" };
      this.run = run;
      run.timer = setTimeout(() => this.show(), isBooted ? LATE : 0);
      const text = this.area.value;
      try {
        const [worker, task] = await Promise.all([boot(), exercise(this.name)]);
        if (this.run !== run) return;
        const { limit } = task;
        Object.assign(run, { words: "Running …", worker, since: performance.now() });
        run.limit = setTimeout(
          () =>
            this.stop(
              `Stopped after ${limit} s: is there a loop that never ends, or a very large tensor?`,
            ),
          1000 * limit,
        );
        worker.onmessage = ({ data: { printed, verdict } }) => {
          if (this.run !== run) return;
          if (printed) {
            this.printed.hidden = false;
            this.printed.append(printed);
          }
          if (!verdict) return;
          const { state, message, line, dead } = verdict;
          if (dead || state === "missing") quit(); // an answer may have changed torch
          this.end(state, message, line);
          if (state === "right") memory.solve(this.name);
        };
        worker.onerror = ({ message }) => {
          quit();
          this.end("error", `Python broke off: ${message}.`);
        };
        const given = Object.fromEntries(task.needs.map((need) => [need, data[need]]));
        worker.postMessage({ check: this.name, exercise: task, data: given, text });
      } catch ({ message }) {
        if (this.run === run) this.end("missing", `Python did not load: ${message}.`);
      }
    }

    /** Say that it runs, and for how long. */
    show() {
      const { run, progress } = this;
      const seconds = Math.floor((performance.now() - run.since) / 1000);
      progress.hidden = false;
      progress.firstChild.textContent = `${run.words}${seconds > 0 ? ` ${seconds} s` : ""}`;
      run.timer = setTimeout(() => this.show(), LATE);
    }

    stop(words) {
      if (!this.run) return;
      if (this.run.worker) quit();
      this.end("stopped", words);
    }

    end(state, message, line) {
      clearTimeout(this.run.timer);
      clearTimeout(this.run.limit);
      this.run = running = null;
      if (this.progress.contains(document.activeElement)) this.checks.focus();
      this.progress.hidden = true;
      if (!message) return;
      this.tell(state, message, line);
      this.verdict.scrollIntoView({ block: "nearest" });
    }

    /** Show a verdict, or none. */
    tell(state = "", message = "", line = 0) {
      const { verdict, printed, name, colab } = this;
      printed.hidden = !printed.textContent;
      verdict.dataset.state = state;
      verdict.textContent = verdict.style.minHeight = "";
      if (!state) return;
      const title = document.createElement("strong");
      title.textContent = `${MARKS[state] ?? "○"} ${name}`;
      const parts = message.split(new RegExp(`(\\bline ${line}\\b)`, "i"));
      if (line && !parts[1]) parts.splice(0, 1, `${message} `, `Line ${line}`, "");
      if (line) parts[1] = button(parts[1], () => this.select(line));
      verdict.append(title, "\n", ...parts);
      if (state === "missing") verdict.append(" ", colab.cloneNode(true));
    }

    select(line) {
      const lines = this.area.value.split("\n");
      const end = lines.slice(0, line).join("\n").length;
      this.area.focus({ preventScroll: true });
      this.area.setSelectionRange(end - lines[line - 1].length, end);
      this.area.scrollIntoView({ block: "nearest" });
    }
  }
  customElements.define("book-exercise", Editor);

  const open = (cell, name) => {
    let editor = cell.nextElementSibling;
    if (!editor?.begin) {
      editor = new Editor();
      editor.begin(cell, name);
    }
    editor.focus();
    return editor;
  };
  /** Open the exercise of a link, with the link's code. */
  const follow = (hash) => {
    const [name, words = ""] = hash.slice(LINK.length).split("~");
    const boxes = [...document.querySelectorAll("book-solved")];
    const section = boxes.find((e) => e.dataset.name === name)?.closest("section");
    const cell = section?.querySelector(".runs-here");
    if (!cell) return;
    const editor = open(cell, name);
    editor.scrollIntoView({ block: "nearest" });
    return editor.visit(words);
  };

  // a phone's keyboard lies over the page, which no style sheet knows of
  const view = self.visualViewport;
  const lift = () => {
    const { clientHeight, style } = document.documentElement;
    style.setProperty("--keyboard", `${clientHeight - view.height - view.offsetTop}px`);
  };
  if (touch.matches) for (const type of ["resize", "scroll"]) view?.addEventListener(type, lift);

  return { open, follow };
})();
