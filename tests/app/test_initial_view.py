"""What a tab shows when it opens."""

from __future__ import annotations

import pytest

from phenviz.app.shell.initial_view import open_state
from phenviz.app.shell.state import ExploreState
from phenviz.genome import Locus


def opened(runtime, **arguments: str) -> tuple[Locus, list[str]]:
    state = ExploreState()
    problems = open_state(state, runtime.world, arguments, [])
    return state.locus, problems


@pytest.mark.parametrize("name", ["mark", "variant"])
@pytest.mark.parametrize("position", [1, 2_345, 49_990])
def test_an_address_of_a_variant_without_a_locus_opens_at_the_variant(runtime, name, position):
    locus, problems = opened(runtime, **{name: f"chr20:{position}:GA:A"})
    assert not problems and locus.contig == "20" and locus.length == 1_000
    assert locus.start <= position - 1 and position + 1 <= locus.end


def test_a_locus_of_the_address_comes_before_its_variant(runtime):
    locus, _ = opened(runtime, variant="20:2345:G:A", locus="chr20:4001-5000")
    assert locus == Locus("20", 4_000, 5_000)


@pytest.mark.parametrize("key", ["banana", "20:9999999:G:A", "7:100:G:A", "20:0:G:A"])
def test_a_variant_that_is_nowhere_leaves_the_view_and_is_told(runtime, key):
    usual, _ = opened(runtime)
    locus, problems = opened(runtime, variant=key)
    assert locus == usual and len(problems) == 1
