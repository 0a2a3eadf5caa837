"""Predict the activity of every context along a locus of any length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from phenviz.errors import ModelError
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.memory import in_batches
from phenviz.models.parallel import over_tiles, tile_size
from phenviz.models.windows import BaseSource, one_hot_window, placement, select_contexts, units_in
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import bin_coord, context_coords, result_attrs

DEFINITION = "predicted activity of each bin, on the model's output scale"

# Measured on two CPU cores: short tiles stay in the cache, but the halo is computed twice; see benchmarks/.
CPU_TILE_BASES = 16_384
GPU_TILE_BASES = 524_288


def predict(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    tile_bins: int | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Predict activity in every bin that overlaps a locus.

    Bins lie on the contig's own grid: ``bin_start`` is a multiple of ``bin_size``. Beyond the contig's
    ends the sequence is taken as unknown (N).

    Parameters
    ----------
    locus
        Where to predict, 0-based half-open; any length.
    reference
        Genome that the sequence is read from.
    backbone
        Model; it stays on its device. A local one (finite receptive field) runs in tiles with a halo, so
        that the result doesn't depend on the tiles. A global one runs in windows of its own length, half
        overlapping; of each window's bins the central half is kept, so that every bin sees at least a
        quarter of the bins that the model returns on both of its sides.
    contexts
        Contexts (or names, labels, CURIEs) to keep; None for all.
    tile_bins
        Bins predicted at once by a local model; by default as many as are fastest on the device. Halved
        on its own when memory runs out.
    progress
        Advances after each tile; gets each finished tile as a partial result.

    Returns
    -------
    xr.Dataset
        ``activity`` (context, bin), float32, with coordinate ``bin_start`` (0-based).

    Raises
    ------
    LocusError
        If the locus leaves the contig or holds no base but N.
    TargetError
        If the model doesn't predict a context.
    MemoryLimitError
        If not even one bin at a time fits into memory.
    """
    locus = reference.check(locus)
    chosen, channels = select_contexts(backbone, contexts)
    first, last = bin_range(locus, backbone.bin_size)
    activity = np.empty((len(channels), last - first), dtype=np.float32)
    progress.stage("predicting", last - first)
    for start, tile in activity_tiles(locus.contig, first, last, reference, backbone, channels, tile_bins):
        end = start + tile.shape[1]
        activity[:, start - first : end - first] = tile
        progress.partial(
            _as_dataset(tile, start, _part(locus, start, end, backbone), reference, backbone, chosen)
        )
        progress.advance(end - start)
    return _as_dataset(activity, first, locus, reference, backbone, chosen)


def bin_range(locus: Locus, bin_size: int) -> tuple[int, int]:
    """Return the contig's numbers of the first bin that overlaps a locus and of the one after the last."""
    return locus.start // bin_size, -(-locus.end // bin_size)


def activity_tiles(
    contig: str,
    first: int,
    last: int,
    reference: BaseSource,
    backbone: SequenceBackbone,
    channels: list[int],
    tile_bins: int | None = None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the first bin of each tile and its activity (context, bin), from left to right."""
    if backbone.receptive_field is None:
        yield from _global_windows(contig, first, last, reference, backbone, channels)
        return
    margin, bin_size = halo(backbone), backbone.bin_size
    device, _ = placement(backbone)
    largest = default_tile_bins(backbone)
    size = tile_bins or tile_size(last - first, largest, largest // 4, device)

    def run(start: int) -> NDArray[np.float32]:
        def forward(skipped: int, done: int) -> NDArray[np.float32]:
            left, right = (start + skipped) * bin_size - margin, (start + done) * bin_size + margin
            window = one_hot_window(reference, contig, left, right, backbone)
            inner = slice(margin // bin_size, margin // bin_size + done - skipped)
            return _forward(backbone, window, channels, inner)

        return np.concatenate(list(in_batches(min(size, last - start), size, forward)), axis=1)

    starts = range(first, last, size)
    yield from zip(starts, over_tiles(starts, run, device), strict=True)


def default_tile_bins(backbone: SequenceBackbone) -> int:
    """Bins of a tile that a local backbone is fast with on its device."""
    device, _ = placement(backbone)
    bases = CPU_TILE_BASES if device.type == "cpu" else GPU_TILE_BASES
    return max(bases // backbone.bin_size, 1)


def _global_windows(
    contig: str,
    first: int,
    last: int,
    reference: BaseSource,
    backbone: SequenceBackbone,
    channels: list[int],
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    start = first
    while start < last:
        left, inner = central_bins(backbone, start)
        window = one_hot_window(reference, contig, left, left + backbone.window, backbone)
        kept = slice(inner.start, min(inner.stop, inner.start + last - start))
        tile = _forward(backbone, window, channels, kept)
        if tile.shape[1] != kept.stop - kept.start:
            raise ModelError(
                f"{backbone.name} returned too few bins for a window of {backbone.window:,} bases: its "
                "adapter must return window / bin_size bins"
            )
        yield start, tile
        start += tile.shape[1]


def central_bins(backbone: SequenceBackbone, first: int) -> tuple[int, slice]:
    """Place a global backbone's window so that the central half of its bins begins with bin ``first``.

    Returns
    -------
    tuple
        Start of the window on the contig (may be negative), and the kept bins within the window.
    """
    bins = backbone.window // backbone.bin_size
    kept = max(bins // 2, 1)
    skipped = (bins - kept) // 2
    return (first - skipped) * backbone.bin_size, slice(skipped, skipped + kept)


def _forward(
    backbone: SequenceBackbone, window: torch.Tensor, channels: list[int], inner: slice
) -> NDArray[np.float32]:
    with torch.inference_mode():
        # cropped before the head: the halo's bins need no contexts
        embedding = backbone.encode(window)[:, :, inner]
        activity = backbone.activity(embedding)[0]
        if len(channels) != activity.shape[0]:
            activity = activity[channels]
        return activity.float().cpu().numpy()


def _part(locus: Locus, start_bin: int, end_bin: int, backbone: SequenceBackbone) -> Locus:
    """Return the bases of a locus that lie in a range of bins."""
    start, end = start_bin * backbone.bin_size, end_bin * backbone.bin_size
    return Locus(locus.contig, max(locus.start, start), min(locus.end, end), locus.strand)


def _as_dataset(
    activity: NDArray[np.float32],
    first: int,
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    contexts: Sequence[Context],
) -> xr.Dataset:
    starts = (first + np.arange(activity.shape[1], dtype=np.int64)) * backbone.bin_size
    return xr.Dataset(
        {"activity": (("context", "bin"), activity)},
        coords={"bin_start": bin_coord(starts), **context_coords(contexts)},
        attrs=result_attrs(
            locus, backbone, reference, definition=DEFINITION, units=units_in(backbone, contexts)
        ),
    )
