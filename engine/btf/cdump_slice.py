"""The part of vmlinux.h that a program's text can need.

A compile with the whole header spends most of its time on types that the program never names. The
slice holds the types, typedefs and enumerators whose names occur in the text, all that those hold
by value, and, because chains such as

    BPF_CORE_READ(task, mm, exe_file, f_inode, i_ino)

name members but not the structs behind them: where a member's name occurs in the text and its
struct is in the slice, the struct it points at is in the slice too. All other structs that are
pointed at are only declared. A text that hides names (by pasting tokens) may need more; callers
then compile with the whole header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import Final

from engine import limits
from engine.btf.c_decl import VA_LIST
from engine.btf.decode import Btf
from engine.btf.kinds import COMPOSITE_KINDS, ENUM_KINDS, SKIPPED_KINDS, BtfKind, TypeId
from engine.btf.scan import name_table

_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_COPY_SUFFIX: Final = re.compile(r"___(?:copy)?\d+\Z")
_FOLLOWED: Final = SKIPPED_KINDS | {BtfKind.PTR, BtfKind.ARRAY}
_HEADER_KINDS: Final = COMPOSITE_KINDS | ENUM_KINDS | {BtfKind.TYPEDEF, BtfKind.FWD}

LIBBPF_NAMES: Final = frozenset(
    {"__u8", "__u16", "__u32", "__u64", "__s8", "__s16", "__s32", "__s64"}
    | {"__be16", "__be32", "__be64", "__le16", "__le32", "__le64", "__wsum", "__sum16"}
    | {"u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "bool", "true", "false"}
    | {"size_t", "ssize_t", "pid_t", "uintptr_t", "pt_regs", "user_pt_regs", "user_regs_struct"}
    | {"BPF_MAP_TYPE_ARRAY", "BPF_MAP_TYPE_HASH", "BPF_NOEXIST", "BPF_ANY", "BPF_EXIST"}
)
"""What libbpf's headers name themselves, or bring into a program by a macro, and basic types."""

HELPER_TYPES: Final = {
    "bpf_get_current_task_btf": "task_struct",
    "bpf_sk_fullsock": "bpf_sock",
    "bpf_tcp_sock": "bpf_tcp_sock",
    "bpf_get_listener_sock": "bpf_sock",
    "bpf_sk_lookup_tcp": "bpf_sock",
    "bpf_sk_lookup_udp": "bpf_sock",
    "bpf_skc_lookup_tcp": "bpf_sock",
    "bpf_skc_to_tcp6_sock": "tcp6_sock",
    "bpf_skc_to_tcp_sock": "tcp_sock",
    "bpf_skc_to_tcp_timewait_sock": "tcp_timewait_sock",
    "bpf_skc_to_tcp_request_sock": "tcp_request_sock",
    "bpf_skc_to_udp6_sock": "udp6_sock",
    "bpf_skc_to_unix_sock": "unix_sock",
    "bpf_skc_to_mptcp_sock": "mptcp_sock",
    "bpf_sock_from_file": "socket",
}
"""Helpers that give a pointer to a struct, which the program then need not name.

Source: libbpf bpf_helper_defs.h.
"""


def identifiers(source: str) -> set[str]:
    """All words of a C text that may be names; those in comments and strings do no harm."""
    return set(_IDENTIFIER.findall(source))


def closure(btf: Btf, names: Set[str]) -> tuple[list[TypeId], list[TypeId]]:
    """What the slice for these names holds: types to be complete, and enums without a name.

    Both ascending. Types held by value are among the former, anonymous ones too. Names that the
    BTF does not have are ignored.
    """
    wanted = LIBBPF_NAMES | names
    wanted |= {HELPER_TYPES[name] for name in names & HELPER_TYPES.keys()}
    table = name_table(btf)
    found: dict[TypeId, None] = {}
    loose: set[TypeId] = set()
    waiting: list[TypeId] = []
    for name in sorted(wanted):
        plain = _COPY_SUFFIX.sub("", name) if "___" in name else name
        for key in {name, plain}:
            waiting += table.types(key)
            for enum in table.enums_with(key):
                if btf.name(enum):
                    waiting.append(enum)
                else:
                    loose.add(enum)
    while waiting:
        type_id = waiting.pop()
        if type_id in found:
            continue
        known = btf.type(type_id)
        if known.kind not in _HEADER_KINDS or known.name == VA_LIST:
            continue
        found[type_id] = None
        if known.kind is BtfKind.TYPEDEF:
            waiting += _behind(btf, known.type_id, follow=True)
        for member in known.members:
            waiting += _behind(btf, member.type_id, follow=member.name in wanted)
    return sorted(found), sorted(loose)


def _behind(btf: Btf, type_id: TypeId, *, follow: bool) -> Iterator[TypeId]:
    """The types behind modifiers and arrays, with `follow` behind pointers as well."""
    current = btf.type(type_id)
    for _ in range(limits.TYPE_CHAIN_STEPS):
        if current.kind not in _FOLLOWED:
            yield current.id
            return
        if current.kind is BtfKind.PTR and not follow:
            return
        if current.kind is BtfKind.TYPEDEF:
            yield current.id
            if not follow:
                return  # what is behind the typedef follows when its own turn comes
        current = btf.type(current.type_id)
