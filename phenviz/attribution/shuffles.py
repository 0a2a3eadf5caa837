"""Sequence without its meaning: shuffled bases, with or without their neighbours' counts."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.errors import ModelError
from phenviz.genome.codes import N_CODE, one_hot
from phenviz.genome.intervals import covered_intervals

Replacement = Literal["dinucleotide", "shuffle", "N"]


def replacements(
    codes: NDArray[np.uint8], how: Replacement, count: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return sequences to put in place of one.

    Parameters
    ----------
    codes
        The sequence, (L,); its unknown bases stay where they are.
    how
        ``"dinucleotide"`` keeps the counts of neighbouring bases, ``"shuffle"`` those of single ones; ``"N"``
        is unknown sequence, of which there is one.
    count
        How many.
    rng
        Draws them.

    Returns
    -------
    NDArray[np.uint8]
        Shape (count, L); (1, L) for ``"N"``. A sequence without two different dinucleotide shuffles (a few
        bases, or a repeat) is shuffled base by base.

    Raises
    ------
    ModelError
        If the way is unknown or the count isn't positive.
    """
    if how not in ("dinucleotide", "shuffle", "N"):
        raise ModelError(f"unknown replacement {how!r}: use 'dinucleotide', 'shuffle' or 'N'")
    if count < 1:
        raise ModelError(f"{count} replacements can't be averaged: use 1 or more")
    if how == "N":
        return np.full((1, len(codes)), N_CODE, dtype=np.uint8)
    found = np.repeat(codes[None], count, axis=0)
    for first, last in covered_intervals(np.flatnonzero(codes != N_CODE)):
        interval = codes[first:last]
        shuffled = _dinucleotide_shuffles(interval, count, rng) if how == "dinucleotide" else None
        found[:, first:last] = (
            shuffled if shuffled is not None else rng.permuted(found[:, first:last], axis=1)
        )
    return found


def _dinucleotide_shuffles(
    codes: NDArray[np.uint8], count: int, rng: np.random.Generator
) -> NDArray[np.uint8] | None:
    # imported here: it takes seconds
    from tangermeme.ersatz import dinucleotide_shuffle

    try:
        shuffled = dinucleotide_shuffle(
            torch.from_numpy(one_hot(codes))[None], n=count, random_state=int(rng.integers(2**31))
        )
    except ValueError:
        # what it says of a sequence whose shuffles are all the same
        return None
    return shuffled[0].argmax(1).numpy().astype(np.uint8)
