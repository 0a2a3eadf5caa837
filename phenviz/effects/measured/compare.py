"""Compare what methods predict of a gene with what was measured in people who were held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from phenviz.effects.measured.agreement import Agreement, agreement
from phenviz.effects.measured.drivers import Driver, driver_of, top_variant
from phenviz.effects.measured.folds import FOLDS, SPLITS, Fold, residuals, shuffled_within
from phenviz.effects.measured.methods import METHODS, FoldGenotypes, HeldOut, Numbers, predict_held_out
from phenviz.effects.measured.people import WINDOW, MeasuredPeople
from phenviz.genome import Context, Gene
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results import context_coords, text_array

DEFINITION = (
    "Pearson correlation of predicted with measured expression over people who were held out, within each "
    "population and fold, after the population, the depth of sequencing and up to 10 components of the "
    "expression of genes on other contigs were regressed out of the measured values (on the training people "
    "alone). "
    "model: sum of the expression predicted from both haplotypes, learned from no person; top-variant and "
    f"elastic-net: genotypes within {WINDOW // 1000:,} kb of the TSS (5 % or more among the training "
    "people), penalty by cross-validation within them; model+elastic-net: both, weighed on them. Methods "
    "without the "
    "model are the same in every context. Intervals are Fisher's at 95 %. shuffled: the same with people "
    "shuffled within their population; far_gene: with genotypes and prediction of a gene far away"
)
# of what is reported, in the order of the methods
_OF_AGREEMENT = ("correlation", "low", "high", "p_value", "people")
_CONTROLS = ("shuffled", "far_gene")

# what the sequence model predicts for each person: (people, contexts)
Predict = Callable[[Gene], Numbers]
# what each variant of a table changes in the gene's expression: (variants, contexts)
VariantEffects = Callable[[Gene, pd.DataFrame], Numbers]


@dataclass(frozen=True, eq=False)
class Model:
    """What a sequence model says.

    Parameters
    ----------
    contexts
        What it predicts for.
    predict
        Expression from both haplotypes of each person, added up.
    variant_effects
        Change of expression by each variant alone.
    seen
        In which part of the genome a gene lies: ``training``, ``validation`` or ``test`` of the model,
        ``unknown`` where its card doesn't say.
    """

    contexts: Sequence[Context]
    predict: Predict
    variant_effects: VariantEffects
    seen: Callable[[Gene], str]


def compare_gene(
    people: MeasuredPeople,
    gene: Gene,
    model: Model,
    elsewhere: NDArray[np.bool_],
    *,
    far: Gene | None = None,
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> xr.Dataset:
    """Judge all methods on one gene.

    Parameters
    ----------
    people
        Measured, with genotypes.
    gene
        At least one feature of it was measured.
    model
        Predicts its expression.
    elsewhere
        Features from which components of expression may be taken (`people.elsewhere_of`).
    far
        Gene of the negative control; None for none.
    seed
        Of the shuffled control.
    progress
        Is asked whether to go on, and told about each feature.

    Returns
    -------
    xr.Dataset
        Rows along ``gene`` are its features, named by coordinate ``feature``. ``correlation``, ``low``,
        ``high``, ``p_value``, ``people``, and for the controls ``shuffled``, ``shuffled_p_value``,
        ``far_gene`` and
        ``far_gene_p_value`` (of 5-fold), all (gene, context, method, split), NaN where nothing could be
        predicted; of the
        variant that most of the agreement or disagreement of the model comes from ``driver``,
        ``driver_effect`` (predicted change per ALT allele) and ``driver_slope`` (measured one), (gene,
        context);
        of the variant that goes with most of what was measured ``top_variant``, ``top_variant_id``,
        ``top_variant_slope`` and ``top_variant_p_value`` (gene), chosen on everybody. ``measured_value``
        (gene, individual) and ``predicted_value`` (gene, individual, context, method) are those of 5-fold.
    """
    features = people.features_of(gene)
    predicted = model.predict(gene)
    away = None if far is None else model.predict(far)
    around = people.dosages(gene, progress)
    around_far = None if far is None else people.dosages(far, progress)[1]
    effects = model.variant_effects(gene, around[0])
    progress.stage("comparing", len(features))
    rows = []
    for feature in features:
        rows.append(
            _compare_feature(
                people, feature, elsewhere, around, effects, predicted, around_far, away, seed, progress
            )
        )
        progress.advance(1)
    return _as_dataset(people, gene, features, rows, model, far)


@dataclass(frozen=True, eq=False)
class _Row:
    """All about one feature."""

    found: dict[tuple[str, str], list[list[Agreement]]]
    driver: list[Driver]
    top: Driver
    measured: Numbers
    predicted: Numbers


def _compare_feature(
    people: MeasuredPeople,
    feature: int,
    elsewhere: NDArray[np.bool_],
    around: tuple[pd.DataFrame, NDArray[np.float32]],
    effects: Numbers,
    model: Numbers,
    around_far: NDArray[np.float32] | None,
    away: Numbers | None,
    seed: int,
    progress: Progress,
) -> _Row:
    values = people.measured.values[:, feature]
    known = np.flatnonzero(np.isfinite(values))
    values, own = values[known], people.covariates(feature, elsewhere, known)
    variants, dosages = around[0], around[1][known]
    found: dict[tuple[str, str], list[list[Agreement]]] = {}
    every = np.full((len(people.names), *model.shape[1:], len(METHODS)), np.nan)
    measured = np.full(len(people.names), np.nan)
    for split, folds in people.folds(known).items():
        if not folds:
            continue
        designs = people.designs(feature, elsewhere, known, folds, split)
        seen = [FoldGenotypes(dosages, fold) for fold in folds]
        held_out = predict_held_out(values, own, folds, seen, model[known], designs=designs)
        found[split, ""] = _agreements(held_out)
        progress.check()
        if split != FOLDS:
            continue
        measured[known] = held_out.measured
        every[known] = np.stack([held_out.predicted[method] for method in METHODS], axis=-1)
        # the measured values move, with all that was measured in the same people; genotypes stay
        order = shuffled_within(own.populations, np.random.default_rng(seed))
        found[split, "shuffled"] = _agreements(
            predict_held_out(values[order], own.taken(order), folds, seen, model[known])
        )
        progress.check()
        if around_far is not None and away is not None:
            other = [FoldGenotypes(around_far[known], fold) for fold in folds]
            found[split, "far_gene"] = _agreements(
                predict_held_out(values, own, folds, other, away[known], designs=designs)
            )
        progress.check()
    everybody = Fold(np.arange(len(known)), np.arange(len(known)))
    left = residuals(values, own.design(everybody.train), everybody.train)
    drivers = driver_of(variants, dosages, effects, left, model[known])
    return _Row(found, drivers, top_variant(variants, dosages, left), measured, every)


def _agreements(held_out: HeldOut) -> list[list[Agreement]]:
    """Judge each method in each context: rows are contexts."""
    contexts = held_out.predicted[METHODS[0]].shape[1]
    return [
        [
            agreement(held_out.predicted[method][:, context], held_out.measured, held_out.groups)
            for method in METHODS
        ]
        for context in range(contexts)
    ]


def _as_dataset(
    people: MeasuredPeople,
    gene: Gene,
    features: Sequence[int],
    rows: Sequence[_Row],
    model: Model,
    far: Gene | None,
) -> xr.Dataset:
    dims = ("gene", "context", "method", "split")
    variables: dict[str, Any] = {}
    for column, name in enumerate(_OF_AGREEMENT):
        kind = np.int32 if name == "people" else np.float64
        variables[name] = (dims, _collected(rows, "", column, len(model.contexts)).astype(kind))
    for control in _CONTROLS:
        variables[control] = (dims, _collected(rows, control, 0, len(model.contexts)))
        variables[f"{control}_p_value"] = (dims, _collected(rows, control, 3, len(model.contexts)))
    for name in ("effect", "slope"):
        numbers = [[getattr(driver, name) for driver in row.driver] for row in rows]
        variables[f"driver_{name}"] = (("gene", "context"), np.array(numbers, dtype=float))
    for name, part in (("driver", "key"), ("driver_id", "id")):
        words = [[getattr(driver, part) for driver in row.driver] for row in rows]
        variables[name] = (("gene", "context"), np.array(words, dtype=str))
    variables |= {
        "top_variant": ("gene", text_array(row.top.key for row in rows)),
        "top_variant_id": ("gene", text_array(row.top.id for row in rows)),
        "top_variant_slope": ("gene", np.array([row.top.slope for row in rows], dtype=float)),
        "top_variant_p_value": ("gene", np.array([row.top.p_value for row in rows], dtype=float)),
        "measured_value": (
            ("gene", "individual"),
            np.stack([row.measured for row in rows]).astype(np.float32),
        ),
        "predicted_value": (
            ("gene", "individual", "context", "method"),
            np.stack([row.predicted for row in rows]).astype(np.float32),
        ),
    }
    names = [people.measured.features[feature] for feature in features]
    count = len(features)
    return xr.Dataset(
        variables,
        coords={
            "gene": ("gene", [gene.name] * count),
            "gene_id": ("gene", [gene.gene_id] * count),
            "feature": ("gene", names),
            "contig": ("gene", [gene.locus.contig] * count),
            "tss": ("gene", [gene.tss] * count),
            "gene_is": ("gene", [model.seen(gene)] * count),
            "far": ("gene", ["" if far is None else far.name] * count),
            "method": ("method", list(METHODS)),
            "split": ("split", list(SPLITS)),
            "population": ("individual", people.populations.astype(object)),
            "individual": ("individual", text_array(people.names)),
            **context_coords(model.contexts),
        },
    )


def _collected(rows: Sequence[_Row], control: str, column: int, contexts: int) -> NDArray[np.float64]:
    """Lay out one number of each agreement: (features, contexts, methods, splits)."""
    numbers = np.full((len(rows), contexts, len(METHODS), len(SPLITS)), 0.0 if column == 4 else np.nan)
    for row, one in enumerate(rows):
        for place, split in enumerate(SPLITS):
            if (found := one.found.get((split, control))) is not None:
                numbers[row, :, :, place] = [[every[column] for every in context] for context in found]
    return numbers


def join_genes(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put some of the genes together, with all splits."""
    return xr.concat(
        list(parts), dim="gene", data_vars="minimal", coords="minimal", compat="override", join="override"
    )


def join_measured(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put genes together, and add ``q_value``: Benjamini and Hochberg's over all of them.

    A split that nobody could be judged in is left out: people of one population can't be held out by it.
    """
    joined = join_genes(parts)
    judged = joined["people"].any([name for name in joined["people"].dims if name != "split"]).values
    judged[SPLITS.index(FOLDS)] = True
    joined = joined.isel(split=np.flatnonzero(judged))
    p_values = joined["p_value"].values
    q_values = np.full(p_values.shape, np.nan)
    for place in np.ndindex(p_values.shape[1:]):
        column = (slice(None), *place)
        known = np.isfinite(p_values[column])
        if known.any():
            chosen = q_values[column]
            chosen[known] = false_discovery_control(p_values[column][known])
            q_values[column] = chosen
    joined["q_value"] = (joined["p_value"].dims, q_values)
    return joined
