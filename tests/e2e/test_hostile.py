"""Names made to break pages, and names without end, on every page of an object, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.issue1348 import program

HOSTILE = "</script></svg><img src=x onerror=alert(1)>\"'&{{7*7}}"
LONG = "x" * 10_000


def opened(open_page: Callable[..., Page], folder: Path, name: str, **options: object) -> Page:
    """The result of an object whose program and enumerator have this name."""
    path = folder / "made.bpf.o"
    path.write_bytes(program(name, name).build())
    page = open_page(**options)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_input_files("#object", path)
    expect(page.locator(".verdict")).to_have_count(2)
    return page


def holds(page: Page) -> None:
    """Nothing of a name became an element, and nothing widens the page."""
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert page.locator("img, [onerror]").count() == 0
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= room


def saved(page: Page, kind: str, folder: Path) -> str:
    with page.expect_download() as waiting:
        page.locator(".graph").nth(1).get_by_text(kind, exact=True).click()
    file = folder / f"graph.{kind.lower()}"
    waiting.value.save_as(file)
    return file.read_text()


def test_markup_in_names_is_text_on_every_page(open_page, tmp_path: Path):
    page = opened(open_page, tmp_path, HOSTILE)
    expect(page.locator(".cause")).to_contain_text(HOSTILE)
    holds(page)
    page.locator("#why-1").click()
    expect(page.locator("dialog.drawer .walk")).to_contain_text(HOSTILE)
    holds(page)
    page.keyboard.press("Escape")
    expect(page.locator("svg.cfg title").first).to_contain_text("onerror")
    assert "<img" not in saved(page, "SVG", tmp_path)
    dot = saved(page, "DOT", tmp_path)
    assert 'onerror=alert(1)>\\"' in dot
    page.get_by_role("button", name="on a page of its own").click()
    expect(page.locator("h1")).to_contain_text(HOSTILE)
    holds(page)
    page.get_by_role("button", name="Back to the result").click()
    page.get_by_role("button", name="Matrix", exact=True).click()
    expect(page.locator(".matrix")).to_contain_text(HOSTILE)
    holds(page)


def test_a_saved_picture_with_markup_in_it_runs_nothing(open_page, tmp_path: Path):
    page = opened(open_page, tmp_path, HOSTILE)
    page.get_by_text("Control flow", exact=True).click()
    saved(page, "SVG", tmp_path)
    page.goto((tmp_path / "graph.svg").as_uri())
    assert page.locator("svg text").count() > 3
    assert page.evaluate("document.querySelectorAll('img, script').length") == 0


@pytest.mark.parametrize("width", [390, 1440])
def test_names_without_end_widen_no_page(open_page, tmp_path: Path, width: int):
    page = opened(open_page, tmp_path, LONG, viewport={"width": width, "height": 900})
    holds(page)
    page.locator("#why-1").click()
    expect(page.locator("dialog.drawer .walk")).to_be_visible()
    drawer = page.locator("dialog.drawer")
    assert drawer.evaluate("e => e.scrollWidth <= e.clientWidth")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="on a page of its own").click()
    expect(page.locator("h1")).to_contain_text("xxx")
    holds(page)
    page.get_by_role("button", name="Back to the result").click()
    page.get_by_role("button", name="Matrix", exact=True).click()
    expect(page.locator(".matrix")).to_be_visible()
    holds(page)
