"""The application around the routes: headers, hosts, body sizes, errors, static files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from app.assets import Assets, folder_digest
from app.main import create_app
from app.middleware import HostMiddleware
from app.settings import Settings, load_settings

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """Build the real application with two more routes, to see what it makes of them."""
    app = create_app(Settings(data=tmp_path, body_bytes=1024))

    @app.get("/api/v1/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    @app.post("/api/v1/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.get("/embed/x")
    async def embedded() -> str:
        return "framed"

    return app


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/api/v1/broken", "/static/none.css"])
def test_every_response_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_only_embedded_pages_may_be_framed(client: TestClient) -> None:
    policy = client.get("/embed/x").headers["content-security-policy"]
    assert policy == CSP.replace("frame-ancestors 'none'", "frame-ancestors *")


def test_our_own_mistake_is_a_500_with_a_number_and_no_details(client: TestClient) -> None:
    response = client.get("/api/v1/broken")
    assert response.status_code == 500
    error = response.json()["error"]
    assert error["code"] == "internal"
    assert "ZeroDivision" not in response.text
    assert "number" in error["hint"]


def test_unknown_address_in_the_api_is_json(client: TestClient) -> None:
    response = client.get("/api/v1/nothing")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not-found"
    assert response.json()["error"]["place"] == "GET /api/v1/nothing"


def test_unknown_address_elsewhere_is_for_people(client: TestClient) -> None:
    response = client.get("/nothing")
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/")
    assert "not-found" in response.text


def test_wrong_method_says_which_are_right(client: TestClient) -> None:
    response = client.delete("/healthz")
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method-not-allowed"
    assert response.headers["allow"] == "GET"


def test_announced_body_that_is_too_large_is_not_read(client: TestClient) -> None:
    response = client.post("/api/v1/echo", content=bytes(1025))
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body-too-large"


def test_streamed_body_is_cut_at_the_limit(client: TestClient) -> None:
    taken = []

    def chunks() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield bytes(256)

    response = client.post("/api/v1/echo", content=chunks())
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body-too-large"


def test_body_of_just_the_limit_is_read(client: TestClient) -> None:
    assert client.post("/api/v1/echo", content=bytes(1024)).json() == 1024


HOSTS = [
    ("127.0.0.1:8000", True),
    ("[::1]:8000", True),
    ("localhost", True),
    ("coreplay.localhost:8000", True),
    ("server", True),
    ("192.168.1.7", True),
    ("evil.example", False),
    ("127.0.0.1.evil.example", False),
    ("localhost.evil.example:8000", False),
    ("127.0.0.1@evil.example", False),
    ("", False),
    ("a b", False),
]


@pytest.mark.parametrize(("host", "served"), HOSTS)
def test_host_names_of_others_are_refused(client: TestClient, host: str, served: bool) -> None:
    response = client.get("/healthz", headers={"host": host})
    assert response.status_code == (200 if served else 400)
    if not served:
        assert response.json()["error"]["code"] == "host-not-allowed"
        assert response.headers["content-security-policy"] == CSP


@pytest.mark.parametrize("host", ["play.example.org", "play.example.org:443", "PLAY.example.ORG."])
def test_host_name_that_was_allowed_is_served(host: str) -> None:
    middleware = HostMiddleware(create_app, allowed=("play.example.org",))  # type: ignore[arg-type]
    assert middleware.allows(host)
    assert not middleware.allows("example.org")


def test_server_for_others_serves_any_name_unless_told() -> None:
    app = create_app(load_settings({"COREPLAY_HOST": "0.0.0.0"}))
    assert TestClient(app, base_url="http://play.example.org").get("/healthz").status_code == 200


@pytest.fixture
def static(tmp_path: Path) -> Path:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "app.js").write_text("1")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "package.json").write_text("{}")
    return tmp_path


def test_static_url_changes_with_the_content(static: Path) -> None:
    before = Assets(static).url("js/app.js")
    (static / "js" / "app.js").write_text("2")
    assert Assets(static).url("js/app.js") != before
    digest = folder_digest(static)
    (static / "src" / "package.json").write_text("{ }")
    assert folder_digest(static) == digest


def test_hashed_file_is_kept_for_ever_others_are_asked_for_again(static: Path) -> None:
    assets = Assets(static)
    app = FastAPI()
    app.mount("/static", assets)
    client = TestClient(app)
    assert "immutable" in client.get(assets.url("js/app.js")).headers["cache-control"]
    assert client.get("/static/js/app.js").headers["cache-control"] == "no-cache"
    assert client.get("/static/0123456789ab/js/app.js").headers["cache-control"] == "no-cache"
    for outside in ("/static/src/package.json", "/static/../app/main.py", "/static/%2e%2e/run"):
        assert client.get(outside).status_code == 404
