"""coreplay vm loaders: build, list and remove the real loaders that run in guests."""

from __future__ import annotations

import argparse
import json
import sys

from app.errors import AppError
from app.services.gate import choose_loaders
from app.services.vm_loaders import RealLoader, add_loader, real_loaders, remove_loader
from app.settings import load_settings


def run(arguments: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    settings = load_settings()
    if arguments.action == "add":
        for policy in choose_loaders(arguments.loader):
            _list([add_loader(policy, settings, _say)], as_json=arguments.json)
        return 0
    if arguments.action == "list":
        _list(list(real_loaders(settings).values()), as_json=arguments.json)
        return 0
    if not remove_loader(arguments.loader, settings):
        raise AppError(
            f"No loader {arguments.loader[:80]!r} was built", code="loader-unknown", place="loader"
        )
    print(f"{arguments.loader} is removed")
    return 0


def _say(text: str) -> None:
    print(f"coreplay: {text}", file=sys.stderr, flush=True)


def _list(loaders: list[RealLoader], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"id": loader.id, "bytes": loader.bytes, "built_with": loader.built_with}
            for loader in loaders
        ]
        print(json.dumps(rows, indent=2))
        return
    for loader in loaders:
        print(f"{loader.id:<16}{loader.bytes / 1e6:6.1f} MB  built with {loader.built_with}")
