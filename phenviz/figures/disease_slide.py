"""One hypothesis for a slide, 16:9: the contexts of a trait, and the loci behind one of them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from phenviz.figures.chart import Chart
from phenviz.figures.disease import check_method, context_colours_of, footer_of, strongest_pair
from phenviz.figures.style import ACCENT, FAINT, INK, MUTED, NEUTRAL, SMALL_PT, TEXT_PT, text_width_mm
from phenviz.genome.true_minus import known_number

# on a slide, which is twice as wide, letters are twice as large; at 300 dpi nearly 1,920 points
WIDTH_MM, HEIGHT_MM = 160.0, 90.0
_LOCI, _LONGEST_NAME = 10, 28
_GAP_MM = 6.0


def slide_figure(
    dataset: xr.Dataset,
    *,
    method: str | None = None,
    trait: str | None = None,
    context: str | None = None,
    evidence: xr.Dataset | None = None,
) -> Chart:
    """Draw −log10 p of a trait in each context, and beside it z without each locus, or the effects.

    Parameters
    ----------
    dataset
        What `phenviz.disease.hypotheses` returned.
    method, trait, context
        What is looked at; by default the first method, and the pair with the smallest p.
    evidence
        What `phenviz.disease.locus_evidence` returned of this trait; None for effects with their intervals.

    Raises
    ------
    ResultError
        If the dataset holds no hypotheses, or not what was asked for.
    """
    part = check_method(dataset, method)
    trait, context = strongest_pair(part, trait or "", context or "")
    own = part.sel(trait=trait)
    beside = evidence if evidence is not None and context in evidence["context"].values else None

    def draw(chart: Chart) -> None:
        foot = max(text_width_mm(str(name), SMALL_PT) for name in own["context"].values) + 2
        height = _room(title, footer) - foot - 5
        wide = 0.54 * chart.width_mm
        ax = chart.panel(11, 5, wide - 11, height)
        _bars(ax, own, context)
        names = _names(beside, context) if beside is not None else own["context"].values.astype(str).tolist()
        left = wide + _GAP_MM + max(text_width_mm(name, SMALL_PT) for name in names)
        ax = chart.panel(left, 5, chart.width_mm - left - 3, height + foot - 8)
        if beside is not None:
            _leave_one_out(ax, beside, context, float(own["z"].sel(context=context)))
        else:
            _effects(ax, own, context)

    one = own.sel(context=context)
    z, p, q = (float(one[name]) for name in ("z", "p_value", "q_value"))
    numbers = f"z {known_number(z, '.2f')}, p {known_number(p)}, q {known_number(q)}"
    made_up = "SIMULATED: " if "SIMULATED" in str(dataset.attrs["source"]) else ""
    title = f"{made_up}{_short(trait)} in {_short(context)}: {numbers}"
    footer = (
        f"{part['method_label'].values}\n{footer_of(dataset, [str(part['method'].values)]).splitlines()[0]}"
    )
    return Chart(draw, _room(title, footer), width_mm=WIDTH_MM, title=title, footer=footer)


def _room(title: str, footer: str) -> float:
    """Return the height that title and footer leave of a slide."""
    return HEIGHT_MM - Chart(lambda chart: None, 0.0, width_mm=WIDTH_MM, title=title, footer=footer).height_mm


def _bars(ax: Axes, own: xr.Dataset, context: str) -> None:
    names = own["context"].values.astype(str)
    p = own["p_value"].values
    rows = np.arange(len(names))
    ax.bar(rows, -np.log10(p), color=context_colours_of(own), width=0.8)
    tests = int(np.isfinite(p).sum())
    ax.axhline(-np.log10(0.05 / max(tests, 1)), color=ACCENT, lw=0.7)
    ax.set_xticks(rows, names, rotation=90, fontsize=SMALL_PT)
    for label in ax.get_xticklabels():
        if label.get_text() == context:
            label.set(color=INK, fontweight="bold")
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("−log10 p", fontsize=TEXT_PT)
    ax.set_title(f"Contexts (line: 0.05 / {tests})", fontsize=TEXT_PT, loc="left", pad=3)


def _order(evidence: xr.Dataset, context: str) -> np.ndarray:
    return np.argsort(-evidence["excess"].sel(context=context).values, kind="stable")[:_LOCI]


def _names(evidence: xr.Dataset, context: str) -> list[str]:
    rows = _order(evidence, context)
    pairs = zip(evidence["lead"].values[rows], evidence["gene"].values[rows], strict=True)
    found = [f"{':'.join(str(lead).split(':')[:2])} {gene}".strip() for lead, gene in pairs]
    return [_short(name) for name in found]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def _leave_one_out(ax: Axes, evidence: xr.Dataset, context: str, z: float) -> None:
    z_without = evidence["z_without"].sel(context=context).values[_order(evidence, context)]
    rows = np.arange(len(z_without))
    ax.axvline(0, color=FAINT, lw=0.7)
    if np.isfinite(z):
        ax.axvline(z, color=NEUTRAL, lw=0.7, ls=(0, (3, 2)))
    ax.plot(z_without, rows, "o", color=ACCENT, ms=3, mew=0)
    ax.set_yticks(rows, _names(evidence, context), fontsize=SMALL_PT)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlabel("z without the locus", fontsize=TEXT_PT)
    ax.set_title("Loci behind it (dashed: z of all)", fontsize=TEXT_PT, loc="left", pad=3)


def _effects(ax: Axes, own: xr.Dataset, context: str) -> None:
    names, effect = own["context"].values.astype(str), own["effect"].values
    ax.axvline(0, color=MUTED, lw=0.6)
    for row, colour in enumerate(context_colours_of(own)):
        low, high = float(own["interval_low"][row]), float(own["interval_high"][row])
        if np.isfinite(low):
            ax.plot([low, high], [row, row], color=colour, lw=1.1, solid_capstyle="butt")
        ax.plot([effect[row]], [row], "o", color=colour, ms=2.6, mew=0)
    ax.set_yticks(np.arange(len(names)), names, fontsize=SMALL_PT)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel("effect (95 % interval)", fontsize=TEXT_PT)
    ax.set_title("Effects", fontsize=TEXT_PT, loc="left", pad=3)
