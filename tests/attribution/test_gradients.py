from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from phenviz.attribution import Target, integrated_gradients, paths, saliency
from phenviz.attribution.lean import lean_encode
from phenviz.errors import Cancelled, MemoryLimitError, ModelError, TargetError
from phenviz.genome import Locus
from phenviz.models.windows import one_hot_window
from phenviz.progress import Progress
from phenviz.results import merge_tiles, validate
from tests.attribution.oracles import (
    in_double,
    integrate_whole_gene,
    integrate_whole_window,
    relative_error,
    toy_readout,
)
from tests.toys import CONTIGS, GAP

LENGTH = CONTIGS["20"]
LOCI = [
    Locus("20", 5_003, 8_001),
    Locus("20", GAP[0] - 900, GAP[1] + 900),
    Locus("20", 0, 1_500),
    Locus("20", LENGTH - 1_300, LENGTH),
    Locus("20", 5_000, 5_001),
]
MONO = Target(context="Mono")
COMPOSITION = np.array([0.3, 0.2, 0.2, 0.3])


@pytest.fixture(autouse=True)
def short_tiles(monkeypatch):
    """Several tiles even on toy loci."""
    monkeypatch.setattr(paths, "CPU_TILE_BASES", 1_024)


@pytest.mark.parametrize("locus", LOCI, ids=str)
@pytest.mark.parametrize(
    "baseline", ["zero", "dinucleotide", COMPOSITION], ids=["zero", "shuffled", "composition"]
)
@pytest.mark.parametrize(("double", "tolerance"), [(False, 1e-3), (True, 1e-6)], ids=["float32", "float64"])
def test_tiles_add_up_to_one_captum_call_on_the_whole_window(toy_world, locus, baseline, double, tolerance):
    backbone = in_double(toy_world.backbone) if double else toy_world.backbone
    tiled = integrated_gradients(
        locus, toy_world.reference, backbone, target=MONO, baseline=baseline, n_steps=8
    )
    whole, total = integrate_whole_window(
        locus, toy_world.reference, backbone, 1, baseline=baseline, n_steps=8
    )
    assert relative_error(tiled.attribution, whole) <= tolerance
    delta = total - tiled.attrs["target_value"] + tiled.attrs["baseline_value"]
    assert tiled.attrs["convergence_delta"] == pytest.approx(delta, abs=1e-3)


@pytest.mark.parametrize("most_ties", [0.0, 1.1], ids=["through all bases", "through scores"])
def test_every_path_from_zero_gives_the_same_result_where_maxima_are_tied(toy_world, monkeypatch, most_ties):
    monkeypatch.setattr(paths, "_MOST_TIES", most_ties)
    locus, backbone = Locus("20", 5_003, 9_001), in_double(toy_world.backbone)
    found = integrated_gradients(locus, toy_world.reference, backbone, target=MONO, n_steps=8)
    whole, _ = integrate_whole_window(locus, toy_world.reference, backbone, 1, n_steps=8)
    assert relative_error(found.attribution, whole) <= 1e-6


@pytest.mark.parametrize("baseline", ["zero", COMPOSITION], ids=["zero", "composition"])
@pytest.mark.parametrize(("double", "tolerance"), [(False, 1e-3), (True, 1e-6)], ids=["float32", "float64"])
def test_a_gene_is_explained_as_by_one_captum_call_on_all_its_bases(toy_world, baseline, double, tolerance):
    backbone, readout, gene = toy_world.backbone, toy_readout(), toy_world.annotation.gene("BETA")
    if double:
        backbone, readout = in_double(backbone), in_double(readout)
    locus = Locus("20", 13_000, 20_000)
    tiled = integrated_gradients(
        locus, toy_world.reference, backbone,
        target=Target(gene="beta", context="B"), gene_target=(gene, readout), baseline=baseline, n_steps=8,
    )  # fmt: skip
    whole, _ = integrate_whole_gene(
        locus, toy_world.reference, backbone, gene, readout, 2, baseline=baseline, n_steps=8
    )
    assert relative_error(tiled.attribution, whole) <= tolerance
    assert tiled.attrs["target"] == "BETA in B"
    assert tiled.attrs["target_gene"] == "BETA"


def test_a_flanked_baseline_of_the_users_own_makes_attributions_of_the_locus_complete(toy_world):
    locus = Locus("20", 5_003, 8_001)
    baseline = np.tile(COMPOSITION[:, None], (1, locus.length))
    dataset = integrated_gradients(
        locus, toy_world.reference, in_double(toy_world.backbone), target=MONO, baseline=baseline, n_steps=64
    )
    change = dataset.attrs["target_value"] - dataset.attrs["baseline_value"]
    assert float(dataset.attribution.sum()) == pytest.approx(change, rel=0.02)
    assert dataset.attrs["baseline"] == "given by the user"


def test_more_steps_bring_the_convergence_delta_closer_to_zero(toy_world):
    locus, backbone = Locus("20", 5_000, 8_000), in_double(toy_world.backbone)
    deltas = [
        abs(
            integrated_gradients(
                locus, toy_world.reference, backbone, target=MONO, baseline="dinucleotide", n_steps=n_steps
            ).attrs["convergence_delta"]
        )
        for n_steps in (2, 64)
    ]
    assert deltas[1] < 0.2 * deltas[0]


def test_a_shuffled_baseline_is_the_same_for_every_window(toy_world):
    both = [
        integrated_gradients(
            locus, toy_world.reference, toy_world.backbone, target=MONO, baseline="dinucleotide", n_steps=4
        ).set_index(position="position")
        for locus in (Locus("20", 5_000, 9_000), Locus("20", 6_016, 12_000))
    ]
    # away from the flanks of either window
    inner = slice(6_700, 8_200)
    np.testing.assert_allclose(
        both[0].attribution.sel(position=inner), both[1].attribution.sel(position=inner), rtol=1e-3, atol=1e-5
    )


def test_the_result_says_what_it_holds(toy_world):
    dataset = integrated_gradients(
        Locus("20", 5_000, 6_000),
        toy_world.reference,
        toy_world.backbone,
        target=Target(context="CL:0000576"),
        n_steps=4,
    )
    assert validate(dataset) == "attribution"
    assert dataset.attrs["target"] == "activity in Mono"
    assert dataset.attrs["baseline"] == "zero"
    assert dataset.attrs["n_steps"] == 4
    assert dataset.attribution.dtype == np.float32


def test_partial_stretches_add_up_to_the_result(toy_world):
    parts = []
    whole = integrated_gradients(
        Locus("20", 5_003, 9_007), toy_world.reference, toy_world.backbone, target=MONO, n_steps=2,
        progress=Progress(on_partial=parts.append),
    )  # fmt: skip
    assert len(parts) > 2
    np.testing.assert_array_equal(merge_tiles(parts).attribution, whole.attribution)


def test_saliency_is_the_gradient_at_the_observed_base(toy_world):
    locus, backbone = Locus("20", 4_992, 6_016), in_double(toy_world.backbone)
    dataset = saliency(locus, toy_world.reference, backbone, target=MONO)
    bases = one_hot_window(toy_world.reference, "20", 4_992 - 384, 6_016 + 384, backbone).requires_grad_()
    backbone(bases)[:, 1, 3:-3].sum().backward()
    expected = (bases * bases.grad).sum(1)[0, 384:-384].detach().numpy()
    assert relative_error(dataset.attribution, expected) < 1e-10
    assert validate(dataset) == "attribution"


def test_the_lean_stem_has_the_plain_gradient(toy_world):
    backbone = in_double(toy_world.backbone)
    torch.manual_seed(3)
    bases = torch.rand(2, 4, 1_024, dtype=torch.float64)
    grads = []
    for encode in (backbone.encode, lean_encode(backbone)):
        leaf = bases.clone().requires_grad_()
        (encode(leaf) ** 2).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(), "names no context"),
        (Target(context="liver"), "liver"),
        (Target(trait="MCV"), "trait"),
        (Target(gene="BETA", context="Mono"), "gene_target"),
    ],
)
def test_a_target_that_is_not_predicted_is_refused(toy_world, target, words):
    with pytest.raises(TargetError, match=words):
        integrated_gradients(
            Locus("20", 5_000, 6_000), toy_world.reference, toy_world.backbone, target=target
        )


def test_a_locus_that_does_not_reach_the_gene_is_refused(toy_world):
    with pytest.raises(TargetError, match="choose a locus"):
        integrated_gradients(
            Locus("20", 40_000, 41_000), toy_world.reference, toy_world.backbone,
            target=Target(gene="BETA", context="B"),
            gene_target=(toy_world.annotation.gene("BETA"), toy_readout()),
        )  # fmt: skip


@pytest.mark.parametrize("baseline", ["blurred", np.zeros((3,))])
def test_a_baseline_of_another_kind_is_refused(toy_world, baseline):
    with pytest.raises(ModelError, match="baseline"):
        integrated_gradients(
            Locus("20", 5_000, 6_000), toy_world.reference, toy_world.backbone, target=MONO, baseline=baseline
        )


def test_integration_stops_within_one_batch_of_cancel(toy_world):
    cancel, batches = threading.Event(), []

    def stop(stage, fraction):
        batches.append(fraction)
        if len(batches) == 3:
            cancel.set()

    with pytest.raises(Cancelled):
        integrated_gradients(
            Locus("20", 5_000, 9_000), toy_world.reference, toy_world.backbone, target=MONO,
            progress=Progress(on_change=stop, cancel_event=cancel),
        )  # fmt: skip
    assert len(batches) == 3


def fail_above(backbone, limit):
    """Make the head fail as the CPU allocator does, above a number of windows at once."""
    activity = backbone.activity

    def limited(embedding):
        if len(embedding) > limit:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return activity(embedding)

    return limited


def test_a_step_batch_that_does_not_fit_is_halved(toy_world, monkeypatch):
    locus = Locus("20", 5_000, 8_000)
    expected = integrated_gradients(locus, toy_world.reference, toy_world.backbone, target=MONO, n_steps=8)
    monkeypatch.setattr(toy_world.backbone, "activity", fail_above(toy_world.backbone, 2))
    got = integrated_gradients(
        locus, toy_world.reference, toy_world.backbone, target=MONO, n_steps=8, step_batch=8
    )
    assert relative_error(got.attribution, expected.attribution.values) < 1e-5


def test_memory_that_never_suffices_is_an_error_in_words(toy_world, monkeypatch):
    monkeypatch.setattr(toy_world.backbone, "activity", fail_above(toy_world.backbone, 0))
    with pytest.raises(MemoryLimitError, match="shorter locus"):
        integrated_gradients(Locus("20", 5_000, 6_000), toy_world.reference, toy_world.backbone, target=MONO)


def test_a_global_backbone_is_explained_window_by_window(toy_world):
    class Global(torch.nn.Module):
        name, weights_hash, window, bin_size = "global", "none", 4_096, 128
        receptive_field = None
        contexts = toy_world.backbone.contexts

        def __init__(self):
            super().__init__()
            self.inner = toy_world.backbone
            self.encode, self.activity = self.inner.encode, self.inner.activity

    locus = Locus("20", 5_000, 8_000)
    got = integrated_gradients(locus, toy_world.reference, Global(), target=MONO, n_steps=4)
    local = integrated_gradients(locus, toy_world.reference, toy_world.backbone, target=MONO, n_steps=4)
    assert relative_error(got.attribution, local.attribution.values) < 1e-3
