"""Start a page from the template: `make new page=normalization/foo`."""

import re
import sys
from pathlib import Path

from pages import pages

ROOT = Path(__file__).parent.parent


def main(page: str) -> int:
    if not re.fullmatch(r"[a-z]+/[a-z0-9]+(_[a-z0-9]+)*", page):
        print(
            f"page={page!r}: name a chapter and a page in lower case, such as "
            "page=normalization/batch_norm",
            file=sys.stderr,
        )
        return 2
    chapter, name = page.split("/")
    text = ROOT / "book" / f"{page}.md"
    exercises = ROOT / "src" / "layers_book" / "exercises" / f"{page}.py"
    taken = [p for p in (text, exercises, exercises.with_suffix("")) if p.exists()]
    if taken:
        print(f"{taken[0].relative_to(ROOT)} exists: choose another name")
        return 1
    of_chapter = [p for p in pages() if p.startswith(f"{chapter}/")]
    if not of_chapter:
        print(f"_toc.yml has no chapter {chapter!r}: add its index page there first")
        return 1
    toc = ROOT / "_toc.yml"
    entries = toc.read_text("utf8").splitlines(keepends=True)
    last = f"notebooks/{of_chapter[-1]}"
    at = next(i for i, entry in enumerate(entries) if entry.split()[-1:] == [last])
    entries.insert(at + 1, entries[at].replace(last, f"notebooks/{page}"))
    title = name.replace("_", " ").title().replace(" ", "")
    template = Path(__file__).parent / "template"
    for target, source in ((text, "page.md"), (exercises, "exercises.py")):
        made = (template / source).read_text("utf8")
        target.write_text(made.replace("PAGE", name).replace("TITLE", title), "utf8")
        print(f"made {target.relative_to(ROOT)}")
    toc.write_text("".join(entries), "utf8")
    print(f"added notebooks/{page} to _toc.yml")
    print("What remains:")
    print(f"- write the text and its exercises, then make check page={page}")
    print(
        f"- name the page in book/{chapter}/index.md, which lists its chapter by hand"
    )
    print("- name its layer in README.md and in book/basic/index.md, the map")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
