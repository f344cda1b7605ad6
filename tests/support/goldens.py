"""What the real loaders made of the objects in tests/golden, one record a run.

A record of `goldens.jsonl.xz`:

    id         OBJECT@BTF#LOADER#STAGE
    object     path of the object, below tests/golden
    btf        path of the target's BTF, below tests/golden; may be stored with `.xz` added
    stage      `core` (relocated only) or `linked` (functions appended to each other as well)
    programs   name -> section, insns (hex of each slot, in the object's byte order), error
    error      code and text of the loader's refusal, or null

libbpf stops at the first refusal and names one function. cilium/ebpf goes on with the other
functions. aya refuses the object and names a section, so its refusals stand at the top level.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from engine.btf.decode import Btf
from engine.core.prepare import PreparedObject, prepare
from engine.elf.object import parse_object
from tests.support.tree import ROOT

GOLDEN = ROOT / "tests" / "golden"
LOGS = GOLDEN / "logs"

Record = dict[str, Any]


def records(loader: str, stage: str) -> Iterator[Record]:
    """Give the records of one loader and stage, in the order of the file."""
    for line in _lines().get((loader, stage), ()):
        yield json.loads(line)


def loaders(stage: str) -> set[str]:
    """Give the loaders that have a record of this stage."""
    return {loader for loader, of in _lines() if of == stage}


@cache
def _lines() -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    with lzma.open(GOLDEN / "goldens.jsonl.xz", "rt") as file:
        for line in file:
            name = line[: line.index('",')]
            _, loader, stage = name.rsplit("#", 2)
            found.setdefault((loader, stage), []).append(line)
    return found


@cache
def golden_object(path: str) -> PreparedObject:
    """Give an object of tests/golden, decoded once."""
    return prepare(parse_object((GOLDEN / path).read_bytes()))


@cache
def golden_btf(path: str) -> Btf:
    """Give a target's BTF, decoded once."""
    return Btf.parse(read(GOLDEN / path))


def read(path: Path) -> bytes:
    """Give the bytes of a file that may be stored compressed."""
    return (
        path.read_bytes()
        if path.exists()
        else lzma.decompress(path.with_name(path.name + ".xz").read_bytes())
    )
