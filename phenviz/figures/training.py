"""How a training went: losses and figures of each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from phenviz.errors import ResultError
from phenviz.figures.chart import Chart
from phenviz.figures.paper import TWO_COLUMNS_MM
from phenviz.figures.style import ACCENT, FAINT, INK, MUTED, SMALL_PT, TEXT_PT

_PALETTE = ("#27496d", "#d9480f", "#039164", "#8e81af", "#9c3440", "#5c6b7a", "#e08a1e", "#2a6fb0")
_NO_LOSS = ("epoch", "epochs", "seconds")
_PANEL_MM = 52.0
_FIGURES = {
    "against_background": "AUROC against background",
    "within_sites": "AUROC within all sites",
    "pearson": "correlation of reporters",
}


def training_figure(log: Sequence[Mapping[str, Any]], *, title: str = "Training") -> Chart:
    """Draw what the log of a training holds: losses, and each context's figures on the validation regions.

    Parameters
    ----------
    log
        Lines of ``metrics.jsonl``, one for each epoch: ``run``, ``epoch``, losses by name, and ``validation``
        with ``contexts``.

    Raises
    ------
    ResultError
        If the log has no line.
    """
    if not log:
        raise ResultError("the log of the training has no line yet: nothing to draw")
    runs = list(dict.fromkeys(str(line["run"]) for line in log))
    shown = [name for name in _FIGURES if any(_of_contexts(line, name) for line in log)]
    width = (TWO_COLUMNS_MM - 8) / (1 + len(shown))

    def draw(chart: Chart) -> None:
        for column, name in enumerate(("losses", *shown)):
            ax = chart.panel(12 + column * width, 6, width - 12, _PANEL_MM - 16)
            ax.set_title(_FIGURES.get(name, "loss of each epoch"), fontsize=TEXT_PT, loc="left", color=INK)
            ax.set_xlabel("epoch, runs one after another", fontsize=SMALL_PT)
            ax.tick_params(labelsize=SMALL_PT)
            for number in range(1, len(log)):
                if log[number]["run"] != log[number - 1]["run"]:
                    ax.axvline(number + 0.5, color=FAINT, lw=0.7)
            if name == "losses":
                _losses(ax, log)
            else:
                _figures(ax, log, name)

    return Chart(draw, _PANEL_MM, title=title, footer=f"runs: {', '.join(runs)}; thick: mean over contexts")


def draw_training(
    log: Sequence[Mapping[str, Any]], path: str | PathLike[str], *, title: str = "Training"
) -> None:
    """Write `training_figure` as ``.svg``, ``.pdf`` or ``.png``."""
    training_figure(log, title=title).save(path)


def _losses(ax: Any, log: Sequence[Mapping[str, Any]]) -> None:
    names = [
        name
        for name in dict.fromkeys(name for line in log for name in line)
        if name not in _NO_LOSS and any(isinstance(line.get(name), float) for line in log)
    ]
    for number, name in enumerate(names):
        values = [line.get(name, float("nan")) for line in log]
        epochs = range(1, len(log) + 1)
        ax.plot(epochs, values, "o-", ms=2, lw=1, color=_PALETTE[number % len(_PALETTE)], label=name)
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=SMALL_PT, frameon=False, labelcolor=INK)


def _figures(ax: Any, log: Sequence[Mapping[str, Any]], name: str) -> None:
    epochs = range(1, len(log) + 1)
    contexts = list(dict.fromkeys(context for line in log for context in _of_contexts(line, name)))
    rows = [[_of_contexts(line, name).get(context, float("nan")) for line in log] for context in contexts]
    for context, row in zip(contexts, rows, strict=True):
        ax.plot(epochs, row, "o-", ms=1.5, lw=0.7, color=MUTED, gid=context)
    means = [
        sum(known) / len(known) if (known := list(_of_contexts(line, name).values())) else float("nan")
        for line in log
    ]
    ax.plot(epochs, means, "o-", ms=2.5, lw=1.6, color=ACCENT)
    # the contexts that are known worst and best are named at the end of their lines
    last = sorted(
        (row[-1], context) for context, row in zip(contexts, rows, strict=True) if row[-1] == row[-1]
    )
    for value, context in {*last[:1], *last[-1:]}:
        ax.annotate(context, (len(log), value), xytext=(2, 0), textcoords="offset points", fontsize=SMALL_PT)


def _of_contexts(line: Mapping[str, Any], name: str) -> dict[str, float]:
    each = line.get("validation", {}).get("contexts", {})
    return {context: known[name] for context, known in each.items() if known.get(name) is not None}
