"""What figures show as tables, for those who don't see them: what the mouse would be told, row by row."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from bokeh.model import Model
from bokeh.models import CDSView, ColumnDataSource, GlyphRenderer, HoverTool, Plot

_FIELD = re.compile(r"@(?:\{([^}]+)\}|(\w+))")
_HIGHEST, _LOWEST = "highest", "lowest"


def drawn_tables(shown: Model) -> dict[str, pd.DataFrame]:
    """Return what the figures of a layout show now.

    Parameters
    ----------
    shown
        A figure, or several in a layout.

    Returns
    -------
    dict[str, pd.DataFrame]
        By the name of each figure that shows anything that can be pointed at: a column for each field of its
        tooltips, one row for each mark; of a heat map made of bins one for each of its rows, with the lowest
        and highest value that is drawn.
    """
    found: dict[str, pd.DataFrame] = {}
    plots = [shown] if isinstance(shown, Plot) else list(shown.select({"type": Plot}))
    for plot in plots:
        parts = [_table(hover) for hover in plot.select({"type": HoverTool})]
        parts = [part for part in parts if len(part)]
        if plot.visible and parts:
            found[str(plot.name or f"figure {len(found) + 1}")] = max(parts, key=len)
    return found


def _table(hover: Any) -> pd.DataFrame:
    renderers = hover.renderers if isinstance(hover.renderers, list) else []
    tables = [_of_renderer(one, hover) for one in renderers if isinstance(one, GlyphRenderer)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _of_renderer(renderer: GlyphRenderer, hover: Any) -> pd.DataFrame:
    source = renderer.data_source
    if not isinstance(source, ColumnDataSource):
        return pd.DataFrame()
    data: dict[str, Any] = dict(source.data)
    if "image" in data:
        return _of_image(data["image"], hover)
    tooltips = hover.tooltips if isinstance(hover.tooltips, list) else [("", str(hover.tooltips or ""))]
    columns: dict[str, Any] = {}
    for label, text in tooltips:
        for field in _fields(label):
            columns.setdefault(field, data.get(field))
        for field in _fields(text):
            plain = label if label and not _fields(label) else "value" if _fields(label) else field
            columns.setdefault(plain, data.get(field))
    known = {name: list(values) for name, values in columns.items() if values is not None}
    table = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in known.items()})
    return table[_seen(renderer.view, len(table))]


def _seen(view: CDSView, count: int) -> np.ndarray:
    # a filter that hides marks hides them here
    indices = getattr(view.filter, "indices", None)
    seen = np.ones(count, dtype=bool)
    if indices is not None:
        seen[:] = False
        seen[[index for index in indices if index < count]] = True
    return seen


def _fields(text: str) -> list[str]:
    return [braced or plain for braced, plain in _FIELD.findall(text)]


def _of_image(images: Any, hover: Any) -> pd.DataFrame:
    rows = hover.formatters.get("$y") if isinstance(hover.formatters, dict) else None
    names = list(rows.args["source"].data["name"]) if rows is not None and "source" in rows.args else []
    if not len(images) or not names:
        return pd.DataFrame()
    # images begin at the bottom, names on top
    values = np.asarray(images[0], dtype=float)[::-1]
    if len(values) != len(names):
        return pd.DataFrame()
    with np.errstate(all="ignore"):
        known = np.isfinite(values).any(axis=1)
        low = np.where(known, np.nanmin(np.where(np.isfinite(values), values, np.inf), axis=1), np.nan)
        high = np.where(known, np.nanmax(np.where(np.isfinite(values), values, -np.inf), axis=1), np.nan)
    return pd.DataFrame({"row": names, _LOWEST: low, _HIGHEST: high})
