"""Every exercise on a page has a starter, hints and a solution that passes."""

import ast
import re
from pathlib import Path

import pytest
import torch

import pages as tool
from helpers import check
from layers_book.exercises import exercise

ROOT = Path(__file__).parents[2]

FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def exercises(page):
    """(name of the exercise, what check is given, solution) as the page has them."""
    cells = tool.read(page).cells
    for i, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        for call in ast.walk(ast.parse(cell.source)):
            if not (
                isinstance(call, ast.Call) and getattr(call.func, "id", "") == "check"
            ):
                continue
            text = ""
            for later in cells[i + 1 :]:
                if later.cell_type == "code":
                    break
                text += later.source + "\n"
            yield call.args[0].value, ast.unparse(call.args[1]), cell.source, text


@pytest.mark.parametrize("page", tool.pages())
def test_solutions_pass_and_starters_do_not(page, monkeypatch):
    monkeypatch.setenv("LAYERS_BOOK_DEVICE", "cpu")
    found = list(exercises(page))
    assert len(found) >= 2, f"{page}: {len(found)} exercises, at least two a page"
    imports = "\n".join(
        ast.unparse(node)
        for cell in tool.read(page).cells[1:]
        if cell.cell_type == "code"
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    for name, answer, starter, text in found:
        hint, solution = (text.find(f"<summary>{w}") for w in ("Hint", "Solution"))
        assert hint >= 0, f"{page}, {name}: no hint"
        assert solution >= 0, f"{page}, {name}: no solution"
        assert hint < solution, f"{page}, {name}: the hint comes before the solution"
        solutions = FENCE.findall(text[solution:].split("</details>")[0])
        known = exercise(name)
        shown = "\n".join(solutions).splitlines()
        shown = [line for line in shown if not line.startswith("check(")]
        assert known.solution.splitlines() == shown, (
            f"{page}, {name}: the solution of its module is not the page's"
        )
        assert known.answer in ("", answer), (
            f"{page}, {name}: the page checks {answer}, its module {known.answer}"
        )
        space: dict = {}
        exec(imports, space)
        exec(known.setup, space)
        exec("\n".join(solutions), space)
        verdict = check(name, eval(answer, space))
        assert verdict.passed, f"{page}, {name}: its solution fails: {verdict.message}"
        exec(starter.split("check(")[0], space)
        unanswered = check(name, eval(answer, space))
        assert "Not answered yet" in unanswered.message, (
            f"{page}, {name}: its starter is no answer yet: {unanswered.message}"
        )


def test_the_session_in_how_to_use_is_what_check_says():
    text = (ROOT / "book/how-to-use.md").read_text("utf8")
    tries = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    assert len(tries) == 3
    for code, said in tries:
        answer, call = code.rsplit("\n\n\n", 1)
        space: dict = {"torch": torch, "check": check}
        exec(answer, space)
        assert str(eval(call, space)) == said.strip()
