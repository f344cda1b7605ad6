"""coreplay check: exit codes, forms, choices of kernels and loaders."""

from __future__ import annotations

import json
import lzma
import os
import pty
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli import main
from app.services.gate import Check, Merged
from app.views.sarif import _result
from engine.lint.rule import Finding
from engine.lint.rules import RULES
from tests.support.tree import ROOT

GALLERY = ROOT / "tests" / "golden" / "gallery"
BROKEN = str(GALLERY / "enum-1348" / "broken.o")
SILENT = str(GALLERY / "enum-1348-silent" / "broken.o")
STATE = str(GALLERY / "task-state-3658" / "broken.o")
FIXED = str(GALLERY / "task-state-3658" / "fixed.o")
LINT = ROOT / "tests" / "golden" / "lint"
VERDICTS = {
    "clear", "poison-unreachable", "poison-reachable", "refused", "jump-broken",
    "silently-different", "unknown",
}  # fmt: skip

Capture = pytest.CaptureFixture[str]


def check(capsys: Capture, *arguments: str, code: int = 0) -> str:
    assert main(["check", *arguments]) == code
    return capsys.readouterr().out


def results(capsys: Capture, *arguments: str, code: int = 0) -> list[dict[str, object]]:
    answer = json.loads(check(capsys, *arguments, "--format", "json", code=code))
    return answer["results"]


def test_the_three_outcomes_of_1348(capsys: Capture) -> None:
    loaders = "libbpf@1.7.0,cilium@0.13.0,cilium@0.13.1"
    verdicts = {}
    for name, program in (("broken", BROKEN), ("silent", SILENT)):
        for row in results(capsys, program, "--kernels", "6.1", "--loaders", loaders, code=1):
            verdicts[name, row["loader"]] = row["verdict"]
    assert verdicts == {
        ("broken", "libbpf@1.7.0"): "poison-unreachable",
        ("broken", "cilium@0.13.0"): "jump-broken",
        ("broken", "cilium@0.13.1"): "poison-unreachable",
        ("silent", "libbpf@1.7.0"): "poison-unreachable",
        ("silent", "cilium@0.13.0"): "silently-different",
        ("silent", "cilium@0.13.1"): "poison-unreachable",
    }


def test_json_has_exactly_what_is_promised(capsys: Capture) -> None:
    rows = results(capsys, STATE, code=1)
    assert len(rows) == 5 * 2  # kernels of this byte order, newest libbpf and cilium/ebpf
    for row in rows:
        assert set(row) == {"program", "kernel", "loader", "verdict", "headline", "findings"}
        assert row["verdict"] in VERDICTS
        assert row["headline"]
    (finding,) = [f for f in rows[-1]["findings"] if f["rule"] == "reachable-poison"]
    assert finding == {
        "rule": "reachable-poison",
        "severity": "error",
        "program": "prog",
        "function": "prog",
        "slot": finding["slot"],
        "file": "./prog.bpf.c",
        "line": finding["line"],
        "message": "struct task_struct.state has no value there, and the program comes to it",
        "relocation": "struct task_struct.state (byte_off)",
        "hint": finding["hint"],
    }
    assert finding["line"] > 0


def test_a_clean_program_ends_with_0(capsys: Capture) -> None:
    assert {row["verdict"] for row in results(capsys, FIXED)} == {"poison-unreachable"}


def test_fail_on_warning(capsys: Capture) -> None:
    program = str(LINT / "flavor-name.counter.o")
    warned = str(LINT / "plain-bitfield.example.o")
    check(capsys, program, "--fail-on", "warning", "--kernels", "6.1")
    check(capsys, warned, "--kernels", "6.1", "--loaders", "cilium")
    check(capsys, warned, "--kernels", "6.1", "--loaders", "cilium", "--fail-on", "warning", code=1)


def test_text_is_narrow_and_says_what_was_skipped(capsys: Capture) -> None:
    for program in (BROKEN, SILENT, STATE):
        text = check(capsys, program, "--loaders", "all", code=1)
        assert max(map(len, text.split("\n"))) <= 100
        assert "skipped 6.12.107+deb13-s390x: it is big-endian, the object little-endian\n" in text
        assert "\x1b" not in text


def test_text_of_a_finding(capsys: Capture) -> None:
    text = check(capsys, STATE, "--kernels", "5.10,6.1", code=1)
    assert "  5.10.0-46-amd64  clear             clear\n" in text
    assert "error[reachable-poison] prog: prog.bpf.c:" in text
    assert "    on 6.1.0-56-amd64 with all 2 loaders\n" in text
    assert text.endswith("1 error, 0 warnings, 0 notes in 4 runs\n")


def on_a_terminal(environment: dict[str, str]) -> bytes:
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "app.cli", "check", STATE, "--kernels", "6.1"]
    done = subprocess.run(
        command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, env=os.environ | environment
    )
    os.close(writer)
    text = os.read(reader, 100_000)
    os.close(reader)
    assert done.returncode == 1
    return text


def test_colour_on_a_terminal_only() -> None:
    assert b"\x1b[31m" in on_a_terminal({"NO_COLOR": ""})
    assert b"\x1b" not in on_a_terminal({"NO_COLOR": "1"})


def test_sarif(capsys: Capture) -> None:
    log = json.loads(check(capsys, STATE, "--format", "sarif", code=1))
    assert (log["version"], set(log)) == ("2.1.0", {"$schema", "version", "runs"})
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "coreplay"
    assert [rule["id"] for rule in driver["rules"]] == [rule.id for rule in RULES]
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in {"error", "warning", "note"}
    assert run["results"]
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["message"]["text"]
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        assert re.fullmatch(r"[\w./-]+", physical["artifactLocation"]["uri"])
        assert physical["region"]["startLine"] >= 1
        assert all(isinstance(v, str) for v in result["partialFingerprints"].values())
    marks = [result["partialFingerprints"]["coreplay/v1"] for result in run["results"]]
    assert len(set(marks)) == len(marks), "no result hides another"
    assert run["invocations"][0]["executionSuccessful"] is True


def test_sarif_of_a_finding_without_a_line_still_has_a_region() -> None:
    finding = Finding("reachable-poison", "error", "prog", "poisoned before it was given")
    runs = (("6.1", "libbpf@1.7.0"),)
    there = Merged(replace(finding, file=f"{os.getcwd()}/src/prog.bpf.c", line=7), runs)
    elsewhere = Merged(replace(finding, file="/usr/include/a b.h", line=1), runs)
    spots = []
    for merged in (Merged(finding, runs), there, elsewhere):
        (location,) = _result(merged, Check("prog.bpf.o", "little", ()))["locations"]
        physical = location["physicalLocation"]
        spots.append((physical["artifactLocation"]["uri"], physical["region"]["startLine"]))
    assert spots == [("prog.bpf.o", 1), ("src/prog.bpf.c", 7), ("file:///usr/include/a%20b.h", 1)]


def test_junit(capsys: Capture) -> None:
    root = ET.fromstring(check(capsys, STATE, "--format", "junit", code=1))
    assert root.tag == "testsuites"
    suites = {suite.attrib["name"]: suite for suite in root}
    good, bad = suites["5.10.0-46-amd64 libbpf@1.7.0"], suites["6.1.0-56-amd64 libbpf@1.7.0"]
    assert (good.attrib["failures"], bad.attrib["failures"]) == ("0", "1")
    failure = bad.find("testcase/failure")
    assert failure is not None
    assert failure.attrib["message"].startswith("poison-reachable: ")
    assert suites["6.12.107+deb13-s390x"].find("testcase/skipped") is not None
    counted = sum(int(suite.attrib["tests"]) for suite in root if "skipped" not in suite.attrib)
    assert root.attrib["tests"] == str(counted) == "10"


def test_github(capsys: Capture) -> None:
    lines = check(capsys, STATE, "--format", "github", "--kernels", "6.1", code=1).split("\n")
    annotations = [line for line in lines if line.startswith("::")]
    assert annotations
    for line in annotations:
        assert re.match(r"::(error|warning|notice) file=prog\.bpf\.c,line=\d+,title=[^:]+::.", line)


def test_markdown(capsys: Capture) -> None:
    text = check(capsys, STATE, "--format", "markdown", code=1)
    assert "| program | kernel | libbpf@1.7.0 | cilium@0.22.0 |\n|---|---|---|---|\n" in text
    assert "| `prog` | `6.1.0-56-amd64` | poison-reachable | poison-reachable |\n" in text
    assert "error `reachable-poison`" in text


def test_kernels_may_be_files(capsys: Capture, tmp_path: Path) -> None:
    packed = ROOT / "engine/kernels/data/6.1.0-56-amd64.btf.xz"
    file = tmp_path / "6.1-mine,old.btf"
    file.write_bytes(lzma.decompress(packed.read_bytes()))
    rows = results(capsys, STATE, "--kernels", "6.1", "--kernels", str(file), code=1)
    assert [row["kernel"] for row in rows] == ["6.1.0-56-amd64"] * 2 + [file.name] * 2
    assert [row["verdict"] for row in rows] == ["poison-reachable"] * 4


def test_loaders_by_family(capsys: Capture) -> None:
    rows = results(capsys, FIXED, "--kernels", "6.1", "--loaders", "aya,libbpf,aya@0.14.0")
    assert [row["loader"] for row in rows] == ["aya@0.14.0", "libbpf@1.7.0"]


def test_c_is_compiled_once_and_its_comments_count(capsys: Capture, tmp_path: Path) -> None:
    text = (GALLERY / "task-state-3658" / "broken.bpf.c").read_text()
    line = next(line for line in text.split("\n") if "READ" in line)
    source = tmp_path / "my.bpf.c"
    source.write_text(text)
    assert "error[reachable-poison] prog: my.bpf.c:" in check(capsys, str(source), code=1)
    source.write_text(text.replace(line, f"\t// coreplay: allow reachable-poison\n{line}"))
    answer = check(capsys, str(source))
    assert "reachable-poison" not in answer
    assert "allowed by comments" in answer
    assert "poison-reachable" in answer


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/nowhere.o"], "file-unreadable"),
        ([str(ROOT / "README.md")], "elf-malformed"),
        ([STATE, "--kernels", "9.9"], "kernel-unknown"),
        ([STATE, "--kernels", "/nowhere.btf"], "file-unreadable"),
        ([STATE, "--kernels", ","], "kernel-missing"),
        ([STATE, "--kernels", "6.12.107"], "byte-order-mismatch"),
        ([STATE, "--loaders", "ebpf-go"], "loader-unknown"),
        ([STATE, "--kernels", "6.1", "--module", "nosuch"], "kernel-unknown"),
    ],
)
def test_bad_input_ends_with_2(capsys: Capture, arguments: list[str], said: str) -> None:
    assert main(["check", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"error[{said}]" in captured.err


def test_it_needs_no_web_framework_and_no_compiler() -> None:
    script = (
        "import sys, app.cli\n"
        f"app.cli.main(['check', {FIXED!r}, '--kernels', '6.1'])\n"
        "heavy = ('fastapi', 'pydantic', 'asyncio', 'anyio', 'app.sandbox', 'graphlay')\n"
        "print([n for n in heavy if n in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.strip() == "[]"


def test_settings_for_kconfig_are_taken_and_listed(capsys: Capture) -> None:
    program = str(GALLERY / "kconfig-698" / "broken.o")
    text = check(capsys, program, "--kernels", "6.1", "--loaders", "libbpf", code=0)
    assert "kconfig LINUX_KERNEL_VERSION: not given, see --kconfig\n" in text
    seen = set()
    for version in (0x050000, 0x070000):
        arguments = ("--kernels", "6.1", "--loaders", "libbpf", "--format", "json")
        main(["check", program, *arguments, "--kconfig", f"LINUX_KERNEL_VERSION={version}"])
        answer = json.loads(capsys.readouterr().out)
        given = {"name": "LINUX_KERNEL_VERSION", "given": str(version)}
        assert answer["kconfig"] == [given]
        seen |= {row["verdict"] for row in answer["results"]}
    assert len(seen) == 2, "the version decides"


def test_a_setting_without_a_value_is_refused(capsys: Capture) -> None:
    assert main(["check", STATE, "--kernels", "6.1", "--kconfig", "CONFIG_HZ"]) == 2
    assert "is no setting of a kernel's configuration" in capsys.readouterr().err
