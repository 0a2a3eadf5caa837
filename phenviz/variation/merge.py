"""Genotypes of several batches of samples in one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from phenviz.errors import DataError
from phenviz.variation.genotypes import Genotypes
from phenviz.variation.records import MISSING, NO_PHASE_SET
from phenviz.variation.report import VariantReport
from phenviz.variation.table import RECORD_COLUMNS

_KEY = ["contig", *RECORD_COLUMNS[1:]]


def merge_genotypes(batches: Sequence[Genotypes]) -> Genotypes:
    """Join the genotypes of different samples at the variants that any of them has.

    Parameters
    ----------
    batches
        Of one locus; no sample twice.

    Returns
    -------
    Genotypes
        Variants that a batch doesn't list are missing in its samples; records are numbered anew.

    Raises
    ------
    DataError
        If there is nothing to merge.
    """
    if not batches:
        raise DataError("no samples were chosen: name at least one")
    if len(batches) == 1:
        return batches[0]
    variants = _union([batch.variants for batch in batches])
    n_samples = sum(len(batch.samples) for batch in batches)
    alleles = np.full((len(variants), n_samples, 2), MISSING, dtype=np.int8)
    phased = np.zeros((len(variants), n_samples), dtype=bool)
    phase_set = np.full((len(variants), n_samples), NO_PHASE_SET, dtype=np.int64)
    rows_of = pd.MultiIndex.from_frame(_keys(variants))
    first = 0
    for batch in batches:
        rows = rows_of.get_indexer(pd.MultiIndex.from_frame(_keys(batch.variants)))
        columns = slice(first, first + len(batch.samples))
        alleles[rows, columns] = batch.alleles
        phased[rows, columns] = batch.phased
        phase_set[rows, columns] = batch.phase_set
        first += len(batch.samples)
    samples = tuple(name for batch in batches for name in batch.samples)
    report = VariantReport.joined([batch.report for batch in batches], kept=len(variants))
    return Genotypes(variants, samples, alleles, phased, phase_set, report)


def _union(tables: list[pd.DataFrame]) -> pd.DataFrame:
    every = pd.concat([table.assign(time=_keys(table)["time"]) for table in tables], ignore_index=True)
    every = every.drop_duplicates([*_KEY, "time"])
    records = every.groupby(["record_position", "record_ref"], sort=True).ngroup()
    every["record"] = records.to_numpy()
    columns = [column for column in every.columns if column != "time"]
    return every.sort_values(["position", "record"], kind="stable", ignore_index=True)[columns]


def _keys(table: pd.DataFrame) -> pd.DataFrame:
    """Return what makes a row the same in two batches; a variant listed again is another row."""
    keys = table[_KEY].copy()
    keys["time"] = table.groupby(_KEY, sort=False).cumcount().to_numpy()
    return keys
