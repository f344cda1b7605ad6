"""The settings: `COREPLAY_*` environment variables and nothing else.

A frozen dataclass instead of a settings library: reading it takes microseconds, which keeps
`coreplay relocate` quick and the worker processes small. docs/settings.md has a heading for
each name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, cast

from app.errors import AppError
from engine import limits

Jail = Literal["auto", "none"]

PREFIX: Final = "COREPLAY_"
MIB: Final = 1 << 20


def _default_data() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "coreplay"


def _default_workers() -> int:
    return max(1, min(4, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; durations are seconds, sizes bytes."""

    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    """Host names that are served; empty: see `app.middleware.HostMiddleware`."""
    data: Path = field(default_factory=_default_data)
    """Kernels that were added, and caches."""
    cache: Path | None = None
    """Index files of the kernels; `None` means `data/cache`."""
    jail: Jail = "auto"
    """`none` compiles without a jail: only for one's own machine."""
    workers: int = field(default_factory=_default_workers)
    queue: int = 64
    """Requests that may wait for a worker before the server says that it is busy."""
    analysis_timeout: float = 30.0
    source_bytes: int = limits.SOURCE_BYTES
    object_bytes: int = limits.OBJECT_BYTES
    body_bytes: int = 24 * MIB
    """One request body: the largest object in base64, with room for the rest."""
    kernels_per_request: int = 6
    loaders_per_request: int = 4
    result_cache_bytes: int = 16 * MIB
    vm_ready: int = 2
    """Clones of each guest kernel that stand ready once it was asked."""
    vm_queue: int = 64
    """Requests that may wait for a clone before others are refused."""
    vm_deadline: float = 3.0
    """What a guest may take for one request."""
    log_level: str = "info"

    @property
    def cache_dir(self) -> Path:
        """Where index files are kept."""
        return self.cache if self.cache is not None else self.data / "cache"


def load_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read the settings from the environment; `overrides` (command-line flags) win, if not None.

    Raises AppError `setting-invalid` that names the variable.
    """
    environ = os.environ if environ is None else environ
    values = {
        name: _parse(PREFIX + name.upper(), parser, environ[PREFIX + name.upper()])
        for name, parser in _PARSERS.items()
        if PREFIX + name.upper() in environ
    }
    for name, value in overrides.items():
        if value is not None:
            values[name] = _parse(f"--{name}", _PARSERS[name], str(value))
    return Settings(**values)  # type: ignore[arg-type]  # each value went through its parser


def setting_names() -> tuple[str, ...]:
    """Give the environment variables that are read, `COREPLAY_HOST` first."""
    return tuple(PREFIX + name.upper() for name in _PARSERS)


def unknown_settings(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Give the `COREPLAY_*` variables that nothing reads: most likely typing mistakes."""
    return tuple(sorted(k for k in environ if k.startswith(PREFIX) and k not in setting_names()))


def _parse(key: str, parser: Callable[[str], object], text: str) -> object:
    try:
        return parser(text.strip())
    except ValueError as problem:
        raise AppError(
            f"{text[:80]!r} is not valid: {problem}", code="setting-invalid", place=key
        ) from None


def _whole(low: int, high: int) -> Callable[[str], object]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"want a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise ValueError("want seconds from above 0 to 3600")
    return value


def _path(text: str) -> Path:
    if not text:
        raise ValueError("want a folder")
    return Path(text).expanduser().absolute()


def _jail(text: str) -> Jail:
    if text not in ("auto", "none"):
        raise ValueError("want auto or none")
    return cast("Jail", text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _log_level(text: str) -> str:
    if text not in ("critical", "error", "warning", "info", "debug"):
        raise ValueError("want critical, error, warning, info or debug")
    return text


def _host(text: str) -> str:
    if not text:
        raise ValueError("want an address or a host name")
    return text


_PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "host": _host,
    "port": _whole(0, 65535),
    "allowed_hosts": _names,
    "data": _path,
    "cache": _path,
    "jail": _jail,
    "workers": _whole(1, 64),
    "queue": _whole(0, 10_000),
    "analysis_timeout": _seconds,
    "source_bytes": _whole(1, 64 * MIB),
    "object_bytes": _whole(1, limits.OBJECT_BYTES),
    "body_bytes": _whole(1024, 256 * MIB),
    "kernels_per_request": _whole(1, 64),
    "loaders_per_request": _whole(1, 64),
    "result_cache_bytes": _whole(0, 1 << 30),
    "vm_ready": _whole(0, 16),
    "vm_queue": _whole(0, 10_000),
    "vm_deadline": _seconds,
    "log_level": _log_level,
}
