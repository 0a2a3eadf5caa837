"""What the private jobs of one session have finished: in memory, and gone with the session."""

from __future__ import annotations

import threading
from collections import OrderedDict

import xarray as xr

# finished pieces of the views that a session looked at last
SESSION_BYTES = 2**28


class SessionStore:
    """Results about people, found like those of a `ResultStore`, but never written anywhere.

    Parameters
    ----------
    limit
        Size in bytes; what wasn't used for longest goes first.
    """

    def __init__(self, limit: int = SESSION_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        # in order of use, least recent first
        self._entries: OrderedDict[str, xr.Dataset] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._entries

    def get(self, key: str) -> xr.Dataset | None:
        """Return an entry; None if it isn't there."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: str, dataset: xr.Dataset) -> bool:
        """Keep a result; tell whether it was kept."""
        with self._lock:
            self._entries[key] = dataset
            while len(self._entries) > 1 and self._size() > self._limit:
                self._entries.popitem(last=False)
        return True

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def _size(self) -> int:
        return sum(dataset.nbytes for dataset in self._entries.values())
