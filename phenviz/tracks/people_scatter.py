"""Predicted against measured expression, one point per person; one of them is marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, Scatter
from numpy.typing import NDArray

from phenviz.tracks.plain import Plot, plain_figure
from phenviz.tracks.theme import ThemeName


class PeopleScatter(Plot):
    """Predicted (x) against measured (y) values of people."""

    def __init__(self, theme: ThemeName = "light") -> None:
        self.layout = plain_figure("people-scatter", 240, "predicted", "measured", x=(-1, 1), y=(-1, 1))
        self._points = ColumnDataSource({"x": [], "y": [], "name": [], "population": []})
        self._chosen = ColumnDataSource({"x": [], "y": [], "name": []})
        self._point = Scatter(x="x", y="y", size=6, line_color=None, fill_alpha=0.6)
        self._ring = Scatter(x="x", y="y", size=14, fill_color=None, line_width=3)
        points = self.layout.add_glyph(self._points, self._point)
        self.layout.add_glyph(self._chosen, self._ring)
        self.layout.add_tools(HoverTool(renderers=[points], tooltips=[("", "@name"), ("", "@population")]))
        self.set_theme(theme)

    def show(
        self,
        predicted: NDArray[np.floating],
        measured: NDArray[np.floating],
        names: Sequence[str],
        populations: Sequence[str],
        *,
        axes: tuple[str, str],
        chosen: str = "",
    ) -> None:
        """Draw people.

        Parameters
        ----------
        predicted, measured
            Shape (people,); who has NaN in either isn't drawn.
        names, populations
            Of each person.
        axes
            Labels.
        chosen
            Who is marked; nobody where this name isn't among them.
        """
        known = np.flatnonzero(np.isfinite(predicted) & np.isfinite(measured)).tolist()
        x, y = np.asarray(predicted, float)[known], np.asarray(measured, float)[known]
        own = [str(names[row]) for row in known]
        self._points.data = {
            "x": x,
            "y": y,
            "name": own,
            "population": [str(populations[row]) for row in known],
        }
        marked = [place for place, name in enumerate(own) if name == chosen]
        self._chosen.data = {"x": x[marked], "y": y[marked], "name": [own[place] for place in marked]}
        for numbers, shown in ((x, self.layout.x_range), (y, self.layout.y_range)):
            low, high = (numbers.min(), numbers.max()) if len(numbers) else (-1.0, 1.0)
            room = 0.06 * (high - low) or 0.5
            shown.update(start=float(low - room), end=float(high + room))
        self.layout.xaxis.axis_label, self.layout.yaxis.axis_label = axes

    def _recolour(self) -> None:
        self._point.fill_color = self._theme.muted
        self._ring.line_color = self._theme.accent
