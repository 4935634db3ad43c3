"""One page's own tests, without browser or sandbox: `make check page=basic/linear`."""

import subprocess
import sys
from pathlib import Path

import pages

ROOT = Path(__file__).parent.parent
TESTS = ("tests/pages/test_freshness.py", "tests/pages/test_exercises.py")


def main(page: str) -> int:
    if wrong := pages.unknown(page):
        print(wrong, file=sys.stderr)
        return 2
    text, notebook = pages.halves(page)
    if not text.exists():
        print(f"{text.relative_to(ROOT)} is missing, but _toc.yml names its notebook")
        return 1
    used = pages.used(page, pages.read(page))
    scripts = [Path(name).stem for name in used if name.endswith(".js")]
    figures = [f"tests/figures/test_{name}.py" for name in scripts]
    # an exercise's tests have page:exercise in brackets, others the page, or their file
    chosen = [f"[{page}]", f"[{page}:", notebook.name]
    chosen += [Path(file).name for file in figures]
    files = [notebook.relative_to(ROOT), *TESTS, "tests/helpers/test_exercises.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not browser"]
    command += ["-k", " or ".join(chosen), *map(str, files)]
    command += [file for file in figures if (ROOT / file).exists()]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
