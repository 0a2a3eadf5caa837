"""Genotypes of a whole cohort, in blocks that fit into memory, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from phenviz.genome.locus import Locus, contig_key
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation import Individuals
from phenviz.variation.vcf_zarr import ZarrSource
from phenviz.variation.zarr_cohort import contigs_with_variants, is_plain, plain_records

# of a block: about 250 MB while it is read
_GENOTYPES = 20_000_000
# bases, where it isn't known how dense the variants are
_BASES = 400_000
# what two alleles that are read as one number of two bytes stand for: six times as fast as looking at each
_ALLELES = np.arange(65_536, dtype=np.uint16).view(np.int8).reshape(-1, 2)
_COPIES = (_ALLELES == 1).sum(axis=1, dtype=np.int8)
_DOSAGES = np.where((_ALLELES == -1).any(axis=1), np.int8(-1), _COPIES)
_VARIANTS = ["contig", "position", "ref", "alt", "id"]


@dataclass
class ReadCounts:
    """What became of the records of a cohort.

    Parameters
    ----------
    variants
        Alternate alleles that were read.
    missing
        Genotypes that aren't called, of all variants and people.
    unphased
        Heterozygous genotypes without a phase.
    left_out
        Lines in words about records that can't be used.
    """

    variants: int = 0
    missing: int = 0
    unphased: int = 0
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Block:
    """Neighbouring variants and who carries them.

    Parameters
    ----------
    variants
        contig, position (1-based), ref, alt, id; sorted.
    alleles
        Shape (variants, people, 2), int8: 1 for ALT, 0 for another allele, -1 where it isn't called, -2 in
        the second place of a haploid call.
    """

    variants: pd.DataFrame
    alleles: NDArray[np.int8]

    def dosages(self) -> NDArray[np.int8]:
        """Count ALT: (variants, people), int8; -1 where a genotype isn't called."""
        found: NDArray[np.int8] = _DOSAGES[_pairs(self.alleles)]
        return found

    def carried(self) -> sparse.csr_array:
        """Count ALT: (variants, people), int8, sparse; a genotype that isn't called has what is called."""
        pairs = _pairs(self.alleles)
        rows, columns = np.nonzero(pairs)
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(pairs)))])
        # half the memory, and a block has far fewer than 2**31
        places = (columns.astype(np.int32), starts.astype(np.int32))
        return sparse.csr_array((_COPIES[pairs[rows, columns]], *places), shape=pairs.shape)


def _pairs(alleles: NDArray[np.int8]) -> NDArray[np.uint16]:
    """Return both alleles of each genotype as one number, (variants, people)."""
    return np.ascontiguousarray(alleles).view(np.uint16)[..., 0]


def read_blocks(
    individuals: Individuals,
    samples: Sequence[str],
    loci: Sequence[Locus] | None = None,
    *,
    counts: ReadCounts | None = None,
    progress: Progress = NO_PROGRESS,
) -> Iterator[Block]:
    """Read the genotypes of people from left to right.

    Parameters
    ----------
    individuals
        The file, or files.
    samples
        Names, in the order wanted.
    loci
        Where: each variant that begins in one of them, which don't overlap; None for all contigs.
    counts
        Gets what became of the records.
    progress
        Told after each block, in bases.

    Yields
    ------
    Block
        Blocks without a variant are left out.
    """
    counts = ReadCounts() if counts is None else counts
    wanted = whole_contigs(individuals) if loci is None else list(loci)
    for locus in wanted:
        blocks = _zarr_blocks(individuals, samples, locus, counts)
        if blocks is None:
            blocks = _any_blocks(individuals, samples, locus, counts)
        done = locus.start
        for end, block in blocks:
            if len(block.variants):
                counts.variants += len(block.variants)
                if block.alleles.min(initial=0) < 0:
                    counts.missing += int((block.dosages() < 0).sum())
                yield block
            progress.advance(end - done)
            done = end


def whole_contigs(individuals: Individuals) -> list[Locus]:
    """Return the contigs of the reference that the files have variants on, as far as they say."""
    contigs = individuals.reference.contigs
    sources = individuals.sources
    stores = [source for source in sources if isinstance(source, ZarrSource)]
    if len(stores) < len(sources):
        return [Locus(name, 0, length) for name, length in contigs.items()]
    known = {contig_key(name) for store in stores for name in contigs_with_variants(store)}
    return [Locus(name, 0, contigs[name]) for name in contigs if contig_key(name) in known]


def _any_blocks(
    individuals: Individuals, samples: Sequence[str], locus: Locus, counts: ReadCounts
) -> Iterator[tuple[int, Block]]:
    """Read block by block through the reader of all formats."""
    step = max(min(_BASES, _GENOTYPES // max(len(samples), 1) * 40), 20_000)
    for start in range(locus.start, locus.end, step):
        end = min(start + step, locus.end)
        found = individuals.genotypes(Locus(locus.contig, start, end), samples)
        begins = found.variants["position"].to_numpy() - 1
        # what reaches in from the left belongs to the block that it begins in
        rows = np.flatnonzero((begins >= start) & (begins < end))
        own = found.select(rows)
        heterozygous = (own.alleles == 1).any(axis=2) & (own.alleles == 0).any(axis=2)
        counts.unphased += int((heterozygous & ~own.phased).sum())
        for line in found.report.left_out():
            if line not in counts.left_out:
                counts.left_out.append(line)
        yield end, Block(own.variants[_VARIANTS].reset_index(drop=True), own.alleles)


def _zarr_blocks(
    individuals: Individuals, samples: Sequence[str], locus: Locus, counts: ReadCounts
) -> Iterator[tuple[int, Block]] | None:
    """Read a store of phased single-base variants with two alleles as it lies there; None for any other."""
    source = individuals.sources[0]
    if len(individuals.sources) > 1 or not isinstance(source, ZarrSource):
        return None
    if not is_plain(source, individuals.reference, locus):
        return None
    return _plain_blocks(source, samples, locus, counts)


def _plain_blocks(
    source: ZarrSource, samples: Sequence[str], locus: Locus, counts: ReadCounts
) -> Iterator[tuple[int, Block]]:
    place = {name: column for column, name in enumerate(source.samples)}
    columns = np.array([place[name] for name in samples], dtype=np.intp)
    size = max(_GENOTYPES // max(len(source.samples), 1), 1)
    for part in plain_records(source, locus, columns, size):
        counts.unphased += part.unphased
        yield int(part.variants["position"].iloc[-1]), Block(part.variants, part.alleles)
    yield locus.end, Block(pd.DataFrame(columns=_VARIANTS), np.empty((0, 0, 2), np.int8))
