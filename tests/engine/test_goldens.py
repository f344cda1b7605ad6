"""Relocation gives what the real loaders gave: the same bytes, the same refusals, the same log."""

from __future__ import annotations

import pytest

from engine.core.candidates import Target
from engine.core.prepare import PreparedObject
from engine.core.relocate import relocate_object
from engine.core.result import FunctionResult, ObjectResult
from engine.insn.codec import encode_insn
from engine.loaders import all_policies, policy_of
from tests.support.goldens import (
    LOGS,
    Record,
    golden_btf,
    golden_object,
    loaders,
    records,
)

COVERED = sorted({policy.id for policy in all_policies()} & loaders("core"))
GOLDENS_AT_LEAST = 300


def test_goldens_cover_the_loaders_that_ran():
    ran = "libbpf@1.7.0 libbpf@1.1.2 cilium@0.22.0 cilium@0.13.1 cilium@0.13.0 cilium@0.12.3"
    assert {*ran.split(), "cilium@0.9.1", "aya@0.14.0"} <= set(COVERED)


@pytest.mark.parametrize("loader", COVERED)
def test_every_golden(loader):
    seen, wrong = 0, []
    for record in records(loader, "core"):
        seen += 1
        prepared = golden_object(record["object"])
        target = Target(golden_btf(record["btf"]))
        result = relocate_object(prepared, target, policy_of(loader))
        wrong += [f"{record['id']}: {what}" for what in differences(record, result, prepared)]
    assert seen >= GOLDENS_AT_LEAST
    assert wrong == []


def differences(record: Record, result: ObjectResult, prepared: PreparedObject) -> list[str]:
    functions = {function.name: function for function in result.functions}
    error = record["error"]
    if bool(error) != (result.error is not None):
        return [f"{result.error} of the object, golden {error}"]
    if error:
        return refusal_differences(record, result, functions)
    found = []
    for name, golden in record["programs"].items():
        mine = functions[name]
        if bool(golden["error"]) != (mine.error is not None):
            found.append(f"{name}: {mine.error}, golden {golden['error']}")
        elif not golden["error"] and (slots := code_of(mine, prepared)) != golden["insns"]:
            found.append(f"{name}: {slots}, golden {golden['insns']}")
    return found


def refusal_differences(
    record: Record, result: ObjectResult, functions: dict[str, FunctionResult]
) -> list[str]:
    """The refused function is the same, and so are the words, but for cilium/ebpf's."""
    error = result.error
    assert error is not None
    refused = {name for name, function in functions.items() if function.error}
    found = []
    if refused != set(record["programs"]):
        found.append(f"refused are {refused}, golden {set(record['programs'])}")
    if not result.loader.startswith("cilium@") and error.text != record["error"]["text"]:
        found.append(f"{error.text!r}, golden {record['error']['text']!r}")
    if error.code != record["error"]["code"]:
        found.append(f"code {error.code}, golden {record['error']['code']}")
    return found


def code_of(function: FunctionResult, prepared: PreparedObject) -> list[str] | None:
    if function.after is None:
        return None
    return [encode_insn(insn, prepared.obj.byte_order).hex() for insn in function.after]


@pytest.mark.parametrize("path", sorted(LOGS.glob("*.log")), ids=lambda path: path.stem)
def test_every_log_line(path):
    name, _, btf = path.stem.partition("@")
    lines: list[str] = []
    relocate_object(
        golden_object(f"objects/{name}.o"),
        Target(golden_btf(f"btf/{btf}.btf")),
        policy_of("libbpf@1.7.0"),
        debug=lambda level, text: lines.append(f"{level}: {text}"),
    )
    assert lines == path.read_text().splitlines()


def test_listening_changes_nothing():
    """The log is a by-product: results are equal with and without a reader of it."""
    prepared = golden_object("objects/kinds.clang19.v3.el.o")
    target = Target(golden_btf("btf/own-odd.el.btf"))
    silent = relocate_object(prepared, target, policy_of("libbpf@1.7.0"))
    heard = relocate_object(
        prepared, target, policy_of("libbpf@1.7.0"), debug=lambda level, text: None
    )
    assert heard == silent
