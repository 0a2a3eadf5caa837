"""Results to files and back, by suffix."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5netcdf  # type: ignore[import-untyped]
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import H5NetCDFStore

from phenviz.errors import ResultError
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.disk import DiskFile
from phenviz.results.intervals import bigwig_paths, write_bed, write_bigwigs
from phenviz.results.long_results import in_tiles, is_long, long_dimension, tile_rows
from phenviz.results.schema import (
    counted_from_one,
    kind_of,
    phenviz_version,
    places,
    plain_value,
    text_array,
)
from phenviz.results.table import read_parquet, write_parquet
from phenviz.results.writing import SAVED_BY, check_suffix, write_aside

LOADABLE_SUFFIXES = (".nc", ".zarr", ".parquet")

_BASES = "ACGTN"
# of one chunk of a file, uncompressed
_CHUNK_BYTES = 2**22
_JSON_ATTRS = "attributes_as_json"


def save(
    dataset: xr.Dataset, path: str | os.PathLike[str], *, progress: Progress = NO_PROGRESS
) -> tuple[Path, ...]:
    """Write a result; the suffix says how. What is long is read and written tile by tile.

    Parameters
    ----------
    dataset
        A result of any kind for ``.nc``, ``.zarr`` and ``.parquet`` (tidy); a prediction, mutagenesis or
        attribution for ``.bed`` (`write_bed`) and ``.bw`` (`write_bigwigs`).
    path
        Where to. An older file is replaced only once the new one is complete; a folder only where it is a
        Zarr store that PhenViz wrote.
    progress
        Advances after each tile of a long result.

    Returns
    -------
    tuple[Path, ...]
        Files written: one, or one bigWig per context (``foo.Ery.bw``).

    Raises
    ------
    ResultError
        If the suffix is unknown, the folder is missing, another folder has the name, the disk refuses, or
        the kind doesn't fit.
    """
    path = Path(path)
    suffix = check_suffix(path)
    check_order(dataset)
    if suffix == ".bw":
        targets = bigwig_paths(dataset, path)
        return write_aside(
            list(targets.values()),
            lambda parts: write_bigwigs(dataset, dict(zip(targets, parts, strict=True)), progress),
        )
    writer = {".nc": _write_netcdf, ".zarr": _write_zarr, ".parquet": write_parquet, ".bed": write_bed}[
        suffix
    ]
    return write_aside([path], lambda parts: [writer(dataset, parts[0], progress)])


def check_order(dataset: xr.Dataset) -> None:
    """Check that the places of a result along the genome ascend, each once.

    Raises
    ------
    ResultError
        Naming the first place that doesn't.
    """
    kind = kind_of(dataset)
    dim = {"prediction": "bin", "mutagenesis": "position", "attribution": "position"}.get(kind or "")
    if dim is None or dataset.sizes.get(dim, 0) < 2:
        return
    if (
        dim in dataset.indexes
        and dataset.indexes[dim].is_monotonic_increasing
        and dataset.indexes[dim].is_unique
    ):
        return  # told at once of a range, however long it is
    starts, width = places(dataset)
    if not len(wrong := np.flatnonzero(np.diff(starts) < width)):
        return
    first, second = (int(start) + 1 for start in starts[wrong[0] : wrong[0] + 2])
    raise ResultError(
        f"this {kind} can't be written: on contig {dataset.attrs.get('contig', 'of no name')}, position "
        f"{second:,} comes after {first:,}, and each place ({width} bases) may come once, in ascending "
        f"order: use dataset.drop_duplicates('{dim}') and .sortby('{'bin_start' if dim == 'bin' else dim}')"
    )


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read a result back from ``.nc``, ``.zarr`` or ``.parquet``.

    Returns
    -------
    xr.Dataset
        Equal to the one that was saved, in memory.

    Raises
    ------
    ResultError
        If the file is missing, damaged, or of a kind that keeps no whole result.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in LOADABLE_SUFFIXES:
        raise ResultError(f"{path} can't be read back as a result: give one of {' '.join(LOADABLE_SUFFIXES)}")
    if not path.exists():
        raise ResultError(f"result {path} doesn't exist: check the path")
    try:
        if suffix == ".parquet":
            return counted_from_one(read_parquet(path))
        engine: Any = {".nc": "h5netcdf", ".zarr": "zarr"}[suffix]
        options: dict[str, Any] = {"consolidated": False} if suffix == ".zarr" else {}
        with xr.open_dataset(path, engine=engine, **options) as opened:
            return _decoded(opened.load())
    except (ResultError, ImportError):  # a library that fails says nothing about the file
        raise
    except Exception as error:  # each of the three libraries has errors of its own for a damaged file
        raise ResultError(f"result {path} is damaged or no result file ({error}): save it again") from error


def _write_netcdf(dataset: xr.Dataset, path: Path, progress: Progress) -> int:
    squeeze = {"zlib": True, "complevel": 4, "shuffle": True}
    encoded_tiles = (_encoded(tile, but=_is_letters) for tile in _tiles_of(dataset, progress))
    first = next(encoded_tiles)
    letters = {name for name, variable in first.variables.items() if variable.dtype.kind == "U"}
    encoding: dict[Any, dict[str, Any]] = {
        name: dict(squeeze) for name, variable in first.variables.items()
        if (variable.dtype.kind in "fiu" or name in letters) and variable.size > 1
    }  # fmt: skip
    unlimited = []
    if _is_tiled(dataset):
        unlimited = [str(long_dimension(dataset))]
        for name, chunks in _chunks(first, unlimited[0]).items():
            encoding.setdefault(name, {})["chunksizes"] = (*chunks, 1) if name in letters else chunks
    for name in letters:
        # one byte per base, which xarray reads as text; text of any length takes 16
        encoding.setdefault(name, {})["dtype"] = "S1"
    with DiskFile(path) as disk, h5netcdf.File(disk, "w") as file:
        # in memory, as this way of writing leaves out arrays of Dask
        first.compute().dump_to_store(H5NetCDFStore(file), encoding=encoding, unlimited_dims=unlimited)
        for tile in encoded_tiles:
            disk.check()
            _append(file, tile, unlimited[0])
    return _entries(dataset)


def _append(file: h5netcdf.File, tile: xr.Dataset, dim: str) -> None:
    before = file.dimensions[dim].size
    file.resize_dimension(dim, before + tile.sizes[dim])
    for name, variable in tile.variables.items():
        if dim in variable.dims:
            place = tuple(slice(before, None) if d == dim else slice(None) for d in variable.dims)
            stored = file.variables[name]
            is_text = stored.dtype == np.dtype("S1")
            stored[place] = variable.values.astype("S1")[..., None] if is_text else variable.values


def _write_zarr(dataset: xr.Dataset, path: Path, progress: Progress) -> int:
    import zarr

    tiled = _is_tiled(dataset)
    dim = str(long_dimension(dataset)) if tiled else ""
    for number, tile in enumerate(_tiles_of(dataset, progress)):
        marked = _encoded(tile).assign_attrs({SAVED_BY: f"PhenViz {phenviz_version()}"})
        if number == 0:
            chunks = _chunks(tile, dim) if tiled else {}
            encoding = {name: {"chunks": sizes} for name, sizes in chunks.items()}
            marked.to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=encoding)
        else:
            marked.to_zarr(path, mode="a", append_dim=dim, zarr_format=3, consolidated=False)
    with warnings.catch_warnings():
        # xarray looks for it first, but it isn't in the specification yet
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        zarr.consolidate_metadata(path)
    return _entries(dataset)


def _entries(dataset: xr.Dataset) -> int:
    return sum(math.prod(variable.shape) for variable in dataset.variables.values())


def _is_tiled(dataset: xr.Dataset) -> bool:
    # other tables may hold text along any dimension, and how it is written hangs on all of it
    return kind_of(dataset) is not None and is_long(dataset)


def _tiles_of(dataset: xr.Dataset, progress: Progress) -> Iterator[xr.Dataset]:
    yield from in_tiles(dataset, progress) if _is_tiled(dataset) else (dataset,)


def _chunks(tile: xr.Dataset, dim: str) -> dict[Any, tuple[int, ...]]:
    """Choose chunks of the variables along a dimension that end where tiles do."""
    chunks = {}
    for name, variable in tile.variables.items():
        if dim in variable.dims:
            per_row = max(variable.nbytes // variable.sizes[dim], 1)
            rows = min(tile_rows(tile), 1 << max((_CHUNK_BYTES // per_row).bit_length() - 1, 0))
            chunks[name] = tuple(rows if d == dim else variable.sizes[d] for d in variable.dims)
    return chunks


def _encoded(
    dataset: xr.Dataset, *, but: Callable[[xr.Variable], bool] = lambda variable: False
) -> xr.Dataset:
    """Write text as text of any length and lists as JSON, so that netCDF and Zarr both give them back."""
    encoded = dataset.drop_encoding().copy()
    for name, variable in encoded.variables.items():
        if variable.dtype.kind == "U" and not but(variable):
            encoded[name] = (variable.dims, variable.values.astype(object), variable.attrs)
    attrs = {str(name): plain_value(value) for name, value in encoded.attrs.items()}
    lists = [name for name, value in attrs.items() if isinstance(value, list)]
    attrs |= {name: json.dumps(attrs[name]) for name in lists}
    encoded.attrs = attrs | ({_JSON_ATTRS: " ".join(lists)} if lists else {})
    return encoded


def _decoded(dataset: xr.Dataset) -> xr.Dataset:
    decoded = dataset.drop_encoding()
    for name, variable in dataset.variables.items():
        attrs = dict(variable.attrs)
        if attrs.get("flag_meanings") == " ".join(_BASES):  # codes, as PhenViz wrote letters at first
            attrs = {key: value for key, value in attrs.items() if not key.startswith("flag_")}
            decoded[name] = (variable.dims, np.array(list(_BASES))[variable.values.astype(int)], attrs)
        elif variable.encoding.get("dtype") == np.dtype("S1"):
            decoded[name] = (variable.dims, variable.values.astype("U1"), attrs)
        elif variable.dtype.kind in "OT":
            decoded[name] = (variable.dims, _texts(variable.values), attrs)
    attrs = {str(name): plain_value(value) for name, value in dataset.attrs.items() if name != SAVED_BY}
    for name in str(attrs.pop(_JSON_ATTRS, "")).split():
        attrs[name] = json.loads(attrs[name])
    decoded.attrs = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in attrs.items()
    }
    return counted_from_one(decoded)


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "T" and np.strings.str_len(values).max(initial=0) <= 1:
        # bases of a whole chromosome, maybe
        return values.astype("U1")
    return text_array(values.ravel()).reshape(values.shape)


def _is_letters(variable: xr.Variable) -> bool:
    if variable.dtype != np.dtype("<U1"):
        return False
    return bool((np.ascontiguousarray(variable.values).view(np.uint32) < 128).all())
