"""The book's list of sources, from the pages' own: run by `make notebooks`.

Rewrites book/references.md below its heading "All sources"; what stands above is text.
"""

import re
from pathlib import Path

from pages import halves, pages

ROOT = Path(__file__).parent.parent
HEADING = "## All sources\n"
SOURCE = re.compile(r"^- ([^\[\n]+ \(\d{4}\))\. (\[.+?\]\((https?://[^)\s]+)\))", re.M)


def listed(root: Path = ROOT) -> str:
    """Every source that a page names, once, in the order of its authors' names."""
    found: dict[str, tuple[str, str, list[str]]] = {}
    for page in pages(root):
        text = halves(page, root)[0].read_text("utf8")
        title = re.findall(r"^# (.+)$", text, re.M)[0]
        part = text.partition("\n## Sources\n")[2]
        for authors, link, address in SOURCE.findall(part):
            by = found.setdefault(address, (authors, link, []))[2]
            by.append(f"[{title}](../notebooks/{page}.ipynb)")
    lines = [
        f"- {authors}. {link}: {', '.join(by)}"
        for authors, link, by in sorted(found.values(), key=_order)
    ]
    return "\n".join(lines) + "\n"


def _order(source: tuple[str, str, list[str]]) -> tuple[str, str]:
    """Family name and year; initials stand before the name, as in ``K. He``."""
    first = re.split(r",| and ", source[0])[0]
    name = re.sub(r"^(?:[A-Z][a-z]?\.[- ]?|van den |van der |de )+", "", first)
    return name.casefold(), source[0][-5:]


def page(root: Path = ROOT) -> str:
    """The whole page as it should be."""
    text = (root / "book/references.md").read_text("utf8")
    return text.partition(HEADING)[0] + HEADING + "\n" + listed(root)


if __name__ == "__main__":
    (ROOT / "book/references.md").write_text(page(), "utf8")
