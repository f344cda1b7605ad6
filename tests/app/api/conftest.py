"""The real application with real workers and kernels, shared by the tests of the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import load_settings


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(load_settings(workers=1)), base_url="http://127.0.0.1") as client:
        yield client
