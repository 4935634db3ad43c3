"""What the path of a file in an LMS's export says: whose it is, which attempt."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = [
    "Owner",
    "Place",
    "attempt",
    "fold",
    "is_notebook",
    "is_zip",
    "not_collected",
    "place",
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


@dataclass(frozen=True)
class Owner:
    """A person as an export names them.

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
        """The same for the same person in each export of an assignment."""
        by_number = self.layout == "canvas"
        return (self.layout, "" if by_number else self.name, self.number)


@dataclass(frozen=True)
class Place:
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


def place(parts: Sequence[str], assignment: str) -> Place:
    """Whose a file is, by the first part of its path alone: others are a student's.

    Args:
        parts: of its path, without the wrappers.
        assignment: which is no student's name.

    >>> place(["Ada Lovelace_77_assignsubmission_file_", "x.ipynb"], "norm").owner
    Owner(layout='moodle', name='Ada Lovelace', number='77')
    >>> place(["lovelaceada_LATE_12_345_norm-2.ipynb"], "norm").late
    True
    >>> place(["ada", "norm.ipynb"], "norm").owner == place(["ada.ipynb"], "norm").owner
    True
    """
    head = parts[0]
    if found := MOODLE.fullmatch(head):
        return Place(Owner("moodle", found["name"].strip(), found["number"] or ""))
    if len(parts) == 1 and (found := CANVAS_ANONYMOUS.fullmatch(head)):
        owner = Owner("canvas", f"anon {found['user']}", found["user"])
        return Place(owner, found["late"] is not None)
    if len(parts) == 1 and (found := CANVAS.fullmatch(head)):
        owner = Owner("canvas", found["name"], found["user"])
        unsure = re.match(r"\d+_", found["rest"] or "") is not None
        return Place(owner, found["late"] is not None, unsure)
    name = head if len(parts) > 1 else _person(head, assignment)
    return Place(Owner("plain", name) if name else None)


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
    """How many folders are wrapped around the whole export.

    Args:
        paths: parts of the paths of all that could be submissions.
        assignment: the assignment's name.
        title: the export's own name without an ending.
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
        f"source: all lies in the folder {head!r:.80}, which may be one student's or"
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
