"""Many contexts as few columns: the strongest of each organ system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fold_by_group(
    values: NDArray[Any], groups: Sequence[str]
) -> tuple[list[str], NDArray[np.float32], NDArray[np.intp]]:
    """Keep of each group of columns the value that is farthest from 0, row by row.

    Parameters
    ----------
    values
        Shape (rows, columns).
    groups
        Group of each column.

    Returns
    -------
    tuple
        Names of the groups in the order in which they first appear, their values (rows, groups), and the
        column that each comes from (rows, groups). NaN where all of a group are.
    """
    values = np.asarray(values, dtype=np.float32).reshape(-1, len(groups))
    names = list(dict.fromkeys(groups))
    size = np.nan_to_num(np.abs(values), nan=-1.0)
    strongest = np.empty((len(values), len(names)), dtype=np.intp)
    for number, name in enumerate(names):
        own = np.flatnonzero(np.array(groups, dtype=object) == name)
        strongest[:, number] = own[size[:, own].argmax(axis=1)]
    return names, np.take_along_axis(values, strongest, axis=1), strongest
