"""Collecting an LMS's export: every file is a submission or told why not."""

import csv
import fcntl
import hashlib
import io
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import struct
import tempfile
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.utils import parse_utc

from layers_book.coursework.collect import summary
from layers_book.coursework.collect.download import collect
from layers_book.coursework.collect.layouts import LAYOUTS, columns, readings
from layers_book.coursework.collect.notebook import LIMIT, read
from layers_book.coursework.collect.paths import Owner, fold, path_info
from layers_book.coursework.collect.students import SAFE, ids
from layers_book.coursework.course import Course, Student

NAME = "normalization"
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROSTER = [
    Student("ada", "Ada Lovelace", "ada@x.org", "", "12345"),
    Student("zoe1", "Zoë O'Hara-Łuk", "z@x.org"),
    Student("jan1", "Jan Kowalski"),
    Student("jan2", "Jan Kowalski", moodle="Jan Kowalski 2002"),
    Student("wang", "王小明", canvas="777"),
]


def notebook(text="1", grade_id="batch_norm"):
    metadata = {"nbgrader": {"grade_id": grade_id}} if grade_id else {}
    cell = {"cell_type": "code", "metadata": metadata, "outputs": [], "source": text}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}).encode()


def stamp(time):
    return f"{time:%Y%m%dT%H%M%SZ}"


def write_zip(path, files, at=NOON):
    """Files by path; a value may be bytes, or bytes and when they came."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in files if isinstance(files, list) else files.items():
            data, when = value if isinstance(value, tuple) else (value, at)
            info = zipfile.ZipInfo(name, when.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


def write_folder(path, files, at=NOON):
    for name, value in files.items():
        data, when = value if isinstance(value, tuple) else (value, at)
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
        os.utime(path / name, (when.timestamp(),) * 2)
    return path


def zipped(files):
    buffer = io.BytesIO()
    write_zip(buffer, files)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def course(tmp_path):
    (tmp_path / "course").mkdir()
    return tmp_path / "course"


def run(source, course, roster=(), now=NOW, **more):
    return collect(source, course, NAME, now=now, roster=roster, **more)


def states(receipts):
    return {receipt.file: (receipt.student, receipt.state) for receipt in receipts}


def submitted(course, student):
    path = course / "submitted" / student / NAME / f"{NAME}.ipynb"
    return path.read_bytes() if path.exists() else None


def received(course, student):
    folder = course / "received" / NAME / student
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


def table(course, name):
    with (course / "received" / NAME / name).open(newline="") as file:
        return list(csv.DictReader(file))


def tree(folder):
    """All files but the report, which grows."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "report.csv"
    }


class TestMoodle:
    def test_folders(self, tmp_path, course):
        source = write_zip(
            tmp_path / "CS-norm-12.zip",
            {
                "Ada Lovelace_123456_assignsubmission_file_/norm (1).ipynb": notebook(),
                "Ada Lovelace_123456_assignsubmission_file_/plot.pdf": b"%PDF",
                "Ada Lovelace_123456_assignsubmission_onlinetext_/onlinetext.html": b"",
                "Zoë O'Hara_22_assignsubmission_file_/deep/er/x.ipynb": notebook("2"),
                "Team 7_5_assignsubmission_file_/x.ipynb": notebook("3"),
                "Default group_assignsubmission_file_/x.ipynb": notebook("4"),
            },
        )
        receipts = run(source, course)
        assert [(r.student, r.state, r.reason) for r in receipts] == [
            ("ada-lovelace", "submitted", ""),
            ("ada-lovelace", "rejected", "not a notebook (.pdf)"),
            ("ada-lovelace", "rejected", "text typed into Moodle, not a notebook"),
            ("default-group", "submitted", ""),
            ("team-7", "submitted", ""),
            ("zoe-o-hara", "submitted", ""),
        ]
        assert submitted(course, "zoe-o-hara") == notebook("2")

    def test_flat(self, tmp_path, course):
        source = write_zip(
            tmp_path / "x.zip",
            {
                "Ada Lovelace_1_assignsubmission_file_normalization.ipynb": notebook(),
                "Ada Lovelace_1_assignsubmission_onlinetext_onlinetext.html": b"x",
                "Jan Kowalski_2_assignsubmission_file_my_work_3.ipynb": notebook("2"),
            },
        )
        assert list(states(run(source, course, ROSTER)).values())[:2] == [
            ("ada", "submitted"),
            ("ada", "rejected"),
        ]

    def test_names_decide_and_nothing_is_guessed(self, tmp_path, course):
        source = write_folder(
            tmp_path / "export",
            {
                "LOVELACE Ada_9_assignsubmission_file_/x.ipynb": notebook("1"),
                "zoe ohara-Łuk_8_assignsubmission_file_/x.ipynb": notebook("2"),
                "Jan Kowalski_2001_assignsubmission_file_/x.ipynb": notebook("3"),
                "Jan Kowalski_2002_assignsubmission_file_/x.ipynb": notebook("4"),
                "Eve_12345_assignsubmission_file_/x.ipynb": notebook("5"),
                "王小明_3_assignsubmission_file_/x.ipynb": notebook("6"),
                "Participant_3_assignsubmission_file_/x.ipynb": notebook("7"),
            },
        )
        found = {r.file.split("/")[0]: r for r in run(source, course, ROSTER)}
        students = {key.split("_a")[0]: r.student for key, r in found.items()}
        assert students == {
            "LOVELACE Ada_9": "ada",
            "zoe ohara-Łuk_8": "zoe1",
            "Jan Kowalski_2001": "",
            "Jan Kowalski_2002": "jan2",
            "Eve_12345": "",
            "王小明_3": "wang",
            "Participant_3": "",
        }
        reason = found["Jan Kowalski_2001_assignsubmission_file_"].reason
        assert "jan1 or jan2" in reason and "'Jan Kowalski 2001'" in reason
        assert {p.name for p in (course / "submitted").iterdir()} == {
            "ada",
            "zoe1",
            "jan2",
            "wang",
        }

    def test_what_a_student_calls_a_folder_does_not_make_it_anothers(
        self, tmp_path, course
    ):
        inner = "Zoë O'Hara-Łuk_7_assignsubmission_file_"
        mine = "Ada Lovelace_9_assignsubmission_file_"
        source = write_zip(
            tmp_path / "x.zip",
            {
                f"{mine}/{inner}/x.ipynb": notebook("1"),
                f"{mine}/{inner}_x.ipynb": notebook("2"),
                f"{mine}/submitted/jan1/{NAME}/{NAME}.ipynb": notebook("3"),
                f"{mine}/wang_777_1_x.ipynb": notebook("4"),
                f"{mine}/z.zip": zipped({f"{inner}/x.ipynb": notebook("5")}),
            },
        )
        assert {r.student for r in run(source, course, ROSTER)} == {"ada"}


def canvas_name(sortable, user, file, display, late):
    """lib/content_zipper.rb of Canvas, translated."""
    name = re.sub(r"\A(\d+)\Z", r"\1", re.sub(r"_(\d+)_", r"\1", sortable)).lower()
    stem = "_".join([name, *(["LATE"] if late else []), str(user)])
    stem = re.sub(r"[^\w]", "", stem)
    return f"{stem}_{file}_" + re.sub(r'[\0/\\:*?"<>|]+', "_", display)


class TestCanvas:
    @settings(deadline=None)
    @given(
        st.from_regex(r"[^\W\d_]{1,9}( [^\W\d_]{1,9})?, [^\W\d_]{1,9}", fullmatch=True),
        st.integers(1, 10**9),
        st.integers(1, 10**9),
        st.text(min_size=1, max_size=9).map(lambda text: f"x{text}.ipynb"),
        st.booleans(),
    )
    def test_its_own_names_are_understood(self, sortable, user, file, display, late):
        info = path_info([canvas_name(sortable, user, file, display, late)], NAME)
        assert info.owner is not None and info.owner.layout == "canvas"
        assert fold(info.owner.name) == fold(sortable)
        assert (info.owner.number, info.late) == (str(user), late)
        assert not info.others

    def test_numbers_then_names(self, tmp_path, course):
        names = {
            "lovelaceada_12345_1_a.ipynb": "ada",
            "oharalukzoë_55_2_b.ipynb": "",
            "oharałukzoë_56_3_b.ipynb": "zoe1",
            "kowalskijan_57_4_b.ipynb": "",
            "王小明_777_5_b.ipynb": "wang",
            "王小明_778_6_b.ipynb": "",
            "group1_777_7_b.ipynb": "wang",
            "LATE_anon_aB3x9_8_b.ipynb": "",
            "lovelaceada_12345_text.html": "ada",
            "lovelaceada_LATE_12345_link.html": "ada",
        }
        files = {name: notebook(name) for name in names}
        receipts = run(write_zip(tmp_path / "s.zip", files), course, ROSTER)
        assert {r.file: r.student for r in receipts} == names
        by_file = {r.file: r for r in receipts}
        assert "under the name 'group1'" in by_file["group1_777_7_b.ipynb"].reason
        assert "typed" in by_file["lovelaceada_12345_text.html"].reason

    def test_a_name_that_ends_in_anothers_number_is_not_them(self, tmp_path, course):
        # Eve calls herself "eve_12345"; 99 is her own number
        source = write_zip(tmp_path / "s.zip", {"eve_12345_99_1_x.ipynb": notebook()})
        (receipt,) = run(source, course, ROSTER)
        assert (receipt.student, receipt.state) == ("", "rejected")

    def test_a_file_that_begins_with_a_number_is_fine_beside_others(
        self, tmp_path, course
    ):
        mine = "lovelaceada_12345_81234_2_n.ipynb"
        files = {mine: notebook(), "王小明_777_81235_n.ipynb": notebook("2")}
        receipts = run(write_zip(tmp_path / "s.zip", files), course, ROSTER)
        assert states(receipts)[mine] == ("ada", "submitted")
        # alone it may be a file of number 81234, whose name ends in Ada's
        alone = write_zip(tmp_path / "s.zip", {mine: notebook("3")})
        (receipt,) = run(alone, course, ROSTER)
        assert (receipt.student, receipt.state) == ("", "rejected")
        assert "(12345)" in receipt.reason and "(81234)" in receipt.reason

    def test_late_and_the_latest_attempt(self, tmp_path, course):
        files = {
            "lovelaceada_LATE_12345_901_normalization-2.ipynb": notebook("second"),
            "lovelaceada_LATE_12345_900_normalization-1.ipynb": notebook("first"),
            "lovelaceada_LATE_12345_902_notes.ipynb": notebook("other"),
        }
        for order in (files, dict(reversed(files.items()))):
            source = write_zip(tmp_path / "s.zip", order)
            receipts = run(source, course, ROSTER)
            assert submitted(course, "ada") == notebook("second")
            assert all("Canvas marks it as late" in r.reason for r in receipts)
        assert [row["state"] for row in table(course, "report.csv")[:3]] == [
            "not the one that counts",
            "submitted",
            "not the one that counts",
        ]

    def test_seconds_between_entries_tell_nothing(self, tmp_path, course):
        source = write_zip(
            tmp_path / "s.zip",
            {
                "ada_1_901_normalization-2.ipynb": (notebook("second"), NOON),
                "ada_1_900_normalization-1.ipynb": (
                    notebook("first"),
                    NOON + timedelta(seconds=8),
                ),
            },
        )
        run(source, course)
        assert submitted(course, "ada") == notebook("second")

    def test_the_later_number_counts_in_whatever_order_exports_come(
        self, tmp_path, course
    ):
        for number in (2, 1, 3):
            name = f"ada_1_90{number}_normalization-{number}.ipynb"
            run(write_zip(tmp_path / "s.zip", {name: notebook(str(number))}), course)
            assert submitted(course, "ada") == notebook("3" if number == 3 else "2")


class TestLayouts:
    TIME = r"2026-11-24-10-00-00"

    @settings(deadline=None)
    @given(
        st.from_regex(r"[a-z0-9]{1,8}(_[a-z0-9]{1,8}){0,2}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9 ]{1,9}(_[A-Za-z0-9 ]{1,9}){0,2}", fullmatch=True),
        st.text(st.characters(exclude_characters="/\0"), max_size=20),
    )
    def test_blackboards_user_is_among_its_readings(self, user, title, name):
        head = f"{title}_{user}_attempt_{self.TIME}_{name}x.ipynb"
        info = path_info([head], NAME)
        times = {owner.number: way.time for owner, way in info.ways}
        assert times[user] == datetime(2026, 11, 24, 10, tzinfo=UTC).timestamp()
        theirs = path_info([f"{NAME}_{user}_attempt_{self.TIME}_x.ipynb"], NAME).who
        found = [owner.number for owner in theirs if owner.layout == "blackboard"]
        assert found == [user]

    @settings(deadline=None)
    @given(
        st.integers(1, 10**6),
        st.text(st.characters(exclude_characters="/\0\n"), min_size=1, max_size=30),
        st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),
        st.booleans(),
    )
    def test_brightspaces_name_is_among_its_readings(self, number, name, when, file):
        hour = f"{(when.hour - 1) % 12 + 1}{when:%M %p}"
        head = f"{number}-678 - {name} - {when:%b} {when.day}, {when.year} {hour}"
        path = [f"{head} - x.ipynb"] if file else [head, "x.ipynb"]
        info = path_info(path, NAME)
        assert name.strip() in [owner.name for owner in info.who]
        assert info.time is not None
        if len(info.who) == 1:
            shown = datetime.fromtimestamp(info.time, UTC).replace(tzinfo=None)
            assert shown == when.replace(second=0, microsecond=0)

    def test_each_has_a_column_in_the_roster(self, tmp_path):
        text = "student," + ",".join(columns(LAYOUTS)) + "\ns001"
        for i, column in enumerate(columns(LAYOUTS)):
            assert column not in ("plain", "exchange")
            text += f",x{i}"
        (tmp_path / "roster.csv").write_text(text)
        student = Course(tmp_path).roster["s001"]
        found = [student.place(column) for column in columns(LAYOUTS)]
        assert found == [f"x{i}" for i in range(len(found))]

    def test_a_teachers_own_goes_before_the_known_ones(self, tmp_path, course):
        (course / "coursework.toml").write_text(
            "[layouts.ours]\n"
            "pattern = '(?P<file>.+)_(?P<student>[^_]+)_attempt_[0-9-]+_x'\n"
        )
        head = f"normalization_s001_attempt_{self.TIME}_x.ipynb"
        assert readings(head, NAME, False)[0].layout.name == "blackboard"
        receipts = run(write_zip(tmp_path / "x.zip", {head: notebook()}), course)
        assert [r.student for r in receipts] == ["s001"]
        assert table(course, "students.csv")[0]["layout"] == "ours"

    def test_numbers_of_canvas_last_from_one_assignment_to_the_next(
        self, tmp_path, course
    ):
        people = [Student("s001", "Student One")]
        first = {"onestudent_11_901_x.ipynb": notebook()}
        source = write_zip(tmp_path / "x.zip", first)
        collect(source, course, "basic", now=NOW, roster=people)
        again = {"onestudent_99_902_x.ipynb": notebook()}
        (receipt,) = run(write_zip(tmp_path / "x.zip", again), course, people)
        assert receipt.state == "rejected" and "'onestudent 11'" in receipt.reason

    def test_numbers_of_moodle_do_not_last(self, tmp_path, course):
        people = [Student("s001", "Student One")]
        path = "Student One_{}_assignsubmission_file_/x.ipynb"
        source = write_zip(tmp_path / "x.zip", {path.format(101): notebook()})
        collect(source, course, "basic", now=NOW, roster=people)
        source = write_zip(tmp_path / "x.zip", {path.format(202): notebook()})
        assert run(source, course, people)[0].state == "submitted"


class TestSummary:
    def lines(self, tmp_path, course, files, roster=()):
        receipts = run(write_zip(tmp_path / "x.zip", files), course, roster)
        return summary.lines(receipts, bool(roster))

    def test_one_students_zip_is_few_lines(self, tmp_path, course):
        many = {f"data/{i}.csv": b"" for i in range(1498)}
        many |= {"a.pdf": b"", "b/x.ipynb": notebook(), "c": b"", "d.py": b""}
        said = self.lines(tmp_path, course, {"ada/a.zip": zipped(many)}, ROSTER)
        assert said == [
            "rejected: ada/a.zip: 1,498 files: not a notebook (.csv)",
            "rejected: ada/a.zip/a.pdf: not a notebook (.pdf)",
            "rejected: ada/a.zip/c: not a notebook (its name has no ending)",
            "rejected: ada/a.zip: 1 file more, for 1 other reason",
        ]

    def test_any_download_is_few_lines(self, tmp_path, course):
        files = {f"s{i}/{j}.txt": b"" for i in range(90) for j in range(3)}
        said = self.lines(tmp_path, course, files, ROSTER)
        assert len(said) == summary.MOST + 1
        assert said[-1] == f"and {90 - summary.MOST} more lines: see report.csv"

    def test_what_a_person_decides_comes_first(self, tmp_path, course):
        files = {f"ada/{i}.txt": b"" for i in range(9)} | {"nobody/x.ipynb": notebook()}
        said = self.lines(tmp_path, course, files, ROSTER)
        assert said[0].startswith("rejected: nobody/x.ipynb: no student of roster.csv")
        assert said[1] == "rejected: ada: 9 files: not a notebook (.txt)"

    def test_what_is_odd_is_said(self, tmp_path, course):
        files = {f"s{i}/x.ipynb": notebook(str(i), "") for i in range(7)}
        files["ada/x.ipynb"] = notebook()
        said = self.lines(tmp_path, course, files)
        assert said == [
            "noted: 7 files: none of its cells has an nbgrader id: s0, s1, s2, s3, s4"
            " and 2 more",
            "no roster.csv: 8 students by the names in the download: ada, s0, s1, s2,"
            " s3 and 3 more",
        ]

    def test_group_work_in_canvas_is_said(self, tmp_path, course):
        files = {"group1_777_7_b.ipynb": notebook()}
        assert self.lines(tmp_path, course, files, ROSTER) == [
            "noted: group1_777_7_b.ipynb (wang): by Canvas's number, under the name"
            " 'group1'"
        ]


class TestPlain:
    @pytest.mark.parametrize(
        ("path", "student"),
        [
            ("ada/normalization.ipynb", "ada"),
            ("Ada Lovelace/work/final.ipynb", "ada"),
            ("ada@x.org/normalization.ipynb", "ada"),
            ("12345/normalization.ipynb", "ada"),
            ("ada.ipynb", "ada"),
            ("ADA.IPYNB", "ada"),
            ("ada (1).ipynb", "ada"),
            ("Copy of ada.ipynb", "ada"),
            ("ada-checkpoint.ipynb", "ada"),
            ("ada-Copy1.ipynb", "ada"),
            ("ada.ipynb.txt", "ada"),
            ("normalization_ada.ipynb", "ada"),
            ("Lovelace, Ada - Normalization.ipynb", "ada"),
            ("normalization.ipynb", ""),
            ("Normalization (2).ipynb", ""),
            ("nobody/normalization.ipynb", ""),
            ("Jan Kowalski/normalization.ipynb", ""),
        ],
    )
    def test_whose_it_is(self, tmp_path, course, path, student):
        files = {path: notebook(), "jan1/normalization.ipynb": notebook("other")}
        source = write_folder(tmp_path / "export", files)
        found = {r.file: r for r in run(source, course, ROSTER)}[path]
        assert found.student == student
        assert found.state == ("submitted" if student else "rejected")
        assert found.reason or student

    @pytest.mark.parametrize(
        "name",
        [
            "normalization (1).ipynb",
            "normalization.ipynb.txt",
            "Copy of normalization.ipynb",
            "normalization-checkpoint.ipynb",
            "NORMALIZATION.IPYNB",
            "normalization.ipynb (2)",
            "aufgabe ü.ipynb",
            "normalization.ipynb.json",
        ],
    )
    def test_what_students_call_it(self, tmp_path, course, name):
        source = write_zip(tmp_path / "x.zip", {f"ada/{name}": notebook()})
        assert run(source, course)[0].state == "submitted"
        assert submitted(course, "ada") == notebook()

    def test_at_equal_times_the_later_copy_counts(self, tmp_path, course):
        names = [
            "scratch.ipynb",
            "normalization-checkpoint.ipynb",
            "normalization.ipynb",
            "normalization (1).ipynb",
            "normalization (10).ipynb",
        ]
        for i in range(1, len(names) + 1):
            files = {f"ada/{name}": notebook(name) for name in names[:i]}
            folder = tmp_path / str(i)
            (folder / "course").mkdir(parents=True)
            run(write_folder(folder / "x", files), folder / "course")
            assert submitted(folder / "course", "ada") == notebook(names[i - 1])

    def test_nbgrader(self, tmp_path, course):
        source = write_folder(
            tmp_path / "old",
            {
                f"submitted/ada/{NAME}/{NAME}.ipynb": notebook("1"),
                f"submitted/ada/{NAME}/timestamp.txt": b"2026-11-20 10:00:00.5 UTC",
                f"submitted/zoe1/{NAME}/{NAME}.ipynb": notebook("2"),
                f"submitted/zoe1/{NAME}/timestamp.txt": b"\xff",
                "submitted/zoe1/convolution/convolution.ipynb": notebook("3"),
            },
        )
        for here in (source, source / "submitted"):
            shutil.rmtree(course / "submitted", ignore_errors=True)
            receipts = run(here, course, ROSTER)
            assert submitted(course, "ada") == notebook("1")
            assert submitted(course, "zoe1") == notebook("2")
            where = Course(course)
            assert where.submitted_at("ada", NAME) == datetime(
                2026, 11, 20, 10, tzinfo=UTC
            )
            assert where.submitted_at("zoe1", NAME) == NOON
            assert sorted(r.reason for r in receipts) == [
                "",
                "",
                "no submission, but nbgrader's time of one",
                "no submission, but nbgrader's time of one",
                "of another assignment, 'convolution'",
            ]


class TestWrappers:
    @pytest.mark.parametrize("roster", [(), ROSTER])
    @pytest.mark.parametrize(
        ("title", "wrapper"),
        [("export.zip", "export"), ("x.zip", "submissions"), ("x.zip", NAME)],
    )
    def test_folders_around_it_all(self, tmp_path, course, title, wrapper, roster):
        source = write_zip(
            tmp_path / title,
            {
                f"{wrapper}/ada/{NAME}.ipynb": notebook("1"),
                f"{wrapper}/zoe1.ipynb": notebook("2"),
                f"__MACOSX/{wrapper}/._zoe1.ipynb": b"\0\5\x16\7",
                f"{wrapper}/.DS_Store": b"",
            },
        )
        run(source, course, roster)
        assert submitted(course, "ada") == notebook("1")
        assert submitted(course, "zoe1") == notebook("2")

    def test_with_a_roster_any_wrapper_is_known(self, tmp_path, course):
        files = {
            f"a/b/Ada Lovelace_1_assignsubmission_file_/{NAME}.ipynb": notebook(),
            "a/b/nobody/x.ipynb": notebook(),
        }
        run(write_zip(tmp_path / "x.zip", files), course, ROSTER)
        assert submitted(course, "ada") == notebook()

    def test_one_unknown_students_folder_is_no_wrapper(self, tmp_path, course):
        one = {f"nobody/ada/{NAME}.ipynb": notebook()}
        two = {"nobody/ada/x.ipynb": notebook(), "nobody/ada/jan1.ipynb": notebook()}
        for files in (one, two):
            for receipt in run(write_zip(tmp_path / "x.zip", files), course, ROSTER):
                assert (receipt.student, receipt.state) == ("", "rejected")
                assert "'nobody'" in receipt.reason

    def test_one_students_folder_is_no_wrapper(self, tmp_path, course):
        files = {f"ada/{NAME}.ipynb": notebook("1"), "ada/zoe1/x.ipynb": notebook("2")}
        receipts = run(write_zip(tmp_path / "x.zip", files), course)
        assert {r.student for r in receipts} == {"ada"}
        receipts = run(
            write_zip(tmp_path / "x.zip", {"ada/zoe1.ipynb": notebook("3")}),
            course,
            ROSTER,
        )
        assert {r.student for r in receipts} == {"ada"}

    def test_what_could_be_either_is_refused(self, tmp_path, course):
        files = {"things/ada/x.ipynb": notebook("1"), "things/zoe/x.ipynb": notebook()}
        with pytest.raises(ValueError, match="'things', which may be one student's"):
            run(write_zip(tmp_path / "x.zip", files), course)
        assert not list(course.iterdir())


class TestIds:
    def test_they_stay_the_same_in_later_exports(self, tmp_path, course):
        jan = "Jan Kowalski_{}_assignsubmission_file_/x.ipynb"
        run(write_zip(tmp_path / "x.zip", {jan.format(1): notebook("1")}), course)
        both = {jan.format(1): notebook("1"), jan.format(2): notebook("2")}
        run(write_zip(tmp_path / "x.zip", both), course)
        assert submitted(course, "jan-kowalski") == notebook("1")
        assert submitted(course, "jan-kowalski-2") == notebook("2")
        run(write_zip(tmp_path / "x.zip", {"jan-kowalski-2.ipynb": b"{}"}), course)
        assert len(list((course / "submitted").iterdir())) == 2

    def test_two_of_the_same_name_get_their_numbers(self):
        owners = [Owner("canvas", "li wei", "7"), Owner("canvas", "Li-Wei", "8")]
        assert list(ids(owners, {}).values()) == ["li-wei-7", "li-wei-8"]

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.builds(
                Owner,
                st.sampled_from(["moodle", "canvas", "plain"]),
                st.text(min_size=1, max_size=80)
                | st.sampled_from(["..", ".", "a/b", "CON", "report.csv", "a", "A"]),
                st.sampled_from(["", "1", "2", "9" * 99]),
            ),
            max_size=8,
        )
    )
    def test_any_name_gets_a_safe_id_of_its_own(self, owners):
        found = ids(owners, {})
        assert all(SAFE.fullmatch(student) for student in found.values())
        assert {owner.key for owner in owners} == set(found)
        folded = {student.casefold() for student in found.values()}
        assert len(folded) == len(found)
        assert not folded & {"report.csv", "receipts.csv", "students.csv"}
        again = ids(owners, found)
        assert again == found

    def test_a_roster_whose_ids_are_no_folders(self, tmp_path, course):
        source = write_zip(tmp_path / "x.zip", {"a/x.ipynb": notebook()})
        for student in ("../a", "", ".a", "a/b", "report.csv"):
            with pytest.raises(ValueError, match="cannot name a folder"):
                run(source, course, [Student(student)])

        twice = [Student("a", canvas="1"), Student("b", canvas="1")]
        with pytest.raises(ValueError, match="canvas='1' is there twice"):
            run(source, course, twice)

    def test_the_courses_roster_is_the_default(self, tmp_path, course):
        source = write_zip(tmp_path / "x.zip", {"Ada Lovelace/x.ipynb": notebook()})
        (course / "roster.csv").write_text("student,name\nal1,Ada Lovelace\n")
        assert collect(source, course, NAME)[0].student == "al1"


class TestResubmissions:
    def export(self, tmp_path, data, when, name="x"):
        return write_zip(tmp_path / "e.zip", {f"ada/{name}.ipynb": (data, when)})

    def test_the_latest_counts_and_all_are_kept(self, tmp_path, course):
        one, two, three = (notebook(text) for text in "123")
        day = timedelta(days=1)
        expected = [
            (one, NOON, "submitted", one),
            (two, NOON + day, "resubmitted", two),
            (three, NOON - day, "earlier than the one that counts", two),
            (two, NOON + 2 * day, "already received", two),
            (one, NOON, "already received", two),
            (one, NOON + 3 * day, "resubmitted", one),  # handed in again
        ]
        for data, when, state, counts in expected:
            (receipt,) = run(self.export(tmp_path, data, when), course)
            assert (receipt.state, submitted(course, "ada")) == (state, counts)
        times = {
            f"{stamp(when)}-{hashlib.sha256(data).hexdigest()[:12]}.ipynb": data
            for data, when in [
                (one, NOON),
                (two, NOON + day),
                (three, NOON - day),
                (one, NOON + 3 * day),
            ]
        }
        assert received(course, "ada") == times
        at = course / "submitted/ada" / NAME / "timestamp.txt"
        assert parse_utc(at.read_text().strip()) == (NOON + 3 * day).replace(
            tzinfo=None
        )
        assert [row["state"] for row in table(course, "report.csv")] == [
            state for _, _, state, _ in expected
        ]
        assert len(table(course, "receipts.csv")) == 4

    def test_receipts(self, tmp_path, course):
        data = notebook()
        (receipt,) = run(self.export(tmp_path, data, NOON), course)
        sha256 = hashlib.sha256(data).hexdigest()
        expected = {
            "student": "ada",
            "assignment": NAME,
            "sha256": sha256,
            "time": "2026-11-24T12:00:00Z",
            "file": "ada/x.ipynb",
        }
        assert table(course, "receipts.csv") == [expected]
        assert (receipt.sha256, receipt.bytes) == (sha256, len(data))
        assert table(course, "report.csv") == [
            {
                "file": "ada/x.ipynb",
                "student": "ada",
                "state": "submitted",
                "reason": "",
                "sha256": sha256,
                "bytes": str(len(data)),
                "time": "2026-11-24T12:00:00Z",
            }
        ]

    def test_the_same_again_changes_nothing(self, tmp_path, course):
        source = write_zip(
            tmp_path / "e.zip",
            {
                "ada/final.ipynb": (notebook("1"), NOON),
                "ada/draft.ipynb": (notebook("2"), NOON - timedelta(hours=1)),
                "bob/broken.ipynb": b"{",
                "bob/fine.ipynb": notebook("3"),
                "eve/broken.ipynb": b"",
            },
        )
        run(source, course)
        before = tree(course)
        again = run(source, course)
        assert tree(course) == before
        assert {r.state for r in again} == {"already received"}
        assert [r.reason for r in again if r.reason] == [
            "the file is damaged or no notebook: not JSON in line 1, column 2"
            " (Expecting property name enclosed in double quotes)",
            "the file is empty",
        ]

    def test_a_later_download_of_the_same_work_is_no_resubmission(
        self, tmp_path, course
    ):
        for days in range(3):
            at = NOON + timedelta(days=days)
            files = {
                "ada_1_5_normalization.ipynb": (notebook("final"), at),
                "ada_1_4_normalization-draft.ipynb": (notebook("draft"), at),
            }
            run(write_zip(tmp_path / "e.zip", files), course)
            assert submitted(course, "ada") == notebook("final")
            assert Course(course).submitted_at("ada", NAME) == NOON

    def test_an_unreadable_file_is_kept_and_replaces_nothing(self, tmp_path, course):
        bad = b"{not a notebook"
        for data, when, state, counts in [
            (bad, NOON, "rejected", None),
            (notebook("1"), NOON - timedelta(1), "submitted", notebook("1")),
            (bad + b"2", NOON + timedelta(1), "rejected", notebook("1")),
        ]:
            (receipt,) = run(self.export(tmp_path, data, when), course)
            assert (receipt.state, submitted(course, "ada")) == (state, counts)
            assert data in received(course, "ada").values()
            assert ("damaged" in receipt.reason) == (state == "rejected")
            assert table(course, "receipts.csv")[-1]["sha256"] == receipt.sha256

    def test_a_notebook_without_ids_does_not_replace_one_with(self, tmp_path, course):
        plain = notebook("scratch", grade_id="")
        (receipt,) = run(self.export(tmp_path, plain, NOON), course)
        assert receipt.state == "submitted" and "no" in receipt.reason
        run(self.export(tmp_path, notebook("1"), NOON - timedelta(1)), course)
        assert submitted(course, "ada") == notebook("1")
        later = notebook("scratch 2", grade_id="")
        (receipt,) = run(self.export(tmp_path, later, NOON + timedelta(1)), course)
        assert receipt.state == "rejected"
        assert "of 2026-11-23T12:00:00Z still counts" in receipt.reason
        assert submitted(course, "ada") == notebook("1")
        assert later in received(course, "ada").values()

    def test_what_nbgrader_has_put_there_is_kept(self, tmp_path, course):
        folder = course / "submitted/ada" / NAME
        write_folder(folder, {f"{NAME}.ipynb": notebook("old")}, NOON)
        run(self.export(tmp_path, notebook("new"), NOON + timedelta(1)), course)
        assert submitted(course, "ada") == notebook("new")
        assert notebook("old") in received(course, "ada").values()
        (folder / f"{NAME}.ipynb").unlink()
        (folder / f"{NAME}.ipynb").symlink_to("/dev/zero")
        run(self.export(tmp_path, notebook("newer"), NOON + timedelta(2)), course)
        assert submitted(course, "ada") == notebook("newer")
        kept = list((course / "received" / NAME / "ada").glob("replaced-*"))
        assert len(kept) == 1 and kept[0].is_symlink()

    @settings(max_examples=10, deadline=None)
    @given(st.permutations(range(5)), st.randoms())
    def test_the_order_of_exports_does_not_matter(self, order, draw):
        times = [NOON + timedelta(hours=draw.randint(0, 3)) for _ in range(5)]
        with_folder(self.collect_in_order, list(range(5)), times)
        expected = with_folder(self.collect_in_order, sorted(range(5)), times)
        assert with_folder(self.collect_in_order, order, times) == expected

    def collect_in_order(self, folder, order, times):
        (folder / "course").mkdir()
        for i in order:
            name = f"ada_1_{100 + i}_normalization-{i}"
            source = {f"{name}.ipynb": (notebook(str(i)), times[i])}
            run(write_zip(folder / "e.zip", source), folder / "course")
        return (
            submitted(folder / "course", "ada"),
            Course(folder / "course").submitted_at("ada", NAME),
            received(folder / "course", "ada"),
        )


def with_folder(use, *arguments):
    """Call with a new folder, which goes afterwards: hypothesis keeps fixtures."""
    with tempfile.TemporaryDirectory() as folder:
        return use(Path(folder), *arguments)


class TestTimes:
    def collect(self, tmp_path, course, when, **more):
        source = write_zip(tmp_path / "e.zip", {"ada/x.ipynb": (notebook(), when)})
        return run(source, course, **more)[0]

    def test_the_future_is_taken_as_now(self, tmp_path, course):
        receipt = self.collect(tmp_path, course, NOW + timedelta(days=400))
        assert receipt.time == "2026-12-01T12:00:00Z"
        assert "future" in receipt.reason
        source = write_folder(tmp_path / "f", {"zoe/x.ipynb": notebook()})
        os.utime(source / "zoe/x.ipynb", (2**40, 2**40))
        assert run(source, course)[0].time == "2026-12-01T12:00:00Z"

    def test_a_zip_without_times_has_its_own(self, tmp_path, course):
        source = write_zip(
            tmp_path / "e.zip", {"ada/x.ipynb": (notebook(), datetime(1980, 1, 1))}
        )
        os.utime(source, (NOON.timestamp(),) * 2)
        assert run(source, course)[0].time == "2026-11-24T12:00:00Z"

    def test_the_zone_is_this_machines_as_unzip_has_it(
        self, tmp_path, course, monkeypatch
    ):
        monkeypatch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        receipt = self.collect(tmp_path, course, NOON)
        assert receipt.time == "2026-11-24T11:00:00Z"

    def test_a_time_in_utc_goes_before(self, tmp_path, course):
        with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
            info = zipfile.ZipInfo("ada/x.ipynb", (2026, 1, 1, 0, 0, 0))
            moment = int(NOON.timestamp())
            info.extra = struct.pack("<HHH", 0xCAFE, 2, 0)
            info.extra += struct.pack("<HHBi", 0x5455, 5, 1, moment)
            archive.writestr(info, notebook())
        assert run(tmp_path / "e.zip", course)[0].time == "2026-11-24T12:00:00Z"

    def test_when_the_download_came_later_than_the_work(self, tmp_path, course):
        files = {
            "ada_1_5_x.ipynb": (notebook("1"), NOON),
            "bob_LATE_2_6_x.ipynb": (notebook("2"), NOON),
            "eve_3_7_x.ipynb": (notebook("3"), NOON - timedelta(days=2)),
        }
        receipts = run(
            write_zip(tmp_path / "e.zip", files), course, at=NOON - timedelta(days=1)
        )
        assert [r.time for r in receipts] == [
            "2026-11-23T12:00:00Z",
            "2026-11-24T12:00:00Z",
            "2026-11-22T12:00:00Z",
        ]

    def test_a_students_own_zip_cannot_backdate(self, tmp_path, course):
        inner = io.BytesIO()
        write_zip(inner, {"x.ipynb": notebook()}, NOON - timedelta(days=99))
        source = write_zip(tmp_path / "e.zip", {"ada/x.zip": inner.getvalue()})
        assert run(source, course)[0].time == "2026-11-24T12:00:00Z"

    def test_a_clock_may_be_minutes_ahead(self, tmp_path, course):
        receipt = self.collect(tmp_path, course, NOW + timedelta(minutes=4))
        assert (receipt.time, receipt.reason) == ("2026-12-01T12:00:00Z", "")

    def test_times_need_a_zone(self, tmp_path, course):
        for word in ("now", "at"):
            with pytest.raises(ValueError, match=f"{word}=.*zone"):
                self.collect(tmp_path, course, NOON, **{word: datetime(2026, 1, 1)})


class TestTrouble:
    def test_a_run_that_is_killed_anywhere_goes_on(self, tmp_path, course, monkeypatch):
        first = write_zip(tmp_path / "1.zip", {"ada/x.ipynb": (notebook("1"), NOON)})
        files = {
            "ada/x.ipynb": (notebook("2"), NOON + timedelta(1)),
            "ada/y.ipynb": b"broken",
            "zoe/x.ipynb": notebook("3"),
        }
        second = write_zip(tmp_path / "2.zip", files)
        run(first, course)
        whole = tmp_path / "whole"
        shutil.copytree(course, whole)
        run(second, whole)
        kills = 0
        while True:
            broken = tmp_path / str(kills)
            shutil.copytree(course, broken)
            with pytest.MonkeyPatch.context() as patch:
                self.kill_after(patch, kills)
                try:
                    run(second, broken)
                    break
                except KeyboardInterrupt:
                    kills += 1
            run(second, broken)
            assert set(tree(broken)) == set(tree(whole))
            for path, data in tree(whole).items():
                if path.endswith("receipts.csv"):
                    ours = set(tree(broken)[path].splitlines())
                    assert ours == set(data.splitlines())
                else:
                    assert tree(broken)[path] == data, path
        assert kills > 15

    def kill_after(self, patch, calls):
        left = [calls]

        def counted(call):
            def wrapper(*arguments, **options):
                left[0] -= 1
                if left[0] < 0:
                    raise KeyboardInterrupt
                return call(*arguments, **options)

            return wrapper

        patch.setattr(os, "link", counted(os.link))
        patch.setattr(Path, "replace", counted(Path.replace))
        patch.setattr(Path, "mkdir", counted(Path.mkdir))
        patch.setattr(Path, "open", counted(Path.open))

    def test_two_at_once(self, tmp_path, course):
        sources = []
        for half in range(2):
            files = {
                f"s{i}/x.ipynb": (
                    notebook(f"{i} {half}"),
                    NOON + timedelta(hours=half if i % 2 else -half),
                )
                for i in range(30)
            }
            sources.append(write_zip(tmp_path / f"{half}.zip", files))
        fork = multiprocessing.get_context("fork")
        processes = [fork.Process(target=run, args=(one, course)) for one in sources]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        for i in range(30):
            assert submitted(course, f"s{i}") == notebook(f"{i} {i % 2}")
            assert len(received(course, f"s{i}")) == 2
        assert len(table(course, "report.csv")) == 60
        assert len(table(course, "receipts.csv")) == 60

    def test_another_run_of_the_assignment_is_waited_for(self, tmp_path, course):
        source = write_zip(tmp_path / "x.zip", {"ada/x.ipynb": notebook()})
        folder = course / "received" / NAME
        folder.mkdir(parents=True)
        fork = multiprocessing.get_context("fork")
        process = fork.Process(target=run, args=(source, course))
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process.start()
            process.join(0.5)
            waited = process.is_alive() and not submitted(course, "ada")
            fcntl.flock(lock, fcntl.LOCK_UN)  # the fork shares it
        process.join()
        assert waited
        assert submitted(course, "ada") == notebook()

    def test_a_line_that_was_cut_off_spoils_no_other(self, tmp_path, course):
        run(write_zip(tmp_path / "1.zip", {"ada/x.ipynb": notebook("1")}), course)
        for name in ("report.csv", "receipts.csv", "students.csv"):
            with (course / "received" / NAME / name).open("a") as file:
                file.write("a,b")
        run(write_zip(tmp_path / "2.zip", {"zoe/x.ipynb": notebook("2")}), course)
        assert table(course, "report.csv")[-1]["student"] == "zoe"
        assert table(course, "receipts.csv")[-1]["student"] == "zoe"

    def test_a_full_disk(self, tmp_path, course):
        files = {f"s{i}/x.ipynb": notebook("x" * 300 * i) for i in range(5)}
        source = write_zip(tmp_path / "x.zip", files)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (800, limits[1]))
        try:
            with pytest.raises(OSError, match=r"cannot be written.*collect again"):
                run(source, course)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert submitted(course, "s1") and not submitted(course, "s4")
        assert not list(course.rglob("*.partial"))
        run(source, course)
        assert submitted(course, "s4") == files["s4/x.ipynb"]

    def test_a_course_that_cannot_be_written(self, tmp_path, course):
        (course / "received").write_text("a file in the way")
        source = write_zip(tmp_path / "x.zip", {"ada/x.ipynb": notebook()})
        with pytest.raises(OSError, match=r"received.*cannot be written"):
            run(source, course)

    def test_a_disk_without_hard_links(self, tmp_path, course, monkeypatch):
        def refuse(*arguments):
            raise PermissionError

        monkeypatch.setattr(os, "link", refuse)
        source = write_zip(tmp_path / "x.zip", {"ada/x.ipynb": notebook()})
        assert run(source, course)[0].state == "submitted"
        assert list(received(course, "ada").values()) == [notebook()]

    def test_other_bytes_whose_hash_begins_alike_are_kept(self, tmp_path, course):
        digits = hashlib.sha256(notebook()).hexdigest()[:12]
        files = {f"{stamp(NOON)}-{digits}.ipynb": b"other"}
        write_folder(course / "received" / NAME / "ada", files)
        source = write_zip(tmp_path / "x.zip", {"ada/x.ipynb": notebook()})
        run(source, course)
        assert sorted(received(course, "ada").values()) == sorted(
            [b"other", notebook()]
        )

    def test_arguments(self, tmp_path, course):
        source = write_zip(tmp_path / "x.zip", {"ada/x.ipynb": notebook()})
        with pytest.raises(ValueError, match=r"assignment='\.\./x'"):
            collect(source, course, "../x")
        with pytest.raises(FileNotFoundError, match="course="):
            collect(source, tmp_path / "none", NAME)
        with pytest.raises(ValueError, match=r"download=.*No such file"):
            collect(tmp_path / "none.zip", course, NAME)
        for here in (course, tmp_path):
            with pytest.raises(ValueError, match="holds the course folder"):
                collect(here, course, NAME)
        assert not list(course.iterdir())

    def test_a_file_that_its_outputs_make_too_large(self, tmp_path, course):
        data = notebook() + random.Random(0).randbytes(LIMIT // 2).hex().encode()
        source = write_folder(tmp_path / "f", {"ada/x.ipynb": data})
        packed = write_zip(tmp_path / "e.zip", {"ada/x.ipynb": data})
        for download in (source, packed):
            (receipt,) = run(download, course, ROSTER)
            assert receipt.state == "rejected"
            assert receipt.reason.startswith("the file is larger than 10 MB: ")
            assert "Clear Outputs of All Cells" in receipt.reason


class TestReport:
    def test_no_cell_is_a_formula(self, tmp_path, course):
        files = {
            "=1+2/x.ipynb": notebook("1"),
            "@a/x.ipynb": notebook("2"),
            "-b.pdf": b"",
            "'c/x.ipynb": notebook("3"),
        }
        source = write_zip(tmp_path / "x.zip", files)
        first = run(source, course)
        for name in ("report.csv", "receipts.csv", "students.csv"):
            for row in table(course, name):
                assert not any(cell[:1] in tuple("=+-@") for cell in row.values())
        again = run(source, course)
        assert [r.student for r in again] == [r.student for r in first]

    @settings(max_examples=60, deadline=None)
    @given(
        st.dictionaries(
            st.lists(
                st.sampled_from(["ada", "submitted", NAME, ".ipynb_checkpoints", ".."])
                | st.text(max_size=4),
                max_size=3,
            ).map("/".join),
            st.sampled_from(
                [b"", b"{", notebook(), notebook("2"), notebook("3", ""), b"\xff\xfe"]
            ),
            max_size=6,
        ),
        st.sampled_from(["/x.ipynb", ".ipynb", "_1_2_x.ipynb", "/x.zip", ".pdf", "/x"]),
        st.booleans(),
    )
    def test_every_file_of_any_export_is_told(self, files, ending, with_roster):
        with_folder(self.check_any, files, ending, ROSTER if with_roster else ())

    def check_any(self, folder, files, ending, roster):
        course = folder / "course"
        course.mkdir()
        named = {f"{name}{ending}".replace("\0", "0"): d for name, d in files.items()}
        source = write_zip(folder / "e.zip", list(named.items()))
        try:
            receipts = run(source, course, roster)
        except ValueError as error:
            assert "may be one student's" in str(error)
            return
        assert len(receipts) == len(named)
        assert all(r.reason for r in receipts if r.state == "rejected")
        rows = table(course, "report.csv")
        assert sorted(row["state"] for row in rows) == sorted(r.state for r in receipts)
        kept = {r.sha256 for r in receipts if r.sha256}
        bytes_kept = [p.read_bytes() for p in course.glob("received/*/*/*.ipynb")]
        assert {hashlib.sha256(data).hexdigest() for data in bytes_kept} == kept
        for path in course.glob("submitted/*/*/*.ipynb"):
            assert read(path).sha256 in kept
        outside = {path.name for path in folder.iterdir()}
        assert outside == {"course", "e.zip"}
        before = tree(course)
        run(source, course, roster)
        assert tree(course) == before
