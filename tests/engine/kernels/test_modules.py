"""Modules: read from .ko files and packages, stored with their kernel, opened one by one."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from engine import limits
from engine.btf.decode import Btf
from engine.errors import KernelFileError, KernelUnknown
from engine.kernels.catalog import Catalog
from engine.kernels.fitting import misfit
from engine.kernels.ko import module_in
from engine.kernels.modules import Bundle, read_head, write_bundle
from tests.support.btf_writer import BtfWriter, member
from tests.support.elf_writer import ElfWriter
from tests.support.kernel_files import (
    RELEASE,
    bzimage,
    deb,
    gz,
    kernel_btf,
    ko,
    module_btf,
    vmlinux,
    xz,
    zst,
)

VMLINUX = kernel_btf()
BASE = Btf.parse(VMLINUX)
NF = module_btf(BASE, "nf_conn", func="nf_in")
FOLDER = f"usr/lib/modules/{RELEASE}/kernel"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog with one kernel, 6.1.0-1-amd64."""
    found = Catalog(tmp_path / "data", tmp_path / "cache", committed=tmp_path / "none")
    found.add(VMLINUX, name=f"{RELEASE}.btf")
    return found


@pytest.mark.parametrize("packer", [bytes, xz, zst, gz])
def test_a_module_of_its_own(catalog, packer):
    added = catalog.add_modules(packer(ko("nf_conntrack", NF)), name="nf-conntrack.ko.xz")
    assert added is not None
    assert (added.names, added.total, added.without_btf) == (("nf_conntrack",), 1, 0)
    assert added.snapshot.id == RELEASE
    assert catalog.modules(RELEASE) == ("nf_conntrack",)
    assert catalog.module_count(RELEASE) == 1
    btf = catalog.module(RELEASE, "nf_conntrack")
    assert btf.base is catalog.btf(RELEASE)
    assert btf.ids_named("nf_conn") == (len(BASE),)


def test_a_whole_package(catalog):
    files = {
        f"{FOLDER}/net/nf-conntrack.ko.xz": xz(ko("nf_conntrack", NF)),
        f"{FOLDER}/fs/ext4.ko.zst": zst(ko("ext4", module_btf(BASE, "ext4_inode", "nf_conn"))),
        f"{FOLDER}/lib/bare.ko": ko("bare", module_btf(BASE)),
        f"{FOLDER}/lib/old.ko.gz": gz(ko("old", None)),
        f"usr/lib/modules/{RELEASE}/modules.dep": b"text",
        "usr/share/doc/ext4.ko.txt": b"text",
    }
    added = catalog.add_modules(deb(files, package="linux-modules-6.1.0-1"), name="m.deb")
    assert added is not None
    assert (set(added.names), added.without_btf) == ({"nf_conntrack", "ext4", "bare"}, 1)
    modules = catalog.module_set(RELEASE)
    assert modules.names == ("bare", "ext4", "nf_conntrack")
    assert [(fault.module, fault.kind) for fault in modules.faults] == [("bare", "empty")]
    assert [name for name, _ in modules.defining("nf_conn___v2")] == ["ext4", "nf_conntrack"]
    assert [name for name, _ in modules.defining("ext4_inode")] == ["ext4"]
    assert [name for name, _ in modules.defining("task_struct")] == []


def test_kernel_and_modules_in_one_package(tmp_path):
    files = {
        f"boot/vmlinuz-{RELEASE}": bzimage(xz(vmlinux(VMLINUX))),
        f"lib/modules/{RELEASE}/kernel/net/nf_conntrack.ko": ko("nf_conntrack", NF),
    }
    path = tmp_path / "linux-image.deb"
    path.write_bytes(deb(files))
    catalog = Catalog(tmp_path / "data", tmp_path / "cache", committed=tmp_path / "none")
    with pytest.raises(KernelFileError, match=r"kernel 6\.1\.0-1-amd64, which is not known"):
        catalog.add_modules(path)
    catalog.add(path)
    assert catalog.add_modules(path).total == 1


def test_more_are_added_and_newer_ones_replace(catalog):
    catalog.add_modules(ko("a", module_btf(BASE, "one")), name="a.ko")
    catalog.add_modules(ko("b", module_btf(BASE, "two")), name="b.ko")
    assert catalog.add_modules(ko("a", module_btf(BASE, "three")), name="a.ko").total == 2
    modules = catalog.module_set(RELEASE)
    assert [name for name, _ in modules.defining("one")] == []
    assert [name for name, _ in modules.defining("three")] == ["a"]
    assert [name for name, _ in modules.defining("two")] == ["b"]


def test_names_that_were_not_added(catalog):
    catalog.add_modules(ko("nf_conntrack", NF), name="x.ko")
    with pytest.raises(KernelUnknown, match="has no module 'nf_contrack'") as caught:
        catalog.module(RELEASE, "nf_contrack")
    assert caught.value.hint == "Near: nf_conntrack."
    assert catalog.module_set(RELEASE, ("nf_conntrack",)).names == ("nf_conntrack",)
    with pytest.raises(KernelUnknown):
        catalog.modules("9.9")


def other_build() -> Btf:
    writer = BtfWriter()
    writer.add_struct("task_struct_of_another_build", 8, (member("x", writer.int, 0),))
    return writer.parsed()


def test_a_module_of_another_build_is_refused(catalog):
    other = module_btf(other_build(), "nf_conn")
    assert misfit(Btf.parse(other, base=other_build())) == ""
    assert "no string starts at byte" in misfit(Btf.parse(other, base=BASE))
    with pytest.raises(KernelFileError, match="nf was not built for this kernel: no string"):
        catalog.add_modules(ko("nf", other), name="nf.ko")
    assert catalog.modules(RELEASE) == ()


def test_types_beyond_the_kernels_are_a_misfit():
    btf = BtfWriter(base=BASE)
    btf.add_ptr(btf.next_id + 1)
    assert misfit(btf.parsed()).startswith(f"it refers to type [{len(BASE) + 1}]")
    for build in (
        lambda b, far: b.add_struct("s", 8, (member("m", far, 0),)),
        lambda b, far: b.add_array(far, far, 3),
        lambda b, far: b.add_func_proto(far, ()),
    ):
        btf = BtfWriter(base=BASE)
        build(btf, 9999)
        assert "refers to type [9999]" in misfit(btf.parsed())


def test_which_kernel_a_module_is_for(catalog):
    wrong = ko("nf", NF, release="6.2.0-9-amd64")
    with pytest.raises(KernelFileError, match=r"6\.2\.0-9-amd64, which is not known") as caught:
        catalog.add_modules(wrong, name="nf.ko")
    assert "--kernel ID" in caught.value.hint
    assert catalog.add_modules(wrong, name="nf.ko", kernel=RELEASE).snapshot.id == RELEASE


def test_a_broken_module_is_kept_and_told(catalog):
    catalog.add_modules(ko("cut", NF[:23]), name="cut.ko")
    catalog.add_modules(ko("nf", NF), name="nf.ko")
    (fault,) = catalog.module_set(RELEASE).faults
    assert (fault.module, fault.kind) == ("cut", "broken")
    assert "23 bytes long" in fault.problem
    assert [name for name, _ in catalog.module_set(RELEASE)] == ["nf"]


def test_a_module_built_outside_of_the_tree(catalog):
    distilled = BtfWriter()
    split = module_btf(distilled.parsed(), "dkms_struct")
    own_base = distilled.encode("little")
    catalog.add_modules(ko("dkms", split, own_base=own_base), name="dkms.ko")
    ((_, module),) = catalog.module_set(RELEASE)
    (struct,) = (module.type(i) for i in module.ids_named("dkms_struct"))
    assert struct.id == len(BASE)
    assert BASE.name(struct.members[0].type_id) == "int"
    assert catalog.module_set(RELEASE).faults == ()


def test_one_that_does_not_fit_is_refused(catalog):
    distilled = BtfWriter()
    distilled.add_struct("gone", 8)
    own_base = distilled.encode("little")
    for base, words in ((own_base, "struct gone, is not among"), (own_base[:30], "types end at")):
        module = ko("dkms", module_btf(distilled.parsed(), "s"), own_base=base)
        with pytest.raises(KernelFileError, match=words) as caught:
            catalog.add_modules(module, name="dkms.ko")
        assert "dkms was not built for this kernel" in str(caught.value)
    assert catalog.module_set(RELEASE).names == ()


OTHER_FILES = [
    pytest.param(b"text", id="text"),
    pytest.param(VMLINUX, id="raw BTF"),
    pytest.param(vmlinux(VMLINUX), id="vmlinux"),
    pytest.param(deb({f"boot/vmlinuz-{RELEASE}": b"x"}), id="package without modules"),
]


@pytest.mark.parametrize("data", OTHER_FILES)
def test_files_without_modules(catalog, data):
    assert catalog.add_modules(data, name="file") is None


def test_modules_that_cannot_be_read(catalog):
    for data, words in (
        (ko("x", NF, machine=247), "not a kernel module"),
        (ko("x y", NF), "cannot be a module's name"),
        (ElfWriter(machine=62).build(), "no .modinfo"),
        (ko("x", NF)[:200], "cut off or damaged"),
        (ko("x", None), "no module in it has BTF"),
        (xz(ko("x", NF))[:-60], "xz stream"),
    ):
        with pytest.raises(KernelFileError, match=words):
            catalog.add_modules(data, name="x.ko.xz")


def test_the_size_of_a_module_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "MODULE_BYTES", 1000)
    with pytest.raises(KernelFileError, match="the module has more than"):
        module_in(xz(ko("x", NF) + bytes(2000)), "x.ko.xz", "x.ko.xz")


def test_a_bundle_reads_what_was_written(tmp_path):
    sections = [(f"m{n:03}", module_btf(BASE, f"s{n}", f"t{n}___v{n}")) for n in range(300)]
    path = tmp_path / "x.modules"
    path.write_bytes(write_bundle(BASE, sections))
    bundle = Bundle(path, BASE)
    assert all(bundle.raw(name) == data for name, data in sections)
    assert bundle.having(b"t7") == {"m007"}
    assert bundle.rows["m007"].types == 2
    assert (read_head(path).modules, read_head(path).faults) == (300, 0)
    assert read_head(tmp_path / "absent") is None


def test_a_damaged_bundle(tmp_path, catalog):
    catalog.add_modules(ko("nf", NF), name="nf.ko")
    path = tmp_path / "data" / "kernels" / f"{RELEASE}.modules"
    content = path.read_bytes()
    for number, damaged in enumerate(
        [
            content[:10],
            b"",
            b"otherfmt" + content[8:],
            content[:8] + struct.pack("<I", 99) + content[12:],
            content[:12] + bytes(32) + content[44:],
            content[:70] + b"\xff\xff" + content[72:],
            content[:-3] + b"abc",
            content[:-20],
        ]
    ):
        path.with_suffix(f".{number}").write_bytes(damaged)
        with pytest.raises(KernelFileError, match="the modules' file is damaged"):
            Bundle(path.with_suffix(f".{number}"), BASE).raw("nf")


def test_a_bundle_of_another_kernel(tmp_path):
    path = tmp_path / "x.modules"
    path.write_bytes(write_bundle(BASE, [("nf", NF)]))
    with pytest.raises(KernelFileError, match="belongs to another BTF"):
        Bundle(path, other_build())
