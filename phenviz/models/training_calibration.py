"""Bring a trained backbone's output to scale on a region that it didn't learn from."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from phenviz.genome.codes import N_CODE, one_hot
from phenviz.models.backbone import halo
from phenviz.models.local import LocalBackbone
from phenviz.models.peaks import SIGNAL_STEP

TILE_BINS = 128
OPEN = 0.3

Array = NDArray[np.float64]


def calibrate_head(
    backbone: LocalBackbone,
    codes: NDArray[np.uint8],
    signal: NDArray[np.float16],
    region: tuple[int, int],
    *,
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
        Fold enrichment in steps of 16 bases, from `peak_signal`.
    region
        Validation region; the whole bins in it count.
    open_weight
        Weight of the bins with signal in any context, where the others have 1. A training window holds
        several times more of them than the genome.
    """
    size = backbone.bin_size
    first, last = -(-region[0] // size), region[1] // size
    predicted = log_activity(backbone, codes, (first * size, last * size))
    steps = size // SIGNAL_STEP
    observed = signal[:, first * steps : last * steps].astype(np.float64)
    target = np.log1p(observed.reshape(len(signal), -1, steps).mean(2))
    weight = np.where(target.max(0) > OPEN, open_weight, 1.0)
    slope, offset = fit_slope_and_offsets(predicted, target, weight)
    with torch.no_grad():
        shift = torch.from_numpy(offset).to(backbone.head.weight)
        backbone.head.weight.mul_(slope)
        assert backbone.head.bias is not None  # a head always has one
        backbone.head.bias.mul_(slope).add_(shift)


def fit_slope_and_offsets(predicted: Array, target: Array, weight: Array) -> tuple[float, Array]:
    """Minimise the weighted squared error of ``softplus(slope * predicted + offset)``.

    Parameters
    ----------
    predicted
        Log activity, shape (C, bins).
    target
        log1p of the observed fold enrichment, shape (C, bins).
    weight
        Of each bin, shape (bins,).

    Returns
    -------
    tuple
        The slope, and the offsets of shape (C,).
    """

    def loss(parameters: Array) -> tuple[float, Array]:
        scaled = parameters[0] * predicted + parameters[1:, None]
        error = np.logaddexp(0, scaled) - target
        slope = 2 * weight * error / (1 + np.exp(-scaled))
        gradient = np.concatenate([[(slope * predicted).sum()], slope.sum(1)])
        return float((weight * error**2).sum()) / target.size, gradient / target.size

    start = np.concatenate([[1.0], np.zeros(len(predicted))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return float(found[0]), found[1:]


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
