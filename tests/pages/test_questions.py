"""Question cells and folded cells: how authors write them, what notebooks get."""

import ast
import builtins
import re

import jupytext
import nbformat
import pytest

import conventions
import pages as tool

PAGES = tool.pages()
ROOT = tool.ROOT
QUESTION = {"remove-input", "question"}
BOLD = re.compile(r"\*\*[^*]+\?\*\*")
BUILT = {*dir(builtins)}
MOST = 5
HEAD = (ROOT / "tools" / "template" / "page.md").read_text("utf8").split("# TITLE")[0]


def is_question(cell):
    return "question" in cell.metadata.get("tags", [])


def wrong_questions(cells):
    """What breaks the rules of question cells, each with the cell."""
    asked = [i for i, cell in enumerate(cells) if is_question(cell)]
    if len(asked) > MOST:
        yield f"a page has at most {MOST} questions, not {len(asked)}"
    for i in asked:
        yield from (f"{why}\n{cells[i].source}" for why in wrong_question(cells, i))


def wrong_question(cells, i):
    if set(cells[i].metadata.tags) != QUESTION:
        yield "a question cell's tags are [remove-input, question]"
    before = cells[i - 1] if i else None
    if not before or before.cell_type != "code" or is_question(before):
        yield "a question cell follows the cell whose outputs are the answer"
    above = next((c for c in cells[: i - 1][::-1] if c.cell_type == "markdown"), None)
    section = re.split(r"^#.*$", above.source, flags=re.M)[-1] if above else ""
    if not BOLD.search(section):
        yield "in the text above the cell before stands a bold **question?**"
    after = cells[i + 1].source.lstrip() if i + 1 < len(cells) else "#"
    if cells[i + 1 : i + 2] and cells[i + 1].cell_type != "markdown":
        yield "right after a question cell stands a text, not another cell"
    elif after.startswith(("#", "<")):
        yield "right after a question cell stands a paragraph, a list or a table"
    elif re.match(r"\d+[.)]\s", after):
        yield "a text that begins with a number and a dot becomes a list"
    calls = [
        s.value for s in ast.parse(cells[i].source).body if isinstance(s, ast.Expr)
    ]
    call = calls[-1] if calls else None
    if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "guess"):
        yield "a question cell's last line is guess(answer, options)"
    elif not call.args:
        yield "guess's first argument is the answer"
    elif not {n.id for n in ast.walk(call.args[0]) if isinstance(n, ast.Name)} - BUILT:
        yield f"the answer is computed, never typed: {ast.unparse(call.args[0])}"


@pytest.mark.parametrize("page", PAGES)
def test_questions_keep_the_rules(page):
    found = list(wrong_questions(tool.read(page).cells))
    assert not found, f"{page}: {found[0]}"


@pytest.mark.parametrize("page", PAGES)
def test_a_fold_line_is_short_and_typed_once(page):
    for cell in jupytext.read(tool.halves(page)[0]).cells:
        assert tool.FOLD.strip() not in cell.source, (
            f"{page}: `make notebooks` writes that line, not you\n{cell.source}"
        )
        title = tool.fold_title(cell)
        assert len(title) <= conventions.PROMPT, (
            f"{page}: code_prompt_show has at most {conventions.PROMPT} characters, "
            f"not {len(title)}: {title}"
        )


ASKED = """
Why so? **How many?** Guess.

```{code-cell} python
total = 2 + 3
print(total)
```

```{code-cell} python
---
tags: [remove-input, question]
---
guess(total, {6: "That is 2 times 3."})
```

They are five.
"""


def cells(tmp_path, text):
    file = tmp_path / "page.md"
    file.write_text(f"{HEAD}# Page\n{text}")
    return jupytext.read(file).cells


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("", "", None),
        ("guess(total,", "guess(5,", "never typed: 5"),
        ("guess(total,", "guess('no',", "never typed: 'no'"),
        ("guess(total,", "guess(2 + 3,", "never typed: 2 + 3"),
        ("guess(total,", "guess(f'{5}',", "never typed"),
        ("guess(total,", "guess(int(5.0),", "never typed"),
        ("guess(total,", "guess(int(total),", None),
        ("guess(total, {6", "guess(answer=total, options={6", "first argument"),
        ("guess(total,", "print(total,", "last line is guess(answer, options)"),
        ("guess(total", "x = guess(total", "last line is guess(answer, options)"),
        ("**How many?**", "How many?", "bold **question?**"),
        ("**How many?**", "**How many.**", "bold **question?**"),
        ("Guess.", "Guess.\n\n## New\n\nAh.", "bold **question?**"),
        ("They are five.", "", "a paragraph, a list or a table"),
        ("They are five.", "## Sources", "a paragraph, a list or a table"),
        (
            "They are five.",
            "<div>\n\nFive.\n\n</div>",
            "a paragraph, a list or a table",
        ),
        ("They are five.", "5. They are.", "becomes a list"),
        ("They are five.", "```{code-cell} python\n5\n```", "not another cell"),
        ("[remove-input, question]", "[question]", "tags are"),
        ("```{code-cell} python\ntotal = 2 + 3\nprint(total)\n```", "", "follows"),
    ],
)
def test_a_wrong_question_is_named(tmp_path, old, new, why):
    found = list(wrong_questions(cells(tmp_path, ASKED.replace(old, new, 1))))
    if why is None:
        assert found == []
    else:
        assert any(why in one for one in found), found


def test_six_questions_are_too_many(tmp_path):
    assert list(wrong_questions(cells(tmp_path, MOST * ASKED))) == []
    found = list(wrong_questions(cells(tmp_path, (MOST + 1) * ASKED)))
    assert found == ["a page has at most 5 questions, not 6"]


def page(root, text):
    """A repository with one page."""
    (root / "src").symlink_to(ROOT / "src")
    for name in ("pyproject.toml", "requirements.lock"):
        (root / name).symlink_to(ROOT / name)
    (root / "book" / "a").mkdir(parents=True)
    (root / "book" / "a" / "one.md").write_text(f"{HEAD}# Page\n{text}")


def test_the_key_follows_what_the_page_computes(tmp_path):
    start = "\n```{code-cell} python\nfrom helpers import guess\n```\n"
    page(tmp_path, start + ASKED)
    text, stored = tool.halves("a/one", tmp_path)
    for sum_, answer in (("2 + 3", "5"), ("2 + 5", "7")):
        text.write_text(text.read_text().replace("2 + 3", sum_))
        tool.execute("a/one", tmp_path)
        (output,) = nbformat.read(stored, 4).cells[-2].outputs
        assert output.data["text/plain"].startswith(f"Answer: {answer}\n")
        assert f"<p>Answer: <b>{answer}</b></p>" in output.data["text/html"]
        assert tool.problems("a/one", tmp_path) == []


FOLDED = """
```{code-cell} python
---
tags: [hide-input]
mystnb:
  code_prompt_show: >-
    Checked: it is
    torch's
---
x = 1
```

```{code-cell} python
:tags: [hide-input]

y = 1
```

```{code-cell} python
z = 1
```
"""


def test_colab_and_jupyter_fold_what_the_book_folds(tmp_path):
    page(tmp_path, FOLDED + ASKED)
    found = tool.read("a/one", tmp_path)
    nbformat.validate(found)
    code = [c for c in found.cells if c.cell_type == "code"][1:]
    assert [c.source.splitlines()[0] for c in code] == [
        "#@title Checked: it is torch's",
        "#@title Show the code",
        "z = 1",
        "total = 2 + 3",
        "#@title What other guesses mean",
    ]
    for cell in code:
        folds = cell.source.startswith(tool.FOLD)
        assert cell.metadata.get("cellView") == ("form" if folds else None)
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert hidden == folds
