"""One run of a grader on made submissions, timed; for `bench_grading.py`."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psutil

from layers_book.coursework.assignment import Assignment, Cell, load
from layers_book.coursework.grade import queue
from layers_book.coursework.grade.job import Failed, Job
from layers_book.coursework.grade.record import Record

# nbformat, nbgrader and the release are imported below: each worker imports this file
ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "tests" / "coursework" / "example"
BIN = Path(sys.executable).parent
WRONG = 3  # each third submission has a typical wrong answer
CELL_SECONDS = 2.0
Submissions = list[tuple[str, Path]]
Marks = dict[str, dict[str, float]]

# plain asserts in place of the questions: what nbgrader takes at the least
ASSERTS = {
    "scale": "assert scale(ones, torch.ones(3)).sum() == 6",
    "rms": "assert torch.allclose(rms(3 * ones), torch.tensor(3.0))",
}
COMPUTES = """\
```{code-cell} python
:setup: true

import torch
```

```{code-cell} python
:question: result

### BEGIN SOLUTION
torch.manual_seed(0)
x, weight = torch.randn(2, 200, 200, dtype=torch.float64)
total = 0.0
for k in range(ROUNDS):
    total += float(torch.sin(x @ weight + k).square().mean())
result = total / ROUNDS
### END SOLUTION
```
"""
RESULT = """\
from layers_book.coursework import Question, value_run

QUESTION = Question(
    name="result",
    title="Result",
    answer="result",
    reference=lambda variant: VALUE,
    run=value_run(),
    parts={"the value": 1},
    wrong=(),
)
"""
OWN = """\
import json, sys, time, torch
torch.set_num_threads(1)
cell, repeats = sys.argv[1], int(sys.argv[2])
exec("import torch\\ntorch.sin(torch.randn(200, 200) @ torch.randn(200, 200))")
wall, cpu = time.perf_counter(), time.process_time()
for _ in range(repeats):
    space = {"torch": torch}
    exec(cell, space)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps([wall / repeats, cpu / repeats, space["result"]]))
"""


@dataclass
class Cost:
    """Of one run.

    Args:
        of: who graded, and with how many processes.
        submissions: how many were timed.
        seconds: of the clock, a submission, without the start.
        cpu: seconds of all processes, a submission, without the start.
        start: seconds of the clock until the first submission can be graded.
        marks: points by student and question.
    """

    of: str
    submissions: int
    seconds: float
    cpu: float
    start: float
    marks: Marks = field(repr=False)


def trivial(course: Path) -> Assignment:
    """The tests' example: answers that take no time."""
    folder = course / "assignments" / "trivial"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return load(folder)


def computes(course: Path) -> Assignment:
    """An answer whose cell takes about two seconds in one thread."""
    folder = course / "assignments" / "computes"
    folder.mkdir(parents=True)
    rounds = 500
    cell = COMPUTES.split("### BEGIN SOLUTION\n")[1].split("### END")[0]
    (_, cpu, _), *_ = own(cell.replace("ROUNDS", f"{rounds}"), 1, 1)
    rounds = round(rounds * CELL_SECONDS / cpu)
    (_, _, value), *_ = own(cell.replace("ROUNDS", f"{rounds}"), 1, 1)
    text = COMPUTES.replace("ROUNDS", f"{rounds}")
    (folder / "assignment.md").write_text(text, "utf8")
    (folder / "result.py").write_text(RESULT.replace("VALUE", f"{value!r}"), "utf8")
    return load(folder)


def own(cell: str, processes: int, repeats: int) -> list[list[float]]:
    """A cell in plain Python, torch imported: wall and CPU seconds, and its result."""
    command = [sys.executable, "-c", OWN, cell, f"{repeats}"]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(processes)
    ]
    return [json.loads(process.communicate()[0]) for process in started]


def submit(assignment: Assignment, folder: Path, number: int) -> Submissions:
    """Write submissions, of which each third is wrong."""
    import nbformat

    from layers_book.coursework import release

    name = assignment.name
    right = {c.grade_id: bare(c) for c in assignment.master if c.kind == "answer"}
    wrong = [
        {question: asked.code(typical, right[question])}
        for question, asked in assignment.questions.items()
        for typical in asked.mistakes
    ]
    wrong = wrong or [{q: f"{text}\nresult = -result" for q, text in right.items()}]
    texts = []
    for answers in [right, *(right | other for other in wrong)]:
        notebook = release.student_version(assignment)
        for node in notebook.cells:
            if node.id in answers:
                node.source = f"{answers[node.id]}\n# by STUDENT"
        texts.append(nbformat.writes(notebook))
    found = []
    for at in range(number):
        text = texts[0 if at % WRONG else 1 + at // WRONG % len(wrong)]
        student = f"s{at:05}"
        path = folder / "submitted" / student / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("STUDENT", student), "utf8")
        found.append((student, path))
    return found


def bare(cell: Cell) -> str:
    """An answer cell's text without the marks around the solution."""
    lines = cell.source.split("\n")
    return "\n".join(line for line in lines if not line.strip().startswith("###"))


def ours(
    assignment: Assignment, submitted: Submissions, records: Path, workers: int
) -> Cost:
    """Time `queue.run` while all workers are busy, neither their start nor the end.

    Until each has graded one submission, they get some that are not counted.
    """
    marks: Marks = {}
    started = [_stamp()]  # of the run, and of the first submission that counts
    ended: list[tuple[float, float]] = []
    since = 0

    def waiting() -> Iterator[Job | Failed]:
        first = {f"warm-{number}" for number in range(workers)}  # one for each worker
        for number in count():
            if first <= marks.keys():
                break
            _, path = submitted[number % len(submitted)]
            yield from queue.jobs(assignment, [(f"warm-{number}", path)], records)
        started.append(_stamp())
        yield from queue.jobs(assignment, submitted, records)

    def done(result: Record | Failed) -> None:
        nonlocal since
        if isinstance(result, Failed) or result["state"] != "graded":
            raise SystemExit(f"not graded: {result}")
        marks[result["student"]] = {
            q["name"]: q["points"] or 0.0
            for q in result["questions"]
            if q["state"] != "manual"
        }
        since += len(started) > 1
        if since == len(submitted) and not ended:
            ended.append(_stamp())

    queue.run(waiting(), records, workers, done=done)
    (begun, _), (start, cpu_start) = started
    ((end, cpu_end),) = ended
    return Cost(
        f"layers_book.coursework, {_processes(workers)}",
        len(submitted),
        (end - start) / len(submitted),
        (cpu_end - cpu_start) / len(submitted),
        start - begun,
        marks,
    )


def _stamp() -> tuple[float, float]:
    """The clock, and CPU seconds of this process and all below it, ended or not."""
    total = 0.0
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return time.perf_counter(), total


def nbgrader(
    assignment: Assignment,
    submitted: Submissions,
    folder: Path,
    processes: int,
    asserts: bool = False,
) -> Cost:
    """Time ``nbgrader autograde``, a gradebook a process, less a run without work."""
    import nbformat
    from nbgrader.api import Gradebook

    from layers_book.coursework import release

    folders = [folder / f"gradebook-{number}" for number in range(processes)]
    name = assignment.name
    for number, course in enumerate(folders):
        (course / "source" / name).mkdir(parents=True)
        notebook = release.source_version(assignment)
        for node in notebook.cells:
            if asserts and node.id.endswith("-check"):
                before, _ = node.source.split(
                    "from layers_book.coursework import score"
                )
                test = ASSERTS[node.id.removesuffix("-check")]
                node.source = f"{before}ones = torch.ones(2, 3)\n{test}\n"
                node.source += "### END HIDDEN TESTS"
        nbformat.write(notebook, course / "source" / name / f"{name}.ipynb")
        for student, path in submitted[number::processes]:
            target = course / "submitted" / student / name / path.name
            target.parent.mkdir(parents=True)
            shutil.copy(path, target)
    _nbgrader("generate_assignment", name, folders)
    wall, cpu = _nbgrader("autograde", name, folders)
    idle_wall, idle_cpu = _nbgrader("autograde", name, folders)
    marks: Marks = {}
    for course in folders:
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
            for submission in book.assignment_submissions(name):
                grades = [g for n in submission.notebooks for g in n.grades]
                marks[submission.student.id] = {
                    grade.name.removesuffix("-check"): grade.auto_score
                    for grade in grades
                    if grade.name.endswith("-check")
                }
    graded = len(submitted)
    return Cost(
        f"nbgrader autograde, {_processes(processes)}"
        + (", plain asserts" if asserts else ""),
        graded,
        (wall - idle_wall) / graded,
        (cpu - idle_cpu) / graded,
        idle_wall,
        marks,
    )


def _nbgrader(command: str, name: str, folders: list[Path]) -> tuple[float, float]:
    """Wall and CPU seconds of a command, run in all folders at once."""
    environment = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",  # it calls alembic by name
        "PYTHONPATH": str(ROOT / "src"),
        "COURSEWORK": str(folders[0].parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    arguments = [str(BIN / "nbgrader"), command, name]
    if command == "autograde":
        arguments.append("--ExecutePreprocessor.timeout=300")
    begun, cpu = time.perf_counter(), _of_ended()
    running = []
    for folder in folders:
        log = (folder / "nbgrader.log").open("ab")
        running.append(
            subprocess.Popen(
                arguments, cwd=folder, env=environment, stdout=log, stderr=log
            )
        )
        log.close()
    for process, folder in zip(running, folders, strict=True):
        if process.wait():
            said = (folder / "nbgrader.log").read_text()[-3000:]
            raise SystemExit(f"nbgrader {command} failed:\n{said}")
    return time.perf_counter() - begun, _of_ended() - cpu


def _of_ended() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"
