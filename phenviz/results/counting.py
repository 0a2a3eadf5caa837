"""How many entries a file holds, read from the file itself."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import pandas as pd

_LINES_AT_ONCE = 1_000_000


def count_entries(path: Path, name: str) -> int:
    """Read a file that was written, and count what it holds.

    Parameters
    ----------
    path
        The file, or Zarr folder.
    name
        Its name to be, whose suffix says what an entry is: a number or word of all variables (``.nc``,
        ``.zarr``, ``.h5ad``'s matrix), a row (``.parquet``, ``.tsv``), a line that is no comment (``.bed``,
        ``.vcf``), an interval (``.bw``), and a byte of anything else.

    Raises
    ------
    Exception
        Whatever the library raises that can't read it.
    """
    name = name.lower()
    for suffix, count in _COUNTERS.items():
        if name.endswith(suffix):
            return count(path)
    return path.stat().st_size


def _netcdf(path: Path) -> int:
    import h5py  # type: ignore[import-untyped]

    sizes: list[int] = []
    with h5py.File(path, "r") as file:
        # HDF5 keeps a dimension without coordinate as an empty variable
        file.visititems(lambda name, item: sizes.append(_size_of(item)))
    return sum(sizes)


def _size_of(item: object) -> int:
    import h5py

    if not isinstance(item, h5py.Dataset) or b"not a netCDF variable" in bytes(item.attrs.get("NAME", b"")):
        return 0
    return int(item.size)


def _zarr(path: Path) -> int:
    import zarr

    return sum(math.prod(array.shape) for _, array in zarr.open_group(path, mode="r").arrays())


def _parquet(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def _bigwig(path: Path) -> int:
    import pybigtools

    with pybigtools.open(str(path)) as file:
        return sum(1 for contig in file.chroms() for _ in file.records(contig))


def _anndata(path: Path) -> int:
    import h5py

    with h5py.File(path, "r") as file:
        return int(file["X"].size)


def _lines(path: Path) -> int:
    with _opened(path) as file:
        return sum(1 for line in file if not line.startswith(b"#"))


def _table(path: Path) -> int:
    with _opened(path) as file:
        comments = 0
        while file.readline().startswith(b"#"):
            comments += 1
        file.seek(0)
        # quoted text may hold line breaks, which a parser knows
        chunks = pd.read_csv(
            io.TextIOWrapper(file, encoding="utf-8"), sep="\t", skiprows=comments, usecols=[0], dtype=str,
            chunksize=_LINES_AT_ONCE, skip_blank_lines=False,
        )  # fmt: skip
        return sum(len(chunk) for chunk in chunks)


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path)) if zipped else path.open("rb")


_COUNTERS: dict[str, Callable[[Path], int]] = {
    ".nc": _netcdf,
    ".zarr": _zarr,
    ".parquet": _parquet,
    ".bw": _bigwig,
    ".h5ad": _anndata,
    ".bed": _lines,
    ".vcf": _lines,
    ".vcf.gz": _lines,
    ".vcf.bgz": _lines,
    ".tsv": _table,
    ".tsv.gz": _table,
}
