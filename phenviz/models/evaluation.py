"""How well a backbone finds accessible regions, and in the right contexts: four metrics with intervals.

The protocol: summits of all contexts are clustered within 250 bp; background is random positions at least
1 kb from any summit; the score of a position is the mean activity of the 256 bp round it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from phenviz.errors import ModelError
from phenviz.genome.codes import N_CODE, one_hot
from phenviz.models.backbone import halo
from phenviz.models.checkpoint import read_card, write_card
from phenviz.models.local import LocalBackbone
from phenviz.models.peaks import cluster_summits
from phenviz.progress import NO_PROGRESS, Progress

CENTRE = 256
BACKGROUND_DISTANCE = 1_000
BACKGROUND_PER_SUMMIT = 4
# Bases to each side of a background position that must be known.
KNOWN = 512
BLOCK = 250_000
METRICS = {
    "any_summit": "AUROC, any summit against background",
    "context_summit": "AUROC, a context's summits against background, mean over contexts",
    "within_summits": "AUROC within summits, in a context or not, mean over contexts",
    "context_correlation": (
        "correlation of the context-specific signal (log1p fold change, mean over contexts removed)"
    ),
}

Array = NDArray[np.floating[Any]]


def auroc(positive: Array, negative: Array) -> float:
    """Return the chance that a positive scores above a negative, ties counting half; NaN without either."""
    n, m = len(positive), len(negative)
    if not n or not m:
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def score_activity(summits: Array, enrichment: Array, background: Array) -> dict[str, float]:
    """Compare predicted activity with peaks.

    Parameters
    ----------
    summits
        Predicted activity at summit clusters, shape (n, C).
    enrichment
        Observed fold enrichment there, 0 without a peak; shape (n, C).
    background
        Predicted activity at background positions, shape (m, C).

    Returns
    -------
    dict
        A number for each of `METRICS`. A place's score over all contexts is its mean log1p activity;
        the correlation is Pearson's over all summits and contexts.
    """
    at, off = np.log1p(summits), np.log1p(background)
    contexts = range(enrichment.shape[1])
    open_ = enrichment > 0
    return {
        "any_summit": auroc(at.mean(1), off.mean(1)),
        "context_summit": _mean(auroc(at[open_[:, c], c], off[:, c]) for c in contexts),
        "within_summits": _mean(auroc(at[open_[:, c], c], at[~open_[:, c], c]) for c in contexts),
        "context_correlation": _correlation(_centred(at), _centred(np.log1p(enrichment))),
    }


def block_bootstrap(
    score: Callable[[NDArray[np.intp], NDArray[np.intp]], Mapping[str, float]],
    positions: NDArray[np.int64],
    background: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    block: int = BLOCK,
    repeats: int = 500,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Draw whole blocks of the genome with replacement and return percentile intervals.

    Neighbouring summits are alike, so single summits are no independent draws.

    Parameters
    ----------
    score
        Takes indices into ``positions`` and into ``background`` and returns named numbers.
    positions, background
        Where the summits and the background lie.
    rng
        Source of the draws.
    block
        Bases in a block.
    repeats
        Draws.
    level
        Share of the draws inside an interval.
    """
    block_of, block_of_background = positions // block, background // block
    blocks = np.unique(np.concatenate([block_of, block_of_background]))
    members = [(np.flatnonzero(block_of == b), np.flatnonzero(block_of_background == b)) for b in blocks]
    draws: dict[str, list[float]] = {}
    for _ in range(repeats):
        chosen = [members[i] for i in rng.integers(len(members), size=len(members))]
        values = score(np.concatenate([a for a, _ in chosen]), np.concatenate([b for _, b in chosen]))
        for name, value in values.items():
            draws.setdefault(name, []).append(value)
    tails = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
    return {name: tuple(np.nanpercentile(values, tails).tolist()) for name, values in draws.items()}


def sample_background(
    codes: NDArray[np.uint8],
    summits: NDArray[np.int64],
    region: tuple[int, int],
    n: int,
    rng: np.random.Generator,
    *,
    distance: int = BACKGROUND_DISTANCE,
) -> NDArray[np.int64]:
    """Draw ``n`` positions of a region that are over ``distance`` from every summit and see no N nearby.

    Parameters
    ----------
    codes
        Of the whole contig.
    summits
        Every single summit on the contig, sorted.

    Raises
    ------
    ModelError
        If the region has no such position.
    """
    start, end = region
    free = np.ones(end - start, bool)
    for summit in summits[(summits > start - distance - 1) & (summits < end + distance + 1)]:
        free[max(summit - distance - start, 0) : max(summit + distance + 1 - start, 0)] = False
    unknown = np.flatnonzero(codes[max(start - KNOWN, 0) : end + KNOWN] == N_CODE) + max(start - KNOWN, 0)
    count = np.searchsorted(unknown, np.arange(start, end) + KNOWN) - np.searchsorted(
        unknown, np.arange(start, end) - KNOWN
    )
    candidates = np.flatnonzero(free & (count == 0)) + start
    if not len(candidates):
        raise ModelError(
            f"positions {start:,}-{end:,} hold no background: none lies over {distance:,} bases from every "
            "summit and away from unknown bases; choose a larger region"
        )
    return np.sort(rng.choice(candidates, n, replace=n > len(candidates)))


@torch.inference_mode()
def predict_centres(
    backbone: LocalBackbone,
    codes: NDArray[np.uint8],
    positions: NDArray[np.int64],
    *,
    batch_size: int = 16,
    progress: Progress = NO_PROGRESS,
) -> NDArray[np.float32]:
    """Predict the mean activity of the 256 bp round each position, both strands averaged.

    Returns
    -------
    NDArray[np.float32]
        Shape (n, C).
    """
    bins = CENTRE // backbone.bin_size
    side = halo(backbone)
    length = CENTRE + 2 * side
    padded = np.pad(np.asarray(codes), length, constant_values=N_CODE)
    starts = positions - length // 2 + length
    out = np.empty((len(positions), len(backbone.contexts)), np.float32)
    for first in range(0, len(positions), batch_size):
        windows = np.stack([padded[s : s + length] for s in starts[first : first + batch_size]])
        x = torch.from_numpy(one_hot(windows))
        centre = slice(side // backbone.bin_size, side // backbone.bin_size + bins)
        both = backbone(x)[:, :, centre].mean(2) + backbone(x.flip(1, 2))[:, :, centre].mean(2)
        out[first : first + batch_size] = both.numpy() / 2
        progress.advance(len(windows))
    return out


def evaluate_backbone(
    backbone: LocalBackbone,
    codes: NDArray[np.uint8],
    peaks: pd.DataFrame,
    region: tuple[int, int],
    *,
    seed: int = 1,
    repeats: int = 500,
    progress: Progress = NO_PROGRESS,
) -> dict[str, Any]:
    """Score a backbone on one region of a contig.

    Parameters
    ----------
    backbone
        With the contexts of the peaks.
    codes
        Of the whole contig.
    peaks
        Of that contig, from `read_narrow_peaks`.
    region
        Start and end, 0-based half-open.
    seed
        Of the background and the bootstrap.
    repeats
        Bootstrap draws; 0 for no intervals.

    Returns
    -------
    dict
        ``region``, ``summits``, ``background``, and for each of `METRICS` its ``value``, its ``interval``
        (95 %, over blocks of 250 kb) and its ``definition``.
    """
    rng = np.random.default_rng(seed)
    summits = cluster_summits(peaks, [context.name for context in backbone.contexts]).within(*region)
    background = sample_background(
        codes, np.sort(peaks["summit"].to_numpy()), region, BACKGROUND_PER_SUMMIT * len(summits.position), rng
    )
    progress.stage("evaluate", len(summits.position) + len(background))
    at = predict_centres(backbone, codes, summits.position, progress=progress)
    off = predict_centres(backbone, codes, background, progress=progress)

    def score(rows: NDArray[np.intp], background_rows: NDArray[np.intp]) -> dict[str, float]:
        return score_activity(at[rows], summits.enrichment[rows], off[background_rows])

    values = score_activity(at, summits.enrichment, off)
    intervals = block_bootstrap(score, summits.position, background, rng, repeats=repeats) if repeats else {}
    report: dict[str, Any] = {"region": list(region), "summits": len(at), "background": len(off)}
    for name, value in values.items():
        report[name] = {"value": round(value, 4), "definition": METRICS[name]}
        if name in intervals:
            report[name]["interval"] = [round(end, 4) for end in intervals[name]]
    return report


def write_metrics(path: str | Path, **reports: Mapping[str, Any]) -> None:
    """Put reports of `evaluate_backbone` under ``metrics`` of a checkpoint's card (``test=...``)."""
    card = read_card(path)
    card["metrics"] = {**card.get("metrics", {}), **reports}
    write_card(path, card)


def _mean(values: Any) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _centred(x: Array) -> Array:
    return x - x.mean(1, keepdims=True)


def _correlation(a: Array, b: Array) -> float:
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
