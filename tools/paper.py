"""The whole book on paper: `make pdf` prints the built site into one PDF.

All pages are set into one document (paper.mjs), so that Chromium itself makes the links
between them and the tags for screen readers. It prints twice: the second time with the
page numbers of the first in the list of contents.
"""

import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, cast

import pikepdf
import yaml
from playwright.sync_api import Browser, Page, ViewportSize
from sphinx_external_toc.parsing import parse_toc_yaml

from site_server import ROOT, launch, serve

FRAME = """<!doctype html><html lang="en" data-theme="light"><head>
<meta charset="utf-8"><title>{title}</title><style>{style}</style></head>
<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container">
<div class="cover"><p>{title}</p><p>{about}</p><p>{author}</p>
<p>Version {version}</p></div>
<nav><h1>Contents</h1></nav></div></div></main></body></html>"""
STYLE = """
.cover { height: 240mm; padding-top: 70mm; text-align: center; }
.cover p:first-child { font-size: 3rem; font-weight: 700; }
article, nav { break-before: page; }
nav { line-height: 1.3; }
nav a { display: flex; gap: 0.5em; align-items: baseline; color: inherit !important; }
nav a::before { order: 1; content: ""; flex: 1; border-bottom: 1px dotted #999; }
nav b { order: 2; min-width: 3ch; font-weight: 400; text-align: right; }
nav .depth-2 { margin-left: 1.5em; }
nav .part { break-after: avoid; margin: 0.8em 0 0.2em; font-weight: 700; }
@media screen { article { display: none; } }
@page { @top-left, @top-right { font: 8pt system-ui, sans-serif; color: #555; } }
@page :first { @bottom-center { content: none; } }
"""
NUMBER = """numbers => [...document.querySelectorAll("nav b")].forEach(
  (place, index) => { place.textContent = numbers[index]; })"""


def contents(root: Path = ROOT) -> list[dict[str, Any]]:
    """The pages in the order of _toc.yml: name, depth, and the part of the book."""
    site = parse_toc_yaml(root / "_toc.yml")

    def below(name: str, depth: int, part: str) -> Iterator[dict[str, Any]]:
        yield {"name": name, "depth": depth, "part": part}
        for tree in site[name].subtrees:
            for item in tree.items:
                yield from below(str(item), depth + 1, tree.caption or part)

    return list(below(site.root.docname, 0, ""))


def about(root: Path = ROOT) -> dict[str, str]:
    """Title, author, description and version of the book."""
    config = yaml.safe_load((root / "_config.yml").read_text("utf8"))
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    return {
        "title": config["title"],
        "author": config["author"],
        "about": "An interactive textbook on the layers of torch.nn",
        "version": project["version"],
        "home": config["html"]["baseurl"],
    }


@contextmanager
def bound(browser: Browser, root: Path) -> Iterator[Page]:
    """A tab with the whole book in one document, which no screen shows."""
    words = {name: escape(word) for name, word in about(root).items()}
    frame = FRAME.format(**words, style=STYLE)
    wrong: list[str] = []
    with serve(root / "_build" / "html") as base:
        # a picture of what is taller than the window takes a minute
        size: ViewportSize = {"width": 700, "height": 2000}
        tab = browser.new_page(viewport=size, device_scale_factor=1.5)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.route(
            f"{base}paper.html",
            lambda route: route.fulfill(body=frame, content_type="text/html"),
        )
        tab.set_default_timeout(0)
        tab.goto(f"{base}paper.html")
        tab.add_script_tag(path=Path(__file__).with_suffix(".mjs"), type="module")
        tab.evaluate("pages => paper.bind(pages)", contents(root))
        wrong += tab.evaluate("paper.broken()")
        if wrong:
            raise ValueError("errors or links that lead nowhere: " + "; ".join(wrong))
        yield tab
        tab.close()


def write_pdf(browser: Browser, target: Path, root: Path = ROOT) -> int:
    """Print the built book.

    Args:
        browser: what prints.
        target: the file to write.
        root: where `_build/html`, `_toc.yml` and `_config.yml` lie.

    Returns:
        The number of pages.

    Raises:
        ValueError: a script failed, or a link leads nowhere.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        bound(browser, root) as tab,
    ):
        path = Path(folder, "book.pdf")
        with _printed(tab, path) as (_, numbers):
            tab.evaluate(NUMBER, numbers)
        with _printed(tab, path) as (pdf, _):
            pdf.docinfo["/Author"] = about(root)["author"]
            pdf.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate)
            return len(pdf.pages)


@contextmanager
def _printed(tab: Page, path: Path) -> Iterator[tuple[pikepdf.Pdf, list[int]]]:
    """The document with nested bookmarks, and where each page of the book begins."""
    headings = tab.evaluate("paper.headings()")
    tab.pdf(
        path=path,
        format="A4",
        prefer_css_page_size=True,
        print_background=True,
        outline=True,
        tagged=True,
    )
    with pikepdf.open(path) as pdf:
        numbers = {page.obj.objgen: number for number, page in enumerate(pdf.pages, 1)}
        begins = []
        with pdf.open_outline() as outline:
            items = list(_flat(outline.root))
            outline.root.clear()
            above = [outline.root]
            for item, heading in zip(items, headings, strict=True):
                item.title, item.children, item.is_closed = heading["title"], [], True
                del above[heading["level"] :]
                above[-1].append(item)
                above.append(item.children)
                if heading["begins"]:
                    place = cast(pikepdf.Array, item.destination)
                    begins.append(numbers[place[0].objgen])
        yield pdf, begins


def _flat(items: list[pikepdf.OutlineItem]) -> Iterator[pikepdf.OutlineItem]:
    for item in items:
        yield item
        yield from _flat(item.children)


def main() -> None:
    target = ROOT / "dist" / "pytorch-layers.pdf"
    target.parent.mkdir(exist_ok=True)
    with launch() as browser:
        pages = write_pdf(browser, target)
    size = target.stat().st_size / 1e6
    print(f"{target.relative_to(ROOT)} ({pages} pages, {size:.1f} MB)")


if __name__ == "__main__":
    main()
