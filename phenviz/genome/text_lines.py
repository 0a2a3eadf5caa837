"""Lines of text files as people have them: plain or gzip, with any line end and encoding."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from phenviz.errors import DataError

_GZIP = b"\x1f\x8b"
_MOST_DIGITS = 15


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Yield the number, from 1 on, and the text of each line, without its line end.

    Parameters
    ----------
    path
        Plain or gzip, whatever its name. Bytes that aren't UTF-8 are shown as ``\xe9``.
    """
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
    opener = gzip.open if zipped else open
    with opener(path, "rt", encoding="utf-8-sig", errors="backslashreplace") as lines:
        for number, line in enumerate(lines, 1):
            yield number, line.rstrip("\n")


def is_remark(line: str) -> bool:
    """Tell whether a line holds no data: blank, a comment, or how a genome browser shall draw the file."""
    return not line.strip() or line.startswith("#") or line.split(maxsplit=1)[0] in ("track", "browser")


def whole_number(text: str) -> int | None:
    """Return what a text of digits says; None for any other text, and for more than any genome has bases."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def read_table(path: Path, what: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a tab-separated table as text; its index holds the numbers of the lines.

    Parameters
    ----------
    path
        As in `text_lines`.
    what
        The file holds, for errors.
    columns
        Names to use where the first line is no header, which begins with the first of them or with ``#``;
        none if there always is a header.

    Raises
    ------
    DataError
        If a line has another number of columns than the first.
    """
    lines = [
        (number, [cell.strip() for cell in line.split("\t")])
        for number, line in text_lines(path)
        if line.strip()
    ]
    while len(lines) > 1 and lines[0][1][0].startswith("#") and len(lines[0][1]) < len(lines[1][1]):
        # a comment above the header
        del lines[0]
    if lines and (not columns or lines[0][1][0].lstrip("#").strip() in ("", columns[0], "chrom")):
        first = lines.pop(0)[1]
        columns = columns or [first[0].lstrip("# "), *first[1:]]
    rows = [(number, cells) for number, cells in lines if not is_remark(cells[0])]
    for number, cells in rows:
        if len(cells) != len(columns):
            raise DataError(
                f"{what} {path}, line {number}: {len(cells)} of the columns {', '.join(columns)}: give all, "
                "separated by tabs"
            )
    return pd.DataFrame(
        [cells for _, cells in rows], index=[number for number, _ in rows], columns=list(columns), dtype=str
    )
