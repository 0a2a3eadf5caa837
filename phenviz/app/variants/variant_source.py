"""Which variants are scored: those of a region, pasted lines, or a VCF; and how far that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from phenviz.app.shell.formatting import escaped, readable_seconds
from phenviz.app.shell.session import Session
from phenviz.app.shell.state import VariantsState
from phenviz.app.variants.variant_run import PASTED, REGION, UPLOAD, VariantRun
from phenviz.app.widgets.file_drop import FileDrop
from phenviz.app.widgets.parts import words
from phenviz.errors import DataError

_PLACEHOLDER = "One per line:\n20:1600925:G:A\nchr20-4157072-C-G\nrs6116042"
# characters: as many lines as are parsed, of 50 each, and a fraction of what fits into one message
_LONGEST = 5_000_000
_SAID = {
    REGION: "All variants of the world's individuals in the view.",
    PASTED: "Lines such as 20:1600925:G:A, or rsIDs of the world's individuals.",
    UPLOAD: "All variants of a file of your own, whoever carries them.",
}


class VariantSource(Viewer):
    """The form on the left.

    Parameters
    ----------
    session
        Its timer looks at the computation.
    state
        Where variants come from is shown and set.
    run
        Started and cancelled.
    drop
        Takes a file.
    missing
        Says what became of a file that isn't here any more; "" where nothing is missing.
    """

    def __init__(
        self,
        session: Session,
        state: VariantsState,
        run: VariantRun,
        drop: FileDrop,
        missing: Callable[[], str] = lambda: "",
    ) -> None:
        super().__init__()
        self._state, self._run, self._drop, self._missing = state, run, drop, missing
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": (4, 0)}
        self._origin = pmui.Select(options={}, label="Variants of", size="small", **wide)
        self._lines = pmui.TextAreaInput(
            value=state.lines, placeholder=_PLACEHOLDER, label="", rows=6, size="small",
            # a browser cuts longer text without a word: one more tells that there was more
            max_length=_LONGEST + 1, css_classes=["variant-lines"], **wide,
        )  # fmt: skip
        self._said, self._told = words(**wide), words(min_height=36, **wide)
        self._score = pmui.Button(
            label="Score variants", icon="play_arrow", color="primary", size="small",
            sizing_mode="stretch_width", margin=(2, 4, 2, 0),
        )  # fmt: skip
        self._cancel = pmui.Button(
            label="Cancel", variant="outlined", color="default", size="small", width=84, margin=(2, 0),
        )  # fmt: skip
        self._bar = pmui.LinearProgress(
            value=0, variant="determinate", sizing_mode="stretch_width", margin=(6, 0, 2, 0)
        )
        self._origin.param.watch(self._choose, "value")
        self._score.on_click(lambda _event: session.safely(self._start))
        self._cancel.on_click(lambda _event: run.cancel())
        state.param.watch(self._follow, ["origin", "lines"])
        run.param.watch(self._draw, ["changed"])
        session.on_tick(self._draw)

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            self._origin, self._said, self._lines, self._drop,
            pn.Row(self._score, self._cancel, sizing_mode="stretch_width", margin=0),
            self._bar, self._told, sizing_mode="stretch_width", margin=(12, 12, 4, 12),
        )  # fmt: skip

    def offer(self, origins: list[tuple[str, str]]) -> None:
        """Set the sources that can be chosen: key and title of each."""
        self._origin.options = {title: key for key, title in origins}
        self._follow()

    def _choose(self, _event: object) -> None:
        if self._origin.value:
            self._state.origin = self._origin.value

    def _start(self) -> None:
        if self._state.origin == PASTED:
            text = str(self._lines.value_input or self._lines.value or "")
            if len(text) > _LONGEST:
                raise DataError(
                    f"the pasted lines have more than {_LONGEST:,} characters: put them into a VCF file"
                )
            self._state.lines = text
        self._run.ask()

    def _follow(self, *_events: object) -> None:
        origin = self._state.origin
        self._origin.value = origin
        self._lines.visible, self._drop.visible = origin == PASTED, origin == UPLOAD
        if self._lines.value != self._state.lines:
            self._lines.value = self._state.lines
        self._said.object = f"<span class='quiet'>{_SAID.get(origin, 'A file on the server.')}</span>"
        self._draw()

    def _draw(self, *_events: object) -> None:
        run = self._run
        busy = run.status in ("queued", "running")
        self._bar.visible = busy
        self._cancel.disabled = not busy
        if busy and run.work is not None:
            self._bar.value = round(100 * run.work.progress)
        html = f"<div data-testid='variants-status' data-state='{run.status}'>{self._text()}</div>"
        if html != self._told.object:
            self._told.object = html

    def _text(self) -> str:
        run, work = self._run, self._run.work
        status = run.status
        if status == "failed":
            return f"<div class='failed' role='alert'><b>Failed.</b> {escaped(run.error)}</div>"
        if status in ("queued", "running") and work is not None:
            left = f", {readable_seconds(work.eta)} left" if work.eta else ""
            # capitalize() would write names of files in small letters
            stage = work.stage[:1].upper() + work.stage[1:]
            return f"{escaped(stage)}: {work.progress:.0%}{left}"
        if status == "cancelled":
            return "<span class='cancelled'><b>Cancelled.</b> What was scored stays, marked partial.</span>"
        stale = "<br>The view has moved: press the button to score what it shows now." if run.stale else ""
        how = "cancelled" if self._state.origin == PASTED else "quiet"
        told = [(how, line) for line in run.left_out.splitlines()]
        told += [("quiet", line) for line in run.report.splitlines()]
        report = "".join(f"<p class='{how}'>{escaped(line)}</p>" for how, line in told)
        return {
            "loading": "<span class='quiet'>Loading the model…</span>",
            "empty": self._nothing(),
            "waiting": "<span class='quiet'>Press the button to score the variants of this view.</span>",
            "done": f"<span class='done'><b>Done.</b></span>{stale}{report}",
        }.get(status, "")

    def _nothing(self) -> str:
        if missing := self._missing():
            return f"<div class='failed' role='alert'>{escaped(missing)}.</div>"
        return "<span class='quiet'>Nothing to score yet.</span>"
