"""The places that students hand in at, and how each names the files it gives out.

`LAYOUTS` is the one table of them. A teacher adds to it in ``coursework.toml``:

    [layouts.ilias]
    pattern = '(?P<name>[^_]+_[^_]+)_(?P<student>[^_]+)_[0-9]+'
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

__all__ = ["LAYOUTS", "Layout", "Reading", "columns", "own_layout", "readings"]

GROUPS = ("student", "name", "time", "attempt", "file")
# columns of roster.csv that mean something else
TAKEN = ("student", "name", "email", "plain")
# a name that is as short as it can be: where else it may end is looked at, too
LAZY = re.compile(r"\(\?P<name>([^()]+[*+])\?\)")
DAY = r"(?:[^\W\d_]{3,9}\.? [0-9]{1,2}, [0-9]{4}|[0-9]{1,2} [^\W\d_]{3,9}\.? [0-9]{4})"
STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


@dataclass(frozen=True)
class Layout:
    """How one place names the files or folders of its downloads.

    Args:
        name: of the layout, and of the column of ``roster.csv`` that holds what the
            place calls a student.
        title: for people.
        pattern: a regular expression for the first part of a path, as a whole;
            ``{assignment}`` is the assignment's name. Its group ``student`` is a
            number or user name, ``name`` a person's name, which may be chosen.
        times: how the group ``time`` may be written, as in ``datetime.strptime``.
        of: what the pattern is of.
        ids: whether ``student`` may be the roster's student or email, since the
            school gives it; else only the layout's own column knows it.
        unique: whether ``student`` alone tells people apart.
        lasts: whether it is the same in each assignment.
        loose: whether a student's own name for a file may make another such layout
            fit, too, so that all of them are looked at.
        way: why such files are not collected, and how it is done, if they are not.
    """

    name: str
    title: str
    pattern: str
    times: tuple[str, ...] = ()
    of: Literal["files", "folders", "both"] = "both"
    ids: bool = False
    unique: bool = True
    lasts: bool = False
    loose: bool = False
    way: str = ""

    def matches(self, text: str, assignment: str) -> Iterator[dict[str, str]]:
        """The groups of each way to read a name: more than one where it is unsure."""
        pattern = self.pattern.replace("{assignment}", re.escape(assignment))
        lazy = LAZY.search(pattern)
        if lazy is None:
            if found := _compiled(pattern).fullmatch(text):
                yield {k: v for k, v in found.groupdict().items() if v is not None}
            return
        before, after = pattern[: lazy.start()], pattern[lazy.end() :]
        start = _compiled(before).match(text)
        if start is None:
            return
        for found in _compiled(rf"(?=(?:{after})\Z)").finditer(text, start.end()):
            name = text[start.end() : found.start()]
            rest = _compiled(after).fullmatch(text, found.start())
            if rest and _compiled(lazy[1]).fullmatch(name):
                groups = start.groupdict() | {"name": name} | rest.groupdict()
                yield {k: v for k, v in groups.items() if v is not None}

    def seconds(self, text: str) -> float | None:
        """The group ``time`` in seconds since 1970, in this machine's zone."""
        # Brightspace writes five past one as 105 PM
        parted = re.sub(r"(?<=[0-9])[:._]?([0-9]{2}) ?([AaPp][Mm])\Z", r":\1 \2", text)
        for form in self.times:
            for written in (text, parted):
                try:
                    return datetime.strptime(written, form).timestamp()
                except (ValueError, OverflowError, OSError):
                    continue
        return None


@dataclass(frozen=True)
class Reading:
    """One way to read a name by a layout; of its groups, those that occur."""

    layout: Layout
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """What the place calls the student, or ``""``."""
        return self.groups.get("student", "")

    @property
    def name(self) -> str:
        """The person's name, or what else the place says."""
        return self.groups.get("name", self.number).strip()

    @property
    def time(self) -> float | None:
        """When it came in, if the name says so."""
        return self.layout.seconds(self.groups.get("time", ""))


# Moodle (mod/assign/classes/downloader.php): an underscore of a name becomes a space,
# so a name has none; a team without a group has no number.
# Canvas (lib/content_zipper.rb): NAME_[LATE_]USER_FILE_NAME, the name lower case and
# without spaces; it may end in numbers itself.
# Blackboard, and nbgrader's zip_collect: TITLE_USER_attempt_TIME_NAME; the first
# _attempt_ is the place's, any other a student's.
# Brightspace: USER-FOLDER - NAME - TIME [- NAME].
LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "moodle",
        "Moodle",
        r"(?s:(?P<name>[^_]+)(?:_(?P<student>[0-9]+))?_assignsubmission_"
        r"(?P<type>[a-z]+)(?:_(?P<file>.*))?)",
        unique=False,
    ),
    Layout(
        "brightspace",
        "Brightspace",
        rf"(?P<student>[0-9]+)-[0-9]+ - (?P<name>.+?) - (?P<time>{DAY} "
        r"[0-9]{1,2}[:._]?[0-9]{2} ?[AaPp][Mm])(?: - (?P<file>.+))?",
        times=(
            "%b %d, %Y %I:%M %p",
            "%B %d, %Y %I:%M %p",
            "%d %b %Y %I:%M %p",
            "%d %B %Y %I:%M %p",
        ),
        unique=False,
    ),
    Layout(
        "gradescope",
        "Gradescope",
        r"submission_(?P<submission>[0-9]+)",
        of="folders",
        ids=True,
    ),
    Layout(
        "autolab",
        "Autolab",
        r"(?P<student>[^@\s]+@[^@\s_]+)_(?P<attempt>[0-9]+)_(?P<file>.+)",
        ids=True,
    ),
    Layout(
        "canvas",
        "Canvas",
        r"(?s:(?:(?P<late>LATE)_)?(?P<name>anon_(?P<student>[A-Za-z0-9]+))_"
        r"(?:(?P<id>[0-9]+)_(?P<file>.+)|(?P<typed>text|link)\.html))",
        of="files",
        loose=True,
    ),
    Layout(
        "canvas",
        "Canvas",
        r"(?P<name>[^\s@]*?)(?<!_LATE)_(?:(?P<late>LATE)_)?(?P<student>[1-9][0-9]*)_"
        r"(?s:(?P<id>[1-9][0-9]*)_(?P<file>.+)|(?P<typed>text|link)\.html)",
        of="files",
        lasts=True,
        loose=True,
    ),
    Layout(
        "blackboard",
        "Blackboard",
        rf"(?s:(?P<task>(?:(?!_attempt_{STAMP}).)+)_"
        rf"(?P<student>(?:(?!_attempt_{STAMP})[^_])+)_attempt_"
        rf"(?P<time>{STAMP}(?:-[0-9]{{2}}){{3}})(?:_(?P<file>.+)|(?P<note>\.txt)|\.\w+|))",
        times=("%Y-%m-%d-%H-%M-%S",),
        ids=True,
        loose=True,
    ),
    Layout(
        "nbgrader",
        "nbgrader's zip_collect",
        rf"(?P<name>[^_]+_[^_]+)_(?P<student>[^_]+)_(?P<time>{STAMP}[-T_ ]"
        r"[0-9]{2}(?:[-:.]?[0-9]{2}){2}|[0-9]{14})(?: UTC)?(?:\.(?:zip|ipynb))?",
        times=(
            "%Y-%m-%d-%H-%M-%S",
            "%Y-%m-%d_%H-%M-%S",
            "%Y-%m-%dT%H-%M-%S",
            "%Y-%m-%d %H-%M-%S",
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%d %H:%M:%S",
            "%Y%m%d%H%M%S",
        ),
        ids=True,
        loose=True,
    ),
    Layout(
        "exchange",
        "nbgrader's exchange",
        r"[^+].*\+{assignment}\+.+",
        of="folders",
        way="students name the folders there: run `nbgrader collect`, which looks at"
        " who owns each, and then grade",
    ),
    Layout(
        "github",
        "GitHub Classroom",
        r"(?i:{assignment})-(?P<student>[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)",
        of="folders",
    ),
    Layout(
        "plain",
        "Google Classroom",
        r"(?P<name>.+?) - (?P<file>.+\.(?i:ipynb|zip).*)",
        of="files",
    ),
)


def readings(
    text: str, assignment: str, folder: bool, layouts: Sequence[Layout] = LAYOUTS
) -> list[Reading]:
    """The ways in which the first layout that fits reads a name; none if none fits.

    Of loose layouts it is the ways of all.

    Args:
        text: the name of a file or folder.
        assignment: its name.
        folder: whether it is a folder.
        layouts: tried in order.

    >>> [found] = readings("norm_s001_attempt_2026-11-24-10-00-00_x.ipynb", "n", False)
    >>> found.layout.title, found.number
    ('Blackboard', 's001')
    """
    found: list[Reading] = []
    for layout in layouts:
        if layout.of == ("files" if folder else "folders") or (
            found and not layout.loose
        ):
            continue
        found += [
            Reading(layout, groups) for groups in layout.matches(text, assignment)
        ]
        if found and not found[0].layout.loose:
            break
    return found


def columns(layouts: Sequence[Layout]) -> list[str]:
    """The columns of ``roster.csv`` for the places' own numbers and names."""
    names = dict.fromkeys(layout.name for layout in layouts if not layout.way)
    return [name for name in names if name not in TAKEN]


def own_layout(name: str, table: Mapping[str, Any]) -> Layout:
    """A teacher's own row of the table, from ``[layouts.NAME]``.

    Raises:
        ValueError: says which key is wrong, and what is allowed.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in TAKEN:
        raise ValueError(
            f"layouts.{name}: small letters, digits and _ are needed, a letter first,"
            f" and none of {', '.join(TAKEN)}"
        )
    for key, value in table.items():
        if key not in ("pattern", "time"):
            raise ValueError(
                f"layouts.{name}.{key} is not known; the keys there are pattern, time"
            )
        if not isinstance(value, str):
            raise ValueError(
                f"layouts.{name}.{key} = {value!r:.60}: a text in quotes is needed"
            )
    pattern, time = table.get("pattern", ""), table.get("time", "")
    where = f"layouts.{name}.pattern = {pattern!r:.80}"
    if not pattern:
        raise ValueError(f"layouts.{name}: a pattern is needed")
    try:
        compiled = re.compile(pattern.replace("{assignment}", "x"))
    except re.error as error:
        raise ValueError(f"{where}: no regular expression: {error}") from None
    groups = set(compiled.groupindex)
    if unknown := sorted(groups - set(GROUPS)):
        raise ValueError(
            f"{where}: the group {unknown[0]} is not known; the groups are"
            f" {', '.join(GROUPS)}"
        )
    if not groups & {"student", "name"}:
        raise ValueError(
            f"{where}: it does not say whose a file is: a group (?P<student>...) or"
            " (?P<name>...) is needed"
        )
    if compiled.fullmatch(""):
        raise ValueError(f"{where}: it fits an empty name, so it would fit anything")
    if ("time" in groups) != bool(time):
        raise ValueError(
            f"layouts.{name}: the group time in pattern, and time ="
            ' "%Y-%m-%d-%H-%M-%S" to say how it is written, are needed together'
        )
    sample = datetime(2026, 11, 24, 13, 5, 59)
    try:
        datetime.strptime(sample.strftime(time), time)
    except (ValueError, re.error) as error:
        raise ValueError(
            f"layouts.{name}.time = {time!r:.60}: {error}; as in Python's strptime:"
            ' "%Y-%m-%d-%H-%M-%S"'
        ) from None
    lazy = LAZY.search(pattern)
    if lazy:
        try:
            re.compile(pattern[: lazy.start()])
            re.compile(pattern[lazy.end() :].replace("{assignment}", "x"))
        except re.error:
            raise ValueError(
                f"{where}: the group name must not lie within other brackets"
            ) from None
    return Layout(name, name, pattern, times=(time,) if time else (), ids=True)


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
