"""Reading clang's messages."""

from __future__ import annotations

from app.sandbox.diagnostics import MOST, TEXT_LENGTH, Diagnostic, parse, shown_name


def test_a_message_has_a_place_a_severity_and_a_text():
    assert parse("main.bpf.c:12:5: error: expected ';' after expression\n") == (
        Diagnostic("main.bpf.c", 12, 5, "error", "expected ';' after expression"),
    )


def test_fatal_errors_are_errors_and_remarks_notes():
    output = "a.c:1:2: fatal error: 'x.h' file not found\na.c:1:3: remark: r\n"
    assert [d.severity for d in parse(output)] == ["error", "note"]


def test_names_are_the_users_or_in_angle_brackets():
    assert shown_name("./lib/../main.c") == "main.c"
    assert shown_name("/usr/include/bpf/bpf_helpers.h") == "<bpf/bpf_helpers.h>"
    assert shown_name("/usr/include/x86_64-linux-gnu/asm/types.h") == "<asm/types.h>"
    assert shown_name("/usr/lib/llvm-19/lib/clang/19/include/stddef.h") == "<stddef.h>"
    assert shown_name("<inline asm>") == "<inline asm>"


def test_the_way_through_includes_becomes_notes():
    output = (
        "In file included from main.c:3:\n"
        "In file included from ./lib/a.h:7:\n"
        "./lib/b.h:1:9: error: unknown type name 'x'\n"
    )
    assert [(d.file, d.line, d.severity) for d in parse(output)] == [
        ("lib/b.h", 1, "error"),
        ("lib/a.h", 7, "note"),
        ("main.c", 3, "note"),
    ]


def test_a_file_that_includes_itself_is_one_message():
    output = (
        "In file included from m.c:1:\n" * 200 + "m.c:1:10: error: #include nested too deeply\n"
    )
    assert [d.text for d in parse(output)] == ["#include nested too deeply"]


def test_a_long_way_is_cut_in_its_middle():
    output = "".join(f"In file included from h{n}.h:1:\n" for n in range(9)) + "x.h:1:1: error: e\n"
    assert [d.file for d in parse(output)] == ["x.h", "h8.h", "h7.h", "h0.h"]


def test_of_a_backend_error_only_the_line_that_matters_stays():
    output = (
        "fatal error: error in backend: Unsupported field expression for llvm.bpf.preserve.field"
        ".info, requiring too big alignment\n"
        "PLEASE submit a bug report to https://example.org/ and include the crash backtrace.\n"
        "Stack dump:\n0.\tProgram arguments: clang\n #0 0x00007f llvm::sys::PrintStackTrace()\n"
        "clang: error: clang frontend command failed with exit code 70 (use -v to see invocation)\n"
    )
    (only,) = parse(output)
    assert (only.file, only.line, only.severity) == ("", 0, "error")
    assert only.text.startswith("Unsupported field expression")
    assert only.text.endswith("(this clang cannot relocate this bitfield or expression)")


def test_a_crash_names_the_pass_and_the_function():
    output = (
        "PLEASE submit a bug report\nStack dump:\n0.\tProgram arguments: clang\n"
        "4.\tRunning pass 'BPF DAG->DAG Pattern Instruction Selection' on function '@prog'\n"
    )
    (only,) = parse(output)
    assert only.text == (
        "clang itself crashed in 'BPF DAG->DAG Pattern Instruction Selection' of function 'prog'"
    )


def test_placeless_messages_count_but_the_drivers_summary_does_not():
    output = (
        "LLVM ERROR: Cannot select\nclang: error: unknown argument\n"
        "error: <unknown>:0:0: in function f\n2 errors generated.\n"
        "clang: error: clang frontend command failed with exit code 70\n"
    )
    texts = [d.text for d in parse(output)]
    assert texts == ["Cannot select", "unknown argument", "in function f"]


def test_notes_that_tell_nothing_are_dropped():
    output = (
        "m.c:2:1: error: incomplete definition of type 'struct k'\n"
        "/usr/include/bpf/bpf_core_read.h:443:2: note: expanded from macro 'BPF_CORE_READ'\n"
        "<scratch space>:4:1: note: expanded from here\n"
        "note: (skipping 4 expansions in backtrace; use -fmacro-backtrace-limit=0 to see all)\n"
        "m.c:1:9: note: expanded from macro 'MINE'\n"
    )
    assert [d.text for d in parse(output)] == [
        "incomplete definition of type 'struct k'",
        "expanded from macro 'MINE'",
    ]


def test_number_and_length_are_bounded():
    output = "".join(f"m.c:{n}:1: warning: {'w' * 2000}\n" for n in range(1, 500))
    found = parse(output + "m.c:999:1: error: the only one\n")
    assert len(found) == MOST
    assert max(len(d.text) for d in found) == TEXT_LENGTH
    assert [d.text for d in found if d.severity == "error"] == ["the only one"]
    assert found[-1].text == "401 more messages are not shown"


def test_what_cannot_be_printed_is_replaced():
    (only,) = parse("m.c:1:1: error: \x1b[31mred\x07\n")
    assert only.text == "�[31mred�"


def test_hostile_text_is_only_text():
    for line in (
        "a" * 100_000,
        ":" * 50_000,
        "m.c:1:" * 20_000,
        "x:" + "9" * 5000 + ":1: error: t",
    ):
        assert parse(line) == ()
