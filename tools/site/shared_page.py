"""Sphinx extension: what others see of a page: search engines, chats, a wrong address.

Each page names itself, its first words and a picture (`_static/cards`); the site has
a map for search engines, a page for addresses that lead nowhere, and its first page at
its root, too.
"""

import base64
import html
import io
import json
import posixpath
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from figure_links import ELEMENT, reading_order
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont
from sphinx.application import Sphinx

from helpers import figures

WIDTH, HEIGHT, EDGE = 1200, 630, 60  # what social networks show uncropped
DESCRIPTION = re.compile(
    r'<meta (?=[^>]*name="description")[^>]*content="([^"]*)"[^>]*>'
)
RELATIVE = re.compile(
    r'(href|src|action|data-content_root)="(?![a-z]+:|//|#)([^"]*)"', re.IGNORECASE
)
LAYERS = ((2, 20, 28), (5, 11.5, 22), (8, 3, 16))  # of favicon.svg: x, y, width
LOST = """
<h1>No page has this address</h1>
<p>It may have moved. Search for it, or begin with a chapter:</p>
<form action="search.html" role="search">
<p><input type="search" name="q" aria-label="Search the book" required />
<button class="btn btn-primary">Search</button></p></form>
<ul>{chapters}</ul>
<p><a href="index.html">All of the book</a></p>
<script>
  const words = location.pathname.split("/").pop().replace(/[.]html?$/, "");
  document.querySelector("article [name=q]").value = words.replace(/[^\\w]+|_/g, " ");
</script>"""


def name_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Say in a page's head what a link to it shows."""
    root = context["pathto"]("", resource=True)
    tags = f'<link rel="apple-touch-icon" href="{root}_static/touch-icon.png" />\n'
    for theme in ("light", "dark"):
        tags += (
            f'<meta name="theme-color" content="{figures.tokens()[theme]["bg"]}" '
            f'media="(prefers-color-scheme: {theme})" />\n'
        )
    if doctree is not None:
        found = DESCRIPTION.search(context["metatags"])
        says = {
            "og:type": "article",
            "og:site_name": app.config.html_title,
            "og:title": context["title"],
            "og:description": found[1] if found else "",
            "og:url": address(app, page),
            "og:image": f"{app.config.html_baseurl}_static/cards/{card_name(page)}",
            "og:image:width": WIDTH,
            "og:image:height": HEIGHT,
        }
        tags += "".join(
            f'<meta property="{key}" content="{_plain(str(words))}" />\n'
            for key, words in says.items()
        )
        tags += '<meta name="twitter:card" content="summary_large_image" />\n'
    context["metatags"] = context.get("metatags", "") + tags
    context["pageurl"] = address(app, page)  # the theme's canonical link


def address(app: Sphinx, page: str) -> str:
    """Where a page stands on the web; the first one at the root."""
    here = "" if page == app.config.master_doc else f"{page}.html"
    return f"{app.config.html_baseurl}{here}"


def card_name(page: str) -> str:
    """The file of a page's picture."""
    return f"{page.replace('/', '-')}.png"


def _plain(words: str) -> str:
    """Words for an attribute: without tags, quotes escaped."""
    return re.sub(r"<[^>]*>", "", words).replace('"', "&quot;")


def lost_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The page for an address that leads nowhere."""
    chapters = "".join(
        f'<li><a href="{page}.html">{app.env.titles[page].astext()}</a></li>'
        for page in reading_order(app)
        if page.startswith("notebooks/") and page.endswith("/index")
    )
    context = {
        "title": "No page has this address",
        "body": LOST.format(chapters=chapters),
        "metatags": '<meta name="robots" content="noindex" />\n',
    }
    yield "404", context, "page.html"


def finish(app: Sphinx, error: Exception | None) -> None:
    """Write pictures, maps and the root's page, once all pages are as they stay."""
    if error or app.builder.format != "html":
        return
    out, root = Path(app.outdir), app.config.html_baseurl
    first = out / f"{app.config.master_doc}.html"
    (out / "index.html").write_text(at_root(first.read_text("utf8"), "book"), "utf8")
    lost = out / "404.html"
    # a host shows it at any depth
    base = f'<head>\n<base href="{urlsplit(root).path}" />'
    lost.write_text(lost.read_text("utf8").replace("<head>", base, 1), "utf8")
    pages = reading_order(app)
    urls = "".join(f"<url><loc>{address(app, p)}</loc></url>\n" for p in pages)
    (out / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
    )
    (out / "robots.txt").write_text(
        f"User-agent: *\nAllow: /\nSitemap: {root}sitemap.xml\n"
    )
    cards = out / "_static" / "cards"
    cards.mkdir(parents=True, exist_ok=True)
    for page in pages:
        chapter = app.env.titles.get(f"{posixpath.dirname(page)}/index")
        above = app.config.html_title
        if chapter and page.startswith("notebooks/"):
            above += f"  ·  {chapter.astext()}"
        text = (out / f"{page}.html").read_text("utf8")
        found = DESCRIPTION.search(text)
        says = html.unescape(found[1]) if found else ""
        title = app.env.titles[page].astext()
        drawn = card(title, above, says, picture(app, page, text))
        _save(drawn, cards / card_name(page))
    _save(touch_icon(), out / "_static" / "touch-icon.png")


def at_root(page: str, folder: str) -> str:
    """A page of a folder as it stands at the root: its relative links lead on."""

    def moved(found: re.Match[str]) -> str:
        path, mark, rest = re.fullmatch(r"([^?#]*)([?#]?)(.*)", found[2]).groups()  # type: ignore[union-attr]
        path = posixpath.normpath(posixpath.join(folder, path))
        slash = "/" if found[1] == "data-content_root" else ""
        return f'{found[1]}="{path}{slash}{mark}{rest}"'

    return RELATIVE.sub(moved, page)


def picture(app: Sphinx, page: str, text: str) -> Image.Image | None:
    """A page's first figure, or its first picture."""
    found = ELEMENT.search(text)
    if found:
        kind = next(k for k in figures.FIGURES.values() if k.tag == found[1])
        canvas = Canvas(figsize=(6.4, 3.2), dpi=160, layout="constrained")
        FigureCanvasAgg(canvas)
        state = json.loads(html.unescape(found[3] or "{}"))
        kind.from_state(state).draw(canvas)
        buffer = io.BytesIO()
        canvas.savefig(buffer)
        return Image.open(buffer)
    path = Path(app.srcdir, f"{page}.ipynb")
    if not path.exists():
        return None
    for cell in nbformat.read(path, 4).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return Image.open(
                    io.BytesIO(base64.b64decode(output.data["image/png"]))
                )
    return None


def card(title: str, above: str, says: str, shown: Image.Image | None) -> Image.Image:
    """What a shared link shows: a line, a title, and a picture or else some words."""
    color = figures.tokens()["light"]
    made = Image.new("RGB", (WIDTH, HEIGHT), color["bg"])
    pen = ImageDraw.Draw(made)
    for i, role in enumerate(("input", "kernel", "output")):
        side = WIDTH / 3
        pen.rectangle((i * side, 0, (i + 1) * side, 11), fill=color[role])
    pen.text((EDGE, 40), above, color["muted"], _font(28, "normal"))
    lines = textwrap.wrap(title, 32)
    pen.multiline_text((EDGE, 86), "\n".join(lines), color["ink"], _font(58, "bold"))
    top = 110 + 70 * len(lines)
    if shown is None:
        words = textwrap.fill(says, 56)
        pen.multiline_text((EDGE, top + 20), words, color["muted"], _font(34, "normal"))
    else:
        box = WIDTH - 2 * EDGE, HEIGHT - top - 30
        scale = min(box[0] / shown.width, box[1] / shown.height)
        size = round(shown.width * scale), round(shown.height * scale)
        small = shown.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        made.paste(small, ((WIDTH - size[0]) // 2, top))
    return made


def _font(size: int, weight: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont(f"DejaVu Sans:{weight}"), size)


def touch_icon() -> Image.Image:
    """The icon of the site on a phone's home screen: favicon.svg on white."""
    color, scale = figures.tokens()["light"], 180 / 32
    made = Image.new("RGB", (180, 180), color["bg"])
    pen = ImageDraw.Draw(made)
    for (x, y, width), role in zip(LAYERS, ("input", "kernel", "output"), strict=True):
        corners = (x * scale, y * scale, (x + width) * scale, (y + 9) * scale)
        pen.rounded_rectangle(corners, 2 * scale, fill=color[role])
    return made


def _save(made: Image.Image, path: Path) -> None:
    made.quantize(64, Image.Quantize.MEDIANCUT).save(path, optimize=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps."""
    app.connect(
        "html-page-context", name_page, priority=950
    )  # the description is there
    app.connect("html-collect-pages", lost_page)
    app.connect("build-finished", finish, priority=900)  # after lean_site's
    return {"parallel_read_safe": True, "parallel_write_safe": True}
