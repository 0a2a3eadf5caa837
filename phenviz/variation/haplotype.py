"""One of the two copies of a locus that an individual carries."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from phenviz.errors import DataError, LocusError
from phenviz.genome import Locus, ReferenceGenome, bare_contig, decode, encode, shown_contig
from phenviz.genome.locus import on_contig
from phenviz.genome.variant import Edit
from phenviz.variation.coordinates import CoordinateMap
from phenviz.variation.coverage import Coverage
from phenviz.variation.edits import CanonicalEdits
from phenviz.variation.phasing import Phasing
from phenviz.variation.records import touches
from phenviz.variation.reference_letters import reduced_letters
from phenviz.variation.report import VariantReport, counted
from phenviz.variation.table import RECORD_COLUMNS, check_columns, text_column

# why a carried variant isn't in a haplotype
OVERLAPS = "overlaps a variant before it"
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
        Variants of the file.
    applied
        Which of ``rows`` are in the locus, in the order of the file.
    reasons
        Row -> why it was left out, though the individual carries it there.
    edits
        What it has in the locus instead of the reference's bases, in one form however its variants are
        written (see `phenviz.variation.edits`): 0-based start, bases replaced, and by what. An indel may
        lie in the locus in this form alone.
    edited_rows
        Which of ``rows`` the edits are made of.
    sample
        Whose; "" if nobody's.
    number
        1 or 2; 0 if nobody's.
    phasing
        What the file left open about heterozygotes, and what was done about it.
    report
        What became of the file's records there, whoever carries them.
    coverage
        Where the sample's genotypes are known; None if nobody's.
    """

    locus: Locus
    codes: NDArray[np.uint8]
    coordinates: CoordinateMap
    rows: pd.DataFrame
    applied: tuple[int, ...]
    reasons: dict[int, str]
    edits: tuple[Edit, ...] = ()
    edited_rows: tuple[int, ...] = ()
    sample: str = ""
    number: int = 0
    phasing: Phasing = field(default_factory=Phasing)
    report: VariantReport = field(default_factory=VariantReport)
    coverage: Coverage | None = None

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

    def uncovered(self, locus: Locus | None = None) -> str:
        """Say of which bases nothing is known about the sample; of its own locus by default."""
        return self.coverage.describe(locus or self.locus) if self.coverage is not None else ""

    def describe(self, where: str = "") -> str:
        """Say in a line whose haplotype this is, what went into it and what didn't.

        Parameters
        ----------
        where
            Words for what is looked at, of which the `edits` count; "" for the sequence of the locus, of
            which the records count.
        """
        whose = f"{self.sample}, haplotype {self.number}" if self.sample else "haplotype"
        count = len(self.edits if where else self.applied)
        where = where or f"in {self.locus}, {len(self):,} bases"
        text = f"{whose}: {counted(count, 'variant')} {where}"
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

    The rules are those of ``bcftools consensus -H`` on the whole contig: variants are taken in the order of
    the file; one that touches bases which an earlier one has changed is left out, but for an insertion or
    deletion whose first base (unchanged) is the earlier one's last. The locus is then cut out: of one that
    begins before it or reaches beyond its end, it has what lies inside.

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
        If the ref of a row in the locus isn't what the reference has there.
    LocusError
        If the locus leaves the contig.
    """
    check_columns(rows)
    here = on_contig(rows["contig"], reference.resolve_contig(locus.contig))
    builder = HaplotypeBuilder(reference, locus.contig, rows[here])
    builder.check_reference(locus)
    built = builder.build(locus)
    outside = {row: OUTSIDE for row in range(len(built.rows)) if not builder.changes(row, locus)}
    return replace(built, reasons=dict(sorted((built.reasons | outside).items())))


class Taken(NamedTuple):
    """What a haplotype has of the rows that were chosen for it.

    Parameters
    ----------
    applied, skipped
        Rows that are in it, and those that overlap one before them.
    edits
        What it has instead of the reference's bases, in one form (see `phenviz.variation.edits`).
    made_of
        Which rows each edit is made of.
    """

    applied: list[int]
    skipped: list[int]
    edits: list[Edit]
    made_of: list[frozenset[int]]


class HaplotypeBuilder:
    """Builds haplotypes from different choices among the same rows.

    Parameters
    ----------
    reference, contig
        What the rows change.
    rows
        Variants on the contig. For a locus to be what it is on the whole contig, none may be missing that
        reaches into it, nor one that such a one may overlap, and so on.
    """

    def __init__(self, reference: ReferenceGenome, contig: str, rows: pd.DataFrame) -> None:
        self._reference, self._contig = reference, reference.resolve_contig(contig)
        in_file = "record" in rows
        columns = RECORD_COLUMNS[1:] if in_file else ["position", "ref", "alt"]
        # files of one cohort are read one after the other, so that the number alone isn't the order
        order = np.lexsort([rows["record"], rows[columns[0]]] if in_file else [rows["position"]])
        self._rows = rows.iloc[order]
        self._positions, self._refs, self._alts = (self._rows[column].tolist() for column in columns)
        self._short = [
            Edit(position - 1, ref.upper(), alt.upper()).trimmed_from_start()
            for position, ref, alt in zip(self._positions, self._refs, self._alts, strict=True)
        ]
        # where each of the rows as given went
        self._place = np.argsort(order)
        self._canonical = CanonicalEdits(self._reference.codes(self._contig))
        self._of_choice: dict[bytes, Taken] = {}

    def build(self, locus: Locus, carried: NDArray[np.bool_] | None = None) -> Haplotype:
        """Build the haplotype that has the chosen rows, and cut out a locus.

        Parameters
        ----------
        locus
            On the contig of the rows.
        carried
            Which of the rows as given, shape (V,); None for all.

        Raises
        ------
        LocusError
            If the locus leaves the contig.
        """
        length = self._reference.contigs[self._contig]
        if locus.end > length:
            raise LocusError(f"{locus} leaves the contig, which ends at {length:,}")
        taken = self.taken(carried)
        applied = [row for row in taken.applied if self.changes(row, locus)]
        edits = [edit for row in applied if (edit := _cut(self._short[row], locus)) is not None]
        codes = self._reference.fetch_codes(self._contig, locus.start, locus.end)
        seen = [place for place, edit in enumerate(taken.edits) if _cut(edit, locus) is not None]
        return Haplotype(
            locus=locus,
            codes=_assemble(codes, locus.start, edits),
            coordinates=CoordinateMap(locus.start, locus.end, edits),
            rows=self._rows,
            applied=tuple(applied),
            reasons={row: OVERLAPS for row in taken.skipped if self.changes(row, locus)},
            edits=tuple(taken.edits[place] for place in seen),
            edited_rows=tuple(sorted(frozenset().union(*(taken.made_of[place] for place in seen)))),
        )

    def taken(self, carried: NDArray[np.bool_] | None = None) -> Taken:
        """Tell what a haplotype has of the chosen rows, on the whole contig; see `build`."""
        key = b"" if carried is None else carried.tobytes()
        if key not in self._of_choice:
            chosen = range(len(self._rows)) if carried is None else np.sort(self._place[carried]).tolist()
            applied, skipped = self._apply(chosen)
            edits = self._canonical.of([self._short[row] for row in applied])
            self._of_choice[key] = Taken(
                applied,
                skipped,
                [edit for edit, _ in edits],
                [frozenset(applied[number] for number in numbers) for _, numbers in edits],
            )
        return self._of_choice[key]

    def first_edit(self, carried: NDArray[np.bool_] | None = None) -> int:
        """Return where the first edit of the chosen rows begins, 0-based; the contig's end for none."""
        edits = self.taken(carried).edits
        return edits[0].start if edits else self._reference.contigs[self._contig]

    def changes(self, row: int, locus: Locus) -> bool:
        """Tell whether a row, in the order of `Haplotype.rows`, changes a base of a locus."""
        return _cut(self._short[row], locus) is not None

    def touches(self, row: int, locus: Locus) -> bool:
        """Tell whether a row, in the order of `Haplotype.rows`, shares a base with a locus."""
        return touches(self._positions[row], len(self._refs[row]), locus)

    def check_reference(self, locus: Locus) -> None:
        """Raise unless all rows in a locus have the reference's bases as ref.

        Raises
        ------
        DataError
            Names the first one that doesn't.
        """
        for row, (position, ref) in enumerate(zip(self._positions, self._refs, strict=True)):
            if not self.touches(row, locus):
                continue
            start = position - 1
            codes = self._reference.fetch_codes(self._contig, start, start + len(ref))
            here = decode(codes)
            if here in (ref, decode(encode(ref))):
                continue
            if reduced_letters(self._reference, self._contig, start, ref, codes) is None:
                raise DataError(
                    f"variant at {shown_contig(self._contig)}:{position:,}: ref is {ref}, the reference "
                    f"has {here}: normalise the table against this reference, or give another FASTA"
                )

    def _apply(self, chosen: Iterable[int]) -> tuple[list[int], list[int]]:
        """Return which rows are applied, and which overlap one before them."""
        applied: list[int] = []
        skipped: list[int] = []
        # last base that an applied variant has touched, and whether that was an insertion
        touched, after_insertion = -1, False
        for row in chosen:
            start, ref, alt = self._positions[row] - 1, self._refs[row], self._alts[row]
            if start > touched or (start == touched and not after_insertion and _keeps_first_base(ref, alt)):
                applied.append(row)
                touched, after_insertion = start + len(ref) - 1, len(alt) > len(ref)
            else:
                skipped.append(row)
        return applied, skipped


def _keeps_first_base(ref: str, alt: str) -> bool:
    """Tell whether this is a pure insertion or deletion after a base that stays."""
    if ref[0] != alt[0]:
        return False
    short, long = sorted((ref, alt), key=len)
    shared = 0
    while shared < len(short) and short[shared] == long[shared]:
        shared += 1
    return long.endswith(short[shared:]) and len(short) < len(long)


def _cut(edit: Edit, locus: Locus) -> Edit | None:
    """Return what a locus has of an edit: inserted bases belong to the base before them."""
    first, ref, alt = edit
    if not ref:
        behind = locus.start < first <= locus.end or first == locus.start == 0
        return edit if behind and alt else None
    start, end = max(first, locus.start), min(edit.end, locus.end)
    if start >= end:
        return None
    kept = slice(start - first, end - first if end < edit.end else None)
    return Edit(start, ref[start - first : end - first], alt[kept])


def _assemble(codes: NDArray[np.uint8], start: int, edits: list[Edit]) -> NDArray[np.uint8]:
    bases, done = [], 0
    for edit in edits:
        bases += [codes[done : edit.start - start], encode(edit.alt)]
        done = edit.end - start
    return np.concatenate([*bases, codes[done:]])
