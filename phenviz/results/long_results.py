"""Results of any length, a tile at a time: what is too long for memory is read, written and let go."""

from __future__ import annotations

from collections.abc import Iterator

import xarray as xr

from phenviz.progress import NO_PROGRESS, Progress

# what a writer has in memory, a few times over
TILE_BYTES = 2**25
_ALONG = ("position", "bin")


def long_dimension(dataset: xr.Dataset) -> str | None:
    """Name the dimension along the genome, if the result has one."""
    return next((dim for dim in _ALONG if dim in dataset.dims), None)


def tile_rows(dataset: xr.Dataset) -> int:
    """Count the places along the genome of one tile: a power of two, so that chunks of files end with it."""
    dim = long_dimension(dataset)
    if dim is None or not dataset.sizes[dim]:
        return 1
    per_row = max(dataset.nbytes // dataset.sizes[dim], 1)
    return 1 << max((TILE_BYTES // per_row).bit_length() - 1, 0)


def is_long(dataset: xr.Dataset) -> bool:
    """Tell whether a result has more than one tile."""
    dim = long_dimension(dataset)
    return dim is not None and dataset.sizes[dim] > tile_rows(dataset)


def in_tiles(
    dataset: xr.Dataset, progress: Progress = NO_PROGRESS, stage: str = "writing"
) -> Iterator[xr.Dataset]:
    """Yield a result in tiles along the genome, each in memory.

    Parameters
    ----------
    dataset
        Any result; its arrays may be read from the store as they are looked at.
    progress
        Advances after each tile, in places.
    stage
        What it is told.

    Yields
    ------
    xr.Dataset
        The next tile; the dataset itself where it has no dimension along the genome.
    """
    dim = long_dimension(dataset)
    if dim is None:
        yield dataset
        return
    rows, total = tile_rows(dataset), dataset.sizes[dim]
    progress.stage(stage, total)
    for start in range(0, max(total, 1), rows):
        # a copy, as load() would fill the arrays of the dataset itself
        yield dataset.isel({dim: slice(start, start + rows)}).copy(deep=False).load()
        progress.advance(min(rows, total - start))
