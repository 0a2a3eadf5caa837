"""Judge scores: every measure of every score, in everybody, in each ancestry, and along genetic distance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort import metrics
from phenviz.disease.cohort.ensemble import COMBINATIONS
from phenviz.progress import NO_PROGRESS, Progress

FEWEST_CASES = 20
ALL = "all"
UNKNOWN = "unknown"
# what a score is compared with, on the same people
COMPARISONS = (
    ("ensemble", "prs"),
    ("ensemble", "ensemble_linear"),
    ("phenformer", "expression"),
    ("prs", "covariates"),
    ("expression", "covariates"),
    ("phenformer", "covariates"),
)
DISTANCE_BINS = 5
COLUMNS = ["trait", "ancestry", "score", "metric", "value", "low", "high", "cases", "controls"]


@dataclass(frozen=True, eq=False)
class Judged:
    """What was measured.

    Parameters
    ----------
    metrics
        Columns `COLUMNS`; values are NaN where there are fewer than 20 cases or controls. ``ancestry`` is
        ``all``, an ancestry, or ``distance LOW to HIGH``.
    deciles
        trait, ancestry, score, and what `metrics.deciles` returns.
    decisions
        trait, ancestry, score, and what `metrics.net_benefit` returns.
    suppressed
        Lines in words about what isn't shown.
    """

    metrics: pd.DataFrame
    deciles: pd.DataFrame
    decisions: pd.DataFrame
    suppressed: tuple[str, ...]


def judge(
    scores: pd.DataFrame,
    prevalence: Mapping[str, float | None],
    *,
    resamples: int = 1_000,
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> Judged:
    """Measure the scores of people who taught nothing.

    Parameters
    ----------
    scores
        As from `phenviz.disease.cohort.scoring.score_table`, of the people to judge by.
    prevalence
        Of each trait in the population; None for the share of cases among these people.
    resamples
        Of the bootstrap.
    seed
        Of the bootstrap.
    progress
        Told after each stratum.
    """
    known = scores[scores["label"].notna()]
    strata = [
        (trait, name, group)
        for trait, own in known.groupby("trait", sort=False)
        for name, group in _strata(own)
    ]
    rows: list[tuple[object, ...]] = []
    deciles, decisions, suppressed = [], [], []
    progress.stage("judging", len(strata))
    for number, (trait, name, group) in enumerate(strata):
        labels = group["label"].to_numpy(dtype=float)
        cases, controls = int((labels == 1).sum()), int((labels == 0).sum())
        if min(cases, controls) < FEWEST_CASES:
            suppressed.append(
                f"{trait}, {name}: {cases:,} cases and {controls:,} controls are too few ({FEWEST_CASES} of "
                "each)"
            )
            rows += [(trait, name, score, "auroc", *[np.nan] * 3, cases, controls) for score in COMBINATIONS]
            continue
        rng = np.random.default_rng([seed, number])
        stated = prevalence.get(str(trait)) or cases / (cases + controls)
        for score, metric, estimate in _measured(group, labels, stated, resamples, rng):
            rows.append(
                (trait, name, score, metric, estimate.value, estimate.low, estimate.high, cases, controls)
            )
        if not name.startswith("distance"):
            for score in COMBINATIONS:
                logits = group[score].to_numpy(dtype=float)
                where = {"trait": trait, "ancestry": name, "score": score}
                deciles.append(metrics.deciles(labels, logits).assign(**where))
                decisions.append(metrics.net_benefit(labels, logits).assign(**where))
        progress.advance()
    return Judged(
        pd.DataFrame(rows, columns=COLUMNS),
        pd.concat(deciles, ignore_index=True) if deciles else pd.DataFrame(),
        pd.concat(decisions, ignore_index=True) if decisions else pd.DataFrame(),
        tuple(suppressed),
    )


def _strata(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield ALL, table
    ancestry = table["ancestry"].where(table["ancestry"] != "", UNKNOWN)
    if ancestry.nunique() > 1 or ancestry.iloc[0] != UNKNOWN:
        for name, rows in table.groupby(ancestry, sort=True):
            yield str(name), rows
    distance = table["distance"]
    if distance.notna().all() and distance.nunique() >= DISTANCE_BINS:
        bins = pd.qcut(distance, DISTANCE_BINS, duplicates="drop")
        for _, rows in table.groupby(bins, observed=True):
            low, high = rows["distance"].min(), rows["distance"].max()
            if len(rows):
                yield f"distance {low:.3f} to {high:.3f}", rows


def _measured(
    group: pd.DataFrame,
    labels: NDArray[np.float64],
    prevalence: float,
    resamples: int,
    rng: np.random.Generator,
) -> Iterator[tuple[str, str, metrics.WithInterval]]:
    for score in COMBINATIONS:
        values = group[score].to_numpy(dtype=float)

        def precision(rows: NDArray[np.intp], values: NDArray[np.float64] = values) -> float:
            return metrics.average_precision(labels[rows], values[rows])

        def explained(rows: NDArray[np.intp], values: NDArray[np.float64] = values) -> float:
            return metrics.liability_r2(labels[rows], values[rows], prevalence)

        yield score, "auroc", metrics.auroc_delong(labels, values)
        yield score, "auprc", metrics.bootstrap(precision, labels, resamples // 5, rng)
        yield score, "liability_r2", metrics.bootstrap(explained, labels, resamples, rng)
        slope, intercept = metrics.calibration(labels, values)
        yield score, "calibration_slope", slope
        yield score, "calibration_intercept", intercept
        yield score, "odds_ratio_per_sd", metrics.odds_ratio(labels, values)
    for one, two in COMPARISONS:
        first, second = (group[name].to_numpy(dtype=float) for name in (one, two))

        def gained(
            rows: NDArray[np.intp], first: NDArray[np.float64] = first, second: NDArray[np.float64] = second
        ) -> float:
            return metrics.area(labels[rows], first[rows]) - metrics.area(labels[rows], second[rows])

        yield f"{one} - {two}", "auroc_difference", metrics.bootstrap(gained, labels, resamples, rng)
