"""Association against statsmodels, one variant at a time, and against PLINK 2 where it is installed."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from phenviz.disease.cohort.covariates import fit_covariates
from phenviz.disease.cohort.dosages import Dosages, allele_frequency
from phenviz.disease.cohort.gwas import associate
from phenviz.disease.cohort.polygenic import clump, clump_and_threshold, ridge
from phenviz.errors import DataError


def made_up(seed, people=300, variants=40, missing=0.0):
    """Make dosages of which the second half repeats the first, covariates, and labels that three cause."""
    rng = np.random.default_rng(seed)
    half = rng.binomial(2, rng.uniform(0.05, 0.5, (variants // 2, 1)), (variants // 2, people))
    noisy = np.where(rng.random(half.shape) < 0.1, rng.permutation(half, axis=1), half)
    values = np.concatenate([half, noisy]).astype(np.int8)
    values[rng.random(values.shape) < missing] = -1
    covariates = np.column_stack([rng.integers(0, 2, people), rng.normal(55, 8, people)])
    score = half[:3].sum(axis=0) + 0.05 * covariates[:, 1] + rng.normal(0, 1.2, people)
    labels = (score > np.quantile(score, 0.7)).astype(float)
    labels[::17] = np.nan
    table = pd.DataFrame(
        {
            "contig": "20",
            "position": np.sort(rng.permutation(400_000)[:variants]) + 1,
            "ref": "A",
            "alt": "G",
            "id": "",
        }
    )
    train = np.sort(rng.permutation(people)[: people * 2 // 3])
    return Dosages(table, values, allele_frequency(values[:, train])), labels, covariates, train


@pytest.mark.parametrize(("seed", "missing"), [(0, 0.0), (1, 0.0), (2, 0.1)])
def test_association_is_what_statsmodels_fits_for_each_variant(seed, missing):
    dosages, labels, covariates, train = made_up(seed, missing=missing)
    found = associate(dosages, labels, covariates, train)
    for row in range(len(dosages)):
        known = train[~np.isnan(labels[train]) & (dosages.values[row, train] >= 0)]
        design = sm.add_constant(np.column_stack([covariates[known], dosages.values[row, known]]))
        slow = sm.Logit(labels[known], design).fit(disp=0)
        assert found["people"][row] == len(known)
        assert found["beta"][row] == pytest.approx(slow.params[-1], rel=1e-5, abs=1e-7)
        assert found["se"][row] == pytest.approx(slow.bse[-1], rel=1e-5)
        assert found["p_value"][row] == pytest.approx(slow.pvalues[-1], rel=1e-4)


def test_a_genotype_that_tells_cases_apart_has_no_estimate():
    dosages, labels, covariates, train = made_up(3)
    known = ~np.isnan(labels)
    dosages.values[4, known] = (2 * labels[known]).astype(np.int8)
    dosages.values[7] = 1
    found = associate(dosages, labels, covariates, train)
    assert found["p_value"].isna()[[4, 7]].all() and found["p_value"].notna().sum() == 38


def test_only_the_training_people_count():
    dosages, labels, covariates, train = made_up(4)
    others = np.setdiff1d(np.arange(300), train)
    changed = labels.copy()
    changed[others] = 1 - changed[others]
    one, two = (associate(dosages, each, covariates, train) for each in (labels, changed))
    pd.testing.assert_frame_equal(one, two)


def test_cases_and_controls_are_needed():
    dosages, labels, covariates, train = made_up(5)
    with pytest.raises(DataError, match="cases and controls"):
        associate(dosages, np.zeros_like(labels), covariates, train)


@pytest.mark.skipif(shutil.which("plink2") is None, reason="PLINK 2 isn't installed")
def test_association_is_what_plink_finds(tmp_path):
    dosages, labels, covariates, train = made_up(6, missing=0.05)
    names = [f"s{row}" for row in range(len(labels))]
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=20>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append("\t".join(["#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".replace(" ", "\t"), *names]))
    call = {-1: "./.", 0: "0/0", 1: "0/1", 2: "1/1"}
    for row, position in enumerate(dosages.variants["position"]):
        calls = [call[int(value)] for value in dosages.values[row]]
        lines.append("\t".join(["20", str(position), f"v{row}", "A", "G", ".", ".", ".", "GT", *calls]))
    (tmp_path / "g.vcf").write_text("\n".join(lines) + "\n")
    table = pd.DataFrame({"#IID": names, "T": labels + 1, "sex_": covariates[:, 0], "age": covariates[:, 1]})
    table = table.iloc[train]
    table[["#IID", "T"]].fillna(-9).to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    table[["#IID", "sex_", "age"]].to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    words = "--vcf g.vcf --pheno t.tsv --covar c.tsv --covar-variance-standardize --glm no-firth hide-covar"
    subprocess.run(
        ["plink2", *words.split(), "--out", "out", "--threads", "1"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    plink = pd.read_csv(tmp_path / "out.T.glm.logistic", sep="\t")
    found = associate(dosages, labels, covariates, train)
    sign = np.where(plink["A1"] == "G", 1, -1)
    np.testing.assert_allclose(found["beta"], sign * np.log(plink["OR"]), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["se"], plink["LOG(OR)_SE"], rtol=1e-3)
    np.testing.assert_array_equal(found["people"], plink["OBS_CT"])


@pytest.mark.parametrize("seed", range(3))
def test_clumping_keeps_the_most_significant_of_what_is_linked(seed):
    dosages, labels, covariates, train = made_up(seed)
    found = associate(dosages, labels, covariates, train)
    chosen = clump(found, dosages, train, r2=0.2, bases=250_000)
    # the slow obvious way
    p, position = found["p_value"].to_numpy(), found["position"].to_numpy()
    correlation = np.corrcoef(dosages.values[:, train].astype(float)) ** 2
    left, slow = set(range(len(p))), []
    for row in np.argsort(p, kind="stable"):
        if row in left:
            slow.append(int(row))
            left -= {
                other
                for other in left
                if abs(position[other] - position[row]) <= 250_000 and correlation[row, other] >= 0.2
            } | {int(row)}
    assert chosen.tolist() == slow and len(slow) < len(p)


def test_thresholds_take_more_and_more_variants():
    dosages, labels, covariates, train = made_up(0)
    found = associate(dosages, labels, covariates, train)
    chosen = clump(found, dosages, train)
    candidates = clump_and_threshold(found, chosen, len(dosages))
    counts = [candidate.settings["variants"] for candidate in candidates]
    assert counts == sorted(set(counts)) and counts[-1] == len(chosen)
    for candidate in candidates:
        used = np.flatnonzero(candidate.weights)
        assert (found["p_value"][used] <= candidate.settings["p_value"]).all()
        np.testing.assert_array_equal(candidate.weights[used], found["beta"][used])


def test_ridge_by_people_is_ridge_by_variants():
    from sklearn.linear_model import Ridge

    dosages, labels, covariates, train = made_up(1)
    model = fit_covariates(covariates, labels, train)
    known = train[~np.isnan(labels[train])]
    rest = labels[known] - model.probability[known]
    values = dosages.standardised(slice(None), known).T.astype(float)
    for candidate in ridge(dosages, labels, train, model):
        share = candidate.settings["heritability"]
        penalty = (1 - share) / share * len(dosages)
        slow = Ridge(alpha=penalty, fit_intercept=False, solver="cholesky").fit(values, rest - rest.mean())
        np.testing.assert_allclose(candidate.weights * dosages.deviation, slow.coef_, rtol=2e-3, atol=1e-6)


def test_scores_fill_missing_genotypes_with_the_training_mean():
    dosages, *_ = made_up(2, missing=0.2)
    weights = np.random.default_rng(0).normal(size=(len(dosages), 2))
    filled = np.where(dosages.values < 0, 2 * dosages.frequency[:, None], dosages.values)
    np.testing.assert_allclose(dosages.score(weights), filled.T @ weights, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(dosages.score(weights[:, 0]), filled.T @ weights[:, 0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_putting_scores_together_is_a_logistic_regression_beside_the_covariates(seed):
    from sklearn.linear_model import LogisticRegression

    from phenviz.disease.cohort.ensemble import combine, logistic

    rng = np.random.default_rng(seed)
    values, offset = rng.normal(size=(200, 2)), rng.normal(size=200)
    labels = (rng.random(200) < 1 / (1 + np.exp(-values[:, 0] - offset))).astype(float)
    weights, intercept = logistic(values, labels, np.zeros(200))
    slow = LogisticRegression(C=1.0, tol=1e-8, max_iter=1_000).fit(values, labels)
    np.testing.assert_allclose(weights, slow.coef_[0], atol=1e-4)
    assert intercept == pytest.approx(slow.intercept_[0], abs=1e-4)
    scores = {"covariates": offset, "prs": 3 + 7 * values[:, 0]}
    people = np.arange(0, 200, 2)
    found = combine(("prs",), scores, labels, people)
    assert np.corrcoef(found.apply(scores) - offset, values[:, 0])[0, 1] == pytest.approx(1)
    np.testing.assert_array_equal(combine((), scores, labels, people).apply(scores), offset)
