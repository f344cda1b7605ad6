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
    Signedness,
    SizeChange,
    Strategy,
    WidePoison,
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
    anonymous_matches_any=False,
    missing_values_refused=False,
    new_value_errors_poison=True,
    immediate_overflow_refused=False,
    newest_kind=BtfKind.ENUM64,
    flexible_arrays=FlexibleRule.INDEX_OF_LAST_MEMBER,
    counts_last_dimension_only=True,
    refuses_anonymous_roots=False,
    object_btf_error="Object::parse",
    target_btf_error="Btf::parse",
    refusal_code="relocate_btf",
    notes=(
        "fields and enumerators that are missing are poisoned since v0.12 (35eaa507, c6f93b17)",
        "a missing type_size or target_type_id is an error",
        "type_matches makes the object unreadable",
        "the old value of an instruction is not checked",
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
