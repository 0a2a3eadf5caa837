"""Observed peaks: reading narrowPeak and BED files."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import pandas as pd

from phenviz.data.cache import cache_dir, write_whole
from phenviz.data.packs import find_pack, require_pack
from phenviz.errors import DataError
from phenviz.genome.locus import bare_contig

_SUFFIX = "_peaks.narrowPeak.gz"
_NO_PEAK = ("#", "track", "browser")


def read_narrowpeaks(pack: str, contig: str | None = None) -> pd.DataFrame:
    """Read the peaks of a data pack.

    The table is kept in the cache: reading sixteen genome-wide files takes seconds.

    Parameters
    ----------
    pack
        Name of a pack whose files are called ``<context>_peaks.narrowPeak.gz`` (``blood16-atac``).
    contig
        Keep this contig only; ``20`` and ``chr20`` are the same.

    Returns
    -------
    pd.DataFrame
        As `read_narrowpeak_files`.

    Raises
    ------
    PackMissing
        If the pack isn't here.
    DataError
        If it has no such files, or one can't be read.
    """
    paths = pack_peak_files(pack)
    content = "|".join(file.sha256 for file in find_pack(pack).files)
    identity = hashlib.sha256(f"{content}|{bare_contig(contig or 'all')}".encode()).hexdigest()[:16]
    return _cached(tuple(paths.items()), contig, identity).copy()


def pack_peak_files(pack: str) -> dict[str, Path]:
    """Name the peak file of each context of a data pack; raises as `read_narrowpeaks`."""
    names = [file.name for file in find_pack(pack).files if file.name.endswith(_SUFFIX)]
    if not names:
        raise DataError(f"data pack {pack} holds no peaks: give one with files *{_SUFFIX}")
    return {name.removesuffix(_SUFFIX): require_pack(pack, name) for name in names}


@lru_cache(maxsize=4)
def _cached(paths: tuple[tuple[str, Path], ...], contig: str | None, identity: str) -> pd.DataFrame:
    stored = cache_dir("peaks") / f"{identity}.parquet"
    try:
        return pd.read_parquet(stored)
    except (OSError, ValueError):
        table = read_narrowpeak_files(dict(paths), contig)
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_whole(stored, buffer.getvalue())
    return table


def read_narrowpeak_files(files: Mapping[str, Path], contig: str | None = None) -> pd.DataFrame:
    """Read files of peaks, one for each context.

    Parameters
    ----------
    files
        Context name -> peaks, plain or gzip: narrowPeak (10 columns), broadPeak (9), or another BED file of
        three or more columns, which tells where peaks are, and no signal.
    contig
        Keep this contig only; ``20`` and ``chr20`` are the same.

    Returns
    -------
    pd.DataFrame
        ``contig`` (without ``chr``), ``start``, ``end`` (0-based half-open), ``context``,
        ``fold_enrichment`` (column 7 of narrowPeak and broadPeak; 1 for every peak of a file without a
        signal), ``summit`` (0-based position: start plus column 10 of narrowPeak; the middle of the peak
        where none was called), by contig and start within each context.

    Raises
    ------
    DataError
        If a file is missing or holds no peaks; names the line.
    """
    columns = ["contig", "start", "end", "context", "fold_enrichment", "summit"]
    tables = [_read(Path(path), context, contig) for context, path in files.items()]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _read(path: Path, context: str, contig: str | None) -> pd.DataFrame:
    try:
        # what a file is shows in its first bytes, not in its name
        packed = path.read_bytes()
        text = (gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataError(
            f"{path} can't be read as narrowPeak or BED ({error}): {path.name} is no such file, or damaged"
        ) from error
    wanted = None if contig is None else bare_contig(contig)
    rows, bare, width = [], {}, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith(_NO_PEAK):
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        width = width or len(fields)
        if len(fields) != width:
            raise _wrong(path, number, f"has {len(fields)} columns, the lines before {width}")
        name = fields[0]
        if name not in bare:
            bare[name] = bare_contig(name)
        if wanted is None or bare[name] == wanted:
            rows.append((bare[name], *_peak(fields, path, number)))
    if not width:
        raise DataError(f"{path} holds no peaks: give a narrowPeak or BED file")
    table = pd.DataFrame(rows, columns=["contig", "start", "end", "fold_enrichment", "summit"])
    table = table.astype({"start": "int64", "end": "int64", "fold_enrichment": "float32", "summit": "int64"})
    return table.assign(context=context).sort_values(["contig", "start", "end"], ignore_index=True)


def _peak(fields: list[str], path: Path, number: int) -> tuple[int, int, float, int]:
    """Read start, end, signal and summit of one line."""
    try:
        start, end = int(fields[1]), int(fields[2])
        has_signal = len(fields) == 10 or (len(fields) == 9 and _is_broad_peak(fields, start, end))
        signal = float(fields[6]) if has_signal else 1.0
        offset = int(fields[9]) if len(fields) == 10 else -1
    except (IndexError, ValueError):
        raise _wrong(path, number, "holds no peak") from None
    if not 0 <= start < end:
        raise _wrong(path, number, f"has the start {start:,} and the end {end:,}")
    if not signal >= 0:
        raise _wrong(path, number, f"has the signal {fields[6]}")
    # -1: no summit was called
    if not -1 <= offset <= end - start:
        raise _wrong(path, number, f"has a summit {offset:,} bases into a peak of {end - start:,}")
    return start, end, signal, (start + end) // 2 if offset < 0 else start + offset


def _is_broad_peak(fields: list[str], start: int, end: int) -> bool:
    """Tell a line of broadPeak from one of BED9, whose seventh and eighth columns are positions to draw."""
    return "," not in fields[8] and not all(start <= float(field) <= end for field in fields[6:8])


def _wrong(path: Path, number: int, problem: str) -> DataError:
    return DataError(
        f"{path} can't be read as narrowPeak or BED (line {number} {problem}): {path.name} is no narrowPeak "
        "or BED file, or damaged; contig, start and end are needed, separated by tabs, and in narrowPeak (10 "
        "columns) also the fold enrichment in column 7 and the summit's offset in column 10 (-1 for none)"
    )
