"""The built book in a real browser: shared by the tests, site-check and bench."""

import functools
import gzip
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
from playwright.sync_api import Browser, Page, Request, Route, sync_playwright

import pages as tool

ROOT = Path(__file__).parent.parent
HTML = ROOT / "_build" / "html"
PAGES = [
    *(f"notebooks/{page}.html" for page in tool.pages()),
    *(f"book/{path.stem}.html" for path in sorted((ROOT / "book").glob("*.md"))),
]
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
Theme = Literal["light", "dark"]
# axe takes milliseconds for the contrast of each text: three will do of those that
# share color, font and every ground below them. Controls, and figures, where things
# overlap, are judged whole; a single character axe does not judge.
A_FEW_TEXTS_A_COLOR = """() => {
  const grounds = new Map([[null, ""]]);
  const ground = (e) => {
    if (!grounds.has(e)) {
      const s = getComputedStyle(e);
      const own = [s.backgroundColor, s.backgroundImage, s.opacity, s.filter].join();
      const plain = own === "rgba(0, 0, 0, 0),none,1,none";
      grounds.set(e, ground(e.parentElement) + (plain ? "" : own + "/"));
    }
    return grounds.get(e);
  };
  const counts = {};
  const fresh = (e) => {
    const own = [...e.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE);
    if (own.map((n) => n.data).join("").trim().length < 2) return false;
    if (!e.checkVisibility({ visibilityProperty: true })) return false;
    const s = getComputedStyle(e);
    const key = [s.color, s.fontSize, s.fontWeight, s.textShadow, ground(e)].join();
    return (counts[key] = (counts[key] ?? 0) + 1) <= 3;
  };
  const figures = [...document.querySelectorAll(".nn-figure")];
  const judged = [
    ...[...document.body.querySelectorAll("*")].filter(fresh),
    ...document.querySelectorAll("input, select, textarea"),
    ...figures.flatMap((e) => [...(e.shadowRoot ?? e).querySelectorAll("*")]),
  ];
  for (const e of judged) e.toggleAttribute("data-contrast", true);
  axe.configure({ rules: [{ id: "color-contrast", selector: "[data-contrast]" }] });
}"""
# what scrolls gets its tab stop when the page is idle
SETTLED = """() => {
  const article = document.querySelector("article") ?? document;
  const blocks = [...article.querySelectorAll("table, pre, .katex-display")];
  const waits = (e) => e.scrollWidth > e.clientWidth && e.tabIndex !== 0;
  const moves = (animation) => animation.playState === "running";
  return !blocks.some(waits) && !document.getAnimations().some(moves);
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
        with suppress(ConnectionError):  # a browser may leave the page before
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


def violations(tab: Page, every_text: bool = False) -> list[dict[str, Any]]:
    """What axe finds on the page in this tab, with every box of it open."""
    tab.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    tab.wait_for_function(SETTLED)
    tab.evaluate(AXE.read_text("utf8"))
    if not every_text:
        tab.evaluate(A_FEW_TEXTS_A_COLOR)
    run = "axe.run(document, {resultTypes: ['violations']})"
    found: list[dict[str, Any]] = tab.evaluate(run)["violations"]
    return found


class Seen:
    """What a page asked for and complained about."""

    def __init__(self) -> None:
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self.sizes: dict[str, int] = {}
        self.pending: set[Request] = set()

    def wait(self, tab: Page) -> None:
        """Until all that the page has asked for is there."""
        frame = "() => new Promise(requestAnimationFrame)"
        tab.evaluate(frame)
        while self.pending:
            tab.evaluate(frame)

    def begin(self, request: Request) -> None:
        """Note what is asked for."""
        self.pending.add(request)

    def end(self, request: Request) -> None:
        """Note the size of what has come, if it has."""
        if not request.failure:
            self.sizes[request.url] = request.sizes()["responseBodySize"]
        self.pending.discard(request)


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
    tab.on("request", seen.begin)
    tab.on("requestfailed", seen.end)
    tab.on("requestfinished", seen.end)
    yield tab, seen
    context.close()
