"""What grading costs beside nbgrader's autograde: `make bench-grading`.

Run it after a change to the grader, on a machine that is otherwise idle: all is timed
in one run, on the same cores and the same submissions, whose marks must be equal.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from grading_runs import (
    ROOT,
    Cost,
    bare,
    computes,
    nbgrader,
    ours,
    own,
    submit,
    trivial,
)
from layers_book.coursework.assignment import Assignment

CORES = len(os.sched_getaffinity(0))
RATIO, OVERHEAD = 20.0, 1.2  # the bars
PEAKS = ("worker PSS", "worker RSS", "below PSS", "below RSS")


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
    if not chosen.workers <= chosen.nbgrader <= chosen.submissions:
        parser.error(
            f"--nbgrader {chosen.nbgrader}: from --workers {chosen.workers}, one for "
            f"each process, to --submissions {chosen.submissions}"
        )
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
        table = Table("grader", "s", "CPU s", "start s", "timed on", box=None)
        for cost in costs:
            numbers = (cost.seconds, cost.cpu, cost.start)
            cells = [f"{number:.3f}" for number in numbers]
            table.add_row(cost.of, *cells, f"{cost.submissions}")
        out.print(f"\n[bold]{assignment.name}[/], by submission, starts apart", table)
        result[assignment.name] = [asdict(c) | {"marks": None} for c in costs]
        return costs

    simple = trivial(course)
    costs = graded(simple, [(1, False), (workers, False), (workers, True)])
    result["ratio"] = {}
    for theirs, mine in zip(costs[::2], costs[1::2], strict=True):
        ratio, cpu = theirs.seconds / mine.seconds, theirs.cpu / mine.cpu
        result["ratio"][theirs.of] = {"throughput": ratio, "CPU": cpu}
        said = f"{ratio:.0f} times the throughput of {theirs.of}"
        out.print(f"{said} ({_bar(ratio >= RATIO)}), {cpu:.0f} times less CPU")

    heavy = computes(course)
    (cell,) = (bare(c) for c in heavy.master if c.kind == "answer")
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
        with memory(2.0) as peak:  # seldom, for it costs time, too
            cost = ours(simple, submitted, course / f"records-{size}", workers)
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
