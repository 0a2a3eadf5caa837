"""Scores of a cohort's people, and what they are worth: the Phenformer's by a job of the service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.folder import Cohort
from phenviz.disease.cohort.judging import Judged, judge
from phenviz.disease.cohort.reference_people import METHODS, RiskReference, reference_of
from phenviz.disease.cohort.saved import RiskModel
from phenviz.disease.cohort.scoring import (
    Layout,
    Weighed,
    combined,
    expression_scores,
    held_out_people,
    score_table,
    traits_of,
    unknown_covariates,
    weigh_genotypes,
)
from phenviz.disease.cohort.subtypes import find_subtypes
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import TokenStore

if TYPE_CHECKING:
    from phenviz.service.service import ModelService

# of a polygenic score's variants; below, people say too little about it
_FEW = 0.95


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What people who taught nothing say about a model.

    Parameters
    ----------
    scores
        Of everybody; see `phenviz.disease.cohort.scoring.score_table`.
    own
        Those of the people judged by.
    judged
        What was measured.
    judged_by
        Who they are, in words.
    notes
        What was filled in or left out, in words.
    reference
        The people judged by, as those whom others are compared with.
    """

    scores: pd.DataFrame
    own: pd.DataFrame
    judged: Judged
    judged_by: str
    notes: tuple[str, ...]
    reference: RiskReference


def evaluate_cohort(
    service: ModelService,
    cohort: Cohort,
    model: RiskModel,
    tokens: Path,
    *,
    resamples: int = 1_000,
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> Evaluation:
    """Score a cohort's people, and judge by those who taught nothing.

    They are the test people of the cohort that the model was trained on, or everybody of another one.

    Parameters
    ----------
    service
        Runs the Phenformer.
    cohort, model
        Whose people, and as trained.
    tokens
        Store of their gene tokens.
    resamples, seed
        Of the bootstrap.
    progress
        Updated at each stage.
    """
    traits = traits_of(cohort, model)
    raw = _raw_scores(service, cohort, model, tokens, traits, progress)
    scores = score_table(cohort, model, traits, raw.weighed, raw.expression, raw.logits)
    same, rows = model.card["cohort"] == cohort.name, held_out_people(cohort, model)
    chosen = [cohort.people.samples[row] for row in rows]
    own = scores[scores["sample"].isin(chosen)]
    prevalence = {
        name: cohort.prevalence(name) or model.card["traits"][name]["prevalence"] for name in traits
    }
    judged = judge(own, prevalence, resamples=resamples, seed=seed, progress=progress)
    notes = [
        f"{name}: {1 - share:.1%} of the polygenic score's variants aren't in these genotypes and count as "
        "in the training people"
        for name, share in raw.weighed.found.items()
        if share < _FEW
    ]
    if left := [name for name in model.traits if name not in traits]:
        notes.append(f"the cohort has no labels of {', '.join(left)}, which the model predicts, too")
    who = "test people of the same cohort" if same else "everybody of another cohort"
    average = _at_average(cohort, model, traits, raw, rows)
    subtypes = find_subtypes(average, own[["sample", "trait", "label"]], seed=seed, progress=progress)
    reference = reference_of(judged, own, average, subtypes)
    return Evaluation(scores, own, judged, f"{who} ({len(rows):,})", tuple(notes), reference)


@dataclass(frozen=True, eq=False)
class _Raw:
    """Scores before they are put together with covariates, by trait."""

    weighed: Weighed
    expression: dict[str, NDArray[np.float64]]
    logits: dict[str, NDArray[np.float64]]


def _raw_scores(
    service: ModelService,
    cohort: Cohort,
    model: RiskModel,
    tokens: Path,
    traits: list[str],
    progress: Progress,
) -> _Raw:
    store, samples = TokenStore(tokens), cohort.people.samples
    job = service.submit("logits", model=model.phenformer, tokens=tokens, samples=samples)
    weighed = weigh_genotypes(cohort.individuals, samples, model, traits, progress=progress)
    channels = int(store.attrs["channels"])
    layout = Layout(store.genes, store.features[channels:], channels)
    expression = expression_scores(store.read(samples), layout, model, traits)
    found = job.result()["logit"]
    logits = {name: found.sel(trait=name).values.astype(float) for name in traits}
    return _Raw(weighed, expression, logits)


def _at_average(
    cohort: Cohort, model: RiskModel, traits: list[str], raw: _Raw, rows: NDArray[np.intp]
) -> pd.DataFrame:
    """Lay out the scores of people as if nothing but their genotypes were known."""
    unknown = unknown_covariates(model, len(rows))
    components = dict(zip(model.component_names, raw.weighed.components[rows].T, strict=True))
    parts = []
    for name in traits:
        scores = combined(
            model, name, unknown, raw.weighed.scores[name][rows], raw.expression[name][rows],
            raw.logits[name][rows],
        )  # fmt: skip
        part = cohort.people.table.iloc[rows][["sample", "ancestry"]].assign(trait=name)
        parts.append(part.assign(**{method: scores[method] for method in METHODS}, **components))
    return pd.concat(parts, ignore_index=True)[["sample", "trait", "ancestry", *METHODS, *components]]
