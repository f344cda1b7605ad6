"""An analysis as JSON-ready values: what the API answers and `coreplay relocate --json` prints.

docs/api.md describes each field. Instruction bytes are hex in the object's own byte order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.services.analysis import Analysis, Run
from app.services.verdicts import ProgramVerdict
from engine.btf.ext import LineInfo
from engine.btf.kinds import ByteOrder
from engine.core.result import FunctionResult, LoaderError, Relocation
from engine.explain.narrate import why
from engine.flow.jumps import JumpCheck
from engine.insn.codec import Insn, encode_insn
from engine.insn.disasm import disassemble

if TYPE_CHECKING:
    from app.services.compile import CompileResult

Json = dict[str, Any]


def analysis_bytes(analysis: Analysis) -> bytes:
    """Give the whole answer as UTF-8 JSON."""
    return json.dumps(analysis_json(analysis), ensure_ascii=False).encode("utf-8", "replace")


def analysis_json(analysis: Analysis) -> Json:
    """Give the whole answer."""
    return {
        "compile": compile_json(analysis.compile) if analysis.compile else None,
        "object": {
            "sha256": analysis.object_sha256,
            "bytes": analysis.object_bytes,
            "byte_order": analysis.byte_order,
            "functions": list(analysis.functions),
        },
        "runs": [run_json(run, analysis.byte_order) for run in analysis.runs],
        "milliseconds": {name: round(ms, 3) for name, ms in analysis.milliseconds.items()},
    }


def compile_json(result: CompileResult) -> Json:
    """Give the compiler's side: exact command, version, diagnostics; not the object itself."""
    return {
        "command": result.command,
        "clang_version": result.clang_version,
        "header": result.header,
        "milliseconds": {name: round(ms, 3) for name, ms in result.milliseconds.items()},
        "diagnostics": [
            {
                "file": d.file,
                "line": d.line,
                "column": d.column,
                "severity": d.severity,
                "text": d.text,
            }
            for d in result.diagnostics
        ],
    }


def run_json(run: Run, byte_order: ByteOrder) -> Json:
    """Give one loader on one kernel.

    `error` is the loader's refusal or ours; `verdicts` and `functions` are empty when the run
    was not made.
    """
    answer: Json = {
        "kernel": run.kernel,
        "loader": run.loader,
        "error": None,
        "verdicts": [_verdict(verdict) for verdict in run.verdicts],
        "functions": [],
    }
    if run.result is None:
        if run.error is not None:
            answer["error"] = {"code": run.error.code, "text": str(run.error)}
        return answer
    answer["error"] = _loader_error(run.result.error)
    answer["functions"] = [
        _function(f, run.jumps.get(f.name, ()), byte_order) for f in run.result.functions
    ]
    return answer


def _verdict(verdict: ProgramVerdict) -> Json:
    return {
        "program": verdict.program,
        "section": verdict.section,
        "verdict": verdict.kind,
        "headline": verdict.headline,
        "poisons": [
            {
                "slot": poison.slot,
                "function": poison.function[1],
                "reachable": poison.reachable,
                "why": poison.why,
                "path": list(poison.path),
            }
            for poison in verdict.poisons
        ],
        "remarks": list(verdict.remarks),
    }


def _function(function: FunctionResult, jumps: Iterable[JumpCheck], order: ByteOrder) -> Json:
    after = function.after
    return {
        "name": function.name,
        "section": function.section,
        "offset": function.offset,
        "error": _loader_error(function.error),
        "before": _listing(function.before, order),
        "after": None if after is None else _listing(after, order),
        "slot_map": list(function.slot_map),
        "changed_slots": changed_slots(function),
        "lines": [None if line is None else line.line_number for line in function.lines],
        "relocations": [_relocation(relocation) for relocation in function.relocations],
        "jumps": [asdict(jump) for jump in jumps],
    }


def changed_slots(function: FunctionResult) -> list[int]:
    """Give the slots, counted before relocation, that are lost or hold something else after."""
    if function.after is None:
        return []
    after = function.after
    return [
        slot
        for slot, (insn, new) in enumerate(zip(function.before, function.slot_map, strict=True))
        if new is None or after[new] != insn
    ]


def _listing(insns: tuple[Insn, ...], order: ByteOrder) -> list[Json]:
    return [
        {
            "slot": line.slot,
            "hex": [encode_insn(i, order).hex() for i in insns[line.slot : line.slot + line.slots]],
            "text": line.text,
        }
        for line in disassemble(insns, byte_order=order)
    ]


def _relocation(relocation: Relocation) -> Json:
    return {
        "number": relocation.number,
        "kind": relocation.kind_word,
        "local": relocation.local,
        "access": relocation.access,
        "slot": relocation.slot,
        "slots": relocation.slots,
        "line": None if relocation.line is None else relocation.line.line_number,
        "source": _source(relocation.line),
        "orig": relocation.orig,
        "orig_hex": _hex(relocation.orig),
        "new": relocation.new,
        "new_hex": _hex(relocation.new),
        "outcome": relocation.outcome,
        "why": why(relocation),
    }


def _hex(value: int | None) -> str | None:
    """Write a 64-bit value as text too: JavaScript loses bits of a large JSON number."""
    return None if value is None else hex(value)


def _source(line: LineInfo | None) -> Json | None:
    if line is None:
        return None
    return {"file": line.file_name, "column": line.column, "text": line.line}


def _loader_error(error: LoaderError | None) -> Mapping[str, str] | None:
    return None if error is None else {"code": error.code, "text": error.text}
