"""Indexes are those that Debian signed, where the host can tell."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path

import pytest

from app.errors import AppError
from app.sandbox.vm import archive_trust
from app.sandbox.vm.archive_trust import trusted_digest

INDEX = "main/binary-amd64/Packages.xz"
DIGEST = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
KEY = """
mDMEZZIAgBYJKwYBBAHaRw8BAQdAlSmzdwf6hLF33LIlxNmwU+7D65REDNftepy4ZUqa5VK0DHRlc3QgYXJjaGl2ZY
iQBBMWCAA4FiEEmJUQKeXyub8wX6j9v9eebR+phx0FAmWSAIACGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ
v9eebR+phx22bQEAwDK+Q8ypSj6/B/r+UWemjJ4F4zHbVRsLO6Ae+O7Nj3sA/iK8D8HY3pRSVGqOGGULPQU+AFpAmE
tgHlragXrUxvAH
"""
SIGNED = b"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Origin: Test
Codename: test
SHA256:
 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae 3 main/binary-amd64/Packages.xz
 fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9 3 main/binary-arm64/Packages.xz
-----BEGIN PGP SIGNATURE-----

iHUEARYIAB0WIQSYlRAp5fK5vzBfqP2/155tH6mHHQUCZZIAgAAKCRC/155tH6mH
HWaiAQDCfeF1B0Gb15hBl7EPRzqFToy/1suvpqz9H+nBRjwdUgD/RcknK9mSSLlw
SUXcZgiuk76bnh1JOc3Iu1wzkq0V9QE=
=kVGN
-----END PGP SIGNATURE-----
"""


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A keyring with the key of a test; it signed SIGNED and nothing else."""
    if shutil.which("gpgv") is None:
        if os.environ.get("CI"):
            pytest.fail("gpgv is not installed")
        pytest.skip("gpgv is not installed")
    path = tmp_path / "keys.gpg"
    path.write_bytes(base64.b64decode(KEY))
    monkeypatch.setattr(archive_trust, "KEYRINGS", (path,))
    return path


def asked(signed: bytes | None, *, suite: str = "test", index: str = INDEX) -> tuple[object, str]:
    """The digest, and what was said on the way."""
    said: list[str] = []
    return trusted_digest(signed, suite, index, said.append), "".join(said)


def test_a_good_signature_gives_the_digest(keyring: Path) -> None:
    assert asked(SIGNED) == (DIGEST, "")


@pytest.mark.parametrize(
    "signed",
    [SIGNED.replace(DIGEST.encode(), b"0" * 64), b"no signature at all", b"", SIGNED[:200]],
)
def test_a_wrong_signature_is_an_error(keyring: Path, signed: bytes) -> None:
    with pytest.raises(AppError, match="is wrong") as caught:
        asked(signed)
    assert caught.value.code == "vm-archive"


def test_the_signed_list_of_another_suite(keyring: Path) -> None:
    with pytest.raises(AppError, match="what is signed is not sid"):
        asked(SIGNED, suite="sid")
    with pytest.raises(AppError, match="does not name main/x"):
        asked(SIGNED, index="main/x")


def test_text_before_what_is_signed_counts_for_nothing(keyring: Path) -> None:
    forged = f"Codename: sid\nSHA256:\n {'0' * 64} 3 {INDEX}\n\n".encode()
    assert asked(forged + SIGNED) == (DIGEST, "")


def test_where_nothing_can_be_checked_a_remark_says_so(
    keyring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(None) == (None, "the archive has no signature of test; HTTPS has to do")
    keyring.write_bytes(b"")
    found, said = asked(SIGNED)
    assert found is None
    assert "of a key that" in said
    monkeypatch.setattr(archive_trust, "KEYRINGS", ())
    assert "debian-archive-keyring is not installed" in asked(SIGNED)[1]
