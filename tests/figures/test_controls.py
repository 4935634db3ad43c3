"""All figures, as the pages show them: on a phone, by keyboard, control by control."""

import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Page

from helpers import figures

Show = Callable[..., Page]
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PHONE = {"is_mobile": True, "has_touch": True}
# what a control changes is seen only after one of these is used
LATER = {
    "Momentum": "Step",
    "Mean of the data": "Step",
    "Deviation of the data": "Step",
    "Sliders move": "Stride",
    "normalized_shape": "4",  # while it is asked
}
CONTROLS = """
self.frames = async (n) => {
  while (n--) await new Promise(requestAnimationFrame);
};
self.hosts = () => [...document.querySelectorAll("main > :not(h1)")];
self.controls = ({ shadowRoot }) =>
  [...shadowRoot.querySelectorAll(".in :is(input, select, button)")].filter(
    (e) => !e.closest(".code"),
  );
self.usable = (e) => e.checkVisibility() && !e.disabled;
self.named = (e) =>
  e.closest("fieldset")?.firstChild.textContent ||
  e.labels?.[0]?.textContent ||
  e.textContent;
// ways to use a control, each to another value
self.uses = (e) => {
  const set = (value, type) => () => {
    e.value = value;
    e.dispatchEvent(new Event(type));
  };
  const other = (value) => value !== e.value;
  if (e.type === "range")
    return [e.min, e.max].filter(other).map((v) => set(v, "input"));
  if (e.matches("select"))
    return [...e.options]
      .map((o) => o.value)
      .filter(other)
      .map((v) => set(v, "change"));
  if (e.type === "text") return [set("other words", "input")];
  const chosen = e.checked || e.getAttribute("aria-pressed") === "true";
  return e.type !== "checkbox" && chosen ? [] : [() => e.click()];
};
"""
# Each control in use: where it, the claim and the pictures are in the window.
IN_VIEW = """async () => {
  const wrong = [];
  for (const host of hosts()) {
    const root = host.shadowRoot;
    const claim = root.querySelector(".claim");
    const pictures = () =>
      [...root.querySelectorAll(".block, svg, .stage, .pipe, .flow")].filter((e) =>
        e.checkVisibility(),
      );
    for (const more of [false, true]) {
      for (const e of root.querySelectorAll("details")) e.open = more;
      for (const e of controls(host)) {
        if (!usable(e) || !e.closest(".bar") || !uses(e).length) continue;
        const before = host.figure.get();
        const start = pictures()[0].getBoundingClientRect().top;
        scrollBy({ top: start - claim.offsetHeight, behavior: "instant" });
        e.focus();
        const { top } = e.getBoundingClientRect();
        // the same controls at the window's edge
        const pinned = () => {
          const { bottom } = e.closest(".bar").getBoundingClientRect();
          return Math.abs(bottom - innerHeight) < 1 && `${controls(host).map(usable)}`;
        };
        const was = pinned();
        uses(e)[0]();
        await frames(1);
        const at = e.getBoundingClientRect();
        const bar = e.closest(".bar").getBoundingClientRect();
        const words = claim.getBoundingClientRect();
        const free = (box) =>
          Math.min(bar.top, box.bottom) - Math.max(words.bottom, box.top);
        const boxes = pictures().map((e) => e.getBoundingClientRect());
        const sum = (list) => list.reduce((a, b) => a + b, 0);
        const seen = sum(boxes.map((box) => Math.max(0, free(box))));
        const met = root.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2);
        const faults = [
          words.top < 0 && "the claim is above the window",
          at.bottom > innerHeight + 1 && "the control is below the window",
          met !== e && "the control is covered",
          was && pinned() === was && Math.abs(at.top - top) > 1 && "it has moved",
          seen < Math.min(120, sum(boxes.map((b) => b.height))) && `${seen} px of it`,
        ].filter(Boolean);
        if (usable(e) && faults.length)
          wrong.push([host.tagName, named(e), ...faults].join(": "));
        host.figure.set(before);
      }
    }
  }
  return wrong;
}"""
COVERED = """() => {
  const root = document.activeElement.shadowRoot;
  const e = root?.activeElement;
  if (!e) return "body";
  const { left, right, top, bottom } = e.getBoundingClientRect();
  const met = root.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  const seen = met && (e.contains(met) || met.contains(e));
  return seen ? "" : `${root.host.tagName}: ${e.outerHTML.slice(0, 80)}`;
}"""
# What ends outside of the figure, but in a box that scrolls and takes the focus.
CUT = """() => hosts().flatMap(({ shadowRoot, tagName }) => {
  for (const e of shadowRoot.querySelectorAll("details")) e.open = true;
  const edge = shadowRoot.querySelector(".fig").getBoundingClientRect();
  const takesFocus = (e) => e.tabIndex >= 0 || e.querySelector("[tabindex='0']");
  const scrolls = (e) =>
    e.scrollWidth > e.clientWidth && /auto|scroll/.test(getComputedStyle(e).overflowX);
  const inside = (e) => {
    for (let at = e; at; at = at.parentElement)
      if (scrolls(at) && takesFocus(at)) return true;
  };
  return [...shadowRoot.querySelectorAll(".in *:not(option)")]
    .filter((e) => e.checkVisibility() && !e.closest(".sr") && !inside(e))
    .filter((e) => {
      const { left, right } = e.getBoundingClientRect();
      const hides = getComputedStyle(e).overflowX === "hidden" && !e.matches("input");
      const cut = hides && e.scrollWidth > e.clientWidth;
      return right > edge.right || left < edge.left || cut;
    })
    .map((e) => `${tagName}: ${e.outerHTML.slice(0, 90)}`);
})"""
# The controls that change nothing to be seen, each used alone.
IDLE = """(later) => {
  const seen = (e) => {
    if (e.nodeType === Node.TEXT_NODE) return e.data;
    if (e.nodeType !== Node.ELEMENT_NODE || !e.checkVisibility()) return "";
    if (e.matches(".field, .seg, .check, legend, summary, .code")) return "";
    const attributes = [...e.attributes].map((a) => a.value);
    return [e.tagName, ...attributes, ...[...e.childNodes].map(seen)].join();
  };
  const wrong = [];
  for (const was of hosts()) {
    const fresh = (i) => {
      const host = document.createElement(was.tagName);
      host.setAttribute("state", was.getAttribute("state"));
      document.querySelector("main").replaceChildren(host);
      for (const e of host.shadowRoot.querySelectorAll("details")) e.open = true;
      const picture = () => seen(host.shadowRoot.querySelector(".in"));
      const next = (name) => {
        if (name) uses(controls(host).find((e) => named(e) === name))[0]();
      };
      return { e: controls(host)[i], picture, next };
    };
    const { length } = controls(was);
    for (let i = 0; i < length; i++) {
      const { e, picture } = fresh(i);
      const name = named(e);
      if (!usable(e) || !uses(e).length) continue;
      const before = picture();
      const changes = uses(e).some((use) => {
        use();
        return picture() !== before;
      });
      if (changes) continue;
      const [alone, both] = [() => {}, (e) => uses(e)[0]()].map((use) => {
        const { e, picture, next } = fresh(i);
        use(e);
        next(later[name]);
        return picture();
      });
      if (alone === both) wrong.push(`${was.tagName}: ${name}`);
    }
  }
  return wrong;
}"""


def on_the_pages() -> Iterator[figures.Figure]:
    kinds = {kind.tag: kind for kind in figures.FIGURES.values()}
    for file in sorted(NOTEBOOKS.rglob("*.ipynb")):
        for cell in json.loads(file.read_text("utf8"))["cells"]:
            for output in cell.get("outputs", []):
                html = "".join(output.get("data", {}).get("text/html", ""))
                if found := re.match(r"<(nn-[a-z-]+) state='([^']*)'", html):
                    yield kinds[found[1]].from_state(json.loads(unescape(found[2])))


@pytest.fixture
def pages(show: Show) -> Callable[..., Page]:
    """Show the pages' figures in one page, the first of each kind, or all of them."""

    def shown(width: int, height: int = 844, first: bool = True, **more: bool) -> Page:
        found = list(on_the_pages())
        if first:
            found = list({item.tag: item for item in found[::-1]}.values())
        assert {item.name for item in found} == set(figures.FIGURES)
        page = show(*found, viewport={"width": width, "height": height}, **more)
        # as wide as in the book, and room to scroll at both ends
        page.add_style_tag(content="main { padding: 844px 8px }")
        page.add_script_tag(content=CONTROLS)
        return page

    return shown


def test_what_moves_stays_in_view_on_a_phone(pages: Callable[..., Page]) -> None:
    page = pages(390, **PHONE)
    assert page.evaluate(IN_VIEW) == []


def test_the_focus_is_seen_on_a_phone(pages: Callable[..., Page]) -> None:
    page = pages(390, **PHONE)
    for key in ("Tab", "Shift+Tab"):
        seen = []
        for _ in range(600):
            page.keyboard.press(key)
            seen.append(page.evaluate(COVERED))
            if seen[-1] == "body":
                break
        assert len(seen) > 100 and seen.pop() == "body"
        assert not any(seen), set(seen)


def test_nothing_is_cut_at_320_pixels(pages: Callable[..., Page]) -> None:
    page = pages(320, first=False)
    assert page.evaluate(CUT) == []
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0


def test_every_control_changes_what_is_seen(pages: Callable[..., Page]) -> None:
    page = pages(1280, first=False)
    assert page.evaluate(IDLE, LATER) == []


@pytest.mark.parametrize("predict", [False, True])
def test_the_focus_stays_in_the_figure(
    pages: Callable[..., Page], predict: bool
) -> None:
    """A button that goes with its question leaves the focus to the claim."""
    page = pages(1280)
    pressed = 0
    for n in range(len(figures.FIGURES)):
        start = """([n, predict]) => {
          const { figure } = hosts()[n];
          self.before ??= [];
          before[n] ??= figure.get();
          figure.set({ ...before[n], predict });
          return controls(hosts()[n]).filter((e) => e.matches("button")).length;
        }"""
        count = page.evaluate(start, [n, predict])
        for i in range(count):
            page.evaluate(start, [n, predict])
            ready = page.evaluate(
                """([n, i]) => {
                  const all = controls(hosts()[n]).filter((e) => e.matches("button"));
                  if (!all[i] || !usable(all[i])) return "";
                  all[i].focus();
                  return named(all[i]);
                }""",
                [n, i],
            )
            if not ready:
                continue
            page.keyboard.press("Enter")
            pressed += 1
            held = page.evaluate(
                """async (n) => {
                  await frames(2);
                  const { activeElement: e } = hosts()[n].shadowRoot;
                  return Boolean(e?.checkVisibility() && !e.disabled);
                }""",
                n,
            )
            assert held, (page.evaluate("(n) => hosts()[n].tagName", n), ready)
    assert pressed > 20
