"""Loading an assignment: cells, questions, variants, keys, and each mistake in one."""

import dataclasses
import inspect
import json
import pickle
import random
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
from nbgrader.preprocessors import ClearSolutions

from layers_book.coursework import assignment as tool
from layers_book.coursework.assignment import (
    Assignment,
    AssignmentError,
    find,
    load,
)

FOLDER = Path(__file__).parent / "example"
EXAMPLE = load(FOLDER)


def edited(old, new, assignment=EXAMPLE):
    """The assignment with a text replaced in its master."""
    assert assignment.text.count(old) == 1, old
    return dataclasses.replace(assignment, text=assignment.text.replace(old, new))


def with_file(**files):
    return dataclasses.replace(EXAMPLE, files={**EXAMPLE.files, **files})


def with_variant(body):
    text = f"import math\ndef variant(random):\n    return {body}\n"
    return dataclasses.replace(EXAMPLE, variant=text)


def test_cells_of_the_example():
    assert [(c.grade_id, c.kind, c.type) for c in EXAMPLE.master] == [
        ("text-1", "text", "markdown"),
        ("setup", "setup", "code"),
        ("variant", "variant", "code"),
        ("text-2", "text", "markdown"),
        ("scale", "answer", "code"),
        ("scale-check", "check", "code"),
        ("text-3", "text", "markdown"),
        ("code-1", "code", "code"),
        ("text-4", "text", "markdown"),
        ("rms", "answer", "code"),
        ("report", "manual", "markdown"),
    ]
    report = EXAMPLE.master[-1]
    assert (report.points, report.number) == (3, 11)
    assert report.solution.startswith("It doubles: ")
    rms = next(c for c in EXAMPLE.master if c.grade_id == "rms")
    assert rms.solution.startswith("mean_square = x.square()"), "dedented"


REGIONS = (
    "    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION",
    "class A:\n  def f(self):\n    ### BEGIN SOLUTION\n    a = 1\n\n    return a\n"
    "    ### END SOLUTION\n\n  def g(self):\n\t### BEGIN SOLUTION\n\treturn 2\n"
    "\t### END SOLUTION\n# the end\n",
    "### BEGIN SOLUTION\n### END SOLUTION",
)


@pytest.mark.parametrize("type", ["code", "markdown"])
@pytest.mark.parametrize("source", REGIONS)
def test_student_text_is_what_nbgrader_leaves(source, type):
    make = getattr(nbformat.v4, f"new_{type}_cell")
    options = {"question": "q"} if type == "code" else {"manual": "q", "points": 1}
    node = make(source, metadata=options)
    text = nbformat.writes(nbformat.v4.new_notebook(cells=[node]))
    files = {"q": ""} if type == "code" else {}
    (cell,) = Assignment("a", text, files).master
    ClearSolutions()._replace_solution_region(node, "python")
    assert cell.student == node.source


def test_a_notebook_is_read_like_its_text():
    notebook = jupytext.reads(EXAMPLE.text, "md:myst")
    for cell in notebook.cells:
        cell.metadata |= {"editable": True, "jupyter": {"source_hidden": False}}
    text = nbformat.writes(notebook)
    found = dataclasses.replace(EXAMPLE, text=text).master
    assert found == EXAMPLE.master


def test_elsewhere_the_same(tmp_path):
    sent = tmp_path / "sent"
    sent.write_bytes(pickle.dumps(EXAMPLE))
    code = (
        "import pathlib, pickle, sys\n"
        "from layers_book.coursework.assignment import *\n"
        "a = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "print([a.digest, a.check_key('rms'), a.values('ada', 's'), hash(a)])"
    )
    command = [sys.executable, "-c", code, str(sent)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    here = [EXAMPLE.digest, EXAMPLE.check_key("rms"), EXAMPLE.values("ada", "s")]
    assert out.startswith(str(here)[:-1])
    assert pickle.loads(sent.read_bytes()) == EXAMPLE


def test_digest_is_of_all_texts():
    others = [
        dataclasses.replace(EXAMPLE, name="other"),
        edited("A tiny", "A small"),
        with_file(rms=EXAMPLE.files["rms"] + "\n"),
        dataclasses.replace(EXAMPLE, files={"scale": EXAMPLE.files["rms"]}),
        dataclasses.replace(EXAMPLE, variant=""),
    ]
    assert len({EXAMPLE.digest, *(a.digest for a in others)}) == 6
    assert re.fullmatch("[0-9a-f]{64}", EXAMPLE.digest)


def test_a_key_changes_with_what_the_question_depends_on_alone():
    def changed(other):
        names = ("scale", "rms")
        return [n for n in names if other.check_key(n) != EXAMPLE.check_key(n)]

    assert changed(with_file(rms=EXAMPLE.files["rms"] + "\n")) == ["rms"]
    assert changed(edited("A tiny", "A small")) == []
    assert changed(edited("x.square().mean(-1)", "(x * x).mean(-1)")) == []
    assert changed(edited("import torch\n", "import torch, math\n")) == ["scale", "rms"]
    assert changed(edited('{"n": 4,', '{"n": 5,')) == ["scale", "rms"]
    assert changed(with_variant('{"n": 3, "seed": 0}')) == ["scale", "rms"]
    with pytest.raises(AssignmentError, match=r"'nom'.*rms, scale"):
        EXAMPLE.check_key("nom")


def test_questions_of_the_example():
    found = EXAMPLE.questions
    assert {name: q.points for name, q in found.items()} == {"scale": 3, "rms": 4}
    assert list(found) == ["scale", "rms"], "in the order of the cells"
    assert EXAMPLE.questions["rms"] is found["rms"], "executed once"
    for question in found.values():
        cell = next(c for c in EXAMPLE.master if c.grade_id == question.name)
        for wrong in question.mistakes:
            assert question.code(wrong, cell.source) != cell.source


def test_functions_of_a_question_have_their_source_and_travel():
    reference = EXAMPLE.questions["rms"].reference
    source = inspect.getsource(reference)
    assert source.startswith("def _reference(variant):\n")
    assert source in EXAMPLE.files["rms"]
    assert pickle.loads(pickle.dumps(reference)) is reference
    later = with_file(rms="# one more line\n" + EXAMPLE.files["rms"])
    assert inspect.getsource(later.questions["rms"].reference) == source
    assert inspect.getsource(reference) == source, "the older lines are kept"


def test_variants_differ_by_student_course_and_assignment_alone():
    def drawn(student="ada", salt="salt", name="example"):
        return with_name(name).values(student, salt)["seed"]

    def with_name(name):
        text = "def variant(r):\n    return {'n': 0, 'seed': r.random()}\n"
        return dataclasses.replace(EXAMPLE, name=name, variant=text)

    assert drawn() == drawn()
    others = [
        drawn("bob"),
        drawn(salt="other"),
        drawn(name="other"),
        drawn(salt="saltex", name="ample"),
    ]
    assert len({drawn(), *others}) == 5
    many = np.array([drawn(str(i)) for i in range(400)])
    assert 0.4 < many.mean() < 0.6
    assert 0.25 < many.std() < 0.33, "uniform: 0.289"


def test_common_values_are_those_of_the_master():
    common = {"n": 4, "seed": 0}
    assert EXAMPLE.values("", "salt") == common
    without = dataclasses.replace(EXAMPLE, variant="")
    assert without.values("ada", "salt") == common
    cut = re.sub(r"```{code-cell} python\n:variant.*?```\n", "", without.text, flags=16)
    assert dataclasses.replace(without, text=cut).values("ada", "") == {}


def test_draws_are_those_of_mersenne_twister():
    seed = int("9f" * 32, 16)
    words = [seed >> 32 * i & 0xFFFFFFFF for i in range(8)]
    theirs = np.random.RandomState(words).random_sample(5)
    ours = random.Random(seed)
    assert [ours.random() for _ in range(5)] == list(theirs)


def test_draws_are_those_of_python_3_11_to_3_13():
    r = random.Random(12345678901234567890123456789)
    assert [
        r.random(),
        r.randint(1, 6),
        r.randrange(0, 100, 7),
        r.choice("abcdef"),
    ] == [
        0.5990933556797026,
        6,
        21,
        "b",
    ]
    assert [r.sample(range(10), 3), r.uniform(1, 2)] == [[2, 6, 9], 1.984357585776999]
    items = list(range(6))
    r.shuffle(items)
    assert items == [1, 5, 2, 3, 0, 4]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"n": math.nan, "seed": 0}', r"\['n'\]: nan \(float\): allowed are text"),
        ('{"n": (1, 2), "seed": 0}', r"\['n'\]: \(1, 2\) \(tuple\)"),
        ('{"n": [1, {2}], "seed": 0}', r"\['n'\]\[1\]: \{2\} \(set\)"),
        ('{"n": {1: 2}, "seed": 0}', r"\['n'\]: the key 1 is no text"),
        ('{"n": __import__("torch").tensor(1), "seed": 0}', r"\(Tensor\)"),
        ('{"n": __import__("numpy").float64(1), "seed": 0}', r"\(float64\)"),
        ('{"n": 3}', r"gives \['n'\]: the variant cell has \['n', 'seed'\]"),
        ('["n", "seed"]', r"gives \['n', 'seed'\]"),
        ("1 / 0", "variant.py: ZeroDivisionError: division by zero"),
        ("}", r"variant.py, line 3: SyntaxError"),
    ],
)
def test_a_variant_that_is_not_plain(body, said):
    with pytest.raises(AssignmentError, match=said):
        with_variant(body).values("ada", "")


def test_a_variant_without_its_function():
    with pytest.raises(AssignmentError, match=r"define variant\(random\)"):
        dataclasses.replace(EXAMPLE, variant="x = 1").values("ada", "")
    assert with_variant('{"n": [None, True], "seed": "π"}').values("ada", "") == {
        "n": [None, True],
        "seed": "π",
    }


ANSWER = ":question: scale\n"
SETUP = "```{code-cell} python\n:setup: true\n"
MISTAKES = [
    (ANSWER, ":question: scales\n", "cell 5: there is no scales.py.*: rms, scale"),
    (ANSWER, ":qestion: scale\n", "cell 5: unknown option qestion: allowed are check,"),
    (ANSWER, ":question: a b\n", "cell 5: question: 'a b' is no name, a letter, then"),
    (ANSWER, ":question: 7\n", "cell 5: question: 7 is no name"),
    (ANSWER, ":question: install\n", "'install' is taken by a cell of the release"),
    (ANSWER, ":question: rms\n", "cell 6: the check of 'scale' must come after"),
    (ANSWER, ":question: scale\n:manual: s\n", "cell 5: manual and question: a cell"),
    (ANSWER, ":question: scale\n:points: 3\n", "cell 5: points: 3: only a cell with"),
    (":check: scale\n", ":check: rms\n", "cell 6: the check of 'rms' must come after"),
    (":check: scale\n", "", r"cell \d+|"),
    ('"points": 3', '"points": 0', "cell 11: points: 0: a number above 0"),
    ('"points": 3', '"points": true', "cell 11: points: True: a number above 0"),
    ('"points": 3', '"points": "3"', "cell 11: points: '3': a number above 0"),
    (', "points": 3', "", "cell 11: no points: a number above 0 and below 1000"),
    ('"report"', '"rms"', "cell 11: the id 'rms' is that of cell 10 already"),
    ('"report"', '"scale-check"', "cell 11: the id 'scale-check' is that of cell 6"),
    ('"report"', '"text-1"', "cell 11: the id 'text-1' is that of cell 1 already"),
    ('"manual": "report"', '"question": "scale"', "cell 11: `question` on a markdown"),
    (":setup: true", ":setup: yes please", "cell 2: setup: 'yes please': only true"),
    (":variant: true", ":setup: true", "cell 3: the id 'setup' is that of cell 2"),
    ("VARIANT = {", "VARIANTS = {", "cell 3: a variant cell holds VARIANT = {...}"),
    ('"seed": 0}', '"seed": f()}', "cell 3: a variant cell holds VARIANT = {...}"),
    ('"seed": 0}', '"seed": 1e999}', r"cell 3: VARIANT\['seed'\]: inf \(float\)"),
    ("return x * weight\n    ### END SOLUTION", "return x", "cell 5: no ### END SOLU"),
    ("    return x * weight\n", "    ### BEGIN SOLUTION\n", "cell 5: a second BEGIN"),
    ("    ### BEGIN SOLUTION\n    return x *", "    return x *", "an END without a"),
    (
        "    ### BEGIN SOLUTION\n    mean",
        "    # BEGIN SOLUTION\n    mean",
        "whole line",
    ),
    ("return x * weight", "### BEGIN HIDDEN TESTS", "cell 5: '### BEGIN HIDDEN TESTS'"),
    ("ones = torch", "### BEGIN HIDDEN TESTS\n\nones = torch", "cell 6: 'BEGIN HIDDEN"),
    ("A tiny", "### BEGIN SOLUTION\nA tiny", "cell 1: 'BEGIN SOLUTION': only cells w"),
    (":question: rms\n", ":setup: true\n", "cell 10: 'BEGIN SOLUTION': only cells"),
    (SETUP, "```{raw-cell}\n", "cell 2: a raw cell: allowed are code and markdown"),
    (ANSWER, ":question: [\n", "assignment.md cannot be read: "),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES)
def test_a_master_that_is_not_as_it_must_be(old, new, said):
    if said.endswith("|"):
        assert edited(old, new).master, "a check may be left out"
        return
    with pytest.raises(AssignmentError, match=said) as caught:
        _ = edited(old, new).master
    assert str(caught.value).startswith("example/assignment.md")
    assert "\n" not in str(caught.value)


def test_an_answer_without_marks():
    text = re.sub(r" +### (BEGIN|END) SOLUTION\n", "", EXAMPLE.text)
    with pytest.raises(
        AssignmentError, match="cell 5: no solution: put it between ###"
    ):
        _ = dataclasses.replace(EXAMPLE, text=text).master


def test_a_set_up_after_an_answer():
    text = EXAMPLE.text.replace(":variant: true\n", "")
    text += f"\n+++\n\n{SETUP.replace('setup', 'variant')}\nVARIANT = {{}}\n```\n"
    with pytest.raises(AssignmentError, match="variant must come before cell 5"):
        _ = dataclasses.replace(EXAMPLE, text=text).master


def test_files_without_cells():
    with pytest.raises(
        AssignmentError, match=r"question: extra`, but there is extra.py"
    ):
        _ = with_file(extra="").master
    with pytest.raises(AssignmentError, match="question: report`, but there is report"):
        _ = with_file(report="").master
    without = edited(":variant: true\n", "")
    with pytest.raises(AssignmentError, match=r"variant.py, but no cell has `variant"):
        _ = without.master


def test_a_broken_notebook():
    text = json.dumps({"nbformat": 4})
    with pytest.raises(AssignmentError, match=r"assignment.ipynb cannot be read"):
        _ = dataclasses.replace(EXAMPLE, text=text).master


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def _reference(variant):", "def _reference(variant:", "line 12: SyntaxError"),
        ("import torch\n", "import torhc\n", "line 3: ModuleNotFoundError"),
        ("run=", "runs=", "line 16: TypeError.*'runs'"),
        ('name="rms"', 'name="rsm"', "name='rsm' is not the file's: 'rms'"),
        ("QUESTION =", "QUESTIONS =", "define QUESTION = Question"),
        ('"the output | the inputs after": 2', '"the output": -2', "worth 0 points"),
    ],
)
def test_a_question_file_that_does_not_serve(old, new, said):
    text = EXAMPLE.files["rms"].replace(old, new)
    assert text != EXAMPLE.files["rms"]
    with pytest.raises(AssignmentError, match=said) as caught:
        _ = with_file(rms=text).questions
    assert str(caught.value).startswith("example/rms.py")


def copied(folder, name="example"):
    place = folder / name
    place.mkdir(parents=True)
    for file in FOLDER.glob("*.*"):
        (place / file.name).write_bytes(file.read_bytes())
    return place


def test_the_teachers_own_comes_first(tmp_path, monkeypatch):
    book, course = tmp_path / "book", tmp_path / "course"
    monkeypatch.setattr(tool, "BOOK", book)
    copied(book)
    copied(book, "norms")
    assert find("example", course) == EXAMPLE
    own = copied(course / "assignments")
    (own / "assignment.md").write_text(EXAMPLE.text + "More.\n")
    assert find("example", course).text.endswith("More.\n")
    assert find("norms", course).name == "norms"
    monkeypatch.chdir(course)
    assert find("example").text.endswith("More.\n")
    for name in ("norm", "../book/norms", "", "."):
        with pytest.raises(AssignmentError, match="there are example, norms in"):
            find(name, course)


def test_the_books_assignments_are_in_the_repository():
    root = Path(__file__).parents[2]
    assert root / "coursework" / "assignments" == tool.BOOK


def test_files_from_other_systems(tmp_path):
    place = copied(tmp_path)
    windows = b"\xef\xbb\xbf" + EXAMPLE.text.replace("\n", "\r\n").encode()
    (place / "assignment.md").write_bytes(windows)
    assert load(place).digest == EXAMPLE.digest
    (place / "rms.py").write_bytes(b"# \xff\n")
    with pytest.raises(AssignmentError, match=r"rms.py: UTF-8 is needed"):
        load(place)


def test_one_master(tmp_path):
    place = copied(tmp_path)
    (place / "assignment.ipynb").write_text("{}")
    with pytest.raises(
        AssignmentError, match=r"has assignment.md and assignment.ipynb"
    ):
        load(place)
    (place / "assignment.md").unlink()
    assert load(place).text == "{}"
    (place / "assignment.ipynb").unlink()
    with pytest.raises(AssignmentError, match="has no master"):
        load(place)
