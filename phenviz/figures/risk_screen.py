"""What the Risk page shows, for print: scores among reference people, genes by cell types, chain, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as Curve
from numpy.typing import NDArray

from phenviz.errors import ResultError
from phenviz.figures.chart import Chart
from phenviz.figures.risk import draw_subtypes
from phenviz.figures.style import (
    ACCENT,
    DIVERGING,
    FAINT,
    INK,
    MUTED,
    NEGATIVE,
    POSITIVE,
    SMALL_PT,
    TEXT_PT,
    text_width_mm,
)
from phenviz.results.risk_scores import SCORE_COLOURS, SCORE_NAMES, density, group_colours

Distribution = tuple[Mapping[str, NDArray[np.float64]], str, float | None]
_COLUMNS = 3
_PANEL = (54.0, 32.0)
_GAP, _LABELS, _KEY_MM = 7.0, 13.0, 5.0
_ROW_MM, _SLOT_MM = 4.4, 9.0
_CURVE_MM = (78.0, 62.0)
_MAP_MM = (166.0, 92.0)


def scores_figure(
    distributions: Mapping[str, Distribution], *, axis: str, title: str = "", footer: str = ""
) -> Chart:
    """Draw how scores are spread in groups of reference people, and where one person lies.

    Parameters
    ----------
    distributions
        By score: the reference people of each group, the group that is filled, the person's score.
    axis
        What the scores are in.
    title, footer
        Written above and below.
    """
    drawn = {name: one for name, one in distributions.items() if one[0]}
    if not drawn:
        raise ResultError("this risk model has no reference people: there is nothing to draw")
    rows = -(-len(drawn) // _COLUMNS)
    colours = group_colours(next(iter(drawn.values()))[0])

    def draw(chart: Chart) -> None:
        key = chart.panel(3, 0, chart.width_mm - 6, _KEY_MM)
        key.axis("off")
        lines = [Line2D([], [], color=colour, lw=1.2, label=group) for group, colour in colours.items()]
        key.legend(handles=lines, ncol=len(lines), loc="center left", frameon=False, fontsize=SMALL_PT,
                   borderaxespad=0, handlelength=1.2)  # fmt: skip
        for place, (name, one) in enumerate(drawn.items()):
            row, column = divmod(place, _COLUMNS)
            left = 3 + column * (_PANEL[0] + _GAP)
            ax = chart.panel(left, _KEY_MM + 4 + row * (_PANEL[1] + _LABELS), *_PANEL)
            _distribution(ax, name, one)
            ax.set_xlabel(axis, fontsize=SMALL_PT)

    return Chart(draw, rows * (_PANEL[1] + _LABELS) + _KEY_MM + 4, title=title, footer=footer)


def curves_figure(
    roc: pd.DataFrame, calibration: pd.DataFrame, *, title: str = "", footer: str = ""
) -> Chart:
    """Draw ROC curves, and predicted against observed risk in tenths of people, of one group.

    Parameters
    ----------
    roc
        score, false_positive, true_positive.
    calibration
        score, predicted, observed, low, high.
    title, footer
        Written above and below.
    """
    if not len(roc):
        raise ResultError("fewer than 20 cases or controls: no curves are shown of so few")

    def draw(chart: Chart) -> None:
        left = chart.panel(12, 3, *_CURVE_MM)
        left.plot([0, 1], [0, 1], color=FAINT, lw=0.8)
        right = chart.panel(104, 3, *_CURVE_MM)
        most = min(float(calibration[["predicted", "high"]].to_numpy(float).max()) * 1.05, 1.0)
        right.plot([0, most], [0, most], color=FAINT, lw=0.8)
        for name, colour in SCORE_COLOURS.items():
            own, tenths = roc[roc["score"] == name], calibration[calibration["score"] == name]
            if len(own):
                left.plot(own["false_positive"], own["true_positive"], color=colour, lw=1.0,
                          label=SCORE_NAMES[name])  # fmt: skip
            if len(tenths):
                error = np.abs(tenths[["low", "high"]].to_numpy(float).T - tenths["observed"].to_numpy(float))
                right.errorbar(tenths["predicted"], tenths["observed"], yerr=error, color=colour, lw=0.9,
                               elinewidth=0.4, marker="o", ms=2)  # fmt: skip
        left.set(xlim=(0, 1), ylim=(0, 1))
        right.set(xlim=(0, most), ylim=(0, most))
        left.legend(fontsize=SMALL_PT, frameon=False, loc="lower right")
        for ax, x, y in ((left, "false positives", "true positives"),
                         (right, "predicted risk, tenths of people", "share of cases")):  # fmt: skip
            ax.set_xlabel(x, fontsize=TEXT_PT)
            ax.set_ylabel(y, fontsize=TEXT_PT)

    return Chart(draw, _CURVE_MM[1] + 14, title=title, footer=footer)


def subtypes_figure(people: pd.DataFrame, *, title: str = "", footer: str = "") -> Chart:
    """Draw one trait's cases as a map of what a model says of their other traits.

    Parameters
    ----------
    people
        group, x, y.
    title, footer
        Written above and below.
    """
    if not len(people):
        raise ResultError("no cases of this trait were grouped, so that there is no map to draw")

    def draw(chart: Chart) -> None:
        ax = chart.panel(12, 3, *_MAP_MM)
        draw_subtypes(ax, people)
        for axis in (ax.xaxis, ax.yaxis):
            axis.label.set_fontsize(TEXT_PT)

    return Chart(draw, _MAP_MM[1] + 14, title=title, footer=footer)


def contributions_figure(
    genes: Sequence[str],
    contexts: pd.DataFrame,
    values: NDArray[np.float64],
    *,
    title: str = "",
    footer: str = "",
) -> Chart:
    """Draw what genes add to a person's score through each context, as a heat map.

    Parameters
    ----------
    genes
        Rows, from the top.
    contexts
        Columns: name, label, group, colour.
    values
        Shape (genes, contexts), in logits.
    title, footer
        Written above and below.
    """
    limit = max(float(np.nanmax(np.abs(values), initial=0.0)), 1e-6)
    left = max(text_width_mm(name) for name in genes) + 4
    head = max(text_width_mm(str(name), SMALL_PT) for name in contexts["name"]) + 4
    body = _ROW_MM * len(genes)

    def draw(chart: Chart) -> None:
        ax = chart.panel(left, head, chart.width_mm - left - 20, body)
        shown = ax.imshow(
            values, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto", interpolation="none"
        )
        ax.set_yticks(range(len(genes)), list(genes), fontsize=TEXT_PT)
        ax.xaxis.tick_top()
        ax.set_xticks(range(len(contexts)), contexts["name"].tolist(), rotation=90, fontsize=SMALL_PT)
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
        scale = chart.panel(chart.width_mm - 15, head, 2.4, min(body, 30.0))
        ax.figure.colorbar(shown, cax=scale)
        scale.tick_params(labelsize=SMALL_PT)
        scale.set_title("adds,\nlogit", fontsize=SMALL_PT)

    return Chart(draw, head + body + 3, title=title, footer=footer)


def chain_figure(
    boxes: pd.DataFrame,
    links: pd.DataFrame,
    chosen: Mapping[str, str],
    *,
    title: str = "",
    footer: str = "",
) -> Chart:
    """Draw what leads from changed bases over genes and cell types to a person's trait.

    Parameters
    ----------
    boxes
        column, key, name, note, from the top.
    links
        column (of the left end), source, target, value.
    chosen
        Key of the box that is framed, by column.
    title, footer
        Written above and below.
    """
    columns = list(dict.fromkeys(boxes["column"]))
    rows = int(boxes["column"].value_counts().max())
    places: dict[tuple[str, str], tuple[float, float]] = {}
    for number, column in enumerate(columns):
        keys = boxes.loc[boxes["column"] == column, "key"].tolist()
        top = rows / 2 - len(keys) / 2
        places |= {(column, key): (number + 0.5, top + row + 0.5) for row, key in enumerate(keys)}

    def draw(chart: Chart) -> None:
        ax = chart.panel(2, 1, chart.width_mm - 4, _SLOT_MM * rows)
        ax.set(xlim=(0, len(columns)), ylim=(rows, 0))
        ax.set_axis_off()
        _links(ax, links, columns, places)
        for box in boxes.itertuples():
            x, y = places[box.column, box.key]
            framed = chosen.get(box.column) == box.key
            ax.add_patch(
                FancyBboxPatch((x - 0.41, y - 0.36), 0.82, 0.72, boxstyle="round,pad=0,rounding_size=0.06",
                               mutation_aspect=1, fc="white", ec=ACCENT if framed else MUTED,
                               lw=1.2 if framed else 0.5)
            )  # fmt: skip
            ax.text(x, y - 0.04, _fitting(box.name, chart.width_mm / len(columns) * 0.78), ha="center",
                    va="bottom", fontsize=TEXT_PT, color=INK)  # fmt: skip
            ax.text(x, y + 0.04, box.note, ha="center", va="top", fontsize=SMALL_PT, color=MUTED)

    note = "Red adds to the logit, blue takes away; lines are as wide as what they add."
    return Chart(draw, _SLOT_MM * rows + 3, title=title, footer=f"{note}\n{footer}")


def _distribution(ax: Axes, name: str, one: Distribution) -> None:
    groups, group, person = one
    known = [values[np.isfinite(values)] for values in groups.values()]
    together = np.concatenate([*known, [] if person is None else [person]])
    colours = group_colours(groups)
    for label, (x, y) in density(groups, float(together.min()), float(together.max())).items():
        if label == group:
            ax.fill_between(x, y, color=colours[label], alpha=0.3, lw=0)
        ax.plot(x, y, color=colours[label], lw=0.9 if label == group else 0.6)
    if person is not None:
        ax.axvline(person, color=ACCENT, lw=1.2)
    ax.set_ylim(bottom=0)
    ax.set_yticks([])
    ax.tick_params(axis="x", labelsize=SMALL_PT)
    ax.spines["left"].set_visible(False)
    filled = f", {group} filled" if group in groups else ""
    ax.set_title(f"{SCORE_NAMES[name]}{filled}", fontsize=SMALL_PT, loc="left")


def _links(
    ax: Axes, links: pd.DataFrame, columns: list[str], places: Mapping[tuple[str, str], tuple[float, float]]
) -> None:
    most = float(links["value"].abs().max()) or 1.0
    for link in links.itertuples():
        after = columns.index(link.column) + 1
        start = places.get((link.column, link.source))
        end = places.get((columns[after], link.target)) if after < len(columns) else None
        if start is None or end is None:
            continue
        (x0, y0), (x1, y1) = (start[0] + 0.41, start[1]), (end[0] - 0.41, end[1])
        half = (x0 + x1) / 2
        curve = Curve([(x0, y0), (half, y0), (half, y1), (x1, y1)], [Curve.MOVETO, *[Curve.CURVE4] * 3])
        colour = POSITIVE if link.value >= 0 else NEGATIVE
        width = 0.4 + 5 * abs(link.value) / most
        ax.add_patch(PathPatch(curve, fc="none", ec=colour, lw=width, alpha=0.45))


def _fitting(name: str, width_mm: float) -> str:
    if text_width_mm(name) <= width_mm:
        return name
    while name and text_width_mm(f"{name}…") > width_mm:
        name = name[:-1]
    return f"{name}…"
