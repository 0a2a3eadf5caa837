"""Which of the alleles of each row are those of the reference, on either strand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.genome.codes import decode
from phenviz.genome.reference import ReferenceGenome

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Fit:
    """Which alleles are those of the reference, row by row; ``turned`` on the other strand."""

    inside: Mask
    known: Mask
    has_bases: Mask
    single: Mask
    effect: Mask
    other: Mask
    effect_turned: Mask
    other_turned: Mask

    @property
    def judged(self) -> Mask:
        """Single-base changes inside their contig."""
        return self.inside & self.known & self.has_bases & self.single

    @property
    def palindromic(self) -> Mask:
        """A/T and C/G: the same on both strands, so that they don't tell which one the file is on."""
        return self.judged & ((self.effect & self.other_turned) | (self.other & self.effect_turned))


def fit_reference(table: pd.DataFrame, reference: ReferenceGenome) -> Fit:
    """Compare every row with the reference: single bases all at once, longer alleles one by one."""
    alleles = {name: table[name].to_numpy(object) for name in ("effect", "other")}
    length = {name: np.array([len(a) for a in alleles[name]], dtype=np.int64) for name in alleles}
    position = table["position"].to_numpy(np.int64)
    size = table["contig"].map(reference.contigs).to_numpy(np.int64)
    longest = np.maximum(length["other"], 1)
    inside = (position >= 1) & (position - 1 + longest <= size)
    base = np.full(len(table), 4, dtype=np.int64)
    for contig, rows in table.groupby("contig", sort=False).indices.items():
        here = rows[inside[rows]]
        base[here] = reference.codes(contig)[position[here] - 1]
    code = {name: pd.Series(alleles[name]).map(_CODES).fillna(4).to_numpy(np.int64) for name in alleles}
    single = (length["effect"] == 1) & (length["other"] == 1)
    bases = single & (code["effect"] < 4) & (code["other"] < 4) & (code["effect"] != code["other"])
    fits = {name: bases & (base == code[name]) for name in alleles}
    turned = {name: bases & (base == 3 - code[name]) for name in alleles}
    known = (length["effect"] > 0) | (length["other"] > 0)
    for row in np.flatnonzero(inside & known & ~single):
        effect, other = alleles["effect"][row], alleles["other"][row]
        bases[row] = (
            bool(effect) and bool(other) and effect != other and not set(effect + other) - set("ACGT")
        )
        if bases[row]:
            contig = table["contig"].iat[row]
            for name in fits:
                fits[name][row] = (
                    bases_at(reference, contig, position[row], length[name][row]) == alleles[name][row]
                )
    has_bases = np.where(known, bases, base < 4)
    return Fit(
        inside, known, has_bases, single, fits["effect"], fits["other"], turned["effect"], turned["other"]
    )


_CODES = {"A": 0, "C": 1, "G": 2, "T": 3}


def bases_at(reference: ReferenceGenome, contig: str, position: int, count: int) -> str:
    """Return the reference's bases from a 1-based position on."""
    return decode(reference.fetch_codes(contig, position - 1, position - 1 + count))
