from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from phenviz.errors import DataError, ModelError
from phenviz.models.expression import predict_expression
from phenviz.models.readout import load_readout
from phenviz.models.readout_data import ReadoutData, collect, log_cpm, log_expression, read_counts
from phenviz.models.readout_metrics import report, score_expression
from phenviz.models.readout_training import Choice, evaluate, fit_readout, predict_genes, train_readout
from phenviz.models.torch_module import TorchModuleBackbone
from tests.effects.test_score import Global
from tests.toys import CONTEXTS

REACH = 1_024


@pytest.fixture
def counts_file(tmp_path):
    counts = pd.DataFrame(
        {"Ery": [10, 0, 90, 5], "Mono": [1, 1, 98, 7], "B": [50, 25, 25, 3]},
        index=["ALPHA", "BETA", "GAMMA1", "DELTA"],
    )
    counts.to_csv(tmp_path / "counts.tsv", sep="\t", index_label="Genes")
    return tmp_path / "counts.tsv"


@pytest.fixture
def many_genes(toy_world):
    """Toy genes many times over, with expression that is a linear function of what is near the TSS."""
    rng = np.random.default_rng(0)
    gene = toy_world.annotation.gene("ALPHA")
    channels, bins = toy_world.backbone.stages[-1].channels, 2 * REACH // 128 + 1
    embedding = torch.from_numpy(rng.gamma(1.0, 1.0, (96, channels, bins)).astype(np.float32))
    genes = tuple(
        type(gene)(f"G{i}", "", gene.locus, 1_000_000 * i, gene.exons) for i in range(len(embedding))
    )
    distance = torch.arange(bins).sub(bins // 2).mul(128.0).expand(len(genes), -1)
    with torch.inference_mode():
        near = toy_world.backbone.activity(embedding)[:, :, bins // 2].log1p().numpy()
    part = np.where(np.arange(len(genes)) % 4 == 0, "test", "training")
    return ReadoutData(genes, (near - near.mean()).astype(np.float32), embedding, distance, part)


def test_counts_become_ln_of_one_plus_counts_per_million(counts_file):
    logs = log_cpm(read_counts(counts_file))
    assert logs.loc["ALPHA", "Ery"] == pytest.approx(np.log1p(10 / 105 * 1e6))


def test_what_is_no_count_stays_on_its_scale(counts_file):
    counts = read_counts(counts_file)
    assert log_expression(counts)[1] == "ln(1 + CPM)"
    pd.testing.assert_frame_equal(log_expression(counts)[0], log_cpm(counts))
    normalised = counts * 1.7
    logs, units = log_expression(normalised)
    assert units == "ln(1 + normalised expression)"
    pd.testing.assert_frame_equal(logs, np.log1p(normalised))
    assert log_expression(counts / counts.sum() * 1e6 + 0.01)[1] == "ln(1 + TPM)"


def test_symbols_listed_twice_are_left_out(counts_file):
    counts = read_counts(counts_file).rename(index={"BETA": "ALPHA"})
    assert list(log_cpm(counts).index) == ["GAMMA1", "DELTA"]


def test_a_gene_of_the_counts_may_be_called_na(tmp_path):
    (tmp_path / "counts.tsv").write_text("Genes\tEry\nNA\t3\nALPHA\t4\n")
    assert read_counts(tmp_path / "counts.tsv")["Ery"].to_dict() == {"NA": 3, "ALPHA": 4}


@pytest.mark.parametrize(
    "text", [f"Genes\tEry\nBETA\t1\nALPHA\t{cell}\n" for cell in ("many", "-1", "", "NA")]
)
def test_a_column_without_counts_is_named(tmp_path, text):
    (tmp_path / "counts.tsv").write_text(text)
    with pytest.raises(DataError, match="Ery"):
        read_counts(tmp_path / "counts.tsv")


def test_genes_belong_to_the_part_that_their_tss_lies_in(toy_world, counts_file):
    parts = toy_world.annotation, toy_world.reference, toy_world.backbone, CONTEXTS
    data = collect(read_counts(counts_file), *parts, reach=REACH, held_out={"test": [("20", 14_000, 20_000)]})
    assert {gene.name: part for gene, part in zip(data.genes, data.part, strict=True)} == {
        "ALPHA": "training",
        "BETA": "test",
        "GAMMA1": "training",
        "DELTA": "training",
    }
    assert data.embedding.shape[2] == data.distance.shape[1] == 2 * REACH // 128 + 1


def test_genes_of_another_contig_are_not_held_out(toy_world, counts_file):
    parts = toy_world.annotation, toy_world.reference, toy_world.backbone, CONTEXTS
    held_out = {"validation": [("chr21", 4_000, 6_000)], "test": [("20", 0, 8_000), ("20", 29_000, 31_000)]}
    data = collect(read_counts(counts_file), *parts, reach=REACH, held_out=held_out)
    assert {gene.name: part for gene, part in zip(data.genes, data.part, strict=True)} == {
        "ALPHA": "test",
        "BETA": "training",
        "GAMMA1": "test",
        "DELTA": "validation",
    }


@pytest.mark.parametrize("seed", range(5))
def test_genes_are_found_by_id_in_any_version_or_by_name(toy_world, counts_file, seed):
    rng = np.random.default_rng(seed)
    counts = read_counts(counts_file)
    ids = {"ALPHA": "ENSG00000000001.7", "BETA": "ENSG00000000002", "GAMMA1": "ENSG00000000003.12"}
    chosen = {name: key for name, key in ids.items() if rng.random() < 0.7}
    renamed = counts.rename(index=chosen).sample(frac=1, random_state=seed)
    parts = toy_world.annotation, toy_world.reference, toy_world.backbone, CONTEXTS
    data = collect(renamed, *parts, reach=REACH, held_out={})
    logs = log_cpm(counts)
    assert [gene.name for gene in data.genes] == ["ALPHA", "BETA", "GAMMA1", "DELTA"]
    for gene, expression in zip(data.genes, data.expression, strict=True):
        np.testing.assert_allclose(expression, logs.loc[gene.name, ["Ery", "Mono", "B"]], rtol=1e-6)


def test_a_gene_that_the_table_has_twice_is_left_out(toy_world, counts_file):
    counts = read_counts(counts_file).rename(
        index={"BETA": "ENSG00000000001.2", "DELTA": "ENSG00000000001.3"}
    )
    parts = toy_world.annotation, toy_world.reference, toy_world.backbone, CONTEXTS
    data = collect(counts, *parts, reach=REACH, held_out={})
    assert [gene.name for gene in data.genes] == ["ALPHA", "GAMMA1"]


def test_a_context_that_the_counts_lack_is_named(toy_world, counts_file):
    counts = read_counts(counts_file).drop(columns="Mono")
    parts = toy_world.annotation, toy_world.reference, toy_world.backbone, CONTEXTS
    with pytest.raises(DataError, match="no column Mono"):
        collect(counts, *parts, reach=REACH, held_out={})


def test_training_finds_what_lies_near_the_tss(toy_world, many_genes):
    readout = fit_readout(many_genes, toy_world.backbone, CONTEXTS, Choice(REACH, 1.0, passes=0))
    rows = many_genes.rows("test")
    scores = score_expression(
        predict_genes(readout, many_genes)[rows], many_genes.expression[rows], np.zeros(3)
    )
    assert scores["across_genes"] > 0.4


def test_attention_is_learned_where_one_kind_of_bin_tells_expression(toy_world, many_genes):
    heads = []
    for passes in (0, 12):
        readout = fit_readout(many_genes, toy_world.backbone, CONTEXTS, Choice(REACH, 1.0, passes))
        heads.append((readout.query.abs().sum() + readout.kernel.abs().sum()).item())
    assert heads[0] == 0 < heads[1]


def test_training_twice_gives_the_same_weights(toy_world, many_genes):
    first, second = (
        fit_readout(many_genes, toy_world.backbone, CONTEXTS, Choice(REACH, 10.0, passes=2)) for _ in range(2)
    )
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(tensor, second.state_dict()[name], rtol=0, atol=0)


def test_a_trained_readout_is_saved_with_its_card_and_predicts(toy_world, counts_file, tmp_path):
    path = tmp_path / "weights" / "readout.safetensors"
    train_readout(
        path,
        counts=counts_file,
        annotation=toy_world.annotation,
        reference=toy_world.reference,
        backbone=toy_world.backbone,
        contexts=CONTEXTS,
        held_out={"test": [("20", 14_000, 20_000)]},
        reaches=(512, REACH),
        name="tissues",
        source={"licence": "CC BY-SA 3.0"},
    )
    readout = load_readout(path, toy_world.backbone)
    assert readout.name == "tissues" and readout.title.startswith("tissues@")
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["licence"] == "CC BY-SA 3.0"
    assert card["training"]["genes"] == {"test": 1, "training": 3}
    assert card["training"]["chosen"]["reach"] == readout.reach
    gene = toy_world.annotation.gene("BETA")
    found = predict_expression(gene, toy_world.reference, toy_world.backbone, readout)
    assert np.isfinite(found["expression"]).all()


@pytest.mark.parametrize("window", [None, 4_096], ids=["local", "global"])
def test_a_readout_is_trained_for_a_network_that_is_none_of_ours(toy_world, counts_file, tmp_path, window):
    module = Embedding(toy_world.backbone).eval()
    backbone = TorchModuleBackbone(
        module, CONTEXTS, name="own", window=window or 1_024, bin_size=128,
        receptive_field=None if window else toy_world.backbone.receptive_field,
    )  # fmt: skip
    path = tmp_path / "readout.safetensors"
    how = {"annotation": toy_world.annotation, "reference": toy_world.reference, "contexts": CONTEXTS}
    how |= {
        "held_out": {"test": [("20", 14_000, 20_000)]},
        "reaches": (512, REACH, 98_304)[: 3 if window else 2],
    }
    train_readout(path, counts=counts_file, backbone=backbone, **how)
    readout = load_readout(path, backbone)
    gene = toy_world.annotation.gene("BETA")
    found = predict_expression(gene, toy_world.reference, backbone, readout)
    # what a window sees beyond the bins is as local as before, so that both see the same
    other = TorchModuleBackbone(
        module, CONTEXTS, name="own", window=1_024, bin_size=128,
        receptive_field=toy_world.backbone.receptive_field,
    )  # fmt: skip
    local = predict_expression(gene, toy_world.reference, other, readout)
    np.testing.assert_allclose(found["expression"], local["expression"], rtol=1e-4, atol=1e-5)


def test_a_window_too_short_for_any_readout_is_refused(toy_world, counts_file, tmp_path):
    backbone = Global(toy_world.backbone).eval()
    with pytest.raises(ModelError, match="sees 4,096 bp, and a readout reads 24,576 around a gene"):
        train_readout(
            tmp_path / "r.safetensors", counts=counts_file, annotation=toy_world.annotation,
            reference=toy_world.reference, backbone=backbone, contexts=CONTEXTS,
        )  # fmt: skip


class Embedding(nn.Module):
    """A network in two steps, as a user's is."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def encode(self, x):
        return self.inner.encode(x)

    def activity(self, embedding):
        return self.inner.activity(embedding)


def test_the_card_tells_every_context_beside_both_baselines(toy_world, many_genes):
    readout = fit_readout(many_genes, toy_world.backbone, CONTEXTS, Choice(REACH, 1.0, passes=0))
    test = evaluate(readout, many_genes, toy_world.backbone, {"test": []})["test"]
    assert set(test) == {"readout", "tss_window_baseline", "training_mean"}
    rows = many_genes.rows("test")
    predicted = predict_genes(readout, many_genes)[rows]
    for column, context in enumerate(CONTEXTS):
        expected = np.corrcoef(predicted[:, column], many_genes.expression[rows, column])[0, 1]
        assert test["readout"]["contexts"][context.name] == pytest.approx(expected, abs=1e-3)
        # one number for all genes says nothing of them
        assert test["training_mean"]["contexts"][context.name] is None
    json.loads(json.dumps(test), parse_constant=pytest.fail)


def test_perfect_predictions_score_one_and_unrelated_ones_near_zero():
    rng = np.random.default_rng(0)
    observed = rng.normal(size=(200, 5))
    tss = np.arange(200) * 100_000
    perfect = report(observed, observed, observed.mean(0), tss, repeats=20)
    unrelated = report(rng.normal(size=(200, 5)), observed, observed.mean(0), tss, repeats=50)
    for name in ("across_genes", "across_contexts", "specific"):
        assert perfect[name]["value"] == pytest.approx(1)
        low, high = unrelated[name]["interval"]
        assert low - 0.05 < 0 < high + 0.05
