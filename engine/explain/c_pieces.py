"""A declaration as pieces of C, each name of a type with its id, so that a page can link it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType, Param
from engine.errors import BtfTypeError

_QUALIFIERS: Final = {
    BtfKind.CONST: "const",
    BtfKind.VOLATILE: "volatile",
    BtfKind.RESTRICT: "restrict",
}
_TAGS: Final = {"user": "__user", "rcu": "__rcu", "percpu": "__percpu"}
"""Type tags for which the kernel has a word. Source: Linux include/linux/compiler_types.h."""
_MOST_PIECES: Final = 2_000
_DEPTH: Final = 8


class CPiece(NamedTuple):
    """A run of C; `id` is the type that it names, 0 for none; `word` marks keywords."""

    text: str
    id: int = 0
    word: bool = False


Pieces = tuple[CPiece, ...]
_SPACE: Final = CPiece(" ")


def declared(btf: Btf, type_id: int, name: str) -> Pieces:
    """A declaration of `name` with this type, without semicolon.

    An anonymous struct is `struct { ... }`, which names its id. Raises BtfTypeError for a type
    that leads through itself.
    """
    return tuple(_declared(btf, type_id, [CPiece(name)] if name else [], _DEPTH))


def _declared(btf: Btf, type_id: int, inner: list[CPiece], depth: int) -> list[CPiece]:
    qualifiers: list[str] = []
    current = btf.type(type_id)
    for _ in range(limits.TYPE_CHAIN_STEPS * 2):
        kind = current.kind
        if kind is BtfKind.PTR:
            words = f"*{' '.join(qualifiers)}{' ' if qualifiers and inner else ''}"
            inner, qualifiers = [CPiece(words), *inner], []
        elif kind in _QUALIFIERS:
            qualifiers.append(_QUALIFIERS[kind])
        elif kind is BtfKind.TYPE_TAG:
            qualifiers.append(_TAGS.get(current.name, f'btf_type_tag("{current.name}")'))
        elif kind is BtfKind.ARRAY:
            inner = [*_closed(inner), CPiece(f"[{current.nelems or ''}]")]
        elif kind is BtfKind.FUNC_PROTO:
            inner = [*_closed(inner), *_params(btf, current, depth)]
            qualifiers = []
        else:
            before = [CPiece(" ".join(qualifiers), word=True), _SPACE] if qualifiers else []
            gap = [_SPACE] if inner else []
            return [*before, *named(current), *gap, *inner]
        if len(inner) > _MOST_PIECES:
            break
        current = btf.type(current.type_id)
    raise BtfTypeError(
        f"type [{type_id}] leads through too many other types, or through itself",
        place=f"type [{type_id}] of .BTF",
    )


def _closed(inner: list[CPiece]) -> list[CPiece]:
    """In parentheses if it begins with an asterisk, which binds less."""
    if inner and inner[0].text.startswith("*"):
        return [CPiece("("), *inner, CPiece(")")]
    return inner


def _params(btf: Btf, proto: BtfType, depth: int) -> list[CPiece]:
    if depth <= 0:
        return [CPiece("(...)")]
    found = [CPiece("(")]
    for number, param in enumerate(proto.params, 1):
        if number > 1:
            found.append(CPiece(", "))
        if not param.type_id and number == proto.vlen:
            found.append(CPiece("..."))
        else:
            name = [CPiece(param.name)] if param.name else []
            found += _declared(btf, param.type_id, name, depth - 1)
        if len(found) > _MOST_PIECES:
            found.append(CPiece(", ..."))
            break
    if not proto.params:
        found.append(CPiece("void", word=True))
    return [*found, CPiece(")")]


def named(found: BtfType) -> Pieces:
    """A type by its keyword and name: `struct file`, `u32`, `struct { ... }`."""
    if found.kind is BtfKind.VOID:
        return (CPiece("void", word=True),)
    word = _keyword(found)
    if not found.name:
        return (CPiece(f"{word or found.kind.word} {{ ... }}", found.id),)
    name = CPiece(found.name, found.id)
    return (CPiece(word, word=True), _SPACE, name) if word else (name,)


def _keyword(found: BtfType) -> str:
    if found.kind is BtfKind.FWD:
        return "union" if found.kind_flag else "struct"
    if found.is_enum:
        return "enum"
    return found.kind.word if found.is_composite else ""


def declared_function(btf: Btf, name: str, proto: BtfType, params: tuple[Param, ...]) -> Pieces:
    """A function with this prototype, but other names of parameters, without semicolon.

    Raises BtfTypeError as `declared` does.
    """
    given = replace(proto, params=params)
    return tuple(
        _declared(btf, proto.type_id, [CPiece(name), *_params(btf, given, _DEPTH)], _DEPTH)
    )
