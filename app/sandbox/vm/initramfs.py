"""The guest's only program, compiled from guest/ with the system's compiler, and its initramfs."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from app.errors import AppError
from app.sandbox.vm.cpio import character_device, directory, pack, program

SOURCES: Final = Path(__file__).with_name("guest")
MISBEHAVE: Final = "GUEST_MISBEHAVE"
"""A guest that can be told to panic, to flood and so on; only tests build one."""
_FLAGS: Final = (
    *("-std=gnu11", "-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-pic", "-no-pie"),
    *("-fno-stack-protector", "-fcf-protection=none", "-Wl,--build-id=none", "-s"),
)
_COMPILERS: Final = ("cc", "gcc", "clang")


def build_initramfs(cache: Path, *, misbehave: bool = False) -> bytes:
    """Give the initramfs; init is compiled once for each state of its sources.

    `cache` is a folder, made if need be. Raises AppError `vm-unavailable` without a compiler.
    """
    init = _build_init(cache, (f"-D{MISBEHAVE}",) if misbehave else ())
    return pack(
        [
            directory("dev"),
            character_device("dev/console", 5, 1),
            character_device("dev/mem", 1, 1),
            program("init", init),
        ]
    )


def _build_init(cache: Path, defines: tuple[str, ...]) -> bytes:
    sources = sorted(SOURCES.glob("*.c"))
    flags = (*_FLAGS, *defines)
    digest = hashlib.sha256("\0".join(flags).encode())
    for path in (*sources, *sorted(SOURCES.glob("*.h"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    kept = cache / f"init-{digest.hexdigest()[:16]}"
    try:
        return kept.read_bytes()
    except OSError:
        pass
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        made = Path(folder, "init")
        _compile([*flags, *map(str, sources), "-o", str(made)])
        os.replace(made, kept)
    return kept.read_bytes()


def _compile(arguments: list[str]) -> None:
    done = subprocess.run([_compiler(), *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        lines = re.findall(r".*error.*", done.stderr) or done.stderr.splitlines()
        raise AppError(
            f"the guest's init cannot be compiled: {(lines or ['no message'])[0][:300]}",
            code="vm-unavailable",
            hint="apt install gcc",
        )


@functools.cache
def _compiler() -> str:
    found = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if found is None:
        raise AppError(
            "there is no C compiler for the guest's init",
            code="vm-unavailable",
            hint="apt install gcc",
        )
    return found
