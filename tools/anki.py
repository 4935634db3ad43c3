"""The book's questions as an Anki deck, dist/pytorch-layers.apkg: `make anki`.

A deck for each chapter. Who imports a newer one keeps what they have learned: a note
is known by its question's key, and is newer if its commit is.
"""

import hashlib
import io
import re
import subprocess
import time
import zipfile
from collections.abc import Iterable, Iterator
from html import escape, unescape
from itertools import groupby
from pathlib import Path

import genanki
import yaml
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from layers_book.questions import Question, questions

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "dist" / "pytorch-layers.apkg"
NAME = "PyTorch Layers"
CODE = re.compile(r'<pre class="python">(.*?)</pre>', re.DOTALL)
FIELDS = ("key", "place", "question", "choices", "answer", "why", "link")
FRONT = '<div class="place">{{place}}</div>{{question}}{{choices}}'
BACK = "{{FrontSide}}<hr id=answer>{{answer}}{{why}}<p>{{link}}</p>"
STYLE = """
.card { font: 18px/1.5 sans-serif; max-width: 42em; margin: 0 auto; text-align: left; }
.place { font-size: 80%; opacity: 0.75; }
pre, code { font-family: monospace; font-size: 90%; }
pre { padding: 0.6em; overflow-x: auto; line-height: 1.35; border: 1px solid #8888; }
code { overflow-wrap: anywhere; }
table, div.math { display: block; overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: 0.2em 0.6em; border: 1px solid; text-align: left; }
.nightMode a { color: #8cf; }
dt { margin-top: 0.5em; font-weight: bold; }
dd { margin-left: 1em; }
"""


def style() -> str:
    """The cards' CSS; code has the site's colors, by day and by night."""
    light, dark = (
        HtmlFormatter(style=f"a11y-high-contrast-{theme}").get_style_defs(prefix)
        for theme, prefix in (("light", "pre"), ("dark", ".nightMode pre"))
    )
    return f"{STYLE}{light}\n{dark}\n"


def colored(text: str) -> str:
    """A card's text with its code highlighted."""
    formatter = HtmlFormatter(nowrap=True)

    def highlighted(found: re.Match[str]) -> str:
        code = highlight(unescape(found[1]), PythonLexer(), formatter)
        return f"<pre>{code.rstrip()}</pre>"

    return CODE.sub(highlighted, text)


def fields(question: Question, site: str) -> Iterator[str]:
    """A note's fields, in order."""
    yield question.key
    yield escape(f"{question.page_title}: {question.section}", quote=False)
    yield colored(question.linked(question.text, site))
    if question.tolerance is None:
        choices = "".join(f"<li>{option}</li>" for option in question.options)
        yield f"<ul>{choices}</ul>"
    else:
        yield "<p>Answer with a number.</p>"
    rows = (f"<dt>{o}</dt><dd>{s}</dd>" for o, s in question.options.items() if s)
    yield f"<p>Answer: <b>{question.answer}</b></p><dl>{''.join(rows)}</dl>"
    yield colored(question.linked(question.explanation, site))
    yield f'<a href="{escape(site + question.place)}">Read on in the book</a>'


def decks(cards: Iterable[Question], site: str) -> Iterator[genanki.Deck]:
    """A deck for each chapter, its notes in the book's order."""
    model = genanki.Model(
        _number(NAME),
        NAME,
        fields=[{"name": name} for name in FIELDS],
        templates=[{"name": "Card", "qfmt": FRONT, "afmt": BACK}],
        css=style(),
    )
    for _, chapter in groupby(cards, lambda card: card.chapter):
        notes = list(chapter)
        name = f"{NAME}::{notes[0].page_title}"  # a chapter begins with its own page
        deck = genanki.Deck(_number(notes[0].chapter), name)
        for due, card in enumerate(notes):
            guid = genanki.guid_for(card.key)
            tags = ["::".join(card.page.split("/")[1:])]
            deck.add_note(
                genanki.Note(
                    model, list(fields(card, site)), tags=tags, guid=guid, due=due
                )
            )
        yield deck


def _number(name: str) -> int:
    """A number that Anki knows a deck or a kind of note by."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:7], 16) + 2**30


def package(cards: Iterable[Question], site: str, timestamp: int) -> bytes:
    """The file that Anki imports; the same input gives the same bytes."""
    made, kept = io.BytesIO(), io.BytesIO()
    genanki.Package(list(decks(cards, site))).write_to_file(made, timestamp)
    with zipfile.ZipFile(made) as archive, zipfile.ZipFile(kept, "w") as fixed:
        for name in archive.namelist():
            entry = zipfile.ZipInfo(name)  # of no date
            entry.compress_type = zipfile.ZIP_DEFLATED
            fixed.writestr(entry, archive.read(name))
    return kept.getvalue()


def changed() -> int:
    """When the book was changed last: the time of its commit, or now."""
    git = ["git", "log", "-1", "--format=%ct"]
    found = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
    return int(found.stdout or time.time())


def main() -> None:
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    cards = questions()
    data = package(cards, config["html"]["baseurl"], changed())
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(data)
    print(f"{TARGET.relative_to(ROOT)}: {len(cards)} cards, {len(data) / 1e3:.0f} kB")
    print("To learn with it: in Anki, File > Import")


if __name__ == "__main__":
    main()
