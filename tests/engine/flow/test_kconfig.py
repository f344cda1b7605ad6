"""Externs of .kconfig: what a kernel's release tells about its version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.btf.kinds import INT_BOOL, SecVar
from engine.flow.kconfig import SECTION, Extern, externs, version_code
from engine.flow.reach import explore
from engine.flow.values import KCONFIG, Range
from engine.flow.verifier import POLICIES
from engine.loaders.references import Reference
from tests.support.asm import jmp, ld_imm64, ldx
from tests.support.btf_writer import BtfWriter
from tests.support.gallery import cases
from tests.support.poison import END, POISON, code_with

(CASE,) = [case for case in cases() if case.slug == "kconfig-698"]


@pytest.mark.parametrize(
    ("release", "code"),
    [
        ("6.12.117+deb12-amd64", 0x060C75),
        ("6.1.0", 0x060100),
        ("4.19.325", 0x0413FF),
        ("5.4.17-2136.300.7", 0x050411),
        ("my kernel", None),
        ("6", None),
        ("999.1.2", None),
    ],
)
def test_a_release_that_tells_the_version(release, code):
    assert version_code(release) == code


@pytest.mark.parametrize("release", ["6.1.0-56-amd64", "6.1", "6.1-rc3"])
def test_a_release_that_leaves_the_third_number_open(release):
    code = version_code(release)
    assert isinstance(code, Range)
    assert (code.umin, code.umax, code.weak) == (0x060100, 0x0601FF, KCONFIG)


def test_options_of_the_configuration_are_unknown():
    found = externs(CASE.prepared("broken").btf, "6.12.117+deb12-amd64")
    assert found == {"LINUX_KERNEL_VERSION": Extern(4, 0x060C75)}
    assert externs(BtfWriter().parsed(), "6.1.0") == {} == externs(None, "6.1.0")


def guarded(limit: int, size: int = 4, off: int = 0):
    """Poison that runs where the version is at least `limit`."""
    insns = ld_imm64(1, 0, src=2) + ldx(size, 2, 1, off) + jmp("<", 2, limit, 1) + POISON + END
    return code_with(insns, references={0: Reference(0, "kconfig", "LINUX_KERNEL_VERSION")})


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize(
    ("release", "limit", "answer"),
    [
        ("6.1.0-56-amd64", 0x060200, "no"),
        ("6.1.0-56-amd64", 0x060100, "yes"),
        ("6.1.0-56-amd64", 0x060150, "maybe"),
        ("6.12.117+deb12-amd64", 0x060C75, "yes"),
        ("6.12.117+deb12-amd64", 0x060C76, "no"),
    ],
)
def test_the_version_decides_where_the_release_tells_it(policy, release, limit, answer):
    extern = Extern(4, version_code(release))
    code = replace(guarded(limit), externs={"LINUX_KERNEL_VERSION": extern})
    assert explore(code, policy).worst == answer


@pytest.mark.parametrize(("size", "off"), [(2, 0), (1, 2), (8, 0)])
def test_a_part_of_it_may_be_anything(size, off):
    code = replace(guarded(9, size, off), externs={"LINUX_KERNEL_VERSION": Extern(4, 0x060C75)})
    (fact,) = explore(code, POLICIES[-1]).poisons
    assert (fact.reachable, ".kconfig" in fact.why) == ("maybe", True)


def test_the_guard_of_the_gallery_is_dead_on_newer_kernels():
    judged = CASE.judged("broken", "6.1.0-56-amd64", "libbpf@1.7.0")
    assert judged.kind == "poison-unreachable"
    assert judged.remarks == ()


@pytest.mark.parametrize(
    ("size", "encoding", "text", "value"),
    [
        (4, 0, "250", 250),
        (8, 0, "0x10", 16),
        (4, 0, "-1", 0xFFFFFFFF),
        (1, INT_BOOL, "y", 1),
        (1, INT_BOOL, "n", 0),
        (1, INT_BOOL, "m", None),
        (1, 0, "m", ord("m")),
        (4, 0, "y", None),
        (4, 0, "4294967296", None),
        (4, 0, '"text"', None),
    ],
)
def test_a_setting_that_is_given(size, encoding, text, value):
    writer = BtfWriter()
    variable = writer.add_var("CONFIG_X", writer.add_int("number", size, encoding))
    writer.add_datasec(SECTION, size, [SecVar(variable, 0, size)])
    (found,) = externs(writer.parsed(), "6.1.0", {"CONFIG_X": text}).values()
    assert found.value == value if value is not None else isinstance(found.value, Range)


def test_a_setting_comes_before_the_release():
    given = {"LINUX_KERNEL_VERSION": str(0x050000), "CONFIG_ELSE": "1"}
    found = externs(CASE.prepared("broken").btf, "6.12.117", given)
    assert found == {"LINUX_KERNEL_VERSION": Extern(4, 0x050000)}
