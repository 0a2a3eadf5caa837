"""Where along the genome a result holds numbers, and of which kind."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.genome.intervals import covered_intervals
from phenviz.results.schema import base_starts

EXACT = "exact"


def gaps(positions: NDArray[np.integer]) -> list[tuple[int, int]]:
    """List the intervals between positions that a result says nothing about.

    Parameters
    ----------
    positions
        0-based, ascending, shape (n,).

    Returns
    -------
    list[tuple[int, int]]
        Start and end (0-based half-open), from left to right; empty where positions follow one another.
    """
    return [(end, start) for (_, end), (start, _) in pairwise(covered_intervals(positions))]


def exact_intervals(dataset: xr.Dataset) -> list[tuple[int, int]] | None:
    """List the intervals whose effects were predicted exactly; everywhere else they are first-order.

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
    return covered_intervals(base_starts(dataset)[exact])
