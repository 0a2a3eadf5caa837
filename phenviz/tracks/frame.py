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

from phenviz.genome.contexts import Context
from phenviz.results.display import Display
from phenviz.tracks.overlay import Overlay, Scale, Texts, style_sheets
from phenviz.tracks.theme import Theme, legible
from phenviz.tracks.viewport import LoadedInterval, View

GUTTER = 116
RIGHT_BORDER = 14
HEADER = 17
FOOTER = 3

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
    """A figure whose data follow the view, and whose height follows its content and the room on the page.

    Subclasses set `name` and `title`, put glyphs on `figure`, and fill their sources in `load`.

    Parameters
    ----------
    axis
        Shared by all tracks.
    theme
        Colours.
    height
        Of the part that data are drawn in, in pixels; see `resize`.
    y_range
        Bottom and top of that part in its own unit.
    """

    name: str
    title: str
    margin: ClassVar[float] = 1.0
    drag: ClassVar[str] = "pan"
    header: ClassVar[int] = HEADER
    gutter: ClassVar[int] = GUTTER
    # a tint would change the colours of a track whose colours are values
    tinted: ClassVar[bool] = False
    # whether it stands among others below each other, which share the room
    shares_room: ClassVar[bool] = True
    # how the figure is placed, in CSS
    placed: ClassVar[dict[str, str]] = {}

    def __init__(self, axis: Axis, theme: Theme, height: int, y_range: tuple[float, float] = (0, 1)) -> None:
        self.axis, self.theme = axis, theme
        self.loaded: LoadedInterval | None = None
        self.view: View | None = None
        self.y_range = Range1d(*y_range)
        self._row_names = ColumnDataSource({"name": []})
        self.overlay = Overlay(
            theme, self.title, gutter=self.gutter, right=RIGHT_BORDER, header=self.header, footer=FOOTER
        )
        self.figure = figure(
            name=self.name,
            x_range=axis.range,
            y_range=self.y_range,
            x_axis_type=None,
            y_axis_type=None,
            sizing_mode="stretch_both" if self.shares_room else "stretch_width",
            min_width=240,
            min_border_left=self.gutter,
            min_border_right=RIGHT_BORDER,
            min_border_top=self.header,
            min_border_bottom=FOOTER,
            toolbar_location=None,
            # Bokeh 3.9 fails to draw its menu of tools, of which there are none
            context_menu=None,
            tools="",
            lod_threshold=None,
            elements=[self.overlay.element],
        )
        self._grid = Grid(dimension=0, ticker=axis.ticker)
        self.figure.add_layout(self._grid)
        self.figure.update(outline_line_color=None, background_fill_color=None, border_fill_color=None)
        self.least = 0
        self.resize(height)
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
            self.loaded = None
            return
        if self.loaded is None or not self.loaded.serves(view):
            self.loaded = LoadedInterval.around(view, self.margin)
            self.load(self.loaded, view)
        self.follow(view)

    def reload(self) -> None:
        """Load again what is on screen, because the data or the colours changed."""
        self.loaded = None
        if self.view is not None:
            self.draw(self.view)
            self.rest(self.view)

    @abstractmethod
    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Fill the sources for an interval."""

    def follow(self, view: View) -> None:  # noqa: B027 - most tracks have nothing to do then
        """Do what has to be done at every move, however small."""

    def rest(self, view: View) -> None:
        """Fit height and scales to a view that has come to rest, however one got there."""
        if not self.figure.visible:
            return
        if self.loaded is not None and self.loaded.view_length != view.length:
            # zoomed a little: what had been loaded served, but a fresh look would show other points
            self.loaded = None
            self.draw(view)
        self.fit(view)

    def fit(self, view: View) -> None:  # noqa: B027 - most tracks have nothing to fit
        """Choose height and scales for what is on screen."""

    def tell(self, display: Display) -> Display:
        """Add to what is on screen with which scales it draws."""
        return display

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._paint_frame()
        self.reload()

    def say(self, description: str = "", note: str = "", empty: str = "", scale: Scale | None = None) -> None:
        """Set the texts of the header and of the empty track."""
        self.overlay.set(description=description, note=note, empty=empty, scale=scale)

    def name_rows(
        self,
        names: Sequence[str],
        colours: Sequence[str],
        font: float = 11,
        bold: str = "",
        groups: Sequence[str] = (),
    ) -> None:
        """Write names of rows into the gutter, or of their groups where rows are low; the first is on top."""
        self._row_names.data = {"name": list(names)}
        self.overlay.set(
            rows=tuple(names), row_colours=tuple(colours), row_groups=tuple(groups), row_font=font, bold=bold
        )

    def name_contexts(self, contexts: Sequence[Context], font: float = 11, bold: str = "") -> None:
        """Have one row per context."""
        colours = [legible(context.colour, self.theme) for context in contexts]
        groups = [context.group for context in contexts]
        self.name_rows([context.name for context in contexts], colours, font, bold, groups)

    def resize(self, height: int, least: int | None = None, most: int | None = None) -> None:
        """Change the height of the part that data are drawn in, in pixels.

        Parameters
        ----------
        height
            As its content asks for.
        least, most
            How far the browser may go from that, so that all tracks fit the page and fill it; not at all by
            default.
        """
        around = self.header + FOOTER
        least, most = (height if limit is None else limit for limit in (least, most))
        self.least = least + around
        shrink = (height - least) / (height + around)
        room = {
            # all tracks reach their least, or their most, together
            "flex": f"{max(most - height, 0)} {shrink:.4f} {height + around}px",
            "min-height": f"{least + around}px",
            "max-height": f"{most + around}px",
        }
        if not self.shares_room:
            self.figure.height = height + around
        elif (styles := dict(self.figure.styles) | self.placed | room) != self.figure.styles:
            self.figure.update(height=height + around, styles=styles)

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
