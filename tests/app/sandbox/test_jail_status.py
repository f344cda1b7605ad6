"""Whether there is a jail, why not, and what is said about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import AppError
from app.sandbox import jail, reasons

UID_MAP = "bwrap: setting up uid map: Permission denied"


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No answer of another test, and none left to the next."""
    monkeypatch.delenv(jail.MODE_VARIABLE, raising=False)
    jail._prepare.cache_clear()
    yield
    jail._prepare.cache_clear()


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_bubblewrap_nothing_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    status = jail.available()
    assert (status.ok, status.kind) == (False, "unavailable")
    assert "apt install bubblewrap" in status.hint
    with pytest.raises(AppError) as caught:
        jail.run(["/usr/bin/true"])
    assert (caught.value.code, caught.value.status) == ("jail-unavailable", 503)
    assert caught.value.hint == status.hint


def test_where_namespaces_are_forbidden_the_reason_and_the_remedy_are_given(monkeypatch, tmp_path):
    program(tmp_path, "bwrap", f"echo '{UID_MAP}' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(jail.ENVIRONMENT, "PATH", str(tmp_path))
    status = jail.available()
    assert not status.ok
    assert "setting up uid map: Permission denied" in status.reason
    assert "COREPLAY_JAIL=none" in status.hint


@pytest.mark.parametrize(
    ("path", "value", "advice"),
    [
        ("apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
        ("unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("max_user_namespaces", "0", "user.max_user_namespaces"),
        ("nothing", "", "this user"),
    ],
)
def test_the_advice_fits_the_machine(monkeypatch, path, value, advice):
    monkeypatch.setattr(reasons, "_is", lambda p, v: p.endswith(path) and v == value)
    monkeypatch.setattr(Path, "exists", lambda self: False)
    reason, hint = reasons.explain(UID_MAP)
    assert UID_MAP in reason
    assert advice in hint


def test_in_a_container_the_advice_is_for_containers(monkeypatch):
    monkeypatch.setattr(reasons, "_is", lambda p, v: False)
    monkeypatch.setattr(Path, "exists", lambda self: str(self) == "/.dockerenv")
    assert "--security-opt seccomp=" in reasons.explain(UID_MAP)[1]


def test_none_runs_with_limits_only_and_says_so_loudly(monkeypatch, caplog):
    monkeypatch.setenv(jail.MODE_VARIABLE, "none")
    status = jail.available()
    assert (status.ok, status.kind) == (True, "none")
    assert "WITHOUT a jail" in status.reason
    assert [r.levelname for r in caplog.records if "WITHOUT a jail" in r.message] == ["WARNING"]
    limits = jail.JailLimits(file_bytes=1 << 20)
    finished = jail.run(
        ["/bin/sh", "-c", "cat lib/a; env"], inputs={"lib/a": b"A\n"}, limits=limits
    )
    lines = finished.stdout.decode().splitlines()
    assert lines[0] == "A"
    assert {line.split("=")[0] for line in lines[1:]} <= {*jail.ENVIRONMENT, "PWD", "SHLVL", "_"}
    assert len(jail.run(["/usr/bin/yes"], limits=limits).stdout) == 1 << 20


def test_a_jail_is_found_once(real_jail, monkeypatch):
    assert jail.available().kind == "bubblewrap"
    monkeypatch.setattr(jail, "_ways", lambda: pytest.fail("asked again"))
    assert jail.available().ok


def test_root_becomes_nobody_outside_the_jail_too(real_jail):
    if os.geteuid() != 0:
        pytest.skip("not root")
    way = jail._prepare("auto")[1]
    assert way is not None
    assert way.drop_root
