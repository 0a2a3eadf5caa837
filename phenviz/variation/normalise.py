"""One form for every variant: biallelic, checked against the reference, left-aligned and trimmed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import DataError, LocusError
from phenviz.genome import N_CODE, ReferenceGenome, decode, encode
from phenviz.genome.variant import Edit
from phenviz.variation.records import Records
from phenviz.variation.reference_letters import reduced_letters
from phenviz.variation.report import REASONS, Tally, VariantReport
from phenviz.variation.table import VARIANT_COLUMNS, check_columns, contig_ranks, text_column, variant_table

_BASES = frozenset("ACGTN")
_IUPAC = re.compile(r"[ACGTNRYSWKMBDHV]+")
_LOOK_LEFT = 256
_FIXES = {
    "reference_mismatch": "write them on this assembly, with its forward strand's bases as REF",
    "unknown_reference": "write the reference's bases as REF",
    "unknown_contig": "give a FASTA that has these contigs, or leave them out",
}


def normalise(table: pd.DataFrame, reference: ReferenceGenome) -> pd.DataFrame:
    """Bring variants into the form that all tables have.

    Parameters
    ----------
    table
        Columns contig, position (1-based), ref, alt and optionally id; others are kept.
    reference
        The genome that the variants are described against.

    Returns
    -------
    pd.DataFrame
        One row for each alternate allele (``A,C`` are two), left-aligned and trimmed [1]_ and sorted: contig
        as in the reference, position, ref, alt, id, then the other columns.

    Raises
    ------
    DataError
        If a column is missing, or a row can't be normalised (names it): unknown contig, beyond the
        contig, REF that the reference doesn't have, symbolic alternate.

    References
    ----------
    .. [1] Tan, Abecasis and Kang 2015, Unified representation of genetic variants,
           doi:10.1093/bioinformatics/btv112.
    """
    check_columns(table)
    ids = table["id"].fillna("") if "id" in table else [""] * len(table)
    records = Records(
        contig=[str(contig) for contig in table["contig"]],
        position=np.asarray(table["position"], dtype=np.int64),
        reference=[str(ref).upper() for ref in table["ref"]],
        alternates=[tuple(str(alt).upper().split(",")) for alt in table["alt"]],
        ids=[str(name) for name in ids],
        number=np.arange(1, len(table) + 1),
    )
    tally = Tally("the table of variants")
    rows = split_records(records, reference, tally)
    _refuse_skipped(tally.report())
    done = rows.table()
    for column in table.columns.difference(VARIANT_COLUMNS, sort=False):
        done[column] = table[column].to_numpy()[rows.record]
    return sort_variants(done, reference)


def sort_variants(table: pd.DataFrame, reference: ReferenceGenome) -> pd.DataFrame:
    """Sort by contig (order of the reference) and position; rows at one place keep their order."""
    order = np.lexsort((table["position"], contig_ranks(table["contig"], list(reference.contigs))))
    return table.iloc[order].reset_index(drop=True)


@dataclass
class Rows:
    """Variants made of records: parallel lists, one entry per variant.

    Parameters
    ----------
    record
        Index into the records, from 0.
    allele
        Which alternate of its record, from 1.
    contig, position, ref, alt, id
        Normalised.
    record_ref, record_alt, record_position
        As in the file.
    """

    record: list[int] = field(default_factory=list)
    allele: list[int] = field(default_factory=list)
    contig: list[str] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    ref: list[str] = field(default_factory=list)
    alt: list[str] = field(default_factory=list)
    id: list[str] = field(default_factory=list)
    record_position: list[int] = field(default_factory=list)
    record_ref: list[str] = field(default_factory=list)
    record_alt: list[str] = field(default_factory=list)

    def table(self) -> pd.DataFrame:
        """Return the variants, in the order of the file."""
        return variant_table(self.contig, self.position, self.ref, self.alt, self.id)

    def table_with_records(self, first_record: int) -> pd.DataFrame:
        """Return the variants with what the file says; records are numbered from ``first_record``."""
        table = self.table()
        table["record"] = np.asarray(self.record, dtype=np.int64) + first_record
        table["record_position"] = np.asarray(self.record_position, dtype=np.int64)
        table["record_ref"] = text_column(self.record_ref)
        table["record_alt"] = text_column(self.record_alt)
        return table


def split_records(records: Records, reference: ReferenceGenome, tally: Tally) -> Rows:
    """Make one normalised row of each alternate allele; count what is left out.

    Parameters
    ----------
    records
        As in the file.
    reference
        The genome that REF is compared with.
    tally
        Is added to.
    """
    rows = Rows()
    tally.read += len(records)
    contigs = {name: _resolve(name, reference) for name in set(records.contig)}
    codes = {name: reference.codes(name) for name in set(contigs.values()) if name is not None}
    agreeing = _single_bases_agree(records, contigs, codes)
    tally.compared += sum(agreeing)
    for index in range(len(records)):
        contig = contigs[records.contig[index]]
        if contig is None:
            tally.skip("unknown_contig", describe_record(records, index))
        elif agreeing[index] or _fits(records, index, contig, reference, tally):
            _split_one(records, index, contig, codes[contig], rows, tally)
    tally.kept += len(rows.record)
    return rows


def describe_record(records: Records, index: int) -> str:
    """Name a record: its number (where known), place and alleles."""
    number = f"record {records.number[index]:,}, " if records.number[index] else ""
    alternates = ",".join(_short(alternate) for alternate in records.alternates[index]) or "."
    place = f"{records.contig[index]}:{records.position[index]}"
    return f"{number}{place} {_short(records.reference[index])}>{alternates}"


def left_align(codes: NDArray[np.uint8], start: int, ref: str, alt: str) -> Edit:
    """Trim a variant and move it as far left as it goes.

    Parameters
    ----------
    codes
        Of the whole contig, shape (length,).
    start
        0-based position of the first base of ``ref``.
    ref, alt
        Different, upper case.

    Returns
    -------
    Edit
        An insertion or deletion keeps one base before it (after it at the contig's first base).
    """
    start, ref, alt = Edit(start, ref, alt).trimmed()
    if ref and alt:
        return Edit(start, ref, alt)
    moved = steps_left(codes, start, ref or alt)
    start -= moved
    ref, alt = rotated(ref, moved), rotated(alt, moved)
    if start == 0:
        after = decode(codes[len(ref) : len(ref) + 1])
        return Edit(0, ref + after, alt + after)
    before = decode(codes[start - 1 : start])
    return Edit(start - 1, before + ref, before + alt)


def steps_left(codes: NDArray[np.uint8], start: int, sequence: str, floor: int = 0) -> int:
    """Tell how far left an insertion or deletion goes.

    Parameters
    ----------
    codes
        Of the whole contig, shape (length,).
    start
        0-based place of what is inserted or deleted.
    sequence
        What that is.
    floor
        It goes no further than there.
    """
    inserted = encode(sequence)[::-1]
    steps = 0
    # an indel moves one base left wherever the base before it equals its last one
    while steps < start - floor:
        before = codes[max(start - steps - _LOOK_LEFT, floor) : start - steps][::-1]
        same = before == inserted[(steps + np.arange(len(before))) % len(inserted)]
        if not same.all():
            return steps + int(np.argmin(same))
        steps += len(before)
    return steps


def rotated(sequence: str, steps: int) -> str:
    """Return what is inserted or deleted once it has moved left by so many steps."""
    if not sequence:
        return sequence
    cut = len(sequence) - steps % len(sequence)
    return sequence[cut:] + sequence[:cut]


def _resolve(name: str, reference: ReferenceGenome) -> str | None:
    try:
        return reference.resolve_contig(name)
    except LocusError:
        return None


def _single_bases_agree(
    records: Records, contigs: dict[str, str | None], codes: dict[str, NDArray[np.uint8]]
) -> list[bool]:
    """Tell of which records REF is known to be right: those of one base, all looked up at once."""
    single = np.array(
        [
            len(ref) == 1 and bool(alts)
            for ref, alts in zip(records.reference, records.alternates, strict=True)
        ],
        dtype=bool,
    )
    agrees = np.zeros(len(records), dtype=bool)
    names = np.array([contigs[name] or "" for name in records.contig], dtype=object)
    for contig, bases in codes.items():
        inside = (records.position >= 1) & (records.position <= len(bases))
        rows = np.flatnonzero(single & (names == contig) & inside)
        refs = encode("".join(records.reference[row] for row in rows))
        agrees[rows] = (bases[records.position[rows] - 1] == refs) & (refs != N_CODE)
    return agrees.tolist()


def _fits(records: Records, index: int, contig: str, reference: ReferenceGenome, tally: Tally) -> bool:
    codes = reference.codes(contig)
    if not records.alternates[index]:
        tally.skip("no_alternate", describe_record(records, index))
        return False
    start, ref = int(records.position[index]) - 1, records.reference[index]
    if start < 0 or start + len(ref) > len(codes):
        tally.skip("beyond_contig", describe_record(records, index))
        return False
    if all(map(_is_symbolic, records.alternates[index])):
        # left out allele by allele; what calls structural variants often writes N as their REF
        return True
    here = codes[start : start + len(ref)]
    fault = _fault_of(ref, here)
    if fault == "reference_mismatch" and (letters := reduced_letters(reference, contig, start, ref, here)):
        tally.reduced(describe_record(records, index), letters)
        fault = None
    tally.compared += fault != "unknown_reference"
    if fault is None:
        return True
    shown = reference.letters(contig, start, start + len(ref))
    tally.swapped += fault == "reference_mismatch" and shown in records.alternates[index]
    tally.skip(
        fault,
        f"{describe_record(records, index)}: REF is {_short(ref)}, {reference.assembly} has {_short(shown)}",
    )
    return False


def _fault_of(ref: str, here: NDArray[np.uint8]) -> str | None:
    # letters other than A, C, G and T are N on both sides; an N in REF says nothing about the assembly
    codes = encode(ref)
    differs = codes != here
    if not _IUPAC.fullmatch(ref) or (differs & (codes != N_CODE)).any():
        return "reference_mismatch"
    return "unknown_reference" if differs.any() else None


def _is_symbolic(alternate: str) -> bool:
    return alternate.startswith("<") or _is_breakend(alternate)


def _is_breakend(alternate: str) -> bool:
    ends = (alternate[:1], alternate[-1:])
    return "[" in alternate or "]" in alternate or (len(alternate) > 1 and "." in ends)


def _split_one(
    records: Records, index: int, contig: str, codes: NDArray[np.uint8], rows: Rows, tally: Tally
) -> None:
    raw_position, raw_ref = int(records.position[index]), records.reference[index]
    if not _BASES.issuperset(raw_ref):
        raw_ref = decode(encode(raw_ref))
    alternates = records.alternates[index]
    tally.split += len(alternates) > 1
    for allele, alternate in enumerate(alternates, 1):
        reason = unusable(raw_ref, alternate)
        if reason:
            tally.skip(reason, describe_record(records, index))
            continue
        position, ref, alt = raw_position, raw_ref, alternate
        if len(ref) > 1 or len(alt) > 1:
            start, ref, alt = left_align(codes, position - 1, ref, alt)
            position = start + 1
            tally.left_aligned += (position, ref, alt) != (raw_position, raw_ref, alternate)
        rows.record.append(index)
        rows.allele.append(allele)
        rows.contig.append(contig)
        rows.position.append(position)
        rows.ref.append(ref)
        rows.alt.append(alt)
        rows.id.append(records.ids[index])
        rows.record_position.append(raw_position)
        rows.record_ref.append(raw_ref)
        rows.record_alt.append(alternate)


def unusable(ref: str, alternate: str) -> str | None:
    """Return why an alternate allele (upper case) is no other sequence, a key of `REASONS`; else None."""
    if alternate == "*":
        return "star"
    if alternate.startswith("<"):
        return "symbolic"
    if _is_breakend(alternate):
        return "breakend"
    if not _BASES.issuperset(alternate) or not alternate:
        return "ambiguous"
    return "identical" if alternate == ref else None


def _refuse_skipped(report: VariantReport) -> None:
    for reason in report.skipped:
        example = report.examples[reason][0]
        fix = _FIXES.get(reason, "leave them out")
        raise DataError(f"{report.source} holds {REASONS[reason]}, the first is {example}: {fix}")


def _short(sequence: str) -> str:
    return sequence if len(sequence) <= 12 else f"{sequence[:8]}...({len(sequence)} letters)"
