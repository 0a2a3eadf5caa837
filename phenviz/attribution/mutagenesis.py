"""Effects of every single-base change on a target (in-silico mutagenesis)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from phenviz.attribution.targets import check_reached, reach_of_gene
from phenviz.errors import ModelError
from phenviz.genome.annotation import Gene
from phenviz.genome.codes import ALPHABET, LETTERS, N_CODE
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.inference.crop_engine import alternates
from phenviz.inference.engines import EditEngine, engine_for, tile_margin
from phenviz.inference.reductions import CentreMask, GeneExpression, Reduction, effects_of_scan, tile_values
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.memory import halving, in_batches
from phenviz.models.parallel import SharedProgress, over_tiles, tile_size
from phenviz.models.predict import bin_range, central_bins
from phenviz.models.readout import GeneReadout
from phenviz.models.windows import placement
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, position_coord, result_attrs

# Measured: longer tiles make larger batches of one phase, but their reference no longer fits the cache.
TILE_BASES = 16_384


def mutagenesis(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    gene_target: tuple[Gene, GeneReadout] | None = None,
    part_of: Locus | None = None,
    batch_size: int = 256,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Change every base of a locus to every other base and score each change.

    The scores are those of predicting each mutant by itself. A local backbone of stages recomputes only the
    cells that change; another one with a finite receptive field predicts a crop a mutant, and a global one
    a whole window a mutant.

    Parameters
    ----------
    locus
        Bases to change, 0-based half-open.
    reference
        Genome that the changes are made in; beyond the contig's ends it is taken as N.
    backbone
        Sequence model; it stays on its device.
    contexts
        Contexts (or names, labels, CURIEs) to score; None for all.
    gene_target
        A gene and the readout that predicts its expression: scores the change of that expression. None for
        the activity around the changed base.
    part_of
        The locus that was asked for, where this one is a part of it: that one has to reach the gene. Bases
        out of the gene's reach change nothing.
    batch_size
        Positions changed together; halved on its own when memory runs out.
    progress
        Updated after each batch, in bases; gets each finished tile as a partial result.

    Returns
    -------
    xr.Dataset
        ``effect`` (position, allele, context), float32: by default the log2 fold change over a 501 bp centre
        mask [1]_, ``log2(1 + sum ALT) - log2(1 + sum REF)`` over the 128 bp bins ``b-2`` to ``b+1``,
        ``b = (position - 1) // 128``. 0 at the reference allele, NaN where the reference is N. ``reference``
        (position) holds the reference bases. ``position`` counts from 1.

    Raises
    ------
    LocusError
        If the locus leaves the contig or holds no base but N.
    TargetError
        If the target has no such context, or no base of the locus reaches the gene's expression.
    ModelError
        If the readout belongs to another backbone, or a global backbone is asked for a gene's expression.
    MemoryLimitError
        If not even one position at a time fits into memory.

    References
    ----------
    .. [1] AlphaGenome's ``DIFF_LOG2_SUM``, Borzoi's logSED.
    """
    locus = reference.check(locus)
    target = _target(part_of or locus, reference, backbone, contexts, gene_target)
    engine = engine_for(reference, backbone, target.bins)
    effects = np.empty((locus.length, 4, len(target.contexts)), dtype=np.float32)
    progress.stage("mutagenesis", locus.length)
    for part, tile in _tiles(locus, reference, backbone, target, engine, batch_size, progress):
        effects[part.start - locus.start : part.end - locus.start] = tile
        progress.partial(_as_dataset(tile, part, reference, backbone, target))
    return _as_dataset(effects, locus, reference, backbone, target)


def _target(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    contexts: Sequence[Context | str] | None,
    gene_target: tuple[Gene, GeneReadout] | None,
) -> Reduction:
    if gene_target is None:
        return CentreMask(backbone, contexts)
    if backbone.receptive_field is None:
        raise ModelError(
            f"{backbone.name} sees its whole window at once, so a gene's expression would need one run a "
            "mutant: use integrated gradients for a gene, or mutagenesis of the activity"
        )
    gene, readout = gene_target
    check_reached([locus], gene, reach_of_gene(gene, readout, reference, backbone))
    return GeneExpression(gene, readout, reference, backbone, contexts)


def _tiles(
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: Reduction,
    engine: EditEngine,
    batch_size: int,
    progress: Progress,
) -> Iterator[tuple[Locus, NDArray[np.float32]]]:
    """Yield each tile's interval of the locus and its effects (position, allele, context)."""
    size, (device, _) = backbone.bin_size, placement(backbone)
    first, last = bin_range(locus, size)
    shared = SharedProgress(progress)

    def part_of(start: int, end: int) -> Locus:
        return Locus(locus.contig, max(locus.start, start * size), min(locus.end, end * size), locus.strand)

    def score(start: int, end: int) -> NDArray[np.float32]:
        if backbone.receptive_field is None:
            left, _ = central_bins(backbone, start)
            right = left + backbone.window
        else:
            beside = tile_margin(backbone, target.bins)
            left, right = start * size - beside, end * size + beside
        part = part_of(start, end)
        return _tile_effects(part, left, right, reference, backbone, target, engine, batch_size, shared)

    if backbone.receptive_field is None:
        # a position is three whole windows: one at a time, so that progress shows and a cancel is heard
        batch_size = 1
        _, kept = central_bins(backbone, first)
        for start in range(first, last, kept.stop - kept.start):
            end = min(start + kept.stop - kept.start, last)
            yield part_of(start, end), score(start, end)
        return
    tile_bins = tile_size(last - first, max(TILE_BASES // size, 1), 4, device)

    def run(start: int) -> NDArray[np.float32]:
        count = min(tile_bins, last - start)
        return np.concatenate(list(in_batches(count, count, lambda a, b: score(start + a, start + b))))

    starts = range(first, last, tile_bins)
    for start, tile in zip(starts, over_tiles(starts, run, device), strict=True):
        yield part_of(start, min(start + tile_bins, last)), tile


def _tile_effects(
    part: Locus,
    left: int,
    right: int,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: Reduction,
    engine: EditEngine,
    batch_size: int,
    progress: Progress,
) -> NDArray[np.float32]:
    """Score an interval of the locus within one window of reference from left to right."""
    window, first_bin = reference.fetch_codes(part.contig, left, right), left // backbone.bin_size
    effects = torch.full((part.length, 4, len(target.contexts)), torch.nan, dtype=torch.float32)
    known = np.flatnonzero(window[part.start - left : part.end - left] != N_CODE)
    progress.advance(part.length - len(known))
    with torch.inference_mode():
        tile = engine.tile(window)
        plain = tile_values(tile, first_bin, target)
        effects[known, window[part.start - left + known].astype(np.intp)] = 0.0
        places = torch.from_numpy(part.start - left + known).to(tile.codes.device)
        for phase in range(backbone.bin_size):
            bins = places[places % backbone.bin_size == phase] // backbone.bin_size
            done = 0
            while done < len(bins):

                def run(
                    count: int, phase: int = phase, left_over: torch.Tensor = bins[done:]
                ) -> torch.Tensor:
                    batch = left_over[:count]
                    scanned = engine.scan(tile, phase, batch)
                    return effects_of_scan(tile, first_bin, plain, batch, scanned, target)

                batch, batch_size = halving(batch_size, run)
                rows = bins[done : done + len(batch)] * backbone.bin_size + phase
                columns = alternates(tile.codes[rows]).cpu()
                effects[(rows - (part.start - left)).cpu()[:, None], columns] = batch.float().cpu()
                done += len(batch)
                progress.advance(len(batch))
    return effects.numpy()


def _as_dataset(
    effects: NDArray[np.float32],
    locus: Locus,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    target: Reduction,
) -> xr.Dataset:
    codes = reference.fetch_codes(locus.contig, locus.start, locus.end)
    attrs = result_attrs(locus, backbone, reference, definition=target.definition, units=target.units)
    return xr.Dataset(
        {"effect": (("position", "allele", "context"), effects), "reference": ("position", LETTERS[codes])},
        coords={
            "position": position_coord(np.arange(locus.start, locus.end)),
            "allele": list(ALPHABET),
            **context_coords(target.contexts),
        },
        attrs=attrs,
    )
