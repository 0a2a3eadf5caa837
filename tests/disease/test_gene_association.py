from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, kstest, norm, spearmanr

from phenviz.disease.gene_association import associate_genes, eigenvalues, gene_windows, mixture_z
from phenviz.disease.gene_property import (
    gene_covariates_of,
    gene_property_test,
    independent,
    positive_definite,
    truncated,
)
from phenviz.disease.ld_panel import FEWEST_PEOPLE, LdPanel, read_panels, standardised, unbiased_square

PEOPLE = 400


def linked(variants, people, rng, length=60_000, distance=3_000):
    """Make people whose neighbouring variants are correlated: simulated, and not data."""
    place = np.sort(rng.choice(length, variants, replace=False)) + 1
    decay = np.exp(-np.diff(place) / distance)
    liability = np.empty((variants, people))
    liability[0] = rng.normal(size=people)
    for row, keep in enumerate(decay, 1):
        liability[row] = keep * liability[row - 1] + np.sqrt(1 - keep**2) * rng.normal(size=people)
    dosage = (liability > rng.uniform(-0.8, 0.8, (variants, 1))).astype(float)
    table = pd.DataFrame(
        {"contig": "20", "position": place, "ref": "A", "alt": "G", "frequency": dosage.mean(1) / 2}
    )
    return LdPanel(table, standardised(dosage))


def genes_every(step, length, strand="+"):
    starts = np.arange(0, length, step)
    return pd.DataFrame(
        {"gene_name": [f"g{n}" for n in range(len(starts))], "contig": "20", "start": starts,
         "end": starts + step // 2, "strand": strand}
    )  # fmt: skip


def null_z(panel, rng):
    noise = rng.normal(size=panel.people)
    return panel.genotypes.astype(float) @ (noise - noise.mean()) / np.sqrt(panel.people)


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_without_ld_the_sum_of_squares_is_a_chi_square(count):
    for p in (0.9, 0.5, 0.1, 1e-3, 1e-8, 1e-30):
        # the saddlepoint's relative error in p is a few percent, most with one variant and far in the tail
        found = mixture_z(chi2.isf(p, count), np.ones(count))
        assert norm.logsf(found) == pytest.approx(np.log(p), abs=0.14), (count, p)


@pytest.mark.parametrize("seed", range(4))
def test_the_tail_of_a_weighted_sum_is_that_of_many_draws(seed):
    rng = np.random.default_rng(seed)
    weights = rng.gamma(0.5, size=rng.integers(2, 30)) + 1e-3
    drawn = (rng.normal(size=(400_000, len(weights))) ** 2) @ weights
    for p in (0.8, 0.5, 0.2, 0.01):
        q = float(np.quantile(drawn, 1 - p))
        assert norm.sf(mixture_z(q, weights)) == pytest.approx(p, rel=0.08)
    # smooth through the mean, where w and v vanish, and the same whatever the units
    at, near = mixture_z(weights.sum(), weights), mixture_z(weights.sum() * (1 + 1e-3), weights)
    assert 0 < near - at < 0.01
    assert mixture_z(7 * weights.sum(), 7 * weights) == pytest.approx(at)


def test_eigenvalues_are_those_of_the_correlation_whichever_side_is_shorter():
    rng = np.random.default_rng(0)
    for shape in ((10, 60), (60, 10)):
        x = standardised(rng.normal(size=shape)).astype(float)
        full = np.linalg.eigvalsh(x @ x.T / shape[1])
        found = eigenvalues(x)
        np.testing.assert_allclose(np.sort(found), np.sort(full)[-len(found) :], rtol=1e-4)
        assert found.sum() == pytest.approx(shape[0], rel=1e-4)


def test_windows_follow_the_strand_and_begin_no_earlier_than_the_contig():
    genes = pd.DataFrame(
        {"gene_name": ["f", "r"], "contig": "20", "start": [68_351, 10_000], "end": [77_296, 20_000],
         "strand": ["+", "-"]}
    )  # fmt: skip
    windows = gene_windows(genes)
    # as in published analyses: DEFB125 from 33,351 to 87,296
    assert windows.iloc[0][["start", "end"]].tolist() == [33_351, 87_296]
    assert windows.iloc[1][["start", "end"]].tolist() == [0, 55_000]


def test_genes_are_those_of_the_slow_way():
    rng = np.random.default_rng(1)
    panel, genes = linked(300, PEOPLE, rng, 400_000), genes_every(90_000, 400_000, "-")
    z = null_z(panel, rng)
    keep = rng.permutation(300)[:250]
    study = panel.variants.iloc[keep].assign(z=z[keep])
    found = associate_genes(study, panel, genes)
    r = np.corrcoef(panel.genotypes[np.sort(keep)])
    place, z = panel.variants["position"].to_numpy()[np.sort(keep)], z[np.sort(keep)]
    squares, inside = [], []
    for row in gene_windows(genes).itertuples():
        own = np.array([row.start < one <= row.end for one in place])
        inside.append(own)
        squares.append(sum(z[own] ** 2))
    np.testing.assert_allclose(found.table["statistic"], squares, rtol=1e-5)
    assert found.table["variants"].tolist() == [int(own.sum()) for own in inside]
    weights = np.linalg.eigvalsh(r[np.ix_(inside[0], inside[0])])
    assert found.table["z"].iloc[0] == pytest.approx(mixture_z(squares[0], weights[weights > 1e-6]), rel=1e-3)

    def shared(one, other):
        total = 0.0
        for i in np.flatnonzero(one):
            for j in np.flatnonzero(other):
                total += r[i, j] ** 2 - (1 - r[i, j] ** 2) / (PEOPLE - 2)
        return max(total, 0.0)

    expected = shared(inside[0], inside[1]) / np.sqrt(
        shared(inside[0], inside[0]) * shared(inside[1], inside[1])
    )
    assert found.correlation[0, 1] == pytest.approx(expected, rel=1e-3)


def test_flipped_alleles_order_and_unknown_variants_change_nothing():
    rng = np.random.default_rng(2)
    panel, genes = linked(120, PEOPLE, rng, 100_000), genes_every(30_000, 100_000)
    study = panel.variants.assign(z=null_z(panel, rng))
    first = associate_genes(study, panel, genes).table
    other = study.assign(z=-study["z"]).sample(frac=1, random_state=0)
    unknown = pd.DataFrame({"contig": "20", "position": [5, 6], "ref": "C", "alt": "T", "z": [9.0, np.nan]})
    second = associate_genes(pd.concat([other, unknown]), panel, genes).table
    pd.testing.assert_frame_equal(first, second)


def test_where_nothing_is_associated_z_of_genes_is_normal_and_correlated_as_said():
    rng = np.random.default_rng(3)
    panel, genes = linked(260, PEOPLE, rng, 500_000), genes_every(60_000, 500_000)
    studies = [panel.variants.assign(z=null_z(panel, rng)) for _ in range(300)]
    z = np.array([associate_genes(study, panel, genes).table["z"] for study in studies])
    assert kstest(norm.sf(z[:, ::3].ravel()), "uniform").pvalue > 1e-3
    said = associate_genes(studies[0], panel, genes).correlation
    pairs = np.triu_indices(len(said), 1)
    seen = np.corrcoef(z.T)[pairs]
    assert np.polyfit(said[pairs], seen, 1)[0] == pytest.approx(1, abs=0.2)
    assert spearmanr(said[pairs], seen).statistic > 0.5


def test_a_gene_with_an_effect_stands_out():
    rng = np.random.default_rng(4)
    panel, genes = linked(200, PEOPLE, rng, 600_000), genes_every(100_000, 600_000)
    beta = np.zeros(200)
    window = gene_windows(genes).iloc[3]
    inside = panel.variants["position"].between(window["start"] + 40_000, window["end"] - 40_000)
    beta[np.flatnonzero(inside)[:2]] = 6.0
    g = panel.genotypes.astype(float)
    z = null_z(panel, rng) + g @ (g.T @ beta) / PEOPLE
    table = associate_genes(panel.variants.assign(z=z), panel, genes).table
    assert table.loc[table["z"].idxmax(), "gene_name"] == window["gene_name"] and table["z"].max() > 4


@pytest.mark.parametrize("seed", range(3))
def test_the_regression_is_generalised_least_squares_by_hand(seed):
    rng = np.random.default_rng(seed)
    genes, contexts = 60, 4
    a = rng.normal(size=(genes, 3 * genes))
    covariance = a @ a.T
    sd = np.sqrt(np.diag(covariance))
    correlation, z = covariance / np.outer(sd, sd), rng.normal(size=genes)
    properties, covariates = rng.normal(size=(genes, contexts)), rng.normal(size=(genes, 3))
    found = gene_property_test(z, correlation, properties, covariates)
    inverse = np.linalg.inv(positive_definite(correlation))
    for column in range(contexts):
        x = np.column_stack([np.ones(genes), covariates, properties[:, column]])
        variance = np.linalg.inv(x.T @ inverse @ x)
        beta = variance @ x.T @ inverse @ truncated(z)
        rest = truncated(z) - x @ beta
        free = genes - x.shape[1]
        se = np.sqrt(variance[-1, -1] * (rest @ inverse @ rest) / free)
        assert (found.effect[column], found.se[column]) == pytest.approx((beta[-1], se), rel=1e-6)
        assert found.free == free
    assert np.isnan(found.p_conditional[np.argmax(found.t)])


def test_correlated_genes_dont_make_false_findings_but_would_without_their_correlation():
    rng = np.random.default_rng(5)
    block = np.kron(np.eye(15), np.full((4, 4), 0.9)) + 0.1 * np.eye(60)
    root = np.linalg.cholesky(block)
    # properties that neighbours share, as expression often is
    property_ = np.repeat(rng.normal(size=15), 4)[:, None] + 0.1 * rng.normal(size=(60, 1))
    covariates = rng.normal(size=(60, 2))
    p = {"said": [], "ignored": []}
    for _ in range(400):
        z = root @ rng.normal(size=60)
        p["said"].append(gene_property_test(z, block, property_, covariates).p_value[0])
        p["ignored"].append(gene_property_test(z, np.eye(60), property_, covariates).p_value[0])
    assert 0.02 < np.mean(np.array(p["said"]) < 0.05) < 0.09
    assert np.mean(np.array(p["ignored"]) < 0.05) > 0.12


def test_a_planted_property_is_found_and_conditioned_on():
    rng = np.random.default_rng(6)
    properties = rng.normal(size=(200, 5))
    properties[:, 1] = 0.9 * properties[:, 0] + 0.3 * rng.normal(size=200)
    z = 0.5 * properties[:, 0] + rng.normal(size=200)
    found = gene_property_test(z, np.eye(200), properties, rng.normal(size=(200, 2)))
    assert np.argmax(found.t) == 0 and found.p_value[0] < 1e-4
    # the one that resembles it says nothing beyond it
    assert found.p_value[1] < 0.01 < found.p_conditional[1]


def test_what_cannot_be_tested_is_nan_and_no_error():
    rng = np.random.default_rng(7)
    properties = np.column_stack([np.ones(40), rng.normal(size=40)])
    found = gene_property_test(rng.normal(size=40), np.eye(40), properties, np.ones((40, 1)))
    assert np.isnan(found.p_value[0]) and np.isfinite(found.p_value[1])
    few = gene_property_test(rng.normal(size=5), np.eye(5), rng.normal(size=(5, 2)), np.ones((5, 1)))
    assert np.isnan(few.p_value).all() and few.free < 10
    assert independent(np.column_stack([np.ones(9), np.arange(9), 2 * np.arange(9)])).shape == (9, 2)
    # two genes of the same variants
    assert np.linalg.eigvalsh(positive_definite(np.ones((3, 3)))).min() > 0
    assert truncated(np.array([0.0, 1, -1, np.inf, -np.inf])).max() < np.inf
    table = pd.DataFrame({"variants": [1, 4], "effective": [1.0, 2.0], "frequency": [0.5, 0.1]})
    assert np.isfinite(gene_covariates_of(table, np.zeros(2))).all()


def test_the_square_of_a_correlation_is_0_on_average_where_there_is_none():
    rng = np.random.default_rng(8)
    x = standardised(rng.normal(size=(400, 50)))
    r = (x @ x.T / 50)[np.triu_indices(400, 1)]
    assert unbiased_square(r, 50).mean() == pytest.approx(0, abs=3e-4)
    assert (r**2).mean() == pytest.approx(1 / 49, rel=0.03)


class People:
    """Genotypes that are given."""

    reference = SimpleNamespace(length=lambda contig: 100)

    def __init__(self, alleles):
        self.alleles = alleles

    def __len__(self):
        return self.alleles.shape[1]

    def genotypes(self, locus):
        table = pd.DataFrame({"contig": "20", "position": np.arange(len(self.alleles)) + 1})
        return SimpleNamespace(variants=table.assign(ref="A", alt="C"), alleles=self.alleles)


def test_a_variant_that_all_people_have_alike_has_no_correlation_and_is_left_out():
    rng = np.random.default_rng(9)
    alleles = rng.integers(0, 2, (4, 60, 2)).astype(np.int8)
    alleles[1] = [0, 1]
    alleles[2] = -1
    # a haploid call counts as two
    alleles[3, :, 1] = -1
    places = pd.DataFrame({"contig": "20", "position": [1, 4]})
    (panel,) = read_panels(People(alleles), places)
    assert panel.variants["position"].tolist() == [1, 4]
    np.testing.assert_allclose(panel.variants["frequency"], [alleles[0].mean(), alleles[3, :, 0].mean()])
    genes = pd.DataFrame({"gene_name": ["g"], "contig": "20", "start": [0], "end": [9], "strand": "+"})
    study = pd.DataFrame({"contig": "20", "position": [1, 2, 3, 4], "ref": "A", "alt": "C"})
    table = associate_genes(study.assign(z=[1.0, 9, 9, np.nan]), panel, genes).table
    # one variant, with a known z
    assert (table["variants"].item(), table["effective"].item()) == (1, pytest.approx(1))
    assert table["statistic"].item() == 1.0
    assert list(read_panels(People(alleles[:, : FEWEST_PEOPLE - 1]), places)) == []
