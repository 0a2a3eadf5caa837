"""Which genes, contexts and alleles of a person a Phenformer's logit comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from phenviz.models.phenformer import Phenformer
from phenviz.models.phenformer_training import scaled
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.tokens import Tokens

STEPS = 64


@dataclass(frozen=True, eq=False)
class Explained:
    """Why one person's logits differ from those of the average training person.

    Parameters
    ----------
    added
        What each number of each token adds to each trait's logit, (traits, genes, features).
    slope
        What one unit of it adds, along the path: (traits, haplotypes, genes, features); one haplotype stands
        for both where the model adds them up.
    logits
        Of the person, and of the average one, (2, traits).
    """

    added: NDArray[np.float32]
    slope: NDArray[np.float32]
    logits: NDArray[np.float64]

    @property
    def delta(self) -> float:
        """Largest difference of what is added, summed, from that of the logits."""
        return float(np.abs(self.added.sum(axis=(1, 2)) - (self.logits[0] - self.logits[1])).max())


def explain(
    phenformer: Phenformer,
    tokens: Tokens,
    traits: Sequence[str],
    *,
    steps: int = STEPS,
    progress: Progress = NO_PROGRESS,
) -> Iterator[Explained]:
    """Attribute people's logits to the numbers of their tokens, one person after the other.

    Integrated gradients [1]_ along the straight line from the average training person's tokens, at covariates
    that are average, too.

    Parameters
    ----------
    phenformer
        Trained.
    tokens
        Of people.
    traits
        Names.
    steps
        Points of the line, by the midpoint rule.
    progress
        Updated after each person.

    References
    ----------
    .. [1] Sundararajan et al. (2017), Axiomatic attribution for deep networks.
    """
    columns = [phenformer.trait_index(name) for name in traits]
    scale = phenformer.token_scale.detach().cpu().numpy()
    for row in range(len(tokens)):
        end = scaled(phenformer, tokens, slice(row, row + 1))
        along = (torch.arange(steps, device=end.device, dtype=end.dtype) + 0.5) / steps
        path = (along.view(-1, *[1] * (end.ndim - 1)) * end).requires_grad_()
        with torch.enable_grad():
            logits = phenformer.from_scaled(path)[:, columns].sum(dim=0)
            gradients = [
                torch.autograd.grad(logit, path, retain_graph=number + 1 < len(columns))[0].mean(dim=0)
                for number, logit in enumerate(logits)
            ]
        with torch.inference_mode():
            both = phenformer.from_scaled(torch.cat([end, torch.zeros_like(end)]))[:, columns]
        mean = torch.stack(gradients).cpu().numpy()
        # the last two axes are genes and features
        added = mean * end[0].cpu().numpy()
        yield Explained(
            added if added.ndim == 3 else added.sum(axis=1),
            (mean / scale)[:, None] if mean.ndim == 3 else mean / scale,
            both.double().cpu().numpy(),
        )
        progress.advance(1)
