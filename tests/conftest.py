"""A Chromium for every test that needs one, and which tests share a process."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from xdist.scheduler import LoadFileScheduling

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from site_server import launch


class Scheduling(LoadFileScheduling):
    """A file's tests share a process, but of the book's site only those of a page."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        page = re.search(r"\[(\S+\.html)\]$", nodeid)
        return f"{file}::{page[1]}" if page else file


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: object
) -> LoadFileScheduling:
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launch() as chromium:
        yield chromium
