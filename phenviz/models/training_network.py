"""The backbone while it learns: normalisation, dropout and auxiliary outputs, folded away at export."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from phenviz.genome.contexts import Context
from phenviz.models.local import ACTIVATIONS, LocalBackbone, Stage


class TrainableBackbone(nn.Module):
    """What `LocalBackbone` is made from; same stages, with a normalisation after each pooling.

    Parameters
    ----------
    stages
        As `LocalBackbone` takes them; the first is the stem.
    contexts
        Of the output.
    auxiliary
        Number of further outputs that only help learning.
    sites
        How many contexts, from the first one on, learn places of the genome; all by default.
    dropout
        Share of channels (of single scores after the stem: half of it) that are left out.
    """

    def __init__(
        self,
        stages: Sequence[Mapping[str, Any]],
        contexts: Sequence[Context],
        *,
        auxiliary: int,
        dropout: float,
        sites: int | None = None,
    ) -> None:
        super().__init__()
        self.sites = len(contexts) if sites is None else sites
        self.contexts, self.dropout = tuple(contexts), dropout
        self.shape = [dict(stage) for stage in stages]
        self.weights, self.norms = nn.ParameterList(), nn.ModuleList()
        channels = 4
        for stage in self.shape:
            scale = math.sqrt(1 / (channels * stage["kernel"]))
            self.weights.append(
                nn.Parameter(torch.randn(stage["channels"], channels, stage["kernel"]) * scale)
            )
            channels = stage["channels"]
            self.norms.append(PositiveNorm(channels))
        self.head = nn.Conv1d(channels, len(self.contexts), 1)
        self.auxiliary = nn.Conv1d(channels, max(auxiliary, 1), 1)
        nn.init.zeros_(self.head.weight)
        for layer, start in ((self.head, -2.0), (self.auxiliary, -3.0)):
            if layer.bias is not None:
                nn.init.constant_(layer.bias, start)

    @cached_property
    def reach(self) -> int:
        """Whole bins that a bin sees to each side of itself."""
        backbone = self.export(name="", window=0)
        assert backbone.receptive_field is not None  # a local backbone always has one
        return (backbone.receptive_field - backbone.bin_size) // (2 * backbone.bin_size)

    def start_stem(self, filters: NDArray[np.float32]) -> None:
        """Begin the stem with known motifs; filters beyond them stay random, of the same norm."""
        with torch.no_grad():
            stem = self.weights[0]
            stem /= stem.pow(2).sum((1, 2), keepdim=True).sqrt()
            stem[: len(filters)] = torch.from_numpy(filters)

    def pass_on(self, channels: int) -> None:
        """Let channels after the stem begin as copies of the same channel of the layer before.

        So the outputs see the best score of single motifs in each bin from the start. Motifs that matter in
        few places (GATA factors in erythroid cells) are otherwise not found before the network knows its data
        by heart.

        Parameters
        ----------
        channels
            How many, from the first one on.
        """
        with torch.no_grad():
            for stage, weight in list(zip(self.shape, self.weights, strict=True))[1:]:
                if not stage.get("residual", False):
                    count = min(channels, weight.shape[0], weight.shape[1])
                    weight[:count] *= 0.1
                    same = torch.arange(count)
                    weight[same, same, weight.shape[2] // 2] += 1

    @torch.no_grad()
    def start_from(self, backbone: LocalBackbone, one_hot: torch.Tensor) -> None:
        """Begin as another backbone of the same stages; its contexts' outputs are kept where they stay.

        Parameters
        ----------
        backbone
            Where to begin.
        one_hot
            Windows to learn from, (B, 4, L): normalisation begins with their statistics, so that it changes
            nothing.
        """
        x = one_hot
        for known, (stage, weight, norm) in zip(
            cast("Iterable[Stage]", backbone.stages), self._layers(), strict=True
        ):
            weight.copy_(known.weight)
            if known.both_strands:
                y = scan_both_strands(x, weight, known.pool)
            else:
                y = F.max_pool1d(_convolve(x, weight, known.dilation), known.pool)
            norm.start(y, known.bias)
            y = ACTIVATIONS[stage["activation"]](norm(y))
            x = x + y if known.residual else y
        rows = {(context.name, context.unit): row for row, context in enumerate(backbone.contexts)}
        for row, context in enumerate(self.contexts):
            if (old := rows.get((context.name, context.unit))) is not None:
                for mine, theirs in zip(self.head.parameters(), backbone.head.parameters(), strict=True):
                    mine[row] = theirs[old]

    def encode(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Turn one-hot (B, 4, L) into an embedding (B, D, bins)."""
        (stem, filters, stem_norm), *layers = self._layers()
        x = ACTIVATIONS[stem["activation"]](stem_norm(scan_both_strands(one_hot, filters, stem["pool"])))
        x = F.dropout(x, self.dropout / 2, self.training)
        for stage, weight, norm in layers:
            residual = stage.get("residual", False)
            dropped = F.dropout1d(x, self.dropout, self.training) if residual else x
            y = _convolve(dropped, weight, stage.get("dilation", 1))
            y = ACTIVATIONS[stage["activation"]](norm(F.max_pool1d(y, stage.get("pool", 1))))
            x = x + y if residual else y
        return F.dropout1d(x, self.dropout, self.training)

    def export(self, *, name: str, window: int) -> LocalBackbone:
        """Fold every normalisation into its convolution and return the backbone that is used from then on."""
        backbone = LocalBackbone(self.shape, self.contexts, name=name, window=window)
        with torch.no_grad():
            for stage, (_, weight, norm) in zip(
                cast("Iterable[Stage]", backbone.stages), self._layers(), strict=True
            ):
                scale, offset = norm.as_affine()
                kernel = weight if stage.both_strands else _symmetric(weight)
                stage.weight.copy_(kernel * scale[:, None, None])
                stage.bias.copy_(offset)
            backbone.head.load_state_dict(self.head.state_dict())
        return backbone.eval()

    def _layers(self) -> list[tuple[dict[str, Any], torch.Tensor, PositiveNorm]]:
        norms = cast("Iterable[PositiveNorm]", self.norms)
        return list(zip(self.shape, self.weights, norms, strict=True))


class PositiveNorm(nn.Module):
    """Batch normalisation whose gain is positive, so that it commutes with the pooling before it.

    Parameters
    ----------
    channels
        Channels of the (B, channels, n) input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.statistics = nn.BatchNorm1d(channels, affine=False, momentum=0.05)
        self.log_gain = nn.Parameter(torch.zeros(channels))
        self.offset = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise each channel."""
        gain, offset = self.log_gain.exp()[:, None], self.offset[:, None]
        return self.statistics(x) * gain.to(x.dtype) + offset.to(x.dtype)

    @torch.no_grad()
    def start(self, x: torch.Tensor, bias: torch.Tensor) -> None:
        """Begin with the statistics of ``x``, and add the bias to it: nothing else changes."""
        variance, mean = torch.var_mean(x.float(), (0, 2), correction=0)
        statistics = self.statistics
        assert statistics.running_mean is not None and statistics.running_var is not None
        statistics.running_mean.copy_(mean)
        statistics.running_var.copy_(variance)
        self.log_gain.copy_((variance + statistics.eps).sqrt().log())
        self.offset.copy_(bias + mean)

    def as_affine(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what it multiplies by and adds in evaluation mode, each (channels,)."""
        mean, variance = self.statistics.running_mean, self.statistics.running_var
        assert mean is not None and variance is not None  # kept, as track_running_stats is on
        scale = self.log_gain.exp() / (variance + self.statistics.eps).sqrt()
        return scale, self.offset - mean * scale


def scan_both_strands(one_hot: torch.Tensor, weight: torch.Tensor, pool: int) -> torch.Tensor:
    """Keep the best score of either strand in each pooling window, the quickest way of the device."""
    if one_hot.device.type == "cpu":
        return BothStrandScan.apply(one_hot, weight, pool)
    both = torch.cat([weight, weight.flip(1, 2)])
    best = F.max_pool1d(F.conv1d(one_hot, both, padding=weight.shape[2] // 2), pool)
    return torch.maximum(best[:, : len(weight)], best[:, len(weight) :])


def has_fast_bfloat16() -> bool:
    """Tell whether this processor multiplies bfloat16 in hardware.

    Where it doesn't, PyTorch emulates it: a step of training took 5 s instead of 0.3 s on such a machine.
    """
    # torch 2.6 can't tell yet
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16", "sve_bf16"))


class BothStrandScan(torch.autograd.Function):
    """Scan filters on both strands and keep the best score of each pooling window.

    In autocast's precision where that is on, else in the bases' own. One sequence at a time stays in the
    processor's cache, and the backward pass scans again instead of keeping the full-resolution scores: 4
    times as fast as convolution, maximum and pooling under autograd.
    Bases get no gradient, which learning doesn't need.
    """

    @staticmethod
    def forward(ctx: Any, one_hot: torch.Tensor, weight: torch.Tensor, pool: int) -> torch.Tensor:
        """Turn (B, 4, L) and filters (K, 4, width) into (B, K, L / pool)."""
        n, _, width = weight.shape
        both = torch.cat([weight, weight.flip(1, 2)]).permute(2, 1, 0).reshape(4 * width, 2 * n)
        mixed = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if mixed else one_hot.dtype
        both, bases = both.to(dtype), one_hot.to(dtype)
        best = torch.empty(len(bases), bases.shape[2] // pool, n, dtype=dtype)
        for row, sequence in enumerate(bases):
            scores = _columns(sequence, width) @ both
            scores = torch.maximum(scores[:, :n], scores[:, n:])
            best[row] = scores.view(-1, pool, n).amax(1) if pool % 2 else _halve(scores, pool)
        ctx.save_for_backward(bases, both, best)
        ctx.pool, ctx.width = pool, width
        return best.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, torch.Tensor, None]:
        """Send each gradient to the base columns under the winning position."""
        bases, both, best = ctx.saved_tensors
        n = best.shape[2]
        gradient = gradient.transpose(1, 2).to(best.dtype).contiguous()
        total = torch.zeros(both.shape)
        for sequence, top, slope in zip(bases, best, gradient, strict=True):
            columns = _columns(sequence, ctx.width)
            scores = (columns @ both).view(-1, ctx.pool, 2, n)
            # sign is 0 at the winner and -1 elsewhere: slope + slope * sign keeps the winner's slope only
            loses = scores.sub_(top.view(-1, 1, 1, n)).sign_()
            slope = slope.view(-1, 1, 1, n)
            total += columns.t() @ torch.addcmul(slope, loses, slope).view(-1, 2 * n)
        filters = total.view(ctx.width, 4, 2 * n).permute(2, 1, 0)
        return None, filters[:n] + filters[n:].flip(1, 2), None


def _columns(sequence: torch.Tensor, width: int) -> torch.Tensor:
    """Lay out (4, L) as a view (L, 4 * width): the bases that each position's filter covers."""
    padded = F.pad(sequence.t(), (0, 0, width // 2, width // 2)).contiguous()
    return padded.as_strided((sequence.shape[1], 4 * width), (4, 1))


def _halve(scores: torch.Tensor, pool: int) -> torch.Tensor:
    # maxima of neighbours, again and again: vectorised, unlike a reduction over a short axis
    while pool > 1 and pool % 2 == 0:
        scores, pool = torch.maximum(scores[0::2], scores[1::2]), pool // 2
    return scores if pool == 1 else scores.view(-1, pool, scores.shape[1]).amax(1)


def _symmetric(weight: torch.Tensor) -> torch.Tensor:
    return (weight + weight.flip(2)) / 2


def _convolve(x: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
    padding = (weight.shape[2] - 1) * dilation // 2
    return F.conv1d(x, _symmetric(weight), padding=padding, dilation=dilation)
