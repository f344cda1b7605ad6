"""The real verifier on the page, with guests: asked from the result, followed, its log read."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.sandbox import clang, jail
from tests.e2e.test_accessible import findings
from tests.support import guests
from tests.support.tree import ROOT

pytestmark = pytest.mark.vm
LOADING = """#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 sum = 0;

	for (int i = 0; i < 60; i++) {
		if (data + i + 1 > end)
			break;
		sum += ((__u8 *)data)[i];
		if (sum & 1)
			sum ^= 3;
	}
	return *(int *)((long)sum + 8);
}

char LICENSE[] SEC("license") = "GPL";
"""
ANSWERED = "#verify-answer .verify-job:not([data-running]) .verdict-table"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that knows the guests of the tests; it takes the place of the usual one."""
    guests.require()
    if not jail.available().ok or not clang.installed():
        pytest.skip("the page cannot be tried without clang in a jail")
    for series in ("6.1", "newest"):
        guests.guest(series)
    data = tmp_path_factory.mktemp("with-guests")
    (data / "vm").symlink_to(guests.CACHE / "vm")
    (data / "kernels").symlink_to(guests.CACHE / "vm-kernels" / "kernels")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = data / "log"
    command = [sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            env=os.environ | {"COREPLAY_DATA": str(data)},
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process, log)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(400):
        if process.poll() is not None:
            pytest.fail(f"the server ended: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(address, timeout=10):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"the server did not answer: {log.read_text()[-2000:]}")


def ask(page: Page, button: str = "Ask") -> None:
    page.locator("#verify").get_by_role("button", name=button, exact=True).click()
    expect(page.locator(ANSWERED)).to_be_visible(timeout=60_000)


def test_issue_1348_before_the_kernel(open_page):
    page = open_page("/analyse?example=enum-1348")
    ask(page)
    rows = page.locator(".verdict-table tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("refused EACCES")
    expect(rows.nth(0)).to_contain_text("as predicted")
    expect(rows.nth(1)).to_contain_text("loads")
    assert page.url.endswith("/analyse?example=enum-1348")
    rows.nth(0).get_by_role("link", name="Log of").click()
    expect(page.locator(".log-line.is-error")).to_be_in_viewport()
    page.locator(".log-line[data-key]").first.hover()
    expect(page.locator("#rows tr.lit")).not_to_have_count(0)
    page.get_by_role("link", name="Back to the verdicts").click()
    expect(rows).to_have_count(2)


def test_the_silent_sibling_gives_two_answers(open_page):
    page = open_page("/analyse?example=guard-then-code")
    page.get_by_label("run it once on").check()
    ask(page)
    expect(page.locator(".verify-different")).to_contain_text("the same input gives")
    expect(page.locator(".verdict-table .returned")).to_have_count(2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, scheme):
    page = open_page("/analyse?example=enum-1348", color_scheme=scheme)
    assert findings(page) == []
    ask(page)
    assert findings(page) == []
    page.get_by_role("link", name="Log of").first.click()
    expect(page.locator(".verify-log")).to_be_visible()
    assert findings(page) == []


def test_without_scripts_on_all_kernels(open_page):
    page = open_page(java_script_enabled=False)
    page.locator("#source").fill(LOADING)
    page.locator("#run").click()
    page.locator("#verify").get_by_role("button", name="kernels").click()
    _until_done(page)
    refused = page.locator(".verdict-table tr.is-refused")
    expect(refused.first).to_contain_text("EACCES")
    refused.last.get_by_role("button", name="Ask for the level 2 log").click()
    while not page.locator(".verify-log").count():
        page.wait_for_timeout(1000)
        page.reload()
    expect(page.locator(".log-line.is-error")).to_have_count(1)
    assert page.locator(".log-line").count() <= 500
    page.get_by_role("link", name="first").first.click()
    expect(page.get_by_text("lines 1 to 500 of").first).to_be_visible()
    page.get_by_role("searchbox").fill("insn 4")
    page.get_by_role("button", name="Find next").click()
    expect(page.locator(".log-line[aria-current]")).to_contain_text("4: (")
    expect(page.locator(".registers")).to_be_visible()


def _until_done(page: Page) -> None:
    for _ in range(60):
        if not page.locator("[data-running]").count():
            return
        page.wait_for_timeout(1000)
        page.reload()
    pytest.fail("it does not end")


def test_the_log_on_a_page_of_its_own(open_page):
    page = open_page("/analyse?example=enum-1348")
    ask(page)
    page.get_by_role("link", name="On a page of its own").click()
    page.get_by_role("button", name="Ask for the level 2 log").first.click()
    lines = page.locator("#log-lines")
    expect(lines).to_be_visible(timeout=60_000)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert findings(page) == []
    lines.focus()
    current = page.locator(".log-line[aria-current]")
    before = current.get_attribute("id")
    page.keyboard.press("k")
    expect(current).not_to_have_id(str(before))
    number = str(current.get_attribute("id")).removeprefix("log-")
    expect(page.locator("#log-state")).to_contain_text(f"Registers at line {number}")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= 390")
    assert findings(page) == []
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()
    assert "R0 !read_ok" in Path(waiting.value.path()).read_text()
