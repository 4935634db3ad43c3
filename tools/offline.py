"""One zip of the built book for readers without a network: `make offline`."""

import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    name = f"pytorch-layers-{project['version']}"
    target = ROOT / "dist" / f"{name}-offline.zip"
    target.parent.mkdir(exist_ok=True)
    html = ROOT / "_build" / "html"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(p for p in html.rglob("*") if p.is_file()):
            if path.suffix == ".inv" or path.name == ".buildinfo":
                continue
            entry = zipfile.ZipInfo(f"{name}/{path.relative_to(html)}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    size = target.stat().st_size / 1e6
    print(f"{target.relative_to(ROOT)} ({size:.1f} MB). To read it: unzip, then open")
    print(f"  {name}/index.html")


if __name__ == "__main__":
    main()
