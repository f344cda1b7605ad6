"""Why a jail cannot be built on a machine, in words, and what its owner can do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

NO_JAIL_WARNING: Final = (
    "COREPLAY_JAIL=none: clang runs WITHOUT a jail, with your rights on your files. "
    "Only for programs you wrote yourself, on your own machine."
)
NO_BWRAP: Final = "bubblewrap (bwrap) is not installed, so C cannot be compiled safely here"
INSTALL_BWRAP: Final = "apt install bubblewrap"
ON_YOUR_OWN: Final = (
    "On your own machine, for your own programs only, COREPLAY_JAIL=none compiles without a jail."
)
_USERNS: Final = ("namespace", "uid map", "Operation not permitted", "Permission denied")


def explain(complaint: str) -> tuple[str, str]:
    """Turn bwrap's complaint into (reason, hint)."""
    lines = complaint.splitlines() or ["no message"]
    reason = f"no jail can be built here: {lines[-1][:300]}"
    return reason, f"{_advice(complaint)} {ON_YOUR_OWN} See docs/jail.md."


def _advice(complaint: str) -> str:
    if not any(sign in complaint for sign in _USERNS):
        return "Run `bwrap --unshare-all --ro-bind / / true` to see what is wrong."
    if _is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"):
        return (
            "AppArmor forbids user namespaces to bwrap: give it a profile in "
            "/etc/apparmor.d/bwrap (docs/jail.md has the text), then "
            "`apparmor_parser -r /etc/apparmor.d/bwrap`."
        )
    if _is("/proc/sys/kernel/unprivileged_userns_clone", "0"):
        return "Allow user namespaces: `sysctl -w kernel.unprivileged_userns_clone=1`."
    if _is("/proc/sys/user/max_user_namespaces", "0"):
        return "Allow user namespaces: `sysctl -w user.max_user_namespaces=10000`."
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return (
            "This container forbids namespaces: start it with "
            "`--security-opt seccomp=unconfined --security-opt apparmor=unconfined`."
        )
    return "This machine forbids user namespaces to this user."


def _is(path: str, value: str) -> bool:
    try:
        return Path(path).read_text().strip() == value
    except OSError:
        return False
