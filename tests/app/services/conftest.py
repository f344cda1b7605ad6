"""A small kernel of our own, whose BTF clang makes from C."""

from __future__ import annotations

import pytest

from app.sandbox.clang import Clang, checked_flags
from app.sandbox.compiler import compile_object
from engine.btf.decode import Btf
from engine.elf.object import parse_object
from tests.app.sandbox.conftest import clang, each_clang, real_jail

__all__ = ["clang", "each_clang", "real_jail"]

KERNEL = b"""
typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32;
typedef unsigned long long __u64; typedef int __s32; typedef long long __s64;
typedef __u16 __be16; typedef __u32 __be32; typedef __u32 __wsum;
typedef __u32 u32; typedef __u64 u64; typedef _Bool bool; enum { false = 0, true = 1 };
enum bpf_map_type { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2 };
enum cgroup_subsys_id { cpuset_cgrp_id = 0, cpu_cgrp_id = 1 };
struct inode { unsigned long i_ino; };
struct file { int f_mode; struct inode *f_inode; };
struct mm_struct { int map_count; struct file *exe_file; };
struct hidden_thing { int inside; };
struct task_struct {
    int pid; struct task_struct *parent; struct mm_struct *mm; struct hidden_thing *secret_door;
};
typedef struct { unsigned long args[1]; unsigned long gprs[16]; } user_pt_regs;
struct pt_regs { union { user_pt_regs user_regs; }; struct { unsigned long orig_gpr2; }; };
struct task_struct t; struct pt_regs r; struct mm_struct m; struct file n; struct inode o;
struct hidden_thing p; u32 a; u64 b; __s32 c; __s64 d; __be16 e; __be32 f;
enum cgroup_subsys_id g; __wsum h; __u8 i; bool j; enum bpf_map_type k;
"""


@pytest.fixture(scope="session")
def _kernels() -> dict[str, Btf]:
    return {}


@pytest.fixture
def kernel(clang: Clang, _kernels: dict[str, Btf]) -> Btf:
    """The BTF of the small kernel (an s390x one, by its pt_regs)."""
    if not _kernels:
        options = {"cpu": "v3", "byte_order": "little", "opt": "O2", "arch": "x86"}
        flags = checked_flags(clang, **options, defines=())
        source = KERNEL + b"enum { LONELY_CONSTANT = 7 } l;\n"
        made = compile_object(clang, flags, {"kernel.c": source}, "kernel.c")
        assert made.object, made.diagnostics
        section = parse_object(made.object).btf
        assert section
        _kernels["small"] = Btf.parse(section)
    return _kernels["small"]
