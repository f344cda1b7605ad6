"""Errors: their JSON form, their status, and that they survive the way between processes."""

from __future__ import annotations

import pickle

import pytest

import engine.errors
from app.errors import STATUS, AppError, from_engine
from engine.errors import BtfDecodeError, EngineError, KernelUnknown


def engine_errors() -> list[type[EngineError]]:
    return [
        value
        for value in vars(engine.errors).values()
        if isinstance(value, type) and issubclass(value, EngineError)
    ]


def test_error_survives_pickling_with_all_its_attributes() -> None:
    error = AppError(
        "no", code="kernel-unknown", status=404, place="kernel", hint="h", details={"a": 1}
    )
    copy = pickle.loads(pickle.dumps(error))
    assert copy.as_json() == error.as_json()
    assert (copy.status, str(copy)) == (404, "no")


def test_json_form_has_the_four_facts_and_the_details() -> None:
    error = AppError("no", code="x", place="p", hint="h", details={"diagnostics": []})
    assert error.as_json() == {
        "error": {"code": "x", "message": "no", "place": "p", "hint": "h", "diagnostics": []}
    }


@pytest.mark.parametrize("kind", engine_errors(), ids=lambda kind: kind.code)
def test_engine_error_is_never_a_fault_of_the_server(kind: type[EngineError]) -> None:
    error = kind.__new__(kind)
    EngineError.__init__(error, "what", place="where", hint="do")
    carried = from_engine(error)
    assert 400 <= carried.status < 500
    assert (carried.code, carried.message, carried.place, carried.hint) == (
        kind.code,
        "what",
        "where",
        "do",
    )


def test_place_of_an_engine_error_is_kept_apart_from_its_sentence() -> None:
    carried = from_engine(BtfDecodeError("bad magic", at=0x10))
    assert (carried.message, carried.place) == ("bad magic", "byte 0x10 of .BTF")


def test_unlisted_code_is_a_422() -> None:
    assert AppError("x", code="something-new").status == 422


def test_kernel_unknown_keeps_its_code() -> None:
    assert from_engine(KernelUnknown("no")).code in STATUS
