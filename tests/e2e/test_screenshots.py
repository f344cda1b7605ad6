"""The screenshots of the documentation, taken anew by each run of the browser tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.tree import ROOT

FOLDER = ROOT / "docs" / "screenshots"
LIMIT = 250_000
"""Bytes; a screenshot is read on slow lines, too."""


@pytest.mark.parametrize(
    ("name", "scheme", "width", "height"),
    [
        ("result-light", "light", 1440, 900),
        ("result-dark", "dark", 1440, 900),
        ("result-390", "light", 390, 1300),
    ],
)
def test_screenshot(open_page, tmp_path: Path, name, scheme, width, height):
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": height})
    page.keyboard.press("Control+Enter")
    expect(page.locator(".verdict")).to_have_count(2)
    page.mouse.move(width - 1, 20)
    taken = page.screenshot(path=tmp_path / f"{name}.png", animations="disabled")
    assert len(taken) < LIMIT
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / f"{name}.png"
    if not kept.exists() or kept.read_bytes() != taken:
        kept.write_bytes(taken)
