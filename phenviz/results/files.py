"""Results to files and back, by suffix."""

from __future__ import annotations

import json
import os
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import h5netcdf  # type: ignore[import-untyped]
import numpy as np
import xarray as xr
from xarray.backends import H5NetCDFStore

from phenviz.errors import ResultError
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.disk import DiskFile
from phenviz.results.intervals import bigwig_paths, write_bed, write_bigwigs
from phenviz.results.schema import kind_of, phenviz_version, plain_value, text_array
from phenviz.results.slabs import is_long, long_dimension, slab_rows, slabs
from phenviz.results.table import read_parquet, write_parquet

DATA_SUFFIXES = (".nc", ".zarr", ".parquet", ".bed", ".bw")
LOADABLE_SUFFIXES = (".nc", ".zarr", ".parquet")

_BASES = "ACGTN"
# of one chunk of a file, uncompressed
_CHUNK_BYTES = 2**22
_JSON_ATTRS = "attributes_as_json"
# tells a Zarr store of ours, which a newer one may replace, from any other folder
_SAVED_BY = "saved_by"


def check_suffix(path: str | os.PathLike[str], suffixes: Iterable[str] = DATA_SUFFIXES) -> str:
    """Check that a result can go where the user says; call it before a long computation.

    Parameters
    ----------
    path
        File to be written.
    suffixes
        Suffixes that make sense here.

    Returns
    -------
    str
        The path's suffix in lower case.

    Raises
    ------
    ResultError
        If the suffix is none of these, the folder doesn't exist or can't be written to, or something that
        isn't PhenViz' own stands in the way (a folder, above all).
    """
    path, known = Path(path), tuple(suffixes)
    suffix = path.suffix.lower()
    if suffix not in known:
        said = f"suffix {suffix!r}" if suffix else "no suffix"
        raise ResultError(f"{path} has {said}: end its name with {' '.join(known)}")
    if not path.parent.is_dir():
        raise ResultError(f"folder {path.parent} for {path.name} doesn't exist: make it, or choose another")
    if not os.access(path.parent, os.W_OK):
        raise ResultError(f"folder {path.parent} for {path.name} can't be written to: choose another")
    check_replaceable(path)
    return suffix


def check_replaceable(path: Path) -> None:
    """Check that what is there by the name of an output, if anything, may give way to it.

    Raises
    ------
    ResultError
        If it is a folder that is no Zarr store of PhenViz, or a file where a store is wanted.
    """
    if not path.is_dir():
        if path.suffix.lower() == ".zarr" and path.exists():
            raise ResultError(f"{path} is a file, and a Zarr store is a folder: choose another name")
    elif path.suffix.lower() != ".zarr":
        raise ResultError(f"{path} is a folder: choose another name")
    elif not _is_our_store(path):
        raise ResultError(
            f"{path} is a folder that PhenViz didn't write, and isn't replaced: choose another name, or "
            "remove it yourself"
        )


def _is_our_store(path: Path) -> bool:
    try:
        attrs = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        return _SAVED_BY in attrs or "phenviz_version" in attrs
    except (OSError, ValueError, LookupError, TypeError):
        return False


def save(
    dataset: xr.Dataset, path: str | os.PathLike[str], *, progress: Progress = NO_PROGRESS
) -> tuple[Path, ...]:
    """Write a result; the suffix says how. What is long is read and written slab by slab.

    Parameters
    ----------
    dataset
        A result of any kind for ``.nc``, ``.zarr`` and ``.parquet`` (tidy); a prediction, mutagenesis or
        attribution for ``.bed`` (`write_bed`) and ``.bw`` (`write_bigwigs`).
    path
        Where to. An older file is replaced only once the new one is complete; a folder only where it is a
        Zarr store that PhenViz wrote.
    progress
        Told after each slab of a long result.

    Returns
    -------
    tuple[Path, ...]
        Files written: one, or one bigWig a context (``foo.Ery.bw``).

    Raises
    ------
    ResultError
        If the suffix is unknown, the folder is missing, another folder has the name, the disk refuses, or
        the kind doesn't fit.
    """
    path = Path(path)
    suffix = check_suffix(path)
    if suffix == ".bw":
        targets = bigwig_paths(dataset, path)
        return write_aside(
            list(targets.values()),
            lambda parts: write_bigwigs(dataset, dict(zip(targets, parts, strict=True)), progress),
        )
    writer = {".nc": _write_netcdf, ".zarr": _write_zarr, ".parquet": write_parquet, ".bed": write_bed}[
        suffix
    ]
    return write_aside([path], lambda parts: writer(dataset, parts[0], progress))


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
            return read_parquet(path)
        engine: Any = {".nc": "h5netcdf", ".zarr": "zarr"}[suffix]
        options: dict[str, Any] = {"consolidated": False} if suffix == ".zarr" else {}
        with xr.open_dataset(path, engine=engine, **options) as opened:
            return _decoded(opened.load())
    except ResultError:
        raise
    except Exception as error:  # each of the three libraries has errors of its own for a damaged file
        raise ResultError(f"result {path} is damaged or no result file ({error}): save it again") from error


def write_aside(targets: list[Path], write: Callable[[list[Path]], None]) -> tuple[Path, ...]:
    """Write beside the targets and rename, so that no reader ever meets half a file.

    Parameters
    ----------
    targets
        Files (or Zarr folders) that are wanted.
    write
        Given as many paths in the same folder, writes these.

    Returns
    -------
    tuple[Path, ...]
        The targets.

    Raises
    ------
    ResultError
        If the disk refuses; older files are then still whole.
    """
    token = uuid.uuid4().hex[:8]
    parts = [target.with_name(f".{target.stem}.{token}.part{target.suffix}") for target in targets]
    try:
        write(parts)
        for part, target in zip(parts, targets, strict=True):
            _replace(part, target, token)
    except OSError as error:
        raise ResultError(
            f"can't write {targets[0]} ({error}): free some room or choose another folder"
        ) from error
    finally:
        for part in parts:
            _remove(part)
    return tuple(targets)


def _replace(part: Path, target: Path, token: str) -> None:
    check_replaceable(target)
    if target.is_dir():  # a Zarr store is a folder, which os.replace doesn't put over another
        old = target.with_name(f".{target.stem}.{token}.old")
        os.replace(target, old)
        os.replace(part, target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(part, target)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def _write_netcdf(dataset: xr.Dataset, path: Path, progress: Progress) -> None:
    squeeze = {"zlib": True, "complevel": 4, "shuffle": True}
    encoded_slabs = _encoded_slabs(dataset, progress)
    first = next(encoded_slabs)
    encoding: dict[Any, dict[str, Any]] = {
        name: dict(squeeze) for name, variable in first.variables.items()
        if variable.dtype.kind in "fiu" and variable.size > 1
    }  # fmt: skip
    unlimited = []
    if _is_slabbed(dataset):
        unlimited = [str(long_dimension(dataset))]
        for name, chunks in _chunks(first, unlimited[0]).items():
            encoding.setdefault(name, {})["chunksizes"] = chunks
    with DiskFile(path) as disk, h5netcdf.File(disk, "w") as file:
        # in memory, as this way of writing leaves out arrays of Dask
        first.compute().dump_to_store(H5NetCDFStore(file), encoding=encoding, unlimited_dims=unlimited)
        for slab in encoded_slabs:
            disk.check()
            _append(file, slab, unlimited[0])


def _append(file: h5netcdf.File, slab: xr.Dataset, dim: str) -> None:
    before = file.dimensions[dim].size
    file.resize_dimension(dim, before + slab.sizes[dim])
    for name, variable in slab.variables.items():
        if dim in variable.dims:
            place = tuple(slice(before, None) if d == dim else slice(None) for d in variable.dims)
            file.variables[name][place] = variable.values


def _write_zarr(dataset: xr.Dataset, path: Path, progress: Progress) -> None:
    import zarr

    slabbed = _is_slabbed(dataset)
    dim = str(long_dimension(dataset)) if slabbed else ""
    for number, slab in enumerate(_encoded_slabs(dataset, progress)):
        marked = slab.assign_attrs({_SAVED_BY: f"PhenViz {phenviz_version()}"})
        if number == 0:
            chunks = _chunks(slab, dim) if slabbed else {}
            encoding = {name: {"chunks": sizes} for name, sizes in chunks.items()}
            marked.to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=encoding)
        else:
            marked.to_zarr(path, mode="a", append_dim=dim, zarr_format=3, consolidated=False)
    with warnings.catch_warnings():
        # xarray looks for it first, but it isn't in the specification yet
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        zarr.consolidate_metadata(path)


def _is_slabbed(dataset: xr.Dataset) -> bool:
    # other tables may hold text along any dimension, and how it is written hangs on all of it
    return kind_of(dataset) is not None and is_long(dataset)


def _encoded_slabs(dataset: xr.Dataset, progress: Progress) -> Iterator[xr.Dataset]:
    for slab in slabs(dataset, progress) if _is_slabbed(dataset) else (dataset,):
        yield _encoded(slab)


def _chunks(slab: xr.Dataset, dim: str) -> dict[Any, tuple[int, ...]]:
    """Choose chunks of the variables along a dimension that end where slabs do."""
    chunks = {}
    for name, variable in slab.variables.items():
        if dim in variable.dims:
            per_row = max(variable.nbytes // variable.sizes[dim], 1)
            rows = min(slab_rows(slab), 1 << max((_CHUNK_BYTES // per_row).bit_length() - 1, 0))
            chunks[name] = tuple(rows if d == dim else variable.sizes[d] for d in variable.dims)
    return chunks


def _encoded(dataset: xr.Dataset) -> xr.Dataset:
    """Write letters as CF flags and lists as JSON, so that netCDF and Zarr both give them back."""
    encoded = dataset.drop_encoding().copy()
    for name, variable in encoded.variables.items():
        if _is_letters(variable):
            codes = np.argmax(variable.values[..., None] == np.array(list(_BASES)), axis=-1).astype(np.uint8)
            flags = {"flag_values": np.arange(5, dtype=np.uint8), "flag_meanings": " ".join(_BASES)}
            encoded[name] = (variable.dims, codes, variable.attrs | flags)
        elif variable.dtype.kind == "U":
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
        if attrs.get("flag_meanings") == " ".join(_BASES):
            attrs = {key: value for key, value in attrs.items() if not key.startswith("flag_")}
            decoded[name] = (variable.dims, np.array(list(_BASES))[variable.values.astype(int)], attrs)
        elif variable.dtype.kind in "OT":
            texts = text_array(variable.values.ravel()).reshape(variable.shape)
            decoded[name] = (variable.dims, texts, attrs)
    attrs = {str(name): plain_value(value) for name, value in dataset.attrs.items() if name != _SAVED_BY}
    for name in str(attrs.pop(_JSON_ATTRS, "")).split():
        attrs[name] = json.loads(attrs[name])
    decoded.attrs = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in attrs.items()
    }
    return decoded


def _is_letters(variable: xr.Variable) -> bool:
    return variable.dtype == np.dtype("<U1") and bool(np.isin(variable.values, list(_BASES)).all())
