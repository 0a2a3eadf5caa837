"""Haplotypes of people: predictions along them to files, and which variants a view of them has."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.formats import writes
from phenviz.genome.locus import Locus
from phenviz.results.files import save

_ONE_EACH = (".bw", ".bed")


@writes("haplotypes", *_ONE_EACH)
def save_haplotypes(dataset: xr.Dataset, path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write a prediction along haplotypes; the suffix says how.

    Parameters
    ----------
    dataset
        ``activity`` (haplotype, context, bin).
    path
        ``.nc``, ``.zarr`` and ``.parquet`` hold all haplotypes; of ``.bw`` and ``.bed`` there is one each
        (``out.reference.Ery.bw``, ``out.1.Ery.bw``).

    Returns
    -------
    tuple[Path, ...]
        Files written.

    Raises
    ------
    ResultError
        As `phenviz.results.save`.
    """
    path = Path(path)
    if path.suffix.lower() not in _ONE_EACH:
        return save(dataset, path)
    return tuple(
        written
        for name in dataset["haplotype"].values.tolist()
        for written in save(_one(dataset, name), path.with_name(f"{path.stem}.{name}{path.suffix}"))
    )


def _one(dataset: xr.Dataset, haplotype: str) -> xr.Dataset:
    """Return one haplotype as a prediction of its own."""
    return dataset.sel(haplotype=haplotype, drop=True).assign_attrs(haplotype=haplotype)


def reaching(variants: pd.DataFrame, locus: Locus) -> NDArray[np.bool_]:
    """Tell which variants share a base with a locus: a deletion does wherever it begins.

    Parameters
    ----------
    variants
        Columns position (from 1) and, if there, ref; all on the contig of the locus.
    locus
        Where.

    Returns
    -------
    np.ndarray
        Shape (rows,).
    """
    start = variants["position"].to_numpy() - 1
    length = variants["ref"].str.len().to_numpy() if "ref" in variants else 1
    shares: NDArray[np.bool_] = (start < locus.end) & (start + length > locus.start)
    return shares
