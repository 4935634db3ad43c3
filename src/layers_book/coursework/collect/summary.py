"""What the command says of a download: few lines, whatever it holds."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from layers_book.coursework.collect.paths import is_zip
from layers_book.coursework.collect.submissions import Receipt

__all__ = ["lines", "some"]

MOST = 40  # lines of one kind
REASONS = 3  # lines of one student's folder or zip
NOTED = ("submitted", "resubmitted", "not the one that counts")
JUNK = ("no submission, but", "not a notebook")


def lines(receipts: Iterable[Receipt], roster: bool) -> list[str]:
    """What is rejected and why, what is odd, and who is new.

    Args:
        receipts: of all files of a download.
        roster: whether there is one.
    """
    receipts = list(receipts)
    rejected = [each for each in receipts if each.state == "rejected"]
    noted = [each for each in receipts if each.reason and each.state in NOTED]
    result = [*_cut(_rejected(rejected)), *_cut(_noted(noted))]
    new = sorted({each.student for each in receipts if each.state == "submitted"})
    if new and not roster:
        result.append(
            f"no roster.csv: {_count(len(new), 'student')} by the names in the"
            f" download: {some(new)}"
        )
    return result


def _rejected(receipts: list[Receipt]) -> Iterator[str]:
    places: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    added = Counter(r.reason for r in receipts if r.reason.startswith(JUNK[0]))
    for each in receipts:
        if added[each.reason] <= REASONS:
            places[_place(each.file)][each.reason].append(each.file)
    # first what a person has to decide, last what nobody misses
    for place, reasons in sorted(
        places.items(), key=lambda item: (all(map(_junk, item[1])), item[0])
    ):
        ordered = sorted(reasons, key=lambda r: (_junk(r), -len(reasons[r])))
        for reason in ordered[:REASONS]:
            files = reasons[reason]
            what = files[0] if len(files) == 1 else f"{place}: {len(files):,} files"
            yield f"rejected: {what}: {reason}"
        if rest := sum(len(reasons[reason]) for reason in ordered[REASONS:]):
            kinds = len(ordered) - REASONS
            yield (
                f"rejected: {place}: {_count(rest, 'file')} more, for"
                f" {_count(kinds, 'other reason')}"
            )
    for reason, count in added.items():
        if count > REASONS:
            yield f"left out: {count:,} files: {reason}"


def _noted(receipts: list[Receipt]) -> Iterator[str]:
    counts = Counter(each.reason for each in receipts)
    for reason, count in counts.most_common():
        mine = [each for each in receipts if each.reason == reason]
        if count == 1:
            yield f"noted: {mine[0].file} ({mine[0].student}): {reason}"
        else:
            yield (
                f"noted: {count:,} files: {reason}:"
                f" {some(sorted({each.student for each in mine}))}"
            )


def _place(file: str) -> str:
    """The student's zip or folder that a file lies in."""
    parts = file.split("/")
    for end, part in enumerate(parts[:-1], 1):
        if is_zip(part):
            return "/".join(parts[:end])
    return "/".join(parts[: min(2, len(parts) - 1)])


def _junk(reason: str) -> bool:
    return reason.startswith(JUNK)


def _cut(said: Iterable[str]) -> list[str]:
    found = list(said)
    if len(found) > MOST:
        found[MOST:] = [f"and {len(found) - MOST} more lines: see report.csv"]
    return found


def some(names: list[str]) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
