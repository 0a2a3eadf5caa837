"""Mutagenesis with a variant in place."""

from __future__ import annotations

import numpy as np
import pytest

from phenviz.attribution import mutagenesis
from phenviz.effects.both_alleles import mutate_both_alleles
from phenviz.errors import DataError, LocusError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.results import base_starts
from tests.toys import toy_backbone


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genome")
    rng = np.random.default_rng(3)
    text = "".join(rng.choice(list("ACGT"), 6_000))

    def write(bases: str, name: str) -> ReferenceGenome:
        path = folder / f"{name}.fa"
        path.write_text(f">20\n{bases}\n")
        return ReferenceGenome(path, assembly="toy1", cache_dir=folder / name)

    return text, write


@pytest.mark.parametrize(
    ("position", "ref_length", "alt"),
    [
        (3_000, 1, None),
        (2_999, 1, "GATTACA"),
        (3_001, 9, ""),
        (3_017, 3, "TTTTT"),
        (40, 1, None),
        (5_990, 4, ""),
    ],
)
def test_both_alleles_are_those_of_two_genomes(genome, position, ref_length, alt):
    text, write = genome
    ref = text[position - 1 : position - 1 + ref_length]
    anchor = ref[0]
    swapped = {"A": "C", "C": "G", "G": "T", "T": "A"}[anchor]
    alt = swapped if alt is None else anchor + alt
    edited = text[: position - 1] + alt + text[position - 1 + ref_length :]
    backbone = toy_backbone()
    plain, other = write(text, "plain"), write(edited, f"edited{position}")
    both = mutate_both_alleles("chr20", position, ref, alt, plain, backbone, flank=20)
    for result, world in ((both.reference, plain), (both.alternate, other)):
        where = base_starts(result)
        slow = mutagenesis(Locus("20", int(where[0]), int(where[-1]) + 1), world, backbone)
        np.testing.assert_allclose(result["effect"], slow["effect"], rtol=1e-5, atol=1e-6)
        assert list(result["reference"].to_numpy()) == list(slow["reference"].to_numpy())
    first, last = both.alternate_span
    assert edited[:first] == text[:first]
    assert edited[last:] == text[both.reference_span[1] :]


def test_a_variant_that_is_not_of_this_reference_is_refused(genome):
    text, write = genome
    plain = write(text, "plain")
    wrong = {"A": "C", "C": "G", "G": "T", "T": "A"}[text[99]]
    with pytest.raises(DataError, match="another assembly"):
        mutate_both_alleles("20", 100, wrong, "N", plain, toy_backbone())
    with pytest.raises(LocusError, match="doesn't lie on"):
        mutate_both_alleles("20", 6_001, "A", "C", plain, toy_backbone())
