"""Externs that libbpf looks up in the kernel's BTF before it relocates anything."""

from __future__ import annotations

from engine.btf.kinds import BtfKind
from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.loaders.attach import find_type
from engine.loaders.references import Externs


def missing_extern(
    prepared: PreparedObject, externs: Externs, target: Target, policy: LoaderPolicy
) -> str:
    """Tell the first extern, by name, that the kernel lacks; empty where it has all.

    Follows: libbpf src/libbpf.c bpf_object__resolve_ksyms_btf_id, cmp_externs @ v1.7.0.
    """
    if not policy.reading.opens_as_libbpf:
        return ""
    used = {s.name for s in prepared.obj.symbols if s.is_extern and s.bind != "weak"}
    for name, kind in sorted(externs.ksyms.items()):
        if name in used and kind is not BtfKind.VOID:
            wanted = BtfKind.FUNC if kind is BtfKind.FUNC else BtfKind.VAR
            if find_type(name, wanted, target)[0] is None:
                return not_found(name, wanted)
    return ""


def not_found(name: str, kind: BtfKind) -> str:
    """The words about an extern that the kernel does not have."""
    if kind is BtfKind.FUNC:
        return f"extern (func ksym) '{name}': not found in kernel or module BTFs"
    return f"extern (var ksym) '{name}': not found in kernel BTF"
