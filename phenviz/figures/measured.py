"""How well predicted expression agrees with measured expression, for print: genes by methods."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from phenviz.errors import ResultError
from phenviz.figures.chart import Chart
from phenviz.figures.paper import TWO_COLUMNS_MM
from phenviz.figures.style import ACCENT, FAINT, INK, MUTED, NEGATIVE, POSITIVE, SMALL_PT, text_width_mm
from phenviz.formats import FIGURE, writes
from phenviz.results import validate
from phenviz.results.measured import by_evidence

MOST_ROWS = 30
_ROW_MM, _AXIS_MM, _KEY_MM = 5.0, 11.0, 7.0
# in the order of the result's methods; a marker besides the colour, for eyes and printers without colours
_STYLES = (("o", ACCENT), ("^", POSITIVE), ("s", NEGATIVE), ("D", INK))


def measured_figure(
    dataset: xr.Dataset, *, context: str | None = None, width_mm: float = TWO_COLUMNS_MM
) -> Chart:
    """Draw the correlation of each method with what was measured, over people who were held out.

    Parameters
    ----------
    dataset
        A result of kind ``measured``.
    context
        Which; the first by default.
    width_mm
        Width of the figure.

    Returns
    -------
    Chart
        One row per gene and feature, at most 30, the strongest evidence first; 95 % intervals.

    Raises
    ------
    ResultError
        If it is another result, or holds no correlation.
    """
    if (kind := validate(dataset)) != "measured":
        raise ResultError(f"this chart draws predicted against measured expression, not a {kind}")
    context = str(dataset["context"].values[0]) if context is None else context
    if context not in dataset["context"].values:
        raise ResultError(f"context {context!r} is none of this result's")
    methods = dataset["method"].values.astype(str).tolist()
    table = by_evidence(dataset, context)
    known = table[table[methods].notna().any(axis=1)]
    if known.empty:
        raise ResultError("no gene could be compared in these people: there is nothing to draw")
    shown = known.head(MOST_ROWS)
    features = shown["feature"].where(shown["feature"].ne("expression"), "")
    names = [f"{gene} {feature}".strip() for gene, feature in zip(shown["gene"], features, strict=True)]
    left = max(text_width_mm(name, SMALL_PT) for name in names) + 5.0
    height = len(names) * _ROW_MM
    attrs = dataset.attrs
    footer = "\n".join(
        [
            f"{attrs['measured']} | {attrs['assembly']} | model {attrs['model']} | {attrs['readout']} | "
            f"PhenViz {attrs['phenviz_version']} | {len(shown)} of {len(known)} rows, "
            f"at most {int(shown['people'].max()):,} people",
            str(attrs["about"]),
            str(attrs["definition"]),
        ]
    )

    def draw(chart: Chart) -> None:
        ax = chart.panel(left, _KEY_MM, width_mm - left - 4.0, height)
        _draw_rows(ax, shown, methods, names)

    return Chart(
        draw, _KEY_MM + height + _AXIS_MM, width_mm=width_mm, footer=footer,
        title=f"Predicted and measured expression, {context}",
    )  # fmt: skip


@writes("measured", *FIGURE)
def _write(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    return (measured_figure(dataset).save(path),)


def _draw_rows(ax: Axes, shown: pd.DataFrame, methods: list[str], names: list[str]) -> None:
    rows = np.arange(len(names))
    ax.axvline(0, color=MUTED, linewidth=0.7, zorder=1)
    for row in rows[1:]:
        ax.axhline(row - 0.5, color=FAINT, linewidth=0.5, zorder=0)
    for place, (method, (marker, colour)) in enumerate(zip(methods, cycle(_STYLES), strict=False)):
        at = rows + 0.7 * ((place + 0.5) / len(methods) - 0.5)
        r, low, high = (shown[name].to_numpy(float) for name in (method, f"{method} low", f"{method} high"))
        ax.hlines(at, low, high, color=colour, linewidth=0.8, alpha=0.6)
        ax.plot(r, at, marker, color=colour, markersize=3.2, label=method, linestyle="none")
    ax.set_yticks(rows, names, fontsize=SMALL_PT)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("correlation over people who were held out, 95 % interval")
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=len(methods), frameon=False, fontsize=SMALL_PT,
        handletextpad=0.2, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
