"""Variants in a table that somebody wrote: TSV, CSV or Parquet."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, cast

import numpy as np
import pandas as pd

from phenviz.errors import DataError
from phenviz.variation.broken_vcf import UNPACKING
from phenviz.variation.table import zero_byte

TABLE_SUFFIXES = (".tsv", ".tsv.gz", ".csv", ".csv.gz", ".parquet")
# what columns are called elsewhere, in lower case
_NAMES = {
    "contig": ("contig", "chrom", "chr", "chromosome"),
    "position": ("position", "pos"),
    "ref": ("ref",),
    "alt": ("alt",),
    "id": ("id",),
}
_NEEDED = tuple(_NAMES)[:4]
# holds what a line has beyond the header's columns
_SURPLUS = "\0"


def is_table(path: str | os.PathLike[str]) -> bool:
    """Tell by its name whether a file is a table of variants."""
    return Path(path).name.lower().endswith(TABLE_SUFFIXES)


def iter_table(path: str | os.PathLike[str], size: int) -> Iterator[pd.DataFrame]:
    """Read a table of variants chunk by chunk, at least one.

    Parameters
    ----------
    path
        ``.tsv``, ``.csv`` (both also ``.gz``) or ``.parquet`` with the columns contig, position (1-based),
        ref and alt, and optionally id. CHROM, POS, REF, ALT and ID of a VCF will do, also behind ``#``. Other
        lines that begin with ``#`` are comments at the start of the file, and nowhere else.
    size
        Rows at once.

    Yields
    ------
    pd.DataFrame
        Rows as they are written, columns named as above.

    Raises
    ------
    DataError
        If the file can't be read, lacks a column, or a cell is empty: names the line.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".parquet":
            yield from _parquet_chunks(path, size)
        else:
            yield from _text_chunks(path, size)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} isn't UTF-8 ({error.reason}): save it again as UTF-8") from error
    except (*UNPACKING, ValueError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} can't be read as a table of variants ({said}): check the file") from error


def _parquet_chunks(path: Path, size: int) -> Iterator[pd.DataFrame]:
    table = pd.read_parquet(path)
    table = table.rename(columns=_columns(path, "", table.columns))
    for start in range(0, max(len(table), 1), size):
        yield _checked(path, table.iloc[start : start + size], "row", start + 1)


def _text_chunks(path: Path, size: int) -> Iterator[pd.DataFrame]:
    separator = "," if ".csv" in path.name.lower() else "\t"
    lines, header = _header(path, separator)
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{path}, line {lines}: two columns are called {twice!r}: rename one of them")
    names = _columns(path, f", line {lines}", header)
    chunks = pd.read_csv(
        path, sep=separator, header=None, names=[*header, _SURPLUS], skiprows=lines, dtype="str",
        index_col=False, keep_default_na=False, skip_blank_lines=False, chunksize=size, encoding="utf-8",
        # a single quote in a TSV would swallow all lines up to the next one
        quoting=csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL,
    )  # fmt: skip
    done = False
    with closing(chunks):
        for chunk in chunks:
            surplus = (chunk.pop(_SURPLUS).fillna("").str.strip() != "").to_numpy()
            if surplus.any():
                line = int(chunk.index[int(np.argmax(surplus))]) + lines + 1
                raise DataError(
                    f"{path}, line {line:,}: more cells than the header has columns: mend the line"
                )
            chunk = chunk.map(lambda cell: cell.strip().strip('"'), na_action="ignore")
            blank = (chunk.fillna("") == "").all(axis=1).to_numpy()
            yield _checked(path, chunk[~blank].rename(columns=names), "line", lines + 1)
            done = True
    if not done:
        yield pd.DataFrame({name: pd.Series(dtype="str") for name in names.values()})


def _header(path: Path, separator: str) -> tuple[int, list[str]]:
    """Return the number of lines up to the header, and its columns."""
    last: list[str] = []
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            words = [word.strip().strip('"') for word in line.rstrip("\r\n").split(separator)]
            if line.startswith("#"):
                last = [words[0].lstrip("#").strip(), *words[1:]]
            elif line.strip():
                # a header behind a '#' has the columns; else the first other line is one
                return (number - 1, last) if _has_all(last) and not _has_all(words) else (number, words)
    if not _has_all(last):
        raise DataError(f"{path} is empty: give a table with the columns {', '.join(_NEEDED)}")
    return number, last


def _opened(path: Path) -> IO[str]:
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    return cast(IO[str], opened(path, "rt", encoding="utf-8-sig"))


def _has_all(words: Sequence[str]) -> bool:
    there = {word.lower() for word in words}
    return all(there & set(_NAMES[name]) for name in _NEEDED)


def _columns(path: Path, line: str, header: Sequence[str]) -> dict[str, str]:
    """Return what each column is called here; those that mean nothing here keep their name."""
    found: dict[str, str] = {name: name for name in header}
    for meant, names in _NAMES.items():
        columns = [name for name in header if str(name).lower() in names]
        # the name that is documented goes before the others
        columns = [name for name in columns if name == meant] or columns
        if len(columns) > 1:
            raise DataError(f"{path}{line}: which is {meant}, {' or '.join(columns)}? Rename the other one")
        if columns:
            found[columns[0]] = meant
        elif meant in _NEEDED:
            shown = ", ".join(map(str, header[:12])) + (" ..." if len(header) > 12 else "")
            raise DataError(
                f"{path}{line}: no column {meant}; it has {shown!r}: a table of variants has contig, "
                "position (1-based), ref and alt, separated by tabs in .tsv and commas in .csv"
            )
    return found


def _checked(path: Path, chunk: pd.DataFrame, unit: str, first: int) -> pd.DataFrame:
    if (found := zero_byte(chunk)) is not None:
        place, name = found
        raise DataError(
            f"{path}, {unit} {int(chunk.index[place]) + first:,}: a zero byte in {name}: the file is "
            "damaged, so write it again"
        )
    for name in _NEEDED:
        column = chunk[name]
        empty = (column.isna() | (column.astype(str).str.strip() == "")).to_numpy()
        if empty.any():
            row = int(chunk.index[int(np.argmax(empty))]) + first
            raise DataError(f"{path}, {unit} {row:,}: {name} is empty: fill it in, or leave the {unit} out")
    if not pd.api.types.is_numeric_dtype(chunk["position"]):
        written = chunk["position"].astype(str).str.strip()
        wrong = ~written.str.fullmatch(r"-?\d{1,18}(\.0*)?").to_numpy()
        if wrong.any():
            place = int(np.argmax(wrong))
            raise DataError(
                f"{path}, {unit} {int(chunk.index[place]) + first:,}: position {written.iloc[place]!r} is no "
                f"whole number{_lost_digits(written.iloc[place])}: positions count from 1"
            )
        chunk = chunk.assign(position=written.str.replace(r"\.0*$", "", regex=True).astype("int64"))
    return chunk.reset_index(drop=True)


def _lost_digits(text: str) -> str:
    try:
        float(text)
    except ValueError:
        return ""
    return " (digits are lost in this form)" if "e" in text.lower() else ""
