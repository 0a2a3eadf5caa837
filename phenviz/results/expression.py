"""Expression of genes as a table to read: one line per individual, haplotype and gene."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import xarray as xr

from phenviz.errors import ResultError
from phenviz.formats import data_suffixes_of, writes
from phenviz.results.comments import comments
from phenviz.results.schema import validate
from phenviz.results.writing import write_table

EXPRESSION_SUFFIXES = data_suffixes_of("gene expression")
_DIMS = ("individual", "haplotype", "gene")


def expression_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Lay out gene expression with one column per context.

    Parameters
    ----------
    dataset
        What `phenviz.effects.predict_expression` returned.

    Returns
    -------
    pd.DataFrame
        One row for each individual, haplotype and gene, in this order: ``individual``, ``haplotype``, the
        coordinates of the gene (``tss`` is 0-based), ``variants``, then ``expression.HSC`` and so on.

    Raises
    ------
    ResultError
        If it is a result of another kind, or has no individuals.
    """
    kind = validate(dataset)
    if kind != "gene expression" or not set(_DIMS) <= set(dataset["expression"].dims):
        raise ResultError(
            f"this {kind} is no expression of individuals: pass what predict_expression returned"
        )
    wide = dataset["expression"].transpose(*_DIMS, "context")
    sizes = [wide.sizes[dim] for dim in _DIMS]
    rows = pd.MultiIndex.from_product([range(size) for size in sizes], names=_DIMS).to_frame(index=False)
    names = [
        *("individual", "haplotype", "gene"),
        *(name for name, coord in dataset.coords.items() if coord.dims == ("gene",) and name != "gene"),
    ]
    columns = {str(name): dataset[name].values[rows[dataset[name].dims[0]]] for name in names}
    if "variants" in dataset:
        columns["variants"] = dataset["variants"].transpose(*_DIMS).values.ravel()
    values = wide.values.reshape(len(rows), -1)
    for column, context in enumerate(dataset["context"].values.astype(str)):
        columns[f"expression.{context}"] = values[:, column]
    return pd.DataFrame(columns)


def write_expression_table(dataset: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write gene expression as ``.tsv``; comments say what it is.

    Raises
    ------
    ResultError
        As `expression_table`, or if the disk refuses.
    """
    attrs = dataset.attrs
    return write_table(
        Path(path),
        expression_table(dataset),
        [
            f"expression of genes ({attrs['assembly']}), predicted; tss counts from 0",
            f"readout: {attrs['readout']}; phasing: {attrs['phasing']}",
            *comments(dataset),
        ],
        float_format="%.7g",
    )


@writes("gene expression", ".tsv")
def _written(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    return (write_expression_table(dataset, path),)
