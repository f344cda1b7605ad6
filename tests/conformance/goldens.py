"""Writes tests/golden/goldens.jsonl.xz anew from what the real loaders answer today.

Which object meets which BTF, loader and stage stays as it is, and so do order and form: where no
loader answers otherwise, the file is not touched.
"""

from __future__ import annotations

import json
import lzma
from collections import Counter
from typing import Any, Final

from tests.conformance.answers import Answer, changed
from tests.conformance.build import Unavailable
from tests.conformance.jobs import GOLDEN, golden_job, read_goldens
from tests.conformance.loaders import LOADERS

_FILE: Final = GOLDEN / "goldens.jsonl.xz"
_RANDOM_TEXTS: Final = "cilium@"
"""Of several types that fail, which one its error names differs between runs: texts stay."""

Golden = dict[str, Any]


def regenerate() -> bool:
    """Say what changed; False where a loader of the goldens could not be asked."""
    old = read_goldens()
    new, missing = _asked(old)
    differing = Counter(
        (golden["loader"], golden["stage"])
        for golden in old
        if new.get(golden["id"], golden) != golden
    )
    for (loader, stage), count in sorted(differing.items()):
        print(f"  {loader:<14}{stage:<8}{count} changed")
    print(f"{sum(differing.values())} of {len(old)} goldens changed")
    if differing:
        lines = "".join(_line(new.get(golden["id"], golden)) for golden in old)
        _FILE.write_bytes(lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME))
    return not missing


def _asked(old: list[Golden]) -> tuple[dict[str, Golden], bool]:
    new: dict[str, Golden] = {}
    missing = False
    for loader in LOADERS:
        mine = [golden for golden in old if golden["loader"] == loader.id]
        try:
            answers = loader.run([golden_job(golden) for golden in mine])
        except Unavailable as reason:
            print(f"  {loader.id:<14}kept as it is: {reason}")
            missing = True
        else:
            new |= {golden["id"]: _renewed(golden, answers[golden["id"]]) for golden in mine}
    return new, missing


def _renewed(golden: Golden, answer: Answer) -> Golden:
    renewed = dict(golden)
    # The order of the old functions first, so that nothing moves without need.
    names = [name for name in golden["programs"] if name in answer["programs"]]
    names += sorted(answer["programs"].keys() - set(names))
    renewed["programs"] = {name: answer["programs"][name] for name in names}
    renewed["error"] = answer["error"]
    if golden["loader"].startswith(_RANDOM_TEXTS):
        now = dict(_errors(renewed))
        for place, was in _errors(golden):
            if place in now and now[place]["code"] == was["code"]:
                now[place]["text"] = was["text"]
    if golden["stage"] == "core":
        renewed["changed"] = changed(renewed, golden_job(golden).path)
    return renewed


def _errors(golden: Golden) -> list[tuple[str | None, dict[str, str]]]:
    found = [(None, golden["error"])]
    found += [(name, program["error"]) for name, program in golden["programs"].items()]
    return [(place, error) for place, error in found if error]


def _line(golden: Golden) -> str:
    return json.dumps(golden, separators=(",", ":")) + "\n"
