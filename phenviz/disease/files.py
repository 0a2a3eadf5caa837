"""Hypotheses as files to read: a table of the tests, and the methods paragraph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from phenviz.disease.functional_prior import prior_of
from phenviz.disease.hypotheses import table_of
from phenviz.disease.prose import methods_paragraph
from phenviz.disease.simulated import is_simulated
from phenviz.formats import writes
from phenviz.results import save
from phenviz.results.writing import write_aside, write_content, write_table


def table_to_keep(dataset: xr.Dataset) -> pd.DataFrame:
    """Return the tests as `table_of` does, each with its source and whether that is simulated.

    Where a method says what its numbers rest on, a column ``note`` does, too; ``prior`` is that of the
    posteriors, where it wasn't flat throughout.
    """
    source = str(dataset.attrs["source"])
    table = table_of(dataset).assign(source=source, simulated=is_simulated(source))
    if "prior" in dataset.attrs:
        table["prior"] = [prior_of(dataset, name) for name in table["method"]]
    notes = dataset["method_note"].to_series() if "method_note" in dataset else pd.Series(dtype=str)
    return table.assign(note=table["method"].map(notes)) if (notes != "").any() else table


def gene_table(dataset: xr.Dataset) -> pd.DataFrame | None:
    """Return tests of single genes in people, the smallest p first; None where there are none.

    Returns
    -------
    pd.DataFrame
        trait, gene, context, and the variables on these without ``gene_``, with source and whether that is
        simulated; pairs in which nobody differs are left out.
    """
    names = [
        str(name) for name in dataset.data_vars if set(dataset[name].dims) == {"trait", "gene", "context"}
    ]
    if not names:
        return None
    table = dataset[names].to_dataframe().reset_index()[["trait", "gene", "context", *names]]
    table = table.rename(columns={name: name.removeprefix("gene_") for name in names})
    table = table.dropna(subset=["p_value"]).sort_values(["trait", "p_value"], kind="stable")
    source = str(dataset.attrs["source"])
    return table.assign(source=source, simulated=is_simulated(source)).reset_index(drop=True)


@writes("hypotheses", ".tsv")
def write_hypotheses_table(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    """Write one row for each test that was made, and beside it (``.genes.tsv``) one for each gene's."""
    written = (write_table(path, table_to_keep(dataset)),)
    genes = gene_table(dataset)
    return written if genes is None else (*written, write_table(_beside(path), genes))


@writes("hypotheses", ".parquet")
def write_hypotheses_parquet(dataset: xr.Dataset, path: Path, **how: Any) -> tuple[Path, ...]:
    """Write the tidy table of the tests, and beside it (``.genes.parquet``) that of single genes."""
    written = save(dataset.drop_dims("gene", errors="ignore"), path, **how)
    if (genes := gene_table(dataset)) is None:
        return written

    def write(parts: list[Path]) -> list[int]:
        genes.to_parquet(parts[0], index=False)
        return [len(genes)]

    return (*written, *write_aside([_beside(path)], write))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}.genes{path.suffix}")


@writes("hypotheses", ".txt")
def write_methods_paragraph(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    """Write the paragraph for the methods section of an article."""
    return (write_content(path, f"{methods_paragraph(dataset)}\n".encode()),)
