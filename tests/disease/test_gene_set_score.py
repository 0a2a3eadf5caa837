"""Disease genes against matched sets of genes: matching, size, power, and the slow obvious way."""

import numpy as np
import pytest
from scipy import stats

from phenviz.disease.gene_set_score import disease_genes, gene_set_test, matched_genes

GENES, CONTEXTS = 400, 6


def made_up(rng, active=None, genes=GENES):
    """Draw expression whose mean and variance differ by gene, and z that go with one context."""
    mean, spread = rng.uniform(0, 8, genes), rng.uniform(0.2, 2, genes)
    expression = mean[:, None] + spread[:, None] * rng.normal(size=(genes, CONTEXTS))
    z = rng.normal(size=genes)
    if active is not None:
        z += 1.0 * (expression[:, active] - mean) / spread
    return z, expression


def test_the_set_is_one_gene_in_eighteen_with_weights_by_z():
    z = np.arange(900.0)[::-1] / 60
    chosen, weight = disease_genes(z)
    assert chosen.tolist() == list(range(50))
    np.testing.assert_allclose(weight, np.minimum(z[:50], 10))
    # of few genes ten, of very many a thousand, and none with a z that isn't known
    assert len(disease_genes(np.arange(40.0))[0]) == 10
    assert len(disease_genes(np.arange(30_000.0))[0]) == 1_000
    assert 2 not in disease_genes(np.r_[5.0, 4.0, np.nan, np.zeros(40)])[0]
    # one that is less than expected by chance weighs nothing
    assert disease_genes(np.full(30, -1.0))[1].sum() == 0


def test_matched_genes_are_alike_in_mean_and_variance():
    rng = np.random.default_rng(0)
    mean, variance = rng.uniform(0, 8, GENES), rng.uniform(0, 4, GENES)
    found = matched_genes(mean, variance)
    for gene, alike in enumerate(found):
        assert gene in alike and len(alike) >= 7
        assert all(np.array_equal(found[other], alike) for other in alike)
        assert np.ptp(mean[alike]) < 8 / 5
    assert sum(1 / len(alike) for alike in found) == pytest.approx(49)
    assert [len(one) for one in matched_genes(mean[:5], variance[:5])] == [5] * 5


def test_it_is_the_slow_obvious_way():
    rng = np.random.default_rng(1)
    z, expression = made_up(rng, active=2)
    found = gene_set_test(z, expression, 20_000, np.random.default_rng(2))
    chosen, weight = disease_genes(z)
    alike = matched_genes(expression.mean(1), expression.var(1))
    null = []
    for _ in range(4_000):
        genes = [rng.choice(alike[gene]) for gene in chosen]
        null.append(np.average(expression[genes], axis=0, weights=weight))
    observed, null = np.average(expression[chosen], axis=0, weights=weight), np.array(null)
    np.testing.assert_allclose(found.effect, observed - null.mean(0), atol=0.03)
    np.testing.assert_allclose(found.se, null.std(0), rtol=0.05)
    np.testing.assert_allclose(found.z, found.effect / found.se)
    slow = (null >= observed).mean(0)
    np.testing.assert_allclose(found.p_value, slow, atol=4 * np.sqrt(slow.max() / 4_000) + 2e-3)
    assert found.p_value.min() >= 1 / 20_001


def test_it_errs_as_often_as_it_says_and_finds_what_is_there():
    rng, calls, first = np.random.default_rng(3), [], 0
    for seed in range(150):
        z, expression = made_up(rng)
        calls.append(gene_set_test(z, expression, 199, np.random.default_rng(seed)).p_value[0] <= 0.05)
    assert stats.binomtest(sum(calls), 150, 0.05).pvalue > 0.002
    for seed in range(20):
        z, expression = made_up(rng, active=4)
        found = gene_set_test(z, expression, 199, np.random.default_rng(seed))
        first += int(np.argmax(found.z)) == 4
    assert first >= 19


def test_genes_that_are_expressed_more_everywhere_call_nothing():
    """Strongly expressed genes are associated more: against any other genes every context would stand out."""
    rng, calls, unmatched = np.random.default_rng(4), 0, 0
    for seed in range(40):
        _, expression = made_up(rng)
        z = rng.normal(size=GENES) + expression.mean(1)
        calls += gene_set_test(z, expression, 199, np.random.default_rng(seed)).p_value[0] <= 0.05
        chosen, weight = disease_genes(z)
        draws = rng.integers(0, GENES, (199, len(chosen)))
        null = np.average(expression[draws, 0], axis=1, weights=weight)
        unmatched += (null >= np.average(expression[chosen, 0], weights=weight)).mean() <= 0.05
    # within a bin the genes of the set have the higher means
    assert calls <= 12 and unmatched == 40


@pytest.mark.parametrize("z", [np.full(GENES, -1.0), np.full(GENES, np.nan), np.ones(20)])
def test_without_association_or_with_few_genes_nothing_is_tested(z):
    _, expression = made_up(np.random.default_rng(5), genes=len(z))
    found = gene_set_test(z, expression, 199, np.random.default_rng(6))
    assert np.isnan(found.p_value).all() and np.isnan(found.z).all()
