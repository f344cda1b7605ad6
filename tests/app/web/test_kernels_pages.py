"""/kernels and /types with names that are made to break pages: every link is tried."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urljoin

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.services.analyse import catalog
from app.settings import Settings, load_settings
from tests.support.hostile_btf import LONG, ODD, SCRIPT, hostile_btf

OLD, NEW = "1.0.0-1-amd64", "1.1.0-1-amd64"
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


class Seen(HTMLParser):
    """What a browser would make of a page: links, ids, tags that do harm, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.harm: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "img" or (tag == "script" and not found.get("src", "").startswith("/static/")):
            self.harm.append(self.get_starttag_text())
        self.harm += [name for name in found if name.startswith("on") or name == "style"]

    def handle_data(self, data):
        self.text += data


def own_settings(folder: Path) -> Settings:
    """Kernels in a folder of their own, with the indexes of the committed ones shared."""
    return load_settings(workers=1, data=str(folder), cache=str(load_settings().cache_dir))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server with two hostile kernels."""
    settings = own_settings(tmp_path_factory.mktemp("hostile"))
    known = catalog(settings)
    known.add(hostile_btf(), name="old", release=OLD)
    known.add(hostile_btf(newer=True), name="new", release=NEW)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield client


def seen(client: TestClient, address: str, status: int = 200) -> Seen:
    answer = client.get(address)
    assert answer.status_code == status, (address, answer.text[-2000:])
    page = Seen(answer.text)
    assert page.harm == [], address
    assert len(page.ids) == len(set(page.ids)), address
    return page


def compared(client: TestClient, before: str = OLD, after: str = NEW) -> Seen:
    for _ in range(600):
        page = seen(client, f"/kernels/{before}/diff/{after}")
        if "Comparing." not in page.text:
            return page
        time.sleep(0.3)
    pytest.fail("the comparison did not end")


def test_every_page_of_hostile_names_holds_and_every_link_leads_somewhere(own):
    compared(own)
    waiting = [f"/kernels/{OLD}?kind=struct", f"/kernels/{NEW}?kind=enum", "/types?q=n"]
    waiting += [f"/kernels/{OLD}?kind=func", f"/kernels/{OLD}/diff/{NEW}?kind=struct"]
    tried: set[str] = set()
    while waiting:
        address = waiting.pop()
        if address in tried or address.endswith("/health") or "/vmlinux.h" in address:
            continue
        tried.add(address)
        for link in seen(own, address).links:
            path = urljoin(address, link).partition("#")[0]
            if any(f"/{kernel}" in path for kernel in (OLD, NEW)) or path.startswith("/types/"):
                waiting.append(path)
    assert len(tried) > 60
    assert any("/ids/" in address for address in tried)


@pytest.mark.parametrize("name", [*ODD, SCRIPT, LONG])
def test_each_odd_name_is_shown_as_text(own, name):
    listed = seen(own, f"/kernels/{OLD}?kind=struct")
    assert name in listed.text
    links = [link for link in listed.links if f"/{OLD}/types/" in link or f"/{OLD}/ids/" in link]
    pages = [seen(own, link) for link in links if quote(name, safe="") in link or "/ids/" in link]
    assert any(name in page.text for page in pages)


def test_a_long_name_is_cut_and_one_key_away(own):
    page = own.get(f"/kernels/{OLD}?kind=struct").text
    assert f"<code>{'n' * 100}…</code>" in page
    assert "<summary>whole name, 10,000 characters</summary>" in page


def test_a_struct_with_holes_and_anonymous_parts(own):
    html = own.get(f"/kernels/{OLD}/types/holey").text
    text = Seen(html).text
    for said in ("32 bytes", "hole of 7 bytes", "padding, 29 bits", "} in_it;", "bit: 3;"):
        assert said in text, said
    assert {"flag", "in_it", "in_it.whole", "x", "next"} <= set(Seen(html).ids)


def test_a_member_may_have_the_id_of_the_frame(own):
    page = seen(own, f"/kernels/{OLD}/types/{quote(SCRIPT, safe='')}")
    assert {"main", "m-main"} <= set(page.ids)


def test_struct_and_function_of_one_name(own):
    text = seen(own, f"/kernels/{OLD}/types/file").text
    assert "struct file" in text
    assert "int file(void);" in text
    history = seen(own, "/types/file")
    assert {"/types/file?kind=struct", "/types/file?kind=func"} <= set(history.links)


def test_who_points_here(own):
    page = seen(own, f"/kernels/{OLD}/types/{quote(SCRIPT, safe='')}")
    assert "by pointer" in page.text
    assert "evil_t" in page.text
    assert "holey" in page.text


def test_search_in_one_kernel_and_in_all(own):
    assert "task_struct" in seen(own, f"/kernels/{OLD}?q=task_struct___v2").text
    part = own.get("/types?q=task_st", headers=PARTIAL)
    assert "<html" not in part.text
    assert '<a href="/types/task_struct"><code>task_struct</code></a>' in part.text
    assert "HX-Request-Type" in part.headers["Vary"]
    near = seen(own, "/types?q=task_strukt")
    assert "Did you mean task_struct" in " ".join(near.text.split())
    assert "holey" in seen(own, "/types?q=ole&kind=struct").text
    assert "holey" not in seen(own, "/types?q=ole&kind=enum").text


def test_an_enumerator_leads_to_its_enum(own):
    answer = own.get("/types/NEW", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("#NEW")
    assert "NEW" in seen(own, answer.headers["location"].partition("#")[0]).ids


def test_the_timeline_says_since_when(own):
    text = " ".join(seen(own, f"/types/{quote(SCRIPT, safe='')}").text.split())
    assert f"1 change since {OLD}" in text
    assert f"since {NEW}" in text
    alike = " ".join(seen(own, "/types/holey").text.split())
    assert f"{OLD}, {NEW}: first seen, 32 bytes; the same in both" in alike


def test_the_comparison_of_two_kernels(own):
    page = compared(own)
    assert SCRIPT in page.text
    assert "holey" not in page.text
    assert "2 names" not in seen(own, f"/kernels/{OLD}/diff/{NEW}?change=removed").text
    side = seen(own, f"/kernels/{OLD}/diff/{NEW}/types/{quote(SCRIPT, safe='')}")
    assert "added: int, 4 bytes at byte 8" in side.text
    same = " ".join(seen(own, f"/kernels/{OLD}/diff/{NEW}/types/holey").text.split())
    assert "the same on both" in same


def test_the_comparison_says_how_far_it_is(own):
    first = own.get(f"/kernels/{NEW}/diff/{OLD}").text
    assert "Comparing." in first
    assert f'hx-get="/kernels/{NEW}/diff/{OLD}?at=0"' in first
    compared(own, NEW, OLD)


def test_a_header_with_one_type(own):
    page = own.get(f"/kernels/{OLD}/types/holey").text
    (link,) = [link for link in Seen(page).links if "/vmlinux.h" in link]
    answer = own.get(link)
    assert answer.headers["content-type"].startswith("text/plain")
    assert "struct holey {" in answer.text
    assert own.get(f"/kernels/{OLD}/vmlinux.h?ids=x").status_code == 422


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/kernels/9.9", "no kernel"),
        ("/kernels/9.9/types/file", "no kernel"),
        (f"/kernels/{OLD}/types/task_strukt", "Near: task_struct"),
        (f"/kernels/{OLD}/types/", "Nothing is spelled like it"),
        (f"/kernels/{OLD}/ids/99999999", "numbered from 1"),
        ("/types/task_strukt", "Near: task_struct"),
        (f"/kernels/{OLD}/diff/9.9", "no kernel"),
        (f"/kernels/{OLD}/diff/{NEW}/types/task_strukt", "Near: task_struct"),
        (f"/types/{quote(SCRIPT + 'x', safe='')}", "There is no type"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(own, address, said):
    assert said in seen(own, address, 404).text


def test_the_list_and_the_health_of_kernels(own):
    page = seen(own, "/kernels?q=1.0.0")
    assert OLD in page.text
    assert NEW not in page.text
    assert "not looked at yet" in own.get(f"/kernels/{NEW}").text
    assert own.get(f"/kernels/{NEW}/health", follow_redirects=False).status_code == 303
    part = own.get(f"/kernels/{NEW}/health", headers=PARTIAL).text
    assert "sound" in part
    assert "not looked at yet" not in own.get(f"/kernels/{NEW}").text
