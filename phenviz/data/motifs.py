"""Known binding motifs: reading MEME files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phenviz.errors import DataError


@dataclass(frozen=True, slots=True)
class Motif:
    """A known motif: accession, name, and base frequencies (4, width)."""

    motif_id: str
    name: str
    frequencies: NDArray[np.float64]


def read_motifs(path: str | os.PathLike[str]) -> tuple[Motif, ...]:
    """Read motifs in MEME format; kept in memory.

    Raises
    ------
    DataError
        If the file is missing or holds no motif.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"motifs {path} are missing: give a file in MEME format")
    return _read_motifs(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read_motifs(path: Path, modified: int) -> tuple[Motif, ...]:
    from memelite.io import read_meme

    try:
        tables = read_meme(str(path))
    except (ValueError, AttributeError, IndexError, UnicodeDecodeError) as error:
        raise DataError(
            f"motifs {path} can't be read as MEME ({error}): give a file in MEME format"
        ) from error
    if not tables:
        raise DataError(f"motifs {path} hold no motif: give a file in MEME format")
    motifs = []
    for label, frequencies in tables.items():
        motif_id, _, name = label.partition(" ")
        motifs.append(Motif(motif_id, name or motif_id, frequencies))
    return tuple(motifs)
