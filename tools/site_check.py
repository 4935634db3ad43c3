"""Lighthouse and axe on the built book, in the real browser: `make site-check`.

Fetches Lighthouse from the npm registry into _build/ on the first call. Exits with 1
where a chapter page falls below the book's bars.
"""

import itertools
import json
import os
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
MEASURED = ("notebooks/normalization/batch_norm.html", "book/index.html")


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


def main() -> int:
    below = 0
    command = lighthouse()
    with serve(HTML) as base:
        for page in MEASURED:
            for preset, bars in BARS.items():
                # the best of three: a busy machine only ever lowers the score
                runs = [scores(base + page, preset, command) for _ in range(3)]
                best, weight = max(runs, key=lambda run: sum(run[0].values()))
                low = [
                    c for c, bar in zip(CATEGORIES, bars, strict=True) if best[c] < bar
                ]
                below += len(low)
                word = f"below the bar: {', '.join(low)}" if low else "ok"
                print(f"{page} {preset}: {best} {weight:.0f} kB {word}", flush=True)
        themes: tuple[Theme, ...] = ("light", "dark")
        with launch() as browser:
            for page, theme in itertools.product(PAGES, themes):
                found = named(browser, base, page, theme)
                below += len(found)
                print(f"{page} {theme}: axe {found or 'finds nothing'}", flush=True)
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
