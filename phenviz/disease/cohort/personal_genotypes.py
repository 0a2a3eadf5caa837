"""What some people carry, and where nothing is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from phenviz.disease.cohort.genotypes import Block, ReadCounts, read_blocks
from phenviz.disease.cohort.scoring import Weigher
from phenviz.genome import Locus
from phenviz.genome.locus import contig_key, same_contig
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation import Individuals


@dataclass(frozen=True, eq=False)
class CarriedAlleles:
    """Alleles that somebody carries.

    Parameters
    ----------
    variants
        contig, position (1-based), ref, alt, id.
    copies
        How many, (variants, people); or whether each haplotype has it, (variants, 2 people).
    pair
        Whether haplotypes stand apart.
    """

    variants: pd.DataFrame
    copies: sparse.csr_array
    pair: bool


def read_carried(
    individuals: Individuals,
    samples: Sequence[str],
    loci: Sequence[Locus],
    weigher: Weigher,
    *,
    pair: bool = False,
    counts: ReadCounts,
    progress: Progress = NO_PROGRESS,
) -> CarriedAlleles:
    """Read people's genotypes once: for what they carry, and for what it weighs.

    Parameters
    ----------
    individuals, samples
        Whose.
    loci
        Where.
    weigher
        Gets every block.
    pair
        Whether haplotypes are kept apart.
    counts
        Gets what became of the records.
    progress
        Updated in bases.
    """
    tables, copies = [], []
    progress.stage("reading genotypes", sum(locus.length for locus in loci))
    for block in read_blocks(individuals, samples, loci, counts=counts, progress=progress):
        weigher.add(block)
        own = _copies(block, pair)
        rows = np.flatnonzero(np.diff(own.indptr))
        tables.append(block.variants.iloc[rows])
        copies.append(own[rows])
    if not tables:
        nothing = pd.DataFrame({name: [] for name in ("contig", "position", "ref", "alt", "id")})
        width = (2 if pair else 1) * len(samples)
        return CarriedAlleles(nothing, sparse.csr_array((0, width), dtype=np.int8), pair)
    return CarriedAlleles(pd.concat(tables, ignore_index=True), sparse.vstack(copies, format="csr"), pair)


def known_loci(
    individuals: Individuals, samples: Sequence[str], loci: Sequence[Locus]
) -> tuple[dict[str, list[Locus]], str]:
    """Return where the genotypes of all samples are known within some loci, by `contig_key`.

    Returns
    -------
    tuple
        The loci; and what isn't covered, in words: "" where all is.
    """
    wanted, told = set(samples), []
    found: dict[str, list[Locus]] = {}
    for locus in loci:
        known = [locus]
        for source in individuals.sources:
            name = next((one for one in source.samples if one in wanted), None)
            if name is None:
                continue
            coverage = individuals.coverage(locus.contig, name)
            told.append(coverage.describe(locus))
            known = [
                both for one in known for other in coverage.loci if (both := overlap(one, other)) is not None
            ]
        found.setdefault(contig_key(locus.contig), []).extend(known)
    return found, "; ".join(dict.fromkeys(filter(None, told)))


def overlap(one: Locus, other: Locus) -> Locus | None:
    """Return what two loci share; None for nothing."""
    if not same_contig(one.contig, other.contig):
        return None
    start, end = max(one.start, other.start), min(one.end, other.end)
    return Locus(one.contig, start, end) if start < end else None


def _copies(block: Block, pair: bool) -> sparse.csr_array:
    if not pair:
        return block.carried()
    both = (block.alleles == 1).reshape(len(block.alleles), -1)
    return sparse.csr_array(both.astype(np.int8))
