"""Tries to read the host's files through the compiler, by every means we could think of.

Each attempt aims at a canary: a world-readable file of the host with a text that nothing else has,
or at a file that every host has. Neither the object nor a message may tell what is in it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sandbox.clang import checked_flags
from app.sandbox.compiler import compile_object
from app.sandbox.diagnostics import errors

CANARY = "canary_7c1f"
CANARY_TEXT = f"int {CANARY}; /* 0123456789abcdef */\n#define FOUND 1\n"
ROOT_HOME = "/root"
HOST_FILES = (
    *("/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/os-release", "/etc/ssl/openssl.cnf"),
    *("/proc/self/environ", "/proc/self/maps", "/proc/1/cmdline", "/proc/cpuinfo", "/proc/version"),
    *("/dev/null", "/dev/zero", "/dev/stdin", "/dev/fd/0", "/sys/kernel/btf/vmlinux"),
    *(f"{ROOT_HOME}/.bashrc", f"{ROOT_HOME}/.ssh/id_rsa", "/var/log/dpkg.log", "/run/utmp"),
    *("/usr/include/stdio.h", "/usr/share/common-licenses/GPL-2", "/usr/bin/env", "/bin/sh"),
    *("/proc/self/root/etc/passwd", "/proc/self/cwd/main.bpf.c", "/usr/local/bin/python3"),
)
READERS = {
    "include": '#include "{0}"\n',
    "include in angle brackets": "#include <{0}>\n",
    "include through a macro": '#define HDR "{0}"\n#include HDR\n',
    "include_next": '#include_next "{0}"\n',
    "import": '#import "{0}"\n',
    "embed": 'const char data[] __attribute__((used)) = {{\n#embed "{0}"\n}};\n',
    "incbin": '__asm__(".section .data\\n.incbin \\"{0}\\"");\n',
    "assembler include": '__asm__(".include \\"{0}\\"");\n',
    "inline incbin": 'void f(void) {{ __asm__ volatile(".incbin \\"{0}\\""); }}\n',
    "precompiled header": '#pragma GCC pch_preprocess "{0}"\n',
    "include alias": '#pragma include_alias("main.h", "{0}")\n#include "main.h"\n',
    "module in _Pragma": '_Pragma("clang module import {0}")\n',
    "comment in _Pragma": '_Pragma("comment(lib, \\"{0}\\")")\n',
    "module map": '#pragma clang module build x\nmodule x {{ header "{0}" }}\n',
    "dependency": '#pragma GCC dependency "{0}"\n',
    "line": '#line 1 "{0}"\nint a = undeclared;\n',
    "linemarker": '# 1 "{0}" 1 3\nint a = undeclared;\n',
}
PROBES = {
    "has_include": '#if __has_include("{0}")\n',
    "has_include in angle brackets": "#if __has_include(<{0}>)\n",
    "has_include_next": '#if __has_include_next("{0}")\n',
    "has_embed": '#if defined(__has_embed) && __has_embed("{0}") != 0\n',
}


@pytest.fixture(scope="module")
def canaries() -> Iterator[list[str]]:
    """World-readable files in the folders where other processes put theirs."""
    with tempfile.TemporaryDirectory(prefix="canary-") as folder:
        os.chmod(folder, 0o755)
        path = Path(folder, "secret.h")
        path.write_text(CANARY_TEXT)
        path.chmod(0o644)
        up = "../" * 12
        names = [str(path), f"{up}{str(path)[1:]}", f"//{path}", f"/proc/self/root{path}"]
        yield [*names, f"/proc/{os.getpid()}/root{path}", f"/proc/{os.getpid()}/environ"]


def build(clang, source, main="main.bpf.c", **files):
    flags = checked_flags(clang, cpu="v3", byte_order="little", opt="O2", arch="x86", defines=())
    named = {main: source.encode(), **{name: text.encode() for name, text in files.items()}}
    return compile_object(clang, flags, named, main)


def told(result) -> bytes:
    texts = "\n".join(f"{d.file} {d.text}" for d in result.diagnostics)
    return (result.object or b"") + texts.encode()


def test_the_canary_is_seen_where_it_may_be(each_clang):
    result = build(each_clang, '#include "secret.h"\n', **{"secret.h": CANARY_TEXT})
    assert CANARY.encode() in told(result)
    source = '__asm__(".section .data\\n.incbin \\"secret.h\\"");\n'
    assert b"0123456789abcdef" in told(build(each_clang, source, **{"secret.h": CANARY_TEXT}))


@pytest.mark.parametrize("reader", READERS)
def test_no_file_of_another_process_can_be_read(clang, canaries, reader):
    for path in canaries:
        answer = told(build(clang, READERS[reader].format(path)))
        assert CANARY.encode() not in answer, path
        assert b"0123456789abcdef" not in answer, path


@pytest.mark.parametrize("reader", ["include", "incbin", "embed"])
def test_nor_with_any_clang(each_clang, canaries, reader):
    result = build(each_clang, READERS[reader].format(canaries[0]))
    assert result.object is None
    assert CANARY.encode() not in told(result)
    assert errors(result.diagnostics)


def test_no_file_of_the_host_can_be_included(clang):
    for path in HOST_FILES:
        result = build(clang, f'#include "{path}"\n')
        assert result.object is None, path
        assert [d.text for d in result.diagnostics] == [f"'{path}' file not found"]


def test_no_file_of_the_host_can_be_embedded_by_the_assembler(clang):
    source = "".join(f'__asm__(".incbin \\"{path}\\"");\n' for path in HOST_FILES)
    result = build(clang, source)
    assert result.object is None
    found = [d.text for d in errors(result.diagnostics)]
    assert found == [f"Could not find incbin file '{path}'" for path in HOST_FILES]


@pytest.mark.parametrize("probe", PROBES)
def test_not_even_whether_a_file_exists_is_told(clang, canaries, probe):
    paths = [*canaries, *HOST_FILES, "/etc", ROOT_HOME, "/usr/local", tempfile.gettempdir()]
    source = "".join(
        f"{PROBES[probe].format(path)}#error it is there: {path}\n#endif\n" for path in paths
    )
    assert errors(build(clang, source + "int a;\n").diagnostics) == ()


def test_a_probe_does_see_what_is_meant_to_be_seen(clang):
    source = (
        '#if !__has_include(<bpf/bpf_helpers.h>) || !__has_include("/usr/include/linux/bpf.h")\n'
        "#error not there\n#endif\nint a;\n"
    )
    assert build(clang, source).diagnostics == ()


def test_the_environment_is_not_visible(clang, monkeypatch):
    monkeypatch.setenv("CPATH", tempfile.gettempdir())
    monkeypatch.setenv("CCC_OVERRIDE_OPTIONS", "+-DOVERRIDDEN")
    source = "#ifdef OVERRIDDEN\n#error seen\n#endif\nconst char *d = __DATE__ __TIME__;\n"
    assert build(clang, source).diagnostics == ()


def test_names_of_files_are_no_flags(clang):
    result = build(clang, '#include "-v.h"\n', **{"-v.h": "int a;\n", "@x": "-include /etc/passwd"})
    assert result.object


def test_messages_quote_no_line_of_a_header_of_the_system(clang):
    result = build(clang, "#define __u32 broken(\n#include <linux/bpf.h>\n")
    assert result.object is None
    assert all(len(d.text) <= 500 and "\n" not in d.text for d in result.diagnostics)
