"""Sphinx extension: figures that links drive, and each figure on a page of its own.

`[stride 3](#sliding-window~1~stride:3)` in a text sets the state of the page's figure;
`embed/sliding-window.html` shows it alone.
"""

import html
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

from layers_book import figures
from layers_book.figures.link import anchor, linked, parsed

ELEMENT = re.compile(
    r"""<(nn-[a-z-]+) class="nn-figure" id="([\w-]+)"(?: state='([^']*)')?.*?</\1>""",
    re.DOTALL,
)
EMBED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title} · {book}</title>
<style>
:root {{ color-scheme: light dark; --bg: {light[bg]}; --ink: {light[ink]}; }}
[data-theme="dark"] {{ color-scheme: dark; --bg: {dark[bg]}; --ink: {dark[ink]}; }}
@media (prefers-color-scheme: dark) {{
  :root:not([data-theme]) {{ --bg: {dark[bg]}; --ink: {dark[ink]}; }}
}}
[data-theme="light"] {{ color-scheme: light; }}
body {{ margin: 0 auto; padding: 8px; max-width: 54rem; background: var(--bg);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }}
h1 {{ font-size: 1rem; margin: 0; }}
p {{ margin: 0; font-size: 0.87rem; }}
a {{ color: inherit; }}
</style>
<script>
const theme = new URLSearchParams(location.search).get("theme");
if (["light", "dark"].includes(theme)) document.documentElement.dataset.theme = theme;
</script></head>
<body><main><h1>{title}</h1>
{scripts}{element}
<p>
<a href="../{page}.html#{anchor}" target="_blank" rel="noopener">{book}: {from}</a>
</p>
</main>
<script>
// the frame around may follow the height
if (parent !== window)
  new ResizeObserver(([{{ target }}]) =>
    parent.postMessage({{ figure: "{anchor}", height: target.offsetHeight }}, "*"),
  ).observe(document.body);
</script></body></html>
"""


def anchored(body: str) -> str:
    """Mark each figure of a page, with its anchor."""
    kinds = {kind.tag: kind for kind in figures.FIGURES.values()}
    counts: Counter[str] = Counter()

    def marked(found: re.Match[str]) -> str:
        tag = found[1]
        counts[tag] += 1
        return f'<{tag} class="nn-figure" id="{anchor(kinds[tag], counts[tag])}"'

    return re.sub(r"<(nn-[a-z-]+)(?=[ >])", marked, body)


def shown(source: Path, document: nodes.document) -> dict[str, dict[str, Any]]:
    """The states of a page's figures, by their anchors."""
    if source.suffix == ".ipynb":
        cells = json.loads(source.read_text("utf8"))["cells"]
        outputs = [o for cell in cells for o in cell.get("outputs", ())]
        parts = ["".join(o.get("data", {}).get("text/html", "")) for o in outputs]
    else:
        parts = [raw.astext() for raw in document.findall(nodes.raw)]
    elements = ELEMENT.finditer(anchored("".join(parts)))
    return {e[2]: json.loads(html.unescape(e[3] or "{}")) for e in elements}


def drive(app: Sphinx, doctree: nodes.document) -> None:
    """Make links that set a figure's state what they are; warn of those that cannot."""
    page = app.env.docname
    states: dict[str, dict[str, Any]] | None = None
    for target in list(doctree.findall(addnodes.pending_xref)):
        fragment = f"#{target['reftarget']}"
        if not re.match(r"#[\w-]+~", fragment):
            continue
        if states is None:
            states = shown(Path(app.env.doc2path(page)), doctree)
        link = nodes.reference("", "", *target[0].children, internal=True)
        link["refuri"] = fragment.replace(" ", "%20")
        link["classes"].append("moves")
        target.replace_self(link)
        name = fragment[1:].split("~")[0]
        try:
            parsed(fragment)
            if name not in states:
                words = ", ".join(states) or "none"
                raise ValueError(f"no figure {name!r} on the page: allowed: {words}")
            linked(fragment, states[name])
        except ValueError as error:
            words = f"link {fragment}: {error}"
            logging.getLogger(__name__).warning(words, location=page)


def embed(app: Sphinx, error: Exception | None) -> None:
    """Write each figure, as the first page with it has it, on a page of its own."""
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "embed"
    folder.mkdir(exist_ok=True)
    left = {kind.tag: name for name, kind in figures.FIGURES.items()}
    for page in reading_order(app):
        body = (Path(app.outdir) / f"{page}.html").read_text("utf8")
        for element in ELEMENT.finditer(body):
            if name := left.pop(element[1], None):
                text = alone(app, name, element, page)
                (folder / f"{element[2]}.html").write_text(text, "utf8")


def reading_order(app: Sphinx) -> list[str]:
    """The pages, as the contents have them."""
    found, waiting = [], [app.config.root_doc]
    while waiting:
        page = waiting.pop(0)
        found.append(page)
        waiting = [*app.env.toctree_includes.get(page, ()), *waiting]
    return found


def alone(app: Sphinx, name: str, element: re.Match[str], page: str) -> str:
    """The page of one figure."""
    scripts = "".join(
        f'<script src="../_static/figures/{part}.js"></script>\n'
        for part in ("core", "links", name)
    )
    colors = figures.tokens()
    return EMBED.format(
        title=name.replace("_", " ").capitalize(),
        book=html.escape(app.config.html_title),
        page=page,
        anchor=element[2],
        scripts=scripts,
        element=element[0],
        light=colors["light"],
        dark=colors["dark"],
        **{"from": html.escape(app.env.titles[page].astext())},
    )


def setup(app: Sphinx) -> None:
    """Register the two steps."""
    app.connect("doctree-read", drive)
    app.connect("build-finished", embed, priority=900)
