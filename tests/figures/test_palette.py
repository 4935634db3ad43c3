"""The one color file: contrast, and distance under simulated color blindness."""

import itertools

import numpy as np
import pytest

from helpers import figures
from layers_book.plot_style import SERIES

STROKES = ("input", "kernel", "output", "gradient", "statistic")
# Machado, Oliveira and Fernandes 2009, severity 1.0, linear RGB.
SIGHT = {
    "usual": np.eye(3),
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)


def linear(color: str) -> np.ndarray:
    c = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    low, high = sorted(float(linear(c) @ TO_XYZ[1]) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def lab(color: str, sight: str) -> np.ndarray:
    seen = np.clip(np.array(SIGHT[sight]) @ linear(color), 0, 1)
    xyz = TO_XYZ @ seen / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_palette_is_readable(theme: str) -> None:
    color = figures.tokens()[theme]
    for ground in ("bg", "surface"):
        for role in ("ink", "muted", "error", *STROKES):
            assert contrast(color[role], color[ground]) >= 4.5, (role, ground)
        assert contrast(color["padding"], color[ground]) >= 3, ground
    for role in (*STROKES, "error"):
        assert contrast(color["ink"], color[f"{role}-fill"]) >= 7, role
        assert contrast(color[role], color[f"{role}-fill"]) >= 3, role
    assert contrast(color["error"], color["error-fill"]) >= 4.5
    assert contrast(color["muted"], color["statistic-fill"]) >= 3


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_strokes_differ_for_every_eye(theme: str, sight: str) -> None:
    color = figures.tokens()[theme]
    for a, b in itertools.combinations(STROKES, 2):
        distance = np.linalg.norm(lab(color[a], sight) - lab(color[b], sight))
        assert distance >= 15, (a, b, distance)


def test_series_differ_in_gray_and_are_no_role_s() -> None:
    color = figures.tokens()["light"]
    for series in SERIES:
        assert contrast(series, color["bg"]) >= 4.5, series
        for role, sight in itertools.product(STROKES, SIGHT):
            distance = np.linalg.norm(lab(series, sight) - lab(color[role], sight))
            assert distance >= (20 if sight == "usual" else 10), (series, role, sight)
        for role in ("error", "padding"):
            distance = np.linalg.norm(lab(series, "usual") - lab(color[role], "usual"))
            assert distance >= 15, (series, role)
    gray = sorted(lab(series, "usual")[0] for series in SERIES)
    assert min(np.diff(gray)) >= 8, "each is lighter than the one before"


@pytest.mark.parametrize("sight", SIGHT)
def test_series_differ_for_every_eye(sight: str) -> None:
    for a, b in itertools.combinations(SERIES, 2):
        distance = np.linalg.norm(lab(a, sight) - lab(b, sight))
        assert distance >= 15, (a, b, distance)


def test_themes_name_the_same_roles() -> None:
    light, dark = figures.tokens()["light"], figures.tokens()["dark"]
    assert light.keys() == dark.keys()
    roles = ("input", "kernel", "output", "gradient", "statistic", "padding", "error")
    assert {r for role in roles for r in (role, f"{role}-fill")} < light.keys()
