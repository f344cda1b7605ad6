"""coreplay loaders: the loader versions that can be asked."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from app.services import choices


def run(arguments: argparse.Namespace) -> int:
    """Print one loader a line."""
    known = choices.loaders()
    if arguments.json:
        print(json.dumps([asdict(loader) for loader in known], indent=2))
        return 0
    width = max(len(loader.id) for loader in known)
    for loader in known:
        print(f"{loader.id:{width}}  {loader.title}")
    return 0
