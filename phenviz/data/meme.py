"""Matrices of a MEME file, as they stand there.

Biopython's and memelite's readers give the matrix of the next motif to one that has none; the former also
rounds frequencies and leaves out second names, the latter keeps one motif of each name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome.codes import ALPHABET
from phenviz.genome.text_lines import text_lines

_MATRIX = "letter-probability matrix"
# rows are rounded: to six places by most programs, to two by some
_ROUNDING, _LARGEST_ROUNDING = 1e-5, 0.05
_PROTEIN = "ACDEFGHIKLMNPQRSTVWY"


@dataclass(slots=True)
class MemeEntry:
    """What a file says of one motif.

    Parameters
    ----------
    line
        Number of its MOTIF line.
    identifier, name
        As that line has them; name is empty where it has one only.
    width
        That the matrix says it has; None where it doesn't say.
    rows
        Frequencies of A, C, G and T at each position; none where the motif has no matrix.
    """

    line: int
    identifier: str
    name: str
    width: int | None = None
    matrix_line: int = 0
    rows: list[list[float]] = field(default_factory=list)
    is_open: bool = False

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Frequencies (4, width), which add up to 1 at each position."""
        rows = np.array(self.rows, dtype=np.float64)
        sums = rows.sum(1, keepdims=True)
        rounded = np.abs(sums - 1) > _ROUNDING
        return np.ascontiguousarray(np.where(rounded, rows / sums, rows).T)


def read_meme(path: Path) -> Iterator[MemeEntry]:
    """Yield the motifs of MEME's text output, or of its minimal format.

    Raises
    ------
    DataError
        If the motifs are not of DNA, or a line makes no sense.
    """
    entry: MemeEntry | None = None
    letters: list[str] | None = None
    for number, line in text_lines(path):
        words = line.split()
        place = f"motifs {path}, line {number}"
        if letters is not None:
            # in a definition of an alphabet: letters and their complements (A "Adenine" ~ T "Thymine"); codes
            # for several letters have a "="
            if words[:2] == ["END", "ALPHABET"]:
                _check_alphabet(place, "".join(letters))
                letters = None
            elif words and "=" not in words:
                letters += [side.split()[0][0] for side in line.split("~") if side.strip()]
        elif line.startswith("ALPHABET="):
            _check_alphabet(place, line.partition("=")[2].strip())
        elif line.startswith("ALPHABET "):
            letters = []
        elif words[:1] == ["MOTIF"]:
            if entry is not None:
                yield _whole(path, entry)
            entry = _named(place, number, words)
        elif line.startswith(_MATRIX):
            if entry is None or entry.matrix_line:
                raise DataError(f"{place}: a matrix without a MOTIF line of its own: name each motif")
            entry.width, entry.matrix_line, entry.is_open = _width(place, line), number, True
        elif entry is not None and entry.is_open:
            _take_row(place, words, entry)
    if entry is not None:
        yield _whole(path, entry)


def _check_alphabet(place: str, letters: str) -> None:
    found = "".join(sorted(letters.upper()))
    if found == ALPHABET:
        return
    kind = {"ACGU": "RNA", _PROTEIN: "proteins"}.get(found, f"the alphabet {letters!r}")
    raise DataError(f"{place}: motifs of {kind}, and PhenViz reads DNA: give motifs of A, C, G and T")


def _named(place: str, number: int, words: list[str]) -> MemeEntry:
    if len(words) < 2:
        raise DataError(f"{place}: a motif without a name: write MOTIF and its name")
    # MEME's own output goes on with "width = 8  sites = 20 ..."
    end = next((at for at in range(2, len(words)) if words[at] in ("width", "width=")), len(words))
    return MemeEntry(number, words[1], " ".join(words[2:end]))


def _width(place: str, line: str) -> int | None:
    values = line.partition(":")[2].replace("=", " ").split()
    said = dict(zip(values[::2], values[1::2], strict=False))
    if any(key[0].isdigit() for key in said):
        raise DataError(f"{place}: numbers behind 'letter-probability matrix:' have no key: start a new line")
    if said.get("alength", "4") != "4":
        raise DataError(
            f"{place}: a matrix of {said['alength']} letters, and PhenViz reads DNA: use A, C, G and T"
        )
    if "w" in said and not said["w"].isdigit():
        raise DataError(f"{place}: the width {said['w']!r} is no whole number: correct or leave out 'w='")
    return int(said["w"]) if "w" in said else None


def _take_row(place: str, words: list[str], entry: MemeEntry) -> None:
    """Add a line to the open matrix, or close it where this line is none of its own."""
    if not words:
        # without a width a matrix ends with a blank line
        entry.is_open = not entry.rows or entry.width is not None
        return
    if words[0][0] not in "0123456789.+-":
        entry.is_open = False
        return
    try:
        row = [float(word) for word in words]
    except ValueError:
        row = []
    if len(row) != len(ALPHABET) or not all(0 <= value < np.inf for value in row):
        raise DataError(
            f"{place}: {' '.join(words)!r} is no row of a matrix: give four numbers, of A, C, G, T"
        )
    if abs(sum(row) - 1) > _LARGEST_ROUNDING:
        raise DataError(
            f"{place}: a row that adds up to {sum(row):g}, where probabilities add up to 1: if these are "
            "counts, divide them by their sum"
        )
    entry.rows.append(row)
    entry.is_open = entry.width is None or len(entry.rows) < entry.width


def _whole(path: Path, entry: MemeEntry) -> MemeEntry:
    if entry.width is not None and len(entry.rows) != entry.width:
        raise DataError(
            f"motifs {path}, line {entry.matrix_line}: the matrix of {entry.identifier} has "
            f"{len(entry.rows)} rows and says w= {entry.width}: give all of them, or correct 'w='"
        )
    return entry
