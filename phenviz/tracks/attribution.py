"""Attribution: what each base adds to the target, signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from bokeh.models import ColumnDataSource, Image

from phenviz.genome.locus import Locus
from phenviz.genome.true_minus import true_minus
from phenviz.results import base_starts, gaps
from phenviz.results.display import Display, MotifMatch
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.heat import number_hover
from phenviz.tracks.motif_names import MotifNames
from phenviz.tracks.signed_signal import (
    Bases,
    SignedPlot,
    choose_context,
    covered_part,
    elsewhere,
    label_of,
)
from phenviz.tracks.theme import Theme
from phenviz.tracks.tinted_intervals import TintedIntervals
from phenviz.tracks.viewport import LoadedInterval, View, x_of

LETTERS_BELOW = 320
_EMPTY = "Run integrated gradients to see what each base adds to the prediction"


class Attribution(Track):
    """Attribution of the bases, as areas from the lowest to the highest in a pixel, or as letters.

    A band reaches one standard deviation over the baselines to each side, where there were several; what lies
    between the windows of a trait's genes is tinted.

    Parameters
    ----------
    sequence
        Reads the bases of a locus.
    """

    name = "attribution"
    title = "Attribution"
    margin = 0.6

    def __init__(
        self, axis: Axis, theme: Theme, contig: str, sequence: Callable[[Locus], str] | None
    ) -> None:
        super().__init__(axis, theme, 88, (-1, 1))
        self.resize(92, 68, 220)
        self._contig = contig
        self._sequence = sequence
        self._dataset: xr.Dataset | None = None
        self._bases: Bases | None = None
        self._focus = ""
        self._gaps: list[tuple[int, int]] = []
        self._unread = TintedIntervals(self)
        self._plot = SignedPlot(self)
        self._motifs: Sequence[MotifMatch] = ()
        self._names = MotifNames(self)
        self._plot.names_below = True
        self._under = ColumnDataSource({"image": [], "x": [], "y": [], "dw": [], "dh": []})
        # there for the tooltip only
        invisible = Image(image="image", x="x", y="y", dw="dw", dh="dh", global_alpha=0.0)
        under = self.figure.add_glyph(self._under, invisible)
        self.add_hover(under, [("attribution", "@image{custom}"), ("position", "$x{custom}")], number_hover())
        self._unread.restyle(theme.muted)

    def set_dataset(self, dataset: xr.Dataset | None) -> None:
        """Draw another result, or more of one that grows."""
        self._dataset = dataset
        self._lay()
        self.reload()

    def set_focus(self, name: str) -> None:
        """Draw another context, where the result has several."""
        self._focus = name
        if self._dataset is not None and "context" in self._dataset.dims:
            self._lay()
            self.reload()

    def set_motifs(self, motifs: Sequence[MotifMatch]) -> None:
        """Name known motifs under the bases."""
        self._motifs = tuple(motifs)
        if self.view is not None:
            self._names.show(self._motifs, self.view, self._plot.room)

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self._names.restyle(theme)
        self._plot.restyle(theme)
        self._unread.restyle(theme.muted)
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Draw the bases of an interval."""
        if self._dataset is None or self._bases is None or not self._bases.overlaps(loaded.locus):
            self._plot.clear()
            self._unread.clear()
            self._under.data = {"image": [], "x": [], "y": [], "dw": [], "dh": []}
            return
        summary = self._bases.summary(loaded, view.pixels)
        if view.length <= LETTERS_BELOW and self._sequence is not None:
            begin, values = self._bases.values(loaded.locus)
            bases = self._sequence(Locus(self._contig, begin, begin + values.shape[1]))
            band = (values[1], values[2]) if len(values) > 1 else None
            self._plot.show_letters(begin, bases, values[0], band)
        else:
            low, high = summary.minimum, summary.maximum
            self._plot.show_areas(summary.edges, low[0], high[0], (low[1], high[2]) if len(low) > 1 else None)
        self._unread.show(self._gaps, loaded.locus)
        bottom, top = self._plot.limits
        self._under.data = {
            "image": [summary.strongest[:1]], "x": [x_of(float(summary.edges[0]))], "y": [bottom],
            "dw": [float(summary.edges[-1] - summary.edges[0])], "dh": [top - bottom],
        }  # fmt: skip

    def tell(self, display: Display) -> Display:
        """Add the y axis."""
        limits = self._plot.data_limits if self._bases is not None else None
        return replace(display, attribution=limits, motifs=tuple(self._motifs))

    def fit(self, view: View) -> None:
        """Choose the y axis for what is on screen."""
        self._plot.fit(view)
        self._names.show(self._motifs, view, self._plot.room)
        bottom, top = self._plot.limits
        if self._under.data["image"]:
            self._under.data = dict(self._under.data) | {"y": [bottom], "dh": [top - bottom]}

    def follow(self, view: View) -> None:
        """Say what is drawn, or where there would be something."""
        if self._bases is None:
            self.say(empty=_EMPTY)
        elif self._bases.overlaps(view.locus):
            self._describe(view)
        else:
            self.say(empty=elsewhere("Attribution was computed", self._bases.locus))

    def _lay(self) -> None:
        dataset = self._dataset
        if dataset is None or dataset.sizes.get("position", 0) == 0:
            self._bases, self._gaps = None, []
            return
        context = choose_context(dataset, self._focus)
        one = dataset if context is None else dataset.sel(context=context)
        rows = one["attribution"].to_numpy()[None, :]
        if "attribution_std" in one:
            spread = one["attribution_std"].to_numpy()
            rows = np.stack([rows[0], rows[0] - spread, rows[0] + spread])
        positions = base_starts(dataset)
        self._gaps = gaps(positions)
        # a result of another contig is of use only to say where it lies
        contig = str(dataset.attrs.get("contig", self._contig))
        self._bases = Bases.of(contig, positions, rows)

    def _describe(self, view: View) -> None:
        assert self._dataset is not None and self._bases is not None
        attrs = self._dataset.attrs
        parts = [
            label_of(self._dataset, choose_context(self._dataset, self._focus)),
            str(attrs.get("method", "")),
        ]
        if "n_steps" in attrs:
            parts.append(f"{attrs['n_steps']} steps")
        if "attribution_std" in self._dataset:
            parts.append(f"band: one standard deviation over {attrs.get('n_baselines', 'the')} baselines")
        if self._gaps:
            parts.append("tinted: outside of all gene windows")
        notes = []
        if (covered := covered_part(self._bases.locus, view)) is not None:
            notes.append(covered)
        if "convergence_delta" in attrs:
            warning = "" if attrs.get("converged", 1) else " (not converged: take more steps)"
            delta = true_minus(f"{float(np.sum(attrs['convergence_delta'])):.2g}")
            notes.append(f"convergence delta {delta}{warning}")
        self.say(description=" · ".join(part for part in parts if part), note=" · ".join(notes))
