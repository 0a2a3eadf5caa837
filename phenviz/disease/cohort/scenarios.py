"""What makes the simulated people ill: the truth that a study of them can be held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.dosages import Dosages
from phenviz.disease.cohort.liability import Liability, centred_within
from phenviz.errors import DataError

SCENARIOS = ("additive", "mediated", "shared", "null", "subtypes", "blood")
# these need what a model says about expression
MEDIATED = ("mediated", "shared", "subtypes")


class PlantedExpression(Protocol):
    """Expression of genes in people, as a perturbed copy of the model has it."""

    def __call__(self, genes: Sequence[str]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Return (people, genes, contexts), both haplotypes together, and the names of the contexts."""


@dataclass(frozen=True, slots=True)
class ScenarioOptions:
    """Numbers of a scenario.

    Parameters
    ----------
    variants
        Causal variants of ``additive``.
    genes
        Planted genes of ``mediated``, ``shared`` (four times as many) and of each subtype.
    nonlinear
        Share of the genetic variance of ``mediated`` that comes from pairs of genes.
    context
        Context, by its short name, that ``mediated`` and ``shared`` act through; None for any.
    """

    variants: int = 60
    genes: int = 10
    nonlinear: float = 0.25
    context: str | None = None

    def __post_init__(self) -> None:
        if self.variants < 1 or self.genes < 2:
            raise DataError("a scenario needs at least 1 causal variant and 2 genes")
        if not 0 <= self.nonlinear < 1:
            raise DataError(f"nonlinear={self.nonlinear:g}: give a share from 0 to below 1")


@dataclass(frozen=True, eq=False)
class Setting:
    """What a scenario is drawn from.

    Parameters
    ----------
    people
        sample, ancestry, split, sex, age.
    within
        Rows of the people of the training ancestries.
    dosages
        Common variants.
    genes
        Names of the genes that a scenario may choose, and their groups of contexts are those of the model.
    groups
        Lineage of each context.
    expression
        Gives the planted expression; None where no scenario needs it.
    """

    people: pd.DataFrame
    within: NDArray[np.intp]
    dosages: Dosages
    genes: tuple[str, ...]
    groups: Mapping[str, str]
    expression: PlantedExpression | None


@dataclass(frozen=True, eq=False)
class Drawn:
    """Labels of everybody, and how they came about.

    Parameters
    ----------
    labels
        One column for each trait, 1 for cases and 0 for controls.
    truth
        What was planted; JSON-able.
    hidden
        What nobody would know of real people (liability, subtype), one column each.
    """

    labels: pd.DataFrame
    truth: dict[str, Any]
    hidden: pd.DataFrame = field(default_factory=pd.DataFrame)


def draw_labels(
    scenario: str,
    setting: Setting,
    liability: Liability,
    options: ScenarioOptions,
    rng: np.random.Generator,
) -> Drawn:
    """Make people ill.

    Parameters
    ----------
    scenario
        One of `SCENARIOS`, but for ``blood``, whose effects come from outside (`draw_from_weights`).
    setting, liability, options, rng
        What it is drawn from.

    Raises
    ------
    DataError
        If there is no such scenario, or too few variants or genes for it.
    """
    draw = {
        "additive": _additive,
        "mediated": _mediated,
        "shared": _shared,
        "null": _null,
        "subtypes": _subtypes,
    }.get(scenario)
    if draw is None:
        raise DataError(f"scenario {scenario!r}: choose one of {', '.join(SCENARIOS)}")
    return draw(setting, liability, options, rng)


def draw_from_weights(
    weights: Mapping[str, NDArray[np.float64]],
    setting: Setting,
    liability: Liability,
    rng: np.random.Generator,
) -> Drawn:
    """Make people ill by effects of variants, one trait for each column of weights.

    Parameters
    ----------
    weights
        Effect of each of the setting's variants on each trait.
    setting, liability, rng
        As for `draw_labels`.
    """
    labels, hidden, truth = {}, {}, {}
    for trait, effects in weights.items():
        value = setting.dosages.score(effects)
        labels[trait], hidden[f"{trait}_liability"] = _fall_ill(value, setting, liability, rng)
        truth[trait] = {"variants": _variants(setting.dosages, effects)}
    return Drawn(pd.DataFrame(labels), {"traits": truth}, pd.DataFrame(hidden))


def _additive(setting: Setting, liability: Liability, options: ScenarioOptions, rng: Any) -> Drawn:
    count = len(setting.dosages)
    if count < options.variants:
        raise DataError(f"{options.variants} causal variants among {count} common ones: ask for fewer")
    effects = np.zeros(count)
    causal = np.sort(rng.choice(count, options.variants, replace=False))
    # each explains as much on average, however rare it is
    effects[causal] = rng.normal(size=options.variants) / setting.dosages.deviation[causal]
    return draw_from_weights({"T": effects}, setting, liability, rng)


def _null(setting: Setting, liability: Liability, options: ScenarioOptions, rng: Any) -> Drawn:
    chance = Liability(0.0, liability.prevalence, 0.0)
    label, value = _fall_ill(np.zeros(len(setting.people)), setting, chance, rng)
    return Drawn(pd.DataFrame({"T": label}), {"traits": {"T": {}}}, pd.DataFrame({"T_liability": value}))


def _mediated(setting: Setting, liability: Liability, options: ScenarioOptions, rng: Any) -> Drawn:
    names, values, context = _planted(setting, options.genes, options.context, rng)
    weights = rng.choice([-1.0, 1.0], len(names)) * rng.uniform(0.5, 1.5, len(names))
    linear = values @ weights
    pairs = np.arange(len(names) // 2 * 2).reshape(-1, 2)
    together = sum(values[:, one] * values[:, two] for one, two in pairs)
    genetic = _unit(linear) * np.sqrt(1 - options.nonlinear) + _unit(together) * np.sqrt(options.nonlinear)
    label, hidden = _fall_ill(genetic, setting, liability, rng)
    truth = {
        "context": context,
        "lineage": setting.groups.get(context, ""),
        "genes": dict(zip(names, weights.tolist(), strict=True)),
        "pairs": [[names[one], names[two]] for one, two in pairs],
    }
    return Drawn(pd.DataFrame({"T": label}), {"traits": {"T": truth}}, pd.DataFrame({"T_liability": hidden}))


def _shared(setting: Setting, liability: Liability, options: ScenarioOptions, rng: Any) -> Drawn:
    count = min(4 * options.genes, len(setting.genes))
    names, values, context = _planted(setting, count, options.context, rng)
    weights = rng.normal(size=len(names))
    label, hidden = _fall_ill(values @ weights, setting, liability, rng)
    truth = {
        "context": context,
        "lineage": setting.groups.get(context, ""),
        "genes": dict(zip(names, weights.tolist(), strict=True)),
    }
    return Drawn(pd.DataFrame({"T": label}), {"traits": {"T": truth}}, pd.DataFrame({"T_liability": hidden}))


def _subtypes(setting: Setting, liability: Liability, options: ScenarioOptions, rng: Any) -> Drawn:
    """Two ways to the same disease, each with a comorbidity of its own."""
    chosen = rng.permutation(len(setting.genes))[: 2 * options.genes]
    if len(chosen) < 2:
        raise DataError("two subtypes need at least 2 genes: simulate a longer locus")
    halves = np.array_split(chosen, 2)
    # each mechanism alone makes fewer ill, so that both together make the stated share
    each = Liability(liability.heritability, 1 - np.sqrt(1 - liability.prevalence), liability.covariates)
    lineages = list(dict.fromkeys(setting.groups.values()))
    rng.shuffle(lineages)
    labels: dict[str, Any] = {}
    hidden: dict[str, Any] = {}
    mechanisms = []
    for number, half in enumerate(halves, 1):
        names = [setting.genes[index] for index in half]
        lineage = lineages[(number - 1) % len(lineages)]
        members = [name for name, group in setting.groups.items() if group == lineage]
        context = members[int(rng.integers(len(members)))]
        values = _expression(setting, names, context)
        weights = rng.choice([-1.0, 1.0], len(names)) * rng.uniform(0.5, 1.5, len(names))
        genetic = values @ weights
        ill, hidden[f"mechanism_{number}"] = _fall_ill(genetic, setting, each, rng)
        labels[f"C{number}"], _ = _fall_ill(genetic, setting, liability, rng)
        hidden[f"ill_by_{number}"] = ill
        mechanisms.append(
            {"context": context, "lineage": lineage, "genes": dict(zip(names, weights.tolist(), strict=True))}
        )
    first, second = hidden["mechanism_1"], hidden["mechanism_2"]
    ill = np.maximum(hidden["ill_by_1"], hidden["ill_by_2"])
    # a case is of the mechanism that went further above the threshold
    hidden["subtype"] = np.where(ill == 1, np.where(first >= second, 1, 2), 0)
    table = pd.DataFrame({"T": ill, **labels})
    truth = {"traits": {"T": {"mechanisms": mechanisms}, "C1": mechanisms[0], "C2": mechanisms[1]}}
    return Drawn(table, truth, pd.DataFrame(hidden))


def _planted(
    setting: Setting, count: int, context: str | None, rng: Any
) -> tuple[list[str], NDArray[np.float64], str]:
    """Choose genes and a context: names, standardised expression (people, genes), context."""
    if len(setting.genes) < count:
        raise DataError(
            f"{count} planted genes among {len(setting.genes)} of the locus: ask for fewer, or simulate a "
            "longer locus"
        )
    names = [setting.genes[index] for index in np.sort(rng.permutation(len(setting.genes))[:count])]
    known = list(setting.groups)
    if context is not None and context not in known:
        raise DataError(f"context {context!r}: the model predicts expression in {', '.join(known)}")
    chosen = context or known[int(rng.integers(len(known)))]
    return names, _expression(setting, names, chosen), chosen


def _expression(setting: Setting, names: Sequence[str], context: str) -> NDArray[np.float64]:
    assert setting.expression is not None
    values, contexts = setting.expression(names)
    return np.stack([_unit(column) for column in values[:, :, contexts.index(context)].T], axis=1)


def _fall_ill(
    genetic: NDArray[np.float64], setting: Setting, liability: Liability, rng: Any
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    people = setting.people
    ancestry = people["ancestry"].to_numpy(dtype=object)
    value = liability.draw(
        genetic, people["age"].to_numpy(float), people["sex"].to_numpy(float), ancestry, setting.within, rng
    )
    value = centred_within(value, ancestry)
    for name in np.unique(ancestry.astype(str)):
        rows = ancestry.astype(str) == name
        # the same share of cases everywhere, whatever an ancestry's spread is
        value[rows] /= max(value[rows].std(), 1e-12)
    return liability.cases(value).astype(np.int64), value


def _variants(dosages: Dosages, effects: NDArray[np.float64]) -> list[dict[str, Any]]:
    table = dosages.variants[["contig", "position", "ref", "alt"]].assign(effect=effects)
    found: list[dict[str, Any]] = table[effects != 0].to_dict("records")
    return found


def _unit(values: Any) -> NDArray[np.float64]:
    centred = np.asarray(values, dtype=np.float64) - np.mean(values)
    spread = centred.std()
    return centred / spread if spread > 0 else centred
