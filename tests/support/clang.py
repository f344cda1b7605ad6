"""Compiling for BPF with the clangs of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLANGS = (14, 16, 19)
"""The versions that headers are tested with: the oldest, the one of Debian 12, the newest."""
ARCHES = {"amd64": "x86", "arm64": "arm64", "s390x": "s390"}


def clang(major: int) -> str:
    """Give the path of clang; without it the test is skipped, in CI it fails."""
    path = shutil.which(f"clang-{major}")
    if path is None:
        message = f"clang-{major} is not installed (apt install clang-{major})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def libbpf_headers() -> Path:
    """Give the folder of libbpf's headers; without them the test is skipped, in CI it fails."""
    folder = Path("/usr/include/bpf")
    if not (folder / "bpf_core_read.h").exists():
        message = "libbpf's headers are not installed (apt install libbpf-dev)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


def compile_c(
    source: str, folder: Path, *, kernel: str = "amd64", major: int = 19, syntax_only: bool = False
) -> bytes:
    """Compile for the kernel's architecture, with `folder` for includes; any warning fails.

    Give the object's bytes, none with `syntax_only`.
    """
    arch = kernel.rsplit("-", 1)[-1]
    target = "bpfeb" if arch == "s390x" else "bpfel"
    output = folder / "out.o"
    system = [f"-I{path}" for path in Path("/usr/include").glob("*-linux-gnu")]  # <asm/errno.h>
    options = ["-g", "-O2", "-mcpu=v3", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]
    # of libbpf's macros, not of our headers
    options += ["-Wno-unused-value", "-Wno-unused-function", "-Wno-sign-compare"]
    finished = subprocess.run(
        [clang(major), "-target", target, f"-D__TARGET_ARCH_{ARCHES[arch]}", f"-I{folder}", *system]
        + [*options, "-x", "c", "-", *(["-fsyntax-only"] if syntax_only else ["-c"])]
        + ([] if syntax_only else ["-o", str(output)]),
        input=source.encode(),
        capture_output=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr.decode()[:4000]
    return b"" if syntax_only else output.read_bytes()
