"""A Chromium for every test that needs one, and which tests share a process."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from xdist.scheduler import LoadFileScheduling

from site_server import launch

collect_ignore = ["fake_gpu.py"]  # pretends for the whole process, once it is imported


class Scheduling(LoadFileScheduling):
    """A file's tests share a process, but of the book's site only those of a page.

    Tests named ``test_alone_...``, which take long, go wherever there is room.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        page = re.search(r"\[(\S+\.html)\]$|(?<=::)test_alone_.*$", nodeid)
        return f"{file}::{page[1] or page[0]}" if page else file


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: object
) -> LoadFileScheduling:
    return Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser, so that `-m "not browser"` leaves it out."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured, such as an assignment's mutation score."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launch() as chromium:
        yield chromium
