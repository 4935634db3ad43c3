"""A Chromium page per test, without network, and one that keeps the engines loaded."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
def evaluate(browser: Browser) -> Iterator[Callable[..., Any]]:
    """Run JavaScript beside the figures' engines: evaluate(expression, argument)."""
    page = browser.new_page()
    page.add_script_tag(content=figures.script())
    yield page.evaluate
    page.close()


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
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
        small = page.locator(".cell").evaluate_all(
            "(all) => all.filter((e) => e.offsetWidth && e.offsetWidth < 24).length"
        )
        assert small == 0
        return page

    return shown
