"""Questions in Moodle's own XML format: Question bank > Import > Moodle XML format."""

from collections.abc import Iterable
from itertools import groupby
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from layers_book.questions import Question, number_of


def quiz(questions: Iterable[Question]) -> bytes:
    """A file for the import, with a category for each page."""
    root = Element("quiz")
    chapter = ""
    for _, page in groupby(questions, lambda question: question.page):
        own = list(page)
        title = own[0].page_title.replace("/", "//")
        chapter = chapter or title  # a chapter begins with its own page
        category = SubElement(root, "question", type="category")
        path = f"$course$/top/PyTorch Layers/{chapter}/{title}"
        _text(category, "category", path)
        for question in own:
            _add(root, question)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True))


def _add(root: Element, question: Question) -> None:
    number = question.number
    kind = "multichoice" if number is None else "numerical"
    made = SubElement(root, "question", type=kind)
    _text(made, "name", question.title)
    _text(made, "questiontext", question.text, format="html")
    _text(made, "generalfeedback", question.explanation, format="html")
    SubElement(made, "defaultgrade").text = "1"
    SubElement(made, "idnumber").text = question.key
    if number is None:
        SubElement(made, "single").text = "true"
        SubElement(made, "shuffleanswers").text = "true"
        SubElement(made, "answernumbering").text = "none"
        for option, sentence in question.options.items():
            answer = _answer(made, option, option == question.answer, sentence)
            answer.set("format", "html")
        return
    for option, sentence in {question.answer: "", **question.options}.items():
        value = number_of(option)
        answer = _answer(made, repr(value), option == question.answer, sentence)
        SubElement(answer, "tolerance").text = repr(question.margin(value))


def _answer(question: Element, text: str, right: bool, sentence: str) -> Element:
    made = SubElement(question, "answer", fraction="100" if right else "0")
    SubElement(made, "text").text = text
    _text(made, "feedback", sentence, format="html")
    return made


def _text(parent: Element, name: str, text: str, **attributes: str) -> None:
    SubElement(SubElement(parent, name, attributes), "text").text = text
