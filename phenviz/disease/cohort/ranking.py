"""Where people's scores lie among a model's reference people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.disease.cohort.judging import ALL
from phenviz.disease.cohort.reference_people import METHODS
from phenviz.disease.cohort.saved import RiskModel
from phenviz.disease.cohort.scoring import Weighed


def rank_people(
    model: RiskModel,
    samples: Sequence[str],
    traits: Sequence[str],
    scores: Mapping[str, Mapping[str, NDArray[np.float64]]],
    weighed: Weighed,
) -> xr.Dataset:
    """Lay out scores, and where they lie among the reference people.

    Parameters
    ----------
    model
        Whose reference people; where it has none, percentiles are NaN.
    samples, traits
        Names.
    scores
        By trait and method, (people,).
    weighed
        Says how far people are from the training people, and where their components lie.

    Returns
    -------
    xr.Dataset
        ``score``, ``z`` and ``percentile_adjusted`` (person, trait, method), ``percentile`` (person, trait,
        method, against), with coordinates ``ancestry`` and ``distance`` of each person.
    """
    reference = model.reference
    against = [ALL, *(reference.ancestries if reference is not None else ())]
    size = (len(samples), len(traits), len(METHODS))
    score, z, adjusted = np.full(size, np.nan), np.full(size, np.nan), np.full(size, np.nan)
    percentile = np.full((*size, len(against)), np.nan)
    for column, trait in enumerate(traits):
        for place, method in enumerate(METHODS):
            values = score[:, column, place] = scores[trait][method]
            if reference is None:
                continue
            for number, group in enumerate(against):
                percentile[:, column, place, number] = reference.percentile(trait, method, values, group)
            own = reference.adjust(trait, method, values, weighed.components)
            z[:, column, place], adjusted[:, column, place] = own["z_norm2"], own["percentile"]
    similar = np.full(len(samples), "", dtype=object)
    if reference is not None:
        similar = reference.most_similar(weighed.components)
    dims = ("person", "trait", "method")
    return xr.Dataset(
        {
            "score": (dims, score.astype(np.float32)),
            "percentile": ((*dims, "against"), percentile.astype(np.float32)),
            "z": (dims, z.astype(np.float32)),
            "percentile_adjusted": (dims, adjusted.astype(np.float32)),
        },
        coords={
            "person": list(samples),
            "ancestry": ("person", similar.astype(str)),
            "distance": ("person", weighed.distance.astype(np.float32)),
            "trait": list(traits),
            "trait_label": ("trait", [model.label(trait) for trait in traits]),
            "method": list(METHODS),
            "against": against,
        },
    )
