"""Where files of the user's own are dropped to be drawn, put in order and removed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import panel as pn
import param
from panel.custom import JSComponent
from panel.viewable import Viewer

from phenviz.app.explore.own_tracks import TRACK_SUFFIXES, OwnTracks
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session
from phenviz.app.widgets.file_drop import FileDrop
from phenviz.app.widgets.parts import script
from phenviz.data.own_tracks import OwnTrack

_GONE = "gone: choose {} again. Tracks are kept for their own tab only, and as long as that is open"


class OwnTrackRows(JSComponent):
    """The tracks of a tab, with buttons that move and remove them.

    Parameters
    ----------
    on_message
        Called with what was pressed, and once with the names of the files that the tab had before a reload.
    """

    rows = param.List(default=[], doc="Pairs of name and label.")
    compared = param.Boolean(
        default=False, doc="Whether what the tab had before is known, and may be forgotten."
    )

    _esm = script("explore/own_track_rows.js")

    def __init__(self, on_message: Callable[[dict], None], **params: object) -> None:
        super().__init__(**params)
        self._on_message = on_message

    def _handle_msg(self, message: dict) -> None:
        self._on_message(message)


class OwnTrackList(Viewer):
    """A drop zone, and below it the tracks that have come from it.

    Parameters
    ----------
    session, runtime
        As for `OwnTracks`.
    show
        Takes all tracks, whenever they change.
    """

    def __init__(
        self, session: Session, runtime: Runtime, show: Callable[[Sequence[OwnTrack]], None]
    ) -> None:
        super().__init__()
        self._show = show
        self._had: list[str] | None = None
        self._joined = False
        self.tracks = OwnTracks(session, runtime, self._follow, self._say)
        self.drop = FileDrop(
            self.tracks.own.folder, self.tracks.take, suffixes=",".join((*TRACK_SUFFIXES, ".gz")),
            title="Drop a track here", hint="bigWig, BED or narrowPeak, or press to choose one. It stays on "
            "this machine, and is removed with this tab.", sizing_mode="stretch_width", margin=(4, 0),
        )  # fmt: skip
        self.rows = OwnTrackRows(
            # what a component of ours hears comes without the lock that figures need
            lambda message: session.run_soon(lambda: self._heard(message)),
            sizing_mode="stretch_width",
            margin=0,
        )
        self.tracks.start()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(self.drop, self.rows, sizing_mode="stretch_width", margin=(4, 12, 12, 12))

    def join(self, tab: str) -> None:
        """Show what this tab has handed over already, before a reload."""
        self.tracks.join(tab)
        self.drop.folder = self.tracks.own.folder
        self._joined = True
        self._compare()

    def _follow(self, tracks: Sequence[OwnTrack]) -> None:
        self.rows.rows = [[track.name, track.label] for track in self.tracks.own.tracks]
        self._show(tracks)

    def _heard(self, message: dict) -> None:
        if "remove" in message:
            self.tracks.remove(str(message["remove"]))
        elif "move" in message:
            self.tracks.move(str(message["move"]), int(message["by"]))
        elif "kept" in message:
            self._had = [str(label) for label in message["kept"]]
            self._compare()

    def _compare(self) -> None:
        """Say which tracks the tab had before, and the server has no more, because it was started anew."""
        if not self._joined or self._had is None or self.rows.compared:
            return
        here = {track.label for track in self.tracks.own.tracks}
        gone = [label for label in self._had if label not in here]
        if gone:
            which = f"Your track {gone[0]} is" if len(gone) == 1 else f"Your tracks {', '.join(gone)} are"
            self._say(f"{which} {_GONE.format('it' if len(gone) == 1 else 'them')}", True)
        self.rows.compared = True

    def _say(self, text: str, failed: bool) -> None:
        self.drop.param.update(note=text, failed=failed)
