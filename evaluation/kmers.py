"""The baseline that every sequence model has to beat: ridge regression on counts of 6-mers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from phenviz.genome.codes import N_CODE

K = 6
# the one with the least error on sequences left out is taken, for each number that is learnt
PENALTIES = (300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)


def kmer_counts(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Count the 6-mers of sequences (n, L), each together with its reverse complement: (n, 2080), log1p.

    6-mers with an unknown base aren't counted.
    """
    count = codes.shape[1] - K + 1
    forward = np.zeros((len(codes), count), np.int64)
    reverse = np.zeros_like(forward)
    known = np.ones_like(forward, bool)
    for offset in range(K):
        base = codes[:, offset : offset + count].astype(np.int64)
        forward += (base & 3) * 4 ** (K - 1 - offset)
        reverse += (3 - (base & 3)) * 4**offset
        known &= base < N_CODE
    columns = _column_of()
    cells = columns[np.minimum(forward, reverse)] + np.arange(len(codes))[:, None] * (columns.max() + 1)
    table = np.bincount(cells[known], minlength=len(codes) * (columns.max() + 1))
    return np.log1p(table.reshape(len(codes), -1)).astype(np.float32)


class KmerRidge:
    """Ridge regression of one or several numbers on `kmer_counts`, standardised."""

    def fit(self, codes: NDArray[np.uint8], values: NDArray[np.floating]) -> KmerRidge:
        """Learn from sequences (n, L) and values (n,) or (n, C)."""
        counts = kmer_counts(codes)
        self._mean, self._scale = counts.mean(0), counts.std(0) + 1e-3
        self._ridge = RidgeCV(alphas=PENALTIES, alpha_per_target=values.ndim > 1)
        self._ridge.fit((counts - self._mean) / self._scale, values)
        return self

    def predict(self, codes: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Predict the values of sequences."""
        return self._ridge.predict((kmer_counts(codes) - self._mean) / self._scale)


def _column_of() -> NDArray[np.int64]:
    """Give the 6-mers that are no greater than their reverse complement a column; others get 0."""
    every = np.arange(4**K)
    digits = every[:, None] // 4 ** np.arange(K - 1, -1, -1) % 4
    other = ((3 - digits) * 4 ** np.arange(K)).sum(1)
    own = every <= other
    return np.where(own, np.cumsum(own) - 1, 0)
