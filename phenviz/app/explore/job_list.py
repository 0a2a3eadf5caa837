"""The runs of this session, to come back to."""

from __future__ import annotations

import panel as pn
import param
from panel.custom import JSComponent
from panel.viewable import Viewer

from phenviz.app.shell.runs import Runs
from phenviz.app.shell.session import Session
from phenviz.app.shell.state import ExploreState
from phenviz.app.widgets.parts import script


class RunList(JSComponent):
    """Rows of title, detail and state; tells which was pressed."""

    rows = param.List(default=[])
    opened = param.String(default="")

    _esm = script("explore/job_list.js")

    def _handle_msg(self, message: dict) -> None:
        self.opened = ""
        self.opened = str(message["id"])


class JobList(Viewer):
    """All runs that this session started; a click shows one again.

    Parameters
    ----------
    session
        Its timer looks at the jobs.
    state
        The locus moves to the run that is opened.
    runs
        What is listed.
    """

    def __init__(self, session: Session, state: ExploreState, runs: Runs) -> None:
        super().__init__()
        self._session, self._state, self._runs = session, state, runs
        self._list = RunList(sizing_mode="stretch_width", margin=(0, 14, 14, 14))
        self._list.param.watch(
            # what a component of ours hears comes without the lock that figures need
            lambda event: session.run_soon(lambda: self._open(event.new)),
            "opened",
        )
        session.on_tick(self._draw)
        runs.param.watch(self._draw, ["all", "current"])

    def __panel__(self) -> pn.viewable.Viewable:
        return self._list

    def _draw(self, *_events: object) -> None:
        rows = [
            {
                "id": str(run.job.id),
                "title": run.request.title,
                "detail": str(run.request.locus),
                "state": run.job.state,
                "progress": round(run.job.progress, 2),
                "current": run is self._runs.current,
            }
            for run in self._runs.all
        ]
        if rows != self._list.rows:
            self._list.rows = rows

    def _open(self, job: str) -> None:
        for run in self._runs.all:
            if str(run.job.id) == job:
                self._state.locus = run.request.locus
                if (words := self._runs.open(run)) is not None:
                    self._session.say(words)
