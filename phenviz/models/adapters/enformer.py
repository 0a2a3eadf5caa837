"""Enformer (Avsec et al. 2021) as a backbone, through the package ``enformer-pytorch``.

196,608 bp in, 1,536 bins of 128 bp out; a global model: every bin sees the whole window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from phenviz.errors import ModelError
from phenviz.models.adapters.tracks import ModelTrack
from phenviz.models.adapters.trunk import TrunkBackbone, read_config, rows_of

WINDOW, BIN_SIZE = 196_608, 128
# the published shape
CONFIG: dict[str, Any] = {
    "dim": 1536,
    "depth": 11,
    "heads": 8,
    "output_heads": {"human": 5313, "mouse": 1643},
    "attn_dim_key": 64,
    "num_downsamples": 7,
    "dim_divisible_by": 128,
    # The published weights were trained with TensorFlow's gamma densities as the positional basis, and their
    # config.json doesn't say so; a network of another shape has the package's own.
    "use_tf_gamma": True,
}
_TRUNK = ("dim", "depth", "heads", "attn_dim_key", "num_downsamples", "dim_divisible_by")
# bins that the package's table of gamma densities is for
_GAMMA_BINS = WINDOW // BIN_SIZE


def read_enformer_config(weights: str | Path) -> dict[str, Any]:
    """Return the shape of the network, and which positional basis it has."""
    found = read_config(weights, {**CONFIG, "use_tf_gamma": None})
    if found["use_tf_gamma"] is None:
        found["use_tf_gamma"] = all(found[key] == CONFIG[key] for key in _TRUNK)
    if found["use_tf_gamma"] and WINDOW // 2 ** found["num_downsamples"] != _GAMMA_BINS:
        raise ModelError(
            f"{Path(weights).with_name('config.json')}: 'use_tf_gamma' is for {_GAMMA_BINS:,} bins, "
            f"'num_downsamples: {found['num_downsamples']}' gives others: correct one of them"
        )
    return found


def make_enformer(code: Any, config: Mapping[str, Any]) -> nn.Module:
    """Make an Enformer module of the package's class; `ModelError` if it drops the positional basis."""
    model: nn.Module = code.from_hparams(**config)
    if getattr(model, "use_tf_gamma", False) != config["use_tf_gamma"]:
        raise ModelError("this enformer_pytorch doesn't know use_tf_gamma: pip install 'phenviz[enformer]'")
    return model


def wrap_enformer(
    model: nn.Module,
    tracks: Sequence[ModelTrack],
    *,
    head: str = "human",
    window: int = WINDOW,
    bin_size: int = BIN_SIZE,
    name: str = "enformer",
    weights_hash: str | None = None,
    made_of: Mapping[str, Any] | None = None,
) -> TrunkBackbone:
    """Make a backbone of an Enformer module.

    Parameters
    ----------
    model
        With the interface of ``enformer_pytorch.Enformer``: ``model(x, return_only_embeddings=True)`` turns
        (B, window, 4) into (B, bins, D); ``heads[head]`` begins with a linear layer, softplus follows;
        ``set_target_length(-1)`` ends cropping.
    tracks
        Outputs that become contexts.
    head
        Which of the heads.
    window, bin_size
        Of the model; other than the published ones for models of another shape.
    name
        Name to read.
    weights_hash, made_of
        As for `TrunkBackbone`.
    """
    cast(Any, model).set_target_length(-1)
    layers = cast(Any, model).heads[head]
    chosen = rows_of(layers[0], [track.index for track in tracks])
    contexts = [track.as_context() for track in tracks]
    backbone = TrunkBackbone(
        _EnformerTrunk(model), chosen, contexts,
        name=name, window=window, bin_size=bin_size, weights_hash=weights_hash, made_of=made_of,
    )  # fmt: skip
    return backbone.eval()


class _EnformerTrunk(nn.Module):
    """Calls Enformer with channels last, up to its embedding."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        embedding: torch.Tensor = self.model(one_hot.transpose(1, 2), return_only_embeddings=True)
        return embedding.transpose(1, 2)
