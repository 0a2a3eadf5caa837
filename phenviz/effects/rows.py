"""The rows of a table of variants, checked against the reference they are to be made in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import DataError, LocusError
from phenviz.genome.codes import N_CODE, encode
from phenviz.genome.reference import ReferenceGenome

COLUMNS = ("contig", "position", "ref", "alt")

SCORED = "scored"
MISMATCH = "reference mismatch"
OUTSIDE = "outside the contig"
NO_CONTIG = "unknown contig"
NO_SEQUENCE = "unknown sequence"
NO_ALLELE = "unsupported allele"
# in the order in which they are counted out
REASONS = (MISMATCH, OUTSIDE, NO_CONTIG, NO_SEQUENCE, NO_ALLELE)


@dataclass(frozen=True)
class Rows:
    """Variants as the engines take them, in the order of the table.

    Parameters
    ----------
    contig
        Name of each row's contig as in the reference, (rows,); as given where the reference has none.
    start
        0-based first base of REF, (rows,).
    ref, alt
        Alleles, upper case, (rows,) objects.
    status
        ``"scored"``, or why a row can't be scored, (rows,) objects.
    """

    contig: NDArray[np.object_]
    start: NDArray[np.int64]
    ref: NDArray[np.object_]
    alt: NDArray[np.object_]
    status: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.start)

    @cached_property
    def single(self) -> NDArray[np.bool_]:
        """Whether a row replaces one base by one base, (rows,)."""
        return (self.ref_length == 1) & (_lengths(self.alt) == 1)

    @cached_property
    def ref_length(self) -> NDArray[np.int64]:
        """Number of bases in REF, (rows,)."""
        return _lengths(self.ref)

    def in_order(self) -> NDArray[np.intp]:
        """Return the rows that can be scored, contig by contig from left to right."""
        usable = np.flatnonzero(self.status == SCORED)
        _, contigs = np.unique(self.contig[usable].astype(str), return_inverse=True)
        return usable[np.lexsort((self.start[usable], contigs))]


def read_rows(variants: pd.DataFrame, reference: ReferenceGenome) -> Rows:
    """Check a table of variants, row by row; a bad row is marked and never stops the others.

    Parameters
    ----------
    variants
        Columns ``contig``, ``position`` (1-based, of the first base of REF), ``ref`` and ``alt``; one row a
        biallelic variant, in any order.
    reference
        Genome that REF has to agree with.

    Returns
    -------
    Rows
        A row is not scored if its contig is unknown, it leaves the contig, its REF isn't what the reference
        has there, all that it replaces is N, or its ALT is no sequence of A, C, G and T.

    Raises
    ------
    DataError
        If a column is missing, or positions are no whole numbers.
    """
    if missing := [name for name in COLUMNS if name not in variants.columns]:
        raise DataError(
            f"the table of variants lacks the column {', '.join(missing)}: it needs {', '.join(COLUMNS)}"
        )
    start = _positions(variants["position"]) - 1
    ref, alt = (_upper(variants[name]) for name in ("ref", "alt"))
    contig = np.empty(len(variants), dtype=object)
    status = np.full(len(variants), SCORED, dtype=object)
    names, number = np.unique(np.asarray(variants["contig"].astype(str), dtype=str), return_inverse=True)
    for index, name in enumerate(names):
        rows = np.flatnonzero(number == index)
        try:
            contig[rows] = reference.resolve_contig(name)
        except LocusError:
            contig[rows], status[rows] = name, NO_CONTIG
            continue
        status[rows] = _check(reference.codes(name), start[rows], ref[rows], alt[rows])
    return Rows(contig, start, ref, alt, status)


def _check(
    codes: NDArray[np.uint8],
    start: NDArray[np.int64],
    ref: NDArray[np.object_],
    alt: NDArray[np.object_],
) -> NDArray[np.object_]:
    """Say of each row of one contig whether it can be scored."""
    status = np.full(len(start), SCORED, dtype=object)
    lengths = _lengths(ref)
    inside = (start >= 0) & (start + lengths <= len(codes))
    single = inside & (lengths == 1)
    here = codes[start[single]]
    letters = encode("".join(ref[single]))
    status[single] = np.where(
        here == N_CODE, NO_SEQUENCE, np.where(here == letters, SCORED, MISMATCH)
    ).astype(object)
    for row in np.flatnonzero(inside & (lengths != 1)):
        here = codes[start[row] : start[row] + lengths[row]]
        if lengths[row] == 0 or not np.array_equal(here, encode(ref[row])):
            status[row] = MISMATCH
        elif (here == N_CODE).all():
            status[row] = NO_SEQUENCE
    status[~inside] = OUTSIDE
    # where the place is right but the allele is a symbol, the allele is what to tell about
    status[[not _is_sequence(allele) for allele in alt]] = NO_ALLELE
    return status


def _is_sequence(allele: str) -> bool:
    return bool(allele) and not allele.strip("ACGT")


def _lengths(alleles: Iterable[str]) -> NDArray[np.int64]:
    return np.array([len(allele) for allele in alleles], dtype=np.int64)


def _upper(column: pd.Series) -> NDArray[np.object_]:
    return np.array([str(allele).upper() for allele in column], dtype=object)


def _positions(column: pd.Series) -> NDArray[np.int64]:
    try:
        positions = np.asarray(pd.to_numeric(column), dtype=np.float64)
        if not (np.isfinite(positions).all() and (positions == np.round(positions)).all()):
            raise ValueError("a position is missing or has a fraction")
    except (ValueError, TypeError) as error:
        raise DataError(
            f"column position of the variants holds no whole number ({error}): positions count from 1"
        ) from None
    return positions.astype(np.int64)
