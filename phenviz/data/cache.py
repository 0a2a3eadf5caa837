"""Where PhenViz keeps what it can make or fetch again: on disk, and in memory up to a limit."""

from __future__ import annotations

import os
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import platformdirs

from phenviz.progress import Progress

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

CACHE_VARIABLE = "PHENVIZ_CACHE"
_SECONDS_BETWEEN_LOOKS = 0.5


def cache_dir(*parts: str) -> Path:
    """Return the cache folder, or a folder inside it; made if it isn't there.

    Parameters
    ----------
    parts
        Names of nested folders (``"packs", "blood16-atac"``).

    Returns
    -------
    Path
        ``PHENVIZ_CACHE`` where that variable is set, else the user's cache folder of the platform.
    """
    folder = cache_root().joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_root() -> Path:
    """Return the cache folder without making it."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("phenviz", appauthor=False)


def cache_size() -> int:
    """Return the bytes that the cache takes on disk."""
    return sum(path.stat().st_size for path in cache_root().rglob("*") if path.is_file())


@contextmanager
def only_one(path: Path, progress: Progress) -> Iterator[None]:
    """Wait until no other process, of any user, does the same; then keep the others waiting.

    Parameters
    ----------
    path
        Of the lock file; it may stay, and is made writable for all.
    progress
        Looked at for a cancel while waiting.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(path, mode=0o666)
    while True:
        try:
            held.acquire(timeout=_SECONDS_BETWEEN_LOOKS)
            break
        except Timeout:
            progress.check()
    try:
        yield
    finally:
        held.release()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside and rename it, so that a crash or a second process never leaves half of it."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


class RecentlyUsed(Generic[K, V]):
    """Values in memory, from any thread; beyond the limit, what wasn't used for longest is forgotten.

    The value that was put last is always kept.

    Parameters
    ----------
    limit
        Sum of the sizes.
    size
        Of a value, in the unit of the limit; by default each is 1.
    """

    def __init__(self, limit: int, size: Callable[[V], int] = lambda value: 1) -> None:
        self._limit, self._size = limit, size
        self._lock = threading.Lock()
        # in order of use, least recent first
        self._values: OrderedDict[K, V] = OrderedDict()
        self._held = 0

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        with self._lock:
            return key in self._values

    def get(self, key: K) -> V | None:
        """Return a value; None if it isn't there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> bool:
        """Keep a value, in place of one of the same key; True, as a store tells whether it kept something."""
        with self._lock:
            if key in self._values:
                self._held -= self._size(self._values.pop(key))
            self._values[key] = value
            self._held += self._size(value)
            while len(self._values) > 1 and self._held > self._limit:
                self._held -= self._size(self._values.popitem(last=False)[1])
        return True

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._held = 0
