"""Graphs over HTTP: page, part and files, by address and by form."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from starlette.testclient import TestClient

from tests.support.issue1348 import CILIUM, KERNEL, LIBBPF, program

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
FORM = {"kernel": ["", KERNEL], "loader": [CILIUM, LIBBPF]}
HOSTILE = "</script><img src=x onerror=alert(1)>"


def post(client: TestClient, path: str, obj: bytes, *, headers=None):
    return client.post(path, data=FORM, files={"object": ("prog.o", obj)}, headers=headers)


@pytest.mark.parametrize(("view", "figures"), [("side", 3), ("over", 2), ("list", 3), ("no", 3)])
def test_each_view_of_an_object(client, issue_object, view, figures):
    page = post(client, f"/graph?view={view}", issue_object)
    assert page.status_code == 200
    assert page.text.count('<figure class="graph">') == figures
    assert (page.text.count('class="cfg"') == 0) == (view == "list")
    assert "falls through to block 1" in page.text


def test_a_script_gets_the_part(client, issue_object):
    part = post(client, "/graph?view=over", issue_object, headers=PARTIAL)
    assert "<html" not in part.text
    assert 'form="run-form"' in part.text


def test_an_example_has_addresses(client: TestClient):
    page = client.get("/graph?example=enum-1348")
    assert page.status_code == 200
    assert 'href="/graph.svg?example=enum-1348' in page.text
    assert "<form" not in page.text
    assert "in the browser that ran it" in client.get("/graph?draft=0123456789ab").text


@pytest.mark.parametrize("side", ["before", CILIUM, LIBBPF])
def test_files_are_downloaded(client, issue_object, side):
    svg = post(client, f"/graph.svg?side={side}", issue_object)
    assert svg.headers["content-type"] == "image/svg+xml"
    assert svg.headers["content-disposition"].startswith('attachment; filename="control-flow-')
    ET.fromstring(svg.content)
    dot = post(client, f"/graph.dot?side={side}", issue_object)
    assert dot.text.startswith('digraph "prog"')


def test_a_side_that_is_not_there(client, issue_object):
    answer = post(client, "/graph.svg?side=other", issue_object)
    assert answer.status_code == 404
    assert "There is no such graph" in answer.text


def test_hostile_names_are_text(client: TestClient):
    obj = program(HOSTILE).build()
    for path in ("/graph?view=side", "/graph?view=over", "/graph?view=list"):
        assert "<img src=x" not in post(client, path, obj).text
    ET.fromstring(post(client, "/graph.svg?side=before", obj).content)
