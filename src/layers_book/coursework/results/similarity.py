"""Which answers resemble each other: a reason to look, not a verdict.

Code is reduced to its tokens, without names, comments and layout, and fingerprinted by
winnowing (Schleimer, Wilkerson and Aiken, SIGMOD 2003), both from the library
copydetect and with its parameters. Answers are not compared pair by pair: an index
from fingerprints to students finds the pairs that share some.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from copydetect.utils import filter_code, get_copied_slices, winnow
from numpy.typing import NDArray

from layers_book.coursework.files import folder_name, write_table
from layers_book.coursework.files import write as write_file
from layers_book.coursework.results.pages import render

KGRAM = 25  # reduced characters in a fingerprint
WINDOW = 6  # a match of KGRAM + WINDOW - 1 characters is always found
LONGEST = 10_000  # characters of an answer that are read
SHORTEST = 100  # reduced characters: honest short functions look alike
FEWEST = 15  # rare fingerprints, likewise
COMMON = 20, 50  # a fingerprint in more answers is an idiom: from, to; between, 5 %
LISTED = 5_000  # pairs in the table
SHOWN = 30  # pairs on the page

Integers = NDArray[np.int64]


class Pair(NamedTuple):
    """Two answers to a question that share much.

    A share is of the answer's own rare fingerprints; ``size`` is that of the shorter
    answer in reduced characters, without the text of the release.
    """

    student_a: str
    student_b: str
    question: str
    share_a: float
    share_b: float
    size: int


class Group(NamedTuple):
    """Students with one and the same answer but for names, too many for pairs."""

    question: str
    students: tuple[str, ...]


class Similarity(NamedTuple):
    """The most similar pairs first; how many answers were compared or too short."""

    pairs: tuple[Pair, ...]
    groups: tuple[Group, ...]
    compared: int
    short: int


class _Answer(NamedTuple):
    """The fingerprints that are not the release's, and the whole reduced text."""

    student: str
    hashes: Integers
    size: int
    reduced: str


def similar(
    answers: Mapping[str, Mapping[str, str]],
    release: Iterable[str] = (),
    prose: Collection[str] = (),
    least: float = 0.6,
) -> Similarity:
    """Find the pairs of answers that share most of what is not common to many.

    Left out: answers of fewer than 100 reduced characters (about six lines), since
    honest solutions of a short function are alike; the release's own text; fingerprints
    in more than 20 answers (5 % of them, at most 50, in a larger class). Of an answer,
    10,000 characters are read.

    Args:
        answers: the sources, by student and question.
        release: the texts of the released notebook's cells.
        prose: the questions answered in words, of which words are compared.
        least: the share, of either answer, from which a pair is listed, 0 to 1.

    Raises:
        ValueError: ``least`` is not between 0 and 1.
    """
    if not 0 < least <= 1:
        raise ValueError(f"least={least}: a share of more than 0 and at most 1")
    texts = list(release)
    questions = dict.fromkeys(q for student in answers for q in answers[student])
    pairs: list[Pair] = []
    groups: list[Group] = []
    compared = short = 0
    known = {kind: _release(texts, kind) for kind in (True, False)}
    for question in questions:
        kind = question in prose
        read = [
            _answer(student, mine[question], kind, known[kind])
            for student, mine in sorted(answers.items())
            if question in mine
        ]
        long = [answer for answer in read if answer.size >= SHORTEST]
        compared += len(long)
        short += len(read) - len(long)
        limit = min(max(COMMON[0], len(long) // 20), COMMON[1])
        pairs += _pairs(question, long, limit, least)
        groups += _groups(question, long, limit)
    pairs.sort(key=lambda p: (-p.share_a - p.share_b, -p.size, p))
    return Similarity(tuple(pairs), tuple(groups), compared, short)


def write(
    folder: Path,
    assignment: str,
    answers: Mapping[str, Mapping[str, str]],
    release: Iterable[str] = (),
    prose: Collection[str] = (),
    *,
    title: str = "",
    least: float = 0.6,
) -> tuple[Path, Path]:
    """Write ``similarity.csv`` and ``similarity.html``, with the top pairs in full.

    Args:
        folder: the course's ``exports``; the files go into its folder ``assignment``.
        assignment: its name; the others as for ``similar``.
        title: of the assignment; its name by default.

    Raises:
        ValueError: the assignment is no name of a folder; ``least`` is no share.
    """
    folder = folder / folder_name("assignment", assignment)
    texts = list(release)
    found = similar(answers, texts, prose, least)
    known = {kind: _release(texts, kind) for kind in (True, False)}
    shown = []
    for pair in found.pairs[:SHOWN]:
        both = [answers[s][pair.question] for s in (pair.student_a, pair.student_b)]
        kind = pair.question in prose
        shown.append({"pair": pair, "sides": _sides(both, kind, known[kind])})
    text = render(
        "similarity.html",
        title=title or assignment,
        found=found,
        shown=shown,
        listed=LISTED,
        shortest=SHORTEST,
    )
    table = folder / "similarity.csv"
    return (
        write_table(table, Pair._fields, found.pairs[:LISTED], bom=True),
        write_file(folder / "similarity.html", text),
    )


def _pairs(
    question: str, answers: list[_Answer], limit: int, least: float
) -> list[Pair]:
    """The pairs that share rare fingerprints, by an index from these to answers."""
    n = len(answers)
    if n < 2:
        return []
    owner = np.repeat(np.arange(n), [len(answer.hashes) for answer in answers])
    hashes = np.concatenate([answer.hashes for answer in answers])
    order = np.argsort(hashes, kind="stable")
    owner = owner[order]
    _, starts, counts = np.unique(hashes[order], return_index=True, return_counts=True)
    rare = np.repeat(counts, counts) <= limit
    own = np.bincount(owner[rare], minlength=n)
    codes = [np.empty(0, np.int64)]
    for count in range(2, limit + 1):
        # all fingerprints with so many owners at once; each row of owners ascends
        owners = owner[starts[counts == count][:, None] + np.arange(count)]
        first, second = np.triu_indices(count, 1)
        codes.append((owners[:, first] * n + owners[:, second]).ravel())
    code, shared = np.unique(np.concatenate(codes), return_counts=True)
    a, b = code // n, code % n
    share_a, share_b = shared / own[a], shared / own[b]
    alike = np.maximum(share_a, share_b) >= least
    alike &= np.minimum(own[a], own[b]) >= FEWEST
    return [
        Pair(
            answers[a[i]].student,
            answers[b[i]].student,
            question,
            float(share_a[i]),
            float(share_b[i]),
            min(answers[a[i]].size, answers[b[i]].size),
        )
        for i in np.flatnonzero(alike)
    ]


def _groups(question: str, answers: list[_Answer], limit: int) -> list[Group]:
    same: defaultdict[str, list[str]] = defaultdict(list)
    for answer in answers:
        same[answer.reduced].append(answer.student)
    return [Group(question, tuple(s)) for s in same.values() if len(s) > limit]


def _answer(student: str, source: str, prose: bool, known: Integers) -> _Answer:
    reduced, _ = _reduce(_plain(source), prose)
    kgrams = _kgrams(reduced)
    covered = np.zeros(len(reduced), bool)
    for start in np.flatnonzero(np.isin(kgrams, known)):
        covered[start : start + KGRAM] = True
    hashes = np.setdiff1d(_selected(kgrams)[0], known)
    return _Answer(student, hashes, int((~covered).sum()), reduced)


def _release(texts: Iterable[str], prose: bool) -> Integers:
    """All fingerprints of the release, selected by winnowing or not."""
    kgrams = [_kgrams(_reduce(_plain(text), prose)[0]) for text in texts]
    return np.unique(np.concatenate([np.empty(0, np.int64), *kgrams]))


def _plain(source: str) -> str:
    """What is read of an answer: the lexer would drop the rest, and miscount."""
    return source[:LONGEST].replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def _reduce(source: str, prose: bool) -> tuple[str, Integers]:
    """What is compared of a plain text, and where each character stands in it."""
    if prose:
        words = list(re.finditer(r"\w+", source))
        at = [m.start() + i for m in words for i in range(len(m[0]))]
        # lower() may change the length, as of a dotted capital I
        letters = [source[i].lower()[0] for i in at]
        return "".join(letters), np.array(at, np.int64)
    reduced, offsets = filter_code(source, "answer.py", "python")
    steps = np.array(offsets, np.int64).reshape(-1, 2)
    index = np.arange(len(reduced))
    # characters removed before each; the library's count for a class is its own only
    removed = np.append(steps[:, 1], len(source) - len(reduced))
    before = np.maximum.accumulate(removed)[np.searchsorted(steps[:, 0], index)]
    return reduced, np.clip(index + before, 0, max(len(source) - 1, 0))


_FACTORS = np.random.default_rng(0).integers(1, 2**63, KGRAM).astype(np.uint64) * 2 + 1


def _kgrams(text: str) -> Integers:
    """The hash of each window of KGRAM characters; the same in every run."""
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    if len(letters) < KGRAM:
        return np.empty(0, np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(letters, KGRAM)
    sums = windows.astype(np.uint64) @ _FACTORS
    return (sums >> np.uint64(12)).astype(np.int64)  # winnow compares as doubles


def _selected(kgrams: Integers) -> tuple[Integers, Integers]:
    """The fingerprints, and where each stands."""
    if not len(kgrams):
        return kgrams, kgrams
    hashes, where = winnow(kgrams, WINDOW, remove_duplicates=False)
    return hashes, where


def _sides(answers: list[str], prose: bool, known: Integers) -> list[dict[str, Any]]:
    """Both answers by line, and whether a line has something that both share."""
    sources = [_plain(answer) for answer in answers]
    reduced = [_reduce(source, prose) for source in sources]
    found = [_selected(_kgrams(text)) for text, _ in reduced]
    both = np.intersect1d(found[0][0], found[1][0])
    both = np.setdiff1d(both, known)
    sides = []
    for source, (_, at), (hashes, where) in zip(sources, reduced, found, strict=True):
        lines = source.splitlines() or [""]
        ends = np.cumsum([len(line) for line in source.splitlines(keepends=True)])
        same = np.zeros(len(lines), bool)
        slices = get_copied_slices(where[np.isin(hashes, both)], KGRAM).astype(int)
        for start, end in slices.T:
            first, last = np.searchsorted(ends, at[[start, end - 1]], side="right")
            same[first : last + 1] = True
        sides.append({"lines": list(zip(lines, same.tolist(), strict=True))})
    return sides
