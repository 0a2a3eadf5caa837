"""Names that are spelt nearly as what was typed: among 60,000 genes in a few milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

import numpy as np

# letters that share a class can only make two names look more alike than they are
_CLASSES = 64
# of the ratio of difflib, 0 to 1
CUTOFF = 0.5


class NearNames:
    """Finds what `difflib.get_close_matches` finds in any case, without comparing with every name.

    How many letters two names have in common, wherever they stand, is an upper bound of how alike they are.
    It is counted for all names at once, and only those that could be among the best are compared.

    Parameters
    ----------
    names
        As they are written; empty ones are left out.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._written = {name.upper(): name for name in names if name}
        self._keys = list(self._written)
        self._lengths = np.array([len(key) for key in self._keys], dtype=np.int64)
        rows = np.repeat(np.arange(len(self._keys)), self._lengths)
        letters = np.bincount(
            rows * _CLASSES + _classes("".join(self._keys)), minlength=self._lengths.size * _CLASSES
        )
        self._letters = np.minimum(letters, 255).astype(np.uint8).reshape(-1, _CLASSES)

    def near(self, typed: str, count: int) -> list[str]:
        """Return names like what was typed: the shortest that begin with it, then others, best first."""
        wanted = typed.strip().upper()
        if not wanted:
            return []
        begins = sorted((key for key in self._keys if key.startswith(wanted)), key=len)
        found = dict.fromkeys([*begins, *self._alike(wanted, count)])
        return [self._written[key] for key in found][:count]

    def _alike(self, wanted: str, count: int) -> list[str]:
        letters = np.minimum(np.bincount(_classes(wanted), minlength=_CLASSES), 255).astype(np.uint8)
        common = np.minimum(self._letters, letters).sum(axis=1, dtype=np.int64)
        bounds = 2.0 * common / (self._lengths + len(wanted))
        best: list[tuple[float, str]] = []
        matcher = SequenceMatcher(b=wanted)
        for row in np.argsort(-bounds, kind="stable"):
            if bounds[row] < (best[-1][0] if len(best) == count else CUTOFF):
                break
            matcher.set_seq1(self._keys[row])
            if (ratio := matcher.ratio()) >= CUTOFF:
                best = sorted([*best, (ratio, self._keys[row])], reverse=True)[:count]
        return [key for _, key in best]


def _classes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64) % _CLASSES
