"""One of the two copies of a locus that an individual carries."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from phenviz.errors import DataError, LocusError
from phenviz.genome import Locus, ReferenceGenome, bare_contig, decode, encode
from phenviz.variation.coordinates import CoordinateMap, Edit
from phenviz.variation.phasing import Phasing
from phenviz.variation.table import RECORD_COLUMNS, check_columns, text_column

# why a carried variant isn't in a haplotype
OVERLAPS = "overlaps a variant before it"
BEGINS_BEFORE = "begins before the locus"
OUTSIDE = "lies outside the locus"


@dataclass(frozen=True, eq=False)
class Haplotype:
    """Sequence of one haplotype over a locus.

    Parameters
    ----------
    locus
        On the reference.
    codes
        Bases, A, C, G, T, N = 0 to 4, on the forward strand; shape (length,), which differs from the
        locus' length by what insertions and deletions add up to.
    variants
        Rows that were applied.
    skipped
        Rows that the individual carries but that could not be applied, with a column ``reason``.
    coordinates
        Map between ``codes`` and the reference.
    sample
        Whose; "" if nobody's.
    number
        1 or 2; 0 if nobody's.
    phasing
        What the file left open about heterozygotes, and what was done about it.
    """

    locus: Locus
    codes: NDArray[np.uint8]
    variants: pd.DataFrame
    skipped: pd.DataFrame
    coordinates: CoordinateMap
    sample: str = ""
    number: int = 0
    phasing: Phasing = field(default_factory=Phasing)

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def sequence(self) -> str:
        """Bases as text, upper case."""
        return decode(self.codes)

    @cached_property
    def content_hash(self) -> str:
        """Digest of the locus and the bases: equal for equal haplotypes, whoever carries them."""
        digest = hashlib.blake2b(digest_size=16)
        place = f"{bare_contig(self.locus.contig)}:{self.locus.start}-{self.locus.end}|"
        digest.update(place.encode())
        digest.update(np.ascontiguousarray(self.codes).tobytes())
        return digest.hexdigest()

    def to_reference(self, offsets: ArrayLike) -> NDArray[np.int64]:
        """Return the 0-based reference position of bases; see `CoordinateMap.to_reference`."""
        return self.coordinates.to_reference(offsets)

    def from_reference(self, positions: ArrayLike) -> NDArray[np.int64]:
        """Return the offset of reference positions, -1 where deleted; see `CoordinateMap.from_reference`."""
        return self.coordinates.from_reference(positions)


def apply_variants(reference: ReferenceGenome, locus: Locus, rows: pd.DataFrame) -> Haplotype:
    """Put variants into the sequence of a locus.

    The rules are those of ``bcftools consensus -H``: variants are taken in the order of the file; one that
    touches bases which an earlier one has changed is left out, but for an insertion or deletion whose
    first base (unchanged) is the earlier one's last; one that begins before the locus is left out; one
    that reaches beyond its end is cut there, its alternate allele to what is left of REF.

    Parameters
    ----------
    reference
        The genome.
    locus
        Where; the strand doesn't matter.
    rows
        Variants of one haplotype: contig, position, ref, alt, of which those on other contigs are left
        out. Where the rows have `RECORD_COLUMNS`, the alleles are applied as the file has them.

    Returns
    -------
    Haplotype
        Nobody's: ``sample`` is "" and ``number`` 0.

    Raises
    ------
    DataError
        If a row's ref isn't what the reference has there.
    LocusError
        If the locus leaves the contig.
    """
    check_columns(rows)
    contig = reference.resolve_contig(locus.contig)
    if locus.end > reference.contigs[contig]:
        raise LocusError(f"{locus} leaves the contig, which ends at {reference.contigs[contig]:,}")
    wanted = bare_contig(contig).upper()
    names = [name for name in rows["contig"].unique() if bare_contig(str(name)).upper() == wanted]
    here = _in_file_order(rows[rows["contig"].isin(names)])
    codes = reference.fetch_codes(contig, locus.start, locus.end)
    positions, refs, alts = _as_in_file(here)
    edits, reasons = _edits(locus, codes, positions, refs, alts)
    used = np.array([not reason for reason in reasons], dtype=bool)
    skipped = here[~used].assign(reason=text_column([reason for reason in reasons if reason]).to_numpy())
    return Haplotype(
        locus=locus,
        codes=_assemble(codes, locus.start, edits),
        variants=here[used].reset_index(drop=True),
        skipped=skipped.reset_index(drop=True),
        coordinates=CoordinateMap(locus.start, locus.end, edits),
    )


def _in_file_order(rows: pd.DataFrame) -> pd.DataFrame:
    if "record" in rows:
        return rows.sort_values("record", kind="stable")
    return rows.sort_values("position", kind="stable")


def _as_in_file(rows: pd.DataFrame) -> tuple[list[int], list[str], list[str]]:
    columns = RECORD_COLUMNS[1:] if "record" in rows else ["position", "ref", "alt"]
    positions, refs, alts = (rows[column].tolist() for column in columns)
    return positions, refs, alts


def _edits(
    locus: Locus, codes: NDArray[np.uint8], positions: list[int], refs: list[str], alts: list[str]
) -> tuple[list[Edit], list[str]]:
    edits: list[Edit] = []
    reasons: list[str] = []
    last_changed, after_insertion = -1, False
    for position, ref, alt in zip(positions, refs, alts, strict=True):
        start = position - 1
        if start >= locus.end or start + len(ref) <= locus.start:
            reasons.append(OUTSIDE)
            continue
        if start < locus.start:
            reasons.append(BEGINS_BEFORE)
            continue
        if start < last_changed or (
            start == last_changed and (after_insertion or not _keeps_first_base(ref, alt))
        ):
            reasons.append(OVERLAPS)
            continue
        room = locus.end - start
        if len(ref) > room:
            ref, alt = ref[:room], alt[:room]
        _check_reference(locus, codes, start, ref)
        edits.append(_trimmed(start, ref, alt))
        reasons.append("")
        last_changed, after_insertion = start + len(ref) - 1, len(alt) > len(ref)
    return [edit for edit in edits if edit.start < edit.end or edit.bases], reasons


def _keeps_first_base(ref: str, alt: str) -> bool:
    """Tell whether this is a pure insertion or deletion after a base that stays."""
    if ref[0] != alt[0]:
        return False
    short, long = sorted((ref, alt), key=len)
    shared = 0
    while shared < len(short) and short[shared] == long[shared]:
        shared += 1
    return long.endswith(short[shared:]) and len(short) < len(long)


def _trimmed(start: int, ref: str, alt: str) -> Edit:
    shared = 0
    while shared < min(len(ref), len(alt)) and ref[shared] == alt[shared]:
        shared += 1
    ref, alt, start = ref[shared:], alt[shared:], start + shared
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    return Edit(start, start + len(ref), alt)


def _check_reference(locus: Locus, codes: NDArray[np.uint8], start: int, ref: str) -> None:
    here = codes[start - locus.start : start - locus.start + len(ref)]
    if not np.array_equal(encode(ref), here):
        raise DataError(
            f"variant at chr{bare_contig(locus.contig)}:{start + 1:,}: ref is {ref}, the reference has "
            f"{decode(here)}: normalise the table against this reference, or give another FASTA"
        )


def _assemble(codes: NDArray[np.uint8], start: int, edits: list[Edit]) -> NDArray[np.uint8]:
    pieces, done = [], 0
    for edit in edits:
        pieces += [codes[done : edit.start - start], encode(edit.bases)]
        done = edit.end - start
    return np.concatenate([*pieces, codes[done:]]).astype(np.uint8, copy=False)
