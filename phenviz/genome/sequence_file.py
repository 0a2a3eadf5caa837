"""Sequences that lie in no genome: a FASTA of designed ones."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from phenviz.errors import SequenceError

_NO_LETTER = re.compile(r"[^ACGTUNRYSWKMBDHVacgtunryswkmbdhv]")


def read_sequences_file(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a FASTA, plain or gzip: the first word of each header is its sequence's name.

    Returns
    -------
    dict[str, str]
        Sequences in capital letters by name, in the order of the file.

    Raises
    ------
    SequenceError
        If it can't be read, two sequences have one name, or a sequence is empty or holds a letter that is
        neither a base nor one of IUPAC's codes: names the line.
    """
    path = Path(path).expanduser()
    parts: dict[str, list[str]] = {}
    name, where = "", f"sequences {path}"
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, 1):
                text = line.strip()
                if text.startswith(">"):
                    name = (text[1:].split() or [""])[0]
                    if not name or name in parts:
                        problem = f"a second sequence named {name!r}" if name else "a header without a name"
                        raise SequenceError(f"{where}, line {number}: {problem}; give each a name of its own")
                    parts[name] = []
                elif text:
                    if not name:
                        raise SequenceError(f"{where}, line {number}: no '>name' before it: give a FASTA")
                    if wrong := _NO_LETTER.search(text):
                        raise SequenceError(
                            f"{where}, line {number}: {wrong.group()!r} is no base: use A, C, G, T or N"
                        )
                    parts[name].append(text)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise SequenceError(f"{where} can't be read ({error}): give a FASTA file, plain or gzip") from error
    return check_sequences({key: "".join(value) for key, value in parts.items()}, where)


def check_sequences(sequences: Mapping[str, str], where: str = "the sequences") -> dict[str, str]:
    """Return sequences in capital letters, of RNA those of DNA.

    Raises
    ------
    SequenceError
        If there is none, or one is empty or holds something other than bases.
    """
    if not sequences:
        raise SequenceError(f"{where} hold no sequence: give at least one, as '>name' and its bases")
    for name, sequence in sequences.items():
        if not isinstance(name, str) or not isinstance(sequence, str):
            raise SequenceError(f"{where}: {name!r} is no pair of a name and bases: give both as text")
        if not sequence:
            raise SequenceError(f"{where}: {name} is empty: give its bases, or leave it out")
        if wrong := _NO_LETTER.search(sequence):
            raise SequenceError(
                f"{where}: base {wrong.start() + 1:,} of {name} is {wrong.group()!r}: use A, C, G, T or N"
            )
    return {name: sequence.upper().replace("U", "T") for name, sequence in sequences.items()}


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding="ascii") if zipped else path.open(encoding="ascii")
