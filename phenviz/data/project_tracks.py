"""Tracks of the user's own, as a ``project.yaml`` names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phenviz.data.project_entries import WANTED, Entries

_FIELDS = ("name", "file", "colour")


@dataclass(frozen=True, slots=True)
class NamedTrack:
    """A file to draw.

    Parameters
    ----------
    name
        Shown.
    path
        bigWig, BED, narrowPeak or broadPeak.
    colour
        ``#rrggbb``; "" for one of the theme.
    """

    name: str
    path: Path
    colour: str = ""


def read_tracks(entries: Entries, key: str) -> tuple[NamedTrack, ...]:
    """Read names and files, or a list of names, files and colours."""
    value = entries.values[key]
    rows = (
        [{"name": name, "file": file} for name, file in value.items()] if isinstance(value, dict) else value
    )
    if not isinstance(rows, list) or not rows:
        raise entries.error(key, f"holds no tracks: {WANTED[key]}")
    tracks = tuple(_track(entries, key, row, number) for number, row in enumerate(rows, 1))
    names = [track.name for track in tracks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise entries.error(key, f"lists {twice[0]!r} twice: names of tracks are unique")
    return tracks


def _track(entries: Entries, key: str, row: Any, number: int) -> NamedTrack:
    if not isinstance(row, dict) or any(row.get(part) in (None, "") for part in ("name", "file")):
        raise entries.error(key, f"has an entry {number} without a name or a file: {WANTED[key]}")
    if unknown := sorted(set(map(str, row)) - set(_FIELDS)):
        raise entries.error(key, f"has an unknown field {unknown[0]!r}: known are {', '.join(_FIELDS)}")
    name = str(row["name"]).strip()
    colour = entries.colour(key, row["colour"], name) if row.get("colour") is not None else ""
    return NamedTrack(name, entries.file(key, row["file"]), colour)
