"""Kernels with modules: which jobs there are, and their goldens.

A line of tests/golden/modules/goldens.jsonl.xz is what some loaders made of one object with one
kernel of tests/support/module_kernels.py: {"object", "kernel", "programs", "error", "loaders"}.
A program is its slots in hex, or "refused"; the words of errors are left out.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from typing import Any, Final

from tests.conformance.answers import Answer
from tests.conformance.build import Unavailable
from tests.conformance.jobs import BUILD, GOLDEN, Job
from tests.conformance.loaders import LOADERS
from tests.support.module_kernels import NAMES, module_kernel

STAGES: Final = ("core", "log")
FOLDER: Final = GOLDEN / "modules"
_UNREADABLE: Final = "broken"
"""libbpf's log also has what its decoder says of a module's BTF, which coreplay does not have."""
FILE: Final = FOLDER / "goldens.jsonl.xz"


def jobs(stage: str) -> Iterator[Job]:
    """Each object with each kernel, whose files are written to the build folder."""
    objects = sorted(FOLDER.glob("*.o"))
    for name in NAMES:
        if stage == "log" and name == _UNREADABLE:
            continue
        kernel = module_kernel(name)
        folder = BUILD / "modules" / name
        folder.mkdir(parents=True, exist_ok=True)
        btf = folder / "vmlinux.btf"
        btf.write_bytes(kernel.vmlinux)
        modules = []
        for module, data in kernel.modules:
            modules.append((module, folder / f"{module}.btf"))
            modules[-1][1].write_bytes(data)
        for path in objects:
            yield Job(f"{path.stem}@{name}", FOLDER, path.name, btf, stage, tuple(modules))


def regenerate() -> bool:
    """Ask every loader again; False where one could not be asked, and nothing is written."""
    asked = list(jobs("core"))
    found: dict[str, dict[str, Any]] = {}
    for loader in LOADERS:
        try:
            answers = loader.run(asked)
        except Unavailable as reason:
            print(f"  {loader.id:<14}the goldens of modules are kept: {reason}")
            return False
        for job in asked:
            row = {
                "object": job.object,
                "kernel": job.btf.parent.name,
                **shortened(answers[job.id]),
            }
            key = json.dumps(row, sort_keys=True)
            found.setdefault(key, row | {"loaders": []})["loaders"].append(loader.id)
    rows = sorted(found.values(), key=lambda row: (row["object"], row["kernel"], row["loaders"]))
    lines = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    if lines != lzma.decompress(FILE.read_bytes()).decode():
        FILE.write_bytes(lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME))
        print("the goldens of modules changed")
    return True


def shortened(answer: Answer) -> dict[str, Any]:
    """What a golden keeps of an answer."""
    programs = {
        name: "refused" if program["error"] else "".join(program["insns"])
        for name, program in sorted(answer["programs"].items())
    }
    return {"programs": programs, "error": bool(answer["error"])}
