"""What is predicted along edited sequences, in bins of the reference; equal surroundings are seen once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.effects.alleles import BinValues, embed_patches
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

    def __add__(self, other: Saving) -> Saving:
        return Saving(self.asked + other.asked, self.changed + other.changed, self.computed + other.computed)

    def attrs(self) -> dict[str, int | float]:
        """Return the counts as a result's attributes; ``saving`` is the share that needn't be predicted."""
        return {
            "stretches": self.asked,
            "stretches_changed": self.changed,
            "stretches_computed": self.computed,
            "saving": 1 - self.computed / self.asked if self.asked else 0.0,
        }

    @classmethod
    def of(cls, attrs: Mapping[str, Any]) -> Saving:
        """Read the counts back from a result's attributes."""
        asked, changed, computed = (
            int(attrs[name]) for name in ("stretches", "stretches_changed", "stretches_computed")
        )
        return cls(asked, changed, computed)


class HaplotypeEngine:
    """Predicts haplotypes cell by cell.

    Parameters
    ----------
    reference, contig
        What the edits are made in.
    backbone
        A model with a finite receptive field.
    values
        Turns embeddings of bins (rows, D) and their numbers on the contig (rows,) into the K numbers of each
        bin that are wanted, (rows, K).
    width
        K.
    """

    def __init__(
        self,
        reference: ReferenceGenome,
        contig: str,
        backbone: SequenceBackbone,
        values: BinValues,
        width: int,
    ) -> None:
        self._reference, self._contig, self._backbone = reference, contig, backbone
        self._values, self._width = values, width
        self._size, self._flank = backbone.bin_size, halo(backbone)
        self.saving = Saving()

    def along(
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
        done: Callable[[int], None] = lambda cells: None,
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
            Told how many cells are done, now and then.
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
        # cells lie on the contig's own grid, so that loci that overlap share them
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
                yield owners[found], bins, values
            done(1)

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
    ) -> list[tuple[tuple[Edit, ...], NDArray[np.int64], NDArray[np.float64]]]:
        """Predict the bins that each group of edits reaches: (group, bins, values)."""
        found = []
        for start in range(0, len(groups), _CELLS_AT_ONCE):
            some = groups[start : start + _CELLS_AT_ONCE]
            touched = [self._touched(edits, first, last) for edits in some]
            patches = [
                patch
                for number, (edits, bins) in enumerate(zip(some, touched, strict=True))
                for patch in self._patches(number, edits, bins)
            ]
            sums = [np.zeros((len(bins), self._width)) for bins in touched]
            self._add(patches, touched, sums)
            found += [
                (edits, bins, values.T)
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
                bins = np.stack([_bins_of(patches[number]) for number in numbers])
                flat = self._values(embedding.flatten(0, 1), torch.from_numpy(bins.ravel()))
                values = flat.unflatten(0, embedding.shape[:2]).cpu().double().numpy()
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


def activity_engine(
    reference: ReferenceGenome, contig: str, backbone: SequenceBackbone, channels: Sequence[int]
) -> HaplotypeEngine:
    """Make the engine that predicts some channels of the activity, (channels, bins)."""
    kept = list(channels)

    def values(embedding: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
        # bins are independent in the head, so that all can pass as the bins of one window
        return backbone.activity(embedding.T[None])[0][kept].T

    return HaplotypeEngine(reference, contig, backbone, values, len(kept))


def _bins_of(patch: Patch) -> NDArray[np.int64]:
    """Return the bin on the contig that each bin of a patch stands in."""
    bins = patch.first_bin + np.arange(len(patch.weights), dtype=np.int64)
    # inserted bases stand where their anchor stands
    return bins if patch.anchor is None else np.minimum(bins, patch.first_bin + patch.anchor)


def _end(edit: Edit) -> int:
    return edit[0] + len(edit[1])


def _shrinks(edit: Edit) -> int:
    return max(len(edit[1]) - len(edit[2]), 0)
