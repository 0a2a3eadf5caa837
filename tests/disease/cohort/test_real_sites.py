"""Simulated people at real sites: where these are, as frequent as these, and nowhere else."""

import numpy as np
import pandas as pd
import pytest

from phenviz.disease.cohort.coalescent import SimulatedInterval
from phenviz.disease.cohort.plan import Plan
from phenviz.disease.cohort.real_sites import SiteAdopter, real_sites
from phenviz.errors import DataError
from phenviz.genome import Locus
from phenviz.variation import open_individuals
from tests.effects.toys import write_people


def plan_of(people: int) -> Plan:
    table = pd.DataFrame({"ancestry": ["EUR"] * (people - 20) + ["AFR"] * 20})
    return Plan(table, np.full((people, 2), -1), ("EUR",))


def interval_of(
    rng: np.random.Generator, first: int, last: int, people: int, count: int
) -> SimulatedInterval:
    frequency = rng.beta(0.3, 1.5, count)
    places = np.sort(rng.choice(np.arange(first, last), count, replace=False))
    alleles = (rng.random((count, people, 2)) < frequency[:, None, None]).astype(np.int8)
    table = pd.DataFrame({"contig": "20", "position": places, "ref": "A", "alt": "G"})
    return SimulatedInterval(table, alleles, 0)


@pytest.mark.parametrize("seed", range(4))
def test_every_variant_is_a_real_one_and_as_frequent_as_it_may_be(seed):
    rng = np.random.default_rng(seed)
    places = np.sort(rng.choice(np.arange(1, 60_000), 120, replace=False))
    sites = pd.DataFrame(
        {"position": places, "ref": "C", "alt": "T", "frequency": rng.uniform(0.01, 0.99, 120)}
    )
    adopter = SiteAdopter(sites, plan_of(220))
    found = [
        adopter.adopt(interval_of(rng, first, first + 20_000, 220, 600)) for first in (1, 20_001, 40_001)
    ]
    table = pd.concat([one.variants for one in found], ignore_index=True)
    assert table["position"].is_monotonic_increasing and table["position"].is_unique
    both = table.merge(sites, on=["position", "ref", "alt"])
    # but for those behind the last simulated variant, all are there
    assert len(both) == len(table) and len(table) >= 118
    simulated = np.concatenate([one.alleles[:, :200].mean(axis=(1, 2)) for one in found])
    assert np.abs(simulated - both["frequency"].to_numpy()).mean() < 0.08
    assert np.corrcoef(simulated, both["frequency"])[0, 1] > 0.9


def test_real_sites_are_single_bases_that_somebody_has(toy_project, tmp_path):
    from phenviz.world import open_world

    reference = open_world(toy_project).reference
    write_people(tmp_path / "p.vcf", reference, 3, count=150)
    people = open_individuals(tmp_path / "p.vcf", reference)
    locus = Locus("20", 0, 50_021)
    sites = real_sites(people, locus)
    found = people.genotypes(locus)
    carried = (found.alleles == 1).sum(axis=(1, 2)) / np.maximum((found.alleles >= 0).sum(axis=(1, 2)), 1)
    plain = found.variants[["position", "ref", "alt"]].assign(frequency=carried)
    plain = plain[(plain["ref"].str.len() == 1) & (plain["alt"].str.len() == 1)]
    plain = plain[plain["frequency"] > 0].drop_duplicates("position")
    pd.testing.assert_frame_equal(sites, plain.reset_index(drop=True), check_dtype=False)
    with pytest.raises(DataError, match="nobody has a single-base variant"):
        real_sites(people, Locus("20", 0, 10))
