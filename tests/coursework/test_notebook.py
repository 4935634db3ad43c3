"""Reading a notebook that may be anything: what is right is read, the rest refused."""

import hashlib
import json
import os
import random
import signal
import socket
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import v3, v4

from layers_book.coursework.collect.notebook import (
    LIMIT,
    Submission,
    Unreadable,
    read,
)

ROOT = Path(__file__).parents[2]


def code(source="x = 1", grade_id=None, **nbgrader):
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source,
    }
    if grade_id is not None:
        cell["metadata"]["nbgrader"] = {"grade_id": grade_id, **nbgrader}
    return cell


def notebook(*cells, **more):
    book = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book | more).encode()


def answers(submission):
    return {cell.grade_id: cell.source for cell in submission.cells if cell.grade_id}


def sources(submission):
    return [(cell.type, cell.source, cell.grade_id) for cell in submission.cells]


def refused(data):
    with pytest.raises(Unreadable) as caught:
        read(data)
    return str(caught.value)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").rglob("*.ipynb"))[:8])
def test_cells_are_those_that_nbformat_reads(path):
    theirs = nbformat.read(path, as_version=4)
    ours = read(path)
    assert sources(ours) == [
        (
            cell.cell_type,
            cell.source,
            cell.metadata.get("nbgrader", {}).get("grade_id", ""),
        )
        for cell in theirs.cells
    ]
    assert ours.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert ours.notes == ()
    assert read(str(path)) == read(path.read_bytes()) == ours


def test_format_3_is_converted_as_nbformat_does():
    metadata = {"nbgrader": {"grade_id": "batch_norm"}}
    worksheet = v3.new_worksheet(
        cells=[
            v3.new_heading_cell("Norms", level=2),
            v3.new_text_cell("markdown", source="a *b*"),
            v3.new_text_cell("html", source="<b>c</b>"),
            v3.new_text_cell("raw", source="d"),
            v3.new_code_cell(input="x = 1\ny = 2", metadata=metadata),
        ]
    )
    old = v3.new_notebook(worksheets=[worksheet, v3.new_worksheet()])
    theirs = v4.upgrade(nbformat.from_dict(old))
    ours = read(v3.writes_json(old).encode())
    assert [(cell.type, cell.source) for cell in ours.cells] == [
        (cell.cell_type, cell.source) for cell in theirs.cells
    ]
    assert answers(ours) == {"batch_norm": "x = 1\ny = 2"}


def test_a_byte_order_mark_and_a_source_in_lines_are_read():
    plain = notebook(code("x = 'é'\ny = 2", "a"))
    lines = notebook(code(["x = 'é'\n", "y = 2"], "a"))
    assert answers(read(plain)) == {"a": "x = 'é'\ny = 2"}
    assert answers(read(lines)) == answers(read(plain))
    marked = b"\xef\xbb\xbf" + plain
    assert answers(read(marked)) == answers(read(plain))
    assert read(marked).sha256 == hashlib.sha256(marked).hexdigest()


def test_only_the_id_and_the_source_are_believed():
    forged = code("x = 1", "a", points=1e9, locked=False, grade=True, solution=True)
    assert read(notebook(forged)).cells == read(notebook(code("x = 1", "a"))).cells
    assert sources(read(notebook(forged))) == [("code", "x = 1", "a")]


def test_copies_of_a_cell_are_all_read():
    book = notebook(code("1", "batch_norm"), code("2"), code("3", "batch_norm"))
    submission = read(book)
    assert [cell.grade_id for cell in submission.cells] == [
        "batch_norm",
        "",
        "batch_norm",
    ]
    assert submission.notes == ()


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"coursework": {"assignment": "basic"}}, "basic"),
        ({"coursework": {"assignment": "<b>"}}, ""),
        ({"coursework": {"assignment": 5}}, ""),
        ({"coursework": "basic"}, ""),
        (None, ""),
    ],
)
def test_the_assignment_that_a_notebook_names(metadata, name):
    assert read(notebook(code(), metadata=metadata)).assignment == name


@pytest.mark.parametrize(
    ("cell", "kept", "word"),
    [
        (None, None, "no cell"),
        ([], None, "no cell"),
        ("x", None, "no cell"),
        ({}, None, "no cell"),
        ({"cell_type": ["code"], "source": "x"}, None, "no cell"),
        ({"cell_type": "heading", "source": "x"}, None, "no cell"),
        (code(None, "a"), ("code", "", "a"), "no text"),
        (code(5, "a"), ("code", "", "a"), "no text"),
        (code(["x", 5], "a"), ("code", "", "a"), "no text"),
        (code({"x": 1}, "a"), ("code", "", "a"), "no text"),
        (code() | {"metadata": None}, ("code", "x = 1", ""), "metadata"),
        (code() | {"metadata": [1]}, ("code", "x = 1", ""), "metadata"),
        (code() | {"metadata": {"nbgrader": 1}}, ("code", "x = 1", ""), "metadata"),
        (code("x", 5), ("code", "x", ""), "metadata"),
        (code("x", ["a"]), ("code", "x", ""), "metadata"),
        (code("x", "<script>"), ("code", "x", ""), "metadata"),
        (code("x", "a" * 5000), ("code", "x", ""), "metadata"),
    ],
)
def test_a_damaged_cell_is_noted_and_the_others_are_read(cell, kept, word):
    submission = read(notebook(code("1", "first"), cell, code("3", "last")))
    assert sources(submission) == [
        ("code", "1", "first"),
        *([kept] if kept else []),
        ("code", "3", "last"),
    ]
    assert len(submission.notes) == 1 and word in submission.notes[0]
    assert "cell 2" in submission.notes[0]


def test_notes_are_few_even_when_all_is_odd():
    assert len(read(notebook(*[None] * 1500)).notes) <= 21


def test_text_can_be_written_again():
    submission = read(notebook(code("a\ud800b\r\nc\rd 😀", "x")))
    assert answers(submission) == {"x": "a�b\nc\nd 😀"}
    answers(submission)["x"].encode()


DEEP = b"[" * 200_000


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n\t", "empty"),
        (notebook(code()).decode().encode("utf-16"), "UTF-16"),
        (notebook(code()).decode().encode("utf-16-le"), "UTF-16"),
        (notebook(code()).decode().encode("utf-16-be"), "UTF-16"),
        (notebook(code()).decode().encode("utf-32"), "UTF-32"),
        ('{"a": "é"}'.encode("latin-1"), "not UTF-8 text (byte 0xE9 in line 1"),
        (b"\n\n\xff", "line 3"),
        (b"PK\x03\x04...", "a zip archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"\n<!DOCTYPE html>", "a web page"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"import torch", "not JSON in line 1, column 1"),
        (notebook(code())[:-20], "damaged"),
        (notebook(code()) + b"{}", "damaged"),
        (DEEP, "too deeply"),
        (b'{"a":' * 100_000, "too deeply"),
        (b'{"nbformat": 4, "cells": ' + DEEP, "too deeply"),
        (b'{"nbformat": ' + b"9" * 10_000 + b"}", "too many digits"),
        (b'{"nbformat": 1' + b"0" * 4000 + b"}", "nbformat 1000"),
        (b"[]", "no notebook"),
        (b"null", "no notebook"),
        (b"NaN", "no notebook"),
        (b'"text"', "no notebook"),
        (b"{}", "no notebook"),
        (b'{"cells": []}', "no notebook"),
        (notebook(nbformat=True), "nbformat is no number"),
        (notebook(nbformat="4"), "nbformat is no number"),
        (notebook(nbformat=4.0), "nbformat is no number"),
        (notebook(nbformat=float("nan")), "nbformat is no number"),
        (notebook(nbformat=[4]), "nbformat is no number"),
        (notebook(nbformat=2), "nbformat 2"),
        (notebook(nbformat=5), "nbformat 5"),
        (notebook(nbformat=-4), "nbformat -4"),
        (notebook(cells=None), "no list of cells"),
        (notebook(cells={"0": code()}), "no list of cells"),
        (notebook(cells="code"), "no list of cells"),
        (b'{"nbformat": 4}', "no list of cells"),
        (b'{"nbformat": 3}', "no list of cells"),
        (b'{"nbformat": 3, "worksheets": [5]}', "no list of cells"),
        (b'{"nbformat": 3, "worksheets": [{"cells": 5}]}', "no list of cells"),
        (notebook(*[code()] * 2001), "2001 cells: at most 2000"),
        (notebook(code("x" * LIMIT)), "larger than 10 MB"),
    ],
)
def test_what_is_no_notebook_is_refused_with_the_reason(data, words):
    reason = refused(data)
    assert words in reason
    assert "\n" not in reason and len(reason) < 200


def test_limits_are_inclusive():
    assert len(read(notebook(*[code()] * 2000)).cells) == 2000
    empty = len(notebook(code("")))
    assert len(read(notebook(code("x" * (LIMIT - empty)))).cells) == 1


def test_odd_but_honest_json_is_read():
    twice = b'{"nbformat": 3, "nbformat": 4, "cells": [], "cells": [%s], "x": NaN}'
    assert answers(read(twice % json.dumps(code("1", "a")).encode())) == {"a": "1"}


def test_metadata_of_format_3_may_be_anything():
    for cell in (
        None,
        {},
        {"cell_type": []},
        {"cell_type": "heading", "level": 1.0, "source": "x"},
        {"cell_type": "heading", "level": 10**9, "source": "x"},
        {"cell_type": "heading", "level": "2", "source": ["x"]},
        {"cell_type": "code", "input": 7, "metadata": 7},
    ):
        book = {"nbformat": 3, "worksheets": [{"cells": [cell]}]}
        assert isinstance(read(json.dumps(book).encode()), Submission)


class TestFiles:
    @pytest.fixture
    def good(self, tmp_path):
        path = tmp_path / "good.ipynb"
        path.write_bytes(notebook(code("1", "a")))
        return path

    def test_a_link_is_not_followed(self, good, tmp_path):
        link = tmp_path / "link.ipynb"
        link.symlink_to(good)
        assert "symbolic link" in refused(link)
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        assert "symbolic link" in refused(tmp_path / "loop")
        assert answers(read(good)) == {"a": "1"}

    def test_a_fifo_does_not_hang(self, tmp_path):
        def hangs(*arguments):
            raise TimeoutError

        os.mkfifo(tmp_path / "x.ipynb")
        before = signal.signal(signal.SIGALRM, hangs)
        signal.alarm(20)
        try:
            assert "no regular file" in refused(tmp_path / "x.ipynb")
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)

    def test_devices_sockets_and_folders(self, tmp_path):
        assert "no regular file" in refused("/dev/zero")
        assert "no regular file" in refused("/dev/null")
        assert "no regular file" in refused(tmp_path)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "s"))
            assert "cannot be opened" in refused(tmp_path / "s")

    def test_what_is_not_there_or_has_no_possible_name(self, tmp_path, good):
        assert "cannot be opened" in refused(tmp_path / "none.ipynb")
        assert "cannot be opened" in refused(good / "x.ipynb")
        assert "cannot be opened" in refused(str(tmp_path / "a\0b"))
        assert "cannot be opened" in refused(tmp_path / ("x" * 5000))

    def test_a_huge_file_is_not_read_whole(self, tmp_path):
        with (tmp_path / "huge.ipynb").open("wb") as file:
            file.truncate(2**40)
        assert refused(tmp_path / "huge.ipynb") == "the file is larger than 10 MB"

    def test_no_file_stays_open(self, tmp_path, good):
        os.mkfifo(tmp_path / "fifo")
        before = len(list(Path("/proc/self/fd").iterdir()))
        for path in (good, tmp_path, tmp_path / "fifo", tmp_path / "none", "/dev/zero"):
            try:
                read(path)
            except Unreadable:
                continue
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def harmless(data):
    """Anything may be refused, but only so, and what is read can be written."""
    try:
        submission = read(data)
    except Unreadable as error:
        assert str(error).encode().isascii()
        return False
    assert len(submission.cells) <= 2000
    json.dumps([submission.notes, sources(submission)]).encode()
    "".join(cell.source for cell in submission.cells).encode()
    return True


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes(data):
    harmless(data)


KEYS = ["cells", "worksheets", "cell_type", "source", "input", "level", "metadata"]
KEYS += ["nbgrader", "grade_id", "nbformat"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([3, 4, "code", "markdown", "a", "b"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(VALUES, st.sampled_from([3, 4]), st.booleans())
def test_random_structures(value, version, whole):
    cells = [value, *value] if isinstance(value, list) else [value]
    book = {"nbformat": version, "cells": cells, "worksheets": [{"cells": cells}]}
    harmless(json.dumps(value if whole else book).encode())


def test_mutated_notebooks():
    draw = random.Random(0)
    seed = notebook(
        code(["import torch\n", "x = 'é😀'"], "batch_norm", points=3),
        {"cell_type": "markdown", "metadata": {}, "source": "# Norms"},
        code("", "other"),
    )
    read_after = 0
    for _ in range(3000):
        data = bytearray(seed)
        for _ in range(draw.randint(1, 4)):
            i = draw.randrange(len(data))
            j = min(len(data), i + draw.randint(0, 20))
            match draw.randrange(4):
                case 0:
                    data[i] = draw.randrange(256)
                case 1:
                    del data[i:j]
                case 2:
                    data[i:i] = data[draw.randrange(len(data)) :][: j - i]
                case 3:
                    data[i:i] = draw.choice([b'"', b"[", b"{", b"null", b"1e999", b"-"])
            data = data or bytearray(seed)
        read_after += harmless(bytes(data))
    assert read_after > 100  # some mutations must leave a notebook
