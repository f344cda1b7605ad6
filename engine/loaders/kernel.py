"""The kernel's own relocation, used by light skeletons since Linux 5.17 (kernel/bpf/btf.c)."""

from __future__ import annotations

from dataclasses import replace

from engine.core.policy import BrokenModule, CandidateKinds
from engine.loaders import libbpf

V6_12 = replace(
    libbpf.V1_5_0,
    id="kernel@6.12",
    title="Linux 6.12 (light skeleton)",
    candidate_kinds=CandidateKinds.SAME,
    pruning=False,
    broken_modules=BrokenModule.PASSED_OVER,
    match_levels=2,
    errno_names=False,
    notes=(
        "kinds must be equal: ENUM never meets ENUM64 (btf.c bpf_core_add_cands)",
        "the candidate list is copied for each relocation, so nothing is pruned (btf.c "
        "bpf_core_apply)",
        "a module whose BTF cannot be read has no BTF object, so its types are just missing "
        "(btf.c btf_module_notify)",
        "type_matches and function types go two levels down (btf.c "
        "MAX_TYPES_MATCH_DEPTH, MAX_TYPES_ARE_COMPAT_DEPTH)",
    ),
)

POLICIES = (V6_12,)
