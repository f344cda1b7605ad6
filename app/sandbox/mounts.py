"""Which parts of the host's file system a jailed program sees: shared libraries and no more.

Not `/usr` as a whole: `/usr/local`, `/usr/share` and `/usr/src` hold whatever somebody put
there. Not `/etc`, `/home`, `/root`, `/var`, `/tmp`, `/proc`, `/sys` or `/dev` at all, except
`/etc/ld.so.cache`, which names libraries and makes starting faster.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

LIBRARY_CACHE: Final = "/etc/ld.so.cache"
TOP_LINKS: Final = ("/lib", "/lib64", "/bin")


@functools.cache
def prlimit_path() -> str:
    """Give the path of util-linux's prlimit, which sets the limits inside the jail."""
    return shutil.which("prlimit", path="/usr/bin:/bin:/usr/sbin:/sbin") or "/usr/bin/prlimit"


@functools.cache
def runtime_arguments() -> tuple[str, ...]:
    """Give bwrap's arguments that make dynamically linked programs start in the jail."""
    arguments: list[str] = []
    for link in TOP_LINKS:
        if os.path.islink(link):
            arguments += ["--symlink", os.readlink(link).lstrip("/"), link]
    arguments += bind_arguments([*_library_folders(), *_loaders(), Path(prlimit_path())])
    return (*arguments, "--ro-bind-try", LIBRARY_CACHE, LIBRARY_CACHE)


def bind_arguments(paths: Iterable[Path]) -> list[str]:
    """Give bwrap's arguments that show each existing path read-only at its own place."""
    arguments: list[str] = []
    for path in dict.fromkeys(str(path) for path in paths if path.exists()):
        arguments += ["--ro-bind", path, path]
    return arguments


def _library_folders() -> list[Path]:
    """Folders of shared libraries: Debian's `/usr/lib/<triplet>`, other systems' `/usr/lib64`."""
    folders = [path.parent for path in Path("/usr/lib").glob("*/libc.so.6")]
    folders += [path for path in (Path("/usr/lib64"),) if path.is_dir()]
    if not Path("/lib").is_symlink():
        folders += [path.parent for path in Path("/lib").glob("*/libc.so.6")]
        folders += [path for path in (Path("/lib64"),) if path.is_dir()]
    return folders or [Path("/usr/lib")]


def _loaders() -> list[Path]:
    """The dynamic loader where it stands outside those folders (`/usr/lib/ld-linux-*.so.1`)."""
    return sorted(Path("/usr/lib").glob("ld*.so.*"))
