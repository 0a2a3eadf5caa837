"""Simulate a cohort: genomes, people, and why some of them are ill."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from phenviz.disease.cohort.coalescent import MODEL, simulate_intervals, simulate_unlinked
from phenviz.disease.cohort.dosages import principal_components, read_dosages
from phenviz.disease.cohort.folder import generator, write_card, write_truth
from phenviz.disease.cohort.liability import Liability
from phenviz.disease.cohort.plan import Plan, plan_people
from phenviz.disease.cohort.scenarios import (
    MEDIATED,
    SCENARIOS,
    Drawn,
    PlantedExpression,
    ScenarioOptions,
    Setting,
    draw_from_weights,
    draw_labels,
)
from phenviz.disease.cohort.vcf_zarr import VcfZarrWriter
from phenviz.errors import DataError
from phenviz.genome import Annotation, Locus, ReferenceGenome
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation import Individuals, open_individuals

GENOTYPES, PEOPLE = "genotypes.vcz", "people.parquet"
COMPONENTS = 4
# who are simulated the same, whatever their labels are: parts of a seed
_GENOMES, _LABELS, SPLIT_STREAM, UNLINKED_STREAM = 1, 2, 3, 5


@dataclass(frozen=True, slots=True)
class SimulationRequest:
    """What is asked of a simulation.

    Parameters
    ----------
    people
        How many.
    shares
        Of each ancestry.
    scenario
        One of `SCENARIOS`.
    locus
        Where; on one contig.
    seed
        The same seed gives the same genomes in every scenario.
    relatives
        Share of people who are children of two others.
    train_in
        Ancestries of the training and validation people; none for the default of `plan_people`.
    liability, options
        Of the scenario.
    """

    people: int
    shares: Mapping[str, float]
    scenario: str
    locus: Locus
    seed: int = 0
    relatives: float = 0.05
    train_in: tuple[str, ...] = ()
    liability: Liability = field(default_factory=Liability)
    options: ScenarioOptions = field(default_factory=ScenarioOptions)


# makes the planted expression of the people whose genotypes lie in a file
Planting = Callable[[Individuals, Plan], PlantedExpression]


def simulate_cohort(
    request: SimulationRequest,
    folder: Path,
    reference: ReferenceGenome,
    annotation: Annotation,
    groups: Mapping[str, str],
    *,
    planting: Planting | None = None,
    weights: pd.DataFrame | None = None,
    sites: pd.DataFrame | None = None,
    perturbation: Mapping[str, Any] | None = None,
    progress: Progress = NO_PROGRESS,
) -> dict[str, Any]:
    """Write a simulated cohort: ``genotypes.vcz``, ``people.parquet``, ``truth.json``, ``cohort.yaml``.

    Parameters
    ----------
    request
        What is asked for.
    folder
        Made, if need be; must be empty, or hold a simulated cohort.
    reference, annotation
        Bases and genes.
    groups
        Lineage of each context that the model predicts expression in.
    planting
        Gives the expression that ``mediated``, ``shared`` and ``subtypes`` act through.
    weights
        Effects of real variants for ``blood``: trait, contig, position, ref, alt, effect, frequency.
    sites
        Where all variants shall lie, as from `phenviz.disease.cohort.real_sites`; None for anywhere.
    perturbation
        How the planted expression differs from the model's; goes into the truth.
    progress
        Updated at each stage.

    Returns
    -------
    dict
        ``people``, ``variants``, ``unknown`` (sites on N), ``labels`` (share of cases for each trait).

    Raises
    ------
    DataError
        If the request is impossible, msprime is missing, or the folder holds something else.
    """
    if request.scenario not in SCENARIOS:
        raise DataError(f"scenario {request.scenario!r}: choose one of {', '.join(SCENARIOS)}")
    _prepare(folder)
    plan = plan_people(
        request.people,
        request.shares,
        generator(request.seed, SPLIT_STREAM),
        relatives=request.relatives,
        train_in=request.train_in,
    )
    count, unknown, adopted = _write_genotypes(request, plan, folder, reference, weights, sites, progress)
    individuals = open_individuals(folder / GENOTYPES, reference)
    train = np.flatnonzero(plan.people["split"].to_numpy() == "train")
    progress.stage("reading genotypes", request.locus.length)
    dosages = read_dosages(individuals, plan.people["sample"].tolist(), train, progress=progress)
    people = plan.people.copy()
    unlinked = simulate_unlinked(plan, generator(request.seed, UNLINKED_STREAM))
    components = principal_components(unlinked, train, COMPONENTS, request.seed)
    for number in range(components.shape[1]):
        people[f"PC{number + 1}"] = components[:, number]
    setting = Setting(
        people,
        np.flatnonzero(people["ancestry"].isin(list(plan.train_in)).to_numpy()),
        dosages,
        genes_within(annotation, request.locus),
        groups,
        planting(individuals, plan) if planting is not None else None,
    )
    drawn = _draw(request, setting, adopted)
    for name in drawn.labels:
        people[name] = drawn.labels[name]
    people.to_parquet(folder / PEOPLE, index=False)
    _write_truth(request, folder, plan, drawn, people, perturbation)
    write_card(folder, _card(request, folder, reference, drawn, components.shape[1]))
    return {
        "people": len(people),
        "variants": count,
        "unknown": unknown,
        "labels": {name: float(people[name].mean()) for name in drawn.labels},
    }


def genes_within(annotation: Annotation, locus: Locus) -> tuple[str, ...]:
    """Return the names of the genes that begin in a locus, each once, in the order of the contig."""
    bare = locus.contig.removeprefix("chr")
    genes = annotation.genes
    here = genes[(genes["contig"].astype(str).str.removeprefix("chr") == bare)]
    here = here[(here["tss"] >= locus.start) & (here["tss"] < locus.end)].sort_values("tss")
    # of genes that share a name, the annotation gives one
    return tuple(dict.fromkeys(str(name) for name in here["gene_name"] if name))


def _prepare(folder: Path) -> None:
    ours = {GENOTYPES, PEOPLE, "truth.json", "hidden.parquet", "cohort.yaml", "tokens.zarr", "effects.zarr"}
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file: choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    inside = {path.name for path in folder.iterdir()}
    card = folder / "cohort.yaml"
    made_here = card.is_file() and "simulated: true" in card.read_text(encoding="utf-8")
    if inside and not (made_here and inside <= ours):
        raise DataError(f"{folder} isn't empty ({sorted(inside - ours or inside)[0]}): choose a new folder")
    for name in inside:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    # so that what is left of a simulation that was stopped may be replaced
    write_card(folder, {"simulated": True, "genotypes": GENOTYPES, "people": PEOPLE})


def _write_genotypes(
    request: SimulationRequest,
    plan: Plan,
    folder: Path,
    reference: ReferenceGenome,
    weights: pd.DataFrame | None,
    sites: pd.DataFrame | None,
    progress: Progress,
) -> tuple[int, int, pd.DataFrame | None]:
    from phenviz.disease.cohort.real_sites import SiteAdopter
    from phenviz.disease.cohort.real_variants import Adopter, inside

    adopter: Adopter | SiteAdopter | None = None
    if sites is not None:
        adopter = SiteAdopter(sites, plan)
    elif weights is not None:
        adopter = Adopter(weights, plan, request.locus)
    writer = VcfZarrWriter(
        folder / GENOTYPES,
        plan.people["sample"].tolist(),
        reference.contigs,
        f"PhenViz: simulated people, {MODEL}, seed {request.seed}",
    )
    unknown = 0
    rng = generator(request.seed, _GENOMES)
    for stretch in simulate_intervals(plan, request.locus, reference, rng, progress=progress):
        own = stretch if adopter is None else adopter.adopt(stretch)
        writer.add(own.variants, own.alleles)
        unknown += stretch.unknown
    writer.close()
    if not writer.count:
        raise DataError(f"{request.locus} has no known base: simulate another locus")
    if isinstance(adopter, Adopter):
        return writer.count, unknown, adopter.adopted()
    return writer.count, unknown, None if weights is None else inside(weights, request.locus)


def _draw(request: SimulationRequest, setting: Setting, adopted: pd.DataFrame | None) -> Drawn:
    rng = generator(request.seed, _LABELS, SCENARIOS.index(request.scenario))
    if request.scenario == "blood":
        from phenviz.disease.cohort.real_variants import weights_of

        if adopted is None:
            raise DataError(
                "scenario blood needs fine-mapped traits: `phenviz data fetch ukbb-blood-finemap`"
            )
        return draw_from_weights(weights_of(adopted, setting.dosages), setting, request.liability, rng)
    if request.scenario in MEDIATED and setting.expression is None:
        raise DataError(
            f"scenario {request.scenario} needs a model of expression: give a world with a readout"
        )
    return draw_labels(request.scenario, setting, request.liability, request.options, rng)


def _write_truth(
    request: SimulationRequest,
    folder: Path,
    plan: Plan,
    drawn: Drawn,
    people: pd.DataFrame,
    perturbation: Mapping[str, Any] | None,
) -> None:
    truth = {
        "scenario": request.scenario,
        "seed": request.seed,
        "locus": str(request.locus),
        "demography": MODEL,
        "train_in": list(plan.train_in),
        "liability": request.liability.as_dict(),
        "options": asdict(request.options),
        "perturbation": None if perturbation is None else dict(perturbation),
        **drawn.truth,
    }
    write_truth(folder, truth)
    # of no use to a model, and not to be taken for something that is known of real people
    hidden = pd.concat([people[["sample"]], drawn.hidden], axis=1)
    hidden.to_parquet(folder / "hidden.parquet", index=False)


def _card(
    request: SimulationRequest, folder: Path, reference: ReferenceGenome, drawn: Drawn, components: int
) -> dict[str, Any]:
    return {
        "name": f"simulated-{request.scenario}-{request.seed}",
        "simulated": True,
        "scenario": request.scenario,
        "genotypes": GENOTYPES,
        "people": PEOPLE,
        "assembly": reference.assembly,
        "traits": list(drawn.labels),
        "covariates": ["sex", "age", *(f"PC{number + 1}" for number in range(components))],
        "prevalence": {name: request.liability.prevalence for name in drawn.labels},
        "seed": request.seed,
    }
