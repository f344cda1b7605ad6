"""The clangs of this machine, and the one way in which we call them.

Nothing that a user sends becomes a flag: flags come from the tables here, and a definition is
`-D` plus a text that `check_define` accepted.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.errors import AppError

OLDEST: Final = 14
"""clang 14 is the first whose CO-RE output libbpf's headers of today are tested with."""
CPUS: Final = ("v1", "v2", "v3", "v4")
CPU_V4_SINCE: Final = 17
OPTIMIZATIONS: Final = ("O1", "O2", "O3", "Os")
BYTE_ORDERS: Final = {"little": "bpfel", "big": "bpfeb"}

TARGET_ARCHES: Final = {
    **{"x86": "x86", "x86_64": "x86", "amd64": "x86", "i386": "x86"},
    **{"arm64": "arm64", "aarch64": "arm64", "arm": "arm", "armhf": "arm"},
    **{"s390x": "s390", "s390": "s390", "riscv64": "riscv", "riscv": "riscv"},
    **{"ppc64el": "powerpc", "ppc64le": "powerpc", "powerpc": "powerpc"},
    **{"loong64": "loongarch", "loongarch64": "loongarch", "mips64el": "mips", "mips": "mips"},
}
"""Names of architectures, and what libbpf's bpf_tracing.h wants in `__TARGET_ARCH_<...>`."""

INCLUDE: Final = Path("/usr/include")
HEADER_FOLDERS: Final = ("bpf", "linux", "asm-generic", "asm")
WARNINGS: Final = (
    "-Wall",
    "-Wno-missing-declarations",  # vmlinux.h has struct members that only name a type
    "-Wno-unused-value",  # BPF_CORE_READ ends in an expression that few use
    "-Wno-compare-distinct-pointer-types",  # kernel style min()/max()
    "-Wno-pointer-sign",  # kernel types mix char and unsigned char
)
DIAGNOSTICS: Final = (
    "-fno-color-diagnostics",
    "-fno-caret-diagnostics",
    "-fno-crash-diagnostics",
    "-ferror-limit=60",
    "-fmacro-backtrace-limit=3",
    *("-Xclang", "-fno-diagnostics-use-presumed-location"),  # `#line` names no other file
)
"""They shape what is printed and change nothing in the object; not part of the shown command."""

_DEFINE: Final = re.compile(r"[A-Za-z_]\w{0,63}(=[\w.+\-*()<>|&~ ]{0,128})?", re.ASCII)
_CLANG_NAME: Final = re.compile(r"clang-(\d{2,3})")
_VERSION: Final = re.compile(r"clang version (\d+)\.[^\s(]+")


@dataclass(frozen=True, slots=True)
class Clang:
    """One installed clang: `version` is the first line of `clang --version`."""

    major: int
    version: str
    path: Path
    """The program itself, no link."""

    @property
    def command(self) -> str:
        """What a person types: `clang-19`."""
        return f"clang-{self.major}"

    @property
    def home(self) -> Path:
        """The folder that holds `bin/` and `lib/` (`/usr/lib/llvm-19`)."""
        return self.path.parent.parent

    @property
    def resources(self) -> Path:
        """The folder of clang's own headers: `lib/clang/<version>`."""
        return _resource_folder(self)


@dataclass(frozen=True, slots=True)
class Flags:
    """What may be chosen, already checked; make it with `checked_flags`."""

    cpu: str = "v3"
    byte_order: str = "little"
    opt: str = "O2"
    arch: str = "x86"
    defines: tuple[str, ...] = ()


def installed() -> tuple[Clang, ...]:
    """Give every clang >= 14 of this machine, newest first, one for each major version."""
    found: dict[int, Clang] = {}
    for path in _programs():
        clang = _identify(path, os.stat(path).st_mtime_ns)
        if clang is not None and clang.major >= OLDEST:
            found.setdefault(clang.major, clang)
    return tuple(found[major] for major in sorted(found, reverse=True))


def choose(major: int | None) -> Clang:
    """Give the clang of this major version, or the newest.

    Raises AppError `clang-missing` (none is installed) or `clang-unknown` (not this one).
    """
    clangs = installed()
    if not clangs:
        raise AppError(
            f"no clang >= {OLDEST} is installed, so C cannot be compiled",
            code="clang-missing",
            hint="apt install clang llvm libbpf-dev",
        )
    if major is None:
        return clangs[0]
    for clang in clangs:
        if clang.major == major:
            return clang
    raise AppError(
        f"clang {major} is not installed",
        code="clang-unknown",
        place="clang",
        hint="installed: " + ", ".join(str(clang.major) for clang in clangs),
    )


def checked_flags(
    clang: Clang, *, cpu: str, byte_order: str, opt: str, arch: str, defines: Iterable[str]
) -> Flags:
    """Check every choice against the tables of this module.

    Raises AppError `cpu-unknown`, `byte-order-unknown`, `opt-unknown`, `arch-unknown` or
    `define-invalid`, each with what is allowed.
    """
    _one_of("cpu", cpu, CPUS, "-mcpu")
    if cpu == "v4" and clang.major < CPU_V4_SINCE:
        raise AppError(
            f"-mcpu=v4 needs clang {CPU_V4_SINCE} or newer; this is clang {clang.major}",
            code="cpu-unknown",
            place="cpu",
            hint="choose v3, or a newer clang",
        )
    _one_of("byte-order", byte_order, tuple(BYTE_ORDERS), "byte order")
    _one_of("opt", opt, OPTIMIZATIONS, "optimization")
    _one_of("arch", arch, tuple(TARGET_ARCHES), "architecture")
    checked = tuple(check_define(define) for define in defines)
    if len(checked) > 32:
        raise AppError("more than 32 definitions", code="define-invalid", place="defines")
    return Flags(cpu, byte_order, opt, TARGET_ARCHES[arch], checked)


def check_define(define: str) -> str:
    """Give `define` back if it is `NAME` or `NAME=value` in harmless characters.

    Raises AppError `define-invalid`.
    """
    if _DEFINE.fullmatch(define) is None:
        raise AppError(
            f"{define[:80]!r} is not a definition we accept",
            code="define-invalid",
            place="defines",
            hint="NAME or NAME=value; a value has letters, digits, blanks and _.+-*()<>|&~, "
            "at most 128",
        )
    return define


def flags_shown(flags: Flags) -> list[str]:
    """Give the flags that decide about the object: a person who pastes them gets the same."""
    return [
        *("-target", BYTE_ORDERS[flags.byte_order], f"-mcpu={flags.cpu}", f"-{flags.opt}", "-g"),
        "-fdebug-compilation-dir=.",
        *WARNINGS,
        f"-D__TARGET_ARCH_{flags.arch}",
        *(f"-D{define}" for define in flags.defines),
        "-I.",
        *(["-idirafter", str(folder)] if (folder := multiarch_include()) else []),
    ]


def arguments(clang: Clang, flags: Flags, main: str, *, action: Sequence[str]) -> list[str]:
    """Give the whole command that the jail runs; `action` is `-c` or `-E`, output to stdout."""
    return [
        *(str(clang.path), "-x", "c"),
        *flags_shown(flags),
        *DIAGNOSTICS,
        *action,
        *("-o", "-", main),
    ]


def readable_paths(clang: Clang) -> list[Path]:
    """Give the host paths that this clang needs: itself, its own headers, libbpf's, Linux's."""
    program = clang.home / "bin" if clang.home != Path("/usr") else clang.path
    libraries = clang.home / "lib" if clang.home != Path("/usr") else clang.resources
    folders = [INCLUDE / name for name in HEADER_FOLDERS]
    if (multiarch := multiarch_include()) is not None:
        folders.append(multiarch / "asm")
    return [program, libraries, *folders]


@functools.cache
def multiarch_include() -> Path | None:
    """Give Debian's folder that holds `asm/types.h`; `None` where /usr/include/asm has it."""
    if (INCLUDE / "asm" / "types.h").exists():
        return None
    for header in sorted(INCLUDE.glob(f"{os.uname().machine}-linux-gnu*/asm/types.h")):
        return header.parent.parent
    for header in sorted(INCLUDE.glob("*-linux-gnu*/asm/types.h")):
        return header.parent.parent
    return None


def _programs() -> tuple[Path, ...]:
    """Real paths of all files that look like a clang, without running them."""
    path = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    folders = [Path("/usr/lib"), Path("/usr/bin"), *path]
    changed: dict[Path, int] = {}
    for folder in folders:
        with contextlib.suppress(OSError):  # PATH may name what is not there, or not for us
            changed[folder] = folder.stat().st_mtime_ns
    programs = _look_for_programs(tuple(changed.items()))
    return tuple(path for path in programs if os.path.exists(path))


@functools.lru_cache(maxsize=8)
def _look_for_programs(folders: tuple[tuple[Path, int], ...]) -> tuple[Path, ...]:
    """Walk through folders; their times of change are here to forget the answer by."""
    paths: list[Path] = []
    for folder, _ in folders:
        if folder == Path("/usr/lib"):
            continue
        with contextlib.suppress(OSError):
            names = [name for name in os.listdir(folder) if _CLANG_NAME.fullmatch(name)]
            paths += [folder / name for name in [*sorted(names), "clang"]]
    paths += sorted(Path("/usr/lib").glob("llvm-*/bin/clang"))
    real = [path.resolve() for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]
    return tuple(dict.fromkeys(real))


@functools.lru_cache(maxsize=64)
def _identify(path: Path, changed_ns: int) -> Clang | None:
    """Ask one program for its version; the time of change makes an upgrade a new question."""
    try:
        answer = subprocess.run(
            [str(path), "--version"], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = answer.stdout.decode("utf-8", "replace").splitlines()
    match = _VERSION.search(lines[0]) if lines else None
    if match is None:
        return None
    return Clang(major=int(match.group(1)), version=lines[0].strip(), path=path)


def _resource_folder(clang: Clang) -> Path:
    for library in ("lib", "lib64"):
        folder = clang.home / library / "clang" / str(clang.major)
        if folder.is_dir():
            return folder
        for other in sorted((clang.home / library / "clang").glob(f"{clang.major}.*")):
            return other
    return clang.home / "lib" / "clang" / str(clang.major)


def _one_of(what: str, value: str, allowed: tuple[str, ...], words: str) -> None:
    if value not in allowed:
        raise AppError(
            f"{value[:40]!r} is not a known {words}",
            code=f"{what}-unknown",
            place=what.replace("-", "_"),
            hint="one of " + ", ".join(allowed),
        )
