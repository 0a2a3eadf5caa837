"""What is known of people without their genes: the baseline that every score has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

# nobody counts as more extreme than the training people were, be it by another ancestry's components;
# as `phenviz.models.phenformer.COVARIATE_LIMIT`, which comes with torch
LIMIT = 3.0


@dataclass(frozen=True, eq=False)
class CovariateModel:
    """A logistic regression on covariates.

    Parameters
    ----------
    mean, scale
        Of each covariate in the training people.
    weights
        Of each scaled covariate.
    intercept
        Log odds of who is average in all.
    logits
        Of the people that it was applied to, (people,).
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: float
    logits: NDArray[np.float64]

    @property
    def probability(self) -> NDArray[np.float64]:
        """Of being a case, (people,)."""
        found: NDArray[np.float64] = expit(self.logits)
        return found

    def apply(self, covariates: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return logits of people, (people,)."""
        return scaled_covariates(covariates, self.mean, self.scale) @ self.weights + self.intercept

    def as_dict(self) -> dict[str, Any]:
        """Return the fit by name."""
        return {
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "weights": self.weights.tolist(),
            "intercept": self.intercept,
        }


def fit_covariates(
    covariates: NDArray[np.floating], labels: NDArray[np.floating], people: NDArray[np.intp]
) -> CovariateModel:
    """Fit labels on covariates in some people.

    Parameters
    ----------
    covariates
        Of everybody, (people, covariates); NaN where unknown.
    labels
        Of everybody; NaN where unknown.
    people
        Rows that may be looked at.
    """
    from sklearn.linear_model import LogisticRegression

    known = people[~np.isnan(labels[people])]
    mean, scale = centre_of(covariates[known])
    outcome = labels[known].astype(int)
    if not covariates.shape[1]:
        share = float(outcome.mean())
        empty = np.empty(0)
        value = float(np.log(share / (1 - share)))
        return CovariateModel(mean, scale, empty, value, np.full(len(covariates), value))
    # next to no penalty: it keeps the fit finite where a covariate tells all cases apart
    model = LogisticRegression(C=1e4, max_iter=2_000)
    model.fit(scaled_covariates(covariates[known], mean, scale), outcome)
    fitted = CovariateModel(
        mean, scale, model.coef_[0].astype(np.float64), float(model.intercept_[0]), np.empty(0)
    )
    return CovariateModel(mean, scale, fitted.weights, fitted.intercept, fitted.apply(covariates))


def centre_of(values: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means and standard deviations of columns, leaving NaN out; 0 and 1 where nothing varies."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(axis=0) / count)
    return mean, np.where(spread > 1e-12, spread, 1.0)


def scaled_covariates(
    values: NDArray[np.floating], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scale covariates to the training people's; a missing one is average, an extreme one is held back."""
    return np.clip(np.nan_to_num((values - mean) / scale, nan=0.0), -LIMIT, LIMIT)
