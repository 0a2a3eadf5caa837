"""Simulated people with variants where real ones are, so that what is learnt from them fits real people."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from phenviz.disease.cohort.coalescent import SimulatedInterval
from phenviz.disease.cohort.genotypes import read_blocks
from phenviz.disease.cohort.plan import Plan
from phenviz.disease.cohort.real_variants import inside
from phenviz.errors import DataError
from phenviz.genome import Locus
from phenviz.variation import Individuals

# a hundredth in frequency counts as much as so many bases of distance
_BASES_PER_HUNDREDTH = 20_000


def real_sites(individuals: Individuals, locus: Locus, weights: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the single-base variants of real people, and how frequent they are.

    Parameters
    ----------
    individuals
        Whose.
    locus
        Where.
    weights
        Variants that are wanted beside them, such as the fine-mapped ones of `blood_weights`; None for none.

    Returns
    -------
    pd.DataFrame
        position (1-based), ref, alt and ``frequency`` of ALT; sorted, each place once.

    Raises
    ------
    DataError
        If nobody has a variant there.
    """
    key, found = ["position", "ref", "alt"], []
    samples = individuals.samples["sample"].tolist()
    for block in read_blocks(individuals, samples, [locus]):
        called = np.maximum((block.alleles >= 0).sum(axis=(1, 2)), 1)
        found.append(block.variants[key].assign(frequency=(block.alleles == 1).sum(axis=(1, 2)) / called))
    if weights is not None:
        found.append(inside(weights, locus)[[*key, "frequency"]])
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*key, "frequency"])
    single = (table["ref"].str.len() == 1) & (table["alt"].str.len() == 1)
    # where everybody has ALT, simulated people have it, too: the reference is the odd one
    table = (
        table[single & (table["frequency"] > 0)]
        .drop_duplicates("position")
        .sort_values("position", ignore_index=True)
    )
    if table.empty:
        raise DataError(f"nobody has a single-base variant in {locus}: choose another locus")
    return table


class SiteAdopter:
    """Gives simulated variants the places, alleles and frequencies of real ones, and leaves the others out.

    Within each interval that is simulated at a time, real and simulated variants are paired such that they
    differ least in the frequency of the rarer allele (among people of the training ancestries) and, less so,
    in place. The linkage that comes out is that of the simulation, somewhat mixed over tens of kilobases.

    Parameters
    ----------
    sites
        As from `real_sites`.
    plan
        Who carries the variants.
    """

    def __init__(self, sites: pd.DataFrame, plan: Plan) -> None:
        self._sites, self._done = sites, 0
        self._train = np.flatnonzero(plan.people["ancestry"].isin(list(plan.train_in)).to_numpy())

    def adopt(self, interval: SimulatedInterval) -> SimulatedInterval:
        """Move variants of an interval onto the real ones there."""
        table = interval.variants.reset_index(drop=True)
        if table.empty:
            return interval
        places = table["position"].to_numpy()
        here = self._sites[self._sites["position"].between(self._done + 1, places[-1])]
        self._done = int(places[-1])
        frequency = interval.alleles[:, self._train].mean(axis=(1, 2))
        wanted = here["frequency"].to_numpy()
        rows, columns = linear_sum_assignment(
            100 * np.abs(_minor(wanted)[:, None] - _minor(frequency))
            + np.abs(here["position"].to_numpy()[:, None] - places) / _BASES_PER_HUNDREDTH
        )
        alleles = interval.alleles[columns]
        # REF of a real variant may be the rarer allele
        turned = (wanted[rows] > 0.5) != (frequency[columns] > 0.5)
        alleles[turned] = 1 - alleles[turned]
        own = here.iloc[rows]
        variants = pd.DataFrame(
            {
                "contig": np.full(len(own), table["contig"].iloc[0], dtype=object),
                **{name: own[name].to_numpy() for name in ("position", "ref", "alt")},
            }
        )
        return SimulatedInterval(variants, alleles, interval.unknown)


def _minor(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.minimum(frequency, 1 - frequency)
