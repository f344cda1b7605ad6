"""docs/libbpf-tools-report.md: what it has to say, and that it is what the command writes."""

from __future__ import annotations

import re

import pytest

from tests.support.tools_report import COMMAND, LOADERS, REPORT, look, objects, version, written

PAGE = REPORT.read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[1:]]


def test_the_first_line_names_the_command():
    assert PAGE.splitlines()[0] == f"<!-- {COMMAND} -->"


def test_every_little_endian_kernel_and_loader_judged_all_programs():
    (programs,) = re.findall(r"\((\d+) programs\)", PAGE)
    verdicts = rows("Verdicts")
    assert len(verdicts) == 5 * len(LOADERS)
    assert {sum(map(int, row[2:])) for row in verdicts} == {int(programs)}


def test_fields_that_are_gone_are_named_with_their_kernels():
    found = {row[0]: row for row in rows("Findings")}
    newer = "6.12.117+deb12-amd64, 7.3.4+deb13-amd64"
    assert found["`struct inet_sock.freebind (byte_off)`"][3:5] == ["bindsnoop", newer]
    lost = found["`struct cfs_rq.nr_running (byte_off)`"]
    assert lost[3:5] == ["runqlen", "7.3.4+deb13-amd64"]


def test_what_cannot_be_told_has_a_reason():
    unknown = sum(int(row[-1]) for row in rows("Verdicts"))
    said = re.findall(r"^- .* may be reached: .+\. \((.+)\)$", PAGE, re.MULTILINE)
    assert sum(len(where.partition("; ")[2].split(", ")) for where in said) == unknown


@pytest.mark.slow
def test_the_page_is_what_the_command_writes():
    found = objects()
    if not found or version() not in PAGE:
        pytest.skip("the package libbpf-tools is not installed, or in another version")
    assert written(look(found), version()) == PAGE
