"""Predict a gene's expression in people who were held out: from the sequence model, and from genotypes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, ElasticNetCV
from sklearn.model_selection import KFold

from phenviz.effects.measured.folds import Covariates, Fold, Rows, residuals

MODEL, TOP_VARIANT, ELASTIC_NET, TOGETHER = "model", "top-variant", "elastic-net", "model+elastic-net"
METHODS = (MODEL, TOP_VARIANT, ELASTIC_NET, TOGETHER)
# as PrediXcan has it
_L1_SHARE = 0.5
_PENALTIES, _LARGEST_TO_SMALLEST = 20, 0.05
_INNER_FOLDS = 5
# variants rarer than this among the people to learn from are carried by too few of them
RAREST = 0.05
# of two variants with a larger squared correlation, elastic net gets the first
_ALIKE = 0.9

Numbers = NDArray[np.float64]


class FoldGenotypes:
    """Genotypes of a gene's surroundings, as the people to learn from in one fold see them.

    Parameters
    ----------
    dosages
        Copies of the alternate allele, shape (n, variants); NaN where missing.
    fold
        Means, spreads and the choice of variants come from its training people alone.
    """

    def __init__(self, dosages: NDArray[np.float32], fold: Fold) -> None:
        known = dosages[fold.train]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Mean of empty slice")
            mean = np.nanmean(known, axis=0)
        common = np.minimum(mean, 2 - mean) / 2 >= RAREST
        filled = np.where(np.isnan(dosages[:, common]), mean[common], dosages[:, common]) - mean[common]
        spread = filled[fold.train].std(axis=0)
        varying = spread > 0
        self.columns: Rows = np.flatnonzero(common)[varying]
        self.values: NDArray[np.float32] = (filled[:, varying] / spread[varying]).astype(np.float32)
        self._train = fold.train

    @cached_property
    def distinct(self) -> Rows:
        """Columns of `values` without those that are (nearly) the same as an earlier one."""
        known = self.values[self._train]
        alike = (known.T @ known / len(known)) ** 2 > _ALIKE
        kept = np.ones(len(alike), dtype=bool)
        for column in range(len(alike)):
            if kept[column]:
                kept[column + 1 :] &= ~alike[column, column + 1 :]
        return np.flatnonzero(kept)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions of people who were held out.

    Parameters
    ----------
    measured
        What covariates leave of the measured values, shape (n,); NaN for people in no fold.
    predicted
        For each of `METHODS`, shape (n, contexts).
    groups
        Number of each person's fold and population, shape (n,).
    """

    measured: Numbers
    predicted: dict[str, Numbers]
    groups: Rows


def predict_held_out(
    values: Numbers,
    covariates: Covariates,
    folds: Sequence[Fold],
    genotypes: Sequence[FoldGenotypes],
    model: Numbers,
    *,
    designs: Sequence[Numbers] | None = None,
) -> HeldOut:
    """Predict everybody by methods that learned from other people.

    In each fold the covariates are taken out of the measured values, the top variant is chosen, and the
    penalty of elastic net is chosen by cross-validation, all on the training people alone.

    Parameters
    ----------
    values
        Measured, shape (n,).
    covariates
        Of the same people.
    folds
        Who is held out when.
    genotypes
        Of each fold.
    model
        What the sequence model predicts, shape (n, contexts); learns from nobody.
    designs
        `Covariates.design` of each fold, where they are known.
    """
    n, contexts = model.shape
    measured = np.full(n, np.nan)
    predicted = {method: np.full((n, contexts), np.nan) for method in METHODS}
    groups = np.zeros(n, dtype=np.intp)
    _, population = np.unique(covariates.populations, return_inverse=True)
    for number, fold in enumerate(folds):
        design = covariates.design(fold.train) if designs is None else designs[number]
        left = residuals(values, design, fold.train)
        measured[fold.test] = left[fold.test]
        groups[fold.test] = number * (population.max() + 1) + population[fold.test]
        found = genotypes[number]
        predicted[MODEL][fold.test] = model[fold.test]
        predicted[TOP_VARIANT][fold.test] = _top_variant(left, fold, found)[:, None]
        inner, outer = _elastic_net(left, fold, found)
        predicted[ELASTIC_NET][fold.test] = outer[:, None]
        predicted[TOGETHER][fold.test] = _together(left, fold, model, inner, outer)
    return HeldOut(measured, predicted, groups)


def _top_variant(left: Numbers, fold: Fold, found: FoldGenotypes) -> Numbers:
    if not len(found.columns):
        return np.full(len(fold.test), np.nan)
    slopes = found.values[fold.train].T.astype(float) @ left[fold.train] / len(fold.train)
    top = int(np.abs(slopes).argmax())
    predicted: Numbers = found.values[fold.test, top] * slopes[top]
    return predicted


def _elastic_net(left: Numbers, fold: Fold, found: FoldGenotypes) -> tuple[Numbers, Numbers]:
    """Return predictions of the training people, each by a fit without them, and of the test people."""
    known, columns = left[fold.train], found.distinct
    if not len(columns) or np.ptp(known) == 0:
        return np.zeros(len(fold.train)), np.zeros(len(fold.test))
    train = found.values[np.ix_(fold.train, columns)].astype(float)
    cut = list(KFold(_INNER_FOLDS, shuffle=True, random_state=0).split(train))
    with warnings.catch_warnings():
        # of the smallest penalties, which are hardly ever chosen
        warnings.simplefilter("ignore", ConvergenceWarning)
        net = ElasticNetCV(
            l1_ratio=_L1_SHARE, alphas=_PENALTIES, eps=_LARGEST_TO_SMALLEST, cv=cut, tol=1e-3, max_iter=2_000
        ).fit(train, known)
        inner = np.zeros(len(known))
        for some, others in cut:
            one = ElasticNet(alpha=net.alpha_, l1_ratio=_L1_SHARE, tol=1e-3, max_iter=2_000)
            inner[others] = one.fit(train[some], known[some]).predict(train[others])
    outer: Numbers = net.predict(found.values[np.ix_(fold.test, columns)].astype(float))
    return inner, outer


def _together(left: Numbers, fold: Fold, model: Numbers, inner: Numbers, outer: Numbers) -> Numbers:
    """Weigh the model's and elastic net's predictions by a regression on the training people."""
    found = np.empty((len(fold.test), model.shape[1]))
    for context in range(model.shape[1]):
        own = model[:, context]
        spread = own[fold.train].std()
        scaled = (own - own[fold.train].mean()) / spread if spread > 0 else np.zeros(len(own))
        known = np.column_stack([np.ones(len(fold.train)), scaled[fold.train], inner])
        weights, *_ = np.linalg.lstsq(known, left[fold.train], rcond=None)
        found[:, context] = weights[0] + weights[1] * scaled[fold.test] + weights[2] * outer
    return found
