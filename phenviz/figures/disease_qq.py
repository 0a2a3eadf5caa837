"""Checks for print: QQ plots with a beta band, leave-one-out, and power curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from scipy.stats import beta

from phenviz.errors import ResultError
from phenviz.figures.chart import Chart
from phenviz.figures.paper import TWO_COLUMNS_MM, footer_lines
from phenviz.figures.style import ACCENT, FAINT, INK, MUTED, SMALL_PT, TEXT_PT

_PALETTE = ("#27496d", "#d9480f", "#039164", "#8e81af", "#9c3440", "#5c6b7a", "#e08a1e", "#2a6fb0")
_SIDE_MM = 44.0


def qq_figure(
    p_values: Mapping[str, Sequence[float]], *, title: str = "", width_mm: float = TWO_COLUMNS_MM
) -> Chart:
    """Draw observed against expected -log10 p, one panel per name, with the 95 % band of order statistics.

    The k-th smallest of n uniform p-values follows Beta(k, n + 1 - k).

    Parameters
    ----------
    p_values
        Name -> p-values; those that aren't finite are left out.
    """
    named = {name: _finite(values) for name, values in p_values.items()}
    named = {name: values for name, values in named.items() if len(values)}
    if not named:
        raise ResultError("no p-value to draw: test something first")
    columns = max(int((width_mm - 4) // _SIDE_MM), 1)
    rows = -(-len(named) // columns)
    width = (width_mm - 4) / columns

    def draw(chart: Chart) -> None:
        for number, (name, values) in enumerate(named.items()):
            row, column = divmod(number, columns)
            ax = chart.panel(2 + column * width + 8, row * _SIDE_MM + 7, width - 10, _SIDE_MM - 17)
            _qq(ax, values)
            lines = "\n".join(footer_lines(name, width - 10))
            ax.set_title(lines, fontsize=SMALL_PT, loc="left", pad=3)

    footer = "−log10 p: observed against expected; band: 95 % of what uniform p-values give, point by point"
    return Chart(draw, rows * _SIDE_MM, width_mm=width_mm, title=title, footer=footer)


def beta_band(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of the 95 % band of each of ``count`` sorted uniform p-values, smallest first."""
    k = np.arange(1, count + 1)
    return beta.ppf(0.025, k, count + 1 - k), beta.ppf(0.975, k, count + 1 - k)


def leave_one_out_figure(evidence: xr.Dataset, context: str, *, width_mm: float = 89.0) -> Chart:
    """Draw z of a context without each locus, from what `phenviz.disease.locus_evidence` returned."""
    if context not in evidence["context"].values:
        raise ResultError(f"no context {context!r} in this result")
    own = evidence.sel(context=context)
    order = np.argsort(-own["excess"].values, kind="stable")
    names = [
        f"{lead} {gene}".strip() for lead, gene in zip(own["lead"].values, own["gene"].values, strict=True)
    ]
    height = 4.0 * len(order)

    def draw(chart: Chart) -> None:
        ax = chart.panel(44, 3, chart.width_mm - 48, height)
        z = own["z_without"].values[order]
        rows = np.arange(len(order))
        ax.axvline(0, color=FAINT, lw=0.7)
        ax.plot(z, rows, "o", color=ACCENT, ms=3, mew=0)
        ax.set_yticks(rows, [names[row] for row in order], fontsize=SMALL_PT)
        ax.invert_yaxis()
        ax.set_xlabel("z without the locus", fontsize=TEXT_PT)

    title = f"{evidence.attrs['trait']} in {context}, leaving one locus out"
    footer = f"method {evidence.attrs['method']}"
    if "prior" in evidence.attrs:
        footer += f", prior {evidence.attrs['prior']}"
    return Chart(draw, height + 14, width_mm=width_mm, title=title, footer=footer)


def power_figure(table: pd.DataFrame, *, width_mm: float = TWO_COLUMNS_MM) -> Chart:
    """Draw power against the number of loci, one panel per share of true loci, one line per method.

    Controls are grey lines: what a method must rise above.

    Parameters
    ----------
    table
        ``method``, ``loci``, ``share``, and ``top_1`` (how often the truth is ranked first) with its interval
        ``top_1_low`` and ``top_1_high``.
    """
    shares = sorted(table["share"].unique())
    found = list(dict.fromkeys(table["method"]))
    controls = [name for name in found if str(name).startswith("control")]
    methods = [name for name in found if name not in controls]
    width = (width_mm - 46) / len(shares)

    def draw(chart: Chart) -> None:
        for number, share in enumerate(shares):
            ax = chart.panel(2 + number * width + 10, 6, width - 13, 45)
            of_share = table[table["share"] == share]
            for place, method in enumerate(methods):
                own = of_share[of_share["method"] == method].sort_values("loci")
                colour = _PALETTE[place % len(_PALETTE)]
                dashes = "-" if place < len(_PALETTE) else (0, (3, 2))
                ax.plot(own["loci"], own["top_1"], color=colour, lw=1.1, ls=dashes, label=method)
                low, high = own["top_1_low"], own["top_1_high"]
                ax.fill_between(own["loci"], low, high, color=colour, alpha=0.07, lw=0)
            for place, method in enumerate(controls):
                own = of_share[of_share["method"] == method].sort_values("loci")
                dots = (0, (1 + 2 * place, 1.5))
                ax.plot(own["loci"], own["top_1"], color=MUTED, lw=0.8, ls=dots, label=method)
            ax.set_ylim(0, 1.02)
            ax.set_xticks(sorted(table["loci"].unique()))
            ax.set_xlabel("loci", fontsize=TEXT_PT)
            ax.set_title(f"{100 * share:.0f} % of loci true", fontsize=TEXT_PT, loc="left")
            if number == 0:
                ax.set_ylabel("truth ranked first", fontsize=TEXT_PT)
            else:
                ax.set_yticklabels([])
        handles, labels = ax.get_legend_handles_labels()
        legend = chart.panel(chart.width_mm - 40, 6, 38, 45)
        legend.axis("off")
        legend.legend(handles, labels, loc="upper left", fontsize=SMALL_PT, frameon=False, borderpad=0)

    title = "Power on planted contexts (SIMULATED)"
    return Chart(draw, 64, width_mm=width_mm, title=title, footer="bands: 95 % intervals; controls without")


def _qq(ax: Axes, values: np.ndarray) -> None:
    observed = -np.log10(np.sort(values))
    expected = -np.log10((np.arange(1, len(values) + 1) - 0.5) / len(values))
    low, high = beta_band(len(values))
    ax.fill_between(expected, -np.log10(high), -np.log10(low), color=FAINT, lw=0)
    ax.plot([0, expected.max()], [0, expected.max()], color=MUTED, lw=0.6)
    ax.plot(expected, observed, ".", color=INK, ms=2, mew=0)
    ax.tick_params(labelsize=SMALL_PT)


def _finite(values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    if ((array < 0) | (array > 1)).any():
        raise ResultError("a p-value isn't between 0 and 1: pass p-values, not their logarithms")
    return np.maximum(array, 1e-300)
