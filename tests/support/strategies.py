"""Hypothesis strategies shared by tests."""

from __future__ import annotations

from hypothesis import strategies as st

from engine.insn.codec import Insn

INSNS = st.builds(
    Insn,
    code=st.integers(0, 255),
    dst=st.integers(0, 15),
    src=st.integers(0, 15),
    off=st.integers(-(1 << 15), (1 << 15) - 1),
    imm=st.integers(-(1 << 31), (1 << 31) - 1),
)
"""Any slot that can be encoded, most of them no sound instruction."""
