"""When the whole header is worth its seconds."""

from __future__ import annotations

import pytest

from app.sandbox.clang import TARGET_ARCHES
from app.sandbox.diagnostics import Diagnostic
from app.services import vmlinux
from app.settings import load_settings
from engine.kernels.catalog import Catalog


def error(text, severity="error"):
    return Diagnostic("main.c", 1, 1, severity, text)


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("incomplete definition of type 'struct mm_struct'", "error"),
        ("variable has incomplete type 'enum cgroup_subsys_id'", "error"),
        ("use of undeclared identifier 'cpu_cgrp_id'", "error"),
        ("use of undeclared identifier 'LONELY_CONSTANT'; did you mean 'x'?", "error"),
        ("unknown type name 'u32'", "error"),
        ("unknown type name 'mm_struct___2'", "error"),
        ("invalid application of 'sizeof' to an incomplete type 'struct file'", "error"),
        ("declaration of 'struct file' will not be visible outside of this function", "warning"),
        ("too many errors emitted, stopping now", "error"),
    ],
)
def test_what_the_kernel_has_may_be_missing_from_the_slice(text, severity, kernel):
    assert vmlinux.slice_may_be_at_fault([error(text, severity)], kernel)


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("incomplete definition of type 'struct no_such'", "error"),
        ("use of undeclared identifier 'pidd'; did you mean 'cpu_cgrp_id'?", "error"),
        ("use of undeclared identifier 'pid'", "error"),
        ("must use 'struct' tag to refer to type 'file'", "error"),
        ("unknown type name 'file'; must use 'struct' tag to refer to type 'file'", "error"),
        ("no member named 'file' in 'struct task_struct'", "error"),
        ("call to undeclared function 'file'; ISO C99 and later do not support", "error"),
        ("expected ';' after return statement", "error"),
        ("forward declaration of 'struct file'", "note"),
        ("unused variable 'file'", "warning"),
    ],
)
def test_what_it_has_not_or_what_is_not_missing_is_the_users(text, severity, kernel):
    assert not vmlinux.slice_may_be_at_fault([error(text, severity)], kernel)


def test_a_split_btf_counts_with_its_base(kernel):
    from engine.btf.encode import BtfBuilder

    assert kernel.base is None
    builder = BtfBuilder()
    builder.add_int("module_word", 4)
    module = vmlinux.Btf.parse(builder.encode("little"), base=kernel)
    assert vmlinux.slice_may_be_at_fault([error("unknown type name 'u32'")], module)


def test_slices_are_kept_and_the_oldest_forgotten(kernel, monkeypatch):
    made = []
    monkeypatch.setattr(vmlinux, "slice_header", lambda btf, names: made.append(names) or "x")
    for number in [*range(40), 39, 0]:
        vmlinux.sliced(kernel, {f"name_{number}"})
    assert made == [{f"name_{number}"} for number in [*range(40), 0]]


def test_a_cache_that_cannot_be_written_is_no_error(kernel, tmp_path):
    (tmp_path / "headers").write_text("in the way")
    assert b"struct task_struct {" in vmlinux.full(kernel, tmp_path)


@pytest.mark.parametrize(
    ("text", "found"),
    [("#define A b##c", True), ("#define A b%:%:c", True), ("int a;", False), ("# #", False)],
)
def test_pasting_is_noticed(text, found):
    assert vmlinux.pastes_tokens([text]) is found


def test_the_architecture_of_each_committed_kernel(tmp_path):
    catalog = Catalog(tmp_path / "data", load_settings().cache_dir)
    found = {s.id: vmlinux.arch_of(catalog.btf(s.id)) for s in catalog.snapshots()}
    for snapshot in catalog.snapshots():
        assert found[snapshot.id] == TARGET_ARCHES[snapshot.arch], snapshot.id
    assert set(found.values()) >= {"x86", "arm64", "s390"}
