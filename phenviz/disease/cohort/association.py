"""Do predicted numbers of people go with a trait? Given covariates, against labels permuted within ancestry.

Numbers x of people (predicted expression of a gene in a context, or what a context adds to a logit) and the
trait y are freed of covariates Z, which hold a column for each ancestry, by least squares. The statistic is
the t of what is left of both. For the null, what is left of y is permuted among the people of each ancestry
and freed of Z again [1]_. So neither a trait that is more frequent in an ancestry, nor one that follows
principal components, age or sex, makes a difference where there is none.

References
----------
.. [1] Freedman and Lane 1983, J Bus Econ Stat 1:292; Winkler et al. 2014, NeuroImage 92:381, with blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from phenviz.disease.cohort.covariates import centre_of
from phenviz.disease.cohort.judging import FEWEST_CASES
from phenviz.disease.engine import TestResult, conditional, correlation_of, plain_result
from phenviz.errors import DataError
from phenviz.progress import NO_PROGRESS, Progress

Array = NDArray[np.float64]

# draws that are in memory at once
_AT_ONCE = 500
# of a number's size: less is rounding, and of a statistic: draws that are nearer than this are as large
_NOTHING, _EQUAL = 1e-6, 1e-5
# share of the trait's variance that a context's genes are taken to explain together, and how many genes, in
# their order on the genome, are looked at together: those further apart have nothing in common
_EXPLAINED, _TOGETHER = 0.1, 128


@dataclass(frozen=True, eq=False)
class TraitOfPeople:
    """A trait in the people who can be compared.

    Parameters
    ----------
    rows
        Who they are: those whose trait is known, one of each family.
    values
        What covariates leave of the trait, (n,).
    basis
        Orthonormal columns that span the covariates, (n, k).
    strata
        Number of each person's ancestry.
    cases
        How many there are; None for a trait that isn't 0 and 1.
    """

    rows: NDArray[np.intp]
    values: Array
    basis: Array
    strata: NDArray[np.intp]
    cases: int | None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def free(self) -> int:
        """Degrees of freedom of t."""
        return len(self.rows) - self.basis.shape[1] - 1

    def without_covariates(self, numbers: NDArray[np.floating]) -> Array:
        """Free numbers of these people, (n, ...), of covariates; exactly 0 where nothing is left."""
        flat = numbers.reshape(len(numbers), -1).astype(np.float64)
        rest = flat - self.basis @ (self.basis.T @ flat)
        rest[:, np.abs(rest).max(0, initial=0) <= _NOTHING * np.abs(flat).max(0, initial=0)] = 0.0
        return np.asarray(rest.reshape(numbers.shape))

    def draws(self, permutations: int, generator: np.random.Generator) -> Iterator[Array]:
        """Yield permuted traits, scaled to length 1, (at most 500, n), until there are as many as wanted."""
        order = np.argsort(self.strata, kind="stable")
        for start in range(0, permutations, _AT_ONCE):
            count = min(_AT_ONCE, permutations - start)
            # sorted by ancestry, and by chance within each
            keys = self.strata + generator.random((count, len(self)))
            drawn = np.empty((count, len(self)))
            drawn[:, order] = self.values[np.argsort(keys, axis=1)]
            drawn -= (drawn @ self.basis) @ self.basis.T
            yield drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    def t(self, correlation: Array) -> Array:
        """Turn partial correlations into t."""
        return np.asarray(correlation * np.sqrt(self.free / np.maximum(1 - correlation**2, 1e-12)))


def trait_of_people(
    name: str, labels: Array, table: pd.DataFrame, covariates: Array, rows: NDArray[np.intp]
) -> TraitOfPeople:
    """Choose the people who can be compared, and free the trait of what is known of them.

    Parameters
    ----------
    name
        Of the trait.
    labels
        Of everybody; NaN where unknown.
    table
        ``ancestry`` and ``family`` of everybody.
    covariates
        Of everybody, (people, k); NaN, where one isn't known, counts as average.
    rows
        Who may be looked at.

    Raises
    ------
    DataError
        If there are fewer than 20 cases or controls (or twice as many people), or all have the same value,
        given the covariates.
    """
    known = rows[np.isfinite(labels[rows])]
    # relatives share genes and traits, so that they can't be exchanged for one another
    chosen = known[~table["family"].iloc[known].duplicated().to_numpy()]
    values = labels[chosen]
    cases = _cases(name, values)
    mean, scale = centre_of(covariates[chosen])
    scaled = np.nan_to_num((covariates[chosen] - mean) / scale)
    strata, groups = pd.factorize(table["ancestry"].iloc[chosen], sort=True)
    design = np.column_stack([np.eye(len(groups))[strata], scaled])
    vectors, size, _ = np.linalg.svd(design, full_matrices=False)
    basis = vectors[:, size > 1e-9 * size[0]]
    found = TraitOfPeople(chosen, values, basis, strata.astype(np.intp), cases)
    if found.free < FEWEST_CASES:
        raise DataError(
            f"trait {name}: {len(chosen):,} people are too few for {basis.shape[1]} covariates: give fewer"
        )
    rest = found.without_covariates(values)
    if not rest.any():
        raise DataError(
            f"trait {name} is the same in everybody of an ancestry and of equal covariates: there is nothing "
            "to compare"
        )
    return replace(found, values=rest)


def _cases(name: str, values: Array) -> int | None:
    if set(np.unique(values)) <= {0.0, 1.0}:
        cases = int(values.sum())
        if min(cases, len(values) - cases) < FEWEST_CASES:
            raise DataError(
                f"trait {name} has {cases:,} cases and {len(values) - cases:,} controls among the people to "
                f"compare (one of each family): at least {FEWEST_CASES} of each are needed"
            )
        return cases
    if len(values) < 2 * FEWEST_CASES:
        raise DataError(
            f"trait {name} is known of {len(values):,} people to compare (one of each family): at least "
            f"{2 * FEWEST_CASES} are needed"
        )
    if np.ptp(values) == 0:
        raise DataError(f"trait {name} is {values[0]:g} in everybody: there is nothing to compare")
    return None


@dataclass(frozen=True, eq=False)
class GeneTests:
    """Single genes in single contexts; all arrays are (genes, contexts), NaN where nobody differs.

    Parameters
    ----------
    correlation
        Of predicted expression and trait, given the covariates.
    z, p_value
        By t, as a normal deviate, and two-sided.
    p_permuted
        Share of the draws in which the same pair is as strongly correlated.
    p_family
        Share of the draws in which any pair is.
    """

    correlation: Array
    z: Array
    p_value: Array
    p_permuted: Array
    p_family: Array


def expression_tests(
    trait: TraitOfPeople,
    expression: NDArray[np.floating],
    permutations: int,
    generator: np.random.Generator,
    *,
    progress: Progress = NO_PROGRESS,
) -> tuple[GeneTests, TestResult]:
    """Test predicted expression of each gene in each context, and of each context by all of its genes.

    A context may act through one gene, or through many of which none stands out. So two numbers are looked
    at: the largest size of the genes' t, and the share of the trait's variance that ridge regression on all
    genes of the context explains [1]_. Each is put into standard deviations of the draws, and the larger one
    counts, in the trait as in each draw.

    Parameters
    ----------
    trait
        Whom to look at.
    expression
        Of these people, (n, genes, contexts).
    permutations, generator
        Draws of the null.
    progress
        Advances by draws.

    Returns
    -------
    tuple
        The genes' tests, and the contexts': the larger of both numbers less its mean over draws (``effect``),
        in standard deviations of the draws (``z``), and the share of draws that reach it.

    References
    ----------
    .. [1] The score test of a kernel machine, Liu, Lin and Ghosh 2007, Biometrics 63:1079, with the kernel
       shrunk as in ridge regression.
    """
    genes, contexts = expression.shape[1:]
    numbers, observed = _genes_of(trait, expression)
    together = _RidgeFit.of(numbers.reshape(len(trait), genes, contexts))
    reached, largest, explained = np.zeros(observed.shape), [], []
    for drawn in trait.draws(permutations, generator):
        found = (drawn.astype(np.float32) @ numbers).reshape(-1, genes, contexts)
        explained.append(together.explained(found))
        size = np.abs(found)
        reached += (size >= np.abs(observed) - _EQUAL).sum(0)
        largest.append(size.max(1))
        progress.advance(len(drawn))
    draws = np.concatenate(largest).astype(np.float64)
    tests = _gene_tests(trait, observed, reached, np.sort(draws.max(1)))
    tested, known = np.isfinite(observed).any(0), np.nan_to_num(observed)
    strongest = trait.t(np.abs(known).max(0)), together.explained(known[None].astype(np.float32))[0]
    null, statistic = _larger((trait.t(draws), np.concatenate(explained)), strongest)
    p = (1 + (null >= statistic - _EQUAL).sum(0)) / (1 + permutations)
    effect, p = (np.where(tested, values, np.nan) for values in (statistic - null.mean(0), p))
    spread = np.where(tested, null.std(0), np.nan)
    result = plain_result(effect, np.full(contexts, np.nan), effect / spread, p)
    return tests, replace(result, null_correlation=correlation_of(np.atleast_2d(np.cov(null.T))))


def _larger(draws: Sequence[Array], observed: Sequence[Array]) -> tuple[Array, Array]:
    """Put statistics, (draws, contexts) and (contexts,), into their draws' deviations; take the largest."""
    centres = [values.mean(0) for values in draws]
    # one that is the same in every draw tells nothing
    spreads = [np.where((size := values.std(0)) > 0, size, np.inf) for values in draws]
    scaled = zip(draws, observed, centres, spreads, strict=True)
    both = [((null - centre) / spread, (own - centre) / spread) for null, own, centre, spread in scaled]
    return np.max([null for null, _ in both], axis=0), np.max([own for _, own in both], axis=0)


@dataclass(frozen=True, eq=False)
class _RidgeFit:
    """What ridge regression on all genes of a context explains, from the genes' correlations with a trait.

    Parameters
    ----------
    parts
        Genes of each part, and what turns their correlations into numbers whose squares sum to the share of
        variance, (contexts, genes, genes).
    """

    parts: tuple[tuple[slice, NDArray[np.float32]], ...]

    @classmethod
    def of(cls, numbers: NDArray[np.float32]) -> _RidgeFit:
        """Prepare numbers of length 1, (n, genes, contexts)."""
        people, genes, _ = numbers.shape
        varied = (numbers != 0).any(0).sum(0)
        penalty = np.maximum(varied, 1) * (1 - _EXPLAINED) / _EXPLAINED / people
        parts = []
        for start in range(0, genes, _TOGETHER):
            part = slice(start, min(start + _TOGETHER, genes))
            own = np.ascontiguousarray(numbers[:, part].transpose(2, 1, 0))
            size, vectors = np.linalg.eigh((own @ own.transpose(0, 2, 1)).astype(np.float64))
            shrunk = vectors / np.sqrt(np.maximum(size, 0) + penalty[:, None])[:, None, :]
            parts.append((part, shrunk.astype(np.float32)))
        return cls(tuple(parts))

    def explained(self, correlation: NDArray[np.float32]) -> Array:
        """Return the share of variance, (draws, contexts), from correlations, (draws, genes, contexts)."""
        by_context = correlation.transpose(2, 0, 1)
        shares = [((by_context[:, :, part] @ shrunk) ** 2).sum(2, dtype=float) for part, shrunk in self.parts]
        return np.asarray(np.sum(shares, axis=0).T)


def _genes_of(trait: TraitOfPeople, expression: NDArray[np.floating]) -> tuple[NDArray[np.float32], Array]:
    """Free expression of covariates, (n, pairs) of length 1, and correlate each, (genes, contexts)."""
    people, genes, contexts = expression.shape
    # gene by gene, and in single precision, as there may be many
    numbers, observed = np.empty((people, genes, contexts), np.float32), np.empty((genes, contexts))
    own = trait.values / np.linalg.norm(trait.values)
    for gene in range(genes):
        unit, length = _unit(trait.without_covariates(expression[:, gene]))
        numbers[:, gene], observed[gene] = unit, np.where(length > 0, own @ unit, np.nan)
    return numbers.reshape(people, -1), observed


def _gene_tests(trait: TraitOfPeople, observed: Array, reached: Array, most: Array) -> GeneTests:
    """Turn correlations, how many draws reach each, and the sorted largest ones of the draws into tests."""
    t, draws = trait.t(observed), len(most)
    one_sided = np.maximum(stats.t.sf(np.abs(t), trait.free), 1e-300)
    family = draws - np.searchsorted(most, np.abs(observed) - _EQUAL)
    tested = np.isfinite(observed)
    permuted, among_all = (np.where(tested, (1 + count) / (1 + draws), np.nan) for count in (reached, family))
    z = np.sign(t) * stats.norm.isf(one_sided)
    return GeneTests(observed, z, 2 * one_sided, permuted, among_all)


def contribution_tests(
    trait: TraitOfPeople,
    contribution: NDArray[np.floating],
    permutations: int,
    generator: np.random.Generator,
    *,
    progress: Progress = NO_PROGRESS,
) -> TestResult:
    """Test whether what each context adds to people's logits is more in cases.

    One-sided, as it is added to the logit. ``effect`` is the difference per unit of the trait, given the
    covariates; its ``se`` that of the draws.

    Parameters
    ----------
    trait
        Whom to look at.
    contribution
        Of these people, (n, contexts).
    permutations, generator, progress
        As for `expression_tests`.
    """
    numbers, length = _unit(trait.without_covariates(contribution))
    size = float(np.linalg.norm(trait.values))
    statistic = trait.values / size @ numbers
    parts = []
    for drawn in trait.draws(permutations, generator):
        parts.append(drawn @ numbers)
        progress.advance(len(drawn))
    draws = np.concatenate(parts)
    covariance = np.atleast_2d(np.cov(draws.T, ddof=0))
    # NaN where nobody differs
    unit = np.where(length > 0, length, np.nan) / size
    spread = np.where(length > 0, np.sqrt(np.diag(covariance)), np.nan)
    p = (1 + (draws >= statistic - _EQUAL).sum(0)) / (1 + permutations)
    given = conditional(draws, statistic, covariance, two_sided=False)
    result = plain_result(
        statistic * unit, spread * unit, statistic / spread, np.where(length > 0, p, np.nan)
    )
    return replace(
        result,
        p_conditional=np.where(length > 0, given, np.nan),
        null_correlation=correlation_of(covariance),
    )


def combined(tests: Sequence[TestResult], permutations: int) -> TestResult:
    """Combine tests of the same contexts by the Cauchy test [1]_, however they are correlated.

    A context that one of them doesn't test has the p of the others. ``effect`` and ``z`` are the mean of
    theirs, which also tells apart contexts that no permutation reaches.

    References
    ----------
    .. [1] Liu and Xie 2020, J Am Stat Assoc 115:393.
    """
    # a p of exactly 1 would outweigh everything
    p = np.minimum([one.p_value for one in tests], 1 - 1 / (1 + permutations))
    tested = np.isfinite(p)
    count = np.where(tested.any(0), tested.sum(0), np.nan)
    scores, z = (
        np.where(tested, values, 0.0).sum(0) / count
        for values in (stats.cauchy.isf(p), np.array([one.z for one in tests]))
    )
    return plain_result(z, np.full(len(z), np.nan), z, stats.cauchy.sf(scores))


def _unit(numbers: Array) -> tuple[Array, Array]:
    """Scale columns to length 1; return them and their lengths, 0 where nobody differs."""
    length = np.linalg.norm(numbers, axis=0)
    return numbers / np.where(length > 0, length, 1.0), length
