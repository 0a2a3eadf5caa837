"""Where people come from, as far as some variants say, and scores without what that explains of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.dosages import Dosages

COMPONENTS = 4
# of a score's standard deviation
_EQUAL = 1e-4
# of the variants that components are made of: apart from one another, common, and no more than these
_APART, _FREQUENCY, _MOST = 5_000, 0.05, 10_000


@dataclass(frozen=True, eq=False)
class AncestryFit:
    """What principal components explain of a score in reference people.

    Parameters
    ----------
    weights
        Of 1 and each component, for the mean.
    spread
        Standard deviation of the rest.
    variance
        Of 1 and each component, for the logarithm of the squared rest.
    ordered
        The reference people's scores without both, sorted.
    """

    weights: NDArray[np.float64]
    spread: float
    variance: NDArray[np.float64]
    ordered: NDArray[np.float64]

    def apply(self, score: NDArray[np.float64], components: NDArray[np.float64]) -> pd.DataFrame:
        """Return what `normalise_by_ancestry` does, of anybody."""
        design = _design(components)
        rest = score - design @ self.weights
        second = rest / np.sqrt(np.exp(np.clip(design @ self.variance, -60, 60)))
        return pd.DataFrame(
            {
                "z_norm1": rest / self.spread,
                "z_norm2": second,
                "percentile": percentiles(self.ordered, second),
            }
        )


def fit_ancestry(score: NDArray[np.float64], components: NDArray[np.float64]) -> AncestryFit:
    """Fit what components explain of the mean of a score, and of its spread.

    Parameters
    ----------
    score
        Of the reference people.
    components
        Theirs, (people, k); missing ones count as 0.
    """
    import statsmodels.api as sm

    design = _design(components)
    weights = np.asarray(np.linalg.lstsq(design, score)[0], dtype=np.float64)
    rest = score - design @ weights
    spread = float(rest.std(ddof=1)) or 1.0
    squares = np.maximum(rest**2, 1e-12 * spread**2)
    family = sm.families.Gamma(link=sm.families.links.Log())
    variance = np.asarray(sm.GLM(squares, design, family=family).fit().params)
    second = rest / np.sqrt(np.exp(np.clip(design @ variance, -60, 60)))
    return AncestryFit(weights, spread, variance, np.sort(second))


def normalise_by_ancestry(
    score: NDArray[np.float64], components: NDArray[np.float64], reference: NDArray[np.intp]
) -> pd.DataFrame:
    """Take out of a score what ancestry explains of its mean, and of its spread.

    Parameters
    ----------
    score
        Of everybody.
    components
        Principal components, (people, k).
    reference
        Rows of the reference people, whom both are fitted on.

    Returns
    -------
    pd.DataFrame
        ``z_norm1``: minus the mean that the components predict, in standard deviations of the rest;
        ``z_norm2``: the same in the standard deviation that the components predict (a gamma regression of the
        squared rest), as pgsc_calc does; ``percentile`` of ``z_norm2`` among the reference people.
    """
    return fit_ancestry(score[reference], components[reference]).apply(score, components)


def percentiles(ordered: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return which per cent of sorted numbers are below each value, those that are equal by half.

    A score of a few variants has few values, so that numbers count as equal that rounding could tell apart.
    """
    if not len(ordered):
        return np.full(np.shape(values), np.nan)
    near = _EQUAL * max(float(np.std(ordered)), 1e-12)
    below = np.searchsorted(ordered, values - near, side="left")
    not_above = np.searchsorted(ordered, values + near, side="right")
    return np.where(np.isnan(values), np.nan, 50 * (below + not_above) / len(ordered))


def fit_components(dosages: Dosages, people: NDArray[np.intp], seed: int = 0) -> pd.DataFrame:
    """Find principal components that can be computed for anybody from a few thousand variants.

    Those that people come with (as covariates) say more, but can't be computed for somebody else.

    Parameters
    ----------
    dosages
        Common variants; those of at least 5 % that are 5,000 bases apart are used.
    people
        Rows of the people that they are fitted on, of all ancestries.
    seed
        Of the randomised decomposition.

    Returns
    -------
    pd.DataFrame
        contig, position, ref, alt, ``frequency``, and PC1, PC2, ...: what one copy of ALT adds to each
        component, in standard deviations of these people.
    """
    from sklearn.decomposition import PCA

    chosen = dosages.select(_apart(dosages))
    scaled = chosen.standardised(slice(None), people).T
    count = min(COMPONENTS, len(people) - 1, scaled.shape[1])
    fitted = PCA(count, svd_solver="randomized", random_state=seed).fit(scaled)
    spread = np.sqrt(np.maximum(fitted.explained_variance_, 1e-12))
    loadings = fitted.components_ / spread[:, None] / chosen.deviation
    table = chosen.variants[["contig", "position", "ref", "alt"]].assign(frequency=chosen.frequency)
    return table.assign(**{f"PC{number + 1}": loadings[number] for number in range(count)})


def most_similar(
    components: NDArray[np.float64], reference: NDArray[np.float64], groups: NDArray[np.object_]
) -> NDArray[np.object_]:
    """Return the group whose people are nearest, (people,), by Mahalanobis' distance within groups.

    Parameters
    ----------
    components
        Of people, (people, k).
    reference, groups
        Components and group of each of the reference people.
    """
    names = np.unique(groups.astype(str)).astype(object)
    if not len(names) or not reference.shape[1]:
        return np.full(len(components), "", dtype=object)
    centres = np.stack([reference[groups == name].mean(axis=0) for name in names])
    within = reference - centres[np.searchsorted(names.astype(str), groups.astype(str))]
    inverse = np.linalg.pinv(within.T @ within / len(within))
    away = components[:, None] - centres
    distance = np.einsum("pgi,ij,pgj->pg", away, inverse, away)
    return names[distance.argmin(axis=1)]


def _design(components: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.ones(len(components)), np.nan_to_num(components)])


def _apart(dosages: Dosages) -> NDArray[np.intp]:
    minor = np.minimum(dosages.frequency, 1 - dosages.frequency)
    common = np.flatnonzero(minor >= _FREQUENCY)
    common = common if len(common) else np.arange(len(dosages))
    place = dosages.variants["position"].to_numpy()[common] // _APART
    contig = dosages.variants["contig"].to_numpy(dtype=object)[common].astype(str)
    _, first = np.unique(np.char.add(np.char.add(contig, ":"), place.astype(str)), return_index=True)
    kept = common[np.sort(first)]
    return kept[np.unique(np.linspace(0, len(kept) - 1, _MOST).astype(int))]
