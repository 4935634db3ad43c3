"""A figure's state as a link: Python and the page read the same, and lose nothing."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from helpers import figures
from layers_book.figures.link import Form, anchor, linked, parsed

# what the page takes as an entry of the history, without going anywhere
OPENED = """(fragments) => {
  let figures = {};
  Object.defineProperty(history, "state", { get: () => ({ figures }) });
  return fragments.map((fragment) => {
    figures = { [fragment.slice(1).split("~")[0]]: fragment };
    dispatchEvent(new PopStateEvent("popstate"));
    const notes = [...document.querySelectorAll("main > *")].flatMap((e) =>
      [...(e.shadowRoot?.querySelectorAll(".note") ?? [])]);
    return !notes.some((note) => !note.hidden);
  });
}"""
# each control of a figure is moved; the link then made must give the same state
MOVED = """async () => {
  const lost = [];
  let figures = {}, link = "", moved = 0;
  Object.defineProperty(history, "state", { get: () => ({ figures }) });
  navigator.clipboard.writeText = async (text) => (link = text);
  for (const host of document.querySelectorAll("main > [id]")) {
    const root = host.shadowRoot;
    const button = [...root.querySelectorAll("button")].find(
      (e) => e.textContent === "Link");
    const controls = [...root.querySelectorAll(".controls :is(input, select, button)")];
    for (const control of controls) {
      if (control.disabled || control.closest("[hidden]")) continue;
      const ends = control.type === "range" ? [control.max, control.min] : [0];
      for (const end of ends) {
        if (control.type === "range") {
          control.value = end;
          control.dispatchEvent(new Event("input"));
        } else if (control.localName === "select") {
          control.selectedIndex = control.options.length - 1;
          control.dispatchEvent(new Event("change"));
        } else control.click();
        moved++;
        const before = host.figure.get();
        button.click();
        await 0;
        figures = { [host.id]: "" };
        dispatchEvent(new PopStateEvent("popstate"));
        figures = { [host.id]: link.includes("~") ? "#" + link.split("#")[1] : "" };
        dispatchEvent(new PopStateEvent("popstate"));
        const after = host.figure.get();
        for (const key in nnFigures.specs[host.localName].defaults)
          if (JSON.stringify(before[key]) !== JSON.stringify(after[key]))
            lost.push([figures[host.id], key, before[key], after[key]]);
        const note = root.querySelector(".note");
        if (!note.hidden) lost.push([host.id, note.textContent]);
      }
    }
  }
  return { moved, lost };
}"""


# the cells looked at, which Python leaves to the script to keep inside
INSIDE = re.compile("sliding-window~1~(at|cell|entry):|receptive-field~1~sel:")


class Anchored:
    """A figure as a page of the site has it."""

    def __init__(self, figure: figures.Figure) -> None:
        self.figure = figure

    def element(self) -> str:
        tag = self.figure.tag
        return self.figure.element().replace(tag, f'{tag} id="{tag[3:]}"', 1)


@pytest.fixture
def linkable(show: Callable[..., Page]) -> Callable[..., Page]:
    """Show figures with the site's part of the script."""

    def shown(*items: figures.Figure, **options: Any) -> Page:
        parts = ["core", "links", *figures.FIGURES]
        script = "".join(map(figures.script_part, parts))
        return show(*map(Anchored, items), script=script, **options)

    return shown


def texts(form: Form) -> Iterator[str]:
    """Values of a form, of its borders, and of no form."""
    kind, *rest = form
    yield from ("x", "", "1,2", "null", "__proto__", "((((((", "%ff", '"', "1e999")
    if kind == "null":
        yield from texts(rest[0])
    elif kind in ("int", "float", "pair"):
        yield from (str(rest[0]), str(rest[1] + 1), "2.5", "1", "3,3", *rest[2:])
    elif kind == "word":
        yield from rest
    else:
        yield from ("true", "1", "1,1,0", "(1,2)", "f=1,i=0", "f=1,f=0", "f=9", "q=1")
        yield from ("(Conv,3,1,1,1)", "(Conv,3,1,1)", "(ReLU),(Flatten,1)", "()")
        yield from (
            "(5,8,0.1,3,2,1)",
            "(5,8,null,3,2,1),(5,8,0,3,2,0)",
            "(5,8,2,3,2,1)",
        )


def refused(read: Callable[[str], object], fragment: str) -> bool:
    try:
        read(fragment)
    except ValueError as error:
        assert str(error), fragment
        return True
    return False


def test_python_and_the_page_read_the_same(linkable: Callable[..., Page]) -> None:
    asked = []
    for kind in figures.FIGURES.values():
        name = anchor(kind)
        asked += [f"#{name}~1", f"#{name}~2", f"#{name}~1~constructor:1"]
        asked += [f"#{name}~1~at", f"#{name}~1~predict:true~predict:true"]
        asked += [
            f"#{name}~1~{key}:{text}"
            for key, form in kind.forms.items()
            for text in texts(form)
        ]
    page = linkable(*(kind() for kind in figures.FIGURES.values()))
    taken = page.evaluate(OPENED, asked)
    for fragment, took in zip(asked, taken, strict=True):
        if refused(parsed, fragment):
            assert not took, f"the page takes {fragment}"
        elif not refused(linked, fragment) and not INSIDE.search(fragment):
            assert took, f"the page refuses {fragment}"
    assert 300 < sum(taken) < len(asked) - 300


def test_what_a_reader_makes_of_a_figure_fits_a_link(
    linkable: Callable[..., Page],
) -> None:
    page = linkable(*(kind() for kind in figures.FIGURES.values()))
    page.add_style_tag(content="*{animation:none!important}")
    found = page.evaluate(MOVED)
    assert found["moved"] > 150
    assert found["lost"] == []


def test_link_and_reset(linkable: Callable[..., Page]) -> None:
    page = linkable(figures.SlidingWindow(stride=2))
    reset = page.get_by_role("button", name="Reset figure")
    expect(reset).to_be_disabled()
    slider = page.get_by_role("slider", name="Kernel size")
    slider.press("ArrowRight")
    page.wait_for_url("**#sliding-window~1~kernel_size:4")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.get_by_role("button", name="Link").click()
    shown = page.get_by_role("textbox", name="Link")
    assert shown.input_value() == page.url
    assert shown.evaluate("(e) => e.selectionEnd - e.selectionStart") == len(page.url)
    page.reload()
    expect(slider).to_have_value("4")
    reset.click()
    expect(slider).to_have_value("3")
    expect(page.get_by_role("button", name="Link")).to_be_focused()
    assert "#" not in page.url


def test_without_the_site_there_is_no_link(show: Callable[..., Page]) -> None:
    page = show(figures.SlidingWindow())
    expect(page.get_by_role("button", name="Copy code")).to_be_visible()
    expect(page.get_by_role("button", name="Link")).to_have_count(0)


@pytest.mark.parametrize(
    "fragment, words",
    [
        (
            "#sliding-windows~1",
            "figure 'sliding-windows': allowed are attention-weights",
        ),
        ("#sliding-window~3", "version '3' of a link: allowed is 1"),
        (
            "#sliding-window~1~strides:2",
            "'strides:2' in a link to sliding-window: allow",
        ),
        (
            "#sliding-window~1~stride:99",
            "stride is 99: allowed are 1 to 12, one or two",
        ),
        ("#gate-stepper~1~gate:z", "gate names 'z': allowed are i, f, g, o"),
        ("#signal-depth~1~depth:5~at:9", "at is 9: allowed are 0 to 5"),
        ("#sliding-window~1~" + "x" * 9000, "a link of 9018 characters"),
    ],
)
def test_a_wrong_link_is_named(fragment: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        linked(fragment)


def test_a_link_changes_the_page_s_own_state() -> None:
    page = figures.GateStepper("GRU", override={"z": 1}).state
    figure = linked("#gate-stepper~1~gate:r", page)
    assert figure.values["override"] == {"z": 1} and figure.values["gate"] == "r"
    with pytest.raises(ValueError, match="gate names 'r'"):
        linked("#gate-stepper~1~gate:r")
