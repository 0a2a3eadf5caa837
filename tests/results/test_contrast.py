"""What one context has that others don't."""

import numpy as np
import pytest
import xarray as xr

from phenviz.genome.contexts import REPORTER_UNIT, Context, units_of
from phenviz.results.contrast import comparable_others, minus_others
from phenviz.results.schema import context_coords

CELLS = [Context(name, name, "", "blood", "#111111") for name in ("Ery", "Mono", "B")]
REPORTERS = [Context(name, name, "", "reporter", "#222222", REPORTER_UNIT) for name in ("HepG2", "WTC11")]


def effects(contexts, seed=0):
    values = np.random.default_rng(seed).normal(size=(7, 4, len(contexts)))
    return xr.Dataset(
        {"effect": (("position", "allele", "context"), values)},
        coords={"allele": list("ACGT"), **context_coords(contexts)},
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["Mono", "WTC11"])
def test_a_context_is_compared_with_those_of_its_own_unit_only(seed, name):
    contexts = [CELLS[0], REPORTERS[0], *CELLS[1:], REPORTERS[1]]
    held = effects(contexts, seed)
    found = minus_others(held, name)
    own = CELLS if name == "Mono" else REPORTERS
    others = [context.name for context in own if context.name != name]
    assert sorted(comparable_others(held, name)) == sorted(others)
    expected = held["effect"].sel(context=name) - held["effect"].sel(context=others).values.mean(-1)
    np.testing.assert_allclose(found["effect"].sel(context=name), expected, rtol=1e-12)


def test_one_that_no_other_can_be_compared_with_stays_as_it_is():
    held = effects([*CELLS, REPORTERS[0]])
    xr.testing.assert_identical(minus_others(held, "HepG2"), held.sel(context=["HepG2"]))
    alone = effects(CELLS[:1])
    xr.testing.assert_identical(minus_others(alone, "Ery"), alone)


def test_units_are_said_once_or_with_their_contexts():
    assert units_of(CELLS) == "fold enrichment"
    assert units_of(REPORTERS) == "RNA/DNA"
    assert units_of([*CELLS, *REPORTERS]) == "fold enrichment; RNA/DNA (HepG2, WTC11)"
