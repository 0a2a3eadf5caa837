"""Hypotheses of real traits that PhenViz brings along, to have something to show before a test is run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import xarray as xr

from phenviz.data.embedded import BACKBONE, ELEMENTS, GENES, HYPOTHESES, INDIVIDUALS, PEAK_PACKS
from phenviz.data.embedded_world import embedded_project
from phenviz.data.packs import find_pack
from phenviz.results import load

if TYPE_CHECKING:
    from phenviz.world import World

# the pack of traits that they are about
SOURCE = "ukbb-blood-finemap"


def embedded_hypotheses(world: World) -> xr.Dataset | None:
    """Return what ``scripts/build_embedded_hypotheses.py`` found in the embedded world.

    Parameters
    ----------
    world
        What is looked at.

    Returns
    -------
    xr.Dataset or None
        Hypotheses (trait, context, method); None where the world is another one, or where model, genes,
        elements or traits have changed since they were tested.
    """
    if world.project != embedded_project() or not HYPOTHESES.is_file():
        return None
    kept = load(HYPOTHESES)
    return kept if kept.attrs["made_from"] == made_from() else None


def made_from() -> str:
    """Return one hash of all that these hypotheses depend on, as it is now."""
    parts = (BACKBONE, GENES, ELEMENTS, INDIVIDUALS)
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in parts]
    sums += [file.sha256 for name in (SOURCE, *PEAK_PACKS) for file in find_pack(name).files]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()
