"""Errors that a person caused or can act on, and the HTTP status each one carries.

Bad input is never a 5xx: every `EngineError` maps to a 4xx here. The 5xx codes in the table
speak of this server (too busy, a worker that died), not of what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.errors import EngineError

STATUS: Final[Mapping[str, int]] = {
    # the request
    "bad-request": 422,
    "bad-json": 400,
    "not-found": 404,
    "method-not-allowed": 405,
    "host-not-allowed": 400,
    "body-too-large": 413,
    "source-missing": 422,
    "source-too-large": 413,
    "object-too-large": 413,
    "object-not-base64": 422,
    "too-many-runs": 422,
    "define-invalid": 422,
    "file-name-invalid": 422,
    # kernels and loaders
    "kernel-missing": 422,
    "kernel-unknown": 422,
    "kernel-file": 422,
    "type-unknown": 422,
    "loader-missing": 422,
    "loader-unknown": 422,
    "stage-not-supported": 422,
    "relocation-unknown": 404,
    # what the analysis found wrong with the input
    "compile-failed": 422,
    "clang-missing": 422,
    "clang-unknown": 422,
    "cpu-unknown": 422,
    "analysis-timeout": 422,
    "limit-exceeded": 413,
    # guests and jobs
    "guest-missing": 422,
    "job-unknown": 404,
    "program-unknown": 422,
    # real kernels in virtual machines
    "vm-boot-failed": 422,
    "vm-not-offered": 422,
    "vm-request-too-large": 413,
    "vm-request-refused": 422,
    "vm-timeout": 422,
    "vm-guest-died": 422,
    "vm-guest-flooded": 422,
    "vm-answer-invalid": 422,
    "vm-answer-too-large": 422,
    "vm-unavailable": 503,
    "vm-template-missing": 503,
    "vm-template-stale": 503,
    "vm-store": 503,
    "vm-disk-full": 503,
    "vm-archive": 503,
    # this server
    "jail-unavailable": 503,
    "server-busy": 503,
    "worker-died": 503,
    "internal": 500,
    # the command line
    "file-unreadable": 422,
    "file-unwritable": 422,
    "setting-invalid": 422,
    "address-in-use": 422,
    "job-malformed": 422,
}
"""HTTP status by code; a code that is not listed (every other engine code) is a 422."""

DEFAULT_STATUS: Final = 422


class AppError(Exception):
    """One clear sentence with a stable code, a place, and what to do about it.

    `place` names the field, file or line; `hint` tells the reader what to do; `details` holds
    further JSON-ready facts (a compiler's `diagnostics`). It survives pickling, because it
    crosses process borders.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int | None = None,
        place: str = "",
        hint: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = STATUS.get(code, DEFAULT_STATUS) if status is None else status
        self.place = place
        self.hint = hint
        self.details: dict[str, object] = dict(details or {})

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by attributes, so that subclasses with other arguments work too."""
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))

    def as_json(self) -> dict[str, object]:
        """Give the body of an API error: `{"error": {"code", "message", "place", "hint"}}`."""
        body: dict[str, object] = {
            "code": self.code,
            "message": self.message,
            "place": self.place,
            "hint": self.hint,
        }
        return {"error": body | self.details}


def _rebuild(
    cls: type[AppError], args: tuple[object, ...], attributes: dict[str, object]
) -> AppError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(attributes)
    return error


def from_engine(error: EngineError) -> AppError:
    """Carry an engine error over: same code, sentence, place and hint, and its HTTP status."""
    return AppError(error.message, code=error.code, place=error.place, hint=error.hint)
