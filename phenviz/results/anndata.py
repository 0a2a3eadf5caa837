"""Effects of variants and activity of sequences as AnnData, for the single-cell toolbox (as scanpy)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from phenviz.errors import ResultError
from phenviz.results.disk import DiskFile
from phenviz.results.schema import plain_value, validate

# of each kind: the matrix and its rows, and what names a row
_MATRICES = {"variant effects": ("effect", "variant"), "sequences": ("activity", "bin")}
_NAMED_BY = {
    "variant effects": ("contig", "position", "ref", "alt"),
    "sequences": ("sequence", "start"),
}


def write_anndata(dataset: xr.Dataset, path: Path) -> int:
    """Write a matrix as ``.h5ad``: variants, or bins of sequences, are observations, contexts are variables.

    Parameters
    ----------
    dataset
        What `phenviz.effects.score_variants` or `phenviz.models.predict_sequences` returned. ``effect`` or
        ``activity`` becomes ``X``, every other variable a layer; the coordinates become columns of ``obs``
        and ``var``, the attributes ``uns``.
    path
        Where to.

    Returns
    -------
    int
        Numbers in ``X``.

    Raises
    ------
    ResultError
        If the library isn't installed, or the result is of another kind.
    """
    kind = validate(dataset)
    if kind not in _MATRICES:
        known = " and ".join(_MATRICES)
        raise ResultError(f"a {kind} can't be written as .h5ad, which is for {known}: use .nc")
    main, dim = _MATRICES[kind]
    try:
        from anndata import AnnData
        from anndata.io import write_elem
    except ImportError as error:
        raise ResultError(
            "writing .h5ad needs the library anndata, which isn't installed: "
            "`pip install 'phenviz[anndata]'`, or write .parquet or .nc"
        ) from error
    layers = {
        str(name): variable.transpose(dim, "context").values
        for name, variable in dataset.data_vars.items()
        if name != main
    }
    table = AnnData(
        dataset[main].transpose(dim, "context").values,
        obs=_frame(dataset, dim, _names(dataset, *_NAMED_BY[kind])),
        var=_frame(dataset, "context", dataset["context"].values.astype(str).tolist()),
        layers=layers,
        uns={str(name): plain_value(value) for name, value in dataset.attrs.items()},
    )
    with DiskFile(path) as disk, h5py.File(disk, "w") as file:
        write_elem(file, "/", table)
    return int(dataset[main].size)


def _names(dataset: xr.Dataset, *coordinates: str) -> list[str]:
    """Name rows by some coordinates, as contig-position-ref-alt; repeated ones get a number."""
    parts = zip(*(dataset[name].values for name in coordinates), strict=True)
    names = pd.Series(["-".join(map(str, part)) for part in parts], dtype=object)
    again = names.groupby(names).cumcount()
    return [name if not number else f"{name}-{number}" for name, number in zip(names, again, strict=True)]


def _frame(dataset: xr.Dataset, dim: str, index: list[str]) -> pd.DataFrame:
    columns = {
        str(name): coordinate.values
        for name, coordinate in dataset.coords.items()
        if coordinate.dims == (dim,) and name != dim
    }
    # text as categories of plain objects: AnnData doesn't know pandas' own text yet
    return pd.DataFrame(
        {
            name: values if values.dtype.kind in "iuf" else _categories(values)
            for name, values in columns.items()
        },
        index=pd.Index(np.array(index, dtype=object), dtype=object),
    )


def _categories(values: NDArray[Any]) -> pd.Categorical:
    codes, found = pd.factorize(values.astype(object))
    return pd.Categorical.from_codes(codes, pd.Index(found, dtype=object))
