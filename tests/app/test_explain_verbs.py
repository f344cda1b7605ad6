"""coreplay explain and coreplay log, as they are typed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from app import cli
from tests.support.gallery import GALLERY

K61, K612 = "6.1.0-56-amd64", "6.12.117+deb12-amd64"
MISSING = str(GALLERY / "named-by-log-27" / "broken.o")
LOG = "1: (85) call unknown#195896080\ninvalid func unknown#195896080\n"


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "load.log"
    path.write_text(LOG)
    return str(path)


def on(kernel: str, loader: str = "libbpf@1.7.0") -> list[str]:
    return ["--kernel", kernel, "--loader", loader]


def test_explain_tells_the_story_and_gives_the_fix(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["explain", MISSING, *on(K612)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"libbpf@1.7.0 on {K612}: 1 relocation\n")
    assert "prog #0, byte_off of struct iov_iter.iov: poisoned" in said
    assert "   1. Slot 1 (`prog.bpf.c:15`" in said
    assert "Instead: Read __iov where the old name is gone." in said
    assert "struct iov_iter___now {" in said
    assert max(len(line) for line in said.splitlines()) <= 100


def test_explain_as_json(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["explain", MISSING, *on(K612), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (row,) = answer["relocations"]
    assert (row["function"], row["number"], row["outcome"]) == ("prog", 0, "poisoned")
    assert [step["kind"] for step in row["story"]][:3] == ["asks", "path", "name"]
    assert row["fixes"][0]["kind"] == "renamed"
    assert row["fixes"][0]["code"] in row["fixes"][0]["program"]


def test_one_relocation(capsys: pytest.CaptureFixture[str]):
    program = str(GALLERY / "harmless-8220" / "broken.o")
    assert cli.main(["explain", program, *on(K61), "--relocation", "3", "--json"]) == 0
    assert [row["number"] for row in json.loads(capsys.readouterr().out)["relocations"]] == [3]
    assert cli.main(["explain", program, *on(K61), "--relocation", "99"]) == 2
    assert "error[bad-request]: The object has no relocation #99" in capsys.readouterr().err


def test_a_refusal_is_told_and_gives_code_1(capsys: pytest.CaptureFixture[str]):
    program = str(GALLERY / "ambiguous-1383" / "broken.o")
    assert cli.main(["explain", program, *on(K61)]) == 1
    said = capsys.readouterr().out
    assert "refused: " in said
    assert "[16070] `struct slot`" in said
    assert cli.main(["explain", program, *on(K61, "cilium@0.22.0")]) == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["explain", MISSING, *on("9.9")], "kernel-unknown"),
        (["explain", MISSING, *on(K61, "nobody@1")], "loader-unknown"),
        (["explain", "nowhere.o", *on(K61)], "file-unreadable"),
        (["explain", __file__, *on(K61)], "elf-malformed"),
        (["log", "nowhere.log"], "file-unreadable"),
        (["log", "-", "--object", "nowhere.o"], "file-unreadable"),
        (["log", "-", "--object", "x.c"], "kernel-missing"),
        (["log", "-", "--object", MISSING, "--loader", "nobody@1"], "loader-unknown"),
        (["log", "-", "--object", MISSING, "--kernel", "9.9"], "kernel-unknown"),
    ],
)
def test_bad_input_gives_code_2(
    arguments: list[str],
    code: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LOG.encode())))
    assert cli.main(arguments) == 2
    assert f"error[{code}]" in capsys.readouterr().err


def test_a_log_alone(log: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["log", log]) == 0
    said = capsys.readouterr().out
    assert "line 2: poison-call" in said
    assert "to know more: With the object that was loaded" in said
    assert max(len(line) for line in said.splitlines()) <= 100


def test_a_log_with_the_object_and_the_kernel(log: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["log", log, "--object", MISSING]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "relocation #0, byte_off of `struct iov_iter.iov`" in said
    assert cli.main(["log", log, "--object", MISSING, *on(K612), "--json"]) == 0
    (fact,) = json.loads(capsys.readouterr().out)["facts"]
    assert fact["place"]["fixes"][0]["kind"] == "renamed"
    assert fact["place"]["relocation"]["asked"] == "struct iov_iter.iov"
    assert fact["place"]["sure"] is True


def test_a_log_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LOG.encode("utf-16"))))
    assert cli.main(["log", "-", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [fact["kind"] for fact in answer["facts"]] == ["poison-call"]
    assert answer["cut"] is False


def test_many_harmless_lines_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "libbpf.log"
    path.write_text(
        "".join(
            f"libbpf: prog 'p': relo #{n}: <field_exists> [5] struct s.f{n} (0:0 @ offset 0)\n"
            f"libbpf: prog 'p': relo #{n}: no matching targets found\n"
            for n in range(30)
        )
    )
    assert cli.main(["log", str(path)]) == 0
    said = capsys.readouterr().out
    assert "30 found nothing: 30 answered 0" in " ".join(said.split())
    assert "20 findings more" in said
