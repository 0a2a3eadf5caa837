"""What is predicted along edited sequences, in bins of the reference; equal surroundings are seen once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.genome.intervals import covered_intervals
from phenviz.genome.reference import ReferenceGenome
from phenviz.genome.variant import Edit
from phenviz.inference.edited_sequence import EditedSequence, GridWindow
from phenviz.inference.embedded_edits import BinValues, with_windows
from phenviz.inference.reductions import ChannelActivity
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.expression import window_around
from phenviz.models.predict import central_bins

# A tile is what is compared between haplotypes. Short ones are shared by more of them, but each brings its
# flanks: 1 kb on 4 kb for the embedded backbone.
TILE_BINS = 32
_TILES_AT_ONCE = 64


@dataclass
class Saving:
    """What comparing surroundings saved.

    Parameters
    ----------
    asked
        Tiles of all haplotypes.
    changed
        Of these, the tiles that any edit reaches; the others are the reference's.
    computed
        Different tiles that were predicted.
    """

    asked: int = 0
    changed: int = 0
    computed: int = 0

    def __add__(self, other: Saving) -> Saving:
        return Saving(self.asked + other.asked, self.changed + other.changed, self.computed + other.computed)

    def attrs(self) -> dict[str, int | float]:
        """Return the counts as a result's attributes; ``saving`` is the share that needn't be predicted."""
        return {
            "tiles": self.asked,
            "tiles_changed": self.changed,
            "tiles_computed": self.computed,
            "saving": 1 - self.computed / self.asked if self.asked else 0.0,
        }

    @classmethod
    def of(cls, attrs: Mapping[str, Any]) -> Saving:
        """Read the counts back from a result's attributes."""
        asked, changed, computed = (int(attrs[name]) for name in ("tiles", "tiles_changed", "tiles_computed"))
        return cls(asked, changed, computed)


class HaplotypeEngine:
    """Predicts haplotypes tile by tile.

    Parameters
    ----------
    reference, contig
        What the edits are made in.
    backbone
        Of a global model a tile is what `phenviz.models.predict` keeps of one window, counted from the first
        bin that is asked for; every edit in the window changes all of the tile.
    values
        Turns embeddings of bins (rows, D) and their numbers on the contig (rows,) into the K numbers of each
        bin that are wanted, (rows, K).
    width
        K.
    around
        Of a global model: bins, half-open, that one window is to hold in its middle, as
        `phenviz.models.expression.encode_bins` places it; they are one tile then. So what differs from the
        reference is bases only, and not the window.
    """

    def __init__(
        self,
        reference: ReferenceGenome,
        contig: str,
        backbone: SequenceBackbone,
        values: BinValues,
        width: int,
        around: tuple[int, int] | None = None,
    ) -> None:
        self._reference, self._contig, self._backbone = reference, contig, backbone
        self._values, self._width = values, width
        self._size, self._held = backbone.bin_size, around
        self._flank = None if backbone.receptive_field is None else halo(backbone)
        self.saving = Saving()

    def along(
        self,
        haplotypes: Sequence[Sequence[Edit]],
        first: int,
        plain: NDArray[np.float32],
        done: Callable[[int], None] = lambda tiles: None,
        copies: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """Predict haplotypes in bins of the reference.

        Parameters
        ----------
        haplotypes, first, done, copies
            As for `changes`.
        plain
            Numbers of the reference, (K, bins).

        Returns
        -------
        NDArray[np.float32]
            Shape (haplotypes, K, bins).
        """
        found = np.repeat(plain[None], len(haplotypes), axis=0)
        for owners, bins, values in self.changes(haplotypes, first, first + plain.shape[1], done, copies):
            for number in owners:
                found[number][:, bins - first] = values
        return found

    def changes(
        self,
        haplotypes: Sequence[Sequence[Edit]],
        first: int,
        last: int,
        done: Callable[[int], None] = lambda tiles: None,
        copies: NDArray[np.int64] | None = None,
    ) -> Iterator[tuple[list[int], NDArray[np.int64], NDArray[np.float64]]]:
        """Predict the bins in which haplotypes may differ from the reference; all others are as there.

        Parameters
        ----------
        haplotypes
            Edits of each (`phenviz.variation.Haplotype.edits`): sorted, without overlap.
        first, last
            Bins on the contig, half-open.
        done
            Updated with how many tiles are done, now and then.
        copies
            How often each haplotype occurs, for the count of what is saved; None for once.

        Yields
        ------
        tuple
            Numbers of haplotypes that are equal here, bins on the contig, and their numbers, (K, bins).
            No bin of a haplotype comes twice.
        """
        times = np.ones(len(haplotypes), dtype=np.int64) if copies is None else copies
        starts = [np.array([start for start, _, _ in edits], dtype=np.int64) for edits in haplotypes]
        for begin, end in self.tiles(first, last):
            owners: dict[tuple[Edit, ...], list[int]] = {}
            for number, edits in enumerate(haplotypes):
                owners.setdefault(self._around(edits, starts[number], begin, end), []).append(number)
            same = owners.pop((), [])
            self.saving.asked += int(times.sum())
            self.saving.changed += int(times.sum() - times[same].sum())
            self.saving.computed += len(owners)
            for found, bins, values in self._tiles(list(owners), begin, end):
                yield owners[found], bins, values
            done(1)

    def tiles(self, first: int, last: int) -> list[tuple[int, int]]:
        """Cut bins first to last (exclusive) into tiles."""
        if self._flank is None and self._held is not None:
            return [(first, last)]
        if self._flank is None:
            kept = central_bins(self._backbone, first)[1]
            count = kept.stop - kept.start
            return [(begin, min(begin + count, last)) for begin in range(first, last, count)]
        # tiles lie on the contig's own grid, so that loci that overlap share them
        starts = range(first // TILE_BINS * TILE_BINS, last, TILE_BINS)
        return [(max(start, first), min(start + TILE_BINS, last)) for start in starts]

    def _around(
        self, edits: Sequence[Edit], starts: NDArray[np.int64], first: int, last: int
    ) -> tuple[Edit, ...]:
        """Return the edits that bins first to last see: deletions bring more of the reference into view."""
        if not len(edits):
            return ()
        left, right = self._sequence_of(first, last)
        seen, low = (int(np.searchsorted(starts, place)) for place in (last * self._size, left))
        while seen > low or (low and edits[low - 1].end >= left):
            seen -= 1
            left -= _shrinks(edits[seen])
            low = min(low, seen, int(np.searchsorted(starts, left)))
        seen, high = (int(np.searchsorted(starts, place)) for place in (first * self._size, right + 1))
        while seen < high:
            right += _shrinks(edits[seen])
            high = max(high, int(np.searchsorted(starts, right + 1)))
            seen += 1
        return tuple(edits[low:high])

    def _tiles(
        self, groups: list[tuple[Edit, ...]], first: int, last: int
    ) -> list[tuple[tuple[Edit, ...], NDArray[np.int64], NDArray[np.float64]]]:
        """Predict the bins that each group of edits reaches: (group, bins, values)."""
        found = []
        for start in range(0, len(groups), _TILES_AT_ONCE):
            some = groups[start : start + _TILES_AT_ONCE]
            touched = [self._touched(edits, first, last) for edits in some]
            values = np.split(self._values_of(some, touched), np.cumsum([len(bins) for bins in touched])[:-1])
            found += [
                (edits, bins, own.T)
                for edits, bins, own in zip(some, touched, values, strict=True)
                if len(bins)
            ]
        return found

    def _values_of(
        self, groups: list[tuple[Edit, ...]], touched: list[NDArray[np.int64]]
    ) -> NDArray[np.float64]:
        """Predict the touched bins of all groups, one after the other: (bins, K)."""
        offsets = np.cumsum([0, *(len(bins) for bins in touched)])
        windows = [
            window
            for number, (edits, bins) in enumerate(zip(groups, touched, strict=True))
            for window in self._windows(number, edits, bins)
        ]
        if not windows:
            return np.zeros((int(offsets[-1]), self._width))

        def row_of(window: GridWindow, bins: NDArray[np.int64]) -> NDArray[np.int64]:
            return offsets[window.owner] + np.searchsorted(touched[window.owner], bins)

        with torch.inference_mode():
            embedded = with_windows(int(offsets[-1]), None, windows, self._backbone, row_of)
            values: NDArray[np.float64] = embedded.sums(self._values)[1].cpu().numpy()
        return values

    def _touched(self, edits: tuple[Edit, ...], first: int, last: int) -> NDArray[np.int64]:
        if self._flank is None:
            return np.arange(first, last)
        touched = np.zeros(last - first, dtype=bool)
        for start, ref, _ in edits:
            low = (start - self._flank) // self._size - first
            high = (start + len(ref) + self._flank) // self._size + 1 - first
            touched[max(low, 0) : max(high, 0)] = True
        return first + np.flatnonzero(touched)

    def _windows(self, number: int, edits: tuple[Edit, ...], bins: NDArray[np.int64]) -> list[GridWindow]:
        if not len(bins):
            return []
        edited = EditedSequence(self._reference, self._contig, edits)
        if self._flank is None:
            # all bins of a tile, whatever interval they lie in, have the place in the window that they have
            # in the reference
            whole = self._sequence_of(int(bins[0]), int(bins[-1]) + 1)
            return list(edited.windows(number, int(bins[0]), int(bins[-1]) + 1, self._size, lambda *_: whole))
        return [
            window
            for first, last in covered_intervals(bins)
            for window in edited.windows(number, first, last, self._size, self._sequence_of)
        ]

    def _sequence_of(self, first: int, last: int) -> tuple[int, int]:
        if self._flank is None:
            held = self._held
            start, _ = window_around(*held, self._backbone) if held else central_bins(self._backbone, first)
            return start, start + self._backbone.window
        return first * self._size - self._flank, last * self._size + self._flank


def activity_engine(
    reference: ReferenceGenome, contig: str, backbone: SequenceBackbone, channels: Sequence[int]
) -> HaplotypeEngine:
    """Make the engine that predicts some channels of the activity, (channels, bins)."""
    values = ChannelActivity(backbone, channels).values
    return HaplotypeEngine(reference, contig, backbone, values, len(channels))


def _shrinks(edit: Edit) -> int:
    return max(len(edit.ref) - len(edit.alt), 0)
