"""Types as lines: places, anonymous members in place, the path opened and marked."""

from __future__ import annotations

import pytest

from engine import limits
from engine.core.kinds import CoreReloKind
from engine.core.spec import AccessSpec
from engine.explain.fields import Hop, field_of
from engine.explain.type_lines import TypeLine, type_lines
from tests.support.btf_writer import BtfWriter, member, values


def hops(btf, root: int, *raw: int) -> tuple[Hop, ...]:
    kind = CoreReloKind.FIELD_BYTE_OFFSET
    found = field_of(AccessSpec(kind, root, btf.kind(root), "", raw=(0, *raw)), btf)
    assert found is not None
    return found.hops


def shown(lines: tuple[TypeLine, ...]) -> list[str]:
    return [
        f"{line.place:>4} {'  ' * line.depth}{line.text}{f' <{line.mark}>' if line.mark else ''}"
        for line in lines
    ]


def sock() -> tuple[BtfWriter, int]:
    writer = BtfWriter()
    common = writer.add_struct(
        "sock_common", 8, [member("a", writer.int, 0), member("skc_family", writer.short, 4)]
    )
    inner = writer.add_union("", 4, [member("x", writer.int, 0), member("y", writer.uint, 0)])
    outer = writer.add_struct(
        "sock",
        16,
        [member("__sk_common", common, 0), member("", inner, 8), member("b", writer.uint, 12, 3)],
    )
    return writer, outer


def test_a_path_through_a_named_struct_is_opened_up_to_its_end():
    writer, outer = sock()
    btf = writer.parsed()
    found = type_lines(btf, outer, hops=hops(btf, outer, 0, 1))
    assert found.words == "struct sock"
    assert found.size == 16
    assert shown(found.lines) == [
        "     struct sock {",
        "   0   struct sock_common { <way>",
        "   0     int a;",
        "   4     short skc_family; <end>",
        "       } __sk_common;",
        "   8   union {",
        "   8     int x;",
        "   8     unsigned int y;",
        "       };",
        "12:0   unsigned int b : 3;",
        "     };",
    ]


def test_without_a_path_only_what_has_no_name_is_opened():
    writer, outer = sock()
    texts = [line.text for line in type_lines(writer.parsed(), outer).lines]
    assert "struct sock_common __sk_common;" in texts
    assert "union {" in texts


def test_a_path_into_an_anonymous_union_and_a_near_name():
    writer, outer = sock()
    btf = writer.parsed()
    found = type_lines(btf, outer, hops=hops(btf, outer, 1, 1), near=("b",)).lines
    marks = {line.text: line.mark for line in found if line.mark}
    assert marks == {"union {": "way", "unsigned int y;": "end", "unsigned int b : 3;": "near"}


def test_an_element_of_an_array_is_told_at_its_member():
    writer = BtfWriter()
    array = writer.add_array(writer.int, writer.int, 8)
    outer = writer.add_struct("s", 40, [member("pad", writer.long, 0), member("cb", array, 8)])
    btf = writer.parsed()
    (end,) = (ln for ln in type_lines(btf, outer, hops=hops(btf, outer, 1, 3)).lines if ln.mark)
    assert (end.text, end.place, end.size, end.note) == ("int cb[8];", "8", 32, "[3] at 20")


def test_a_typedef_of_a_struct_without_a_name_is_opened_on_the_way():
    writer = BtfWriter()
    held = writer.add_struct("", 4, [member("raw", writer.int, 0)])
    named = writer.add_typedef("spinlock_t", held)
    outer = writer.add_struct("s", 8, [member("i", writer.int, 0), member("lock", named, 4)])
    btf = writer.parsed()
    lines = type_lines(btf, outer, hops=hops(btf, outer, 1, 0)).lines
    assert [(ln.text, ln.mark) for ln in lines if ln.mark] == [
        ("struct {", "way"),
        ("int raw;", "end"),
    ]


def test_an_enum_has_its_values_and_a_typedef_is_followed():
    writer = BtfWriter()
    enum = writer.add_enum("e", values(A=0, B=5))
    named = writer.add_typedef("e_t", enum)
    found = type_lines(writer.parsed(), named, enumerator=1, near=("A",))
    assert [(ln.text, ln.value, ln.mark) for ln in found.lines[1:-1]] == [
        ("A = 0,", 0, "near"),
        ("B = 5,", 5, "end"),
    ]


def test_a_whole_type_is_marked_at_its_head():
    writer, outer = sock()
    assert type_lines(writer.parsed(), outer, whole=True).lines[0].mark == "end"
    assert type_lines(writer.parsed(), writer.int, whole=True).lines[0].mark == "end"


@pytest.mark.parametrize("at", [3, 5000])
def test_a_long_type_is_cut_but_not_what_is_marked(at):
    writer = BtfWriter()
    rows = [member(f"m{n}", writer.int, 4 * n) for n in range(6000)]
    outer = writer.add_struct("s", 24000, rows)
    btf = writer.parsed()
    found = type_lines(btf, outer, hops=hops(btf, outer, at))
    assert [ln.text for ln in found.lines if ln.mark] == [f"int m{at};"]
    assert len(found.lines) + found.more == 6002
    assert len(found.lines) <= limits.TYPE_LINES + 1


def test_names_that_cannot_be_printed_are_escaped():
    writer = BtfWriter()
    outer = writer.add_struct("s\x1b[31m", 4, [member("f\n", writer.int, 0)])
    texts = " ".join(line.text for line in type_lines(writer.parsed(), outer).lines)
    assert texts.isprintable()
