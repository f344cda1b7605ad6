"""Compiling C for a kernel, with a vmlinux.h made from its BTF."""

from __future__ import annotations

import subprocess

import pytest

from app.errors import AppError
from app.services import compile as service
from app.services import vmlinux
from app.services.compile import CompileRequest, compile_c
from engine import limits
from engine.elf.object import parse_object

HEAD = (
    '#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n'
    '#include <bpf/bpf_tracing.h>\nchar LICENSE[] SEC("license") = "GPL";\n'
)
USES = {
    "a field": "int f(struct task_struct *t) { return t->pid; }",
    "a chain of fields": 'SEC("kprobe/x") int BPF_KPROBE(f, struct task_struct *t)\n'
    "{ return BPF_CORE_READ(t, mm, exe_file, f_inode, i_ino); }",
    "a field behind a helper": "int f(void)\n"
    "{ return ((struct task_struct *)bpf_get_current_task_btf())->parent->pid; }",
    "an enumerator": "int f(void)\n"
    "{ return bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id); }",
    "an enumerator without an enum": "int f(void) { return LONELY_CONSTANT; }",
    "a name that is cut in two": "int f(struct task_\\\nstruct *t) { return t->pid; }",
    "a name that a macro puts together": "#define T(x) struct x##_struct\n"
    "int f(void) { return bpf_core_type_size(T(task)) + bpf_core_type_exists(T(mm)); }",
    "a type that only typeof names": "struct w { typeof(((struct task_struct *)0)->mm) m; };\n"
    "int f(struct w *w) { return w->m->map_count; }",
    "a map": "struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, u32); __type(value, u64); }\n"
    'm SEC(".maps"); int f(void) { u32 k = 0; return bpf_map_lookup_elem(&m, &k) != 0; }',
}


def build(source, btf, *, main="main.bpf.c", files=None, **choices):
    request = CompileRequest({main: source, **(files or {})}, main, **choices)
    return compile_c(request, btf)


def code_of(*args, **choices):
    with pytest.raises(AppError) as caught:
        build(*args, **choices)
    return caught.value.code


def loaded_parts(data):
    obj = parse_object(data)
    code = {s.name: s.data for s in obj.sections if s.flags & 2}
    names = [(s.name, s.value, s.size) for s in obj.symbols]
    return code, names, obj.license


@pytest.mark.parametrize("use", USES)
def test_a_slice_is_enough_and_gives_the_same_code_as_the_whole(use, kernel, monkeypatch):
    source = HEAD + USES[use] + "\n"
    sliced = build(source, kernel)
    assert sliced.diagnostics == ()
    assert sliced.header == "sliced"
    monkeypatch.setattr(vmlinux, "sliced", lambda btf, names: vmlinux.dump_header(btf).encode())
    whole = build(source, kernel)
    assert loaded_parts(sliced.object) == loaded_parts(whole.object)


def test_what_the_slice_lacks_is_added(kernel, monkeypatch):
    source = HEAD + "int f(struct task_struct *t) { return t->mm->map_count; }\n"
    names_of = vmlinux.names_of
    monkeypatch.setattr(vmlinux, "names_of", lambda texts: names_of(texts) - {"mm"})
    result = build(source, kernel)
    assert result.object
    assert (result.header, result.diagnostics) == ("sliced", ())


def test_where_widening_does_not_help_the_whole_header_does(kernel, monkeypatch, tmp_path):
    source = HEAD + "int f(struct task_struct *t) { return t->pid; }\n"
    empty = vmlinux.STUB + b"typedef unsigned u32, __u32, __wsum, __be32; typedef int __s32;"
    empty += b"typedef unsigned long long u64, __u64; typedef long long __s64;"
    empty += b"typedef unsigned short __u16, __be16; typedef unsigned char __u8;"
    monkeypatch.setattr(vmlinux, "sliced", lambda btf, names: empty)
    request = CompileRequest({"main.bpf.c": source}, "main.bpf.c")
    for _ in range(2):
        result = compile_c(request, kernel, cache_dir=tmp_path)
        assert result.object
        assert (result.header, result.diagnostics) == ("full", ())
        monkeypatch.setattr(vmlinux, "dump_header", lambda btf: pytest.fail("made a second time"))
    (cached,) = (tmp_path / "headers").iterdir()
    assert kernel.sha256 in cached.name


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("int f(struct task_struct *t) { return t->pidd; }", "no member named 'pidd'"),
        ("int f(void) { return undeclared_thing; }", "undeclared identifier 'undeclared_thing'"),
        ("int f(struct no_such *s) { return s->x; }", "incomplete definition of type"),
        ("int f(task_struct *s) { return s->pid; }", "must use 'struct' tag"),
        ("int f(void) { return 1 }", "expected ';'"),
        ("#include <no/such.h>", "'no/such.h' file not found"),
    ],
)
def test_a_mistake_of_the_users_does_not_cost_a_whole_header(body, text, kernel, monkeypatch):
    monkeypatch.setattr(vmlinux, "full", lambda *args: pytest.fail("the whole header was made"))
    result = build(HEAD + body + "\n", kernel)
    assert result.object is None
    assert text in " ".join(d.text for d in result.diagnostics if d.severity == "error")
    assert {d.file for d in result.diagnostics if d.severity == "error"} == {"main.bpf.c"}


def test_without_vmlinux_there_is_no_header(kernel):
    result = build("#include <linux/bpf.h>\nint a;\n", kernel)
    assert (result.header, bool(result.object)) == ("none", True)
    assert result.milliseconds["header"] == 0


def test_a_header_of_the_users_own_comes_first(kernel):
    files = {"vmlinux.h": "struct mine { int x; };\n"}
    result = build(
        '#include "vmlinux.h"\nint f(struct mine *m) { return m->x; }\n', kernel, files=files
    )
    assert (result.header, bool(result.object)) == ("none", True)


def test_vmlinux_through_another_file_or_a_definition(kernel):
    use = "int f(struct task_struct *t) { return t->pid; }\n"
    files = {"lib/all.h": "#include <vmlinux.h>\n"}
    assert build('#include "lib/all.h"\n' + use, kernel, files=files).header == "sliced"
    result = build("#include KERNEL\n" + use, kernel, defines=("KERNEL=<vmlinux.h>",))
    assert (result.header, bool(result.object)) == ("sliced", True)


def test_same_input_same_bytes(kernel):
    source = HEAD + USES["a chain of fields"] + "\n"
    assert build(source, kernel).object == build(source, kernel).object


def test_the_architecture_is_told_by_the_kernel(kernel):
    source = "#ifndef __TARGET_ARCH_s390\n#error another\n#endif\nint a;\n"
    assert build(source, kernel).object
    assert "-D__TARGET_ARCH_s390" in build(source, kernel).command
    assert build(source, kernel, arch="arm64").object is None


def test_choices_reach_the_compiler(kernel):
    result = build("int a = N;\n", kernel, byte_order="big", cpu="v2", opt="Os", defines=("N=7",))
    assert parse_object(result.object).byte_order == "big"
    for part in ("-target bpfeb", "-mcpu=v2", "-Os", "-DN=7", "-c main.bpf.c -o main.bpf.o"):
        assert part in result.command
    assert "clang version" in result.clang_version
    assert set(result.milliseconds) == {"header", "clang", "total"}


def test_the_shown_command_works_with_the_headers_beside_it(kernel, clang, tmp_path):
    source = HEAD + USES["an enumerator"] + "\n"
    result = build(source, kernel)
    (tmp_path / "main.bpf.c").write_text(source)
    header = vmlinux.sliced(kernel, vmlinux.names_of([source]))
    (tmp_path / "vmlinux.h").write_bytes(header)
    command = result.command.split(" && ")[0]
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    made = (tmp_path / "main.bpf.o").read_bytes()
    assert parse_object(made).btf == parse_object(result.object).btf


@pytest.mark.parametrize("source", ["", " \n\t", "\n" * 1000])
def test_no_source(source, kernel):
    assert code_of(source, kernel) == "source-missing"


def test_two_megabytes_of_source(kernel):
    assert code_of("int a;\n" * 300_000, kernel) == "source-too-large"
    files = {f"{n}.h": "x" * 100_000 for n in range(limits.SOURCE_BYTES // 100_000 + 1)}
    assert code_of("int a;\n", kernel, files=files) == "source-too-large"
    files = {f"{n}.h": "" for n in range(service.FILES)}
    assert code_of("int a;\n", kernel, files=files) == "source-too-large"


@pytest.mark.parametrize(
    "name",
    [
        *("", "/etc/x.h", "../x.h", "a/../x.h", "a//b.h", "./a.h", "-v", "lib/-v", "@x", "a b.h"),
        *("a\\b.h", "a\nb.h", "é.h", "a:1:1.h", "x" * 101, "/".join(["abcdefghi"] * 21), ".hidden"),
    ],
)
def test_names_of_files_are_checked(name, kernel):
    assert code_of("int a;\n", kernel, files={name: ""}) == "file-name-invalid"


def test_a_file_is_no_folder(kernel):
    assert code_of("int a;\n", kernel, files={"a": "", "a/b.h": ""}) == "file-name-invalid"


def test_wrong_choices(kernel):
    assert code_of("int a;\n", kernel, clang=3) == "clang-unknown"
    assert code_of("int a;\n", kernel, cpu="v9") == "cpu-unknown"
    assert code_of("int a;\n", kernel, defines=("A=$(id)",)) == "define-invalid"


def test_without_a_jail_nothing_is_compiled(kernel, monkeypatch):
    from app.sandbox import jail

    status = jail.JailStatus("unavailable", "no jail", "do this")
    monkeypatch.setattr(jail, "_prepare", lambda mode: (status, None))
    assert code_of("int a;\n", kernel) == "jail-unavailable"
