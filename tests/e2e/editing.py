"""The editor in a test: what stands in it, writing into it, dropping files on the page."""

from __future__ import annotations

import base64
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

DROP = """([files]) => {
  const transfer = new DataTransfer();
  for (const [name, letters] of files) {
    const bytes = Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  const fire = (type) => document.body.dispatchEvent(
    new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  fire("dragover");
  fire("drop");
}"""


def editor(page: Page) -> Locator:
    """The editor's text, once the editor is there."""
    expect(page.locator("html.ready")).to_be_attached()
    return page.locator("c-editor .cm-content")


def write(page: Page, text: str) -> None:
    """Put text in the place of what stands there, as typing does."""
    editor(page).fill(text)


def source(page: Page) -> str:
    """The text of the main file, as the form sends it."""
    return page.locator("#source").input_value()


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    """Drop files somewhere on the page."""
    editor(page)
    page.evaluate(DROP, [[[name, base64.b64encode(data).decode()] for name, data in files]])


def drop_path(page: Page, path: Path) -> None:
    """Drop a file of the disk."""
    drop(page, (path.name, path.read_bytes()))


def work_is_kept(page: Page, tabs: int = 1) -> None:
    """Wait until the work of this many browser tabs is in the browser's storage."""
    for _ in range(100):
        names = page.evaluate("Object.keys(localStorage)")
        if sum(name.startswith("coreplay-work-") for name in names) == tabs:
            return
        page.wait_for_timeout(50)
    raise AssertionError(names)
