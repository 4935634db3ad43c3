"""The modules of coursework: no circle, no way up to helpers, light folders."""

import ast
import graphlib
from pathlib import Path

import layers_book

SOURCE = Path(layers_book.__file__).parents[1]
COURSEWORK = SOURCE / "layers_book" / "coursework"
FOLDERS = ("collect", "grade", "sandbox", "results", "nbgrader")


def module(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> set[str]:
    """What a file imports, wherever in it; of ``from a import b`` both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_no_module_imports_itself_by_way_of_others() -> None:
    files = {module(path): path for path in COURSEWORK.rglob("*.py")}
    package = module(COURSEWORK / "__init__.py")
    arrows = {name: imports(path) & files.keys() for name, path in files.items()}
    for name, found in arrows.items():
        if name != package:
            found.discard(package)  # of `from package import module`
    assert len(list(graphlib.TopologicalSorter(arrows).static_order())) == len(files)


def test_only_the_warm_process_imports_helpers() -> None:
    """Students import it there; helpers itself is made of layers_book."""
    found = [
        module(path)
        for path in (SOURCE / "layers_book").rglob("*.py")
        if any(name.partition(".")[0] == "helpers" for name in imports(path))
    ]
    assert found == ["layers_book.coursework.sandbox.inside.warm"]


def test_each_folder_says_in_a_few_lines_how_a_submission_takes_its_way() -> None:
    there = [path.parent.name for path in COURSEWORK.glob("*/__init__.py")]
    assert set(FOLDERS) <= set(there)
    for folder in FOLDERS:
        tree = ast.parse((COURSEWORK / folder / "__init__.py").read_text("utf8"))
        (only,) = tree.body
        said = ast.get_docstring(tree) or ""
        assert isinstance(only, ast.Expr) and 4 <= len(said.splitlines()) <= 10
        for path in (COURSEWORK / folder).glob("[a-z]*.py"):
            assert path.stem in said, f"{folder}/__init__.py does not say {path.stem}"
