"""Whose genotypes a job is about: file, samples, and what to do about unphased ones."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from phenviz.errors import DataError
from phenviz.variation import UNPHASED_CHOICES

if TYPE_CHECKING:
    from phenviz.variation import Individuals
    from phenviz.world import World


def find_people(
    world: World, individuals: str | os.PathLike[str] | None
) -> tuple[str | None, tuple[tuple[str, int, int], ...]]:
    """Return the path of a file of genotypes (None for the world's own), and what tells its content apart.

    Raises
    ------
    DataError
        If it can't be read, or the world has no individuals.
    """
    path = None if individuals is None else str(Path(individuals).expanduser().resolve())
    people(world, path)
    from phenviz.variation.sources import content_of

    files = world.project.individuals if path is None else (path,)
    return path, tuple(content_of(file) for file in files)


def find_samples(cohort: Individuals, samples: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of chosen individuals; of all for None.

    Raises
    ------
    DataError
        If none was chosen, or one isn't there.
    """
    if samples is None:
        chosen = tuple(cohort.samples["sample"].tolist())
    else:
        chosen = (samples,) if isinstance(samples, str) else tuple(samples)
        for sample in chosen:
            cohort.individual(sample)
    if not chosen:
        raise DataError("no individual was chosen: name at least one, or leave samples out for all")
    return chosen


def find_phasing(unphased: str, seed: int) -> tuple[str, int]:
    """Return what to do about unphased heterozygotes, and the seed where it matters.

    Raises
    ------
    DataError
        If there is no such choice.
    """
    if unphased not in UNPHASED_CHOICES:
        raise DataError(f"unphased={unphased!r}: choose one of {', '.join(map(repr, UNPHASED_CHOICES))}")
    return unphased, int(seed) if unphased == "random" else 0


def people(world: World, path: str | None) -> Individuals:
    """Open the individuals of a file, or the world's own."""
    from phenviz.variation import open_individuals

    if path is not None:
        return open_individuals(path, world.reference)
    if world.individuals is None:
        raise DataError(
            f"world {world.name!r} has no individuals: set 'individuals' in its project.yaml, or name a VCF"
        )
    return world.individuals
