"""Variants grouped into tiles: the reference of each is run once for all variants in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.effects.rows import VariantRows
from phenviz.inference.receptive_cones import Interval
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.memory import in_batches
from phenviz.models.parallel import over_tiles
from phenviz.models.windows import placement

T = TypeVar("T")

# Measured on two CPU cores (see `phenviz.models.predict`). A GPU wants longer tiles, which must fit into its
# memory with the stem's output of 1.5 kB a base.
CPU_TILE_BASES = 16_384
GPU_TILE_BASES = 131_072
# so that what the variants of a tile hold stays some MB
_TILE_ROWS = 4_096
# whole windows of a global backbone
_WINDOW_ROWS = 8


def over_variants(
    rows: VariantRows, bins: Interval, backbone: SequenceBackbone, score: Callable[[NDArray[np.intp]], T]
) -> Iterator[tuple[NDArray[np.intp], T]]:
    """Score all rows that can be scored, tile by tile; on a CPU tiles of a local backbone run side by side.

    Parameters
    ----------
    rows, backbone
        What is scored, and with what.
    bins
        Bins that are asked for, counted from the bin of REF's first base.
    score
        Called in inference mode with rows of one tile; from several threads.

    Yields
    ------
    tuple
        Rows, and what ``score`` made of them.
    """
    groups = tiles_of(rows, backbone, bins)

    def run(group: NDArray[np.intp]) -> list[tuple[NDArray[np.intp], T]]:
        def batch(start: int, end: int) -> tuple[NDArray[np.intp], T]:
            some = group[start:end]
            with torch.inference_mode():
                return some, score(some)

        return list(in_batches(len(group), len(group), batch))

    device, _ = placement(backbone)
    # each thread would hold the activations of a whole window
    tiles = map(run, groups) if backbone.receptive_field is None else over_tiles(groups, run, device)
    for parts in tiles:
        yield from parts


def tiles_of(rows: VariantRows, backbone: SequenceBackbone, bins: Interval) -> list[NDArray[np.intp]]:
    """Cut the rows that can be scored into tiles, contig by contig from left to right.

    A tile ends where it has grown long enough, or where the way to the next variant is longer than the
    flanks that a tile of its own needs.
    """
    order = rows.in_order()
    if not len(order):
        return []
    device, _ = placement(backbone)
    starts, contigs = rows.start[order], rows.contig[order]
    if backbone.receptive_field is None:
        longest, gap, most = 1, 0, _WINDOW_ROWS
    else:
        longest = CPU_TILE_BASES if device.type == "cpu" else GPU_TILE_BASES
        gap, most = 2 * halo(backbone) + len(bins) * backbone.bin_size, _TILE_ROWS
    cuts, begin = [0], 0
    for row in range(1, len(order)):
        full = starts[row] - starts[begin] >= longest or row - begin >= most
        if full or contigs[row] != contigs[row - 1] or starts[row] - starts[row - 1] > gap:
            begin = row
            cuts.append(row)
    return np.split(order, cuts[1:])
