"""The questions of one value, as cards: all of them, each with the right answer."""

import ast
import subprocess
import sys
from html import unescape
from xml.etree import ElementTree

import jupytext
import pytest

import pages as tool
from layers_book.checking import check_exercise, value_steps
from layers_book.exercises import exercise, exercises
from layers_book.questions import predictions, question_key, questions, values

ALL = questions()
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
    if question.tolerance is None:
        assert len(question.options) > 1 and question.answer in question.options
    else:
        apart = question.tolerance * abs(question.number)
        others = [abs(value_of(o) - question.number) for o in question.options]
        assert all(other > apart for other in others)


def test_predictions_load_neither_torch_nor_sphinx():
    code = (
        "import sys; from layers_book import questions\n"
        "questions.predictions('notebooks/basic/linear')\n"
        "print(*{'torch', 'sphinx', 'docutils', 'numpy'} & sys.modules.keys())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "\n"
