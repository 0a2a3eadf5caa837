"""How well predictions of people agree with what was measured in them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

_NORMAL_95 = 1.959963984540054


class Agreement(NamedTuple):
    """A correlation with its 95 % interval, two-sided p value and number of people; NaN where unknown."""

    correlation: float
    low: float
    high: float
    p_value: float
    people: int


def agreement(
    predicted: NDArray[np.float64], measured: NDArray[np.float64], groups: NDArray[np.intp]
) -> Agreement:
    """Correlate predicted and measured values within groups of people.

    Both are centred within each group (people of one population that were held out together), so that neither
    differences between populations nor those between fits count. The interval is Fisher's, the p value
    Student's, both with one degree of freedom less for each group.

    Parameters
    ----------
    predicted, measured
        Shape (n,); people with NaN in either are left out.
    groups
        Number of each person's group, shape (n,).
    """
    known = np.isfinite(predicted) & np.isfinite(measured)
    one, other, group = predicted[known], measured[known], groups[known]
    n, count = len(one), len(np.unique(group))
    nothing = Agreement(math.nan, math.nan, math.nan, math.nan, n)
    if n - count < 3:
        return nothing
    one, other = _centred(one, group), _centred(other, group)
    scale = math.sqrt((one @ one) * (other @ other))
    # numbers that are all the same differ from their mean by rounding
    if scale <= 1e-12 * max(1.0, float(np.abs(predicted[known]).max() * np.abs(measured[known]).max())):
        return nothing
    r = float(np.clip(one @ other / scale, -1, 1))
    free = n - count - 1
    wide = _NORMAL_95 / math.sqrt(free - 1)
    z = math.atanh(min(max(r, -1 + 1e-15), 1 - 1e-15))
    t = abs(r) * math.sqrt(free / max(1 - r * r, 1e-300))
    return Agreement(r, math.tanh(z - wide), math.tanh(z + wide), float(2 * stdtr(free, -t)), n)


def _centred(values: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    _, which = np.unique(groups, return_inverse=True)
    means = np.bincount(which, values) / np.bincount(which)
    centred: NDArray[np.float64] = values - means[which]
    return centred
