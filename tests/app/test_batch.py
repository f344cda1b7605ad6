"""coreplay batch: the fixed format, line by line, and what a wrong line gets for an answer."""

from __future__ import annotations

import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.services.batch import Batch
from tests.support.tree import ROOT

GOLDEN = ROOT / "tests" / "golden"
JOB = {
    "id": "job-1",
    "object": "objects/enum1348.clang19.v3.el.o",
    "btf": "btf/own-odd.el.btf",
    "base_btf": None,
    "loader": "cilium@0.13.0",
    "stage": "core",
}


@pytest.fixture
def batch() -> Batch:
    return Batch([GOLDEN])


def some_goldens(loader: str) -> list[dict[str, object]]:
    with lzma.open(GOLDEN / "goldens.jsonl.xz", "rt") as lines:
        wanted = f'"loader":"{loader}"'
        picked = [line for line in lines if wanted in line and '"stage":"core"' in line]
    return [json.loads(line) for line in picked[::40] if "debian" not in line]


@pytest.mark.parametrize("loader", ["libbpf@1.7.0", "cilium@0.13.0", "cilium@0.13.1"])
def test_answer_is_that_of_the_real_loader(batch: Batch, loader: str) -> None:
    goldens = some_goldens(loader)
    assert len(goldens) > 8
    for golden in goldens:
        answer = batch.answer(json.dumps(golden))
        assert list(answer) == ["id", "loader", "programs", "error"]
        assert (answer["id"], answer["loader"]) == (golden["id"], loader)
        assert compared(answer) == compared(golden), golden["id"]


def compared(answer: dict[str, object]) -> tuple[bool, dict[str, object]]:
    """Give what is compared: whether there are errors, where, and every instruction."""
    programs: dict[str, dict[str, object]] = answer["programs"]  # type: ignore[assignment]
    return answer["error"] is not None, {
        name: (program["section"], program["insns"], program["error"] is not None)
        for name, program in programs.items()
    }


def test_a_program_has_exactly_the_promised_keys(batch: Batch) -> None:
    answer = batch.answer(json.dumps(JOB))
    for program in answer["programs"].values():
        assert list(program) == ["section", "insns", "error"]
        assert all(len(slot) == 16 and int(slot, 16) >= 0 for slot in program["insns"])


WRONG = [
    ("not json", "{", "job-malformed", None),
    ("not an object", "[1]", "job-malformed", None),
    ("no object", json.dumps({**JOB, "object": None}), "job-malformed", "job-1"),
    ("empty btf", json.dumps({**JOB, "btf": ""}), "job-malformed", "job-1"),
    ("base is a number", json.dumps({**JOB, "base_btf": 3}), "job-malformed", "job-1"),
    ("unknown stage", json.dumps({**JOB, "stage": "load"}), "job-malformed", "job-1"),
    ("a NUL in a path", json.dumps({**JOB, "object": "a\0b"}), "job-malformed", "job-1"),
    ("missing file", json.dumps({**JOB, "object": "none.o"}), "file-unreadable", "job-1"),
    ("a folder", json.dumps({**JOB, "object": "objects"}), "file-unreadable", "job-1"),
    ("no ELF", json.dumps({**JOB, "object": "btf/own-odd.el.btf"}), "elf-malformed", "job-1"),
    ("no BTF", json.dumps({**JOB, "btf": JOB["object"]}), "btf-decode", "job-1"),
    ("unknown loader", json.dumps({**JOB, "loader": "libbpf@0"}), "loader-unknown", "job-1"),
    (
        "other byte order",
        json.dumps({**JOB, "btf": "btf/own-odd.eb.btf"}),
        "byte-order-mismatch",
        "job-1",
    ),
    ("too deep", "[" * 200_000, "job-malformed", None),
]


@pytest.mark.parametrize(
    ("line", "code", "job_id"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG]
)
def test_wrong_line_gets_an_answer(batch: Batch, line: str, code: str, job_id: str | None) -> None:
    answer = batch.answer(line)
    assert list(answer) == ["id", "loader", "programs", "error"]
    assert (answer["id"], answer["programs"]) == (job_id, {})
    assert answer["error"]["code"] == code
    assert answer["error"]["text"]


@pytest.mark.parametrize("job_id", [None, 7, 1.5, "x", ["a"], {"n": 1}])
def test_id_comes_back_as_it_is(batch: Batch, job_id: object) -> None:
    assert batch.answer(json.dumps({**JOB, "id": job_id}))["id"] == job_id


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    batch = Batch([tmp_path, GOLDEN])
    copy = tmp_path / "kernel.btf"
    line = json.dumps({**JOB, "btf": "kernel.btf"})
    copy.write_bytes((GOLDEN / "btf/own-odd.el.btf").read_bytes())
    odd = batch.answer(line)
    copy.write_bytes((GOLDEN / "btf/own-same.el.btf").read_bytes())
    os.utime(copy, ns=(1, 1))
    same = batch.answer(line)
    assert odd["programs"] != same["programs"]
    assert same == batch.answer(json.dumps({**JOB, "btf": "btf/own-same.el.btf"}))


def test_lines_are_answered_in_order_and_blank_ones_are_no_jobs(batch: Batch) -> None:
    lines = [json.dumps({**JOB, "id": 1}), "", "  \n", "{", json.dumps({**JOB, "id": 2})]
    answers = [json.loads(answer) for answer in batch.answers(lines)]
    assert [answer["id"] for answer in answers] == [1, None, 2]


def run(*arguments: str, given: bytes = b"", cwd: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "app.cli", "batch", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, input=given, capture_output=True, cwd=cwd, env=environ)


def test_command_reads_a_file_and_paths_beside_it(tmp_path: Path) -> None:
    jobs = GOLDEN / "btf" / ".." / "jobs-are-elsewhere.jsonl"
    missing = run(str(jobs), cwd=tmp_path)
    assert missing.returncode == 2
    assert missing.stderr.startswith(b"coreplay: error[file-unreadable]: Cannot read")
    (tmp_path / "objects").symlink_to(GOLDEN / "objects")
    (tmp_path / "btf").symlink_to(GOLDEN / "btf")
    (tmp_path / "jobs.jsonl").write_text(json.dumps(JOB) + "\n" + "nonsense\n")
    done = run(str(tmp_path / "jobs.jsonl"), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["error"] is None
    assert second["error"]["code"] == "job-malformed"


def test_command_answers_through_pipes_even_broken_text() -> None:
    given = json.dumps(JOB).encode() + b"\n\xff\xfe\n" + json.dumps(JOB).encode()
    done = run("-", given=given, cwd=GOLDEN)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["job-1", None, "job-1"]
    assert answers[0] == answers[2]


def test_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m app.cli batch - | head -n 1"
    lines = (json.dumps(JOB) + "\n") * 300
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        input=lines.encode(),
        capture_output=True,
        cwd=GOLDEN,
        env=environ,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["id"] == "job-1"
