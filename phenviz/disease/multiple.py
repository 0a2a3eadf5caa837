"""Many contexts, many traits: what a p-value is worth among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

Array = NDArray[np.float64]


def benjamini_hochberg(p: Array) -> Array:
    """Return q-values of an array of any shape; NaN stays NaN and doesn't count."""
    return _adjusted(p, "fdr_bh")


def bonferroni(p: Array, tests: float | None = None) -> Array:
    """Return p times the number of tests, at most 1; the number of finite p-values by default."""
    count = float(np.isfinite(p).sum()) if tests is None else tests
    return np.minimum(p * max(count, 1.0), 1.0)


def effective_tests(correlation: Array) -> float:
    """Return the effective number of independent contexts after Li and Ji [1]_.

    Parameters
    ----------
    correlation
        Of the contexts' statistics under the null, (C, C).

    Returns
    -------
    float
        Sum over the eigenvalues x of [x >= 1] + (x - floor(x)): C where contexts are independent, 1 where
        they are one.

    References
    ----------
    .. [1] Li and Ji 2005, Heredity 95:221.
    """
    # rounding must not turn an eigenvalue of 1 into 0.999...
    values = np.round(np.abs(np.linalg.eigvalsh(correlation)), 9)
    return float(((values >= 1) + (values - np.floor(values))).sum())


def effective_tests_nyholt(correlation: Array) -> float:
    """Return the effective number of independent contexts after Nyholt [1]_: 1 + (C - 1)(1 - Var(x) / C).

    References
    ----------
    .. [1] Nyholt 2004, Am J Hum Genet 74:765.
    """
    count = len(correlation)
    if count < 2:
        return float(count)
    values = np.linalg.eigvalsh(correlation)
    return float(1 + (count - 1) * (1 - values.var(ddof=1) / count))


def _adjusted(p: Array, method: str) -> Array:
    result = np.full(p.shape, np.nan)
    finite = np.isfinite(p)
    if finite.any():
        result[finite] = multipletests(p[finite], method=method)[1]
    return result
