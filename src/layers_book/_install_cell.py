"""The first cell of every notebook; whoever writes one puts URL and TAG in."""

# Makes the book's `helpers` importable where it is missing: Colab, an empty folder.
import importlib.metadata
import importlib.util
import pathlib
import subprocess
import sys
import tempfile

found = importlib.util.find_spec("helpers")
if found is None or found.origin is None:
    keep = pathlib.Path(tempfile.mkdtemp(), "keep.txt")  # the torch you have stays
    torches = importlib.metadata.distributions(name="torch")
    keep.write_text("".join(f"torch=={t.version}\n" for t in torches))
    pip = [sys.executable, "-m", "pip", "install", "-q", "-c", str(keep)]
    url = "git+URL"
    for source in (f"{url}@TAG", url):  # newer than its release: the main branch
        if subprocess.run([*pip, source]).returncode == 0:
            break
    importlib.invalidate_caches()
    found = importlib.util.find_spec("helpers")
if found is None or found.origin is None:
    raise ImportError("pip could not install the book's helpers: see what it says.")
if "torch-layers-book" not in pathlib.Path(found.origin).read_text("utf8"):
    raise ImportError(
        f"The `helpers` that Python finds, {found.origin}, is not this book's: rename "
        "or uninstall it, restart the kernel and run this cell again."
    )
