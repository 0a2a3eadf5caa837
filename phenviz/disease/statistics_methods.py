"""The field's methods on summary statistics of whole studies: MAGMA's gene-property test, scDRS, S-LDSC."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.stats import norm

from phenviz.disease.engine import TestResult, plain_result, untested
from phenviz.disease.gene_association import GeneAssociation, GeneLd, associate_genes
from phenviz.disease.gene_methods import expression_of_genes
from phenviz.disease.gene_property import FEWEST_FREE, gene_covariates_of, gene_property_test
from phenviz.disease.gene_set_score import FEWEST_TESTED, gene_set_test
from phenviz.disease.inputs import Inputs
from phenviz.disease.ld_panel import FEWEST_PEOPLE, read_panels
from phenviz.disease.methods import Method, Outcome
from phenviz.disease.stratified_regression import (
    BLOCKS,
    FEWEST_BLOCKS,
    Stratified,
    blocks_of,
    stratified_regression,
)
from phenviz.disease.study_ld_scores import StudyLdScores, study_ld_scores

if TYPE_CHECKING:
    from phenviz.disease.traits import TraitVariants
    from phenviz.world import World

Array = NDArray[np.float64]

# genes of a whole genome that such an analysis usually has
_USUAL_GENES = 18_000


def lacking(name: str, traits: TraitVariants, world: World | None) -> str:
    """Say what a method that reads whole studies lacks; "" if nothing."""
    if traits.statistics is None:
        return (
            f"it needs the summary statistics of all variants of a study, and {traits.report.source} holds "
            "fine-mapped ones: give the study's own table, with contig, position, alleles, beta and its "
            "standard error, without posteriors"
        )
    if world is None or (name == "s-ldsc" and world.project.ld_scores):
        return ""
    if not world.project.individuals:
        alternative = ", or name LD scores under 'ld_scores'" if name == "s-ldsc" else ""
        return (
            f"it needs LD, and world {world.name!r} has no people: set 'individuals' in its "
            f"project.yaml{alternative}"
        )
    people = world.individuals
    if people is not None and len(people) < FEWEST_PEOPLE:
        return f"it needs LD of at least {FEWEST_PEOPLE} people, and world {world.name!r} has {len(people)}"
    return ""


def magma(inputs: Inputs, name: str) -> Outcome:
    """Test whether genes whose expression is specific to a context are more strongly associated.

    MAGMA: each gene's association from all its variants (`associate_genes`), regressed on the specificity of
    its expression in each context, with correlated genes and the usual covariates (`gene_property_test`).
    """
    if why := lacking(name, inputs.traits, inputs.world):
        return Outcome(inputs.contexts, {}, {}, f"Nothing was tested by {name}: {why}.")
    genes, contexts, specificity, covariates = expression_of_genes(inputs.world)
    results: dict[str, TestResult] = {}
    counts = []
    for trait, (table, correlation) in _associations(inputs, genes).items():
        if table.empty:
            results[trait] = untested(len(contexts))
            continue
        rows = pd.Index(genes).get_indexer(table["gene_name"])
        tested = gene_property_test(
            table["z"].to_numpy(float),
            correlation,
            specificity[rows],
            gene_covariates_of(table, covariates[rows, 0]),
        )
        counts.append(len(rows))
        plain = plain_result(tested.effect, tested.se, _normal(tested.p_value), tested.p_value)
        results[trait] = replace(plain, p_conditional=tested.p_conditional)
    return Outcome(contexts, results, {}, _genes_note(name, counts, inputs, FEWEST_FREE + 10))


def scdrs(inputs: Inputs, name: str) -> Outcome:
    """Test whether a study's strongest genes are expressed more in a context than matched sets of others.

    scDRS's way (`gene_set_test`), with the gene associations of `magma`.
    """
    if why := lacking(name, inputs.traits, inputs.world):
        return Outcome(inputs.contexts, {}, {}, f"Nothing was tested by {name}: {why}.")
    genes, contexts, specificity, covariates = expression_of_genes(inputs.world)
    # what is specific, and the mean over contexts
    expression = specificity + covariates[:, :1]
    results, counts = {}, []
    for trait, (table, _) in _associations(inputs, genes).items():
        rows = pd.Index(genes).get_indexer(table["gene_name"])
        counts.append(len(rows))
        results[trait] = gene_set_test(
            table["z"].to_numpy(float),
            expression[rows],
            inputs.settings.permutations,
            inputs.generator(trait, name),
            progress=inputs.progress,
        )
    return Outcome(contexts, results, {}, _genes_note(name, counts, inputs, FEWEST_TESTED))


def _associations(inputs: Inputs, genes: list[str]) -> dict[str, tuple[pd.DataFrame, Array]]:
    """Return the association of genes with each trait, from all their variants, and how genes correlate."""
    people, whole = inputs.world.individuals, inputs.traits.statistics
    assert people is not None and whole is not None
    known = inputs.world.annotation.genes.drop_duplicates("gene_name")
    known = known[known["gene_name"].isin(genes)]
    found: dict[str, list[GeneAssociation]] = {trait: [] for trait in inputs.traits.every_trait}
    for panel in read_panels(people, whole, progress=inputs.progress):
        shared: dict[bytes, GeneLd] = {}
        for trait, parts in found.items():
            own = inputs.statistics(trait)
            if own is not None:
                own = own[own["contig"] == panel.variants["contig"].iloc[0]]
                parts.append(associate_genes(own, panel, known, shared=shared))
    nothing = pd.DataFrame({"gene_name": [], "z": []})
    return {
        trait: (
            pd.concat([nothing, *(part.table for part in parts)]),
            block_diag(*(part.correlation for part in parts)),
        )
        for trait, parts in found.items()
    }


def s_ldsc(inputs: Inputs, name: str) -> Outcome:
    """Test whether variants in a context's open chromatin carry more heritability, given what others carry.

    Stratified LD score regression (`stratified_regression`), one context at a time beside baseline
    annotations, as LDSC-SEG does. LD scores are those that the project names, else computed from its people.
    """
    if why := lacking(name, inputs.traits, inputs.world):
        return Outcome(inputs.contexts, {}, {}, f"Nothing was tested by {name}: {why}.")
    scores = study_ld_scores(inputs)
    results: dict[str, TestResult] = {}
    fits = []
    for trait in inputs.traits.every_trait:
        statistics = inputs.statistics(trait)
        if statistics is None:
            continue
        own = _all_contexts(scores, statistics, inputs)
        fits += own[:1]
        p_value = np.array([fit.p_value[-1] for fit in own])
        results[trait] = plain_result(
            np.array([fit.coefficient[-1] for fit in own]),
            np.array([fit.se[-1] for fit in own]),
            _normal(p_value),
            p_value,
        )
    return Outcome(scores.contexts, results, {}, _s_ldsc_note(name, fits, scores))


def _all_contexts(scores: StudyLdScores, statistics: pd.DataFrame, inputs: Inputs) -> list[Stratified]:
    matched = scores.rows(statistics)
    rows = matched["row"].to_numpy(np.intp)
    block = blocks_of(matched["contig"].to_numpy(str), matched["position"].to_numpy(np.int64))
    chi_square, fits = matched["z"].to_numpy(float) ** 2, []
    for context in scores.contexts:
        inputs.progress.check()
        own, sizes = scores.of(context, rows), scores.sizes(context)
        fits.append(stratified_regression(chi_square, own, scores.weights[rows], block, sizes))
    return fits


def _normal(p_value: Array) -> Array:
    """Return the normal deviate of a one-sided p-value, so that z means the same for every method."""
    return np.asarray(norm.isf(np.clip(p_value, 1e-300, 1 - 1e-16)))


def _genes_note(name: str, counts: list[int], inputs: Inputs, least: int) -> str:
    if not any(counts):
        return (
            f"Nothing was tested by {name}: no variant of the study is among those of the world's people "
            "that lie at a gene with known expression, so that there is no LD."
        )
    few, people = min(count for count in counts if count), inputs.world.individuals
    enough = "" if few >= _USUAL_GENES / 2 else (
        f"; a whole genome has about {_USUAL_GENES:,}, so that only a strong dependence on expression is "
        "seen here"
    )  # fmt: skip
    tested = f"{name} tested {few:,} genes, with LD of {len(people or ()):,} people{enough}."
    if few < least:
        tested += f" With fewer than about {least} genes nothing is tested."
    return tested


def _s_ldsc_note(name: str, fits: list[Stratified], scores: StudyLdScores) -> str:
    if not fits:
        return f"Nothing was tested by {name}: no variant of the study has an LD score."
    blocks, variants = min(fit.blocks for fit in fits), min(fit.variants for fit in fits)
    if blocks < FEWEST_BLOCKS:
        return (
            f"Nothing was tested by {name}: the study's {variants:,} variants with LD scores fill {blocks} "
            f"blocks of 250 kb, and a jackknife needs at least {FEWEST_BLOCKS}."
        )
    enough = "" if blocks >= BLOCKS / 2 else (
        f"; a whole genome has 1 million and {BLOCKS}, so that heritability of one context is hardly told "
        "from that of others here"
    )  # fmt: skip
    return f"{name} regressed on {variants:,} variants in {blocks} blocks, {scores.source}{enough}."


METHODS = {
    "magma": Method(
        "MAGMA gene-property test",
        "MAGMA: the association of each gene was computed from the summary statistics of all its variants "
        "(SNP-wise mean model, 35 kb before to 10 kb behind the gene, LD of the people at hand) and "
        "regressed on the specificity of its expression in each context, by generalised least squares with "
        "the correlation of genes, given number of variants, density, allele frequency, their logarithms "
        "and mean expression; one-sided.",
        "z of a gene per ln(1 + CPM) beyond the mean of contexts",
        magma,
        summary="Are genes expressed specifically in a context more strongly associated? The field's "
        "gene-property test; needs the whole study's summary statistics.",
        whole_study=True,
    ),
    "scdrs": Method(
        "expression of disease genes, scDRS",
        "scDRS, in populations instead of single cells: the genes with the largest association (computed "
        "as MAGMA does; one in 18, at least 10, at most 1,000) were weighted by z, and their mean expression "
        "in each context compared with that of random sets of genes with about the same mean and variance "
        "of expression; one-sided.",
        "ln(1 + CPM) beyond matched genes",
        scdrs,
        summary="Are a study's strongest genes expressed more in a context than matched genes? scDRS's way; "
        "needs the whole study's summary statistics.",
        whole_study=True,
    ),
    "s-ldsc": Method(
        "stratified LD score regression",
        "S-LDSC: the chi-squares of all common variants were regressed on LD scores with respect to the open "
        "chromatin of each context, given baseline annotations, with LDSC's weights and a block jackknife; "
        "one-sided, t with as many degrees of freedom as blocks less one.",
        "expected chi-square per unit of LD score",
        s_ldsc,
        summary="Do variants in a context's open chromatin carry more heritability than others? LDSC-SEG; "
        "needs the whole study's summary statistics, and shines with those of a whole genome.",
        whole_study=True,
    ),
}
