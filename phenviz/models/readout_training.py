"""Train the gene readout: few choices by cross-validation, the rest by ridge regression.

A chromosome has some 400 genes to learn from, so what is learned is kept small. The values that are pooled
are those of the backbone's own head (log1p of the activity in each of its contexts) and the leading
principal components of the embedding; the heads decay with the distance on fixed scales. How far is read,
how strongly active bins are preferred (the attention) and how hard the output is shrunk are chosen by
cross-validation over stretches of neighbouring training genes; the output is ridge regression in closed
form, so training is the same every time and needs no seed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from phenviz.data.blood16 import BLOOD16_RNA
from phenviz.errors import DataError
from phenviz.genome import Annotation, Context, ReferenceGenome
from phenviz.models.local import LocalBackbone
from phenviz.models.readout import GeneReadout, save_readout
from phenviz.models.readout_data import ReadoutData, Regions, collect, read_counts
from phenviz.models.readout_metrics import report, score_expression
from phenviz.progress import NO_PROGRESS, Progress

HELD_OUT: Mapping[str, tuple[int, int]] = {
    "validation": (8_000_000, 12_000_000),
    "test": (36_000_000, 48_000_000),
}
REACHES = (12_288, 24_576, 49_152)
ATTENTIONS = (0.0, 0.5, 1.0, 2.0)
PENALTIES = (10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0)
HEADS = 4
COMPONENTS = 16
# of the TSS-window baseline: bins on each side of the TSS's own, about 1 kb
_BASELINE_BINS = 8
_FOLDS = 8
_BATCH = 16


@dataclass(frozen=True)
class Choice:
    """What cross-validation chooses.

    Parameters
    ----------
    reach
        bp on each side of the TSS.
    attention
        How much a bin's score rises with its mean log1p activity; 0 for the distance alone.
    penalty
        Of the ridge regression.
    """

    reach: int
    attention: float
    penalty: float


def train_readout(
    output: str | os.PathLike[str],
    *,
    counts: str | os.PathLike[str],
    annotation: Annotation,
    reference: ReferenceGenome,
    backbone: LocalBackbone,
    contexts: Sequence[Context] = BLOOD16_RNA,
    held_out: Regions = HELD_OUT,
    reaches: Sequence[int] = REACHES,
    progress: Progress = NO_PROGRESS,
) -> GeneReadout:
    """Train a readout, measure it on held-out genes and save it with its card.

    Parameters
    ----------
    output
        Where the weights go (``.safetensors``); the card goes beside them.
    counts
        Table of read counts, see `read_counts`; its columns are the contexts' names.
    annotation, reference
        Genes and their sequence.
    backbone
        Frozen; the readout belongs to it from then on.
    contexts
        What to predict for.
    held_out
        Parts of the contig whose genes are neither learned from nor chosen by.
    reaches
        What to choose the reach from, bp.
    progress
        Told after each gene and each choice.

    Returns
    -------
    GeneReadout
        With its ``weights_hash``.
    """
    data = collect(
        read_counts(counts),
        annotation,
        reference,
        backbone,
        contexts,
        reach=max(reaches),
        held_out=held_out,
        progress=progress,
    )
    choice, tried = choose(data, backbone, contexts, reaches, progress)
    readout = fit_readout(data, backbone, contexts, choice)
    card = {
        "training": {
            "genes": {str(part): int((data.part == part).sum()) for part in np.unique(data.part)},
            "held_out": {name: list(region) for name, region in held_out.items()},
            "chosen": asdict(choice),
            "cross_validation": tried,
        },
        "metrics": evaluate(readout, data, backbone, held_out),
    }
    save_readout(readout, output, card)
    return readout


def choose(
    data: ReadoutData,
    backbone: LocalBackbone,
    contexts: Sequence[Context],
    reaches: Sequence[int] = REACHES,
    progress: Progress = NO_PROGRESS,
) -> tuple[Choice, list[dict[str, Any]]]:
    """Choose by cross-validation over stretches of neighbouring training genes.

    The best choice has the largest sum of two correlations over genes never seen in a fold: across genes, and
    of the context-specific part.

    Returns
    -------
    tuple
        The choice, and for every one tried its scores (for the card).
    """
    rows = data.rows("training")
    if len(rows) < 3:
        raise DataError(f"only {len(rows)} genes to train the readout on: hold out less, or give more counts")
    fold = _folds(data, rows)
    values = initial_values(backbone, data, rows)
    shapes = list(itertools.product(reaches, ATTENTIONS))
    progress.stage("choosing by cross-validation", len(shapes))
    tried = []
    for reach, attention in shapes:
        started = _start(backbone, contexts, reach, attention, values)
        features = pooled_features(started, data)[rows]
        for penalty in PENALTIES:
            scores = _cross_validate(features, data.expression[rows], fold, penalty)
            tried.append({**asdict(Choice(reach, attention, penalty)), **scores})
        progress.advance()
    best = max(tried, key=lambda one: one["across_genes"] + one["specific"])
    return Choice(best["reach"], best["attention"], best["penalty"]), tried


def fit_readout(
    data: ReadoutData, backbone: LocalBackbone, contexts: Sequence[Context], choice: Choice
) -> GeneReadout:
    """Fit a readout with these choices to the training genes."""
    rows = data.rows("training")
    values = initial_values(backbone, data, rows)
    readout = _start(backbone, contexts, choice.reach, choice.attention, values)
    features = pooled_features(readout, data)
    mean, scale = features[rows].mean(0), features[rows].std(0) + 1e-6
    ridge = Ridge(alpha=choice.penalty).fit((features[rows] - mean) / scale, data.expression[rows])
    # the scaling is linear, so that it can live in the output's own weights
    weight = ridge.coef_ / scale
    with torch.no_grad():
        readout.output.weight.copy_(torch.from_numpy(weight))
        readout.output.bias.copy_(torch.from_numpy(ridge.intercept_ - weight @ mean))
    readout.backbone_hash = backbone.weights_hash
    return readout.eval()


def evaluate(
    readout: GeneReadout, data: ReadoutData, backbone: LocalBackbone, held_out: Regions
) -> dict[str, Any]:
    """Score the readout, and the TSS-window baseline, on each held-out part."""
    training = data.rows("training")
    mean = data.expression[training].mean(0)
    predictions = {
        "readout": predict_genes(readout, data),
        "tss_window_baseline": baseline(data, backbone),
    }
    found: dict[str, Any] = {}
    for part in held_out:
        rows = data.rows(part)
        if len(rows) < 3:
            continue
        found[part] = {
            name: report(predicted[rows], data.expression[rows], mean, data.tss[rows])
            for name, predicted in predictions.items()
        }
    return found


def predict_genes(readout: GeneReadout, data: ReadoutData) -> NDArray[np.float32]:
    """Predict the expression of all collected genes, (n, C)."""
    parts = []
    with torch.inference_mode():
        for embedding, distance in _batches(data, readout.reach):
            parts.append(readout.expression(embedding, distance))
    return torch.cat(parts).numpy()


def baseline(data: ReadoutData, backbone: LocalBackbone) -> NDArray[np.float32]:
    """Predict expression by ridge regression on the activity near the TSS alone, (n, C).

    Features are the mean log1p activity of each context in the TSS's bin and eight on each side (about
    1 kb); the penalty is chosen as the readout's.
    """
    middle = data.embedding.shape[2] // 2
    near = slice(middle - _BASELINE_BINS, middle + _BASELINE_BINS + 1)
    with torch.inference_mode():
        features = backbone.activity(data.embedding[:, :, near]).log1p().mean(2).double().numpy()
    rows = data.rows("training")
    fold = _folds(data, rows)

    def quality(penalty: float) -> float:
        scores = _cross_validate(features[rows], data.expression[rows], fold, penalty)
        return scores["across_genes"] + scores["specific"]

    penalty = max(PENALTIES, key=quality)
    mean, scale = features[rows].mean(0), features[rows].std(0) + 1e-6
    ridge = Ridge(alpha=penalty).fit((features[rows] - mean) / scale, data.expression[rows])
    return ridge.predict((features - mean) / scale).astype(np.float32)


def initial_values(
    backbone: LocalBackbone, data: ReadoutData, rows: NDArray[np.intp], components: int = COMPONENTS
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (V, D) and biases (V,) of the pooled values.

    The backbone's head comes first, as softplus of it is log1p of the activity; then the leading principal
    components of the embedding of the training genes' bins, scaled to unit variance.
    """
    head = backbone.head.weight.detach()[:, :, 0], backbone.head.bias.detach()
    sample = data.embedding[rows].transpose(1, 2).flatten(0, 1)[::7].double()
    mean = sample.mean(0)
    covariance = torch.cov((sample - mean).T)
    variances, vectors = torch.linalg.eigh(covariance)
    leading = (
        vectors.flip(1)[:, :components].T / variances.flip(0)[:components].clamp(min=1e-12).sqrt()[:, None]
    )
    # eigenvectors have no sign of their own: the largest entry positive, so that every run gives the same
    signs = leading.gather(1, leading.abs().argmax(1, keepdim=True)).sign()
    leading = leading * signs
    weight = torch.cat([head[0], leading.to(head[0].dtype)])
    bias = torch.cat([head[1], (-leading @ mean).to(head[1].dtype)])
    return weight, bias


def pooled_features(readout: GeneReadout, data: ReadoutData) -> NDArray[np.float64]:
    """Return what the readout pools for each gene, before its output: (n, H * V)."""
    parts = []
    with torch.inference_mode():
        for embedding, distance in _batches(data, readout.reach):
            parts.append(readout.pooled(readout.pooled_terms(embedding, distance).sum(-1)))
    return torch.cat(parts).double().numpy()


def _start(
    backbone: LocalBackbone,
    contexts: Sequence[Context],
    reach: int,
    attention: float,
    values: tuple[torch.Tensor, torch.Tensor],
) -> GeneReadout:
    weight, bias = values
    readout = GeneReadout(
        weight.shape[1], contexts, reach=reach, heads=HEADS, values=len(weight), name="gene readout"
    )
    own = len(backbone.contexts)
    with torch.no_grad():
        readout.value.weight.copy_(weight[:, :, None])
        readout.value.bias.copy_(bias)
        readout.query.zero_()
        readout.query[:, :own] = attention / own
    return readout


def _batches(data: ReadoutData, reach: int) -> Any:
    """Yield embedding and distance of some genes at a time, cut to a reach."""
    widest = data.distance.shape[1] // 2
    size = (data.distance[0, 1] - data.distance[0, 0]).abs().item()
    cut = widest - reach // int(size)
    inner = slice(cut, data.distance.shape[1] - cut)
    for first in range(0, len(data.genes), _BATCH):
        batch = slice(first, first + _BATCH)
        yield data.embedding[batch, :, inner], data.distance[batch, inner]


def _folds(data: ReadoutData, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Cut genes into stretches of neighbours, so that no gene is learned from the one beside it."""
    order = sorted(
        range(len(rows)), key=lambda i: (data.genes[rows[i]].locus.contig, data.genes[rows[i]].tss)
    )
    fold = np.empty(len(rows), dtype=np.int64)
    for number, stretch in enumerate(np.array_split(np.array(order), min(_FOLDS, len(rows)))):
        fold[stretch] = number
    return fold


def _cross_validate(
    features: NDArray[np.float64], expression: NDArray[np.float32], fold: NDArray[np.int64], penalty: float
) -> dict[str, float]:
    predicted = np.empty_like(expression)
    for one in np.unique(fold):
        seen, unseen = fold != one, fold == one
        mean, scale = features[seen].mean(0), features[seen].std(0) + 1e-6
        ridge = Ridge(alpha=penalty).fit((features[seen] - mean) / scale, expression[seen])
        predicted[unseen] = ridge.predict((features[unseen] - mean) / scale)
    scores = score_expression(predicted, expression, expression.mean(0))
    return {name: round(scores[name], 4) for name in ("across_genes", "across_contexts", "specific")}
