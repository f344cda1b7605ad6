"""Search among all names of the committed kernels while they are typed, and a type's page."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from time import perf_counter, process_time

from app.services import typeindex
from app.services.analyse import catalog
from app.services.kerneltypes import ids_to_show, opened, pointing
from app.services.typesearch import read_query, search
from app.settings import Settings
from bench.figures import Figure, milliseconds, yardstick

KERNEL = "6.1.0-56-amd64"
TYPED = ("task_struct", "struct sk_buff", "cpuset_cgrp_id", "__x64_sys_open", "bpf_prog_aux",
         "vfs_read", "task_struct___old", "tcp_sock flags", "i_atime", "inet_csk", "task_strukt",
         "zzz_nothing", "a", "_", "e s")  # fmt: skip
"""Typed letter by letter: each beginning is a search, as the page sends them."""
HITS = 60
MB = 1e6


def measure() -> Iterator[Figure]:
    """Processor time of the answer, without HTTP and template."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder))
        for kernel in typeindex.all_kernels(settings):
            catalog(settings).btf(kernel)
        base = milliseconds(yardstick, times=20)
        began = perf_counter()
        names = typeindex.all_names(settings)
        built = perf_counter() - began
        spent = sorted(_searched(names))
        p95 = quantiles(spent, n=20)[-1]
        name = f"type search, {names.rows:,} names, p95"
        yield Figure(name, p95, "ms", 30.0, base, "yardstick")
        yield Figure("type search, median", spent[len(spent) // 2], "ms", 10.0, base, "yardstick")
        yield Figure("index of all names, once", built, "s", 30.0, base / 1e3, "yardstick")
        memory = sum(len(group.lower) for group in names.groups) / MB
        yield Figure("memory of that index", memory, "MB", 6.0, 1.0, "1 MB")
        yield from _page(settings, base)


def _searched(names: typeindex.Names) -> Iterator[float]:
    for word in TYPED:
        for length in range(1, len(word) + 1):
            began = process_time()
            search(names, read_query(word[:length]), HITS)
            yield (process_time() - began) * 1e3


def _page(settings: Settings, base: float) -> Iterator[Figure]:
    btf = catalog(settings).btf(KERNEL)
    refs = typeindex.references(settings, KERNEL)

    def look() -> None:
        ids = ids_to_show(btf, "task_struct")
        for type_id in ids:
            opened(btf, type_id)
        pointing(btf, refs, ids)

    spent = milliseconds(look, times=10)
    yield Figure("task_struct with who points there", spent, "ms", 200.0, base, "yardstick")
