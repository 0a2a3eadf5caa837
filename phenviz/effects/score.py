"""Score variants: what each changes in every context."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.effects.dataset import variants_dataset
from phenviz.effects.rows import SCORED, read_rows
from phenviz.effects.tiles import over_variants
from phenviz.genome.contexts import Context
from phenviz.genome.reference import ReferenceGenome
from phenviz.inference.engines import engine_for
from phenviz.inference.reductions import MASK_WIDTH, CentreMask
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.windows import units_in
from phenviz.progress import NO_PROGRESS, Progress

DEFINITION = (
    "log2(1 + sum ALT) - log2(1 + sum REF) of the activity in the bins b{first:+d} to b{last:+d}, b = "
    "(position - 1) // {size} ({width} bp centre mask), in reference coordinates: deleted bases count 0, the "
    "base before an insertion counts the maximum over itself and the inserted bases"
)


def score_variants(
    variants: pd.DataFrame,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Score what variants change in the activity around them, in each context.

    The scores are those of predicting both alleles of each variant by themselves. The reference is run once
    for all variants of a tile; single-base changes of a local backbone recompute only the cells that change;
    other variants predict a crop of the edited sequence, and a global backbone whole windows, centred on the
    variant's bin. A variant that changes the length is read in reference coordinates, on the reference's own
    bins on both sides of it (`phenviz.inference.edited_sequence` has the rule).

    Parameters
    ----------
    variants
        Columns ``contig``, ``position`` (1-based, as in VCF), ``ref``, ``alt`` and, if there, ``id``:
        variants of any length, in any order, on any contigs, left-aligned or not; ``A,C`` in ``alt`` are two.
    reference
        Genome that the variants are made in; beyond a contig's ends it is N.
    backbone
        Sequence model; it stays on its device.
    contexts
        Contexts (or names, labels, CURIEs) to score; None for all.
    progress
        Advances after each tile, in variants.

    Returns
    -------
    xr.Dataset
        In the order of the table, on dimensions (variant, context), float32: ``effect``, the log2 fold
        change over a 501 bp centre mask [1]_, ``log2(1 + sum ALT) - log2(1 + sum REF)`` over the bins
        ``b-2`` to ``b+1``, ``b = (position - 1) // 128`` of the left-aligned variant; and ``active``, the
        larger of the two sums (the active allele [2]_), in the unit of the activity. Coordinates
        ``contig``, ``position``, ``ref``, ``alt`` and ``id``, as in the table, one row for each alternate
        allele, and ``status``: ``"scored"``, or why a row wasn't and is NaN (``"reference mismatch"``,
        ``"outside the contig"``, ``"unknown contig"``, ``"unknown sequence"``: N, ``"unsupported allele"``:
        symbolic or ambiguous). Attribute ``skipped`` counts these.

    Raises
    ------
    DataError
        If the table lacks a column or holds positions that are no numbers.
    TargetError
        If the model doesn't predict a context.
    MemoryLimitError
        If not even one variant at a time fits into memory.

    References
    ----------
    .. [1] AlphaGenome's ``DIFF_LOG2_SUM``, Borzoi's logSED.
    .. [2] AlphaGenome's active allele scorers: the maximum of the alternate and the reference aggregate.
    """
    target = CentreMask(backbone, contexts)
    mask = target.mask
    rows = read_rows(variants, reference)
    engine = engine_for(reference, backbone, mask)
    effect = np.full((len(rows), len(target.contexts)), np.nan, dtype=np.float32)
    active = effect.copy()

    def score(some: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        first = rows.start[some] // backbone.bin_size + mask.first
        bins = engine.embed(str(rows.contig[some[0]]), rows.edits(some), first, first + len(mask))
        total, moved = bins.sums(target.values)
        return target.effects(total, moved).cpu().numpy(), (total + moved.clamp(min=0)).cpu().numpy()

    progress.stage("scoring variants", len(rows))
    progress.advance(len(rows) - int((rows.status == SCORED).sum()))
    for some, (changes, larger) in over_variants(rows, mask, backbone, score):
        effect[some], active[some] = changes, larger
        progress.advance(len(some))
    definition = DEFINITION.format(first=mask.first, last=mask.last, size=backbone.bin_size, width=MASK_WIDTH)
    return variants_dataset(
        {"effect": effect, "active": active},
        rows,
        target.contexts,
        reference,
        backbone,
        definition=definition,
        units=target.units,
        active_units=units_in(backbone, target.contexts),
    )
