"""Activity along edited sequences, in bins of the reference; equal surroundings are predicted once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.effects.alleles import embed_patches
from phenviz.effects.runs import Edit, EditedContig, Patch
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone, halo

# A cell is what is compared between haplotypes. Short ones are shared by more of them, but each brings its
# flanks: 1 kb on 4 kb for the embedded backbone.
CELL_BINS = 32
_CELLS_AT_ONCE = 64


@dataclass
class Saving:
    """What comparing surroundings saved.

    Parameters
    ----------
    asked
        Cells of all haplotypes.
    changed
        Of these, the cells that any edit reaches; the others are the reference's.
    computed
        Different cells that were predicted.
    """

    asked: int = 0
    changed: int = 0
    computed: int = 0


class HaplotypeEngine:
    """Predicts haplotypes cell by cell.

    Parameters
    ----------
    reference, contig
        What the edits are made in.
    backbone
        A model with a finite receptive field.
    channels
        Channels of the activity to keep.
    """

    def __init__(
        self, reference: ReferenceGenome, contig: str, backbone: SequenceBackbone, channels: Sequence[int]
    ) -> None:
        self._reference, self._contig, self._backbone = reference, contig, backbone
        self._channels = list(channels)
        self._size, self._flank = backbone.bin_size, halo(backbone)
        self.saving = Saving()

    def activity(
        self,
        haplotypes: Sequence[Sequence[Edit]],
        first: int,
        plain: NDArray[np.float32],
        done: Callable[[int], None] = lambda cells: None,
        copies: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """Predict haplotypes in bins of the reference.

        Parameters
        ----------
        haplotypes
            Edits of each, as `trimmed` gives them, sorted, without overlap.
        first
            Number of the first bin on the contig.
        plain
            Activity of the reference, (channels, bins).
        done
            Told how many cells are done, now and then.
        copies
            How often each haplotype occurs, for the count of what is saved; None for once.

        Returns
        -------
        NDArray[np.float32]
            Shape (haplotypes, channels, bins).
        """
        times = np.ones(len(haplotypes), dtype=np.int64) if copies is None else copies
        activity = np.repeat(plain[None], len(haplotypes), axis=0)
        starts = [np.array([start for start, _, _ in edits], dtype=np.int64) for edits in haplotypes]
        # cells lie on the contig's own grid, so that loci that overlap share them
        last = first + plain.shape[1]
        for cell in range(first // CELL_BINS * CELL_BINS, last, CELL_BINS):
            begin, end = max(cell, first), min(cell + CELL_BINS, last)
            owners: dict[tuple[Edit, ...], list[int]] = {}
            for number, edits in enumerate(haplotypes):
                owners.setdefault(self._around(edits, starts[number], begin, end), []).append(number)
            same = owners.pop((), [])
            self.saving.asked += int(times.sum())
            self.saving.changed += int(times.sum() - times[same].sum())
            self.saving.computed += len(owners)
            for found, bins, values in self._cells(list(owners), begin, end):
                for number in owners[found]:
                    activity[number][:, bins - first] = values
            done(1)
        return activity

    def _around(
        self, edits: Sequence[Edit], starts: NDArray[np.int64], first: int, last: int
    ) -> tuple[Edit, ...]:
        """Return the edits that bins first to last see: deletions bring more of the reference into view."""
        if not len(edits):
            return ()
        left, right = first * self._size - self._flank, last * self._size + self._flank
        seen, low = (int(np.searchsorted(starts, place)) for place in (last * self._size, left))
        while seen > low or (low and _end(edits[low - 1]) >= left):
            seen -= 1
            left -= _shrinks(edits[seen])
            low = min(low, seen, int(np.searchsorted(starts, left)))
        seen, high = (int(np.searchsorted(starts, place)) for place in (first * self._size, right + 1))
        while seen < high:
            right += _shrinks(edits[seen])
            high = max(high, int(np.searchsorted(starts, right + 1)))
            seen += 1
        return tuple(edits[low:high])

    def _cells(
        self, groups: list[tuple[Edit, ...]], first: int, last: int
    ) -> list[tuple[tuple[Edit, ...], NDArray[np.int64], NDArray[np.float32]]]:
        """Predict the bins that each group of edits reaches: (group, bins, activity)."""
        found = []
        for start in range(0, len(groups), _CELLS_AT_ONCE):
            some = groups[start : start + _CELLS_AT_ONCE]
            touched = [self._touched(edits, first, last) for edits in some]
            patches = [
                patch
                for number, (edits, bins) in enumerate(zip(some, touched, strict=True))
                for patch in self._patches(number, edits, bins)
            ]
            sums = [np.zeros((len(bins), len(self._channels))) for bins in touched]
            self._add(patches, touched, sums)
            found += [
                (edits, bins, values.T.astype(np.float32))
                for edits, bins, values in zip(some, touched, sums, strict=True)
                if len(bins)
            ]
        return found

    def _touched(self, edits: tuple[Edit, ...], first: int, last: int) -> NDArray[np.int64]:
        touched = np.zeros(last - first, dtype=bool)
        for start, ref, _ in edits:
            low = (start - self._flank) // self._size - first
            high = (start + len(ref) + self._flank) // self._size + 1 - first
            touched[max(low, 0) : max(high, 0)] = True
        return first + np.flatnonzero(touched)

    def _patches(self, number: int, edits: tuple[Edit, ...], bins: NDArray[np.int64]) -> list[Patch]:
        if not len(bins):
            return []
        edited = EditedContig(self._reference, self._contig, edits)
        stretches = np.split(bins, np.flatnonzero(np.diff(bins) > 1) + 1)
        return [
            patch
            for stretch in stretches
            for patch in edited.patches(
                number, int(stretch[0]), int(stretch[-1]) + 1, self._size, self._sequence_of
            )
        ]

    def _sequence_of(self, first: int, last: int) -> tuple[int, int]:
        return first * self._size - self._flank, last * self._size + self._flank

    def _add(
        self, patches: list[Patch], touched: list[NDArray[np.int64]], sums: list[NDArray[np.float64]]
    ) -> None:
        with torch.inference_mode():
            for numbers, embedding in embed_patches(patches, self._backbone):
                # bins are independent in the head, so that all can pass as the bins of one window
                flat = self._backbone.activity(embedding.flatten(0, 1).T[None])[0][self._channels]
                values = flat.T.unflatten(0, embedding.shape[:2]).double().cpu().numpy()
                for number, own in zip(numbers, values, strict=True):
                    self._add_one(patches[number], own, touched, sums)

    def _add_one(
        self,
        patch: Patch,
        values: NDArray[np.float64],
        touched: list[NDArray[np.int64]],
        sums: list[NDArray[np.float64]],
    ) -> None:
        counted = np.flatnonzero(patch.weights)
        rows = np.searchsorted(touched[patch.owner], patch.first_bin + counted)
        sums[patch.owner][rows] += values[counted] * patch.weights[counted, None]
        if patch.anchor is not None:
            row = np.searchsorted(touched[patch.owner], patch.first_bin + patch.anchor)
            behind = values[patch.anchor :]
            sums[patch.owner][row] += (behind.max(axis=0) - behind[0]) / self._size


def _end(edit: Edit) -> int:
    return edit[0] + len(edit[1])


def _shrinks(edit: Edit) -> int:
    return max(len(edit[1]) - len(edit[2]), 0)
