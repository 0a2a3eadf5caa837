"""Which variant a gene's agreement, or disagreement, with measured expression comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from phenviz.effects.measured.methods import Numbers
from phenviz.genome.variant import Variant


@dataclass(frozen=True)
class Driver:
    """A variant with what is predicted and measured of it; an empty key for none.

    Parameters
    ----------
    key, id
        As `Variant.key` has it, and the name of the file.
    effect
        Predicted change of expression per ALT allele; NaN where nothing is predicted.
    slope
        Measured change per ALT allele, covariates regressed out.
    p_value
        Of the slope.
    """

    key: str = ""
    id: str = ""
    effect: float = math.nan
    slope: float = math.nan
    p_value: float = math.nan


def driver_of(
    variants: pd.DataFrame,
    dosages: NDArray[np.float32],
    effects: Numbers,
    measured: Numbers,
    predicted: Numbers,
) -> list[Driver]:
    """Find in each context the variant that most of the model's agreement comes from.

    The covariance of the prediction with what was measured is, to first order, the sum over variants of
    predicted effect times covariance of the dosage with what was measured. Where the model is right (a
    positive covariance) the driver is the variant with the largest such product, else the one with the
    lowest.

    Parameters
    ----------
    variants, dosages
        V variants, and copies of their ALT allele, shape (n, V).
    effects
        Predicted change by each variant alone, shape (V, contexts).
    measured
        What covariates leave of the measured values, shape (n,).
    predicted
        What the model predicts, shape (n, contexts).
    """
    if not len(variants):
        return [Driver() for _ in range(predicted.shape[1])]
    known = _centred(dosages)
    covariance = known.T @ (measured - measured.mean()) / len(measured)
    found = []
    for context in range(predicted.shape[1]):
        product = np.nan_to_num(effects[:, context]) * covariance
        together = (predicted[:, context] - predicted[:, context].mean()) @ measured
        if not product.any() or together == 0:
            found.append(Driver())
            continue
        place = int(product.argmax() if together > 0 else product.argmin())
        slope, p_value = _slope(known[:, place], measured)
        found.append(_named(variants, place, float(effects[place, context]), slope, p_value))
    return found


def top_variant(variants: pd.DataFrame, dosages: NDArray[np.float32], measured: Numbers) -> Driver:
    """Find the variant that goes with most of what was measured, among everybody."""
    if not len(variants):
        return Driver()
    known = _centred(dosages)
    spread = np.sqrt((known * known).sum(axis=0))
    centred = measured - measured.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        strength = np.abs(known.T @ centred) / spread
    if not np.isfinite(strength).any():
        return Driver()
    place = int(np.nanargmax(strength))
    slope, p_value = _slope(known[:, place], measured)
    return _named(variants, place, math.nan, slope, p_value)


def _centred(dosages: NDArray[np.float32]) -> Numbers:
    values = dosages.astype(float)
    mean = np.nansum(values, axis=0) / np.maximum(np.isfinite(values).sum(axis=0), 1)
    centred: Numbers = np.nan_to_num(values - mean)
    return centred


def _slope(dosage: Numbers, measured: Numbers) -> tuple[float, float]:
    centred, square = measured - measured.mean(), float(dosage @ dosage)
    if square == 0 or len(measured) < 4:
        return math.nan, math.nan
    slope = float(dosage @ centred) / square
    r = float(dosage @ centred) / math.sqrt(square * max(float(centred @ centred), 1e-300))
    free = len(measured) - 2
    return slope, float(2 * stdtr(free, -abs(r) * math.sqrt(free / max(1 - r * r, 1e-300))))


def _named(variants: pd.DataFrame, place: int, effect: float, slope: float, p_value: float) -> Driver:
    row = variants.iloc[place]
    variant = Variant(str(row["contig"]), int(row["position"]), str(row["ref"]), str(row["alt"]))
    name = "" if pd.isna(row["id"]) else str(row["id"])
    return Driver(variant.key, name, effect, slope, p_value)
