"""/cards: one word of a result, and nothing for words that are none."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("opcode/ld_imm64", "The only instruction of two slots"),
        ("register/r10", "frame"),
        ("relocation/enumval_value", "bpf_core_enum_value"),
        ("loader/cilium@0.13.0", "the program loses a slot"),
        ("helper/bpf_loop?kernel=5.10.0-46-amd64", "5.10.0-46-amd64 does not have it"),
        ("helper/bpf_loop?kernel=6.1.0-56-amd64&kernel=nowhere", "6.1.0-56-amd64 has it"),
    ],
)
def test_a_card(client: TestClient, path: str, says: str):
    card = client.get(f"/cards/{path}")
    assert card.status_code == 200
    assert says in card.text
    assert "<html" not in card.text


@pytest.mark.parametrize(
    "path", ["opcode/<script>", "helper/nothing", "loader/x@1", "kind/x", "register/r99"]
)
def test_no_such_card(client: TestClient, path: str):
    answer = client.get(f"/cards/{path}")
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
