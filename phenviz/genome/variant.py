"""Variants, as people write them and as edits of a contig."""

from __future__ import annotations

import re
from typing import NamedTuple

from phenviz.errors import DataError
from phenviz.genome.locus import Locus, bare_contig

_POSITION = r"(?P<position>\d[\d,_]*)"
_ALLELES = r"(?P<ref>[A-Za-z]+)\s*(?:[:\-_/>|\s]|->)\s*(?P<alt>[A-Za-z]+(?:,[A-Za-z]+)*)"
_WRITTEN = re.compile(rf"^(?P<contig>[^\s:\-]+)\s*[:\-\s_]\s*(?:g\.)?{_POSITION}\s*[:\-\s_]?\s*{_ALLELES}$")
_VCF_LINE = re.compile(
    r"^(?P<contig>\S+)\t(?P<position>\d+)\t(?P<id>\S+)\t(?P<ref>[A-Za-z]+)"
    r"\t(?P<alt>[A-Za-z]+(?:,[A-Za-z]+)*)(?=\s|$)"
)
WANTED = "write 20:1600925:G:A, chr20-1600925-G-A, chr20:1,600,925 G>A or the first columns of a VCF"


class Edit(NamedTuple):
    """Bases of a contig and what stands in their place.

    Parameters
    ----------
    start
        0-based first base of ``ref``.
    ref, alt
        What is replaced, and by what; either may be empty.
    """

    start: int
    ref: str
    alt: str

    @property
    def end(self) -> int:
        """0-based exclusive end of what is replaced."""
        return self.start + len(self.ref)

    def trimmed(self) -> Edit:
        """Leave out what both alleles share, first at their end: one edit, however it was written."""
        end = _shared(self.ref[::-1], self.alt[::-1])
        ref, alt = self.ref[: len(self.ref) - end], self.alt[: len(self.alt) - end]
        shared = _shared(ref, alt)
        return Edit(self.start + shared, ref[shared:], alt[shared:])

    def trimmed_from_start(self) -> Edit:
        """Leave out what both alleles share, first at their beginning."""
        shared = _shared(self.ref, self.alt)
        ref, alt = self.ref[shared:], self.alt[shared:]
        end = _shared(ref[::-1], alt[::-1])
        return Edit(self.start + shared, ref[: len(ref) - end], alt[: len(alt) - end])


class Variant(NamedTuple):
    """One alternate allele at one place.

    Parameters
    ----------
    contig
        Name as in the reference, or without ``chr``.
    position
        First base of ``ref``, counted from 1.
    ref, alt
        Alleles.
    """

    contig: str
    position: int
    ref: str
    alt: str

    @property
    def key(self) -> str:
        """The variant as addresses and tables name it, ``20:1600925:G:A``."""
        return f"{bare_contig(str(self.contig))}:{self.position}:{self.ref}:{self.alt}"

    @classmethod
    def of_key(cls, key: str) -> Variant:
        """Read a key.

        Raises
        ------
        DataError
            If the text is none.
        """
        contig, *rest = key.rsplit(":", 3)
        if len(rest) != 3 or not rest[0].isdigit():
            raise DataError(f"{key!r} is no variant: {WANTED}")
        return cls(contig, int(rest[0]), *rest[1:])

    @property
    def edit(self) -> Edit:
        """What the variant changes, its alleles as they are."""
        return Edit(self.position - 1, self.ref, self.alt)

    @property
    def locus(self) -> Locus:
        """Bases of ``ref``."""
        return Locus(self.contig, self.edit.start, self.edit.end)


def read_variants(text: str) -> tuple[list[Variant], str]:
    """Read a line as people write variants: one for each alternate allele, and the line's id ("" for none).

    Parameters
    ----------
    text
        ``20:1600925:G:A``, ``chr20-1600925-G-A``, ``chr20_1600925_G_A``, ``chr20:1,600,925 G>A``,
        ``chr20:1600925G>A``, ``20 1600925 G A``, or CHROM, POS, ID, REF, ALT of a VCF, separated by tabs.

    Raises
    ------
    DataError
        If the text is no variant.
    """
    match = _VCF_LINE.match(text) or _WRITTEN.match(text.strip())
    if match is None:
        raise DataError(f"can't read {text.strip()[:80]!r} as a variant: {WANTED}")
    parts = match.groupdict()
    position = int(parts["position"].replace(",", "").replace("_", ""))
    if position < 1:
        raise DataError(f"{text.strip()[:80]!r} lies at {position}: positions count from 1")
    contig, ref, name = bare_contig(parts["contig"]), parts["ref"].upper(), parts.get("id", ".")
    variants = [Variant(contig, position, ref, alt) for alt in parts["alt"].upper().split(",")]
    return variants, "" if name == "." else name


def is_written_variant(text: str) -> bool:
    """Tell whether a text is written like a variant, in one of the forms that `read_variants` takes."""
    return (_VCF_LINE.match(text) or _WRITTEN.match(text.strip())) is not None


def _shared(one: str, other: str) -> int:
    """Count the letters that both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
