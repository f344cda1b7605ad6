"""Cards: every word that a result shows has one, in the words of the documentation."""

from __future__ import annotations

import pytest

from app.services.docs import doc
from app.views.cards import PLACES, doc_card, helper_card, loader_card
from app.views.prose import plain
from engine.core.kinds import CoreReloKind
from engine.insn.mnemonics import MNEMONICS

WORDS = [
    *(("opcode", word) for word in MNEMONICS),
    *(("register", f"r{number}") for number in range(11)),
    *(("relocation", kind.word) for kind in CoreReloKind),
]


@pytest.mark.parametrize(("kind", "name"), WORDS)
def test_each_word_has_a_card_that_leads_to_its_section(kind, name):
    card = doc_card(kind, name, doc(PLACES[kind][0]).text)
    assert card is not None
    assert card.url == f"/docs/{PLACES[kind][0]}#{name}"
    assert all(plain(text) for text in card.texts)


def test_links_and_emphasis_are_plain_words_but_code_stays_as_it_is():
    card = doc_card(
        "register", "x", "# T\n## `x`\nIs *not* a [y](y.md): `a *b` and `c *d`.\n\nEnd.\n"
    )
    assert card is not None
    assert [plain(text) for text in card.texts] == ["Is not a y: `a *b` and `c *d`.", "End."]


def test_an_unknown_word_has_no_card():
    assert doc_card("opcode", "<b>", doc("opcodes").text) is None


def test_a_helper_is_told_by_the_kernels_own_lists():
    card = helper_card("bpf_x", 7, [("5.10", False), ("6.1", True), ("s390x", None)])
    said = [plain(text) for text in card.texts]
    assert said[0] == "Helper `7` of `enum bpf_func_id`."
    assert said[1].startswith("5.10 does not have it")
    assert said[2:] == ["6.1 has it.", "The BTF of s390x has no list of helpers."]


def test_a_loader_without_notes_says_so():
    assert plain(loader_card("a@1", "a 1", ()).texts[0]) == "As the version before it."
    assert loader_card("a@1", "a 1", ("x",)).url == "/loaders#a%401"
