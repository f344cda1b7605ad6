"""Builds the harnesses from the public registries, in build/conformance.

What is built is kept, and built anew when its sources here change. Compilers run one at a time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.conformance.jobs import BUILD

HERE: Final = Path(__file__).resolve().parent
_MINUTES = 60
_TIMEOUT: Final = 20 * _MINUTES
_LIBBPF_FLAGS: Final = (
    "-O1",
    "-w",
    "-D_LARGEFILE64_SOURCE",
    "-D_FILE_OFFSET_BITS=64",
    "-Dsyscall=answered_syscall",
)
# relo_core.c computes left shifts for the byte order of the machine it was compiled for.
_AS_ON_BIG_ENDIAN: Final = ("-U__BYTE_ORDER__", "-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__")
_KALLSYMS: Final = HERE / "go" / "shims" / "kallsyms.go.txt"
_ASKS_KALLSYMS: Final = "v0.15"
_DEBIAN_SOURCES: Final = "http://deb.debian.org/debian"
_DEBIAN_KEYS: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unavailable(Exception):
    """Something that a harness needs is not on this machine and cannot be fetched."""


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Unavailable(f"{name} is not installed")
    return path


def run(command: Iterable[str | Path], folder: Path, **environment: str) -> str:
    """Run a tool; its last words are the reason where it fails."""
    try:
        done = subprocess.run(
            list(command),
            cwd=folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Unavailable(str(problem)) from None
    if done.returncode:
        words = done.stderr.strip().splitlines()[-6:] or ["it failed without a word"]
        raise Unavailable(f"{Path(done.args[0]).name}: " + "\n    ".join(words))
    return done.stdout


@contextmanager
def _stale(folder: Path, sources: Iterable[Path]) -> Iterator[bool]:
    """Say whether `folder` has to be built, emptied for it; one process builds at a time."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    stamp = folder / "sources.sha256"
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == digest:
            yield False
            return
        print(f"building {folder.name}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield True
        stamp.write_text(digest)


def cilium(version: str, shim: str) -> Path:
    """A Go module with that version of cilium/ebpf; go.sum pins what it needs."""
    go = tool("go")
    folder = BUILD / f"cilium-{version}"
    module = f"module conformance\n\ngo 1.25.0\n\nrequire github.com/cilium/ebpf v{version}\n"
    sources = (
        HERE / "go" / "harness.go",
        HERE / "go" / "shims" / f"{shim}.go",
        HERE / "go" / "go.sum",
        _KALLSYMS,
    )
    with _stale(folder, sources) as stale:
        if stale:
            for source, name in zip(sources, ("harness.go", "shim.go", "go.sum"), strict=False):
                shutil.copy(source, folder / name)
            (folder / "go.mod").write_text(module)
            if shim == _ASKS_KALLSYMS:
                (folder / "go.mod").write_text(module + _with_our_kallsyms(go, folder))
            run([go, "build", "-p", "1", "-mod=mod", "-o", "harness", "."], folder)
    return folder / "harness"


def _with_our_kallsyms(go: str, folder: Path) -> str:
    """Copy the fetched loader, with our kallsyms.go for its own; gives the line for go.mod."""
    package, copied = "github.com/cilium/ebpf", folder / "ebpf"
    run([go, "mod", "download", package], folder)
    found = run([go, "list", "-mod=mod", "-m", "-f", "{{.Dir}}", package], folder).strip()
    shutil.copytree(found, copied, ignore=shutil.ignore_patterns("testdata", "*_test.go"))
    asked = copied / "internal" / "kallsyms" / "kallsyms.go"
    for each in (asked.parent, asked):
        each.chmod(0o755)  # files that Go keeps are read-only
    shutil.copyfile(_KALLSYMS, asked)
    return f"replace {package} => ./ebpf\n"


def aya() -> Path:
    """A Rust program with the crate aya-obj; Cargo.lock pins it."""
    cargo = tool("cargo")
    folder = BUILD / "aya"
    package = HERE / "aya"
    names = ("Cargo.toml", "Cargo.lock", "src/main.rs")
    with _stale(folder, [package / name for name in names]) as stale:
        if stale:
            target = ("--target-dir", str(folder / "target"))
            run([cargo, "build", "--release", "--locked", "-q", "-j", "1", *target], package)
    return folder / "target" / "release" / "conformance-aya"


def libbpf(version: str, big_endian: bool) -> Path:
    """libbpf's own C sources with a harness around them."""
    compiler = tool("cc")
    folder = BUILD / f"libbpf-{version}"
    crate = HERE / "libbpf" / f"v{version}"
    sources = [HERE / "libbpf" / name for name in ("harness.c", "answers.c")]
    sources += crate.glob("Cargo.lock")
    with _stale(folder, sources) as stale:
        if stale:
            code = _crate_libbpf(crate) if crate.is_dir() else _debian_libbpf()
            _compile_libbpf(compiler, code, folder)
    return folder / ("harness-eb" if big_endian else "harness-el")


def _compile_libbpf(compiler: str, code: Path, folder: Path) -> None:
    headers = [f"-I{code / name}" for name in ("src", "include", "include/uapi")]
    flags = [compiler, *_LIBBPF_FLAGS, *headers]
    objects = []
    for source in sorted((code / "src").glob("*.c")):
        if source.stem not in ("libbpf", "relo_core"):  # the one is included, the other twice
            objects.append(f"{source.stem}.o")
            run([*flags, "-c", source, "-o", objects[-1]], folder)
    run([*flags, "-c", HERE / "libbpf" / "harness.c", "-o", "harness.o"], folder)
    own = [flag for flag in flags if not flag.startswith("-Dsyscall")]
    run([*own, "-c", HERE / "libbpf" / "answers.c", "-o", "answers.o"], folder)
    for order, more in (("el", ()), ("eb", _AS_ON_BIG_ENDIAN)):
        relo = f"relo_core-{order}.o"
        run([*flags, *more, "-c", code / "src" / "relo_core.c", "-o", relo], folder)
        parts = [relo, *objects, "harness.o", "answers.o"]
        run([compiler, *parts, "-o", f"harness-{order}", "-lelf", "-lz"], folder)


def _crate_libbpf(package: Path) -> Path:
    """The sources inside the crate libbpf-sys, which cargo fetches."""
    cargo = tool("cargo")
    metadata = json.loads(run([cargo, "metadata", "--locked", "--format-version", "1"], package))
    (manifest,) = (
        entry["manifest_path"] for entry in metadata["packages"] if entry["name"] == "libbpf-sys"
    )
    return Path(manifest).parent / "libbpf"


def _debian_libbpf() -> Path:
    """The sources of Debian 12's package, which apt fetches and checks; no root needed."""
    apt, unpack = tool("apt-get"), tool("dpkg-source")
    folder = BUILD / "debian-libbpf"
    code = folder / "libbpf"
    if code.is_dir():
        return code
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb-src [signed-by={_DEBIAN_KEYS}] {_DEBIAN_SOURCES} bookworm main\n")
    options = [
        part
        for option in (
            f"Dir::Etc::sourcelist={sources}",
            "Dir::Etc::sourceparts=/dev/null",
            f"Dir::State::lists={folder / 'lists'}",
            f"Dir::Cache={folder / 'cache'}",
        )
        for part in ("-o", option)
    ]
    run([apt, *options, "-q", "update"], folder)
    run([apt, *options, "-q", "source", "--download-only", "libbpf=1.1.2-0+deb12u1"], folder)
    run([unpack, "--no-check", "-x", *map(str, folder.glob("*.dsc")), code], folder)
    return code
