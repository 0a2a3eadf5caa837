"""Put scores together: fitted on the validation people, and used once on the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from phenviz.disease.cohort.covariates import centre_of

# columns of scores.parquet, and the scores that each adds to the covariates
COMBINATIONS: dict[str, tuple[str, ...]] = {
    "covariates": (),
    "prs": ("prs",),
    "expression": ("expression",),
    "phenformer": ("phenformer",),
    "ensemble": ("prs", "phenformer"),
    "ensemble_linear": ("prs", "expression"),
}


@dataclass(frozen=True, eq=False)
class Combination:
    """Scores added to the log odds that covariates give.

    Parameters
    ----------
    parts
        Names of the scores.
    mean, scale
        Of each in the validation people.
    weights, intercept
        Of the scaled scores.
    """

    parts: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: float

    def apply(self, scores: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return log odds of people, from their scores and the log odds of their ``covariates``."""
        known = scores["covariates"]
        if not self.parts:
            return known
        values = np.column_stack([scores[name] for name in self.parts])
        added: NDArray[np.float64] = ((values - self.mean) / self.scale) @ self.weights
        return known + added + self.intercept

    def as_dict(self) -> dict[str, Any]:
        """Return the fit by name."""
        return {
            "parts": list(self.parts),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "weights": self.weights.tolist(),
            "intercept": self.intercept,
        }

    @classmethod
    def from_dict(cls, fit: Mapping[str, Any]) -> Combination:
        """Read what `as_dict` returned."""
        mean, scale, weights = (np.array(fit[name], dtype=float) for name in ("mean", "scale", "weights"))
        return cls(tuple(fit["parts"]), mean, scale, weights, float(fit["intercept"]))


def combine(
    parts: Sequence[str],
    scores: Mapping[str, NDArray[np.float64]],
    labels: NDArray[np.floating],
    people: NDArray[np.intp],
) -> Combination:
    """Fit labels on scores in some people, beside what covariates say of them.

    Parameters
    ----------
    parts
        Names of the scores; none for the covariates as the training people gave them.
    scores
        Of everybody, ``covariates`` among them.
    labels
        Of everybody; NaN where unknown.
    people
        Rows that may be looked at: the validation people.
    """
    known = people[~np.isnan(labels[people])]
    if not parts:
        nothing = np.empty(0)
        return Combination((), nothing, nothing, nothing, 0.0)
    values = np.column_stack([scores[name] for name in parts])
    mean, scale = centre_of(values[known])
    weights, intercept = logistic(
        (values[known] - mean) / scale, labels[known].astype(float), scores["covariates"][known]
    )
    return Combination(tuple(parts), mean, scale, weights, intercept)


def logistic(
    values: NDArray[np.float64], labels: NDArray[np.float64], offset: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Fit a logistic regression whose log odds begin at an offset; weights are drawn to 0, as by a prior.

    Parameters
    ----------
    values
        Scaled, (people, scores).
    labels
        1 and 0.
    offset
        Log odds that are taken as they are.

    Returns
    -------
    tuple
        Weights, and intercept: those that minimise the summed log loss plus half the squared weights.
    """

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = offset + values @ point[:-1] + point[-1]
        wrong = expit(logits) - labels
        total = float(np.logaddexp(0, logits).sum() - labels @ logits + 0.5 * point[:-1] @ point[:-1])
        return total, np.append(values.T @ wrong + point[:-1], wrong.sum())

    found = minimize(loss, np.zeros(values.shape[1] + 1), jac=True, method="BFGS").x
    return found[:-1], float(found[-1])
