/* What scrolls sideways must be reachable by keyboard; measured when nothing else is due. */
const idle = self.requestIdleCallback ?? ((work) => setTimeout(work, 200));
const mark = (waiting) => {
  const element = waiting.shift();
  if (!element) return;
  if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
  else element.removeAttribute("tabindex");
  idle(() => mark(waiting));
};
const scrollable = "article table, article pre, article .katex-display";
const all = () => mark([...document.querySelectorAll(scrollable)]);
const opened = (event) => mark([...event.target.querySelectorAll("table, pre, .katex-display")]);
idle(all);
addEventListener("resize", all);
document.addEventListener("toggle", opened, true);

/* The search loads when a reader turns to its field, which the theme opens. */
const loadSearch = () => {
  document.removeEventListener("focusin", turned);
  const script = document.createElement("script");
  script.src = `${document.documentElement.dataset.content_root}_static/search.js`;
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
