"""The command line, ``coursework``; run it in the course's folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

# each command imports what else it needs: each process of `grade` imports this module
from layers_book.coursework.assignment import Assignment, find
from layers_book.coursework.collect import notebook
from layers_book.coursework.course import Course, parse_time
from layers_book.coursework.grade import queue
from layers_book.coursework.grade.record import Record
from layers_book.coursework.results.grades import ByHand, grade_of
from layers_book.coursework.sandbox.bubblewrap import Limits, NoSandbox, Sandbox

app = typer.Typer(
    help="Assign chapters, collect, grade, give feedback. The guide: "
    "coursework/README.md. Run each command in the course folder.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
Name = Annotated[
    str, typer.Argument(metavar="ASSIGNMENT", help="such as normalization")
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust-submissions",
        help="run submissions without a sandbox, as if the code were your own",
    ),
]


@app.command()
def release(
    name: Name,
    variants: Annotated[
        bool, typer.Option(help="one version a student of roster.csv, with own numbers")
    ] = False,
    due: Annotated[
        str, typer.Option(help="shown to students; else from coursework.toml")
    ] = "",
    force: Annotated[
        bool, typer.Option(help="replace a release that students may already have")
    ] = False,
) -> None:
    """Make the student version, and nbgrader's master beside it."""
    from layers_book.coursework import release as releasing

    course, assignment = _open(name)
    students = course.students() if variants else None
    if variants and not students:
        raise ValueError("--variants: roster.csv must name the students")
    if variants and not course.settings.salt:
        raise ValueError(
            '--variants: coursework.toml needs salt = "...", a secret of your own; '
            "without it students can draw each other's numbers"
        )
    written = releasing.release(
        assignment,
        course.root,
        students=students,
        due=parse_time(due) if due else course.due(name),
        salt=course.settings.salt,
        force=force,
    )
    for path in written[:4]:
        out.print(f"wrote {path}")
    if len(written) > 4:
        out.print(f"and {len(written) - 4} more")
    if not written:
        out.print("nothing new: the release is as it was")


@app.command()
def collect(
    download: Annotated[
        Path, typer.Argument(help="folder or zip that an LMS gave for download")
    ],
    name: Annotated[str, typer.Option("--assignment", "-a", help="its name")],
    at: Annotated[
        str,
        typer.Option(help="when it came in at the latest, if the LMS says no times"),
    ] = "",
) -> None:
    """Make every notebook of an LMS's download a submission, or say why not."""
    from layers_book.coursework.collect import summary
    from layers_book.coursework.collect.download import collect as collect_all

    course, _ = _open(name)
    receipts = collect_all(
        download, course.root, name, at=parse_time(at) if at else None
    )
    counts: dict[str, int] = {}
    for receipt in receipts:
        counts[receipt.state] = counts.get(receipt.state, 0) + 1
    for line in summary.lines(receipts, roster=bool(course.roster)):
        out.print(line, markup=False)
    said = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
    out.print(f"{len(receipts)} files: {said or 'none'}")
    out.print(f"the report and the receipts: {course.received(name)}")


@app.command()
def grade(
    name: Name,
    workers: Annotated[int, typer.Option(help="processes; 0: one a core")] = 0,
    scheduler: Annotated[
        str, typer.Option(help="a Dask cluster, as tls://HOST:8786")
    ] = "",
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="allow tcp://: whoever reaches the cluster can run code as you",
        ),
    ] = False,
    seconds: Annotated[float, typer.Option(help="limit for one cell")] = 30.0,
    memory: Annotated[
        int, typer.Option(help="limit for one submission, in MiB")
    ] = 1024,
    trust: Trust = False,
) -> None:
    """Grade all that is new; stop it and run it again as you like."""
    course, assignment = _open(name)
    limits = Limits(
        cell_seconds=seconds,
        total_seconds=10 * seconds,
        memory_bytes=memory * 2**20,
    )
    submitted = _submitted(course, name)
    records, values = course.records(name), _values(course, assignment)
    failed: list[queue.Failed] = []
    ungraded: list[Record] = []
    new = 0
    with _progress("grading", len(submitted), "preparing") as advance:

        def done(result: Record | queue.Failed) -> None:
            nonlocal new
            advance()
            if isinstance(result, queue.Failed):
                failed.append(result)
                return
            new += 1
            if result["state"] != "graded":
                ungraded.append(result)

        def waiting() -> Iterator[queue.Job | queue.Failed]:
            for one in submitted:
                found = list(
                    queue.jobs(assignment, [one], records, values, limits, trust)
                )
                yield from found
                if not found:
                    advance()

        queue.run(
            waiting(),
            records,
            workers or None,
            scheduler,
            done,
            certificates=course.certificates,
            insecure=insecure,
            say=out.print,
        )
    out.print(f"{new} graded, {len(submitted) - new - len(failed)} as they were")
    for record in ungraded:
        _say_failed(record["student"], record["reason"])
    for failure in failed:
        _say_failed(failure.student, f"{failure.reason}; the next run tries again")
    _enter(course, assignment, submitted)


@app.command()
def certificates() -> None:
    """Make what secures a Dask cluster, and say how it is used."""
    from layers_book.coursework.grade import cluster

    folder = Course().certificates
    cluster.make_certificates(folder)
    out.print(
        f"made {folder}, good for {cluster.DAYS} days. Whoever has it can run code on "
        "the cluster. Copy it to each machine of the cluster; beside it start:"
    )
    for command in cluster.commands(Path(folder.name)):
        out.print(command, markup=False)
    out.print("then here: coursework grade ASSIGNMENT --scheduler tls://HOST:8786")


def _say_failed(student: str, reason: str) -> None:
    out.print(f"could not grade {student}: {reason}", markup=False)


def _enter(
    course: Course, assignment: Assignment, submitted: list[tuple[str, Path]]
) -> None:
    """Bring nbgrader's gradebook and its autograded notebooks up to date."""
    from layers_book.coursework import release as releasing
    from layers_book.coursework.nbgrader import formgrader, gradebook

    name = assignment.name
    if not course.source(name).exists():
        releasing.release(assignment, course.root, salt=course.settings.salt)
    records = list(_records(course, assignment, submitted))
    with _progress("gradebook", len(records)) as advance:
        written = gradebook.write(course, name, records, advance)
    paths = dict(submitted)
    with _progress("autograded notebooks", len(records)) as advance:
        for record in records:
            cells = _cells(assignment, paths[record["student"]])
            formgrader.write_autograded(course, record, cells)
            advance()
    out.print(
        f"gradebook.db: {written.new} new, {written.changed} changed; "
        "marks by hand are kept"
    )


@app.command(name="feedback")
def feedback_pages(name: Name) -> None:
    """Write one HTML page a student."""
    from layers_book.coursework.nbgrader import gradebook
    from layers_book.coursework.results import feedback

    course, assignment = _open(name)
    submitted = _submitted(course, name)
    records = list(_records(course, assignment, submitted))
    hands = gradebook.by_hand(course, name)
    titles = {s.id: s.name for s in course.roster.values()}
    paths = dict(submitted)
    with _progress("feedback", len(records)) as advance:
        for record in records:
            student = record["student"]
            received = course.submitted_at(student, name)
            text = feedback.page(
                record,
                _answers(assignment, paths[student]),
                hands.get(student),
                student_name=titles.get(student, ""),
                penalty=_penalty(course, record, hands),
                received=f"{received:%Y-%m-%d %H:%M} UTC" if received else "",
            )
            feedback.write(course.root / "feedback", record, text)
            advance()
    out.print(f"{len(records)} pages in {course.root / 'feedback'}")


@app.command()
def export(
    name: Name,
    kind: Annotated[str, typer.Option(help="plain, canvas, moodle or all")] = "all",
    column: Annotated[str, typer.Option(help="heading of Canvas's column")] = "",
) -> None:
    """Write grades as CSV, statistics by question, and a similarity report."""
    from layers_book.coursework.nbgrader import gradebook
    from layers_book.coursework.results import export as exporting
    from layers_book.coursework.results import similarity, statistics

    course, assignment = _open(name)
    submitted = _submitted(course, name)
    records = list(_records(course, assignment, submitted))
    hands = gradebook.by_hand(course, name)
    gradebook.update_penalties(course, name)
    folder = course.root / "exports"
    written = exporting.export(
        folder,
        name,
        records,
        roster={s.id: vars(s) for s in course.roster.values()},
        manual=hands,
        penalties={r["student"]: _penalty(course, r, hands) for r in records},
        submitted=[student for student, _ in submitted],
        kind=kind,  # type: ignore[arg-type]
        column=column,
    )
    for path in (*written.files, *statistics.write(folder, name, records, hands)):
        out.print(f"wrote {path}")
    answers = {student: _answers(assignment, path) for student, path in submitted}
    given = [cell.student for cell in assignment.master]
    prose = [c.grade_id for c in assignment.master if c.type == "markdown"]
    for path in similarity.write(folder, name, answers, given, prose):
        out.print(f"wrote {path}")
    out.print(written.summary)


@app.command()
def check(name: Name, trust: Trust = False) -> None:
    """Try an assignment before students see it."""
    from layers_book.coursework import validate

    _, assignment = _open(name)
    with Sandbox(Limits(), trust) as sandbox, _progress("checking", None) as advance:
        report = validate.check(assignment, sandbox, lambda step: advance())
    table = Table(box=None, show_header=False)
    table.add_row("points", f"{report.points:g}")
    table.add_row("wrong answers caught", f"{report.caught} of {report.wrong}")
    table.add_row("recognized as themselves", f"{report.recognized} of {report.wrong}")
    out.print(table)
    for remark in report.remarks:
        out.print(f"could be better: {remark}", markup=False)
    for problem in report.problems:
        out.print(f"problem: {problem}", markup=False)
    if report.problems:
        raise typer.Exit(1)
    out.print(f"{name} is fit for release")


def _open(name: str) -> tuple[Course, Assignment]:
    course = Course()
    return course, find(name, course.root)


def _submitted(course: Course, name: str) -> list[tuple[str, Path]]:
    return [(id, course.submitted(id, name)) for id in course.students(name)]


def _records(
    course: Course, assignment: Assignment, submitted: list[tuple[str, Path]]
) -> Iterator[Record]:
    records = course.records(assignment.name)
    values = _values(course, assignment)
    return queue.current(assignment, submitted, records, values)


def _values(course: Course, assignment: Assignment) -> queue.Values:
    """The values of those to whom an own version was released."""

    def values(student: str) -> dict[str, Any] | None:
        if not course.release(assignment.name, student).exists():
            return None
        return assignment.values(student, course.settings.salt)

    return values


def _penalty(
    course: Course, record: Record, hands: dict[str, dict[str, ByHand]]
) -> float:
    """Points lost for lateness."""
    earned = grade_of(record, hands.get(record["student"])).subtotal
    fraction = course.late_fraction(record["student"], record["assignment"])
    return (earned or 0.0) * fraction


def _cells(assignment: Assignment, path: Path) -> list[dict[str, Any]]:
    from layers_book.coursework.nbgrader import formgrader

    try:
        return formgrader.submitted_cells(notebook.file_bytes(path), assignment)
    except notebook.Unreadable:
        return []


def _answers(assignment: Assignment, path: Path) -> dict[str, str]:
    from layers_book.coursework.matching import Matched

    try:
        return Matched(assignment, notebook.read(path)).sources
    except notebook.Unreadable:
        return {}


@contextmanager
def _progress(
    what: str, total: int | None, first: str = ""
) -> Iterator[Callable[..., Any]]:
    """A bar that says what is done, and until something is, what comes first."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=out,
    ) as bars:
        task = bars.add_task(first or what, total=total)
        yield lambda count=1: bars.update(task, advance=count, description=what)


def main() -> None:
    """Run the command line; a mistake of the user's is one line, not a traceback."""
    try:
        app()
    except (ValueError, OSError, NoSandbox) as error:
        out.print("[bold red]error:[/] ", end="")
        out.print(f"{error}", markup=False)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
