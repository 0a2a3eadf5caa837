"""Tables as files hold them: text, Parquet or Excel, in parts, under the file's own names, by line."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from phenviz.disease.formats import Format, recognise, recognise_fields
from phenviz.errors import DataError, PhenvizError

MISSING = ["", "NA", "na", "N/A", "NaN", "nan", ".", "-", "#NA", "none", "None", "null"]
_EXCEL = (".xls", ".xlsx", ".xlsm", ".xlsb", ".ods")


def read_raw(path: Path, *, chunk: int = 500_000) -> Iterator[tuple[pd.DataFrame, Format]]:
    """Read a table with its own columns.

    Parameters
    ----------
    path
        ``.parquet``, Excel, or text (also gzip or bgzip) whose columns are parted by tabs, commas,
        semicolons or spaces; the header may be missing where `recognise_fields` knows the columns.
    chunk
        Lines of a text read at once.

    Yields
    ------
    tuple
        Table (text columns hold str, NaN where missing; the index is the line in the file), and what it
        was recognised as.

    Raises
    ------
    DataError
        If the file is missing, empty or no table, its columns aren't clear, or a line has more or
        fewer fields than the header.
    """
    if not path.is_file():
        raise DataError(f"{path} doesn't exist: check the path")
    try:
        if path.name.lower().endswith(".parquet"):
            yield _numbered(pd.read_parquet(path), 1, path)
        elif path.name.lower().endswith(_EXCEL):
            yield _numbered(pd.read_excel(path, engine="calamine", dtype=object), 2, path)
        else:
            with _opened(path) as lines:
                yield from _parts(lines, path, chunk)
    except PhenvizError:
        raise
    except (csv.Error, zlib.error, ArithmeticError, EOFError, ImportError, LookupError, OSError, TypeError,
            ValueError) as error:  # fmt: skip
        short = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} can't be read as a table ({short}): give TSV, CSV, Parquet or Excel"
        ) from error


def _numbered(table: pd.DataFrame, first: int, path: Path) -> tuple[pd.DataFrame, Format]:
    narrow = [
        str(name) for name in table if table[name].dtype == "float32" and table[name].abs().max() > 2**24
    ]
    if narrow:
        raise DataError(
            f"{path}, column {narrow[0]!r}: 32-bit floats hold no more than seven digits, so positions lose "
            "their last ones: store whole numbers"
        )
    names = [str(name).strip() for name in table]
    # categories, dates and nullable integers become plain objects
    table = table.astype(object).where(table.notna(), np.nan)
    return table.set_axis(names, axis=1).set_axis(range(first, first + len(table))), recognise(
        names, str(path)
    )


def _opened(path: Path) -> TextIO:
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if zipped else path.open("rb") as raw:
        wide = raw.read(2) in (b"\xff\xfe", b"\xfe\xff")
    encoding = "utf-16" if wide else "utf-8-sig"
    opened = gzip.open(path) if zipped else path.open("rb")
    # bytes of another encoding stay apart from each other in names of traits
    return io.TextIOWrapper(opened, encoding=encoding, errors="backslashreplace")


def _parts(lines: TextIO, path: Path, chunk: int) -> Iterator[tuple[pd.DataFrame, Format]]:
    number, text = _first_line(lines, path)
    separator = next((mark for mark in "\t,;" if mark in text), None)
    names = [name.strip() for name in _fields(text, separator)]
    form = recognise_fields(names)
    # without a header, the first line is data
    ahead, names = ([text], list(form.columns.values())) if form else ([], names)
    number += form is None
    form = form or recognise(names, str(path))
    ragged = True
    while (block := ahead + list(islice(lines, chunk))) or ragged:
        kept = {number + place: line for place, line in enumerate(block) if line.strip()}
        if ragged and kept:
            names = _names(names, _fields(next(iter(kept.values())), separator))
        ragged = ragged and bool(block) and not kept
        _check_widths(kept, len(names), separator, path)
        yield _parsed(kept, names, separator), form
        number, ahead = number + len(block), []


def _first_line(lines: TextIO, path: Path) -> tuple[int, str]:
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\n")
        # FINEMAP and VCF-like files begin with comments; a header may itself begin with one '#'
        if text.strip() and not text.startswith("##") and not re.match(r"^#\s", text):
            return number, text
    raise DataError(f"{path} is empty: give a table with a header line")


def _fields(line: str, separator: str | None) -> list[str]:
    line = line.rstrip("\r\n")
    if '"' in line:
        if separator is None:
            line = re.sub(r"\s+", " ", line.strip())
        return next(csv.reader([line], delimiter=separator or " "), [])
    return line.split(separator)


def _names(names: list[str], fields: list[str]) -> list[str]:
    """Name a column that the header lacks: R's row names come first, an empty one at the end is last."""
    if len(fields) == len(names) + 1:
        return [*names, ""] if not fields[-1].strip() else ["", *names]
    if len(fields) == len(names) - 1 and not names[-1]:
        return names[:-1]
    return names


def _check_widths(kept: dict[int, str], width: int, separator: str | None, path: Path) -> None:
    for number, line in kept.items():
        found = line.count(separator) + 1 if separator and '"' not in line else len(_fields(line, separator))
        if found != width:
            raise DataError(
                f"{path}, line {number}: it has {found} fields where the header has {width} columns: was the "
                "file cut short, or were lines joined?"
            )


def _parsed(kept: dict[int, str], names: list[str], separator: str | None) -> pd.DataFrame:
    if not kept:
        return pd.DataFrame(columns=names, dtype=str)
    text = "\n".join(line.rstrip("\r\n") for line in kept.values())
    table = pd.read_csv(
        io.StringIO(text), sep=separator or r"\s+", header=None, names=range(len(names)), dtype=str,
        keep_default_na=False, na_values=MISSING, index_col=False, skip_blank_lines=False,
    )  # fmt: skip
    return table.set_axis(names, axis=1).set_axis(list(kept))
