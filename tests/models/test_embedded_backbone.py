"""The embedded backbone: what its users rely on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from phenviz.data import embedded
from phenviz.data.cache import cache_dir
from phenviz.data.tissues import REPORTERS, SITES22
from phenviz.genome import ReferenceGenome, one_hot
from phenviz.models import SequenceBackbone, load_backbone
from phenviz.models.evaluation import METRICS

WEIGHTS = embedded.BACKBONE
# a housekeeping promoter in the test region, and a gene desert
PROMOTER, DESERT = 37_434_348, 40_950_000  # PPP1R16B's start; inside PTPRT
TEST_REGION = (36_000_000, 48_000_000)
# bins at the ends of a window see less than those within
INSIDE = slice(8, -8)


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(WEIGHTS)


@pytest.fixture(scope="module")
def reference():
    return ReferenceGenome(embedded.REFERENCE, assembly=embedded.ASSEMBLY, cache_dir=cache_dir())


def window(reference, centre: int, length: int = 4_096) -> torch.Tensor:
    codes = reference.fetch_codes("20", centre - length // 2, centre + length // 2)
    return torch.from_numpy(one_hot(codes))[None]


def test_it_keeps_the_protocol_and_the_limits(backbone):
    assert isinstance(backbone, SequenceBackbone)
    assert backbone.name == "tissues24"
    assert backbone.contexts == (*SITES22, *REPORTERS)
    assert backbone.bin_size == 128
    assert backbone.receptive_field <= 2_048
    files = (WEIGHTS, WEIGHTS.with_suffix(".json"))
    assert sum(path.stat().st_size for path in files) < 5_000_000


def test_its_card_tells_test_figures_with_intervals(backbone):
    test = backbone.card["metrics"]["test"]
    assert test["region"] == [["20", 36_000_000, 48_000_000]]
    for name in METRICS:
        low, high = test[name]["interval"]
        assert low < test[name]["value"] < high
    assert set(backbone.card["training"]["peaks_sha256"]) == {context.name for context in SITES22}


def test_it_reads_both_strands_alike(backbone, reference):
    x = window(reference, PROMOTER)
    with torch.inference_mode():
        forward, reverse = backbone(x), backbone(x.flip(1, 2)).flip(2)
    np.testing.assert_allclose(forward, reverse, rtol=1e-4, atol=1e-5)


def test_a_promoter_is_open_and_a_desert_is_not(backbone, reference):
    with torch.inference_mode():
        promoter, desert = (backbone(window(reference, at))[:, :, INSIDE] for at in (PROMOTER, DESERT))
    assert promoter.amax(2).mean() > 5 * desert.amax(2).mean()


def test_promoters_are_open_and_most_other_places_are_not(backbone, reference):
    genes = pd.read_csv(embedded.GENES, sep="\t")
    starts = np.where(genes["strand"] == "+", genes["tx_start"], genes["tx_end"])
    starts = starts[(starts >= TEST_REGION[0]) & (starts < TEST_REGION[1])]
    others = np.random.default_rng(0).integers(*TEST_REGION, len(starts))

    def highest(places):
        with torch.inference_mode():
            return [float(backbone(window(reference, at))[:, :, INSIDE].amax(2).mean()) for at in places]

    assert len(starts) > 100
    assert np.median(highest(starts)) > 10 * np.median(highest(others))
