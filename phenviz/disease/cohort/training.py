"""Train on a cohort: baselines, a Phenformer, and how to put them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from phenviz.disease.cohort.ancestry import fit_components
from phenviz.disease.cohort.config import CohortTraining
from phenviz.disease.cohort.covariates import CovariateModel, fit_covariates
from phenviz.disease.cohort.dosages import Dosages, distance_variants, read_dosages
from phenviz.disease.cohort.ensemble import COMBINATIONS, Combination, combine
from phenviz.disease.cohort.expression_score import (
    BY_CONTEXT,
    Expression,
    ExpressionCandidate,
    fit_expression,
    gene_tests,
)
from phenviz.disease.cohort.folder import Cohort
from phenviz.disease.cohort.genotypes import ReadCounts
from phenviz.disease.cohort.gwas import associate
from phenviz.disease.cohort.metrics import delong_difference
from phenviz.disease.cohort.phenformer_fit import Split, fit_phenformer
from phenviz.disease.cohort.polygenic import Candidate, clump, clump_and_threshold, ridge
from phenviz.disease.cohort.scoring_files import ScoringFile, match_scores
from phenviz.models.phenformer import Phenformer
from phenviz.models.phenformer_training import logits_of
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import TokenStore


@dataclass(frozen=True, eq=False)
class TraitFit:
    """What was learnt about one trait beside the Phenformer.

    Parameters
    ----------
    covariates
        Baseline.
    association, genes
        Tests of single variants, and of single genes and contexts.
    prs, expression
        The chosen candidates.
    compared
        Every candidate with its AUROC among the validation people.
    """

    covariates: CovariateModel
    association: pd.DataFrame
    genes: pd.DataFrame
    prs: Candidate
    expression: ExpressionCandidate
    compared: pd.DataFrame


@dataclass(frozen=True, eq=False)
class CohortFit:
    """All that was learnt.

    Parameters
    ----------
    dosages
        Variants that the scores are made of.
    expression
        Predicted.
    traits
        By name.
    phenformer
        The disease model.
    run
        What its training says.
    combinations
        Of each trait: a fit for each column of the scores.
    distance
        Variants and frequencies that genetic distance is measured by, and its mean among training people.
    components
        Variants that principal components are made of, which can be computed for anybody.
    reference_tokens
        Of the reference genome, (genes, features).
    frequencies
        Of ALT of every variant among the training people.
    matched
        Of each scoring file, what became of its variants.
    counts
        Of the genotypes that were read.
    """

    dosages: Dosages
    expression: Expression
    traits: dict[str, TraitFit]
    phenformer: Phenformer
    run: dict[str, Any]
    combinations: dict[str, dict[str, Combination]]
    distance: tuple[pd.DataFrame, float]
    components: pd.DataFrame
    reference_tokens: NDArray[np.float32]
    frequencies: pd.DataFrame
    matched: dict[str, pd.DataFrame]
    counts: ReadCounts


def fit_cohort(
    cohort: Cohort,
    store: TokenStore,
    config: CohortTraining,
    folder: Path,
    *,
    start: Phenformer | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = NO_PROGRESS,
) -> CohortFit:
    """Learn all scores of all traits.

    Weights, scales, thresholds and principal components come from the training people; which candidate, which
    epoch and how scores are put together from the validation people. Labels of test people are taken away
    before anything is fitted.

    Parameters
    ----------
    cohort, store
        CohortPeople, and their tokens.
    config
        See there.
    folder
        Gets the log and the checkpoint of the Phenformer's training.
    start
        A Phenformer to go on from, instead of a new one.
    device
        Where the Phenformer is trained.
    progress
        Updated at each stage.

    Raises
    ------
    DataError, ModelError
        If the cohort and its tokens or the start don't belong together.
    """
    split = Split.of(cohort)
    tokens = store.read(cohort.people.samples)
    counts, every = ReadCounts(), list[pd.DataFrame]()
    progress.stage("reading genotypes", 1)
    dosages = read_dosages(
        cohort.individuals,
        cohort.people.samples,
        split.train,
        min_frequency=config.min_frequency,
        counts=counts,
        every=every,
    )
    expression = Expression.of(store, tokens, split.train)
    matched = {}
    for path in config.scoring_files:
        scores, assembly = ScoringFile.read(path), cohort.individuals.reference.assembly
        matched[scores.name] = match_scores(scores, dosages, config.min_overlap, assembly)
    others = [candidate for candidate, _ in matched.values()]
    traits = {}
    for number, name in enumerate(cohort.people.traits):
        labels = split.labels[:, number]
        covariates = fit_covariates(split.covariates, labels, split.train)
        traits[name] = _fit_trait(dosages, expression, split, labels, covariates, others, progress)
    known = {name: (fit.covariates, fit.expression) for name, fit in traits.items()}
    phenformer, run = fit_phenformer(
        *(cohort, store, tokens, split, expression, known, config, folder),
        start=start, device=device, progress=progress,
    )  # fmt: skip
    # at average covariates: theirs are added once, and not once more with the genes' weight
    logits = logits_of(phenformer, tokens, progress=progress)
    combinations = {}
    for number, (name, fit) in enumerate(traits.items()):
        parts_of = {
            "covariates": fit.covariates.logits,
            "prs": dosages.score(fit.prs.weights),
            "expression": expression.values @ fit.expression.weights,
            "phenformer": logits[:, number].astype(np.float64),
        }
        combinations[name] = {
            column: combine(parts, parts_of, split.labels[:, number], split.validation)
            for column, parts in COMBINATIONS.items()
        }
    distance = distance_variants(dosages, split.train)
    # of all ancestries, and without a label
    components = fit_components(dosages, np.arange(len(cohort.people)))
    tables = {name: table for name, (_, table) in matched.items()}
    return CohortFit(
        dosages, expression, traits, phenformer, run, combinations, distance, components, tokens.reference,
        pd.concat(every, ignore_index=True), tables, counts,
    )  # fmt: skip


def auroc(labels: NDArray[np.floating], scores: NDArray[np.floating]) -> float:
    """Return the area under the ROC curve; a half where there are no cases or no controls."""
    from sklearn.metrics import roc_auc_score

    known = ~np.isnan(labels)
    if len(np.unique(labels[known])) < 2:
        return 0.5
    return float(roc_auc_score(labels[known], scores[known]))


def _fit_trait(
    dosages: Dosages,
    expression: Expression,
    split: Split,
    labels: NDArray[np.float64],
    covariates: CovariateModel,
    others: Sequence[Candidate],
    progress: Progress,
) -> TraitFit:
    association = associate(dosages, labels, split.covariates, split.train, progress=progress)
    chosen = clump(association, dosages, split.train, progress=progress)
    candidates = [
        *clump_and_threshold(association, chosen, len(dosages)),
        *ridge(dosages, labels, split.train, covariates, progress=progress),
        *others,
    ]
    every = np.stack([candidate.weights for candidate in candidates], axis=1)
    areas = [auroc(labels[split.validation], column[split.validation]) for column in dosages.score(every).T]
    chosen_expression, compared = choose_expression(expression, labels, split, covariates, progress=progress)
    return TraitFit(
        covariates,
        association,
        gene_tests(expression, labels, split.train, covariates),
        candidates[int(np.argmax(areas))],
        chosen_expression,
        pd.concat([_compared("prs", candidates, areas), compared], ignore_index=True),
    )


def choose_expression(
    expression: Expression,
    labels: NDArray[np.float64],
    split: Split,
    covariates: CovariateModel,
    *,
    progress: Progress = NO_PROGRESS,
) -> tuple[ExpressionCandidate, pd.DataFrame]:
    """Fit linear models of expression, and choose one.

    That by context says most about the disease, so it is taken unless the best of the others is better among
    the validation people by more than the standard error of the difference (as CART chooses its trees).

    Returns
    -------
    tuple
        The chosen one, and a table of all with their AUROC among the validation people.
    """
    models = fit_expression(expression, labels, split.train, covariates, progress=progress)
    predicted = expression.values[split.validation] @ np.stack([model.weights for model in models], axis=1)
    judges = labels[split.validation]
    areas = [auroc(judges, column) for column in predicted.T]
    best = int(np.argmax(areas))
    own = next(number for number, model in enumerate(models) if model.method == BY_CONTEXT)
    chosen = best if _is_clearly_better(judges, predicted[:, best], predicted[:, own]) else own
    return models[chosen], _compared("expression", models, areas)


def _is_clearly_better(
    labels: NDArray[np.float64], one: NDArray[np.floating], two: NDArray[np.floating]
) -> bool:
    """Tell whether the AUROC of a score is larger than another's by more than the standard error."""
    known = ~np.isnan(labels)
    if len(np.unique(labels[known])) < 2:
        return False
    difference, p_value = delong_difference(labels[known], one[known], two[known])
    return difference.value > 0 and p_value < 2 * norm.sf(1)


def _compared(
    score: str, candidates: Sequence[Candidate] | Sequence[ExpressionCandidate], areas: Sequence[float]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "score": score,
            "method": [one.method for one in candidates],
            "settings": [str(one.settings) for one in candidates],
            "validation_auroc": areas,
        }
    )
