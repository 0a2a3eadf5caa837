"""The alleles of a table of variants, checked against the reference and brought into one form."""

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
from phenviz.genome.variant import Edit
from phenviz.variation.normalise import left_align
from phenviz.variation.reference_letters import reduced_letters
from phenviz.variation.table import zero_byte

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
class VariantRows:
    """Variants as the engines take them, in the order of the table: one row for each alternate allele.

    Parameters
    ----------
    contig
        Name of each row's contig as in the reference, (rows,); as given where the reference has none.
    start
        0-based first base of REF, (rows,), left-aligned.
    ref, alt
        Alleles, trimmed, (rows,) objects.
    status
        ``"scored"``, or why a row can't be scored, (rows,) objects.
    given
        ``contig``, ``position``, ``ref``, ``alt`` and ``id`` as the table has them, but for the contig's name
        and upper case.
    """

    contig: NDArray[np.object_]
    start: NDArray[np.int64]
    ref: NDArray[np.object_]
    alt: NDArray[np.object_]
    status: NDArray[np.object_]
    given: pd.DataFrame

    def __len__(self) -> int:
        return len(self.start)

    @cached_property
    def ref_length(self) -> NDArray[np.int64]:
        """Number of bases in REF, (rows,)."""
        return _lengths(self.ref)

    def edits(self, some: Iterable[int]) -> list[Edit]:
        """Return what some rows change, as their alleles have it."""
        return [Edit(int(self.start[row]), self.ref[row], self.alt[row]) for row in some]

    def in_order(self) -> NDArray[np.intp]:
        """Return the rows that can be scored, contig by contig from left to right."""
        usable = np.flatnonzero(self.status == SCORED)
        _, contigs = np.unique(self.contig[usable].astype(str), return_inverse=True)
        return usable[np.lexsort((self.start[usable], contigs))]


@dataclass(frozen=True, eq=False)
class GeneEffects:
    """Effects of some rows on one gene: its number, those of the rows, and (rows, numbers)."""

    gene: int
    rows: NDArray[np.intp]
    effect: NDArray[np.float32]


def read_rows(variants: pd.DataFrame, reference: ReferenceGenome) -> VariantRows:
    """Check a table of variants, row by row; a bad row is marked and never stops the others.

    Parameters
    ----------
    variants
        Columns ``contig``, ``position`` (1-based, of the first base of REF), ``ref``, ``alt`` (several with
        commas between them) and, if there, ``id``; in any order, and any way to write an allele.
    reference
        Genome that REF has to agree with.

    Returns
    -------
    VariantRows
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
    if (found := zero_byte(variants)) is not None:
        raise DataError(
            f"row {found[0] + 1:,} of the variants has a zero byte in {found[1]}: the text is damaged"
        )
    variants = _one_allele_each(variants)
    position = _positions(variants["position"])
    ref, alt = (_upper(variants[name]) for name in ("ref", "alt"))
    given = {"position": position, "ref": ref.copy(), "alt": alt.copy()}
    start = position - 1
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
        status[rows] = _check(reference, name, start[rows], ref[rows], alt[rows])
    _align(contig, start, ref, alt, status, reference)
    ids = variants["id"].fillna("") if "id" in variants.columns else [""] * len(variants)
    table = pd.DataFrame({"contig": contig, **given, "id": np.asarray(ids, dtype=object)})
    return VariantRows(contig, start, ref, alt, status, table)


def _one_allele_each(variants: pd.DataFrame) -> pd.DataFrame:
    alternates = variants["alt"].astype(str)
    if not alternates.str.contains(",", regex=False).any():
        return variants
    return variants.assign(alt=alternates.str.split(",")).explode("alt", ignore_index=True)


def _align(
    contig: NDArray[np.object_],
    start: NDArray[np.int64],
    ref: NDArray[np.object_],
    alt: NDArray[np.object_],
    status: NDArray[np.object_],
    reference: ReferenceGenome,
) -> None:
    """Left-align and trim what is longer than a base, so that every way to write it gets the same numbers."""
    longer = (_lengths(ref) > 1) | (_lengths(alt) > 1)
    for row in np.flatnonzero(longer & (status == SCORED) & (ref != alt)):
        codes = reference.codes(contig[row])
        start[row], ref[row], alt[row] = left_align(codes, int(start[row]), ref[row], alt[row])
        status[row] = _status_of(ref[row], alt[row], codes[start[row] : start[row] + len(ref[row])])


def _status_of(ref: str, alt: str, here: NDArray[np.uint8]) -> str:
    """Say of an aligned row that its REF fits whether it can be scored."""
    short, long = sorted((ref, alt), key=len)
    beside = len(short) == 1 and len(long) > 1 and short in (long[0], long[-1])
    inserted = beside and short == ref
    # the base that an insertion or deletion stands beside is no part of it, and may be unknown
    replaced_by = alt.replace("N", "", 1) if beside and short == "N" else alt
    if replaced_by and not _is_sequence(replaced_by):
        return NO_ALLELE
    if beside and not inserted:
        here = here[1:] if short == long[0] else here[:-1]
    return NO_SEQUENCE if (here == N_CODE).all() and not inserted else SCORED


def _check(
    reference: ReferenceGenome,
    contig: str,
    start: NDArray[np.int64],
    ref: NDArray[np.object_],
    alt: NDArray[np.object_],
) -> NDArray[np.object_]:
    """Say of each row of one contig whether it can be scored; of longer alleles, `_align` decides."""
    codes = reference.codes(contig)
    status = np.full(len(start), SCORED, dtype=object)
    lengths, longest = _lengths(ref), np.maximum(_lengths(ref), _lengths(alt))
    inside = (start >= 0) & (start + lengths <= len(codes))
    single = inside & (longest == 1) & (lengths == 1)
    here = codes[start[single]]
    letters = encode("".join(ref[single]))
    status[single] = np.where(
        here == N_CODE, NO_SEQUENCE, np.where(here == letters, SCORED, MISMATCH)
    ).astype(object)
    for row in np.flatnonzero(inside & ~single):
        here = codes[start[row] : start[row] + lengths[row]]
        if not lengths[row] or reduced_letters(reference, contig, start[row], ref[row], here) is None:
            status[row] = MISMATCH
    status[~inside] = OUTSIDE
    # where the place is right but the allele is a symbol, the allele is what to tell about
    open_case = (status == SCORED) & (longest > 1) & (ref != alt)
    known = [allele == "N" or _is_sequence(allele.replace("N", "")) for allele in alt]
    status[[not _is_sequence(one) for one in alt] & ~(open_case & known)] = NO_ALLELE
    return status


def _is_sequence(allele: str) -> bool:
    return bool(allele) and not allele.strip("ACGT")


def _lengths(alleles: Iterable[str]) -> NDArray[np.int64]:
    return np.array([len(allele) for allele in alleles], dtype=np.int64)


def _upper(column: pd.Series) -> NDArray[np.object_]:
    return np.array([str(allele).strip().upper() for allele in column], dtype=object)


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
