"""`./run bench [--json] [--check] [CASE ...]`: measure, and print each figure with its bound.

Exit code 0; with --check, 1 if a bound is not kept.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path

from bench.figures import Figure, Skipped

CASES = sorted(p.stem for p in Path(__file__).with_name("cases").glob("[a-z]*.py"))


def main() -> int:
    """Run the cases that were named, or all."""
    parser = argparse.ArgumentParser(prog="./run bench", description="Measure speed and memory.")
    parser.add_argument("--json", action="store_true", help="for a program to compare runs")
    parser.add_argument("--check", action="store_true", help="fail when a bound is not kept")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.cases) - set(CASES):
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    figures = [figure for case in arguments.cases or CASES for figure in _measure(case)]
    print(
        json.dumps([f.as_json() for f in figures], indent=2) if arguments.json else _table(figures)
    )
    return 1 if arguments.check and not all(figure.holds for figure in figures) else 0


def _measure(case: str) -> list[Figure]:
    found: list[Figure] = []
    try:
        for figure in importlib.import_module(f"bench.cases.{case}").measure():
            found.append(figure)  # what was measured before something is missing counts
    except Skipped as why:
        print(f"bench: {case}: skipped: {why}", file=sys.stderr)
    return found


def _table(figures: list[Figure]) -> str:
    lines = [f"Python {platform.python_version()}, {os.cpu_count()} processors, medians", ""]
    form = "{:38} {:>10} {:>10}  {:4} {:>8}  {}"
    lines.append(form.format("", "figure", "bound", "", "ratio", "to"))
    for f in figures:
        lines.append(
            form.format(
                f.name,
                f"{f.value:.2f} {f.unit}",
                f"{f.bound:g} {f.unit}",
                "ok" if f.holds else "OVER",
                f"{f.ratio:.1f}x",
                f"{f.reference_name} ({f.reference:.3g} {f.unit})",
            )
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
