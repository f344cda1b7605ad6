"""Logs over HTTP: pages, the error's page first, searches, registers, hostile text, long ones."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from tests.app.web.test_verify import app_client, asked, asking, guests  # noqa: F401
from tests.support.fake_guests import FakeGuests, refused

HOSTILE = b"</code><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\xe2\x80\xae"
LINES = 100_000
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


def long_log() -> bytes:
    """Turns of a loop with registers, and an error in the end; every tenth line is a source."""
    lines = [b"0: R1=ctx() R10=fp0"]
    for number in range(LINES - 4):
        if number % 10:
            slot = number % 10
            lines.append(b"%d: (07) r%d += 1 ; R%d_w=%d" % (slot, slot, slot, number))
        else:
            lines.append(b"; a += 1; @ p.bpf.c:%d" % number)
    lines += [b"6: (85) call unknown#195896080", b"invalid func unknown#195896080"]
    return b"\n".join([*lines, b"processed 99999 insns (limit 1000000)"]) + b"\n"


@pytest.fixture
def log_at(asking: TestClient, guests: FakeGuests, issue_object: bytes):  # noqa: F811
    """Give the address of a refused program's log, which is as it is given."""

    def at(log: bytes) -> str:
        guests.decide = lambda program: replace(refused(program), log=log, summary=log)
        page = asked(asking, issue_object, **{"v-loader": "cilium@0.13.0", "v-log": "2"})
        job = re.search(r'data-job="([\w-]+)"', page)[1]
        return f"/verify/{job}/log/0"

    return at


def rows(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'<tr id="log-(\d+)"', html)]


def test_a_long_log_comes_by_pages(asking: TestClient, log_at):  # noqa: F811
    address = log_at(long_log())
    began = time.process_time()
    first = asking.get(address).text
    assert len(rows(first)) == 500
    assert "lines 99,501 to 100,000 of 100,000" in first
    assert f'<tr id="log-{LINES - 1}" class="log-line line-said is-error"' in first
    assert "Registers at line 99998" in first
    middle = asking.get(f"{address}?page=100").text
    assert time.process_time() - began < 30
    assert rows(middle)[0] == 49_501
    assert "R5_w=49505" in middle
    assert "changed" in middle or "was" in middle


def test_going_to_an_instruction_and_to_text(asking: TestClient, log_at):  # noqa: F811
    address = log_at(long_log())
    page = asking.get(f"{address}?find=7&line=1000").text
    assert re.search(r'id="log-(\d+)"[^>]* aria-current="true"', page)[1] == "1009"
    page = asking.get(f"{address}?find=p.bpf.c:5000").text
    assert re.search(r'id="log-(\d+)"[^>]* aria-current="true"', page)[1] == "5002"
    assert "No line has this text." in asking.get(f"{address}?find=nowhere").text
    assert "Instruction 77 is not in this log." in asking.get(f"{address}?find=77").text


def test_registers_for_scripts(asking: TestClient, log_at):  # noqa: F811
    address = log_at(long_log())
    part = asking.get(f"{address}/state/26", headers=PART).text
    assert "<html" not in part
    assert "<mark><code>24</code></mark>" in part
    assert '<th scope="row">r10</th>' in part
    assert asking.get(f"{address}/state/99999999").text.strip() == ""


def test_hostile_text_is_text(asking: TestClient, log_at):  # noqa: F811
    log = b"".join(
        [
            b"0: (85) call " + HOSTILE + b" ; R1=" + HOSTILE + b"\n; " + HOSTILE + b"\n",
            b"Verification failed: " + HOSTILE + b"\n\nReason:\n  " + HOSTILE + b"\n\n",
            HOSTILE + b":\n  " + HOSTILE + b"\n",
        ]
    )
    address = log_at(log)
    for path in (address, address.rpartition("/log/")[0], f"{address}/state/1"):
        html = asking.get(path, params={"find": HOSTILE.decode()[:100]}).text
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "\x1b" not in html
    assert "&lt;script&gt;alert(1)" in asking.get(address).text


@pytest.mark.parametrize("query", ["page=0", "page=999999", "line=99999999", "page=x", "line=-1"])
def test_odd_places_are_pages(asking: TestClient, log_at, query: str):  # noqa: F811
    answer = asking.get(f"{log_at(long_log()[:200_000])}?{query}")
    assert answer.status_code == 200
    assert 0 < len(rows(answer.text)) <= 500


def test_the_file_is_the_log(asking: TestClient, log_at):  # noqa: F811
    address = log_at(b"R0 !read_ok\n")
    link = re.search(r'href="(/api/v1/jobs/[^"]+)" download', asking.get(address).text)[1]
    assert asking.get(link).text == "R0 !read_ok\n"
    assert asking.get(f"{address.removesuffix('0')}7").status_code == 404
