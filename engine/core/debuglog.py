"""The words in which libbpf tells a relocation in its debug output.

Follows: libbpf src/relo_core.c bpf_core_format_spec, src/libbpf.c bpf_core_add_cands @ v1.7.0.
"""

from __future__ import annotations

from engine.btf.decode import Btf
from engine.btf.kinds import BtfType
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.candidates import Candidate
from engine.core.kinds import ENUM_KINDS, TYPE_KINDS
from engine.core.policy import EnumSign
from engine.core.spec import AccessSpec
from engine.core.values import U32

_SPEC_BYTES = 255
"""libbpf formats a spec into 256 bytes, the last one a NUL."""


def spec_text(spec: AccessSpec, btf: Btf, sign: EnumSign = EnumSign.DECLARED) -> str:
    """One path: `<byte_off> [7] struct pk.b (0:3 @ offset 11.6)`."""
    head = f"<{spec.kind.word}> [{spec.root_id}] {spec.root_kind.word} {spec.root_name or '<anon>'}"
    if spec.kind in TYPE_KINDS:
        return head[:_SPEC_BYTES]
    if spec.kind in ENUM_KINDS:
        return (head + _enumerator(spec, btf, sign))[:_SPEC_BYTES]
    path = []
    for position, accessor in enumerate(spec.accessors):
        if accessor.name is not None:
            path.append(f".{accessor.name}")
        elif position or accessor.position:
            path.append(f"[{accessor.position}]")
    offset, bits = divmod(spec.bit_offset, 8)
    place = f"{offset}.{bits}" if bits else f"{offset}"
    raw = ":".join(map(str, spec.raw))
    return f"{head}{''.join(path)} ({raw} @ offset {place})"[:_SPEC_BYTES]


def _enumerator(spec: AccessSpec, btf: Btf, sign: EnumSign) -> str:
    """A candidate that did not match shows enumerator 0, as libbpf does."""
    enum = skip_modifiers_and_typedefs(btf, spec.root_id)
    index = spec.raw[0] if spec.raw else 0
    if not enum.is_enum or index >= len(enum.enumerators):
        return ""
    row = enum.enumerators[index]
    value = row.value & U32 if sign is EnumSign.CUT else row.value
    return f"::{row.name} = {value}"


def candidate_line(local: BtfType, candidate: Candidate) -> str:
    """The line that libbpf prints once for each candidate it finds."""
    found = candidate.btf.type(candidate.type_id)
    return (
        f"CO-RE relocating [{local.id}] {local.kind.word} {local.name}: found target candidate "
        f"[{found.id}] {found.kind.word} {found.name} in [{candidate.origin}]"
    )
