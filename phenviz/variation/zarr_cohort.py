"""All people of a VCF Zarr store at once, as its chunks hold them: for cohorts of thousands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.genome import Locus, ReferenceGenome
from phenviz.genome.codes import encode
from phenviz.variation.vcf_zarr import ZarrSource


@dataclass(frozen=True, eq=False)
class PlainRecords:
    """Neighbouring single-base records of a store, each with two alleles.

    Parameters
    ----------
    variants
        contig, position (1-based), ref, alt, id.
    alleles
        Shape (records, people, 2), int8: 1 for ALT; -1 and -2 as in the store.
    unphased
        Heterozygous genotypes without a phase.
    """

    variants: pd.DataFrame
    alleles: NDArray[np.int8]
    unphased: int


def is_plain(source: ZarrSource, reference: ReferenceGenome, locus: Locus) -> bool:
    """Tell whether all records that begin in a locus can be read as they lie in the store.

    Then they are sorted, single-base, with two alleles whose REF is the reference's, and their genotypes are
    diploid and without phase sets. Anything else is for the reader that knows all kinds of record.
    """
    arrays = source._arrays
    if {"call_PS", "call_PSL"} & arrays.keys() or not {
        "call_genotype",
        "call_genotype_phased",
    } <= arrays.keys():
        return False
    if arrays["call_genotype"].shape[2] != 2:
        return False
    last = 0
    for first, rows, position in _inside(source, locus):
        low, high = first + int(rows[0]), first + int(rows[-1]) + 1
        alleles = _alleles(source, low, high)[rows - rows[0]]
        if position[0] < last or not _plain_alleles(reference, locus.contig, position, alleles):
            return False
        last = int(position[-1])
    return True


def contigs_with_variants(source: ZarrSource) -> set[str]:
    """Return the names of the contigs that a store has records on."""
    names = [str(name) for name in source._read("contig_id")]
    return {names[number] for number in np.unique(source._read("variant_contig"))}


def positions_of(source: ZarrSource, locus: Locus) -> NDArray[np.int64]:
    """Return the 0-based positions of the records of a locus' contig, in the order of the store."""
    found = [np.empty(0, dtype=np.int64)]
    for first, last in source._intervals(locus):
        rows = np.isin(source._whole("variant_contig", slice(first, last)), source._numbers(locus))
        found.append(source._whole("variant_position", slice(first, last))[rows] - 1)
    return np.concatenate(found)


def plain_records(
    source: ZarrSource, locus: Locus, columns: NDArray[np.intp], size: int
) -> Iterator[PlainRecords]:
    """Read the records that begin in a locus, some at a time.

    Parameters
    ----------
    source
        For which `is_plain` holds.
    locus
        Where.
    columns
        Samples, by their place in the store, in the order wanted.
    size
        Records at a time.
    """
    calls, phased = source._arrays["call_genotype"], source._arrays["call_genotype_phased"]
    everybody = len(columns) == len(source.samples) and bool((columns == np.arange(len(columns))).all())
    for first, rows, position in _inside(source, locus):
        for begin in range(0, len(rows), size):
            some = rows[begin : begin + size]
            low, high = first + int(some[0]), first + int(some[-1]) + 1
            alleles = _alleles(source, low, high)[some - some[0]]
            values, known = (np.asarray(array[low:high])[some - some[0]] for array in (calls, phased))
            if not everybody:
                values, known = values[:, columns], known[:, columns]
            unphased = 0
            if not known.all():
                heterozygous = (values == 1).any(axis=2) & (values == 0).any(axis=2)
                unphased = int((heterozygous & ~known.astype(bool)).sum())
            table = pd.DataFrame(
                {
                    "contig": locus.contig,
                    "position": position[begin : begin + size],
                    "ref": alleles[:, 0],
                    "alt": alleles[:, 1],
                    "id": "",
                }
            )
            yield PlainRecords(table, values.astype(np.int8, copy=False), unphased)


def _inside(source: ZarrSource, locus: Locus) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.int64]]]:
    """Yield the first record of each chunk, the rows in it that begin in a locus, and their positions."""
    numbers = source._numbers(locus)
    for first, last in source._intervals(locus):
        chunk = slice(first, last)
        contig, position = source._whole("variant_contig", chunk), source._whole("variant_position", chunk)
        rows = np.flatnonzero(np.isin(contig, numbers) & (position > locus.start) & (position <= locus.end))
        if len(rows):
            yield first, rows, position[rows]


def _alleles(source: ZarrSource, first: int, last: int) -> NDArray[np.object_]:
    # zarr has texts in more than one dtype
    return np.asarray(source._read("variant_allele", slice(first, last)), dtype=object)


def _plain_alleles(
    reference: ReferenceGenome, contig: str, position: NDArray[np.int64], alleles: NDArray[np.object_]
) -> bool:
    ref, alt = alleles[:, 0], alleles[:, 1]
    if alleles.shape[1] > 2 and bool((alleles[:, 2:] != "").any()):
        return False
    if not (np.isin(ref, list("ACGT")) & np.isin(alt, list("ACGT")) & (ref != alt)).all():
        return False
    if (np.diff(position) < 0).any() or position[-1] > reference.contigs[contig]:
        return False
    codes = np.asarray(reference.fetch_codes(contig, int(position[0]) - 1, int(position[-1])))
    return bool((codes[position - position[0]] == encode("".join(ref))).all())
