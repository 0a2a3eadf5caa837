"""Read the variants of a file, without its genotypes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from phenviz.errors import DataError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation.chained import ChainedSource
from phenviz.variation.normalise import sort_variants, split_records
from phenviz.variation.records import Source
from phenviz.variation.report import Tally, offer_of_lift
from phenviz.variation.sources import open_source
from phenviz.variation.table import VARIANT_COLUMNS, VariantSet, variant_table

# so many records tell a wrong assembly from a few bad lines
_ENOUGH = 10_000
# the first of them mostly tells whether the reference has a file's contigs
_FEW = 100
# a larger share of other REFs is another assembly; one or two bad lines of a short file are none yet
_MISMATCHES = 0.01
_MISMATCHES_OF_FEW = 0.25
_SEVERAL = 3
# of another assembly a third or so have an ALT that is its base, by chance; a single one may be one of them
_SWAPPED = 0.8


def read_variants(
    path: str | os.PathLike[str],
    reference: ReferenceGenome,
    *,
    locus: Locus | None = None,
    progress: Progress = NO_PROGRESS,
) -> VariantSet:
    """Read the variants of a file into one table.

    Parameters
    ----------
    path
        VCF or BCF (plain, gzip or bgzip, indexed or not), PLINK 2 ``.pgen``, or a VCF Zarr store.
    reference
        The genome that the file was called against; ``chr20`` and ``20`` are the same contig.
    locus
        Only records that share a base with it; None for all.
    progress
        Updated after each chunk.

    Returns
    -------
    VariantSet
        Biallelic, left-aligned, trimmed and sorted variants, each once; and what was left out.

    Raises
    ------
    DataError
        If the file can't be read, lies on contigs that the reference lacks, or is of another assembly
        (`check_assembly`).
    LocusError
        If the reference lacks the contig of the locus.
    """
    source = open_source(path)
    tally = Tally(str(path))
    progress.stage(f"reading {source.path.name}")
    chunks = list(_chunks(source, reference, locus, 50_000, tally, progress))
    check_assembly(tally, reference, source if locus is not None else None)
    table = pd.concat(chunks, ignore_index=True) if chunks else empty_table()
    table = _each_once(sort_variants(table, reference), tally)
    progress.advance()
    return VariantSet(table, tally.report())


def iter_variants(
    path: str | os.PathLike[str],
    reference: ReferenceGenome,
    *,
    locus: Locus | None = None,
    chunk: int = 50_000,
    progress: Progress = NO_PROGRESS,
) -> Iterator[VariantSet]:
    """Read the variants of a file chunk by chunk, in memory that doesn't grow with the file.

    Parameters
    ----------
    path, reference, locus, progress
        As in `read_variants`.
    chunk
        Records per chunk.

    Yields
    ------
    VariantSet
        The variants of up to ``chunk`` records, sorted within the chunk; a variant that left-aligning
        moves across the border of two chunks stays in its own. The report counts from the file's start,
        so that the last one counts it whole.

    Raises
    ------
    DataError
        As in `read_variants`.
    """
    if chunk < 1:
        raise DataError(f"chunks of {chunk} records: give at least one")
    source = open_source(path)
    tally = Tally(str(path))
    progress.stage(f"reading {source.path.name}")
    for table in _chunks(source, reference, locus, chunk, tally, progress):
        table = _each_once(sort_variants(table, reference), tally)
        yield VariantSet(table, tally.report())
    check_assembly(tally, reference, source if locus is not None else None)


def empty_table() -> pd.DataFrame:
    """Return a table of variants without rows."""
    return variant_table([], [], [], [], [])


def check_assembly(tally: Tally, reference: ReferenceGenome, partly_read: Source | None = None) -> None:
    """Raise if the records can't be of this assembly.

    Parameters
    ----------
    tally
        What was read.
    reference
        What it was compared with.
    partly_read
        The file, where only some of its records were read: a few of them may well be wrong, so the
        file's start is looked at before it is blamed; and where none was read, its contigs are.

    Raises
    ------
    DataError
        If more than 1 % of the records have another REF, at least three of them or more than a quarter, or
        all lie on unknown contigs.
    """
    if not tally.read and partly_read is not None:
        _check_contigs(partly_read, reference)
    _refuse_unknown_contigs(tally, reference)
    wrong = tally.skipped("reference_mismatch")
    if wrong <= (_MISMATCHES if wrong >= _SEVERAL else _MISMATCHES_OF_FEW) * tally.compared:
        return
    if partly_read is not None:
        start = Tally(tally.source)
        for records in partly_read.records(None, None, _ENOUGH):
            split_records(records, reference, start)
            break
        check_assembly(start, reference)
        return
    said = (
        f"{wrong:,} of {tally.compared:,} records ({wrong / tally.compared:.1%}) have a REF that "
        f"{reference.assembly} doesn't have there, first {tally.example('reference_mismatch')}"
    )
    if tally.swapped > _SWAPPED * wrong:
        which = "every one" if tally.swapped == wrong else f"{tally.swapped:,}"
        raise DataError(
            f"{tally.source} has REF and ALT swapped, or is of another assembly? {said}; in {which} of these "
            "ALT is what the reference has. Write it again with the reference's bases as REF (`plink2 "
            "--ref-from-fa force --fa reference.fa`), or give the FASTA that it was called against, or "
            f"{offer_of_lift(tally.source, reference.assembly)}"
        )
    raise DataError(
        f"{tally.source} is of another assembly? {said}. Give the FASTA that the file was called against, or "
        f"{offer_of_lift(tally.source, reference.assembly)}"
    )


def _check_contigs(source: Source, reference: ReferenceGenome) -> None:
    """Raise if a file, or one of several, has records, and all lie on contigs that the reference lacks."""
    for one in source.sources if isinstance(source, ChainedSource) else [source]:
        tally = Tally(str(one.path))
        for records in one.records(None, None, _FEW):
            split_records(records, reference, tally)
            if tally.read > tally.skipped("unknown_contig"):
                break
        _refuse_unknown_contigs(tally, reference)


def _refuse_unknown_contigs(tally: Tally, reference: ReferenceGenome) -> None:
    if tally.read and tally.skipped("unknown_contig") == tally.read:
        raise DataError(
            f"{tally.source} lies on contigs that {reference.assembly} here lacks (first "
            f"{tally.example('unknown_contig')}), which has {', '.join(list(reference.contigs)[:5])}: "
            "give the FASTA that the file was called against"
        )


def _chunks(
    source: Source,
    reference: ReferenceGenome,
    locus: Locus | None,
    size: int,
    tally: Tally,
    progress: Progress,
) -> Iterator[pd.DataFrame]:
    tally.notes.extend(source.notes)
    if locus is not None:
        locus = replace(locus, contig=reference.resolve_contig(locus.contig))
    for records in source.records(locus, None, size):
        progress.check()
        if not len(records):
            continue
        rows = split_records(records, reference, tally)
        _stop_early(tally, reference, locus)
        yield rows.table()


def _stop_early(tally: Tally, reference: ReferenceGenome, locus: Locus | None) -> None:
    if locus is None and tally.compared >= _ENOUGH:
        check_assembly(tally, reference)


def _each_once(table: pd.DataFrame, tally: Tally) -> pd.DataFrame:
    again = table.duplicated(VARIANT_COLUMNS[:4]).to_numpy()
    for row in np.flatnonzero(again):
        contig, position, ref, alt = (table[column].iloc[row] for column in VARIANT_COLUMNS[:4])
        tally.skip("duplicate", f"{contig}:{position} {ref}>{alt}")
    tally.kept -= int(again.sum())
    return table[~again].reset_index(drop=True) if again.any() else table
