"""The line above the tracks: how they are drawn, which are hidden, and what is being computed for them."""

from __future__ import annotations

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui
import param
from panel.custom import JSComponent
from panel.viewable import Viewer

from phenviz.app.shell.formatting import escaped, readable_share
from phenviz.app.shell.runs import Runs
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session, words_of
from phenviz.app.shell.state import ExploreState, region_text
from phenviz.app.widgets.parts import script, words

_STYLES = {"Heat map": "heatmap", "Areas": "areas"}
_LOGOS = {"Bases of the focus": "focus", "Contexts stacked": "stacked", "Focus minus others": "difference"}
_BAR_WIDTH = 90
_TRANSCRIPTS, _FIXED, _REGION, _MARKS = "transcripts", "fixed-scale", "region", "marks"
# ticked like tracks
_CHOICES = (
    [_TRANSCRIPTS, "All transcripts of genes"],
    [_FIXED, "Keep the scale of predicted activity"],
    [_REGION, "Mark this view as a region of interest"],
    [_MARKS, "Marked variant and regions"],
)


class TrackMenu(JSComponent):
    """A small menu of tracks to tick, and one line about data that could be fetched."""

    tracks = param.List(default=[], doc="Pairs of name and label.")
    hidden = param.List(default=[])
    note = param.String(default="")
    action = param.String(default="", doc="Label of the button under the note; empty for none.")
    pressed = param.Integer(default=0)

    _esm = script("widgets/track_menu.js")

    def _handle_msg(self, message: dict) -> None:
        if "hidden" in message:
            known = {name for name, _ in self.tracks}
            self.hidden = [name for name in message["hidden"] if name in known]
        elif message.get("action"):
            self.pressed += 1


class TrackToolbar(Viewer):
    """Style of the activity track, track menu, progress of the prediction, and what result is shown.

    Parameters
    ----------
    session
        Its timer looks at the prediction.
    state
        Style and hidden tracks are shown and set.
    runtime
        What predicts.
    runs
        The result on screen, which can be taken off.
    tracks
        Name and label of each track.
    high
        Returns the activity where the colours end now.
    """

    def __init__(
        self,
        session: Session,
        state: ExploreState,
        runtime: Runtime,
        runs: Runs,
        tracks: dict[str, str],
        high: Callable[[], float],
    ) -> None:
        super().__init__()
        self._session, self._state, self._runtime, self._runs = session, state, runtime, runs
        self._style = pmui.RadioButtonGroup(
            options=_STYLES, value=state.activity_style, size="small", margin=(0, 8, 0, 6), width=150,
            sx={"& button": {"fontSize": "12px", "py": "1px", "textTransform": "none"}},
        )  # fmt: skip
        self.menu = TrackMenu(
            tracks=_entries(tracks),
            hidden=self._unticked(),
            margin=(0, 8),
            align="center",
        )
        self._high = high
        self._logo = pmui.Select(
            options=_LOGOS, value=state.logo, size="small", width=150, margin=(0, 4), align="center",
            visible=False, css_classes=["logo-of"],
            sx={"& .MuiSelect-select": {"fontSize": "12px", "py": "3px"}},
        )  # fmt: skip
        self._logo.param.watch(lambda event: setattr(state, "logo", event.new), "value")
        self._result = words(margin=(0, 8), align="center")
        self._hide = pmui.Button(
            label="Hide result", variant="text", size="small", margin=0, visible=False,
            sx={"textTransform": "none", "py": "0px"}, css_classes=["hide-result"],
        )  # fmt: skip
        self._activity = words(margin=(0, 6), max_width=260, align="center")
        self._style.param.watch(lambda event: setattr(state, "activity_style", event.new), "value")
        self._offers: dict[str, tuple[str, str, Callable[[], None]]] = {}
        self.menu.param.watch(lambda event: self._take_ticks(event.new), "hidden")
        self.menu.param.watch(lambda _event: self._accept_offers(), "pressed")
        self._hide.on_click(lambda _event: runs.hide())
        state.param.watch(
            self._follow,
            ["activity_style", "hidden", "high", "logo", "transcripts", "regions", "mark", "settled"],
        )
        runs.param.watch(self._name_result, ["changed", "dataset", "current"])
        session.on_tick(self._tell_activity)
        self._tell_activity()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(
            self._style, self.menu, self._logo, self._result, self._hide, self._activity,
            sizing_mode="stretch_width", height=30, margin=(2, 0),
        )  # fmt: skip

    def list_tracks(self, tracks: dict[str, str]) -> None:
        """Offer these tracks in the menu, by name and label."""
        if (entries := _entries(tracks)) != self.menu.tracks:
            self.menu.tracks = entries

    def offer(self, note: str, action: str, on_press: Callable[[], None], *, track: str = "") -> None:
        """Tell in the menu what could be fetched for a track, with a button that does it.

        Parameters
        ----------
        note, action
            What is said, and the label of the button; "" for nothing.
        on_press
            What the button does.
        track
            Name of the track: a later offer for it takes the place of an earlier one.
        """
        self._offers[track] = note, action, on_press
        told = [offer for offer in self._offers.values() if offer[0]]
        actions = [offer[1] for offer in told if offer[1]]
        self.menu.param.update(
            note=" ".join(offer[0] for offer in told), action=actions[0] if actions else ""
        )

    def _accept_offers(self) -> None:
        for _note, action, on_press in list(self._offers.values()):
            if action:
                on_press()

    def _unticked(self) -> list[str]:
        state = self._state
        one, follows = state.transcripts == "one", state.high == 0
        unmarked = region_text(state.settled or state.locus) not in state.regions
        none = not (state.mark or state.regions)
        return [
            *state.hidden,
            *[_TRANSCRIPTS] * one, *[_FIXED] * follows, *[_REGION] * unmarked, *[_MARKS] * none,
        ]  # fmt: skip

    def _take_ticks(self, unticked: list[str]) -> None:
        state = self._state
        here = region_text(state.settled or state.locus)
        kept = tuple(text for text in state.regions if text != here)
        regions = kept if _REGION in unticked else (*kept, here)
        # unticked by hand: all marks go
        if _MARKS in unticked and _MARKS not in self._unticked():
            regions, state.mark = (), ""
        choices = {name for name, _label in _CHOICES}
        self._state.param.update(
            hidden=tuple(name for name in unticked if name not in choices),
            transcripts="one" if _TRANSCRIPTS in unticked else "all",
            regions=regions,
            high=0.0 if _FIXED in unticked else self._state.high or self._high(),
        )

    def _follow(self, *_events: object) -> None:
        self._style.value = self._state.activity_style
        self.menu.hidden = self._unticked()
        self._logo.value = self._state.logo

    def _name_result(self, *_events: object) -> None:
        run = self._runs.current
        self._hide.visible = run is not None
        self._logo.visible = (
            run is not None and run.request.kind == "mutagenesis" and len(run.request.contexts) > 1
        )
        if run is None:
            self._result.object = ""
            return
        mark = ""
        if self._runs.partial:
            share = readable_share(run.job.progress)
            mark = f" <span class='partial' data-testid='partial'>partial, {share}</span>"
        self._result.object = (
            f"<div class='one-line'><span class='quiet' data-testid='shown'>"
            f"{escaped(run.request.title)}</span>{mark}</div>"
        )

    def _tell_activity(self) -> None:
        if self._runtime.failure is not None:
            text = f"<span class='failed' role='alert'>{escaped(words_of(self._runtime.failure))}</span>"
        elif self._runtime.service is None:
            text = "<span class='quiet'>Loading the model…</span>"
        elif self._runtime.activity.error is not None:
            text = "<span class='failed' role='alert'>Predicting failed; move the view to try again.</span>"
        else:
            text = self._progress(self._runtime.activity.covered(self._session))
        html = f"<div data-testid='activity-status' class='one-line' style='text-align: right'>{text}</div>"
        if html != self._activity.object:
            self._activity.object = html

    def _progress(self, share: float) -> str:
        if share >= 1:
            return "<span class='quiet' data-testid='activity-ready'>Activity predicted</span>"
        done = round(_BAR_WIDTH * share)
        return (
            f"<span class='quiet'>Predicting activity {share:.0%}</span> "
            f"<svg width='{_BAR_WIDTH}' height='4' style='vertical-align: middle' aria-hidden='true'>"
            f"<rect width='{_BAR_WIDTH}' height='4' rx='2' fill='currentColor' opacity='0.15'/>"
            f"<rect width='{done}' height='4' rx='2' fill='var(--panel-primary-color)'/></svg>"
        )


def _entries(tracks: dict[str, str]) -> list[list[str]]:
    return [*(list(pair) for pair in tracks.items()), *_CHOICES]
