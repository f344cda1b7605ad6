"""What a loader version refuses to read, before it relocates anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from engine.btf.decode import Btf
from engine.btf.ext import BtfExt
from engine.btf.kinds import BtfKind, BtfType
from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.legacymaps import legacy_map_faults, legacy_map_refusals
from engine.core.mapdefs import map_faults
from engine.core.newer import first_newer
from engine.core.opening import extern_refusals, section_refusals
from engine.core.policy import LoaderPolicy, MatchRule, ReadingRules
from engine.core.prepare import PreparedObject
from engine.core.referring import reference_faults, string_faults
from engine.core.result import LoaderError
from engine.elf.symbols import SHN_UNDEF
from engine.insn.codec import SLOT_BYTES


def as_read(prepared: PreparedObject, policy: LoaderPolicy) -> PreparedObject:
    """The object as this loader sees it: some do without types that they cannot read.

    Nothing is relocated then, which only the verifier notices.
    Follows: libbpf src/libbpf.c bpf_object__init_btf, libbpf_needs_btf @ v0.8.0.
    """
    if not policy.ignores_unreadable_btf or prepared.btf is None:
        return prepared
    if first_newer(prepared.btf, policy.newest_kind) is None or _needs_btf(prepared):
        return prepared
    return replace(prepared, btf=None, ext=BtfExt({}, {}, {}))


def _needs_btf(prepared: PreparedObject) -> bool:
    """Maps, struct_ops and externs are described by BTF alone."""
    obj = prepared.obj
    return any(s.name in (".maps", ".struct_ops") for s in obj.sections) or any(
        symbol.section == SHN_UNDEF and symbol.type == "notype" and symbol.bind != "local"
        for symbol in obj.symbols
    )


def unreadable(
    prepared: PreparedObject, target: Target, policy: LoaderPolicy
) -> LoaderError | None:
    """The error with which this loader version refuses the object or the target, if it does."""
    fault = _object_fault(prepared, policy)
    if fault is not None:
        return fault
    if policy.target_read_late and not (prepared.btf and prepared.ext.core_relos):
        return None
    return unreadable_target(target, policy)


def unreadable_target(target: Target, policy: LoaderPolicy) -> LoaderError | None:
    """The error with which this loader version refuses the kernel's types, if it does."""
    newer = first_newer(target.btf, policy.newest_kind)
    if newer is None:
        return None
    return LoaderError(policy.target_btf_error, policy.newer_kind_text.format(*newer))


def unreadable_notes(target: Target, policy: LoaderPolicy) -> Iterator[str]:
    """What the loader prints, besides its error, when it cannot read the target."""
    newer = first_newer(target.btf, policy.newest_kind)
    if newer is not None and policy.newer_kind_note:
        yield policy.newer_kind_note.format(*newer)


def _object_fault(prepared: PreparedObject, policy: LoaderPolicy) -> LoaderError | None:
    """The first fault of the object, looked for once: each linked program asks again."""
    if prepared.btf is None:
        return next(_faults(prepared, policy), None)
    known: dict[int, tuple[LoaderPolicy, object, LoaderError | None]]
    known = prepared.btf.caches.setdefault("core.faults", {})
    found = known.get(id(policy))
    if found is None or found[0] is not policy or found[1] is not prepared.functions:
        fault = next(_faults(prepared, policy), None)
        found = known[id(policy)] = policy, prepared.functions, fault
    return found[2]


def _faults(prepared: PreparedObject, policy: LoaderPolicy) -> Iterator[LoaderError]:
    yield from section_refusals(prepared, policy.reading)
    for text in _object_faults(prepared, policy):
        yield LoaderError(policy.object_btf_error, text)
    yield from extern_refusals(prepared, policy.reading)
    yield from legacy_map_refusals(prepared.obj, policy.reading)


def _object_faults(prepared: PreparedObject, policy: LoaderPolicy) -> Iterator[str]:
    if prepared.btf is not None:
        newer = first_newer(prepared.btf, policy.newest_kind)
        if newer is not None:
            yield f"load BTF: {policy.newer_kind_text.format(*newer)}"
        yield from _extern_faults(prepared.btf, policy.reading)
    yield from _section_faults(prepared, policy.reading)
    yield from string_faults(prepared, policy.reading)
    yield from legacy_map_faults(prepared.obj, policy.reading)
    yield from map_faults(prepared, policy.reading)
    yield from reference_faults(prepared, policy.reading)
    if policy.whole_slots_only:
        yield from _between_slots(prepared.ext)
    if policy.type_matches is MatchRule.OBJECT_REFUSED:
        for relos in prepared.ext.core_relos.values():
            for relo in relos:
                if relo.kind >= CoreReloKind.TYPE_MATCHES:
                    yield f"BTF error: invalid BTF relocation kind `{relo.kind}`"


def _between_slots(ext: BtfExt) -> Iterator[str]:
    """Follows: libbpf src/libbpf.c bpf_object__relocate_core, cilium/ebpf btf/ext_info.go."""
    for relos in ext.core_relos.values():
        for relo in relos:
            if relo.insn_off % SLOT_BYTES:
                yield f"offset {relo.insn_off} is not aligned with instruction size"


def _extern_faults(btf: Btf, rules: ReadingRules) -> Iterator[str]:
    """Sections of externs that this version has no notion of."""
    for name in sorted(rules.unread_externs):
        section, _, kind = name.partition(":")
        for type_id in btf.ids_named(section):
            found = btf.type(type_id)
            if found.kind is not BtfKind.DATASEC:
                continue
            if not kind or kind in {_extern_kind(btf.type(v.type_id)) for v in found.variables}:
                yield f"load BTF: reference to {section}: not supported"


def _extern_kind(extern: BtfType) -> str:
    if extern.kind is not BtfKind.VAR:
        return "function"
    return "typed" if extern.type_id else "untyped"


def _section_faults(prepared: PreparedObject, rules: ReadingRules) -> Iterator[str]:
    """Sections that this version refuses, or whose names say nothing to it."""
    for section in prepared.obj.sections:
        if section.name in rules.refused_sections:
            yield f"section \"{section.name}\": got '{section.name}' section: not supported"
    known = rules.program_sections
    for name in dict.fromkeys(f.section for f in prepared.functions if f.is_entry):
        if not known:
            return
        word, *more = name.split("/")
        if not known & {f"{word}/*", f"{word}/{more[0]}" if more else word}:
            yield f"invalid program section `{name}`"
