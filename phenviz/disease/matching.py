"""Replace each locus by comparable ones: the null of every matched test.

A locus is replaced as a whole. Its variants are parted into elements (neighbours within 300 bp). The heaviest
variant of the heaviest element is matched on its covariates to variants anywhere; the heaviest variants of
the other elements are then matched to variants within 500 kb of that one; the rest of an element is replaced
by neighbours of its stand-in. So a replica keeps the posteriors, the sharing of
elements, and what neighbouring elements have in common, and only its place is random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from phenviz.disease.background import elements
from phenviz.disease.covariates import standardise

REPLICAS = 200
NEIGHBOURHOOD = 500_000
_CHOICES = 6
_MOST_OF_AN_ELEMENT = 2
# in units of activity: how much likeness is given up for another member of the element, or by chance
_RATHER_NOT = 0.5
_TIE = 0.05


@dataclass(frozen=True)
class Replicas:
    """Replicas of the loci of one trait.

    Parameters
    ----------
    rows
        For each locus the background variant that stands for each of its variants, (replicas, variants).
    order
        For each locus the rows of its variants in the trait's table.
    names
        Names of the loci.
    imbalance
        Covariate -> standardised mean difference between the trait's variants and their stand-ins, both
        weighted by the posterior, in standard deviations of the background.
    """

    rows: tuple[NDArray[np.intp], ...]
    order: tuple[NDArray[np.intp], ...]
    names: tuple[str, ...]
    imbalance: dict[str, float]


class Matcher:
    """A background, ready to be searched.

    Parameters
    ----------
    background
        Variants with ``contig``, ``position`` and ``element``; the rows of an element side by side, elements
        in the order of the contigs.
    covariates
        Of the background's variants.
    """

    def __init__(self, background: pd.DataFrame, covariates: pd.DataFrame) -> None:
        self.covariates = covariates
        self._element = background["element"].to_numpy(np.int64)
        self._first = np.flatnonzero(np.r_[True, np.diff(self._element) != 0])
        self._size = np.diff(np.r_[self._first, len(self._element)])
        self._activity = covariates["activity"].to_numpy(float)
        contig = background["contig"].to_numpy(str)[self._first]
        self._place = background["position"].to_numpy(np.int64)[self._first]
        stops = np.r_[np.flatnonzero(contig[1:] != contig[:-1]) + 1, len(contig)]
        interval = np.searchsorted(stops, np.arange(len(contig)), side="right")
        self._start, self._stop = np.r_[0, stops][interval], stops[interval]
        self._trees: dict[tuple[str, ...], tuple[NDArray[np.float64], cKDTree]] = {}
        self._made: dict[tuple[str, int], NDArray[np.intp]] = {}

    def replicas(
        self,
        table: pd.DataFrame,
        covariates: pd.DataFrame,
        generator: Callable[[str], np.random.Generator],
        *,
        count: int = REPLICAS,
    ) -> Replicas:
        """Make replicas of every locus of a trait.

        Parameters
        ----------
        table
            The trait's variants: ``locus``, ``contig``, ``position``, ``ref``, ``alt``, ``posterior``.
        covariates
            Of these variants, same rows.
        generator
            Gives the randomness of a locus by the text that identifies it: traits that share a locus share
            its replicas, which are made once.
        count
            Replicas a locus; fewer where the background is small.
        """
        columns = [name for name in covariates.columns if name in self.covariates]
        own = standardise(covariates, columns)
        points, tree = self._tree(tuple(columns))
        made = {}
        for name, rows in table.groupby("locus", sort=False).indices.items():
            rows = rows[np.lexsort((table["position"].to_numpy()[rows],))]
            members = table.iloc[rows]
            key = (_identity(members), count)
            if key not in self._made:
                locus = _Locus(members, own[rows], covariates["activity"].to_numpy(float)[rows])
                self._made[key] = self._replace(locus, tree, points, generator(key[0]), count)
            made[str(name)] = (rows, self._made[key])
        return Replicas(
            rows=tuple(replaced for _, replaced in made.values()),
            order=tuple(rows for rows, _ in made.values()),
            names=tuple(made),
            imbalance=self._imbalance(table, covariates, columns, made),
        )

    def _tree(self, columns: tuple[str, ...]) -> tuple[NDArray[np.float64], cKDTree]:
        if columns not in self._trees:
            points = standardise(self.covariates, list(columns))
            self._trees[columns] = (points, cKDTree(points))
        return self._trees[columns]

    def _replace(
        self,
        locus: _Locus,
        tree: cKDTree,
        points: NDArray[np.float64],
        generator: np.random.Generator,
        count: int,
    ) -> NDArray[np.intp]:
        """Return the stand-ins of one locus, (replicas, variants)."""
        wanted = locus.points[locus.heads]
        nearest = self._distinct(tree, wanted[locus.lead], count)
        stand_in = np.empty((len(nearest), len(locus.heads)), dtype=np.intp)
        stand_in[:, locus.lead] = nearest
        others = np.delete(np.arange(len(locus.heads)), locus.lead)
        for head in others:
            stand_in[:, head] = self._nearby(nearest, wanted[head], points, generator)
        return self._spread(stand_in, locus, generator)

    def _distinct(self, tree: cKDTree, point: NDArray[np.float64], count: int) -> NDArray[np.intp]:
        """Nearest rows, at most two of one element, so that replicas differ."""
        most = min(4 * count, len(self._element))
        nearest = np.atleast_1d(tree.query(point, k=most)[1])
        again = pd.Series(self._element[nearest]).groupby(self._element[nearest]).cumcount().to_numpy()
        return np.asarray(nearest[again < _MOST_OF_AN_ELEMENT][:count])

    def _nearby(
        self,
        leads: NDArray[np.intp],
        wanted: NDArray[np.float64],
        points: NDArray[np.float64],
        generator: np.random.Generator,
    ) -> NDArray[np.intp]:
        """For each lead, give one of the few rows of other elements within reach that are most like it."""
        element = self._element[leads]
        first, last = self._reach[element].T
        columns = first[:, None] + np.arange(int((last - first).max()))
        rows = np.minimum(columns, last[:, None] - 1)
        inside = columns < last[:, None]
        elsewhere = inside & (self._element[rows] != element[:, None])
        # where there is no other element, its own must do
        offered = np.where(elsewhere.any(1, keepdims=True), elsewhere, inside)
        away = np.where(offered, ((points - wanted) ** 2).sum(1)[rows], np.inf)
        few = min(_CHOICES, away.shape[1])
        near = np.argpartition(away, few - 1, axis=1)[:, :few]
        near = np.take_along_axis(near, np.take_along_axis(away, near, 1).argsort(1), 1)
        pick = generator.integers(0, np.minimum(offered.sum(1), few))
        return np.asarray(rows[np.arange(len(leads)), near[np.arange(len(leads)), pick]])

    @cached_property
    def _reach(self) -> NDArray[np.intp]:
        """First row, and the one after the last, within 500 kb of each element, (E, 2).

        Where there is hardly an element as near, those of the nearest ones.
        """
        result = np.empty((len(self._place), 2), dtype=np.intp)
        for element, here in enumerate(self._place):
            start, stop = self._start[element], self._stop[element]
            first, last = np.searchsorted(
                self._place[start:stop], [here - NEIGHBOURHOOD, here + NEIGHBOURHOOD + 1]
            )
            if last - first < 2 * _CHOICES:
                middle = element - start
                first, last = max(middle - _CHOICES, 0), min(middle + _CHOICES, stop - start)
            final = start + last - 1
            result[element] = self._first[start + first], self._first[final] + self._size[final]
        return result

    def _spread(
        self, stand_in: NDArray[np.intp], locus: _Locus, generator: np.random.Generator
    ) -> NDArray[np.intp]:
        """Give the other variants of each element stand-ins of the same element, of like activity."""
        result = stand_in[:, locus.block]
        for variant in np.flatnonzero(~np.isin(np.arange(len(locus.block)), locus.heads)):
            element = self._element[stand_in[:, locus.block[variant]]]
            most = int(self._size[element].max())
            members = self._first[element][:, None] + np.arange(most) % self._size[element][:, None]
            # another member where there is one, the likest first, ties at random
            away = np.abs(self._activity[members] - locus.activity[variant])
            away = away + (members == stand_in[:, [locus.block[variant]]]) * _RATHER_NOT
            away = away + generator.random(away.shape) * _TIE
            result[:, variant] = members[np.arange(len(members)), away.argmin(1)]
        return result

    def _imbalance(
        self,
        table: pd.DataFrame,
        covariates: pd.DataFrame,
        columns: list[str],
        made: dict[str, tuple[NDArray[np.intp], NDArray[np.intp]]],
    ) -> dict[str, float]:
        weight = table["posterior"].to_numpy(float)
        result = {}
        for column in columns:
            values, pool = covariates[column].to_numpy(float), self.covariates[column].to_numpy(float)
            ours = theirs = 0.0
            for rows, replaced in made.values():
                ours += float(weight[rows] @ values[rows])
                theirs += float(weight[rows] @ pool[replaced].mean(0))
            result[column] = (ours - theirs) / max(weight.sum(), 1e-12) / max(float(pool.std()), 1e-9)
        return result


class _Locus:
    """One locus, parted into elements.

    Attributes
    ----------
    points, activity
        Scaled covariates of its variants, and their activity.
    block
        Number of each variant's element.
    heads
        The heaviest variant of each element: it is the one that is matched.
    lead
        Number of the heaviest element.
    """

    def __init__(
        self, table: pd.DataFrame, points: NDArray[np.float64], activity: NDArray[np.float64]
    ) -> None:
        weight = table["posterior"].to_numpy(float)
        self.points, self.activity = points, activity
        self.block = elements(table["contig"].to_numpy(str), table["position"].to_numpy(np.int64))
        order = np.lexsort((-weight, self.block))
        self.heads = order[np.searchsorted(self.block[order], np.arange(self.block[-1] + 1))]
        self.lead = int(np.argmax(np.bincount(self.block, weight)))


def _identity(members: pd.DataFrame) -> str:
    """Write down what a locus is made of."""
    columns = (members[name] for name in ("contig", "position", "ref", "alt", "posterior"))
    return "|".join(":".join(map(str, row)) for row in zip(*columns, strict=True))
