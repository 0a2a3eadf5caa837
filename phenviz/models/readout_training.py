"""Train the gene readout: choose by cross-validation, fit, and measure on genes that were never seen.

A chromosome has some 400 genes to learn from, so what is learned is kept small (see
`phenviz.models.readout_fit`), and the few choices are made by cross-validation over intervals of neighbouring
training genes: how far is read, how hard the output is shrunk, how long attention is learned.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from phenviz.data.blood16 import BLOOD16_RNA
from phenviz.errors import DataError, ModelError
from phenviz.genome import Annotation, Context, ReferenceGenome
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.readout import GeneReadout, save_readout
from phenviz.models.readout_data import HeldOut, ReadoutData, collect, log_expression, read_counts
from phenviz.models.readout_fit import fit_output, learn_attention, read_bins, start_readout
from phenviz.models.readout_metrics import across_genes, report, score_expression
from phenviz.progress import NO_PROGRESS, Progress

HELD_OUT: HeldOut = {
    "validation": [("20", 8_000_000, 12_000_000)],
    "test": [("20", 36_000_000, 48_000_000)],
}
REACHES = (12_288, 24_576, 49_152)
PENALTIES = (10.0, 30.0, 100.0, 300.0, 1_000.0)
PASSES = 8
# of the TSS-window baseline: bins on each side of the TSS's own, about 1 kb
_BASELINE_BINS = 8
_FOLDS = 8


@dataclass(frozen=True)
class Choice:
    """What cross-validation chooses.

    Parameters
    ----------
    reach
        bp on each side of the TSS.
    penalty
        Of the ridge regression.
    passes
        Passes over the genes in which attention is learned; 0 for weights by the distance alone.
    """

    reach: int
    penalty: float
    passes: int = 0


def train_readout(
    output: str | os.PathLike[str],
    *,
    counts: str | os.PathLike[str] | pd.DataFrame,
    annotation: Annotation,
    reference: ReferenceGenome,
    backbone: SequenceBackbone,
    contexts: Sequence[Context] = BLOOD16_RNA,
    held_out: HeldOut = HELD_OUT,
    reaches: Sequence[int] = REACHES,
    name: str = "gene readout",
    source: Mapping[str, str] | None = None,
    progress: Progress = NO_PROGRESS,
) -> GeneReadout:
    """Train a readout, measure it on held-out genes and save it with its card.

    Parameters
    ----------
    output
        Where the weights go (``.safetensors``); the card goes beside them.
    counts
        Table of read counts, or values per million, see `read_counts`; columns are the contexts' names.
        Whole numbers throughout are counts, others are on a scale of their own.
    annotation, reference
        Genes and their sequence.
    backbone
        Frozen; the readout belongs to it from then on.
    contexts
        What to predict for.
    held_out
        Name of a part -> regions (contig, start, end) whose genes are neither learned from nor chosen by.
    reaches
        What to choose the reach from, bp.
    name
        Name to read; of several readouts of a world, each has its own.
    source
        Entries of the card that say whose data it learned from, and under which licence it stands.
    progress
        Updated after each gene and each choice.

    Returns
    -------
    GeneReadout
        With its ``weights_hash``.
    """
    table = counts if isinstance(counts, pd.DataFrame) else read_counts(counts)
    reaches = _within(reaches, backbone)
    data = collect(
        table,
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
    readout.name, readout.units = name, log_expression(table)[1]
    card = {
        **(source or {}),
        "training": {
            "genes": {str(part): int((data.part == part).sum()) for part in np.unique(data.part)},
            "held_out": {part: [list(region) for region in regions] for part, regions in held_out.items()},
            "chosen": asdict(choice),
            "cross_validation": tried,
        },
        "metrics": evaluate(readout, data, backbone, held_out),
    }
    save_readout(readout, output, card)
    return readout


def _within(reaches: Sequence[int], backbone: SequenceBackbone) -> Sequence[int]:
    """Return the reaches that a global backbone's window holds on both sides of a gene's bin."""
    held = [reach for reach in reaches if 2 * reach + 2 * backbone.bin_size <= backbone.window]
    if backbone.receptive_field is not None:
        return reaches
    if not held:
        raise ModelError(
            f"{backbone.name} sees {backbone.window:,} bp, and a readout reads {2 * min(reaches):,} around a "
            "gene: use a backbone with a longer window"
        )
    return held


def choose(
    data: ReadoutData,
    backbone: SequenceBackbone,
    contexts: Sequence[Context],
    reaches: Sequence[int] = REACHES,
    progress: Progress = NO_PROGRESS,
) -> tuple[Choice, list[dict[str, Any]]]:
    """Choose by cross-validation over intervals of neighbouring training genes.

    The best choice has the largest sum of two correlations over genes never seen in a fold: across genes, and
    of the context-specific part. Reach and penalty are chosen first, then whether to learn attention.

    Returns
    -------
    tuple
        The choice, and for every one tried its scores (for the card).

    Raises
    ------
    DataError
        If too few genes are left to learn from.
    """
    rows = data.rows("training")
    if len(rows) < 3:
        raise DataError(f"only {len(rows)} genes to train the readout on: hold out less, or give more counts")
    progress.stage("choosing by cross-validation", len(reaches) + _FOLDS)
    started = start_readout(data, backbone, contexts, max(reaches))
    bins = read_bins(started, data)
    tried = []
    for reach in reaches:
        features = bins.within(reach).features(started)
        for penalty in PENALTIES:
            predicted = _predict_folds(data, rows, _unchanged(features), penalty)
            tried.append(_scored(Choice(reach, penalty), predicted, data.expression[rows]))
        progress.advance()
    best = _best(tried)

    def attentive(seen: NDArray[np.intp]) -> NDArray[np.float64]:
        readout, near = start_readout(data, backbone, contexts, best.reach), bins.within(best.reach)
        learn_attention(readout, near, data.expression, seen, best.penalty, PASSES)
        progress.advance()
        return near.features(readout)

    predicted = _predict_folds(data, rows, attentive, best.penalty)
    tried.append(_scored(Choice(best.reach, best.penalty, PASSES), predicted, data.expression[rows]))
    return _best(tried), tried


def fit_readout(
    data: ReadoutData, backbone: SequenceBackbone, contexts: Sequence[Context], choice: Choice
) -> GeneReadout:
    """Fit a readout with these choices to the training genes."""
    rows = data.rows("training")
    readout = start_readout(data, backbone, contexts, choice.reach)
    bins = read_bins(readout, data).within(choice.reach)
    learn_attention(readout, bins, data.expression, rows, choice.penalty, choice.passes)
    output = fit_output(bins.features(readout)[rows], data.expression[rows], choice.penalty)
    with torch.no_grad():
        readout.output.weight.copy_(torch.from_numpy(output.weight))
        readout.output.bias.copy_(torch.from_numpy(output.bias))
    readout.backbone_hash = backbone.weights_hash
    return readout.eval()


def evaluate(
    readout: GeneReadout, data: ReadoutData, backbone: SequenceBackbone, held_out: HeldOut
) -> dict[str, Any]:
    """Score the readout on each held-out part, beside two baselines.

    The TSS window's, and the mean over the training genes in each context.
    """
    mean = data.expression[data.rows("training")].mean(0)
    predictions = {
        "readout": predict_genes(readout, data),
        "tss_window_baseline": baseline(data, backbone),
        "training_mean": np.broadcast_to(mean, data.expression.shape),
    }
    found: dict[str, Any] = {}
    for part in held_out:
        rows = data.rows(part)
        if len(rows) < 3:
            found[part] = {"note": f"{len(rows)} genes, too few to measure by"}
            continue
        found[part] = {
            name: report(predicted[rows], data.expression[rows], mean, data.tss[rows])
            | {"contexts": across_genes(predicted[rows], data.expression[rows], readout.contexts)}
            for name, predicted in predictions.items()
        }
    return found


def predict_genes(readout: GeneReadout, data: ReadoutData) -> NDArray[np.float32]:
    """Predict the expression of all collected genes, (n, C)."""
    features = torch.from_numpy(read_bins(readout, data).within(readout.reach).features(readout)).float()
    with torch.inference_mode():
        return readout.output(features).numpy()


def baseline(data: ReadoutData, backbone: SequenceBackbone) -> NDArray[np.float32]:
    """Predict expression by ridge regression on the activity near the TSS alone, (n, C).

    Features are the mean log1p activity of each context in the TSS's bin and eight on each side (about
    1 kb); the penalty is chosen as the readout's.
    """
    middle = data.embedding.shape[2] // 2
    near = slice(middle - _BASELINE_BINS, middle + _BASELINE_BINS + 1)
    with torch.inference_mode():
        features = backbone.activity(data.embedding[:, :, near]).log1p().mean(2).double().numpy()
    rows = data.rows("training")

    def quality(penalty: float) -> float:
        predicted = _predict_folds(data, rows, _unchanged(features), penalty)
        return _quality(_scored(Choice(0, penalty), predicted, data.expression[rows]))

    output = fit_output(features[rows], data.expression[rows], max(PENALTIES, key=quality))
    return output.predict(features)


def _predict_folds(
    data: ReadoutData,
    rows: NDArray[np.intp],
    features_of: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    penalty: float,
) -> NDArray[np.float32]:
    """Predict each gene of ``rows`` from those outside its fold; ``features_of`` may learn from these."""
    fold = _folds(data, rows)
    predicted = np.empty_like(data.expression[rows])
    for one in np.unique(fold):
        seen, unseen = rows[fold != one], rows[fold == one]
        features = features_of(seen)
        output = fit_output(features[seen], data.expression[seen], penalty)
        predicted[fold == one] = output.predict(features[unseen])
    return predicted


def _folds(data: ReadoutData, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Cut genes into intervals of neighbours, so that few genes are learned from the one beside them."""
    places = [(data.genes[row].locus.contig, data.genes[row].tss) for row in rows]
    order = np.array(sorted(range(len(rows)), key=places.__getitem__))
    fold = np.empty(len(rows), dtype=np.int64)
    for number, interval in enumerate(np.array_split(order, min(_FOLDS, len(rows)))):
        fold[interval] = number
    return fold


def _unchanged(features: NDArray[np.float64]) -> Callable[[NDArray[np.intp]], NDArray[np.float64]]:
    return lambda _: features


def _scored(choice: Choice, predicted: NDArray[np.float32], observed: NDArray[np.float32]) -> dict[str, Any]:
    scores = score_expression(predicted, observed, observed.mean(0))
    kept = {name: round(scores[name], 4) for name in ("across_genes", "across_contexts", "specific")}
    return {**asdict(choice), **kept}


def _quality(scored: Mapping[str, Any]) -> float:
    return float(scored["across_genes"] + scored["specific"])


def _best(tried: Sequence[Mapping[str, Any]]) -> Choice:
    best = max(tried, key=_quality)
    return Choice(best["reach"], best["penalty"], best["passes"])
