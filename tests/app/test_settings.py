"""Settings: defaults, the environment, flags on top, and clear refusals."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from app.errors import AppError
from app.settings import Settings, load_settings, setting_names, unknown_settings


def test_defaults_serve_this_machine_only() -> None:
    settings = load_settings({})
    assert (settings.host, settings.port, settings.jail) == ("127.0.0.1", 8000, "auto")
    assert settings.cache_dir == settings.data / "cache"


def test_every_field_can_be_set() -> None:
    assert set(setting_names()) == {f"COREPLAY_{f.name.upper()}" for f in fields(Settings)}


def test_environment_is_read_and_flags_win() -> None:
    environ = {
        "COREPLAY_PORT": "9000",
        "COREPLAY_DATA": "/srv/data",
        "COREPLAY_ALLOWED_HOSTS": "a.example, B.example",
        "COREPLAY_ANALYSIS_TIMEOUT": "2.5",
    }
    settings = load_settings(environ, port=9001, host=None)
    assert settings.port == 9001
    assert settings.host == "127.0.0.1"
    assert settings.data == Path("/srv/data")
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.analysis_timeout == 2.5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("WORKERS", "0"),
        ("JAIL", "docker"),
        ("ANALYSIS_TIMEOUT", "nan"),
        ("ANALYSIS_TIMEOUT", "soon"),
        ("DATA", ""),
        ("LOG_LEVEL", "loud"),
        ("OBJECT_BYTES", "99999999999"),
    ],
)
def test_wrong_value_names_its_variable(name: str, text: str) -> None:
    with pytest.raises(AppError) as raised:
        load_settings({f"COREPLAY_{name}": text})
    assert raised.value.code == "setting-invalid"
    assert raised.value.place == f"COREPLAY_{name}"


def test_misspelt_variable_is_reported_not_read() -> None:
    environ = {"COREPLAY_PROT": "1", "COREPLAY_PORT": "80", "PATH": "/bin"}
    assert unknown_settings(environ) == ("COREPLAY_PROT",)
    assert load_settings(environ).port == 80


def test_wrong_flag_is_named_as_a_flag() -> None:
    with pytest.raises(AppError) as raised:
        load_settings({}, port=70000)
    assert raised.value.place == "--port"
