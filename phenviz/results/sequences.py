"""Activity of sequences that lie in no genome, to tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from phenviz.formats import writes
from phenviz.results.anndata import write_anndata
from phenviz.results.writing import write_aside


@writes("sequences", ".tsv")
def save_sequences_table(dataset: xr.Dataset, path: Path, **_: Any) -> tuple[Path, ...]:
    """Write one line per bin: sequence, start and end (0-based half-open), and a column per context."""
    table = pd.DataFrame({name: dataset[name].values for name in ("sequence", "start", "end")})
    activity = pd.DataFrame(
        dataset["activity"].transpose("bin", "context").values,
        columns=dataset["context"].values.astype(str),
    )

    def write(parts: list[Path]) -> list[int]:
        pd.concat([table, activity], axis=1).to_csv(parts[0], sep="\t", index=False, lineterminator="\n")
        return [len(table)]

    return write_aside([path], write)


@writes("sequences", ".h5ad")
def save_sequences_anndata(dataset: xr.Dataset, path: Path, **_: Any) -> tuple[Path, ...]:
    """Write bins as observations and contexts as variables."""
    return write_aside([path], lambda parts: [write_anndata(dataset, parts[0])])
