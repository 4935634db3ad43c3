"""The command line, ``coursework``; run it in the course's folder."""

import math
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

# each command imports what else it needs: `--help` and each process of `grade` import
# this module, and torch alone takes seconds
from layers_book.coursework.assignment import Assignment, find, names
from layers_book.coursework.collect import notebook
from layers_book.coursework.course import Course, parse_time
from layers_book.coursework.files import printable, write
from layers_book.coursework.grade.record import Record
from layers_book.coursework.results.grades import ByHand, grade_of

if TYPE_CHECKING:
    from layers_book.coursework.grade import queue

app = typer.Typer(
    help="Assign chapters, collect, grade, give feedback. The guide: "
    "coursework/README.md. Run each command in the course folder.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes longer than all the rest of --help
)
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


@app.command(name="list")
def list_assignments() -> None:
    """List the assignments there are, and their questions."""
    course = Course()
    typer.echo("| assignment | points | questions | marked by hand |")
    typer.echo("|---|---|---|---|")
    for name in names(course.root):
        one = find(name, course.root)
        titles = "; ".join(question.title for question in one.questions.values())
        typer.echo(f"| `{name}` | {one.points:g} | {titles} | {one.by_hand:g} points |")


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

    course = Course()
    assignment = find(name, course.root)
    students = course.students() if variants else None
    if variants and not students:
        raise ValueError("--variants: roster.csv must name the students")
    written = releasing.release(
        assignment,
        course.root,
        students=students,
        due=parse_time(due) if due else course.due(name),
        salt=course.salt() if variants else course.settings.salt,
        force=force,
    )
    for path in written[:4]:
        typer.echo(f"wrote {path}")
    if len(written) > 4:
        typer.echo(f"and {len(written) - 4} more")
    if variants:
        _next(f"coursework hand-out {name} WORKSHEET")
    else:
        _next(f"give students {written[1].relative_to(course.root)}")


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
    """Make an LMS's download submissions; say why a file is none."""
    from layers_book.coursework.collect import summary
    from layers_book.coursework.collect.download import collect as collect_all

    course, _ = _open(name)
    receipts = collect_all(
        download, course.root, name, at=parse_time(at) if at else None
    )
    counts = Counter(receipt.state for receipt in receipts)
    for line in summary.lines(receipts, roster=bool(course.roster)):
        typer.echo(line)
    typer.echo(f"{len(receipts)} files: {_counted(counts) or 'none'}")
    typer.echo(f"the report and the receipts: {course.received(name)}")
    _next(f"coursework grade {name}")


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
    for option, value, least in (
        ("--workers", workers, 0),
        ("--seconds", seconds, 0.1),
        ("--memory", memory, 1),
    ):
        if not least <= value < math.inf:
            raise ValueError(f"{option} {value}: a number from {least} is needed")
    course, assignment = _open(name)
    submitted = _submitted(course, name)

    from layers_book.coursework.grade import queue
    from layers_book.coursework.grade.job import Failed, Job
    from layers_book.coursework.sandbox.bubblewrap import Limits

    limits = Limits(
        cell_seconds=seconds,
        total_seconds=10 * seconds,
        memory_bytes=memory * 2**20,
    )
    records, values = course.records(name), _values(course, assignment)
    failed: list[Failed] = []
    new = 0
    with _progress("grading", len(submitted), "preparing") as advance:

        def done(result: Record | Failed) -> None:
            nonlocal new
            advance()
            if isinstance(result, Failed):
                failed.append(result)
            else:
                new += 1

        def waiting() -> Iterator[Job | Failed]:
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
            say=typer.echo,
        )
    current = _enter(course, assignment, submitted)
    typer.echo(f"{new} graded, {len(submitted) - new - len(failed)} as they were")
    for record in current:
        if record["state"] != "graded":
            _say_failed(record["student"], record["reason"])
    for failure in failed:
        _say_failed(failure.student, f"{failure.reason}; the next run tries again")
    _summarize(course, name, current)


@app.command()
def certificates() -> None:
    """Make what secures a Dask cluster, and say how it is used."""
    from layers_book.coursework.grade import cluster

    folder = Course().certificates
    cluster.make_certificates(folder)
    typer.echo(
        f"made {folder}, good for {cluster.DAYS} days. Whoever has it can run code on "
        "the cluster. Copy it to each machine of the cluster; beside it start:"
    )
    for command in cluster.commands(Path(folder.name)):
        typer.echo(command)
    typer.echo("then here: coursework grade ASSIGNMENT --scheduler tls://HOST:8786")


def _say_failed(student: str, reason: str) -> None:
    typer.echo(printable(f"could not grade {student}: {reason}"))


def _enter(
    course: Course, assignment: Assignment, submitted: list[tuple[str, Path]]
) -> list[Record]:
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
    typer.echo(
        f"gradebook.db: {written.new} new, {written.changed} changed; "
        "marks by hand are kept"
    )
    return records


def _summarize(course: Course, name: str, records: list[Record]) -> None:
    """How many submissions are in each state, and what is to be done now."""
    from layers_book.coursework.collect.summary import some
    from layers_book.coursework.nbgrader import gradebook

    hands = gradebook.by_hand(course, name)
    states = Counter(grade_of(r, hands.get(r["student"])).state for r in records)
    plural = "" if len(records) == 1 else "s"
    typer.echo(f"{len(records)} submission{plural}: {_counted(states)}")
    for state, words in (
        ("stopped", "stopped"),
        ("waiting", "that waits for a person"),
    ):
        theirs = [
            record["student"]
            for record in records
            if any(question["state"] == state for question in record["questions"])
        ]
        if theirs:
            typer.echo(f"with an answer {words}: {len(theirs)} ({some(theirs)})")
    absent = sorted(course.roster.keys() - {record["student"] for record in records})
    if absent:
        typer.echo(f"no submission: {len(absent)} of roster.csv ({some(absent)})")
    if states.keys() - {"graded"}:
        _next("mark by hand: jupyter lab, menu Nbgrader > Formgrader")
    _next(f"coursework feedback {name}", f"coursework export {name}")


@app.command(name="feedback")
def feedback_pages(name: Name) -> None:
    """Write one HTML page a student."""
    course, assignment = _open(name)
    submitted = _submitted(course, name)

    from layers_book.coursework.nbgrader import gradebook
    from layers_book.coursework.results import feedback

    records = _graded(course, assignment, submitted)
    hands = gradebook.by_hand(course, name)
    titles = {s.id: s.name for s in course.roster.values()}
    paths = dict(submitted)
    unfinished = 0
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
            path = feedback.write(course.root / "feedback", record, text)
            _keep_beside(path, paths[student])
            unfinished += grade_of(record, hands.get(student)).total is None
            advance()
    typer.echo(f"{len(records)} pages in {course.root / 'feedback'}")
    if unfinished:
        typer.echo(f"{unfinished} of them without a total: not all is marked")
    _next(
        f"coursework hand-out {name} WORKSHEET --feedback", f"coursework export {name}"
    )


def _keep_beside(page: Path, submission: Path) -> None:
    """Put beside a page what `nbgrader release_feedback` finds its student by.

    It stops at a page without: one whose submission did not come by the exchange gets
    a secret under which nobody looks for it.
    """
    for name, else_ in (
        ("timestamp.txt", ""),
        ("submission_secret.txt", secrets.token_hex(64)),
    ):
        try:
            write(page.with_name(name), notebook.file_bytes(submission.with_name(name)))
        except notebook.Unreadable:
            if not page.with_name(name).exists():
                write(page.with_name(name), else_)


@app.command(name="hand-out")
def hand_out(
    name: Name,
    moodle: Annotated[
        Path | None,
        typer.Argument(
            metavar="[WORKSHEET]",
            help="grading worksheet, or submissions, of Moodle's assignment",
        ),
    ] = None,
    feedback: Annotated[
        bool, typer.Option(help="the pages of feedback, not the numbers of their own")
    ] = False,
) -> None:
    """Bring students their own files, by Moodle or by nbgrader."""
    from layers_book.coursework import handout
    from layers_book.coursework.release import released_values

    course, assignment = _open(name)

    def own(student: str) -> Path:
        if feedback:
            return course.feedback(student, name)
        return course.release(name, student)

    files = {s: own(s) for s in course.students() if own(s).is_file()}
    if not files:
        first = f"feedback {name}" if feedback else f"release {name} --variants"
        raise ValueError(f"no student has a file of their own: coursework {first}")
    folder = course.root / "handout"
    known = handout.participants(course, name, files, moodle)
    if known.numbers:
        path = folder / name / ("feedback.zip" if feedback else "numbers.zip")
        kept = {student: files[student] for student in known.numbers}
        handout.moodle_zip(path, kept, known.numbers, course.roster)
        typer.echo(f"wrote {path}, of {len(kept)} students, for Moodle")
    for student, reason in known.unknown.items():
        typer.echo(f"not for Moodle: {student}: {reason}")
    steps = ["in Moodle: Upload multiple feedback files in a zip"] * bool(known.numbers)
    if feedback:
        steps.append(f"in nbgrader's exchange: nbgrader release_feedback {name}")
    else:
        values = {s: released_values(assignment, file) for s, file in files.items()}
        handout.write_shared(folder / "exchange", course, name, values)
        typer.echo(f"wrote {folder / 'exchange' / name}, for nbgrader's exchange")
        option = "--CourseDirectory.release_directory=handout/exchange"
        steps.append(f"nbgrader release_assignment {name} {option}")
    _next(*steps)


@app.command()
def export(
    name: Name,
    kind: Annotated[str, typer.Option(help="plain, canvas, moodle or all")] = "all",
    column: Annotated[str, typer.Option(help="heading of Canvas's column")] = "",
) -> None:
    """Write grades as CSV, statistics, and a similarity report."""
    course, assignment = _open(name)
    submitted = _submitted(course, name)

    from layers_book.coursework.nbgrader import gradebook
    from layers_book.coursework.results import export as exporting
    from layers_book.coursework.results import similarity, statistics

    records = _graded(course, assignment, submitted)
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
        typer.echo(f"wrote {path}")
    answers = {student: _answers(assignment, path) for student, path in submitted}
    given = [cell.student for cell in assignment.master]
    prose = [c.grade_id for c in assignment.master if c.type == "markdown"]
    for path in similarity.write(folder, name, answers, given, prose):
        typer.echo(f"wrote {path}")
    typer.echo(written.summary)
    _next("import canvas.csv or moodle.csv, and look at report.html")


@app.command()
def check(name: Name, trust: Trust = False) -> None:
    """Try an assignment before students see it."""
    from layers_book.coursework import validate
    from layers_book.coursework.sandbox.bubblewrap import Limits, Sandbox

    assignment = find(name, Course().root)
    with Sandbox(Limits(), trust) as sandbox, _progress("checking", None) as advance:
        report = validate.check(assignment, sandbox, lambda step: advance())
    typer.echo(f"{report.points:g} points")
    typer.echo(f"wrong answers caught: {report.caught} of {report.wrong}")
    own = report.wrong - len(report.unrecognized)
    typer.echo(f"wrong answers recognized: {own} of {report.wrong}")
    for sentence in report.unrecognized:
        typer.echo(f"not recognized: {sentence}")
    for remark in report.remarks:
        typer.echo(f"could be better: {remark}")
    for problem in report.problems:
        typer.echo(f"problem: {problem}")
    if report.problems:
        raise typer.Exit(1)
    typer.echo(f"{name} is fit for release")
    _next(f"coursework release {name}")


@app.command()
def bank(
    chapter: Annotated[
        str, typer.Argument(metavar="CHAPTER", help="such as normalization")
    ],
    folder: Annotated[Path, typer.Option(help="where the files go")] = Path("banks"),
) -> None:
    """Write a chapter's questions of one value for Moodle, and as QTI 2.1."""
    from layers_book.coursework.bank import write_bank

    files, counts = write_bank(chapter, folder)
    for page, count in counts.items():
        typer.echo(f"{page.removeprefix('notebooks/')}: {count}")
    for path in files:
        typer.echo(f"wrote {path}")
    typer.echo(f"{counts.total()} questions")
    _next(
        "in Moodle: Question bank > Import > Moodle XML format",
        "in Canvas: Settings > Import Course Content > QTI .zip file",
    )


def _open(name: str) -> tuple[Course, Assignment]:
    """The course that lies in the current folder, and an assignment."""
    course = Course()
    assignment = find(name, course.root)
    if not course.begun:
        raise ValueError(
            f"{course.root} is no course folder: change to the one in which you ran "
            f"coursework release {name}"
        )
    return course, assignment


def _submitted(course: Course, name: str) -> list[tuple[str, Path]]:
    submitted = [(id, course.submitted(id, name)) for id in course.students(name)]
    if not submitted:
        raise ValueError(
            f"{course.root / 'submitted'} has nothing of {name}: "
            f"coursework collect DOWNLOAD -a {name}"
        )
    return submitted


def _graded(
    course: Course, assignment: Assignment, submitted: list[tuple[str, Path]]
) -> list[Record]:
    records = list(_records(course, assignment, submitted))
    if not records:
        raise ValueError(
            f"none of {len(submitted)} submissions is graded: "
            f"coursework grade {assignment.name}"
        )
    return records


def _records(
    course: Course, assignment: Assignment, submitted: list[tuple[str, Path]]
) -> Iterator[Record]:
    from layers_book.coursework.grade import queue

    records = course.records(assignment.name)
    values = _values(course, assignment)
    return queue.current(assignment, submitted, records, values)


def _values(course: Course, assignment: Assignment) -> "queue.Values":
    """The values of those to whom an own version was released."""
    from layers_book.coursework.release import released_values

    def values(student: str) -> dict[str, Any] | None:
        path = course.release(assignment.name, student)
        return released_values(assignment, path) if path.exists() else None

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


def _counted(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))


def _next(*steps: str) -> None:
    for step in steps:
        typer.echo(f"next: {step}")


@contextmanager
def _progress(
    what: str, total: int | None, first: str = ""
) -> Iterator[Callable[..., Any]]:
    """A bar on a terminal; elsewhere, as in a log file, a line for each tenth.

    Until something is done, a bar says what comes first.
    """
    if sys.stdout.isatty():
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        ) as bars:
            task = bars.add_task(first or what, total=total)
            yield lambda count=1: bars.update(task, advance=count, description=what)
        return
    done = 0

    def advance(count: int = 1) -> None:
        nonlocal done
        before, done = done, done + count
        if total and 10 * before // total < 10 * done // total:
            typer.echo(f"{what}: {done} of {total}")

    yield advance


def main() -> None:
    """Run the command line; a mistake of the user's is one line, not a traceback."""
    try:
        app()
    except (ValueError, OSError) as error:
        _fail(error)
    except RuntimeError as error:
        from layers_book.coursework.sandbox.bubblewrap import NoSandbox

        if not isinstance(error, NoSandbox):
            raise
        _fail(error)


def _fail(error: Exception) -> None:
    typer.secho("error:", fg="red", bold=True, nl=False, err=True)
    typer.echo(f" {error}", err=True)
    raise SystemExit(1) from None


if __name__ == "__main__":
    main()
