"""One variant: logos of both alleles, from mutagenesis with and without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import panel as pn
from panel.viewable import Viewer

from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.job_view import PrivateJobs
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session, words_of
from phenviz.app.shell.state import PageState
from phenviz.app.widgets.parts import FigurePane, words
from phenviz.effects.motif_change import motif_matches
from phenviz.errors import PhenvizError
from phenviz.genome.variant import Variant
from phenviz.results.display import VariantDisplay
from phenviz.tracks import AlleleLogos

if TYPE_CHECKING:
    from phenviz.effects.both_alleles import BothAlleles
    from phenviz.service import Job

# bases on both sides of the variant: of the logos, and of what motifs are called in
_SHOWN_FLANK, _FLANK = 24, 100
_SHOWN_ALLELE = 12
_CHOOSE = "Choose a variant in the table to compare the logos of its alleles."
# pixels of the logos with two lines above them, as many as a narrow page needs
_ROOM = 172


class VariantDetail(Viewer):
    """Logos of REF and ALT side by side, in the context in focus.

    Parameters
    ----------
    session
        Brings what is computed back to the page.
    state
        Its focus chooses the context, its theme the colours.
    runtime
        World, model and threads.
    variant
        Returns the key of the variant that is looked at; "" for none.
    watched
        Names of the parameters of the state on which that depends.
    on_result
        Called with what was computed, and the context.
    """

    def __init__(
        self,
        session: Session,
        state: PageState,
        runtime: Runtime,
        variant: Callable[[], str],
        watched: Sequence[str],
        on_result: Callable[[BothAlleles, str], None] = lambda both, context: None,
    ) -> None:
        super().__init__()
        self._session, self._state, self._runtime, self._variant = session, state, runtime, variant
        self._on_result = on_result
        # of a person, as likely as not
        self._jobs = PrivateJobs(runtime)
        self._job: Job | None = None
        self._asked: tuple[str, str] = ("", "")
        self._logos: AlleleLogos | None = None
        self._words = words(margin=(2, 8))
        self._pane = FigurePane(
            None,
            alt="Effects of the bases around the variant as letters, for both alleles",
            sizing_mode="stretch_width",
            margin=0,
            visible=False,
        )
        self._holder = pn.Column(self._words, self._pane, sizing_mode="stretch_width", margin=0)
        state.param.watch(self._ask, [*watched, "focus"])
        state.param.watch(self._restyle, ["theme"])
        session.on_tick(self._ask)
        session.on_close(self._close)
        self._hint = ""

    def __panel__(self) -> pn.viewable.Viewable:
        return self._holder

    def _ask(self, *_events: object) -> None:
        asked = (self._variant(), self._state.focus)
        if asked == self._asked or self._runtime.service is None:
            return
        self._asked = asked
        # room for the logos as soon as they are asked for: nothing moves when they come
        self._holder.min_height = _ROOM if asked[0] else 0
        if not asked[0]:
            self._pane.visible = False
            self._say(self._hint)
            return
        self._say(f"<b>{escaped(asked[0])}</b> Changing every base around it, with and without the variant…")
        contig, position, ref, alt = Variant.of_key(asked[0])
        where = {"contig": contig, "position": position, "ref": ref, "alt": alt, "flank": _FLANK}
        if self._job is not None:
            self._job.cancel()
        try:
            self._job = self._jobs.submit("both_alleles", contexts=asked[1], **where)
        except PhenvizError as error:
            self._fail(words_of(error))
            return
        self._job.subscribe(
            lambda job: self._session.run_soon(lambda: self._take(asked, job)) if job.over else None
        )

    def invite(self, listed: int) -> None:
        """Say that a variant can be chosen, where the table lists any."""
        self._hint = _CHOOSE if listed else ""
        if not self._variant():
            self._say(self._hint)

    def show_motifs(self, hits: pd.DataFrame) -> None:
        """Name motifs below the logos (`phenviz.effects.motif_change.changed_motifs`)."""
        if self._logos is not None:
            of_allele = (hits["change"] != "gained", hits["change"] != "lost")
            self._logos.show_motifs([motif_matches(hits[own]) for own in of_allele])

    def display(self) -> VariantDisplay:
        """Return the logos on screen."""
        if self._logos is None or not self._pane.visible:
            return VariantDisplay()
        return replace(self._logos.display(), context=self._state.focus)

    def _close(self) -> None:
        self._jobs.close()
        self._job = None

    def _take(self, asked: tuple[str, str], job: Job) -> None:
        if asked != self._asked or job.state == "cancelled":
            return  # meanwhile another variant or context is looked at
        if job.state == "failed":
            self._fail(job.error or "")
            return
        from phenviz.effects.both_alleles import BothAlleles

        both = BothAlleles.of(job.result())
        self._draw(asked[0], both)
        self._on_result(both, asked[1])

    def _fail(self, said: str) -> None:
        self._pane.visible = False
        self._say(f"<span class='failed' role='alert'>{escaped(said)}</span>")

    def _draw(self, variant: str, both: BothAlleles) -> None:
        if self._logos is None:
            self._logos = AlleleLogos(self._state.theme)
        _, _, ref, alt = Variant.of_key(variant)
        start, own, other = both.letters(_SHOWN_FLANK)
        self._logos.show(
            str(both.reference.attrs["contig"]),
            start,
            (own.bases, other.bases),
            (own.values, other.values),
            (own.changed, other.changed),
            (f"REF {_short(ref)}", f"ALT {_short(alt)}"),
        )
        if self._pane.object is None:
            # with all that is in it: what changes while the browser takes it in might be lost there
            self._pane.object = self._logos.layout
        self._pane.visible = True
        self._say(
            f"<b data-testid='logos'>{escaped(variant)}</b> in <b>{escaped(self._state.focus)}</b>: what "
            "each base contributes (minus the mean effect of its changes), without and with the variant"
        )

    def _restyle(self, _event: object) -> None:
        if self._logos is not None:
            self._logos.set_theme(self._state.theme)

    def _say(self, html: str) -> None:
        self._words.object = f"<div class='quiet' data-testid='variant-detail'>{html}</div>"


def _short(allele: str) -> str:
    return allele if len(allele) <= _SHOWN_ALLELE else f"{allele[:_SHOWN_ALLELE]}… ({len(allele)} bp)"
