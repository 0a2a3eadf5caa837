"""Rows of numbers as a heat map that follows the view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, CustomJSHover, GlyphRenderer, Image, LinearColorMapper, Quad
from numpy.typing import NDArray

from phenviz.tracks.frame import Track
from phenviz.tracks.theme import Theme
from phenviz.tracks.viewport import x_of

# what stands beside colours that follow log(1 + value)
LOG_COLOURS = "log scale"
_EMPTY: dict[str, list[Any]] = {"image": [], "x": [], "y": [], "dw": [], "dh": []}


class HeatMap:
    """An image in data units; rows are one unit high, the first on top.

    Parameters
    ----------
    track
        Whose figure it lies in.
    palette
        Colours from the low to the high limit; what is unknown (NaN) stays transparent.
    """

    def __init__(self, track: Track, palette: Sequence[str]) -> None:
        self.source = ColumnDataSource(dict(_EMPTY))
        self.mapper = LinearColorMapper(palette=list(palette), low=0, high=1, nan_color="rgba(0, 0, 0, 0)")
        image = Image(image="image", x="x", y="y", dw="dw", dh="dh", color_mapper=self.mapper)
        self.renderer: GlyphRenderer = track.figure.add_glyph(self.source, image)

    def show(self, edges: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Draw values, shape (rows, n), between edges in bases, shape (n + 1,), evenly spaced."""
        rows, n = values.shape
        if n == 0:
            self.clear()
            return
        # the last point may be cut off by the end of the contig; the image's points are all alike
        width = int(edges[1] - edges[0]) * n
        image = np.ascontiguousarray(values[::-1], dtype=np.float32)
        self.source.data = {
            "image": [image],
            "x": [x_of(float(edges[0]))],
            "y": [0],
            "dw": [width],
            "dh": [rows],
        }

    def clear(self) -> None:
        """Draw nothing."""
        if self.source.data["image"]:
            self.source.data = dict(_EMPTY)


class Hatching:
    """Hatched boxes over what hasn't been computed yet."""

    def __init__(self, track: Track, theme: Theme) -> None:
        self.source = ColumnDataSource({"left": [], "right": [], "top": []})
        self._glyph = Quad(
            left="left", right="right", bottom=0, top="top", line_color=None, fill_alpha=0,
            hatch_pattern="/", hatch_scale=7, hatch_weight=1,
        )  # fmt: skip
        track.figure.add_glyph(self.source, self._glyph, level="underlay")
        self.restyle(theme)

    def show(self, runs: Sequence[tuple[int, int]], top: float) -> None:
        """Hatch runs of bases (start, end) from 0 up to ``top``."""
        left = [x_of(float(start)) for start, _ in runs]
        right = [x_of(float(end)) for _, end in runs]
        if left != self.source.data["left"] or right != self.source.data["right"]:
            self.source.data = {"left": left, "right": right, "top": [top] * len(left)}

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self._glyph.hatch_color = theme.faint


def number_hover(transform: str = "value") -> CustomJSHover:
    """Write the number under the pointer with three digits; ``transform`` is applied to it first."""
    code = f"""
        if (!Number.isFinite(value)) return "not computed yet"
        const number = {transform}
        const text = Math.abs(number) >= 100 ? number.toFixed(0) : number.toPrecision(3)
        return text.replaceAll("-", "\N{MINUS SIGN}")
    """
    return CustomJSHover(code=code)
