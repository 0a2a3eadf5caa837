"""A baseline on expression: how specific to each context the genes nearest to fine-mapped variants are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.covariates import nearest_genes
from phenviz.disease.engine import matched_test, untested
from phenviz.disease.inputs import Inputs
from phenviz.disease.methods import Method, Outcome
from phenviz.disease.moved_loci import gene_covariates, left_over, moved_sums
from phenviz.errors import DataError
from phenviz.genome import Annotation
from phenviz.genome.contexts import Context

if TYPE_CHECKING:
    from phenviz.world import World

Array = NDArray[np.float64]
PACK = "blood16-rna"
_FILE = "16populations_RNAcounts.txt"


def gene_expression(inputs: Inputs, name: str) -> Outcome:
    """Compare how specific to each context the nearest genes' expression is with that at matched loci.

    MAGMA's gene-property analysis [1]_ asks whether the genes with the larger scores are the more specific
    ones, given covariates. Here the score of a gene is the sum of the posteriors of the variants whose
    nearest TSS is its own, and by Frisch, Waugh and Lovell the coefficient of such a regression goes with the
    sum of score times what the covariates (mean expression, log of the length, log of the distance to the
    next gene) leave of the specificity. That sum is compared with the one of the loci moved to where matched
    variants lie instead of a t distribution: most scores are 0, genes of one locus aren't independent, and
    lonely genes are hit more often by what lies anywhere, and are specific more often.

    References
    ----------
    .. [1] de Leeuw et al. 2015, PLoS Comput Biol 11:e1004219; Watanabe et al. 2019, Nat Commun 10:3222.
    """
    genes, contexts, specificity, covariates = expression_of_genes(inputs.world)
    left = left_over(specificity, covariates)
    row = {gene: number for number, gene in enumerate(genes)}
    annotation, kind = _only(inputs, set(genes)), inputs.cheapest_kind
    side = inputs.observed if kind == "observed" else inputs.model

    def nearest(variants: pd.DataFrame) -> Array:
        numbers = np.array([row.get(gene, -1) for gene in nearest_genes(variants, annotation)], dtype=np.intp)
        return np.where(numbers[:, None] >= 0, left[numbers], 0.0)

    results, imbalance = {}, {}
    for trait in inputs.traits.traits:
        table, _ = inputs.trait(trait)
        replicas = inputs.replicas(trait, kind)
        sums = moved_sums(table, replicas, side.background.variants, nearest)
        results[trait] = (
            matched_test(sums, inputs.settings.permutations, inputs.generator(trait, name))
            if sums.weight.sum() > 0
            else untested(len(contexts))
        )
        imbalance[trait] = max(abs(value) for value in replicas.imbalance.values())
    return Outcome(contexts, results, imbalance)


def expression_of_genes(world: World) -> tuple[list[str], tuple[Context, ...], Array, Array]:
    """Genes in the order of the contigs, contexts, specificity (G, C) and covariates (G, 4)."""
    from phenviz.data.blood16 import BLOOD16_RNA
    from phenviz.data.packs import require_pack
    from phenviz.models.readout_data import log_cpm, read_counts

    counts = read_counts(require_pack(PACK, _FILE))
    contexts = tuple(context for context in BLOOD16_RNA if context.name in counts)
    logs = log_cpm(counts)[[context.name for context in contexts]]
    table = world.annotation.genes.sort_values(["contig", "tss"], kind="stable")
    table = table[table["gene_name"].isin(logs.index)].drop_duplicates("gene_name")
    if len(table) < 20:
        raise DataError(
            f"only {len(table)} genes of world {world.name!r} are in data pack {PACK}: leave the methods "
            "gene-expression, magma and scdrs out"
        )
    values = logs.loc[table["gene_name"]].to_numpy(float)
    mean = values.mean(1)
    specificity = values - mean[:, None]
    covariates = gene_covariates(table, mean)
    return table["gene_name"].astype(str).tolist(), contexts, specificity, covariates


def _only(inputs: Inputs, names: set[str]) -> Annotation:
    """Return the annotation with the genes that have counts: a silent neighbour mustn't take a variant."""
    genes = inputs.world.annotation.genes
    return Annotation(genes[genes["gene_name"].isin(names)].drop(columns="tss"))


METHODS = {
    "gene-expression": Method(
        "expression of the nearest genes",
        "The specificity of the expression of the nearest genes (what mean expression, length and distance "
        "to the next gene leave of it), weighted by posterior, was compared with that of loci moved to where "
        "matched variants lie.",
        "ln(1 + CPM) beyond the mean of contexts",
        gene_expression,
        summary="Are the nearest genes expressed specifically in a context?",
    ),
}
