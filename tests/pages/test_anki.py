"""The deck for Anki: a note for each question, the same bytes for the same input."""

import io
import re
import sqlite3
import zipfile
from html import unescape

import pytest

import anki
from layers_book.questions import predictions

SITE = "https://example.org/book/"
TIME = 1_700_000_000


@pytest.fixture(scope="module")
def cards():
    pages = ("basic/index", "basic/linear", "recurrent/index", "recurrent/gru")
    return [q for page in pages for q in predictions(f"notebooks/{page}")]


def rows(data, tmp_path, query):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extract("collection.anki2", tmp_path)
    with sqlite3.connect(tmp_path / "collection.anki2") as connection:
        return connection.execute(query).fetchall()


def test_the_notes_are_the_questions(cards, tmp_path):
    data = anki.package(cards, SITE, TIME)
    notes = rows(data, tmp_path, "select flds, mod, guid from notes order by id")
    assert len(notes) == len(cards) == len({guid for *_, guid in notes})
    for card, (fields, changed, _) in zip(cards, notes, strict=True):
        key, place, question, choices, answer, why, link = fields.split("\x1f")
        assert (key, changed) == (card.key, TIME)
        assert unescape(place) == f"{card.page_title}: {card.section}"
        assert f"<b>{card.answer}</b>" in answer
        for option, sentence in card.options.items():
            assert sentence in answer
            assert (f"<li>{option}</li>" in choices) == (card.tolerance is None)
        assert f'href="{SITE}{card.page}.html#{card.anchor}"' in link
        assert question.count("<pre>") == len(re.findall("<pre", card.text))
        assert why
    [[decks]] = rows(data, tmp_path, "select decks from col")
    for chapter in ("Basic layers", "Recurrent layers"):
        assert f'"PyTorch Layers::{chapter}"' in decks


def test_a_newer_deck_keeps_what_was_learned(cards, tmp_path):
    assert anki.package(cards, SITE, TIME) == anki.package(cards, SITE, TIME)
    query = "select guid, mid from notes order by id"
    before = rows(anki.package(cards, SITE, TIME), tmp_path, query)
    # without the first question, a day later
    after = rows(anki.package(cards[1:], SITE, TIME + 86_400), tmp_path, query)
    assert before[1:] == after


def test_code_is_colored_and_stays_the_same():
    code = "<pre class=\"python\">if a &lt; b &amp; c:\n    print('x')\n\n\ny</pre>"
    colored = anki.colored(code)
    assert '<span class="k">if</span>' in colored
    plain = re.sub("<[^p/][^>]*>|</span>", "", colored).replace("&#39;", "'")
    assert plain == code.replace(' class="python"', "")
