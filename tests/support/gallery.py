"""Real bugs as small programs: tests/golden/gallery/SLUG holds each twice, broken and fixed.

    case.toml      title, issues, processor, the verdict of `prog` by "KERNEL LOADER", the words
                   that the explanation must hold, the kinds of fixes that must be offered
    *.bpf.c, *.o   the programs; `python -m tests.support.gallery` compiles them anew
    expected.json  what the engine says about them in full, written by the same command

A kernel called `own` is a target made below. `None` as a verdict means: not settled by hand.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from engine.btf.decode import Btf
from engine.btf.encode import BtfBuilder
from engine.btf.split import ModuleSet, parse_modules
from engine.core.candidates import Target
from engine.core.prepare import PreparedObject, prepare
from engine.core.relocate import relocate_object
from engine.core.result import ObjectResult
from engine.elf.object import parse_object
from engine.flow.verdict import Verdict, judge_object
from engine.loaders import policy_of
from engine.loaders.link import link_object
from tests.support.btf_writer import BtfWriter, member
from tests.support.kernel_btf import kernel_btf
from tests.support.tree import ROOT

GALLERY = ROOT / "tests" / "golden" / "gallery"
SIDES = ("broken", "fixed")
_EMPTY_MODULE = bytes.fromhex("9feb0100180000000000000000000000000000000000000000")[:24]


@dataclass(frozen=True, slots=True)
class Case:
    """One bug; `runs` are its (kernel, loader) in the order of the table."""

    slug: str
    table: dict[str, Any]

    @property
    def runs(self) -> tuple[tuple[str, str], ...]:
        names = (name.split(" ") for name in self.table["broken"])
        return tuple((kernel, loader) for kernel, loader in names)

    def verdict(self, side: str, kernel: str, loader: str) -> str:
        """The verdict settled by hand; `None` where there is none."""
        return self.table[side][f"{kernel} {loader}"]

    def source(self, side: str) -> str:
        return (GALLERY / self.slug / f"{side}.bpf.c").read_text()

    def prepared(self, side: str) -> PreparedObject:
        return _prepared(GALLERY / self.slug / f"{side}.o")

    def target(self, kernel: str) -> Target:
        if kernel == "own":
            return Target(own_kernel(self.table["kernel"]))
        btf = kernel_btf(kernel)
        if self.table.get("empty_module"):
            return Target(btf, parse_modules(btf, [("empty", _EMPTY_MODULE)]))
        return Target(btf, ModuleSet({}))

    def result(self, side: str, kernel: str, loader: str) -> ObjectResult:
        return relocate_object(self.prepared(side), self.target(kernel), policy_of(loader))

    def judged(self, side: str, kernel: str, loader: str) -> Verdict:
        """The verdict of `prog`."""
        prepared = self.prepared(side)
        linked = link_object(prepared, self.target(kernel), policy_of(loader))
        verdicts = judge_object(prepared, linked, self.release(kernel))
        (found,) = [verdict for verdict in verdicts if verdict.program == "prog"]
        return found

    @staticmethod
    def release(kernel: str) -> str:
        """What chooses the verifier."""
        return "6.1.0" if kernel == "own" else kernel


@cache
def cases() -> tuple[Case, ...]:
    """All cases, by slug."""
    return tuple(
        Case(path.parent.name, tomllib.loads(path.read_text()))
        for path in sorted(GALLERY.glob("*/case.toml"))
    )


@cache
def _prepared(path: Path) -> PreparedObject:
    return prepare(parse_object(path.read_bytes()))


@cache
def own_kernel(name: str) -> Btf:
    """A kernel with just the type that a case needs."""
    if name == "narrow":  # of 32 bits: long and pointers have 4 bytes
        narrow = BtfBuilder()
        number = narrow.add_int("long int", 4, 1)
        pointer = narrow.add_ptr(0)
        members = [member("level", number, 0), member("next", pointer, 4)]
        narrow.add_struct("coreplay_widths", 8, members)
        return Btf.parse(narrow.encode("little"))
    writer = BtfWriter()
    if name == "signs":
        bits = [member("a", writer.int, 0, 9), member("level", writer.int, 9 / 8, 3)]
        writer.add_struct("coreplay_signs", 4, bits)
    elif name == "far":
        big = writer.add_array(writer.int, writer.int, 10_000)
        rows = [member("near", writer.int, 0), member("between", big, 4)]
        writer.add_struct("coreplay_far", 40_008, [*rows, member("far", writer.int, 40_004)])
    else:
        raise ValueError(name)
    return writer.parsed()


def compile_case(case: Case, side: str) -> bytes:
    """Compile one program as the committed object was made, without DWARF."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "prog.bpf.c").write_text(case.source(side))
        if case.table.get("link") and side == "broken":
            parts = [
                _clang(case, folder, "first.o"),
                _clang(case, folder, "second.o", "-DSECOND_PART"),
            ]
            _run(["bpftool", "gen", "object", "linked.o", *parts], folder)
            return (folder / "linked.o").read_bytes()
        return (folder / _clang(case, folder, "prog.o")).read_bytes()


def _clang(case: Case, folder: Path, output: str, *defines: str) -> str:
    system = [f"-I{path}" for path in Path("/usr/include").glob("*-linux-gnu")]
    flags = ["-target", "bpfel", "-O2", "-g", f"-mcpu={case.table['cpu']}", "-Wall", "-Werror"]
    flags += ["-Wno-unused-value", "-fdebug-compilation-dir=.", *system, *defines]
    _run(["clang-19", *flags, "-c", "prog.bpf.c", "-o", output], folder)
    _run(["llvm-strip-19", "-g", output], folder)
    return output


def _run(command: list[str], folder: Path) -> None:
    program = shutil.which(command[0]) or command[0]
    done = subprocess.run(
        [program, *command[1:]], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr}")


def described(case: Case) -> dict[str, Any]:
    """Everything that the engine says about a case, ready for JSON."""
    from tests.support.gallery_words import words_of

    return {
        side: {
            f"{kernel} {loader}": words_of(case, side, kernel, loader)
            for kernel, loader in case.runs
        }
        for side in SIDES
    }


def main(slugs: list[str]) -> None:
    """Compile all cases, or those named, and write down what the engine says."""
    for case in cases():
        if slugs and case.slug not in slugs:
            continue
        folder = GALLERY / case.slug
        for side in SIDES:
            (folder / f"{side}.o").write_bytes(compile_case(case, side))
        _prepared.cache_clear()
        text = json.dumps(described(case), indent=1, ensure_ascii=False)
        (folder / "expected.json").write_text(text + "\n")
        print(case.slug)


if __name__ == "__main__":
    main(sys.argv[1:])
