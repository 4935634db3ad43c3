"""The map of torch.nn in Basic layers leads to pages that treat the group."""

import re
from pathlib import Path

import nbformat

import pages as tool

INDEX = "basic/index"


def groups():
    """For each group of the stored map its pages and its classes."""
    notebook = nbformat.read(tool.halves(INDEX)[1], 4)
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    maps = [out.get("data", {}).get("text/markdown", "") for out in outputs]
    for block in "".join(maps).split("<details>")[1:]:
        name = re.search(r"<summary>(.*?) \(", block)[1]
        paths = re.findall(r"\]\((?!http)(\S+?)\.ipynb\)", block)
        pages = [str(Path("basic", path)).replace("basic/../", "") for path in paths]
        yield name, pages, re.findall(r"\[(\w+)\]\(http", block)


def test_each_page_of_a_group_names_a_class_of_it():
    found = list(groups())
    assert len(found) > 10
    for name, pages, classes in found:
        assert classes, f"{INDEX}: the group {name} has no classes"
        for page in pages:
            assert page in tool.pages(), f"{INDEX}: {name} leads to {page}, no page"
            words = re.findall(r"\w+", tool.halves(page)[0].read_text("utf8"))
            assert set(classes) & set(words), (
                f"{INDEX}: {name} leads to {page}, which names none of its classes"
            )


def test_what_the_map_leads_to_from_a_single_class_is_there():
    for page, name in (
        ("basic/activations", "CrossEntropyLoss"),
        ("attention/multihead", "MultiheadAttention"),
    ):
        assert name in tool.halves(page)[0].read_text("utf8"), (page, name)
