"""Start a page from the template: `make new page=normalization/foo`."""

import re
import sys
from pathlib import Path

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
    if taken := [p for p in (text, exercises) if p.exists()]:
        print(f"{taken[0].relative_to(ROOT)} exists: choose another name")
        return 1
    toc = ROOT / "_toc.yml"
    entries = toc.read_text("utf8").splitlines(keepends=True)
    of_chapter = [i for i, e in enumerate(entries) if f"notebooks/{chapter}/" in e]
    if not of_chapter:
        print(f"_toc.yml has no chapter {chapter!r}: add its index page there first")
        return 1
    entry = re.sub(r"\S+$", f"notebooks/{page}", entries[of_chapter[-1]].rstrip())
    entries.insert(of_chapter[-1] + 1, entry + "\n")
    title = name.replace("_", " ").title().replace(" ", "")
    template = Path(__file__).parent / "template"
    for target, source in ((text, "page.md"), (exercises, "exercises.py")):
        made = (template / source).read_text("utf8")
        target.write_text(made.replace("PAGE", name).replace("TITLE", title), "utf8")
        print(f"made {target.relative_to(ROOT)}")
    toc.write_text("".join(entries), "utf8")
    print(f"added notebooks/{page} to _toc.yml; next: write, then make notebooks")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
