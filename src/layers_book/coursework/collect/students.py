"""Which student of the roster a download means, or why that cannot be said."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from layers_book.coursework.collect.layouts import LAYOUTS, Layout, columns
from layers_book.coursework.collect.paths import Owner, PathInfo, fold, machine_made
from layers_book.coursework.course import Student
from layers_book.coursework.files import digest

__all__ = [
    "Found",
    "RosterIndex",
    "Unknown",
    "doubts",
    "find",
    "ids",
    "index",
    "knows",
    "new_doubts",
]

Key = tuple[str, str, str]
Identity = tuple[str, str]

SAFE = re.compile(r"(?!.*\.\.)[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,62}[A-Za-z0-9_@+-])?")
# files that lie beside the students' folders
RESERVED = {"report.csv", "receipts.csv", "students.csv"}
# letters that have no accent to drop
PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)


class Unknown(Exception):
    """It is not said who it is; its text says why, and what to do, for people."""


@dataclass(frozen=True)
class Found:
    """The student whom a download means.

    Args:
        student: the id.
        owner: as the download names them.
        sure: whether by an id, address or number, not by a name that others may have.
        note: what is odd about it, or ``""``.
    """

    student: str
    owner: Owner
    sure: bool = False
    note: str = ""


@dataclass(frozen=True)
class RosterIndex:
    """The roster by what a download may call a student.

    Args:
        people: by id.
        titles: of the layouts, by the names of their columns.
        exact: ids by id and address, without case.
        names: ids by folded name, in each order of its words.
        others: ids by folded id, address and what any place calls them.
        numbers: ids by column and number, each with the folded name beside it.
        called: ids by column and folded name, where the column has no number.
    """

    people: Mapping[str, Student]
    titles: Mapping[str, str]
    exact: Mapping[str, set[str]]
    names: Mapping[str, set[str]]
    others: Mapping[str, set[str]]
    numbers: Mapping[Identity, Mapping[str, str]]
    called: Mapping[Identity, set[str]]


def index(
    roster: Iterable[Student], layouts: Sequence[Layout] = LAYOUTS
) -> RosterIndex:
    """Look up students quickly.

    Raises:
        ValueError: an id cannot name a folder, or two have one Canvas number.
    """
    people = {person.id: person for person in roster}
    exact: dict[str, set[str]] = defaultdict(set)
    named: dict[str, set[str]] = defaultdict(set)
    others: dict[str, set[str]] = defaultdict(set)
    numbers: dict[Identity, dict[str, str]] = defaultdict(dict)
    called: dict[Identity, set[str]] = defaultdict(set)
    places = columns(layouts)
    changing = {layout.name for layout in layouts if not layout.unique}
    for person in people.values():
        if re.search(r"\A\.|[/\\\0]|\.\.", person.id) or person.id in ("", *RESERVED):
            raise ValueError(f"roster: student={person.id!r:.80} cannot name a folder")
        for text in filter(None, (person.id, person.email)):
            exact[_plain(text)].add(person.id)
            others[fold(text)].add(person.id)
        words = [fold(word) for word in re.split(r"[\s,]+", person.name)]
        for i in range(len(words)):
            named["".join(words[i:] + words[:i])].add(person.id)
        for column in filter(person.place, places):
            text = person.place(column)
            others[fold(text)].add(person.id)
            name, number = _parted(text) if column in changing else ("", text)
            if not number:
                called[column, fold(text)].add(person.id)
            numbers[column, _plain(number)][person.id] = fold(name)
    for texts in (named, others):
        texts.pop("", None)
    for (column, number), found in numbers.items():
        if column == "canvas" and number and len(found) > 1:
            raise ValueError(f"roster: canvas={number!r:.40} is there twice")
    titles = {layout.name: layout.title for layout in layouts}
    return RosterIndex(people, titles, exact, named, others, numbers, called)


def _plain(text: str) -> str:
    """The same for what differs in case and blanks around it alone."""
    return unicodedata.normalize("NFC", text.strip().casefold())


def _parted(text: str) -> tuple[str, str]:
    """A name and the number after it, as ``Ada Lovelace 101``; or no number."""
    found = re.fullmatch(r"(.*?)[\s_]*\b([0-9]+)", text.strip())
    return (found[1], found[2]) if found else (text, "")


def knows(known: RosterIndex, name: str) -> bool:
    """Whether a folder's or file's name is that of one or more students."""
    return (
        name in known.people or fold(name) in known.others or bool(_named(known, name))
    )


def find(known: RosterIndex, info: PathInfo) -> Found:
    """The student whose file it is.

    Args:
        known: the roster.
        info: what the path says; it names an owner.

    Raises:
        Unknown: there is none in the roster, or more than one.
    """
    owner = info.owner
    assert owner is not None
    if not info.others:
        return _find(known, owner)
    found: dict[str, Found] = {}
    for each in (owner, *info.others):
        try:
            one = _find(known, each)
        except Unknown:
            continue
        found[one.student] = one
    strict = any(each.number for each in (owner, *info.others))
    if len(found) == 1 and not strict:
        return found.popitem()[1]
    raise Unknown(_many_readings(info))


def _many_readings(info: PathInfo) -> str:
    assert info.owner is not None
    ways = []
    for each in (info.owner, *info.others)[:3]:
        number = f" ({each.number})" if each.number not in ("", each.name) else ""
        ways.append(f"{each.name!r:.40}{number}")
    return (
        f"its name can be read in more than one way, as of {' or of '.join(ways)}: put"
        " it into a folder named after the student, and collect that"
    )


def _find(known: RosterIndex, owner: Owner) -> Found:
    if owner.number:
        number = known.numbers.get((owner.layout, _plain(owner.number)), {})
        if len(number) == 1 and owner.unique:
            return _by_number(known, owner, min(number))
        # another assignment's number may be the same: the name must agree
        named = _named(known, owner.name)
        agree = {
            student
            for student, name in number.items()
            if (name == fold(owner.name) if name else student in named)
        }
        if len(agree) == 1:
            return Found(agree.pop(), owner, sure=True)
    if owner.layout == "plain" and owner.name in known.people:
        return Found(owner.name, owner, sure=owner.ids)
    if owner.layout == "plain" or owner.ids:
        texts = [owner.name] if owner.layout == "plain" else [owner.number, owner.email]
        exact = {
            student for text in texts for student in known.exact.get(_plain(text), ())
        } or _by_canvas(known, owner)
        if len(exact) == 1:
            return Found(exact.pop(), owner, sure=owner.ids)
        if exact:
            text = " and ".join(filter(None, texts))
            raise Unknown(f"{text!r:.80} may be {_or(exact)}: {advice(owner)}")
    return _by_name(known, owner)


def _by_number(known: RosterIndex, owner: Owner, student: str) -> Found:
    note = ""
    if known.people[student].name and student not in _named(known, owner.name):
        title = known.titles.get(owner.layout, owner.layout)
        if owner.name != owner.number:
            note = f"by {title}'s number, under the name {owner.name!r:.60}"
    return Found(student, owner, sure=True, note=note)


def _by_canvas(known: RosterIndex, owner: Owner) -> set[str]:
    """A teacher may name folders by Canvas's numbers."""
    if owner.layout != "plain":
        return set()
    return set(known.numbers.get(("canvas", _plain(owner.name)), ()))


def _by_name(known: RosterIndex, owner: Owner) -> Found:
    found: set[str] = set()
    if owner.named:
        found = (
            known.called.get((owner.layout, fold(owner.name)), set())
            or _named(known, owner.name)
            or _with_id(known, owner.name)
        )
    if owner.layout == "plain":
        found = found | known.others.get(fold(owner.name), set())
    elsewhere = {s for s in found if _has_another(known.people[s], owner)}
    if len(found) == 1 and not elsewhere:
        return Found(min(found), owner)
    if len(found) == 1:
        (student,) = found
        column = known.people[student].place(owner.layout)
        raise Unknown(
            f"{student} is called {owner.name!r:.60}, but has {column!r:.80} in the"
            f" column {owner.layout} of roster.csv: {advice(owner)}"
        )
    if found:
        raise Unknown(f"{owner.name!r:.60} may be {_or(found)}: {advice(owner)}")
    text = f"no student of roster.csv is called {owner.name!r:.60}"
    if owner.number and owner.number != owner.name:
        title = known.titles.get(owner.layout, owner.layout)
        text += f" ({title}'s number {owner.number:.40})"
    text += f": {_zeros(known, owner)}{advice(owner)}"
    if owner.layout == "plain" and machine_made(owner.name):
        text += ", or add the layout of such names to coursework.toml (see the guide)"
    raise Unknown(text)


def _with_id(known: RosterIndex, name: str) -> set[str]:
    """Who is named by an id and by their name, as ``s001 Lovelace``."""
    words = [word for word in re.split(r"[\s,()]+", name) if fold(word)]
    found = set()
    for id, rest in ((words[:1], words[1:]), (words[-1:], words[:-1])):
        for student in known.exact.get(_plain("".join(id)), ()):
            theirs = set(map(fold, re.split(r"[\s,]+", known.people[student].name)))
            if rest and theirs.issuperset(map(fold, rest)):
                found.add(student)
    return found


def _has_another(person: Student, owner: Owner) -> bool:
    """Whether the roster has another number of that place for a student."""
    column = person.place(owner.layout)
    name, number = _parted(column)
    if not (owner.number and column):
        return False
    if owner.unique:
        return _plain(column) != _plain(owner.number)
    # a number alone may be another assignment's
    return bool(number and name) and number != owner.number


def _zeros(known: RosterIndex, owner: Owner) -> str:
    """What to say of a number whose zeros a spreadsheet has taken."""
    for text in (owner.number, owner.name):
        student = text.lstrip("0")
        if student != text and student in known.people:
            return (
                f"it has {student!r:.40}, so perhaps a spreadsheet has taken the zeros"
                " in front; or "
            )
    return ""


def _or(students: Iterable[str]) -> str:
    return " or ".join(sorted(students)[:5])


def advice(owner: Owner) -> str:
    """What to do to make it certain whose a file is."""
    if owner.layout == "plain":
        return "name its folder or file after the student's id"
    text = owner.number or owner.name
    if owner.number and not owner.unique:
        text = f"{owner.name} {owner.number}"
    where = f"in the column {owner.layout} of the right one in roster.csv"
    return f"write {text!r:.80} {where}"


def doubts(
    known: RosterIndex,
    found: Iterable[Found],
    before: Iterable[tuple[str, Owner]],
) -> dict[Owner, str]:
    """Whom of those found by name it may not be, and why.

    A name proves nothing where another of that name hands in, now or earlier, or where
    one number has had another name: students can rename themselves.

    Args:
        known: the roster.
        found: the students of this download.
        before: whom earlier downloads meant.
    """
    now: dict[tuple[str, str], dict[Identity, Owner]] = defaultdict(dict)
    earlier: dict[tuple[str, str], dict[Identity, Owner]] = defaultdict(dict)
    bound: dict[Identity, set[str]] = defaultdict(set)
    found = list(found)
    for one in found:
        now[one.student, one.owner.layout][one.owner.identity] = one.owner
    for student, owner in before:
        if student in known.people:
            earlier[student, owner.layout][owner.identity] = owner
            bound[owner.identity].add(student)
    result = {}
    for one in found:
        owner = one.owner
        if one.sure:
            continue
        here = now[one.student, owner.layout]
        past = earlier[one.student, owner.layout]
        others = bound[owner.identity] - {one.student}
        if len(here) > 1:
            names = " and ".join(sorted(map(_called, here.values()))[:4])
            result[owner] = (
                f"{one.student} may be {names}, who hand in here: {advice(owner)}"
            )
            if past:
                names = " and ".join(sorted(map(_called, past.values()))[:4])
                result[owner] += f"; what counts until then is of {names}"
        elif others:
            result[owner] = (
                f"{_called(owner)} was {_or(others)} in an earlier download, and is now"
                f" called as {one.student} is: {advice(owner)}"
            )
        elif past and owner.identity not in past:
            names = " and ".join(sorted(map(_called, past.values()))[:4])
            result[owner] = (
                f"{one.student} was {names} in an earlier download, and is now"
                f" {_called(owner)}, who may be another of that name: {advice(owner)}"
            )
    return result


def _called(owner: Owner) -> str:
    number = f" {owner.number}" if owner.number not in ("", owner.name) else ""
    return repr(f"{owner.name}{number}")[:80]


def new_doubts(
    infos: Iterable[PathInfo], before: Iterable[Owner]
) -> dict[tuple[Owner, ...], str]:
    """Whom it may not be where there is no roster, and why.

    Args:
        infos: what the paths of this download say.
        before: the people of earlier downloads.
    """
    way = "write a roster.csv, which says who is who"
    earlier, infos = list(before), list(infos)
    keys = {owner.key for owner in earlier}
    here = {info.owner.identity for info in infos if info.owner}
    result = {}
    for info in infos:
        owner = info.owner
        if owner is None or (owner.key in keys and not info.others):
            continue
        if info.others:
            result[info.who] = f"{_many_readings(info)}, or {way}"
        elif info.layout is None and machine_made(owner.name):
            result[info.who] = (
                f"{owner.name!r:.80} looks like a name that a program gives, but of no"
                f" known layout: {way}, add the layout to coursework.toml (see the"
                " guide), or name the file after the student"
            )
        elif owner.number and not owner.unique:
            same = [
                other
                for other in earlier
                if other.identity == owner.identity
                or (_same_name(other, owner) and other.identity not in here)
            ]
            if same:
                result[info.who] = (
                    f"{_called(owner)} may be {_called(same[0])} of an earlier"
                    f" download, or another: {way}"
                )
    return result


def _same_name(one: Owner, other: Owner) -> bool:
    return one.layout == other.layout and fold(one.name) == fold(other.name)


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
