"""Addresses of kernels, types and members, whatever they are called, and names that fit a page."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote

from engine.btf.decode import Btf
from engine.errors import EngineError

SHOWN: Final = 100
"""Characters of a name on a page; the whole of it is one key away."""
_LONGEST: Final = 300
"""Characters of a name in an address; a longer one is addressed by number."""
_NOT_ID: Final = re.compile(r"[^\w.$-]")
_TAKEN: Final = frozenset({"main", "theme"})
"""Ids of the frame of every page."""


class Name(NamedTuple):
    """A name as a page shows it; `whole` is empty unless it was cut."""

    short: str
    whole: str = ""


def cut(text: str) -> Name:
    """Cut a name that is too long for a line."""
    return Name(text) if len(text) <= SHOWN else Name(f"{text[:SHOWN]}…", text)


def kernel_url(kernel: str) -> str:
    """Give the page of a kernel."""
    return f"/kernels/{quote(kernel)}"


def addressable(name: str) -> bool:
    """Tell whether a name can stand in an address and be found again."""
    return (
        0 < len(name) <= _LONGEST
        and name.strip(".") != ""
        and not name.startswith("/")
        and "//" not in name
        and not any(part in (".", "..") for part in name.split("/"))
        and not {"\\", "%"} & set(name)
        and name.isprintable()
    )


def type_url(kernel: str, name: str, type_id: int, member: str = "") -> str:
    """Give the page of a type in a kernel; by number if the name cannot stand in an address."""
    fragment = f"#{anchor(member)}" if member else ""
    if addressable(name):
        return f"{kernel_url(kernel)}/types/{quote(name, safe='')}{fragment}"
    return f"{kernel_url(kernel)}/ids/{type_id}{fragment}"


def history_url(name: str, kind: str = "") -> str:
    """Give the page of a name over all kernels; empty if it cannot stand in an address."""
    if not addressable(name):
        return ""
    query = f"?kind={quote(kind)}" if kind else ""
    return f"/types/{quote(name, safe='')}{query}"


def diff_url(before: str, after: str, name: str = "") -> str:
    """Give the comparison of two kernels, or of a type on them."""
    base = f"{kernel_url(before)}/diff/{quote(after)}"
    if not name:
        return base
    return f"{base}/types/{quote(name, safe='')}" if addressable(name) else ""


def link_to(btf: Btf, kernel: str, type_id: int) -> str:
    """Give the page of a type by its id; empty for void and for ids that do not exist."""
    if not type_id:
        return ""
    try:
        return type_url(kernel, btf.name(type_id), type_id)
    except EngineError:
        return ""


def anchor(path: str) -> str:
    """Give the element id of a member: its path, as far as that may be one."""
    found = _NOT_ID.sub("-", path)[:200]
    return f"m-{found}" if found in _TAKEN or not found else found
