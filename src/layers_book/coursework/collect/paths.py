"""What the path of a file in a download says: whose it is, when it came, what it is."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from layers_book.coursework.collect.layouts import LAYOUTS, Layout, Reading, readings

__all__ = [
    "Owner",
    "PathInfo",
    "attempt",
    "fold",
    "is_notebook",
    "is_zip",
    "machine_made",
    "not_collected",
    "path_info",
    "settled",
    "wrappers",
]

NOTEBOOK = re.compile(r"\.ipynb(?:\.(?:txt|json|ipynb)| *\(\d+\)|\s)*\Z", re.IGNORECASE)
COPY_OF = re.compile(r"(?:copy of|kopie von|copie de|copia d[ei]) +", re.IGNORECASE)
COPY = re.compile(r"(?: *\(\d+\)|-checkpoint|[ -]*copy *\d*)+\Z", re.IGNORECASE)
NUMBER = re.compile(r"(?:-|\(|copy *)(\d{1,9})\)?\Z", re.IGNORECASE)
# what Google Drive adds to the name of the folder that it packs
DRIVE = re.compile(r"-[0-9]{8}T[0-9]{6}Z(?:-[0-9]+)*(?: *\([0-9]+\))?\Z")
ALWAYS_WRAPPERS = re.compile(
    r"submitted|submissions|assignment_[0-9]+_export|.+-submissions", re.IGNORECASE
)
# a name that a program has made, by a layout that is not known
MACHINE = re.compile(
    r"(?i)[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{14}|(?:_[^_]*){3}| - "
    r"|(?:attempt|submission)[_ -]?[0-9]"
)


@dataclass(frozen=True)
class Owner:
    """A person as a download names them.

    Args:
        layout: such as ``moodle``, or ``plain``.
        name: as in the path.
        number: Moodle's participant, another one in each assignment; Canvas's user,
            Blackboard's user name; or none.
        email: if the download says so.
        unique: whether the number alone tells people apart.
        ids: whether the number, or without one the name, may be the roster's id.
        named: whether the name is a person's.
    """

    layout: str
    name: str
    number: str = ""
    email: str = ""
    unique: bool = False
    ids: bool = True
    named: bool = True

    @property
    def key(self) -> tuple[str, str, str]:
        """The same for the same person in each download of an assignment."""
        by_number = self.unique and self.number
        return (self.layout, "" if by_number else self.name, self.number)

    @property
    def identity(self) -> tuple[str, str]:
        """The same for what is the same person beyond doubt, however the name reads.

        >>> Owner("plain", "Ada  LOVELACE").identity
        ('plain', 'ada lovelace')
        """
        if self.number:
            return (self.layout, self.number.casefold())
        name = unicodedata.normalize("NFC", self.name.casefold())
        return (self.layout, " ".join(re.split(r"[\s_.,-]+", name)).strip())


@dataclass(frozen=True)
class PathInfo:
    """What a path says of a file.

    Args:
        owner: whose it is, if it says so.
        late: whether Canvas marks it as late.
        others: whose it could be, too, if the name can be read in more than one way.
        time: when it came in, in seconds since 1970, if the path says so.
        layout: what the path is named by, if it is not a teacher's own naming.
        problem: why it is not collected, or ``""``.
        ways: how each of the owners is read.
    """

    owner: Owner | None
    late: bool = False
    others: tuple[Owner, ...] = ()
    time: float | None = None
    layout: Layout | None = None
    problem: str = ""
    ways: tuple[tuple[Owner, Reading], ...] = ()

    @property
    def who(self) -> tuple[Owner, ...]:
        """All whose it could be."""
        return (self.owner, *self.others) if self.owner else ()


def fold(text: str) -> str:
    """Letters and digits alone, without case and accents.

    >>> fold("Zoë O'Hara") == fold("ZOE_OHARA")
    True
    """
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters.casefold() if letter.isalnum())


def path_info(
    parts: Sequence[str], assignment: str, layouts: Sequence[Layout] = LAYOUTS
) -> PathInfo:
    """Whose a file is, by the first part of its path alone: others are a student's.

    Args:
        parts: of its path, without the wrappers.
        assignment: which is no student's name.
        layouts: the table of them.

    >>> path_info(["Ada Lovelace_77_assignsubmission_file_", "x"], "norm").owner.number
    '77'
    >>> path_info(["lovelaceada_LATE_12_345_norm-2.ipynb"], "norm").late
    True
    >>> path_info(["ada", "x.ipynb"], "x").owner == path_info(["ada.ipynb"], "x").owner
    True
    """
    head, folder = parts[0], len(parts) > 1
    found = _readings(head, assignment, folder, layouts)
    if not found:
        name = head if folder else _person(head, assignment)
        return PathInfo(Owner("plain", name) if name else None)
    first = found[0]
    if not (first.number or first.name):
        return PathInfo(None, layout=first.layout)
    ways = {_owner(reading): reading for reading in reversed(found)}
    owners = list(reversed(ways))
    return PathInfo(
        owners[0],
        "late" in first.groups,
        tuple(owners[1:]),
        ways[owners[0]].time,
        first.layout,
        ways=tuple((owner, ways[owner]) for owner in owners),
    )


def _readings(
    head: str, assignment: str, folder: bool, layouts: Sequence[Layout]
) -> list[Reading]:
    found = _fitting(head, assignment, folder, layouts)
    found = [
        way
        for each in found
        for way in (_users(each, assignment) if "task" in each.groups else [each])
    ]
    if found and found[0].layout.name == "plain":
        return _titled_files(found, head, assignment)
    return found


def _fitting(
    head: str, assignment: str, folder: bool, layouts: Sequence[Layout]
) -> list[Reading]:
    """By the first layout that fits: a teacher's own, which need not say how files end.

    They stand before the known ones.
    """
    own = layouts[: len(layouts) - len(LAYOUTS)]
    if not own:
        return readings(head, assignment, folder, layouts)
    stem = head if folder else NOTEBOOK.sub("", head)
    stem = stem[:-4] if is_zip(stem) and not folder else stem
    return (
        readings(head, assignment, folder, own)
        or readings(stem, assignment, folder, own)
        or readings(head, assignment, folder, layouts)
    )


def _titled_files(found: list[Reading], head: str, assignment: str) -> list[Reading]:
    """Of the readings as NAME - TITLE the one with the assignment's title, or all."""
    for each in found:
        if fold(_person(each.groups["file"], "")) == fold(assignment):
            return [each]
    whole = {"name": _person(head, assignment)}
    found = [each for each in found if fold(each.name) != fold(assignment)]
    return [*found, Reading(found[0].layout, whole)] if found else []


def _users(reading: Reading, assignment: str) -> list[Reading]:
    """Each way to part a title from a user name, which both may hold underscores."""
    words = f"{reading.groups['task']}_{reading.groups['student']}".split("_")
    found = []
    for cut in range(1, len(words)):
        task, student = "_".join(words[:cut]), "_".join(words[cut:])
        groups = {**reading.groups, "task": task, "student": student}
        if fold(task) == fold(assignment):
            return [replace(reading, groups=groups)]
        found.append(replace(reading, groups=groups))
    return found


def settled(infos: Sequence[PathInfo]) -> list[PathInfo]:
    """The same, without the readings that the rest of the download speaks against.

    It comes from one place: from where those files do that read in one way, or else
    from where all may, if they are more than one student's. Blackboard's names begin
    with one title: the longest that all share. Canvas numbers files one after the
    other: what is far shorter than the others' numbers is part of a student's own name.
    """
    unsure = [info for info in infos if info.others]
    sure = [info for info in infos if info.ways and not info.others]
    places = {info.ways[0][1].layout.name for info in sure}
    if len({info.who for info in unsure}) > 1:
        for place in ("blackboard", "nbgrader"):
            if not places and all(place in _places(info) for info in unsure):
                places = {place}
    titles = [
        {way.groups["task"] for _, way in info.ways if "task" in way.groups}
        for info in (*sure, *unsure)
        if "blackboard" in _places(info)
    ]
    users = {info.who for info in (*sure, *unsure) if "blackboard" in _places(info)}
    common = set.intersection(*titles) if len(users) > 1 else set()
    longest = max(common, key=len, default="")
    ids = [len(info.ways[0][1].groups.get("id", "")) for info in sure]
    least = min(filter(None, ids), default=0) - 1

    def fits(way: Reading) -> bool:
        title, id = way.groups.get("task", longest), way.groups.get("id", "")
        return title == (longest or title) and (not id or len(id) >= least)

    result = []
    for info in infos:
        ways = info.ways
        if info.others:
            ways = _of(ways, lambda way: way.layout.name in places)
            ways = _of(ways, fits)
        if len(ways) < len(info.ways):
            owner, way = ways[0]
            others = tuple(other for other, _ in ways[1:])
            info = replace(
                info,
                owner=owner,
                others=others,
                late="late" in way.groups,
                time=way.time,
                layout=way.layout,
                ways=ways,
            )
        result.append(info)
    return result


Ways = tuple[tuple[Owner, Reading], ...]


def _of(ways: Ways, fits: Callable[[Reading], bool]) -> Ways:
    """Those that fit, or all if none does."""
    return tuple((owner, way) for owner, way in ways if fits(way)) or ways


def _places(info: PathInfo) -> set[str]:
    return {way.layout.name for _, way in info.ways}


def _owner(reading: Reading) -> Owner:
    layout = reading.layout
    # of what a student has chosen nothing is an id
    ids = layout.ids and (layout.name == "plain" or "student" in reading.groups)
    return Owner(
        layout.name,
        COPY_OF.sub("", reading.name),
        reading.number,
        unique=layout.unique,
        ids=ids,
        named="name" in reading.groups,
    )


def is_notebook(name: str) -> bool:
    """Whether a file is called a notebook, as ``a.IPYNB``, ``a.ipynb.txt``."""
    return NOTEBOOK.search(name) is not None


def is_zip(name: str) -> bool:
    """Whether a file is called a zip."""
    return name.lower().endswith(".zip")


def machine_made(name: str) -> bool:
    """Whether a name looks as if a program had made it, by a layout not known.

    >>> machine_made("hw_3_s001_2026-11-24"), machine_made("Ada Lovelace")
    (True, False)
    """
    return MACHINE.search(name) is not None


def not_collected(
    parts: Sequence[str], assignment: str = "", layouts: Sequence[Layout] = LAYOUTS
) -> str:
    """Why a file cannot be a submission, by its path, or ``""``.

    >>> not_collected(["ada", "report.pdf"])
    'not a notebook (.pdf)'
    """
    name = parts[-1]
    if "__MACOSX" in parts or name.startswith("._") or name == ".DS_Store":
        return "no submission, but a file that macOS adds"
    if name.lower() in ("thumbs.db", "desktop.ini"):
        return "no submission, but a file that Windows adds"
    if ".ipynb_checkpoints" in parts[:-1]:
        return "no submission, but a copy that Jupyter keeps for itself"
    if ".git" in parts[:-1]:
        return "no submission, but a file that git keeps for itself"
    found = readings(parts[0], assignment, len(parts) > 1, layouts)
    groups = found[0].groups if found else {}
    if found and found[0].layout.way:
        return f"{found[0].layout.title}: {found[0].layout.way}"
    if groups.get("type") == "onlinetext":
        return "text typed into Moodle, not a notebook"
    if "typed" in groups:
        return "a text or link typed into Canvas, not a notebook"
    if "note" in groups:
        return "no submission, but Blackboard's note on one"
    if is_notebook(name) or is_zip(name):
        return ""
    suffix = name[name.rfind(".") :][:20] if "." in name else "its name has no ending"
    return f"not a notebook ({suffix})"


def attempt(
    label: str, assignment: str, layouts: Sequence[Layout] = LAYOUTS
) -> tuple[object, ...]:
    """What tells at equal times which of a student's files is the later, as a key.

    A file named after the assignment comes after others, one that Jupyter did not keep
    as a checkpoint after one that it did; then the number of the attempt, in the
    names of folders as ``attempt2``, or of the file that the place gives; then the
    number that the place, a browser or Jupyter put at the end of a name taken already.
    """
    *folders, name = label.split("/")
    zips = [part for part in folders if is_zip(part)]
    stem, given = _named(name, assignment, layouts)
    zip_stem, zip_given = _named((zips or [name])[-1], assignment, layouts)
    numbers = [tuple(map(int, re.findall("[0-9]{1,18}", part))) for part in folders]
    return (
        fold(assignment) in fold(stem),
        not stem.lower().endswith("-checkpoint"),
        max(given, zip_given),
        tuple(numbers),
        _last_number(zip_stem),
        _last_number(stem),
    )


def _named(
    name: str, assignment: str, layouts: Sequence[Layout]
) -> tuple[str, tuple[int, ...]]:
    """What the student called a file, and the place's numbers of attempt and file."""
    found = _fitting(name, assignment, False, layouts)
    groups = found[0].groups if found else {}
    numbers = [re.search("[0-9]{1,18}", groups.get(k, "")) for k in ("attempt", "id")]
    given = tuple(int(number[0]) if number else 0 for number in numbers)
    return NOTEBOOK.sub("", groups.get("file", name)), given


def _last_number(stem: str) -> int:
    number = NUMBER.search(stem)
    return int(number[1]) if number else 0


def wrappers(
    paths: Sequence[Sequence[str]],
    assignment: str,
    title: str,
    known: Callable[[str], bool] | None,
    layouts: Sequence[Layout] = LAYOUTS,
) -> int:
    """How many folders are wrapped around the whole download.

    Args:
        paths: parts of the paths of all that could be submissions.
        assignment: the assignment's name.
        title: the download's own name without an ending.
        known: whether a name is a student's; none where there is no roster.
        layouts: the table of them.

    Raises:
        ValueError: all lies in one folder that may be a student's or a wrapper.
    """

    def of_lms(name: str, table: Sequence[Layout] = layouts) -> bool:
        found = [r for f in (0, 1) for r in readings(name, assignment, bool(f), table)]
        return any(reading.layout.name != "plain" for reading in found)

    def people(name: str) -> list[str]:
        found = readings(name, assignment, False, layouts)
        return [_person(name, assignment), *(reading.name for reading in found)]

    # GitHub's, and perhaps a teacher's own, would fit a wrapper as well
    strict = [layout for layout in LAYOUTS if layout.name not in ("plain", "github")]
    depth = 0
    while True:
        heads = {path[depth] for path in paths}
        inner = {path[depth + 1] for path in paths if len(path) > depth + 1}
        if len(heads) != 1 or any(len(path) == depth + 1 for path in paths):
            break
        (head,) = heads
        always = ALWAYS_WRAPPERS.fullmatch(head) or fold(head) == fold(assignment)
        if not always:
            if of_lms(head, strict) or (known and known(head)):
                return depth
            lms = any(map(of_lms, inner))
            if not _wraps(head, inner, assignment, title, known is not None, lms):
                break
        depth += 1
    if known:
        for deeper in range(depth, min(map(len, paths), default=0)):
            heads = {path[deeper] for path in paths}
            if len(heads) > 1:
                named = any(of_lms(h) or any(map(known, people(h))) for h in heads)
                return deeper if named else depth
            if known(heads.pop()):  # one student's, below someone unknown
                break
    return depth


def _wraps(
    head: str, inner: set[str], assignment: str, title: str, cautious: bool, lms: bool
) -> bool:
    people = {_person(name, assignment) for name in inner}
    titled = fold(head) == fold(DRIVE.sub("", title))
    if "" in people and not lms:
        return False
    if titled or cautious or (len(people) == 1 and not lms):
        return titled
    raise ValueError(
        f"download: all lies in the folder {head!r:.80}, which may be one student's or"
        " hold all students' work: unpack it and give the folder that holds one file"
        " or folder for each student, or write a roster.csv"
    )


def _person(name: str, assignment: str) -> str:
    """The student whom a file or folder is named after, or ``""``."""
    stem = NOTEBOOK.sub("", name)
    stem = COPY.sub("", COPY_OF.sub("", stem[:-4] if is_zip(stem) else stem))
    task = re.escape(assignment)
    stem = re.sub(rf"\A{task}(?:[ _.-]+|\Z)|[ _.-]+{task}\Z", "", stem, flags=re.I)
    return stem.strip(" _-")
