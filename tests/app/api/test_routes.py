"""The other routes of the API, and the page that describes all of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from app.api.models import ClangsOut, KernelsOut, LoadersOut

KERNELS = [
    "5.10.0-46-amd64",
    "6.1.0-56-amd64",
    "6.12.117+deb12-amd64",
    "6.12.117+deb12-arm64",
    "6.12.107+deb13-s390x",
    "7.3.4+deb13-amd64",
]


def test_kernels(client: TestClient) -> None:
    answer = client.get("/api/v1/kernels").json()
    assert KernelsOut.model_validate(answer).model_dump() == answer
    rows = {row["id"]: row for row in answer["kernels"]}
    assert set(KERNELS) <= set(rows)
    assert rows["6.12.107+deb13-s390x"]["byte_order"] == "big"
    assert rows["6.1.0-56-amd64"]["sha256"].startswith("a53c4b97419b")


def test_one_kernel(client: TestClient) -> None:
    answer = client.get("/api/v1/kernels/6.12.117%2Bdeb12-arm64").json()
    assert (answer["arch"], answer["series"]) == ("arm64", "6.12")


@pytest.mark.parametrize("name", ["6.1.0-55-amd64", "..%2f..", "%00", "x" * 5000])
def test_unknown_kernel_is_a_404(client: TestClient, name: str) -> None:
    response = client.get(f"/api/v1/kernels/{name}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] in ("kernel-unknown", "not-found")
    assert len(response.content) < 1000


def test_loaders(client: TestClient) -> None:
    answer = client.get("/api/v1/loaders").json()
    assert LoadersOut.model_validate(answer).model_dump() == answer
    ids = [row["id"] for row in answer["loaders"]]
    assert {"libbpf@1.7.0", "cilium@0.13.0", "cilium@0.13.1"} <= set(ids)


def test_clangs_newest_first(client: TestClient) -> None:
    answer = client.get("/api/v1/clangs").json()
    assert ClangsOut.model_validate(answer).model_dump() == answer
    majors = [row["major"] for row in answer["clangs"]]
    assert majors == sorted(majors, reverse=True)


def test_large_answers_are_compressed(client: TestClient) -> None:
    response = client.get("/openapi.json", headers={"accept-encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert response.json()["openapi"].startswith("3.")


class Page(HTMLParser):
    """Collects ids, links inside the page, and what the page loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loads: list[str] = []
        self.inline = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.ids.add(known.get("id", ""))
        if known.get("href", "").startswith("#"):
            self.links.add(known["href"][1:])
        if tag in ("script", "link", "img"):
            self.loads.append(known.get("src") or known.get("href") or "")
        if (tag == "script" and "src" not in known) or tag == "style" or "style" in known:
            self.inline += 1


def test_page_describes_every_route_and_needs_nothing_from_elsewhere(client: TestClient) -> None:
    response = client.get("/api/docs")
    assert response.status_code == 200
    page = Page(response.text)
    assert page.inline == 0
    assert [url for url in page.loads if not url.startswith(("/static/", "#"))] == []
    assert page.links - page.ids == set()
    described = set(re.findall(r"<code>((?:GET|POST|DELETE) /[^<]*)</code>", response.text))
    openapi = client.get("/openapi.json").json()
    routes = {
        f"{method.upper()} {path}" for path, item in openapi["paths"].items() for method in item
    }
    assert routes <= described
    schemas = set(openapi["components"]["schemas"])
    assert {f"schema-{name}" for name in schemas} <= page.ids
    assert "HTTPValidationError" not in schemas  # ours have another form


def test_what_the_page_loads_is_there(client: TestClient) -> None:
    for url in Page(client.get("/api/docs").text).loads:
        assert client.get(url).status_code == 200, url


def test_usual_address_leads_there(client: TestClient) -> None:
    assert 'href="/api/docs"' in client.get("/docs").text
