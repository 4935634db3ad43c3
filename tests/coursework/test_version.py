"""A version: a student's own values, own right answers, however they are read."""

import pickle
from dataclasses import replace
from typing import Any

import nbformat
import pytest

from layers_book.coursework.assignment import VERSIONS, Assignment
from layers_book.coursework.grade import job
from layers_book.coursework.grade.grading import grade, job_key
from layers_book.coursework.release import source_version
from layers_book.coursework.sandbox.bubblewrap import Sandbox

TEXT = """\
```{code-cell} python
:variant: true

VARIANT = {"n": 4, "more": [1]}
```

```{code-cell} python
:question: twice

### BEGIN SOLUTION
twice = 2 * VARIANT["n"]
### END SOLUTION
```
"""
FILE = """\
from layers_book.coursework import Mistake, Question, value_run

QUESTION = Question(
    name="twice",
    title="Twice",
    answer="twice",
    reference=lambda variant: REFERENCE,
    run=value_run(),
    parts={"the value": 1},
    mistakes=(Mistake("Twice, not once.", (("2 * ", ""),), name="once"),),
)
"""
REFERENCES = (
    'variant["n"] * 2',
    'variant.get("n") * 2',
    'dict(**variant)["n"] * 2',
    'dict(variant.items())["n"] * 2',
    "next(iter(variant.values())) * 2",
    '(variant | {})["n"] * 2',
    'variant.pop("n") * 2',
    'variant["more"].append(2) or variant["n"] * 2',
)


def asks(reference: str = REFERENCES[0]) -> Assignment:
    return Assignment("own", TEXT, {"twice": FILE.replace("REFERENCE", reference)})


def points(assignment: Assignment, values: Any, answer: Any) -> Any:
    version = assignment.version(values)
    records = version.questions["twice"].records(answer)
    return version.grader("twice").record(records)["points"]


@pytest.mark.parametrize("reference", REFERENCES)
def test_the_right_answer_is_that_to_the_students_own_values(reference: str) -> None:
    assignment = asks(reference)
    for n in (4, 5, 6, 4):
        values = {"n": n, "more": [1]}
        assert points(assignment, values, 2 * n) == 1.0
        assert points(assignment, values, 2 * n + 2) == 0.0
        assert assignment.version(values).values == {"n": n, "more": [1]}
    assert points(assignment, None, 8) == 1.0, "the master's values"


def test_so_a_submission_is_graded(sandbox: Sandbox) -> None:
    assignment = asks('variant.get("n") * 2')
    data = nbformat.writes(source_version(assignment)).encode()
    for n in (4, 5):
        version = assignment.version({"n": n, "more": [1]})
        record = grade(version, "ada", data, sandbox)
        assert record["points"] == 1.0, record


def test_a_wrong_answer_is_recognized_by_the_students_own_values() -> None:
    version = asks('variant.get("n") * 2').version({"n": 7, "more": []})
    records = version.questions["twice"].records(7)
    assert version.grader("twice").record(records)["mistake"] == "once"


def test_wrong_answers_that_name_no_variant_are_run_once_for_all() -> None:
    def recognized(assignment: Assignment) -> list[Any]:
        versions = [assignment.version({"n": n, "more": []}) for n in (4, 5)]
        return [version.grader("twice").wrong(0, 0) for version in versions]

    named = recognized(asks())
    assert named[0] != named[1]
    files = {"twice": asks().files["twice"].replace("2 * ", "8")}
    apart = replace(asks(), files=files, text=TEXT.replace('2 * VARIANT["n"]', "8"))
    shared = recognized(apart)
    assert shared[0] is shared[1]


def test_a_key_is_of_the_values() -> None:
    assignment = asks()
    values = [{"n": n, "more": []} for n in (4, 5, 4)]
    keys = [job_key(assignment.version(each), "ada", "0" * 64) for each in values]
    assert keys[0] == keys[2] != keys[1]
    assert assignment.version().keys["twice"] != assignment.check_key("twice")


def test_few_versions_are_kept() -> None:
    assignment = asks()
    first = assignment.version({"n": 0})
    assert assignment.version({"n": 0}) is first
    for n in range(1, VERSIONS):
        assignment.version({"n": n})
    assert assignment.version({"n": 0}) is first
    for n in range(1, VERSIONS + 1):
        assignment.version({"n": n})
    assert assignment.version({"n": 0}) is not first


def test_what_is_sent_elsewhere_is_text_and_is_loaded_once_there() -> None:
    assignment = asks()
    assert points(assignment, None, 8) == 1.0
    sent, again = (pickle.loads(pickle.dumps(assignment)) for _ in range(2))
    assert vars(sent).keys() == {"name", "text", "files", "variant", "master"}
    assert sent == assignment and hash(sent) == hash(assignment)
    assert job._first(sent) is job._first(again)
