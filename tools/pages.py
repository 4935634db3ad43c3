"""Text to executed notebook: `make notebooks`, after a page or what it uses changed.

Reads book/X.md, adds the install cell, fixes the cell ids, executes every cell in order
and writes notebooks/X.ipynb. Pages are left alone whose text did not change, nor a
helper, a figure or an exercise that they use.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from sphinx_external_toc.parsing import parse_toc_yaml

from uses import uses

ROOT = Path(__file__).parent.parent
QUIET = ["--IPKernelApp.log_level=ERROR"]  # it warns of TCP at each start
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
FACTOR = "LAYERS_BOOK_FACTOR"  # what helpers.steps multiplies by
FOLD = "#@title "  # Colab shows the rest of this line above a folded cell
INSTALL = (ROOT / "src/layers_book/_install_cell.py").read_text("utf8")


def pages(root: Path = ROOT) -> list[str]:
    """The executable pages in the order of _toc.yml, such as 'normalization/index'."""
    files = parse_toc_yaml(root / "_toc.yml")
    return [f.removeprefix("notebooks/") for f in files if f.startswith("notebooks/")]


def unknown(page: str) -> str:
    """Why a page is none of _toc.yml's; empty if it is one."""
    known = pages()
    if page in known:
        return ""
    close = get_close_matches(page, known)
    words = f"did you mean {' or '.join(close)}?" if close else f"pages are {known}"
    return f"page={page!r} is not in _toc.yml: {words}"


def halves(page: str, root: Path = ROOT) -> tuple[Path, Path]:
    """The text and the notebook of a page."""
    return root / "book" / f"{page}.md", root / "notebooks" / f"{page}.ipynb"


def install_cell(root: Path = ROOT) -> str:
    """The first cell of every notebook; URL and tag come from pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    return (
        INSTALL.replace("URL", project["urls"]["Repository"])
        .replace("TAG", f"v{project['version']}")
        .split('"""\n', 1)[1]
        .strip()
    )


def read(page: str, root: Path = ROOT) -> Any:
    """The page's text as a notebook without outputs, with ids that follow the text."""
    text = jupytext.read(halves(page, root)[0])
    first = nbformat.v4.new_code_cell(
        install_cell(root), metadata={"tags": ["remove-cell"]}
    )
    seen: dict[str, int] = {}
    for cell in [first, *text.cells]:
        if title := fold_title(cell):
            cell.source = f"{FOLD}{title}\n{cell.source}"
            cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
        key = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()
        seen[key] = seen.get(key, 0) + 1
        cell.id = f"{key[:12]}-{seen[key]}"
    notebook = nbformat.v4.new_notebook(cells=[first, *text.cells])
    notebook.metadata.kernelspec = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    return notebook


def fold_title(cell: Any) -> str:
    """The line that stands for a folded cell's code; empty if the code shows."""
    tags = cell.metadata.get("tags", [])
    if {"remove-input", "question"} <= {*tags}:
        return "What other guesses mean"
    if "hide-input" in tags:
        prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show", "")
        return " ".join(prompt.split()) or "Show the code"
    return ""


def digest(notebook: Any) -> str:
    """What the stored notebook must still hash to: sources, counts and outputs."""
    cells = json.dumps(notebook["cells"], sort_keys=True)
    return hashlib.sha256(cells.encode()).hexdigest()


def sources(notebook: Any) -> list[tuple[str, str, str, str]]:
    """What text and notebook share, cell by cell."""
    return [
        (c.id, c.cell_type, c.source, json.dumps(_own(c.metadata), sort_keys=True))
        for c in notebook.cells
    ]


def _own(metadata: Any) -> dict[str, Any]:
    return {
        k: v for k, v in metadata.items() if k not in ("execution", "lines_to_next")
    }


def used(page: str, notebook: Any, root: Path = ROOT) -> dict[str, str]:
    """What a page, given as `read` gives it, uses of src/, with digests."""
    code = [c.source for c in notebook.cells if c.cell_type == "code"]
    return uses(page, code, root)


def problems(page: str, root: Path = ROOT) -> list[str]:
    """Why the stored notebook is not what `make notebooks` makes; empty when fresh."""
    text, path = halves(page, root)
    if missing := [str(p.relative_to(root)) for p in (text, path) if not p.exists()]:
        return [f"missing: {', '.join(missing)}"]
    stored = nbformat.read(path, 4)
    fresh = read(page, root)
    found = []
    if sources(stored) != sources(fresh):
        found.append("text and notebook differ: run `make notebooks`")
    kept = stored.metadata.get("layers_book", {})
    if (torch := kept.get("torch")) != (locked := locked_torch(root)):
        found.append(
            f"executed with torch {torch}, the lock has {locked}: run `make notebooks`"
        )
    try:
        now = used(page, fresh, root)
    except ValueError as error:
        found.append(str(error))
    else:
        then = kept.get("uses", {})
        changed = sorted(k for k in then | now if then.get(k) != now.get(k))
        if changed:
            found.append(f"changed since: {', '.join(changed)}: run `make notebooks`")
    code = [c for c in stored.cells if c.cell_type == "code"]
    counts = [c.execution_count for c in code]
    if counts != list(range(1, len(code) + 1)):
        found.append(f"stripped or executed out of order: execution counts {counts}")
    if kept.get("digest") != digest(stored):
        found.append("edited by hand after execution: outputs do not match the digest")
    for cell in code:
        raises = "raises-exception" in cell.metadata.get("tags", [])
        for output in cell.outputs:
            if output.output_type == "error" and not raises:
                found.append(f"cell [{cell.execution_count}] stores {output.ename}")
            if output.get("name") == "stderr":
                found.append(f"cell [{cell.execution_count}] stores a warning")
    return found


def run(notebook: Any, folder: Path, factor: int = 1) -> None:
    """Execute the cells in order in a folder, with so many times the training."""
    NotebookClient(
        notebook,
        timeout=300 * factor,
        kernel_name="python3",
        store_widget_state=True,
        record_timing=False,
        extra_arguments=QUIET,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    ).execute(env=os.environ | {FACTOR: str(factor)})


def execute(page: str, root: Path = ROOT) -> None:
    """Execute the page's text and store the notebook; on an error store nothing."""
    text, path = halves(page, root)
    if not text.exists():
        name = text.relative_to(root)
        raise FileNotFoundError(f"{name} is missing, but _toc.yml names its notebook")
    notebook = read(page, root)
    found = used(page, notebook, root)
    path.parent.mkdir(parents=True, exist_ok=True)
    run(notebook, path.parent)
    notebook = _settle(notebook, path.stem)
    notebook.metadata.layers_book = {
        "digest": digest(notebook),
        "torch": version("torch").partition("+")[0],
        "uses": found,
    }
    partial = path.with_suffix(".partial")
    nbformat.write(notebook, partial)
    partial.replace(path)


def locked_torch(root: Path = ROOT) -> str:
    """The torch that the stored outputs are of."""
    lock = (root / "requirements.lock").read_text("utf8")
    return "".join(re.findall(r"^torch==(\S+)", lock, re.M))


def _settle(notebook: Any, stem: str) -> Any:
    """Take out what differs from run to run."""
    state = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    text = nbformat.writes(notebook)
    for number, model in enumerate(state):  # comm ids are random: name by creation
        text = text.replace(model, f"{stem}-{number:04d}")
    notebook = nbformat.reads(text, 4)
    notebook.metadata.pop("language_info", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        _tell_pictures(cell)
    nbformat.validate(notebook)
    return notebook


def _tell_pictures(cell: Any) -> None:
    """Give each picture its words where nbconvert looks for them.

    Its template `classic` reads them there (`get_metadata('alt', 'image/png')` in
    share/jupyter/nbconvert/templates/classic/base.html.j2); `lab` of nbconvert 7.17 and
    JupyterLab 4.6 itself know no alternative text of an output.
    """
    said = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        # a figure's text says what is to be seen, a plot's names its type
        alt = data.get("text/plain", "") if "text/html" in data else said
        if alt and "image/png" in data:
            output.metadata.setdefault("image/png", {})["alt"] = alt


def each(work: Callable[[str], None], todo: list[str]) -> Iterator[tuple[str, str]]:
    """Do a work for each page, in several processes: pages, and why one failed."""
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        jobs = {pool.submit(work, page): page for page in todo}
        for job in as_completed(jobs):
            error = job.exception()
            yield jobs[job], _explain(jobs[job], error) if error else ""


def _explain(page: str, error: BaseException) -> str:
    if not isinstance(error, CellExecutionError):
        return f"{page}: {error}"
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()
    return f"{page}: a cell raised\n  " + "\n  ".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="also unchanged pages")
    parser.add_argument("pages", nargs="*", help="pages of _toc.yml; all by default")
    options = parser.parse_args()
    known = pages()
    if wrong := list(filter(None, map(unknown, options.pages))):
        print(*wrong, sep="\n", file=sys.stderr)
        return 2
    todo = [
        p for p in options.pages or known if options.all or options.pages or problems(p)
    ]
    if not todo:
        print(f"all {len(known)} notebooks are fresh (all=1 executes them anyway)")
    failed = 0
    for done, (page, error) in enumerate(each(execute, todo), 1):
        if not error:
            print(f"[{done}/{len(todo)}] notebooks/{page}.ipynb", flush=True)
            continue
        failed += 1
        print(error)
        print(f"notebooks/{page}.ipynb is left as it was", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
