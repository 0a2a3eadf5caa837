from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from phenviz.errors import ModelError, TargetError
from phenviz.genome import Context
from phenviz.models.expression import embed, predict_expression
from phenviz.models.readout import GeneReadout, gene_bins, load_readout, save_readout
from phenviz.progress import Progress
from tests.toys import CONTEXTS, predict_whole

REACH = 1_024


@pytest.fixture
def readout(toy_world):
    torch.manual_seed(0)
    contexts = (
        *CONTEXTS,
        Context("CMP", "common myeloid progenitor", "CL:0000049", "progenitors", "#888888"),
    )
    channels = toy_world.backbone.stages[-1].channels
    return GeneReadout(channels, contexts, reach=REACH, heads=3, values=5).eval()


@pytest.fixture
def embedded(toy_world, readout):
    bins = gene_bins(toy_world.annotation.gene("BETA"), toy_world.backbone, toy_world.reference, REACH)
    return embed(bins, toy_world.reference, toy_world.backbone), torch.from_numpy(bins.distance)


@pytest.mark.parametrize("name", ["ALPHA", "BETA"])
def test_bins_lie_on_the_grid_with_the_tss_in_the_middle_one(toy_world, name):
    gene = toy_world.annotation.gene(name)
    bins = gene_bins(gene, toy_world.backbone, toy_world.reference, REACH)
    size, middle = toy_world.backbone.bin_size, len(bins.distance) // 2
    assert bins.start % size == 0
    assert len(bins.distance) == 2 * REACH // size + 1
    assert bins.start + middle * size <= gene.tss < bins.start + (middle + 1) * size
    assert abs(bins.distance[middle]) <= size / 2


def test_distance_is_positive_in_the_direction_of_transcription(toy_world):
    forward, reverse = (
        gene_bins(toy_world.annotation.gene(name), toy_world.backbone, toy_world.reference, REACH).distance
        for name in ("ALPHA", "BETA")
    )
    assert (np.diff(forward) > 0).all()
    assert (np.diff(reverse) < 0).all()


def test_embedding_round_a_gene_is_that_of_the_whole_window(toy_world, embedded):
    gene = toy_world.annotation.gene("BETA")
    bins = gene_bins(gene, toy_world.backbone, toy_world.reference, REACH)
    locus = type(gene.locus)(bins.contig, bins.start, bins.end)
    with torch.inference_mode():
        activity = toy_world.backbone.activity(embedded[0])[0].numpy()
    expected = predict_whole(locus, toy_world.reference, toy_world.backbone)
    np.testing.assert_allclose(activity, expected, rtol=1e-5)


def test_a_gene_at_the_edge_of_the_contig_has_all_its_bins(toy_world, readout):
    gene = toy_world.annotation.gene("DELTA")
    bins = gene_bins(gene, toy_world.backbone, toy_world.reference, 49_152)
    assert bins.start < 0 and bins.end > toy_world.reference.contigs["21"]
    assert embed(bins, toy_world.reference, toy_world.backbone).shape[2] == len(bins.distance)


def test_changed_bins_update_the_sums_as_if_all_bins_were_pooled_again(readout, embedded):
    embedding, distance = embedded
    changed = embedding.clone()
    changed[:, :, 4:7] += torch.randn(1, embedding.shape[1], 3)
    with torch.inference_mode():
        sums = readout.pooled_terms(embedding, distance).double().sum(-1)
        old = readout.pooled_terms(embedding[:, :, 4:7], distance[4:7]).double().sum(-1)
        new = readout.pooled_terms(changed[:, :, 4:7], distance[4:7]).double().sum(-1)
        updated = readout.from_pooled((sums - old + new).float())
        again = readout.expression(changed, distance)
    torch.testing.assert_close(updated, again, rtol=1e-5, atol=1e-6)


def test_far_bins_with_extreme_embeddings_stay_finite(readout, embedded):
    embedding, distance = embedded
    assert readout.expression(embedding * 1e6, distance * 1e3).isfinite().all()


def test_expression_of_genes_has_their_names_contexts_and_units(toy_world, readout):
    genes = [toy_world.annotation.gene(name) for name in ("ALPHA", "BETA", "GAMMA1")]
    stages = []
    dataset = predict_expression(
        genes,
        toy_world.reference,
        toy_world.backbone,
        readout,
        progress=Progress(lambda *at: stages.append(at)),
    )
    assert dataset["expression"].dims == ("gene", "context")
    assert dataset["gene"].values.tolist() == ["ALPHA", "BETA", "GAMMA1"]
    assert dataset["context"].values.tolist() == ["Ery", "Mono", "B", "CMP"]
    assert dataset.attrs["units"] == "ln(1 + CPM)"
    assert stages[-1][1] == 1.0


def test_expression_of_one_context_is_that_of_all(toy_world, readout):
    gene = toy_world.annotation.gene("ALPHA")
    parts = toy_world.reference, toy_world.backbone, readout
    whole = predict_expression(gene, *parts)
    one = predict_expression(gene, *parts, contexts=["CL:0000576"])
    np.testing.assert_array_equal(one["expression"], whole["expression"].sel(context=["Mono"]))


def test_a_context_without_rna_is_refused_in_words(readout):
    with pytest.raises(TargetError, match=r"no expression in 'Mega'.*choose among Ery, Mono, B, CMP"):
        readout.select(["Mega"])


def test_a_saved_readout_predicts_the_same(readout, embedded, tmp_path):
    save_readout(readout, tmp_path / "readout.safetensors", {"metrics": {"r": 0.5}})
    again = load_readout(tmp_path / "readout.safetensors")
    with torch.inference_mode():
        torch.testing.assert_close(again.expression(*embedded), readout.expression(*embedded), rtol=0, atol=0)
    assert again.contexts == readout.contexts
    assert again.weights_hash == readout.weights_hash
    assert json.loads((tmp_path / "readout.json").read_text())["metrics"] == {"r": 0.5}


def test_a_readout_of_another_backbone_is_refused(toy_world, readout, tmp_path):
    readout.backbone_hash = "0" * 64
    save_readout(readout, tmp_path / "readout.safetensors")
    with pytest.raises(ModelError, match="trained on a backbone with the hash 00000000"):
        load_readout(tmp_path / "readout.safetensors", toy_world.backbone)


def test_a_damaged_weights_file_is_refused(readout, tmp_path):
    path = tmp_path / "readout.safetensors"
    save_readout(readout, path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelError, match="has the hash"):
        load_readout(path)


def test_a_missing_or_broken_card_is_named(readout, tmp_path):
    path = tmp_path / "readout.safetensors"
    save_readout(readout, path)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(ModelError, match=r"readout\.json is no JSON"):
        load_readout(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match=r"readout\.json is missing"):
        load_readout(path)
