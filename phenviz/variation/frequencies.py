"""What is known of variants among individuals: names and frequencies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from phenviz.genome import Locus, bare_contig
from phenviz.genome.variant import Variant
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation.individuals import Individuals

_KEY = ["contig", "position", "ref", "alt"]
# variants that lie closer together are looked up at once
_APART = 20_000
# places that are looked up at most: more than that is a matter of minutes
_MOST_PLACES = 2_000


def with_frequencies(
    variants: pd.DataFrame, individuals: Individuals, progress: Progress = NO_PROGRESS
) -> pd.DataFrame:
    """Add what a file of individuals knows of variants.

    Parameters
    ----------
    variants
        `VARIANT_COLUMNS`, normalised.
    individuals
        Among whom alleles are counted.
    progress
        Checked before each place for a cancel.

    Returns
    -------
    pd.DataFrame
        The same rows, with the file's ``id`` where they have none, and ``allele_frequency``: NaN where the
        file doesn't have the variant, or the list holds variants of more than 2,000 places.
    """
    places = list(_places(variants, individuals))
    known = []
    for locus in places if len(places) <= _MOST_PLACES else []:
        progress.check()
        known.append(individuals.allele_counts(locus, by=None))
    table = variants.assign(allele_frequency=np.nan)
    if not known:
        return table
    found = pd.concat(known, ignore_index=True)
    found["contig"] = found["contig"].astype(str).map(bare_contig)
    found = found.drop_duplicates(_KEY).set_index(_KEY)[["id", "allele_frequency"]]
    wanted = pd.MultiIndex.from_frame(table[_KEY].assign(contig=table["contig"].astype(str).map(bare_contig)))
    there = found.reindex(wanted)
    named = there["id"].fillna("").to_numpy(dtype=object)
    ids = np.where(table["id"].to_numpy(dtype=object) == "", named, table["id"].to_numpy(dtype=object))
    return table.assign(
        id=pd.Series(ids, index=table.index, dtype="str"),
        allele_frequency=there["allele_frequency"].to_numpy(dtype=float),
    )


def carriers_of(variant: Variant, individuals: Individuals) -> pd.DataFrame:
    """Count who carries a variant, by population where these are known, else by superpopulation.

    Returns
    -------
    pd.DataFrame
        Rows of `phenviz.variation.Individuals.allele_counts`; none where the file doesn't have the variant.
    """
    contig, position, ref, alt = variant
    at = position - 1
    locus = Locus(individuals.reference.resolve_contig(contig), at, at + len(ref))
    groups = "population" if (individuals.samples["population"] != "").any() else "superpopulation"
    counts = individuals.allele_counts(locus, by=groups)
    same = (counts["position"] == position) & (counts["ref"] == ref) & (counts["alt"] == alt)
    return counts[same]


def _places(variants: pd.DataFrame, individuals: Individuals) -> Iterator[Locus]:
    """Yield loci that hold all variants, those that lie close together in one."""
    for name, rows in variants.groupby("contig", sort=False):
        contig = individuals.reference.resolve_contig(str(name))
        starts = np.sort(rows["position"].to_numpy(dtype=np.int64)) - 1
        for group in np.split(starts, np.flatnonzero(np.diff(starts) > _APART) + 1):
            yield Locus(contig, int(group[0]), int(group[-1]) + 1)
