"""Kernel modules, split BTF, mini-BTF and libbpf's log on the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.cli import main
from app.main import create_app
from app.services.batch import Batch
from app.settings import load_settings
from engine.btf.decode import Btf
from engine.core.kinds import CoreReloKind
from tests.support.asm import exit_, mov_imm
from tests.support.btf_writer import member
from tests.support.kernel_files import RELEASE, deb, kernel_btf, ko, module_btf
from tests.support.relocating import ObjectWriter, relo
from tests.support.tree import ROOT

GOLDEN = ROOT / "tests" / "golden"
OBJECT = str(GOLDEN / "objects" / "enum1348.clang19.v3.el.o")
BASE = Btf.parse(kernel_btf())
Capture = pytest.CaptureFixture[str]


def program() -> bytes:
    """Asks for nf_conn.f, which stands at byte 0 locally and at 4 in the module."""
    writer = ObjectWriter()
    root = writer.btf.add_struct("nf_conn", 8, [member("f", writer.btf.int, 0)])
    code = mov_imm(1, 0) + exit_()
    writer.function("prog", code, relo(root, "0:0", CoreReloKind.FIELD_BYTE_OFFSET))
    return writer.build()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a kernel, two modules and the files they came from."""
    monkeypatch.setenv("COREPLAY_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    inside = f"lib/modules/{RELEASE}/kernel"
    nf = module_btf(BASE, "nf_conn", func="nf_in")
    Path("modules.deb").write_bytes(
        deb(
            {
                f"{inside}/nf_conntrack.ko": ko("nf_conntrack", nf),
                f"{inside}/bare.ko": ko("bare", module_btf(BASE)),
            }
        )
    )
    Path(f"{RELEASE}.btf").write_bytes(kernel_btf())
    Path("nf_conntrack.btf").write_bytes(nf)
    Path("prog.o").write_bytes(program())
    assert main(["kernels", "add", f"{RELEASE}.btf"]) == 0
    assert main(["kernels", "add", "modules.deb"]) == 0
    return tmp_path


def new_values(capsys: Capture, *arguments: str) -> list[int | None]:
    """Relocate prog.o; give the new value of its relocation for each run."""
    main(["relocate", "prog.o", *arguments, "--json"])
    answer = json.loads(capsys.readouterr().out)
    return [run["functions"][0]["relocations"][0]["new"] for run in answer["runs"]]


LOADERS = ("--loader", "libbpf@1.7.0", "--loader", "cilium@0.22.0", "--loader", "cilium@0.19.0")


def test_modules_are_counted(folder: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert main(["kernels", "add", "modules.deb"]) == 0
    assert "coreplay: 2 modules for 6.1.0-1-amd64; it has 2 now" in capsys.readouterr().err
    assert main(["kernels", "list"]) == 0
    (line,) = [row for row in capsys.readouterr().out.splitlines() if row.startswith(RELEASE)]
    assert line.endswith("added  2 modules")
    assert main(["kernels", "list", "--json"]) == 0
    rows = {row["id"]: row["modules"] for row in json.loads(capsys.readouterr().out)}
    assert rows[RELEASE] == 2
    assert rows["6.1.0-56-amd64"] == 0


def test_relocating_with_modules(folder: Path, capsys: Capture) -> None:
    kernel = ("--kernel", RELEASE, *LOADERS)
    capsys.readouterr()
    assert new_values(capsys, *kernel) == [None, None, None]
    assert new_values(capsys, *kernel, "--module", "nf_conntrack") == [4, 4, 4]
    assert new_values(capsys, *kernel, "--module", "all") == [4, 4, None]


def test_a_modules_own_file(folder: Path, capsys: Capture) -> None:
    capsys.readouterr()
    split = ("--base-btf", f"{RELEASE}.btf", "--btf", "nf_conntrack.btf")
    assert new_values(capsys, *split, *LOADERS) == [4, 4, 4]
    assert main(["relocate", "prog.o", *split, "--loader", "libbpf@1.7.0"]) == 0
    assert f"libbpf@1.7.0 on {RELEASE}+nf_conntrack" in capsys.readouterr().out


def test_a_module_itself(folder: Path, capsys: Capture) -> None:
    (folder / "nf.ko").write_bytes(ko("nf", Path("nf_conntrack.btf").read_bytes()))
    capsys.readouterr()
    split = ("--base-btf", f"{RELEASE}.btf", "--btf", "nf.ko")
    assert new_values(capsys, *split, *LOADERS) == [4, 4, 4]


MISTAKES = [
    (["--kernel", RELEASE, "--base-btf", "x"], "bad-request"),
    (["--btf", f"{RELEASE}.btf", "--module", "nf_conntrack"], "bad-request"),
    (["--kernel", RELEASE, "--module", "nf_contrack"], "kernel-unknown"),
    (["--base-btf", f"{RELEASE}.btf", "--btf", "prog.o"], "kernel-file"),
]


@pytest.mark.parametrize(("arguments", "code"), MISTAKES)
def test_mistakes(folder: Path, capsys: Capture, arguments: list[str], code: str) -> None:
    assert main(["relocate", "prog.o", *arguments, "--loader", "libbpf@1.7.0"]) == 2
    assert f"error[{code}]" in capsys.readouterr().err


def test_check_tells_what_a_bare_module_does_to_each_loader(folder: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert main(["kernels", "check", RELEASE]) == 1
    text = capsys.readouterr().out
    assert "module bare: empty BTF: it has no strings of its own" in text
    rows = [line.split(maxsplit=1) for line in text.splitlines() if line.startswith("  ")]
    lines = {row[0]: row[1] for row in rows}
    assert lines["cilium@0.19.0"] == "fails every program that has a CO-RE relocation"
    assert lines["cilium@0.22.0"].startswith("reads it")
    assert lines["libbpf@1.7.0"].startswith("reads it")
    assert main(["kernels", "check", RELEASE, "--json"]) == 1
    (fault,) = json.loads(capsys.readouterr().out)["faults"]
    assert (fault["module"], fault["kind"]) == ("bare", "empty")
    assert len(fault["loaders"]) >= 14


def test_a_package_may_go_without_its_modules(folder: Path, capsys: Capture) -> None:
    assert main(["kernels", "add", "modules.deb", "--no-modules"]) == 2
    assert "holds no kernel image" in capsys.readouterr().err
    assert main(["kernels", "add", "modules.deb", "--kernel", "6.1.0-1"]) == 0
    assert main(["kernels", "add", f"{RELEASE}.btf", "--kernel", RELEASE]) == 2
    assert "there is no module in it" in capsys.readouterr().err


def test_the_api_takes_modules(folder: Path) -> None:
    import base64

    body = {
        "object_base64": base64.b64encode(program()).decode(),
        "kernels": [RELEASE],
        "loaders": ["libbpf@1.7.0"],
    }
    with TestClient(create_app(load_settings(workers=1)), base_url="http://127.0.0.1") as client:
        for modules, value in (([], None), (["nf_conntrack"], 4), (["all"], 4)):
            answer = client.post("/api/v1/analyses", json={**body, "modules": modules}).json()
            (row,) = answer["runs"][0]["functions"][0]["relocations"]
            assert row["new"] == value
        wrong = client.post("/api/v1/analyses", json={**body, "modules": ["absent"]}).json()
        assert wrong["runs"][0]["error"]["code"] == "kernel-unknown"
        rows = client.get("/api/v1/kernels").json()["kernels"]
        assert {row["id"]: row["modules"] for row in rows}[RELEASE] == 2


def test_batch_takes_a_split_btf_as_a_module(folder: Path) -> None:
    job = {
        "id": 1,
        "object": "prog.o",
        "btf": "nf_conntrack.btf",
        "base_btf": f"{RELEASE}.btf",
        "loader": "libbpf@1.7.0",
    }
    answers = [
        Batch([folder]).answer(json.dumps({**job, "stage": stage})) for stage in ("core", "linked")
    ]
    for answer in answers:
        assert answer["programs"]["prog"]["insns"][0] == "b701000004000000"
    wrong = Batch([folder]).answer(json.dumps({**job, "btf": "prog.o"}))
    assert wrong["error"]["code"] == "kernel-file"


def test_libbpfs_own_lines(capsys: Capture) -> None:
    golden = next((GOLDEN / "logs").glob("*enum1348*"), None)
    arguments = ["--kernel", "6.1", "--loader", "libbpf@1.7.0", "--loader", "cilium@0.22.0"]
    assert main(["relocate", OBJECT, *arguments, "--debug-log"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "coreplay: libbpf@1.7.0 on 6.1.0-56-amd64:"
    assert any("found target candidate" in line for line in told)
    assert any(line.startswith("libbpf: prog 'guarded_missing': relo #0: ") for line in told)
    assert told[-1] == "coreplay: cilium@0.22.0 prints no debug lines"
    assert golden is None or golden.read_text()


def test_a_mini_btf_serves_as_the_whole_one(tmp_path: Path, capsys: Capture) -> None:
    mini = tmp_path / "mini.btf"
    assert main(["btf", "minimize", OBJECT, "--kernel", "6.1", "-o", str(mini)]) == 0
    assert f"{mini}: {mini.stat().st_size:,} bytes" in capsys.readouterr().out
    assert mini.stat().st_size < 2000
    outputs = []
    for source in (("--kernel", "6.1"), ("--btf", str(mini))):
        main(["relocate", OBJECT, *source, *LOADERS, "--json"])
        runs = json.loads(capsys.readouterr().out)["runs"]
        outputs.append([[f["after"] for f in run["functions"]] for run in runs])
    assert outputs[0] == outputs[1]


@pytest.mark.skipif(shutil.which("bpftool") is None, reason="bpftool is not installed")
def test_bpftool_reads_a_mini_btf(tmp_path: Path) -> None:
    mini = tmp_path / "mini.btf"
    assert main(["btf", "minimize", OBJECT, "--kernel", "6.1", "-o", str(mini)]) == 0
    for form in ("raw", "c"):
        done = subprocess.run(
            ["bpftool", "btf", "dump", "file", str(mini), "format", form],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0
        assert "bpf_attach_type" in done.stdout


def test_a_type_is_shown_as_c(folder: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert main(["btf", "show", "struct nf_conn", "--btf", "nf_conntrack.btf"]) == 2
    assert main(["btf", "show", "task_struct", "--kernel", RELEASE]) == 0
    assert "struct task_struct {\n\tint a; /* " in capsys.readouterr().out
    of_module = ["--kernel", RELEASE, "--module", "nf_conntrack"]
    assert main(["btf", "show", "nf_conn", *of_module]) == 0
    assert "struct nf_conn {" in capsys.readouterr().out
    assert main(["btf", "show", "union nf_conn", *of_module]) == 2
    assert "There is no type 'union nf_conn'" in capsys.readouterr().err


def test_a_kernel_without_modules_says_so(capsys: Capture) -> None:
    arguments = ["--kernel", "6.1", "--module", "all", "--loader", "libbpf@1.7.0"]
    assert main(["relocate", OBJECT, *arguments]) == 0
    assert "coreplay: no modules were added to 6.1.0-56-amd64" in capsys.readouterr().err
