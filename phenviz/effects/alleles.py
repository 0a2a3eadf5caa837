"""What a backbone embeds REF and ALT of many variants as, tile by tile.

A tile is a stretch of reference that is run once for all variants in it. Single-base variants of a
`LocalBackbone` recompute only the cells that change; everything else predicts a crop of the edited sequence
(a whole window for a global backbone) and shares the tile's reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.attribution.local_engine import LocalEngine, ReferenceCells
from phenviz.attribution.receptive_cones import Span
from phenviz.effects.rows import Rows
from phenviz.effects.runs import Around, EditedContig, Patch, trimmed
from phenviz.effects.single_base import SingleBaseEngine
from phenviz.genome.codes import encode
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.double import double_device, doubled
from phenviz.models.local import LocalBackbone
from phenviz.models.windows import one_hot_tensor, placement

# variants of one base that are changed together: their cells fit into the cache
SINGLES_AT_ONCE = 256
# bases of edited sequence that are predicted at once
_CPU_CROP_BASES = 16_384
_GPU_CROP_BASES = 1_048_576

BinValues = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Inserted:
    """Rows of an `AlleleBins` that an insertion has: the anchor's bin and those of the inserted bases.

    Parameters
    ----------
    variant
        Number of the variant.
    first, last
        Rows of the alternate allele, half-open; the first is the anchor's.
    """

    variant: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class AlleleBins:
    """Embeddings of both alleles of some variants, in bins of the reference.

    Parameters
    ----------
    count
        Number of variants.
    reference_of, reference_bin, reference
        Variant (0 to count - 1) and bin on the contig of each row, (rows,), and its embedding, (rows, D).
    alternate_of, alternate_bin, alternate
        The same of the alternate allele.
    weights
        Share of the bin that each row of the alternate allele stands for, (rows,), float64; where that can be
        computed (`double_device`).
    inserted
        Where an insertion reaches beyond its own bin.
    bin_size
        Bases a bin.
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
        """Sum what the bins of each allele are worth.

        Parameters
        ----------
        values
            Turns embeddings (rows, D) and their bins (rows,) into numbers (rows, K).

        Returns
        -------
        tuple of torch.Tensor
            Sum of REF, and sum of ALT minus sum of REF: both (variants, K), float64; on the device where that
            can be computed (`double_device`).
        """
        before = doubled(values(self.reference, self.reference_bin))
        after = doubled(values(self.alternate, self.alternate_bin))
        reference_of, alternate_of = self.reference_of.to(before.device), self.alternate_of.to(before.device)
        total = before.new_zeros(self.count, before.shape[1])
        total.index_add_(0, reference_of, before)
        # differences bin by bin first: nearly equal sums would lose their difference to rounding
        moved = torch.zeros_like(total)
        moved.index_add_(0, alternate_of, after * self.weights[:, None])
        moved.index_add_(0, reference_of, -before)
        for one in self.inserted:
            rows = after[one.first : one.last]
            moved[one.variant] += (rows.amax(0) - rows[0]) / self.bin_size
        return total, moved


_COLUMNS = (
    "reference_of", "reference_bin", "reference", "alternate_of", "alternate_bin", "alternate", "weights",
)  # fmt: skip


def join(parts: list[AlleleBins]) -> AlleleBins:
    """Put the bins of several lists of variants into one, numbered on."""
    variants = np.cumsum([0, *(part.count for part in parts)])
    rows = np.cumsum([0, *(len(part.alternate_of) for part in parts)])
    inserted = [
        Inserted(one.variant + int(first), one.first + int(row), one.last + int(row))
        for part, first, row in zip(parts, variants, rows, strict=False)
        for one in part.inserted
    ]

    numbered = [int(first) for first in variants[:-1]]
    columns = {name: torch.cat([getattr(part, name) for part in parts]) for name in _COLUMNS}
    for name in ("reference_of", "alternate_of"):
        own = [getattr(part, name) + first for part, first in zip(parts, numbered, strict=True)]
        columns[name] = torch.cat(own)
    return AlleleBins(
        count=int(variants[-1]), inserted=tuple(inserted), bin_size=parts[0].bin_size, **columns
    )


class AlleleEngine(Protocol):
    """Embeds both alleles of variants.

    Attributes
    ----------
    bins
        Bins that are asked for, counted from the bin of REF's first base.
    """

    bins: Span

    def bins_of(
        self, rows: Rows, chosen: NDArray[np.intp], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> AlleleBins:
        """Embed some rows of one contig that lie near each other; call it in inference mode.

        Parameters
        ----------
        rows
            All variants.
        chosen
            Rows to embed, in the order in which `order` gives them.
        first, last
            Bins that are asked for of each chosen row, half-open.
        """

    def order(self, rows: Rows, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return some rows in the order that `bins_of` wants."""


class TileEngine:
    """Both alleles with a backbone of finite receptive field; the reference of a tile is run once.

    Parameters
    ----------
    reference, backbone
        Where the sequence and the numbers come from.
    bins
        Bins that are asked for, counted from the bin of REF's first base.
    """

    def __init__(self, reference: ReferenceGenome, backbone: SequenceBackbone, bins: Span) -> None:
        self.reference, self.backbone, self.bins = reference, backbone, bins
        self._size, self._flank = backbone.bin_size, halo(backbone)
        self._device, self._dtype = placement(backbone)
        # a subclass may compute something else from the same stages
        self._cells = LocalEngine(backbone, bins) if type(backbone) is LocalBackbone else None
        self._single = SingleBaseEngine(self._cells.backbone, bins) if self._cells is not None else None

    def order(self, rows: Rows, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return single-base variants first, where these have a way of their own."""
        if self._single is None:
            return chosen
        return np.concatenate([chosen[rows.single[chosen]], chosen[~rows.single[chosen]]])

    def bins_of(
        self, rows: Rows, chosen: NDArray[np.intp], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> AlleleBins:
        """See `AlleleEngine.bins_of`."""
        left = int(first.min()) - self._flank // self._size
        right = int(last.max()) * self._size + self._flank
        window = self.reference.fetch_codes(str(rows.contig[chosen[0]]), left * self._size, right)
        one_hot = one_hot_tensor(window, self._device, self._dtype)[None]
        parts, fast = [], 0
        if self._cells is not None:
            codes = torch.from_numpy(np.array(window)).to(self._device)
            tile = self._cells.reference(codes, one_hot)
            embedding, fast = tile.embedding, int(rows.single[chosen].sum())
            for start in range(0, fast, SINGLES_AT_ONCE):
                some = slice(start, min(start + SINGLES_AT_ONCE, fast))
                parts.append(self._substitutions(rows, chosen[some], tile, left))
        else:
            embedding = self.backbone.encode(one_hot)[0].T.contiguous()
        if fast < len(chosen):
            parts.append(self._edits(rows, chosen[fast:], first[fast:], last[fast:], embedding, left))
        return join(parts)

    def _substitutions(
        self, rows: Rows, chosen: NDArray[np.intp], tile: ReferenceCells, left: int
    ) -> AlleleBins:
        assert self._single is not None
        places = torch.from_numpy(rows.start[chosen] - left * self._size).to(self._device)
        alternates = torch.from_numpy(encode("".join(rows.alt[chosen]))).to(self._device)
        held, after = self._single.embeddings(tile, places, alternates)
        offsets = torch.arange(self.bins.first, self.bins.last + 1, device=self._device)
        asked = (places // self._size)[:, None] + offsets
        before = tile.embedding[asked]
        if not torch.equal(held, asked):
            # of what isn't held the alternate allele has what the reference has
            within = held - asked[:, :1]
            kept = (within >= 0) & (within < asked.shape[1])
            variant = torch.arange(len(chosen), device=self._device)[:, None].expand_as(held)
            wider = before.clone()
            wider[variant[kept], within[kept]] = after[kept]
            after = wider
        of = torch.arange(len(chosen), device=self._device).repeat_interleave(asked.shape[1])
        bins = asked.flatten() + left
        weights = torch.ones(len(of), dtype=torch.float64, device=double_device(self._device))
        return AlleleBins(
            len(chosen),
            of,
            bins,
            before.flatten(0, 1),
            of,
            bins,
            after.flatten(0, 1),
            weights,
            (),
            self._size,
        )

    def _edits(
        self,
        rows: Rows,
        chosen: NDArray[np.intp],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        embedding: torch.Tensor,
        left: int,
    ) -> AlleleBins:
        def around(begin: int, end: int) -> tuple[int, int]:
            return begin * self._size - self._flank, end * self._size + self._flank

        patches = [
            patch
            for number, row in enumerate(chosen)
            for patch in edited(self.reference, rows, row).patches(
                number, int(first[number]), int(last[number]), self._size, around
            )
        ]
        of, bins = asked_bins(first, last, self._device)
        return with_patches(len(chosen), of, bins, embedding[bins - left], patches, self.backbone)


class WindowEngine:
    """Both alleles with a global backbone: whole windows, each centred on the bin of REF's first base.

    Parameters
    ----------
    reference, backbone
        Where the sequence and the numbers come from.
    bins
        Bins that are asked for, counted from the bin of REF's first base; within the window.
    """

    def __init__(self, reference: ReferenceGenome, backbone: SequenceBackbone, bins: Span) -> None:
        self.reference, self.backbone, self.bins = reference, backbone, bins

    def order(self, rows: Rows, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the rows as they are."""
        return chosen

    def bins_of(
        self, rows: Rows, chosen: NDArray[np.intp], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> AlleleBins:
        """See `AlleleEngine.bins_of`."""
        size, window = self.backbone.bin_size, self.backbone.window
        device, _ = placement(self.backbone)
        own_bin = rows.start[chosen] // size
        # variants in one bin have the same reference window
        own_bins, number_of_bin = np.unique(own_bin, return_inverse=True)
        patches: list[Patch] = []
        plain: list[Patch] = []
        for number, bin_ in enumerate(own_bins):
            around = _fixed((int(bin_) - window // size // 2) * size, window)
            here = np.flatnonzero(number_of_bin == number)
            begin, end = int(first[here[0]]), int(last[here[0]])
            contig = str(rows.contig[chosen[0]])
            plain += EditedContig(self.reference, contig, []).patches(number, begin, end, size, around)
            for one in here:
                alternate = edited(self.reference, rows, chosen[one])
                patches += alternate.patches(int(one), begin, end, size, around)
        reference = torch.cat([found for _, found in embed_patches(plain, self.backbone)])
        of, bins = asked_bins(first, last, device)
        before = reference[torch.from_numpy(number_of_bin).to(device)].flatten(0, 1)
        return with_patches(len(chosen), of, bins, before, patches, self.backbone)


def _fixed(left: int, window: int) -> Around:
    return lambda first, last: (left, left + window)


def asked_bins(
    first: NDArray[np.int64], last: NDArray[np.int64], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return variants and bins by number, one row a bin that is asked for: both (rows,)."""
    counts = last - first
    of = np.repeat(np.arange(len(first)), counts)
    bins = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    return torch.from_numpy(of).to(device), torch.from_numpy(bins).to(device)


def edited(reference: ReferenceGenome, rows: Rows, row: np.intp | int) -> EditedContig:
    """Return the contig of a row with its variant."""
    edit = trimmed(int(rows.start[row]), str(rows.ref[row]), str(rows.alt[row]))
    return EditedContig(reference, str(rows.contig[row]), [edit])


def embed_patches(
    patches: list[Patch], backbone: SequenceBackbone
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Encode patches, those of equal length together.

    Yields
    ------
    tuple
        Numbers of some patches, and the embedding of their bins, (patches, bins, D).
    """
    device, dtype = placement(backbone)
    alike: dict[tuple[int, int, int], list[int]] = {}
    for number, patch in enumerate(patches):
        alike.setdefault((len(patch.codes), patch.skip, len(patch.weights)), []).append(number)
    bases = _CPU_CROP_BASES if device.type == "cpu" else _GPU_CROP_BASES
    for (length, skip, count), numbers in alike.items():
        step = max(bases // length, 1)
        for start in range(0, len(numbers), step):
            some = numbers[start : start + step]
            one_hot = one_hot_tensor(np.stack([patches[number].codes for number in some]), device, dtype)
            yield some, backbone.encode(one_hot)[:, :, skip : skip + count].transpose(1, 2)


def with_patches(
    count: int,
    reference_of: torch.Tensor,
    reference_bin: torch.Tensor,
    reference: torch.Tensor,
    patches: list[Patch],
    backbone: SequenceBackbone,
) -> AlleleBins:
    """Embed patches, and put them beside what the reference has; see `AlleleBins`."""
    of, bins, weights, embeddings = [], [], [], [reference[:0]]
    inserted, row = [], 0
    for numbers, embedding in embed_patches(patches, backbone):
        embeddings.append(embedding.flatten(0, 1))
        for number in numbers:
            patch = patches[number]
            width = len(patch.weights)
            own = np.arange(width) + patch.first_bin
            if patch.anchor is not None:
                inserted.append(Inserted(patch.owner, row + patch.anchor, row + width))
                # inserted bases stand where their anchor stands
                own = np.minimum(own, patch.first_bin + patch.anchor)
            of.append(np.full(width, patch.owner))
            bins.append(own)
            weights.append(patch.weights)
            row += width
    device = reference.device

    def column(parts: Sequence[NDArray[Any]], kind: type) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([np.zeros(0, kind), *parts]).astype(kind))

    return AlleleBins(
        count, reference_of, reference_bin, reference,
        column(of, np.int64).to(device), column(bins, np.int64).to(device), torch.cat(embeddings),
        column(weights, np.float64).to(double_device(device)),
        tuple(inserted), backbone.bin_size,
    )  # fmt: skip
