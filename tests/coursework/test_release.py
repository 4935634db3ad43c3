"""The notebooks of a release: what is in them, what must not be, and where they go."""

import base64
import dataclasses
import json
import os
import re
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import nbformat
import pytest
from nbgrader.apps import NbGraderAPI
from nbgrader.nbgraderformat import MetadataValidator
from traitlets.config import Config

from layers_book.coursework.assignment import AssignmentError, load
from layers_book.coursework.leaks import Leak, check_leaks
from layers_book.coursework.release import (
    install_cell,
    release,
    released_values,
    source_version,
    student_version,
)

ROOT = Path(__file__).parents[2]
EXAMPLE = load(Path(__file__).parent / "example")
SALT = "only the teacher knows"
NBGRADER = {"grade", "grade_id", "locked", "schema_version", "solution", "task"}


def edited(old, new, assignment=EXAMPLE):
    assert assignment.text.count(old) == 1, old
    return dataclasses.replace(assignment, text=assignment.text.replace(old, new))


def read(path):
    return nbformat.read(path, 4)


def by_id(notebook):
    return {cell.id: cell for cell in notebook.cells}


def test_nbgrader_makes_the_same_from_our_master(tmp_path, monkeypatch):
    scripts = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    monkeypatch.setenv("PATH", scripts)  # nbgrader calls alembic by name
    monkeypatch.chdir(tmp_path)
    release(EXAMPLE, tmp_path)
    ours = (tmp_path / "release/example/example.ipynb").rename(tmp_path / "ours.ipynb")
    config = Config()
    config.CourseDirectory.root = str(tmp_path)
    result = NbGraderAPI(config=config).generate_assignment("example", force=True)
    assert result["success"], result["log"]
    theirs = tmp_path / "release/example/example.ipynb"
    assert read(theirs) == read(ours)
    assert "SOLUTION" not in theirs.read_text()


def test_the_masters_metadata():
    notebook = source_version(EXAMPLE)
    MetadataValidator().validate_nb(notebook)
    nbformat.validate(notebook)
    found = {}
    for cell in notebook.cells:
        meta = cell.metadata.get("nbgrader", {})
        assert meta.keys() - {"points"} in (NBGRADER, set())
        if meta:
            assert (meta.schema_version, meta.task) == (3, False)
            assert meta.grade_id == cell.id
            flags = [meta.grade, meta.solution, meta.locked]
            found[cell.id] = "".join("gsl"[i] for i in range(3) if flags[i])
            found[cell.id] += str(meta.get("points", ""))
    assert found == {
        "install": "l",
        "setup": "l",
        "variant": "",
        "scale": "s",
        "scale-check": "gl3",
        "code-1": "l",
        "rms": "s",
        "rms-check": "gl4",
        "report": "gs3",
    }
    without = source_version(dataclasses.replace(EXAMPLE, variant=""))
    assert by_id(without)["variant"].metadata.nbgrader.locked is True


def test_the_masters_text():
    cells = by_id(source_version(EXAMPLE))
    for cell in EXAMPLE.master:
        assert cell.source in cells[cell.grade_id].source
    for name in ("scale", "rms"):
        assert cells[f"{name}-check"].source.endswith(
            "\n### BEGIN HIDDEN TESTS\n"
            "from layers_book.coursework import score\n"
            f"score('example', '{name}', globals())\n"
            "### END HIDDEN TESTS"
        )


def test_the_students_version_has_nothing_but_what_they_may_see():
    notebook = student_version(EXAMPLE)
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    text = nbformat.writes(notebook)
    for word in ("BEGIN", "mean_square", "score", "doubles:", "layers_book.coursework"):
        assert word in nbformat.writes(source_version(EXAMPLE)), word
        assert word not in text, word
    assert "multiply each feature" not in text
    cells = by_id(notebook)
    stub = "    # YOUR CODE HERE\n    raise NotImplementedError()"
    assert cells["rms"].source == f"def rms(x):\n{stub}"
    assert cells["report"].source.endswith("and why?\n\nYOUR ANSWER HERE")
    assert all(not c.outputs for c in notebook.cells if c.cell_type == "code")
    assert "3 points" in cells["scale-check"].source
    assert cells["header"].source == (
        "**Points:** scale 3, rms 4, report 3 (marked by hand); 10 points in all"
    )
    for cell in EXAMPLE.master:
        if cell.kind in ("answer", "manual"):
            assert cells[cell.grade_id].source == cell.student
            assert "editable" not in cells[cell.grade_id].metadata
        elif cell.type == "code":
            assert cells[cell.grade_id].metadata.editable is False


def test_the_students_version_begins_like_a_page_of_the_book():
    page = read(ROOT / "notebooks" / "normalization" / "layer_norm.ipynb")
    notebook = student_version(EXAMPLE)
    assert notebook.cells[0].source == page.cells[0].source == install_cell()
    assert notebook.cells[0].metadata.tags == page.cells[0].metadata.tags
    assert notebook.metadata.kernelspec == page.metadata.kernelspec
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)


def test_both_versions_run(capsys):
    space = {}
    for cell in source_version(EXAMPLE).cells:
        if cell.cell_type == "code":
            exec(cell.source.split("### BEGIN HIDDEN")[0], space)
    space = {}
    failed = []
    for cell in student_version(EXAMPLE).cells:
        if cell.cell_type == "code":
            try:
                exec(cell.source, space)
            except NotImplementedError:
                failed.append(cell.id)
    assert failed == ["scale-check"]
    assert capsys.readouterr().out.count("squares:") == 2


def test_a_release_without_variants(tmp_path):
    paths = release(EXAMPLE, tmp_path)
    assert [str(p.relative_to(tmp_path)) for p in paths] == [
        "source/example/example.ipynb",
        "release/example/example.ipynb",
    ]
    assert [read(p) for p in paths] == [
        source_version(EXAMPLE),
        student_version(EXAMPLE),
    ]
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 2


def test_each_student_has_other_values_and_nothing_else(tmp_path):
    students = ["ada", "bob@school.org", "Zoë 3", "ada"]
    paths = release(EXAMPLE, tmp_path, students, salt=SALT)
    assert [p.relative_to(tmp_path).parts[:2] for p in paths[2:]] == [
        ("release", s) for s in students[:3]
    ]
    common = read(paths[1])
    assert by_id(common)["variant"].source == 'VARIANT = {"n": 4, "seed": 0}'
    sources = set()
    for student, path in zip(students, paths[2:], strict=False):
        notebook = read(path)
        assert SALT not in path.read_text()
        space = {}
        exec(by_id(notebook)["variant"].source, space)
        assert space["VARIANT"] == EXAMPLE.values(student, SALT)
        sources.add(by_id(notebook)["variant"].source)
        by_id(notebook)["variant"].source = by_id(common)["variant"].source
        assert notebook == common
    assert len(sources) == 3


def test_any_plain_value_is_written_so_that_it_is_read_back():
    values = {"n": [1.5e-300, None, True, {"a'\"\n": "π\\"}], "seed": "x" * 200}
    space = {}
    exec(by_id(student_version(EXAMPLE, values))["variant"].source, space)
    assert space["VARIANT"] == values


def test_due(tmp_path):
    due = datetime(2026, 12, 1, 19, tzinfo=timezone(timedelta(hours=1)))
    path = release(EXAMPLE, tmp_path, due=due)[1]
    header = by_id(read(path))["header"].source
    assert header.startswith("**Due:** 2026-12-01 18:00 UTC\n\n**Points:** ")
    said = read(path).metadata.coursework.due
    assert datetime.fromisoformat(said) == datetime(2026, 12, 1, 18, tzinfo=UTC)
    with pytest.raises(ValueError, match="due=2026-12-01 19:00:00: a time zone is"):
        student_version(EXAMPLE, due=due.replace(tzinfo=None))


def test_nothing_is_overwritten_silently(tmp_path):
    paths = release(EXAMPLE, tmp_path)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in paths}
    assert release(EXAMPLE, tmp_path) == paths
    assert release(EXAMPLE, tmp_path, ["ada"])[:2] == paths, "one more is no change"
    corrected = edited("A tiny", "A small")
    with pytest.raises(FileExistsError, match=r"source.*release.*it; --force"):
        release(corrected, tmp_path, ["bob"])
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in paths} == before
    assert not (tmp_path / "release" / "bob").exists()
    assert release(corrected, tmp_path, force=True) == paths
    assert "A small" in paths[0].read_text()
    assert "A small" in paths[1].read_text()


@pytest.mark.parametrize(
    "student", ["", " ", ".", "..", "../ada", "a/b", "a\\b", "a\n"]
)
def test_students_that_are_no_folders(student, tmp_path):
    with pytest.raises(
        ValueError, match=re.escape(f"student {student!r}: an id names")
    ):
        release(EXAMPLE, tmp_path, ["ada", student])
    assert not list(tmp_path.iterdir())


def test_a_student_like_the_assignment(tmp_path):
    with pytest.raises(ValueError, match="no assignment's name"):
        release(EXAMPLE, tmp_path, ["example"])
    without = dataclasses.replace(EXAMPLE, variant="")
    with pytest.raises(AssignmentError, match=r"example has no variant.py"):
        release(without, tmp_path, ["ada"])
    with pytest.raises(ValueError, match="it has 3 characters: at least 8"):
        release(EXAMPLE, tmp_path, ["ada"], salt="abc")
    with pytest.raises(ValueError, match="has stood in the guide"):
        release(EXAMPLE, tmp_path, ["ada"], salt="a secret of this course")


def test_the_values_that_were_released(tmp_path):
    _, common, own = release(EXAMPLE, tmp_path, ["ada"], salt=SALT)
    assert released_values(EXAMPLE, own) == EXAMPLE.values("ada", SALT)
    assert released_values(EXAMPLE, common) == EXAMPLE.values()
    text = own.read_text()
    for old, new, said in (
        ("'seed'", "'sad'", r"gives \['n', 'sad'\], the master \['n', 'seed'\]"),
        (
            "VARIANT = {",
            "VARIANT = open({",
            "has no variant cell: a variant cell holds",
        ),
        ('"id": "variant"', '"id": "other"', "has no variant cell"),
        ("{", "", "has no variant cell"),
    ):
        own.write_text(text.replace(old, new))
        with pytest.raises(AssignmentError, match=said):
            released_values(EXAMPLE, own)


IMAGE = base64.b64encode(b"\x89PNG\xff\xfe").decode()


def with_image(text, name="a.png", data=IMAGE):
    """The example as a notebook whose report has an image."""
    notebook = source_version(EXAMPLE)
    options = {"setup": {"setup": True}, "variant": {"variant": True}}
    options |= {"report": {"manual": "report", "points": 3}}
    options |= {name: {"question": name} for name in ("scale", "rms")}
    ours = {cell.grade_id for cell in EXAMPLE.master} - {"scale-check"}
    notebook.cells = [cell for cell in notebook.cells if cell.id in ours]
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(options.get(cell.id, {}))
    notebook.cells[-1].attachments = {name: {"image/png": data}}
    notebook.cells[-1].source += text
    return dataclasses.replace(EXAMPLE, text=nbformat.writes(notebook))


def test_images_of_the_marking_guide_stay_with_the_teacher(tmp_path):
    shown = with_image("\n\n![what you see](attachment:a.png)")
    paths = release(shown, tmp_path)
    assert by_id(read(paths[1]))["report"].attachments == {
        "a.png": {"image/png": IMAGE}
    }
    hidden = with_image("")
    source = hidden.text.replace("It doubles", "![](attachment:a.png) It doubles")
    hidden = dataclasses.replace(hidden, text=source)
    paths = release(hidden, tmp_path, force=True)
    assert IMAGE in paths[0].read_text()
    assert IMAGE not in paths[1].read_text()


LINE = "mean_square = x.square().mean(-1)"
GUIDE = "It doubles: the squares grow fourfold, so does their mean, and the root halves"
HINT = "You take the sum of the squares: divide it by the number of features."
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
SCORE = "from layers_book.coursework import score"
LEAKS = [
    ("A tiny", f"Think of `{LINE}`. A tiny", "cell 1 (text-1)", "the solution of rms"),
    ("A tiny", "`x.square( ).mean(\n-1)`", "cell 1 (text-1)", "the solution of rms"),
    ("def rms(x):\n", f"def rms(x):\n    {LINE}\n", "cell 10 (rms)", "the solution"),
    ("def rms(x):\n", f"def rms(x):\n    # {LINE}\n", "cell 10 (rms)", "the solution"),
    (
        "return mean_square",
        f"a\n{END}\n{LINE}\n{BEGIN}\n    b",
        "cell 10",
        "of rms",
    ),
    ("def scale", f"# {LINE}\ndef scale", "cell 5 (scale)", "the solution of rms"),
    ("**In words:**", f"<!-- {LINE} -->", "cell 11 (report)", "the solution of rms"),
    ('print("squares:', f'{LINE}\nmean_square.sqrt()\nprint("', "line by line", "rms"),
    ("A tiny", f"{GUIDE} that power. A tiny", "cell 1", "the marking guide of report"),
    ("ones = torch", f"# {GUIDE} that power.\nones = torch", "cell 6", "marking guide"),
    ("ones = torch", f"# {HINT}\nones = torch", "cell 6", "the hint of the wrong"),
    (
        "Write `rms(x)`",
        f"{HINT} Write `rms(x)`",
        "cell 9",
        "the hint of the wrong answer",
    ),
    (
        "A tiny",
        "torch.linalg.vector_norm(x, dim=-1) / x.shape[-1] ** 0.5",
        "1",
        "rms.py",
    ),
    ("A tiny", "`(x.mT * weight[:, None]).mT` tiny", "cell 1", "scale.py"),
    ("A tiny", f"{SALT} tiny", "cell 1 (text-1)", "the salt"),
    ("import torch\n", f"import torch\nX = '{SALT}'\n", "cell 2 (setup)", "the salt"),
    ("import torch\n", f"import torch\n{SCORE}\n", "cell 2 (setup)", repr(SCORE)),
]


@pytest.mark.parametrize(("old", "new", "where", "what"), LEAKS)
def test_a_leak(old, new, where, what, tmp_path):
    with pytest.raises(Leak, match=re.escape(where)) as caught:
        release(edited(old, new), tmp_path, salt=SALT)
    assert what in str(caught.value)
    assert not list(tmp_path.iterdir()), "nothing is written"


WRONG = 'Mistake(\n            name="no root",'
LONG = "mean_square = x.square().sum(-1) / 3"


def test_a_wrong_answer_is_not_shown(tmp_path):
    thirds = f'Mistake("One third is wrong.", answer="{LONG}", name="thirds")'
    text = EXAMPLE.files["rms"].replace(WRONG, f"{thirds},\n        {WRONG}")
    assert text != EXAMPLE.files["rms"]
    files = {**EXAMPLE.files, "rms": text}
    one_more = dataclasses.replace(EXAMPLE, files=files)
    release(one_more, tmp_path / "a")
    with pytest.raises(
        Leak, match=r"cell 1 .* a line of the wrong answer 'thirds' to r"
    ):
        release(edited("A tiny", LONG, one_more), tmp_path / "b")
    broken = edited('print("squares:"', f'{LONG}\nprint("squares:"', one_more)
    release(broken, tmp_path / "c")  # code to repair may be given as code
    release(
        edited("def rms(x):\n", f"def rms(x):\n    {LONG}\n", one_more), tmp_path / "d"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A tiny", "Use `return y` and `x * weight`. A tiny"),
        ("A tiny", "Write `def rms(x):` after `from torch import nn`. A tiny"),
        ('print("squares:', f'{LINE}\nprint("squares:'),  # part of it, as code
        ("ones = torch", f"{LINE}\nones = torch".replace("x.", "torch.ones(3).")),
        ("A tiny", "The root of the mean of the squares. A tiny"),
    ],
)
def test_no_leak(old, new, tmp_path):
    release(edited(old, new), tmp_path, salt=SALT)


SCALED = """\
    import torch.nn.functional as F
    # the weight is one number a feature
    def scaled_by(features, weight, eps=1e-5):
        return (features * weight).clone()
    return scaled_by(x, weight)"""


def test_imports_signatures_and_comments():
    solution = edited("    return x * weight", SCALED)

    def shown(cell, text):
        notebook = student_version(solution)
        by_id(notebook)[cell].source += f"\n{text}\n"
        return notebook

    first, comment, *code = SCALED.splitlines()
    check_leaks(shown("text-1", f"{first}\n{code[0]}"), solution)
    with pytest.raises(Leak, match="a line of the solution of scale: '# the weight"):
        check_leaks(shown("text-1", comment.replace("#", "")), solution)
    check_leaks(shown("code-1", code[1]), solution)
    with pytest.raises(Leak, match="shows the solution of scale line by line"):
        check_leaks(shown("code-1", "\n".join([first, *code])), solution)


def plant(where, text):
    notebook = student_version(EXAMPLE)
    cells = by_id(notebook)
    if where == "metadata":
        notebook.metadata.authors = [{"name": text}]
    elif where == "key":
        cells["text-1"].metadata[text] = 1
    elif where == "cell metadata":
        cells["text-1"].metadata.tags = [text]
    elif where == "attachment":
        cells["text-1"].attachments = {"a.txt": {"text/plain": text}}
    elif where == "attached image":
        data = base64.b64encode(f"<svg>{text}</svg>".encode()).decode()
        cells["text-1"].attachments = {"a.svg": {"image/svg+xml": data}}
    elif where == "added cell":
        notebook.cells.append(nbformat.v4.new_code_cell(text))
    else:
        cells[where].source += f"\n{text}"
    return notebook


PLACES = ["metadata", "key", "cell metadata", "attachment", "attached image"]
PLACES += ["added cell", "text-3", "scale", "report", "header"]
MARKS = ["### BEGIN SOLUTION", "### END SOLUTION", "### BEGIN HIDDEN TESTS"]
MARKS += ["BEGIN MARK SCHEME", "layers_book.coursework"]


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("text", [LINE, HINT, f"{GUIDE} that power.", SALT, *MARKS])
def test_a_leak_anywhere_in_the_file(where, text):
    assert check_leaks(student_version(EXAMPLE), EXAMPLE, SALT) is None
    with pytest.raises(Leak):
        check_leaks(plant(where, text), EXAMPLE, SALT)


def test_the_master_leaks_and_so_do_outputs():
    with pytest.raises(Leak, match=r"cell 5 \(scale\) shows '### BEGIN SOLUTION'"):
        check_leaks(source_version(EXAMPLE), EXAMPLE)
    notebook = student_version(EXAMPLE)
    by_id(notebook)["code-1"].outputs = [nbformat.v4.new_output("stream", text="1")]
    with pytest.raises(Leak, match=r"cell 8 \(code-1\): it has outputs"):
        check_leaks(notebook, EXAMPLE)


def test_every_line_of_a_solution_that_tells_something():
    """Each is found in prose, however it is wrapped."""
    body = "\n".join(
        f"    h_{i} = torch.tanh(x[{i}] @ w_ih.mT + h_{i} @ w_hh.mT)" for i in range(9)
    )
    longer = edited("    return x * weight", body)
    for line in body.splitlines():
        notebook = student_version(longer)
        inline = line.strip().split(" = ")[1].replace(" ", "\n")
        by_id(notebook)["text-2"].source += f"\n`{inline}`"
        with pytest.raises(Leak, match=r"cell 4 \(text-2\)") as caught:
            check_leaks(notebook, longer)
        assert line.strip() in str(caught.value)


def test_bytes_are_the_same_everywhere(tmp_path):
    paths = release(EXAMPLE, tmp_path)
    for path in paths:
        data = path.read_bytes()
        assert b"\r" not in data
        assert json.loads(data)["cells"][0]["id"] == "install"
        ids = [cell["id"] for cell in json.loads(data)["cells"]]
        assert len(set(ids)) == len(ids)
