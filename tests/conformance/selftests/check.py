"""Runs each case of the kernel's core_reloc selftest on coreplay's relocation.

A case passes when the relocated program, run over the case's input, leaves the case's output; one
that must fail, when libbpf's relocation refuses it or the program comes to a poisoned instruction.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine.btf.decode import Btf
from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject, prepare
from engine.elf.object import parse_object
from engine.loaders import policy_of
from engine.loaders.link import LinkedProgram, link_object
from tests.conformance.jobs import Job
from tests.conformance.selftests.sources import Case
from tests.support.interp import Fault, Machine, Memory, Poisoned

LOADERS: Final = ("libbpf@1.7.0", "libbpf@1.5.0")
"""Today's, and the one of that kernel's time."""
_OUTPUT_AT: Final = 256
_NEEDS_KERNEL: Final = {
    "kernel": "reads the task that runs it, through the structures of the running kernel",
    "module_probed": "needs the module bpf_testmod, loaded into the running kernel",
    "module_direct": "needs the module bpf_testmod, loaded into the running kernel",
}


def check(folder: Path, table: list[Case]) -> bool:
    """Print one line for each loader and each case that fails; True where none does."""
    good = True
    for case in table:
        if case.name in _NEEDS_KERNEL:
            print(f"  {case.name}: not run: it {_NEEDS_KERNEL[case.name]}")
    runnable = [case for case in table if case.name not in _NEEDS_KERNEL]
    for loader in LOADERS:
        wrong = {case.name: _wrong(folder, case, policy_of(loader)) for case in runnable}
        failures = {name: text for name, text in wrong.items() if text}
        print(f"  {loader:<14}passed {len(runnable) - len(failures)}/{len(runnable)}")
        for name, text in failures.items():
            print(f"      {name}: {text}")
        good &= not failures
    return good


def case_jobs(folder: Path, table: list[Case], stage: str) -> Iterator[Job]:
    """The same objects with the same types, for the comparison with the real loaders."""
    for case in table:
        if case.target and (folder / case.target).exists() and (folder / case.object).exists():
            btf = folder / f"{case.target.removesuffix('.bpf.o')}.btf"
            btf.write_bytes(parse_object((folder / case.target).read_bytes()).btf or b"")
            yield Job(f"{case.name}#{stage}", folder, case.object, btf, stage)


def _wrong(folder: Path, case: Case, policy: LoaderPolicy) -> str | None:
    """Say what is wrong with a case, None for nothing."""
    missing = [name for name in (case.object, case.target) if not (folder / str(name)).exists()]
    if missing:
        return f"{missing[0]} was not compiled"
    prepared = prepare(parse_object((folder / case.object).read_bytes()))
    types = parse_object((folder / str(case.target)).read_bytes()).btf
    linked = link_object(prepared, Target(Btf.parse(types or b""), custom=True), policy)
    if linked.error is not None:
        return None if case.fails else f"refused: {linked.error.text}"
    program = next(p for p in linked.programs if p.name == case.program)
    try:
        output = _run(prepared, program, case)
    except Poisoned as fault:
        return None if case.fails else str(fault)
    except Fault as fault:
        return str(fault)
    if case.fails:
        return "it should have failed"
    return None if output == case.output else f"gives {output.hex()}, not {case.output.hex()}"


def _run(prepared: PreparedObject, program: LinkedProgram, case: Case) -> bytes:
    """Run over the case's input, which lies at the start of .bss; the output is behind it."""
    memory = Memory(prepared.obj.byte_order)
    sections = {}
    for section in prepared.obj.sections:
        if section.name in (".bss", ".data") or section.name.startswith(".rodata"):
            content = bytearray(section.size)
            content[: len(section.data)] = section.data
            sections[section.name] = (memory.add(content), content)
    data = next(s for s in prepared.obj.symbols if s.name == "data")
    _, globals_ = sections[prepared.obj.sections[data.section].name]
    globals_[data.value : data.value + len(case.input)] = case.input
    addresses = {
        reference.slot: sections[reference.name][0] + reference.offset
        for reference in program.references
        if reference.kind == "global"
    }
    Machine(program.insns or (), memory, addresses).run()
    start = data.value + _OUTPUT_AT
    return bytes(globals_[start : start + len(case.output)])
