"""A VCF as lines of text, each byte as it is, to be written again."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from Bio.bgzf import BgzfWriter

from phenviz.errors import DataError
from phenviz.variation.htslib import quiet_pysam

VCF_SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz")
# text of the file as it is, whatever its encoding: each character is one byte
BYTES = "latin-1"


def whole_lines(path: Path) -> tuple[list[str], Iterator[str]]:
    """Return a VCF's or BCF's header, and its records, as lines of text that keep every byte.

    Returns
    -------
    tuple
        Lines of the header, the one with the columns last; lines of the records. Each ends with a newline,
        and each character is one byte (see `BYTES`).

    Raises
    ------
    DataError
        If the file is no VCF, or (BCF only) holds text that isn't UTF-8.
    """
    with path.open("rb") as raw:
        begin = raw.read(5)
    unzipped = begin
    if begin[:2] == b"\x1f\x8b":
        with gzip.open(path) as zipped:
            unzipped = zipped.read(5)
    texts = _bcf_lines(path) if unzipped[:3] == b"BCF" else _text_lines(path, zipped=begin[:2] == b"\x1f\x8b")
    header: list[str] = []
    for line in texts:
        header.append(line)
        if line.startswith("#CHROM"):
            return header, texts
    raise DataError(f"{path} has no line that begins with #CHROM: give a VCF")


def _text_lines(path: Path, *, zipped: bool) -> Iterator[str]:
    # lines end where a VCF's do, whatever else other software takes for the end of a line
    how = {"mode": "rt", "encoding": BYTES, "newline": "\n"}
    opened = gzip.open(path, **how) if zipped else open(path, **how)  # type: ignore[call-overload]
    with cast(IO[str], opened) as file:
        for line in file:
            if line.strip():
                yield line if line.endswith("\n") else f"{line}\n"


def _bcf_lines(path: Path) -> Iterator[str]:
    with quiet_pysam().VariantFile(str(path)) as opened:
        for line in str(opened.header).splitlines(keepends=True):
            yield line.encode().decode(BYTES)
        try:
            for record in opened:
                yield str(record).encode().decode(BYTES)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path} holds text that isn't UTF-8 ({error.reason}): write it as text first (bcftools view "
                "-Oz -o calls.vcf.gz), where every byte stays as it is"
            ) from error


@contextmanager
def vcf_writer(path: Path, *, zipped: bool) -> Iterator[IO[bytes]]:
    """Open a VCF for writing; zipped is bgzip, which tabix and bcftools can index."""
    with path.open("wb") as raw:
        if not zipped:
            yield raw
            return
        # Biopython's writer makes the blocks that tabix and bcftools want
        with BgzfWriter(fileobj=raw) as blocks:
            yield cast(IO[bytes], blocks)
