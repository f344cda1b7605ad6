"""Kernels with modules: relocation gives what the real loaders gave, slot by slot."""

from __future__ import annotations

import json
import lzma
from collections import defaultdict
from functools import cache

import pytest

from engine.btf.decode import Btf
from engine.btf.split import parse_modules
from engine.core.candidates import Target
from engine.core.relocate import relocate_object
from engine.core.result import FunctionResult
from engine.insn.codec import encode_insn
from engine.loaders import policy_of
from engine.loaders.attach import for_loader
from tests.support.goldens import GOLDEN, Record, golden_object
from tests.support.module_kernels import NAMES, module_kernel

OBJECTS = ("enums", "fields", "flavors", "ids", "two", "types")


@cache
def goldens() -> dict[str, list[Record]]:
    """The records of each loader."""
    found: dict[str, list[Record]] = defaultdict(list)
    packed = (GOLDEN / "modules" / "goldens.jsonl.xz").read_bytes()
    for line in lzma.decompress(packed).splitlines():
        record = json.loads(line)
        for loader in record["loaders"]:
            found[loader].append(record)
    return found


@cache
def target(name: str) -> Target:
    kernel = module_kernel(name)
    base = Btf.parse(kernel.vmlinux)
    return Target(base, parse_modules(base, kernel.modules))


LOADERS = {
    *("libbpf@1.7.0", "libbpf@1.5.0", "libbpf@1.1.2", "libbpf@0.8.0", "aya@0.14.0"),
    *("cilium@0.9.1", "cilium@0.12.3", "cilium@0.13.0", "cilium@0.13.1"),
    *("cilium@0.15.0", "cilium@0.19.0", "cilium@0.22.0"),
}


@pytest.mark.parametrize("loader", sorted(LOADERS))
def test_every_golden(loader):
    records = goldens()[loader]
    assert {(record["object"], record["kernel"]) for record in records} == {
        (f"{name}.o", kernel) for name in OBJECTS for kernel in NAMES
    }
    wrong = [what for record in records if (what := difference(record, loader))]
    assert wrong == []


def difference(record: Record, loader: str) -> str:
    """Say how the answer differs, if it does."""
    where = f"{record['object']} {record['kernel']}"
    prepared, policy = golden_object(f"modules/{record['object']}"), policy_of(loader)
    kernel = for_loader(prepared, target(record["kernel"]), policy)
    result = relocate_object(prepared, kernel, policy)
    if (result.error is not None) != record["error"]:
        return f"{where}: {result.error} of the object, golden {record['error']}"
    found = {
        function.name: code_of(function)
        for function in result.functions
        if function.error is not None or result.error is None
    }
    return "" if found == record["programs"] else f"{where}: {found}, golden {record['programs']}"


def code_of(function: FunctionResult) -> str:
    if function.error is not None or function.after is None:
        return "refused"
    return "".join(encode_insn(insn, "little").hex() for insn in function.after)
