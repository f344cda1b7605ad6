"""aya: https://github.com/aya-rs/aya (its relocation code is the crate aya-obj)."""

from __future__ import annotations

from dataclasses import replace

from engine.btf.kinds import BtfKind
from engine.core.policy import (
    ArraySize,
    BitfieldLoad,
    CandidateKinds,
    EnumSign,
    FlavorRule,
    FlexibleRule,
    FloatRule,
    LinkOrder,
    LoaderPolicy,
    LocalTypeId,
    MatchRule,
    Missing,
    ModuleSearch,
    ReadingRules,
    Signedness,
    SizeChange,
    Strategy,
    WidePoison,
    Wording,
)

# aya-obj/src/obj.rs ProgramSection::from_str @ aya-obj-v0.3.0
_ANYTHING_BEHIND = (
    "kprobe kretprobe uprobe uprobe.s uretprobe uretprobe.s tp_btf tracepoint tp socket sk_msg "
    "sockops classifier lirc_mode2 perf_event raw_tp raw_tracepoint lsm lsm.s lsm_cgroup fentry "
    "fentry.s fexit fexit.s flow_dissector freplace sk_lookup iter iter.s"
)
_CGROUP = (
    "skb sysctl dev getsockopt setsockopt sock post_bind4 post_bind6 sock_create sock_release "
    "bind4 bind6 connect4 connect6 getpeername4 getpeername6 getsockname4 getsockname6 sendmsg4 "
    "sendmsg6 recvmsg4 recvmsg6"
)
_ONE_OF_THESE = (
    "xdp xdp/cpumap xdp/devmap xdp.frags xdp.frags/cpumap xdp.frags/devmap sk_reuseport "
    "sk_reuseport/migrate sk_skb/stream_parser sk_skb/stream_verdict cgroup_skb/ingress "
    "cgroup_skb/egress"
)
READS_V0_3 = ReadingRules(
    program_sections=frozenset(
        [f"{word}/*" for word in _ANYTHING_BEHIND.split()]
        + [f"cgroup/{word}" for word in _CGROUP.split()]
        + _ONE_OF_THESE.split()
    )
)

V0_14_0 = LoaderPolicy(
    id="aya@0.14.0",
    title="aya 0.14.0",
    strategy=Strategy.SEQUENTIAL,
    flavor=FlavorRule.FIRST,
    candidate_kinds=CandidateKinds.SAME,
    modules=ModuleSearch.NEVER,
    pruning=False,
    missing_type=Missing.REFUSE,
    wide_poison=WidePoison.TWO_CALLS,
    size_change=SizeChange.RESIZE_OR_REFUSE,
    array_size=ArraySize.WHOLE,
    bitfield_load=BitfieldLoad.WIDENED,
    signedness=Signedness.FIELD,
    enum_sign=EnumSign.DECLARED,
    type_matches=MatchRule.OBJECT_REFUSED,
    float_types=FloatRule.YES,
    local_type_id=LocalTypeId.OBJECT,
    link_order=LinkOrder.DEPTH_FIRST,
    checks_value=False,
    checks_type_ids=False,
    errors_stop_object=True,
    names_error_function=False,
    relocates_subprograms=False,
    hides_functions=False,
    anonymous_matches_any=False,
    missing_values_refused=False,
    new_value_errors_poison=True,
    immediate_overflow_refused=False,
    newest_kind=BtfKind.ENUM64,
    flexible_arrays=FlexibleRule.INDEX_OF_LAST_MEMBER,
    counts_last_dimension_only=True,
    whole_slots_only=False,
    wording=Wording.SENTENCE,
    refuses_anonymous_roots=False,
    object_btf_error="Object::parse",
    target_btf_error="Btf::parse",
    refusal_code="relocate_btf",
    reading=READS_V0_3,
    resolves_externs=False,
    entry_linked_again=True,
    depth_noticed_later=True,
    notes=(
        "fields and enumerators that are missing are poisoned since v0.12 (35eaa507, c6f93b17)",
        "a missing type_size or target_type_id is an error",
        "type_matches makes the object unreadable",
        "the old value of an instruction is not checked",
        "externs (kconfig, kernel symbols) are not resolved, calls of kernel functions an error",
        "ENUM64 since v0.12 (8e9404ec)",
    ),
)

V0_11_0 = replace(
    V0_14_0,
    id="aya@0.11.0",
    title="aya 0.11.0",
    missing_type=Missing.ZERO,
    missing_values_refused=True,
    newest_kind=BtfKind.TYPE_TAG,
    notes=(
        "a missing field or enumerator panics until v0.12 (35eaa507, c6f93b17)",
        "a missing type_size or target_type_id is 0 until v0.12",
        "ENUM64 cannot be read until v0.12 (8e9404ec)",
        "type_matches makes the object unreadable",
    ),
)

POLICIES = (V0_14_0, V0_11_0)
