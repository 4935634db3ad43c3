"""The verdict on an answer, from records alone: right, wrong, or not answered."""

from .compare import same_case
from .words import CONFIGURATION, explain, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

AHEAD = 6  # configurations in which a mistake is looked for from the first wrong one on


def judge(
    count: int,
    got: "Callable[[int], Any]",
    expected: "Callable[[int], Any]",
    mistakes: "Sequence[tuple[str, Callable[[int], Any]]]",
) -> "tuple[str, str]":
    """Judge an answer by what it does.

    Args:
        count: how many configurations there are.
        got: the answer's record of a configuration.
        expected: the right one.
        mistakes: hint and record of each known mistake.

    Returns:
        ``"right"``, ``"wrong"`` or ``"unanswered"``, and the sentences for the reader.
    """
    for index in range(count):
        record = got(index)
        missing = unanswered(record) if index == 0 else ""
        if missing:
            return "unanswered", f"Not answered yet: {missing}"
        at = first_difference(expected(index), record)
        if at is not None:
            return "wrong", _failure(count, index, at, got, expected, mistakes)
    return "right", _success(count, expected(0))


def unanswered(record: "Any") -> str:
    """Why nothing has come out of the answer; empty if something has."""
    for case in record:
        if case[0] in ("output", "result"):
            break
        if case[0] == "raised" and case[3]["state"] == "unanswered":
            return case[3]["text"] or "your code raises NotImplementedError."
    return ""


def first_difference(
    expected: "Any", got: "Any", right: "Callable[[Any, Any], bool]" = same_case
) -> "int | None":
    """The number of the first case that is not as it should be."""
    for at, case in enumerate(expected):
        if at >= len(got) or not right(case, got[at]):
            return at
    return None if len(got) == len(expected) else len(expected) - 1


def recognize(
    count: int,
    got: "Callable[[int], Any]",
    expected: "Callable[[int], Any]",
    mistakes: "Any",
    right: "Callable[[Any, Any], bool]" = same_case,
) -> "tuple[int | None, bool]":
    """The number of the mistake that acts like the answer, and whether to the end.

    If none does, one that agrees up to the first difference of each configuration (in
    more than True or False), or throughout the first configuration in which the answer
    is wrong, if the answer is right in none where the mistake is not.

    Args:
        count: how many configurations are looked at.
        got: the answer's record of a configuration.
        expected: the right one.
        mistakes: the records of each known mistake.
        right: whether a case is as it should be, given the right one.
    """

    def alike(index: int, mistake: "Any", record: "Any") -> bool:
        """Whether two records agree, or are both right where they differ."""
        if len(mistake) != len(record):
            return False
        cases = expected(index)
        for at, case in enumerate(mistake):
            if same_case(case, record[at]):
                continue
            if at >= len(cases) or not right(cases[at], case):
                return False
            if not right(cases[at], record[at]):
                return False
        return True

    first = None
    wrong = strong = False
    similar = list(range(len(mistakes)))
    whole = similar
    for index in range(count):
        record = got(index)
        right_record = expected(index)
        at = first_difference(right_record, record, right)
        end = len(record) if at is None else at + 1
        records = {m: mistakes[m](index) for m in similar}
        if first is not None and first not in similar:
            records[first] = mistakes[first](index)
        if first is not None and _excused(right_record, records[first], at, right):
            first = None
        similar = [m for m in similar if alike(index, records[m][:end], record[:end])]
        whole = [m for m in whole if m in similar and alike(index, records[m], record)]
        if at is not None and at < len(record):
            strong = strong or not isinstance(record[at][3], bool)
        if at is not None and not wrong:
            wrong = True
            first = whole[0] if whole else None
        if not similar and first is None:
            return None, False
    if whole or (similar and strong):
        return (whole or similar)[0], bool(whole)
    return first, False


def _excused(
    expected: "Any",
    mistake: "Any",
    at: "int | None",
    right: "Callable[[Any, Any], bool]",
) -> bool:
    """Whether an answer is right where a mistake is not, so that it makes another.

    Args:
        expected: the right record.
        mistake: that of the mistake.
        at: where the answer first differs from the right one, if at all.
        right: whether a case is as it should be.
    """
    first = first_difference(expected, mistake, right)
    return first is not None and (at is None or at > first)


def configuration(record: "Any") -> str:
    """A configuration in words, empty if it has none."""
    for case in record:
        if case[0] == CONFIGURATION:
            return str(case[3])
    return ""


def _failure(
    count: int,
    index: int,
    at: int,
    got: "Callable[[int], Any]",
    expected: "Callable[[int], Any]",
    mistakes: "Sequence[tuple[str, Callable[[int], Any]]]",
) -> str:
    """What is wrong with case ``at`` of a configuration, and a hint if one is known."""
    right, record = expected(index), got(index)
    case = right[at]
    other = record[at] if at < len(record) else None
    ahead = min(index + AHEAD, count)
    known = [record_of for _, record_of in mistakes]
    found, whole = recognize(ahead, got, expected, known)
    raised = other is not None and other[0] == "raised"
    refused = other is not None and raised and other[3]["state"] == "refused"
    if found is None or (raised and not refused):
        text = explain(case, other)
        text += "" if found is None else "\nHint: " + mistakes[found][0]
    else:
        text = mistakes[found][0]
    if found is not None and not whole:
        text += "\nSomething else differs as well: check again after the repair."
    if refused:
        return text
    before = [label(c) for c in right[:at] if c[0] == "output"]
    if before and found is None:
        text += f"\nRight before it: {'; '.join(before)}."
    words = configuration(right)
    if words:
        text += f"\nSeen in {label(case)}, configuration {index + 1} of {count}: "
        text += f"{words}."
    return text


def _success(count: int, record: "Any") -> str:
    """How much was compared."""
    if not configuration(record):
        return "Right."
    compared: list[str] = []
    for case in record:
        words = "the inputs" if case[0] == "inputs" else label((case[0], case[1], ""))
        words = "the gradient" if case[0] == "gradient" else words
        words = case[1] if case[0] in ("start", "after") else words
        fact = case[0] in (CONFIGURATION, "graph") or isinstance(case[3], bool)
        if not fact and words not in compared:
            compared.append(words)
    return f"Right in {count} configurations. Compared: {', '.join(compared)}."
