"""Cutting DWARF, against llvm-strip itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sandbox.clang import checked_flags, flags_shown
from app.sandbox.strip import without_dwarf
from engine.elf.object import parse_object
from tests.app.sandbox.conftest import missing

SOURCE = b"""
struct task { int pid; struct task *parent; } __attribute__((preserve_access_index));
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
int counter; long table[40];
static __attribute__((noinline)) int sub(struct task *t) { return t->parent->pid + counter; }
__attribute__((section("kprobe/a"), used)) int prog(struct task *t) { return sub(t) + t->pid; }
__attribute__((section("kprobe/b"), used)) int gorp(struct task *t) { return table[t->pid]; }
"""
ORDERS = ["little", "big"]


def build(clang, tmp_path, order):
    flags = checked_flags(clang, cpu="v3", byte_order=order, opt="O2", arch="x86", defines=())
    (tmp_path / "p.c").write_bytes(SOURCE)
    argv = [str(clang.path), *flags_shown(flags), "-c", "p.c", "-o", "p.o"]
    subprocess.run(argv, cwd=tmp_path, check=True)
    return (tmp_path / "p.o").read_bytes()


@pytest.mark.parametrize("order", ORDERS)
def test_same_bytes_as_llvm_strip(each_clang, tmp_path, order):
    data = build(each_clang, tmp_path, order)
    strip = shutil.which("llvm-strip-19") or missing("no llvm-strip-19 here")
    subprocess.run([str(strip), "-g", "p.o"], cwd=tmp_path, check=True)
    assert without_dwarf(data) == (tmp_path / "p.o").read_bytes()


@pytest.mark.parametrize("order", ORDERS)
def test_what_loaders_read_stays(clang, tmp_path, order):
    data = build(clang, tmp_path, order)
    stripped = without_dwarf(data)
    before, after = parse_object(data), parse_object(stripped)
    assert (before.btf, before.btf_ext) == (after.btf, after.btf_ext)
    assert before.btf
    kept = [s for s in before.symbols if s.is_defined and s.type in ("func", "object")]
    assert {s.name for s in kept} >= {"prog", "gorp", "sub", "LICENSE", "counter", "table"}
    assert {(s.name, s.value, s.size) for s in kept} <= {
        (s.name, s.value, s.size) for s in after.symbols
    }
    assert not [s.name for s in after.sections if "debug" in s.name]
    assert len(stripped) < len(data) * 0.6


def test_twice_changes_nothing_more(clang, tmp_path):
    once = without_dwarf(build(clang, tmp_path, "little"))
    assert without_dwarf(once) == once


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(58), b"x" * 4000])
def test_what_is_no_object_is_given_back(data):
    assert without_dwarf(data) == data


_OBJECT: dict[str, bytes] = {}


@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_object_never_raises(changes):
    data = bytearray(_OBJECT["bytes"])
    for place, value in changes:
        data[place % len(data)] = value
    assert isinstance(without_dwarf(bytes(data)), bytes)


@pytest.fixture(autouse=True)
def _object(request, tmp_path):
    if "damaged" in request.node.name and not _OBJECT:
        clang = request.getfixturevalue("clang")
        _OBJECT["bytes"] = build(clang, tmp_path, "little")
