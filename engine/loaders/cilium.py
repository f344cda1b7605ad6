"""cilium/ebpf: https://github.com/cilium/ebpf."""

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
    WidePoison,
)

# btf/btf.go fixupDatasec, elf_reader.go relocateInstruction of each version
_MAP_FIELDS = frozenset(
    {"type", "map_flags", "max_entries", "key", "value", "key_size", "value_size", "pinning"}
    | {"values"}
)
READS_V0_18 = ReadingRules(
    map_fields=_MAP_FIELDS,
    unset_map_fields=frozenset({"map_extra"}),
    unread_externs=frozenset({".ksyms:typed"}),
    checks_references=True,
    data_sections=(".bss", ".data*", ".rodata*"),
    data_bindings=frozenset({"global", "local", "weak"}),
    call_bindings=frozenset({"global"}),
    extern_bindings=frozenset({"global", "weak"}),
)
READS_V0_15 = replace(
    READS_V0_18,
    unset_map_fields=frozenset(),
    unread_externs=frozenset({".ksyms:typed", ".ksyms:untyped"}),
    data_sections=(".bss", ".data", ".rodata*"),
    data_bindings=frozenset({"global", "local"}),
)
READS_V0_13 = replace(READS_V0_15, extern_bindings=frozenset({"global"}))
READS_V0_12 = replace(READS_V0_13, bindings_told_by_kind=True)
READS_V0_9 = replace(
    READS_V0_12,
    unread_externs=frozenset({".kconfig", ".ksyms"}),
    maps_may_be_typedefs=False,
    weak_maps_are_static=True,
    strings_refused=True,
)

V0_22_0 = LoaderPolicy(
    id="cilium@0.22.0",
    title="cilium/ebpf 0.22.0",
    strategy=Strategy.GROUPED,
    flavor=FlavorRule.LAST_LAX,
    candidate_kinds=CandidateKinds.ANY,
    modules=ModuleSearch.TOGETHER,
    pruning=False,
    missing_type=Missing.POISON,
    wide_poison=WidePoison.R10_LOAD,
    size_change=SizeChange.IGNORED,
    array_size=ArraySize.WHOLE,
    bitfield_load=BitfieldLoad.ALIGNED,
    signedness=Signedness.FIELD_OR_REFUSE,
    enum_sign=EnumSign.DECLARED,
    type_matches=MatchRule.FULL,
    float_types=FloatRule.REFUSE,
    local_type_id=LocalTypeId.GENERATED,
    link_order=LinkOrder.BREADTH_FIRST,
    checks_value=True,
    checks_type_ids=True,
    errors_stop_object=False,
    names_error_function=True,
    relocates_subprograms=False,
    hides_functions=False,
    anonymous_matches_any=True,
    missing_values_refused=False,
    new_value_errors_poison=False,
    immediate_overflow_refused=True,
    newest_kind=BtfKind.ENUM64,
    poison_drops_metadata=True,
    object_btf_error="LoadCollectionSpec",
    target_btf_error="btf.LoadSpec",
    reading=replace(
        READS_V0_18,
        refused_sections=frozenset({".struct_ops"}),
        map_fields=_MAP_FIELDS | {"map_extra"},
        unset_map_fields=frozenset(),
        call_bindings=frozenset({"global", "weak"}),
        places_name_sections=True,
        legacy_maps_have_sizes=True,
    ),
    notes=(
        "a 16-byte load is poisoned by a 16-byte load of r10 since v0.13.1 (59cb7157)",
        "type_matches since v0.15.0 (1d00992e)",
        "types of all modules are candidates since v0.19.0 (9958a4f5)",
        "local_type_id is the id in the BTF written at load since v0.13.0 (d46bb3c9)",
        "enumerators have 64 bits and a sign since v0.12.3 (1df82a8b)",
        "field_signed looks at the field since v0.11.0 (da3c6984, 4267cbc5)",
    ),
)

V0_19_0 = replace(
    V0_22_0,
    id="cilium@0.19.0",
    title="cilium/ebpf 0.19.0",
    empty_modules_refused=True,
    reading=READS_V0_18,
    notes=(
        "types of all modules are candidates since v0.19.0 (9958a4f5)",
        "a loaded module whose BTF has no strings, such as a bare header, fails every program "
        "until v0.20.0 (pull request 1837, issues 1818 and 1902)",
    ),
)

V0_15_0 = replace(
    V0_22_0,
    id="cilium@0.15.0",
    title="cilium/ebpf 0.15.0",
    modules=ModuleSearch.ATTACHED,
    empty_modules_refused=True,
    reading=READS_V0_15,
    notes=(
        "type_matches since v0.15.0 (1d00992e)",
        "of the modules, only the one that a program attaches to is searched, v0.14.0 to v0.18.0 "
        "(fe26f9c9)",
    ),
)

V0_13_1 = replace(
    V0_15_0,
    id="cilium@0.13.1",
    title="cilium/ebpf 0.13.1",
    modules=ModuleSearch.NEVER,
    type_matches=MatchRule.UNSUPPORTED,
    reading=READS_V0_13,
    notes=(
        "a 16-byte load is poisoned by a 16-byte load of r10 since v0.13.1 (59cb7157)",
        "type_matches is an error until v0.15.0 (1d00992e)",
        "types of modules are no candidates until v0.14.0 (fe26f9c9)",
    ),
)

V0_13_0 = replace(
    V0_13_1,
    id="cilium@0.13.0",
    title="cilium/ebpf 0.13.0",
    wide_poison=WidePoison.ONE_CALL,
    notes=(
        "a 16-byte load is poisoned by one 8-byte call: the program loses a slot and jumps "
        "across it go astray, v0.9.0 to v0.13.0 (8c29b7aa, mended by 59cb7157)",
        "local_type_id is the id in the BTF written at load since v0.13.0 (d46bb3c9)",
    ),
)

V0_12_3 = replace(
    V0_13_0,
    id="cilium@0.12.3",
    title="cilium/ebpf 0.12.3",
    local_type_id=LocalTypeId.OBJECT,
    reading=READS_V0_12,
    notes=(
        V0_13_0.notes[0],
        "local_type_id is the id in the object until v0.13.0 (d46bb3c9)",
        "enumerators have 64 bits and a sign since v0.12.3 (1df82a8b)",
    ),
)

V0_9_1 = replace(
    V0_12_3,
    id="cilium@0.9.1",
    title="cilium/ebpf 0.9.1",
    signedness=Signedness.ROOT,
    enum_sign=EnumSign.CUT,
    newest_kind=BtfKind.FLOAT,
    sizes_unsized_candidates=True,
    fixup_named_by_value=True,
    reading=READS_V0_9,
    notes=(
        V0_13_0.notes[0],
        "enumerators are cut to 32 bits until v0.12.3 (1df82a8b)",
        "ENUM64 cannot be read until v0.10.0 (9a6f8143), nor can DECL_TAG and TYPE_TAG",
        "field_signed looks at the root type until v0.11.0 (da3c6984, 4267cbc5)",
    ),
)

POLICIES = (V0_22_0, V0_19_0, V0_15_0, V0_13_1, V0_13_0, V0_12_3, V0_9_1)
