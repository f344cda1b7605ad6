"""Real loaders for guests: static programs, built from the public registries when asked for.

    vm/loaders/<id>/loader, loader.json

Each takes an object and names of programs, loads every one by itself and prints a line for it:

    +  PROGRAM                loaded
    -  PROGRAM  WORDS         refused, by the loader or by the kernel
    !           WORDS         the object was refused as a whole
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.errors import AppError
from app.settings import Settings
from engine.core.policy import LoaderPolicy

SOURCES: Final = Path(__file__).parents[1] / "sandbox" / "vm" / "loaders"
GO: Final = "/usr/local/go/bin/go"
CARGO: Final = "~/.cargo/bin/cargo"
BUILD_SECONDS: Final = 1200
_BINARY: Final = "loader"
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_WORDS: Final = 400

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RealLoader:
    """A loader that can run in a guest; `id` is that of the engine's row, `cilium@0.13.0`."""

    id: str
    path: Path
    bytes: int
    built_with: str


def real_loaders(settings: Settings) -> Mapping[str, RealLoader]:
    """The loaders that were built, by id."""
    found = {}
    for path in sorted((settings.data / "vm" / "loaders").glob(f"*/{_BINARY}.json")):
        try:
            record = json.loads(path.read_bytes())
            binary = path.with_suffix("")
            loader = RealLoader(
                str(record["id"]), binary, binary.stat().st_size, str(record["built_with"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found[loader.id] = loader
    return found


def add_loader(policy: LoaderPolicy, settings: Settings, say: Say = lambda _: None) -> RealLoader:
    """Build a loader version; takes some seconds to minutes and fetches its sources.

    Raises AppError `loader-not-offered` or `loader-build-failed`.
    """
    build = _BUILDERS.get(policy.family)
    if build is None or not _VERSION.fullmatch(policy.version):
        raise AppError(
            f"{policy.id} cannot be built to run in a guest",
            code="loader-not-offered",
            place="loader",
            hint=f"Built can be: {', '.join(_BUILDERS)}.",
        )
    folder = settings.data / "vm" / "loaders" / policy.id
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as name:
        made = Path(name)
        say(f"building {policy.id}")
        built_with = build(policy.version, made)
        record = {"id": policy.id, "built_with": built_with}
        folder.mkdir(exist_ok=True)
        os.replace(made / _BINARY, folder / _BINARY)
        (folder / f"{_BINARY}.json").write_text(json.dumps(record) + "\n")
    return real_loaders(settings)[policy.id]


def remove_loader(loader: str, settings: Settings) -> bool:
    """Forget a loader that was built; False where there is none."""
    found = real_loaders(settings).get(loader)
    if found is not None:
        shutil.rmtree(found.path.parent, ignore_errors=True)
    return found is not None


def _cilium(version: str, folder: Path) -> str:
    go = _tool("go", GO)
    shutil.copy(SOURCES / "cilium" / "main.go", folder / "main.go")
    told = _run([go, "env", "GOVERSION"], folder)
    numbers = re.search(r"\d+\.\d+", told)
    (folder / "go.mod").write_text(
        f"module loader\n\ngo {numbers[0] if numbers else '1.21'}\n\n"
        f"require github.com/cilium/ebpf v{version}\n"
    )
    environment = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    _run([go, "build", "-trimpath", "-ldflags", "-s -w", "-o", _BINARY, "."], folder, **environment)
    return told.strip()


def _libbpf(version: str, folder: Path) -> str:
    """The sources are those in the crate libbpf-sys; cargo fetches them and builds nothing."""
    code = _crate("libbpf-sys", version, folder) / "libbpf"
    compiler = _tool("cc", "/usr/bin/cc")
    headers = [f"-I{code / name}" for name in ("src", "include", "include/uapi")]
    include = folder / "include"
    include.mkdir()
    (include / "bpf").symlink_to(code / "src")
    sources = [str(path) for path in sorted((code / "src").glob("*.c"))]
    flags = ["-static", "-Os", "-s", "-w", "-D_LARGEFILE64_SOURCE", "-D_FILE_OFFSET_BITS=64"]
    source = str(SOURCES / "libbpf" / "main.c")
    libraries = ["-lelf", "-lz"]
    _run(
        [compiler, *flags, *headers, f"-I{include}", source, *sources, "-o", _BINARY, *libraries],
        folder,
    )
    return _run([compiler, "--version"], folder).splitlines()[0]


def _aya(version: str, folder: Path) -> str:
    cargo = _tool("cargo", CARGO)
    shutil.copytree(SOURCES / "aya", folder, dirs_exist_ok=True)
    manifest = (SOURCES / "aya" / "Cargo.toml.in").read_text().replace("VERSION", version)
    (folder / "Cargo.toml").write_text(manifest)
    target = "x86_64-unknown-linux-gnu"
    static = {"RUSTFLAGS": "-C target-feature=+crt-static"}
    _run([cargo, "build", "--release", "-q", "--target", target], folder, **static)
    os.replace(folder / "target" / target / "release" / "loader", folder / _BINARY)
    return _run([cargo, "--version"], folder).strip()


def _crate(name: str, version: str, folder: Path) -> Path:
    """Give the folder of a crate's sources."""
    cargo = _tool("cargo", CARGO)
    package = folder / "crate"
    package.mkdir()
    (package / "empty.rs").touch()
    (package / "Cargo.toml").write_text(
        f'[package]\nname = "fetch"\nversion = "0.0.0"\n[lib]\npath = "empty.rs"\n'
        f'[dependencies]\n{name} = "={version}"\n[workspace]\n'
    )
    told = json.loads(_run([cargo, "metadata", "--format-version", "1"], package))
    manifests = [row["manifest_path"] for row in told["packages"] if row["name"] == name]
    return Path(manifests[0]).parent


_BUILDERS: Final[Mapping[str, Callable[[str, Path], str]]] = {
    "cilium": _cilium,
    "libbpf": _libbpf,
    "aya": _aya,
}


def _tool(name: str, usual: str) -> str:
    found = shutil.which(name) or shutil.which(os.path.expanduser(usual))
    if found is None:
        raise AppError(
            f"{name} is not installed, and the loader is built with it",
            code="loader-build-failed",
            hint=f"Install {name}, or do without --real.",
        )
    return found


def _run(command: list[str], folder: Path, **environment: str) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise _failed(command, str(problem)) from problem
    if done.returncode:
        raise _failed(command, done.stderr)
    return done.stdout


def _failed(command: list[str], said: str) -> AppError:
    words = " ".join(said.split())[-_WORDS:] or "it failed without a word"
    return AppError(
        f"{Path(command[0]).name} could not build the loader: {words}", code="loader-build-failed"
    )
