"""The Phenformer of a cohort: begun at the linear score of expression, and trained on gene tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.disease.cohort.config import CohortTraining
from phenviz.disease.cohort.covariates import CovariateModel
from phenviz.disease.cohort.ensemble import combine
from phenviz.disease.cohort.expression_score import Expression, ExpressionCandidate
from phenviz.disease.cohort.folder import Cohort
from phenviz.errors import DataError
from phenviz.models.phenformer import GeneSite, Phenformer, Trait
from phenviz.models.phenformer_training import Examples, set_scales, train_phenformer
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import Tokens, TokenStore


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of people that may be learnt from, and those that choices may be made by.

    Parameters
    ----------
    train, validation
        Rows.
    labels
        Of everybody, (people, traits); NaN for everybody else, so that nothing can learn from them.
    covariates
        Of everybody, (people, covariates).
    """

    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    labels: NDArray[np.float64]
    covariates: NDArray[np.float64]

    @classmethod
    def of(cls, cohort: Cohort) -> Split:
        """Take a cohort's splits; the test people's labels don't leave the table."""
        people = cohort.people
        train, validation = people.rows("train"), people.rows("validation")
        labels = np.full((len(people), len(people.traits)), np.nan)
        seen = np.concatenate([train, validation])
        labels[seen] = people.labels()[seen]
        return cls(train, validation, labels, people.covariate_values().astype(np.float64))


def fit_phenformer(
    cohort: Cohort,
    store: TokenStore,
    tokens: Tokens,
    split: Split,
    expression: Expression,
    known: Mapping[str, tuple[CovariateModel, ExpressionCandidate]],
    config: CohortTraining,
    folder: Path,
    *,
    start: Phenformer | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = NO_PROGRESS,
) -> tuple[Phenformer, dict[str, Any]]:
    """Train a Phenformer on a cohort.

    Parameters
    ----------
    cohort, store, tokens, split
        People, and their tokens.
    expression
        Predicted from the same tokens.
    known
        Of each trait, where to begin: what covariates say, and the linear model of expression.
    config
        See there.
    start
        A trained Phenformer to go on from, instead of a new one.
    folder, device, progress
        As for `phenviz.models.phenformer_training.train_phenformer`.

    Returns
    -------
    tuple
        The model, and what that function says of its training.

    Raises
    ------
    DataError, ModelError
        If cohort, tokens and start don't belong together.
    """
    phenformer = new_phenformer(cohort, store, config) if start is None else start
    teachers, choosers = (
        _examples(tokens, split, rows, phenformer) for rows in (split.train, split.validation)
    )
    if start is None:
        set_scales(phenformer, teachers)
        if phenformer.linear:
            begin_at_linear(phenformer, split, expression, known)
    run = train_phenformer(
        phenformer, teachers, choosers, config.training, folder, device=device, progress=progress
    )
    return phenformer, run


def training_words(run: Mapping[str, Any]) -> str:
    """Say how a training went, from what `fit_phenformer` returned of it."""
    best = run["best_epoch"]
    learnt = f"the best was {best}" if best else "none better than where it began"
    return f"{run['epochs']} epochs, {learnt}"


def new_phenformer(cohort: Cohort, store: TokenStore, config: CohortTraining) -> Phenformer:
    """Make an untrained Phenformer for a cohort's tokens, traits and covariates."""
    options = asdict(config.architecture)
    covariates = cohort.people.covariates if options.pop("covariates") else ()
    with torch.random.fork_rng():
        torch.manual_seed(config.training.seed)
        phenformer = Phenformer(
            [GeneSite(*site) for site in store.attrs["sites"]],
            [Trait(name, cohort.label(name)) for name in cohort.people.traits],
            assembly=str(store.attrs["assembly"]),
            window=int(store.attrs["window"]),
            channels=int(store.attrs["channels"]),
            expression=store.attrs["expression"],
            expression_from=str(store.attrs["expression_from"]),
            covariates=covariates,
            name=f"phenformer-{cohort.name}",
            **options,
        )
    phenformer.backbone_hash = store.attrs["backbone"]
    phenformer.readout_hash = store.attrs["readout"]
    store.check(phenformer)
    return phenformer


def begin_at_linear(
    phenformer: Phenformer,
    split: Split,
    expression: Expression,
    known: Mapping[str, tuple[CovariateModel, ExpressionCandidate]],
) -> None:
    """Set a Phenformer, whose scales are set, to the linear scores of its traits.

    A score of expression counts as much as the validation people say, next to covariates; one that says the
    opposite of what it should counts nothing.
    """
    genes, contexts = len(phenformer.genes), len(phenformer.expression)
    spread = phenformer.token_scale[:, phenformer.channels :].double().cpu().numpy().reshape(-1)
    weights, of_covariates, intercepts = [], [], []
    for number, trait in enumerate(phenformer.traits):
        base, score = known[trait.name]
        values = expression.values @ score.weights
        fit = combine(
            ("expression",),
            {"covariates": base.logits, "expression": values},
            split.labels[:, number],
            split.validation,
        )
        slope = max(float(fit.weights[0] / fit.scale[0]), 0.0)
        # from standard deviations of sums over haplotypes to those of single ones
        weights.append((slope * score.weights * spread / expression.scale).reshape(genes, contexts))
        shift = fit.intercept - slope * float(fit.mean[0]) if slope else 0.0
        ratio, moved = np.empty(0), 0.0
        if phenformer.covariates:
            mean, scale = (
                buffer.double().cpu().numpy()
                for buffer in (phenformer.covariate_mean, phenformer.covariate_scale)
            )
            ratio = base.weights * scale / base.scale
            moved = float(base.weights @ ((mean - base.mean) / base.scale))
        of_covariates.append(ratio)
        intercepts.append(base.intercept + moved + shift)
    phenformer.start_from_linear(
        torch.from_numpy(np.stack(weights)),
        torch.from_numpy(np.stack(of_covariates)),
        torch.tensor(intercepts),
    )


def covariates_for(phenformer: Phenformer, covariates: NDArray[np.float64]) -> NDArray[np.float32] | None:
    """Return a cohort's covariates as a model takes them; None where it takes none.

    Raises
    ------
    DataError
        If the cohort has another number of them.
    """
    if not phenformer.covariates:
        return None
    if covariates.shape[1] != len(phenformer.covariates):
        raise DataError(
            f"{phenformer.name} takes the covariates {', '.join(phenformer.covariates)}, and the cohort has "
            f"{covariates.shape[1]}: name the same ones in its cohort.yaml"
        )
    return covariates.astype(np.float32)


def _examples(tokens: Tokens, split: Split, rows: NDArray[np.intp], phenformer: Phenformer) -> Examples:
    covariates = covariates_for(phenformer, split.covariates)
    if covariates is None:
        covariates = np.empty((len(split.labels), 0), np.float32)
    return Examples(tokens.select(rows), split.labels[rows].astype(np.float32), covariates[rows])
