"""Edits of a contig."""

from __future__ import annotations

from typing import NamedTuple


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


def _shared(one: str, other: str) -> int:
    """Count the letters that both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
