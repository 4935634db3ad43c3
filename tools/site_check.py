"""Lighthouse and axe on the built book, in the real browser: `make site-check`.

Fetches Lighthouse from the npm registry into _build/ on the first call, and takes half
an hour of an idle machine for all pages. Exits with 1 where a page falls below the
book's bars. A part of the pages: `tools/site_check.py notebooks/basic/linear.html`.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from site_server import (
    HTML,
    PAGES,
    ROOT,
    Theme,
    blocked_page,
    chromium,
    launch,
    serve,
    violations,
)

NODE = ROOT / "_build" / "node"
LIGHTHOUSE = "lighthouse@13.0.1"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
BARS = {"mobile": (95, 100, 100, 100), "desktop": (100, 100, 100, 100)}
MEDIAN = {"mobile": 98, "desktop": 100}  # of the performance of all pages


def lighthouse() -> list[str]:
    """The command that runs Lighthouse, installed when missing."""
    tools = Path(sys.executable).parent
    script = NODE / "node_modules" / "lighthouse" / "cli" / "index.js"
    if not script.exists():
        NODE.mkdir(parents=True, exist_ok=True)
        npm = [str(tools / "npm"), "install", "--silent", "--no-save", LIGHTHOUSE]
        subprocess.run([*npm, "--prefix", str(NODE)], check=True)
    return [str(tools / "node"), str(script)]


def scores(url: str, preset: str, command: list[str]) -> tuple[dict[str, int], float]:
    """The four scores, and the kB transferred."""
    options = ["--quiet", "--output=json", f"--only-categories={','.join(CATEGORIES)}"]
    options += ["--chrome-flags=--headless --no-sandbox --disable-gpu"]
    options += ["--preset=desktop"] if preset == "desktop" else []
    with sync_playwright() as playwright:
        path = chromium() or playwright.chromium.executable_path
    environment = os.environ | {"CHROME_PATH": path}
    text = subprocess.check_output([*command, url, *options], env=environment)
    report = json.loads(text)
    found = {c: round(100 * report["categories"][c]["score"]) for c in CATEGORIES}
    weight = report["audits"]["total-byte-weight"]["numericValue"] / 1000
    for name, audit in report["audits"].items():
        if audit.get("score") is not None and audit["score"] < 0.9:
            print(f"      {name}: {audit.get('displayValue', audit['title'])}")
    return found, weight


def named(browser: Browser, base: str, page: str, theme: Theme) -> list[str]:
    """What axe finds on a page, a line each."""
    with blocked_page(browser, base, theme=theme) as (tab, _):
        tab.goto(base + page)
        found = violations(tab, every_text=True)
        return [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in found]


def measured(base: str, page: str, preset: str, command: list[str]) -> dict[str, int]:
    """A page's scores; the best of three, if the first is below a bar.

    A busy machine only ever lowers a score.
    """
    best: dict[str, int] = {}
    for _ in range(3):
        found, weight = scores(base + page, preset, command)
        best = max(best, found, key=lambda run: sum(run.values()))
        if not (low := below(best, preset)):
            break
    word = f"below the bar: {', '.join(low)}" if low else "ok"
    print(f"{page} {preset}: {best} {weight:.0f} kB {word}", flush=True)
    return best


def below(found: dict[str, int], preset: str) -> list[str]:
    """The categories in which a page falls below its bars."""
    bars = zip(CATEGORIES, BARS[preset], strict=True)
    return [category for category, bar in bars if found[category] < bar]


def main() -> int:
    pages, wrong = sys.argv[1:] or PAGES, 0
    command = lighthouse()
    with serve(HTML) as base:
        for preset, bar in MEDIAN.items():
            found = [measured(base, page, preset, command) for page in pages]
            wrong += sum(len(below(each, preset)) for each in found)
            speed = [each["performance"] for each in found]
            median = statistics.median(speed)
            print(f"{preset}: performance {median:g} in the median, {min(speed)} worst")
            wrong += median < bar
        themes: tuple[Theme, ...] = ("light", "dark")
        with launch() as browser:
            for page, theme in itertools.product(pages, themes):
                faults = named(browser, base, page, theme)
                wrong += len(faults)
                print(f"{page} {theme}: axe {faults or 'finds nothing'}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
