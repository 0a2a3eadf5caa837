"""What the gene readout learns from: expression of genes, and the embedding around each gene."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome import Annotation, Context, Gene, ReferenceGenome, bare_contig
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.expression import encode_bins
from phenviz.models.readout import NORMALISED_UNITS, TPM_UNITS, UNITS, GeneBins, gene_bins
from phenviz.models.training_regions import Region, check_regions
from phenviz.progress import NO_PROGRESS, Progress

# bins encoded before what isn't needed is dropped; 64 Mb in bins of 128 bp
_LONGEST_INTERVAL = 500_000
# name of a held-out part -> regions: contig, start and end, 0-based half-open
HeldOut = Mapping[str, Sequence[Region]]
_VERSION = re.compile(r"^(ENS[A-Z]*G\d+)\.\d+(_PAR_Y)?$")


@dataclass(frozen=True)
class ReadoutData:
    """Genes with their expression and the embedding of the bins around them.

    Parameters
    ----------
    genes
        n genes.
    expression
        Logarithms from `log_expression`, shape (n, C).
    embedding
        Shape (n, D, bins), bins in the order of the contig.
    distance
        From the TSS to each bin's centre, positive downstream, shape (n, bins).
    part
        For each gene the name of the held-out part that its TSS lies in, or ``"training"``.
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
    """Read a tab-separated table of expression: one row for each gene (its name or Ensembl id first).

    Values are read counts, or transcripts or counts per million; one column for each context.

    Raises
    ------
    DataError
        If it can't be read, or a column holds something other than numbers from 0 on.
    """
    try:
        # a gene may be called NA, and no count is missing
        counts = pd.read_csv(path, sep="\t", index_col=0, keep_default_na=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"counts {path} can't be read ({error}): give a tab-separated table") from error
    wrong = [
        str(name)
        for name in counts
        if not pd.api.types.is_numeric_dtype(counts[name])
        or not np.isfinite(counts[name].to_numpy(float)).all()
        or (counts[name] < 0).any()
    ]
    if wrong or counts.empty:
        raise DataError(
            f"counts {path}: column {', '.join(wrong) or 'one'} holds no counts (numbers from 0 on)"
        )
    empty = [str(name) for name in counts if counts[name].sum() == 0]
    if empty:
        raise DataError(f"counts {path}: column {', '.join(empty)} is 0 in every gene")
    return counts


def log_cpm(counts: pd.DataFrame) -> pd.DataFrame:
    """Turn counts into ln(1 + counts per million of the context).

    Genes that the table lists twice are left out: which row is meant can't be known.
    """
    logs = np.log1p(counts / counts.sum() * 1e6)
    return logs[~logs.index.duplicated(keep=False)]


def log_expression(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Turn a table of expression into logarithms, and name their unit.

    Whole numbers throughout are read counts and become counts per million; other numbers were normalised
    already, and stay on their scale. Genes that the table lists twice are left out.
    """
    if (table % 1 == 0).all(axis=None):
        return log_cpm(table), UNITS
    logs = np.log1p(table)
    per_million = np.allclose(table.sum(), 1e6, rtol=0.05)
    return logs[~logs.index.duplicated(keep=False)], TPM_UNITS if per_million else NORMALISED_UNITS


def match_genes(
    table: pd.DataFrame, annotation: Annotation, reference: ReferenceGenome
) -> list[tuple[Gene, str]]:
    """Find the genes on the reference that a table has, by Ensembl id (whatever its version), then by name.

    Returns
    -------
    list[tuple[Gene, str]]
        Genes in the order of the annotation, each with the table's own name of it. What several genes or
        several rows could be is left out.
    """
    plain = [_VERSION.sub(r"\1", str(name).strip()) for name in table.index]
    rows = pd.Series(table.index, index=plain)
    rows = rows[~rows.index.duplicated(keep=False)]
    genes = annotation.genes
    contigs = {bare_contig(name) for name in reference.contigs}
    there = genes["contig"].astype(str).map(bare_contig).isin(contigs)
    found: dict[int, tuple[str, str]] = {}
    for column in ("gene_id", "gene_name"):
        names = genes[column].fillna("").astype(str).str.replace(_VERSION, r"\1", regex=True)
        alone = ~names.duplicated(keep=False) & names.isin(rows.index) & there
        taken = {row for _, row in found.values()}
        for place, name in names[alone].items():
            if place not in found and rows[name] not in taken:
                found[place] = (name, rows[name])
    return [(annotation.gene(name), row) for _, (name, row) in sorted(found.items())]


def collect(
    counts: pd.DataFrame,
    annotation: Annotation,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    contexts: Sequence[Context],
    *,
    reach: int,
    held_out: HeldOut,
    progress: Progress = NO_PROGRESS,
) -> ReadoutData:
    """Encode the bins around every annotated gene that has counts.

    Parameters
    ----------
    counts
        From `read_counts`.
    annotation, reference
        Genes by Ensembl id or name, and their sequence.
    backbone
        What makes the embedding.
    contexts
        Columns of the counts, in the order wanted.
    reach
        bp on each side of the TSS.
    held_out
        Name of a part (``"test"``) -> its regions: genes with their TSS inside one belong to it, the others
        to ``"training"``.

    Raises
    ------
    DataError
        If the counts lack a context, or none of the annotated genes.
    """
    if missing := [context.name for context in contexts if context.name not in counts]:
        raise DataError(
            f"the counts have no column {', '.join(missing)}; they have {', '.join(map(str, counts))}"
        )
    logs = log_expression(counts)[0][[context.name for context in contexts]]
    held_out = check_regions(reference, held_out)
    matched = match_genes(logs, annotation, reference)
    if not matched:
        raise DataError(
            "no annotated gene is in the counts: their first column must hold gene names or Ensembl ids, "
            f"such as {', '.join(annotation.genes['gene_name'].astype(str).head(3))}"
        )
    genes = tuple(gene for gene, _ in matched)
    around = [gene_bins(gene, backbone, reference, reach) for gene in genes]
    embedding = _embed_all(around, reference, backbone, progress)
    distance = torch.from_numpy(np.stack([bins.distance for bins in around]))
    expression = logs.loc[[row for _, row in matched]].to_numpy(np.float32)
    part = np.array(
        [_part(bins.contig, gene.tss, held_out) for bins, gene in zip(around, genes, strict=True)]
    )
    return ReadoutData(genes, expression, embedding, distance, part)


def _embed_all(
    around: Sequence[GeneBins], reference: ReferenceGenome, backbone: SequenceBackbone, progress: Progress
) -> torch.Tensor:
    """Encode the bins of many genes, those of neighbours that overlap only once: (n, D, bins)."""
    # a global model's window lies around one gene
    intervals = _intervals(around, shared=backbone.receptive_field is not None)
    progress.stage("encoding the bins around each gene", sum(last - first for _, first, last, _ in intervals))
    embedding: torch.Tensor | None = None
    for contig, first, last, rows in intervals:
        encoded = encode_bins(contig, first, last, reference, backbone)[0].float().cpu()
        if embedding is None:
            embedding = torch.empty(len(around), len(encoded), len(around[0].distance))
        for row in rows:
            start = around[row].first_bin - first
            embedding[row] = encoded[:, start : start + embedding.shape[2]]
        progress.advance(last - first)
    assert embedding is not None
    return embedding


def _intervals(around: Sequence[GeneBins], *, shared: bool) -> list[tuple[str, int, int, list[int]]]:
    """Join bins of genes that overlap: contig, first bin, bin after the last, and the genes' numbers."""
    found: list[tuple[str, int, int, list[int]]] = []
    for row in sorted(range(len(around)), key=lambda row: (around[row].contig, around[row].first_bin)):
        contig, first = around[row].contig, around[row].first_bin
        last = first + len(around[row].distance)
        # an interval is kept short, so that memory doesn't grow with the contig
        if (
            shared
            and found
            and found[-1][0] == contig
            and first < found[-1][2]
            and last - found[-1][1] < _LONGEST_INTERVAL
        ):
            found[-1] = (contig, found[-1][1], last, [*found[-1][3], row])
        else:
            found.append((contig, first, last, [row]))
    return found


def _part(contig: str, tss: int, held_out: HeldOut) -> str:
    for name, regions in held_out.items():
        if any(contig == other and start <= tss < end for other, start, end in regions):
            return name
    return "training"
