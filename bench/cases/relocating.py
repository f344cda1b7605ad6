"""Relocation alone: an object with more than a hundred records against a full kernel, warm."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.errors import AppError
from app.services.compile import CompileRequest, compile_c
from bench.figures import Figure, Skipped, milliseconds, yardstick
from engine.btf.decode import Btf
from engine.core.prepare import prepare
from engine.core.relocate import Target, relocate_object
from engine.elf.object import parse_object
from engine.kernels.catalog import Catalog
from engine.loaders import policy_of

KERNEL = "6.1.0-56-amd64"
LOADER = "libbpf@1.7.0"
STRUCTS = ("task_struct", "sk_buff", "sock", "mm_struct", "file", "inode")
FIELDS = 25
"""Of each struct that has so many."""

SOURCE = """\
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

SEC("kprobe/f")
int prog(void *ctx)
{{
    char byte = 0;

{body}
    return byte;
}}

char LICENSE[] SEC("license") = "GPL";
"""


def measure() -> Iterator[Figure]:
    """Count what there is, and give the time for 100."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        btf = Catalog(folder, folder / "cache").btf(KERNEL)
        obj = prepare(parse_object(_compiled(btf, folder)))
        policy = policy_of(LOADER)
        target = Target(btf)
        result = relocate_object(obj, target, policy)
        records = [record for function in result.functions for record in function.relocations]
        assert len(records) >= 100
        assert {record.outcome for record in records} <= {"patched", "unchanged"}
        spent = milliseconds(lambda: relocate_object(obj, target, policy), times=20, warm=3)
        yield Figure(
            f"100 relocations ({LOADER}, warm)",
            spent * 100 / len(records),
            "ms",
            5.0,
            milliseconds(yardstick, times=20),
            "100,000 squares in plain Python",
        )


def _compiled(btf: Btf, folder: Path) -> bytes:
    body = "\n".join(
        f"    bpf_probe_read_kernel(&byte, 1, &((struct {name} *)ctx)->{field});"
        for name in STRUCTS
        for field in _plain_fields(btf, name)
    )
    request = CompileRequest(files={"bench.bpf.c": SOURCE.format(body=body)}, main="bench.bpf.c")
    try:
        result = compile_c(request, btf, cache_dir=folder)
    except AppError as error:
        raise Skipped(error.message) from None
    assert result.object is not None, result.diagnostics
    return result.object


def _plain_fields(btf: Btf, struct: str) -> list[str]:
    """Names of the first members past the start that have one and are no bitfields."""
    kinds = [btf.type(number) for number in btf.ids_named(struct)]
    (layout,) = [kind for kind in kinds if kind.is_composite]
    fields = [m.name for m in layout.members if m.name and m.bitfield_size == 0 and m.bit_offset]
    return fields[:FIELDS]
