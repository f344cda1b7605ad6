"""What clang printed, as (file, line, column, severity, text).

Expected form: `-fno-caret-diagnostics -fno-color-diagnostics`, one message a line. Everything
here reads hostile text (a message quotes the source), so it only ever shortens and drops.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning", "note"]

MOST: Final = 100
"""Diagnostics of one compilation."""
TEXT_LENGTH: Final = 500
"""Characters of one message."""
CHAIN: Final = 3
"""`In file included from` lines kept for one message."""

_PLACED: Final = re.compile(
    r"(?P<file>[^:\n]+):(?P<line>\d{1,9}):(?P<column>\d{1,9}): "
    r"(?P<severity>fatal error|error|warning|note|remark): (?P<text>.*)"
)
_PLACELESS: Final = re.compile(
    r"(?:clang(?:-\d+)?: )?(?P<severity>fatal error|error|warning|note): (?P<text>.*)"
)
_INCLUDED: Final = re.compile(r"In file included from (?P<file>[^:\n]+):(?P<line>\d{1,9}):")
_BACKEND: Final = "error in backend: "
_LLVM_ERROR: Final = "LLVM ERROR: "
_RUNNING: Final = re.compile(
    r"\d+\.\s+Running pass '(?P<pass>[^']+)' on function '(?P<what>[^']+)'"
)
_CRASH: Final = ("PLEASE submit a bug report", "Stack dump:")
_NOISE: Final = ("clang frontend command failed", "linker command failed", "unable to execute")
_IDLE_NOTES: Final = (
    "could not determine the original source location",
    "expanded from here",
    "(skipping ",
)
_SYSTEM: Final = ("/usr/include/", "/usr/local/include/")
_CLANG_HEADER: Final = re.compile(r"/.*/lib(?:64)?/clang/[^/]+/include/(?P<name>.+)")
_EXPLANATIONS: Final = (
    ("llvm.bpf.preserve.type.info", "bpf_core_type_matches needs clang 15 or newer"),
    ("Unsupported field expression", "this clang cannot relocate this bitfield or expression"),
)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message; `file` is "" and `line`, `column` are 0 where clang names no place.

    `file` is the user's own name of a file, or `<bpf/bpf_helpers.h>` for a system header. A note
    belongs to the error or warning before it.
    """

    file: str
    line: int
    column: int
    severity: Severity
    text: str


def parse(output: str) -> tuple[Diagnostic, ...]:
    """Read clang's stderr; at most `MOST` diagnostics, among them an error if there is one."""
    found: list[Diagnostic] = []
    chain: list[tuple[str, int]] = []
    crash = False
    last_pass = ""
    for line in output.splitlines():
        if line.startswith(_CRASH):
            crash = True
        if crash:
            match = _RUNNING.match(line)
            last_pass = _pass_words(match) if match else last_pass
            continue
        if match := _INCLUDED.match(line):
            chain.append((shown_name(match["file"]), int(match["line"])))
            continue
        diagnostic = _read(line)
        if diagnostic is not None and not _is_idle(diagnostic):
            found += [diagnostic, *_chain_notes(chain, diagnostic)]
            chain = []
    if crash and not any(item.severity == "error" for item in found):
        where = f" in {last_pass}" if last_pass else ""
        found.append(Diagnostic("", 0, 0, "error", f"clang itself crashed{where}"))
    return _bounded(found)


def shown_name(path: str) -> str:
    """Give a path as the user knows it: his own file's name, or `<system/header.h>`."""
    for folder in _SYSTEM:
        if path.startswith(folder):
            name = path.removeprefix(folder)
            return f"<{re.sub(r'^[a-z0-9_]+-linux-gnu[a-z0-9]*/', '', name)}>"
    if match := _CLANG_HEADER.fullmatch(path):
        return f"<{match['name']}>"
    return path if path.startswith("<") else clean(posixpath.normpath(path))


def clean(text: str) -> str:
    """Replace what cannot be printed, and shorten."""
    printable = "".join(char if char.isprintable() else "�" for char in text)
    return printable if len(printable) <= TEXT_LENGTH else printable[: TEXT_LENGTH - 1] + "…"


def errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Give those that are errors."""
    return tuple(item for item in diagnostics if item.severity == "error")


def _read(line: str) -> Diagnostic | None:
    if line.startswith(_LLVM_ERROR):
        return Diagnostic("", 0, 0, "error", clean(line.removeprefix(_LLVM_ERROR)))
    if match := _PLACED.fullmatch(line):
        file = shown_name(match["file"])
        number, column = int(match["line"]), int(match["column"])
        return Diagnostic(file, number, column, _severity(match), clean(match["text"]))
    match = _PLACELESS.fullmatch(line)
    if match is None or match["text"].startswith(_NOISE):
        return None
    text = match["text"].removeprefix("<unknown>:0:0: ")
    if text.startswith(_BACKEND):
        text = _explained(text.removeprefix(_BACKEND))
    return Diagnostic("", 0, 0, _severity(match), clean(text))


def _is_idle(item: Diagnostic) -> bool:
    """Say whether a note tells nothing: where inside libbpf's macros an expansion went."""
    in_system = item.file.startswith("<") and item.text.startswith("expanded from")
    return item.severity == "note" and (in_system or item.text.startswith(_IDLE_NOTES))


def _severity(match: re.Match[str]) -> Severity:
    word = match["severity"]
    if word == "warning":
        return "warning"
    return "note" if word in ("note", "remark") else "error"


def _explained(text: str) -> str:
    for sign, words in _EXPLANATIONS:
        if sign in text:
            return f"{text} ({words})"
    return text


def _pass_words(match: re.Match[str]) -> str:
    return f"{match['pass']!r} of function {clean(match['what']).lstrip('@')!r}"


def _chain_notes(chain: Sequence[tuple[str, int]], of: Diagnostic) -> list[Diagnostic]:
    """Give the includes that led to a message: each place once, nearest first, the first last."""
    unique = dict.fromkeys(reversed(chain))
    unique.pop((of.file, of.line), None)
    places = list(unique)
    if len(places) > CHAIN:
        places[CHAIN - 1 :] = places[-1:]
    return [Diagnostic(file, line, 1, "note", "included from here") for file, line in places]


def _bounded(found: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    unique = list(dict.fromkeys(found))
    if len(unique) <= MOST:
        return tuple(unique)
    kept = unique[: MOST - 1]
    if not errors(kept):
        kept[-1:] = errors(unique)[:1] or kept[-1:]
    more = f"{len(unique) - len(kept)} more messages are not shown"
    return (*kept, Diagnostic("", 0, 0, "note", more))
