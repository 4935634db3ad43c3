"""Which cell of a submitted notebook answers what, whatever has become of it.

A cell is known by nbgrader's id, else by the text that was given out; an answer, by the
name it defines, wherever it stands; what is marked by hand, by its beginning or its
place. What cannot be told is said to be so: it is for a person to judge.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from layers_book.coursework.assignment import Assignment
from layers_book.coursework.cells import CODE_STUB, Cell
from layers_book.coursework.collect.notebook import Submission, SubmittedCell
from layers_book.coursework.names import LONGEST, Names, names

__all__ = ["Answer", "Matched"]

NO_IDS = (
    "none of its cells has an nbgrader id: they were found by their text and by the"
    " names they define"
)
# how a release begins what is not in the master
CHECK = re.compile(r"\s*# ([\w-]+), [\d.]+ points?: ")
HEADER = re.compile(r"\s*\*\*(?:Due|Points):\*\*")
VARIANT = re.compile(r"\s*VARIANT\s*=\s*\{")
STUB = "".join("".join(CODE_STUB).split())
READ = 500_000  # characters of a notebook whose names are read
PROMPT = 20  # characters by which a beginning is known
WORDS = 10  # in a text that may be an answer, and not a title or a name


@dataclass(frozen=True)
class Answer:
    """What was found of the answer to a question.

    Args:
        state: ``given``; ``untouched``: as it was given out, or empty; ``unclear``:
            there may be one, which cannot be told; ``missing``.
        index: of its cell among `Matched.cells`.
        reason: why it is not ``given``, for people.
    """

    state: Literal["given", "untouched", "unclear", "missing"]
    index: int | None = None
    reason: str = ""


class Matched:
    """A submitted notebook's cells beside those of an assignment.

    Args:
        assignment: what was asked.
        notebook: what was handed in.

    Attributes:
        cells: in the notebook's order, what was split put together again.
        places: the place of each in the notebook, from 0.
        names: what the code of each binds and uses.
        roles: the cell of the assignment that each is a copy of, or ``None``.
        answers: by the id of each cell that asks for one.
        notes: what was odd, a sentence each.
    """

    def __init__(self, assignment: Assignment, notebook: Submission) -> None:
        self.assignment, self.notes = assignment, list(notebook.notes)
        self._named = notebook.assignment
        self.cells, self.places = self._joined(notebook.cells)
        if self.cells and not any(cell.grade_id for cell in self.cells):
            self.notes.append(NO_IDS)
        self.names = self._names()
        self._plain = [_plain(cell.source) for cell in self.cells]
        self.roles = self._roles()
        self._own = [i for i in range(len(self.cells)) if self._is_own(i)]
        self.answers: dict[str, Answer] = {}
        for kind, find in (("answer", self._answer), ("manual", self._by_hand)):
            for cell in assignment.master:
                if cell.kind == kind:
                    self.answers[cell.grade_id] = find(cell)

    @cached_property
    def foreign(self) -> str:
        """Why this is no notebook of the assignment; empty if it may be one."""
        asked = self.assignment.questions
        if not asked or any(self.answers[q].state != "missing" for q in asked):
            return ""
        if not any(cell.source.strip() for cell in self.cells):
            return "the notebook is empty"
        if self._named not in ("", self.assignment.name):
            return f"the notebook is of another assignment: {self._named}"
        return "the notebook has no cell that answers a question of this assignment"

    @property
    def sources(self) -> dict[str, str]:
        """What was found of each answer, by the id of the cell that asks for it."""
        return {
            grade_id: self.cells[answer.index].source
            for grade_id, answer in self.answers.items()
            if answer.index is not None
        }

    def label(self, index: int) -> str:
        """A cell as people count it."""
        return f"cell {self.places[index] + 1}"

    def ids(self, index: int) -> list[str]:
        """The cells of the assignment, by id, in whose place a cell stands."""
        role = self.roles[index]
        held = [g for g, answer in self.answers.items() if answer.index == index]
        if role is None or role.grade_id in self.answers:
            return held
        return [role.grade_id, *held]

    def runs(self, index: int) -> bool:
        """Whether a cell is code, if not by its type, then as the answer it gives."""
        return self.cells[index].type == "code" or index in self._given

    @cached_property
    def _given(self) -> set[int | None]:
        asked = self.assignment.questions
        return {
            answer.index
            for question, answer in self.answers.items()
            if question in asked and answer.state == "given"
        }

    def untouched(self, index: int) -> bool:
        """Whether a cell asks for an answer and holds none of the student's own."""
        role = self.roles[index]
        return bool(role and role.grade_id in self.answers) and index not in self._own

    def stands_in(self, index: int, cell: Cell) -> bool:
        """Whether a cell holds an answer as it was given out, or parts of it."""
        source = self._plain[index]
        return source == _plain(cell.student) or STUB in source

    def _joined(
        self, cells: Sequence[SubmittedCell]
    ) -> tuple[list[SubmittedCell], list[int]]:
        """With what begins in the middle of the cell before put back into it."""
        kept: list[SubmittedCell] = []
        places: list[int] = []
        for place, cell in enumerate(cells):
            before = kept[-1] if kept else None
            if (
                before
                and before.type == cell.type == "code"
                and cell.grade_id in ("", before.grade_id)
                and cell.source.lstrip("\n")[:1] in (" ", "\t")
                and len(before.source) + len(cell.source) < LONGEST
                and not names(cell.source).parses
                and names(whole := f"{before.source}\n{cell.source}").parses
            ):
                kept[-1] = replace(before, source=whole)
                said = f"cell {place + 1} begins in the middle of the one before"
                self.notes.append(f"{said}: they were put together")
            else:
                kept.append(cell)
                places.append(place)
        return kept, places

    def _names(self) -> list[Names]:
        read, found = 0, []
        for cell in self.cells:
            read += len(cell.source)
            found.append(names(cell.source) if read <= READ else Names())
        return found

    def _roles(self) -> list[Cell | None]:
        known = {cell.grade_id: cell for cell in self.assignment.master}
        for question in self.assignment.questions:  # release adds these
            known.setdefault(f"{question}-check", _added("check", question))
        known["install"] = _added("setup", "install")
        there = {cell.grade_id for cell in self.cells}
        texts: dict[tuple[str, str], Cell] = {
            (cell.type, _plain(cell.student)): cell
            for cell in reversed(self.assignment.master)
            if cell.grade_id not in there
        }
        roles: list[Cell | None] = []
        for cell, text, found in zip(self.cells, self._plain, self.names, strict=True):
            role = known.get(cell.grade_id) or texts.get((cell.type, text))
            check = CHECK.match(cell.source)
            if role is None and check and not found.defines:
                role = known.get(f"{check[1]}-check")
            if role is None and VARIANT.match(cell.source):
                role = known.get("variant")
            if role is None and cell.type != "code":
                if HEADER.match(cell.source):
                    role = _added("text", "header")
                else:  # what was given out as code, or as a text, and is neither now
                    role = texts.get(("code", text)) or texts.get(("markdown", text))
            roles.append(role)
        return roles

    def _is_own(self, index: int) -> bool:
        """Whether what stands in a cell is the student's own."""
        cell, role = self.cells[index], self.roles[index]
        if role is None or role.grade_id in ("install", "header"):
            return role is None and bool(self._plain[index])
        if role.kind == "variant":
            return bool(self.names[index].defines)
        if role.kind == "check":
            code = _statements(cell.source)
            return bool(code) and _plain(code) != _plain(_statements(role.student))
        return self._plain[index] not in ("", _plain(role.student))

    def _answer(self, cell: Cell) -> Answer:
        """Where a question to be graded by machine is answered."""
        name = self.assignment.questions[cell.question].answer
        code = [i for i in self._own if self.cells[i].type == "code"]
        prose = [i for i in self._own if self.cells[i].type != "code"]
        mine = [i for i, role in enumerate(self.roles) if role is cell]
        others = {q.answer for q in self.assignment.questions.values()} - {name}
        defines = name in names(cell.source).defines
        written = [
            i
            for i in code
            if i in mine and _statements(self.cells[i].source)
            if not others & self.names[i].defines
        ]
        broken = [
            i
            for i in code
            if not self.names[i].parses and _says(self.cells[i].source, name)
        ]
        kinds = (
            [i for i in code if defines and name in self.names[i].defines],
            [i for i in code if i in mine and name in self.names[i].binds],
            written,
            [i for i in code if name in self.names[i].binds],
            broken,
            [i for i in prose if name in self._gives(i, defines)],
        )
        for found in kinds:
            if whole := [i for i in found if not self.stands_in(i, cell)]:
                return self._last(cell, whole)
        if partly := next((found for found in kinds if found), None):
            return self._last(cell, partly)
        for i in reversed(prose):
            if i in mine or _says(self.cells[i].source, name, r"[ \t>]*"):
                kind = self.cells[i].type
                said = f"{self.label(i)} is a {kind} cell, and no code defines {name}"
                return Answer("unclear", i, said)
        for i in reversed(code):
            if _says(self.cells[i].source, name, r"[ \t]*#[# \t]*"):
                said = f"{self.label(i)} defines {name} in a comment alone"
                return Answer("unclear", i, said)
        instead = self._instead(mine[-1]) if mine else None
        if instead is not None:
            empty = self._untouched(mine[-1]).reason
            given = ", ".join(sorted(self.names[instead].defines))
            said = f"{empty}, but {self.label(instead)} near it defines {given}"
            return Answer("unclear", instead, said)
        if mine:
            return self._untouched(mine[-1])
        reason = f"its cell is not in the notebook, and no other cell defines {name}"
        return Answer("missing", None, reason)

    def _gives(self, index: int, defines: bool) -> frozenset[str]:
        found = self.names[index]
        return found.defines if defines else found.binds

    def _instead(self, index: int) -> int | None:
        """A cell near an untouched one that may answer it under another name."""
        asked = {q.answer for q in self.assignment.questions.values()}
        used = set[str]().union(*(n.uses | n.calls for n in self.names))
        ends = [
            i
            for i, role in enumerate(self.roles)
            if role and role.kind in ("answer", "manual") and i != index
        ]
        first = max([i for i in ends if i < index], default=-1)
        last = min([i for i in ends if i > index], default=len(self.cells))
        for i in range(last - 1, first, -1):
            defined = self.names[i].defines
            code = i in self._own and self.cells[i].type == "code"
            if code and defined and not defined & (asked | used):
                return i
        return None

    def _last(self, cell: Cell, found: Sequence[int]) -> Answer:
        if len({self._plain[i] for i in found}) > 1:
            where = " and ".join(self.label(i) for i in found[-5:])
            said = f"{cell.grade_id} is answered in {where}: the last one is taken"
            self.notes.append(said)
        kind = self.cells[found[-1]].type
        if kind != "code" and cell.type == "code":
            said = f"{self.label(found[-1])}, which answers {cell.grade_id},"
            self.notes.append(f"{said} is a {kind} cell: it was taken as code")
        return Answer("given", found[-1])

    def _untouched(self, index: int) -> Answer:
        cell = self.cells[index]
        source = _statements(cell.source) if cell.type == "code" else cell.source
        empty = not source.strip()
        said = "is empty" if empty else "is as it was given out"
        return Answer("untouched", index, f"its cell {said}")

    def _by_hand(self, cell: Cell) -> Answer:
        """Where that stands which is marked by hand; in doubt, a person looks."""
        mine = [i for i, role in enumerate(self.roles) if role is cell]
        if written := [i for i in mine if i in self._own]:
            return self._last(cell, written)
        taken = {answer.index for answer in self.answers.values()}
        free = [i for i in self._own if self.roles[i] is None and i not in taken]
        if not mine:
            begins = _plain(cell.student.partition("YOUR ")[0]).rstrip("#")
            if len(begins) >= PROMPT:
                known = [i for i in free if self._plain[i].startswith(begins)]
                if known:
                    return self._last(cell, known)
            near = [i for i in self._between(cell) if i in free]
            if len(near) == 1:
                return Answer(
                    "unclear", near[0], "its cell was found by its place alone"
                )
            reason = "its cell is not in the notebook: look at the whole notebook"
            return Answer("missing", None, reason)
        empty = self._untouched(mine[-1])
        if not any(self.cells[i].grade_id == cell.grade_id for i in mine):
            reason = f"{empty.reason}, but has lost its id: look at the whole notebook"
            return Answer("unclear", mine[-1], reason)
        near = [i for i in self._between(cell, mine[-1]) if i in free]
        others = [
            i
            for i in free
            if (i > mine[-1] if cell.type == "code" else self.cells[i].type != "code")
            if len(self.cells[i].source.split()) >= WORDS
        ]
        if near or others:
            where = ", ".join(self.label(i) for i in sorted({*near, *others})[:5])
            reason = f"{empty.reason}; it may be answered in {where}"
            return Answer("unclear", mine[-1], reason)
        return empty

    def _between(self, cell: Cell, at: int | None = None) -> list[int]:
        """The cells around an answer's place, up to those of the master."""
        master = [each.grade_id for each in self.assignment.master]
        place = master.index(cell.grade_id)
        rank = {grade_id: i for i, grade_id in enumerate(master)}
        ranks = [rank.get(role.grade_id) if role else None for role in self.roles]
        if at is None:
            before = [i for i, r in enumerate(ranks) if r is not None and r < place]
            start = before[-1] + 1 if before else 0
        else:
            start = at + 1
        ends = [i for i in range(start, len(ranks)) if ranks[i] is not None]
        return list(range(start, ends[0] if ends else len(ranks)))


def _added(kind: Literal["setup", "check", "text"], name: str) -> Cell:
    """A cell that the master does not have, and a release does."""
    grade_id, question = (f"{name}-check", name) if kind == "check" else (name, "")
    return Cell(0, "code", kind, grade_id, question, None, "", "", "")


def _plain(text: str) -> str:
    return "".join(text.split())


def _statements(source: str) -> str:
    """A cell's code without blank lines and those that are comments alone."""
    lines = (line for line in source.split("\n") if line.strip())
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def _says(source: str, name: str, before: str = "") -> bool:
    """Whether a line defines a name, after what may stand before it."""
    defined = rf"^{before}(?:(?:def|class)\s+{name}\b|{name}\s*=[^=])"
    return bool(re.search(defined, source, re.MULTILINE))
