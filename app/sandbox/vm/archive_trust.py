"""Whether an archive's index is the one that Debian signed.

A suite's InRelease names the SHA-256 of its indexes, these that of each package. `gpgv` checks its
signature with the keys of the package debian-archive-keyring, where a host has both; elsewhere
HTTPS has to do, and a remark says so.

Source of the format: https://wiki.debian.org/DebianRepository/Format, section "Release" files;
GnuPG doc/DETAILS, "General status codes".
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.errors import AppError

KEYRINGS: Final = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
IN_RELEASE_BYTES: Final = 4 << 20
_SECONDS: Final = 20.0
_BAD: Final = ("BADSIG", "REVKEYSIG", "NODATA", "UNEXPECTED")

Say = Callable[[str], None]


def trusted_digest(signed: bytes | None, suite: str, index: str, say: Say) -> str | None:
    """Give the SHA-256 that Debian signed for an index of a suite.

    `signed` is the suite's InRelease, None where the archive has none. None where nothing can be
    checked, and `say` is told why. Raises AppError `vm-archive` for a signature that is wrong.
    """
    keyring = next((path for path in KEYRINGS if path.is_file()), None)
    gpgv = shutil.which("gpgv")
    if gpgv is None or keyring is None:
        missing = "gpgv" if gpgv is None else "debian-archive-keyring"
        say(f"the signature of {suite} is not checked: {missing} is not installed; HTTPS has to do")
        return None
    if signed is None:
        say(f"the archive has no signature of {suite}; HTTPS has to do")
        return None
    text = _verified(gpgv, keyring, signed, suite)
    if text is None:
        say(f"the signature of {suite} is of a key that {keyring} lacks; HTTPS has to do")
        return None
    if not re.search(rf"^Codename: {re.escape(suite)}$", text, re.MULTILINE):
        raise _wrong(f"what is signed is not {suite}")
    section = re.search(r"^SHA256:\n((?: .*(?:\n|$))+)", text, re.MULTILINE)
    row = section and re.search(rf"^ ([0-9a-f]{{64}}) +\d+ {re.escape(index)}$", section[1], re.M)
    if not row:
        raise _wrong(f"the signed list of {suite} does not name {index}")
    return str(row[1])


def _verified(gpgv: str, keyring: Path, signed: bytes, suite: str) -> str | None:
    """Give the text that was signed, None where none of its keys is known."""
    with tempfile.TemporaryDirectory(prefix="coreplay-") as folder:
        given, output = Path(folder, "InRelease"), Path(folder, "text")
        given.write_bytes(signed)
        command = [gpgv, "--homedir", folder, "--keyring", str(keyring), "--status-fd", "1"]
        try:
            done = subprocess.run(
                [*command, "--output", str(output), str(given)],
                capture_output=True,
                timeout=_SECONDS,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _wrong(f"the signature of {suite} took too long to check") from error
        said = re.findall(r"^\[GNUPG:\] (\w+)", done.stdout.decode("utf-8", "replace"), re.M)
        if any(word in _BAD for word in said) or "NEWSIG" not in said:
            raise _wrong(f"the signature of {suite} is wrong")
        if "GOODSIG" not in said:
            return None
        return output.read_text("utf-8", "replace")


def _wrong(what: str) -> AppError:
    return AppError(
        what, code="vm-archive", hint="Try again, or give the file of a package: vm add FILE.deb."
    )
