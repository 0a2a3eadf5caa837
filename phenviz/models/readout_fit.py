"""Fit a gene readout to given genes: what it pools, its attention, and its output.

The values that are pooled are those of the backbone's own head (log1p of the activity in each context)
and the leading principal components of the embedding. The heads begin with weights that decay with the
distance on four scales; passes of gradient descent teach them which bins to attend to, by their values and
their distance. The output is ridge regression in closed form, fitted anew after each pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from phenviz.genome import Context
from phenviz.models.backbone import SequenceBackbone
from phenviz.models.local import LocalBackbone
from phenviz.models.readout import GeneReadout
from phenviz.models.readout_data import ReadoutData

HEADS = 4
COMPONENTS = 16
_BATCH = 48
_LEARNING_RATE = 0.02
# small weights keep the attention near the plain decay that it begins with
_SHRINK = 0.01
# an error in the differences between contexts counts so much more than one in their mean
_WEIGHT_OF_SPECIFIC = 3.0


@dataclass(frozen=True)
class Linear:
    """A fitted output: weight (C, features) and bias (C,)."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return expression (n, C)."""
        return (features @ self.weight.T + self.bias).astype(np.float32)


@dataclass(frozen=True)
class GeneBinValues:
    """What a readout reads of some genes: values of their bins (n, V, bins) and distances (n, bins)."""

    values: torch.Tensor
    distance: torch.Tensor

    def within(self, reach: int) -> GeneBinValues:
        """Keep the bins within a reach of the TSS."""
        size = int((self.distance[0, 1] - self.distance[0, 0]).abs().item())
        cut = self.distance.shape[1] // 2 - reach // size
        inner = slice(cut, self.distance.shape[1] - cut)
        return GeneBinValues(self.values[:, :, inner], self.distance[:, inner])

    def pooled(self, readout: GeneReadout, rows: NDArray[np.intp] | torch.Tensor) -> torch.Tensor:
        """Pool the bins of some genes, (rows, H * V)."""
        return readout.pooled(readout.weighted(self.values[rows], self.distance[rows]).sum(-1))

    def features(self, readout: GeneReadout) -> NDArray[np.float64]:
        """Pool the bins of all genes, (n, H * V), without gradients."""
        every = np.arange(len(self.values))
        with torch.inference_mode():
            parts = [self.pooled(readout, every[i : i + _BATCH]) for i in range(0, len(every), _BATCH)]
        return torch.cat(parts).double().numpy()


def start_readout(
    data: ReadoutData, backbone: SequenceBackbone, contexts: Sequence[Context], reach: int
) -> GeneReadout:
    """Build a readout that pools by the distance alone, and whose output isn't fitted yet."""
    weight, bias = _initial_values(data, backbone)
    readout = GeneReadout(
        weight.shape[1], contexts, reach=reach, heads=HEADS, values=len(weight), name="gene readout"
    )
    readout.value.load_state_dict({"weight": weight[:, :, None], "bias": bias})
    with torch.no_grad():
        readout.query.zero_()
    return readout


def read_bins(readout: GeneReadout, data: ReadoutData) -> GeneBinValues:
    """Compute the values of all collected bins, whatever the readout's reach."""
    with torch.inference_mode():
        starts = range(0, len(data.genes), _BATCH)
        values = torch.cat([readout.bin_values(data.embedding[i : i + _BATCH]) for i in starts])
    # a copy, since attention is learned on it with gradients
    return GeneBinValues(values.clone(), data.distance)


def fit_output(features: NDArray[np.float64], expression: NDArray[np.float32], penalty: float) -> Linear:
    """Fit a ridge regression on standardised features; the scaling goes into its weights."""
    mean, scale = features.mean(0), features.std(0) + 1e-6
    ridge = Ridge(alpha=penalty).fit((features - mean) / scale, expression)
    weight = np.atleast_2d(ridge.coef_) / scale
    return Linear(weight, ridge.intercept_ - weight @ mean)


def learn_attention(
    readout: GeneReadout,
    bins: GeneBinValues,
    expression: NDArray[np.float32],
    rows: NDArray[np.intp],
    penalty: float,
    passes: int,
) -> None:
    """Teach the readout's heads, in place, to attend to the bins that tell expression.

    Parameters
    ----------
    readout
        Its queries, kernels and scales change.
    bins, expression
        Of all genes; cut to the readout's reach.
    rows
        Genes to learn from.
    penalty
        Of the output that is fitted before each pass.
    passes
        Times that each gene is seen, in another order each time, the same in every run.
    """
    generator = torch.Generator().manual_seed(0)
    learned = [readout.query, readout.kernel, readout.log_scale]
    optimizer = torch.optim.Adam(learned, lr=_LEARNING_RATE)
    observed = torch.from_numpy(expression)
    for _ in range(passes):
        output = fit_output(bins.features(readout)[rows], expression[rows], penalty)
        weight, bias = (torch.from_numpy(part).float() for part in (output.weight, output.bias))
        order = torch.from_numpy(rows)[torch.randperm(len(rows), generator=generator)]
        for batch in order.split(_BATCH):
            error = bins.pooled(readout, batch) @ weight.T + bias - observed[batch]
            common = error.mean(1, keepdim=True)
            loss = (common**2).mean() + _WEIGHT_OF_SPECIFIC * ((error - common) ** 2).mean()
            loss = loss + _SHRINK * ((readout.query**2).sum() + (readout.kernel**2).sum())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def _initial_values(data: ReadoutData, backbone: SequenceBackbone) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (V, D) and biases (V,) of the pooled values.

    The head of PhenViz' own backbone comes first, as softplus of it is log1p of the activity; then the
    leading principal components of the embedding of the training genes' bins, scaled to unit variance.
    """
    sample = data.embedding[data.rows("training")].transpose(1, 2).flatten(0, 1)[::7].double()
    mean = sample.mean(0)
    variances, vectors = torch.linalg.eigh(torch.cov((sample - mean).T))
    scale = variances.flip(0)[:COMPONENTS].clamp(min=1e-12).sqrt()
    leading = vectors.flip(1)[:, :COMPONENTS].T / scale[:, None]
    # eigenvectors have no sign of their own: the largest entry positive, so that every run gives the same
    leading = leading * leading.gather(1, leading.abs().argmax(1, keepdim=True)).sign()
    weight, bias = leading.float(), (-leading @ mean).float()
    if not isinstance(backbone, LocalBackbone):
        return weight, bias
    head = backbone.head.state_dict()
    return torch.cat([head["weight"][:, :, 0].cpu(), weight]), torch.cat([head["bias"].cpu(), bias])
