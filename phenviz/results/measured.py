"""Agreement of predicted with measured expression: a row per feature, context, method and split."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import xarray as xr

from phenviz.formats import writes
from phenviz.results.comments import comments
from phenviz.results.schema import validate
from phenviz.results.table import tidy
from phenviz.results.writing import write_table


def without_people(dataset: xr.Dataset) -> xr.Dataset:
    """Leave out what is told of each person: correlations remain."""
    return dataset.drop_dims("individual", errors="ignore")


def by_evidence(dataset: xr.Dataset, context: str, *, split: str = "5-fold") -> pd.DataFrame:
    """Lay out one row per feature in one context, the strongest evidence of any method first.

    Parameters
    ----------
    dataset
        A result of kind ``measured``.
    context, split
        Which.

    Returns
    -------
    pd.DataFrame
        ``gene``, ``feature``, ``gene_is`` (part of the genome that the model has seen or not), ``people``,
        for
        each method ``METHOD``, ``METHOD low``, ``METHOD high`` and ``METHOD p``, then the driver and the top
        variant with what is predicted and measured of them.
    """
    chosen = dataset.sel(context=context, split=split)
    table = pd.DataFrame({name: chosen[name].values for name in ("gene", "gene_id", "feature", "gene_is")})
    table["people"] = chosen["people"].max("method").values
    for method in chosen["method"].values:
        own = chosen.sel({"method": method})
        table[method] = own["correlation"].values
        for name, column in (("low", "low"), ("high", "high"), ("p", "p_value")):
            table[f"{method} {name}"] = own[column].values
    for name in ("driver", "driver_id", "driver_effect", "driver_slope", "top_variant", "top_variant_id"):
        table[name] = chosen[name].values
    # a method that learned from people and is wrong about others knows nothing; a model has a wrong sign
    counts = (chosen["correlation"] > 0) | (chosen["method"] == "model")
    strongest = chosen["p_value"].where(counts).min("method").values
    return table.iloc[pd.Series(strongest).fillna(1.0).argsort(kind="stable")].reset_index(drop=True)


@writes("measured", ".tsv")
def _written(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    validate(dataset)
    attrs = dataset.attrs
    said = [f"{attrs['measured']}: {attrs['about']}", *comments(dataset)]
    return (write_table(Path(path), tidy(without_people(dataset)), said, float_format="%.7g"),)
