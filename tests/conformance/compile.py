"""Compiles the corpus' programs with every clang that is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.conformance.build import Unavailable
from tests.conformance.jobs import BUILD, GOLDEN

_SOURCES: Final = GOLDEN / "src"
_OLDEST: Final = 14
_CPUS: Final = ("v1", "v2", "v3", "v4")
_ORDERS: Final = ("el", "eb")


def clangs() -> dict[int, str]:
    """Give the installed clangs from 14 on, by major version."""
    found = {}
    for major in range(_OLDEST, 41):
        path = shutil.which(f"clang-{major}")
        if path:
            found[major] = path
    plain = shutil.which("clang")
    if plain and not found:
        words = subprocess.run([plain, "--version"], capture_output=True, text=True, check=True)
        match = re.search(r"clang version (\d+)", words.stdout)
        if match and int(match[1]) >= _OLDEST:
            found[int(match[1])] = plain
    return found


def objects() -> Iterator[Path]:
    """Compile what is missing; each clang with each processor it knows, in both byte orders."""
    folder = BUILD / "objects"
    folder.mkdir(parents=True, exist_ok=True)
    installed = clangs()
    if not installed:
        raise Unavailable(f"no clang from {_OLDEST} on is installed")
    for major, clang in installed.items():
        known = _cpus(clang)
        for source in sorted(_SOURCES.glob("*.bpf.c")):
            for cpu in (cpu for cpu in _CPUS if cpu in known):
                for order in _ORDERS:
                    name = source.name.removesuffix(".bpf.c")
                    path = folder / f"{name}.clang{major}.{cpu}.{order}.o"
                    if path.exists() or compile_bpf(clang, source, path, cpu, order):
                        yield path


def _cpus(clang: str) -> str:
    told = subprocess.run(
        [clang, "-target", "bpf", "-mcpu=help", "-c", "-x", "c", "/dev/null", "-o", "/dev/null"],
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout + told.stderr


def compile_bpf(clang: str, source: Path, path: Path, cpu: str, order: str) -> bool:
    """Say whether it compiled: not every program has a form for every processor."""
    flags = ["-target", f"bpf{order}", "-O2", "-g", f"-mcpu={cpu}", "-fdebug-compilation-dir=."]
    done = subprocess.run(
        [clang, *flags, "-c", source.name, "-o", path],
        cwd=source.parent,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0
