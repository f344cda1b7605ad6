"""What a search found, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.services.typesearch import KINDS, Answer, Hit


def answer_json(answer: Answer, kernels_of: Callable[[Hit], list[str]]) -> dict[str, Any]:
    """Give the hits, best first, each with the kernels that have it."""
    return {
        "hits": [
            {
                "name": hit.name,
                "kinds": [
                    kind
                    for kind, (group, mask) in KINDS.items()
                    if group == hit.group and mask & hit.kinds
                ],
                "id": hit.id,
                "kernels": kernels_of(hit),
            }
            for hit in answer.hits
        ],
        "more": answer.more,
        "near": list(answer.near),
    }
