"""From the instruction of a log to the relocation of an object."""

from __future__ import annotations

from engine.explain.log_facts import LogFact, LogReport
from engine.explain.log_place import place
from engine.explain.logs import read_log
from engine.explain.words import plain
from engine.loaders import policy_of
from engine.loaders.link import link_object
from tests.support.gallery import Case, cases

K61, K612 = "6.1.0-56-amd64", "6.12.117+deb12-amd64"
BY_SLUG = {case.slug: case for case in cases()}
POISON = "invalid func unknown#195896080\n"


def placed(
    slug: str, log: str, kernel: str = "", loader: str = "", side: str = "broken"
) -> tuple[Case, LogReport]:
    case = BY_SLUG[slug]
    target = case.target(kernel) if kernel else None
    policy = policy_of(loader) if loader else None
    return case, place(read_log(log.encode()), case.prepared(side), target, policy, kernel)


def first(report: LogReport) -> LogFact:
    return report.facts[0]


def test_with_the_object_the_field_is_named():
    log = f"0: (85) call bpf_get_current_task#35\n1: (85) call unknown#195896080\n{POISON}"
    _, report = placed("named-by-log-27", log)
    found = first(report).place
    assert found is not None
    assert found.relocation is not None
    assert found.relocation.local == "struct iov_iter.iov"
    assert (found.function, found.slot, found.sure) == ("prog", 1, True)
    assert found.line is not None
    assert found.story is None
    assert found.fixes == ()
    assert "With the kernel" in plain(first(report).needs)
    assert "byte_off of `struct iov_iter.iov`" in plain(report.summary)


def test_with_the_kernel_what_took_its_place():
    log = f"1: (85) call unknown#195896080\n{POISON}"
    _, report = placed("named-by-log-27", log, K612, "cilium@0.22.0")
    found = first(report).place
    assert found is not None
    assert found.fixes[0].kind == "renamed"
    assert found.story is not None
    assert first(report).needs == ()
    assert "struct iov_iter has no member iov" in plain(found.words)


def test_an_error_without_the_instruction_leads_to_the_poison_that_is_reached():
    log = "program prog: load program: bad CO-RE relocation: invalid func unknown#195896080\n"
    _, report = placed("harmless-8220", log, K61)
    found = first(report).place
    assert found is not None
    assert found.relocation is not None
    assert found.relocation.local == "struct task_struct.gone_6"
    _, blind = placed("harmless-8220", log)
    assert first(blind).place is None


def test_a_named_relocation_is_found_by_its_words():
    log = (
        "0: <invalid CO-RE relocation>\nfailed to resolve CO-RE relocation <enumval_value> [5] "
        "enum cgroup_subsys_id::cpuset_cgrp_id_lublub = 1\n"
    )
    _, report = placed("enum-1348", log, K61)
    found = first(report).place
    assert found is not None
    assert found.relocation is not None
    assert found.relocation.kind_word == "enumval_value"
    assert found.fixes[0].kind == "enum-guard"


def test_a_broken_jump_and_the_load_that_broke_it():
    _, report = placed("enum-1348", "jump out of range from insn 2 to 7\n", K61, "cilium@0.13.0")
    found = first(report).place
    assert found is not None
    assert found.slot == 2
    assert "because the load for `enum cgroup_subsys_id::cpuset_cgrp_id_lublub` lost a slot" in (
        plain(found.words)
    )
    _, later = placed("enum-1348", "6: (95) exit\nR0 !read_ok\n", K61, "cilium@0.13.0")
    behind = first(later).place
    assert behind is not None
    assert behind.slot == 7  # one slot is lost in front of it
    assert "The jump in slot 2" in plain(behind.words)


def test_slots_of_a_subprogram_are_counted_from_its_start():
    case = BY_SLUG["subprogram-586"]
    linked = link_object(case.prepared("broken"), case.target(K61), policy_of("libbpf@1.7.0"))
    program = linked.programs[0]
    piece = program.pieces[1]
    assert program.insns is not None
    insn = piece.start + 2
    log = f"{insn}: ({program.insns[insn].code:02x}) r3 = r1\nR3 !read_ok\n"
    report = place(read_log(log.encode()), case.prepared("broken"), case.target(K61))
    found = first(report).place
    assert found is not None
    assert (found.program, found.function, found.slot) == ("prog", "prio_of", 2)
    assert "is slot 2 of `prio_of`" in plain(found.words)


def test_relocations_of_libbpfs_log_are_found_by_number():
    log = (
        "libbpf: prog 'prog': relo #10: <byte_off> [5] struct task_struct.gone_6 (0:5 @ offset 20)"
        "\nlibbpf: prog 'prog': relo #10: no matching targets found\n"
        "libbpf: prog 'prog': relo #10: substituting insn #99 w/ invalid insn\n"
    )
    _, report = placed("harmless-8220", log, K61)
    found = first(report).place
    assert found is not None
    assert found.relocation is not None
    assert found.relocation.number == 10


def test_the_log_of_another_program_has_no_place():
    far = f"900: (85) call unknown#195896080\n{POISON}"
    _, report = placed("named-by-log-27", far)
    assert first(report).place is None
    other = f"0: (95) exit\n2: (95) exit\n3: (95) exit\n1: (85) call unknown#1\n{POISON}"
    _, report = placed("named-by-log-27", other)
    assert first(report).place is None
    wrong = f"0: (85) call unknown#195896080\n{POISON}"
    _, report = placed("named-by-log-27", wrong, K612)
    assert first(report).place is None


def test_a_log_that_says_nothing_stays_as_it_is():
    _, report = placed("named-by-log-27", "hello\n", K612)
    assert report.facts == ()
