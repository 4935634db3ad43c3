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


def command(port: int, *options: str) -> list[str]:
    """The words that start sphinx-autobuild."""
    python = sys.executable
    patterns = [word for pattern in ignored() for word in ("--re-ignore", pattern)]
    before = f'"{python}" "{ROOT / "tools" / "pages.py"}"'
    serve = [python, "-m", "sphinx_autobuild", str(ROOT), str(ROOT / "_build/html")]
    return [
        *serve,
        "-q",
        "--port",
        str(port),
        "--pre-build",
        before,
        *patterns,
        *options,
    ]


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
    configure = [
        Path(sys.executable).with_name("jupyter-book"),
        "config",
        "sphinx",
        ROOT,
    ]
    subprocess.run(configure, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    # conf.py names the book's own extension without its place
    path = os.pathsep.join([str(ROOT / "tools/site"), os.environ.get("PYTHONPATH", "")])
    opened = [] if options.no_browser else ["--open-browser"]
    serve = command(options.port, *opened)
    os.chdir(ROOT)
    os.execve(serve[0], serve, os.environ | {"PYTHONPATH": path})


if __name__ == "__main__":
    sys.exit(main())
