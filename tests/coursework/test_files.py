"""Files are written whole, tables of our own come back as they were."""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers_book.coursework.files import (
    append_rows,
    beside,
    digest,
    mend,
    own_rows,
    sha256_of,
    write,
    write_new,
)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "x.txt"
    assert write(path, "one") == path
    write(path, "zwölf")
    assert path.read_bytes() == "zwölf".encode()
    before = path.stat().st_mtime_ns, path.stat().st_ino
    write(path, "zwölf".encode())
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert [p.name for p in path.parent.iterdir()] == ["x.txt"]


def test_what_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "x.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write(path, "\ud800")
    with pytest.raises(OSError), beside(path) as part:
        part.write_text("half")
        raise OSError("the disk is full")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize("links", [True, False])
def test_the_first_file_of_a_name_stays(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError("no links here")

    if not links:
        monkeypatch.setattr("os.link", refuses)
    path = tmp_path / "folder" / "x"
    assert write_new(path, b"one")
    assert write_new(path, b"one")
    assert not write_new(path, b"two")
    assert path.read_bytes() == b"one"
    assert [p.name for p in path.parent.iterdir()] == ["x"]


def test_digests() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_of(b"") == empty
    assert digest("a", ["b"], {"c": 1}) == digest("a", ["b"], {"c": 1})
    assert digest("ab", "c") != digest("a", "bc")


TEXTS = st.text(st.sampled_from("=+-@'\",;x \tä＝"), max_size=6)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5))
def test_a_table_of_our_own_comes_back(
    rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("table") / "x.csv"
    for row in rows:
        append_rows(path, ("a", "b"), [row])
    assert [(row["a"], row["b"]) for row in own_rows(path)] == rows
    for line in csv.reader(path.read_text().splitlines()):
        assert not any(re.search(r'(^|[;,|])[\s"]*[=+@＝-]', text) for text in line)


def test_a_line_that_a_killed_run_left_open_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    mend(path)
    append_rows(path, ("a",), [("1",)])
    path.write_bytes(path.read_bytes() + b"half")
    mend(path)
    append_rows(path, ("a",), [("2",)])
    assert [row["a"] for row in own_rows(path)] == ["1", "half", "2"]
