"""From a genetic value to who falls ill: the liability-threshold model."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from phenviz.errors import DataError


@dataclass(frozen=True, slots=True)
class Liability:
    """How a trait comes about: liability = genetic value + covariates + chance, cases above a threshold.

    Parameters
    ----------
    heritability
        Variance of the genetic value; all of the liability has 1.
    prevalence
        Share of cases in each ancestry.
    covariates
        Variance that age and sex explain together.
    """

    heritability: float = 0.4
    prevalence: float = 0.25
    covariates: float = 0.05

    def __post_init__(self) -> None:
        if not (0 <= self.heritability and 0 <= self.covariates and self.heritability + self.covariates < 1):
            raise DataError(
                f"heritability {self.heritability:g} and covariates {self.covariates:g}: together they "
                "explain less than all of the liability, and none is negative"
            )
        if not 0 < self.prevalence < 1:
            raise DataError(f"prevalence {self.prevalence:g}: give a share between 0 and 1")

    def as_dict(self) -> dict[str, float]:
        """Return the parameters by name."""
        return asdict(self)

    def draw(
        self,
        genetic: NDArray[np.float64],
        age: NDArray[np.float64],
        sex: NDArray[np.float64],
        ancestry: NDArray[np.object_],
        within: NDArray[np.intp],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Draw everybody's liability.

        Parameters
        ----------
        genetic
            Genetic values in any unit, (people,): scaled so that they have the heritability as their
            variance among the people ``within``, and centred in each ancestry, so that prevalence is the
            same in all.
        age, sex
            Of each person, half of the covariates' variance each.
        ancestry
            Of each person.
        within
            Rows of the people whom the heritability is stated for.
        rng
            Source of randomness.
        """
        value = centred_within(genetic, ancestry)
        spread = value[within].std()
        scaled = value / spread * np.sqrt(self.heritability) if spread > 0 else np.zeros_like(value)
        share = np.sqrt(self.covariates / 2)
        known = share * (_unit(age) + _unit(sex))
        # without a genetic value all else is chance
        rest = 1 - self.covariates - (self.heritability if spread > 0 else 0)
        return scaled + known + rng.normal(0, np.sqrt(rest), len(value))

    def cases(self, liability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell who is above the threshold of a liability of mean 0 and variance 1."""
        return liability > norm.isf(self.prevalence)


def centred_within(values: NDArray[np.float64], groups: NDArray[np.object_]) -> NDArray[np.float64]:
    """Subtract each group's mean."""
    centred = np.array(values, dtype=np.float64)
    for group in np.unique(groups.astype(str)):
        rows = groups.astype(str) == group
        centred[rows] -= centred[rows].mean()
    return centred


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = np.asarray(values, dtype=np.float64) - np.mean(values)
    spread = centred.std()
    return centred / spread if spread > 0 else centred
