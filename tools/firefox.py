"""A Firefox without a window, driven by WebDriver BiDi, for the tests of the site.

playwright drives only a Firefox of its own; this takes the one of the machine.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

LISTENS = re.compile(r"listening on (ws\S+)\n")
PORT = "--remote-debugging-port=0"  # a free one


class Firefox:
    """One tab. What a script throws is raised as a ``RuntimeError``."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._sent = socket, 0
        self._ask("session.new", capabilities={})
        self._tab = self._ask("browsingContext.getTree")["contexts"][0]["context"]

    def _ask(self, method: str, **params: Any) -> Any:
        self._sent += 1
        command = {"id": self._sent, "method": method, "params": params}
        self._socket.send(json.dumps(command))
        while (told := json.loads(self._socket.recv())).get("id") != self._sent:
            pass  # an event
        if told["type"] == "error":
            raise RuntimeError(f"{method}: {told['message']}")
        return told["result"]

    def goto(self, url: str) -> None:
        """Open a page, and wait until it is loaded."""
        params = {"context": self._tab, "url": url, "wait": "complete"}
        self._ask("browsingContext.navigate", **params)

    def resize(self, width: int, height: int) -> None:
        """Give the window's inside this size."""
        size = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", context=self._tab, viewport=size)

    def evaluate(self, function: str, *arguments: Any) -> Any:
        """What a JavaScript function returns, or the promise it returns."""
        done = self._ask(
            "script.callFunction",
            # all goes there and back as JSON: BiDi's own values name their types
            functionDeclaration=f"async (given) => JSON.stringify("
            f"await ({function})(...JSON.parse(given)) ?? null)",
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            target={"context": self._tab},
            awaitPromise=True,
        )
        if done["type"] == "exception":
            raise RuntimeError(done["exceptionDetails"]["text"])
        return json.loads(done["result"]["value"])


def find() -> str | None:
    """The Firefox that ``FIREFOX`` names, or the machine's."""
    names = (os.environ.get("FIREFOX", ""), "firefox-esr", "firefox")
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def launch() -> Iterator[Firefox]:
    """A Firefox with an empty profile."""
    program = find()
    if program is None:
        raise FileNotFoundError(
            "no Firefox is found: install one, or name it: FIREFOX=/path/to/firefox"
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        log = Path(profile, "log")
        command = [program, "--headless", "--no-remote", "--profile", profile, PORT]
        with log.open("w") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            while not (found := LISTENS.search(log.read_text())):
                if process.poll() is not None:
                    raise RuntimeError(f"{program} ended: {log.read_text()}")
                time.sleep(0.05)
            with connect(f"{found[1]}/session", max_size=None) as socket:
                yield Firefox(socket)
        finally:
            process.kill()
            process.wait()
