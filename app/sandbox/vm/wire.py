"""Requests and answers as bytes, for the guest's C to read and write without a parser.

A record is its fields in the order of their declaration, little-endian, each 8-byte aligned:

    int, bool, enum   8 bytes, two's complement
    bytes, str        length, then the bytes, then zeros up to the next multiple of 8
    X | None          0, or 1 and X
    tuple[X, ...]     count, then each X

The answer comes from a guest that may have been taken over by what it loaded: nothing in it is
believed. `decode` reads every byte of it, checks every count against the bytes that are left and
raises WireError for everything else than a record of the wanted type.
"""

from __future__ import annotations

import dataclasses
import functools
import struct
import types
import typing
from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeVar

Record = TypeVar("Record")
_Write = Callable[[list[bytes], Any], None]
_Read = Callable[["_Reader"], Any]
_U64 = struct.Struct("<Q")


class WireError(ValueError):
    """The bytes are no record of this type."""


def encode(record: object) -> bytes:
    """Give the bytes of a record; raises WireError for a number that has more than 64 bits."""
    parts: list[bytes] = []
    kind: Any = type(record)
    _codec(kind)[0](parts, record)
    return b"".join(parts)


def decode(kind: type[Record], data: bytes) -> Record:
    """Read a record that takes up all of `data`; raises WireError."""
    reader = _Reader(data)
    wanted: Any = kind
    record: Record = _codec(wanted)[1](reader)
    if reader.at != len(data):
        raise WireError(f"{len(data) - reader.at} bytes are left over")
    return record


class _Reader:
    """A place in the bytes that never leaves them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def number(self) -> int:
        if len(self.data) - self.at < 8:
            raise WireError(f"cut off at byte {self.at}")
        (value,) = _U64.unpack_from(self.data, self.at)
        self.at += 8
        return int(value)

    def blob(self) -> bytes:
        length = self.number()
        padded = length + -length % 8
        if padded > len(self.data) - self.at:
            raise WireError(f"{length} bytes are said to stand at byte {self.at}")
        found = self.data[self.at : self.at + length]
        self.at += padded
        return found


@functools.cache
def _codec(kind: Any) -> tuple[_Write, _Read]:
    """Give the writer and the reader of a type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _tuple(_codec(arguments[0]))
    if origin is types.UnionType:
        return _optional(_codec(arguments[0]))
    if dataclasses.is_dataclass(kind):
        return _record(kind)
    return _plain(kind)


def _plain(kind: Any) -> tuple[_Write, _Read]:
    if kind is bytes:
        return _write_blob, _Reader.blob
    if kind is str:
        return (lambda parts, text: _write_blob(parts, text.encode())), _read_text
    if kind is bool:
        return _write_number, lambda reader: _one_of(reader.number(), 2) == 1
    if issubclass(kind, IntEnum):
        return _write_number, lambda reader: _member(kind, reader.number())
    return _write_number, lambda reader: _signed(reader.number())


def _record(kind: Any) -> tuple[_Write, _Read]:
    hints = typing.get_type_hints(kind)
    fields = [(f.name, *_codec(hints[f.name])) for f in dataclasses.fields(kind)]

    def write(parts: list[bytes], record: object) -> None:
        for name, write_field, _ in fields:
            write_field(parts, getattr(record, name))

    def read(reader: _Reader) -> Any:
        return kind(**{name: read_field(reader) for name, _, read_field in fields})

    return write, read


def _tuple(item: tuple[_Write, _Read]) -> tuple[_Write, _Read]:
    write_item, read_item = item

    def write(parts: list[bytes], items: tuple[object, ...]) -> None:
        _write_number(parts, len(items))
        for one in items:
            write_item(parts, one)

    def read(reader: _Reader) -> tuple[object, ...]:
        count = reader.number()
        if count > (len(reader.data) - reader.at) // 8:  # no item has less than 8 bytes
            raise WireError(f"{count} items are said to stand at byte {reader.at}")
        return tuple(read_item(reader) for _ in range(count))

    return write, read


def _optional(item: tuple[_Write, _Read]) -> tuple[_Write, _Read]:
    write_item, read_item = item

    def write(parts: list[bytes], value: object) -> None:
        _write_number(parts, value is not None)
        if value is not None:
            write_item(parts, value)

    def read(reader: _Reader) -> object:
        return read_item(reader) if _one_of(reader.number(), 2) else None

    return write, read


def _write_number(parts: list[bytes], value: int) -> None:
    if not -(1 << 63) <= value < 1 << 63:
        raise WireError(f"{value} has more than 64 bits")
    parts.append(_U64.pack(value & (1 << 64) - 1))


def _write_blob(parts: list[bytes], data: bytes) -> None:
    parts.append(_U64.pack(len(data)))
    parts.append(data)
    parts.append(bytes(-len(data) % 8))


def _read_text(reader: _Reader) -> str:
    try:
        return reader.blob().decode()
    except UnicodeDecodeError as error:
        raise WireError(f"text that is not UTF-8: {error}") from error


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _one_of(value: int, count: int) -> int:
    if value >= count:
        raise WireError(f"{value} where less than {count} is meant")
    return value


def _member(kind: type[IntEnum], value: int) -> IntEnum:
    try:
        return kind(value)
    except ValueError as error:
        raise WireError(str(error)) from error
