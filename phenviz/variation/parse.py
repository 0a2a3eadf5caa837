"""Variants as people write and paste them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from phenviz.errors import DataError
from phenviz.genome import ReferenceGenome
from phenviz.genome.variant import WANTED, read_variants
from phenviz.variation.normalise import normalise
from phenviz.variation.table import variant_table

MOST_LINES = 100_000


def parse_variant(text: str) -> pd.DataFrame:
    """Read one variant as people write it.

    Parameters
    ----------
    text
        As for `phenviz.genome.variant.read_variants`. Positions count from 1.

    Returns
    -------
    pd.DataFrame
        One row, `VARIANT_COLUMNS`; the contig without ``chr``, alleles in upper case, not yet compared
        with a reference.

    Raises
    ------
    DataError
        If the text is no variant.
    """
    rows = _read(text.strip("\r\n"))
    if len(rows) != 1:
        raise DataError(f"{text.strip()!r} holds {len(rows)} variants: give one")
    return variant_table(*zip(*rows, strict=True))


def parse_variants(text: str, reference: ReferenceGenome) -> pd.DataFrame:
    """Read pasted lines, one variant each, and bring them into the form of all tables.

    Parameters
    ----------
    text
        Lines as in `parse_variant`; empty lines and lines that begin with ``#`` are left out.
    reference
        The genome that the variants are described against.

    Returns
    -------
    pd.DataFrame
        Normalised and sorted (`normalise`), each variant once.

    Raises
    ------
    DataError
        Names the line that is no variant, or that doesn't fit the reference.
    """
    return table_of_lines(written_lines(text), reference)


def written_lines(text: str) -> list[tuple[int, str]]:
    """Return the lines of a text that say something, each with its number from 1."""
    numbered = enumerate(text.splitlines(), 1)
    return [(number, line) for number, line in numbered if line.strip() and not line.lstrip().startswith("#")]


def table_of_lines(lines: list[tuple[int, str]], reference: ReferenceGenome) -> pd.DataFrame:
    """Read lines that have been numbered; see `parse_variants`."""
    if not lines:
        raise DataError(f"no variants were given: {WANTED}")
    if len(lines) > MOST_LINES:
        raise DataError(f"{len(lines):,} pasted lines are too many: put them into a VCF file")
    table = variant_table(*zip(*_each(lines, _read), strict=True))
    try:
        table = normalise(table, reference)
    except DataError:
        # slower, but it finds the line
        _each(lines, lambda line: [normalise(variant_table(*zip(*_read(line), strict=True)), reference)])
        raise
    return table.drop_duplicates(["contig", "position", "ref", "alt"], ignore_index=True)


def read_each(
    lines: Iterable[tuple[int, str]], reference: ReferenceGenome
) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """Read the lines that can be read; see `table_of_lines`.

    Returns
    -------
    table
        Of the others, in their order; a variant that is written twice is there twice. Column ``line`` has the
        number of each.
    refused
        Number of each line that can't be read, and why.
    """
    rows: list[tuple[tuple[str, int, str, str, str], int]] = []
    refused: list[tuple[int, str]] = []
    for number, line in lines:
        try:
            rows += [(row, number) for row in _read(line)]
        except DataError as error:
            refused.append((number, str(error)))
    numbers = [number for _, number in rows]
    empty: list[list[Any]] = [[], [], [], [], []]
    table = variant_table(*(zip(*(row for row, _ in rows), strict=True) if rows else empty))
    kept, wrong = _normalised(table.assign(line=numbers), reference)
    # of a line with several alternate alleles each may be wrong
    refused += {number: said for number, said in reversed(wrong)}.items()
    return pd.concat(kept, ignore_index=True) if kept else table.assign(line=numbers), sorted(refused)


def _normalised(
    table: pd.DataFrame, reference: ReferenceGenome
) -> tuple[list[pd.DataFrame], list[tuple[int, str]]]:
    """Normalise what fits the reference: a part that doesn't is halved until only that is left."""
    if table.empty:
        return [], []
    try:
        return [normalise(table, reference)], []
    except DataError as error:
        if len(table) == 1:
            said = (
                str(error).replace("the table of variants holds ", "").replace("the first is record 1, ", "")
            )
            return [], [(int(table["line"].iloc[0]), said)]
    middle = len(table) // 2
    halves = [_normalised(half, reference) for half in (table.iloc[:middle], table.iloc[middle:])]
    return [one for half, _ in halves for one in half], [one for _, wrong in halves for one in wrong]


def _each(lines: list[tuple[int, str]], read: Callable[[str], list[Any]]) -> list[Any]:
    found = []
    for number, line in lines:
        try:
            found.extend(read(line))
        except DataError as error:
            raise DataError(f"line {number}: {error}") from error
    return found


def _read(line: str) -> list[tuple[str, int, str, str, str]]:
    variants, name = read_variants(line)
    return [(*variant, name) for variant in variants]
