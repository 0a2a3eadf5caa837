"""The border between two parts of a page that a user moves."""

from __future__ import annotations

import param
from panel.custom import JSComponent

from phenviz.app.widgets.parts import script


class Splitter(JSComponent):
    """A border to drag, or to move by arrow keys; stands right above the part whose height it sets.

    That part's height is the CSS variable ``--lower-height`` (`lower_part`).
    """

    key = param.String(doc="Name of the page: each keeps its own height while the tab is open.")
    label = param.String(default="Height of the table", doc="What a screen reader says.")

    _esm = script("widgets/splitter.js")


def splitter(key: str, **params: object) -> Splitter:
    """Return a border that stretches over the width of a page."""
    return Splitter(key=key, sizing_mode="stretch_width", height=1, margin=0, **params)


def lower_part(height: str) -> dict[str, str]:
    """Return the CSS of the part below a splitter: as high as a user has made it, ``height`` by default."""
    line = "1px solid color-mix(in srgb, currentColor 14%, transparent)"
    return {"flex": "none", "height": f"var(--lower-height, {height})", "border-top": line}
