"""Hypotheses for print: heat map of traits by contexts, bars of -log10 p, forest of effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from phenviz.errors import ResultError
from phenviz.figures.activity import context_colours
from phenviz.figures.chart import Chart
from phenviz.figures.paper import TWO_COLUMNS_MM
from phenviz.figures.style import ACCENT, DIVERGING, FAINT, INK, MUTED, SMALL_PT, TEXT_PT, text_width_mm
from phenviz.formats import FIGURE, writes
from phenviz.genome.locus import shown_contig

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
_ROW_MM = 4.2
_MOST_CONTEXTS = 40
_PANEL_MM = (52.0, 34.0)
_COLUMNS = 3


@writes("hypotheses", *FIGURE)
def _written(
    dataset: xr.Dataset, path: Path, *, figure: str = "heatmap", annotation: object = None
) -> tuple[Path, ...]:
    from phenviz.figures.disease_slide import slide_figure

    draw: dict[str, Callable[[xr.Dataset], Chart]] = {
        "heatmap": heatmap_figure, "bars": bars_figure, "forest": forest_figure, "slide": slide_figure,
    }  # fmt: skip
    if figure not in draw:
        raise ResultError(f"hypotheses can't be drawn as {figure!r}: choose {', '.join(draw)}")
    return (draw[figure](dataset).save(path),)


def heatmap_figure(
    dataset: xr.Dataset,
    *,
    methods: Sequence[str] | None = None,
    sort: str | None = None,
    width_mm: float = TWO_COLUMNS_MM,
    title: str = "Hypotheses: traits by contexts",
) -> Chart:
    """Draw z of every trait in every context, one panel per method, contexts by lineage.

    Parameters
    ----------
    dataset
        What `phenviz.disease.hypotheses` returned.
    methods
        Which to draw; all by default.
    sort
        A context: traits are sorted by its z in the first method.

    Raises
    ------
    ResultError
        If the dataset holds no hypotheses, or not what was asked for.
    """
    parts = [_method(dataset, name) for name in _methods(dataset, methods)]
    if sort is not None:
        if sort not in parts[0]["context"].values:
            raise ResultError(f"no context {sort!r} to sort by in method {parts[0].attrs['_method']}")
        order = np.argsort(-np.nan_to_num(parts[0]["z"].sel(context=sort).values, nan=-1e9), kind="stable")
        parts = [part.isel(trait=order) for part in parts]
    left = max(text_width_mm(str(name)) for name in dataset["trait"].values) + 4
    heads = [max(text_width_mm(str(n)) for n in part["context"].values) + 6 for part in parts]
    heights = [8 + head + _ROW_MM * part.sizes["trait"] for head, part in zip(heads, parts, strict=True)]
    limit = max(float(np.nanmax(np.abs(part["z"].values), initial=1.0)) for part in parts)

    def draw(chart: Chart) -> None:
        top = 0.0
        for part, head, height in zip(parts, heads, heights, strict=True):
            body = _ROW_MM * part.sizes["trait"]
            ax = chart.panel(left, top + 5 + head, chart.width_mm - left - 16, body)
            _heatmap(ax, part, min(limit, 8.0), head)
            top += height
        _scale(chart, min(limit, 8.0), 5 + heads[0], min(30.0, _ROW_MM * parts[0].sizes["trait"]))

    return Chart(draw, sum(heights), width_mm=width_mm, title=title, footer=footer_of(dataset, methods))


def bars_figure(
    dataset: xr.Dataset,
    *,
    method: str | None = None,
    traits: Sequence[str] | None = None,
    width_mm: float = TWO_COLUMNS_MM,
) -> Chart:
    """Draw -log10 p of each context, one panel per trait, with both Bonferroni thresholds.

    The solid line counts all contexts, the dashed one their effective number (Li and Ji); each over the
    traits that were tested.
    """
    part = check_method(dataset, method)
    tested = np.isfinite(part["p_value"].values)
    pairs = max(int(tested.sum()), 1)
    effective = float(part["effective_contexts"]) * max(int(tested.any(1).sum()), 1)

    def panel(ax: Axes, trait: str) -> None:
        own = part.sel(trait=trait)
        height = -np.log10(own["p_value"].values)
        ax.bar(np.arange(len(height)), height, color=context_colours_of(own), width=0.8)
        ax.axhline(-np.log10(0.05 / pairs), color=ACCENT, lw=0.7)
        if np.isfinite(effective):
            ax.axhline(-np.log10(0.05 / effective), color=ACCENT, lw=0.7, ls=(0, (3, 2)))
        _context_axis(ax, own)
        ax.set_ylabel("−log10 p", fontsize=SMALL_PT)

    return _grid(dataset, part, traits, panel, width_mm)


def forest_figure(
    dataset: xr.Dataset,
    *,
    method: str | None = None,
    traits: Sequence[str] | None = None,
    width_mm: float = TWO_COLUMNS_MM,
) -> Chart:
    """Draw the effect in each context with its 95 % interval (bootstrap of loci), one panel per trait."""
    part = check_method(dataset, method)

    def panel(ax: Axes, trait: str) -> None:
        own = part.sel(trait=trait)
        effect = own["effect"].values
        ax.axhline(0, color=FAINT, lw=0.7)
        for place, colour in enumerate(context_colours_of(own)):
            low, high = float(own["interval_low"][place]), float(own["interval_high"][place])
            if np.isfinite(low):
                ax.plot([place, place], [low, high], color=colour, lw=1.1, solid_capstyle="butt")
            ax.plot([place], [effect[place]], "o", color=colour, ms=2.6, mew=0)
        _context_axis(ax, own)
        ax.set_ylabel("effect", fontsize=SMALL_PT)

    return _grid(dataset, part, traits, panel, width_mm)


def stars(q: float) -> str:
    """Return the stars of a q-value: * below 0.05, ** below 0.01, *** below 0.001."""
    return next((sign for level, sign in STARS if q < level), "")


def _methods(dataset: xr.Dataset, wanted: Sequence[str] | None) -> list[str]:
    if "method" not in dataset.dims or "q_value" not in dataset:
        raise ResultError("this result holds no hypotheses: pass what phenviz.disease.hypotheses returned")
    known = [str(name) for name in dataset["method"].values]
    for name in wanted or ():
        if name not in known:
            raise ResultError(f"this result has no method {name!r}: it has {', '.join(known)}")
    return list(wanted or known)


def _method(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Return one method's part, with the contexts that it tests; the strongest where they are many."""
    # "method" is also a parameter of Dataset.sel
    part = dataset.sel({"method": name})
    p = part["p_value"].values
    tested = np.flatnonzero(np.isfinite(p).any(0))
    if not len(tested):
        raise ResultError(f"method {name!r} tested nothing: there is nothing to draw")
    if len(tested) > _MOST_CONTEXTS:
        best = np.argsort(np.nanmin(p[:, tested], axis=0), kind="stable")[:_MOST_CONTEXTS]
        tested = tested[np.sort(best)]
    groups = part["group"].values.astype(str)[tested]
    first = {group: place for place, group in reversed(list(enumerate(groups)))}
    order = np.argsort([first[group] for group in groups], kind="stable")
    return part.isel(context=tested[order]).assign_attrs(_method=name)


def _heatmap(ax: Axes, part: xr.Dataset, limit: float, head: float) -> None:
    z, q = part["z"].values, part["q_value"].values
    ax.imshow(z, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    for row, column in zip(*np.nonzero(q < STARS[-1][0]), strict=True):
        colour = "white" if abs(z[row, column]) > 0.6 * limit else INK
        sign = stars(float(q[row, column]))
        ax.text(column, row + 0.12, sign, ha="center", va="center", fontsize=SMALL_PT, color=colour)
    names = part["context"].values.astype(str)
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=SMALL_PT)
    ax.xaxis.tick_top()
    ax.set_yticks(range(part.sizes["trait"]), part["trait"].values.astype(str), fontsize=SMALL_PT)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    _group_bars(ax, part)
    ax.annotate(
        str(part["method_label"].values),
        (0, 1),
        xytext=(0, head / 0.3528),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=TEXT_PT,
        fontweight="bold",
        va="bottom",
    )


def _group_bars(ax: Axes, part: xr.Dataset) -> None:
    """Mark the lineages by their colours between the names and the cells, and part them by white lines."""
    groups = part["group"].values.astype(str)
    for column, colour in enumerate(context_colours_of(part)):
        ax.add_patch(Rectangle((column - 0.5, -0.5), 1, -0.16, color=colour, clip_on=False, lw=0, zorder=3))
        if column and groups[column] != groups[column - 1]:
            ax.axvline(column - 0.5, color="white", lw=1.5)
    ax.tick_params(axis="x", pad=3)


def _scale(chart: Chart, limit: float, top: float, height: float) -> None:
    ax = chart.panel(chart.width_mm - 12, top, 2.5, height)
    ramp = np.linspace(limit, -limit, 128)[:, None]
    ax.imshow(ramp, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto", extent=(0, 1, -limit, limit))
    ax.set_xticks([])
    ax.yaxis.tick_right()
    ax.set_title("z", fontsize=SMALL_PT)


def _grid(
    dataset: xr.Dataset,
    part: xr.Dataset,
    traits: Sequence[str] | None,
    panel: object,
    width_mm: float,
) -> Chart:
    known = [str(name) for name in part["trait"].values]
    names = list(traits or known)
    for name in names:
        if name not in known:
            raise ResultError(f"no trait {name!r} in this result: it has {', '.join(known)}")
    columns = max(min(_COLUMNS, int((width_mm - 2) // (_PANEL_MM[0] + 8))), 1)
    rows = -(-len(names) // columns)
    foot = max(text_width_mm(str(name)) for name in part["context"].values) + 4
    width = (width_mm - 4) / columns

    def draw(chart: Chart) -> None:
        for number, name in enumerate(names):
            row, column = divmod(number, columns)
            top = row * (_PANEL_MM[1] + foot) + 5
            ax = chart.panel(2 + column * width + 9, top, width - 12, _PANEL_MM[1] - 6)
            panel(ax, name)  # type: ignore[operator]
            ax.set_title(name, fontsize=TEXT_PT, loc="left", fontweight="bold", pad=3)

    title = str(part["method_label"].values)
    height = rows * (_PANEL_MM[1] + foot)
    footer = footer_of(dataset, [str(part["method"].values)])
    return Chart(draw, height, width_mm=width_mm, title=title, footer=footer)


def check_method(dataset: xr.Dataset, method: str | None) -> xr.Dataset:
    """Return one method's part of hypotheses, the first one's for None, with the contexts that it tests.

    Raises
    ------
    ResultError
        If the dataset holds no hypotheses, has no such method, or it tested nothing.
    """
    return _method(dataset, _methods(dataset, None if method is None else [method])[0])


def strongest_pair(part: xr.Dataset, trait: str = "", context: str = "") -> tuple[str, str]:
    """Return the trait and context with the smallest p of one method, among equal ones with the largest z.

    Parameters
    ----------
    part
        One method's part of hypotheses.
    trait, context
        Only pairs of these; "" for all.

    Raises
    ------
    ResultError
        If there is no such trait or context.
    """
    for name, wanted in (("trait", trait), ("context", context)):
        known = part[name].values.astype(str).tolist()
        if wanted and wanted not in known:
            raise ResultError(f"no {name} {wanted!r} was tested: choose from {', '.join(known[:20])}")
        if wanted:
            part = part.sel({name: [wanted]})
    part = part.transpose("trait", "context", ...)
    p = np.nan_to_num(part["p_value"].values, nan=2.0)
    z = np.nan_to_num(part["z"].values, nan=-np.inf)
    row, column = np.unravel_index(int(np.lexsort((-z.ravel(), p.ravel()))[0]), p.shape)
    return str(part["trait"].values[row]), str(part["context"].values[column])


def _context_axis(ax: Axes, own: xr.Dataset) -> None:
    names = own["context"].values.astype(str)
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=SMALL_PT)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.tick_params(axis="x", length=0)
    ax.tick_params(axis="y", labelsize=SMALL_PT, colors=MUTED)


def context_colours_of(part: xr.Dataset) -> list[str]:
    """Return the colour of each context of a method's part."""
    colours = context_colours(part)
    return [colours[str(name)] for name in part["context"].values]


def footer_of(dataset: xr.Dataset, methods: Sequence[str] | None = None) -> str:
    """Say what hypotheses were made from, in the methods that are drawn, and what stars mean."""
    attrs = dataset.attrs
    contigs = ", ".join(shown_contig(name.strip()) for name in str(attrs["contig"]).split(","))
    model = "" if attrs["model"] == "none" else f" | model {attrs['model']}"
    prior = _prior(dataset, methods) if "prior" in attrs else ""
    return (
        f"{attrs['assembly']} {contigs}{model}{prior} | source {attrs['source']} | seed "
        f"{attrs['seed']} | PhenViz "
        f"{attrs['phenviz_version']}\n* q < 0.05, ** q < 0.01, *** q < 0.001 ({attrs['multiple_testing']})"
    )


def _prior(dataset: xr.Dataset, methods: Sequence[str] | None) -> str:
    """Name the prior of the posteriors, and the methods that follow it where others are drawn, too."""
    name, drawn = str(dataset.attrs["prior"]), list(methods or dataset["method"].values.astype(str))
    own = drawn
    # older results don't say it method by method
    if "method_prior" in dataset:
        of_methods = dataset["method_prior"].to_series()
        own = [method for method in drawn if of_methods[method] == name]
    where = f" in {', '.join(own)}" if own != drawn else ""
    return f" | prior {name}{where}" if own else ""
