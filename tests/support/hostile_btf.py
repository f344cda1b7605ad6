"""The BTF of a kernel whose names are made to break pages."""

from __future__ import annotations

from engine.btf.kinds import Member
from tests.support.btf_writer import BtfWriter, member, values

SCRIPT = "</script><img src=x onerror=alert(1)>"
LONG = "n" * 10_000
ODD = ("a/b", "..", "with space", "q?x=1#y", 'quo"te', "back\\slash", "ünï", "%2e", "m<a>", "main")
"""Names that need care in an address or in an attribute."""


def hostile_btf(*, newer: bool = False) -> bytes:
    """A kernel with such names; the `newer` one has a member and an enumerator more."""
    btf = BtfWriter()
    for name in ("task_struct", "file", "sk_buff"):
        btf.add_struct(name, 8, (member("a", btf.int, 0), member("b", btf.int, 4)))
    evil = btf.add_struct(
        SCRIPT, 16, (member(SCRIPT, btf.int, 0), member("main", btf.int, 12), *_one(btf, newer))
    )
    pointer = btf.add_ptr(evil)
    btf.add_enum(f"enum {SCRIPT}", values(**{SCRIPT: 1, LONG: 2, **({"NEW": 3} if newer else {})}))
    btf.add_struct(LONG, 8, (member(LONG, pointer, 0),))
    for name in ODD:
        btf.add_struct(name, 4, (member(name, btf.int, 0),))
    inner = btf.add_struct("", 8, (member("x", btf.int, 0), member("bit", btf.uint, 4, 3)))
    inner_union = btf.add_union("", 8, (member("one", inner, 0), member("whole", btf.long, 0)))
    btf.add_struct(
        "holey",
        32,
        (member("flag", btf.char, 0), member("in_it", inner_union, 8), member("", inner, 16),
         member("next", pointer, 24)),
    )  # fmt: skip
    proto = btf.add_func_proto(btf.int, ())
    btf.add_func("file", proto)
    btf.add_func(SCRIPT, proto)
    btf.add_typedef("evil_t", evil)
    return btf.encode("little")


def _one(btf: BtfWriter, newer: bool) -> tuple[Member, ...]:
    return (member("added", btf.int, 8),) if newer else ()
