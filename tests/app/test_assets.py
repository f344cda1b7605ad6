"""Static files: compressed once, for good under their digest."""

from __future__ import annotations

import gzip

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.assets import Assets


@pytest.fixture
def served(tmp_path):
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "app.js").write_text("export {};\n" * 500)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG" + bytes(5000))
    assets = Assets(tmp_path)
    app = Starlette()
    app.mount("/static", assets)
    return TestClient(app), assets


def test_text_comes_compressed_with_its_type(served):
    client, assets = served
    answer = client.get(assets.url("js/app.js"), headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "immutable" in answer.headers["cache-control"]
    assert int(answer.headers["content-length"]) < 200
    assert answer.text == "export {};\n" * 500


def test_the_same_bytes_each_time(served):
    client, assets = served
    with client.stream("GET", assets.url("js/app.js"), headers={"Accept-Encoding": "gzip"}) as one:
        first = b"".join(one.iter_raw())
    assert gzip.decompress(first).startswith(b"export")
    assert list(assets._packed) == ["js/app.js"]


@pytest.mark.parametrize(
    ("path", "encoding"),
    [("picture.png", "gzip"), ("js/app.js", "identity"), ("js/none.js", "gzip")],
)
def test_what_is_left_as_it_is(served, path, encoding):
    client, assets = served
    answer = client.get(assets.url(path), headers={"Accept-Encoding": encoding})
    assert "content-encoding" not in answer.headers


def test_without_the_digest_nothing_is_held_in_memory(served):
    client, assets = served
    answer = client.get("/static/js/app.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["cache-control"] == "no-cache"
    assert assets._packed == {}


def test_a_style_sheet_takes_in_what_it_imports(tmp_path):
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "page.css").write_text('@import "one.css";\n@import "two.css";\n')
    (tmp_path / "css" / "one.css").write_text("a { color: red; }\n")
    (tmp_path / "css" / "two.css").write_text("b { color: blue; }\n")
    assets = Assets(tmp_path)
    app = Starlette()
    app.mount("/static", assets)
    answer = TestClient(app).get(assets.url("css/page.css"))
    assert answer.text.split("\n") == ["a { color: red; }", "", "b { color: blue; }", "", ""]


def test_modules_are_named_with_all_that_they_import(tmp_path):
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "app.js").write_text(
        'import {\n  a,\n} from "./a.js";\nimport("./late.js");\n'
    )
    (tmp_path / "js" / "a.js").write_text('import * as b from "./b.js";\nexport const a = b;\n')
    (tmp_path / "js" / "b.js").write_text('import "./a.js";\n')
    assets = Assets(tmp_path)
    assert assets.modules("js/app.js") == (assets.url("js/a.js"), assets.url("js/b.js"))


def test_files_from_memory_are_those_from_the_disk(served):
    client, assets = served
    first = client.get(assets.url("js/app.js"), headers={"Accept-Encoding": "gzip"})
    assets.warm()
    second = client.get(assets.url("js/app.js"), headers={"Accept-Encoding": "gzip"})
    assert second.content == first.content
    assert second.headers == first.headers
