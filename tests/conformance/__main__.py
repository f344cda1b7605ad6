"""`./run conformance`: coreplay against the real loaders, built from the public registries."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conformance import compile as compiling
from tests.conformance import jobs as sets
from tests.conformance import modules
from tests.conformance.build import Unavailable
from tests.conformance.compare import compare, report
from tests.conformance.goldens import regenerate
from tests.conformance.jobs import BUILD, Job
from tests.conformance.loaders import LOADERS, Loader
from tests.conformance.selftests.check import case_jobs, check
from tests.conformance.selftests.sources import cases
from tests.support import libbpf_tools
from tests.support.tree import ROOT

_SNAPSHOTS = ROOT / "engine" / "kernels" / "data"


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run conformance", description=__doc__)
    parser.add_argument(
        "--loader",
        action="append",
        metavar="ID",
        choices=[loader.id for loader in LOADERS],
        help="only this one, as libbpf@1.7.0 (may be repeated)",
    )
    parser.add_argument(
        "--stage", choices=sets.STAGES, help="only one: after CO-RE relocation (core), linked, log"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--regenerate", action="store_true", help="write the goldens in tests/golden anew"
    )
    what.add_argument(
        "--selftests", action="store_true", help="the CO-RE tests of the kernel's own test suite"
    )
    what.add_argument(
        "--modules", action="store_true", help="kernels with modules: tests/golden/modules"
    )
    what.add_argument(
        "--objects", type=Path, metavar="DIR", help="these objects, with each --btf, instead"
    )
    what.add_argument(
        "--tools",
        action="store_true",
        help="the objects of Debian's libbpf-tools, with each amd64 snapshot, instead",
    )
    what.add_argument(
        "--vm", action="store_true", help="the engine's verdicts against kernels in guests, instead"
    )
    parser.add_argument("--all", action="store_true", help="with --vm: no samples, list everything")
    parser.add_argument(
        "--guest", action="append", default=[], metavar="ID", help="with --vm: 6.1; all guests"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        choices=("golden", "gallery", "guarded", "libbpf-tools"),
        help="with --vm: only this one (may be repeated)",
    )
    parser.add_argument(
        "--btf", type=Path, action="append", metavar="FILE", help="raw BTF (may be repeated)"
    )
    parser.add_argument(
        "--module-btfs", type=Path, metavar="DIR", help="NAME.btf of modules, split on that --btf"
    )
    parsed = parser.parse_args(given)
    if parsed.module_btfs and (len(parsed.btf or ()) != 1 or parsed.stage == "linked"):
        parser.error("--module-btfs needs one --btf, and has no stage linked")
    if bool(parsed.objects) != bool(parsed.btf):
        parser.error("--objects and --btf go together")
    return parsed


def job_sets(options: argparse.Namespace, stage: str) -> Iterator[tuple[str, list[Job]]]:
    if options.objects:
        objects = sorted(options.objects.resolve().glob("*.o"))
        btfs = [path.resolve() for path in options.btf]
        among = sorted(options.module_btfs.resolve().glob("*.btf")) if options.module_btfs else ()
        split = tuple((path.stem, path) for path in among)
        yield f"{options.objects}", list(sets.folder_jobs(objects, btfs, stage, split))
    elif options.tools:
        objects = libbpf_tools.write_objects(BUILD / "libbpf-tools")
        btfs = [sets.unpacked(path) for path in sorted(_SNAPSHOTS.glob("*-amd64.btf.xz"))]
        yield "libbpf-tools", list(sets.folder_jobs(objects, btfs, stage))
    elif options.modules:
        yield "kernels with modules", list(modules.jobs(stage))
    else:
        yield "tests/golden", list(sets.golden_pairs(stage))
        try:
            compiled = list(compiling.objects())
        except Unavailable as reason:
            print(f"nothing is compiled: {reason}", file=sys.stderr)
        else:
            yield "compiled here", list(sets.corpus_jobs(compiled, stage))


def selftests(options: argparse.Namespace) -> int:
    """Run the cases, then compare coreplay with the real loaders on the same objects."""
    try:
        folder, table = cases()
    except Unavailable as reason:
        print(f"the selftests cannot be had: {reason}", file=sys.stderr)
        return 1
    print(f"selftests of the kernel, core_reloc: {len(table)} cases", flush=True)
    good = check(folder, table)
    for stage in [options.stage] if options.stage else sets.STAGES:
        jobs = list(case_jobs(folder, table, stage))
        tallies = (compare(loader, jobs, stage) for loader in chosen(options, stage))
        good &= report(f"their objects, stage {stage}: {len(jobs)} with a BTF", tallies)
    return 0 if good else 1


def chosen(options: argparse.Namespace, stage: str) -> list[Loader]:
    return [
        loader
        for loader in LOADERS
        if (not options.loader or loader.id in options.loader)
        and (loader.has_log or stage != "log")
    ]


def main(given: Sequence[str] | None = None) -> int:
    options = arguments(given)
    if options.regenerate:
        return 0 if regenerate() and modules.regenerate() else 1
    if options.selftests:
        return selftests(options)
    if options.vm:
        from tests.conformance import vm  # late: the others need no machines

        return vm.main(options.guest, options.loader or (), options.set, everything=options.all)
    good = True
    with_modules = options.modules or options.module_btfs
    stages = modules.STAGES if with_modules else sets.STAGES
    for stage in [options.stage] if options.stage else stages:
        for title, jobs in job_sets(options, stage):
            tallies = (compare(loader, jobs, stage) for loader in chosen(options, stage))
            good &= report(f"{title}, stage {stage}: {len(jobs)} objects with a BTF", tallies)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
