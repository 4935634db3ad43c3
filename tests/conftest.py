"""A Chromium for every test that needs one, and which tests share a process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from xdist.scheduler import LoadFileScheduling

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from site_server import launch


class Scheduling(LoadFileScheduling):
    """A file's tests share a process, but not the notebooks that run alone."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if "::test_alone" in nodeid else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: object
) -> LoadFileScheduling:
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launch() as chromium:
        yield chromium
