// What every figure shares: theme, controls, grids, speech, code line, hosts.
// One classic script without dependencies: a page, a notebook output and an
// anywidget run the same text. Comments stand on lines of their own, because
// Python removes such lines (and indents) before the script travels.
(function (root) {
  "use strict";
  if (root.nnFigures) return;
  // theme -> its CSS variables; filled in from tokens.json
  const TOKENS = /*TOKENS*/ {};

  // ---------------------------------------------------------------- numbers
  const minus = (text) => text.replace("-", "\u2212");
  // At most `digits` decimals, no trailing zeros, a true minus.
  const fmt = (v, digits = 2) => minus(String(+v.toFixed(digits)));
  // At most four glyphs, for cells.
  const short = (v) => {
    const text = Math.abs(v) < 9.95 ? fmt(v, 1) : fmt(v, 0);
    return text.length > 3 ? text.replace(/^(\u2212?)0\./, "$1.") : text;
  };
  const plural = (n, word) => n + " " + word + (n === 1 ? "" : "s");
  const range = (n) => Array.from({ length: n }, (_, i) => i);
  // murmur3's finalizer: 32 well mixed bits of a whole number, as mix() in Python.
  function mix(s) {
    s = Math.imul(s ^ (s >>> 16), 0x85ebca6b);
    s = Math.imul(s ^ (s >>> 13), 0xc2b2ae35);
    return (s ^ (s >>> 16)) >>> 0;
  }
  // How many windows fit along an axis of n cells, as window_count() in Python; below 1: none.
  const windows = (n, k, s = 1, p = 0, d = 1) =>
    Math.floor((n + 2 * p - d * (k - 1) - 1) / s) + 1;

  // -------------------------------------------------------------------- DOM
  const build = (e, attrs, kids) => {
    for (const [name, value] of Object.entries(attrs))
      if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
      else e.setAttribute(name, value);
    e.append(...kids);
    return e;
  };
  const h = (tag, attrs = {}, ...kids) =>
    build(document.createElement(tag), attrs, kids);
  const svg = (tag, attrs, ...kids) =>
    build(document.createElementNS("http://www.w3.org/2000/svg", tag), attrs, kids);
  // The element's own text, patched in place.
  const text = (e, value) => {
    const node = e.firstChild || e.appendChild(new Text());
    if (node.data !== value) node.data = value;
  };
  const attr = (e, name, value) => {
    if (e.getAttribute(name) !== value) e.setAttribute(name, value);
  };
  // Rich text: strings, and [role, text] pairs colored by role ("b" is bold).
  const rich = (e, parts) =>
    e.replaceChildren(
      ...parts.map((p) =>
        typeof p === "string" ? p : h("span", { class: "r-" + p[0] }, p[1]),
      ),
    );

  // ------------------------------------------------------------------ theme
  // The host's theme, whatever the host: book or Colab, JupyterLab, VS Code,
  // then the luminance of the ground below, then the system's wish.
  function hostIsDark(el) {
    const doc = document.documentElement,
      body = document.body;
    const named = doc.dataset.theme || doc.getAttribute("theme");
    if (named === "dark" || named === "light") return named === "dark";
    const { jpThemeLight, vscodeThemeKind } = body.dataset;
    if (jpThemeLight) return jpThemeLight === "false";
    if (vscodeThemeKind) return /dark|high-contrast$/.test(vscodeThemeKind);
    for (let e = el; e; e = e.parentElement || e.getRootNode().host) {
      const m = getComputedStyle(e).backgroundColor.match(/[\d.]+/g);
      if (m && (m.length < 4 || +m[3] > 0.5))
        return 0.2126 * m[0] + 0.7152 * m[1] + 0.0722 * m[2] < 110;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches;
  }
  const themed = new Map();
  const paint = () =>
    themed.forEach((el, fig) =>
      attr(fig, "data-theme", hostIsDark(el.parentElement || el) ? "dark" : "light"),
    );
  let watching = false;
  function follow(el, fig) {
    themed.set(fig, el);
    paint();
    if (watching) return;
    watching = true;
    const observer = new MutationObserver(paint);
    for (const e of [document.documentElement, document.body])
      observer.observe(e, { attributes: true });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  }

  const STYLE = `
:host{display:block;margin:1rem 0;max-width:54rem}
.fig{${TOKENS.light}color-scheme:light;color:var(--ink);background:var(--bg);
border:1px solid var(--line);border-radius:10px;padding:.9rem;
font:15px/1.45 system-ui,sans-serif;
font-variant-numeric:tabular-nums;text-align:left}
.fig[data-theme=dark]{${TOKENS.dark}color-scheme:dark}
.in{container-type:inline-size}
*{box-sizing:border-box}
[hidden]{display:none!important}
p{margin:0;overflow-wrap:anywhere}
.claim{font-size:1.1rem;font-weight:650;line-height:1.3}
.sub{color:var(--muted);font-size:.87rem;margin-top:.15rem}
.controls{display:flex;flex-wrap:wrap;gap:.7rem 1.4rem;margin:.9rem 0;align-items:end}
.more{align-self:end}.more[open]{flex-basis:100%}.more>.controls{margin:.5rem 0 0}
fieldset{border:0;margin:0;padding:0;min-width:0}
legend,.field>label,.field>b{padding:0;font-size:.8rem;color:var(--muted);margin-bottom:.2rem}
.field>b{color:var(--ink);font-weight:650}
.seg{display:flex;flex-wrap:wrap;border:1px solid var(--line);border-radius:7px;overflow:hidden;background:var(--surface)}
.seg label{position:relative;display:grid;place-items:center;min-height:32px;padding:0 .55rem;font-size:.87rem;cursor:pointer}
.seg input{position:absolute;inset:0;width:100%;height:100%;margin:0;opacity:0;cursor:pointer}
.seg label:has(:checked){background:var(--ink);color:var(--bg);font-weight:600}
.seg label:has(:focus-visible){outline:3px solid var(--input);outline-offset:-3px}
button:hover,.seg label:hover,summary:hover{text-decoration:underline}
.field{display:grid;grid-template-columns:1fr auto;gap:0 .6rem;width:9.5rem}
.field input,.field select{grid-column:1/-1;width:100%;margin:0}
input{accent-color:var(--input)}
[type=range]{height:32px}
select,button{font:inherit;font-size:.87rem;color:var(--ink);background:var(--surface);border:1px solid var(--line);
border-radius:7px;min-height:34px;padding:0 .7rem;cursor:pointer}
button:disabled{opacity:.5}
.buttons{display:flex;flex-wrap:wrap;gap:.4rem}
.check{font-size:.87rem;line-height:32px}
:focus-visible{outline:3px solid var(--input);outline-offset:2px}
summary{font-size:.87rem;color:var(--muted);cursor:pointer;min-height:32px;padding-top:.3rem;width:max-content}
.block{display:flex;flex-wrap:wrap;gap:.9rem 1.5rem;overflow-x:auto;padding:8px;margin:4px -8px 0;
--nn:clamp(26px,calc((100cqi - 1.5rem)/var(--cols,1) - 5px),40px)}
.slice,.row{display:grid;gap:4px;min-width:0}
.cap{font-size:.87rem;font-weight:600;color:var(--muted);padding-left:1.7rem}
.row{display:flex;align-items:center}
.hd{flex:none;width:var(--nn);text-align:center;font-size:.75rem;color:var(--muted);line-height:1.1}
.hd:first-child{width:1.2rem;text-align:left}
.many{--nn:clamp(24px,calc((100cqi - 1.2rem)/var(--cols,1) - 1px),40px)}
.many .slice,.many .row{gap:1px}
.side{display:flex;flex-wrap:wrap;gap:.4rem 2rem}
.side>div{min-width:0}
.part{margin-top:.6rem;font-size:.87rem;font-weight:650}
@container(max-width:420px){.few{--nn:27px;gap:.8rem .7rem}.few .slice,.few .row{gap:3px}}
.cell{flex:none;width:var(--nn);height:var(--nn);line-height:calc(var(--nn) - 2px);text-align:center;contain:size layout style;
font-size:clamp(11px,calc(var(--nn)*.35),14px);border:1px solid var(--line);border-radius:4px;background:var(--bg); cursor:pointer}
.cell[aria-selected=true]{box-shadow:0 0 0 2px var(--bg),0 0 0 4.5px var(--ink);z-index:1}
.cell:focus-visible{outline:3px solid var(--input);outline-offset:5px;z-index:2}
.error{margin:.8rem 0;padding:.6rem .8rem;border-left:4px solid var(--error);background:var(--error-fill)}
.error b{color:var(--error)}
.line{margin-top:.5rem}
.line span{font-weight:650}.line .r-muted{color:var(--muted);font-weight:400;margin-left:.8em}
.r-input{color:var(--input)}.r-kernel{color:var(--kernel)}.r-gradient{color:var(--gradient)}.r-statistic{color:var(--statistic)}.r-output{color:var(--output)}
.code{display:flex;gap:.5rem;align-items:center;margin-top:.8rem;flex-wrap:wrap}
code{font:13px/1.45 ui-monospace,Consolas,monospace;background:var(--surface);
color:var(--ink);border:1px solid var(--line);border-radius:7px;padding:.4rem .7rem;overflow-wrap:anywhere;white-space:pre-wrap;min-width:0}
table{border-collapse:collapse;font-size:.87rem}
th,td{padding:.22rem .5rem;text-align:right;font-weight:400}
th:first-child{text-align:left;padding-left:0}
td{white-space:nowrap}
thead th{color:var(--muted)}
tbody tr{border-top:1px solid var(--line)}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media(prefers-reduced-motion:reduce){*{transition:none!important;animation:none!important}}
@media print{.controls,.buttons,button,details{display:none!important}
.fig,.fig[data-theme=dark]{${TOKENS.light}break-inside:avoid}}
@media(forced-colors:active){.cell[aria-selected=true]{outline:3px solid Highlight;outline-offset:1px}
.seg label:has(:checked){forced-color-adjust:none;background:Highlight;color:HighlightText}}
`;
  // The side of a cell: a length resolved once a grid, not once a cell (three times faster).
  CSS.registerProperty({
    name: "--nn",
    syntax: "<length>",
    inherits: true,
    initialValue: "38px",
  });
  const sheets = {};
  const sheet = (css) => {
    if (!sheets[css]) (sheets[css] = new CSSStyleSheet()).replaceSync(css);
    return sheets[css];
  };

  // ------------------------------------------------------------------- grid
  // Slices of rows of cells: one tab stop, arrows within and across slices,
  // Home/End in the row, Ctrl+Home/End in the block, Page Up/Down by slice.
  // Cells are made once and patched; a change of size adds or removes the rest.
  function grid(label, onSelect) {
    const node = h("div", { class: "block", role: "grid", "aria-label": label });
    const slices = [];
    let stop, shape;
    const fit = (list, n, make) => {
      while (list.length > n) list.pop().node.remove();
      while (list.length < n) list.push(make(list.length));
    };
    const hold = (parent, node, more) => {
      parent.append(node);
      return { node, ...more };
    };
    const makeCell = (row, at) => {
      const e = h("div", { class: "cell", role: "gridcell", tabindex: -1 });
      e.at = at;
      return hold(row, e);
    };
    const at = (n, r, c) => slices[n].rows[r].cells[c].node;
    function size(n, rows, cols) {
      shape = [n, rows, cols];
      node.style.setProperty("--cols", cols);
      node.classList.toggle("few", cols < 5);
      node.classList.toggle("many", cols > 8);
      fit(slices, n, (i) => {
        const cap = h("div", { class: "cap", "aria-hidden": "true" });
        const top = h(
          "div",
          { class: "row", "aria-hidden": "true" },
          h("div", { class: "hd" }),
        );
        const e = h("div", { class: "slice", role: "rowgroup" }, cap, top);
        return hold(node, e, { cap, top, heads: [], rows: [], i });
      });
      for (const s of slices) {
        fit(s.heads, cols, () => hold(s.top, h("div", { class: "hd" })));
        fit(s.rows, rows, (r) => {
          const hd = h("div", { class: "hd", "aria-hidden": "true" });
          const e = h("div", { class: "row", role: "row" }, hd);
          return hold(s.node, e, { hd, cells: [], r });
        });
        for (const row of s.rows)
          fit(row.cells, cols, (c) => makeCell(row.node, [s.i, row.r, c]));
      }
    }
    // slice(n), row(r), column(n, c) name the parts; cell(n, r, c) gives
    // { text, label, cls } of one cell.
    function patch(names, cell, chosen) {
      for (const s of slices) {
        text(s.cap, names.slice(s.i));
        attr(s.node, "aria-label", names.slice(s.i));
        s.heads.forEach((t, c) => text(t.node, names.column(s.i, c)));
        for (const row of s.rows) {
          text(row.hd, names.row(row.r));
          row.cells.forEach((t, c) => {
            const e = t.node,
              v = cell(s.i, row.r, c);
            text(e, v.text);
            attr(e, "aria-label", v.label);
            attr(e, "class", "cell " + v.cls);
          });
        }
      }
      const next = at(...chosen);
      if (stop && stop !== next) {
        stop.tabIndex = -1;
        stop.removeAttribute("aria-selected");
      }
      next.tabIndex = 0;
      attr(next, "aria-selected", "true");
      stop = next;
    }
    node.addEventListener("click", (e) => {
      const cell = e.target.closest(".cell");
      if (cell) {
        onSelect(cell.at);
        cell.focus({ preventScroll: true });
      }
    });
    node.addEventListener("keydown", (e) => {
      if (!e.target.at) return;
      const [N, R, C] = shape;
      let [n, r, c] = e.target.at;
      const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (step) {
        c += step;
        if (c < 0 && n > 0) {
          n--;
          c = C - 1;
        } else if (c >= C && n < N - 1) {
          n++;
          c = 0;
        }
      } else if (e.key === "ArrowDown") r++;
      else if (e.key === "ArrowUp") r--;
      else if (e.key === "PageDown") n++;
      else if (e.key === "PageUp") n--;
      else if (e.key === "Home") {
        c = 0;
        if (e.ctrlKey) n = r = 0;
      } else if (e.key === "End") {
        c = C - 1;
        if (e.ctrlKey) {
          n = N - 1;
          r = R - 1;
        }
      } else return;
      e.preventDefault();
      e.stopPropagation();
      const to = [n, r, c].map((v, i) => Math.max(0, Math.min(shape[i] - 1, v)));
      onSelect(to);
      at(...to).focus();
    });
    return { node, size, patch };
  }

  // A titled matrix: a grid of one slice. fill(rows, cols, cell, chosen) takes
  // cell(r, c) -> { text, label, cls } and the chosen [r, c].
  function matrix(label, onSelect) {
    const { node, size, patch } = grid(label, ([, r, c]) => onSelect(r, c));
    const head = h("p", { class: "part" }, label);
    const names = { slice: () => "", row: String, column: (_, c) => String(c) };
    return {
      head,
      node: h("div", {}, head, node),
      fill(rows, cols, cell, chosen) {
        size(1, rows, cols);
        patch(names, (_, r, c) => cell(r, c), [0, ...chosen]);
      },
    };
  }

  // ------------------------------------------------------------ control kit
  // Each part takes the state anew after a change; visible(S) hides it where it is idle.
  let ids = 0;
  function kit(update) {
    const parts = [];
    const add = (node, take, visible) => {
      parts.push((S) => {
        node.hidden = visible ? !visible(S) : false;
        take(S);
      });
      return node;
    };
    const field = (label, input, value) => {
      input.id = "f" + ++ids;
      return h(
        "div",
        { class: "field" },
        h("label", { for: input.id }, label),
        value,
        input,
      );
    };
    return {
      sync(S) {
        for (const take of parts) take(S);
      },
      // o: min, max(S), step, visible
      range(key, label, o) {
        const value = h("b", { "aria-hidden": "true" });
        const input = h("input", {
          type: "range",
          step: o.step || 1,
          oninput: () => update({ [key]: +input.value }),
        });
        return add(
          field(label, input, value),
          (S) => {
            input.min = Math.min(o.min, S[key]);
            input.max = Math.max(o.max(S), S[key]);
            input.value = S[key];
            text(value, fmt(S[key]));
          },
          o.visible,
        );
      },
      // options: [[value, words], ...]
      choice(key, label, options, visible) {
        const name = "f" + ++ids;
        const inputs = options.map(([value]) =>
          h("input", { type: "radio", name, onchange: () => update({ [key]: value }) }),
        );
        return add(
          h(
            "fieldset",
            {},
            h("legend", {}, label),
            h(
              "div",
              { class: "seg" },
              ...options.map(([, words], i) => h("label", {}, inputs[i], words)),
            ),
          ),
          (S) =>
            options.forEach(([value], i) => {
              inputs[i].checked = value === S[key];
            }),
          visible,
        );
      },
      // options(S): as above
      select(key, label, options, visible) {
        let shown = "";
        const input = h("select", {
          onchange: () => update({ [key]: JSON.parse(input.value) }),
        });
        return add(
          field(label, input, ""),
          (S) => {
            const list = options(S),
              now = JSON.stringify(list);
            if (now !== shown)
              input.replaceChildren(
                ...list.map(([value, words]) =>
                  h("option", { value: JSON.stringify(value) }, words),
                ),
              );
            shown = now;
            input.value = JSON.stringify(S[key]);
          },
          visible,
        );
      },
      check(key, label) {
        const input = h("input", {
          type: "checkbox",
          onchange: () => update({ [key]: input.checked }),
        });
        return add(h("label", { class: "check" }, input, label), (S) => {
          input.checked = S[key];
        });
      },
      button(label, act, enabled) {
        const node = h("button", { type: "button", onclick: act }, label);
        return enabled
          ? add(node, (S) => {
              node.disabled = !enabled(S);
            })
          : node;
      },
      more: (...kids) =>
        h(
          "details",
          { class: "more" },
          h("summary", {}, "More"),
          h("div", { class: "controls" }, ...kids),
        ),
    };
  }

  // torch's own words, where torch would refuse.
  function errorLine() {
    const name = h("b"),
      words = h("span");
    const node = h("p", { class: "error" }, "torch raises ", name, ": ", words);
    return {
      node,
      set(error) {
        node.hidden = !error;
        if (error) {
          text(name, error.type);
          text(words, error.text);
        }
      },
    };
  }

  // The short form is seen; the copy is a whole program with the figure's numbers.
  function codeLine(say) {
    const code = h("code");
    let all = "";
    const copy = h(
      "button",
      {
        type: "button",
        onclick: async () => {
          try {
            await navigator.clipboard.writeText(all);
            say("Copied");
            text(copy, "Copied");
          } catch {
            text(code, all);
            getSelection().selectAllChildren(code);
          }
        },
      },
      "Copy code",
    );
    return {
      node: h(
        "div",
        { class: "code" },
        code,
        copy,
        h("span", { class: "sub" }, "checked against torch 2.13"),
      ),
      set(seen, whole = seen) {
        text(code, seen);
        text(copy, "Copy code");
        all = whole;
      },
    };
  }

  // ------------------------------------------------------------------ hosts
  const specs = {};
  // spec: { label, css, defaults, traits, build(ui) }; build returns
  // { nodes, draw(S) -> sentence for the live region, check(S)? -> mended state }
  function mount(el, name, init, onChange) {
    const spec = specs[name],
      S = Object.assign({}, spec.defaults, init);
    const live = h("div", { class: "sr", "aria-live": "polite" });
    let timer = 0;
    const say = (words) => {
      clearTimeout(timer);
      timer = setTimeout(() => text(live, words), 350);
    };
    const apply = (patch) => {
      Object.assign(S, patch);
      if (spec.mend) Object.assign(S, spec.mend(S, patch));
      controls.sync(S);
      return view.draw(S);
    };
    // What stands above the control in use may grow: the page follows, so that it stays put.
    const update = (patch, quiet) => {
      const held = fig.getRootNode().activeElement || fig.querySelector(".controls");
      const top = held && held.getBoundingClientRect().top,
        words = apply(patch);
      const moved =
        held && held.offsetParent ? held.getBoundingClientRect().top - top : 0;
      if (moved) scrollBy({ top: moved, behavior: "instant" });
      if (!quiet) say(words);
      if (onChange) onChange(Object.assign({}, S));
    };
    const controls = kit(update);
    const view = spec.build({
      ...controls,
      update,
      say,
      grid,
      matrix,
      errorLine,
      code: () => codeLine(say),
    });
    apply({});
    const fig = h(
      "div",
      {
        class: "fig",
        role: "group",
        "aria-label": "Interactive figure: " + spec.label,
      },
      h("div", { class: "in" }, ...view.nodes),
      live,
    );
    // No plain key may also move or edit the notebook around the figure.
    fig.addEventListener("keydown", (e) => {
      if (!e.ctrlKey && !e.metaKey && e.key !== "Escape" && e.key !== "Tab")
        e.stopPropagation();
    });
    follow(el, fig);
    // Last: if anything above fails, the light table stays visible.
    const shadow = el.shadowRoot || el.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet(STYLE + spec.css)];
    shadow.replaceChildren(fig);
    return {
      get: () => Object.assign({}, S),
      set(patch) {
        if (
          Object.keys(patch).some(
            (k) => JSON.stringify(patch[k]) !== JSON.stringify(S[k]),
          )
        )
          say(apply(patch));
      },
      destroy() {
        clearTimeout(timer);
        themed.delete(fig);
      },
    };
  }

  function define(name, spec) {
    specs[name] = spec;
    if (typeof customElements === "undefined" || customElements.get(name)) return;
    customElements.define(
      name,
      class extends HTMLElement {
        connectedCallback() {
          if (this.figure) return;
          try {
            const state =
              this.figureState || JSON.parse(this.getAttribute("state") || "{}");
            this.figure = mount(this, name, state, (s) => {
              this.figureState = s;
              this.dispatchEvent(
                new CustomEvent("nn-change", { detail: s, bubbles: true }),
              );
            });
          } catch (e) {
            console.error(name, e);
          }
        }
        disconnectedCallback() {
          if (this.figure) this.figure.destroy();
          this.figure = null;
        }
      },
    );
  }

  // anywidget: traits both ways; other state comes once.
  const render =
    (name) =>
    ({ model, el }) => {
      const spec = specs[name],
        init = {};
      for (const k of Object.keys(spec.defaults)) {
        const v = model.get(k);
        if (v !== undefined) init[k] = v;
      }
      const host = h("div");
      el.append(host);
      const figure = mount(host, name, init, (s) => {
        for (const k of spec.traits) model.set(k, s[k]);
        model.save_changes();
      });
      const take = () =>
        figure.set(Object.fromEntries(spec.traits.map((k) => [k, model.get(k)])));
      for (const k of spec.traits) model.on("change:" + k, take);
      return () => figure.destroy();
    };

  root.nnFigures = {
    define,
    mount,
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
    mix,
    windows,
  };
})(globalThis);
