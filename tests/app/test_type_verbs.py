"""coreplay btf show, diff, history, and coreplay matrix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import main
from tests.support.tree import ROOT

FIXED = str(ROOT / "tests" / "golden" / "gallery" / "task-state-3658" / "fixed.o")

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_show_has_offsets_and_sizes(capsys: Capture) -> None:
    text = run(capsys, "btf", "show", "struct file", "--kernel", "6.1")
    assert "struct file {\n" in text
    assert "\tstruct path f_path;" in text
    assert text.rstrip().endswith(" bytes */")


def test_show_as_json(capsys: Capture) -> None:
    text = run(capsys, "btf", "show", "cgroup_subsys_id", "--kernel", "6.1", "--json")
    (found,) = json.loads(text)
    assert (found["kind"], found["bytes"], found["members"]) == ("enum", 4, [])
    assert {"name": "cpuset_cgrp_id", "value": 0} in found["enumerators"]
    (struct,) = json.loads(run(capsys, "btf", "show", "inet_sock", "--kernel", "6.1", "--json"))
    assert {
        "name": "freebind",
        "type": "__u8",
        "bit_offset": 6482,
        "bits": 1,
        "bitfield": True,
    } in struct["members"]


def test_diff(capsys: Capture) -> None:
    kernels = ("--kernel", "5.10", "--kernel", "6.1")
    text = run(capsys, "btf", "diff", "task_struct", *kernels)
    assert text.startswith("5.10.0-46-amd64 -> 6.1.0-56-amd64\n")
    assert "    + __state: unsigned int, 4 bytes at byte 24\n" in text
    assert "    - state: volatile long" not in text
    assert "    - state: long int, 8 bytes at byte 16\n" in text
    answer = json.loads(run(capsys, "btf", "diff", "task_struct", *kernels, "--json"))
    (diff,) = answer["types"]
    (came,) = [c for c in diff["changes"] if c["kind"] == "added" and c["name"] == "__state"]
    assert (came["before"], came["after"]["bit_offset"]) == (None, 192)


def test_diff_of_a_type_that_came(capsys: Capture) -> None:
    text = run(capsys, "btf", "diff", "bpf_iter_num", "--kernel", "6.1", "--kernel", "7.3")
    assert "  struct bpf_iter_num came, 8 bytes\n" in text


def test_history_goes_through_all_kernels(capsys: Capture) -> None:
    text = run(capsys, "btf", "history", "enum node_stat_item")
    assert "amd64\n  5.10.0-46-amd64: first kernel\n  6.1.0-56-amd64:\n" in text
    assert "      + NR_SECONDARY_PAGETABLE = 39\n" in text
    assert "\n\narm64\n  6.12.117+deb12-arm64: first kernel\n" in text
    steps = json.loads(run(capsys, "btf", "history", "enum node_stat_item", "--json"))
    assert next(step["previous"] for step in steps if step["arch"] == "amd64") is None
    assert all(step["types"] == 1 for step in steps)


def test_history_of_what_is_the_same(capsys: Capture) -> None:
    text = run(capsys, "btf", "history", "list_head")
    assert "  6.1.0-56-amd64: no change\n" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "task_strukt", "--kernel", "6.1"), "type-unknown"),
        (("show", "", "--kernel", "6.1"), "type-unknown"),
        (("diff", "no_such", "--kernel", "5.10", "--kernel", "6.1"), "type-unknown"),
        (("diff", "file", "--kernel", "5.10"), "bad-request"),
        (("history", "no_such_type"), "type-unknown"),
        (("show", "file", "--kernel", "1.0"), "kernel-unknown"),
    ],
)
def test_mistakes_end_with_2(capsys: Capture, arguments: tuple[str, ...], said: str) -> None:
    assert main(["btf", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"error[{said}]" in captured.err
    if arguments[1] == "task_strukt":
        assert "Near: task_struct" in captured.err


def test_matrix_as_text(capsys: Capture) -> None:
    text = run(capsys, "matrix", FIXED, "--loaders", "all")
    assert "#1 struct task_struct.__state (byte_off)\n" in text
    assert max(len(line) for line in text.split("\n") if not line.startswith("  #")) <= 100
    assert (
        "  #1 struct task_struct.__state (byte_off): poison on 5.10.0-46-amd64, "
        "24 on 6.1.0-56-amd64 (libbpf@1.7.0"
    ) in text


def test_matrix_as_json(capsys: Capture) -> None:
    answer = json.loads(run(capsys, "matrix", FIXED, "--kernels", "5.10,6.1", "--json"))
    assert [column["kernel"] for column in answer["columns"]] == (
        ["5.10.0-46-amd64"] * 2 + ["6.1.0-56-amd64"] * 2
    )
    exists = answer["rows"][0]
    assert (exists["kind"], exists["meaning"], exists["differs"]) == (
        "field_exists",
        "1 or 0",
        True,
    )
    assert [cell["value"] for cell in exists["cells"]] == [0, 0, 1, 1]
    assert len(answer["first_changes"]) == 6


def test_matrix_of_what_never_changes(capsys: Capture, tmp_path: Path) -> None:
    program = str(ROOT / "tests" / "golden" / "gallery" / "enum-1348" / "broken.o")
    text = run(capsys, "matrix", program, "--differences")
    assert text == "0 relocations, none of which changes\n"
