"""One page's own tests, without browser or sandbox: `make check page=basic/linear`."""

import subprocess
import sys
from pathlib import Path

import pages

ROOT = Path(__file__).parent.parent
TESTS = (
    "tests/pages/test_freshness.py",
    "tests/pages/test_conventions.py",
    "tests/pages/test_exercises.py",
    "tests/helpers/test_exercises.py",
)


def command(page: str) -> list[str]:
    """Runs the tests of a page."""
    notebook = pages.halves(page)[1]
    used = pages.used(page, pages.read(page))
    scripts = [Path(name).stem for name in used if name.endswith(".js")]
    figures = [f"tests/figures/test_{name}.py" for name in scripts]
    # an exercise's tests have page:exercise in brackets, others the page, or their file
    chosen = [f"[{page}]", f"[{page}:", notebook.name]
    chosen += [Path(file).name for file in figures]
    files = [str(notebook.relative_to(ROOT)), *TESTS]
    files += [file for file in figures if (ROOT / file).exists()]
    options = ["-q", "-n", "2", "-m", "not browser", "-k", " or ".join(chosen)]
    return [sys.executable, "-m", "pytest", *options, *files]


def main(page: str) -> int:
    if wrong := pages.unknown(page):
        print(wrong, file=sys.stderr)
        return 2
    text = pages.halves(page)[0]
    if not text.exists():
        print(f"{text.relative_to(ROOT)} is missing, but _toc.yml names its notebook")
        return 1
    return subprocess.run(command(page), cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
