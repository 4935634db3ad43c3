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
