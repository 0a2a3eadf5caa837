"""Who is in a simulated cohort: ancestries, families, splits, sex and age."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import DataError

ANCESTRIES = ("AFR", "EUR", "EAS", "AMR")
DEFAULT_SHARES = {"EUR": 0.7, "AFR": 0.1, "EAS": 0.1, "AMR": 0.1}
SPLITS = ("train", "validation", "test")
SPLIT_SHARES = (0.6, 0.2, 0.2)
FEWEST_PEOPLE = 20
_AGES = (40, 70)


@dataclass(frozen=True, eq=False)
class Plan:
    """People of a simulated cohort, founders and children.

    Parameters
    ----------
    people
        One row each: sample, ancestry, family, split, sex (0 female, 1 male), age.
    parents
        Rows of both parents, (people, 2); -1 for founders, whose genomes are drawn by the coalescent.
    train_in
        Ancestries that models are trained and validated in.
    """

    people: pd.DataFrame
    parents: NDArray[np.int64]
    train_in: tuple[str, ...]

    @property
    def founders(self) -> NDArray[np.intp]:
        """Rows of the people without parents in the cohort."""
        return np.flatnonzero(self.parents[:, 0] < 0)


def read_shares(given: Sequence[str]) -> dict[str, float]:
    """Read ancestries with or without a share: ``EUR``, ``EUR:0.7``.

    Parameters
    ----------
    given
        None at all for the default: 70 % European, 10 % each of the others.

    Returns
    -------
    dict
        Shares, which sum to 1.

    Raises
    ------
    DataError
        If an ancestry is unknown or named twice, or a share is no positive number.
    """
    if not given:
        return dict(DEFAULT_SHARES)
    shares: dict[str, float] = {}
    for text in given:
        found = re.fullmatch(r"\s*([A-Za-z]+)\s*(?:[:=]\s*([0-9.]+(?:[eE]-?[0-9]+)?)\s*)?", text)
        name = found.group(1).upper() if found else ""
        if found is None or name not in ANCESTRIES:
            raise DataError(
                f"ancestry {text!r}: write one of {', '.join(ANCESTRIES)}, with a share if you like (EUR:0.7)"
            )
        if name in shares:
            raise DataError(f"ancestry {name} is given twice: give it once, with its share")
        try:
            shares[name] = float(found.group(2) or 1)
        except ValueError:
            shares[name] = 0.0
        if not shares[name] > 0:
            raise DataError(f"ancestry {text!r}: the share must be a number above 0")
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def plan_people(
    count: int,
    shares: Mapping[str, float],
    rng: np.random.Generator,
    *,
    relatives: float = 0.05,
    train_in: Sequence[str] = (),
) -> Plan:
    """Decide who is in the cohort.

    Parameters
    ----------
    count
        CohortPeople.
    shares
        Of each ancestry, summing to 1.
    rng
        Source of randomness.
    relatives
        Share of people who are children of two others; families never lie across splits.
    train_in
        Ancestries of the training and validation splits; all others are test people. None given: EUR if
        it is there, else all.

    Raises
    ------
    DataError
        If there are too few people, or a number is out of range.
    """
    if count < FEWEST_PEOPLE:
        raise DataError(f"{count} people are too few to train and test on: ask for {FEWEST_PEOPLE} or more")
    if not 0 <= relatives <= 0.5:
        raise DataError(f"relatives={relatives}: give a share between 0 and 0.5")
    training = tuple(train_in) or (("EUR",) if "EUR" in shares else tuple(shares))
    if unknown := [name for name in training if name not in shares]:
        raise DataError(f"nobody of ancestry {unknown[0]} is in the cohort: train in {', '.join(shares)}")
    ancestry = _apportion(count, shares)
    parents, family = _families(ancestry, relatives, rng)
    numbers = pd.Series(ancestry).groupby(ancestry).cumcount() + 1
    people = pd.DataFrame(
        {
            "sample": [f"{name}{number:05d}" for name, number in zip(ancestry, numbers, strict=True)],
            "ancestry": ancestry,
            "family": [f"F{number:05d}" for number in family],
        }
    )
    people["split"] = _split(people, training, rng)
    people["sex"] = rng.integers(0, 2, count)
    people["age"] = rng.integers(*_AGES, count)
    return Plan(people, parents, training)


def split_by_family(families: pd.Series, rng: np.random.Generator) -> NDArray[np.object_]:
    """Assign whole families to train, validation and test, about 60, 20 and 20 % of the people."""
    names = families.to_numpy(dtype=object)
    order = rng.permutation(np.unique(names.astype(str)))
    sizes = families.astype(str).value_counts()
    before = np.cumsum([0, *(sizes[name] for name in order)])[:-1] / max(len(names), 1)
    edges = np.cumsum(SPLIT_SHARES)[:-1]
    split = dict(zip(order, np.array(SPLITS, dtype=object)[np.searchsorted(edges, before, "right")],
                     strict=True))  # fmt: skip
    return np.array([split[str(name)] for name in names], dtype=object)


def _apportion(count: int, shares: Mapping[str, float]) -> NDArray[np.object_]:
    ends = np.round(np.cumsum(list(shares.values())) * count).astype(int)
    counts = np.diff([0, *ends])
    return np.repeat(np.array(list(shares), dtype=object), counts)


def _families(
    ancestry: NDArray[np.object_], relatives: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Make the last people of each ancestry children of couples among the others, one or two a couple."""
    parents = np.full((len(ancestry), 2), -1, dtype=np.int64)
    family = np.arange(len(ancestry))
    for name in dict.fromkeys(ancestry):
        members = np.flatnonzero(ancestry == name)
        children = members[len(members) - int(relatives * len(members)) :]
        founders = rng.permutation(members[: len(members) - len(children)])
        couples = founders[: len(founders) // 2 * 2].reshape(-1, 2)
        if not len(couples):
            continue
        chosen = couples[: max(len(children) * 2 // 3, 1)]
        for number, child in enumerate(children):
            parents[child] = chosen[number % len(chosen)]
            family[[child, *parents[child]]] = family[parents[child, 0]]
    return parents, family


def _split(people: pd.DataFrame, training: Sequence[str], rng: np.random.Generator) -> NDArray[np.object_]:
    split = np.full(len(people), "test", dtype=object)
    inside = people["ancestry"].isin(list(training)).to_numpy()
    split[inside] = split_by_family(people.loc[inside, "family"], rng)
    return split
