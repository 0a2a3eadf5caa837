"""What the backbone learns from: contigs, laid end to end, with peaks, coverage and elements as targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from phenviz.models.peaks import SIGNAL_STEP, peak_signal

# Nothing within this distance of a held-out region is drawn, so that no training window reaches into one.
GUARD = 2_000

Region = tuple[int, int]


@dataclass(frozen=True)
class TrainingData:
    """Joined contigs with their targets, and where windows may be drawn.

    Parameters
    ----------
    codes
        Bases, shape (L,).
    signal
        Fold enrichment, or coverage, in steps of 16 bases, shape (C, L / 16).
    element_signal
        Membership in elements in steps of 16 bases, shape (E, L / 16), 0 or 1.
    elements
        Centres of elements outside the held-out regions.
    held_out
        Regions that no window may touch.
    measured
        Contexts whose signal was measured everywhere, not in peaks only.
    presence, level
        Contexts whose peaks have no signal, and the fold enrichment that these count as.
    """

    codes: NDArray[np.uint8]
    signal: NDArray[np.float16]
    element_signal: NDArray[np.uint8]
    elements: NDArray[np.int64]
    held_out: tuple[Region, ...]
    measured: tuple[int, ...] = ()
    presence: tuple[int, ...] = ()
    level: float = 1.0

    @property
    def learnt(self) -> list[Region]:
        """Regions that are learnt from: what is left, `GUARD` bases from the held-out ones."""
        edges = sorted(
            (max(start - GUARD, 0), min(end + GUARD, len(self.codes))) for start, end in self.held_out
        )
        starts = [0, *(end for _, end in edges)]
        ends = [*(start for start, _ in edges), len(self.codes)]
        return [(start, end) for start, end in zip(starts, ends, strict=True) if end > start]

    def central_signal(self, positions: NDArray[np.int64], width: int) -> NDArray[np.float32]:
        """Return the mean signal of the measured contexts around positions, shape (n, measured)."""
        steps = width // SIGNAL_STEP
        columns = (positions // SIGNAL_STEP)[:, None] + np.arange(-(steps // 2), steps - steps // 2)
        columns = np.clip(columns, 0, self.signal.shape[1] - 1)
        rows = np.array(self.measured, np.intp)
        return self.signal[rows][:, columns].astype(np.float32).mean(2).T

    def element_targets(self, starts: NDArray[np.int64], window: int, bins: int) -> torch.Tensor:
        """Return the share of the central bins of windows that lies in elements, shape (B, E, bins)."""
        steps = 128 // SIGNAL_STEP
        first = (starts + (window - bins * 128) // 2 + SIGNAL_STEP // 2) // SIGNAL_STEP
        columns = first[:, None] + np.arange(bins * steps)
        picked = torch.from_numpy(self.element_signal[:, columns].astype(np.float32)).permute(1, 0, 2)
        return picked.reshape(len(starts), len(self.element_signal), bins, steps).mean(3)


def prepare_data(
    codes: NDArray[np.uint8],
    peaks: pd.DataFrame,
    contexts: Sequence[str],
    elements: pd.DataFrame | None,
    held_out: tuple[Region, ...],
    coverage: Mapping[int, NDArray[np.float16]] | None = None,
) -> TrainingData:
    """Lay out peaks, coverage and elements as targets.

    Parameters
    ----------
    codes
        Of the contigs.
    peaks
        From `read_narrow_peaks` or `phenviz.models.training_targets.read_targets`, of these bases.
    contexts
        Names, in the order of the model's outputs.
    elements
        ``start``, ``end`` and ``cell_types`` (names joined by ``|``) of regulatory elements; None for none.
    held_out
        Validation and test regions.
    coverage
        Row of a context -> its coverage in steps of 16 bases.
    """
    table = elements if elements is not None else pd.DataFrame({"start": [], "end": [], "cell_types": []})
    # rows are cell types, the last one stands for any
    cell_types = sorted({name for names in table["cell_types"] for name in names.split("|") if name})
    row_of = {name: row for row, name in enumerate(cell_types)}
    membership = np.zeros((len(cell_types) + 1, -(-len(codes) // SIGNAL_STEP)), np.uint8)
    for start, end, names in zip(table["start"], table["end"], table["cell_types"], strict=True):
        rows = [row_of[name] for name in names.split("|") if name] + [len(cell_types)]
        membership[rows, int(start) // SIGNAL_STEP : -(-int(end) // SIGNAL_STEP)] = 1
    signal = peak_signal(peaks, contexts, len(codes))
    for row, values in (coverage or {}).items():
        signal[row] = values
    centres = ((table["start"] + table["end"]) // 2).to_numpy(np.int64)
    return TrainingData(
        codes,
        signal,
        membership,
        centres[outside(centres, held_out)],
        held_out,
        tuple(sorted(coverage or {})),
    )


def outside(positions: NDArray[np.int64], regions: Sequence[Region]) -> NDArray[np.bool_]:
    """Say which positions are at least `GUARD` bases outside all regions."""
    free = np.ones(len(positions), bool)
    for start, end in regions:
        free &= (positions < start - GUARD) | (positions >= end + GUARD)
    return free
