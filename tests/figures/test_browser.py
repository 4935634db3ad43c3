"""Two of the figures in a real Chromium: keyboard, speech, themes, phones, weight."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from helpers import figures

AXES, RUNNING = "nn-normalized-axes", "nn-running-statistics"
Show = Callable[..., Page]
FOCUSED = """() => { let e = document.activeElement;
  while (e.shadowRoot) e = e.shadowRoot.activeElement;
  return e.getAttribute("aria-label"); }"""


def both() -> tuple[figures.Figure, figures.Figure]:
    return figures.NormalizedAxes(), figures.RunningStatistics()


def slide(page: Page, label: str, value: float) -> None:
    page.get_by_label(label, exact=True).evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", value
    )


def shared(page: Page) -> int:
    return page.locator(f"{AXES} .cell.share").count()


def test_javascript_is_light() -> None:
    code = figures.script()
    assert "</script" not in code
    for name in figures.FIGURES:
        assert len(figures.script(name)) < len(code)
    with pytest.raises(ValueError, match=r"name is 'axes': allowed are .*_axes"):
        figures.script("axes")


def test_grid_by_keyboard(show: Show) -> None:
    page = show(*both())
    page.evaluate(
        "addEventListener('keydown', (e) => {"
        " if (e.key !== 'Control') window.leaked = e.key; })"
    )
    grid = page.locator(f"{AXES} [role=grid]")
    assert grid.locator("[role=gridcell][tabindex='0']").count() == 1
    grid.locator("[tabindex='0']").focus()
    for key, place in (
        ("ArrowRight", "sample 0, channel 1, pixel 3"),
        ("ArrowRight", "sample 1, channel 1, pixel 0"),
        ("ArrowLeft", "sample 0, channel 1, pixel 3"),
        ("ArrowDown", "sample 0, channel 2, pixel 3"),
        ("Home", "sample 0, channel 2, pixel 0"),
        ("End", "sample 0, channel 2, pixel 3"),
        ("PageDown", "sample 1, channel 2, pixel 3"),
        ("Control+End", "sample 2, channel 3, pixel 3"),
        ("ArrowDown", "sample 2, channel 3, pixel 3"),
        ("Control+Home", "sample 0, channel 0, pixel 0"),
        ("ArrowUp", "sample 0, channel 0, pixel 0"),
    ):
        page.keyboard.press(key)
        label = page.evaluate(FOCUSED)
        assert label.startswith(f"{place}:"), (key, label)
        assert label.endswith("shares the statistics")
        assert grid.locator("[tabindex='0']").count() == 1
        assert grid.locator("[aria-selected=true]").count() == 1
    assert page.evaluate("window.leaked") is None
    page.keyboard.press("d")
    assert page.evaluate("window.leaked") is None


def test_every_control_is_reached_by_tab(show: Show) -> None:
    page = show(figures.NormalizedAxes("GroupNorm"))
    stops = []
    for _ in range(6):
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate(
                "() => { const a = document.activeElement.shadowRoot?.activeElement;"
                " return a && (a.getAttribute('role') || a.type || a.tagName); }"
            )
        )
    wanted = ["radio", "radio", "range", "SUMMARY", "gridcell", "button"]
    assert stops == wanted
    page.get_by_role("radio", name="GroupNorm").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"{AXES} .claim")).to_contain_text("RMSNorm")


def test_mouse_moves_the_set(show: Show) -> None:
    page = show(figures.NormalizedAxes())
    assert shared(page) == 12
    page.get_by_role("radio", name="LayerNorm").click()
    assert shared(page) == 16
    page.get_by_label("normalized_shape").select_option(label="(W,)")
    assert shared(page) == 2
    page.get_by_role("radio", name="text").click()
    assert shared(page) == 4
    page.get_by_role(
        "gridcell", name=re.compile("sample 1, channel 2, token 3")
    ).click()
    expect(page.locator(f"{AXES} p.sub")).to_contain_text(
        "sample 1, channels 0–3, token 3"
    )
    page.get_by_role("radio", name="BatchNorm").click()
    expect(page.locator(f"{AXES} .claim")).to_contain_text("3 of the 12 cells")
    page.get_by_role("radio", name="eval").click()
    assert shared(page) == 1
    expect(page.locator(f"{AXES} .facts")).to_contain_text("no cell")


def test_torchs_words_for_a_refusal(show: Show) -> None:
    page = show(figures.NormalizedAxes("GroupNorm", num_groups=2))
    slide(page, "num_groups", 3)
    error = page.locator(f"{AXES} .error")
    expect(error).to_have_text(
        "torch raises ValueError: num_channels (4) must be divisible by num_groups (3)"
    )
    assert shared(page) == 0
    slide(page, "num_groups", 4)
    expect(error).to_be_hidden()
    expect(page.locator(f"{AXES} .claim")).to_contain_text("InstanceNorm’s set")


def test_stepping_and_the_mode(show: Show) -> None:
    page = show(figures.RunningStatistics(steps=0))
    claim = page.locator(f"{RUNNING} .claim")
    expect(claim).to_have_text("After 0 steps the running mean is 0, the data’s mean 3")
    page.get_by_role("button", name="Step", exact=True).click()
    page.get_by_role("button", name="Step 10").press("Enter")
    expect(claim).to_contain_text("After 11 steps")
    mean = float(re.findall(r"is ([\d.]+),", claim.inner_text())[0])
    track = figures.RunningStatistics(steps=11).tracks()["running_mean"]
    assert mean == pytest.approx(track[-1], abs=0.01)
    page.get_by_role("radio", name="eval").click()
    before = claim.inner_text()
    page.get_by_role("button", name="Step 10").click()
    assert claim.inner_text() == before and "In eval mode nothing moves" in before
    page.get_by_role("radio", name="train").click()
    slide(page, "Batch size", 1)
    expect(page.locator(f"{RUNNING} .error")).to_contain_text(
        "ValueError: Expected more than 1 value per channel when training, "
        "got input size torch.Size([1, 1])"
    )
    expect(page.get_by_role("button", name="Step 10")).to_be_disabled()
    slide(page, "Batch size", 4)
    page.get_by_label("Momentum").select_option(label="None: average of all")
    page.get_by_role("button", name="Step", exact=True).click()
    log = page.locator(RUNNING).evaluate("(e) => e.figure.get().log")
    assert log[-1] == [1, 4, None, 3, 2, 1]
    page.get_by_role("button", name="Start again").click()
    expect(claim).to_contain_text("After 0 steps")


def test_predict_then_reveal(show: Show) -> None:
    page = show(figures.NormalizedAxes("InstanceNorm", predict=True))
    assert shared(page) == 0
    text = page.locator(AXES).evaluate("(e) => e.shadowRoot.textContent")
    assert "share one mean" not in text
    expect(page.locator(f"{AXES} .facts")).to_be_hidden()
    page.locator(f"{AXES} .ask").get_by_role("button", name="12", exact=True).click()
    expect(page.get_by_text("you said 12, it is 4.")).to_be_visible()
    assert shared(page) == 4
    page.get_by_role("radio", name="BatchNorm").click()
    assert shared(page) == 0
    page.locator(f"{AXES} .ask").get_by_role("button", name="12", exact=True).click()
    expect(page.get_by_text("Right: 12 cells.")).to_be_visible()
    assert shared(page) == 12


def test_speech(show: Show) -> None:
    """Names in the accessibility tree, and one polite, debounced live region."""
    page = show(*both())
    for tag, names in (
        (
            AXES,
            [
                "radiogroup|group 'Layer'",
                "radio 'BatchNorm' [checked]",
                "radio 'table'",
            ],
        ),
        (RUNNING, ["slider 'Batch size'", "combobox 'Momentum'", "button 'Step 10'"]),
    ):
        element = page.locator(tag)
        element.locator("summary").click()
        tree = element.aria_snapshot().replace('"', "'")
        for name in names:
            assert re.search(re.escape(name).replace(r"\|", "|"), tree), (name, tree)
        controls = re.findall(
            r"- (slider|combobox|radio|button|checkbox|grid)\b(.*)", tree
        )
        assert len(controls) > 8
        assert all(rest.startswith(" '") for _, rest in controls), tree
        assert element.locator("[aria-live=polite]").count() == 1
    assert re.search(r"img 'After 15 steps: running mean [\d.]+'", tree)
    live = page.locator(f"{AXES} [aria-live]")
    assert live.inner_text() == ""
    slide(page, "Samples (N)", 2)
    slide(page, "Channels (C)", 3)
    page.wait_for_timeout(150)
    assert live.inner_text() == ""
    expect(live).to_contain_text("BatchNorm mixes the samples: 8 cells share")
    expect(live).to_contain_text("3 sets of statistics")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe(show: Show, theme: str) -> None:
    page = show(*both(), figures.NormalizedAxes("GroupNorm", num_groups=3))
    page.evaluate("(t) => (document.documentElement.dataset.theme = t)", theme)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 15


def test_theme_follows_the_host(show: Show) -> None:
    page = show(*both(), color_scheme="dark")
    color = f"(e) => getComputedStyle(e.shadowRoot.querySelector('.fig')).{'{}'}"

    def ground() -> list[str]:
        return [
            page.locator(tag).evaluate(color.format("backgroundColor"))
            for tag in (AXES, RUNNING)
        ]

    assert ground() == ["rgb(255, 255, 255)"] * 2
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert ground() == ["rgb(18, 20, 23)"] * 2
    page.evaluate("delete document.documentElement.dataset.theme")
    assert ground() == ["rgb(18, 20, 23)"] * 2  # nothing said: the system's wish
    for name, value, dark in (
        ("jpThemeLight", "true", False),
        ("jpThemeLight", "false", True),
        ("vscodeThemeKind", "vscode-light", False),
        ("vscodeThemeKind", "vscode-dark", True),
    ):
        page.evaluate("([k, v]) => (document.body.dataset[k] = v)", [name, value])
        assert (ground()[0] == "rgb(18, 20, 23)") is dark
        page.evaluate("(k) => delete document.body.dataset[k]", name)
    page.evaluate("document.body.style.background = '#fff'")
    assert ground() == ["rgb(255, 255, 255)"] * 2
    page.emulate_media(media="print")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert ground() == ["rgb(255, 255, 255)"] * 2
    expect(page.locator(f"{AXES} .controls").first).to_be_hidden()


@pytest.mark.parametrize("L", [4, 8, 16])
def test_phone(show: Show, L: int) -> None:
    page = show(
        figures.NormalizedAxes(C=8, L=L, show="y"),
        figures.NormalizedAxes("GroupNorm", num_groups=3),
        figures.RunningStatistics(steps=200),
        viewport={"width": 360, "height": 740},
        is_mobile=True,
        has_touch=True,
    )
    for summary in page.locator("summary").all():
        summary.tap()
    measured = page.evaluate(
        """() => {
          const page = document.documentElement, past = [], small = [];
          for (const host of document.querySelectorAll("main > *")) {
            if (!host.shadowRoot) continue;
            const right = host.getBoundingClientRect().right;
            for (const e of host.shadowRoot.querySelectorAll("*")) {
              const b = e.getBoundingClientRect();
              if (b.width && !e.closest(".sr, svg, .slice") && b.right > right + 0.5)
                past.push(e.outerHTML.slice(0, 80));
              const target = "button, select, summary, input, .cell, .seg label";
              if (b.width && e.matches(target) && (b.width < 24 || b.height < 24)
                && !e.matches(".check input"))
                small.push([e.outerHTML.slice(0, 80), b.width, b.height]);
            }
          }
          return { over: page.scrollWidth - page.clientWidth, past, small };
        }"""
    )
    assert measured == {"over": 0, "past": [], "small": []}
    for block in page.locator(".block").all():
        wide = block.evaluate("(e) => e.scrollWidth > e.clientWidth")
        assert not wide or L == 16, "only a long tensor of the reader's own may scroll"
    cell = page.get_by_role("gridcell", name=re.compile("sample 2, channel 3")).first
    cell.tap()
    assert cell.get_attribute("aria-selected") == "true"


def test_without_javascript_the_table_is_there(show: Show) -> None:
    page = show(*both(), java_script_enabled=False)
    expect(page.locator(f"{AXES} table")).to_contain_text("12: 7, 6, 3, 8, 3, 7")
    expect(page.locator(f"{RUNNING} table")).to_contain_text("running mean")


def test_a_failing_figure_leaves_the_table(show: Show) -> None:
    broken = f"nnFigures.specs['{AXES}'].build = () => nowhere();"
    page = show(script=figures.script() + broken)
    page.evaluate(
        "(html) => document.body.insertAdjacentHTML('beforeend', html)",
        figures.NormalizedAxes().element(),
    )
    assert page.locator(AXES).evaluate("(e) => e.shadowRoot === null")
    expect(page.locator(f"{AXES} table")).to_be_visible()


def test_a_figure_far_below_is_drawn_at_once(show: Show) -> None:
    """Else what stands below it would move when the reader comes near."""
    page = show()
    figure = figures.RunningStatistics().element()
    page.evaluate(
        "(html) => document.body.insertAdjacentHTML('beforeend', html)",
        f'<p style="height: 5000px">far above</p>{figure}',
    )
    assert page.locator(RUNNING).evaluate("(e) => e.shadowRoot !== null")
    expect(page.locator(f"{RUNNING} .claim")).to_contain_text("After 15 steps")


def test_script_may_come_twice(show: Show) -> None:
    """Each notebook output carries its own copy, of its own figure."""
    one, two = map(figures.script, ("normalized_axes", "running_statistics"))
    page = show(*both(), script="</script><script>".join([one, two, one, two]))
    assert shared(page) == 12
    expect(page.locator(f"{RUNNING} .claim")).to_contain_text("After 15 steps")
    page.evaluate(
        "const e = document.querySelector('nn-running-statistics'); e.remove();"
        " document.body.append(e)"
    )
    expect(page.locator(f"{RUNNING} .claim")).to_contain_text("After 15 steps")


def test_reduced_motion_and_forced_colors(show: Show) -> None:
    page = show(*both(), reduced_motion="reduce", forced_colors="active")
    page.get_by_role("radio", name="LayerNorm").click()
    assert page.evaluate("document.getAnimations().length") == 0
    borders = page.locator(f"{AXES} .cell.share").first.evaluate(
        "(e) => getComputedStyle(e).borderTopStyle"
    )
    assert borders == "double"  # the mark that stays when fills are gone


def test_copy_gives_the_code(show: Show) -> None:
    page = show(figures.NormalizedAxes("LayerNorm"))
    page.evaluate("navigator.clipboard.writeText = async (t) => (window.copied = t)")
    page.get_by_role("button", name="Copy code").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert "layer = nn.LayerNorm((4, 2, 2))" in page.evaluate("window.copied")
