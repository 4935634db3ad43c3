"""What a notebook stores of a figure, and what importing it brings."""

import io
import json
import re
import subprocess
import sys
from html import unescape

import numpy as np
import pytest
from matplotlib.image import imread

import pages
from helpers import figures

IMPORT = """
import sys
import torch
before = set(sys.modules)
import helpers
slow = set("anywidget ipywidgets triton torch._dynamo torch.utils.flop_counter".split())
print(*sorted(slow & (set(sys.modules) - before)))
"""


@pytest.mark.parametrize(
    "figure",
    [
        figures.NormalizedAxes(),
        figures.NormalizedAxes("BatchNorm", "text", predict=True),
        figures.NormalizedAxes("GroupNorm", num_groups=3),
        figures.NormalizedAxes("InstanceNorm", "table"),
        figures.RunningStatistics(),
        figures.RunningStatistics(batch_size=1, steps=0),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("error")
def test_bundle(figure: figures.Figure) -> None:
    bundle = figure._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "text/html", "image/png"}
    assert bundle == figure._repr_mimebundle_()
    assert "\n" not in bundle["text/plain"] and " at 0x" not in bundle["text/plain"]
    page = bundle["text/html"]
    element, code = page.split("\n<script data-nn-figure>")
    assert len(element) < 1500
    assert code.endswith("</script>") and code.count("</script>") == 1
    state = json.loads(unescape(re.findall(r"state='([^']*)'", element)[0]))
    assert state == figure.state
    assert type(figure).from_state(state).state == state
    assert repr(type(figure).from_state(state)) == repr(figure)
    picture = imread(io.BytesIO(figure.png()))
    assert picture.shape[:2] == (256, 512)
    assert len(figure.png()) < 40_000
    assert np.ptp(picture[..., :3]) > 0.5


def test_state_is_only_what_differs() -> None:
    assert figures.NormalizedAxes().state == {}
    assert figures.NormalizedAxes("LayerNorm", N=2).state == {
        "norm": "LayerNorm",
        "N": 2,
    }


def test_the_import_brings_nothing_that_few_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n", "imported when they are asked for"


def test_figures_name_the_torch_that_the_tests_compare_them_with() -> None:
    words = f"checked against torch {pages.locked_torch()}"
    assert words in figures.script("lookup_table")
