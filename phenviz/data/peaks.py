"""Observed peaks: reading narrowPeak and BED files."""

from __future__ import annotations

import hashlib
import io
import logging
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.data.cache import cache_dir, write_whole
from phenviz.data.packs import find_pack, require_pack
from phenviz.errors import DataError
from phenviz.genome.locus import bare_contig
from phenviz.genome.text_lines import is_remark, text_lines, whole_number

# columns of the two formats that have a signal
_NARROW, _BROAD = 10, 9
_ROW = ["contig", "start", "end", "fold_enrichment", "summit", "name", "measured"]
_LARGEST = float(np.finfo(np.float32).max)

logger = logging.getLogger(__name__)


def read_narrowpeaks(packs: Iterable[str], contig: str | None = None) -> pd.DataFrame:
    """Read the peaks of data packs.

    The table is kept in the cache: reading some twenty genome-wide files takes seconds.

    Parameters
    ----------
    packs
        Names of packs whose manifests say whose peaks a file holds (``blood16-atac``).
    contig
        Keep this contig only; ``20`` and ``chr20`` are the same.

    Returns
    -------
    pd.DataFrame
        As `read_narrowpeak_files`.

    Raises
    ------
    PackMissing
        If one isn't here.
    DataError
        If it has no such files, or one can't be read.
    """
    packs = tuple(packs)
    paths = pack_peak_files(packs)
    content = "|".join(f"{file.context}:{file.sha256}" for pack in packs for file in find_pack(pack).files)
    identity = hashlib.sha256(f"{content}|{bare_contig(contig or 'all')}".encode()).hexdigest()[:16]
    return _cached(tuple(paths.items()), contig, identity).copy()


def pack_peak_files(packs: Iterable[str]) -> dict[str, Path]:
    """Name the peak file of each context of data packs; raises as `read_narrowpeaks`."""
    found: dict[str, Path] = {}
    for pack in packs:
        files = {file.context: file.name for file in find_pack(pack).files if file.context}
        if not files:
            raise DataError(f"data pack {pack} holds no peaks: `phenviz data list` says what each holds")
        found |= {context: require_pack(pack, name) for context, name in files.items()}
    return found


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
        If a file is missing or holds no peaks; a line that makes no sense is named.
    """
    columns = ["contig", "start", "end", "context", "fold_enrichment", "summit"]
    tables = [_read(Path(path), context, contig) for context, path in files.items()]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def read_intervals(path: Path, most: int) -> pd.DataFrame:
    """Read one file of peaks or other intervals, with their names.

    Parameters
    ----------
    path
        As in `read_narrowpeak_files`.
    most
        Intervals that are read; a file with more is refused.

    Returns
    -------
    pd.DataFrame
        Columns contig (without ``chr``), start, end (0-based half-open), name ("" where the file gives
        none), fold_enrichment (NaN where it has no signal), by contig and start.

    Raises
    ------
    DataError
        As `read_narrowpeak_files`.
    """
    table = _read(path, "", None, most)
    signal = table["fold_enrichment"].where(table.pop("measured"))
    return table.assign(fold_enrichment=signal)[["contig", "start", "end", "name", "fold_enrichment"]]


def _read(path: Path, context: str, contig: str | None, most: int | None = None) -> pd.DataFrame:
    wanted = None if contig is None else bare_contig(contig)
    bare: dict[str, str] = {}
    rows: list[tuple[str, int, int, float, int, str, bool]] = []
    pointless = 0
    width = 0
    try:
        for number, line in text_lines(path):
            if is_remark(line):
                continue
            cells = line.split("\t") if "\t" in line else line.split()
            width = width or len(cells)
            if len(cells) != width:
                raise _unreadable(path, f"line {number} has {len(cells)} columns, the lines before {width}")
            name = bare.setdefault(cells[0], bare_contig(cells[0]))
            if wanted in (None, name):
                start, end, signal, offset, measured = _peak(path, number, cells)
                pointless += offset < 0 and width == _NARROW
                # narrowPeak's -1 says that no summit was called
                summit = (start + end) // 2 if offset < 0 else start + offset
                title = cells[3].strip() if len(cells) > 3 else ""
                rows.append((name, start, end, signal, summit, "" if title == "." else title, measured))
                if most is not None and len(rows) > most:
                    raise _unreadable(
                        path, f"it holds more than {most:,} intervals, which is too many to draw"
                    )
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
    table = pd.DataFrame(rows, columns=_ROW)
    table = table.astype({"contig": str, "start": "int64", "end": "int64", "summit": "int64"})
    table = table.assign(context=context, fold_enrichment=table["fold_enrichment"].astype("float32"))
    return table.sort_values(["contig", "start", "end"], ignore_index=True, kind="stable")


def _peak(path: Path, number: int, cells: list[str]) -> tuple[int, int, float, int, bool]:
    """Return start, end, signal (1 where there is none), offset of the summit (-1 for none), if measured."""
    if len(cells) < 3:
        raise _unreadable(path, f"line {number} has {len(cells)} columns of three or more")
    start, end = cells[1].strip(), cells[2].strip()
    first, last = whole_number(start), whole_number(end)
    if first is None or last is None or first >= last:
        raise _unreadable(path, f"line {number}: start {start} and end {end} are no interval")
    point, signal = -1, 1.0
    if len(cells) == _NARROW:
        offset = cells[9].strip()
        given = -1 if offset == "-1" else whole_number(offset)
        if given is None or given >= last - first:
            raise _unreadable(path, f"line {number}: the summit's offset {offset} isn't inside of the peak")
        point = given
    measured = len(cells) == _NARROW or (len(cells) == _BROAD and _is_broad_peak(cells, first, last))
    if measured:
        try:
            signal = float(cells[6])
        except ValueError:
            signal = np.inf
        if not 0 <= signal <= _LARGEST:
            raise _unreadable(path, f"line {number}: the fold enrichment {cells[6].strip()!r} is no number")
    return first, last, signal, point, measured


def _is_broad_peak(cells: list[str], start: int, end: int) -> bool:
    """Tell a line of broadPeak from one of BED9, whose seventh and eighth columns are positions to draw."""
    drawn = [whole_number(cell) for cell in cells[6:8]]
    return "," not in cells[8] and not all(place is not None and start <= place <= end for place in drawn)


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} can't be read as narrowPeak or BED: {why}: {path.name} is no narrowPeak or BED file, or "
        "damaged; contig, start and end (from 0) are needed, separated by tabs, and in narrowPeak (10 "
        "columns) also the fold enrichment in column 7 and the summit's offset in column 10 (-1 for none)"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
