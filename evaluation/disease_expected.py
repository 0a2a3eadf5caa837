"""What the textbook says: the lineage of each blood trait, and how a ranking of contexts is scored by it.

Written down before any method was run on these traits, so that nothing below was chosen by a result. The
table is one of the package's references (`phenviz/disease/references/haematopoiesis.tsv`).

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

from phenviz.disease.comparison import agreement
from phenviz.disease.known_pairs import EXPECTED as EXPECTED_ROLE
from phenviz.disease.known_pairs import NEUTRAL, read_reference

LEAST_POSTERIOR = 1.0


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


def _expectations() -> dict[str, Expectation]:
    table = read_reference("haematopoiesis").table
    return {
        str(trait): Expectation(
            lineage=str(own["lineage"].iloc[0]),
            cells=tuple(own.loc[own["role"] == EXPECTED_ROLE, "context"]),
            path=tuple(own["context"]),
            counted=bool(own["counted"].iloc[0]),
        )
        for trait, own in table.groupby("trait", sort=False)
    }


EXPECTED: Mapping[str, Expectation] = _expectations()


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
    neutral = np.where(np.isin(names, expectation.path), NEUTRAL, "")
    found = agreement(values, np.where(np.isin(names, expectation.cells), EXPECTED_ROLE, neutral))
    return Score(found["rank"], len(names), found["chance_1"], found["chance_3"], found["auroc"])
