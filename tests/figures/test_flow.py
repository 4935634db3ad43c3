"""Diagrams of what goes where: what is drawn, said and refused; looks in a browser."""

import re
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from torch import nn

from helpers import Node, draw_flow
from layers_book.flow import Flow
from layers_book.flow.plan import plan, touch, width, written
from layers_book.flow.routes import routes
from uses import uses

ROOT = Path(__file__).parents[2]


def batch_norm(training: bool) -> Flow:
    x = torch.zeros(8, 3)
    bn = nn.BatchNorm1d(3)
    nodes = {
        "x": Node("input", x, "N C"),
        "stored": Node("statistic", bn.running_mean, "C", "running_mean,\nrunning_var"),
        "learned": Node("kernel", bn.weight, "C", "weight, bias"),
        "scale": Node(label="multiply,\nadd"),
        "y": Node("output", bn(x), "N C"),
    }
    if training:
        nodes["batch"] = Node("statistic", x.mean(0), "C", "mean, var")
    return draw_flow(
        "In training, the batch's own statistics count"
        if training
        else "In eval mode, what was stored counts",
        f"""
        x          {"batch" if training else "."}  stored
        normalize  .        .
        scale      learned  .
        y          .        .
        """,
        "x -> batch -> normalize \n batch ..> stored: 10 %"
        "\n x -> normalize -> scale -> y \n learned -> scale"
        if training
        else "x, stored -> normalize -> scale -> y \n learned -> scale",
        nodes,
    )


def lstm() -> Flow:
    return draw_flow(
        "An LSTM cell: the cell state is only multiplied and added to",
        """
        c_t-1  ×#keep  +        .    .       c_t
        .      .       ×#write  .    tanh    .
        .      .       .        .    ×#show  h_t
        .      f_t     i_t      g_t  o_t     .
        given  .       .        .    .       .
        """,
        """
        given -> f_t, i_t, g_t, o_t
        c_t-1, f_t -> ×#keep -> + -> c_t
        i_t, g_t -> ×#write -> + -> tanh -> ×#show -> h_t
        o_t -> ×#show
        """,
        {
            "c_t-1": Node("input"),
            "given": Node("input", label="h_t-1\nx_t"),
            "c_t": Node("output"),
            "h_t": Node("output"),
        },
    )


def residual() -> Flow:
    weight = Node("kernel", (16, 16, 3, 3), "C C k_H k_W")
    image = (2, 16, 8, 8)
    return draw_flow(
        "A residual block learns a difference",
        """
        .  x      .
        .  conv1  weight1
        .  relu   .
        .  conv2  weight2
        .  +      .
        .  y      .
        """,
        """
        x -> conv1 -> relu -> conv2 -> + -> y
        weight1 -> conv1
        weight2 -> conv2
        x -> +
        """,
        {
            "x": Node("input", image, "N C H W"),
            "weight1": weight,
            "weight2": weight,
            "y": Node("output", image, "N C H W"),
        },
        {"what is learned": "conv1 weight1 relu conv2 weight2"},
    )


def roles() -> Flow:
    return draw_flow(
        "Every role has its border",
        """
        x        layer       y
        dx       backward    dy
        padding  error       mean
        _weight  .           .
        """,
        "x -> layer -> y \n dy -> backward -> dx \n y -> dy: loss",
        {
            "x": Node("input"),
            "y": Node("output"),
            "dx": Node("gradient"),
            "dy": Node("gradient"),
            "padding": Node("padding"),
            "error": Node("error", label="RuntimeError"),
            "mean": Node("statistic"),
            "_weight": Node("kernel"),
        },
    )


DRAWN: dict[str, Callable[[], Flow]] = {
    "training": lambda: batch_norm(True),
    "eval": lambda: batch_norm(False),
    "lstm": lstm,
    "residual": residual,
    "roles": roles,
}


@pytest.fixture(params=DRAWN)
def flow(request: pytest.FixtureRequest) -> Flow:
    return DRAWN[request.param]()


def test_nothing_lies_on_anything(flow: Flow) -> None:
    found = plan(flow)
    for a, b in combinations(found.boxes.values(), 2):
        assert not touch(a.area, b.area)
    for arrow, way in found.ways.items():
        for (x, y), (u, v) in pairwise(way):
            assert (x == u) != (y == v), "arrows run across or down"
            line = (min(x, u), min(y, v), max(x, u) or 1, max(y, v))
            for name, box in found.boxes.items():
                assert not touch(line, box.area), (arrow, name)
        for name, (x, y) in ((arrow.source, way[0]), (arrow.target, way[-1])):
            box = found.boxes[name]
            assert (abs(x - box.x), abs(y - box.y)) in ((box.a, 0), (0, box.b))
        (x, y), (u, v) = way[-2:]
        assert abs(u - x) + abs(v - y) >= 14, "room for the head"
    for arrow, place in found.words.items():
        own = written(arrow.label, place)
        others = [area for area in found.areas() if area != own]
        assert not any(touch(own, area) for area in others)


def test_arrows_of_strangers_share_no_line(flow: Flow) -> None:
    for (a, one), (b, two) in combinations(flow.routes.items(), 2):
        if a[0] != b[0] and a[1] != b[1]:
            steps = {frozenset(step) for step in pairwise(one)}
            assert steps.isdisjoint(frozenset(step) for step in pairwise(two)), (a, b)


def test_arrows_go_around() -> None:
    there, back = ("a", "b"), ("b", "a")
    with pytest.raises(ValueError, match="arrow 'b' -> 'a' finds no way"):
        routes({"a": (0, 0), "b": (1, 0)}, [there, back])
    found = routes({"a": (0, 0), "b": (1, 0), "c": (2, 1)}, [there, back])
    assert found[back] == [(1, 0), (1, 1), (0, 1), (0, 0)]
    cross = {"a": (1, 0), "b": (1, 2), "c": (0, 1), "d": (2, 1)}
    ways = routes(cross, [there, ("c", "d")])
    assert [len(way) for way in ways.values()] == [3, 3], "in an empty cell they cross"


def test_words_stand_at_their_own_arrow() -> None:
    flow = draw_flow(
        "A share", "a b \n . c \n z w", "z -> a \n z -> c: 1 − z \n c -> b"
    )
    found = plan(flow)
    (x, y, anchor), box = next(iter(found.words.values())), found.boxes["c"]
    assert anchor == "middle" and found.xs[0] < x < box.x - box.a
    assert abs(y - box.y) < 20, "not beside what z -> a and z -> c share"
    framed = plan(residual())
    caption = framed.captions["what is learned"]
    assert caption > framed.xs[1], "right of the arrow that enters"


def test_picture_is_small_and_the_same_each_time(flow: Flow) -> None:
    html = flow._repr_html_()
    assert len(html.encode()) < 5000
    (again,) = (make() for make in DRAWN.values() if make().title == flow.title)
    assert again._repr_html_() == html
    assert "<script" not in html and "http" not in html


def test_ids_differ_within_a_page() -> None:
    ids = re.findall(r' id="(\w+)"', "".join(m()._repr_html_() for m in DRAWN.values()))
    assert len(set(ids)) == len(ids) == 2 * len(DRAWN)


def test_sentences_say_what_is_drawn() -> None:
    assert repr(batch_norm(True)).split("\n") == [
        "In training, the batch's own statistics count",
        "x is an input of shape (N, C) = (8, 3).",
        "“mean, var” and “running_mean, running_var” are statistics of shape "
        "(C,) = (3,).",
        "“weight, bias” is a weight of shape (C,) = (3,).",
        "y is an output of shape (N, C) = (8, 3).",
        "x goes to “mean, var” and normalize.",
        "“mean, var” goes to normalize.",
        "“mean, var” updates “running_mean, running_var” (10 %).",
        "normalize goes to “multiply, add”.",
        "“multiply, add” goes to y.",
        "“weight, bias” goes to “multiply, add”.",
    ]
    assert "× (keep) goes to +." in repr(lstm())
    assert "Inside what is learned: conv1, weight1" in repr(residual())


def test_shapes_come_from_tensors() -> None:
    html = residual()._repr_html_()
    assert "(N,  C, H, W)<" in html and "(2, 16, 8, 8)<" in html
    gates = {"h": Node("input", (2, 5), "N H"), "sums": Node("", (2, 20), "N 4H")}
    assert "sums is of shape (N, 4H) = (2, 20)." in repr(
        draw_flow("Four gates", "sums h", "h -> sums", gates)
    )


@pytest.mark.parametrize(
    ("tensor", "axes", "words"),
    [
        ((8, 4), "N C", r"node 'y': axis C of y \(8, 4\) is 4, not 3 as in x"),
        ((8, 3), "N C L", r"node 'y': y has 2 axes \(8, 3\); 'N C L' names 3"),
        ((8, 7), "N 2C", r"axis 2C of y \(8, 7\) is 7, not 6"),
        ((8, 3), "N 1", r"axis 1 of y \(8, 3\) is 3, not 1"),
    ],
)
def test_letters_must_fit(tensor: tuple[int, ...], axes: str, words: str) -> None:
    x = Node("input", torch.zeros(8, 3), "N C")
    with pytest.raises(AssertionError, match=words):
        draw_flow("Wrong", "x y", "x -> y", {"y": Node("output", tensor, axes), "x": x})


@pytest.mark.parametrize(
    ("layout", "arrows", "nodes", "frames", "words"),
    [
        ("x y", "x -> z", {}, {}, "arrow 'x -> z' names 'z', .* it has x, y"),
        ("x y", "x y", {}, {}, "arrows has 'x y': write 'x -> y'"),
        ("x y", "x -> x", {}, {}, "arrow 'x' -> 'x': only one, to another"),
        ("x x", "", {}, {}, "layout has 'x' twice: call the second x#2"),
        (". .", "", {}, {}, "give at least one node"),
        ("x y", "", {"z": Node()}, {}, "nodes has 'z', which the layout lacks"),
        ("x y", "", {"x": Node("weight")}, {}, "role of 'x' is 'weight': .* kernel"),
        ("x y", "", {"x": Node(axes="N")}, {}, "axes of 'x' are 'N': give its tensor"),
        ("x y z", "x -> z", {}, {}, "arrow 'x' -> 'z' finds no way: leave an empty"),
        ("x y z", "", {}, {"all": "x z"}, "frame 'all' would enclose 'y'"),
        ("x y", "", {}, {"all": "x w"}, "frame 'all' names 'w'"),
        ("x y z " + "w" * 50, "", {}, {}, r"wide, a phone shows 400: its columns are"),
        ("a b c \n d e f", "a -> d \n c -> f \n b -> e: much", {}, {}, "has no room"),
    ],
)
def test_errors_name_what_is_wrong(
    layout: str,
    arrows: str,
    nodes: dict[str, Node],
    frames: dict[str, str],
    words: str,
) -> None:
    with pytest.raises(ValueError, match=words):
        draw_flow("Wrong", layout, arrows, nodes, frames)


def test_a_page_that_draws_is_stale_when_the_drawing_changes() -> None:
    used = uses("no/page", ["from helpers import draw_flow"], ROOT)
    files = {f"layers_book/flow/{name}.py" for name in ("diagram", "plan", "picture")}
    assert files < used.keys()


HOSTS = {
    "book": ('data-theme="{}"', ""),
    "colab": ('theme="{}"', ""),
    "jupyter": ("", 'data-jp-theme-light="{}"'),
    "vscode": ("", 'data-vscode-theme-kind="vscode-{}"'),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("host", [*HOSTS, "system", "printer"])
def test_colors_follow_the_host(browser: Browser, host: str, theme: str) -> None:
    root, body = HOSTS.get(host, ("", ""))
    word = str(theme == "light").lower() if host == "jupyter" else theme
    # the system wishes the opposite, where the host says something
    wish = (
        theme
        if host in ("system", "printer")
        else {"light": "dark"}.get(theme, "light")
    )
    page = browser.new_page(color_scheme=wish)
    page.set_content(
        f"<html {root.format(word)}><body {body.format(word)}>{lstm()._repr_html_()}"
    )
    if host == "printer":
        page.emulate_media(media="print", color_scheme=wish)
    look = page.locator("svg").evaluate("e => getComputedStyle(e).backgroundColor")
    dark = theme == "dark" and host != "printer"
    assert look == ("rgb(18, 20, 23)" if dark else "rgb(255, 255, 255)")
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_phone_shows_readable_words(browser: Browser, theme: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    drawn = "".join(make()._repr_html_() for make in DRAWN.values())
    page.set_content(
        f'<html lang="en" data-theme="{theme}"><title>flow</title>'
        f'<body style="margin:16px"><main><h1>Flow</h1>{drawn}</main>'
    )
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
    sizes = page.locator("text").evaluate_all(
        """(all) => all.map((e) => parseFloat(getComputedStyle(e).fontSize)
          * e.getScreenCTM().a)"""
    )
    assert min(sizes) > 9.7
    outside = page.locator("g:has(> rect, > circle) > text").evaluate_all(
        """(all) => all.filter((text) => {
          const box = text.parentNode.firstChild.getBoundingClientRect();
          const { left, right, top, bottom } = text.getBoundingClientRect();
          return !(left > box.left && right < box.right && top > box.top - 1
            && bottom < box.bottom + 1);
        }).map((text) => text.textContent)"""
    )
    assert outside == []
    named = page.get_by_role(
        "img", name="In training, the batch's own statistics count"
    )
    assert named.count() == 1
    page.close()


def test_estimated_widths_suffice(browser: Browser) -> None:
    page = browser.new_page()
    words = ["mean, var", "weight, bias", "Conv2d", "state_dict()", "h_t-1", "momentum"]
    for bold in (False, True):
        for word in words:
            if "_" not in word:
                weight = 600 if bold else 400
                page.set_content(
                    f"<span style='font:{weight} 13px system-ui,sans-serif'>{word}"
                )
                real = page.locator("span").evaluate("e => e.offsetWidth")
                assert real <= width(word, 13, bold) + 3, word
    page.close()
