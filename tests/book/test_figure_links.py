"""Links that set a figure's state, and each figure on a page of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from helpers import figures
from layers_book.figures.link import anchor
from site_server import HTML, PAGES, ROOT, blocked_page, violations

CONF = f"""
import sys
sys.path.insert(0, {str(ROOT / "tools" / "site")!r})
extensions = ["myst_parser", "figure_links"]
"""
# what folds, and what stands behind a question
UNFOLD = """() => {
  for (const e of document.querySelectorAll("article details")) e.open = true;
  for (const e of document.querySelectorAll("book-answer[hidden]")) e.commit("");
}"""
# a click on each link; what the figure then says that it cannot do
FOLLOW = """async (links) => {
  const wrong = [];
  for (const [name, state] of links) {
    const link = `#${name}${state}`;
    const goes = location.hash !== link;
    const gone = new Promise((done) => { self.onhashchange = done; });
    document.querySelector(`a.moves[href="${link}"]`).click();
    if (goes) await gone;
    await new Promise(requestAnimationFrame);
    const note = document.getElementById(name).shadowRoot.querySelector(".note");
    if (location.hash !== link || note.checkVisibility())
      wrong.push([link, location.hash, note.textContent]);
  }
  return wrong;
}"""
MOVES = re.compile(r'<a class="moves[^"]*" href="#([\w-]+)(~[^"]*)"')


def built(folder: Path, link: str) -> tuple[str, str]:
    """What Sphinx says of a page with one figure and a link, and its HTML."""
    (folder / "conf.py").write_text(CONF)
    figure = figures.SlidingWindow(stride=2).element()
    (folder / "index.md").write_text(f"# Page\n\n{figure}\n\nTry [this]({link}).\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", ".", "out"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.stderr, (folder / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    "link, warning",
    [
        ("#sliding-window~1~stride:3~kernel_size:5", ""),
        ("#sliding-window~1~stride:99", "stride is 99: allowed are 1 to 12"),
        ("#sliding-window-2~1~stride:3", "no figure 'sliding-window-2' on the page"),
        ("#sliding~1~stride:3", "figure 'sliding': allowed are attention-weights"),
    ],
)
def test_a_link_that_no_figure_takes_is_a_warning(link, warning, tmp_path):
    said, page = built(tmp_path, link)
    assert f'<a class="moves reference internal" href="{link}">this</a>' in page
    assert warning in said if warning else said == ""


def test_each_figure_has_an_anchor_and_a_page_of_its_own():
    shown = set()
    for page in PAGES:
        text = (HTML / page).read_text("utf8")
        ids = re.findall(r'<nn-[a-z-]+ class="nn-figure" id="([\w-]+)"', text)
        assert len(ids) == len(set(ids)) == len(re.findall(r"<nn-[a-z-]+[ >]", text))
        shown |= set(ids)
    alone = {path.stem for path in HTML.glob("embed/*.html")}
    assert alone == {anchor(kind) for kind in figures.FIGURES.values()} & shown
    assert len(alone) == 21


def test_a_link_in_the_text_moves_the_figure_and_back_undoes_it(base, browser):
    """All links of the book, each page once."""
    for page in PAGES:
        links = MOVES.findall((HTML / page).read_text("utf8"))
        if not links:
            continue
        with blocked_page(browser, base) as (tab, seen):
            tab.goto(base + page)
            tab.evaluate(UNFOLD)
            assert tab.evaluate(FOLLOW, links) == [], page
            assert seen.errors == []


def test_back_returns_to_the_state_and_the_place(base, browser):
    page = base + "notebooks/convolution/conv.html"
    with blocked_page(browser, base) as (tab, seen):
        tab.goto(page)
        slider = tab.get_by_role("slider", name="Stride").first
        slider.press("ArrowRight")
        tab.wait_for_url("**#sliding-window~1~stride:3")
        tab.evaluate(
            """() => {
              const link = document.createElement("a");
              link.href = "#sliding-window~1~stride:1";
              link.className = "moves";
              link.textContent = "far away";
              document.querySelector("article").append(link);
            }"""
        )
        link = tab.get_by_role("link", name="far away")
        link.scroll_into_view_if_needed()
        place = tab.evaluate("scrollY")
        link.click()
        expect(slider).to_have_value("1")
        expect(tab.locator("#sliding-window .claim").first).to_be_in_viewport()
        tab.go_back()
        expect(slider).to_have_value("3")
        tab.wait_for_function("(y) => Math.abs(scrollY - y) < 5", arg=place)
        tab.goto(page + "#sliding-window~1~stride:99")
        note = tab.locator("#sliding-window .note")
        expect(note).to_contain_text("could not be read (stride:99)")
        expect(note).to_be_in_viewport()
        expect(slider).to_have_value("2")
        assert (seen.errors, seen.foreign) == ([], [])


def test_a_figure_alone(base, browser, tmp_path):
    with blocked_page(browser, base) as (tab, seen):
        address = f"{base}embed/sliding-window.html?theme=dark#sliding-window~1~stride:3"
        tab.route(
            "**/around.html",
            lambda route: route.fulfill(
                content_type="text/html",
                body=f"""<iframe src="{address}"></iframe><script>
                addEventListener("message", (e) => (window.told = e.data))</script>""",
            ),
        )
        tab.goto(base + "around.html")
        frame = tab.frame_locator("iframe")
        expect(frame.get_by_role("slider", name="Stride")).to_have_value("3")
        tab.wait_for_function("window.told?.height > 300")
        tab.goto(address)
        assert violations(tab) == []
        ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(18, 20, 23)"
        scripts = {url.split("/")[-1] for url in seen.sizes if url.endswith(".js")}
        assert scripts == {"core.js", "links.js", "sliding_window.js"}
        tab.get_by_role("link", name="PyTorch Layers").click()
        assert (seen.errors, seen.foreign) == ([], [])
