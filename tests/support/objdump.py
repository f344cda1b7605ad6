"""What llvm-objdump 19 makes of an object, for differential tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

MAJOR = 19
_SECTION = re.compile(r"Disassembly of section (.*):")
_LINE = re.compile(r"\s*(\d+):\t(.*)")
_SYMBOL = re.compile(r" <[^<>]*>$")
_UNKNOWN = re.compile(r"^<unknown.*>$")


def tool(name: str) -> str:
    """Give the path of an LLVM 19 tool; without it the test is skipped, in CI it fails."""
    beside = f"/usr/lib/llvm-{MAJOR}/bin/{name}"
    path = shutil.which(f"{name}-{MAJOR}") or (beside if Path(beside).exists() else None)
    if path is None:
        message = f"{name}-{MAJOR} is not installed (apt install llvm-{MAJOR} clang-{MAJOR})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def objdump(path: Path, *options: str) -> dict[tuple[str, int], str]:
    """Give the text of each line by (section, slot), without the symbol behind jumps."""
    command = [tool("llvm-objdump"), "-d", "-z", "--no-show-raw-insn", *options, str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = {}
    section = ""
    for row in output.splitlines():
        if match := _SECTION.fullmatch(row):
            section = match[1]
        elif match := _LINE.fullmatch(row):
            lines[section, int(match[1])] = plain(match[2].replace("\t", " "))
    return lines


def plain(text: str) -> str:
    """Give a line in the form that both sides share: no symbol, no code of what is unknown."""
    return "<unknown>" if _UNKNOWN.match(text) else _SYMBOL.sub("", text)
