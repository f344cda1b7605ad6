"""Verification end to end with guests that are made up: choice of guests, results, failures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from app.errors import AppError
from app.sandbox.vm.protocol import MapAnswer, Step
from app.services.analysis import AnalysisRequest
from app.services.verification import Ask, GuestKernel, Planned, VerifyRequest, VerifyResult
from app.services.verify import Watcher, verify
from app.services.verify_answer import errno_name, results_of
from app.services.verify_plan import choose_guests, plan_verification
from app.settings import load_settings
from engine.kernels.catalog import Catalog
from tests.support import libbpf_tools
from tests.support.fake_guests import GUEST_61, GUEST_510, FakeGuests, refused
from tests.support.tree import ROOT

pytestmark = pytest.mark.anyio

GALLERY = ROOT / "tests" / "golden" / "gallery"
BROKEN = (GALLERY / "enum-1348" / "broken.o").read_bytes()
LIBBPF, CILIUM, FIXED = "libbpf@1.7.0", "cilium@0.13.0", "cilium@0.13.1"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path, tmp_path)


def asked(
    *kernels: str, loaders: Sequence[str] = (LIBBPF, CILIUM), **more: object
) -> VerifyRequest:
    program = AnalysisRequest(object=BROKEN, kernels=kernels, loaders=tuple(loaders))
    return VerifyRequest(program, **more)  # type: ignore[arg-type]


async def plan(request: VerifyRequest, guests: Sequence[GuestKernel]) -> Planned:
    return plan_verification(request, guests, load_settings())


async def results(
    request: VerifyRequest, guests: FakeGuests, watcher: Watcher | None = None
) -> tuple[VerifyResult, ...]:
    return await verify(request, guests, plan, watcher)


def told(found: Sequence[VerifyResult]) -> list[tuple[str, str, bool | None]]:
    return [(r.subject.judge.guest.series, r.subject.loader, r.loaded) for r in found]


async def test_each_loader_on_each_guest_in_order():
    found = await results(asked("6.1", "5.10"), FakeGuests())
    assert told(found) == [
        ("6.1", LIBBPF, True),
        ("6.1", CILIUM, False),
        ("5.10", LIBBPF, True),
        ("5.10", CILIUM, False),
    ]
    refusal = found[1]
    assert (refusal.errno, refusal.ms) == (22, 0.9)
    assert "invalid func" in refusal.log
    assert found[0].verified_instructions == 7
    assert [r.subject.verdict for r in found[:2]] == ["poison-unreachable", "jump-broken"]


async def test_watchers_are_told_of_each_step():
    steps: list[object] = []

    class Steps(Watcher):
        def planned(self, planned: Planned) -> None:
            steps.append(("planned", len(planned.order)))

        def placed(self, ask: Ask, place: int) -> None:
            steps.append(("place", place))

        def started(self, ask: Ask) -> None:
            steps.append("started")

        def result(self, index: int, result: VerifyResult) -> None:
            steps.append(("result", index, result.loaded))

    await results(asked("6.1", loaders=[LIBBPF]), FakeGuests(), Steps())
    assert steps == [("planned", 1), ("place", 2), "started", ("result", 0, True)]


@pytest.mark.parametrize(
    ("word", "guest", "differs"),
    [
        ("6.1", "6.1.0-56-amd64", False),
        ("6.1.0-56-amd64", "6.1.0-56-amd64", False),
        ("5.10", "5.10.0-46-amd64", False),
    ],
)
def test_guests_are_found(catalog: Catalog, word: str, guest: str, differs: bool):
    (judge,) = choose_guests([word], [GUEST_510, GUEST_61], catalog)
    assert judge.guest.id == guest
    assert bool(judge.note) is differs


def test_another_build_of_the_series_is_told(catalog: Catalog):
    cloud = GuestKernel(
        "6.1.0-57-cloud-amd64", "6.1.0-57-cloud-amd64", "6.1", "6.1.0-57-cloud-amd64"
    )
    (judge,) = choose_guests(["6.1.0-56-amd64"], [GUEST_510, cloud], catalog)
    assert (judge.asked, judge.guest) == ("6.1.0-56-amd64", cloud)
    assert "6.1.0-56-amd64 was chosen; the kernel that judges is 6.1.0-57-cloud" in judge.note


def test_all_guests_once(catalog: Catalog):
    judges = choose_guests(["all", "6.1"], [GUEST_510, GUEST_61], catalog)
    assert [judge.guest for judge in judges] == [GUEST_510, GUEST_61]


@pytest.mark.parametrize(
    ("words", "guests", "code", "hint"),
    [
        (["6.1"], [], "guest-missing", "coreplay vm add 6.1"),
        (["7.3"], [GUEST_61], "guest-missing", "coreplay vm add 7.3"),
        (["5.15"], [GUEST_61], "guest-missing", "coreplay vm add 5.15"),
        (["nonsense"], [GUEST_61], "kernel-unknown", "6.1.0-56"),
    ],
)
def test_guests_that_are_not_there(
    catalog: Catalog, words: list[str], guests: list[GuestKernel], code: str, hint: str
):
    with pytest.raises(AppError) as caught:
        choose_guests(words, guests, catalog)
    assert caught.value.code == code
    assert hint in caught.value.hint


async def test_a_test_run_needs_a_program_that_the_kernel_runs_on_input():
    (found,) = await results(asked("6.1", loaders=[LIBBPF], input=bytes(64)), FakeGuests(retval=7))
    assert found.loaded
    assert found.retval is None
    assert found.run_error == "Not run: the kernel has no test run for programs of type KPROBE."


async def test_a_log_level_is_asked_for_and_its_log_given():
    guests = FakeGuests()
    (found,) = await results(asked("6.1", loaders=[LIBBPF], log_level=2), guests)
    (program,) = guests.asked[0][1].programs
    assert program.log_level == 2
    assert found.log == "0: R1=ctx()"


async def test_a_guest_that_fails_is_a_result():
    problem = AppError("The guest panicked", code="vm-guest-died", hint="It is gone.")
    (found,) = await results(asked("6.1", loaders=[LIBBPF]), FakeGuests(fails=lambda _: problem))
    assert (found.loaded, found.errno, found.code) == (None, None, "vm-guest-died")
    assert found.log == "The guest panicked. It is gone."


@pytest.mark.skipif(not libbpf_tools.programs(), reason="libbpf-tools is not installed")
async def test_programs_that_fail_together_are_asked_alone():
    data = libbpf_tools.objects()["opensnoop"]

    def together(request: object) -> AppError | None:
        many = len(request.programs) > 1  # type: ignore[attr-defined]
        return AppError("Too slow", code="vm-timeout") if many else None

    guests = FakeGuests(fails=together)
    program = AnalysisRequest(object=data, kernels=("6.1",), loaders=(LIBBPF,))
    found = await results(VerifyRequest(program), guests)
    assert [len(request.programs) for _, request in guests.asked] == [4, 1, 1, 1, 1]
    assert [r.loaded for r in found] == [True] * 4


async def test_only_the_programs_that_are_named():
    with pytest.raises(AppError, match="no program 'nobody'"):
        await results(asked("6.1", programs=("nobody",)), FakeGuests())
    assert len(await results(asked("6.1", programs=("prog",)), FakeGuests())) == 2


async def test_too_many_loaders():
    with pytest.raises(AppError) as caught:
        await results(asked("6.1", loaders=["all"]), FakeGuests())
    assert caught.value.code == "too-many-runs"


async def test_a_map_that_the_kernel_refuses_is_told():
    planned = await plan(asked("6.1", loaders=[LIBBPF]), [GUEST_61])
    (ask,) = planned.asks
    guests = FakeGuests(decide=lambda p: dataclasses.replace(refused(p), step=Step.INNER))
    answer = await guests.ask("", ask.request, lambda place: None)
    bad = MapAnswer(step=Step.CREATE, errno=7, entry=0, values=())
    from app.sandbox.vm.protocol import GuestMap

    wanted = dataclasses.replace(
        ask.request,
        maps=(GuestMap(name="big", type=1, key_size=4, value_size=4, max_entries=1 << 31),),
    )
    changed = dataclasses.replace(ask, request=wanted)
    (found,) = results_of(changed, dataclasses.replace(answer, maps=(bad,)))
    assert found.loaded is None
    assert found.log == "Not loaded: the kernel refused that map big be created (E2BIG)."


async def test_an_answer_about_other_programs_is_not_believed():
    planned = await plan(asked("6.1", loaders=[LIBBPF]), [GUEST_61])
    guests = FakeGuests()
    answer = await guests.ask("", planned.asks[0].request, lambda place: None)
    forged = dataclasses.replace(answer, programs=())
    (found,) = results_of(planned.asks[0], forged)
    assert (found.loaded, found.code) == (None, "guest-failed")


async def test_cancelling_stops_all_clones():
    guests = FakeGuests(endless=True)
    with anyio.move_on_after(0.5) as scope:
        await results(asked("6.1", "5.10"), guests)
    assert scope.cancelled_caught


def test_errnos_have_names():
    assert [errno_name(n) for n in (13, 524, 9999)] == ["EACCES", "ENOTSUPP", "9999"]


@pytest.mark.parametrize(("explain", "levels"), [(True, [0, 1]), (False, [0])])
async def test_what_is_refused_is_loaded_again_for_a_log(explain: bool, levels: list[int]):
    guests = FakeGuests()
    await results(asked("6.1", loaders=[CILIUM], explain=explain), guests)
    assert [request.programs[0].log_level for _, request in guests.asked] == levels
