"""Observed peaks: reading narrowPeak files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from phenviz.data.packs import find_pack, require_pack
from phenviz.errors import DataError
from phenviz.genome.locus import bare_contig

_SUFFIX = "_peaks.narrowPeak.gz"
_COLUMNS = {0: "contig", 1: "start", 2: "end", 6: "fold_enrichment", 9: "summit"}


def read_narrowpeaks(pack: str, contig: str) -> pd.DataFrame:
    """Read the peaks of a pack on one contig.

    Parameters
    ----------
    pack
        Name of a pack whose files are called ``<context>_peaks.narrowPeak.gz`` (``blood16-atac``).
    contig
        ``20`` and ``chr20`` are the same.

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
    names = [file.name for file in find_pack(pack).files if file.name.endswith(_SUFFIX)]
    if not names:
        raise DataError(f"data pack {pack} holds no peaks: give one with files *{_SUFFIX}")
    paths = {name.removesuffix(_SUFFIX): require_pack(pack, name) for name in names}
    return read_narrowpeak_files(paths, contig)


def read_narrowpeak_files(files: Mapping[str, Path], contig: str) -> pd.DataFrame:
    """Read narrowPeak files, one a context, on one contig.

    Parameters
    ----------
    files
        Context name -> narrowPeak file (MACS2; plain or gzip).
    contig
        ``20`` and ``chr20`` are the same.

    Returns
    -------
    pd.DataFrame
        ``contig`` (as given), ``start``, ``end`` (0-based half-open), ``context``, ``fold_enrichment``
        (column 7), ``summit`` (0-based position: start plus column 10), by start within each context.

    Raises
    ------
    DataError
        If a file is missing or is no narrowPeak file.
    """
    tables = [_read(path, context, contig) for context, path in files.items()]
    columns = ["contig", "start", "end", "context", "fold_enrichment", "summit"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _read(path: Path, context: str, contig: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(
            path, sep="\t", header=None, comment="#", usecols=list(_COLUMNS), dtype={0: "category"}
        )
        table = table.rename(columns=_COLUMNS)
        wanted = [name for name in table["contig"].cat.categories if bare_contig(name) == bare_contig(contig)]
        table = table[table["contig"].isin(wanted)]
        table = table.astype(
            {"start": "int64", "end": "int64", "fold_enrichment": "float32", "summit": "int64"}
        )
    except (OSError, EOFError, ValueError, AttributeError) as error:
        # AttributeError: a first column of numbers has no categories of text
        raise DataError(
            f"{path} can't be read as narrowPeak ({error}): ten tab-separated columns are needed, "
            "the seventh the fold enrichment and the tenth the offset of the summit"
        ) from error
    summit = table["start"] + table["summit"]
    table = table.assign(contig=contig, context=context, summit=summit)
    return table.sort_values(["start", "end"], ignore_index=True)
