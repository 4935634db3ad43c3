"""Questions as a package of IMS QTI 2.1, which Canvas and other platforms import."""

import io
import re
import zipfile
from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from layers_book.questions import Question, number_of

QTI = "http://www.imsglobal.org/xsd/imsqti_v2p1"
PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
RESPONSE, SCORE, FEEDBACK, WHY = "RESPONSE", "SCORE", "FEEDBACK", "WHY"


def package(name: str, questions: Iterable[Question]) -> bytes:
    """A zip of a manifest and an item for each question; the same input, same bytes."""
    items = {identifier(q): item(q) for q in questions}
    files = {"imsmanifest.xml": manifest(name, items)}
    files |= {f"{name}.xml": data for name, data in items.items()}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path)  # of no date
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return written.getvalue()


def identifier(question: Question) -> str:
    """A question's key as XML allows it for a name, and a file system for a file.

    A dash takes the place of what they do not allow.
    """
    return re.sub(r"\W", "-", question.key)


def manifest(name: str, items: Iterable[str]) -> bytes:
    """What the package holds.

    Args:
        name: of the package.
        items: the identifiers of its questions.
    """
    root = Element("manifest", xmlns=PACKAGE, identifier=f"pytorch-layers-{name}")
    metadata = SubElement(root, "metadata")
    SubElement(metadata, "schema").text = "QTIv2.1 Item Bank Package"
    SubElement(metadata, "schemaversion").text = "1.0.0"
    SubElement(root, "organizations")
    resources = SubElement(root, "resources")
    for each in items:
        href = f"{each}.xml"
        kind = "imsqti_item_xmlv2p1"
        made = SubElement(resources, "resource", identifier=each, type=kind, href=href)
        SubElement(made, "file", href=href)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True))


def item(question: Question) -> bytes:
    """A question that scores 1 or 0, and says what the answer means, then why."""
    number, options = question.number, dict(question.options)
    root = Element("assessmentItem", xmlns=QTI, identifier=identifier(question))
    root.attrib |= {"title": question.title, "adaptive": "false"}
    root.set("timeDependent", "false")
    if number is not None:
        options = {question.answer: "", **options}
    names = {option: f"answer-{at}" for at, option in enumerate(options, 1)}
    right = names[question.answer] if number is None else repr(number)
    kind = "identifier" if number is None else "float"
    correct = SubElement(_declare(root, "response", RESPONSE, kind), "correctResponse")
    SubElement(correct, "value").text = right
    score = SubElement(_declare(root, "outcome", SCORE, "float"), "defaultValue")
    SubElement(score, "value").text = "0"
    for outcome in (FEEDBACK, WHY):
        _declare(root, "outcome", outcome, "identifier")
    body = SubElement(root, "itemBody")
    _put(body, question.text)
    if number is None:
        asked = SubElement(body, "choiceInteraction", responseIdentifier=RESPONSE)
        asked.attrib |= {"shuffle": "true", "maxChoices": "1"}
        for option, name in names.items():
            _put(SubElement(asked, "simpleChoice", identifier=name), option)
    else:
        line = SubElement(body, "p")
        SubElement(line, "textEntryInteraction", responseIdentifier=RESPONSE)
    _process(SubElement(root, "responseProcessing"), question, names)
    for option, name in names.items():
        if sentence := options[option]:
            _put(_feedback(root, FEEDBACK, name), sentence)
    _put(_feedback(root, WHY, "why"), question.explanation)
    return bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True))


def _process(parent: Element, question: Question, names: dict[str, str]) -> None:
    """Score the answer, and choose the sentence about it."""
    condition = SubElement(parent, "responseCondition")
    for option, name in names.items():
        branch = "responseElseIf" if len(condition) else "responseIf"
        then = SubElement(condition, branch)
        if question.number is None:
            kind, value, test = "identifier", name, SubElement(then, "match")
        else:
            typical = number_of(option)
            kind, value, test = "float", repr(typical), SubElement(then, "equal")
            margin = question.margin(typical)
            test.set("toleranceMode", "absolute" if margin else "exact")
            if margin:
                test.set("tolerance", repr(margin))
        SubElement(test, "variable", identifier=RESPONSE)
        SubElement(test, "baseValue", baseType=kind).text = value
        if option == question.answer:
            _set(then, SCORE, "float", "1")
        _set(then, FEEDBACK, "identifier", name)
    _set(parent, WHY, "identifier", "why")


def _set(parent: Element, outcome: str, kind: str, value: str) -> None:
    made = SubElement(parent, "setOutcomeValue", identifier=outcome)
    SubElement(made, "baseValue", baseType=kind).text = value


def _declare(root: Element, what: str, name: str, kind: str) -> Element:
    made = SubElement(root, f"{what}Declaration", identifier=name)
    made.attrib |= {"cardinality": "single", "baseType": kind}
    return made


def _feedback(root: Element, outcome: str, name: str) -> Element:
    made = SubElement(root, "modalFeedback", outcomeIdentifier=outcome)
    made.attrib |= {"identifier": name, "showHide": "show"}
    return made


def _put(parent: Element, text: str) -> None:
    """Put a text of a question, which is XHTML, into an element."""
    found = ElementTree.fromstring(f"<div>{text}</div>")
    parent.text = found.text
    parent.extend(found)
