"""Put scores together: fitted on the validation people, and used once on the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phenviz.disease.cohort.covariates import centre_of

# columns of scores.parquet, and what each is put together from
COMBINATIONS: dict[str, tuple[str, ...]] = {
    "covariates": ("covariates",),
    "prs": ("covariates", "prs"),
    "expression": ("covariates", "expression"),
    "phenformer": ("covariates", "phenformer"),
    "ensemble": ("covariates", "prs", "phenformer"),
    "ensemble_linear": ("covariates", "prs", "expression"),
}
# scores have to do as well as chance allows: weights are held back by one standard deviation
_PENALTY = 1.0


@dataclass(frozen=True, eq=False)
class Combination:
    """A logistic regression on scores.

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
        """Return logits of people."""
        values = np.column_stack([scores[name] for name in self.parts])
        found: NDArray[np.float64] = ((values - self.mean) / self.scale) @ self.weights + self.intercept
        return found

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
    """Fit labels on scores in some people.

    Parameters
    ----------
    parts
        Names of the scores.
    scores
        Of everybody.
    labels
        Of everybody; NaN where unknown.
    people
        Rows that may be looked at: the validation people.
    """
    from sklearn.linear_model import LogisticRegression

    known = people[~np.isnan(labels[people])]
    values = np.column_stack([scores[name] for name in parts])
    mean, scale = centre_of(values[known])
    model = LogisticRegression(C=_PENALTY, max_iter=1_000)
    model.fit((values[known] - mean) / scale, labels[known].astype(int))
    return Combination(tuple(parts), mean, scale, model.coef_[0].astype(float), float(model.intercept_[0]))
