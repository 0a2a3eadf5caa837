"""Sequences with measured reporter activity as the backbone learns them: alone, or within other bases.

In a reporter only the tested sequence differs; on the genome, bins see their surroundings. So half of the
windows hold the sequence between unknown bases, and half within random bases of the genome, far from every
summit: what lies around it is learnt to matter little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome.codes import N_CODE, encode, one_hot
from phenviz.genome.contexts import Context
from phenviz.models.training_summits import CENTRE_BINS, JITTER, SummitLesson

WITHIN_GENOME = 0.5
LOG2 = float(np.log(2))
_WORD = 31


@dataclass(frozen=True)
class ReporterLesson:
    """Sequences and what was measured of them.

    Parameters
    ----------
    sequences
        Codes of each.
    value
        log2 RNA/DNA, NaN where it wasn't measured, shape (n, R).
    share
        Share of the sequences in an epoch.
    """

    sequences: tuple[NDArray[np.uint8], ...]
    value: NDArray[np.float32]
    share: float

    @classmethod
    def prepare(
        cls, table: pd.DataFrame, contexts: Sequence[Context], *, share: float, window: int
    ) -> ReporterLesson:
        """Lay out the training split of a table from `read_sequences`.

        Raises
        ------
        DataError
            If a context has no training sequence, or a sequence is longer than a window.
        """
        longest = table["sequence"].str.len().max()
        if longest > window - 2 * JITTER:
            raise DataError(
                f"a sequence with measured activity has {longest:,} bases: at most {window - 2 * JITTER:,} "
                "can be learnt from; cut them"
            )
        texts, value = by_context(table[table["split"] == "training"], contexts)
        empty = [c.name for c, column in zip(contexts, value.T, strict=True) if np.isnan(column).all()]
        if empty:
            raise DataError(f"{', '.join(empty)} has no sequence with the split 'train' to learn from")
        return cls(tuple(encode(text) for text in texts), value, share)

    def size(self) -> int:
        """Return the number of sequences in an epoch."""
        return int(len(self.sequences) * self.share)

    def batch(
        self, rng: np.random.Generator, n: int, summits: SummitLesson
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw windows (n, 4, window) with a sequence in the middle, and what was measured of it (n, R)."""
        window = summits.window
        rows = rng.choice(len(self.sequences), n, replace=n > len(self.sequences))
        around = np.full((n, window), N_CODE, np.uint8)
        if len(summits.far):
            chosen = np.flatnonzero(rng.random(n) < WITHIN_GENOME)
            starts = rng.choice(summits.far, len(chosen)) - window // 2
            around[chosen] = summits.data.codes[starts[:, None] + np.arange(window)]
        moved = rng.integers(-JITTER, JITTER + 1, n)
        for place, row, shift in zip(around, rows, moved, strict=True):
            codes = self.sequences[row]
            left = (window - len(codes)) // 2 + shift
            place[left : left + len(codes)] = codes
        return torch.from_numpy(one_hot(around)), torch.from_numpy(self.value[rows])


def lies_within(
    sequences: Sequence[str], codes: NDArray[np.uint8], regions: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Tell which sequences lie in regions of the genome, on either strand: they share most of their 31-mers.

    Tables of sequences often come without coordinates, and one from a held-out region would be learnt.
    """
    held = [_words(codes[start:end], strand) for start, end in regions for strand in (1, -1)]
    known = (
        np.unique(np.concatenate([words[words >= 0] for words in held])) if held else np.empty(0, np.int64)
    )
    found = np.zeros(len(sequences), bool)
    if not len(known):
        return found
    for row, text in enumerate(sequences):
        words = _words(encode(text), 1)
        if len(words):
            place = np.searchsorted(known, words).clip(max=len(known) - 1)
            found[row] = (known[place] == words).mean() > 0.5
    return found


def _words(codes: NDArray[np.uint8], strand: int) -> NDArray[np.int64]:
    """Return the 31-mers of one strand as numbers, two bits for each base; -1 where a base is unknown."""
    if strand < 0:
        codes = np.where(codes < N_CODE, 3 - codes, codes)[::-1]
    count = len(codes) - _WORD + 1
    if count < 1:
        return np.empty(0, np.int64)
    words = np.zeros(count, np.int64)
    for offset in range(_WORD):
        words = (words << 2) | (codes[offset : offset + count] & 3)
    unknown = np.concatenate([[0], np.cumsum(codes >= N_CODE)])
    words[unknown[_WORD:] > unknown[:-_WORD]] = -1
    return words


def by_context(table: pd.DataFrame, contexts: Sequence[Context]) -> tuple[list[str], NDArray[np.float32]]:
    """Put what was measured of a sequence side by side: sequences, and values (n, R), NaN for none.

    A sequence that was measured twice in a context has the mean.
    """
    names = [context.name for context in contexts]
    table = table[table["context"].isin(names)]
    wide = table.pivot_table("value", "sequence", "context", aggfunc="mean", sort=False)
    wide = wide.reindex(columns=names)
    return wide.index.tolist(), wide.to_numpy(np.float32)


def reporter_activity(log_activity: torch.Tensor, reporters: int) -> torch.Tensor:
    """Take ln RNA/DNA of the reporters from log activity (B, C, 4): of the mean of the central 256 bp."""
    centre = log_activity[:, -reporters:, CENTRE_BINS // 2 : CENTRE_BINS // 2 + CENTRE_BINS]
    return centre.logsumexp(2) - float(np.log(CENTRE_BINS))


def reporter_loss(predicted: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Squared error of ln RNA/DNA, over what was measured."""
    measured = ~value.isnan()
    error = (predicted - LOG2 * value.nan_to_num()) * measured
    return error.pow(2).sum() / measured.sum().clamp(min=1)
