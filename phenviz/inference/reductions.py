"""What an edit changes, in one number for each context: from embeddings of bins to a target.

A reduction says what each bin is worth (`Reduction.values`) and what becomes of the sum of these over bins
(`Reduction.effects`). So edits of all kinds, however they were embedded, go the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import torch

from phenviz.genome.annotation import Gene
from phenviz.genome.contexts import Context
from phenviz.genome.reference import ReferenceGenome
from phenviz.inference.crop_engine import ReferenceTile, ScannedBases
from phenviz.inference.receptive_cones import Interval
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.double import double_copy, double_device, doubled
from phenviz.models.expression import embed
from phenviz.models.readout import GeneReadout, check_backbone, gene_bins
from phenviz.models.windows import placement, select_contexts, units_in

MASK_WIDTH = 501


class Reduction(Protocol):
    """Turns embeddings of bins into effects.

    Attributes
    ----------
    bins
        Bins that count, from the bin of the changed base; None for all that change.
    contexts
        What the effects stand for, in order.
    definition, units
        The formula in words, and the unit of an effect.
    """

    bins: Interval | None
    contexts: tuple[Context, ...]
    definition: str
    units: str

    def bins_of(self, start: int, end: int) -> Interval:
        """Return the contig's bins that count for an edit of the bases from start to end (half-open)."""

    def values(self, embedding: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
        """Turn embeddings (rows, D) of bins on the contig (rows,) into what is summed, (rows, K)."""

    def effects(self, total: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
        """Turn the sum of REF, and the sum of ALT minus it, both (..., K), into effects (..., contexts)."""


def mask_bins(bin_size: int) -> Interval:
    """Bins of the 501 bp centre mask, counted from the bin of the changed base: -2 to 1 for 128 bp bins."""
    count = -(-MASK_WIDTH // bin_size)
    return Interval(-(count // 2), count - count // 2 - 1)


class ChannelActivity:
    """Activity of some channels, as `Reduction.values` has it.

    Parameters
    ----------
    backbone
        Its activity is meant.
    channels
        Which.
    """

    def __init__(self, backbone: SequenceBackbone, channels: Sequence[int]) -> None:
        self.backbone, self.channels = backbone, list(channels)

    def values(self, embedding: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
        """Turn embeddings (rows, D) into activity (rows, channels)."""
        # bins are independent in the head, so that all can pass as the bins of one window
        return self.backbone.activity(embedding.T[None])[0][self.channels].T


class CentreMask(ChannelActivity):
    """Log2 fold change of the activity summed over the centre mask, which longer edits widen.

    Borzoi's logSED, AlphaGenome's DIFF_LOG2_SUM.

    Parameters
    ----------
    backbone
        Its activity is summed.
    contexts
        Contexts to score; None for all.
    """

    units = "log2 fold change"
    bins: Interval | None

    def __init__(self, backbone: SequenceBackbone, contexts: Sequence[Context | str] | None) -> None:
        self.contexts, channels = select_contexts(backbone, contexts)
        super().__init__(backbone, channels)
        self.bins = self.mask = mask_bins(backbone.bin_size)
        self.definition = (
            "log2(1 + sum ALT) - log2(1 + sum REF) of the activity in the bins "
            f"b{self.mask.first:+d} to b{self.mask.last:+d}, b = position // {backbone.bin_size} "
            f"({MASK_WIDTH} bp centre mask)"
        )

    def bins_of(self, start: int, end: int) -> Interval:
        """See `Reduction.bins_of`."""
        size = self.backbone.bin_size
        return Interval(start // size + self.mask.first, max(end - 1, start) // size + self.mask.last)

    def effects(self, total: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
        """See `Reduction.effects`."""
        # the same as the difference of two logarithms, without the rounding of nearly equal numbers
        return torch.log1p((moved / (1 + total)).clamp(min=-1.0)) / math.log(2)


class WideMask(CentreMask):
    """A `CentreMask` around an edit of several bases.

    Parameters
    ----------
    backbone, contexts
        As for `CentreMask`.
    """

    def __init__(self, backbone: SequenceBackbone, contexts: Sequence[Context | str] | None) -> None:
        super().__init__(backbone, contexts)
        self.definition = (
            f"log2(1 + sum ALT) - log2(1 + sum REF) of the activity in the bins b{self.mask.first:+d} to "
            f"c{self.mask.last:+d}, b and c the bins of the first and the last edited base "
            f"({MASK_WIDTH} bp centre mask for an edit within one bin)"
        )


class GeneExpression:
    """Change of a gene's predicted expression.

    Sums over bins that the readout pools are updated by the changed bins only.

    Parameters
    ----------
    gene, readout
        Whose expression, and what predicts it.
    reference, backbone
        Where the unchanged bins around the TSS come from.
    contexts
        Contexts of the readout to score; None for all.
    double
        A copy of the readout in double precision, where several genes share it.

    Attributes
    ----------
    around
        Bins that the readout sees.
    """

    bins: Interval | None = None

    def __init__(
        self,
        gene: Gene,
        readout: GeneReadout,
        reference: ReferenceGenome,
        backbone: SequenceBackbone,
        contexts: Sequence[Context | str] | None,
        double: GeneReadout | None = None,
    ) -> None:
        check_backbone(readout, backbone)
        self._rows = readout.select(contexts)
        self.contexts = tuple(readout.contexts[row] for row in self._rows)
        self.units = f"change of {units_in(readout, self.contexts)}"
        self.definition = (
            f"expression of {gene.name} with ALT minus with REF, pooled from the bins within "
            f"{readout.reach:,} bp of its TSS"
        )
        self._backbone = backbone
        # in double precision: a change in one of hundreds of bins must not drown in the rounding of their sum
        self._readout = double_copy(readout) if double is None else double
        self.around = gene_bins(gene, backbone, reference, readout.reach)
        self._reference, self._device = reference, double_device(placement(backbone)[0])
        self._distance = torch.from_numpy(self.around.distance).to(self._device).double()

    def terms(self) -> torch.Tensor:
        """Return what each of the gene's bins is worth on the reference, (bins, K); see `values`."""
        with torch.inference_mode():
            embedding = doubled(embed(self.around, self._reference, self._backbone))
            return self._readout.pooled_terms(embedding, self._distance)[0].T

    @cached_property
    def sums(self) -> torch.Tensor:
        """Sums over the gene's bins on the reference, (K,)."""
        return self.terms().sum(0)

    def bins_of(self, start: int, end: int) -> Interval:
        """See `Reduction.bins_of`."""
        size = self._backbone.bin_size
        changed = Interval(start // size, max(end - 1, start) // size)
        return changed.widened(halo(self._backbone) // size)

    def values(self, embedding: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
        """See `Reduction.values`: what the readout pools, in double precision; 0 beyond what it sees."""
        number = bins.to(self._device) - self.around.first_bin
        inside = (number >= 0) & (number < len(self._distance))
        values = torch.zeros(len(number), self._readout.n_terms, dtype=torch.float64, device=self._device)
        if inside.any():
            own = doubled(embedding[inside.to(embedding.device)]).T[None]
            values[inside] = self._readout.pooled_terms(own, self._distance[number[inside]])[0].T
        return values

    def effects(self, total: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
        """See `Reduction.effects`; the sums of REF over all of the gene's bins are known."""
        change = self.expression(self.sums + moved) - self.expression(self.sums)
        # matrices of other shapes round differently
        return torch.where((moved != 0).any(-1, keepdim=True), change, 0.0)

    def expression(self, sums: torch.Tensor) -> torch.Tensor:
        """Turn sums over the gene's bins, (..., K), into expression (..., contexts)."""
        flat = self._readout.from_pooled(sums.reshape(-1, sums.shape[-1]))[:, self._rows]
        return flat.unflatten(0, sums.shape[:-1]) if sums.ndim > 1 else flat[0]


def tile_values(tile: ReferenceTile, first_bin: int, reduction: Reduction) -> torch.Tensor:
    """Return what each bin of a tile is worth, (bins, K); ``first_bin`` is the tile's on the contig."""
    bins = first_bin + torch.arange(len(tile.embedding), device=tile.embedding.device)
    return reduction.values(tile.embedding, bins)


def effects_of_scan(
    tile: ReferenceTile,
    first_bin: int,
    plain: torch.Tensor,
    bins: torch.Tensor,
    scanned: ScannedBases,
    reduction: Reduction,
) -> torch.Tensor:
    """Return the effect of each mutant that an engine scanned, (positions, 3, contexts).

    Parameters
    ----------
    tile, first_bin, plain
        The tile, its first bin on the contig, and its `tile_values`.
    bins
        Number of each changed base's bin within the tile, (positions,).
    scanned
        What the engine made of them.
    reduction
        What is asked.
    """
    rows = _around(bins, scanned.bins)
    after = tile.embedding[rows][:, :, None] + scanned.change
    numbers = (first_bin + rows)[:, :, None].expand(after.shape[:3]).flatten()
    values = reduction.values(after.flatten(0, 2), numbers).unflatten(0, after.shape[:3])
    rows = rows.to(plain.device)
    moved = (values - plain[rows][:, :, None]).sum(0)
    counted = scanned.bins if reduction.bins is None else reduction.bins
    total = plain[_around(bins, counted).to(plain.device)].sum(0)
    return reduction.effects(total[:, None], moved)


def effects_of_windows(embedding: torch.Tensor, first_bin: int, reduction: Reduction) -> torch.Tensor:
    """Return what versions of a window change, compared with the first of them: (rows - 1, contexts).

    Parameters
    ----------
    embedding
        Shape (rows, D, bins): the unedited window first.
    first_bin
        Number of the first of the bins on the contig.
    reduction
        What is asked.
    """
    rows, _, count = embedding.shape
    bins = first_bin + torch.arange(count, device=embedding.device)
    values = reduction.values(embedding.transpose(1, 2).flatten(0, 1), bins.repeat(rows))
    sums = doubled(values).unflatten(0, (rows, count)).sum(1)
    return reduction.effects(sums[:1], sums[1:] - sums[:1])


def _around(bins: torch.Tensor, interval: Interval) -> torch.Tensor:
    """Return the bins of an interval around each of some bins: (interval, positions)."""
    return bins + torch.arange(interval.first, interval.last + 1, device=bins.device)[:, None]
