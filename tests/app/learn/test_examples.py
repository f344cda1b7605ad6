"""Every example compiles without a remark and shows what its text promises."""

from __future__ import annotations

import pytest

from app.learn.example import FOLDER, example_of, examples
from app.sandbox import clang, jail
from app.services.analyse import analyse_sync
from app.services.analysis import Analysis
from app.settings import load_settings
from app.views.headline import headline
from app.views.page import choices_of
from app.web.reading import Asked
from engine.insn.codec import encode_insns

NEEDS = [m.major for m in clang.installed()]
compiles = pytest.mark.skipif(
    not NEEDS or max(NEEDS) < 16 or not jail.available().ok, reason="no clang 16+ in a jail here"
)


def analysed(name: str) -> Analysis:
    example = examples()[name]
    return analyse_sync(Asked(choices_of(example), example.source).request(), load_settings())


def outcomes(analysis: Analysis) -> dict[tuple[str, str], str]:
    return {
        (run.kernel.partition("-")[0], run.loader.partition("@")[0]): headline(run, "little").state
        for run in analysis.runs
    }


def relocations(analysis: Analysis, index: int):
    return analysis.runs[index].result.functions[0].relocations


def test_the_table_and_the_folder_agree():
    assert {p.name for p in FOLDER.glob("*.c")} == {e.file for e in examples().values()}
    assert next(iter(examples())) == "enum-1348"


def test_an_example_is_known_by_its_text_whatever_the_line_ends():
    for example in examples().values():
        assert example_of(example.source.replace("\n", "\r\n")) is example
    assert example_of("int x;") is None


def test_lines_are_short_enough_for_the_editor():
    for example in examples().values():
        assert max(len(x.expandtabs(4)) for x in example.source.splitlines()) <= 56, example.id


@compiles
@pytest.mark.parametrize("name", examples())
def test_no_example_draws_a_remark_from_the_compiler(name):
    compiled = analysed(name).compile
    assert compiled is not None
    assert [d.text for d in compiled.diagnostics] == []


@compiles
def test_issue_1348_gives_the_bytes_of_the_specification():
    analysis = analysed("enum-1348")
    assert outcomes(analysis) == {
        ("6.1.0", "cilium"): "jump-broken",
        ("6.1.0", "libbpf"): "poison-unreachable",
    }
    cilium, libbpf = (run.result.functions[0] for run in analysis.runs)
    assert encode_insns(cilium.before, "little").hex(" ", 8).split() == [
        "1801000001000000",
        "0000000000000000",
        "1501030000000000",
        "1801000001000000",
        "0000000000000000",
        "631afcff00000000",
        "b700000000000000",
        "9500000000000000",
    ]
    assert encode_insns(cilium.after[3:5], "little").hex(" ", 8).split() == [
        "850000001023ad0b",
        "631afcff00000000",
    ]
    assert encode_insns(libbpf.after[3:5], "little").hex(" ", 8).split() == ["850000001023ad0b"] * 2


@compiles
@pytest.mark.parametrize(
    ("name", "state"),
    [("guard-at-end", "jump-broken"), ("guard-then-code", "silently-different")],
)
def test_the_siblings_of_issue_1348_have_outcomes_of_their_own(name, state):
    assert outcomes(analysed(name)) == {
        ("6.1.0", "cilium"): state,
        ("6.1.0", "libbpf"): "poison-unreachable",
    }


@compiles
def test_the_renamed_field_has_one_side_poisoned_on_each_kernel():
    analysis = analysed("renamed-field")
    assert set(outcomes(analysis).values()) == {"poison-unreachable"}
    assert relocations(analysis, 1)[0].new == 1
    assert relocations(analysis, 3)[0].new == 0


@compiles
def test_the_bitfield_is_patched_in_all_but_its_sign():
    outcome = {r.kind_word: r.outcome for r in relocations(analysed("bitfield"), 1)}
    assert outcome == {
        "byte_off": "patched",
        "byte_sz": "patched",
        "lshift_u64": "patched",
        "signed": "unchanged",
        "rshift_u64": "patched",
    }


@compiles
def test_the_wide_enumerator_fills_both_slots():
    found = [r.new for r in relocations(analysed("enum64"), 1) if r.outcome == "patched"]
    assert found == [1 << 32]


@compiles
def test_type_matches_tells_the_kernels_apart_and_old_cilium_refuses():
    analysis = analysed("type-matches")
    assert {state for (_, loader), state in outcomes(analysis).items() if loader == "cilium"} == {
        "refused"
    }
    assert [[r.new for r in relocations(analysis, n)] for n in (1, 3)] == [[1, 0], [0, 1]]
