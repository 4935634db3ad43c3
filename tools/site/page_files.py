"""The Python files that MicroPython imports in a page, and what a build keeps."""

import ast
import hashlib
import io
import itertools
import json
import os
import re
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SITE = Path(__file__).parent
SRC = SITE.parents[1] / "src"
OWN = SITE / "page_torch" / "python"
# of the notebook's own checker, the same bytes
SHARED = tuple(
    f"layers_book/checking/{name}.py"
    for name in ("sketch", "steps", "values", "ways", "judging/*")
)


def keep(path: Path, value: Any) -> None:
    """Write a JSON, which another build may read meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(value), "utf8")
    partial.replace(path)


def kept(path: Path) -> dict[str, Any]:
    """What `keep` has written, if it has."""
    found: dict[str, Any] = json.loads(path.read_text("utf8")) if path.exists() else {}
    return found


def digest(parts: Iterable[str]) -> str:
    """A name for texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def files() -> dict[str, str]:
    """Each file's name, as an import finds it, and its code."""
    found = {path: path.relative_to(OWN) for path in OWN.rglob("*.py")}
    found |= {path: path.relative_to(SRC) for name in SHARED for path in SRC.glob(name)}
    return {
        name.as_posix(): stripped(path.read_text("utf8"))
        for path, name in sorted(found.items(), key=lambda pair: pair[1].as_posix())
    }


def stripped(code: str) -> str:
    """Code without comments, docstrings, annotations and empty lines.

    >>> stripped('def f(x: int):  # why\\n    "What."\\n\\n    return x')
    'def f(x):\\n return x\\n'
    """
    code = _plain(code)
    lines = code.splitlines()
    kept = {  # the lines within a text are part of it
        line
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno
        for line in range(node.lineno, node.end_lineno)
    }
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    for node in ast.walk(ast.parse(code)):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or not body or not _is_text(body[0]):
            continue
        first = body[0]
        pad = " " * first.col_offset
        for row in range(first.lineno - 1, first.end_lineno):
            lines[row] = ""
            kept.discard(row + 1)
        if len(body) == 1 and not isinstance(node, ast.Module):
            lines[first.lineno - 1] = f"{pad}pass"
    text = [
        line if row - 1 in kept else re.sub("^ +", _shorter, line)
        for row, line in enumerate(lines, 1)
        if line.strip() or row in kept or row - 1 in kept
    ]
    return "\n".join(text) + "\n"


def _plain(code: str) -> str:
    """Code without its annotations."""
    lines = [line.encode() for line in code.splitlines(keepends=True)]
    starts = [0, *itertools.accumulate(map(len, lines))]
    whole = b"".join(lines)
    cuts = []

    def cut(after: bytes, before: ast.expr) -> None:
        begin = starts[before.lineno - 1] + before.col_offset
        end = starts[(before.end_lineno or 1) - 1] + (before.end_col_offset or 0)
        cuts.append((len(whole[:begin].rstrip().removesuffix(after).rstrip()), end))

    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.arg) and node.annotation:
            cut(b":", node.annotation)
        if isinstance(node, ast.FunctionDef) and node.returns:
            cut(b"->", node.returns)
        if isinstance(node, ast.AnnAssign) and node.value:
            cut(b":", node.annotation)
    for begin, end in sorted(cuts, reverse=True):
        whole = whole[:begin] + whole[end:]
    return whole.decode()


def _shorter(indent: re.Match[str]) -> str:
    return indent[0][: len(indent[0]) // 4 + len(indent[0]) % 4]


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
