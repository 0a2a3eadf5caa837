"""Files without a published checksum: trusted when they first come, and verified from then on."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from phenviz.data.cache import write_whole
from phenviz.data.manifests import DataFile, Pack
from phenviz.errors import DataError

LOCK_NAME = "lock.json"


def locked(pack: Pack, folder: Path) -> Pack:
    """Return a pack with the sizes and checksums that its folder's lock file adds to the manifest.

    Raises
    ------
    DataError
        If the lock file is damaged.
    """
    if all(file.sha256 for file in pack.files):
        return pack
    known = _read(folder / LOCK_NAME)
    return replace(pack, files=tuple(_with_lock(file, known.get(file.name)) for file in pack.files))


def lock(file: DataFile, folder: Path, sha256: str, size: int, origin: str) -> None:
    """Remember a file that came for the first time."""
    known = _read(folder / LOCK_NAME)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    known[file.name] = {"bytes": size, "sha256": sha256, "origin": origin, "fetched": today}
    write_whole(folder / LOCK_NAME, json.dumps(known, indent=1, sort_keys=True).encode())


def _with_lock(file: DataFile, known: dict[str, Any] | None) -> DataFile:
    if file.sha256 or known is None:
        return file
    return replace(file, bytes=int(known["bytes"]), sha256=str(known["sha256"]))


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        for entry in known.values():
            int(entry["bytes"]), str(entry["sha256"])
        return dict(known)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}, which holds the checksums of this data pack, can't be read ({error}): remove the pack "
            "and fetch it again"
        ) from error
