"""What others see of the site: chats, search engines, a wrong address."""

import functools
import http.server
import re
import struct
import threading
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from shared_page import at_root, card_name

from site_server import HTML, PAGES, blocked_page

BASE = "https://torch-layers-book.github.io/torch-layers-book/"


def said(text):
    """The properties in a page's head."""
    found = re.findall(r'<meta (?:property|name)="([\w:]+)" content="([^"]*)"', text)
    return dict(found)


@pytest.mark.parametrize("page", PAGES)
def test_a_link_to_a_page_shows_title_words_and_picture(page):
    text = (HTML / page).read_text("utf8")
    tags = said(text)
    assert re.search(r"<h1>(.*?)<", text)[1] == tags["og:title"]
    assert len(tags["og:description"]) > 60
    assert len(re.findall("og:title", text)) == 1
    name = card_name(page.removesuffix(".html"))
    assert tags["og:image"] == f"{BASE}_static/cards/{name}"
    head = (HTML / "_static" / "cards" / name).read_bytes()[:24]
    assert struct.unpack(">II", head[16:]) == (1200, 630)
    canonical = re.findall(r'<link rel="canonical" href="([^"]*)"', text)
    assert canonical == [tags["og:url"]]


def test_the_map_names_every_page_once():
    tree = ET.parse(HTML / "sitemap.xml")
    urls = [e.text.removeprefix(BASE) for e in tree.iter() if e.tag.endswith("loc")]
    wanted = {page for page in PAGES if page != "book/index.html"} | {""}
    assert sorted(urls) == sorted(wanted)
    assert f"{BASE}sitemap.xml" in (HTML / "robots.txt").read_text()


def test_the_root_is_the_first_page():
    text = (HTML / "index.html").read_text("utf8")
    assert "Refresh" not in text
    links = re.findall(r'(?:href|src)="([^"#?:]+)(?:[#?][^"]*)?"', text)
    assert len(links) > 50
    assert [link for link in links if not (HTML / link).exists()] == []


def test_links_lead_on_from_the_root():
    page = (
        '<a href="../a/b.html#c/../d" src="x.html?y"><a href="#e"><a href="https://f">'
    )
    assert at_root(page, "book") == (
        '<a href="a/b.html#c/../d" src="book/x.html?y"><a href="#e"><a href="https://f">'
    )
    assert at_root('data-content_root="../"', "book") == 'data-content_root="./"'


class Host(http.server.SimpleHTTPRequestHandler):
    """A host of static pages that shows 404.html, below the book's path."""

    def log_message(self, *_):
        pass

    def translate_path(self, path):
        return super().translate_path(path.removeprefix("/torch-layers-book"))

    def send_error(self, code, *_):
        body = (HTML / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_wrong_address_helps_on(browser):
    handler = functools.partial(Host, directory=str(HTML))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/torch-layers-book/"
    try:
        with blocked_page(browser, base) as (tab, seen):
            tab.goto(f"{base}notebooks/old/batch_norm.html")
            assert tab.locator("article h1").inner_text() == "No page has this address"
            assert tab.locator("article [name=q]").input_value() == "batch norm"
            # the address itself, which the browser reports
            assert all("404" in error for error in seen.errors)
            ground = "(e) => getComputedStyle(e).getPropertyValue('--pst-color-link')"
            assert tab.locator("html").evaluate(ground)
            tab.locator("article a", has_text="Normalization").click()
            tab.wait_for_url(f"{base}notebooks/normalization/index.html")
            assert seen.foreign == []
    finally:
        server.shutdown()


def test_a_phone_has_an_icon_of_the_book():
    for page in ("book/index.html", "notebooks/basic/linear.html", "index.html"):
        text = (HTML / page).read_text("utf8")
        icon = re.findall(r'<link rel="apple-touch-icon" href="([^"]*)"', text)
        assert [(HTML / Path(page).parent / path).exists() for path in icon] == [True]
