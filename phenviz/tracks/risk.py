"""Risk scores on screen: ROC curves, calibration, and where one person stands among others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, MultiLine, Patches, Scatter, Segment, Slope, Span
from numpy.typing import NDArray

from phenviz.results.risk_scores import (
    SCORE_COLOURS,
    SCORE_NAMES,
    SUBTYPE_COLOURS,
    density,
    group_colours,
)
from phenviz.tracks.plain import Plot, hover_of, plain_figure
from phenviz.tracks.theme import Theme, ThemeName, legible

_HEIGHT, _DISTRIBUTION_HEIGHT, _MAP_HEIGHT = 250, 168, 380


class RocCurves(Plot):
    """True against false positives, one curve per score."""

    def __init__(self, theme: ThemeName = "light") -> None:
        self.layout = plain_figure(
            "roc", _HEIGHT, "false positives", "true positives", x=(0, 1), y=(0, 1.005)
        )
        self._diagonal = Slope(gradient=1, y_intercept=0, line_width=1)
        self.layout.add_layout(self._diagonal)
        self._curves = ColumnDataSource(
            {name: [] for name in ("xs", "ys", "score", "colour", "told", "area")}
        )
        lines = self.layout.add_glyph(
            self._curves, MultiLine(xs="xs", ys="ys", line_color="colour", line_width=2)
        )
        self.layout.add_tools(HoverTool(renderers=[lines], tooltips=[("", "@told"), ("AUROC", "@area")]))
        self.set_theme(theme)

    def show(self, curves: pd.DataFrame, areas: dict[str, str]) -> None:
        """Draw curves.

        Parameters
        ----------
        curves
            Columns score, false_positive, true_positive: the points of each curve in their order.
        areas
            What is told of the area under each, by score.
        """
        by_score = _by_score(curves)
        self._curves.data = {
            "xs": [own["false_positive"].tolist() for own in by_score.values()],
            "ys": [own["true_positive"].tolist() for own in by_score.values()],
            "score": list(by_score),
            "colour": [score_colour(score, self._theme) for score in by_score],
            "told": [SCORE_NAMES.get(score, score) for score in by_score],
            "area": [areas.get(score, "not known") for score in by_score],
        }

    def _recolour(self) -> None:
        self._diagonal.line_color = self._theme.muted
        _repaint([self._curves], self._theme)


class CalibrationPlot(Plot):
    """Predicted risk against the share of cases in tenths of people, with intervals, one line per score."""

    def __init__(self, theme: ThemeName = "light") -> None:
        self.layout = plain_figure(
            "calibration", _HEIGHT, "predicted risk, tenths of people", "share of cases", x=(0, 1), y=(0, 1)
        )
        self._diagonal = Slope(gradient=1, y_intercept=0, line_width=1)
        self.layout.add_layout(self._diagonal)
        names = ("predicted", "observed", "low", "high", "score", "colour", "told", "interval", "people")
        self._points = ColumnDataSource({name: [] for name in names})
        self._lines = ColumnDataSource({name: [] for name in ("xs", "ys", "score", "colour")})
        self.layout.add_glyph(
            self._points,
            Segment(x0="predicted", x1="predicted", y0="low", y1="high", line_color="colour", line_alpha=0.6),
        )
        self.layout.add_glyph(self._lines, MultiLine(xs="xs", ys="ys", line_color="colour", line_width=1.5))
        dots = self.layout.add_glyph(
            self._points, Scatter(x="predicted", y="observed", size=6, fill_color="colour", line_color=None)
        )
        told = [("score", "@told"), ("predicted", "@predicted{custom}"), ("observed", "@observed{custom}"),
                ("95 %", "@interval"), ("people", "@people")]  # fmt: skip
        self.layout.add_tools(hover_of(dots, told, predicted="3", observed="3"))
        self.set_theme(theme)

    def show(self, deciles: pd.DataFrame) -> None:
        """Draw tenths.

        Parameters
        ----------
        deciles
            Columns score, predicted, observed, low, high and people.
        """
        by_score = _by_score(deciles)
        rows = pd.concat(by_score.values()) if by_score else deciles.iloc[:0]
        colours = {score: score_colour(score, self._theme) for score in by_score}
        names = ("predicted", "observed", "low", "high", "people")
        self._points.data = {name: rows[name].tolist() for name in names} | {
            "score": rows["score"].tolist(),
            "colour": [colours[score] for score in rows["score"]],
            "told": [SCORE_NAMES.get(score, score) for score in rows["score"]],
            "interval": [
                f"{low:.3f} to {high:.3f}" for low, high in zip(rows["low"], rows["high"], strict=True)
            ],
        }
        self._lines.data = {
            "xs": [own["predicted"].tolist() for own in by_score.values()],
            "ys": [own["observed"].tolist() for own in by_score.values()],
            "score": list(by_score),
            "colour": list(colours.values()),
        }
        most = float(np.nanmax(rows[["predicted", "high"]].to_numpy(float), initial=0.05)) * 1.05
        self.layout.x_range.update(start=0, end=min(most, 1.0))
        self.layout.y_range.update(start=0, end=min(most, 1.0))

    def _recolour(self) -> None:
        self._diagonal.line_color = self._theme.muted
        _repaint([self._points, self._lines], self._theme)


class ScoreDistribution(Plot):
    """How a score is spread in groups of reference people, and where one person lies.

    The group that the person is compared with is filled, the others are lines; all have the same area.

    Parameters
    ----------
    score
        A key of `phenviz.results.risk_scores.SCORE_NAMES`.
    theme
        ``light`` or ``dark``.
    """

    def __init__(self, score: str, theme: ThemeName = "light") -> None:
        self.layout = plain_figure(
            f"distribution-{score}", _DISTRIBUTION_HEIGHT, "score", "", x=(0, 1), y=(0, 1)
        )
        self.layout.yaxis.visible = False
        names = ("xs", "ys", "group", "colour", "people", "middle")
        self._colours: dict[str, str] = {}
        self._filled = ColumnDataSource({name: [] for name in names})
        self._others = ColumnDataSource({name: [] for name in names})
        area = self.layout.add_glyph(
            self._filled,
            Patches(
                xs="xs", ys="ys", fill_color="colour", line_color="colour", fill_alpha=0.3, line_width=1.5
            ),
        )
        lines = self.layout.add_glyph(
            self._others, MultiLine(xs="xs", ys="ys", line_color="colour", line_width=1.2)
        )
        self._person = Span(dimension="height", line_width=2.5, visible=False)
        self.layout.add_layout(self._person)
        self.layout.add_tools(
            HoverTool(
                renderers=[area, lines],
                tooltips=[("group", "@group"), ("people", "@people"), ("median", "@middle")],
            )
        )
        self.set_theme(theme)

    def show(
        self,
        groups: Mapping[str, NDArray[np.floating]],
        group: str,
        person: float | None = None,
        label: str = "score",
    ) -> None:
        """Draw distributions.

        Parameters
        ----------
        groups
            Scores of the reference people of each group.
        group
            The one that is filled; all of them are lines if there is none of this name.
        person
            Score of the person; None for nobody.
        label
            Of the axis.
        """
        known = {name: values[np.isfinite(values)] for name, values in groups.items()}
        known = {name: values for name, values in known.items() if len(values)}
        placed = [] if person is None else [person]
        together = np.concatenate([*known.values(), placed]) if known or placed else np.array([0.0, 1.0])
        drawn = density(known, float(together.min()), float(together.max()))
        self._colours = group_colours(groups)
        self._filled.data = self._columns({name: drawn[name] for name in drawn if name == group}, known)
        self._others.data = self._columns({name: drawn[name] for name in drawn if name != group}, known)
        top = max((float(ys.max()) for _, ys in drawn.values()), default=1.0)
        for xs, _ in drawn.values():
            self.layout.x_range.update(start=xs[0], end=xs[-1])
        self.layout.y_range.update(start=0, end=1.08 * top)
        self.layout.xaxis.axis_label = label
        self._person.update(location=person or 0.0, visible=person is not None)

    def _recolour(self) -> None:
        self.layout.ygrid.grid_line_color = None
        for source in (self._filled, self._others):
            source.data = dict(source.data) | {"colour": self._painted(source.data["group"])}
        self._person.line_color = self._theme.accent

    def _columns(
        self, drawn: dict[str, tuple[NDArray[Any], NDArray[Any]]], known: dict[str, NDArray[Any]]
    ) -> dict[str, Any]:
        return {
            "xs": [xs.tolist() for xs, _ in drawn.values()],
            "ys": [ys.tolist() for _, ys in drawn.values()],
            "group": list(drawn),
            "colour": self._painted(drawn),
            "people": [len(known[name]) for name in drawn],
            "middle": [f"{float(np.median(known[name])):.3g}" for name in drawn],
        }

    def _painted(self, groups: Iterable[str]) -> list[str]:
        return [legible(self._colours[name], self._theme, 3.0) for name in groups]


class SubtypesMap(Plot):
    """A trait's cases on a map of what a model says of their other traits, in colours of their groups."""

    def __init__(self, theme: ThemeName = "light") -> None:
        self.layout = plain_figure(
            "subtypes", _MAP_HEIGHT, "first component", "second component", x=(-1, 1), y=(-1, 1)
        )
        self._cases = ColumnDataSource({name: [] for name in ("x", "y", "group", "colour")})
        dots = self.layout.add_glyph(
            self._cases,
            Scatter(x="x", y="y", size=6, fill_color="colour", fill_alpha=0.55, line_color="colour"),
        )
        told = [("group", "@group"), ("first", "@x{custom}"), ("second", "@y{custom}")]
        self.layout.add_tools(hover_of(dots, told, x="+2", y="+2"))
        self.set_theme(theme)

    def show(self, people: pd.DataFrame) -> None:
        """Draw cases: columns group, x and y."""
        data = {name: people[name].tolist() for name in ("x", "y", "group")}
        self._cases.data = data | {"colour": self._painted(data["group"])}
        for axis, name in ((self.layout.x_range, "x"), (self.layout.y_range, "y")):
            most = float(np.abs(people[name]).max()) * 1.08 if len(people) else 1.0
            axis.update(start=-most, end=most)

    def _recolour(self) -> None:
        data = dict(self._cases.data)
        self._cases.data = data | {"colour": self._painted(data["group"])}

    def _painted(self, groups: Iterable[int]) -> list[str]:
        return [subtype_colour(int(group), self._theme) for group in groups]


def subtype_colour(group: int, theme: Theme) -> str:
    """Return the colour of a group of cases (1, 2, ...), so that it is seen on the theme's surface."""
    return legible(SUBTYPE_COLOURS[(group - 1) % len(SUBTYPE_COLOURS)], theme, 3.0)


def score_colour(score: str, theme: Theme) -> str:
    """Return the colour of a score, so that lines in it are seen on the theme's surface."""
    return legible(SCORE_COLOURS.get(score, theme.muted), theme, 3.0)


def _by_score(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each score, in the order in which scores are named everywhere."""
    there = list(dict.fromkeys(table["score"])) if len(table) else []
    ordered = [score for score in SCORE_NAMES if score in there]
    ordered += [score for score in there if score not in SCORE_NAMES]
    return {str(score): table[table["score"] == score] for score in ordered}


def _repaint(sources: list[ColumnDataSource], theme: Theme) -> None:
    for source in sources:
        colours = [score_colour(score, theme) for score in source.data["score"]]
        source.data = dict(source.data) | {"colour": colours}
