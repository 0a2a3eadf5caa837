"""Mutagenesis in two passes, for backbones that see their whole window at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from phenviz.attribution import Target, mutagenesis_coarse_to_fine
from phenviz.attribution.coarse import strongest_windows
from phenviz.errors import ModelError, TargetError
from phenviz.genome import Locus
from phenviz.models.backbone import SequenceBackbone
from phenviz.progress import Progress
from phenviz.results import load, save, validate
from tests.attribution.oracles import in_double, toy_readout
from tests.toys import CONTEXTS, GAP

MONO = Target(context="Mono")
WINDOW = 2_048


class Global(torch.nn.Module):
    """A toy in which every bin sees every base: local features, mixed over the whole window."""

    name, weights_hash, window, bin_size, receptive_field, contexts = (
        "global", "none", WINDOW, 128, None, CONTEXTS,
    )  # fmt: skip

    def __init__(self, local) -> None:
        super().__init__()
        self.local = in_double(local)

    def encode(self, one_hot):
        x = self.local.encode(one_hot.double())
        return x + torch.tanh(x.mean(2, keepdim=True)) * x

    def activity(self, embedding):
        return self.local.activity(embedding)

    def forward(self, one_hot):
        return self.activity(self.encode(one_hot))


@pytest.fixture(scope="module")
def backbone(toy_world):
    return Global(toy_world.backbone)


def target_of(codes, backbone, locus, reference):
    """Sum the activity over the locus' bins, window by window as predictions are made: one number per row."""
    size, kept = 128, WINDOW // 128 // 2
    first, last = locus.start // size, -(-locus.end // size)
    total = 0
    for start in range(first, last, kept):
        left = (start - (WINDOW // size - kept) // 2) * size
        window = np.stack([row(left, left + WINDOW) for row in codes])
        one_hot = torch.eye(5, 4, dtype=torch.float64)[torch.from_numpy(window).long()].transpose(1, 2)
        skipped = (WINDOW // size - kept) // 2
        bins = slice(skipped, skipped + min(kept, last - start))
        with torch.inference_mode():
            total = total + backbone(one_hot)[:, 1, bins].sum(-1).numpy()
    return total


def mutant(reference, position=None, allele=0):
    def row(left, right):
        codes = np.array(reference.fetch_codes("20", left, right))
        if position is not None and left <= position < right:
            codes[position - left] = allele
        return codes

    return row


@pytest.mark.parametrize("first", ["saliency", "integrated-gradients"])
@pytest.mark.parametrize(
    "locus",
    [Locus("20", 5_003, 7_501), Locus("20", GAP[1] - 20, GAP[1] + 300), Locus("20", 250, 600)],
    ids=str,
)
def test_exact_positions_are_those_of_predicting_each_mutant(toy_world, backbone, locus, first):
    found = mutagenesis_coarse_to_fine(
        locus, toy_world.reference, backbone, target=MONO, first=first, n_steps=2, window=5, n_windows=3
    )
    assert isinstance(backbone, SequenceBackbone) and validate(found) == "mutagenesis"
    exact = found.method.values == "exact"
    assert exact.sum() == 15 == found.attrs["n_exact"]
    plain = target_of([mutant(toy_world.reference)], backbone, locus, toy_world.reference)
    for row in np.flatnonzero(exact):
        if found.reference.values[row] == "N":
            assert np.isnan(found.effect[row]).all()
            continue
        rows = [mutant(toy_world.reference, locus.start + int(row), allele) for allele in range(4)]
        expected = target_of(rows, backbone, locus, toy_world.reference) - plain
        np.testing.assert_allclose(found.effect[row, :, 0], expected, rtol=1e-4, atol=1e-7)


def test_other_positions_are_the_gradient_times_the_change(toy_world, backbone):
    # one window of the backbone holds the whole locus
    locus = Locus("20", 5_120, 5_120 + WINDOW // 2)
    found = mutagenesis_coarse_to_fine(locus, toy_world.reference, backbone, target=MONO, n_windows=0)
    assert (found.method == "first-order").all()
    left = locus.start - WINDOW // 4
    codes = torch.from_numpy(np.array(toy_world.reference.fetch_codes("20", left, left + WINDOW))).long()
    bases = torch.eye(5, 4, dtype=torch.float64)[codes].T[None].requires_grad_()
    backbone(bases)[:, 1, 4:12].sum().backward()
    grad = bases.grad[0].T.numpy()[WINDOW // 4 : WINDOW // 4 + locus.length]
    own = codes.numpy()[WINDOW // 4 : WINDOW // 4 + locus.length]
    expected = grad - np.take_along_axis(grad, own[:, None], 1)
    np.testing.assert_allclose(found.effect[:, :, 0], expected, rtol=1e-4, atol=1e-7)


def test_windows_are_where_first_order_effects_are_largest(toy_world, backbone):
    locus = Locus("20", 5_003, 6_800)
    rough = mutagenesis_coarse_to_fine(locus, toy_world.reference, backbone, target=MONO, n_windows=0)
    fine = mutagenesis_coarse_to_fine(
        locus, toy_world.reference, backbone, target=MONO, window=8, n_windows=4
    )
    weight = np.abs(rough.effect.values[..., 0]).sum(1)
    chosen = [slice(*pair) for pair in strongest_windows(weight, 8, 4)]
    expected = np.zeros(locus.length, dtype=bool)
    for window in chosen:
        expected[window] = True
    np.testing.assert_array_equal(fine.method.values == "exact", expected)
    np.testing.assert_array_equal(fine.effect.values[~expected], rough.effect.values[~expected])


@pytest.mark.parametrize("seed", range(5))
def test_strongest_windows_hold_what_trying_all_finds(seed):
    rng = np.random.default_rng(seed)
    weight = rng.random(60) ** 4
    (best,) = strongest_windows(weight, 7, 1)
    sums = [weight[start : start + 7].sum() for start in range(54)]
    assert best == (int(np.argmax(sums)), int(np.argmax(sums)) + 7)
    many = strongest_windows(weight, 7, 100)
    assert all(left[1] <= right[0] for left, right in pairwise(many))
    assert strongest_windows(np.zeros(9), 4, 2) == [] and strongest_windows(weight[:3], 7, 2) == [(0, 3)]


def test_a_genes_expression_is_mutated_too(toy_world):
    gene, readout = toy_world.annotation.gene("BETA"), toy_readout(reach=512)
    local = toy_world.backbone
    locus = Locus("20", gene.tss - 60, gene.tss + 60)
    found = mutagenesis_coarse_to_fine(
        locus, toy_world.reference, local, target=Target(gene="BETA", context="B"),
        gene_target=(gene, readout), window=4, n_windows=2,
    )  # fmt: skip
    from phenviz.attribution import mutagenesis

    exact = mutagenesis(locus, toy_world.reference, local, gene_target=(gene, readout), contexts=["B"])
    rows = found.method.values == "exact"
    assert rows.sum() == 8
    np.testing.assert_allclose(found.effect.values[rows], exact.effect.values[rows], rtol=1e-3, atol=1e-5)


def test_first_order_comes_first_and_progress_ends_at_one(toy_world, backbone):
    partial, seen = [], []
    mutagenesis_coarse_to_fine(
        Locus("20", 5_003, 6_800), toy_world.reference, backbone, target=MONO, window=4, n_windows=2,
        progress=Progress(lambda stage, fraction: seen.append((stage, fraction)), partial.append),
    )  # fmt: skip
    assert (partial[0].method == "first-order").all()
    assert seen[-1][0] == "exact" and seen[-1][1] == pytest.approx(1)


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet"])
def test_the_method_of_each_position_is_saved(toy_world, backbone, tmp_path, suffix):
    found = mutagenesis_coarse_to_fine(
        Locus("20", 5_003, 5_200), toy_world.reference, backbone, target=MONO, window=4, n_windows=2
    )
    save(found, tmp_path / f"out{suffix}")
    assert load(tmp_path / f"out{suffix}").method.values.tolist() == found.method.values.tolist()


def test_requests_that_make_no_sense_are_refused(toy_world, backbone):
    locus = Locus("20", 5_003, 5_200)
    for how in ({"window": 0}, {"n_windows": -1}, {"first": "guess"}, {"n_steps": 1.5}):
        with pytest.raises(ModelError):
            mutagenesis_coarse_to_fine(locus, toy_world.reference, backbone, target=MONO, **how)
    with pytest.raises(TargetError):
        mutagenesis_coarse_to_fine(locus, toy_world.reference, backbone, target=Target())
