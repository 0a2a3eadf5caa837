"""Observed peaks: reading narrowPeak files."""

from __future__ import annotations

import hashlib
import io
import logging
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.data.cache import cache_dir, write_whole
from phenviz.data.packs import find_pack, require_pack
from phenviz.errors import DataError
from phenviz.genome.locus import bare_contig
from phenviz.genome.text_lines import is_remark, text_lines, whole_number

_SUFFIX = "_peaks.narrowPeak.gz"
_COLUMNS = 10
_LARGEST = float(np.finfo(np.float32).max)

logger = logging.getLogger(__name__)


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
    """Read narrowPeak files, one for each context.

    Parameters
    ----------
    files
        Context name -> narrowPeak file (MACS2; plain or gzip).
    contig
        Keep this contig only; ``20`` and ``chr20`` are the same.

    Returns
    -------
    pd.DataFrame
        ``contig`` (without ``chr``), ``start``, ``end`` (0-based half-open), ``context``,
        ``fold_enrichment`` (column 7), ``summit`` (0-based position: start plus column 10, the middle of
        the peak where that is -1), by contig and start within each context.

    Raises
    ------
    DataError
        If a file is missing or is no narrowPeak file; a line that makes no sense is named.
    """
    columns = ["contig", "start", "end", "context", "fold_enrichment", "summit"]
    tables = [_read(Path(path), context, contig) for context, path in files.items()]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _read(path: Path, context: str, contig: str | None) -> pd.DataFrame:
    wanted = None if contig is None else bare_contig(contig)
    bare: dict[str, str] = {}
    rows: list[tuple[str, int, int, float, int]] = []
    pointless = 0
    try:
        for number, line in text_lines(path):
            if is_remark(line):
                continue
            cells = line.split("\t")
            if len(cells) < _COLUMNS:
                raise _unreadable(path, f"line {number} has {len(cells)} of {_COLUMNS} columns")
            name = bare.setdefault(cells[0], bare_contig(cells[0]))
            if wanted in (None, name):
                start, end, fold, offset = _peak(path, number, cells)
                pointless += offset < 0
                # narrowPeak's -1 says that no summit was called
                rows.append((name, start, end, fold, (start + end) // 2 if offset < 0 else start + offset))
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, str(error)) from error
    if not bare:
        raise _unreadable(path, "it holds no peak")
    if not rows:
        logger.warning("%s has no peaks on %s: its contigs are %s", path.name, contig, _some(list(bare)))
    if pointless:
        logger.warning(
            "%s: %s of %s peaks have no summit: the middle counts as theirs", path.name, pointless, len(rows)
        )
    table = pd.DataFrame(rows, columns=["contig", "start", "end", "fold_enrichment", "summit"])
    table = table.astype({"contig": str, "start": "int64", "end": "int64", "summit": "int64"})
    table = table.assign(context=context, fold_enrichment=table["fold_enrichment"].astype("float32"))
    return table.sort_values(["contig", "start", "end"], ignore_index=True, kind="stable")


def _peak(path: Path, number: int, cells: list[str]) -> tuple[int, int, float, int]:
    """Return start, end, fold enrichment and offset of the summit, which is -1 where there is none."""
    start, end, fold, offset = (cells[column].strip() for column in (1, 2, 6, 9))
    first, last = whole_number(start), whole_number(end)
    if first is None or last is None or first >= last:
        raise _unreadable(path, f"line {number}: start {start} and end {end} are no stretch of bases")
    point = -1 if offset == "-1" else whole_number(offset)
    if point is None or point >= last - first:
        raise _unreadable(path, f"line {number}: the summit's offset {offset} isn't inside of the peak")
    try:
        enrichment = float(fold)
    except ValueError:
        enrichment = np.inf
    if not abs(enrichment) <= _LARGEST:
        raise _unreadable(path, f"line {number}: the fold enrichment {fold!r} is no number")
    return first, last, enrichment, point


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} can't be read as narrowPeak: {why}: give a whole file of {_COLUMNS} columns separated by "
        "tabs: start and end (from 0) are the second and third, the fold enrichment the seventh and the "
        "offset of the summit the tenth"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
