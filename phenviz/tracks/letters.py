"""Shapes of the letters A, C, G, T and N, scaled freely as sequence logos need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ring: TypeAlias = NDArray[np.float64]
# one list a letter, of one polygon, of its outline and holes, of coordinates
Polygons: TypeAlias = list[list[list[list[float]]]]


def _arc(centre: float, radius_x: float, radius_y: float, begin: float, end: float, count: int) -> Ring:
    angles = np.deg2rad(np.linspace(begin, end, count))
    return np.column_stack([centre + radius_x * np.cos(angles), 0.5 + radius_y * np.sin(angles)])


def _filled(ring: Ring) -> Ring:
    low, high = ring.min(axis=0), ring.max(axis=0)
    return (ring - low) / (high - low)


def _letter_c() -> Ring:
    return _filled(np.vstack([_arc(0.5, 0.5, 0.5, 42, 318, 22), _arc(0.5, 0.28, 0.33, 318, 42, 16)]))


def _letter_g() -> Ring:
    bar = [(0.93, 0.10), (0.93, 0.52), (0.52, 0.52), (0.52, 0.36), (0.72, 0.36), (0.72, 0.22)]
    return _filled(
        np.vstack([_arc(0.5, 0.5, 0.5, 42, 306, 20), np.array(bar), _arc(0.5, 0.28, 0.33, 300, 42, 15)])
    )


SHAPES: dict[str, tuple[Ring, ...]] = {
    "A": (
        np.array([(0, 0), (0.39, 1), (0.61, 1), (1, 0), (0.79, 0), (0.705, 0.23), (0.295, 0.23), (0.21, 0)]),
        np.array([(0.355, 0.39), (0.645, 0.39), (0.5, 0.79)]),
    ),
    "C": (_letter_c(),),
    "G": (_letter_g(),),
    "T": (
        np.array([(0.4, 0), (0.4, 0.83), (0, 0.83), (0, 1), (1, 1), (1, 0.83), (0.6, 0.83), (0.6, 0)]),
    ),
    "N": (
        np.array(
            [(0, 0), (0, 1), (0.24, 1), (0.78, 0.36), (0.78, 1), (1, 1), (1, 0), (0.76, 0), (0.22, 0.64),
             (0.22, 0)]
        ),
    ),
}  # fmt: skip

_BLOCK = (np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0)]),)


def place_letters(
    bases: Iterable[str],
    left: ArrayLike,
    bottom: ArrayLike,
    width: float,
    height: ArrayLike,
    least_height: float = 0.0,
) -> tuple[Polygons, Polygons]:
    """Lay letters into boxes.

    Parameters
    ----------
    bases
        n letters of ``ACGTN``.
    left, bottom, height
        Of each box, shape (n,). A negative height hangs the letter below its bottom, upside down.
    width
        Of every box.
    least_height
        Letters lower than this are drawn as plain blocks: nobody could read them, and they are many.

    Returns
    -------
    xs, ys
        As Bokeh's ``MultiPolygons`` takes them.
    """
    xs: Polygons = []
    ys: Polygons = []
    boxes = zip(bases, *np.broadcast_arrays(left, bottom, height), strict=True)
    for base, x, y, tall in boxes:
        rings = SHAPES.get(base, SHAPES["N"]) if abs(tall) >= least_height else _BLOCK
        xs.append([[np.round(x + ring[:, 0] * width, 3).tolist() for ring in rings]])
        ys.append([[(y + ring[:, 1] * tall).tolist() for ring in rings]])
    return xs, ys
