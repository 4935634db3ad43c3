"""Checks a teacher's assignment before students see it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from layers_book.checking import Mistake
from layers_book.checking.judging.words import CONFIGURATION, label
from layers_book.coursework import release
from layers_book.coursework.assignment import Assignment
from layers_book.coursework.grade.grading import grade
from layers_book.coursework.grade.record import Record
from layers_book.coursework.leaks import Leak, check_leaks
from layers_book.coursework.question import Question
from layers_book.coursework.sandbox.bubblewrap import Sandbox

LEAST = 5  # wrong answers a question
VARIANTS = ("", "ada", "grace", "emmy")  # students whose variants are tried


@dataclass
class Report:
    """What `check` found.

    Args:
        problems: sentences; the assignment is fit for release if there are none.
        remarks: what could be better.
        caught: wrong answers that lost what they should.
        wrong: all wrong answers.
        unrecognized: sentences on those that got no hint or another one's.
        points: of all questions, those marked by hand included.
    """

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    caught: int = 0
    wrong: int = 0
    unrecognized: list[str] = field(default_factory=list)
    points: float = 0.0

    @property
    def mutation_score(self) -> float:
        """The share of the wrong answers that are caught."""
        return self.caught / self.wrong if self.wrong else 0.0


def check(
    assignment: Assignment,
    sandbox: Sandbox,
    done: Callable[[str], None] = lambda step: None,
) -> Report:
    """Try an assignment as its students will.

    The solution gets full marks, for several variants; the starter gets none; every
    wrong answer loses what it should; the solution passes the visible checks and the
    starter does not; no part is given away; nothing leaks into the release.

    Args:
        assignment: what to try.
        sandbox: where it is run.
        done: called with words for each step.

    Raises:
        AssignmentError: the assignment is not written as it must be.
    """
    report = Report()
    report.points = assignment.points
    for question in assignment.questions.values():
        report.problems += _form(assignment, question)
        if len(question.mistakes) < LEAST:
            count = f"{len(question.mistakes)} wrong answers, {LEAST} say more"
            report.remarks.append(f"{question.name}: {count}")
    if report.problems:
        return report
    try:
        check_leaks(
            release.student_version(assignment, due=datetime.now(UTC)), assignment
        )
    except Leak as leak:
        report.problems.append(str(leak))
    done("form and leaks")
    whole = _solved(assignment, sandbox, report, done)
    _starter(assignment, sandbox, report)
    done("starter")
    for problem in _visible(assignment, sandbox):
        report.problems.append(problem)
    done("visible checks")
    if not report.problems:
        for question in assignment.questions.values():
            _wrong_answers(assignment, question, sandbox, whole, report)
            done(question.name)
    return report


def _form(assignment: Assignment, question: Question) -> Iterator[str]:
    """What can be seen without running a submission."""
    if len({m.name for m in question.mistakes}) < len(question.mistakes):
        yield f"{question.name}: two wrong answers have the same name"
    for wrong in question.mistakes:
        for part in set(wrong.loses) - question.titles.keys():
            yield (
                f"{question.name}: wrong answer {wrong.name!r} loses {part!r}; parts: "
                f"{', '.join(question.titles)}"
            )
    try:
        grader = assignment.version().grader(question.name)
    except ValueError as error:  # an edit that no longer applies
        yield f"{error}"
        return
    used = set()
    for record in grader.expected:
        labels = [label(case) for case in record]
        for words in {words for words in labels if labels.count(words) > 1}:
            yield f"{question.name}: {words!r} is recorded twice; they must differ"
        for case in record:
            if case[0] != CONFIGURATION:
                try:
                    used.add(question.part(case))
                except ValueError as error:
                    yield f"{error}"
                    return
    for part in question.titles.keys() - used:
        yield f"{question.name}: no value belongs to the part {part!r}"


def _solved(
    assignment: Assignment,
    sandbox: Sandbox,
    report: Report,
    done: Callable[[str], None],
) -> Record:
    """The solution's record for the common variant; problems if it is not right."""
    records = []
    for student in VARIANTS if assignment.variant else VARIANTS[:1]:
        notebook = release.source_version(assignment)
        version = assignment.version(assignment.values(student))
        record = grade(version, student, release.as_bytes(notebook), sandbox)
        records.append(record)
        for question in record["questions"]:
            points, most = question["points"], question["max_points"]
            if question["state"] != "manual" and points != most:
                report.problems.append(
                    f"{question['name']}: the solution gets {points:g} of {most:g}"
                    f"{f' with the variant of {student}' if student else ''}: "
                    f"{question['seen']} {question['error']} {question['reason']}"
                )
        if record["state"] != "graded":
            report.problems.append(f"the solution: {record['reason']}")
        done(f"solution {student}".strip())
    return records[0]


def _starter(assignment: Assignment, sandbox: Sandbox, report: Report) -> None:
    notebook = release.student_version(assignment)
    record = grade(assignment.version(), "", release.as_bytes(notebook), sandbox)
    report.problems += [
        f"{question['name']}: the starter gets {question['points']:g} points"
        for question in record["questions"]
        if question["points"]
    ]


def _visible(assignment: Assignment, sandbox: Sandbox) -> Iterator[str]:
    """Whether each visible check passes the solution and stops the starter."""
    for solved in (True, False):
        cells = [
            (
                f"{cell.grade_id} {cell.kind}",
                cell.source if solved and cell.kind == "answer" else cell.student,
            )
            for cell in assignment.master
            if cell.type == "code" and cell.kind != "manual"
        ]
        frames = sandbox.run(cells, []).frames
        ended = {f[1]: f[2:] for f in frames if f[0] == "cell" and f[2] != "start"}
        for cell in assignment.master:
            state, *words = ended.get(f"{cell.grade_id} {cell.kind}", ["ok"])
            if solved and state != "ok":
                yield f"{cell.grade_id}: fails with the solution: {' '.join(words)}"
            if not solved and cell.kind == "check" and state == "ok":
                yield f"{cell.grade_id}: passes with the starter"


def _wrong_answers(
    assignment: Assignment,
    question: Question,
    sandbox: Sandbox,
    whole: Record,
    report: Report,
) -> None:
    others = [q for q in whole["questions"] if q["name"] != question.name]
    earlier: Record = whole | {"questions": others}  # only this question is asked
    for wrong in question.mistakes:
        notebook = _with(assignment, question, wrong)
        record = grade(assignment.version(), "", notebook, sandbox, earlier)
        found = next(q for q in record["questions"] if q["name"] == question.name)
        kept = {p["title"] for p in found["parts"] if p["passed"]}
        report.wrong += 1
        if found["mistake"] != wrong.name:
            got = f"the hint of {found['mistake']!r}" if found["mistake"] else "no hint"
            report.unrecognized.append(f"{question.name}: {wrong.name!r} gets {got}")
        if found["points"] == found["max_points"] or kept & set(wrong.loses):
            report.problems.append(
                f"{question.name}: the wrong answer {wrong.name!r} keeps "
                f"{', '.join(sorted(kept & set(wrong.loses)) or ['all points'])}"
            )
        else:
            report.caught += 1


def _with(assignment: Assignment, question: Question, wrong: Mistake) -> bytes:
    notebook = release.source_version(assignment)
    for node in notebook.cells:
        cell = next((c for c in assignment.master if c.grade_id == node.id), None)
        if cell and cell.kind == "answer" and cell.question == question.name:
            node.source = question.code(wrong, cell.source)
    return release.as_bytes(notebook)
