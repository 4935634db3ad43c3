"""How long pages train, and how results are said."""

import math
import re

import nbformat
import pytest
import torch
from nbclient import NotebookClient

from helpers import paired, steps, table
from helpers._training import FACTOR, Difference


def test_steps_follow_the_factor(monkeypatch):
    monkeypatch.delenv(FACTOR, raising=False)
    assert steps(600) == 600
    monkeypatch.setenv(FACTOR, "10")
    assert steps(600) == 6000
    assert list(range(steps(2)))[-1] == 19


@pytest.mark.parametrize("factor", ["", "0", "-1", "2.5", "ten", "1e1", "²"])
def test_a_bad_factor_is_named(monkeypatch, factor):
    monkeypatch.setenv(FACTOR, factor)
    with pytest.raises(ValueError, match=r"LAYERS_BOOK_FACTOR is '.*whole number"):
        steps(1)


@pytest.mark.parametrize("number", [0, -5, 2.5, True, "600", None, float("nan")])
def test_a_bad_number_of_steps_is_named(number):
    with pytest.raises(ValueError, match=r"number is .*: give a whole number from 1"):
        steps(number)


def test_paired_is_the_mean_of_differences_and_its_error():
    torch.manual_seed(0)
    a, b = torch.randn(2, 7).double()
    d = (a - b).tolist()
    mean = sum(d) / 7
    deviation = math.sqrt(sum((x - mean) ** 2 for x in d) / 6)
    found = paired(a, b)
    assert found.mean == pytest.approx(mean, abs=1e-12)
    assert found.error == pytest.approx(deviation / math.sqrt(7), abs=1e-12)
    mean_of_a, error_of_a = paired(a, torch.zeros(7))
    assert mean_of_a == pytest.approx(a.mean().item(), abs=1e-12)
    assert error_of_a != pytest.approx(found.error)


def test_paired_takes_what_pages_have():
    wanted = Difference(2.0, 0.0)
    assert paired([3, 4], [1, 2]) == wanted
    assert paired((3.0, 4.0), torch.tensor([1, 2])) == wanted
    assert paired([torch.tensor(3.0), torch.tensor(4.0)], [1, 2]) == wanted
    half = torch.tensor([3.0, 4.0], dtype=torch.float16, requires_grad=True)
    assert paired(half, [1, 2]) == wanted
    assert paired(torch.tensor([True, True]), torch.tensor([False, True])).mean == 0.5
    assert math.isnan(paired([1.0, float("nan")], [0.0, 0.0]).mean), "it is not hidden"


@pytest.mark.parametrize(
    ("a", "b"),
    [([1.0], [1.0]), ([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]]), ([], []), (1.0, 2.0)],
)
def test_paired_names_the_shapes(a, b):
    with pytest.raises(ValueError, match=r"a and b have shapes .* at least two seeds"):
        paired(a, b)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (".1f", "-2.4 ± 0.3"),
        ("+.1f", "-2.4 ± 0.3"),
        (".0%", "-240% ± 30%"),
        (".2e", "-2.40e+00 ± 3.00e-01"),
        ("", "-2.4 ± 0.3"),
    ],
)
def test_a_difference_formats_both(spec, text):
    assert f"{Difference(-2.4, 0.3):{spec}}" == text


def test_a_difference_has_no_negative_zero():
    assert f"{Difference(-0.01, 0.02):.1f}" == "0.0 ± 0.0"
    assert f"{Difference(-0.01, 0.02):+.1f}" == "+0.0 ± 0.0"
    assert f"{Difference(2.0, 0.5):+.1f}" == "+2.0 ± 0.5"
    assert f"{Difference(math.nan, math.nan):.1f}" == "nan ± nan"


@pytest.mark.parametrize("spec", [">8.1f", "d", "z.1f", "08.1f", "x"])
def test_a_difference_names_a_format_it_lacks(spec):
    with pytest.raises(ValueError, match=r"the format is .*: give one such as \.1f"):
        format(Difference(1.0, 2.0), spec)


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_a_table_aligns_words_left_and_numbers_right(capsys):
    table(["layer", "error", "n"], [["BatchNorm", 4.25, 3], ["none", 12, 1000]])
    assert lines(capsys) == [
        "layer      error     n",
        "BatchNorm   4.25     3",
        "none          12  1000",
    ]


def test_a_table_prints_three_digits_and_no_negative_zero(capsys):
    values = [1 / 3, -0.0, -0.0001, 12345.0, math.nan, math.inf, torch.tensor(2 / 3)]
    table(["x"], [[v] for v in values])
    words = ["x", "0.333", "0", "-0.0001", "1.23e+04", "nan", "inf", "0.667"]
    assert [line.strip() for line in lines(capsys)] == words


def test_a_table_keeps_integers_and_words_whole(capsys):
    table(["x"], [[123456], [True], [torch.tensor(1234567)], [None], ["-2.4 ± 0.3"]])
    words = ["x", "123456", "True", "1234567", "None", "-2.4 ± 0.3"]
    printed = lines(capsys)
    assert [line.strip() for line in printed] == words
    assert len(set(map(len, printed))) == 1, "a mixed column stands to the right"


def test_a_table_may_have_no_rows_and_any_iterable(capsys):
    table(["a", "b"], [])
    table(["a", "b"], ((i, f"{i}") for i in range(2)))
    assert lines(capsys) == ["a  b", "a  b", "0  0", "1  1"]


def test_a_notebook_shows_a_table(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    rows = [["a < b", "1,204", 2.0, "-0.4 ± 0.2"], ["c", "-", 30, "12 %"]]
    table(["way", "bytes", "n", "error"], rows)
    table(["way", "note"], [["a", "1"], ["b", "one"]])
    first, second = shown
    assert repr(first).splitlines() == [
        "way    bytes   n  error",
        "a < b  1,204   2  -0.4 ± 0.2",
        "c      -      30  12 %",
    ]
    html = first._repr_html_()
    assert html.count("<tr>") == 3
    cells = re.findall(r'<t([hd]) style="text-align: (\w+)">(.*?)</t\1>', html)
    assert [(kind, text) for kind, _, text in cells] == [
        *[("h", text) for text in ("way", "bytes", "n", "error")],
        *[("d", text) for text in ("a &lt; b", "1,204", "2", "-0.4 ± 0.2")],
        *[("d", text) for text in ("c", "-", "30", "12 %")],
    ]
    assert [side for _, side, _ in cells] == ["left", "right", "right", "right"] * 3
    assert set(re.findall(r"text-align: (\w+)", second._repr_html_())) == {"left"}


def test_a_cell_shows_its_tables_where_they_stand():
    code = "from helpers import table; print(1); table(['a'], [[2]]); print(3)"
    cell = nbformat.v4.new_code_cell(code)
    NotebookClient(nbformat.v4.new_notebook(cells=[cell])).execute()
    before, shown, after = cell.outputs
    assert (before.text, after.text) == ("1\n", "3\n")
    assert shown.output_type == "display_data"
    assert {**shown.data} == {
        "text/plain": "a\n2",
        "text/html": '<table class="rows">\n<thead><tr><th style="text-align: right">a'
        '</th></tr></thead>\n<tbody><tr><td style="text-align: right">2</td></tr>'
        "</tbody>\n</table>",
    }
    assert not shown.metadata


def test_a_table_names_the_row_that_does_not_fit(capsys):
    with pytest.raises(ValueError, match=r"row \['x'\] has 1 entries, not 2"):
        table(["a", "b"], [["y", 1], ["x"]])
    assert lines(capsys) == [], "nothing is printed by half"
