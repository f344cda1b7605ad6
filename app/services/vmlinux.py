"""The `vmlinux.h` of one compilation: a slice of the kernel's types, or all of them.

The full header takes seconds to write and 0.4 s to compile, the slice 0.1 s together. A slice can
lack something; `slice_may_be_at_fault` says whether an error could be due to that.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, cast

from app.sandbox.diagnostics import Diagnostic
from engine.btf.cdump import dump_header, slice_header
from engine.btf.cdump_slice import identifiers
from engine.btf.decode import Btf
from engine.btf.kinds import TypeId
from engine.btf.scan import name_table

NAME: Final = "vmlinux.h"
STUB: Final = b"#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n#endif\n"
"""Stands for the header while only macros are expanded; bpf_tracing.h looks at its guard."""
FULL_VERSION: Final = 1
"""Part of the cached file's name; raise it when `dump_header` writes anything else."""

_SLICES: Final = "app.services.vmlinux slices"
_ARCH: Final = "app.services.vmlinux arch"
_SLICES_KEPT: Final = 32
_INCLUDED: Final = re.compile(r"vmlinux")
_SPLICE: Final = re.compile(r"\\[ \t]*\r?\n")
_QUOTED: Final = re.compile(r"'([^']*)'")
_WORD: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_COPY: Final = re.compile(r"___(?:copy)?\d+\Z")
"""What the header adds to a name that the kernel has several times."""
_ABSENCE: Final = re.compile(
    r"undeclared identifier|unknown type|incomplete|will not be visible|without previous"
    r"|undefined (struct|union|enum|type)|type specifier missing|does not refer|too many errors"
)
"""Words of clang's messages about something that is not declared, or not completely.

Not among them: `no member named`, which clang only says of a complete struct, and undeclared
functions, which no vmlinux.h has.
"""
_KNOWN_TAG: Final = re.compile(r"must use '(struct|union|enum)' tag")
_NO_NAMES: Final = frozenset({"struct", "union", "enum", "const", "volatile", "sizeof", "_Alignof"})
_ARCH_SIGNS: Final[Mapping[str, str]] = {
    **{"orig_ax": "x86", "orig_eax": "x86", "pstate": "arm64", "orig_gpr2": "s390"},
    **{"epc": "riscv", "gpr": "powerpc", "csr_era": "loongarch", "uregs": "arm"},
    **{"cp0_epc": "mips"},
}
"""A member of `struct pt_regs`, also of a struct without a name in it, that one architecture has.

Source: Linux arch/*/include/asm/ptrace.h.
"""


def is_included(texts: Iterable[str]) -> bool:
    """Say whether any text may include vmlinux.h, be it through a macro."""
    return any(_INCLUDED.search(text) for text in texts)


def names_of(texts: Iterable[str]) -> set[str]:
    """Give every identifier of the user's texts; a line cut by a backslash is joined first."""
    return set().union(*(identifiers(_SPLICE.sub("", text)) for text in texts))


def pastes_tokens(texts: Iterable[str]) -> bool:
    """Say whether a macro may make names (`##`) that no text holds as they are."""
    return any("##" in text or "%:%:" in text for text in texts)


def sliced(btf: Btf, names: set[str]) -> bytes:
    """Give the part of vmlinux.h that `names` need; the last few are kept."""
    kept = cast("dict[frozenset[str], bytes]", btf.caches.setdefault(_SLICES, {}))
    key = frozenset(names)
    text = kept.pop(key, None)
    if text is None:
        text = slice_header(btf, names).encode()
    kept[key] = text
    if len(kept) > _SLICES_KEPT:
        del kept[next(iter(kept))]
    return text


def full(btf: Btf, cache_dir: Path) -> bytes:
    """Give the whole vmlinux.h, from `cache_dir` if it was ever made on this machine."""
    if not btf.sha256:
        return dump_header(btf).encode()
    path = cache_dir / "headers" / f"{btf.sha256}.{FULL_VERSION}.h"
    with contextlib.suppress(OSError):
        return path.read_bytes()
    text = dump_header(btf).encode()
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
        _write(path, text)
    return text


def slice_may_be_at_fault(diagnostics: Iterable[Diagnostic], btf: Btf) -> bool:
    """Say whether the full header could make a difference to these errors and warnings.

    Only where a message speaks of something missing, and that something is in the full header
    (or the message names nothing).
    """
    return any(
        not (words := missing_names(item)) or any(_declares(btf, word) for word in words)
        for item in diagnostics
        if _speaks_of_absence(item)
    )


def missing_names(item: Diagnostic) -> set[str]:
    """Give the names that a message says are missing: those in its first quotes that has any.

    What follows is a guess of clang's: `use of undeclared identifier 'a'; did you mean 'b'?`
    """
    if not _speaks_of_absence(item):
        return set()
    for quoted in _QUOTED.findall(item.text):
        if words := set(_WORD.findall(quoted)) - _NO_NAMES:
            return words
    return set()


def arch_of(btf: Btf) -> str:
    """Tell the architecture by the members of `struct pt_regs`; x86 where there is none."""
    arch = btf.caches.get(_ARCH)
    if not isinstance(arch, str):
        arch = btf.caches[_ARCH] = _find_arch(btf)
    return arch


def _find_arch(btf: Btf) -> str:
    for type_id in btf.ids_named("pt_regs"):
        for name in _member_names(btf, type_id, 4):
            if name in _ARCH_SIGNS:
                return _ARCH_SIGNS[name]
    return "x86"


def _member_names(btf: Btf, type_id: TypeId, depth: int) -> Iterator[str]:
    """Give names of members, those of nameless structs and unions in it too."""
    for member in btf.type(type_id).members:
        if member.name:
            yield member.name
        elif depth:
            yield from _member_names(btf, member.type_id, depth - 1)


def _speaks_of_absence(item: Diagnostic) -> bool:
    return (
        item.severity != "note"
        and _ABSENCE.search(item.text) is not None
        and not _KNOWN_TAG.search(item.text)
    )


def _declares(btf: Btf, word: str) -> bool:
    """Say whether the full header has a type or an enumerator of this name."""
    table = name_table(btf)
    return any(
        bool(table.types(name) or table.enums_with(name)) for name in {word, _COPY.sub("", word)}
    )


def _write(path: Path, text: bytes) -> None:
    """Write the file at once, so that no other process sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=".vmlinux-")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
