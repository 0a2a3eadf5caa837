"""Predict the expression of genes, and the embedding around a gene that it is predicted from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr

from phenviz.errors import ModelError
from phenviz.genome import Gene, Locus, ReferenceGenome
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.memory import in_batches
from phenviz.models.predict import default_tile_bins
from phenviz.models.readout import GeneBins, GeneReadout, check_backbone, gene_bins
from phenviz.models.windows import one_hot_window, units_in
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, result_attrs

DEFINITION = "expression predicted from the bins within {reach:,} bp of the TSS by attention pooling"


def predict_expression(
    genes: Gene | Sequence[Gene],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    readout: GeneReadout,
    *,
    contexts: Sequence[str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Predict the expression of genes of the reference.

    Parameters
    ----------
    genes
        One gene or several, of one contig or of several.
    reference
        Genome that the sequence is read from.
    backbone
        The one that the readout was trained on; a global one sees one window for each gene.
    readout
        Turns its embedding into expression.
    contexts
        Names, labels or CURIEs to keep; None for all of the readout's.
    progress
        Updated after each gene.

    Returns
    -------
    xr.Dataset
        ``expression`` (gene, context), float32, in the readout's units; coordinates ``gene_id``, ``contig``,
        ``tss`` (0-based) and ``strand`` on dimension gene.

    Raises
    ------
    ModelError
        If the readout was trained on another backbone.
    TargetError
        If the readout doesn't predict one of the contexts.
    """
    genes = [genes] if isinstance(genes, Gene) else list(genes)
    if not genes:
        raise ModelError("no gene to predict the expression of: give at least one")
    check_backbone(readout, backbone)
    rows = readout.select(contexts)
    expression = np.empty((len(genes), len(rows)), dtype=np.float32)
    progress.stage("predicting expression", len(genes))
    for index, gene in enumerate(genes):
        bins = gene_bins(gene, backbone, reference, readout.reach)
        embedding = embed(bins, reference, backbone)
        with torch.inference_mode():
            distance = torch.from_numpy(bins.distance).to(embedding)
            expression[index] = readout.expression(embedding, distance)[0, rows].float().cpu().numpy()
        progress.advance()
    return _as_dataset(expression, genes, reference, backbone, readout, rows)


def embed(bins: GeneBins, reference: ReferenceGenome, backbone: SequenceBackbone) -> torch.Tensor:
    """Encode the bins around a gene, in tiles with a halo.

    Returns
    -------
    torch.Tensor
        Shape (1, D, bins), on the backbone's device. Bins that overhang the contig are encoded as N.
    """
    return encode_bins(bins.contig, bins.first_bin, bins.first_bin + len(bins.distance), reference, backbone)


def encode_bins(
    contig: str, first: int, last: int, reference: ReferenceGenome, backbone: SequenceBackbone
) -> torch.Tensor:
    """Encode bins ``first`` to ``last`` (exclusive) of a contig: (1, D, bins).

    Raises
    ------
    ModelError
        If a global backbone's window doesn't hold them.
    """
    size = backbone.bin_size
    if backbone.receptive_field is None:
        left, skipped = window_around(first, last, backbone)
        window = one_hot_window(reference, contig, left, left + backbone.window, backbone)
        with torch.inference_mode():
            return backbone.encode(window)[:, :, skipped : skipped + last - first].clone()
    margin = halo(backbone)

    def run(start: int, end: int) -> torch.Tensor:
        left, right = (first + start) * size - margin, (first + end) * size + margin
        with torch.inference_mode():
            embedding = backbone.encode(one_hot_window(reference, contig, left, right, backbone))
        return embedding[:, :, margin // size : margin // size + end - start].clone()

    return torch.cat(list(in_batches(last - first, default_tile_bins(backbone), run)), dim=2)


def window_around(first: int, last: int, backbone: SequenceBackbone) -> tuple[int, int]:
    """Place a global backbone's window so that bins first to last (exclusive) lie in its middle.

    Returns
    -------
    tuple
        Start of the window on the contig (may be negative), and the number of its bins before ``first``.

    Raises
    ------
    ModelError
        If the window doesn't hold them.
    """
    held, size = backbone.window // backbone.bin_size, backbone.bin_size
    if last - first > held:
        raise ModelError(
            f"{backbone.name} sees {backbone.window:,} bp, and {(last - first) * size:,} are needed "
            "around a gene: use a readout with a shorter reach"
        )
    skipped = (held - (last - first)) // 2
    return (first - skipped) * size, skipped


def gene_coords(genes: Sequence[Gene]) -> dict[str, tuple[str, list[str] | list[int]]]:
    """Make the coordinates on dimension ``gene``: name, gene_id, contig, tss (0-based) and strand."""
    return {
        "gene": ("gene", [gene.name for gene in genes]),
        "gene_id": ("gene", [gene.gene_id for gene in genes]),
        "contig": ("gene", [gene.locus.contig for gene in genes]),
        "tss": ("gene", [gene.tss for gene in genes]),
        "strand": ("gene", [gene.locus.strand for gene in genes]),
    }


def locus_of_genes(genes: Sequence[Gene]) -> Locus:
    """Return the interval from the first to the last of the genes on the first one's contig."""
    first = genes[0].locus
    together = [gene.locus for gene in genes if gene.locus.contig == first.contig]
    return Locus(first.contig, min(locus.start for locus in together), max(locus.end for locus in together))


def _as_dataset(
    expression: np.ndarray,
    genes: list[Gene],
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    readout: GeneReadout,
    rows: list[int],
) -> xr.Dataset:
    return xr.Dataset(
        {"expression": (("gene", "context"), expression)},
        coords={
            **gene_coords(genes),
            **context_coords([readout.contexts[row] for row in rows]),
        },
        attrs=result_attrs(
            locus_of_genes(genes),
            backbone,
            reference,
            definition=DEFINITION.format(reach=readout.reach),
            units=units_in(readout, [readout.contexts[row] for row in rows]),
            readout=readout.title,
        ),
    )
