"""Embeddings of edited sequences beside those of the reference, in the reference's bins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.inference.edited_sequence import GridWindow
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.double import double_device, doubled
from phenviz.models.windows import one_hot_tensor, placement

# bases of edited sequence that are predicted at once
_CPU_CROP_BASES = 16_384
_GPU_CROP_BASES = 1_048_576

BinValues = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Inserted:
    """Rows of an `EmbeddedEdits` that an insertion has: the anchor's bin and those of the inserted bases.

    Parameters
    ----------
    owner
        Number of the sum that they count for.
    first, last
        Rows of the alternate allele, half-open; the first is the anchor's.
    """

    owner: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class EmbeddedEdits:
    """Embeddings with and without some edits, in bins of the reference.

    Parameters
    ----------
    count
        Number of sums that are asked for, one for each edit.
    reference_of, reference_bin, reference
        Edit (0 to count - 1) and bin on the contig of each row, (rows,), and its embedding, (rows, D).
    alternate_of, alternate_bin, alternate
        The same of the edited sequence.
    weights
        Share of the bin that each edited row stands for, (rows,), float64; where that can be
        computed (`double_device`).
    inserted
        Where an insertion reaches beyond its own bin.
    bin_size
        Bases per bin.
    """

    count: int
    reference_of: torch.Tensor
    reference_bin: torch.Tensor
    reference: torch.Tensor
    alternate_of: torch.Tensor
    alternate_bin: torch.Tensor
    alternate: torch.Tensor
    weights: torch.Tensor
    inserted: tuple[Inserted, ...]
    bin_size: int

    def sums(self, values: BinValues) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum what the bins are worth, with and without each edit.

        Parameters
        ----------
        values
            Turns embeddings (rows, D) and their bins (rows,) into numbers (rows, K).

        Returns
        -------
        tuple of torch.Tensor
            Sum of REF, and sum of ALT minus sum of REF: both (count, K), float64; on the device where that
            can be computed (`double_device`).
        """
        after = doubled(values(self.alternate, self.alternate_bin))
        before = after[:0]
        if len(self.reference):
            before = doubled(values(self.reference, self.reference_bin))
        reference_of, alternate_of = self.reference_of.to(before.device), self.alternate_of.to(before.device)
        total = before.new_zeros(self.count, before.shape[1])
        total.index_add_(0, reference_of, before)
        # differences bin by bin first: nearly equal sums would lose their difference to rounding
        moved = torch.zeros_like(total)
        moved.index_add_(0, alternate_of, after * self.weights[:, None])
        moved.index_add_(0, reference_of, -before)
        for one in self.inserted:
            rows = after[one.first : one.last]
            moved[one.owner] += (rows.amax(0) - rows[0]) / self.bin_size
        return total, moved


_COLUMNS = (
    "reference_of", "reference_bin", "reference", "alternate_of", "alternate_bin", "alternate", "weights",
)  # fmt: skip


def join(parts: list[EmbeddedEdits], numbers: list[torch.Tensor]) -> EmbeddedEdits:
    """Put the bins of several lists of edits into one, each with the given numbers of its edits."""
    rows = np.cumsum([0, *(len(part.alternate_of) for part in parts)])
    inserted = [
        Inserted(int(own[one.owner]), one.first + int(row), one.last + int(row))
        for part, own, row in zip(parts, numbers, rows, strict=False)
        for one in part.inserted
    ]
    columns = {name: torch.cat([getattr(part, name) for part in parts]) for name in _COLUMNS}
    for name in ("reference_of", "alternate_of"):
        columns[name] = torch.cat(
            [own[getattr(part, name)] for part, own in zip(parts, numbers, strict=True)]
        )
    return EmbeddedEdits(
        count=sum(part.count for part in parts), inserted=tuple(inserted), bin_size=parts[0].bin_size,
        **columns,
    )  # fmt: skip


def asked_bins(
    first: NDArray[np.int64], last: NDArray[np.int64], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return edits and bins by number, one row per bin that is asked for: both (rows,)."""
    counts = last - first
    of = np.repeat(np.arange(len(first)), counts)
    bins = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    return torch.from_numpy(of).to(device), torch.from_numpy(bins).to(device)


def embed_windows(
    windows: list[GridWindow], backbone: SequenceBackbone
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Encode windows, those of equal length together.

    Yields
    ------
    tuple
        Numbers of some windows, and the embedding of their bins, (windows, bins, D).
    """
    device, dtype = placement(backbone)
    alike: dict[tuple[int, int, int], list[int]] = {}
    for number, window in enumerate(windows):
        alike.setdefault((len(window.codes), window.skip, len(window.weights)), []).append(number)
    bases = _CPU_CROP_BASES if device.type == "cpu" else _GPU_CROP_BASES
    for (length, skip, count), numbers in alike.items():
        step = max(bases // length, 1)
        for start in range(0, len(numbers), step):
            some = numbers[start : start + step]
            one_hot = one_hot_tensor(np.stack([windows[number].codes for number in some]), device, dtype)
            yield some, backbone.encode(one_hot)[:, :, skip : skip + count].transpose(1, 2)


def with_windows(
    count: int,
    plain: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None,
    windows: list[GridWindow],
    backbone: SequenceBackbone,
    sum_of: Callable[[GridWindow, NDArray[np.int64]], NDArray[np.int64]] | None = None,
) -> EmbeddedEdits:
    """Embed windows, at least one, and put them beside what the reference has; see `EmbeddedEdits`.

    Parameters
    ----------
    count
        Number of sums.
    plain
        ``reference_of``, ``reference_bin`` and ``reference``; None where only the edited bins are asked for.
    windows, backbone
        What is embedded, and by what.
    sum_of
        Tells which sum each bin of a window counts for; by default the window's owner is.
    """
    of, bins, weights, embeddings = [], [], [], []
    inserted, row = [], 0
    for numbers, embedding in embed_windows(windows, backbone):
        embeddings.append(embedding.flatten(0, 1))
        for number in numbers:
            window = windows[number]
            width = len(window.weights)
            own = np.arange(width, dtype=np.int64) + window.first_bin
            if window.anchor is not None:
                # inserted bases stand where their anchor stands
                own = np.minimum(own, window.first_bin + window.anchor)
            sums = np.full(width, window.owner) if sum_of is None else sum_of(window, own)
            if window.anchor is not None:
                inserted.append(Inserted(int(sums[window.anchor]), row + window.anchor, row + width))
            of.append(sums)
            bins.append(own)
            weights.append(window.weights)
            row += width
    device = placement(backbone)[0]
    alternate = torch.cat(embeddings)
    if plain is None:
        none = torch.zeros(0, dtype=torch.int64, device=device)
        plain = none, none, alternate[:0]
    return EmbeddedEdits(
        count, *plain, torch.from_numpy(np.concatenate(of)).to(device),
        torch.from_numpy(np.concatenate(bins)).to(device), alternate,
        torch.from_numpy(np.concatenate(weights)).to(double_device(device)),
        tuple(inserted), backbone.bin_size,
    )  # fmt: skip
