"""What a lint rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from engine.lint.scene import Scene

Severity = Literal["error", "warning", "note"]

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")
"""The worst first."""

PREAMBLE: Final = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
unsigned long long out;

"""
"""What stands above every example; `KERNEL` marks a type whose accesses are relocated."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule has to say about one program on one kernel under one loader.

    function, slot  where: the function, and the slot in it before relocation
    line, file      the source line in force there; 0 and "" where that is not known
    relocation      what is asked for: `struct task_struct.pid (byte_off)`
    hint            what to do about it
    """

    rule: str
    severity: Severity
    program: str
    message: str
    function: str = ""
    slot: int | None = None
    line: int = 0
    file: str = ""
    relocation: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One more thing that a rule finds: C in which it speaks, and C in which it does not."""

    name: str
    found: str
    not_found: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `severity` is the worst that it gives.

    sentence         what it finds, for a list of rules
    example          C, to stand below PREAMBLE, in which some kernel and loader make it speak
    counter_example  the same program done right: no kernel and no loader does
    """

    id: str
    severity: Severity
    sentence: str
    example: str
    counter_example: str
    check: Callable[[Scene], Iterator[Finding]]
    more: tuple[Example, ...] = ()
