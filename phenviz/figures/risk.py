"""Figures of risk scores: ROC curves, calibration, decision curves, accuracy along genetic distance."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from phenviz.figures.style import FAINT, INK, MM_PER_INCH, MUTED, SMALL_PT, TEXT_PT, figure_settings
from phenviz.results.risk_scores import SCORE_COLOURS, SCORE_NAMES, SUBTYPE_COLOURS

_WIDTH_MM, _HEIGHT_MM = 82.0, 66.0


def roc_figure(scores: pd.DataFrame) -> str:
    """Draw ROC curves of one trait and group of people (``label`` and a column for each score), as SVG."""
    from sklearn.metrics import roc_curve

    def draw(ax: Any) -> None:
        ax.plot([0, 1], [0, 1], color=FAINT, lw=0.8)
        for name, colour in SCORE_COLOURS.items():
            false, true, _ = roc_curve(scores["label"], scores[name])
            ax.plot(false, true, color=colour, lw=1.1, label=SCORE_NAMES[name])
        ax.set(xlabel="false positives", ylabel="true positives", xlim=(0, 1), ylim=(0, 1))
        ax.legend(fontsize=SMALL_PT, frameon=False, loc="lower right")

    return _svg(draw)


def calibration_figure(deciles: pd.DataFrame) -> str:
    """Draw predicted against observed risk in tenths of people, as SVG."""

    def draw(ax: Any) -> None:
        most = float(max(deciles["predicted"].max(), deciles["high"].max()))
        ax.plot([0, most], [0, most], color=FAINT, lw=0.8)
        for name in ("prs", "phenformer", "ensemble"):
            own = deciles[deciles["score"] == name]
            error = np.abs(own[["low", "high"]].to_numpy().T - own["observed"].to_numpy())
            ax.errorbar(
                own["predicted"], own["observed"], yerr=error, color=SCORE_COLOURS[name], lw=1,
                elinewidth=0.5, marker="o", ms=2.5, label=SCORE_NAMES[name],
            )  # fmt: skip
        ax.set(xlabel="predicted risk, tenths of people", ylabel="observed share of cases")
        ax.legend(fontsize=SMALL_PT, frameon=False, loc="upper left")

    return _svg(draw)


def decision_figure(decisions: pd.DataFrame) -> str:
    """Draw decision curves (``score``, ``threshold``, ``net_benefit``, ``treat_all``), as SVG."""

    def draw(ax: Any) -> None:
        first = decisions[decisions["score"] == decisions["score"].iloc[0]]
        ax.plot(first["threshold"], first["treat_all"], color=MUTED, lw=0.8, ls="--", label="treat all")
        ax.axhline(0, color=FAINT, lw=0.8, label="treat nobody")
        for name, colour in SCORE_COLOURS.items():
            own = decisions[decisions["score"] == name]
            ax.plot(own["threshold"], own["net_benefit"], color=colour, lw=1.1, label=SCORE_NAMES[name])
        highest = float(decisions["net_benefit"].max())
        ax.set(xlabel="risk from which one would treat", ylabel="net benefit")
        ax.set_ylim(-0.1 * max(highest, 0.01), 1.15 * max(highest, 0.01))
        ax.legend(fontsize=SMALL_PT, frameon=False)

    return _svg(draw)


def area_figure(metrics: pd.DataFrame, groups: list[str], label: str) -> str:
    """Draw the AUROC of each score in groups of people, with intervals, as SVG.

    Parameters
    ----------
    metrics
        Rows of one trait, metric ``auroc``.
    groups
        Values of ``ancestry``, from left to right.
    label
        Of the axis.
    """

    def draw(ax: Any) -> None:
        names = list(SCORE_COLOURS)
        for number, name in enumerate(names):
            own = metrics[metrics["score"] == name].set_index("ancestry").reindex(groups)
            at = np.arange(len(groups)) + (number - (len(names) - 1) / 2) * 0.12
            value = own["value"].to_numpy(dtype=float)
            error = np.abs(own[["low", "high"]].to_numpy(dtype=float).T - value)
            ax.errorbar(
                at, value, yerr=error, color=SCORE_COLOURS[name], ls="", marker="o", ms=3, elinewidth=0.7,
                label=SCORE_NAMES[name],
            )  # fmt: skip
        ax.axhline(0.5, color=FAINT, lw=0.8)
        ax.set_xticks(range(len(groups)), [group.removeprefix("distance ") for group in groups])
        ax.set(xlabel=label, ylabel="AUROC (95 % interval)")
        ax.legend(fontsize=SMALL_PT, frameon=False)

    return _svg(draw, width=_WIDTH_MM * 1.5)


def subtypes_figure(people: pd.DataFrame) -> str:
    """Draw one trait's cases (``group``, ``x``, ``y``) as a map, as SVG."""
    return _svg(lambda ax: draw_subtypes(ax, people))


def draw_subtypes(ax: Any, people: pd.DataFrame) -> None:
    """Draw cases (``group``, ``x``, ``y``) into axes, in the colours of their groups."""
    for group, own in people.groupby("group"):
        colour = SUBTYPE_COLOURS[(int(group) - 1) % len(SUBTYPE_COLOURS)]
        ax.scatter(
            own["x"], own["y"], s=7, color=colour, alpha=0.55, lw=0, label=f"group {group}: {len(own):,}"
        )
    ax.set(xlabel="first component", ylabel="second component")
    if people["group"].nunique() > 1:
        ax.legend(fontsize=SMALL_PT, frameon=False)


def _svg(draw: Callable[[Any], None], width: float = _WIDTH_MM) -> str:
    with figure_settings():
        figure = Figure(figsize=(width / MM_PER_INCH, _HEIGHT_MM / MM_PER_INCH), layout="constrained")
        ax = figure.add_subplot()
        draw(ax)
        ax.tick_params(labelsize=SMALL_PT, colors=INK)
        for axis in (ax.xaxis, ax.yaxis):
            axis.label.set_fontsize(TEXT_PT)
        ax.spines[["top", "right"]].set_visible(False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    drawn = text.getvalue()
    return drawn[drawn.index("<svg") :]
