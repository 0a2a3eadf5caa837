"""Loci moved as they are to where their stand-ins lie, and genes compared given their covariates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.engine import LocusSums
from phenviz.disease.matching import Replicas

Array = NDArray[np.float64]


def moved_sums(
    table: pd.DataFrame,
    replicas: Replicas,
    background: pd.DataFrame,
    nearest: Callable[[pd.DataFrame], Array],
) -> LocusSums:
    """Sum each locus, and each locus moved as it is to where its heaviest variant's stand-ins lie.

    Replicas let the elements of a locus lie apart by up to 500 kb, so that their nearest genes differ more
    than those of a real locus do: such a null is too narrow, and called 8 % of null traits at 0.05.
    """
    contig, position = background["contig"].to_numpy(object), background["position"].to_numpy(np.int64)
    weight, place = table["posterior"].to_numpy(float), table["position"].to_numpy(np.int64)
    own = nearest(table)
    observed, null, total = [], [], []
    for rows, stand_in in zip(replicas.order, replicas.rows, strict=True):
        lead = int(weight[rows].argmax())
        moved = position[stand_in[:, lead], None] + place[rows] - place[rows[lead]]
        where = pd.DataFrame(
            {"contig": contig[stand_in[:, lead]].repeat(len(rows)), "position": moved.ravel()}
        )
        observed.append(weight[rows] @ own[rows])
        null.append(np.einsum("n,knc->kc", weight[rows], nearest(where).reshape(*moved.shape, -1)))
        total.append(weight[rows].sum())
    return LocusSums(np.array(observed), np.array(null), np.array(total))


def gene_covariates(genes: pd.DataFrame, mean: Array) -> Array:
    """Return what genes are compared given: 1, mean over contexts, log length, log distance to the next gene.

    Parameters
    ----------
    genes
        ``contig``, ``start``, ``end`` and ``tss``, sorted by contig and TSS.
    mean
        Mean over contexts of the number that is compared, (G,).
    """
    length = np.log((genes["end"] - genes["start"]).to_numpy(float))
    apart = genes.groupby("contig", sort=False)["tss"].diff().abs()
    gap = np.fmin(apart.to_numpy(float), apart.shift(-1).to_numpy(float))
    # the only gene of its contig is as lonely as any
    lonely = np.nanmax(gap) if np.isfinite(gap).any() else 0.0
    alone = np.log10(1 + np.where(np.isfinite(gap), gap, lonely))
    return np.column_stack([np.ones(len(genes)), mean, length, alone])


def left_over(specificity: Array, covariates: Array) -> Array:
    """Return what the covariates leave of the specificity, (G, C)."""
    fitted = np.linalg.lstsq(covariates, specificity, rcond=None)[0]
    return np.asarray(specificity - covariates @ fitted)
