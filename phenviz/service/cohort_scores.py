"""Scores of a cohort's people: the Phenformer's by a job of the service, the others beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from phenviz.disease.cohort.folder import Cohort
from phenviz.disease.cohort.saved import RiskModel
from phenviz.disease.cohort.scoring import (
    covariates_of,
    expression_scores,
    score_table,
    traits_of,
    weigh_genotypes,
)
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import TokenStore

if TYPE_CHECKING:
    from phenviz.service.service import ModelService

# of a polygenic score's variants; below, people say too little about it
_FEW = 0.95


def score_cohort(
    service: ModelService,
    cohort: Cohort,
    model: RiskModel,
    tokens: Path,
    *,
    progress: Progress = NO_PROGRESS,
) -> tuple[pd.DataFrame, list[str], str]:
    """Give everybody all scores of a model.

    Parameters
    ----------
    service
        Runs the Phenformer.
    cohort
        Whose people.
    model
        As trained.
    tokens
        Store of their gene tokens.
    progress
        Updated at each stage.

    Returns
    -------
    tuple
        The table of `phenviz.disease.cohort.scoring.score_table`; what was filled in, in words; and who the
        scores may be judged by, in words that begin with ``test`` where that is the test split only.
    """
    traits = traits_of(cohort, model)
    store = TokenStore(tokens)
    job = service.submit(
        "logits",
        model=model.phenformer,
        tokens=tokens,
        samples=cohort.people.samples,
        covariates=covariates_of(cohort, model) if model.covariates else None,
    )
    weighed = weigh_genotypes(cohort, model, traits, progress)
    expression = expression_scores(store, store.read(cohort.people.samples), model, traits)
    found = job.result()
    logits = {name: found["logit"].sel(trait=name).values.astype(float) for name in traits}
    table = score_table(cohort, model, traits, weighed, expression, logits)
    notes = [
        f"{name}: {1 - share:.1%} of the polygenic score's variants aren't in these genotypes and count as "
        "in the "
        "training people"
        for name, share in weighed.found.items()
        if share < _FEW
    ]
    if left := [name for name in model.traits if name not in traits]:
        notes.append(f"the cohort has no labels of {', '.join(left)}, which the model predicts, too")
    same = model.card["cohort"] == cohort.name
    own = len(cohort.people.rows("test")) if same else len(cohort.people)
    who = f"test people of the same cohort ({own:,})" if same else f"everybody of another cohort ({own:,})"
    return table, notes, who
