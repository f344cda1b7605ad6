"""What is compared: an object against a BTF, at one stage."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.tree import ROOT

GOLDEN: Final = ROOT / "tests" / "golden"
BUILD: Final = ROOT / "build" / "conformance"
STAGES: Final = ("core", "linked", "log")
"""After CO-RE relocation; as BPF_PROG_LOAD gets it; what libbpf prints while it relocates."""
_BIG_ENDIAN: Final = 2
_TARGETS = ("own-same", "own-moved", "own-odd", "own14-same", "own14-moved", "own14-odd")


@dataclass(frozen=True, slots=True)
class Job:
    """`object` is a path from `folder`, as loaders name it in their errors.

    With `modules` (name, split BTF on `btf`) the BTF is the running kernel's; without, it is one
    that the user gives.
    """

    id: str
    folder: Path
    object: str
    btf: Path
    stage: str
    modules: tuple[tuple[str, Path], ...] = ()

    @property
    def path(self) -> Path:
        return self.folder / self.object

    @property
    def is_big_endian(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(6)[5] == _BIG_ENDIAN


def read_goldens() -> list[dict[str, Any]]:
    with lzma.open(GOLDEN / "goldens.jsonl.xz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def unpacked(packed: Path) -> Path:
    """Unpack NAME.btf.xz into the build folder, once."""
    path = BUILD / "btf" / packed.stem
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path


def golden_btf(name: str) -> Path:
    """The file of a golden's "btf", which may be kept packed only."""
    path = GOLDEN / name
    return path if path.exists() else unpacked(path.with_name(path.name + ".xz"))


def golden_job(golden: dict[str, Any]) -> Job:
    return Job(golden["id"], GOLDEN, golden["object"], golden_btf(golden["btf"]), golden["stage"])


def corpus_jobs(objects: list[Path], stage: str) -> Iterator[Job]:
    """Objects of the corpus' programs, each with the made-up kernels of its byte order."""
    for path in objects:
        order = path.name.split(".")[-2]
        for target in _TARGETS:
            btf = GOLDEN / "btf" / f"{target}.{order}.btf"
            yield Job(f"{path.stem}@{btf.stem}#{stage}", path.parent, path.name, btf, stage)


def folder_jobs(
    objects: list[Path], btfs: list[Path], stage: str, modules: tuple[tuple[str, Path], ...] = ()
) -> Iterator[Job]:
    """Each object with each BTF of its byte order, and with modules on that BTF."""
    orders = {btf: btf.read_bytes()[:2] == b"\xeb\x9f" for btf in btfs}
    for path in objects:
        for btf, is_big_endian in orders.items():
            job = Job(
                f"{path.stem}@{btf.stem}#{stage}", path.parent, path.name, btf, stage, modules
            )
            if job.is_big_endian == is_big_endian:
                yield job


def golden_pairs(stage: str) -> Iterator[Job]:
    """Every object with every BTF that the goldens put it together with."""
    seen = set()
    for golden in read_goldens():
        name = golden["id"].split("#")[0]
        if name not in seen:
            seen.add(name)
            btf = golden_btf(golden["btf"])
            yield Job(f"{name}#{stage}", GOLDEN, golden["object"], btf, stage)
