"""What real verifiers said, as a view model: agreement in words, answers that differ, reports."""

from __future__ import annotations

import pytest

from app.services.verification import (
    Judge,
    SlotSource,
    Subject,
    VerifyRequest,
    VerifyResult,
)
from app.services.verify_logs import open_log
from app.views.prose import plain
from app.views.verify_page import job_page, row_of
from app.views.verify_page_log import Keys, log_page
from app.views.verify_page_report import report_of
from tests.support.fake_guests import GUEST_61

POISON = "5: (85) call unknown#195896080\ninvalid func unknown#195896080\nprocessed 3 insns\n"
NULL = "14: (79) r1 = *(u64 *)(r0 +0)\nR0 invalid mem access 'map_value_or_null'\n"
SOURCES = (
    SlotSource(0, "prog", "/src/p.bpf.c", 9, "int a;", before=0),
    SlotSource(5, "prog", "/src/p.bpf.c", 14, "b = x();", 1, "enum e::X", "poisoned", before=6),
    SlotSource(9, "sub", "/src/p.bpf.c", 30, "return 1;", before=0),
)


def result(verdict: str = "clear", **fields: object) -> VerifyResult:
    by = fields.pop("by", "engine")
    loader = fields.pop("loader", "libbpf@1.7.0")
    subject = Subject(
        "prog",
        "xdp",
        str(loader),
        Judge(GUEST_61.id, GUEST_61),
        verdict,  # type: ignore[arg-type]
        "A headline.",
        sources=SOURCES,
        by=by,  # type: ignore[arg-type]
    )
    return VerifyResult(subject, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "agreement", "words"),
    [
        (result("clear", loaded=True, errno=0), "same", "as predicted"),
        (result("jump-broken", loaded=False, errno=22, log=POISON), "same", "as predicted"),
        (result("poison-reachable", loaded=True, errno=0), "differs", "a defect of ours"),
        (result("clear", loaded=False, errno=22, log=POISON), "differs", "a defect of ours"),
        (result("clear", loaded=False, errno=13, log=NULL), "unforeseen", "not a matter of"),
        (result("unknown", loaded=True, errno=0), "none", "could not tell"),
        (result("clear", code="not-supported", log="Not asked: no."), "none", ""),
        (result("refused", loaded=False, code="loader-refused"), "none", ""),
    ],
)
def test_agreement(made: VerifyResult, agreement: str, words: str):
    row = row_of(0, made)
    assert row.agreement == agreement
    assert words in plain(row.agreed)


def test_an_error_is_followed_to_line_and_relocation():
    row = row_of(0, result(loaded=False, errno=22, log=POISON))
    assert row.errno == "EINVAL"
    assert plain(row.place) == (
        "instruction 5, p.bpf.c:14 `b = x();`, relocation 1 `enum e::X` (poisoned)"
    )


def test_one_input_with_two_answers():
    rows = (
        result(loaded=True, errno=0, retval=41),
        result(loaded=True, errno=0, retval=0xFFFFFFFF, loader="cilium@0.13.0"),
    )
    page = job_page("j", "done", VerifyRequest(None), rows, ())  # type: ignore[arg-type]
    (block,) = page.blocks
    assert block.different == (
        f"On {GUEST_61.id} the same input gives 41 under libbpf 1.7.0, "
        "-1 (0xffffffff) under cilium 0.13.0.",
    )
    assert page.summary == "2 load"


@pytest.mark.parametrize(("same", "words"), [(True, "the engine’s bytes"), (False, "a defect")])
def test_real_loaders_say_whose_bytes_they_gave(same: bool, words: str):
    row = row_of(0, result(loaded=True, errno=0, by="real", same_bytes=same))
    assert words in row.bytes_note
    assert row.real


def test_keys_follow_slots_that_shifted():
    keys = Keys(SOURCES, "prog")
    assert [keys.slot(n) for n in (0, 4, 5, 8, 9)] == ["s0", "s4", "s6", "s9", ""]
    assert keys.relocation(SOURCES[1]) == "r1"
    assert keys.line(SOURCES[2]) == ""
    assert Keys(SOURCES, "").slot(9) == "s9"


def test_a_report_of_73():
    report = report_of(
        (
            "Verification failed: Register Type Safety: Invalid dereference",
            "",
            "Reason:",
            "  R0 may be NULL here. The program",
            "  could dereference it.",
            "",
            "At:",
            "  prog @ p.c:17:9",
            "    >>> 17 |  sum += *v;",
            "",
            "Suggestion:",
            "  Add a NULL check.",
        )
    )
    assert report is not None
    assert report.headline == "Register Type Safety: Invalid dereference"
    reason, at, suggestion = report.sections
    assert reason.sentences == "R0 may be NULL here. The program could dereference it."
    assert at.code == "prog @ p.c:17:9\n  >>> 17 |  sum += *v;"
    assert suggestion.sentences == "Add a NULL check."
    assert report_of(("R0 invalid",)) is None


def test_tracing_is_folded_and_changes_have_words():
    trace = "mark_precise: frame0: regs=r3 stack= before 4: (b7) r3 = 0\n" * 5
    log = f"0: R1=ctx() R10=fp0\n0: (b7) r3 = 1 ; R3_w=1\n{trace}1: (b7) r3 = 2 ; R3_w=2\n"
    made = result(loaded=False, errno=13, log=log + "R9 !read_ok\n")
    opened = open_log(made)
    page = log_page("j", 0, made, 2, opened, page=0, line=7)
    assert [group.folded for group in page.groups] == ["", "5 lines of tracing precision back", ""]
    assert page.groups[2].lines[0].registers[0].word == "was 1"
    assert page.groups[0].lines[1].registers[0].word == "new"
    assert page.error_line == 9
    assert page.state is not None
    rows = {row.name: (row.before, row.after, row.word) for row in page.state.rows}
    assert rows["R3"] == ("1", "2", "changed")
    assert rows["R1"] == ("ctx()", "ctx()", "")
