"""requirements.lock fits every Python that pyproject.toml claims, and is installed."""

import importlib.metadata
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
CLAIMED = [
    python
    for minor in range(11, 15)
    for patch in range(20)
    if (python := f"3.{minor}.{patch}") in SpecifierSet(PROJECT["requires-python"])
]


def locked() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text("utf8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def asked_for(entry: Requirement, python: str) -> bool:
    """Does the line hold for this Python (on this platform)?"""
    if entry.marker is None:
        return True
    minor = python.rpartition(".")[0]
    return entry.marker.evaluate(
        {"python_full_version": python, "python_version": minor}
    )


def outside(entry: Requirement, requires: str) -> list[str]:
    """The claimed Pythons for which a package is locked that does not run on them."""
    allowed = SpecifierSet(requires)
    return [p for p in CLAIMED if asked_for(entry, p) and p not in allowed]


@pytest.mark.parametrize("entry", locked(), ids=lambda entry: str(entry))
def test_a_locked_version_runs_on_every_python_that_we_claim(entry):
    (pin,) = entry.specifier
    assert pin.operator == "==", f"requirements.lock: {entry} is no exact version"
    assert not Version(pin.version).local, f"requirements.lock: {entry} is not public"
    if entry.marker and not entry.marker.evaluate():
        return  # another platform's or another Python's: not installed here
    installed = importlib.metadata.distribution(entry.name)
    assert Version(installed.version).public == pin.version, (
        f"requirements.lock has {entry}, installed is {installed.version}: make book"
    )
    asked = installed.metadata.get("Requires-Python", "")
    unfit = outside(entry, asked)
    assert not unfit, (
        f"requirements.lock: {entry} asks for Python "
        f"{asked}, but pyproject.toml claims "
        f"{PROJECT['requires-python']}: it fails on {', '.join(unfit)}: make lock"
    )


def test_a_version_that_leaves_out_debian_s_python_is_found():
    assert outside(Requirement("soupsieve==4.1.2"), ">=3.11.5")[:3] == [
        "3.11.0",
        "3.11.1",
        "3.11.2",
    ]
    later = Requirement("soupsieve==4.1.2 ; python_full_version >= '3.11.5'")
    assert outside(later, ">=3.11.5") == []
