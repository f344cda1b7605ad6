"""The generated table of helpers."""

from engine.insn.helpers import HELPERS, helper_name
from tests.support import generate_helpers


def test_table_is_what_the_snapshot_gives():
    assert generate_helpers.TARGET.read_text() == generate_helpers.generate()


def test_names():
    assert helper_name(1) == "bpf_map_lookup_elem"
    assert helper_name(4) == "bpf_probe_read"
    assert helper_name(113) == "bpf_probe_read_kernel"
    assert helper_name(0) is None
    assert helper_name(195896080) is None  # libbpf's poison


def test_numbers_have_no_gaps():
    assert list(HELPERS) == list(range(1, len(HELPERS) + 1))
