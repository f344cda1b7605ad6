"""Small files shaped as distributions ship kernels: vmlinux, boot images, packages.

package = deb({"boot/vmlinuz-6.1.0-1-amd64": bzimage(xz(vmlinux(kernel_btf())))})
"""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
from collections.abc import Callable, Mapping

import lz4.block
import zstandard

from engine.btf.decode import Btf
from engine.btf.kinds import ByteOrder
from tests.support.btf_writer import BtfWriter, member
from tests.support.elf_writer import ET_EXEC, ElfWriter

RELEASE = "6.1.0-1-amd64"
Packer = Callable[[bytes], bytes]


def kernel_btf(byte_order: ByteOrder = "little", *, extra: str = "") -> bytes:
    """A .BTF section with the structs every kernel has; `extra` adds one more."""
    btf = BtfWriter()
    for name in ("task_struct", "file", "sk_buff", *filter(None, [extra])):
        btf.add_struct(name, 8, (member("a", btf.int, 0), member("b", btf.int, 4)))
    return btf.encode(byte_order)


def banner(release: str = RELEASE) -> bytes:
    """The kernel's greeting, after a format string that looks like one."""
    return b"Linux version %s\0Linux version " + release.encode() + b" (gcc) #1 SMP\n\0"


def vmlinux(
    btf: bytes | None,
    *,
    byte_order: ByteOrder = "little",
    machine: int = 62,
    release: str = RELEASE,
    sections: int = 0,
    file_type: int = ET_EXEC,
) -> bytes:
    """An ELF kernel with the banner, `sections` others, and .BTF unless it is None."""
    elf = ElfWriter(byte_order=byte_order, machine=machine, file_type=file_type)
    elf.section(".rodata", banner(release))
    for number in range(sections):
        elf.section(f".data.{number}", b"x")
    if btf is not None:
        elf.section(".BTF", btf)
    return elf.build()


def xz(data: bytes) -> bytes:
    """A stream as the kernel's build makes it, followed by the unpacked size."""
    return lzma.compress(data, check=lzma.CHECK_CRC32) + struct.pack("<I", len(data))


def gz(data: bytes) -> bytes:
    """A gzip stream."""
    return gzip.compress(data)


def zst(data: bytes) -> bytes:
    """A zstd frame without the unpacked size in its header, then the size."""
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return stream.compress(data) + stream.flush() + struct.pack("<I", len(data))


def lz4_legacy(data: bytes) -> bytes:
    """The format of `lz4 -l`, followed by the unpacked size."""
    packed = b"\x02\x21\x4c\x18"
    for at in range(0, len(data), 8 << 20):
        block = lz4.block.compress(data[at : at + (8 << 20)], store_size=False)
        packed += struct.pack("<I", len(block)) + block
    return packed + struct.pack("<I", len(data))


PACKERS: dict[str, Packer] = {"xz": xz, "gzip": gz, "zstd": zst, "lz4": lz4_legacy}


def bzimage(payload: bytes, *, release: str = RELEASE) -> bytes:
    """An x86 boot image: setup header, version string, payload, and data after it."""
    image = bytearray(5 * 512)
    image[0x1F1] = 4
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x20E, 0x100)
    text = release.encode() + b" (builder@example) #1 SMP\0"
    image[0x300 : 0x300 + len(text)] = text
    struct.pack_into("<H", image, 0x236, 1)
    struct.pack_into("<II", image, 0x248, 64, len(payload))
    return bytes(image) + bytes(64) + payload + b"\xff" * 1000


def flat_image(btf: bytes, *, magic: bytes = b"ARM\x64", release: str = RELEASE) -> bytes:
    """An Image with no ELF around it; a decoy magic stands before the .BTF section."""
    head = b"MZ" + bytes(54) + magic
    return head + bytes(100) + b"\x9f\xeb\x01\x00junk" + banner(release) + btf + bytes(500)


def zboot(payload: bytes) -> bytes:
    """An EFI program that unpacks its payload and starts it."""
    head = b"MZ\0\0zimg" + struct.pack("<II", 64, len(payload)) + bytes(8) + b"zstd"
    return head.ljust(64, b"\0") + payload


def tar(files: Mapping[str, bytes]) -> bytes:
    """A tar archive with these files, each in a folder of its own and beside a link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("./boot/vmlinuz-0-link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(link)
    return buffer.getvalue()


def ar(members: Mapping[str, bytes]) -> bytes:
    """An ar archive with these members."""
    out = b"!<arch>\n"
    for name, content in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out


def deb(
    files: Mapping[str, bytes],
    *,
    package: str = "linux-image-6.1.0-1-amd64",
    arch: str = "amd64",
    packer: str = "xz",
) -> bytes:
    """A Debian package with these files; `packer` is xz, gzip, zstd, or empty for none."""
    suffix = {"xz": ".xz", "gzip": ".gz", "zstd": ".zst", "": ""}[packer]
    pack: Packer = {"xz": lzma.compress, "": bytes}.get(packer) or PACKERS[packer]
    control = (
        f"Package: {package}\nVersion: 6.1.1-1\nArchitecture: {arch}\n"
        "Maintainer: Debian Kernel Team <kernel@example>\nDescription: Linux\n more\n"
    )
    return ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz": lzma.compress(tar({"control": control.encode()})),
            f"data.tar{suffix}": pack(tar(files)),
        }
    )


def module_btf(base: Btf, *structs: str, func: str = "") -> bytes:
    """A module's split .BTF with these structs and a function; nothing at all makes 24 bytes."""
    btf = BtfWriter(base=base)
    for name in structs:
        btf.add_struct(name, 8, (member("f", base.ids_named("int")[0], 4),))
    if func:
        btf.add_func(func, btf.add_func_proto(0, ()))
    return btf.encode(base.byte_order)


def ko(
    name: str,
    btf: bytes | None,
    *,
    release: str = RELEASE,
    machine: int = 62,
    own_base: bytes | None = None,
    byte_order: ByteOrder = "little",
) -> bytes:
    """A kernel module with .modinfo and, unless it is None, .BTF."""
    elf = ElfWriter(byte_order=byte_order, machine=machine)
    info = f"license=GPL\0name={name}\0vermagic={release} SMP preempt mod_unload \0"
    elf.section(".modinfo", info.encode())
    if btf is not None:
        elf.section(".BTF", btf)
    if own_base is not None:
        elf.section(".BTF.base", own_base)
    return elf.build()
