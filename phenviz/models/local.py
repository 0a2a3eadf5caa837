"""The local backbone: a short list of convolution stages with a finite receptive field.

A `LocalBackbone` is nothing but its ``stages`` (an ``nn.ModuleList`` of `Stage`) and one 1x1 ``head``. Stage
``i`` turns ``(B, channels[i - 1], n)`` into ``(B, channels[i], n / pool)``::

    y = conv1d(x, weight, bias, dilation=dilation, padding="same" with zeros)
    y = maximum over the two strands of y          # only where stage.both_strands (the motif stem)
    y = max_pool1d(y, pool)                        # before the activation, which is monotone: same, cheaper
    y = activation(y)                              # "softplus" or "relu", both monotone
    y = x + y                                      # only where stage.residual (then pool = 1)

- ``stages[0]`` is the stem: ``both_strands`` is true, and the filters ``weight`` (K, 4, width) are scanned
  forward and reverse-complemented; `Stage.kernels` returns what is convolved: (2K, 4, width) for the stem,
  forward strand first, and ``weight`` itself elsewhere.
- All kernels are odd, so a stage sees equally far to both sides. Kernels after the stem are symmetric
  (``weight == weight.flip(2)``). With the strand maximum this makes the whole model equivariant to reverse
  complement by construction: ``activity(rc(x)) == activity(x).flip(2)``, to rounding.
- The product of all pools is ``bin_size``. There are no normalisation layers (training folds them into the
  convolutions, see `phenviz.models.training`) and no global operations.
- The head's output ``z`` is the log of the activity: ``activity = exp(z)`` is the predicted fold enrichment
  of accessibility, so that ``log1p(activity) == softplus(z)``. Contexts may have a unit of their own
  (`Context.unit`); that of a reporter assay is RNA/DNA, whose logarithm was measured.

Everything is described by a small JSON-able dict (`LocalBackbone.config`), from which
`LocalBackbone.from_config` builds a randomly initialised model of the same shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn

from phenviz.errors import ModelError
from phenviz.genome.contexts import Context, read_contexts, units_of

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"softplus": F.softplus, "relu": F.relu}
# exp() of the head is capped far above any fold enrichment in the data (192), against overflow on odd inputs.
MAX_LOG_ACTIVITY = 10.0


class Stage(nn.Module):
    """One convolution, pooled and then activated; see the module's docstring for the exact order.

    Parameters
    ----------
    in_channels, channels
        Channels in and out.
    kernel
        Width of the convolution; odd.
    dilation
        Spacing of its taps.
    pool
        Width and stride of the maximum pooling; 1 for none.
    residual
        Whether the input is added to the output.
    both_strands
        Whether the filters are also scanned reverse-complemented, and the larger score kept. For a
        stage that reads bases only.
    activation
        ``"softplus"`` or ``"relu"``.

    Attributes
    ----------
    weight, bias
        (channels, in_channels, kernel) and (channels,).
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel: int,
        dilation: int = 1,
        pool: int = 1,
        residual: bool = False,
        both_strands: bool = False,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ModelError(f"a stage has kernel {kernel}; kernels must be odd so that bins stay centred")
        if residual and (pool != 1 or in_channels != channels):
            raise ModelError("a residual stage must keep its channels and have pool 1")
        if activation not in ACTIVATIONS:
            raise ModelError(f"a stage has activation {activation!r}; use one of {sorted(ACTIVATIONS)}")
        self.in_channels, self.channels = in_channels, channels
        self.kernel, self.dilation, self.pool = kernel, dilation, pool
        self.residual, self.both_strands, self.activation = residual, both_strands, activation
        weight = torch.randn(channels, in_channels, kernel) * math.sqrt(1 / (in_channels * kernel))
        self.weight = nn.Parameter(weight if both_strands else (weight + weight.flip(2)) / 2)
        self.bias = nn.Parameter(torch.zeros(channels))

    @property
    def padding(self) -> int:
        """Zeros added on each side."""
        return (self.kernel - 1) * self.dilation // 2

    def kernels(self) -> torch.Tensor:
        """Return the filters that are convolved: both strands' for the stem, forward ones first."""
        if not self.both_strands:
            return self.weight
        return torch.cat([self.weight, self.weight.flip(1, 2)])

    def convolve(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolution alone, before strands, pooling and activation; (B, len(kernels()), n)."""
        bias = torch.cat([self.bias, self.bias]) if self.both_strands else self.bias
        # Channels-last convolution over a height of one: twice as fast as conv1d on CPU for 4 input channels.
        y = F.conv2d(
            x.unsqueeze(2).contiguous(memory_format=torch.channels_last),
            self.kernels().unsqueeze(2).contiguous(memory_format=torch.channels_last),
            bias,
            padding=(0, self.padding),
            dilation=(1, self.dilation),
        )
        return y.squeeze(2)

    def finish(self, y: torch.Tensor) -> torch.Tensor:
        """Take `convolve`'s output through strand maximum, pooling and activation (no residual)."""
        if self.pool > 1:
            y = F.max_pool2d(y.unsqueeze(2), (1, self.pool)).squeeze(2)
        if self.both_strands:
            y = torch.maximum(y[:, : self.channels], y[:, self.channels :])
        return ACTIVATIONS[self.activation](y)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn (B, in_channels, n) into (B, channels, n / pool)."""
        y = self.finish(self.convolve(x))
        return x + y if self.residual else y

    def config(self) -> dict[str, Any]:
        """Return what describes the stage, without its weights."""
        keys = ("channels", "kernel", "dilation", "pool", "residual", "both_strands", "activation")
        return {key: getattr(self, key) for key in keys}


class LocalBackbone(nn.Module):
    """A local sequence model: one-hot bases in, one activity a context and 128 bp bin out.

    Parameters
    ----------
    stages
        Each as `Stage.config` gives it; the first reads the four bases.
    contexts
        What the output channels stand for.
    name
        Name to read.
    window
        Bases in a training window; any multiple of ``bin_size`` is taken.

    Attributes
    ----------
    stages, head
        The layers; see the module's docstring.
    bin_size
        Product of all pools.
    receptive_field
        Bases that one bin sees, itself in the centre.
    weights_hash
        SHA-256 of the weights file, set by `load_backbone`; ``"unsaved"`` for a model that was never saved.
    card
        What `load_backbone` read beside the weights: training data, metrics and versions.
    """

    def __init__(
        self,
        stages: Sequence[Mapping[str, Any]],
        contexts: Sequence[Context],
        *,
        name: str = "local",
        window: int = 1536,
    ) -> None:
        super().__init__()
        self.name, self.window, self.weights_hash = name, window, "unsaved"
        self.card: dict[str, Any] = {}
        self.contexts = tuple(contexts)
        self.stages = nn.ModuleList()
        channels = 4
        for stage in stages:
            options = {key: value for key, value in stage.items() if key != "channels"}
            self.stages.append(Stage(channels, stage["channels"], **options))
            channels = stage["channels"]
        self.head = nn.Conv1d(channels, len(self.contexts), 1)
        self.bin_size = math.prod(stage.pool for stage in _typed(self.stages))
        self.receptive_field: int | None = receptive_field(self.stages)

    @property
    def units(self) -> str:
        """Unit of the activity; where contexts differ, each unit with its contexts."""
        return units_of(self.contexts)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LocalBackbone:
        """Build a randomly initialised backbone from what `config` returns."""
        contexts = read_contexts(config["contexts"])
        return cls(config["stages"], contexts, name=config["name"], window=config["window"])

    def config(self) -> dict[str, Any]:
        """Return a JSON-able description of the architecture and contexts, without the weights."""
        contexts = [{key: getattr(context, key) for key in Context.__slots__} for context in self.contexts]
        stages = [stage.config() for stage in _typed(self.stages)]
        return {"name": self.name, "window": self.window, "stages": stages, "contexts": contexts}

    def encode(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Turn one-hot (B, 4, L) into an embedding (B, D, L / bin_size).

        Channels are A, C, G, T; N is all zero. Every layer takes 0 for what lies outside the window, which is
        not what N gives there: bins within half a receptive field of an end are no predictions. Give
        `phenviz.models.backbone.halo` more bases on both sides, of sequence or N, and leave their bins out.

        Raises
        ------
        ModelError
            If the shape is another one, or L is no multiple of ``bin_size``.
        """
        if one_hot.ndim != 3 or one_hot.shape[1] != 4 or one_hot.shape[2] % self.bin_size:
            raise ModelError(
                f"{self.name} got an input of shape {tuple(one_hot.shape)}; it takes (batch, 4, length) "
                f"with a length that is a multiple of {self.bin_size}"
            )
        x = one_hot
        for stage in self.stages:
            x = stage(x)
        return x

    def log_activity(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return the natural logarithm of `activity`, shape (B, C, bins)."""
        return self.head(embedding).clamp(max=MAX_LOG_ACTIVITY)

    def activity(self, embedding: torch.Tensor) -> torch.Tensor:
        """Turn an embedding (B, D, bins) into activity (B, C, bins) in each context's unit, not negative."""
        return self.log_activity(embedding).exp()

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Return ``activity(encode(one_hot))``, shape (B, C, L / bin_size)."""
        return self.activity(self.encode(one_hot))


def receptive_field(stages: Sequence[Stage] | nn.ModuleList) -> int:
    """Count the bases that one output bin of a list of stages sees."""
    size, stride = 1, 1
    for stage in _typed(stages):
        size += (stage.kernel - 1) * stage.dilation * stride + (stage.pool - 1) * stride
        stride *= stage.pool
    return size


def _typed(stages: Iterable[nn.Module]) -> Iterable[Stage]:
    return cast("Iterable[Stage]", stages)
