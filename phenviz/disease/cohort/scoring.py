"""Give the people of a cohort the scores of a trained model."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.ensemble import COMBINATIONS
from phenviz.disease.cohort.folder import Cohort
from phenviz.disease.cohort.genotypes import ReadCounts, read_blocks
from phenviz.disease.cohort.saved import RiskModel
from phenviz.disease.cohort.scoring_files import normalise_by_ancestry
from phenviz.disease.cohort.training import tokens_expression
from phenviz.errors import DataError, ModelError
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import Tokens, TokenStore

KEY = ["contig", "position", "ref", "alt"]


@dataclass
class Weighed:
    """Polygenic scores of people, and how much of them could be computed.

    Parameters
    ----------
    scores
        By trait, (people,).
    distance
        Genetic distance from the training people, (people,).
    found
        By trait: share of the weights' variants that the genotypes have.
    counts
        Of the genotypes that were read.
    """

    scores: dict[str, NDArray[np.float64]]
    distance: NDArray[np.float64]
    found: dict[str, float]
    counts: ReadCounts = field(default_factory=ReadCounts)


def traits_of(cohort: Cohort, model: RiskModel) -> list[str]:
    """Return the traits that both the cohort and the model have.

    Raises
    ------
    DataError
        If there is none, or the cohort lacks a covariate of the model.
    ModelError
        If the model is of another assembly.
    """
    assembly = cohort.individuals.reference.assembly
    if model.card["assembly"] != assembly:
        raise ModelError(
            f"{model.folder} was trained on {model.card['assembly']}, and the cohort is of {assembly}"
        )
    known = [name for name in model.traits if name in cohort.people.traits]
    if not known:
        raise DataError(
            f"{cohort.name} has none of the traits {', '.join(model.traits)} that {model.folder} predicts"
        )
    lacking = [name for name in model.covariates if name not in cohort.people.table.columns]
    if lacking:
        raise DataError(
            f"{cohort.name} has no column {lacking[0]}, which {model.folder} takes as a covariate: add it "
            "(empty cells count as average)"
        )
    return known


def covariates_of(cohort: Cohort, model: RiskModel) -> NDArray[np.float64]:
    """Return the covariates of a model for everybody, (people, covariates)."""
    table = cohort.people.table
    values = [pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float) for name in model.covariates]
    return np.stack(values, axis=1) if values else np.empty((len(table), 0))


def weigh_genotypes(
    cohort: Cohort, model: RiskModel, traits: list[str], progress: Progress = NO_PROGRESS
) -> Weighed:
    """Compute polygenic scores and genetic distances in one pass over the genotypes.

    A variant that the genotypes lack, or that isn't called in somebody, counts as frequent as in the training
    people.
    """
    wide = model.weights.pivot_table(
        index=KEY, columns="trait", values="weight", aggfunc="sum", fill_value=0.0
    )
    frequency = model.weights.drop_duplicates(KEY).set_index(KEY)["frequency"]
    near = model.distance.set_index(KEY)["frequency"]
    table = wide.reindex(columns=traits, fill_value=0.0).join(near.rename("near"), how="outer")
    table["frequency"] = frequency.reindex(table.index).fillna(table["near"])
    table = table.fillna({name: 0.0 for name in traits}).reset_index()
    table["contig"] = table["contig"].astype(str).str.removeprefix("chr")
    weights, centre = table[traits].to_numpy(float), table["frequency"].to_numpy(float)
    people = len(cohort.people)
    total = np.zeros((people, len(traits)))
    squares, seen, measured = np.zeros(people), np.zeros(len(table), dtype=bool), 0
    counts = ReadCounts()
    lookup = table[KEY].reset_index()
    for block in read_blocks(cohort.individuals, cohort.people.samples, counts=counts, progress=progress):
        own = block.variants[KEY].reset_index()
        own["contig"] = own["contig"].astype(str).str.removeprefix("chr")
        both = own.merge(lookup, on=KEY, suffixes=("", "_of"))
        rows = both["index_of"].to_numpy()
        # a variant that the genotypes hold twice counts once
        fresh = ~seen[rows] & ~both["index_of"].duplicated().to_numpy()
        rows, where = rows[fresh], both["index"].to_numpy()[fresh]
        if not len(rows):
            continue
        seen[rows] = True
        values = block.dosages()[where]
        centred = values - 2 * centre[rows, None]
        centred[values < 0] = 0
        total += centred.T @ weights[rows]
        close = np.flatnonzero(~np.isnan(table["near"].to_numpy(float)[rows]))
        if len(close):
            spread = 2 * centre[rows[close]] * (1 - centre[rows[close]])
            squares += (centred[close] ** 2 / np.maximum(spread, 1e-6)[:, None]).sum(axis=0)
            measured += len(close)
    total += 2 * centre @ weights
    found = {
        name: float(seen[weights[:, number] != 0].mean()) if (weights[:, number] != 0).any() else 1.0
        for number, name in enumerate(traits)
    }
    mean = float(model.card["distance_mean"])
    distance = squares / max(measured, 1) / mean if measured else np.full(people, np.nan)
    scores = {name: total[:, number] for number, name in enumerate(traits)}
    return Weighed(scores, distance, found, counts)


def expression_scores(
    store: TokenStore, tokens: Tokens, model: RiskModel, traits: list[str]
) -> dict[str, NDArray[np.float64]]:
    """Compute the linear scores of predicted expression, by trait, (people,)."""
    channels = int(store.attrs["channels"])
    sums = tokens_expression(tokens, channels)
    contexts = store.features[channels:]
    place = {
        (gene, context): number
        for number, (gene, context) in enumerate(
            (gene, context) for gene in store.genes for context in contexts
        )
    }
    flat = sums.reshape(len(sums), -1)
    found = {}
    for name in traits:
        own = model.expression[(model.expression["trait"] == name) & (model.expression["weight"] != 0)]
        columns = [place[key] for key in zip(own["gene"], own["context"], strict=True)]
        scaled = (flat[:, columns] - own["mean"].to_numpy()) / own["scale"].to_numpy()
        found[name] = scaled.astype(np.float32) @ own["weight"].to_numpy()
    return found


def score_table(
    cohort: Cohort,
    model: RiskModel,
    traits: list[str],
    weighed: Weighed,
    expression: dict[str, NDArray[np.float64]],
    logits: dict[str, NDArray[np.float64]],
) -> pd.DataFrame:
    """Put all scores of all people into one table.

    Returns
    -------
    pd.DataFrame
        One row for each person and trait: sample, trait, split, ancestry, label, the columns of
        `phenviz.disease.cohort.ensemble.COMBINATIONS` as logits, ``prs_raw``, ``phenformer_raw`` (before they
        were put together with the covariates) and ``distance``; where principal components are known, also
        the polygenic score without what ancestry explains (`normalise_by_ancestry`), against the training
        people, or against everybody of another cohort.
    """
    people, covariates = cohort.people.table, covariates_of(cohort, model)
    components = covariates[:, [_is_component(name) for name in model.covariates]]
    same = model.card["cohort"] == cohort.name
    reference = cohort.people.rows("train") if same else np.arange(len(people))
    parts = []
    for name in traits:
        scores = {
            "covariates": model.covariate_model(name).apply(covariates),
            "prs": weighed.scores[name],
            "expression": expression[name],
            "phenformer": logits[name],
        }
        fits = model.combinations(name)
        part = people[["sample"]].assign(
            trait=name,
            split=people["split"],
            ancestry=people["ancestry"],
            label=people[name],
            **{column: fits[column].apply(scores) for column in COMBINATIONS},
            prs_raw=scores["prs"],
            phenformer_raw=scores["phenformer"],
            distance=weighed.distance,
        )
        if components.shape[1]:
            part = part.join(normalise_by_ancestry(scores["prs"], components, reference))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _is_component(name: str) -> bool:
    return re.fullmatch(r"pc_?\d+", name, re.IGNORECASE) is not None
