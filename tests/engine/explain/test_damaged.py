"""Objects whose types were damaged: an explanation, or the error that relocation gives."""

from __future__ import annotations

import random

import pytest

from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.core.relocate import relocate_object
from engine.elf.object import parse_object
from engine.errors import EngineError
from engine.explain.fixes import fixes
from engine.explain.story import tell_all
from engine.loaders import policy_of
from tests.support.goldens import GOLDEN
from tests.support.kernel_btf import USUAL, kernel_btf

OBJECTS = ("missing", "kinds", "bitfields", "anon", "matches", "flavors", "enum64")
LOADERS = ("libbpf@1.7.0", "cilium@0.22.0", "cilium@0.13.0", "aya@0.14.0")


def damaged(name: str, chance: random.Random) -> bytes:
    """Change some bytes of .BTF or .BTF.ext behind their headers."""
    data = bytearray((GOLDEN / f"objects/{name}.clang19.v3.el.o").read_bytes())
    obj = parse_object(bytes(data))
    for _ in range(chance.randint(1, 6)):
        section = chance.choice((obj.btf, obj.btf_ext)) or b""
        at = bytes(data).find(section)
        if at >= 0:
            value = chance.choice((0, 1, 2, 3, 5, 255, chance.randrange(256)))
            data[at + 24 + chance.randrange(len(section) - 24)] = value
    return bytes(data)


@pytest.mark.parametrize("name", OBJECTS)
def test_damage_never_breaks_an_explanation(name: str):
    chance = random.Random(name)
    target = Target(kernel_btf(USUAL))
    told = 0
    for round_ in range(24):
        policy = policy_of(LOADERS[round_ % len(LOADERS)])
        try:
            prepared = prepare(parse_object(damaged(name, chance)))
            result = relocate_object(prepared, target, policy)
        except EngineError:
            continue
        for function in result.functions:
            told += len(tell_all(function, prepared, target, policy))
            for row in function.relocations:
                fixes(row, prepared, target, policy, function)
    assert told > 0
