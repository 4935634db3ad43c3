"""What grading costs beside nbgrader's autograde: `make bench-grading`.

Run it after a change to the grader, on a machine that is otherwise idle: all is timed
in one run, on the same cores and the same submissions, whose marks must be equal.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbgrader.api import Gradebook
from rich.console import Console
from rich.table import Table

from helpers.coursework import engine, release
from helpers.coursework.assignment import (
    Assignment,
    Cell,
    load,
    master,
    questions,
)
from helpers.coursework.record import Record

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "tests" / "coursework" / "example"
BIN = Path(sys.executable).parent
CORES = len(os.sched_getaffinity(0))
WRONG = 3  # each third submission has a typical wrong answer
RATIO, OVERHEAD = 20.0, 1.2  # the bars
CELL_SECONDS = 2.0
PEAKS = ("worker PSS", "worker RSS", "below PSS", "below RSS")
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
from helpers.coursework import Question, value_probe

QUESTION = Question(
    name="result",
    title="Result",
    answer="result",
    reference=lambda variant: VALUE,
    probes=(value_probe(),),
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
    name = assignment.name
    right = {c.grade_id: _bare(c) for c in master(assignment) if c.kind == "answer"}
    wrong = [
        {question: typical.answer(right[question])}
        for question, asked in questions(assignment).items()
        for typical in asked.wrong
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


def _bare(cell: Cell) -> str:
    """An answer cell's text without the marks around the solution."""
    lines = cell.source.split("\n")
    return "\n".join(line for line in lines if not line.strip().startswith("###"))


def ours(
    assignment: Assignment, submitted: Submissions, records: Path, workers: int
) -> Cost:
    """Time `engine.run` while all workers are busy, neither their start nor the end.

    Until each has graded one submission, they get some that are not counted.
    """
    marks: Marks = {}
    started = [_stamp()]  # of the run, and of the first submission that counts
    ended: list[tuple[float, float]] = []
    since = 0

    def waiting() -> Iterator[engine.Job | engine.Failed]:
        first = {f"warm-{number}" for number in range(workers)}  # one for each worker
        for number in count():
            if first <= marks.keys():
                break
            _, path = submitted[number % len(submitted)]
            yield from engine.jobs(assignment, [(f"warm-{number}", path)], records)
        started.append(_stamp())
        yield from engine.jobs(assignment, submitted, records)

    def done(result: Record | engine.Failed) -> None:
        nonlocal since
        if isinstance(result, engine.Failed) or result["state"] != "graded":
            raise SystemExit(f"not graded: {result}")
        marks[result["student"]] = {
            q["name"]: q["points"] or 0.0
            for q in result["questions"]
            if q["state"] != "manual"
        }
        since += len(started) > 1
        if since == len(submitted) and not ended:
            ended.append(_stamp())

    engine.run(waiting(), records, workers, done=done)
    (begun, _), (start, cpu_start) = started
    ((end, cpu_end),) = ended
    return Cost(
        f"helpers.coursework, {_processes(workers)}",
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
    folders = [folder / f"gradebook-{number}" for number in range(processes)]
    name = assignment.name
    for number, course in enumerate(folders):
        (course / "source" / name).mkdir(parents=True)
        notebook = release.source_version(assignment)
        for node in notebook.cells:
            if asserts and node.id.endswith("-check"):
                before, _ = node.source.split("from helpers.coursework import score")
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


@contextmanager
def memory(seconds: float) -> Iterator[dict[str, float]]:
    """Peak MB of a process that we start, and of all below it together (sampled).

    As PSS, which shares what processes have in common among them; and RSS.
    """
    peak = dict.fromkeys(PEAKS, 0.0)
    stop = threading.Event()

    def sample() -> None:
        for child in psutil.Process().children():
            if "resource_tracker" in " ".join(child.cmdline()):
                continue
            below = child.children(recursive=True)
            for who, members in (("worker", [child]), ("below", below)):
                sizes = [_size(member) for member in members]
                for at, kind in enumerate(("PSS", "RSS")):
                    key, size = f"{who} {kind}", sum(s[at] for s in sizes)
                    peak[key] = max(peak[key], size)

    def watch() -> None:
        while not stop.wait(seconds):
            try:
                sample()
            except psutil.NoSuchProcess:
                continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _size(process: psutil.Process) -> tuple[float, float]:
    """PSS and RSS in MB."""
    try:
        found = process.memory_full_info()
        return found.pss / 1e6, found.rss / 1e6
    except psutil.NoSuchProcess:
        return 0.0, 0.0
    except psutil.AccessDenied:
        rss = process.memory_info().rss / 1e6
        return rss, rss


def differing(one: Cost, other: Cost, honest: bool = False) -> list[str]:
    """Lines on marks that are not equal, of the students that both have graded."""
    lines = []
    both = one.marks.keys() & other.marks.keys()
    best = {
        question: max(marks[question] for marks in one.marks.values())
        for question in next(iter(one.marks.values()))
    }
    for student in sorted(both):
        if honest and one.marks[student] != best:
            continue
        if one.marks[student] != other.marks[student]:
            lines.append(
                f"{student}: {one.of} gives {one.marks[student]}, "
                f"{other.of} {other.marks[student]}"
            )
    return lines


def main() -> None:
    """Measure, print tables, write `_build/bench_grading.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=50)
    parser.add_argument("--nbgrader", type=int, default=10, help="that nbgrader grades")
    parser.add_argument("--large", type=int, default=5000, help="0: no growth")
    parser.add_argument("--workers", type=int, default=CORES)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(chosen, Path(folder))


def measure(chosen: argparse.Namespace, course: Path) -> None:
    """All of it, in a course of its own; exit code 1 where marks differ."""
    out = Console(highlight=False, soft_wrap=True)
    workers = chosen.workers
    result: dict[str, Any] = {
        "cores": CORES,
        "submissions": chosen.submissions,
        "load before": os.getloadavg(),
    }
    problems: list[str] = []

    def graded(assignment: Assignment, runs: list[tuple[int, bool]]) -> list[Cost]:
        """Both graders by turns: with so many processes, and plain asserts or not."""
        submitted = submit(assignment, course, chosen.submissions)
        few = submitted[: chosen.nbgrader]
        costs: list[Cost] = []
        for number, (processes, asserts) in enumerate(runs):
            folder = course / f"{assignment.name}-{number}"
            theirs = nbgrader(assignment, few, folder, processes, asserts)
            mine = ours(assignment, submitted, folder / "records", processes)
            problems.extend(differing(mine, theirs, honest=asserts))
            costs += [theirs, mine]
            out.print(theirs, mine, sep="\n")
        table = Table("grader", *("s", "CPU s", "start s", "timed on"), box=None)
        for cost in costs:
            numbers = (cost.seconds, cost.cpu, cost.start)
            cells = [f"{number:.3f}" for number in numbers]
            table.add_row(cost.of, *cells, f"{cost.submissions}")
        out.print(f"\n[bold]{assignment.name}[/], by submission, starts apart", table)
        result[assignment.name] = [asdict(c) | {"marks": None} for c in costs]
        return costs

    simple = trivial(course)
    plain = [(1, True), (workers, True)]
    costs = graded(simple, [(1, False), (workers, False), *plain])
    result["ratio"] = {
        theirs.of: theirs.seconds / mine.seconds
        for theirs, mine in zip(costs[::2], costs[1::2], strict=True)
    }
    for of, ratio in result["ratio"].items():
        out.print(f"{ratio:.0f} times the throughput of {of} ({_bar(ratio >= RATIO)})")

    heavy = computes(course)
    (cell,) = (_bare(c) for c in master(heavy) if c.kind == "answer")
    before = own(cell, workers, 3)
    costs = graded(heavy, [(workers, False)])
    after = own(cell, workers, 3)
    wall, cpu = (statistics.mean(o[at] for o in before + after) for at in (0, 1))
    overhead = costs[1].seconds * workers / wall
    result["own"] = {"seconds": wall, "CPU seconds": cpu}
    result["overhead"] = {"seconds": overhead, "CPU": costs[1].cpu / cpu}
    out.print(
        f"the cells alone {wall:.2f} s (CPU {cpu:.2f}): grading takes {overhead:.2f} "
        f"times that, CPU {costs[1].cpu / cpu:.2f} ({_bar(overhead <= OVERHEAD)})"
    )

    sizes = [chosen.submissions, *([chosen.large] if chosen.large else [])]
    result["growth"] = growth = {}
    table = Table("submissions", "s", "CPU s", *PEAKS, box=None)
    for size in sizes:
        submitted = submit(simple, course, size)
        cost = ours(simple, submitted, course / f"records-{size}", workers)
        with memory(0.2 if size < 500 else 5.0) as peak:
            ours(simple, submitted, course / f"records-{size}-again", workers)
        growth[size] = {"seconds": cost.seconds, "CPU": cost.cpu, "MB": peak}
        numbers = [f"{peak[name]:.0f} MB" for name in PEAKS]
        table.add_row(f"{size}", f"{cost.seconds:.4f}", f"{cost.cpu:.4f}", *numbers)
    out.print("\n[bold]growth[/], by submission", table)
    with memory(0.5) as peak:
        nbgrader(simple, submit(simple, course, 2), course / "memory", 1)
    result["nbgrader MB"] = peak
    out.print(
        f"nbgrader: {peak['worker PSS']:.0f} MB, its kernel {peak['below PSS']:.0f} MB"
    )

    result["load after"] = os.getloadavg()
    result["problems"] = problems
    target = ROOT / "_build" / "bench_grading.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1), "utf8")
    loads = " and ".join(f"{result[f'load {at}'][0]:.1f}" for at in ("before", "after"))
    out.print(
        f"\n{CORES} cores, load before and after {loads}; nbgrader's times are of "
        f"{min(chosen.nbgrader, chosen.submissions)} submissions, taken as those of "
        f"all; written to {target.relative_to(ROOT)}"
    )
    for problem in problems:
        out.print(f"[bold red]marks differ:[/] {problem}")
    if problems:
        raise SystemExit(1)
    out.print("all marks are equal")


def _bar(met: bool) -> str:
    return "the bar is met" if met else "[bold red]the bar is missed[/]"


if __name__ == "__main__":
    main()
