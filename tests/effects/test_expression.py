from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from phenviz.attribution import mutagenesis
from phenviz.effects import score_contribution, score_expression
from phenviz.errors import LocusError, ModelError
from phenviz.genome import Locus, encode
from phenviz.models.readout import gene_bins
from phenviz.results import contribution
from tests.attribution.oracles import in_double, toy_readout
from tests.effects.oracles import PAD, Edit, random_variants, whole_contig, without_shared_bases
from tests.effects.test_score import Global, every_change, table
from tests.toys import CONTEXTS


@torch.no_grad()
def slow_expression(world, gene, readout, edit: Edit) -> np.ndarray:
    """Express a gene from whole contigs: terms of bins base by base in reference coordinates, (context,)."""
    size, edit = world.backbone.bin_size, without_shared_bases(edit)
    sequence = whole_contig(world.reference, gene.locus.contig)
    around = gene_bins(gene, world.backbone, world.reference, readout.reach)
    backbone, double = in_double(world.backbone), in_double(readout)
    distance = torch.from_numpy(around.distance).double()

    def embed(text: str, shift: int) -> torch.Tensor:
        """Embedding of the gene's bins and those behind on a grid moved by shift, (1, D, bins)."""
        left = PAD + around.start + shift
        padded = "N" * PAD + text + "N" * (2 * PAD)
        flank = 1_024
        kept = encode(padded[left - flank : left + (len(distance) + 8) * size + flank])
        one_hot = torch.eye(5, 4, dtype=torch.float64)[torch.from_numpy(kept.astype(int))].T[None]
        return backbone.encode(one_hot)[:, :, flank // size : -flank // size]

    def expression(sums: torch.Tensor) -> np.ndarray:
        return double.from_pooled(sums).numpy()[0]

    plain = double.pooled_terms(embed(sequence, 0)[:, :, : len(distance)], distance)
    edited = sequence[: edit.start] + edit.alt + sequence[edit.start + len(edit.ref) :]
    paired, shift = min(len(edit.ref), len(edit.alt)), len(edit.alt) - len(edit.ref)
    left_grid = embed(edited, 0)
    values_left = double.pooled_terms(left_grid[:, :, : len(distance)], distance)
    values_right = double.pooled_terms(embed(edited, shift)[:, :, : len(distance)], distance)
    bases = around.start + np.arange(len(distance) * size)
    share_left = torch.from_numpy((bases < edit.start + paired).reshape(-1, size).mean(axis=1))
    share_right = torch.from_numpy((bases >= edit.start + len(edit.ref)).reshape(-1, size).mean(axis=1))
    sums = (values_left * share_left + values_right * share_right).sum(-1)
    anchor = (edit.start + paired - 1 - around.start) // size
    if shift > 0 and 0 <= anchor < len(distance):
        behind = (edit.start + len(edit.alt) - 1 - around.start) // size
        own = left_grid[:, :, anchor : behind + 1]
        same = double.pooled_terms(own, distance[anchor].repeat(own.shape[2]))
        sums = sums + (same.amax(-1) - same[:, :, 0]) / size
    return expression(sums) - expression(plain.sum(-1))


@pytest.fixture(scope="module")
def readout():
    return toy_readout()


def test_expression_changes_as_if_both_alleles_were_predicted_whole(toy_world, readout):
    variants = random_variants(np.random.default_rng(11), toy_world.reference, 40)
    scores = score_expression(
        variants, toy_world.annotation, toy_world.reference, toy_world.backbone, readout
    )
    assert 10 < scores.sizes["pair"] and len(set(scores["gene"].values)) >= 3
    assert (np.diff(scores["row"]) >= 0).all()
    for pair in range(scores.sizes["pair"]):
        one = scores.isel(pair=pair)
        row = variants.iloc[int(one["row"])]
        assert (one["id"].item(), one["position"].item()) == (row["id"], row["position"])
        gene = toy_world.annotation.gene(one["gene"].item())
        slow = slow_expression(toy_world, gene, readout, Edit(row["position"] - 1, row["ref"], row["alt"]))
        np.testing.assert_allclose(one["expression_effect"], slow, rtol=1e-3, atol=2e-6)


def test_single_base_changes_of_expression_are_those_of_mutagenesis(toy_world, readout):
    gene, locus = toy_world.annotation.gene("BETA"), Locus("20", 14_500, 14_600)
    variants = every_change(toy_world, "20", locus.start, locus.end)
    scores = score_expression(
        variants, toy_world.annotation, toy_world.reference, toy_world.backbone, readout, genes=["BETA"],
        contexts=["Mono"],
    )  # fmt: skip
    ism = mutagenesis(
        locus, toy_world.reference, toy_world.backbone, gene_target=(gene, readout), contexts=["Mono"]
    )
    alleles = ["ACGT".index(alt) for alt in variants["alt"]]
    expected = ism["effect"].values[variants["position"].to_numpy() - 1 - locus.start, alleles]
    np.testing.assert_allclose(scores["expression_effect"], expected, rtol=1e-4, atol=1e-6)
    assert scores["distance"].values[0] == gene.tss - locus.start


def test_every_gene_within_reach_has_a_pair_and_no_other(toy_world, readout):
    variants = random_variants(np.random.default_rng(12), toy_world.reference, 80)
    scores = score_expression(
        variants, toy_world.annotation, toy_world.reference, toy_world.backbone, readout
    )
    pairs = set(zip(scores["row"].values.tolist(), scores["gene"].values.tolist(), strict=True))
    for name in ("ALPHA", "BETA", "GAMMA1", "DELTA"):
        gene = toy_world.annotation.gene(name)
        for row in variants.itertuples():
            first, last = row.position - 1, row.position - 1 + len(row.ref)
            near = first - readout.reach - 200 < gene.tss < last + readout.reach + 200
            if (row.Index, name) in pairs:
                assert row.contig == gene.locus.contig
                assert first - readout.reach - 2_000 < gene.tss < last + readout.reach + 2_000
            else:
                assert row.contig != gene.locus.contig or not near


def test_a_deletion_of_a_whole_gene_takes_its_bins_away(toy_world, readout):
    sequence = whole_contig(toy_world.reference, "20")
    variants = table(("20", 3_001, sequence[3_000:23_000], sequence[3_000]))
    scores = score_expression(
        variants, toy_world.annotation, toy_world.reference, toy_world.backbone, readout, genes=["ALPHA"]
    )
    gene = toy_world.annotation.gene("ALPHA")
    slow = slow_expression(toy_world, gene, readout, Edit(3_000, sequence[3_000:23_000], sequence[3_000]))
    np.testing.assert_allclose(scores["expression_effect"][0], slow, rtol=1e-3, atol=1e-5)


def test_no_variants_and_unknown_genes_and_global_models_are_told(toy_world, readout):
    parts = toy_world.annotation, toy_world.reference, toy_world.backbone, readout
    none = score_expression(table(), *parts)
    assert none["expression_effect"].shape == (0, len(CONTEXTS))
    with pytest.raises(LocusError, match="no gene"):
        score_expression(table(), *parts, genes=["NOBODY"])
    with pytest.raises(ModelError, match="finite receptive field"):
        score_expression(
            table(), toy_world.annotation, toy_world.reference, Global(toy_world.backbone), readout
        )


def test_contribution_is_that_of_mutagenesis_summed_over_the_replaced_bases(toy_world):
    reference, locus = toy_world.reference, Locus("20", 1_000, 1_020)
    ism = contribution(mutagenesis(locus, reference, toy_world.backbone)).values
    bases = "".join("ACGT"[code] for code in reference.codes("20")[1_000:1_020])
    other = "ACGT"[("ACGT".index(bases[3]) + 1) % 4]
    variants = pd.concat(
        [
            table(("20", 1_004, bases[3], other), ("20", 1_004, bases[3:9], bases[3])),
            table(("20", 1_004, bases[3], bases[3] + "GATTACA"), ("20", 1_004, other, bases[3])),
        ],
        ignore_index=True,
    )
    found = score_contribution(variants, reference, toy_world.backbone)["contribution"].values
    np.testing.assert_allclose(found[0], ism[3], rtol=1e-4, atol=2e-6)
    np.testing.assert_allclose(found[1], ism[4:9].sum(axis=0), rtol=1e-4, atol=5e-6)
    assert np.isnan(found[2:]).all()
