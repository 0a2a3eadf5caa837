"""Plots that stand by themselves: figures with axes, in the colours of the tracks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from bokeh.models import BasicTicker, CustomJSHover, FixedTicker, GlyphRenderer, HoverTool, Range1d
from bokeh.plotting import figure

from phenviz.tracks.overlay import style_sheets
from phenviz.tracks.theme import FONT, Theme, ThemeName, get_theme


class Plot(ABC):
    """A figure that stands by itself, in the colours of a theme.

    Parameters
    ----------
    theme
        ``light`` or ``dark``.

    Attributes
    ----------
    layout
        The figure.
    """

    layout: figure
    _theme: Theme

    def set_theme(self, theme: ThemeName) -> None:
        """Change all colours."""
        self._theme = get_theme(theme)
        paint_figure(self.layout, self._theme)
        self._recolour()

    @abstractmethod
    def _recolour(self) -> None:
        """Give what is drawn the colours of the present theme."""


def plain_figure(
    name: str,
    height: int | None,
    x_label: str,
    y_label: str,
    *,
    x: tuple[float, float],
    y: tuple[float, float],
) -> figure:
    """Return a figure that takes the width it gets, and its height too where ``height`` is None."""
    sizing: dict[str, Any] = (
        {"sizing_mode": "stretch_both"}
        if height is None
        else {"height": height, "sizing_mode": "stretch_width"}
    )
    shown = figure(
        name=name, x_range=Range1d(*x), y_range=Range1d(*y), x_axis_label=x_label, y_axis_label=y_label,
        tools="", toolbar_location=None, context_menu=None, min_border_right=12, min_width=160,
        background_fill_color=None, border_fill_color=None, outline_line_color=None, lod_threshold=None,
        **sizing,
    )  # fmt: skip
    # more numbers run into each other where such a figure is narrow
    shown.xaxis.ticker = BasicTicker(desired_num_ticks=4)
    return shown


def paint_figure(shown: figure, theme: Theme) -> None:
    """Give axes, grid and tooltips the colours of a theme."""
    for axis in (*shown.xaxis, *shown.yaxis):
        axis.update(
            axis_line_color=theme.muted, major_tick_line_color=theme.muted, minor_tick_line_color=None,
            major_label_text_color=theme.muted, axis_label_text_color=theme.ink,
            major_label_text_font=FONT, axis_label_text_font=FONT, axis_label_text_font_style="normal",
            axis_label_text_font_size="12px", major_label_text_font_size="11px",
        )  # fmt: skip
    for grid in (*shown.xgrid, *shown.ygrid):
        grid.grid_line_color = theme.faint
    shown.stylesheets = style_sheets(theme)


def hover_of(renderer: GlyphRenderer, tooltips: list[tuple[str, str]], **decimals: str) -> HoverTool:
    """Return the tooltip of a renderer, with numbers as they are everywhere on screen.

    Parameters
    ----------
    renderer
        What is pointed at.
    tooltips
        Label and text, as Bokeh takes them; numbers are written as ``@name{custom}``.
    **decimals
        For each of these numbers how many decimals it has, with a plus in front where its sign is shown.
    """
    formatters = {
        f"@{name}": CustomJSHover(
            code=f"return ({int('+' in many)} && value > 0 ? '+' : '') + "
            f"value.toFixed({int(many)}).replace('-', '\N{MINUS SIGN}')"
        )
        for name, many in decimals.items()
    }
    return HoverTool(renderers=[renderer], tooltips=tooltips, formatters=formatters)


def fixed_ticks(shown: figure, side: str, labels: list[str]) -> None:
    """Name unit-wide rows or columns, whose middles lie at 0.5, 1.5, ..."""
    (axis,) = shown.yaxis if side == "y" else shown.xaxis
    places = [index + 0.5 for index in range(len(labels))]
    axis.ticker = FixedTicker(ticks=places)
    axis.major_label_overrides = dict(zip(places, labels, strict=True))
    axis.major_tick_line_color = None
    axis.axis_line_color = None
