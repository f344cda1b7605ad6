"""coreplay serve: a real server process, its workers, its end."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from app.cli import main
from tests.support.tree import ROOT

OBJECT = ROOT / "tests" / "golden" / "objects" / "enum1348.clang19.v3.el.o"


@contextmanager
def server(log: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], httpx2.Client]]:
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", *arguments]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=ROOT
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"coreplay: (http://127\.0\.0\.1:\d+)/\n", line)
        assert found, log.read_text()
        assert "real kernel" in process.stdout.readline()
        with httpx2.Client(base_url=found[1], timeout=30) as client:
            yield process, client
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def analyse(client: httpx2.Client, name: str) -> httpx2.Response:
    body = {
        "object_base64": base64.b64encode(OBJECT.read_bytes()).decode(),
        "object_name": name,
        "kernels": ["6.1.0-56-amd64"],
        "loaders": ["libbpf@1.7.0"],
    }
    return client.post("/api/v1/analyses", content=json.dumps(body), headers=JSON)


JSON = {"content-type": "application/json"}


def test_server_survives_its_workers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with server(tmp_path / "log", "--workers", "1") as (process, client):
        assert client.get("/healthz").json()["status"] == "ok"
        assert analyse(client, "a").status_code == 200
        for pid in workers_of(process):
            os.kill(pid, signal.SIGKILL)
        assert analyse(client, "b").status_code in (200, 503)
        assert analyse(client, "c").status_code == 200
        last = workers_of(process)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
        assert time.monotonic() - began < 6
        assert last
        # Workers end when their pipe does, which may be a moment after the server has gone.
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{pid}/exe").exists() for pid in last):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_misspelt_setting_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COREPLAY_PROT", "1")
    with server(tmp_path / "log") as (_, client):
        client.get("/healthz")
    assert "COREPLAY_PROT is not a setting" in (tmp_path / "log").read_text()


def test_port_in_use_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert "coreplay: error[address-in-use]: " in capsys.readouterr().err
