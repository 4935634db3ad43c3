"""Question banks: whole, valid, and with the answers of the page."""

import io
import zipfile
from collections import Counter
from functools import cache
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from typer.testing import CliRunner

from layers_book.coursework import bank
from layers_book.coursework.__main__ import app, main
from layers_book.coursework.bank import moodle, qti
from layers_book.questions import Question

SCHEMAS = Path(__file__).with_name("schemas")
SCHEMA = {
    name: xmlschema.XMLSchema(SCHEMAS / f"{name}.xsd")
    for name in ("moodle", "manifest", "qti")
}
CHAPTERS = ("basic", "normalization", "convolution", "recurrent", "attention")
IN = {"q": qti.QTI, "p": qti.PACKAGE}
HOW_MANY = Question(
    key="notebooks/basic/a/b#1 & <2>",
    page="notebooks/basic/ab",
    page_title="In / out & <b>",
    section="Sizes",
    anchor="sizes",
    title='Is 1 < 2 & 3 > "2"?',
    text="<p>Where is \\(a &lt; b\\)?</p><pre>x &lt; 1 &amp; y\n\nz</pre>",
    options={"1,000": "Not &lt;far&gt; &amp; <code>near</code>.", "0.5": "Half."},
    answer="2,000",
    tolerance=0.01,
    explanation="<p>So it is.</p>",
)


@pytest.fixture(scope="module")
def banks(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[str, bytes, bytes]]:
    """What the command says and writes, by chapter."""
    folder = tmp_path_factory.mktemp("banks")
    made = {}
    for chapter in CHAPTERS:
        words = ["bank", chapter, "--folder", str(folder)]
        said = CliRunner().invoke(app, words, catch_exceptions=False).output
        files = (folder / f"{chapter}-moodle.xml", folder / f"{chapter}-qti.zip")
        made[chapter] = (said, *(file.read_bytes() for file in files))
    return made


@cache
def of(chapter: str) -> list[Question]:
    return bank.chapter_questions(chapter)


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_bank_is_whole_and_valid(
    chapter: str, banks: dict[str, tuple[str, bytes, bytes]]
) -> None:
    said, quiz, package = banks[chapter]
    questions = of(chapter)
    exercises = ["/" in q.key.partition("#")[2] for q in questions]
    assert any(exercises) and not all(exercises)
    for page, count in Counter(q.page for q in questions).items():
        assert f"{page.removeprefix('notebooks/')}: {count}\n" in said
    assert f"\n{len(questions)} questions\n" in said

    SCHEMA["moodle"].validate(io.BytesIO(quiz))
    made = ElementTree.fromstring(quiz).findall("question")
    keys = [e.findtext("idnumber") for e in made if e.get("type") != "category"]
    assert keys == [q.key for q in questions]

    files = unpacked(package)
    manifest = files.pop("imsmanifest.xml")
    SCHEMA["manifest"].validate(io.BytesIO(manifest))
    named = ElementTree.fromstring(manifest).findall(".//p:file", IN)
    assert [e.get("href") for e in named] == list(files)
    assert len(files) == len(questions)
    for data in files.values():
        SCHEMA["qti"].validate(io.BytesIO(data))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_right_answer_and_no_other_scores(
    chapter: str, banks: dict[str, tuple[str, bytes, bytes]]
) -> None:
    _, quiz, package = banks[chapter]
    made = ElementTree.fromstring(quiz).findall("question")
    asked = {e.findtext("idnumber"): e for e in made}
    files = unpacked(package)
    for question in of(chapter):
        shown = question.answer if question.number is None else repr(question.number)
        answers = asked[question.key].findall("answer")
        assert [a.findtext("text") for a in answers if a.get("fraction") == "100"] == [
            shown
        ]
        item = ElementTree.fromstring(files[f"{qti.identifier(question)}.xml"])
        [right] = item.findall(".//q:setOutcomeValue[@identifier='SCORE']/..", IN)
        value = right.findtext(".//q:baseValue", "", IN)
        assert item.findtext(".//q:correctResponse/q:value", "", IN) == value
        if question.number is None:
            [choice] = item.findall(f".//q:simpleChoice[@identifier='{value}']", IN)
            given = ElementTree.fromstring(f"<p>{question.answer}</p>")
            assert "".join(choice.itertext()) == "".join(given.itertext())
        else:
            assert float(value) == question.number


def test_a_number_is_right_within_its_tolerance_and_a_typical_one_too() -> None:
    quiz = ElementTree.fromstring(moodle.quiz([HOW_MANY]))
    answers = quiz.findall("question[@type='numerical']/answer")
    assert [
        (a.findtext("text"), a.get("fraction"), a.findtext("tolerance"))
        for a in answers
    ] == [("2000.0", "100", "20.0"), ("1000.0", "0", "10.0"), ("0.5", "0", "0.005")]
    item = ElementTree.fromstring(qti.item(HOW_MANY))
    assert [e.attrib for e in item.findall(".//q:equal", IN)] == [
        {"toleranceMode": "absolute", "tolerance": margin}
        for margin in ("20.0", "10.0", "0.005")
    ]


def test_what_xml_means_otherwise_is_escaped() -> None:
    quiz = moodle.quiz([HOW_MANY])
    SCHEMA["moodle"].validate(io.BytesIO(quiz))
    category, asked = ElementTree.fromstring(quiz)
    assert str(category.findtext("category/text")).endswith("/In // out & <b>")
    assert asked.findtext("questiontext/text") == HOW_MANY.text
    assert asked.findtext("idnumber") == HOW_MANY.key
    data = qti.item(HOW_MANY)
    assert f'title="{escape(HOW_MANY.title)}"'.encode() in data
    SCHEMA["qti"].validate(io.BytesIO(data))
    item = ElementTree.fromstring(data)
    assert item.findtext(".//q:pre", "", IN) == "x < 1 & y\n\nz"
    feedback = item.find("q:modalFeedback", IN)
    assert feedback is not None
    assert "".join(feedback.itertext()) == "Not <far> & near."


def test_a_bank_again_has_the_same_bytes() -> None:
    assert qti.package("ab", [HOW_MANY]) == qti.package("ab", [HOW_MANY])


def test_an_unknown_chapter_is_told_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["coursework", "bank", "linear"])
    with pytest.raises(SystemExit):
        main()
    chapters = ", ".join(CHAPTERS)
    said = f"chapter='linear': allowed are {chapters}"
    assert capsys.readouterr().err == f"error: {said}\n"
    assert not list(tmp_path.iterdir())
