"""One number per base: attributions, effects of single-base changes, and letters."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection

from phenviz.errors import ResultError
from phenviz.figures.activity import select_contexts
from phenviz.figures.component import (
    SCALE_ROOM_MM,
    RowsComponent,
    ScaledComponent,
    axes_mm,
    colour_bar,
    short_number,
    value_scale,
)
from phenviz.figures.letters import letters_of
from phenviz.figures.marked_intervals import EXACT_MEANING, draw_exact, draw_gaps
from phenviz.figures.reduce import MOST_POINTS, groups_of, reduce_extremes, reduce_strongest
from phenviz.figures.style import BASE_COLOURS, DIVERGING, FAINT, MM_PER_POINT, MUTED, NEGATIVE, POSITIVE
from phenviz.genome.locus import Locus
from phenviz.results import (
    base_starts,
    contribution,
    exact_intervals,
    gaps,
    kind_of,
    reference_bases,
    validate,
)

_LEAST_LETTER_MM = 0.22
_MOST_COLUMNS = 1_600
# in points: a pixel at 150 dots an inch
_HAIRLINE = 0.48
BAND = "#c3cbd3"
_BAND_MEANING = "Band: one standard deviation over the baselines on each side"


class BaseTrack(ScaledComponent):
    """A signed number per base, around a zero line.

    Parameters
    ----------
    positions
        0-based, ascending, shape (n,); gaps between them are tinted.
    values
        Shape (n,); NaN where unknown.
    units, label
        As written beside the track.
    source
        Result that the values come from.
    height_mm
        Height.
    spread
        Standard deviation of the values, shape (n,): drawn as a band of one on each side.
    """

    def __init__(
        self,
        positions: np.ndarray,
        values: np.ndarray,
        *,
        units: str,
        label: str,
        source: xr.Dataset | None = None,
        height_mm: float = 14.0,
        spread: np.ndarray | None = None,
    ) -> None:
        self.positions = np.asarray(positions)
        self.values = np.asarray(values, dtype=float)
        self.units = units
        self.label = label
        self.source = source
        self.height_mm = height_mm
        self.spread = None if spread is None else np.asarray(spread, dtype=float)
        # of the y axis; by default as far as the values in the window reach
        self.limits: tuple[float, float] | None = None

    def height(self, locus: Locus, width_mm: float) -> float:
        """Return the fixed height; 0 where the locus holds no value."""
        return self.height_mm if self._inside(locus).any() else 0.0

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw what is above zero and what is below it, as steps."""
        inside = self._inside(locus)
        positions, values = self.positions[inside], self.values[inside]
        laid = _laid(positions, values)
        joined = groups_of(len(laid), MOST_POINTS // 2)
        lowest, highest = reduce_extremes(laid, joined)
        edges = _edges(positions, joined, len(lowest))
        _draw_boxes(ax, edges, np.zeros(len(lowest)), np.maximum(highest, 0), POSITIVE)
        _draw_boxes(ax, edges, np.minimum(lowest, 0), np.zeros(len(lowest)), NEGATIVE)
        self.finish(ax, locus)

    def finish(self, ax: Axes, locus: Locus) -> None:
        """Draw the band, what is known how, the zero line and the scale."""
        inside = self._inside(locus)
        positions, values = self.positions[inside], self.values[inside]
        if self.spread is not None:
            low, high = values - self.spread[inside], values + self.spread[inside]
            self._draw_band(ax, positions, low, high)
            values = np.concatenate([values, low, high])
        ax.set_xlim(locus.start, locus.end)
        draw_gaps(ax, gaps(self.positions))
        if self.source is not None:
            draw_exact(ax, exact_intervals(self.source) or [])
        ax.axhline(0, color=MUTED, linewidth=0.5, zorder=3)
        value_scale(ax, *(self.limits or signed_limits(values)), self.units)

    def meanings(self, locus: Locus) -> list[str]:
        """Say what the numbers are, by the kind of result that they come from."""
        if self.source is None:
            return []
        if kind_of(self.source) == "mutagenesis":
            return [*_effect_meanings(self.source), _CONTRIBUTION_MEANING]
        return [_attribution_meaning(self.source), *([_BAND_MEANING] if self.spread is not None else [])]

    def _draw_band(self, ax: Axes, positions: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        laid = _laid(positions, np.stack([low, high]))
        joined = groups_of(laid.shape[-1], MOST_POINTS // 2)
        (lowest, _), (_, highest) = reduce_extremes(laid[0], joined), reduce_extremes(laid[1], joined)
        # behind the bars or letters: what shows is how much farther or less far they could reach
        _draw_boxes(ax, _edges(positions, joined, len(lowest)), lowest, highest, BAND, zorder=0.6)

    def _inside(self, locus: Locus) -> np.ndarray:
        return (self.positions >= locus.start) & (self.positions < locus.end)


class Attribution(BaseTrack):
    """Attribution of each base to the target.

    Parameters
    ----------
    attribution
        An attribution.
    context
        Which context, where it has several.
    """

    def __init__(
        self, attribution: xr.Dataset, context: str | None = None, *, height_mm: float = 14.0
    ) -> None:
        if validate(attribution) != "attribution":
            raise ResultError("this track draws an attribution (variable 'attribution'), not another result")
        chosen = attribution
        if "context" in attribution["attribution"].dims:
            context = str(attribution["context"].values[0]) if context is None else context
            chosen = select_contexts(attribution, [context]).isel(context=0)
        spread = chosen["attribution_std"].values if "attribution_std" in chosen else None
        super().__init__(
            base_starts(chosen), chosen["attribution"].values, units=str(attribution.attrs["units"]),
            label="Attribution", source=attribution, height_mm=height_mm, spread=spread,
        )  # fmt: skip
        if target := context or attribution.attrs.get("target"):
            self.label = f"Attribution\n{target}"


class Contribution(BaseTrack):
    """Contribution of each base: minus the mean effect of its three alternates.

    Parameters
    ----------
    mutagenesis
        A mutagenesis.
    context
        Which context; the first by default.
    """

    def __init__(
        self, mutagenesis: xr.Dataset, context: str | None = None, *, height_mm: float = 14.0
    ) -> None:
        chosen, name = _one_context(mutagenesis, context)
        super().__init__(
            base_starts(chosen), contribution(chosen).values, units=str(mutagenesis.attrs["units"]),
            label=f"Contribution\n{name}", source=mutagenesis, height_mm=height_mm,
        )  # fmt: skip


class Logo(BaseTrack):
    """Reference letters as tall as their contribution or attribution.

    A letter below zero hangs upside down. Where letters would be too narrow to read, bars stand for them.

    Parameters
    ----------
    result
        A mutagenesis (contribution: minus the mean effect of the three alternates), or an attribution that
        holds its ``reference``.
    context
        Which context; the first by default.
    """

    def __init__(self, result: xr.Dataset, context: str | None = None, *, height_mm: float = 16.0) -> None:
        if kind_of(result) == "mutagenesis":
            track: BaseTrack = Contribution(result, context)
        else:
            track = Attribution(result, context)
            if "reference" not in result:
                raise ResultError("a logo needs letters: this attribution misses the variable 'reference'")
        super().__init__(
            track.positions,
            track.values,
            units=track.units,
            label=track.label,
            source=result,
            height_mm=height_mm,
            spread=track.spread,
        )
        self.bases = reference_bases(result)

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw letters, or bars where they would be too narrow."""
        if not letters_fit(locus, axes_mm(ax)[0]):
            super().draw(ax, locus)
            return
        inside = self._inside(locus)
        bases, starts, values = self.bases[inside], self.positions[inside], self.values[inside]
        for letter, colour in BASE_COLOURS.items():
            outlines = letters_of(bases, starts, values, letter)
            if outlines:
                ax.add_collection(PathCollection(outlines, facecolor=colour, edgecolor="none"), autolim=False)
        self.finish(ax, locus)


class MutagenesisHeatmap(RowsComponent):
    """Effect of each base becoming A, C, G or T: white is no effect; a dot marks the reference.

    Parameters
    ----------
    mutagenesis
        A mutagenesis.
    context
        Which context; the first by default.
    limit
        Effect of the darkest colours, either way; by default the largest drawn.
    """

    def __init__(
        self, mutagenesis: xr.Dataset, context: str | None = None, *, limit: float | None = None
    ) -> None:
        self.mutagenesis, self.context = _one_context(mutagenesis, context)
        self.source = mutagenesis
        self.limit = limit
        self.label = f"Effect\n{self.context}"
        self.row_mm = 3.5
        self.row_names = tuple(self.mutagenesis["allele"].values.astype(str))

    def height(self, locus: Locus, width_mm: float) -> float:
        """One line of text an allele; 0 where the locus holds no effect."""
        return len(self.row_names) * self.row_mm if self._inside(locus).any() else 0.0

    def right_room(self) -> float:
        """Width in mm for the colour bar."""
        return SCALE_ROOM_MM

    @property
    def upright(self) -> bool:
        """Never: four rows are low."""
        return False

    def meanings(self, locus: Locus) -> list[str]:
        """Say what an effect is."""
        return _effect_meanings(self.mutagenesis)

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw the map as one image, with dots at the reference where there is room."""
        inside = self._inside(locus)
        effect = self.mutagenesis["effect"].transpose("allele", "position").values[:, inside]
        positions = base_starts(self.mutagenesis)[inside]
        joined = groups_of(effect.shape[1], _MOST_COLUMNS)
        shown = reduce_strongest(effect, joined)
        known = np.abs(shown[np.isfinite(shown)])
        limit = self.limit or (float(known.max()) if known.size else 0.0) or 1.0
        rows = len(self.row_names)
        image = ax.imshow(
            np.ma.masked_invalid(shown), aspect="auto", interpolation="nearest", cmap=DIVERGING, vmin=-limit,
            vmax=limit, extent=(positions[0], positions[0] + joined * shown.shape[1], rows, 0),
        )  # fmt: skip
        ax.set_xlim(locus.start, locus.end)
        draw_exact(ax, exact_intervals(self.mutagenesis) or [])
        if joined == 1:
            self._mark_reference(ax, locus, positions, reference_bases(self.mutagenesis)[inside])
        self.draw_row_names(ax, np.arange(rows) + 0.5, BASE_COLOURS)
        colour_bar(ax, image, str(self.mutagenesis.attrs["units"]))
        for spine in ax.spines.values():
            spine.set(visible=True, color=FAINT, linewidth=0.5)

    def _mark_reference(self, ax: Axes, locus: Locus, positions: np.ndarray, bases: np.ndarray) -> None:
        wide = axes_mm(ax)[0] / locus.length
        if wide < 0.4:
            return
        row_of = {name: row for row, name in enumerate(self.row_names)}
        dots = [
            (p + 0.5, row_of[base] + 0.5) for p, base in zip(positions, bases, strict=True) if base in row_of
        ]
        if dots:
            ax.plot(
                *zip(*dots, strict=True),
                linestyle="none",
                marker=".",
                markersize=min(1.8, wide / MM_PER_POINT),
                color=MUTED,
                markeredgewidth=0,
            )

    def _inside(self, locus: Locus) -> np.ndarray:
        positions = base_starts(self.mutagenesis)
        return (positions >= locus.start) & (positions < locus.end)


def _laid(positions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Lay values (..., n) at ascending positions from the first to the last; NaN in the gaps."""
    length = int(positions[-1] - positions[0]) + 1
    if length == len(positions):
        return values
    laid = np.full((*values.shape[:-1], length), np.nan)
    laid[..., positions - positions[0]] = values
    return laid


def _edges(positions: np.ndarray, joined: int, count: int) -> np.ndarray:
    """Return the borders of groups of so many neighbours each, shape (count + 1,)."""
    edges = positions[0] + joined * np.arange(count + 1)
    edges[-1] = positions[-1] + 1
    return edges


def _draw_boxes(
    ax: Axes, edges: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, zorder: float = 1.0
) -> None:
    """Fill each step between its low and its high; those without a number or a height are left out."""
    shown = np.flatnonzero(np.isfinite(low) & np.isfinite(high) & (low < high))
    left, right, bottom, top = edges[shown], edges[shown + 1], low[shown], high[shown]
    boxes = np.stack(
        [np.stack([left, left, right, right], axis=-1), np.stack([bottom, top, top, bottom], axis=-1)],
        axis=-1,
    )
    first, last = ax.get_xlim()
    points = (edges[1] - edges[0]) / (last - first) * axes_mm(ax)[0] / MM_PER_POINT
    # a box narrower than a pixel can fall between two of them: an edge is always drawn
    edge = {"edgecolor": colour, "linewidth": _HAIRLINE} if points < _HAIRLINE else {"edgecolor": "none"}
    drawn = PolyCollection(list(boxes), facecolor=colour, zorder=zorder, **edge)
    ax.add_collection(drawn, autolim=False)


def _effect_meanings(mutagenesis: xr.Dataset) -> list[str]:
    effect = f"Effect: {mutagenesis.attrs['definition']} ({mutagenesis.attrs['units']})"
    return [effect] if exact_intervals(mutagenesis) is None else [effect, EXACT_MEANING]


def _attribution_meaning(attribution: xr.Dataset) -> str:
    attrs = attribution.attrs
    text = f"Attribution: {attrs['definition']} ({attrs['units']})"
    told = [("target", "target {}"), ("baseline", "baseline {}"), ("n_steps", "{} steps")]
    text += "".join(
        f", {form.format(attrs[name])}"
        for name, form in told
        if name in attrs and form.format(attrs[name]) not in text
    )
    if "convergence_delta" in attrs:
        text += f", convergence delta {short_number(float(attrs['convergence_delta']))}"
    if not attrs.get("converged", 1):
        text += " (NOT CONVERGED: take more steps)"
    return text


_CONTRIBUTION_MEANING = "Contribution: minus the mean effect of the three alternate bases"


def letters_fit(locus: Locus, width_mm: float) -> bool:
    """Tell whether one letter per base can be read on a track of this width."""
    return width_mm / locus.length >= _LEAST_LETTER_MM


def signed_limits(values: np.ndarray) -> tuple[float, float]:
    """Limits that hold zero and all values, with a little room."""
    known = values[np.isfinite(values)]
    low, high = (min(float(known.min()), 0.0), max(float(known.max()), 0.0)) if known.size else (0.0, 0.0)
    if low == high:
        return -1.0, 1.0
    room = 0.06 * (high - low)
    return low - (room if low < 0 else room / 2), high + room


def _one_context(mutagenesis: xr.Dataset, context: str | None) -> tuple[xr.Dataset, str]:
    if validate(mutagenesis) != "mutagenesis":
        raise ResultError("this track draws a mutagenesis (variable 'effect'), not another result")
    known = mutagenesis["context"].values.astype(str).tolist()
    name = known[0] if context is None else context
    if name not in known:
        raise ResultError(f"this mutagenesis has no context {name!r}: it has {', '.join(known)}")
    return mutagenesis.isel(context=known.index(name)), name
