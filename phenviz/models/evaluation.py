"""How well a backbone finds active regions, and in the right contexts: metrics with intervals.

The protocol: summits of all contexts are clustered within 250 bp; background is random positions at least
1 kb from any summit; the score of a position is the mean activity of the 256 bp around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from phenviz.models.evaluation_intervals import BlockDraws, interval
from phenviz.models.local import LocalBackbone
from phenviz.models.peaks import cluster_summits
from phenviz.progress import NO_PROGRESS, Progress

CENTRE = 256
BACKGROUND_DISTANCE = 1_000
BACKGROUND_PER_SUMMIT = 4
# Bases to each side of a background position that must be known.
KNOWN = 512
BLOCK = 250_000
_WINDOWS_AT_ONCE = 16
METRICS = {
    "any_summit": "AUROC, any summit against background",
    "context_summit": "AUROC, a context's summits against background, mean over contexts",
    "within_summits": "AUROC within summits, in a context or not, mean over contexts",
    "context_correlation": (
        "correlation of the context-specific signal (log1p fold change, mean over contexts removed)"
    ),
}
CONTEXT_METRICS = {
    "against_background": "AUROC, the context's summits against background",
    "within_sites": "AUROC, the context's summits against those of the other contexts",
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
    return _overall(summits, enrichment, background, score_contexts(summits, enrichment, background))


def _overall(
    summits: Array, enrichment: Array, background: Array, each: Mapping[str, Sequence[float]]
) -> dict[str, float]:
    at, off = np.log1p(summits), np.log1p(background)
    return {
        "any_summit": auroc(at.mean(1), off.mean(1)),
        "context_summit": _mean(each["against_background"]),
        "within_summits": _mean(each["within_sites"]),
        "context_correlation": pearson(_centred(at), _centred(np.log1p(enrichment))),
    }


def block_bootstrap(
    score: Callable[[NDArray[np.intp], NDArray[np.intp]], Mapping[str, float]],
    positions: NDArray[np.int64],
    background: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    block: int = BLOCK,
    repeats: int = 500,
) -> dict[str, tuple[float, float]]:
    """Draw whole blocks of the genome with replacement and return 95 % intervals.

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
    return {
        name: tuple(np.nanpercentile(values, [2.5, 97.5])) if np.isfinite(values).any() else (np.nan, np.nan)
        for name, values in draws.items()
    }


def sample_background(
    codes: NDArray[np.uint8],
    summits: NDArray[np.int64],
    region: tuple[int, int],
    n: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw ``n`` positions of a region that are over 1 kb from every summit and see no N nearby.

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
    (start, end), distance = region, BACKGROUND_DISTANCE
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
    progress: Progress = NO_PROGRESS,
) -> NDArray[np.float32]:
    """Predict the mean activity of the 256 bp around each position, both strands averaged.

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
    for first in range(0, len(positions), _WINDOWS_AT_ONCE):
        windows = np.stack([padded[s : s + length] for s in starts[first : first + _WINDOWS_AT_ONCE]])
        x = torch.from_numpy(one_hot(windows))
        centre = slice(side // backbone.bin_size, side // backbone.bin_size + bins)
        both = backbone(x)[:, :, centre].mean(2) + backbone(x.flip(1, 2))[:, :, centre].mean(2)
        out[first : first + _WINDOWS_AT_ONCE] = both.numpy() / 2
        progress.advance(len(windows))
    return out


def evaluate_backbone(
    backbone: LocalBackbone,
    codes: NDArray[np.uint8],
    peaks: pd.DataFrame,
    regions: Sequence[tuple[int, int]],
    *,
    contexts: Sequence[str] | None = None,
    seed: int = 1,
    repeats: int = 500,
    progress: Progress = NO_PROGRESS,
) -> dict[str, Any]:
    """Score a backbone on regions, over all contexts that have peaks and for each of them.

    Parameters
    ----------
    backbone
        With the contexts of the peaks, and maybe others.
    codes
        Bases that the peaks' positions and the regions count in.
    peaks
        ``context``, ``summit`` and ``fold_enrichment``, as from `read_narrow_peaks`.
    regions
        Start and end of each, 0-based half-open.
    contexts
        Names of those that count; all that have peaks by default.
    seed
        Of the background and the bootstrap.
    repeats
        Bootstrap draws; 0 for no intervals.

    Returns
    -------
    dict
        As `evaluate_scores`.
    """
    names = [context.name for context in backbone.contexts]
    given = set(peaks["context"])
    kept = [name for name in names if name in given and (contexts is None or name in contexts)]
    rows = [names.index(name) for name in kept]

    def predict(positions: NDArray[np.int64]) -> Array:
        return predict_centres(backbone, codes, positions, progress=progress)[:, rows]

    return evaluate_scores(
        predict, kept, codes, peaks, regions, seed=seed, repeats=repeats, progress=progress
    )


def evaluate_scores(
    predict: Callable[[NDArray[np.int64]], Array],
    contexts: Sequence[str],
    codes: NDArray[np.uint8],
    peaks: pd.DataFrame,
    regions: Sequence[tuple[int, int]],
    *,
    seed: int = 1,
    repeats: int = 500,
    progress: Progress = NO_PROGRESS,
) -> dict[str, Any]:
    """Score whatever predicts activity around positions; see `evaluate_backbone` for the rest.

    Parameters
    ----------
    predict
        Turns positions (n,) into activity (n, C).
    contexts
        Names of the C contexts; only their peaks count as summits, and background keeps away from all.

    Returns
    -------
    dict
        ``summits``, ``background``, and for each of `METRICS` its ``value`` (None where it is unknown), its
        ``interval`` (95 %, over blocks of 250 kb) and its ``definition``; in ``contexts``, for each context
        its ``peaks`` and the same for each of `CONTEXT_METRICS`.
    """
    rng = np.random.default_rng(seed)
    clusters = cluster_summits(peaks[peaks["context"].isin(contexts)], contexts)
    inside = [clusters.within(*region) for region in regions]
    position = np.concatenate([part.position for part in inside])
    enrichment = np.concatenate([part.enrichment for part in inside])
    every = np.sort(peaks["summit"].to_numpy())
    background = np.concatenate(
        [
            sample_background(codes, every, region, BACKGROUND_PER_SUMMIT * len(part.position), rng)
            for region, part in zip(regions, inside, strict=True)
            if len(part.position)
        ]
    )
    progress.stage("evaluate", len(position) + len(background))
    at, off = predict(position), predict(background)
    each = score_contexts(at, enrichment, off)
    values = _overall(at, enrichment, off, each)
    values |= {f"{name}/{column}": value for name, row in each.items() for column, value in enumerate(row)}
    draws = BlockDraws.of(position, background, rng, block=BLOCK, repeats=repeats) if repeats else None
    intervals = {} if draws is None else _intervals(draws, at, enrichment, off)
    report: dict[str, Any] = {"summits": len(at), "background": len(off)}
    for name, definition in METRICS.items():
        report[name] = metric(name, values, intervals) | {"definition": definition}
    report["contexts"] = {
        context: {
            "peaks": int((enrichment[:, column] > 0).sum()),
            **{name: metric(f"{name}/{column}", values, intervals) for name in CONTEXT_METRICS},
        }
        for column, context in enumerate(contexts)
    }
    return report


def _intervals(draws: BlockDraws, at: Array, enrichment: Array, off: Array) -> dict[str, tuple[float, float]]:
    """Return intervals of everything that `evaluate_scores` reports."""
    drawn: dict[str, list[Array]] = {name: [] for name in CONTEXT_METRICS}
    for predicted, open_, other in zip(at.T, (enrichment > 0).T, off.T, strict=True):
        positive = predicted[open_], draws.summits[open_]
        drawn["against_background"].append(draws.auroc(*positive, other, draws.background))
        drawn["within_sites"].append(draws.auroc(*positive, predicted[~open_], draws.summits[~open_]))
    log_at, log_off = np.log1p(at), np.log1p(off)
    over_all = {
        "any_summit": draws.auroc(log_at.mean(1), draws.summits, log_off.mean(1), draws.background),
        "context_summit": _mean_known(drawn["against_background"]),
        "within_summits": _mean_known(drawn["within_sites"]),
        "context_correlation": draws.correlation(_centred(log_at), _centred(np.log1p(enrichment))),
    }
    by_context = {f"{name}/{c}": row for name, rows in drawn.items() for c, row in enumerate(rows)}
    return {name: interval(row) for name, row in {**over_all, **by_context}.items()}


def _mean_known(rows: Sequence[Array]) -> Array:
    stacked = np.stack(rows)
    known = np.isfinite(stacked)
    total, count = np.where(known, stacked, 0.0).sum(0), known.sum(0)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def score_contexts(summits: Array, enrichment: Array, background: Array) -> dict[str, list[float]]:
    """Compare predicted activity with peaks in each context; arguments as of `score_activity`.

    Returns
    -------
    dict
        For each of `CONTEXT_METRICS` one number for each context; NaN where it has no peak, or nothing else.
    """
    open_ = enrichment > 0
    columns = range(enrichment.shape[1])
    return {
        "against_background": [auroc(summits[open_[:, c], c], background[:, c]) for c in columns],
        "within_sites": [auroc(summits[open_[:, c], c], summits[~open_[:, c], c]) for c in columns],
    }


def metric(
    name: str, values: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    """Return a number and its interval as JSON can hold them: None for what is unknown."""
    entry: dict[str, Any] = {"value": _number(values[name])}
    if name in intervals:
        entry["interval"] = [_number(end) for end in intervals[name]]
    return entry


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


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


def pearson(a: Array, b: Array) -> float:
    """Correlate all numbers; NaN where one side doesn't vary."""
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
