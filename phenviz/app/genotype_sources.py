"""Whose genomes a session can look at: those of the world, of the server's folder, and its own uploads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from phenviz.app.uploads import PrivateFolder, files_of
from phenviz.errors import DataError

if TYPE_CHECKING:
    from phenviz.variation import Individual, Individuals
    from phenviz.world import World

WORLD, UPLOAD = "world", "upload"
_FOLDER = "file:"


class People:
    """Individuals by source; the private files of a session go with it.

    Parameters
    ----------
    world
        Its individuals, if it has any, and the reference that all files are read against.
    folder
        The server's folder of VCFs that everybody may look at; None for none.
    """

    def __init__(self, world: World, folder: Path | None = None) -> None:
        self._world, self._folder = world, folder
        self.uploads = PrivateFolder()
        self._uploaded: Path | None = None
        self._opened: dict[str, Individuals] = {}

    def sources(self) -> list[tuple[str, str]]:
        """Return key and title of each source."""
        found = []
        if self._world.project.individuals:
            found.append((WORLD, "The world's individuals"))
        found += [(f"{_FOLDER}{path.name}", f"{path.name} (server)") for path in files_of(self._folder)]
        title = self._uploaded.name if self._uploaded is not None else "A VCF of your own"
        return [*found, (UPLOAD, title)]

    @property
    def first(self) -> str:
        """Key of the source that a page opens with."""
        return self.sources()[0][0]

    def take(self, path: Path) -> None:
        """Make an uploaded file the one that `UPLOAD` means; an earlier one is removed."""
        if self._uploaded is not None and self._uploaded != path:
            self._uploaded.unlink(missing_ok=True)
        self._uploaded = path
        self._opened.pop(UPLOAD, None)

    def open(self, source: str) -> Individuals | None:
        """Open a source; None for an upload that hasn't come yet.

        Raises
        ------
        DataError
            If there is no such source, or it can't be read.
        """
        if source not in self._opened:
            individuals = self._open(source)
            if individuals is None:
                return None
            self._opened[source] = individuals
        return self._opened[source]

    def samples(self, source: str) -> pd.DataFrame:
        """Return who is in a source: columns sample, population, superpopulation."""
        individuals = self.open(source)
        if individuals is None:
            return pd.DataFrame({"sample": [], "population": [], "superpopulation": []}, dtype=object)
        return individuals.samples

    def notes(self, source: str) -> tuple[str, ...]:
        """Say what a user should know about how a source is read; nothing before it is opened."""
        opened = self._opened.get(source)
        return opened.notes if opened is not None else ()

    def in_words(self, text: str) -> str:
        """Return a message with files by their names: where they lie on the server concerns nobody."""
        folders = [self._folder, self._uploaded.parent if self._uploaded is not None else None]
        for folder in folders:
            text = text.replace(f"{folder}{os.sep}", "") if folder is not None else text
        return text

    def individual(self, source: str, sample: str) -> Individual:
        """Return one person.

        Raises
        ------
        DataError
            If the source doesn't have them.
        """
        individuals = self.open(source)
        if individuals is None:
            raise DataError("no VCF has been given yet: drop one into the box on the left")
        return individuals.individual(sample)

    def close(self) -> None:
        """Forget everybody, and remove what was uploaded."""
        self._opened.clear()
        self._uploaded = None
        self.uploads.close()

    def _open(self, source: str) -> Individuals | None:
        if source == WORLD:
            if self._world.individuals is None:
                raise DataError(f"world {self._world.name!r} has no individuals: drop a VCF of your own")
            return self._world.individuals
        if source == UPLOAD:
            return self._read(self._uploaded) if self._uploaded is not None else None
        known = {f"{_FOLDER}{path.name}": path for path in files_of(self._folder)}
        if source not in known:
            raise DataError(
                f"the server's folder has no file {source.removeprefix(_FOLDER)[:100]!r}: choose another"
            )
        return self._read(known[source])

    def _read(self, path: Path) -> Any:
        from phenviz.variation import open_individuals

        return open_individuals(path, self._world.reference)
