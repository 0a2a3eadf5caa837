"""Haplotypes as FASTA."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from phenviz.errors import DataError
from phenviz.genome import shown_contig
from phenviz.results.writing import write_content
from phenviz.variation.haplotype import Haplotype

FASTA_SUFFIXES = (".fa", ".fasta", ".fna")
# as samtools faidx and bcftools consensus break lines
_WIDTH = 60


def write_fasta(haplotypes: Iterable[Haplotype], path: str | os.PathLike[str], *, assembly: str) -> Path:
    """Write haplotypes, one record each.

    The bases are those of ``bcftools consensus``, in lines of 60, upper case. The header names the sample,
    the haplotype and the locus (1-based inclusive), without blanks; after a blank follow the assembly, the
    length, how many variants were applied and left out, and how unphased heterozygotes were put.

    Parameters
    ----------
    haplotypes
        One or more.
    path
        Ends in .fa, .fasta or .fna.
    assembly
        Of the reference.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    DataError
        If the file's name has another ending.
    ResultError
        If the disk refuses; an older file is kept.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in FASTA_SUFFIXES:
        raise DataError(f"{path.name}: sequences are written to a file ending in {', '.join(FASTA_SUFFIXES)}")
    return write_content(path, "".join(_record(haplotype, assembly) for haplotype in haplotypes).encode())


def fasta_header(haplotype: Haplotype, assembly: str) -> str:
    """Return the header line of a haplotype, without ``>``."""
    locus = haplotype.locus
    whose = "|".join(
        [haplotype.sample, f"haplotype_{haplotype.number}"] if haplotype.sample else ["haplotype"]
    )
    place = f"{shown_contig(locus.contig)}:{locus.start + 1}-{locus.end}"
    return (
        f"{whose}|{place} assembly={assembly} "
        f"length={len(haplotype)} variants={len(haplotype.applied)} left_out={len(haplotype.reasons)} "
        f'phase="{haplotype.phasing.describe()}"'
    )


def _record(haplotype: Haplotype, assembly: str) -> str:
    sequence = haplotype.sequence
    lines = [sequence[start : start + _WIDTH] for start in range(0, len(sequence), _WIDTH)]
    return "\n".join([f">{fasta_header(haplotype, assembly)}", *lines, ""])
