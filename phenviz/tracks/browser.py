"""Genome browser of the Explore page: what the model predicts, and which bases it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr
from bokeh.models.layouts import Column

from phenviz.errors import ResultError
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus, on_contig
from phenviz.results.display import Display, MotifMatch
from phenviz.results.painted_peaks import of_contig
from phenviz.tracks.activity import STYLES, Activity
from phenviz.tracks.added_tracks import ADDED_TRACKS, AddedTrack, TrackSources
from phenviz.tracks.attribution import Attribution
from phenviz.tracks.elements import Elements
from phenviz.tracks.finemapped import FineMapped
from phenviz.tracks.frame import Track
from phenviz.tracks.genes import Genes
from phenviz.tracks.mutagenesis import LOGOS, Contribution, Effects, Mutations
from phenviz.tracks.observed import Observed
from phenviz.tracks.own_track import make_own
from phenviz.tracks.pyramid import Pyramid
from phenviz.tracks.ruler import Ruler
from phenviz.tracks.theme import ThemeName, get_theme
from phenviz.tracks.track_stack import Stack
from phenviz.tracks.viewport import EDGE, x_of

if TYPE_CHECKING:
    from phenviz.data.own_tracks import OwnTrack
    from phenviz.genome.annotation import Annotation

TRACKS = ("ruler", "genes", "elements", "finemapped", "observed", "activity", "attribution", "mutagenesis")


class Browser:
    """Linked tracks of one contig.

    Its Bokeh models belong to one document: after `layout` is shown, call methods in the document's thread
    only (``add_next_tick_callback``). `Pyramid` may be written to from any thread; `refresh` shows it.

    Parameters
    ----------
    annotation
        Genes, elements and bands.
    contig_length
        Bases of the contig.
    locus
        What is shown first.
    theme
        ``light`` or ``dark``.
    sequence
        Reads the bases of a locus; None where there is no reference.
    contexts
        All contexts of the model, in the order of the pyramid's rows. Where they aren't given, the first
        `set_contexts` gives them.
    hidden
        Names of tracks that aren't shown at first: they cost nothing until they are.
    """

    def __init__(
        self,
        annotation: Annotation,
        contig_length: int,
        *,
        locus: Locus,
        theme: ThemeName = "light",
        sequence: Callable[[Locus], str] | None = None,
        contexts: Sequence[Context] = (),
        hidden: Iterable[str] = (),
    ) -> None:
        self._contig, self._annotation, self._sequence = locus.contig, annotation, sequence
        self._known: tuple[Context, ...] = tuple(contexts)
        self._chosen: list[Context] = []
        self._focus, self._style = "", STYLES[0]
        self._high = 0.0
        self._transcripts: pd.DataFrame | None = None
        self._logo = LOGOS[0]
        self._motifs: Sequence[MotifMatch] = ()
        self._pyramid: Pyramid | None = None
        self._held: Sequence[int] | None = None
        self._peaks: pd.DataFrame | None = None
        self._finemapped: pd.DataFrame | None = None
        self._attribution: xr.Dataset | None = None
        self._mutagenesis: xr.Dataset | None = None
        self._own: dict[str, OwnTrack] = {}
        self._order: tuple[str, ...] = _order_of_tracks()
        self._hidden: frozenset[str] = frozenset(hidden)
        makers: dict[str, Callable[[], Sequence[Track]]] = {
            "ruler": self._make_ruler,
            "genes": self._make_genes,
            "elements": self._make_elements,
            "finemapped": self._make_finemapped,
            "observed": self._make_observed,
            "activity": self._make_activity,
            "attribution": self._make_attribution,
            "mutagenesis": self._make_mutagenesis,
        }
        makers |= {name: partial(self._make_added, added) for name, added in ADDED_TRACKS.items()}
        self._stack = Stack(locus, contig_length, get_theme(theme), makers)
        self.set_contexts(self._known)
        self._arrange()

    # what is shown

    @property
    def layout(self) -> Column:
        """The figures in a column that takes the width it gets."""
        return self._stack.layout

    @property
    def locus(self) -> Locus:
        """What is shown."""
        return self._stack.locus

    def set_locus(self, locus: Locus) -> None:
        """Show a locus, moved and cut so that it lies on the contig, without calling back.

        Raises
        ------
        ResultError
            If it lies on another contig: each contig has a browser of its own.
        """
        self._stack.set_locus(locus)

    def on_locus(self, callback: Callable[[Locus], None]) -> None:
        """Call back when the user has panned, zoomed or dragged, once the view comes to rest."""
        self._stack.on_locus(callback)

    def set_highlight(self, loci: Iterable[Locus]) -> None:
        """Mark loci on all tracks, such as the hit of a search; tinted where colours aren't values."""
        self._stack.marks.set_strips([(x_of(locus.start), x_of(locus.end)) for locus in loci])

    def set_marks(self, positions: Iterable[int]) -> None:
        """Draw a vertical line through all tracks at each 0-based position, such as a variant."""
        # the middle of the base at p is at p + 1
        self._stack.marks.set_lines([position + EDGE + 0.5 for position in positions])

    # data

    def set_contexts(self, contexts: Sequence[Context | str]) -> None:
        """Choose which contexts are drawn, in this order; names are enough for contexts known already."""
        if not self._known:
            self._known = tuple(context for context in contexts if isinstance(context, Context))
        by_name = {context.name: context for context in self._known}
        names = [context if isinstance(context, str) else context.name for context in contexts]
        if unknown := [name for name in names if name not in by_name]:
            raise ResultError(
                f"context {unknown[0]!r} isn't among those of this browser: {', '.join(by_name)}"
            )
        self._chosen = [by_name[name] for name in names]
        for track in self._stack.tracks():
            if isinstance(track, Activity):
                track.set_contexts(self._chosen, self._rows())
            elif isinstance(track, Observed):
                track.set_contexts(self._chosen)
            elif isinstance(track, Elements):
                track.set_contexts(self._known)
        if self._logo == "stacked":
            self._lay_mutations()
        self._stack.fit()

    def set_focus_context(self, name: str) -> None:
        """Choose the context whose bases are shown in the attribution and mutagenesis tracks."""
        if name == self._focus:
            return
        self._focus = name
        for track in self._stack.tracks():
            if isinstance(track, Activity | Attribution):
                track.set_focus(name)
        self._lay_mutations()

    def set_activity(self, pyramid: Pyramid | None, rows: Sequence[int] | None = None) -> None:
        """Draw a pyramid of predicted activity: bins from the contig's start.

        Parameters
        ----------
        rows
            Which of this browser's contexts are the pyramid's rows; by default all, in their order.
        """
        count = len(self._known) if rows is None else len(rows)
        if pyramid is not None and self._known and pyramid.n_rows != count:
            raise ResultError(f"a pyramid of {pyramid.n_rows} rows doesn't fit {count} contexts")
        self._pyramid, self._held = pyramid, rows
        for track in self._stack.tracks():
            if isinstance(track, Activity):
                track.set_pyramid(pyramid, self._rows())

    def set_activity_style(self, style: str) -> None:
        """Draw activity as ``heatmap`` or ``areas``."""
        if style not in STYLES:
            raise ResultError(f"no activity style {style!r}: choose {' or '.join(STYLES)}")
        if style == self._style:
            return
        self._style = style
        for track in self._stack.tracks():
            if isinstance(track, Activity):
                track.set_style(style)

    def set_observed(self, peaks: pd.DataFrame | None) -> None:
        """Draw observed peaks: columns contig, start, end, context, fold_enrichment; None hides the track."""
        self._peaks = of_contig(peaks, self._contig) if peaks is not None else None
        for track in self._stack.tracks():
            if isinstance(track, Observed):
                track.set_peaks(self._peaks)
        self._arrange()

    def set_finemapped(self, variants: pd.DataFrame | None) -> None:
        """Draw fine-mapped variants: columns contig, position, ref, alt, id, trait, posterior; None hides."""
        if variants is not None:
            variants = variants[on_contig(variants["contig"], self._contig)].reset_index(drop=True)
        self._finemapped = variants
        for track in self._stack.tracks():
            if isinstance(track, FineMapped):
                track.set_table(variants)
        self._arrange()

    def set_own(self, tracks: Sequence[OwnTrack]) -> None:
        """Draw tracks of the user's own, in this order below the observed peaks, in place of earlier ones."""
        wanted = {track.name: track for track in tracks}
        for name in self._own:
            if self._own[name] is not wanted.get(name):
                self._stack.remove(name)
        for name, track in wanted.items():
            if self._own.get(name) is not track:
                self._stack.offer(name, partial(make_own, track, self._stack.axis, self._stack))
        others = [name for name in self._order if name not in self._own]
        after = others.index("observed") + 1 if "observed" in others else len(others)
        self._hidden -= self._own.keys() - wanted.keys()
        self._own, self._order = wanted, (*others[:after], *wanted, *others[after:])
        self._arrange()

    def set_attribution(self, dataset: xr.Dataset | None) -> None:
        """Draw an attribution; may be called again and again with one that grows.

        One of another contig isn't drawn: the track says where it lies.
        """
        self._attribution = dataset
        for track in self._stack.tracks():
            if isinstance(track, Attribution):
                track.set_dataset(dataset)

    def set_mutagenesis(self, dataset: xr.Dataset | None) -> None:
        """Draw a mutagenesis; may be called again and again with one that grows.

        One of another contig isn't drawn: the track says where it lies.
        """
        self._mutagenesis = dataset
        self._lay_mutations()

    def set_transcripts(self, table: pd.DataFrame | None) -> None:
        """Draw all transcripts of a table (`phenviz.world.World.transcripts`); None for one of each gene."""
        self._transcripts = table
        for track in self._stack.tracks():
            if isinstance(track, Genes):
                track.set_transcripts(table)
        self._stack.fit()

    def set_motifs(self, motifs: Sequence[MotifMatch]) -> None:
        """Name known motifs under the bases of the result."""
        self._motifs = tuple(motifs)
        for track in self._stack.tracks():
            if isinstance(track, Attribution | Contribution):
                track.set_motifs(self._motifs)

    def set_logo(self, logo: str) -> None:
        """Draw contributions of the context in focus, of several stacked, or of the focus minus others."""
        if logo not in LOGOS:
            raise ResultError(f"no logo {logo!r}: choose {', '.join(LOGOS)}")
        self._logo = logo
        self._lay_mutations()
        self._stack.rest()

    def refresh(self) -> None:
        """Read the pyramid again, because something was written to it."""
        for track in self._stack.made("activity"):
            track.reload()

    def display(self) -> Display:
        """Return what is on screen, with the scales that it is drawn with."""
        return self._stack.display([context.name for context in self._chosen], self._focus, self._style)

    def fix_activity(self, high: float) -> None:
        """End the colours of predicted activity at a value; 0 has them follow the view."""
        self._high = high
        for track in self._stack.tracks():
            if isinstance(track, Activity):
                track.fix_scale(high)

    def close(self) -> None:
        """Draw no more, because the page is gone."""
        self._stack.close()

    # looks

    def set_theme(self, theme: ThemeName) -> None:
        """Change all colours."""
        self._stack.restyle(get_theme(theme))

    def set_tracks(self, order: Sequence[str] | None = None, hidden: Iterable[str] = ()) -> None:
        """Order and hide tracks by their names (`TRACKS` and those that were added).

        Those that ``order`` leaves out come last.

        Raises
        ------
        ResultError
            If a name is unknown.
        """
        self._order, self._hidden = tuple(order or _order_of_tracks()), frozenset(hidden)
        self._arrange()

    # parts

    def _arrange(self) -> None:
        without = set() if self._peaks is not None else {"observed"}
        without |= set() if self._finemapped is not None else {"finemapped"}
        self._stack.arrange(self._order, self._hidden | without)

    def _rows(self) -> list[int]:
        """Return which rows of the pyramid the chosen contexts are; -1 where it doesn't hold one."""
        held = range(len(self._known)) if self._held is None else self._held
        place = {self._known[row].name: number for number, row in enumerate(held)}
        return [place.get(context.name, -1) for context in self._chosen]

    def _lay_mutations(self) -> None:
        mutations = self._mutations()
        for track in self._stack.made("mutagenesis"):
            assert isinstance(track, Contribution | Effects)
            track.set_mutations(mutations)

    def _mutations(self) -> Mutations | None:
        dataset = self._mutagenesis
        if dataset is None or dataset.sizes.get("position", 0) == 0:
            return None
        names = [context.name for context in self._chosen]
        return Mutations(dataset, self._focus, self._contig_of(dataset), self._logo, names)

    def _contig_of(self, dataset: xr.Dataset) -> str:
        return str(dataset.attrs.get("contig", self._contig))

    def _make_ruler(self) -> list[Track]:
        return [Ruler(self._stack.axis, self._stack.theme, self._contig, self._sequence)]

    def _make_genes(self) -> list[Track]:
        track = Genes(self._stack.axis, self._stack.theme, self._annotation)
        track.set_transcripts(self._transcripts)
        return [track]

    def _make_elements(self) -> list[Track]:
        track = Elements(self._stack.axis, self._stack.theme, self._annotation)
        track.set_contexts(self._known)
        return [track]

    def _make_added(self, added: AddedTrack) -> Sequence[Track]:
        sources = TrackSources(self._contig, self._annotation, self._sequence, self._known)
        return added.make(self._stack.axis, self._stack.theme, sources)

    def _make_finemapped(self) -> list[Track]:
        track = FineMapped(self._stack.axis, self._stack.theme)
        track.set_table(self._finemapped)
        return [track]

    def _make_observed(self) -> list[Track]:
        track = Observed(self._stack.axis, self._stack.theme)
        track.set_contexts(self._chosen)
        track.set_peaks(self._peaks)
        return [track]

    def _make_activity(self) -> list[Track]:
        track = Activity(self._stack.axis, self._stack.theme)
        track.set_style(self._style)
        track.fix_scale(self._high)
        track.set_contexts(self._chosen, self._rows())
        track.set_focus(self._focus)
        track.set_pyramid(self._pyramid, self._rows())
        return [track]

    def _make_attribution(self) -> list[Track]:
        track = Attribution(self._stack.axis, self._stack.theme, self._contig, self._sequence)
        track.set_focus(self._focus)
        track.set_dataset(self._attribution)
        track.set_motifs(self._motifs)
        return [track]

    def _make_mutagenesis(self) -> list[Track]:
        contribution = Contribution(self._stack.axis, self._stack.theme)
        effects = Effects(self._stack.axis, self._stack.theme)
        mutations = self._mutations()
        contribution.set_colours({context.name: context.colour for context in self._known})
        contribution.set_mutations(mutations)
        contribution.set_motifs(self._motifs)
        effects.set_mutations(mutations)
        return [contribution, effects]


def _order_of_tracks() -> tuple[str, ...]:
    """Return the names of all tracks from top to bottom: those that were added come before observations."""
    after = TRACKS.index("elements") + 1
    return (*TRACKS[:after], *ADDED_TRACKS, *TRACKS[after:])
