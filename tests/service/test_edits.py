"""Jobs about elements, motifs and alleles give what their functions give, and keep it as others do."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from phenviz.attribution import ablate, marginalize
from phenviz.effects.both_alleles import mutate_both_alleles
from phenviz.errors import SequenceError
from phenviz.genome import Locus
from phenviz.service import ModelService
from phenviz.world import open_world


@pytest.fixture(scope="module")
def world(toy_project):
    return open_world(toy_project)


@pytest.fixture
def service(world, tmp_path):
    with ModelService(world, "cpu", store=tmp_path / "store", costs=tmp_path / "costs.json") as made:
        yield made


def test_ablation_is_that_of_the_function_and_is_kept(service, world):
    spans = ["20:3,001-3,040", Locus("20", 5_000, 5_050)]
    found = service.ablate(spans, contexts="B", n_shuffles=3, seed=5)
    loci = [Locus("20", 3_000, 3_040), Locus("20", 5_000, 5_050)]
    how = {"n_shuffles": 3, "contexts": ["B"], "rng": np.random.default_rng(5)}
    xr.testing.assert_allclose(found, ablate(loci, world.reference, world.backbone, **how))
    assert service.estimate("ablate", loci=loci, contexts="B", n_shuffles=3, seed=5).stored == 1
    assert service.estimate("ablate", loci=loci, contexts="B", n_shuffles=3, seed=6).stored == 0


def test_motifs_are_names_of_the_world_or_bases(service, world):
    found = service.marginalize(["mine=AGATAAGG"], backgrounds=4, seed=2)
    how = {"backgrounds": 4, "rng": np.random.default_rng(2)}
    direct = marginalize({"mine": "AGATAAGG"}, world.reference, world.backbone, **how)
    # p-values of small differences of float32 numbers
    xr.testing.assert_allclose(found, direct, rtol=1e-3, atol=1e-6)
    with pytest.raises(SequenceError, match="'nonsense' is no motif of"):
        service.submit("marginalize", motifs="nonsense")


@pytest.mark.parametrize("replaced", [("", "T"), ("", "TGA"), ("CA", "")])
def test_both_alleles_are_those_of_the_function_in_any_context(service, world, replaced):
    more, alt = replaced
    reference = world.reference
    ref = reference.sequence(Locus("20", 4_999, 5_000 + len(more))).upper()
    alternate = ref[0] + alt if alt else ref[0]
    if alternate == ref:
        alternate = "C" if ref != "C" else "A"
    variant = "20", 5_000, ref, alternate
    direct = mutate_both_alleles(*variant, reference, world.backbone, contexts=["B"], flank=20)
    for _ in range(2):
        found = service.both_alleles(*variant, contexts="B", flank=20)
        for name in ("reference", "alternate"):
            xr.testing.assert_allclose(getattr(found, name), getattr(direct, name))
            one, other = getattr(found, name).attrs, getattr(direct, name).attrs
            assert [one[key] for key in ("start", "end", "contig")] == [
                other[key] for key in ("start", "end", "contig")
            ]
        assert found.reference_span == direct.reference_span
        assert found.alternate_span == direct.alternate_span
