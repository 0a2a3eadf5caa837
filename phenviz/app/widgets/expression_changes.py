"""What variants change in the expression of genes, by tissue in anatomical order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
import xarray as xr
from numpy.typing import NDArray
from panel.viewable import Viewer

from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.job_view import PrivateJobs
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session, words_of
from phenviz.app.widgets.parts import FigurePane, words
from phenviz.genome.true_minus import true_minus
from phenviz.tracks import ExpressionMap

if TYPE_CHECKING:
    from phenviz.app.shell.state import IndividualState, VariantsState
    from phenviz.service import Job

_COLUMNS = {"Organ systems": "organs", "All tissues": "tissues"}
_NARROW = {"fontSize": "12px", "py": "1px", "px": "8px", "textTransform": "none", "whiteSpace": "nowrap"}
# of all changes, so many stand in words under the map
_STRONGEST = 6
# pixels of the table of those, and of what stands above the map in a narrow window
_TABLE_HEIGHT, _HEAD_HEIGHT = 172, 76
# what is smaller is rounding
_LEAST = 5e-5
Rows = tuple[list[str], NDArray[Any]]


class ExpressionChanges(Viewer):
    """A heat map of genes by tissues, and its strongest changes in words.

    Parameters
    ----------
    session
        Brings what is computed back to the page.
    state
        Its ``columns`` are shown and set, its theme gives the colours.
    runtime
        World and model.
    executor
        Threads in which a job is asked for: that may read a file.
    rows_of
        Names of the rows and changes (rows, contexts) of a job's result.
    nothing
        What is said while nothing is asked for.
    """

    def __init__(
        self,
        session: Session,
        state: IndividualState | VariantsState,
        runtime: Runtime,
        executor: Executor,
        rows_of: Callable[[xr.Dataset], Rows],
        nothing: str,
    ) -> None:
        super().__init__()
        self._session, self._state, self._executor = session, state, executor
        self._rows_of, self._nothing = rows_of, nothing
        self._contexts = runtime.world.expression_contexts
        self._jobs = PrivateJobs(runtime)
        self._job: Job | None = None
        self._asked: object = None
        # what is on screen, for files
        self.result: xr.Dataset | None = None
        self._rows: Rows = ([], np.empty((0, len(self._contexts))))
        self._said = words(margin=(2, 8), sizing_mode=None)
        self._table = words(margin=(0, 8, 8, 8))
        self._map = ExpressionMap(self._contexts, state.theme)
        self._choice = pmui.RadioButtonGroup(
            options=_COLUMNS, value=state.columns, size="small", sx={"& button": _NARROW}, width=196,
            margin=(2, 8), visible=False,
        )  # fmt: skip
        self._choice.param.watch(lambda event: setattr(state, "columns", event.new), "value")
        self._pane = FigurePane(
            self._map.layout,
            alt="Heat map of changes of expression, genes by tissues in the order of organ systems; the "
            "strongest stand in the table below it",
            margin=0,
        )
        self._expected = 0
        self._drawn = pn.Column(
            pn.Column(self._pane, scroll="x-auto", sizing_mode="stretch_width", margin=0),
            self._table,
            sizing_mode="stretch_width",
            margin=0,
            visible=False,
        )
        # has its height as soon as something is asked for: what stands below doesn't move when that comes
        head = pn.FlexBox(self._choice, self._said, align_items="center", sizing_mode="stretch_width")
        self._room = pn.Column(head, self._drawn, sizing_mode="stretch_width", margin=0)
        state.param.watch(lambda _event: self._draw(), ["columns"])
        state.param.watch(lambda _event: self._map.set_theme(state.theme), ["theme"])
        session.on_close(self._close)
        self._say(nothing)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._room

    def ask(
        self, asked: object, submit: Callable[[PrivateJobs], Job] | None, note: str = "", rows: int = 0
    ) -> None:
        """Show what a job finds.

        Parameters
        ----------
        asked
            Tells requests apart: the same one isn't asked for twice.
        submit
            Asks the service; None for nothing to ask.
        note
            What else is to be said beside the result.
        rows
            How many rows the map will have, about: so much room is kept for it.
        """
        if asked == self._asked:
            return
        self._asked, self._note, self.result = asked, note, None
        self._expected = rows if submit is not None else 0
        self._keep_room()
        if self._job is not None:
            self._job.cancel()
            self._job = None
        if submit is None:
            self._reveal(False)
            self._say(note or self._nothing)
            return
        self._say("Predicting expression with and without it…")
        done = self._executor.submit(submit, self._jobs)
        done.add_done_callback(lambda found: self._session.run_soon(lambda: self._submitted(asked, found)))

    def _submitted(self, asked: object, done: Future[Job]) -> None:
        if asked != self._asked:
            if done.exception() is None:
                done.result().cancel()
            return
        try:
            job = self._job = done.result()
        except Exception as error:
            self._fail(words_of(error))
            return
        job.subscribe(
            lambda job: self._session.run_soon(lambda: self._take(asked, job)) if job.over else None
        )

    def _take(self, asked: object, job: Job) -> None:
        if asked != self._asked or job.state == "cancelled":
            return  # meanwhile something else is looked at
        if job.state == "failed":
            self._fail(job.error or "")
            return
        result = self.result = job.result()
        self._rows = self._rows_of(result)
        if not self._rows[0]:
            self._reveal(False)
            self._expected = 0
            self._keep_room()
            self._say(self._note or "No gene's start is within reach: nothing to show.")
            return
        self._units = str(result.attrs["units"]).removeprefix("change of ")
        self._draw()
        self._reveal(True)

    def _keep_room(self) -> None:
        height = 0
        if self._expected:
            drawn = self._map.height_of(self._expected, self._state.columns)
            height = _HEAD_HEIGHT + drawn + _TABLE_HEIGHT
        self._room.min_height = height

    def _draw(self) -> None:
        self._keep_room()
        self._choice.value = self._state.columns
        names, changes = self._rows
        if not names:
            return
        self._map.show(names, changes, self._state.columns)
        folded = "strongest of each organ system · " if self._state.columns == "organs" else ""
        unknown = str(self.result.attrs.get("not_covered", "")) if self.result is not None else ""
        notes = [self._note, f"Not all is covered: {unknown}." if unknown else ""]
        note = "".join(f" {escaped(said)}" for said in notes if said)
        self._say(
            f"<b data-testid='expression-changes'>Change of expression</b> {folded}{escaped(self._units)}, "
            f"blue to red: −{self._map.limit:g} to {self._map.limit:g}.{note}"
        )
        self._table.object = _strongest(names, changes, self._contexts)

    def _reveal(self, there: bool) -> None:
        self._drawn.visible = self._choice.visible = there

    def _fail(self, said: str) -> None:
        self._reveal(False)
        self._say(f"<span class='failed' role='alert'>{escaped(said)}</span>")

    def _say(self, html: str) -> None:
        self._said.object = f"<div class='quiet' data-testid='expression'>{html}</div>"

    def _close(self) -> None:
        self._jobs.close()
        self._job = self.result = None


def _strongest(names: Sequence[str], changes: NDArray[Any], contexts: Sequence[Any]) -> str:
    size = np.nan_to_num(np.abs(changes))
    order = np.argsort(-size, axis=None, kind="stable")[:_STRONGEST]
    rows = [np.unravel_index(flat, size.shape) for flat in order]
    told = [
        (escaped(names[row]), escaped(contexts[column].label), escaped(contexts[column].group),
         true_minus(f"{changes[row, column]:+.4f}"))
        for row, column in rows
        if size[row, column] >= _LEAST
    ]  # fmt: skip
    if not told:
        return "<p class='quiet'>No change larger than 0.0001 in any tissue.</p>"
    head = "<th>Gene</th><th>Strongest in</th><th>Organ system</th><th>Change</th>"
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in told)
    return f"<table class='facts'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
