"""Evidence of genes by sequence alone: how active each context is around the genes nearest to variants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.covariates import nearest_genes
from phenviz.disease.engine import LocusSums
from phenviz.disease.inputs import Inputs, Side
from phenviz.disease.moved_loci import gene_covariates, left_over, moved_sums
from phenviz.genome import Annotation
from phenviz.genome.locus import bare_contig

Array = NDArray[np.float64]

REACH = 16_000
STEP = 1_000
_OTHER_BASE = np.array(list("GTACN"))
# a regression on four covariates leaves nothing of fewer
_FEWEST_GENES = 8


@dataclass(frozen=True)
class Specificity:
    """How specific the activity around each gene is to each context.

    Parameters
    ----------
    annotation
        The genes that it is known of.
    row
        Symbol -> row of ``left``.
    left
        What the covariates leave of the specificity, (G, C).
    """

    annotation: Annotation
    row: dict[str, int]
    left: Array

    def nearest(self, variants: pd.DataFrame) -> Array:
        """Return the specificity of the gene with the nearest TSS, (n, C); 0 where there is none."""
        if not self.row:
            return np.zeros((len(variants), self.left.shape[1]))
        numbers = np.array([self.row.get(gene, -1) for gene in nearest_genes(variants, self.annotation)])
        return np.where(numbers[:, None] >= 0, self.left[numbers], 0.0)


@dataclass(frozen=True)
class GeneActivity:
    """The part of a combined test that goes by genes (`phenviz.disease.combined`).

    Predicted activity is read at every 1,000 bases within 16 kb of each transcription start, as at variants,
    and averaged; the specificity of a gene is what mean activity, length and distance to the next gene leave
    of its difference from the mean over contexts. Each locus is compared with itself moved to where the
    stand-ins of its heaviest variant lie.
    """

    def prepare(self, inputs: Inputs, side: Side) -> Specificity:
        """Predict the activity around all genes of the traits' contigs."""
        contigs = {bare_contig(contig) for contig in inputs.variants["contig"].unique()}
        genes = inputs.world.annotation.genes
        genes = genes[genes["contig"].map(bare_contig).isin(contigs)]
        genes = genes.sort_values(["contig", "tss"], kind="stable").drop_duplicates("gene_name")
        activity = _around(genes, inputs)
        known = np.isfinite(activity).all(1)
        genes, activity = genes[known].reset_index(drop=True), activity[known]
        if len(genes) < _FEWEST_GENES:
            return Specificity(inputs.world.annotation, {}, np.zeros((0, len(inputs.contexts))))
        mean = activity.mean(1)
        left = left_over(activity - mean[:, None], gene_covariates(genes, mean))
        row = {str(name): number for number, name in enumerate(genes["gene_name"])}
        return Specificity(Annotation(genes.drop(columns="tss")), row, left)

    def sums(
        self, inputs: Inputs, side: Side, prepared: Specificity, trait: str, name: str
    ) -> LocusSums | None:
        """Sum one trait's loci, and the same loci moved."""
        table, _ = inputs.trait(trait)
        return moved_sums(table, inputs.replicas(trait, "model"), side.background.variants, prepared.nearest)


def _around(genes: pd.DataFrame, inputs: Inputs) -> Array:
    """Mean predicted activity around each TSS, log2(1 + activity), (G, C); NaN where no base is known."""
    reference = inputs.world.reference
    offsets = np.arange(-REACH, REACH + 1, STEP)
    parts = []
    for contig, rows in genes.groupby("contig", sort=False).indices.items():
        name = reference.resolve_contig(str(contig))
        codes = reference.codes(name)
        place = genes["tss"].to_numpy(np.int64)[rows][:, None] + offsets
        inside = (place >= 0) & (place < len(codes))
        code = np.where(inside, codes[np.clip(place, 0, len(codes) - 1)], 4)
        gene = np.broadcast_to(rows[:, None], place.shape)
        places = {"contig": name, "position": place.ravel() + 1, "gene": gene.ravel(), "code": code.ravel()}
        parts.append(pd.DataFrame(places))
    read = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"code": []})
    read = read[read["code"] < 4].reset_index(drop=True)
    total, count = np.zeros((len(genes), len(inputs.contexts))), np.zeros(len(genes))
    if len(read):
        bases = read["code"].to_numpy(np.intp)
        changes = read[["contig", "position"]].assign(
            ref=np.array(list("ACGT"))[bases], alt=_OTHER_BASE[bases], id=""
        )
        active = inputs.score(changes, inputs.world.backbone).active
        np.add.at(total, read["gene"].to_numpy(np.intp), active)
        count = np.bincount(read["gene"].to_numpy(np.intp), minlength=len(genes)).astype(float)
    return np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], np.nan)
