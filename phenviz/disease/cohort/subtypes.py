"""Subtypes: groups of a trait's cases, by what a model says of their other traits.

Each judged person is a point: the model's score of every other trait, standardised within the ancestry. Two
ways to one disease leave two groups of cases, each far along the traits that share its way. But points can be
split in two wherever they are spread, so that the split alone shows nothing. It is held against cases drawn
anew from the same people by one logistic score of the same numbers: what one way to the disease would leave.
No label of another trait is used for it, so that comorbidity can be compared between the groups afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from phenviz.disease.cohort.judging import FEWEST_CASES
from phenviz.disease.multiple import benjamini_hochberg
from phenviz.progress import NO_PROGRESS, Progress

Array = NDArray[np.float64]

LEAST_CASES = 2 * FEWEST_CASES
MOST = 4
LEVEL = 0.05
_DRAWS, _RESAMPLES = 999, 50
# a null that has been reached so often needs no more draws (Besag and Clifford 1991)
_ENOUGH = 20
# k-means begins at so many places; of drawn cases as of the real ones, or the real ones would gain by it
_STARTS = 2


@dataclass(frozen=True, eq=False)
class Subtypes:
    """Groups of each trait's cases.

    Parameters
    ----------
    tests
        One row for each trait: trait, cases, people, ``separation`` (the share of the cases' spread that lies
        between two groups), ``p_value`` and ``q_value`` against one way to the disease, ``groups`` (1 where q
        is above 0.05), ``stability`` (mean adjusted Rand index of the groups of resampled cases), and
        ``reason`` in words where it wasn't tested.
    people
        One row for each case of a tested trait: sample, trait, ``group`` (1, 2, ...; the largest first) and
        its place on a map, ``x`` and ``y`` (principal components, in standard deviations of a score).
    comorbidity
        One row for each trait with groups, group and other trait: trait, group, other, ``cases`` in the
        group whose other trait is known, ``share`` with the other trait, ``share_elsewhere`` in the other
        groups, ``odds_ratio``, ``low``, ``high`` (95 %), ``p_value`` (Fisher), ``q_value`` (among all
        of the trait), and ``score``: the group's mean score of the other trait. NaN where a group has fewer
        than 20 people.
    """

    tests: pd.DataFrame
    people: pd.DataFrame
    comorbidity: pd.DataFrame


def find_subtypes(
    scores: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    method: str = "ensemble",
    draws: int = _DRAWS,
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> Subtypes:
    """Test whether the cases of each trait are of more than one kind, and group them where they are.

    Parameters
    ----------
    scores
        Of people who taught the model nothing: sample, trait, ancestry, and the column that is named.
    labels
        Of the same people: sample, trait, ``label`` (1, 0 or NaN).
    method
        Column of the scores.
    draws
        Of the null, at most: a trait whose draws are 20 times as far apart needs no more.
    seed
        Of draws and resamples.
    progress
        Updated after each trait.
    """
    numbers = standardised(scores, method)
    known = labels.pivot(index="sample", columns="trait", values="label").reindex(numbers.index)
    progress.stage("subtypes", len(numbers.columns))
    tests, people, groups = [], [], {}
    for number, trait in enumerate(numbers.columns):
        one = _Cases.of(numbers, known, str(trait))
        generator = np.random.default_rng([seed, number])
        tests.append(one.tested(draws, generator, progress))
        if not tests[-1]["reason"]:
            groups[trait] = one
        progress.advance()
    table = pd.DataFrame(tests)
    table.insert(6, "q_value", benjamini_hochberg(table["p_value"].to_numpy(float)))
    found = []
    for row, trait in enumerate(table["trait"]):
        if trait not in groups:
            continue
        one, several = groups[trait], bool(table["q_value"].iloc[row] <= LEVEL)
        kinds, agreement = one.grouped(seed) if several else (np.ones(len(one.points), dtype=int), np.nan)
        table.loc[row, ["groups", "stability"]] = kinds.max(), agreement
        if several:
            found.append(comorbidity(one, kinds, known))
        people.append(one.map(kinds))
    return Subtypes(
        table.astype({"groups": int}),
        pd.concat(people, ignore_index=True) if people else pd.DataFrame(columns=PEOPLE),
        pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COMORBIDITY),
    )


PEOPLE = ["sample", "trait", "group", "x", "y"]
COMORBIDITY = ["trait", "group", "other", "cases", "share", "share_elsewhere", "odds_ratio", "low", "high",
               "p_value", "q_value", "score"]  # fmt: skip


def in_words(row: pd.Series) -> str:
    """Say what a row of `Subtypes.tests` shows."""
    if row["reason"]:
        return f"Not looked for: {row['reason']}."
    chance = f"p {row['p_value']:.2g}, q {row['q_value']:.2g} among the traits"
    if row["groups"] < 2:
        return (
            f"No groups show among the {row['cases']:,} cases: by what the model says of their other traits "
            f"they are no further apart than a single way of becoming a case leaves them ({chance})."
        )
    return (
        f"The {row['cases']:,} cases fall into {row['groups']} groups by what the model says of their other "
        f"traits, further apart than a single way of becoming a case leaves them ({chance}). Resampled cases "
        f"give the same groups with an adjusted Rand index of {row['stability']:.2f} (1: always the same)."
    )


def standardised(scores: pd.DataFrame, method: str) -> pd.DataFrame:
    """Lay scores out by person and trait, each with mean 0 and variance 1 in each ancestry.

    An ancestry of fewer than 20 people is left out: its mean isn't known.
    """
    wide = scores.pivot(index="sample", columns="trait", values=method)
    ancestry = scores.drop_duplicates("sample").set_index("sample")["ancestry"].reindex(wide.index)
    wide = wide[(ancestry.map(ancestry.value_counts()) >= FEWEST_CASES).to_numpy()]
    by = wide.groupby(ancestry.reindex(wide.index))
    spread = by.transform("std", ddof=0)
    return ((wide - by.transform("mean")) / spread.where(spread > 1e-9)).fillna(0.0)


@dataclass(frozen=True, eq=False)
class _Cases:
    """A trait, what its judged people are like by other traits, and who of them are cases."""

    trait: str
    others: tuple[str, ...]
    everybody: Array
    is_case: NDArray[np.bool_]
    samples: NDArray[np.object_]

    @classmethod
    def of(cls, numbers: pd.DataFrame, known: pd.DataFrame, trait: str) -> _Cases:
        label = known[trait].to_numpy(float)
        rows = np.isfinite(label)
        others = [name for name in numbers.columns if name != trait and numbers[name].to_numpy()[rows].any()]
        return cls(
            trait,
            tuple(map(str, others)),
            numbers[others].to_numpy(float)[rows],
            label[rows] == 1,
            numbers.index.to_numpy(object)[rows],
        )

    @property
    def points(self) -> Array:
        return self.everybody[self.is_case]

    def tested(self, draws: int, generator: np.random.Generator, progress: Progress) -> dict[str, object]:
        """Return the trait's row of `Subtypes.tests`."""
        cases = int(self.is_case.sum())
        row: dict[str, object] = {
            "trait": self.trait, "cases": cases, "people": len(self.is_case), "separation": np.nan,
            "p_value": np.nan, "groups": 1, "stability": np.nan, "reason": "",
        }  # fmt: skip
        if len(self.others) < 2:
            row["reason"] = "the model predicts fewer than two other traits"
        elif cases < LEAST_CASES or len(self.is_case) - cases < FEWEST_CASES:
            row["reason"] = f"fewer than {LEAST_CASES} cases or {FEWEST_CASES} others"
        else:
            row["separation"] = separation(self.points)
            row["p_value"] = self._p_value(float(separation(self.points)), draws, generator, progress)
        return row

    def _p_value(
        self, observed: float, draws: int, generator: np.random.Generator, progress: Progress
    ) -> float:
        chance = one_way(self.everybody, self.is_case)
        reached = 0
        for drawn in range(1, draws + 1):
            progress.check()
            chosen = generator.random(len(chance)) < chance
            reached += bool(separation(self.everybody[chosen]) >= observed)
            if reached == _ENOUGH:
                return reached / drawn
        return (reached + 1) / (draws + 1)

    def grouped(self, seed: int) -> tuple[NDArray[np.int64], float]:
        """Group the cases, the largest group first, into as many groups as resampled cases agree on most."""
        fits = [clusters(self.points, count, seed) for count in range(2, MOST + 1)]
        stabilities = [self.stability(found, seed) for found in fits]
        best = fits[int(np.argmax(stabilities))]
        order = np.argsort(-np.bincount(best), kind="stable")
        return np.argsort(order)[best] + 1, max(stabilities)

    def stability(self, kinds: NDArray[np.int64], seed: int) -> float:
        """Return the mean adjusted Rand index of these groups and those that resampled cases give."""
        from sklearn.cluster import KMeans
        from sklearn.metrics import adjusted_rand_score

        generator, count, found = np.random.default_rng([seed, 1]), len(np.unique(kinds)), []
        for _ in range(_RESAMPLES):
            rows = generator.integers(len(kinds), size=len(kinds))
            fit = KMeans(count, n_init=_STARTS, random_state=seed).fit(self.points[rows])
            found.append(adjusted_rand_score(kinds, fit.predict(self.points)))
        return float(np.mean(found))

    def map(self, kinds: NDArray[np.int64]) -> pd.DataFrame:
        """Return the trait's rows of `Subtypes.people`."""
        centred = self.points - self.points.mean(axis=0)
        _, _, axes = np.linalg.svd(centred, full_matrices=False)
        # an axis has no direction of its own: the trait that it follows most rises along it
        axes = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
        place = centred @ axes.T
        return pd.DataFrame(
            {
                "sample": self.samples[self.is_case], "trait": self.trait, "group": kinds,
                "x": place[:, 0], "y": place[:, 1],
            }
        )  # fmt: skip


def one_way(everybody: Array, is_case: NDArray[np.bool_]) -> Array:
    """Return how likely each person is a case if one logistic score of the numbers decides, (people,)."""
    from sklearn.linear_model import LogisticRegression

    # nearly no penalty: it only keeps cases that could be told from all others from an endless fit
    fit = LogisticRegression(C=100.0, max_iter=1_000).fit(everybody, is_case)
    chance: Array = fit.predict_proba(everybody)[:, 1]
    return chance


def separation(points: Array) -> float:
    """Return which share of the points' spread lies between two groups: 1 - the cluster index [1]_.

    References
    ----------
    .. [1] Liu et al. 2008, J Am Stat Assoc 103:1281 (SigClust); the null there is one Gaussian.
    """
    from sklearn.cluster import KMeans

    if len(points) < 3:
        return 0.0
    whole = float(((points - points.mean(axis=0)) ** 2).sum())
    return 1.0 - float(KMeans(2, n_init=_STARTS, random_state=0).fit(points).inertia_) / whole


def clusters(points: Array, count: int, seed: int) -> NDArray[np.int64]:
    """Return the group of each point, 0, 1, ..., by k-means."""
    from sklearn.cluster import KMeans

    found: NDArray[np.int64] = KMeans(count, n_init=_STARTS, random_state=seed).fit_predict(points)
    return found.astype(np.int64)


def comorbidity(cases: _Cases, kinds: NDArray[np.int64], known: pd.DataFrame) -> pd.DataFrame:
    """Return a trait's rows of `Subtypes.comorbidity`."""
    names = cases.samples[cases.is_case]
    rows: list[Sequence[object]] = []
    for kind in range(1, int(kinds.max()) + 1):
        for column, other in enumerate(cases.others):
            has = known.loc[names, other].to_numpy(float)
            inside, outside = (has[(kinds == kind) == own] for own in (True, False))
            inside, outside = inside[np.isfinite(inside)], outside[np.isfinite(outside)]
            score = float(cases.points[kinds == kind, column].mean())
            rows.append((cases.trait, kind, other, len(inside), *_compared(inside, outside), np.nan, score))
    table = pd.DataFrame(rows, columns=COMORBIDITY)
    return table.assign(q_value=benjamini_hochberg(table["p_value"].to_numpy(float)))


def _compared(inside: Array, outside: Array) -> tuple[float, ...]:
    """Return share, share elsewhere, odds ratio, its interval, and p."""
    if min(len(inside), len(outside)) < FEWEST_CASES:
        return (np.nan,) * 6
    table = np.array([[one.sum(), len(one) - one.sum()] for one in (inside, outside)], dtype=int)
    ratio = stats.contingency.odds_ratio(table)
    low, high = ratio.confidence_interval()
    p = stats.fisher_exact(table).pvalue
    return (inside.mean(), outside.mean(), float(ratio.statistic), float(low), float(high), float(p))
