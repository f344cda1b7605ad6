"""coreplay vm: guests are listed, asked and forgotten from the command line."""

from __future__ import annotations

import json
import shutil

import pytest

from app import cli
from app.sandbox.vm.store import GuestStore, TemplateRecord
from app.services import vm as vm_service
from tests.support import guests
from tests.support.kernel_files import RELEASE, bzimage, deb, kernel_btf, vmlinux, xz

RECORD = TemplateRecord(RELEASE, "tcg", "7.2", 80_000_000, 5.0)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("COREPLAY_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "kernel.deb"
    image = bzimage(xz(vmlinux(kernel_btf())))
    path.write_bytes(deb({f"boot/config-{RELEASE}": b"", f"boot/vmlinuz-{RELEASE}": image}))
    return path


def test_without_guests(data, capsys):
    assert cli.main(["vm", "list"]) == 0
    out, err = capsys.readouterr()
    assert (out, "coreplay vm add 6.1" in err) == ("", True)
    assert cli.main(["vm", "check"]) == 0
    assert cli.main(["vm", "remove", "6.1"]) == 2
    assert "error[guest-missing]" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["nonsense", "no/such/file.deb", "6"])
def test_adding_what_is_nothing(data, capsys, what, monkeypatch):
    monkeypatch.setattr(vm_service, "qemu_version", lambda: "7.2")
    assert cli.main(["vm", "add", what]) == 2
    assert "error[vm-not-offered]" in capsys.readouterr().err


def test_a_package_is_added_listed_and_removed(data, package, capsys, monkeypatch):
    monkeypatch.setattr(vm_service, "qemu_version", lambda: "7.2")

    async def build(self, guest, say):
        say(f"booting {guest.id}")
        return RECORD

    monkeypatch.setattr(vm_service.Templates, "build", build)
    monkeypatch.setattr(vm_service.Templates, "find", lambda self, guest: None)
    assert cli.main(["vm", "add", str(package)]) == 0
    out, err = capsys.readouterr()
    assert "adding the BTF of 6.1.0-1-amd64 to the kernels" in err
    assert "booting 6.1.0-1-amd64" in err
    assert out == f"{RELEASE}  tcg, 80 MB, made in 5.0 s  linux-image-{RELEASE} 6.1.1-1\n"
    assert cli.main(["vm", "list"]) == 0
    assert "no template: coreplay vm check makes it" in capsys.readouterr().out
    assert cli.main(["vm", "list", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["id"], told["series"], told["template"]) == (RELEASE, "6.1", None)
    assert cli.main(["kernels", "show", told["kernel"]]) == 0
    assert cli.main(["vm", "remove", "6.1"]) == 0
    assert GuestStore(data / "vm").guests() == ()


@pytest.mark.vm
def test_a_real_guest_answers(data, capsys):
    guests.require()
    templates, guest = guests.guest("6.1")
    shutil.copytree(templates.store.folder / "guests" / guest.id, data / "vm/guests" / guest.id)
    assert cli.main(["vm", "check", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["id"], told["problem"]) == (guest.id, "")
    assert 0 < told["warm_ms"] < 20_000
    assert cli.main(["vm", "list"]) == 0
    assert f"{guest.id}  " in capsys.readouterr().out
