"""Which people a method learns from and is judged on, and what is taken out of the measured values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

FOLDS, POPULATIONS = "5-fold", "leave-one-population-out"
SPLITS = (FOLDS, POPULATIONS)
_COUNT = 5
# components of expression: at most so many, and one for so many people
_MOST_COMPONENTS, _PEOPLE_PER_COMPONENT = 10, 20
# fewer features show no common cause
_FEWEST_FEATURES = 50

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Fold:
    """People to learn from, and people to be judged on."""

    train: Rows
    test: Rows


def folds_of(populations: NDArray[np.str_], split: str, seed: int = 0) -> list[Fold]:
    """Cut people into folds.

    Parameters
    ----------
    populations
        Of each person.
    split
        ``5-fold``: each fold holds the same share of each population; ``leave-one-population-out``: each
        fold is a population, and there is none where all people are of one.
    seed
        Of the draw.
    """
    everybody = np.arange(len(populations))
    names, counts = np.unique(populations, return_counts=True)
    if split == POPULATIONS:
        kept = [name for name in names if 0 < (populations == name).sum() < len(populations)]
        return [Fold(everybody[populations != name], everybody[populations == name]) for name in kept]
    if len(everybody) < 2 * _COUNT:
        return []
    # a population of fewer people than folds is cut with the others
    rare = dict(zip(names, counts < _COUNT, strict=True))
    strata = np.array(["" if rare[name] else name for name in populations])
    if (strata == "").sum() < _COUNT:
        strata[strata == ""] = strata[strata != ""][0] if (strata != "").any() else ""
    cut = StratifiedKFold(_COUNT, shuffle=True, random_state=seed)
    return [Fold(train, test) for train, test in cut.split(everybody, strata)]


@dataclass(frozen=True, eq=False)
class Covariates:
    """What isn't the gene's own: the population, the depth of sequencing, and what all genes share.

    Parameters
    ----------
    populations
        Of each person, shape (n,).
    library
        log10 of each person's reads, shape (n,); None where unknown.
    others
        Features of genes elsewhere, shape (n, F), of which the leading components are taken; NaN counts as
        the mean.
    """

    populations: NDArray[np.str_]
    library: NDArray[np.float64] | None
    others: NDArray[np.float64]

    def taken(self, rows: Rows) -> Covariates:
        """Return those of some people."""
        library = None if self.library is None else self.library[rows]
        return Covariates(self.populations[rows], library, self.others[rows])

    def design(self, train: Rows) -> NDArray[np.float64]:
        """Return everybody's covariates, shape (n, k), with scales and components of some people."""
        n = len(self.populations)
        columns = [np.ones((n, 1))]
        # a population that wasn't learned from counts as the first
        names = np.unique(self.populations[train])[1:]
        columns += [(self.populations == name).astype(float)[:, None] for name in names]
        if self.library is not None:
            columns.append(self.library[:, None] - self.library[train].mean())
        columns.append(self._components(train))
        return np.hstack(columns)

    def _components(self, train: Rows) -> NDArray[np.float64]:
        known = self.others[train]
        count = min(_MOST_COMPONENTS, len(train) // _PEOPLE_PER_COMPONENT)
        some = np.isfinite(known).sum(axis=0) >= 2
        if some.sum() < _FEWEST_FEATURES or count == 0:
            return np.zeros((len(self.others), 0))
        mean, spread = np.nanmean(known[:, some], axis=0), np.nanstd(known[:, some], axis=0)
        varying = spread > 0
        scaled = (self.others[:, some] - mean)[:, varying] / spread[varying]
        scaled = np.nan_to_num(scaled)
        _, _, axes = np.linalg.svd(scaled[train], full_matrices=False)
        return scaled @ axes[:count].T / np.sqrt(scaled.shape[1])


def residuals(values: NDArray[np.float64], design: NDArray[np.float64], train: Rows) -> NDArray[np.float64]:
    """Return what covariates leave of everybody's values, by a regression on the people to learn from."""
    weights, *_ = np.linalg.lstsq(design[train], values[train], rcond=None)
    left: NDArray[np.float64] = values - design @ weights
    return left


def shuffled_within(populations: NDArray[np.str_], generator: np.random.Generator) -> Rows:
    """Return an order of people in which each takes the place of somebody of the same population."""
    order = np.arange(len(populations))
    for name in np.unique(populations):
        own = np.flatnonzero(populations == name)
        order[own] = generator.permutation(own)
    return order
