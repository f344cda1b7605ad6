"""What is vendored is what its record says."""

from __future__ import annotations

import hashlib
import json

from tests.support.tree import ROOT

VENDOR = ROOT / "static" / "vendor"
RECORD = json.loads((VENDOR / "vendor.json").read_text())


def test_every_vendored_file_has_the_recorded_content():
    for name, entry in RECORD.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == entry["sha256"], name


def test_every_vendored_script_is_recorded():
    assert {p.name for p in VENDOR.glob("*.js")} == {n for n in RECORD if n.endswith(".js")}


def test_the_page_loads_the_version_that_is_recorded():
    base = (ROOT / "templates" / "layouts" / "base.html").read_text()
    assert f"vendor/htmx-{RECORD['htmx-4.0.1.min.js']['version']}.min.js" in base


def test_only_one_module_spells_out_htmx_headers():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "app").rglob("*.py")
        if '"HX-' in path.read_text() and path.name != "middleware.py"
    }
    assert found == {"app/web/htmx.py"}
