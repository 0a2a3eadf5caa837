"""One of the two copies of a locus that an individual carries."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from phenviz.errors import DataError, LocusError
from phenviz.genome import Locus, ReferenceGenome, bare_contig, decode, encode
from phenviz.variation.coordinates import CoordinateMap, Edit
from phenviz.variation.phasing import Phasing
from phenviz.variation.reference_letters import reduced_letters
from phenviz.variation.report import VariantReport, counted
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
    coordinates
        Map between ``codes`` and the reference.
    rows
        Variants that were to be applied.
    applied
        Which of ``rows`` were, in the order of the file.
    reasons
        Row -> why it was left out.
    sample
        Whose; "" if nobody's.
    number
        1 or 2; 0 if nobody's.
    phasing
        What the file left open about heterozygotes, and what was done about it.
    report
        What became of the file's records there, whoever carries them.
    """

    locus: Locus
    codes: NDArray[np.uint8]
    coordinates: CoordinateMap
    rows: pd.DataFrame
    applied: tuple[int, ...]
    reasons: dict[int, str]
    sample: str = ""
    number: int = 0
    phasing: Phasing = field(default_factory=Phasing)
    report: VariantReport = field(default_factory=VariantReport)

    def __len__(self) -> int:
        return len(self.codes)

    # tables are made when somebody looks at them: a cohort has thousands of haplotypes
    @cached_property
    def variants(self) -> pd.DataFrame:
        """Rows that were applied."""
        return self.rows.iloc[list(self.applied)].reset_index(drop=True)

    @cached_property
    def skipped(self) -> pd.DataFrame:
        """Rows that the individual carries but that could not be applied; column ``reason`` says why."""
        table = self.rows.iloc[list(self.reasons)].reset_index(drop=True)
        table["reason"] = text_column(list(self.reasons.values()))
        return table

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

    def describe(self) -> str:
        """Say in a line whose haplotype this is, what went into it and what didn't."""
        whose = f"{self.sample}, haplotype {self.number}" if self.sample else "haplotype"
        text = f"{whose}: {counted(len(self.applied), 'variant')} in {self.locus}, {len(self):,} bases"
        if self.reasons:
            counts = Counter(self.reasons.values())
            text += f"; left out {', '.join(f'{n:,} ({reason})' for reason, n in counts.items())}"
        return text if self.phasing.plain else f"{text}; {self.phasing.describe()}"

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
    wanted = bare_contig(reference.resolve_contig(locus.contig)).upper()
    names = [name for name in rows["contig"].unique() if bare_contig(str(name)).upper() == wanted]
    return HaplotypeBuilder(reference, locus, rows[rows["contig"].isin(names)]).build()


class HaplotypeBuilder:
    """Builds haplotypes of one locus from different choices among the same rows.

    Parameters
    ----------
    reference, locus
        As in `apply_variants`.
    rows
        Variants on the contig of the locus.
    """

    def __init__(self, reference: ReferenceGenome, locus: Locus, rows: pd.DataFrame) -> None:
        contig = reference.resolve_contig(locus.contig)
        if locus.end > reference.contigs[contig]:
            raise LocusError(f"{locus} leaves the contig, which ends at {reference.contigs[contig]:,}")
        self._locus = locus
        self._reference = reference
        self._codes = reference.fetch_codes(contig, locus.start, locus.end)
        in_file = "record" in rows
        order = np.argsort(rows["record" if in_file else "position"].to_numpy(), kind="stable")
        self._rows = rows.iloc[order]
        columns = RECORD_COLUMNS[1:] if in_file else ["position", "ref", "alt"]
        self._positions, self._refs, self._alts = (self._rows[column].tolist() for column in columns)
        # where each of the rows as given went
        self._place = np.argsort(order)

    def build(self, carried: NDArray[np.bool_] | None = None) -> Haplotype:
        """Build the haplotype that has the chosen rows.

        Parameters
        ----------
        carried
            Which of the rows as given, shape (V,); None for all.
        """
        chosen = range(len(self._rows)) if carried is None else np.sort(self._place[carried]).tolist()
        edits, applied, reasons = self._edits(chosen)
        return Haplotype(
            locus=self._locus,
            codes=_assemble(self._codes, self._locus.start, edits),
            coordinates=CoordinateMap(self._locus.start, self._locus.end, edits),
            rows=self._rows,
            applied=tuple(applied),
            reasons=reasons,
        )

    def _edits(self, chosen: Iterable[int]) -> tuple[list[Edit], list[int], dict[int, str]]:
        edits: list[Edit] = []
        applied: list[int] = []
        reasons: dict[int, str] = {}
        # last base that an applied variant has touched, and whether that was an insertion
        touched, after_insertion = -1, False
        for row in chosen:
            start, ref, alt = self._positions[row] - 1, self._refs[row], self._alts[row]
            reason = self._obstacle(start, ref, alt, touched, after_insertion)
            if reason:
                reasons[row] = reason
                continue
            room = self._locus.end - start
            if len(ref) > room:
                ref, alt = ref[:room], alt[:room]
            self._check_reference(start, ref)
            applied.append(row)
            edit = _trimmed(start, ref, alt)
            if edit.start < edit.end or edit.bases:
                edits.append(edit)
            touched, after_insertion = start + len(ref) - 1, len(alt) > len(ref)
        return edits, applied, reasons

    def _obstacle(self, start: int, ref: str, alt: str, touched: int, after_insertion: bool) -> str | None:
        if start >= self._locus.end or start + len(ref) <= self._locus.start:
            return OUTSIDE
        if start < self._locus.start:
            return BEGINS_BEFORE
        if start > touched or (start == touched and not after_insertion and _keeps_first_base(ref, alt)):
            return None
        return OVERLAPS

    def _check_reference(self, start: int, ref: str) -> None:
        offset = start - self._locus.start
        codes = self._codes[offset : offset + len(ref)]
        here = decode(codes)
        if here in (ref, decode(encode(ref))):
            return
        if reduced_letters(self._reference, self._locus.contig, start, ref, codes) is None:
            raise DataError(
                f"variant at chr{bare_contig(self._locus.contig)}:{start + 1:,}: ref is {ref}, the reference "
                f"has {here}: normalise the table against this reference, or give another FASTA"
            )


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


def _assemble(codes: NDArray[np.uint8], start: int, edits: list[Edit]) -> NDArray[np.uint8]:
    pieces, done = [], 0
    for edit in edits:
        pieces += [codes[done : edit.start - start], encode(edit.bases)]
        done = edit.end - start
    return np.concatenate([*pieces, codes[done:]])
