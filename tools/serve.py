"""Rebuild and reload in the browser while you write: `make serve`.

A saved text is executed where it changed, then the book is built once and the page
reloads. Watched are the sources alone, not what is made of them.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("book", "src", "_config.yml", "_toc.yml")


def ignored() -> list[str]:
    """Patterns for what is no change; sphinx-autobuild matches whole paths."""
    sources = "|".join(map(re.escape, SOURCES))
    return [
        rf"^(?!{re.escape(str(ROOT))}/({sources})(/|$))",
        r"__pycache__|\.egg-info|\.ipynb_checkpoints|~$|\.sw[a-z]$|/\.[^/]*$",
    ]


def command(port: int) -> list[str]:
    """The words that start sphinx-autobuild."""
    patterns = [word for pattern in ignored() for word in ("--re-ignore", pattern)]
    before = ["--pre-build", f'"{sys.executable}" tools/pages.py']
    serve = [sys.executable, "-m", "sphinx_autobuild", ".", "_build/html", "-q"]
    return [*serve, "--port", str(port), *before, *patterns]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", nargs="?", type=int, default=8000)
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    options = parser.parse_args()
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", options.port))
        except (OSError, OverflowError) as error:
            print(f"port={options.port}: {error}; try make serve port=8001")
            return 1
    os.chdir(ROOT)
    configure = [f"{Path(sys.executable).parent}/jupyter-book", "config", "sphinx", "."]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    serve = command(options.port) + ["--open-browser"] * (not options.no_browser)
    # conf.py names the book's own extension without its place
    path = os.pathsep.join(["tools/site", os.environ.get("PYTHONPATH", "")])
    os.execve(serve[0], serve, os.environ | {"PYTHONPATH": path})


if __name__ == "__main__":
    sys.exit(main())
