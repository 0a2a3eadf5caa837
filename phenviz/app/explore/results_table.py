"""The strongest bases and motifs of the result on screen; a click goes there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pandas as pd
import panel as pn
import param
import xarray as xr
from panel.custom import JSComponent
from panel.viewable import Viewer

from phenviz.app.explore.top_bases import careful_names, strongest_bases, with_motifs
from phenviz.app.shell.navigation import centred
from phenviz.app.shell.runs import Runs
from phenviz.app.shell.session import Session, words_of
from phenviz.app.shell.state import ExploreState
from phenviz.app.widgets.parts import script
from phenviz.app.widgets.splitter import lower_part, splitter
from phenviz.genome.locus import Locus
from phenviz.genome.true_minus import true_minus
from phenviz.results import kind_of, locus_of
from phenviz.results.display import MotifMatch

_HEIGHT = "clamp(116px, 16vh, 206px)"
_Columns = tuple[tuple[str, str, str, str], ...]
# letters can be read in a view of this length
_READABLE_VIEW = 160
# name in the frame, title, how it is written, and on which side
_BASES: _Columns = (
    ("position", "Position", "{:,}", "number"),
    ("ref", "Ref", "{}", ""),
    ("effect", "Effect", "{:+.3g}", "number"),
    ("strongest change", "Strongest change", "{}", ""),
    ("motif", "Motif", "{}", ""),
)
_MOTIFS: _Columns = (
    ("motif", "Motif", "{}", ""),
    ("position", "Position", "{:,}", "number"),
    ("strand", "Strand", "{}", ""),
    ("score", "Score", "{:+.3g}", "number"),
    ("p_value", "p", "{:.1e}", "number"),
    ("q_value", "q", "{:.2g}", "number"),
    ("motif_id", "Matrix", "{}", ""),
)


class RankedTables(JSComponent):
    """Tables behind tabs: rows to click, or words where there are none."""

    titles = param.List(default=[], doc="Pairs of a table's key and its title.")
    tables = param.Dict(default={}, doc="For each key: columns (title, kind), rows of text, and words.")

    _esm = script("widgets/rows.js", "explore/ranked_tables.js")

    def __init__(self, on_row: Callable[[str, int], None], **params: object) -> None:
        super().__init__(**params)
        self._on_row = on_row

    def _handle_msg(self, message: dict) -> None:
        self._on_row(str(message["table"]), int(message["row"]))


class ResultsTable(Viewer):
    """Two small tables below the tracks; folded away before the first run.

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
        self._asked: tuple[xr.Dataset, str] | None = None
        self._hits: pd.DataFrame | None = None
        self._searching = False
        self._places: dict[str, list[Locus]] = {"bases": [], "motifs": []}
        self._dock = RankedTables(
            # what a component of ours hears comes without the lock that figures need
            lambda which, row: session.run_soon(lambda: self._jump(which, row)),
            titles=[["bases", "Strongest bases"], ["motifs", "Motifs"]],
            tables={"bases": _content(_BASES), "motifs": _content(_MOTIFS)},
            sizing_mode="stretch_both",
            margin=0,
        )
        self._split = splitter("explore")
        self._lower = pn.Column(self._dock, sizing_mode="stretch_both", margin=0)
        self._holder = pn.Column(
            self._split, self._lower, sizing_mode="stretch_both", margin=0,
            styles={"flex": "none", "height": "auto"},
        )  # fmt: skip
        self._unfold()
        self._draw_soon = session.debounced(self._draw, 150)
        runs.param.watch(self._draw_soon, ["dataset", "changed"])
        runs.param.watch(self._unfold, ["current"])
        state.param.watch(self._draw_soon, ["focus"])
        session.on_close(self._drop)
        self._draw()

    def __panel__(self) -> pn.viewable.Viewable:
        return self._holder

    def _unfold(self, *_events: object) -> None:
        # opens when a run is started, not when its results arrive: nothing moves then
        folded = self._runs.current is None
        self._split.visible = not folded
        self._lower.styles = lower_part(_HEIGHT) | ({"height": "34px"} if folded else {})

    def _draw(self) -> None:
        dataset = self._runs.dataset
        if dataset is None:
            self._drop()
            self._say("bases", "The bases that matter most stand here once the run has finished a part.")
            self._say("motifs", "Known motifs under the strongest bases stand here once the run is complete.")
            return
        if not self._is_asked(dataset):
            self._hits, self._searching = None, False
            self._runs.motifs = []
        run = self._runs.current
        if run is not None and run.job.state == "done":
            self._look_for_motifs(dataset)
        bases = strongest_bases(dataset, self._state.focus)
        if self._hits is not None:
            bases = with_motifs(bases, self._hits)
        elif self._searching:
            bases["motif"] = "searching motifs…"
        changes = kind_of(dataset) == "mutagenesis"
        columns = tuple(column for column in _BASES if changes or column[0] != "strongest change")
        self._show(
            "bases", bases.assign(start=bases["position"] - 1, end=bases["position"]), columns, dataset
        )

    def _drop(self) -> None:
        self._asked, self._hits, self._searching = None, None, False
        if self._runs.motifs:
            self._runs.motifs = []

    def _is_asked(self, dataset: xr.Dataset) -> bool:
        return self._asked is not None and self._asked[0] is dataset and self._asked[1] == self._state.focus

    def _look_for_motifs(self, dataset: xr.Dataset) -> None:
        if self._is_asked(dataset):
            return
        asked = (dataset, self._state.focus)
        self._asked, self._hits, self._searching = asked, None, True
        self._say("motifs", "Looking for motifs under the strongest bases…")
        found = self._background.submit(self._find_motifs, dataset, self._state.focus)
        found.add_done_callback(lambda done: self._session.run_soon(lambda: self._take_motifs(asked, done)))

    def _take_motifs(self, asked: tuple[xr.Dataset, str], done: Future[pd.DataFrame]) -> None:
        if asked is not self._asked:
            return  # meanwhile another result or context is on screen
        self._searching = False
        try:
            self._hits = done.result()
        except Exception as error:
            self._say("motifs", words_of(error))
        else:
            self._runs.motifs = [
                MotifMatch(int(start), int(end), str(name))
                for start, end, name in zip(
                    self._hits["start"], self._hits["end"], self._hits["motif"], strict=True
                )
            ]
            if len(self._hits):
                hits = self._hits.assign(position=self._hits["start"] + 1, motif=careful_names(self._hits))
                self._show("motifs", hits, _MOTIFS, asked[0])
            else:
                self._say("motifs", "No known motif stands out among these bases.")
        self._draw()

    def _say(self, which: str, text: str) -> None:
        columns = _BASES if which == "bases" else _MOTIFS
        self._dock.tables = self._dock.tables | {which: _content(columns, words=text)}

    def _show(self, which: str, frame: pd.DataFrame, columns: _Columns, dataset: xr.Dataset) -> None:
        parts = [
            [
                true_minus(written.format(value)) if side == "number" else written.format(value)
                for value in frame[name]
            ]
            for name, _, written, side in columns
        ]
        contig = locus_of(dataset).contig
        ends = zip(frame["start"], frame["end"], strict=True)
        self._places[which] = [Locus(contig, int(start), int(end)) for start, end in ends]
        rows = [list(row) for row in zip(*parts, strict=True)]
        self._dock.tables = self._dock.tables | {which: _content(columns, rows)}

    def _jump(self, which: str, row: int) -> None:
        if not 0 <= row < len(self._places.get(which, [])):
            return
        # the view may have moved to another contig meanwhile
        place, length = self._places[which][row], self._state.locus.length
        length = _READABLE_VIEW if length > 4 * _READABLE_VIEW else length
        view = Locus(place.contig, place.start, place.start + length)
        self._state.param.update(
            highlight=place,
            locus=centred(view, (place.start + place.end) // 2, self._contig_length(place.contig)),
        )


def _content(columns: _Columns, rows: list[list[str]] | None = None, words: str = "") -> dict[str, Any]:
    return {"columns": [[title, kind] for _, title, _, kind in columns], "rows": rows or [], "words": words}
