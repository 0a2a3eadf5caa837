"""How often each method errs where there is nothing to find, and finds what was planted, as measured."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd

# written by evaluation.disease_calibration
MEASURED = Path(__file__).with_name("calibration.tsv")
# written by evaluation.disease_power, and of the headline test by evaluation.disease_sequence
MEASURED_POWER = Path(__file__).with_name("power.tsv")


@lru_cache(maxsize=1)
def measured_calibration() -> pd.DataFrame:
    """Return the false positives of each method on traits whose loci were moved at random.

    Returns
    -------
    pd.DataFrame
        ``where`` (``anywhere``, ``near genes``), ``method``, ``sets``, ``rate_0.05`` with ``low_0.05`` and
        ``high_0.05`` (95 % interval), the same at 0.01, ``verdict`` (``holds``, or what is too many or too
        few), ``model`` (name and hash of the weights).
    """
    return pd.read_csv(MEASURED, sep="\t")


@lru_cache(maxsize=1)
def measured_power() -> pd.DataFrame:
    """Return how often each method finds a context that was planted in real sequence.

    Returns
    -------
    pd.DataFrame
        ``planted`` (in ``peaks`` or ``motifs``), ``method``, ``loci``, ``share`` (of them that act),
        ``sets``, ``top_1`` (how often the truth comes first) and ``called`` (how often its p is at most
        0.05), each with ``_low`` and ``_high`` (95 % interval), ``model`` (name and hash of the weights).
    """
    return pd.read_csv(MEASURED_POWER, sep="\t")


def calibration_words(method: str) -> str:
    """Say how often a method calls a null trait at p <= 0.05, and with which model that was measured.

    Empty where nobody has measured it.
    """
    table = measured_calibration()
    own = table[table["method"] == method]
    if own.empty:
        return ""
    rates = " and ".join(f"{100 * row['rate_0.05']:.1f} % {row['where']}" for _, row in own.iterrows())
    verdicts = {str(row["where"]): str(row["verdict"]) for _, row in own.iterrows()}
    off = "; ".join(f"{verdict} {where}" for where, verdict in verdicts.items() if verdict != "holds")
    model = own["model"].iloc[0]
    return f"calls {rates} of null traits at p 0.05, measured with {model} ({off or 'holds'})"
