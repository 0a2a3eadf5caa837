"""Hypotheses as files to read: a table of the tests, and the methods paragraph."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import xarray as xr

from phenviz.disease.hypotheses import table_of
from phenviz.disease.prose import methods_paragraph
from phenviz.disease.simulated import is_simulated
from phenviz.formats import writes
from phenviz.results.writing import write_content, write_table


def table_to_keep(dataset: xr.Dataset) -> pd.DataFrame:
    """Return the tests as `table_of` does, each with its source and whether that is simulated.

    Where a method says what its numbers rest on, a column ``note`` does, too.
    """
    source = str(dataset.attrs["source"])
    table = table_of(dataset).assign(source=source, simulated=is_simulated(source))
    notes = dataset["method_note"].to_series() if "method_note" in dataset else pd.Series(dtype=str)
    return table.assign(note=table["method"].map(notes)) if (notes != "").any() else table


@writes("hypotheses", ".tsv")
def write_hypotheses_table(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    """Write one row for each test that was made."""
    return (write_table(path, table_to_keep(dataset)),)


@writes("hypotheses", ".txt")
def write_methods_paragraph(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    """Write the paragraph for the methods section of an article."""
    return (write_content(path, f"{methods_paragraph(dataset)}\n".encode()),)
