"""The version of this package, as installed."""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """Give the installed version, `0+source` when coreplay runs from a bare source tree."""
    from importlib.metadata import PackageNotFoundError, version  # late: slow to import

    try:
        return version("coreplay")
    except PackageNotFoundError:
        return "0+source"
