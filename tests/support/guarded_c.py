"""The programs of `tests.support.guarded` as C, for a compiler and a real kernel.

The variables start as `bpf_core_enum_value_exists` of an enumerator that the kernel lacks, so
the compiler cannot know them, and poison is its value.
"""

from __future__ import annotations

from tests.support.guarded import Guarded, Statement

NAMES = {6: "a", 7: "b", 8: "c", 9: "d"}

_HEAD = """\
#pragma clang diagnostic ignored "-Weverything"
#define SEC(name) __attribute__((section(name), used))
#define HAVE __builtin_preserve_enum_value(*(enum cgroup_subsys_id *)absent_cgrp_id, 0)
#define WANTED __builtin_preserve_enum_value(*(enum cgroup_subsys_id *)absent_cgrp_id, 1)
typedef unsigned char __u8;
typedef unsigned int __u32;
typedef unsigned long long __u64;

enum cgroup_subsys_id { cpuset_cgrp_id = 0, absent_cgrp_id = 1 };

static __u32 (*input)(void) = (void *)7;

char LICENSE[] SEC("license") = "GPL";
"""
_SIZES = {8: "__u64", 4: "__u32", 2: "unsigned short", 1: "__u8"}
_ONLY_BYTES = ("part", "touch", "through", "peek", "shared", "add", "helper", "anywhere",
               "copied", "seen", "callback", "halves", "shift", "narrow", "edge")  # fmt: skip
"""Statements that only instructions can say."""


def as_c(program: Guarded) -> str:
    """C with one program, `guarded`, and the static function that it calls."""
    return "\n".join(
        [
            _HEAD,
            "static __attribute__((noinline)) __u64 callee(__u64 a, __u64 b)\n{",
            "\t__u64 c = HAVE, d = HAVE, sum = 0;",
            "\tvolatile __u64 slots[4] = {a, b, c, d};\n",
            *_body(program.callee, 1),
            "\treturn a + sum;\n}\n",
            "__attribute__((noinline)) __u64 outer(__u64 a)\n{",
            "\t__u64 b = HAVE, c = HAVE, d = HAVE, sum = 0;",
            "\tvolatile __u64 slots[4] = {a, b, c, d};\n",
            *_body(program.outer, 1),
            "\treturn a + sum;\n}\n",
            'SEC("socket") int guarded(void *ctx)\n{',
            "\t__u64 a = HAVE, b = HAVE, c = HAVE, d = HAVE, sum = 0;",
            "\tvolatile __u64 slots[4] = {a, b, c, d};\n",
            *_body(program.main, 1),
            "\treturn a + b + c + d + sum;\n}",
            "",
        ]
    )


def _body(statements: tuple[Statement, ...], depth: int) -> list[str]:
    return [line for statement in statements for line in _lines(statement, depth)]


def _lines(s: Statement, depth: int) -> list[str]:
    tabs = "\t" * depth
    to, by = NAMES[s.to], NAMES[s.by]
    cast = "" if s.wide else "(__u32)"
    shifts = s.operator in ("<<", ">>", "s>>")
    operator = "+" if shifts or s.operator in ("/", "%") else s.operator
    cell = f"((volatile {_SIZES[s.size]} *)&slots[{{}}])[{s.value % (8 // s.size)}]"
    value = s.value % 8
    plain = {
        "set": f"{to} = {s.value};",
        "copy": f"{to} = {cast}{by};",
        "compute": f"{to} = {cast}({to} {s.operator.removeprefix('s')} {value or 5});",
        "compute2": f"{to} = {cast}({to} {operator} {by});",
        "input": f"{to} = input();",
        "spill": f"{cell.format(s.to - 6)} = {by};",
        "fill": f"{to} = {cell.format(s.by - 6)};",
        "poison": f"if ({to} != {s.value}) sum += WANTED;",
        "rare": f"if ({to} == {s.value}) sum += WANTED;",
        "call": f"{to} = callee({to}, {by});",
        "mask": f"{to} = {cast}({to} & {abs(s.value) & 255});",
        "negate": f"{to} = {cast}(-{to});",
        "swap": f"{to} = __builtin_bswap16((__u16){to});",
        "extend": f"{to} = (__u64)(long long)(signed char){by};",
        "store": f"{cell.format(s.to - 6)} = {value};",
        "probe": f"if ({_condition(s, to, str(s.value))}) sum += WANTED;",
        "leave": f"if (!({_condition(s, to, str(s.value))})) return sum;",
        "flip": f"{to} = input() == {value} ? {value} : 1;",
        "global": f"{to} = outer({to});",
    }.get(s.kind)
    if plain is not None:
        return [tabs + plain]
    inside, otherwise = _body(s.then, depth + 1), _body(s.otherwise, depth + 1)
    if s.kind in ("loop", "maygoto"):
        head = f"for (volatile int n = 0; n < {max(s.value % 4, 1)}; n++) {{"
        return [tabs + head, *inside, tabs + "}"]
    if s.kind == "switch":
        arms = [
            line for n in (0, 1, 3) for line in (f"{tabs}case {n}:", *inside, f"{tabs}\tbreak;")
        ]
        rest = [f"{tabs}default:", *otherwise, f"{tabs}\tbreak;"]
        return [f"{tabs}switch ({to}) {{", *arms, *rest, tabs + "}"]
    other = by if s.kind == "if2" else str(s.value)
    test = f"if (!({_condition(s, to, other)})) {{"
    return [
        tabs + test,
        *inside,
        *([f"{tabs}}} else {{", *otherwise] if otherwise else []),
        tabs + "}",
    ]


def _condition(s: Statement, one: str, other: str) -> str:
    unsigned, signed = ("__u64", "long long") if s.wide else ("__u32", "int")
    kind = signed if s.operator.startswith("s") else unsigned
    return f"({kind}){one} {s.operator.removeprefix('s')} ({kind}){other}"
