"""The story of a relocation, sentence by sentence."""

from __future__ import annotations

from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.prepare import prepare
from engine.explain.nearest import near_members, near_names, near_types
from engine.explain.story import Story, tell, tell_all
from engine.explain.words import Piece, code, count, listed, plain, printable, text
from engine.loaders import policy_of
from tests.support.asm import exit_, ldx, mov_imm
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.relocating import AYA, CILIUM, LIBBPF, ObjectWriter, relo

OFFSET = CoreReloKind.FIELD_BYTE_OFFSET


def stories(writer: ObjectWriter, target: BtfWriter, loader: str = LIBBPF) -> list[Story]:
    (function,) = writer.relocate(target, loader).functions
    prepared, kernel = prepare(writer.object()), Target(target.parsed())
    return list(tell_all(function, prepared, kernel, policy_of(loader)))


def story(writer: ObjectWriter, target: BtfWriter, loader: str = LIBBPF) -> dict[str, str]:
    """The only story by kind of sentence; sentences of one kind are joined."""
    (only,) = stories(writer, target, loader)
    said: dict[str, str] = {}
    for step in only.steps:
        said[step.kind] = f"{said.get(step.kind, '')} {step.plain}".strip()
    return said


def reading(name: str = "f", root: str = "s", type_: str = "int") -> ObjectWriter:
    """A program that loads one 4-byte member of its own struct."""
    writer = ObjectWriter()
    field = getattr(writer.btf, type_)
    mine = writer.btf.add_struct(root, 4, [member(name, field, 0)])
    writer.function("prog", ldx(4, 0, 1, 0) + exit_(), relo(mine, "0:0", OFFSET))
    writer.line(0, "  return s->f;", 7)
    return writer


def struct(*members_, name: str = "s", size: int = 64) -> BtfWriter:
    """A kernel with one struct; members are (name, byte) of type int."""
    target = BtfWriter()
    target.add_struct(name, size, [member(n, target.int, at) for n, at in members_])
    return target


def test_a_field_that_moved():
    said = story(reading(), struct(("a", 0), ("f", 12)))
    assert said["asks"] == (
        "Slot 0 (`prog.c:7`, `return s->f;`) asks at which byte `struct s.f` lies."
    )
    assert "member 0 `f`: 4 bytes of type `int` at byte 0" in said["path"]
    assert said["name"] == "libbpf 1.7.0 looks for types of kind struct called `s`."
    assert said["matched"] == "[8] `struct s` fits and gives 12."
    assert said["found"] == "There `f` lies at byte 12, type `int`, 4 bytes."
    assert said["changed"] == "It lies at byte 12 instead of byte 0."
    assert said["value"] == "The value changes from 0 to 12."
    assert said["instruction"].endswith(
        "`r0 = *(u32 *)(r1 + 0x0)` becomes `r0 = *(u32 *)(r1 + 0xc)`."
    )


def test_the_sentences_come_in_the_order_of_the_search():
    (only,) = stories(reading(root="s___new"), struct(("g", 0)))
    kinds = [step.kind for step in only.steps]
    assert kinds == [
        "asks", "path", "name", "refused", "missing", "poison", "instruction"
    ]  # fmt: skip
    assert "cuts the flavor off at the last `___`" in only.of("name")[0].plain


def test_a_renamed_member_brings_its_nearest_name():
    said = story(reading("state"), struct(("__state", 24), ("stack", 32)))
    assert said["refused"] == "[8] `struct s` is refused: `struct s` has no member `state`."
    assert said["nearest"] == "The nearest member there is `__state`."
    assert "195896080" in said["poison"]


def test_the_struct_in_which_the_search_ended_is_named():
    writer = ObjectWriter()
    inner = writer.btf.add_struct("inner", 4, [member("gone", writer.btf.int, 0)])
    outer = writer.btf.add_struct("outer", 4, [member("in", inner, 0)])
    writer.function("prog", mov_imm(1, 0) + exit_(), relo(outer, "0:0:0", OFFSET))
    target = BtfWriter()
    there = target.add_struct("inside", 4, [member("gone2", target.int, 0)])
    target.add_struct("outer", 4, [member("in", there, 0)])
    for loader in (LIBBPF, CILIUM):
        said = story(writer, target, loader)
        assert "`struct inside` has no member `gone`" in said["refused"]
        assert said["nearest"] == "The nearest member there is `gone2`."


def test_a_member_that_went_into_an_anonymous_union():
    target = BtfWriter()
    union = target.add_union("", 8, [member("g", target.int, 0), member("f", target.int, 4)])
    target.add_struct("s", 16, [member("", union, 8)])
    said = story(reading(), target)
    assert "inside of 1 anonymous member, the program directly in the struct" in said["changed"]
    assert "member 0 without a name lies at byte 8, then `f` at byte 12" in said["found"]


def test_size_and_sign_that_changed():
    target = BtfWriter()
    target.add_struct("s", 8, [member("f", target.ulong, 0)])
    said = story(reading(), target)
    assert "It takes 8 bytes (`unsigned long`) instead of 4 (`int`)." in said["changed"]
    assert "It is unsigned instead of signed." in said["changed"]
    assert "cannot be made as wide" in said["poison"]
    kept = story(reading(), target, CILIUM)
    assert "the access keeps its width although the field has another one" in kept["instruction"]


def test_a_bitfield_that_became_a_number():
    target = BtfWriter()
    target.add_struct("s", 4, [member("f", target.uint, 0, 3)])
    assert (
        "The kernel has a bitfield of 3 bits, the program a plain `unsigned int`."
        in (story(reading(type_="uint"), target, CILIUM)["changed"])
    )


def test_a_type_of_another_kind_is_passed_over():
    target = BtfWriter()
    target.add_func("s", target.add_func_proto(0, []))
    said = story(reading(), target)
    assert said["other-kind"] == (
        "[9] `func s` has the name but is a func, not a struct: it is passed over."
    )
    assert said["missing"] == "The kernel has no `struct s`."
    assert "types of any kind" in story(reading(), target, CILIUM)["name"]


def test_incompatible_types_are_both_named():
    target = BtfWriter()
    target.add_struct("s", 8, [member("f", target.add_ptr(target.char), 0)])
    for loader in (LIBBPF, CILIUM, AYA):
        said = story(reading(), target, loader)["refused"]
        assert "`f` is `int` in the program and `char *` there" in said


def test_pruning_is_told():
    writer = ObjectWriter()
    fields = [member("one", writer.btf.int, 0), member("two", writer.btf.int, 4)]
    mine = writer.btf.add_struct("s", 8, fields)
    asks = [relo(mine, f"0:{i}", CoreReloKind.FIELD_EXISTS, i) for i in (0, 1)]
    writer.function("prog", mov_imm(1, 1) + mov_imm(2, 1) + exit_(), *asks)
    target = BtfWriter()
    target.add_struct("s", 4, [member("one", target.int, 0)])
    target.add_struct("s___b", 4, [member("two", target.int, 0)])
    second = stories(writer, target)[1]
    assert "an earlier relocation of this type" in second.of("pruned")[0].plain
    assert second.of("missing")[0].plain == "No candidate is left that fits."
    (failure,) = stories(writer, target, CILIUM)[0].of("failure")
    assert "ambiguous relocation" in failure.plain


def test_ambiguity_names_the_types_and_where_they_differ():
    target = BtfWriter()
    for at in (8, 16):
        rows = [member("same", target.int, 0), member("f", target.int, at)]
        target.add_struct("s", 32, rows)
    for loader in (LIBBPF, CILIUM, AYA):
        (only,) = stories(reading(), target, loader)
        said = only.of("ambiguous")[0].plain
        assert "[8] `struct s`, [9] `struct s`" in said
        assert "differ in member 1: [8] has `int f at byte 8`, [9] has `int f at byte 16`" in said


def test_an_enumerator_that_is_elsewhere():
    writer, target = ObjectWriter(), BtfWriter()
    enum = writer.btf.add_enum("e", values(GONE=1))
    kind = CoreReloKind.ENUMVAL_EXISTS
    writer.function("prog", mov_imm(1, 1) + exit_(), relo(enum, "0", kind))
    target.add_enum("e", values(GONE_2=5))
    target.add_enum("other", values(GONE=7))
    said = story(writer, target)
    assert said["path"] == "The record's 0 is enumerator 0 of type [8], `GONE` = 1."
    assert said["refused"] == "[8] `enum e` is refused: it has no enumerator `GONE`."
    assert "The nearest enumerator there is `GONE_2`." in said["nearest"]
    assert "`GONE` exists, but in `enum other` [9]." in said["nearest"]


def test_hostile_names_stay_inside_their_pieces():
    nasty = "<b>\x1b[31m`x"
    (only,) = stories(reading(nasty), struct(("f", 0)))
    pieces = [piece for step in only.steps for piece in step.text]
    assert all(piece.code for piece in pieces if "<b>" in piece.text)
    assert not any("\x1b" in piece.text for piece in pieces)


def test_a_story_without_the_function_leaves_the_instruction_out():
    writer, target = reading(), struct(("f", 8))
    (function,) = writer.relocate(target).functions
    row, kernel = function.relocations[0], Target(target.parsed())
    told = tell(row, prepare(writer.object()), kernel, policy_of(LIBBPF))
    assert told.of("instruction") == ()
    assert told.number == 0


def test_near_names_prefer_what_differs_in_underscores():
    names = ["stat", "__state", "states", "wholly_other"]
    assert near_names("state", names) == ("__state", "states", "stat")
    assert near_names("state", ["xyz", "", "state"]) == ()


def test_near_members_look_into_structs():
    target = BtfWriter()
    inner = target.add_struct("thread_info", 8, [member("cpu", target.int, 4)])
    outer = target.add_struct("s", 16, [member("info", inner, 8), member("cpus", target.int, 0)])
    btf = target.parsed()
    found = near_members(btf, btf.type(outer), "cpu")
    assert [(near.name, near.bit_offset, near.exact) for near in found] == [
        ("info.cpu", 96, True),
        ("cpus", 0, False),
    ]


def test_near_types_are_of_the_same_kind():
    target = BtfWriter()
    target.add_struct("task_state", 4, [])
    target.add_union("task_stat", 4, [])
    btf = target.parsed()
    found = near_types(btf, btf.kind(btf.ids_named("task_state")[0]), "task_stats")
    assert found == ("task_state",)


def test_words():
    assert text("a ", "b ", code("x"), "", "c") == (Piece("a b "), Piece("x", True), Piece("c"))
    assert plain(listed(["a", "b", "c"])) == "`a`, `b` or `c`"
    assert plain(listed(("a",))) == "`a`"
    assert count(1, "byte") == "1 byte"
    assert count(2000, "byte") == "2,000 bytes"
    assert printable("a\nb\x00") == "a\\nb\\x00"
    assert len(printable("x" * 1000)) < 220
