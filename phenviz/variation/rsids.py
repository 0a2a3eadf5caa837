"""Where an rsID lies, looked up in a file of variants."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from phenviz.data.cache import cache_dir, write_whole
from phenviz.errors import DataError
from phenviz.variation.broken_vcf import UNPACKING, byte_lines, is_text_vcf, text_of
from phenviz.variation.sources import open_source

Place = tuple[str, int, str, str]
_RSID = re.compile(r"rs\d+", re.IGNORECASE)


def find_rsid(path: str | os.PathLike[str], rsid: str) -> Place | None:
    """Return where a variant with this id lies.

    The first look-up reads the file's ids once and keeps them in the cache; later ones are instant.

    Parameters
    ----------
    path
        VCF, BCF, PLINK 2 ``.pgen`` or VCF Zarr store.
    rsid
        ``rs6116042``, in any case.

    Returns
    -------
    tuple of str, int, str, str, or None
        Contig as in the file, 0-based position, reference and alternate alleles; None if the file
        has no such id.

    Raises
    ------
    DataError
        If the file is missing or can't be read.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} is missing: give the path of a VCF file")
    stat = path.stat()
    return _places(path.resolve(), stat.st_size, stat.st_mtime_ns).get(rsid.strip().lower())


def resolve_rsids(text: str, known: Iterable[str | os.PathLike[str]]) -> str:
    """Return pasted lines with each rsID replaced by where it lies.

    Parameters
    ----------
    text
        Lines for `phenviz.variation.parse_variants`; some may be an rsID alone.
    known
        Files of variants that are looked at, in this order.

    Raises
    ------
    DataError
        Names the rsIDs that none of the files has.
    """
    paths, lines, unknown = list(known), [], []
    for line in text.splitlines():
        if not _RSID.fullmatch(line.strip()):
            lines.append(line)
            continue
        places = (find_rsid(path, line) for path in paths)
        place = next((found for found in places if found is not None), None)
        if place is None:
            unknown.append(line.strip())
        else:
            contig, start, ref, alt = place
            lines.append(f"{contig}\t{start + 1}\t{line.strip().lower()}\t{ref}\t{alt}")
    if unknown:
        raise DataError(
            f"this world doesn't know {', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}: "
            "give position and alleles instead, written like 20:1000000:G:A"
        )
    return "\n".join(lines)


@lru_cache(maxsize=8)
def _places(path: Path, size: int, modified: int) -> dict[str, Place]:
    # size and time are arguments so that a VCF that was replaced is read again
    identity = hashlib.sha256(f"{path}|{size}|{modified}".encode()).hexdigest()[:16]
    cached = cache_dir("rsids") / f"{identity}.json.gz"
    try:
        rows = json.loads(gzip.decompress(cached.read_bytes()))
    except (OSError, EOFError, ValueError):
        rows = _text_ids(path) if is_text_vcf(path) else _ids_of_records(path)
        write_whole(cached, gzip.compress(json.dumps(rows).encode()))
    return {rsid: (contig, start, reference, alternate) for rsid, contig, start, reference, alternate in rows}


def _ids_of_records(path: Path) -> list[tuple[str, str, int, str, str]]:
    return [
        (name.lower(), records.contig[row], int(records.position[row]) - 1, records.reference[row], first)
        for records in open_source(path).records(None, None, 50_000)
        for row in range(len(records))
        for name in records.ids[row].split(";")
        for first in [",".join(records.alternates[row])]
        if name
    ]


def _text_ids(path: Path) -> list[tuple[str, str, int, str, str]]:
    rows = []
    try:
        # the first columns alone: records needn't be taken apart
        for number, line in enumerate(byte_lines(path), 1):
            if not line.startswith(b"#") and line.strip():
                rows.extend(_ids_of(line, path, number))
    except UNPACKING as error:
        raise DataError(f"{path} can't be read as a VCF ({error}): give a plain or bgzip VCF") from error
    return rows


def _ids_of(line: bytes, path: Path, number: int) -> list[tuple[str, str, int, str, str]]:
    fields = [text_of(field) for field in line.split(b"\t", 5)[:5]]
    if len(fields) < 5 or not fields[1].isdigit():
        raise DataError(f"{path}, line {number}: no VCF record (CHROM, POS, ID, REF, ALT expected)")
    contig, position, ids, reference, alternate = (field.strip() for field in fields[:5])
    return [
        (rsid.lower(), contig, int(position) - 1, reference, alternate)
        for rsid in ids.split(";")
        if rsid not in (".", "")
    ]
