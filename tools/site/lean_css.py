"""Drop the style rules that no page of the book can meet."""

import re

TOKEN = re.compile(
    r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|url\([^"')]*\)|/\*.*?\*/|[{};]""", re.DOTALL
)
NESTED = ("@media", "@supports", "@layer", "@container")
CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")


def purge(css: str, used: set[str]) -> str:
    """Keep the rules whose class names all occur in the book.

    Args:
        css: a style sheet.
        used: every word of the pages and of the scripts that add classes.

    Returns:
        The style sheet without the rest, in the same order.
    """
    kept, start, opened, depth = [], 0, 0, 0
    for token in TOKEN.finditer(css):
        mark = token[0]
        if mark == "{":
            opened = opened if depth else token.start()
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == 0:
                body = css[opened + 1 : token.start()]
                kept.append(_rule(css[start:opened], body, used))
                start = token.end()
        elif mark == ";" and depth == 0:
            kept.append(css[start : token.end()])
            start = token.end()
    return "".join(kept)


def _rule(prelude: str, body: str, used: set[str]) -> str:
    prelude = re.sub(r"/\*.*?\*/", "", prelude, flags=re.DOTALL).strip()
    if prelude.startswith(NESTED):
        inner = purge(body, used)
        return f"{prelude}{{{inner}}}" if inner else ""
    if prelude.startswith("@"):
        return f"{prelude}{{{body}}}"
    selectors = [s for s in re.split(r",(?![^()]*\))", prelude) if _met(s, used)]
    return f"{','.join(selectors)}{{{body}}}" if selectors else ""


def _met(selector: str, used: set[str]) -> bool:
    # what stands in :not(), :is(), :where() need not occur
    return set(CLASS.findall(re.sub(r"\([^()]*\)", "", selector))) <= used
