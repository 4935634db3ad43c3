"""Where the cards lead to, the page has: each question's key, each section's anchor."""

import re

import pytest

from layers_book.questions import pages, questions
from site_server import HTML


@pytest.mark.parametrize("page", pages())
def test_the_page_has_the_key_and_the_section_of_each_card(page):
    html = (HTML / f"{page}.html").read_text("utf8")
    cards = questions(page)
    asked = [q.key for q in cards if "/" not in q.key.partition("#")[2]]
    assert asked == re.findall(r'<book-question data-key="(.*?)"', html)
    for card in cards:
        assert f'id="{card.anchor}"' in html, card.place
