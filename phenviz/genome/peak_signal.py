"""Peaks with and without a signal, on one scale."""

from __future__ import annotations

import numpy as np
import pandas as pd

# fold enrichment that peaks without a signal count as where no context has one: the median over the peaks of
# 16 blood populations on chromosome 20
DEFAULT_LEVEL = 7.3


def signal_of_contexts(table: pd.DataFrame) -> tuple[frozenset[str], float]:
    """Tell which contexts have a signal, and the level that peaks without one count as.

    Parameters
    ----------
    table
        ``context`` and ``fold_enrichment``, as from `phenviz.data.peaks.read_narrowpeak_files`.

    Returns
    -------
    contexts
        Those whose peaks differ in fold enrichment: one number for all is no signal, whatever the number.
    level
        Median fold enrichment over all their peaks.
    """
    ranges = table.groupby("context")["fold_enrichment"].agg(["min", "max"])
    measured = ranges.index[ranges["min"] < ranges["max"]]
    strength = table.loc[table["context"].isin(measured), "fold_enrichment"]
    return frozenset(measured), float(strength.median()) if len(strength) else DEFAULT_LEVEL


def on_one_scale(table: pd.DataFrame) -> pd.DataFrame:
    """Return peaks in which those of contexts without a signal count as the level of `signal_of_contexts`.

    Training does the same, so that observed and predicted peaks can be compared.
    """
    measured, level = signal_of_contexts(table)
    fold = table["fold_enrichment"].where(table["context"].isin(measured), np.float32(level))
    return table.assign(fold_enrichment=fold.astype("float32"))
