"""How the run on screen is doing: stage, share, time left; done, failed or cancelled in words."""

from __future__ import annotations

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from phenviz.app.shell.formatting import escaped, readable_seconds, readable_share
from phenviz.app.shell.runs import LetGo, Run, Runs
from phenviz.app.widgets.parts import words

_HEIGHT = 78


class RunStatus(Viewer):
    """Progress bar and one or two lines; always as high, so that nothing below it moves.

    Parameters
    ----------
    runs
        Its current run is shown.
    """

    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self._runs = runs
        self._bar = pmui.LinearProgress(
            value=0, variant="determinate", sizing_mode="stretch_width", margin=(6, 0, 2, 0)
        )
        self._words = words()
        runs.param.watch(self._draw, ["changed", "current", "all"])
        self._draw()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(self._bar, self._words, min_height=_HEIGHT, sizing_mode="stretch_width", margin=0)

    def _draw(self, *_events: object) -> None:
        run = self._runs.current
        state = run.job.state if run is not None else "empty"
        self._bar.visible = state in ("queued", "running")
        if run is not None:
            self._bar.value = round(100 * run.job.progress)
        self._words.object = (
            f"<div data-testid='run-status' data-state='{state}'>{self._text(run, state)}</div>"
        )

    def _text(self, run: Run | None, state: str) -> str:
        if run is None:
            listed = "No result is on screen: press Run, or a run below."
            said = listed if self._runs.all else "Nothing has been run in this view yet."
            return f"<span class='quiet'>{said}</span>"
        job, title = run.job, f"<b>{escaped(run.request.title)}</b>"
        assert not isinstance(job, LetGo)  # that isn't on screen
        if state == "queued":
            return f"{title}<br>Waiting for a run before it"
        if state == "running":
            left = f", {readable_seconds(job.eta)} left" if job.eta else ""
            return f"{title}<br>{escaped(job.stage or 'Starting')}: {readable_share(job.progress)}{left}"
        if state == "failed":
            return f"{title}<div class='failed' role='alert'><b>Failed.</b> {escaped(job.error or '')}</div>"
        if state == "cancelled":
            kept = (
                "the finished part stays on screen, marked partial"
                if self._runs.partial
                else "nothing was finished"
            )
            share = readable_share(job.progress)
            return f"{title}<div class='cancelled'><b>Cancelled</b> at {share}: {kept}.</div>"
        return f"{title}<div class='done'><b>Done.</b> {escaped(run.request.locus)}</div>"
