"""Tiles of one computation put together again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from phenviz.errors import ResultError
from phenviz.results.schema import kind_of, locus_of, places

_MUST_AGREE = (
    "assembly", "contig", "model", "model_hash", "definition", "units", "target", "baseline", "n_steps",
    "sample", "haplotype",
)  # fmt: skip


def merge_tiles(tiles: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join neighbouring tiles along ``bin`` or ``position``.

    Parameters
    ----------
    tiles
        Results of one kind, in any order, that abut: the next begins at the base where the last one ends.

    Returns
    -------
    xr.Dataset
        With ``start`` and ``end`` of the whole. An attribute on which tiles differ (a tile's
        ``convergence_delta``) is left out, since it holds for no longer interval.

    Raises
    ------
    ResultError
        If tiles overlap, leave a gap, or come from different computations.
    """
    if not tiles:
        raise ResultError("there are no tiles to merge: the computation handed out none")
    kind = kind_of(tiles[0])
    if kind is None or any(kind_of(tile) != kind for tile in tiles):
        raise ResultError("only tiles of one kind (prediction, mutagenesis or attribution) can be merged")
    dim = "bin" if kind == "prediction" else "position"
    ordered = sorted(tiles, key=lambda tile: locus_of(tile).start)
    _check_agree(ordered)
    _check_abut(ordered)
    if len(ordered) == 1:
        return ordered[0]
    merged = xr.concat(
        ordered, dim=dim, data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    first = ordered[0].attrs
    shared = {
        name: value for name, value in first.items()
        if all(name in tile.attrs and np.array_equal(tile.attrs[name], value) for tile in ordered)
    }  # fmt: skip
    merged.attrs = shared | {"start": int(first["start"]), "end": int(ordered[-1].attrs["end"])}
    return merged


def _check_agree(tiles: Sequence[xr.Dataset]) -> None:
    first = tiles[0]
    for tile in tiles[1:]:
        for name in _MUST_AGREE:
            ours: Any = first.attrs.get(name)
            theirs: Any = tile.attrs.get(name)
            if not np.array_equal(ours, theirs):
                raise ResultError(
                    f"tiles differ in {name!r} ({ours!r} at {locus_of(first)}, {theirs!r} at "
                    f"{locus_of(tile)}): merge tiles of one computation only"
                )
        if "context" in first.coords and not np.array_equal(first["context"], tile["context"]):
            raise ResultError(f"tiles at {locus_of(first)} and {locus_of(tile)} have different contexts")


def _check_abut(tiles: Sequence[xr.Dataset]) -> None:
    for left, right in pairwise(tiles):
        (before, step), (after, _) = places(left), places(right)
        ends, begins = int(before[-1]) + step, int(after[0])
        if ends != begins:
            what = "overlap" if begins < ends else "leave a gap"
            raise ResultError(
                f"tiles {locus_of(left)} and {locus_of(right)} {what}: the first ends at {ends:,}, "
                f"the next begins at {begins:,}"
            )
