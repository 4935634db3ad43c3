"""Which student a name in an export stands for: by the roster, or by a safe id."""

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from layers_book.coursework.collect.layouts import Owner, Place, fold

__all__ = ["Directory", "Person", "Unknown", "directory", "find", "ids", "knows"]

Key = tuple[str, str, str]

SAFE = re.compile(r"(?!.*\.\.)[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9_@-])?")
# files that lie beside the students' folders
RESERVED = {"report.csv", "receipts.csv", "students.csv"}
# letters that have no accent to drop
PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)


class Person(Protocol):
    """A line of the roster; all but ``id`` may be empty."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def moodle(self) -> str: ...
    @property
    def canvas(self) -> str: ...


class Unknown(Exception):
    """The roster does not say who it is; its text says why, for people."""


@dataclass(frozen=True)
class Directory:
    """The roster by what an export may call a student.

    Args:
        people: by id.
        canvas: ids by Canvas's number.
        names: ids by folded name, in each order of its words.
        others: ids by folded id, address and Moodle's name.
    """

    people: Mapping[str, Person]
    canvas: Mapping[str, str]
    names: Mapping[str, set[str]]
    others: Mapping[str, set[str]]


def directory(roster: Iterable[Person]) -> Directory:
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
    return Directory(people, canvas, named, others)


def knows(known: Directory, name: str) -> bool:
    """Whether a folder's or file's name is that of one or more students."""
    return (
        name in known.people or fold(name) in known.others or bool(_named(known, name))
    )


def find(known: Directory, spot: Place) -> tuple[str, str]:
    """The student whose file it is.

    Args:
        known: the roster.
        spot: what the path says; it names an owner.

    Returns:
        The id, and what is odd about it, or ``""``.

    Raises:
        Unknown: there is none in the roster, or more than one.
    """
    owner = spot.owner
    assert owner is not None
    if owner.layout == "canvas" and (student := known.canvas.get(owner.number)):
        if student in _named(known, owner.name) or not known.people[student].name:
            return student, ""
        if spot.unsure:  # a name that ends in someone else's number reads like this
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


def _candidates(known: Directory, owner: Owner) -> set[str]:
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


def _named(known: Directory, name: str) -> set[str]:
    return set(known.names.get(fold(name), ()))


def ids(owners: Iterable[Owner], before: Mapping[Key, str]) -> dict[Key, str]:
    """An id for each person of an export where there is no roster.

    Args:
        owners: the people; one may occur more than once.
        before: the ids given in earlier exports of the assignment, which stay.

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
                wish = f"{wish[:40].rstrip('.-')}-{_digest(owner)}"
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
    return owner.number[:20] or _digest(owner)


def _digest(owner: Owner) -> str:
    return hashlib.sha256("\0".join(owner.key).encode()).hexdigest()[:8]
