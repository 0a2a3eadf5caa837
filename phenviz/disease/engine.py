"""The matched-locus test: a posterior-weighted number of a trait against that of comparable loci.

For a trait with variants v of posterior w_v, and a number f_vc of each variant in context c (such as the size
of its predicted effect), the statistic is the weighted mean

    T_c = sum_v w_v f_vc / sum_v w_v .

The null replaces each locus by one of its replicas (`phenviz.disease.matching`), independently of the others.
Then effect = T - mean over replicas, z = effect / standard deviation over replicas, and p = (1 + draws that
reach T) / (1 + draws). What is drawn for p is a replica or the locus itself: where nothing is to be found the
two are exchangeable, so that p holds exactly however few replicas there are, and however much of T is one
locus (drawn from K replicas alone, the share of p <= 0.01 with one locus and K = 200 is 1.5 %). Since effects
grow with activity, a replica's number is scaled by the ratio of what is usual at the variant's activity to
what is usual at its stand-in's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.isotonic import IsotonicRegression

from phenviz.disease.matching import Replicas

BOOTSTRAPS = 2_000
SCALE_LIMITS = (0.5, 2.0)
# variants of a locus that are summed at once, so that a set of tens of thousands takes no more memory
_AT_ONCE = 1_000

Array = NDArray[np.float64]
# (rows of a locus in its trait, their stand-ins) -> what the weights of both are multiplied by
Reweigh = Callable[[NDArray[np.intp], NDArray[np.intp]], tuple[Array, Array]]


@dataclass(frozen=True)
class LocusSums:
    """Weighted sums of one trait, locus by locus.

    Parameters
    ----------
    observed
        sum over the locus' variants of w f, (L, C).
    null
        The same of its replicas, (L, K, C).
    weight
        sum of |w|, (L,).
    """

    observed: Array
    null: Array
    weight: Array

    @property
    def excess(self) -> Array:
        """Observed minus the mean of the replicas, (L, C)."""
        return self.observed - self.null.mean(1)

    @property
    def covariance(self) -> Array:
        """Covariance of the contexts over the replicas of each locus, (L, C, C)."""
        about = self.null - self.null.mean(1, keepdims=True)
        return np.einsum("lkc,lkd->lcd", about, about, optimize=True) / max(self.null.shape[1], 1)


@dataclass(frozen=True)
class TestResult:
    """One trait in each context; all arrays are (C,).

    Parameters
    ----------
    effect, se, interval_low, interval_high
        Excess over the null; standard error and 95 % interval by bootstrap of loci (NaN with one locus).
    z, p_value
        Against the null.
    p_conditional
        One-sided p of what is left of a context given the one with the largest |z|; NaN at that one.
    top_locus_share
        Share of the positive evidence that comes from the strongest locus.
    p_without_top
        p-value when that locus is left out; NaN with one locus.
    null_correlation
        Correlation of the contexts' statistics under the null, (C, C).
    """

    effect: Array
    se: Array
    interval_low: Array
    interval_high: Array
    z: Array
    p_value: Array
    p_conditional: Array
    top_locus_share: Array
    p_without_top: Array
    null_correlation: Array | None = None


def usual_level(
    size: Array, activity: Array, is_indel: NDArray[np.bool_], size_of: Array, is_indel_of: NDArray[np.bool_]
) -> Array:
    """Return the size that is usual at each activity: a rising curve through the background, (m,).

    Parameters
    ----------
    size, activity, is_indel
        Of the background, (N,): mean of |f| over contexts, mean activity, and whether it changes the length.
    size_of, is_indel_of
        Activity and kind of the variants that the curve is read at, (m,).
    """
    level = np.empty(len(size_of))
    for kind in (False, True):
        own = is_indel == kind
        # with hardly any indels one curve serves both
        fitted = own if own.sum() >= 100 else np.ones(len(own), dtype=bool)
        curve = IsotonicRegression(out_of_bounds="clip").fit(activity[fitted], size[fitted])
        here = is_indel_of == kind
        if here.any():
            level[here] = curve.predict(size_of[here])
    return np.maximum(level, 1e-3 * max(float(size.max(initial=0.0)), 1e-12))


def locus_sums(
    values: Array,
    weight: Array,
    replicas: Replicas,
    pool: Array,
    level: Array,
    pool_level: Array,
    reweigh: Reweigh | None = None,
) -> LocusSums:
    """Sum a trait's numbers over each locus and its replicas.

    Parameters
    ----------
    values
        f of the trait's variants, (n, C).
    weight
        w of these, (n,); may be negative (posterior times beta).
    replicas
        Stand-ins of the variants among the background's rows.
    pool
        f of the background, (N, C).
    level, pool_level
        From `usual_level`, (n,) and (N,).
    reweigh
        Changes the weights of each locus, and of each of its replicas by what stands in there.
    """
    observed, null, total = [], [], []
    for rows, stand_in in zip(replicas.order, replicas.rows, strict=True):
        own, scale = weight[rows], np.clip(level[rows] / pool_level[stand_in], *SCALE_LIMITS) * weight[rows]
        if reweigh is not None:
            of_own, of_stand_ins = reweigh(rows, stand_in)
            own, scale = own * of_own, scale * of_stand_ins
        observed.append(own @ values[rows])
        null.append(_weighted(scale, pool, stand_in))
        total.append(np.abs(own).sum())
    return LocusSums(np.array(observed), np.array(null), np.array(total))


def _weighted(scale: Array, pool: Array, stand_in: NDArray[np.intp]) -> Array:
    """Add up the stand-ins of each replica, (K, C)."""
    result = np.zeros((len(stand_in), pool.shape[1]))
    for first in range(0, stand_in.shape[1], _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        result += np.einsum("kn,knc->kc", scale[:, some], pool[stand_in[:, some]], optimize=True)
    return result


def matched_test(
    sums: LocusSums, permutations: int, generator: np.random.Generator, *, two_sided: bool = False
) -> TestResult:
    """Test every context of one trait.

    Parameters
    ----------
    permutations
        Draws of the null.
    two_sided
        Whether small values count as well (signed effects).
    """
    keep = sums.weight > 0
    sums = LocusSums(sums.observed[keep], sums.null[keep], sums.weight[keep])
    contexts = sums.observed.shape[1]
    if not len(sums.weight):
        return untested(contexts)
    total = sums.weight.sum()
    draws, spread = _draws(sums, permutations, generator)
    covariance = sums.covariance.sum(0)
    excess = sums.excess
    statistic = excess.sum(0)
    strongest = np.argmax(np.abs(excess) if two_sided else excess, axis=0)
    sd = np.sqrt(np.maximum(np.diag(covariance), 1e-30))
    low, high, se = _bootstrap(excess, sums.weight, generator)
    positive = np.maximum(excess * np.where(statistic < 0, -1, 1) if two_sided else excess, 0)
    share = positive.max(0) / np.maximum(positive.sum(0), 1e-15)
    return TestResult(
        effect=statistic / total,
        se=se,
        interval_low=low,
        interval_high=high,
        z=statistic / sd,
        p_value=_p(draws, statistic, two_sided),
        p_conditional=conditional(draws, statistic, covariance, two_sided=two_sided),
        top_locus_share=np.where(positive.sum(0) > 0, share, np.nan),
        p_without_top=_without(draws, spread, statistic, excess, strongest, two_sided),
        null_correlation=correlation_of(covariance),
    )


def leave_one_out(
    sums: LocusSums, permutations: int, generator: np.random.Generator, *, two_sided: bool = False
) -> tuple[Array, Array]:
    """Return z and p of each context without each locus, both (L, C); NaN with one locus."""
    loci, contexts = sums.observed.shape
    z, p = np.full((loci, contexts), np.nan), np.full((loci, contexts), np.nan)
    draws, spread = _draws(sums, permutations, generator)
    excess = sums.excess
    variance = np.diagonal(sums.covariance, axis1=1, axis2=2)
    for locus in range(loci if loci > 1 else 0):
        rest = draws - spread(locus)
        statistic = excess.sum(0) - excess[locus]
        z[locus] = statistic / np.sqrt(np.maximum(variance.sum(0) - variance[locus], 1e-30))
        p[locus] = _p(rest, statistic, two_sided)
    return z, p


def untested(contexts: int) -> TestResult:
    """Return the result of a trait that has nothing to test: NaN throughout."""
    nothing = np.full(contexts, np.nan)
    return TestResult(*(nothing.copy() for _ in range(9)))


def plain_result(effect: Array, se: Array, z: Array, p_value: Array) -> TestResult:
    """Return the result of a method that has no replicas of loci: intervals are normal ones."""
    half = norm.ppf(0.975) * se
    return replace(
        untested(len(effect)), effect=effect, se=se, z=z, p_value=p_value, interval_low=effect - half,
        interval_high=effect + half,
    )  # fmt: skip


class _Drawn:
    """The part that one locus has in each draw."""

    def __init__(self, null: Array, picks: NDArray[np.intp]) -> None:
        self._null, self._picks = null, picks

    def __call__(self, locus: int) -> Array:
        return self._null[locus][self._picks[:, locus]]


def _draws(sums: LocusSums, permutations: int, generator: np.random.Generator) -> tuple[Array, _Drawn]:
    """Draw each locus or one of its replicas, many times: sums about the mean (B, C), and each one's part."""
    null = np.concatenate([sums.null - sums.null.mean(1, keepdims=True), sums.excess[:, None]], axis=1)
    picks = generator.integers(0, null.shape[1], (permutations, null.shape[0]))
    parts = _Drawn(null, picks)
    total = np.zeros((permutations, null.shape[2]))
    for locus in range(null.shape[0]):
        total += parts(locus)
    return total, parts


def _p(draws: Array, statistic: Array, two_sided: bool) -> Array:
    # rounding must not part a draw from a statistic that equals it
    slack = 1e-9 * np.abs(statistic) + 1e-15
    if two_sided:
        reached = np.abs(draws) >= np.abs(statistic) - slack
    else:
        reached = draws >= statistic - slack
    return np.asarray((1 + reached.sum(0)) / (1 + len(draws)))


def conditional(draws: Array, statistic: Array, covariance: Array, *, two_sided: bool) -> Array:
    """Test what a context has beyond its regression on the best one under the null; NaN at that one.

    Parameters
    ----------
    draws
        Statistics under the null, about their mean, (B, C).
    statistic, covariance
        Observed, (C,), and of the null, (C, C).
    two_sided
        Whether small values count as well.
    """
    z = statistic / np.sqrt(np.maximum(np.diag(covariance), 1e-30))
    best = int(np.argmax(np.abs(z) if two_sided else z))
    slope = covariance[best] / max(float(covariance[best, best]), 1e-30)
    rest = draws - slope * draws[:, [best]]
    p = _p(rest, statistic - slope * statistic[best], two_sided)
    p[best] = np.nan
    return p


def _without(
    draws: Array,
    spread: _Drawn,
    statistic: Array,
    excess: Array,
    strongest: NDArray[np.intp],
    two_sided: bool,
) -> Array:
    result = np.full(len(statistic), np.nan)
    if len(excess) < 2:
        return result
    for locus in np.unique(strongest):
        own = strongest == locus
        rest = draws[:, own] - spread(int(locus))[:, own]
        result[own] = _p(rest, (statistic - excess[locus])[own], two_sided)
    return result


def _bootstrap(excess: Array, weight: Array, generator: np.random.Generator) -> tuple[Array, Array, Array]:
    """Resample loci: lower and upper end of the 95 % interval of the effect, and its standard error."""
    loci, contexts = excess.shape
    if loci < 2:
        nothing = np.full(contexts, np.nan)
        return nothing, nothing.copy(), nothing.copy()
    drawn = generator.multinomial(loci, np.full(loci, 1 / loci), BOOTSTRAPS).astype(float)
    effects = drawn @ excess / (drawn @ weight)[:, None]
    low, high = np.quantile(effects, [0.025, 0.975], axis=0)
    return low, high, effects.std(0, ddof=1)


def correlation_of(covariance: Array) -> Array:
    """Turn a covariance into a correlation; 0 beside what doesn't vary."""
    sd = np.sqrt(np.diag(covariance))
    scale = np.outer(sd, sd)
    correlation = np.where(scale > 1e-30, covariance / np.maximum(scale, 1e-30), 0.0)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)
