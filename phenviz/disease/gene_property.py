"""Whether genes with more of a property are more strongly associated: MAGMA's gene-property analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.stats import t as student
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.correlation_tools import corr_clipped

Array = NDArray[np.float64]

# a regression with fewer degrees of freedom than this says nothing
FEWEST_FREE = 10
# z of genes further than this from the mean (in standard deviations) are drawn in, as MAGMA does
_TRUNCATION = (3.0, 6.0)
_RIDGE = 1e-3


@dataclass(frozen=True)
class PropertyTest:
    """Regression of genes' z on each property; all arrays are (C,).

    Parameters
    ----------
    effect, se
        Change of z per unit of the property.
    t, p_value
        One-sided: larger properties, larger z.
    p_conditional
        The same given the property with the largest t; NaN at that one.
    free
        Degrees of freedom of ``t``.
    """

    effect: Array
    se: Array
    t: Array
    p_value: Array
    p_conditional: Array
    free: int


def gene_property_test(z: Array, correlation: Array, properties: Array, covariates: Array) -> PropertyTest:
    """Regress the association of genes on each property, given covariates, with correlated genes.

    ``z = b0 + b c + B covariates + e`` with ``e ~ N(0, s^2 S)``, S the correlation of the genes, by
    generalised least squares; p is one-sided (MAGMA's gene-property analysis [1]_).

    Parameters
    ----------
    z
        Of the genes, (G,).
    correlation
        Of the genes, (G, G).
    properties
        Such as the specificity of expression in each context, (G, C).
    covariates
        Without an intercept, (G, K). What is constant, or follows from others, is left out.

    Returns
    -------
    PropertyTest
        NaN where a property is constant or follows from covariates, or there are too few genes.

    References
    ----------
    .. [1] de Leeuw 2015, PLoS Comput Biol 11:e1004219; Watanabe 2019, Nat Commun 10:3222.
    """
    genes, contexts = properties.shape
    nothing = np.full(contexts, np.nan)
    base = independent(np.column_stack([np.ones(genes), covariates])) if genes else np.ones((0, 1))
    free = genes - base.shape[1] - 1
    if free < FEWEST_FREE:
        return PropertyTest(nothing, nothing, nothing, nothing, nothing, max(free, 0))
    # least squares on what has no correlation any more: one decomposition for all contexts
    root = np.linalg.cholesky(positive_definite(correlation))
    y, base, own = (solve_triangular(root, one, lower=True) for one in (truncated(z), base, properties))
    effect, se, t, p = np.array([_fit(y, base, column) for column in own.T]).T
    conditional = nothing
    if np.isfinite(t).any():
        best = int(np.nanargmax(t))
        given = np.column_stack([base, own[:, best]])
        # beside itself the best one follows from the others
        conditional = np.array([_fit(y, given, column)[3] for column in own.T])
    return PropertyTest(effect, se, t, p, conditional, free)


def gene_covariates_of(table: pd.DataFrame, mean: Array) -> Array:
    """Return MAGMA's covariates of genes, (G, 7).

    Number of variants, density (independent ones over all), and the inverse of the mean minor allele
    frequency, each beside its logarithm; and the mean of the property over contexts.
    """
    variants = table["variants"].to_numpy(float)
    density = table["effective"].to_numpy(float) / variants
    rarity = 1 / table["frequency"].to_numpy(float)
    return np.column_stack(
        [variants, np.log(variants), density, np.log(density), rarity, np.log(rarity), mean]
    )


def truncated(z: Array) -> Array:
    """Draw in z below 3 standard deviations under the mean and above 6 over it."""
    finite = z[np.isfinite(z)]
    low, high = finite.mean() - _TRUNCATION[0] * finite.std(), finite.mean() + _TRUNCATION[1] * finite.std()
    return np.clip(np.nan_to_num(z, nan=low, neginf=low, posinf=high), low, high)


def positive_definite(correlation: Array) -> Array:
    """Return the nearest usable correlation matrix: without negative eigenvalues, and a little shrunk.

    Genes that share all variants would make it singular.
    """
    clipped = corr_clipped(correlation, threshold=1e-6) if len(correlation) > 1 else correlation
    return np.asarray((1 - _RIDGE) * clipped + _RIDGE * np.eye(len(clipped)))


def independent(columns: Array) -> Array:
    """Keep the columns that don't follow from those before them."""
    scaled = columns / np.maximum(np.sqrt((columns**2).sum(0)), 1e-300)
    kept: list[int] = []
    for column in range(columns.shape[1]):
        if np.linalg.matrix_rank(scaled[:, [*kept, column]], tol=1e-8) > len(kept):
            kept.append(column)
    return np.asarray(columns[:, kept])


def _fit(y: Array, base: Array, own: Array) -> tuple[float, float, float, float]:
    design = np.column_stack([base, own])
    if independent(design).shape[1] < design.shape[1]:
        return np.nan, np.nan, np.nan, np.nan
    fitted = OLS(y, design).fit()
    t = float(fitted.tvalues[-1])
    return float(fitted.params[-1]), float(fitted.bse[-1]), t, float(student.sf(t, fitted.df_resid))
