"""How well a readout predicts genes that it has never seen: across genes and across contexts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phenviz.genome import Context
from phenviz.models.evaluation import BLOCK, block_bootstrap

METRICS = {
    "across_genes": "Pearson correlation over genes in one context; mean over contexts",
    "across_genes_mean": "Pearson correlation over genes of the mean over contexts",
    "across_contexts": (
        "Pearson correlation over contexts for one gene, each context's mean over the training genes "
        "removed; mean over the genes that vary (standard deviation of 0.3 or more)"
    ),
    "within_gene": (
        "Pearson correlation over contexts for one gene, as expression is; mean over the genes that vary"
    ),
    "specific": (
        "Pearson correlation over genes and contexts of the context-specific part (context's training "
        "mean, then the gene's own mean removed)"
    ),
}
_VARIES = 0.3

Array = NDArray[np.floating[Any]]


def correlation(a: Array, b: Array) -> float:
    """Pearson correlation of all numbers; NaN where one side doesn't vary."""
    # the mean of equal numbers may differ from them in the last digit
    if a.size == 0 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    a, b = a.ravel() - a.mean(), b.ravel() - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 0 else float("nan")


def score_expression(predicted: Array, observed: Array, context_mean: Array) -> dict[str, float]:
    """Compare predicted and observed expression, both (genes, contexts); a number for each of `METRICS`.

    Parameters
    ----------
    context_mean
        Mean over the training genes in each context, shape (contexts,).
    """
    specific = _specific(predicted, context_mean), _specific(observed, context_mean)
    varying = np.flatnonzero(specific[1].std(1) >= _VARIES)
    columns = range(predicted.shape[1])
    return {
        "across_genes": _mean([correlation(predicted[:, c], observed[:, c]) for c in columns]),
        "across_genes_mean": correlation(predicted.mean(1), observed.mean(1)),
        "across_contexts": _mean([correlation(specific[0][g], specific[1][g]) for g in varying]),
        "within_gene": _mean([correlation(predicted[g], observed[g]) for g in varying]),
        "specific": correlation(*specific),
    }


def report(
    predicted: Array,
    observed: Array,
    context_mean: Array,
    tss: NDArray[np.int64],
    *,
    repeats: int = 500,
) -> dict[str, Any]:
    """Score predictions and put 95 % intervals beside them, from a bootstrap over blocks of 250 kb."""

    def score(rows: NDArray[np.intp], _: NDArray[np.intp]) -> dict[str, float]:
        return score_expression(predicted[rows], observed[rows], context_mean)

    values = score_expression(predicted, observed, context_mean)
    none = np.empty(0, dtype=np.int64)
    intervals = block_bootstrap(score, tss, none, np.random.default_rng(1), block=BLOCK, repeats=repeats)
    varying = int((_specific(observed, context_mean).std(1) >= _VARIES).sum())
    found: dict[str, Any] = {"genes": len(tss), "varying_genes": varying}
    for name, value in values.items():
        interval = [_rounded(end) for end in intervals[name]]
        found[name] = {"value": _rounded(value), "interval": interval, "definition": METRICS[name]}
    return found


def across_genes(predicted: Array, observed: Array, contexts: Sequence[Context]) -> dict[str, float | None]:
    """Correlate over genes in each context, which a mean over contexts may hide."""
    return {
        context.name: _rounded(correlation(predicted[:, column], observed[:, column]))
        for column, context in enumerate(contexts)
    }


def _rounded(value: float) -> float | None:
    # JSON knows no NaN
    return round(float(value), 3) if np.isfinite(value) else None


def _specific(expression: Array, context_mean: Array) -> Array:
    centred = expression - context_mean
    return centred - centred.mean(1, keepdims=True)


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
