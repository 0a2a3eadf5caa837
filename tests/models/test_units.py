"""Results in contexts of one unit carry that unit, and not all units of the model."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from phenviz.attribution import Target, integrated_gradients
from phenviz.effects import score_variants
from phenviz.genome import Locus
from phenviz.models.local import LocalBackbone
from phenviz.models.predict import predict
from phenviz.models.predict_sequences import predict_sequences
from tests.toys import CONTEXTS, tiny_config

LOCUS = Locus("20", 5_000, 5_600)
OPEN, REPORTER = CONTEXTS[0].name, CONTEXTS[-1].name
MIXED = f"fold enrichment; RNA/DNA ({REPORTER})"


@pytest.fixture(scope="module")
def mixed():
    contexts = (*CONTEXTS[:-1], replace(CONTEXTS[-1], unit="RNA/DNA"))
    return LocalBackbone.from_config(tiny_config(contexts)).eval()


@pytest.mark.parametrize(
    ("asked", "unit"), [([OPEN], "fold enrichment"), ([REPORTER], "RNA/DNA"), ([OPEN, REPORTER], MIXED)]
)
def test_a_prediction_has_the_unit_of_its_contexts(toy_world, mixed, asked, unit):
    assert predict(LOCUS, toy_world.reference, mixed, contexts=asked).attrs["units"] == unit
    assert predict_sequences({"a": "ACGT" * 100}, mixed, contexts=asked).attrs["units"] == unit


@pytest.mark.parametrize(("context", "unit"), [(OPEN, "fold enrichment"), (REPORTER, "RNA/DNA")])
def test_an_attribution_has_the_unit_of_its_target(toy_world, mixed, context, unit):
    target = Target(context=context)
    found = integrated_gradients(LOCUS, toy_world.reference, mixed, target=target, n_steps=2)
    assert found.attrs["units"] == unit


def test_activity_at_variants_has_the_unit_of_the_contexts(toy_world, mixed):
    ref = toy_world.reference.sequence(Locus("20", 5_099, 5_100))
    table = pd.DataFrame(
        {"contig": ["20"], "position": [5_100], "ref": [ref], "alt": ["A" if ref != "A" else "C"]}
    )
    found = score_variants(table, toy_world.reference, mixed, contexts=[REPORTER])
    assert found.attrs["active_units"] == "RNA/DNA"
