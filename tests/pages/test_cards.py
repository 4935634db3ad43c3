"""The questions of one value, as cards: all of them, each with the right answer."""

import ast
import re
import subprocess
import sys
from html import unescape
from itertools import pairwise
from xml.etree import ElementTree

import jupytext
import pytest

import pages as tool
from layers_book.checking import check_exercise, value_steps
from layers_book.exercises import exercise, exercises
from layers_book.questions import predictions, question_key, questions, values

ALL = questions()
PREDICTIONS = [q for q in ALL if "/" not in q.key.partition("#")[2]]
VALUES = [q for q in ALL if "/" in q.key.partition("#")[2]]


def value_of(written):
    """An answer as a reader of the page would give it."""
    text = unescape(written.removeprefix("<code>").removesuffix("</code>"))
    return ast.literal_eval(text.replace(",", "") if text == written else text)


def test_each_question_cell_and_each_exercise_of_one_value_is_there_once():
    assert len({q.key for q in ALL}) == len(ALL)
    for page in tool.pages():
        cells = jupytext.read(tool.halves(page)[0]).cells
        asked = sum("question" in cell.metadata.get("tags", []) for cell in cells)
        assert len(predictions(f"notebooks/{page}")) == asked, page
        of_values = {
            f"notebooks/{page}#{e.name}"
            for e in exercises(page)
            if all(run.steps is value_steps for run in e.runs)
        }
        assert {q.key for q in values(f"notebooks/{page}")} == of_values, page


def test_a_key_is_free_of_what_sphinx_does_to_quotes():
    taken = set()
    key = question_key("p", 'What is z\'s "size"?', taken)
    assert question_key("p", "What is z’s “size”?", set()) == key
    assert question_key("p", 'What is z\'s "size"?', taken) == f"{key}x"


@pytest.mark.parametrize("question", VALUES, ids=lambda q: q.key)
def test_the_check_takes_the_answer_and_refuses_the_other_choices(question):
    asked = exercise(question.key.partition("#")[2])
    assert check_exercise(asked, value_of(question.answer))
    for option in question.options:
        if option != question.answer:
            assert not check_exercise(asked, value_of(option)), option


@pytest.mark.parametrize("question", ALL, ids=lambda q: q.key)
def test_a_card_is_complete_and_well_formed(question):
    for text in (question.text, question.explanation, *question.options.values()):
        ElementTree.fromstring(f"<div>{text}</div>")
    assert "?" in question.text or question in VALUES
    assert question.explanation and question.anchor
    for text in (question.text, question.explanation):
        assert not re.search(r":\s*(?:</\w+>\s*)*$", text)
        assert "figure below" not in text
    if question.tolerance is None:
        assert len(question.options) > 1 and question.answer in question.options
    else:
        apart = question.tolerance * abs(question.number)
        others = [abs(value_of(o) - question.number) for o in question.options]
        assert all(other > apart for other in others)


def test_in_place_of_a_picture_stands_what_is_to_be_seen():
    cards = {q.key.removeprefix("notebooks/"): q for q in ALL}
    conv = cards["convolution/conv#7ea15149"]
    assert 'the numbers 0 to 24:</p>\n<p class="picture">Picture: Four' in conv.text
    link = f'<a href="../{conv.place}">Picture</a>: Four pictures'
    assert link in conv.linked(conv.text, "../")
    layers = cards["recurrent/shapes#c05a70e3"]
    assert layers.text.count("Picture: ") == 2  # drawn with draw_flow
    assert "Three rows" not in layers.text
    assert layers.explanation.startswith('<p class="picture">Picture: Three rows')
    figure = cards["normalization/choosing#8ed72763"]
    assert '<p class="picture">Picture: on the page.</p>' in figure.text
    corner = cards["basic/padding#2f9d519d"]
    assert "<table><thead>" in corner.text and "81</td>" not in corner.explanation


@pytest.mark.parametrize("question", PREDICTIONS, ids=lambda q: q.key)
def test_no_text_announces_what_is_missing(question):
    blocks = list(ElementTree.fromstring(f"<div>{question.text}</div>"))
    for block, after in pairwise(blocks):
        if "".join(block.itertext()).endswith(":"):
            assert after.tag != "p" or after.get("class") == "picture"


def test_no_card_has_code_for_a_name_that_its_own_code_makes_first():
    [card] = [q for q in ALL if q.key == "notebooks/recurrent/lstm#d00444e3"]
    assert "def sigmoid" in card.text and "def lstm(" not in card.text


def test_predictions_load_neither_torch_nor_sphinx():
    code = (
        "import sys; from layers_book import questions\n"
        "questions.predictions('notebooks/basic/linear')\n"
        "print(*{'torch', 'sphinx', 'docutils', 'numpy'} & sys.modules.keys())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "\n"
