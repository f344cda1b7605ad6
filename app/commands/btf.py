"""coreplay btf: reduce a kernel's BTF to what an object needs, show a type of it."""

from __future__ import annotations

import argparse
import sys

from app.commands.files import read_bytes, write_bytes
from app.errors import AppError
from app.services.analyse import catalog, read_object
from app.settings import load_settings
from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, TypeId

_SHOWN = frozenset({BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64, BtfKind.TYPEDEF})


def run(arguments: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    if arguments.action == "minimize":
        return _minimize(arguments)
    return _show(arguments)


def _minimize(arguments: argparse.Namespace) -> int:
    """Write the mini-BTF; 1, and nothing is written, where a loader would not do the same."""
    from engine.loaders import all_policies
    from engine.loaders.minimize import mini_btf  # late: `show` needs no loader

    prepared = read_object(read_bytes(arguments.object))
    full = _btf(arguments)
    mini = mini_btf(prepared, full, all_policies())
    if mini.differs:
        print(
            f"coreplay: {', '.join(mini.differs)} would not give the same code for a smaller BTF; "
            "nothing was written",
            file=sys.stderr,
        )
        return 1
    write_bytes(arguments.output, mini.data)
    ids = "those of the kernel" if mini.kept_ids else "new ones"
    print(f"{arguments.output}: {len(mini.data):,} bytes, {mini.types:,} types, ids are {ids}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    """Print a type as C, once for each type of that name."""
    from engine.btf.cdump import type_as_c

    btf = _btf(arguments)
    words = arguments.type.split()
    name = words[-1] if words else ""
    found = [type_id for type_id in btf.ids_named(name) if _meant(btf, type_id, words[:-1])]
    if not name or not found:
        raise AppError(
            f"There is no type {arguments.type!r}",
            code="bad-request",
            place="TYPE",
            hint="Give a name as in C: task_struct, 'struct sk_buff', 'enum bpf_cmd'.",
        )
    for type_id in found:
        print(f"/* [{type_id}] */\n{type_as_c(btf, type_id).rstrip()}")
    return 0


def _meant(btf: Btf, type_id: TypeId, keyword: list[str]) -> bool:
    kind = btf.kind(type_id)
    return kind in _SHOWN and (not keyword or kind.word.removesuffix("64") == keyword[0])


def _btf(arguments: argparse.Namespace) -> Btf:
    if arguments.btf is not None:
        return Btf.parse(read_bytes(arguments.btf, limit=limits.BTF_BYTES))
    known = catalog(load_settings())
    kernel = known.resolve(arguments.kernel).id
    if arguments.modules:
        return known.module(kernel, arguments.modules)
    return known.btf(kernel)
