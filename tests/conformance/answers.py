"""Answers of loaders in one form, and how two of them are compared."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from engine.elf.object import ElfObject, parse_object
from engine.elf.programs import Function, functions
from engine.insn.codec import SLOT_BYTES, encode_insn
from tests.conformance.jobs import Job

Answer = dict[str, Any]
Program = dict[str, Any]

_LD_IMM64: Final = "18"
_CALL: Final = "85"


@lru_cache(maxsize=64)
def _elf(path: Path) -> tuple[ElfObject, dict[str, Function]]:
    obj = parse_object(path.read_bytes())
    return obj, {function.name: function for function in functions(obj)}


def completed(answer: Answer, path: Path) -> Answer:
    """Put the section's name and, where the loader says where slots come from, references back."""
    if not answer["programs"]:
        return answer
    obj, found = _elf(path)
    programs = {}
    for name, program in sorted(answer["programs"].items()):
        function = found.get(name)
        program.setdefault("section", function.section if function else "")
        if function and "from" in program:
            program["insns"] = _with_references(program, obj, function)
        programs[name] = {key: program[key] for key in ("section", "insns", "error")}
    return answer | {"programs": programs}


def _with_references(program: Program, obj: ElfObject, function: Function) -> list[str]:
    before = [encode_insn(insn, obj.byte_order).hex() for insn in function.insns]
    kept = _reference_slots(obj, function)
    return [
        before[origin] if origin in kept else slot
        for slot, origin in zip(program["insns"], program["from"], strict=True)
    ]


def _reference_slots(obj: ElfObject, function: Function) -> set[int]:
    """Slots of calls to subprograms and of what the ELF has a relocation for."""
    slots = {
        slot for slot, insn in enumerate(function.insns) if f"{insn.code:02x}" == _CALL and insn.src
    }
    for reloc in obj.relocations.get(function.section_index, ()):
        if function.offset <= reloc.offset < function.end:
            slot = (reloc.offset - function.offset) // SLOT_BYTES
            slots.add(slot)
            if f"{function.insns[slot].code:02x}" == _LD_IMM64:
                slots.add(slot + 1)
    return slots


def changed(answer: Answer, path: Path) -> list[str]:
    """Functions whose slots differ from the ELF's, or that were refused."""
    obj, found = _elf(path)
    return [
        name
        for name, program in answer["programs"].items()
        if program["error"]
        or program["insns"]
        != [encode_insn(insn, obj.byte_order).hex() for insn in found[name].insns]
    ]


def difference(real: Answer, ours: Answer, job: Job) -> str | None:
    """Say how two answers differ, None where they are the same.

    An error is compared by where it is, not by its text; in stage linked, what is only known
    when maps are made is not compared.
    """
    for mine, theirs, words in ((ours, real, "is refused"), (real, ours, "is not refused")):
        if mine["error"] and not theirs["error"]:
            error = mine["error"]
            return f"the object {words}: {error['code']}: {error['text']}"
    if real["programs"].keys() != ours["programs"].keys():
        return f"functions are {sorted(ours['programs'])}, not {sorted(real['programs'])}"
    for name, theirs in real["programs"].items():
        mine = ours["programs"][name]
        if bool(mine["error"]) != bool(theirs["error"]):
            return f"{name}: error is {mine['error']}, not {theirs['error']}"
        found = _first_difference(theirs["insns"], mine["insns"], job)
        if found:
            return f"{name}: {found}"
    return None


def _first_difference(real: list[str], ours: list[str], job: Job) -> str | None:
    if job.stage == "linked":
        real, ours = (_masked(slots, job.is_big_endian) for slots in (real, ours))
    for slot, (theirs, mine) in enumerate(zip(real, ours, strict=False)):
        if theirs != mine:
            return f"slot {slot} is {mine}, not {theirs}"
    if len(real) != len(ours):
        return f"{len(ours)} slots, not {len(real)}"
    return None


def _masked(slots: list[str], is_big_endian: bool) -> list[str]:
    """Hide the values that only loading gives: file descriptors, addresses, ids."""
    source = 3 if is_big_endian else 2
    masked = list(slots)
    for number, slot in enumerate(slots):
        if slot[:2] not in (_LD_IMM64, _CALL) or slot[source] == "0":
            continue
        masked[number] = f"{slot[:8]}........"
        if slot[:2] == _LD_IMM64 and number + 1 < len(slots):
            masked[number + 1] = f"{slots[number + 1][:8]}........"
    return masked
