"""Predictions along several haplotypes to files, of which some hold one haplotype each."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from phenviz.results.files import save

_ONE_EACH = (".bw", ".bed")


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
