"""Real variants in simulated people: they take the place of simulated ones that are as frequent."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.coalescent import SimulatedInterval
from phenviz.disease.cohort.dosages import Dosages
from phenviz.disease.cohort.plan import Plan
from phenviz.errors import DataError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.genome.locus import on_contig
from phenviz.progress import NO_PROGRESS, Progress

# how far a simulated variant may be moved
_FARTHEST = 20_000
# of the UK Biobank's blood counts, from which standard errors follow: the frequency is found from them
PEOPLE_OF_STUDY = 114_910
COLUMNS = ["trait", "contig", "position", "ref", "alt", "effect", "frequency"]


class Adopter:
    """Gives simulated variants the place and the alleles of real ones.

    Parameters
    ----------
    weights
        Columns `COLUMNS`; single-base variants count, in the order of the contig.
    plan
        Who carries the variants.
    locus
        Where they are simulated.

    Raises
    ------
    DataError
        If none of the variants lies there.
    """

    def __init__(self, weights: pd.DataFrame, plan: Plan, locus: Locus) -> None:
        self._weights = inside(weights, locus)
        key = ["position", "ref", "alt"]
        self._left = self._weights.drop_duplicates(key).drop_duplicates("position")[[*key, "frequency"]]
        self._train = np.flatnonzero(plan.people["ancestry"].isin(list(plan.train_in)).to_numpy())
        self._taken: list[pd.DataFrame] = []

    def adopt(self, stretch: SimulatedInterval) -> SimulatedInterval:
        """Move the simulated variants that are nearest in frequency onto the real ones of a stretch."""
        table = stretch.variants.reset_index(drop=True)
        if table.empty:
            return stretch
        places = table["position"].to_numpy().copy()
        here = self._left[self._left["position"].between(places[0], places[-1])]
        frequency = stretch.alleles[:, self._train].mean(axis=(1, 2))
        free = np.ones(len(table), dtype=bool)
        ref, alt = (table[name].to_numpy(dtype=object).copy() for name in ("ref", "alt"))
        occupied = {int(place): row for row, place in enumerate(places)}
        for position, ref_base, alt_base, wanted in here.itertuples(index=False):
            near = np.flatnonzero(free & (np.abs(places - position) <= _FARTHEST))
            if not len(near):
                continue
            row = int(near[np.argmin(np.abs(frequency[near] - wanted))])
            # who stands there already goes where the other one came from: no place twice
            if (other := occupied.get(int(position))) is not None and other != row:
                if not free[other]:
                    continue
                row = other if abs(frequency[other] - wanted) < 0.02 else row
                if row != other:
                    free[other] = False
                    places[other] = -1
            occupied.pop(int(places[row]), None)
            places[row], ref[row], alt[row], free[row] = position, ref_base, alt_base, False
            occupied[int(position)] = row
        moved = ~free & (places > 0)
        taken = pd.DataFrame({"position": places[moved], "ref": ref[moved], "alt": alt[moved]})
        self._taken.append(taken)
        kept = np.flatnonzero(places > 0)
        order = kept[np.argsort(places[kept], kind="stable")]
        new = table.iloc[order].assign(position=places[order], ref=ref[order], alt=alt[order])
        return SimulatedInterval(new.reset_index(drop=True), stretch.alleles[order], stretch.unknown)

    def adopted(self) -> pd.DataFrame:
        """Return the weights whose variants are among the simulated ones now."""
        taken = pd.concat(self._taken, ignore_index=True)
        return self._weights.merge(taken, on=["position", "ref", "alt"])


def inside(weights: pd.DataFrame, locus: Locus) -> pd.DataFrame:
    """Return the single-base variants that lie in a locus, in its order.

    Raises
    ------
    DataError
        If there is none.
    """
    single = (weights["ref"].str.len() == 1) & (weights["alt"].str.len() == 1)
    here = on_contig(weights["contig"], locus.contig)
    within = weights["position"].between(locus.start + 1, locus.end)
    found = weights[single & here & within].sort_values("position", ignore_index=True)
    if found.empty:
        raise DataError(f"no fine-mapped single-base variant lies in {locus}: simulate another locus")
    return found


def weights_of(adopted: pd.DataFrame, dosages: Dosages) -> dict[str, NDArray[np.float64]]:
    """Return the effect of each variant of a cohort on each trait.

    Raises
    ------
    DataError
        If no trait has a variant that is common in the training people.
    """
    key = ["position", "ref", "alt"]
    places = dosages.variants.reset_index()[["index", *key]]
    found = adopted.merge(places, on=key)
    if found.empty:
        raise DataError("none of the fine-mapped variants is common in the simulated people: simulate more")
    weights = {}
    for trait, own in found.groupby("trait", sort=True):
        effects = np.zeros(len(dosages))
        np.add.at(effects, own["index"].to_numpy(), own["effect"].to_numpy(dtype=float))
        weights[str(trait)] = effects
    return weights


def minor_frequency(
    standard_error: NDArray[np.float64], people: int = PEOPLE_OF_STUDY
) -> NDArray[np.float64]:
    """Find how frequent the rarer allele is from an effect's standard error in a trait of variance 1.

    ``se^2 = 1 / (2 people p (1 - p))``; where that has no solution, the allele is half.
    """
    product = np.clip(1 / (2 * people * np.square(standard_error)), 0, 0.25)
    return (1 - np.sqrt(1 - 4 * product)) / 2


def blood_weights(reference: ReferenceGenome, progress: Progress = NO_PROGRESS) -> pd.DataFrame:
    """Return the fine-mapped effects of the blood traits: posterior times effect of each variant.

    Raises
    ------
    PackMissing
        If the data pack isn't here.
    """
    from phenviz.disease.reading import read_trait_pack

    table = read_trait_pack("ukbb-blood-finemap", reference, progress=progress).table
    known = table[table["beta"].notna() & (table["se"] > 0)]
    return pd.DataFrame(
        {
            **{name: known[name].to_numpy() for name in ("trait", "contig", "position", "ref", "alt")},
            "effect": (known["posterior"] * known["beta"]).to_numpy(),
            # which of both alleles is the rarer one isn't said; nearly always it is ALT
            "frequency": minor_frequency(known["se"].to_numpy(dtype=float)),
        }
    )
