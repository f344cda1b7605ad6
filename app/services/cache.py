"""A least-recently-used cache that is bounded by bytes, not by entries."""

from __future__ import annotations

from collections import OrderedDict


class ByteCache:
    """Keeps byte strings by key; the least recently used go when `limit` bytes are exceeded.

    A value larger than a quarter of the limit is not kept: it would push out all others.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._values: OrderedDict[str, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> bytes | None:
        """Give the value and make it the most recently used."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: str, value: bytes) -> None:
        """Keep a value, in place of an older one of the same key."""
        self.used -= len(self._values.pop(key, b""))
        if len(value) * 4 > self.limit:
            return
        self._values[key] = value
        self.used += len(value)
        while self.used > self.limit:
            _, dropped = self._values.popitem(last=False)
            self.used -= len(dropped)
