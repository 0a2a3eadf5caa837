"""Fine-tune the last layer of a gene readout on people whose expression was measured, and judge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phenviz.effects.measured.agreement import agreement

Numbers = NDArray[np.float64]
# of the squared differences between the new and the old weights, tried
PENALTIES = tuple(float(10.0**power) for power in range(-2, 5))
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class GeneOfPeople:
    """One gene in people.

    Parameters
    ----------
    name
        Of the gene.
    pooled
        What the readout's last layer gets, the mean of both haplotypes, shape (people, K).
    measured
        Shape (people,), on the readout's scale; covariates regressed out but for the mean; NaN where unknown.
    """

    name: str
    pooled: Numbers
    measured: Numbers


@dataclass(frozen=True, eq=False)
class LastLayer:
    """Weights (K,) and bias of one context."""

    weight: Numbers
    bias: float

    def predict(self, pooled: Numbers) -> Numbers:
        """Return expression, shape (people,)."""
        found: Numbers = pooled @ self.weight + self.bias
        return found


def fit_last_layer(
    genes: Sequence[GeneOfPeople],
    rows: NDArray[np.intp],
    start: LastLayer,
    *,
    penalty: float,
    weight_of_difference: float = 1.0,
) -> LastLayer:
    """Fit a last layer to some people, from where it was.

    The loss of a gene is ``(mean predicted - mean measured)^2`` (absolute) plus ``weight_of_difference``
    times the mean squared error of what sets people apart (difference: of all pairs it is twice that), each
    in units of the variance that it explains; then ``penalty`` times the squared change of the weights,
    scaled by the features' spread. It has a closed form.

    Parameters
    ----------
    genes
        To learn from.
    rows
        People to learn from.
    start
        As it was.
    penalty
        The larger, the nearer to it the result stays.
    weight_of_difference
        Of the second loss.
    """
    size = len(start.weight)
    means, targets, spreads, differences = [], [], [], []
    for gene in genes:
        known = rows[np.isfinite(gene.measured[rows])]
        if len(known) < 2:
            continue
        pooled, measured = gene.pooled[known], gene.measured[known]
        means.append(pooled.mean(0))
        targets.append(measured.mean() - start.predict(pooled).mean())
        apart, wanted = pooled - pooled.mean(0), measured - measured.mean()
        scale = np.sqrt(len(known) * max(float(wanted.var()), 1e-12) * len(genes))
        spreads.append(apart / scale)
        differences.append((wanted - apart @ start.weight) / scale)
    if not means:
        return start
    mean, target = np.array(means), np.array(targets)
    between = np.sqrt(len(means) * max(float(np.var(target)), 1e-12))
    absolute = np.column_stack([mean, np.ones(len(mean))]) / between
    apart = np.vstack(spreads)
    relative = np.sqrt(weight_of_difference) * np.column_stack([apart, np.zeros(len(apart))])
    design = np.vstack([absolute, relative])
    wanted = np.concatenate([target / between, np.sqrt(weight_of_difference) * np.concatenate(differences)])
    # a feature that hardly varies between people weighs as much as one that does
    shrink = penalty * np.append((design[:, :size] ** 2).sum(0).mean() * np.ones(size), 0.0)
    change = np.linalg.lstsq(design.T @ design + np.diag(shrink), design.T @ wanted, rcond=None)[0]
    return LastLayer(start.weight + change[:size], start.bias + float(change[size]))


def judge_last_layer(
    genes: Sequence[GeneOfPeople],
    populations: NDArray[np.str_],
    start: LastLayer,
    *,
    weight_of_difference: float = 1.0,
    seed: int = 0,
) -> dict[str, dict[str, Numbers]]:
    """Judge fine-tuning on people, and on genes, that it never saw.

    Parameters
    ----------
    genes, start, weight_of_difference
        As for `fit_last_layer`.
    populations
        Of the people: correlations are within them.
    seed
        Of the folds.

    Returns
    -------
    dict
        ``before``, ``unseen people`` (of genes that were learned from) and ``unseen genes`` (in people who
        weren't learned from, either): for each the ``correlation`` of every gene over people, NaN where
        none can be told. The penalty is chosen among `PENALTIES` inside the training people and genes alone.
    """
    random = np.random.default_rng(seed)
    people = _parts(len(populations), random)
    families = _parts(len(genes), random)
    found = {
        name: [np.full(len(populations), np.nan) for _ in genes] for name in ("unseen people", "unseen genes")
    }
    for test in people:
        train = np.setdiff1d(np.arange(len(populations)), test)
        penalty = choose_penalty(genes, train, start, weight_of_difference, random)
        fitted = fit_last_layer(
            genes, train, start, penalty=penalty, weight_of_difference=weight_of_difference
        )
        for row, gene in enumerate(genes):
            found["unseen people"][row][test] = fitted.predict(gene.pooled[test])
        for out in families:
            known = [gene for row, gene in enumerate(genes) if row not in out]
            if not known:
                continue
            penalty = choose_penalty(known, train, start, weight_of_difference, random, over_genes=True)
            fitted = fit_last_layer(
                known, train, start, penalty=penalty, weight_of_difference=weight_of_difference
            )
            for row in out:
                found["unseen genes"][row][test] = fitted.predict(genes[row].pooled[test])
    fold = np.zeros(len(populations), dtype=np.intp)
    for number, test in enumerate(people):
        fold[test] = number
    _, population = np.unique(populations, return_inverse=True)
    groups = fold * (population.max() + 1) + population
    before = [start.predict(gene.pooled) for gene in genes]
    return {
        name: {
            "correlation": np.array(
                [
                    agreement(one, gene.measured, groups).correlation
                    for one, gene in zip(rows, genes, strict=True)
                ]
            )
        }
        for name, rows in {"before": before, **found}.items()
    }


def choose_penalty(
    genes: Sequence[GeneOfPeople],
    train: NDArray[np.intp],
    start: LastLayer,
    weight: float,
    random: np.random.Generator,
    *,
    over_genes: bool = False,
) -> float:
    """Choose the penalty by a part of the training people, or genes, that is left out inside them."""
    errors = dict.fromkeys(PENALTIES, 0.0)
    inside = _parts(len(genes) if over_genes else len(train), random)
    if over_genes and len(genes) < 2:
        return PENALTIES[-1]
    for part in inside[:3]:
        for penalty in PENALTIES:
            if over_genes:
                known = [gene for row, gene in enumerate(genes) if row not in part]
                fitted = fit_last_layer(known, train, start, penalty=penalty, weight_of_difference=weight)
                errors[penalty] -= sum(_mean_r(fitted, genes[row], train) for row in part)
            else:
                rest, left = np.delete(train, part), train[part]
                fitted = fit_last_layer(genes, rest, start, penalty=penalty, weight_of_difference=weight)
                errors[penalty] -= sum(_mean_r(fitted, gene, left) for gene in genes)
    # of equally good ones the one that changes least
    return min(reversed(PENALTIES), key=lambda penalty: errors[penalty])


def _mean_r(layer: LastLayer, gene: GeneOfPeople, rows: NDArray[np.intp]) -> float:
    found = agreement(
        layer.predict(gene.pooled[rows]), gene.measured[rows], np.zeros(len(rows), dtype=np.intp)
    )
    return 0.0 if np.isnan(found.correlation) else found.correlation


def _parts(count: int, random: np.random.Generator) -> list[NDArray[np.intp]]:
    return [part for part in np.array_split(random.permutation(count), min(_FOLDS, count)) if len(part)]


def mean_with_interval(correlations: Numbers, seed: int = 0, repeats: int = 2_000) -> Mapping[str, float]:
    """Return the mean over genes with a 95 % bootstrap interval over them."""
    known = correlations[np.isfinite(correlations)]
    if not len(known):
        return {"mean": float("nan"), "low": float("nan"), "high": float("nan"), "genes": 0}
    random = np.random.default_rng(seed)
    means = known[random.integers(0, len(known), (repeats, len(known)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(known.mean()), "low": float(low), "high": float(high), "genes": len(known)}
