"""coreplay matrix: every relocation on many kernels under many loaders, value by value."""

from __future__ import annotations

import argparse
import json
import sys

from app.commands.check import read_choices
from app.services.matrix import matrix_of


def run(arguments: argparse.Namespace) -> int:
    """Print the table; what loaders refuse stands in it, so the code is 0."""
    asked = read_choices(arguments)
    arches = {s.id: s.arch or "" for s in asked.catalog.snapshots()}
    found = matrix_of(asked.request, asked.kernels, asked.policies, arches)
    if arguments.differences:
        found = found.differences()
    if arguments.json:
        from app.views.matrix_json import matrix_json

        sys.stdout.write(json.dumps(matrix_json(found), indent=1, ensure_ascii=False) + "\n")
    else:
        from app.views.matrix_text import matrix_text

        sys.stdout.write(matrix_text(found))
    return 0
