"""The screenshots of the documentation: taken by each run, kept anew where a page has changed.

What a page says and the style sheets decide whether a picture is old, not its bytes: another
machine has other fonts, and draws the same page otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.editing import write
from tests.support.tree import ROOT

FOLDER = ROOT / "docs" / "screenshots"
MADE_OF = FOLDER / "made-of.json"
"""For each picture a digest of what its page said and of the styles."""
LIMIT, ALL = 300_000, 3_000_000
"""Bytes of one picture, and of all: they are read on slow lines, too."""
NEW, OLD = "6.1.0-56-amd64", "5.10.0-46-amd64"
RESULT = "/analyse?example=enum-1348"
COMPARED = f"&left={NEW}/cilium@0.13.0&right={NEW}/libbpf@1.7.0"
LOG = "0: (85) call unknown#195896080\ninvalid func unknown#195896080\n"


def _drawer(page: Page) -> None:
    page.locator("#why-1").click()
    for _ in range(3):
        page.get_by_role("button", name="Next step").click()


def _error(page: Page) -> None:
    write(page, "int a;\nint b = missing;\nint c;\n")
    page.keyboard.press("Control+Enter")


def _log(page: Page) -> None:
    page.get_by_label("Log", exact=True).fill(LOG)
    page.get_by_role("button", name="Explain").click()


def _nothing(page: Page) -> None:
    pass


@dataclass(frozen=True)
class Shot:
    """One page, and texts that must be seen on it without scrolling."""

    path: str
    facts: tuple[str, ...]
    act: Callable[[Page], None] = _nothing
    width: int = 1440
    height: int = 900
    fails: tuple[str, ...] = ()

    @property
    def workbench(self) -> bool:
        """Whether the page has the editor, which comes later than the rest."""
        return self.path == "/" or self.path.startswith("/analyse")


SHOTS = {
    "home": Shot("/", ("A missing enumerator behind a guard", "Other programs to start from")),
    "result": Shot(
        RESULT, ("jump broken", "poison unreachable", "stale jump: meant 5", "2 lands here")
    ),
    "result-390": Shot(RESULT, ("jump broken", "poison unreachable"), width=390, height=1300),
    "error": Shot("/", ("The source does not compile",), _error, fails=("422",)),
    "compare": Shot(RESULT + COMPARED, ("left", "right", "Compare any two")),
    "drawer": Shot(RESULT, ("Next step", "cpuset_cgrp_id = 0"), _drawer),
    "graph": Shot("/graph?example=enum-1348", ("astray, to 6", "before relocation")),
    "matrix": Shot("/matrix?example=renamed-field", ("first changes on", "only what differs")),
    "kernels": Shot("/kernels", (OLD, "s390x")),
    "kernel": Shot(f"/kernels/{NEW}?q=task_s", ("task_struct",)),
    "type": Shot(f"/kernels/{NEW}/types/sk_buff", ("struct sk_buff",)),
    "types": Shot("/types?q=sk_buff", ("sk_buff_fclones",)),
    "timeline": Shot("/types/task_struct", ("struct task_struct",)),
    "kernel-diff": Shot(f"/kernels/{OLD}/diff/{NEW}", (OLD, NEW, "side by side")),
    "loaders": Shot("/loaders", ("Loaders",)),
    "docs": Shot("/docs/opcodes", ()),
    "helper": Shot("/docs/helpers/bpf_map_lookup_elem", ("bpf_map_lookup_elem",)),
    "log": Shot("/log", ("poison-call",), _log),
}
BY_README = ("result",)
"""In a format that every reader of a README shows; the others are a third as large."""


@pytest.mark.parametrize("name", SHOTS)
def test_screenshot(open_page, name: str):
    shot = SHOTS[name]
    size = {"width": shot.width, "height": shot.height}
    page = open_page(shot.path, expect=shot.fails, viewport=size, reduced_motion="reduce")
    expect(page.locator("html.ready" if shot.workbench else "html.scripted")).to_be_attached()
    shot.act(page)
    page.mouse.move(shot.width - 1, 20)
    for fact in shot.facts:
        seen = page.get_by_text(fact).locator("visible=true").first
        expect(seen).to_be_in_viewport(ratio=0.5, timeout=60_000 if "diff" not in name else 180_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= shot.width
    page.evaluate("document.fonts.ready")
    said = page.locator("body").aria_snapshot()
    for scheme in ("light",) if shot.width < 900 else ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        end = "png" if name.startswith(BY_README) else "webp"
        file = FOLDER / (f"{name}.{end}" if shot.width < 900 else f"{name}-{scheme}.{end}")
        taken = _taken(page, end)
        assert 5_000 < len(taken) < LIMIT
        _keep(file, taken, said)


def _taken(page: Page, end: str) -> bytes:
    if end == "png":
        return page.screenshot(animations="disabled", caret="hide")
    session = page.context.new_cdp_session(page)
    picture = session.send("Page.captureScreenshot", {"format": end, "quality": 70})
    return base64.b64decode(picture["data"])


def _keep(file: Path, taken: bytes, said: str) -> None:
    """Write the picture if it is missing, or if its page changed since it was taken."""
    digest = hashlib.sha256(said.encode())
    for sheet in sorted((ROOT / "static" / "css").glob("*.css")):
        digest.update(sheet.read_bytes())
    made_of = json.loads(MADE_OF.read_text()) if MADE_OF.exists() else {}
    if file.exists() and made_of.get(file.name) == digest.hexdigest():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    file.write_bytes(taken)
    made_of[file.name] = digest.hexdigest()
    MADE_OF.write_text(json.dumps(made_of, indent=1, sort_keys=True) + "\n")


def test_all_pictures_are_small_and_of_pages_that_exist():
    kept = {file.name: file.stat().st_size for file in FOLDER.iterdir() if file != MADE_OF}
    known = {f"{name}{end}" for name in SHOTS for end in ("", "-light", "-dark")}
    assert {name.partition(".")[0] for name in kept} <= known
    assert sum(kept.values()) <= ALL
