"""Expression that a simulated disease acts through: that of a perturbed copy of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.folder import generator
from phenviz.disease.cohort.genotypes import read_blocks
from phenviz.disease.cohort.plan import Plan
from phenviz.disease.cohort.real_sites import real_sites
from phenviz.disease.cohort.real_variants import blood_weights
from phenviz.disease.cohort.scenarios import MEDIATED, PlantedExpression
from phenviz.disease.cohort.simulate import SimulationRequest, simulate_cohort
from phenviz.errors import DataError, ModelError
from phenviz.models.phenformer import GeneSite
from phenviz.models.token_layout import WINDOW
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.service.chosen_people import people
from phenviz.service.cohort_effects import token_effects
from phenviz.service.cohort_embedding import windows_of

if TYPE_CHECKING:
    from phenviz.service.service import ModelService
    from phenviz.variation import Individuals
    from phenviz.world import World

_NOISE = 4


@dataclass(frozen=True, slots=True)
class Perturbation:
    """How the truth differs from what the model says.

    Parameters
    ----------
    amount
        Noise that is added to each effect of a variant on a gene's expression, in standard deviations of that
        gene's effects: 0 is the model itself, 1 as much noise as effect.
    silent
        Share of genes whose effects are noise alone, where the amount isn't 0.
    """

    amount: float = 1.0
    silent: float = 0.2

    def __post_init__(self) -> None:
        if self.amount < 0 or not 0 <= self.silent < 1:
            raise DataError(
                f"perturbation {self.amount:g}, silent {self.silent:g}: the first is 0 or more, the second "
                "from 0 "
                "to below 1"
            )


def simulate_people(
    world: World,
    request: SimulationRequest,
    folder: Path,
    perturbation: Perturbation,
    *,
    at_real_sites: bool = False,
    device: str = "auto",
    progress: Progress = NO_PROGRESS,
) -> dict[str, Any]:
    """Simulate a cohort in a world, with its models as far as the scenario needs them.

    Parameters
    ----------
    world
        Gives bases, genes, models, and real sites.
    request, folder
        As for `phenviz.disease.cohort.simulate.simulate_cohort`, whose return this is.
    perturbation
        Of the scenarios that act through expression.
    at_real_sites
        Whether variants lie where those of the world's individuals do, and nowhere else.
    device
        Where the models run.
    progress
        Updated at each stage.

    Raises
    ------
    ModelError
        If the scenario needs a gene readout, and the world has none.
    DataError
        As `simulate_cohort`, or if the world has no individuals to take sites from.
    """
    where = (request, folder, world.reference, world.annotation)
    weights = blood_weights(world.reference, progress) if request.scenario == "blood" else None
    sites = real_sites(people(world, None), request.locus, weights) if at_real_sites else None
    if request.scenario not in MEDIATED:
        return simulate_cohort(*where, {}, weights=weights, sites=sites, progress=progress)
    from phenviz.service.service import ModelService

    if world.readout is None:
        raise ModelError(f"scenario {request.scenario} needs a gene readout, and world {world.name} has none")
    groups = {context.name: context.group for context in world.readout.contexts}
    with ModelService(world, device=device) as service:
        planting = planting_of(service, perturbation, request.seed)
        truth = asdict(perturbation)
        return simulate_cohort(
            *where, groups, planting=planting, sites=sites, perturbation=truth, progress=progress
        )


def planting_of(service: ModelService, perturbation: Perturbation, seed: int) -> Any:
    """Return what `phenviz.disease.cohort.simulate.simulate_cohort` takes as ``planting``."""

    def plant(individuals: Individuals, plan: Plan) -> PlantedExpression:
        samples = plan.people["sample"].tolist()

        def expression(genes: Sequence[str]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
            found = [
                planted_expression(service, individuals, samples, gene, perturbation, seed) for gene in genes
            ]
            return np.stack([values for values, _ in found], axis=1), found[0][1]

        return expression

    return plant


def planted_expression(
    service: ModelService,
    individuals: Individuals,
    samples: Sequence[str],
    gene: str,
    perturbation: Perturbation,
    seed: int,
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return a gene's expression in people as the perturbed model has it, in differences from the reference.

    Returns
    -------
    tuple
        Shape (people, contexts), both haplotypes together; and the names of the contexts.
    """
    world = service.world
    site = GeneSite.of(world.annotation.gene(gene))
    reach = 49_152 if world.readout is None else world.readout.reach
    # expression is read nearer than a window reaches
    window = min(WINDOW, 2 * (reach + world.backbone.bin_size))
    blocks = list(read_blocks(individuals, samples, windows_of(world, [site], window)))
    tables = [block.variants for block in blocks]
    if not tables:
        raise DataError(f"no variant lies near {gene}: plant other genes, or simulate a longer locus")
    found = token_effects(service, pd.concat(tables, ignore_index=True), [site])
    channels = int(found.attrs["channels"])
    names = tuple(map(str, found["feature"].values[channels:]))
    effects = np.zeros((sum(map(len, tables)), len(names)))
    effects[found["row"].values] = found["effect"].values[:, channels:]
    effects = perturbed(effects, perturbation, generator(seed, _NOISE, site.tss))
    start, total = 0, np.zeros((len(samples), len(names)))
    for block in blocks:
        dosage = (block.alleles == 1).sum(axis=2, dtype=np.int8).astype(np.float32)
        total += dosage.T @ effects[start : start + len(dosage)]
        start += len(dosage)
    return total, names


def perturbed(
    effects: NDArray[np.float64], perturbation: Perturbation, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Add noise to the effects of a gene's variants, (variants, contexts); what has none gets none."""
    if not perturbation.amount:
        return effects
    reached = (effects != 0).any(axis=1)
    spread = effects[reached].std(axis=0) if reached.any() else np.zeros(effects.shape[1])
    noise = rng.normal(size=effects.shape) * spread * perturbation.amount
    is_silent = rng.random() < perturbation.silent
    own = np.zeros_like(effects) if is_silent else effects
    return np.where(reached[:, None], own + noise, 0.0)
