"""Genome browser: tracks stacked over one x axis, whose data follow what is on screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import xarray as xr
from bokeh.events import DoubleTap, Event
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, CrosshairTool, FixedTicker, Range1d, UIElement
from bokeh.models.annotations import Span
from bokeh.models.layouts import Column

from phenviz.errors import ResultError
from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus, bare_contig
from phenviz.tracks.activity import Activity
from phenviz.tracks.attribution import Attribution
from phenviz.tracks.elements import Elements
from phenviz.tracks.frame import Track
from phenviz.tracks.genes import Genes
from phenviz.tracks.mutagenesis import Contribution, Effects, Mutations
from phenviz.tracks.observed import Observed
from phenviz.tracks.pyramid import Pyramid
from phenviz.tracks.ruler import Ruler
from phenviz.tracks.schedule import Debounce, Throttle
from phenviz.tracks.theme import Theme, get_theme
from phenviz.tracks.view import EDGE, MIN_BASES, View, clamp, x_of

if TYPE_CHECKING:
    from phenviz.genome.annotation import Annotation

TRACKS = ("ruler", "genes", "elements", "observed", "activity", "attribution", "mutagenesis")
_DEFAULT_PIXELS = 1_000
_LEAST_PIXELS = 100
_DRAW_EVERY = 60
_SETTLED_AFTER = 150


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

    Attributes
    ----------
    layout
        The figures in a column that takes the width it gets.
    """

    def __init__(
        self,
        annotation: Annotation,
        contig_length: int,
        *,
        locus: Locus,
        theme: Literal["light", "dark"] = "light",
        sequence: Callable[[Locus], str] | None = None,
        contexts: Sequence[Context] = (),
    ) -> None:
        self._contig, self._length = locus.contig, contig_length
        self._theme = get_theme(theme)
        self._known: tuple[Context, ...] = tuple(contexts)
        self._callbacks: list[Callable[[Locus], None]] = []
        self._moving = False
        self._focus = ""
        self._pixels = _DEFAULT_PIXELS
        self._mutagenesis: xr.Dataset | None = None
        self._locus = clamp(locus, contig_length)
        self._range = self._make_range()
        self._tracks = self._make_tracks(annotation, sequence)
        self._by_name = _by_name(self._tracks)
        self._order: tuple[str, ...] = TRACKS
        self._hidden: frozenset[str] = frozenset()
        self._marks = _Marks(self._tracks, self._theme)
        self.layout: Column = column(
            [track.figure for track in self._tracks], sizing_mode="stretch_width", spacing=0
        )
        self._draw_soon = Throttle(self._document, _DRAW_EVERY, self._draw)
        self._tell_soon = Debounce(self._document, _SETTLED_AFTER, self._tell)
        self._listen()
        self.set_contexts(self._known)
        self._arrange()
        self._draw()

    # what is shown

    @property
    def locus(self) -> Locus:
        """What is shown."""
        return self._locus

    def set_locus(self, locus: Locus) -> None:
        """Show a locus, moved and cut so that it lies on the contig; nobody is told.

        Raises
        ------
        ResultError
            If it lies on another contig: each contig has a browser of its own.
        """
        if bare_contig(locus.contig) != bare_contig(self._contig):
            raise ResultError(
                f"{locus} isn't on chr{bare_contig(self._contig)}: make a browser for its contig"
            )
        self._locus = clamp(Locus(self._contig, locus.start, locus.end), self._length)
        self._move_range(x_of(self._locus.start), x_of(self._locus.end))
        self._draw()

    def on_locus(self, callback: Callable[[Locus], None]) -> None:
        """Call back when the user has panned, zoomed or dragged, once the view comes to rest."""
        self._callbacks.append(callback)

    def set_highlight(self, loci: Iterable[Locus]) -> None:
        """Tint loci on all tracks, such as the hit of a search."""
        self._marks.set_strips([(x_of(locus.start), x_of(locus.end)) for locus in loci])

    def set_marks(self, positions: Iterable[int]) -> None:
        """Draw a vertical line through all tracks at each 0-based position, such as a variant."""
        # the middle of the base at p is at p + 1
        self._marks.set_lines([position + EDGE + 0.5 for position in positions])

    # data

    def set_contexts(self, contexts: Sequence[Context | str]) -> None:
        """Choose which contexts are drawn, in this order; names are enough for contexts known already."""
        if not self._known:
            self._known = tuple(context for context in contexts if isinstance(context, Context))
        row_of = {context.name: row for row, context in enumerate(self._known)}
        names = [context if isinstance(context, str) else context.name for context in contexts]
        if unknown := [name for name in names if name not in row_of]:
            raise ResultError(
                f"context {unknown[0]!r} isn't among those of this browser: {', '.join(row_of)}"
            )
        chosen = [self._known[row_of[name]] for name in names]
        self.activity.set_contexts(chosen, [row_of[name] for name in names])
        self.observed.set_contexts(chosen)
        self.elements.set_contexts(self._known)

    def set_focus_context(self, name: str) -> None:
        """Choose the context whose bases are shown in the attribution and mutagenesis tracks."""
        if name == self._focus:
            return
        self._focus = name
        self.activity.set_focus(name)
        self.attribution.set_focus(name)
        self._lay_mutations()

    def set_activity(self, pyramid: Pyramid | None) -> None:
        """Draw a pyramid of predicted activity: a row for each context, bins from the contig's start."""
        if pyramid is not None and self._known and pyramid.n_rows != len(self._known):
            raise ResultError(f"a pyramid of {pyramid.n_rows} rows doesn't fit {len(self._known)} contexts")
        self.activity.set_pyramid(pyramid)

    def set_activity_style(self, style: str) -> None:
        """Draw activity as ``heatmap`` or ``areas``."""
        self.activity.set_style(style)

    def set_observed(self, peaks: pd.DataFrame | None) -> None:
        """Draw observed peaks: columns contig, start, end, context, fold_enrichment; None hides the track."""
        self.observed.set_peaks(peaks)
        self._arrange()

    def set_attribution(self, dataset: xr.Dataset | None) -> None:
        """Draw an attribution; may be called again and again with one that grows."""
        self.attribution.set_dataset(dataset)

    def set_mutagenesis(self, dataset: xr.Dataset | None) -> None:
        """Draw a mutagenesis; may be called again and again with one that grows."""
        self._mutagenesis = dataset
        self._lay_mutations()

    def refresh(self) -> None:
        """Read the pyramid again, because something was written to it."""
        self.activity.reload()

    # looks

    def set_theme(self, theme: Literal["light", "dark"]) -> None:
        """Change all colours."""
        self._theme = get_theme(theme)
        for track in self._tracks:
            track.restyle(self._theme)
        self._marks.restyle(self._theme)

    def set_tracks(self, order: Sequence[str] | None = None, hidden: Iterable[str] = ()) -> None:
        """Order and hide tracks by their names (`TRACKS`); those that ``order`` leaves out come last.

        Raises
        ------
        ResultError
            If a name is unknown.
        """
        wanted = tuple(order) if order is not None else TRACKS
        hidden = frozenset(hidden)
        if unknown := [name for name in (*wanted, *hidden) if name not in TRACKS]:
            raise ResultError(f"no track {unknown[0]!r}: there are {', '.join(TRACKS)}")
        self._order = tuple(dict.fromkeys((*wanted, *TRACKS)))
        self._hidden = hidden
        self._arrange()
        self._draw()

    # parts

    def _make_range(self) -> Range1d:
        low, high = x_of(0.0), x_of(float(self._length))
        return Range1d(
            start=x_of(self._locus.start), end=x_of(self._locus.end), bounds=(low, high),
            min_interval=min(MIN_BASES, self._length), max_interval=self._length,
        )  # fmt: skip

    def _make_tracks(self, annotation: Annotation, sequence: Callable[[Locus], str] | None) -> list[Track]:
        x_range, theme = self._range, self._theme
        ticker = FixedTicker(ticks=[])
        self.ruler = Ruler(x_range, theme, self._contig, sequence, ticker)
        self.genes = Genes(x_range, theme, annotation)
        self.elements = Elements(x_range, theme, annotation)
        self.observed = Observed(x_range, theme, self._contig)
        self.activity = Activity(x_range, theme)
        self.attribution = Attribution(x_range, theme, self._contig, sequence)
        self.contribution = Contribution(x_range, theme)
        self.effects = Effects(x_range, theme)
        tracks: list[Track] = [
            self.ruler, self.genes, self.elements, self.observed, self.activity, self.attribution,
            self.contribution, self.effects,
        ]  # fmt: skip
        for track in tracks:
            track.figure.xgrid.ticker = ticker
        return tracks

    def _arrange(self) -> None:
        ordered = [track for name in self._order for track in self._by_name[name]]
        figures: list[UIElement] = [track.figure for track in ordered]
        if list(self.layout.children) != figures:
            self.layout.children = figures
        for name, tracks in self._by_name.items():
            shown = name not in self._hidden and (name != "observed" or self.observed.has_peaks)
            for track in tracks:
                if track.figure.visible != shown:
                    track.figure.visible = shown
                    track.reload()

    def _lay_mutations(self) -> None:
        dataset = self._mutagenesis
        there = dataset is not None and dataset.sizes.get("position", 0) > 0
        mutations = Mutations(dataset, self._focus, self._contig) if there and dataset is not None else None
        self.contribution.set_mutations(mutations)
        self.effects.set_mutations(mutations)

    # moving

    def _listen(self) -> None:
        self._range.on_change("start", self._on_range)
        self._range.on_change("end", self._on_range)
        # how many names fit depends on the width, which only the page knows
        self.ruler.figure.on_change("inner_width", self._on_width)
        crosshair = CrosshairTool(overlay=self._marks.cursor)
        for track in self._tracks:
            track.figure.add_tools(crosshair)
            track.figure.on_event(DoubleTap, self._on_double_tap)

    def _on_range(self, attr: str, old: float, new: float) -> None:
        if not self._moving:
            self._draw_soon()
            self._tell_soon()

    def _on_width(self, attr: str, old: int, new: int) -> None:
        if new < _LEAST_PIXELS:
            return  # the page is still laying itself out
        self._pixels = int(new)
        for track in self._tracks:
            track.stretch = None
        self._draw_soon()

    def _on_double_tap(self, event: Event) -> None:
        if not isinstance(event, DoubleTap) or event.x is None:
            return
        length = max(self._locus.length // 3, MIN_BASES)
        start = max(round(event.x - EDGE - length / 2), 0)
        self.set_locus(Locus(self._contig, start, start + length))
        self._tell()

    def _move_range(self, start: float, end: float) -> None:
        self._moving = True
        try:
            # never reversed in between: the border that moves outwards goes first
            if start > _number(self._range.start):
                self._range.update(end=end)
                self._range.update(start=start)
            else:
                self._range.update(start=start)
                self._range.update(end=end)
        finally:
            self._moving = False
        self._draw_soon.cancel()
        self._tell_soon.cancel()

    def _view(self) -> View:
        start, end = _number(self._range.start) - EDGE, _number(self._range.end) - EDGE
        return View(self._contig, start, max(end, start + 1), self._length, self._pixels)

    def _draw(self) -> None:
        view = self._view()
        self._locus = view.locus
        for track in self._tracks:
            track.draw(view)

    def _tell(self) -> None:
        self._locus = self._view().locus
        for callback in self._callbacks:
            callback(self._locus)

    def _document(self) -> Any:
        return self._range.document


class _Marks:
    """What runs through all tracks: tinted loci, lines, and the line under the pointer."""

    def __init__(self, tracks: Iterable[Track], theme: Theme) -> None:
        self.strips = ColumnDataSource({"x0": [], "x1": []})
        self.lines = ColumnDataSource({"x": []})
        self.cursor = Span(dimension="height", line_width=1, line_alpha=0.5)
        self._renderers = []
        for track in tracks:
            strip = track.figure.vstrip(
                "x0", "x1", source=self.strips, fill_alpha=0.07, line_alpha=0.5, level="annotation"
            )
            line = track.figure.vspan(
                "x", source=self.lines, line_width=1.5, line_dash=[4, 3], level="annotation"
            )
            self._renderers.append((strip, line))
        self.restyle(theme)

    def set_strips(self, borders: list[tuple[float, float]]) -> None:
        """Tint stretches of the x axis."""
        self.strips.data = {"x0": [left for left, _ in borders], "x1": [right for _, right in borders]}

    def set_lines(self, places: list[float]) -> None:
        """Draw lines at places of the x axis."""
        self.lines.data = {"x": places}

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.cursor.line_color = theme.muted
        for strip, line in self._renderers:
            strip.glyph.update(fill_color=theme.accent, line_color=theme.accent)
            line.glyph.line_color = theme.accent


def _number(border: Any) -> float:
    # a range of Bokeh may hold dates too; ours never does
    return float(border)


def _by_name(tracks: Iterable[Track]) -> dict[str, list[Track]]:
    # the logo and the heat map of a mutagenesis are one track to whoever orders and hides them
    grouped: dict[str, list[Track]] = {name: [] for name in TRACKS}
    for track in tracks:
        name = "mutagenesis" if isinstance(track, Contribution | Effects) else track.name
        grouped[name].append(track)
    return grouped
