"""Motifs that a variant makes or breaks in the context that is looked at."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

import pandas as pd
import panel as pn
from panel.viewable import Viewer

from phenviz.app.disease.disease_state import DiseaseState
from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session, words_of
from phenviz.app.widgets.parts import words
from phenviz.effects.motif_change import changed_motifs
from phenviz.genome.true_minus import true_minus

if TYPE_CHECKING:
    from phenviz.effects.both_alleles import BothAlleles


class DiseaseMotifs(Viewer):
    """A table of motifs; empty until a variant has been looked at.

    Parameters
    ----------
    session
        Brings what is found in the background back to the page.
    state
        Its variant is the one that counts.
    runtime
        World and threads.
    """

    def __init__(self, session: Session, state: DiseaseState, runtime: Runtime) -> None:
        super().__init__()
        self._session, self._state, self._runtime = session, state, runtime
        self._table = words(margin=(4, 8, 24, 8))
        state.param.watch(lambda *_events: setattr(self._table, "object", ""), ["variant", "evidence"])

    def __panel__(self) -> pn.viewable.Viewable:
        return self._table

    def look(self, both: BothAlleles, context: str) -> None:
        """Look for motifs over a variant, in the background."""
        key = self._state.variant
        self._say(context, "<p class='quiet'>Looking for motifs…</p>")
        done = self._runtime.background.submit(
            changed_motifs, both, self._runtime.world.project.motifs, context
        )
        done.add_done_callback(lambda found: self._session.run_soon(lambda: self._take(key, context, found)))

    def _take(self, key: str, context: str, done: Future[pd.DataFrame]) -> None:
        if key != self._state.variant:
            return
        try:
            hits = done.result()
        except Exception as error:
            self._say(context, f"<p class='failed' role='alert'>{escaped(words_of(error))}</p>")
            return
        if hits.empty:
            self._say(context, "<p class='quiet'>Neither allele makes a motif stand out here.</p>")
            return
        rows = "".join(
            f"<tr><td><b>{hit.change}</b></td><td>{escaped(hit.motif)}</td><td>{true_minus(f'{hit.score:+.2f}')}</td>"
            f"<td>{true_minus(f'{hit.p_value:.1g}')}</td><td>{escaped(hit.motif_id)}</td></tr>"
            for hit in hits.itertuples(index=False)
        )
        head = "<tr><th></th><th>Motif</th><th>Score</th><th>p</th><th>Matrix</th></tr>"
        self._say(context, f"<table class='facts'><thead>{head}</thead><tbody>{rows}</tbody></table>")

    def _say(self, context: str, html: str) -> None:
        self._table.object = f"<h3>Motifs over the variant in {escaped(context)}</h3>{html}"
