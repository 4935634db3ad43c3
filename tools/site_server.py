"""The built book in a real browser: shared by the tests, site-check and bench."""

import functools
import gzip
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
from playwright.sync_api import Browser, Page, Route, sync_playwright

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
Theme = Literal["light", "dark"]
# axe takes milliseconds for the contrast of each token of code: one a color will do,
# and it does not judge a single character
ONE_TOKEN_A_COLOR = """() => {
  const seen = new Set();
  const again = [...document.querySelectorAll(".highlight span")].filter((token) => {
    const ground = getComputedStyle(token.closest(".highlight")).backgroundColor;
    const colors = getComputedStyle(token).color + ground;
    const single = token.textContent.trim().length < 2;
    return single || seen.has(colors) || !seen.add(colors);
  });
  for (const token of again) token.replaceWith(token.textContent);
}"""
COMPRESSED = (".html", ".css", ".js", ".svg", ".json")


def chromium() -> str | None:
    """The browser of this machine; None means playwright's own."""
    names = (
        os.environ.get("CHROMIUM", ""),
        "chromium",
        "chromium-browser",
        "google-chrome",
    )
    return next((found for found in map(shutil.which, names) if found), None)


class _Files(http.server.SimpleHTTPRequestHandler):
    """Static files, gzipped as every host of static pages does."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer with the file, compressed where that helps."""
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        if path.suffix not in COMPRESSED or not path.is_file():
            return super().do_GET()
        body = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; the address ends in a slash."""
    handler = functools.partial(_Files, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def violations(tab: Page) -> list[dict[str, Any]]:
    """What axe finds on the page in this tab, with every box of it open."""
    # axe reads colors from what overlaps; an unlaid section lies where it will not be
    tab.add_style_tag(content="* { content-visibility: visible !important }")
    tab.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    tab.evaluate("globalThis.nnFigures?.wake()")
    tab.evaluate(ONE_TOKEN_A_COLOR)
    tab.wait_for_timeout(2000)  # what scrolls gets its tab stop when the page is idle
    tab.evaluate(AXE.read_text("utf8"))
    run = "axe.run(document, {resultTypes: ['violations']})"
    found: list[dict[str, Any]] = tab.evaluate(run)["violations"]
    return found


class Seen:
    """What a page asked for and complained about."""

    def __init__(self) -> None:
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self.sizes: dict[str, int] = {}


@contextmanager
def launch() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def blocked_page(
    browser: Browser,
    base: str,
    theme: Theme = "light",
    width: int = 1280,
    **options: Any,
) -> Iterator[tuple[Page, Seen]]:
    """A tab for which every host but ``base`` is blocked, and what it did."""
    seen = Seen()

    def route(request: Route) -> None:
        url = request.request.url
        if url.startswith((base, "data:", "blob:")):
            request.continue_()
        else:
            seen.foreign.append(url)
            request.abort()

    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, **options
    )
    context.route("**/*", route)
    tab = context.new_page()
    tab.on(
        "console",
        lambda message: (
            seen.errors.append(message.text) if message.type == "error" else None
        ),
    )
    tab.on("pageerror", lambda error: seen.errors.append(str(error)))
    tab.on("requestfinished", lambda request: _weigh(request, seen))
    yield tab, seen
    context.close()


def _weigh(request: Any, seen: Seen) -> None:
    sizes = request.sizes()
    seen.sizes[request.url] = sizes["responseBodySize"]
