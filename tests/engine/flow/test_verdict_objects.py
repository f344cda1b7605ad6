"""What becomes of compiled programs on a kernel without their enumerator, by loader and kernel."""

from __future__ import annotations

from functools import cache

import pytest

from engine.core.candidates import Target
from engine.flow.verdict import Verdict, judge_object
from engine.loaders import policy_of
from engine.loaders.link import link_object
from tests.support.btf_writer import BtfWriter, values
from tests.support.goldens import golden_object

LIBBPF, LOSING, FIXED = "libbpf@1.7.0", "cilium@0.13.0", "cilium@0.13.1"
CPUS = ("v2", "v3")
DEAD, REACHED, BROKEN = "poison-unreachable", "poison-reachable", "jump-broken"


@cache
def target(*, complete: bool = False) -> Target:
    btf = BtfWriter()
    extra = {"absent_cgrp_id": 3} if complete else {}
    btf.add_enum("cgroup_subsys_id", values(cpuset_cgrp_id=0, **extra))
    return Target(btf.parsed())


@cache
def verdicts(name: str, loader: str, kernel: str, *, complete: bool = False) -> dict[str, Verdict]:
    prepared = golden_object(f"flow/{name}.o")
    linked = link_object(prepared, target(complete=complete), policy_of(loader))
    return {verdict.program: verdict for verdict in judge_object(prepared, linked, kernel)}


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", ["unset", "beyond", "different"])
@pytest.mark.parametrize("loader", [LIBBPF, FIXED, "aya@0.14.0"])
@pytest.mark.parametrize("kernel", ["5.10.251", "7.3.4"])
def test_loaders_that_keep_the_length_load_all_three(cpu, name, loader, kernel):
    verdict = verdicts(f"{name}.{cpu}", loader, kernel)[name]
    assert verdict.kind == DEAD
    assert (verdict.count("no"), verdict.count("yes"), verdict.lost_slots) == (1, 0, 0)
    assert verdict.headline == "1 instruction is poisoned, and it cannot be reached."


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("kernel", ["5.10.251", "6.12.117", "7.3.4"])
class TestThreeOutcomes:
    """The program of cilium/ebpf issue 1348 and its two siblings, as v0.13.0 loads them."""

    def test_a_register_that_was_never_written(self, cpu, kernel):
        verdict = verdicts(f"unset.{cpu}", LOSING, kernel)["unset"]
        assert verdict.kind == BROKEN
        assert verdict.kernel_text == "R0 !read_ok"
        (jump,) = verdict.live_strays
        assert (jump.slot, jump.intended, jump.actual, jump.skipped) == (2, 5, 6, (5,))

    def test_past_the_end(self, cpu, kernel):
        verdict = verdicts(f"beyond.{cpu}", LOSING, kernel)["beyond"]
        assert verdict.kind == BROKEN
        assert verdict.fault is not None
        assert verdict.fault.kind == "past-the-end"
        assert verdict.kernel_text == "jump out of range from insn 3 to 7"

    def test_something_else_is_computed(self, cpu, kernel):
        verdict = verdicts(f"different.{cpu}", LOSING, kernel)["different"]
        assert verdict.kind == "silently-different"
        assert verdict.headline == (
            "It loads but computes something else: the jump in slot 4 lands in slot 8, not in 7, "
            "and skips slot 7."
        )


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("name", ["unset", "beyond", "different", "calls", "memory"])
@pytest.mark.parametrize("loader", [LIBBPF, LOSING, FIXED])
def test_nothing_is_poisoned_where_the_enumerator_exists(cpu, name, loader):
    for verdict in verdicts(f"{name}.{cpu}", loader, "6.1", complete=True).values():
        assert verdict.kind == "clear"
        assert verdict.poisons == ()


CALLS = {
    "by_static": {"5.10.251": DEAD, "6.1.192": DEAD, "6.12.117": DEAD, "7.3.4": DEAD},
    "by_global": {"5.10.251": REACHED, "6.1.192": REACHED, "6.12.117": REACHED, "7.3.4": REACHED},
    "dead_global": {"5.10.251": REACHED, "6.1.192": REACHED, "6.12.117": DEAD, "7.3.4": DEAD},
}
MEMORY = {
    "by_rodata": {"5.10.251": DEAD, "7.3.4": DEAD},
    "by_data": {"5.10.251": REACHED, "7.3.4": REACHED},
    "by_zero": {"5.10.251": DEAD, "7.3.4": DEAD},
    "by_one": {"5.10.251": REACHED, "7.3.4": REACHED},
    "by_low_half": {"5.10.251": REACHED, "6.1.192": REACHED, "6.12.117": DEAD, "7.3.4": DEAD},
    "unguarded": {"5.10.251": REACHED, "7.3.4": REACHED},
}


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(
    ("name", "program", "kernel", "kind"),
    [
        (name, program, kernel, kind)
        for name, table in (("calls", CALLS), ("memory", MEMORY))
        for program, row in table.items()
        for kernel, kind in row.items()
    ],
)
def test_guards_through_functions_and_memory(cpu, name, program, kernel, kind):
    verdict = verdicts(f"{name}.{cpu}", LIBBPF, kernel)[program]
    assert verdict.kind == kind
    if kind == REACHED:
        (fact,) = verdict.poisons
        assert fact.reachable == "yes"
        assert fact.path[-1] == fact.slot
        assert fact.relocation is not None
        assert fact.relocation.local == "enum cgroup_subsys_id::absent_cgrp_id"
        assert "enum cgroup_subsys_id::absent_cgrp_id" in verdict.headline


def test_a_guard_in_rodata_comes_with_a_remark():
    (remark,) = verdicts("memory.v3", LIBBPF, "6.1")["by_rodata"].remarks
    assert ".rodata as it stands in the object" in remark
    assert verdicts("memory.v3", LIBBPF, "6.1")["by_zero"].remarks == ()


def test_poison_says_what_the_kernel_will_say():
    by_loader = {
        loader: verdicts("memory.v3", loader, "6.1")["unguarded"].kernel_text
        for loader in (LIBBPF, LOSING, FIXED)
    }
    assert by_loader == {
        LIBBPF: "invalid func unknown#195896080",
        LOSING: "invalid func unknown#195896080",
        FIXED: "frame pointer is read only",
    }


def test_a_loader_that_cannot_link_refuses():
    """v0.13.x loses the symbol of a function that begins with poison."""
    verdict = verdicts("calls.v3", FIXED, "6.12")["dead_global"]
    assert verdict.kind == "refused"
    assert "unsatisfied program reference" in verdict.headline
    assert verdict.refusal is not None


def test_an_object_that_is_refused_refuses_all_its_programs():
    prepared = golden_object("flow/memory.v3.o")
    btf = BtfWriter()
    for number in (1, 2):
        btf.add_enum("cgroup_subsys_id", values(absent_cgrp_id=number))
    linked = link_object(prepared, Target(btf.parsed()), policy_of(LIBBPF))
    found = judge_object(prepared, linked, "6.1")
    assert len(found) == len(MEMORY)
    assert {verdict.kind for verdict in found} == {"refused"}
    assert all("libbpf@1.7.0 refuses it: " in verdict.headline for verdict in found)
