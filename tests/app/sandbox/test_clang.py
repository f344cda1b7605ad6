"""Which clangs there are, and what may be chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import AppError
from app.sandbox import clang as clangs
from app.sandbox.clang import Clang, arguments, check_define, checked_flags, flags_shown

CLANG_14 = Clang(14, "Debian clang version 14.0.6", Path("/usr/lib/llvm-14/bin/clang"))
CLANG_19 = Clang(19, "Debian clang version 19.1.7", Path("/usr/lib/llvm-19/bin/clang"))
CHOICES = {"cpu": "v3", "byte_order": "little", "opt": "O2", "arch": "amd64", "defines": ()}


def fake_clang(folder: Path, name: str, version: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)


def test_installed_are_newest_first_and_exactly_named(clang):
    found = clangs.installed()
    assert clang == found[0]
    assert [c.major for c in found] == sorted({c.major for c in found}, reverse=True)
    for each in found:
        assert f"clang version {each.major}." in each.version
        assert (each.resources / "include" / "stddef.h").is_file()


def test_clangs_on_the_path_are_found_old_ones_and_others_are_not(monkeypatch, tmp_path):
    fake_clang(tmp_path, "clang-99", "Some clang version 99.1.0 (x)")
    fake_clang(tmp_path, "clang-13", "clang version 13.0.1")
    fake_clang(tmp_path, "clang-98", "gcc version 98.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = clangs.installed()
    assert (found[0].major, found[0].version) == (99, "Some clang version 99.1.0 (x)")
    assert not {13, 98} & {c.major for c in found}


def test_a_clang_that_is_not_there(monkeypatch):
    monkeypatch.setattr(clangs, "installed", lambda: (CLANG_19, CLANG_14))
    assert clangs.choose(None) is CLANG_19
    assert clangs.choose(14) is CLANG_14
    with pytest.raises(AppError) as caught:
        clangs.choose(15)
    assert (caught.value.code, caught.value.hint) == ("clang-unknown", "installed: 19, 14")
    monkeypatch.setattr(clangs, "installed", lambda: ())
    with pytest.raises(AppError) as caught:
        clangs.choose(None)
    assert caught.value.code == "clang-missing"


@pytest.mark.parametrize(
    ("choice", "value", "code"),
    [
        ("cpu", "v5", "cpu-unknown"),
        ("cpu", "v3 -v", "cpu-unknown"),
        ("byte_order", "middle", "byte-order-unknown"),
        ("opt", "O0", "opt-unknown"),
        ("opt", "Os\0", "opt-unknown"),
        ("arch", "vax", "arch-unknown"),
        ("defines", ("-v",), "define-invalid"),
        ("defines", ("A",) * 33, "define-invalid"),
    ],
)
def test_only_what_the_tables_hold_can_be_chosen(choice, value, code):
    with pytest.raises(AppError) as caught:
        checked_flags(CLANG_19, **{**CHOICES, choice: value})
    assert (caught.value.code, caught.value.status) == (code, 422)


def test_v4_needs_a_clang_that_knows_it():
    assert checked_flags(CLANG_19, **{**CHOICES, "cpu": "v4"}).cpu == "v4"
    with pytest.raises(AppError) as caught:
        checked_flags(CLANG_14, **{**CHOICES, "cpu": "v4"})
    assert caught.value.code == "cpu-unknown"
    assert "needs clang 17 or newer; this is clang 14" in caught.value.message


@pytest.mark.parametrize(
    "define", ["A", "_a1", "NAME=", "N=1", "N=task_struct", "N=(1 << 3) | ~x", "H=<vmlinux.h>"]
)
def test_definitions_that_are_taken(define):
    assert check_define(define) == define


@pytest.mark.parametrize(
    "define",
    [
        *("", "1A", "A B", "A(x)=x", "A=\n#include <x>", "A=\nb", "A\n", "A=a/b", "A='x'", 'A="x"'),
        *("A=a\\", "A=#b", "A=a;b", "A=`x`", "A=$x", "A=@x", "-DA", "A=é", "A=" + "1" * 129),
    ],
)
def test_definitions_that_are_not(define):
    with pytest.raises(AppError) as caught:
        check_define(define)
    assert caught.value.code == "define-invalid"


@pytest.mark.parametrize(
    ("arch", "name"), [("amd64", "x86"), ("arm64", "arm64"), ("s390x", "s390")]
)
def test_flags_follow_the_choices(arch, name):
    flags = checked_flags(
        CLANG_19, cpu="v2", byte_order="big", opt="Os", arch=arch, defines=["A=1"]
    )
    shown = flags_shown(flags)
    assert shown[:5] == ["-target", "bpfeb", "-mcpu=v2", "-Os", "-g"]
    assert f"-D__TARGET_ARCH_{name}" in shown
    assert "-DA=1" in shown


def test_the_command_that_runs_holds_the_command_that_is_shown():
    flags = checked_flags(CLANG_19, **CHOICES)
    command = arguments(CLANG_19, flags, "main.c", action=["-c"])
    assert [flag for flag in flags_shown(flags) if flag not in command] == []
    assert command[-4:] == ["-c", "-o", "-", "main.c"]
    assert not [flag for flag in command if "disable-debug-info-print" in flag]
