"""Made-up kernels with modules, for the objects of tests/golden/modules.

A kernel is vmlinux and some modules, each told by what it adds to a writer. The modules `a` and
`b` define the functions `conn_in` and `other_in`, which the objects' programs attach to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind
from tests.support.btf_writer import BtfWriter, member, values

Part = Callable[[BtfWriter], object]
_FUNCTIONS: Final = {"a": "conn_in", "b": "other_in"}
EMPTY: Final = bytes.fromhex("9feb010018000000") + bytes(16)
"""A header without types and strings."""


@dataclass(frozen=True, slots=True)
class ModuleKernel:
    """Raw BTF of vmlinux, and of modules in the order in which the kernel lists them."""

    vmlinux: bytes
    modules: tuple[tuple[str, bytes], ...]


def _id(writer: BtfWriter, name: str) -> int:
    """An integer type, which modules take from vmlinux."""
    if writer.base is None:
        return int(getattr(writer, name))
    ids = writer.base.ids_named({"uint": "unsigned int"}.get(name, name))
    return next(each for each in ids if writer.base.kind(each) is BtfKind.INT)


def conn(at: int = 0, tuple_at: int = 8, *, name: str = "conn", size: int = 64) -> Part:
    """struct conn { int mark; long tuple; } with its members at these bytes."""
    return lambda writer: writer.add_struct(
        name,
        size,
        [member("mark", _id(writer, "int"), at), member("tuple", _id(writer, "long"), tuple_at)],
    )


def odd(field: str, type_name: str = "int", *, name: str = "conn", at: int = 4) -> Part:
    """struct conn with another member only."""
    return lambda writer: writer.add_struct(name, 8, [member(field, _id(writer, type_name), at)])


def short(at: int) -> Part:
    """struct conn whose members are narrow and unsigned."""
    return lambda writer: writer.add_struct(
        "conn",
        32,
        [member("mark", _id(writer, "uint"), at), member("tuple", _id(writer, "int"), at + 4)],
    )


def peer(at: int) -> Part:
    return odd("port", name="peer", at=at)


def mode(off: int, on: int, *, wide: bool = False) -> Part:
    """enum mode, with `wide` as ENUM64."""

    def add(writer: BtfWriter) -> object:
        of = values(MODE_OFF=off, MODE_ON=on)
        return writer.add_enum64("mode", of) if wide else writer.add_enum("mode", of)

    return add


def half_mode(off: int) -> Part:
    return lambda writer: writer.add_enum("mode", values(MODE_OFF=off))


def nested(at: int) -> Part:
    """struct conn whose members are in an anonymous struct, behind typedefs of the base's types."""

    def add(writer: BtfWriter) -> object:
        alias = writer.add_typedef("mark_t", writer.add_const(_id(writer, "int")))
        inner = [member("mark", alias, 4), member("tuple", _id(writer, "long"), 8)]
        return writer.add_struct("conn", 64, [member("", writer.add_struct("", 16, inner), at)])

    return add


def named(kind: str) -> Part:
    """A type that shares only the name: `fwd`, `union`, `typedef`, `enum`, `func` or `var`."""

    def add(writer: BtfWriter) -> object:
        number = _id(writer, "int")
        members = [member("mark", number, 0), member("tuple", _id(writer, "long"), 0)]
        return {
            "fwd": lambda: writer.add_fwd("conn"),
            "union": lambda: writer.add_union("conn", 16, members),
            "typedef": lambda: writer.add_typedef("conn", number),
            "enum": lambda: writer.add_enum("conn", values(MARK=3)),
            "func": lambda: writer.add_func("conn", writer.add_func_proto(number)),
            "var": lambda: writer.add_var("conn", number),
        }[kind]()

    return add


def unrelated(writer: BtfWriter) -> None:
    """Types that move the ids of those behind them."""
    writer.add_struct("unrelated", 4, [member("mark", _id(writer, "int"), 0)])
    writer.add_ptr(_id(writer, "int"))


_DAMAGE: Final = {"empty": EMPTY, "broken": EMPTY[:20]}
_Module = tuple[Part, ...] | str
"""What is in it, or a word of _DAMAGE."""
_KERNELS: Final[dict[str, tuple[tuple[Part, ...], dict[str, _Module]]]] = {
    "nowhere": ((), {"a": ()}),
    "vmlinux": ((conn(4), mode(1, 5)), {"a": ()}),
    "one": ((), {"a": (conn(4), mode(1, 5))}),
    "second": ((), {"a": (), "b": (conn(12), mode(3, 4))}),
    "unattached": ((), {"a": (), "c": (conn(12), peer(8), mode(3, 4))}),
    "alike": ((conn(4), mode(1, 5)), {"a": (conn(4), mode(1, 5))}),
    "differ": ((conn(4), mode(1, 5)), {"a": (conn(8, 16), mode(1, 6))}),
    "two-alike": ((), {"a": (conn(4), mode(1, 5)), "b": (conn(4), mode(1, 5))}),
    "two-alike-moved": ((), {"a": (conn(4),), "b": (unrelated, conn(4))}),
    "two-differ": ((), {"a": (conn(4), mode(1, 5)), "b": (conn(8, 16), mode(1, 6))}),
    "two-half-alike": ((), {"a": (conn(4), mode(1, 5)), "b": (conn(4, 24), mode(1, 6))}),
    "two-sizes": ((), {"a": (conn(4),), "b": (conn(4, size=72),)}),
    "first-lacks": ((), {"a": (odd("mark"), half_mode(7)), "b": (conn(12), mode(7, 8))}),
    "second-lacks": ((), {"a": (conn(12), mode(7, 8)), "b": (odd("mark"), half_mode(7))}),
    "both-lack": ((), {"a": (odd("mark"), half_mode(7)), "b": (odd("tuple", "long", at=0),)}),
    "vmlinux-lacks": ((odd("other"), half_mode(7)), {"a": (conn(12), mode(7, 8))}),
    "vmlinux-lacks-alike": ((odd("mark", at=12), half_mode(7)), {"a": (conn(12), mode(7, 8))}),
    "three": ((), {"a": (odd("other"),), "b": (conn(8, 16),), "c": (conn(8, 16),)}),
    "three-differ": ((), {"a": (odd("other"),), "b": (conn(8, 16),), "c": (conn(12, 16),)}),
    "twice": ((), {"a": (conn(4), conn(4), mode(1, 5), mode(1, 5))}),
    "twice-differ": ((), {"a": (conn(4), conn(8, 16), mode(1, 5), mode(1, 6))}),
    "wide-enum": ((mode(1, 5),), {"a": (mode(1, 5, wide=True),)}),
    "wide-enum-alone": ((), {"a": (mode(1, 1 << 40, wide=True),)}),
    "wide-enum-differs": ((), {"a": (mode(1, 5),), "b": (mode(1, 9, wide=True),)}),
    "types-differ": ((conn(4),), {"a": (short(4),)}),
    "narrow": ((), {"a": (short(4),)}),
    "nested": ((), {"a": (nested(8),), "b": (conn(12, 16),)}),
    "flavored": ((conn(4, name="conn___v1"),), {"a": (conn(8, 16),)}),
    "flavored-module": ((), {"a": (conn(4, name="conn___v1"), conn(4, name="conn___v2"))}),
    "parted": ((conn(4),), {"a": (peer(4),), "b": (mode(1, 5),)}),
    "parted-turned": ((peer(4),), {"b": (conn(4),), "a": (conn(12),)}),
    "odd-field": ((), {"a": (conn(4), odd("gone"), peer(4))}),
    **{f"{kind}-first": ((named(kind),), {"a": (conn(4),)}) for kind in ("fwd", "union", "var")},
    **{f"{kind}-of-module": ((conn(4),), {"a": (named(kind),)}) for kind in ("fwd", "union")},
    **{
        f"{kind}-beside": ((), {"a": (named(kind),), "b": (conn(4),)})
        for kind in ("fwd", "union", "typedef", "enum", "func", "var")
    },
    "empty": ((peer(4),), {"a": (conn(4),), "c": "empty"}),
    "broken": ((peer(4),), {"a": (conn(4),), "c": "broken"}),
    "broken-unneeded": ((conn(4), peer(4), mode(1, 2)), {"a": (), "c": "broken"}),
    "empty-attached": ((peer(4),), {"a": "empty", "b": (conn(4),)}),
    "unrelated": ((), {"a": (unrelated, conn(4), mode(2, 3)), "b": (unrelated,)}),
}
NAMES: Final = tuple(_KERNELS)


def module_kernel(name: str) -> ModuleKernel:
    """Make the kernel of this name; the same bytes each time."""
    kernel, modules = _KERNELS[name]
    writer = BtfWriter()
    for add in kernel:
        add(writer)
    raw = writer.encode("little")
    base = Btf.parse(raw)
    found = [(module, _module(base, module, of)) for module, of in modules.items()]
    return ModuleKernel(raw, tuple(found))


def _module(base: Btf, name: str, of: _Module) -> bytes:
    if isinstance(of, str):
        return _DAMAGE[of]
    writer = BtfWriter(base=base)
    function = _FUNCTIONS.get(name, f"{name}_in")
    writer.add_func(function, writer.add_func_proto(_id(writer, "int")))
    for add in of:
        add(writer)
    return writer.encode("little")
