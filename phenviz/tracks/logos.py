"""Sequence logos of both alleles of a variant, side by side on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from bokeh.layouts import row
from bokeh.models import Range1d
from bokeh.models.layouts import Row
from numpy.typing import NDArray

from phenviz.results.display import AlleleDisplay, MotifMatch, VariantDisplay
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.motif_names import MotifNames
from phenviz.tracks.signed_signal import SignedPlot
from phenviz.tracks.theme import Theme, ThemeName, get_theme
from phenviz.tracks.viewport import LoadedInterval, View, x_of

_HEIGHT = 112
# share of the height that names of motifs take, below the letters
_MOTIFS = 0.28
# width of a mark between two bases, in bases
_GAP = 0.3


class Logo(Track):
    """Contributions of the bases of one allele as letters.

    Parameters
    ----------
    title
        Which allele.
    """

    name = "logo"
    title = ""
    gutter = 46
    # side by side, in a row
    shares_room = False

    def __init__(self, axis: Axis, theme: Theme, name: str, title: str) -> None:
        super().__init__(axis, theme, _HEIGHT, (-1, 1))
        self.figure.name = name
        self.overlay.set(title=title)
        self.plot = SignedPlot(self)
        self._start, self._bases = 0, ""
        self.names = MotifNames(self)
        self._values: NDArray[np.float32] = np.empty(0, dtype=np.float32)

    def set_data(self, start: int, bases: str, values: NDArray[np.float32]) -> None:
        """Draw bases from a 0-based position on, as high as their contributions, shape (n,)."""
        self._start, self._bases, self._values = start, bases, values
        self.reload()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self.plot.restyle(theme)
        self.names.restyle(theme)
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Draw all bases: there are few."""
        if len(self._values):
            self.plot.show_letters(self._start, self._bases, self._values)
        else:
            self.plot.clear()

    def fit(self, view: View) -> None:
        """Choose the y axis for all bases."""
        self.plot.fit(view)


class AlleleLogos:
    """Logos of REF and ALT with one y axis; the variant is tinted.

    Parameters
    ----------
    theme
        ``light`` or ``dark``.

    Attributes
    ----------
    layout
        Both figures in a row.
    """

    def __init__(self, theme: ThemeName = "light") -> None:
        colours = get_theme(theme)
        self._shown: tuple[str, int, tuple[AlleleDisplay, ...]] | None = None
        self._tracks = [
            Logo(Axis(Range1d(0, 1)), colours, f"logo-{allele.lower()}", allele) for allele in ("REF", "ALT")
        ]
        self._strips = [
            track.figure.vstrip([], [], fill_alpha=0.12, line_alpha=0, level="underlay")
            for track in self._tracks
        ]
        self.layout: Row = row([track.figure for track in self._tracks], sizing_mode="stretch_width")
        self._tint(colours)

    def show(
        self,
        contig: str,
        start: int,
        bases: tuple[str, str],
        values: tuple[NDArray[np.float32], NDArray[np.float32]],
        changed: tuple[tuple[int, int], tuple[int, int]],
        titles: tuple[str, str],
    ) -> None:
        """Draw both alleles.

        Parameters
        ----------
        contig
            Where.
        start
            0-based position of the first base of both.
        bases, values
            Of each allele: its sequence, and the contribution of each base.
        changed
            Of each allele: first and last (half-open) of the bases that differ, counted from ``start``.
        titles
            What stands over each.
        """
        each = zip(titles, bases, values, changed, strict=True)
        self._draw(contig, start, [AlleleDisplay(*allele) for allele in each])

    def _draw(self, contig: str, start: int, alleles: Sequence[AlleleDisplay]) -> None:
        self._shown = contig, start, tuple(alleles)
        known = np.concatenate([allele.values[np.isfinite(allele.values)] for allele in alleles])
        low, high = float(known.min(initial=0.0)), float(known.max(initial=0.0))
        # motifs stand below the lowest letter; their room is there from the beginning, so that nothing moves
        least = (low - _MOTIFS * (high - low), high)
        for track, strip, allele in zip(self._tracks, self._strips, alleles, strict=True):
            letters, numbers, (first, last) = allele.bases, allele.values, allele.changed
            title = allele.title
            length = max(len(letters), 1)
            track.plot.least = least
            track.axis.range.update(start=x_of(start), end=x_of(start + length))
            # where bases are missing, a mark stands between their neighbours
            half = _GAP / 2 if first == last else 0.0
            strip.data_source.data = {"x0": [x_of(start + first) - half], "x1": [x_of(start + last) + half]}
            track.overlay.set(title=title)
            track.set_data(start, letters, numbers)
            view = View(contig, start, start + length, start + length, 400)
            track.draw(view)
            track.rest(view)
            track.names.show(allele.motifs, view, _MOTIFS / (1 + _MOTIFS))

    def show_motifs(self, motifs: Sequence[Sequence[MotifMatch]]) -> None:
        """Name the motifs over each allele, below its letters."""
        if self._shown is None:
            return
        contig, start, alleles = self._shown
        self._draw(contig, start, [replace(a, motifs=tuple(m)) for a, m in zip(alleles, motifs, strict=True)])

    def display(self) -> VariantDisplay:
        """Return what is drawn, and with which y axis."""
        if self._shown is None:
            return VariantDisplay()
        _, start, alleles = self._shown
        return VariantDisplay(start, alleles, self._tracks[0].plot.limits)

    def set_theme(self, theme: ThemeName) -> None:
        """Change all colours."""
        colours = get_theme(theme)
        for track in self._tracks:
            track.restyle(colours)
        self._tint(colours)

    def _tint(self, theme: Theme) -> None:
        for strip in self._strips:
            strip.glyph.fill_color = theme.accent
