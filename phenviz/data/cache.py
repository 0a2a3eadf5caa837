"""Where PhenViz keeps what it can make or fetch again: on disk, and in memory up to a limit."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar
from weakref import WeakSet

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


class MemoryLimit:
    """Bytes that several caches hold together at most; beyond, what wasn't used for longest goes, wherever.

    A cache that nobody holds any more doesn't count.

    Parameters
    ----------
    limit
        Sum over the caches.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.lock = threading.RLock()
        self._caches: WeakSet[RecentlyUsed[Any, Any]] = WeakSet()
        self._uses = itertools.count()

    @property
    def held(self) -> int:
        """Bytes that the caches hold now."""
        with self.lock:
            return sum(cache.held for cache in self._caches)

    def join(self, cache: RecentlyUsed[Any, Any]) -> None:
        """Count a cache from now on; its sizes are bytes."""
        with self.lock:
            self._caches.add(cache)

    def use(self) -> int:
        """Return a number that is larger than that of any use before."""
        return next(self._uses)

    def keep(self, latest: RecentlyUsed[Any, Any]) -> None:
        """Let go of values until the limit is kept; never of the one that was put last, in this cache."""
        with self.lock:
            caches = list(self._caches)
            excess = sum(cache.held for cache in caches) - self.limit
            while excess > 0 and (others := [one for one in caches if len(one) > (one is latest)]):
                excess -= min(others, key=lambda one: one.oldest).forget_oldest()


# of all caches of a process that are measured in bytes
MEMORY = MemoryLimit(2 * 2**30)


class RecentlyUsed(Generic[K, V]):
    """Values in memory, from any thread; beyond the limit, what wasn't used for longest is forgotten.

    The value that was put last is always kept.

    Parameters
    ----------
    limit
        Sum of the sizes.
    size
        Of a value, in the unit of the limit; by default each is 1.
    shared
        What other caches count against, too, where sizes are bytes; see `MEMORY`.
    """

    def __init__(
        self, limit: int, size: Callable[[V], int] = lambda value: 1, shared: MemoryLimit | None = None
    ) -> None:
        self._limit, self._size, self._shared = limit, size, shared
        self._lock = threading.RLock() if shared is None else shared.lock
        # with size and last use, the least recent first
        self._values: OrderedDict[K, tuple[V, int, int]] = OrderedDict()
        self.held = 0
        if shared is not None:
            shared.join(self)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        with self._lock:
            return key in self._values

    @property
    def oldest(self) -> int:
        """Number of the use that is longest ago (`MemoryLimit.use`); there must be a value."""
        return next(iter(self._values.values()))[2]

    def get(self, key: K) -> V | None:
        """Return a value; None if it isn't there."""
        with self._lock:
            if (known := self._values.get(key)) is None:
                return None
            value, size, _ = known
            self._values[key] = (value, size, self._now())
            self._values.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> bool:
        """Keep a value, in place of one of the same key; True, as a store tells whether it kept something."""
        with self._lock:
            if key in self._values:
                self.held -= self._values.pop(key)[1]
            size = self._size(value)
            self._values[key] = (value, size, self._now())
            self.held += size
            while len(self._values) > 1 and self.held > self._limit:
                self.forget_oldest()
            if self._shared is not None:
                self._shared.keep(self)
        return True

    def forget_oldest(self) -> int:
        """Let go of the value that wasn't used for longest, and return its size."""
        with self._lock:
            _, size, _ = self._values.popitem(last=False)[1]
            self.held -= size
            return size

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.held = 0

    def _now(self) -> int:
        return 0 if self._shared is None else self._shared.use()
