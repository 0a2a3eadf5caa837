"""A baseline on expression: how specific to each context the genes nearest to fine-mapped variants are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from phenviz.disease.covariates import nearest_genes
from phenviz.disease.engine import TestResult, untested
from phenviz.disease.inputs import Inputs
from phenviz.disease.methods import Method, Outcome
from phenviz.errors import DataError
from phenviz.genome import Annotation
from phenviz.genome.contexts import Context

Array = NDArray[np.float64]
PACK = "blood16-rna"
_FILE = "16populations_RNAcounts.txt"


def gene_expression(inputs: Inputs, name: str) -> Outcome:
    """Regress genes' posterior on how specific their expression is to each context.

    MAGMA's gene-property analysis [1]_ on one chromosome's genes: the score of a gene is the sum of the
    posteriors of the variants whose nearest TSS is its own; the covariates are its mean expression, the log
    of its length and the log of its distance to the next gene. One-sided, one context at a time. Neighbouring
    genes aren't independent and most scores are 0, so p doesn't come from the t distribution but from
    turning the scores round along the chromosome, by every possible number of genes.

    References
    ----------
    .. [1] de Leeuw et al. 2015, PLoS Comput Biol 11:e1004219; Watanabe et al. 2019, Nat Commun 10:3222.
    """
    genes, contexts, specificity, covariates = _expression(inputs)
    left = _left_over(specificity, covariates)
    nearest = nearest_genes(inputs.variants, _only(inputs, set(genes)))
    row = {gene: number for number, gene in enumerate(genes)}
    results = {}
    for trait in inputs.traits.traits:
        table, rows = inputs.trait(trait)
        number = np.array([row.get(gene, -1) for gene in nearest[rows]])
        score = np.asarray(
            np.bincount(
                number[number >= 0], table["posterior"].to_numpy(float)[number >= 0], minlength=len(genes)
            ),
            dtype=float,
        )
        results[trait] = (
            _regress(score, specificity, covariates, left) if (score > 0).any() else untested(len(contexts))
        )
    return Outcome(contexts, results, {})


def _expression(inputs: Inputs) -> tuple[list[str], tuple[Context, ...], Array, Array]:
    """Genes in the order of the contigs, contexts, specificity (G, C) and covariates (G, 4)."""
    from phenviz.data.blood16 import BLOOD16_RNA
    from phenviz.data.packs import require_pack
    from phenviz.models.readout_data import log_cpm, read_counts

    counts = read_counts(require_pack(PACK, _FILE))
    contexts = tuple(context for context in BLOOD16_RNA if context.name in counts)
    logs = log_cpm(counts)[[context.name for context in contexts]]
    table = inputs.world.annotation.genes.sort_values(["contig", "tss"], kind="stable")
    table = table[table["gene_name"].isin(logs.index)].drop_duplicates("gene_name")
    if len(table) < 20:
        raise DataError(
            f"only {len(table)} genes of world {inputs.world.name!r} are in data pack {PACK}: leave the "
            f"method "
            "gene-expression out"
        )
    values = logs.loc[table["gene_name"]].to_numpy(float)
    mean = values.mean(1)
    specificity = values - mean[:, None]
    length = np.log((table["end"] - table["start"]).to_numpy(float))
    gap = np.abs(np.diff(table["tss"].to_numpy(float), prepend=np.nan, append=np.nan))
    alone = np.log10(1 + np.fmin(gap[:-1], gap[1:]))
    covariates = np.column_stack([np.ones(len(table)), mean, length, alone])
    return table["gene_name"].astype(str).tolist(), contexts, specificity, covariates


def _only(inputs: Inputs, names: set[str]) -> Annotation:
    """Return the annotation with the genes that have counts: a silent neighbour mustn't take a variant."""
    genes = inputs.world.annotation.genes
    return Annotation(genes[genes["gene_name"].isin(names)].drop(columns="tss"))


def _left_over(specificity: Array, covariates: Array) -> Array:
    """Return what the covariates leave of the specificity, (G, C)."""
    import statsmodels.api as sm

    return np.column_stack([sm.OLS(column, covariates).fit().resid for column in specificity.T])


def _regress(score: Array, specificity: Array, covariates: Array, left: Array) -> TestResult:
    import statsmodels.api as sm

    contexts = specificity.shape[1]
    effect, se, low, high, z = (np.empty(contexts) for _ in range(5))
    for column in range(contexts):
        fit = sm.OLS(score, np.column_stack([specificity[:, column], covariates])).fit(cov_type="HC3")
        effect[column], se[column], z[column] = fit.params[0], fit.bse[0], fit.tvalues[0]
        low[column], high[column] = fit.conf_int()[0]
    # by Frisch, Waugh and Lovell the coefficient is a product with what the covariates leave of the
    # specificity
    turned = np.stack([np.roll(score, shift) for shift in range(len(score))])
    products = turned @ left
    p = (products >= products[0] - 1e-9 * np.abs(products[0])).mean(0)
    base = untested(contexts)
    return replace(base, effect=effect, se=se, interval_low=low, interval_high=high, z=z, p_value=p)


METHODS = {
    "gene-expression": Method(
        "expression of the nearest genes",
        "Genes' posterior (of the variants nearest to their TSS) was regressed on the specificity of "
        "their expression, with "
        "mean expression, length and distance to the next gene as covariates; p-values come from "
        "turning the scores "
        "round along the chromosome.",
        "posterior per unit of ln(1 + CPM) specificity",
        gene_expression,
    ),
}
