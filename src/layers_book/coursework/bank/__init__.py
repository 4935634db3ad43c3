"""Question banks: a chapter's questions of one value, for a learning platform."""

from collections import Counter
from pathlib import Path

from layers_book.coursework.bank.moodle import quiz
from layers_book.coursework.bank.qti import package
from layers_book.coursework.files import write
from layers_book.questions import ROOT, Question, pages, questions


def chapter_questions(chapter: str, root: Path = ROOT) -> list[Question]:
    """The questions of a chapter, in the book's order.

    Raises:
        ValueError: there is no such chapter; those there are.
    """
    known = list(dict.fromkeys(page.split("/")[1] for page in pages(root)))
    if chapter not in known:
        raise ValueError(f"chapter={chapter!r}: allowed are {', '.join(known)}")
    own = [page for page in pages(root) if page.split("/")[1] == chapter]
    return [question for page in own for question in questions(page, root)]


def write_bank(chapter: str, folder: Path) -> tuple[list[Path], Counter[str]]:
    """Write a chapter's bank in both formats.

    Returns:
        The files, and how many questions each page has.

    Raises:
        ValueError: there is no such chapter; those there are.
    """
    found = chapter_questions(chapter)
    files = {
        folder / f"{chapter}-moodle.xml": quiz(found),
        folder / f"{chapter}-qti.zip": package(chapter, found),
    }
    for path, data in files.items():
        write(path, data)
    return list(files), Counter(question.page for question in found)
