from __future__ import annotations

from types import SimpleNamespace

import pytest

from phenviz.app.shell.address import Address, is_jump
from phenviz.app.shell.state import VariantsState
from phenviz.genome import Locus

HERE = {"locus": "chr20:1000-2000", "focus": "Ery"}


@pytest.mark.parametrize(
    ("change", "jump"),
    [
        ({"locus": "chr20:1500-2500"}, False),
        ({"locus": "chr20:1-100000"}, False),
        ({"locus": "chr20:9000-9999"}, True),
        ({"locus": "chr21:1000-2000"}, True),
        ({"theme": "dark"}, False),
        ({"focus": "Mono"}, False),
        ({"variant": "20:1500:A:C"}, True),
        ({"evidence": "Ery"}, True),
        ({"run": "mutagenesis~20:1-2"}, True),
        ({"sample": "HG00096"}, False),
    ],
)
def test_only_another_place_is_an_entry_of_the_history(change, jump):
    assert is_jump(HERE, HERE | change) is jump


def test_the_first_individual_is_chosen_by_the_page_and_the_next_by_the_user():
    assert is_jump(HERE | {"sample": "HG00096"}, HERE | {"sample": "HG00097"})


class Browser:
    """The history of a browser's tab."""

    def __init__(self) -> None:
        self.entries = ["?locus=chr20:1000-2000"]

    def set_address(self, text: str, jump: bool) -> None:
        self.entries[len(self.entries) - (not jump) :] = [text]


@pytest.fixture
def tab():
    state, browser = VariantsState(locus=Locus("20", 999, 2_000)), Browser()

    def read(query):
        contig, _, place = query["locus"].removeprefix("chr").partition(":")
        start, end = place.split("-")
        there = VariantsState(locus=Locus(contig, int(start) - 1, int(end)))
        return there, there.take(query, ())

    address = Address(SimpleNamespace(say=print), state, lambda: state.query(()), browser)
    address.on_return(read)
    return SimpleNamespace(state=state, browser=browser, address=address)


def test_panning_replaces_the_address_and_a_jump_adds_one(tab):
    for start in range(1_000, 9_000, 500):
        tab.state.locus = Locus("20", start, start + 1_000)
        tab.address.write()
    assert tab.browser.entries == ["?locus=chr20:8501-9500"]
    tab.state.locus = Locus("20", 50_000, 51_000)
    tab.address.write()
    tab.state.variant = "20:50500:A:C"
    tab.address.write()
    assert tab.browser.entries == [
        "?locus=chr20:8501-9500",
        "?locus=chr20:50001-51000",
        "?locus=chr20:50001-51000&variant=20:50500:A:C",
    ]


def test_going_back_restores_the_state_and_adds_nothing_to_the_history(tab):
    first = tab.browser.entries[0]
    tab.state.param.update(locus=Locus("20", 50_000, 51_000), variant="20:50500:A:C", filter="x")
    tab.address.write()
    before = list(tab.browser.entries)
    tab.address.go_to(first)
    assert (tab.state.locus, tab.state.variant, tab.state.filter) == (Locus("20", 999, 2_000), "", "")
    tab.address.write()
    assert tab.browser.entries == before
