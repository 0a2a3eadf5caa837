"""An interval of a contig, and how people write one."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from phenviz.errors import LocusError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_SUFFIX = {"": 1, "bp": 1, "k": 1_000, "kb": 1_000, "m": 1_000_000, "mb": 1_000_000}
_NUMBER = r"(\d[\d,_]*(?:\.\d+)?)\s*(bp|kb|mb|k|m)?"
_RANGE = re.compile(
    rf"^\s*(?P<contig>[^\s:]+)\s*[:\s]\s*{_NUMBER}\s*(?:-|\.\.|\s)\s*{_NUMBER}\s*(?::(?P<strand>[+-]))?\s*$",
    re.IGNORECASE,
)
# what texts that are pasted from papers and web pages have in place of a hyphen, a minus among them
_HYPHENS = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_POINT = re.compile(rf"^\s*(?P<contig>[^\s:]+)\s*:\s*{_NUMBER}\s*$", re.IGNORECASE)
_CONTIG = re.compile(r"(chr)?(\d{1,2}|X|Y|MT?)", re.IGNORECASE)
_CHROMOSOME = re.compile(r"\d{1,2}|X|Y")
_HUMAN = re.compile(r"(GRCh|hg)\d", re.IGNORECASE)
_RSID = re.compile(r"rs\d+", re.IGNORECASE)


def bare_contig(name: str) -> str:
    """Name of a contig without ``chr``: ``chr20`` and ``20`` are the same contig."""
    name = name.strip()
    return name[3:] if name.lower().startswith("chr") and len(name) > 3 else name


def same_contig(one: str, other: str) -> bool:
    """Tell whether two names mean the same contig, however files write them: ``chr20`` and ``20``."""
    return contig_key(one) == contig_key(other)


def contig_key(name: str) -> str:
    """Return what all names of a contig have in common: without ``chr``, in upper case."""
    return bare_contig(name).upper()


def on_contig(names: pd.Series, contig: str) -> NDArray[np.bool_]:
    """Tell which rows of a table's column of contigs mean one contig, (rows,)."""
    found = names.unique()
    return names.isin([name for name in found if same_contig(str(name), contig)]).to_numpy(bool)


def shown_contig(name: str) -> str:
    """Name of a contig on screen and in names of files: ``chr`` before numbers, X and Y, all else as it is.

    ``20`` becomes ``chr20``; ``chr20``, ``MT``, ``scaffold_12`` and ``KI270711.1`` stay.
    """
    return f"chr{name}" if _CHROMOSOME.fullmatch(name) else name


def exported_contig(name: str, assembly: str) -> str:
    """Name of a contig in files for other programs: the FASTA's own.

    The chromosomes of the human assemblies are the exception: genome browsers know those by UCSC's names,
    so that ``20`` of GRCh37 becomes ``chr20``. (Its ``MT`` stays: UCSC's ``chrM`` is another sequence.)
    """
    human = _HUMAN.match(assembly) is not None and _CHROMOSOME.fullmatch(name) is not None
    return f"chr{name}" if human else name


def is_contig_name(text: str) -> bool:
    """Tell whether a text can only mean a contig (``chrX``, ``21``), be it there or not."""
    return _CONTIG.fullmatch(text.strip()) is not None


def is_rsid(text: str) -> bool:
    """Tell whether a text is an rsID (``rs6116042``), in any case."""
    return _RSID.fullmatch(text.strip()) is not None


def _whole(name: str, position: object) -> int:
    try:
        # numpy's integers, as tables hold them, become plain ones
        return operator.index(position)  # type: ignore[arg-type]
    except TypeError:
        raise LocusError(f"{name} {position!r} of a locus is no whole number of bases: give an int") from None


@dataclass(frozen=True, slots=True)
class Locus:
    """Contig, start, end and strand.

    Parameters
    ----------
    contig
        Name as in the reference sequence (``20``); ``chr20`` names the same contig.
    start, end
        0-based, half-open, in bases. ``start < end``.
    strand
        ``+``, ``-`` or ``.`` (either).

    Raises
    ------
    LocusError
        If start or end are no positions, or the locus holds no base.
    """

    contig: str
    start: int
    end: int
    strand: str = "."

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            object.__setattr__(self, name, _whole(name, getattr(self, name)))
        if self.strand not in ("+", "-", "."):
            raise LocusError(f"strand {self.strand!r} of a locus: give '+', '-' or '.'")
        if self.start < 0:
            raise LocusError(f"{self._text()} starts before the first base: positions count from 1")
        if self.start > self.end:
            raise LocusError(f"{self._text()} is reversed: give the smaller position first")
        if self.start == self.end:
            raise LocusError(f"{self._text()} is empty: give at least one base")

    @property
    def length(self) -> int:
        """Number of bases."""
        return self.end - self.start

    @property
    def centre(self) -> int:
        """0-based middle position."""
        return (self.start + self.end) // 2

    @classmethod
    def parse(cls, text: str) -> Locus:
        """Read a locus as people write it, 1-based inclusive.

        Parameters
        ----------
        text
            ``chr20:1,000-2,000``, ``20:42.9M-43M``, ``chr20:34-35M`` (a unit given once holds for both
            ends, unless the first number is the larger one: ``20:500-2k``), ``chr20 100 200``, ``20:100``
            (one base), each with or without ``chr``, thousands separators and a strand ``:+``.

        Raises
        ------
        LocusError
            If the text is no locus, or may mean two (``20:1-2M``).
        """
        plain = text.translate(_HYPHENS)
        if match := _RANGE.match(plain):
            contig, first, first_unit, last, last_unit, strand = match.groups()
            first_unit = first_unit or _shared_unit(first, last, last_unit, text)
            start, end = _position(first, first_unit, text), _position(last, last_unit, text)
        elif match := _POINT.match(plain):
            contig, first, first_unit = match.groups()
            start = end = _position(first, first_unit, text)
            strand = None
        else:
            raise LocusError(
                f"can't read {text.strip()!r} as a locus: write chr20:1,000-2,000, 20:42.9M-43M, "
                "chr20 100 200 or a gene name"
            )
        if start < 1:
            raise LocusError(f"{text.strip()!r} starts at {start}: positions on screen count from 1")
        if end < start:
            raise LocusError(f"{text.strip()!r} is reversed: give the smaller position first")
        return cls(bare_contig(contig), start - 1, end, strand or ".")

    def widened(self, flank: int) -> Locus:
        """Return the locus with ``flank`` bases more on each side, cut at position 0 only."""
        return replace(self, start=max(self.start - flank, 0), end=self.end + flank)

    def overlaps(self, other: Locus) -> bool:
        """Tell whether both share a base."""
        same = same_contig(self.contig, other.contig)
        return same and self.start < other.end and other.start < self.end

    def _text(self) -> str:
        return f"{shown_contig(self.contig)}:{self.start + 1:,}-{self.end:,}"

    def __str__(self) -> str:
        """Write the locus as on the screen: 1-based inclusive, ``chr20:1,001-2,000``."""
        return self._text()


def file_stem(locus: Locus) -> str:
    """Name a file after a locus: ``chr20_1600001-1601000``."""
    return f"{shown_contig(locus.contig)}_{locus.start + 1}-{locus.end}"


def _shared_unit(first: str, last: str, unit: str | None, text: str) -> str | None:
    """Return the unit of a first number that has none, from that of the last one."""
    if _SUFFIX[(unit or "").lower()] == 1 or ("." not in first and _number(first) > _number(last)):
        return None
    if first == "1":
        raise LocusError(
            f"{text.strip()!r} may begin at the first base or at 1{unit}: write 1bp-{last}{unit} or "
            f"1{unit}-{last}{unit}"
        )
    return unit


def _number(digits: str) -> float:
    return float(digits.replace(",", "").replace("_", ""))


def _position(number: str, unit: str | None, text: str) -> int:
    scale = _SUFFIX[(unit or "").lower()]
    value = _number(number) * scale
    if abs(value - round(value)) > 1e-6:
        raise LocusError(f"{text.strip()!r} holds a fraction of a base: positions are whole numbers")
    return round(value)
