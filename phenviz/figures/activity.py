"""Predicted activity: all contexts as a heat map, or some as areas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm
from matplotlib.patches import Rectangle

from phenviz.errors import ResultError
from phenviz.figures.component import (
    SCALE_ROOM_MM,
    RowsComponent,
    axes_mm,
    colour_bar,
    short_number,
    value_scale,
)
from phenviz.figures.reduce import MOST_POINTS, groups_of, reduce_extremes, reduce_mean
from phenviz.figures.style import FAINT, INK, MM_PER_POINT, NEUTRAL, SEQUENTIAL
from phenviz.genome.locus import Locus
from phenviz.genome.ticks import format_length
from phenviz.results import bin_size_of, validate
from phenviz.results.display import Colouring

_STRIP_MM = 1.2
_MOST_COLUMNS = 1_600
_AREA_TOP = 0.84
# Bins in an interval from where on nearly each would hold a peak. On screen, where half as many points
# lie side by side, a track changes at the same zoom.
_AVERAGED_FROM = 16


class _Activity(RowsComponent):
    """What both drawings of a prediction share.

    Attributes
    ----------
    most
        Intervals that are drawn at most.
    """

    most = MOST_POINTS // 2

    def __init__(
        self,
        prediction: xr.Dataset,
        contexts: Sequence[str] | None,
        limit: float | None = None,
        drawn: Colouring | None = None,
    ) -> None:
        if validate(prediction) != "prediction":
            raise ResultError("this track draws a prediction (variable 'activity'), not another result")
        self.source = prediction
        self.label = "Predicted\nactivity"
        self.prediction = select_contexts(prediction, contexts)
        self.row_names = tuple(self.prediction["context"].values.astype(str))
        self.colours = context_colours(self.prediction)
        self.limit = drawn.high if drawn is not None else limit
        self._drawn = drawn

    def right_room(self) -> float:
        """Width in mm for numbers and the unit."""
        return SCALE_ROOM_MM

    def summary(self, locus: Locus) -> tuple[np.ndarray, np.ndarray]:
        """Reduce the bins of the locus to at most `most` intervals.

        Returns
        -------
        edges
            Shape (n + 1,).
        values
            Highest activity of each interval, or its mean where it holds so many bins that nearly each
            holds a peak; shape (context, n).
        """
        starts, values = self._inside(locus)
        joined, mean = self._joined(values.shape[1])
        size = bin_size_of(self.prediction)
        first = int(starts[0])
        if self._drawn is not None:
            # on the contig's grid, as on screen
            before = first // size % joined
            values = np.pad(values.astype(float), ((0, 0), (before, 0)), constant_values=np.nan)
            first -= before * size
        if mean:
            values = reduce_mean(values, joined)
        elif joined > 1:
            values = reduce_extremes(values, joined)[1]
        edges = first + size * joined * np.arange(values.shape[1] + 1)
        return edges, values

    def _joined(self, bins: int) -> tuple[int, bool]:
        """Return how many of so many bins become one, and whether their mean is drawn."""
        if self._drawn is not None:
            return max(self._drawn.bases // bin_size_of(self.prediction), 1), self._drawn.mean
        joined = groups_of(bins, self.most)
        return joined, joined >= _AVERAGED_FROM

    def meanings(self, locus: Locus) -> list[str]:
        """Say what activity is, how bins are joined, and what becomes of values above the scale."""
        end, above = self.scale_end(self.summary(locus)[1])
        return [self.meaning(locus) + (f"; drawn up to {short_number(end)}" if above else "")]

    def meaning(self, locus: Locus) -> str:
        """Say what activity is, and how bins are joined."""
        joined, mean = self._joined(self._inside(locus)[1].shape[1])
        length = format_length(joined * bin_size_of(self.prediction))
        how = "mean" if mean else "maximum"
        (line,) = super().meanings(locus)
        # the units of the contexts that are drawn, which needn't be all of the model's
        line = line.replace(f"({self.prediction.attrs['units']})", f"({self.units})")
        return line + (f"; {how} of each {length}" if joined > 1 else "")

    def scale_end(self, values: np.ndarray) -> tuple[float, bool]:
        """Return the value where the scale of a drawing ends, and whether any of its values is higher."""
        known = values[np.isfinite(values)]
        highest = float(known.max()) if known.size else 1.0
        if self.limit is not None:
            return self.limit, highest > self.limit
        usual = float(np.quantile(known, 0.998)) if known.size else 1.0
        return (usual, True) if 0 < usual < highest / 2 else (highest or 1.0, False)

    def _inside(self, locus: Locus) -> tuple[np.ndarray, np.ndarray]:
        size = bin_size_of(self.prediction)
        starts = self.prediction["bin_start"].values
        # a point that reaches over the border of the window holds all of its bins
        point = max(self._drawn.bases, size) if self._drawn is not None else size
        inside = (starts < -(-locus.end // point) * point) & (starts + size > locus.start // point * point)
        if not inside.any():
            raise ResultError(f"this prediction has no bin in {locus}: predict there first")
        return starts[inside], self.prediction["activity"].transpose("context", "bin").values[:, inside]

    @property
    def units(self) -> str:
        """Unit of activity."""
        if "units" in self.prediction.coords:
            return ", ".join(dict.fromkeys(self.prediction["units"].values.tolist()))
        return str(self.prediction.attrs["units"])


class ActivityHeatmap(_Activity):
    """Contexts x bins, rows by lineage; long windows keep the highest value of each interval, or its mean.

    Colours follow log(1 + activity), as on screen, so that weak peaks are seen beside strong ones.

    Parameters
    ----------
    prediction
        A prediction.
    contexts
        Which rows; all by default. They are grouped by lineage.
    limit
        Value of the darkest colour; by default the highest drawn, or the 99.8th percentile where that is
        less than half of it (the colour bar then ends in an arrow).
    drawn
        How it is drawn on screen, to be drawn in the same way.
    """

    def __init__(
        self,
        prediction: xr.Dataset,
        contexts: Sequence[str] | None = None,
        *,
        limit: float | None = None,
        drawn: Colouring | None = None,
    ) -> None:
        super().__init__(by_lineage(select_contexts(prediction, contexts)), None, limit, drawn)
        self.source = prediction

    most = _MOST_COLUMNS

    def height(self, locus: Locus, width_mm: float) -> float:
        """One line of text a context."""
        return len(self.row_names) * self.row_mm

    def names_room(self) -> float:
        """Width in mm of the names and the lineage strip."""
        return super().names_room() + _STRIP_MM + 0.8

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw the map as one image, the strip of lineages, and the colour bar."""
        edges, values = self.summary(locus)
        limit, above = self.scale_end(values)
        rows = len(self.row_names)
        image = ax.imshow(
            np.ma.masked_invalid(values), aspect="auto", interpolation="nearest", cmap=SEQUENTIAL,
            norm=FuncNorm((np.log1p, np.expm1), vmin=0, vmax=limit),
            extent=(edges[0], edges[-1], rows, 0),
        )  # fmt: skip
        ax.set_xlim(locus.start, locus.end)
        self._draw_lineages(ax)
        colour_bar(ax, image, self.units, above=above)
        for spine in ax.spines.values():
            spine.set(visible=True, color=FAINT, linewidth=0.5)

    def _draw_lineages(self, ax: Axes) -> None:
        """Draw each context's colour beside its row, and a line where a lineage ends."""
        width = axes_mm(ax)[0]
        for row, name in enumerate(self.row_names):
            ax.add_patch(
                Rectangle(
                    (-(_STRIP_MM + 0.8) / width, row), _STRIP_MM / width, 1, facecolor=self.colours[name],
                    transform=ax.get_yaxis_transform(), clip_on=False,
                )
            )  # fmt: skip
            ax.annotate(
                name, (0, row + 0.5), xycoords=("axes fraction", "data"),
                xytext=(-(_STRIP_MM + 1.6) / MM_PER_POINT, 0), textcoords="offset points", ha="right",
                va="center_baseline", annotation_clip=False,
            )  # fmt: skip
        groups = self.prediction["group"].values if "group" in self.prediction.coords else np.array([])
        for row in (np.flatnonzero(groups[1:] != groups[:-1]) + 1).tolist():
            ax.axhline(row, color="white", linewidth=0.9)
            line = [-(_STRIP_MM + 0.8) / width, -0.8 / width]
            ax.plot(
                line,
                [row, row],
                color="white",
                linewidth=0.9,
                transform=ax.get_yaxis_transform(),
                clip_on=False,
            )


class ActivityAreas(_Activity):
    """One area per context, all on the same scale.

    Parameters
    ----------
    prediction
        A prediction.
    contexts
        Which areas, from top to bottom; all by default.
    limit
        Value at the top of an area, where higher ones are cut; by default as for `ActivityHeatmap`.
    row_mm
        Height of one area.
    drawn
        As for `ActivityHeatmap`.
    """

    def __init__(
        self,
        prediction: xr.Dataset,
        contexts: Sequence[str] | None = None,
        *,
        limit: float | None = None,
        row_mm: float = 7.5,
        drawn: Colouring | None = None,
    ) -> None:
        super().__init__(prediction, contexts, limit, drawn)
        self.row_mm = row_mm

    def height(self, locus: Locus, width_mm: float) -> float:
        """One row per context."""
        return len(self.row_names) * self.row_mm

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw areas from below, each with its baseline and the scale's end."""
        edges, values = self.summary(locus)
        top, _ = self.scale_end(values)
        rows = len(self.row_names)
        ax.set_ylim(0, rows)
        bases = rows - 1.0 - np.arange(rows)
        for name, base, row in zip(self.row_names, bases, values, strict=True):
            heights = base + _AREA_TOP * np.minimum(np.nan_to_num(row) / top, 1)
            ax.fill_between(
                edges,
                base,
                np.append(heights, heights[-1]),
                step="post",
                color=self.colours[name],
                linewidth=0,
            )
            ax.plot([locus.start, locus.end], [base, base], color=FAINT, linewidth=0.5, solid_capstyle="butt")
        ax.set_xlim(locus.start, locus.end)
        self.draw_row_names(ax, bases + 0.4)
        value_scale(ax, 0, rows, self.units)
        # the zero of a row would touch the top of the next one, so only the last row has its zero written
        ax.set_yticks([*(bases + _AREA_TOP), 0.0], [*[short_number(top)] * rows, "0"], color=INK)
        ax.set_yticks(bases, minor=True)


def select_contexts(dataset: xr.Dataset, contexts: Sequence[str] | None) -> xr.Dataset:
    """Keep contexts by name, in the order given; all for None.

    Raises
    ------
    ResultError
        If the result doesn't hold one of them.
    """
    if contexts is None:
        return dataset
    known = dataset["context"].values.astype(str).tolist()
    if missing := [name for name in contexts if name not in known]:
        raise ResultError(f"this result has no context {', '.join(missing)}: it has {', '.join(known)}")
    return dataset.isel(context=[known.index(name) for name in contexts])


def by_lineage(dataset: xr.Dataset) -> xr.Dataset:
    """Put contexts of one group side by side, groups in the order of their first context."""
    if "group" not in dataset.coords:
        return dataset
    groups = dataset["group"].values.astype(str).tolist()
    order = list(dict.fromkeys(groups))
    return dataset.isel(context=np.argsort([order.index(group) for group in groups], kind="stable"))


def context_colours(dataset: xr.Dataset) -> dict[str, str]:
    """Colour of each context of a result."""
    names = dataset["context"].values.astype(str).tolist()
    if "colour" not in dataset.coords:
        return dict.fromkeys(names, NEUTRAL)
    return dict(zip(names, dataset["colour"].values.astype(str).tolist(), strict=True))
