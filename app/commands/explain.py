"""coreplay explain: why each relocation came out as it did, and what to write instead."""

from __future__ import annotations

import argparse
import json
import sys

from app.commands.program import print_diagnostics, program_request
from app.errors import AppError
from app.services.analyse import catalog, check, compile_source, read_object
from app.services.explain import Explanation, explain
from app.settings import Settings, load_settings
from engine.core.candidates import Target
from engine.core.prepare import PreparedObject
from engine.loaders import policy_of


def run(arguments: argparse.Namespace) -> int:
    """Print text or JSON; 1 when the loader refused."""
    settings = load_settings()
    known = catalog(settings)
    kernel = known.resolve(arguments.kernel).id
    policy = policy_of(arguments.loader)
    prepared = prepared_program(arguments, settings, kernel, policy.id)
    target = Target(known.btf(kernel))
    found = explain(prepared, target, policy, relocation=arguments.relocation)
    if arguments.relocation is not None and not found.rows:
        raise AppError(
            f"The object has no relocation #{arguments.relocation}",
            code="bad-request",
            place="--relocation",
            hint="Leave the option out to see all; numbers count in each section from 0.",
        )
    sys.stdout.write(_rendered(found, kernel, as_json=arguments.json))
    refused = found.result.error or any(f.error for f in found.result.functions)
    return 1 if refused else 0


def prepared_program(
    arguments: argparse.Namespace, settings: Settings, kernel: str, loader: str
) -> PreparedObject:
    """Read or compile the program of a command line, and decode it."""
    request = program_request(arguments, (kernel,), (loader,))
    check(request, settings)
    data = request.object
    if data is None:
        compiled = compile_source(request, catalog(settings).btf, settings.cache_dir)
        print_diagnostics(compiled.diagnostics)
        data = compiled.object
    return read_object(data or b"")


def _rendered(found: Explanation, kernel: str, *, as_json: bool) -> str:
    if as_json:
        from app.views.explain_json import explanation_json  # late: the other form needs it not

        return json.dumps(explanation_json(found, kernel), indent=2) + "\n"
    from app.views.explain_text import explanation_text

    return explanation_text(found, kernel)
