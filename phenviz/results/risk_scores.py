"""Risk scores as they are shown: names, colours and distributions, on screen, on paper and in reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

SCORE_NAMES = {
    "covariates": "covariates",
    "prs": "polygenic score",
    "expression": "linear score of expression",
    "phenformer": "Phenformer",
    "ensemble": "polygenic score + Phenformer",
    "ensemble_linear": "polygenic score + expression",
}
SCORE_COLOURS = {
    "covariates": "#8a949e",
    "prs": "#27496d",
    "expression": "#8e81af",
    "phenformer": "#d9480f",
    "ensemble": "#039164",
    "ensemble_linear": "#c79a00",
}
# of groups of cases, the largest first
SUBTYPE_COLOURS = ("#2f7ed8", "#d9480f", "#039164", "#9b5fc0")
# as 1000 Genomes colours its superpopulations; other groups take the rest in turn
_GROUP_COLOURS = {"AFR": "#e09f00", "AMR": "#d1495b", "EAS": "#1f9e6e", "EUR": "#2f7ed8", "SAS": "#9b5fc0"}
_MORE_COLOURS = ("#6b7a88", "#a0713c", "#00a0b0", "#d66ba0")
# bins of a distribution over what is drawn of it, and by how many of them it is smoothed
_BINS, _SMOOTHED = 48, 1.2


def group_colours(groups: Iterable[str]) -> dict[str, str]:
    """Return a colour for each group of people, the same on every page, figure and scale.

    Parameters
    ----------
    groups
        Names of ancestries, or of other groups, in their order.
    """
    names = list(dict.fromkeys(groups))
    others = cycle(_MORE_COLOURS)
    return {name: _GROUP_COLOURS.get(name) or next(others) for name in names}


def density(
    groups: Mapping[str, NDArray[np.floating]], low: float, high: float
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return how scores are spread in each group, as lines of equal area that begin and end at 0.

    They are lightly smoothed, so that single people can't be seen in them.

    Parameters
    ----------
    groups
        Scores of the people of each group; unknown ones (NaN) are left out, and groups without any other.
    low, high
        Between which scores the lines run; a little is added on both sides.
    """
    air = 0.04 * max(high - low, 1e-6)
    edges = np.linspace(low - air, high + air, _BINS + 1)
    weights = np.exp(-0.5 * (np.arange(-3, 4) / _SMOOTHED) ** 2)
    x = np.concatenate([edges[:1], (edges[:-1] + edges[1:]) / 2, edges[-1:]])
    drawn = {}
    for name, values in groups.items():
        known = values[np.isfinite(values)]
        if len(known):
            counts, _ = np.histogram(known, edges, density=True)
            smooth = np.convolve(np.pad(counts, 3), weights / weights.sum(), mode="valid")
            drawn[name] = (x, np.concatenate([[0.0], smooth, [0.0]]))
    return drawn
