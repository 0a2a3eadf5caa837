"""Genotypes of a whole cohort, in blocks that fit into memory, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import LocusError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.genome.codes import encode
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation import Individuals
from phenviz.variation.vcf_zarr import ZarrSource

# of a block: about 250 MB while it is read
_GENOTYPES = 20_000_000
# bases, where it isn't known how dense the variants are
_BASES = 400_000
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
        counts = (self.alleles == 1).sum(axis=2, dtype=np.int8)
        counts[(self.alleles == -1).any(axis=2)] = -1
        return counts


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
                counts.missing += int((block.alleles == -1).any(axis=2).sum())
                yield block
            progress.advance(end - done)
            done = end


def whole_contigs(individuals: Individuals) -> list[Locus]:
    """Return the contigs of the reference that the files have variants on, as far as they say."""
    reference = individuals.reference
    batches = individuals._batches
    if all(isinstance(batch, ZarrSource) for batch in batches):
        numbers = {name for batch in batches for name in _contigs_with_variants(batch)}
        named = []
        for name in sorted(numbers):
            try:
                named.append(reference.resolve_contig(name))
            except LocusError:
                continue
        found = [name for name in reference.contigs if name in named]
    else:
        found = list(reference.contigs)
    return [Locus(name, 0, reference.contigs[name]) for name in found]


def _contigs_with_variants(source: ZarrSource) -> set[str]:
    names = [str(name) for name in source._read("contig_id")]
    return {names[number] for number in np.unique(source._read("variant_contig"))}


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
    source = individuals._batches[0]
    if len(individuals._batches) > 1 or not isinstance(source, ZarrSource):
        return None
    if {"call_PS", "call_PSL"} & source._arrays.keys() or "call_genotype_phased" not in source._arrays:
        return None
    calls = source._arrays["call_genotype"]
    if calls.shape[2] != 2:
        return None
    place = {name: column for column, name in enumerate(source.samples)}
    columns = np.array([place[name] for name in samples], dtype=np.intp)
    return _plain_blocks(source, individuals.reference, columns, locus, counts, individuals, samples)


def _plain_blocks(
    source: ZarrSource,
    reference: ReferenceGenome,
    columns: NDArray[np.intp],
    locus: Locus,
    counts: ReadCounts,
    individuals: Individuals,
    samples: Sequence[str],
) -> Iterator[tuple[int, Block]]:
    calls, phased = source._arrays["call_genotype"], source._arrays["call_genotype_phased"]
    numbers = source._numbers(locus)
    everybody = len(columns) == len(source.samples) and (columns == np.arange(len(columns))).all()
    done = locus.start
    for first, last in source._stretches(locus):
        contig, position = (source._whole(f"variant_{name}", slice(first, last)) for name in
                            ("contig", "position"))  # fmt: skip
        inside = np.isin(contig, numbers) & (position > locus.start) & (position <= locus.end)
        rows = np.flatnonzero(inside)
        step = max(_GENOTYPES // max(len(source.samples), 1), 1)
        for begin in range(0, len(rows), step):
            some = rows[begin : begin + step]
            low, high = first + int(some[0]), first + int(some[-1]) + 1
            alleles = source._read("variant_allele", slice(low, high))[some - some[0]]
            values = np.asarray(calls[low:high])[some - some[0]]
            known = np.asarray(phased[low:high])[some - some[0]]
            if not everybody:
                values, known = values[:, columns], known[:, columns]
            block = _plain_block(reference, locus.contig, position[some], alleles, values, known)
            end = int(position[some[-1]])
            if block is None:
                # anything else goes through the reader that knows all kinds of record
                where = Locus(locus.contig, int(position[some[0]]) - 1, end)
                yield from _any_blocks(individuals, samples, where, counts)
            else:
                yield end, block
            done = end
    yield max(locus.end, done), Block(pd.DataFrame(columns=_VARIANTS), np.empty((0, 0, 2), np.int8))


def _plain_block(
    reference: ReferenceGenome,
    contig: str,
    position: NDArray[np.int64],
    alleles: NDArray[np.object_],
    values: NDArray[np.int8],
    phased: NDArray[np.bool_],
) -> Block | None:
    table = pd.DataFrame(alleles[:, :2], columns=["ref", "alt"]).astype(str)
    usual = table["ref"].isin(list("ACGT")) & table["alt"].isin(list("ACGT"))
    more = alleles.shape[1] > 2 and bool((alleles[:, 2:] != "").any())
    if more or not usual.all() or not phased.all() or values.max(initial=0) > 1:
        return None
    codes = reference.fetch_codes(contig, int(position[0]) - 1, int(position[-1]))
    if (np.diff(position) < 0).any() or (
        np.asarray(codes)[position - position[0]] != encode("".join(table["ref"]))
    ).any():
        return None
    variants = pd.DataFrame({"contig": contig, "position": position, **table, "id": ""})
    return Block(variants, values.astype(np.int8, copy=False))
