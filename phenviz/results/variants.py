"""Effects of any number of variants to a file, table by table."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

import pandas as pd
import xarray as xr

from phenviz.errors import ResultError
from phenviz.formats import data_suffixes_of, suffix_of, writes
from phenviz.results.files import save
from phenviz.results.table import OF_A_PART, ParquetStream
from phenviz.results.writing import aside, refusals, write_aside

TABLE_SUFFIXES = data_suffixes_of("variant effects")

Append = Callable[[xr.Dataset], None]


def table_suffix(path: str | os.PathLike[str]) -> str | None:
    """Return which of `TABLE_SUFFIXES` a name ends in; None if in none."""
    return suffix_of(Path(path), TABLE_SUFFIXES)


@writes("variant effects", ".tsv", ".tsv.gz", ".h5ad")
def save_variant_effects(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    """Write effects of variants that are all in one result, as `variants_file` does."""
    with variants_file(path, lambda parts: parts[0]) as append:
        append(dataset)
    return (path,)


@contextmanager
def variants_file(
    path: str | os.PathLike[str], join: Callable[[list[xr.Dataset]], xr.Dataset]
) -> Iterator[Append]:
    """Open a file that takes effects of variants, one result after another.

    ``.parquet`` (tidy) and ``.tsv`` (one line per variant, one column per context) are written as they come;
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
    with aside([path]) as (made,):
        file = ParquetStream(made.path, "variant") if suffix == ".parquet" else _Tsv(made.path)
        with _closing(file, path):
            yield lambda dataset: _append(file, dataset, path)
        made.entries = file.rows


def _append(file: ParquetStream | _Tsv, dataset: xr.Dataset, path: Path) -> None:
    with refusals(path):
        file.append(dataset)


@contextmanager
def _closing(file: ParquetStream | _Tsv, path: Path) -> Iterator[None]:
    """Close a file in the end; what the disk refuses then is told, but not instead of an earlier error."""
    try:
        yield
    except BaseException:
        with suppress(OSError, ResultError):
            file.close()
        raise
    with refusals(path):
        file.close()


def _save_whole(dataset: xr.Dataset, path: Path, suffix: str) -> None:
    if suffix != ".h5ad":
        save(dataset, path)
        return
    from phenviz.results.anndata import write_anndata

    write_aside([path], lambda targets: [write_anndata(dataset, targets[0])])


class _Tsv:
    """A table in text that takes results one after another."""

    def __init__(self, path: Path) -> None:
        self._file = cast(
            IO[str],
            gzip.open(path, "wt", compresslevel=6, encoding="utf-8")
            if path.suffix == ".gz"
            else path.open("w", encoding="utf-8"),
        )
        self.rows = 0
        self._begun = False

    def append(self, dataset: xr.Dataset) -> None:
        """Write the next result, the first one below comments and the header."""
        if not self._begun:
            self._file.writelines(_comments(dataset))
        wide = wide_table(dataset)
        wide.to_csv(
            self._file,
            sep="\t",
            index=False,
            header=not self._begun,
            float_format="%.6g",
            lineterminator="\n",
        )
        self.rows += len(wide)
        self._begun = True

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


def wide_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Lay out effects of variants with one row per variant.

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
    told = ("assembly", "model", "phenviz_version", "definition", "units", *OF_A_PART)
    others = [
        f"# {name}: {' '.join(str(value).split())}\n" for name, value in attrs.items() if name not in told
    ]
    return [
        f"# effects of variants ({attrs['assembly']}), positions count from 1\n",
        f"# model: {attrs['model']}; PhenViz {attrs['phenviz_version']}\n",
        f"# effect: {definition}; units: {attrs['units']}\n",
        *others,
    ]
