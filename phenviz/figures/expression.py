"""Changes of expression for print: genes by tissues, with the organ systems above them."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from phenviz.errors import ResultError
from phenviz.figures.activity import context_colours
from phenviz.figures.chart import Chart
from phenviz.figures.component import short_number
from phenviz.figures.paper import TWO_COLUMNS_MM
from phenviz.figures.style import DIVERGING, FAINT, SMALL_PT, UNKNOWN, text_width_mm
from phenviz.figures.variants import MOST_WIDE, NARROW, variant_name
from phenviz.formats import FIGURE, writes
from phenviz.results import validate

MOST_ROWS = 40
_ROW_MM, _SCALE_MM = 3.6, 20.0
_LABELS_MM, _GROUPS_MM = 24.0, 19.0
_LEAST = 1e-6


def expression_effects_figure(dataset: xr.Dataset, *, width_mm: float = TWO_COLUMNS_MM) -> Chart:
    """Draw what variants change in the expression of genes: the pairs that change most, by tissue.

    Parameters
    ----------
    dataset
        What `phenviz.effects.score_expression` returned.

    Raises
    ------
    ResultError
        If it is another result, or holds no pair.
    """
    if (kind := validate(dataset)) != "effects on expression":
        raise ResultError(f"this chart draws effects on expression, not a {kind}")
    if not dataset.sizes["pair"]:
        raise ResultError("no gene is within reach of these variants: there is nothing to draw")
    changes = dataset["expression_effect"].transpose("pair", "context").values
    rows = np.argsort(-np.nan_to_num(np.abs(changes)).max(1, initial=0.0), kind="stable")[:MOST_ROWS]
    alone = len(set(dataset["row"].values.tolist())) == 1
    names = [
        str(dataset["gene"].values[row]) if alone else f"{dataset['gene'].values[row]}, {_name(dataset, row)}"
        for row in rows.tolist()
    ]
    title = f"Change of expression by {_name(dataset, 0)}" if alone else "Change of expression"
    return _chart(dataset, changes[rows], names, title, width_mm, f"{len(rows)} of {len(changes)} pairs")


def expression_figure(dataset: xr.Dataset, *, width_mm: float = TWO_COLUMNS_MM) -> Chart:
    """Draw how each haplotype's expression differs from the reference's, by tissue.

    Parameters
    ----------
    dataset
        What `phenviz.effects.predict_expression` returned.

    Raises
    ------
    ResultError
        If it is another result, or no haplotype has a variant where a gene is read out from.
    """
    if validate(dataset) != "gene expression" or "haplotype" not in dataset.dims:
        raise ResultError("this chart draws the expression of genes from haplotypes, not another result")
    wide = dataset["expression"].transpose("individual", "gene", "haplotype", "context")
    change = wide - wide.sel(haplotype="reference")
    names, rows = [], []
    for person, who in enumerate(dataset["individual"].values.astype(str)):
        for gene, called in enumerate(dataset["gene"].values.astype(str)):
            for haplotype in ("1", "2"):
                if int(dataset["variants"].isel(individual=person, gene=gene).sel(haplotype=haplotype)):
                    names.append(f"{called}, {who}, haplotype {haplotype}")
                    rows.append(change.isel(individual=person, gene=gene).sel(haplotype=haplotype).values)
    if not rows:
        raise ResultError("no haplotype has a variant where these genes are read out from: nothing to draw")
    changes = np.array(rows)
    order = np.sort(np.argsort(-np.abs(changes).max(1), kind="stable")[:MOST_ROWS])
    told = f"{len(order)} of {len(changes)} haplotypes"
    names = [names[row] for row in order.tolist()]
    return _chart(dataset, changes[order], names, "Expression against the reference's", width_mm, told)


@writes("effects on expression", *FIGURE)
def _write_effects(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    return (expression_effects_figure(dataset).save(path),)


@writes("gene expression", *FIGURE)
def _write_expression(dataset: xr.Dataset, path: Path) -> tuple[Path, ...]:
    return (expression_figure(dataset).save(path),)


def _name(dataset: xr.Dataset, row: int) -> str:
    return variant_name(dataset.rename(pair="variant"), row)


def _chart(
    dataset: xr.Dataset,
    changes: NDArray[np.floating],
    names: list[str],
    title: str,
    width_mm: float,
    counted: str,
) -> Chart:
    left = max(text_width_mm(name, SMALL_PT) for name in names) + 4.0
    height = len(names) * _ROW_MM
    attrs = dataset.attrs
    footer = "\n".join(
        [
            f"{attrs['assembly']} | model {attrs['model']} | {attrs['readout']} | PhenViz "
            f"{attrs['phenviz_version']} | {counted}",
            f"Change: {attrs['definition']} ({attrs['units']})",
        ]
    )

    def draw(chart: Chart) -> None:
        ax = chart.panel(left, _GROUPS_MM, width_mm - left - _SCALE_MM, height)
        limit = max(float(np.nanmax(np.abs(changes), initial=0.0)), _LEAST)
        _draw_map(ax, dataset, changes, names, limit)
        _draw_scale(chart, limit, height)

    return Chart(draw, _GROUPS_MM + height + _LABELS_MM, width_mm=width_mm, title=title, footer=footer)


def _draw_map(
    ax: Axes, dataset: xr.Dataset, changes: NDArray[np.floating], names: list[str], limit: float
) -> None:
    ax.imshow(
        np.ma.masked_invalid(changes), cmap=DIVERGING.with_extremes(bad=UNKNOWN), vmin=-limit, vmax=limit,
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    contexts = dataset["context"].values.astype(str)
    labels = dataset["context_label"].values.astype(str) if "context_label" in dataset.coords else contexts
    shown = [label if len(label) <= 22 else name for label, name in zip(labels, contexts, strict=True)]
    size = SMALL_PT if len(contexts) <= MOST_WIDE else NARROW * SMALL_PT
    ax.set_xticks(range(len(contexts)), shown, rotation=90, fontsize=size)
    ax.set_yticks(range(len(names)), names, fontsize=SMALL_PT)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT, linewidth=0.5)
    colours = context_colours(dataset)
    strip = 1.2 / (len(names) * _ROW_MM)
    groups = dataset["group"].values.astype(str) if "group" in dataset.coords else contexts
    for group, members in groupby(enumerate(groups), key=lambda pair: pair[1]):
        places = [place for place, _ in members]
        box = Rectangle(
            (places[0] - 0.45, 1 + strip / 3), len(places) - 0.1, strip, color=colours[contexts[places[0]]],
            clip_on=False, lw=0, transform=ax.get_xaxis_transform(),
        )  # fmt: skip
        ax.add_patch(box)
        ax.annotate(
            group, ((places[0] + places[-1]) / 2, 1 + 2 * strip), xycoords=ax.get_xaxis_transform(),
            rotation=60, ha="left", va="bottom", fontsize=size, annotation_clip=False, rotation_mode="anchor",
        )  # fmt: skip
        if places[0]:
            ax.axvline(places[0] - 0.5, color="white", linewidth=1.0)


def _draw_scale(chart: Chart, limit: float, height: float) -> None:
    ax = chart.panel(chart.width_mm - _SCALE_MM + 3, _GROUPS_MM, 2.2, max(height, 14.0))
    ramp = np.linspace(limit, -limit, 128)[:, None]
    ax.imshow(ramp, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto", extent=(0, 1, -limit, limit))
    ax.set_xticks([])
    ax.yaxis.tick_right()
    ax.set_yticks([-limit, 0, limit], [short_number(value) for value in (-limit, 0, limit)])
