"""The C of each fix: a flavor or two, and a function to call in place of the plain access."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.explain.c_parts import Leaf, Steps, flavor, number, steps_in_c

_INCLUDES: Final = (
    "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n"
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """Definitions and a function of C, and an expression that calls it.

    The call has `base` where the pointer to the struct goes.
    """

    code: str
    call: str

    @property
    def program(self) -> str:
        """A whole program that calls it, to be compiled as it stands."""
        return (
            f"{_INCLUDES}\n{self.code}\n"
            "unsigned long long result;\n\n"
            'SEC("raw_tp/sched_switch")\n'
            "int prog(void *ctx)\n{\n"
            "\tvoid *base = (void *)bpf_get_current_task();\n\n"
            f"\tresult = (unsigned long long){self.call};\n"
            "\treturn base != ctx;\n}\n\n"
            'char LICENSE[] SEC("license") = "GPL";\n'
        )


@dataclass(frozen=True, slots=True)
class Way:
    """One layout that a field may have: a flavor of its type and the path in it."""

    keyword: str
    tag: str
    steps: Steps
    leaf: Leaf
    about: str
    """The comment above the flavor."""

    @property
    def type(self) -> str:
        """The type as C names it."""
        return self.tag if self.keyword == "typedef" else f"{self.keyword} {self.tag}"

    @property
    def definition(self) -> str:
        """The flavor with its comment."""
        return f"/* {self.about} */\n{flavor(self.keyword, self.tag, [(self.steps, self.leaf)])}"


def read_field(name: str, ways: tuple[Way, ...], *, by_width: bool = False) -> Snippet:
    """A function that reads a field in the first way that the kernel has.

    `by_width` reads numbers of any width and bitfields through the bitfield macro.
    """
    value = ways[0].leaf.value
    if any(not way.leaf.value for way in ways):
        return _copy_field(name, ways)
    definitions = "\n".join(way.definition for way in ways)
    arms = "".join(
        f"\tif (bpf_core_field_exists({_at(at, way)}))\n"
        f"\t\treturn {_read(at, way, value, by_width)};\n"
        for at, way in enumerate(ways)
    )
    space = "" if value.endswith("*") else " "
    body = f"{{\n{_pointers(ways)}\n{arms}\treturn otherwise;\n}}\n"
    code = (
        f"{definitions}\nstatic __always_inline {value}{space}read_{name}"
        f"(void *base, {value}{space}otherwise)\n{body}"
    )
    return Snippet(code, f"read_{name}(base, 0)")


def _copy_field(name: str, ways: tuple[Way, ...]) -> Snippet:
    """For a struct or an array: copy as many bytes as the caller has room for."""
    definitions = "\n".join(way.definition for way in ways)
    arms = "".join(
        f"\tif (bpf_core_field_exists({_at(at, way)}))\n"
        f"\t\treturn bpf_core_read(to, size, &{_at(at, way)});\n"
        for at, way in enumerate(ways)
    )
    code = (
        f"{definitions}\nstatic __always_inline long read_{name}"
        "(void *to, unsigned int size, void *base)\n"
        f"{{\n{_pointers(ways)}\n{arms}\treturn -1;\n}}\n"
    )
    return Snippet(code, f"read_{name}(&result, sizeof(result), base)")


def _pointers(ways: tuple[Way, ...]) -> str:
    return "".join(f"\t{way.type} *{_pointer(at)} = base;\n" for at, way in enumerate(ways))


def _pointer(at: int) -> str:
    return ("one", "other", "third", "fourth")[at]


def _at(at: int, way: Way) -> str:
    return f"{_pointer(at)}->{steps_in_c(way.steps)}"


def _read(at: int, way: Way, value: str, by_width: bool) -> str:
    path = steps_in_c(way.steps)
    if way.leaf.behind.startswith(" :") or (by_width and "*" not in way.leaf.value):
        return f"({value})BPF_CORE_READ_BITFIELD_PROBED({_pointer(at)}, {path})"
    cast = "" if way.leaf.value == value else f"({value})"
    if ("*" in value) != ("*" in way.leaf.value):
        cast = f"({value})(unsigned long)"
    return f"{cast}BPF_CORE_READ({_pointer(at)}, {path})"


def enum_value(name: str, enums: tuple[tuple[str, str, str, int], ...]) -> Snippet:
    """A function that gives the value of the first enumerator that the kernel has.

    Each of `enums` is keyword (enum or typedef), tag, enumerator and its value as compiled.
    """
    definitions, arms = "", ""
    for keyword, tag, enumerator, value in enums:
        body = f"{{\n\t{enumerator} = {number(value)},\n}}"
        typed = tag if keyword == "typedef" else f"enum {tag}"
        definitions += (
            f"typedef enum {body} {tag};\n" if keyword == "typedef" else f"{typed} {body};\n"
        )
        arms += (
            f"\tif (bpf_core_enum_value_exists({typed}, {enumerator}))\n"
            f"\t\treturn bpf_core_enum_value({typed}, {enumerator});\n"
        )
    code = (
        "/* Loaders ignore what follows the three underscores. */\n"
        f"{definitions}\nstatic __always_inline unsigned long long value_of_{name}"
        f"(unsigned long long otherwise)\n{{\n{arms}\treturn otherwise;\n}}\n"
    )
    return Snippet(code, f"value_of_{name}(0)")


def type_question(name: str, keyword: str, tag: str, macro: str) -> Snippet:
    """A function that asks for a type's size or id only where the kernel has the type."""
    body = "{ char any; }"
    if keyword == "enum":
        body = f"{{ any_{tag} }}"
    typed = tag if keyword == "typedef" else f"{keyword} {tag}"
    defined = f"typedef struct {body} {tag};" if keyword == "typedef" else f"{typed} {body};"
    word = {"bpf_core_type_size": "size_of", "bpf_core_type_id_kernel": "id_of"}.get(macro, "has")
    if word == "has":
        arms, rest = f"\treturn {macro}({typed});\n", "void"
    else:
        arms = f"\tif (bpf_core_type_exists({typed}))\n\t\treturn {macro}({typed});\n"
        arms += "\treturn otherwise;\n"
        rest = "unsigned long long otherwise"
    code = (
        "/* Loaders ignore what follows the three underscores. */\n"
        f"{defined}\n\nstatic __always_inline unsigned long long {word}_{name}({rest})\n"
        f"{{\n{arms}}}\n"
    )
    return Snippet(code, f"{word}_{name}({'' if word == 'has' else '0'})")


def tell_apart(way: Way, telling: tuple[Steps, Leaf], name: str) -> Snippet:
    """A function that reads a field after asking for a member that only one type has."""
    fields = [telling, (way.steps, way.leaf)]
    value = way.leaf.value or "long"
    space = "" if value.endswith("*") else " "
    read = f"BPF_CORE_READ(one, {steps_in_c(way.steps)})"
    code = (
        f"/* {way.about} */\n{flavor(way.keyword, way.tag, fields)}\n"
        f"static __always_inline {value}{space}read_{name}(void *base, {value}{space}otherwise)\n"
        f"{{\n\t{way.type} *one = base;\n\n"
        f"\tif (bpf_core_field_exists(one->{steps_in_c(telling[0])}))\n"
        f"\t\treturn {read};\n\treturn otherwise;\n}}\n"
    )
    return Snippet(code, f"read_{name}(base, 0)")


def own_struct(keyword: str, tag: str, fields: list[tuple[Steps, Leaf]], path: Steps) -> Snippet:
    """The program's own struct without the attribute, so that nothing is relocated."""
    plain = flavor(keyword, tag, fields).replace(" __attribute__((preserve_access_index))", "")
    value = next((leaf.value for steps, leaf in fields if steps[0] == path[0]), "") or "long"
    space = "" if value.endswith("*") else " "
    typed = tag if keyword == "typedef" else f"{keyword} {tag}"
    code = (
        "/* Not a type of the kernel: no preserve_access_index, plain offsets. */\n"
        f"{plain}\nstatic __always_inline {value}{space}read_{path[0]}(void *base)\n"
        f"{{\n\t{typed} own = {{}};\n\n\tbpf_probe_read_kernel(&own, sizeof(own), base);\n"
        f"\treturn own.{steps_in_c(path[:1])};\n}}\n"
    )
    return Snippet(code, f"read_{path[0]}(base)")
