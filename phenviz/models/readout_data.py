"""What the gene readout learns from: expression of genes, and the embedding round each gene."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome import Annotation, Context, Gene, ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.expression import encode_bins
from phenviz.models.readout import GeneBins, gene_bins
from phenviz.progress import NO_PROGRESS, Progress

# bins encoded before what isn't needed is dropped; 64 Mb in bins of 128 bp
_LONGEST_STRETCH = 500_000
Regions = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class ReadoutData:
    """Genes with their expression and the embedding of the bins round them.

    Parameters
    ----------
    genes
        n genes.
    expression
        ln(1 + CPM), shape (n, C).
    embedding
        Shape (n, D, bins), bins in the order of the contig.
    distance
        From the TSS to each bin's centre, positive downstream, shape (n, bins).
    part
        For each gene the name of the held-out region that its TSS lies in, or ``"training"``.
    """

    genes: tuple[Gene, ...]
    expression: NDArray[np.float32]
    embedding: torch.Tensor
    distance: torch.Tensor
    part: NDArray[np.str_]

    @property
    def tss(self) -> NDArray[np.int64]:
        """0-based positions of the transcription starts, shape (n,)."""
        return np.array([gene.tss for gene in self.genes])

    def rows(self, part: str) -> NDArray[np.intp]:
        """Return the numbers of the genes in one part."""
        return np.flatnonzero(self.part == part)


def read_counts(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a tab-separated table of read counts: a row a gene (symbol first), a column a population.

    Raises
    ------
    DataError
        If it can't be read, or a column holds something other than counts.
    """
    try:
        # a gene may be called NA, and no count is missing
        counts = pd.read_csv(path, sep="\t", index_col=0, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"counts {path} can't be read ({error}): give a tab-separated table") from error
    wrong = [
        str(name)
        for name in counts
        if not pd.api.types.is_numeric_dtype(counts[name]) or not (counts[name] >= 0).all()
    ]
    if wrong or counts.empty:
        raise DataError(
            f"counts {path}: column {', '.join(wrong) or 'one'} holds no counts (numbers from 0 on)"
        )
    return counts


def log_cpm(counts: pd.DataFrame) -> pd.DataFrame:
    """Turn counts into ln(1 + counts per million of the population).

    Symbols that the table lists twice are left out: which row is meant can't be known.
    """
    logs = np.log1p(counts / counts.sum() * 1e6)
    return logs[~logs.index.duplicated(keep=False)]


def collect(
    counts: pd.DataFrame,
    annotation: Annotation,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    contexts: Sequence[Context],
    *,
    reach: int,
    held_out: Regions,
    progress: Progress = NO_PROGRESS,
) -> ReadoutData:
    """Encode the bins round every annotated gene that has counts.

    Parameters
    ----------
    counts
        From `read_counts`.
    annotation, reference
        Genes by symbol, and their sequence.
    backbone
        A local model.
    contexts
        Columns of the counts, in the order wanted.
    reach
        bp on each side of the TSS.
    held_out
        Name of a part (``"test"``) -> start and end, 0-based half-open: genes with their TSS inside belong to
        it, the others to ``"training"``.

    Raises
    ------
    DataError
        If the counts lack a context, or none of the annotated genes.
    """
    if missing := [context.name for context in contexts if context.name not in counts]:
        raise DataError(
            f"the counts have no column {', '.join(missing)}; they have {', '.join(map(str, counts))}"
        )
    logs = log_cpm(counts)[[context.name for context in contexts]]
    names = annotation.genes["gene_name"].astype(str)
    known = names[names.isin(logs.index) & ~names.duplicated(keep=False)]
    genes = tuple(annotation.gene(name) for name in known)
    if not genes:
        raise DataError("no annotated gene is in the counts: both must use the same gene symbols")
    around = [gene_bins(gene, backbone, reference, reach) for gene in genes]
    embedding = _embed_all(around, reference, backbone, progress)
    distance = torch.from_numpy(np.stack([bins.distance for bins in around]))
    expression = logs.loc[[gene.name for gene in genes]].to_numpy(np.float32)
    part = np.array([_part(gene.tss, held_out) for gene in genes])
    return ReadoutData(genes, expression, embedding, distance, part)


def _embed_all(
    around: Sequence[GeneBins], reference: ReferenceGenome, backbone: SequenceBackbone, progress: Progress
) -> torch.Tensor:
    """Encode the bins of many genes, those of neighbours that overlap only once: (n, D, bins)."""
    stretches = _stretches(around)
    progress.stage("encoding the bins round each gene", sum(last - first for _, first, last, _ in stretches))
    embedding: torch.Tensor | None = None
    for contig, first, last, rows in stretches:
        encoded = encode_bins(contig, first, last, reference, backbone)[0].float().cpu()
        if embedding is None:
            embedding = torch.empty(len(around), len(encoded), len(around[0].distance))
        for row in rows:
            start = around[row].first_bin - first
            embedding[row] = encoded[:, start : start + embedding.shape[2]]
        progress.advance(last - first)
    assert embedding is not None
    return embedding


def _stretches(around: Sequence[GeneBins]) -> list[tuple[str, int, int, list[int]]]:
    """Join bins of genes that overlap: contig, first bin, bin after the last, and the genes' numbers."""
    found: list[tuple[str, int, int, list[int]]] = []
    for row in sorted(range(len(around)), key=lambda row: (around[row].contig, around[row].first_bin)):
        contig, first = around[row].contig, around[row].first_bin
        last = first + len(around[row].distance)
        # a stretch is kept short, so that memory doesn't grow with the contig
        if (
            found
            and found[-1][0] == contig
            and first < found[-1][2]
            and last - found[-1][1] < _LONGEST_STRETCH
        ):
            found[-1] = (contig, found[-1][1], last, [*found[-1][3], row])
        else:
            found.append((contig, first, last, [row]))
    return found


def _part(tss: int, held_out: Regions) -> str:
    for name, (start, end) in held_out.items():
        if start <= tss < end:
            return name
    return "training"
