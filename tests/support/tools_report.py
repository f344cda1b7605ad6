"""`python -m tests.support.tools_report`: writes docs/libbpf-tools-report.md.

What `coreplay check` says about the BPF objects of Debian's libbpf-tools on the committed
kernels. Needs the package.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.elf.object import parse_object
from engine.kernels.catalog import Catalog, Snapshot
from engine.lint.examine import Report, examine
from engine.lint.scene import Kernel
from engine.loaders import policy_of
from tests.support.kernel_btf import kernel_btf
from tests.support.libbpf_tools import PACKAGE, objects
from tests.support.tree import ROOT

REPORT = ROOT / "docs" / "libbpf-tools-report.md"
COMMAND = "python -m tests.support.tools_report"
LOADERS = ("libbpf@1.7.0", "cilium@0.22.0")
VERDICTS = (
    "clear",
    "poison-unreachable",
    "poison-reachable",
    "refused",
    "jump-broken",
    "silently-different",
    "unknown",
)


@dataclass(frozen=True)
class Seen:
    """One object with all that was said about its programs."""

    name: str
    reports: tuple[Report, ...]


def snapshots() -> tuple[Snapshot, ...]:
    """The committed kernels."""
    with tempfile.TemporaryDirectory() as name:
        return Catalog(Path(name), Path(name) / "cache").snapshots()


def look(found: dict[str, bytes]) -> list[Seen]:
    """Check each object on the kernels of its byte order."""
    kernels = [
        Kernel(each.id, each.release, Target(kernel_btf(each.id)))
        for each in snapshots()
        if each.byte_order == "little"
    ]
    policies = [policy_of(loader) for loader in LOADERS]
    return [
        Seen(name, examine(prepare(parse_object(data)), kernels, policies))
        for name, data in found.items()
    ]


def written(seen: Sequence[Seen], version: str) -> str:
    """The page."""
    every = [report for each in seen for report in each.reports]
    programs = {(each.name, r.section, r.program) for each in seen for r in each.reports}
    other = [each.id for each in snapshots() if each.byte_order != "little"]
    lines = [
        f"<!-- {COMMAND} -->",
        "",
        "# libbpf-tools on six kernels",
        "",
        f"`coreplay check` on the {len(seen)} BPF objects ({len(programs)} programs) inside the "
        f"tools of Debian's {PACKAGE} {version}.",
        f"They are little-endian, so {' and '.join(other)} is left out, and made for x86-64: on "
        "arm64, `struct pt_regs` has none",
        "of the registers that they ask for.",
        "",
        "## Verdicts",
        "",
        "Programs by kernel and loader; the names are those of [flow.md](flow.md).",
        "",
        *_verdicts(every),
        "",
        "## Findings",
        "",
        "Errors and warnings, one row for each question.",
        "",
        *_findings(seen),
        "",
        "## Poison that is not reached",
        "",
        "What a kernel lacks and a guard, or poison before it, keeps out.",
        "",
        *_kept_out(seen),
        "",
        "## What cannot be told",
        "",
        *_unknown(seen),
        "",
        "## Objects",
        "",
        ", ".join(each.name for each in seen) + ".",
    ]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"


def _verdicts(every: Sequence[Report]) -> Iterator[str]:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for report in every:
        kinds = counts.setdefault((report.kernel, report.loader), Counter())
        kinds[report.verdict.kind] += 1
    used = [kind for kind in VERDICTS if any(kinds[kind] for kinds in counts.values())]
    shown = [*used, *(["unknown"] if "unknown" not in used else [])]
    rows = [[*run, *(kinds[kind] for kind in shown)] for run, kinds in counts.items()]
    return _table(["kernel", "loader", *shown], rows)


def _findings(seen: Sequence[Seen]) -> Iterator[str]:
    where: dict[tuple[str, ...], list[tuple[str, Report]]] = {}
    for each in seen:
        for report in each.reports:
            for found in report.findings:
                if found.severity != "note":
                    what = found.relocation or found.message.partition(": ")[2]
                    key = (f"`{what}`", found.rule, found.severity)
                    where.setdefault(key, []).append((each.name, report))
    head = ["what", "rule", "severity", "objects", "kernels", "loaders"]
    rows = [
        [*key, _names(runs), _kernels(r for _, r in runs), _loaders(r for _, r in runs)]
        for key, runs in sorted(where.items())
    ]
    return _table(head, rows) if rows else iter(["None."])


def _kept_out(seen: Sequence[Seen]) -> Iterator[str]:
    where: dict[str, list[tuple[str, Report]]] = {}
    for each in seen:
        for report in each.reports:
            for fact in report.verdict.poisons:
                if fact.reachable == "no" and fact.relocation is not None:
                    where.setdefault(fact.relocation.local, []).append((each.name, report))
    rows = [
        [f"`{what}`", _names(runs), _kernels(r for _, r in runs)]
        for what, runs in sorted(where.items())
    ]
    return _table(["what", "objects", "kernels"], rows)


def _unknown(seen: Sequence[Seen]) -> Iterator[str]:
    where: dict[str, list[Report]] = {}
    for each in seen:
        for report in each.reports:
            if report.verdict.kind == "unknown":
                key = f"{each.name}, {report.program}: {report.verdict.headline}"
                where.setdefault(key, []).append(report)
    rows = [f"- {key} ({_kernels(runs)}; {_loaders(runs)})" for key, runs in where.items()]
    return iter(rows or ["Nothing: every program has a verdict."])


def _names(runs: Iterable[tuple[str, Report]]) -> str:
    return ", ".join(dict.fromkeys(name for name, _ in runs))


def _kernels(reports: Iterable[Report]) -> str:
    return ", ".join(dict.fromkeys(report.kernel for report in reports))


def _loaders(reports: Iterable[Report]) -> str:
    return ", ".join(dict.fromkeys(report.loader for report in reports))


def version() -> str:
    """The installed version of the package."""
    asked = ["dpkg-query", "-W", "-f", "${Version}", PACKAGE]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    found = objects()
    if not found:
        print(f"the package {PACKAGE} is not installed", file=sys.stderr)
        return 1
    REPORT.write_text(written(look(found), version()))
    print(REPORT.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
