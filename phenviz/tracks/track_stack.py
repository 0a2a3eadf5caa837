"""Figures stacked over one x axis: made when first shown, then moved, marked, ordered and hidden together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bokeh.events import DoubleTap, Event
from bokeh.layouts import column
from bokeh.models import (
    AllIndices,
    CDSView,
    ColumnDataSource,
    CrosshairTool,
    GlyphRenderer,
    Range1d,
    UIElement,
    VSpan,
    VStrip,
)
from bokeh.models.annotations import Span
from bokeh.models.layouts import Column

from phenviz.errors import ResultError
from phenviz.genome.locus import Locus, same_contig, shown_contig
from phenviz.results.display import Display
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.theme import Theme
from phenviz.tracks.throttle import Debounce, Throttle
from phenviz.tracks.viewport import EDGE, MIN_BASES, View, clamp, x_of

_DEFAULT_PIXELS = 1_000
_LEAST_PIXELS = 100
_DRAW_EVERY = 60
_SETTLED_AFTER = 150


class Stack:
    """Linked tracks of one contig.

    A page sends what it shows: a track that nobody has looked at has no models. Its Bokeh models belong to
    one document: after `layout` is shown, call methods in the document's thread only.

    Parameters
    ----------
    locus
        What is shown first.
    contig_length
        Bases of the contig.
    theme
        Colours.
    makers
        For each track, in the order of the page: what makes it (a track may be several figures) from what
        is known by then. The first one tells how wide the page is, so it is always made.

    Attributes
    ----------
    layout
        The figures that are shown, in a column that takes the width it gets.
    axis
        For the makers.
    """

    def __init__(
        self,
        locus: Locus,
        contig_length: int,
        theme: Theme,
        makers: Mapping[str, Callable[[], Sequence[Track]]],
    ) -> None:
        self._contig, self._length = locus.contig, contig_length
        self.theme = theme
        self._makers = dict(makers)
        self._made: dict[str, Sequence[Track]] = {}
        self._order = tuple(makers)
        self._callbacks: list[Callable[[Locus], None]] = []
        self._moving = self._closed = False
        self._pixels = _DEFAULT_PIXELS
        self._locus = clamp(locus, contig_length)
        self.range = self._make_range()
        self.axis = Axis(self.range)
        self.marks = Marks(theme)
        self._crosshair = CrosshairTool(overlay=self.marks.cursor)
        self.layout: Column = column([], sizing_mode="stretch_both", spacing=0)
        self._draw_soon = Throttle(lambda: self.range.document, _DRAW_EVERY, self.draw)
        self._tell_soon = Debounce(lambda: self.range.document, _SETTLED_AFTER, self._tell)
        self.range.on_change("start", self._on_range)
        self.range.on_change("end", self._on_range)

    # where

    @property
    def locus(self) -> Locus:
        """What is shown."""
        return self._locus

    def set_locus(self, locus: Locus) -> None:
        """Show a locus, moved and cut so that it lies on the contig, without calling back.

        Raises
        ------
        ResultError
            If it lies on another contig: each contig has a browser of its own.
        """
        if not same_contig(locus.contig, self._contig):
            raise ResultError(f"{locus} isn't on {shown_contig(self._contig)}: make a browser for its contig")
        self._locus = clamp(Locus(self._contig, locus.start, locus.end), self._length)
        self._move_range(x_of(self._locus.start), x_of(self._locus.end))
        self.draw()
        self.rest()

    def on_locus(self, callback: Callable[[Locus], None]) -> None:
        """Call back when the user has panned, zoomed or dragged, once the view comes to rest."""
        self._callbacks.append(callback)

    def draw(self) -> None:
        """Have all tracks follow the view."""
        if self._closed:
            return
        view = self._view()
        self._locus = view.locus
        for track in self.tracks():
            track.draw(view)

    def rest(self) -> None:
        """Have all tracks fit heights and scales to the view, which has come to rest."""
        if self._closed:
            return
        view = self._view()
        for track in self.tracks():
            track.rest(view)
        self.fit()

    def close(self) -> None:
        """Draw no more: the page is gone, and its models are being emptied."""
        self._closed = True
        self._made.clear()
        self._draw_soon.cancel()
        self._tell_soon.cancel()

    # which

    def tracks(self) -> list[Track]:
        """Return all tracks made so far."""
        return [track for tracks in self._made.values() for track in tracks]

    def _ordered(self) -> list[Track]:
        return [track for name in self._order for track in self.made(name)]

    def made(self, name: str) -> Sequence[Track]:
        """Return the tracks of a name if they have been made; what isn't yet learns later from its maker."""
        return self._made.get(name, ())

    def need(self, name: str) -> Sequence[Track]:
        """Return the tracks of a name, made now if they haven't been."""
        if name not in self._made:
            tracks = self._makers[name]()
            for track in tracks:
                self._welcome(track)
            if name == next(iter(self._makers)):
                # how many names fit depends on the width, which only the page knows
                tracks[0].figure.on_change("inner_width", self._on_width)
            self._made[name] = tracks
        return self._made[name]

    def offer(self, name: str, make: Callable[[], Sequence[Track]]) -> None:
        """Have one more track, in the place of an earlier one of its name; `arrange` shows it."""
        self.remove(name)
        self._makers[name] = make

    def remove(self, name: str) -> None:
        """Have a track no more; `arrange` takes it off the page."""
        self._made.pop(name, None)
        self._makers.pop(name, None)
        self._order = tuple(other for other in self._order if other != name)

    def arrange(self, order: Sequence[str] | None = None, hidden: Iterable[str] = ()) -> None:
        """Order and hide tracks by their names; those that ``order`` leaves out come last.

        Raises
        ------
        ResultError
            If a name is unknown.
        """
        wanted, hidden = tuple(order or ()), frozenset(hidden)
        if unknown := [name for name in (*wanted, *hidden) if name not in self._makers]:
            raise ResultError(f"no track {unknown[0]!r}: there are {', '.join(self._makers)}")
        if self._closed:
            return
        view = self._view()
        self._order = tuple(dict.fromkeys((*wanted, *self._makers)))
        figures: list[UIElement] = []
        for name in self._order:
            shown = name not in hidden
            for track in self.need(name) if shown else self.made(name):
                track.figure.visible = shown
                track.draw(view)
                track.rest(view)
                if shown:
                    figures.append(track.figure)
        if list(self.layout.children) != figures:
            self.layout.children = figures
        self.fit()

    def fit(self) -> None:
        """Have the page scroll where it hasn't even room for the least height of all tracks."""
        least = sum(track.least for track in self.tracks() if track.figure.visible)
        # not as the model's own least height, which a page's layout would add up beyond the window
        styles = {"min-height": f"{least}px"}
        if self.layout.styles != styles:
            self.layout.styles = styles

    def display(self, contexts: Sequence[str], focus: str = "", style: str = "heatmap") -> Display:
        """Return what is on screen, with the scales that it is drawn with."""
        shown = [track for track in self._ordered() if track.figure.visible]
        names = dict.fromkeys(name for name in self._order if any(t in shown for t in self.made(name)))
        lines = tuple(round(x - EDGE - 0.5) for x in self.marks.lines.data["x"])
        ends = zip(self.marks.strips.data["x0"], self.marks.strips.data["x1"], strict=True)
        strips = tuple((round(left - EDGE), round(right - EDGE)) for left, right in ends)
        display = Display(
            self._view().locus, tuple(names), tuple(contexts), focus, style, lines=lines, strips=strips
        )
        for track in shown:
            display = track.tell(display)
        return display

    def restyle(self, theme: Theme) -> None:
        """Change all colours."""
        self.theme = theme
        for track in self.tracks():
            track.restyle(theme)
        self.marks.restyle(theme)

    # parts

    def _welcome(self, track: Track) -> None:
        self.marks.add_to(track)
        track.figure.add_tools(self._crosshair)
        track.figure.on_event(DoubleTap, self._on_double_tap)

    def _make_range(self) -> Range1d:
        low, high = x_of(0.0), x_of(float(self._length))
        return Range1d(
            start=x_of(self._locus.start), end=x_of(self._locus.end), bounds=(low, high),
            min_interval=min(MIN_BASES, self._length), max_interval=self._length,
        )  # fmt: skip

    # moving

    def _on_range(self, attr: str, old: float, new: float) -> None:
        if not self._moving:
            self._draw_soon()
            self._tell_soon()

    def _on_width(self, attr: str, old: int, new: int) -> None:
        if new < _LEAST_PIXELS:
            return  # the page is still laying itself out
        self._pixels = int(new)
        for track in self.tracks():
            track.loaded = None
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
            if start > _number(self.range.start):
                self.range.update(end=end)
                self.range.update(start=start)
            else:
                self.range.update(start=start)
                self.range.update(end=end)
        finally:
            self._moving = False
        self._draw_soon.cancel()
        self._tell_soon.cancel()

    def _view(self) -> View:
        start, end = _number(self.range.start) - EDGE, _number(self.range.end) - EDGE
        return View(self._contig, start, max(end, start + 1), self._length, self._pixels)

    def _tell(self) -> None:
        self.rest()
        self._locus = self._view().locus
        for callback in self._callbacks:
            callback(self._locus)


class Marks:
    """What runs through all tracks: borders of loci, lines, and the line under the pointer."""

    def __init__(self, theme: Theme) -> None:
        self.strips = ColumnDataSource({"x0": [], "x1": []})
        self.lines = ColumnDataSource({"x": []})
        self.cursor = Span(dimension="height", line_width=1, line_alpha=0.5)
        self._tint = VStrip(x0="x0", x1="x1", fill_alpha=0.07, line_alpha=0.5)
        self._borders = VStrip(x0="x0", x1="x1", fill_color=None, line_alpha=0.5)
        self._line = VSpan(x="x", line_width=1.5, line_dash=[4, 3])
        self._views = CDSView(filter=AllIndices()), CDSView(filter=AllIndices())
        self.restyle(theme)

    def add_to(self, track: Track) -> None:
        """Draw on a track too."""
        strip = self._tint if track.tinted else self._borders
        glyphs = (self.strips, strip), (self.lines, self._line)
        for (source, glyph), view in zip(glyphs, self._views, strict=True):
            # one glyph and one view in all figures: a page that has ten of each opens later
            renderer = GlyphRenderer(data_source=source, glyph=glyph, view=view, level="annotation")
            track.figure.renderers.append(renderer)

    def set_strips(self, borders: list[tuple[float, float]]) -> None:
        """Mark intervals of the x axis."""
        self.strips.data = {"x0": [left for left, _ in borders], "x1": [right for _, right in borders]}

    def set_lines(self, places: Sequence[float]) -> None:
        """Draw lines at places of the x axis."""
        self.lines.data = {"x": list(places)}

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.cursor.line_color = theme.muted
        self._tint.fill_color = theme.accent
        for glyph in (self._tint, self._borders, self._line):
            glyph.line_color = theme.accent


def _number(border: Any) -> float:
    # a range of Bokeh may hold dates too; ours never does
    return float(border)
