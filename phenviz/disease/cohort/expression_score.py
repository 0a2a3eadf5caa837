"""A score from predicted expression by a linear model: the simple rival that the transformer has to beat."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from phenviz.disease.cohort.covariates import CovariateModel, centre_of
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import Tokens, TokenStore

RIDGES = (0.02, 0.1, 0.3, 0.6)
_RATIO, _PENALTIES = 0.5, 16


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
        ``ridge`` or ``elastic net``.
    settings
        What it was made with.
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
    found = []
    kernel = values @ values.T / max(values.shape[1], 1)
    size, vectors = np.linalg.eigh(kernel)
    for share in RIDGES:
        dual = vectors @ ((vectors.T @ rest) / (np.maximum(size, 0) + (1 - share) / share))
        weights = values.T @ dual / max(values.shape[1], 1)
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
