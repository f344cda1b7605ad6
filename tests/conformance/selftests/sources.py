"""The kernel's CO-RE selftests: fetched from Debian, compiled, and their table of cases read."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.conformance.build import HERE, Unavailable, run, tool
from tests.conformance.compile import clangs
from tests.conformance.jobs import BUILD

PACKAGE: Final = "linux-source-6.12"
_FOLDER: Final = BUILD / "selftests"
_SOURCES: Final = _FOLDER / "bpf"
_INSIDE: Final = "/tools/testing/selftests/bpf/"


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table; `target` is the object with the types, None for the running kernel."""

    name: str
    object: str
    program: str
    fails: bool
    input: bytes
    output: bytes
    target: str | None


def cases(clang_major: int | None = None) -> tuple[Path, list[Case]]:
    """Give the folder with everything compiled, and the cases."""
    _fetch()
    installed = clangs()
    if not installed:
        raise Unavailable("no clang is installed")
    major = clang_major or max(installed)
    objects = _FOLDER / f"clang-{major}"
    objects.mkdir(exist_ok=True)
    for source in sorted((_SOURCES / "progs").glob("*core_reloc*.c")):
        _compile(installed[major], source, objects / f"{source.stem}.bpf.o")
    return objects, [_case(line) for line in _table(objects).splitlines()]


def _case(line: str) -> Case:
    row = json.loads(line)
    return Case(
        row["name"],
        row["object"],
        row["program"],
        row["fails"],
        bytes.fromhex(row["input"]),
        bytes.fromhex(row["output"]),
        row.get("target"),
    )


def _fetch() -> None:
    """Take the folder out of the package, once; nothing else of it is kept."""
    if (_SOURCES / "prog_tests" / "core_reloc.c").exists():
        return
    apt, dpkg = tool("apt-get"), tool("dpkg-deb")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    run([apt, "-q", "download", PACKAGE], _FOLDER)
    (package,) = _FOLDER.glob(f"{PACKAGE}_*.deb")
    with subprocess.Popen(
        [dpkg, "--fsys-tarfile", package], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as files:
        with tarfile.open(fileobj=files.stdout, mode="r|") as outer:
            for member in outer:
                if member.name.endswith(".tar.xz"):
                    _extract(outer, member)
                    break
        files.kill()
    package.unlink()


def _extract(outer: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    with tarfile.open(fileobj=outer.extractfile(member), mode="r|xz") as inner:
        for file in inner:
            name = file.name.partition(_INSIDE)[2]
            if file.isfile() and name.count("/") <= 1 and _is_wanted(name):
                file.name = name
                inner.extract(file, _SOURCES, filter="data")


def _is_wanted(name: str) -> bool:
    return name.endswith(".h") or (name.endswith(".c") and "core_reloc" in name)


def _compile(clang: str, source: Path, path: Path) -> None:
    """Compile as the selftests' Makefile does; what does not compile is missing afterwards."""
    if path.exists():
        return
    flags = ["-target", "bpfel", "-O2", "-g", "-mcpu=v3", "-D__TARGET_ARCH_x86", "-w"]
    folders = [f"-I{_SOURCES}", f"-I{_SOURCES / 'progs'}"]
    system = [f"-idirafter{folder}" for folder in _system_headers()]
    subprocess.run(
        [clang, *flags, *folders, *system, "-c", source, "-o", path],
        capture_output=True,
        check=False,
    )


def _system_headers() -> Iterator[Path]:
    """Where Debian keeps asm/types.h."""
    yield from sorted(Path("/usr/include").glob("*-linux-gnu"))


def _table(objects: Path) -> str:
    """Compile the table for this machine, which computes the bytes, and run it."""
    here = HERE / "selftests"
    program = objects / "cases"
    folders = [f"-I{here}", f"-I{_SOURCES}", "-w"]
    run([tool("cc"), *folders, here / "cases.c", "-o", program, "-lbpf"], objects)
    return run([program], objects)
