"""Close relatives among the people of a cohort, by their genotypes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.dosages import allele_frequency
from phenviz.disease.cohort.genotypes import read_blocks
from phenviz.disease.cohort.people import CohortPeople
from phenviz.errors import DataError
from phenviz.variation import Individuals

# KING's borders between duplicates, first and second degree
DUPLICATES, FIRST_DEGREE = 0.354, 0.177
# too few variants, or too short a stretch, make strangers look related
_FEWEST, _SHORTEST = 500, 30_000_000
_MOST, _PEOPLE = 20_000, 20_000
_FREQUENCY = 0.05


def check_relatives(individuals: Individuals, people: CohortPeople, *, keep: bool = False) -> list[str]:
    """Look for people of different splits who are the same person or close relatives.

    Parameters
    ----------
    individuals, people
        The cohort.
    keep
        Whether to go on where there are some.

    Returns
    -------
    list of str
        What was found, or why nothing could be, in words.

    Raises
    ------
    DataError
        If the same genotypes, or first-degree relatives, are in different splits.
    """
    if len(people) > _PEOPLE:
        return [f"relatives weren't looked for among {len(people):,} people: give families in the table"]
    dosages, spanned = _thinned(individuals, people)
    if len(dosages) < _FEWEST:
        return [
            f"relatives weren't looked for: {len(dosages):,} common variants are too few ({_FEWEST} needed)"
        ]
    # a short stretch is shared as a whole by many strangers; only all of it says something
    border = FIRST_DEGREE if spanned >= _SHORTEST else DUPLICATES
    pairs = related_pairs(dosages, border)
    split = people.table["split"].to_numpy()
    across = pairs[split[pairs["one"]] != split[pairs["two"]]]
    notes = []
    if border == DUPLICATES:
        notes.append(
            f"the genotypes span {spanned / 1e6:.1f} Mb, too little to tell relatives from strangers: only "
            "people with the same genotypes were looked for, and families are those of the table"
        )
    if not len(across):
        return notes
    first = across.sort_values("kinship").iloc[-1]
    one, two = (people.table["sample"].iloc[int(first[name])] for name in ("one", "two"))
    kind = "the same genotypes" if first["kinship"] > DUPLICATES else "genotypes of close relatives"
    told = (
        f"{one} ({split[int(first['one'])]}) and {two} ({split[int(first['two'])]}) have {kind} (kinship "
        f"{first['kinship']:.2f}), and so "
        f"{'has 1 pair' if len(across) == 1 else f'have {len(across):,} pairs'} "
        "in all across splits"
    )
    if not keep:
        raise DataError(
            f"{told}: give them one family in the table and put it into one split, or write relatives: keep "
            "into cohort.yaml"
        )
    return [*notes, told]


def related_pairs(dosages: NDArray[np.int8], border: float) -> pd.DataFrame:
    """Find pairs whose kinship by KING-robust is above a border.

    Parameters
    ----------
    dosages
        Shape (variants, people); -1 where a genotype isn't called.
    border
        Least kinship.

    Returns
    -------
    pd.DataFrame
        ``one`` and ``two`` (rows of people, one < two) and ``kinship``.

    References
    ----------
    Manichaikul 2010, eq. 11: (N(both het) - 2 N(opposite homozygotes)) / (2 min(het, het)) + 1/2 - (het +
    het) / (4 min(het, het)).
    """
    het = (dosages == 1).astype(np.float32)
    low, high = (dosages == 0).astype(np.float32), (dosages == 2).astype(np.float32)
    count, found = het.sum(axis=0), []
    for start in range(0, dosages.shape[1], 1_000):
        rows = slice(start, min(start + 1_000, dosages.shape[1]))
        opposite = low[:, rows].T @ high
        opposite += high[:, rows].T @ low
        fewer = np.maximum(np.minimum(count[rows, None], count[None]), 1)
        kinship = (het[:, rows].T @ het - 2 * opposite) / (2 * fewer) + 0.5
        kinship -= (count[rows, None] + count[None]) / (4 * fewer)
        one, two = np.nonzero(kinship > border)
        above = one + start < two
        found.append(
            pd.DataFrame(
                {
                    "one": one[above] + start,
                    "two": two[above],
                    "kinship": kinship[one[above], two[above]].astype(float),
                }
            )
        )
    return pd.concat(found, ignore_index=True)


def _thinned(individuals: Individuals, people: CohortPeople) -> tuple[NDArray[np.int8], int]:
    """Return dosages of some common variants, evenly spread, and how many bases they span."""
    kept, spanned = [np.empty((0, len(people)), np.int8)], 0
    held = 0
    for block in read_blocks(individuals, people.samples):
        values = block.dosages()
        frequency = allele_frequency(values)
        common = np.flatnonzero(np.minimum(frequency, 1 - frequency) >= _FREQUENCY)
        position = block.variants["position"].to_numpy()
        spanned += int(position[-1] - position[0])
        # neighbours say the same
        step = max(len(common) * 400 // max(int(position[-1] - position[0]), 1), 1)
        kept.append(values[common[::step]])
        held += len(kept[-1])
    every = max(-(-held // _MOST), 1)
    return np.concatenate(kept)[::every], spanned
