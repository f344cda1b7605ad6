"""The thirteen kinds of CO-RE relocation.

Source: Linux include/uapi/linux/bpf.h, enum bpf_core_relo_kind. TYPE_MATCHES comes after the
enum kinds in number although it speaks of types.
"""

from __future__ import annotations

from enum import IntEnum


class CoreReloKind(IntEnum):
    """What the compiler asks the loader to find out."""

    FIELD_BYTE_OFFSET = 0
    FIELD_BYTE_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT_U64 = 4
    FIELD_RSHIFT_U64 = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMVAL_EXISTS = 10
    ENUMVAL_VALUE = 11
    TYPE_MATCHES = 12

    __hash__ = int.__hash__  # Enum hashes the name in Python, which shows in every set look-up

    @property
    def word(self) -> str:
        """The kind as libbpf and cilium/ebpf print it."""
        return _WORDS[self]


_WORDS = {
    CoreReloKind.FIELD_BYTE_OFFSET: "byte_off",
    CoreReloKind.FIELD_BYTE_SIZE: "byte_sz",
    CoreReloKind.FIELD_EXISTS: "field_exists",
    CoreReloKind.FIELD_SIGNED: "signed",
    CoreReloKind.FIELD_LSHIFT_U64: "lshift_u64",
    CoreReloKind.FIELD_RSHIFT_U64: "rshift_u64",
    CoreReloKind.TYPE_ID_LOCAL: "local_type_id",
    CoreReloKind.TYPE_ID_TARGET: "target_type_id",
    CoreReloKind.TYPE_EXISTS: "type_exists",
    CoreReloKind.TYPE_SIZE: "type_size",
    CoreReloKind.ENUMVAL_EXISTS: "enumval_exists",
    CoreReloKind.ENUMVAL_VALUE: "enumval_value",
    CoreReloKind.TYPE_MATCHES: "type_matches",
}

FIELD_KINDS = frozenset(CoreReloKind(number) for number in range(6))
ENUM_KINDS = frozenset({CoreReloKind.ENUMVAL_EXISTS, CoreReloKind.ENUMVAL_VALUE})
TYPE_KINDS = frozenset(CoreReloKind) - FIELD_KINDS - ENUM_KINDS
EXISTENCE_KINDS = frozenset(
    {
        CoreReloKind.FIELD_EXISTS,
        CoreReloKind.TYPE_EXISTS,
        CoreReloKind.ENUMVAL_EXISTS,
        CoreReloKind.TYPE_MATCHES,
    }
)
