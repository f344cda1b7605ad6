"""A matrix as JSON: `coreplay matrix --json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from engine.explain.matrix import Cell, Change, Matrix, Row

Json = dict[str, Any]


def matrix_json(matrix: Matrix) -> Json:
    """Give columns, rows with a cell for each column, and first changes."""
    return {
        "columns": [asdict(column) for column in matrix.columns],
        "rows": [_row(row) for row in matrix.rows],
        "first_changes": [_change(change) for change in matrix.first_changes()],
    }


def _row(row: Row) -> Json:
    return {
        "number": row.number,
        "section": row.section,
        "function": row.function,
        "slot": row.slot,
        "line": None if row.line is None else row.line.line_number,
        "kind": row.kind.word,
        "local": row.local,
        "meaning": row.meaning,
        "differs": row.differs,
        "cells": [_cell(cell) for cell in row.cells],
    }


def _cell(cell: Cell) -> Json:
    return {"kind": cell.kind, "value": cell.value, "text": cell.text}


def _change(change: Change) -> Json:
    return {
        "number": change.row.number,
        "section": change.row.section,
        "loader": change.loader,
        "previous": change.previous,
        "kernel": change.kernel,
        "before": _cell(change.before),
        "after": _cell(change.after),
    }
