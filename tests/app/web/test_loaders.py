"""/loaders shows what the API and the command line tell."""

from __future__ import annotations

import html
import json

from app.cli import main


def test_the_page_the_api_and_the_command_line_agree(client, capsys):
    page = client.get("/loaders")
    assert page.status_code == 200
    listed = client.get("/api/v1/loaders").json()["loaders"]
    assert main(["loaders", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == listed
    text = html.unescape(page.text)
    for loader in listed:
        assert f'<tr id="{loader["id"]}">' in text
        assert loader["notes"]
        for note in loader["notes"]:
            assert f"<li>{note}</li>" in text


def test_the_table_of_the_command_line_fits_100_columns(client, capsys):
    assert main(["loaders"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    words = " ".join(" ".join(lines).split())
    for loader in client.get("/api/v1/loaders").json()["loaders"]:
        assert any(line.startswith(f"{loader['id']} ") for line in lines)
        assert " ".join(loader["notes"][0].split()) in words


def test_every_page_links_to_the_loaders(client):
    assert '<a href="/loaders">Loaders</a>' in client.get("/").text
    assert "<h1>Loaders</h1>" in client.get("/loaders").text
