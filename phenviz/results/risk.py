"""Risk of people as tables to read: scores, the genes that they come from, and the alleles behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.formats import writes
from phenviz.results.comments import comments
from phenviz.results.schema import validate
from phenviz.results.writing import write_aside, write_table


def risk_tables(dataset: xr.Dataset) -> dict[str, pd.DataFrame]:
    """Lay a result of the job ``risk`` out as tables.

    Parameters
    ----------
    dataset
        See `phenviz.ModelService.risk`.

    Returns
    -------
    dict
        ``scores``: one row for each person, trait and method; ``genes``: what each gene adds to the
        Phenformer's logit, by its expression in each context and in all; ``alleles``: the alleles of the
        leading genes. Each says in a column what the model was trained on.
    """
    validate(dataset)
    who = "simulated people" if dataset.attrs.get("simulated") else "people"
    tables = {"scores": _scores(dataset), "genes": _genes(dataset), "alleles": _alleles(dataset)}
    return {name: table.assign(trained_on=who) for name, table in tables.items()}


def _scores(dataset: xr.Dataset) -> pd.DataFrame:
    dims = ("person", "trait", "method")
    rows = _rows(dataset, dims)
    columns = {
        "ancestry": dataset["ancestry"].values[rows["person"]],
        "distance": dataset["distance"].values[rows["person"]],
    }
    for name in ("score", "z", "percentile_adjusted"):
        columns[name] = dataset[name].transpose(*dims).values.ravel()
    for group in dataset["against"].values.tolist():
        column = dataset["percentile"].sel(against=group).transpose(*dims).values.ravel()
        columns[f"percentile.{group}"] = column
    return _named(dataset, rows).assign(**columns)


def _genes(dataset: xr.Dataset) -> pd.DataFrame:
    dims = ("person", "trait", "gene")
    rows = _rows(dataset, dims)
    wide = dataset["contribution"].transpose(*dims, "context").values.reshape(len(rows), -1)
    table = _named(dataset, rows).assign(
        contribution=dataset["gene_contribution"].transpose(*dims).values.ravel()
    )
    contexts = [f"contribution.{name}" for name in dataset["context"].values.tolist()]
    return pd.concat([table, pd.DataFrame(wide, columns=contexts)], axis=1)


def _alleles(dataset: xr.Dataset) -> pd.DataFrame:
    names = [
        "variant_person",
        "variant_trait",
        "variant_gene",
        "variant_contig",
        "position",
        "ref",
        "alt",
        "id",
    ]
    columns = {name.removeprefix("variant_"): dataset[name].values for name in names}
    for name in ("dosage", "frequency"):
        columns[name] = dataset[name].values
    return pd.DataFrame({**columns, "contribution": dataset["variant_contribution"].values})


def _rows(dataset: xr.Dataset, dims: tuple[str, ...]) -> pd.DataFrame:
    sizes = [range(dataset.sizes[dim]) for dim in dims]
    return pd.MultiIndex.from_product(sizes, names=dims).to_frame(index=False)


def _named(dataset: xr.Dataset, rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({dim: np.asarray(dataset[dim].values)[rows[dim]] for dim in rows.columns})


def _targets(path: Path, names: list[str]) -> list[Path]:
    """Return the scores' file, and beside it one for each other table."""
    return [path, *(path.with_name(f"{path.stem}.{name}{path.suffix}") for name in names[1:])]


@writes("risk", ".tsv")
def _tsv(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    tables, told = risk_tables(dataset), list(comments(dataset))
    targets = _targets(path, list(tables))
    return tuple(
        write_table(target, table, told, float_format="%.6g")
        for target, table in zip(targets, tables.values(), strict=True)
    )


@writes("risk", ".parquet")
def _parquet(dataset: xr.Dataset, path: Path, **_: object) -> tuple[Path, ...]:
    tables = risk_tables(dataset)

    def write(parts: list[Path]) -> list[int]:
        for part, table in zip(parts, tables.values(), strict=True):
            table.to_parquet(part, index=False)
        return [len(table) for table in tables.values()]

    return write_aside(_targets(path, list(tables)), write)
