"""A real server process, and pages that fail the test when anything at all goes wrong in them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.sandbox import clang, jail
from tests.support.tree import ROOT

OWN_PAGES = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup")
"""What the browser's address bar opens behind each window, and what takes as long as a test."""
UNWANTED = (*OWN_PAGES, "HttpsUpgrades", "MediaRouter", "OptimizationHints", "PaintHolding")
"""The rest is what Playwright switches off, too: of two lists only the last one counts."""
QUIET = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-features=" + ",".join((*UNWANTED, "Translate")),
)
SPY = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`);
});
"""
PATIENCE = 60_000
"""Milliseconds that a page may take on a machine that does other things, too."""
WARM = "/matrix?example=renamed-field"
"""What makes a new server read all kernels and start its workers: once, before any test waits."""
expect.set_options(timeout=PATIENCE)
DESKTOP = {"width": 1440, "height": 900}


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    """Start the browser without what it does on its own."""
    flags = browser_type_launch_args.get("args", [])
    assert isinstance(flags, list)
    return {**browser_type_launch_args, "args": [*flags, *QUIET, "--disable-sync"]}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of our own, which must be able to compile."""
    if not jail.available().ok or not clang.installed():
        pytest.skip("the page cannot be tried without clang in a jail")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=ROOT, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process, log)
        with urllib.request.urlopen(address + WARM, timeout=300) as answer:
            assert answer.status == 200
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail(f"the server ended: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"the server did not answer: {log.read_text()[-2000:]}")


class Watch:
    """What went wrong in a page; an expected failed request is told beforehand."""

    def __init__(self, page: Page) -> None:
        self.problems: list[str] = []
        self.expected: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))

    def _console(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        if kind in ("error", "warning") and not any(word in text for word in self.expected):
            self.problems.append(f"{kind}: {text}")


Opens = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, server: str) -> Iterator[Opens]:
    """Open an address in a context of its own; `expect` names the failures that belong there."""
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def opens(path: str = "/", *, expect: tuple[str, ...] = (), **options: object) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "base_url": server, **options})  # type: ignore[arg-type]
        contexts.append(context)
        context.add_init_script(SPY)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        watch = Watch(page)
        watch.expected = list(expect)
        watches.append(watch)
        page.goto(path)
        return page

    yield opens
    for context in contexts:
        context.close()
    assert [problem for watch in watches for problem in watch.problems] == []


@pytest.fixture
def issue_object(tmp_path: Path) -> Path:
    """The object of issue 1348 as a file."""
    from tests.support.issue1348 import program

    path = tmp_path / "issue1348.bpf.o"
    path.write_bytes(program().build())
    return path


def pytest_configure() -> None:
    """Tell Node to keep its remarks about old functions to itself."""
    os.environ.setdefault("NODE_OPTIONS", "--no-deprecation")
