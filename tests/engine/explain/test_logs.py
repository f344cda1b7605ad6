"""Pasted logs of verifiers, loaders and tools, as they are found."""

from __future__ import annotations

import time

import pytest

from engine import limits
from engine.explain.log_facts import LogFact, LogReport
from engine.explain.logs import read_log
from engine.explain.words import plain
from tests.support.goldens import LOGS

DOCKER = """\
obi-1  | ; if (bpf_core_enum_value_exists(enum tty_driver_type___new, PTY)) { @ types.h:81
obi-1  | 177: (15) if r1 == 0x0 goto pc+28     ; R1_w=1
obi-1  | ; return BPF_CORE_READ(tty, driver, type) == typ; @ types.h:83
obi-1  | 186: (85) call bpf_probe_read_kernel#113      ; R0=scalar() fp-64=mmmmmmmm
obi-1  | ; instruction poisoned by CO-RE @ :0
obi-1  | 187: (85) call unknown#195896080
obi-1  | invalid func unknown#195896080
obi-1  | processed 177 insns (limit 1000000) max_states_per_insn 0 total_states 12
"""
OLD = """\
0: (b7) r1 = 16
; val = BPF_CORE_READ(task, state);
1: (85) call unknown#195896080
invalid func unknown#195896080
"""
REPORT = """\
0: R1=ctx() R10=fp0
0: (95) exit
R0 !read_ok

Verification failed: Register Type Safety: Unreadable register

Reason:
  R0 has never been initialized on this path.

At:
  prog @ case.c:154:2
      152 | ...                            5 | (85) call unknown#195896080
  >>> 154 |         return r;          >>> 7 | (95) exit

Suggestion:
  Initialize R0 on every path before this instruction.

processed 1 insns (limit 1000000)
"""


def facts(log: str | bytes) -> tuple[LogFact, ...]:
    return read_log(log.encode() if isinstance(log, str) else log).facts


def only(log: str | bytes) -> LogFact:
    (found,) = facts(log)
    return found


def said(report: LogReport) -> str:
    return plain(report.summary)


def test_the_poisoned_call_of_a_container():
    fact = only(DOCKER)
    assert (fact.kind, fact.insn, fact.line) == ("poison-call", 187, 7)
    assert fact.source_line is not None
    assert (fact.source_line.file, fact.source_line.number) == ("types.h", 83)
    assert fact.source_line.text == "return BPF_CORE_READ(tty, driver, type) == typ;"
    assert "With the object" in plain(fact.needs)
    report = read_log(DOCKER.encode())
    assert report.sources == ("cilium", "verifier")
    assert report.codes[""][187] == 0x85


def test_old_logs_name_no_file():
    fact = only(OLD)
    assert fact.insn == 1
    assert fact.source_line is not None
    assert (fact.source_line.file, fact.source_line.number) == ("", 0)
    assert fact.source_line.text == "val = BPF_CORE_READ(task, state);"


@pytest.mark.parametrize(
    ("log", "kind", "insn"),
    [
        ("3: (18) r10 = 0xbad2310\nframe pointer is read only", "poison-load", 3),
        ("frame pointer is read only", "frame-pointer", None),
        ("jump out of range from insn 3 to 7", "jump-out-of-range", 3),
        ("unreachable insn 5", "unreachable-insn", 5),
        ("jump into the middle of ldimm64 insn 5", "jump-into-load", 5),
        ("4: (18) r1 = 0x0\ninvalid BPF_LD_IMM insn", "jump-into-load", 4),
        ("6: (95) exit\nR0 !read_ok", "not-initialised", 6),
        ("unknown opcode 00", "half-a-load", None),
        ("last insn is not an exit or jmp", "falls-through", None),
        ("5: (85) call unknown#2001000003\ninvalid func unknown#2001000003", "missing-map", 5),
        ("invalid func unknown#2002000001", "missing-kfunc", None),
        ("invalid func unknown#122", "unknown-helper", None),
        (
            "program of this type cannot use helper unknown#195896080",
            "poison-call",
            None,
        ),
        ("2: (61) r1 = *(u32 *)(r1 +4)\ninvalid bpf_context access off=4 size=4",
         "context-access", 2),
        ("9: (79) r1 = *(u64 *)(r1 +0)\nR1 invalid mem access 'scalar'", "plain-read", 9),
        ("5: (85) call unknown#195896080 invalid func unknown#195896080", "poison-call", 5),
    ],
)  # fmt: skip
def test_what_verifiers_say(log: str, kind: str, insn: int | None):
    fact = only(log)
    assert (fact.kind, fact.insn, fact.weight) == (kind, insn, "error")
    assert plain(fact.cause).endswith(".")
    assert plain(fact.fix)


def test_helpers_are_named():
    assert "bpf_get_current_task_btf" in plain(only("invalid func unknown#158").cause)


def test_a_report_of_a_new_kernel_adds_to_the_complaint():
    fact = only(REPORT)
    assert (fact.kind, fact.insn) == ("not-initialised", 0)
    assert fact.source_line is not None
    assert (fact.source_line.file, fact.source_line.number) == ("case.c", 154)


def test_poison_in_the_context_of_a_report_is_no_finding():
    assert [fact.kind for fact in facts(REPORT)] == ["not-initialised"]


def test_a_report_without_a_known_complaint_is_passed_on():
    log = REPORT.replace("R0 !read_ok\n", "")
    fact = only(log)
    assert fact.kind == "verifier-report"
    assert fact.insn == 7
    assert "R0 has never been initialized" in plain(fact.cause)
    assert plain(fact.fix).startswith("Initialize R0")


def test_what_libbpf_puts_into_the_log():
    log = """\
316: <invalid CO-RE relocation>
failed to resolve CO-RE relocation <byte_off> [423] struct inode.i_atime.tv_sec (0:15:0 @ offset 88)
processed 311 insns (limit 1000000)
-- END PROG LOAD LOG --
libbpf: prog 'do_filp_open': failed to load: -22
"""
    fact = only(log)
    assert (fact.kind, fact.insn, fact.kind_word) == ("poison-named", 316, "byte_off")
    assert fact.asked == "struct inode.i_atime.tv_sec"
    enum = only("failed to resolve CO-RE relocation <enumval_value> [5] enum e::X = 1")
    assert enum.asked == "enum e::X"
    wide = only("failed to resolve CO-RE relocation <enumval_value> [5] enum64 e::X = 1")
    assert wide.asked == "enum e::X"


def test_programs_are_kept_apart():
    log = """\
libbpf: prog 'one': BPF program load failed: Invalid argument
libbpf: prog 'one': -- BEGIN PROG LOAD LOG --
7: (85) call unknown#195896080
invalid func unknown#195896080
-- END PROG LOAD LOG --
libbpf: prog 'two': -- BEGIN PROG LOAD LOG --
9: (85) call unknown#195896080
invalid func unknown#195896080
"""
    assert [(fact.program, fact.insn) for fact in facts(log)] == [("one", 7), ("two", 9)]


def test_a_log_full_of_harmless_lines():
    report = read_log((LOGS / "missing.clang19.v3.el@debian-6.1.log").read_bytes())
    assert report.errors == ()
    assert said(report) == (
        "libbpf worked on 23 relocations; 22 found nothing: 7 answered 0, which is what guards "
        "are for, and 15 became poison, which does harm only where it can be reached. Nothing "
        "here says that loading failed."
    )
    guard = report.facts[0]
    assert (guard.kind, guard.asked, guard.relocation) == ("no-target-guard", "struct mi.gone", 0)


@pytest.mark.parametrize("path", sorted(LOGS.glob("*.log")), ids=lambda path: path.name)
def test_every_debug_log_of_libbpf_is_understood(path):
    report = read_log(path.read_bytes())
    assert "libbpf" in report.sources or "worked on" in said(report)
    assert all(fact.asked for fact in report.facts if fact.kind.startswith("no-target"))


ERRORS = [
    ("prog 'p': relo #3: field offset ambiguity: 0 != 32", "ambiguous", "libbpf"),
    ("prog 'p': relo #3: relocation decision ambiguity: success 1 != success 2",
     "ambiguous", "libbpf"),
    ("prog 'p': relo #0: unexpected insn #0 (LDIMM64) value: got 1, exp 2 -> 3",
     "unexpected-value", "libbpf"),
    ("prog 'p': relo #1: insn #3 (LDX/ST/STX) accesses field incorrectly. Make sure",
     "resized", "libbpf"),
    ("prog 'p': relo #1: insn #3 (LDX/ST/STX) value too big: 40004", "far-offset", "libbpf"),
    ("prog 'p': relo #1: target candidate search failed for [5] struct : -22",
     "no-search", "libbpf"),
    ("libbpf: failed to find valid kernel BTF", "no-kernel-btf", "libbpf"),
    ("libbpf: Unsupported BTF_KIND:19", "newer-btf", "libbpf"),
    ("libbpf: extern (func ksym) 'bpf_x': not found in kernel or module BTFs",
     "no-extern", "libbpf"),
    ("program p: apply CO-RE relocations: relocate Struct:\"s\": byte_off: multiple types match: "
     "ambiguous relocation", "ambiguous", "cilium"),
    ("fixup for CORERelocation(local_type_id, Struct:\"f\"[0], local_id=7): invalid immediate 73, "
     "expected 67", "unexpected-value", "cilium"),
    ("apply fixup byte_off=0->40004: offset 40004 exceeds MaxInt16", "far-offset", "cilium"),
    ("apply CO-RE relocations: load kernel spec: no BTF found for kernel version 6.18.39",
     "no-kernel-btf", "cilium"),
    ("apply CO-RE relocations: load BTF for kmod rndis: read string section: string table is empty",
     "broken-module", "cilium"),
    ("relocate Struct:\"s\": target Func:\"s\": unsized type *btf.Func", "unsized", "cilium"),
    ("load program: bad CO-RE relocation", "poison-told", "cilium"),
    ("error relocating `s`, multiple candidate target types found with different memory layouts",
     "ambiguous", "aya"),
    ("applying relocation `Size` missing target BTF info for type `5` at instruction #1",
     "no-target-type", "aya"),
    ("invalid BTF relocation kind `12`", "unknown-kind", "aya"),
    ("original type int has size 4 but target type long has size 8", "resized", "aya"),
    ("Invalid core_relo[3].insn_off:80 prog->len:5", "bad-record", "kernel"),
]  # fmt: skip


@pytest.mark.parametrize(("log", "kind", "source"), ERRORS, ids=[f"{e[2]}-{e[1]}" for e in ERRORS])
def test_errors_of_loaders(log: str, kind: str, source: str):
    fact = only(log)
    assert (fact.kind, fact.source) == (kind, source)
    assert "{" not in plain(fact.cause)


def test_errors_name_the_type_where_they_do():
    relocation = 'fixup for CORERelocation(byte_off, Struct:"inode"[0:4], local_id=7): invalid '
    fact = only(relocation + "offset 8, expected 4")
    assert (fact.kind_word, fact.asked) == ("byte_off", "struct inode + 0:4")


def test_the_same_line_again_is_counted():
    line = (
        'time="2025-09-06T07:28:01.383Z" level="error" msg="LoadBpf netdev_hw.o: program show: '
        "load program: bad CO-RE relocation: invalid func unknown#195896080 (19 line(s) "
        'omitted)" file="tracing.go:88"\n'
    )
    fact = only(line * 5)
    assert (fact.kind, fact.times, fact.program) == ("poison-call", 5, "show")


PREFIXES = [
    "Nov 23 10:00:00 host prog[12]: ",
    "Nov  3 10:00:00 host prog: ",
    "2025-05-23T10:00:00.123456789Z stderr F ",
    "2025/05/23 10:00:00 ",
    "[   12.345678] ",
    "<6>[   12.345678] [ T123] ",
    "E1123 10:00:00.000000       1 load.go:12] ",
    "app-1  | ",
    "[2025-05-23T10:00:00Z DEBUG aya_obj::obj] ",
    "\x1b[31merror:\x1b[0m ",
    "\t",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes_are_taken_off(prefix: str):
    fact = only("".join(prefix + line + "\n" for line in OLD.splitlines()))
    assert (fact.kind, fact.insn) == ("poison-call", 1)
    assert fact.source_line is not None


@pytest.mark.parametrize(
    "line",
    [
        'level=error msg="load: ' + OLD.replace("\n", "\\n") + '"',
        '{"level":"error","msg":"' + OLD.replace("\n", "\\n") + '"}',
    ],
)
def test_logs_inside_one_line(line: str):
    assert only(line).insn == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_encodings(encoding: str):
    text = OLD.replace("task, state", "task, zustand\u00e4") if encoding == "latin-1" else OLD
    assert only(text.encode(encoding)).insn == 1


def test_line_ends_of_another_system():
    assert only(OLD.replace("\n", "\r\n")).insn == 1


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (b"", "The log is empty."),
        (b"hello\nworld\n", "No line of this is known"),
        (b"\x7fELF" + bytes(range(256)) * 30, "This is not text"),
        (b"0: (b7) r0 = 0\n1: (95) exit\nprocessed 2 insns\n", "Nothing in it points to CO-RE"),
        (b"0: (b7) r0 = 0\n", "that ends early"),
    ],
)
def test_logs_that_say_nothing(log: bytes, words: str):
    report = read_log(log)
    assert report.facts == ()
    assert words in said(report)
    assert said(report).count("\n") == 0


def test_a_huge_log_is_cut_with_a_word():
    filler = b"12: (79) r1 = *(u64 *)(r1 +0) ; R1_w=scalar() R10=fp0 fp-8=mmmmmmmm\n"
    log = [filler * 15_000] * 50 + [OLD.encode()]
    began = time.perf_counter()
    report = read_log(iter(log))
    assert time.perf_counter() - began < 10  # 2 s on a machine with nothing else to do
    assert report.cut
    assert "its middle was left out" in said(report)
    assert report.lines == 750_004
    assert [(fact.kind, fact.line) for fact in report.facts] == [("poison-call", 750_004)]


@pytest.mark.parametrize("log", [b"x" * 20_000_000, b"\n" * 20_000_000, b"\x1b[" * 3_000_000])
def test_odd_shapes_end_soon(log: bytes):
    began = time.perf_counter()
    assert read_log(log).facts == ()
    assert time.perf_counter() - began < 10


def test_findings_are_bounded():
    log = "".join(
        f"{n}: (85) call unknown#195896080\ninvalid func unknown#195896080\n" for n in range(500)
    )
    report = read_log(log.encode())
    assert len(report.facts) == limits.LOG_FACTS
    assert report.more == 500 - limits.LOG_FACTS


def test_nothing_unprintable_comes_through():
    log = "; \x07bell \x00 @ a\x02.c:1\n0: (85) call x\ninvalid func unknown#195896080 \x9b31m\n"
    fact = only(log)
    assert fact.source_line is not None
    shown = fact.said + fact.source_line.text + fact.source_line.file + plain(fact.cause)
    assert shown.isprintable()
