"""Known binding motifs, and which one of them a word means."""

from __future__ import annotations

import difflib
import logging
import os
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phenviz.data.meme import read_meme
from phenviz.errors import DataError, SequenceError

logger = logging.getLogger(__name__)

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Motif:
    """A known motif: accession, name, and base frequencies (4, width)."""

    motif_id: str
    name: str
    frequencies: NDArray[np.float64]

    @property
    def label(self) -> str:
        """Name and accession, as no other motif of its file has them."""
        numbered = self.motif_id.partition("#")[0] == self.name
        return self.motif_id if numbered else f"{self.name} ({self.motif_id})"


def read_motifs(path: str | os.PathLike[str]) -> tuple[Motif, ...]:
    """Read motifs in MEME format, of DNA; kept in memory.

    Where several have the same accession, the number of each is added to it (``NOVEL#2``). Motifs without a
    matrix are left out, and a warning names them.

    Raises
    ------
    DataError
        If the file is missing, holds no motif or motifs of RNA or proteins, or a line of it makes no sense.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"motifs {path} are missing: give a file in MEME format")
    return _read_motifs(path, path.stat().st_mtime_ns)


def find_motif(motifs: Sequence[Motif], word: str) -> Motif | None:
    """Return the motif with this accession (``MA0488.2``) or name, in any case; None where there is none.

    Raises
    ------
    SequenceError
        If several motifs have this name: lists their accessions.
    """
    typed = word.strip()
    ways = (
        [motif for motif in motifs if motif.motif_id.upper() == typed.upper()],
        [motif for motif in motifs if motif.name == typed],
        [motif for motif in motifs if motif.name.upper() == typed.upper()],
        # JASPAR's accessions have a version
        [motif for motif in motifs if motif.motif_id.upper().rpartition(".")[0] == typed.upper()],
    )
    found = next(filter(None, ways), [])
    if len(found) > 1:
        raise SequenceError(
            f"{typed!r} is the name of {len(found)} motifs: give the accession of the one that is meant: "
            f"{', '.join(motif.motif_id for motif in found)}"
        )
    return found[0] if found else None


def near_motifs(motifs: Sequence[Motif], word: str) -> list[str]:
    """Return the names of motifs, at most three, that begin with a word or are closest to it."""
    typed, names = word.strip().upper(), {motif.name.upper(): motif.name for motif in motifs}
    # HOCOMOCO's names go on behind the factor's: GATA1.H12CORE.0.P.B
    begin = [name for name in names if typed and name.startswith(typed)]
    near = dict.fromkeys([*begin, *difflib.get_close_matches(typed, names)])
    return [names[name] for name in near][:3]


@lru_cache(maxsize=4)
def _read_motifs(path: Path, modified: int) -> tuple[Motif, ...]:
    try:
        entries = list(read_meme(path))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"motifs {path} can't be read ({error}): give a whole file in MEME format") from error
    whole = [entry for entry in entries if entry.rows]
    if not whole:
        raise DataError(f"motifs {path} hold no motif with a matrix: give a file in MEME format")
    if empty := [f"{entry.identifier} (line {entry.line})" for entry in entries if not entry.rows]:
        some = ", ".join(empty[:_SHOWN]) + (" ..." if len(empty) > _SHOWN else "")
        what = "1 motif" if len(empty) == 1 else f"{len(empty):,} motifs"
        logger.warning("%s: %s without a letter-probability matrix left out: %s", path.name, what, some)
    total, seen = Counter(entry.identifier for entry in whole), Counter[str]()
    motifs = []
    for entry in whole:
        seen[entry.identifier] += 1
        number = f"#{seen[entry.identifier]}" if total[entry.identifier] > 1 else ""
        name = entry.name or entry.identifier
        motifs.append(Motif(f"{entry.identifier}{number}", name, entry.frequencies))
    return tuple(motifs)
