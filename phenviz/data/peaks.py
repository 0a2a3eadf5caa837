"""Observed peaks: reading narrowPeak files."""

from __future__ import annotations

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
_COLUMNS = {0: "contig", 1: "start", 2: "end", 6: "fold_enrichment", 9: "summit"}


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
    """Read narrowPeak files, one a context.

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
        ``fold_enrichment`` (column 7), ``summit`` (0-based position: start plus column 10), by contig
        and start within each context.

    Raises
    ------
    DataError
        If a file is missing or is no narrowPeak file.
    """
    columns = ["contig", "start", "end", "context", "fold_enrichment", "summit"]
    tables = [_read(Path(path), context, contig) for context, path in files.items()]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _read(path: Path, context: str, contig: str | None) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, sep="\t", header=None, comment="#", usecols=list(_COLUMNS), dtype={0: str})
        table = table.rename(columns=_COLUMNS)
        bare = {name: bare_contig(name) for name in table["contig"].unique()}
        table["contig"] = table["contig"].map(bare)
        if contig is not None:
            table = table[table["contig"] == bare_contig(contig)]
        table = table.astype(
            {"start": "int64", "end": "int64", "fold_enrichment": "float32", "summit": "int64"}
        )
    except (OSError, EOFError, ValueError, AttributeError, zlib.error) as error:
        raise DataError(
            f"{path} can't be read as narrowPeak ({error}): {path.name} is no narrowPeak file, or damaged; "
            "ten tab-separated columns are needed, the seventh the fold enrichment and the tenth the offset "
            "of the summit"
        ) from error
    table = table.assign(context=context, summit=table["start"] + table["summit"])
    return table.sort_values(["contig", "start", "end"], ignore_index=True)
