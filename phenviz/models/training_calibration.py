"""Bring a trained backbone's output to scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from phenviz.genome.codes import N_CODE, one_hot
from phenviz.models.backbone import halo
from phenviz.models.local import LocalBackbone
from phenviz.models.peaks import SIGNAL_STEP

TILE_BINS = 128
OPEN = 0.3
ROUNDS = 20
CONVERGED = 1e-4

Array = NDArray[np.float64]
Regions = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Bins:
    """What is predicted and observed in bins of some regions.

    Parameters
    ----------
    predicted
        Log activity, shape (C, bins).
    target
        log1p of the observed fold enrichment, shape (C, bins).
    weight
        How much a bin counts, shape (bins,).
    """

    predicted: Array
    target: Array
    weight: Array


def calibrate_head(
    backbone: LocalBackbone,
    codes: NDArray[np.uint8],
    signal: NDArray[np.float16],
    *,
    validation: Regions,
    learnt: Regions,
    open_weight: float,
) -> None:
    """Fit one slope, and one offset a context, to the log activity, and fold them into the head.

    A network that learnt little data by heart is too sure of itself elsewhere. This changes neither the
    order of two places in a context nor any motif; it is what makes the numbers fold enrichments again.

    Parameters
    ----------
    backbone
        Changed in place.
    codes
        Bases of the whole contig.
    signal
        Fold enrichment in steps of 16 bases, from `peak_signal`, of the first contexts; the outputs of the
        others stay as they are.
    validation
        Regions that weren't learnt from: the slope and the level of all contexts together are fitted here.
    learnt
        Regions that were: how contexts differ in level is fitted here. A few million bases are no fair
        sample of that: stem cells are more open in 8-12 Mb of chromosome 20 than in any 4 Mb learnt from.
    open_weight
        Weight of the bins with signal in any context, where the others have 1. A training window holds
        several times more of them than the genome. Bins with unknown bases have 0.
    """
    slope, offsets = fit_slope_and_offsets(
        read_bins(backbone, codes, signal, validation, open_weight=open_weight),
        read_bins(backbone, codes, signal, learnt, open_weight=open_weight),
    )
    with torch.no_grad():
        shift = torch.from_numpy(offsets).to(backbone.head.weight)
        assert backbone.head.bias is not None  # a head always has one
        backbone.head.weight[: len(signal)].mul_(slope)
        backbone.head.bias[: len(signal)].mul_(slope).add_(shift)


def fit_slope_and_offsets(validation: Bins, learnt: Bins) -> tuple[float, Array]:
    """Minimise the weighted squared error of ``softplus(slope * predicted + offset)``.

    The slope and a shared offset are of the validation bins; on top of it, each context has an offset of the
    learnt bins, given that slope. The two fits take turns until the slope stays.

    Returns
    -------
    tuple
        The slope, and the offsets of shape (C,).
    """
    slope, shared = 1.0, 0.0
    for _ in range(ROUNDS):
        before = slope
        offsets = fit_offsets(learnt, slope)
        slope, shared = fit_slope(validation, offsets)
        if abs(slope - before) < CONVERGED:
            break
    return slope, offsets + shared


def fit_offsets(bins: Bins, slope: float) -> Array:
    """Fit one offset a context, shape (C,), given the slope."""

    def loss(offsets: Array) -> tuple[float, Array]:
        value, pull = _error(bins, slope * bins.predicted + offsets[:, None])
        return value, pull.sum(1)

    return minimize(loss, np.zeros(len(bins.predicted)), jac=True, method="L-BFGS-B").x


def fit_slope(bins: Bins, offsets: Array) -> tuple[float, float]:
    """Fit a slope and an offset that all contexts share, on top of their own offsets."""

    def loss(parameters: Array) -> tuple[float, Array]:
        value, pull = _error(bins, parameters[0] * bins.predicted + offsets[:, None] + parameters[1])
        return value, np.array([(pull * bins.predicted).sum(), pull.sum()])

    slope, shared = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    return float(slope), float(shared)


def _error(bins: Bins, scaled: Array) -> tuple[float, Array]:
    """Return the mean weighted squared error of ``softplus(scaled)``, and its slope in each bin."""
    error = np.logaddexp(0, scaled) - bins.target
    slope = 2 * bins.weight * error * expit(scaled) / error.size
    return float((bins.weight * error**2).mean()), slope


def read_bins(
    backbone: LocalBackbone,
    codes: NDArray[np.uint8],
    signal: NDArray[np.float16],
    regions: Regions,
    *,
    open_weight: float,
) -> Bins:
    """Predict the whole bins of some regions, and lay out what was observed there."""
    size = backbone.bin_size
    steps = size // SIGNAL_STEP
    parts = []
    for start, end in regions:
        first, last = -(-start // size), end // size
        predicted = log_activity(backbone, codes, (first * size, last * size))[: len(signal)]
        observed = signal[:, first * steps : last * steps].astype(np.float64)
        target = np.log1p(observed.reshape(len(signal), -1, steps).mean(2))
        known = (codes[first * size : last * size].reshape(-1, size) != N_CODE).all(1)
        parts.append((predicted, target, known * np.where(target.max(0) > OPEN, open_weight, 1.0)))
    return Bins(*(np.concatenate(values, -1) for values in zip(*parts, strict=True)))


@torch.inference_mode()
def log_activity(backbone: LocalBackbone, codes: NDArray[np.uint8], region: tuple[int, int]) -> Array:
    """Predict the log activity of every bin of a region that begins and ends with a bin, shape (C, bins)."""
    side, size = halo(backbone), backbone.bin_size
    margin = side // size
    left, right = region[0] - side, region[1] + side
    overhang = (max(-left, 0), max(right - len(codes), 0))
    padded = np.pad(np.asarray(codes[max(left, 0) : right]), overhang, constant_values=N_CODE)
    tiles = []
    for start in range(0, region[1] - region[0], TILE_BINS * size):
        end = min(start + TILE_BINS * size, region[1] - region[0])
        window = torch.from_numpy(one_hot(padded[start : end + 2 * side]))[None]
        tiles.append(backbone.log_activity(backbone.encode(window))[0, :, margin:-margin])
    return torch.cat(tiles, 1).numpy().astype(np.float64)
