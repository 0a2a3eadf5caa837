"""What the backbone learns: whether a place is a summit, how strong, and in which contexts.

Summits are compared with plain background. Regulatory elements that are closed in blood only teach the
auxiliary outputs: as background they cost 0.02 to 0.03 of AUROC, because they are much like summits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from phenviz.genome.codes import N_CODE, one_hot
from phenviz.models.peaks import SummitClusters
from phenviz.models.training_data import GUARD, TrainingData, outside
from phenviz.models.training_network import TrainableBackbone, has_fast_bfloat16

CENTRE_BINS = 2
JITTER = 48
FAR = 1_000
SUMMIT, BACKGROUND, ELEMENT = 1, 0, -1


@dataclass(frozen=True)
class SummitBatch:
    """Windows centred on a place.

    Parameters
    ----------
    one_hot
        Shape (B, 4, window).
    enrichment
        Fold enrichment of the summit in each context, 0 for background; where a context's coverage was
        measured, that of the central 256 bp; shape (B, C).
    is_open
        Contexts that the summit belongs to, 0 or 1, shape (B, C).
    kind
        1 for a summit, 0 for background, -1 for an element, which teaches the auxiliary outputs only.
    elements
        Membership of the four central bins, shape (B, E, 4).
    """

    one_hot: torch.Tensor
    enrichment: torch.Tensor
    is_open: torch.Tensor
    kind: torch.Tensor
    elements: torch.Tensor

    def to(self, device: torch.device) -> SummitBatch:
        """Return the targets on a device; the windows stay where they are."""
        targets = ("enrichment", "is_open", "kind", "elements")
        return replace(self, **{name: getattr(self, name).to(device) for name in targets})


@dataclass(frozen=True)
class SummitLesson:
    """Summits, background far from any, and elements, outside the held-out regions.

    Parameters
    ----------
    data
        The contigs.
    position, enrichment
        Of the summit clusters, shapes (n,) and (n, C).
    far
        Positions over 1 kb from every summit with known bases around.
    background, elements
        Background windows per summit, and share of the elements, in an epoch.
    window
        Bases in a window.
    """

    data: TrainingData
    position: NDArray[np.int64]
    enrichment: NDArray[np.float32]
    far: NDArray[np.int32]
    background: float
    elements: float
    window: int

    @classmethod
    def prepare(
        cls,
        data: TrainingData,
        clusters: SummitClusters,
        summits: NDArray[np.int64],
        *,
        background: float,
        elements: float,
        window: int,
        peaks: pd.DataFrame | None = None,
    ) -> SummitLesson:
        """Keep what may be learnt from.

        ``summits`` are all single summits; background also keeps out of the whole of ``peaks``, which may be
        wide.
        """
        length = len(data.codes)
        keep = outside(clusters.position, data.held_out)
        keep &= (clusters.position > GUARD) & (clusters.position < length - GUARD)
        free = np.ones(length, bool)
        for summit in summits:
            free[max(summit - FAR, 0) : summit + FAR] = False
        if peaks is not None:
            for start, end in zip(peaks["start"], peaks["end"], strict=True):
                free[start:end] = False
        # slices instead of index arrays: a chromosome is long
        unknown = np.cumsum(data.codes == N_CODE, dtype=np.int32)
        reach = window // 2
        free[reach:-reach] &= unknown[2 * reach - 1 : -1] == unknown[: -2 * reach]
        free[:GUARD] = free[-GUARD:] = False
        for start, end in data.held_out:
            free[max(start - GUARD, 0) : end + GUARD] = False
        enrichment = clusters.enrichment[keep].astype(np.float32)
        return cls(
            data,
            clusters.position[keep],
            enrichment,
            np.flatnonzero(free).astype(np.int32),
            background,
            elements,
            window,
        )

    def size(self) -> tuple[int, int, int]:
        """Return the numbers of summits, background windows and elements in an epoch."""
        summits = len(self.position)
        background = int(summits * self.background) if len(self.far) else 0
        return summits, background, int(len(self.data.elements) * self.elements)

    def open_weight(self, balance: float) -> torch.Tensor:
        """Return how much an open summit counts in each context, 1 in the one with the most; shape (C,)."""
        share = np.maximum((self.enrichment > 0).mean(0), 1e-3)
        return torch.from_numpy((share.max() / share) ** balance).float()

    def batches(self, rng: np.random.Generator, batch_size: int) -> Iterator[SummitBatch]:
        """Cut one epoch's windows, shifted by up to 48 bases, in random order."""
        summits, background, elements = self.size()
        chosen = rng.choice(self.data.elements, elements, replace=False)
        chosen = np.clip(chosen, GUARD, len(self.data.codes) - GUARD)
        position = np.concatenate([self.position, rng.choice(self.far, background), chosen])
        kind = np.repeat([SUMMIT, BACKGROUND, ELEMENT], [summits, background, elements])
        enrichment = np.zeros((len(position), self.enrichment.shape[1]), np.float32)
        enrichment[:summits] = self.enrichment
        order = rng.permutation(len(position))
        for first in range(0, len(order) - batch_size + 1, batch_size):
            rows = order[first : first + batch_size]
            starts = position[rows] + rng.integers(-JITTER, JITTER + 1, batch_size) - self.window // 2
            is_open = enrichment[rows] > 0
            wanted = enrichment[rows]
            if self.data.measured:
                centres = starts + self.window // 2
                wanted[:, self.data.measured] = self.data.central_signal(centres, CENTRE_BINS * 128)
            yield SummitBatch(
                torch.from_numpy(one_hot(self.data.codes[starts[:, None] + np.arange(self.window)])),
                torch.from_numpy(wanted),
                torch.from_numpy(is_open).float(),
                torch.from_numpy(kind[rows]),
                self.data.element_targets(starts, self.window, 2 * CENTRE_BINS),
            )


def window_of(network: TrainableBackbone) -> int:
    """Return the bases in a window of a network: four central bins, and what they see to each side."""
    return 128 * (2 * CENTRE_BINS + 2 * network.reach)


def central_bins(
    network: TrainableBackbone, one_hot: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return log activity (B, C, 4) and the logits of membership (B, E, 4) and of being open (B, S, 4).

    Of the four central bins; C contexts, of which the first S learn sites of the genome. A network sees its
    own window in the middle of ``one_hot``.
    """
    window, first = window_of(network), network.reach
    left = (one_hot.shape[2] - window) // 2
    device = one_hot.device.type
    fast = has_fast_bfloat16() if device == "cpu" else device == "cuda"
    with torch.autocast(device, torch.bfloat16, enabled=fast):
        embedding = network.encode(one_hot[:, :, left : left + window])
        embedding = embedding[:, :, first : first + 2 * CENTRE_BINS]
        activity, auxiliary = network.head(embedding).float(), network.auxiliary(embedding).float()
    return activity, auxiliary[:, : -network.sites], auxiliary[:, -network.sites :]


def summit_losses(
    outputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    batch: SummitBatch,
    *,
    specificity_weight: float,
    element_weight: float,
    openness_weight: float,
    presence_weight: float = 0.0,
    presence: Sequence[int] = (),
    level: float = 1.0,
    open_weight: torch.Tensor | None = None,
    known: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """Compare the mean activity of the central 256 bp with the summit's fold enrichment, both as log1p.

    Parameters
    ----------
    outputs
        From `central_bins`.
    batch
        What they should be.
    specificity_weight, element_weight, openness_weight, presence_weight
        Of those parts.
    presence, level
        Contexts whose peaks have no signal, and the fold enrichment that these count as.
    open_weight
        How much open summits of each context count in what differs between contexts, shape (C,); None for 1.
    known
        Windows whose targets hold, shape (B,); None for all.

    Returns
    -------
    dict
        ``signal``, ``specificity`` (what differs between contexts, at summits), ``elements``, ``openness``
        (in which contexts a summit is open at all), and ``presence`` where there are such contexts.
    """
    log_activity, membership, openness = outputs
    log_activity = log_activity[:, : batch.enrichment.shape[1]]
    centre = slice(CENTRE_BINS // 2, CENTRE_BINS // 2 + CENTRE_BINS)
    error = torch.log1p(log_activity[:, :, centre].exp().mean(2)) - torch.log1p(batch.enrichment)
    holds = error.new_ones(len(error)) if known is None else known.float()
    each = F.binary_cross_entropy_with_logits(membership, batch.elements, reduction="none").sum(1).mean(1)
    is_open = batch.is_open
    weight = torch.ones_like(is_open) if open_weight is None else 1 + is_open * (open_weight - 1)
    specific = (weight * (error - error.mean(1, keepdim=True)).pow(2)).mean(1)
    logits = openness[:, :, centre].mean(2)
    opened = (weight * F.binary_cross_entropy_with_logits(logits, is_open, reduction="none")).mean(1)
    parts = {} if not presence else {
        "presence": presence_weight * _mean(
            _presence_loss(log_activity[:, presence, centre], is_open[:, presence], level),
            holds * (batch.kind != ELEMENT),
        )
    }  # fmt: skip
    return parts | {
        "signal": _mean(error.pow(2).mean(1), holds * (batch.kind != ELEMENT)),
        "specificity": specificity_weight * _mean(specific, holds * (batch.kind == SUMMIT)),
        "elements": element_weight * _mean(each, holds) / 10,
        "openness": openness_weight * _mean(opened, holds * (batch.kind == SUMMIT)),
    }


def _presence_loss(log_activity: torch.Tensor, present: torch.Tensor, level: float) -> torch.Tensor:
    """Cross-entropy of being present, shape (B,), on the scale of the activity.

    A squared error of log1p can't tell a chance of 1 in 100 from 1 in 1,000, and pushes a context that is
    closed at a summit below plain background: these contexts came out below chance. While a chance is small,
    log1p(activity) = chance * log1p(level) means that the log activity is its logit, plus log(log1p(level)).
    """
    logit = log_activity.logsumexp(2) - math.log(log_activity.shape[2]) - math.log(math.log1p(level))
    return F.binary_cross_entropy_with_logits(logit, present, reduction="none").mean(1)


def _mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1)
