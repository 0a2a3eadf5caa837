from __future__ import annotations

import itertools
import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from phenviz.errors import LocusError, ModelError, TargetError
from phenviz.models.phenformer import GeneSite, Phenformer, PoolingByAttention, Trait, masked_loss
from phenviz.models.phenformer_checkpoint import check_models, load_phenformer, save_phenformer
from phenviz.models.phenformer_tokens import TokenReader, plan_tiles, predict_tokens, reached
from tests.attribution.oracles import in_double, toy_readout
from tests.phenformer_toys import (
    OTHER_CONTIG,
    SITES,
    TRAITS,
    WINDOW,
    GlobalToy,
    Slow,
    fit_scale,
    toy_phenformer,
)
from tests.toys import CONTEXTS, CONTIGS, ToyWorld, write_fasta

MODES = ("sum", "pair")


@pytest.fixture
def tokens():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(5, 2, len(SITES), 11))).float()


@pytest.fixture(scope="module")
def double_world(toy_world):
    return ToyWorld(toy_world.reference, toy_world.annotation, in_double(toy_world.backbone))


@pytest.mark.parametrize("mode", MODES)
def test_swapping_the_haplotypes_keeps_the_logits(tokens, mode):
    phenformer = toy_phenformer(mode)
    torch.testing.assert_close(phenformer(tokens.flip(1)), phenformer(tokens))
    assert phenformer(tokens).shape == (5, len(TRAITS))


def test_only_a_pair_tells_one_damaged_copy_from_two_half_damaged_ones(tokens):
    halved = tokens.mean(1, keepdim=True).expand_as(tokens)
    together, apart = toy_phenformer("sum"), toy_phenformer("pair")
    torch.testing.assert_close(together(halved), together(tokens), rtol=1e-3, atol=1e-4)
    assert (apart(halved) - apart(tokens)).abs().min() > 1e-3


@pytest.mark.parametrize("mode", MODES)
def test_every_gene_and_trait_counts_for_itself(tokens, mode):
    phenformer = toy_phenformer(mode)
    leaf = tokens.clone().requires_grad_()
    (grad,) = torch.autograd.grad(phenformer(leaf)[:, 0].sum(), leaf)
    assert (grad.abs().sum((0, 1, 3)) > 0).all()
    assert not torch.allclose(phenformer(tokens)[:, 0], phenformer(tokens)[:, 1])


def test_genes_that_change_places_with_their_own_vectors_change_nothing(tokens):
    phenformer, order = toy_phenformer(), torch.randperm(len(SITES))
    shuffled = toy_phenformer()
    with torch.no_grad():
        for part in ("gene", "token_mean", "token_scale"):
            getattr(shuffled, part).copy_(getattr(phenformer, part)[order])
        shuffled.linear_weights.copy_(phenformer.linear_weights[:, order])
    torch.testing.assert_close(shuffled(tokens[:, :, order]), phenformer(tokens), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_the_linear_part_adds_the_expression_of_each_gene_whatever_the_haplotype(tokens, mode):
    phenformer = toy_phenformer(mode)
    channels, wanted = phenformer.channels, torch.zeros(len(tokens), len(phenformer.traits))
    for person, haplotype, gene, context in itertools.product(
        range(len(tokens)), range(2), range(len(SITES)), range(len(phenformer.expression))
    ):
        place = gene, channels + context
        value = tokens[person, haplotype][place] - phenformer.token_mean[place]
        wanted[person] += phenformer.linear_weights[:, gene, context] * value / phenformer.token_scale[place]
    whole = phenformer(tokens)
    phenformer.linear_weights.zero_()
    torch.testing.assert_close(whole - phenformer(tokens), wanted, rtol=1e-4, atol=1e-4)


def test_pooling_ignores_order_and_gives_one_vector_a_seed():
    torch.manual_seed(0)
    pool, rows = PoolingByAttention(16, 4, seeds=3, feedforward=8).eval(), torch.randn(2, 7, 16)
    assert pool(rows).shape == (2, 3, 16)
    torch.testing.assert_close(pool(rows[:, torch.randperm(7)]), pool(rows), rtol=1e-4, atol=1e-5)


def test_scale_fitted_to_a_cohort_centres_each_gene_and_spares_what_never_varies(tokens):
    phenformer = toy_phenformer()
    tokens[:, :, 2, 3] = 7.25
    fit_scale(phenformer, tokens)
    scaled = ((tokens - phenformer.token_mean) / phenformer.token_scale).flatten(0, 1)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(len(SITES), 11), rtol=0, atol=1e-5)
    deviation = scaled.std(0, correction=0)
    assert deviation[2, 3] == 0 and phenformer.token_scale[2, 3] == 1
    deviation[2, 3] = 1
    torch.testing.assert_close(deviation, torch.ones(len(SITES), 11), rtol=1e-4, atol=1e-4)


def test_masked_loss_is_the_mean_over_the_labels_that_are_known():
    rng = np.random.default_rng(4)
    logits = torch.from_numpy(rng.normal(size=(6, 3)))
    labels = torch.from_numpy(rng.integers(0, 2, size=(6, 3)).astype(float))
    labels[rng.random((6, 3)) < 0.4] = torch.nan
    slow = [
        -np.log(1 / (1 + np.exp(-logit))) if label == 1 else -np.log(1 - 1 / (1 + np.exp(-logit)))
        for logit, label in zip(logits.ravel().tolist(), labels.ravel().tolist(), strict=True)
        if not np.isnan(label)
    ]
    assert float(masked_loss(logits, labels)) == pytest.approx(np.mean(slow))


def test_batch_without_a_known_label_has_loss_and_gradient_zero():
    logits = torch.randn(4, 2, requires_grad=True)
    loss = masked_loss(logits, torch.full((4, 2), torch.nan))
    loss.backward()
    assert float(loss.detach()) == 0 and (logits.grad == 0).all()


def test_model_learns_from_tokens_where_labels_are_missing(tokens):
    torch.manual_seed(0)
    phenformer = toy_phenformer(dropout=0.0, linear=False).train()
    labels = (tokens[:, :, 1, 2].sum(1) > 0).float()[:, None].repeat(1, 2)
    labels[0, 0] = torch.nan
    optimiser = torch.optim.Adam(phenformer.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = masked_loss(phenformer(tokens), labels)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", ["readout", "activity"])
def test_tokens_are_those_of_windows_cut_out_of_one_encoded_contig(double_world, mode, source):
    readout = in_double(toy_readout()) if source == "readout" else None
    genes = (*SITES, OTHER_CONTIG)
    phenformer = in_double(toy_phenformer(mode, expression_from=source, genes=genes))
    found = predict_tokens(phenformer, double_world.reference, double_world.backbone, readout)
    slow = Slow(phenformer, double_world.reference, double_world.backbone, readout)
    with torch.no_grad():
        torch.testing.assert_close(phenformer(found[None]), slow.logits(*slow.bases()), rtol=1e-9, atol=1e-9)
    assert not torch.allclose(found[:, :-1], found[:, 1:])


def test_global_model_encodes_each_window_on_its_own(double_world):
    backbone = GlobalToy(double_world.backbone)
    phenformer = in_double(toy_phenformer(expression_from="activity"))
    found = predict_tokens(phenformer, double_world.reference, backbone)
    slow = Slow(phenformer, double_world.reference, backbone, None)
    with torch.no_grad():
        torch.testing.assert_close(phenformer(found[None]), slow.logits(*slow.bases()), rtol=1e-9, atol=1e-9)


def test_two_haplotypes_have_the_tokens_of_their_own_sequences(double_world, tmp_path):
    other = double_world.reference.__class__(
        write_fasta(tmp_path / "other.fa", seed=9), assembly="toy1", cache_dir=tmp_path
    )
    phenformer, readout = in_double(toy_phenformer("pair")), in_double(toy_readout())
    models = (phenformer, double_world.reference, double_world.backbone, readout)
    found = predict_tokens(*models, haplotypes=(double_world.reference, other))
    for row, sequence in enumerate((double_world.reference, other)):
        alone = predict_tokens(phenformer, sequence, double_world.backbone, readout)
        torch.testing.assert_close(found[row], alone[0])
    assert not torch.allclose(found[0], found[1])


@pytest.mark.parametrize("tile_bins", [1, 5, 8, 1_000])
def test_shared_tiles_hold_each_bin_once_and_separate_ones_each_window(toy_world, tile_bins):
    reader = TokenReader(toy_phenformer(), toy_world.reference, toy_world.backbone, toy_readout())
    for share in (True, False):
        tiles = plan_tiles(reader, share_tiles=share, tile_bins=tile_bins)
        counts = {(window.index, bin): 0 for window in reader.windows for bin in _bins(window)}
        for tile in tiles:
            for window in tile.windows:
                for bin in set(_bins(window)) & set(_bins(tile)):
                    counts[window.index, bin] += 1
        assert set(counts.values()) == {1}
        encoded = [bin for tile in tiles for bin in _bins(tile)]
        wanted = [bin for window in reader.windows for bin in _bins(window)]
        assert len(encoded) == (len(set(wanted)) if share else len(wanted))
        assert [tile.first_bin for tile in tiles] == sorted(tile.first_bin for tile in tiles)


def test_448_windows_of_chromosome_length_are_planned_in_a_blink(toy_world):
    rng = np.random.default_rng(1)
    sites = [
        GeneSite(str(n), "", "20", int(tss), "+") for n, tss in enumerate(rng.integers(0, 60_000_000, 448))
    ]
    phenformer = toy_phenformer(genes=sites, window=196_608)
    reader = TokenReader(phenformer, toy_world.reference, toy_world.backbone, toy_readout())
    assert reader.window_bases == 88_080_384
    tiles = plan_tiles(reader)
    bins = {bin for window in reader.windows for bin in _bins(window)}
    assert sum(tile.last_bin - tile.first_bin for tile in tiles) == len(bins)


def test_448_windows_of_196608_bases_go_through_with_memory_of_one_tile(toy_world):
    rng = np.random.default_rng(2)
    sites = [GeneSite(str(n), "", "20", int(tss), "-") for n, tss in enumerate(rng.integers(0, 50_000, 448))]
    phenformer = toy_phenformer("pair", genes=sites, window=196_608, width=8, feedforward=8)
    tokens = predict_tokens(phenformer, toy_world.reference, toy_world.backbone, toy_readout())
    assert tokens.shape == (2, 448, 11)
    with torch.no_grad():
        assert torch.isfinite(phenformer(tokens[None])).all()


def test_reached_bases_are_the_windows_with_what_their_bins_see_within_the_contig(toy_world):
    reader = TokenReader(toy_phenformer(), toy_world.reference, toy_world.backbone, toy_readout())
    wanted = np.zeros(CONTIGS["20"], dtype=bool)
    flank = 384
    for window in reader.windows:
        wanted[max(window.start - flank, 0) : max(window.end + flank, 0)] = True
    found = np.zeros_like(wanted)
    intervals = reached(reader, "20")
    for start, end in intervals:
        found[start:end] = True
    np.testing.assert_array_equal(found, wanted)
    assert all(a[1] < b[0] for a, b in pairwise(intervals))


@pytest.mark.parametrize("mode", MODES)
def test_saved_model_comes_back_with_its_hashes_and_scale(tmp_path, toy_world, tokens, mode):
    phenformer, readout = toy_phenformer(mode), toy_readout()
    phenformer.traits = (Trait("MCV", "mean corpuscular volume"), Trait("PLT_COUNT"))
    phenformer.backbone_hash, phenformer.readout_hash = toy_world.backbone.weights_hash, readout.weights_hash
    path = save_phenformer(phenformer, tmp_path / "model", card={"training": {"cohort": "simulated"}})
    again = load_phenformer(path, toy_world.backbone, readout)
    torch.testing.assert_close(again(tokens), phenformer(tokens), rtol=0, atol=0)
    assert again.config() == phenformer.config() == json.loads(json.dumps(phenformer.config()))
    assert again.weights_hash == phenformer.weights_hash != "unsaved"
    assert again.card["training"] == {"cohort": "simulated"}
    assert not again.training


def test_damaged_or_foreign_checkpoints_are_refused(tmp_path, toy_world):
    phenformer = toy_phenformer()
    phenformer.backbone_hash = "b" * 64
    path = save_phenformer(phenformer, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="trained on a backbone with the hash bbbbbbbb"):
        load_phenformer(path, toy_world.backbone, toy_readout())
    card = json.loads(path.with_suffix(".json").read_text())
    _write(path, card | {"config": card["config"] | {"width": 32}})
    with pytest.raises(ModelError, match="don't fit the config"):
        load_phenformer(path)
    _write(path, card | {"config": {"genes": []}})
    with pytest.raises(ModelError, match="'config' can't be read"):
        load_phenformer(path)
    _write(path, card | {"format": "phenviz-phenformer/99"})
    with pytest.raises(ModelError, match="update PhenViz"):
        load_phenformer(path)
    _write(path, {"format": card["format"]})
    with pytest.raises(ModelError, match="lacks config"):
        load_phenformer(path)
    _write(path, card)
    tensors = load_file(path)
    save_file(tensors | {"gene": tensors["gene"] + 1}, path)
    with pytest.raises(ModelError, match="damaged"):
        load_phenformer(path)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(ModelError, match="no JSON"):
        load_phenformer(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match="can't be read"):
        load_phenformer(path)


def test_models_that_dont_belong_together_are_refused(toy_world):
    readout = toy_readout()
    with pytest.raises(ModelError, match="needs the gene readout"):
        check_models(toy_phenformer(), toy_world.backbone, None)
    with pytest.raises(ModelError, match="made for expression in Ery"):
        check_models(toy_phenformer(expression=["Ery"]), toy_world.backbone, readout)
    with pytest.raises(ModelError, match="no whole number"):
        check_models(toy_phenformer(window=4_100), toy_world.backbone, readout)
    with pytest.raises(ModelError, match="windows of 8,192 bp only"):
        check_models(toy_phenformer(expression_from="activity"), GlobalToy(toy_world.backbone, 8_192), None)
    with pytest.raises(ModelError, match="coordinates of GRCh38"):
        TokenReader(toy_phenformer(assembly="GRCh38"), toy_world.reference, toy_world.backbone, readout)
    with pytest.raises(ModelError, match="9 channels"):
        predict_tokens(toy_phenformer(channels=9), toy_world.reference, toy_world.backbone, readout)
    with pytest.raises(LocusError, match="no contig"):
        genes = [GeneSite("A", "", "7", 100, "+")]
        TokenReader(toy_phenformer(genes=genes), toy_world.reference, toy_world.backbone, readout)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"genes": []}, "at least one gene"),
        ({"haplotypes": "both"}, "use sum or pair"),
        ({"expression_from": "magic"}, "use readout or activity"),
        ({"width": 9}, "no multiple of its 2 heads"),
    ],
)
def test_impossible_configs_are_refused(changes, words):
    with pytest.raises(ModelError, match=words):
        toy_phenformer(**changes)


def test_names_of_traits_are_unique_and_found_by_label():
    options = {"assembly": "toy1", "channels": 4, "expression": ["Ery"]}
    with pytest.raises(ModelError, match="share a name"):
        Phenformer(SITES, ["MCV", "mcv"], **options)
    phenformer = Phenformer(SITES, [Trait("MCV", "mean corpuscular volume"), "PLT_COUNT"], **options)
    assert phenformer.trait_index(" Mean corpuscular volume") == 0
    assert phenformer.trait_index("plt_count") == 1
    with pytest.raises(TargetError, match="choose among MCV, PLT_COUNT"):
        phenformer.trait_index("")


def test_tokens_of_another_shape_are_refused(tokens):
    with pytest.raises(ModelError, match=r"it takes \(people, haplotypes, genes, features\)"):
        toy_phenformer()(tokens[:, :1])


def test_genes_of_the_annotation_become_sites(toy_world):
    gene = toy_world.annotation.gene("BETA")
    options = {"assembly": "toy1", "channels": 8, "expression": [c.name for c in CONTEXTS], "window": WINDOW}
    assert Phenformer([gene], ["MCV"], **options).genes == (
        GeneSite("BETA", "ENSG00000000002", "20", 14_999, "-"),
    )


def _bins(part):
    return range(part.first_bin, part.last_bin)


def _write(path, card):
    path.with_suffix(".json").write_text(json.dumps(card))
