"""The strongest bases and motifs of the result on screen; a click goes there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import pandas as pd
import panel as pn
import panel_material_ui as pmui
import xarray as xr
from bokeh.models.widgets.tables import NumberFormatter
from panel.viewable import Viewer

from phenviz.app.components.parts import words
from phenviz.app.navigation import centred
from phenviz.app.runs import Runs
from phenviz.app.session import Session, words_of
from phenviz.app.state import ExploreState
from phenviz.app.strongest import strongest_bases, with_motifs
from phenviz.app.words import escaped
from phenviz.errors import PhenvizError
from phenviz.genome.locus import Locus

HEIGHT = 206
_PAGE_ROWS = 5
# letters can be read in a view of this length
_READABLE_VIEW = 160
# motifs are looked for in at most so many bases, round the strongest one
MOTIF_WINDOW = 20_000
_MOTIF_COLUMNS = ["motif", "position", "strand", "score", "p_value", "q_value", "motif_id"]
_TITLES = {
    "position": "Position", "ref": "Ref", "effect": "Effect", "strongest change": "Strongest change",
    "motif": "Motif", "p_value": "p", "q_value": "q", "strand": "Strand", "score": "Score",
    "motif_id": "JASPAR",
}  # fmt: skip
_EMPTY = {
    "bases": "The bases that matter most will stand here once something has been run.",
    "motifs": "Motifs (JASPAR) under the strongest bases will stand here once something has been run.",
}


class ResultsTable(Viewer):
    """Two small tables below the tracks, always as high.

    Parameters
    ----------
    session
        Brings what is found in the background back to the screen.
    state
        Its focus chooses the context; a click sets locus and highlight.
    runs
        Its dataset is listed.
    find_motifs
        Finds the motifs in a result for a context: called in the background.
    background
        Where that happens.
    contig_length
        Bases of a contig by its name.
    """

    def __init__(
        self,
        session: Session,
        state: ExploreState,
        runs: Runs,
        *,
        find_motifs: Callable[[xr.Dataset, str], pd.DataFrame],
        background: Executor,
        contig_length: Callable[[str], int],
    ) -> None:
        super().__init__()
        self._session, self._state, self._runs = session, state, runs
        self._find_motifs, self._background = find_motifs, background
        self._contig_length = contig_length
        self._asked: tuple[object, str] | None = None
        self._motif_hits: pd.DataFrame | None = None
        self._bases = self._table({"effect": NumberFormatter(format="+0.000")}, "table-bases")
        self._motifs = self._table(
            {"effect": NumberFormatter(format="+0.00"), "p_value": NumberFormatter(format="0.0e+0")},
            "table-motifs",
        )
        self._bases_words = words()
        self._motifs_words = words()
        wide = {"margin": 0, "sizing_mode": "stretch_width"}
        self._tabs = pmui.Tabs(
            ("Strongest bases", pn.Column(self._bases_words, self._bases, **wide)),
            ("Motifs", pn.Column(self._motifs_words, self._motifs, **wide)),
            sizing_mode="stretch_width",
            margin=0,
            height=HEIGHT,
            sx={
                "& .MuiTab-root": {
                    "textTransform": "none",
                    "minHeight": "32px",
                    "py": "4px",
                    "fontSize": "13px",
                },
                "& .MuiTabs-root": {"minHeight": "32px", "borderTop": "1px solid", "borderColor": "divider"},
            },
        )
        self._bases.on_click(lambda event: self._jump(self._bases, event.row))
        self._motifs.on_click(lambda event: self._jump(self._motifs, event.row))
        self._draw_soon = session.debounced(self._draw, 150)
        runs.param.watch(self._draw_soon, ["dataset", "changed"])
        state.param.watch(self._draw_soon, ["focus"])
        self._draw()

    def __panel__(self) -> pn.viewable.Viewable:
        return self._tabs

    def _table(self, formatters: dict[str, NumberFormatter], css_class: str) -> pn.widgets.Tabulator:
        return pn.widgets.Tabulator(
            pd.DataFrame(),
            show_index=False,
            disabled=True,
            selectable=False,
            pagination="local",
            page_size=_PAGE_ROWS,
            formatters=formatters,
            titles=_TITLES,
            theme="simple",
            layout="fit_columns",
            sizing_mode="stretch_width",
            margin=(0, 8),
            visible=False,
            css_classes=[css_class],
            configuration={"rowHeight": 24, "headerSort": True},
        )  # fmt: skip

    def _draw(self) -> None:
        dataset = self._runs.dataset
        if dataset is None:
            self._asked, self._motif_hits = None, None
            self._say("bases", _EMPTY["bases"])
            self._say("motifs", _EMPTY["motifs"])
            return
        bases = strongest_bases(dataset, self._state.focus)
        if self._motif_hits is not None and self._asked == (id(dataset), self._state.focus):
            bases = with_motifs(bases, self._motif_hits)
        self._show("bases", bases)
        run = self._runs.current
        if run is not None and run.job.state == "done":
            self._look_for_motifs(dataset)
        else:
            self._say("motifs", "Motifs are looked for once the run is complete.")

    def _look_for_motifs(self, dataset: xr.Dataset) -> None:
        asked = (id(dataset), self._state.focus)
        if asked == self._asked:
            return
        self._asked, self._motif_hits = asked, None
        self._say("motifs", "Looking for motifs under the strongest bases…")
        found = self._background.submit(self._find_motifs, dataset, self._state.focus)
        found.add_done_callback(lambda done: self._session.run_soon(lambda: self._take_motifs(asked, done)))

    def _take_motifs(self, asked: tuple[object, str], done: object) -> None:
        if asked != self._asked:
            return  # meanwhile another result or context is on screen
        try:
            hits = done.result()  # type: ignore[attr-defined]
        except PhenvizError as error:
            self._say("motifs", escaped(words_of(error)))
            return
        self._motif_hits = hits
        if len(hits) == 0:
            self._say("motifs", "No known motif stands out among these bases.")
            return
        table = hits.assign(position=hits["start"] + 1)
        self._show("motifs", table[[column for column in _MOTIF_COLUMNS if column in table]])
        self._draw()

    def _say(self, which: str, text: str) -> None:
        table, pane = self._parts(which)
        pane.object = f"<div data-testid='{which}-words' class='empty-card'>{text}</div>"
        table.visible, pane.visible = False, True

    def _show(self, which: str, frame: pd.DataFrame) -> None:
        table, pane = self._parts(which)
        table.value = frame.reset_index(drop=True)
        table.visible, pane.visible = True, False

    def _parts(self, which: str) -> tuple[pn.widgets.Tabulator, pn.pane.HTML]:
        return (self._bases, self._bases_words) if which == "bases" else (self._motifs, self._motifs_words)

    def _jump(self, table: pn.widgets.Tabulator, row: int) -> None:
        frame, state = table.value, self._state
        if frame is None or not 0 <= row < len(frame):
            return
        position = int(frame["position"].iloc[row]) - 1
        view = state.locus
        if view.length > 4 * _READABLE_VIEW:
            view = Locus(view.contig, max(position - _READABLE_VIEW // 2, 0), position + _READABLE_VIEW // 2)
        state.param.update(
            highlight=Locus(view.contig, position, position + 1),
            locus=centred(view, position, self._contig_length(view.contig)),
        )
