"""Types in the words of cilium/ebpf's error texts: `Struct:"task_struct"`."""

from __future__ import annotations

from engine.btf.kinds import BtfKind, BtfType

_GO_NAMES = {
    BtfKind.PTR: "Pointer",
    BtfKind.ENUM64: "Enum",
    BtfKind.FUNC_PROTO: "FuncProto",
    BtfKind.DECL_TAG: "declTag",
    BtfKind.TYPE_TAG: "TypeTag",
}


def go_name(kind: BtfKind) -> str:
    """The Go type that cilium/ebpf uses for a kind."""
    return _GO_NAMES.get(kind, kind.name.capitalize())


def go_type(found: BtfType) -> str:
    """One type as `%s` prints it."""
    if not found.name or found.kind is BtfKind.VOID:
        return go_name(found.kind)
    return f'{go_name(found.kind)}:"{found.name}"'
