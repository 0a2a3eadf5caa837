"""What variants change in the expression of the genes that they can reach."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.effects.dataset import variant_coords, variants_attrs, variants_dataset
from phenviz.effects.rows import SCORED, GeneEffects, VariantRows, read_rows
from phenviz.effects.tiles import CPU_TILE_BASES, over_variants
from phenviz.errors import LocusError, ModelError
from phenviz.genome import Annotation, Context, Gene, ReferenceGenome
from phenviz.inference.embedded_edits import EmbeddedEdits
from phenviz.inference.engines import engine_for
from phenviz.inference.reductions import GeneExpression
from phenviz.models.backbone import SequenceBackbone, halo
from phenviz.models.double import double_copy
from phenviz.models.readout import GeneReadout, check_backbone, gene_bins
from phenviz.models.windows import units_in
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, text_array
from phenviz.results.table import joined_attrs

DEFINITION = (
    "expression with ALT minus with REF, each pooled by the gene readout from the bins within {reach:,} bp "
    "of the TSS (PhenViz' own; not the gene-mask log fold change of AlphaGenome), in reference coordinates"
)
# a variant longer than this is looked at gene by gene, or its bins would fill the memory
_LONG = CPU_TILE_BASES


def score_expression(
    variants: pd.DataFrame,
    annotation: Annotation,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    readout: GeneReadout,
    *,
    genes: Sequence[str] | None = None,
    contexts: Sequence[Context | str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Score what each variant changes in the expression of each gene that it can reach.

    A gene is reached if one of its readout's bins sees the variant. Only the terms of the bins that change
    are recomputed; the sums over all others are those of the reference.

    Parameters
    ----------
    variants
        As for `phenviz.effects.score_variants`.
    annotation
        Where genes begin.
    reference, backbone
        As for `phenviz.effects.score_variants`; the backbone has a finite receptive field.
    readout
        Predicts expression from the backbone's embedding.
    genes
        Names of the genes to look at; None for all.
    contexts
        Contexts of the readout (or names, labels, CURIEs); None for all.
    progress
        Advances after each tile, in variants.

    Returns
    -------
    xr.Dataset
        ``expression_effect`` (pair, context), float32: change of ln(1 + CPM), ALT minus REF, as the gene
        readout predicts it. One pair a variant and reached gene, in the order of the table, then of the
        genes on the contig. Coordinates on ``pair``: those of `phenviz.effects.score_variants`, ``row``
        (number of the variant in the table), ``gene``, ``gene_id``, ``tss`` (0-based) and ``distance`` (from
        the TSS to the variant's first base in bp, positive downstream). Rows that can't be scored have no
        pair; attribute ``skipped`` counts them.

    Raises
    ------
    ModelError
        If the readout was trained on another backbone, or the backbone is global.
    LocusError
        If the annotation doesn't have a gene.
    TargetError
        If the readout doesn't predict a context.
    """
    rows = read_rows(variants, reference)
    targets = _Targets(_genes(annotation, reference, genes), reference, backbone, readout, contexts)
    found = _score(rows, targets, reference, backbone, progress)
    return _as_dataset(found, targets, rows, reference, backbone)


def join_expression(parts: Sequence[xr.Dataset], rows: Sequence[NDArray[np.intp]]) -> xr.Dataset:
    """Join what `score_expression` returned for parts of a table, in the order of the table.

    Parameters
    ----------
    parts
        Results with the same model and contexts.
    rows
        For each part, the numbers of its rows in the whole table.
    """
    numbered = [
        part.assign_coords(row=("pair", whole[part["row"].values]))
        for part, whole in zip(parts, rows, strict=True)
    ]
    joined = xr.concat(
        numbered, dim="pair", data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    joined = joined.isel(pair=np.argsort(joined["row"].values, kind="stable"))
    attrs = dict(parts[0].attrs)
    skipped = Counter[str]()
    for part in parts:
        attrs |= joined_attrs(attrs, part.attrs)
        for told in filter(None, str(part.attrs.get("skipped", "")).split(", ")):
            count, reason = told.split(" ", 1)
            skipped[reason] += int(count.replace(",", ""))
    attrs.pop("skipped", None)
    if skipped:
        attrs["skipped"] = ", ".join(f"{count:,} {reason}" for reason, count in skipped.items())
    return joined.assign_attrs(attrs)


def score_gene(
    variants: pd.DataFrame,
    gene: Gene,
    readout: GeneReadout,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    *,
    contexts: Sequence[Context | str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Score what each variant changes in the expression of one gene.

    Parameters
    ----------
    gene
        Whose expression.
    variants, readout, reference, backbone, contexts, progress
        As for `score_expression`.

    Returns
    -------
    xr.Dataset
        ``effect`` (variant, context), float32: what `score_expression` has for each pair; 0 where the gene's
        readout sees nothing of the variant. Coordinates as of `phenviz.effects.score_variants`.

    Raises
    ------
    ModelError, TargetError, DataError
        As `score_expression`.
    """
    rows = read_rows(variants, reference)
    targets = _Targets([gene], reference, backbone, readout, contexts)
    effect = np.full((len(rows), len(targets.contexts)), np.nan, dtype=np.float32)
    effect[rows.status == SCORED] = 0.0
    for one in _score(rows, targets, reference, backbone, progress):
        effect[one.rows] = one.effect
    return variants_dataset(
        {"effect": effect},
        rows,
        targets.contexts,
        reference,
        backbone,
        definition=f"{gene.name}: {DEFINITION.format(reach=readout.reach)}",
        units=f"change of {units_in(readout, targets.contexts)}",
        gene=gene.name,
        readout=readout.title,
    )


def _score(
    rows: VariantRows,
    targets: _Targets,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    progress: Progress,
) -> list[GeneEffects]:
    size, flank = backbone.bin_size, halo(backbone) // backbone.bin_size
    engine = engine_for(reference, backbone)

    def score(some: NDArray[np.intp]) -> list[GeneEffects]:
        first = rows.start[some] // size - flank
        last = (rows.start[some] + rows.ref_length[some] - 1) // size + flank + 1
        contig, long = str(rows.contig[some[0]]), rows.ref_length[some] > _LONG
        found = []
        if not long.all():
            usual, begin, end = some[~long], first[~long], last[~long]
            bins = engine.embed(contig, rows.edits(usual), begin, end)
            for gene in targets.reached(contig, int(begin.min()), int(end.max())):
                near = targets.near(gene, begin, end)
                found.append(GeneEffects(gene, usual[near], targets.effects(gene, bins)[near]))
        for row, begin, end in zip(some[long], first[long], last[long], strict=True):
            one = np.array([row])
            for gene in targets.reached(contig, int(begin), int(end)):
                own = targets.clipped(gene, int(begin), int(end))
                bins = engine.embed(contig, rows.edits(one), *own)
                found.append(GeneEffects(gene, one, targets.effects(gene, bins)))
        return found

    progress.stage("scoring expression", len(rows))
    progress.advance(len(rows) - int((rows.status == SCORED).sum()))
    found: list[GeneEffects] = []
    for some, parts in over_variants(rows, engine.bins, backbone, score):
        found += parts
        progress.advance(len(some))
    return found


def _genes(annotation: Annotation, reference: ReferenceGenome, names: Sequence[str] | None) -> list[Gene]:
    if names is not None:
        return [annotation.gene(name) for name in dict.fromkeys(names)]
    known = []
    for name in annotation.genes["gene_name"].drop_duplicates():
        gene = annotation.gene(str(name))
        try:
            reference.resolve_contig(gene.locus.contig)
        except LocusError:
            continue  # of a contig that the FASTA lacks
        known.append(gene)
    return known


class _Targets:
    """Genes with the sums that their expression is a function of."""

    def __init__(
        self,
        genes: list[Gene],
        reference: ReferenceGenome,
        backbone: SequenceBackbone,
        readout: GeneReadout,
        contexts: Sequence[Context | str] | None,
    ) -> None:
        check_backbone(readout, backbone)
        if backbone.receptive_field is None:
            raise ModelError(
                f"{backbone.name} sees its whole window at once, and the gene readout needs a backbone with "
                "a finite receptive field: score the activity around the variants instead"
            )
        self.genes, self.contexts = genes, [readout.contexts[row] for row in readout.select(contexts)]
        self.readout = readout
        bins = [gene_bins(gene, backbone, reference, readout.reach) for gene in genes]
        self._first = np.array([own.first_bin for own in bins], dtype=np.int64)
        self._last = self._first + np.array([len(own.distance) for own in bins], dtype=np.int64)
        self._contig = np.array([own.contig for own in bins], dtype=object)
        self._how = readout, reference, backbone, contexts, double_copy(readout)
        self._targets: dict[int, GeneExpression] = {}
        self._lock = threading.Lock()

    def reached(self, contig: str, first: int, last: int) -> list[int]:
        """Return the genes of which a bin lies between two bins of a contig."""
        return np.flatnonzero((self._contig == contig) & (self._first < last) & (self._last > first)).tolist()

    def near(self, gene: int, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which ranges of bins hold a bin of the gene."""
        return (first < self._last[gene]) & (last > self._first[gene])

    def clipped(self, gene: int, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return what a range of bins shares with those of the gene, as `EditEngine.embed` takes it."""
        begin, end = max(first, int(self._first[gene])), min(last, int(self._last[gene]))
        return np.array([begin]), np.array([end])

    def effects(self, gene: int, bins: EmbeddedEdits) -> NDArray[np.float32]:
        """Return the change of a gene's expression by each variant, (variants, contexts)."""
        with self._lock:
            target = self._targets.get(gene)
            if target is None:
                target = self._targets[gene] = GeneExpression(self.genes[gene], *self._how)
            # computed by one thread, so that the others needn't
            _ = target.sums
        effects: NDArray[np.float32] = target.effects(*bins.sums(target.values)).float().cpu().numpy()
        return effects


def _as_dataset(
    found: list[GeneEffects],
    targets: _Targets,
    rows: VariantRows,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
) -> xr.Dataset:
    row = np.concatenate([np.zeros(0, np.intp), *(one.rows for one in found)])
    gene = np.concatenate([np.zeros(0, np.intp), *(np.full(len(one.rows), one.gene) for one in found)])
    effect = np.concatenate(
        [np.zeros((0, len(targets.contexts)), np.float32), *(one.effect for one in found)]
    )
    tss = np.array([one.tss for one in targets.genes], dtype=np.int64)
    order = np.lexsort((tss[gene], row))
    row, gene, effect = row[order], gene[order], effect[order]
    direction = np.array([-1 if one.locus.strand == "-" else 1 for one in targets.genes], dtype=np.int64)
    names, ids = ([getattr(targets.genes[one], part) for one in gene] for part in ("name", "gene_id"))
    of_variants = {
        name: ("pair", values[row], *attributes)
        for name, (_, values, *attributes) in variant_coords(rows).items()
    }
    readout = targets.readout
    return xr.Dataset(
        {"expression_effect": (("pair", "context"), effect)},
        coords={
            **of_variants,
            "row": ("pair", row.astype(np.int64)),
            "gene": ("pair", text_array(names)),
            "gene_id": ("pair", text_array(ids)),
            "tss": ("pair", tss[gene]),
            "distance": ("pair", direction[gene] * (rows.start[row] - tss[gene])),
            **context_coords(targets.contexts),
        },
        attrs=variants_attrs(
            rows,
            reference,
            backbone,
            definition=DEFINITION.format(reach=readout.reach),
            units=f"change of {units_in(readout, targets.contexts)}",
            readout=readout.title,
        ),
    )
