"""What the effect of a mutant is: the change of a target, from the bins whose embedding changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch

from phenviz.attribution.engine import Changes, ReferenceTile
from phenviz.attribution.receptive_cones import Span
from phenviz.genome.annotation import Gene
from phenviz.genome.contexts import Context
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.double import double_copy, doubled
from phenviz.models.expression import embed
from phenviz.models.readout import GeneReadout, check_backbone, gene_bins
from phenviz.models.windows import select_contexts

MASK_WIDTH = 501


class MutantTarget(Protocol):
    """Turns changed embeddings into effects.

    Attributes
    ----------
    bins
        Bins that matter, counted from the changed base's bin; None for all.
    contexts
        What the effects stand for, in order.
    definition, units
        The formula in words, and the unit of an effect.
    """

    bins: Span | None
    contexts: tuple[Context, ...]
    definition: str
    units: str

    def effects(
        self, reference: ReferenceTile, first_bin: int, bins: torch.Tensor, changes: Changes
    ) -> torch.Tensor:
        """Return the effect of each mutant, (positions, 3, contexts).

        Parameters
        ----------
        reference
            The tile.
        first_bin
            Number of the tile's first bin on the contig.
        bins
            Number of each changed base's bin within the tile, (positions,).
        changes
            What the engine made of them.
        """


def mask_bins(bin_size: int) -> Span:
    """Bins of the 501 bp centre mask, counted from the bin of the changed base: -2 to 1 for 128 bp bins."""
    count = -(-MASK_WIDTH // bin_size)
    return Span(-(count // 2), count - count // 2 - 1)


class CentreMask:
    """Log2 fold change of the summed activity round the changed base.

    Borzoi's logSED, AlphaGenome's DIFF_LOG2_SUM.

    Parameters
    ----------
    backbone
        Its activity is summed.
    contexts
        Contexts to score; None for all.
    """

    units = "log2 fold change"
    bins: Span | None

    def __init__(self, backbone: SequenceBackbone, contexts: Sequence[Context | str] | None) -> None:
        self.backbone = backbone
        self.contexts, self.channels = select_contexts(backbone, contexts)
        self.bins = self._mask = mask_bins(backbone.bin_size)
        self.definition = (
            "log2(1 + sum ALT) - log2(1 + sum REF) of the activity in the bins "
            f"b{self._mask.first:+d} to b{self._mask.last:+d}, b = position // {backbone.bin_size} "
            f"({MASK_WIDTH} bp centre mask)"
        )

    def effects(
        self, reference: ReferenceTile, first_bin: int, bins: torch.Tensor, changes: Changes
    ) -> torch.Tensor:
        """See `MutantTarget.effects`."""
        held = changes.bins & self._mask
        rows = slice(held.first - changes.bins.first, held.last - changes.bins.first + 1)
        after = self._activity(changes.before[rows, :, None] + changes.change[rows])
        before = _at(reference.activity, bins, held)[..., self.channels]
        total = _at(reference.activity, bins, self._mask)[..., self.channels].sum(0)
        # the same as the difference of two logarithms, without the rounding of nearly equal numbers
        moved = (after - before[:, :, None]).sum(0)
        return torch.log1p(moved / (1 + total[:, None])) / math.log(2)

    def _activity(self, embedding: torch.Tensor) -> torch.Tensor:
        """Activity of any arrangement of bins: (..., D) to (..., contexts)."""
        # bins are independent in the head, so that all can pass as the bins of one window
        flat = self.backbone.activity(embedding.flatten(0, -2).T[None])[0]
        return flat[self.channels].T.unflatten(0, embedding.shape[:-1])


class GeneExpression:
    """Change of a gene's predicted expression.

    Sums over bins that the readout pools are updated by the changed bins only.

    Parameters
    ----------
    gene, readout
        Whose expression, and what predicts it.
    reference, backbone
        Where the unchanged bins round the TSS come from.
    contexts
        Contexts of the readout to score; None for all.
    """

    bins: Span | None = None

    def __init__(
        self,
        gene: Gene,
        readout: GeneReadout,
        reference: ReferenceGenome,
        backbone: SequenceBackbone,
        contexts: Sequence[Context | str] | None,
    ) -> None:
        check_backbone(readout, backbone)
        self._rows = readout.select(contexts)
        self.contexts = tuple(readout.contexts[row] for row in self._rows)
        self.units = f"change of {readout.units}"
        self.definition = (
            f"expression of {gene.name} with ALT minus with REF, pooled from the bins within "
            f"{readout.reach:,} bp of its TSS"
        )
        # in double precision: a change in one of hundreds of bins must not drown in the rounding of their sum
        self._readout = double_copy(readout)
        around = gene_bins(gene, backbone, reference, readout.reach)
        self._first_bin = around.first_bin
        with torch.inference_mode():
            embedding = doubled(embed(around, reference, backbone))
            self._readout.to(embedding.device)
            self._distance = torch.from_numpy(around.distance).to(embedding)
            self._sums = self._readout.pooled_terms(embedding, self._distance).sum(-1)

    def effects(
        self, reference: ReferenceTile, first_bin: int, bins: torch.Tensor, changes: Changes
    ) -> torch.Tensor:
        """See `MutantTarget.effects`."""
        count = len(bins)
        effects = changes.change.new_zeros(count, 3, len(self._rows))
        bins = bins.to(self._sums.device)
        offsets = torch.arange(changes.bins.first, changes.bins.last + 1, device=bins.device)
        # a changed bin's number among the gene's own bins, (changed bins, positions)
        number = first_bin + bins + offsets[:, None] - self._first_bin
        inside = (number >= 0) & (number < len(self._distance))
        near = inside.any(0)
        if not near.any():
            return effects
        number, inside = number[:, near].clamp(0, len(self._distance) - 1), inside[:, near]
        before = doubled(changes.before[:, near])
        after = before[:, :, None] + doubled(changes.change[:, near])
        old = self._terms(before, number)
        new = self._terms(after, number[:, :, None].expand(-1, -1, 3))
        moved = torch.where(inside[:, :, None, None], new - old[:, :, None], 0.0).sum(0)
        expression = self._readout.from_pooled((self._sums + moved).flatten(0, 1))
        change = expression - self._readout.from_pooled(self._sums)
        effects[near] = change[:, self._rows].unflatten(0, (-1, 3)).to(effects)
        return effects

    def of_windows(self, embedding: torch.Tensor, first_bin: int) -> torch.Tensor:
        """Return the change of expression that windows make, compared with the first of them.

        Parameters
        ----------
        embedding
            Shape (rows, D, bins): the unedited window first. Bins out of the gene's reach change nothing.
        first_bin
            Number of the first of the bins on the contig.

        Returns
        -------
        torch.Tensor
            Shape (rows - 1, contexts).
        """
        first = max(first_bin, self._first_bin)
        last = min(first_bin + embedding.shape[2], self._first_bin + len(self._distance))
        if first >= last:
            return embedding.new_zeros(len(embedding) - 1, len(self._rows))
        own = doubled(embedding[:, :, first - first_bin : last - first_bin])
        distance = self._distance[first - self._first_bin : last - self._first_bin]
        sums = self._readout.pooled_terms(own, distance).sum(-1)
        changed = self._readout.from_pooled(self._sums + sums[1:] - sums[:1])
        return (changed - self._readout.from_pooled(self._sums))[:, self._rows]

    def _terms(self, embedding: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
        """Terms of any arrangement of bins: (..., D) to (..., terms)."""
        distance = self._distance[number.flatten()]
        terms = self._readout.pooled_terms(embedding.flatten(0, -2).T[None], distance)[0]
        return terms.T.unflatten(0, embedding.shape[:-1])


def _at(values: torch.Tensor, bins: torch.Tensor, span: Span) -> torch.Tensor:
    """Gather values (bins, channels) in a span round each bin: (span, positions, channels)."""
    return values[bins + torch.arange(span.first, span.last + 1, device=bins.device)[:, None]]
