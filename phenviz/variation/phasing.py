"""Which of two alleles lies on which haplotype, where the file doesn't say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.variation.records import ABSENT, MISSING, NO_PHASE_SET
from phenviz.variation.report import counted

Unphased = Literal["refuse", "as listed", "random"]
UNPHASED_CHOICES: tuple[str, ...] = get_args(Unphased)


@dataclass(frozen=True)
class Phasing:
    """How the two alleles of heterozygotes were put onto haplotypes.

    Parameters
    ----------
    choice
        What to do about unphased ones: ``refuse``, ``as listed`` or ``random``.
    seed
        Of ``random``.
    unphased
        Heterozygous records whose phase the file doesn't know.
    phase_sets
        Intervals of phased heterozygotes; where there is more than one, the file doesn't know how they
        lie to one another.
    haploid
        Records whose call has one allele; haplotype 2 has the reference there, though the individual may
        have no second copy at all.
    missing
        Records whose call lacks one allele or both; a haplotype has the reference there, though nobody
        knows what the individual has.
    drawn
        Phase sets that were turned or not by lot, as a whole, also where there is but one.
    """

    choice: Unphased = "refuse"
    seed: int = 0
    unphased: int = 0
    phase_sets: int = 0
    haploid: int = 0
    missing: int = 0
    drawn: int = 0

    @property
    def certain(self) -> bool:
        """Whether the file alone decides which alleles share a haplotype."""
        return self.unphased == 0 and self.phase_sets <= 1

    def describe(self) -> str:
        """Say it in a few words, for headers and screens."""
        rest = f"; {counted(self.haploid, 'haploid call')}" if self.haploid else ""
        if self.missing:
            rest += f"; {counted(self.missing, 'missing call')} taken as the reference"
        if self.certain and not self.drawn:
            return f"as in the file{rest}"
        how = f"random, seed {self.seed}" if self.choice == "random" else self.choice
        parts = [counted(self.unphased, "unphased heterozygote")] if self.unphased else []
        if self.phase_sets > 1 or self.drawn:
            parts.append(counted(self.phase_sets, "phase set"))
        return f"{' and '.join(parts)} put {how}{rest}"

    @property
    def plain(self) -> bool:
        """Whether there is nothing to say: all calls are whole, and the file decides."""
        return self.certain and not self.haploid and not self.missing and not self.drawn


def orient(
    variants: pd.DataFrame,
    alleles: NDArray[np.int8],
    phased: NDArray[np.bool_],
    phase_set: NDArray[np.int64],
    *,
    sample: str,
    unphased: Unphased = "refuse",
    seed: int = 0,
) -> tuple[NDArray[np.int8], Phasing]:
    """Put the alleles of one sample onto its two haplotypes.

    Parameters
    ----------
    variants
        V rows with `RECORD_COLUMNS`.
    alleles
        Shape (V, 2): 1 where the allele is the row's alternate.
    phased, phase_set
        Shape (V,).
    sample
        Named in errors; part of what is random.
    unphased
        ``refuse`` raises if the file leaves anything open; ``as listed`` takes the first allele of every
        call as haplotype 1; ``random`` draws for each unphased heterozygote and each phase set, the same
        way in every locus that holds it.
    seed
        Of ``random``.

    Returns
    -------
    NDArray[np.int8]
        Shape (V, 2): haplotype 1, haplotype 2.
    Phasing
        What was open, and what was done.

    Raises
    ------
    DataError
        If ``unphased`` is no choice, or is ``refuse`` and something is open: names the record.
    """
    if unphased not in UNPHASED_CHOICES:
        raise DataError(f"unphased={unphased!r}: choose one of {', '.join(map(repr, UNPHASED_CHOICES))}")
    # a call that is missing or reference on both sides, or haploid, has no order
    open_order = ((alleles[:, 0] == 1) != (alleles[:, 1] == 1)) & (alleles[:, 1] != ABSENT)
    loose, bound = open_order & ~phased, open_order & phased
    sets = np.unique(phase_set[bound])
    done = Phasing(
        choice=unphased,
        seed=seed,
        unphased=_n_records(variants, loose),
        phase_sets=len(sets),
        haploid=_n_records(variants, alleles[:, 1] == ABSENT),
        missing=_n_records(variants, (alleles == MISSING).any(axis=1)),
        drawn=int((sets != NO_PHASE_SET).sum()) if unphased == "random" else 0,
    )
    if unphased == "refuse" and not done.certain:
        raise DataError(_refusal(variants, phase_set, loose, bound, done, sample))
    if unphased != "random":
        return alleles, done
    flipped = np.zeros(len(alleles), dtype=bool)
    # whatever else the locus holds, so that loci that overlap agree; what the file phases throughout, without
    # sets, stays as it is
    for row in np.flatnonzero(loose | (bound & (phase_set != NO_PHASE_SET))):
        flipped[row] = _coin(seed, sample, _unit(variants, row, None if loose[row] else phase_set[row]))
    return np.where(flipped[:, None], alleles[:, ::-1], alleles), done


def _n_records(variants: pd.DataFrame, rows: NDArray[np.bool_]) -> int:
    return len(np.unique(variants["record"].to_numpy()[rows]))


def _unit(variants: pd.DataFrame, row: np.intp, phase_set: np.int64 | None) -> str:
    contig = variants["contig"].iloc[row]
    if phase_set is not None:
        return f"{contig}|phase set {phase_set}"
    return f"{contig}|{variants['record_position'].iloc[row]}|{variants['record_ref'].iloc[row]}"


def _coin(seed: int, sample: str, unit: str) -> bool:
    # of what is flipped alone, so that loci that overlap agree
    return bool(hashlib.blake2b(f"{seed}|{sample}|{unit}".encode(), digest_size=1).digest()[0] & 1)


def _refusal(
    variants: pd.DataFrame,
    phase_set: NDArray[np.int64],
    loose: NDArray[np.bool_],
    bound: NDArray[np.bool_],
    phasing: Phasing,
    sample: str,
) -> str:
    choices = "choose 'as listed' or 'random' with a seed for unphased ones, or phase the file first"
    if loose.any():
        first = _name(variants.iloc[int(np.argmax(loose))])
        more = f" and {phasing.unphased - 1:,} more" if phasing.unphased > 1 else ""
        return f"{sample} is heterozygous but unphased at {first}{more}: {choices}"
    _, firsts = np.unique(phase_set[bound], return_index=True)
    rows = np.flatnonzero(bound)[np.sort(firsts)]
    return (
        f"{sample} has heterozygotes of {phasing.phase_sets} phase sets here (from "
        f"{_name(variants.iloc[rows[0]])} and from {_name(variants.iloc[rows[1]])}), which aren't phased to "
        f"one another: {choices}, or take a shorter locus"
    )


def _name(row: pd.Series) -> str:
    return f"{row['contig']}:{row['record_position']} {row['record_ref']}>{row['record_alt']}"
