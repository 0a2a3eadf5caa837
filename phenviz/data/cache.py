"""Where PhenViz keeps what it can make or fetch again."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "PHENVIZ_CACHE"


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


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside and rename it, so that a crash or a second process never leaves half of it."""
    # opened like any file, so that it gets the permissions that the user's umask leaves
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
