"""coreplay btf show, diff, history: a type on one kernel, on two, on all."""

from __future__ import annotations

import argparse
import json
from typing import Any

from app.commands.btf import kernel_btf
from app.errors import AppError
from app.services.analyse import catalog
from app.services.types import diff_type, find_types, type_history
from app.settings import load_settings

_TWO = 2


def run(arguments: argparse.Namespace) -> int:
    """Do the action that was asked for; 0 also where nothing changed."""
    actions = {"show": _show, "diff": _diff, "history": _history}
    text, answer = actions[arguments.action](arguments)
    print(json.dumps(answer, indent=1, ensure_ascii=False) if arguments.json else text, end="")
    if arguments.json:
        print()
    return 0


def _show(arguments: argparse.Namespace) -> tuple[str, Any]:
    from app.views.types_json import shape_json
    from engine.explain.type_layout import layout_as_c

    btf = kernel_btf(arguments)
    found = [(shape, layout_as_c(btf, shape.id)) for shape in find_types(btf, arguments.type)]
    text = "\n".join(f"/* [{shape.id}] */\n{code}" for shape, code in found)
    return text, [shape_json(shape, code) for shape, code in found]


def _diff(arguments: argparse.Namespace) -> tuple[str, Any]:
    from app.views.types_json import diffs_json
    from app.views.types_text import diff_text

    if len(arguments.kernel) != _TWO:
        raise AppError(
            f"{len(arguments.kernel)} kernels were given; two are compared",
            code="bad-request",
            place="--kernel",
            hint="Give the option twice: --kernel OLD --kernel NEW.",
        )
    known = catalog(load_settings())
    before, after = (known.resolve(name).id for name in arguments.kernel)
    diffs = diff_type(known, arguments.type, before, after)
    return diff_text(diffs, before, after), diffs_json(diffs, before, after)


def _history(arguments: argparse.Namespace) -> tuple[str, Any]:
    from app.views.types_json import history_json
    from app.views.types_text import history_text

    steps = type_history(catalog(load_settings()), arguments.type)
    return history_text(steps), history_json(steps)
