"""The map of torch.nn links to pages that name the class."""

import re
import textwrap
from pathlib import Path

import pages as tool

ROOT = Path(__file__).parents[2]
INDEX = "basic/index"


def tables():
    """The page's own tables: files of classes, homes, and names found on pages."""
    space = {}
    for cell in tool.read(INDEX).cells:
        source = cell.source
        if cell.cell_type != "code" or "check(" in source:
            continue
        if re.search(r"^(?:import inspect|HEADINGS =|HOME =|NAMED =)", source, re.M):
            exec(source, space)
    return space


def words(page):
    return set(re.findall(r"\w+", (ROOT / "book" / f"{page}.md").read_text("utf8")))


def test_linked_pages_name_the_class():
    space = tables()
    home = {key: page for page, keys in space["HOME"].items() for key in keys.split()}
    there = {page: words(_path(page)) for page in space["HOME"]}
    named = []
    for cls, file in space["files"].items():
        page = home.get(cls.__name__, home.get(file))
        if page and cls.__name__ in there[page]:
            named.append(cls.__name__)
    wrong = sorted(set(named) ^ set(space["NAMED"].split()))
    text = textwrap.fill(" ".join(named), 84)
    assert not wrong, (
        f"book/{INDEX}.md: NAMED differs from what the pages name in {wrong}; it is\n"
        f"{text}"
    )


def test_every_home_is_a_page():
    missing = {str(_path(page)) for page in tables()["HOME"]} - set(tool.pages())
    assert not missing, f"book/{INDEX}.md: HOME has {missing}, which are no pages"


def _path(page):
    """A page as the map links to it, seen from the folder of the index."""
    return Path("basic", page) if "/" not in page else Path(page.removeprefix("../"))
