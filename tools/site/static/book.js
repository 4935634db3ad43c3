/* Of every page: what scrolls, how far it is read, its colors, and the way to the search. */
{
  /* What scrolls sideways must be reachable by keyboard, and has a shadow where it is cut. */
  const measured = new ResizeObserver((entries) => {
    const wide = entries.map(({ target }) => target.scrollWidth > target.clientWidth);
    entries.forEach(({ target }, i) => {
      if (wide[i]) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    });
  });
  for (const e of document.querySelectorAll("article :is(table, pre, .katex-display)"))
    measured.observe(e);

  /* The line below the header: how far the page is read. */
  const root = document.documentElement;
  const header = document.querySelector(".bd-header-article");
  const read = () => {
    const whole = root.scrollHeight - root.clientHeight;
    header.style.setProperty("--read", whole && scrollY / whole);
  };
  if (header) addEventListener("scroll", read, { passive: true });

  /* The theme marks in the contents what scrolls by, but not where a jump leads. */
  const entries = [...document.querySelectorAll("#pst-page-toc-nav .toc-entry")];
  const top = (entry) =>
    document.getElementById(entry.firstElementChild.hash.slice(1)).getBoundingClientRect().top;
  const isSeen = (entry) => top(entry) >= 0 && top(entry) < innerHeight;
  const mark = () => {
    const marked = entries.findLast((entry) => entry.classList.contains("active"));
    if (marked && isSeen(marked)) return;
    const here = entries.findLast((entry) => top(entry) < 0.3 * innerHeight);
    for (const entry of entries) {
      const link = entry.firstElementChild;
      link.classList.toggle("active", entry === here);
      link.ariaCurrent = entry === here ? "true" : null;
      entry.classList.toggle("active", Boolean(here) && entry.contains(here));
    }
  };
  if (entries.length) addEventListener("scroll", mark, { passive: true });

  /* The button of the colors says which are on, and each press changes them. */
  const MODES = { auto: "as your system", light: "light", dark: "dark" };
  const button = document.querySelector(".theme-switch-button");
  const say = () => {
    const words = `Colors: ${MODES[root.dataset.mode] ?? MODES.auto}`;
    button.ariaLabel = button.title = words;
    return words;
  };
  if (button) {
    const said = document.createElement("span");
    said.className = "colors";
    said.role = "status";
    button.after(said);
    button.removeAttribute("data-bs-toggle"); // a tooltip that never names the mode
    say();
    button.addEventListener("click", (event) => {
      if (!event.isTrusted) return; // the presses from here
      // of the theme's three modes two look alike
      event.stopImmediatePropagation();
      const theme = root.dataset.theme === "dark" ? "light" : "dark";
      const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      const mode = theme === system ? "auto" : theme;
      for (let n = 0; n < 2 && root.dataset.mode !== mode; n++) button.click();
      said.textContent = say();
    });
  }

  /* An exercise is written and checked in its cell; what that needs comes when asked for. */
  const base = `${root.dataset.content_root}_static/exercise`;
  const loaded = (tag, attributes) =>
    new Promise((done, failed) => {
      const element = Object.assign(document.createElement(tag), attributes);
      element.onload = done;
      element.onerror = failed;
      document.head.append(element);
    });
  let editor;
  const load = () => {
    editor ??= Promise.all([
      loaded("link", { rel: "stylesheet", href: `${base}.css` }),
      loaded("script", { src: `${base}.js` }),
    ]);
    return editor;
  };
  for (const cell of document.querySelectorAll(".runs-here")) {
    const { name } = cell.closest("section").querySelector("book-solved").dataset;
    const write = document.createElement("button");
    write.className = "write-here";
    write.textContent = memory.read().texts[name] ? "Continue here" : "Write and check here";
    write.onclick = () =>
      load().then(
        () => bookExercise.open(cell, name, write),
        () => {
          editor = null;
          write.textContent = "It does not load: try again";
        },
      );
    cell.append(write);
  }
  const follow = () =>
    location.hash.startsWith("#write~") &&
    load().then(() => bookExercise.follow(location.hash));
  addEventListener("hashchange", follow);
  follow();

  /* The search loads when a reader turns to its field, which the theme opens. */
  const loadSearch = () => {
    document.removeEventListener("focusin", turned);
    const script = document.createElement("script");
    script.src = `${root.dataset.content_root}_static/search.js`;
    document.head.append(script);
  };
  const turned = (event) => event.target.matches(".bd-search input") && loadSearch();
  if (document.querySelector("main .bd-search")) loadSearch();
  else document.addEventListener("focusin", turned);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.composedPath()[0].matches("input, textarea, select")) return;
    event.preventDefault();
    document.querySelector(".search-button__button").click();
  });
}
