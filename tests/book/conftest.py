"""The built book, served on this machine."""

from collections.abc import Iterator

import pytest

from site_server import HTML, serve


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    assert (HTML / "index.html").exists(), "build the book first: make book"
    with serve(HTML) as address:
        yield address
