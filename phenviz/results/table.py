"""Results as tidy tables: one row per number, one column per fact about it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from phenviz.errors import ResultError
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.schema import kind_of, places, plain_value, text_array

_KEY = b"phenviz"
# where pandas keeps DataFrame.attrs
_PANDAS = b"PANDAS_ATTRS"
# attributes of results about variants that don't hold for the next part of the same file
OF_A_PART = ("contig", "start", "end", "contig_length", "skipped")
_ROWS_AT_ONCE = 1_000_000
_NOT_IN_TABLE = ("colour",)


def tidy(dataset: xr.Dataset) -> pd.DataFrame:
    """Unfold a result into rows.

    Parameters
    ----------
    dataset
        Any result.

    Returns
    -------
    pd.DataFrame
        One row for each combination of the dimensions, in their order. Predictions, mutagenesis and
        attributions begin with ``contig``, ``start``, ``end`` (0-based half-open, in bases) of the bin or
        base; coordinates (``position`` counts from 1) and variables follow under their names. Text columns
        are categorical.
    """
    sizes = _sizes(dataset)
    shape = tuple(sizes.values())
    columns: dict[str, Any] = {}
    place = _place(dataset)
    if place is not None:
        starts, step = places(dataset)
        start = _unfold(xr.Variable(dataset[place].dims, starts), sizes)
        columns["contig"] = pd.Categorical.from_codes(
            np.zeros(math.prod(shape), np.int8), pd.Index([str(dataset.attrs["contig"])])
        )
        columns |= {"start": start, "end": start + step}
    for name, coordinate in dataset.coords.items():
        if name != "bin_start" and name not in _NOT_IN_TABLE:
            columns[str(name)] = _unfold(coordinate.variable, sizes)
    for name, variable in dataset.data_vars.items():
        columns[str(name)] = _unfold(variable.variable, sizes)
    return pd.DataFrame(columns)


def write_parquet(dataset: xr.Dataset, path: Path, progress: Progress = NO_PROGRESS) -> int:
    """Write the tidy table, with all that is needed to fold it again in the file's metadata; count its rows.

    pandas gives the attributes of the result back as ``DataFrame.attrs``.
    """
    sizes = _sizes(dataset)
    first = next(iter(sizes), None)
    rows_of_tile = math.prod(sizes.values()) // max(sizes[first], 1) if first else 1
    step = max(_ROWS_AT_ONCE // max(rows_of_tile, 1), 1)
    schema = pa.Schema.from_pandas(tidy(_tile(dataset, first, 0, 1)), preserve_index=False)
    schema = _with_room(schema, dataset, first)
    schema = schema.with_metadata({**(schema.metadata or {}), **_metadata(_layout(dataset))})
    total = sizes[first] if first else 1
    progress.stage("writing", total)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for begin in range(0, total, step):
            frame = tidy(_tile(dataset, first, begin, begin + step))
            writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
            progress.advance(min(step, total - begin))
    return math.prod(sizes.values())


class ParquetStream:
    """A Parquet file that takes results one after another, and reads back as all of them joined.

    Parameters
    ----------
    path
        Where to.
    dim
        Dimension along which results are joined: the first of their widest variable.
    """

    def __init__(self, path: Path, dim: str) -> None:
        self._path, self._dim = path, dim
        self._writer: pq.ParquetWriter | None = None
        self._layout: dict[str, Any] = {}

    @property
    def rows(self) -> int:
        """Rows written so far."""
        return math.prod(self._layout["sizes"].values()) if self._layout else 0

    def append(self, dataset: xr.Dataset) -> None:
        """Write the next result; the file's attributes are those that hold for all of them."""
        if self._writer is None:
            schema = _with_room(
                pa.Schema.from_pandas(tidy(dataset), preserve_index=False), dataset, self._dim
            )
            self._layout = _layout(dataset)
            # the end of the file has those of the whole, too, which pandas doesn't look at
            lasting = {key: value for key, value in self._layout["attrs"].items() if key not in OF_A_PART}
            known = {**(schema.metadata or {}), _PANDAS: json.dumps(lasting).encode()}
            self._schema = schema.with_metadata(known)
            self._writer = pq.ParquetWriter(self._path, self._schema, compression="zstd")
            self._layout["sizes"][self._dim] = 0
        else:
            self._layout["attrs"] = joined_attrs(self._layout["attrs"], _layout(dataset)["attrs"])
        count = dataset.sizes[self._dim]
        self._layout["sizes"][self._dim] += count
        for begin in range(0, count, _ROWS_AT_ONCE // 16):
            frame = tidy(_tile(dataset, self._dim, begin, begin + _ROWS_AT_ONCE // 16))
            self._writer.write_table(pa.Table.from_pandas(frame, schema=self._schema, preserve_index=False))

    def close(self) -> None:
        """Write the end of the file."""
        if self._writer is None:
            raise ResultError(f"no result was given for {self._path.name}: give at least one, if empty")
        self._writer.add_key_value_metadata({_KEY: json.dumps(self._layout).encode()})
        self._writer.close()


def _with_room(schema: pa.Schema, dataset: xr.Dataset, first: str | None) -> pa.Schema:
    """Let text along the first dimension have any number of values: each tile may bring new ones."""
    for name, coordinate in dataset.coords.items():
        index = schema.get_field_index(str(name))
        if index >= 0 and first in coordinate.dims and pa.types.is_dictionary(schema.types[index]):
            wider = pa.dictionary(pa.int32(), schema.types[index].value_type)
            schema = schema.set(index, schema.field(index).with_type(wider))
    return schema


def read_parquet(path: Path) -> xr.Dataset:
    """Fold a table that `write_parquet` wrote.

    Raises
    ------
    ResultError
        If it isn't one, or rows were removed since.
    """
    table = pq.read_table(path)
    # what was written with the file's end isn't in the schema
    metadata = {**(table.schema.metadata or {}), **(pq.read_metadata(path).metadata or {})}
    if _KEY not in metadata:
        raise ResultError(f"{path} is a Parquet table that PhenViz didn't write: read it with pandas")
    layout = json.loads(metadata[_KEY])
    sizes: dict[str, int] = layout["sizes"]
    if table.num_rows != math.prod(sizes.values()):
        raise ResultError(
            f"{path} has {table.num_rows:,} rows, its result has {math.prod(sizes.values()):,}: rows were "
            "removed, read it with pandas"
        )
    parts = {
        group: {name: _fold(table, entry, sizes) for name, entry in layout[group].items()}
        for group in ("variables", "coords")
    }
    return xr.Dataset(parts["variables"], coords=parts["coords"], attrs=layout["attrs"])


def _metadata(layout: dict[str, Any]) -> dict[bytes, bytes]:
    return {_KEY: json.dumps(layout).encode(), _PANDAS: json.dumps(layout["attrs"]).encode()}


def joined_attrs(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of two results about variants put together: their place, and what both share."""
    shared = {name: value for name, value in first.items() if name in second and second[name] == value}
    ends = [(str(one["contig"]), int(one["start"]), int(one["end"])) for one in (first, second)]
    ends = [place for place in ends if place[0]] or ends[:1]
    contigs = sorted({name for place in ends for name in place[0].split(", ")})
    start = min(place[1] for place in ends) if len(contigs) == 1 else 0
    end = max(place[2] for place in ends)
    return shared | {"contig": ", ".join(contigs), "start": start, "end": end}


def _sizes(dataset: xr.Dataset) -> dict[str, int]:
    """Dimensions in the order of the widest variable, which is the order of the rows."""
    if not dataset.data_vars:
        raise ResultError("this result holds no variable, so there is nothing to write")
    order = [
        dim
        for name in sorted(dataset.data_vars, key=lambda v: -dataset[v].ndim)
        for dim in dataset[name].dims
    ]
    return {str(dim): dataset.sizes[dim] for dim in dict.fromkeys(order)}


def _place(dataset: xr.Dataset) -> str | None:
    kind = kind_of(dataset)
    # variants and genes bring a place of their own
    if kind in (None, "variant effects", "gene expression", "effects on expression", "measured", "sequences"):
        return None
    place = "bin_start" if kind == "prediction" else "position"
    return place if place in dataset.coords else None


def _unfold(variable: xr.Variable, sizes: dict[str, int]) -> Any:
    shape = tuple(sizes.values())
    own = [dim for dim in sizes if dim in variable.dims]
    if variable.dtype.kind in "UOT":
        # by hash, not as text of one width: one long allele would widen all others
        found, names_found = pd.factorize(variable.transpose(*own).values.astype(object).ravel())
        order = np.argsort(names_found)
        categories, codes = names_found[order], np.argsort(order)[found]
        narrow = codes.reshape([sizes[dim] for dim in own]).astype(
            np.int8 if len(categories) < 128 else np.int32
        )
        values, names = narrow, categories
    else:
        values, names = variable.transpose(*own).values, None
    wide = values.reshape([sizes[dim] if dim in own else 1 for dim in sizes])
    flat = np.broadcast_to(wide, shape).reshape(-1)
    return flat if names is None else pd.Categorical.from_codes(flat, pd.Index(list(names)))


def _fold(
    table: pa.Table, entry: dict[str, Any], sizes: dict[str, int]
) -> tuple[list[str], np.ndarray, dict[str, Any]]:
    dims, attrs = entry["dims"], entry["attrs"]
    if "values" in entry:
        return dims, np.array(entry["values"], dtype=entry["dtype"]), attrs
    column = table.column(entry["column"])
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    values = column.to_numpy().reshape(tuple(sizes.values()))
    values = values[tuple(slice(None) if dim in dims else 0 for dim in sizes)]
    ordered = [dim for dim in sizes if dim in dims]
    values = np.transpose(values, [ordered.index(dim) for dim in dims])
    if entry["dtype"] == "str":
        return dims, text_array(values.ravel()).reshape(values.shape), attrs
    return dims, np.ascontiguousarray(values).astype(entry["dtype"]), attrs


def _layout(dataset: xr.Dataset) -> dict[str, Any]:
    def entry(name: str, variable: xr.DataArray) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "dims": [str(dim) for dim in variable.dims],
            "dtype": "str" if variable.dtype.kind in "UOT" else variable.dtype.str,
            "attrs": {str(key): plain_value(value) for key, value in variable.attrs.items()},
        }
        if name in _NOT_IN_TABLE:
            return facts | {"values": variable.values.tolist()}
        return facts | {"column": "start" if name == "bin_start" else name}

    return {
        "sizes": _sizes(dataset),
        "variables": {str(name): entry(str(name), variable) for name, variable in dataset.data_vars.items()},
        "coords": {str(name): entry(str(name), variable) for name, variable in dataset.coords.items()},
        "attrs": {str(name): plain_value(value) for name, value in dataset.attrs.items()},
    }


def _tile(dataset: xr.Dataset, dim: str | None, begin: int, end: int) -> xr.Dataset:
    return dataset if dim is None else dataset.isel({dim: slice(begin, end)})
