"""Comparisons, cells of the strip and folded panes over HTTP; every state has an address."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from tests.support.issue1348 import CILIUM, FIXED, KERNEL, LIBBPF
from tests.support.large import long_program, many_programs

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
OLD = "5.10.0-46-amd64"


def post(client: TestClient, obj: bytes, **fields: object):
    data = {"kernel": [KERNEL], "loader": [CILIUM, LIBBPF], **fields}
    files = {"object": ("prog.o", obj)}
    return client.post("/analyse", data=data, files=files, headers=PARTIAL)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html))


def sides(left: tuple[str, str], right: tuple[str, str]) -> dict[str, str]:
    named = {}
    for side, (kernel, loader) in (("left", left), ("right", right)):
        named |= {f"{side}-kernel": kernel, f"{side}-loader": loader}
    return {"compare": "on", **named}


def test_two_kernels_of_one_loader_and_its_address(client, issue_object):
    answer = post(client, issue_object, **sides((KERNEL, LIBBPF), (OLD, LIBBPF)))
    text = text_of(answer.text)
    assert "both write the same 8 slots, byte for byte" in text
    query = parse_qs(urlsplit(answer.headers["hx-push-url"]).query)
    assert query["left"] == [f"{KERNEL}/{LIBBPF}"]
    assert query["right"] == [f"{OLD}/{LIBBPF}"]
    again = post(client, issue_object, left=query["left"], right=query["right"])
    assert f"left libbpf 1.7.0 on {KERNEL}" in text_of(again.text)
    alone = post(client, issue_object, left=query["left"], right=query["right"], compare="off")
    assert "left" not in parse_qs(urlsplit(alone.headers["hx-push-url"]).query)


def test_the_same_side_twice_is_one_column(client, issue_object):
    page = post(client, issue_object, **sides((KERNEL, CILIUM), (KERNEL, CILIUM))).text
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "Left and right are the same choice: cilium 0.13.0." in text_of(page)


@pytest.mark.parametrize("side", ["nowhere/libbpf@1.7.0", f"{KERNEL}/nothing@1"])
def test_a_side_that_does_not_exist_is_an_error(client, issue_object, side):
    answer = post(client, issue_object, left=side, right=f"{KERNEL}/{LIBBPF}")
    assert answer.status_code == 422
    assert "There is no" in answer.text


def test_a_side_that_is_no_side_compares_nothing(client, issue_object):
    answer = post(client, issue_object, left="nonsense", right="/")
    assert answer.status_code == 200
    assert 'class="side"' not in answer.text


def test_a_cell_of_the_strip_is_one_field(client, issue_object):
    answer = post(client, issue_object, kernel=[KERNEL, OLD], cell=f"{OLD}/{FIXED}")
    assert answer.status_code == 200
    query = parse_qs(urlsplit(answer.headers["hx-push-url"]).query)
    assert query["show"] == [OLD]
    assert "one" not in query  # it is none of the loaders that were chosen
    alone = post(client, issue_object, kernel=[KERNEL, OLD], cell=f"{OLD}/{LIBBPF}")
    assert alone.text.count('<li class="verdict') == 1
    assert alone.text.count('<th scope="col" class="new c') == 1


def test_folded_panes_are_folded_by_the_server(client, issue_object):
    page = post(client, issue_object, hide="before,c1,nonsense").text
    assert "data-hide-before data-hide-c1" in page
    assert "nonsense" not in page.replace('value="before,c1,nonsense"', "")


def test_a_long_program_comes_by_pages(client):
    data = long_program(1_000)
    first, later = post(client, data).text, post(client, data, at="400").text
    assert first.count('class="slot-row') == 200
    assert 'id="row-400"' in later
    assert 'id="row-399"' not in later
    assert "slots 400 to 599 of 1003" in text_of(later)


def test_each_of_sixty_programs_has_its_outcome(client):
    page = post(client, many_programs()).text
    assert page.count('<button class="turn clear') == 54
    assert page.count('<button class="turn poison-reachable') == 6
