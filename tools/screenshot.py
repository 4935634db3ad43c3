"""The README's picture: run it after the figure NormalizedAxes changed its looks."""

from pathlib import Path

from site_server import blocked_page, launch, serve

ROOT = Path(__file__).parent.parent


def main() -> None:
    target = ROOT / ".github" / "normalized_axes.png"
    with (
        serve(ROOT / "_build" / "html") as base,
        launch() as browser,
        blocked_page(browser, base, width=1000) as (tab, _),
    ):
        tab.goto(base + "book/index.html", wait_until="networkidle")
        tab.locator("nn-normalized-axes").screenshot(path=target)
    print(f"written: {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
