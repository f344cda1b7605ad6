"""Real compilations in the jail: objects, messages, limits."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import AppError
from app.sandbox.clang import checked_flags
from app.sandbox.compiler import LIMITS, command_shown, compile_object
from app.sandbox.diagnostics import errors
from app.sandbox.jail import JailLimits
from engine.elf.object import parse_object
from tests.app.sandbox.conftest import missing

GOOD = b"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "lib/task.h"
SEC("kprobe/x") int prog(struct task *t) { return BPF_CORE_READ(t, parent, pid); }
char LICENSE[] SEC("license") = "GPL";
"""
TASK = b"struct task { int pid; struct task *parent; } __attribute__((preserve_access_index));\n"
QUICK = JailLimits(cpu_seconds=1, wall_seconds=5.0)


def build(clang, source, *, limits=LIMITS, order="little", **files):
    flags = checked_flags(clang, cpu="v3", byte_order=order, opt="O2", arch="amd64", defines=())
    named = {"main.bpf.c": source, "lib/task.h": TASK, **files}
    return compile_object(clang, flags, named, "main.bpf.c", limits=limits)


def only_error(clang, source, **options):
    result = build(clang, source, **options)
    assert result.object is None
    (error,) = errors(result.diagnostics)
    return error


def code_of(clang, source, **options):
    with pytest.raises(AppError) as caught:
        build(clang, source, **options)
    assert caught.value.status == 422
    assert caught.value.message
    return caught.value.code


@pytest.mark.parametrize("order", ["little", "big"])
def test_headers_just_work(each_clang, order):
    result = build(each_clang, GOOD, order=order)
    assert result.diagnostics == ()
    obj = parse_object(result.object)
    assert obj.byte_order == order
    assert obj.license == "GPL"
    assert obj.btf
    assert obj.btf_ext
    assert not [s.name for s in obj.sections if s.name.startswith(".debug")]


def test_same_input_same_bytes(each_clang):
    assert build(each_clang, GOOD).object == build(each_clang, GOOD).object


def test_the_shown_command_makes_the_same_bytes(clang, tmp_path):
    for tool in (clang.command, f"llvm-strip-{clang.major}"):
        if shutil.which(tool) is None:
            missing(f"no {tool} here")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "task.h").write_bytes(TASK)
    (tmp_path / "main.bpf.c").write_bytes(GOOD)
    flags = checked_flags(clang, cpu="v3", byte_order="little", opt="O2", arch="x86", defines=())
    command = command_shown(clang, flags, "main.bpf.c")
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "main.bpf.o").read_bytes() == build(clang, GOOD).object


def test_a_mistake_is_told_with_its_place(each_clang):
    error = only_error(each_clang, b"int a;\nint f(void) { return b; }\n")
    assert (error.file, error.line, error.column) == ("main.bpf.c", 2, 22)
    assert error.text == "use of undeclared identifier 'b'"


def test_a_mistake_in_a_header_names_the_header_and_the_way_there(each_clang):
    result = build(each_clang, b'\n#include "lib/bad.h"\n', **{"lib/bad.h": b"int a = ;\n"})
    assert [(d.file, d.line, d.severity) for d in result.diagnostics] == [
        ("lib/bad.h", 1, "error"),
        ("main.bpf.c", 2, "note"),
    ]


def test_warnings_come_with_an_object(each_clang):
    result = build(each_clang, b"int f(void) { int x; return 1; }\n")
    assert result.object
    assert [d.severity for d in result.diagnostics] == ["warning"]


def test_a_file_that_includes_itself(each_clang):
    assert "nested too deeply" in only_error(each_clang, b"#include __FILE__\n").text


def test_brackets_without_end(each_clang):
    source = b"int a = " + b"(" * 100_000 + b"1" + b")" * 100_000 + b";\n"
    assert "bracket nesting level" in only_error(each_clang, source).text
    assert "crashed" in only_error(each_clang, b"int a = " + b"- " * 200_000 + b"1;\n").text


def test_what_the_backend_refuses_is_one_line(each_clang):
    source = (
        b"struct s { unsigned long a:40, b:40; } __attribute__((packed, preserve_access_index));\n"
        b"int f(struct s *p) { return __builtin_preserve_field_info(p->b, 0); }\n"
    )
    error = only_error(each_clang, source)
    assert error.text.startswith("Unsupported field expression")
    assert "0x0" not in error.text


def test_type_matches_with_a_clang_that_does_not_know_it(each_clang):
    source = (
        b"struct x { int a; };\n"
        b"int f(void) { return __builtin_preserve_type_info(*(struct x *)0, 2); }\n"
    )
    if each_clang.major >= 15:
        assert build(each_clang, source).object
        return
    assert "bpf_core_type_matches needs clang 15 or newer" in only_error(each_clang, source).text


def test_a_macro_that_explodes(each_clang):
    lines = ["#define A0 x,x,x,x,x,x,x,x,x,x"]
    lines += [f"#define A{n} {' '.join([f'A{n - 1}'] * 10)}" for n in range(1, 12)]
    source = "\n".join([*lines, "int x, y[] = { A11 };"]).encode()
    assert code_of(each_clang, source, limits=QUICK) == "compile-timeout"


def test_assembly_that_explodes(each_clang):
    source = b'__asm__(".rept 100000000\\n .quad 1\\n .endr");\n'
    assert code_of(each_clang, source, limits=QUICK) in ("compile-timeout", "compile-memory")


def test_a_huge_object(each_clang):
    source = b"int a[400000000] = {1};\n"
    assert code_of(each_clang, source) == "compile-output-too-large"


def test_an_object_that_is_larger_than_we_read(clang):
    assert code_of(clang, b"int a[5000000] = {1};\n") == "compile-output-too-large"


def test_too_little_memory(each_clang):
    small = JailLimits(address_space=300 << 20)
    source = b'__asm__(".rept 100000000\\n .quad 1\\n .endr");\n'
    assert code_of(each_clang, source, limits=small) == "compile-memory"
    assert code_of(each_clang, GOOD, limits=JailLimits(address_space=60 << 20)) == "compile-memory"


def test_a_message_cannot_pretend_to_be_clangs_end(clang):
    source = b'#pragma message "\\nLLVM ERROR: out of memory\\n"\nint a = b;\n'
    result = build(clang, source)
    assert "use of undeclared identifier 'b'" in [d.text for d in result.diagnostics]


def test_text_that_is_no_text(each_clang):
    assert build(each_clang, bytes(range(256)) * 40).object is None


def test_four_at_a_time(clang):
    sources = [GOOD + b"int n = %d;\n" % n for n in range(8)]
    alone = [build(clang, source).object for source in sources]
    with ThreadPoolExecutor(4) as pool:
        assert [r.object for r in pool.map(lambda s: build(clang, s), sources)] == alone
