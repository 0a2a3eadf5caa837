"""Open a file of variants, whatever its format."""

from __future__ import annotations

import os
from pathlib import Path

from phenviz.variation.records import Source

VCF_SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
SUFFIXES = VCF_SUFFIXES


def open_source(path: str | os.PathLike[str]) -> Source:
    """Open a VCF or BCF.

    Parameters
    ----------
    path
        What the file holds decides, not its name.

    Raises
    ------
    DataError
        If it is missing, damaged or of another kind.
    """
    from phenviz.variation.vcf import VcfSource

    return VcfSource(Path(path).expanduser())
