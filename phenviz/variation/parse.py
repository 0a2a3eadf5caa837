"""Variants as people write and paste them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from phenviz.errors import DataError
from phenviz.genome import ReferenceGenome
from phenviz.genome.variant import WANTED, read_variants
from phenviz.variation.normalise import normalise
from phenviz.variation.table import variant_table

_LIMIT = 100_000


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
    if len(lines) > _LIMIT:
        raise DataError(f"{len(lines):,} pasted lines are too many: put them into a VCF file")
    table = variant_table(*zip(*_each(lines, _read), strict=True))
    try:
        table = normalise(table, reference)
    except DataError:
        # slower, but it finds the line
        _each(lines, lambda line: [normalise(variant_table(*zip(*_read(line), strict=True)), reference)])
        raise
    return table.drop_duplicates(["contig", "position", "ref", "alt"], ignore_index=True)


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
