"""Hypotheses from a cohort's people, with the Phenformer's part by a job of the service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from phenviz.disease.cohort.expression_score import tokens_expression
from phenviz.disease.cohort.folder import Cohort
from phenviz.disease.cohort.people_hypotheses import (
    PERMUTATIONS,
    ModelEvidence,
    people_hypotheses,
    traits_to_test,
)
from phenviz.disease.cohort.saved import RiskModel
from phenviz.disease.cohort.scoring import held_out_people
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import TokenStore

if TYPE_CHECKING:
    from phenviz.service.service import ModelService
    from phenviz.world import World

_GREY = "#8a949e"


def cohort_hypotheses(
    service: ModelService,
    cohort: Cohort,
    model: RiskModel,
    tokens: Path,
    *,
    traits: Sequence[str] | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    variants: xr.Dataset | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Test through which contexts the traits of a cohort act, by its people.

    Parameters
    ----------
    service
        Runs the Phenformer.
    cohort, model
        Whose people, and as trained.
    tokens
        Store of their gene tokens, made for the model.
    traits
        Names; None for all that the cohort and the model share. Any other column of numbers of the people's
        table will do, too: it is tested by expression alone.
    permutations, seed, variants, progress
        As of `phenviz.disease.cohort.people_hypotheses.people_hypotheses`, whose return this is.

    Raises
    ------
    DataError, ModelError
        If a trait can't be tested, or the tokens are of another model.
    """
    chosen = traits_to_test(cohort, model, traits)
    evidence = model_evidence(service, cohort, model, tokens, chosen)
    return people_hypotheses(
        cohort, model, evidence, chosen,
        permutations=permutations, seed=seed, variants=variants, progress=progress,
    )  # fmt: skip


def model_evidence(
    service: ModelService, cohort: Cohort, model: RiskModel, tokens: Path, traits: Sequence[str]
) -> ModelEvidence:
    """Return what the models say of a cohort's people; arguments as of `cohort_hypotheses`."""
    rows, samples = held_out_people(cohort, model), cohort.people.samples
    job = service.submit(
        "context_contributions",
        model=model.phenformer,
        tokens=tokens,
        samples=[samples[row] for row in rows],
        traits=[name for name in traits if name in model.traits and name in cohort.people.traits],
    )
    store = TokenStore(tokens)
    channels = int(store.attrs["channels"])
    expression = tokens_expression(store.read(samples), channels)
    found = job.result()
    predicted = found["trait"].values.tolist()
    return ModelEvidence(
        store.genes,
        _contexts(service.world, store.features[channels:]),
        expression,
        rows,
        {name: found["contribution"].sel(trait=name).values for name in predicted},
        {name: found["importance"].sel(trait=name).values for name in predicted},
        str(found.attrs["model"]),
        _place(store),
    )


def _contexts(world: World, names: Sequence[str]) -> tuple[Context, ...]:
    """Return the contexts of expression, by name."""
    readout = world.readout.contexts if world.readout is not None else ()
    known = {context.name: context for context in (*world.contexts, *readout)}
    return tuple(known.get(name, Context(name, name, "", "", _GREY)) for name in names)


def _place(store: TokenStore) -> tuple[str, Locus]:
    """Return the contigs of a store's genes, and where they lie on the first."""
    sites = [(str(contig).removeprefix("chr"), int(tss)) for _, _, contig, tss, _ in store.attrs["sites"]]
    contigs = sorted({contig for contig, _ in sites})
    starts = np.array([tss for contig, tss in sites if contig == contigs[0]])
    return ",".join(contigs), Locus(contigs[0], int(starts.min()), int(starts.max()) + 1)
