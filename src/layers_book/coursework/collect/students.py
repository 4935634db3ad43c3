"""Whose a file is: what its path says, and which student of the roster that means."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from layers_book.coursework.course import Student
from layers_book.coursework.files import digest

__all__ = [
    "Owner",
    "PathInfo",
    "RosterIndex",
    "Unknown",
    "attempt",
    "find",
    "fold",
    "ids",
    "index",
    "is_notebook",
    "is_zip",
    "knows",
    "not_collected",
    "path_info",
    "wrappers",
]

# mod/assign/classes/downloader.php: an underscore of a name becomes a space, so a name
# has none; a team without a group has no number
MOODLE = re.compile(
    r"(?P<name>[^_]+)(?:_(?P<number>\d+))?_assignsubmission_(?P<type>[a-z]+)"
    r"(?:_(?P<rest>.*))?",
    re.DOTALL,
)
# lib/content_zipper.rb: NAME_[LATE_]USER_FILE_NAME, the name lower case, without spaces
CANVAS = re.compile(
    r"(?P<name>\S*?)_(?:(?P<late>LATE)_)?(?P<user>\d+)_"
    r"(?:(?P<file>\d+)_(?P<rest>.+)|(?P<typed>text|link)\.html)",
    re.DOTALL,
)
CANVAS_ANONYMOUS = re.compile(
    r"(?:(?P<late>LATE)_)?anon_(?P<user>[A-Za-z0-9]+)_"
    r"(?:(?P<file>\d+)_(?P<rest>.+)|(?P<typed>text|link)\.html)",
    re.DOTALL,
)
NOTEBOOK = re.compile(r"\.ipynb(?:\.(?:txt|json|ipynb)| *\(\d+\)|\s)*\Z", re.IGNORECASE)
COPY_OF = re.compile(r"(?:copy of|kopie von|copie de|copia d[ei]) +", re.IGNORECASE)
COPY = re.compile(r"(?: *\(\d+\)|-checkpoint|[ -]*copy *\d*)+\Z", re.IGNORECASE)
NUMBER = re.compile(r"(?:-|\(|copy *)(\d{1,9})\)?\Z", re.IGNORECASE)
ALWAYS_WRAPPERS = ("submitted", "submissions")
Key = tuple[str, str, str]

SAFE = re.compile(r"(?!.*\.\.)[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9_@-])?")
# files that lie beside the students' folders
RESERVED = {"report.csv", "receipts.csv", "students.csv"}
# letters that have no accent to drop
PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)


@dataclass(frozen=True)
class Owner:
    """A person as a download names them.

    Args:
        layout: ``moodle``, ``canvas`` or ``plain``.
        name: as in the path.
        number: Moodle's participant, another one in each assignment; Canvas's user;
            or none.
    """

    layout: str
    name: str
    number: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The same for the same person in each download of an assignment."""
        by_number = self.layout == "canvas"
        return (self.layout, "" if by_number else self.name, self.number)


@dataclass(frozen=True)
class PathInfo:
    """What a path says of a file.

    Args:
        owner: whose it is, if it says so.
        late: whether Canvas marks it as late.
        unsure: whether it could be read as another Canvas user's, too.
    """

    owner: Owner | None
    late: bool = False
    unsure: bool = False


def fold(text: str) -> str:
    """Letters and digits alone, without case and accents.

    >>> fold("Zoë O'Hara") == fold("ZOE_OHARA")
    True
    """
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters.casefold() if letter.isalnum())


def path_info(parts: Sequence[str], assignment: str) -> PathInfo:
    """Whose a file is, by the first part of its path alone: others are a student's.

    Args:
        parts: of its path, without the wrappers.
        assignment: which is no student's name.

    >>> path_info(["Ada Lovelace_77_assignsubmission_file_", "x.ipynb"], "norm").owner
    Owner(layout='moodle', name='Ada Lovelace', number='77')
    >>> path_info(["lovelaceada_LATE_12_345_norm-2.ipynb"], "norm").late
    True
    >>> path_info(["ada", "x.ipynb"], "x").owner == path_info(["ada.ipynb"], "x").owner
    True
    """
    head = parts[0]
    if found := MOODLE.fullmatch(head):
        return PathInfo(Owner("moodle", found["name"].strip(), found["number"] or ""))
    if len(parts) == 1 and (found := CANVAS_ANONYMOUS.fullmatch(head)):
        owner = Owner("canvas", f"anon {found['user']}", found["user"])
        return PathInfo(owner, found["late"] is not None)
    if len(parts) == 1 and (found := CANVAS.fullmatch(head)):
        owner = Owner("canvas", found["name"], found["user"])
        unsure = re.match(r"\d+_", found["rest"] or "") is not None
        return PathInfo(owner, found["late"] is not None, unsure)
    name = head if len(parts) > 1 else _person(head, assignment)
    return PathInfo(Owner("plain", name) if name else None)


def is_notebook(name: str) -> bool:
    """Whether a file is called a notebook, as ``a.IPYNB``, ``a.ipynb.txt``."""
    return NOTEBOOK.search(name) is not None


def is_zip(name: str) -> bool:
    """Whether a file is called a zip."""
    return name.lower().endswith(".zip")


def not_collected(parts: Sequence[str]) -> str:
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
    moodle = MOODLE.fullmatch(parts[0])
    if moodle and moodle["type"] == "onlinetext":
        return "text typed into Moodle, not a notebook"
    canvas = CANVAS_ANONYMOUS.fullmatch(name) or CANVAS.fullmatch(name)
    if canvas and canvas["typed"]:
        return "a text or link typed into Canvas, not a notebook"
    if is_notebook(name) or is_zip(name):
        return ""
    suffix = name[name.rfind(".") :][:20] if "." in name else "its name has no ending"
    return f"not a notebook ({suffix})"


def attempt(name: str, assignment: str) -> tuple[bool, bool, int, int]:
    """What tells at equal times which of a student's files is the later, as a key.

    A file named after the assignment comes after others, one that Jupyter did not keep
    as a checkpoint after one that it did; then Canvas's number of the file, then the
    number that Canvas, a browser or Jupyter put at the end of a name taken already.
    """
    canvas = CANVAS_ANONYMOUS.fullmatch(name) or CANVAS.fullmatch(name)
    file, rest = (canvas["file"], canvas["rest"]) if canvas else (None, None)
    moodle = MOODLE.fullmatch(name)
    stem = NOTEBOOK.sub("", rest or (moodle and moodle["rest"]) or name)
    checkpoint = stem.lower().endswith("-checkpoint")
    number = NUMBER.search(stem)
    return (
        fold(assignment) in fold(stem),
        not checkpoint,
        int((file or "0")[:18]),
        int(number[1]) if number else 0,
    )


def wrappers(
    paths: Sequence[Sequence[str]],
    assignment: str,
    title: str,
    known: Callable[[str], bool] | None,
) -> int:
    """How many folders are wrapped around the whole download.

    Args:
        paths: parts of the paths of all that could be submissions.
        assignment: the assignment's name.
        title: the download's own name without an ending.
        known: whether a name is a student's; none where there is no roster.

    Raises:
        ValueError: all lies in one folder that may be a student's or a wrapper.
    """
    depth = 0
    while True:
        heads = {path[depth] for path in paths}
        inner = {path[depth + 1] for path in paths if len(path) > depth + 1}
        if len(heads) != 1 or any(len(path) == depth + 1 for path in paths):
            break
        (head,) = heads
        if MOODLE.fullmatch(head) or (known and known(head)):
            return depth
        if not _wraps(head, inner, assignment, title, known is not None):
            break
        depth += 1
    if known:
        for deeper in range(depth, min(map(len, paths), default=0)):
            heads = {path[deeper] for path in paths}
            if len(heads) > 1:
                named = any(_of_lms(h) or known(_person(h, assignment)) for h in heads)
                return deeper if named else depth
            if known(heads.pop()):  # one student's, below someone unknown
                break
    return depth


def _wraps(
    head: str, inner: set[str], assignment: str, title: str, cautious: bool
) -> bool:
    if head.lower() in ALWAYS_WRAPPERS or fold(head) == fold(assignment):
        return True
    people = {_person(name, assignment) for name in inner}
    titled = fold(head) == fold(title)
    if "" in people and not any(map(_of_lms, inner)):
        return False
    if titled or cautious or (len(people) == 1 and not any(map(_of_lms, inner))):
        return titled
    raise ValueError(
        f"download: all lies in the folder {head!r:.80}, which may be one student's or"
        " hold all students' work: unpack it and give the folder that holds one file"
        " or folder for each student, or write a roster.csv"
    )


def _of_lms(name: str) -> bool:
    return bool(MOODLE.fullmatch(name) or CANVAS.fullmatch(name))


def _person(name: str, assignment: str) -> str:
    """The student whom a file or folder is named after, or ``""``."""
    stem = NOTEBOOK.sub("", name)
    stem = COPY.sub("", COPY_OF.sub("", stem[:-4] if is_zip(stem) else stem))
    task = re.escape(assignment)
    stem = re.sub(rf"\A{task}(?:[ _.-]+|\Z)|[ _.-]+{task}\Z", "", stem, flags=re.I)
    return stem.strip(" _-")


class Unknown(Exception):
    """The roster does not say who it is; its text says why, for people."""


@dataclass(frozen=True)
class RosterIndex:
    """The roster by what a download may call a student.

    Args:
        people: by id.
        canvas: ids by Canvas's number.
        names: ids by folded name, in each order of its words.
        others: ids by folded id, address and Moodle's name.
    """

    people: Mapping[str, Student]
    canvas: Mapping[str, str]
    names: Mapping[str, set[str]]
    others: Mapping[str, set[str]]


def index(roster: Iterable[Student]) -> RosterIndex:
    """Look up students quickly.

    Raises:
        ValueError: an id cannot name a folder, or two have one Canvas number.
    """
    people = {person.id: person for person in roster}
    named: dict[str, set[str]] = defaultdict(set)
    others: dict[str, set[str]] = defaultdict(set)
    for person in people.values():
        if re.search(r"\A\.|[/\\\0]|\.\.", person.id) or person.id in ("", *RESERVED):
            raise ValueError(f"roster: student={person.id!r:.80} cannot name a folder")
        words = [fold(word) for word in re.split(r"[\s,]+", person.name)]
        for i in range(len(words)):
            named["".join(words[i:] + words[:i])].add(person.id)
        for text in (person.id, person.email, person.moodle):
            others[fold(text)].add(person.id)
    named.pop("", None)
    others.pop("", None)
    canvas: dict[str, str] = {}
    for person in people.values():
        if person.canvas and canvas.setdefault(person.canvas, person.id) != person.id:
            raise ValueError(f"roster: canvas={person.canvas!r:.40} is there twice")
    return RosterIndex(people, canvas, named, others)


def knows(known: RosterIndex, name: str) -> bool:
    """Whether a folder's or file's name is that of one or more students."""
    return (
        name in known.people or fold(name) in known.others or bool(_named(known, name))
    )


def find(known: RosterIndex, info: PathInfo) -> tuple[str, str]:
    """The student whose file it is.

    Args:
        known: the roster.
        info: what the path says; it names an owner.

    Returns:
        The id, and what is odd about it, or ``""``.

    Raises:
        Unknown: there is none in the roster, or more than one.
    """
    owner = info.owner
    assert owner is not None
    if owner.layout == "canvas" and (student := known.canvas.get(owner.number)):
        if student in _named(known, owner.name) or not known.people[student].name:
            return student, ""
        if info.unsure:  # a name that ends in someone else's number reads like this
            raise Unknown(
                f"Canvas's number {owner.number} is {student}'s, but the name is"
                f" {owner.name!r:.60}"
            )
        return student, f"by Canvas's number, under the name {owner.name!r:.60}"
    found = _candidates(known, owner)
    if len(found) == 1:
        return found.pop(), ""
    if found:
        text = f"{owner.name!r:.60} may be {' or '.join(sorted(found)[:5])}"
        if owner.layout == "moodle" and owner.number:
            text += (
                f": write {f'{owner.name} {owner.number}'!r:.80} in the column moodle"
                " of the right one in roster.csv"
            )
        raise Unknown(text)
    number = f" (Canvas's number {owner.number})" if owner.layout == "canvas" else ""
    raise Unknown(f"no student of roster.csv is called {owner.name!r:.60}{number}")


def _candidates(known: RosterIndex, owner: Owner) -> set[str]:
    if owner.layout == "plain" and owner.name in known.people:
        return {owner.name}
    if owner.layout == "canvas":  # who has another number in Canvas is not meant
        found = _named(known, owner.name)
        return {student for student in found if not known.people[student].canvas}
    if owner.layout == "moodle":
        # the column moodle may hold a name with a participant's number
        for text in (owner.name + owner.number, owner.name):
            moodle = {
                student
                for student in known.others.get(fold(text), ())
                if fold(known.people[student].moodle) == fold(text)
            }
            if moodle:
                return moodle
        return _named(known, owner.name)
    found = known.others.get(fold(owner.name), set()) | _named(known, owner.name)
    return found | {s for s in [known.canvas.get(owner.name)] if s}


def _named(known: RosterIndex, name: str) -> set[str]:
    return set(known.names.get(fold(name), ()))


def ids(owners: Iterable[Owner], before: Mapping[Key, str]) -> dict[Key, str]:
    """An id for each person of a download where there is no roster.

    Args:
        owners: the people; one may occur more than once.
        before: the ids given in earlier downloads of the assignment, which stay.

    Returns:
        For each key the name made safe, plus a number where two would be the same.

    >>> ids([Owner("moodle", "Zoë Ek", "7")], {})
    {('moodle', 'Zoë Ek', '7'): 'zoe-ek'}
    """
    result: dict[Key, str] = {}
    taken = {student.casefold() for student in before.values()}
    wishes: dict[str, dict[Key, tuple[Owner, str]]] = defaultdict(dict)
    for owner in owners:
        if owner.key in before:
            result[owner.key] = before[owner.key]
        elif owner.layout == "plain" and owner.name in before.values():
            result[owner.key] = owner.name  # a folder that the teacher named so
        else:
            wish = _safe(owner)
            wishes[wish.casefold()][owner.key] = (owner, wish)
    for folded, people in wishes.items():
        for key, (owner, wish) in people.items():
            if len(people) > 1 or folded in taken:
                wish = f"{wish[:40].rstrip('.-')}-{_tag(owner)}"
            if wish.casefold() in taken:
                wish = f"{wish[:40].rstrip('.-')}-{digest(*owner.key)[:8]}"
            taken.add(wish.casefold())
            result[key] = wish
    return result


def _safe(owner: Owner) -> str:
    """An id made of a name: itself if a teacher's folder has it, else a safe form."""
    if owner.layout == "plain" and SAFE.fullmatch(owner.name):
        text = owner.name
        return f"student-{text}" if text.casefold() in RESERVED else text
    letters = unicodedata.normalize("NFKD", owner.name.casefold().translate(PLAIN))
    text = letters.encode("ascii", "ignore").decode()
    text = re.sub(r"[^a-z0-9@_.]+|\.\.+", "-", text)[:48].strip("-._@")
    return text if text and text not in RESERVED else f"student-{_tag(owner)}"


def _tag(owner: Owner) -> str:
    return owner.number[:20] or digest(*owner.key)[:8]
