"""Made-up guarded programs compile, and what is said of them fits the kernels' order."""

from __future__ import annotations

import pytest

from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.elf.object import parse_object
from engine.flow.verdict import judge_object
from engine.loaders import policy_of
from engine.loaders.link import link_object
from tests.support import guarded
from tests.support.btf_writer import BtfWriter, values
from tests.support.clang import compile_c
from tests.support.guarded_c import as_c


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_programs_compile_and_are_judged(seed, tmp_path):
    obj = parse_object(compile_c(as_c(guarded.draw(seed)), tmp_path))
    btf = BtfWriter()
    btf.add_enum("cgroup_subsys_id", values(cpuset_cgrp_id=0))
    prepared = prepare(obj)
    linked = link_object(prepared, Target(btf.parsed()), policy_of("libbpf@1.7.0"))
    kinds = [judge_object(prepared, linked, kernel)[0].kind for kernel in ("5.10", "6.12", "7.3")]
    assert set(kinds) <= {"clear", "poison-unreachable", "poison-reachable", "unknown"}
    if kinds[0] == "poison-unreachable":
        assert set(kinds) == {"poison-unreachable"}, "newer kernels keep more"
