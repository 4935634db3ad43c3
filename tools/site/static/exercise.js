/* An exercise in its page: the editor, what it keeps, and the verdict. book.js loads it
   at the first click. What runs is in a worker, one for all exercises of the page:

   to it    { check: name, exercise: what add() was given, data: { digits: "..." }, text }
   from it  { printed: "some output" } as often as it likes, then, once,
            { verdict: { state: "right" | "wrong" | "unanswered" | "error" | "missing",
              message, line } }; a line counts from 1, missing offers Colab. */
self.bookExercise = (() => {
  const STATIC = `${document.documentElement.dataset.content_root}_static/`;
  const LINK = "#write~";
  const PRINTED = 100_000; // characters shown of what a run prints
  const LIMIT = 10; // seconds
  const LATE = 300; // milliseconds without a word
  const MARKS = { right: "✓", wrong: "✗", error: "✗" };
  const KEYS = ["→|", "|←", "(", ")", "[", "]", ":", "=", ".", ",", '"', "_", "↶"];
  const NAMES = { "→|": "Indent", "|←": "Outdent", "↶": "Undo" };
  const PAIRS = { "(": ")", "[": "]", "{": "}", '"': '"', "'": "'" };
  const touch = matchMedia("(pointer: coarse)");

  /* Colors: a token's group is its class in the site's style of code. */
  const KEYWORDS = {
    k: "and as assert async await break class continue def del elif else except finally for from global if import in is lambda match nonlocal not or pass raise return try while with yield",
    kc: "False None True",
    bp: "self cls super",
    nb: "abs all any bool dict enumerate filter float getattr hasattr int isinstance iter len list map max min next object print range repr reversed round set setattr slice sorted str sum tuple type zip",
  };
  const CLASSES = new Map(
    Object.entries(KEYWORDS).flatMap(([name, words]) =>
      words.split(" ").map((word) => [word, name]),
    ),
  );
  const TOKENS =
    /(?<c1>#[^\n]*)|(?<s2>(?:\b[rbfu]{1,2})?(?:"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|"(?:\\[^]|[^"\\\n])*"?|'(?:\\[^]|[^'\\\n])*'?))|(?<mi>\b\d[\d_]*(?:x[\da-f]+|\.?\d*(?:e[+-]?\d+)?))|(?<nd>(?:^|\n)[ \t]*@[\w.]+)|(?<n>[a-z_]\w*)|[<&]/gi;
  const ESCAPES = { "<": "&lt;", "&": "&amp;" };
  const escaped = (text) => text.replace(/[<&]/g, (mark) => ESCAPES[mark]);
  const colored = (code) => {
    let before = "";
    return code.replace(TOKENS, (...found) => {
      const [token, groups] = [found[0], found.at(-1)];
      let [name] = Object.entries(groups).find(([, text]) => text) ?? [];
      if (name === "n") {
        const defined = { def: "nf", class: "nc" }[before];
        name = defined ?? CLASSES.get(token);
        before = token;
      }
      return name ? `<span class="${name}">${escaped(token)}</span>` : escaped(token);
    });
  };

  /* Scripts that come once: the engine, the frozen exercises, and their data. */
  const coming = {};
  const load = (path) => {
    coming[path] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = STATIC + path;
      script.onload = resolve;
      script.onerror = () => {
        delete coming[path];
        reject(new Error(`${path} did not load`));
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
    await load(`exercises/${name}.js`);
    await Promise.all((frozen[name].needs ?? []).map((need) => load(`${need}.js`)));
    return frozen[name];
  };

  /* The worker, warm from the first editor on; one that was stopped is replaced. */
  const RUNS = ["WebAssembly", "Worker", "DecompressionStream"];
  const runs = RUNS.every((name) => name in self);
  let booted = null;
  let isBooted = false;
  const boot = () => {
    booted ??= load("engine.js")
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
  const through = (stream, bytes) => new Blob([bytes]).stream().pipeThrough(stream);
  const packed = async (text) => {
    const stream = through(new CompressionStream("deflate-raw"), text);
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };
  const unpacked = async (words) => {
    const base64 = atob(words.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(base64, (character) => character.charCodeAt(0));
    const reader = through(new DecompressionStream("deflate-raw"), bytes)
      .pipeThrough(new TextDecoderStream("utf-8", { fatal: true }))
      .getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text;
      text += value;
      if (text.length > memory.LONGEST) throw new Error("too long");
    }
  };

  const lineStart = (text, at) => text.lastIndexOf("\n", at - 1) + 1;
  const count = (text, mark) => text.split(mark).length - 1;
  let open = 0; // editors so far, for their ids
  let running = null; // the editor whose code runs

  customElements.define(
    "book-exercise",
    class extends HTMLElement {
      begin(cell, name, button) {
        Object.assign(this, { cell, name, button, leaves: false, own: false });
        this.starter = cell.querySelector("pre").textContent.trimEnd();
        this.section = cell.closest("section");
        const title = this.section.querySelector("book-solved")?.dataset.title ?? name;
        const id = `help-${++open}`;
        this.role = "group";
        this.ariaLabel = `${title}: write and check`;
        this.innerHTML = `<div class="code"><div class="numbers" aria-hidden="true"></div>
          <div class="highlight"><div class="colors" aria-hidden="true"></div><textarea wrap="off" rows="1" spellcheck="false" autocomplete="off" autocorrect="off"
          autocapitalize="off" inputmode="text" aria-label="${title}: your code"
          aria-describedby="${id}"></textarea></div></div>
          <div class="keys" role="toolbar" aria-label="Keys for code"></div>
          <p class="help" id="${id}">Tab indents; Esc, then Tab leaves the code. Ctrl or ⌘ + Enter checks.</p>
          <p class="buttons"><button type="button" class="check">Check</button>
          <button type="button">Reset</button> <button type="button">Show solution</button>
          <a target="_blank" rel="noopener">Open in Colab</a>
          <button type="button">Copy link</button> <button type="button">Save file</button></p>
          <p class="note" role="status"></p>
          <p class="running" hidden><span></span> <button type="button">Stop</button></p>
          <pre class="printed" tabindex="0" role="region" aria-label="Printed" hidden></pre>
          <div class="verdict" role="status"></div>`;
        const find = (selector) => this.querySelector(selector);
        this.area = find("textarea");
        this.colors = find(".colors");
        this.numbers = find(".numbers");
        this.noted = find(".note");
        this.runs = find(".running");
        this.printed = find(".printed");
        this.verdict = find(".verdict");
        const buttons = [...this.querySelectorAll(".buttons > *")];
        const [check, reset, solution, colab, link, file] = buttons;
        check.onclick = () => this.check();
        reset.onclick = () => this.reset();
        solution.onclick = () => this.solve();
        colab.href = document.querySelector('a[href*="//colab."]')?.href ?? "";
        colab.hidden = !colab.href;
        link.onclick = () => this.share();
        link.hidden = !runs;
        file.onclick = () => this.save();
        this.runs.lastChild.onclick = () => {
          this.stop("Stopped.");
          check.focus();
        };
        this.draws();
        this.listens();
        this.time = 0;
        const kept = memory.read().texts[name];
        if (kept) this.time = kept.time;
        this.area.value = kept?.text ?? this.starter;
        this.draw();
        cell.classList.add("written");
        cell.after(this);
        if (!runs) return this.refuse();
        boot().catch(() => {});
        exercise(name).catch(() => {});
      }

      /** The caret where one writes first. */
      focus() {
        const { area } = this;
        const at = area.value.indexOf("...");
        const fresh = area.value === this.starter && at >= 0;
        area.focus({ preventScroll: true });
        if (fresh) area.setSelectionRange(at, at + 3);
      }

      draws() {
        const keys = this.querySelector(".keys");
        for (const key of KEYS) {
          const button = document.createElement("button");
          button.type = "button";
          button.textContent = key;
          if (NAMES[key]) button.ariaLabel = NAMES[key];
          button.onpointerdown = (event) => event.preventDefault(); // the code keeps the focus
          button.onclick = () => this.press(key);
          keys.append(button);
        }
      }

      press(key) {
        if (key === KEYS[0]) this.indent();
        else if (key === KEYS[1]) this.outdent();
        else if (key === KEYS.at(-1)) {
          this.area.focus();
          document.execCommand("undo");
        } else this.write(key);
      }

      listens() {
        const { area } = this;
        area.oninput = () => {
          this.draw();
          this.changed();
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
        // its last line counts, even if it is empty
        this.colors.innerHTML = `${colored(value)}\n`;
        const lines = count(value, "\n") + 1;
        if (lines === this.lines) return;
        this.lines = lines;
        this.numbers.textContent = Array.from({ length: lines }, (_, i) => i + 1).join("\n");
      }

      /** Put a text in place of another, so that the browser can undo it. */
      write(text, from = this.area.selectionStart, to = this.area.selectionEnd) {
        const { area } = this;
        area.focus({ preventScroll: true });
        area.setSelectionRange(from, to);
        this.own = true;
        const done = text
          ? document.execCommand("insertText", false, text)
          : from === to || document.execCommand("delete");
        this.own = false;
        if (done) return;
        area.setRangeText(text, from, to, "end");
        area.oninput();
      }

      replace(text) {
        const focused = document.activeElement;
        this.write(text, 0, this.area.value.length);
        if (focused !== this.area) focused?.focus({ preventScroll: true });
      }

      key(event) {
        const { key, shiftKey, ctrlKey, metaKey, altKey } = event;
        if (event.isComposing) return;
        if (key === "Enter" && (ctrlKey || metaKey)) {
          event.preventDefault();
          this.check();
        } else if (key === "Tab" && !this.leaves && !ctrlKey && !metaKey && !altKey) {
          event.preventDefault();
          if (shiftKey) this.outdent();
          else this.indent();
        } else if (key === "Escape") this.leaves = true;
        else if (key !== "Shift") this.leaves = false;
      }

      before(event) {
        const { inputType, data, isComposing, cancelable } = event;
        const { value, selectionStart: from, selectionEnd: to } = this.area;
        if (this.own || isComposing || !cancelable) return;
        const line = value.slice(lineStart(value, from), from);
        let done = true;
        if (inputType === "insertLineBreak") {
          const deeper = /^[^#]*:\s*(#.*)?$/.test(line) ? "    " : "";
          this.write(`\n${line.match(/^[ \t]*/)[0]}${deeper}`);
        } else if (inputType === "deleteContentBackward" && from === to) {
          const pair = from && PAIRS[value[from - 1]];
          if (/^ {2,}$/.test(line)) this.write("", from - (((line.length - 1) % 4) + 1), to);
          else if (pair && pair === value[to] && !touch.matches)
            this.write("", from - 1, to + 1);
          else done = false;
        } else if (inputType === "insertText" && data && !touch.matches)
          done = this.pair(data, value, from, to);
        else done = false;
        if (done) event.preventDefault();
      }

      /** Close what is opened, and step over what was closed so. */
      pair(mark, value, from, to) {
        const { area } = this;
        const close = PAIRS[mark];
        const quote = close === mark;
        const opener = Object.keys(PAIRS).find((key) => PAIRS[key] === mark);
        if (from === to && opener && value[from] === mark) {
          const balanced = quote
            ? count(value.slice(lineStart(value, from), from), mark) % 2
            : count(value, opener) <= count(value, mark);
          if (balanced) {
            area.setSelectionRange(from + 1, from + 1);
            return true;
          }
        }
        if (!close) return false;
        if (from !== to) {
          this.write(mark + value.slice(from, to) + close, from, to);
          area.setSelectionRange(from + 1, to + 1);
          return true;
        }
        if (/[^\s)\]},:]/.test(value[to] ?? "")) return false;
        if (quote && /[\w"'\\]/.test(value[from - 1] ?? "")) return false;
        this.write(mark + close, from, to);
        area.setSelectionRange(from + 1, from + 1);
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
        const { area } = this;
        const { value, selectionStart: from, selectionEnd: to } = area;
        const start = lineStart(value, from);
        const end = to > from && value[to - 1] === "\n" ? to - 1 : to;
        const stop = (value.indexOf("\n", end) + 1 || value.length + 1) - 1;
        const lines = value.slice(start, stop).split("\n");
        const changed = lines.map(change);
        if (changed.join("\n") === lines.join("\n")) return;
        this.write(changed.join("\n"), start, stop);
        const first = changed[0].length - lines[0].length;
        const more = changed.join("\n").length - (stop - start);
        area.setSelectionRange(Math.max(start, from + first), Math.max(start, to + more));
      }

      /** What the reader typed is kept after half a second, and on leaving. */
      changed() {
        if (this.guest) return;
        this.dirty = true;
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.keep(), 500);
      }

      keep() {
        clearTimeout(this.timer);
        if (!this.dirty) return;
        this.dirty = false;
        const { value } = this.area;
        if (value.length > memory.LONGEST)
          return this.note("This text is too long to be kept: save it to a file.");
        if (value === this.starter) this.forget();
        else {
          memory.note("texts", this.name, { text: value });
          this.time = memory.read().texts[this.name].time;
        }
        if (!memory.keeps())
          this.note("This browser keeps nothing: copy the link, or save the file.");
      }

      forget() {
        this.time = 0;
        memory.change(({ texts }) => {
          delete texts[this.name];
        });
      }

      /** Another tab may have written since. */
      refresh() {
        if (this.guest || this.dirty) return;
        const kept = memory.read().texts[this.name];
        const { time = 0, text = this.starter } = kept ?? {};
        if (time === this.time) return;
        this.time = time;
        const before = this.area.value;
        if (text === before) return;
        this.put(text);
        this.changes("Your code came from another tab.", before);
      }

      /** Another text in the editor, which is kept or is kept already. */
      put(text, keeps = false) {
        const { guest } = this;
        this.guest = true;
        this.replace(text);
        this.guest = guest;
        if (!keeps) return;
        this.dirty = true;
        this.keep();
      }

      /** Say something, with what can be done about it. */
      note(words, actions = {}) {
        this.noted.textContent = words;
        for (const [label, work] of Object.entries(actions)) {
          const button = document.createElement("button");
          button.type = "button";
          button.textContent = label;
          button.onclick = () => {
            this.note("");
            work();
            this.area.focus({ preventScroll: true });
          };
          this.noted.append(" ", button);
        }
      }

      /** Say what has become of the text before, which can come back. */
      changes(words, before) {
        this.note(words, { Undo: () => this.put(before, true) });
      }

      reset() {
        const before = this.area.value;
        this.leave();
        this.stop();
        this.tell();
        this.put(this.starter, true);
        this.changes("The code is as it was at first.", before);
      }

      solve() {
        const boxes = [...this.section.querySelectorAll("details")];
        const box = boxes.find((e) => e.firstElementChild.textContent.trim() === "Solution");
        if (!box) return this.note("The solution is in the notebook: open it in Colab.");
        box.open = true;
        box.scrollIntoView({ block: "nearest" });
        box.firstElementChild.focus({ preventScroll: true });
      }

      async share() {
        const canonical = document.querySelector("link[rel=canonical]")?.href;
        const page = location.protocol === "file:" ? canonical : "";
        const address = (page || location.href).replace(/#.*/, "");
        const link = `${address}${LINK}${this.name}~${await packed(this.area.value)}`;
        try {
          await navigator.clipboard.writeText(link);
          this.note("The link is copied: it opens this page with your code.");
        } catch {
          this.note("Copy this link: ");
          const shown = document.createElement("input");
          Object.assign(shown, { readOnly: true, value: link, ariaLabel: "Link" });
          this.noted.append(shown);
          shown.select();
        }
      }

      save() {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([`${this.area.value}\n`], { type: "text/x-python" }));
        link.download = `${this.name.replaceAll("/", "_")}.py`;
        link.click();
        URL.revokeObjectURL(link.href);
      }

      /** Show a text that came with a link; the reader's own stays kept. */
      async visit(words) {
        let text;
        try {
          text = await unpacked(words);
        } catch {
          return this.note("The link is damaged: its code cannot be read. This is your own.");
        }
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
            this.leave();
            this.put(own);
          },
          "Keep this code instead": () => {
            this.leave();
            this.put(this.area.value, true);
            this.changes("This code is yours now.", own);
          },
        });
      }

      /** From here on, the text is the reader's; a reload no longer shows the link's. */
      leave() {
        this.guest = false;
        if (location.hash.startsWith(LINK))
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
        const text = this.area.value;
        this.printed.textContent = "";
        // what stands below stays there
        const room = this.verdict.offsetHeight;
        this.tell();
        this.verdict.style.minHeight = `${room}px`;
        this.run = { words: isBooted ? "Running …" : "Loading Python (about 300 kB, once) …" };
        const { run } = this;
        run.shown = setTimeout(() => this.progress(), isBooted ? LATE : 0);
        let worker;
        let task;
        try {
          [worker, task] = await Promise.all([boot(), exercise(this.name)]);
        } catch (error) {
          if (this.run === run)
            this.end("missing", `Python did not load: ${error.message ?? "it cannot start"}.`);
          return;
        }
        if (this.run !== run) return;
        const limit = task.limit ?? LIMIT;
        Object.assign(run, { words: "Running …", worker, since: performance.now() });
        if (!this.runs.hidden) this.progress();
        run.limit = setTimeout(
          () => this.stop(`Stopped after ${limit} s: is there a loop that never ends?`),
          1000 * limit,
        );
        worker.onmessage = ({ data: { printed, verdict } }) => {
          if (printed) this.print(printed);
          if (!verdict) return;
          this.end(verdict.state, verdict.message, verdict.line);
          if (verdict.state === "right") memory.solve(this.name);
        };
        worker.onerror = ({ message }) => {
          quit();
          this.end("error", `Python broke off: ${message ?? "it ran out of memory"}.`);
        };
        worker.postMessage({ check: this.name, exercise: task, data, text });
      }

      progress() {
        const { run } = this;
        this.runs.hidden = false;
        const seconds = Math.floor((performance.now() - run.since) / 1000);
        this.runs.firstChild.textContent = seconds > 0 ? `${run.words} ${seconds} s` : run.words;
        clearTimeout(run.shown);
        run.shown = setTimeout(() => this.progress(), LATE);
      }

      print(text) {
        const { printed } = this;
        const room = PRINTED - printed.textContent.length;
        if (room <= 0) return;
        printed.hidden = false;
        printed.append(text.length > room ? `${text.slice(0, room)}\n… and more` : text);
      }

      /** Break the run off. */
      stop(words) {
        if (!this.run) return;
        if (this.run.worker) quit();
        this.end("unanswered", words);
      }

      end(state, message, line) {
        clearTimeout(this.run.shown);
        clearTimeout(this.run.limit);
        this.run = running = null;
        if (this.runs.contains(document.activeElement)) this.querySelector(".check").focus();
        this.runs.hidden = true;
        if (message) this.tell(state, message, line);
      }

      /** Show a verdict, or none. */
      tell(state, message, line) {
        const { verdict, printed, name } = this;
        printed.hidden = !printed.textContent;
        verdict.dataset.state = state ?? "";
        verdict.textContent = verdict.style.minHeight = "";
        if (!state) return;
        const title = document.createElement("strong");
        title.textContent = `${MARKS[state] ?? "○"} ${name}`;
        verdict.append(title, "\n");
        const [before, word = `Line ${line}`, after = ""] = message.split(
          new RegExp(`(\\bline ${line}\\b)`, "i"),
        );
        verdict.append(before);
        if (line) {
          const go = document.createElement("button");
          go.type = "button";
          go.textContent = word;
          go.onclick = () => this.select(line);
          if (!after) verdict.append(" ");
          verdict.append(go, after);
        }
        const colab = this.querySelector(".buttons a");
        if (state === "missing" && colab.href) verdict.append(" ", colab.cloneNode(true));
      }

      select(line) {
        const { area } = this;
        const lines = area.value.split("\n");
        const from = lines.slice(0, line - 1).join("\n").length + (line > 1);
        area.focus({ preventScroll: true });
        area.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
        area.scrollIntoView({ block: "nearest" });
      }
    },
  );

  const at = (name) => {
    const boxes = [...document.querySelectorAll("book-solved")];
    const section = boxes.find((e) => e.dataset.name === name)?.closest("section");
    return section?.querySelector(".cell.runs-here");
  };
  const show = (cell, name, button) => {
    let editor = cell.nextElementSibling;
    if (!editor?.matches("book-exercise")) {
      editor = document.createElement("book-exercise");
      editor.begin(cell, name, button ?? cell.querySelector(".write-here"));
    }
    editor.focus();
    return editor;
  };
  /** Open the exercise of a link, with the link's code. */
  const follow = (hash) => {
    if (!hash.startsWith(LINK)) return;
    const [name, words = ""] = decodeURIComponent(hash.slice(LINK.length)).split("~");
    const cell = at(name);
    if (!cell) return;
    const editor = show(cell, name);
    editor.scrollIntoView({ block: "nearest" });
    return editor.visit(words);
  };

  // above the keys of a phone's own keyboard, which no style sheet knows of
  const view = self.visualViewport;
  const lift = () => {
    const { clientHeight, style } = document.documentElement;
    const height = Math.max(0, clientHeight - view.height - view.offsetTop);
    style.setProperty("--keyboard", `${height}px`);
  };
  if (touch.matches && view) {
    view.addEventListener("resize", lift);
    view.addEventListener("scroll", lift);
  }

  return { open: show, follow };
})();
