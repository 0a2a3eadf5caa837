"""Sequences whose activity was measured in reporter assays (MPRA): reading their table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.errors import DataError
from phenviz.genome.codes import decode, encode

COLUMNS = ("sequence", "context", "value", "split")
SPLITS = {
    **dict.fromkeys(("train", "training"), "training"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    "test": "test",
}
_BASES = re.compile("[ACGTN]+")


def read_sequences(path: str | Path, adaptors: tuple[str, str] = ("", "")) -> pd.DataFrame:
    """Read sequences with the activity that was measured of each.

    Parameters
    ----------
    path
        Tab-separated table, plain or gzip, with the columns ``sequence`` (bases), ``context`` (one name, or
        several joined by ``|``), ``value`` (log2 RNA/DNA) and ``split`` (train, validation or test).
    adaptors
        Bases at the beginning and the end of every sequence that are no part of what was tested; cut off.

    Returns
    -------
    pd.DataFrame
        One row for each sequence and context: ``sequence`` (upper case, without adaptors), ``context``,
        ``value`` and ``split`` (training, validation or test).

    Raises
    ------
    DataError
        If a column is missing, a line holds no sequence, value or split, a sequence lacks its adaptors, or
        one is in two splits (on either strand); names the line.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"sequences {path} can't be read ({error}): give a tab-separated table") from error
    if missing := [name for name in COLUMNS if name not in table]:
        raise DataError(
            f"sequences {path} lack the column {', '.join(missing)}: they have {', '.join(map(str, table))}, "
            f"and need {', '.join(COLUMNS)}"
        )
    table = table[[*COLUMNS]].apply(lambda column: column.str.strip())
    # the number of each row's line, counted from 1 and with the header
    table.index = pd.RangeIndex(2, len(table) + 2)
    table = table[(table != "").any(axis=1)]
    if table.empty:
        raise DataError(f"sequences {path} hold no row below the header")
    table["sequence"] = table["sequence"].str.upper()
    _refuse(
        path, table, ~table["sequence"].map(lambda text: bool(_BASES.fullmatch(text))), "no sequence of bases"
    )
    value = pd.to_numeric(table["value"], errors="coerce")
    _refuse(path, table, ~np.isfinite(value), "no number in 'value'")
    split = table["split"].str.casefold().map(SPLITS)
    _refuse(path, table, split.isna(), "no split of train, validation or test")
    _refuse(path, table, table["context"] == "", "no context")
    table["sequence"] = _cut(path, table, adaptors)
    table = table.assign(value=value, split=split)
    _refuse_shared(path, table)
    table["context"] = table["context"].str.split("|")
    table = table.explode("context", ignore_index=True)
    return table.assign(context=table["context"].str.strip())


def reverse_complement(sequence: str) -> str:
    """Return the other strand of a sequence; N stays N."""
    codes = encode(sequence)
    return decode(np.where(codes < 4, 3 - codes, codes)[::-1].astype(np.uint8))


def _cut(path: str | Path, table: pd.DataFrame, adaptors: tuple[str, str]) -> pd.Series:
    first, last = (bases.upper() for bases in adaptors)
    sequence = table["sequence"]
    whole = sequence.str.startswith(first) & sequence.str.endswith(last)
    whole &= sequence.str.len() > len(first) + len(last)
    _refuse(path, table, ~whole, f"a sequence without the adaptors {first} ... {last}")
    return sequence.str.slice(len(first), -len(last) if last else None)


def _refuse_shared(path: str | Path, table: pd.DataFrame) -> None:
    """Raise where a sequence, or its other strand, is in two splits: it would be learnt and tested."""
    strand = table["sequence"].map(lambda text: min(text, reverse_complement(text)))
    first = table.groupby(strand, sort=False)["split"].transform("first")
    _refuse(path, table, first != table["split"], "a sequence that an earlier line has in another split")


def _refuse(path: str | Path, table: pd.DataFrame, wrong: pd.Series | Sequence[bool], what: str) -> None:
    lines = table.index[np.asarray(wrong, bool)]
    if len(lines):
        more = f" ({len(lines):,} lines are so)" if len(lines) > 1 else ""
        raise DataError(
            f"sequences {path}, line {lines[0]}, holds {what}{more}: see docs/project.md for the table"
        )
