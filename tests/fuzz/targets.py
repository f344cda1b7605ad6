"""What is fuzzed: each target takes bytes and does with them what the application does.

An EngineError with a code is a good answer; so is a value. Anything else is a finding.
"""

from __future__ import annotations

import functools
import lzma
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from engine.btf.cdump import dump_header, type_as_c
from engine.btf.decode import Btf
from engine.btf.ext import decode_ext
from engine.btf.split import parse_modules
from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.core.relocate import relocate_object
from engine.elf.object import parse_object
from engine.errors import EngineError
from engine.flow.jumps import check_jumps
from engine.insn.disasm import disassemble
from engine.kernels.fitting import misfit
from engine.kernels.health import examine
from engine.kernels.ko import module_in
from engine.loaders import all_policies
from engine.loaders.attach import for_loader
from engine.loaders.link import link_object
from tests.support.tree import ROOT

GOLDEN = ROOT / "tests" / "golden"
_TYPES = 300
"""Types of a fuzzed BTF that are looked at one by one."""


@functools.cache
def _target(byte_order: str) -> Btf:
    short = {"little": "el", "big": "eb"}[byte_order]
    return Btf.parse((GOLDEN / "btf" / f"own-odd.{short}.btf").read_bytes())


def fuzz_object(data: bytes) -> None:
    """An ELF object: parsed, relocated and linked as every loader does it, shown."""
    prepared = prepare(parse_object(data))
    target = Target(_target(prepared.obj.byte_order))
    for policy in all_policies():
        seen = for_loader(prepared, target, policy)
        result = relocate_object(prepared, seen, policy, debug=_swallow)
        for function in result.functions:
            if function.after is not None:
                check_jumps(function)
        link_object(prepared, seen, policy)
    for function in prepared.functions[:20]:
        disassemble(function.insns, byte_order=prepared.obj.byte_order)


def fuzz_btf(data: bytes) -> None:
    """A raw BTF: decoded, dumped as C, examined, and used as a kernel."""
    btf = Btf.parse(data)
    examine(data)
    for type_id in range(1, min(len(btf), _TYPES)):
        btf.type(type_id)
        with suppress(EngineError):
            type_as_c(btf, type_id)
    with suppress(EngineError):
        dump_header(btf)
    prepared = _prepared(btf.byte_order)
    for policy in all_policies():
        relocate_object(prepared, Target(btf), policy)


def fuzz_split(data: bytes) -> None:
    """A module's split BTF: checked against its base, and searched beside it."""
    base = _target("little")
    modules = parse_modules(base, [("fuzzed", data)])
    for _, btf in modules:
        misfit(btf)
    prepared = _prepared("little")
    for policy in all_policies():
        target = for_loader(prepared, Target(base, modules), policy)
        relocate_object(prepared, target, policy)


def fuzz_ext(data: bytes) -> None:
    """A .BTF.ext section of either byte order beside a BTF that is sound."""
    btf = _prepared("little").btf
    assert btf is not None
    for order in ("little", "big"):
        with suppress(EngineError):
            decode_ext(data, order, btf.string)  # type: ignore[arg-type]


def fuzz_access(data: bytes) -> None:
    """Access strings: the first byte chooses a type, the second a kind, the rest is the text."""
    from tests.support.relocating import ObjectWriter, relo

    if len(data) < 2:
        return
    program = ObjectWriter()
    types = _rich_types(program)
    code = _patchable()
    text = data[2:].decode("utf-8", "replace").replace("\0", "")
    wanted = relo(types[data[0] % len(types)], text, data[1] % 15)
    program.function("prog", code, wanted)
    prepared = prepare(program.object())
    assert prepared.btf is not None
    for policy in all_policies():
        relocate_object(prepared, Target(prepared.btf), policy, debug=_swallow)


def fuzz_module(data: bytes) -> None:
    """A kernel module's file."""
    module_in(data, "fuzzed.ko", "fuzzed.ko")


def _rich_types(program) -> list[int]:
    """A struct with anonymous parts, bitfields, arrays of arrays; an enum; a typedef."""
    from tests.support.btf_writer import member, values

    btf = program.btf
    inner = btf.add_struct("", 8, [member("x", btf.int, 0), member("b", btf.int, 4, 3)])
    row = btf.add_array(btf.int, btf.int, 4)
    rows = btf.add_array(row, btf.int, 3)
    flexible = btf.add_array(btf.int, btf.int, 0)
    outer = btf.add_struct(
        "outer", 64, [member("", inner, 0), member("rows", rows, 8), member("end", flexible, 56)]
    )
    enum = btf.add_enum("colour", values(RED=0, GREEN=1, BLUE=-5))
    named = btf.add_typedef("outer_t", outer)
    return [btf.int, outer, enum, named, btf.add_ptr(outer), rows, inner, 9999]


def _patchable():
    """A load of 4 bytes at offset 0, which any relocation may patch."""
    from tests.support.asm import exit_, ldx

    return ldx(4, 1, 1, 0) + exit_()


def _swallow(_level: str, _text: str) -> None:
    return None


@functools.cache
def _prepared(byte_order: str):
    short = {"little": "el", "big": "eb"}[byte_order]
    return prepare(parse_object(_seed(f"objects/enum1348.clang19.v3.{short}.o")))


def _seed(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


Seeds = Callable[[], list[bytes]]


def _objects() -> list[bytes]:
    """The smaller golden objects, one of each name."""
    chosen: dict[str, Path] = {}
    for path in sorted((GOLDEN / "objects").glob("*.o")):
        if path.stat().st_size < 60_000:
            name, _, rest = path.name.partition(".")
            chosen[name + rest[-4:]] = path
    return [path.read_bytes() for path in chosen.values()]


def _btfs() -> list[bytes]:
    paths = sorted((GOLDEN / "btf").glob("own*.btf"))
    return [path.read_bytes() for path in paths] + [_section(data)[0] for data in _objects()[:20]]


def _section(data: bytes) -> tuple[bytes, bytes]:
    obj = parse_object(data)
    return obj.btf or b"", obj.btf_ext or b""


def _splits() -> list[bytes]:
    from tests.support.kernel_files import module_btf

    base = _target("little")
    return [module_btf(base), module_btf(base, "bpf_attach_type", "two", func="f")]


def _accesses() -> list[bytes]:
    texts = ["0", "0:0", "0:1:2", "1:2:3", "0:0:1", "0:2:9", "0:1:3:9", ":0", "0:", "-1", "00:1"]
    return [bytes((n, k)) + t.encode() for n in range(4) for k in range(13) for t in texts]


def _modules() -> list[bytes]:
    from tests.support.kernel_files import ko, module_btf

    plain = ko("fuzzed", module_btf(_target("little"), "one"))
    return [plain, lzma.compress(plain)]


TARGETS: dict[str, tuple[Callable[[bytes], None], Seeds]] = {
    "object": (fuzz_object, _objects),
    "btf": (fuzz_btf, _btfs),
    "split": (fuzz_split, _splits),
    "ext": (fuzz_ext, lambda: [_section(data)[1] for data in _objects()]),
    "access": (fuzz_access, _accesses),
    "module": (fuzz_module, _modules),
}
