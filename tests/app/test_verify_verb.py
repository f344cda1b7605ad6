"""coreplay verify: exit codes, forms and inputs, with guests that are made up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.cli import main
from app.commands.verify import read_input
from app.errors import AppError
from app.services import guests as guests_module
from tests.support.fake_guests import FakeGuests
from tests.support.tree import ROOT

BROKEN = str(ROOT / "tests" / "golden" / "gallery" / "enum-1348" / "broken.o")
LOADERS = "libbpf@1.7.0,cilium@0.13.0"

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def guests(monkeypatch: pytest.MonkeyPatch) -> FakeGuests:
    fake = FakeGuests()

    @asynccontextmanager
    async def opened(settings: object, *, keep: int) -> AsyncIterator[FakeGuests]:
        yield fake

    monkeypatch.setattr(guests_module, "opened_guests", opened)
    return fake


def verify(capsys: Capture, *arguments: str, code: int = 0) -> str:
    assert main(["verify", BROKEN, *arguments]) == code
    return capsys.readouterr().out


def test_json_has_exactly_what_was_promised(capsys: Capture, guests: FakeGuests) -> None:
    text = verify(capsys, "--kernel", "5.10,6.1", "--loader", LOADERS, "--json", code=1)
    answer = json.loads(text)
    assert list(answer) == ["results"]
    assert [(row["kernel"], row["loader"], row["loaded"]) for row in answer["results"]] == [
        ("5.10.0-46-amd64", "libbpf@1.7.0", True),
        ("5.10.0-46-amd64", "cilium@0.13.0", False),
        ("6.1.0-56-amd64", "libbpf@1.7.0", True),
        ("6.1.0-56-amd64", "cilium@0.13.0", False),
    ]
    keys = {"program", "kernel", "loader", "by", "loaded", "errno", "retval", "log", "ms"}
    assert set(answer["results"][0]) == keys


def test_text_for_people(capsys: Capture, guests: FakeGuests) -> None:
    text = verify(capsys, "--kernel", "6.1", "--loader", LOADERS, code=1)
    assert "refused, EINVAL" in text
    assert "invalid func unknown#195896080" in text
    assert text.endswith("1 loaded, 1 refused\n")


def test_everything_loaded_is_code_0(capsys: Capture, guests: FakeGuests) -> None:
    verify(capsys, "--kernel", "6.1", "--loader", "libbpf", code=0)


def test_a_guest_that_fails_is_code_3(capsys: Capture, guests: FakeGuests) -> None:
    guests.fails = lambda request: AppError("It panicked", code="vm-guest-died")
    assert "It panicked" in verify(capsys, "--kernel", "6.1", "--loader", "libbpf", code=3)


def test_the_log_level_reaches_the_guest(capsys: Capture, guests: FakeGuests) -> None:
    text = verify(capsys, "--kernel", "6.1", "--loader", "libbpf", "--log", "2")
    assert guests.asked[0][1].programs[0].log_level == 2
    assert "| 0: R1=ctx()" in text


def test_no_guest(capsys: Capture, guests: FakeGuests) -> None:
    guests.kernels = ()
    assert main(["verify", BROKEN]) == 2
    said = capsys.readouterr().err
    assert "error[guest-missing]: No guest kernel is installed" in said
    assert "coreplay vm add 6.1" in said


def test_inputs(tmp_path: Path) -> None:
    (tmp_path / "packet").write_bytes(b"\1\2")
    assert read_input(str(tmp_path / "packet")) == b"\1\2"
    assert read_input("zeros:64") == bytes(64)
    for wrong in ("zeros:x", "zeros:9999999"):
        with pytest.raises(AppError, match="no number of bytes"):
            read_input(wrong)


def check(capsys: Capture, *arguments: str, code: int) -> tuple[str, str]:
    loaders = ("--kernels", "6.1,7.3", "--loaders", "cilium@0.13.0", "--verify")
    assert main(["check", BROKEN, *loaders, *arguments]) == code
    said = capsys.readouterr()
    return said.out, said.err


def test_check_asks_the_guests_it_can(capsys: Capture, guests: FakeGuests) -> None:
    out, err = check(capsys, code=1)
    assert "the real verifier:\nprog (kprobe/do_sys_open)" in out
    assert "refused, EINVAL" in out
    assert "no guest kernel of 7.3 is installed" in err
    assert guests.asked[0][0] == "6.1.0-56-amd64"


def test_other_forms_stay_what_they_are(capsys: Capture, guests: FakeGuests) -> None:
    out, err = check(capsys, "--format", "json", code=1)
    assert json.loads(out)["results"]
    assert "the real verifier" in err


def test_check_without_guests(capsys: Capture, guests: FakeGuests) -> None:
    guests.kernels = ()
    _, err = check(capsys, code=2)
    assert "error[guest-missing]" in err
