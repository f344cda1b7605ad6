"""The documentation as pages: every link of every page leads to a page and a heading of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from app.services.docs import DocFile, docs
from app.views.docs import doc_page, slug
from tests.support.tree import ROOT


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.add(tag)
        if tag == "a" and found.get("href"):
            self.targets.append(found["href"])
        if found.get("id"):
            self.ids.add(found["id"])


def test_every_file_has_its_page(client):
    assert len(docs()) > 30
    listed = Links(client.get("/docs").text).targets
    for place in docs():
        assert f"/docs/{place}" in listed


@pytest.mark.parametrize("place", sorted(docs()))
def test_links_lead_to_headings(client, place):
    page = client.get(f"/docs/{place}")
    assert page.status_code == 200
    links = Links(page.text)
    helpers = [target for target in links.targets if target.startswith("/docs/helpers/")]
    for target in [t for t in links.targets if t not in helpers[5:]]:
        path, _, fragment = target.partition("#")
        if path.startswith("/docs/") or (not path and fragment != "main"):
            ids = Links(client.get(path).text).ids if path else links.ids
            assert not fragment or fragment in ids, target
        elif path.startswith("/"):
            assert client.get(path).status_code == 200, target


@pytest.mark.parametrize(
    "address",
    ["/docs/opcodes#ld_imm64", "/docs/registers#r10", "/docs/relocations#byte_off",
     "/docs/errors#kernel-unknown", "/loaders#cilium@0.13.0", "/docs/lint/silent-zero"],
)  # fmt: skip
def test_addresses_that_cards_link_to(client, address):
    path, _, fragment = address.partition("#")
    page = client.get(path)
    assert page.status_code == 200
    assert not fragment or fragment in Links(page.text).ids


def test_html_in_markdown_is_text():
    page = doc_page(DocFile("x", "x", "# x\n\n<script>alert(1)</script> <b onclick=x>b</b>\n"))
    assert {"script", "b"} & Links(str(page.html)).tags == set()
    assert "&lt;script&gt;" in page.html


def test_a_page_that_is_not_there(client):
    answer = client.get("/docs/kernel")
    assert answer.status_code == 404
    assert "Near: kernels" in answer.text
    assert client.get("/docs/..%2fREADME").status_code == 404


def test_slugs_are_those_of_github():
    assert slug("`coreplay btf show`") == "coreplay-btf-show"
    assert slug("libbpf's tools: six kernels") == "libbpfs-tools-six-kernels"


def test_headings_of_one_name_differ():
    page = doc_page(DocFile("x", "x", "## a\n\n## a\n"))
    assert re.findall(r'id="([^"]+)"', str(page.html)) == ["a", "a-1"]
    assert (ROOT / "docs").is_dir()


def test_a_helper_has_its_page(client):
    listed = client.get("/docs/helpers").text
    assert '<a href="/docs/helpers/bpf_map_lookup_elem">' in listed
    page = client.get("/docs/helpers/bpf_map_lookup_elem").text
    text = re.sub(r"<[^>]+>", "", page)
    assert "Helper number 1:" in text
    assert "u64 bpf_map_lookup_elem(struct bpf_map *map, void *key);" in text
    assert "7.3.4+deb13-amd64: number 1" in text


def test_a_helper_that_came_later(client):
    text = re.sub(r"<[^>]+>", "", client.get("/docs/helpers/bpf_cgrp_storage_get").text)
    assert "5.10.0-46-amd64: missing" in text
    assert "6.12.117+deb12-amd64: number 210" in text


def test_a_helper_that_is_not_there(client):
    answer = client.get("/docs/helpers/bpf_map_lookup_elm")
    assert answer.status_code == 404
    assert "bpf_map_lookup_elem" in answer.text
