"""Simulated traits: fine-mapped variants that nobody measured, to show how the tests work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.background import random_background
from phenviz.disease.inputs import indels
from phenviz.disease.scores import Scorer, score_all
from phenviz.disease.traits import TraitReport, TraitVariants, make_trait_variants
from phenviz.errors import DataError
from phenviz.genome.contexts import without_reporters
from phenviz.progress import NO_PROGRESS, Progress

if TYPE_CHECKING:
    from phenviz.world import World

SIMULATED_SOURCE = "SIMULATED traits (not data)"
SIMULATED_PEOPLE = "SIMULATED people (not data)"
_PREFIX = "SIMULATED"
_CANDIDATES, _DEEP = 1_500, 300
_APART = 500_000
_LIGHT = 3
_NEARBY = 20_000


def simulated_traits(
    world: World,
    *,
    contexts: Sequence[str] | None = None,
    loci: int = 10,
    seed: int = 0,
    scorer: Scorer | None = None,
    progress: Progress = NO_PROGRESS,
) -> TraitVariants:
    """Make up fine-mapped variants of traits that act through known contexts, and of one that acts nowhere.

    The causal variants are chosen by the model's own predictions, so a test that finds the planted context
    shows how the test works, and nothing about biology or about how good the model is.

    Parameters
    ----------
    world
        Gives genome and backbone.
    contexts
        Names of contexts to plant; by default the two, of different groups where there are several, in which
        the candidates' effects stand out most.
    loci
        Loci of each trait; fewer on contigs too short for as many.
    seed
        Of all that is random.
    scorer
        Scores variants; `phenviz.effects.score_variants` by default.
    progress
        Updated during the scoring.

    Returns
    -------
    TraitVariants
        Traits ``SIMULATED-<context>`` and ``SIMULATED-nothing``; each locus has one variant with a posterior
        of 0.6 to 0.95 and three that share the rest. The source says that they are simulated.

    Raises
    ------
    DataError
        If the world has no such context, or too little sequence for two loci.
    """
    if scorer is None:
        from phenviz.effects import score_variants

        scorer = score_variants
    names = [context.name for context in without_reporters(world.contexts)]
    for name in contexts or ():
        if name not in names:
            raise DataError(f"no context {name!r} to plant: choose from {', '.join(names)}")

    def scored(variants: pd.DataFrame):  # type: ignore[no-untyped-def]
        return score_all(
            variants, world.reference, world.backbone, without_reporters(world.contexts), scorer, progress
        )

    pool = random_background(
        world.reference,
        world.annotation,
        list(world.reference.contigs)[:1],
        lambda variants: scored(variants).active.mean(1),
        # another one than the tests draw their background with
        seed=seed + 101,
        singles=_CANDIDATES,
        deep=_DEEP,
    ).variants
    pool = pool[~indels(pool)].reset_index(drop=True)
    scores = scored(pool)
    finite = np.isfinite(scores.magnitude).all(1)
    excess = np.where(finite[:, None], _own_effect(scores.magnitude, world), -np.inf)
    chosen = list(contexts) if contexts else _outstanding(excess, world)
    generator = np.random.default_rng([seed, 7])
    reach = min(_APART, world.reference.contigs[str(pool["contig"].iloc[0])] // (2 * loci + 1))
    parts = []
    for trait, strength in [
        *((name, excess[:, names.index(name)]) for name in chosen),
        ("nothing", np.where(finite, generator.random(len(pool)), -np.inf)),
    ]:
        leads = _apart(pool, np.argsort(-strength, kind="stable"), loci, reach)
        leads = leads[np.isfinite(strength[leads])]
        if len(leads) < 2:
            raise DataError("the world's first contig is too short to simulate two loci of a trait")
        column = names.index(trait) if trait in names else 0
        signs = np.sign(scores.effect[:, column])
        parts.append(_trait(f"{_PREFIX}-{trait}", pool, leads, signs, trait != "nothing", generator))
    report = TraitReport(SIMULATED_SOURCE)
    table = pd.concat(parts, ignore_index=True)
    report.read = len(table)
    report.posterior = {str(name): float(part.sum()) for name, part in table.groupby("trait")["posterior"]}
    report.notes.append("simulated: chosen by the model's own predictions, to show how the tests work")
    return make_trait_variants(table, report)


def is_simulated(source: str) -> bool:
    """Tell whether a result's source (attribute ``source``) is that of simulated traits or people."""
    return SIMULATED_SOURCE in source or SIMULATED_PEOPLE in source


def simulated_title(source: str) -> str:
    """Return the title that figures of simulated results have; "" for others."""
    if SIMULATED_PEOPLE in source:
        return "SIMULATED people, not data"
    return "SIMULATED traits, not data" if is_simulated(source) else ""


def _own_effect(magnitude: NDArray[np.floating], world: World) -> NDArray[np.floating]:
    """Return how much larger each effect is than the largest in contexts of other groups, (n, C)."""
    groups = np.array([context.group for context in without_reporters(world.contexts)])
    excess = np.empty_like(magnitude)
    for group in dict.fromkeys(groups):
        inside = groups == group
        others = magnitude[:, ~inside]
        beside = others.max(1) if others.shape[1] else magnitude.mean(1)
        excess[:, inside] = magnitude[:, inside] - beside[:, None]
    return excess


def _outstanding(excess: NDArray[np.floating], world: World) -> list[str]:
    """Return the two contexts, of different groups if possible, with the largest effects of their own."""
    top = np.sort(excess, axis=0)[-10:].mean(0)
    order = [without_reporters(world.contexts)[column] for column in np.argsort(-top, kind="stable")]
    other = next((context for context in order[1:] if context.group != order[0].group), None)
    return [order[0].name, *([other.name] if other else [context.name for context in order[1:2]])]


def _apart(pool: pd.DataFrame, order: NDArray[np.intp], count: int, reach: int) -> NDArray[np.intp]:
    """Return the first rows of an order that lie far enough from those before them."""
    position = pool["position"].to_numpy(np.int64)
    kept: list[int] = []
    for row in order:
        if all(abs(position[row] - position[other]) > reach for other in kept):
            kept.append(int(row))
        if len(kept) == count:
            break
    return np.array(kept, dtype=np.intp)


def _trait(
    name: str,
    pool: pd.DataFrame,
    leads: NDArray[np.intp],
    signs: NDArray[np.floating],
    planted: bool,
    generator: np.random.Generator,
) -> pd.DataFrame:
    position = pool["position"].to_numpy(np.int64)
    rows, weights, regions, betas = [], [], [], []
    for number, lead in enumerate(leads):
        near = np.flatnonzero((np.abs(position - position[lead]) <= _NEARBY) & (position != position[lead]))
        light = generator.permutation(near)[:_LIGHT]
        weight = generator.uniform(0.6, 0.95)
        rows += [lead, *light]
        weights += [weight, *[(1 - weight) / max(len(light), 1)] * len(light)]
        size = generator.uniform(0.02, 0.1)
        sign = signs[lead] if planted else generator.choice([-1.0, 1.0])
        betas += [size * sign, *(0.3 * size * generator.choice([-1.0, 1.0], len(light)))]
        regions += [f"simulated{number + 1}"] * (1 + len(light))
    columns = pool.iloc[rows][["contig", "position", "ref", "alt"]].reset_index(drop=True)
    return columns.assign(trait=name, posterior=weights, beta=betas, se=0.01, region=regions)
