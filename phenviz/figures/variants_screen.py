"""Figures of what the Variants page shows: a list of variants, or one of them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from phenviz.figures.activity import select_contexts
from phenviz.figures.chart import Chart
from phenviz.figures.letters import letters_of
from phenviz.figures.paper import TWO_COLUMNS_MM
from phenviz.figures.style import (
    ACCENT,
    BASE_COLOURS,
    FAINT,
    INK,
    MUTED,
    NEGATIVE,
    POSITIVE,
    SMALL_PT,
    TEXT_PT,
    text_width_mm,
)
from phenviz.figures.variants import ROW_MM, draw_forest, draw_map, draw_scale, footer_of, variant_name
from phenviz.genome.packing import pack_in_order
from phenviz.results.display import AlleleDisplay, VariantDisplay, VariantsDisplay

_VOLCANO_MM, _GAP_MM, _SCALE_MM = 62.0, 6.0, 17.0
_LOGO_MM, _AXIS_MM = 24.0, 11.0
# bases that the name of a motif takes
_NAME_BASES, _MOTIF_ROWS = 9, 3


def variants_screen_figure(
    display: VariantsDisplay, effects: xr.Dataset, *, width_mm: float = TWO_COLUMNS_MM
) -> Chart:
    """Draw the volcano and the heat map of the Variants page for print.

    Parameters
    ----------
    display
        What is on screen, and with which scales.
    effects
        Of all variants: ``effect`` (variant, context).
    """
    part = select_contexts(effects.isel(variant=list(display.rows)), display.contexts)
    left = max(text_width_mm(name, SMALL_PT) for name in display.names) + 3
    head = max(text_width_mm(name, SMALL_PT) for name in display.contexts) + 5
    body = max(ROW_MM * len(display.names), 40.0)

    def draw(chart: Chart) -> None:
        _draw_volcano(chart.panel(_AXIS_MM, head, _VOLCANO_MM - _AXIS_MM, body), display)
        start = _VOLCANO_MM + _GAP_MM + left
        draw_map(
            chart.panel(start, head, chart.width_mm - start - _SCALE_MM, body),
            part, list(display.names), display.limit,
        )  # fmt: skip
        draw_scale(chart, display.limit, head, min(body, 30.0), str(part.attrs["units"]))

    title = f"Effects of variants: {len(display.x):,} drawn, the first {len(display.names):,} by context"
    return Chart(draw, head + body + _AXIS_MM, width_mm=width_mm, title=title, footer=footer_of(part))


def variant_screen_figure(
    display: VariantDisplay, effects: xr.Dataset, *, width_mm: float = TWO_COLUMNS_MM
) -> Chart:
    """Draw one variant as the Variants page does: logos with motifs, and effects over all contexts.

    Parameters
    ----------
    display
        What is on screen, and with which scales.
    effects
        Of this variant: ``effect`` (variant, context).
    """
    part = select_contexts(effects, display.contexts)
    left = max(text_width_mm(name) for name in display.contexts) + 4
    body = ROW_MM * len(display.contexts)
    top = _LOGO_MM + 14.0 if display.alleles else 4.0

    def draw(chart: Chart) -> None:
        _draw_logos(chart, display)
        right = 30.0 if "quantile" in part else 4.0
        ax = chart.panel(left, top, chart.width_mm - left - right, body)
        _draw_common(ax, display)
        effect = part["effect"].transpose("variant", "context").values[0]
        draw_forest(ax, part, effect)
        ax.set_xlim(*display.effect_limits)

    notes = []
    if display.alleles:
        notes.append(_logos_in_words(display))
    if display.common is not None:
        notes.append("Grey: where 90 % of common variants lie")
    footer = "\n".join([footer_of(part, dots=False), *notes])
    name = variant_name(part, 0, longest=30)
    return Chart(draw, top + body + _AXIS_MM, width_mm=width_mm, title=name, footer=footer)


def logos_figure(display: VariantDisplay, title: str, *, width_mm: float = TWO_COLUMNS_MM) -> Chart:
    """Draw the logos of both alleles alone, with the motifs over the variant.

    Parameters
    ----------
    display
        Its logos are drawn.
    title
        Written above.
    """

    def draw(chart: Chart) -> None:
        _draw_logos(chart, display)

    return Chart(draw, _LOGO_MM + 14.0, width_mm=width_mm, title=title, footer=_logos_in_words(display))


def _draw_logos(chart: Chart, display: VariantDisplay) -> None:
    wide = (chart.width_mm - 3 * _AXIS_MM) / 2
    for number, allele in enumerate(display.alleles):
        ax = chart.panel(_AXIS_MM + number * (wide + _AXIS_MM), 5.0, wide, _LOGO_MM)
        _draw_logo(ax, display, allele)


def _logos_in_words(display: VariantDisplay) -> str:
    return (
        f"Logos: contribution of each base in {display.context} (minus the mean effect of its changes), "
        "without and with the variant (tinted)"
    )


def _draw_volcano(ax: Axes, display: VariantsDisplay) -> None:
    colours = np.where(display.x > 0, POSITIVE, NEGATIVE)
    ax.scatter(display.x, display.y, s=5, c=colours.tolist(), linewidths=0, alpha=0.75)
    ax.axvline(0, color=MUTED, linewidth=0.6)
    ax.set(xlim=display.x_limits, ylim=display.y_limits)
    ax.set_xlabel(display.x_label, fontsize=SMALL_PT)
    ax.set_ylabel(display.y_label, fontsize=SMALL_PT)


def _draw_logo(ax: Axes, display: VariantDisplay, allele: AlleleDisplay) -> None:
    starts = display.start + np.arange(len(allele.bases))
    low, high = display.limits
    first, last = (display.start + border for border in allele.changed)
    # where bases are missing, a mark stands between their neighbours
    spare = 0.15 if first == last else 0.0
    ax.axvspan(first - spare, last + spare, color=ACCENT, alpha=0.15, linewidth=0)
    bases = np.array(list(allele.bases))
    for letter, colour in BASE_COLOURS.items():
        if outlines := letters_of(bases, starts, allele.values, letter):
            ax.add_collection(PathCollection(outlines, facecolor=colour, edgecolor="none"), autolim=False)
    ax.axhline(0, color=MUTED, linewidth=0.5)
    ax.set(xlim=(starts[0], starts[-1] + 1), ylim=(low, high))
    ax.set_title(allele.title, fontsize=TEXT_PT, loc="left", pad=2)
    ax.set_xticks([])
    ax.tick_params(axis="y", labelsize=SMALL_PT)
    ax.spines["bottom"].set_visible(False)
    _name_motifs(ax, allele)


def _name_motifs(ax: Axes, allele: AlleleDisplay) -> None:
    """Write the names of motifs below the letters, each under a bar as wide as the motif."""
    ends = [max(motif.end, motif.start + _NAME_BASES) for motif in allele.motifs]
    rows = pack_in_order([motif.start for motif in allele.motifs], ends, _MOTIF_ROWS)
    for motif, row in zip(allele.motifs, rows.tolist(), strict=True):
        if row < 0:
            continue
        y = -0.06 - 0.16 * int(row)
        place = ax.get_xaxis_transform()
        ax.plot(
            [motif.start, motif.end], [y, y], color=FAINT, linewidth=2, transform=place, clip_on=False,
            solid_capstyle="butt",
        )  # fmt: skip
        ax.text(
            (motif.start + motif.end) / 2, y - 0.02, motif.name, transform=place, ha="center", va="top",
            fontsize=SMALL_PT, color=INK,
        )  # fmt: skip


def _draw_common(ax: Axes, display: VariantDisplay) -> None:
    if display.common is not None:
        rows = np.arange(len(display.contexts))
        ax.hlines(rows, *display.common, color=FAINT, linewidth=6, zorder=0)
