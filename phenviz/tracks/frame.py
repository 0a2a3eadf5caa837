"""One track: a figure on the shared x axis with its gutter, texts and tools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from bokeh.models import (
    BoxZoomTool,
    ColumnDataSource,
    CustomJSHover,
    FixedTicker,
    GlyphRenderer,
    Grid,
    HoverTool,
    PanTool,
    Range1d,
    WheelZoomTool,
)
from bokeh.models.css import StyleSheet
from bokeh.plotting import figure

from phenviz.tracks.overlay import Overlay, Scale, Texts, style_sheets
from phenviz.tracks.theme import Theme
from phenviz.tracks.viewport import Stretch, View

GUTTER = 116
RIGHT_BORDER = 14
HEADER = 20
_FOOTER = 6

_POSITION = "return Math.round(special_vars.x).toLocaleString('en-US')"
_ROW = """
    const names = source.data.name
    return names[names.length - 1 - Math.floor(special_vars.y)] ?? ""
"""


class Axis:
    """What the figures of one page have in common: x range, places of the grid, style sheets.

    Parameters
    ----------
    x_range
        What is on screen, in places of the x axis.
    """

    def __init__(self, x_range: Range1d) -> None:
        self.range = x_range
        self.ticker = FixedTicker(ticks=[])
        self._sheets: tuple[Theme, list[StyleSheet]] | None = None

    def sheets(self, theme: Theme) -> list[StyleSheet]:
        """Return the style sheets of a theme: new ones when it has changed, else those made before."""
        if self._sheets is None or self._sheets[0] is not theme:
            self._sheets = (theme, style_sheets(theme))
        return self._sheets[1]


class Track(ABC):
    """A figure of fixed height whose data follow the view.

    Subclasses set `name` and `title`, put glyphs on `figure`, and fill their sources in `load`.

    Parameters
    ----------
    axis
        Shared by all tracks.
    theme
        Colours.
    height
        Of the part that data are drawn in, in pixels.
    y_range
        Bottom and top of that part in its own unit.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    margin: ClassVar[float] = 1.0
    drag: ClassVar[str] = "pan"
    header: ClassVar[int] = HEADER
    gutter: ClassVar[int] = GUTTER
    # a tint would change the colours of a track whose colours are values
    tinted: ClassVar[bool] = False

    def __init__(self, axis: Axis, theme: Theme, height: int, y_range: tuple[float, float] = (0, 1)) -> None:
        self.axis, self.theme = axis, theme
        self.stretch: Stretch | None = None
        self.view: View | None = None
        self.y_range = Range1d(*y_range)
        self._row_names = ColumnDataSource({"name": []})
        self.overlay = Overlay(
            theme, self.title, gutter=self.gutter, right=RIGHT_BORDER, header=self.header, height=height
        )
        self.figure = figure(
            name=self.name,
            x_range=axis.range,
            y_range=self.y_range,
            x_axis_type=None,
            y_axis_type=None,
            frame_height=height,
            height=height + self.header + _FOOTER,
            sizing_mode="stretch_width",
            min_width=240,
            min_border_left=self.gutter,
            min_border_right=RIGHT_BORDER,
            min_border_top=self.header,
            min_border_bottom=_FOOTER,
            toolbar_location=None,
            tools="",
            lod_threshold=None,
            elements=[self.overlay.element],
        )
        self._grid = Grid(dimension=0, ticker=axis.ticker)
        self.figure.add_layout(self._grid)
        self.figure.update(outline_line_color=None, background_fill_color=None, border_fill_color=None)
        self._add_tools()
        self._paint_frame()

    @property
    def texts(self) -> Texts:
        """What the track says."""
        return self.overlay.texts

    def draw(self, view: View) -> None:
        """Show a view; loads data only where what is loaded doesn't serve it."""
        self.view = view
        if not self.figure.visible:
            self.stretch = None
            return
        if self.stretch is None or not self.stretch.serves(view):
            self.stretch = Stretch.around(view, self.margin)
            self.load(self.stretch, view)
        self.follow(view)

    def reload(self) -> None:
        """Load again what is on screen, because the data or the colours changed."""
        self.stretch = None
        if self.view is not None:
            self.draw(self.view)

    @abstractmethod
    def load(self, stretch: Stretch, view: View) -> None:
        """Fill the sources for a stretch."""

    def follow(self, view: View) -> None:  # noqa: B027 - most tracks have nothing to do then
        """Do what has to be done at every move, however small."""

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._paint_frame()
        self.reload()

    def say(self, description: str = "", note: str = "", empty: str = "", scale: Scale | None = None) -> None:
        """Set the texts of the header and of the empty track."""
        self.overlay.set(description=description, note=note, empty=empty, scale=scale)

    def name_rows(
        self, names: Sequence[str], colours: Sequence[str], font: float = 11, bold: str = ""
    ) -> None:
        """Write names of rows into the gutter; rows are one unit high, the first on top."""
        self._row_names.data = {"name": list(names)}
        self.overlay.set(rows=tuple(names), row_colours=tuple(colours), row_font=font, bold=bold)

    def resize(self, height: int) -> None:
        """Change the height of the part that data are drawn in."""
        if self.figure.frame_height != height:
            self.figure.update(frame_height=height, height=height + self.header + _FOOTER)
            self.overlay.height = height
            self.overlay.write()

    def add_hover(
        self, renderer: GlyphRenderer, tooltips: list[tuple[str, str]], number: CustomJSHover | None = None
    ) -> None:
        """Show a tooltip over what a renderer draws.

        Parameters
        ----------
        renderer
            What is pointed at.
        tooltips
            Label and text, as Bokeh takes them. ``$x{custom}`` is the base under the pointer, counted
            from 1; ``$y{custom}`` is the name of the row.
        number
            How ``@image{custom}`` is written.
        """
        formatters: dict[str, Any] = {
            "$x": CustomJSHover(code=_POSITION),
            "$y": CustomJSHover(args={"source": self._row_names}, code=_ROW),
        }
        if number is not None:
            formatters["@image"] = number
        hover = HoverTool(
            renderers=[renderer], tooltips=tooltips, formatters=formatters, point_policy="follow_mouse"
        )
        self.figure.add_tools(hover)

    def _add_tools(self) -> None:
        wheel = WheelZoomTool(dimensions="width", modifiers={"ctrl": True})
        drag = PanTool(dimensions="width") if self.drag == "pan" else BoxZoomTool(dimensions="width")
        self.figure.add_tools(drag, wheel)
        self.figure.toolbar.active_drag = drag
        # without a modifier key the wheel scrolls the page
        self.figure.toolbar.active_scroll = wheel

    def _paint_frame(self) -> None:
        self.overlay.theme = self.theme
        self.overlay.write()
        self._grid.grid_line_color = self.theme.faint
        self.figure.stylesheets = self.axis.sheets(self.theme)
