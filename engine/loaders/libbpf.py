"""libbpf: https://github.com/libbpf/libbpf."""

from __future__ import annotations

from dataclasses import replace

from engine.btf.kinds import BtfKind
from engine.core.policy import (
    ArraySize,
    BitfieldLoad,
    CandidateKinds,
    EnumSign,
    FlavorRule,
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
    StructOpsRules,
    WidePoison,
)

V1_7_0 = LoaderPolicy(
    id="libbpf@1.7.0",
    title="libbpf 1.7.0",
    strategy=Strategy.SEQUENTIAL,
    flavor=FlavorRule.LAST_STRICT,
    candidate_kinds=CandidateKinds.SAME_OR_ENUM64,
    modules=ModuleSearch.WHEN_VMLINUX_HAS_NO_NAME,
    pruning=True,
    missing_type=Missing.ZERO,
    wide_poison=WidePoison.TWO_CALLS,
    size_change=SizeChange.RESIZE_OR_POISON,
    array_size=ArraySize.ELEMENT,
    bitfield_load=BitfieldLoad.WIDENED,
    signedness=Signedness.FIELD,
    enum_sign=EnumSign.EXTENDED,
    type_matches=MatchRule.BY_LEVEL,
    float_types=FloatRule.NO,
    local_type_id=LocalTypeId.OBJECT,
    link_order=LinkOrder.DEPTH_FIRST,
    checks_value=True,
    checks_type_ids=False,
    errors_stop_object=True,
    names_error_function=True,
    relocates_subprograms=True,
    hides_functions=True,
    anonymous_matches_any=True,
    missing_values_refused=False,
    new_value_errors_poison=False,
    immediate_overflow_refused=False,
    newest_kind=BtfKind.ENUM64,
    refused_offset_stays=True,
    calls_text_only=True,
    target_read_late=True,
    reading=ReadingRules(opens_as_libbpf=True, legacy_maps_refused=True),
    kconfig_externs=frozenset(
        {"CONFIG_*", "LINUX_KERNEL_VERSION", "LINUX_HAS_BPF_COOKIE", "LINUX_HAS_SYSCALL_WRAPPER"}
    ),
    weak_kconfig_externs=frozenset({"LINUX_*"}),
    struct_ops=StructOpsRules(frozenset({".struct_ops", ".struct_ops.link"})),
    notes=(
        "a 16-byte load is poisoned by two calls since v0.2 (f89dab09)",
        "an array field is resized by its element since v1.6.0 (d7a4ab15)",
        "field_signed looks at the field's own kind since v1.3.0 (b4c8def4)",
        "type_matches since v1.0.0 (7410ddc0)",
        "ENUM64 since v1.0.0 (b63c5183)",
        "candidates from modules since v0.3, when vmlinux has none (6b08519a)",
        "existence checks give 0 for what is missing (c8d1cae5)",
        "type ids are not compared since v0.7 (ac20634c)",
    ),
)

V1_5_0 = replace(
    V1_7_0,
    id="libbpf@1.5.0",
    title="libbpf 1.5.0",
    array_size=ArraySize.WHOLE,
    struct_ops=StructOpsRules(frozenset({".struct_ops", ".struct_ops.link"}), value_first=False),
    errno_names=False,
    notes=(
        "an array field is resized by its whole size until v1.6.0 (d7a4ab15)",
        "errors are printed as numbers until v1.6.0",
    ),
)

V1_1_2 = replace(
    V1_5_0,
    id="libbpf@1.1.2",
    title="libbpf 1.1.2",
    signedness=Signedness.WORD_BEHIND,
    lone_text_is_program=True,
    struct_ops=StructOpsRules(
        frozenset({".struct_ops"}),
        flavors=False,
        in_modules=False,
        value_first=False,
        zeros_may_be_missing=False,
        reused_by_kernel_type=False,
    ),
    notes=(
        *V1_5_0.notes,
        "field_signed takes any enum as signed and reads past types without a sign until "
        "v1.3.0 (b4c8def4)",
    ),
)

V0_8_0 = replace(
    V1_1_2,
    id="libbpf@0.8.0",
    title="libbpf 0.8.0",
    candidate_kinds=CandidateKinds.SAME,
    type_matches=MatchRule.UNSUPPORTED,
    newest_kind=BtfKind.TYPE_TAG,
    ignores_unreadable_btf=True,
    reading=ReadingRules(opens_as_libbpf=True),
    kconfig_externs=frozenset({"CONFIG_*", "LINUX_KERNEL_VERSION"}),
    weak_kconfig_externs=frozenset(),
    newer_kind_text="failed to parse target BTF: -22",
    newer_kind_note="Unsupported BTF_KIND:{1}",
    enum_sign=EnumSign.CUT,
    wide_load_is_sum=True,
    notes=(
        *V1_1_2.notes,
        "ENUM64 cannot be read until v1.0.0 (b63c5183); an object with it that has no maps is "
        "then not relocated at all",
        "values have 32 bits until v1.0.0 (b63c5183); one with bit 31 set never equals the one "
        "in the instruction, which is an error",
        "type_matches is not known until v1.0.0 (7410ddc0)",
    ),
)

POLICIES = (V1_7_0, V1_5_0, V1_1_2, V0_8_0)
