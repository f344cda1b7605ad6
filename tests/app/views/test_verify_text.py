"""Verification results for people: verdicts, last words, places, silent differences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.services.verification import GuestKernel, Judge, SlotSource, Subject, VerifyResult
from app.views.verify_json import api_row, result_row
from app.views.verify_text import agrees, relocation_at, source_at, verify_text

GUEST = GuestKernel("6.1.0-57-cloud-amd64", "6.1.0-57-cloud-amd64", "6.1", "6.1.0-57-cloud-amd64")
SOURCES = (
    SlotSource(0, "prog", "/src/a.c", 10, "int prog(void *ctx)"),
    SlotSource(3, "prog", "/src/a.c", 12, "v = value();", 1, "enum e::A", "poisoned"),
    SlotSource(6, "prog", "/src/a.c", 14, "return 0;"),
)
SUBJECT = Subject(
    "prog", "socket", "cilium@0.13.0", Judge("6.1", GUEST), "jump-broken", "a jump", b"", SOURCES
)
LOADED = VerifyResult(SUBJECT, loaded=True, errno=0, ms=1.25, verified_instructions=9)
REFUSED = VerifyResult(
    SUBJECT,
    loaded=False,
    errno=22,
    log="4: (85) call unknown#195896080\ninvalid func unknown#195896080\nprocessed 5 insns\n",
    ms=0.5,
)
KEYS = ["program", "kernel", "loader", "by", "loaded", "errno", "retval", "log", "ms"]


def test_the_nine_keys():
    assert list(result_row(REFUSED)) == KEYS
    assert result_row(LOADED)["kernel"] == GUEST.id


def test_the_api_gives_more_and_may_leave_the_log_out():
    row = api_row(REFUSED)
    assert set(KEYS) < set(row)
    assert "log" not in api_row(REFUSED, log=False)
    assert row["log_bytes"] == len(REFUSED.log)


def test_a_refusal_leads_from_instruction_to_relocation():
    lines = verify_text([REFUSED]).splitlines()
    assert lines == [
        "prog (socket)",
        "  6.1.0-57-cloud-amd64  cilium@0.13.0  refused, EINVAL, 0.5 ms",
        "      | 4: (85) call unknown#195896080",
        "      | invalid func unknown#195896080",
        "      at insn 4 -> prog, a.c:12: v = value(); -> relocation #1 enum e::A (poisoned)",
        "",
        "0 loaded, 1 refused",
    ]


def test_a_disagreement_is_told():
    text = verify_text([LOADED])
    assert "loaded, 9 instructions verified, 1.2 ms" in text
    assert "the engine said jump-broken: a jump" in text


def test_the_kernel_that_was_asked_for_and_the_one_that_judges():
    judge = replace(SUBJECT.judge, note="6.1.0-56-amd64 was chosen; another judges.")
    text = verify_text([replace(LOADED, subject=replace(SUBJECT, judge=judge))])
    assert text.startswith("note: 6.1.0-56-amd64 was chosen")


def test_different_answers_to_the_same_input():
    other = replace(SUBJECT, loader="libbpf@1.7.0")
    rows = [replace(LOADED, retval=41), VerifyResult(other, loaded=True, errno=0, retval=1)]
    text = verify_text(rows)
    assert (
        "DIFFERENT ANSWERS to the same input on 6.1.0-57-cloud-amd64: "
        "cilium@0.13.0: 41; libbpf@1.7.0: 1" in text
    )
    assert "DIFFERENT" not in verify_text(rows[:1])


def test_a_loaders_refusal_and_what_cannot_be_asked():
    loader = VerifyResult(SUBJECT, loaded=False, code="loader-refused", log="it refuses")
    nobody = VerifyResult(SUBJECT, code="not-supported", log="Not asked: freplace.")
    text = verify_text([loader, nobody])
    assert "refused by the loader\n      | it refuses" in text
    assert "not asked\n      | Not asked: freplace." in text
    assert "0 loaded, 1 refused, 1 not asked" in text


def test_whole_logs():
    assert "| processed 5 insns" in verify_text([REFUSED], whole_logs=True)
    assert "| processed 5 insns" not in verify_text([REFUSED])


@pytest.mark.parametrize(
    ("verdict", "loaded", "expected"),
    [
        ("clear", True, True),
        ("poison-unreachable", False, False),
        ("silently-different", True, True),
        ("jump-broken", False, True),
        ("unknown", True, None),
        ("clear", None, None),
    ],
)
def test_agreement(verdict: str, loaded: bool | None, expected: bool | None):
    subject = replace(SUBJECT, verdict=verdict)  # type: ignore[arg-type]
    assert agrees(VerifyResult(subject, loaded=loaded)) is expected


def test_slots_lead_to_lines_and_relocations():
    line = source_at(SOURCES, 5)
    assert line is not None
    assert line.line == 12
    row = relocation_at(SOURCES, 4)
    assert row is not None
    assert row.relocation == 1
    assert relocation_at(SOURCES, 6) is None


def test_the_report_of_newer_kernels_ends_with_its_headline():
    log = "0: (95) exit\nR0 !read_ok\n\nVerification failed: Unreadable register\n\nReason:\n  x\n"
    text = verify_text([replace(REFUSED, log=log)])
    assert "| R0 !read_ok\n      | Verification failed: Unreadable register\n" in text
    assert "Reason" not in text
