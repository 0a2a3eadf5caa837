"""Expression of genes as a table to read: one line an individual, haplotype and gene."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import xarray as xr

from phenviz.errors import ResultError
from phenviz.results.files import write_aside
from phenviz.results.schema import validate

EXPRESSION_SUFFIXES = (".parquet", ".tsv", ".nc", ".zarr")
_DIMS = ("individual", "haplotype", "gene")


def expression_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Lay out gene expression with one column a context.

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


def write_expression_table(dataset: xr.Dataset, path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write gene expression as ``.tsv``; comments say what it is.

    Raises
    ------
    ResultError
        As `expression_table`, or if the disk refuses.
    """
    table, attrs = expression_table(dataset), dataset.attrs
    definition = " ".join(str(attrs["definition"]).split())
    comments = (
        f"# expression of genes ({attrs['assembly']}), predicted; tss counts from 0\n"
        f"# model: {attrs['model']}, readout: {attrs['readout']}; PhenViz {attrs['phenviz_version']}\n"
        f"# expression: {definition}; units: {attrs['units']}\n"
        f"# phasing: {attrs['phasing']}\n"
    )

    def write(parts: list[Path]) -> None:
        with parts[0].open("w", encoding="utf-8") as file:
            file.write(comments)
            table.to_csv(file, sep="\t", index=False, float_format="%.7g", lineterminator="\n")

    return write_aside([Path(path)], write)
