"""Names of phase sets as numbers."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from phenviz.variation.records import NO_PHASE_SET

_LARGEST = 2**62


@lru_cache(maxsize=100_000)
def phase_set_number(*names: str) -> int:
    """Give a phase set its number, the same in every file and locus.

    Parameters
    ----------
    names
        What PS and PSL say, whatever their type; ``.``, nothing, and several of these are no name.

    Returns
    -------
    int
        A whole number stands for itself, other names have a negative number of their own, and
        `NO_PHASE_SET` is none.
    """
    name = "|".join(one for one in names if one.strip(".,"))
    if not name:
        return NO_PHASE_SET
    if name.isdecimal() and str(int(name)) == name and 0 < int(name) < _LARGEST:
        return int(name)
    return -1 - int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest())
