"""Maps of structs of functions: what the kernel has to have for each libbpf to make them.

What is expected is what the real loaders did when they were asked about the same objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from engine.btf.kinds import Member, SecVar
from engine.btf.split import ModuleSet
from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.core.result import LoaderError
from engine.elf.object import parse_object
from engine.loaders import policy_of
from engine.loaders.link import link_object
from tests.support.asm import exit_, mov_imm
from tests.support.btf_writer import BtfWriter, member
from tests.support.elf_writer import ElfWriter

NEW, OLDER, OLD = "libbpf@1.7.0", "libbpf@1.5.0", "libbpf@1.1.2"
Members = Callable[[BtfWriter], list[Member]]


def function(btf: BtfWriter) -> int:
    return btf.add_ptr(btf.add_func_proto(0))


def usual(btf: BtfWriter) -> list[Member]:
    return [member("init", function(btf), 0), member("flags", btf.uint, 8)]


def kernel(name: str = "cc_ops", value: str = "bpf_struct_ops_cc_ops") -> BtfWriter:
    return describe(BtfWriter(), name, value)


def describe(btf: BtfWriter, name: str, value: str) -> BtfWriter:
    number = btf.uint if btf.base is None else btf.base.ids_named("unsigned int")[0]
    rows = [
        member("flags", number, 0),
        member("init", function(btf), 8),
        member("data", btf.add_ptr(number), 16),
        member("stop", function(btf), 24),
    ]
    struct = btf.add_struct(name, 32, rows)
    btf.add_struct(value, 40, [member("refs", number, 0), member("data", struct, 8)])
    return btf


KERNEL = kernel().parsed()


@dataclass
class Case:
    """Variables are 16 bytes each; `programs` has the byte of each address of the program."""

    members: Members = usual
    name: str = "cc_ops"
    section: str = ".struct_ops"
    data: bytes = bytes(16)
    programs: tuple[int, ...] = (0,)
    target: Target = field(default_factory=lambda: Target(KERNEL))

    def linked(self, loader: str) -> LoaderError | None:
        elf, btf = ElfWriter(), BtfWriter()
        program = elf.function("f", "struct_ops/f", mov_imm(0, 0) + exit_())
        section = elf.section(self.section, self.data, flags=3)
        struct = btf.add_struct(self.name, 16, self.members(btf))
        count = len(self.data) // 16
        for number in range(count):
            elf.symbol(f"ops{number}", section, value=16 * number, size=16)
        rows = [SecVar(btf.add_var(f"ops{number}", struct), 0, 16) for number in range(count)]
        btf.add_datasec(self.section, 0, rows)
        for at in self.programs:
            elf.relocate(section, at, program, 2)
        elf.section(".BTF", btf.encode("little"))
        prepared = prepare(parse_object(elf.build()))
        return link_object(prepared, self.target, policy_of(loader)).error


def in_module() -> Target:
    base = BtfWriter().parsed()
    module = describe(BtfWriter(base=base), "cc_ops", "bpf_struct_ops_cc_ops").parsed()
    return Target(base, modules=ModuleSet.of([("cc", module)]))


TAKEN = [
    (Case(), (NEW, OLDER, OLD)),
    (Case(section=".struct_ops.link"), (NEW, OLDER, OLD)),
    (Case(name="gone", section="?.struct_ops"), (NEW, OLDER, OLD)),
    (Case(name="gone", section=".struct_ops.link"), (OLD,)),
    (Case(name="cc_ops___v2"), (NEW, OLDER)),
    (Case(target=in_module()), (NEW, OLDER)),
    (
        Case(lambda b: [member("new", b.uint, 0), member("init", function(b), 8)], programs=(8,)),
        (NEW, OLDER),
    ),
    (Case(data=bytes(32), programs=(0, 16)), (NEW, OLDER, OLD)),
]


@pytest.mark.parametrize(("case", "loaders"), TAKEN)
def test_what_is_taken(case: Case, loaders: tuple[str, ...]) -> None:
    for loader in loaders:
        assert case.linked(loader) is None


def without(name: str) -> str:
    return f"struct_ops init_kern: struct {name} is not found in kernel BTF"


START = "struct_ops init_kern ops0"
TWO_FUNCTIONS = Case(
    lambda b: [member("init", function(b), 0), member("stop", function(b), 8)],
    data=bytes(32),
    programs=(0, 24),
)
REFUSED = [
    (Case(name="gone"), NEW, "ESRCH", without("bpf_struct_ops_gone")),
    (Case(name="gone"), OLDER, "ESRCH", without("gone")),
    (Case(name="gone"), OLD, "ENOENT", without("gone")),
    (Case(name="cc_ops___v2"), OLD, "ENOENT", without("cc_ops___v2")),
    (Case(target=in_module()), OLD, "ENOENT", without("cc_ops")),
    (Case(target=Target(kernel("other").parsed())), NEW, "ENOENT", without("cc_ops")),
    (Case(target=Target(kernel(value="other").parsed())), OLDER, "ENOENT",
     without("bpf_struct_ops_cc_ops")),
    (Case(lambda b: [member("init", function(b), 0), member("new", b.uint, 8)],
          data=bytes(8) + b"\1" + bytes(7)), NEW,
     "EOPNOTSUPP", f"{START}: Cannot find member new in kernel BTF"),
    (Case(lambda b: [member("init", function(b), 0), member("new", b.uint, 8)]), OLD,
     "EOPNOTSUPP", f"{START}: Cannot find member new in kernel BTF"),
    (Case(lambda b: [member("new", function(b), 0)]), NEW,
     "EOPNOTSUPP", f"{START}: Cannot find member new in kernel BTF"),
    (Case(lambda b: [member("new", b.add_struct("s", 8), 0), member("x", 0, 8)], programs=()), NEW,
     "EINVAL", f"{START}: failed to resolve the size of member x"),
    (Case(lambda b: [member("flags", b.uint, 0, 3)], programs=()), NEW,
     "EOPNOTSUPP", f"{START}: bitfield flags is not supported"),
    (Case(lambda b: [member("flags", function(b), 0)]), NEW,
     "EOPNOTSUPP", f"{START}: Unmatched member type flags 2 != 1(kernel)"),
    (Case(lambda b: [member("flags", b.ulong, 0)], programs=()), NEW,
     "EOPNOTSUPP", f"{START}: Error in size of member flags: 8 != 4(kernel)"),
    (Case(lambda b: [member("data", function(b), 0)]), NEW,
     "EOPNOTSUPP", f"{START}: kernel member data is not a func ptr"),
    (TWO_FUNCTIONS, NEW, "EINVAL",
     "struct_ops init_kern ops1 func ptr stop: invalid reuse of prog f in sec struct_ops/f with "
     "type 27: expected_attach_type 1 != kern_member_idx 3"),
    (TWO_FUNCTIONS, OLD, "EINVAL",
     "struct_ops reloc ops1: cannot use prog f in sec struct_ops/f with type 27 attach_btf_id 12 "
     "expected_attach_type 0 for func ptr stop"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "loader", "code", "text"), REFUSED)
def test_what_is_refused(case: Case, loader: str, code: str, text: str) -> None:
    error = case.linked(loader)
    assert error is not None
    assert (error.code, error.text) == (code, text)


def test_a_value_without_the_struct() -> None:
    btf = BtfWriter()
    btf.add_struct("cc_ops", 8)
    btf.add_struct("bpf_struct_ops_cc_ops", 8, [member("refs", btf.uint, 0)])
    error = Case(target=Target(btf.parsed())).linked(NEW)
    assert error is not None
    words = "struct cc_ops data is not found in struct bpf_struct_ops_cc_ops"
    assert (error.code, error.text) == ("EINVAL", f"struct_ops init_kern: {words}")


def test_aya_has_no_such_programs() -> None:
    error = Case().linked("aya@0.14.0")
    assert error is not None
    assert error.text == "invalid program section `struct_ops/f`"
