"""Where files of the user's own are dropped to be drawn, and removed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from phenviz.app.explore.own_tracks import TRACK_SUFFIXES, OwnTracks
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session
from phenviz.app.widgets.file_drop import FileDrop
from phenviz.data.own_tracks import OwnTrack


class OwnTrackList(Viewer):
    """A drop zone, and below it the tracks that have come from it, each with a button that removes it.

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
        self.tracks = OwnTracks(session, runtime, self._follow, self._say)
        self.drop = FileDrop(
            self.tracks.own.folder, self.tracks.take, suffixes=",".join((*TRACK_SUFFIXES, ".gz")),
            title="Drop a track here", hint="bigWig, BED or narrowPeak, or press to choose one. It stays on "
            "this machine, and is removed with this tab.", sizing_mode="stretch_width", margin=(4, 0),
        )  # fmt: skip
        self._list = pn.Column(sizing_mode="stretch_width", margin=0)
        self.tracks.start()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(self.drop, self._list, sizing_mode="stretch_width", margin=(4, 12, 12, 12))

    def join(self, tab: str) -> None:
        """Show what this tab has handed over already, before a reload."""
        self.tracks.join(tab)
        self.drop.folder = self.tracks.own.folder

    def _follow(self, tracks: Sequence[OwnTrack]) -> None:
        self._list[:] = [self._button(track) for track in self.tracks.own.tracks]
        self._show(tracks)

    def _button(self, track: OwnTrack) -> pmui.Button:
        button = pmui.Button(
            label=f"Remove {track.label}", icon="close", variant="text", size="small", margin=0,
            sizing_mode="stretch_width", css_classes=["remove-track"],
            sx={"textTransform": "none", "justifyContent": "flex-start", "overflowWrap": "anywhere"},
        )  # fmt: skip
        button.on_click(partial(self._remove, track.name))
        return button

    def _remove(self, name: str, _event: object) -> None:
        self.tracks.remove(name)

    def _say(self, text: str, failed: bool) -> None:
        self.drop.param.update(note=text, failed=failed)
