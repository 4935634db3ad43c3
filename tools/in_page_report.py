"""How the exercises run in a page: solutions, starters, mistakes, foreign answers.

``python tools/in_page_report.py [--only NAME ...] [--mistakes] [--foreign FILE ...]``
prints where a verdict is not that of the notebook, and a summary. Texts are checked
under node, in a copy of what runs in a page, as its worker checks them.
"""

import argparse
import ast
import base64
import json
import linecache
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools" / "site"))

import freeze  # noqa: E402
import torch  # noqa: E402
from in_page import pixels  # noqa: E402
from page_files import files, keep, kept  # noqa: E402
from tried import NODE  # noqa: E402

from layers_book.checking import Exercise, check_exercise, sketch  # noqa: E402
from layers_book.checking.exercise import NAMES  # noqa: E402
from layers_book.exercises import exercise, exercises, pages  # noqa: E402

KEPT = ROOT / "_build" / "exercises"


class Page:
    """A node process that checks texts as the page's worker does.

    Args:
        root: of the repository, or of a copy of what runs in a page.
        code: Python's files.
    """

    def __init__(self, root: Path = ROOT, code: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [NODE, root / "tests" / "in_page" / "checks.mjs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={"NODE_NO_WARNINGS": "1"},
        )
        self.booted: float = self._said({"files": code or files()})["milliseconds"]

    def check(self, name: str, text: str, given: dict[str, Any]) -> dict[str, Any]:
        """The verdict on a text: state, message, line, milliseconds, printed."""
        asks = "digits" in text + given["setup"]
        data = {"digits": base64.b64encode(pixels()).decode()} if asks else {}
        job = {"check": name, "exercise": given, "data": data, "text": text}
        said: dict[str, Any] = self._said(job)
        return said

    def _said(self, job: dict[str, Any]) -> Any:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(
                "Python in the page has ended; what it said stands above"
            )
        return json.loads(line)


def given(name: str, frozen: dict[str, Any]) -> dict[str, Any]:
    """What the page loads of an exercise."""
    return {
        "setup": exercise(name).setup,
        "modules": freeze.modules(name),
        "frozen": json.dumps(frozen, separators=(",", ":")),
    }


def asking(name: str, code: str) -> str:
    """A text that ends with its check, as a reader writes it."""
    last = _last(code)
    before = "" if last == code else f"{code}\n\n\n"
    return f"{before}check({name!r}, {last})\n"


def _last(code: str) -> str:
    node = ast.parse(code).body[-1]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0])
    return code


def starters() -> dict[str, str]:
    """The starter of each exercise, from the notebooks."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "notebooks").glob("*/*.ipynb")):
        for cell in json.loads(path.read_text("utf8"))["cells"]:
            text = "".join(cell["source"])
            match = re.search(r'check\("([\w/]+)"', text)
            if cell["cell_type"] == "code" and match:
                found.setdefault(match[1], text)
    return found


def texts(
    e: Exercise, mistakes: bool, starter: str, frozen: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """What is tried, each with a word for it."""
    yield "solution", asking(e.name, e.solution)
    yield "starter", starter
    for at, mistake in enumerate(e.mistakes if mistakes else ()):
        if frozen["whole"]:
            value = frozen["mistakes"][at][0][-1]
            if value[0] != "raised":
                answer = _written(sketch.unpacked(value[3]))
                yield f"mistake {at}", f"answer = {answer}\ncheck({e.name!r}, answer)\n"
        elif code := e.code(mistake):
            yield f"mistake {at}", asking(e.name, code)


def _written(value: Any) -> str:
    if isinstance(value, dict) and "tensor" in value:
        return f"torch.tensor({value['data']}).reshape({value['shape']})"
    if isinstance(value, dict) and "dict" in value:
        pairs = [f"{k!r}: {_written(v)}" for k, v in value["dict"]]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return f"float({str(value)!r})" if value != value else repr(value)


def copied(folder: Path) -> Path:
    """A copy of what runs in a page, so that work may go on meanwhile."""
    for name in ("tools/site/page_torch/engine", "tools/site/vendor/micropython"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "tests" / "in_page").mkdir(parents=True)
    checks = "tests/in_page/checks.mjs"
    shutil.copy(ROOT / checks, folder / checks)
    return folder


def reported(
    name: str,
    mistakes: bool,
    starter: str,
    frozen: dict[str, Any],
    root: Path,
    code: dict[str, str],
) -> list[dict[str, Any]]:
    """What the page says of each text, beside what the notebook says."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    e = exercise(name)
    found = []
    page = Page(root, code)
    loaded = given(name, frozen)
    for what, text in texts(e, mistakes, starter, frozen):
        here = page.check(name, text, loaded)
        if what == "solution":
            state, message = "right", ""
        elif what == "starter":
            state = _starts(e, starter)
            message = ""
        else:
            at = int(what.split()[1])
            state, message = "wrong", here["message"]
            if not frozen["whole"]:
                state, message = _notebook(e)[at]
            elif e.mistakes[at].hint not in message:  # a notebook would train anew
                message = e.mistakes[at].hint
        found.append(
            {
                "name": name,
                "what": what,
                "state": here["state"],
                "message": here["message"],
                "wanted": state,
                "said": message,
                "milliseconds": here["milliseconds"],
            }
        )
    page.process.kill()
    return found


def _notebook(e: Exercise) -> list[list[str]]:
    """The notebook's verdict on each known mistake, kept for the next report."""
    path = KEPT / "said" / f"{e.name}.json"
    digest = freeze._digest(freeze.page_of(e.name))
    old = kept(path)
    if old.get("digest") != digest:
        verdicts = [check_exercise(e, e.wrong_answer(m)) for m in e.mistakes]
        said = [["right" if v.passed else "wrong", v.message] for v in verdicts]
        old = {"digest": digest, "said": said}
        keep(path, old)
    found: list[list[str]] = old["said"]
    return found


def foreign(path: Path) -> Iterator[tuple[str, str]]:
    """The answers in a file that decorators or calls hand over: exercise and text."""
    code = path.read_text("utf8")
    tree, lines = ast.parse(code), code.splitlines()
    defined = {bound: node for node in tree.body for bound in freeze._bound(node)}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            texts = [_exercise(call) for call in node.decorator_list]
            for name in filter(None, texts):
                yield name, _standing(node.name, defined, lines, name, node.name)
        elif isinstance(node, ast.Expr) and (name := _exercise(node.value)):
            value = ast.unparse(_handed(node.value))
            yield name, _standing(value, defined, lines, name, value)


@cache
def names() -> set[str]:
    """The names of all exercises."""
    return {e.name for page in pages() for e in exercises(page)}


def _exercise(node: ast.expr) -> str:
    """The exercise that a call such as right("linear/by_hand") names, if it does."""
    inner = node.func if isinstance(node, ast.Call) else node
    for call in (inner, node):
        for given in call.args if isinstance(call, ast.Call) else ():
            if isinstance(given, ast.Constant) and given.value in names():
                return str(given.value)
    return ""


def _handed(node: ast.expr) -> ast.expr:
    """The answer that a call such as right("linear/count")(3) hands over."""
    assert isinstance(node, ast.Call)
    return node.args[0] if isinstance(node.func, ast.Call) else node.args[3]


def _standing(
    code: str, defined: dict[str, ast.stmt], lines: list[str], name: str, answer: str
) -> str:
    """A text with what an answer uses, and its check."""
    todo, kept = [code], dict[ast.stmt, None]()
    while todo:
        for used in ast.walk(ast.parse(todo.pop())):
            found = used.id if isinstance(used, ast.Name) else ""
            node = defined.get(found)
            if node and node not in kept and found not in HANDERS:
                kept[node] = None
                todo.append(_bare(node, lines))
    parts = [_bare(node, lines) for node in sorted(kept, key=lambda n: n.lineno)]
    return "\n".join([*parts, f"check({name!r}, {answer})\n"])


HANDERS = ("right", "wrong", "case", "add")


def _bare(node: ast.stmt, lines: list[str]) -> str:
    """A statement's text without the decorators that hand it over."""
    text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
    kept = [
        "@" + ast.unparse(d)
        for d in getattr(node, "decorator_list", [])
        if not _exercise(d)
    ]
    return "\n".join([*kept, text])


def handed(files_of: list[Path]) -> Iterator[dict[str, Any]]:
    """What the page says of foreign answers, beside what the notebook says."""
    warnings.simplefilter("ignore")
    page = Page()
    loaded: dict[str, Any] = {}
    for path in files_of:
        for name, text in foreign(path):
            if name not in loaded:
                loaded[name] = given(name, freeze.frozen([name], KEPT)[name])
            space = {"check": lambda _, answer: answer, "__name__": "answer"}
            before, _, last = text.rpartition("check(")
            try:
                space = {**NAMES, **space}
                linecache.cache[text] = (len(text), None, text.splitlines(True), text)
                exec(compile(before, text, "exec"), space)
                answer = eval("check(" + last, space)
                verdict = check_exercise(exercise(name), answer)
                state = "right" if verdict.passed else "wrong"
                state = state if verdict.answered else "unanswered"
                said = verdict.message
            except Exception as error:
                state, said = "error", f"{type(error).__name__}: {error}"
            here = page.check(name, text, loaded[name])
            if here.get("dead"):
                page = Page()
            yield {
                "name": name,
                "what": f"mistake of {path.stem}",
                "state": here["state"],
                "message": here["message"],
                "wanted": state,
                "said": said,
                "milliseconds": here["milliseconds"],
            }
    page.process.kill()


def _starts(e: Exercise, starter: str) -> str:
    """The notebook's state of a starter: a few give wrong code to mend."""
    verdict = check_exercise(e, e.define(starter.rpartition("check(")[0]))
    return "wrong" if verdict.answered else "unanswered"


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="names of exercises")
    parser.add_argument("--mistakes", action="store_true", help="try them, too")
    parser.add_argument("--foreign", nargs="*", type=Path, help="files of answers")
    parser.add_argument("--long", action="store_true", help="whole messages")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    names = [
        e.name
        for page in pages()
        for e in exercises(page)
        if not args.only or any(e.name.startswith(name) for name in args.only)
    ]
    if args.foreign:
        told = []
        for row in handed(args.foreign):
            told.append(row)
            _tell(row, args.long)
        _summary(told)
        return
    starting = starters()
    frozen = freeze.frozen(names, KEPT)
    rows: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(args.jobs) as pool,
    ):
        root, code = copied(Path(folder)), files()
        jobs = [
            pool.submit(reported, n, args.mistakes, starting[n], frozen[n], root, code)
            for n in names
        ]
        for job in jobs:
            for row in job.result():
                rows.append(row)
                _tell(row, args.long)
    _summary(rows)


def _tell(row: dict[str, Any], long: bool) -> None:
    same = row["state"] == row["wanted"]
    hint = row["what"].startswith("mistake") and row["message"] != row["said"]
    if same and not hint:
        return
    mark = "says otherwise" if same else f"{row['state']}, not {row['wanted']}"
    print(f"{row['name']} {row['what']}: {mark}")
    for words in (row["message"], row["said"]):
        text = words if long else words[:200].replace("\n", " / ")
        if text:
            print(f"    {text}")
    sys.stdout.flush()


def _summary(rows: list[dict[str, Any]]) -> None:
    for what in ("solution", "starter", "mistake"):
        mine = [row for row in rows if row["what"].startswith(what)]
        if not mine:
            continue
        right = sum(row["state"] == row["wanted"] for row in mine)
        alike = sum(row["message"] == row["said"] or what != "mistake" for row in mine)
        accepted = sum(row["state"] == "right" for row in mine)
        times = sorted(row["milliseconds"] for row in mine)
        print(
            f"{what}: {right} of {len(mine)} as in the notebook"
            + (
                f", {alike} in the same words, {accepted} accepted"
                * (what == "mistake")
            )
            + f"; {statistics.median(times):.0f} ms, 95 % within "
            f"{times[int(0.95 * (len(times) - 1))]:.0f} ms"
        )


if __name__ == "__main__":
    main()
