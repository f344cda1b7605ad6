"""The command line as a person uses it: output, exit codes, and one clear line for a mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import main
from tests.support.tree import ROOT

GOLDEN = ROOT / "tests" / "golden"
OBJECT = str(GOLDEN / "objects" / "enum1348.clang19.v3.el.o")
KERNEL = "6.1.0-56-amd64"
EXAMPLE = ROOT / "app" / "learn" / "examples" / "enum-1348.bpf.c"

Capture = pytest.CaptureFixture[str]


def fails(capsys: Capture, code: int, *arguments: str) -> str:
    """Run a command that must fail with this exit code; give its stderr."""
    assert main(arguments) == code
    return capsys.readouterr().err


def test_help_lists_every_verb_without_importing_the_engine() -> None:
    script = (
        "import sys, app.cli\n"
        "try: app.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = [n for n in sys.modules if n.split('.')[0] in ('engine', 'fastapi', 'elftools')]\n"
        "print(heavy, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stderr.strip() == "[]"
    for verb in ("serve", "compile", "relocate", "kernels", "loaders", "batch"):
        assert f"    {verb} " in done.stdout


def test_relocate_needs_no_web_framework_and_no_compiler() -> None:
    script = (
        "import sys, app.cli\n"
        f"app.cli.main(['relocate', {OBJECT!r}, '--kernel', {KERNEL!r},"
        " '--loader', 'libbpf@1.7.0'])\n"
        "heavy = ('fastapi', 'pydantic', 'asyncio', 'anyio', 'app.sandbox')\n"
        "print([n for n in heavy if n in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.strip() == "[]"


def test_relocate_shows_headline_table_and_both_sides(capsys: Capture) -> None:
    arguments = ["--loader", "libbpf@1.7.0", "--loader", "cilium@0.13.0"]
    assert main(["relocate", OBJECT, "--kernel", KERNEL, *arguments]) == 0
    text = capsys.readouterr().out
    libbpf, cilium = text.split("cilium@0.13.0 on ")
    assert libbpf.startswith(f"libbpf@1.7.0 on {KERNEL}: POISON REACHABLE\n")
    assert cilium.startswith(f"{KERNEL}: JUMP BROKEN\n")
    assert "enum bpf_attach_type::BPF_NOT_THERE_AT_ALL" in libbpf
    assert "call 0xbad2310" in libbpf
    assert "(slot lost)" in cilium
    assert "(slot lost)" not in libbpf
    assert "meant for slot 5, lands on 6" in cilium
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_relocate_as_json_is_the_answer_of_the_api(capsys: Capture) -> None:
    assert main(["relocate", OBJECT, "--kernel", "6.1", "--loader", "libbpf@1.7.0", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer) == ["compile", "object", "runs", "milliseconds"]
    assert answer["runs"][0]["kernel"] == KERNEL
    assert answer["runs"][0]["functions"][0]["name"] == "guarded_missing"


def test_relocate_against_a_raw_btf_file_agrees_with_the_goldens(capsys: Capture) -> None:
    btf = str(GOLDEN / "btf" / "own-moved.el.btf")
    assert main(["relocate", OBJECT, "--btf", btf, "--loader", "libbpf@1.7.0", "--json"]) == 0
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert run["kernel"] == "own-moved.el.btf"
    job = {"object": OBJECT, "btf": btf, "loader": "libbpf@1.7.0"}
    from app.services.batch import Batch

    programs = Batch([Path()]).answer(json.dumps(job))["programs"]
    for function in run["functions"]:
        slots = [slot for insn in function["after"] for slot in insn["hex"]]
        assert slots == programs[function["name"]]["insns"]


def test_refusing_loader_is_exit_code_1(capsys: Capture) -> None:
    far = str(GOLDEN / "objects" / "alu.clang14.v2.el.o")
    btf = str(GOLDEN / "btf" / "own-same.el.btf")
    assert main(["relocate", far, "--btf", btf, "--loader", "libbpf@1.7.0"]) == 1
    assert "REFUSED" in capsys.readouterr().out


MISTAKES = [
    (["relocate", "none.o", "--kernel", KERNEL, "--loader", "libbpf@1.7.0"], "file-unreadable"),
    (["relocate", OBJECT, "--kernel", "6.1.0-55", "--loader", "libbpf@1.7.0"], "kernel-unknown"),
    (["relocate", OBJECT, "--kernel", "6.12", "--loader", "libbpf@1.7.0"], "kernel-unknown"),
    (["relocate", OBJECT, "--kernel", KERNEL, "--loader", "libbpf@1"], "loader-unknown"),
    (["relocate", __file__, "--kernel", KERNEL, "--loader", "libbpf@1.7.0"], "elf-malformed"),
    (["relocate", OBJECT, "--btf", OBJECT, "--loader", "libbpf@1.7.0"], "btf-decode"),
    (["relocate", str(GOLDEN), "--kernel", KERNEL, "--loader", "x"], "file-unreadable"),
    (["kernels", "show", "nothing"], "kernel-unknown"),
    (["kernels", "add", "/nowhere/vmlinux"], "kernel-file"),
    (["batch", "none.jsonl"], "file-unreadable"),
    (["compile", "none.c", "-o", "none.o"], "file-unreadable"),
]


@pytest.mark.parametrize(("arguments", "code"), MISTAKES)
def test_mistake_is_one_line_with_its_code(
    capsys: Capture, arguments: list[str], code: str
) -> None:
    error = fails(capsys, 2, *arguments)
    first, *hint = error.splitlines()
    assert first.startswith(f"coreplay: error[{code}]: ")
    assert all(line.startswith("  ") for line in hint)
    assert "Traceback" not in error


@pytest.mark.parametrize("arguments", [[], ["fly"], ["relocate", OBJECT], ["serve", "--port", "x"]])
def test_wrong_command_line_is_exit_code_2(capsys: Capture, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert capsys.readouterr().err.startswith("coreplay: error[bad-request]: ")


def test_wrong_setting_is_one_line(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COREPLAY_WORKERS", "many")
    assert "COREPLAY_WORKERS" in fails(capsys, 2, "serve", "--port", "0")


def test_kernels_and_loaders_are_listed(capsys: Capture) -> None:
    assert main(["kernels", "list"]) == 0
    assert any(line.startswith(f"{KERNEL} ") for line in capsys.readouterr().out.splitlines())
    assert main(["kernels", "list", "--json"]) == 0
    assert {"id", "release", "byte_order", "sha256"} <= set(json.loads(capsys.readouterr().out)[0])
    assert main(["loaders"]) == 0
    assert "cilium@0.13.0" in capsys.readouterr().out
    assert main(["loaders", "--json"]) == 0
    assert "libbpf@1.7.0" in {row["id"] for row in json.loads(capsys.readouterr().out)}


def test_kernel_that_was_added_can_be_used(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COREPLAY_DATA", str(tmp_path))
    btf = str(GOLDEN / "btf" / "own-same.el.btf")
    assert main(["kernels", "add", btf, "--release", "9.9.9-own", "--json"]) == 0
    (added,) = json.loads(capsys.readouterr().out)
    assert (added["origin"], added["release"]) == ("added", "9.9.9-own")
    assert main(["relocate", OBJECT, "--kernel", added["id"], "--loader", "libbpf@1.7.0"]) == 0


def test_compile_writes_an_object_and_names_its_command(capsys: Capture, tmp_path: Path) -> None:
    output = tmp_path / "prog.o"
    assert main(["compile", str(EXAMPLE), "-o", str(output), "--cpu", "v2"]) == 0
    assert "clang" in capsys.readouterr().err
    assert output.read_bytes()[:4] == b"\x7fELF"
    big = tmp_path / "big.o"
    assert main(["compile", str(EXAMPLE), "-o", str(big), "--byte-order", "big"]) == 0
    assert (output.read_bytes()[5], big.read_bytes()[5]) == (1, 2)
    again = ["relocate", str(output), "--kernel", KERNEL, "--loader", "cilium@0.13.0"]
    assert main(again) == 0
    assert "JUMP BROKEN" in capsys.readouterr().out


def test_headers_beside_the_source_come_along(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "a.bpf.c").write_text('#include "one.h"\nint f(void) { return ONE; }\n')
    (tmp_path / "one.h").write_text('#include "two.h"\n#define ONE TWO\n')
    (tmp_path / "two.h").write_text("#define TWO 1\n")
    source = str(tmp_path / "a.bpf.c")
    assert main(["compile", source, "-o", str(tmp_path / "a.o")]) == 0, capsys.readouterr().err


def test_compile_error_is_exit_code_1_and_leaves_the_old_object(
    capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "a.c").write_text("int f(void)\n{ return y; }\n")
    output = tmp_path / "a.o"
    output.write_bytes(b"old")
    error = fails(capsys, 1, "compile", str(tmp_path / "a.c"), "-o", str(output))
    lines = error.splitlines()
    assert lines[0].startswith("a.c:2:10: error: ")
    assert any(line.startswith("coreplay: error[compile-failed]: ") for line in lines)
    assert output.read_bytes() == b"old"


def test_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m app.cli kernels list | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, b"")
