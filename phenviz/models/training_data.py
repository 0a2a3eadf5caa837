"""What the backbone learns from: windows round summits, elements and background, with targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from phenviz.errors import ModelError
from phenviz.genome.codes import N_CODE, one_hot
from phenviz.models.peaks import SIGNAL_STEP, cluster_summits, peak_signal

# Nothing within this distance of a held-out region is drawn, so that no training window reaches into one.
GUARD = 2_000

Region = tuple[int, int]


@dataclass(frozen=True)
class Batch:
    """Windows and their targets.

    Parameters
    ----------
    one_hot
        Shape (B, 4, window).
    enrichment
        Mean fold enrichment of the supervised bins, shape (B, C, bins).
    elements
        Share of each bin inside an element of each cell type, and of any, shape (B, E, bins).
    """

    one_hot: torch.Tensor
    enrichment: torch.Tensor
    elements: torch.Tensor


@dataclass(frozen=True)
class TrainingData:
    """One contig with its targets, and where windows may be drawn.

    Parameters
    ----------
    codes
        Bases of the contig, shape (L,).
    signal
        Fold enrichment in steps of 16 bases, shape (C, L / 16).
    element_signal
        Membership in elements in steps of 16 bases, shape (E, L / 16), 0 or 1.
    summits, elements
        Centres of summit clusters and of elements outside the held-out regions.
    held_out
        Regions that no window may touch.
    """

    codes: NDArray[np.uint8]
    signal: NDArray[np.float16]
    element_signal: NDArray[np.uint8]
    summits: NDArray[np.int64]
    elements: NDArray[np.int64]
    held_out: tuple[Region, ...]

    def draw_centres(
        self, rng: np.random.Generator, *, elements: float, background: float, margin: int
    ) -> NDArray[np.int64]:
        """Draw the centres of one epoch: every summit once, and shares of the elements and of background."""
        drawn = rng.choice(self.elements, int(len(self.elements) * elements), replace=False)
        wanted = int(len(self.summits) * background)
        random: list[NDArray[np.int64]] = []
        while sum(map(len, random)) < wanted:
            at = rng.integers(GUARD, len(self.codes) - GUARD, size=2 * wanted)
            at = at[self.allowed(at)]
            known = (self.codes[at - margin] != N_CODE) & (self.codes[at + margin] != N_CODE)
            random.append(at[known & (self.codes[at] != N_CODE)])
            if len(random) > 100 and not sum(map(len, random)):
                raise ModelError(
                    "the contig has no known bases outside the held-out regions to draw background from"
                )
        background_centres = np.concatenate(random)[:wanted] if random else np.empty(0, np.int64)
        centres = np.concatenate([self.summits, drawn, background_centres])
        centres = centres[(centres > GUARD) & (centres < len(self.codes) - GUARD)]
        return rng.permutation(centres)

    def allowed(self, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which positions keep their distance from the held-out regions."""
        return outside(positions, self.held_out)

    def batches(
        self, centres: NDArray[np.int64], rng: np.random.Generator, *, window: int, bins: int, batch_size: int
    ) -> Iterator[Batch]:
        """Cut windows, shifted at random so that a summit lies anywhere in the supervised middle.

        Parameters
        ----------
        centres
            From `draw_centres`.
        rng
            Source of the shifts.
        window
            Bases in a window.
        bins
            Bins of 128 bp in its middle that have targets.
        batch_size
            Windows in a batch; an incomplete last batch is left out.
        """
        reach = bins * 64 - 100
        for first in range(0, len(centres) - batch_size + 1, batch_size):
            shift = rng.integers(-reach, reach, size=batch_size)
            starts = np.clip(
                centres[first : first + batch_size] + shift - window // 2, 0, len(self.codes) - window
            )
            yield Batch(
                torch.from_numpy(one_hot(self.codes[starts[:, None] + np.arange(window)])),
                self._targets(self.signal, starts, window, bins),
                self._targets(self.element_signal, starts, window, bins),
            )

    def _targets(
        self,
        signal: NDArray[np.float16] | NDArray[np.uint8],
        starts: NDArray[np.int64],
        window: int,
        bins: int,
    ) -> torch.Tensor:
        steps = 128 // SIGNAL_STEP
        first = (starts + (window - bins * 128) // 2 + SIGNAL_STEP // 2) // SIGNAL_STEP
        columns = np.minimum(first[:, None] + np.arange(bins * steps), signal.shape[1] - 1)
        picked = torch.from_numpy(signal[:, columns].astype(np.float32)).permute(1, 0, 2)
        return picked.reshape(len(starts), len(signal), bins, steps).mean(3)


def prepare_data(
    codes: NDArray[np.uint8],
    peaks: pd.DataFrame,
    contexts: Sequence[str],
    elements: pd.DataFrame | None,
    held_out: tuple[Region, ...],
) -> TrainingData:
    """Lay out peaks and elements of one contig as targets.

    Parameters
    ----------
    codes
        Of the contig.
    peaks
        From `read_narrow_peaks`, of the contig.
    contexts
        Names, in the order of the model's outputs.
    elements
        ``start``, ``end`` and ``cell_types`` (names joined by ``|``) of regulatory elements; None for none.
    held_out
        Validation and test regions.
    """
    summits = cluster_summits(peaks, contexts).position
    table = elements if elements is not None else pd.DataFrame({"start": [], "end": [], "cell_types": []})
    # rows are cell types, the last one stands for any
    cell_types = sorted({name for names in table["cell_types"] for name in names.split("|") if name})
    row_of = {name: row for row, name in enumerate(cell_types)}
    membership = np.zeros((len(cell_types) + 1, -(-len(codes) // SIGNAL_STEP)), np.uint8)
    for start, end, names in zip(table["start"], table["end"], table["cell_types"], strict=True):
        rows = [row_of[name] for name in names.split("|") if name] + [len(cell_types)]
        membership[rows, int(start) // SIGNAL_STEP : -(-int(end) // SIGNAL_STEP)] = 1
    centres = ((table["start"] + table["end"]) // 2).to_numpy(np.int64)
    return TrainingData(
        codes,
        peak_signal(peaks, contexts, len(codes)),
        membership,
        summits[outside(summits, held_out)],
        centres[outside(centres, held_out)],
        held_out,
    )


def outside(positions: NDArray[np.int64], regions: Sequence[Region]) -> NDArray[np.bool_]:
    """Say which positions are at least `GUARD` bases outside all regions."""
    free = np.ones(len(positions), bool)
    for start, end in regions:
        free &= (positions < start - GUARD) | (positions >= end + GUARD)
    return free
