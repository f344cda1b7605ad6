"""The editor's bundle: recorded, licensed, built from the sources beside it, byte for byte."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.tree import ROOT

SOURCES = ROOT / "static" / "src"
VENDOR = ROOT / "static" / "vendor"
RECORD = json.loads((VENDOR / "vendor.json").read_text())
(NAME,) = (name for name in RECORD if name.startswith("editor-"))
LOCK = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
MINE = (
    "build.js",
    "c.js",
    "element.js",
    "marks.js",
    "theme.js",
    "package.json",
    "package-lock.json",
)


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_a_build_gives_the_committed_bytes(tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("no npm here")
    for name in MINE:
        shutil.copy(SOURCES / name, tmp_path / name)
    installed = run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=tmp_path)
    if installed.returncode:
        pytest.skip(f"npm ci: {installed.stderr[-300:]}")
    out = tmp_path / "out"
    out.mkdir()
    built = run("node", "build.js", str(out), cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    for name in (NAME, "editor.LICENSE"):
        assert (out / name).read_bytes() == (VENDOR / name).read_bytes(), name


def test_the_record_names_what_is_in_it():
    entry = RECORD[NAME]
    assert entry["sha256"] == hashlib.sha256((VENDOR / NAME).read_bytes()).hexdigest()
    assert f"editor-{entry['version']}.js" == NAME
    locked = {
        path.removeprefix("node_modules/"): part["version"]
        for path, part in LOCK.items()
        if path and not part.get("dev") and not part.get("devOptional")
    }
    assert entry["contains"] == locked


def test_every_part_has_a_licence_that_goes_with_ours():
    text = (VENDOR / "editor.LICENSE").read_text()
    for name, version in RECORD[NAME]["contains"].items():
        assert LOCK[f"node_modules/{name}"]["license"] == "MIT"
        assert f"{name} {version} (MIT)" in text
    assert "codemirror" not in RECORD[NAME]["contains"], "that package is CodeMirror 5"


def test_the_lock_names_no_registry_but_pins_every_byte():
    for path, part in LOCK.items():
        assert "resolved" not in part, path
        assert not path or part["integrity"].startswith("sha512-"), path


def test_the_page_loads_the_version_that_is_recorded():
    text = (ROOT / "static" / "js" / "editor.js").read_text()
    assert re.findall(r"vendor/(editor-[\w.]+\.js)", text) == [NAME]


def test_the_empty_page_stays_small():
    """All scripts and styles, compressed: the limit for the empty page is 250 KB, HTML included."""
    served = [p for p in (ROOT / "static").rglob("*") if p.suffix in (".js", ".css", ".svg")]
    sizes = [len(gzip.compress(p.read_bytes(), 9)) for p in served if "src" not in p.parts]
    assert sum(sizes) < 200_000
