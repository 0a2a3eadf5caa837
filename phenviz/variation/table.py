"""Tables of variants: one row for each biallelic, left-aligned, trimmed variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from phenviz.errors import DataError
from phenviz.variation.report import VariantReport

VARIANT_COLUMNS = ["contig", "position", "ref", "alt", "id"]
# what the file says: rows of one record share its number; a haplotype is built from these, because a
# variant that is moved past another one on the same haplotype says something else
RECORD_COLUMNS = ["record", "record_position", "record_ref", "record_alt"]


@dataclass(frozen=True, eq=False)
class VariantSet:
    """Variants and what became of the records they were read from.

    Parameters
    ----------
    table
        `VARIANT_COLUMNS`: contig as in the reference, position (1-based), ref, alt, id ("" if none);
        sorted by contig (order of the reference) and position.
    report
        Counts.
    """

    table: pd.DataFrame
    report: VariantReport

    def __len__(self) -> int:
        return len(self.table)


def variant_table(
    contig: Sequence[str], position: Sequence[int], ref: Sequence[str], alt: Sequence[str], id: Sequence[str]
) -> pd.DataFrame:
    """Make a table of variants out of its columns; text columns are plain Python strings."""
    return pd.DataFrame(
        {
            "contig": text_column(contig),
            "position": np.asarray(position, dtype=np.int64),
            "ref": text_column(ref),
            "alt": text_column(alt),
            "id": text_column(id),
        }
    )


def text_column(values: Sequence[str]) -> pd.Series:
    """Make a column of strings, whatever is in it (pandas guesses from the first rows)."""
    return pd.Series(list(values), dtype="str")


def check_columns(table: pd.DataFrame) -> None:
    """Raise if a table lacks one of the columns that variants need (an id may be missing).

    Raises
    ------
    DataError
        Names the columns that are missing.
    """
    missing = [column for column in VARIANT_COLUMNS[:-1] if column not in table]
    if missing:
        raise DataError(
            f"the table of variants lacks {', '.join(missing)}: a variant has the columns contig, position "
            "(1-based), ref and alt"
        )


def zero_byte(table: pd.DataFrame) -> tuple[int, str] | None:
    """Return row and column of the first zero byte in a table's text, which no file of results can hold."""
    for name in VARIANT_COLUMNS:
        if name in table and not pd.api.types.is_numeric_dtype(table[name]):
            damaged = table[name].astype(str).str.contains("\0", regex=False).to_numpy()
            if damaged.any():
                return int(np.argmax(damaged)), name
    return None


def contig_ranks(contigs: pd.Series, order: Sequence[str]) -> pd.Series:
    """Give each contig its rank in the reference."""
    return contigs.map({name: rank for rank, name in enumerate(order)}).astype("int64")
