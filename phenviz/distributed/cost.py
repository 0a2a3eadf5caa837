"""What the gene tokens of a cohort will cost, from what this machine has measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phenviz.models.token_layout import WINDOW, channels_of

if TYPE_CHECKING:
    from phenviz.world import World

# One genotype of a VCF Zarr, read and added up, on one core: 46 million took 1.5 s (docs/scale.md).
GENOTYPE_SECONDS = 3.3e-8
# Short variants in all people together, over 3.1 Gb: 88.3 million in the 1000 Genomes Project (Auton 2015,
# doi:10.1038/nature15393) and 643.7 million in genomes of UK Biobank (Halldorsson 2022,
# doi:10.1038/s41586-022-04965-x); between and beyond them a power of the number of people.
_GENOME_KB = 3.1e6
_KNOWN = ((2_504, 88.3e6 / _GENOME_KB), (150_119, 643.7e6 / _GENOME_KB))
# Neighbouring windows overlap, and what lies in both counts twice: an upper bound.
_SHARD_SECONDS = 60.0
_FLOAT_BYTES, _HALF_BYTES = 4, 2


@dataclass(frozen=True)
class Cost:
    """An estimate, to within a factor of two where its assumptions hold.

    Parameters
    ----------
    core_seconds
        On all workers together, by their parts.
    shards
        How many of a minute each.
    hours
        With all workers.
    store_bytes, unfinished_bytes
        Disk for the tokens, and, until they are joined, for the shards.
    worker_bytes
        Memory of one worker, beside the loaded model.
    """

    core_seconds: Mapping[str, float]
    shards: int
    hours: float
    store_bytes: float
    unfinished_bytes: float
    worker_bytes: float


def variants_per_kb(people: int) -> float:
    """Return how many different variants are expected in 1,000 bases of so many genomes."""
    (few, sparse), (many, dense) = _KNOWN
    power = math.log(dense / sparse) / math.log(many / few)
    return sparse * (people / few) ** power


def features_of(world: World) -> int:
    """Return how many numbers a token of a world's models has."""
    readout = world.readout
    expression = world.contexts if readout is None else readout.contexts
    return channels_of(world.backbone, readout) + len(expression)


def cohort_cost(
    people: int,
    genes: int,
    workers: int,
    *,
    seconds_per_variant: float,
    seconds_per_gene: float,
    seconds_per_person: float,
    exact: bool = False,
    window: int = WINDOW,
    features: int = 168,
    speedup: float = 1.0,
) -> Cost:
    """Estimate what `phenviz cohort embed` takes.

    Parameters
    ----------
    people, genes
        How many.
    workers
        Processes that compute at the same time.
    seconds_per_variant
        Additive: of the model, for each variant in each window that it lies in.
    seconds_per_gene, seconds_per_person
        Exact: of each gene, and of each person and gene.
    exact
        Whether haplotypes are read, instead of adding the effects of variants up.
    window
        Bases of each gene.
    features
        Numbers of a token.
    speedup
        Of a worker's model against one core: more cores, or a GPU.

    Raises
    ------
    ValueError
        If a number isn't positive.
    """
    if min(people, genes, workers, window, features, speedup) <= 0:
        raise ValueError("people, genes, workers, window, features and speedup must be positive")
    if exact:
        parts = {
            "model, per gene": genes * seconds_per_gene / speedup,
            "model, per person and gene": people * genes * seconds_per_person / speedup,
        }
    else:
        variants = genes * window / 1_000 * variants_per_kb(people)
        parts = {
            "model, per variant and window": variants * seconds_per_variant / speedup,
            "genotypes and sums": people * variants * GENOTYPE_SECONDS,
        }
    total = sum(parts.values())
    shards = max(round(total / _SHARD_SECONDS), 1)
    # no more workers than shards have something to do
    busy = min(workers, shards)
    numbers = float(people) * genes * features
    together = min(people, 10_000)
    return Cost(
        parts,
        shards,
        total / busy / 3_600,
        numbers * _HALF_BYTES,
        numbers * _FLOAT_BYTES,
        # differences of 16 genes and a copy; chunks of genotypes as they are read, and who carries what
        2.0 * together * 16 * features * _FLOAT_BYTES + 5e8,
    )
