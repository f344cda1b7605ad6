"""What is asked of the real verifier and what it answered, as values that cross processes.

A verification takes each program, under each loader, to each guest kernel. Some of these never
reach the kernel: the loader refuses, or the guest cannot be asked; they are results too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from app.services.analysis import AnalysisRequest
from engine.flow.verdict import VerdictKind

if TYPE_CHECKING:
    from app.sandbox.vm.protocol import GuestRequest
    from app.services.compile import CompileResult

By = Literal["engine", "real"]
Place = tuple[str, str, By, str, str]
"""Guest, loader, by whom, section, program."""
LogLevel = Literal[0, 1, 2]

INPUT_BYTES: Final = 64 << 10
"""What a test run may be given."""


@dataclass(frozen=True, slots=True)
class GuestKernel:
    """A guest kernel that is installed.

    catalog       the id of its types in the catalog, often the same
    version_code  KERNEL_VERSION(a, b, c) of the running guest; 0 where it is not known
    options       its .config by name; empty where it is not known
    """

    id: str
    release: str
    series: str
    catalog: str
    version_code: int = 0
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judge:
    """The guest that judges, and the kernel that was asked for.

    note  says how they differ; empty where the very kernel was asked for
    """

    asked: str
    guest: GuestKernel
    note: str = ""


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """A program, and which guests are to judge which loaders' bytes of it.

    program   as for an analysis; its `kernels` are guests' ids, series (`6.1`), ids of the
              catalog (their series' guest judges) or `all`; its `loaders` ids or families
    programs  names of those that are sent; all when empty
    log_level 0 verdicts only, 1 or 2 with the verifier's log of that level
    explain   where there is no log level, load what is refused again for a log of level 1
    input     for BPF_PROG_TEST_RUN; None: programs are not run
    real      the loaders themselves relocate and load inside the guest
    seconds   the guest's own time for one clone's work; None: the pool's usual
    """

    program: AnalysisRequest
    programs: tuple[str, ...] = ()
    log_level: LogLevel = 0
    explain: bool = True
    input: bytes | None = field(default=None, repr=False)
    real: bool = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SlotSource:
    """What one slot of a linked program comes from.

    line          in the C file, 0 where it is not known; text is that line
    before        this slot before relocation, in its function as compiled; None: there is none
    relocation    the number of the CO-RE record that made it, None for none
    asked         what that record asks for; outcome: what became of it
    """

    slot: int
    function: str
    file: str = ""
    line: int = 0
    text: str = ""
    relocation: int | None = None
    asked: str = ""
    outcome: str = ""
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """One program under one loader for one guest, with what our engine says of it.

    verdict, headline   the engine's; insns: the linked program's bytes, little-endian
    sources             slots where a source line or a relocation begins, ascending
    remarks             what was simplified on the way, a sentence each
    """

    program: str
    section: str
    loader: str
    judge: Judge
    verdict: VerdictKind = "unknown"
    headline: str = ""
    insns: bytes = field(default=b"", repr=False)
    sources: tuple[SlotSource, ...] = field(default=(), repr=False)
    remarks: tuple[str, ...] = ()
    by: By = "engine"

    @property
    def place(self) -> Place:
        """What tells this subject from all others of a verification."""
        return self.judge.guest.id, self.loader, self.by, self.section, self.program


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What became of one program.

    loaded     None where the kernel could not be asked; False where loader or kernel refused
    errno      the kernel's number, 0 when loaded; None where the kernel was not asked
    code       why it was not asked: `loader-refused`, `not-supported`, or a guest's error
    log        the verifier's log, else its last words, else the reason
    retval     of the test run, unsigned; None where there was none: run_error says why
    ms         the load as the guest's clock saw it
    """

    subject: Subject
    loaded: bool | None = None
    errno: int | None = None
    code: str = ""
    log: str = field(default="", repr=False)
    log_truncated: bool = False
    retval: int | None = None
    run_error: str = ""
    run_output: bytes = field(default=b"", repr=False)
    ms: float | None = None
    verified_instructions: int | None = None
    peak_states: int | None = None
    total_states: int | None = None
    translated: bytes = field(default=b"", repr=False)
    same_bytes: bool | None = None
    """Real loaders: whether they gave the kernel the bytes that our engine makes."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One clone's work: a request, and for each program of it whom it is about.

    run_errors  by position: why a program is not run although an input was given
    seconds     the guest's own time; None: the pool's usual
    """

    subjects: tuple[Subject, ...]
    request: GuestRequest
    run_errors: Mapping[int, str] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def is_real(self) -> bool:
        """Whether a real loader runs in the guest."""
        return self.request.command is not None

    @property
    def guest(self) -> GuestKernel:
        """The kernel that is asked."""
        return self.subjects[0].judge.guest


@dataclass(frozen=True, slots=True)
class Planned:
    """A verification ready to be sent; `settled` needs no guest. Orders are those of results."""

    asks: tuple[Ask, ...]
    settled: tuple[VerifyResult, ...]
    order: tuple[Place, ...]
    """The place of every result, in the order in which they are given."""
    compile: CompileResult | None = None
