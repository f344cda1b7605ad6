"""What the real verifier must show, through the whole service: issue 1348 and its sibling."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.learn.example import examples
from app.sandbox.vm.pool import Pool
from app.services.analysis import AnalysisRequest
from app.services.guests import PoolGuests
from app.services.verification import GuestKernel, Planned, VerifyRequest, VerifyResult
from app.services.verify import verify
from app.services.verify_plan import plan_verification
from app.settings import load_settings
from engine.kernels.catalog import Catalog
from tests.support import guests
from tests.support.clang import compile_c, libbpf_headers
from tests.support.tree import ROOT

pytestmark = pytest.mark.vm

BROKEN = ROOT / "tests" / "golden" / "gallery" / "enum-1348" / "broken.o"
LIBBPF, CILIUM, FIXED = "libbpf@1.7.0", "cilium@0.13.0", "cilium@0.13.1"
SILENT = examples()["guard-then-code"].source
"""What the page's menu offers; its return value tells the loaders apart."""


@pytest.fixture(params=guests.SERIES)
def series(request: pytest.FixtureRequest) -> str:
    guests.require()
    return str(request.param)


def asked(
    series: str, data: bytes, monkeypatch: pytest.MonkeyPatch, **more: object
) -> dict[str, VerifyResult]:
    """Results by loader."""
    templates, guest = guests.guest(series)
    known = Catalog(guests.CACHE / "vm-kernels", guests.CACHE / "vm-kernels" / "cache")
    monkeypatch.setattr("app.services.verify_plan.catalog", lambda settings: known)
    program = AnalysisRequest(object=data, kernels=(guest.id,), loaders=(LIBBPF, CILIUM, FIXED))
    wanted = VerifyRequest(program, seconds=guests.PATIENT, **more)  # type: ignore[arg-type]

    async def plan(request: VerifyRequest, installed: Sequence[GuestKernel]) -> Planned:
        return plan_verification(request, installed, load_settings({}))

    async def main() -> tuple[VerifyResult, ...]:
        async with Pool(templates, keep=0) as pool:
            return await verify(wanted, PoolGuests(pool), plan)

    return {result.subject.loader: result for result in asyncio.run(main())}


def test_issue_1348(series: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(series, BROKEN.read_bytes(), monkeypatch)
    assert [found[loader].loaded for loader in (LIBBPF, CILIUM, FIXED)] == [True, False, True]
    assert found[CILIUM].errno == 13
    assert "R0 !read_ok" in found[CILIUM].log
    assert found[LIBBPF].subject.judge.guest.version_code


def test_the_silent_sibling(series: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    libbpf_headers()
    data = compile_c(SILENT, tmp_path)
    found = asked(series, data, monkeypatch, input=bytes(64))
    assert [found[loader].loaded for loader in (LIBBPF, CILIUM, FIXED)] == [True] * 3
    assert [found[loader].retval for loader in (LIBBPF, CILIUM, FIXED)] == [7, 0, 7]
    assert found[CILIUM].subject.verdict == "silently-different"
