"""The value that a relocation asks for, computed from a path.

Follows: libbpf src/relo_core.c bpf_core_calc_relo and what it calls @ v1.7.0.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.btf.decode import Btf
from engine.btf.kinds import INT_SIGNED, BtfKind, BtfType, TypeId
from engine.btf.resolve import size_of, skip_modifiers_and_typedefs
from engine.core import wording
from engine.core.kinds import ENUM_KINDS, FIELD_KINDS, CoreReloKind
from engine.core.policy import ArraySize, EnumSign, LoaderPolicy, Missing, Signedness
from engine.core.refusal import Refusal
from engine.core.spec import AccessSpec
from engine.errors import BtfTypeError

U64 = (1 << 64) - 1
U32 = (1 << 32) - 1


class Poisoned(Exception):
    """There is no value: the instruction is to be replaced. Never leaves `engine.core`."""


class FieldValue(NamedTuple):
    """One side of a field relocation; `size` and `type_id` serve load and store resizing."""

    value: int
    validate: bool = True
    size: int = 0
    type_id: TypeId = TypeId(0)


class RelocValue(NamedTuple):
    """What to write: `orig` and `new` as unsigned 64-bit numbers, or poison.

    sizes         bytes of the accessed field, local and target, when they may differ
    resize_wrong  the access cannot be resized without reading something else
    """

    orig: int
    new: int
    poison: bool = False
    validate: bool = True
    orig_size: int = 0
    new_size: int = 0
    resize_wrong: bool = False
    resize_words: str = ""
    """What is wrong with a resize, for loaders that tell errors in a sentence."""


def compute(
    local: AccessSpec,
    target: AccessSpec | None,
    local_btf: Btf,
    target_btf: Btf,
    policy: LoaderPolicy,
    insn_number: int = 0,
) -> RelocValue:
    """Compute the value for one candidate, or for none (`target` is None).

    Raises Refusal where the loader refuses; `insn_number` is only for its text.
    """
    if local.kind in FIELD_KINDS:
        return _compute_field(local, target, local_btf, target_btf, policy, insn_number)
    try:
        if local.kind in ENUM_KINDS:
            orig = _enum_value(local, local_btf, policy)
            return RelocValue(orig, _enum_value(target, target_btf, policy, local.kind))
        orig, validate = _type_value(local, local_btf, policy)
        if target is None:
            return _missing_type(local, orig, validate, policy, insn_number)
        return RelocValue(orig, _type_value(target, target_btf, policy)[0], validate=validate)
    except Poisoned:
        return RelocValue(0, 0, poison=True)


def _missing_type(
    local: AccessSpec, orig: int, validate: bool, policy: LoaderPolicy, insn_number: int
) -> RelocValue:
    if local.kind in (CoreReloKind.TYPE_SIZE, CoreReloKind.TYPE_ID_TARGET):
        if policy.missing_type is Missing.POISON:
            raise Poisoned
        if policy.missing_type is Missing.REFUSE:
            words = wording.missing_type(local.kind, local.root_id, insn_number)
            raise Refusal(
                "EINVAL",
                sentence=words,
                reason=f"missing target BTF info for type `{local.root_id}`",
            )
    return RelocValue(orig, 0, validate=validate)


def _type_value(spec: AccessSpec, btf: Btf, policy: LoaderPolicy) -> tuple[int, bool]:
    if spec.kind is CoreReloKind.TYPE_ID_TARGET:
        return spec.root_id, False
    if spec.kind is CoreReloKind.TYPE_SIZE:
        return _size(btf, spec.root_id, policy), True
    return 1, True


def _enum_value(
    spec: AccessSpec | None,
    btf: Btf,
    policy: LoaderPolicy,
    kind: CoreReloKind | None = None,
) -> int:
    wanted = spec.kind if spec is not None else kind
    if wanted is CoreReloKind.ENUMVAL_EXISTS:
        return int(spec is not None)
    if spec is None or spec.enum_value is None:
        raise Poisoned
    enum = btf.type(spec.accessors[0].type_id)
    return enum_number(spec.enum_value, enum, policy.enum_sign)


def enum_number(value: int, enum: BtfType, sign: EnumSign) -> int:
    """An enumerator as the unsigned 64-bit number that a loader computes with."""
    if enum.kind is BtfKind.ENUM and sign is EnumSign.EXTENDED:
        value = (value & U32) - ((value & 1 << 31) << 1)
    if sign is EnumSign.CUT:
        return value & U32
    return value & U64


def _compute_field(
    local: AccessSpec,
    target: AccessSpec | None,
    local_btf: Btf,
    target_btf: Btf,
    policy: LoaderPolicy,
    insn_number: int,
) -> RelocValue:
    known: dict[object, FieldValue]
    known = local_btf.caches.setdefault(f"core.values.{policy.id}", {})
    key = (local.kind, local.root_id, local.raw)
    orig = known.get(key)
    if orig is None:
        try:
            orig = known[key] = field_value(local, local_btf, policy, insn_number)
        except Poisoned:
            return RelocValue(0, 0, poison=True)
    try:
        if target is None:
            if local.kind is CoreReloKind.FIELD_EXISTS:
                return RelocValue(orig.value, 0)
            raise Poisoned
        new = field_value(target, target_btf, policy, insn_number)
    except Poisoned:
        return RelocValue(orig.value, 0, poison=True, validate=orig.validate)
    except Refusal:
        if policy.new_value_errors_poison:
            return RelocValue(orig.value, 0, poison=True, validate=orig.validate)
        raise
    value = RelocValue(orig.value, new.value, False, orig.validate, orig.size, new.size)
    if orig.size == new.size:
        return value
    types = local_btf.type(orig.type_id), target_btf.type(new.type_id)
    if _resizable(*types):
        return value
    words = wording.sizes_differ(types[0].name, orig.size, types[1].name, new.size)
    return value._replace(resize_wrong=True, resize_words=words)


def _resizable(orig: BtfType, new: BtfType) -> bool:
    """Only pointers and unsigned integers read the same through another width."""
    if orig.kind is BtfKind.PTR and new.kind is BtfKind.PTR:
        return True
    return (
        orig.kind is BtfKind.INT
        and new.kind is BtfKind.INT
        and orig.int_encoding != INT_SIGNED
        and new.int_encoding != INT_SIGNED
    )


def field_value(
    spec: AccessSpec, btf: Btf, policy: LoaderPolicy, insn_number: int = 0
) -> FieldValue:
    """Compute one side of a field relocation.

    Raises Refusal for what cannot be asked of an array element and for bitfields that no
    64-bit load covers.
    """
    kind = spec.kind
    if kind is CoreReloKind.FIELD_EXISTS:
        return FieldValue(1)
    last = spec.accessors[-1]
    if last.name is None:
        return _element_value(spec, btf, policy, insn_number)
    holder = btf.type(last.type_id)
    member = holder.members[last.position]
    found = skip_modifiers_and_typedefs(btf, member.type_id)
    bits = member.bitfield_size
    if bits:
        byte_size, byte_offset = _bitfield_load(spec, found, bits, insn_number)
    else:
        byte_size, byte_offset = _size(btf, found.id, policy), spec.bit_offset // 8
    if kind is CoreReloKind.FIELD_BYTE_OFFSET:
        if bits:
            return FieldValue(byte_offset, False)
        return FieldValue(byte_offset, True, _access_size(btf, found, byte_size, policy), found.id)
    if kind is CoreReloKind.FIELD_BYTE_SIZE:
        return FieldValue(byte_size, not bits)
    if kind is CoreReloKind.FIELD_SIGNED:
        return FieldValue(_signed(found, btf, policy))
    bits = bits or byte_size * 8
    if kind is CoreReloKind.FIELD_RSHIFT_U64:
        return FieldValue((64 - bits) & U64)
    start = spec.bit_offset - byte_offset * 8
    if btf.byte_order == "little":
        shift = 64 - (start + bits)
    else:
        shift = (8 - byte_size) * 8 + start
    # libbpf computes in 32 bits before it widens; the outer subtraction is in int.
    return FieldValue(shift & U64, not member.bitfield_size)


def _element_value(
    spec: AccessSpec, btf: Btf, policy: LoaderPolicy, insn_number: int
) -> FieldValue:
    last = spec.accessors[-1]
    size = _size(btf, last.type_id, policy)
    if spec.kind is CoreReloKind.FIELD_BYTE_OFFSET:
        found = skip_modifiers_and_typedefs(btf, last.type_id)
        return FieldValue(
            spec.bit_offset // 8, True, _access_size(btf, found, size, policy), last.type_id
        )
    if spec.kind is CoreReloKind.FIELD_BYTE_SIZE:
        return FieldValue(size)
    raise Refusal(
        "EINVAL",
        f"relo {int(spec.kind)} at insn #{insn_number} can't be applied to array access",
        names_relo=False,
    )


def _bitfield_load(
    spec: AccessSpec, found: BtfType, bits: int, insn_number: int
) -> tuple[int, int]:
    """Size and place in bytes of the smallest aligned load that covers the bits."""
    size = found.size
    if size <= 0:
        raise Refusal("EINVAL", reason=f"type [{found.id}] of a bitfield has no size")
    offset = spec.bit_offset // 8 // size * size
    while spec.bit_offset + bits - offset * 8 > size * 8:
        if size >= 8:
            raise Refusal(
                "E2BIG",
                f"relo {int(spec.kind)} at insn #{insn_number} can't be satisfied for bitfield",
                names_relo=False,
            )
        size *= 2
        offset = spec.bit_offset // 8 // size * size
    return size, offset


def _access_size(btf: Btf, found: BtfType, whole: int, policy: LoaderPolicy) -> int:
    if policy.array_size is ArraySize.WHOLE:
        return whole
    while found.kind is BtfKind.ARRAY:
        found = skip_modifiers_and_typedefs(btf, found.type_id)
    return _size(btf, found.id, policy)


def _signed(found: BtfType, btf: Btf, policy: LoaderPolicy) -> int:
    if policy.signedness is Signedness.WORD_BEHIND and found.kind is not BtfKind.INT:
        return 1 if found.is_enum else btf.word_behind(found.id) >> 24 & INT_SIGNED
    if found.is_enum:
        return int(found.kind_flag)
    return found.int_encoding & INT_SIGNED


def _size(btf: Btf, type_id: int, policy: LoaderPolicy) -> int:
    try:
        if policy.counts_last_dimension_only:
            return _innermost_size(btf, type_id)
        return size_of(btf, type_id)
    except BtfTypeError as error:
        raise Refusal("EINVAL", reason=error.message) from error


def _innermost_size(btf: Btf, type_id: int) -> int:
    """Follows: aya-obj src/btf/btf.rs type_size @ 0.3.0, which forgets outer dimensions."""
    count, found = 1, skip_modifiers_and_typedefs(btf, type_id)
    while found.kind is BtfKind.ARRAY:
        count, found = found.nelems, skip_modifiers_and_typedefs(btf, found.type_id)
    return count * size_of(btf, found.id)
