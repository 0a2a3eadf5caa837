"""Hypotheses from people: which contexts a cohort's traits act through, by what models say of everybody."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.disease.cohort.association import (
    GeneTests,
    TraitOfPeople,
    combined,
    contribution_tests,
    expression_tests,
    trait_of_people,
)
from phenviz.disease.cohort.folder import Cohort
from phenviz.disease.cohort.people import numbers_of
from phenviz.disease.cohort.saved import RiskModel
from phenviz.disease.cohort.scoring import traits_of
from phenviz.disease.cohort_methods import ATTRIBUTION, COHORT, EXPRESSION, WITH_VARIANTS
from phenviz.disease.engine import TestResult
from phenviz.disease.hypotheses import dataset_of
from phenviz.disease.methods import RECOMMENDED, Outcome
from phenviz.disease.simulated import SIMULATED_PEOPLE
from phenviz.errors import DataError
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import result_attrs

PERMUTATIONS = 10_000
DEFINITION = (
    "what goes with a trait in people of a cohort, given covariates, against the trait permuted within each "
    "ancestry; see method_label and units of each method"
)
_ROLES = ("sample", "family", "ancestry", "split")


@dataclass(frozen=True, eq=False)
class ModelEvidence:
    """What a sequence model and a Phenformer say of a cohort's people.

    Parameters
    ----------
    genes, contexts
        In the order of the arrays.
    expression
        Predicted, of everybody, (people, genes, contexts).
    held_out
        Rows of the people who taught the Phenformer nothing.
    contribution
        By trait: what each context adds to their logits, (held out, contexts).
    importance
        By trait: mean size of what each gene's expression in each context adds, (genes, contexts).
    model
        The Phenformer, by name and hash.
    place
        Contigs of the genes, and where they begin and end on the first.
    """

    genes: tuple[str, ...]
    contexts: tuple[Context, ...]
    expression: NDArray[np.float32]
    held_out: NDArray[np.intp]
    contribution: Mapping[str, NDArray[np.float64]]
    importance: Mapping[str, NDArray[np.float64]]
    model: str
    place: tuple[str, Locus]


def traits_to_test(cohort: Cohort, model: RiskModel, asked: Sequence[str] | None = None) -> list[str]:
    """Return names of traits: those of the model, or those asked for, which may be any column of numbers.

    Raises
    ------
    DataError
        If the cohort has no such column.
    """
    both = traits_of(cohort, model)
    if not asked:
        return both
    columns = [name for name in cohort.people.table if name not in {*_ROLES, *cohort.people.covariates}]
    for name in asked:
        if name not in columns:
            raise DataError(f"{cohort.name} has no trait {name!r}: choose from {', '.join(columns[:20])}")
    return list(dict.fromkeys(asked))


def people_hypotheses(
    cohort: Cohort,
    model: RiskModel,
    evidence: ModelEvidence,
    traits: Sequence[str],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    variants: xr.Dataset | None = None,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Test each trait in each context by people's predicted expression, and by the Phenformer's attribution.

    Parameters
    ----------
    cohort
        Gives traits, covariates, ancestries and families. Expression is tested in everybody, as no label
        entered it; attribution in those who taught the Phenformer nothing.
    model, evidence
        As trained, and what it says of these people.
    traits
        From `traits_to_test`; one that the model doesn't predict is tested by expression alone.
    permutations, seed
        Draws of the null.
    variants
        Hypotheses from fine-mapped variants (`phenviz.disease.hypotheses`), to be combined with those of
        traits and contexts of the same names.
    progress
        Updated by draws.

    Returns
    -------
    xr.Dataset
        As of `phenviz.disease.hypotheses`, by the methods of `phenviz.disease.cohort_methods`. On (trait,):
        ``people``, ``cases`` (NaN for a measure), ``held_out``. On (trait, gene, context):
        ``gene_correlation``, ``gene_z``, ``gene_p_value`` (by t), ``gene_p_permuted``, ``gene_p_family``
        (among all genes and contexts) and ``gene_importance``. Nobody's name or number is in it.

    Raises
    ------
    DataError
        If there are too few people, cases or controls, or a trait doesn't vary.
    """
    tested: dict[str, _Tested] = {}
    for name in traits:
        progress.stage(f"testing {name}", 2 * permutations)
        tested[name] = _test(cohort, name, evidence, permutations, seed, progress)
    results: dict[str, dict[str, TestResult]] = {
        COHORT: {name: combined(one.tests, permutations) for name, one in tested.items()},
        EXPRESSION: {name: one.tests[0] for name, one in tested.items()},
        ATTRIBUTION: {name: one.tests[1] for name, one in tested.items() if len(one.tests) > 1},
    }
    notes = _notes(cohort, model, evidence, [one.lacking for one in tested.values() if one.lacking])
    outcomes = {
        method: Outcome(evidence.contexts, own, {}, notes.get(method, "")) for method, own in results.items()
    }
    if variants is not None:
        outcomes |= _with_variants(variants, tested, evidence, permutations)
    attrs = _attrs(cohort, model, evidence, variants, {"permutations": permutations, "seed": seed})
    dataset = dataset_of(outcomes, list(traits), evidence.contexts, attrs)
    return dataset.assign({**_of_traits(tested), **_of_genes(tested, evidence)})


@dataclass(frozen=True, eq=False)
class _Tested:
    """One trait: in whom, by single genes, by context (expression, then attribution), and what is lacking."""

    people: TraitOfPeople
    held_out: TraitOfPeople | None
    genes: GeneTests
    tests: list[TestResult]
    lacking: str


def _test(
    cohort: Cohort, name: str, evidence: ModelEvidence, permutations: int, seed: int, progress: Progress
) -> _Tested:
    labels, generator = _labels(cohort, name), np.random.default_rng([seed, zlib.crc32(name.encode())])
    people = _trait(cohort, name, labels, np.arange(len(labels)))
    null: Any = {"permutations": permutations, "generator": generator, "progress": progress}
    genes, by_expression = expression_tests(people, evidence.expression[people.rows], **null)
    if name not in evidence.contribution:
        return _Tested(people, None, genes, [by_expression], f"the Phenformer doesn't predict {name}")
    try:
        held_out = _trait(cohort, name, labels, evidence.held_out)
    except DataError as error:
        lacking = f"of those who taught the Phenformer nothing: {error}"
        return _Tested(people, None, genes, [by_expression], lacking)
    own = evidence.contribution[name][np.searchsorted(evidence.held_out, held_out.rows)]
    return _Tested(people, held_out, genes, [by_expression, contribution_tests(held_out, own, **null)], "")


def _labels(cohort: Cohort, name: str) -> NDArray[np.float64]:
    table = cohort.people.table
    numbers = numbers_of(table[name], name, cohort.folder / str(cohort.card.get("people", "people")))
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _trait(cohort: Cohort, name: str, labels: NDArray[np.float64], rows: NDArray[np.intp]) -> TraitOfPeople:
    people = cohort.people
    return trait_of_people(name, labels, people.table, people.covariate_values().astype(np.float64), rows)


def _notes(cohort: Cohort, model: RiskModel, evidence: ModelEvidence, untested: list[str]) -> dict[str, str]:
    people = cohort.people
    note = f"Predicted expression of {len(evidence.genes):,} genes was looked at; others may matter more."
    if not any(re.fullmatch(r"pc_?\d+", name, re.IGNORECASE) for name in people.covariates):
        told = ", ".join(people.covariates) or "none"
        note += f" No principal components are among the covariates ({told}), so that what differs within an "
        note += "ancestry can't be told from what acts."
    if not (people.table["ancestry"] != "").any():
        note += " Nobody's ancestry is known: all people were permuted together."
    attribution = f"Not tested by {ATTRIBUTION}: {'; '.join(untested)}." if untested else ""
    counts = {split: len(people.rows(split)) for split in ("train", "validation", "test")}
    if model.card["cohort"] != cohort.name and model.card["people"] == counts:
        attribution += (
            f" {cohort.name} has as many people in each split as {model.card['cohort']}, which the "
            "Phenformer was trained on: if it is the same cohort by another name, its training "
            "people judge it, too."
        )
    return {EXPRESSION: note, ATTRIBUTION: attribution.strip()}


def _with_variants(
    variants: xr.Dataset, tested: Mapping[str, _Tested], evidence: ModelEvidence, permutations: int
) -> dict[str, Outcome]:
    """Take the tests of fine-mapped variants, and combine them with those of people."""
    part = _best_method(variants)
    contexts = [context.name for context in evidence.contexts]
    own = [name for name in tested if name in part["trait"].values]
    if not own or not np.isin(contexts, part["context"].values).any():
        raise DataError(
            "the hypotheses from variants share no trait and context with the cohort: theirs are "
            f"{', '.join(part['trait'].values.astype(str)[:8])} in "
            f"{', '.join(part['context'].values.astype(str)[:8])}"
        )
    part = part.reindex(context=contexts)
    numbers = [one.name for one in fields(TestResult) if one.name != "null_correlation"]
    found = {
        name: TestResult(**{one: part[one].sel(trait=name).values.astype(float) for one in numbers})
        for name in own
    }
    together = {name: combined([*tested[name].tests, found[name]], permutations) for name in own}
    method = str(part["method"].item())
    note = f"Fine-mapped variants were tested before: {variants.attrs['source']}, {method}."
    return {
        method: Outcome(evidence.contexts, found, {}, note),
        WITH_VARIANTS: Outcome(evidence.contexts, together, {}),
    }


def _best_method(variants: xr.Dataset) -> xr.Dataset:
    """Return the tests of the recommended method, or of the first one that is no control."""
    if not {"p_value", "is_control"} <= set(variants.variables) or "method" not in variants.dims:
        raise DataError("what is to be combined holds no hypotheses: give what `phenviz hypotheses` wrote")
    tested = np.isfinite(variants["p_value"].transpose("trait", "context", "method").values).any((0, 1))
    usable = tested & ~variants["is_control"].values.astype(bool)
    names = variants["method"].values[usable].astype(str).tolist()
    if not names or "cohort" in variants.attrs:
        raise DataError("what is to be combined holds no tests of fine-mapped variants: choose another file")
    return variants.sel({"method": RECOMMENDED if RECOMMENDED in names else names[0]})


def _of_traits(tested: Mapping[str, _Tested]) -> dict[str, Any]:
    cases = [np.nan if one.people.cases is None else one.people.cases for one in tested.values()]
    unseen = [0 if one.held_out is None else len(one.held_out) for one in tested.values()]
    return {
        "people": ("trait", np.array([len(one.people) for one in tested.values()])),
        "cases": ("trait", np.array(cases, dtype=float)),
        "held_out": ("trait", np.array(unseen)),
    }


def _of_genes(tested: Mapping[str, _Tested], evidence: ModelEvidence) -> dict[str, Any]:
    dims = ("trait", "gene", "context")
    found: dict[str, Any] = {
        f"gene_{name}": (dims, np.stack([getattr(one.genes, name) for one in tested.values()]))
        for name in (one.name for one in fields(GeneTests))
    }
    nothing = np.full((len(evidence.genes), len(evidence.contexts)), np.nan)
    found["gene_importance"] = (
        dims,
        np.stack([evidence.importance.get(name, nothing) for name in tested]),
    )
    return {**found, "gene": ("gene", np.array(evidence.genes, dtype=object))}


def _attrs(
    cohort: Cohort,
    model: RiskModel,
    evidence: ModelEvidence,
    variants: xr.Dataset | None,
    settings: Mapping[str, int],
) -> dict[str, Any]:
    contigs, place = evidence.place
    source = f"cohort {cohort.name}"
    if cohort.simulated:
        source += f", {SIMULATED_PEOPLE}"
    elif model.simulated:
        source += f"; the Phenformer was trained on {SIMULATED_PEOPLE}"
    if variants is not None:
        source += f"; variants: {variants.attrs['source']}"
    return result_attrs(
        place,
        None,
        cohort.individuals.reference,
        definition=DEFINITION,
        units="see method_units",
        contig=contigs,
        model=evidence.model,
        cohort=cohort.name,
        trained_on=model.trained_on,
        simulated=cohort.simulated or model.simulated,
        covariates=", ".join(cohort.people.covariates) or "none",
        source=source,
        **settings,
        multiple_testing="Benjamini-Hochberg over all tested traits and contexts of a method",
    )
