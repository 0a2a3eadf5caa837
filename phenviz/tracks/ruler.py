"""Ruler: positions counted from 1, and the reference bases when zoomed in. Dragging on it zooms."""

from __future__ import annotations

from collections.abc import Callable

from bokeh.models import BasicTicker, ColumnDataSource, CustomJSTickFormatter, LinearAxis, Range1d

from phenviz.genome.locus import Locus, bare_contig
from phenviz.tracks.frame import Track
from phenviz.tracks.letters import place_letters
from phenviz.tracks.theme import FONT, Theme
from phenviz.tracks.view import Stretch, View, x_of

SEQUENCE_BELOW = 220
_HEIGHT = 18
# as `phenviz.genome.ticks.format_position`, but made where the ticks move while the user drags
_TICKS = """
    const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 1
    if (step < 1000)
        return Math.round(tick).toLocaleString("en-US")
    const digits = Math.max(6 - Math.floor(Math.log10(step) + 1e-9), 0)
    const style = {minimumFractionDigits: digits, maximumFractionDigits: digits}
    return (tick / 1e6).toLocaleString("en-US", style) + " Mb"
"""


class Ruler(Track):
    """Position axis and reference bases.

    Parameters
    ----------
    sequence
        Reads the bases of a locus; None where there is no reference.
    """

    name = "ruler"
    title = ""
    drag = "zoom"
    header = 32

    def __init__(
        self, x_range: Range1d, theme: Theme, contig: str, sequence: Callable[[Locus], str] | None
    ) -> None:
        super().__init__(x_range, theme, _HEIGHT)
        self._sequence = sequence
        self._letters = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        self.figure.multi_polygons("xs", "ys", fill_color="colour", line_color=None, source=self._letters)
        self._axis = LinearAxis(
            ticker=BasicTicker(min_interval=1, desired_num_ticks=7, num_minor_ticks=5),
            formatter=CustomJSTickFormatter(code=_TICKS),
            major_label_text_font=FONT, major_label_text_font_size="11.5px", major_label_standoff=3,
            major_tick_in=0, major_tick_out=6, minor_tick_out=3, minor_tick_in=0,
        )  # fmt: skip
        self.figure.add_layout(self._axis, "above")
        self.overlay.set(title=f"chr{bare_contig(contig)}")
        self._paint_frame()

    def load(self, stretch: Stretch, view: View) -> None:
        """Lay out the bases, when few enough are on screen to be read."""
        if self._sequence is None or view.length > SEQUENCE_BELOW:
            self.say(empty="drag here to zoom in")
            self._letters.data = {"xs": [], "ys": [], "colour": []}
            return
        self.say()
        bases = self._sequence(stretch.locus)
        # a letter doesn't get wider than it looks right at this height
        width = min(0.86, 13 * view.bases_per_pixel)
        left = [x_of(stretch.locus.start + index) + (1 - width) / 2 for index in range(len(bases))]
        xs, ys = place_letters(bases, left, 0.08, width, 0.84)
        colours = [self.theme.bases.get(base, self.theme.bases["N"]) for base in bases]
        self._letters.data = {"xs": xs, "ys": ys, "colour": colours}

    def _paint_frame(self) -> None:
        super()._paint_frame()
        if not hasattr(self, "_axis"):
            return
        self._axis.major_label_text_color = self.theme.ink
        for part in ("axis_line_color", "major_tick_line_color", "minor_tick_line_color"):
            setattr(self._axis, part, self.theme.muted)
