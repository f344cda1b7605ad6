"""The real application, and a way to post its form as htmx or as a browser without scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import load_settings
from tests.support.issue1348 import program


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(load_settings(workers=1)), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="session")
def issue_object() -> bytes:
    """The object of issue 1348, made without a compiler."""
    return program().build()
