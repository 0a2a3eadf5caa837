"""Where an rsID lies, looked up in a file of variants."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from phenviz.data.cache import cache_dir, write_whole
from phenviz.errors import DataError
from phenviz.genome import ReferenceGenome
from phenviz.variation.broken_vcf import UNPACKING, byte_lines, is_text_vcf, text_of
from phenviz.variation.normalise import sort_variants, unusable
from phenviz.variation.parse import MOST_LINES, read_each, table_of_lines, written_lines
from phenviz.variation.report import Tally, counted
from phenviz.variation.sources import open_source
from phenviz.variation.table import VARIANT_COLUMNS, VariantSet

Place = tuple[str, int, str, str]
_SHORT = 60
_NAMED = 5
_RSID = re.compile(r"rs\d+", re.IGNORECASE)
_RSIDS = re.compile(r"rs\d+(?:[\s,]+rs\d+)*,?", re.IGNORECASE)


def find_rsid(path: str | os.PathLike[str], rsid: str) -> Place | None:
    """Return where a variant with this id lies, the first of them; see `find_places`.

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
    return next(iter(find_places(path, rsid)), None)


def find_places(path: str | os.PathLike[str], rsid: str) -> list[Place]:
    """Return all records with this id, in the order of the file: one rsID may stand on several.

    Parameters and errors are those of `find_rsid`.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} is missing: give the path of a VCF file")
    stat = path.stat()
    return _places(path.resolve(), stat.st_size, stat.st_mtime_ns).get(rsid.strip().lower(), [])


def read_pasted(text: str, known: Iterable[str | os.PathLike[str]], reference: ReferenceGenome) -> VariantSet:
    """Read pasted lines, variants or rsIDs, into the form of all tables.

    Parameters
    ----------
    text
        Lines for `phenviz.variation.parse_variants`; some may be an rsID alone, which stands for every
        alternate allele of every record that has it.
    known
        Files of variants in which rsIDs are looked up, in this order.
    reference
        The genome that the variants are described against.

    Returns
    -------
    VariantSet
        Normalised and sorted, each once; the report counts alleles of rsIDs that are no sequence (``*``).

    Raises
    ------
    DataError
        Names the rsIDs that none of the files has, or the line that is no variant.
    """
    tally = Tally(_shortened(text))
    known, lines = list(known), []
    written = [
        (number, line, _RSID.fullmatch(line.strip()) is not None) for number, line in written_lines(text)
    ]
    # names all that are unknown at once
    resolve_rsids("\n".join(line for _, line, is_rsid in written if is_rsid), known)
    for number, line, is_rsid in written:
        lines += [(number, one) for one in (_usable(line, known, tally) if is_rsid else [line])]
    if not lines and (left_out := tally.report().left_out()):
        raise DataError(f"{tally.source} stands for no allele that can be scored: {'; '.join(left_out)}")
    table = table_of_lines(lines, reference)
    tally.read, tally.kept = len(lines), len(table)
    return VariantSet(table, tally.report())


def read_pasted_lines(
    text: str, known: Iterable[str | os.PathLike[str]], reference: ReferenceGenome
) -> tuple[VariantSet, list[str]]:
    """Read of pasted lines all that can be read, however many others can't.

    Parameters
    ----------
    text, known, reference
        As in `read_pasted`; a line may hold several rsIDs, separated by blanks or commas.

    Returns
    -------
    VariantSet
        As `read_pasted` returns it.
    list[str]
        Of each line that is left out its number, what it says, and why; then how many variants were repeated.

    Raises
    ------
    DataError
        If no line can be read: names the first few.
    """
    tally = Tally(_shortened(text))
    known, lines, refused = list(known), [], []
    shown = dict(written_lines(text))
    if len(shown) > MOST_LINES:
        raise DataError(f"{len(shown):,} pasted lines are too many: put them into a VCF file")
    for number, line in shown.items():
        if not _RSIDS.fullmatch(line.strip()):
            lines.append((number, line))
            continue
        for rsid in _RSID.findall(line):
            try:
                lines += [(number, one) for one in _usable(rsid, known, tally)]
            except DataError as error:
                refused.append((number, str(error)))
    table, wrong = read_each(lines, reference)
    said = [f"line {number} ({_cut(shown[number])}): {why}" for number, why in sorted([*refused, *wrong])]
    if table.empty:
        found = said or tally.report().left_out() or ["nothing was pasted"]
        more = f"; and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
        raise DataError("; ".join(found[:_NAMED]) + more)
    again = table.duplicated(["contig", "position", "ref", "alt"])
    if again.any():
        said.append(f"{counted(int(again.sum()), 'variant')} written again, counted once")
    kept = table.loc[~again, VARIANT_COLUMNS].reset_index(drop=True)
    tally.read, tally.kept = len(lines), len(kept)
    return VariantSet(sort_variants(kept, reference), tally.report()), said


def _cut(line: str) -> str:
    plain = " ".join(line.split())
    return plain if len(plain) <= _SHORT else f"{plain[:_SHORT]}..."


def _usable(rsid: str, known: Iterable[str | os.PathLike[str]], tally: Tally) -> Iterator[str]:
    for line in resolve_rsids(rsid, known).splitlines():
        contig, position, name, ref, alternates = line.split("\t")
        kept = []
        for alternate in alternates.split(","):
            reason = "no_alternate" if alternate == "." else unusable(ref.upper(), alternate.upper())
            if reason is None:
                kept.append(alternate)
            else:
                tally.skip(reason, f"{name}, {contig}:{position} {ref}>{alternates}")
        if kept:
            yield "\t".join([contig, position, name, ref, ",".join(kept)])


def _shortened(text: str) -> str:
    first = (text.strip().splitlines() or [""])[0].strip()
    return first if len(first) < _SHORT else f"{first[:_SHORT]} ..."


def resolve_rsids(text: str, known: Iterable[str | os.PathLike[str]]) -> str:
    """Return pasted lines with each rsID replaced by the records that have it.

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
        found = ((path, find_rsid(path, line)) for path in paths)
        path, first = next((one for one in found if one[1] is not None), (None, None))
        if path is None or first is None:
            unknown.append(line.strip())
            continue
        for contig, start, ref, alt in (first, *find_places(path, line)[1:]):
            lines.append(f"{contig}\t{start + 1}\t{line.strip().lower()}\t{ref}\t{alt}")
    if unknown:
        raise DataError(
            f"this world doesn't know {', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}: "
            "give position and alleles instead, written like 20:1000000:G:A"
        )
    return "\n".join(lines)


@lru_cache(maxsize=8)
def _places(path: Path, size: int, modified: int) -> dict[str, list[Place]]:
    # size and time are arguments so that a VCF that was replaced is read again
    identity = hashlib.sha256(f"{path}|{size}|{modified}".encode()).hexdigest()[:16]
    cached = cache_dir("rsids") / f"{identity}.json.gz"
    try:
        rows = json.loads(gzip.decompress(cached.read_bytes()))
    except (OSError, EOFError, ValueError):
        rows = _text_ids(path) if is_text_vcf(path) else _ids_of_records(path)
        write_whole(cached, gzip.compress(json.dumps(rows).encode()))
    places: dict[str, list[Place]] = {}
    for rsid, contig, start, reference, alternate in rows:
        places.setdefault(rsid, []).append((contig, start, reference, alternate))
    return places


def _ids_of_records(path: Path) -> list[tuple[str, str, int, str, str]]:
    return [
        (name.lower(), records.contig[row], int(records.position[row]) - 1, records.reference[row], first)
        for records in open_source(path).records(None, None, 50_000)
        for row in range(len(records))
        for name in records.ids[row].split(";")
        for first in [",".join(records.alternates[row]) or "."]
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
