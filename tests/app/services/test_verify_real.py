"""Real loaders in guests: what they said and loaded becomes results beside the engine's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from app.errors import AppError
from app.sandbox.vm.protocol import CommandAnswer, LoadSeen
from app.services import vm_loaders
from app.services.analysis import AnalysisRequest
from app.services.verification import (
    GuestKernel,
    Judge,
    Planned,
    Subject,
    VerifyRequest,
    VerifyResult,
)
from app.services.verify import verify
from app.services.verify_plan import plan_verification
from app.services.verify_real import _matched, masked
from app.services.vm_loaders import add_loader, real_loaders, remove_loader
from app.settings import Settings, load_settings
from engine.insn.codec import encode_insns
from engine.loaders import policy_of
from tests.support.asm import exit_, ld_imm64, mov_imm
from tests.support.fake_guests import GUEST_61, FakeGuests
from tests.support.tree import ROOT

pytestmark = pytest.mark.anyio

BROKEN = (ROOT / "tests" / "golden" / "gallery" / "enum-1348" / "broken.o").read_bytes()
CILIUM = "cilium@0.13.0"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, data=str(tmp_path))


@pytest.fixture
def built(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    def build(version: str, folder: Path) -> str:
        (folder / "loader").write_bytes(b"a static program " + version.encode())
        return "go1.99"

    monkeypatch.setattr(vm_loaders, "_BUILDERS", {"cilium": build})
    add_loader(policy_of(CILIUM), settings)
    return settings


async def results(settings: Settings, guests: FakeGuests) -> tuple[VerifyResult, ...]:
    async def plan(request: VerifyRequest, known: Sequence[GuestKernel]) -> Planned:
        return plan_verification(request, known, settings)

    program = AnalysisRequest(object=BROKEN, kernels=("6.1",), loaders=(CILIUM,))
    return await verify(VerifyRequest(program, real=True), guests, plan)


def answered(loads: Sequence[LoadSeen], output: bytes = b"", status: int = 0) -> FakeGuests:
    return FakeGuests([GUEST_61], command=CommandAnswer(tuple(loads), status, output))


def seen(errno: int, insns: bytes, name: bytes = b"prog", log: bytes = b"") -> LoadSeen:
    return LoadSeen(name, 2, errno, insns, log)


async def test_the_loaders_own_verdict_stands_behind_the_engines(built: Settings) -> None:
    probe = answered([])
    engine = (await results(built, probe))[0]
    insns = engine.subject.insns
    guests = answered([seen(9, b"", b""), seen(13, insns), seen(13, insns, log=b"R0 !read_ok\n")])
    first, second = await results(built, guests)
    assert (first.subject.by, second.subject.by) == ("engine", "real")
    assert (second.loaded, second.errno, second.log) == (False, 13, "R0 !read_ok\n")
    assert second.same_bytes is True
    (command,) = [request.command for _, request in guests.asked if request.command is not None]
    assert command.argv == ("/loader", "/object.o", "prog")
    assert [file.path for file in command.files][:2] == ["/loader", "/object.o"]
    assert command.files[1].content == BROKEN


async def test_other_bytes_are_told(built: Settings) -> None:
    _, real = await results(built, answered([seen(0, encode_insns(exit_(), "little"))]))
    assert real.loaded
    assert real.same_bytes is False


async def test_a_loader_that_gives_up_is_quoted(built: Settings) -> None:
    _, real = await results(built, answered([], b"-\tprog\tbad CO-RE relocation\n"))
    assert (real.loaded, real.code, real.log) == (False, "loader-refused", "bad CO-RE relocation")
    _, real = await results(built, answered([], b"!\t\tno object\n", 1 << 8))
    assert real.log == "no object"


async def test_a_loader_that_dies_was_not_asked(built: Settings) -> None:
    _, real = await results(built, answered([], b"panic: out of memory", 2 << 8))
    assert (real.loaded, real.code) == (None, "guest-failed")
    assert "panic: out of memory" in real.log


async def test_a_loader_that_was_not_built_says_how(settings: Settings) -> None:
    _, real = await results(settings, answered([]))
    assert (real.loaded, real.code) == (None, "loader-not-built")
    assert "coreplay vm loaders add cilium@0.13.0" in real.log


def test_loaders_are_listed_and_removed(built: Settings) -> None:
    (loader,) = real_loaders(built).values()
    assert (loader.id, loader.built_with) == (CILIUM, "go1.99")
    assert loader.path.read_bytes() == b"a static program 0.13.0"
    assert remove_loader(CILIUM, built)
    assert not remove_loader(CILIUM, built)
    assert real_loaders(built) == {}


def test_what_cannot_be_built(settings: Settings) -> None:
    with pytest.raises(AppError) as caught:
        add_loader(policy_of("kernel@6.12"), settings)
    assert caught.value.code == "loader-not-offered"


def test_a_build_that_fails_leaves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vm_loaders, "GO", "/nowhere/go")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AppError) as caught:
        add_loader(policy_of(CILIUM), settings)
    assert caught.value.code == "loader-build-failed"
    assert list((settings.data / "vm" / "loaders").iterdir()) == []


def test_programs_whose_names_are_cut_to_the_same_are_told_apart() -> None:
    judge = Judge("6.1", GUEST_61)
    codes = [encode_insns(mov_imm(0, n) + exit_(), "little") for n in (1, 2, 3)]
    names = [f"tracepoint__syscalls_{n}" for n in "abc"]
    rows = [
        Subject(name, "s", CILIUM, judge, insns=code, by="real")
        for name, code in zip(names, codes, strict=True)
    ]
    cut = names[0][:15].encode()
    other = encode_insns(mov_imm(0, 9) + exit_(), "little")
    loads = [
        seen(22, other, cut),
        seen(22, other, cut, b"why"),
        seen(0, codes[2], cut),
        seen(0, codes[0], cut),
    ]
    found = _matched(rows, loads)
    assert [found[row.place] for row in rows] == [[loads[3]], loads[:2], [loads[2]]]


def test_only_what_a_load_knows_is_left_out():
    one = ld_imm64(1, 5, src=1) + ld_imm64(2, 7) + mov_imm(0, 1) + exit_()
    other = ld_imm64(1, 9, src=1) + ld_imm64(2, 7) + mov_imm(0, 1) + exit_()
    third = ld_imm64(1, 9, src=1) + ld_imm64(2, 8) + mov_imm(0, 1) + exit_()
    first, second, last = (masked(encode_insns(code, "little")) for code in (one, other, third))
    assert first == second != last
