"""Haplotypes are those of ``bcftools consensus``, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest

from phenviz.genome import Locus
from phenviz.variation import open_individuals
from tests.variation.oracles import bgzip, consensus, needs_bcftools, random_records, write_vcf

pytestmark = needs_bcftools


@pytest.mark.parametrize("seed", range(12))
def test_random_indel_rich_files_give_the_haplotypes_of_bcftools(toy_world, tmp_path, seed):
    rng = np.random.default_rng(seed)
    locus = Locus("20", 5_000, 5_000 + int(rng.integers(50, 1_500)))
    # records also left and right of the locus
    around = Locus("20", locus.start - 30, locus.end + 30)
    n = int(around.length / rng.choice([3, 8, 30]))
    records = random_records(toy_world.reference, around, rng, n, 2)
    path = bgzip(write_vcf(tmp_path / "calls.vcf", records, ("S1", "S2")))
    individuals = open_individuals(path, toy_world.reference)
    for sample in ("S1", "S2"):
        pair = individuals.individual(sample).haplotypes(locus)
        for haplotype in pair:
            expected = consensus(path, toy_world.reference, locus, sample, haplotype.number)
            assert haplotype.sequence == expected
