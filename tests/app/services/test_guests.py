"""What is known of a guest kernel from its .config and its name; a machine without guests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.errors import AppError
from app.sandbox.vm.pool import Pool
from app.sandbox.vm.protocol import GuestRequest
from app.sandbox.vm.template import Templates
from app.services.guests import PoolGuests, opened_guests, options, standing_guests, version_code
from app.settings import load_settings

pytestmark = pytest.mark.anyio

CONFIG = """\
#
# Automatically generated file; DO NOT EDIT.
# Linux/x86 6.1.192 Kernel Configuration
#
CONFIG_HZ=250
CONFIG_LOCALVERSION=""
# CONFIG_WERROR is not set
CONFIG_BPF=y
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("config", "release", "code"),
    [
        (CONFIG, "6.1.0-56-cloud-amd64", 0x0601C0),
        ("", "6.12.117+deb12-cloud-amd64", 0x060C75),
        ("", "5.10.300", 0x050AFF),
        ("", "own", 0),
    ],
)
def test_version_codes(config: str, release: str, code: int):
    assert version_code(config, release) == code


def test_options():
    assert options(CONFIG) == {"CONFIG_HZ": "250", "CONFIG_LOCALVERSION": '""', "CONFIG_BPF": "y"}


async def test_no_guest_is_no_error_until_one_is_asked(tmp_path: Path):
    settings = load_settings({}, data=str(tmp_path))
    async with opened_guests(settings) as guests:
        assert guests.installed() == ()
        with pytest.raises(AppError) as caught:
            await guests.ask("6.1", GuestRequest(), lambda place: None)
    assert caught.value.code == "guest-missing"


async def test_a_server_says_how_to_add_a_real_kernel(tmp_path: Path):
    assert "./run vm adds two" in standing_guests(load_settings({}, data=str(tmp_path)))


async def test_settings_reach_the_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given: dict[str, object] = {}

    class Recorded(Pool):
        def __init__(self, templates: Templates, **options: object) -> None:
            given.update(options)
            super().__init__(templates)

    monkeypatch.setattr("app.services.guests.Pool", Recorded)
    chosen = {"data": str(tmp_path), "vm_ready": 3, "vm_queue": 5, "vm_deadline": 1.5}
    async with opened_guests(load_settings({}, **chosen)) as guests:
        assert isinstance(guests, PoolGuests)
    assert given == {"keep": 3, "queue": 5, "deadline": 1.5}


async def test_guests_on_disk_are_found(tmp_path: Path):
    folder = tmp_path / "vm" / "guests" / "6.1.0-57-cloud-amd64"
    folder.mkdir(parents=True)
    record = {"id": folder.name, "kernel": "6.1.0-57", "sha256": "0" * 64, "source": "a.deb"}
    (folder / "guest.json").write_text(json.dumps(record))
    (folder / "config").write_text(CONFIG)
    async with opened_guests(load_settings({}, data=str(tmp_path))) as guests:
        (guest,) = guests.installed()
    assert (guest.id, guest.series, guest.catalog) == (folder.name, "6.1", "6.1.0-57")
    assert guest.version_code == 0x0601C0
    assert folder.name in standing_guests(load_settings({}, data=str(tmp_path)))
