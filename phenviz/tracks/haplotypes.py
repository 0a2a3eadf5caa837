"""What the model predicts for a person's two haplotypes, beside the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from bokeh.models import ColumnDataSource, MultiLine, Patches
from numpy.typing import NDArray

from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.results import bin_size_of
from phenviz.results.display import Display
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.heat import HeatMap, number_hover
from phenviz.tracks.overlay import Scale
from phenviz.tracks.pyramid import Pyramid, Summary
from phenviz.tracks.signed_signal import stairs
from phenviz.tracks.theme import Theme
from phenviz.tracks.viewport import LoadedInterval, View, nice_ceiling, x_of

HAPLOTYPES = ("reference", "1", "2")
# of a row: as its content asks for, at least, and at most
_ROW_PIXELS, _LEAST_ROW, _MOST_ROW = 26, 15, 46
_MOST_PIXELS = 416
_DIFFERENCE_PIXELS, _LEAST_DIFFERENCE, _MOST_DIFFERENCE = 12, 5, 20
# smaller differences are rounding
_SAME = 1e-5
_EMPTY = "Choose an individual to see both haplotypes"


@dataclass(frozen=True, slots=True)
class PersonalActivity:
    """Activity of the reference and of two haplotypes over one window, at every zoom level.

    Parameters
    ----------
    contexts
        Names of the contexts, in the order of the rows.
    first
        First bin of the window.
    activity
        Rows haplotype by haplotype (`HAPLOTYPES`), contexts within.
    difference
        ``log2(1 + haplotype) - log2(1 + reference)``: rows haplotype 1 then 2, contexts within.
    """

    contexts: tuple[str, ...]
    first: int
    activity: Pyramid
    difference: Pyramid

    @classmethod
    def of(cls, dataset: xr.Dataset) -> PersonalActivity:
        """Lay out ``activity`` (haplotype, context, bin), bins without gaps on the contig's grid."""
        size = bin_size_of(dataset)
        order = list(HAPLOTYPES)
        values = dataset["activity"].sel(haplotype=order).transpose("haplotype", "context", "bin").to_numpy()
        change = np.log2(1 + values[1:]) - np.log2(1 + values[:1])
        n_bins = values.shape[2]
        return cls(
            tuple(str(name) for name in dataset["context"].to_numpy()),
            int(dataset["bin_start"].to_numpy()[0]) // size,
            Pyramid.of(values.reshape(-1, n_bins), size),
            Pyramid.of(change.reshape(-1, n_bins), size),
        )

    @property
    def bin_size(self) -> int:
        """Bases in a bin."""
        return self.activity.bin_size

    def locus(self, contig: str) -> Locus:
        """Return the window, on the contig that it was computed for."""
        start = self.first * self.bin_size
        return Locus(contig, start, start + self.activity.n_bins * self.bin_size)

    def read(self, which: Pyramid, loaded: LoadedInterval, pixels: int) -> Summary:
        """Read an interval at one point per pixel; edges are those of the contig."""
        size = self.bin_size
        start = loaded.locus.start // size - self.first
        end = -(-loaded.locus.end // size) - self.first
        inside = max(min(end, which.n_bins) - max(start, 0), 0)
        share = inside * size / loaded.locus.length
        here = which.summary(start, end, max(math.ceil(loaded.points(pixels) * share), 1))
        return Summary(here.edges + self.first * size, here.minimum, here.mean, here.maximum)

    def limit(self, view: View, names: Sequence[str]) -> float:
        """Return the round number that no difference in a view exceeds, on either haplotype."""
        change = self._seen(self.difference, view, names, 2)
        # smaller than this is rounding, and shall look like nothing
        return nice_ceiling(max(float(np.nanmax(np.abs(change), initial=0.0)), 0.05))

    def high(self, view: View, names: Sequence[str]) -> float:
        """Return the round number that few activities in a view exceed."""
        values = self._seen(self.activity, view, names, len(HAPLOTYPES))
        known = values[np.isfinite(values)]
        return nice_ceiling(max(float(np.quantile(known, 0.995)), 1.0) if known.size else 1.0)

    def _seen(self, which: Pyramid, view: View, names: Sequence[str], haplotypes: int) -> NDArray[np.float32]:
        """Values of a view at one point per pixel, the strongest of those that share one."""
        there = self.read(which, LoadedInterval.around(view, 0.0), view.pixels)
        rows = [row for haplotype in range(haplotypes) for row in self.rows(haplotype, names)]
        return there.strongest[rows]

    def rows(self, haplotype: int, names: Sequence[str]) -> list[int]:
        """Rows of contexts within one haplotype's block."""
        row_of = {name: row for row, name in enumerate(self.contexts)}
        return [haplotype * len(self.contexts) + row_of[name] for name in names]


class Haplotypes(Track):
    """One row per context: the reference as an area, the two haplotypes as lines over it."""

    name = "haplotypes"
    title = "Predicted activity"

    def __init__(self, axis: Axis, theme: Theme) -> None:
        super().__init__(axis, theme, 60, (0, 1))
        self._data: PersonalActivity | None = None
        self._contexts: Sequence[Context] = ()
        self._empty = _EMPTY
        self._high = 1.0
        self._summary: Summary | None = None
        self._areas = ColumnDataSource({"xs": [], "ys": []})
        self._lines = [ColumnDataSource({"xs": [], "ys": []}) for _ in range(2)]
        self._area = Patches(xs="xs", ys="ys", line_color=None)
        self._glyphs = [MultiLine(xs="xs", ys="ys", line_width=width) for width in (2.2, 1.2)]
        self.figure.add_glyph(self._areas, self._area)
        for source, glyph in zip(self._lines, self._glyphs, strict=True):
            self.figure.add_glyph(source, glyph)
        self._paint()

    def set_data(self, data: PersonalActivity | None, empty: str = _EMPTY) -> None:
        """Draw another person or window; ``empty`` is said where there is nothing."""
        self._data, self._empty = data, empty
        self._lay_out()
        self.reload()

    def set_contexts(self, contexts: Sequence[Context], focus: str) -> None:
        """Choose the contexts that are drawn, and the one that is pointed at."""
        self._contexts = tuple(contexts)
        self._focus = focus
        self._lay_out()
        self.reload()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._paint()
        self._lay_out()
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Draw the bins of an interval; of those that share a pixel the highest."""
        data, names = self._data, self._drawn()
        for source in (self._areas, *self._lines):
            source.data = {"xs": [], "ys": []}
        self._summary = None
        if data is None or not names:
            return
        summary = data.read(data.activity, loaded, view.pixels)
        if summary.maximum.shape[1] == 0:
            return
        self._summary = summary
        self._outline_all()

    def _outline_all(self) -> None:
        data, names, summary = self._data, self._drawn(), self._summary
        if data is None or summary is None:
            return
        for haplotype, source in enumerate((self._areas, *self._lines)):
            values = summary.maximum[data.rows(haplotype, names)]
            source.data = self._outlines(summary.edges, values, closed=haplotype == 0)

    def fit(self, view: View) -> None:
        """Choose the top of the rows for what is on screen."""
        if self._data is None or not self._drawn():
            return
        high = self._data.high(view, self._drawn())
        if high != self._high:
            self._high = high
            self._outline_all()
        self.follow(view)

    def tell(self, display: Display) -> Display:
        """Add the top of the rows."""
        return replace(display, haplotypes=self._high if self._data is not None else None)

    def follow(self, view: View) -> None:
        """Say what is drawn, or why nothing is."""
        if self._data is None:
            self.say(empty=self._empty)
        elif not self._drawn():
            self.say(empty="Tick a context to see it")
        else:
            self.say(description=self._legend(), note=f"each row 0 to {self._high:g}")

    def _outlines(
        self, edges: NDArray[np.int64], values: NDArray[np.float32], *, closed: bool
    ) -> dict[str, list[NDArray[np.float64]]]:
        xs, ys = [], []
        for row, numbers in enumerate(values):
            base = len(values) - 1 - row + 0.04
            tall = np.minimum(numbers / self._high, 1.0) * 0.9
            x, y = stairs(edges, base + (np.nan_to_num(tall) if closed else tall))
            if closed:
                x, y = np.concatenate([x[:1], x, x[-1:]]), np.concatenate([[base], y, [base]])
            xs.append(x)
            ys.append(y)
        return {"xs": xs, "ys": ys}

    def _legend(self) -> str:
        return "grey: reference · blue: haplotype 1 · orange: haplotype 2"

    def _drawn(self) -> list[str]:
        known = set(self._data.contexts) if self._data is not None else set()
        return [context.name for context in self._contexts if context.name in known]

    def _lay_out(self) -> None:
        shown = [c for c in self._contexts if self._data is None or c.name in self._data.contexts]
        n = max(len(shown), 1)
        usual = min(max(n * _ROW_PIXELS, 40), _MOST_PIXELS)
        self.resize(usual, min(max(n * _LEAST_ROW, 40), usual), max(n * _MOST_ROW, usual))
        self.y_range.update(start=0, end=n)
        self.name_contexts(shown, bold=self._focus if shown else "")

    def _paint(self) -> None:
        self._area.fill_color = self.theme.neutral
        self._area.fill_alpha = 0.55
        for glyph, colour in zip(self._glyphs, self.theme.haplotypes, strict=True):
            glyph.line_color = colour

    _focus = ""


class Difference(Track):
    """How one haplotype differs from the reference: one row per context, white where it doesn't.

    Parameters
    ----------
    haplotype
        1 or 2.
    """

    name = "difference"
    title = "Difference"

    def __init__(self, axis: Axis, theme: Theme, haplotype: int) -> None:
        super().__init__(axis, theme, 60, (0, 1))
        self._haplotype = haplotype
        self._data: PersonalActivity | None = None
        self._contexts: Sequence[Context] = ()
        self._focus = ""
        self._limit = 1.0
        self._same = False
        self._heat = HeatMap(self, theme.diverging)
        self.overlay.set(title=f"Haplotype {haplotype} against the reference")
        self.add_hover(
            self._heat.renderer,
            [("", "$y{custom}"), ("log2 fold change", "@image{custom}"), ("position", "$x{custom}")],
            number_hover(),
        )

    def set_data(self, data: PersonalActivity | None) -> None:
        """Draw another person or window."""
        self._data = data
        self._lay_out()
        self.reload()

    def set_contexts(self, contexts: Sequence[Context], focus: str) -> None:
        """Choose the contexts that are drawn, and the one that is pointed at."""
        self._contexts, self._focus = tuple(contexts), focus
        self._lay_out()
        self.reload()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._heat.mapper.palette = list(theme.diverging)
        self._lay_out()
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Draw the bins of an interval; of those that share a pixel the one farthest from zero."""
        data = self._data
        names = self._drawn()
        if data is None or not names:
            self._heat.clear()
            self.say()
            return
        summary = data.read(data.difference, loaded, view.pixels)
        strongest = summary.strongest[data.rows(self._haplotype - 1, names)]
        self._heat.show(summary.edges, strongest)
        self._same = not (np.abs(strongest) > _SAME).any()

    def fit(self, view: View) -> None:
        """Choose the ends of the colours for what is on screen."""
        if self._data is None or not self._drawn():
            return
        self._limit = self._data.limit(view, self._drawn())
        self._heat.mapper.update(low=-self._limit, high=self._limit)
        limit = f"{self._limit:g}"
        self.say(
            description="log2 fold change of each bin",
            note="as the reference here" if self._same else "",
            scale=Scale(f"−{limit}", self.theme.diverging, limit),
        )

    def tell(self, display: Display) -> Display:
        """Add where the colours end."""
        return replace(display, difference=self._limit if self._data is not None else None)

    def _drawn(self) -> list[str]:
        known = set(self._data.contexts) if self._data is not None else set()
        return [context.name for context in self._contexts if context.name in known]

    def _lay_out(self) -> None:
        shown = [c for c in self._contexts if self._data is None or c.name in self._data.contexts]
        n = max(len(shown), 1)
        usual, least, most = (
            max(n * pixels, 24) for pixels in (_DIFFERENCE_PIXELS, _LEAST_DIFFERENCE, _MOST_DIFFERENCE)
        )
        self.resize(usual, least, most)
        self.y_range.update(start=0, end=n)
        self.name_contexts(shown, 10, bold=self._focus)


def centre_of(position: int) -> float:
    """Place on the x axis of the middle of a base, counted from 1."""
    return x_of(float(position - 1)) + 0.5
