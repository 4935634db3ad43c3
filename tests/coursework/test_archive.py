"""Hostile zips and folders: nothing is followed, unpacked without bound, or fatal."""

import io
import json
import os
import random
import shutil
import socket
import struct
import tracemalloc
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from layers_book.coursework.collect import archive
from layers_book.coursework.collect.archive import inside, opened
from layers_book.coursework.collect.download import collect
from layers_book.coursework.collect.notebook import LIMIT, Unreadable

NAME = "normalization"
NOW = datetime(2036, 12, 1, 12, tzinfo=UTC)
CELL = {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": "a"}}, "source": "1"}
NOTEBOOK = json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4}).encode()


@pytest.fixture
def course(tmp_path):
    (tmp_path / "course").mkdir()
    return tmp_path / "course"


def make(path, files, method=zipfile.ZIP_DEFLATED):
    """A zip of names or `ZipInfo`s."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path


def inner(*files, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    make(buffer, files, method)
    return buffer.getvalue()


def told(source, course):
    receipts = collect(source, course, NAME, now=NOW, roster=())
    return {receipt.file: (receipt.state, receipt.reason) for receipt in receipts}


def info(name, mode=0, **attributes):
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    made.compress_type = zipfile.ZIP_DEFLATED
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


GOOD = ("bob/x.ipynb", NOTEBOOK)
FINE = {"bob/x.ipynb": ("submitted", "")}


class TestZip:
    @pytest.mark.parametrize(
        ("name", "label"),
        [
            ("../../evil/x.ipynb", "../../evil/x.ipynb"),
            ("ada/../../x.ipynb", "ada/../../x.ipynb"),
            ("/etc/x.ipynb", "etc/x.ipynb"),
            ("..\\..\\x.ipynb", "../../x.ipynb"),
            ("C:\\x\\x.ipynb", "C:/x/x.ipynb"),
            ("\\\\host\\x.ipynb", "host/x.ipynb"),
        ],
    )
    def test_paths_that_lead_out(self, tmp_path, course, name, label):
        source = make(tmp_path / "e.zip", [GOOD, (name, NOTEBOOK)])
        before = set(tmp_path.rglob("*"))
        expected = ("rejected", "its path leads out of the archive")
        assert told(source, course) == {**FINE, label: expected}
        made = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
        assert made == {path.relative_to(tmp_path).parts[0] for path in before}

    def test_backslashes_of_windows_part_folders(self, tmp_path, course):
        source = make(tmp_path / "e.zip", [("bob\\x.ipynb", NOTEBOOK), ("bob\\", b"")])
        assert told(source, course) == FINE

    def test_links_and_devices(self, tmp_path, course):
        files = [
            GOOD,
            (info("ada/x.ipynb", 0o120777), b"/etc/passwd"),
            (info("eve/x.ipynb", 0o010644), b""),
        ]
        found = told(make(tmp_path / "e.zip", files), course)
        assert found == {
            **FINE,
            "ada/x.ipynb": ("rejected", "a symbolic link: not followed"),
            "eve/x.ipynb": (
                "rejected",
                "no regular file, but a pipe, socket or device",
            ),
        }

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_methods_that_unpack_without_bound(self, tmp_path, course, method):
        bomb = (info("ada/x.ipynb", compress_type=method), b"0" * 10**7)
        found = told(make(tmp_path / "e.zip", [GOOD, bomb]), course)
        assert found["bob/x.ipynb"] == FINE["bob/x.ipynb"]
        assert "only deflate" in found["ada/x.ipynb"][1]

    def test_encrypted(self, tmp_path, course):
        data = bytearray(inner(("ada/x.ipynb", NOTEBOOK), GOOD))
        data[data.index(b"PK\3\4") + 6] |= 1
        data[data.index(b"PK\1\2") + 8] |= 1
        (tmp_path / "e.zip").write_bytes(data)
        assert told(tmp_path / "e.zip", course) == {
            **FINE,
            "ada/x.ipynb": ("rejected", "encrypted with a password"),
        }

    def test_a_bomb_costs_little(self, tmp_path, course):
        bomb = ("ada/x.ipynb", b" " * 60 * 2**20)
        source = make(tmp_path / "e.zip", [GOOD, bomb])
        assert source.stat().st_size < 10**5
        del bomb
        tracemalloc.start()
        found = told(source, course)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found["bob/x.ipynb"] == FINE["bob/x.ipynb"]
        assert found["ada/x.ipynb"][0] == "rejected"
        assert found["ada/x.ipynb"][1].startswith("the file is larger than 10 MB: ")
        assert peak < 3 * LIMIT

    def test_a_file_packed_too_densely(self, tmp_path, course):
        source = make(tmp_path / "e.zip", [GOOD, ("ada/x.ipynb", b"\0" * 9 * 2**20)])
        assert "zip bomb" in told(source, course)["ada/x.ipynb"][1]

    @pytest.mark.parametrize("size", [0, 5, 2**31])
    def test_a_header_that_lies_about_the_size(self, tmp_path, course, size):
        data = bytearray(inner(("ada/x.ipynb", b" " * 20 * 2**20), GOOD))
        at = data.index(b"PK\1\2") + 24
        data[at : at + 4] = struct.pack("<I", size)
        (tmp_path / "e.zip").write_bytes(data)
        found = told(tmp_path / "e.zip", course)
        assert found["bob/x.ipynb"] == FINE["bob/x.ipynb"]
        assert found["ada/x.ipynb"][0] == "rejected"

    def test_a_damaged_entry_spoils_no_other(self, tmp_path, course):
        noise = random.Random(0).randbytes(500)
        data = bytearray(inner(("ada/x.ipynb", noise), GOOD))
        data[data.index(b"x.ipynb") + 100] ^= 0xFF
        (tmp_path / "e.zip").write_bytes(data)
        assert told(tmp_path / "e.zip", course) == {
            **FINE,
            "ada/x.ipynb": ("rejected", "the file is damaged in the zip"),
        }

    def test_a_damaged_zip_is_refused_whole(self, tmp_path, course):
        whole = inner(GOOD)
        for data in (b"", b"PK", b"no zip at all", whole[:-30], b"\x1f\x8b"):
            (tmp_path / "e.zip").write_bytes(data)
            with pytest.raises(ValueError, match="neither a folder nor a sound zip"):
                told(tmp_path / "e.zip", course)
        os.mkfifo(tmp_path / "fifo.zip")
        with pytest.raises(ValueError, match="a folder or a zip is needed"):
            told(tmp_path / "fifo.zip", course)
        assert not list(course.iterdir())

    def test_mutated_zips_raise_nothing_else(self, tmp_path, course):
        draw = random.Random(1)
        seed = inner(
            GOOD, ("ada/y.zip", inner(("x.ipynb", NOTEBOOK))), ("eve.pdf", b"")
        )
        outcomes = set()
        for _ in range(150):
            data = bytearray(seed)
            for _ in range(draw.randint(1, 3)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            (tmp_path / "e.zip").write_bytes(data)
            try:
                outcomes |= {
                    state for state, _ in told(tmp_path / "e.zip", course).values()
                }
            except ValueError:
                outcomes.add("refused")
            try:
                for entry in inside(bytes(data), "x"):
                    entry.load(LIMIT)
            except Unreadable:
                continue
        assert {"refused", "rejected", "already received"} <= outcomes

    def test_too_many_files(self, tmp_path, course, monkeypatch):
        monkeypatch.setattr(archive, "FILES", 3)
        files = [(f"s{i}/x.ipynb", NOTEBOOK) for i in range(4)]
        with pytest.raises(ValueError, match="more than 3 files"):
            told(make(tmp_path / "e.zip", files), course)
        assert len(told(make(tmp_path / "e.zip", files[:3]), course)) == 3

    def test_names_in_each_encoding(self, tmp_path, course):
        marked = inner(("zoë ñ.ipynb", NOTEBOOK))
        unmarked = bytearray(marked)
        unmarked[unmarked.index(b"PK\3\4") + 7] &= ~8
        unmarked[unmarked.index(b"PK\1\2") + 9] &= ~8
        old = marked.replace("zoë ñ".encode(), "zoéñ__".encode("cp437") + b"_")
        old = bytearray(old)
        old[old.index(b"PK\3\4") + 7] &= ~8
        old[old.index(b"PK\1\2") + 9] &= ~8
        names = []
        for data in (marked, unmarked, old):
            (tmp_path / "e.zip").write_bytes(data)
            with opened(tmp_path / "e.zip") as found:
                names += [entry.label for entry in found]
                assert found[0].load(LIMIT) == NOTEBOOK
        assert names == ["zoë ñ.ipynb", "zoë ñ.ipynb", "zoéñ___.ipynb"]

    def test_names_are_fit_to_print(self, tmp_path, course):
        nasty = "a\x1b[31m\u202e\n\u2028\ud800/x.ipynb"
        folder = tmp_path / "f"
        (folder / os.fsdecode(b"\xff\x01b")).mkdir(parents=True)
        (folder / os.fsdecode(b"\xff\x01b") / "x.ipynb").write_bytes(NOTEBOOK)
        (folder / nasty[:-9].rstrip("\ud800")).mkdir()
        (folder / nasty[:-9].rstrip("\ud800") / "x.ipynb").write_bytes(NOTEBOOK)
        found = told(folder, course)
        assert len(found) == 2
        for label in found:
            assert label.isprintable() and label.encode()

    def test_one_name_twice(self, tmp_path, course):
        with pytest.warns(UserWarning, match="Duplicate name"):
            source = make(tmp_path / "e.zip", [GOOD, GOOD])
        receipts = collect(source, course, NAME, now=NOW, roster=())
        assert [r.state for r in receipts] == ["submitted", "already received"]


class TestZipOfAStudent:
    def test_one_level_is_opened(self, tmp_path, course):
        files = [
            ("ada/a.zip", inner(("w/x.ipynb", NOTEBOOK), ("w/y.py", b""))),
            ("bob.zip", inner(("x.ipynb", NOTEBOOK))),
            ("eve/a.zip", inner(("b.zip", inner(("x.ipynb", NOTEBOOK))))),
            ("kim/a.zip", inner()),
            ("lee/a.zip", b"PK\3\4 no"),
            ("mia/a.zip", inner(("../../x.ipynb", NOTEBOOK))),
            ("ned_1_2_A.ZIP", inner(("._x.ipynb", b""), ("x.ipynb", NOTEBOOK))),
        ]
        found = told(make(tmp_path / "e.zip", files), course)
        assert found == {
            "ada/a.zip/w/x.ipynb": ("submitted", ""),
            "ada/a.zip/w/y.py": ("rejected", "not a notebook (.py)"),
            "bob.zip/x.ipynb": ("submitted", ""),
            "eve/a.zip/b.zip": ("rejected", "a zip in a zip: not opened"),
            "kim/a.zip": ("rejected", "the zip is empty"),
            "lee/a.zip": ("rejected", "the zip is damaged, or no zip"),
            "mia/a.zip/../../x.ipynb": (
                "rejected",
                "its path leads out of the archive",
            ),
            "ned_1_2_A.ZIP/._x.ipynb": (
                "rejected",
                "no submission, but a file that macOS adds",
            ),
            "ned_1_2_A.ZIP/x.ipynb": ("submitted", ""),
        }
        assert {path.name for path in (course / "submitted").iterdir()} == {
            "ada",
            "bob",
            "ned",
        }

    def test_it_may_not_hold_many_files(self, tmp_path, course):
        many = inner(*((f"{i}.txt", b"") for i in range(2001)))
        found = told(make(tmp_path / "e.zip", [GOOD, ("ada/a.zip", many)]), course)
        assert "more than 2000 files" in found["ada/a.zip"][1]

    def test_it_may_not_unpack_to_much(self, tmp_path, course):
        line = random.Random(0).randbytes(600).hex().encode()
        file = NOTEBOOK + b" " * 100 + line * (9 * 2**20 // len(line))
        bomb = inner(*((f"{i:02}.ipynb", file) for i in range(20)))
        assert len(bomb) < LIMIT
        found = told(make(tmp_path / "e.zip", [GOOD, ("ada/a.zip", bomb)]), course)
        reasons = [reason for label, (_, reason) in found.items() if "ada" in label]
        assert reasons[0].startswith("the file is damaged or no notebook")
        assert reasons[-1] == "the zip holds more than 50 MB"
        assert len(list(course.glob("received/*/ada/*"))) == 1  # all alike

    def test_entries_that_overlap(self, tmp_path, course):
        """One compressed stream that a thousand entries share."""
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        plain = b"[" + b"1," * 2**21 + b"1]"
        stream = packer.compress(plain) + packer.flush()
        crc = zlib.crc32(plain)
        head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, 0, 0, 1, 0)
        local = head + b"a" + stream
        central = b""
        for _ in range(1000):
            central += struct.pack(
                "<4s6H3L5H2L",
                b"PK\1\2",
                20,
                20,
                0,
                8,
                0,
                33,
                crc,
                len(stream),
                len(plain),
                1,
                0,
                0,
                0,
                0,
                0,
                0,
            )
            central += b"a"
        end = struct.pack(
            "<4s4H2LH", b"PK\5\6", 0, 0, 1000, 1000, len(central), len(local), 0
        )
        listed = inside(local + central + end, "x.zip")
        assert len(listed) == 1000
        total = 0
        for entry in listed:
            try:
                total += len(entry.load(LIMIT))
            except Unreadable:
                continue
        assert total <= 5 * LIMIT


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "f/bob").mkdir(parents=True)
        (tmp_path / "f/bob/x.ipynb").write_bytes(NOTEBOOK)
        (tmp_path / "f/ada").mkdir()
        return tmp_path / "f"

    def test_links_pipes_and_sockets(self, tmp_path, course, folder):
        (tmp_path / "secret").mkdir()
        (tmp_path / "secret/s.ipynb").write_bytes(NOTEBOOK)
        (folder / "ada/link.ipynb").symlink_to(folder / "bob/x.ipynb")
        (folder / "ada/folder").symlink_to(tmp_path / "secret")
        (folder / "ada/loop").symlink_to(folder)
        (folder / "ada/dangling.ipynb").symlink_to("nowhere")
        os.mkfifo(folder / "ada/pipe.ipynb")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(folder / "ada/s.ipynb"))
            found = told(folder, course)
        link = ("rejected", "a symbolic link: not followed")
        special = ("rejected", "no regular file, but a pipe, socket or device")
        assert found == {
            **FINE,
            "ada/link.ipynb": link,
            "ada/folder": link,
            "ada/loop": link,
            "ada/dangling.ipynb": link,
            "ada/pipe.ipynb": special,
            "ada/s.ipynb": special,
        }

    def test_junk_is_told(self, course, folder):
        junk = {
            ".DS_Store": "macOS",
            "__MACOSX/bob/._x.ipynb": "macOS",
            "bob/._x.ipynb": "macOS",
            "bob/Thumbs.db": "Windows",
            "desktop.ini": "Windows",
            "bob/.ipynb_checkpoints/x-checkpoint.ipynb": "Jupyter",
            "bob/report.pdf": "not a notebook (.pdf)",
            "bob/x.py": "not a notebook (.py)",
            "bob/README": "no ending",
            "bob/x.html": "not a notebook (.html)",
            "bob/empty.ipynb": "the file is empty",
            "bob/huge.ipynb": "larger than 10 MB",
        }
        for name in junk:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"")
        os.truncate(folder / "bob/huge.ipynb", 2**30)
        (folder / "ada/x.ipynb").write_bytes(NOTEBOOK)
        found = told(folder, course)
        assert found.pop("ada/x.ipynb") == ("submitted", "")
        assert found.pop("bob/x.ipynb") == ("submitted", "")
        assert found.keys() == junk.keys()
        for name, word in junk.items():
            assert found[name][0] == "rejected" and word in found[name][1]

    def test_very_deep_folders(self, course, folder):
        here = os.open(folder / "ada", os.O_RDONLY)
        for _ in range(1100):
            os.mkdir("dddd", dir_fd=here)
            deeper = os.open("dddd", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
        os.close(here)
        found = told(folder, course)
        assert found.pop("bob/x.ipynb") == ("submitted", "")
        (reason,) = [reason for _, reason in found.values()]
        assert reason == "the folder cannot be opened: File name too long"
        remove_deep(folder / "ada")

    def test_an_empty_folder(self, tmp_path, course):
        (tmp_path / "empty").mkdir()
        assert told(tmp_path / "empty", course) == {}

    def test_a_zip_among_the_students_folders(self, course, folder):
        (folder / "kim.zip").write_bytes(inner(("y.ipynb", NOTEBOOK)))
        found = told(folder, course)
        assert found == {**FINE, "kim.zip/y.ipynb": ("submitted", "")}

    def test_files_that_vanish_or_turn_meanwhile(self, course, folder, monkeypatch):
        with opened(folder) as listed:
            (folder / "bob/x.ipynb").unlink()
            with pytest.raises(Unreadable, match="cannot be opened"):
                listed[0].load(LIMIT)
            (folder / "bob/x.ipynb").symlink_to("/etc/passwd")
            with pytest.raises(Unreadable, match="symbolic link"):
                listed[0].load(LIMIT)


def remove_deep(folder: Path) -> None:
    """Remove a chain of folders whose path is too long to name."""
    for part in range(20):
        deep = folder / "/".join(["dddd"] * 100)
        if not deep.is_dir():
            break
        deep.rename(folder.parent / f"part{part}")
        shutil.rmtree(folder)
        (folder.parent / f"part{part}").rename(folder)
    shutil.rmtree(folder)
