"""What the textbook says: the lineage of each blood trait, and how a ranking of contexts is scored by it.

Written down before any method was run on these traits, so that nothing below was chosen by a result.

Blood counts measure cells whose origin is known. Two sets are kept for each trait:

- ``cells``: the contexts that are the measured cell itself or, where the sixteen populations hold no
  such cell (neutrophils, eosinophils, basophils, platelets), the latest precursor among them.
- ``path``: the above and every progenitor that they come from (HSC -> MPP -> ... -> cell). A variant
  may act at any step, so a progenitor of the right path is no error, while another lineage is.

The score of a method on one trait, from its z (ties by p-value):

- ``rank``: place of the best-placed context of ``cells`` among all contexts tested; top-1 and top-3 are
  whether that is at most 1 or 3. Chance depends on the size of the set and stands beside it.
- ``auroc``: probability that a context of ``cells`` has a larger z than one outside ``path``; contexts
  of the path that aren't ``cells`` count neither way. 0.5 is chance. **This is the main figure.**

A trait counts if at least one posterior unit (one expected causal variant) falls on the loci tested; others
are shown and not counted. White cells as a whole (``WBC_COUNT``) have no one lineage: the trait is
shown and not counted. The traits aren't independent (many of them measure red cells), so a mean over the
lineages stands beside the mean over traits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

LEAST_POSTERIOR = 1.0

_ROOT = ("HSC", "MPP")
_MYELOID = (*_ROOT, "LMPP", "GMP-A", "GMP-B", "GMP-C")


@dataclass(frozen=True)
class Expectation:
    """Where a trait is expected to act.

    Parameters
    ----------
    lineage
        Name of the lineage; traits of one lineage are averaged together.
    cells
        The measured cell or its latest precursor.
    path
        These and their progenitors.
    counted
        Whether the trait counts in the summary.
    """

    lineage: str
    cells: tuple[str, ...]
    path: tuple[str, ...]
    counted: bool = True


_RED = Expectation("red cells", ("Ery",), (*_ROOT, "Ery", "MEP", "CMP"))
_PLATELETS = Expectation("platelets", ("Mega",), (*_ROOT, "Mega", "MEP", "CMP"))
_GRANULOCYTES = Expectation("granulocytes", ("GMP-A", "GMP-B", "GMP-C"), (*_MYELOID, "CMP"))
_MONOCYTES = Expectation("monocytes", ("Mono",), (*_MYELOID, "CMP", "Mono", "mDC"))
_LYMPHOCYTES = Expectation(
    "lymphocytes", ("B", "CD4", "CD8", "NK"), (*_ROOT, "LMPP", "CLP", "B", "CD4", "CD8", "NK")
)
_WHITE = Expectation(
    "white cells",
    ("GMP-A", "GMP-B", "GMP-C", "Mono", "B", "CD4", "CD8", "NK"),
    (*_MYELOID, "CMP", "CLP", "Mono", "mDC", "pDC", "B", "CD4", "CD8", "NK"),
    counted=False,
)

EXPECTED: Mapping[str, Expectation] = {
    "BASO_COUNT": _GRANULOCYTES,
    "EO_COUNT": _GRANULOCYTES,
    "HCT": _RED,
    "HGB": _RED,
    "LYMPH_COUNT": _LYMPHOCYTES,
    "MCH": _RED,
    "MCHC": _RED,
    "MCV": _RED,
    "MEAN_RETIC_VOL": _RED,
    "MONO_COUNT": _MONOCYTES,
    "MPV": _PLATELETS,
    "NEUTRO_COUNT": _GRANULOCYTES,
    "PLT_COUNT": _PLATELETS,
    "RBC_COUNT": _RED,
    "RETIC_COUNT": _RED,
    "WBC_COUNT": _WHITE,
}


@dataclass(frozen=True)
class Score:
    """How one ranking of contexts agrees with the expectation.

    Parameters
    ----------
    rank
        Place of the best-placed expected cell, from 1; NaN where none was tested.
    tested
        Number of contexts tested.
    chance_top1, chance_top3
        Probability that a random order has an expected cell among the first 1 or 3.
    auroc
        See the module's text.
    """

    rank: float
    tested: int
    chance_top1: float
    chance_top3: float
    auroc: float


def score(contexts: Sequence[str], z: np.ndarray, expectation: Expectation) -> Score:
    """Score a ranking.

    Parameters
    ----------
    contexts
        Names.
    z
        Evidence for each, shape (contexts,); NaN where a context was not tested.
    """
    tested = np.isfinite(z)
    names, values = np.asarray(contexts, dtype=str)[tested], np.asarray(z, float)[tested]
    cell, path = np.isin(names, expectation.cells), np.isin(names, expectation.path)
    if not cell.any() or path.all():
        return Score(np.nan, len(names), np.nan, np.nan, np.nan)
    # a tie takes the middle of the places that it covers
    places = pd.Series(-values).rank(method="average").to_numpy()
    inside, outside = values[cell][:, None], values[~path][None, :]
    auroc = ((inside > outside) + 0.5 * (inside == outside)).mean()
    chance = [_chance(len(names), int(cell.sum()), first) for first in (1, 3)]
    return Score(float(places[cell].min()), len(names), *chance, float(auroc))


def _chance(tested: int, expected: int, first: int) -> float:
    """Probability that the first ``first`` of a random order hold at least one of the expected."""
    drawn = np.arange(min(first, tested))
    return float(1 - np.prod(np.maximum(tested - expected - drawn, 0) / (tested - drawn)))
