"""coreplay vm: add, list, check, remove the real kernels that can be asked."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from app.services.analyse import catalog
from app.services.vm import (
    GuestCheck,
    GuestRow,
    add_guest,
    check_guest,
    guest_templates,
    list_guests,
    remove_guest,
)
from app.settings import load_settings


def run(arguments: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    settings = load_settings()
    templates = guest_templates(settings)
    if arguments.action == "add":
        known = catalog(settings)

        async def add() -> list[GuestRow]:
            return [await add_guest(what, templates, known, _say) for what in arguments.what]

        _list(asyncio.run(add()), as_json=arguments.json)
        return 0
    if arguments.action == "remove":
        removed = remove_guest(arguments.guest, templates)
        print(f"{removed.id} is removed; its BTF is still among the kernels")
        return 0
    if arguments.action == "list":
        _list(list_guests(templates), as_json=arguments.json)
        return 0
    chosen = templates.store.guests()
    if arguments.guest is not None:
        chosen = (templates.store.resolve(arguments.guest),)

    async def check() -> list[GuestCheck]:
        return [await check_guest(guest, templates, _say) for guest in chosen]

    return _checks(asyncio.run(check()), as_json=arguments.json)


def _say(text: str) -> None:
    print(f"coreplay: {text}", file=sys.stderr, flush=True)


def _list(rows: Sequence[GuestRow], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_as_json(row) for row in rows], indent=2))
        return
    if not rows:
        _say("no real kernel is here; coreplay vm add 6.1 adds one")
    width = max((len(row.guest.id) for row in rows), default=0)
    for row in rows:
        made = row.template
        state = "no template: coreplay vm check makes it"
        if made is not None:
            state = f"{made.accelerator}, {made.bytes / 1e6:.0f} MB, made in {made.seconds:.1f} s"
        print(f"{row.guest.id:{width}}  {state}  {row.guest.source}")


def _as_json(row: GuestRow) -> dict[str, object]:
    made = None if row.template is None else asdict(row.template)
    return {**asdict(row.guest), "series": row.guest.series, "template": made}


def _checks(checks: Sequence[GuestCheck], *, as_json: bool) -> int:
    """Print what came of each; 1 when something is wrong."""
    if as_json:
        told = [
            {"id": c.guest.id, "cold_ms": c.cold, "warm_ms": c.warm, "problem": c.problem}
            for c in checks
        ]
        print(json.dumps(told, indent=2))
    else:
        for one in checks:
            good = f"answers in {one.warm} ms, {one.cold} ms when no clone stands ready"
            print(f"{one.guest.id}: {one.problem or good}")
    return 1 if any(one.problem for one in checks) else 0
