"""The page in a real browser: first paint, Run to result, a long program, one hover."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.figures import Figure, Skipped
from bench.server import running
from tests.support.large import long_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BARE = "data:text/html,<title>bare</title><p>bare"
PAINT = """() => new Promise((done) => {
  new PerformanceObserver((list) => done(list.getEntries()[0].startTime))
    .observe({type: "paint", buffered: true});
})"""
BYTES = """() => performance.getEntriesByType("resource")
  .concat(performance.getEntriesByType("navigation"))
  .reduce((sum, one) => sum + one.encodedBodySize, 0)"""
# From the action to the frame after the new result: what a reader waits for.
UNTIL_PAINTED = """(act) => new Promise((done) => {
  const result = document.getElementById("result");
  const began = performance.now();
  new MutationObserver((_, watcher) => {
    if (!result.querySelector(".verdicts")) return;
    watcher.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began), 0));
  }).observe(result, {childList: true});
  if (act) document.getElementById("run").click();
})"""
HOVERS = """() => [...document.querySelectorAll("#rows .slot-row")]
  .filter((_, number) => number % 37 === 0)
  .map((row) => {
    const began = performance.now();
    row.firstElementChild.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
    row.getBoundingClientRect(); // styles and layout are part of it
    return performance.now() - began;
  })"""
ALL_ROWS = """async () => {
  const views = document.querySelector("script[src*='js/views']").src;
  const rows = await import(views.replace("views.js", "rows.js"));
  while (await rows.more());
  return rows.all().length;
}"""
RUNS = [(cpu, opt) for opt in ("O2", "Os", "O3") for cpu in ("v1", "v2", "v3", "v4")]
"""A combination for each run, so that no answer is one from before."""


def measure() -> Iterator[Figure]:
    """Measure in Chromium, against a server of its own."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise Skipped("playwright is not installed") from None
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise Skipped("chromium is not installed")
    with running() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu"])
        try:
            yield from _figures(browser, f"http://{server.address}")
        finally:
            browser.close()


def _figures(browser: Browser, address: str) -> Iterator[Figure]:
    _page(browser, address).close()  # kernels are mapped, compilers found
    bare = _first_paints(browser, BARE)
    yield Figure("page, first paint", _first_paints(browser, address), "ms", 300, bare, "bare page")
    page = _page(browser, address)
    page.wait_for_timeout(1500)
    yield Figure("page, compressed", page.evaluate(BYTES) / 1e3, "kB", 250, 50, "50 kB")
    spent = _runs(page)
    yield Figure("Run to painted, p50", spent, "ms", 350, bare, "first paint of a bare page")
    opened = median(_opens(browser, address) for _ in range(3))
    yield Figure("5,003 slots to painted", opened, "ms", 1000, spent, "Run of the example")
    hover, rows = _hover(browser, address)
    yield Figure(f"hover among {rows:,} rows, p95", hover, "ms", 16, 1, "1 ms")


def _page(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    return page


def _first_paints(browser: Browser, address: str) -> float:
    spent = []
    for _ in range(5):
        page = _page(browser, address)
        spent.append(float(page.evaluate(PAINT)))
        page.close()
    return median(spent)


def _runs(page: Page) -> float:
    spent = []
    page.evaluate(UNTIL_PAINTED, True)
    for cpu, opt in RUNS:
        page.select_option("select[name=cpu]", cpu)
        page.select_option("select[name=opt]", opt)
        spent.append(float(page.evaluate(UNTIL_PAINTED, True)))
    return median(spent)


def _chosen(page: Page, folder: str) -> float:
    """Give the milliseconds from choosing a long object, which stays in `folder`, to its result."""
    path = Path(folder, "long.bpf.o")
    path.write_bytes(long_program())
    waiting: Any = page.evaluate_handle(f"({{wait: ({UNTIL_PAINTED})(false)}})")
    page.set_input_files("#object", path)
    return float(waiting.evaluate("(it) => it.wait"))


def _opens(browser: Browser, address: str) -> float:
    page = _page(browser, address)
    page.wait_for_timeout(1000)
    with tempfile.TemporaryDirectory() as folder:
        spent = _chosen(page, folder)
    page.close()
    return spent


def _hover(browser: Browser, address: str) -> tuple[float, int]:
    page = _page(browser, address)
    page.wait_for_timeout(1000)
    with tempfile.TemporaryDirectory() as folder:
        _chosen(page, folder)
        page.wait_for_timeout(1000)
        rows = page.evaluate(ALL_ROWS)
    page.evaluate(HOVERS)
    spent = sorted(page.evaluate(HOVERS))
    page.close()
    return spent[int(len(spent) * 0.95)], rows
