"""Targets of edited sequences: each edit is a short window that holds all that its bins see."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.attribution.effects import MASK_WIDTH, GeneExpression, mask_bins
from phenviz.attribution.receptive_cones import Span
from phenviz.errors import ModelError
from phenviz.genome.annotation import Gene
from phenviz.genome.contexts import Context
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.double import doubled
from phenviz.models.memory import in_batches
from phenviz.models.parallel import SharedProgress, over_tiles
from phenviz.models.readout import GeneReadout
from phenviz.models.windows import one_hot_tensor, placement, select_contexts
from phenviz.progress import Progress

# edits computed side by side, and bases of all rows of one batch: about what fits a cache
_CROPS_AT_ONCE = 8
_BATCH_BASES = 2**17


@dataclass(frozen=True, slots=True)
class Crop:
    """One window of the reference and its edited versions.

    Parameters
    ----------
    codes
        Shape (rows, L): the unedited sequence first.
    first_bin
        Number of the first of ``bins`` on the contig.
    bins
        Bins within the window that the target is read from.
    """

    codes: NDArray[np.uint8]
    first_bin: int
    bins: slice


class EditTarget(Protocol):
    """What an edit changes.

    Attributes
    ----------
    contexts
        What the effects stand for, in order.
    definition, units
        The formula in words, and the unit of an effect.
    """

    contexts: tuple[Context, ...]
    definition: str
    units: str

    def bins(self, start: int, end: int) -> Span:
        """Return the contig's bins to read for an edit of the bases from start to end."""

    def effects(self, embedding: torch.Tensor, first_bin: int) -> torch.Tensor:
        """Turn embeddings (rows, D, bins), the unedited one first, into effects (rows - 1, contexts)."""


class ActivityRound:
    """Log2 fold change of the activity summed over the centre mask, which the edited bases widen.

    Parameters
    ----------
    backbone
        Its activity is summed.
    contexts
        Contexts to score; None for all.
    """

    units = "log2 fold change"

    def __init__(self, backbone: SequenceBackbone, contexts: Sequence[Context | str] | None) -> None:
        self._backbone = backbone
        self.contexts, self._channels = select_contexts(backbone, contexts)
        self._mask = mask_bins(backbone.bin_size)
        self.definition = (
            f"log2(1 + sum ALT) - log2(1 + sum REF) of the activity in the bins b{self._mask.first:+d} to "
            f"c{self._mask.last:+d}, b and c the bins of the first and the last edited base "
            f"({MASK_WIDTH} bp centre mask for an edit within one bin)"
        )

    def bins(self, start: int, end: int) -> Span:
        """See `EditTarget.bins`."""
        size = self._backbone.bin_size
        return Span(start // size + self._mask.first, max(end - 1, start) // size + self._mask.last)

    def effects(self, embedding: torch.Tensor, first_bin: int) -> torch.Tensor:
        """See `EditTarget.effects`."""
        sums = doubled(self._backbone.activity(embedding)[:, self._channels]).sum(-1)
        return torch.log1p((sums[1:] - sums[:1]) / (1 + sums[:1])) / math.log(2)


class ExpressionOf:
    """Change of a gene's predicted expression; see `GeneExpression`.

    Parameters
    ----------
    gene, readout, reference, backbone, contexts
        As for `GeneExpression`.
    """

    def __init__(
        self,
        gene: Gene,
        readout: GeneReadout,
        reference: ReferenceGenome,
        backbone: SequenceBackbone,
        contexts: Sequence[Context | str] | None,
    ) -> None:
        if backbone.receptive_field is None:
            raise ModelError(
                f"{backbone.name} sees its whole window at once, so an edit of one part changes all bins "
                f"that the expression of {gene.name} is read from: score its activity instead"
            )
        self._of_gene = GeneExpression(gene, readout, reference, backbone, contexts)
        self._size, self._flank = backbone.bin_size, halo(backbone) // backbone.bin_size
        self.contexts, self.units = self._of_gene.contexts, self._of_gene.units
        self.definition = self._of_gene.definition

    def bins(self, start: int, end: int) -> Span:
        """See `EditTarget.bins`."""
        changed = Span(start // self._size, max(end - 1, start) // self._size)
        return changed.widened(self._flank)

    def effects(self, embedding: torch.Tensor, first_bin: int) -> torch.Tensor:
        """See `EditTarget.effects`."""
        return self._of_gene.of_windows(embedding, first_bin)


def window_of(bins: Span, backbone: SequenceBackbone) -> tuple[int, int, slice]:
    """Return the bases (start, end) to encode so that some bins see all they see, and the bins within.

    Raises
    ------
    ModelError
        If a global backbone's window doesn't hold the bins.
    """
    size = backbone.bin_size
    if backbone.receptive_field is not None:
        flank = halo(backbone)
        own = slice(flank // size, flank // size + len(bins))
        return bins.first * size - flank, (bins.last + 1) * size + flank, own
    held = backbone.window // size
    if len(bins) > held:
        raise ModelError(
            f"an edit over {len(bins) * size:,} bp doesn't fit into {backbone.name}'s window of "
            f"{backbone.window:,} bp: edit less at a time"
        )
    skipped = (held - len(bins)) // 2
    start = (bins.first - skipped) * size
    return start, start + backbone.window, slice(skipped, skipped + len(bins))


def _shape(crop: Crop) -> tuple[int, int, int]:
    return crop.codes.shape[1], crop.bins.start, crop.bins.stop


def score_crops(
    crops: Sequence[Crop], backbone: SequenceBackbone, target: EditTarget, progress: Progress
) -> Iterator[NDArray[np.float32]]:
    """Yield each crop's effects (rows - 1, contexts), in order.

    Parameters
    ----------
    crops
        What to score; crops side by side in the list that are equally long share batches.
    backbone
        Encodes them.
    target
        Turns embeddings into effects.
    progress
        Told after each batch, in crops.
    """
    device, dtype = placement(backbone)
    shared = SharedProgress(progress)

    def run(chunk: Sequence[Crop]) -> list[NDArray[np.float32]]:
        found = []
        with torch.inference_mode():
            for _, alike in groupby(chunk, key=_shape):
                group = list(alike)
                rows = np.concatenate([crop.codes for crop in group])

                def encode(
                    first: int, last: int, rows: NDArray[np.uint8] = rows, bins: slice = group[0].bins
                ) -> torch.Tensor:
                    return backbone.encode(one_hot_tensor(rows[first:last], device, dtype))[:, :, bins]

                batch = max(_BATCH_BASES // rows.shape[1], 1)
                embedding = torch.cat(list(in_batches(len(rows), batch, encode)))
                counts = [len(crop.codes) for crop in group]
                for crop, own in zip(group, embedding.split(counts), strict=True):
                    found.append(target.effects(own, crop.first_bin).float().cpu().numpy())
                shared.advance(len(group))
        return found

    chunks = (crops[start : start + _CROPS_AT_ONCE] for start in range(0, len(crops), _CROPS_AT_ONCE))
    for effects in over_tiles(chunks, run, device):
        yield from effects
