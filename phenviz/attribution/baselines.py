"""Where integrated gradients start: no sequence at all, shuffled sequence, or the user's own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.attribution.targets import is_count
from phenviz.errors import ModelError
from phenviz.genome.codes import N_CODE, one_hot
from phenviz.genome.intervals import covered_intervals
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome

Baseline = Literal["zero", "dinucleotide"] | NDArray[np.floating]

# Shuffled block by block on the contig's own grid, so that a base has the same baseline whatever the window
BLOCK_BASES = 2_048
SHUFFLES = 20
SEED = 20_260


class BaselineSource:
    """Baseline of any window of a contig, shape (4, bases).

    Parameters
    ----------
    baseline
        ``"zero"``: all zero. ``"dinucleotide"``: the mean of 20 shuffles that keep the counts of
        dinucleotides, each block of 2,048 bases by itself, seeded by the block's place. An array of shape
        (4,) holds everywhere (a base composition); one of shape (4, bases) holds for the locus; outside of it
        the baseline is the sequence itself, so that flanks take no share.
    reference, locus
        What is explained.
    shuffle
        With ``"dinucleotide"``: this single shuffle, counted from 0, instead of the mean of 20.

    Raises
    ------
    ModelError
        If the name is unknown, or the array has another shape or holds no finite numbers.
    """

    def __init__(
        self, baseline: Baseline, reference: ReferenceGenome, locus: Locus, *, shuffle: int | None = None
    ) -> None:
        self._baseline, self._reference, self._locus = baseline, reference, locus
        self._shuffle = shuffle
        self._blocks: dict[int, NDArray[np.float32]] = {}
        self._lock = threading.Lock()
        if isinstance(baseline, str):
            if baseline not in ("zero", "dinucleotide"):
                raise ModelError(f"unknown baseline {baseline!r}: use 'zero', 'dinucleotide' or an array")
            means = f"mean of {SHUFFLES} dinucleotide shuffles"
            shuffled = means if shuffle is None else f"dinucleotide shuffle {shuffle + 1}"
            self.name = "zero" if baseline == "zero" else shuffled
            return
        self._baseline = np.asarray(baseline)
        self.name = "given by the user"
        if self._baseline.shape not in ((4,), (4, locus.length)):
            raise ModelError(
                f"the baseline has shape {self._baseline.shape}: give (4,), or (4, {locus.length}) for "
                f"{locus}"
            )
        if self._baseline.dtype.kind not in "fiub" or not np.isfinite(self._baseline).all():
            raise ModelError("the baseline holds NaN, an infinity or no numbers: give finite numbers")

    @property
    def is_zero(self) -> bool:
        """Whether the baseline is all zero everywhere."""
        return isinstance(self._baseline, str) and self._baseline == "zero"

    def window(self, start: int, end: int) -> NDArray[np.floating]:
        """Return the baseline from start to end (0-based half-open, may overhang the contig), (4, bases)."""
        if isinstance(self._baseline, str):
            if self._baseline == "zero":
                return np.zeros((4, end - start), dtype=np.float32)
            # windows are asked for from several threads
            with self._lock:
                return self._shuffled(start, end)
        if self._baseline.ndim == 1:
            return np.repeat(self._baseline[:, None], end - start, axis=1)
        window = one_hot(self._reference.fetch_codes(self._locus.contig, start, end)).astype(
            self._baseline.dtype
        )
        first, last = max(start, self._locus.start), min(end, self._locus.end)
        if first < last:
            inside = slice(first - self._locus.start, last - self._locus.start)
            window[:, first - start : last - start] = self._baseline[:, inside]
        return window

    def _shuffled(self, start: int, end: int) -> NDArray[np.float32]:
        first, last = start // BLOCK_BASES, -(-end // BLOCK_BASES)
        # windows come from left to right: blocks behind them aren't needed again
        self._blocks = {number: block for number, block in self._blocks.items() if number >= first}
        for number in range(first, last):
            if number not in self._blocks:
                self._blocks[number] = self._shuffled_block(number)
        joined = np.concatenate([self._blocks[number] for number in range(first, last)], axis=1)
        return joined[:, start - first * BLOCK_BASES : end - first * BLOCK_BASES]

    def _shuffled_block(self, number: int) -> NDArray[np.float32]:
        start = number * BLOCK_BASES
        codes = self._reference.fetch_codes(self._locus.contig, start, start + BLOCK_BASES)
        block = np.zeros((4, BLOCK_BASES), dtype=np.float32)
        # unknown bases stay where they are; each interval of known ones is shuffled by itself
        for first, last in covered_intervals(np.flatnonzero(codes != N_CODE)):
            count = SHUFFLES if self._shuffle is None else 1
            # the blocks of each single shuffle have seeds of their own
            seed = SEED + number % 2**24 + 2**24 * (0 if self._shuffle is None else self._shuffle + 1)
            block[:, first:last] = _mean_shuffle(codes[first:last], count, seed % 2**32)
        return block


def baseline_sources(
    baseline: Baseline | Sequence[Baseline], n_baselines: int, reference: ReferenceGenome, locus: Locus
) -> list[BaselineSource]:
    """Return the baselines to integrate from, one by one.

    Parameters
    ----------
    baseline
        One, or several as a list or tuple.
    n_baselines
        More than 1 for so many single shuffles.
    reference, locus
        What is explained.

    Raises
    ------
    ModelError
        If a baseline is none, or several of one that exists only once are asked for.
    """
    numbers = isinstance(baseline, (list, tuple)) and all(isinstance(one, (int, float)) for one in baseline)
    # a list of numbers is one base composition
    several = isinstance(baseline, (list, tuple)) and not (numbers and len(baseline))
    if not is_count(n_baselines):
        raise ModelError(f"{n_baselines!r} baselines aren't possible: give a whole number, at least one")
    if several and not len(baseline):
        raise ModelError("there is no baseline to integrate from: give at least one")
    if several:
        if n_baselines > 1:
            raise ModelError("give either a list of baselines or n_baselines, not both")
        return [BaselineSource(one, reference, locus) for one in baseline]  # type: ignore[arg-type]
    one: Baseline = baseline  # type: ignore[assignment]
    if n_baselines == 1:
        return [BaselineSource(one, reference, locus)]
    if not (isinstance(one, str) and one == "dinucleotide"):
        raise ModelError(
            f"n_baselines counts shuffles, and baseline {one!r} has none: use 'dinucleotide', or a list of "
            "arrays"
        )
    return [BaselineSource(one, reference, locus, shuffle=number) for number in range(n_baselines)]


def _mean_shuffle(codes: NDArray[np.uint8], count: int, seed: int) -> NDArray[np.float32]:
    """Average so many dinucleotide shuffles of known bases: (4, bases)."""
    plain = one_hot(codes)
    if len(codes) < 3:
        return plain
    # imported here: it takes seconds, and most runs start from zero
    from tangermeme.ersatz import dinucleotide_shuffle

    try:
        shuffled = dinucleotide_shuffle(torch.from_numpy(plain)[None], n=count, random_state=seed)
    except ValueError:
        # what it says of a few bases or a repeat, whose shuffles are all the same
        return plain
    return shuffled[0].float().mean(0).numpy()
