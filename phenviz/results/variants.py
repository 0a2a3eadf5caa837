"""Effects of any number of variants to a file, table by table."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

import pandas as pd
import xarray as xr

from phenviz.errors import ResultError
from phenviz.results.files import save, write_aside
from phenviz.results.table import ParquetStream

TABLE_SUFFIXES = (".parquet", ".tsv", ".tsv.gz", ".nc", ".zarr", ".h5ad")

Append = Callable[[xr.Dataset], None]


def table_suffix(path: str | os.PathLike[str]) -> str | None:
    """Return which of `TABLE_SUFFIXES` a name ends in; None if in none."""
    name = Path(path).name.lower()
    return next((suffix for suffix in TABLE_SUFFIXES if name.endswith(suffix)), None)


@contextmanager
def variants_file(
    path: str | os.PathLike[str], join: Callable[[list[xr.Dataset]], xr.Dataset]
) -> Iterator[Append]:
    """Open a file that takes effects of variants, one result after another.

    ``.parquet`` (tidy) and ``.tsv`` (one line a variant, one column a context) are written as they come;
    ``.nc``, ``.zarr`` and ``.h5ad`` when all is there. An older file is replaced only once the new one is
    whole.

    Parameters
    ----------
    path
        Ends in one of `TABLE_SUFFIXES`.
    join
        Joins results into one.

    Yields
    ------
    callable
        Takes the next result.

    Raises
    ------
    ResultError
        If the suffix is another one, or the disk refuses.
    """
    path, suffix = Path(path), table_suffix(path)
    if suffix is None:
        raise ResultError(f"{path} has an unknown suffix: end its name with {' '.join(TABLE_SUFFIXES)}")
    if suffix in (".nc", ".zarr", ".h5ad"):
        parts: list[xr.Dataset] = []
        yield parts.append
        _save_whole(join(parts), path, suffix)
        return
    with ExitStack() as stack:
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        stack.callback(lambda: part.unlink(missing_ok=True))
        with _parquet(part) if suffix == ".parquet" else _tsv(part, zipped=suffix.endswith(".gz")) as append:
            yield append
        write_aside([path], lambda targets: os.replace(part, targets[0]))


def _save_whole(dataset: xr.Dataset, path: Path, suffix: str) -> None:
    if suffix != ".h5ad":
        save(dataset, path)
        return
    from phenviz.results.anndata import write_anndata

    write_aside([path], lambda targets: write_anndata(dataset, targets[0]))


@contextmanager
def _parquet(path: Path) -> Iterator[Append]:
    with ParquetStream(path, "variant") as stream:
        yield stream.append


@contextmanager
def _tsv(path: Path, *, zipped: bool) -> Iterator[Append]:
    with gzip.open(path, "wt", compresslevel=6) if zipped else path.open("w", encoding="utf-8") as opened:
        file = cast(IO[str], opened)
        begun = False

        def append(dataset: xr.Dataset) -> None:
            nonlocal begun
            if not begun:
                file.writelines(_comments(dataset))
            wide = wide_table(dataset)
            wide.to_csv(
                file, sep="\t", index=False, header=not begun, float_format="%.6g", lineterminator="\n"
            )
            begun = True

        yield append


def wide_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Lay out effects of variants with one row a variant.

    Returns
    -------
    pd.DataFrame
        ``contig``, ``position`` (1-based), ``ref``, ``alt``, ``id``, ``status``; then ``effect.Ery`` and so
        on, every variable in every context.
    """
    columns = {
        str(name): coordinate.values
        for name, coordinate in dataset.coords.items()
        if coordinate.dims == ("variant",)
    }
    names = dataset["context"].values.astype(str)
    for variable, values in dataset.data_vars.items():
        numbers = values.transpose("variant", "context").values
        columns |= {f"{variable}.{name}": numbers[:, column] for column, name in enumerate(names)}
    return pd.DataFrame(columns)


def _comments(dataset: xr.Dataset) -> list[str]:
    attrs = dataset.attrs
    definition = " ".join(str(attrs["definition"]).split())
    return [
        f"# effects of variants ({attrs['assembly']}), positions count from 1\n",
        f"# model: {attrs['model']}; PhenViz {attrs['phenviz_version']}\n",
        f"# effect: {definition}; units: {attrs['units']}\n",
    ]
