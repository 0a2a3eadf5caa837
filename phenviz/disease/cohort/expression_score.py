"""A score from predicted expression by a linear model: what the Phenformer begins at, and has to beat.

Contexts resemble one another: a gene's expression in one tells much of that in the next. A model of all genes
in all contexts spreads its weights over them as chance has it, so that they don't tell which context matters
[1]_. So there is also one ridge regression for each context by itself, and one for all contexts alike; they
are averaged by how well each explains the trait, its marginal likelihood [2]_. That says how probable each
context is, if the trait acts through one.

References
----------
.. [1] Haufe et al. 2014, NeuroImage 87:96.
.. [2] Bayesian model averaging, Hoeting et al. 1999, Stat Sci 14:382; the likelihood is that of GREML, Yang
   et al. 2010, Nat Genet 42:565, with the kernel of predicted expression.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from phenviz.disease.cohort.covariates import CovariateModel, centre_of
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import Tokens, TokenStore

BY_CONTEXT, ALIKE = "ridge by context", "all contexts alike"
# share of what covariates leave of the trait that expression explains
HERITABILITIES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.6)
_RATIO, _PENALTIES = 0.5, 16
# less probable contexts aren't named
_NAMED = 0.01


@dataclass(frozen=True, eq=False)
class Expression:
    """Predicted expression of everybody, scaled.

    Parameters
    ----------
    values
        Shape (people, genes x contexts), float32: of both haplotypes, in the training people's standard
        deviations, 0 where they don't differ.
    genes, contexts
        Names; the columns are all contexts of the first gene, then of the second, ...
    mean, scale
        Of each column among the training people, before it was scaled.
    """

    values: NDArray[np.float32]
    genes: tuple[str, ...]
    contexts: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, store: TokenStore, tokens: Tokens, train: NDArray[np.intp]) -> Expression:
        """Take it out of people's tokens, and scale it to those of the training people."""
        channels = int(store.attrs["channels"])
        sums = tokens_expression(tokens, channels).reshape(len(tokens), -1)
        mean, scale = centre_of(sums[train].astype(np.float64))
        values = ((sums - mean) / scale).astype(np.float32)
        return cls(values, store.genes, store.features[channels:], mean, scale)


def tokens_expression(tokens: Tokens, channels: int) -> NDArray[np.float32]:
    """Return the expression in everybody's tokens, both haplotypes together, (people, genes, contexts)."""
    held = tokens.difference[..., channels:].astype(np.float32) * tokens.scale[:, channels:]
    return held.sum(axis=1) if tokens.pair else held


@dataclass(frozen=True, eq=False)
class ExpressionCandidate:
    """One linear model of expression.

    Parameters
    ----------
    method
        `BY_CONTEXT`, ``ridge`` or ``elastic net``.
    settings
        What it was made with; of `BY_CONTEXT`, how probable each of the ``contexts`` is, if at least 0.01.
    weights
        Of each column of `Expression`.
    """

    method: str
    settings: dict[str, Any]
    weights: NDArray[np.float64] = field(repr=False)


def fit_expression(
    expression: Expression,
    labels: NDArray[np.floating],
    people: NDArray[np.intp],
    covariates: CovariateModel,
    *,
    progress: Progress = NO_PROGRESS,
) -> list[ExpressionCandidate]:
    """Fit what covariates leave of a trait on predicted expression, with several penalties.

    Parameters
    ----------
    expression
        Of everybody.
    labels
        Of everybody; NaN where unknown.
    people
        Rows of the training people.
    covariates
        Fitted on them.
    progress
        Told after each kind of model.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import enet_path

    known = people[~np.isnan(labels[people])]
    values = expression.values[known].astype(np.float64)
    rest = labels[known] - covariates.probability[known]
    rest = rest - rest.mean()
    progress.stage("expression scores", 2)
    alike = _ridge(values, rest)
    settings: dict[str, Any]
    found = [_by_context(expression, values, rest, alike)]
    for share, weights in zip(HERITABILITIES, alike[1], strict=True):
        found.append(ExpressionCandidate("ridge", {"heritability": share}, weights))
    progress.advance()
    with warnings.catch_warnings():
        # the smallest penalties needn't be exact: which one is used is chosen on other people
        warnings.simplefilter("ignore", ConvergenceWarning)
        # from the penalty that leaves nothing to a twentieth of it
        largest = float(np.abs(values.T @ rest).max()) / (len(rest) * _RATIO)
        asked = np.geomspace(max(largest, 1e-9), max(largest, 1e-9) / 20, _PENALTIES)
        penalties, paths, _ = enet_path(
            np.asfortranarray(values), rest, l1_ratio=_RATIO, alphas=asked, max_iter=300, tol=1e-3
        )
    for penalty, weights in zip(penalties, paths.T, strict=True):
        if np.any(weights):
            settings = {"penalty": float(penalty), "l1_ratio": _RATIO, "terms": int((weights != 0).sum())}
            found.append(ExpressionCandidate("elastic net", settings, weights.astype(np.float64)))
    progress.advance()
    return found


def _by_context(
    expression: Expression,
    values: NDArray[np.float64],
    rest: NDArray[np.float64],
    alike: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> ExpressionCandidate:
    """Average ridge regressions on single contexts, and the one on all alike, by how well they explain."""
    contexts = len(expression.contexts)
    single = [_ridge(values[:, number::contexts], rest) for number in range(contexts)]
    # one context or all alike, half and half beforehand; heritabilities are alike, too
    prior = np.log(np.r_[np.full(contexts, 0.5 / contexts), 0.5])
    likelihood = np.stack([*(one for one, _ in single), alike[0]]) + prior[:, None]
    share = np.exp(likelihood - likelihood.max())
    share /= share.sum()
    weights = share[-1] @ alike[1]
    for number, (_, own) in enumerate(single):
        weights[number::contexts] += share[number] @ own
    probable = pd.Series(share.sum(axis=1), [*expression.contexts, ALIKE]).sort_values(ascending=False)
    named = probable[probable >= _NAMED].round(4)
    settings = {"contexts": {str(name): float(value) for name, value in named.items()}}
    return ExpressionCandidate(BY_CONTEXT, settings, weights)


def _ridge(
    values: NDArray[np.float64], rest: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit ridge regressions of several heritabilities; return log marginal likelihoods, and weights of each.

    Of ``rest ~ N(0, s (K + d I))`` with the kernel K of the columns, d = (1 - h) / h and the best s, up to a
    number that is the same for all kernels of these people.
    """
    people, columns = values.shape
    share = np.array(HERITABILITIES)
    noise = (1 - share) / share
    by_column = columns <= people
    size, vectors = np.linalg.eigh((values.T @ values if by_column else values @ values.T) / columns)
    size = np.maximum(size, 0)[:, None]
    if by_column:
        along = (vectors.T @ (values.T @ rest))[:, None] / np.sqrt(columns)
        left = (rest @ rest - (along**2 / (size + noise)).sum(axis=0)) / noise
        weights = vectors @ (along / (size + noise)) / np.sqrt(columns)
    else:
        along = (vectors.T @ rest)[:, None]
        left = (along**2 / (size + noise)).sum(axis=0)
        weights = values.T @ (vectors @ (along / (size + noise))) / columns
    spread = np.log(size + noise).sum(axis=0) + (people - len(size)) * np.log(noise)
    with np.errstate(divide="ignore"):
        likelihood = -0.5 * (people * np.log(left / people) + spread)
    return likelihood, weights.T


def contexts_words(probable: Mapping[str, float]) -> str:
    """Say in a line how probable contexts are; empty where nothing is known of them."""
    if not probable:
        return ""
    named = [f"{name} {100 * share:.0f} %" for name, share in list(probable.items())[:4]]
    rest = 1 - sum(list(probable.values())[:4])
    others = [f"others {100 * rest:.0f} %"] if rest >= 0.005 else []
    return f"if it acts through one context: {', '.join([*named, *others])}"


def gene_tests(
    expression: Expression,
    labels: NDArray[np.floating],
    people: NDArray[np.intp],
    covariates: CovariateModel,
) -> pd.DataFrame:
    """Test each gene's predicted expression in each context by itself, as a TWAS does.

    Returns
    -------
    pd.DataFrame
        gene, context, ``z`` and ``p_value`` of the score test given the covariates; NaN where nobody differs.
    """
    known = people[~np.isnan(labels[people])]
    rest = labels[known] - covariates.probability[known]
    rest = rest - rest.mean()
    values = expression.values[known].astype(np.float64)
    values = values - values.mean(axis=0)
    spread = np.sqrt((values**2).sum(axis=0) * rest.var())
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 1e-9, values.T @ rest / spread, np.nan)
    return pd.DataFrame(
        {
            "gene": np.repeat(np.array(expression.genes, dtype=object), len(expression.contexts)),
            "context": np.tile(np.array(expression.contexts, dtype=object), len(expression.genes)),
            "z": z,
            "p_value": 2 * norm.sf(np.abs(z)),
        }
    )
