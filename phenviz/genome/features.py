"""Lines of GTF and GFF3: a feature's place, and the attributes in its last column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from phenviz.errors import DataError
from phenviz.genome.text_lines import is_remark, text_lines, whole_number

Attributes = dict[str, list[str]]

# a quoted value ends at a quote with a semicolon or nothing behind it, since texts hold both
_GTF_ATTRIBUTE = re.compile(r'([^\s;"]+)\s+(?:"(.*?)"|([^;\s][^;]*?))\s*(?:;|$)')
_COLUMNS = 9


class AnnotationLine(NamedTuple):
    """One line: 0-based half-open, with the text of its attributes.

    Parameters
    ----------
    number
        Of the line in its file.
    kind
        ``exon``, ``gene``, ...
    strand
        ``+``, ``-`` or ``.``.
    """

    number: int
    contig: str
    kind: str
    start: int
    end: int
    strand: str
    attributes: str


def read_features(path: Path) -> Iterator[AnnotationLine]:
    """Yield the features of a GTF or GFF3.

    Raises
    ------
    DataError
        If a line isn't one of such a file, or holds no positions.
    """
    for number, line in text_lines(path):
        if line.startswith(("##FASTA", ">")):
            # sequences may follow in the same file
            return
        if is_remark(line):
            continue
        columns = line.split("\t")
        if len(columns) < _COLUMNS or any(columns[_COLUMNS:]):
            raise DataError(
                f"annotation {path}, line {number}: {len(columns)} column{'s' * (len(columns) != 1)}, where "
                f"GTF and GFF3 have {_COLUMNS}, separated by tabs: give a whole file"
            )
        start, end = interval(f"annotation {path}", number, columns[3], columns[4], first_base=1)
        strand = columns[6] if columns[6] in ("+", "-") else "."
        yield AnnotationLine(number, columns[0], columns[2], start, end, strand, columns[8])


def interval(file: str, number: int, start: str, end: str, *, first_base: int = 0) -> tuple[int, int]:
    """Return the positions of a line, 0-based half-open.

    Parameters
    ----------
    file
        What it holds, and its path.
    number
        Of the line, in the file.
    start, end
        As the file has them.
    first_base
        0 or 1, the number of a contig's first base in this format.

    Raises
    ------
    DataError
        If they are no whole numbers, or the end comes before the start.
    """
    first, last = whole_number(start), whole_number(end)
    if first is None or last is None or not first_base <= first < last + first_base:
        raise DataError(
            f"{file}, line {number}: start {start} and end {end} are no interval: give whole numbers "
            f"from {first_base} on, the smaller one first"
        )
    return first - first_base, last


def holds_gtf_attributes(path: Path, otherwise: bool) -> bool:
    """Tell by its first feature whether a file holds GTF's attributes (``key "value"``), not GFF3's."""
    for feature in read_features(path):
        if re.match(r'\s*[^\s="]+\s+"', feature.attributes):
            return True
        if re.match(r'\s*[^\s="]+=', feature.attributes):
            return False
    return otherwise


def gtf_attributes(text: str) -> Iterator[tuple[str, str]]:
    """Yield the key and the value of each ``key "value";``, whose quotes may hold semicolons."""
    for match in _GTF_ATTRIBUTE.finditer(text):
        key, quoted, bare = match.groups()
        yield key, quoted or bare or ""


def gff3_attributes(text: str) -> Attributes:
    """Read ``key=value,value;`` pairs, whose values are escaped as in addresses (``%3B``)."""
    found: Attributes = {}
    for pair in text.split(";"):
        key, sign, values = pair.partition("=")
        if sign:
            found.setdefault(unquote(key.strip()), []).extend(map(unquote, values.strip().split(",")))
    return found


def first_of(attributes: Attributes, keys: Iterable[str]) -> str:
    """Return the first value of the first of these keys that has one; empty text if none has."""
    return next((value for key in keys for value in attributes.get(key, ()) if value), "")
