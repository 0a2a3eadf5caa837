"""Edited versions of windows that hold all that their bins see, and what the edits change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.errors import ModelError
from phenviz.genome.reference import ReferenceGenome
from phenviz.genome.variant import Edit
from phenviz.inference.edited_sequence import EditedSequence
from phenviz.inference.receptive_cones import Interval
from phenviz.inference.reductions import Reduction, effects_of_windows
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.memory import in_batches
from phenviz.models.parallel import SharedProgress, over_tiles
from phenviz.models.windows import one_hot_tensor, placement
from phenviz.progress import Progress

# edits computed side by side, and bases of all rows of one batch: about what fits a cache
_AT_ONCE = 8
_BATCH_BASES = 2**17


@dataclass(frozen=True, slots=True)
class EditedWindows:
    """One window of the reference and its edited versions.

    Parameters
    ----------
    codes
        Shape (rows, L): the unedited sequence first.
    first_bin
        Number of the first of ``bins`` on the contig.
    bins
        Bins within the window that the target is read from.
    """

    codes: NDArray[np.uint8]
    first_bin: int
    bins: slice


def edited_windows(
    contig: str,
    bins: Interval,
    versions: Sequence[Sequence[Edit]],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
) -> EditedWindows:
    """Return the window that some bins of a contig see, as it is and in edited versions.

    Where an edit changes the length, what follows it moves to the left or right.

    Parameters
    ----------
    contig, bins
        What the target is read from.
    versions
        Edits of each version, sorted.
    reference, backbone
        Where the sequence comes from, and what will encode it.

    Raises
    ------
    ModelError
        If a global backbone's window doesn't hold the bins.
    """
    start, end, own = window_of(bins, backbone)
    rows = [EditedSequence(reference, contig, edits).codes(start, end) for edits in [[], *versions]]
    return EditedWindows(np.stack(rows), bins.first, own)


def window_of(bins: Interval, backbone: SequenceBackbone) -> tuple[int, int, slice]:
    """Return the bases (start, end) to encode so that some bins see all they see, and the bins within.

    Raises
    ------
    ModelError
        If a global backbone's window doesn't hold the bins.
    """
    size = backbone.bin_size
    if backbone.receptive_field is not None:
        flank = halo(backbone)
        own = slice(flank // size, flank // size + len(bins))
        return bins.first * size - flank, (bins.last + 1) * size + flank, own
    held = backbone.window // size
    if len(bins) > held:
        raise ModelError(
            f"an edit over {len(bins) * size:,} bp doesn't fit into {backbone.name}'s window of "
            f"{backbone.window:,} bp: edit less at a time"
        )
    skipped = (held - len(bins)) // 2
    start = (bins.first - skipped) * size
    return start, start + backbone.window, slice(skipped, skipped + len(bins))


def _shape(window: EditedWindows) -> tuple[int, int, int]:
    return window.codes.shape[1], window.bins.start, window.bins.stop


def score_windows(
    windows: Sequence[EditedWindows], backbone: SequenceBackbone, reduction: Reduction, progress: Progress
) -> Iterator[NDArray[np.float32]]:
    """Yield each window's effects (rows - 1, contexts), in order.

    Parameters
    ----------
    windows
        What to score; those side by side in the list that are equally long share batches.
    backbone
        Encodes them.
    reduction
        Turns embeddings into effects.
    progress
        Updated after each batch, in windows.
    """
    device, dtype = placement(backbone)
    shared = SharedProgress(progress)

    def score(tile: Sequence[EditedWindows]) -> list[NDArray[np.float32]]:
        found = []
        with torch.inference_mode():
            for _, alike in groupby(tile, key=_shape):
                group = list(alike)
                rows = np.concatenate([window.codes for window in group])

                def encode(
                    first: int, last: int, rows: NDArray[np.uint8] = rows, bins: slice = group[0].bins
                ) -> torch.Tensor:
                    return backbone.encode(one_hot_tensor(rows[first:last], device, dtype))[:, :, bins]

                batch = max(_BATCH_BASES // rows.shape[1], 1)
                embedding = torch.cat(list(in_batches(len(rows), batch, encode)))
                counts = [len(window.codes) for window in group]
                for window, own in zip(group, embedding.split(counts), strict=True):
                    found.append(effects_of_windows(own, window.first_bin, reduction).float().cpu().numpy())
                shared.advance(len(group))
        return found

    tiles = (windows[start : start + _AT_ONCE] for start in range(0, len(windows), _AT_ONCE))
    for effects in over_tiles(tiles, score, device):
        yield from effects
