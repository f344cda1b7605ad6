"""The byte-bounded cache."""

from __future__ import annotations

from app.services.cache import ByteCache


def test_least_recently_used_goes_first() -> None:
    cache = ByteCache(100)
    for key in "abcd":
        cache.put(key, bytes(25))
    assert cache.get("a") is not None
    cache.put("e", bytes(25))
    assert [key for key in "abcde" if cache.get(key) is not None] == ["a", "c", "d", "e"]
    assert cache.used == 100


def test_large_value_does_not_push_out_the_others() -> None:
    cache = ByteCache(100)
    cache.put("a", bytes(10))
    cache.put("b", bytes(26))
    assert cache.get("a") is not None
    assert cache.get("b") is None


def test_same_key_counts_once() -> None:
    cache = ByteCache(100)
    cache.put("a", bytes(20))
    cache.put("a", bytes(10))
    assert (cache.used, len(cache)) == (10, 1)


def test_limit_of_zero_keeps_nothing() -> None:
    cache = ByteCache(0)
    cache.put("a", b"x")
    assert cache.get("a") is None
