"""Bins of any width: what is exact with 128 bases is exact with 1, 32 or 1,000."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from phenviz.attribution import Target, mutagenesis, saliency
from phenviz.effects import score_variants
from phenviz.genome import Locus, one_hot
from phenviz.inference.reductions import mask_bins
from phenviz.models.backbone import halo
from phenviz.models.predict import predict
from phenviz.models.torch_module import TorchModuleBackbone
from tests.toys import CONTEXTS, predict_whole

BIN_SIZES = (1, 4, 32, 200, 1_000)


class Net(nn.Module):
    """Two convolutions, then the maximum of each bin."""

    def __init__(self, bin_size):
        super().__init__()
        torch.manual_seed(bin_size)
        self.bin_size = bin_size
        self.first, self.second = nn.Conv1d(4, 5, 9, padding=4), nn.Conv1d(5, 3, 11, padding=5)

    def forward(self, x):
        x = self.second(torch.tanh(self.first(x)))
        return nn.functional.softplus(nn.functional.max_pool1d(x, self.bin_size))


@pytest.fixture(params=BIN_SIZES)
def backbone(request):
    size = request.param
    return TorchModuleBackbone(
        Net(size), CONTEXTS, name="net", window=8 * size, bin_size=size, receptive_field=size + 8 + 10
    )


def slow_effects(locus, reference, backbone):
    """Score every change in one window that holds all that its mask sees."""
    size, flank, mask = backbone.bin_size, halo(backbone), mask_bins(backbone.bin_size)
    effects = np.zeros((locus.length, 4, 3))
    for row, position in enumerate(range(locus.start, locus.end)):
        first = (position // size + mask.first) * size
        codes = reference.fetch_codes(
            locus.contig, first - flank, (position // size + mask.last + 1) * size + flank
        )
        rows = np.repeat(codes[None], 4, axis=0)
        offset = position - (first - flank)
        rows[np.arange(4), offset] = np.arange(4)
        bins = flank // size
        with torch.inference_mode():
            activity = backbone(torch.from_numpy(one_hot(rows))).double().numpy()[:, :, bins : -bins or None]
        sums = activity.sum(-1)
        effects[row] = np.log2(1 + sums) - np.log2(1 + sums[codes[offset]])
    return effects


@pytest.mark.parametrize("locus", [Locus("20", 1_000, 1_012), Locus("20", 49_700, 49_712)], ids=str)
def test_mutagenesis_equals_predicting_each_mutant(toy_world, backbone, locus):
    found = mutagenesis(locus, toy_world.reference, backbone)
    expected = slow_effects(locus, toy_world.reference, backbone)
    np.testing.assert_allclose(found.effect, expected, rtol=1e-3, atol=2e-6)


def test_effects_of_variants_are_those_of_mutagenesis(toy_world, backbone):
    locus = Locus("20", 2_000, 2_012)
    expected = slow_effects(locus, toy_world.reference, backbone)
    bases = toy_world.reference.sequence(locus)
    rows = [("20", 2_001 + n, base, "ACGT"[("ACGT".index(base) + 1) % 4]) for n, base in enumerate(bases)]
    table = pd.DataFrame(rows, columns=["contig", "position", "ref", "alt"])
    scores = score_variants(table, toy_world.reference, backbone)
    for number, (_, _, _, alt) in enumerate(rows):
        wanted = expected[number, "ACGT".index(alt)]
        np.testing.assert_allclose(scores.effect[number], wanted, rtol=1e-3, atol=2e-6)


def test_prediction_and_gradient_do_not_depend_on_tiles(toy_world, backbone):
    locus = Locus("20", 3_000, 6_500)
    found = predict(locus, toy_world.reference, backbone, tile_bins=3 if backbone.bin_size > 4 else 700)
    np.testing.assert_allclose(
        found.activity, predict_whole(locus, toy_world.reference, backbone), rtol=1e-4, atol=1e-6
    )
    explained = saliency(locus, toy_world.reference, backbone, target=Target(context="Ery"))
    size, flank = backbone.bin_size, halo(backbone)
    first, end = locus.start // size * size, -(-locus.end // size) * size
    codes = toy_world.reference.fetch_codes("20", first - flank, end + flank)
    bases = torch.from_numpy(one_hot(codes[None])).requires_grad_()
    bins = flank // size
    backbone(bases)[0, 0, bins : -bins or None].sum().backward()
    slow = (bases.grad * bases).sum(1)[0].detach().numpy()[locus.start - first + flank :][: locus.length]
    np.testing.assert_allclose(explained.attribution, slow, rtol=1e-3, atol=1e-5)
