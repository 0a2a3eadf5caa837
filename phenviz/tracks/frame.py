"""One track: a figure on the shared x axis with its gutter, header, empty state and tools."""

from __future__ import annotations

from typing import Any, ClassVar

from bokeh.core.property.vectorization import Value
from bokeh.models import (
    BoxZoomTool,
    ColumnDataSource,
    CustomJSHover,
    GlyphRenderer,
    HoverTool,
    Label,
    LabelSet,
    PanTool,
    Range1d,
    Title,
    WheelZoomTool,
)
from bokeh.plotting import figure

from phenviz.tracks.theme import FONT, Theme
from phenviz.tracks.view import Stretch, View

GUTTER = 112
RIGHT_BORDER = 14
HEADER = 19
_FOOTER = 5

_POSITION = "return Math.round(special_vars.x).toLocaleString('en-US')"


class Track:
    """A figure of fixed height whose data follow the view.

    Subclasses set `name` and `title`, put glyphs on `figure`, and fill their sources in `load`.

    Parameters
    ----------
    x_range
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

    def __init__(
        self, x_range: Range1d, theme: Theme, height: int, y_range: tuple[float, float] = (0, 1)
    ) -> None:
        self.theme = theme
        self.stretch: Stretch | None = None
        self.view: View | None = None
        self.figure = figure(
            name=self.name,
            x_range=x_range,
            y_range=Range1d(*y_range),
            frame_height=height,
            height=height + HEADER + _FOOTER,
            sizing_mode="stretch_width",
            min_width=240,
            min_border_left=GUTTER,
            min_border_right=RIGHT_BORDER,
            min_border_top=HEADER,
            min_border_bottom=_FOOTER,
            toolbar_location=None,
            tools="",
            output_backend="canvas",
            lod_threshold=None,
        )
        self._strip_axes()
        self._add_tools()
        self._add_texts(height)
        self._paint_frame()

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

    def load(self, stretch: Stretch, view: View) -> None:
        """Fill the sources for a stretch."""
        raise NotImplementedError

    def follow(self, view: View) -> None:
        """Do what has to be done at every move, however small."""

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._paint_frame()
        self.reload()

    def say(self, description: str = "", note: str = "", empty: str = "") -> None:
        """Set the texts of the header (left and right) and of the empty track."""
        for label, text in ((self._description, description), (self._note, note), (self._empty, empty)):
            if label.text != text:
                label.text = text

    def resize(self, height: int) -> None:
        """Change the height of the part that data are drawn in."""
        if self.figure.frame_height != height:
            self.figure.update(frame_height=height, height=height + HEADER + _FOOTER)
            self._place_texts(height)

    def add_hover(
        self, renderers: list[GlyphRenderer], tooltips: list[tuple[str, str]], **formatters: CustomJSHover
    ) -> HoverTool:
        """Show a tooltip over renderers; ``position`` in it is the base under the pointer, counted from 1.

        Parameters
        ----------
        renderers
            What is pointed at.
        tooltips
            Label and text, as Bokeh takes them; ``$x{custom}`` is the position.
        **formatters
            ``image`` and ``row``: how ``@image{custom}`` and ``$y{custom}`` are written.
        """
        table: dict[str, Any] = {"$x": CustomJSHover(code=_POSITION)}
        if "image" in formatters:
            table["@image"] = formatters["image"]
        if "row" in formatters:
            table["$y"] = formatters["row"]
        hover = HoverTool(
            renderers=renderers, tooltips=tooltips, formatters=table, point_policy="follow_mouse"
        )
        self.figure.add_tools(hover)
        return hover

    def _strip_axes(self) -> None:
        self.figure.xaxis.visible = False
        self.figure.yaxis.visible = False
        self.figure.ygrid.visible = False
        self.figure.outline_line_color = None
        self.figure.background_fill_color = None
        self.figure.border_fill_color = None

    def _add_tools(self) -> None:
        wheel = WheelZoomTool(dimensions="width", modifiers={"ctrl": True})
        drag = PanTool(dimensions="width") if self.drag == "pan" else BoxZoomTool(dimensions="width")
        self.figure.add_tools(drag, wheel)
        self.figure.toolbar.active_drag = drag
        # without a modifier key the wheel scrolls the page
        self.figure.toolbar.active_scroll = wheel

    def _add_texts(self, height: int) -> None:
        common = {"x_units": "screen", "y_units": "screen", "text_font": FONT, "level": "overlay"}
        self._title = Label(
            x=8 - GUTTER, text=self.title, text_font_size="12px", text_font_style="bold",
            text_baseline="middle", **common,
        )  # fmt: skip
        self._description = Label(
            x=max(4, round(6.7 * len(self.title)) + 20 - GUTTER), text="", text_font_size="11px",
            text_baseline="middle", **common,
        )  # fmt: skip
        self._empty = Label(x=14, text="", text_font_size="12px", text_baseline="middle", **common)
        for label in (self._title, self._description, self._empty):
            self.figure.add_layout(label)
        self._place_texts(height)
        self._note = Title(
            text="",
            align="right",
            text_font=FONT,
            text_font_size="11px",
            text_font_style="normal",
            standoff=4,
        )
        self.figure.title = self._note

    def _place_texts(self, height: int) -> None:
        self._title.y = self._description.y = height + HEADER / 2
        self._empty.y = height / 2

    def _paint_frame(self) -> None:
        theme = self.theme
        self._title.text_color = theme.ink
        self._description.text_color = self._note.text_color = self._empty.text_color = theme.muted
        self.figure.xgrid.grid_line_color = theme.faint
        self.figure.css_variables = {
            "--background-color": theme.surface,
            "--divider-color": theme.muted,
            "--color": theme.ink,
        }


class RowLabels:
    """Coloured names of rows in the gutter of a track.

    Parameters
    ----------
    track
        The first row is drawn at the top; rows are one unit high.
    """

    def __init__(self, track: Track, font_size: str = "11px") -> None:
        self.source = ColumnDataSource({"y": [], "text": [], "colour": []})
        self._labels = LabelSet(
            source=self.source, x=Value(-8), y="y", text="text", text_color="colour", x_units="screen",
            text_align="right", text_baseline="middle", text_font=FONT, text_font_size=font_size, level="overlay",
        )  # fmt: skip
        track.figure.add_layout(self._labels)

    def set(self, names: list[str], colours: list[str], font_size: str = "11px") -> None:
        """Write the names of all rows, first row on top."""
        y = [len(names) - row - 0.5 for row in range(len(names))]
        self._labels.text_font_size = font_size
        self.source.data = {"y": y, "text": names, "colour": colours}

    def hover(self) -> CustomJSHover:
        """Write the name of the row under the pointer."""
        code = """
            const names = source.data.text
            return names[names.length - 1 - Math.floor(special_vars.y)] ?? ""
        """
        return CustomJSHover(args={"source": self.source}, code=code)
