"""What every test shares: a clean environment, repeatable examples, a browser if there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

BROWSERS = ("chromium", "google-chrome", "google-chrome-stable")
NO_BROWSER = "no chromium or google-chrome here (./run test installs one where apt has it)"
IN_CI = os.environ.get("CI") == "true"

settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if IN_CI else "default")


def find_browser() -> str | None:
    """Give the path of a browser that Playwright can drive; a snap's wrapper is none."""
    for name in BROWSERS:
        path = shutil.which(name)
        if path is not None and Path(path).resolve().name != "snap":
            return path
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests/e2e as such, and skip it without a browser, except in CI, where it then fails.

    They run last: Playwright leaves an event loop running in the process it was used in.
    """
    items.sort(key=lambda item: "e2e" in item.path.parts)
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.e2e)
    if find_browser() is None and not IN_CI:
        for item in items:
            if item.get_closest_marker("e2e"):
                item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    """Launch the system's browser; as root its own sandbox cannot start."""
    path = find_browser()
    if path is None:
        pytest.fail(NO_BROWSER)
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": path, "args": flags}


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Drop the user's COREPLAY_* (but whether there is a jail), and use a data folder of our own.

    The folder is shared by the whole run, so that each kernel's index is built once.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("COREPLAY_") and n != "COREPLAY_JAIL"]:
            patch.delenv(name)
        patch.setenv("COREPLAY_DATA", str(tmp_path_factory.mktemp("data")))
        yield
