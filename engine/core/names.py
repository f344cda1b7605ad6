"""The essential part of a name: what is left when its flavor is cut off.

`task_struct___old` and `task_struct` are flavors of one name. Loaders cut at different
places, which matters only for names with several or longer runs of underscores.
"""

from __future__ import annotations

from functools import lru_cache

from engine.core.policy import FlavorRule

_SEPARATOR = "___"


def essential_name(name: str, rule: FlavorRule) -> str:
    """Cut the flavor from `name` as `rule` says."""
    if _SEPARATOR not in name:
        return name
    return _cut(name, rule)


@lru_cache(maxsize=4096)
def _cut(name: str, rule: FlavorRule) -> str:
    if rule is FlavorRule.FIRST:
        return name.split(_SEPARATOR, 1)[0]
    if rule is FlavorRule.LAST_LAX:
        at = name.rfind(_SEPARATOR)
        return name[:at] if at > 0 else name
    return _cut_strictly(name)


def _cut_strictly(name: str) -> str:
    """Follows: libbpf src/libbpf.c bpf_core_essential_name_len, bpf_core_is_flavor_sep."""
    for at in range(len(name) - 5, -1, -1):
        if name[at] != "_" and name[at + 1 : at + 4] == _SEPARATOR and name[at + 4] != "_":
            return name[: at + 1]
    return name
