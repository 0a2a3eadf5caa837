"""How well a backbone predicts the activity of sequences that reporter assays measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from phenviz.genome.codes import N_CODE, encode, one_hot
from phenviz.models.backbone import halo
from phenviz.models.evaluation import CENTRE, metric, pearson
from phenviz.models.local import LocalBackbone

Array = NDArray[np.floating[Any]]


def evaluate_sequences(
    backbone: LocalBackbone, table: pd.DataFrame, *, seed: int = 1, repeats: int = 500
) -> dict[str, Any]:
    """Correlate predicted and measured log2 RNA/DNA of sequences, between unknown bases.

    Parameters
    ----------
    backbone
        With the contexts of the table.
    table
        ``sequence``, ``context`` and ``value``, from `phenviz.data.reporter_sequences.read_sequences`.
    seed, repeats
        Of the bootstrap over sequences; 0 repeats for no intervals.

    Returns
    -------
    dict
        For each context its ``sequences`` and ``pearson`` with ``value`` and ``interval``.
    """
    names = [context.name for context in backbone.contexts]
    found: dict[str, Any] = {}
    for context, rows in table.groupby("context", sort=False):
        predicted = np.log2(predict_sequences(backbone, rows["sequence"])[:, names.index(str(context))])
        found[str(context)] = {
            "sequences": len(rows),
            "pearson": correlate(predicted, rows["value"].to_numpy(), seed=seed, repeats=repeats),
        }
    return found


def correlate(predicted: Array, observed: Array, *, seed: int = 1, repeats: int = 500) -> dict[str, Any]:
    """Return Pearson's correlation as ``value``, with a 95 % ``interval`` from a bootstrap over the rows."""
    rng, n = np.random.default_rng(seed), len(observed)
    draws = [rng.integers(n, size=n) for _ in range(repeats)]
    drawn = [pearson(predicted[draw], observed[draw]) for draw in draws]
    known = bool(repeats) and np.isfinite(drawn).any()
    intervals = {"pearson": tuple(np.nanpercentile(drawn, [2.5, 97.5]))} if known else {}
    return metric("pearson", {"pearson": pearson(predicted, observed)}, intervals)


@torch.inference_mode()
def predict_sequences(
    backbone: LocalBackbone, sequences: Iterable[str], *, batch_size: int = 32
) -> NDArray[np.float32]:
    """Predict the mean activity of the central 256 bp of sequences between unknown bases, shape (n, C)."""
    texts = [encode(text) for text in sequences]
    bins, margin = CENTRE // backbone.bin_size, halo(backbone) // backbone.bin_size
    out = np.empty((len(texts), len(backbone.contexts)), np.float32)
    length = CENTRE + 2 * halo(backbone)
    for first in range(0, len(texts), batch_size):
        batch = texts[first : first + batch_size]
        windows = np.full((len(batch), length), N_CODE, np.uint8)
        for window, codes in zip(windows, batch, strict=True):
            kept = codes[max(len(codes) - length, 0) // 2 :][:length]
            left = (length - len(kept)) // 2
            window[left : left + len(kept)] = kept
        activity = backbone(torch.from_numpy(one_hot(windows)))[:, :, margin : margin + bins]
        out[first : first + batch_size] = activity.mean(2).numpy()
    return out
