"""What a work has finished so far: held in memory, or left in the store where it is too long for that."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from phenviz.data.cache import MEMORY, RecentlyUsed
from phenviz.errors import ResultError
from phenviz.genome.locus import Locus

if TYPE_CHECKING:
    from phenviz.service.job_types import Chunk, Request, StreamedRequest
    from phenviz.service.store import Hold

# A result in memory is joined from its chunks, which takes as much again; what is larger stays in the store.
HELD_BYTES = 2**27
# chunks that were read last: those on both sides of a view, or of what is written to a file at a time
_CACHED_BYTES = 2**26


class ResultBuffer(Protocol):
    """Finished chunks of one work, in the order of the genome.

    Attributes
    ----------
    tiles
        What is final, in tiles that abut.
    """

    tiles: list[xr.Dataset]

    @property
    def nbytes(self) -> int:
        """Memory that they take."""

    @property
    def lost(self) -> bool:
        """Whether a finished chunk turned out not to be there any more."""

    def add(self, part: xr.Dataset) -> None:
        """Take the next trimmed chunk."""

    def copy(self) -> ResultBuffer:
        """Return the present state, which doesn't change any more."""

    def join(self, tiles: Sequence[xr.Dataset] = ()) -> xr.Dataset | None:
        """Put together what is there, with tiles of the chunk that is being computed; None for nothing."""

    def clear(self) -> None:
        """Let go of everything."""


class HeldBuffer:
    """Finished chunks in memory; see `ResultBuffer`."""

    def __init__(self, request: Request, parts: Iterable[xr.Dataset] = ()) -> None:
        self._request, self._parts = request, list(parts)
        self.tiles: list[xr.Dataset] = []

    @property
    def nbytes(self) -> int:
        """See `ResultBuffer.nbytes`."""
        return sum(part.nbytes for part in (*self._parts, *self.tiles))

    @property
    def lost(self) -> bool:
        """Memory loses nothing."""
        return False

    def add(self, part: xr.Dataset) -> None:
        """See `ResultBuffer.add`."""
        self._parts.append(part)
        if (tile := self._request.settle(self._parts)) is not None:
            self.tiles.append(tile)

    def copy(self) -> HeldBuffer:
        """See `ResultBuffer.copy`."""
        return HeldBuffer(self._request, self._parts)

    def join(self, tiles: Sequence[xr.Dataset] = ()) -> xr.Dataset | None:
        """See `ResultBuffer.join`."""
        parts = (*self._parts, *tiles)
        return self._request.join(parts) if parts else None

    def clear(self) -> None:
        """See `ResultBuffer.clear`."""
        self._parts, self.tiles = [], []


class StoredBuffer:
    """Finished chunks that stay in the store, and the result as arrays that are read when looked at.

    Parameters
    ----------
    reader
        Reads them.
    """

    def __init__(self, reader: ChunkReader) -> None:
        self._reader = reader
        self._attributes: list[Mapping[str, Any]] = []
        self._template: xr.Dataset | None = None
        self._end = reader.locus.start
        self.tiles: list[xr.Dataset] = []

    @property
    def nbytes(self) -> int:
        """What is in the store takes no memory."""
        return 0

    @property
    def lost(self) -> bool:
        """See `ResultBuffer.lost`."""
        return self._reader.lost

    def add(self, part: xr.Dataset) -> None:
        """See `ResultBuffer.add`."""
        if self._template is None:
            self._template = self._reader.template(part)
        self._attributes.append(dict(part.attrs))
        begin, self._end = self._end, self._reader.ends[len(self._attributes) - 1]
        if begin < self._end:
            self.tiles.append(self._reader.open(self._template, begin, self._end))

    def copy(self) -> StoredBuffer:
        """See `ResultBuffer.copy`."""
        copied = StoredBuffer(self._reader)
        copied._template, copied._end = self._template, self._end
        copied._attributes = list(self._attributes)
        return copied

    def join(self, tiles: Sequence[xr.Dataset] = ()) -> xr.Dataset | None:
        """See `ResultBuffer.join`; tiles of an unfinished chunk aren't in the store, so they are left out."""
        if self._template is None or self._end <= self._reader.locus.start:
            return None
        joined = self._reader.open(self._template, self._reader.locus.start, self._end)
        return joined.assign_attrs(self._reader.summary(self._attributes))

    def clear(self) -> None:
        """See `ResultBuffer.clear`."""
        self._attributes, self.tiles = [], []


class ChunkReader:
    """Reads any interval of a result from its chunks.

    Parameters
    ----------
    request, chunks
        What the result is; the chunks have extents.
    fetch
        Returns a chunk's Dataset from the store, None if it isn't there.
    hold
        Keeps the chunks in the store for as long as this reader lives.
    """

    def __init__(
        self,
        request: StreamedRequest,
        chunks: Sequence[Chunk],
        fetch: Callable[[Chunk], xr.Dataset | None],
        hold: Hold,
    ) -> None:
        self.locus: Locus = request.locus
        self.lost = False
        self._request, self._chunks, self._fetch, self._hold = request, chunks, fetch, hold
        extents = [chunk.extent for chunk in chunks if chunk.extent is not None]
        self._starts = [start for start, _ in extents]
        self._stops = [stop for _, stop in extents]
        # up to where each chunk, with those before it, says the last word
        self.ends = [*(min(max(start, self.locus.start), self.locus.end) for start in self._starts[1:])]
        self.ends.append(self.locus.end)
        self._cache = RecentlyUsed[int, xr.Dataset](_CACHED_BYTES, lambda part: part.nbytes, MEMORY)

    def template(self, part: xr.Dataset) -> xr.Dataset:
        """Return one base of the result, in memory: its variables, coordinates and attributes."""
        start = max(self._starts[0], self.locus.start)
        return self._request.interval([part], self._at(start, start + 1))

    def open(self, template: xr.Dataset, start: int, end: int) -> xr.Dataset:
        """Return the bases from start to end, of which nothing is read yet."""
        variables: dict[str, Any] = {}
        for name, variable in template.data_vars.items():
            if "position" in variable.dims:
                array = _Stretch(self, str(name), variable, start, end)
                variables[str(name)] = (variable.dims, indexing.LazilyIndexedArray(array), variable.attrs)
            else:
                variables[str(name)] = variable
        # pandas keeps a range as three numbers, and finds positions in it without any search
        coords = {"position": ("position", pd.RangeIndex(start + 1, end + 1), template["position"].attrs)}
        others = {name: value for name, value in template.coords.items() if "position" not in value.dims}
        attrs = template.attrs | {"start": start, "end": end}
        return xr.Dataset(variables, coords=coords | others, attrs=attrs)

    def summary(self, attributes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the attributes that hold for the whole of the chunks with these attributes."""
        strand = {"strand": self.locus.strand} if self.locus.strand != "." else {}
        return strand | dict(self._request.summary(attributes))

    def read(self, name: str, axis: int, out: NDArray[Any], start: int) -> None:
        """Fill an array with a variable from base ``start`` on, chunk by chunk; the axis is that of bases."""
        end = start + out.shape[axis]
        first, last = bisect_right(self.ends, start), bisect_left(self.ends, end)
        for number in range(first, last + 1):
            begin = max(start, self.ends[number - 1] if number else self.locus.start)
            stop = min(end, self.ends[number])
            if begin < stop:
                place = (slice(None),) * axis + (slice(begin - start, stop - start),)
                out[place] = self._interval(begin, stop)[name].values

    def _interval(self, start: int, end: int) -> xr.Dataset:
        parts = [
            self._part(number)
            for number in range(bisect_right(self._stops, start), bisect_left(self._starts, end))
        ]
        return self._request.interval(parts, self._at(start, end))

    def _at(self, start: int, end: int) -> Locus:
        return Locus(self.locus.contig, start, end)

    def _part(self, number: int) -> xr.Dataset:
        if (known := self._cache.get(number)) is not None:
            return known
        chunk = self._chunks[number]
        dataset = self._fetch(chunk)
        part = chunk.trim(dataset) if dataset is not None else None
        if part is None:
            self.lost = True
            raise ResultError(
                f"a part of this {self._request.kind} of {self.locus} isn't in the store any more (deleted, "
                "or evicted by another process): ask for it again, only what is missing is computed"
            )
        self._cache.put(number, part)
        return part


class _Stretch(BackendArray):
    """One variable of a result, between two bases, as xarray reads arrays from files."""

    def __init__(self, reader: ChunkReader, name: str, variable: xr.DataArray, start: int, end: int) -> None:
        self._reader, self._name, self._start = reader, name, start
        self._axis = variable.dims.index("position")
        self.dtype = variable.dtype
        shape = list(variable.shape)
        shape[self._axis] = end - start
        self.shape = tuple(shape)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        rows = key[self._axis]
        asked = range(self.shape[self._axis])[rows]
        chosen = [asked] if isinstance(asked, int) else asked
        first, last = (min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])) if len(chosen) else (0, -1)
        shape = list(self.shape)
        shape[self._axis] = last - first + 1
        out = np.empty(shape, dtype=self.dtype)
        if last >= first:
            self._reader.read(self._name, self._axis, out, self._start + first)
        if isinstance(asked, int):
            within: int | slice = 0
        else:
            within = slice(None) if asked.step == 1 else slice(None, None, asked.step)
        return out[(*key[: self._axis], within, *key[self._axis + 1 :])]
