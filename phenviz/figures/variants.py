"""Effects of variants for print: many as a heat map, one as a forest over all contexts."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from phenviz.errors import ResultError
from phenviz.figures.activity import by_lineage, context_colours
from phenviz.figures.chart import Chart
from phenviz.figures.component import short_number
from phenviz.figures.paper import TWO_COLUMNS_MM
from phenviz.figures.style import DIVERGING, FAINT, INK, MUTED, SMALL_PT, TEXT_PT, UNKNOWN, text_width_mm
from phenviz.genome.locus import shown_contig
from phenviz.results import validate

MOST_VARIANTS = 40
# of more contexts, names are smaller by this
MOST_WIDE, NARROW = 48, 0.72
# beyond all but so many of a hundred common variants, either way
RARE = 0.99

ROW_MM = 3.6
_SCALE_MM = 17.0
_LONGEST_ALLELE = 8
_UNIT_BEYOND_MM = 24.0
_AXIS_MM = 9.0


def variants_figure(
    dataset: xr.Dataset, *, total: int | None = None, width_mm: float = TWO_COLUMNS_MM
) -> Chart:
    """Draw effects of variants: a forest of one variant, a heat map of several.

    Parameters
    ----------
    dataset
        What `phenviz.effects.score_variants` returned.
    total
        How many variants were scored, where the dataset holds the strongest of them only.

    Raises
    ------
    ResultError
        If it is another result, or no variant in it could be scored.
    """
    _check(dataset)
    if dataset.sizes["variant"] == 1:
        return variant_forest(dataset, width_mm=width_mm)
    return variants_heatmap(dataset, total=total, width_mm=width_mm)


def variants_heatmap(
    dataset: xr.Dataset,
    *,
    most: int = MOST_VARIANTS,
    total: int | None = None,
    width_mm: float = TWO_COLUMNS_MM,
    title: str | None = None,
) -> Chart:
    """Draw variants by contexts, the largest effect on top; a dot marks an effect that is rare.

    Parameters
    ----------
    dataset, total
        As for `variants_figure`.
    most
        Variants to draw at most.
    title
        By default how many are shown of how many.

    Raises
    ------
    ResultError
        As `variants_figure`.
    """
    scored = total if total is not None else _scored(_check(dataset))
    part = by_lineage(strongest_variants(dataset, most))
    names = [variant_name(part, row) for row in range(part.sizes["variant"])]
    left = max(text_width_mm(name, SMALL_PT) for name in names) + 3
    head = max(text_width_mm(str(name), SMALL_PT) for name in part["context"].values) + 5
    body = ROW_MM * len(names)
    if title is None:
        shown = f"the {len(names):,} strongest of {scored:,}" if scored > len(names) else f"{scored:,}"
        title = f"Effects of variants: {shown}"

    def draw(chart: Chart) -> None:
        ax = chart.panel(left, head, chart.width_mm - left - _SCALE_MM, body)
        limit = draw_map(ax, part, names)
        draw_scale(chart, limit, head, min(body, 30.0), str(part.attrs["units"]))

    return Chart(draw, head + body + 2, width_mm=width_mm, title=title, footer=footer_of(part))


def variant_forest(
    dataset: xr.Dataset, variant: int = 0, *, width_mm: float = TWO_COLUMNS_MM, title: str | None = None
) -> Chart:
    """Draw one variant's effect in each context, with its quantile among common variants beside it.

    Parameters
    ----------
    dataset
        What `phenviz.effects.score_variants` returned.
    variant
        Which row of it.
    title
        By default the variant.

    Raises
    ------
    ResultError
        If it is another result, has no such row, or the variant couldn't be scored.
    """
    count = _check(dataset).sizes["variant"]
    if not 0 <= variant < count:
        raise ResultError(f"no variant {variant}: this result has {count:,}, counted from 0")
    part = by_lineage(dataset.isel(variant=[variant]))
    effect = part["effect"].transpose("variant", "context").values[0]
    if not np.isfinite(effect).any():
        raise ResultError(f"{variant_name(part, 0)} couldn't be scored{_why(part)}: there is nothing to draw")
    left = max(text_width_mm(str(name)) for name in part["context"].values) + 4
    body = ROW_MM * part.sizes["context"]

    def draw(chart: Chart) -> None:
        right = 30.0 if "quantile" in part else 4.0
        ax = chart.panel(left, 4.0, chart.width_mm - left - right, body)
        draw_forest(ax, part, effect)

    height = body + 4.0 + _AXIS_MM
    name = variant_name(part, 0, longest=30) if title is None else title
    return Chart(draw, height, width_mm=width_mm, title=name, footer=footer_of(part, dots=False))


def strongest_variants(dataset: xr.Dataset, most: int = MOST_VARIANTS) -> xr.Dataset:
    """Keep the variants with the largest effect in any context, largest first.

    Raises
    ------
    ResultError
        If none could be scored.
    """
    size = np.abs(_check(dataset)["effect"].transpose("variant", "context").values)
    largest = np.where(np.isfinite(size), size, -1).max(axis=1, initial=-1)
    order = np.argsort(-largest, kind="stable")[:most]
    kept = order[largest[order] >= 0]
    if not len(kept):
        raise ResultError(f"no variant could be scored{_why(dataset)}: there is nothing to draw")
    return dataset.isel(variant=kept)


def variant_name(dataset: xr.Dataset, row: int, *, longest: int = _LONGEST_ALLELE) -> str:
    """Name a variant as on screen; long alleles are cut, with their length."""
    one = {name: dataset[name].values[row] for name in ("contig", "position", "ref", "alt")}
    place = f"{shown_contig(str(one['contig']))}:{int(one['position']):,}"
    change = ">".join(_allele(str(one[name]), longest) for name in ("ref", "alt"))
    known = str(dataset["id"].values[row]) if "id" in dataset.coords else ""
    return f"{place} {change} {known}".strip()


def _allele(letters: str, longest: int) -> str:
    if len(letters) <= longest:
        return letters
    return f"{letters[: longest - 3]}\N{HORIZONTAL ELLIPSIS} ({len(letters)} bp)"


def _check(dataset: xr.Dataset) -> xr.Dataset:
    if validate(dataset) != "variant effects":
        raise ResultError("this chart draws effects of variants (variant, context), not another result")
    if not dataset.sizes["variant"]:
        raise ResultError("this result holds no variant: there is nothing to draw")
    return dataset


def _scored(dataset: xr.Dataset) -> int:
    return int(np.isfinite(dataset["effect"].transpose("variant", "context").values).any(axis=1).sum())


def _why(dataset: xr.Dataset) -> str:
    told = sorted(set(dataset["status"].values.astype(str))) if "status" in dataset.coords else []
    return f" ({', '.join(told)})" if told else ""


def draw_map(ax: Axes, part: xr.Dataset, names: list[str], limit: float | None = None) -> float:
    """Draw effects as colours, a row per variant; return the effect where the colours end."""
    effect = part["effect"].transpose("variant", "context").values
    limit = limit or float(np.nanmax(np.abs(effect))) or 1.0
    ax.imshow(
        np.ma.masked_invalid(effect), cmap=DIVERGING.with_extremes(bad=UNKNOWN), vmin=-limit, vmax=limit,
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    if "quantile" in part:
        rare = np.abs(part["quantile"].transpose("variant", "context").values) > RARE
        rows, columns = np.nonzero(rare)
        dark = np.abs(effect[rows, columns]) > 0.6 * limit
        ax.scatter(columns, rows, s=2.5, c=np.where(dark, "white", INK), linewidths=0)
    contexts = part["context"].values.astype(str)
    # more columns, such as tissues of a gene's expression, are narrower than a line of text is high
    size = SMALL_PT if len(contexts) <= MOST_WIDE else NARROW * SMALL_PT
    ax.set_xticks(range(len(contexts)), contexts, rotation=90, fontsize=size)
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(names)), names, fontsize=SMALL_PT)
    ax.tick_params(length=0)
    ax.tick_params(axis="x", pad=6)
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT, linewidth=0.5)
    _draw_lineages(ax, part, len(names))
    return limit


def _draw_lineages(ax: Axes, part: xr.Dataset, rows: int) -> None:
    colours = context_colours(part)
    groups = part["group"].values.astype(str) if "group" in part.coords else np.array([])
    strip = 1.0 / (rows * ROW_MM)
    for column, name in enumerate(part["context"].values.astype(str)):
        box = Rectangle(
            (column - 0.5, 1 + strip / 3), 1, strip, color=colours[name], clip_on=False, lw=0,
            transform=ax.get_xaxis_transform(),
        )  # fmt: skip
        ax.add_patch(box)
    for column in (np.flatnonzero(groups[1:] != groups[:-1]) + 0.5).tolist():
        ax.axvline(column, color="white", linewidth=1.5)


def draw_scale(chart: Chart, limit: float, top: float, height: float, units: str) -> None:
    """Draw the colours of effects with their ends, at the right of a chart."""
    ax = chart.panel(chart.width_mm - _SCALE_MM + 3, top, 2.2, height)
    ramp = np.linspace(limit, -limit, 128)[:, None]
    ax.imshow(ramp, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto", extent=(0, 1, -limit, limit))
    ax.set_xticks([])
    ax.yaxis.tick_right()
    ax.set_yticks([-limit, 0, limit], [short_number(value) for value in (-limit, 0, limit)])
    # a longer unit stands in the footer alone
    if text_width_mm(units, SMALL_PT) <= height + _UNIT_BEYOND_MM:
        ax.set_ylabel(units, fontsize=SMALL_PT)
    ax.yaxis.set_label_position("right")


def draw_forest(ax: Axes, part: xr.Dataset, effect: NDArray) -> None:
    """Draw an effect in each context, with its quantile beside it."""
    contexts = part["context"].values.astype(str)
    colours = context_colours(part)
    rows = np.arange(len(contexts))
    for row, (name, value) in enumerate(zip(contexts, effect, strict=True)):
        if np.isfinite(value):
            ax.plot([0, value], [row, row], color=colours[name], linewidth=1.1, solid_capstyle="butt")
            ax.plot([value], [row], "o", color=colours[name], markersize=3.6, markeredgewidth=0)
    ax.axvline(0, color=MUTED, linewidth=0.6)
    low, high = min(float(np.nanmin(effect)), 0.0), max(float(np.nanmax(effect)), 0.0)
    room = 0.08 * (high - low) or 1.0
    ax.set(xlim=(low - room, high + room), ylim=(len(contexts) - 0.4, -0.6))
    ax.set_yticks(rows, contexts, fontsize=TEXT_PT)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(str(part.attrs["units"]), fontsize=SMALL_PT)
    ax.spines["left"].set_visible(False)
    if "quantile" not in part:
        return
    quantile = part["quantile"].transpose("variant", "context").values[0]
    for row, value in enumerate(quantile.tolist()):
        text = "\N{EN DASH}" if np.isnan(value) else f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
        ax.annotate(
            text, (1, row), xycoords=("axes fraction", "data"), xytext=(20 * 72 / 25.4, 0), ha="right",
            textcoords="offset points", va="center_baseline", annotation_clip=False, fontsize=SMALL_PT,
            fontweight="bold" if abs(value) > RARE else "normal",
        )  # fmt: skip
    ax.annotate(
        "quantile", (1, 1), xycoords="axes fraction", xytext=(20 * 72 / 25.4, 3), ha="right", va="bottom",
        textcoords="offset points", annotation_clip=False, fontsize=SMALL_PT, color=MUTED,
    )  # fmt: skip


def footer_of(part: xr.Dataset, *, dots: bool = True) -> str:
    """Say what effects and quantiles are, and what made them."""
    attrs = part.attrs
    lines = [
        f"{attrs['assembly']} | model {attrs['model']} | PhenViz {attrs['phenviz_version']}",
        f"Effect: {attrs['definition']} ({attrs['units']})",
    ]
    if "quantile" in part:
        meaning = str(part["quantile"].attrs.get("definition", "rank among common variants, -1 to 1"))
        mark = "Dot" if dots else "Bold"
        lines.append(f"Quantile: {meaning}. {mark}: beyond \N{PLUS-MINUS SIGN}{RARE}")
    return "\n".join(lines)
