"""Columns under our own names: numbers with their line when wrong, positions and alleles out of names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.disease.formats import Format
from phenviz.disease.formats.synonyms import SYNONYMS
from phenviz.disease.raw_tables import MISSING, read_raw
from phenviz.errors import DataError

_NUMERIC = (
    "position", "start", "end", "posterior", "beta", "odds_ratio", "se", "z", "p_value", "neg_log_10_p_value",
    "allele_frequency",
)  # fmt: skip
_VARIANT = re.compile(
    r"^(?:chr)?0?(?P<contig>[0-9]{1,2}|[XYM]|MT)[:_-](?P<position>[0-9]+)"
    r"(?:[:_-](?P<ref>[ACGTacgt]+)[:_/>-](?P<alt>[ACGTacgt]+)(?![A-Za-z<])|$|[:_](?:SNP|INDEL|[IDS])$)",
    re.IGNORECASE,
)


def read_columns(path: Path, *, chunk: int = 500_000) -> Iterator[tuple[pd.DataFrame, Format]]:
    """Read a table of any of our formats, with our column names.

    Parameters
    ----------
    path
        See `phenviz.disease.raw_tables.read_raw`.
    chunk
        Lines of a text file read at once.

    Yields
    ------
    tuple
        Table with the columns that have a role (others dropped) and, as ``only TEST``, those that tell which
        rows count; the index is the line in the file. And what the file was recognised as.

    Raises
    ------
    DataError
        If the file is missing, empty or no table, or its columns aren't clear.
    """
    for table, form in read_raw(path, chunk=chunk):
        named = {role: table[column] for role, column in form.columns.items()}
        filters = {f"only {column}": table[column] for column in form.rows}
        yield pd.DataFrame(named | filters, index=table.index), form


def numbers(table: pd.DataFrame, path: str | os.PathLike[str], own: Mapping[str, str]) -> pd.DataFrame:
    """Turn the numeric columns into numbers; the error names the line, and the column as in the file.

    Parameters
    ----------
    table
        With our column names, the index is the line.
    path
        For the error.
    own
        Role -> the file's own column.
    """
    table = table.copy()
    for column in _NUMERIC:
        if column not in table:
            continue
        values = pd.to_numeric(table[column], errors="coerce").astype(float)
        wrong = values.isna() & table[column].notna() & ~table[column].astype(str).str.strip().isin(MISSING)
        if wrong.any():
            place = int(np.argmax(wrong))
            raise DataError(
                f"{path}, line {table.index[place]}, column {column!r}: {table[column].iloc[place]!r} is "
                f"no number{called(column, own)}"
            )
        table[column] = values
    return table


def called(column: str, own: Mapping[str, str]) -> str:
    """Say what the file itself calls one of our columns, as the end of a sentence; empty if the same."""
    name = own.get(column, column)
    return "" if name == column else f" (the file's own name for it is {name!r})"


def parse_variants(names: pd.Series) -> pd.DataFrame:
    """Read ``20:1600925_G_A``, ``chr20_1600925_G_A``, ``20:1600925:G:A``; also without the alleles.

    Returns
    -------
    pd.DataFrame
        ``contig``, ``position``, ``ref``, ``alt`` (as the name orders them) with the index of ``names``; rows
        that aren't such are missing.
    """
    parts = names.astype("str").str.strip().str.extract(_VARIANT)
    parts["position"] = pd.to_numeric(parts["position"], errors="coerce")
    return parts


def require(
    table: pd.DataFrame, columns: tuple[str, ...], path: str | os.PathLike[str], form: Format
) -> None:
    """Raise where a file lacks a column, with the names under which it may stand."""
    missing = [column for column in columns if column not in table]
    if missing:
        names = "; ".join(f"{column} (or {', '.join(SYNONYMS[column][1:5])})" for column in missing)
        raise DataError(f"{path} has no column {names}: read as {form.name}, it has {said_columns(form)}")


def said_columns(form: Format) -> str:
    """List the file's own columns that are read."""
    return ", ".join(map(repr, form.columns.values()))


def check_probability(
    table: pd.DataFrame, column: str, path: str | os.PathLike[str], own: Mapping[str, str]
) -> None:
    """Raise where a posterior or p-value is no probability, or a posterior is missing."""
    if column not in table:
        return
    values = table[column].to_numpy(float)
    wrong = ~((values >= 0) & (values <= 1 + 1e-6)) & ((column == "posterior") | ~np.isnan(values))
    if wrong.any():
        place = int(np.argmax(wrong))
        found = values[place]
        word = "is missing" if found != found else f"is {found:g}, no probability from 0 to 1"
        raise DataError(
            f"{path}, line {table.index[place]}, column {column!r}: it {word}{called(column, own)}"
        )
