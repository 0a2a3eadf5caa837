"""Letters of a FASTA that stand for several bases, which a VCF writes as the first of these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phenviz.genome import N_CODE, ReferenceGenome, encode

# VCF 4.3, section 1.6.1.4: of the bases that an IUPAC letter stands for, REF has the alphabetically first
_FIRST = dict(zip("MRWVHDSYBK", "AAAAAACCCG", strict=True))


def reduced_letters(
    reference: ReferenceGenome, contig: str, start: int, ref: str, here: NDArray[np.uint8]
) -> str | None:
    """Return which letters of the FASTA a REF writes as one base.

    Parameters
    ----------
    reference, contig, start
        Where REF begins, 0-based.
    ref
        Upper case.
    here
        Codes of the reference there, (len(ref),).

    Returns
    -------
    str or None
        The letters, "" if there are none; None if REF isn't what the FASTA has.
    """
    differing = np.flatnonzero(encode(ref) != here)
    if not len(differing):
        return ""
    if (here[differing] != N_CODE).any():
        return None
    letters = reference.letters(contig, start, start + len(ref))
    found = [letters[place] for place in differing]
    if any(_FIRST.get(letter) != ref[place] for letter, place in zip(found, differing, strict=True)):
        return None
    return "".join(found)
