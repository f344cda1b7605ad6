"""Modules with a distilled base: what of the kernel stands for what of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.btf.decode import Btf
from engine.btf.distilled import fit_to_kernel
from engine.btf.encode import BtfBuilder
from engine.btf.kinds import BtfKind, Param, SecVar, TypeId
from engine.errors import BtfDecodeError, KernelFileError
from tests.support.btf_writer import BtfWriter, member, values

Build = Callable[[BtfBuilder], object]


def kernel() -> BtfWriter:
    btf = BtfWriter()
    btf.add_struct("task", 64, (member("pid", btf.int, 0),))
    btf.add_struct("flags", 4, (member("b", btf.int, 0, 3),))
    btf.add_union("data", 16, (member("l", btf.long, 0),))
    btf.add_enum64("wide", values(A=1 << 40))
    btf.add_enum("small", values(B=1))
    btf.add_float("double", 8)
    btf.add_fwd("opaque")
    btf.add_typedef("pid_t", btf.int)
    btf.add_struct("twice", 8)
    btf.add_struct("twice", 12)
    btf.add_struct("same", 8)
    btf.add_struct("same", 8)
    return btf


KERNEL = kernel().parsed()


def fitted(build: Build, split: Callable[[BtfBuilder, int], object] | None = None) -> Btf:
    """A module on a base of one type; `split` is told the id of that type."""
    base = BtfBuilder()
    build(base)
    distilled = base.encode("little")
    module = BtfBuilder(base=Btf.parse(distilled))
    if split is None:
        module.add_ptr(1)
    else:
        split(module, 1)
    data = fit_to_kernel(module.encode("little"), distilled, KERNEL)
    return Btf.parse(data, base=KERNEL)


FITS: list[tuple[Build, str]] = [
    (lambda b: b.add_int("int", 4), "int"),
    (lambda b: b.add_float("double", 8), "double"),
    (lambda b: b.add_struct("task", 0), "task"),
    (lambda b: b.add_struct("twice", 12), "twice"),
    (lambda b: b.add_union("task", 0), "task"),
    (lambda b: b.add_enum("wide", size=8), "wide"),
    (lambda b: b.add_enum("small"), "small"),
    (lambda b: b.add_fwd("opaque"), "opaque"),
    (lambda b: b.add_fwd("task"), "task"),
    (lambda b: b.add_struct("opaque", 99), "opaque"),
]


@pytest.mark.parametrize(("build", "name"), FITS)
def test_what_fits(build: Build, name: str) -> None:
    module = fitted(build)
    pointer = module.type(len(KERNEL))
    assert pointer.kind is BtfKind.PTR
    assert module.name(pointer.type_id) == name
    assert pointer.type_id < len(KERNEL)


def test_size_decides_between_two_of_a_name() -> None:
    pointer = fitted(lambda b: b.add_struct("twice", 12)).type(len(KERNEL))
    assert KERNEL.type(pointer.type_id).size == 12


MISFITS: list[tuple[Build, str]] = [
    (lambda b: b.add_struct("gone", 4), r"type \[1\], struct gone, is not among the kernel's"),
    (lambda b: b.add_int("int", 8), "int int, is not among"),
    (lambda b: b.add_int("int", 4, 0), "int int, is not among"),
    (lambda b: b.add_int("double", 8), "int double, is not among"),
    (lambda b: b.add_float("int", 4), "float int, is not among"),
    (lambda b: b.add_enum("wide"), "enum wide, is not among"),
    (lambda b: b.add_enum("task", size=64), "enum task, is not among"),
    (lambda b: b.add_struct("twice", 16), "struct twice, is not among"),
    (lambda b: b.add_struct("pid_t", 4), "struct pid_t, is not among"),
    (lambda b: b.add_fwd("opaque", union=True), "fwd opaque, is not among"),
    (lambda b: b.add_fwd("flags"), "fwd flags, is not among"),
    (lambda b: b.add_fwd("data", union=True), "fwd data, is not among"),
    (lambda b: b.add_struct("same", 8), r"fits several of the kernel's types, \[18\] and \[19\]"),
    (lambda b: b.add_typedef("pid_t", 0), "typedef pid_t, is of kind typedef"),
    (lambda b: b.add_struct("", 4), "struct <anon>, has no name"),
]


@pytest.mark.parametrize(("build", "words"), MISFITS)
def test_what_does_not_fit(build: Build, words: str) -> None:
    with pytest.raises(KernelFileError, match=words):
        fitted(build)


def embedding(module: BtfBuilder, type_id: int) -> None:
    const = module.add_const(module.add_array(type_id, type_id, 2))
    module.add_struct("holder", 128, (member("tasks", const, 0),))


def pointing(module: BtfBuilder, type_id: int) -> None:
    module.add_struct("holder", 8, (member("task", module.add_ptr(type_id), 0),))


def test_an_embedded_struct_has_its_size() -> None:
    assert fitted(lambda b: b.add_struct("task", 64), embedding).ids_named("holder")
    assert fitted(lambda b: b.add_struct("task", 60), pointing).ids_named("holder")
    with pytest.raises(KernelFileError, match="struct task, is not among"):
        fitted(lambda b: b.add_struct("task", 60), embedding)


def every_kind(module: BtfBuilder, type_id: int) -> None:
    pointer = module.add_ptr(type_id)
    module.add_array(pointer, type_id, 3)
    module.add_struct("task", 8, (member("task", pointer, 0), member("own", pointer, 8)))
    module.add_enum("own_enum", values(OWN=1))
    module.add_enum64("own_wide", values(task=1, LARGE=1 << 40))
    proto = module.add_func_proto(type_id, (Param("task", pointer), Param("n", TypeId(type_id))))
    module.add_func("own_func", proto)
    variable = module.add_var("own_var", pointer)
    module.add_datasec(".data", 8, (SecVar(variable, 0, 8),))
    module.add_decl_tag("tag", variable)
    module.add_type_tag("user", type_id)
    module.add_typedef("own_t", type_id)


@pytest.mark.parametrize("order", ["little", "big"])
def test_ids_and_names_of_every_kind(order) -> None:
    base = BtfBuilder()
    base.add_struct("task", 64)
    module = BtfBuilder(base=Btf.parse(base.encode(order)))
    every_kind(module, 1)
    target = kernel().parsed(order)
    written = module.encode(order)
    fit = fit_to_kernel(written, base.encode(order), target)
    assert len(fit) == len(written)
    # the same module written on the kernel itself
    expected = BtfBuilder(base=target)
    every_kind(expected, target.ids_named("task")[0])
    wanted = Btf.parse(expected.encode(order), base=target)
    found = Btf.parse(fit, base=target)
    ids = range(len(target), len(wanted))
    assert [found.type(i) for i in ids] == [wanted.type(i) for i in ids]


def test_sections_that_are_damaged() -> None:
    base = BtfBuilder()
    base.add_struct("task", 64)
    distilled = base.encode("little")
    far = BtfBuilder(base=Btf.parse(distilled))
    far.add_ptr(99)
    with pytest.raises(KernelFileError, match=r"refers to type \[99\], which does not exist"):
        fit_to_kernel(far.encode("little"), distilled, KERNEL)
    with pytest.raises(BtfDecodeError):
        fit_to_kernel(far.encode("little"), distilled[:20], KERNEL)
    with pytest.raises(KernelFileError, match="another byte order"):
        fit_to_kernel(far.encode("little"), distilled, kernel().parsed("big"))
    inside = BtfBuilder(base=Btf.parse(distilled))
    inside.add_ptr(1)
    data = bytearray(inside.encode("little"))
    data[24] = 2  # the pointer is called "ask"
    with pytest.raises(KernelFileError, match="at byte 0x2 is no type's name"):
        fit_to_kernel(bytes(data), distilled, KERNEL)
