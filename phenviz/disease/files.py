"""Hypotheses as files: a table of the tests, the methods paragraph; and read back, for another world."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.disease.cohort_methods import METHODS as OF_PEOPLE
from phenviz.disease.functional_prior import prior_of
from phenviz.disease.hypotheses import PER_TEST, table_of
from phenviz.disease.methods import MATCHED
from phenviz.disease.prose import is_of_people, methods_paragraph
from phenviz.disease.simulated import is_simulated
from phenviz.errors import ResultError
from phenviz.formats import writes
from phenviz.results import load, save
from phenviz.results.writing import write_aside, write_content, write_table

if TYPE_CHECKING:
    from phenviz.world import World

_CORRECTED = ("q_value", "p_bonferroni", "p_effective")
_CONTEXT = ("context_label", "curie", "group", "colour")
_METHOD = ("method_label", "method_units", "is_control", "effective_contexts", "imbalance")
_ATTRS = (
    "source", "assembly", "contig", "model", "permutations", "seed", "multiple_testing", "phenviz_version",
)  # fmt: skip
_KEYS = ["trait", "gene", "context"]


def read_hypotheses(path: str | os.PathLike[str], world: World | None = None) -> xr.Dataset:
    """Read back what ``phenviz hypotheses`` or ``phenviz cohort hypotheses`` wrote, here or elsewhere.

    Parameters
    ----------
    path
        ``.nc``, ``.zarr`` or ``.parquet``; of people, a Parquet file's genes are read from the one beside it.
    world
        Which is to show them; None where that doesn't matter.

    Raises
    ------
    ResultError
        If it is missing, damaged or no result of hypotheses, or of another assembly or of other contexts than
        the world's.
    """
    path = Path(path)
    dataset = check_hypotheses(_with_genes(load(path), path), os.fspath(path))
    if world is not None:
        _check_world(dataset, os.fspath(path), world)
    return dataset


def check_hypotheses(dataset: xr.Dataset, what: str) -> xr.Dataset:
    """Return a result that holds hypotheses.

    Raises
    ------
    ResultError
        If it holds something else or lacks a part, or nothing was tested.
    """
    needed = {"trait", "context", "method"}
    if not needed <= set(dataset.dims) or not {"p_value", "z", "q_value"} <= set(dataset.data_vars):
        raise ResultError(
            f"{what} holds no hypotheses: give what `phenviz hypotheses` wrote as .nc, .zarr or .parquet; of "
            "a locus, a variant or a person, a report is made from its name"
        )
    of_traits = ("cases",) if is_of_people(dataset) else ("variants", "loci", "posterior", "posterior_share")
    parts = (*PER_TEST, *_CORRECTED, *_CONTEXT, *_METHOD, *of_traits)
    lacking = [name for name in parts if name not in dataset.variables]
    lacking += [name for name in _ATTRS if name not in dataset.attrs]
    if lacking:
        raise ResultError(
            f"{what} lacks {', '.join(lacking[:6])}{' ...' * (len(lacking) > 6)}, which hypotheses have: it "
            "was changed, or written by an old PhenViz; test again with `phenviz hypotheses` or `phenviz "
            "cohort hypotheses`"
        )
    if not np.isfinite(dataset["p_value"]).any():
        raise ResultError(f"nothing was tested in {what}: there is nothing to show")
    return dataset


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


def _with_genes(dataset: xr.Dataset, path: Path) -> xr.Dataset:
    """Add the tests of single genes that lie beside a Parquet file; nothing where there are none."""
    beside = _beside(path)
    if path.suffix.lower() != ".parquet" or not is_of_people(dataset) or not beside.is_file():
        return dataset
    try:
        table = pd.read_parquet(beside).drop(columns=["source", "simulated"]).set_index(_KEYS)
        genes = table.to_xarray().reindex(trait=dataset["trait"].values, context=dataset["context"].values)
    # each library has errors of its own for a damaged file
    except Exception as error:
        raise ResultError(
            f"{beside}, with the genes of {path.name}, is damaged or no table of genes ({error}): write both "
            "again, or take it away"
        ) from error
    return dataset.assign({f"gene_{name}": genes[name].transpose(*_KEYS) for name in table})


def _check_world(dataset: xr.Dataset, what: str, world: World) -> None:
    """Refuse a result of another assembly, or of a model whose contexts are all unknown in a world."""
    from phenviz.disease.cohort.scoring_files import build_name

    told = str(dataset.attrs["assembly"])
    if build_name(told) != build_name(world.assembly):
        raise ResultError(
            f"{what} was tested on {told}, and world {world.name!r} is of {world.assembly}: show it in a "
            f"world of {told}"
        )
    by_model = [
        name
        for name in dataset["method"].values.astype(str)
        if name in OF_PEOPLE or getattr(MATCHED.get(name), "kind", "") == "model"
    ]
    p = dataset["p_value"].sel({"method": by_model}).transpose("context", "trait", "method").values
    names = dataset["context"].values[np.isfinite(p).any((1, 2))].astype(str).tolist()
    known = {context.name for context in (*world.contexts, *world.expression_contexts)}
    if names and not known & set(names):
        raise ResultError(
            f"{what} was tested by {dataset.attrs['model']} in {', '.join(names[:3])} ..., none of which "
            f"is a context of world {world.name!r} ({', '.join(sorted(known)[:3])} ...): show it in a world "
            "with the model that it was tested with"
        )


@writes("hypotheses", ".txt")
def write_methods_paragraph(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    """Write the paragraph for the methods section of an article."""
    return (write_content(path, f"{methods_paragraph(dataset)}\n".encode()),)
