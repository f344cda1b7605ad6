"""coreplay loaders: the loader versions, what each does differently, and since which commit."""

from __future__ import annotations

import argparse
import json
import textwrap
from dataclasses import asdict
from typing import Final

from app.services import choices

_COLUMNS: Final = 100


def run(arguments: argparse.Namespace) -> int:
    """Print a table of 100 columns: id, and one line or more for each difference."""
    known = choices.loaders()
    if arguments.json:
        print(json.dumps([asdict(loader) for loader in known], indent=2))
        return 0
    width = max(len(loader.id) for loader in known) + 2
    for loader in known:
        head = loader.id.ljust(width)
        for note in loader.notes or [loader.title]:
            lines = textwrap.wrap(note, _COLUMNS - width - 2, break_on_hyphens=False)
            for number, line in enumerate(lines):
                print(f"{head}{'- ' if not number else '  '}{line}")
                head = " " * width
    return 0
