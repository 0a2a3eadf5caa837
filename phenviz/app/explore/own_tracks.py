"""Tracks of the user's own: those of the project, and files that a tab has handed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from phenviz.app.shell.own_file import OwnFile
from phenviz.app.shell.session import Session, words_of
from phenviz.app.shell.uploads import PrivateFolder, check_plain_name
from phenviz.data.own_tracks import INTERVAL_SUFFIXES, SIGNAL_SUFFIXES, OwnTrack, key_of_track, read_own_track
from phenviz.errors import DataError, PhenvizError

if TYPE_CHECKING:
    from phenviz.app.shell.runtime import Runtime

TRACK_SUFFIXES = (*SIGNAL_SUFFIXES, *INTERVAL_SUFFIXES)
_MOST_TRACKS = 20
_GZIP = b"\x1f\x8b"
_BIGWIG = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")


class TrackFolder(PrivateFolder):
    """Folder of one tab that tracks come into."""

    def check_name(self, name: str) -> None:
        """Raise a `DataError` unless a file name is plain and that of a track."""
        check_plain_name(name)
        if not name.lower().endswith(TRACK_SUFFIXES):
            raise DataError(f"{name} isn't a track by its name: {', '.join(TRACK_SUFFIXES)} are taken")

    def check_head(self, name: str, content: bytes) -> None:
        """Raise a `DataError` unless the first bytes are those of a bigWig, or of text, compressed or not."""
        if name.lower().endswith(SIGNAL_SUFFIXES):
            if not content.startswith(_BIGWIG):
                raise DataError(f"{name} doesn't begin like a bigWig: choose another file")
        elif not content.startswith(_GZIP) and b"\x00" in content[:4096]:
            raise DataError(f"{name} doesn't begin like BED or narrowPeak: choose another file")


@dataclass(eq=False)
class OwnTrackFiles(OwnFile):
    """The tracks that one tab has handed over, in the order in which they came.

    Parameters
    ----------
    tracks
        Each lies in the folder.
    """

    folder: PrivateFolder = field(default_factory=TrackFolder)
    tracks: list[OwnTrack] = field(default_factory=list)

    def hand_to(self, other: Self) -> None:
        """Move the tracks to another of the same tab."""
        for track in self.tracks:
            path = track.path.rename(other.folder.path / track.path.name)
            other.tracks[:] = [kept for kept in other.tracks if kept.name != track.name]
            other.tracks.append(replace(track, path=path))

    def leave(self) -> None:
        """Let go of them, as a page that is closed; the last one removes the files."""
        super().leave()
        if self._pages == 0:
            self.tracks.clear()


class OwnTracks:
    """Reads the tracks of the project and of the tab in the background, and hands them to the page.

    Parameters
    ----------
    session
        Brings them back to the page's thread.
    runtime
        World and background threads.
    show
        Takes all tracks, whenever they change.
    say
        Takes what is to be said about the file that came last, and whether something was wrong with it.
    """

    def __init__(
        self,
        session: Session,
        runtime: Runtime,
        show: Callable[[Sequence[OwnTrack]], None],
        say: Callable[[str, bool], None],
    ) -> None:
        self._session, self._runtime, self._show, self._say = session, runtime, show, say
        self._of_project: tuple[OwnTrack, ...] = ()
        self._reading = 0
        self.own = OwnTrackFiles()
        session.on_close(lambda: self.own.leave())

    @property
    def all(self) -> tuple[OwnTrack, ...]:
        """Those of the project first."""
        return (*self._of_project, *self.own.tracks)

    def start(self) -> None:
        """Read the tracks of the project, if it has any."""
        if self._runtime.world.project.tracks:
            future = self._runtime.background.submit(lambda: self._runtime.world.own_tracks)
            future.add_done_callback(lambda done: self._session.run_soon(lambda: self._take_project(done)))

    def join(self, tab: str) -> None:
        """Show what this tab has handed over already, before a reload."""
        self.own = self._runtime.own_tracks.join(tab, self.own)
        self._show(self.all)

    def take(self, path: Path) -> None:
        """Read a file that has come in, and show it; may be called from any thread."""
        self._session.run_soon(lambda: self._begin(path))

    def remove(self, name: str) -> None:
        """Show a track no more, and remove its file."""
        for track in self.own.tracks:
            if track.name == name:
                track.path.unlink(missing_ok=True)
        self.own.tracks[:] = [track for track in self.own.tracks if track.name != name]
        self._show(self.all)

    def move(self, name: str, by: int) -> None:
        """Draw a track so many places further down among the tab's own, at most at either end."""
        tracks = self.own.tracks
        here = next((place for place, track in enumerate(tracks) if track.name == name), None)
        if here is not None:
            tracks.insert(min(max(here + by, 0), len(tracks) - 1), tracks.pop(here))
            self._show(self.all)

    def _begin(self, path: Path) -> None:
        if len(self.own.tracks) + self._reading >= _MOST_TRACKS:
            path.unlink(missing_ok=True)
            self._say(f"There are {_MOST_TRACKS} tracks already: remove one first", True)
            return
        self._reading += 1
        self._say(f"Reading {path.name}…", False)
        future = self._runtime.background.submit(
            read_own_track, path, self._runtime.world.reference.contigs,
            name=key_of_track("own", path.name), label=path.name,
        )  # fmt: skip
        future.add_done_callback(lambda done: self._session.run_soon(lambda: self._take(path, done)))

    def _take(self, path: Path, done: Future[OwnTrack]) -> None:
        self._reading -= 1
        try:
            track = done.result()
        except Exception as error:
            # what had been there under this name was overwritten
            self.remove(key_of_track("own", path.name))
            path.unlink(missing_ok=True)
            # where it lies on the server is nobody's business
            self._say(words_of(error).replace(str(path), path.name), True)
            return
        self.own.tracks[:] = [*(kept for kept in self.own.tracks if kept.name != track.name), track]
        self._show(self.all)
        self._say("", False)

    def _take_project(self, done: Future[tuple[OwnTrack, ...]]) -> None:
        try:
            self._of_project = done.result()
        except PhenvizError as error:
            self._session.show_error(error)
            return
        self._show(self.all)
