"""A set of modules: what is parsed, and when."""

from __future__ import annotations

import pytest

from engine.btf.decode import Btf
from engine.btf.split import ModuleFault, ModuleSet, is_empty, parse_modules
from engine.errors import BtfDecodeError
from tests.support.btf_writer import BtfWriter

BASE = BtfWriter().parsed()


def module(*names: str) -> Btf:
    writer = BtfWriter(base=BASE)
    for name in names:
        writer.add_struct(name, 8)
    return writer.parsed()


def test_ids_and_strings_continue_the_base():
    nf = module("nf_conn")
    (type_id,) = nf.ids_named("nf_conn")
    assert type_id == len(BASE)
    assert nf.type(type_id).name == "nf_conn"
    assert nf.ids_named("int") == BASE.ids_named("int")
    assert nf.candidate_ids(b"int") == ()


def test_only_what_may_define_a_name_is_parsed():
    parsed: list[str] = []

    def opener(name: str):
        def opened() -> Btf:
            parsed.append(name)
            return module(f"{name}_struct")

        return opened

    names = ("a", "b", "c")
    modules = ModuleSet(
        {name: opener(name) for name in names},
        index=lambda key: [name for name in names if key == f"{name}_struct".encode()],
    )
    assert [name for name, _ in modules.defining("b_struct___v2")] == ["b"]
    assert [name for name, _ in modules.defining("b_struct")] == ["b"]
    assert parsed == ["b"]
    assert [name for name, _ in modules.only({"a"}).defining("b_struct")] == []
    assert [name for name, _ in modules.defining("")] == list(names)
    assert parsed == ["b", "a", "c"]


def test_an_empty_module_is_no_broken_one():
    modules = parse_modules(
        BASE,
        [
            ("empty", BtfWriter(base=BASE).encode("little")),
            ("cut", b"\x9f\xeb\x01"),
            ("good", bytes(_raw("s"))),
        ],
    )
    assert [(fault.module, fault.kind) for fault in modules.faults] == [
        ("empty", "empty"),
        ("cut", "broken"),
    ]
    assert is_empty(modules.open("empty"))
    assert not is_empty(modules.open("good"))
    assert [name for name, _ in modules] == ["empty", "good"]
    with pytest.raises(BtfDecodeError, match="too short for a header"):
        modules.open("cut")
    assert modules.only({"cut"}).faults == (modules.faults[1],)
    assert isinstance(modules.faults[0], ModuleFault)


def _raw(name: str) -> bytes:
    writer = BtfWriter(base=BASE)
    writer.add_struct(name, 8)
    return writer.encode("little")


def test_a_module_of_the_other_byte_order():
    modules = parse_modules(BASE, [("big", BtfWriter(base=BASE).encode("big"))])
    assert modules.faults[0].kind == "broken"
    assert "different byte orders" in modules.faults[0].problem
