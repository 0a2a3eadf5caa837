"""Where along the genome a result holds numbers, and of which kind."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

EXACT = "exact"


def gaps(positions: NDArray[np.integer]) -> list[tuple[int, int]]:
    """List the stretches between positions that a result says nothing about.

    Parameters
    ----------
    positions
        0-based, ascending, shape (n,).

    Returns
    -------
    list[tuple[int, int]]
        Start and end (0-based half-open), from left to right; empty where positions follow one another.
    """
    before = np.flatnonzero(np.diff(positions) > 1)
    return [(int(positions[index]) + 1, int(positions[index + 1])) for index in before]


def stretches(positions: NDArray[np.integer]) -> list[tuple[int, int]]:
    """List the stretches of positions that follow one another.

    Parameters
    ----------
    positions
        0-based, ascending, shape (n,).

    Returns
    -------
    list[tuple[int, int]]
        Start and end (0-based half-open), from left to right.
    """
    if not len(positions):
        return []
    between = gaps(positions)
    starts = [int(positions[0]), *(end for _, end in between)]
    ends = [*(start for start, _ in between), int(positions[-1]) + 1]
    return list(zip(starts, ends, strict=True))


def exact_stretches(dataset: xr.Dataset) -> list[tuple[int, int]] | None:
    """List the stretches whose effects were predicted exactly; everywhere else they are first-order.

    Parameters
    ----------
    dataset
        A mutagenesis; with ``method`` (position) if it went from coarse to fine.

    Returns
    -------
    list[tuple[int, int]] or None
        Start and end (0-based half-open), from left to right; None where the result doesn't tell bases apart.
    """
    if "method" not in dataset.data_vars:
        return None
    exact = dataset["method"].to_numpy().astype(str) == EXACT
    return stretches(dataset["position"].to_numpy()[exact])
