"""Predicted activity of whole chromosomes at a glance: few points, each a summary of many bins."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.results.schema import bin_coord, bin_size_of

# Bins that share a point: 8,192 bases for bins of 128, so that a chromosome of 63 Mb is drawn from 7,700
# points (2.2 MB for 24 contexts). A level of `phenviz.tracks.Pyramid`.
OVERVIEW_BINS = 64


def overview_of(prediction: xr.Dataset) -> xr.Dataset:
    """Summarise a prediction: minimum, mean and maximum of each `OVERVIEW_BINS` bins.

    Parameters
    ----------
    prediction
        Of whole points: its first bin begins one, counted from the contig's start, and its last one ends one
        (or the contig).

    Returns
    -------
    xr.Dataset
        A prediction with longer bins, whose ``activity`` is the mean, and with ``minimum`` and ``maximum``.
    """
    values = prediction["activity"].to_numpy()
    borders = np.arange(0, values.shape[1], OVERVIEW_BINS)
    counts = np.diff(np.append(borders, values.shape[1]))

    def reduced(ufunc: np.ufunc) -> NDArray[np.float32]:
        return ufunc.reduceat(values, borders, axis=1).astype(np.float32)

    starts = prediction["bin_start"].to_numpy()[borders]
    contexts = {name: coord for name, coord in prediction.coords.items() if "bin" not in coord.dims}
    dims = ("context", "bin")
    data = {
        "activity": (dims, (reduced(np.add) / counts).astype(np.float32), prediction["activity"].attrs),
        "minimum": (dims, reduced(np.minimum)),
        "maximum": (dims, reduced(np.maximum)),
    }
    size = bin_size_of(prediction)
    definition = f"mean, minimum and maximum over {OVERVIEW_BINS} bins of {size} bases"
    return xr.Dataset(
        data,
        coords=contexts | {"bin_start": bin_coord(starts)},
        attrs=prediction.attrs | {"bin_size": size * OVERVIEW_BINS, "definition": definition},
    )
