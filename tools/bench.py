"""What the book costs, printed and written to _build/bench.json: `make bench`."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbclient import NotebookClient

import pages as tool
from layers_book.exercises import exercise
from site_server import PAGES, blocked_page, launch, serve

ROOT = Path(__file__).parent.parent
PYTEST = [sys.executable, "-m", "pytest", "-q", "--no-header"]
START = "import torch, matplotlib.pyplot"
# what the book promises on two idle cores; the tests assert no time
GOALS = {
    "a page under nbval, s": 40.0,
    "make check, s": 20.0,
    "nbval on 2, times its floors": 1.2,
    "book from nothing, s": 20.0,
    "book, nothing changed, s": 1.0,
    "import helpers, ms": 100.0,
    "import layers_book.figures, ms": 100.0,
    "first figure of a page, ms": 1000.0,
    "first load of a chapter's page, kB": 200.0,
    "first load of any page, kB": 250.0,
    "first click into an exercise, kB": 320.0,
    "from click to Python, ms": 500.0,
    "from Check to verdict, 95 of 100, ms": 1000.0,
}


def measured(command: list[str], cwd: Path = ROOT) -> tuple[float, float]:
    """Wall seconds, and the greatest memory of the whole process tree in MB."""
    begun = time.perf_counter()
    process = psutil.Popen(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = 0
    while process.poll() is None:
        total = 0
        for member in [process, *process.children(recursive=True)]:
            try:
                total += member.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        peak = max(peak, total)
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed")
    return time.perf_counter() - begun, peak / 1e6


def plain(page: str) -> tuple[float, float]:
    """Seconds under nbclient alone: in all, and in the page's cells alone."""
    notebook = nbformat.read(tool.halves(page)[1], 4)
    folder = str(tool.halves(page)[1].parent)
    begun = time.perf_counter()
    NotebookClient(
        notebook,
        timeout=300,
        resources={"metadata": {"path": folder}},
        extra_arguments=tool.QUIET,
    ).execute()
    wall = time.perf_counter() - begun
    stamps = [c.metadata.execution for c in notebook.cells if c.cell_type == "code"]
    spans = [
        _seconds(s["shell.execute_reply"]) - _seconds(s["iopub.status.busy"])
        for s in stamps
    ]
    # the first two cells start torch and helpers: the floor counts that apart
    return wall, sum(spans[2:])


def _seconds(stamp: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def kernel_start() -> float:
    """Seconds to start a kernel and import torch and pyplot in it."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(START)])
    begun = time.perf_counter()
    NotebookClient(notebook, extra_arguments=tool.QUIET).execute()
    return time.perf_counter() - begun


def beside_goal(what: str, value: float) -> None:
    """Print what was measured beside what is promised."""
    goal = GOALS[what]
    word = "ok" if value <= goal else "ABOVE"
    print(f"{what}: {value:.4g}, goal {goal:g}: {word}", flush=True)


def import_time(module: str) -> float:
    """Milliseconds that a module adds to torch and pyplot; the best of five."""
    code = (
        f"import time; {START}; t = time.perf_counter(); import {module}; "
        "print(time.perf_counter() - t)"
    )
    command = [sys.executable, "-c", code]
    return min(float(subprocess.check_output(command)) for _ in range(5)) * 1000


def book() -> dict[str, float]:
    """Seconds of a build from nothing, and of make with nothing changed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(Path(sys.executable).parent / "jupyter-book"),
            "build",
            ".",
            "--path-output",
            folder,
            "-n",
            "-W",
            "--keep-going",
        ]
        cold, _ = measured(command)
        changed, _ = measured(command)
    warm, _ = measured(["make", "book"])
    return {"cold": cold, "nothing changed, without make": changed, "warm": warm}


def kind(url: str) -> str:
    """What a page loads, by the end of its address."""
    ends = {"png": "picture", "svg": "picture", "woff2": "font"}
    end = url.partition("?")[0].rpartition(".")[2]
    return ends.get(end, end)


def site() -> dict[str, dict[str, float]]:
    """Bytes by kind and requests of each page's first load, ms to its first figure."""
    found: dict[str, dict[str, float]] = {}
    html = ROOT / "_build" / "html"
    drawn = "e => e.shadowRoot && e.shadowRoot.childElementCount > 0"
    with serve(html) as base, launch() as browser:
        for page in PAGES:
            with blocked_page(browser, base) as (tab, seen):
                tab.goto(base + page, wait_until="commit")
                figure = tab.locator(".nn-figure").first
                tab.wait_for_load_state("domcontentloaded")
                first = None
                if figure.count():
                    while not figure.evaluate(drawn):
                        tab.wait_for_timeout(5)
                    first = tab.evaluate("performance.now()")
                tab.wait_for_load_state("networkidle")
                found[page] = {
                    "bytes": sum(seen.sizes.values()),
                    "requests": len(seen.sizes),
                } | ({"first figure ms": first} if first else {})
                for url, bytes in seen.sizes.items():
                    found[page][kind(url)] = found[page].get(kind(url), 0) + bytes
    return found


def in_page() -> dict[str, float]:
    """Of the exercises in the page: bytes and ms of the first click; ms of a check.

    Every printed solution is checked once, right after its page's first one.
    """
    clicks, checks, weights = [], [], []
    html = ROOT / "_build" / "html"
    with serve(html) as base, launch() as browser:
        for page in filter(lambda page: page.startswith("notebooks/"), PAGES):
            with blocked_page(browser, base) as (tab, seen):
                tab.goto(base + page)
                seen.wait(tab)
                before = sum(seen.sizes.values())
                for at, starter in enumerate(tab.locator(".runs-here").all()):
                    section = starter.locator("xpath=ancestor::section[1]")
                    begun = time.perf_counter()
                    starter.locator(".write-here").click()
                    code = section.get_by_label("your code")
                    told = section.locator(".verdict > :first-child")
                    check = section.get_by_role("button", name="Check", exact=True)
                    _, _, call = code.input_value().rpartition("check(")
                    if at == 0:
                        code.fill("answer = ...")
                        check.click()
                        told.wait_for()
                        clicks.append(time.perf_counter() - begun)
                        seen.wait(tab)
                        weights.append(sum(seen.sizes.values()) - before)
                    name = section.locator("book-solved").get_attribute("data-name")
                    code.fill(f"{exercise(name or '').solution}\n\ncheck({call}")
                    begun = time.perf_counter()
                    check.click()
                    section.locator(".verdict", has_text="✓").wait_for(timeout=60_000)
                    checks.append(time.perf_counter() - begun)
    return {
        "first click, bytes": max(weights),
        "click to Python, ms": 1000 * statistics.median(clicks),
        "Check to verdict, ms": 1000 * statistics.median(checks),
        "Check to verdict, 95 of 100, ms": 1000
        * statistics.quantiles(checks, n=20)[-1],
    }


def main() -> None:
    result: dict[str, Any] = {"cores": os.cpu_count(), "notebooks": {}}
    start = min(kernel_start() for _ in range(3))
    print(f"kernel + torch + pyplot: {start:.2f} s")
    floors = 0.0
    for page in tool.pages():
        path = str(tool.halves(page)[1].relative_to(ROOT))
        nbval, memory = measured([*PYTEST, path, "-n", "0"])
        wall, cells = plain(page)
        floors += start + cells
        result["notebooks"][page] = {
            "nbval": nbval,
            "nbclient": wall,
            "floor": start + cells,
            "peak MB": memory,
        }
        print(
            f"{page}: nbval {nbval:.1f} s, nbclient {wall:.1f} s, "
            f"floor {start + cells:.1f} s, peak {memory:.0f} MB",
            flush=True,
        )
    for processes in (1, 2):
        total, memory = measured([*PYTEST, "notebooks", "-n", str(processes)])
        result[f"nbval on {processes}"] = {"seconds": total, "peak MB": memory}
        bound = floors / processes
        print(
            f"nbval on {processes}: {total:.1f} s = {total / bound:.2f} x floors",
            flush=True,
        )
    result["floors"] = floors
    result["book"] = book()
    modules = ("helpers", "layers_book.figures")
    result["import ms"] = {name: import_time(name) for name in modules}
    check = [sys.executable, str(ROOT / "tools" / "check_page.py"), "basic/linear"]
    result["make check"], _ = measured(check)
    result["site"] = site()
    result["in page"] = in_page()
    for name in ("book", "site", "in page"):
        print(name, json.dumps(result[name], indent=1))
    pages = result["notebooks"].values()
    figures = [p.get("first figure ms", 0) for p in result["site"].values()]
    beside_goal("a page under nbval, s", max(page["nbval"] for page in pages))
    beside_goal("make check, s", result["make check"])
    beside_goal(
        "nbval on 2, times its floors", result["nbval on 2"]["seconds"] / floors * 2
    )
    beside_goal("book from nothing, s", result["book"]["cold"])
    beside_goal("book, nothing changed, s", result["book"]["warm"])
    for name, milliseconds in result["import ms"].items():
        beside_goal(f"import {name}, ms", milliseconds)
    beside_goal("first figure of a page, ms", max(figures))
    loads = {page: each["bytes"] / 1000 for page, each in result["site"].items()}
    chapter = [kb for page, kb in loads.items() if page.startswith("notebooks/")]
    beside_goal("first load of a chapter's page, kB", max(chapter))
    beside_goal("first load of any page, kB", max(loads.values()))
    clicked = result["in page"]
    beside_goal(
        "first click into an exercise, kB", clicked["first click, bytes"] / 1000
    )
    beside_goal("from click to Python, ms", clicked["click to Python, ms"])
    late = "Check to verdict, 95 of 100, ms"
    beside_goal(f"from {late}", clicked[late])
    target = ROOT / "_build" / "bench.json"
    target.write_text(json.dumps(result, indent=1), "utf8")
    print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    assert shutil.which("make"), "make bench needs make"
    main()
