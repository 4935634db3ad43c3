"""The first cell of every notebook; whoever writes one puts URL and TAG in."""

# Makes the book's `helpers` importable where it is missing: Colab, an empty folder.
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import distributions

found = importlib.util.find_spec("helpers")
if found is None or found.origin is None:
    install = [sys.executable, "-m", "pip", "install", "-q"]
    if importlib.util.find_spec("pip") is None:
        install = ["uv", "pip", "install", "-q", "--python", sys.executable]
    if shutil.which(install[0]) is None:
        raise ImportError(f"No pip here: run `{sys.executable} -m ensurepip` first.")
    if shutil.which("git") is None:
        raise ImportError("No git here: install it, and run this cell again.")
    keep = pathlib.Path(tempfile.mkdtemp(), "keep.txt")  # these stay as you have them
    names = ("torch", "numpy", "ipywidgets")
    kept = [f"{n}=={d.version}\n" for n in names for d in distributions(name=n)]
    keep.write_text("".join(kept))
    url = "git+URL"
    for source in (f"{url}@TAG", url):  # newer than its release: the main branch
        command = [*install, "-c", str(keep), source]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            break
    importlib.invalidate_caches()
    found = importlib.util.find_spec("helpers")
    if found is None or found.origin is None:
        offline = "resolve host" in done.stderr
        why = "there is no network" if offline else f"this is why:\n{done.stderr}"
        raise ImportError(f"The book's helpers could not be installed: {why}")
if "torch-layers-book" not in pathlib.Path(found.origin).read_text("utf8"):
    raise ImportError(
        f"The `helpers` that Python finds, {found.origin}, is not this book's: rename "
        "or uninstall it, restart the kernel and run this cell again."
    )
