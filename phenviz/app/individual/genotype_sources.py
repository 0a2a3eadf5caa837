"""Whose genomes a session can look at: those of the world, of the server's folder, and its own uploads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from phenviz.app.shell.own_file import OwnFile
from phenviz.app.shell.state import UPLOAD
from phenviz.app.shell.uploads import PrivateFolder, files_of
from phenviz.data.packs import find_pack
from phenviz.errors import DataError

if TYPE_CHECKING:
    from phenviz.variation import Individual, Individuals
    from phenviz.world import World

__all__ = ["MORE", "UPLOAD", "WORLD", "People"]

WORLD = "world"
# those of the data pack that adds people to the world's
MORE = "more"
_FOLDER = "file:"


class People:
    """Individuals by source; what a session has read of its own file goes with it.

    Parameters
    ----------
    world
        Its individuals, if it has any, and the reference that all files are read against.
    folder
        The server's folder of VCFs that everybody may look at; None for none.
    """

    def __init__(self, world: World, folder: Path | None = None) -> None:
        self._world, self._folder = world, folder
        self.own = OwnFile()
        self._opened: dict[str, Individuals] = {}

    @property
    def uploads(self) -> PrivateFolder:
        """Where files come in."""
        return self.own.folder

    def sources(self) -> list[tuple[str, str]]:
        """Return key and title of each source."""
        found = []
        if self._world.project.individuals:
            found.append((WORLD, "The world's individuals"))
        if self._more is not None:
            found.append((MORE, f"{find_pack(self._world.project.more_individuals).title} (data pack)"))
        found += [(f"{_FOLDER}{path.name}", f"{path.name} (server)") for path in files_of(self._folder)]
        title = self.own.path.name if self.own.path is not None else "A VCF of your own"
        return [*found, (UPLOAD, title)]

    @property
    def _more(self) -> Path | None:
        """The file of the people that a data pack adds; None where there is none, or it isn't here."""
        project = self._world.project
        added = project.every_individual()[len(project.individuals) :]
        return added[0] if added else None

    @property
    def first(self) -> str:
        """Key of the source that a page opens with."""
        return self.sources()[0][0]

    def take(self, path: Path) -> None:
        """Make an uploaded file the one that `UPLOAD` means; an earlier one is removed."""
        self.own.take(path)
        self._opened.pop(UPLOAD, None)

    def have(self, own: OwnFile) -> None:
        """Look at what the tab has handed over to another page."""
        self.own = own
        self._opened.pop(UPLOAD, None)

    def open(self, source: str) -> Individuals | None:
        """Open a source; None for an upload that hasn't come yet.

        Raises
        ------
        DataError
            If there is no such source, or it can't be read.
        """
        if source not in self._opened:
            path, individuals = self.own.path, self._open(source)
            if individuals is None:
                return None
            if source == UPLOAD and path != self.own.path:
                return individuals  # another file has come meanwhile
            self._opened[source] = individuals
        return self._opened[source]

    def samples(self, source: str) -> pd.DataFrame:
        """Return who is in a source: columns sample, population, superpopulation."""
        individuals = self.open(source)
        if individuals is None:
            return pd.DataFrame({"sample": [], "population": [], "superpopulation": []}, dtype=object)
        return individuals.samples

    def unknown(self, source: str, sample: str) -> str:
        """Say that a source that has been opened doesn't have somebody."""
        from phenviz.variation.individuals import nearest_samples

        opened = self._opened.get(source)
        known = opened.samples["sample"].tolist() if opened is not None else []
        near = nearest_samples(sample, known)
        hint = f"did you mean {' or '.join(near)}?" if near else "choose somebody from the list"
        where = "this world" if source == WORLD else dict(self.sources()).get(source, "this source")
        return f"{where} has no person {sample!r}: {hint}"

    def notes(self, source: str) -> tuple[str, ...]:
        """Say what a user should know about how a source is read; nothing before it is opened."""
        opened = self._opened.get(source)
        return opened.notes if opened is not None else ()

    def in_words(self, text: str) -> str:
        """Return a message with files by their names: where they lie on the server concerns nobody."""
        folders = [self._folder, self.own.path.parent if self.own.path is not None else None]
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
        """Forget everybody, and let go of what was uploaded: the tab's last page removes it."""
        self._opened.clear()
        own, self.own = self.own, OwnFile()
        own.leave()

    def _open(self, source: str) -> Individuals | None:
        if source == WORLD:
            if self._world.individuals is None:
                raise DataError(f"world {self._world.name!r} has no individuals: drop a VCF of your own")
            return self._world.individuals
        if source == MORE and (more := self._more) is not None:
            return self._read(more)
        if source == UPLOAD:
            return self._read(self.own.path) if self.own.path is not None else None
        known = {f"{_FOLDER}{path.name}": path for path in files_of(self._folder)}
        if source not in known:
            raise DataError(
                f"the server's folder has no file {source.removeprefix(_FOLDER)[:100]!r}: choose another"
            )
        return self._read(known[source])

    def _read(self, path: Path) -> Any:
        from phenviz.variation import open_individuals

        return open_individuals(path, self._world.reference)
