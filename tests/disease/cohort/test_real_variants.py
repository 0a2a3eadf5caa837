"""Real variants take the place of simulated ones that are as frequent, and nothing else moves."""

import numpy as np
import pandas as pd
import pytest

from phenviz.disease.cohort.coalescent import SimulatedInterval
from phenviz.disease.cohort.dosages import Dosages, allele_frequency
from phenviz.disease.cohort.plan import plan_people, read_shares
from phenviz.disease.cohort.real_variants import Adopter, minor_frequency, weights_of
from phenviz.errors import DataError
from phenviz.genome import Locus

HERE = Locus("20", 0, 100_000)


def made(seed, count=400):
    rng = np.random.default_rng(seed)
    plan = plan_people(100, read_shares(["EUR"]), rng)
    positions = np.sort(rng.choice(np.arange(1, 90_000), count, replace=False))
    alleles = (rng.random((count, 100, 2)) < rng.uniform(0.05, 0.5, (count, 1, 1))).astype(np.int8)
    table = pd.DataFrame({"contig": "20", "position": positions, "ref": "A", "alt": "G"})
    wanted = np.sort(rng.choice(np.arange(1, 90_000), 25, replace=False))
    # some stand where a simulated one does
    wanted[::5] = np.sort(rng.choice(positions, 5, replace=False))
    weights = pd.DataFrame(
        {
            "trait": rng.choice(["MCV", "PLT"], 25),
            "contig": "20",
            "position": wanted,
            "ref": "C",
            "alt": "T",
            "effect": rng.normal(size=25),
            "frequency": rng.uniform(0.1, 0.45, 25),
        }
    )
    return plan, SimulatedInterval(table, alleles, 0), weights


@pytest.mark.parametrize("seed", range(5))
def test_real_variants_stand_where_they_are_real(seed):
    plan, stretch, weights = made(seed)
    adopter = Adopter(weights, plan, HERE)
    found = adopter.adopt(stretch)
    table = found.variants
    assert table["position"].is_monotonic_increasing
    # a place that a real variant takes has no other one
    real = table[table["ref"] == "C"]
    assert not table["position"].duplicated().any()
    assert set(real["position"]) <= set(weights["position"]) and len(real) >= 24
    frequency = found.alleles.mean(axis=(1, 2))[real.index]
    asked = weights.drop_duplicates("position").set_index("position")["frequency"][real["position"]]
    assert np.abs(frequency - asked.to_numpy()).mean() < 0.05
    # all others are as they were
    others = table[table["ref"] == "A"]
    before = stretch.variants.set_index("position")
    assert set(others["position"]) <= set(before.index)
    rows = before.index.get_indexer(others["position"])
    np.testing.assert_array_equal(found.alleles[others.index], stretch.alleles[rows])


def test_weights_are_those_of_the_file():
    plan, stretch, weights = made(7)
    adopter = Adopter(weights, plan, HERE)
    found = adopter.adopt(stretch)
    values = found.alleles.sum(axis=2, dtype=np.int8)
    dosages = Dosages(found.variants, values, allele_frequency(values))
    by_trait = weights_of(adopter.adopted(), dosages)
    for trait, own in weights.groupby("trait"):
        planted = found.variants.assign(effect=by_trait[trait])
        planted = planted[planted["effect"] != 0].set_index("position")["effect"]
        known = own.groupby("position")["effect"].sum()
        np.testing.assert_allclose(planted, known[planted.index])


def test_nothing_to_adopt_is_said():
    plan, _, weights = made(0)
    with pytest.raises(DataError, match="no fine-mapped"):
        Adopter(weights.assign(contig="7"), plan, HERE)


def test_a_standard_error_says_how_frequent_the_rarer_allele_is():
    frequency, people = np.array([0.01, 0.1, 0.3, 0.5]), 100_000
    error = 1 / np.sqrt(2 * people * frequency * (1 - frequency))
    np.testing.assert_allclose(minor_frequency(error, people), frequency, rtol=1e-6)
    assert minor_frequency(np.array([1e-9]), people)[0] == 0.5
