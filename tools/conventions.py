"""The conventions of a page, and what a page lacks of them.

`.venv/bin/python tools/conventions.py basic/linear` while you write it.
"""

import ast
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jupytext
import torch

import pages
from layers_book.checking import Exercise, Verdict, check_exercise
from layers_book.exercises import exercises
from layers_book.figures import FIGURES, Figure
from layers_book.figures.link import anchor, linked

FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
VISIBLE, LESSON, STARTER, FOLD, PROMPT = 120, 12, 20, 30, 80
WORDS_A_MINUTE, LINES_A_MINUTE, MINUTES_OFF = 200, 8, 10
KIND = re.compile(r"\*(Write|Predict|Repair|Measure), level ([123])\.\*")
VOICE = re.compile(r"(?i)a widespread tutorial|popular lesson|folklore|goes around")
ALLOWED = re.compile(r"(?i)may not be (?:called|built|used)")
FENCE = re.compile(r"```.*?```", re.DOTALL)
SNIPPET = re.compile(r"```python\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((#[a-z0-9-]+~(?:[^()\s]|\([^()\s]*\))*)\)")
PLACES = 3  # of the text, that drive a figure
OWN_WORDS = ("value_steps", "measure_steps")  # of runs whose answer is no function


@dataclass
class Task:
    """An exercise as the page has it: a prompt, a starter, and what follows."""

    name: str
    heading: str
    prompt: str
    starter: str
    after: str

    @property
    def kind(self) -> tuple[str, int]:
        """Such as ``("Write", 1)``; ``("", 0)`` where the page does not say."""
        found = KIND.fullmatch(self.prompt.strip().split("\n")[0].strip())
        return (found[1], int(found[2])) if found else ("", 0)

    @property
    def solution(self) -> str:
        """What unfolds under the word Solution."""
        return self.after.partition("<summary>Solution")[2].split("</details>")[0]


class Page:
    """The text of a page in its parts."""

    def __init__(self, text: str, name: str) -> None:
        self.name, self.text = name, text
        self.cells = jupytext.reads(text, "md:myst").cells
        self.code = [c for c in self.cells if c.cell_type == "code"]
        at = re.search(r"^## .*Exercise", text, re.MULTILINE)
        self.lesson = text[: at.start()] if at else text
        self.prose = "\n".join(
            FENCE.sub("", c.source) for c in self.cells if c.cell_type == "markdown"
        )

    @property
    def tasks(self) -> list[Task]:
        """The exercises, in order."""
        found: list[Task] = []
        text = ""
        for cell in self.cells:
            named = re.search(r"""check\(\s*["'](\S+?)["']""", cell.source)
            if cell.cell_type != "code":
                text += f"\n{cell.source}\n"
            elif named:
                before, _, last = text.rpartition("\n### ")
                heading, _, prompt = last.partition("\n")
                if found:
                    found[-1].after = before
                found.append(Task(named[1], heading, prompt, cell.source, ""))
                text = ""
        if found:
            found[-1].after = text
        return found


def folded(cell: Any) -> bool:
    """Whether the page does not show a cell's code until somebody asks."""
    return bool(FOLDED & set(cell.metadata.get("tags", [])))


def long(source: str) -> int:
    """The lines of code that are not blank."""
    return sum(bool(line.strip()) for line in source.splitlines())


def minutes(page: Page) -> float:
    """How long a page takes to read, without its exercises."""
    lesson = Page(page.lesson, page.name)
    lines = sum(long(c.source) for c in lesson.code if not folded(c))
    return len(lesson.prose.split()) / WORDS_A_MINUTE + lines / LINES_A_MINUTE


def header(page: Page) -> Iterator[str]:
    """What the block under the title lacks."""
    body = page.text.partition("\n# ")[2].partition("\n")[2].strip()
    block = body.split("\n\n")[0]
    for word in ("**For**", "**Afterwards**", "**Time**"):
        if not block.startswith(">") or word not in block:
            yield f"under the title stands a block quote (>) with {word}"
    if said := re.search(r"\*\*Time\*\*:? (\d+) minutes", block):
        read = minutes(page)
        if abs(read - int(said[1])) > MINUTES_OFF:
            yield f"the header says {said[1]} minutes, the text takes {read:.0f}"
    elif "**Time**" in block:
        yield "the header says **Time** and a number of minutes"


def lengths(page: Page) -> Iterator[str]:
    """Cells and pages that are too long."""
    visible = 0
    for cell in page.code:
        lines, first = long(cell.source), cell.source.strip().split("\n")[0]
        most = STARTER if "check(" in cell.source else LESSON
        if folded(cell):
            most = FOLD
        else:
            visible += lines
        if lines > most:
            yield f"a cell has {lines} lines, at most {most}: {first}"
        shown = cell.metadata.get("mystnb", {}).get("code_prompt_show", "")
        if len(shown) > PROMPT:
            yield f"a folded cell's line has {len(shown)} characters: {shown}"
    if visible > VISIBLE:
        yield f"{visible} lines of code are not folded, at most {VISIBLE} a page"


def questions(page: Page) -> Iterator[str]:
    """Questions with a heading, a box or a cell where their explanation is due."""
    for cell, after in zip(page.cells, [*page.cells[1:], None], strict=True):
        if "question" in cell.metadata.get("tags", []) and (
            after is None
            or after.cell_type == "code"
            or after.source.lstrip().startswith(("#", "<"))
        ):
            first = cell.source.strip().split("\n")[0]
            yield f"a paragraph, list or table comes right after a question: {first}"


def sections(page: Page) -> Iterator[str]:
    """Sections that are missing or have an old name, and words of another voice."""
    if "often got wrong" in page.text:
        yield "the heading is Common misconceptions, not What is often got wrong"
    if not page.name.endswith("/index"):
        found = re.findall(
            r"^## In practice\n(.*?)(?=^## )", page.lesson + "\n## ", re.M | re.S
        )
        if len(found) != 1:
            yield "one section ## In practice comes before the exercises"
        elif found[0].count('<div class="admonition tip">') != 1:
            yield 'In practice is one box, <div class="admonition tip">'
    if said := sorted({m.lower() for m in VOICE.findall(page.prose)}):
        yield f"without {', '.join(said)}"
    if (links := len(re.findall(r"\]\([^)]*errata", page.text))) > 1:
        yield f"{links} links to the errata, at most one a page"


def kinds(page: Page) -> Iterator[str]:
    """What is wrong with the exercises' number, kinds and levels."""
    index = page.name.endswith("/index")
    tasks, least = page.tasks, 3 if index else 5
    if len(tasks) < least:
        yield f"{len(tasks)} exercises, at least {least}"
    for number, task in enumerate(tasks, 1):
        if not task.heading.startswith(f"Exercise {number}: "):
            yield f"{task.name}: its heading is ### Exercise {number}: and a title"
        if not task.kind[0]:
            yield (
                f"{task.name}: under its heading stands a line such as *Write, level "
                "1.*; kinds are Write, Predict, Repair and Measure, levels 1 to 3"
            )
    levels = [task.kind[1] for task in tasks]
    if levels != sorted(levels):
        yield f"levels never fall down the page, these are {levels}"
    names = {task.kind[0] for task in tasks}
    if not index and "Repair" not in names:
        yield "no exercise of the kind Repair"
    if not index and not names & {"Predict", "Measure"}:
        yield "no exercise of the kind Predict or Measure"
    for task in tasks:
        prose = FENCE.sub("", task.solution)
        if not re.search(r"(?:\S+\s+){3,}\S*[.!?)](?:\s|$)", prose):
            yield f"{task.name}: its solution has a sentence outside the code"


def plain(text: str) -> str:
    """Letters and digits alone, so that batch_norm is in nn.BatchNorm1d."""
    return re.sub(r"[^a-z0-9`]", "", text.lower())


def forbidden(page: Page, known: dict[str, Exercise]) -> Iterator[str]:
    """Prompts that do not say what may not be called."""
    for task in page.tasks:
        parts = known[task.name].forbid if task.name in known else ()
        prompt = FENCE.sub("", task.prompt)
        said = [s for s in re.split(r"(?<=[.!?])\s+", prompt) if ALLOWED.search(s)]
        if not parts:
            continue
        if not said:
            yield f"{task.name}: say that {', '.join(parts)} may not be called"
            continue
        quoted = plain("".join(re.findall(r"`[^`]+`", " ".join(said))))
        if not any(plain(part) in quoted for part in parts):
            yield f"{task.name}: name a function that may not be called, in backticks"
        missing = [part for part in parts if plain(part) not in plain(prompt)]
        if missing and not any("torch's" in s.lower() for s in said):
            yield (
                f"{task.name}: {', '.join(missing)} may not be called either: name it, "
                "or say it of torch's functions of a kind (torch's convolutions, such "
                "as `F.conv1d`, may not be called)"
            )


def literal(node: ast.expr) -> Any:
    """The value of an expression without names; None of one that has some."""
    with suppress(ValueError):
        return ast.literal_eval(node)
    return None


def shown(page: Page) -> dict[str, Figure]:
    """The page's figures by their anchors, without what only its cells know."""
    kinds = {f"figures.{kind.__name__}": kind for kind in FIGURES.values()}
    found: dict[str, Figure] = {}
    for cell in page.code:
        for node in ast.parse(cell.source).body[-1:]:
            call = node.value if isinstance(node, ast.Expr) else None
            if isinstance(call, ast.Call) and ast.unparse(call.func) in kinds:
                kind = kinds[ast.unparse(call.func)]
                figure = kind(
                    *map(literal, call.args),
                    **{str(word.arg): literal(word.value) for word in call.keywords},
                )
                number = 1 + sum(type(other) is kind for other in found.values())
                found[anchor(kind, number)] = figure
    return found


def driven(page: Page) -> Iterator[str]:
    """Figures that too few words of the text drive, and links that drive none."""
    figures = shown(page)
    states: dict[str, list[dict[str, Any]]] = {name: [] for name in figures}
    for link in LINK.findall(page.prose):
        name = link[1:].partition("~")[0]
        if name not in figures:
            yield f"{link}: the page's figures are {', '.join(figures) or 'none'}"
            continue
        try:
            state = linked(link, figures[name].state).values
        except ValueError as error:
            yield f"{link}: {error}"
            continue
        if state not in states[name]:
            states[name].append(state)
    for name, different in states.items():
        if len(different) < PLACES:
            yield (
                f"{name}: {len(different)} links of the text set states that differ, "
                f"at least {PLACES}, such as [stride 3](#sliding-window~1~stride:3)"
            )


def definitions(page: Page) -> tuple[dict[str, str], dict[str, Any]]:
    """Functions and classes that the page prints: their text, and what works alone.

    Nothing of the page is run but imports, definitions, and assignments that call
    nothing; a definition that needs more is there, but fails when it is called.
    """
    space: dict[str, Any] = {"device": torch.device("cpu"), "__name__": "page"}
    texts: dict[str, str] = {}
    for cell in page.code:
        if "check(" in cell.source:
            continue
        nodes = ast.parse(cell.source).body
        for node in nodes:
            made = ""
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                made = node.name
            elif isinstance(node, ast.Assign):
                calls = any(isinstance(n, ast.Call) for n in ast.walk(node.value))
                if isinstance(node.value, ast.Lambda):
                    made = ast.unparse(node.targets[0])
                elif calls:
                    continue
            elif not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            if made:
                texts[made] = ast.unparse(node)
            with suppress(Exception):
                exec(compile(ast.Module([node], []), "<page>", "exec"), space)
    return texts, {name: space[name] for name in texts if name in space}


def given_away(page: Page, known: dict[str, Exercise]) -> Iterator[str]:
    """Functions and classes on the page that solve an exercise of it."""
    _, printed = definitions(page)
    for e in known.values():
        if any(run.steps.__name__ in OWN_WORDS for run in e.runs):
            continue
        bare = replace(e, mistakes=())
        for name, answer in printed.items():
            with warnings.catch_warnings(action="ignore"):
                passed = check_exercise(bare, answer).passed
            if passed:
                yield f"{e.name}: {name}, which the page prints, is a right answer"


def copied(page: Page, known: dict[str, Exercise]) -> Iterator[str]:
    """Functions of the page that an exercise's set-up has in another form."""
    printed, _ = definitions(page)
    for e in known.values():
        for node in ast.parse(e.setup).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                there = printed.get(node.name, "")
                if there and there != ast.unparse(node):
                    yield f"{e.name}: {node.name} in its set-up is not the page's"


def imported(page: Page) -> str:
    """The imports of a page's cells."""
    return "\n".join(
        ast.unparse(node)
        for cell in page.code
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    )


def answered(task: Task) -> str:
    """What a page gives to check, as text."""
    return next(
        ast.unparse(call.args[1])
        for call in ast.walk(ast.parse(task.starter))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "check"
    )


def of_starter(task: Task, e: Exercise, space: dict[str, Any]) -> Verdict:
    """The verdict on a starter; where code to repair is in the prompt, on that."""
    exec(task.starter.split("check(")[0], space)
    verdict = check_exercise(e, eval(answered(task), space))
    broken = SNIPPET.findall(task.prompt)
    if task.kind[0] == "Repair" and broken and not verdict.answered:
        exec("\n".join(broken), space)
        verdict = check_exercise(e, eval(answered(task), space))
    return verdict


def fault_of_starter(task: Task, e: Exercise, space: dict[str, Any]) -> str:
    """What is wrong with an exercise's starter; nothing if it is as it should be."""
    verdict = of_starter(task, e, space)
    if task.kind[0] != "Repair":
        open_ = "Not answered yet" in verdict.message
        return "" if open_ else f"its starter is no answer yet: {verdict.message}"
    hints = [m.hint for m in e.mistakes if m.hint in verdict.message]
    if len(hints) == 1 and "Something else differs" not in verdict.message:
        return ""
    return f"the code to repair makes one of its mistakes: {verdict.message}"


def faults(page: Page, known: dict[str, Exercise]) -> Iterator[str]:
    """What is wrong with a page's exercises.

    Args:
        page: its text, as `conventions` reads it.
        known: the exercises of its module by name.
    """
    imports = imported(page)
    if len(page.tasks) < 2:
        yield f"{len(page.tasks)} exercises, at least two a page"
    for task in page.tasks:
        hint, solution = (task.after.find(f"<summary>{w}") for w in ("Hint", "Sol"))
        if not 0 <= hint < solution:
            yield f"{task.name}: a hint, then a solution"
        if task.name not in known:
            yield f"{task.name}: its module has no such exercise"
            continue
        e = known[task.name]
        shown = "\n".join(SNIPPET.findall(task.solution))
        lines = [s for s in shown.splitlines() if not s.startswith("check(")]
        if e.solution.splitlines() != lines:
            yield f"{e.name}: the solution of its module is not the page's"
        answer = answered(task)
        if e.answer not in ("", answer):
            yield f"{e.name}: the page checks {answer}, its module {e.answer}"
        space: dict[str, Any] = {}
        exec(imports, space)
        exec(e.setup, space)
        exec(shown, space)
        verdict = check_exercise(e, eval(answer, space))
        if not verdict.passed:
            yield f"{e.name}: its solution fails: {verdict.message}"
        if fault := fault_of_starter(task, e, space):
            yield f"{e.name}: {fault}"


def problems(page: Page, known: dict[str, Exercise]) -> list[str]:
    """What a page lacks of the conventions.

    Args:
        page: its text.
        known: its exercises by name.
    """
    found = [*header(page), *lengths(page), *questions(page), *sections(page)]
    found += kinds(page)
    found += [*driven(page), *forbidden(page, known), *copied(page, known)]
    return found or list(given_away(page, known))  # which takes seconds


def read(name: str, root: Path = pages.ROOT) -> tuple[Page, dict[str, Exercise]]:
    """A page of the book, and its exercises."""
    text = pages.halves(name, root)[0].read_text("utf8")
    return Page(text, name), {e.name: e for e in exercises(name)}


if __name__ == "__main__":
    for each in sys.argv[1:] or pages.pages():
        if wrong := pages.unknown(each):
            sys.exit(wrong)
        for problem in problems(*read(each)):
            print(f"{each}: {problem}")
