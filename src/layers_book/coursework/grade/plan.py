"""What of a submission is run, and in which order.

The master's own cells as they were given out; the student's in the notebook's order, up
to where the last answer is checked; and from anywhere else what these need. Each
question sees the names that are defined where its check stands: a name that is used
again further down, for something else, takes nothing away from it.
"""

import builtins
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from layers_book.coursework.assignment import Version
from layers_book.coursework.cells import Cell
from layers_book.coursework.matching import Matched
from layers_book.coursework.names import Names, names

GIVEN = {*dir(builtins), "display", "get_ipython", "__file__", "In", "Out", "_", "__"}
DEPTH = 50  # cells of which each has to be run before another


@dataclass
class Plan:
    """The cells to run and what was odd.

    Args:
        cells: name and source of each, in order; no source: here the question of this
            name is checked.
        answers: by question, the name of the cell that answers it.
        notes: a sentence each.
    """

    cells: list[tuple[str, str | None]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Step:
    at: float  # the place in the notebook
    name: str
    source: str
    names: Names
    ours: bool = False

    @property
    def needs(self) -> frozenset[str]:
        return (self.names.uses | self.names.calls) - self.names.binds - GIVEN


def plan(version: Version, matched: Matched) -> Plan:
    """What to run of a submission to an assignment's version."""
    made = _Planner(version, matched)
    return Plan(made.marked(), made.answers, made.notes)


class _Planner:
    def __init__(self, version: Version, matched: Matched) -> None:
        self.matched, self.notes = matched, list[str]()
        self.setup = version.setup
        self.known = set(GIVEN).union(*(names(s).binds for s in self.setup.values()))
        self.master, self.questions = version.assignment.master, version.questions
        self.checked = {
            cell.question: self._check(cell)
            for cell in self.master
            if cell.kind == "answer"
        }
        self.end = max(self.checked.values(), default=0)
        self.chosen = {
            answer.index: grade_id
            for grade_id, answer in reversed(matched.answers.items())
            if answer.index is not None
        }
        steps = [*self._students(), *self._masters()]
        steps += self._needed(steps)
        self.steps = self._ordered(sorted(steps, key=lambda step: step.at))
        self.defined: dict[str, list[int]] = {}  # where in steps each name is bound
        for number, step in enumerate(self.steps):
            for name in step.names.binds:
                self.defined.setdefault(name, []).append(number)
        self.answers = {
            grade_id: self._name(answer.index)
            for grade_id, answer in matched.answers.items()
            if answer.index is not None
        }

    def _check(self, cell: Cell) -> int:
        """Where an answer is checked, or else where the next cell of ours stands."""
        roles, at = self.matched.roles, self.matched.answers[cell.grade_id].index
        if at is None:  # it may be defined anywhere, in a way that cannot be read
            return len(roles)
        later = [
            (role, i)
            for i, role in enumerate(roles)
            if i > at and role is not None and role is not cell
        ]
        for role, i in later:
            if role.kind == "check" and role.question == cell.question:
                return i
        return later[0][1] if later else len(roles)

    def _name(self, index: int) -> str:
        return self.chosen.get(index) or self.matched.label(index)

    def _step(self, index: int) -> _Step:
        cells, found = self.matched.cells, self.matched.names
        return _Step(index, self._name(index), cells[index].source, found[index])

    def _students(self) -> Iterable[_Step]:
        for i, role in enumerate(self.matched.roles):
            if i >= self.end or not self.matched.runs(i):
                continue
            if self.matched.untouched(i) and not self.matched.names[i].defines:
                continue  # it would only raise NotImplementedError
            if i not in self.chosen and self._takes_a_name(i):
                continue
            if role is None or role.kind in ("answer", "manual") or i in self.chosen:
                yield self._step(i)

    def _takes_a_name(self, index: int) -> bool:
        """Whether a cell would put a stub in the place of an answer."""
        names = self.matched.names[index].defines
        return any(
            self.matched.answers[cell.grade_id].state == "given"
            and names == {self.questions[cell.question].answer}
            and self.matched.stands_in(index, cell)
            for cell in self.master
            if cell.kind == "answer"
        )

    def _masters(self) -> Iterable[_Step]:
        at = -1.0
        for cell in self.master:
            there = [i for i, role in enumerate(self.matched.roles) if role is cell]
            if cell.kind == "code" and (there or at < self.end):
                place = there[0] if there else at + 0.5
                if not there:
                    said = f"the cell {cell.grade_id} is missing: ours was run"
                    self.notes.append(said)
                if place < self.end:
                    yield _Step(
                        place, cell.grade_id, cell.student, names(cell.student), True
                    )
            at = max([at, *there])

    def _needed(self, steps: list[_Step]) -> list[_Step]:
        """Of the cells that are not run, those that define what the others use."""
        matched, added = self.matched, list[_Step]()
        run = {step.at for step in steps if not step.ours}
        left = [
            i
            for i, role in enumerate(matched.roles)
            if i not in run
            and matched.names[i].binds
            and not (role and role.kind == "answer" and matched.stands_in(i, role))
        ]
        left.sort(key=lambda i: matched.cells[i].type != "code")
        known = self.known.union(*(step.names.binds for step in steps))
        wanted = set[str]().union(*(step.needs for step in steps if not step.ours))
        while free := wanted - known:
            found = next((i for i in left if matched.names[i].binds & free), None)
            if found is None:
                break
            left.remove(found)
            added.append(step := self._step(found))
            known |= step.names.binds
            wanted |= step.needs
            self.notes.append(self._why(found, sorted(step.names.binds & free)))
        return added

    def _why(self, index: int, used: list[str]) -> str:
        label, role = self.matched.label(index), self.matched.roles[index]
        kind = self.matched.cells[index].type
        what = f"{', '.join(used[:3])}, which is used"
        if kind != "code":
            return f"{label} is a {kind} cell, but defines {what}: it was taken as code"
        if role is not None:
            return f"{label} is not run as a rule, but defines {what}: it was run"
        return f"{label} stands below the last answer, but defines {what}: it was run"

    def _ordered(self, steps: list[_Step]) -> list[_Step]:
        """In the notebook's order, but before each cell what it needs to be run."""
        hidden = any(step.names.hides for step in steps)
        definers: dict[str, list[_Step]] = {}
        for step in steps:
            for name in step.names.binds:
                definers.setdefault(name, []).append(step)
        ordered: list[_Step] = []
        begun: set[_Step] = set()
        known = set(self.known)

        def place(step: _Step, depth: int = 0) -> None:
            begun.add(step)
            uses = step.names.uses - step.names.binds
            for name in sorted(uses - known) if depth < DEPTH else ():
                first = next(iter(definers.get(name, ())), None)
                if first and first not in begun and not (hidden or step.ours):
                    said = f"{first.name} was run before {step.name}, which needs its"
                    self.notes.append(f"{said} {name}")
                    place(first, depth + 1)
            ordered.append(step)
            known.update(step.names.binds)

        for step in steps:
            if step not in begun:
                place(step)
        return ordered

    def marked(self) -> list[tuple[str, str | None]]:
        """Setup and steps, and after what is defined where, the question's name."""
        marks: dict[int, list[str]] = {}
        for question, at in self.checked.items():
            if self.matched.answers[question].state == "given":
                marks.setdefault(self._seen(question, at), []).append(question)
        cells: list[tuple[str, str | None]] = list(self.setup.items())
        for number, step in enumerate(self.steps):
            cells.append((step.name, step.source))
            cells += [(question, None) for question in marks.get(number, ())]
        return cells

    def _seen(self, question: str, at: int) -> int:
        """The last step that a question can see."""
        name = self._name(self.matched.answers[question].index or 0)
        own = next(i for i, step in enumerate(self.steps) if step.name == name)
        last = max([own, *(i for i, step in enumerate(self.steps) if step.at < at)])
        waiting, met = [own], {own}
        while waiting:
            for need in self.steps[waiting.pop()].needs - self.known:
                if found := self.defined.get(need):
                    before = bisect_right(found, last)
                    using = found[max(before - 1, 0)]
                    last = max(last, using)
                    if using not in met:
                        met.add(using)
                        waiting.append(using)
        return last
