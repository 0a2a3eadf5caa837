"""Small parts that several components are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import panel as pn

_APP = Path(__file__).parents[1]
_WORDS_CSS = (_APP / "widgets/words.css").read_text(encoding="utf-8")


def script(*paths: str) -> str:
    """Return scripts of `phenviz.app` as one: what they share comes first."""
    return "\n".join((_APP / path).read_text(encoding="utf-8") for path in paths)


def words(html: str = "", **params: Any) -> pn.pane.HTML:
    """Return a pane for a line of text in the page's own type and colours.

    Parameters
    ----------
    html
        What it says; text from outside has to be escaped.
    **params
        As for any pane; it is stretched and has no margin by default.
    """
    return pn.pane.HTML(
        html, stylesheets=[_WORDS_CSS], **({"sizing_mode": "stretch_width", "margin": 0} | params)
    )


def side_by_side(least: int, most: int) -> dict[str, str]:
    """Return styles of a column whose children stand beside each other, as many as have room.

    In a `panel.FlexBox`, a figure that is there from the start never gets a size.

    Parameters
    ----------
    least
        Width of a child in pixels; they share what room there is.
    most
        Children in a row.
    """
    # a share of the room is as wide as a child may be, or there would be columns of nothing
    width = f"max(min({least}px, 100%), {95 / most:.1f}%)"
    return {
        "display": "grid",
        "grid-template-columns": f"repeat(auto-fit, minmax({width}, 1fr))",
        "align-items": "start",
    }


class FigurePane(pn.pane.Bokeh):
    """Shows Bokeh models as they are.

    Panel's own pane copies their sizes and style sheets into its parameters, which take text only, where
    the figures of `phenviz.tracks` bring style sheets that change with the theme. It takes from a figure
    that leaves the screen what its clicks call (holoviz/panel#8365), where ours are shown again later. And it
    looks through all models of a figure twice, for scripts that ours don't have and for a theme that the
    document gives them anyway.

    Parameters
    ----------
    figure
        What is shown; None for nothing yet.
    alt
        What it is, and where the same stands in words, for those who don't see it.
    role
        ``img``, or ``application`` for one that listens to keys.
    """

    def __init__(self, figure: Any, *, alt: str, role: str = "img", **params: Any) -> None:
        super().__init__(figure, **params)
        self._attributes = {"role": role, "aria-label": alt}
        if role == "application":
            self._attributes["tabindex"] = "0"

    def _get_model(self, doc: Any, root: Any = None, parent: Any = None, comm: Any = None) -> Any:
        if self.object is None or root is None or comm is not None or self.object.document not in (None, doc):
            return super()._get_model(doc, root, parent, comm)
        self.object.html_attributes = self._attributes
        self._models[root.ref["id"]] = (self.object, parent)
        return self.object

    def _sync_properties(self) -> None:
        pass

    def _cleanup(self, root: Any = None) -> None:
        figure = self._models[root.ref["id"]][0] if root and root.ref["id"] in self._models else None
        if figure is None:
            super()._cleanup(root)
            return
        of_properties, of_events = figure._callbacks, figure._event_callbacks
        super()._cleanup(root)
        figure._callbacks, figure._event_callbacks = of_properties, of_events
