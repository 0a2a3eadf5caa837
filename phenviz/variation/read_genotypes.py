"""Read the genotypes of a locus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.genome import Locus, ReferenceGenome
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation.genotypes import Genotypes
from phenviz.variation.normalise import Rows, split_records
from phenviz.variation.read import check_assembly
from phenviz.variation.records import Calls, Records, Source
from phenviz.variation.report import Tally

# records read at once, and genotypes (64 MB as they are read)
_CHUNK = 5_000
_GENOTYPES = 16_000_000


def read_genotypes(
    source: Source,
    reference: ReferenceGenome,
    locus: Locus,
    samples: Sequence[int] | None,
    progress: Progress = NO_PROGRESS,
    ahead: int = 0,
) -> Genotypes:
    """Read the genotypes of some samples at the variants whose record touches a locus.

    Parameters
    ----------
    source
        The file.
    reference
        The genome that REF is compared with.
    locus
        Its contig named as in the reference.
    samples
        Rising indices into the file's samples; None for the variants alone.
    progress
        Checked after each chunk for a cancel.
    ahead
        Records that begin within so many bases behind the locus are read, too, without being reported.

    Raises
    ------
    DataError
        If the file is damaged or of another assembly.
    """
    chosen = samples or ()
    tally, unreported = Tally(str(source.path)), Tally(str(source.path))
    tally.notes.extend(source.notes)
    chunks, first = [], 0
    size = max(min(_CHUNK, _GENOTYPES // max(len(chosen), 1)), 1)
    farther = replace(locus, end=min(locus.end + ahead, max(reference.contigs[locus.contig], locus.end)))
    for records in source.records(farther, samples, size):
        progress.check()
        behind = records.position > locus.end
        for rows, counts in ((np.flatnonzero(~behind), tally), (np.flatnonzero(behind), unreported)):
            if len(rows):
                part = records if len(rows) == len(records) else records.select(rows)
                chunks.append(_chunk(part, reference, first, counts))
                first += len(rows)
    check_assembly(tally, reference, source)
    tables, calls = zip(*chunks, strict=True) if chunks else ((), ())
    # with an empty chunk in front there is always something to join
    empty = _rows_of(None, Rows(), len(chosen))
    alleles, phased, phase_set = (np.concatenate(part) for part in zip(empty, *calls, strict=True))
    found = Genotypes(
        variants=pd.concat([Rows().table_with_records(0), *tables], ignore_index=True),
        samples=tuple(source.samples[index] for index in chosen),
        alleles=alleles,
        phased=phased,
        phase_set=phase_set,
        report=tally.report(),
    )
    return found.select(np.argsort(found.variants["position"].to_numpy(), kind="stable"))


_Arrays = tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.int64]]


def _chunk(
    records: Records, reference: ReferenceGenome, first: int, tally: Tally
) -> tuple[pd.DataFrame, _Arrays]:
    rows = split_records(records, reference, tally)
    calls = records.calls
    if calls is not None:
        tally.no_genotype += int((~calls.has_genotype).sum())
    return rows.table_with_records(first), _rows_of(calls, rows, 0)


def _rows_of(calls: Calls | None, rows: Rows, n_samples: int) -> _Arrays:
    """Turn allele numbers of records into the 0 and 1 of rows; -1 and -2 are kept."""
    if calls is None:
        shape = (len(rows.record), n_samples)
        return np.zeros((*shape, 2), np.int8), np.zeros(shape, bool), np.zeros(shape, np.int64)
    record = np.asarray(rows.record, dtype=np.intp)
    numbers = calls.alleles[record]
    wanted = np.asarray(rows.allele, dtype=np.int16)[:, None, None]
    alleles = np.where(numbers == wanted, 1, np.where(numbers >= 0, 0, numbers)).astype(np.int8)
    return alleles, calls.phased[record], calls.phase_set[record]
