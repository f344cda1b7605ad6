"""The examples of the lint rules, compiled: tests/golden/lint/RULE.example.o, RULE.counter.o.

`python -m tests.support.lint` compiles them anew (clang 19, -mcpu=v3, without paths of this
machine).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from engine.core.candidates import Target
from engine.core.prepare import PreparedObject, prepare
from engine.elf.object import parse_object
from engine.lint.examine import Report, examine
from engine.lint.rule import PREAMBLE, Rule
from engine.lint.rules import RULES
from engine.lint.scene import Kernel
from engine.loaders import policy_of
from tests.support.kernel_btf import kernel_btf
from tests.support.tree import ROOT

FOLDER = ROOT / "tests" / "golden" / "lint"
SIDES = ("example", "counter")
KERNELS = ("5.10.0-46-amd64", "6.1.0-56-amd64", "7.3.4+deb13-amd64")
LOADERS = ("libbpf@1.7.0", "cilium@0.22.0", "cilium@0.13.0", "aya@0.14.0")


def source(rule: Rule, side: str) -> str:
    return PREAMBLE + (rule.example if side == "example" else rule.counter_example)


def pairs() -> list[tuple[Rule, str, str, str]]:
    """Rule, name of its files, C in which it speaks, C in which it does not."""
    first = [(rule, rule.id, rule.example, rule.counter_example) for rule in RULES]
    more = [
        (rule, f"{rule.id}.{each.name}", each.found, each.not_found)
        for rule in RULES
        for each in rule.more
    ]
    return first + more


@cache
def prepared(name: str, side: str) -> PreparedObject:
    return prepare(parse_object((FOLDER / f"{name}.{side}.o").read_bytes()))


@cache
def kernels() -> tuple[Kernel, ...]:
    return tuple(Kernel(name, name, Target(kernel_btf(name))) for name in KERNELS)


@cache
def reports(name: str, side: str) -> tuple[Report, ...]:
    return examine(prepared(name, side), kernels(), [policy_of(loader) for loader in LOADERS])


def compile_example(text: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "prog.bpf.c").write_text(text)
        options = ["-target", "bpfel", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror"]
        include = [f"-I{path}" for path in Path("/usr/include").glob("*-linux-gnu")]
        command = ["clang-19", *options, "-Wno-unused-value", *include, "-c", "prog.bpf.c"]
        command += ["-o", "prog.o", "-fdebug-compilation-dir=."]
        subprocess.run(command, cwd=folder, check=True)
        subprocess.run(["llvm-strip-19", "-g", "prog.o"], cwd=folder, check=True)
        return (Path(folder) / "prog.o").read_bytes()


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    for _, name, *texts in pairs():
        for side, text in zip(SIDES, texts, strict=True):
            (FOLDER / f"{name}.{side}.o").write_bytes(compile_example(PREAMBLE + text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
