"""Predict the activity of sequences that lie in no genome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.genome.codes import N_CODE, encode
from phenviz.genome.contexts import Context
from phenviz.genome.sequence_file import check_sequences
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.predict import activity_tiles
from phenviz.models.windows import select_contexts, units_in
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, phenviz_version

DEFINITION = "predicted activity of each bin of a sequence by itself, with unknown bases (N) on both sides"


def predict_sequences(
    sequences: Mapping[str, str],
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Predict activity along sequences that lie in no genome, each by itself.

    Parameters
    ----------
    sequences
        Bases by name, of any length; what lies beyond their ends is N. Their first base begins a bin.
    backbone
        Model; it stays on its device. A global one sees windows as in `phenviz.models.predict.predict`.
    contexts
        Contexts (or names, labels, CURIEs) to keep; None for all.
    progress
        Advances after each sequence, in bases.

    Returns
    -------
    xr.Dataset
        ``activity`` (context, bin), float32, the bins of one sequence after those of the one before.
        Coordinates on ``bin``: ``sequence`` (its name), ``start`` and ``end`` (in the sequence, 0-based
        half-open; the last bin of a sequence ends with it).

    Raises
    ------
    SequenceError
        If there is no sequence, or one is empty or holds something other than bases.
    TargetError
        If the model doesn't predict a context.
    """
    held = {name: encode(sequence) for name, sequence in check_sequences(sequences).items()}
    chosen, channels = select_contexts(backbone, contexts)
    size, found = backbone.bin_size, []
    names: list[str] = []
    starts: list[NDArray[np.int64]] = []
    ends: list[NDArray[np.int64]] = []
    progress.stage("predicting", sum(map(len, held.values())))
    for name, codes in held.items():
        bins = -(-len(codes) // size)
        tiles = activity_tiles(name, 0, bins, _Alone(codes), backbone, channels)
        found.append(np.concatenate([tile for _, tile in tiles], axis=1))
        edges = np.arange(bins + 1, dtype=np.int64) * size
        names += [name] * bins
        starts.append(edges[:-1])
        ends.append(np.minimum(edges[1:], len(codes)))
        progress.advance(len(codes))
    attrs = {
        "assembly": "none",
        "model": f"{backbone.name}@{backbone.weights_hash[:8]}",
        "model_hash": backbone.weights_hash,
        "bin_size": int(size),
        "definition": DEFINITION,
        "units": units_in(backbone, chosen),
        "coordinate_convention": "start and end are 0-based, half-open, in the sequence",
        "phenviz_version": phenviz_version(),
    }
    return xr.Dataset(
        {"activity": (("context", "bin"), np.concatenate(found, axis=1))},
        coords={
            "sequence": ("bin", np.array(names, dtype=str)),
            "start": ("bin", np.concatenate(starts)),
            "end": ("bin", np.concatenate(ends)),
            **context_coords(chosen),
        },
        attrs=attrs,
    )


class _Alone:
    """A sequence with unknown bases around it, as `phenviz.genome.ReferenceGenome` gives a contig."""

    def __init__(self, codes: NDArray[np.uint8]) -> None:
        self._codes = codes

    def fetch_codes(self, contig: str, start: int, end: int) -> NDArray[np.uint8]:
        """Return the bases from start to end, N where there are none."""
        found = np.full(end - start, N_CODE, dtype=np.uint8)
        low, high = max(start, 0), min(end, len(self._codes))
        if low < high:
            found[low - start : high - start] = self._codes[low:high]
        return found
