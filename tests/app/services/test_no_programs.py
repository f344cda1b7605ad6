"""Objects with nothing to relocate are told apart from clear ones."""

from __future__ import annotations

import pytest

from app.services.analyse import read_object
from engine.errors import NoProgramsError
from tests.support.btf_writer import BtfWriter
from tests.support.elf_writer import ElfWriter


def test_an_object_without_functions_is_refused():
    writer = ElfWriter()
    writer.section(".BTF", BtfWriter().encode("little"))
    with pytest.raises(NoProgramsError) as refused:
        read_object(writer.build())
    assert refused.value.code == "object-without-programs"
    assert "SEC" in refused.value.hint
