"""How good a risk score is: discrimination, calibration and use, each with an interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm, rankdata

_WIDE = norm.isf(0.025)
THRESHOLDS = tuple(np.round(np.arange(0.05, 0.61, 0.05), 2).tolist())
DECILES = 10

Scores = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class WithInterval:
    """A number with its 95 % interval; NaN where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


def auroc_delong(labels: NDArray[np.floating], scores: Scores) -> WithInterval:
    """Area under the ROC curve, with DeLong's interval.

    Parameters
    ----------
    labels
        1 for cases, 0 for controls.
    scores
        Higher for cases, one hopes.

    References
    ----------
    DeLong 1988; by ranks as in Sun & Xu 2014.
    """
    area, by_case, by_control = placements(labels, scores)
    variance = by_case.var(ddof=1) / len(by_case) + by_control.var(ddof=1) / len(by_control)
    half = _WIDE * float(np.sqrt(variance))
    return WithInterval(area, max(area - half, 0.0), min(area + half, 1.0))


def delong_difference(labels: NDArray[np.floating], one: Scores, two: Scores) -> tuple[WithInterval, float]:
    """Difference of two areas on the same people (one minus two) with DeLong's interval, and its p-value."""
    area_one, cases_one, controls_one = placements(labels, one)
    area_two, cases_two, controls_two = placements(labels, two)
    variance = (cases_one - cases_two).var(ddof=1) / len(cases_one)
    variance += (controls_one - controls_two).var(ddof=1) / len(controls_one)
    difference, error = area_one - area_two, float(np.sqrt(variance))
    p_value = 1.0 if error == 0 else float(2 * norm.sf(abs(difference) / error))
    return WithInterval(difference, difference - _WIDE * error, difference + _WIDE * error), p_value


def placements(
    labels: NDArray[np.floating], scores: Scores
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return the area, and the share of controls below each case, and of cases above each control."""
    case = np.asarray(labels) == 1
    cases, controls = scores[case], scores[~case]
    ranks = rankdata(np.concatenate([cases, controls]))
    by_case = (ranks[: len(cases)] - rankdata(cases)) / len(controls)
    by_control = 1 - (ranks[len(cases) :] - rankdata(controls)) / len(cases)
    return float(by_case.mean()), by_case, by_control


def bootstrap(
    statistic: Callable[[NDArray[np.intp]], float],
    labels: NDArray[np.floating],
    resamples: int,
    rng: np.random.Generator,
) -> WithInterval:
    """Estimate a number with the interval of its resamples; cases and controls are drawn apart.

    Parameters
    ----------
    statistic
        Of the people in some rows, which may repeat.
    labels
        1 for cases, 0 for controls.
    resamples
        How often; 0 for no interval.
    rng
        Source of randomness.
    """
    everybody = np.arange(len(labels))
    value = statistic(everybody)
    if not resamples:
        return WithInterval(value)
    cases, controls = everybody[labels == 1], everybody[labels == 0]
    drawn = [
        statistic(np.concatenate([rng.choice(cases, len(cases)), rng.choice(controls, len(controls))]))
        for _ in range(resamples)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return WithInterval(value, float(low), float(high))


def area(labels: NDArray[np.floating], scores: Scores) -> float:
    """Area under the ROC curve."""
    case = labels == 1
    count = int(case.sum())
    ranks = rankdata(scores)
    return float((ranks[case].sum() - count * (count + 1) / 2) / (count * (len(labels) - count)))


def average_precision(labels: NDArray[np.floating], scores: Scores) -> float:
    """Area under the precision-recall curve; of chance it is the share of cases."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, scores))


def liability_r2(labels: NDArray[np.floating], scores: Scores, prevalence: float) -> float:
    """Variance of the liability that a score explains.

    Parameters
    ----------
    labels, scores
        Of people, of whom cases may be more than in the population.
    prevalence
        Share of cases in the population.

    References
    ----------
    Lee 2012, eq. 15: the R2 of a linear regression on 0 and 1, moved to the liability, with the ascertainment
    of cases taken out.
    """
    if np.std(scores) == 0:
        return 0.0
    observed = float(np.corrcoef(labels, scores)[0, 1] ** 2)
    share = float(np.mean(labels))
    threshold = norm.isf(prevalence)
    height = norm.pdf(threshold)
    mean = height / prevalence
    theta = mean * (share - prevalence) / (1 - prevalence)
    theta *= mean * (share - prevalence) / (1 - prevalence) - threshold
    factor = (prevalence * (1 - prevalence)) ** 2 / (height**2 * share * (1 - share))
    return observed * factor / (1 + observed * theta * factor)


def calibration(labels: NDArray[np.floating], logits: Scores) -> tuple[WithInterval, WithInterval]:
    """Slope and intercept of a logistic regression of labels on logits: 1 and 0 for a calibrated score."""
    slope, intercept = _logistic(labels, logits)
    return slope, intercept


def odds_ratio(labels: NDArray[np.floating], scores: Scores) -> WithInterval:
    """Odds ratio for each standard deviation of a score."""
    spread = float(np.std(scores))
    if spread == 0:
        return WithInterval(1.0)
    slope, _ = _logistic(labels, scores / spread)
    return WithInterval(*(float(np.exp(min(one, 700.0))) for one in (slope.value, slope.low, slope.high)))


def deciles(labels: NDArray[np.floating], logits: Scores) -> pd.DataFrame:
    """Compare predicted with observed risk in tenths of people by predicted risk.

    Returns
    -------
    pd.DataFrame
        decile, people, cases, ``predicted`` (mean), ``observed`` with Wilson's ``low`` and ``high``.
    """
    from statsmodels.stats.proportion import proportion_confint

    risk = expit(np.asarray(logits, dtype=float))
    tenths = np.array_split(np.argsort(risk, kind="stable"), min(DECILES, len(risk)))
    rows = []
    for number, members in enumerate(tenths, 1):
        cases = int(labels[members].sum())
        low, high = proportion_confint(cases, len(members), method="wilson")
        rows.append(
            (number, len(members), cases, risk[members].mean(), cases / len(members), float(low), float(high))
        )
    names = ["decile", "people", "cases", "predicted", "observed", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def net_benefit(
    labels: NDArray[np.floating], logits: Scores, thresholds: Sequence[float] = THRESHOLDS
) -> pd.DataFrame:
    """Decision curve: what treating everybody above a risk is worth.

    Returns
    -------
    pd.DataFrame
        threshold, ``net_benefit`` and ``treat_all``: true positives minus false positives times the odds of
        the threshold, as a share of all people.

    References
    ----------
    Vickers & Elkin 2006.
    """
    risk, case = expit(np.asarray(logits, dtype=float)), labels == 1
    rows = []
    for threshold in thresholds:
        odds = threshold / (1 - threshold)
        chosen = risk >= threshold
        benefit = (chosen & case).mean() - (chosen & ~case).mean() * odds
        rows.append((threshold, float(benefit), float(case.mean() - (~case).mean() * odds)))
    return pd.DataFrame(rows, columns=["threshold", "net_benefit", "treat_all"])


def _logistic(labels: NDArray[np.floating], values: Scores) -> tuple[WithInterval, WithInterval]:
    """Fit labels on one number by logistic regression; Wald's intervals."""
    import statsmodels.api as sm

    if np.std(values) == 0:
        nothing = WithInterval(float("nan"))
        return nothing, nothing
    fitted = sm.GLM(np.asarray(labels, float), sm.add_constant(np.asarray(values, float)),
                    family=sm.families.Binomial()).fit()  # fmt: skip
    found = [
        WithInterval(float(value), float(value - _WIDE * error), float(value + _WIDE * error))
        for value, error in zip(fitted.params, fitted.bse, strict=True)
    ]
    return found[1], found[0]
