"""Give the people of a cohort the scores of a trained model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.ancestry import normalise_by_ancestry
from phenviz.disease.cohort.ensemble import COMBINATIONS
from phenviz.disease.cohort.expression_score import tokens_expression
from phenviz.disease.cohort.folder import Cohort
from phenviz.disease.cohort.genotypes import Block, ReadCounts, read_blocks
from phenviz.disease.cohort.saved import RiskModel
from phenviz.errors import DataError, ModelError
from phenviz.genome import Locus
from phenviz.genome.locus import contig_key
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import Tokens
from phenviz.variation import Individuals

KEY = ["contig", "position", "ref", "alt"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What the numbers of tokens are.

    Parameters
    ----------
    genes, contexts
        Names, in their order.
    channels
        Numbers of the embedding, which come first.
    """

    genes: tuple[str, ...]
    contexts: tuple[str, ...]
    channels: int


@dataclass
class Weighed:
    """Polygenic scores of people, and how much of them could be computed.

    Parameters
    ----------
    scores
        By trait, (people,).
    distance
        Genetic distance from the training people, (people,).
    found, known
        By trait: share of the weights' variants that the genotypes have, and of those that are known, with
        the ones that aren't listed where they would be.
    components
        The model's principal components, (people, k).
    counts
        Of the genotypes that were read.
    """

    scores: dict[str, NDArray[np.float64]]
    distance: NDArray[np.float64]
    found: dict[str, float]
    known: dict[str, float]
    components: NDArray[np.float64]
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


def held_out_people(cohort: Cohort, model: RiskModel) -> NDArray[np.intp]:
    """Return who taught a model nothing: the test people of its cohort, or everybody of another."""
    people = cohort.people
    return people.rows("test") if model.card["cohort"] == cohort.name else np.arange(len(people))


def covariates_of(cohort: Cohort, model: RiskModel) -> NDArray[np.float64]:
    """Return the covariates of a model for everybody, (people, covariates)."""
    table = cohort.people.table
    values = [pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float) for name in model.covariates]
    return np.stack(values, axis=1) if values else np.empty((len(table), 0))


def weigh_genotypes(
    individuals: Individuals,
    samples: Sequence[str],
    model: RiskModel,
    traits: Sequence[str],
    *,
    progress: Progress = NO_PROGRESS,
) -> Weighed:
    """Compute polygenic scores, genetic distances and components in one pass over the genotypes.

    A variant that isn't called in somebody, or that the genotypes lack, counts as frequent as in the training
    people.
    """
    weigher, counts = Weigher(model, traits, len(samples)), ReadCounts()
    for block in read_blocks(individuals, samples, counts=counts, progress=progress):
        weigher.add(block)
    return weigher.finish(counts)


class Weigher:
    """Adds up what variants of people weigh, block by block.

    Parameters
    ----------
    model
        As trained.
    traits
        Of its traits.
    people
        How many.
    """

    def __init__(self, model: RiskModel, traits: Sequence[str], people: int) -> None:
        self._table, self._traits = _weighed_variants(model, traits), list(traits)
        self._weights = self._table[[*traits, *model.component_names]].to_numpy(float)
        self._centre = self._table["frequency"].to_numpy(float)
        self._near = self._table["is_near"].to_numpy(bool)
        self._spread = np.maximum(2 * self._centre * (1 - self._centre), 1e-6)
        self._mean = float(model.card["distance_mean"])
        self._lookup = self._table[KEY].reset_index()
        self._seen = np.zeros(len(self._table), dtype=bool)
        self._total = np.zeros((people, self._weights.shape[1]))
        self._squares = np.zeros(people)

    def add(self, block: Block) -> None:
        """Add a block's variants; one that was there before counts once."""
        own = keyed(block.variants).reset_index()
        both = own.merge(self._lookup, on=KEY, suffixes=("", "_of"))
        rows = both["index_of"].to_numpy()
        fresh = ~self._seen[rows] & ~both["index_of"].duplicated().to_numpy()
        rows, where = rows[fresh], both["index"].to_numpy()[fresh]
        if not len(rows):
            return
        self._seen[rows] = True
        values = block.dosages()[where]
        centred = values - 2 * self._centre[rows, None]
        centred[values < 0] = 0
        self._total += centred.T @ self._weights[rows]
        near = self._near[rows]
        self._squares += (centred[near] ** 2 / self._spread[rows[near], None]).sum(axis=0)

    def finish(
        self, counts: ReadCounts | None = None, covered: Mapping[str, Sequence[Locus]] | None = None
    ) -> Weighed:
        """Return the sums.

        Parameters
        ----------
        counts
            Of the genotypes that were read.
        covered
            By `contig_key`, where the genotypes are known: who has no record there has two copies
            of the reference's allele, as in the file of one person. None where that isn't known.
        """
        seen, weights, centre = self._seen, self._weights, self._centre
        assumed = ~seen & _inside(self._table, covered)
        total = self._total - 2 * centre[assumed] @ weights[assumed]
        near = assumed & self._near
        squares = self._squares + (4 * centre[near] ** 2 / self._spread[near]).sum()
        measured = int((self._near & (seen | assumed)).sum())
        distance = squares / measured / self._mean if measured else np.full(len(squares), np.nan)
        count = len(self._traits)
        scores = total[:, :count] + 2 * centre @ weights[:, :count]
        used = [weights[:, number] != 0 for number in range(count)]
        return Weighed(
            {name: scores[:, number] for number, name in enumerate(self._traits)},
            distance,
            {name: _share(seen, used[number]) for number, name in enumerate(self._traits)},
            {name: _share(seen | assumed, used[number]) for number, name in enumerate(self._traits)},
            total[:, count:],
            ReadCounts() if counts is None else counts,
        )


def _weighed_variants(model: RiskModel, traits: Sequence[str]) -> pd.DataFrame:
    """Return every variant that something is made of: KEY, frequency, is_near, a weight for each column."""
    weights, components, distance = (
        keyed(table).assign(**table.drop(columns=KEY))
        for table in (model.weights, model.components, model.distance)
    )
    parts = [
        weights.pivot_table(
            index=KEY, columns="trait", values="weight", aggfunc="sum", observed=True
        ).reindex(columns=list(traits)),
        components.set_index(KEY)[list(model.component_names)],
        distance.set_index(KEY).assign(is_near=True)[["is_near"]],
    ]
    table = pd.concat(parts, axis=1).infer_objects().fillna({"is_near": False}).fillna(0.0)
    known = pd.concat([one[[*KEY, "frequency"]] for one in (weights, distance, components)])
    table["frequency"] = known.drop_duplicates(KEY).set_index(KEY)["frequency"].reindex(table.index)
    return table.reset_index()


def keyed(table: pd.DataFrame) -> pd.DataFrame:
    """Return `KEY` of variants, such that all names of a contig are one."""
    names = table["contig"].astype(str)
    return table[KEY].assign(contig=names.map({name: contig_key(name) for name in names.unique()}))


def _inside(table: pd.DataFrame, covered: Mapping[str, Sequence[Locus]] | None) -> NDArray[np.bool_]:
    found = np.zeros(len(table), dtype=bool)
    for contig, loci in (covered or {}).items():
        here = (table["contig"] == contig).to_numpy()
        for locus in loci:
            found |= here & table["position"].between(locus.start + 1, locus.end).to_numpy()
    return found


def _share(known: NDArray[np.bool_], used: NDArray[np.bool_]) -> float:
    return float(known[used].mean()) if used.any() else 1.0


def expression_scores(
    tokens: Tokens,
    layout: Layout,
    model: RiskModel,
    traits: Sequence[str],
) -> dict[str, NDArray[np.float64]]:
    """Compute the linear scores of predicted expression, by trait, (people,)."""
    flat = tokens_expression(tokens, layout.channels).reshape(len(tokens), -1)
    pairs = ((gene, context) for gene in layout.genes for context in layout.contexts)
    place = {pair: number for number, pair in enumerate(pairs)}
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
        scores = combined(model, name, covariates, weighed.scores[name], expression[name], logits[name])
        part = people[["sample"]].assign(
            trait=name,
            split=people["split"],
            ancestry=people["ancestry"],
            label=people[name],
            **scores,
            prs_raw=weighed.scores[name],
            phenformer_raw=logits[name],
            distance=weighed.distance,
        )
        if components.shape[1]:
            part = part.join(normalise_by_ancestry(weighed.scores[name], components, reference))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def combined(
    model: RiskModel,
    trait: str,
    covariates: NDArray[np.float64],
    prs: NDArray[np.float64],
    expression: NDArray[np.float64],
    logits: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Put a trait's scores of people together, as log odds: a column for each of `COMBINATIONS`.

    Parameters
    ----------
    model, trait
        Says how.
    covariates
        Of people, (people, covariates); NaN where unknown.
    prs, expression, logits
        Theirs, before they are put together; the Phenformer's logits at average covariates.
    """
    scores = {
        "covariates": model.covariate_model(trait).apply(covariates),
        "prs": prs,
        "expression": expression,
        "phenformer": logits,
    }
    fits = model.combinations(trait)
    return {column: fits[column].apply(scores) for column in COMBINATIONS}


def unknown_covariates(model: RiskModel, people: int) -> NDArray[np.float64]:
    """Return the covariates of people of whom nothing is known: they count as average."""
    return np.full((people, len(model.covariates)), np.nan)


def _is_component(name: str) -> bool:
    return re.fullmatch(r"pc_?\d+", name, re.IGNORECASE) is not None
