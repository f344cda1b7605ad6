"""A real server process with a data folder of its own, as the cases need it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

from bench.figures import Skipped

START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers; `address` is host and port."""

    process: subprocess.Popen[str]
    address: str

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, object]:
        """Send JSON and give the answer; Skipped where this machine cannot compile."""
        status, text = self._ask("POST", path, json.dumps(body))
        answer: dict[str, object] = json.loads(text)
        if status == 503:
            raise Skipped(text)
        assert status == 200, text
        return answer

    def memory(self) -> tuple[int, int]:
        """Give (RSS of the server process, PSS of it and its workers together) in bytes."""
        tree = [self.process.pid, *_below(self.process.pid)]
        return _field(self.process.pid, "Rss"), sum(_field(pid, "Pss") for pid in tree)

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def wait(self) -> None:
        """Return once requests are answered."""
        until = monotonic() + START_SECONDS
        while monotonic() < until:
            try:
                if self._ask("GET", "/healthz")[0] == 200:
                    return
            except OSError:
                sleep(0.05)
        raise RuntimeError("the server does not answer")


@contextmanager
def running() -> Iterator[Server]:
    """Start a server on a free port; end it, and its workers with it, at the end."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COREPLAY_")}
        environment |= {"COREPLAY_DATA": folder, "COREPLAY_LOG_LEVEL": "warning"}
        if "COREPLAY_JAIL" in os.environ:
            environment["COREPLAY_JAIL"] = os.environ["COREPLAY_JAIL"]
        command = [str(Path(sys.executable).with_name("coreplay")), "serve", "--port", "0"]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True, cwd=folder
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()  # coreplay: http://127.0.0.1:PORT/
            server = Server(process, urlsplit(line.rpartition(" ")[2].strip()).netloc)
            server.wait()
            yield server
        finally:
            process.terminate()
            process.wait(timeout=20)


def _below(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *_below(child)]
    return found


def _field(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {name} in smaps_rollup of {pid}")
