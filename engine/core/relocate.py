"""Relocating a whole object against one target as one loader version does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.policy import LoaderPolicy, ModuleSearch, Strategy
from engine.core.prepare import PreparedObject, prepare
from engine.core.readable import as_read, unreadable, unreadable_notes
from engine.core.result import FunctionResult, LoaderError, ObjectResult
from engine.core.sequential import SequentialRelocator
from engine.core.work import DebugSink, FunctionWork, Record, Run
from engine.elf.object import ElfObject
from engine.errors import ByteOrderMismatch
from engine.insn.codec import SLOT_BYTES

_KINDS = {int(kind): kind for kind in CoreReloKind}


def relocate_object(
    source: ElfObject | PreparedObject,
    target: Target,
    policy: LoaderPolicy,
    *,
    debug: DebugSink | None = None,
) -> ObjectResult:
    """Apply every CO-RE relocation of an object; functions are not linked to each other.

    A loader's refusal is a value of the result, never an exception. An object without BTF
    comes back unchanged. `debug` receives level and text of each line that libbpf prints.

    Raises ByteOrderMismatch when object and target differ in byte order, and what `prepare`
    raises for malformed objects.
    """
    prepared = source if isinstance(source, PreparedObject) else prepare(source)
    prepared = as_read(prepared, policy)
    _check_byte_orders(prepared, target)
    works = [
        FunctionWork(function, list(function.insns), lines)
        for function, lines in zip(prepared.functions, prepared.lines, strict=True)
    ]
    error = _relocate(prepared, works, target, policy, debug)
    return ObjectResult(
        policy.id, tuple(_result(work, refused=error is not None) for work in works), error
    )


def relocate_functions(
    prepared: PreparedObject, numbers: Sequence[int], target: Target, policy: LoaderPolicy
) -> tuple[tuple[FunctionResult, ...], LoaderError | None]:
    """Relocate some functions together, as one linked program.

    Gives all functions of the object, of which only those of `numbers` were relocated, and
    the loader's refusal, if any. Raises ByteOrderMismatch.
    """
    from engine.core.grouped import GroupedRelocator  # late: see `_relocate_grouped`

    _check_byte_orders(prepared, target)
    works = [
        FunctionWork(function, list(function.insns), lines)
        for function, lines in zip(prepared.functions, prepared.lines, strict=True)
    ]
    error = unreadable(prepared, target, policy)
    if prepared.btf is not None and error is None:
        section = prepared.functions[numbers[0]].section
        run = Run(prepared.btf, prepared.ext, _seen(target, section, policy), policy)
        chosen = [works[number] for number in numbers]
        place = {id(work): position for position, work in enumerate(chosen)}
        records = sorted(
            _records(run, chosen), key=lambda record: (place[id(record.work)], record.slot)
        )
        error = GroupedRelocator(run).relocate(records) if records else None
    return tuple(_result(work, refused=error is not None) for work in works), error


def _check_byte_orders(prepared: PreparedObject, target: Target) -> None:
    order = prepared.obj.byte_order
    if target.btf.byte_order != order:  # modules are of their base's order, or do not parse
        raise ByteOrderMismatch(
            f"the object is {order}-endian, the BTF of vmlinux {target.btf.byte_order}-endian",
            hint="Compile for the kernel's byte order or choose another kernel.",
        )


def _relocate(
    prepared: PreparedObject,
    works: list[FunctionWork],
    target: Target,
    policy: LoaderPolicy,
    debug: DebugSink | None,
) -> LoaderError | None:
    refused = unreadable(prepared, target, policy)
    if refused is not None and debug is not None:
        for note in unreadable_notes(target, policy):
            debug("debug", note)
        debug("warning", refused.text)
    if refused is not None or prepared.btf is None or not prepared.ext.core_relos:
        return refused
    run = Run(prepared.btf, prepared.ext, target, policy, debug)
    if policy.strategy is Strategy.GROUPED:
        return _relocate_grouped(run, works)
    relocator = SequentialRelocator(run)
    for record in _records(run, works):
        error = relocator.relocate(record)
        if error is not None:
            if policy.names_error_function:
                record.work.error = error
            return error
    return None


def _relocate_grouped(run: Run, works: list[FunctionWork]) -> LoaderError | None:
    from engine.core.grouped import GroupedRelocator  # late: many processes see no such loader

    units: dict[int, list[Record]] = {}
    for record in _records(run, works):
        units.setdefault(id(record.work), []).append(record)
    for records in units.values():
        records.sort(key=lambda record: record.slot)
        work = records[0].work
        unit = replace(run, target=_seen(run.target, work.function.section, run.policy))
        work.error = GroupedRelocator(unit).relocate(records)
    return None


def _seen(target: Target, section: str, policy: LoaderPolicy) -> Target:
    """The target as the loader sees it for a program of this section."""
    return target.for_section(section) if policy.modules is ModuleSearch.ATTACHED else target


def _records(run: Run, works: list[FunctionWork]) -> Iterator[Record]:
    """All records with their functions, in the order of .BTF.ext.

    Records for code of no known function are left out: a linker leaves them behind when it
    drops a weak function.
    """
    by_name: dict[str, list[FunctionWork]] = {}
    for work in works:
        by_name.setdefault(work.function.section, []).append(work)
    for section, relos in run.ext.core_relos.items():
        inside = by_name.get(section, [])
        inside.sort(key=_offset)
        run.note(f"sec '{section}': found {len(relos)} CO-RE relocations")
        for number, relo in enumerate(relos):
            at = bisect_right(inside, relo.insn_off, key=_offset) - 1
            if at < 0 or relo.insn_off >= inside[at].function.end:
                run.note(
                    f"sec '{section}': skipping CO-RE relocation #{number} for insn "
                    f"#{relo.insn_off // SLOT_BYTES} belonging to eliminated weak subprogram"
                )
                continue
            slot = (relo.insn_off - inside[at].function.offset) // SLOT_BYTES
            yield Record(number, relo, _KINDS.get(relo.kind), inside[at], slot)


def _offset(work: FunctionWork) -> int:
    return work.function.offset


def _result(work: FunctionWork, *, refused: bool) -> FunctionResult:
    function = work.function
    slot_map: list[int | None] = list(range(len(function.insns)))
    after = tuple(work.insns)
    if work.lost_slots:
        kept = 0
        for slot in slot_map.copy():
            lost = slot in work.lost_slots
            slot_map[slot or 0] = None if lost else kept
            kept += not lost
        after = tuple(insn for slot, insn in enumerate(after) if slot not in work.lost_slots)
    done = not refused and work.error is None
    return FunctionResult(
        name=function.name,
        section=function.section,
        offset=function.offset,
        before=function.insns,
        after=after if done else None,
        slot_map=tuple(slot_map),
        relocations=tuple(sorted(work.relocations, key=lambda row: row.number)),
        lines=work.lines,
        error=work.error,
    )
