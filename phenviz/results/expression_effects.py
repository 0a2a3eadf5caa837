"""Effects of variants on the expression of genes as a table to read: one line for each variant and gene."""

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

EXPRESSION_EFFECTS = "effects on expression"
EXPRESSION_EFFECTS_SUFFIXES = data_suffixes_of(EXPRESSION_EFFECTS)


def expression_effects_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Lay out effects on expression with one column for each context.

    Parameters
    ----------
    dataset
        What `phenviz.effects.score_expression` returned.

    Returns
    -------
    pd.DataFrame
        One row for each variant and gene: the variant (``position`` counts from 1), the gene, its ``tss``
        (0-based), ``distance`` from it, then ``effect.liver`` and so on, in the order of the contexts.

    Raises
    ------
    ResultError
        If it is a result of another kind.
    """
    if (kind := validate(dataset)) != EXPRESSION_EFFECTS:
        raise ResultError(f"this {kind} is no effects on expression: pass what score_expression returned")
    own = {
        str(name): dataset[name].values
        for name, coord in dataset.coords.items()
        if coord.dims == ("pair",) and name != "row"
    }
    values = dataset["expression_effect"].transpose("pair", "context").values
    effects = {
        f"effect.{context}": values[:, column]
        for column, context in enumerate(dataset["context"].values.astype(str))
    }
    return pd.DataFrame(own | effects)


def write_expression_effects(dataset: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write effects on expression as ``.tsv``; comments say what they are.

    Raises
    ------
    ResultError
        As `expression_effects_table`, or if the disk refuses.
    """
    heading = [
        f"effects of variants on the expression of genes ({dataset.attrs['assembly']}), predicted; position "
        "counts from 1, tss from 0",
        *comments(dataset),
    ]
    return write_table(Path(path), expression_effects_table(dataset), heading, float_format="%.7g")


@writes(EXPRESSION_EFFECTS, ".tsv")
def _written(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    return (write_expression_effects(dataset, path),)
