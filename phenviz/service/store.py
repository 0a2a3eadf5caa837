"""Finished results on disk, found by what they are made of.

Each entry is one plain netCDF file ``<key>.<sha256 of the file>.nc``: one rename puts it in place, so a
crash never leaves half of it; the name itself says what the bytes must be; and another process that writes
the same entry at the same time does no harm. (Caches from the shelf were judged: the common one pickles and
isn't kept any more, and HTTP or function caches know no xarray.)
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import threading
import time
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

# loaded now, or xarray would load it at the first write, while a user waits for the first result
import h5netcdf  # type: ignore[import-untyped]  # noqa: F401
import numpy as np
import xarray as xr

from phenviz.data.cache import cache_dir
from phenviz.errors import DataError, ResultError
from phenviz.results import load, save

LIMIT_VARIABLE = "PHENVIZ_STORE_LIMIT"
DEFAULT_LIMIT = 5 * 10**9
# evicting a little more than is needed saves looking at the whole folder at each of the next writes
_FILL_AFTER_EVICTION = 0.9
_ABANDONED_SECONDS = 3600
_SIZE = re.compile(r"(\d[\d_]*(?:\.\d*)?(?:E\+?\d+)?)\s*(?:([KMGT])(I?))?B?")

logger = logging.getLogger(__name__)


class _Entry(NamedTuple):
    path: Path
    size: int


class Hold:
    """Entries that their store keeps for as long as this object lives, whatever the store's limit is."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = frozenset(keys)


def canonical_key(parts: Mapping[str, Any]) -> str:
    """Hash what a result is made of.

    Parameters
    ----------
    parts
        Model hashes, assembly, reference, locus, parameters...: text, numbers, None, and lists, mappings,
        arrays and dataclasses of these.

    Returns
    -------
    str
        sha256 of the canonical JSON, 64 hexadecimal digits.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_plain, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class ResultStore:
    """Results on disk, up to a size; what wasn't used for longest goes first.

    Safe for many threads and many processes on the same folder. A store that can't be written to (full
    disk, no permission) never fails a computation: the result just isn't kept.

    Parameters
    ----------
    folder
        Where entries are kept; ``results`` in PhenViz' cache by default.
    limit
        Size in bytes; by default the environment's ``PHENVIZ_STORE_LIMIT`` (bytes, or ``20GB``), or 5 GB.
        0 keeps nothing.

    Raises
    ------
    DataError
        If ``PHENVIZ_STORE_LIMIT`` is no size.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, limit: int | None = None) -> None:
        self.folder = Path(folder) if folder is not None else cache_dir("results")
        self.limit = _limit_of_environment() if limit is None else int(limit)
        self._lock = threading.RLock()
        # in order of use, least recent first
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._size = 0
        self._holds: weakref.WeakSet[Hold] = weakref.WeakSet()
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._rescan()

    @property
    def size(self) -> int:
        """Bytes of all entries that this process knows of."""
        with self._lock:
            return self._size

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return self._find(key) is not None

    def get(self, key: str) -> xr.Dataset | None:
        """Return an entry, in memory and checked; None if it isn't there or can't be read.

        One that is damaged is deleted, too; one that the system can't read now (memory or file handles ran
        out, the disk fails) stays.
        """
        entry = self._find(key)
        if entry is None:
            return None
        try:
            if _checksum(entry.path) != _checksum_in_name(entry.path):
                raise DataError("its checksum is wrong")
            dataset = load(entry.path)
        except Exception as error:
            self._lose(key, entry, error)
            return None
        self._touch(key, entry)
        return dataset

    def put(self, key: str, dataset: xr.Dataset) -> bool:
        """Keep a result; tell whether it was kept."""
        if self.limit <= 0:
            return False
        # the suffix of results.save decides about the format, so that of the unfinished file is .nc too
        part = self.folder / f".part-{os.getpid()}-{uuid.uuid4().hex}.nc"
        try:
            # again, as the user may have deleted it since
            self.folder.mkdir(parents=True, exist_ok=True)
            save(dataset, part)
            size = part.stat().st_size
            if size > self.limit:
                logger.info("a result of %d bytes doesn't fit into the store of %d bytes", size, self.limit)
                return False
            path = self._path(key, _checksum(part))
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(part, path)
        except (OSError, ResultError) as error:
            logger.warning("a result can't be kept in %s: %s", self.folder, error)
            return False
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        self._adopt(key, _Entry(path, size))
        return True

    def hold(self, keys: Iterable[str]) -> Hold:
        """Evict none of these entries, there already or to come, while what is returned lives.

        It binds this process only: another one with a store on the same folder may still evict them.
        """
        hold = Hold(keys)
        with self._lock:
            self._holds.add(hold)
        return hold

    def discard(self, key: str) -> None:
        """Delete an entry if it is there."""
        for path in self.folder.glob(f"{key[:2]}/{key}.*.nc"):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        self._forget(key)

    def clear(self) -> None:
        """Delete all entries."""
        self._rescan()
        with self._lock:
            for key in list(self._entries):
                self.discard(key)

    def _path(self, key: str, checksum: str) -> Path:
        return self.folder / key[:2] / f"{key}.{checksum}.nc"

    def _find(self, key: str) -> _Entry | None:
        with self._lock:
            entry = self._entries.get(key)
        if entry is not None and entry.path.exists():
            return entry
        # another process may have written it, or written it anew
        for path in self.folder.glob(f"{key[:2]}/{key}.*.nc"):
            with contextlib.suppress(OSError):
                entry = _Entry(path, path.stat().st_size)
                self._adopt(key, entry)
                return entry
        self._forget(key)
        return None

    def _adopt(self, key: str, entry: _Entry) -> None:
        with self._lock:
            known = self._entries.pop(key, None)
            self._size += entry.size - (known.size if known else 0)
            self._entries[key] = entry
            if known is not None and known.path != entry.path:
                with contextlib.suppress(OSError):
                    known.path.unlink(missing_ok=True)
            if self._size > self.limit:
                self._evict()

    def _lose(self, key: str, entry: _Entry, error: Exception) -> None:
        """Do what is right with an entry that couldn't be read: forget, keep or delete it."""
        if not entry.path.exists():
            # another process evicted it between our look and our read
            self._forget(key)
        elif _fault_of_the_system(error):
            logger.warning("result %s can't be read now (%s): it is computed again", entry.path.name, error)
        else:
            logger.warning(
                "result %s is damaged (%s): it is deleted and computed again", entry.path.name, error
            )
            self.discard(key)

    def _touch(self, key: str, entry: _Entry) -> None:
        with contextlib.suppress(OSError):
            # the time of the last use, for other processes and for the next start
            os.utime(entry.path)
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)

    def _forget(self, key: str) -> None:
        with self._lock:
            entry = self._entries.pop(key, None)
            self._size -= entry.size if entry else 0

    def _evict(self) -> None:
        self._rescan()
        held = frozenset[str]().union(*(hold.keys for hold in self._holds))
        free = [key for key in self._entries if key not in held]
        # what was put last stays, even if it is all there is
        newest = next(reversed(self._entries), None)
        for key in free:
            if self._size <= self.limit * _FILL_AFTER_EVICTION or key == newest:
                return
            entry = self._entries.pop(key)
            self._size -= entry.size
            with contextlib.suppress(OSError):
                entry.path.unlink(missing_ok=True)

    def _rescan(self) -> None:
        """Read the folder anew: other processes write and delete there, too."""
        with self._lock:
            found = []
            for path in self.folder.glob("??/*.nc"):
                with contextlib.suppress(OSError):
                    stat = path.stat()
                    found.append((stat.st_mtime_ns, path, stat.st_size))
            self._entries.clear()
            for _, path, size in sorted(found):
                self._entries[path.name.split(".")[0]] = _Entry(path, size)
            self._size = sum(entry.size for entry in self._entries.values())
        self._sweep()

    def _sweep(self) -> None:
        for path in self.folder.glob(".part-*.nc"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink(missing_ok=True)


def parse_size(text: str) -> int:
    """Read a size in bytes: ``5000000``, ``500 MB``, ``5GB`` (10^9), ``5 GiB`` (2^30).

    Raises
    ------
    DataError
        If the text is no size.
    """
    try:
        if (match := _SIZE.fullmatch(text.strip().upper())) is None:
            raise ValueError
        digits, prefix, binary = match.groups()
        power = "KMGT".index(prefix) + 1 if prefix else 0
        return int(float(digits) * (2**10 if binary else 10**3) ** power)
    except (ValueError, OverflowError):
        raise DataError(f"{text!r} is no size: write bytes, or 500MB, 5GB, 5GiB") from None


def _limit_of_environment() -> int:
    text = os.environ.get(LIMIT_VARIABLE)
    if not text:
        return DEFAULT_LIMIT
    try:
        return parse_size(text)
    except DataError as error:
        raise DataError(f"environment variable {LIMIT_VARIABLE}: {error}") from None


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum_in_name(path: Path) -> str:
    return path.name.split(".")[1]


def _fault_of_the_system(error: BaseException | None) -> bool:
    """Tell whether an error, or one that led to it, says nothing about the file that was read."""
    while error is not None:
        # HDF5 calls a damaged file an OSError, too, but without a number
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            return True
        error = error.__cause__ or error.__context__
    return False


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        # what doesn't count when two requests are compared is no part of what is asked for
        return {field.name: getattr(value, field.name) for field in fields(value) if field.compare}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"array": digest, "shape": value.shape, "dtype": str(value.dtype)}
    raise TypeError(f"{type(value).__name__} {value!r} can't be part of a result's key")
