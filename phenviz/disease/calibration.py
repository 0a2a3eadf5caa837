"""How often each method errs where there is nothing to find, by `evaluation.disease_calibration`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd

# written by evaluation.disease_calibration
MEASURED = Path(__file__).with_name("calibration.tsv")


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
