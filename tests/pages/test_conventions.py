"""Every page keeps the conventions; the template does, and each breach of it is seen.

`.venv/bin/python tools/conventions.py basic/linear` lists what a page lacks.
"""

import re
from pathlib import Path

import pytest

import conventions
import new_page
import pages as tool

TEMPLATE = Path(new_page.__file__).with_name("template")


@pytest.mark.parametrize("page", tool.pages())
def test_a_page_keeps_the_conventions(page):
    found = conventions.problems(*conventions.read(page))
    assert not found, f"book/{page}.md: {'; '.join(found)}"


@pytest.fixture(scope="module")
def template():
    """The text of the template's page, and its exercises."""
    text, module = (
        (TEMPLATE / name).read_text("utf8").replace("PAGE", "foo")
        for name in ("page.md", "exercises.py")
    )
    space = {"__name__": "foo"}
    exec(module, space)
    return text, {e.name: e for e in space["EXERCISES"]}


def test_the_template_keeps_the_conventions(template):
    text, known = template
    page = conventions.Page(text, "a/foo")
    assert [task.name for task in page.tasks] == list(known)
    assert conventions.problems(page, known) == []
    assert list(conventions.faults(page, known)) == []


def more(lines):
    return "\n".join(f"x{i} = {i}" for i in range(lines))


LESSON = "layer = nn.ReLU()\n"
FOLDED = "for axes in range(1, 5):\n"
HEADER = re.search(r"^> .*\n", (TEMPLATE / "page.md").read_text("utf8"), re.M)[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (HEADER, "", "under the title stands a block quote"),
        ("> **For**", "**For**", "block quote (>) with **For**"),
        ("**Afterwards**", "Then", "block quote (>) with **Afterwards**"),
        ("**Time** 5 minutes", "Five minutes", "block quote (>) with **Time**"),
        ("5 minutes", "some minutes", "a number of minutes"),
        ("5 minutes", "25 minutes", "says 25 minutes, the text takes"),
        (LESSON, LESSON + more(12) + "\n", "a cell has 14 lines, at most 12"),
        (FOLDED, more(25) + "\n" + FOLDED, "a cell has 31 lines, at most 30"),
        ('check("foo/leaky"', more(18) + '\ncheck("foo/leaky"', "21 lines, at most 20"),
        (
            "## In PyTorch\n",
            f"```{{code-cell}} python\n{more(12)}\n```\n\n" * 8 + "## In PyTorch\n",
            "lines of code are not folded, at most 120 a page",
        ),
        ("Checked: ", "Checked, " + "and again " * 4, "characters: Checked, and"),
        (
            "About half: the numbers are normal, and the layer changes those below 0."
            "\n\nThe two agree in any shape, and so do their gradients.\n\n",
            "",
            "comes right after a question",
        ),
        ("About half: ", "### About half\n\n", "comes right after a question"),
        ("Common misconceptions", "What is often got wrong", "the heading is Common"),
        ("## In practice", "## Practice", "one section ## In practice"),
        ("admonition tip", "admonition note", "In practice is one box"),
        ("Make the mistake", "A widespread tutorial says so", "without a widespread"),
        ("Make the mistake", "Folklore has it", "without folklore"),
        ("Make the mistake", "A claim goes around", "without goes around"),
        (
            "Make the mistake",
            "[A](errata.md) [B](errata.md#b)",
            "2 links to the errata",
        ),
        ("### Exercise 4: ", "### Exercise: ", "foo/derivative: its heading"),
        ("*Measure, level 3.*", "Level 3.", "foo/shift: under its heading stands"),
        ("*Write, level 1.*", "*Write, level 3.*", "levels never fall"),
        ("*Repair, level 2.*", "*Write, level 2.*", "no exercise of the kind Repair"),
        (
            "*Predict, level 1.*|*Measure, level 3.*",
            "*Write, level 3.*",
            "no exercise of the kind Predict or Measure",
        ),
        ("Both bounds belong to the allowed numbers.", "", "foo/capped: its solution"),
        ("may not be called", "are not here", "say that relu, hardtanh may not"),
        ("`F.relu6` and `F.hardtanh`", "relu6 and hardtanh", "in backticks"),
        (
            "torch's activations, such as `F.relu6` and `F.hardtanh`",
            "`F.relu6`",
            "foo/capped: hardtanh may not be called either",
        ),
        ("1000, generator", "999, generator", "foo/shift: positive in its set-up"),
        (
            "def by_hand(x):",
            "def capped(x, top):\n    return x.clamp(0, top)\n\n\ndef by_hand(x):",
            "foo/capped: capped, which the page prints, is a right answer",
        ),
        (
            LESSON,
            LESSON + "slope = lambda z: (z > 0).to(z.dtype)\n",
            "foo/derivative: slope, which the page prints, is a right answer",
        ),
    ],
)
def test_a_breach_is_seen(template, old, new, said):
    text, known = template
    for part in old.split("|"):
        assert part in text
        text = text.replace(part, new)
    found = conventions.problems(conventions.Page(text, "a/foo"), known)
    assert any(said in problem for problem in found), found


DRIVEN = """# Embedding

Pick row [4](#lookup-table~1~indices:4),
see its [gradient](#lookup-table~1~view:gradient)
and the [product](#lookup-table~1~indices:4~view:one-hot).

```{code-cell} python
figures.LookupTable(layer=table, padding_idx=5)
```

Three layers see [13](#receptive-field~1~dims:1) cells,
[one](#receptive-field~1~layers:(Conv,3,1,1,1)) sees 3,
[the next](#receptive-field~1~at:11) others.

```{code-cell} python
figures.ReceptiveField((2, 2, 2))
```
"""


def test_words_drive_each_figure():
    page = conventions.Page(DRIVEN, "a/foo")
    assert list(conventions.shown(page)) == ["lookup-table", "receptive-field"]
    assert list(conventions.driven(page)) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("~view:gradient", "~indices:4", "lookup-table: 2 links"),
        ("~layers:(Conv,3,1,1,1)", "~dims:1", "receptive-field: 2 links"),
        ("(#lookup-table~1~view:gradient)", "(#touch-it)", "lookup-table: 2 links"),
        ("~view:gradient", "~view:gradual", "view is gradual: allowed are lookup"),
        ("~view:gradient", "~look:gradient", "'look:gradient' in a link"),
        ("~view:gradient", "~at:4", "at is 4: allowed are 0 to 3"),
        ("#lookup-table~1~view", "#lookup-table~2~view", "version '2'"),
        ("#lookup-table~1~view", "#lookup-table-2~1~view", "the page's figures are"),
        ("#lookup-table~1~view", "#shape-pipe~1~view", "the page's figures are"),
        ("figures.ReceptiveField((2, 2, 2))", "", "figures are lookup-table"),
        (
            "figures.ReceptiveField((2, 2, 2))",
            "figures.LookupTable()",
            "lookup-table-2: 0 links",
        ),
    ],
)
def test_a_figure_that_no_words_drive_is_seen(old, new, said):
    assert old in DRIVEN
    page = conventions.Page(DRIVEN.replace(old, new, 1), "a/foo")
    found = list(conventions.driven(page))
    assert any(said in problem for problem in found), found


def test_a_page_of_undriven_figures_breaks_the_conventions(template):
    text, known = template
    text = text.replace("positive(0, 0.0)", "figures.LookupTable()")
    found = conventions.problems(conventions.Page(text, "a/foo"), known)
    assert any("lookup-table: 0 links" in problem for problem in found), found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "min=0) + slope * x\n",
            "min=0) + x * slope * x\n",
            "the code to repair makes",
        ),
        ("    return x.clamp(min=0) + slope * x\n", "    ...\n", "the code to repair"),
        (
            '    ...  # your code here\n\n\ncheck("foo/capped"',
            '    return x\n\n\ncheck("foo/capped"',
            "its starter is no answer yet",
        ),
        ("min=0, max=top", "max=top, min=0", "of its module is not the page's"),
        ("<details><summary>Hint", "<details><summary>Help", "a hint, then a solution"),
    ],
)
def test_a_wrong_exercise_is_seen(template, old, new, said):
    text, known = template
    assert old in text
    page = conventions.Page(text.replace(old, new), "a/foo")
    found = list(conventions.faults(page, known))
    assert any(said in fault for fault in found), found


def test_an_index_page_needs_three_exercises_of_any_kind(template):
    text, known = template
    short = text[: text.index("### Exercise 4")] + text[text.index("## Sources") :]
    short = short.replace("*Repair, level 2.*", "*Write, level 2.*")
    short = short.replace("## In practice", "## Practice")
    assert conventions.problems(conventions.Page(short, "a/index"), known) == []
    shorter = text[: text.index("### Exercise 3")] + text[text.index("## Sources") :]
    found = conventions.problems(conventions.Page(shorter, "a/index"), known)
    assert found == ["2 exercises, at least 3"]


def test_code_to_repair_may_stand_in_the_prompt(template):
    text, known = template
    broken = "def leaky(x, slope):\n    return x.clamp(min=0) + slope * x\n"
    starter = "def leaky(x, slope):\n    ...  # your code here\n"
    text = text.replace(broken, starter)
    text = text.replace("repair it.", f"repair it.\n\n```python\n{broken}```")
    page = conventions.Page(text, "a/foo")
    assert list(conventions.faults(page, known)) == []
