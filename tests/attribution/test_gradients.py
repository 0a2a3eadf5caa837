from __future__ import annotations

import numpy as np
import pytest
import torch

from phenviz.attribution import Target, gradients, integrated_gradients, integration_paths, saliency
from phenviz.attribution.fast_stem_gradient import lean_encode
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
from tests.toys import CONTIGS, GAP, cancelled_after

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
    monkeypatch.setattr(integration_paths, "CPU_TILE_BASES", 1_024)


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
    monkeypatch.setattr(integration_paths, "_MOST_TIES", most_ties)
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
    inner = slice(6_701, 8_201)
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


@pytest.mark.parametrize("baseline", ["blurred", np.zeros((3,)), np.full(4, np.nan), np.array(list("ACGT"))])
def test_a_baseline_of_another_kind_is_refused(toy_world, baseline):
    with pytest.raises(ModelError, match="baseline"):
        integrated_gradients(
            Locus("20", 5_000, 6_000), toy_world.reference, toy_world.backbone, target=MONO, baseline=baseline
        )


def test_integration_stops_within_one_batch_of_cancel(toy_world):
    progress, batches = cancelled_after(3)

    with pytest.raises(Cancelled):
        integrated_gradients(
            Locus("20", 5_000, 9_000), toy_world.reference, toy_world.backbone, target=MONO,
            progress=progress,
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


def explain(toy_world, locus, backbone=None, **how):
    how = {"n_steps": 4} | how
    return integrated_gradients(locus, toy_world.reference, backbone or toy_world.backbone, **how)


@pytest.mark.parametrize("baseline", ["zero", COMPOSITION], ids=["zero", "composition"])
def test_contexts_in_one_pass_are_those_one_by_one(toy_world, baseline):
    locus, backbone = Locus("20", 5_003, 8_001), in_double(toy_world.backbone)
    together = explain(toy_world, locus, backbone, target=Target(), contexts=["B", "Mono"], baseline=baseline)
    assert together.attribution.dims == ("position", "context")
    assert together.context.values.tolist() == ["B", "Mono"]
    for number, name in enumerate(["B", "Mono"]):
        alone = explain(toy_world, locus, backbone, target=Target(context=name), baseline=baseline)
        np.testing.assert_allclose(together.attribution[:, number], alone.attribution, rtol=1e-9, atol=1e-9)
        for attr in ("target_value", "baseline_value", "convergence_delta"):
            assert together.attrs[attr][number] == pytest.approx(alone.attrs[attr], abs=1e-9)


def test_a_gene_is_explained_in_several_contexts_at_once(toy_world):
    gene_target = (toy_world.annotation.gene("BETA"), toy_readout())
    locus = Locus("20", 13_000, 17_000)
    how = {"gene_target": gene_target, "n_steps": 2}
    together = explain(toy_world, locus, target=Target(gene="BETA"), contexts=["Ery", "B"], **how)
    for name in ("Ery", "B"):
        alone = explain(toy_world, locus, target=Target(gene="BETA", context=name), **how)
        found = together.attribution.sel(context=name)
        assert relative_error(found, alone.attribution.values) < 1e-5


def test_saliency_takes_several_contexts_too(toy_world):
    locus = Locus("20", 5_003, 8_001)
    together = saliency(
        locus, toy_world.reference, toy_world.backbone, target=Target(), contexts=["Ery", "Mono"]
    )
    alone = saliency(locus, toy_world.reference, toy_world.backbone, target=MONO)
    assert relative_error(together.attribution.sel(context="Mono"), alone.attribution.values) < 1e-5


def test_contexts_are_shared_by_one_forward_pass(toy_world, monkeypatch):
    passes = []
    activity = toy_world.backbone.activity
    monkeypatch.setattr(
        toy_world.backbone, "activity", lambda embedding: passes.append(len(embedding)) or activity(embedding)
    )
    locus = Locus("20", 5_120, 6_016)
    explain(toy_world, locus, target=MONO, n_steps=8)
    alone = len(passes)
    explain(toy_world, locus, target=Target(), contexts=["Ery", "Mono", "B"], n_steps=8)
    assert len(passes) == 2 * alone


def test_a_context_named_twice_over_is_refused(toy_world):
    with pytest.raises(TargetError, match="leave one of them out"):
        explain(toy_world, Locus("20", 5_000, 6_000), target=MONO, contexts=["B"])
    with pytest.raises(TargetError, match="names no context"):
        explain(toy_world, Locus("20", 5_000, 6_000), target=Target(), contexts=[])


def test_several_baselines_give_the_mean_and_the_spread_of_each_alone(toy_world):
    locus, backbone = Locus("20", 5_003, 7_001), in_double(toy_world.backbone)
    baselines = ["zero", COMPOSITION, "dinucleotide"]
    each = [explain(toy_world, locus, backbone, target=MONO, baseline=one) for one in baselines]
    averaged = explain(toy_world, locus, backbone, target=MONO, baseline=baselines)
    values = np.stack([one.attribution for one in each])
    np.testing.assert_allclose(averaged.attribution, values.mean(0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(averaged.attribution_std, values.std(0, ddof=1), rtol=1e-9, atol=1e-12)
    deltas = [one.attrs["convergence_delta"] for one in each]
    assert averaged.attrs["convergence_delta"] == pytest.approx(np.mean(deltas))
    assert averaged.attrs["n_baselines"] == 3
    assert validate(averaged) == "attribution"
    assert "".join(averaged.reference.values) == "".join(each[0].reference.values)


def test_single_shuffles_differ_from_each_other_and_are_the_same_every_time(toy_world):
    locus = Locus("20", 5_003, 7_001)
    how = {"target": MONO, "baseline": "dinucleotide", "n_baselines": 3}
    first, again = explain(toy_world, locus, **how), explain(toy_world, locus, **how)
    np.testing.assert_array_equal(first.attribution, again.attribution)
    assert (first.attribution_std > 0).mean() > 0.5


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"n_baselines": 3}, "counts shuffles"),
        ({"baseline": []}, "at least one"),
        ({"baseline": ["zero", "blurred"]}, "blurred"),
        ({"baseline": ["zero"], "n_baselines": 2}, "not both"),
        ({"n_steps": 0}, "0 steps"),
        ({"n_steps": 1.5}, "1.5 steps"),
        ({"n_baselines": 1.5}, "1.5 baselines"),
        ({"n_steps": "many"}, "'many' steps"),
    ],
)
def test_baselines_and_steps_that_make_no_sense_are_refused(toy_world, how, words):
    with pytest.raises(ModelError, match=words):
        explain(toy_world, Locus("20", 5_000, 6_000), target=MONO, **how)


@pytest.mark.parametrize("baseline", ["zero", "dinucleotide"])
def test_steps_are_doubled_until_the_delta_is_small(toy_world, baseline):
    locus, backbone = Locus("20", 5_003, 8_001), in_double(toy_world.backbone)
    found = explain(toy_world, locus, backbone, target=MONO, baseline=baseline, n_steps="auto")
    attrs = found.attrs
    allowed = max(
        0.01 * abs(attrs["target_value"] - attrs["baseline_value"]),
        0.001 * max(abs(attrs["target_value"]), abs(attrs["baseline_value"])),
    )
    # each tile alone is that exact, and so is their sum, unless they cancel out
    assert abs(attrs["convergence_delta"]) <= allowed and attrs["converged"] == 1
    assert attrs["n_steps"] in (8, 16, 32, 64, 128, 256)
    exact, _ = integrate_whole_window(locus, toy_world.reference, backbone, 1, baseline=baseline, n_steps=64)
    assert relative_error(found.attribution, exact) < 0.2


def test_automatic_steps_are_those_of_that_fixed_number(toy_world, monkeypatch):
    locus = Locus("20", 5_120, 6_016)
    monkeypatch.setattr(gradients, "DELTA_OF_CHANGE", 0)
    monkeypatch.setattr(gradients, "DELTA_OF_TARGET", 0)
    monkeypatch.setattr(gradients, "MOST_STEPS", 32)
    never = explain(toy_world, locus, target=MONO, n_steps="auto")
    assert (never.attrs["n_steps"], never.attrs["converged"]) == (32, 0)
    np.testing.assert_array_equal(
        never.attribution, explain(toy_world, locus, target=MONO, n_steps=32).attribution
    )


def test_progress_of_automatic_steps_grows_to_one(toy_world):
    seen = []
    explain(
        toy_world, Locus("20", 5_000, 9_000), target=MONO, n_steps="auto",
        progress=Progress(on_change=lambda stage, fraction: seen.append(fraction)),
    )  # fmt: skip
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1)
